"""What the role logmill_reader itself holds, with the guard out of the way.

Every SQL line of hostile_inputs.tsv goes straight to PostgreSQL as the agent would send it (BEGIN READ ONLY, SET LOCAL
statement_timeout, the statement in the extended protocol, ROLLBACK and what DISCARD ALL does but for plans), and once more in the simple protocol, where
several statements in one text run. Around it stand what an attacker hopes for: users, keys, an audit trail, a function of
the owner's that writes. libpq is called through ctypes, for psql 15 cannot send the extended protocol.
"""
import csv
import ctypes
import ctypes.util
import os
import unittest

import harness

TIMEOUT_MS = 1500
LONG_MS = 60000                                             # for what is to run, or to be refused, on a slow machine too
SECRET = "s3cr3t-never-to-be-seen"
TIDY = ("CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; DISCARD TEMP; "
        "DISCARD SEQUENCES")                                # behind ROLLBACK, as in agent/database/execute.c

SCAFFOLD = """
create table public.app_users (id integer, email text, password text);
insert into public.app_users values (1, 'alice@example.com', '{secret}');
set role logmill_owner;
create table logmill.api_key (prefix text, hash text);
insert into logmill.api_key values ('lm_abc', '{secret}');
insert into logmill.audit_log (request_id, role, question, verdict) values ('r1', '{secret}', '{secret}', 'pass');
create function logmill_read.bump() returns integer language sql security definer
    as $$ insert into logmill.audit_log (request_id, role, question, verdict) values ('bump', '', '', '') returning 1 $$;
reset role;
create function public.bump() returns integer language sql security definer
    as $$ insert into public.app_users values (2, 'bump', '') returning 1 $$;
select logmill.ensure_leaf('raw', date_trunc('hour', now()) - i * interval '1 hour') from generate_series(-1, 30) i;
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, error_type, duration_ms, user_id,
                          endpoint, tags, metadata, kafka_partition, kafka_offset, ingested_at, pattern)
select now() - i * interval '5 s', 'raw', (enum_range(null::logmill.log_level))[1 + i % 5], 'BACKEND', 'svc' || i % 7,
       'production', 'message ' || i, case when i % 3 = 0 then 'E' || i % 4 end, i % 500, 'u' || i % 100, '/api/' || i % 9,
       array['a', 'b'], '{{"retry": 3}}', i % 4, i, now(), i % 5
from generate_series(1, 20000) i;
update logmill.logs set message = '{secret}', deleted_at = now() where kafka_offset <= 5;
"""

# Counts of every table and the objects there are: nothing of it may move. Statistics and the like are not data, and other databases
# of the server are other tests' to set up.
STATE = """
select 'tables', count(*)::text from pg_class
union all select 'functions', count(*)::text from pg_proc
union all select 'role settings', md5(string_agg(s::text, ' ' order by s::text)) from pg_db_role_setting s
    where setdatabase in (0, (select oid from pg_database where datname = current_database()))
union all select 'large objects', count(*)::text from pg_largeobject_metadata
union all select 'prepared transactions', count(*)::text from pg_prepared_xacts where database = current_database()
union all select c.oid::regclass::text, (xpath('/row/n/text()', query_to_xml('select count(*) as n from ' || c.oid::regclass,
                                         false, true, '')))[1]::text
from pg_class c where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'logmill'::regnamespace,
                                                            'logmill_read'::regnamespace)
order by 1
"""


class Libpq:
    """A connection through libpq itself."""

    lib = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
    for name, result in (("PQconnectdb", ctypes.c_void_p), ("PQexec", ctypes.c_void_p), ("PQexecParams", ctypes.c_void_p),
                         ("PQerrorMessage", ctypes.c_char_p), ("PQgetvalue", ctypes.c_char_p),
                         ("PQresultErrorField", ctypes.c_char_p), ("PQresultErrorMessage", ctypes.c_char_p)):
        getattr(lib, name).restype = result
    lib.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    lib.PQresultErrorField.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.PQexecParams.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int] + [ctypes.c_void_p] * 4 + [ctypes.c_int]
    for name in ("PQstatus", "PQresultStatus", "PQntuples", "PQnfields", "PQclear", "PQfinish", "PQerrorMessage",
                 "PQresultErrorMessage", "PQbackendPID", "PQtransactionStatus"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]

    ignore_notice = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)(lambda context, text: None)
    lib.PQsetNoticeProcessor.argtypes = [ctypes.c_void_p, type(ignore_notice), ctypes.c_void_p]
    lib.PQsetNoticeProcessor.restype = ctypes.c_void_p

    def __init__(self, url):
        self.connection = self.lib.PQconnectdb(url.encode())
        if self.lib.PQstatus(self.connection) != 0:
            raise RuntimeError(self.lib.PQerrorMessage(self.connection).decode())
        self.lib.PQsetNoticeProcessor(self.connection, self.ignore_notice, None)
        self.pid = self.lib.PQbackendPID(self.connection)

    def answer(self, result):
        """(SQLSTATE or None, all that came back as one text)."""
        try:
            status = self.lib.PQresultStatus(result)
            if status not in (0, 1, 2):                     # empty, command, tuples
                state = self.lib.PQresultErrorField(result, ord("C"))
                return (state or b"?????").decode(), self.lib.PQresultErrorMessage(result).decode(errors="replace")
            cells = [self.lib.PQgetvalue(result, row, column).decode(errors="replace")
                     for row in range(self.lib.PQntuples(result)) for column in range(self.lib.PQnfields(result))]
            return None, "\t".join(cells)
        finally:
            self.lib.PQclear(result)

    def simple(self, sql):
        return self.answer(self.lib.PQexec(self.connection, sql.encode()))

    def extended(self, sql):
        return self.answer(self.lib.PQexecParams(self.connection, sql.encode(), 0, None, None, None, None, 0))

    def close(self):
        self.lib.PQfinish(self.connection)


def cases(name):
    path = harness.CASES / name
    if not path.exists():
        raise unittest.SkipTest("%s is not there: set LOGMILL_CASES_DIR" % path)
    with open(path, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


class ReaderRole(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.it = harness.World(harness.Servers(), topics=False)
        cls.addClassCleanup(cls.it.close)
        cls.it.rows(SCAFFOLD.format(secret=SECRET))
        # A password's hash to look for in what comes back; the role goes with the database.
        cls.role = cls.it.name + "_login"
        cls.it.rows("create role %s login password '%s'" % (cls.role, SECRET))
        cls.addClassCleanup(cls.it.rows, "drop role %s" % cls.role)
        cls.hash = cls.it.value("select rolpassword from pg_authid where rolname = '%s'" % cls.role)
        cls.admin = Libpq(cls.it.admin_url)
        cls.addClassCleanup(cls.admin.close)

    def setUp(self):
        self.reader = Libpq(self.it.url("logmill_reader"))
        self.addCleanup(self.reader.close)

    def state(self):
        code, text = self.admin.simple(STATE)
        self.assertIsNone(code, text)
        return text

    def settings(self):
        """Every setting of the session but those of the transaction."""
        code, text = self.reader.simple("select name, setting, source from pg_settings where name not like 'transaction_%' order by 1")
        self.assertIsNone(code, text)
        return text

    def left(self):
        """What the reader's session holds, seen from outside."""
        code, text = self.admin.simple(
            "select locktype, mode from pg_locks where pid = %d union all select 'temporary', relname from pg_class where "
            "relpersistence = 't' union all select 'listens', state from pg_stat_activity where pid = %d and state <> 'idle'"
            % (self.reader.pid, self.reader.pid))
        self.assertIsNone(code, text)
        return text

    def cpu(self):
        """Seconds that the reader's backend has computed."""
        with open("/proc/%d/stat" % self.reader.pid, encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def request(self, run, sql, end="ROLLBACK", timeout=LONG_MS):
        """As the agent does it, up to TIDY."""
        code, text = self.reader.simple("BEGIN READ ONLY; SET LOCAL statement_timeout = %d" % timeout)
        self.assertIsNone(code, text)
        answer = run(sql)
        self.reader.simple(end)
        return answer

    def hostile(self, run, strict, end="ROLLBACK"):
        """`strict`: no lock and no setting may be left even before TIDY."""
        before, settings = self.state(), self.settings()
        rows = [c for c in cases("hostile_inputs.tsv") if c["kind"] == "sql"]
        self.assertGreater(len(rows), 50)
        for case in rows:
            with self.subTest(case=case["id"], sql=case["payload"]):
                # It ends by itself or is ended. By the backend's own clock: others may hold the machine up.
                spent = self.cpu()
                _, text = self.request(run, case["payload"], end, TIMEOUT_MS)
                self.assertLess(self.cpu() - spent, TIMEOUT_MS / 1000 + 10)
                self.assertNotIn(SECRET, text)
                self.assertNotIn(self.hash, text)
                self.assertNotIn("SCRAM-SHA-256$", text)
                self.assertNotIn("root:", text)             # /etc/passwd
                if strict:
                    self.assertEqual(self.settings(), settings)
                    self.assertEqual(self.left(), "")
                code, message = self.reader.simple(TIDY)
                self.assertIsNone(code, message)
                self.assertEqual(self.settings(), settings)
                self.assertEqual(self.left(), "")
                self.assertEqual(self.reader.simple("select count(*) from pg_prepared_statements, pg_cursors"), (None, "0"))
                self.assertEqual(self.state(), before)

    def test_hostile_sql_in_the_extended_protocol_leaves_nothing_and_sees_nothing(self):
        self.hostile(self.reader.extended, strict=True)

    def test_hostile_sql_has_nothing_to_commit(self):
        """A ROLLBACK would hide what a function wrote or set: the role must not be able to in the first place."""
        self.hostile(self.reader.extended, strict=True, end="COMMIT")

    def test_hostile_sql_in_the_simple_protocol_leaves_nothing_and_sees_nothing(self):
        self.hostile(self.reader.simple, strict=False)

    def test_legitimate_sql_runs(self):
        for case in cases("legit_sql.tsv"):
            with self.subTest(case=case["id"], sql=case["sql"]):
                code, text = self.request(self.reader.extended, case["sql"])
                self.assertIsNone(code, text)
        _, count = self.request(self.reader.extended, "SELECT count(*) FROM logs")
        self.assertEqual(count, "19995")                    # five are deleted

    def test_every_view_can_be_read(self):
        views = [r[0] for r in self.it.rows("select viewname from pg_views where schemaname = 'logmill_read' order by 1")]
        self.assertEqual(views, ["counts_since", "daily_log_summary", "data_epoch", "error_pattern_hour", "error_patterns", "fold_day", "fold_hour",
                         "ingest_progress", "log_duration_day", "log_duration_hour", "log_duration_minute", "log_name",
                         "log_pattern", "log_rollup_day", "log_rollup_hour", "log_rollup_minute", "logs", "own_scope", "performance_metrics",
                         "rows_since", "seconds_minute", "seconds_since"])
        for view in views:
            code, text = self.request(self.reader.extended, "SELECT * FROM %s LIMIT 3" % view)
            self.assertIsNone(code, text)
            code, text = self.reader.simple("BEGIN; SET LOCAL transaction_read_only = off; DELETE FROM %s" % view)
            self.assertIn(code, ("42501", "55000"), text)   # no privilege, or not a view that could be deleted from
            self.reader.simple("ROLLBACK")

    def test_what_the_role_may_not_is_refused_also_without_read_only(self):
        leaf = self.it.value("select name from logmill.leaf where category = 'raw' limit 1")
        refused = {
            "42501": ["SELECT * FROM logmill.logs", "SELECT * FROM logmill.%s" % leaf, "SELECT * FROM logmill.audit_log",
                      "SELECT * FROM logmill.ingest_offset", "SELECT * FROM logmill.ingest_source", "SELECT * FROM logmill.api_key",
                      "SELECT * FROM public.app_users", "SELECT * FROM pg_authid", "SELECT * FROM pg_shadow",
                      "SELECT * FROM pg_largeobject", "SELECT * FROM pg_user_mapping", "SELECT * FROM pg_statistic",
                      "SELECT * FROM pg_hba_file_rules", "SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('/')",
                      "SELECT bump()", "SELECT logmill.ensure_leaf('raw', now())", "SELECT logmill.soft_delete()",
                      "CREATE TEMP TABLE t (i integer)", "CREATE TABLE logmill_read.t (i integer)", "CREATE TABLE public.t (i integer)",
                      "INSERT INTO logs (message) VALUES ('x')", "UPDATE logs SET message = 'x'", "DELETE FROM logs",
                      "COPY logs TO PROGRAM 'cat'", "COPY logs FROM '/etc/passwd'", "LOCK TABLE logs IN EXCLUSIVE MODE",
                      "SELECT pg_sleep(1)", "SELECT pg_sleep_for('1 s')", "SELECT pg_sleep_until(now() + interval '1 s')",
                      "SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(1, 2)", "SELECT pg_advisory_unlock_all()",
                      "SELECT set_config('statement_timeout', '0', false)", "SELECT lo_create(0)", "SELECT lo_get(1)", "SELECT loread(1, 1)",
                      "SELECT query_to_xml('select 1', true, true, '')", "SELECT table_to_xmlschema('pg_class', true, true, '')",
                      "SELECT database_to_xml(true, true, '')", "SELECT ts_stat('select 1')",
                      "SELECT ts_rewrite('a'::tsquery, 'select 1')", "SELECT pg_notify('a', 'b')", "SELECT txid_current()",
                      "SELECT pg_current_xact_id()", "SELECT pg_export_snapshot()", "SELECT pg_terminate_backend(1)",
                      "SELECT pg_cancel_backend(1)", "SELECT pg_reload_conf()", "SELECT pg_logical_emit_message(true, 'a', 'b')",
                      "SET ROLE logmill_owner", "SET SESSION AUTHORIZATION postgres", "SET temp_file_limit = -1",
                      "GRANT logmill_owner TO logmill_reader", "ALTER ROLE logmill_reader SUPERUSER"],
            "42P01": ["SELECT * FROM audit_log", "SELECT * FROM app_users", "SELECT * FROM ingest_offset", "SELECT * FROM %s" % leaf],
            "42703": ["SELECT deleted_at FROM logs", "SELECT ctid FROM logs", "SELECT duration_buckets FROM log_rollup_minute"],
        }
        before = self.state()
        for code, statements in refused.items():
            for sql in statements:
                with self.subTest(sql=sql):
                    self.reader.simple("BEGIN READ WRITE; SET LOCAL statement_timeout = %d" % LONG_MS)
                    got, text = self.reader.extended(sql)
                    self.reader.simple("ROLLBACK")
                    self.assertEqual(got, code, text)
        self.assertEqual(self.state(), before)

    def test_its_own_settings_are_safe_in_a_read_only_transaction(self):
        """PostgreSQL lets every role alter its own defaults; only READ ONLY forbids it, and status tells when they are gone."""
        self.reader.simple("BEGIN READ ONLY")
        code, text = self.reader.extended("ALTER ROLE logmill_reader RESET ALL")
        self.assertEqual(code, "25006", text)

    def test_row_security_cannot_be_switched_off(self):
        self.reader.simple("SET row_security = off")
        code, text = self.reader.extended("SELECT count(*) FROM logs")
        self.assertEqual(code, "42501", text)               # an error, never the hidden rows

    def test_limits_of_the_role_are_in_force(self):
        for name, value in (("statement_timeout", "30s"), ("temp_file_limit", "1GB"), ("work_mem", "16MB"), ("jit", "off"),
                            ("default_transaction_read_only", "on"), ("search_path", "logmill_read"), ("lock_timeout", "5s"),
                            ("idle_in_transaction_session_timeout", "30s")):
            self.assertEqual(self.reader.simple("show " + name), (None, value), name)
        self.assertEqual(self.it.rows("select rolinherit, rolconnlimit > 0, rolsuper, rolbypassrls, rolcreaterole from pg_roles "
                                      "where rolname = 'logmill_reader'"), [["f", "t", "f", "f", "f"]])

    def test_the_agent_role_can_write_the_audit_and_nothing_else(self):
        agent = Libpq(self.it.url("logmill_agent"))
        self.addCleanup(agent.close)
        code, text = agent.simple("BEGIN; INSERT INTO audit_log (request_id, role, question, verdict) VALUES ('1', 'a', 'q', 'pass'); "
                                  "ROLLBACK")
        self.assertIsNone(code, text)
        for sql in ("SELECT * FROM audit_log", "DELETE FROM audit_log", "UPDATE audit_log SET role = ''", "SELECT * FROM logs",
                    "SELECT * FROM log_rollup_minute", "SELECT * FROM api_key", "SELECT ensure_leaf('raw', now())",
                    "CREATE TABLE t (i integer)"):
            with self.subTest(sql=sql):
                code, text = agent.extended(sql)
                self.assertEqual(code, "42501", text)

    def test_the_writer_copies_with_row_security_on_and_reads_no_logs(self):
        writer = self.it.url("logmill_writer")
        columns = "(created_at,category,level,log_type,service,environment,message,kafka_partition,kafka_offset,ingested_at)"
        row = "now\traw\tINFO\tBACKEND\tpay\tproduction\thello\t0\t1\tnow\n\\.\n"
        harness.psql(writer, "begin; copy logs_raw%s from stdin;\n%s rollback;" % (columns, row))
        for sql, message in (("copy logs%s from stdin;\n%s" % (columns, row), "permission denied|row-level security"),
                             ("select * from logs", "permission denied"), ("select * from logs_raw", "permission denied"),
                             ("select * from audit_log", "permission denied"), ("select * from api_key", "permission denied"),
                             ("update logs set deleted_at = now()", "permission denied"),
                             ("drop table logs_raw", "must be owner"), ("select make_leaf('raw', now())", "permission denied")):
            with self.subTest(sql=sql), self.assertRaisesRegex(RuntimeError, message):
                harness.psql(writer, sql)


if __name__ == "__main__":
    unittest.main()
