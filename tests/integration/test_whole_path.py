"""From a line to an answer: every way in, one question out."""
import time
import unittest

import harness


class WholePath(harness.Case):
    def setUp(self):
        self.path = self.world()
        self.path.start("logmill-consumer")
        self.gateway = self.path.start("logmill-gateway")
        self.agent = self.path.start("logmill-agent", "--audit-url", self.path.url("logmill_agent"), "--timezone", "UTC")

    def ask(self, question):
        status, answer, _ = self.agent.post("/query", {"question": question, "refresh": True})
        self.assertEqual(status, 200, answer)
        return answer

    def test_a_line_from_a_pipe_is_answered_for_within_seconds(self):
        begin = time.monotonic()
        shipped = self.path.ship("--service", "try", stdin=b"hello\n")
        self.assertEqual(shipped.process.returncode, 0, shipped.log())

        def found():
            # Until the name is in the catalogue the agent says that it does not know it.
            status, answer, _ = self.agent.post("/query", {"question": "try 서비스 로그 보여줘", "refresh": True})
            return status == 200 and answer["results"]
        rows = self.wait_until(found, 10, "the line in an answer")
        print("from the pipe to the answer: %.2f s" % (time.monotonic() - begin), flush=True)
        self.assertEqual([(r["service"], r["message"]) for r in rows], [("try", "hello")])

    def test_every_way_in_is_counted_by_one_question(self):
        ways = {"by-pipe": 3, "by-json": 2, "by-gateway": 4, "by-batch": 5}
        self.path.ship("--service", "by-pipe", stdin=b"a\nb\nc\n")
        self.path.ship(stdin=b'{"service":"by-json","level":"error","msg":"x"}\n{"service":"by-json","level":"warn","msg":"y"}\n')
        for i in range(4):
            self.assertEqual(self.gateway.post("/api/v1/logs", {"service": "by-gateway", "level": "ERROR", "message": "g%d" % i})[0], 200)
        batch = [{"service": "by-batch", "level": "FATAL", "message": "b%d" % i} for i in range(5)]
        self.assertEqual(self.gateway.post("/api/v1/logs/batch", {"logs": batch + [{"service": "by-batch"}]})[1]["count"], 5)
        self.wait_until(lambda: int(self.path.value("select count(*) from logmill.logs")) == sum(ways.values()), 30, "all stored")
        answer = self.ask("log count by service in the last 10 minutes")
        self.assertEqual({r["service"]: r["count"] for r in answer["results"]}, ways)
        errors = self.ask("최근 10분 서비스별 에러 수")
        self.assertEqual({r["service"]: r["count"] for r in errors["results"]}, {"by-json": 1, "by-gateway": 4, "by-batch": 5})
        audited = "select count(*) from logmill.audit_log where question like '%by service%'"
        self.wait_until(lambda: self.path.value(audited) == "1", 10, "the question in the audit log")


if __name__ == "__main__":
    unittest.main()
