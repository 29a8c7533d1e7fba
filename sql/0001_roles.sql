-- Roles. They belong to the cluster, not to the database, so each is made, and each of its settings set, only where it is
-- missing: what an operator chose for another database stays.
--   logmill_owner   owns every object; migrations run as it
--   logmill_writer  the consumer: inserts and keeps rollups and positions; not the owner
--   logmill_reader  the agent's reads: read-only, its views only, everything it runs is bounded in time
--   logmill_agent   the agent's writes: the audit log and nothing else
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM (VALUES
        ('logmill_owner',  'NOLOGIN'),
        ('logmill_writer', 'LOGIN'),
        ('logmill_reader', 'LOGIN NOINHERIT CONNECTION LIMIT 64'),
        ('logmill_agent',  'LOGIN NOINHERIT CONNECTION LIMIT 16')) AS v (name, attributes)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name) THEN
            EXECUTE format('CREATE ROLE %I %s', r.name, r.attributes);
        END IF;
    END LOOP;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT logmill_owner TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO logmill_owner', current_database());
END
$$;

DO $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT * FROM (VALUES
        ('logmill_writer', 'search_path', 'logmill'),
        ('logmill_writer', 'idle_in_transaction_session_timeout', '30s'),
        ('logmill_reader', 'search_path', 'logmill_read'),
        ('logmill_reader', 'default_transaction_read_only', 'on'),
        ('logmill_reader', 'statement_timeout', '30s'),
        ('logmill_reader', 'idle_in_transaction_session_timeout', '30s'),
        ('logmill_reader', 'lock_timeout', '5s'),
        ('logmill_reader', 'jit', 'off'),
        ('logmill_reader', 'work_mem', '16MB'),
        ('logmill_reader', 'temp_file_limit', '1GB'),
        ('logmill_agent',  'search_path', 'logmill'),
        ('logmill_agent',  'statement_timeout', '10s')) AS v (role, name, value)
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles r, unnest(r.rolconfig) AS c (setting)
                              WHERE r.rolname = s.role AND c.setting LIKE s.name || '=%');
        BEGIN
            EXECUTE format('ALTER ROLE %I SET %s = %L', s.role, s.name, s.value);
        EXCEPTION WHEN insufficient_privilege THEN
            -- temp_file_limit: the guard of the agent stands alone then, and `logmill-ctl status` says so.
            RAISE NOTICE '% of % not set: the migration does not run as a superuser', s.name, s.role;
        END;
    END LOOP;
END
$$;
