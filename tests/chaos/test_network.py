"""The consumer behind a bad network: in a namespace of its own, every packet between it and Kafka and PostgreSQL delayed, some
lost, and for a while all of them: those of PostgreSQL, those of Kafka, both. Needs root and /dev/net/tun, and is skipped without.

Two tunnel devices, one of them in the namespace, and between them a thread that hands packets on late or not at all: no kernel
module is needed. LOGMILL_CHAOS_SEED repeats a run.
"""
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
import unittest

import harness
import ingest

RECORDS = 200000 if harness.LONG else 30000
SILENCE = 20 if harness.LONG else 3
HERE, THERE = "10.213.77.1", "10.213.77.2"


def tunnel(name):
    TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Network:
    """A namespace, and the only way in and out of it."""

    def __init__(self, dice):
        self.name = "lm%06x" % random.getrandbits(24)
        self.dice, self.delay, self.loss, self.passed, self.lost = dice, 0, 0, 0, 0
        self.silent = ()                                    # ports from and to which nothing passes
        self.open = True
        self.ends = [tunnel(self.name + "a"), tunnel(self.name + "b")]
        try:
            for command in (["netns", "add", self.name], ["link", "set", self.name + "b", "netns", self.name],
                            ["addr", "add", HERE, "peer", THERE, "dev", self.name + "a"], ["link", "set", self.name + "a", "up"],
                            ["-n", self.name, "addr", "add", THERE, "peer", HERE, "dev", self.name + "b"],
                            ["-n", self.name, "link", "set", self.name + "b", "up"], ["-n", self.name, "link", "set", "lo", "up"]):
                subprocess.run(["ip"] + command, check=True, capture_output=True)
        except BaseException:
            self.close()
            raise
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        waiting, number = [], 0
        while self.open:
            due = waiting[0][0] - time.monotonic() if waiting else 0.2
            for end in select.select(self.ends, [], [], max(0, min(due, 0.2)))[0]:
                packet = os.read(end, 65536)
                if self.dice.random() < self.loss or not self.ports(packet).isdisjoint(self.silent):
                    self.lost += 1
                    continue
                number += 1
                heapq.heappush(waiting, (time.monotonic() + self.delay, number, self.ends[1 - self.ends.index(end)], packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(waiting)
                try:
                    os.write(end, packet)
                    self.passed += 1
                except BlockingIOError:
                    self.lost += 1

    def ports(self, packet):
        """Both ports of a TCP packet."""
        header = (packet[0] & 15) * 4
        return set(struct.unpack(">HH", packet[header:header + 4])) if packet[0] >> 4 == 4 and packet[9] == 6 else set()

    def close(self):
        self.open = False
        if hasattr(self, "thread"):
            self.thread.join()
        for end in self.ends:
            os.close(end)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)


class BadNetwork(harness.Case):
    def setUp(self):
        if os.getuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK) or not shutil.which("ip"):
            self.skipTest("network namespaces and tunnels need root, /dev/net/tun and the package iproute2")
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.network = Network(self.dice)
        self.addCleanup(self.network.close)

    def get(self, consumer, path):
        """From inside the namespace: its port is there."""
        command = ["ip", "netns", "exec", self.network.name, "curl", "-sS", "--max-time", "5", consumer.url + path]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def test_delayed_lost_and_no_packets_at_all_lose_and_double_nothing(self):
        servers = harness.Servers(own=True, address=HERE)
        self.addCleanup(servers.close)
        world = self.world(servers=servers)
        feeder = threading.Thread(target=ingest.generate, args=(world, RECORDS),
                                  kwargs=dict(sources=40, rate=RECORDS // (4 * SILENCE)))
        feeder.start()
        world.host = "%s:%d" % (HERE, servers.postgres_port)
        # A connection that is simply silent is found out by its time-outs: the shorter, the sooner.
        url = world.url("logmill_writer") + "?tcp_user_timeout=3000&connect_timeout=3"
        consumer = world.start("logmill-consumer", "--brokers=%s:%d" % (HERE, servers.near_port), "--postgres-url=" + url,
                               "--kafka=session.timeout.ms=6000", inside=self.network.name, ready=False)
        harness.wait_until(lambda: ingest.stored(world) > 0, 20)
        postgres, kafka = servers.postgres_port, servers.near_port
        for silent in ((), (postgres,), (kafka,), (postgres, kafka)) if harness.LONG else ((), (kafka,), (postgres,)):
            self.network.delay, self.network.loss, self.network.silent = 0.1, 0.05, silent
            time.sleep(SILENCE)
            if postgres in silent:
                harness.wait_until(lambda: "not_ready" in self.get(consumer, "/readyz"), 20)
        self.assertGreater(self.network.lost, 0)
        self.network.delay, self.network.loss, self.network.silent = 0.02, 0.01, ()
        feeder.join()
        harness.wait_until(lambda: ingest.stored(world) == RECORDS, 90, "all records committed")
        print("%d packets, %d lost" % (self.network.passed, self.network.lost), flush=True)
        self.network.delay = self.network.loss = 0
        self.assertEqual(consumer.terminate(), 0)
        ingest.check_exactly_once(self, world, RECORDS)
        self.assertEqual(ingest.dead_letters(world), 0)


if __name__ == "__main__":
    unittest.main()
