"""`cmake --install`, and a stranger's program built against what it installed."""
import os
import subprocess
import tempfile
import unittest

import harness

PROGRAM = r"""
#include <logmill.h>
#include <stdio.h>
int main(void)
{
    struct logmill *log;
    char why[256];
    if (logmill_open(&(struct logmill_options){.brokers = "127.0.0.1:1"}, &log, why, sizeof why) != LOGMILL_OK) {
        puts(why);
        return 1;
    }
    printf("%s %d\n", logmill_version(), logmill_log(log, LOGMILL_INFO, "hello", NULL, 0));
    return logmill_close(log, 0) == LOGMILL_TIMEOUT ? 0 : 1;
}
"""


class Install(unittest.TestCase):
    def run_ok(self, *command, **options):
        p = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, **options)
        self.assertEqual(p.returncode, 0, "%s\n%s%s" % (command[0], p.stdout, p.stderr))
        return p.stdout

    def test_a_program_builds_with_pkg_config_and_only_the_public_names_are_exported(self):
        with tempfile.TemporaryDirectory() as directory:
            self.run_ok("cmake", "--install", harness.BIN, "--prefix", directory)
            for name in ("ship", "gateway", "consumer", "agent", "ctl"):
                self.assertTrue(os.access("%s/bin/logmill-%s" % (directory, name), os.X_OK), name)
            library = self.run_ok("find", directory, "-name", "liblogmill.so").strip()
            folder = os.path.dirname(library)
            names = [line.split()[-1] for line in self.run_ok("nm", "-D", "--defined-only", library).splitlines()]
            self.assertEqual([n for n in names if not n.startswith("logmill_")], [])
            source, program = directory + "/program.c", directory + "/program"
            with open(source, "w") as f:
                f.write(PROGRAM)
            flags = self.run_ok("pkg-config", "--cflags", "--libs", "logmill",
                                env=dict(os.environ, PKG_CONFIG_PATH=folder + "/pkgconfig")).split()
            sanitizer = ["-fsanitize=address,undefined"] if harness.BIN.name == "asan" else []
            self.run_ok("cc", "-std=c17", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags, *sanitizer)
            said = self.run_ok(program, env=dict(os.environ, LD_LIBRARY_PATH=folder))
            self.assertRegex(said, r"^\d+\.\d+\.\d+ 0\n$")


if __name__ == "__main__":
    unittest.main()
