#!/usr/bin/env python3
"""How long the agent takes: p50 and p99 of answers from rollups and of lists, not cached and cached, beside the same SQL in psql.

    bench_agent.py [--rows 400000] [--times 200]

Needs LOGMILL_TEST_POSTGRES_URL and LOGMILL_BIN as the integration tests do; makes a database of its own and drops it. One asker, one
connection kept open: latency, not throughput. `--askers 8` adds a run of several at once, `--at-once 1000` as many questions each
on a connection of its own, with the codes of the answers and the agent's peak memory; `--redis-url` how long an answer from Redis
takes, and one that is not there.
"""
import argparse
import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402
import test_load  # noqa: E402

QUESTIONS = (("count, rollups", "how many errors in the last 24 hours?"),
             ("top 5, rollups", "top 5 services by errors in the last 24 hours"),
             ("levels, rollups", "최근 6시간 레벨별 로그 수"),
             ("hours, rollups", "errors per hour in the last 24 hours"),
             ("p95, rollups", "p95 latency by service in the last 12 hours"),
             ("list, newest", "show the newest 100 errors of the last 24 hours"),
             ("list, service", "show the newest 100 logs of service-3 in the last 24 hours"),
             ("count, rows", "how many logs with status 500 in the last 6 hours?"))

FILL = """
select logmill.ensure_leaf('raw', date_trunc('hour', now(), 'UTC') - i * interval '1 hour') from generate_series(-1, 25) i;
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, host, component, error_type,
                          http_status, endpoint, method, duration_ms, user_id, trace_id, tags, metadata, kafka_partition,
                          kafka_offset, ingested_at, pattern)
select at, 'raw', (array['INFO', 'INFO', 'INFO', 'INFO', 'INFO', 'INFO', 'DEBUG', 'WARN', 'ERROR', 'FATAL'])[1 + i %% 10]::logmill.log_level,
       'BACKEND', 'service-' || i %% 20, 'production', 'request ' || i || ' handled by the worker, nothing else to say about it',
       'host-' || i %% 30, 'core', case when i %% 10 > 7 then 'Error' || i %% 12 end, (array[200, 200, 404, 500])[1 + i %% 4],
       '/api/items/' || i %% 50, 'GET', i %% 900, 'u' || i %% 5000, lpad(to_hex(i / 3), 32, '0'), array['a'], '{"retry": 1}', i %% 4, i,
       at, i %% 200
from generate_series(1, %(rows)d) i, lateral (select now() - interval '5 s' - i * (interval '25 hours' / %(rows)d) as at) t;
insert into logmill.log_name select 'service', service, category, service, environment, kafka_partition, min(created_at),
       max(created_at), count(*) from logmill.logs group by 1, 2, 3, 4, 5, 6;
"""


def quantiles(values):
    values = sorted(values)
    return values[len(values) // 2], values[min(len(values) - 1, int(len(values) * 0.99))]


class Asker:
    def __init__(self, url):
        host, port = url[7:].split(":")
        self.connection = http.client.HTTPConnection(host, int(port))

    def ask(self, question, refresh):
        body = json.dumps({"question": question, "refresh": refresh, "timezone": "Asia/Seoul"})
        start = time.perf_counter()
        self.connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        elapsed = (time.perf_counter() - start) * 1000
        if response.status != 200:
            raise SystemExit("%s: %s" % (question, text.decode()))
        return elapsed, text


def psql_times(url, sql, times):
    """Of the SQL in one session, as `\\timing` says, after three runs that do not count."""
    script = "\\timing on\n\\o /dev/null\n" + (sql + ";\n") * (times + 3)
    p = subprocess.run(["psql", url, "-Xq"], input=script, capture_output=True, text=True, check=True)
    return [float(m) for m in re.findall(r"^Time: ([0-9.]+) ms", p.stdout, re.M)][-times:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--askers", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=0)
    parser.add_argument("--redis-url", default="")
    options = parser.parse_args()
    world = harness.World(harness.Servers(), topics=False)
    try:
        start = time.monotonic()
        world.rows(FILL % {"rows": options.rows}, timeout=600)
        world.rows((harness.ROOT / "tests" / "data" / "agent_rollups.sql").read_text(encoding="utf-8"), timeout=600)
        world.rows("vacuum analyze", timeout=600)
        print("%d records over 25 hours made in %.0f s" % (options.rows, time.monotonic() - start))
        agent = world.start("logmill-agent", "--scan-window", "25h")
        asker = Asker(agent.url)
        print("%-18s %19s %19s %19s %8s" % ("ms, p50 / p99", "not cached", "cached", "psql, same SQL", "rows"))
        for name, question in QUESTIONS:
            answer = json.loads(asker.ask(question, True)[1])
            fresh = quantiles([asker.ask(question, True)[0] for _ in range(options.times)])
            asker.ask(question, False)
            cached = quantiles([t for t, text in (asker.ask(question, False) for _ in range(options.times)) if b'"cached":"process"' in text])
            plain = quantiles(psql_times(world.url("logmill_reader"), answer["sql"], options.times))
            print("%-18s %9.2f / %7.2f %9.2f / %7.2f %9.2f / %7.2f %8d" % ((name,) + fresh + cached + plain + (answer["count"],)))
        if options.redis_url:
            agents = [world.start("logmill-agent", "--cache-size", "0", *more) for more in ([], ["--redis-url", options.redis_url])]
            asked = [Asker(a.url) for a in agents]
            question = QUESTIONS[0][1]
            for name, one, said in (("no Redis", asked[0], b'"cached":false'), ("from Redis", asked[1], b'"cached":"redis"')):
                answers = [one.ask(question, False) for _ in range(options.times * 2)]
                times = [t for t, text in answers if said in text]
                print("%-18s %9.2f / %7.2f (%d of %d)" % ((name,) + quantiles(times) + (len(times), len(answers))))
        if options.askers:
            def run():
                one = Asker(agent.url)
                for i in range(options.times):
                    one.ask(QUESTIONS[i % len(QUESTIONS)][1], True)
            threads = [threading.Thread(target=run) for _ in range(options.askers)]
            start = time.monotonic()
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            print("%d askers, nothing cached: %.0f answers/s" % (options.askers, options.askers * options.times / (time.monotonic() - start)))
        print("memory of the agent: %.0f MB" % test_load.memory(agent, "VmRSS"))
        if options.at_once:
            async def at_once():
                load = test_load.Asker(agent)
                load.ask(*(test_load.MANY[i % len(test_load.MANY)] % (60 + i) for i in range(options.at_once)))
                return await load.answers()
            start = time.monotonic()
            codes = asyncio.run(at_once())
            print("%d at once, nothing cached: %s in %.1f s, peak memory %.0f MB" % (
                options.at_once, ", ".join("%d × %d" % (n, code) for code, n in sorted(codes.items())), time.monotonic() - start,
                test_load.memory(agent, "VmHWM")))
    finally:
        world.close()


if __name__ == "__main__":
    main()
