"""Folds of slots, hours and days: whatever arrives, goes and comes back, a window read through them is what GROUP BY over the rows gives."""
import datetime
import json
import os
import random
import subprocess
import unittest

import harness

ZONES = ["UTC", "Asia/Seoul", "Asia/Kolkata", "America/New_York"]      # in New York 2026-03-08 has 23 hours
FIRST = "2026-03-05 00:00+00"
HOURS = 6 * 24

SETUP = """
select logmill.ensure_leaf(c, '%(first)s'::timestamptz + i * interval '1 hour')
from generate_series(0, %(hours)d) i, unnest(array['raw', 'summary']::logmill.log_category[]) c;
create table truth as select * from logmill.logs;                       -- outlives the leaves, as the rollups do
create index on truth (created_at);
create function minutes(upto bigint) returns setof logmill.log_rollup_minute language sql as $$
    with touched as (select distinct date_trunc('minute', created_at) as minute from truth where kafka_offset > upto)
    select q.minute, category, service, environment, level, kafka_partition, sum(n)::bigint, sum(dn)::bigint,
           coalesce(sum(ds), 0)::bigint, max(dm)
    from (select date_trunc('minute', created_at) as minute, category, service, environment, level, kafka_partition,
                 count(*) as n, count(duration_ms) as dn,
                 sum(logmill.duration_us(duration_ms)) as ds, max(logmill.duration_us(duration_ms)) as dm
          from truth where deleted_at is null group by 1, 2, 3, 4, 5, 6) q join touched using (minute)
    group by 1, 2, 3, 4, 5, 6
$$;
create function histograms(upto bigint) returns setof logmill.duration_minute language sql as $$
    with touched as (select distinct date_trunc('minute', created_at) as minute from truth where kafka_offset > upto)
    select date_trunc('minute', created_at), category, service, environment, kafka_partition,
           sum(h), sum(h) filter (where level = 'DEBUG'), sum(h) filter (where level = 'INFO'), sum(h) filter (where level = 'WARN'),
           sum(h) filter (where level = 'ERROR'), sum(h) filter (where level = 'FATAL')
    from truth, lateral (select logmill.histogram_unit(logmill.duration_bucket(duration_ms)) as h) u
    where deleted_at is null and duration_ms is not null and date_trunc('minute', created_at) in (table touched)
    group by 1, 2, 3, 4, 5
$$;
"""

# A batch as the consumer stores it: rows, their minutes, the epochs of their hours.
BATCH = """
begin;
select setseed(%(seed)s);
create temp table batch on commit drop as
select '%(from)s'::timestamptz + random() * interval '%(span)s' as created_at,
       (array['raw', 'summary'])[1 + floor(random() * 2)]::logmill.log_category as category,
       (enum_range(null::logmill.log_level))[1 + floor(random() * 5)] as level, 's' || floor(random() * 3) as service,
       (array['production', 'test'])[1 + floor(random() * 2)] as environment,
       case when random() < 0.6 then exp(random() * 14) end as duration_ms, floor(random() * 4)::int as kafka_partition, i
from generate_series(%(upto)d + 1, %(upto)d + %(count)d) i;
insert into truth (created_at, category, level, log_type, service, environment, message, duration_ms, kafka_partition, kafka_offset,
                   ingested_at)
select created_at, category, level, 'BACKEND', service, environment, 'm', duration_ms, kafka_partition, i, now() from batch;
insert into logmill.logs select * from truth where kafka_offset > %(upto)d;
delete from logmill.log_rollup_minute where minute in (select date_trunc('minute', created_at) from batch);
insert into logmill.log_rollup_minute select * from minutes(%(upto)d);
delete from logmill.total_minute where minute in (select date_trunc('minute', created_at) from batch);
insert into logmill.total_minute select * from logmill.minute_totals where minute in (select date_trunc('minute', created_at) from batch);
delete from logmill.count_minute where minute in (select date_trunc('minute', created_at) from batch);
insert into logmill.count_minute select * from logmill.minute_counts where minute in (select date_trunc('minute', created_at) from batch);
delete from logmill.duration_minute where minute in (select date_trunc('minute', created_at) from batch);
insert into logmill.duration_minute select * from histograms(%(upto)d);
select logmill.raise_epochs(category, kafka_partition, array_agg(distinct extract(epoch from date_trunc('hour', created_at))::bigint
                                                                 * 1000000))
from batch group by category, kafka_partition;
commit;
"""

# What differs between a window read through folds and the rows: totals, then histograms.
DIFFERENCES = """
with windows (category, lower, upper, zone) as (values %(windows)s),
folded as (
    select 'total', w.*, f.service, f.environment, f.level, null::smallint, sum(f.n), sum(f.duration_n), sum(f.duration_sum_us),
           max(f.duration_max_us)
    from windows w, logmill_read.rollup_window(w.category::logmill.log_category, w.lower::timestamptz, w.upper::timestamptz, w.zone) f
    group by w.category, w.lower, w.upper, w.zone, f.service, f.environment, f.level
    union all
    select 'bucket', w.*, q.service, q.environment, q.level, q.bucket, sum(q.n), null, null, null
    from windows w, logmill_read.rollup_ranges(w.category::logmill.log_category, w.lower::timestamptz, w.upper::timestamptz, w.zone) r,
    lateral (select service, environment, level, bucket, n from logmill_read.log_duration_day d
             where d.category = w.category::logmill.log_category and d.zone = w.zone and d.day = any (r.days)
             union all
             select service, environment, level, bucket, n from logmill_read.log_duration_hour h
             where h.category = w.category::logmill.log_category and h.hour = any (r.hours)
             union all
             select service, environment, level, bucket, n from logmill_read.log_duration_minute m
             where m.category = w.category::logmill.log_category and m.minute <@ r.minutes) q
    group by w.category, w.lower, w.upper, w.zone, q.service, q.environment, q.level, q.bucket),
called as (
    select 'total', w.*, f.service, f.environment, f.level, null::smallint, sum(f.n), sum(f.duration_n), sum(f.duration_sum_us),
           max(f.duration_max_us)
    from windows w, logmill_read.log_rollup(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone) f
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.service, f.environment, f.level
    union all
    select 'any service', w.*, null, null, f.level, null, sum(f.n), null, null, null
    from windows w, logmill_read.log_total(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone) f
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.level
    union all
    select 'apart', w.*, f.service, f.environment, f.level, null, sum(f.n), count(f.at), null, null
    from windows w, logmill_read.log_count(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone, 'category,service,environment',
                                           array['summary', w.category], null) f
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.service, f.environment, f.level
    union all
    select 'apart by time', w.*, f.service, null, f.level, null, sum(f.n), count(f.environment) + count(f.category), null, null
    from windows w, logmill_read.log_count(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone, 'at,service',
                                           array[w.category], array['s1', 's2', 'not there']) f
    where f.at >= w.lower::timestamptz and f.at < w.upper::timestamptz
    group by w.category, w.lower, w.upper, w.zone, f.service, f.level
    union all
    select 'bucket', w.*, f.service, f.environment, f.level, b.bucket, sum(b.n), null, null, null
    from windows w, logmill_read.log_histogram(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', null,
                                               'category,service,environment,level', array['summary', w.category], null) f, logmill_read.histogram_buckets(f.histogram) b
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.service, f.environment, f.level, b.bucket
    union all
    select 'level told apart', w.*, null, null, f.level, b.bucket, sum(b.n), count(f.service), null, null
    from windows w, logmill_read.log_histogram(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone, 'level,category', null, null) f,
        logmill_read.histogram_buckets(f.histogram) b
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.level, b.bucket
    union all
    select 'any level', w.*, f.service, f.environment, null, b.bucket, sum(b.n), null, null, null
    from windows w, (select array_agg(distinct service) || 'not there'::text as all_there from truth) s,
        logmill_read.log_histogram(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone,
                                   'category,service,environment', null, s.all_there) f, logmill_read.histogram_buckets(f.histogram) b
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.service, f.environment, b.bucket
    union all
    select 'told apart by little', w.*, f.service, null, null, b.bucket, sum(b.n), count(f.at), null, null
    from windows w, logmill_read.log_histogram(w.lower::timestamptz, w.upper::timestamptz, '%(unit)s', w.zone, 'service,category', null, null) f,
        logmill_read.histogram_buckets(f.histogram) b
    where f.category = w.category::logmill.log_category
    group by w.category, w.lower, w.upper, w.zone, f.service, b.bucket),
counted (kind, category, lower, upper, zone, service, environment, level, bucket, n, duration_n, sum_us, max_us) as (
    select 'total', w.*, t.service, t.environment, t.level, null::smallint, count(*)::numeric, count(duration_ms)::numeric,
           coalesce(sum(logmill.duration_us(duration_ms)), 0), max(logmill.duration_us(duration_ms))
    from windows w, truth t
    where t.category = w.category::logmill.log_category and created_at >= w.lower::timestamptz and created_at < w.upper::timestamptz
        and deleted_at is null
    group by w.category, w.lower, w.upper, w.zone, t.service, t.environment, t.level
    union all
    select 'bucket', w.*, t.service, t.environment, t.level, logmill.duration_bucket(duration_ms), count(*)::numeric, null, null, null
    from windows w, truth t
    where t.category = w.category::logmill.log_category and created_at >= w.lower::timestamptz and created_at < w.upper::timestamptz
        and deleted_at is null and duration_ms is not null
    group by w.category, w.lower, w.upper, w.zone, t.service, t.environment, t.level, logmill.duration_bucket(duration_ms)),
of_any_level as (
    table counted
    union all
    select 'any service', category, lower, upper, zone, null, null, level, null, sum(n), null, null, null
    from counted where kind = 'total' group by category, lower, upper, zone, level
    union all
    select 'apart', category, lower, upper, zone, service, environment, level, null, n, 0, null, null from counted where kind = 'total'
    union all
    select 'apart by time', category, lower, upper, zone, service, null, level, null, sum(n), 0, null, null
    from counted where kind = 'total' and service in ('s1', 's2') group by category, lower, upper, zone, service, level
    union all
    select 'any level', category, lower, upper, zone, service, environment, null, bucket, sum(n), null, null, null
    from counted where kind = 'bucket' group by category, lower, upper, zone, service, environment, bucket
    union all
    select 'level told apart', category, lower, upper, zone, null, null, level, bucket, sum(n), 0, null, null
    from counted where kind = 'bucket' group by category, lower, upper, zone, level, bucket
    union all
    select 'told apart by little', category, lower, upper, zone, service, null, null, bucket, sum(n), 0, null, null
    from counted where kind = 'bucket' group by category, lower, upper, zone, service, bucket)
(select 'folded', * from (table folded except all table counted) a)
union all
(select 'counted', * from (table counted except all table folded) b)
union all
(select 'called', * from (table called except all table of_any_level) c)
union all
(select 'not called', * from (table of_any_level except all table called) d)
limit 5
"""


class Folds(harness.Case):
    def setUp(self):
        self.it = self.world(topics=False)
        self.it.rows(SETUP % {"first": FIRST, "hours": HOURS})
        self.upto = 0
        self.random = random.Random(int(os.environ.get("LOGMILL_TEST_SEED", "7")))

    def batch(self, first=FIRST, span="%d hours" % HOURS, count=2000):
        self.it.rows(BATCH % {"seed": self.random.random(), "from": first, "span": span, "count": count, "upto": self.upto})
        self.upto += count

    def fold(self, zone="UTC", budget="1 min"):
        """All there is; hours and days."""
        made = [0, 0]
        while True:
            hours, days, more = self.it.rows(
                "select hours, days, more from logmill.fold('%s', interval '10 years', interval '%s')" % (zone, budget))[0]
            made = [made[0] + int(hours), made[1] + int(days)]
            if more != "t" or budget == "0 s":
                return made

    def close(self):
        """Two calls: the first marks where transactions stand, the second finds them finished."""
        self.fold(budget="0 s")
        self.wait_until(lambda: self.it.value("select logmill.close_hours() > '2026-03-20'") == "t", what="hours closed")

    def windows(self, count=20 if harness.LONG else 5):
        made = []
        for _ in range(count):
            a, b = sorted(self.random.sample(range(0, HOURS * 60), 2))
            if self.random.random() < 0.5:                  # whole hours
                a, b = a // 60 * 60, b // 60 * 60 + 60
            made.append("('%s', '%s'::timestamptz + interval '%d min', '%s'::timestamptz + interval '%d min', '%s')" % (
                self.random.choice(["raw", "summary"]), FIRST, a, FIRST, b, self.random.choice(ZONES)))
        return ", ".join(made)

    def check(self, what):
        names = {"windows": self.windows(), "unit": self.random.choice(["day", "hour", "slot", "minute"])}
        self.assertEqual(self.it.rows("set jit = off; " + DIFFERENCES % names), [], what)

    def grains(self, zone="UTC", category="raw"):
        return {g: int(n) for g, n in self.it.rows(
            "select grain, count(distinct at) from logmill_read.rollup_window('%s', '%s', '%s'::timestamptz + interval '%d hours', '%s') "
            "group by 1" % (category, FIRST, FIRST, HOURS, zone))}

    def test_a_window_is_what_the_rows_give(self):
        self.batch(count=6000)
        self.close()
        for zone in ZONES:
            self.fold(zone)
        self.check("folded")
        steps = [
            ("a late record in many hours", lambda: self.batch(count=300)),
            ("late records in one hour", lambda: self.batch("2026-03-07 03:00+00", "1 hour", 50)),
            ("soft deletion", lambda: self.both("deleted_at = now() where kafka_offset % 7 = 0")),
            ("all of an hour deleted", lambda: self.both("deleted_at = now() where created_at >= '2026-03-06 05:00+00' "
                                                         "and created_at < '2026-03-06 06:00+00'")),
            ("restored", lambda: self.both("deleted_at = null where kafka_offset % 14 = 0")),
            ("leaves dropped by retention", self.drop_leaves),
            ("late again", lambda: self.batch("2026-03-08 00:00+00", "1 day", 200)),
        ]
        for what, step in steps:
            step()
            self.check(what)
            zone = self.random.choice(ZONES)
            self.fold(zone)
            self.check("%s, folded in %s" % (what, zone))
        for zone in ZONES:
            self.fold(zone)
            self.assertEqual(self.fold(zone), [0, 0], "nothing is folded twice")
            self.check("at the end")

    def both(self, change):
        self.it.rows("update logmill.logs set %s; update truth set %s" % (change, change))

    def drop_leaves(self):
        self.it.rows("drop table logmill.logs_raw_2026030500, logmill.logs_raw_2026030501")

    def test_days_and_hours_are_used_while_nothing_came_after_them(self):
        self.batch(count=6000)
        self.assertEqual(self.grains().keys(), {"minute"})
        self.close()
        hours, days = self.fold()
        self.assertEqual([hours, days], [HOURS, 4 * 6], "a day of each category")
        self.assertEqual(self.grains(), {"day": 6})
        self.batch("2026-03-07 03:00+00", "1 hour", 200)
        self.assertEqual(self.grains()["day"], 5)
        self.assertEqual(self.grains()["hour"], 23)
        self.assertEqual(self.fold(), [1, 2])
        self.assertEqual(self.grains(), {"day": 6})
        # Another zone has days of its own; where its days begin inside an hour, so do its folds.
        self.assertEqual(self.grains("Asia/Kolkata").keys(), {"hour"})
        self.assertEqual(self.fold("Asia/Kolkata")[0], 0)
        self.assertEqual(self.grains("Asia/Kolkata")["day"], 5)

    def days(self, zone):
        """How many days of `zone` a window over all of it is read from, and whether their epochs are noted as they are now."""
        return self.it.rows("select coalesce(cardinality(c.days), 0), (select bool_and(f.day_version = logmill.days_version(f.category, f.day, "
                            "f.upper)) from logmill.fold_day f where f.zone = '%s') from logmill_read.rollup_cover('%s', '%s'::timestamptz + "
                            "interval '%d hours', 'day', '%s') c" % (zone, FIRST, FIRST, HOURS, zone))[0]

    def test_a_day_is_used_by_the_epochs_of_its_days_of_utc_or_those_of_its_hours(self):
        self.batch(count=3000)
        self.close()
        self.fold("Asia/Seoul")
        count, noted = self.days("Asia/Seoul")
        self.assertEqual(["5", "t"], [count, noted])
        # The seventh of UTC ends behind the seventh of Seoul: a record of its last hour is the eighth's there.
        self.batch("2026-03-07 20:00+00", "1 hour", 20)
        self.assertEqual(["4", "f"], self.days("Asia/Seoul"), "the eighth has a late record, the seventh has its hours yet")
        self.fold("Asia/Seoul")
        self.assertEqual(["5", "t"], self.days("Asia/Seoul"))
        self.assertEqual("0", self.it.value("select count(*) from (select category, kafka_partition, date_trunc('day', hour, 'UTC') from "
                                            "logmill.data_epoch except select category, kafka_partition, day from logmill.day_epoch) d"))
        # While its hours are not what they were a day is not noted as current.
        self.batch("2026-03-07 03:00+00", "1 hour", 20)
        self.it.rows("select logmill.fold('Asia/Kolkata', interval '10 years', interval '1 min')")
        self.assertEqual(["4", "f"], self.days("Asia/Seoul"))

    def test_who_raises_an_hour_waits_for_no_other_hour_of_its_day(self):
        self.batch(count=500)
        self.close()
        self.fold()
        self.assertEqual([["6", "t"]], [self.days("UTC")])
        self.assertEqual("0", self.it.value("select count(*) from logmill.day_epoch where raised_by <> '0'"), "added up")
        hour = "select logmill.raise_epochs('raw', 0, array[extract(epoch from timestamptz '2026-03-07 %02d:00+00')::bigint * 1000000])"
        longer = subprocess.Popen(["psql", self.it.url("logmill_writer"), "-Xqt", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (longer.stdin.close(), longer.stdout.close(), longer.wait(20)))
        longer.stdin.write("begin; %s; %s; select 'raised';\n" % (hour % 3, hour % 5))
        longer.stdin.flush()
        while "raised" not in longer.stdout.readline():
            self.assertIsNone(longer.poll())
        harness.psql(self.it.url("logmill_writer"), "set lock_timeout = '1 s'; " + hour % 11)
        self.assertEqual(["5", "f"], self.days("UTC"))
        self.fold()                                         # of what is committed
        self.assertEqual(["6", "t"], self.days("UTC"))
        longer.stdin.write("commit;\n")
        longer.stdin.flush()
        self.wait_until(lambda: self.days("UTC") == ["5", "f"], what="the day stale again")
        self.assertEqual("2", self.it.value("select n from logmill.day_epoch where raised_by <> '0'"))
        self.fold()
        self.assertEqual(["6", "t"], self.days("UTC"))

    def test_percentiles_of_any_window_are_within_three_percent(self):
        self.batch(count=8000)
        self.close()
        self.fold()
        self.assertEqual(self.grains(), {"day": 6})
        self.assertEqual(self.it.rows("""
            with windows (lower, upper) as (values ('-1 day'::interval, '9 days'::interval), ('7 hours 22 minutes 31.25 s', '3 days 59.5 s'),
                                                   ('5 hours 0.5 s', '5 hours 0.75 s')),
            of as (select '2026-03-05'::timestamptz + lower as lower, '2026-03-05'::timestamptz + upper as upper from windows),
            quantiles as (select 0.0::float8 as q union all select i / 100.0 from generate_series(1, 100) i),
            close as (select lower, service, q, logmill_read.histogram_percentile(h, q) as ms, logmill_read.histogram_count(h) as n
                      from quantiles, (select lower, service, sum(histogram) as h
                                       from of, logmill_read.log_histogram(lower, upper, 'day', null, 'service', null, null) group by 1, 2) s),
            exact as (select lower, service, q, percentile_cont(q) within group (order by duration_ms) as ms, count(*) as n
                      from truth, of, quantiles where created_at >= lower and created_at < upper and duration_ms is not null
                      group by 1, 2, 3)
            select * from close full join exact using (lower, service, q)
            where (abs(close.ms - exact.ms) <= 0.031 * exact.ms and close.n = exact.n) is not true
            """), [])

    def test_a_histogram_without_durations_has_no_percentile(self):
        self.assertEqual([[None, None, None, None, None, None, None, None, "0"]], self.it.rows(
            "select p(0, 0.5), p(null, 0.5), p(1, -0.01), p(1, 1.01), p(1, 'NaN'), p(1.5, 0.5), p('NaN', 0.5), p(-1, 0.5), logmill_read.histogram_count(0)".replace(
                "p(", "logmill_read.histogram_percentile(")))
        for named in ("null", "'servce'", "'at,'"):
            with self.assertRaisesRegex(RuntimeError, "tells apart at, category, service, environment and level"):
                self.it.rows("select * from logmill_read.log_histogram(now(), now(), 'day', null, %s, null, null)" % named)
        self.assertEqual("0.001", self.it.value("select round(logmill_read.histogram_percentile(3, 1)::numeric, 3)"))

    def test_an_hour_is_not_folded_while_a_batch_that_knew_it_as_current_is_under_way(self):
        self.batch(count=500)
        batch = subprocess.Popen(["psql", self.it.admin_url, "-Xq"], stdin=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (batch.stdin.close(), batch.wait(20)))
        self.fold(budget="0 s")
        batch.stdin.write("begin; insert into truth select * from truth limit 1;\n")
        batch.stdin.flush()
        self.wait_until(lambda: self.it.value("select count(*) from pg_stat_activity where datname = current_database() "
                                              "and backend_xid is not null") == "1", what="the batch begun")
        begun = self.it.value("select clock_timestamp()")

        def marked():                                       # where others' transactions stand is no mark of ours: the next call then
            self.fold(budget="0 s")
            return self.it.value("select marked_at > '%s' from logmill.fold_state" % begun) == "t"
        self.wait_until(marked, what="a mark with the batch before it")
        closed = self.it.value("select closed from logmill.fold_state")
        for _ in range(3):
            self.fold(budget="0 s")
            self.assertEqual(self.it.value("select closed from logmill.fold_state"), closed)
        batch.stdin.write("rollback;\n")
        batch.stdin.flush()
        self.wait_until(lambda: self.it.value("select logmill.close_hours() > '%s'" % closed) == "t", what="closed further")

    def test_a_batch_between_the_counts_and_the_histograms_of_a_fold_leaves_one_that_is_made_anew(self):
        hour = "'2026-03-07 09:00+00'"
        late = subprocess.Popen(["psql", self.it.admin_url, "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (late.stdin.close(), late.stdout.close(), late.wait(20)))
        late.stdin.write("begin; lock table logmill.duration_minute in access exclusive mode; select 'held';\n")
        late.stdin.flush()
        self.assertEqual("held\n", late.stdout.readline())
        fold = subprocess.Popen(["psql", self.it.admin_url, "-XqAt", "-c", "select logmill.fold_hour(%s, '{raw}')" % hour])
        self.wait_until(lambda: self.it.value("select count(*) from pg_stat_activity where datname = current_database() "
                                              "and wait_event_type = 'Lock'") == "1", what="the fold has its counts")
        late.stdin.write("select logmill.add_minutes('raw', 0, array[(extract(epoch from timestamptz %s) * 1000000)::bigint], '{s}', '{production}', "
                         "'{INFO}', '{1}', '{1}', '{2}', '{2}', '{1}', '{1e112}'); commit; select 'stored';\n" % hour)
        late.stdin.flush()
        self.assertEqual(0, fold.wait(30))
        made = "select (select count(*) from logmill.log_rollup_hour where hour = {0}), (select count(*) from logmill.duration_hour where hour = {0})"
        self.assertEqual([["0", "1"]], self.it.rows(made.format(hour)))
        self.it.rows("select logmill.fold_hour(%s, '{raw}')" % hour)
        self.assertEqual([["1", "1"]], self.it.rows(made.format(hour)))

    def test_the_writer_folds_one_at_a_time_and_the_reader_reads(self):
        self.batch(count=500)
        self.close()
        writer = self.it.url("logmill_writer")
        self.assertEqual(harness.psql(writer, "begin; select pg_advisory_xact_lock(1280134214, hashtext('fold'));"
                                              "rollback; select hours, more from logmill.fold('UTC', '10 years', '10 min')")[-1],
                         ["100", "t"])
        reader = self.it.url("logmill_reader")
        rows = harness.psql(reader, "select sum(n) from logmill_read.rollup_window('raw', '%s', '2026-03-12', 'UTC')" % FIRST)
        self.assertEqual(rows, self.it.rows("select count(*) from truth where category = 'raw'"))
        self.assertEqual(harness.psql(reader, "select count(*) > 0 from log_rollup_hour"), [["t"]])
        for forbidden in ("insert into logmill.log_rollup_hour select * from logmill.log_rollup_hour",
                          "select logmill.fold_hour(now(), '{}')"):
            with self.assertRaisesRegex(RuntimeError, "permission denied"):
                harness.psql(writer, forbidden)
        with self.assertRaisesRegex(RuntimeError, "time zone"):
            harness.psql(writer, "select logmill.fold('Asia/Nowhere', '10 years', '1 s')")

    def test_the_command_folds_all_there_is_in_its_zone(self):
        self.batch(count=500)
        out = self.it.ctl("fold", "--postgres-url", self.it.url("logmill_writer"), "--zone", "Asia/Seoul").stdout
        self.assertRegex(out, r"\d+ hours and \d+ days of Asia/Seoul folded; nothing is left to do\n$")
        self.assertGreater(self.grains("Asia/Seoul")["day"], 4)
        self.assertNotIn("minute", self.grains("Asia/Seoul"))
        failed = self.it.ctl("fold", "--postgres-url", self.it.url("logmill_writer"), "--zone", "Moon", check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("Moon", failed.stderr)


# Minutes as the consumer stores them, one record in each of some before a time.
LATELY = """
select logmill.add_minutes('raw', 0, m, array_fill('s'::text, array[n]), array_fill('production'::text, array[n]),
                           array_fill('INFO'::logmill.log_level, array[n]), array_fill(1::bigint, array[n]),
                           array_fill(0::bigint, array[n]), array_fill(0::bigint, array[n]), array_fill(0::bigint, array[n]), '{}', '{}'),
       logmill.raise_epochs('raw', 0, array(select distinct u - u %% 3600000000 from unnest(m) u))
from (select array_agg((extract(epoch from timestamptz '%s' - i * interval '1 minute') * 1000000)::bigint) as m,
             count(*)::int as n from generate_series(%d, %d) i) q
"""


class Slots(harness.Case):
    """Five minutes, also of the hour that is running."""

    def setUp(self):
        self.it = self.world(topics=False)
        self.writer, self.reader = self.it.url("logmill_writer"), self.it.url("logmill_reader")
        self.upper = self.it.value("select date_trunc('minute', now()) + interval '1 minute'")
        self.store(1, 60)
        self.fold()

    def store(self, first, last):
        harness.psql(self.writer, LATELY % (self.upper, first, last))

    def fold(self):
        """All there is; no other transaction has to do with this database."""
        self.it.rows("update logmill.fold_state set marked_at = clock_timestamp(), horizon = '0'")
        self.assertEqual(harness.psql(self.writer, "select more from logmill.fold('UTC', '1 day', '1 min')"), [["f"]])

    def read(self, unit="slot"):
        """How many records the hour has, how many slots of it are used, and of how many minutes that leaves."""
        window = "'%s'::timestamptz - interval '60 minutes', '%s'" % (self.upper, self.upper)
        return [int(n) for n in harness.psql(self.reader, """
            select (select sum(n) from log_rollup(%s, '%s', null)), coalesce(cardinality(slots), 0),
                   (select coalesce(sum(extract(epoch from upper(m) - lower(m))::int / 60), 0) from unnest(minutes) m)
            from rollup_cover(%s, '%s', null)""" % (window, unit, window, unit))[0]]

    def test_a_slot_is_used_until_a_record_comes_late(self):
        n, slots, minutes = self.read()
        self.assertEqual(n, 60)
        self.assertGreaterEqual(slots, 10)
        self.assertEqual(5 * slots + minutes, 60)
        self.assertEqual(self.read("minute"), [60, 0, 60])
        self.store(12, 13)                                  # of a slot or two that are over
        late, left, _ = self.read()
        self.assertEqual(late, 62)
        self.assertIn(slots - left, range(1, 13))           # an hour that is over goes stale as a whole
        self.fold()
        self.assertEqual(self.read()[0], 62)
        self.assertGreaterEqual(self.read()[1], slots)

    def test_soft_deletion_is_seen_at_once(self):
        at = "timestamptz '%s' - interval '12 minutes'" % self.upper
        self.it.rows("select logmill.ensure_leaf('raw', %s); insert into logmill.logs (created_at, category, level, log_type, service, "
                     "environment, message, kafka_partition, kafka_offset, ingested_at) select %s, 'raw', 'INFO', 'BACKEND', 's', "
                     "'production', 'm', 0, 1, now()" % (at, at))
        self.it.rows("update logmill.logs set deleted_at = now()")
        self.assertEqual(self.read()[0], 59)
        self.fold()
        self.assertEqual(self.read()[0], 59)
        self.it.rows("update logmill.logs set deleted_at = null")
        self.assertEqual(self.read()[0], 60)

    def test_old_slots_are_forgotten(self):
        self.it.rows("insert into logmill.fold_slot select slot - interval '50 days', category, 0, 0 from logmill.fold_slot; "
                     "update logmill.log_rollup_slot set slot = slot - interval '50 days'")
        self.fold()
        self.assertEqual(self.it.rows("select (select min(slot) from logmill.fold_slot) > now() - interval '2 hours', "
                                      "(select count(*) from logmill.log_rollup_slot where slot < now() - interval '2 hours')"),
                         [["t", "0"]])


class Summaries(harness.Case):
    """What the BRIN index of a leaf knows, after logmill.summarise."""

    def setUp(self):
        self.it = self.world(topics=False)
        self.it.rows("select logmill.ensure_leaf('raw', now() - i * interval '1 hour') from generate_series(0, 3) i")
        for (leaf,) in self.it.rows("select name from logmill.leaf"):
            self.it.rows("alter table logmill.%s set (autovacuum_enabled = off)" % leaf)    # it summarises too
        self.hour = "timestamptz '%s'" % self.it.value("select date_trunc('hour', now())")
        self.rows_at(self.hour + " - interval '2 hours'", 30000)
        self.it.rows("analyze")                             # as autovacuum does

    def rows_at(self, start, count):
        self.it.rows("insert into logmill.logs (created_at, category, level, log_type, service, environment, message, trace_id, "
                     "kafka_partition, kafka_offset, ingested_at) select %s + i * interval '1 ms', 'raw', 'INFO', 'BACKEND', 's', "
                     "'production', repeat('m', 200), md5(i::text), 0, i, now() from generate_series(1, %d) i" % (start, count))

    def summarise(self, budget):
        return harness.psql(self.it.url("logmill_writer"), "select stretches, more from logmill.summarise('%s')" % budget)[0]

    def pages_read(self):
        """By the look-up of a trace."""
        plan = json.loads("".join(r[0] for r in harness.psql(self.it.url("logmill_reader"),
            "explain (analyze, buffers, format json) select message from logs where created_at >= now() - interval '1 day' and "
            "created_at < now() and trace_id = md5('77')")))[0]["Plan"]
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    def test_a_trace_is_found_by_few_pages_once_its_leaf_is_summarised(self):
        whole = self.pages_read()
        self.assertGreater(whole, 1000)
        self.assertEqual(self.summarise("0 s"), ["1", "t"], "a portion does something, whatever it may take")
        stretches, more = self.summarise("1 min")
        self.assertGreater(int(stretches), 10)
        self.assertEqual(more, "f")
        self.assertLess(self.pages_read(), whole / 3)
        self.assertEqual(self.summarise("1 min"), ["0", "f"])

    def test_late_rows_are_summarised_and_the_end_of_the_running_hour_waits(self):
        self.summarise("1 min")
        self.rows_at(self.hour + " - interval '2 hours'", 10000)
        self.assertGreater(int(self.summarise("1 min")[0]), 3)
        self.rows_at("date_trunc('hour', now())", 3000)
        self.assertEqual(self.summarise("1 min"), ["0", "f"])

    def test_one_at_a_time_and_never_behind_a_lock(self):
        self.assertEqual(harness.psql(self.it.url("logmill_writer"),
            "begin; select pg_advisory_xact_lock(1280134214, hashtext('summarise')); commit; select more from logmill.summarise('1 min')")[-1], ["f"])
        self.rows_at(self.hour + " - interval '1 hour'", 10000)
        leaf = self.it.value("select logmill.find_leaf('raw', %s - interval '1 hour')" % self.hour)
        holder = subprocess.Popen(["psql", self.it.admin_url, "-Xq"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(lambda: (holder.stdin.close(), holder.wait(20)))
        holder.stdin.write("begin; select pg_advisory_xact_lock(1280134214, hashtext('summarise')); "
                           "lock table logmill.%s in share update exclusive mode;\n" % leaf)
        holder.stdin.flush()
        self.wait_until(lambda: self.it.value("select count(*) from pg_locks where mode = 'ShareUpdateExclusiveLock' and granted and "
                                              "relation = 'logmill.%s'::regclass" % leaf) == "1", what="the lock")
        self.assertEqual(self.summarise("1 min"), [None, None], "another is at it")
        holder.stdin.write("commit; begin; lock table logmill.%s in share update exclusive mode;\n" % leaf)
        holder.stdin.flush()
        self.wait_until(lambda: self.it.value("select count(*) from pg_locks where locktype = 'advisory' and database = "
                                              "(select oid from pg_database where datname = current_database())") == "0", what="the turn")
        self.wait_until(lambda: self.it.value("select count(*) from pg_locks where mode = 'ShareUpdateExclusiveLock' and granted and "
                                              "relation = 'logmill.%s'::regclass" % leaf) == "1", what="the lock")
        self.assertEqual(self.summarise("1 min"), ["0", "f"], "what VACUUM holds waits for the next call")
        holder.stdin.write("commit;\n")
        holder.stdin.flush()
        self.wait_until(lambda: int(self.summarise("1 min")[0] or 0) > 0, what="its turn")


class RunningSlots(harness.Case):
    def test_slots_are_folded_as_they_end_and_nothing_else(self):
        it = self.world(topics=False)
        hour = it.value("select date_trunc('hour', now(), 'UTC') - interval '1 hour'")
        it.rows("insert into logmill.log_rollup_minute (minute, category, service, environment, level, kafka_partition, n) "
                "select '%s'::timestamptz + i * interval '1 minute', 'raw', 's', 'production', 'INFO', 0, 1 from generate_series(-30, 40) i" % hour)
        state = "update logmill.fold_state set closed = '%s', marked_at = '%s'::timestamptz + interval '%d minutes', horizon = '0'"
        slots = "select extract(minute from slot)::integer, sum(n) from logmill.log_rollup_slot where slot >= '%s' group by slot order by slot" % hour
        for closed, folded in ((4, []), (17, ["0", "5", "10"]), (19, ["0", "5", "10"]), (20, ["0", "5", "10", "15"])):
            it.rows(state % (hour, hour, closed))
            harness.psql(it.url("logmill_writer"), "select logmill.fold_running()")
            self.assertEqual(it.rows(slots), [[m, "5"] for m in folded], closed)
        self.assertEqual(it.value("select count(*) from logmill.log_rollup_slot where slot < '%s'" % hour), "0", "left to fold")
        self.assertEqual(it.value("select count(*) from logmill.fold_hour"), "0")
        self.assertEqual(it.rows("select sum(info) from logmill.count_slot union all select sum(info) from logmill.total_slot"), [["20"], ["20"]])


class ConsumerFolds(harness.Case):
    def test_a_consumer_folds_by_itself_in_its_zone(self):
        it = self.world(partitions=1)
        consumer = it.start("logmill-consumer", "--fold-zone", "Asia/Seoul")
        yesterday = datetime.datetime.now(datetime.timezone.utc).replace(hour=3, minute=0) - datetime.timedelta(days=2)
        lines = "".join('{"timestamp":"%s","message":"m %d","service":"s"}\n' % (
            (yesterday + datetime.timedelta(minutes=i)).isoformat(), i) for i in range(300))
        lately = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=3)
        lines += '{"timestamp":"%s","message":"lately","service":"s"}\n' % lately.isoformat()
        subprocess.run(["kcat", "-b", it.servers.brokers, "-P", "-t", it.topic()], input=lines.encode(), check=True, timeout=30)
        self.wait_until(lambda: it.value("select count(*) from logmill.logs") == "301", what="stored")
        # What the consumer's first calls would do, a minute apart: mark where transactions stand, find them finished.
        self.wait_until(lambda: it.value("select logmill.close_hours() > now() - interval '5 minutes'") == "t", what="hours closed")
        self.wait_until(lambda: it.value("select sum(n) >= 300 from logmill_read.log_rollup_day where zone = 'Asia/Seoul'") == "t",
                        90, "folded")
        self.wait_until(lambda: consumer.metric("logmill_consumer_folds_total") > 5)
        self.wait_until(lambda: it.value("select count(*) > 0 from logmill.leaf_summary") == "t", 60, "summarised")


if __name__ == "__main__":
    unittest.main()
