-- API keys, and scopes: what a key may see where it may not see everything.
--
-- A scope is a pair of lists, services and environments (NULL: all), and a database role of its own that the reader takes on
-- for the time of one transaction. The policies look its lists up once a statement, by the role's name; so a new scope is a row
-- and a role, and no table is locked for it. Keys with the same lists share a scope.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'logmill_scoped') THEN
        CREATE ROLE logmill_scoped NOLOGIN; -- every logmill_scope_<id> is a member
    END IF;
END
$$;
SET LOCAL ROLE logmill_owner;

CREATE TABLE logmill.access_scope (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role         name NOT NULL GENERATED ALWAYS AS (('logmill_scope_' || id::text)::name) STORED UNIQUE,
    services     text[] CHECK (cardinality(services) BETWEEN 1 AND 32 AND array_position(services, NULL) IS NULL),
    environments text[] CHECK (cardinality(environments) BETWEEN 1 AND 32 AND array_position(environments, NULL) IS NULL),
    version      bigint NOT NULL DEFAULT 1,
    CHECK (services IS NOT NULL OR environments IS NOT NULL),
    UNIQUE NULLS NOT DISTINCT (services, environments)
);

-- What was cached under the lists as they were is not found any more.
CREATE FUNCTION logmill.raise_scope_version() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER raise_version BEFORE UPDATE ON logmill.access_scope
    FOR EACH ROW EXECUTE FUNCTION logmill.raise_scope_version();

-- Of a key only its prefix, which names it, and the SHA-256 of all of it are kept.
CREATE TABLE logmill.access_key (
    prefix       text PRIMARY KEY CHECK (prefix ~ '^[0-9A-Za-z]{8}$'),
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    name         text NOT NULL,
    role         text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    scope        integer REFERENCES logmill.access_scope,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by   text NOT NULL DEFAULT session_user,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- Called by `logmill-ctl keys create`, with the rights of who runs it: making a role takes CREATEROLE.
CREATE FUNCTION logmill.make_key(in_prefix text, in_hash bytea, in_name text, in_role text, in_services text[],
                                 in_environments text[], expires_in interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_scope logmill.access_scope;
BEGIN
    IF in_services IS NOT NULL OR in_environments IS NOT NULL THEN
        SELECT array_agg(DISTINCT u ORDER BY u) INTO in_services FROM unnest(in_services) AS u;
        SELECT array_agg(DISTINCT u ORDER BY u) INTO in_environments FROM unnest(in_environments) AS u;
        INSERT INTO logmill.access_scope (services, environments) VALUES (in_services, in_environments) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT its_scope FROM logmill.access_scope s
            WHERE s.services IS NOT DISTINCT FROM in_services AND s.environments IS NOT DISTINCT FROM in_environments;
        IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = its_scope.role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', its_scope.role);
        END IF;
        EXECUTE format('GRANT logmill_scoped TO %I', its_scope.role);
        EXECUTE format('GRANT %I TO logmill_reader', its_scope.role);
    END IF;
    INSERT INTO logmill.access_key (prefix, hash, name, role, scope, expires_at)
        VALUES (in_prefix, in_hash, in_name, in_role, its_scope.id, clock_timestamp() + expires_in);
END
$$;

-- What the agent may know of keys: one of which it has the prefix, and whether there are any. Always one row.
CREATE FUNCTION logmill.auth_key(in_prefix text, OUT any_key boolean, OUT hash text, OUT role text, OUT usable_us bigint,
                                 OUT scope_role text, OUT scope_version bigint, OUT services text, OUT environments text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM logmill.access_key), encode(k.hash, 'hex'), k.role,
           -- How long it is good from now on; NULL: without end.
           CASE WHEN k.revoked_at IS NOT NULL THEN 0
                ELSE (extract(epoch FROM k.expires_at - clock_timestamp()) * 1000000)::bigint END,
           s.role::text, s.version, to_json(s.services)::text, to_json(s.environments)::text
    FROM (VALUES (1)) AS one (row)
    LEFT JOIN logmill.access_key k ON k.prefix = in_prefix
    LEFT JOIN logmill.access_scope s ON s.id = k.scope
$$;

CREATE FUNCTION logmill.key_used(in_prefix text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE logmill.access_key k SET last_used_at = clock_timestamp()
        WHERE k.prefix = in_prefix
            AND (k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '30 seconds')
$$;

CREATE INDEX audit_log_key ON logmill.audit_log (api_key, at);
CREATE INDEX audit_log_newest ON logmill.audit_log (at);

-- Questions asked with a key (NULL: by anybody) before a time, newest first.
CREATE FUNCTION logmill.history(in_key text, before timestamptz, most integer)
    RETURNS TABLE (at timestamptz, request_id text, api_key text, role text, address text, question text, sql text,
                   parameters text, engine text, verdict text, row_count bigint, duration_ms double precision, cached text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    before := coalesce(before, 'infinity');
    most := least(most, 1000);
    IF in_key IS NULL THEN
        RETURN QUERY SELECT a.at, a.request_id, a.api_key, a.role, a.address, a.question, a.sql, a.parameters, a.engine, a.verdict,
                            a.row_count, a.duration_ms, a.cached
            FROM logmill.audit_log a WHERE a.at < before ORDER BY a.at DESC LIMIT most;
    ELSE
        RETURN QUERY SELECT a.at, a.request_id, a.api_key, a.role, a.address, a.question, a.sql, a.parameters, a.engine, a.verdict,
                            a.row_count, a.duration_ms, a.cached
            FROM logmill.audit_log a WHERE a.api_key = in_key AND a.at < before ORDER BY a.at DESC LIMIT most;
    END IF;
END
$$;

GRANT EXECUTE ON FUNCTION logmill.auth_key, logmill.key_used, logmill.history TO logmill_agent;

-- A scope reads what the reader reads, of the rows its policies let through.

ALTER TABLE logmill.access_scope ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON logmill.access_scope FOR SELECT TO logmill_scoped USING (role = current_user);
GRANT SELECT (role, services, environments) ON logmill.access_scope TO logmill_scoped;

GRANT USAGE ON SCHEMA logmill_read TO logmill_scoped;
GRANT EXECUTE ON FUNCTION logmill.rows_since, logmill_read.rollup_ranges, logmill_read.rollup_window TO logmill_scoped;
DO $$
DECLARE
    r record;
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA logmill_read TO logmill_scoped;
    FOR r IN SELECT c.oid::regclass AS relation, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) AS g
             WHERE c.relnamespace = 'logmill'::regnamespace AND g.grantee = 'logmill_reader'::regrole
                 AND g.privilege_type = 'SELECT' AND NOT a.attisdropped
             GROUP BY c.oid
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %s TO logmill_scoped', r.columns, r.relation);
    END LOOP;
    -- Sub-selects without a reference to the row: looked up once a statement, not once a row.
    FOR r IN SELECT * FROM (VALUES
        ('logs', 'deleted_at IS NULL AND '), ('log_rollup_minute', ''), ('log_rollup_hour', ''), ('log_rollup_day', ''),
        ('error_pattern_hour', ''), ('log_name', '')) AS v (name, besides)
    LOOP
        EXECUTE format(
            'CREATE POLICY scoped ON logmill.%I FOR SELECT TO logmill_scoped USING (%s'
            '((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user)'
            ' OR service = ANY (ARRAY(SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user))) AND '
            '((SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user)'
            ' OR environment = ANY (ARRAY(SELECT unnest(s.environments) FROM logmill.access_scope s WHERE s.role = current_user))))',
            r.name, r.besides);
    END LOOP;
END
$$;

-- A template is the text of records without what varies in them: seen where errors of the scope have it.
CREATE INDEX error_pattern_hour_pattern ON logmill.error_pattern_hour (pattern);
CREATE POLICY scoped ON logmill.log_pattern FOR SELECT TO logmill_scoped
    USING (EXISTS (SELECT FROM logmill.error_pattern_hour e WHERE e.pattern = log_pattern.pattern));
