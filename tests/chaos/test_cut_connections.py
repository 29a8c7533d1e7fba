"""Connections to PostgreSQL are cut at the worst moments: in the middle of COPY, before COMMIT arrives, and after it was done
but before its answer came. No batch is lost, none is stored twice."""
import os
import random
import socket
import threading
import unittest

import harness
import ingest

RECORDS = 400000 if harness.LONG else 60000
CUTS = {"copy": 0.02, "before": 0.15, "after": 0.15}


class Proxy:
    """Between consumer and PostgreSQL; tears both sides down when the dice say so."""

    def __init__(self, host, port, dice):
        self.target, self.dice = (host, port), dice
        self.cuts = dict.fromkeys(CUTS, 0)
        self.active = True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            threading.Thread(target=self.upstream, args=(client, server), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client), daemon=True).start()

    def strikes(self, moment):
        if self.active and self.dice.random() < CUTS[moment]:
            self.cuts[moment] += 1
            return True
        return False

    def upstream(self, client, server):
        try:
            while data := client.recv(65536):
                commits = data.rstrip(b"\0").endswith(b"COMMIT")
                if commits and self.strikes("before") or len(data) > 30000 and self.strikes("copy"):
                    break
                if commits and self.strikes("after"):
                    self.close(client)                      # the answer finds nobody
                server.sendall(data)
        except OSError:
            pass
        self.close(client, server)
        client.close()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        self.close(sink)
        source.close()

    def close(self, *sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class CutConnections(harness.Case):
    def test_cuts_during_copy_and_around_commit_lose_and_double_nothing(self):
        seed = int(os.environ.get("LOGMILL_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed %d" % seed, flush=True)
        world = self.world()
        host, port = world.host.rsplit(":", 1)
        proxy = Proxy(host, int(port), random.Random(seed))
        self.addCleanup(proxy.listener.close)
        ingest.generate(world, RECORDS, sources=40)
        consumer = world.start("logmill-consumer", "--batch-rows=500", "--retry-cap=200ms", "--postgres-url",
                               "postgresql://logmill_writer@127.0.0.1:%d/%s?sslmode=disable&gssencmode=disable" % (proxy.port, world.name), ready=False)
        harness.wait_until(lambda: ingest.stored(world) == RECORDS, 180, "all records committed")
        proxy.active = False
        self.assertEqual(consumer.terminate(), 0)
        print(proxy.cuts, flush=True)
        self.assertTrue(all(proxy.cuts.values()), proxy.cuts)
        ingest.check_exactly_once(self, world, RECORDS)
        self.assertIn("had gone through", consumer.log())
        self.assertEqual(ingest.dead_letters(world), 0)


if __name__ == "__main__":
    unittest.main()
