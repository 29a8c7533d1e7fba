-- Slots of five minutes, folded as hours are but also in the hour that is running: what a window has besides its whole hours is
-- read from a few of them, not from an hour of minutes.
--
-- The epoch of the running hour stays where it is while its batches come, so a slot has an epoch of its own: a batch raises
-- every slot but the running one. It is folded once every transaction that could take it for the running one has finished, as
-- an hour is once it is closed. Soft deletion raises the hour. So a slot's fold is current while both are what they were.
SET LOCAL ROLE logmill_owner;

CREATE TABLE logmill.log_rollup_slot (LIKE logmill.log_rollup_hour INCLUDING ALL);
ALTER TABLE logmill.log_rollup_slot RENAME COLUMN hour TO slot;

-- The folds there are, also those without a row.
CREATE TABLE logmill.fold_slot (
    slot         timestamptz NOT NULL,
    category     logmill.log_category NOT NULL,
    version      bigint NOT NULL, -- of slot_epoch, over all partitions
    hour_version bigint NOT NULL, -- of data_epoch
    PRIMARY KEY (slot, category)
);

CREATE TABLE logmill.slot_epoch (
    slot            timestamptz NOT NULL,
    category        logmill.log_category NOT NULL,
    kafka_partition integer NOT NULL,
    version         bigint NOT NULL,
    PRIMARY KEY (slot, category, kafka_partition)
) WITH (fillfactor = 70);

CREATE FUNCTION logmill.slot_of(at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN date_bin(interval '5 minutes', at, timestamptz 'epoch');

-- As before; besides, raises the slots but the running one. The running one is raised too when it is about to end, and hours
-- that are long over are raised as hours.
CREATE OR REPLACE FUNCTION logmill.add_rollups(in_category logmill.log_category, in_partition integer, minutes bigint[],
                                               services text[], environments text[], levels logmill.log_level[],
                                               ns bigint[], duration_ns bigint[], duration_sums bigint[],
                                               duration_maxima bigint[], bucket_from integer[], bucket_to integer[],
                                               all_buckets smallint[], all_counts bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    running constant timestamptz := logmill.slot_of(clock_timestamp() + interval '1 minute');
    oldest  constant timestamptz := date_trunc('hour', running, 'UTC') - interval '1 hour';
BEGIN
    INSERT INTO logmill.slot_epoch AS e
    SELECT q.slot, in_category, in_partition, 1
    FROM (SELECT DISTINCT logmill.slot_of(logmill.at_us(u.minute)) AS slot FROM unnest(minutes) AS u (minute)) q
    WHERE q.slot <> running AND q.slot >= oldest
    ON CONFLICT (slot, category, kafka_partition) DO UPDATE SET version = e.version + 1;
    INSERT INTO logmill.log_rollup_minute AS r
    SELECT logmill.at_us(u.minute), in_category, u.service, u.environment, u.level, in_partition, u.n, u.dn, u.ds,
           CASE WHEN u.dn > 0 THEN u.dm END,
           CASE WHEN u.dn > 0 THEN all_buckets[u.b_from:u.b_to] END,
           CASE WHEN u.dn > 0 THEN all_counts[u.b_from:u.b_to] END
    FROM unnest(minutes, services, environments, levels, ns, duration_ns, duration_sums, duration_maxima, bucket_from,
                bucket_to) AS u (minute, service, environment, level, n, dn, ds, dm, b_from, b_to)
    ON CONFLICT (minute, category, service, environment, level, kafka_partition) DO UPDATE
        SET n = r.n + excluded.n,
            duration_n = r.duration_n + excluded.duration_n,
            duration_sum_us = logmill.add_capped(r.duration_sum_us, excluded.duration_sum_us),
            duration_max_us = greatest(r.duration_max_us, excluded.duration_max_us),
            (duration_buckets, duration_counts) =
                (SELECT array_agg(bucket), array_agg(coalesce(k.n, 0) + coalesce(a.n, 0))
                 FROM (SELECT unnest(r.duration_buckets), unnest(r.duration_counts)) AS k (bucket, n)
                 FULL JOIN (SELECT unnest(excluded.duration_buckets), unnest(excluded.duration_counts)) AS a (bucket, n)
                     USING (bucket));
END
$$;

-- Folds the slots of [lower, upper) that have no current fold. Whole slots, within one hour. The versions are read first: a
-- batch that comes between makes a fold old, never wrong.
CREATE FUNCTION logmill.fold_slots(lower timestamptz, upper timestamptz) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this  logmill.log_category;
    stale timestamptz[];
BEGIN
    FOREACH this IN ARRAY enum_range(NULL::logmill.log_category) LOOP
        WITH made AS (
            INSERT INTO logmill.fold_slot AS f (slot, category, version, hour_version)
                SELECT s, this,
                       (SELECT coalesce(sum(e.version), 0) FROM logmill.slot_epoch e WHERE e.slot = s AND e.category = this),
                       logmill.fold_version(this, lower, upper)
                FROM generate_series(lower, upper - interval '5 minutes', interval '5 minutes') AS s
                ON CONFLICT (slot, category) DO UPDATE SET version = excluded.version, hour_version = excluded.hour_version
                    WHERE (f.version, f.hour_version) <> (excluded.version, excluded.hour_version)
                RETURNING f.slot)
        SELECT array_agg(m.slot) INTO stale FROM made m;
        CONTINUE WHEN stale IS NULL;
        DELETE FROM logmill.log_rollup_slot r WHERE r.slot = ANY (stale) AND r.category = this;
        INSERT INTO logmill.log_rollup_slot
        WITH source AS MATERIALIZED (
            SELECT s.slot, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us,
                   r.duration_buckets AS b, r.duration_counts AS c
            FROM unnest(stale) AS s (slot)
            CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                                WHERE i.minute >= s.slot AND i.minute < s.slot + interval '5 minutes' AND i.category = this
                                ORDER BY i.minute) AS r),
        histogram AS (
            SELECT q.slot, q.service, q.environment, q.level, array_agg(q.bucket ORDER BY q.bucket) AS b,
                   array_agg(q.n ORDER BY q.bucket) AS c
            FROM (SELECT s.slot, s.service, s.environment, s.level, u.bucket, sum(u.n)::bigint AS n
                  FROM source s CROSS JOIN LATERAL unnest(s.b, s.c) AS u (bucket, n)
                  GROUP BY s.slot, s.service, s.environment, s.level, u.bucket) q
            GROUP BY q.slot, q.service, q.environment, q.level)
        SELECT t.slot, this, t.service, t.environment, t.level, t.n, t.dn, t.ds, t.dm, h.b, h.c
        FROM (SELECT s.slot, s.service, s.environment, s.level, sum(s.n)::bigint AS n, sum(s.duration_n)::bigint AS dn,
                     least(sum(s.duration_sum_us), 9223372036854775807)::bigint AS ds, max(s.duration_max_us) AS dm
              FROM source s GROUP BY s.slot, s.service, s.environment, s.level) t
        LEFT JOIN histogram h ON (h.slot, h.service, h.environment, h.level) = (t.slot, t.service, t.environment, t.level);
    END LOOP;
END
$$;

-- Folds closed slots of the running hour, then closed hours with their slots and then days of `zone` for about `budget`, newest
-- first, as far as `back` reaches; how many hours and days, and whether there is more to do. NULLs where another is at it, and for
-- `more` where nothing is known to be closed yet. The consumers call it once a minute, logmill-ctl fold for all there is. Slots are
-- kept for as long as questions reach back that begin inside an hour.
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

DROP FUNCTION logmill_read.log_rollup, logmill_read.log_duration, logmill_read.rollup_cover;

-- How [in_lower, in_upper) of whole minutes is put together in units of at most `in_unit` ('day', 'hour', 'slot', 'minute'): the
-- days of `in_zone` that are folded (NULL: of the zone that has most of them), hours that are folded outside of those, slots
-- outside of both, ranges of minutes for the rest. Each counts where the folds of all categories are current, so that what is left
-- is one set of ranges for all; versions only grow, so the folds of all are current exactly where the sums over all are equal. This
-- and the functions below are made to be inlined into the statement that asks: what it filters by reaches the indexes, and row
-- security is that of who asks. The ORDER BY of the minutes keeps PostgreSQL from joining them any other way than by the index,
-- range by range.
CREATE FUNCTION logmill_read.rollup_cover(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (zone text, days timestamptz[], hours timestamptz[], slots timestamptz[], minutes tstzrange[])
    LANGUAGE sql STABLE ROWS 1
    BEGIN ATOMIC
        WITH chosen AS MATERIALIZED (
            SELECT coalesce(in_zone, (SELECT f.zone FROM logmill.fold_day f
                                      WHERE f.category = 'raw' AND f.day >= in_lower AND f.upper <= in_upper
                                      GROUP BY f.zone ORDER BY count(*) DESC, f.zone LIMIT 1)) AS zone
            WHERE in_unit = 'day'),
        days AS MATERIALIZED (
            SELECT f.day, f.upper
            FROM (SELECT d.day, d.upper, sum(d.version) AS version
                  FROM chosen c JOIN logmill.fold_day d ON d.zone = c.zone
                  WHERE d.day >= in_lower AND d.upper <= in_upper
                  GROUP BY d.day, d.upper HAVING count(*) = 4) f
            WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e
                               WHERE e.hour >= date_trunc('hour', f.day, 'UTC') AND e.hour < f.upper)),
        rest AS MATERIALIZED (
            SELECT tstzmultirange(tstzrange(in_lower, in_upper)) - coalesce(range_agg(tstzrange(d.day, d.upper)), '{}') AS ranges
            FROM days d),
        hours AS MATERIALIZED (
            SELECT f.hour
            FROM (SELECT h.hour, sum(h.version) AS version
                  FROM rest s CROSS JOIN LATERAL unnest(s.ranges) AS r (part)
                  JOIN logmill.fold_hour h ON h.hour >= lower(r.part) AND h.hour <= upper(r.part) - interval '1 hour'
                  WHERE in_unit IN ('day', 'hour')
                  GROUP BY h.hour HAVING count(*) = 4) f
            WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e WHERE e.hour = f.hour)),
        short AS MATERIALIZED (
            SELECT s.ranges - (SELECT coalesce(range_agg(tstzrange(h.hour, h.hour + interval '1 hour')), '{}') FROM hours h) AS ranges
            FROM rest s),
        slots AS MATERIALIZED (
            SELECT f.slot
            FROM (SELECT o.slot, sum(o.version) AS version, sum(o.hour_version) AS hour_version
                  FROM short s CROSS JOIN LATERAL unnest(s.ranges) AS r (part)
                  JOIN logmill.fold_slot o ON o.slot >= lower(r.part) AND o.slot <= upper(r.part) - interval '5 minutes'
                  WHERE in_unit <> 'minute'
                  GROUP BY o.slot HAVING count(*) = 4) f
            WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.slot_epoch e WHERE e.slot = f.slot)
                AND f.hour_version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e
                                      WHERE e.hour = date_trunc('hour', f.slot, 'UTC')))
        SELECT (SELECT c.zone FROM chosen c), (SELECT array_agg(d.day) FROM days d), (SELECT array_agg(h.hour) FROM hours h),
               (SELECT array_agg(o.slot) FROM slots o),
               ARRAY(SELECT unnest(s.ranges - (SELECT coalesce(range_agg(tstzrange(o.slot, o.slot + interval '5 minutes')), '{}')
                                               FROM slots o)))
        FROM short s;
    END;

-- What [in_lower, in_upper) holds, from as few rows as there are; `at` is the start of the day, hour, slot or minute a row is
-- of.
CREATE FUNCTION logmill_read.log_rollup(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   n bigint, duration_n bigint, duration_sum_us bigint, duration_max_us bigint)
    LANGUAGE sql STABLE ROWS 5000
    BEGIN ATOMIC
        WITH c AS MATERIALIZED (SELECT * FROM logmill_read.rollup_cover(in_lower, in_upper, in_unit, in_zone))
        SELECT r.day, r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us
        FROM c CROSS JOIN LATERAL unnest(c.days) AS d (day)
        JOIN logmill.log_rollup_day r ON r.zone = c.zone AND r.day = d.day
        UNION ALL
        SELECT r.hour, r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us
        FROM c CROSS JOIN LATERAL unnest(c.hours) AS h (hour)
        JOIN logmill.log_rollup_hour r ON r.hour = h.hour
        UNION ALL
        SELECT r.slot, r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us
        FROM c CROSS JOIN LATERAL unnest(c.slots) AS s (slot)
        JOIN logmill.log_rollup_slot r ON r.slot = s.slot
        UNION ALL
        SELECT r.minute, r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us
        FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                            WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r;
    END;

-- The same as one row a bucket of durations.
CREATE FUNCTION logmill_read.log_duration(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   bucket smallint, n bigint)
    LANGUAGE sql STABLE ROWS 50000
    BEGIN ATOMIC
        WITH c AS MATERIALIZED (SELECT * FROM logmill_read.rollup_cover(in_lower, in_upper, in_unit, in_zone))
        SELECT r.day, r.category, r.service, r.environment, r.level, u.bucket, u.n
        FROM c CROSS JOIN LATERAL unnest(c.days) AS d (day)
        JOIN logmill.log_rollup_day r ON r.zone = c.zone AND r.day = d.day
        CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
        UNION ALL
        SELECT r.hour, r.category, r.service, r.environment, r.level, u.bucket, u.n
        FROM c CROSS JOIN LATERAL unnest(c.hours) AS h (hour)
        JOIN logmill.log_rollup_hour r ON r.hour = h.hour
        CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
        UNION ALL
        SELECT r.slot, r.category, r.service, r.environment, r.level, u.bucket, u.n
        FROM c CROSS JOIN LATERAL unnest(c.slots) AS s (slot)
        JOIN logmill.log_rollup_slot r ON r.slot = s.slot
        CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
        UNION ALL
        SELECT r.minute, r.category, r.service, r.environment, r.level, u.bucket, u.n
        FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                            WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r
        CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n);
    END;

GRANT EXECUTE ON FUNCTION logmill_read.rollup_cover, logmill_read.log_rollup, logmill_read.log_duration
    TO logmill_reader, logmill_scoped;

GRANT SELECT (slot, category, service, environment, level, n, duration_n, duration_sum_us, duration_max_us, duration_buckets,
              duration_counts)
    ON logmill.log_rollup_slot TO logmill_reader, logmill_scoped;
GRANT SELECT ON logmill.fold_slot, logmill.slot_epoch TO logmill_reader, logmill_scoped;
GRANT SELECT, INSERT, UPDATE ON logmill.slot_epoch TO logmill_writer;
GRANT EXECUTE ON FUNCTION logmill.slot_of TO logmill_writer;

ALTER TABLE logmill.log_rollup_slot ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON logmill.log_rollup_slot FOR SELECT TO logmill_reader USING (true);
-- As on the other rollups: looked up once a statement.
CREATE POLICY scoped ON logmill.log_rollup_slot FOR SELECT TO logmill_scoped USING (
    ((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user)
     OR service = ANY (ARRAY(SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user)))
    AND ((SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user)
         OR environment = ANY (ARRAY(SELECT unnest(s.environments) FROM logmill.access_scope s WHERE s.role = current_user))));

-- The newest of a rare service are in few pages of many: the service once more, and the times, in stretches of 16 pages. A trace is
-- looked for in all leaves, where more stretches cost more than they save: its blooms stay as they are.
CREATE INDEX logs_service ON logmill.logs
    USING brin (created_at, service text_bloom_ops (n_distinct_per_range = 50, false_positive_rate = 0.003))
    WITH (pages_per_range = 16, autosummarize = off);
