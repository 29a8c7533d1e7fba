"""liblogmill against a real broker: the example program, and a broker that is not there."""
import subprocess
import unittest

import harness


class ClientLibrary(harness.Case):
    def test_the_example_program_delivers_every_record_it_logged(self):
        world = self.world(migrate=False)
        p = subprocess.run([str(harness.BIN / "logmill-example"), world.servers.brokers, world.prefix], capture_output=True,
                           text=True, timeout=60)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.assertIn("accepted 11, delivered 11, dropped 0", p.stdout)
        keys = world.consume(world.topic("raw"), fmt="%k %p\\n").decode().split("\n")[:-1]
        self.assertEqual(len(keys), 10)
        self.assertEqual(len(set(keys)), 1, "one client is one stream: one key, one partition")
        self.assertRegex(keys[0], r"^[0-9a-f]{16} \d+$")
        value = world.consume(world.topic("summary"), fmt="%s")
        self.assertEqual(value[:2], b"\xc3\x01")
        self.assertIn(b"example finished", value)

    def test_an_absent_broker_neither_blocks_logging_nor_closing_beyond_its_deadline(self):
        p = subprocess.run([str(harness.BIN / "logmill-example"), "127.0.0.1:%d" % harness.free_port(), "logs.", "1"], capture_output=True,
                           text=True, timeout=harness.PATIENCE * 15)
        self.assertEqual(p.returncode, 1)
        self.assertIn("accepted 11, delivered 0, dropped 0", p.stdout)
        self.assertIn("not everything was delivered within 1 s", p.stderr)


if __name__ == "__main__":
    unittest.main()
