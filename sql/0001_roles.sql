-- Roles. They belong to the cluster, not to the database, so each is made only where it is missing.
--   logmill_owner   owns every object; migrations run as it
--   logmill_writer  the consumer: inserts and keeps rollups and positions; not the owner
--   logmill_reader  the agent's reads: read-only, its views only, everything it runs is bounded in time
--   logmill_agent   the agent's writes: the audit log and nothing else
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['logmill_owner', 'logmill_writer', 'logmill_reader', 'logmill_agent'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
    END LOOP;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT logmill_owner TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO logmill_owner', current_database());
END
$$;

ALTER ROLE logmill_writer LOGIN;
ALTER ROLE logmill_reader LOGIN NOINHERIT CONNECTION LIMIT 64;
ALTER ROLE logmill_agent LOGIN NOINHERIT CONNECTION LIMIT 16;

ALTER ROLE logmill_writer SET search_path = logmill;
ALTER ROLE logmill_writer SET idle_in_transaction_session_timeout = '30s';

ALTER ROLE logmill_reader SET search_path = logmill_read;
ALTER ROLE logmill_reader SET default_transaction_read_only = on;
ALTER ROLE logmill_reader SET statement_timeout = '30s';
ALTER ROLE logmill_reader SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE logmill_reader SET lock_timeout = '5s';
ALTER ROLE logmill_reader SET jit = off;
ALTER ROLE logmill_reader SET work_mem = '16MB';

ALTER ROLE logmill_agent SET search_path = logmill;
ALTER ROLE logmill_agent SET statement_timeout = '10s';

-- Needs a superuser: elsewhere the guard of the agent stands alone, and `logmill-ctl doctor` says so.
DO $$
BEGIN
    ALTER ROLE logmill_reader SET temp_file_limit = '1GB';
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'temp_file_limit of logmill_reader not set: the migration does not run as a superuser';
END
$$;
