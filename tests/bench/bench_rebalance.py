"""How long a partition stands still when a consumer of the group joins, leaves, is killed or comes back: the longest gap between two
commits of each partition, while records arrive steadily. Default settings, then a static member (kafka.group.instance.id).

Commit times are those PostgreSQL writes into ingest_offset, sampled fifty times a second. LOGMILL_BENCH_RATE sets the records a second
(2,000), LOGMILL_BENCH_ROUNDS how often all of it is done (3).
"""
import os
import subprocess
import threading
import time

import harness
import ingest

RATE = int(os.environ.get("LOGMILL_BENCH_RATE", 2000))
ROUNDS = int(os.environ.get("LOGMILL_BENCH_ROUNDS", 3))


class Commits:
    """The moments at which each partition's offset moved."""

    def __init__(self, world):
        self.times = {}
        self.process = subprocess.Popen(["psql", world.admin_url, "-qXAtF,"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("select partition, extract(epoch from updated_at) from logmill.ingest_offset where topic = '%s' "
                                 "and next_offset > 0 \\watch 0.02\n" % world.topic("raw"))
        self.process.stdin.flush()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            if line[0].isdigit() and "," in line:
                partition, at = line.split(",")
                seen = self.times.setdefault(int(partition), [])
                if not seen or float(at) > seen[-1]:
                    seen.append(float(at))

    def gaps(self, since, until):
        """{partition: seconds of its longest gap that overlaps the span}."""
        return {p: max([b - a for a, b in zip(t, t[1:] + [time.time()]) if b > since and a < until], default=0)
                for p, t in sorted(self.times.items())}

    def close(self):
        self.process.kill()
        self.process.wait()


def observe(commits, what, action, seconds, table):
    since = time.time()
    result = action()
    until = max(since + seconds, time.time() + 1)
    time.sleep(until - time.time())
    table.setdefault(what, []).append(commits.gaps(since, until))
    return result


def turn(world, commits, table):
    start = lambda *more: world.start("logmill-consumer", *more, ready=False)
    observe(commits, "nothing happens", lambda: None, 3, table)
    second = observe(commits, "a second joins", start, 5, table)
    third = observe(commits, "a third joins", start, 5, table)
    observe(commits, "SIGTERM of one of three", third.terminate, 5, table)
    observe(commits, "SIGTERM of one of two", second.terminate, 5, table)
    second = observe(commits, "a second joins", start, 5, table)
    observe(commits, "kill -9 of one of two", second.kill, 14, table)
    static = observe(commits, "a static member joins", lambda: start("--kafka=group.instance.id=b"), 5, table)

    def restart():
        static.terminate()
        return start("--kafka=group.instance.id=b")
    static = observe(commits, "a static member is restarted", restart, 5, table)

    def leave():
        static.terminate()
        wait = lambda: all(t and time.time() - t[-1] < 0.5 for t in commits.times.values())
        time.sleep(1)
        harness.wait_until(wait, 30)
    observe(commits, "a static member goes for good", leave, 14, table)


def main():
    servers = harness.Servers(own=True, kafka_nodes=3)
    world = feeder = None
    try:
        world = harness.World(servers)
        stays = world.start("logmill-consumer")
        feeder = subprocess.Popen([str(harness.BIN / "logmill-generate"), "--brokers", servers.brokers, "--topic", world.topic("raw"),
                                   "--count", str(RATE * 1000 * ROUNDS), "--sources", "20", "--rate", str(RATE)])
        harness.wait_until(lambda: ingest.stored(world) > RATE, 30)
        commits, table = Commits(world), {}
        for _ in range(ROUNDS):
            turn(world, commits, table)
        print("%d records/s into 4 partitions, three brokers, %d rounds; seconds between two commits of a partition" % (RATE, ROUNDS))
        print("%-32s %8s %8s   %s" % ("", "median", "longest", "longest of each partition"))
        for what, rounds in table.items():
            longest = sorted(max(r.values()) for r in rounds)
            each = ["%.2f" % max(r[p] for r in rounds) for p in rounds[0]]
            print("%-32s %8.2f %8.2f   %s" % (what, longest[len(longest) // 2], longest[-1], "  ".join(each)), flush=True)
        commits.close()
        stays.terminate()
    finally:
        if feeder:
            feeder.kill()
            feeder.wait()
        if world:
            world.close()
        servers.close()


if __name__ == "__main__":
    main()
