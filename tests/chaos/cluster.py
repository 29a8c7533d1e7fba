"""Three Kafka nodes and a PostgreSQL for the scenarios of a file, started once, and dice of a printed seed (LOGMILL_CHAOS_SEED)."""
import os
import random

import harness


class Case(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.servers = harness.Servers(own=True, kafka_nodes=3)
        cls.addClassCleanup(cls.servers.close)

    def setUp(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d" % seed, flush=True)
        self.dice = random.Random(seed)
