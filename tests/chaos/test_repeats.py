"""Producers that send again (design.md 3): whole batches from an old position, interleaved from many sources, while consumers are
killed and rebalanced; compared with a model to the record. And every condition the promise rests on, broken."""
import json
import os
import random
import subprocess
import sys
import time
import unittest

import harness
import ingest

PARTITIONS = 4
SOURCES = 100000 if harness.LONG else 20000


class Stream:
    """One ordered stream: its records are numbered from 1, and what was sent may be sent again."""

    def __init__(self, rng):
        self.source = rng.getrandbits(64) - 2 ** 63
        self.partition = self.source % PARTITIONS
        self.step = rng.choice((1, 1, 1, 7, 2 ** 40))       # file offsets are no counters
        self.sent = 0

    def record(self, n):
        sequence = -2 ** 62 + n * self.step
        return b'{"message":"%d:%d","source":%d,"sequence":%d}' % (self.source, sequence, self.source, sequence)

    def next(self, rng, most):
        """A few new records; one time in three they come behind a batch sent again from an old position."""
        first = self.sent - rng.randrange(self.sent + 1) if rng.random() < 1 / 3 else self.sent
        self.sent += rng.randint(1, most)
        return [self.record(n) for n in range(first + 1, self.sent + 1)]


def interleave(rng, streams, rounds, most):
    """The log of each partition: batches of the streams in any order, each stream in its own."""
    logs = [[] for _ in range(PARTITIONS)]
    for _ in range(rounds):
        rng.shuffle(streams)
        for stream in streams:
            logs[stream.partition] += stream.next(rng, most)
    return logs


class Repeats(harness.Case):
    def start(self, world, *arguments, **options):
        consumer = world.start("logmill-consumer", "--kafka=session.timeout.ms=6000", "--kafka=heartbeat.interval.ms=500",
                               *arguments, **options)
        self.addCleanup(lambda: consumer.running() and self.assertEqual(consumer.terminate(), 0, consumer.log()[-3000:]))
        return consumer

    def send(self, world, partition, lines):
        subprocess.run(["kcat", "-b", world.servers.brokers, "-P", "-t", world.topic("raw"), "-p", str(partition), "-X",
                        "enable.idempotence=true"], input=b"\n".join(lines) + b"\n", check=True, capture_output=True, timeout=120)

    def test_sent_again_from_many_sources_while_consumers_are_killed(self):
        seed = int(os.environ.get("LOGMILL_TEST_SEED", random.getrandbits(32)))
        print("seed %d" % seed, file=sys.stderr)
        rng = random.Random(seed)
        world = self.world(partitions=PARTITIONS)
        streams = [Stream(rng) for _ in range(SOURCES)]
        logs = interleave(rng, streams, 5 if harness.LONG else 2, 2)
        total = sum(len(log) for log in logs)
        # Far more producers than memory may hold; small batches, so that kills meet many boundaries.
        options = ("--sources-max=%d" % (SOURCES // 4), "--batch-rows=700")
        consumers = [self.start(world, *options), self.start(world, *options, ready=False)]
        for piece in range(5):
            for partition, log in enumerate(logs):
                self.send(world, partition, log[len(log) * piece // 5:len(log) * (piece + 1) // 5])
            if piece < 4:
                ingest.pause(rng, 0.1, 1.0)
                i = rng.randrange(2)
                self.wait_until(consumers[i].log)           # before it knows of signals, they just end it
                if rng.random() < 0.7:
                    consumers[i].kill()
                else:
                    self.assertEqual(consumers[i].terminate(), 0)
                consumers[i] = self.start(world, *options, ready=False)
        self.wait_until(lambda: ingest.stored(world) >= total, 240 if harness.LONG else 90, "all %d records" % total)
        self.assertEqual(ingest.stored(world), total)

        expected = {b"%d:%d" % (s.source, -2 ** 62 + n * s.step) for s in streams for n in range(1, s.sent + 1)}
        stored = [r[0].encode() for r in world.rows("select message from logmill.logs")]
        self.assertEqual(len(stored), len(set(stored)), "stored twice")
        missing, surplus = expected - set(stored), set(stored) - expected
        self.assertEqual((len(missing), len(surplus)), (0, 0), "lost: %s" % sorted(missing)[:5])
        self.assertEqual(world.value("""select count(*) from (select split_part(message, ':', 2)::bigint as n,
            lag(split_part(message, ':', 2)::bigint) over (partition by split_part(message, ':', 1) order by kafka_offset) as before
            from logmill.logs) o where n <= before"""), "0", "out of order within a stream")
        self.assertEqual(world.value("select count(*) from logmill.ingest_source"), str(SOURCES))
        self.assertEqual(ingest.dead_letters(world), 0)
        ingest.check_rollups(self, world)

    # ---- what the promise rests on, broken ----

    def messages(self, world, prefix):
        return [r[0] for r in world.rows("select message from logmill.logs where message like '%s%%' order by kafka_partition, "
                                         "kafka_offset" % prefix)]

    def put(self, world, partition, *records):
        self.send(world, partition, [json.dumps(r).encode() for r in records])
        self.total += len(records)

    def test_what_happens_where_a_condition_is_broken(self):
        world = self.world(partitions=2)
        self.total = 0
        consumer = self.start(world, "--source-expiry=1h")
        record = lambda name, source, sequence: dict(message=name, source=source, sequence=sequence)
        all_stored = lambda: self.wait_until(lambda: ingest.stored(world) == self.total, 30)

        # The clock of a producer's partition: its last record was two hours ago, others have moved the partition on since.
        ago = int((time.time() - 7200) * 1000)
        for _ in range(2):
            ingest.kafka_admin(world, "produce", world.topic("raw"), 0, json.dumps(record("expired", 6, 1)), "", "at:%d" % ago)
        ingest.kafka_admin(world, "produce", world.topic("raw"), 0, json.dumps(record("young", 8, 1)), "", "at:%d" % (ago + 6900000))
        self.total += 3

        # An id used for other records: what is not above its last sequence is taken for a repeat, and lost.
        self.put(world, 0, record("id-a1", 1, 10), record("id-a2", 1, 20), record("id-b1", 1, 5), record("id-b2", 1, 20),
                 record("id-b3", 1, 21))
        # The same id elsewhere (another partition, another topic) is another stream.
        self.put(world, 1, record("id-c1", 1, 5))
        # A sequence that goes back.
        self.put(world, 0, record("back-1", 2, 100), record("back-2", 2, 99), record("back-3", 2, 101))
        # Passed over: 2 failed while 3 got through. Under its own source it is lost, under a new one stored.
        self.put(world, 0, record("over-1", 3, 1), record("over-3", 3, 3), record("over-2", 3, 2), record("over-2 anew", 30, 2))
        # Keys re-mapped by more partitions: what is sent again goes elsewhere, and is stored twice.
        self.put(world, 0, record("moved", 4, 1))
        self.put(world, 1, record("moved", 4, 1))
        # Without the two, or with only one of them: as often as sent.
        for half in ({}, {"source": 5}, {"sequence": 5}):
            self.put(world, 0, dict(message="plain", **half), dict(message="plain", **half))
        # A bad record sent again is a repeat too: one letter, or both would be stored when they are put back.
        self.put(world, 0, record("", 7, 1), record("", 7, 1), record("after", 7, 2), record("", 7, 1))
        all_stored()
        self.assertEqual(self.messages(world, "id-"), ["id-a1", "id-a2", "id-b3", "id-c1"])
        self.assertEqual(self.messages(world, "back-"), ["back-1", "back-3"])
        self.assertEqual(self.messages(world, "over-"), ["over-1", "over-3", "over-2 anew"])
        self.assertEqual(self.messages(world, "moved"), ["moved"] * 2)
        self.assertEqual(self.messages(world, "plain"), ["plain"] * 6)
        self.assertEqual(self.messages(world, "after"), ["after"])
        self.assertEqual(ingest.dead_letters(world), 1)
        self.assertEqual(self.messages(world, "expired"), ["expired"])
        # Nothing of it is silent: repeats are counted.
        self.wait_until(lambda: consumer.metric("logmill_consumer_repeats_total") == 7)

        # Forgotten after source_expiry in Kafka's time, first ten seconds after the start: sent again then, stored twice.
        self.wait_until(lambda: world.value("select count(*) from logmill.ingest_source where source = 6") == "0", 40)
        self.assertEqual(world.value("select count(*) from logmill.ingest_source where source = 8"), "1")
        self.put(world, 0, record("expired", 6, 1))         # the consumer that has seen it still knows it
        all_stored()
        self.assertEqual(self.messages(world, "expired"), ["expired"])
        self.assertEqual(consumer.terminate(), 0)
        self.start(world, "--source-expiry=1h")
        self.put(world, 0, record("expired", 6, 1), record("young", 8, 1))
        all_stored()
        self.assertEqual(self.messages(world, "expired"), ["expired"] * 2)
        self.assertEqual(self.messages(world, "young"), ["young"])


if __name__ == "__main__":
    unittest.main()
