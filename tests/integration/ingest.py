"""What the consumer's tests share: made-up records, and whether the database holds exactly what it should."""
import subprocess
import time

import harness

ROLLUP_DIFFERENCE = """
with truth as (
    select date_trunc('minute', created_at, 'UTC') as minute, category, service, environment, level, kafka_partition,
           count(*) as n, count(duration_ms) as dn, coalesce(sum(logmill.duration_us(duration_ms)), 0)::bigint as ds,
           max(logmill.duration_us(duration_ms)) as dm
    from logmill.logs group by 1, 2, 3, 4, 5, 6),
kept as (
    select minute, category, service, environment, level, kafka_partition, n, duration_n, duration_sum_us, duration_max_us
    from logmill.log_rollup_minute)
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
BUCKET_DIFFERENCE = """
with truth as (
    select date_trunc('minute', created_at, 'UTC') as minute, category, service, environment, level, kafka_partition,
           logmill.duration_bucket(duration_ms) as bucket, count(*) as n
    from logmill.logs where duration_ms is not null group by 1, 2, 3, 4, 5, 6, 7),
kept as (
    select minute, category, service, environment, level, kafka_partition, u.bucket, u.n
    from logmill.log_rollup_minute, unnest(duration_buckets, duration_counts) as u (bucket, n))
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
ERROR_DIFFERENCE = """
with truth as (
    select date_trunc('hour', created_at, 'UTC') as hour, category, service, environment, coalesce(error_type, '') as error_type,
           pattern, kafka_partition, count(*) as n, min(created_at) as first_seen, max(created_at) as last_seen
    from logmill.logs where level >= 'ERROR' group by 1, 2, 3, 4, 5, 6, 7),
kept as (
    select hour, category, service, environment, error_type, pattern, kafka_partition, n, first_seen, last_seen
    from logmill.error_pattern_hour)
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
MISSING_NAMES = """
with truth as (
    select distinct k.kind, k.value, l.category, l.service, l.environment, l.kafka_partition
    from logmill.logs l cross join lateral (values
        ('service', service), ('environment', environment), ('host', host), ('component', component), ('module', module),
        ('endpoint', endpoint), ('error_type', error_type), ('event_type', event_type)) as k (kind, value)
    where k.value <> ''
    union select distinct 'metadata_key', k, l.category, l.service, l.environment, l.kafka_partition
    from logmill.logs l cross join lateral jsonb_object_keys(l.metadata) k)
select count(*) from (table truth except
    select kind, value, category, service, environment, kafka_partition from logmill.log_name) d
"""
MISSING_PATTERNS = """
select count(*) from (select distinct pattern from logmill.logs except select pattern from logmill.log_pattern) d
"""


def generate(world, count, topic=None, first=0, **options):
    """Sends records first … count - 1 of a seed into a topic of 4 partitions."""
    command = [str(harness.BIN / "logmill-generate"), "--brokers", world.servers.brokers, "--topic", topic or world.topic("raw"),
               "--count", str(count), "--from", str(first)]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def stored(world):
    return int(world.value("select coalesce(sum(next_offset), 0) from logmill.ingest_offset where topic = '%s'" % world.topic("raw")))


def check_exactly_once(case, world, count, partitions=4):
    """Every generated record is there once, in the order of its partition, and what is kept besides agrees to the row."""
    rows = world.rows("""select kafka_partition, count(*), count(distinct kafka_offset), count(distinct metadata->>'n'),
        min((metadata->>'n')::bigint), max((metadata->>'n')::bigint) from logmill.logs group by 1 order by 1""")
    case.assertEqual([int(r[0]) for r in rows], list(range(partitions)))
    for r in rows:
        expected = (count - int(r[0]) + partitions - 1) // partitions
        case.assertEqual([int(v) for v in r[1:]], [expected, expected, expected, 0, expected - 1], "partition " + r[0])
    disorder = world.value("""select count(*) from (select (metadata->>'n')::bigint as n, lag((metadata->>'n')::bigint)
        over (partition by kafka_partition order by kafka_offset) as before from logmill.logs) o where n <= before""")
    case.assertEqual(disorder, "0", "records out of order within their partition")
    check_rollups(case, world)


def check_rollups(case, world):
    for what, sql in (("log_rollup_minute", ROLLUP_DIFFERENCE), ("its histograms", BUCKET_DIFFERENCE),
                      ("error_pattern_hour", ERROR_DIFFERENCE), ("log_name", MISSING_NAMES), ("log_pattern", MISSING_PATTERNS)):
        case.assertEqual(world.value(sql), "0", what + " differs from GROUP BY on logs")


def dead_letters(world, topic=None):
    """Messages in a dead-letter topic."""
    return world.consume((topic or world.topic("raw")) + ".dlq", fmt="x").count(b"x")


def pause(random, low, high):
    """A random moment: chaos needs time to pass, not a condition."""
    time.sleep(random.uniform(low, high))
