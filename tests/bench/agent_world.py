"""The world of bench_agent.py, made by SQL: `rows` records in the 24 hours up to now, in hour leaves, and 30 days of rollups.

12 services (and one rare: one record in 50,000) × 2 environments × 3 levels (one record in ten an error) × 4 Kafka partitions, all of
them in each minute; a trace is five records in a row. Durations are log-normal about 12 to 110 ms, three decades wide. The rollups of the day are counted from its rows, those of the 29 days
before are the same moved back; every hour of every partition has an epoch, as where each hour got late records. Folded as the
consumers fold, vacuumed as autovacuum would have done, the ends of the day's leaves summarised as the consumers do.
"""
import datetime
import math

RARE = "legacy-batch"
TRACE_OF = 5                                                # records
SERVICES = ["api-gateway", "auth-service", "cart-service", "catalog-service", "email-service", "inventory-service", "order-service",
            "payment-service", "profile-service", "search-service", "shipping-service", "user-service"]

ROWS = """
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, host, component, error_type,
                          http_status, endpoint, method, duration_ms, user_id, trace_id, tags, metadata, kafka_partition,
                          kafka_offset, ingested_at, pattern)
select at, 'raw', l.level, 'BACKEND',
       case when i %% 50000 = 7 then '%(rare)s' else (array[%(services)s])[1 + i %% 12] end,
       case when i / 12 %% 2 = 0 then 'production' else 'staging' end,
       'request ' || i || ' handled by worker ' || i %% 64 || ', nothing else to say about it', 'host-' || i %% 30, 'core',
       case when l.level = 'ERROR' then 'Error' || i %% 7 end, (array[200, 200, 404, 500])[1 + i %% 4], '/api/items/' || i %% 50, 'GET',
       exp(2.5 + i %% 12 * 0.2 + 1.6 * (random() + random() + random() + random() - 2)), 'u' || i %% 5000, md5((i / 5)::text), array['a'], '{"retry": 1}',
       i / 240 %% 4, i, at, i %% 200
from generate_series(%(first)d, %(last)d) i,
     lateral (select '%(start)s'::timestamptz + i / %(rate)f::float8 * interval '1 second' as at) t,
     lateral (select (array['INFO', 'INFO', 'INFO', 'INFO', 'INFO', 'INFO', 'INFO', 'WARN', 'WARN', 'ERROR'])
                     [1 + i / 24 %% 10]::logmill.log_level as level) l;
"""

# An hour's rows as the consumer counts them.
COUNTED = """
insert into logmill.log_rollup_minute
select date_trunc('minute', created_at), 'raw'::logmill.log_category, service, environment, level, kafka_partition, count(*), count(*),
       sum(logmill.duration_us(duration_ms)), max(logmill.duration_us(duration_ms))
from logmill.logs where category = 'raw' and created_at >= '%(from)s' and created_at < '%(to)s' group by 1, 2, 3, 4, 5, 6;
insert into logmill.total_minute select * from logmill.minute_totals where minute >= '%(from)s' and minute < '%(to)s';
insert into logmill.count_minute select * from logmill.minute_counts where minute >= '%(from)s' and minute < '%(to)s' order by minute;
insert into logmill.duration_minute
select minute, 'raw'::logmill.log_category, service, environment, kafka_partition, sum(h), sum(h) filter (where level = 'DEBUG'),
       sum(h) filter (where level = 'INFO'), sum(h) filter (where level = 'WARN'), sum(h) filter (where level = 'ERROR'),
       sum(h) filter (where level = 'FATAL')
from (select date_trunc('minute', created_at) as minute, service, environment, level, kafka_partition,
             (count(*) || 'e' || 16 * logmill.duration_bucket(duration_ms))::numeric as h
      from logmill.logs where category = 'raw' and created_at >= '%(from)s' and created_at < '%(to)s'
      group by 1, 2, 3, 4, 5, logmill.duration_bucket(duration_ms)) q
group by 1, 2, 3, 4, 5;
insert into logmill.error_pattern_hour as e
select date_trunc('hour', created_at), 'raw'::logmill.log_category, service, environment, error_type, pattern, kafka_partition, count(*), min(created_at),
       max(created_at), min(message)
from logmill.logs where category = 'raw' and created_at >= '%(from)s' and created_at < '%(to)s' and level >= 'ERROR'
group by 1, 2, 3, 4, 5, 6, 7
on conflict (hour, category, service, environment, error_type, pattern, kafka_partition) do update
set n = e.n + excluded.n, last_seen = excluded.last_seen;
"""

# As the consumer counts seconds, of the whole day: there are no others.
SECONDS = """
insert into logmill.seconds_minute
select date_trunc('minute', second), 'raw'::logmill.log_category, service, environment, kafka_partition, null, sum(u) filter (where level = 'INFO'),
       sum(u) filter (where level = 'WARN'), sum(u) filter (where level = 'ERROR')
from (select date_trunc('second', created_at) as second, service, environment, level, kafka_partition,
             (count(*) || 'e' || 16 * extract(second from date_trunc('second', created_at))::integer)::numeric as u
      from logmill.logs where category = 'raw' and created_at >= '%(from)s' and created_at < '%(to)s' group by 1, 2, 3, 4, 5) q
group by 1, 2, 3, 4, 5;
"""

# The counts of the day, 1 to 29 days earlier.
EARLIER = """
insert into logmill.log_rollup_minute
select minute - %(days)d * interval '24 hours', category, service, environment, level, kafka_partition, n, duration_n, duration_sum_us,
       duration_max_us
from logmill.log_rollup_minute where minute >= '%(from)s' and minute < '%(from)s'::timestamptz + interval '24 hours'
order by minute;
insert into logmill.total_minute
select minute - %(days)d * interval '24 hours', category, kafka_partition, debug, info, warn, error, fatal
from logmill.total_minute where minute >= '%(from)s' and minute < '%(from)s'::timestamptz + interval '24 hours';
insert into logmill.count_minute
select minute - %(days)d * interval '24 hours', category, service, environment, kafka_partition, debug, info, warn, error, fatal
from logmill.count_minute where minute >= '%(from)s' and minute < '%(from)s'::timestamptz + interval '24 hours' order by minute;
insert into logmill.duration_minute
select minute - %(days)d * interval '24 hours', category, service, environment, kafka_partition, histogram, debug, info, warn,
       error, fatal
from logmill.duration_minute where minute >= '%(from)s' and minute < '%(from)s'::timestamptz + interval '24 hours'
order by minute;
"""

REST = """
insert into logmill.data_epoch
select 'raw'::logmill.log_category, p, h, 1 from generate_series(0, 3) p, generate_series('%(from)s'::timestamptz - interval '29 days',
                                                                    date_trunc('hour', now()) - interval '1 hour', '1 hour') h;
insert into logmill.log_name
select kind, case kind when 'service' then service else environment end, 'raw'::logmill.log_category, service, environment, kafka_partition, now() - interval '30 days',
       max(minute), sum(n)
from logmill.log_rollup_minute, unnest(array['service', 'environment']) kind where minute >= now() - interval '2 hours'
group by 1, 2, 3, 4, 5, 6;
insert into logmill.log_name
select 'service', '%(rare)s', 'raw', '%(rare)s', 'production', 0, now() - interval '30 days', now(), 1 on conflict do nothing;
"""


def make(world, rows):
    """Fills the database of `world`; the moment of the first record."""
    now = datetime.datetime.now(datetime.timezone.utc)
    start = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=24)
    rate = rows / (now - start).total_seconds()
    world.rows("select logmill.ensure_leaf('raw', '%s'::timestamptz + i * interval '1 hour') from generate_series(0, 26) i" % start)
    filled = fill(world, start, rate, start)
    for days in range(1, 30):
        world.rows(EARLIER % {"days": days, "from": start}, timeout=1200)
    world.rows(REST % {"rare": RARE, "from": start}, timeout=1200)
    world.rows("vacuum analyze", timeout=3600)
    fold(world)
    filled = fill(world, start, rate, filled)               # what has passed meanwhile: no window of the bench ends in a gap
    fold(world)
    world.rows("vacuum analyze", timeout=3600)
    fill(world, start, rate, filled)
    return start


def fill(world, start, rate, at):
    """The records from `at` to the last whole minute, an hour at a time, and what is counted of them; where it came to."""
    while (to := min(at.replace(minute=0) + datetime.timedelta(hours=1),
                     datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0))) > at:
        first, last = (math.ceil((t - start).total_seconds() * rate) for t in (at, to))
        hour = {"rare": RARE, "services": ", ".join("'%s'" % s for s in SERVICES), "start": start, "rate": rate, "first": first, "last": last - 1,
                "from": at, "to": to}
        world.rows(ROWS % hour, timeout=1200)
        world.rows((COUNTED + SECONDS) % hour, timeout=1200)
        at = to
    return at


def fold(world):
    """Hours and days, as far as they are closed; the first call only marks where transactions stand."""
    while True:
        more = world.rows("select more from logmill.fold('Asia/Seoul', '60 days', '20 s')", timeout=600)[0][0]
        if more == "f":
            return
