"""Consumers come, go, and are stopped and woken again while records flow: each record is there exactly once.

LOGMILL_CHAOS_SEED repeats a run.
"""
import os
import random
import signal
import threading
import unittest

import harness
import ingest

RECORDS = int(os.environ.get("LOGMILL_CHAOS_RECORDS", 1000000 if harness.LONG else 150000))


class Rebalance(harness.Case):
    def test_consumers_that_come_go_sleep_and_wake_lose_and_double_nothing(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d, %d records" % (seed, RECORDS), flush=True)
        dice = random.Random(seed)
        world = self.world()
        settings = ["--kafka=session.timeout.ms=6000", "--kafka=heartbeat.interval.ms=500", "--batch-rows=2000", "--lock-timeout=2s"]
        feeder = threading.Thread(target=ingest.generate, args=(world, RECORDS),
                                  kwargs=dict(seed=seed % 1000, sources=50, rate=RECORDS // 30))
        feeder.start()
        stays = world.start("logmill-consumer", *settings, ready=False)
        for turn in range(4):
            other = world.start("logmill-consumer", *settings, ready=False)
            ingest.pause(dice, 2, 4)
            # Longer than its session: what it holds goes to another, and it wakes in the belief that all is its own.
            sleeper = dice.choice([stays, other])
            sleeper.process.send_signal(signal.SIGSTOP)
            try:
                ingest.pause(dice, 0.5, 9)
            finally:
                sleeper.process.send_signal(signal.SIGCONT)
            ingest.pause(dice, 0, 2)
            world.rows("""select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'logmill-consumer%'
                and datname = current_database() and random() < 0.5""")
            if turn % 2:
                other.kill()
            else:
                self.assertEqual(other.terminate(60), 0)
        feeder.join()
        ingest.generate(world, RECORDS // 10, seed=seed % 1000, sources=50) # a producer that had not heard sends again
        harness.wait_until(lambda: ingest.stored(world) == RECORDS + RECORDS // 10, 120, "all records committed")
        self.assertEqual(stays.terminate(60), 0)
        ingest.check_exactly_once(self, world, RECORDS)
        self.assertEqual(ingest.dead_letters(world), 0)


if __name__ == "__main__":
    unittest.main()
