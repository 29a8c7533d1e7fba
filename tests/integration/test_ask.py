"""logmill-ctl ask: what a person and a program get to see, on a terminal and off it, and what goes wrong around it."""
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unicodedata
from pathlib import Path

import harness
import stored

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
HOSTILE = "\x1b]0;owned\x07 \x1b[2J red"
ANSWER = {"sql": "SELECT 1", "results": [{"count": 7}], "columns": [{"name": "count", "type": "integer"}], "count": 1,
          "chart": {"type": "number", "y": ["count"]}, "insight": "seven", "intent": {"v": 1}, "execution_time_ms": 1.5}


def columns(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Terminal:
    """logmill-ctl ask on a terminal of its own."""

    def __init__(self, url, *arguments, width=80, env=None):
        self.text, self.code = "", None
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LC_ALL", "LANG")}
        clean.update(dict({"TERM": "xterm", "HOME": tempfile.gettempdir()}, **(env or {})))
        command = ["logmill-ctl", "ask", "--agent-url", url, *arguments]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:                                   # nothing of the test may run here
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
                os.execve(str(harness.BIN / "logmill-ctl"), command, clean)
            finally:
                os._exit(127)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:                                     # Linux says so when the other end has gone
            piece = b""
        self.text += piece.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(piece)

    def until(self, sign, seconds=60):
        """What came up to `sign`, which is taken out."""
        end = time.monotonic() + seconds
        while sign not in self.text:
            if time.monotonic() > end or not self.read(1):
                raise AssertionError("%r did not come; this did: %r" % (sign, self.text))
        before, self.text = self.text.split(sign, 1)
        return before

    def prompt(self):
        """What came up to the prompt, once it takes keys one by one."""
        before = self.until("logmill> ")
        harness.wait_until(lambda: not termios.tcgetattr(self.fd)[3] & termios.ICANON, 60, "the prompt reads")
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=60):
        """(all that came, exit code)"""
        end = time.monotonic() + seconds
        while self.read(1):
            if time.monotonic() > end:
                raise AssertionError("it did not end; this came: %r" % self.text)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.text, self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Canned(http.server.BaseHTTPRequestHandler):
    """An agent that answers what it is told to."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.seen.append((self.path, dict(self.headers), json.loads(self.rfile.read(length))))
        status, headers, body = self.server.reply
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *arguments):
        pass


class Asking(stored.Agents):
    @classmethod
    def prepare(cls):
        super().prepare()
        at = cls.shared.value("select date_trunc('hour', now(), 'UTC') - interval '1 minute'")
        stored.late(cls.shared, at, 900000, "FATAL", "결제-서비스")
        cls.shared.rows("update logmill.logs set message = E'%s' where kafka_offset = 900000" % HOSTILE.replace("\x1b", "\\x1b").replace("\x07", "\\x07"))
        cls.shared.rows("insert into logmill.log_name select 'service', service, 'raw', service, 'production', 0, now(), now(), 1 "
                        "from logmill.logs where kafka_offset = 900000")

    def setUp(self):
        self.agent = self.start("--timezone", "Asia/Seoul")

    def run_ask(self, *arguments, url=None, stdin=None, env=None):
        return subprocess.run([str(harness.BIN / "logmill-ctl"), "ask", "--agent-url", url or self.agent.url, *arguments],
                              capture_output=True, text=True, timeout=60, input=stdin, env=dict(os.environ, **(env or {})))

    def on_terminal(self, *arguments, **more):
        terminal = Terminal(self.agent.url, *arguments, **more)
        self.addCleanup(terminal.close)
        return terminal

    def test_an_answer_off_a_terminal_is_sentence_picture_and_reading_without_escape_sequences(self):
        p = self.run_ask("errors", "by service", "in the last 24 hours")
        self.assertEqual((0, ""), (p.returncode, p.stderr))
        self.assertRegex(p.stdout, r"^Of 5 services, .*\n\nservice +count\n(.* \d+  █+.*\n){4}결제-서비스 +1  ▏\n\n"
                                   r"The number of records .*\n5 rows, [0-9.]+ ms\n$")
        self.assertNotIn("\x1b", p.stdout)

    def test_what_a_log_says_cannot_steer_the_terminal(self):
        text, code = self.on_terminal("--limit", "1", "결제-서비스 최근 24시간 에러 보여줘", width=200).end()
        self.assertEqual(0, code)
        self.assertIn("\\x1B]0;owned\\x07 \\x1B[2J red", text)
        self.assertNotIn("\x1b", ESCAPE.sub("", text).replace("\x1b[2J", "!"))
        self.assertNotIn("\x07", text)

    def test_a_picture_is_no_wider_than_the_terminal_and_coloured_only_where_that_is_wanted(self):
        for width in (40, 60, 100):
            for question in ("errors by service in the last 24 hours", "logs per minute by service in the last 24 hours"):
                text, code = self.on_terminal("--table" if width == 60 else "--refresh", question, width=width).end()
                self.assertEqual(0, code, text)
                self.assertIn("\x1b[1m", text)
                picture = ESCAPE.sub("", text).split("\n\n")[1].splitlines()
                self.assertLessEqual(max(columns(line) for line in picture if " … " not in line), width, text)
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text, _ = self.on_terminal("errors by service in the last 24 hours", env=env).end()
            self.assertNotIn("\x1b", text)

    def test_json_csv_sql_and_explain_are_what_the_agent_says(self):
        question = "errors by service in the last 24 hours"
        answer = json.loads(self.run_ask("--json", question).stdout)
        self.assertEqual((5, "errors by service in the last 24 hours"), (answer["count"], question))
        self.assertEqual(self.agent.post("/query", {"question": question})[1]["columns"], answer["columns"])
        table = self.run_ask("--csv", question).stdout.splitlines()
        self.assertEqual(["service,count", 6], [table[0], len(table)])
        self.assertEqual(3, len(self.run_ask("--csv", "--limit", "2", question).stdout.splitlines()))
        sql = self.run_ask("--sql", "--time-zone", "America/New_York", question).stdout
        self.assertRegex(sql, r"^SELECT [\s\S]*-0[45]:00'::timestamptz")
        explained = self.run_ask("--explain", question).stdout
        self.assertIn("The number of records with level ERROR or FATAL, by service", explained)
        self.assertIn("\n\nSELECT ", explained)
        self.assertIn("interpretation", json.loads(self.run_ask("--explain", "--json", question).stdout))
        self.assertEqual(2, self.run_ask("--json", "--csv", question).returncode)
        failed = self.run_ask("--json", "what is the weather?")
        self.assertEqual((3, "not_understood"), (failed.returncode, json.loads(failed.stdout)["error"]["code"]))

    def test_a_question_without_an_answer_says_why_what_to_ask_and_exits_3(self):
        for question, sign in (("what is the weather?", '"weather" was not understood'), ("errors of billing-service today", "  · "),
                               ("느린 거", "  1. 느린 엔드포인트"), ("delete all logs", "logmill-ctl ask: ")):
            p = self.run_ask(question)
            self.assertEqual((3, ""), (p.returncode, p.stdout), p)
            self.assertIn(sign, p.stderr)

    def test_questions_from_a_pipe_follow_each_other_and_the_last_failure_is_the_exit_code(self):
        p = self.run_ask(stdin="errors by service in the last 24 hours\n\n  only payment-service \n그 중 FATAL만\n")
        self.assertEqual(0, p.returncode, p.stderr)
        self.assertIn("service payment-service, by service", p.stdout)
        self.assertIn("FATAL", p.stdout)
        p = self.run_ask(stdin="what is the weather?\nerrors today\n")
        self.assertEqual(3, p.returncode)
        self.assertIn("rows, " if "rows, " in p.stdout else "row, ", p.stdout)

    def test_a_prompt_edits_remembers_follows_up_and_takes_choices_by_number(self):
        with tempfile.TemporaryDirectory() as home:
            t = self.on_terminal("--history-file", "~/asked", env={"HOME": home})
            t.prompt()
            t.type("느린 거\n")
            t.until("  3. 가장 오래 걸린 요청\n")
            t.prompt()
            t.type("2\n")
            t.until("service")
            t.prompt()
            t.type("errorz\x7fs by service in the last 24 hours\n")
            t.until("5 rows")
            t.prompt()
            t.type("only payment-service\n")
            t.until("payment-service, by service")
            t.prompt()
            t.type("/sql\n")
            self.assertIn("payment-service", t.prompt())
            t.type("/new\n")
            t.prompt()
            t.type("only payment-service\n")
            self.assertNotIn("1 row,", t.prompt())
            t.type("\x04")
            self.assertEqual(0, t.end()[1])
            file = Path(home) / "asked"
            self.assertEqual(0o600, stat.S_IMODE(file.stat().st_mode))
            again = self.on_terminal("--history-file", str(file))
            again.prompt()
            again.type("\x1b[A")
            again.until("only payment-service")
            again.type("\n")
            again.prompt()
            again.type("/quit\n")
            self.assertEqual(0, again.end()[1])

    def test_ctrl_c_drops_the_line_typed_and_gives_up_the_question_but_not_the_prompt(self):
        t = self.on_terminal("--refresh", "--history-file", "")
        t.prompt()
        t.type("never asked\x03")
        t.prompt()
        with self.locked():
            t.type("How many errors in the last hour?\n")
            t.until("s: the agent searches (Ctrl-C gives up)")
            self.wait_until(lambda: self.waiting() == 1, 20)
            t.type("\x03")
            t.until("cancelled")
            t.prompt()
            self.wait_until(lambda: self.waiting() == 0, 20, "the statement is cancelled")
        t.type("How many errors in the last hour?\n")
        t.until("1 row, ")
        t.type("exit\n")
        text, code = t.end()
        self.assertEqual(0, code)
        self.assertNotIn("never asked", text)

    def test_ctrl_c_ends_a_single_question_with_130(self):
        with self.locked():
            t = self.on_terminal("--refresh", "How many errors in the last hour?")
            t.until("the agent searches")
            self.wait_until(lambda: self.waiting() == 1, 20)
            os.kill(t.pid, signal.SIGINT)
            text, code = t.end()
            self.assertEqual(130, code, text)
            self.wait_until(lambda: self.waiting() == 0, 20, "the statement is cancelled")


class Trouble(harness.Case):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canned)
        self.server.seen = []
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def run_ask(self, *arguments, status=200, headers=None, body=b"", env=None):
        self.server.reply = (status, headers or {}, body)
        p = subprocess.run([str(harness.BIN / "logmill-ctl"), "ask", "--agent-url", "http://127.0.0.1:%d/" % self.server.server_port,
                            *arguments, "errors today"], capture_output=True, text=True, timeout=60,
                           env=dict({k: v for k, v in os.environ.items() if k != "LOGMILL_AGENT_KEY"}, **(env or {})))
        return p.returncode, p.stdout, p.stderr

    def error(self, code, message, **more):
        return {"error": dict({"code": code, "message": message, "hint": "", "suggestions": []}, **more)}

    def event(self, **content):
        return b"event: x\ndata: " + json.dumps(content).encode() + b"\n\n"

    def test_a_key_comes_from_the_environment_or_a_file_and_goes_in_a_header(self):
        reply = self.event(type="result", node=None, content=ANSWER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("lm_from_file\n")
            file.flush()
            for arguments, env, key in (((), {"LOGMILL_AGENT_KEY": "lm_env"}, "Bearer lm_env"),
                                        (("--agent-key-file", file.name), {}, "Bearer lm_from_file"), ((), {}, None)):
                code, text, errors = self.run_ask(*arguments, body=reply, env=env)
                self.assertEqual((0, ""), (code, errors))
                self.assertIn("seven\n\ncount  7\n\n1 row, 1.5 ms\n", text)
                path, headers, body = self.server.seen.pop()
                self.assertEqual(("/query", key, {"question": "errors today"}), (path, headers.get("Authorization"), body))
            self.assertEqual(2, self.run_ask("--agent-key", "a", "--agent-key-file", file.name)[0])
        self.assertEqual(2, self.run_ask("--agent-key-file", "/nowhere")[0])

    def test_what_the_agent_refuses_is_said_with_what_to_do(self):
        for status, headers, body, sign in (
                (401, {}, self.error("unauthorized", "an API key is needed"), "LOGMILL_AGENT_KEY or --agent-key-file"),
                (429, {"Retry-After": "17"}, self.error("too_many_requests", "too often"), "too often\nAsk again in 17 s.\n"),
                (503, {"Retry-After": "2"}, self.error("unavailable", "PostgreSQL is away", hint="ask again"), "away\nask again\n"),
                (502, {}, b"<html>", "the answer is none of an agent (HTTP status 502)"),
                (200, {}, b"<html>", "the agent's answer was cut off"),
                (200, {}, self.event(type="node_start", node="execute_query"), "the agent's answer was cut off"),
                (200, {}, self.event(type="error", content=self.error("internal", "\x1b[2Jbroken")["error"]), "\\x1B[2Jbroken"),
                (200, {}, self.event(type="result", content={"results": 1}), "cannot be shown"),
                (200, {"Content-Length": "1000"}, self.event(type="result", content=ANSWER), "no answer from the agent")):
            with self.subTest(status=status, sign=sign):
                code, text, errors = self.run_ask(status=status, headers=headers, body=body)
                self.assertEqual((1, ""), (code, text), errors)
                self.assertIn(sign, errors)

    def test_an_export_that_is_cut_off_is_an_error_and_one_that_is_refused_prints_nothing(self):
        code, text, errors = self.run_ask("--csv", headers={"Content-Length": "1000"}, body=b"service,count\r\n")
        self.assertEqual((1, "service,count\n"), (code, text))
        self.assertIn("no answer from the agent", errors)
        code, text, errors = self.run_ask("--csv", status=403, body=self.error("forbidden", "the role does not allow it"))
        self.assertEqual((1, ""), (code, text))
        self.assertIn("the role does not allow it", errors)

    def test_an_agent_that_is_away_is_said_with_its_address(self):
        port = harness.free_port()
        p = subprocess.run([str(harness.BIN / "logmill-ctl"), "ask", "--agent-url", "http://127.0.0.1:%d" % port, "errors"],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(1, p.returncode)
        self.assertIn("no answer from the agent at http://127.0.0.1:%d" % port, p.stderr)
        self.assertIn("--agent-url", p.stderr)


if __name__ == "__main__":
    import unittest
    unittest.main()
