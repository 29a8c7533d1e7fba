"""A PostgreSQL of one's own to stop, fill up and fail over, beside the shared Kafka.

    servers = postgres_servers.Own(self)                        # fsync off; stopped and removed with the test
    standby = servers.add_standby(synchronous=True)             # pg_basebackup, streaming, a port of its own
    world = self.world_on(servers)
    servers.stop_postgres("immediate"); standby.promote()

Also a proxy between a consumer and PostgreSQL that is told to strike at moments of a batch.
"""
import os
import re
import shutil
import socket
import subprocess
import threading
import unittest
from pathlib import Path

import harness

TOOLS = Path("/usr/lib/postgresql/15/bin")
# Every connection of the consumers of one's own database: others of the shared server have consumers too.
CONSUMERS = "datname = current_database() and application_name like 'logmill-consumer%'"


def as_postgres(*command, **options):
    """Runs a server tool as the user that owns the cluster: it refuses to run as root."""
    command = [str(c) for c in command]
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--"] + command
    return subprocess.run(command, cwd="/", check=True, timeout=90, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, **options)


class Own(harness.Servers):
    """An own PostgreSQL (`./dev services up postgres`), the shared Kafka."""

    def __init__(self, case, postgres_conf=""):
        harness.Servers.__init__(self)                      # the shared ones; skips the test where there are none
        self.own, self.kafka_nodes = True, 1                # down() has no Kafka to stop here
        self.dir = Path(harness.tempfile.mkdtemp(prefix="logmill-test-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.postgres_port = harness.free_port()
        self.env = dict(os.environ, LOGMILL_RUN_DIR=str(self.dir), LOGMILL_RUN_POSTGRES_PORT=str(self.postgres_port),
                        LOGMILL_RUN_POSTGRES_CONF="fsync = off\nwal_level = replica\n" + postgres_conf)
        self.postgres = "postgresql://postgres@127.0.0.1:%d/postgres" % self.postgres_port
        self.standby = None
        case.addCleanup(self.close)
        self.up()

    @property
    def data(self):
        return self.dir / "postgres" / "data"

    def up(self, *names):
        harness.Servers.up(self, "postgres")

    def sql(self, sql, **options):
        """On the primary that was made first, in database postgres."""
        return harness.psql("postgresql://postgres@127.0.0.1:%d/postgres" % self.postgres_port, sql, **options)

    def set(self, **settings):
        for name, value in settings.items():
            self.sql("alter system %s" % ("reset " + name if value is None else "set %s = %s" % (name, value)))
        self.sql("select pg_reload_conf()")

    def add_standby(self, synchronous):
        self.standby = Standby(self)
        if synchronous:
            self.set(synchronous_standby_names="'*'")
            harness.wait_until(lambda: self.sql("select sync_state from pg_stat_replication") == [["sync"]], 20, "the standby in step")
        self.postgres = "postgresql://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres" % (self.postgres_port, self.standby.port)
        return self.standby

    def close(self):
        if self.standby is not None:
            self.standby.stop()
        harness.Servers.close(self)


class Standby:
    def __init__(self, primary):
        self.port = harness.free_port()
        self.data = primary.dir / "postgres" / "standby"
        as_postgres(TOOLS / "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "--no-sync",
                    "-d", "host=127.0.0.1 port=%d user=postgres application_name=standby" % primary.postgres_port)
        with open(self.data / "logmill.conf", "a") as conf:  # read after the primary's
            conf.write("\nport = %d\nlog_filename = 'standby.log'\nsynchronous_standby_names = ''\n" % self.port)
        self.start()

    def start(self):
        as_postgres(TOOLS / "pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.data / "start.log", "start")

    def promote(self):
        as_postgres(TOOLS / "pg_ctl", "-D", self.data, "-w", "-t", "60", "promote")

    def stop(self, mode="immediate"):
        if (self.data / "postmaster.pid").exists():
            as_postgres(TOOLS / "pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop")


class SmallDisk:
    """A tmpfs of so many MiB that only root can mount; the test is skipped without it."""

    def __init__(self, case, path, mib):
        self.path = Path(path)
        if os.getuid() != 0:
            raise unittest.SkipTest("only root can mount a small file system to fill up")
        self.path.mkdir(parents=True, exist_ok=True)
        p = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=0700" % mib, "logmill-test", str(self.path)], capture_output=True,
                           text=True)
        if p.returncode:
            raise unittest.SkipTest("no tmpfs can be mounted here: " + p.stderr.strip())
        case.addCleanup(lambda: subprocess.run(["umount", "-l", str(self.path)], check=True))
        shutil.chown(self.path, "postgres", "postgres")

    def fill(self):
        """Until no byte more goes in."""
        with open(self.path / "ballast", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(65536))
            except OSError:
                pass

    def room(self):
        (self.path / "ballast").unlink()


class Proxy:
    """Between consumers and PostgreSQL. `strike(moment)` is asked at each moment of a batch and answers None or one of

    "copy"   in the middle of COPY:                  cut
    "rollback" of a batch that failed:               cut
    "commit" the closing message has come:           "before": cut, the server never sees it; "during": the client's side is cut,
             then the server gets it; "after": the server gets it and does it, its answer is swallowed and the client cut

    or, at any of them, a callable that is given the data and sends them on with the function it is given.
    """

    def __init__(self, case, host, strike):
        address, port = host.rsplit(":", 1)
        self.target, self.strike = (address, int(port)), strike
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        case.addCleanup(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, world, user="logmill_writer"):
        return "postgresql://%s@127.0.0.1:%d/%s?sslmode=disable&gssencmode=disable" % (user, self.port, world.name)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:                                  # the server is down
                client.close()
                continue
            swallow = threading.Event()
            threading.Thread(target=self.upstream, args=(client, server, swallow), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, swallow), daemon=True).start()

    def upstream(self, client, server, swallow):
        try:
            streamed = 0                                    # however large the pieces are that it comes in
            while data := client.recv(65536):
                last = data.rstrip(b"\0")
                streamed += len(data)
                moment = ("commit" if last.endswith(b"COMMIT") else "rollback" if last.endswith(b"ROLLBACK")
                          else "copy" if streamed > 30000 else None)
                streamed = 0 if moment else streamed
                blow = self.strike(moment) if moment else None
                if callable(blow):
                    blow(data, server.sendall)
                    continue
                if blow == "after":
                    swallow.set()                            # the server answers when all of the message is done
                elif blow == "during":
                    self.close(client)
                elif blow:
                    break
                server.sendall(data)
        except OSError:
            pass
        self.close(client, server)
        client.close()

    def pump(self, source, sink, swallow):
        try:
            while (data := source.recv(65536)) and not swallow.is_set():
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


class Session:
    """A psql that stays: somebody else's session, with a transaction of its own."""

    def __init__(self, case, url, sql):
        self.process = subprocess.Popen(["psql", url, "-X", "-q", "-A", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        case.addCleanup(self.end)
        self.say(sql)

    def say(self, sql):
        """Runs it and waits until it is done; returns what it printed."""
        self.process.stdin.write(sql + ";\n\\echo -- done\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) and line != "-- done\n":
            lines.append(line.rstrip("\n"))
        return lines

    def end(self, sql="rollback"):
        if self.process.poll() is None:
            self.process.communicate(sql + ";\n", timeout=20)
        self.process.stdout.close()


class Case(harness.Case):
    def world_on(self, servers, **options):
        world = harness.World(servers, **options)
        self.addCleanup(self.close_world, world)
        return world


def unmet(consumer):
    """What /readyz says is wrong, as one text."""
    return "\n".join("%(name)s since %(since)s: %(reason)s" % c for c in harness.json.loads(consumer.get("/readyz")[1])["unmet"])


def resident_mib(consumer):
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/%d/status" % consumer.process.pid).read_text()).group(1)) // 1024
