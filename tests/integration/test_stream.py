"""Exports: every row, as CSV and NDJSON, in bounded memory, cancelled with its client. Events: a question's way, told while it goes."""
import concurrent.futures
import csv
import http.client
import io
import json
import re
import socket
import subprocess
import unittest

import harness
import stored

LIST = "show all logs of the last 24 hours"
MORE = """
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, kafka_partition, kafka_offset,
                          ingested_at, pattern)
select date_trunc('hour', now(), 'UTC') - i * interval '1 s', 'raw', 'INFO', 'BACKEND', 'bulk-service', 'production',
       repeat('long text ', 40) || i, 0, 1000000 + i, now(), 7
from generate_series(1, 30000) i;
insert into logmill.log_name select 'service', 'bulk-service', 'raw', 'bulk-service', 'production', 0, min(created_at),
       max(created_at), count(*) from logmill.logs where service = 'bulk-service';
"""
BULK = "show logs of bulk-service in the last 24 hours"
HOSTILE = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", 'say "hi", all', "two\r\nlines", "한국어, 쉼표"]


def rest(s):
    """What comes until the server closes."""
    data = b""
    with s:
        while piece := s.recv(1 << 20):
            data += piece
    return data


def body_of(data):
    """What an answer in chunks holds: a chunk may end anywhere in a line."""
    body, at = [], data.index(b"\r\n\r\n") + 4
    while at < len(data):
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        body.append(data[end + 2:end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(body)


class Exports(stored.Agents):
    @classmethod
    def prepare(cls):
        cls.shared.rows(stored.ROWS)
        cls.shared.rows(MORE)
        for i, text in enumerate(HOSTILE):
            cls.shared.rows("insert into logmill.logs (created_at, category, level, log_type, service, environment, message, "
                            "kafka_partition, kafka_offset, ingested_at, pattern) values (date_trunc('hour', now(), 'UTC') - "
                            "interval '30 min', 'raw', 'FATAL', 'BACKEND', 'hostile-service', 'production', E'%s', 0, %d, now(), 9)"
                            % (text.replace("'", "''").replace("\t", "\\t").replace("\r\n", "\\r\\n"), 2000000 + i))
        cls.shared.rows("insert into logmill.log_name select 'service', 'hostile-service', 'raw', 'hostile-service', 'production', 0, "
                        "min(created_at), max(created_at), count(*) from logmill.logs where service = 'hostile-service'")
        cls.shared.rows((harness.ROOT / "tests" / "data" / "agent_rollups.sql").read_text(encoding="utf-8"))

    def export(self, agent, question, status=200, headers=None, **keys):
        c = http.client.HTTPConnection(agent.url[7:], timeout=60)
        self.addCleanup(c.close)
        c.request("POST", "/export", json.dumps(dict(keys, question=question)),
                  dict({"Content-Type": "application/json"}, **(headers or {})))
        r = c.getresponse()
        text = r.read().decode("utf-8")
        self.assertEqual(status, r.status, text[:500])
        self.headers = r.headers
        return text

    def lines(self, agent, question, **keys):
        return [json.loads(line) for line in self.export(agent, question, format="ndjson", **keys).splitlines()]

    def taken(self, agent):
        return agent.metric("logmill_agent_connections_taken")

    def test_a_list_is_exported_whole_and_as_query_shows_it(self):
        agent = self.start()
        rows = self.lines(agent, BULK)
        self.assertEqual(30000, len(rows))
        self.assertEqual("application/x-ndjson", self.headers["Content-Type"])
        self.assertEqual("no-store", self.headers["Cache-Control"])
        self.assertEqual(sorted((r["created_at"] for r in rows), reverse=True), [r["created_at"] for r in rows])
        self.assertEqual(30000, len({r["message"] for r in rows}))
        shown = agent.post("/query", {"question": BULK, "max_results": 500})[1]
        self.assertEqual(shown["results"], rows[:500])
        self.assertEqual([c["name"] for c in shown["columns"]], list(rows[0]))

    def test_csv_says_the_same_as_ndjson(self):
        agent = self.start()
        text = self.export(agent, LIST, headers={"Accept": "text/csv"}, max_results=4000)
        self.assertEqual("text/csv; charset=utf-8; header=present", self.headers["Content-Type"])
        table = list(csv.DictReader(io.StringIO(text, newline="")))
        rows = self.lines(agent, LIST, max_results=4000)
        self.assertEqual(4000, len(table))
        self.assertTrue(text.endswith("\r\n"))
        for line, row in zip(table, rows):
            self.assertEqual(list(row), list(line))
            self.assertEqual(row["created_at"], line["created_at"])
            self.assertEqual("" if row["duration_ms"] is None else str(row["duration_ms"]), line["duration_ms"])
            if row["metadata"] is not None:
                self.assertEqual(row["metadata"], json.loads(line["metadata"]))

    def test_formulas_are_escaped_unless_told_otherwise(self):
        ask = "show logs of hostile-service in the last 24 hours"
        kept = self.start("--export-escape-formulas=false")
        raw = csv.DictReader(io.StringIO(self.export(kept, ask, format="csv"), newline=""))
        self.assertEqual(sorted(HOSTILE), sorted(r["message"] for r in raw))
        safe = csv.DictReader(io.StringIO(self.export(self.start(), ask, format="csv"), newline=""))
        self.assertEqual(sorted("'" + m if m[0] in "=+-@\t" else m for m in HOSTILE), sorted(r["message"] for r in safe))

    def test_other_questions_are_exported_as_they_are_answered(self):
        agent = self.start("--allow-now")
        now = self.shared.value("select to_char(date_trunc('hour', now(), 'UTC') + interval '20 min', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
        for question in ("errors by service in the last 24 hours", "errors per hour in the last 24 hours",
                         "how many errors in the last 24 hours?"):
            answer = agent.post("/query", {"question": question, "max_results": 10000, "now": now})[1]
            self.assertEqual(answer["results"], self.lines(agent, question, now=now), question)
            table = list(csv.DictReader(io.StringIO(self.export(agent, question, now=now), newline="")))
            self.assertEqual([c["name"] for c in answer["columns"]], list(table[0]))
            self.assertEqual(answer["count"], len(table))

    def test_an_empty_list_is_a_header_or_nothing(self):
        agent = self.start()
        ask = "All logs of user u99999 in the last 24 hours"
        self.assertEqual("", self.export(agent, ask, format="ndjson"))
        self.assertRegex(self.export(agent, ask, format="csv"), r"\A[a-z_,]+\r\n\Z")

    def test_an_export_over_the_limit_is_broken_off_and_one_asked_short_is_whole(self):
        agent = self.start("--export-max-rows", "12000")
        with self.assertRaises(http.client.IncompleteRead):
            self.export(agent, BULK)
        self.assertEqual(11000, len(self.lines(agent, BULK, max_results=11000)))
        self.wait_until(lambda: self.taken(agent) == 0, 10)
        self.wait_until(lambda: self.shared.value(
            "select count(*) from logmill.audit_log where (verdict, row_count) in (('exported', 11000), ('unavailable', 12000))") == "2",
            10, "both are in the audit log")

    def test_what_is_wrong_is_said_as_for_a_question(self):
        agent = self.start("--export-max-rows", "20000")
        for status, code, keys, headers in (
                (400, "bad_request", {"format": "xml"}, {}), (400, "bad_request", {"max_results": 20001}, {}),
                (406, "not_acceptable", {}, {"Accept": "image/png"}), (422, "unknown_entity", {"question": "logs of no-service"}, {}),
                (415, "unsupported_media_type", {}, {"Content-Type": "text/plain"})):
            keys = dict({"question": BULK}, **keys)
            body = self.export(agent, status=status, headers=headers, **keys)
            self.assertEqual(code, json.loads(body)["error"]["code"])
        self.assertEqual(400, agent.post("/query", {"question": BULK, "format": "csv"})[0])

    def slow(self, agent, question=BULK):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])))
        body = json.dumps({"question": question, "format": "ndjson"}).encode()
        s.sendall(b"POST /export HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                  % len(body) + body)
        s.settimeout(30)
        return s

    def idle(self):
        """Exports whose cursor waits for the client."""
        return int(self.shared.value("select count(*) from pg_stat_activity where datname = current_database() and "
                                     "application_name = 'logmill-agent' and state = 'idle in transaction' and query like 'FETCH%'"))

    def resident(self, agent):
        """KiB"""
        with open("/proc/%d/status" % agent.process.pid, encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def test_a_slow_reader_holds_the_server_back_and_gets_everything(self):
        agent = self.start()
        self.lines(agent, BULK)
        before = self.resident(agent)
        s = self.slow(agent)
        self.wait_until(lambda: self.idle() == 1, 20, "the cursor waits")
        self.assertLess(self.resident(agent) - before, 16 << 10)
        self.assertEqual(200, agent.post("/query", {"question": "how many errors in the last 24 hours?"})[0])
        data = rest(s)
        self.assertTrue(data.endswith(b"0\r\n\r\n"))
        self.assertEqual(30000, body_of(data).count(b'"message":"long text'))

    def test_a_client_that_goes_away_frees_the_connection(self):
        agent = self.start("--export-in-flight", "1")
        for _ in range(3):
            s = self.slow(agent)
            self.wait_until(lambda: self.idle() == 1, 20, "the cursor waits")
            self.assertEqual("unavailable", json.loads(self.export(agent, BULK, 503))["error"]["code"])
            s.close()
            self.wait_until(lambda: self.taken(agent) == 0, 20, "the connection is back")
        self.assertEqual(30000, len(self.lines(agent, BULK)))
        self.wait_until(lambda: int(self.shared.value("select count(*) from logmill.audit_log where verdict = 'abandoned'")) >= 3, 10)

    def test_a_backend_that_dies_breaks_the_export_off(self):
        agent = self.start()
        s = self.slow(agent)
        data = s.recv(1)                                       # before anything was told it would be done again, on another connection
        self.wait_until(lambda: self.shared.rows(              # between two FETCHes nobody is idle for long: until one was met
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'logmill-agent' and "
            "query like 'FETCH%' and pg_terminate_backend(case when datname = current_database() then pid end)"), 20, "the cursor's backend is ended")
        data += rest(s)
        self.assertFalse(data.endswith(b"0\r\n\r\n"))
        self.assertLess(data.count(b'"message":"long text'), 30000)
        self.assertEqual(30000, len(self.lines(agent, BULK)))

    def test_sigterm_does_not_wait_for_ever_for_a_reader(self):
        agent = self.start("--drain-timeout", "500ms")
        s = self.slow(agent)
        self.wait_until(lambda: self.idle() == 1, 20, "the cursor waits")
        agent.process.terminate()
        self.assertEqual(0, agent.wait(20))
        s.close()

    def test_curl_writes_a_file_that_is_whole(self):
        agent = self.start()
        out = subprocess.run(["curl", "-sSf", agent.url + "/export", "-H", "Content-Type: application/json", "-d",
                              json.dumps({"question": BULK})], stdout=subprocess.PIPE, check=True, timeout=60).stdout
        self.assertEqual(30001, out.count(b"\r\n"))


NODES = ["retrieve_schema", "generate_sql", "validate_sql", "execute_query", "generate_insight"]
HOUR = "how many errors in the last 24 hours?"


class Events(stored.Agents):
    taken = Exports.taken

    def stream(self, agent, question, status=200, headers=None, **keys):
        c = http.client.HTTPConnection(agent.url[7:], timeout=60)
        try:
            c.request("POST", "/query", json.dumps(dict(keys, question=question)),
                      dict({"Content-Type": "application/json", "Accept": "text/event-stream"}, **(headers or {})))
            r = c.getresponse()
            text = r.read().decode("utf-8")
            self.headers = r.headers
        finally:
            c.close()
        self.assertEqual(status, r.status, text[:500])
        return text

    def events(self, agent, question, **keys):
        text = self.stream(agent, question, **keys)
        events = []
        for block in text.split("\n\n")[:-1]:
            name, data = block.split("\n")
            event = json.loads(data[len("data: "):])
            self.assertEqual("event: " + event["type"], name)
            events.append(event)
        self.assertEqual(list(range(1, len(events) + 1)), [e["seq"] for e in events])
        self.assertEqual(sorted(e["progress"] for e in events if e["type"] != "error"),
                         [e["progress"] for e in events if e["type"] != "error"])
        return events

    def whole(self, events):
        """What a client can rely on for every question that is answered."""
        self.assertEqual(NODES, [e["node"] for e in events if e["type"] == "node_start"])
        self.assertEqual(NODES, [e["node"] for e in events if e["type"] == "node_end"])
        self.assertEqual("result", events[-1]["type"])
        self.assertEqual(1, sum(e["type"] in ("result", "error", "cancelled") for e in events))
        tokens = [e for e in events if e["type"] == "token"]
        self.assertEqual({("generate_insight", "insight")}, {(e["node"], e["field"]) for e in tokens})
        self.assertEqual(events[-1]["content"]["insight"], "".join(e["content"] for e in tokens))
        return events[-1]["content"]

    def test_a_question_is_told_stage_by_stage_and_answered_as_without(self):
        agent = self.start()
        for question in (HOUR, "최근 24시간 서비스별 에러", "show errors of the last 24 hours"):
            events = self.events(agent, question, headers={"X-Request-Id": "events-1"})
            answer = self.whole(events)
            self.assertEqual({"events-1"}, {e["id"] for e in events})
            self.assertEqual("text/event-stream", self.headers["Content-Type"])
            self.assertEqual("no-store", self.headers["Cache-Control"])
            plain = agent.post("/query", {"question": question})[1]
            self.assertEqual(set(plain), set(answer))
            for name in ("results", "columns", "intent", "chart", "count"):
                self.assertEqual(plain[name], answer[name])
            self.wait_until(lambda: self.whole(self.events(agent, question))["cached"] == "process", 20, "two within one bucket")

    def test_what_is_not_answered_is_an_error_at_the_end(self):
        agent = self.start()
        for question, code in (("what is the meaning of life?", "not_understood"), ("errors of no-such-service today", "unknown_entity"),
                               ("delete all logs", "refused")):
            events = self.events(agent, question)
            self.assertEqual(["error"], [e["type"] for e in events if e["type"] in ("result", "error", "cancelled")])
            self.assertEqual(("error", code), (events[-1]["type"], events[-1]["content"]["code"]))
            self.assertEqual(agent.post("/query", {"question": question})[1]["error"], events[-1]["content"])

    def test_what_is_unfit_is_answered_by_its_status(self):
        agent = self.start()
        self.assertEqual("bad_request", json.loads(self.stream(agent, HOUR, 400, nonsense=1))["error"]["code"])
        self.stream(agent, HOUR, 415, {"Content-Type": "text/plain"})
        self.assertIn("results", json.loads(self.stream(agent, HOUR, headers={"Accept": "application/json, text/event-stream"})))

    def hold(self, agent):
        """A stream whose statement waits for a lock: its socket, what came so far, and what lets go of the lock."""
        release = self.lock()
        s = socket.create_connection(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])), timeout=30)
        body = json.dumps({"question": HOUR, "refresh": True}).encode()
        s.sendall(b"POST /query HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/event-stream\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        came = b""
        while b'"node_start","node":"execute_query"' not in came:
            came += s.recv(65536)
        return s, came, release

    def test_events_come_while_the_statement_still_runs(self):
        agent = self.start()
        s, came, release = self.hold(agent)
        self.assertNotIn(b'"node_end","node":"execute_query"', came)
        release()
        came += rest(s)
        self.assertTrue(came.endswith(b"0\r\n\r\n"))
        self.assertEqual(1, body_of(came).count(b'"type":"result"'))

    def test_a_client_that_goes_away_cancels_its_question(self):
        agent = self.start()
        s, _, release = self.hold(agent)
        try:
            self.wait_until(lambda: self.taken(agent) == 1, 10, "the connection is taken")
            s.close()
            self.wait_until(lambda: self.taken(agent) == 0, 10, "the connection is back while the lock still holds")
        finally:
            release()
        self.wait_until(lambda: int(self.shared.value("select count(*) from logmill.audit_log where verdict = 'abandoned'")) > 0, 10)

    def test_a_stop_that_does_not_wait_is_told_as_an_error(self):
        agent = self.start("--drain-timeout", "5m")
        s, came, release = self.hold(agent)
        def refused():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", int(agent.url.rsplit(":", 1)[1]))) != 0
        agent.process.terminate()
        self.wait_until(refused, 10, "the first signal closed the intake")
        agent.process.terminate()
        came += rest(s)
        release()
        self.assertEqual(0, agent.wait(20))
        self.assertIn(b'"type":"error"', body_of(came))
        self.assertIn(b'"code":"unavailable"', body_of(came))

    def test_two_hundred_at_once_are_all_told_to_their_end(self):
        agent = self.start("--max-in-flight", "300")
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            streams = list(pool.map(lambda i: self.stream(agent, HOUR, refresh=i % 4 == 0), range(200)))
        self.assertEqual([1] * 200, [s.count("event: result\n") for s in streams])
        self.assertEqual([5] * 200, [s.count("event: node_end\n") for s in streams])
        self.assertEqual(1, len({json.dumps(json.loads(s.split("\n\n")[-2].split("data: ", 1)[1])["content"]["results"])
                                 for s in streams}))


class Keys(harness.Case):
    def test_an_export_needs_the_right_and_stays_in_its_scope(self):
        world = self.world(topics=False)
        stored.fill(world)

        def key(*options):
            out = world.ctl("keys", "create", "--postgres-url", world.admin_url, *options)
            return re.search(r"lm_\w+", getattr(out, "stdout", out)).group(0)

        admin, viewer, scoped = key("--role", "admin"), key("--role", "viewer"), key("--role", "operator", "--service", "order-service")
        agent = world.start("logmill-agent")

        def export(key):
            c = http.client.HTTPConnection(agent.url[7:], timeout=60)
            self.addCleanup(c.close)
            c.request("POST", "/export", json.dumps({"question": LIST, "format": "ndjson"}),
                      dict({"Content-Type": "application/json"}, **({"X-API-Key": key} if key else {})))
            r = c.getresponse()
            return r.status, [json.loads(line) for line in r.read().splitlines()]
        self.assertEqual(401, export(None)[0])
        self.assertEqual(403, export(viewer)[0])
        everything, own = export(admin), export(scoped)
        self.assertEqual((200, 200), (everything[0], own[0]))
        self.assertEqual({"order-service"}, {r["service"] for r in own[1]})
        self.assertEqual([r for r in everything[1] if r["service"] == "order-service"], own[1])


if __name__ == "__main__":
    unittest.main()
