#!/usr/bin/env python3
"""What the agent adds to a model's server: to the first token of its reply, as a client of the events sees it, and to the whole answer.

    bench_model.py [--times 100]

Needs LOGMILL_TEST_POSTGRES_URL and LOGMILL_BIN as the integration tests do. The server waits 50 ms before it says anything, and 5 ms
before each of its six pieces; what it waited, by its own clock, is taken off what the client waited.
"""
import argparse
import http.client
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402
import model_server as ms  # noqa: E402
import stored  # noqa: E402
import test_model  # noqa: E402


def quantiles(values):
    values = sorted(values)
    return values[len(values) // 2], values[min(len(values) - 1, int(len(values) * 0.99))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    world, server = harness.World(harness.Servers(), topics=False), ms.Server()
    waited = {}

    def slow(h):
        waited["start"] = time.perf_counter()
        time.sleep(0.05)
        h.begin()
        first = []
        event = h.event

        def timed(value, name=None):
            if not first and value.get("type") == "content_block_delta" and value["index"] == 1:
                first.append(time.perf_counter())
            event(value, name)
        h.event = timed
        ms.stream(h, json.dumps(test_model.intent()), ping=False, pause=0.005)
        h.end()
        waited["first"], waited["end"] = first[0], time.perf_counter()
    try:
        stored.fill(world)
        server.says(slow)
        agent = world.start("logmill-agent", "--llm-provider", "anthropic", "--llm-url", server.url, "--llm-model", "m", "--llm-daily-tokens", "0")
        first, whole = [], []
        for _ in range(times + 5):
            c = http.client.HTTPConnection(agent.url[7:])
            start = time.perf_counter()
            c.request("POST", "/query", json.dumps({"question": test_model.FUNNY, "refresh": True}),
                      {"Content-Type": "application/json", "Accept": "text/event-stream"})
            r, seen = c.getresponse(), 0
            for line in r:
                if b'"field":"model"' in line and not seen:
                    seen = time.perf_counter()
            end = time.perf_counter()
            c.close()
            first.append(((seen - start) - (waited["first"] - waited["start"])) * 1000)
            whole.append(((end - start) - (waited["end"] - waited["start"])) * 1000)
        for name, values in (("first token", first[5:]), ("whole answer", whole[5:])):
            print("%-13s ours on top of the server's: p50 %.1f ms, p99 %.1f ms" % ((name,) + quantiles(values)))
        print("a request is %d bytes" % len(json.dumps(server.requests[-1]["body"])))
    finally:
        server.close()
        world.close()


if __name__ == "__main__":
    main()
