"""logmill-consumer against real Kafka and PostgreSQL: what it stores, what it refuses, and how it stops."""
import json
import re
import struct
import subprocess
import time
import unittest

import harness
import ingest

GOOD = 10000


def seconds_ago(s):
    return int((time.time() - s) * 1e6)


class Consumer(ingest.Case):
    def test_poison_among_good_records_goes_to_the_dead_letters_and_nothing_else_does(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        ingest.generate(world, GOOD // 2, partitions=1)
        fingerprint = self.fingerprint_of(world, topic)
        avro = lambda **r: ingest.avro(fingerprint, **r)
        text = lambda **r: json.dumps(r).encode()
        whole = avro(message="cut off")
        poison = [
            ("nul", text(message="a\0b")),
            ("nul", avro(message="a\0b")),
            ("utf8", b'{"message":"a\xff\xfeb"}'),
            ("utf8", avro(message=b"\xc0\xaf")),
            ("nul", b'{"message":"x","metadata":{"a":"\\u0000"}}'),
            ("nul", avro(message="x", metadata='{"a":"\\u0000"}')),
            ("metadata", avro(message="x", metadata="[1]")),
            ("metadata", avro(message="x", metadata='{"a":1e400000}')),
            ("timestamp", avro(message="x", timestamp=(1 << 63) - 1)),
            ("timestamp", avro(message="x", timestamp=-(1 << 63))),
            ("time_window", avro(message="x", timestamp=seconds_ago(86400 * 400))),
            ("time_window", avro(message="x", timestamp=seconds_ago(-86400 * 2))),
            ("truncated", whole[:-3]),
            ("trailing_bytes", whole + b"\0"),
            ("not_a_record", b"hello"),
            ("not_a_record", b"[1,2]"),
            ("json", b'{"message":'),
            ("no_registry", b"\x00\x00\x00\x00\x07abc"),
            ("empty", b""),
            ("empty", None),
            ("no_message", text(service="x")),
            ("too_long", text(message="x", service="s" * 256)),
            ("category_mismatch", text(message="x", category="summary")),
            ("client_ip", avro(message="x", client_ip="nowhere")),
            ("http_status", avro(message="x", http_status=70000)),
        ]
        for i, (_, value) in enumerate(poison):
            ingest.produce(world, topic, value, key="key-%d" % i if i % 2 else None, headers=[("x-number", i), ("x-kind", "p,q=r")])
        big = "b" * 900000
        ingest.produce(world, topic, avro(message=big))
        ingest.generate(world, GOOD, first=GOOD // 2, partitions=1)

        consumer = self.start(world)
        self.wait_for_offsets(world, GOOD + len(poison) + 1)
        self.assertEqual(world.value("select count(*) from logmill.logs where service like 'service-%'"), str(GOOD))
        self.assertEqual(world.value("select count(distinct metadata->>'n') from logmill.logs"), str(GOOD))
        self.assertEqual(world.value("select length(message) from logmill.logs where service = 'made'"), "900000")
        self.assertEqual(world.value("select count(*) from logmill.logs"), str(GOOD + 1))
        ingest.check_rollups(self, world)

        letters = ingest.letters(world)
        by_number = {int(l["headers"]["x-number"]): l for l in letters}
        self.assertEqual(len(letters), len(poison))
        for i, (kind, value) in enumerate(poison):
            with self.subTest(i=i, kind=kind):
                letter = by_number[i]
                self.assertEqual(letter["headers"]["dlq.error.class"], kind)
                self.assertEqual(letter["value"] or None, value or None)
                self.assertEqual(letter["key"] or None, b"key-%d" % i if i % 2 else None)
                self.assertEqual(letter["headers"]["x-kind"], "p,q=r")
                self.assertEqual(letter["headers"]["dlq.topic"], topic)
                self.assertEqual(letter["headers"]["dlq.partition"], "0")
                self.assertEqual(letter["headers"]["dlq.offset"], str(GOOD // 2 + i))
                self.assertIn("logmill-consumer/", letter["headers"]["dlq.consumer"])
        self.wait_until(lambda: consumer.metric("logmill_consumer_dead_letters_total") == len(poison))

    def fingerprint_of(self, world, topic):
        """Of our own schema, as the generator's records carry it."""
        return world.consume(topic, fmt="%s")[2:10]

    def test_a_row_that_postgres_alone_refuses_is_taken_out_by_its_copy_line(self):
        world = self.world(partitions=1)
        world.rows("alter table logmill.logs_raw add constraint mood check (message <> 'evil')")
        topic = world.topic("raw")
        ingest.generate(world, 500, partitions=1)
        for i in range(3):
            ingest.produce(world, topic, b'{"message":"evil"}', headers=[("x-number", i)])
        ingest.generate(world, 1000, first=500, partitions=1)
        self.start(world)
        self.wait_for_offsets(world, 1003)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "1000")
        letters = ingest.letters(world)
        self.assertEqual([(l["value"], l["headers"]["dlq.sqlstate"], l["headers"]["dlq.offset"]) for l in letters],
                         [(b'{"message":"evil"}', "23514", str(500 + i)) for i in range(3)])
        ingest.check_rollups(self, world)

    def test_a_bad_row_that_no_copy_line_names_is_found_by_halving(self):
        world = self.world(partitions=1)
        world.rows("""create function logmill.refuse() returns trigger language plpgsql as $$
            begin if new.message = 'evil' then perform 1 / 0; end if; return null; end $$;
            create constraint trigger refuse after insert on logmill.logs_raw deferrable initially deferred
            for each row execute function logmill.refuse()""")
        topic = world.topic("raw")
        ingest.generate(world, 300, partitions=1)
        ingest.produce(world, topic, b'{"message":"evil"}')
        ingest.generate(world, 1000, first=300, partitions=1)
        self.start(world)
        self.wait_for_offsets(world, 1001)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "1000")
        letters = ingest.letters(world)
        self.assertEqual([(l["headers"]["dlq.sqlstate"], l["headers"]["dlq.offset"]) for l in letters], [("22012", "300")])
        ingest.check_rollups(self, world)

    def test_a_commit_refused_for_a_repeated_key_is_tried_again_with_back_off_until_it_passes(self):
        world = self.world(partitions=1)
        world.rows("""create function logmill.refuse() returns trigger language plpgsql as $$
            begin raise unique_violation using message = 'somebody has this key'; end $$;
            create constraint trigger refuse after insert on logmill.logs_raw deferrable initially deferred
            for each row execute function logmill.refuse()""")
        ingest.generate(world, 300, partitions=1)
        began = time.monotonic()
        consumer = self.start(world, "--retry-base=2s", "--retry-cap=2s")
        self.wait_until(lambda: consumer.metric("logmill_consumer_retries_total") >= 3)
        self.wait_until(lambda: "somebody has this key" in consumer.get("/readyz")[1])
        tries = consumer.metric("logmill_consumer_retries_total")
        self.assertLess(tries, 3 + (time.monotonic() - began) / 2)      # two at once, then one in two seconds
        world.rows("drop function logmill.refuse cascade")
        self.wait_for_offsets(world, 300)
        self.wait_until(consumer.ready)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "300")
        self.assertEqual(ingest.dead_letters(world), 0)

    def test_what_a_producer_sends_again_is_stored_once(self):
        world = self.world()
        consumer = self.start(world)
        ingest.generate(world, 20000, sources=200)
        ingest.generate(world, 12000, sources=200)
        self.wait_for_offsets(world, 32000)
        consumer.terminate()
        consumer = self.start(world, "--sources-max=1000")
        ingest.generate(world, 20000, sources=200)
        self.wait_for_offsets(world, 52000)
        ingest.check_exactly_once(self, world, 20000)
        self.wait_until(lambda: consumer.metric("logmill_consumer_repeats_total") == 20000)

    def test_sources_that_are_not_in_memory_are_looked_up(self):
        world = self.world(partitions=1)
        ingest.generate(world, 4000, partitions=1, sources=4000)
        consumer = self.start(world, "--sources-max=1000")
        self.wait_for_offsets(world, 4000)
        self.wait_until(lambda: 0 < consumer.metric("logmill_consumer_sources") <= 4000, 20, "those in memory counted")
        ingest.generate(world, 500, partitions=1, sources=4000)
        self.wait_for_offsets(world, 4500)
        ingest.check_exactly_once(self, world, 4000, partitions=1)

    def test_a_replayed_dead_letter_is_stored_once(self):
        world = self.world(partitions=1)
        headers = [("dlq.topic", world.topic("raw")), ("dlq.partition", 3), ("dlq.offset", 77)]
        consumer = self.start(world)
        for _ in range(2):
            ingest.produce(world, world.topic("raw"), b'{"message":"mended"}', headers=headers)
        self.wait_for_offsets(world, 2)
        consumer.terminate()
        self.start(world)
        ingest.produce(world, world.topic("raw"), b'{"message":"mended"}', headers=headers)
        self.wait_for_offsets(world, 3)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "1")

    def test_offsets_that_retention_deleted_are_counted_and_passed(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        ingest.generate(world, 1000, partitions=1)
        consumer = self.start(world)
        self.wait_for_offsets(world, 1000)
        consumer.terminate()
        ingest.generate(world, 3000, first=1000, partitions=1)
        ingest.delete_records(world, topic, 0, before=1500)
        consumer = self.start(world)
        self.wait_for_offsets(world, 3000)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "2500")
        self.wait_until(lambda: consumer.metric("logmill_consumer_lost_by_retention_total") == 500)
        self.assertIn("500 records are lost", consumer.log())

    def test_an_offset_beyond_the_end_stops_the_partition_and_says_so_until_somebody_decides(self):
        world = self.world(partitions=1)
        ingest.generate(world, 100, partitions=1)
        world.rows("insert into logmill.ingest_offset (topic, partition, next_offset) values ('%s', 0, 5000)" % world.topic("raw"))
        consumer = self.start(world, ready=False)
        self.wait_until(lambda: "beyond the topic's end 100" in consumer.get("/readyz")[1], 20)
        self.assertEqual(consumer.get("/readyz")[0], 503)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "0")
        where = ["--postgres-url", world.admin_url, "--brokers", world.servers.brokers]
        self.assertRegex(world.ctl("offsets", *where).stdout, r"raw +0 +0 +5000 +100 .*beyond the topic's end")
        self.assertEqual(world.ctl("offsets", "set", world.topic("raw"), 0, 5001, *where, check=False).returncode, 1)
        self.assertIn("5000 → 0", world.ctl("offsets", "set", world.topic("raw"), 0, "beginning", *where).stdout)
        self.wait_for_offsets(world, 100)
        self.wait_until(consumer.ready, 20)

    def test_sigterm_commits_what_was_taken_and_ends_in_time(self):
        world = self.world()
        ingest.generate(world, 50000)
        consumer = self.start(world, "--batch-age=10s", "--batch-rows=200000", "--batch-bytes=64MiB", "--memory=256MiB")
        self.wait_until(lambda: consumer.metric("logmill_consumer_records_total") >= 1000, 20)
        began = time.monotonic()
        self.assertEqual(consumer.terminate(), 0)
        self.assertLess(time.monotonic() - began, 40)
        self.assertGreater(ingest.stored(world), 0)
        self.assertEqual(str(ingest.stored(world)), world.value("select count(*) from logmill.logs"))
        self.start(world)
        self.wait_for_offsets(world, 50000)
        ingest.check_exactly_once(self, world, 50000)

    def test_a_revoked_grant_is_said_and_passes_when_granted_again(self):
        world = self.world(partitions=1)
        consumer = self.start(world)
        ingest.generate(world, 100, partitions=1)
        self.wait_for_offsets(world, 100)
        world.rows("revoke insert on logmill.logs_raw from logmill_writer")
        ingest.generate(world, 200, first=100, partitions=1)
        self.wait_until(lambda: "permission denied" in consumer.get("/readyz")[1], 20)
        self.assertEqual(consumer.get("/readyz")[0], 503)
        self.assertIn("42501", consumer.get("/metrics")[1])
        world.rows("grant insert on logmill.logs_raw to logmill_writer")
        self.wait_for_offsets(world, 200)
        self.wait_until(consumer.ready, 10)
        self.assertEqual(ingest.dead_letters(world), 0)

    def test_a_missing_dead_letter_topic_holds_the_partition_back_until_it_is_there(self):
        world = self.world(partitions=1, topics=False)
        world.ctl("topics", "create", "--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 1)
        ingest.delete_topic(world, world.topic("raw") + ".dlq")
        consumer = self.start(world, "--kafka=topic.metadata.propagation.max.ms=1000")
        ingest.produce(world, world.topic("raw"), b"poison")
        ingest.produce(world, world.topic("raw"), b'{"message":"good"}')
        self.wait_until(lambda: "dead letter" in consumer.get("/readyz")[1], 60)
        self.assertEqual(ingest.stored(world), 0)
        world.ctl("topics", "create", "--brokers", world.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 1)
        self.wait_for_offsets(world, 2, 90)
        self.assertEqual(ingest.dead_letters(world), 1)
        self.wait_until(consumer.ready, 10)

    def test_a_dead_letter_too_large_with_its_headers_goes_with_fewer_and_its_value_whole(self):
        world = self.world(partitions=1)
        self.start(world, "--dlq-max-bytes=700KiB")
        value = b"x" * 600000
        ingest.produce(world, world.topic("raw"), value, headers=[("x-a", "small"), ("x-b", "h" * 120000), ("x-c", "h" * 120000)])
        self.wait_for_offsets(world, 1)
        (letter,) = ingest.letters(world)
        self.assertEqual(letter["value"], value)
        self.assertEqual(letter["headers"]["dlq.headers"], "truncated")
        self.assertEqual(letter["headers"]["x-a"], "small")
        self.assertNotIn("x-b", letter["headers"])

    def test_sigterm_ends_in_time_also_when_nothing_can_be_written(self):
        world = self.world(partitions=1)
        world.rows("revoke insert on logmill.logs_raw from logmill_writer")
        consumer = self.start(world, "--grace=1s")
        ingest.generate(world, 100, partitions=1)
        self.wait_until(lambda: "permission denied" in consumer.get("/readyz")[1], 20)
        began = time.monotonic()
        self.assertEqual(consumer.terminate(), 0)
        self.assertLess(time.monotonic() - began, 20)
        world.rows("grant insert on logmill.logs_raw to logmill_writer")
        self.start(world)
        self.wait_for_offsets(world, 100)

    def test_a_server_that_is_read_only_is_said_and_passes_when_it_can_be_written_again(self):
        world = self.world(partitions=1)
        consumer = self.start(world)
        ingest.generate(world, 100, partitions=1)
        self.wait_for_offsets(world, 100)
        world.rows('alter database "%s" set default_transaction_read_only = on' % world.name)
        self.cut_connections(world)
        self.wait_until(lambda: "read-only" in consumer.get("/readyz")[1], 20)
        ingest.generate(world, 200, first=100, partitions=1)
        world.rows('set default_transaction_read_only = off; alter database "%s" reset default_transaction_read_only' % world.name)
        self.wait_for_offsets(world, 200)
        self.wait_until(consumer.ready, 20)
        ingest.check_exactly_once(self, world, 200, partitions=1)

    def cut_connections(self, world):
        world.rows("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'logmill_writer'")

    def test_a_leaf_dropped_meanwhile_is_made_again(self):
        world = self.world(partitions=1)
        self.start(world)
        ingest.generate(world, 100, partitions=1)
        self.wait_for_offsets(world, 100)
        for (leaf,) in world.rows("select distinct tableoid::regclass from logmill.logs"):
            world.rows("drop table %s" % leaf)
        ingest.generate(world, 200, first=100, partitions=1)
        self.wait_for_offsets(world, 200)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "100")

    def test_a_schema_not_known_yet_is_waited_for_and_then_read(self):
        world = self.world(partitions=1)
        schema, value = foreign_record("from another writer", seconds_ago(10))
        consumer = self.start(world)
        ingest.produce(world, world.topic("raw"), value)
        self.wait_until(lambda: "schema" in consumer.get("/readyz")[1], 20)
        world.rows("insert into logmill.log_schema (fingerprint, schema) values (%d, $x$%s$x$)"
                   % (struct.unpack("<q", value[2:10])[0], schema))
        self.wait_for_offsets(world, 1)
        self.assertEqual(world.rows("select message, metadata->>'shard' from logmill.logs"), [["from another writer", "7"]])
        self.wait_until(consumer.ready, 10)

    def test_a_schema_that_never_comes_ends_in_the_dead_letters(self):
        world = self.world(partitions=1)
        _, value = foreign_record("nobody knows me", seconds_ago(10))
        self.start(world, "--schema-wait=2s")
        ingest.produce(world, world.topic("raw"), value)
        self.wait_for_offsets(world, 1)
        self.assertEqual([(l["value"], l["headers"]["dlq.error.class"]) for l in ingest.letters(world)],
                         [(value, "unknown_schema")])

    def test_a_stream_of_a_schema_that_never_comes_holds_its_partition_once(self):
        world = self.world(partitions=1)
        for i in range(40):
            ingest.produce(world, world.topic("raw"), foreign_record("nobody knows me %d" % i, seconds_ago(10))[1])
        ingest.produce(world, world.topic("raw"), b'{"message":"behind"}')
        self.start(world, "--schema-wait=3s")
        self.wait_for_offsets(world, 41)
        self.assertEqual([l["headers"]["dlq.error.class"] for l in ingest.letters(world)], ["unknown_schema"] * 40)
        self.assertEqual(world.value("select message from logmill.logs"), "behind")

    def test_one_connection_serves_the_partitions_in_turn_however_much_others_hold(self):
        world = self.world()
        ingest.generate(world, 200000)
        ingest.produce(world, world.topic("training"), b'{"message":"alone"}')
        # However late Kafka gives the lone record: no batch is over before it is there.
        holder = subprocess.Popen(["psql", world.admin_url, "-Xqt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (holder.stdin.close(), holder.stdout.close(), holder.wait(20)))
        holder.stdin.write("begin; lock table logmill.log_rollup_minute in access exclusive mode; select 'held';\n")
        holder.stdin.flush()
        self.assertIn("held", holder.stdout.readline())
        consumer = self.start(world, "--connections=1", "--batch-rows=10000", "--lock-timeout=5m")
        self.wait_until(lambda: re.search(r'logmill_consumer_records_total{topic="\S*training"} 1\n', consumer.get("/metrics")[1]))
        holder.stdin.close()
        self.wait_for_offsets(world, 200000)
        # Transactions are numbered as they begin to write. The lone record's came before most, and no partition waited for long.
        self.wait_until(lambda: world.value("select count(*) from logmill.logs_training") == "1", 20)
        later = world.value("select count(*) from logmill.logs_raw where age(xmin) < (select age(xmin) from logmill.logs_training)")
        self.assertGreater(int(later), 100000)
        before = world.value("""select count(*) from logmill.logs_raw where age(xmin) > (select min(first) from (
            select max(age(xmin)) as first from logmill.logs_raw group by kafka_partition) p)""")
        self.assertLess(int(before), 100000, "rows before a partition's first turn")

    def test_a_batch_that_flows_waits_for_its_leaves_outside_of_its_transaction(self):
        world = self.world(partitions=1)
        function = "execute on function logmill.ensure_leaf(logmill.log_category, timestamptz)"
        world.rows("revoke %s from logmill_writer, public" % function)
        ingest.generate(world, 60000, partitions=1)
        consumer = self.start(world, "--connections=1", "--retry-cap=200ms", ready=False)
        self.wait_until(lambda: "denied" in consumer.get("/readyz")[1], 20)
        self.assertEqual(world.value("select count(*) from pg_stat_activity where datname = current_database() and query like '%COPY%' "
                                     "and state <> 'idle' and pid <> pg_backend_pid()"), "0")
        world.rows("grant %s to logmill_writer" % function)
        self.wait_for_offsets(world, 60000)
        ingest.check_exactly_once(self, world, 60000, partitions=1)

    def test_seconds_are_counted_unless_it_is_told_not_to_and_then_rows_are_read(self):
        world = self.world()
        ingest.generate(world, 5000)                       # from the hour before on
        consumer = self.start(world)
        self.wait_for_offsets(world, 5000)
        ingest.check_rollups(self, world)
        counted = "select count(*) from logmill.seconds_minute"
        rows = world.value(counted)
        self.assertGreater(int(rows), 0)
        # A window that ends inside of seconds, as it is read and as the rows are.
        window = "(select min(created_at) + interval '0.3 s' as lower, max(created_at) - interval '0.3 s' as upper from logmill.logs) w"
        of_rows = "select service, level, count(*) from logmill.logs, %s where created_at >= w.lower and created_at < w.upper group by 1, 2 order by 1, 2"
        as_read = "select service, level, n from %s, lateral logmill_read.log_count(w.lower, w.upper, 'hour', null, 'service', null, null) order by 1, 2"
        self.assertEqual(world.rows(as_read % window), world.rows(of_rows % window))
        self.assertEqual(consumer.terminate(), 0)
        self.start(world, "--count-seconds=false")
        ingest.generate(world, 9000, first=5000)
        self.wait_for_offsets(world, 9000)
        self.assertEqual(world.value(counted), rows)
        of_minutes = "select sum(s.n) from (select distinct date_trunc('minute', created_at) as m from logmill.logs) q, " \
                     "lateral logmill_read.log_rollup_second(q.m, q.m + interval '1 minute') s"
        self.assertEqual(world.value(of_minutes), "9000")

    def test_a_category_goes_to_its_own_table(self):
        world = self.world(partitions=1)
        self.start(world)
        for category in harness.CATEGORIES:
            ingest.produce(world, world.topic(category), b'{"message":"in its place"}')
        self.wait_until(lambda: world.value("select count(*) from logmill.logs") == "4", 30)
        self.assertEqual(world.rows("select category from logmill.logs order by 1"), [[c] for c in harness.CATEGORIES])


def crc64_avro(data):
    empty = 0xc15d213aa4d7a795
    table = []
    for i in range(256):
        fp = i
        for _ in range(8):
            fp = (fp >> 1) ^ (empty & -(fp & 1))
        table.append(fp)
    fp = empty
    for b in data:
        fp = (fp >> 8) ^ table[(fp ^ b) & 0xff]
    return fp


def foreign_record(message, timestamp):
    """A schema that is not ours, in canonical form, and a record written with it."""
    schema = ('{"name":"other.Log","type":"record","fields":[{"name":"timestamp","type":"long"},'
              '{"name":"shard","type":"int"},{"name":"message","type":"string"}]}')
    data = ingest.zigzag(timestamp) + ingest.zigzag(7) + ingest.zigzag(len(message)) + message.encode()
    return schema, b"\xc3\x01" + struct.pack("<Q", crc64_avro(schema.encode())) + data


if __name__ == "__main__":
    unittest.main()
