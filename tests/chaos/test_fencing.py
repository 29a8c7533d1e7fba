"""Who lost a partition, stopped in the middle of a batch or sits on a lock harms nobody: the compare-and-set fences it off."""
import os
import random
import signal
import subprocess
import threading
import unittest

import harness
import ingest

RECORDS = 600000 if harness.LONG else 150000
ROUNDS = 12 if harness.LONG else 4


class Fencing(harness.Case):
    def setUp(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d" % seed, flush=True)
        self.dice = random.Random(seed)

    def start(self, world, *arguments):
        return world.start("logmill-consumer", "--kafka=session.timeout.ms=6000", "--kafka=heartbeat.interval.ms=500", *arguments, ready=False)

    def feed(self, world, seconds):
        feeder = threading.Thread(target=ingest.generate, args=(world, RECORDS), kwargs=dict(sources=40, rate=RECORDS // seconds))
        feeder.start()
        self.addCleanup(feeder.join)
        return feeder

    def finish(self, world, feeder):
        feeder.join()
        self.start(world)
        harness.wait_until(lambda: ingest.stored(world) == RECORDS, 90, "all records committed")
        ingest.check_exactly_once(self, world, RECORDS)
        self.assertEqual(ingest.dead_letters(world), 0)

    def test_a_consumer_stopped_past_its_session_is_fenced_when_it_wakes(self):
        world = self.world()
        feeder = self.feed(world, 25)
        zombie, heir = self.start(world), self.start(world)
        harness.wait_until(lambda: ingest.stored(world) > 0, 30)
        ingest.pause(self.dice, 0, 1)
        for victim in (zombie, heir):
            os.kill(victim.process.pid, signal.SIGSTOP)
            ingest.pause(self.dice, 8, 9)                   # its session runs out, the other takes its partitions over
            os.kill(victim.process.pid, signal.SIGCONT)
            ingest.pause(self.dice, 1, 2)
        self.finish(world, feeder)

    def test_consumers_that_come_and_go_share_the_work_without_loss(self):
        world = self.world()
        feeder = self.feed(world, 4 * ROUNDS)
        running = [self.start(world)]
        for _ in range(ROUNDS):
            ingest.pause(self.dice, 1, 2)
            running.append(self.start(world))
            ingest.pause(self.dice, 1, 2)
            gone = running.pop(self.dice.randrange(len(running)))
            self.assertEqual(gone.terminate(), 0)
        self.finish(world, feeder)

    def test_a_stopped_consumer_that_holds_a_partitions_lock_is_disconnected(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        consumer = self.start(world, "--lock-timeout=500ms")
        ingest.generate(world, 100, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == 100, 30)
        holder = subprocess.Popen(["psql", world.url("logmill_writer"), "-qX"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env=dict(os.environ, PGAPPNAME="logmill-consumer"))
        holder.stdin.write(b"update logmill.ingest_offset set backend_pid = pg_backend_pid() where topic = '%s';\n"
                           b"begin; select 1 from logmill.ingest_offset for update;\n" % topic.encode())
        holder.stdin.flush()
        harness.wait_until(lambda: world.value("select count(*) from pg_stat_activity where state = 'idle in transaction'") == "1", 10)
        ingest.generate(world, 300, first=100, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == 300, 30, "the lock is broken")
        holder.stdin.close()
        holder.wait(10)
        self.assertIn("55P03", consumer.get("/metrics")[1])
        ingest.check_exactly_once(self, world, 300, partitions=1)


if __name__ == "__main__":
    unittest.main()
