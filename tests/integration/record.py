"""Log records as they lie in Kafka: Avro single-object encoding, read with schemas/log_record.avsc and nothing else.

A second opinion on the encoder: the standard library only, written from Avro's specification.
"""
import json
import struct
from pathlib import Path

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "log_record.avsc").read_text())


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("cut short at byte %d" % self.at)
        self.at += count
        return self.data[self.at - count:self.at]

    def long(self):
        shift = value = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def value(self, schema):
        if isinstance(schema, list):
            return self.value(schema[self.long()])
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(kind, (list, dict)):
            return self.value(kind)
        if kind == "null":
            return None
        if kind in ("int", "long"):
            return self.long()
        if kind == "double":
            return struct.unpack("<d", self.take(8))[0]
        if kind == "string":
            return self.take(self.long()).decode()
        if kind == "enum":
            return schema["symbols"][self.long()]
        if kind == "array":
            items = []
            while count := self.long():
                if count < 0:
                    self.long()
                    count = -count
                items += [self.value(schema["items"]) for _ in range(count)]
            return items
        if kind == "record":
            return {field["name"]: self.value(field["type"]) for field in schema["fields"]}
        raise ValueError("type %r" % (kind,))


def decode(value):
    """A message's value as a dict of the schema's fields; metadata parsed."""
    if value[:2] != b"\xc3\x01":
        raise ValueError("no Avro single-object encoding: %r" % value[:10])
    reader = Reader(value)
    reader.take(10)
    fields = reader.value(SCHEMA)
    if reader.at != len(value):
        raise ValueError("%d bytes behind the record" % (len(value) - reader.at))
    fields["metadata"] = json.loads(fields["metadata"]) if fields["metadata"] else {}
    return fields


def of_topic(world, topic):
    """All records of a topic from its beginning, as kcat reads them, partition by partition in order."""
    data = world.consume(topic, fmt="%p %K %S:%k%s\\n")
    found, at = [], 0
    while at < len(data):
        colon = data.index(b":", at)
        partition, key_len, len_ = (int(n) for n in data[at:colon].split())
        start = colon + 1 + max(key_len, 0)
        fields = decode(data[start:start + len_])
        fields["key"], fields["partition"] = data[colon + 1:start].decode(), partition
        found.append(fields)
        at = start + len_ + 1
    return found
