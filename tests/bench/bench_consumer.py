"""Rows a second of logmill-consumer from a preloaded topic of 4 partitions, as a share of psql's binary \\copy of the same rows
into an equal table, in the same run. LOGMILL_BENCH_RECORDS sets the size (1,000,000), LOGMILL_BENCH_JSON=1 sends JSON.

The consumer's time runs from its first committed batch to its last; \\copy's is what psql takes. CPU is of the process, a million
rows; PostgreSQL's is of its server processes while the rows went in.
"""
import os
import subprocess
import time

import harness
import ingest

RECORDS = int(os.environ.get("LOGMILL_BENCH_RECORDS", 1000000))
JSON = os.environ.get("LOGMILL_BENCH_JSON") == "1"
COLUMNS = ("created_at,category,level,log_type,service,environment,message,host,component,module,event_type,user_id,session_id,"
           "trace_id,span_id,error_type,error_code,stack_trace,http_status,endpoint,method,duration_ms,client_ip,page_path,browser,"
           "device,tags,metadata,kafka_partition,kafka_offset,ingested_at,pattern")


def cpu(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server_cpu(parent):
    """Of a server and its children, those that have ended included."""
    while True:
        try:
            fields = open("/proc/%d/stat" % parent).read().rsplit(")", 1)[1].split()
            children = open("/proc/%d/task/%d/children" % (parent, parent)).read().split()
            return sum(int(f) for f in fields[11:15]) / os.sysconf("SC_CLK_TCK") + sum(cpu(int(c)) for c in children)
        except FileNotFoundError:                           # a child ended meanwhile: its time is its parent's now
            pass


def memory(pid, name):
    for line in open("/proc/%d/status" % pid):
        if line.startswith(name):
            return int(line.split()[1]) / 1024


def run_consumer(world, *arguments):
    server = world.servers.pid("postgres")
    before = server_cpu(server)
    consumer = world.start("logmill-consumer", *arguments, ready=False)
    pid = consumer.process.pid
    harness.wait_until(lambda: ingest.stored(world) > 0, 30, every=0.005)
    began, first, cpu_before = time.monotonic(), ingest.stored(world), cpu(pid)
    harness.wait_until(lambda: ingest.stored(world) == RECORDS, 600, every=0.02)
    seconds = time.monotonic() - began
    rows = RECORDS - first
    result = {"rows/s": rows / seconds, "own CPU s/M": (cpu(pid) - cpu_before) / rows * 1e6,
              "PostgreSQL CPU s/M": (server_cpu(server) - before) / RECORDS * 1e6,
              "peak MB": memory(pid, "VmHWM"), "rows a batch": RECORDS / consumer.metric("logmill_consumer_batches_total")}
    consumer.terminate()
    return result


def run_copy(world, source, connections):
    """The rows of `source` through as many psql as connections."""
    files = []
    for i in range(connections):
        path = os.path.join(world.directory, "rows-%d.bin" % i)
        subprocess.run(["psql", source.admin_url, "-qXc", "\\copy (select %s from logmill.logs where kafka_partition %% %d = %d) to '%s' (format binary)"
                        % (COLUMNS, connections, i, path)], check=True)
        files.append(path)
    leaves = source.rows("select distinct date_trunc('hour', created_at, 'UTC') from logmill.logs")
    for (hour,) in leaves:
        world.rows("select logmill.ensure_leaf('raw', '%s')" % hour)
    server = world.servers.pid("postgres")
    before, began = server_cpu(server), time.monotonic()
    running = [subprocess.Popen(["psql", world.admin_url, "-qXc", "\\copy logmill.logs_raw (%s) from '%s' (format binary)" % (COLUMNS, f)])
               for f in files]
    assert all(p.wait() == 0 for p in running)
    seconds = time.monotonic() - began
    assert world.value("select count(*) from logmill.logs") == str(RECORDS)
    return {"rows/s": RECORDS / seconds, "PostgreSQL CPU s/M": (server_cpu(server) - before) / RECORDS * 1e6}


def show(name, result, base=None):
    cells = ["%-28s" % name] + ["%s %s" % ("%.0f" % v if v >= 100 else "%.2f" % v, k) for k, v in result.items()]
    if base:
        cells.append("%.2f of \\copy" % (result["rows/s"] / base["rows/s"]))
    print("  ".join(cells), flush=True)


def main():
    servers = harness.Servers(own=True, postgres_conf="max_wal_size = 4GB\nshared_buffers = 512MB")
    worlds = []
    try:
        print("%d records, %s" % (RECORDS, "JSON" if JSON else "Avro"), flush=True)
        results = {}
        source = None
        for connections in (1, 2):
            world = harness.World(servers)
            worlds.append(world)
            options = dict(sources=25)
            if JSON:
                options["json"] = True
            ingest.generate(world, RECORDS, **options)
            results[connections] = run_consumer(world, "--connections=%d" % connections)
            source = world
        for connections in (1, 2):
            world = harness.World(servers, topics=False)
            worlds.append(world)
            base = run_copy(world, source, connections)
            show("\\copy, %d connection(s)" % connections, base)
            show("consumer, %d connection(s)" % connections, results[connections], base)
    finally:
        for world in worlds:
            world.close()
        servers.close()


if __name__ == "__main__":
    main()
