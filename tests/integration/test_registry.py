"""Values in Confluent's wire format: what writers of other schemas mean, and a registry that does not do as it should."""
import json
import struct
import time
import unittest

import harness
import ingest
import registry

OUR_SCHEMA = json.loads((harness.ROOT / "schemas" / "log_record.avsc").read_text())
NOW_MS = int(time.time()) * 1000


def record(*fields, name="Theirs"):
    return {"type": "record", "name": name, "fields": [dict({"name": f[0], "type": f[1]}, **(f[2] if len(f) > 2 else {})) for f in fields]}


MESSAGE = ("message", "string")
# What a writer's schema and value come to: (name, schema, value, expected columns). Times are this test's.
WRITERS = [
    ("older: fewer fields", record(MESSAGE), {"message": "old"},
     {"message": "old", "level": "INFO", "service": "unknown", "metadata": None}),
    ("newer: an unknown field is kept", record(MESSAGE, ("tenant", "string"), ("shard", "int")),
     {"message": "new", "tenant": "a", "shard": 7}, {"metadata": {"tenant": "a", "shard": 7}}),
    ("numbers of other widths", record(MESSAGE, ("http_status", "long"), ("duration_ms", "float"), ("source", "int"), ("sequence", "int")),
     {"message": "m", "http_status": 404, "duration_ms": 1.5, "source": 3, "sequence": 9}, {"http_status": "404", "duration_ms": "1.5"}),
    ("an int is a duration", record(MESSAGE, ("duration_ms", "int")), {"message": "m", "duration_ms": 3}, {"duration_ms": "3"}),
    ("bytes are a text", record(("message", "bytes"), ("host", "bytes")), {"message": "한글".encode(), "host": b"h"}, {"message": "한글", "host": "h"}),
    ("unions in another order", record(("message", ["string", "null"]), ("host", ["string", "null"]), ("user_id", ["null", "long", "string"])),
     {"message": "m", "host": None, "user_id": (1, 42)}, {"message": "m", "host": None, "user_id": "42"}),
    ("an enum in another order", record(MESSAGE, ("level", {"type": "enum", "name": "L", "symbols": ["FATAL", "ERROR", "TRACE", "WARNING"]})),
     {"message": "m", "level": "TRACE"}, {"level": "DEBUG"}),
    ("a symbol nobody knows", record(MESSAGE, ("level", {"type": "enum", "name": "L", "symbols": ["LOUD"]})),
     {"message": "m", "level": "LOUD"}, {"level": "INFO", "metadata": {"level": "LOUD"}}),
    ("level as a string", record(MESSAGE, ("level", "string")), {"message": "m", "level": "critical"}, {"level": "FATAL"}),
    ("nested records, maps and arrays", record(MESSAGE, ("k8s", record(("pod", "string"), ("labels", {"type": "map", "values": "string"}), name="K")),
                                               ("list", {"type": "array", "items": ["null", "int"]})),
     {"message": "m", "k8s": {"pod": "p-1", "labels": {"app": "a", "tier": "b"}}, "list": [1, None, 2]},
     {"metadata": {"k8s": {"pod": "p-1", "labels": {"app": "a", "tier": "b"}}, "list": [1, None, 2]}}),
    ("metadata as a map", record(MESSAGE, ("metadata", {"type": "map", "values": "long"})), {"message": "m", "metadata": {"a": 1}}, {"metadata": {"a": 1}}),
    ("tags", record(MESSAGE, ("tags", {"type": "array", "items": "string"})), {"message": "m", "tags": ["a", "b"]}, {"tags": "{a,b}"}),
    ("an alias names our field", record(MESSAGE, ("node", "string", {"aliases": ["host"]})), {"message": "m", "node": "n1"}, {"host": "n1", "metadata": None}),
    ("names of others", record(("msg", "string"), ("severity", "string"), ("hostname", "string")),
     {"msg": "m", "severity": "warning", "hostname": "h"}, {"message": "m", "level": "WARN"}),
    ("timestamp-millis", record(MESSAGE, ("timestamp", {"type": "long", "logicalType": "timestamp-millis"})),
     {"message": "m", "timestamp": NOW_MS}, {"at": NOW_MS * 1000}),
    ("timestamp-micros", record(MESSAGE, ("timestamp", {"type": "long", "logicalType": "timestamp-micros"})),
     {"message": "m", "timestamp": NOW_MS * 1000 + 7}, {"at": NOW_MS * 1000 + 7}),
    ("timestamp-nanos", record(MESSAGE, ("timestamp", {"type": "long", "logicalType": "timestamp-nanos"})),
     {"message": "m", "timestamp": NOW_MS * 1000000 + 7999}, {"at": NOW_MS * 1000 + 7}),
    ("a plain long is microseconds", record(MESSAGE, ("timestamp", "long")), {"message": "m", "timestamp": NOW_MS * 1000}, {"at": NOW_MS * 1000}),
    ("local-timestamp is UTC", record(MESSAGE, ("timestamp", {"type": "long", "logicalType": "local-timestamp-micros"})),
     {"message": "m", "timestamp": NOW_MS * 1000}, {"at": NOW_MS * 1000}),
    ("decimals", record(MESSAGE, ("price", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}),
                        ("debt", {"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 3}),
                        ("none", {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}),
                        ("small", {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 4}),
                        ("huge", {"type": "bytes", "logicalType": "decimal", "precision": 40})),
     {"message": "m", "price": (12345).to_bytes(2, "big", signed=True), "debt": (-1001).to_bytes(4, "big", signed=True), "none": b"",
      "small": b"\x07", "huge": (10 ** 30).to_bytes(13, "big")},
     {"metadata_text": {"price": "123.45", "debt": "-1.001", "none": "0.00", "small": "0.0007", "huge": "1" + "0" * 30}}),
    ("a decimal that is none", record(MESSAGE, ("x", {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3})),
     {"message": "m", "x": b"ab"}, {"metadata": {"x": "ab"}}),
    ("uuid, date, time, duration, fixed", record(MESSAGE, ("u", {"type": "string", "logicalType": "uuid"}),
        ("f", {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}), ("d", {"type": "int", "logicalType": "date"}),
        ("t", {"type": "int", "logicalType": "time-millis"}), ("v", {"type": "long", "logicalType": "time-micros"}),
        ("p", {"type": "fixed", "name": "P", "size": 12, "logicalType": "duration"}), ("x", {"type": "fixed", "name": "X", "size": 2})),
     {"message": "m", "u": "0a1b", "f": bytes(range(16)), "d": 20000, "t": 3723004, "v": 86399999999, "p": struct.pack("<III", 1, 2, 3004), "x": b"\xff\x01"},
     {"metadata": {"u": "0a1b", "f": "00010203-0405-0607-0809-0a0b0c0d0e0f", "d": "2024-10-04", "t": "01:02:03.004", "v": "23:59:59.999999",
                   "p": "P1M2DT3.004S", "x": "\\xff01"}}),
    ("times nobody can say", record(MESSAGE, ("d", {"type": "int", "logicalType": "date"}), ("t", {"type": "int", "logicalType": "time-millis"})),
     {"message": "m", "d": 2 ** 31 - 1, "t": -1}, {"metadata": {"d": "2147483647 days", "t": "-1 ms"}}),
    ("floats that are no numbers", record(MESSAGE, ("a", "double"), ("b", "float"), ("duration_ms", "double")),
     {"message": "m", "a": float("nan"), "b": float("-inf"), "duration_ms": float("nan")}, {"metadata": {"a": "NaN", "b": "-Infinity", "duration_ms": "NaN"}, "duration_ms": None}),
    ("ours", OUR_SCHEMA, {"timestamp": NOW_MS * 1000, "category": "raw", "level": "ERROR", "log_type": "BACKEND", "service": "s", "environment": "e",
                          "message": "m", "tags": ["x"], **{f["name"]: None for f in OUR_SCHEMA["fields"] if isinstance(f["type"], list)}},
     {"at": NOW_MS * 1000, "level": "ERROR", "service": "s", "tags": "{x}"}),
    ("ours but for the unit of its time", json.loads(json.dumps(OUR_SCHEMA).replace("timestamp-micros", "timestamp-millis")),
     {"timestamp": NOW_MS, "category": "raw", "level": "ERROR", "log_type": "BACKEND", "service": "s", "environment": "e", "message": "m", "tags": [],
      **{f["name"]: None for f in OUR_SCHEMA["fields"] if isinstance(f["type"], list)}}, {"at": NOW_MS * 1000}),
]


class SchemaRegistry(ingest.Case):
    def start(self, world, where, *arguments, **options):
        return super().start(world, "--schema-registry-url=" + where.url, "--retry-base=20ms", "--retry-cap=200ms", *arguments, **options)

    def registry(self, **options):
        where = registry.Registry(**options)
        self.addCleanup(where.close)
        return where

    def test_what_writers_of_other_schemas_mean(self):
        where, world = self.registry(), self.world(partitions=1)
        for name, schema, value, _ in WRITERS:
            ingest.produce(world, world.topic("raw"), registry.framed(where.add(schema), schema, value))
        ingest.produce(world, world.topic("raw"), registry.framed(100, WRITERS[0][1], WRITERS[0][2]))
        self.start(world, where)
        self.wait_for_offsets(world, len(WRITERS) + 1)
        self.assertEqual([l["headers"]["dlq.error.message"] for l in ingest.letters(world)], [])
        self.assertEqual(len(where.asked), len(WRITERS), "each id is asked once, for ever")
        columns = ["kafka_offset", "message", "level", "service", "host", "user_id", "http_status", "duration_ms", "tags", "metadata",
                   "(extract(epoch from created_at) * 1000000)::bigint"]
        names = columns[:-1] + ["at"]
        rows = {int(r[0]): dict(zip(names, r)) for r in world.rows("select %s from logmill.logs" % ", ".join(columns))}
        for offset, (name, _, _, expected) in enumerate(WRITERS):
            row = rows[offset]
            for column, value in expected.items():
                with self.subTest(writer=name, column=column):
                    if column == "metadata" and value is not None:
                        self.assertEqual(json.loads(row["metadata"]), value)
                    elif column == "metadata_text":
                        self.assertEqual(json.loads(row["metadata"], parse_float=str, parse_int=str), value)
                    elif column == "at":
                        self.assertEqual(int(row["at"]), value)
                    else:
                        self.assertEqual(row[column], value)

    def test_what_cannot_be_read_is_dead_lettered_with_its_class(self):
        where, world = self.registry(user="u", password="p:ä"), self.world(partitions=1)
        good = where.add(record(MESSAGE), id=1)
        where.add('syntax = "proto3";', id=2, schemaType="PROTOBUF")
        where.add('{"type":"object"}', id=3, schemaType="JSON")
        where.add(record(MESSAGE), id=4, references=[{"name": "x", "subject": "y", "version": 1}])
        where.add("{not json", id=5)
        where.add('"string"', id=6)
        where.add({"type": "record", "name": "R", "fields": [{"name": "a", "type": "Unknown"}]}, id=7)
        where.add(json.dumps(record(MESSAGE, ("x", "string", {"doc": "d" * (1 << 20)}))), id=8)
        where.add("x" * (5 << 20), id=9)
        where.add(record(MESSAGE), id=2 ** 32 - 1, schemaType="AVRO", references=[])
        rest = registry.encode(record(MESSAGE), {"message": "m"})
        cases = [("schema_type", 2), ("schema_type", 3), ("schema_references", 4), ("schema", 5), ("schema", 6), ("schema", 7), ("schema", 8),
                 ("schema", 9), ("unknown_schema_id", 77), ("unknown_schema_id", 0)]
        for i, (_, id) in enumerate(cases):
            ingest.produce(world, world.topic("raw"), b"\0" + struct.pack(">I", id) + rest, headers=[("x-number", i)])
        short = [("truncated", b"\0\0\0"), ("truncated", b"\0\0\0\0\1"), ("trailing_bytes", b"\0\0\0\0\1" + rest + b"\0"),
                 ("truncated", b"\0\0\0\0\1" + rest[:-1]), ("length", b"\0\0\0\0\1\1"), ("no_message", b"\0\0\0\0\1\0"), ("nul", b"\0\0\0\0\1\4a\0")]
        for i, (_, value) in enumerate(short):
            ingest.produce(world, world.topic("raw"), value, headers=[("x-number", len(cases) + i)])
        for id in (good, 2 ** 32 - 1):
            ingest.produce(world, world.topic("raw"), registry.framed(id, record(MESSAGE), {"message": "good"}))
        consumer = self.start(world, where, "--schema-registry-user=u", "--schema-wait=1s", env={"LOGMILL_SCHEMA_REGISTRY_PASSWORD": "p:ä"})
        self.wait_for_offsets(world, len(cases) + len(short) + 2)
        self.assertEqual(world.rows("select message from logmill.logs"), [["good"], ["good"]])
        classes = {int(l["headers"]["x-number"]): l["headers"]["dlq.error.class"] for l in ingest.letters(world)}
        self.assertEqual([classes[i] for i in range(len(cases) + len(short))], [c for c, _ in cases + short])
        self.assertEqual(where.bad_credentials, 0)
        self.assertNotIn("p:ä", consumer.log())
        # One that did not exist is asked for again: it may have been registered meanwhile.
        where.add(record(MESSAGE), id=77)
        asked = len(where.asked)
        def again():
            ingest.produce(world, world.topic("raw"), b"\0\0\0\0" + bytes([77]) + rest)
            return len(where.asked) > asked
        self.wait_until(again, 20)
        self.wait_until(lambda: world.value("select count(*) from logmill.logs where message = 'm'") != "0")

    def test_a_registry_that_follows_another_and_lags_behind_loses_no_record(self):
        where, world, theirs = self.registry(), self.world(partitions=2), record(MESSAGE)
        consumer = self.start(world, where)                 # schema_wait is ten minutes
        late = registry.framed(50, theirs, {"message": "late"})
        for _ in range(2):
            ingest.produce(world, world.topic("raw"), late, partition=0)
        ingest.produce(world, world.topic("raw"), b'{"message":"free"}', partition=1)
        self.wait_until(lambda: len(where.asked) >= 3 and "does not know" in consumer.get("/readyz")[1])
        self.wait_until(lambda: world.value("select count(*) from logmill.logs where message = 'free'") == "1")
        where.trouble = 500                                 # an answer that is none does not make it forget what it waits for
        self.wait_until(lambda: "answered 500" in consumer.get("/readyz")[1])
        where.trouble = None
        where.add(theirs, id=50)
        self.wait_until(lambda: world.value("select count(*) from logmill.logs where message = 'late'") == "2")
        self.wait_until(consumer.ready)
        self.assertEqual(ingest.dead_letters(world), 0)

    def test_what_was_sent_longer_ago_than_schema_wait_waits_for_no_registry(self):
        where, world, theirs = self.registry(), self.world(partitions=1), record(MESSAGE)
        for id in (60, 61, 62):
            ingest.produce(world, world.topic("raw"), registry.framed(id, theirs, {"message": "never"}))
        ingest.produce(world, world.topic("raw"), b'{"message":"behind"}')
        self.start(world, where, "--schema-wait=0")
        self.wait_for_offsets(world, 4)
        self.assertEqual([l["headers"]["dlq.error.class"] for l in ingest.letters(world)], ["unknown_schema_id"] * 3)
        self.assertEqual(len(where.asked), 3)

    def test_a_registry_in_trouble_holds_only_its_partitions_says_so_and_loses_nothing(self):
        where, world = self.registry(token="secret-token"), self.world(partitions=2)
        consumer = self.start(world, where, "--schema-registry-token=secret-token", "--schema-registry-timeout=300ms")
        count = 0
        for trouble, said in (("down", "/schemas/ids/"), ("slow", "/schemas/ids/"), (500, "answered 500"), (503, "answered 503"), (429, "answered 429"),
                              ("garbage", "not as a schema registry does"), ("other json", "not as a schema registry does"), ("cut off", "/schemas/ids/"),
                              ("foreign 404", "not as a schema registry does"), ("redirect", "schema_registry.url"), (401, "schema_registry.token")):
            with self.subTest(trouble=trouble):
                where.trouble = trouble
                id = where.add(record(MESSAGE))
                ingest.produce(world, world.topic("raw"), registry.framed(id, record(MESSAGE), {"message": "held"}), partition=0)
                ingest.produce(world, world.topic("raw"), b'{"message":"free"}', partition=1)
                count += 1
                self.wait_until(lambda: said in consumer.get("/readyz")[1] and "/0" in consumer.get("/readyz")[1], 10)
                self.wait_until(lambda: world.value("select count(*) from logmill.logs where message = 'free'") == str(count))
                self.assertEqual(world.value("select count(*) from logmill.logs where message = 'held'"), str(count - 1))
                where.trouble = None
                self.wait_until(lambda: world.value("select count(*) from logmill.logs where message = 'held'") == str(count), 10)
                self.wait_until(consumer.ready)
        self.assertEqual(ingest.dead_letters(world), 0)
        # Nothing listens any more: a consumer that stops meanwhile ends in time.
        where.trouble = "slow"
        ingest.produce(world, world.topic("raw"), registry.framed(9999, record(MESSAGE), {"message": "held"}), partition=0)
        self.wait_until(lambda: not consumer.ready(), 10)


if __name__ == "__main__":
    unittest.main()
