"""The agent over HTTP against a real PostgreSQL: the contract of its answers and errors, cache, cancelling, audit, restarts."""
import concurrent.futures
import csv
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime

import harness
import stored

HOUR = "how many errors in the last 24 hours?"


class Agents(stored.Agents):
    def ask(self, agent, question, status=200, headers=None, path="/query", **keys):
        got, body, answer_headers = agent.post(path, dict({"question": question}, **keys), headers)
        self.assertEqual(status, got, body)
        self.last_headers = answer_headers
        return body

    def refused(self, agent, status, code, question=HOUR, **keys):
        body = self.ask(agent, question, status, **keys)
        self.assertEqual(code, body["error"]["code"], body)
        return body["error"]


class Contract(Agents):
    def setUp(self):
        self.agent = self.start("--timezone", "Asia/Seoul")

    def test_an_answer_has_every_field_of_its_contract_and_the_right_number(self):
        a = self.ask(self.agent, HOUR, headers={"X-Request-Id": "my-id-1"})
        self.assertEqual("my-id-1", self.last_headers["X-Request-Id"])
        self.assertEqual("no-store", self.last_headers["Cache-Control"])
        self.assertLessEqual({"sql", "results", "columns", "count", "truncated", "execution_time_ms", "insight", "interpretation",
                              "assumptions", "intent", "engine", "cached", "as_of", "attempts", "chart", "warnings"}, set(a))
        self.assertEqual(("builtin", False, 1, False), (a["engine"], a["cached"], a["attempts"], a["truncated"]))
        self.assertEqual(len(a["results"]), a["count"])
        self.assertEqual([c["name"] for c in a["columns"]], list(a["results"][0]))
        expected = int(self.shared.value("select count(*) from logmill.logs where level >= 'ERROR' and created_at >= '%s' and "
                                         "created_at < '%s'" % (a["from"], a["to"])))
        self.assertGreater(expected, 1000)
        self.assertEqual([expected], list(a["results"][0].values())[:1])
        self.assertIsNotNone(datetime.fromisoformat(a["as_of"]).tzinfo)
        self.assertTrue(a["as_of"].endswith("+09:00"), a["as_of"])
        self.assertGreater(a["execution_time_ms"], 0)
        self.assertEqual(1, a["intent"]["v"])
        self.assertTrue(a["insight"] and a["interpretation"])

    def test_korean_and_english_questions_get_the_same_number(self):
        en = self.ask(self.agent, HOUR)
        ko = self.ask(self.agent, "최근 24시간 에러 몇 건이야?")
        self.assertEqual(list(en["results"][0].values()), list(ko["results"][0].values()))

    def test_a_list_is_newest_first_and_says_that_there_is_more(self):
        a = self.ask(self.agent, "show errors of the last 24 hours", max_results=7)
        self.assertEqual((7, True), (a["count"], a["truncated"]))
        times = [r["created_at"] for r in a["results"]]
        self.assertEqual(sorted(times, reverse=True), times)
        self.assertEqual({"ERROR", "FATAL"}, {r["level"] for r in a["results"]})
        types = {c["name"]: c["type"] for c in a["columns"]}
        self.assertEqual(("timestamp", "string", "array", "object"),
                         (types["created_at"], types["message"], types["tags"], types["metadata"]))

    def test_ten_thousand_rows_at_most_and_all_of_them_where_asked(self):
        a = self.ask(self.agent, "show all logs of the last 24 hours", max_results=10000)
        self.assertEqual(int(self.shared.value("select count(*) from logmill.logs where created_at >= '%s' and created_at < '%s'"
                                               % (a["from"], a["to"]))), a["count"])
        self.assertFalse(a["truncated"])

    def test_explain_says_how_it_was_understood_and_runs_nothing(self):
        with self.locked():
            a = self.ask(self.agent, HOUR, path="/explain")
        self.assertEqual({"intent", "interpretation", "assumptions", "from", "to", "sql"}, set(a))
        self.assertIn("FROM", a["sql"])

    def test_a_follow_up_is_read_against_the_previous_intent(self):
        first = self.ask(self.agent, HOUR)
        second = self.ask(self.agent, "only payment-service", previous=first["intent"])
        expected = self.shared.value("select count(*) from logmill.logs where level >= 'ERROR' and service = 'payment-service' and "
                                     "created_at >= '%s' and created_at < '%s'" % (second["from"], second["to"]))
        self.assertEqual(int(expected), list(second["results"][0].values())[0])

    def test_what_is_wrong_with_a_request_is_answered_with_its_own_code(self):
        a = self.agent
        intent = self.ask(a, HOUR)["intent"]
        for status, code, keys in (
                (400, "bad_request", {"nonsense": 1}), (400, "bad_request", {"timezone": "Mars/Olympus"}),
                (400, "bad_request", {"max_results": 0}), (400, "bad_request", {"max_results": 10001}),
                (400, "bad_request", {"max_results": "many"}), (400, "bad_request", {"refresh": "yes"}),
                (400, "bad_request", {"engine": "llm"}), (400, "bad_request", {"now": "soon"}), (400, "bad_request", {"previous": 7}),
                (400, "bad_request", {"previous": dict(intent, sql="DROP TABLE logs")}),
                (400, "bad_request", {"previous": dict(intent, filters=[{"field": "service'; --", "op": "in", "values": ["x"]}])}),
                (400, "bad_request", {"previous": {"v": 1, "pad": "x" * 17000}}),
                (413, "too_large", {"question": "q" * 2001}), (400, "bad_request", {"question": 5})):
            with self.subTest(keys=str(keys)[:80]):
                self.refused(a, status, code, **keys)
        for status, body, headers in ((400, b"{", {}), (400, b"[]", {}), (400, b"", {}), (400, b'{"question":"a","question":"b"}', {}),
                                      (400, b'{"question":"\\u0000"}', {}), (400, b'{"question":"\xff"}', {}),
                                      (413, b'{"question":"' + b"x" * 70000 + b'"}', {}),
                                      (415, b'{"question":"x"}', {"Content-Type": "text/plain"}),
                                      (415, b'{"question":"x"}', {"Content-Encoding": "gzip"}),
                                      (406, b'{"question":"x"}', {"Accept": "text/html"})):
            with self.subTest(status=status, body=body[:30]):
                got, text, _ = a.post("/query", body, dict({"Content-Type": "application/json"}, **headers))
                self.assertEqual(status, got, text)
                self.assertIn("code", text["error"])
        self.assertEqual(405, a.get("/query")[0])
        self.assertEqual(404, a.get("/nothing")[0])

    def test_the_openapi_page_lists_exactly_the_codes_there_are(self):
        page = json.loads((harness.ROOT / "agent" / "openapi.json").read_text(encoding="utf-8"))
        listed = set(page["components"]["schemas"]["Failure"]["properties"]["error"]["properties"]["code"]["enum"])
        code = (harness.ROOT / "agent" / "failure.c").read_text(encoding="utf-8")
        known = set(re.findall(r'\{"([a-z_]+)", [45]\d\d\}', code))
        self.assertEqual(known | {"not_found", "method_not_allowed"}, listed)

    def test_a_usable_request_id_comes_back_whatever_comes_of_the_request(self):
        for path, body, status in (("/query", b"{", 400), ("/query", b"x", 415), ("/export", b"{}", 400), ("/schema", None, 200),
                                   ("/suggest?timezone=Mars", None, 400), ("/history?limit=0", None, 400)):
            for sent, back in (("id-7", "id-7"), ("a b", None), ("x" * 200, None)):
                headers = {"X-Request-Id": sent, "Content-Type": "text/plain" if status == 415 else "application/json"}
                request = urllib.request.Request(self.agent.url + path, data=body, headers=headers)
                try:
                    answer = urllib.request.urlopen(request, timeout=20)
                except urllib.error.HTTPError as e:
                    answer = e
                with answer:
                    ids = answer.headers.get_all("X-Request-Id") or []
                    self.assertEqual(status, answer.status)
                    self.assertTrue(ids == [back] if back else sent not in ids, (path, sent, ids))

    def test_the_audit_log_lets_go_of_what_is_older_than_400_days(self):
        self.shared.rows("insert into logmill.audit_log (at, request_id, role, question, verdict) select now() - i * interval '1 day', "
                         "'old-' || i, 'viewer', 'q', 'answered' from unnest(array[399, 401, 500]) i, generate_series(1, 1100)")
        agent = self.start()
        self.wait_until(lambda: self.shared.value("select count(*) from logmill.audit_log where request_id like 'old-%'") == "1100", 30)
        self.assertEqual("old-399", self.shared.value("select min(request_id) from logmill.audit_log where request_id like 'old-%'"))
        self.assertTrue(agent.ready())

    def test_the_openapi_page_is_served_as_it_is_written(self):
        self.assertEqual(json.loads((harness.ROOT / "agent" / "openapi.json").read_text(encoding="utf-8")), json.loads(self.agent.get("/openapi.json")[1]))

    def test_every_question_suggested_is_answered(self):
        for start in ("", "pay", "payment-service err", "에러", "결제 에", "how many err", "어제 주문"):
            with self.subTest(start=start):
                status, text = self.agent.get("/suggest?" + urllib.parse.urlencode({"q": start}))
                self.assertEqual(200, status, text)
                page = json.loads(text)
                self.assertTrue(page["suggestions"], start)
                for suggested in page["suggestions"]:
                    self.assertTrue(self.ask(self.agent, suggested["text"])["sql"])
        self.assertEqual([], json.loads(self.agent.get("/suggest?q=zzzzqqq")[1])["suggestions"])
        self.assertEqual(400, self.agent.get("/suggest?q=" + "x" * 401)[0])
        self.assertEqual(400, self.agent.get("/suggest?q=err&timezone=Mars/Olympus")[0])

    def test_the_schema_lists_the_names_in_the_data(self):
        status, text = self.agent.get("/schema")
        self.assertEqual(200, status, text)
        page = json.loads(text)
        stored = {r[0] for r in self.shared.rows("select distinct value from logmill.log_name where kind = 'service'")}
        self.assertEqual(stored, {n["value"] for n in page["names"]["service"]})
        self.assertIn("duration_ms", page["fields"])
        self.assertFalse(page["truncated"])

    def test_what_is_not_understood_is_said_and_not_guessed(self):
        self.assertIn(self.ask(self.agent, "what is the meaning of life?", 422)["error"]["code"], ("not_understood",))
        error = self.refused(self.agent, 422, "unknown_entity", "how many errors in service warehouse-service today?")
        self.assertTrue(error["message"] and error["suggestions"], error)
        self.refused(self.agent, 422, "refused", "delete all logs of yesterday")

    def test_now_is_honoured_only_where_it_is_allowed(self):
        a = self.ask(self.agent, HOUR, now="2020-01-01T00:00:00Z")
        self.assertIn("now_ignored", [x["code"] for x in a["assumptions"]])
        self.assertFalse(a["to"].startswith("2020"))
        replay = self.start("--allow-now")
        b = self.ask(replay, HOUR, now="2020-01-01T00:00:00Z")
        self.assertTrue(b["to"].startswith("2020-01-01T00:00:00"), b["to"])
        self.assertEqual([0], list(b["results"][0].values())[:1])

    def test_a_new_name_is_looked_up_before_it_is_called_unknown(self):
        agent = self.start("--names-refresh", "1h")
        self.refused(agent, 422, "unknown_entity", "how many errors in brand-new-service today?")
        self.shared.rows("insert into logmill.log_name values ('service', 'brand-new-service', 'raw', 'brand-new-service', "
                         "'production', 0, now(), now(), 1)")
        time.sleep(1.1)                                      # a copy that is a second old is looked at again, not a younger one
        a = self.ask(agent, "how many errors in brand-new-service today?")
        self.assertEqual([0], list(a["results"][0].values())[:1])

    def test_a_pipeline_that_is_behind_is_said(self):
        self.shared.rows("update logmill.ingest_offset set committed_time = now() - interval '10 minutes', updated_at = now(), "
                         "checked_at = '-infinity' where partition = 1")
        self.addCleanup(self.shared.rows, "update logmill.ingest_offset set committed_time = now(), updated_at = now(), checked_at = 'infinity'")
        a = self.ask(self.agent, HOUR, refresh=True)
        self.assertIn("pipeline_behind", [w["code"] for w in a["warnings"]])
        self.assertLess(datetime.fromisoformat(a["as_of"]), datetime.fromisoformat(a["to"]))

    def test_an_idle_partition_is_not_behind_and_one_that_nobody_stores_is(self):
        """A living consumer says every ten seconds that all is stored; of a dead one only the moment it last said so is known."""
        self.addCleanup(self.shared.rows, "update logmill.ingest_offset set committed_time = now(), updated_at = now(), checked_at = 'infinity'")
        old = "committed_time = now() - interval '3 hours', updated_at = now() - interval '3 hours'"
        self.shared.rows("update logmill.ingest_offset set %s, checked_at = now() - interval '9 seconds'" % old)
        a = self.ask(self.agent, HOUR, refresh=True)
        self.assertNotIn("pipeline_behind", [w["code"] for w in a["warnings"]])
        self.shared.rows("update logmill.ingest_offset set %s, checked_at = now() - interval '2 hours' where partition = 0" % old)
        a = self.ask(self.agent, HOUR, refresh=True)
        self.assertIn("pipeline_behind", [w["code"] for w in a["warnings"]])
        behind = datetime.fromisoformat(a["to"]) - datetime.fromisoformat(a["as_of"])
        self.assertTrue(7190 < behind.total_seconds() < 7300, behind)
        self.shared.rows("update logmill.ingest_offset set checked_at = now() - interval '8 days', committed_time = now() - interval '9 days', "
                         "updated_at = now() - interval '9 days' where partition = 0")
        a = self.ask(self.agent, HOUR, refresh=True)
        self.assertNotIn("pipeline_behind", [w["code"] for w in a["warnings"]], "a topic given up long ago")


class Cache(Agents):
    def setUp(self):
        self.agent = self.start("--timezone", "UTC")

    def test_an_open_window_is_cached_for_its_bucket_and_refresh_passes_it_by(self):
        def twice():
            a, b = self.ask(self.agent, HOUR), self.ask(self.agent, HOUR)
            self.assertEqual((False, "process"), (a["cached"], b["cached"]))
            self.assertEqual((a["results"], a["to"], a["interpretation"]), (b["results"], b["to"], b["interpretation"]))
            return True
        self.wait_until(twice, 70, "two questions within one bucket")
        self.assertEqual(False, self.ask(self.agent, HOUR, refresh=True)["cached"])
        self.assertEqual(False, self.ask(self.agent, HOUR, max_results=7)["cached"])

    def test_a_closed_window_is_cached_until_a_late_record_raises_its_hour(self):
        question = "how many logs between %s and %s?"
        at = "select to_char(date_trunc('hour', now(), 'UTC') - interval '%d hours', 'YYYY-MM-DD HH24:MI')"
        start, to, then = (self.shared.value(at % hours) for hours in (5, 3, 2))
        beside, question = question % (to, then), question % (start, to)
        first = self.ask(self.agent, question)
        n = list(first["results"][0].values())[0]
        self.wait_until(lambda: self.ask(self.agent, question)["cached"] == "process", 10, "a hit once the epochs are polled")
        stored.late(self.shared, start + ":30+00", 900001)
        self.wait_until(lambda: list(self.ask(self.agent, question)["results"][0].values())[0] == n + 1, 5, "the late record")
        self.wait_until(lambda: self.ask(self.agent, question)["cached"] == "process", 10, "a hit again")
        # In the hour after the window; that the agent knows of it is told by a hit for that hour which counts it.
        beside_n = list(self.ask(self.agent, beside)["results"][0].values())[0]
        stored.late(self.shared, to + ":01+00", 900002)

        def known():
            a = self.ask(self.agent, beside)
            return a["cached"] == "process" and list(a["results"][0].values())[0] == beside_n + 1
        self.wait_until(known, 10, "the late record beside the window")
        self.assertEqual("process", self.ask(self.agent, question)["cached"])

    def test_an_answer_of_a_past_that_was_lost_is_not_found_in_another(self):
        at = self.shared.value("select to_char(date_trunc('hour', now(), 'UTC') - interval '6 hours', 'YYYY-MM-DD HH24:MI')")
        to = self.shared.value("select to_char(date_trunc('hour', now(), 'UTC') - interval '5 hours', 'YYYY-MM-DD HH24:MI')")
        question = "how many FATAL logs between %s and %s?" % (at, to)

        def answer():
            a = self.ask(self.agent, question)
            return list(a["results"][0].values())[0], a["cached"]

        n = answer()[0]
        self.shared.rows("create table kept as select * from logmill.data_epoch")
        stored.late(self.shared, at + ":30+00", 920001, level="FATAL")
        self.wait_until(lambda: answer() == (n + 1, "process"), 10, "it is cached")
        # Another server, without that transaction; what came since raises the same hour.
        self.shared.rows("""begin; set search_path = logmill; set local session_replication_role = replica;
            delete from logs where kafka_offset = 920001;
            delete from log_rollup_minute where minute = '{0}+00' and level = 'FATAL' and kafka_partition = 0 and n = 1;
            update total_minute set fatal = fatal - 1 where minute = '{0}+00' and kafka_partition = 0;
            update count_minute set fatal = fatal - 1 where minute = '{0}+00' and service = 'payment-service' and kafka_partition = 0;
            delete from data_epoch; insert into data_epoch select * from public.kept; set local session_replication_role = origin;""".format(at)
                         + stored.LATE.format(at=at + ":40+00", offset=920002, level="ERROR", service="payment-service") + "commit")
        self.wait_until(lambda: answer()[0] == n, 10, "what is stored now")

    def test_equal_questions_in_flight_share_one_execution(self):
        answers = []
        with self.locked():
            threads = [threading.Thread(target=lambda: answers.append(self.ask(self.agent, HOUR))) for _ in range(8)]
            for t in threads:
                t.start()
            self.wait_until(lambda: self.waiting() == 1, 10, "one statement that waits")
            self.wait_until(lambda: self.agent.metric("logmill_agent_in_flight") == 8, 10, "eight questions under way")
            self.assertEqual(1, self.waiting())
        for t in threads:
            t.join()
        self.assertEqual(8, len(answers))
        self.assertEqual(1, len({json.dumps(a["results"]) for a in answers}))


class Cancelling(Agents):
    def connect(self, agent, question):
        host, port = agent.url[7:].split(":")
        s = socket.create_connection((host, int(port)))
        body = json.dumps({"question": question, "refresh": True}).encode()
        s.sendall(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return s

    def test_a_client_that_leaves_takes_its_statement_with_it(self):
        agent = self.start()
        with self.locked():
            s = self.connect(agent, HOUR)
            self.wait_until(lambda: self.waiting() == 1, 10, "the statement waits")
            s.close()
            self.wait_until(lambda: self.waiting() == 0, 10, "the statement is cancelled")
        self.ask(agent, HOUR)
        self.wait_until(lambda: agent.metric("logmill_agent_connections_taken") == 0, 10, "connections are back")

    def test_a_statement_is_not_cancelled_while_another_client_waits_for_it(self):
        agent = self.start()
        answers = []
        with self.locked():
            s = self.connect(agent, HOUR)                    # refresh: leads nobody and follows nobody
            self.wait_until(lambda: self.waiting() == 1, 10)
            first = threading.Thread(target=lambda: answers.append(self.ask(agent, HOUR)))
            first.start()
            self.wait_until(lambda: self.waiting() == 2, 10)
            s.close()
            self.wait_until(lambda: self.waiting() == 1, 10)
        first.join()
        self.assertEqual(1, len(answers))

    def test_a_statement_that_runs_too_long_is_504(self):
        agent = self.start("--statement-timeout", "300ms")
        with self.locked():
            self.refused(agent, 504, "statement_timeout")
        self.wait_until(lambda: self.ask(agent, HOUR), 20, "one that does not take so long")

    def test_a_statement_that_would_cost_too_much_is_not_run_and_narrower_ones_are_offered(self):
        agent = self.start("--max-cost", "10")
        error = self.refused(agent, 422, "needs_clarification", "how many logs with status 500 in the last 6 hours?")
        self.assertTrue(error["choices"])
        self.assertEqual({"label", "question", "intent"}, set(error["choices"][0]))
        self.ask(agent, HOUR)                                # rollups are not asked for their cost

    def test_sigterm_waits_for_a_question_under_way_and_answers_it(self):
        agent = self.start("--drain-timeout", "5m")
        answers = []
        with self.locked():
            t = threading.Thread(target=lambda: answers.append(self.ask(agent, HOUR)))
            t.start()
            self.wait_until(lambda: self.waiting() == 1, 10)
            agent.process.terminate()
            self.wait_until(lambda: "stopping" in agent.log(), 10)
            self.assertEqual([], answers)
            self.assertTrue(agent.running())
        t.join()
        self.assertEqual(1, len(answers))
        self.assertEqual(0, agent.wait(20))
        self.assertEqual("answered", self.shared.value("select verdict from logmill.audit_log order by at desc limit 1"))

    def test_a_second_sigterm_does_not_wait(self):
        agent = self.start("--drain-timeout", "5m")
        with self.locked():
            s = self.connect(agent, HOUR)
            self.wait_until(lambda: self.waiting() == 1, 10)
            agent.process.terminate()
            self.wait_until(lambda: "stopping" in agent.log(), 10)  # two signals at once would be one
            agent.process.terminate()
            self.assertEqual(0, agent.wait(10))
            s.close()


class Audit(Agents):
    def test_every_question_leaves_a_row_with_control_characters_escaped(self):
        agent = self.start()
        self.ask(agent, HOUR, headers={"X-Request-Id": "audit-1"})
        self.ask(agent, "\x1b[31mred\r\nerrors", 400, headers={"X-Request-Id": "audit-2"})
        self.ask(agent, "delete all logs", 422, headers={"X-Request-Id": "audit-3"})
        self.wait_until(lambda: self.shared.value("select count(*) from logmill.audit_log where request_id like 'audit-%'") == "3", 5,
                        "the rows, within a second or so")
        rows = self.shared.rows("select request_id, verdict, question, address, sql is not null, row_count, engine from logmill.audit_log "
                                "where request_id like 'audit-%' order by request_id")
        self.assertEqual(["audit-1", "answered", HOUR, "127.0.0.1", "t", "1", "builtin"], rows[0])
        self.assertEqual(["audit-2", "bad_request", "\\x1b[31mred\\x0d\\x0aerrors"], rows[1][:3])
        self.assertEqual(["audit-3", "refused"], rows[2][:2])

    def test_an_audit_log_that_cannot_be_written_is_said_by_readyz(self):
        # API keys are looked up where the audit log is written: without them it is about the audit log alone.
        agent = self.start("--auth", "off", "--audit-url", self.shared.url("nobody_of_that_name"), ready=False)
        self.wait_until(lambda: agent.get("/readyz")[0] == 503 and "audit" in agent.get("/readyz")[1])
        self.wait_until(lambda: "postgres" not in agent.get("/readyz")[1])
        self.ask(agent, HOUR)                                # the queue has room
        other = self.start("--auth", "off", "--audit-url", self.shared.url("nobody_of_that_name"), "--audit-required=false", "--drain-timeout", "100ms")
        self.ask(other, HOUR)
        agent.process.terminate()


class Hostile(Agents):
    REFUSED = {"Q02": ("refused",), "Q03": ("refused",), "Q04": ("refused",), "Q05": ("refused",)}

    def test_hostile_questions_get_what_their_note_says(self):
        if not (harness.CASES / "hostile_inputs.tsv").exists():
            self.skipTest("the cases are not at %s (LOGMILL_CASES_DIR)" % harness.CASES)
        with open(harness.CASES / "hostile_inputs.tsv", encoding="utf-8") as f:
            lines = [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE) if r["kind"] == "question"]
        agent = self.start("--timezone", "Asia/Seoul")
        before = self.shared.rows("select count(*), max(ingested_at) from logmill.logs")
        for line in lines:
            with self.subTest(id=line["id"], question=line["payload"]):
                status, body, _ = agent.post("/query", {"question": line["payload"].replace("\\n", "\n")})
                self.assertIn(status, (200, 422), body)
                if line["id"] in self.REFUSED:
                    self.assertIn(body["error"]["code"], self.REFUSED[line["id"]])
                if status == 200:
                    self.assertEqual("pass", json.loads(self.guard(body["sql"]))["verdict"])
                    self.assertNotIn("pg_", body["sql"].replace("'pg_authid'", ""))
        self.assertEqual(before, self.shared.rows("select count(*), max(ingested_at) from logmill.logs"))
        status, body, _ = agent.post("/query", {"question": "a\x1b[2Jb"})
        self.assertEqual((400, "bad_request"), (status, body["error"]["code"]))

    def guard(self, sql):
        return subprocess.run([str(harness.BIN / "logmill-ctl"), "guard", "-"], input=json.dumps(sql) + "\n", capture_output=True,
                              text=True, timeout=20).stdout


class Coverage(harness.Case):
    def test_a_window_before_what_is_kept_says_so_and_the_rollups_still_count_it(self):
        world = self.world(topics=False)
        stored.fill(world)
        total = int(world.value("select count(*) from logmill.logs"))
        since = world.value("select to_char(date_trunc('hour', now(), 'UTC') - interval '10 hours', 'YYYY-MM-DD\"T\"HH24:MI:SS')")
        # Retention, as it will come: the leaves are detached and dropped, the rollups stay.
        for name, in world.rows("select name from logmill.leaf where category = 'raw' and upper <= '%s+00'" % since):
            world.rows('alter table logmill.logs_raw detach partition logmill."%s"; drop table logmill."%s"' % (name, name))
        kept = int(world.value("select count(*) from logmill.logs"))
        self.assertLess(kept, total)
        agent = world.start("logmill-agent", "--scan-window", "10d", "--names-refresh", "100ms")
        status, rows, _ = agent.post("/query", {"question": "show all logs of the last 2 days", "max_results": 10000})
        self.assertEqual((200, kept), (status, rows["count"]), rows)
        self.assertEqual(False, rows["coverage"]["complete"])
        self.assertEqual(since, rows["coverage"]["from"][:19])
        self.assertIn("incomplete_coverage", [w["code"] for w in rows["warnings"]])
        status, recent, _ = agent.post("/query", {"question": "show the logs of the last 3 hours"})
        self.assertEqual(200, status)
        self.assertNotIn("coverage", recent)
        day = world.value("select to_char(date_trunc('hour', now(), 'UTC') - interval '25 hours', 'YYYY-MM-DD HH24:MI')")
        to = world.value("select to_char(date_trunc('hour', now(), 'UTC'), 'YYYY-MM-DD HH24:MI')")
        status, counted, _ = agent.post("/query", {"question": "how many logs between %s and %s?" % (day, to), "timezone": "UTC"})
        self.assertEqual([total], list(counted["results"][0].values()), counted)
        self.assertNotIn("coverage", counted)
        # The rollups in turn: what the consumers have forgotten is said of what is counted as well. The agent asks for it with the
        # names, which it reads again for a new one, and else once a minute.
        world.rows("insert into logmill.expired_rollup select 'raw', s, s from (select '%s+00'::timestamptz as s) q" % since)
        world.rows("insert into logmill.log_name values ('service', 'brand-new-service', 'raw', 'brand-new-service', 'production', 0, now(), "
                   "now(), 1)")

        def incomplete():
            counted.update(coverage=None)
            counted.update(agent.post("/query", {"question": "how many logs between %s and %s?" % (day, to), "timezone": "UTC",
                                                 "refresh": True})[1])
            return counted["coverage"]
        self.wait_until(incomplete, 60, "the agent has heard of it")
        self.assertEqual((since, False), (counted["coverage"]["from"][:19], counted["coverage"]["complete"]))


class Starting(Agents):
    def test_without_keys_it_listens_on_this_machine_only(self):
        for options, sentence in ((("--listen", "0.0.0.0:0"), "listens on this machine only"),
                                  (("--timezone", "Mars/Olympus"), "time zone database"),
                                  (("--listen", "127.0.0.1:0", "--vocabulary", "/nowhere"), "/nowhere")):
            p = subprocess.run([str(harness.BIN / "logmill-agent"), "--postgres-url", self.shared.url("logmill_reader"), *options],
                               capture_output=True, text=True, timeout=20)
            self.assertEqual(1, p.returncode, p.stderr)
            self.assertIn(sentence, p.stderr)
        agent = self.shared.start("logmill-agent", "--auth", "off")
        self.assertEqual(0, agent.terminate())

    def test_a_role_without_connections_left_is_said_by_readyz_with_what_an_agent_takes(self):
        # Roles belong to the server: two of this test's own, with the rights of the agent's.
        reader, writer = self.shared.name + "_reader", self.shared.name + "_agent"
        for role, of, path in ((reader, "logmill_reader", "logmill_read"), (writer, "logmill_agent", "logmill")):
            self.shared.rows("create role {0} login connection limit 0 in role {1}; alter role {0} set search_path = {2}".format(role, of, path))
            self.addCleanup(self.shared.rows, "drop role " + role)
        agent = self.start("--postgres-url", self.shared.url(reader), "--audit-url", self.shared.url(writer), "--pool-size", "3", ready=False)

        def reasons():
            return {c["name"]: c["reason"] for c in json.loads(agent.get("/readyz")[1]).get("unmet", ())}

        self.wait_until(lambda: all("each agent takes" in reasons()[name] for name in ("postgres", "audit", "keys")), 20)
        for name, role, takes in (("postgres", reader, "up to 3 connections"), ("audit", writer, "two connections"), ("keys", writer, "two connections")):
            self.assertIn('too many connections for role "%s"; each agent takes %s' % (role, takes), reasons()[name])
        self.shared.rows("alter role %s connection limit 1" % writer)
        self.wait_until(lambda: len(reasons().keys() & {"audit", "keys"}) == 1, 20, "one of the two has it")
        self.shared.rows("alter role %s connection limit 2; alter role %s connection limit 1" % (writer, reader))
        self.wait_until(lambda: not reasons().keys() & {"postgres", "audit", "keys"}, 20, "room for all")

    def test_a_database_that_is_not_migrated_is_said_by_readyz(self):
        bare = harness.World(self.shared.servers, migrate=False, topics=False)
        self.addCleanup(bare.close)
        agent = bare.start("logmill-agent", ready=False)
        self.wait_until(lambda: "run logmill-ctl migrate" in agent.get("/readyz")[1] and "API keys cannot be looked up" in agent.log(), 30,
                        "what is to be done")
        for question in (HOUR, "how many errors of payment-service today?"):
            self.assertIn("logmill-ctl migrate", self.refused(agent, 503, "unavailable", question)["hint"])
        bare.ctl("migrate", "--postgres-url", bare.admin_url)
        self.wait_until(agent.ready, 15, "ready once migrated")
        # One that a newer agent finds: an earlier migration is its last.
        last = bare.value("select max(number) from public.logmill_migration")
        bare.rows("delete from public.logmill_migration where number = %s" % last)
        newer = bare.start("logmill-agent", ready=False)
        self.wait_until(lambda: "needs %s: run logmill-ctl migrate" % last in newer.get("/readyz")[1] and "\"keys\"" not in newer.get("/readyz")[1], 30,
                        "what is to be done")
        self.assertIn("logmill-ctl migrate", self.refused(newer, 503, "unavailable")["hint"])
        self.assertEqual(200, agent.post("/query", {"question": HOUR})[0])      # the one that runs goes on
        for program in (newer, agent):
            self.assertEqual(0, program.terminate())


class Restart(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.servers = harness.Servers(own=True)
        cls.world_ = harness.World(cls.servers, topics=False)
        stored.fill(cls.world_)

    @classmethod
    def tearDownClass(cls):
        cls.world_.close()
        cls.servers.close()

    def start(self, *options):
        agent = self.world_.start("logmill-agent", *options)
        self.addCleanup(lambda: self.assertEqual(0, agent.terminate(), agent.log()[-2000:]))
        return agent

    def test_a_backend_that_answers_nothing_is_given_up_and_another_asked(self):
        agent = self.start("--pool-size", "2")
        backends = lambda: [int(p) for p, in self.world_.rows("select pid from pg_stat_activity where application_name = 'logmill-agent'")]
        self.wait_until(lambda: len(backends()) == 2, what="both connections")
        pids = backends()
        os.kill(pids[0], signal.SIGSTOP)
        self.addCleanup(os.kill, pids[0], signal.SIGCONT)

        def ask(rows):
            return agent.post("/query", {"question": HOUR, "refresh": True, "max_results": rows})

        def noticed():
            # Several at once, each another question, or the connection that answers might take them all.
            with concurrent.futures.ThreadPoolExecutor(4) as several:
                statuses.extend(status for status, _, _ in several.map(ask, (11, 12, 13, 14)))
            return "does not answer" in agent.log()
        statuses = []
        self.wait_until(noticed, 40, "the silent connection noticed")
        self.assertEqual({200}, set(statuses))
        self.wait_until(lambda: agent.metric("logmill_agent_connections") == 2, 20, "two connections again")

    def test_postgresql_down_is_503_and_it_recovers_by_itself(self):
        world = self.world_
        agent = self.start()
        status, before, _ = agent.post("/query", {"question": HOUR})
        self.assertEqual(200, status, before)
        world.servers.stop_postgres("immediate")
        self.wait_until(lambda: not agent.ready(), 10)
        status, body, headers = agent.post("/query", {"question": HOUR, "refresh": True})
        self.assertEqual((503, "unavailable"), (status, body["error"]["code"]))
        self.assertGreater(int(headers["Retry-After"]), 0)
        self.assertEqual(200, agent.get("/healthz")[0])
        world.servers.up()
        self.wait_until(agent.ready, 20, "ready again")
        status, after, _ = agent.post("/query", {"question": HOUR, "refresh": True})
        self.assertEqual(200, status, after)
        self.wait_until(lambda: world.value("select count(*) from logmill.audit_log where verdict = 'unavailable'") == "1", 10,
                        "the question asked meanwhile is in the audit log")


if __name__ == "__main__":
    unittest.main()
