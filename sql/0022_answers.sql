-- Answers of small windows in half the time, percentiles of days in two thirds.
SET LOCAL ROLE logmill_owner;

-- As before, but a function that is called, not inlined: finding out what a window is put together from took PostgreSQL longer to
-- plan than to do, anew for each question. Its plans are kept by the connection; generic ones, for what they are good for does not
-- hang on the window. The reader has no use of schema logmill, whose tables plpgsql looks up when it runs: so it runs as the owner.
-- What is folded is told to everybody.
CREATE OR REPLACE FUNCTION logmill_read.rollup_cover(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (zone text, days timestamptz[], hours timestamptz[], slots timestamptz[], minutes tstzrange[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    rest tstzmultirange := tstzmultirange(tstzrange(in_lower, in_upper)); -- not covered yet
    left_over tstzmultirange;
BEGIN
    IF in_unit = 'day' THEN
        zone := coalesce(in_zone, (SELECT f.zone FROM logmill.fold_day f
                                   WHERE f.category = 'raw' AND f.day >= in_lower AND f.upper <= in_upper
                                   GROUP BY f.zone ORDER BY count(*) DESC, f.zone LIMIT 1));
        SELECT array_agg(f.day), rest - coalesce(range_agg(tstzrange(f.day, f.upper)), '{}') INTO days, left_over
        FROM (SELECT d.day, d.upper, sum(d.version) AS version FROM logmill.fold_day d
              WHERE d.zone = rollup_cover.zone AND d.day >= in_lower AND d.upper <= in_upper
              GROUP BY d.day, d.upper HAVING count(*) = 4) f
        WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e
                           WHERE e.hour >= date_trunc('hour', f.day, 'UTC') AND e.hour < f.upper);
        rest := left_over;
    END IF;
    IF in_unit IN ('day', 'hour') THEN
        SELECT array_agg(f.hour), rest - coalesce(range_agg(tstzrange(f.hour, f.hour + interval '1 hour')), '{}')
        INTO hours, left_over
        FROM (SELECT h.hour, sum(h.version) AS version
              FROM unnest(rest) AS r (part)
              JOIN logmill.fold_hour h ON h.hour >= lower(r.part) AND h.hour <= upper(r.part) - interval '1 hour'
              GROUP BY h.hour HAVING count(*) = 4) f
        WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e WHERE e.hour = f.hour);
        rest := left_over;
    END IF;
    IF in_unit <> 'minute' THEN
        SELECT array_agg(f.slot), rest - coalesce(range_agg(tstzrange(f.slot, f.slot + interval '5 minutes')), '{}')
        INTO slots, left_over
        FROM (SELECT o.slot, sum(o.version) AS version, sum(o.hour_version) AS hour_version
              FROM unnest(rest) AS r (part)
              JOIN logmill.fold_slot o ON o.slot >= lower(r.part) AND o.slot <= upper(r.part) - interval '5 minutes'
              GROUP BY o.slot HAVING count(*) = 4) f
        WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.slot_epoch e WHERE e.slot = f.slot)
            AND f.hour_version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e
                                  WHERE e.hour = date_trunc('hour', f.slot, 'UTC'));
        rest := left_over;
    END IF;
    minutes := ARRAY(SELECT unnest(rest));
    RETURN NEXT;
END
$$;

-- The histograms of log_rollup_hour and log_rollup_day once more, over all levels: percentiles are seldom of one level, and without
-- them there is a third of the rows. Whatever writes or removes folds takes them along, all of a category's hour or day at once.
CREATE TABLE logmill.duration_hour (
    hour        timestamptz NOT NULL,
    category    logmill.log_category NOT NULL,
    service     text NOT NULL,
    environment text NOT NULL,
    buckets     smallint[] NOT NULL,
    counts      bigint[] NOT NULL,
    PRIMARY KEY (hour, category, service, environment)
);
CREATE TABLE logmill.duration_day (
    zone        text NOT NULL,
    day         timestamptz NOT NULL,
    category    logmill.log_category NOT NULL,
    service     text NOT NULL,
    environment text NOT NULL,
    buckets     smallint[] NOT NULL,
    counts      bigint[] NOT NULL,
    PRIMARY KEY (zone, day, category, service, environment)
);

CREATE FUNCTION logmill.durations_made() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'log_rollup_hour' THEN
        INSERT INTO logmill.duration_hour (hour, category, service, environment, buckets, counts)
        SELECT q.hour, q.category, q.service, q.environment, array_agg(q.bucket ORDER BY q.bucket), array_agg(q.n ORDER BY q.bucket)
        FROM (SELECT m.hour, m.category, m.service, m.environment, u.bucket, sum(u.n)::bigint AS n
              FROM made m CROSS JOIN LATERAL unnest(m.duration_buckets, m.duration_counts) AS u (bucket, n)
              GROUP BY m.hour, m.category, m.service, m.environment, u.bucket) q
        GROUP BY q.hour, q.category, q.service, q.environment;
    ELSE
        INSERT INTO logmill.duration_day (zone, day, category, service, environment, buckets, counts)
        SELECT q.zone, q.day, q.category, q.service, q.environment, array_agg(q.bucket ORDER BY q.bucket),
               array_agg(q.n ORDER BY q.bucket)
        FROM (SELECT m.zone, m.day, m.category, m.service, m.environment, u.bucket, sum(u.n)::bigint AS n
              FROM made m CROSS JOIN LATERAL unnest(m.duration_buckets, m.duration_counts) AS u (bucket, n)
              GROUP BY m.zone, m.day, m.category, m.service, m.environment, u.bucket) q
        GROUP BY q.zone, q.day, q.category, q.service, q.environment;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION logmill.durations_gone() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'log_rollup_hour' THEN
        DELETE FROM logmill.duration_hour d USING (SELECT DISTINCT g.hour, g.category FROM gone g) g
            WHERE (d.hour, d.category) = (g.hour, g.category);
    ELSE
        DELETE FROM logmill.duration_day d USING (SELECT DISTINCT g.zone, g.day, g.category FROM gone g) g
            WHERE (d.zone, d.day, d.category) = (g.zone, g.day, g.category);
    END IF;
    RETURN NULL;
END
$$;

-- Nobody folds from here on until this is committed; then everybody does it with the triggers.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1280134214, hashtext('fold')); END $$;
CREATE TRIGGER durations_made AFTER INSERT ON logmill.log_rollup_hour
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION logmill.durations_made();
CREATE TRIGGER durations_gone AFTER DELETE ON logmill.log_rollup_hour
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION logmill.durations_gone();
CREATE TRIGGER durations_made AFTER INSERT ON logmill.log_rollup_day
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION logmill.durations_made();
CREATE TRIGGER durations_gone AFTER DELETE ON logmill.log_rollup_day
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION logmill.durations_gone();

-- What is folded already.
INSERT INTO logmill.duration_hour (hour, category, service, environment, buckets, counts)
SELECT q.hour, q.category, q.service, q.environment, array_agg(q.bucket ORDER BY q.bucket), array_agg(q.n ORDER BY q.bucket)
FROM (SELECT r.hour, r.category, r.service, r.environment, u.bucket, sum(u.n)::bigint AS n
      FROM logmill.log_rollup_hour r CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
      GROUP BY r.hour, r.category, r.service, r.environment, u.bucket) q
GROUP BY q.hour, q.category, q.service, q.environment;
INSERT INTO logmill.duration_day (zone, day, category, service, environment, buckets, counts)
SELECT q.zone, q.day, q.category, q.service, q.environment, array_agg(q.bucket ORDER BY q.bucket), array_agg(q.n ORDER BY q.bucket)
FROM (SELECT r.zone, r.day, r.category, r.service, r.environment, u.bucket, sum(u.n)::bigint AS n
      FROM logmill.log_rollup_day r CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n)
      GROUP BY r.zone, r.day, r.category, r.service, r.environment, u.bucket) q
GROUP BY q.zone, q.day, q.category, q.service, q.environment;

-- As log_duration, of records of any level.
CREATE FUNCTION logmill_read.log_duration_any(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, bucket smallint, n bigint)
    LANGUAGE sql STABLE ROWS 20000
    BEGIN ATOMIC
        WITH c AS MATERIALIZED (SELECT * FROM logmill_read.rollup_cover(in_lower, in_upper, in_unit, in_zone))
        SELECT u.at, u.category, u.service, u.environment, unnest(u.buckets), unnest(u.counts)
        FROM (SELECT r.day AS at, r.category, r.service, r.environment, r.buckets, r.counts
              FROM c CROSS JOIN LATERAL unnest(c.days) AS d (day)
              JOIN logmill.duration_day r ON r.zone = c.zone AND r.day = d.day
              UNION ALL
              SELECT r.hour, r.category, r.service, r.environment, r.buckets, r.counts
              FROM c CROSS JOIN LATERAL unnest(c.hours) AS h (hour)
              JOIN logmill.duration_hour r ON r.hour = h.hour
              UNION ALL
              SELECT r.slot, r.category, r.service, r.environment, r.duration_buckets, r.duration_counts
              FROM c CROSS JOIN LATERAL unnest(c.slots) AS s (slot)
              JOIN logmill.log_rollup_slot r ON r.slot = s.slot
              UNION ALL
              SELECT r.minute, r.category, r.service, r.environment, r.duration_buckets, r.duration_counts
              FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
              CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                                  WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r) AS u;
    END;
GRANT EXECUTE ON FUNCTION logmill_read.log_duration_any TO logmill_reader, logmill_scoped;

GRANT SELECT ON logmill.duration_hour, logmill.duration_day TO logmill_reader, logmill_scoped;
ALTER TABLE logmill.duration_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE logmill.duration_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON logmill.duration_hour FOR SELECT TO logmill_reader USING (true);
CREATE POLICY reader ON logmill.duration_day FOR SELECT TO logmill_reader USING (true);
-- As on the other rollups: looked up once a statement.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['duration_hour', 'duration_day'] LOOP
        EXECUTE format(
            'CREATE POLICY scoped ON logmill.%I FOR SELECT TO logmill_scoped USING ('
            '((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user)'
            ' OR service = ANY (ARRAY(SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user))) AND '
            '((SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user)'
            ' OR environment = ANY (ARRAY(SELECT unnest(s.environments) FROM logmill.access_scope s WHERE s.role = current_user))))',
            name);
    END LOOP;
END
$$;
