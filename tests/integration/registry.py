"""A schema registry for tests: GET /schemas/ids/{id} as its REST API has it, and as it can go wrong; and Avro written by any schema.

    with registry.Registry() as r:
        id = r.add(SCHEMA)
        value = registry.framed(id, SCHEMA, {"message": "hello"})
        r.trouble = "down"            # refused, slow, 500, 429, garbage, redirect, foreign 404, truncated body
"""
import base64
import http.server
import json
import socket
import struct
import threading
import time

import ingest


def encode(schema, value, names=None):
    """Avro's binary encoding. A union takes the branch named by a pair (index, value), else the first that fits."""
    names = {} if names is None else names
    if isinstance(schema, list):
        if isinstance(value, tuple):
            index, value = value
        else:
            index = next(i for i, s in enumerate(schema) if fits(names.get(s, s) if isinstance(s, str) else s, value))
        return ingest.zigzag(index) + encode(schema[index], value, names)
    if isinstance(schema, str):
        schema = names.get(schema, {"type": schema})
    kind = schema["type"]
    if isinstance(kind, (dict, list)):
        return encode(kind, value, names)
    if kind in ("record", "enum", "fixed"):
        names[schema["name"]] = schema
    if kind == "record":
        return b"".join(encode(f["type"], value[f["name"]] if f["name"] in value else f["default"], names) for f in schema["fields"])
    if kind == "enum":
        return ingest.zigzag(schema["symbols"].index(value))
    if kind == "array":
        return (ingest.zigzag(len(value)) + b"".join(encode(schema["items"], v, names) for v in value) if value else b"") + b"\0"
    if kind == "map":
        items = b"".join(encode("string", k) + encode(schema["values"], v, names) for k, v in value.items())
        return (ingest.zigzag(len(value)) + items if value else b"") + b"\0"
    if kind == "null":
        return b""
    if kind == "boolean":
        return b"\1" if value else b"\0"
    if kind in ("int", "long"):
        return ingest.zigzag(value)
    if kind in ("float", "double"):
        return struct.pack("<f" if kind == "float" else "<d", value)
    data = value.encode() if isinstance(value, str) else value
    return data if kind == "fixed" else ingest.zigzag(len(data)) + data


def fits(schema, value):
    kind = schema["type"] if isinstance(schema, dict) else schema
    return {"null": value is None, "boolean": isinstance(value, bool), "int": type(value) is int, "long": type(value) is int,
            "float": isinstance(value, float), "double": isinstance(value, float), "string": isinstance(value, str),
            "bytes": isinstance(value, bytes), "fixed": isinstance(value, bytes), "array": isinstance(value, list),
            "map": isinstance(value, dict), "record": isinstance(value, dict), "enum": isinstance(value, str)}[kind]


def framed(id, schema, value):
    """A value in Confluent's wire format."""
    return b"\0" + struct.pack(">I", id) + encode(schema, value)


class Registry:
    def __init__(self, user=None, password=None, token=None):
        self.answers, self.asked, self.trouble, self.bad_credentials = {}, [], None, 0
        want = None
        if user is not None:
            want = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
        if token is not None:
            want = "Bearer " + token
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.asked.append(self.path)
                trouble = registry.trouble
                if trouble == "down":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                if trouble == "slow":
                    time.sleep(3)
                    self.close_connection = True
                    return
                if trouble == "redirect":
                    return self.answer(302, "", {"Location": "http://127.0.0.1:1/"})
                if trouble == "garbage":
                    return self.answer(200, "<html>It works!</html>")
                if trouble == "other json":
                    return self.answer(200, '{"status":"ok"}')
                if trouble == "cut off":
                    self.send_response(200)
                    self.send_header("Content-Length", "100")
                    self.end_headers()
                    self.wfile.write(b'{"schema":')
                    self.close_connection = True
                    return
                if trouble == "foreign 404":
                    return self.answer(404, "<html>nothing here</html>")
                if isinstance(trouble, int):
                    return self.answer(trouble, '{"error_code":%d,"message":"trouble"}' % (trouble * 100 + 1))
                if want is not None and self.headers.get("Authorization") != want:
                    registry.bad_credentials += 1
                    return self.answer(401, '{"error_code":401,"message":"Unauthorized"}')
                id = self.path.rsplit("/", 1)[1]
                if not self.path.startswith("/schemas/ids/") or id not in registry.answers:
                    return self.answer(404, '{"error_code":40403,"message":"Schema %s not found"}' % id)
                self.answer(200, registry.answers[id])

            def answer(self, status, text, headers=()):
                body = text.encode()
                self.send_response(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ConnectionError, ValueError, OSError):
                    self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass                                        # we break connections on purpose
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def add(self, schema, id=None, **more):
        """Registers it; returns its id. `schema` is a dict, or text as it is."""
        id = id if id is not None else 100 + len(self.answers)
        self.answers[str(id)] = json.dumps(dict(schema=schema if isinstance(schema, str) else json.dumps(schema), **more))
        return id

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
