"""Records go through three Kafka nodes into PostgreSQL while the consumer is killed and PostgreSQL falls: each is there exactly
once.

LOGMILL_CHAOS_SEED repeats a run, LOGMILL_CHAOS_RECORDS sets its size (150,000; 4,000,000 and a hundred
kills with LOGMILL_TEST_LONG=1).
"""
import os
import random
import threading
import unittest

import harness
import ingest

RECORDS = int(os.environ.get("LOGMILL_CHAOS_RECORDS", 4000000 if harness.LONG else 150000))
KILLS = 100 if harness.LONG else 4


class ExactlyOnce(harness.Case):
    def test_kills_of_the_consumer_and_a_fall_of_postgres_lose_and_double_nothing(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        dice = random.Random(seed)
        # Without waiting for the disk the fall takes the last commits along, their offsets too: they are read again.
        commits = dice.choice(("on", "off"))
        print("seed %d, %d records, synchronous_commit = %s" % (seed, RECORDS, commits), flush=True)
        servers = harness.Servers(own=True, kafka_nodes=3, postgres_conf="fsync = off\nsynchronous_commit = %s" % commits)
        self.addCleanup(servers.close)
        world = self.world(servers=servers)

        feeder = threading.Thread(target=ingest.generate, args=(world, RECORDS),
                                  kwargs=dict(seed=seed % 1000, sources=50, rate=RECORDS // (KILLS * 3)))
        feeder.start()
        fall = dice.randrange(KILLS)
        for kill in range(KILLS):
            # A static member is let in again at once; any other waits for the session of the one killed to run out.
            consumer = world.start("logmill-consumer", "--kafka=group.instance.id=one", ready=False)
            ingest.pause(dice, 0.5, 3)
            if kill == fall:
                print("%d records when PostgreSQL falls" % ingest.stored(world), flush=True)
                world.servers.stop_postgres("immediate")
                ingest.pause(dice, 0.2, 2)
                world.servers.up()
                print("%d records when it is back" % ingest.stored(world), flush=True)
                ingest.pause(dice, 0.2, 2)
            print("kill %d at %d records" % (kill + 1, ingest.stored(world)), flush=True)
            consumer.kill()
        feeder.join()
        self.send_part_again(world, seed)

        consumer = world.start("logmill-consumer", "--kafka=group.instance.id=one", ready=False)
        total = RECORDS + self.repeated
        harness.wait_until(lambda: ingest.stored(world) == total, 120, "all records committed")
        self.assertEqual(consumer.terminate(), 0)
        ingest.check_exactly_once(self, world, RECORDS)
        self.assertEqual(ingest.dead_letters(world), 0)

    def send_part_again(self, world, seed):
        """What a producer does that was killed before it had heard: the same records, sources and sequences once more."""
        self.repeated = RECORDS // 10
        ingest.generate(world, self.repeated, seed=seed % 1000, sources=50)


if __name__ == "__main__":
    unittest.main()
