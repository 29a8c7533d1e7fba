"""logmill-ship against real servers: what arrives, what its exit code says, and that every line is stored once."""
import csv
import json
import os
import random
import re
import subprocess
import time
import unittest
from pathlib import Path

import harness
import record


class Ship(harness.Case):
    def records(self, world, category="raw"):
        return record.of_topic(world, world.topic(category))

    def file(self, world, name, data):
        path = Path(world.directory) / name
        path.write_bytes(data)
        return path

    def shipped(self, world, *arguments, code=0, **options):
        program = world.ship(*arguments, **options)
        self.assertEqual(program.process.returncode, code, program.log())
        return program


class StandardInput(Ship):
    def test_plain_lines_arrive_in_order_with_what_was_said_of_them(self):
        world = self.world(migrate=False)
        self.shipped(world, "--service", "try", "--environment", "test", "--tags", "a,b", "--host", "h1",
                     stdin="hello\n\n  indented\nlast, without an end: 끝".encode())
        found = self.records(world)
        self.assertEqual([r["message"] for r in found], ["hello", "  indented", "last, without an end: 끝"])
        for r in found:
            self.assertEqual((r["service"], r["environment"], r["host"], r["tags"], r["level"], r["category"]),
                             ("try", "test", "h1", ["a", "b"], "INFO", "raw"))
            self.assertLess(abs(r["timestamp"] / 1e6 - time.time()), 60)
        self.assertEqual(len({r["source"] for r in found}), 1)
        self.assertEqual([r["sequence"] for r in found], [6, 18, 18 + len("last, without an end: 끝".encode())])
        self.assertEqual({r["key"] for r in found}, {"%016x" % (found[0]["source"] % 2**64)})

    def test_json_lines_keep_their_fields_and_what_is_no_record_is_its_own_message(self):
        world = self.world(migrate=False)
        lines = [{"timestamp": "2026-11-21 09:04:44.613 UTC", "pid": 7, "error_severity": "FATAL", "message": "the database system is shutting down",
                  "dbname": "logmill"},
                 {"timestamp": "2026-11-21T09:49:16.686029Z", "level": "WARN", "service": "logmill-agent", "component": "pool",
                  "metadata": {"pid": 27165}, "message": "own log"},
                 {"log": "from docker\n", "stream": "stderr", "time": "2023-01-29T08:48:42.425293566Z"},
                 {"__REALTIME_TIMESTAMP": "1795251884613000", "PRIORITY": "3", "MESSAGE": "from journald", "SYSLOG_IDENTIFIER": "sshd"},
                 {"no": "message"}]
        self.shipped(world, "--service", "try", stdin="\n".join(map(json.dumps, lines)).encode() + b'\n{"cut\n')
        found = self.records(world)
        self.assertEqual([r["message"] for r in found], [lines[0]["message"], "own log", "from docker", "from journald",
                                                       '{"no": "message"}', '{"cut'])
        self.assertEqual([r["level"] for r in found[:2]], ["FATAL", "WARN"])
        self.assertEqual([r["service"] for r in found[:2]], ["try", "logmill-agent"])
        self.assertEqual(found[0]["timestamp"], 1795251884613000)
        self.assertEqual(found[0]["metadata"], {"pid": 7, "dbname": "logmill"})
        self.assertEqual(found[1]["metadata"]["pid"], 27165)
        self.assertEqual(found[2]["timestamp"], 1674982122425293)
        self.assertEqual((found[3]["timestamp"], found[3]["level"], found[3]["service"]), (1795251884613000, "ERROR", "sshd"))

    def test_stack_traces_belong_to_the_record_before_them(self):
        world = self.world(migrate=False)
        text = (b"[2026-11-21 09:04:43,479] [main] [INFO] kafka.server.BrokerServer - [BrokerServer id=1] Transition\n"
                b"[2026-11-21 09:04:44,000] [main] [ERROR] kafka.server.KafkaServer - Fatal error\n"
                b"java.io.IOException: disk full\n\tat a.B.c(B.java:1)\nCaused by: java.lang.Error: x\n\t... 3 more\n"
                b"[2016-12-19 16:04:03,213] WARN Rolled new log segment (kafka.log.Log)\n")
        self.shipped(world, "--utc", stdin=text)
        info, error, warn = self.records(world)
        self.assertEqual((info["level"], info["component"], info["module"], info["message"], info["timestamp"]),
                         ("INFO", "kafka.server.BrokerServer", "main", "[BrokerServer id=1] Transition", 1795251883479000))
        self.assertEqual((error["level"], error["message"], error["error_type"]), ("ERROR", "Fatal error", "java.io.IOException"))
        self.assertEqual(error["stack_trace"].split("\n")[0], "java.io.IOException: disk full")
        self.assertTrue(error["stack_trace"].endswith("... 3 more"))
        self.assertEqual((warn["level"], warn["component"], warn["message"]), ("WARN", "kafka.log.Log", "Rolled new log segment"))

    def test_bytes_that_are_no_text_are_repaired_and_a_long_line_comes_in_pieces(self):
        world = self.world(migrate=False)
        long_line = ("가" * 1000).encode()
        self.shipped(world, "--max-record", "1024", stdin=b"a\xffb\x00c\n" + long_line + b"\n\r \r\nend\n")
        found = [r["message"] for r in self.records(world)]
        self.assertEqual(found[0], "a\ufffdb\ufffdc")
        self.assertEqual("".join(found[1:-1]), "가" * 1000)
        self.assertTrue(all(len(m.encode()) <= 1024 for m in found))
        self.assertEqual(found[-1], "end")

    def test_a_megabyte_of_bad_bytes_still_fits_a_message(self):
        world = self.world(migrate=False)
        self.shipped(world, stdin=b"\xff" * (1 << 20) + b"\n" + b"\0" * 600000)
        self.assertEqual(sum(len(r["message"]) for r in self.records(world)), (1 << 20) + 600000)

    def test_the_category_decides_the_topic(self):
        world = self.world(migrate=False)
        for category in harness.CATEGORIES:
            self.shipped(world, "--category", category, stdin=b"of " + category.encode())
        for category in harness.CATEGORIES:
            self.assertEqual([(r["message"], r["category"]) for r in self.records(world, category)], [("of " + category, category)])

    def test_standard_input_may_be_a_file_dev_null_closed_or_a_terminal(self):
        world = self.world(migrate=False)
        command = [str(harness.BIN / "logmill-ship"), "--brokers", world.servers.brokers, "--topic-prefix", world.prefix]
        path = self.file(world, "in.log", b"one\ntwo\n")
        for redirect in ("<" + str(path), "</dev/null", "<&-"):
            p = subprocess.run(["sh", "-c", '"$@" ' + redirect, "sh"] + command, capture_output=True, timeout=60)
            self.assertEqual(p.returncode, 0, p.stderr)
        p = subprocess.run(["script", "-qec", " ".join(command), "/dev/null"], input=b"typed\n\x04", capture_output=True, timeout=60)
        self.assertEqual(p.returncode, 0, p.stdout)
        self.assertEqual(sorted(r["message"] for r in self.records(world)), ["one", "two", "typed"])

    def test_sigterm_sends_what_came_through_the_pipe_and_exits_0(self):
        world = self.world(migrate=False)
        program = world.start("logmill-ship", ready=False, stdin=subprocess.PIPE)
        program.process.stdin.write(b"complete\nincomplete")
        program.process.stdin.flush()
        self.wait_until(lambda: self.records(world), what="the complete line")
        self.assertEqual(program.terminate(), 0, program.log())
        self.assertEqual([r["message"] for r in self.records(world)], ["complete", "incomplete"])


class ExitCodes(Ship):
    def test_an_unreachable_broker_is_1_after_the_delivery_timeout_and_said_so(self):
        world = self.world(migrate=False, topics=False)
        begin = time.monotonic()
        program = self.shipped(world, "--brokers", "127.0.0.1:%d" % harness.free_port(), "--delivery-timeout", "2s", stdin=b"x\n", code=1)
        self.assertLess(time.monotonic() - begin, 60)
        self.assertIn("giving up with 1 record", program.log())
        self.assertIn("reachable", program.log())

    def test_a_topic_that_does_not_exist_is_1_and_named(self):
        world = self.world(migrate=False, topics=False)
        program = self.shipped(world, "--kafka-topic-metadata-propagation-max-ms", "1000", stdin=b"x\ny\n", code=1)
        self.assertIn(world.prefix + "raw does not exist: create it", program.log())

    def test_a_file_without_a_topic_is_sent_again_under_the_same_source_once_it_has_one(self):
        world = self.world(migrate=False, topics=False)
        path = self.file(world, "a.log", b"one\ntwo\n")
        options = ["--kafka-topic-metadata-propagation-max-ms", "1000", path]
        self.shipped(world, *options, code=1)
        world.ctl("topics", "create", "--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 4)
        self.shipped(world, *options)
        self.assertEqual([r["message"] for r in self.records(world)], ["one", "two"])
        self.assertEqual(json.loads((Path(world.directory) / "logmill-ship.positions").read_text())[0]["generation"], "0" * 16)

    def test_what_is_not_there_or_no_file_is_1_and_wrong_use_is_2(self):
        world = self.world(migrate=False, topics=False)
        self.assertIn("nowhere.log: no such file", self.shipped(world, "/nowhere.log", code=1).log())
        self.assertIn("no regular file", self.shipped(world, "/tmp", code=1).log())
        self.assertIn("categori", self.shipped(world, "--categori", "raw", code=2).log())
        self.assertIn("--positions", self.shipped(world, "--positions", "/proc/nowhere", self.file(world, "a", b"x"), code=1).log())

    def test_a_port_in_use_is_1_and_named(self):
        world = self.world(migrate=False)
        first = world.start("logmill-ship", "--follow", "nothing*.log", "--positions", "first")
        port = first.url.rsplit(":", 1)[1]
        second = self.shipped(world, "--listen", "127.0.0.1:" + port, "--follow", "nothing*.log", code=1)
        self.assertIn(port, second.log())
        self.assertEqual(first.terminate(), 0)

    def test_a_damaged_position_file_is_set_aside(self):
        world = self.world(migrate=False)
        path = self.file(world, "a.log", b"one\n")
        self.file(world, "logmill-ship.positions", b'[{"path":')
        program = self.shipped(world, path)
        self.assertIn("logmill-ship.positions.broken", program.log())
        self.assertEqual(len(self.records(world)), 1)


class Endings(Ship):
    """A handle left open ends with exit code 1 and says so; memory left over does too under AddressSanitizer."""

    def test_sigterm_at_any_moment_ends_cleanly_with_and_without_a_broker(self):
        seed = int(os.environ.get("LOGMILL_TEST_SEED", random.getrandbits(32)))
        print("seed %d" % seed, flush=True)
        rng = random.Random(seed)
        world = self.world(migrate=False)
        path = self.file(world, "a.in", b"[2026-11-21 09:04:43,479] ERROR oops (a.B)\n\tat a.B\n" * 20000)
        absent = ["--brokers", "127.0.0.1:%d" % harness.free_port(), "--stop-timeout", "200ms"]
        for turn in range(24):
            arguments = rng.choice([["--follow", "*.in"], [path], ["--follow", "nothing"], []])
            arguments += ["--positions", rng.choice(["", "p"])] + (absent if turn % 2 else [])
            program = world.start("logmill-ship", *arguments, ready=False, stdin=subprocess.PIPE)
            if len(arguments) < 4:
                program.process.stdin.write(b"a line\n" * 1000 + b"no end")
                program.process.stdin.flush()
            time.sleep(rng.uniform(0, 0.5))
            program.process.terminate()
            if rng.random() < 0.3:
                program.process.terminate()
            code = program.wait(20)
            log = program.log()
            # Before its handlers are in place the signal ends it as it does any program.
            self.assertIn(code, (0, 1, -15), log)
            self.assertTrue(code != -15 or "ready" not in log, log)
            self.assertNotIn("left open", log, "seed %d" % seed)
            self.assertNotIn("Sanitizer", log, "seed %d" % seed)

    def test_a_stop_while_kafka_is_away_keeps_the_source_of_what_was_under_way(self):
        world = self.world(migrate=False)
        path = self.file(world, "a.in", b"one\ntwo\n")
        program = world.start("logmill-ship", "--follow", path, "--brokers", "127.0.0.1:%d" % harness.free_port(), "--stop-timeout", "300ms")
        self.wait_until(lambda: program.metric("logmill_ship_records_total") == 2)
        self.assertEqual(program.terminate(), 1, "not everything has arrived")
        self.assertIn("giving up with 2 records", program.log())
        (position,) = json.loads((Path(world.directory) / "logmill-ship.positions").read_text())
        self.assertEqual((position["offset"], position["generation"]), (0, "0" * 16))
        self.shipped(world, path)
        self.assertEqual([r["message"] for r in self.records(world)], ["one", "two"])

    def test_a_followed_file_waits_for_its_topic_and_goes_on_when_it_appears(self):
        world = self.world(migrate=False, topics=False)
        path = self.file(world, "a.in", b"one\ntwo\n")
        program = world.start("logmill-ship", "--follow", path, "--kafka-topic-metadata-propagation-max-ms", "500")
        self.wait_until(lambda: program.get("/readyz")[0] == 503, what="not ready without a topic")
        self.assertIn("does not exist", program.get("/readyz")[1])
        world.ctl("topics", "create", "--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 4)
        self.wait_until(lambda: program.ready() and len(self.records(world)) == 2, 60, "both lines")
        self.assertEqual(program.terminate(), 0, program.log())
        self.assertEqual([(r["message"], r["sequence"]) for r in self.records(world)], [("one", 4), ("two", 8)])


class Files(Ship):
    def test_a_file_is_one_source_and_its_sequences_are_where_records_end(self):
        world = self.world(migrate=False)
        path = self.file(world, "shop.cart.log", b"one\ntwo\nthree")
        self.shipped(world, path)
        self.shipped(world, path)                           # nothing new
        first = self.records(world)
        self.assertEqual([(r["message"], r["sequence"]) for r in first], [("one", 4), ("two", 8), ("three", 13)])
        self.assertEqual({r["service"] for r in first}, {"shop.cart"})
        self.assertEqual(first[0]["metadata"], {"file": str(path)})
        os.remove(Path(world.directory) / "logmill-ship.positions")
        self.shipped(world, path)
        again = self.records(world)
        self.assertEqual(len(again), 6)
        self.assertEqual({(r["message"], r["source"], r["sequence"]) for r in again},
                         {(r["message"], r["source"], r["sequence"]) for r in first}, "derived again: the same")

    def test_the_format_is_that_of_the_files_first_line_wherever_reading_goes_on(self):
        world = self.world(migrate=False)
        path = self.file(world, "a.log", b"[2026-11-21 09:04:43,479] ERROR first (a.B)\n")
        self.shipped(world, "--utc", path)
        with open(path, "ab") as f:
            f.write(b"\tat late.Frame\n[2026-11-21 09:04:44,479] ERROR second (a.B)\n\tat a.B\n")
        self.shipped(world, "--utc", path)
        self.assertEqual([(r["message"], r["stack_trace"]) for r in self.records(world)],
                         [("first", None), ("\tat late.Frame", None), ("second", "\tat a.B")])

    def test_globs_take_files_and_leave_folders_and_empty_files(self):
        world = self.world(migrate=False)
        self.file(world, "a.in", b"a\n")
        self.file(world, "b.in", b"b\n")
        self.file(world, "[c].in", b"c\n")
        self.file(world, "empty.in", b"")
        (Path(world.directory) / "folder.in").mkdir()
        os.symlink("a.in", Path(world.directory) / "link.in")
        self.shipped(world, "*.in", "[c].in", "a.in")
        self.assertEqual(sorted(r["message"] for r in self.records(world)), ["a", "b", "c"])

    def test_a_file_name_that_is_no_text_keeps_nothing_back(self):
        world = self.world(migrate=False)
        path = os.path.join(os.fsencode(world.directory), b"caf\xe9.log")
        Path(os.fsdecode(path)).write_bytes(b"x\n")
        self.shipped(world, os.fsdecode(path))
        self.assertEqual([(r["message"], r["service"]) for r in self.records(world)], [("x", "caf?")])

    def test_followed_files_that_appear_grow_and_are_renamed_lose_and_double_nothing(self):
        world = self.world(migrate=False)
        folder = Path(world.directory)
        program = world.start("logmill-ship", "--follow", "--poll-interval", "20ms", "app*.log", "later.log")
        written = []

        def write(name, *lines):
            with open(folder / name, "ab") as f:
                f.writelines(line.encode() + b"\n" for line in lines)
            written.extend(lines)
        write("app1.log", "1a", "1b")
        write("later.log", "later")
        self.wait_until(lambda: len(self.records(world)) == 3)
        os.rename(folder / "app1.log", folder / "app1.log.1")   # no longer watched by name
        write("app1.log", "1c, in a new file")
        write("app1.log.1", "1d, into the old one")
        write("app2.log", "2a")
        os.rename(folder / "app2.log", folder / "app3.log")     # still watched
        write("app3.log", "2b")
        self.wait_until(lambda: sorted(r["message"] for r in self.records(world)) == sorted(written), what="every line")
        self.assertEqual(program.terminate(), 0, program.log())
        self.assertEqual(sorted(r["message"] for r in self.records(world)), sorted(written))

    def test_a_file_cut_back_is_read_as_what_it_is_now_and_not_again_after_a_restart(self):
        world = self.world(migrate=False)
        path = self.file(world, "a.log", b"old 1\nold 2\n")
        options = ["--follow", "--poll-interval", "20ms", path]
        program = world.start("logmill-ship", *options)
        self.wait_until(lambda: len(self.records(world)) == 2)
        os.truncate(path, 0)
        with open(path, "ab") as f:
            f.write(b"new 1\n")
        self.wait_until(lambda: len(self.records(world)) == 3, what="the new line")
        with open(path, "r+b") as f:                            # longer than before at the very next look
            f.truncate(0)
            f.write(b"newer, and longer than what was there: 1\n")
        self.wait_until(lambda: len(self.records(world)) == 4, what="the newer line")
        self.assertEqual(program.terminate(), 0)
        program = world.start("logmill-ship", *options)
        with open(path, "ab") as f:
            f.write(b"last\n")
        self.wait_until(lambda: len(self.records(world)) >= 5, what="the last line")
        self.assertEqual(program.terminate(), 0, program.log())
        found = self.records(world)
        self.assertEqual(sorted(r["message"] for r in found),
                         ["last", "new 1", "newer, and longer than what was there: 1", "old 1", "old 2"])
        self.assertEqual(len({r["source"] for r in found}), 3, "three files in one place")

    def test_a_second_shipper_with_the_same_positions_is_refused(self):
        world = self.world(migrate=False)
        path = self.file(world, "a.log", b"x\n")
        program = world.start("logmill-ship", "--follow", path)
        self.assertIn("another logmill-ship uses", self.shipped(world, path, code=1).log())
        self.assertEqual(program.terminate(), 0)

    def test_a_record_sent_because_its_wait_was_over_is_not_joined_after_a_crash(self):
        world = self.world(migrate=False)
        path = self.file(world, "a.log", b"[2026-11-21 09:04:43,479] ERROR first (a.B)\n")
        options = ["--utc", "--follow", "--join-wait", "50ms", "--poll-interval", "20ms", path]
        program = world.start("logmill-ship", *options)
        self.wait_until(lambda: len(self.records(world)) == 1)
        program.kill()
        with open(path, "ab") as f:
            f.write(b"\tat late.Frame\n[2026-11-21 09:04:44,479] INFO second (a.B)\n")
        program = world.start("logmill-ship", *options)
        self.wait_until(lambda: "second" in [r["message"] for r in self.records(world)])
        self.assertEqual(program.terminate(), 0)
        self.assertEqual({r["message"]: r["stack_trace"] for r in self.records(world)},
                         {"first": None, "\tat late.Frame": None, "second": None})


class EveryLineOnce(Ship):
    """Through the real consumer into PostgreSQL."""

    def stored(self, world):
        return tuple(int(n) for n in world.rows("select count(*), count(distinct message) from logmill.logs")[0])

    def test_kill_9_five_times_while_the_file_grows_and_then_its_positions_deleted(self):
        seed = int(os.environ.get("LOGMILL_TEST_SEED", random.getrandbits(32)))
        print("seed %d" % seed, flush=True)
        rng = random.Random(seed)
        world = self.world()
        world.start("logmill-consumer")
        path = self.file(world, "app.log", b"")
        options = ["--follow", "--poll-interval", "20ms", "--queue-records", "500", path]
        positions, total = Path(world.directory) / "logmill-ship.positions", 0
        with open(path, "ab", buffering=0) as f:
            for life in range(7):                               # five killed, one with its positions deleted, the last
                if life == 6:
                    os.remove(positions)
                program = world.start("logmill-ship", *options, ready=False)
                end = time.monotonic() + rng.uniform(0.1, 1.5)
                while time.monotonic() < end:
                    burst = b"".join(b"line %d %s\n" % (total + i, b"x" * rng.randrange(200)) for i in range(rng.randrange(1, 200)))
                    total += burst.count(b"\n")
                    cut = rng.randrange(len(burst))             # a line may be seen half written
                    f.write(burst[:cut])
                    time.sleep(rng.uniform(0, 0.02))
                    f.write(burst[cut:])
                if life == 5:
                    self.wait_until(positions.exists, what="its positions")
                if life < 6:
                    program.kill()
        self.wait_until(lambda: self.stored(world) == (total, total), 60, "%d lines, each once (seed %d)" % (total, seed))
        self.assertEqual(program.terminate(), 0, program.log())
        time.sleep(1)                                           # a repeat that is still on its way would come now
        self.assertEqual(self.stored(world), (total, total), "seed %d" % seed)
        sent = world.consume(world.topic(), fmt="%o\\n").count(b"\n")
        self.assertGreater(sent, total, "nothing was sent twice: the test has shown nothing (seed %d)" % seed)
        self.assertEqual(world.consume(world.topic() + ".dlq"), b"")

    def test_the_brokers_logs_with_their_stack_traces_agree_with_grep(self):
        files = sorted((harness.DATA / "kafka-brokers").glob("*/logs/*"))
        if not files:
            self.skipTest("LOGMILL_DATA_DIR/kafka-brokers is not there")
        world = self.world()
        world.start("logmill-consumer", "--window-training-past", "10000d")
        self.shipped(world, "--utc", "--category", "training", "--service", "kafka", *files, seconds=120)
        expected = int(subprocess.run(["sh", "-c", 'cat "$@" | grep -c "^\\[2016-"', "sh"] + files, capture_output=True, check=True).stdout)
        count = lambda: int(world.value("select count(*) from logmill.logs where category = 'training'"))
        self.wait_until(lambda: count() >= expected, 120, "%d records" % expected)
        self.assertEqual(count(), expected)
        errors = int(subprocess.run(["sh", "-c", 'cat "$@" | grep -c "^\\[2016-[^]]*\\] \\(ERROR\\|FATAL\\) "', "sh"] + files,
                                    capture_output=True, check=True).stdout)
        self.assertEqual(int(world.value("select count(*) from logmill.logs where level >= 'ERROR'")), errors)
        frames = int(subprocess.run(["sh", "-c", 'cat "$@" | grep -c "^[[:space:]]*at "', "sh"] + files, capture_output=True, check=True).stdout)
        self.assertEqual(int(world.value("select coalesce(sum((select count(*) from regexp_matches(stack_trace, '^[ \\t]*at ', 'gn'))), 0)"
                                         " from logmill.logs")), frames, "every frame is in a stack trace")

    def test_nezha_as_plain_lines_agrees_with_grep_and_its_log_column_as_docker_lines_with_csv(self):
        files = sorted((harness.DATA / "nezha").glob("**/*.csv"))
        if not files:
            self.skipTest("LOGMILL_DATA_DIR/nezha is not there")
        world = self.world()
        world.start("logmill-consumer", "--window-training-past", "10000d", "--window-tagged-past", "10000d")
        self.shipped(world, "--format", "plain", "--category", "tagged", *files, seconds=120)
        # A file that ends without a line feed has one line more than wc -l counts; grep counts it.
        plain = sum(int(subprocess.run(["grep", "-c", "", str(path)], capture_output=True, check=True).stdout) for path in files)
        docker = []
        for path in files:
            with open(path, newline="") as f:
                docker += [row["Log"] for row in csv.DictReader(f) if row["Log"].strip()]
        path = self.file(world, "docker.log", "".join(line.rstrip("\n") + "\n" for line in docker).encode())
        self.shipped(world, "--format", "json", "--category", "training", path, seconds=120)
        counts = lambda: {c: int(n) for c, n in world.rows("select category, count(*) from logmill.logs group by 1")}
        self.wait_until(lambda: sum(counts().values()) >= plain + len(docker), 120, "%d and %d" % (plain, len(docker)))
        self.assertEqual(counts(), {"tagged": plain, "training": len(docker)})
        newest = max(json.loads(line)["time"] for line in docker if line.startswith("{"))
        self.assertEqual(world.value("select max(created_at) = '%s'::timestamptz from logmill.logs where category = 'training'"
                                     % re.sub(r"(\.\d{6})\d*", r"\1", newest)), "t", "the time is the line's own")


if __name__ == "__main__":
    unittest.main()
