"""The question cases against the whole path: their records through ship, Kafka and the consumer into PostgreSQL, their
questions to the agent, scored by value against reference SQL by their own scorer. Once with the given world, once with one whose
every name is another.
"""
import csv
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

import harness
import worlds

# Right at least, per cent of the questions that have reference SQL; wrong at most, per cent of those that are answered.
GIVEN = (95.0, 1.0)
# By people who had not seen the rules, or had not when they wrote them. The first scores, before anybody read the questions: of the
# second set 66 right and 7 wrong of 100; of the third, 83 right and 1 wrong of its first 103, then, after those had been read,
# 50 right and 2 wrong of the other 60; of the fourth, 72 right and 5 wrong of 100. The floors leave two questions of slack.
# questions_clinic.tsv (82 right, none wrong of 100 at first) asks about clinic_world.json.
OTHERS = {"questions_more.tsv": (97.0, 1.5), "questions_blind.tsv": (91.0, 3.0), "questions_blind3.tsv": (94.5, 1.5),
          "questions_blind4.tsv": (91.0, 4.5)}


def table(path):
    with open(path, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


class Questions(harness.Case):
    def setUp(self):
        if not (harness.CASES / "score.py").exists():
            self.skipTest("the question cases are not at %s (LOGMILL_CASES_DIR)" % harness.CASES)

    def dataset(self, world_path, *arguments):
        command = [sys.executable, str(harness.CASES / "dataset.py"), "--seed", "1", *arguments]
        if world_path:
            command += ["--world", str(world_path)]
        return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout

    def load(self, world, world_path):
        """Through the product; returns how many records there are."""
        world.rows("update logmill.leaf_period set period = 'day', on_demand_per_minute = 1000 where category = 'raw';"
                   "update logmill.leaf_period set on_demand_per_minute = 1000")
        by_category = {c: [] for c in harness.CATEGORIES}
        for line in self.dataset(world_path, "--with-deleted").splitlines():
            by_category[json.loads(line)["category"]].append(line)
        world.start("logmill-consumer", *["--window-%s-past=3650d" % c for c in harness.CATEGORIES])
        for category, lines in by_category.items():
            shipped = world.ship("--category", category, "--format", "json", stdin=b"\n".join(lines) + b"\n", seconds=120)
            self.assertEqual(shipped.process.returncode, 0, shipped.log())
        total = sum(map(len, by_category.values()))
        self.wait_until(lambda: int(world.value("select count(*) from logmill.logs")) >= total, 120, "all records stored")
        world.rows("update logmill.logs set deleted_at = now() where metadata @> '{\"soft_deleted\": true}'", timeout=300)
        return total

    def score(self, name, others=()):
        world = self.world()
        reference = world.name + "_ref"
        base = world.servers.postgres.rsplit("/", 1)[0]
        harness.psql(world.servers.postgres, 'create database "%s"' % reference)
        self.addCleanup(lambda: harness.psql(world.servers.postgres, 'drop database "%s" with (force)' % reference))
        world_path, questions = worlds.make(name, world.directory)
        subprocess.run(["psql", "-Xq", "%s/%s" % (base, reference)], input=self.dataset(world_path, "--sql"), check=True,
                       capture_output=True, timeout=120)
        total = self.load(world, world_path)
        self.assertEqual(int(world.value("select count(*) from logmill.logs")), total)
        agent = world.start("logmill-agent", "--allow-now", "--timezone", "Asia/Seoul", "--scan-window", "60d",
                            "--audit-url", world.url("logmill_agent"))
        self.judge(agent, base + "/" + reference, questions, *GIVEN)
        for file in others:
            self.judge(agent, base + "/" + reference, harness.ROOT / "tests" / "data" / file, *OTHERS[file])

    def judge(self, agent, reference, questions, right_at_least, wrong_at_most):
        report = Path(agent.err_path).with_suffix(".tsv")
        scored = subprocess.run([sys.executable, str(harness.CASES / "score.py"), "--questions", str(questions), "--pg", reference,
                                 "--agent", agent.url, "--out", str(report)], capture_output=True, text=True, timeout=600)
        self.assertEqual(scored.returncode, 0, scored.stdout + scored.stderr)
        print("\n%s:\n%s" % (Path(questions).name, scored.stdout))
        kinds = {line["id"]: line for line in table(questions)}
        results = table(report)
        with_sql = [r for r in results if kinds[r["id"]]["sql"]]
        right = 100.0 * sum(r["outcome"] == "right" for r in with_sql) / len(with_sql)
        answered = [r for r in results if r["outcome"] in ("right", "wrong")]
        wrong = 100.0 * sum(r["outcome"] == "wrong" for r in results) / max(1, len(answered))
        self.assertEqual([r["id"] for r in results if r["outcome"] == "error"], [])
        self.assertGreaterEqual(right, right_at_least)
        self.assertLessEqual(wrong, wrong_at_most, [(r["id"], r["question"], r["reason"]) for r in results if r["outcome"] == "wrong"])

    def test_the_shop_of_the_cases_is_answered_right_or_not_at_all(self):
        self.score("shop", OTHERS)

    def test_a_world_of_other_names_is_answered_as_well(self):
        self.score("rail")

    @unittest.skipUnless(os.environ.get("LOGMILL_ALL_WORLDS"), "LOGMILL_ALL_WORLDS is not set")
    def test_a_hospital_is_answered_as_well(self):
        self.score("clinic")


if __name__ == "__main__":
    unittest.main()
