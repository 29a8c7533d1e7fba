-- Slots are folded seconds after they end, where it took one to two minutes: what they hold is read from their minutes until then.
SET LOCAL ROLE logmill_owner;

-- Folds the slots of the running hour that have ended since the last call, as logmill.fold does for all that is missing or old, once a minute;
-- without its look at other hours; nothing where another is at it. The consumers call it every ten seconds, and a slot is folded by the
-- second call behind its end, which finds the transactions finished that the first one marked.
CREATE FUNCTION logmill.fold_running() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET jit = off
AS $$
DECLARE
    mark   timestamptz;
    closed timestamptz;
    newest timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1280134214, hashtext('fold')) THEN -- 'LMLF'
        RETURN;
    END IF;
    mark := logmill.close_hours();
    IF NOT isfinite(mark) THEN
        RETURN;
    END IF;
    closed := date_trunc('hour', mark, 'UTC');
    newest := logmill.slot_of(mark) - interval '5 minutes';
    IF newest >= closed AND NOT EXISTS (SELECT FROM logmill.fold_slot f WHERE f.slot = newest)
        AND EXISTS (SELECT FROM logmill.log_rollup_minute r WHERE r.minute >= closed AND r.minute < newest + interval '5 minutes') THEN
        PERFORM logmill.fold_slots(closed, newest + interval '5 minutes');
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.fold_running TO logmill_writer;
