-- The audit log is kept for 400 days. The agent asks for the rest to go, a portion at a time; it cannot delete anything younger.
CREATE FUNCTION logmill.expire_audit(portion integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM logmill.audit_log a WHERE a.ctid = ANY (ARRAY(
            SELECT old.ctid FROM logmill.audit_log old WHERE old.at < clock_timestamp() - interval '400 days'
                ORDER BY old.at LIMIT least(portion, 10000)))
            AND a.at < clock_timestamp() - interval '400 days'
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION logmill.expire_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION logmill.expire_audit TO logmill_agent;
