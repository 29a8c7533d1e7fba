"""A fault of the whole installation is not poison: the consumer stops taking records, says what is wrong, what to do and since
when, sends nothing to the dead letters and goes on by itself when it is mended.

One row a fault: what breaks, the words /readyz must have, what mends. Every record of all of it is stored exactly once.
"""
import re
import time
import unittest

import harness
import ingest
import postgres_servers

MORE = 4000     # records that come during a fault: more than a consumer may take, even where it reads some again
BATCH = 100
CUT = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tried'"

# (situation, sql in the world's database, words, sql that mends)
FAULTS = (
    ("a table was renamed", "alter table logmill.ingest_source rename to elsewhere", "ingest_source.*does not exist.*logmill-ctl migrate",
     "alter table logmill.elsewhere rename to ingest_source"),
    ("the log table is missing", "alter table logmill.logs_raw rename to logs_cooked", "logs_raw.*does not exist.*logmill-ctl migrate",
     "alter table logmill.logs_cooked rename to logs_raw"),
    ("a function is missing", "alter function logmill.add_names rename to add_titles", "add_names.*does not exist.*logmill-ctl migrate",
     "alter function logmill.add_titles rename to add_names"),
    ("the schema is missing", "alter schema logmill rename to anthill", "does not exist.*logmill-ctl migrate",
     "alter schema anthill rename to logmill"),
    ("a column was renamed", "alter table logmill.logs rename column device to gadget", 'column "device".*logmill-ctl migrate',
     "alter table logmill.logs rename column gadget to device"),
    ("a grant on a table was revoked", "revoke insert on logmill.logs_raw from logmill_writer",
     "permission denied for table logs_raw.*grant", "grant insert on logmill.logs_raw to logmill_writer"),
    ("a grant on the positions was revoked", "revoke update on logmill.ingest_offset from logmill_writer",
     "permission denied for table ingest_offset.*grant", "grant update on logmill.ingest_offset to logmill_writer"),
    ("a grant on a function was revoked", "revoke execute on function logmill.advance_offset from logmill_writer",
     "permission denied for function advance_offset.*grant", "grant execute on function logmill.advance_offset to logmill_writer"),
    ("a grant on the schema was revoked", "revoke usage on schema logmill from logmill_writer",
     "permission denied for schema logmill.*grant", "grant usage on schema logmill to logmill_writer"),
    ("a constraint refuses every row", "alter table logmill.logs_raw add constraint never check (message is null) not valid",
     '23514.*"never".*every row', "alter table logmill.logs_raw drop constraint never"),
    ("a column that must not be empty was added", "alter table logmill.logs add column tenant text not null default 'x';"
     "alter table logmill.logs alter column tenant drop default", '23502.*"tenant".*every row', "alter table logmill.logs drop column tenant"),
    ("a trigger raises", "create function logmill.no() returns trigger language plpgsql as $$ begin raise 'not on a Sunday'; end $$;"
     "create trigger no before insert on logmill.logs_raw for each row execute function logmill.no()", "not on a Sunday",
     "drop function logmill.no cascade"),
    ("a trigger raises as if the data were bad", "create function logmill.no() returns trigger language plpgsql as "
     "$$ begin perform 1 / 0; end $$; create trigger no before insert on logmill.log_rollup_minute for each statement "
     "execute function logmill.no()", "22012.*every row", "drop function logmill.no cascade"),
    ("a type of a column the closing message writes was changed",
     "alter table logmill.ingest_source alter column last_sequence type timestamptz using to_timestamp(last_sequence)",
     "42804.*logmill-ctl migrate",
     "alter table logmill.ingest_source alter column last_sequence type bigint using extract(epoch from last_sequence)::bigint"),
    ("the type of a log column was changed", "alter table logmill.logs drop column component cascade;"
     "alter table logmill.logs add column component boolean", "22P03.*component.*every row",
     "alter table logmill.logs alter column component type text"),
    ("a column was dropped", "alter table logmill.logs drop column device cascade", 'column "device".*logmill-ctl migrate',
     "alter table logmill.logs add column device text"),
)
# The same for what concerns connections: run in database postgres, every connection cut afterwards.
CONNECTIONS = (
    ("the password was changed", "alter role tried password 'other'", "28P01.*password.*postgres_url",
     "alter role tried password 'secret'"),
    ("the role may not log in", "alter role tried nologin", "28000.*not permitted to log in.*postgres_url", "alter role tried login"),
    ("the role may not connect", 'revoke connect on database "{db}" from public', "42501.*permission denied for database.*grant",
     'grant connect on database "{db}" to public'),
    ("the role has no connection left", "alter role tried connection limit 0", "53300.*connections", "alter role tried connection limit -1"),
    ("the database takes nobody", 'alter database "{db}" allow_connections false', "55000.*not currently accepting connections",
     'alter database "{db}" allow_connections true'),
    ("the database has another name", 'alter database "{db}" allow_connections false;' + CUT + ';select pg_sleep(0.2);'
     'alter database "{db}" rename to away', "3D000.*does not exist.*postgres_url",
     'alter database away rename to "{db}"; alter database "{db}" allow_connections true'),
)


class Systematic(postgres_servers.Case):
    def start(self, world, *arguments, **options):
        self.consumer = world.start("logmill-consumer", "--batch-rows=%d" % BATCH, "--retry-cap=200ms", *arguments, **options)
        self.total = self.taken_before = 0

    def more(self, world):
        ingest.generate(world, self.total + MORE, first=self.total, sources=20)
        self.total += MORE

    def run_sql(self, url, sql):
        """A fault or its mending may meet the consumer's own transactions in a deadlock."""
        harness.wait_until(lambda: harness.psql(url, sql) is not None, 20, sql)

    def wait_until_said(self, words):
        said = [""]

        def is_said():
            said[0] = postgres_servers.unmet(self.consumer)
            return re.search(words, said[0])
        try:
            harness.wait_until(is_said, 20)
        except AssertionError:
            self.fail("/readyz should say %r and says:\n%s" % (words, said[0]))
        self.assertEqual(self.consumer.get("/readyz")[0], 503)

    def taken(self):
        """Records taken and not stored; those read again to find a refused one count again."""
        return self.consumer.metric("logmill_consumer_records_total") - self.consumer.metric("logmill_consumer_stored_total")

    def wait_until_it_takes_no_more(self):
        harness.wait_until(lambda: self.taken() == (time.sleep(0.3), self.taken())[1], 20, "no more is taken")
        self.assertLess(self.taken() - self.taken_before, MORE)

    def wait_until_mended(self, world):
        harness.wait_until(lambda: ingest.stored(world) == self.total, 30, "all records committed")
        harness.wait_until(self.consumer.ready, 10, "ready again")

    def try_fault(self, world, url, fault, words, mend):
        """Returns the lines the consumer logged at warning and above while nothing could be written."""
        before, self.taken_before = len(self.consumer.log()), self.taken()
        self.run_sql(url, fault)
        try:
            self.more(world)
            self.wait_until_said(words)
            self.wait_until_it_takes_no_more()
            lines = [l for l in self.consumer.log()[before:].splitlines() if '"level":"INFO"' not in l]
        finally:
            self.run_sql(url, mend)
        self.wait_until_mended(world)
        return lines

    def finish(self, world):
        self.assertEqual(ingest.dead_letters(world), 0)
        ingest.check_exactly_once(self, world, self.total)
        self.assertLess(postgres_servers.resident_mib(self.consumer), 400 if "asan" in str(harness.BIN) else 64)
        self.assertEqual(self.consumer.terminate(), 0)

    def test_what_is_wrong_with_the_schema_is_said_and_passes_when_it_is_mended(self):
        world = self.world()
        self.start(world)
        self.more(world)
        self.wait_until_mended(world)
        for situation, fault, words, mend in FAULTS:
            with self.subTest(situation):
                # All or nothing: in a deadlock it is done again.
                lines = self.try_fault(world, world.admin_url, "begin;%s;commit" % fault, words, "begin;%s;commit" % mend)
                self.assertLess(len(lines), 10, "\n".join(lines))
        self.finish(world)

    def test_what_is_wrong_when_it_starts_is_said_and_passes_when_it_is_mended(self):
        world = self.world()
        for fault, words, mend in (
                ("alter function logmill.start_offset rename to begin_offset", "start_offset.*does not exist.*logmill-ctl migrate",
                 "alter function logmill.begin_offset rename to start_offset"),
                ("revoke select on logmill.ingest_source from logmill_writer", "permission denied for table ingest_source.*grant",
                 "grant select on logmill.ingest_source to logmill_writer"),
                ("alter function logmill.ensure_leaf rename to want_leaf", "ensure_leaf.*does not exist.*logmill-ctl migrate",
                 "alter function logmill.want_leaf rename to ensure_leaf")):
            with self.subTest(fault):
                world.rows(fault)
                total = getattr(self, "total", 0)
                self.start(world, ready=False)
                self.total = total
                self.more(world)
                self.wait_until_said(words)
                self.wait_until_it_takes_no_more()
                world.rows(mend)
                self.wait_until_mended(world)
                self.assertEqual(self.consumer.terminate(), 0)
        self.assertEqual(ingest.dead_letters(world), 0)
        ingest.check_exactly_once(self, world, self.total)

    def test_records_an_operator_wants_to_keep_out_are_dead_letters_and_hold_nothing_up(self):
        world = self.world(partitions=1)
        world.rows("alter table logmill.logs_raw add constraint mood check (message not like 'evil%')")
        values = [b'{"message":"%s"}' % (b"evil" if evil else b"good") for evil in
                  [True] * 5 + [False] * 95 + [True] * 40 + [False] * 60 + [i % 2 == 0 for i in range(400)]]
        harness.subprocess.run(["kcat", "-b", world.servers.brokers, "-P", "-t", world.topic("raw"), "-p", "0"],
                               input=b"\n".join(values) + b"\n", check=True, timeout=60)
        self.start(world)
        harness.wait_until(lambda: ingest.stored(world) == len(values), 30, "all records decided")
        self.assertEqual(world.value("select count(*) from logmill.logs"), str(sum(b"good" in v for v in values)))
        self.assertEqual(ingest.dead_letters(world), sum(b"evil" in v for v in values))

    def test_what_is_wrong_with_the_way_in_is_said_and_passes_when_it_is_mended(self):
        servers = postgres_servers.Own(self)
        hba = servers.data / "pg_hba.conf"
        hba.write_text("host all tried 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
        servers.sql("select pg_reload_conf()")
        world = self.world_on(servers)
        servers.sql("create role tried login password 'wrong' in role logmill_writer")
        url = world.url("tried:secret")
        self.start(world, "--postgres-url", url, ready=False)
        self.more(world)
        self.wait_until_said("28P01.*password.*postgres_url")
        self.assertNotIn("secret", self.consumer.log() + self.consumer.get("/readyz")[1])
        servers.sql("alter role tried password 'secret'")
        self.wait_until_mended(world)
        for situation, fault, words, mend in CONNECTIONS:
            with self.subTest(situation):
                lines = self.try_fault(world, servers.postgres, fault.format(db=world.name) + ";" + CUT, words, mend.format(db=world.name))
                self.assertLess(len(lines), 20, "\n".join(lines))
        self.finish(world)

    def test_a_database_without_migrations_or_with_older_ones_is_said_and_passes_when_migrated(self):
        world = self.world(migrate=False)
        self.start(world, ready=False)
        self.more(world)
        self.wait_until_said("logmill-ctl migrate")
        self.wait_until_it_takes_no_more()
        self.assertLess(self.consumer.log().count("logmill-ctl migrate"), 10)
        world.ctl("migrate", "--postgres-url", world.admin_url)
        self.wait_until_mended(world)
        self.finish(world)


if __name__ == "__main__":
    unittest.main()
