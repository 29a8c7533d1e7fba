"""What the consumer's tests share: made-up records, and whether the database holds exactly what it should."""
import json
import os
import re
import struct
import subprocess
import tempfile
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
# Of minutes that nothing was counted in before there were totals.
TOTAL_DIFFERENCE = """
with truth as (
    select date_trunc('minute', created_at, 'UTC') as minute, category, kafka_partition, count(*) filter (where level = 'DEBUG') as debug,
           count(*) filter (where level = 'INFO') as info, count(*) filter (where level = 'WARN') as warn,
           count(*) filter (where level = 'ERROR') as error, count(*) filter (where level = 'FATAL') as fatal
    from logmill.logs where date_trunc('minute', created_at, 'UTC') >= (select since from logmill.total_state) group by 1, 2, 3),
kept as (select * from logmill.total_minute where minute >= (select since from logmill.total_state))
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
COUNT_DIFFERENCE = """
with truth as (
    select date_trunc('minute', created_at, 'UTC') as minute, category, service, environment, kafka_partition,
           count(*) filter (where level = 'DEBUG') as debug, count(*) filter (where level = 'INFO') as info,
           count(*) filter (where level = 'WARN') as warn, count(*) filter (where level = 'ERROR') as error,
           count(*) filter (where level = 'FATAL') as fatal
    from logmill.logs where date_trunc('minute', created_at, 'UTC') >= (select apart_since from logmill.total_state) group by 1, 2, 3, 4, 5),
kept as (select * from logmill.count_minute where minute >= (select apart_since from logmill.total_state))
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
BUCKET_DIFFERENCE = """
with truth as (
    select date_trunc('minute', created_at, 'UTC') as minute, category, service, environment, level, kafka_partition,
           logmill.duration_bucket(duration_ms) as bucket, count(*) as n
    from logmill.logs where duration_ms is not null group by 1, 2, 3, 4, 5, 6, 7),
kept as (
    select minute, category, service, environment, level, kafka_partition, bucket, n from logmill_read.log_duration_minute)
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
DURATION_DIFFERENCE = """
with truth as (
    select q.minute, category, service, environment, kafka_partition, sum(q.n * logmill.histogram_unit(q.bucket)) as histogram
    from (select date_trunc('minute', created_at, 'UTC') as minute, category, service, environment, kafka_partition,
                 logmill.duration_bucket(duration_ms) as bucket, count(*) as n
          from logmill.logs where duration_ms is not null group by 1, 2, 3, 4, 5, 6) q
    group by 1, 2, 3, 4, 5),
kept as (select minute, category, service, environment, kafka_partition, histogram from logmill.duration_minute)
select count(*) from ((table truth except table kept) union all (table kept except table truth)) d
"""
# Of minutes that are still kept; what is there of others is nobody's.
SECOND_DIFFERENCE = """
with truth as (
    select minute, category, service, environment, kafka_partition, sum(u) filter (where level = 'DEBUG') as debug,
           sum(u) filter (where level = 'INFO') as info, sum(u) filter (where level = 'WARN') as warn,
           sum(u) filter (where level = 'ERROR') as error, sum(u) filter (where level = 'FATAL') as fatal
    from (select date_trunc('minute', created_at, 'UTC') as minute, category, service, environment, level, kafka_partition,
                 ('1e' || 16 * floor(extract(second from created_at))::integer)::numeric as u from logmill.logs) l
    where minute >= (select since from logmill_read.seconds_since) group by 1, 2, 3, 4, 5),
kept as (select * from logmill_read.seconds_minute where minute >= (select since from logmill_read.seconds_since))
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
    as_asked = count / options["rate"] if "rate" in options else 0
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300 + 2 * as_asked).stdout


def stored(world):
    return int(world.value("select coalesce(sum(next_offset), 0) from logmill.ingest_offset where topic = '%s'" % world.topic("raw")))


class Case(harness.Case):
    """A test of consumers. What LOGMILL_TEST_CONSUMER holds is put before their arguments (such as --log-level=debug)."""

    def start(self, world, *arguments, **options):
        extra = os.environ.get("LOGMILL_TEST_CONSUMER", "").split()
        consumer = world.start("logmill-consumer", "--kafka=session.timeout.ms=6000", *extra, *arguments, **options)
        self.addCleanup(self.ends_well, consumer)
        return consumer

    def ends_well(self, consumer):
        """It has ended with 0, or SIGTERM does it: no handle left open, nothing a sanitizer complains about."""
        self.assertEqual(consumer.terminate(), 0, consumer.log()[-3000:])

    def wait_for_offsets(self, world, total, seconds=60):
        try:
            self.wait_until(lambda: stored(world) >= total, seconds)
        finally:
            self.assertEqual(stored(world), total, "offsets committed")


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
    for what, sql in (("log_rollup_minute", ROLLUP_DIFFERENCE), ("total_minute", TOTAL_DIFFERENCE), ("count_minute", COUNT_DIFFERENCE),
                      ("histograms by level", BUCKET_DIFFERENCE), ("duration_minute", DURATION_DIFFERENCE), ("seconds_minute", SECOND_DIFFERENCE),
                      ("error_pattern_hour", ERROR_DIFFERENCE), ("log_name", MISSING_NAMES), ("log_pattern", MISSING_PATTERNS)):
        case.assertEqual(world.value(sql), "0", what + " differs from GROUP BY on logs")


def dead_letters(world, topic=None):
    """Messages in a dead-letter topic."""
    return world.consume((topic or world.topic("raw")) + ".dlq", fmt="x").count(b"x")


def pause(random, low, high):
    """A random moment: chaos needs time to pass, not a condition."""
    time.sleep(random.uniform(low, high))


def zigzag(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytearray([n]))


def avro(fingerprint, **record):
    """A record in Avro single-object encoding, written from schemas/log_record.avsc alone."""
    def value(kind, v):
        if isinstance(kind, list):
            at = 0 if v is None else next(i for i, k in enumerate(kind) if k != "null")
            return zigzag(kind.index("null") if v is None else at) + (b"" if v is None else value(kind[at], v))
        name = kind["type"] if isinstance(kind, dict) else kind
        if name == "enum":
            return zigzag(kind["symbols"].index(v))
        if name == "array":
            return (zigzag(len(v)) + b"".join(value(kind["items"], i) for i in v) if v else b"") + b"\0"
        if name in ("long", "int"):
            return zigzag(v)
        if name == "double":
            return struct.pack("<d", v)
        data = v.encode() if isinstance(v, str) else v
        return zigzag(len(data)) + data
    schema = json.loads((harness.ROOT / "schemas" / "log_record.avsc").read_text())
    defaults = dict(timestamp=int(time.time() * 1e6), category="raw", level="INFO", log_type="BACKEND", service="made",
                    environment="production", message="hello", tags=[])
    unknown = set(record) - {f["name"] for f in schema["fields"]}
    assert not unknown, unknown
    return b"\xc3\x01" + fingerprint + b"".join(
        value(f["type"], record.get(f["name"], defaults.get(f["name"]))) for f in schema["fields"])


def produce(world, topic, value, key=None, headers=(), partition=0):
    """One message, as it is; None is a tombstone."""
    if not value:
        kafka_admin(world, "produce", topic, partition, "null" if value is None else "empty", key or "", *("%s=%s" % h for h in headers))
        return
    with tempfile.NamedTemporaryFile() as f:
        f.write(value)
        f.flush()
        command = ["kcat", "-b", world.servers.brokers, "-P", "-t", topic, "-p", str(partition), "-X", "message.max.bytes=10000000"]
        command += ["-k", key] if key is not None else []
        for name, content in headers:
            command += ["-H", "%s=%s" % (name, content)]
        subprocess.run(command + [f.name], check=True, capture_output=True, timeout=30 * harness.PATIENCE)


def letters(world, topic=None):
    """What is in a dead-letter topic: [{key, value, headers}]; a missing key or value is None."""
    fmt = "%K,%S,%h\n%k%s\n"
    data = world.consume((topic or world.topic("raw")) + ".dlq", fmt=fmt.replace("\n", "\\n"))
    out = []
    while data:
        line, data = data.split(b"\n", 1)
        key_size, size, headers = line.split(b",", 2)
        key_size, size = int(key_size), int(size)
        key, value = data[:max(key_size, 0)], data[max(key_size, 0):max(key_size, 0) + max(size, 0)]
        data = data[len(key) + len(value) + 1:]
        parsed = dict(re.findall(r"(dlq\.[a-z.]+|x-[a-z]+)=(.*?)(?=,dlq\.|,x-|$)", headers.decode(errors="replace")))
        out.append(dict(key=None if key_size < 0 else key, value=None if size < 0 else value, headers=parsed))
    return out


def delete_records(world, topic, partition, before):
    """What retention does."""
    kafka_admin(world, "delete-records", topic, partition, before)


def delete_topic(world, topic):
    kafka_admin(world, "delete-topic", topic)


def kafka_admin(world, *arguments):
    subprocess.run([str(harness.BIN / "logmill-test-kafka"), world.servers.brokers] + [str(a) for a in arguments], check=True,
                   timeout=60 * harness.PATIENCE)
