"""Answers shared through Redis: two agents, a real redis-server, and whatever can go wrong with it. Never a stale answer, and a Redis
that fails costs nothing but the hit."""
import contextlib
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import harness
import stored

# Debian's redis-tools holds the server's binary under another name and, unlike redis-server, starts no service.
SERVER = "/usr/bin/redis-check-rdb"
DAY = "how many errors in the last 24 hours?"


class Redis:
    """A redis-server of one's own on a free port; keeps nothing on disk."""

    def __init__(self, case, *options):
        self.directory = tempfile.mkdtemp(prefix="logmill-redis-")
        case.addCleanup(shutil.rmtree, self.directory, True)
        self.port, self.options, self.process = harness.free_port(), options, None
        case.addCleanup(self.kill)
        self.start()

    def start(self):
        arguments = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.directory]
        if "--tls-port" in self.options:
            arguments[1:3] = ["--port", "0", "--tls-port", str(self.port)]
        self.process = subprocess.Popen(arguments + [o for o in self.options if o != "--tls-port"], executable=SERVER,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_until(self.listens, 20, "redis-server")

    def listens(self):
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def say(self, *words):
        """One command; what came back is one line and, for a text, its bytes."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as s, s.makefile("rb") as f:
            words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            return self.read(f)

    def read(self, f):
        line = f.readline().rstrip(b"\r\n")
        if line[:1] == b"*":
            return [self.read(f) for _ in range(int(line[1:]))]
        if line[:1] == b"$":
            text = f.read(int(line[1:]) + 2)[:-2] if line != b"$-1" else None
            return text
        return line

    def keys(self):
        return self.say("KEYS", "logmill:*")


class Fake(socketserver.ThreadingTCPServer):
    """Greets as Redis does, and then answers what `answer` gives for each look-up; None: nothing, ever."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, case, answer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    while line := self.rfile.readline():
                        words = []
                        for _ in range(int(line[1:])):
                            words.append(self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2])
                        self.server.asked += words[0] == b"GET"
                        said = answer if words[0] == b"GET" else b"+PONG\r\n" if words[0] == b"PING" else b"+OK\r\n"
                        if said is not None:
                            self.wfile.write(said)
        self.asked = 0
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        case.addCleanup(self.server_close)
        case.addCleanup(self.shutdown)
        self.url = "redis://127.0.0.1:%d" % self.server_address[1]


class Shared(stored.Agents):
    agent_options = ("--cache-size", "0")                     # so that whatever is cached comes from Redis

    def with_redis(self, url, *options, up=True, world=None):
        options = ("--redis-url", url, "--redis-timeout", "1s") + options     # that one is missed is of no chance
        agent = self.start(*options) if world is None else world.start("logmill-agent", *self.agent_options, *options)
        if up:
            self.wait_until(lambda: agent.metric("logmill_agent_redis_up") == 1, 20, "Redis")
        return agent

    def ask(self, agent, question, **keys):
        status, body, _ = agent.post("/query", dict({"question": question}, **keys), {"X-API-Key": self.key} if self.key else None)
        self.assertEqual(200, status, body)
        return body

    def count(self, agent, question, **keys):
        return list(self.ask(agent, question, **keys)["results"][0].values())[0]

    def setUp(self):
        self.key = None
        self.redis = Redis(self)
        self.url = "redis://127.0.0.1:%d" % self.redis.port

    def window(self):
        at = "select to_char(date_trunc('hour', now(), 'UTC') - interval '%d hours', 'YYYY-MM-DD HH24:MI')"
        start = self.shared.value(at % 6)
        return start, "how many logs between %s and %s?" % (start, self.shared.value(at % 4))

    def hit(self, agent, question, **keys):
        return self.wait_until(lambda: (lambda a: a if a["cached"] == "redis" else None)(self.ask(agent, question, **keys)), 70,
                               "an answer from Redis")


class Answers(Shared):
    def test_two_agents_share_an_answer_and_it_is_the_same(self):
        a, b, elsewhere = self.with_redis(self.url), self.with_redis(self.url), self.with_redis(self.url + "/3")
        _, closed = self.window()
        for question in (closed, DAY, "show errors of the day before yesterday", "최근 24시간 레벨별 로그 수"):
            with self.subTest(question=question):
                self.ask(a, question)
                self.wait_until(lambda: self.same(self.hit(a, question), self.hit(b, question)), 70, "one answer, within one bucket")
        self.assertEqual(len(self.redis.keys()), len(self.redis.say("KEYS", "*")))
        self.assertGreater(min(int(self.redis.say("PTTL", k)[1:]) for k in self.redis.keys()), 0)  # all of it ends
        self.assertEqual(False, self.ask(elsewhere, closed)["cached"])

        def first_redis_then_process():
            agent = self.with_redis(self.url, "--cache-size", "1MiB")
            self.ask(a, DAY)
            said = [self.ask(agent, DAY)["cached"] for _ in range(2)]
            agent.terminate()
            return said == ["redis", "process"]
        self.wait_until(first_redis_then_process, 70, "an answer kept in the process as well")

    def same(self, one, other):
        return all(one[name] == other[name] for name in ("sql", "results", "insight", "interpretation", "columns", "as_of", "from", "to",
                                                         "chart", "warnings", "count", "truncated"))

    def test_late_data_and_soft_deletion_reach_every_agent(self):
        agents = [self.with_redis(self.url) for _ in range(2)]
        start, question = self.window()
        n = self.count(agents[0], question)
        for agent in agents:
            self.hit(agent, question)
        stored.late(self.shared, start + ":30+00", 910001)
        for agent in agents:
            self.wait_until(lambda: self.count(agent, question) == n + 1, 10, "the late record")
        for agent in agents * 3:                              # and it never comes back
            self.assertEqual(n + 1, self.count(agent, question))
        for agent in agents:
            self.assertEqual(n + 1, list(self.hit(agent, question)["results"][0].values())[0])
        self.shared.rows("update logmill.logs set deleted_at = now() where kafka_offset = 910001")
        for agent in agents:
            self.wait_until(lambda: self.count(agent, question) == n, 10, "the soft deletion")
        for agent in agents * 3:
            self.assertEqual(n, self.count(agent, question))

    def test_an_agent_whose_names_are_older_answers_with_the_new_ones(self):
        new, old = self.with_redis(self.url), self.with_redis(self.url, "--names-refresh", "1h")
        start, _ = self.window()
        stored.late(self.shared, start + ":40+00", 910002, service="brand-new-service")
        self.shared.rows("insert into logmill.log_name values ('service', 'brand-new-service', 'raw', 'brand-new-service', 'production', "
                         "0, now(), now(), 1)")
        question = "how many logs of brand-new-service in the last 24 hours?"
        for agent in (new, old):                              # a name is looked up anew when the names are a second old
            self.wait_until(lambda: agent.post("/query", {"question": question})[0] == 200, 10, "the new name")
        self.assertEqual((1, 1), (self.count(new, question), self.count(old, question)))

    def test_another_database_is_another_answer(self):
        other = harness.World(self.shared.servers, topics=False)
        self.addCleanup(other.close)
        here, there = self.with_redis(self.url), self.with_redis(self.url, world=other)
        _, closed = self.window()
        for question in (DAY, closed):
            self.assertGreater(list(self.hit(here, question)["results"][0].values())[0], 0)
            for _ in range(3):
                self.assertEqual(0, self.count(there, question))

    def test_a_question_that_by_passes_the_cache_renews_it(self):
        a = self.with_redis(self.url)
        _, question = self.window()
        self.hit(a, question)
        self.assertEqual(False, self.ask(a, question, refresh=True)["cached"])


class Scopes(Shared):
    def test_scopes_and_masks_are_never_shared(self):
        keys = {}
        for name, options in (("all", ()), ("one", ("--service", "payment-service")), ("two", ("--service", "order-service"))):
            said = self.shared.ctl("keys", "create", "--postgres-url", self.shared.admin_url, "--role", "viewer", "--name", "cache " + name, *options)
            keys[name] = next(word for word in said.stdout.split() if word.startswith("lm_"))
        a, b = self.with_redis(self.url), self.with_redis(self.url, "--mask", "host")
        question = "how many logs by service in the last 24 hours?"
        for name, services in (("all", 4), ("one", 1), ("two", 1), ("all", 4)):
            self.key = keys[name]
            for agent in (a, b, a):
                rows = self.ask(agent, question)["results"]
                self.assertGreaterEqual(len(rows), services)
                self.assertEqual(services == 1, len(rows) == 1, rows)
        self.key = keys["all"]
        c = self.with_redis(self.url, "--mask", "user_id")
        for agent, hidden in ((a, set()), (b, {"host"}), (c, {"user_id"})) * 3:
            shown = {column["name"] for column in self.ask(agent, "show errors of the last 24 hours")["columns"]}
            self.assertEqual(hidden, {"host", "user_id"} - shown)


class Rates(Shared):
    agent_options = ("--rate-limit", "1", "--rate-burst", "6")            # a token a minute

    def setUp(self):
        super().setUp()
        self.key, self.other, self.began = self.new_key(), self.new_key(), {}

    def new_key(self):
        said = self.shared.ctl("keys", "create", "--postgres-url", self.shared.admin_url).stdout
        return next(word for word in said.split() if word.startswith("lm_"))

    def let_in(self, expected, agents, times, key=None):
        """So many of as many questions, asked of the agents by turns, are let in, and one more for each minute that the key is asked with."""
        count, key = 0, key or self.key
        began = self.began.setdefault(key, time.monotonic())
        for i in range(times):
            status, body, headers = agents[i % len(agents)].post("/explain", {"question": DAY}, {"X-API-Key": key})
            self.assertIn(status, (200, 429), body)
            if status == 429:
                self.assertGreater(int(headers["Retry-After"]), 0)
            count += status == 200
        minutes = int((time.monotonic() - began) / 60)
        self.assertIn(count, range(expected, expected + minutes * len(agents) + 1))

    def by(self, agent, who):
        found = [line for line in agent.get("/metrics")[1].splitlines() if line.startswith('logmill_agent_rate_decisions_total{by="%s"}' % who)]
        return float(found[0].split()[-1])

    def test_two_agents_have_one_bucket_for_a_key_and_another_for_another(self):
        agents = [self.with_redis(self.url) for _ in range(2)]
        self.let_in(6, agents, 10)
        self.let_in(6, agents[1:], 8, self.other)
        self.let_in(0, agents, 4, self.other)
        self.assertEqual({b"logmill:rate:" + key[3:11].encode() for key in (self.key, self.other)}, set(self.redis.say("KEYS", "logmill:rate:*")))
        for name in self.redis.say("KEYS", "logmill:rate:*"):
            self.assertTrue(0 < int(self.redis.say("PTTL", name)[1:]) <= 361000)              # a full bucket is no bucket
        self.assertTrue(all(self.by(a, "redis") > 0 and self.by(a, "agent") == 0 for a in agents))

    def test_without_redis_each_agent_has_its_own_less_what_it_let_pass(self):
        agents = [self.with_redis(self.url) for _ in range(2)]
        self.let_in(4, agents, 4)
        self.redis.kill()
        self.let_in(4, agents[:1], 8)
        self.let_in(4, agents[1:], 8)
        self.redis.start()                                                                    # empty
        self.wait_until(lambda: all(a.metric("logmill_agent_redis_up") == 1 for a in agents), 30)
        self.let_in(6, agents, 10, self.other)

    def test_absent_hung_or_unwilling_redis_costs_no_question(self):
        self.let_in(6, [self.with_redis(Fake(self, None).url)], 9, self.new_key())                       # it says OK to scripts
        unwilling = Redis(self, "--rename-command", "EVAL", "")
        agent = self.with_redis("redis://127.0.0.1:%d" % unwilling.port)
        self.let_in(6, [agent], 9)
        self.assertEqual((1, 0), (agent.metric("logmill_agent_redis_up"), self.by(agent, "redis")))   # answers are shared all the same
        self.assertIn("each agent has its own meanwhile", agent.log())
        self.redis.kill()
        self.let_in(6, [self.with_redis(self.url, up=False)], 9, self.other)

    def test_what_is_no_bucket_in_redis_is_a_full_one(self):
        agent = self.with_redis(self.url)
        name = "logmill:rate:" + self.key[3:11]
        for odd in ("", "x", "-5", "nan", "1e300"):
            self.redis.say("SET", name, odd)
            self.began.clear()
            self.let_in(odd != "1e300", [agent], 1)


class Trouble(Shared):
    def unhurt(self, agent, times=8):
        for _ in range(times):
            self.assertIn(self.ask(agent, DAY)["cached"], (False, "redis"))

    def down(self, agent):
        self.wait_until(lambda: self.ask(agent, DAY) and agent.metric("logmill_agent_redis_up") == 0, 30, "the breaker open")

    def test_killed_and_started_again(self):
        agent = self.with_redis(self.url)
        self.hit(agent, DAY)
        self.redis.kill()
        self.down(agent)
        self.unhurt(agent)
        self.redis.start()
        self.hit(agent, DAY)

    def test_hung_and_awake_again(self):
        agent = self.with_redis(self.url)
        self.hit(agent, DAY)
        misses = agent.metric('logmill_agent_redis_lookups_total{outcome="miss"}')
        self.redis.process.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: harness.stat_state(self.redis.process.pid) == "T", 10)
        self.down(agent)
        self.assertLessEqual(agent.metric('logmill_agent_redis_lookups_total{outcome="miss"}') - misses, 3)
        asked = agent.metric("logmill_agent_redis_lookups_total")
        self.unhurt(agent)
        self.assertEqual(asked + 8, agent.metric("logmill_agent_redis_lookups_total"))
        self.assertIn('logmill_agent_redis_lookups_total{outcome="unavailable"}', agent.get("/metrics")[1])
        self.redis.process.send_signal(signal.SIGCONT)
        self.hit(agent, DAY)

    def test_absent_from_the_start(self):
        self.redis.kill()
        agent = self.with_redis(self.url, up=False)
        self.unhurt(agent)
        self.redis.start()
        self.hit(agent, DAY)

    def test_a_wrong_password_is_said_and_not_shown(self):
        self.redis.say("CONFIG", "SET", "requirepass", "good-password")
        agent = self.with_redis("redis://:wrong-password@127.0.0.1:%d" % self.redis.port, up=False)
        self.wait_until(lambda: "WRONGPASS" in agent.log(), 20, "what Redis said")
        self.unhurt(agent)
        self.assertNotIn("wrong-password", agent.log())
        self.assertNotIn("good-password", agent.log())
        self.hit(self.with_redis("redis://:good-password@127.0.0.1:%d" % self.redis.port), DAY)

    def test_what_is_odd_in_redis_is_no_answer(self):
        agent = self.with_redis(self.url)
        _, question = self.window()
        n = list(self.hit(agent, question)["results"][0].values())[0]
        key, = self.redis.keys()
        good = self.redis.say("GET", key)
        for odd in (b"", b"x", good[:-1], good + b"x", bytes([good[0] + 1]) + good[1:], good[:20] + bytes([good[20] ^ 1]) + good[21:],
                    good[:2] + b"\xff\xff\xff\x7f" + good[6:], b"\0" * 4096, good[:14]):
            before = agent.metric("logmill_agent_redis_lookups_total")
            self.redis.say("SET", key, odd)
            answer = self.ask(agent, question)
            self.assertEqual((False, n), (answer["cached"], list(answer["results"][0].values())[0]))
            self.assertEqual(before + 1, agent.metric("logmill_agent_redis_lookups_total"))
            self.wait_until(lambda: self.redis.say("GET", key) != odd, 10, "the answer in place of what was odd")
        self.assertEqual(good[0], self.redis.say("GET", key)[0])
        self.hit(agent, question)
        # An answer under the key of another question: the checksum holds the key.
        other = self.hit(agent, question.replace("logs", "errors"))
        for name in self.redis.keys():
            self.redis.say("SET", name, good)
        self.assertEqual(other["results"], self.ask(agent, question.replace("logs", "errors"))["results"])

    def test_servers_that_are_slow_or_talk_nonsense(self):
        for answer in (None, b"$-1\r\n$-1\r\n", b"!nonsense\r\n", b"*2147483647\r\n", b"$99999999999\r\nx", b"-LOADING not yet\r\n",
                       b"+" + b"x" * 3000000):
            with self.subTest(answer=str(answer)[:40]):
                fake = Fake(self, answer)
                agent = self.with_redis(fake.url)
                self.wait_until(lambda: self.ask(agent, DAY) and fake.asked >= 1, 20, "a look-up")
                self.unhurt(agent, 4)
                self.assertTrue(agent.ready())
                self.assertEqual(0, agent.terminate())

    def test_tls_needs_a_certificate_that_is_vouched_for(self):
        d = Path(self.redis.directory)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", d / "key.pem",
                        "-out", d / "cert.pem", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        secure = Redis(self, "--tls-port", "--tls-cert-file", str(d / "cert.pem"), "--tls-key-file", str(d / "key.pem"), "--tls-auth-clients",
                       "no", "--requirepass", "secret:/@")
        url = "rediss://:secret%3A%2F%40@{}:" + "%d/1" % secure.port
        agent = self.with_redis(url.format("127.0.0.1"), "--redis-ca-file", d / "cert.pem")
        self.hit(agent, DAY)
        big = "show all logs of the last 24 hours"
        self.ask(agent, big, max_results=5000)
        for host, options, said in (("127.0.0.1", (), "certificate"), ("localhost", ("--redis-ca-file", d / "cert.pem"), "certificate")):
            other = self.with_redis(url.format(host), *options, up=False)
            self.wait_until(lambda: said in other.log(), 20, "what is wrong")
            self.unhurt(other, 2)
            self.assertEqual(0, other.metric("logmill_agent_redis_up"))

    def test_an_address_that_makes_no_sense_is_a_mistake_at_the_start(self):
        for url in ("http://localhost", "redis://", "redis://host:99999", "redis://host/x", "redis://u%zz:p@h", "redis://[::1"):
            p = subprocess.run([str(harness.BIN / "logmill-agent"), "--listen", "127.0.0.1:0", "--postgres-url", self.shared.url("logmill_reader"),
                                "--redis-url", url], capture_output=True, text=True, timeout=60)
            self.assertEqual(1, p.returncode, p.stderr)
            self.assertIn("redis_url", p.stderr)


if __name__ == "__main__":
    unittest.main()
