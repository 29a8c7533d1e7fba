"""Rows as the consumer would have stored them, for the tests of the agent: logs, rollups, names and progress.

5,000 records, one every 16 seconds back from the start of the present hour, in category raw; four services, all levels, errors with
types, some with endpoint and status. Nothing lies in the current hour, so a late record into it changes only what it should; all of
it lies in the last 24 hours until nearly two have passed, so that a question about those has one answer whenever it is asked.
"""
import contextlib
import subprocess

import harness

# A test may hold a lock, or not read its export, for longer than the reader's own time-outs.
ROWS = """
do $$ begin execute format('alter role logmill_reader in database %I set lock_timeout = 0', current_database());
      execute format('alter role logmill_reader in database %I set idle_in_transaction_session_timeout = 0', current_database()); end $$;
select logmill.ensure_leaf('raw', date_trunc('hour', now(), 'UTC') - i * interval '1 hour') from generate_series(-1, 25) i;
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, host, component, error_type,
                          http_status, endpoint, method, duration_ms, user_id, trace_id, client_ip, tags, metadata,
                          kafka_partition, kafka_offset, ingested_at, pattern)
select at, 'raw', (enum_range(null::logmill.log_level))[1 + i % 5], 'BACKEND',
       (array['payment-service', 'order-service', 'auth-service', 'catalog-service'])[1 + i % 4], 'production',
       'message ' || i || case when i % 10 = 0 then ' timeout' else '' end, 'host-' || i % 3, 'core',
       case when i % 5 > 2 then (array['PaymentTimeout', 'LockConflict', 'BadInput'])[1 + i % 3] end,
       case when i % 2 = 0 then (array[200, 404, 500])[1 + i % 3] end, case when i % 2 = 0 then '/api/items/' || i % 5 end,
       case when i % 2 = 0 then 'GET' end, i % 300, 'u' || i % 50, lpad(to_hex(i / 2), 32, '0'), ('10.0.0.' || i % 20)::inet,
       array['a', 'b' || i % 3], jsonb_build_object('retry', i % 4), i % 2, i, at, i % 3
from generate_series(1, 5000) i, lateral (select date_trunc('hour', now(), 'UTC') - i * interval '16 s' as at) t;
insert into logmill.log_name
select k.kind, k.value, category, service, environment, kafka_partition, min(created_at), max(created_at), count(*)
from logmill.logs, lateral (values ('service', service), ('environment', environment), ('host', host), ('component', component),
     ('endpoint', endpoint), ('error_type', error_type), ('metadata_key', 'retry')) k (kind, value)
where k.value is not null group by 1, 2, 3, 4, 5, 6;
insert into logmill.ingest_offset (topic, partition, next_offset, committed_time, updated_at, checked_at)
select 'logs.raw', p, 5001, now(), now(), 'infinity' from generate_series(0, 1) p;
"""

# One more record, with what the consumer's closing message does besides: rollup, and the version of its hour.
LATE = """
insert into logmill.logs (created_at, category, level, log_type, service, environment, message, kafka_partition, kafka_offset,
                          ingested_at, pattern)
values ('{at}', 'raw', '{level}', 'BACKEND', '{service}', 'production', 'late', 0, {offset}, now(), 1);
insert into logmill.log_rollup_minute (minute, category, service, environment, level, kafka_partition, n)
values (date_trunc('minute', '{at}'::timestamptz, 'UTC'), 'raw', '{service}', 'production', '{level}', 0, 1)
on conflict (minute, category, service, environment, level, kafka_partition) do update set n = log_rollup_minute.n + 1;
select logmill.add_totals('raw', 0, array[(extract(epoch from date_trunc('minute', '{at}'::timestamptz, 'UTC')) * 1000000)::bigint], '{{{level}}}', '{{1}}');
select logmill.add_counts_apart('raw', 0, array[(extract(epoch from date_trunc('minute', '{at}'::timestamptz, 'UTC')) * 1000000)::bigint], '{{{service}}}',
                                '{{production}}', '{{{level}}}', '{{1}}');
insert into logmill.data_epoch as e values ('raw', 0, date_trunc('hour', '{at}'::timestamptz, 'UTC'), 1)
on conflict (category, kafka_partition, hour) do update set version = e.version + 1;
"""


def fill(world):
    world.rows(ROWS)
    world.rows((harness.ROOT / "tests" / "data" / "agent_rollups.sql").read_text(encoding="utf-8"))


def late(world, at, offset, level="ERROR", service="payment-service"):
    world.rows("begin; set search_path = logmill;" + LATE.format(at=at, level=level, service=service, offset=offset) + "commit;")


PATIENT = ("--statement-timeout", "1h")                     # statements wait for locks as long as a test holds them


class Agents(harness.Case):
    """One database with stored rows for the whole class; agents are started as needed."""

    agent_options = ()

    @classmethod
    def setUpClass(cls):
        cls.shared = harness.World(harness.Servers(), topics=False)
        cls.prepare()

    @classmethod
    def prepare(cls):
        fill(cls.shared)

    @classmethod
    def tearDownClass(cls):
        stuck = cls.shared.close()
        if stuck:
            raise AssertionError("programs that SIGTERM did not end: %s" % stuck)

    def start(self, *options, **more):
        agent = self.shared.start("logmill-agent", *(PATIENT + self.agent_options + options), **more)
        self.addCleanup(lambda: self.assertIn(agent.terminate(), (0,), agent.log()[-2000:]))
        return agent

    @contextlib.contextmanager
    def locked(self, world=None, relation="logmill.log_rollup_minute, logmill.total_minute, logmill.count_minute"):
        """Whoever reads the relation, or any of them, waits until the block ends."""
        world = world or self.shared
        p = subprocess.Popen(["psql", world.admin_url, "-Xq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        p.stdin.write("begin;\nlock table %s in access exclusive mode;\nselect 'locked';\n" % relation)
        p.stdin.flush()
        while "locked" not in p.stdout.readline():
            pass
        try:
            yield
        finally:
            p.stdin.write("rollback;\n\\q\n")
            p.stdin.close()
            p.stdout.close()
            p.wait(20)

    def lock(self):
        """The same until what is returned is called, once or again."""
        stack = contextlib.ExitStack()
        stack.enter_context(self.locked())
        return stack.close

    def waiting(self):
        """Statements of agents that wait for a lock."""
        return int(self.shared.value("select count(*) from pg_stat_activity where datname = current_database() and "
                                     "application_name = 'logmill-agent' and wait_event_type = 'Lock'"))
