"""Poison: every kind of value of tests/data/poison.tsv, and bad ones mixed into good ones at speed."""
import csv
import json
import time
import unittest

import harness
import ingest

csv.field_size_limit(1 << 24)                               # for the largest of the rows
TABLE = harness.ROOT / "tests" / "data" / "poison.tsv"
SCHEMA = json.loads((harness.ROOT / "schemas" / "log_record.avsc").read_text())
COLUMNS = ("message", "level", "service", "tags", "metadata", "http_status", "duration_ms", "client_ip")


def text(s):
    return ingest.zigzag(len(s.encode())) + s.encode()


class Words:
    """What the table's expressions are made of."""

    def __init__(self, fingerprint):
        self.now = int(time.time() * 1e6)
        self.words = dict(
            FINGERPRINT=fingerprint, now=self.now, day=86400 * 10 ** 6, z=ingest.zigzag, text=text, range=range, bytes=bytes, float=float,
            avro=lambda **r: ingest.avro(fingerprint, **dict(dict(message="m"), **r)), json=lambda **r: json.dumps(r).encode(),
            upto=lambda name: self.parts(name)[0], instead=self.instead)
        self.fingerprint = fingerprint

    def parts(self, name):
        """A whole record up to a field, and from behind it on."""
        values = dict(timestamp=self.now, category="raw", level="INFO", log_type="BACKEND", service="s", environment="e", message="m")
        before, after, found = b"\xc3\x01" + self.fingerprint, b"", False
        for field in SCHEMA["fields"]:
            kind, value = field["type"], values.get(field["name"])
            if field["name"] == name:
                found = True
                continue
            if isinstance(kind, list):
                data = b"\0"                                # null comes first
            elif isinstance(kind, dict) and kind["type"] == "enum":
                data = ingest.zigzag(kind["symbols"].index(value))
            elif isinstance(kind, dict) and kind["type"] == "array":
                data = b"\0"
            elif isinstance(value, int):
                data = ingest.zigzag(value)
            else:
                data = text(value)
            before, after = (before, after + data) if found else (before + data, after)
        return before, after

    def instead(self, name, data):
        before, after = self.parts(name)
        return before + data + after

    def rows(self):
        for line in TABLE.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, expression, expected = line.split("\t")
                yield name, eval(expression, dict(self.words)), expected


class Poison(ingest.Case):
    def test_every_kind_of_poison_has_its_class_and_what_can_be_stored_is(self):
        world = self.world(partitions=1)
        topic = world.topic("raw")
        world.rows("""alter table logmill.logs_raw add constraint mood check (message <> 'evil');
            create function logmill.divide() returns trigger language plpgsql as $$
            begin if new.message = 'divide' then perform 1 / 0; end if; return new; end $$;
            create trigger divide before insert on logmill.logs_raw for each row execute function logmill.divide()""")
        ingest.generate(world, 1, partitions=1)
        rows = list(Words(world.consume(topic, fmt="%s")[2:10]).rows())
        self.assertGreaterEqual(len(rows), 150)
        for i, (_, value, _) in enumerate(rows):
            ingest.produce(world, topic, value, key="key-%d" % i if i % 2 else None, headers=[("x-number", i), ("x-kind", "p,q=r")])
        consumer = self.start(world, "--schema-wait=0s")
        self.wait_for_offsets(world, len(rows) + 1)
        letters = {int(l["headers"]["x-number"]): l for l in ingest.letters(world)}
        stored = {int(r[0]) - 1: dict(zip(COLUMNS + ("recent", "length"), r[1:])) for r in world.rows(
            "select kafka_offset, %s, created_at between now() - interval '5 minutes' and now(), length(message) from logmill.logs where kafka_offset > 0"
            % ", ".join(COLUMNS))}
        self.assertEqual(len(letters) + len(stored), len(rows))
        for i, (name, value, expected) in enumerate(rows):
            with self.subTest(name=name):
                words = expected.split(" ")
                if i in letters:
                    headers = letters[i]["headers"]
                    self.assertEqual(headers["dlq.error.class"], words[0], headers["dlq.error.message"])
                    self.assertEqual(headers["dlq.sqlstate"], words[1] if words[0] in ("constraint", "data_exception") else "")
                    self.assertEqual(letters[i]["value"] or None, value or None)
                    self.assertEqual(letters[i]["key"] or None, b"key-%d" % i if i % 2 else None)
                    self.assertEqual([headers[n] for n in ("x-kind", "dlq.topic", "dlq.partition", "dlq.offset")], ["p,q=r", topic, "0", str(i + 1)])
                    self.assertGreaterEqual(int(headers["dlq.attempts"]), 1)
                else:
                    self.assertEqual(words[0], "stored")
                    self.check_row(stored[i], words[1:])
        for sql in (ingest.ROLLUP_DIFFERENCE, ingest.BUCKET_DIFFERENCE, ingest.ERROR_DIFFERENCE): # of names only some keys are kept
            self.assertEqual(world.value(sql), "0")
        self.wait_until(lambda: consumer.metric("logmill_consumer_dead_letters_total") == len(letters))

    def check_row(self, row, expected):
        for condition in expected:
            name, value = condition.split("=", 1)
            value = None if value == "None" else value
            if name.startswith("@"):
                found = json.loads(row["metadata"])[name[1:]]
                found = found if isinstance(found, str) else json.dumps(found)
            else:
                found = row[name]
            if value is not None and value.startswith("\\x"):
                self.assertIn(chr(int(value[2:], 16)), found)
            else:
                self.assertEqual(found, value, name)

    def test_mixed_into_good_records_at_speed_nothing_good_is_lost_and_everything_bad_is_kept(self):
        count = 40000 if harness.LONG else 10000
        for options in ({"nul_every": 1000}, {"nul_every": 10}, {"nul_every": 1}, {"refused_every": 1000}, {"refused_every": 10},
                        {"nul_every": 10, "refused_every": 9, "json": True}):
            with self.subTest(**options):
                world = self.world()
                world.rows("alter table logmill.logs_raw add constraint mood check (log_type <> 'REFUSED')")
                ingest.generate(world, count, sources=10, **options)
                self.start(world)
                self.wait_for_offsets(world, count)
                good = {int(r[0]) for r in world.rows("select (metadata->>'n')::bigint * 4 + kafka_partition from logmill.logs")}
                self.assertEqual(world.value("select count(*) from logmill.logs"), str(len(good)))
                letters = ingest.letters(world)
                bad = {int(l["headers"]["x-n"]) for l in letters}
                self.assertEqual(len(letters), len(bad), "once each")
                self.assertEqual(good | bad, set(range(count)))
                self.assertEqual(good & bad, set())
                self.assertLessEqual({l["headers"]["dlq.error.class"] for l in letters}, {"nul", "constraint"})
                self.assertEqual(bool(good), options.get("nul_every") != 1)
                self.assertGreater(len(bad), count / 5000)
                ingest.check_rollups(self, world)

    def test_a_batch_read_again_for_a_refused_row_waits_for_its_dead_letters_and_sends_each_once(self):
        world = self.world(partitions=1)
        world.rows("alter table logmill.logs_raw add constraint mood check (log_type <> 'REFUSED')")
        ingest.generate(world, 30000, sources=10, partitions=1, nul_every=10, refused_every=9)
        consumer = self.start(world, "--batch-rows=20000")  # it flows: PostgreSQL refuses a row while letters are on their way
        self.wait_for_offsets(world, 30000)
        self.assertIn("to find the record refused", consumer.log())
        letters = [l["headers"]["x-n"] for l in ingest.letters(world)]
        self.assertEqual(len(letters), len(set(letters)))
        self.assertEqual(int(world.value("select count(*) from logmill.logs")) + len(letters), 30000)

    def test_a_value_larger_than_the_dead_letter_topic_takes_waits_until_it_takes_it(self):
        world = self.world(partitions=2)
        topic = world.topic("raw")
        config = lambda bytes: ingest.kafka_admin(world, "topic-config", topic + ".dlq", "max.message.bytes", bytes)
        config(100000)
        consumer = self.start(world)
        value = b"x" * 300000
        ingest.produce(world, topic, value, headers=[("x-number", 1), ("x-b", "h" * 20000)])
        ingest.produce(world, topic, b'{"message":"behind it"}')
        ingest.produce(world, topic, b'{"message":"another partition"}', partition=1)
        self.wait_until(lambda: "max.message.bytes" in consumer.get("/readyz")[1] and topic + ".dlq" in consumer.get("/readyz")[1], 30)
        self.wait_until(lambda: world.rows("select message from logmill.logs") == [["another partition"]])
        self.assertEqual(world.value("select next_offset from logmill.ingest_offset where partition = 0 and topic = '%s'" % topic), "0")
        config(2000000)
        self.wait_for_offsets(world, 3, 30)
        self.wait_until(consumer.ready, 10)
        (letter,) = ingest.letters(world)
        self.assertEqual((letter["value"], letter["headers"]["x-number"]), (value, "1"))
        self.assertEqual(world.value("select count(*) from logmill.logs"), "2")

    def test_a_value_larger_than_we_may_send_says_which_option_to_raise(self):
        world = self.world(partitions=1)
        consumer = self.start(world, "--dlq-max-bytes=100KiB", "--grace=1s")   # all of which it needs, with a letter it cannot send
        ingest.produce(world, world.topic("raw"), b"x" * 300000)
        self.wait_until(lambda: "dlq_max_bytes" in consumer.get("/readyz")[1], 30)
        self.assertEqual(consumer.terminate(), 0)
        self.start(world)
        self.wait_for_offsets(world, 1, 30)
        self.assertEqual([len(l["value"]) for l in ingest.letters(world)], [300000])


if __name__ == "__main__":
    unittest.main()
