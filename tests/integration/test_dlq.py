"""logmill-ctl dlq against real servers: what could not be stored is found, put back once its cause is mended, stored exactly
once, and deleted."""
import json
import os
import signal
import subprocess
import time
import unittest

import harness
import ingest


class DeadLetters(ingest.Case):
    def dlq(self, world, *arguments, code=0):
        p = world.ctl("dlq", *arguments, *self.where(world), check=False)
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p

    def where(self, world):
        return ["--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--postgres-url", world.admin_url]

    def list(self, world, *arguments):
        return [json.loads(line) for line in self.dlq(world, "list", "--json", *arguments).stdout.splitlines()]

    def test_from_poison_to_stored_once_and_deleted(self):
        world = self.world(partitions=2)
        topic = world.topic("raw")
        letters = topic + ".dlq"
        world.rows("alter table logmill.logs_raw add constraint mood check (message not like 'evil%')")
        old = int((time.time() - 40 * 86400) * 1e6)
        poison = [b'{"message":"evil","source":7,"sequence":5}', b'{"message":"old \\u001b[31m","timestamp":%d}' % old,
                  b"\x1b]0;title\x07 no record", b'{"message":""}']
        for i, value in enumerate(poison):
            ingest.produce(world, topic, value, key="k%d" % i, headers=[("x-trace", "t%d" % i)], partition=i % 2)
        self.produce_source(world, 6)                       # the stream of the first goes on
        # All there is at once: a partition that starts over for the refused one sends letters that are unconfirmed again.
        consumer = self.start(world)
        self.wait_for_offsets(world, 5)
        self.assertEqual(world.value("select string_agg(message, ',') from logmill.logs"), "good 6")

        # What there is, and which of it.
        found = self.list(world)
        self.assertEqual(sorted(l["class"] for l in found), ["constraint", "no_message", "not_a_record", "time_window"],
                         [l["error"] for l in found])
        by_class = {l["class"]: l for l in found}
        evil = by_class["constraint"]
        self.assertEqual((evil["record"]["topic"], evil["record"]["partition"], evil["record"]["offset"]), (topic, 0, 0))
        self.assertEqual(evil["sqlstate"], "23514")
        self.assertEqual([by_class[c]["attempts"] for c in ("no_message", "not_a_record")], ["1", "1"])
        count = self.dlq(world, "list", "--count", "--topic", "raw").stdout.splitlines()
        self.assertEqual(len(count), 4)
        self.assertTrue(all(line.split()[0] == "1" and line.split()[3] == topic for line in count), count)
        self.assertEqual(len(self.list(world, "--class", "time_window,no_message")), 2)
        self.assertEqual(len(self.list(world, "--limit", 3)), 3)
        self.assertEqual([l["class"] for l in self.list(world, topic + "/0@0")], ["constraint"])
        self.assertEqual(len(self.list(world, topic + "/0@0-")), 2)
        self.assertEqual(len(self.list(world, "%s/%d" % (letters, evil["partition"]))),
                         sum(l["partition"] == evil["partition"] for l in found))
        self.assertEqual(self.list(world, "--since", "1h"), found)
        self.assertEqual(self.list(world, "--until", "1h"), [])
        self.assertEqual(self.list(world, "--since", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))), [])
        self.assertEqual(len(self.list(world, "--since", "1h", "--time-of=record")), 4)
        for wrong in (["list", "raw/x"], ["list", "--since", "yesterday"], ["show", "raw"], ["nothing"], ["purge"],
                      ["purge", "--before", "1h", "--class", "x"], ["purge", "--before", "1h", "raw/0@5"]):
            self.dlq(world, *wrong, code=2)
        self.dlq(world, "list", "no.such.topic", code=1)
        self.dlq(world, "show", letters + "/0@999", code=1)

        # For eyes: nothing of a record reaches the terminal as a control character.
        text = self.dlq(world, "list").stdout
        self.assertEqual(len(text.splitlines()), 4)
        self.assertIn("\\x1B]0;title\\x07 no record", text)
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f]")
        place = lambda l: "%s/%d@%d" % (l["topic"], l["partition"], l["offset"])
        whole = self.dlq(world, "show", place(by_class["time_window"]), place(by_class["not_a_record"])).stdout
        self.assertNotRegex(whole, "[\x00-\x09\x0b-\x1f\x7f]")
        for part in ("x-trace: t1", "dlq.offset: 0", "6b 31", '"message":"old', "1b 5d 30 3b", "cannot be decoded", "|.]0;title."):
            self.assertIn(part, whole)
        shown = json.loads(self.dlq(world, "show", "--json", place(evil)).stdout)
        self.assertEqual(bytes.fromhex(shown["value"]), poison[0])
        self.assertEqual(bytes.fromhex(shown["key"]), b"k0")
        self.assertIn(["x-trace", "t0"], shown["headers"])
        self.assertEqual(shown["decoded"]["sequence"], 5)

        # What would be done; the cause of two is mended.
        self.assertIn("4 letters would be put back", self.dlq(world, "replay", "--dry-run").stdout)
        self.assertEqual(ingest.stored(world), 5)
        world.rows("alter table logmill.logs_raw drop constraint mood")
        self.assertEqual(consumer.terminate(), 0)
        self.start(world, "--window-raw-past=100d")
        self.assertIn("4 letters put back", self.dlq(world, "replay").stdout)
        self.wait_for_offsets(world, 9)
        self.assertEqual(world.rows("select message from logmill.logs order by 1"), [["evil"], ["good 6"], ["old \x1b[31m"]])
        self.assertEqual(world.value("select count(*) from logmill.ingest_replay"), "2")
        # The message's own headers and its key are still there; its origin names it.
        back = world.consume(topic, fmt="%k|%h\\n").decode()
        self.assertRegex(back, r"k0\|x-trace=t0,dlq.topic=%s,dlq.partition=0,dlq.offset=0," % topic)

        # Those refused again: a letter each, attempts raised, their first origin kept.
        again = [l for l in self.list(world) if l["attempts"] == "2" and l["class"] != "constraint"]
        self.assertEqual(sorted((l["class"], l["record"]["partition"], l["record"]["offset"]) for l in again),
                         [("no_message", 1, 1), ("not_a_record", 0, 1)])

        # Put back before: skipped. Put back all the same: a repeat, dropped.
        p = self.dlq(world, "replay", "--class", "time_window,constraint")
        self.assertIn("0 letters put back, 2 were put back before", p.stdout)
        self.assertIn("2 letters put back", self.dlq(world, "replay", "--again", "--class=time_window,constraint").stdout)
        self.assertIn("1 letters put back", self.dlq(world, "replay", "--limit", 1).stdout)   # of those refused again
        self.wait_for_offsets(world, 12)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "3")
        ingest.check_rollups(self, world)

        # Deleted: only when asked for, and only a beginning.
        total = len(self.list(world))
        self.assertIn("no letters", self.dlq(world, "purge", "--before", "1h", "--yes").stdout)
        self.assertIn("--yes deletes", self.dlq(world, "purge", "--before", "0s").stdout)
        self.dlq(world, "purge", "--before", "0s", "--yes", "--dry-run")
        self.assertEqual(len(self.list(world)), total)
        self.assertIn("deleted", self.dlq(world, "purge", "--before", "0s", "--yes", letters + "/0").stdout)
        left = self.list(world)
        self.assertTrue(left and all(l["partition"] == 1 for l in left) or not left, left)
        self.dlq(world, "purge", "--before", "0s", "--yes", "raw")
        self.assertEqual(self.list(world), [])
        self.assertEqual(world.value("select count(*) from logmill.dlq_replay"), "0")

    def test_put_back_at_once_into_more_partitions_or_interrupted_stored_once(self):
        world = self.world(partitions=2)
        topic = world.topic("raw")
        count = 1000000 if harness.LONG else 24000
        self.start(world, "--window-training-past=1d", "--window-raw-past=1h")
        old = int((time.time() - 86400) * 1e6)
        for partition in (0, 1):
            lines = b"".join(b'key\t{"message":"m %d","timestamp":%d,"source":%d,"sequence":%d}\n' % (i, old, partition, i + 1)
                             for i in range(partition, count, 2))
            subprocess.run(["kcat", "-b", world.servers.brokers, "-P", "-t", topic, "-p", str(partition), "-K", "\t"], input=lines,
                           check=True, timeout=300)
        # A producer sends a dead letter's likeness: headers that only look so take part in nothing.
        ingest.produce(world, topic, b'{"message":"forged","timestamp":%d,"source":99,"sequence":1}' % old,
                       headers=[("dlq.offset", "x"), ("dlq.topic", "elsewhere"), ("dlq.attempts", "7")])
        self.wait_for_offsets(world, count + 1, 300)
        forged = self.list(world, "--class", "time_window", "%s/0@%d" % (topic, count // 2))
        self.assertEqual([(l["record"]["offset"], l["attempts"]) for l in forged], [(count // 2, "1")])

        # However many: bounded memory.
        p = subprocess.Popen([str(harness.BIN / "logmill-ctl"), "dlq", "list", "--count"] + self.where(world), stdout=subprocess.PIPE)
        out = p.stdout.read().decode()
        p.stdout.close()
        peak = os.wait4(p.pid, 0)[2].ru_maxrss
        p.returncode = 0
        self.assertEqual(out.split()[0], str(count + 1), out)
        self.assertLess(peak, 400000 if "asan" in str(harness.BIN) else 96000)

        # The window is wider; more partitions; two put back the same letters at the same time, one of them interrupted.
        ingest.kafka_admin(world, "add-partitions", topic, 4)
        for program in world.programs:
            self.assertEqual(program.terminate(), 0)
        consumers = [self.start(world, "--window-raw-past=7d", "--kafka=topic.metadata.refresh.interval.ms=1000") for _ in range(2)]
        replay = [str(harness.BIN / "logmill-ctl"), "dlq", "replay", "--again"] + self.where(world)
        first = subprocess.Popen(replay, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        second = subprocess.Popen(replay, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_until(lambda: world.value("select count(*) from logmill.dlq_replay") != "0", 60)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=300)
        self.assertIn(first.returncode, (0, 1), err)
        if first.returncode == 1:
            self.assertIn("interrupted in", err)
            self.assertIn("goes on", err)
        noted = int(world.value("select sum(last_offset - first_offset + 1) from logmill.dlq_replay"))
        out, err = second.communicate(timeout=600)
        self.assertEqual(second.returncode, 0, err)
        self.assertIn("%d letters put back" % (count + 1), out)
        self.assertGreaterEqual(noted, 1)
        self.assertIn("0 letters put back, %d were" % (count + 1), self.dlq(world, "replay").stdout)
        self.wait_until(lambda: world.value("select count(*) from logmill.ingest_replay") == str(count + 1), 300)
        self.wait_until(lambda: sum(c.metric("logmill_consumer_lag_records") for c in consumers) == 0, 60)
        self.assertEqual(world.value("select count(*) from logmill.logs"), str(count + 1))
        self.assertEqual(world.value("select count(distinct message) from logmill.logs"), str(count + 1))
        self.assertEqual(len(self.list(world, "--until", "0s", "--limit", 1)), 1)
        self.assertEqual(ingest.dead_letters(world), count + 1)
        ingest.check_rollups(self, world)

    def test_gaps_at_the_end_hold_nothing_up_and_times_are_kept(self):
        world = self.world(partitions=3)
        topic = world.topic("raw")
        self.start(world)
        ago = int(time.time() - 3600) * 1000
        for _ in range(3):
            ingest.kafka_admin(world, "produce", topic, 0, "empty", "k", "at:%d" % ago)
        self.wait_for_offsets(world, 3)
        found = self.list(world)
        self.assertEqual(len(found), 3)
        self.assertEqual(len(self.list(world, "--until", "30m", "--time-of=record")), 3)
        self.assertEqual(self.list(world, "--since", "30m", "--time-of=record"), [])
        # All of a partition deleted; its end is where nothing lies.
        ingest.delete_records(world, topic + ".dlq", found[0]["partition"], -1)
        self.assertEqual([l for l in self.list(world) if l["partition"] == found[0]["partition"]], [])

        # A letter made by hand: a transaction's markers lie behind it, and its record has no time of its own.
        ingest.kafka_admin(world, "produce", topic + ".dlq", 2, '{"message":"timeless"}', "k", "dlq.topic=" + topic, "dlq.partition=0",
                           "dlq.offset=900", "dlq.timestamp=%d" % ago)
        ingest.kafka_admin(world, "transaction", topic + ".dlq", 2, 3, "abort")
        self.assertEqual(len(self.list(world, topic + ".dlq/2")), 1)
        self.assertIn("1 letters put back", self.dlq(world, "replay", topic + ".dlq/2").stdout)
        self.wait_until(lambda: world.value("select count(*) from logmill.logs") == "1")
        self.assertEqual(world.value("select (extract(epoch from created_at) * 1000)::bigint from logmill.logs"), str(ago))

    def produce_source(self, world, sequence):
        ingest.produce(world, world.topic("raw"), b'{"message":"good %d","source":7,"sequence":%d}' % (sequence, sequence), key="k0")


if __name__ == "__main__":
    unittest.main()
