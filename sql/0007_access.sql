-- Who may see and do what.
--
-- The reader sees the views of logmill_read and nothing else: it has no USAGE on schema logmill, so it can name no table
-- there, and the views, running with its own rights (security_invoker), reach the columns granted to it. Row security
-- hides what is deleted; the writer's policies let everything through, the owner is not subject to them. COPY FROM is
-- refused on a table with row security for a role it applies to: the writer copies into logs_<category>, which has none.
SET LOCAL ROLE logmill_owner;

-- 1. What the reader reads.

CREATE VIEW logmill_read.logs WITH (security_invoker = true) AS
    SELECT created_at, category, level, log_type, service, environment, message, host, component, module, event_type,
           user_id, session_id, trace_id, span_id, error_type, error_code, stack_trace, http_status, endpoint, method,
           duration_ms, client_ip, page_path, browser, device, tags, metadata, kafka_partition, kafka_offset,
           ingested_at, pattern
    FROM logmill.logs;

CREATE VIEW logmill_read.log_rollup_minute WITH (security_invoker = true) AS
    SELECT minute, category, service, environment, level, kafka_partition, n, duration_n, duration_sum_us,
           duration_max_us
    FROM logmill.log_rollup_minute;

-- One row a bucket of common/duration.h.
CREATE VIEW logmill_read.log_duration_minute WITH (security_invoker = true) AS
    SELECT r.minute, r.category, r.service, r.environment, r.level, r.kafka_partition, u.bucket, u.n
    FROM logmill.log_rollup_minute r CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n);

CREATE VIEW logmill_read.error_pattern_hour WITH (security_invoker = true) AS
    SELECT hour, category, service, environment, error_type, pattern, kafka_partition, n, first_seen, last_seen, sample
    FROM logmill.error_pattern_hour;

CREATE VIEW logmill_read.log_pattern WITH (security_invoker = true) AS
    SELECT pattern, template, first_seen FROM logmill.log_pattern;

CREATE VIEW logmill_read.log_name WITH (security_invoker = true) AS
    SELECT kind, value, category, service, environment, kafka_partition, first_seen, last_seen, n
    FROM logmill.log_name;

CREATE VIEW logmill_read.data_epoch WITH (security_invoker = true) AS
    SELECT category, kafka_partition, hour, version FROM logmill.data_epoch;

CREATE VIEW logmill_read.ingest_progress WITH (security_invoker = true) AS
    SELECT topic, partition, committed_time, updated_at FROM logmill.ingest_offset;

-- Days are UTC.
CREATE VIEW logmill_read.daily_log_summary WITH (security_invoker = true) AS
    SELECT date_trunc('day', minute, 'UTC') AS day, category, service, environment, level,
           sum(n)::bigint AS n, sum(duration_n)::bigint AS duration_n,
           sum(duration_sum_us)::double precision / nullif(sum(duration_n), 0)::double precision / 1000 AS duration_avg_ms,
           max(duration_max_us)::double precision / 1000 AS duration_max_ms
    FROM logmill.log_rollup_minute
    GROUP BY date_trunc('day', minute, 'UTC'), category, service, environment, level;

CREATE VIEW logmill_read.error_patterns WITH (security_invoker = true) AS
    SELECT e.hour, e.category, e.service, e.environment, nullif(e.error_type, '') AS error_type, e.pattern, p.template,
           e.n, e.first_seen, e.last_seen, e.sample
    FROM (SELECT hour, category, service, environment, error_type, pattern, sum(n)::bigint AS n,
                 min(first_seen) AS first_seen, max(last_seen) AS last_seen, min(sample) AS sample
          FROM logmill.error_pattern_hour
          GROUP BY hour, category, service, environment, error_type, pattern) e
    LEFT JOIN logmill.log_pattern p ON p.pattern = e.pattern;

-- Percentiles are within 3 %: the middle of the bucket they fall into, 2γ^b / (γ + 1) µs with γ = 1.06.
CREATE VIEW logmill_read.performance_metrics WITH (security_invoker = true) AS
    SELECT m.minute, m.category, m.service, m.environment, m.n, m.errors, m.duration_n,
           m.duration_sum_us / nullif(m.duration_n, 0) / 1000 AS duration_avg_ms,
           m.duration_max_us::double precision / 1000 AS duration_max_ms,
           p.p50 AS duration_p50_ms, p.p95 AS duration_p95_ms, p.p99 AS duration_p99_ms
    FROM (SELECT minute, category, service, environment, sum(n)::bigint AS n,
                 coalesce(sum(n) FILTER (WHERE level >= 'ERROR'), 0)::bigint AS errors,
                 sum(duration_n)::bigint AS duration_n, sum(duration_sum_us)::double precision AS duration_sum_us,
                 max(duration_max_us) AS duration_max_us
          FROM logmill.log_rollup_minute
          GROUP BY minute, category, service, environment) m
    CROSS JOIN LATERAL (
        SELECT min(q.ms) FILTER (WHERE q.upto >= 0.50 * m.duration_n) AS p50,
               min(q.ms) FILTER (WHERE q.upto >= 0.95 * m.duration_n) AS p95,
               min(q.ms) FILTER (WHERE q.upto >= 0.99 * m.duration_n) AS p99
        FROM (SELECT exp(u.bucket * 0.05826890812397576) * 2 / 2.06 / 1000 AS ms,
                     sum(sum(u.n)) OVER (ORDER BY u.bucket) AS upto
              FROM logmill.log_rollup_minute r
              CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
              WHERE r.minute = m.minute AND r.category = m.category AND r.service = m.service
                  AND r.environment = m.environment
              GROUP BY u.bucket) q) p;

GRANT SELECT ON ALL TABLES IN SCHEMA logmill_read TO logmill_reader;

-- On logs without deleted_at, and never on a leaf: a leaf has no policy.
GRANT SELECT (created_at, category, level, log_type, service, environment, message, host, component, module, event_type,
              user_id, session_id, trace_id, span_id, error_type, error_code, stack_trace, http_status, endpoint, method,
              duration_ms, client_ip, page_path, browser, device, tags, metadata, kafka_partition, kafka_offset,
              ingested_at, pattern)
    ON logmill.logs TO logmill_reader;
GRANT SELECT (minute, category, service, environment, level, kafka_partition, n, duration_n, duration_sum_us,
              duration_max_us, duration_buckets, duration_counts)
    ON logmill.log_rollup_minute TO logmill_reader;
GRANT SELECT (hour, category, service, environment, error_type, pattern, kafka_partition, n, first_seen, last_seen, sample)
    ON logmill.error_pattern_hour TO logmill_reader;
GRANT SELECT (pattern, template, first_seen) ON logmill.log_pattern TO logmill_reader;
GRANT SELECT (kind, value, category, service, environment, kafka_partition, first_seen, last_seen, n)
    ON logmill.log_name TO logmill_reader;
GRANT SELECT (category, kafka_partition, hour, version) ON logmill.data_epoch TO logmill_reader;
GRANT SELECT (topic, partition, committed_time, updated_at) ON logmill.ingest_offset TO logmill_reader;

-- 2. What the writer and the agent write.

GRANT INSERT ON logmill.logs_raw, logmill.logs_summary, logmill.logs_training, logmill.logs_tagged TO logmill_writer;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON logmill.log_rollup_minute, logmill.error_pattern_hour, logmill.log_pattern, logmill.log_name, logmill.data_epoch,
       logmill.ingest_offset, logmill.ingest_source, logmill.ingest_replay
    TO logmill_writer;
GRANT SELECT ON logmill.log_schema, logmill.leaf, logmill.leaf_period TO logmill_writer;
-- Functions run with their caller's rights, but for ensure_leaf, ensure_leaves and leaves; what is inner to leaves and to soft
-- deletion stays the owner's.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA logmill TO logmill_writer;
REVOKE EXECUTE ON FUNCTION logmill.find_leaf, logmill.make_leaf, logmill.lock_leaves, logmill.shift_bucket, logmill.shift_minute,
                           logmill.shift_pattern, logmill.soft_delete
    FROM logmill_writer;

GRANT INSERT ON logmill.audit_log TO logmill_agent;

-- 3. Row security.

ALTER TABLE logmill.logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE logmill.log_rollup_minute ENABLE ROW LEVEL SECURITY;
ALTER TABLE logmill.error_pattern_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE logmill.log_pattern ENABLE ROW LEVEL SECURITY;
ALTER TABLE logmill.log_name ENABLE ROW LEVEL SECURITY;

CREATE POLICY reader ON logmill.logs FOR SELECT TO logmill_reader USING (deleted_at IS NULL);
CREATE POLICY reader ON logmill.log_rollup_minute FOR SELECT TO logmill_reader USING (true);
CREATE POLICY reader ON logmill.error_pattern_hour FOR SELECT TO logmill_reader USING (true);
CREATE POLICY reader ON logmill.log_pattern FOR SELECT TO logmill_reader USING (true);
CREATE POLICY reader ON logmill.log_name FOR SELECT TO logmill_reader USING (true);

CREATE POLICY writer ON logmill.logs TO logmill_writer USING (true) WITH CHECK (true);
CREATE POLICY writer ON logmill.log_rollup_minute TO logmill_writer USING (true) WITH CHECK (true);
CREATE POLICY writer ON logmill.error_pattern_hour TO logmill_writer USING (true) WITH CHECK (true);
CREATE POLICY writer ON logmill.log_pattern TO logmill_writer USING (true) WITH CHECK (true);
CREATE POLICY writer ON logmill.log_name TO logmill_writer USING (true) WITH CHECK (true);

-- 4. What PostgreSQL lets everybody do, and nobody who reads logs needs.

-- Functions of pg_catalog that hold locks or time, change settings, write large objects, run SQL given as text, signal
-- others or use up transaction ids, all in a read-only transaction and all granted to PUBLIC by default. Found by name, so
-- that every overload and every later version's is among them.
CREATE VIEW logmill.hazardous_function AS
    SELECT p.oid, p.oid::regprocedure AS signature, p.proname::text AS name
    FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
        AND (p.proname ~ '^pg_(try_)?advisory_|^lo_|^pg_sleep|_to_xml'
             OR p.proname IN ('loread', 'lowrite', 'set_config', 'ts_stat', 'ts_rewrite', 'pg_notify',
                              'pg_cancel_backend', 'pg_terminate_backend', 'pg_log_backend_memory_contexts',
                              'pg_logical_emit_message', 'pg_export_snapshot', 'pg_current_xact_id', 'txid_current'));

-- What should hold and does not, and how to make it hold; nothing when all is well. `logmill-ctl status` prints it.
CREATE VIEW logmill.unmet_limit AS
    SELECT 'everybody may call ' || string_agg(DISTINCT f.name, ', ' ORDER BY f.name) AS what,
           'run section 4 of sql/0007_access.sql as a superuser; until then the guard of the agent stands alone' AS remedy
    FROM logmill.hazardous_function f
    WHERE has_function_privilege('logmill_reader', f.oid, 'EXECUTE')
    HAVING count(*) > 0
    UNION ALL
    SELECT 'role logmill_reader has no ' || s.name, format('as a superuser: ALTER ROLE logmill_reader SET %s = %L', s.name, s.value)
    FROM (VALUES ('temp_file_limit', '1GB'), ('statement_timeout', '30s'), ('lock_timeout', '5s'),
                 ('idle_in_transaction_session_timeout', '30s'), ('work_mem', '16MB'),
                 ('default_transaction_read_only', 'on')) AS s (name, value)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r, unnest(r.rolconfig) AS c (setting)
                      WHERE r.rolname = 'logmill_reader' AND c.setting LIKE s.name || '=%')
    UNION ALL
    SELECT 'role logmill_reader may make temporary tables',
           format('as the owner of the database: REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database())
    WHERE has_database_privilege('logmill_reader', current_database(), 'TEMPORARY')
    UNION ALL
    SELECT 'max_locks_per_transaction is ' || current_setting('max_locks_per_transaction'),
           'a dozen queries over 800 leaves exhaust it: set it to 1024 in postgresql.conf and restart PostgreSQL'
    WHERE current_setting('max_locks_per_transaction')::integer < 1024;

RESET ROLE;

DO $$
DECLARE
    f record;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE NOTICE 'functions of pg_catalog not revoked from PUBLIC: the migration does not run as a superuser; '
                     'logmill-ctl status lists them';
        RETURN;
    END IF;
    FOR f IN SELECT signature, name FROM logmill.hazardous_function LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO logmill_owner', f.signature);
        -- The consumer ends the backend of a stopped one that still holds a partition's locks.
        IF f.name ~ '^pg_(try_)?advisory_' OR f.name IN ('set_config', 'pg_cancel_backend', 'pg_terminate_backend') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO logmill_writer', f.signature);
        END IF;
    END LOOP;
END
$$;

-- A read-only transaction may write to temporary tables, and CREATE in public is open to all in databases of old.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO logmill_owner, logmill_writer', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'temporary tables not revoked from PUBLIC: the migration does not run as the owner of the database';
END
$$;
