"""Connections to PostgreSQL are cut, and consumers stopped, at the worst moments: in the middle of COPY, before COMMIT arrives,
after it was done but before its answer came, and while it is still under way. No batch is lost, none is stored twice.

LOGMILL_CHAOS_SEED repeats a run.
"""
import os
import random
import re
import signal
import threading
import unittest

import harness
import ingest
import postgres_servers

RECORDS = 400000 if harness.LONG else 60000
CUTS = {"copy": (0.02, ["cut"]), "commit": (0.3, ["before", "during", "after"])}


class CutConnections(postgres_servers.Case):
    def setUp(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d" % seed, flush=True)
        self.dice = random.Random(seed)

    def start(self, world, proxy, *arguments):
        return world.start("logmill-consumer", "--batch-rows=500", "--retry-cap=200ms", "--postgres-url", proxy.url(world),
                           "--kafka=session.timeout.ms=6000", "--kafka=heartbeat.interval.ms=500", *arguments, ready=False)

    def finish(self, world, count, *consumers):
        harness.wait_until(lambda: ingest.stored(world) == count, 180, "all records committed")
        for consumer in consumers:
            self.assertEqual(consumer.terminate(), 0)
        ingest.check_exactly_once(self, world, count)
        self.assertEqual(ingest.dead_letters(world), 0)

    def test_cuts_during_copy_and_around_commit_lose_and_double_nothing(self):
        world = self.world()
        cuts = dict.fromkeys(["cut", "before", "during", "after"], 0)
        active = True

        def strike(moment):                                 # at random, but each of them in its turn
            chance, blows = CUTS.get(moment, (0, ["cut"]))
            blow = min(blows, key=cuts.get) if active and self.dice.random() < chance else None
            if blow:
                cuts[blow] += 1
            return blow
        proxy = postgres_servers.Proxy(self, world.host, strike)
        ingest.generate(world, RECORDS, sources=40)
        consumer = self.start(world, proxy)
        harness.wait_until(lambda: ingest.stored(world) == RECORDS, 180, "all records committed")
        active = False
        print(cuts, flush=True)
        self.assertTrue(all(cuts.values()), cuts)
        self.assertIn("had gone through", consumer.log())
        self.finish(world, RECORDS, consumer)

    def test_batches_that_flow_are_read_again_and_their_dead_letters_not_sent_again(self):
        world = self.world()
        count, every = 3 * RECORDS, 40
        active = True
        proxy = postgres_servers.Proxy(self, world.host, lambda moment: "cut" if active and moment == "copy" and
                                       self.dice.random() < 0.03 else None)
        ingest.generate(world, count, sources=40, nul_every=every)
        consumer = self.start(world, proxy, "--batch-rows=20000")
        harness.wait_until(lambda: "reading again" in consumer.log() and ingest.stored(world) > count // 2, 180)
        active = False
        harness.wait_until(lambda: ingest.stored(world) == count, 180, "all records committed")
        self.assertEqual(consumer.terminate(), 0)
        headers = world.consume(world.topic("raw") + ".dlq", fmt="%h\\n", seconds=60).decode()
        letters = re.findall(r"dlq\.partition=(\d+).*?dlq\.offset=(\d+)", headers)
        self.assertEqual(len(letters), len(set(letters)))
        self.assertEqual(int(world.value("select count(*) from logmill.logs")) + len(letters), count)
        self.assertGreater(len(letters), 0)
        ingest.check_rollups(self, world)

    def test_a_commit_that_comes_true_after_it_was_asked_for_in_vain_is_not_stored_twice(self):
        world = self.world()
        cut = threading.Event()

        def strike(moment):
            return "during" if moment == "commit" and armed.is_set() and not cut.is_set() and not cut.set() else None
        armed = threading.Event()
        proxy = postgres_servers.Proxy(self, world.host, strike)
        consumer = self.start(world, proxy, "--lock-timeout=60s")
        ingest.generate(world, 4000, sources=40)
        harness.wait_until(lambda: ingest.stored(world) == 4000, 30)
        # The server has the closing message and waits in the middle of it; nobody hears how it ends.
        session = postgres_servers.Session(self, world.admin_url, "begin; lock table logmill.log_rollup_minute in access exclusive mode")
        armed.set()
        ingest.generate(world, 8000, first=4000, sources=40)
        harness.wait_until(cut.is_set, 20)
        # The offset read back is the old one, so the batch comes again, and waits for the orphan's lock.
        harness.wait_until(lambda: world.value("""select count(*) from pg_locks l join pg_stat_activity a using (pid)
            where not l.granted and l.locktype in ('transactionid', 'tuple') and a.""" + postgres_servers.CONSUMERS) != "0", 20)
        session.say("commit")
        harness.wait_until(lambda: "has moved it" in consumer.log(), 20)
        self.finish(world, 8000, consumer)

    def test_a_connection_that_hangs_in_its_rollback_does_not_keep_the_batch_from_the_others(self):
        world = self.world(partitions=1)
        world.rows("""create function logmill.moody() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
            create trigger moody before insert on logmill.logs_raw for each row execute function logmill.moody()""")
        held, released = threading.Event(), threading.Event()
        self.addCleanup(released.set)

        def hold(data, send):
            held.set()
            released.wait(60)
            send(data)
        proxy = postgres_servers.Proxy(self, world.host, lambda moment: hold if moment == "rollback" and not held.is_set() else None)
        consumer = self.start(world, proxy, "--connections=2")
        ingest.produce(world, world.topic("raw"), b'{"message":"alone"}')
        harness.wait_until(held.is_set, 30)
        world.rows("drop trigger moody on logmill.logs_raw")
        harness.wait_until(lambda: ingest.stored(world) == 1, 15)
        released.set()
        self.assertEqual(consumer.terminate(), 0)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "1")

    def test_consumers_stopped_in_the_middle_of_copy_and_of_the_closing_message_keep_nobody_waiting(self):
        world = self.world()
        released = threading.Event()
        self.addCleanup(released.set)
        stopped = {}
        armed = threading.Event()

        def stopper(moment_wanted):
            def strike(moment):
                if moment != moment_wanted or not armed.is_set() or moment_wanted in stopped:
                    return None
                stopped[moment_wanted] = True
                return stop
            def stop(data, send):
                os.kill(consumers[moment_wanted].process.pid, signal.SIGSTOP)
                send(data[:len(data) // 2])
                released.wait(60)
                send(data[len(data) // 2:])
            return postgres_servers.Proxy(self, world.host, strike)
        consumers = {moment: self.start(world, stopper(moment)) for moment in ("copy", "commit")}
        ingest.generate(world, 4000, sources=40)
        harness.wait_until(lambda: ingest.stored(world) == 4000 and all(c.metric("logmill_consumer_assigned_partitions") == 8
                                                                        for c in consumers.values()), 30)
        armed.set()
        ingest.generate(world, 20000, first=4000, sources=40)
        try:
            harness.wait_until(lambda: len(stopped) == 2, 20, "both are stopped")
            heir = self.start(world, postgres_servers.Proxy(self, world.host, lambda moment: None))
            harness.wait_until(lambda: ingest.stored(world) == 20000, 40, "the heir has stored it all")
        finally:
            for consumer in consumers.values():
                os.kill(consumer.process.pid, signal.SIGCONT)
        released.set()
        ingest.generate(world, 30000, first=20000, sources=40)
        self.finish(world, 30000, heir, *consumers.values())


if __name__ == "__main__":
    unittest.main()
