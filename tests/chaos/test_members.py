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
LARGE = 30000                                               # records of a batch, more than sockets hold
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


PLENTY = "--grace=10m"
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

    def fall_asleep(self, world, sleeper, condition, lock, count):
        """SIGSTOP, once what the sleeper has in PostgreSQL of the records up to `count` is as wanted."""
        with held(world, lock):
            ingest.generate(world, count, first=count - 2 * LARGE, sources=40, partitions=1)
            harness.wait_until(lambda: connections(world, condition), 20, condition)
            sleeper.process.send_signal(signal.SIGSTOP)
            self.addCleanup(sleeper.process.send_signal, signal.SIGCONT)
        harness.wait_until(lambda: connections(world, "wait_event_type = 'Lock'") == 0, 10)

    def zombie(self, world, kind, sleeper, start, count):
        """A round of it: the heir, and whether the sleeper's batch was still open when the heir had stored all."""
        if kind == "copy":                                  # more than the connection's buffers hold: it stays in COPY
            self.fall_asleep(world, sleeper, IN_COPY, LEAVES, count)
            harness.wait_until(lambda: connections(world, IN_COPY + " and wait_event = 'ClientRead'") > 0, 20, "all it was sent is read")
        else:                                               # one batch closes, the next has been copied behind it
            self.fall_asleep(world, sleeper, COPIED + " and exists (select from pg_stat_activity b where b.datname = "
                             "current_database() and b.wait_event_type = 'Lock')", OFFSETS, count)
        heir = start()
        harness.wait_until(lambda: ingest.stored(world) == count, 40, "the heir has stored all")
        still_open = connections(world, "xact_start is not null") > 0
        sleeper.process.send_signal(signal.SIGCONT)
        harness.wait_until(lambda: connections(world, "xact_start is not null") == 0, 20, "the sleeper gives its batch up")
        self.assertEqual(sleeper.terminate(), 0)
        return heir, still_open

    def test_a_zombie_with_a_batch_in_copy_or_before_its_closing_message_is_fenced(self):
        world = self.world(servers=self.servers, partitions=1)
        # All of a round comes under a lock, and a batch is open for long enough to become full. (An heir's first is cut in two: it does
        # not know the leaf yet.)
        large = ["--batch-rows=%d" % LARGE, "--batch-bytes=64MiB", "--batch-age=3s", "--memory=256MiB"]
        start = lambda: self.start(world, *large)
        consumer, count = start(), LARGE
        ingest.generate(world, count, sources=40, partitions=1)
        for kind in ("copy", "closing") * ZOMBIES:
            # PostgreSQL ends a transaction that is idle for thirty seconds: an heir that takes longer has shown nothing.
            for _ in range(3):
                harness.wait_until(lambda: ingest.stored(world) == count, 30)
                count += 2 * LARGE
                consumer, still_open = self.zombie(world, kind, consumer, start, count)
                if still_open:
                    break
            self.assertTrue(still_open, kind)
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

    def stop(self, consumer):
        """SIGTERM; 0 soon, and what a busy machine adds, where the grace period is PLENTY or what it waits for never comes."""
        harness.wait_until(consumer.log, 10)
        self.assertEqual(consumer.terminate(15), 0, consumer.log()[-2000:])

    def test_sigterm_in_every_phase_ends_within_the_grace_period_and_loses_nothing(self):
        world = self.world(servers=self.servers)
        count = 10000
        ingest.generate(world, count, sources=40)

        filling = self.start(world, "--batch-age=1m", "--batch-rows=200000", PLENTY)
        harness.wait_until(lambda: filling.metric("logmill_consumer_records_total") == count, 20)
        self.assertEqual(ingest.stored(world), 0)
        self.stop(filling)
        self.assertEqual(ingest.stored(world), count)

        for condition, lock in ((IN_COPY, LEAVES), (COPIED, OFFSETS)):
            consumer = self.start(world, "--batch-rows=1000", "--connections=6", PLENTY)
            ingest.generate(world, count + 1000, first=count, sources=40)
            harness.wait_until(lambda: ingest.stored(world) == count + 1000, 20)
            with held(world, lock):
                ingest.generate(world, count + 10000, first=count + 1000, sources=40)
                harness.wait_until(lambda: connections(world, condition), 20, condition)
                consumer.process.terminate()
                time.sleep(0.3)
                self.assertTrue(consumer.running())
            self.stop(consumer)
            count += 10000
        count += 1000                                       # all of the others may be stored
        ingest.generate(world, count, first=count - 1000, sources=40)
        with held(world, OFFSETS):                          # it does not get to an end: it gives up what is not committed
            consumer = self.start(world, "--grace=1s")
            harness.wait_until(lambda: connections(world, CLOSING), 20)
            self.stop(consumer)

        feeder = self.feed(world, count + 6 * RATE, first=count, rate=RATE)
        count += 6 * RATE
        stays = self.start(world, "--grace=2s")
        for _ in range(20 if harness.LONG else 3):          # while the group is being shared out anew
            consumer = self.start(world, PLENTY)
            ingest.pause(self.dice, 0.1, 1)
            self.stop(consumer)
        self.servers.stop_postgres("immediate")
        try:
            harness.wait_until(lambda: "postgres" in stays.get("/readyz")[1], 20)
            self.stop(stays)
        finally:
            self.servers.up("postgres")
        self.start(world)
        feeder.join()
        self.check(world, count)


if __name__ == "__main__":
    unittest.main()
