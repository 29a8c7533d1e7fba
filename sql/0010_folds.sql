-- Hours and days folded from the minutes, over all Kafka partitions, so that a window of weeks is read in milliseconds.
--
-- A fold is made of hours that are closed and is used only while the epochs of its hours are what they were: a late record, a
-- soft deletion, retention raise an epoch, and until the hour is folded anew its minutes are read instead. What a fold was made
-- from is the sum of the versions of its hours over all partitions: versions only grow, so an equal sum is an equal state.
-- Nothing that ingestion writes is locked, and nothing of a fold is written by ingestion.
SET LOCAL ROLE logmill_owner;

CREATE TABLE logmill.log_rollup_hour (
    hour             timestamptz NOT NULL,
    category         logmill.log_category NOT NULL,
    service          text NOT NULL,
    environment      text NOT NULL,
    level            logmill.log_level NOT NULL,
    n                bigint NOT NULL,
    duration_n       bigint NOT NULL,
    duration_sum_us  bigint NOT NULL,
    duration_max_us  bigint,
    duration_buckets smallint[],
    duration_counts  bigint[],
    PRIMARY KEY (hour, category, service, environment, level)
);

-- Days of one zone, from their start to the next one's: 23, 24 or 25 hours.
CREATE TABLE logmill.log_rollup_day (LIKE logmill.log_rollup_hour INCLUDING ALL);
ALTER TABLE logmill.log_rollup_day RENAME COLUMN hour TO day;
ALTER TABLE logmill.log_rollup_day ADD COLUMN zone text NOT NULL;
ALTER TABLE logmill.log_rollup_day DROP CONSTRAINT log_rollup_day_pkey;
ALTER TABLE logmill.log_rollup_day ADD PRIMARY KEY (zone, day, category, service, environment, level);

-- The folds there are, also those without a row.
CREATE TABLE logmill.fold_hour (
    hour     timestamptz NOT NULL,
    category logmill.log_category NOT NULL,
    version  bigint NOT NULL,
    made_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hour, category)
);
CREATE TABLE logmill.fold_day (
    zone     text NOT NULL,
    day      timestamptz NOT NULL,
    upper    timestamptz NOT NULL,
    category logmill.log_category NOT NULL,
    version  bigint NOT NULL,
    made_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (zone, day, category)
);

-- Up to when hours are closed. A batch does not raise the epoch of the hour that is current while it is written, so an hour is
-- closed when every transaction that was under way at its end has finished: those before `horizon`, which began after `marked_at`.
CREATE TABLE logmill.fold_state (
    closed    timestamptz NOT NULL,
    marked_at timestamptz NOT NULL,
    horizon   xid8 NOT NULL
);
INSERT INTO logmill.fold_state VALUES ('-infinity', '-infinity', '0');

-- For the versions of an hour over all partitions.
CREATE INDEX data_epoch_hour ON logmill.data_epoch (category, hour);

-- The state a fold of [lower, upper) would be made from now.
CREATE FUNCTION logmill.fold_version(in_category logmill.log_category, lower timestamptz, upper timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (SELECT coalesce(sum(e.version), 0)::bigint FROM logmill.data_epoch e
            WHERE e.category = in_category AND e.hour >= date_trunc('hour', lower, 'UTC') AND e.hour < upper);

-- Moves on up to when hours are closed; that time.
CREATE FUNCTION logmill.close_hours() RETURNS timestamptz
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s    logmill.fold_state;
    at   timestamptz := clock_timestamp(); -- before the horizon is taken
    next xid8;
BEGIN
    SELECT * INTO STRICT s FROM logmill.fold_state;
    IF s.horizon <= pg_snapshot_xmin(pg_current_snapshot()) THEN
        s.closed := s.marked_at;
        next := pg_current_xact_id();
        UPDATE logmill.fold_state SET closed = s.closed, marked_at = at, horizon = next;
    END IF;
    RETURN s.closed;
END
$$;

-- Hours that hold minutes in [lower, upper) and whose fold is missing or old, by category, newest first. Goes from hour to hour
-- by the index of the minutes, until `most` are found.
CREATE FUNCTION logmill.unfolded_hours(lower timestamptz, upper timestamptz, most integer)
    RETURNS TABLE (hour timestamptz, categories logmill.log_category[])
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last timestamptz;
BEGIN
    LOOP
        SELECT r.minute INTO last FROM logmill.log_rollup_minute r
            WHERE r.minute >= lower AND r.minute < upper ORDER BY r.minute DESC LIMIT 1;
        EXIT WHEN last IS NULL;
        hour := date_trunc('hour', last, 'UTC');
        upper := hour;
        SELECT array_agg(c.category) INTO categories
            FROM unnest(enum_range(NULL::logmill.log_category)) AS c (category)
            LEFT JOIN logmill.fold_hour f ON f.hour = unfolded_hours.hour AND f.category = c.category
            WHERE f.version IS DISTINCT FROM
                logmill.fold_version(c.category, unfolded_hours.hour, unfolded_hours.hour + interval '1 hour');
        IF categories IS NOT NULL THEN
            RETURN NEXT;
            most := most - 1;
            EXIT WHEN most <= 0;
        END IF;
        last := NULL;
    END LOOP;
END
$$;

-- Rows of minutes or hours as one row a category, service, environment and level. What is read first is the version: a batch
-- that comes between makes the fold old, never wrong.
CREATE FUNCTION logmill.fold_hour(in_hour timestamptz, categories logmill.log_category[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    after constant timestamptz := in_hour + interval '1 hour';
BEGIN
    INSERT INTO logmill.fold_hour AS f (hour, category, version)
        SELECT in_hour, c, logmill.fold_version(c, in_hour, after) FROM unnest(categories) AS c
        ON CONFLICT (hour, category) DO UPDATE SET version = excluded.version, made_at = excluded.made_at;
    DELETE FROM logmill.log_rollup_hour h WHERE h.hour = in_hour AND h.category = ANY (categories);
    INSERT INTO logmill.log_rollup_hour
    WITH source AS MATERIALIZED (
        SELECT r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us,
               r.duration_buckets AS b, r.duration_counts AS c
        FROM logmill.log_rollup_minute r
        WHERE r.minute >= in_hour AND r.minute < after AND r.category = ANY (categories)),
    histogram AS (
        SELECT q.category, q.service, q.environment, q.level, array_agg(q.bucket ORDER BY q.bucket) AS b,
               array_agg(q.n ORDER BY q.bucket) AS c
        FROM (SELECT s.category, s.service, s.environment, s.level, u.bucket, sum(u.n)::bigint AS n
              FROM source s CROSS JOIN LATERAL unnest(s.b, s.c) AS u (bucket, n)
              GROUP BY s.category, s.service, s.environment, s.level, u.bucket) q
        GROUP BY q.category, q.service, q.environment, q.level)
    SELECT in_hour, t.category, t.service, t.environment, t.level, t.n, t.dn, t.ds, t.dm, h.b, h.c
    FROM (SELECT s.category, s.service, s.environment, s.level, sum(s.n)::bigint AS n, sum(s.duration_n)::bigint AS dn,
                 least(sum(s.duration_sum_us), 9223372036854775807)::bigint AS ds, max(s.duration_max_us) AS dm
          FROM source s GROUP BY s.category, s.service, s.environment, s.level) t
    LEFT JOIN histogram h ON (h.category, h.service, h.environment, h.level) = (t.category, t.service, t.environment, t.level);
END
$$;

-- The same for a day, from its hours, and from minutes where it begins or ends inside one. False where an hour that holds
-- minutes has no fold that is current: nothing was done.
CREATE FUNCTION logmill.fold_day(in_zone text, in_day timestamptz, in_upper timestamptz, in_category logmill.log_category)
    RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- The whole hours in it.
    first constant timestamptz := date_trunc('hour', in_day + interval '1 hour' - interval '1 microsecond', 'UTC');
    last  constant timestamptz := date_trunc('hour', in_upper, 'UTC');
BEGIN
    INSERT INTO logmill.fold_day AS f (zone, day, upper, category, version)
        VALUES (in_zone, in_day, in_upper, in_category, logmill.fold_version(in_category, in_day, in_upper))
        ON CONFLICT (zone, day, category) DO UPDATE
            SET upper = excluded.upper, version = excluded.version, made_at = excluded.made_at;
    IF EXISTS (SELECT FROM logmill.unfolded_hours(first, last, 25) u WHERE in_category = ANY (u.categories)) THEN
        DELETE FROM logmill.fold_day f WHERE (f.zone, f.day, f.category) = (in_zone, in_day, in_category);
        RETURN false;
    END IF;
    DELETE FROM logmill.log_rollup_day d WHERE d.zone = in_zone AND d.day = in_day AND d.category = in_category;
    INSERT INTO logmill.log_rollup_day
        (day, category, service, environment, level, n, duration_n, duration_sum_us, duration_max_us, duration_buckets,
         duration_counts, zone)
    WITH source AS MATERIALIZED (
        SELECT r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us,
               r.duration_buckets AS b, r.duration_counts AS c
        FROM logmill.log_rollup_hour r
        JOIN logmill.fold_hour f ON f.hour = r.hour AND f.category = r.category
            AND f.version = logmill.fold_version(f.category, f.hour, f.hour + interval '1 hour')
        WHERE r.hour >= first AND r.hour < last AND r.category = in_category
        UNION ALL
        SELECT r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us,
               r.duration_buckets, r.duration_counts
        FROM logmill.log_rollup_minute r
        WHERE r.category = in_category
            AND (r.minute >= in_day AND r.minute < first OR r.minute >= last AND r.minute < in_upper)),
    histogram AS (
        SELECT q.service, q.environment, q.level, array_agg(q.bucket ORDER BY q.bucket) AS b,
               array_agg(q.n ORDER BY q.bucket) AS c
        FROM (SELECT s.service, s.environment, s.level, u.bucket, sum(u.n)::bigint AS n
              FROM source s CROSS JOIN LATERAL unnest(s.b, s.c) AS u (bucket, n)
              GROUP BY s.service, s.environment, s.level, u.bucket) q
        GROUP BY q.service, q.environment, q.level)
    SELECT in_day, in_category, t.service, t.environment, t.level, t.n, t.dn, t.ds, t.dm, h.b, h.c, in_zone
    FROM (SELECT s.service, s.environment, s.level, sum(s.n)::bigint AS n, sum(s.duration_n)::bigint AS dn,
                 least(sum(s.duration_sum_us), 9223372036854775807)::bigint AS ds, max(s.duration_max_us) AS dm
          FROM source s GROUP BY s.service, s.environment, s.level) t
    LEFT JOIN histogram h ON (h.service, h.environment, h.level) = (t.service, t.environment, t.level);
    RETURN true;
END
$$;

-- Folds closed hours and then days of `zone` for about `budget`, newest first, as far as `back` reaches; how many, and whether
-- there is more to do. NULLs where another is at it, and for `more` where nothing is known to be closed yet. The consumers call it once a minute, logmill-ctl fold for all there is.
CREATE FUNCTION logmill.fold(zone text, back interval, budget interval, OUT hours integer, OUT days integer, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    until    constant timestamptz := clock_timestamp() + budget;
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
    closed := date_trunc('hour', logmill.close_hours(), 'UTC');
    SELECT greatest(min(r.minute), clock_timestamp() - back) INTO lowest FROM logmill.log_rollup_minute r;
    IF NOT isfinite(closed) THEN -- the first call ever only marks where transactions stand
        more := NULL;
    END IF;
    IF lowest IS NULL OR NOT isfinite(closed) THEN
        RETURN;
    END IF;
    -- Whatever finding them took, a call folds something, or it would never get on.
    FOR h IN SELECT u.hour, u.categories FROM logmill.unfolded_hours(date_trunc('hour', lowest, 'UTC'), closed, 100) u LOOP
        PERFORM logmill.fold_hour(h.hour, h.categories);
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

-- What the reader sees of it: folds that are current, nothing else.

CREATE VIEW logmill_read.fold_hour WITH (security_invoker = true) AS
    SELECT f.hour, f.category FROM logmill.fold_hour f
    WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e
                       WHERE e.category = f.category AND e.hour = f.hour);

CREATE VIEW logmill_read.fold_day WITH (security_invoker = true) AS
    SELECT f.zone, f.day, f.upper, f.category FROM logmill.fold_day f
    WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e
                       WHERE e.category = f.category AND e.hour >= date_trunc('hour', f.day, 'UTC') AND e.hour < f.upper);

CREATE VIEW logmill_read.log_rollup_hour WITH (security_invoker = true) AS
    SELECT r.hour, r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us, r.duration_max_us
    FROM logmill_read.fold_hour f JOIN logmill.log_rollup_hour r ON r.hour = f.hour AND r.category = f.category;

CREATE VIEW logmill_read.log_duration_hour WITH (security_invoker = true) AS
    SELECT r.hour, r.category, r.service, r.environment, r.level, u.bucket, u.n
    FROM logmill_read.fold_hour f JOIN logmill.log_rollup_hour r ON r.hour = f.hour AND r.category = f.category
    CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n);

CREATE VIEW logmill_read.log_rollup_day WITH (security_invoker = true) AS
    SELECT r.zone, r.day, f.upper, r.category, r.service, r.environment, r.level, r.n, r.duration_n, r.duration_sum_us,
           r.duration_max_us
    FROM logmill_read.fold_day f JOIN logmill.log_rollup_day r ON r.zone = f.zone AND r.day = f.day AND r.category = f.category;

CREATE VIEW logmill_read.log_duration_day WITH (security_invoker = true) AS
    SELECT r.zone, r.day, f.upper, r.category, r.service, r.environment, r.level, u.bucket, u.n
    FROM logmill_read.fold_day f JOIN logmill.log_rollup_day r ON r.zone = f.zone AND r.day = f.day AND r.category = f.category
    CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n);

-- How a window of whole minutes is put together: the days of `in_zone` that are folded, hours that are folded outside of them,
-- and ranges of minutes for the rest. All in the snapshot of the statement that asks.
CREATE FUNCTION logmill_read.rollup_ranges(in_category logmill.log_category, in_lower timestamptz, in_upper timestamptz, in_zone text,
                                           OUT days timestamptz[], OUT hours timestamptz[], OUT minutes tstzmultirange)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whole tstzmultirange;
BEGIN
    SELECT coalesce(array_agg(f.day), '{}'), coalesce(range_agg(tstzrange(f.day, f.upper)), '{}') INTO days, whole
        FROM logmill_read.fold_day f
        WHERE f.zone = in_zone AND f.category = in_category AND f.day >= in_lower AND f.upper <= in_upper;
    SELECT coalesce(array_agg(f.hour), '{}'), whole + coalesce(range_agg(tstzrange(f.hour, f.hour + interval '1 hour')), '{}')
        INTO hours, whole
        FROM logmill_read.fold_hour f
        WHERE f.category = in_category AND f.hour >= in_lower AND f.hour <= in_upper - interval '1 hour'
            AND NOT tstzrange(f.hour, f.hour + interval '1 hour') && whole;
    minutes := tstzmultirange(tstzrange(in_lower, in_upper)) - whole;
END
$$;

-- What a window of whole minutes holds, from as few rows as there are: `at` is the start of the day, hour or minute a row is of.
CREATE FUNCTION logmill_read.rollup_window(in_category logmill.log_category, in_lower timestamptz, in_upper timestamptz, in_zone text)
    RETURNS TABLE (at timestamptz, grain text, service text, environment text, level logmill.log_level, n bigint,
                   duration_n bigint, duration_sum_us bigint, duration_max_us bigint)
    LANGUAGE plpgsql STABLE ROWS 2000
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r    record;
    part tstzrange;
BEGIN
    SELECT * INTO STRICT r FROM logmill_read.rollup_ranges(in_category, in_lower, in_upper, in_zone);
    RETURN QUERY SELECT d.day, 'day', d.service, d.environment, d.level, d.n, d.duration_n, d.duration_sum_us, d.duration_max_us
        FROM logmill_read.log_rollup_day d WHERE d.zone = in_zone AND d.category = in_category AND d.day = ANY (r.days);
    RETURN QUERY SELECT h.hour, 'hour', h.service, h.environment, h.level, h.n, h.duration_n, h.duration_sum_us,
                        h.duration_max_us
        FROM logmill_read.log_rollup_hour h WHERE h.category = in_category AND h.hour = ANY (r.hours);
    FOR part IN SELECT unnest(r.minutes) LOOP
        RETURN QUERY SELECT m.minute, 'minute', m.service, m.environment, m.level, m.n, m.duration_n, m.duration_sum_us,
                            m.duration_max_us
            FROM logmill_read.log_rollup_minute m
            WHERE m.category = in_category AND m.minute >= lower(part) AND m.minute < upper(part);
    END LOOP;
END
$$;

GRANT SELECT (hour, category, service, environment, level, n, duration_n, duration_sum_us, duration_max_us, duration_buckets,
              duration_counts)
    ON logmill.log_rollup_hour TO logmill_reader;
GRANT SELECT (zone, day, category, service, environment, level, n, duration_n, duration_sum_us, duration_max_us,
              duration_buckets, duration_counts)
    ON logmill.log_rollup_day TO logmill_reader;
GRANT SELECT (hour, category, version) ON logmill.fold_hour TO logmill_reader;
GRANT SELECT (zone, day, upper, category, version) ON logmill.fold_day TO logmill_reader;
GRANT SELECT ON logmill_read.fold_hour, logmill_read.fold_day, logmill_read.log_rollup_hour, logmill_read.log_duration_hour,
                logmill_read.log_rollup_day, logmill_read.log_duration_day
    TO logmill_reader;
GRANT EXECUTE ON FUNCTION logmill_read.rollup_ranges, logmill_read.rollup_window TO logmill_reader;
GRANT EXECUTE ON FUNCTION logmill.fold TO logmill_writer;

ALTER TABLE logmill.log_rollup_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE logmill.log_rollup_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON logmill.log_rollup_hour FOR SELECT TO logmill_reader USING (true);
CREATE POLICY reader ON logmill.log_rollup_day FOR SELECT TO logmill_reader USING (true);
