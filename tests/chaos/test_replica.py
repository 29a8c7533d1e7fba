"""The agent with a streaming replica: read while it is near, left when it falls behind or goes, and never a mixture."""
import subprocess
import unittest
from datetime import datetime, timezone

import harness
import postgres_servers
import stored

COUNT = "how many errors in the last 48 hours?"                # all there are: no row leaves the window while a test runs


class Replica(harness.Case):
    @classmethod
    def setUpClass(cls):
        class Owner:
            addCleanup = cls.addClassCleanup
        # The replica cancels at once what stands in the way of replay.
        cls.servers = postgres_servers.Own(Owner, "max_standby_streaming_delay = 0\nhot_standby_feedback = off")
        cls.world_ = harness.World(cls.servers, topics=False)
        cls.addClassCleanup(cls.world_.close)
        stored.fill(cls.world_)
        cls.standby = postgres_servers.Standby(cls.servers)
        cls.addClassCleanup(cls.standby.stop)

    def replica_url(self, user="logmill_reader"):
        return "postgresql://%s@127.0.0.1:%d/%s" % (user, self.standby.port, self.world_.name)

    def on_replica(self, sql):
        return harness.psql(self.replica_url("postgres"), sql)

    def start(self, max_lag="2s", replica=None):
        agent = self.world_.start("logmill-agent", "--replica-url", replica or self.replica_url(), "--replica-max-lag", max_lag)
        self.addCleanup(lambda: self.assertEqual(0, agent.terminate(), agent.log()[-2000:]))
        return agent

    def reads_replica(self, agent, yes=True):
        self.wait_until(lambda: agent.metric("logmill_agent_replica_read") == yes, 30, "the %s is read" % ("replica" if yes else "primary"))

    def ask(self, agent, question=COUNT, **keys):
        status, body, _ = agent.post("/query", dict({"question": question, "refresh": True}, **keys))
        self.assertEqual(200, status, body)
        return body

    def count(self, agent):
        return self.ask(agent)["results"][0]["count"]

    def now(self):
        return datetime.now(timezone.utc)

    def test_a_replica_is_read_while_it_is_near_and_the_answer_says_how_fresh_it_is(self):
        agent = self.start()
        self.reads_replica(agent)
        n = self.count(agent)
        replayed = self.now()
        self.on_replica("select pg_wal_replay_pause()")
        self.wait_until(lambda: self.on_replica("select pg_get_wal_replay_pause_state()") == [["paused"]], 10, "the replay paused")
        try:
            self.wait_until(lambda: agent.metric("logmill_agent_replica_lag_seconds") < 2 and
                            agent.metric("logmill_agent_replica_read") == 1, 10, "the replica still near")
            stored.late(self.world_, self.world_.value("select now() - interval '1 hour'"), 920001)
            self.reads_replica(agent, False)                  # too far behind: the primary
            self.assertEqual(n + 1, self.count(agent))
            self.assertEqual([["0"]], self.on_replica("select count(*) from logmill.logs where kafka_offset = 920001"))
        finally:
            self.on_replica("select pg_wal_replay_resume()")
        self.reads_replica(agent)
        a = self.ask(agent)
        self.assertEqual(n + 1, a["results"][0]["count"])
        as_of = datetime.fromisoformat(a["as_of"])
        self.assertLessEqual(as_of, self.now())
        self.assertGreater(as_of, replayed)

    def test_what_comes_from_the_replica_is_no_newer_than_it_says(self):
        agent = self.start("60s")
        self.reads_replica(agent)
        n = self.count(agent)
        self.on_replica("select pg_wal_replay_pause()")
        self.wait_until(lambda: self.on_replica("select pg_get_wal_replay_pause_state()") == [["paused"]], 10, "the replay paused")
        try:
            stored.late(self.world_, self.world_.value("select now() - interval '1 hour'"), 920002)
            committed = self.now()
            self.wait_until(lambda: agent.metric("logmill_agent_replica_lag_seconds") > 2, 20, "a replica that is behind")
            a = self.ask(agent)
            self.assertEqual(n, a["results"][0]["count"])
            self.assertLess(datetime.fromisoformat(a["as_of"]), committed)
        finally:
            self.on_replica("select pg_wal_replay_resume()")

    def test_a_replica_that_goes_is_left_at_once_and_found_again(self):
        agent = self.start()
        self.reads_replica(agent)
        n = self.count(agent)
        self.standby.stop()
        for _ in range(5):
            self.assertEqual(n, self.count(agent))
        self.reads_replica(agent, False)
        self.standby.start()
        self.reads_replica(agent)
        self.assertEqual(n, self.count(agent))

    def test_a_recovery_conflict_is_tried_again_on_the_primary(self):
        agent = self.start("60s")
        self.reads_replica(agent)
        n = self.count(agent)
        conflicts = "select confl_lock from pg_stat_database_conflicts where datname = current_database()"
        before = self.on_replica(conflicts)
        # The statement waits for the first lock and holds what the second one wants.
        first = postgres_servers.Session(self, self.world_.admin_url, "begin; lock table logmill.total_minute in access exclusive mode")
        self.world_.rows("select pg_switch_wal()")            # a lock alone is not written out
        self.wait_until(lambda: self.on_replica("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and "
                                                        "relation = 'logmill.total_minute'::regclass") == [["1"]], 10, "replayed")
        question = subprocess.Popen(["curl", "-s", "-H", "Content-Type: application/json", "-d", '{"question": "%s", "refresh": true}' % COUNT,
                                     agent.url + "/query"], stdout=subprocess.PIPE, text=True)
        self.wait_until(lambda: self.on_replica("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                                                "application_name = 'logmill-agent'") != [["0"]], 20, "the statement waits")
        second = postgres_servers.Session(self, self.world_.admin_url, "begin; lock table logmill.ingest_offset in access exclusive mode")
        self.world_.rows("select pg_switch_wal()")
        self.wait_until(lambda: self.on_replica(conflicts) != before, 20, "the conflict")
        first.end()
        second.end()
        said = question.communicate(timeout=60)[0]
        self.assertEqual(n, harness.json.loads(said)["results"][0]["count"], said)
        self.assertEqual(2, harness.json.loads(said)["attempts"], said)

    def test_what_is_no_replica_of_this_primary_is_not_read(self):
        agent = self.start(replica=self.world_.url("logmill_reader"))
        self.wait_until(lambda: "not one of this primary" in agent.log() or agent.metric("logmill_agent_replica_lag_seconds") == 0, 20)
        self.count(agent)
        self.assertEqual(0, agent.metric("logmill_agent_replica_read"))


if __name__ == "__main__":
    unittest.main()
