"""Three Kafka nodes under load, each of them broker and controller: killed one by one, two at once, all of them, hung and woken.
What a producer was told is safe is stored once; what is not safe is waited for.

LOGMILL_CHAOS_SEED repeats a run.
"""
import signal
import subprocess
import threading
import time
import unittest

import cluster
import harness
import ingest

ROUNDS = ("controller", 1, 2, 3, "two", "hang", "two", 1, 2, 3, "controller", "hang") * 3 if harness.LONG else ("controller", "two", "hang")
SECONDS = 6 * len(ROUNDS)
RECORDS = 4000 * SECONDS


class Repeated:
    """Calls action(i) for i = 0, 1, … with a short pause between, until told to stop."""

    def __init__(self, action):
        self.action, self.count, self.stopped = action, 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped:
            self.action(self.count)
            self.count += 1
            time.sleep(0.05)

    def stop(self):
        self.stopped = True
        self.thread.join()


class Brokers(cluster.Case):
    def start(self, world, *arguments, **options):
        return world.start("logmill-consumer", "--kafka=session.timeout.ms=6000", *arguments, **options)

    def strike(self, kind):
        """One round: nodes go, and come back."""
        if kind == "hang":
            node = self.dice.randint(1, 3)
            self.servers.signal_kafka(node, signal.SIGSTOP)
            try:
                ingest.pause(self.dice, 3.5, 5)             # longer than the others believe in it
            finally:
                self.servers.signal_kafka(node, signal.SIGCONT)
            return
        nodes = {"controller": [self.servers.controller()], "any": [self.dice.randint(1, 3)], "two": self.dice.sample([1, 2, 3], 2)}.get(kind, [kind])
        print("kill", kind, nodes, flush=True)
        self.servers.kill_kafka(*nodes)
        ingest.pause(self.dice, 0, 2)
        self.servers.start_kafka(*nodes)

    def test_killed_and_hung_brokers_lose_and_double_nothing(self):
        world, other = self.world(servers=self.servers), self.world(servers=self.servers)
        feeder = threading.Thread(target=ingest.generate, args=(world, RECORDS), kwargs=dict(sources=40, rate=RECORDS // SECONDS))
        feeder.start()
        consumers = [self.start(world, ready=False), self.start(world, ready=False), self.start(other)]
        # Next to the load: a shipper whose lines are read once, and poison that must reach the dead letters.
        ship = other.start("logmill-ship", "--service", "lines", "--format", "plain", ready=False, stdin=subprocess.PIPE)
        acknowledged, attempted = set(), set()

        def line(i):
            ship.process.stdin.write(b"line %d\n" % i)
            ship.process.stdin.flush()

        def poison(i):
            value = b"poison %d" % i
            attempted.add(value)
            p = subprocess.run(["kcat", "-b", self.servers.brokers, "-P", "-t", other.topic("summary"), "-X", "acks=all", "-X",
                                "message.timeout.ms=10000"], input=value, stderr=subprocess.DEVNULL)
            if p.returncode == 0:
                acknowledged.add(value)
        lines, poisoner = Repeated(line), Repeated(poison)
        try:
            for kind in ROUNDS:
                ingest.pause(self.dice, 0.5, 2)
                self.strike(kind)
            harness.wait_until(lambda: len(acknowledged) > 5, 30, "poison acknowledged")
        finally:
            lines.stop()
            ship.process.stdin.close()
            poisoner.stop()
        self.assertEqual(ship.wait(60), 0, ship.log()[-2000:])
        feeder.join()
        harness.wait_until(lambda: ingest.stored(world) == RECORDS, 90, "all records committed")
        harness.wait_until(lambda: int(other.value("select count(*) from logmill.logs")) >= lines.count, 60, "all lines stored")
        values = lambda: {letter["value"] for letter in ingest.letters(other, other.topic("summary"))}
        harness.wait_until(lambda: values() >= acknowledged, 60, "all poison in the dead letters")
        for consumer in consumers:
            self.assertEqual(consumer.terminate(), 0, consumer.log()[-2000:])
        ingest.check_exactly_once(self, world, RECORDS)
        self.assertEqual(ingest.dead_letters(world), 0)
        stored = other.rows("select message from logmill.logs")
        self.assertEqual(sorted(int(r[0].split()[1]) for r in stored), list(range(lines.count)))
        ingest.check_rollups(self, other)
        self.assertGreater(len(acknowledged), 5)
        self.assertLessEqual(values(), attempted)

    def test_without_any_broker_a_consumer_says_so_stops_in_time_and_goes_on_when_they_are_back(self):
        world = self.world(servers=self.servers)
        ingest.generate(world, 1000)
        first = self.start(world, "--grace=3s")
        harness.wait_until(lambda: ingest.stored(world) == 1000, 30)
        self.servers.kill_kafka(1, 2, 3)
        try:
            second = self.start(world, ready=False)
            for consumer in (first, second):
                harness.wait_until(lambda: "answers; librdkafka goes on trying" in consumer.get("/readyz")[1], 20)
            self.assertEqual(first.terminate(15), 0)
        finally:
            self.servers.start_kafka(1, 2, 3)
        ingest.generate(world, 3000, first=1000)
        harness.wait_until(lambda: ingest.stored(world) == 3000, 60)
        harness.wait_until(second.ready, 20)
        self.assertEqual(second.terminate(), 0)
        ingest.check_exactly_once(self, world, 3000)

    def test_nothing_moves_on_while_the_dead_letters_broker_is_down(self):
        world = self.world(servers=self.servers, topics=False)
        topic = world.topic("raw")
        ingest.kafka_admin(world, "create-topic", topic + ".dlq", 1, 3)
        ingest.kafka_admin(world, "create-topic", topic, 1, 1, 2)
        world.ctl("topics", "create", "--brokers", self.servers.brokers, "--topic-prefix", world.prefix, "--partitions", 1)
        consumer = self.start(world, "--grace=2s")
        ingest.generate(world, 500, partitions=1)
        harness.wait_until(lambda: ingest.stored(world) == 500, 30)
        self.servers.kill_kafka(3)
        try:
            ingest.produce(world, topic, b"poison")
            ingest.generate(world, 1000, first=500, partitions=1)
            harness.wait_until(lambda: "dead_letters" in consumer.get("/readyz")[1], 20)
            self.assertEqual(ingest.stored(world), 500)
            self.assertEqual(consumer.terminate(10), 0)     # it does not wait for what may take for ever
            self.assertEqual(ingest.stored(world), 500)
            consumer = self.start(world, ready=False)
            harness.wait_until(lambda: "dead_letters" in consumer.get("/readyz")[1], 30)
            self.assertEqual(ingest.stored(world), 500)
        finally:
            self.servers.start_kafka(3)
        harness.wait_until(lambda: ingest.stored(world) == 1001, 30)
        harness.wait_until(consumer.ready, 20)
        self.assertEqual(world.value("select count(*) from logmill.logs"), "1000")
        letters = ingest.letters(world)
        self.assertEqual({(letter["value"], letter["headers"]["dlq.offset"]) for letter in letters}, {(b"poison", "500")})
        self.assertEqual(consumer.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
