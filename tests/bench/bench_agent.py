#!/usr/bin/env python3
"""How long the agent takes at size: p50 and p99 of answers from rollups, of lists and look-ups, not cached and cached, beside the
same SQL in psql, while the consumer stores 5,000 records a second of the same services, environments and levels.

    bench_agent.py [--rows 400000] [--times 100] [--rate 5000] [--askers 0] [--at-once 0] [--redis-url URL] [--names 10000]
                   [--database NAME]

The world is that of agent_world.py: LOGMILL_BENCH_ROWS or --rows records in the day up to now, and 30 days of rollups; 20,000,000
take half an hour, most of it folding, and 22 GB. Needs LOGMILL_TEST_POSTGRES_URL, LOGMILL_TEST_BROKERS and LOGMILL_BIN as the
integration tests do; makes a database of its own and drops it, or with --database asks one that is there. One asker, one connection
kept open: latency, not throughput; --askers 8 adds a run of several at once, --at-once 1000 as many questions each on a connection of its own, with the
codes of the answers and the peak memory, --redis-url how long an answer from Redis takes, and one that is not there; --names 10000 adds
as many to the catalogue and completes beginnings of questions (GET /suggest). psql runs a statement in one session, planned anew each time.
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
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
import agent_world  # noqa: E402
import harness  # noqa: E402
import test_load  # noqa: E402

QUESTIONS = (("count, 1 h", "how many errors in the last hour?"),
             ("levels, 1 h", "최근 1시간 레벨별 로그 수"),
             ("top 5, 24 h", "top 5 services by errors in the last 24 hours"),
             ("hours, 24 h", "errors per hour in the last 24 hours"),
             ("error rate, 24 h", "error rate by service in the last 24 hours"),
             ("count, 30 d", "how many logs in the last 30 days?"),
             ("top 5, 30 d", "top 5 services by errors in the last 30 days"),
             ("days, 30 d", "errors per day in the last 30 days"),
             ("p95, 30 d", "p95 latency by service in the last 30 days"),
             ("newest 100 errors", "show the newest 100 errors of the last 24 hours"),
             ("newest 100, busy", "show the newest 100 logs of payment-service in the last 24 hours"),
             ("newest 100, rare", "show the newest 100 logs of %s in the last 24 hours" % agent_world.RARE),
             ("trace", "show all logs of trace %(trace)s"))


def quantiles(values):
    values = sorted(values)
    return values[len(values) // 2], values[min(len(values) - 1, int(len(values) * 0.99))]


BEGINNINGS = ("pay", "payment er", "payment errors today", "slow endpoints of pay", "결제", "결제 에러", "xyzz errors")

# Endpoints, hosts, modules, error types and components that share their parts, as many of each.
NAMES = """
insert into logmill.log_name
select kind, case kind when 'endpoint' then '/api/' || (array['pay', 'payments', 'orders', 'cart', 'users'])[1 + i %% 5] || '/v' || i
                       when 'host' then 'host-' || (array['pay', 'web', 'db'])[1 + i %% 3] || '-' || i
                       when 'module' then 'module_' || (array['Payment', 'Order', 'User'])[1 + i %% 3] || '_' || i
                       when 'error_type' then (array['Payment', 'Timeout', 'Io'])[1 + i %% 3] || 'Error' || i
                       else 'comp-' || i end, 'raw', 'payment-service', 'production', 0, now() - interval '1 day', now(), i
from unnest(array['endpoint', 'host', 'module', 'error_type', 'component']) kind, generate_series(1, %d) i
on conflict do nothing"""


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


def load(world, rate):
    """The consumer storing `rate` records a second; the process that sends them, or None."""
    if rate == 0:
        return None
    consumer = world.start("logmill-consumer", "--fold-zone", "Asia/Seoul", "--categories", "raw")
    sender = subprocess.Popen([str(harness.BIN / "logmill-generate"), "--brokers", world.servers.brokers, "--topic", world.topic(),
                               "--partitions", "4", "--count", "100000000", "--rate", str(rate), "--live", "--linger-ms", "50", "--levels", "3",
                               "--service-names", ",".join(agent_world.SERVICES)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    harness.wait_until(lambda: consumer.metric("logmill_consumer_records_total") > 5 * rate, 60, "the load under way")
    return sender


def measure(world, asker, times):
    trace = world.value("select trace_id from logmill.logs where created_at > now() - interval '12 hours' and "
                        "created_at < now() - interval '11 hours' limit 1")
    print("%-18s %17s %17s %17s %6s" % ("ms, p50 / p99", "not cached", "cached", "psql, same SQL", "rows"))
    for name, question in QUESTIONS:
        question = question.replace("%(trace)s", trace)
        answer = json.loads(asker.ask(question, True)[1])
        fresh = quantiles([asker.ask(question, True)[0] for _ in range(times)])
        asker.ask(question, False)
        cached = quantiles([t for t, text in (asker.ask(question, False) for _ in range(times)) if b'"cached":"process"' in text] or [0])
        plain = quantiles(psql_times(world.url("logmill_reader"), answer["sql"], times))
        print("%-18s %8.2f / %6.2f %8.2f / %6.2f %8.2f / %6.2f %6d" % ((name,) + fresh + cached + plain + (answer["count"],)), flush=True)


def suggest(asker, times):
    for beginning in BEGINNINGS:
        def complete():
            start = time.perf_counter()
            asker.connection.request("GET", "/suggest?q=" + urllib.parse.quote(beginning))
            asker.connection.getresponse().read()
            return (time.perf_counter() - start) * 1000
        print("%-24s %8.2f / %6.2f" % (("/suggest " + beginning,) + quantiles([complete() for _ in range(times)])), flush=True)


def several(agent, askers, times):
    def run():
        one = Asker(agent.url)
        for i in range(times):
            one.ask(QUESTIONS[i % 8][1], True)
    threads = [threading.Thread(target=run) for _ in range(askers)]
    start = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("%d askers, nothing cached: %.0f answers/s" % (askers, askers * times / (time.monotonic() - start)))


def through_redis(world, url, times):
    agents = [world.start("logmill-agent", "--cache-size", "0", *more) for more in ([], ["--redis-url", url])]
    asked = [Asker(a.url) for a in agents]
    question = QUESTIONS[0][1]
    for name, one, said in (("no Redis", asked[0], b'"cached":false'), ("from Redis", asked[1], b'"cached":"redis"')):
        answers = [one.ask(question, False) for _ in range(times * 2)]
        of_it = [t for t, text in answers if said in text]
        print("%-18s %9.2f / %7.2f (%d of %d)" % ((name,) + quantiles(of_it) + (len(of_it), len(answers))))


def at_once(agent, count):
    async def asked():
        asker = test_load.Asker(agent)
        asker.ask(*(test_load.MANY[i % len(test_load.MANY)] % (60 + i) for i in range(count)))
        return await asker.answers()
    start = time.monotonic()
    codes = asyncio.run(asked())
    print("%d at once, nothing cached: %s in %.1f s, peak memory %.0f MB" % (
        count, ", ".join("%d × %d" % (n, code) for code, n in sorted(codes.items())), time.monotonic() - start,
        test_load.memory(agent, "VmHWM")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=int(os.environ.get("LOGMILL_BENCH_ROWS", 400000)))
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--askers", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=0)
    parser.add_argument("--redis-url", default="")
    parser.add_argument("--names", type=int, default=0)
    parser.add_argument("--database")
    options = parser.parse_args()
    world = harness.World(harness.Servers(), migrate=not options.database)
    made, sender = world.name, None
    try:
        if options.database:
            world.admin_url = world.admin_url.replace(made, options.database)
            world.name = options.database
        else:
            start = time.monotonic()
            agent_world.make(world, options.rows)
            print("%d records, 30 days of rollups, %s, made in %.0f s" % (
                options.rows, world.value("select pg_size_pretty(pg_database_size(current_database()))"), time.monotonic() - start))
        if options.names:
            world.rows(NAMES % (options.names // 5))
        sender = load(world, options.rate)
        agent = world.start("logmill-agent")
        measure(world, Asker(agent.url), options.times)
        if options.names:
            suggest(Asker(agent.url), options.times)
        if options.redis_url:
            through_redis(world, options.redis_url, options.times)
        if options.askers:
            several(agent, options.askers, options.times)
        print("memory of the agent: %.0f MB" % test_load.memory(agent, "VmRSS"))
        if options.at_once:
            at_once(agent, options.at_once)
    finally:
        if sender:
            sender.terminate()
            sender.wait()
        world.name = made                                   # the one that was named is not dropped
        world.close()


if __name__ == "__main__":
    main()
