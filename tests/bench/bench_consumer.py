"""logmill-consumer beside psql's binary \\copy of the same rows into an equal table: same server, same kind of connection, same role,
leaves made beforehand, a checkpoint before each run. Runs of both kinds alternate, each beside the \\copy made just before it; what is
shown is the median. Before the first the topic is read a few times: a new broker compiles its code for some tens of seconds, at up to
four times the CPU of later.

    ./dev bench consumer [PART …]           all parts: about ten minutes
    speed     \\copy with 1 and 2 connections; the consumer with as many, Avro and JSON
    where     where the microseconds go: stages, functions of the closing message, symbols (linux-perf, where it is installed)
    batch     batch size against throughput and cost; what producers' sequences cost at 1,000 sources
    latency   from produce to visible at 1,000 records a second; the time to the first row
    scaling   1 to 4 consumers in one group beside as many \\copy, with a plot

LOGMILL_BENCH_RECORDS is the size of the preloaded topic (1,000,000; 4 partitions), LOGMILL_BENCH_REPEATS how often each run of `speed`
and `scaling` is made (5), LOGMILL_BENCH_OPTIONS more options for the consumer. Tables and the plot go to build/bench.

The world: 10,000 records a second of 12 services in 2 environments and 5 levels, read at full speed, so that a batch brings 120 to 240
rollup rows; 100 producers a partition, each with its own sequence. The consumer's time runs from its first commit to its last, its
CPU from its start to its last commit; \\copy's time is what psql takes. PostgreSQL's CPU is that of all its processes meanwhile
(autovacuum off). The consumer and Kafka share the machine with PostgreSQL; \\copy reads files.
"""
import os
import re
import shutil
import subprocess
import sys
import time

import harness
import ingest
import measure

RECORDS = int(os.environ.get("LOGMILL_BENCH_RECORDS", 1000000))
WARM = 4                                                    # readings of each topic before the first run that counts
REPEATS = int(os.environ.get("LOGMILL_BENCH_REPEATS", 5))
OPTIONS = os.environ.get("LOGMILL_BENCH_OPTIONS", "").split()
OUT = harness.ROOT / "build" / "bench"
WORLD = dict(sources=100, services=12, step_us=100)
PARTITIONS = 4
POSTGRES = "max_wal_size = 8GB\nshared_buffers = 512MB\nautovacuum = off\ncheckpoint_timeout = 1h"
COLUMNS = ("created_at,category,level,log_type,service,environment,message,host,component,module,event_type,user_id,session_id,"
           "trace_id,span_id,error_type,error_code,stack_trace,http_status,endpoint,method,duration_ms,client_ip,page_path,browser,"
           "device,tags,metadata,kafka_partition,kafka_offset,ingested_at,pattern")


class Bench:
    """The servers, one preloaded topic for each encoding, and the rows of the first as files for \\copy."""

    def __init__(self):
        self.servers = harness.Servers(own=True, postgres_conf=POSTGRES)
        self.postgres, self.kafka = self.servers.pid("postgres"), self.servers.pid("kafka")
        self.base_us = int(time.time() // 3600 - 1) * 3600 * 1000000
        self.topics = {}                                    # encoding -> world whose topics hold the records
        self.files = {}                                     # connections -> paths
        self.worlds = []

    def close(self):
        for world in self.worlds:
            world.close()
        self.servers.close()

    def topic(self, encoding="avro", **options):
        """The world whose topic is preloaded so; made once."""
        key = encoding, tuple(sorted(options.items()))
        if key not in self.topics:
            world = harness.World(self.servers, migrate=False)
            self.worlds.append(world)
            what = dict(WORLD, base_us=self.base_us, **options)
            if encoding == "json":
                what["json"] = True
            ingest.generate(world, RECORDS, **what)
            self.topics[key] = world
        return self.topics[key]

    def database(self, **options):
        """A new database that reads nothing yet, with its leaves."""
        world = harness.World(self.servers, topics=False, **options)
        for hour in range(int(RECORDS * WORLD["step_us"] / 3.6e9) + 2):
            world.rows("select logmill.ensure_leaf('raw', to_timestamp(%d))" % (self.base_us // 1000000 + 3600 * hour))
        world.rows("select logmill.ensure_leaves('4 hours')")
        return world

    def rows_for_copy(self, connections):
        if connections not in self.files:
            world = self.database()
            try:
                self.consume(world, self.topic(), "--connections=2")
                paths = []
                for i in range(connections):
                    paths.append("/var/tmp/%s-%d.bin" % (world.name, i))
                    world.rows("\\copy (select %s from logmill.logs_raw where kafka_partition %% %d = %d) to '%s' (format binary)"
                               % (COLUMNS, connections, i, paths[-1]))
                self.files[connections] = paths
            finally:
                world.close()
        return self.files[connections]

    def forget_files(self):
        for paths in self.files.values():
            for path in paths:
                os.unlink(path)
        self.files = {}

    def start(self, world, topic, *arguments):
        """A consumer of `topic` into `world`, not waited for."""
        source, world.prefix = world.prefix, topic.prefix
        try:
            return world.start("logmill-consumer", "--group", world.name, "--categories=raw", *arguments, *OPTIONS, ready=False)
        finally:
            world.prefix = source

    def consume(self, world, topic, *arguments, consumers=1, doing=True):
        """Everything of `topic` into the database by so many consumers of one group."""
        session = measure.Session(world.admin_url)
        world.rows("checkpoint")
        sampler = measure.Sampler(session, "select coalesce(sum(next_offset), 0)::bigint from logmill.ingest_offset", doing=doing)
        before, kafka = measure.server_cpu(self.postgres), measure.cpu(self.kafka)
        started = time.monotonic()
        running = [self.start(world, topic, *arguments) for _ in range(consumers)]
        sampler.start()
        sampler.wait_for(RECORDS, 300, lambda: all(c.running() for c in running))
        pids = [c.process.pid for c in running]
        server, kafka = measure.server_cpu(self.postgres) - before - session.cpu(), measure.cpu(self.kafka) - kafka
        own, peak = sum(measure.cpu(p) for p in pids), max(measure.memory(p, "VmHWM") for p in pids)
        sampler.stop()
        session.close()
        first = next(s for s in sampler.seen if int(s[1][0]) > 0)
        last = next(s for s in sampler.seen if int(s[1][0]) >= RECORDS)
        batches = sum(c.metric("logmill_consumer_batches_total") for c in running)
        result = {"rate": (RECORDS - int(first[1][0])) / (last[0] - first[0]), "own": own / RECORDS * 1e6,
                  "server": server / RECORDS * 1e6, "kafka": kafka / RECORDS * 1e6, "peak": peak, "batch": RECORDS / batches, "first": first[0] - started,
                  "working": sampler.working / max(sampler.all, 1), "client": sampler.client / max(sampler.all, 1),
                  "disk": sampler.disk / max(sampler.all, 1), "metrics": [c.get("/metrics")[1] for c in running]}
        for c in running:
            c.terminate()
        return result

    def copy(self, connections):
        """The same rows through as many psql as connections."""
        files = self.rows_for_copy(connections)
        world = self.database()
        try:
            world.rows("checkpoint")
            before, began = measure.server_cpu(self.postgres), time.monotonic()
            running = [subprocess.Popen(["psql", world.url("logmill_writer"), "-qXc",
                                         "\\copy logmill.logs_raw (%s) from '%s' (format binary)" % (COLUMNS, f)]) for f in files]
            assert all(p.wait() == 0 for p in running)
            seconds = time.monotonic() - began
            server = measure.server_cpu(self.postgres) - before
            assert world.value("select count(*) from logmill.logs") == str(RECORDS)
            return {"rate": RECORDS / seconds, "server": server / RECORDS * 1e6}
        finally:
            world.close()

    def run(self, encoding, *arguments, **options):
        topic = self.topic(encoding, **options.pop("world", {}))
        world = self.database()
        try:
            return self.consume(world, topic, *arguments, **options)
        finally:
            world.close()


def medians(results):
    return {key: measure.median([r[key] for r in results]) for key in results[0] if key != "metrics"}


def report(title, columns, rows):
    measure.table(title, columns, rows, OUT / "consumer.md")


# ---- parts ----

def speed(bench):
    kinds = [("\\copy", None), ("consumer, Avro", "avro"), ("consumer, JSON", "json")]
    results = {(name, n): [] for n in (1, 2) for name, _ in kinds}
    bench.rows_for_copy(1), bench.rows_for_copy(2)
    for _ in range(WARM):
        bench.run("avro", doing=False), bench.run("json", doing=False)
    for _ in range(REPEATS):
        for (name, n), runs in results.items():
            encoding = dict(kinds)[name]
            runs.append(bench.run(encoding, "--connections=%d" % n) if encoding else bench.copy(n))
            base = results["\\copy", n][-1]
            runs[-1].update({"of " + what: runs[-1][what] / base[what] for what in ("rate", "server")})
    rows = []
    for (name, n), runs in results.items():
        r, ratios = medians(runs), [x["of rate"] for x in runs]
        row = [name, n, r["rate"], r["server"]]
        rows.append(row + (["–"] * 10 if "own" not in r else
                           [r["of rate"], "%.2f to %.2f" % (min(ratios), max(ratios)), r["of server"], r["own"], r["kafka"], r["peak"], r["batch"],
                            100 * r["working"], 100 * r["client"], 100 * r["disk"]]))
    report("Throughput: %d records, median of %d runs; ratios: median of each run's to the \\copy before it" % (RECORDS, REPEATS),
           ["", "connections", "rows/s", "PostgreSQL CPU µs/row", "rows/s of \\copy", "from, to", "PostgreSQL CPU of \\copy", "own CPU µs/row",
            "Kafka's", "peak MB", "rows/batch", "backend works %", "waits for us %", "for disk %"], rows)


STAGES = ("decode", "wait", "copy", "turn", "commit")


def stages(metrics):
    """Sums of the per-batch histograms in seconds, of what there is of them."""
    found = []
    for name in STAGES:
        values = [float(v) for text in metrics for v in re.findall(r"^logmill_consumer_%s_seconds_sum(?:\{.*\})? (\S+)$" % name, text, re.M)]
        if values:
            found.append((name, sum(values)))
    return found


SYMBOLS = ((r"librdkafka|rdk:|crc32|snappy|zstd|lz4|inflate", "librdkafka"), (r"lm_pattern|pattern|mask", "message patterns"),
           (r"co_names|add_name", "names"), (r"rollup|bucket|group_of|duration", "rollups"), (r"co_copy|put_", "COPY row"),
           (r"lm_record|avro|read_|json|utf8|complete|decode", "decoding and checks"), (r"co_sources|judge", "repeats"),
           (r"libpq|lm_pg|pq[A-Z]|PQ", "libpq"), (r"\[kernel|\[k\]", "kernel"), (r"malloc|free|memcpy|memset|libc", "libc: memory"))


def profile(bench):
    """Shares of the consumer's own CPU by part, from perf; [] where there is none."""
    if shutil.which("perf") is None:
        return []
    topic, world, data = bench.topic(), bench.database(), "/var/tmp/logmill-perf-%d" % os.getpid()
    try:
        consumer = bench.start(world, topic, "--connections=1")
        recorder = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-o", data, "-p", str(consumer.process.pid)],
                                    stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: int(world.value("select coalesce(sum(next_offset), 0)::bigint from logmill.ingest_offset")) == RECORDS, 120)
        consumer.terminate()
        recorder.wait(30)
        text = subprocess.run(["perf", "report", "-i", data, "--stdio", "--sort", "dso,symbol", "--percent-limit", "0.2", "-g", "none"],
                              capture_output=True, text=True).stdout
    finally:
        world.close()
        if os.path.exists(data):
            os.unlink(data)
    shares, symbols = {}, []
    for share, rest in re.findall(r"^\s+(\d+\.\d+)%\s+(.*\S)\s*$", text, re.M):
        part = next((name for pattern, name in SYMBOLS if re.search(pattern, rest)), "the rest")
        shares[part] = shares.get(part, 0) + float(share)
        symbols.append([re.sub(r"\s+", " ", rest), float(share)])
    return sorted(shares.items(), key=lambda s: -s[1]), symbols[:15]


def where(bench):
    base = bench.copy(1)
    world = bench.database()
    try:
        world.rows("alter database \"%s\" set track_functions = 'pl'" % world.name)
        result = bench.consume(world, bench.topic(), "--connections=1")
        harness.wait_until(lambda: int(world.value("select count(*) from pg_stat_user_functions where funcname = 'advance_offset'")) > 0)
        functions = world.rows("select funcname, calls, total_time from pg_stat_user_functions where funcname ~ '^add_|^advance_|^raise_' "
                               "order by total_time desc")
        sizes = world.rows("select (select count(*) from logmill.log_rollup_minute), (select count(*) from logmill.error_pattern_hour), "
                           "(select count(*) from logmill.log_name)")[0]
    finally:
        world.close()
    batches = RECORDS / result["batch"]
    report("The closing message's functions (\\copy costs PostgreSQL %.2f µs a row, this run %.2f; %.0f batches of %.0f rows; %s rollup, %s "
           "error and %s name rows at the end)" % (base["server"], result["server"], batches, result["batch"], *sizes),
           ["", "calls", "ms/call", "µs/row"],
           [[name, int(calls), float(ms) / int(calls), float(ms) * 1000 / RECORDS] for name, calls, ms in functions])
    known = stages(result["metrics"])
    if known:
        report("Stages of a batch, one connection (they overlap)", ["", "ms/batch", "µs/row"],
               [[name, s * 1000 / batches, s * 1e6 / RECORDS] for name, s in known])
    shares = profile(bench)
    if shares:
        report("Own CPU (%.2f µs a row) by part" % result["own"], ["", "%", "µs/row"],
               [[name, share, share * result["own"] / 100] for name, share in shares[0]])
        report("Own CPU by symbol", ["", "%"], shares[1])


def batch(bench):
    base = measure.median([bench.copy(2)["server"] for _ in range(2)])
    rows = []
    for size in (1000, 3000, 10000, 20000, 50000):
        r = bench.run("avro", "--connections=2", "--batch-rows=%d" % size, "--batch-bytes=64MiB", "--memory=%dMiB" % (40 if size <= 10000 else 200))
        rows.append([size, r["batch"], r["rate"], r["server"], r["server"] / base, r["own"], r["peak"], 100 * r["client"]])
    report("Batch size, two connections beside two \\copy (more memory for the last two)",
           ["batch.rows", "rows/batch", "rows/s", "PostgreSQL CPU µs/row", "of \\copy", "own CPU µs/row", "peak MB", "waits for us %"], rows)
    rows = []
    for sources in (0, 100, 1000):
        r = medians([bench.run("avro", "--connections=1", "--batch-rows=10000", world=dict(sources=sources)) for _ in range(2)])
        rows.append([sources, r["own"], r["server"], r["rate"]])
    report("Producers' sequences, batches of at most 10,000 rows", ["sources a partition", "own CPU µs/row", "PostgreSQL CPU µs/row", "rows/s"], rows)


RATE, SECONDS = 1000, 20


def latency(bench):
    world = harness.World(bench.servers)
    try:
        ingest.generate(world, 1)
        consumer = world.start("logmill-consumer", *OPTIONS, ready=False)
        began = time.monotonic()
        harness.wait_until(lambda: ingest.stored(world) == 1, every=0.002)
        first = time.monotonic() - began
        session = measure.Session(world.admin_url)
        offsets = ", ".join("(select next_offset from logmill.ingest_offset where (topic, partition) = ('%s', %d))" % (world.topic(), p)
                            for p in range(PARTITIONS))
        sampler = measure.Sampler(session, "select extract(epoch from clock_timestamp()), " + offsets, every=0.002, doing=False)
        sampler.start()
        cpu, server = measure.cpu(consumer.process.pid), measure.server_cpu(bench.postgres)
        ingest.generate(world, 1 + RATE * SECONDS, first=1, rate=RATE, live=True)
        harness.wait_until(lambda: ingest.stored(world) == 1 + RATE * SECONDS)
        cpu, server = measure.cpu(consumer.process.pid) - cpu, measure.server_cpu(bench.postgres) - server
        sampler.stop()
        rows = session.rows("select kafka_partition, kafka_offset, extract(epoch from created_at) from logmill.logs order by 1, 2")[1:]
        session.close()
        batches = consumer.metric("logmill_consumer_batches_total")
        idle = measure.cpu(consumer.process.pid)
        time.sleep(5)
        idle = measure.cpu(consumer.process.pid) - idle
        at, waited = [0] * PARTITIONS, []
        began = min(float(r[2]) for r in rows) + 1  # the first second is the generator's start
        for partition, offset, created in rows:
            p, offset = int(partition), int(offset)
            while int(sampler.seen[at[p]][1][p + 1] or 0) <= offset and at[p] + 1 < len(sampler.seen):
                at[p] += 1
            if float(created) >= began:
                waited.append(1000 * (float(sampler.seen[at[p]][1][0]) - float(created)))
    finally:
        world.close()
    report("Latency from produce to visible, %d records/s for %d s, default settings" % (RATE, SECONDS),
           ["p50 ms", "p90 ms", "p99 ms", "max ms", "batches/s", "own CPU %", "PostgreSQL CPU %", "own CPU % when idle", "first row after start s"],
           [[measure.quantile(waited, 0.5), measure.quantile(waited, 0.9), measure.quantile(waited, 0.99), max(waited),
             batches / SECONDS, 100 * cpu / SECONDS, 100 * server / SECONDS, 100 * idle / 5, first]])


def scaling(bench):
    counts = (1, 2, 3, 4)
    results = {n: ([], []) for n in counts}
    for n in counts:
        bench.rows_for_copy(n)
    for _ in range(WARM):
        bench.run("avro", doing=False)
    for _ in range(REPEATS):
        for n in counts:
            results[n][0].append(bench.copy(n))
            results[n][1].append(bench.run("avro", "--connections=1", consumers=n))
            results[n][1][-1]["of rate"] = results[n][1][-1]["rate"] / results[n][0][-1]["rate"]
    rows, lines = [], {"\\copy": [], "consumers, one connection each": []}
    for n in counts:
        copied, consumed = medians(results[n][0]), medians(results[n][1])
        lines["\\copy"].append(copied["rate"])
        lines["consumers, one connection each"].append(consumed["rate"])
        rows.append([n, copied["rate"], consumed["rate"], consumed["of rate"], copied["server"], consumed["server"], consumed["own"]])
    report("Consumers in one group beside as many \\copy, %d cores, 4 partitions, median of %d runs" % (os.cpu_count(), REPEATS),
           ["", "\\copy rows/s", "consumers rows/s", "ratio", "PostgreSQL CPU µs/row: \\copy", "consumers", "own CPU µs/row"], rows)
    measure.plot(OUT / "consumer-scaling.svg", "Rows a second, %d cores for everything" % os.cpu_count(), "connections", "rows/s", counts, lines)
    print("plot: %s" % (OUT / "consumer-scaling.svg"))


PARTS = {"speed": speed, "where": where, "batch": batch, "latency": latency, "scaling": scaling}


def main():
    chosen = sys.argv[1:] or list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        sys.exit("no part %s; there are: %s" % (", ".join(unknown), " ".join(PARTS)))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "consumer.md").write_text("")
    bench = Bench()
    try:
        for name in chosen:
            began = time.monotonic()
            PARTS[name](bench)
            print("\n%s: %.0f s" % (name, time.monotonic() - began), flush=True)
    finally:
        bench.forget_files()
        bench.close()


if __name__ == "__main__":
    main()
