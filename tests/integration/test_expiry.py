"""What was counted is forgotten rollup_retention after, and not while its rows are kept; and batches of two topics of one category,
which count in the same rows, never wait for each other in a circle."""
import subprocess
import unittest

import harness
from test_rollup_merge import add_minutes, array

CATEGORIES = ("raw", "training")

# A row and what the consumer counts of it, every 20 minutes of some hours some days ago, in two categories.
COUNTED = """
create function counted(at timestamptz) returns void language sql as $$
    insert into logmill.log_rollup_minute (minute, category, service, environment, level, kafka_partition, n)
        select at, c, 's', 'production', 'ERROR', 0, 1 from unnest(array['raw', 'training']::logmill.log_category[]) c;
    select logmill.add_totals(c, 0, array[(extract(epoch from at) * 1000000)::bigint], '{ERROR}', '{1}'),
           logmill.add_counts_apart(c, 0, array[(extract(epoch from at) * 1000000)::bigint], '{s}', '{production}', '{ERROR}', '{1}')
        from unnest(array['raw', 'training']::logmill.log_category[]) c;
    insert into logmill.error_pattern_hour
        select date_trunc('hour', at, 'UTC'), c, 's', 'production', '', 7, 0, 1, at, at, 'm'
        from unnest(array['raw', 'training']::logmill.log_category[]) c on conflict do nothing;
    insert into logmill.log_name
        select 'host', 'h' || date_part('day', at), c, 's', 'production', 0, at, at, 1
        from unnest(array['raw', 'training']::logmill.log_category[]) c
        on conflict (kind, value, category, service, environment, kafka_partition) do update set last_seen = excluded.last_seen;
    select logmill.raise_epochs(c, 0, array[extract(epoch from date_trunc('hour', at, 'UTC'))::bigint * 1000000])
        from unnest(array['raw', 'training']::logmill.log_category[]) c
$$;
create function today() returns timestamptz language sql as $$ select date_trunc('day', now(), 'UTC') $$;
select counted(today() - d * interval '1 day' + i * interval '20 minutes') from unnest(array[70, 61, 60, 59]) d, generate_series(0, 8) i;
"""

# How many hours each table has of a category before and from the day 60 days ago on.
LEFT = """
select count(distinct date_trunc('hour', at, 'UTC')) filter (where at < today() - interval '60 days') || ' ' ||
       count(distinct date_trunc('hour', at, 'UTC')) filter (where at >= today() - interval '60 days')
from (select %s as at from logmill.%s where category = '%s') q
"""
TABLES = (("minute", "log_rollup_minute"), ("minute", "total_minute"), ("minute", "count_minute"), ("hour", "error_pattern_hour"),
          ("hour", "log_rollup_hour"), ("hour", "data_epoch"), ("last_seen", "log_name"), ("day", "day_epoch"))


class Expiry(harness.Case):
    def setUp(self):
        self.it = self.world(topics=False)
        self.writer, self.reader = self.it.url("logmill_writer"), self.it.url("logmill_reader")
        self.it.rows(COUNTED)

    def fold(self):
        self.it.rows("update logmill.fold_state set closed = now(), marked_at = now(), horizon = '0'")
        self.it.rows("select logmill.fold('UTC', '100 days', '1 min')")

    def expire(self, budget="1 min"):
        return harness.psql(self.writer, "select hours, more from logmill.expire_rollups('60 days', '%s')" % budget)[0]

    def left(self, category):
        return [self.it.value(LEFT % (column, table, category)) for column, table in TABLES]

    def total(self, lower, category):
        """How much a window up to now counts, by service, apart and in all, and from how many days and hours, as the agent reads it."""
        return harness.psql(self.reader, """
            select (select coalesce(sum(n), 0) from log_rollup(now() - interval '%(lower)s', now(), 'day', 'UTC') where category = '%(c)s'),
                   (select coalesce(sum(n), 0) from log_count(now() - interval '%(lower)s', now(), 'day', 'UTC', 'service', array['%(c)s'], null)),
                   (select coalesce(sum(n), 0) from log_total(now() - interval '%(lower)s', now(), 'day', 'UTC') where category = '%(c)s'),
                   coalesce(cardinality(days), 0) > 50, coalesce(cardinality(hours), 0)
            from rollup_cover(date_trunc('hour', now() - interval '%(lower)s'), now(), 'day', 'UTC')"""
                            % {"lower": lower, "c": category})[0]

    def test_what_is_older_is_forgotten_and_nothing_else(self):
        self.it.rows("insert into logmill.duration_minute select minute, category, service, environment, kafka_partition, 1 "
                     "from logmill.log_rollup_minute")
        self.fold()
        made = ["logmill.%s_%s where %s < today() - interval '60 days'" % (of, unit, unit) for of in
                ("log_rollup", "total", "count", "duration", "service_duration") for unit in ("hour", "day")]
        for table in made:
            self.assertGreater(int(self.it.value("select count(*) from " + table)), 0, table)
        self.assertEqual(["6 6"] * 6 + ["2 2"] * 2, self.left("raw"))
        self.assertEqual([], harness.psql(self.reader, "select * from counts_since"))
        self.assertEqual(["12", "f"], self.expire())        # two days of three hours, of two categories
        for category in CATEGORIES:
            self.assertEqual(["0 6"] * 6 + ["0 2", "1 2"], self.left(category))
            self.assertEqual(["18", "18", "18"], self.total("75 days", category)[:3])
        self.assertEqual(self.it.rows("select c, (today() - interval '61 days' + interval '3 hours')::text "
                                      "from unnest(array['raw', 'training']) c"),
                         harness.psql(self.reader, "set timezone = 'UTC'; select category, since::text from counts_since order by 1"))
        for table in made:
            self.assertEqual("0", self.it.value("select count(*) from " + table), table)
        self.assertEqual("0", self.it.value("select count(*) from logmill.fold_hour where hour < today() - interval '60 days'"))
        self.assertEqual(["0", "f"], self.expire())

    def test_the_counts_of_rows_that_are_kept_stay_and_are_read_from_their_folds(self):
        self.it.rows("select logmill.ensure_leaf('training', today() - interval '70 days')")
        self.fold()
        before = self.left("training")
        used = self.total("75 days", "training")
        self.assertEqual(["36", "36", "36", "f"], used[:4])
        self.expire()
        self.assertEqual(["0 6"] * 6 + ["0 2", "1 2"], self.left("raw"))
        self.assertEqual(before, self.left("training"))
        self.assertEqual(["18", "18", "18"], self.total("75 days", "raw")[:3])
        self.assertEqual(used, self.total("75 days", "training"), "the same counts from as many folds")
        self.assertEqual([["raw"]], harness.psql(self.reader, "select category from counts_since"))
        leaf = self.it.value("select name from logmill.leaf where category = 'training' order by lower limit 1")
        self.it.rows("drop table logmill.%s" % leaf)
        self.expire()
        self.assertEqual("0 6", self.left("training")[0])

    def test_durations_of_minutes_go_with_these(self):
        self.it.rows("insert into logmill.duration_minute select minute, category, service, environment, kafka_partition, 1 "
                     "from logmill.log_rollup_minute")
        self.expire()
        minutes = "select minute, category from logmill.%s order by 1, 2"
        self.assertEqual(self.it.rows(minutes % "log_rollup_minute"), self.it.rows(minutes % "duration_minute"))

    def test_a_portion_ends_and_the_next_goes_on(self):
        portions = """select max(p.hours), sum(p.hours), bool_and(p.more) from generate_series(1, 5) i,
            lateral logmill.expire_rollups('60 days', i * interval '0 s') p"""
        self.assertEqual([["1", "3", "t"]], harness.psql(self.writer, portions), "an hour each; three of the first five hold something")
        self.assertEqual(["9", "f"], self.expire())

    def test_one_at_a_time_folds_or_forgets(self):
        other = subprocess.Popen(["psql", self.it.admin_url, "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: other.communicate(timeout=20))
        other.stdin.write("select 'taken' from pg_advisory_lock(1280134214, hashtext('fold'));\n")
        other.stdin.flush()
        self.assertEqual("taken\n", other.stdout.readline())
        self.assertEqual([None, None], self.expire())

    def test_an_epoch_that_comes_back_is_another_one(self):
        old = "select version from logmill.data_epoch where category = 'raw' and hour = today() - interval '61 days'"
        before = int(self.it.value(old))
        self.expire()
        self.it.rows("select counted(today() - interval '61 days')")
        self.assertGreater(int(self.it.value(old)), before)

    def test_a_consumer_has_it_done(self):
        it = self.world()
        it.rows(COUNTED)
        consumer = it.start("logmill-consumer", "--rollup-retention", "65d")
        metric = "logmill_consumer_rollup_hours_expired_total"
        self.wait_until(lambda: (consumer.metric(metric) or 0) >= 6, 60, "what is older than 65 days is forgotten")
        self.assertEqual("18", it.value("select count(distinct (minute, category)) / 3 from logmill.log_rollup_minute"))


KEYS = [("a", "m", "b"), ("b", "n", "a")]               # what two batches add, in their order; m and n are held by a third


def calls(keys, at):
    """What adds these to each table that two topics of a category share."""
    us = [at * 1000000 + ord(k) * 3600000000 for k in keys]
    n = len(keys)

    def same(value, kind):
        return array([value] * n, kind)
    names, ones, at_us = array(keys, "text"), same(1, "bigint"), array(us, "bigint")
    return {
        "log_rollup_minute": add_minutes({(k, "production", "INFO", at): (1, 0, 0, {}) for k in keys}),
        "total_minute": add_minutes({("of " + keys[0], "production", "INFO", at + 60 * ord(k)): (1, 0, 0, {}) for k in keys}),
        "duration_minute": add_minutes({(k, "production", "INFO", at): (1, 1, 1, {0: 1}) for k in keys}),
        "error_pattern_hour": "select logmill.add_error_patterns('raw', 0, %s, %s, %s, %s, %s, %s, %s, %s, %s);" % (
            same(at * 1000000, "bigint"), names, same("e", "text"), same("t", "text"), ones, ones, ones, ones, same("m", "text")),
        "log_name": "select logmill.add_names('raw', 0, %s, %s, %s, %s, %s, %s, %s);" % (
            same("host", "text"), names, same("s", "text"), same("e", "text"), ones, ones, ones),
        "data_epoch": "select logmill.raise_epochs('raw', 0, %s);" % at_us,
    }


class OneOrder(harness.Case):
    """A third holds a row of each batch, so that each has locked what it comes to first, whatever that is, when both go on."""

    def session(self):
        psql = subprocess.Popen(["psql", self.it.admin_url, "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        self.addCleanup(lambda: psql.poll() is None and psql.communicate(timeout=60))
        psql.stdin.write("begin;\n")
        return psql

    def say(self, psql, sql):
        psql.stdin.write(sql + "\n")
        psql.stdin.flush()

    def test_batches_of_two_topics_of_one_category_do_not_deadlock(self):
        self.it = self.world(topics=False)
        at = 1700000000 // 3600 * 3600
        self.it.rows(" ".join(calls(["a", "b", "m", "n"], at).values()))
        for table in calls(["a"], at):
            with self.subTest(table=table):
                third, *two = [self.session() for _ in range(3)]
                self.say(third, "%s select 'held';" % calls(["m", "n"], at)[table])
                while third.stdout.readline() != "held\n":
                    pass
                for psql, keys in zip(two, KEYS):
                    self.say(psql, calls(keys, at)[table] + " commit;")
                self.wait_until(lambda: self.it.value(
                    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == "2",
                    60, "both wait")
                third.communicate("commit;\n", timeout=60)
                said = [psql.communicate(timeout=60)[0] for psql in two]
                self.assertNotIn("deadlock", "".join(said))

    def test_a_batch_and_a_soft_deletion_of_the_same_minutes_do_not_deadlock(self):
        self.it = self.world(topics=False)
        at = 1700000000 // 3600 * 3600
        services = ("a", "b")
        self.it.rows("select logmill.ensure_leaf('raw', to_timestamp(%d))" % at)
        self.it.rows(" ".join(add_minutes({(s, "production", "INFO", at): (1, 0, 0, {})}) for s in services) + """
            insert into logmill.logs (created_at, category, level, log_type, service, environment, message, pattern, kafka_partition, kafka_offset,
                                      ingested_at)
            select to_timestamp(%d), 'raw', 'INFO', 'BACKEND', s, 'production', 'm', 7, 0, 1, now() from unnest(array['a', 'b']) s""" % at)
        deletion, batch = self.session(), self.session()
        self.say(deletion, "update logmill.logs set deleted_at = now() where service = 'a'; select 'held';")
        while deletion.stdout.readline() != "held\n":
            pass
        self.say(batch, add_minutes({("b", "production", "INFO", at): (4, 0, 0, {})}) + " commit;")
        self.wait_until(lambda: self.it.value(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == "1", 60, "it waits")
        said = deletion.communicate("update logmill.logs set deleted_at = now() where service = 'b'; commit;\n", timeout=60)[0]
        said += batch.communicate(timeout=60)[0]
        self.assertNotIn("deadlock", said)
        self.assertEqual(self.it.rows("select info, (select sum(n) from logmill.log_rollup_minute), (select sum(info) from logmill.count_minute) "
                                      "from logmill.total_minute"), [["4", "4", "4"]])


if __name__ == "__main__":
    unittest.main()
