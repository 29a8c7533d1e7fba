"""Leaves of the log table: made by many at once, while others copy and read."""
import subprocess
import threading
import time
import unittest

import harness

ROW = "{at}\traw\tINFO\tBACKEND\tpay\tproduction\thello\t0\t{offset}\tnow\n"
COLUMNS = "(created_at,category,level,log_type,service,environment,message,kafka_partition,kafka_offset,ingested_at)"


class Leaves(harness.Case):
    def setUp(self):
        self.it = self.world(topics=False)
        self.writer = self.it.url("logmill_writer")

    def ensure(self, category, at):
        return harness.psql(self.writer, "select ensure_leaf('%s', '%s')" % (category, at))[0][0]

    def test_names_and_bounds_follow_the_period_in_utc(self):
        for category, name, lower, upper in (
                ("raw", "logs_raw_2026031805", "2026-03-18 05:00:00+00", "2026-03-18 06:00:00+00"),
                ("summary", "logs_summary_20260318", "2026-03-18 00:00:00+00", "2026-03-19 00:00:00+00"),
                ("training", "logs_training_202603", "2026-03-01 00:00:00+00", "2026-04-01 00:00:00+00"),
                ("tagged", "logs_tagged_202603", "2026-03-01 00:00:00+00", "2026-04-01 00:00:00+00")):
            made = harness.psql(self.writer, "set timezone = 'Asia/Seoul'; set datestyle = 'SQL, DMY';"
                                             "select ensure_leaf('%s', '18/03/2026 14:35:20')" % category)
            self.assertEqual(made, [[name]])
            self.assertEqual(self.it.rows("select lower, upper from logmill.leaf where name = '%s'" % name), [[lower, upper]])

    def test_a_leaf_has_the_indexes_and_the_trigger_of_its_parent(self):
        leaf = self.ensure("raw", "2026-03-18 05:30:00+00")
        indexes = self.it.rows("select indexdef from pg_indexes where tablename = '%s' order by 1" % leaf)
        self.assertEqual(len(indexes), 3)
        self.assertEqual(sum("USING brin" in i[0] for i in indexes), 2)
        self.assertIn("WHERE (level >= 'ERROR'", " ".join(i[0] for i in indexes))
        self.assertEqual(self.it.value("select count(*) from pg_trigger where tgrelid = 'logmill.%s'::regclass" % leaf), "1")

    def test_ahead_of_time_is_made_once(self):
        asked = self.it.value("select now()")
        self.it.rows("select logmill.ensure_leaves('5 hours')")
        self.assertEqual(self.it.value("select max(upper) > '%s'::timestamptz + interval '5 hours' from logmill.leaf "
                                       "where category = 'raw'" % asked), "t")
        # At the turn of an hour the next of each period is due; then no more.
        self.assertIn(["0"], [harness.psql(self.writer, "select ensure_leaves('5 hours')")[0] for _ in range(2)])

    def test_a_leaf_that_is_there_costs_no_lock(self):
        self.ensure("raw", "2026-03-18 05:30:00+00")
        locks = harness.psql(self.writer, "begin; select ensure_leaf('raw', '2026-03-18 05:59:59.999999+00');"
                                          "select count(*) from pg_locks where pid = pg_backend_pid() and "
                                          "(locktype = 'advisory' or mode not in ('AccessShareLock', 'ExclusiveLock'));")
        self.assertEqual(locks[-1], ["0"])

    def test_a_changed_period_fills_what_is_free_and_overlaps_nothing(self):
        for at in ("2026-03-18 05:30+00", "2026-03-18 09:30+00"):
            self.ensure("raw", at)
        self.it.rows("update logmill.leaf_period set period = 'day' where category = 'raw'")
        for hour in range(24):
            self.ensure("raw", "2026-03-18 %02d:15+00" % hour)
        self.assertEqual(self.ensure("raw", "2026-03-19 12:00+00"), "logs_raw_20260319")
        self.it.rows("update logmill.leaf_period set period = 'hour' where category = 'raw'")
        self.assertEqual(self.ensure("raw", "2026-03-19 13:00+00"), "logs_raw_20260319")
        self.it.rows("update logmill.leaf_period set period = 'month' where category = 'raw'")
        for at in ("2026-03-01 00:00+00", "2026-03-31 23:59+00"):
            self.ensure("raw", at)
        march = self.it.rows("select lower, upper from logmill.leaf where category = 'raw' and lower < '2026-05-01' order by lower")
        self.assertEqual(march[0][0], "2026-03-01 00:00:00+00")
        self.assertEqual(march[-1][1], "2026-04-01 00:00:00+00")
        for one, next_one in zip(march, march[1:]):
            self.assertEqual(one[1], next_one[0])

    def test_a_detached_table_of_the_same_name_is_no_hindrance(self):
        leaf = self.ensure("raw", "2026-03-18 05:30+00")
        self.it.rows("alter table logmill.logs_raw detach partition logmill.%s" % leaf)
        self.assertEqual(self.ensure("raw", "2026-03-18 05:30+00"), leaf + "_2")

    def test_too_many_on_demand_is_refused_with_its_own_code(self):
        self.it.rows("update logmill.leaf_period set on_demand_per_minute = 3 where category = 'raw'")
        refused = None
        for hour in range(24):                              # three in a minute, unless each takes twenty seconds
            try:
                self.ensure("raw", "2026-03-18 %02d:15+00" % hour)
            except RuntimeError as e:
                refused = str(e)
                break
        self.assertIsNotNone(refused)
        self.assertIn("no leaf for category raw", refused)
        self.assertIn("on_demand_per_minute", refused)
        code = harness.psql(self.it.admin_url, "\\set VERBOSITY sqlstate\n do $$ begin for i in 0..9 loop "
                            "perform logmill.ensure_leaf('raw', timestamptz '2026-04-18 00:00+00' + i * interval '1 hour'); end loop; "
                            "exception when sqlstate 'LM002' then raise notice 'refused'; set logmill.got = 'LM002'; end $$;"
                            "select current_setting('logmill.got', true)")
        self.assertEqual(code[-1], ["LM002"])
        self.assertEqual(harness.psql(self.writer, "select ensure_leaves('0')"), [["0"]])  # ahead of time is not counted

    def test_infinite_times_are_refused(self):
        for at in ("infinity", "-infinity"):
            with self.assertRaisesRegex(RuntimeError, "no leaf holds records at"):
                self.ensure("raw", at)

    def test_two_that_have_copied_get_new_leaves_without_waiting_for_each_other(self):
        self.ensure("raw", "2026-03-17 00:00+00")
        row = ROW.format(at="2026-03-17 00:00:00+00", offset=1)
        later = ROW.format(at="2026-03-17 0%d:00:00+00", offset=2)
        sessions = []
        for _ in range(2):
            session = subprocess.Popen(["psql", self.writer, "-Xqt", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE, text=True)
            session.stdin.write("begin;\ncopy logs_raw%s from stdin;\n%s\\.\n" % (COLUMNS, row))
            session.stdin.flush()
            sessions.append(session)
        open_copies = "select count(*) from pg_stat_activity where usename = 'logmill_writer' and " \
                      "datname = current_database() and state = 'idle in transaction'"
        self.wait_until(lambda: self.it.value(open_copies) == "2")
        start = time.monotonic()
        for hour in (1, 2):
            self.ensure("raw", "2026-03-17 0%d:00+00" % hour)
        self.assertLess(time.monotonic() - start, 60)
        for hour, session in enumerate(sessions, 1):        # the open transactions see what was made meanwhile
            session.stdin.write("copy logs_raw%s from stdin;\n%s\\.\ncommit;\n" % (COLUMNS, later % hour))
            session.stdin.close()
            self.assertEqual(session.wait(30), 0)
        self.assertEqual(self.it.value("select count(*) from logmill.logs"), "4")

    def test_many_at_once_with_copies_and_a_reader_that_holds_everything(self):
        hours = 24
        self.ensure("raw", "2026-03-17 00:00+00")
        # A reader in the middle of a transaction: it holds ACCESS SHARE on every table of the tree.
        reader = subprocess.Popen(["psql", self.it.url("logmill_reader"), "-Xqt"], stdin=subprocess.PIPE, text=True,
                                  stdout=subprocess.DEVNULL)
        reader.stdin.write("begin; select count(*) from logs;\n")
        reader.stdin.flush()
        held = "select count(*) from pg_locks l join pg_stat_activity a using (pid) where a.usename = 'logmill_reader' " \
               "and a.datname = current_database() and l.relation = 'logmill.logs_raw'::regclass"
        self.wait_until(lambda: self.it.value(held) != "0")

        slowest, failures, copied = [0.0], [], [0] * 4

        def make(worker):
            for step in range(hours):
                hour = (step + 5 * worker) % hours
                start = time.monotonic()
                try:
                    self.ensure("raw", "2026-03-18 %02d:30+00" % hour)
                except RuntimeError as e:
                    failures.append(str(e))
                slowest[0] = max(slowest[0], time.monotonic() - start)

        def copy(worker):
            for step in range(hours):
                rows = "".join(ROW.format(at="2026-03-17 00:%02d:00+00" % i, offset=i) for i in range(50))
                try:
                    harness.psql(self.writer, "copy logs_raw%s from stdin;\n%s\\.\n" % (COLUMNS, rows))
                    copied[worker] += 50
                except RuntimeError as e:
                    failures.append(str(e))

        threads = [threading.Thread(target=make, args=(i,)) for i in range(6)]
        threads += [threading.Thread(target=copy, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertTrue(all(not t.is_alive() for t in threads), "somebody waits for the reader")
        reader.stdin.close()
        reader.wait(30)

        self.assertEqual(failures, [])
        self.assertLess(slowest[0], 60)
        self.assertEqual(self.it.value("select count(*) from logmill.leaf where category = 'raw' and lower >= '2026-03-18' "
                                       "and upper <= '2026-03-19'"), str(hours))
        self.assertEqual(self.it.value("select count(*) from logmill.logs"), str(sum(copied)))
        self.assertEqual(sum(copied), 4 * hours * 50)


if __name__ == "__main__":
    unittest.main()
