"""`logmill-ctl guard` against PostgreSQL: what passes runs and counts the same as the text that went in.

The corpora are the given ones (hostile_inputs.tsv, legit_sql.tsv) and our own (tests/data/guard_*.tsv); random expressions
are made here, over constants, written with few parentheses, and their values compared.
"""
import csv
import json
import random
import subprocess
import unittest

import harness

ROWS = """
select logmill.ensure_leaf(c, at) from unnest(enum_range(null::logmill.log_category)) c,
    (values ('2026-03-17 00:00+00'::timestamptz), ('2026-03-18 00:00+00'), (now()), (now() - interval '1 hour'), (now() + interval '1 hour')) t (at);
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, host, error_type, http_status,
                          endpoint, duration_ms, user_id, trace_id, client_ip, tags, metadata, kafka_partition, kafka_offset,
                          ingested_at, pattern)
select at, 'tagged', (enum_range(null::logmill.log_level))[1 + i % 5], 'BACKEND', 'svc-' || i % 7, 'production',
       'message ' || i || case when i % 4 = 0 then ' timeout' else '' end, 'host-' || i % 3,
       case when i % 5 > 2 then 'E' || i % 3 end, (array[200, 404, 500, null])[1 + i % 4], '/api/' || i % 5, i % 300,
       'u' || i % 50, 't' || i / 2, ('10.0.0.' || i % 20)::inet, array['a', 'b' || i % 3], jsonb_build_object('retry', i % 4),
       i % 2, i, at, i % 3
from generate_series(1, 3000) i, lateral (select case when i % 3 = 0 then now() - i * interval '1 s'
     else '2026-03-18 05:00+00'::timestamptz - i * interval '5 s' end as at) t;
insert into logmill.log_name select 'service', service, category, service, environment, kafka_partition, min(created_at),
       max(created_at), count(*) from logmill.logs group by 1, 2, 3, 4, 5, 6;
"""


def judge(texts):
    p = subprocess.run([str(harness.BIN / "logmill-ctl"), "guard", "-"], input="".join(json.dumps(t) + "\n" for t in texts),
                       capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    return [json.loads(line) for line in p.stdout.splitlines()]


def corpus(path):
    with open(path, encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


class Expressions:
    """Typed random expressions over constants, mostly without parentheses."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def maybe(self, text):
        return "(" + text + ")" if self.random.random() < 0.3 else text

    def number(self, depth):
        r = self.random.random()
        if depth == 0 or r < 0.2:
            return self.random.choice(["1", "2", "-3", "7", "10", "0.5", "-1.25", "100", "null::int"])
        if r < 0.7:
            return "%s %s %s" % (self.maybe(self.number(depth - 1)), self.random.choice("+-*"), self.maybe(self.number(depth - 1)))
        if r < 0.8:
            return "- " + self.maybe(self.number(depth - 1))
        if r < 0.9:
            return "case when %s then %s else %s end" % (self.truth(depth - 1), self.number(depth - 1), self.number(depth - 1))
        return "coalesce(%s, %s)" % (self.number(depth - 1), self.number(depth - 1))

    def truth(self, depth):
        r = self.random.random()
        if depth == 0 or r < 0.1:
            return self.random.choice(["true", "false", "null::bool", "1 = 1", "2 < 1"])
        if r < 0.45:
            return "%s %s %s" % (self.maybe(self.truth(depth - 1)), self.random.choice(["and", "or"]), self.maybe(self.truth(depth - 1)))
        if r < 0.6:
            return "not " + self.maybe(self.truth(depth - 1))
        if r < 0.75:
            return "%s %s %s" % (self.maybe(self.number(depth - 1)), self.random.choice(["=", "<>", "<", ">=", "is distinct from"]),
                                 self.maybe(self.number(depth - 1)))
        if r < 0.88:
            return "%s %s" % ("(" + self.truth(depth - 1) + ")", self.random.choice(
                ["is true", "is not true", "is false", "is not false", "is null", "is not null", "is unknown"]))
        if r < 0.94:
            return "%s %s (%s, %s)" % (self.maybe(self.number(depth - 1)), self.random.choice(["in", "not in"]),
                                       self.number(0), self.number(0))
        return "%s %s %s and %s" % (self.maybe(self.number(depth - 1)), self.random.choice(["between", "not between"]),
                                    self.maybe(self.number(0)), self.maybe(self.number(0)))


class Guard(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.servers = harness.Servers()
        cls.world_ = harness.World(cls.servers, topics=False)
        cls.world_.rows(ROWS)

    @classmethod
    def tearDownClass(cls):
        cls.world_.close()

    def compare(self, texts):
        """Runs every text and what the guard made of it, in one transaction each so that now() is the same, all in one session.
        How many ran; those that cannot run (types that do not fit) must fail in both forms."""
        verdicts = judge(texts)
        script = ["\\set QUIET 1", "\\pset format csv", "\\pset tuples_only on"]
        for i, (text, verdict) in enumerate(zip(texts, verdicts)):
            self.assertEqual("pass", verdict["verdict"], (text, verdict["reason"]))
            script.append("begin transaction isolation level repeatable read read only;")
            for name, sql in (("original", text.rstrip().rstrip(";")), ("judged", verdict["sql"])):
                script += ["savepoint s;", "\\echo @@ %d %s" % (i, name), sql, ";", "\\echo @@ %d %s-error :ERROR" % (i, name),
                           "rollback to s;"]
            script.append("rollback;")
        p = subprocess.run(["psql", self.world_.url("logmill_reader"), "-X"], input="\n".join(script) + "\n", capture_output=True,
                           text=True, timeout=200)
        rows, errors, at = {}, {}, None
        for line in p.stdout.splitlines():
            if line.startswith("@@ "):
                _, i, name, *rest = line.split()
                at = (int(i), name)
                if rest:
                    errors[(int(i), name[:-len("-error")])] = rest[0]
            else:
                rows.setdefault(at, []).append(line)
        ran = 0
        for i, text in enumerate(texts):
            self.assertEqual(errors[(i, "original")], errors[(i, "judged")], text)
            same = sorted(rows.get((i, "original"), [])) == sorted(rows.get((i, "judged"), []))
            self.assertTrue(same, text)                      # never assertEqual: its difference of long lists takes for ever
            ran += errors[(i, "original")] == "false"
        return ran

    def test_given_hostile_lines_are_rejected(self):
        if not (harness.CASES / "hostile_inputs.tsv").exists():
            self.skipTest("the cases are not at %s (LOGMILL_CASES_DIR)" % harness.CASES)
        lines = [r for r in corpus(harness.CASES / "hostile_inputs.tsv") if r["kind"] == "sql" and r["ast_guard"] == "REJECT"]
        self.assertGreater(len(lines), 70)
        for line, verdict in zip(lines, judge([r["payload"] for r in lines])):
            self.assertEqual(("reject", None), (verdict["verdict"], verdict["sql"]), line)
            self.assertTrue(verdict["reason"])

    def test_given_legitimate_lines_pass_and_count_the_same(self):
        if not (harness.CASES / "legit_sql.tsv").exists():
            self.skipTest("the cases are not at %s (LOGMILL_CASES_DIR)" % harness.CASES)
        lines = [r["sql"] for r in corpus(harness.CASES / "legit_sql.tsv")]
        self.assertEqual(len(lines), self.compare(lines))

    def test_own_legitimate_lines_pass_and_give_the_same_rows(self):
        lines = [r["sql"] for r in corpus(harness.ROOT / "tests" / "data" / "guard_pass.tsv")]
        self.assertGreater(self.compare(lines), 250)

    def test_random_expressions_have_the_same_value(self):
        expressions = Expressions(20260318)
        texts = ["select (%s) as a, (%s) as b" % (expressions.truth(4), expressions.number(4)) for _ in range(1000)]
        self.assertEqual(len(texts), self.compare(texts))

    def test_files_are_judged_too_and_what_is_no_text_is_said(self):
        path = harness.Path(self.world_.directory) / "question.sql"
        path.write_text("SELECT count(*) AS n\nFROM logs\nWHERE created_at >= now() - interval '1 hour' -- the last hour\n")
        p = self.world_.ctl("guard", path)
        self.assertEqual("pass", json.loads(p.stdout)["verdict"])
        self.assertEqual(1, self.world_.ctl("guard", str(path) + ".missing", check=False).returncode)
        p = subprocess.run([str(harness.BIN / "logmill-ctl"), "guard", "-"], input='SELECT 1\n"SELECT 1\\u0000"\n"SELECT 1"\n',
                           capture_output=True, text=True, timeout=20)
        self.assertEqual(["reject", "reject", "pass"], [json.loads(line)["verdict"] for line in p.stdout.splitlines()])


if __name__ == "__main__":
    unittest.main()
