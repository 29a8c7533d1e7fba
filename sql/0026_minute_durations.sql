-- Percentiles with minutes that are not folded yet in a tenth of the time: the consumers write the histograms of these minutes over all
-- levels too, as the numbers that those of folds are (0024).
SET LOCAL ROLE logmill_owner;

-- Nobody counts or folds from here on until this is committed.
LOCK TABLE logmill.log_rollup_minute IN SHARE ROW EXCLUSIVE MODE;
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1280134214, hashtext('fold')); END $$; -- 'LMLF'

-- A histogram of a hundred buckets has 800 bytes: whole and as it is, also where it has all of them.
CREATE TABLE logmill.duration_minute (
    minute          timestamptz NOT NULL,
    category        logmill.log_category NOT NULL,
    service         text NOT NULL,
    environment     text NOT NULL,
    kafka_partition integer NOT NULL,
    histogram       numeric NOT NULL,
    PRIMARY KEY (minute, category, service, environment, kafka_partition) WITH (deduplicate_items = off)
) WITH (fillfactor = 70, toast_tuple_target = 8160);

-- From which minute on it holds all of them. Before: those of log_rollup_minute.
ALTER TABLE logmill.fold_state ADD COLUMN durations_since timestamptz NOT NULL DEFAULT date_trunc('hour', clock_timestamp(), 'UTC');
INSERT INTO logmill.duration_minute
SELECT r.minute, r.category, r.service, r.environment, r.kafka_partition, sum(u.n * logmill.histogram_unit(u.bucket))
FROM logmill.fold_state f
JOIN logmill.log_rollup_minute r ON r.minute >= f.durations_since
CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
GROUP BY r.minute, r.category, r.service, r.environment, r.kafka_partition;
ANALYZE logmill.duration_minute;

GRANT SELECT, INSERT, UPDATE, DELETE ON logmill.duration_minute TO logmill_writer;
GRANT SELECT (minute, category, service, environment, kafka_partition, histogram) ON logmill.duration_minute TO logmill_reader, logmill_scoped;
GRANT SELECT (durations_since) ON logmill.fold_state TO logmill_reader, logmill_scoped;
ALTER TABLE logmill.duration_minute ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON logmill.duration_minute FOR SELECT TO logmill_reader USING (true);
CREATE POLICY writer ON logmill.duration_minute TO logmill_writer USING (true) WITH CHECK (true);
-- As on the other rollups: looked up once a statement.
CREATE POLICY scoped ON logmill.duration_minute FOR SELECT TO logmill_scoped USING (
    ((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user)
     OR service = ANY (ARRAY(SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user)))
    AND ((SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user)
         OR environment = ANY (ARRAY(SELECT unnest(s.environments) FROM logmill.access_scope s WHERE s.role = current_user))));

-- A closing message calls add_counts, as add_rollups was, and add_durations.
ALTER FUNCTION logmill.add_rollups RENAME TO add_counts;

-- The histogram of the nth minute, service and environment is the sum of the runs whose run_of is n.
CREATE FUNCTION logmill.add_durations(in_category logmill.log_category, in_partition integer, minutes bigint[], services text[],
                                      environments text[], run_of bigint[], runs numeric[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.duration_minute AS d
    SELECT logmill.at_us(u.minute), in_category, u.service, u.environment, in_partition, h.histogram
    FROM unnest(minutes, services, environments) WITH ORDINALITY AS u (minute, service, environment, nth)
    JOIN (SELECT r.nth, sum(r.run) AS histogram FROM unnest(run_of, runs) AS r (nth, run) GROUP BY r.nth) AS h USING (nth)
    ORDER BY u.minute, u.service COLLATE "C", u.environment COLLATE "C"
    ON CONFLICT (minute, category, service, environment, kafka_partition) DO UPDATE
        SET histogram = d.histogram + excluded.histogram;
END
$$;

-- What consumers of the version before call: adds up what these send bucket by bucket, which is slow.
CREATE FUNCTION logmill.add_rollups(in_category logmill.log_category, in_partition integer, minutes bigint[], services text[],
                                    environments text[], levels logmill.log_level[], ns bigint[], duration_ns bigint[],
                                    duration_sums bigint[], duration_maxima bigint[], bucket_from integer[],
                                    bucket_to integer[], all_buckets smallint[], all_counts bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM logmill.add_counts(in_category, in_partition, minutes, services, environments, levels, ns, duration_ns, duration_sums,
                               duration_maxima, bucket_from, bucket_to, all_buckets, all_counts);
    PERFORM logmill.add_durations(in_category, in_partition, array_agg(q.minute), array_agg(q.service), array_agg(q.environment),
                                  array_agg(q.nth), array_agg(q.histogram))
    FROM (SELECT u.minute, u.service, u.environment, row_number() OVER () AS nth, sum(b.n * logmill.histogram_unit(b.bucket)) AS histogram
          FROM unnest(minutes, services, environments, duration_ns, bucket_from, bucket_to)
               AS u (minute, service, environment, duration_n, b_from, b_to)
          CROSS JOIN LATERAL unnest((SELECT all_buckets)[u.b_from:u.b_to], (SELECT all_counts)[u.b_from:u.b_to]) AS b (bucket, n)
          WHERE u.duration_n > 0
          GROUP BY u.minute, u.service, u.environment) q;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.add_durations, logmill.add_rollups, logmill.histogram_unit TO logmill_writer;

-- Takes the duration of `r` out of its minute (delta -1) or puts it back (1), where it counts as one of `its_service`.
CREATE FUNCTION logmill.shift_duration(r logmill.logs, its_service text, delta bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_minute constant timestamptz := date_trunc('minute', r.created_at, 'UTC');
    change     constant numeric := delta * logmill.histogram_unit(logmill.duration_bucket(r.duration_ms));
BEGIN
    IF change IS NULL OR its_minute < (SELECT f.durations_since FROM logmill.fold_state f) THEN
        RETURN;
    END IF;
    INSERT INTO logmill.duration_minute AS d
        VALUES (its_minute, r.category, its_service, r.environment, r.kafka_partition, change)
        ON CONFLICT (minute, category, service, environment, kafka_partition) DO UPDATE
            SET histogram = d.histogram + excluded.histogram;
    DELETE FROM logmill.duration_minute d
        WHERE (d.minute, d.category, d.service, d.environment, d.kafka_partition)
                = (its_minute, r.category, its_service, r.environment, r.kafka_partition) AND d.histogram = 0;
END
$$;

-- As before (0006); besides, takes the duration along.
CREATE OR REPLACE FUNCTION logmill.shift_minute(r logmill.logs, delta bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_minute constant timestamptz := date_trunc('minute', r.created_at, 'UTC');
    us         constant bigint := logmill.duration_us(r.duration_ms);
    m          logmill.log_rollup_minute;
    maximum    bigint;
BEGIN
    -- The row is locked before anything is computed from logs: the batches of its partition then come before or after.
    SELECT * INTO m FROM logmill.log_rollup_minute t
        WHERE t.minute = its_minute AND t.category = r.category AND t.service IN (r.service, '(other)')
            AND t.environment = r.environment AND t.level = r.level AND t.kafka_partition = r.kafka_partition
        ORDER BY t.service = r.service DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        IF delta > 0 THEN
            INSERT INTO logmill.log_rollup_minute AS t
                SELECT its_minute, r.category, r.service, r.environment, r.level, r.kafka_partition, 1,
                       (us IS NOT NULL)::integer, coalesce(us, 0), us,
                       CASE WHEN us IS NOT NULL THEN ARRAY[logmill.duration_bucket(r.duration_ms)] END,
                       CASE WHEN us IS NOT NULL THEN ARRAY[1::bigint] END;
            PERFORM logmill.shift_duration(r, r.service, delta);
        END IF;
        RETURN;
    END IF;
    PERFORM logmill.shift_duration(r, m.service, delta);

    IF m.n + delta <= 0 THEN
        DELETE FROM logmill.log_rollup_minute t
            WHERE t.minute = m.minute AND t.category = m.category AND t.service = m.service
                AND t.environment = m.environment AND t.level = m.level AND t.kafka_partition = m.kafka_partition;
        RETURN;
    END IF;
    IF us IS NOT NULL THEN
        maximum := CASE WHEN delta > 0 THEN greatest(m.duration_max_us, us) ELSE m.duration_max_us END;
        IF delta < 0 AND us >= coalesce(m.duration_max_us, 0) THEN
            SELECT max(logmill.duration_us(l.duration_ms)) INTO maximum FROM logmill.logs l
                WHERE l.category = r.category AND l.created_at >= its_minute
                    AND l.created_at < its_minute + interval '1 minute' AND l.deleted_at IS NULL
                    AND l.environment = r.environment AND l.level = r.level AND l.kafka_partition = r.kafka_partition
                    AND (l.service = m.service
                         OR m.service = '(other)' AND NOT EXISTS (
                             SELECT FROM logmill.log_rollup_minute t
                             WHERE t.minute = its_minute AND t.category = l.category AND t.service = l.service
                                 AND t.environment = l.environment AND t.level = l.level
                                 AND t.kafka_partition = l.kafka_partition));
        END IF;
        m.duration_n := m.duration_n + delta;
        m.duration_sum_us := m.duration_sum_us + delta * us;
        m.duration_max_us := maximum;
        SELECT s.buckets, s.counts INTO m.duration_buckets, m.duration_counts
            FROM logmill.shift_bucket(m.duration_buckets, m.duration_counts, logmill.duration_bucket(r.duration_ms), delta) s;
    END IF;
    UPDATE logmill.log_rollup_minute t
        SET n = m.n + delta, duration_n = m.duration_n, duration_sum_us = m.duration_sum_us,
            duration_max_us = m.duration_max_us, duration_buckets = m.duration_buckets,
            duration_counts = m.duration_counts
        WHERE t.minute = m.minute AND t.category = m.category AND t.service = m.service
            AND t.environment = m.environment AND t.level = m.level AND t.kafka_partition = m.kafka_partition;
END
$$;

-- As before (0019); besides, the minutes' durations.
CREATE OR REPLACE FUNCTION logmill.expire_hour(in_category logmill.log_category, h timestamptz) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    minutes  bigint;
    patterns bigint;
BEGIN
    DELETE FROM logmill.log_rollup_minute r
        WHERE r.minute >= h AND r.minute < h + interval '1 hour' AND r.category = in_category;
    GET DIAGNOSTICS minutes = ROW_COUNT;
    DELETE FROM logmill.duration_minute d
        WHERE d.minute >= h AND d.minute < h + interval '1 hour' AND d.category = in_category;
    DELETE FROM logmill.error_pattern_hour e WHERE e.hour = h AND e.category = in_category;
    GET DIAGNOSTICS patterns = ROW_COUNT;
    DELETE FROM logmill.log_rollup_hour r WHERE r.hour = h AND r.category = in_category;
    UPDATE logmill.fold_hour f SET version = 0 WHERE f.hour = h AND f.category = in_category AND f.version <> 0;
    DELETE FROM logmill.data_epoch e WHERE e.hour = h AND e.category = in_category;
    RETURN minutes + patterns > 0;
END
$$;

-- As before (0016); besides, minutes' durations are kept for as long as slots.
CREATE OR REPLACE FUNCTION logmill.fold(zone text, back interval, budget interval, OUT hours integer, OUT days integer, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    until    constant timestamptz := clock_timestamp() + budget;
    oldest   constant timestamptz := date_trunc('hour', clock_timestamp() - interval '40 days', 'UTC'); -- slots
    mark     timestamptz;
    closed   timestamptz;
    lowest   timestamptz;
    h        record;
    this     logmill.log_category;
    this_day timestamptz;
    next_day timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1280134214, hashtext('fold')) THEN -- 'LMLF'
        RETURN;
    END IF;
    PERFORM clock_timestamp() AT TIME ZONE zone; -- an unknown zone is an error before anything is done
    hours := 0;
    days := 0;
    more := false;
    mark := logmill.close_hours();
    closed := date_trunc('hour', mark, 'UTC');
    SELECT greatest(min(r.minute), clock_timestamp() - back) INTO lowest FROM logmill.log_rollup_minute r;
    IF NOT isfinite(closed) THEN -- the first call ever only marks where transactions stand
        more := NULL;
    END IF;
    IF lowest IS NULL OR NOT isfinite(closed) THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM logmill.log_rollup_minute r WHERE r.minute >= closed AND r.minute < logmill.slot_of(mark)) THEN
        PERFORM logmill.fold_slots(closed, logmill.slot_of(mark));
    END IF;
    DELETE FROM logmill.fold_slot f WHERE f.slot < oldest;
    DELETE FROM logmill.slot_epoch e WHERE e.slot < oldest;
    DELETE FROM logmill.log_rollup_slot r WHERE r.slot < oldest;
    UPDATE logmill.fold_state SET durations_since = oldest WHERE durations_since < oldest;
    DELETE FROM logmill.duration_minute d WHERE d.minute < oldest;
    -- Whatever finding them took, a call folds something, or it would never get on.
    FOR h IN SELECT u.hour, u.categories FROM logmill.unfolded_hours(date_trunc('hour', lowest, 'UTC'), closed, 100) u LOOP
        PERFORM logmill.fold_hour(h.hour, h.categories);
        IF h.hour >= oldest THEN
            PERFORM logmill.fold_slots(h.hour, h.hour + interval '1 hour');
        END IF;
        hours := hours + 1;
        more := hours >= 100 OR clock_timestamp() >= until;
        EXIT WHEN more;
    END LOOP;
    IF more THEN
        RETURN;
    END IF;
    next_day := date_trunc('day', closed, zone);
    WHILE next_day > lowest LOOP
        this_day := date_trunc('day', next_day - interval '1 hour', zone);
        FOR this IN
            SELECT c.category FROM unnest(enum_range(NULL::logmill.log_category)) AS c (category)
            LEFT JOIN logmill.fold_day f ON f.zone = fold.zone AND f.day = this_day AND f.category = c.category
                AND f.upper = next_day
            WHERE f.version IS DISTINCT FROM logmill.fold_version(c.category, this_day, next_day)
                AND EXISTS (SELECT FROM logmill.fold_hour o WHERE o.hour >= this_day AND o.hour < next_day)
        LOOP
            days := days + logmill.fold_day(zone, this_day, next_day, this)::integer;
            more := clock_timestamp() >= until;
            IF more THEN
                RETURN;
            END IF;
        END LOOP;
        next_day := this_day;
    END LOOP;
END
$$;

-- As before (0024), and minutes too are added before they are unfolded.
CREATE OR REPLACE FUNCTION logmill_read.log_duration_any(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text, in_by text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, bucket smallint, n bigint)
    LANGUAGE sql STABLE ROWS 5000
    BEGIN ATOMIC
        WITH c AS MATERIALIZED (SELECT r.*, (SELECT f.durations_since FROM logmill.fold_state f) AS since
                                FROM logmill_read.rollup_cover(in_lower, in_upper, in_unit, in_zone) AS r)
        SELECT h.at, h.category, h.service, h.environment, b.bucket, b.n
        FROM (SELECT CASE WHEN 'at' = ANY (string_to_array(in_by, ',')) THEN u.at END AS at,
                     CASE WHEN 'category' = ANY (string_to_array(in_by, ',')) THEN u.category END AS category,
                     CASE WHEN 'service' = ANY (string_to_array(in_by, ',')) THEN u.service END AS service,
                     CASE WHEN 'environment' = ANY (string_to_array(in_by, ',')) THEN u.environment END AS environment,
                     sum(u.histogram) AS histogram
              FROM (SELECT r.day AS at, r.category, r.service, r.environment, r.histogram
                    FROM c CROSS JOIN LATERAL unnest(c.days) AS d (day)
                    JOIN logmill.duration_day r ON r.zone = c.zone AND r.day = d.day
                    UNION ALL
                    SELECT r.hour, r.category, r.service, r.environment, r.histogram
                    FROM c CROSS JOIN LATERAL unnest(c.hours) AS h (hour)
                    JOIN logmill.duration_hour r ON r.hour = h.hour
                    UNION ALL
                    SELECT r.slot, r.category, r.service, r.environment, r.histogram
                    FROM c CROSS JOIN LATERAL unnest(c.slots) AS s (slot)
                    JOIN logmill.duration_slot r ON r.slot = s.slot
                    UNION ALL
                    SELECT r.minute, r.category, r.service, r.environment, r.histogram
                    FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
                    CROSS JOIN LATERAL (SELECT i.* FROM logmill.duration_minute i
                                        WHERE i.minute >= greatest(lower(m.part), c.since) AND i.minute < upper(m.part)
                                        ORDER BY i.minute) AS r) AS u
              GROUP BY 1, 2, 3, 4) AS h
        CROSS JOIN LATERAL logmill_read.histogram_buckets(h.histogram) AS b
        UNION ALL
        SELECT CASE WHEN 'at' = ANY (string_to_array(in_by, ',')) THEN r.minute END,
               CASE WHEN 'category' = ANY (string_to_array(in_by, ',')) THEN r.category END,
               CASE WHEN 'service' = ANY (string_to_array(in_by, ',')) THEN r.service END,
               CASE WHEN 'environment' = ANY (string_to_array(in_by, ',')) THEN r.environment END,
               unnest(r.duration_buckets), unnest(r.duration_counts)
        FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                            WHERE i.minute >= lower(m.part) AND i.minute < least(upper(m.part), c.since)
                            ORDER BY i.minute) AS r;
    END;
