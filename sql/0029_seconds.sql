-- Counts by the second, of a day: a window that begins inside a minute reads the rows of a part of a second, where it read those of up
-- to half a minute, 150,000 of them at 5,000 records a second.
SET LOCAL ROLE logmill_owner;

-- A clean cut: no closing message is under way from here until this is committed, for each begins with a row of this table. Those that
-- wait call what is there by then.
LOCK TABLE logmill.ingest_offset IN ACCESS EXCLUSIVE MODE;

-- How many records of each level fell into each second of the minute, as histograms are kept (0024): sixteen decimal digits a second,
-- second 0 lowest; NULL: none of that level.
CREATE TABLE logmill.seconds_minute (
    minute          timestamptz NOT NULL,
    category        logmill.log_category NOT NULL,
    service         text NOT NULL,
    environment     text NOT NULL,
    kafka_partition integer NOT NULL,
    debug           numeric,
    info            numeric,
    warn            numeric,
    error           numeric,
    fatal           numeric,
    PRIMARY KEY (minute, category, service, environment, kafka_partition) WITH (deduplicate_items = off)
) WITH (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.02);

-- From which minute on it holds all there is. Consumers of the version before do not count seconds: they move it on.
CREATE TABLE logmill.seconds_state (since timestamptz NOT NULL);
INSERT INTO logmill.seconds_state
SELECT coalesce((SELECT greatest(r.minute, clock_timestamp()) + interval '1 minute'
                 FROM logmill.log_rollup_minute r ORDER BY r.minute DESC LIMIT 1), '-infinity');

-- From when on they are kept and may be read, an hour apart: nobody reads what is about to be forgotten.
CREATE FUNCTION logmill.seconds_kept() RETURNS timestamptz
    LANGUAGE sql VOLATILE
    RETURN clock_timestamp() - interval '26 hours';
CREATE VIEW logmill_read.seconds_since WITH (security_invoker = true) AS
    SELECT greatest(since, now() - interval '25 hours') AS since FROM logmill.seconds_state;
CREATE VIEW logmill_read.seconds_minute WITH (security_invoker = true) AS
    SELECT minute, category, service, environment, kafka_partition, debug, info, warn, error, fatal FROM logmill.seconds_minute;

GRANT SELECT, INSERT, UPDATE, DELETE ON logmill.seconds_minute TO logmill_writer;
GRANT SELECT, UPDATE ON logmill.seconds_state TO logmill_writer;
GRANT EXECUTE ON FUNCTION logmill.seconds_kept TO logmill_writer;
GRANT SELECT (minute, category, service, environment, kafka_partition, debug, info, warn, error, fatal) ON logmill.seconds_minute
    TO logmill_reader, logmill_scoped;
GRANT SELECT (since) ON logmill.seconds_state TO logmill_reader, logmill_scoped;
GRANT SELECT ON logmill_read.seconds_since, logmill_read.seconds_minute TO logmill_reader, logmill_scoped;
ALTER TABLE logmill.seconds_minute ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON logmill.seconds_minute FOR SELECT TO logmill_reader USING (true);
CREATE POLICY writer ON logmill.seconds_minute TO logmill_writer USING (true) WITH CHECK (true);
-- As on the other rollups: looked up once a statement.
CREATE POLICY scoped ON logmill.seconds_minute FOR SELECT TO logmill_scoped USING (
    ((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user)
     OR service = ANY (ARRAY(SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user)))
    AND ((SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user)
         OR environment = ANY (ARRAY(SELECT unnest(s.environments) FROM logmill.access_scope s WHERE s.role = current_user))));

-- 1. What is written.

DROP FUNCTION logmill.add_counts, logmill.add_durations;
ALTER FUNCTION logmill.add_minutes RENAME TO add_counts;

-- What consumers call: as add_counts, and how many records fell into each second. Those of the nth row are the sum of the runs whose
-- second_of is n.
CREATE FUNCTION logmill.add_minutes(in_category logmill.log_category, in_partition integer, minutes bigint[], services text[],
                                    environments text[], levels logmill.log_level[], ns bigint[], duration_ns bigint[],
                                    duration_sums bigint[], duration_maxima bigint[], run_of bigint[], runs numeric[],
                                    second_of bigint[], second_runs numeric[]) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    kept constant bigint := extract(epoch FROM logmill.seconds_kept()) * 1000000;
BEGIN
    PERFORM logmill.add_counts(in_category, in_partition, minutes, services, environments, levels, ns, duration_ns, duration_sums,
                               duration_maxima, run_of, runs);
    INSERT INTO logmill.seconds_minute AS s (minute, category, service, environment, kafka_partition, debug, info, warn, error, fatal)
    SELECT logmill.at_us(u.minute), in_category, u.service, u.environment, in_partition,
           sum(r.run) FILTER (WHERE u.level = 'DEBUG'), sum(r.run) FILTER (WHERE u.level = 'INFO'),
           sum(r.run) FILTER (WHERE u.level = 'WARN'), sum(r.run) FILTER (WHERE u.level = 'ERROR'),
           sum(r.run) FILTER (WHERE u.level = 'FATAL')
    FROM unnest(second_of, second_runs) AS r (nth, run)
    JOIN unnest(minutes, services, environments, levels) WITH ORDINALITY AS u (minute, service, environment, level, nth) USING (nth)
    WHERE u.minute >= kept
    GROUP BY u.minute, u.service, u.environment
    ORDER BY u.minute, u.service COLLATE "C", u.environment COLLATE "C"
    ON CONFLICT (minute, category, service, environment, kafka_partition) DO UPDATE
        SET debug = logmill.add_histograms(s.debug, excluded.debug),
            info = logmill.add_histograms(s.info, excluded.info),
            warn = logmill.add_histograms(s.warn, excluded.warn),
            error = logmill.add_histograms(s.error, excluded.error),
            fatal = logmill.add_histograms(s.fatal, excluded.fatal);
END
$$;

-- What consumers of the version before call, and those that are told not to count seconds. The row that all of them share comes last:
-- nobody waits for it longer than the rest of a closing message takes.
CREATE FUNCTION logmill.add_minutes(in_category logmill.log_category, in_partition integer, minutes bigint[], services text[],
                                    environments text[], levels logmill.log_level[], ns bigint[], duration_ns bigint[],
                                    duration_sums bigint[], duration_maxima bigint[], run_of bigint[], runs numeric[]) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    last constant timestamptz := (SELECT logmill.at_us(max(u.minute)) FROM unnest(minutes) AS u (minute));
BEGIN
    PERFORM logmill.add_counts(in_category, in_partition, minutes, services, environments, levels, ns, duration_ns, duration_sums,
                               duration_maxima, run_of, runs);
    UPDATE logmill.seconds_state s SET since = last + interval '1 minute' WHERE s.since <= last;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.add_counts,
    logmill.add_minutes(logmill.log_category, integer, bigint[], text[], text[], logmill.log_level[], bigint[], bigint[], bigint[],
                        bigint[], bigint[], numeric[]),
    logmill.add_minutes(logmill.log_category, integer, bigint[], text[], text[], logmill.log_level[], bigint[], bigint[], bigint[],
                        bigint[], bigint[], numeric[], bigint[], numeric[])
    TO logmill_writer;

-- Takes `r` out of its second (delta -1) or puts it back (1), where it counts as one of `its_service`.
CREATE FUNCTION logmill.shift_second(r logmill.logs, its_service text, delta bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_minute constant timestamptz := date_trunc('minute', r.created_at, 'UTC');
    change     constant numeric := delta * logmill.histogram_unit(floor(date_part('epoch', r.created_at - its_minute))::smallint);
BEGIN
    IF its_minute < (SELECT greatest(s.since, logmill.seconds_kept()) FROM logmill.seconds_state s) THEN
        RETURN;
    END IF;
    INSERT INTO logmill.seconds_minute AS s (minute, category, service, environment, kafka_partition, debug, info, warn, error, fatal)
        VALUES (its_minute, r.category, its_service, r.environment, r.kafka_partition,
                CASE r.level WHEN 'DEBUG' THEN change END, CASE r.level WHEN 'INFO' THEN change END,
                CASE r.level WHEN 'WARN' THEN change END, CASE r.level WHEN 'ERROR' THEN change END,
                CASE r.level WHEN 'FATAL' THEN change END)
        ON CONFLICT (minute, category, service, environment, kafka_partition) DO UPDATE
            SET debug = nullif(logmill.add_histograms(s.debug, excluded.debug), 0),
                info = nullif(logmill.add_histograms(s.info, excluded.info), 0),
                warn = nullif(logmill.add_histograms(s.warn, excluded.warn), 0),
                error = nullif(logmill.add_histograms(s.error, excluded.error), 0),
                fatal = nullif(logmill.add_histograms(s.fatal, excluded.fatal), 0);
    DELETE FROM logmill.seconds_minute s
        WHERE (s.minute, s.category, s.service, s.environment, s.kafka_partition)
                = (its_minute, r.category, its_service, r.environment, r.kafka_partition)
            AND coalesce(s.debug, s.info, s.warn, s.error, s.fatal) IS NULL;
END
$$;

-- shift_minute as before (0028), the second beside the duration.
DO $$
BEGIN
    EXECUTE regexp_replace(pg_get_functiondef('logmill.shift_minute'::regproc), '( *)PERFORM logmill\.shift_duration\(([^;]*)\);',
                           '\1PERFORM logmill.shift_duration(\2);' || chr(10) || '\1PERFORM logmill.shift_second(\2);', 'g');
END
$$;

-- Forgets what is not kept any longer, for about `budget`: is there more to do? NULL where another is at it. The consumers call it once
-- a minute.
CREATE FUNCTION logmill.forget_seconds(budget interval, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms'
AS $$
DECLARE
    until constant timestamptz := clock_timestamp() + budget;
    kept  constant timestamptz := logmill.seconds_kept();
    went  integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1280134214, hashtext('seconds')) THEN -- 'LMLF'
        RETURN;
    END IF;
    LOOP
        DELETE FROM logmill.seconds_minute s WHERE s.ctid = ANY (ARRAY(
            SELECT old.ctid FROM logmill.seconds_minute old WHERE old.minute < kept ORDER BY old.minute LIMIT 1000));
        GET DIAGNOSTICS went = ROW_COUNT;
        more := went = 1000;
        EXIT WHEN NOT more OR clock_timestamp() >= until;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.forget_seconds TO logmill_writer;

-- 2. What is read.

-- What [in_lower, in_upper) holds, whole seconds of one minute; of a minute whose seconds are not there, or that is cut into so many
-- groups that its rows are read sooner, from its rows: by a statement planned for that minute, for one planned for any would be planned
-- for all leaves. As a function that is called, not inlined, like rollup_cover (0022): its other plans are kept. What is in second k and
-- those behind it is the sum of the sixteen digits each of the number without the k lowest, which is what is left of it by 10^16 - 1.
CREATE FUNCTION logmill_read.log_rollup_second(in_lower timestamptz, in_upper timestamptz)
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level, n bigint)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    its_minute   constant timestamptz := date_trunc('minute', in_lower, 'UTC');
    most_groups  constant integer := 5000;
    every_one    constant numeric := 9999999999999999;
    of_debug     constant level%TYPE := 'DEBUG';
    of_info      constant level%TYPE := 'INFO';
    of_warn      constant level%TYPE := 'WARN';
    of_error     constant level%TYPE := 'ERROR';
    of_fatal     constant level%TYPE := 'FATAL';
    without_less numeric;
    without_more numeric;
BEGIN
    IF in_lower <> date_trunc('second', in_lower, 'UTC') OR in_upper <> date_trunc('second', in_upper, 'UTC')
        OR in_upper < in_lower OR in_upper > its_minute + interval '1 minute' THEN
        RAISE EXCEPTION 'log_rollup_second takes whole seconds of one minute, not % to %', in_lower, in_upper
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF its_minute < (SELECT s.since FROM logmill_read.seconds_since s)
        OR (SELECT count(*) FROM (SELECT FROM logmill_read.seconds_minute r WHERE r.minute = its_minute LIMIT most_groups) g) = most_groups
    THEN
        RETURN QUERY EXECUTE
            'SELECT $3, l.category, l.service, l.environment, l.level, count(*) FROM logmill_read.logs l '
            'WHERE l.created_at >= $1 AND l.created_at < $2 GROUP BY l.category, l.service, l.environment, l.level'
            USING in_lower, in_upper, its_minute;
        RETURN;
    END IF;
    without_less := ('1e-' || 16 * date_part('epoch', in_lower - its_minute)::integer)::numeric;
    without_more := ('1e-' || 16 * date_part('epoch', in_upper - its_minute)::integer)::numeric;
    RETURN QUERY
        SELECT its_minute, q.category, q.service, q.environment, v.level, c.n::bigint
        FROM (SELECT r.category, r.service, r.environment, sum(r.debug) AS debug, sum(r.info) AS info, sum(r.warn) AS warn,
                     sum(r.error) AS error, sum(r.fatal) AS fatal
              FROM logmill_read.seconds_minute r WHERE r.minute = its_minute
              GROUP BY r.category, r.service, r.environment) AS q
        CROSS JOIN LATERAL (VALUES (of_debug, q.debug), (of_info, q.info), (of_warn, q.warn), (of_error, q.error), (of_fatal, q.fatal))
            AS v (level, seconds)
        CROSS JOIN LATERAL (SELECT mod(trunc(v.seconds * without_less), every_one) - mod(trunc(v.seconds * without_more), every_one) AS n
                            OFFSET 0) AS c
        WHERE v.seconds IS NOT NULL AND c.n > 0;
END
$$;
GRANT EXECUTE ON FUNCTION logmill_read.log_rollup_second TO logmill_reader, logmill_scoped;
