"""logs.deleted_at: what is counted follows it, to the row."""
import unittest

import harness

# Rows over two hours; minutes, services, levels and patterns collide on purpose, durations and error types may be missing.
FILL = """
select logmill.ensure_leaf(c, t) from unnest(enum_range(null::logmill.log_category)) c,
    unnest(array['2026-03-18 05:30+00', '2026-03-18 06:30+00']::timestamptz[]) t;
select setseed(0.42);
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, error_type, duration_ms,
                          kafka_partition, kafka_offset, ingested_at, pattern)
select timestamptz '2026-03-18 05:55+00' + floor(random() * 6000) * interval '0.1 s',
       (array['raw', 'summary'])[1 + floor(random() * 2)]::logmill.log_category,
       (enum_range(null::logmill.log_level))[1 + floor(random() * 5)], 'BACKEND', 's' || floor(random() * 3),
       'production', 'message ' || i, (array[null, 'A', 'B'])[1 + floor(random() * 3)],
       case when random() < 0.6 then floor(random() * 40) end, floor(random() * 2), i, now(),
       1 + floor(random() * 2)
from generate_series(1, 3000) i;
"""

# What the consumer keeps, computed from the rows.
VIEWS = """
create view minute_rows as
select date_trunc('minute', created_at) as minute, category, service, environment, level, kafka_partition, sum(n)::bigint as n,
       sum(dn)::bigint as duration_n, coalesce(sum(ds), 0)::bigint as s, max(dm) as m
from (select created_at, category, service, environment, level, kafka_partition, logmill.duration_bucket(duration_ms) as b,
             count(*) as n, count(duration_ms) as dn, sum(logmill.duration_us(duration_ms)) as ds,
             max(logmill.duration_us(duration_ms)) as dm
      from (select date_trunc('minute', created_at) as created_at, category, service, environment, level, kafka_partition, duration_ms
            from logmill.logs where deleted_at is null) l
      group by 1, 2, 3, 4, 5, 6, 7) q
group by 1, 2, 3, 4, 5, 6;
create view duration_rows as
select date_trunc('minute', created_at) as minute, category, service, environment, kafka_partition,
       sum(h) as histogram, sum(h) filter (where level = 'DEBUG') as debug,
       sum(h) filter (where level = 'INFO') as info, sum(h) filter (where level = 'WARN') as warn, sum(h) filter (where level = 'ERROR') as error,
       sum(h) filter (where level = 'FATAL') as fatal
from logmill.logs, lateral (select logmill.histogram_unit(logmill.duration_bucket(duration_ms)) as h) u
where deleted_at is null and duration_ms is not null group by 1, 2, 3, 4, 5;
create or replace function logmill.seconds_kept() returns timestamptz language sql volatile return timestamptz '2026-03-01';
create view second_rows as
select date_trunc('minute', created_at) as minute, category, service, environment, kafka_partition,
       sum(u) filter (where level = 'DEBUG') as debug, sum(u) filter (where level = 'INFO') as info, sum(u) filter (where level = 'WARN') as warn,
       sum(u) filter (where level = 'ERROR') as error, sum(u) filter (where level = 'FATAL') as fatal
from logmill.logs, lateral (select ('1e' || 16 * floor(extract(second from created_at))::integer)::numeric as u) s
where deleted_at is null group by 1, 2, 3, 4, 5;
insert into logmill.seconds_minute select * from second_rows;
create view hour_rows as
select date_trunc('hour', created_at) as hour, category, service, environment, coalesce(error_type, '') as error_type, pattern,
       kafka_partition, count(*) as n, min(created_at) as first_seen, max(created_at) as last_seen
from logmill.logs where deleted_at is null and level >= 'ERROR' group by 1, 2, 3, 4, 5, 6, 7;
insert into logmill.log_rollup_minute select * from minute_rows;
insert into logmill.total_minute select * from logmill.minute_totals;
insert into logmill.count_minute select * from logmill.minute_counts;
insert into logmill.duration_minute select * from duration_rows;
insert into logmill.error_pattern_hour
select h.*, (select min(message) from logmill.logs l where l.level >= 'ERROR' and date_trunc('hour', l.created_at) = h.hour
             and l.category = h.category and l.service = h.service and coalesce(l.error_type, '') = h.error_type
             and l.pattern = h.pattern and l.kafka_partition = h.kafka_partition)
from hour_rows h;
create view kept_hours as select hour, category, service, environment, error_type, pattern, kafka_partition, n, first_seen,
                                 last_seen from logmill.error_pattern_hour;
create view differences as
(select 'minute' from ((select * from minute_rows except select * from logmill.log_rollup_minute)
               union all (select * from logmill.log_rollup_minute except select * from minute_rows)) d)
union all
(select 'duration' from ((select * from duration_rows except select * from logmill.duration_minute)
                 union all (select * from logmill.duration_minute except select * from duration_rows)) d)
union all
(select 'total' from ((select * from logmill.minute_totals except select * from logmill.total_minute)
              union all (select * from logmill.total_minute except select * from logmill.minute_totals)) d
 where d.debug + d.info + d.warn + d.error + d.fatal <> 0)                  -- minutes of which nothing is left stay
union all
(select 'count' from ((select * from logmill.minute_counts except select * from logmill.count_minute)
              union all (select * from logmill.count_minute except select * from logmill.minute_counts)) d
 where d.debug + d.info + d.warn + d.error + d.fatal <> 0)
union all
(select 'second' from ((select * from second_rows except select * from logmill.seconds_minute)
               union all (select * from logmill.seconds_minute except select * from second_rows)) d)
union all
(select 'hour' from ((select * from hour_rows except select * from kept_hours)
              union all (select * from kept_hours except select * from hour_rows)) d)
union all
select 'sample' from logmill.error_pattern_hour e where not exists (
    select from logmill.logs l where l.message = e.sample and l.deleted_at is null and l.service = e.service);
"""


class SoftDelete(harness.Case):
    def setUp(self):
        self.it = self.world(topics=False)
        self.it.rows(FILL)
        self.it.rows(VIEWS)
        self.assertEqual(self.differences(), [])

    def differences(self):
        return self.it.rows("select * from differences")

    def update(self, what):
        self.it.rows("update logmill.logs set " + what)

    def test_rows_leave_and_come_back(self):
        for what in ("deleted_at = now() where kafka_offset % 3 = 0",
                     "deleted_at = now() + interval '1 s' where kafka_offset % 6 = 0",  # deleted already: nothing changes
                     "deleted_at = null where kafka_offset % 6 = 0",
                     "deleted_at = now() where duration_ms is null and service = 's1'",
                     "deleted_at = now() where error_type is null",
                     "deleted_at = now() where duration_ms = 39",                       # the maxima
                     "deleted_at = now() where deleted_at is null",
                     "deleted_at = null"):
            self.update(what)
            self.assertEqual(self.differences(), [], what)

    def test_what_falls_to_nothing_is_removed(self):
        self.update("deleted_at = now()")
        self.assertEqual(self.it.value("select count(*) from logmill.log_rollup_minute"), "0")
        self.assertEqual(self.it.value("select count(*) from logmill.duration_minute"), "0")
        self.assertEqual(self.it.value("select count(*) from logmill.seconds_minute"), "0")
        self.assertEqual(self.it.value("select count(*) from logmill.error_pattern_hour"), "0")

    def test_seconds_that_are_not_kept_or_not_counted_stay_as_they_are(self):
        minute = "timestamptz '2026-03-18 06:00Z'"
        for not_kept in ("create or replace function logmill.seconds_kept() returns timestamptz language sql volatile return %s" % minute,
                         "create or replace function logmill.seconds_kept() returns timestamptz language sql volatile return timestamptz '2026-03-01'; "
                         "update logmill.seconds_state set since = %s" % minute):
            before = self.it.rows("select * from logmill.seconds_minute where minute < %s order by 1, 2, 3, 4, 5" % minute)
            self.it.rows(not_kept)
            for what in ("now()", "null"):
                self.update("deleted_at = " + what)
                self.assertEqual(self.it.rows("select * from logmill.seconds_minute where minute < %s order by 1, 2, 3, 4, 5" % minute), before)
                self.assertEqual(self.it.value("select count(*) > 0 from logmill.seconds_minute where minute >= %s" % minute),
                                 "f" if what == "now()" else "t")

    def test_an_update_that_names_a_leaf_counts_as_well(self):
        self.it.rows("update logmill.logs_raw_2026031805 set deleted_at = now() where service = 's0'")
        self.assertEqual(self.differences(), [])

    def test_other_columns_cost_nothing_and_change_nothing(self):
        before = self.it.value("select count(*) from logmill.data_epoch")
        self.update("host = 'h1'")
        self.assertEqual(self.it.value("select count(*) from logmill.data_epoch"), before)
        self.assertEqual(self.differences(), [])

    def test_the_hours_epochs_rise(self):
        self.update("deleted_at = now() where category = 'raw' and kafka_partition = 1 and created_at < '2026-03-18 06:00+00'")
        self.assertEqual(self.it.rows("select category, kafka_partition, hour, version > 0 from logmill.data_epoch"),
                         [["raw", "1", "2026-03-18 05:00:00+00", "t"]])

    def test_a_service_counted_under_other_is_found_there(self):
        self.it.rows("""
            with gone as (delete from logmill.log_rollup_minute where service <> 's0' returning *)
            insert into logmill.log_rollup_minute
            select minute, category, '(other)', environment, level, kafka_partition, n, duration_n, duration_sum_us, duration_max_us
            from gone where service = 's1';
            delete from logmill.duration_minute where service = 's2';
            update logmill.duration_minute set service = '(other)' where service = 's1';
            delete from logmill.seconds_minute where service = 's2';
            update logmill.seconds_minute set service = '(other)' where service = 's1';
            delete from logmill.error_pattern_hour where service = 's2';
            update logmill.error_pattern_hour set service = '(other)' where service = 's1';
            delete from logmill.logs where service = 's2'""")
        total = "select (select sum(b.n) from logmill.seconds_minute, unnest(array[debug, info, warn, error, fatal]) as h, " \
                " logmill_read.histogram_buckets(h) b where service = '(other)') = (select sum(n) from logmill.log_rollup_minute where service = '(other)') and " \
                "(select sum(n) from logmill.log_rollup_minute where service = '(other)') = " \
                "(select count(*) from logmill.logs where service = 's1' and deleted_at is null) and " \
                "(select sum(b.n) from logmill.duration_minute, logmill_read.histogram_buckets(histogram) b " \
                " where service = '(other)') = " \
                "(select sum(n) from logmill_read.log_duration_minute where service = '(other)') and " \
                "(select sum(duration_n) from logmill.log_rollup_minute where service = '(other)') = " \
                "(select count(duration_ms) from logmill.logs where service = 's1' and deleted_at is null) and " \
                "(select sum(n) from logmill.error_pattern_hour where service = '(other)') = " \
                "(select count(*) from logmill.logs where service = 's1' and deleted_at is null and level >= 'ERROR')"
        self.assertEqual(self.it.value(total), "t")
        self.update("deleted_at = now() where service = 's1' and kafka_offset % 4 = 0")
        self.assertEqual(self.it.value(total), "t")
        self.assertEqual(self.it.value("select count(*) from logmill.log_rollup_minute where service = 's1'"), "0")

    def test_parts_of_minutes_have_what_is_left_of_them(self):
        self.update("deleted_at = now() where kafka_offset % 3 = 0")
        minute = self.it.value("select minute from logmill.log_rollup_minute group by minute order by sum(n) desc, minute limit 1")
        for since in ("infinity", "2000-01-01"):            # by their rows, then by their seconds
            self.it.rows("create or replace view logmill_read.seconds_since with (security_invoker = true) as select timestamptz '%s' as since" % since)
            for lower, upper in ((0.3, 59.7), (20.3, 40.6), (40.7, 55.2), (5.1, 50.9), (-1200.7, 1800.2), (-1230.2, 1845.9)):
                window = "'%s'::timestamptz + interval '%s s', '%s'::timestamptz + interval '%s s'" % (minute, lower, minute, upper)
                rows = harness.psql(self.it.url("logmill_reader"), "select level, count(*) from logs where created_at >= %s and created_at < %s "
                                    "group by 1 order by 1" % tuple(window.split(", ")))
                for called in ("log_total(%s, 'hour', null)", "log_count(%s, 'hour', null, 'service', null, null)"):
                    with self.subTest(since=since, lower=lower, upper=upper, called=called):
                        self.assertEqual(rows, harness.psql(self.it.url("logmill_reader"), "select level, sum(n) from %s group by 1 order by 1" % (
                            called % window)))

    def test_the_reader_does_not_see_the_row_any_more(self):
        reader = self.it.url("logmill_reader")
        before = int(harness.psql(reader, "select count(*) from logs")[0][0])
        self.update("deleted_at = now() where kafka_offset <= 10")
        self.assertEqual(int(harness.psql(reader, "select count(*) from logs")[0][0]), before - 10)


if __name__ == "__main__":
    unittest.main()
