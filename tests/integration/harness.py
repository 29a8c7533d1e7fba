"""What the integration tests stand on: real Kafka and PostgreSQL, Logmill's programs as processes, and waiting for a condition.

    class Arrival(harness.Case):
        def test_a_line_arrives(self):
            world = self.world()                              # a database, topics and their prefix, cleaned up afterwards
            world.start("logmill-consumer", ready=True)
            world.ship("--service", "try", stdin=b"hello\n")
            self.wait_until(lambda: world.rows("select count(*) from logmill.logs")[0][0] == "1")

The shared servers are named by LOGMILL_TEST_BROKERS and LOGMILL_TEST_POSTGRES_URL (`./dev test` sets both); without them the
test is skipped with that sentence. A test that stops or kills a server takes servers of its own: `self.world(own=True)`.
Programs come from LOGMILL_BIN, else build/release. A case fails if a process that it started is still running at its end.
Standard library, psql and kcat; nothing else.
"""
import csv
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LOGMILL_BIN", ROOT / "build" / "release"))
DATA = Path(os.environ.get("LOGMILL_DATA_DIR", ROOT.parent / "shared" / "data"))
CASES = Path(os.environ.get("LOGMILL_CASES_DIR", ROOT.parent / "shared" / "cases"))
LONG = os.environ.get("LOGMILL_TEST_LONG") == "1"
CATEGORIES = ("raw", "summary", "training", "tagged")
NULL = "\x02null\x02"
PATIENCE = 4                                                # times as long as a quiet machine may need, before a test fails

# Agents of several tests share a server, and with it the connections that the roles may have: eight agents would be all. Roles belong
# to the server, so one world does this for the next.
ROOM = """
do $$
declare r record;
begin
    perform pg_advisory_xact_lock(7777);
    for r in select rolname from pg_roles where rolname in ('logmill_reader', 'logmill_agent') and rolconnlimit between 0 and 149 loop
        execute format('alter role %I connection limit 150', r.rolname);
    end loop;
end $$"""


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_port(count=1):
    """The first of `count` in a row, below the ports that outgoing connections take theirs from, so that they are still free
    when the server has started."""
    for port in random.SystemRandom().sample(range(10000, 32000 - count), 1000):
        if all(is_free(port + i) for i in range(count)):
            return port
    raise RuntimeError("no free port between 10000 and 32000")


def wait_until(condition, seconds=30, what=None, every=0.05):
    """Waits until `condition()` is true and returns what it returned; an exception counts as not yet. It fails after PATIENCE
    times so many seconds."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as e:                              # the condition may touch servers that are down just now
            last = e
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s (last: %r)" % (seconds, what or "the condition", last))
        time.sleep(every)


def psql(url, sql, check=True, settings="", timeout=120):
    """Rows as lists of str or None."""
    env = dict(os.environ, PGOPTIONS=settings, PGCONNECT_TIMEOUT="10", PGTZ="UTC")
    p = subprocess.run(["psql", url, "-X", "-q", "--csv", "-t", "-P", "null=" + NULL, "-v", "ON_ERROR_STOP=1", "-f", "-"],
                       input=sql, capture_output=True, text=True, env=env, timeout=timeout)
    if p.returncode and check:
        raise RuntimeError(p.stderr.strip())
    return [[None if c == NULL else c for c in r] for r in csv.reader(io.StringIO(p.stdout, newline=""))]


class Servers:
    """A Kafka and a PostgreSQL: the shared ones, or own ones in a directory and on ports of their own; three `kafka_nodes` make a
    cluster with replication 3 and min.insync.replicas 2, each of them broker and controller, numbered from 1. Own ones of one node
    can also listen on another `address` of this machine: Kafka at `near_port` there, PostgreSQL at its own."""

    def __init__(self, own=False, postgres_conf="fsync = off", kafka_nodes=1, address=None):
        self.own = own
        if not own:
            self.brokers = os.environ.get("LOGMILL_TEST_BROKERS")
            self.postgres = os.environ.get("LOGMILL_TEST_POSTGRES_URL")
            if not self.brokers or not self.postgres:
                raise unittest.SkipTest("LOGMILL_TEST_BROKERS and LOGMILL_TEST_POSTGRES_URL are not set: run ./dev test")
            return
        # Not under /tmp of a private mount: the user postgres must reach it.
        self.dir = Path(tempfile.mkdtemp(prefix="logmill-test-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.kafka_nodes = kafka_nodes
        self.kafka_port, self.postgres_port = free_port(2 * kafka_nodes), free_port()
        self.env = dict(os.environ, LOGMILL_RUN_DIR=str(self.dir), LOGMILL_RUN_KAFKA_PORT=str(self.kafka_port),
                        LOGMILL_RUN_POSTGRES_PORT=str(self.postgres_port), LOGMILL_RUN_POSTGRES_CONF=postgres_conf,
                        LOGMILL_RUN_KAFKA_NODES=str(kafka_nodes))
        if kafka_nodes > 1:                                 # quick to start, and quick to notice that one has gone
            self.env.update(LOGMILL_RUN_KAFKA_JAVA="-Xmx256m -XX:TieredStopAtLevel=1",
                            LOGMILL_RUN_KAFKA_CONF="broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n"
                            "group.min.session.timeout.ms=1000")
        if address:
            self.listen_too(address)
        self.brokers = ",".join("127.0.0.1:%d" % (self.kafka_port + 2 * i) for i in range(kafka_nodes))
        self.postgres = "postgresql://postgres@127.0.0.1:%d/postgres" % self.postgres_port
        try:
            self.up()
        except BaseException:
            self.close()
            raise

    def listen_too(self, address):
        self.near_port, access = free_port(), self.dir / "hba.conf"
        near = "PLAINTEXT://127.0.0.1:%d,NEAR://%s:%d" % (self.kafka_port, address, self.near_port)
        self.env["LOGMILL_RUN_KAFKA_CONF"] = ("listeners=%s,CONTROLLER://127.0.0.1:%d\nadvertised.listeners=%s\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,NEAR:PLAINTEXT" % (near, self.kafka_port + 1, near))
        access.write_text("host all all samehost trust\nhost all all %s/24 trust\n" % address)
        self.env["LOGMILL_RUN_POSTGRES_CONF"] += "\nlisten_addresses = '127.0.0.1,%s'\nhba_file = '%s'" % (address, access)

    def up(self, *names):
        """Starts what does not run: all of it, or what is named (kafka, kafka-2, …, postgres)."""
        p = subprocess.run([str(ROOT / "dev"), "services", "up", *names], env=self.env, capture_output=True, text=True, timeout=180)
        if p.returncode:
            raise RuntimeError(p.stdout + p.stderr)

    def pid(self, name):
        if name == "postgres":
            return int((self.dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        return int((self.dir / "pid" / name).read_text().split()[0])

    def kafka(self, node):
        """The name of a Kafka node."""
        return "kafka" if node == 1 else "kafka-%d" % node

    def kill_kafka(self, *nodes):
        """kill -9 of these nodes, at once."""
        pids = [self.pid(self.kafka(node)) for node in nodes or [1]]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            wait_until(lambda: not Path("/proc/%d" % pid).exists() or "Z" == stat_state(pid), 20, "Kafka's end")

    def start_kafka(self, *nodes):
        self.up(*(self.kafka(node) for node in nodes or [1]))

    def signal_kafka(self, node, number):
        """SIGSTOP, SIGCONT."""
        os.kill(self.pid(self.kafka(node)), number)

    def controller(self):
        """The node that is the active controller, as those that run remember the last election."""
        newest = (-1, 0)
        for node in range(1, self.kafka_nodes + 1):
            state = json.loads((self.dir / self.kafka(node) / "data" / "__cluster_metadata-0" / "quorum-state").read_text())
            newest = max(newest, (state["leaderEpoch"], state["leaderId"]))
        return newest[1]

    def stop_postgres(self, mode="immediate"):
        """`pg_ctl stop -m MODE`, as the user that owns the cluster."""
        tools = "/usr/lib/postgresql/15/bin/pg_ctl"
        command = [tools, "-D", str(self.dir / "postgres" / "data"), "-m", mode, "-w", "stop"]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--"] + command
        subprocess.run(command, cwd="/", check=True, capture_output=True, timeout=90)

    def close(self):
        if self.own:
            for node in range(1, self.kafka_nodes + 1) if self.kafka_nodes > 1 else ():
                try:                                        # a cluster takes its time to go in order
                    self.kill_kafka(node)
                except OSError:
                    pass
            subprocess.run([str(ROOT / "dev"), "services", "down"], env=self.env, capture_output=True, timeout=180)
            shutil.rmtree(self.dir, ignore_errors=True)


def stat_state(pid):
    try:
        return Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


class Program:
    """A running program of ours, `inside` a network namespace where one is named; its standard error (its own log) goes to a file,
    its standard output to another."""

    def __init__(self, name, arguments, directory, stdin=None, env=None, inside=None):
        self.name = name
        self.err_path = Path(tempfile.mkstemp(prefix=name + "-", suffix=".log", dir=directory)[1])
        self.out_path = self.err_path.with_suffix(".out")
        with open(self.err_path, "wb") as err, open(self.out_path, "wb") as out:
            enter = ["ip", "netns", "exec", inside] if inside else []
            self.process = subprocess.Popen(enter + [str(BIN / name)] + [str(a) for a in arguments], stderr=err, stdout=out,
                                            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                                            env=dict(os.environ, **(env or {})), cwd=directory)
        if stdin is not None and stdin is not subprocess.PIPE:
            try:
                self.process.stdin.write(stdin)
            except BrokenPipeError:
                pass
            self.process.stdin.close()
        self.url = None

    def log(self):
        return self.err_path.read_text(errors="replace")

    def output(self):
        return self.out_path.read_text(errors="replace")

    def get(self, path, timeout=20):
        """(status, body) of a GET."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def post(self, path, body, headers=None, timeout=60):
        """(status, parsed JSON or text, headers) of a POST; a dict or list is sent as JSON."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = dict({"Content-Type": "application/json"}, **(headers or {}))
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as r:
                status, text, answer = r.status, r.read().decode(), r.headers
        except urllib.error.HTTPError as e:
            status, text, answer = e.code, e.read().decode(), e.headers
        try:
            return status, json.loads(text), answer
        except ValueError:
            return status, text, answer

    def ready(self):
        return self.get("/readyz")[0] == 200

    def metric(self, name):
        """Sum of a metric over its labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name) and line[len(name):len(name) + 1] in (" ", "{"):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def running(self):
        return self.process.poll() is None

    def kill(self):
        """kill -9."""
        self.process.kill()
        return self.process.wait(30)

    def terminate(self, seconds=30):
        """SIGTERM; returns the exit code."""
        if self.running():
            self.process.terminate()
        return self.wait(seconds)

    def wait(self, seconds=60):
        try:
            return self.process.wait(PATIENCE * seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end within %s s; its log:\n%s" % (self.name, PATIENCE * seconds, self.log()[-4000:]))


class World:
    """A migrated database, topics under a prefix of their own, and the programs started for them."""

    def __init__(self, servers, migrate=True, topics=True, partitions=4):
        self.servers = servers
        self.topics = topics
        self.name = "t%08x" % random.getrandbits(32)
        self.prefix = self.name + "."
        self.directory = tempfile.mkdtemp(prefix="logmill-test-")
        self.programs = []
        psql(servers.postgres, 'create database "%s";%s' % (self.name, ROOM))
        base = servers.postgres.rsplit("/", 1)[0]
        self.host = base.split("@", 1)[1]
        self.admin_url = "%s/%s" % (base, self.name)
        if migrate:
            self.ctl("migrate", "--postgres-url", self.admin_url)
        if topics:
            self.ctl("topics", "create", "--brokers", servers.brokers, "--topic-prefix", self.prefix, "--partitions", partitions)

    def url(self, user):
        return "postgresql://%s@%s/%s" % (user, self.host, self.name)

    def ctl(self, *arguments, check=True):
        p = subprocess.run([str(BIN / "logmill-ctl")] + [str(a) for a in arguments], capture_output=True, text=True, timeout=180)
        if check and p.returncode:
            raise AssertionError("logmill-ctl %s: exit %d\n%s%s" % (arguments[0], p.returncode, p.stdout, p.stderr))
        return p

    def topic(self, category="raw"):
        return self.prefix + category

    def start(self, name, *arguments, ready=True, stdin=None, env=None, seconds=30, inside=None):
        """Starts a program of ours with what it needs to find the servers; waits until it is ready."""
        port = free_port()
        common = {
            "logmill-consumer": ["--brokers", self.servers.brokers, "--topic-prefix", self.prefix, "--group", self.name,
                                 "--postgres-url", self.url("logmill_writer"), "--listen", "127.0.0.1:%d" % port],
            "logmill-gateway": ["--brokers", self.servers.brokers, "--topic-prefix", self.prefix, "--listen", "127.0.0.1:%d" % port],
            "logmill-agent": ["--postgres-url", self.url("logmill_reader"), "--listen", "127.0.0.1:%d" % port],
            "logmill-ship": ["--brokers", self.servers.brokers, "--topic-prefix", self.prefix, "--listen", "127.0.0.1:%d" % port],
        }.get(name, [])
        program = Program(name, common + list(arguments), self.directory, stdin, env, inside)
        program.url = "http://127.0.0.1:%d" % port
        self.programs.append(program)
        if ready:
            def up():
                if not program.running():
                    raise SystemExit("%s ended with %s:\n%s" % (name, program.process.returncode, program.log()[-4000:]))
                return program.ready()
            try:
                wait_until(up, seconds, "%s ready" % name)
            except AssertionError as e:
                raise AssertionError("%s; its log:\n%s" % (e, program.log()[-4000:]))
        return program

    def ship(self, *arguments, stdin=b"", seconds=60):
        """Runs logmill-ship over standard input or files to its end; returns it."""
        program = self.start("logmill-ship", *arguments, ready=False, stdin=stdin)
        program.wait(seconds)
        return program

    def rows(self, sql, **options):
        return psql(self.admin_url, sql, **options)

    def value(self, sql, **options):
        return self.rows(sql, **options)[0][0]

    def consume(self, topic, count=None, seconds=20, fmt="%s\\n"):
        """Messages of a topic from its beginning through kcat, as raw bytes in its format."""
        command = ["kcat", "-b", self.servers.brokers, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", fmt,
                   "-X", "fetch.message.max.bytes=4000000"]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE * seconds, check=True).stdout

    def close(self):
        """Stops what runs; returns the names of programs that had to be killed."""
        stuck = []
        for program in reversed(self.programs):
            if program.running():
                program.process.terminate()
                try:
                    program.process.wait(30)
                except subprocess.TimeoutExpired:
                    program.kill()
                    stuck.append("%s:\n%s" % (program.name, program.log()[-3000:]))
            if program.process.stdin and not program.process.stdin.closed:
                program.process.stdin.close()
        try:
            psql(self.servers.postgres, 'drop database "%s" with (force)' % self.name)
        except Exception as e:
            print("harness: database %s not dropped: %s" % (self.name, e), file=sys.stderr)
        if not os.environ.get("LOGMILL_TEST_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        self.delete_topics()
        return stuck

    def delete_topics(self):
        """Topics left behind would fill the broker that all tests share."""
        if self.topics and not self.servers.own:
            topics = [self.prefix + c + end for c in CATEGORIES for end in ("", ".dlq")]
            subprocess.run([str(BIN / "logmill-test-kafka"), self.servers.brokers, "delete-topic"] + topics, capture_output=True, timeout=60)


class Case(unittest.TestCase):
    """A test case whose worlds are closed at its end; a program that cannot be stopped by SIGTERM fails it."""

    def world(self, own=False, servers=None, **options):
        """In the shared servers, in own ones, or in `servers`, which somebody else closes."""
        if servers is None:
            servers = Servers(own)
            self.addCleanup(servers.close)
        world = World(servers, **options)
        self.addCleanup(self.close_world, world)
        return world

    def close_world(self, world):
        stuck = world.close()
        self.assertEqual(stuck, [], "programs that SIGTERM did not end")

    def wait_until(self, condition, seconds=30, what=None):
        return wait_until(condition, seconds, what)
