"""logmill-ctl migrate and status against a real PostgreSQL."""
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness

SQL = harness.ROOT / "sql"


class Migrate(harness.Case):
    def setUp(self):
        self.empty = self.world(migrate=False, topics=False)
        self.folder = Path(self.empty.directory) / "sql"

    def migrate(self, *arguments, url=None):
        return self.empty.ctl("migrate", "--postgres-url", url or self.empty.admin_url, *arguments, check=False)

    def status(self, *arguments, url=None):
        return self.empty.ctl("status", "--postgres-url", url or self.empty.admin_url, *arguments, check=False)

    def write(self, name, text):
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def migrate_folder(self):
        return self.migrate("--sql-dir", self.folder)

    def applied(self):
        return [r[0] for r in self.empty.rows("select name from public.logmill_migration order by number")]

    def test_an_empty_database_gets_everything_and_a_second_run_changes_nothing(self):
        before = self.status()
        self.assertEqual(before.returncode, 1, before.stdout)
        self.assertIn("0001_roles.sql           pending", before.stdout)

        first = self.migrate()
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(self.applied(), sorted(p.name for p in SQL.glob("*.sql")))
        for name in self.applied():
            self.assertRegex(first.stdout, re.escape(name) + r" applied in \d+ ms")
        self.assertRegex(first.stdout, r"leaves: \d+ made")
        self.assertEqual(self.empty.value("select count(*) from logmill.log_schema"), "1")

        second = self.migrate()
        self.assertEqual(second.returncode, 0, second.stderr)
        self.assertIn(": 0 migrations applied, %d in all" % len(self.applied()), second.stdout)

        after = self.status()
        self.assertEqual(after.returncode, 0, after.stdout + after.stderr)
        self.assertRegex(after.stdout, r"raw\s+\d+ leaves, .* ahead")
        self.assertNotIn("everybody may call", after.stdout)

    def test_leaves_reach_as_far_ahead_as_asked(self):
        asked = self.empty.value("select now()")
        self.assertEqual(self.migrate("--leaves-ahead", "30d").returncode, 0)   # 721 of raw: several calls
        self.assertEqual(self.empty.value("select max(upper) > '%s'::timestamptz + interval '30 days' and count(*) >= 720 "
                                          "from logmill.leaf where category = 'raw'" % asked), "t")

    def test_the_checksum_recorded_is_that_of_the_file(self):
        self.migrate()
        names = sorted(SQL.glob("*.sql"))
        sums = subprocess.run(["sha256sum"] + [str(n) for n in names], capture_output=True, text=True, check=True).stdout
        rows = self.empty.rows("select checksum from public.logmill_migration order by number")
        self.assertEqual([r[0] for r in rows], [line.split()[0] for line in sums.splitlines()])

    def test_a_changed_applied_file_is_refused(self):
        self.write("0001_a.sql", "CREATE TABLE a (i integer);")
        self.assertEqual(self.migrate_folder().returncode, 0)
        self.write("0001_a.sql", "CREATE TABLE a (i bigint);")
        self.write("0002_b.sql", "CREATE TABLE b (i integer);")
        p = self.migrate_folder()
        self.assertEqual(p.returncode, 1)
        self.assertIn("0001_a.sql was changed after it was applied", p.stderr)
        self.assertEqual(self.applied(), ["0001_a.sql"])
        status = self.status("--sql-dir", self.folder)
        self.assertEqual(status.returncode, 1)
        self.assertIn("0001_a.sql was changed", status.stdout)

    def test_an_applied_file_that_is_missing_is_refused(self):
        self.write("0001_a.sql", "SELECT 1;")
        self.write("0002_b.sql", "SELECT 2;")
        self.assertEqual(self.migrate_folder().returncode, 0)
        (self.folder / "0002_b.sql").unlink()
        p = self.migrate_folder()
        self.assertEqual(p.returncode, 1)
        self.assertIn("0002_b.sql was applied on", p.stderr)

    def test_a_failing_file_leaves_nothing_and_names_its_line(self):
        self.write("0001_a.sql", "CREATE TABLE a (i integer);")
        self.write("0002_b.sql", "CREATE TABLE b (i integer);\n-- ein Übel\nCREATE TABLE c (i nonsense);\n")
        p = self.migrate_folder()
        self.assertEqual(p.returncode, 1)
        self.assertIn('0002_b.sql, line 3: type "nonsense" does not exist', p.stderr)
        self.assertEqual(self.applied(), ["0001_a.sql"])
        self.assertEqual(self.empty.value("select to_regclass('b') is null"), "t")

    def test_a_file_that_commits_is_refused(self):
        self.write("0001_a.sql", "SELECT 1; COMMIT;")
        p = self.migrate_folder()
        self.assertEqual(p.returncode, 1)
        self.assertIn("0001_a.sql ends its transaction", p.stderr)
        self.assertEqual(self.applied(), [])

    def test_several_at_once_apply_everything_once(self):
        # A fifth that has begun before them and takes its time.
        fifth = subprocess.Popen(["psql", self.empty.admin_url, "-Xqt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (fifth.stdin.close(), fifth.stdout.close(), fifth.wait(20)))
        fifth.stdin.write("select 'taken' from pg_advisory_lock(7810772066236456297);\n")
        fifth.stdin.flush()
        self.assertIn("taken", fifth.stdout.readline())
        with ThreadPoolExecutor(4) as pool:
            under_way = [pool.submit(self.migrate) for _ in range(4)]
            self.wait_until(lambda: self.empty.value("select count(*) from pg_locks where locktype = 'advisory' and not granted and database = "
                                                     "(select oid from pg_database where datname = current_database())") == "4")
            fifth.stdin.close()
            results = [p.result() for p in under_way]
        self.assertEqual([p.returncode for p in results], [0] * 4, "\n".join(p.stderr for p in results))
        self.assertEqual(sum(": 0 migrations applied" in p.stdout for p in results), 3)
        self.assertTrue(all("waiting: another logmill-ctl migrate" in p.stdout for p in results))

    def test_several_databases_of_one_server_at_once(self):
        worlds = [self.world(migrate=False, topics=False) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            results = list(pool.map(lambda w: self.migrate(url=w.admin_url), worlds))
        self.assertEqual([p.returncode for p in results], [0] * 3, "\n".join(p.stdout + p.stderr for p in results))

    def test_agents_get_more_connections_where_nobody_has_chosen_how_many(self):
        # Roles belong to the server, so this is done to one of its own.
        role = self.empty.name + "_agent"
        text = (SQL / "0023_agents.sql").read_text().replace("logmill_agent", role)
        self.empty.rows("create role %s connection limit 16" % role)
        self.addCleanup(self.empty.rows, "drop role " + role)
        for before, after in ((16, "32"), (150, "150"), (-1, "-1"), (8, "8")):
            self.empty.rows("alter role %s connection limit %d" % (role, before))
            self.empty.rows(text)
            self.assertEqual(self.empty.value("select rolconnlimit from pg_roles where rolname = '%s'" % role), after)

    def test_histograms_of_before_are_kept_where_they_leave_the_counts(self):
        for path in SQL.glob("*.sql"):
            if path.name < "0028":
                self.write(path.name, path.read_text(encoding="utf-8"))
        self.assertEqual(self.migrate_folder().returncode, 0)
        # In minutes a bucket may stand several times, in any order; slots, hours and days hold each once.
        self.empty.rows("""
            insert into logmill.log_rollup_minute values
                ('2026-03-18 05:00Z', 'raw', 's', 'production', 'INFO', 0, 7, 6, 60, 12, '{9,0,9,631}', '{1,2,2,1}'),
                ('2026-03-18 05:01Z', 'raw', 's', 'production', 'INFO', 0, 4, 0, 0, null, null, null);
            insert into logmill.log_rollup_slot values
                ('2026-03-18 05:00Z', 'raw', 's', 'production', 'INFO', 11, 6, 60, 12, '{0,9,631}', '{2,3,1}');
            insert into logmill.log_rollup_hour values
                ('2026-03-18 05:00Z', 'raw', 's', 'production', 'INFO', 11, 6, 60, 12, '{0,9,631}', '{2,3,1}');
            insert into logmill.log_rollup_day (zone, day, category, service, environment, level, n, duration_n, duration_sum_us, duration_buckets,
                                                duration_counts)
                values ('UTC', '2026-03-18', 'raw', 's', 'production', 'INFO', 11, 6, 60, '{0,9,631}', '{2,3,1}')""")
        self.assertEqual(self.migrate().returncode, 0)
        for table in ("minute", "slot", "hour", "day"):
            with self.subTest(table=table):
                self.assertEqual(self.empty.rows("select b.bucket, b.n from logmill.duration_%s, logmill_read.histogram_buckets(info) b "
                                                 "where info = histogram and warn is null order by 1" % table),
                                 [["0", "2"], ["9", "3"], ["631", "1"]])
                self.assertEqual(self.empty.value("select sum(n) || ' ' || sum(duration_n) from logmill.log_rollup_%s" % table), "11 6")
        self.assertEqual(self.empty.value("select count(*) from information_schema.columns where column_name = 'duration_buckets'"), "0")

    def test_seconds_count_from_the_first_minute_that_nobody_has_counted_without_them(self):
        for path in SQL.glob("*.sql"):
            if path.name < "0029":
                self.write(path.name, path.read_text(encoding="utf-8"))
        self.assertEqual(self.migrate_folder().returncode, 0)
        self.empty.rows("insert into logmill.log_rollup_minute select date_trunc('minute', now()) + m * interval '1 minute', 'raw', 's', 'production', "
                        "'INFO', 0, 1 from generate_series(-9, 9) m")
        # A batch that is committing holds the position of its partition: the migration waits for it.
        batch = subprocess.Popen(["psql", self.empty.admin_url, "-Xqt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (batch.stdin.close(), batch.stdout.close(), batch.wait(20)))
        batch.stdin.write("begin; lock table logmill.ingest_offset in row share mode; select 'held';\n")
        batch.stdin.flush()
        self.assertIn("held", batch.stdout.readline())
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(self.migrate)
            self.wait_until(lambda: self.empty.value("select count(*) from pg_locks where relation = 'logmill.ingest_offset'::regclass "
                                                     "and not granted") == "1")
            batch.stdin.write("insert into logmill.log_rollup_minute select date_trunc('minute', now()) + interval '10 minutes', 'raw', 's', 'production', "
                              "'INFO', 0, 1; commit;\n")
            batch.stdin.flush()
            self.assertEqual(under_way.result().returncode, 0)
        self.assertEqual(self.empty.value("select since = (select max(minute) + interval '1 minute' from logmill.log_rollup_minute) "
                                          "from logmill.seconds_state"), "t")

    def test_what_was_folded_before_has_totals_and_minutes_have_them_from_then_on(self):
        for path in SQL.glob("*.sql"):
            if path.name < "0031":
                self.write(path.name, path.read_text(encoding="utf-8"))
        self.assertEqual(self.migrate_folder().returncode, 0)
        self.empty.rows("""
            insert into logmill.log_rollup_minute select date_trunc('hour', now(), 'UTC') - interval '3 hours' + m * interval '1 minute', 'raw', s,
                'production', l, 0, m + 1 from generate_series(0, 190) m, unnest(array['s', 't']) s, unnest(array['INFO', 'FATAL']::logmill.log_level[]) l;
            insert into logmill.fold_state (closed, marked_at, horizon) select now(), now(), '0' where not exists (select from logmill.fold_state);
            update logmill.fold_state set closed = now(), marked_at = now(), horizon = '0';
            select logmill.raise_epochs('raw', 0, array_agg(distinct extract(epoch from date_trunc('hour', minute, 'UTC'))::bigint * 1000000))
            from logmill.log_rollup_minute;
            select logmill.fold('UTC', '1 day', '1 min')""")
        self.assertEqual(self.migrate().returncode, 0)
        self.assertEqual(self.empty.value("select since > (select max(minute) from logmill.log_rollup_minute) from logmill.total_state"), "t")
        window = "(date_trunc('hour', now(), 'UTC') - interval '3 hours', now() + interval '1 day', '%s', 'UTC')"
        self.assertGreater(int(self.empty.value("select cardinality(hours) from logmill_read.rollup_cover" + window % "hour")), 1)
        self.assertGreater(int(self.empty.value("select cardinality(slots) from logmill_read.rollup_cover" + window % "slot")), 20)
        # As consumers store it from then on: a minute dated ahead.
        self.empty.rows("select logmill.add_minutes('raw', 0, array[(extract(epoch from date_trunc('minute', now() + interval '30 minutes')) "
                        "* 1000000)::bigint], '{s}', '{production}', '{WARN}', '{5}', '{0}', '{0}', '{0}', '{}', '{}')")
        for unit in ("minute", "slot", "hour", "day"):
            self.assertEqual(self.empty.rows("select level, sum(n) from logmill_read.log_total%s group by 1 order by 1" % (window % unit)),
                             [["INFO", "36672"], ["WARN", "5"], ["FATAL", "36672"]], unit)
            apart = "select service, environment, level, n from logmill_read.log_count%s, 'service,environment', null, null) order by 1, 2, 3"
            self.assertEqual(self.empty.rows(apart % (window % unit)[:-1]),
                             [["s", "production", "INFO", "18336"], ["s", "production", "WARN", "5"], ["s", "production", "FATAL", "18336"],
                              ["t", "production", "INFO", "18336"], ["t", "production", "FATAL", "18336"]], unit)

    def test_days_folded_before_are_read_by_their_hours_until_they_are_folded_on(self):
        for path in SQL.glob("*.sql"):
            if path.name < "0036":
                self.write(path.name, path.read_text(encoding="utf-8"))
        self.assertEqual(self.migrate_folder().returncode, 0)
        self.empty.rows("""
            select logmill.add_minutes('raw', 0, array_agg((extract(epoch from m) * 1000000)::bigint), array_agg(text 's'), array_agg(text 'production'),
                                       array_agg('INFO'::logmill.log_level), array_agg(2), array_agg(1), array_agg(5), array_agg(5), array_agg(i),
                                       array_agg(1e160))
            from generate_series(1, 280) i, lateral (select date_trunc('day', now(), 'UTC') - i * interval '10 minutes' as m) t;
            select logmill.raise_epochs('raw', 0, array_agg(distinct (extract(epoch from date_trunc('hour', minute, 'UTC')) * 1000000)::bigint))
            from logmill.log_rollup_minute;
            update logmill.fold_state set closed = now(), marked_at = now(), horizon = '0';
            select logmill.fold('UTC', '9 days', '1 min')""")
        self.assertEqual(self.migrate().returncode, 0)
        state = """select cardinality(c.days), (select min(day_version) >= 0 from logmill.fold_day), (select sum(n) from
            logmill_read.log_count(now() - interval '4 days', date_trunc('minute', now()) + interval '1 hour', 'day', 'UTC', 'service', null, null)),
            (select sum(logmill_read.histogram_count(histogram)) from logmill_read.log_histogram(date_trunc('minute', now()) - interval '4 days',
             date_trunc('minute', now()) + interval '1 hour', 'day', 'UTC', 'service', null, null))
            from logmill_read.rollup_cover(now() - interval '4 days', now(), 'day', 'UTC') c"""
        self.assertEqual(self.empty.rows(state), [["2", "f", "560", "280"]])
        again = "update logmill.fold_state set marked_at = now(), horizon = '0'; select more from logmill.fold('UTC', '9 days', '1 min')"
        self.assertEqual(self.empty.rows(again), [["f"]])
        self.assertEqual(self.empty.rows(state), [["2", "t", "560", "280"]])
        # Whoever raises hours only, as functions of before do, raises their days by the trigger.
        self.empty.rows("update logmill.log_rollup_minute set n = n + 1; update logmill.count_minute set info = info + 1; insert into "
                        "logmill.data_epoch as e select * from logmill.data_epoch on conflict (category, kafka_partition, hour) do update "
                        "set version = e.version + 1")
        self.assertEqual(self.empty.rows(state), [[None, "t", "840", "280"]])

    def test_the_owner_of_the_database_is_enough_and_status_says_what_is_missing(self):
        role = "t%08x" % random.getrandbits(32)
        self.empty.rows("create role %s login createrole" % role)
        try:
            self.empty.rows('alter database "%s" owner to %s' % (self.empty.name, role))
            url = self.empty.url(role)
            p = self.migrate(url=url)
            self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
            self.assertIn("not revoked from PUBLIC", p.stdout)
            status = self.status(url=url)
            self.assertEqual(status.returncode, 0, status.stdout + status.stderr)
            self.assertIn("everybody may call", status.stdout)
            self.assertIn("pg_sleep", status.stdout)
            self.assertNotIn("temporary tables", status.stdout)
            reader = self.empty.url("logmill_reader")
            self.assertEqual(harness.psql(reader, "select count(*) from logs"), [["0"]])
        finally:
            self.empty.rows('alter database "%s" owner to current_user; reassign owned by %s to current_user; '
                            "drop owned by %s; drop role %s" % (self.empty.name, role, role, role))

    def test_no_server_and_no_command_say_so(self):
        p = self.migrate(url="postgresql://127.0.0.1:1/none")
        self.assertEqual(p.returncode, 1)
        self.assertIn("cannot connect to PostgreSQL", p.stderr)
        self.assertIn("--postgres-url", p.stderr)
        self.assertEqual(self.empty.ctl("migrat", check=False).returncode, 2)
        self.assertEqual(self.empty.ctl("patterns", check=False).returncode, 2)
        self.assertEqual(self.empty.ctl("help").returncode, 0)
        self.write("README", "no migration here")
        p = self.migrate_folder()
        self.assertEqual(p.returncode, 1)
        self.assertIn("holds no *.sql", p.stderr)


if __name__ == "__main__":
    import unittest
    unittest.main()
