-- What an agent asks before each statement, by a plan that is kept: planning it took as long as a count takes.
SET LOCAL ROLE logmill_owner;

-- Since when the pipeline lags, microseconds since 1970; NULL: it is not behind by more than `after`. A partition holds everything up to the
-- last record stored, or to the moment its consumer had last stored all there was and said so, which a living one repeats every ten seconds:
-- an idle partition is not behind, one whose consumer has died is. What nobody has touched for a week is taken for given up.
CREATE FUNCTION logmill_read.behind_since(after interval) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT (extract(epoch FROM min(greatest(p.committed_time, p.checked_at))) * 1000000)::bigint
            FROM logmill_read.ingest_progress p
            WHERE greatest(p.updated_at, p.checked_at) > clock_timestamp() - interval '7 days'
                AND greatest(p.committed_time, p.checked_at) BETWEEN '0001-01-01 00:00:00+00' AND clock_timestamp() - after);
END
$$;
GRANT EXECUTE ON FUNCTION logmill_read.behind_since TO logmill_reader, logmill_scoped;
