"""PostgreSQL falls, fails over, fills up, blocks and loses leaves while records flow: each record is there exactly once.

LOGMILL_CHAOS_SEED repeats a run. LOGMILL_TEST_LONG=1 runs more rounds and more records.
"""
import os
import random
import re
import threading
import unittest

import harness
import ingest
import postgres_servers

LEAVES = "select name from logmill.leaf where category = 'raw' order by upper"


class PostgresCase(postgres_servers.Case):
    def setUp(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.total = 0

    def start(self, world, *arguments, **options):
        options.setdefault("ready", False)
        return world.start("logmill-consumer", "--batch-rows=1000", "--retry-cap=300ms", *arguments, **options)

    def feed(self, world, count, seconds=0, **options):
        """Sends the next `count` records, spread over `seconds`; waits for the end at once, or in join()."""
        options = dict(dict(sources=40), **options)
        if seconds:
            options["rate"] = count // seconds
        self.total, first = self.total + count, self.total
        feeder = threading.Thread(target=ingest.generate, args=(world, self.total), kwargs=dict(options, first=first))
        feeder.start()
        self.addCleanup(feeder.join)
        if not seconds:
            feeder.join()
        return feeder

    def finish(self, world, *consumers, seconds=60, **options):
        harness.wait_until(lambda: ingest.stored(world) == self.total, seconds, "all records committed")
        for consumer in consumers:
            harness.wait_until(consumer.ready, 10, "ready again")
            self.assertEqual(consumer.terminate(), 0)
        self.assertEqual(ingest.dead_letters(world), 0)
        ingest.check_exactly_once(self, world, self.total, **options)

    def retries(self, consumer, reason):
        return sum(float(line.rsplit(" ", 1)[1]) for line in consumer.get("/metrics")[1].splitlines()
                   if line.startswith("logmill_consumer_retries_total{") and 'reason="%s"' % reason in line)


class Falls(PostgresCase):
    def test_a_server_stopped_at_once_and_started_again_loses_and_doubles_nothing(self):
        servers = postgres_servers.Own(self)
        world = self.world_on(servers)
        rounds = 8 if harness.LONG else 2
        consumer = self.start(world)
        feeder = self.feed(world, 20000 * rounds, seconds=3 * rounds)
        for mode in ["immediate", "fast"] * (rounds // 2):  # `fast` says farewell: 57P01, then 57P03 while it shuts down
            ingest.pause(self.dice, 0.3, 1.5)
            servers.stop_postgres(mode)
            self.assertTrue(harness.wait_until(lambda: "postgres" in postgres_servers.unmet(consumer), 10))
            ingest.pause(self.dice, 0, 0.5)
            servers.up()
        feeder.join()
        self.finish(world, consumer)

    def test_the_replica_takes_over_and_nothing_committed_is_lost(self):
        servers = postgres_servers.Own(self)
        standby = servers.add_standby(synchronous=True)
        world = self.world_on(servers)
        world.admin_url += "?target_session_attrs=read-write" # for psql; the consumer asks for that by itself
        consumer = self.start(world, "--lock-timeout=500ms")
        feeder = self.feed(world, 30000, seconds=3)
        harness.wait_until(lambda: ingest.stored(world) > 0, 20)
        standby.stop()                                      # a COMMIT waits for it, and nothing else can tell
        feeder.join()
        feeder = self.feed(world, 5000, seconds=1)
        harness.wait_until(lambda: "does not answer a COMMIT" in postgres_servers.unmet(consumer), 20)
        standby.start()
        harness.wait_until(consumer.ready, 20)
        ingest.pause(self.dice, 0, 1)
        servers.stop_postgres("immediate")
        standby.promote()
        feeder.join()
        harness.wait_until(lambda: ingest.stored(world) == self.total, 30, "all records committed")

        # The old primary comes back as it was, first in the list of hosts. It may be connected to, but with no replica in step
        # it cannot commit: what is tried there is done again where it counts, as soon as it is fenced off.
        servers.up()
        world.servers.postgres = "postgresql://postgres@127.0.0.1:%d/postgres" % standby.port
        world.admin_url = world.servers.postgres.rsplit("/", 1)[0] + "/" + world.name
        world.rows("select pg_terminate_backend(pid) from pg_stat_activity where " + postgres_servers.CONSUMERS)
        self.feed(world, 10000)
        ingest.pause(self.dice, 0.5, 1)
        servers.stop_postgres("immediate")
        self.finish(world, consumer)

    def test_a_server_that_turns_read_only_is_left_and_used_again(self):
        servers = postgres_servers.Own(self)
        world = self.world_on(servers)
        consumer = self.start(world)
        feeder = self.feed(world, 20000, seconds=3)
        harness.wait_until(lambda: ingest.stored(world) > 0, 20)
        for _ in range(3 if harness.LONG else 1):
            ingest.pause(self.dice, 0, 0.5)
            servers.set(default_transaction_read_only="on")
            feeder.join()
            self.feed(world, 2000)                          # not beside the other: order is checked
            harness.wait_until(lambda: self.retries(consumer, "25006") > 0, 20)
            harness.wait_until(lambda: "read-only" in postgres_servers.unmet(consumer), 20)
            servers.set(default_transaction_read_only=None)
            harness.wait_until(consumer.ready, 20)
        self.finish(world, consumer)

    def test_a_full_disk_is_waited_for(self):
        servers = postgres_servers.Own(self)
        disk = postgres_servers.SmallDisk(self, servers.dir / "small", 160)
        servers.sql("create tablespace small location '%s'" % disk.path)
        servers.sql("grant create on tablespace small to public")
        servers.set(default_tablespace="small")
        world = self.world_on(servers)
        consumer = self.start(world)
        feeder = self.feed(world, 30000, seconds=3)
        harness.wait_until(lambda: ingest.stored(world) > 0, 20)
        for _ in range(3 if harness.LONG else 1):
            ingest.pause(self.dice, 0, 0.5)
            disk.fill()
            feeder.join()
            self.feed(world, 2000)
            harness.wait_until(lambda: re.search("53100.*make room", postgres_servers.unmet(consumer)), 20)
            ingest.pause(self.dice, 0, 0.5)
            disk.room()
            harness.wait_until(consumer.ready, 20)
        feeder.join()
        self.finish(world, consumer)


class Locks(PostgresCase):
    def test_who_locks_what_a_batch_needs_delays_it_and_no_more(self):
        world = self.world()
        consumer = self.start(world, "--lock-timeout=300ms")
        self.feed(world, 4000)
        harness.wait_until(lambda: ingest.stored(world) == self.total, 30)
        leaf = world.rows(LEAVES)[-1][0]
        for what in ("select from logmill.ingest_offset for update", "select from logmill.log_rollup_minute for update",
                     "lock table logmill.log_name in access exclusive mode"):
            feeder = self.feed(world, 4000, seconds=1)
            session = postgres_servers.Session(self, world.admin_url, "begin; " + what)
            feeder.join()
            self.feed(world, 1000)                          # the first may have been through before the lock
            harness.wait_until(lambda: "55P03" in postgres_servers.unmet(consumer), 20)
            session.say("commit")
            harness.wait_until(lambda: ingest.stored(world) == self.total, 30, "all records committed after: " + what)
        self.assertGreater(self.retries(consumer, "55P03"), 2)
        for (leaf,) in world.rows(LEAVES):
            feeder = self.feed(world, 4000, seconds=1)
            session = postgres_servers.Session(self, world.admin_url, "begin; lock table logmill.%s in access exclusive mode" % leaf)
            feeder.join()
            ingest.pause(self.dice, 31, 33) if harness.LONG else ingest.pause(self.dice, 0, 0.5)
            session.say("commit")
            harness.wait_until(lambda: ingest.stored(world) == self.total, 30, "all records committed after a lock of " + leaf)
        self.finish(world, consumer)

    def test_a_deadlock_is_tried_again(self):
        world = self.world(partitions=1)
        consumer = self.start(world, "--lock-timeout=5m", "--connections=1")
        self.feed(world, 1000, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == self.total, 30)
        # Who waits looks for a deadlock once, a second after it began to: the consumer must be the last to wait. It has the first of
        # three locks, and does not get on to the third before another waits for the first. The other never looks itself.
        gate = postgres_servers.Session(self, world.admin_url, "begin; lock table logmill.log_rollup_minute in access exclusive mode")
        other = postgres_servers.Session(self, world.admin_url, "set deadlock_timeout = '10min'; begin;"
                                         "lock table logmill.ingest_source in share row exclusive mode")
        self.feed(world, 1000, partitions=1)
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
        harness.wait_until(lambda: world.value(waiting + postgres_servers.CONSUMERS) == "1", 20)
        thread = threading.Thread(target=other.say, args=("select from logmill.ingest_offset for update",))
        thread.start()
        harness.wait_until(lambda: world.value(waiting + "datname = current_database() and application_name = 'psql'") == "1", 20)
        gate.say("commit")
        harness.wait_until(lambda: self.retries(consumer, "40P01") > 0, 20)
        thread.join()
        other.say("commit")
        self.finish(world, consumer, partitions=1)

    def test_a_connection_ended_while_its_batch_waits_for_the_one_before_loses_nothing(self):
        world = self.world(partitions=1)
        consumer = self.start(world, "--lock-timeout=60s", "--batch-rows=100")
        self.feed(world, 100, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == self.total, 30)
        session = postgres_servers.Session(self, world.admin_url, "begin; select from logmill.ingest_offset for update")
        self.feed(world, 400, partitions=1)
        # What idle_in_transaction_session_timeout does.
        harness.wait_until(lambda: world.value("""select bool_or(pg_terminate_backend(pid)) from pg_stat_activity
            where %s and state = 'idle in transaction'""" % postgres_servers.CONSUMERS) == "t", 20)
        ingest.pause(self.dice, 0.2, 0.5)
        session.say("commit")
        self.finish(world, consumer, partitions=1)

    def test_whatever_can_pass_is_tried_again_and_nothing_is_a_dead_letter(self):
        world = self.world()
        consumer = self.start(world)
        states = ("40001", "40P01", "53000", "53100", "53200", "53300", "53400", "54000", "55000", "55006", "57014", "58000", "58030",
                  "XX000", "0A000", "08006")
        world.rows("""create function logmill.stumble() returns trigger language plpgsql as $$ begin
            if random() < 0.3 then raise 'stumbled' using errcode = (array['%s'])[1 + random() * %d]; end if; return null; end $$;
            create trigger stumble before insert on logmill.log_rollup_minute for each statement execute function logmill.stumble();
            create trigger stumble before insert on logmill.data_epoch for each statement execute function logmill.stumble()
            """ % ("','".join(states), len(states) - 1))
        feeder = self.feed(world, 100000 if harness.LONG else 30000, seconds=20 if harness.LONG else 3)
        # The consumer asks for its own. In this database only: the role is that of other tests too.
        world.rows('alter role logmill_writer in database "%s" set statement_timeout = \'1s\'' % world.name)
        for _ in range(30 if harness.LONG else 5):
            ingest.pause(self.dice, 0.1, 0.6)
            world.rows("select pg_terminate_backend(pid) from pg_stat_activity where %s and random() < 0.4"
                       % postgres_servers.CONSUMERS)
        feeder.join()
        harness.wait_until(lambda: ingest.stored(world) == self.total, 60, "all records committed")
        world.rows("drop function logmill.stumble cascade")
        self.assertGreater(sum(self.retries(consumer, state) > 0 for state in states), 3)
        self.finish(world, consumer)


class Leaves(PostgresCase):
    def test_a_leaf_that_is_detached_or_dropped_is_made_again_and_what_is_sent_again_is_stored(self):
        world = self.world()
        consumer = self.start(world)
        gone, detached = 0, []
        feeder = self.feed(world, 20000, seconds=2)
        harness.wait_until(lambda: ingest.stored(world) > 0, 20)
        for i in range(8 if harness.LONG else 2):
            ingest.pause(self.dice, 0.2, 1)
            (leaf,), = harness.wait_until(lambda: world.rows("select tableoid::regclass::text from logmill.logs order by created_at desc limit 1"), 20)
            if i % 2:
                gone += int(world.value("begin; lock table %s; select count(*) from %s; drop table %s; commit" % (leaf, leaf, leaf)))
            else:
                world.rows("alter table logmill.logs_raw detach partition %s" % leaf)
                detached.append(leaf)
            feeder.join()
            feeder = self.feed(world, 10000, seconds=1)
        feeder.join()
        harness.wait_until(lambda: ingest.stored(world) == self.total, 60, "all records committed")
        self.assertEqual(ingest.dead_letters(world), 0)
        harness.wait_until(consumer.ready, 10)
        for leaf in detached:                               # made again only where something was sent again
            world.rows("select logmill.ensure_leaf('raw', min(created_at)) from " + leaf)
            world.rows("insert into logmill.logs_raw select * from " + leaf)
        # What was in the dropped leaf has gone by the operator's deed, and nothing else; no record is there twice.
        self.assertEqual(world.rows("select count(*), count(distinct (kafka_partition, kafka_offset)) from logmill.logs"),
                         [[str(self.total - gone)] * 2])
        self.assertEqual(world.value("select sum(n) from logmill.log_rollup_minute"), str(self.total))
        if gone == 0:
            ingest.check_rollups(self, world)

    def test_consumers_that_need_the_same_new_leaves_at_once_make_each_once(self):
        world = self.world()
        hours = 30
        self.feed(world, 30000, base_us=int((harness.time.time() - hours * 3600) * 1e6), step_us=hours * 3600 * 1000000 // 30000)
        world.rows("update logmill.leaf_period set on_demand_per_minute = 1000")
        consumers = [self.start(world, "--batch-rows=10000") for _ in range(3)]
        self.finish(world, *consumers)
        self.assertGreaterEqual(len(world.rows(LEAVES)), hours)


if __name__ == "__main__":
    unittest.main()
