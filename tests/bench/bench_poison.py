"""What poison costs: rows a second of logmill-consumer through a preloaded topic of 4 partitions with none, one in 1,000 and one in
10 records bad, as a share of the clean run. Two kinds: a NUL in the message, found while decoding, and a row that PostgreSQL alone
refuses (a CHECK constraint, which the clean run has too). Good records are counted in the table, bad ones in the dead-letter topic.

LOGMILL_BENCH_RECORDS sets the size (300,000 a run), LOGMILL_BENCH_RUNS how often (3; the best counts, for the machine is shared).
"""
import os
import time

import harness
import ingest

RECORDS = int(os.environ.get("LOGMILL_BENCH_RECORDS", 300000))
RUNS = int(os.environ.get("LOGMILL_BENCH_RUNS", 3))
KINDS = (("clean", {}), ("NUL, 1 in 1,000", {"nul_every": 1000}), ("refused by PostgreSQL, 1 in 1,000", {"refused_every": 1000}),
         ("NUL, 1 in 10", {"nul_every": 10}), ("refused by PostgreSQL, 1 in 10", {"refused_every": 10}))


def run(servers, options):
    world = harness.World(servers)
    try:
        world.rows("alter table logmill.logs_raw add constraint mood check (log_type <> 'REFUSED')")
        ingest.generate(world, RECORDS, sources=25, **options)
        consumer = world.start("logmill-consumer", ready=False)
        harness.wait_until(lambda: ingest.stored(world) > 0, 60, every=0.005)
        began, first = time.monotonic(), ingest.stored(world)
        harness.wait_until(lambda: ingest.stored(world) == RECORDS, 900, every=0.02)
        seconds = time.monotonic() - began
        bad = ingest.dead_letters(world)
        good = int(world.value("select count(*) from logmill.logs"))
        assert good + bad == RECORDS and (bad > 0) == bool(options), (good, bad)
        consumer.terminate()
        return (RECORDS - first) / seconds, bad
    finally:
        world.close()


def main():
    servers = harness.Servers(own=True, postgres_conf="max_wal_size = 4GB\nshared_buffers = 512MB")
    best = {}
    try:
        for _ in range(RUNS):
            for name, options in KINDS:
                speed, bad = run(servers, options)
                if speed > best.get(name, (0, 0))[0]:
                    best[name] = speed, bad
        for name, (speed, bad) in best.items():
            print("%-34s %7d dead letters  %8.0f records/s  %.2f of clean" % (name, bad, speed, speed / best["clean"][0]), flush=True)
    finally:
        servers.close()


if __name__ == "__main__":
    main()
