"""The pages that are made from the programs, and what every program says of itself."""
import subprocess
import unittest

import harness

PROGRAMS = ["logmill-ship", "logmill-gateway", "logmill-consumer", "logmill-agent", "logmill-ctl"]


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30)


class Documentation(unittest.TestCase):
    def test_the_configuration_page_is_what_the_tables_say(self):
        said = run("env", "LOGMILL_RUN_PRESET=" + harness.BIN.name, harness.ROOT / "dev", "configuration-page")
        self.assertEqual(said.returncode, 0, said.stderr)
        written = (harness.ROOT / "docs" / "configuration.md").read_text()
        self.assertEqual(written, said.stdout, "docs/configuration.md is out of step: run ./dev docs")

    def test_every_program_explains_itself(self):
        for name in PROGRAMS:
            with self.subTest(name):
                shown = run(harness.BIN / name, "--help")
                self.assertEqual(shown.returncode, 0)
                self.assertIn("--log-level", shown.stdout)
                self.assertEqual(run(harness.BIN / name, "--version").returncode, 0)
                self.assertEqual(run(harness.BIN / name, "--print-config").returncode, 0)

    def test_a_mistyped_option_is_refused_with_the_nearest_known_one(self):
        for name in PROGRAMS:
            with self.subTest(name):
                refused = run(harness.BIN / name, "--log-levle", "debug")
                self.assertEqual(refused.returncode, 2)
                self.assertIn("log-level", refused.stderr)


if __name__ == "__main__":
    unittest.main()
