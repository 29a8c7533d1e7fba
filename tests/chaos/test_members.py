"""Consumers of one group that come, go, are killed, stopped in the middle of a batch and woken again: whoever has lost a partition
is fenced off by the compare-and-set, whoever holds a lock is disconnected, whoever is told to stop hands over at once.

Three Kafka nodes. LOGMILL_CHAOS_SEED repeats a run.
"""
import contextlib
import os
import signal
import subprocess
import threading
import time
import unittest

import cluster
import harness
import ingest

STORM = 60 if harness.LONG else 4                           # joins, one every two seconds
ZOMBIES = 8 if harness.LONG else 1                          # of each kind
RATE = 5000
SESSION = ["--kafka=session.timeout.ms=2000", "--kafka=heartbeat.interval.ms=300"]


@contextlib.contextmanager
def held(world, sql):
    """A lock, until the end of the block."""
    process = subprocess.Popen(["psql", world.admin_url, "-qXAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdin.write("begin; %s; \\echo held\n" % sql)
        process.stdin.flush()
        while process.stdout.readline().strip() != "held":
            assert process.poll() is None
        yield
    finally:
        process.communicate("commit;\n", timeout=20)


OFFSETS = "select 1 from logmill.ingest_offset for update"
LEAVES = "lock table logmill.logs_raw in access exclusive mode"


def connections(world, condition):
    return int(world.value("select count(*) from pg_stat_activity where datname = current_database() and application_name = "
                           "'logmill-consumer' and " + condition))


IN_COPY = "state = 'active' and query like 'BEGIN;COPY%'"
CLOSING = "wait_event_type = 'Lock' and query not like 'BEGIN;COPY%'"
COPIED = "state = 'idle in transaction'"


class Members(cluster.Case):
    def start(self, world, *arguments):
        return world.start("logmill-consumer", *SESSION, *arguments, ready=False)

    def feed(self, world, count, **options):
        feeder = threading.Thread(target=ingest.generate, args=(world, count), kwargs=dict(sources=40, **options))
        feeder.start()
        self.addCleanup(feeder.join)
        return feeder

    def check(self, world, count, partitions=4):
        harness.wait_until(lambda: ingest.stored(world) == count, 90, "all records committed")
        ingest.check_exactly_once(self, world, count, partitions)
        self.assertEqual(ingest.dead_letters(world), 0)

    def fall_asleep(self, world, sleeper, condition, lock):
        """SIGSTOP, once what the sleeper has in PostgreSQL is as wanted."""
        with held(world, lock):
            harness.wait_until(lambda: connections(world, condition), 20, condition)
            sleeper.process.send_signal(signal.SIGSTOP)
            self.addCleanup(sleeper.process.send_signal, signal.SIGCONT)
        harness.wait_until(lambda: connections(world, "wait_event_type = 'Lock'") == 0, 10)

    def test_a_zombie_with_a_batch_in_copy_or_before_its_closing_message_is_fenced(self):
        world = self.world(servers=self.servers, partitions=1)
        large = ["--batch-rows=30000", "--batch-bytes=64MiB", "--batch-age=1s", "--memory=256MiB"]
        sleeper, count = self.start(world, *large), 1000
        ingest.generate(world, count, sources=40, partitions=1)
        for kind in ("copy", "closing") * ZOMBIES:
            harness.wait_until(lambda: ingest.stored(world) == count, 30)
            count += 70000
            more = self.feed(world, count, first=count - 70000, partitions=1)
            if kind == "copy":                              # more than the connection's buffers hold: it stays in COPY
                self.fall_asleep(world, sleeper, IN_COPY, LEAVES)
                harness.wait_until(lambda: connections(world, IN_COPY + " and wait_event = 'ClientRead'") > 0, 20, "all it was sent is read")
            else:                                           # one batch closes, the next has been copied behind it
                self.fall_asleep(world, sleeper, COPIED + " and exists (select from pg_stat_activity b where b.datname = "
                                 "current_database() and b.wait_event_type = 'Lock')", OFFSETS)
                self.assertEqual(connections(world, COPIED), 1)
            heir = self.start(world, *large)
            more.join()
            harness.wait_until(lambda: ingest.stored(world) == count, 40, "the heir has stored all")
            self.assertGreater(connections(world, "xact_start is not null"), 0, "the sleeper's batch is still open")
            sleeper.process.send_signal(signal.SIGCONT)
            harness.wait_until(lambda: connections(world, "xact_start is not null") == 0, 20, "the sleeper gives its batch up")
            self.assertEqual(sleeper.terminate(), 0)
            sleeper = heir
        self.check(world, count, partitions=1)

    def test_a_storm_of_consumers_that_join_and_leave_loses_and_doubles_nothing(self):
        world = self.world(servers=self.servers)
        count = RATE * 2 * STORM
        feeder = self.feed(world, count, rate=RATE)
        running = [self.start(world)]
        for turn in range(STORM):
            next_turn = time.monotonic() + 2
            running.append(self.start(world))
            ingest.pause(self.dice, 0, 1.5)
            gone = running.pop(self.dice.randrange(len(running)))
            harness.wait_until(gone.log, 10)                # before it knows of signals, they just end it
            if turn % 3 == 1:                               # longer than its session: it wakes in the belief that all is its own
                gone.process.send_signal(signal.SIGSTOP)
                ingest.pause(self.dice, 2.2, 3)
                gone.process.send_signal(signal.SIGCONT)
                running.append(gone)
            elif self.dice.random() < 0.5:
                gone.kill()
            else:
                self.assertEqual(gone.terminate(), 0, gone.log()[-2000:])
            if self.dice.random() < 0.5:
                world.rows("""select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
                    and application_name like 'logmill-consumer%' and random() < 0.5""")
            time.sleep(max(0, next_turn - time.monotonic()))
        feeder.join()
        self.check(world, count)

    def test_a_stopped_consumer_that_holds_a_partitions_lock_is_disconnected(self):
        world = self.world(servers=self.servers, partitions=1)
        topic = world.topic("raw")
        consumer = self.start(world, "--lock-timeout=500ms")
        ingest.generate(world, 100, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == 100, 30)
        holder = subprocess.Popen(["psql", world.url("logmill_writer"), "-qX"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env=dict(os.environ, PGAPPNAME="logmill-consumer"))
        holder.stdin.write(b"update logmill.ingest_offset set backend_pid = pg_backend_pid() where topic = '%s';\n"
                           b"begin; select 1 from logmill.ingest_offset for update;\n" % topic.encode())
        holder.stdin.flush()
        harness.wait_until(lambda: world.value("select count(*) from pg_stat_activity where datname = current_database() and "
                                               "state = 'idle in transaction' and query like '%for update%'") == "1", 10)
        ingest.generate(world, 300, first=100, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == 300, 30, "the lock is broken")
        holder.stdin.close()
        holder.wait(10)
        self.assertIn("55P03", consumer.get("/metrics")[1])
        self.check(world, 300, partitions=1)

    def stop(self, consumer, grace):
        """SIGTERM; 0 within the grace period, and what a busy machine adds."""
        harness.wait_until(consumer.log, 10)
        begun = time.monotonic()
        self.assertEqual(consumer.terminate(grace + 10), 0, consumer.log()[-2000:])
        self.assertLess(time.monotonic() - begun, grace + 10, consumer.log()[-2000:])

    def test_sigterm_in_every_phase_ends_within_the_grace_period_and_loses_nothing(self):
        world = self.world(servers=self.servers)
        count = 10000
        ingest.generate(world, count, sources=40)

        filling = self.start(world, "--batch-age=50s", "--batch-rows=200000")
        harness.wait_until(lambda: filling.metric("logmill_consumer_records_total") == count, 20)
        self.assertEqual(ingest.stored(world), 0)
        self.stop(filling, 5)
        self.assertEqual(ingest.stored(world), count)

        for condition, lock in ((IN_COPY, LEAVES), (COPIED, OFFSETS)):
            consumer = self.start(world, "--batch-rows=1000", "--connections=6")
            ingest.generate(world, count + 1000, first=count, sources=40)
            harness.wait_until(lambda: ingest.stored(world) == count + 1000, 20)
            with held(world, lock):
                ingest.generate(world, count + 10000, first=count + 1000, sources=40)
                harness.wait_until(lambda: connections(world, condition), 20, condition)
                consumer.process.terminate()
                time.sleep(0.3)
                self.assertTrue(consumer.running())
            self.stop(consumer, 5)
            count += 10000
        with held(world, OFFSETS):                          # it does not get to an end: it gives up what is not committed
            consumer = self.start(world, "--grace=1s")
            harness.wait_until(lambda: connections(world, CLOSING), 20)
            self.stop(consumer, 1)

        feeder = self.feed(world, count + 6 * RATE, first=count, rate=RATE)
        count += 6 * RATE
        stays = self.start(world, "--grace=2s")
        for _ in range(20 if harness.LONG else 3):          # while the group is being shared out anew
            consumer = self.start(world)
            ingest.pause(self.dice, 0.1, 1)
            self.stop(consumer, 5)
        self.servers.stop_postgres("immediate")
        try:
            harness.wait_until(lambda: "postgres" in stays.get("/readyz")[1], 20)
            self.stop(stays, 2)
        finally:
            self.servers.up("postgres")
        self.start(world)
        feeder.join()
        self.check(world, count)


if __name__ == "__main__":
    unittest.main()
