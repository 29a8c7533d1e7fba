"""GET /ws/query: the protocol by a client that can break every rule, the questions by one that others use as well."""
import asyncio
import json
import re
import socket
import struct
import sys
import threading
import time
import unittest

import harness
import stored
from websocket_client import BINARY, CLOSE, Client, ENDS, HOUR, PING, PONG, TEXT, frame

sys.path.append("/usr/lib/python3/dist-packages")       # Debian's packages, for whatever python3 this is
import websockets  # noqa: E402

LIST = "show all logs of the last 24 hours"
NODES = ["retrieve_schema", "generate_sql", "validate_sql", "execute_query", "generate_insight"]
UNHURRIED = ("--websocket-ping", "1h", "--drain-timeout", "5m")         # no ping between two frames, no end while a test holds a lock


class Revoked(threading.Thread):
    """A connection whose key is revoked, answering pings until it is closed: it takes the ten seconds for which a key is believed."""

    def __init__(self, world, key):
        super().__init__()
        self.agent = world.start("logmill-agent", "--websocket-ping", "6s")
        self.key = key
        self.client = Client(self.agent, {"X-API-Key": key})
        self.answered = self.client.answer("before")["type"]
        world.ctl("keys", "revoke", key[3:11], "--postgres-url", world.admin_url)
        self.code = None
        self.start()

    def run(self):
        try:
            while self.code is None:
                opcode, payload = self.client.frame()
                if opcode == CLOSE:
                    self.code, = struct.unpack(">H", payload[:2])
                else:
                    self.client.send(PONG, payload)
        except (EOFError, OSError):
            pass                                        # the test tells by the code


class Worlds:
    """What all of the tests share: a database without keys and an agent of it, and a database with keys."""

    def __init__(self):
        self.open, self.keyed = [harness.World(harness.Servers(), topics=False) for _ in range(2)]
        for world in (self.open, self.keyed):
            stored.fill(world)
        self.agent = self.open.start("logmill-agent", *stored.PATIENT, *UNHURRIED, "--max-in-flight", "300", "--pool-size", "12", "--cors-origins",
                                     "https://panel.example:8443")
        self.revoked = Revoked(self.keyed, self.key())

    def key(self, *options):
        out = self.keyed.ctl("keys", "create", "--postgres-url", self.keyed.admin_url, *options)
        return re.search(r"lm_\w+", out.stdout).group(0)

    def close(self):
        stuck = self.keyed.close()
        self.revoked.join()
        self.revoked.client.close()
        return stuck + self.open.close()


def setUpModule():
    global worlds
    worlds = Worlds()


def tearDownModule():
    stuck = worlds.close()
    if stuck:
        raise AssertionError("programs that SIGTERM did not end: %s" % stuck)


class Sockets(stored.Agents):
    agent_options = UNHURRIED

    @classmethod
    def setUpClass(cls):
        cls.shared, cls.agent = worlds.open, worlds.agent

    @classmethod
    def tearDownClass(cls):
        pass

    def client(self, *arguments, agent=None, **options):
        client = Client(agent or self.agent, *arguments, **options)
        self.addCleanup(client.close)
        return client

    def taken(self, agent=None):
        return (agent or self.agent).metric("logmill_agent_connections_taken")

    def hold(self, client, name="held"):
        """A question whose statement waits until what is returned is called."""
        release = self.lock()
        self.addCleanup(release)
        client.ask(name, refresh=True)
        while client.event().get("node") != "execute_query":
            pass
        return release


class Handshakes(Sockets):
    def test_the_accept_of_the_specification(self):
        client = self.client()
        self.assertEqual(101, client.status)
        self.assertEqual("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", client.headers["sec-websocket-accept"])
        self.assertNotIn("sec-websocket-protocol", client.headers)
        self.assertNotIn("sec-websocket-extensions", client.headers)

    def test_what_is_no_handshake_is_refused_by_its_status(self):
        for status, headers in ((426, {"Upgrade": None}), (426, {"Upgrade": "h2c"}), (426, {"Connection": "keep-alive"}),
                                (426, {"Sec-WebSocket-Version": "8"}), (426, {"Sec-WebSocket-Version": None}),
                                (400, {"Sec-WebSocket-Key": None}), (400, {"Sec-WebSocket-Key": "short"}),
                                (400, {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!=="}),
                                (400, {"Sec-WebSocket-Protocol": "key.lm_x"}), (403, {"Origin": "https://elsewhere.example"}),
                                (403, {"Origin": "null"}), (403, {"Origin": "https://panel.example"}),
                                (403, {"Origin": "https://" + self.agent.url[7:] + ".elsewhere.example"})):
            with self.subTest(headers=headers):
                client = self.client(headers)
                self.assertEqual(status, client.status)
                self.assertEqual("no-store", client.headers["cache-control"])
                if status == 426:
                    self.assertEqual("13", client.headers["sec-websocket-version"])
        self.assertEqual(405, self.agent.post("/ws/query", {})[0])
        self.assertEqual(426, self.agent.get("/ws/query")[0])

    def test_our_own_pages_and_those_listed_may_ask(self):
        for origin in (self.agent.url, "https://" + self.agent.url[7:], "https://panel.example:8443"):
            self.assertEqual("result", self.client({"Origin": origin}).answer("a")["type"], origin)

    def test_what_comes_with_the_handshake_is_not_lost(self):
        ask = frame(TEXT, json.dumps({"type": "ask", "id": "early", "question": HOUR}).encode())
        self.assertEqual("result", self.client(early=ask).until("early")[-1]["type"])
        cut = self.client(early=ask[:9])
        cut.s.sendall(ask[9:])
        self.assertEqual("result", cut.until("early")[-1]["type"])

    def test_as_many_as_allowed(self):
        agent = self.start("--websocket-connections", "2")
        first, _ = self.client(agent=agent), self.client(agent=agent)
        self.assertEqual(503, self.client(agent=agent).status)
        first.close()
        self.wait_until(lambda: agent.metric("logmill_agent_websockets") == 1, 10)
        self.assertEqual(101, self.client(agent=agent).status)


class Frames(Sockets):
    def test_a_breach_closes_with_its_code(self):
        whole = json.dumps({"type": "ask", "id": "a", "question": HOUR}).encode()
        for code, data in (
                (1002, frame(TEXT, whole, mask=None)), (1002, frame(TEXT, whole, rsv=4)), (1002, frame(PING, rsv=2)),
                (1002, frame(3, b"x")), (1002, frame(7)), (1002, frame(11)), (1002, frame(15, b"x")),
                (1002, frame(0, b"continues nothing")), (1002, frame(TEXT, b"{", fin=False) + frame(TEXT, b"}")),
                (1002, frame(TEXT, b"{", fin=False) + frame(BINARY, b"}")),
                (1002, frame(CLOSE, struct.pack(">H", 999))), (1002, frame(CLOSE, struct.pack(">H", 1005))),
                (1002, frame(CLOSE, struct.pack(">H", 2999))),
                (1003, frame(BINARY, whole)), (1003, frame(BINARY)),
                (1007, frame(TEXT, b"\xff")), (1007, frame(TEXT, b'"\xed\xa0\x80"')), (1007, frame(TEXT, b'"\xc0\xaf"')),
                (1007, frame(TEXT, b"\xf0\x9f\x98")), (1007, frame(TEXT, b"\xf0\x9f", fin=False) + frame(0, b"\x98\xff")),
                (1007, frame(CLOSE, struct.pack(">H", 1000) + b"\xff")),
                (1009, frame(TEXT, b" " * 65537)), (1009, frame(TEXT, b" " * 65536, fin=False) + frame(0, b" ")),
                (1009, b"".join(frame(TEXT if i == 0 else 0, b" " * 1000, fin=False) for i in range(70)))):
            with self.subTest(code=code, data=data[:16]):
                client = self.client()
                client.pour(data)
                self.assertEqual(code, client.closed())

    def test_control_frames_that_must_not_be_close_without_a_code(self):
        for data in (frame(PING, b"x" * 126), frame(PING, b"x", fin=False), frame(CLOSE, b"\x03"), frame(PING, b"x" * 70000),
                     b"\x81\xff" + b"\xff" * 8 + b"mask"):
            with self.subTest(data=data[:10]):
                client = self.client()
                client.pour(data)
                self.assertIn(client.closed(), (None, 1002, 1005, 1009))
        self.assertEqual("result", self.client().answer("still")["type"])

    def test_a_message_in_pieces_with_control_frames_between(self):
        client = self.client()
        whole = json.dumps({"type": "ask", "id": "pieces", "question": "최근 24시간 에러 몇 건이야?"}, ensure_ascii=False).encode()
        for i, byte in enumerate(whole):
            client.send(TEXT if i == 0 else 0, bytes([byte]), fin=False)
            if i % 40 == 0:
                client.send(PING, b"%d" % i)
        client.send(0)
        pings = [b"%d" % i for i in range(0, len(whole), 40)]
        self.assertEqual([(PONG, p) for p in pings], [client.frame() for _ in pings])
        self.assertEqual("result", client.until("pieces")[-1]["type"])

    def test_frames_that_come_byte_by_byte(self):
        client = self.client()
        for byte in frame(PING, b"slow") + frame(TEXT, b'{"type":"ask","id":"slow","question":"how many errors today?"}'):
            client.s.sendall(bytes([byte]))
        self.assertEqual((PONG, b"slow"), client.frame())
        self.assertIn(client.until("slow")[-1]["type"], ENDS)

    def test_the_longest_message_and_lengths_in_longer_form(self):
        client = self.client()
        ask = json.dumps({"type": "ask", "id": "long", "question": HOUR}).encode()
        client.send(TEXT, ask + b" " * (65536 - len(ask)))
        self.assertEqual("result", client.until("long")[-1]["type"])
        client.send(PONG, b"nobody asked")
        client.send(TEXT, b"", fin=False)
        client.send(0, b"", fin=False)
        client.send(0, ask.replace(b"long", b"more"))
        self.assertEqual("result", client.until("more")[-1]["type"])

    def test_the_close_is_answered_and_nothing_after_it(self):
        for payload, code in ((struct.pack(">H", 1000) + "안녕".encode(), 1000), (b"", 1005), (struct.pack(">H", 4321), 4321)):
            client = self.client()
            client.s.sendall(frame(CLOSE, payload) + frame(TEXT, b'{"type":"ask","id":"late","question":"errors"}'))
            self.assertEqual(code, client.closed())

    def test_a_client_that_never_closes_its_side_is_let_go(self):
        client = self.client()
        client.send(BINARY)
        client.frame()
        self.wait_until(lambda: self.agent.metric("logmill_agent_websockets") == 0, 20)

    def test_a_flood_of_pings_that_nobody_reads_is_bounded(self):
        agent = self.start()
        client = self.client(agent=agent, small=True)
        before = resident(agent)
        client.s.settimeout(1)
        flood = frame(PING, b"x" * 125) * 20000
        try:
            for _ in range(30):
                client.s.sendall(flood)
        except TimeoutError:
            pass
        self.assertLess(resident(agent) - before, 24 << 10)
        self.assertEqual("result", self.client(agent=agent).answer("other")["type"])


def resident(agent):
    """KiB"""
    with open("/proc/%d/status" % agent.process.pid, encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


class Questions(Sockets):
    def test_a_question_is_told_stage_by_stage_and_answered_as_over_http(self):
        client = self.client()
        for name, question in (("1", HOUR), ("2", "최근 24시간 서비스별 에러"), ("3", "show errors of the last 24 hours")):
            client.ask(name, question, max_results=7)
            events = client.until(name)
            self.assertEqual(list(range(1, len(events) + 1)), [e["seq"] for e in events])
            self.assertEqual({name}, {e["id"] for e in events})
            self.assertEqual(NODES, [e["node"] for e in events if e["type"] == "node_start"])
            self.assertEqual(NODES, [e["node"] for e in events if e["type"] == "node_end"])
            answer = events[-1]["content"]
            self.assertEqual(answer["insight"], "".join(e["content"] for e in events if e["type"] == "token"))
            plain = self.agent.post("/query", {"question": question, "max_results": 7})[1]
            self.assertEqual(set(plain), set(answer))
            for member in ("results", "columns", "intent", "chart", "count"):
                self.assertEqual(plain[member], answer[member])
        follow = client.answer("4", "only payment-service", previous=answer["intent"])
        self.assertEqual({"payment-service"}, {r["service"] for r in follow["content"]["results"]})

    def test_what_is_not_answered_is_an_error_of_its_id(self):
        client = self.client()
        for code, keys in (("not_understood", {"question": "what is the meaning of life?"}), ("refused", {"question": "delete all logs"}),
                           ("unknown_entity", {"question": "errors of no-such-service today"}), ("bad_request", {"nonsense": 1}),
                           ("bad_request", {"question": 7}), ("bad_request", {"timezone": "Mars/Base"}),
                           ("bad_request", {"previous": {"v": 1}}), ("bad_request", {"format": "csv"}),
                           ("too_large", {"question": "x" * 2001})):
            end = client.answer("q", **dict({"question": HOUR}, **keys))
            self.assertEqual(("error", code), (end["type"], end["content"]["code"]), keys)
        self.assertEqual("result", client.answer("q")["type"])

    def test_a_message_that_names_no_question_is_an_error_of_none(self):
        client = self.client()
        for message in ("", "x", "[]", "null", '{"id":"a","id":"a"}', "{}", '{"type":"ask"}', '{"type":"ask","id":7,"question":"errors"}',
                        '{"type":"ask","id":"","question":"errors"}', '{"type":"ask","id":"a b","question":"errors"}',
                        '{"type":"ask","id":"%s","question":"errors"}' % ("x" * 129), "[" * 60000):
            client.send(TEXT, message.encode())
            end = client.event()
            self.assertEqual((None, "error", "bad_request"), (end["id"], end["type"], end["content"]["code"]), message[:40])
        for message in ('{"type":"tell","id":"a"}', '{"id":"a"}', '{"type":"cancel","id":"a","why":1}'):
            client.send(TEXT, message.encode())
            end = client.event()
            self.assertEqual(("a", "error"), (end["id"], end["type"]), message)
        client.say({"type": "cancel", "id": "never-asked"})
        self.assertEqual("result", client.answer("x" * 128)["type"])

    def test_eight_at_once_and_each_ends_once(self):
        client = self.client()
        release = self.lock()
        self.addCleanup(release)
        for i in range(8):
            client.ask("q%d" % i, "errors by service in the last %d hours" % (i + 2), refresh=True)
        self.wait_until(lambda: self.waiting() == 8, 20)
        client.ask("q8")
        refused = client.until("q8")[-1]
        self.assertEqual("too_many_requests", refused["content"]["code"])
        client.ask("q3")
        self.assertIsNone(client.until(None)[-1]["id"])
        client.say({"type": "bogus", "id": "q3"})
        self.assertIsNone(client.until(None)[-1]["id"])
        client.say({"type": "cancel", "id": "q3"})
        self.assertEqual("cancelled", client.until("q3")[-1]["type"])
        client.ask("q3", "how many warnings in the last 24 hours?")
        release()
        while sum(client.ended.values()) < 12:
            client.event()
        client.answer("last")
        self.assertEqual({None: 2, "q3": 2, "last": 1, **{"q%d" % i: 1 for i in (0, 1, 2, 4, 5, 6, 7, 8)}}, dict(client.ended))

    def test_a_cancel_ends_the_statement(self):
        client = self.client()
        release = self.hold(client)
        self.wait_until(lambda: self.waiting() == 1, 20)
        client.say({"type": "cancel", "id": "held"})
        self.assertEqual("cancelled", client.until("held")[-1]["type"])
        self.wait_until(lambda: self.taken() == 0, 20, "the connection is back while the lock still holds")
        release()
        self.assertEqual("result", client.answer("held")["type"])

    def test_a_cancel_of_one_of_two_alike_leaves_the_other(self):
        first, second = self.client(), self.client()
        release = self.lock()
        self.addCleanup(release)
        for client in (first, second):
            client.ask("same", "errors by service in the last 20 hours")
            while client.event().get("node") != "validate_sql":
                pass
        self.wait_until(lambda: self.taken() == 1, 20)
        first.say({"type": "cancel", "id": "same"})
        self.assertEqual("cancelled", first.until("same")[-1]["type"])
        release()
        self.assertEqual("result", second.until("same")[-1]["type"])

    def test_a_client_that_is_killed_ends_its_statements(self):
        for how in ("reset", "frame"):
            client = self.client()
            release = self.hold(client)
            client.ask("second", "errors by service in the last 9 hours", refresh=True)
            while client.event().get("node") != "execute_query":
                pass
            self.wait_until(lambda: self.waiting() == 2, 20)
            if how == "reset":
                client.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "frame":
                client.send(CLOSE)
            else:
                client.close()
            self.wait_until(lambda: self.taken() == 0, 20, "the connections are back while the lock still holds")
            release()
        self.wait_until(lambda: int(self.shared.value("select count(*) from logmill.audit_log where request_id = 'second' and "
                                                      "verdict = 'abandoned'")) == 2, 20)

    def test_a_question_is_in_the_audit_log_as_over_http(self):
        self.client().answer("audit-1", "errors by service in the last 3 hours")
        self.client().answer("audit-2", "delete all logs")
        rows = []

        def written():
            rows[:] = self.shared.rows("select request_id, role, address, question, verdict, sql <> '' from logmill.audit_log "
                                       "where request_id like 'audit-%' order by 1")
            return len(rows) == 2
        self.wait_until(written, 20)
        self.assertEqual(["audit-1", "anonymous", "127.0.0.1", "errors by service in the last 3 hours", "answered"], list(rows[0])[:5])
        self.assertEqual("refused", rows[1][4])

    def test_a_slow_reader_is_closed_and_costs_nobody_else(self):
        agent = self.start("--cache-size", "0")
        fast, slow = self.client(agent=agent), self.client(agent=agent, small=True)
        asks = [{"type": "ask", "id": "big%d" % i, "question": LIST, "max_results": 2000 - i} for i in range(8)]
        for ask in asks:
            fast.say(ask)
            self.assertEqual("result", fast.until(ask["id"])[-1]["type"])
        before = resident(agent)
        slow.pour(b"".join(frame(TEXT, json.dumps(ask).encode()) for ask in asks))     # at once: behind an answer not taken none is read
        self.wait_until(lambda: agent.metric('logmill_agent_websockets_closed_total{code="1013"}') == 1, 60)
        self.assertEqual("result", fast.answer("other")["type"])
        self.assertLess(resident(agent) - before, 24 << 10)
        self.assertIn(slow.closed(), (None, 1013))

    def test_two_hundred_questions_over_25_connections(self):
        async def one(number):
            results = {}
            async with websockets.connect(self.agent.url.replace("http", "ws") + "/ws/query", max_size=None, open_timeout=60,
                                          ping_interval=None) as ws:
                for i in range(8):
                    await ws.send(json.dumps({"type": "ask", "id": "%d-%d" % (number, i), "refresh": i % 4 == 0,
                                              "question": "errors by service in the last %d hours" % (i + 3)}))
                while len(results) < 8:
                    event = json.loads(await ws.recv())
                    if event["type"] in ENDS:
                        assert event["id"] not in results
                        results[event["id"]] = event["type"], len(event["content"].get("results", ()))
            return results

        async def all_of_them():
            return await asyncio.gather(*(one(n) for n in range(25)))
        results = asyncio.run(all_of_them())
        self.assertEqual([8] * 25, [len(r) for r in results])
        self.assertEqual(25, len(set(map(tuple, (sorted(r) for r in results)))))
        for i in range(8):
            self.assertEqual({("result", results[0]["0-%d" % i][1])}, {r["%d-%d" % (n, i)] for n, r in enumerate(results)})
        self.wait_until(lambda: self.agent.metric("logmill_agent_in_flight") == 0, 10)

    def test_the_example_of_the_documentation(self):
        text = (harness.ROOT / "agent" / "README.md").read_text(encoding="utf-8")
        example = re.search(r"```python\n(.*?/ws/query.*?)```", text, re.S).group(1).replace("ws://localhost:8001", self.agent.url.replace("http", "ws"))
        printed = []
        exec(compile(example, "agent/README.md", "exec"), {"print": lambda *words, **_: printed.append(words), "__name__": "__main__"})
        self.assertTrue(any("에러" in str(p) or "error" in str(p) for p in printed), printed)


class Ends(Sockets):
    def test_a_peer_that_answers_no_ping_is_gone(self):
        agent = self.start("--websocket-ping", "200ms")
        client = self.client(agent=agent)
        self.assertEqual((PING, b""), client.frame())
        half = self.client(agent=agent)
        half.s.sendall(frame(TEXT, b"x" * 100)[:50])
        for silent in (client, half):
            self.assertIsNone(silent.closed())
        self.wait_until(lambda: agent.metric("logmill_agent_websockets") == 0)

    def test_a_peer_that_answers_stays(self):
        agent = self.start("--websocket-ping", "2s")

        def stays():                                    # one that answers too late is none
            client = self.client(agent=agent)
            for _ in range(2):
                opcode, payload = client.frame()
                self.assertEqual(PING, opcode)
                client.send(PONG, payload)
            return client.answer("alive")["type"] == "result"
        self.wait_until(stays, 30)

    def test_a_stop_says_so(self):
        agent = self.start()
        idle, gone = self.client(agent=agent), self.client(agent=agent)
        idle.answer("before")
        gone.close()
        agent.process.terminate()
        opcode, payload = idle.frame()
        self.assertEqual((CLOSE, 1001), (opcode, struct.unpack(">H", payload[:2])[0]))
        idle.send(CLOSE, payload[:2])
        self.assertEqual(0, agent.wait(20))

    def test_a_stop_waits_for_the_questions_and_takes_no_more(self):
        agent = self.start()
        client = self.client(agent=agent)
        release = self.hold(client)
        agent.process.terminate()
        self.wait_until(lambda: "stopping" in agent.log(), 20)
        client.ask("late")
        late = client.until("late")[-1]
        self.assertEqual(("error", "unavailable"), (late["type"], late["content"]["code"]))
        release()
        self.assertEqual("result", client.until("held")[-1]["type"])
        self.assertEqual(1001, client.closed())
        self.assertEqual(0, agent.wait(20))

    def test_a_stop_that_does_not_wait_ends_them_with_an_error(self):
        agent = self.start()
        client = self.client(agent=agent)
        self.hold(client)
        agent.process.terminate()
        self.wait_until(lambda: "stopping" in agent.log(), 20)
        agent.process.terminate()
        self.assertEqual("unavailable", client.until("held")[-1]["content"]["code"])
        self.assertEqual(1001, client.closed())
        self.assertEqual(0, agent.wait(20))

    def test_the_deadline_of_a_stop_cuts_off_whoever_is_left(self):
        agent = self.start("--drain-timeout", "300ms")
        client = self.client(agent=agent)
        self.hold(client)
        agent.process.terminate()
        self.assertEqual(0, agent.wait(20))
        self.assertIsNone(client.closed())


class Keys(harness.Case):
    def client(self, agent, headers):
        client = Client(agent, headers)
        self.addCleanup(client.close)
        return client

    def start(self, *options):
        agent = worlds.keyed.start("logmill-agent", *options)
        self.addCleanup(agent.terminate)
        return agent

    def test_a_key_comes_by_header_or_sub_protocol_and_stays_ours(self):
        admin, scoped = worlds.key("--role", "admin"), worlds.key("--service", "order-service")
        agent = self.start("--log-level", "debug")
        for headers in ({}, {"X-API-Key": admin[:-1] + "0"}, {"Sec-WebSocket-Protocol": "logmill"},
                        {"Sec-WebSocket-Protocol": "logmill, key."}, {"Sec-WebSocket-Protocol": "logmill, key." + "x" * 500},
                        {"Sec-WebSocket-Protocol": "logmill, key." + admin[:-1]}):
            self.assertEqual(401, self.client(agent, headers).status, headers)
        for headers in ({"X-API-Key": admin}, {"Authorization": "Bearer " + admin}):
            self.assertEqual("result", self.client(agent, headers).answer("a")["type"])
        client = self.client(agent, {"Sec-WebSocket-Protocol": "key.%s , logmill" % scoped})
        self.assertEqual("logmill", client.headers["sec-websocket-protocol"])
        rows = client.answer("a", "count of logs by service in the last 24 hours")["content"]["results"]
        self.assertEqual({"order-service"}, {r["service"] for r in rows})
        for key in (admin, scoped):
            self.assertNotIn(key[12:44], agent.log() + json.dumps(client.headers))

    def test_every_question_pays(self):
        agent = self.start("--rate-limit", "1", "--rate-burst", "4", *UNHURRIED)
        key, begin = worlds.key(), time.monotonic()
        client = self.client(agent, {"X-API-Key": key})
        for i in range(6):
            client.ask("q%d" % i)
        ends = []
        while len(ends) < 6:
            ends += [e for e in [client.event()] if e["type"] in ENDS]
        paid = 4 - 0.1 + (time.monotonic() - begin) / 60     # the handshake costs a tenth, and a question a minute is given back
        self.assertIn(sum(e["type"] == "result" for e in ends), range(3, int(paid) + 1))
        self.assertEqual({"too_many_requests"}, {e["content"]["code"] for e in ends if e["type"] == "error"})
        client.send(PING, b"still open")
        self.assertEqual((PONG, b"still open"), client.frame())

    def test_a_revoked_key_closes(self):
        def closed():
            worlds.revoked.join(60)
            if worlds.revoked.code is None:             # it answered a ping too late
                worlds.revoked.client.close()
                worlds.revoked = Revoked(worlds.keyed, worlds.key())
            return worlds.revoked.code
        self.wait_until(closed, 60)
        revoked = worlds.revoked
        self.assertEqual(("result", 1008), (revoked.answered, revoked.code))
        self.assertEqual(401, self.client(revoked.agent, {"X-API-Key": revoked.key}).status)


if __name__ == "__main__":
    unittest.main()
