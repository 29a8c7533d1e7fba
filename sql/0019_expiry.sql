-- What is counted is forgotten some time after its rows are gone; and what a closing message adds is added in one order.
SET LOCAL ROLE logmill_owner;

-- Up to when the counts of a category have been looked through, and since when they are all there; NULL: none was ever removed.
CREATE TABLE logmill.expired_rollup (
    category logmill.log_category PRIMARY KEY,
    upto     timestamptz NOT NULL,
    since    timestamptz
);

CREATE VIEW logmill_read.counts_since WITH (security_invoker = true) AS
    SELECT category, since FROM logmill.expired_rollup WHERE since IS NOT NULL;
GRANT SELECT (category, since) ON logmill.expired_rollup TO logmill_reader, logmill_scoped;
GRANT SELECT ON logmill_read.counts_since TO logmill_reader, logmill_scoped;

-- Removes what was counted of `category` in the hour at `h`: was there anything? The folds of the hour become those of an hour
-- without rows, for a window is read from folds only where those of all categories are current.
CREATE FUNCTION logmill.expire_hour(in_category logmill.log_category, h timestamptz) RETURNS boolean
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
    DELETE FROM logmill.error_pattern_hour e WHERE e.hour = h AND e.category = in_category;
    GET DIAGNOSTICS patterns = ROW_COUNT;
    DELETE FROM logmill.log_rollup_hour r WHERE r.hour = h AND r.category = in_category;
    UPDATE logmill.fold_hour f SET version = 0 WHERE f.hour = h AND f.category = in_category AND f.version <> 0;
    DELETE FROM logmill.data_epoch e WHERE e.hour = h AND e.category = in_category;
    RETURN minutes + patterns > 0;
END
$$;

-- Forgets what was counted longer than `age` ago: minutes, error patterns, the folds and epochs of their hours, and names not seen
-- since. Never of a time whose rows are kept: counts agree with the rows as long as there are any. An hour at a time, oldest
-- first, for about `budget`; how many hours held something, and whether there is more to do. NULLs where another is at it. The
-- consumers call it once an hour.
CREATE FUNCTION logmill.expire_rollups(age interval, budget interval, OUT hours integer, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    until  constant timestamptz := clock_timestamp() + budget;
    -- Whole days, so that names are looked through once a day.
    oldest constant timestamptz := date_trunc('day', clock_timestamp() - age, 'UTC');
    this   logmill.log_category;
    kept   timestamptz; -- from here on
    at     timestamptz;
    went   timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1280134214, hashtext('fold')) THEN -- 'LMLF'; both write folds
        RETURN;
    END IF;
    hours := 0;
    more := false;
    FOREACH this IN ARRAY enum_range(NULL::logmill.log_category) LOOP
        SELECT date_trunc('hour', least(oldest, min(l.lower)), 'UTC') INTO kept
            FROM logmill.leaf l WHERE l.category = this AND NOT l.detaching;
        SELECT e.upto INTO at FROM logmill.expired_rollup e WHERE e.category = this;
        CONTINUE WHEN at = kept;
        IF at IS NULL THEN
            SELECT date_trunc('hour', least(kept, (SELECT min(r.minute) FROM logmill.log_rollup_minute r),
                                            (SELECT min(e.hour) FROM logmill.error_pattern_hour e),
                                            (SELECT min(e.hour) FROM logmill.data_epoch e)), 'UTC') INTO at;
        END IF;
        went := NULL;
        WHILE at < kept AND NOT more LOOP
            IF logmill.expire_hour(this, at) THEN
                hours := hours + 1;
                went := at + interval '1 hour';
            END IF;
            at := at + interval '1 hour';
            more := clock_timestamp() >= until;
        END LOOP;
        -- Leaves of an older time than before were made: what they count expires with them.
        at := least(at, kept);
        INSERT INTO logmill.expired_rollup AS e VALUES (this, at, went)
            ON CONFLICT (category) DO UPDATE SET upto = excluded.upto, since = coalesce(excluded.since, e.since);
        DELETE FROM logmill.log_rollup_day r USING logmill.fold_day f
            WHERE f.category = this AND f.upper <= at AND f.version <> 0
                AND (r.zone, r.day, r.category) = (f.zone, f.day, f.category);
        UPDATE logmill.fold_day f SET version = 0 WHERE f.category = this AND f.upper <= at AND f.version <> 0;
        DELETE FROM logmill.log_name n WHERE n.ctid = ANY (ARRAY(
            SELECT old.ctid FROM logmill.log_name old WHERE old.category = this AND old.last_seen < at
                LIMIT 10000 FOR UPDATE SKIP LOCKED));
        EXIT WHEN more;
    END LOOP;
    SELECT min(e.upto) INTO at FROM logmill.expired_rollup e;
    DELETE FROM logmill.fold_hour f WHERE f.ctid = ANY (ARRAY(
        SELECT old.ctid FROM logmill.fold_hour old WHERE old.hour < at LIMIT 10000));
    DELETE FROM logmill.fold_day f WHERE f.upper <= at AND f.version = 0;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.expire_rollups TO logmill_writer;

-- Two topics of one category meet in these rows where they have a partition of the same number: their batches lock them in one
-- order, and so never wait for each other in a circle. Otherwise as before.

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
    ORDER BY q.slot
    ON CONFLICT (slot, category, kafka_partition) DO UPDATE SET version = e.version + 1;
    INSERT INTO logmill.log_rollup_minute AS r
    SELECT logmill.at_us(u.minute), in_category, u.service, u.environment, u.level, in_partition, u.n, u.dn, u.ds,
           CASE WHEN u.dn > 0 THEN u.dm END,
           CASE WHEN u.dn > 0 THEN all_buckets[u.b_from:u.b_to] END,
           CASE WHEN u.dn > 0 THEN all_counts[u.b_from:u.b_to] END
    FROM (SELECT *
          FROM unnest(minutes, services, environments, levels, ns, duration_ns, duration_sums, duration_maxima, bucket_from,
                      bucket_to) AS g (minute, service, environment, level, n, dn, ds, dm, b_from, b_to)
          ORDER BY g.minute, g.service COLLATE "C", g.environment COLLATE "C", g.level) AS u
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

CREATE OR REPLACE FUNCTION logmill.add_error_patterns(in_category logmill.log_category, in_partition integer, hours bigint[],
                                                      services text[], environments text[], error_types text[], patterns bigint[],
                                                      ns bigint[], firsts bigint[], lasts bigint[], samples text[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.error_pattern_hour AS e
    SELECT logmill.at_us(u.hour), in_category, u.service, u.environment, u.error_type, u.pattern, in_partition, u.n,
           logmill.at_us(u.first), logmill.at_us(u.last), u.sample
    FROM unnest(hours, services, environments, error_types, patterns, ns, firsts, lasts, samples)
         AS u (hour, service, environment, error_type, pattern, n, first, last, sample)
    ORDER BY u.hour, u.service COLLATE "C", u.environment COLLATE "C", u.error_type COLLATE "C", u.pattern
    ON CONFLICT (hour, category, service, environment, error_type, pattern, kafka_partition) DO UPDATE
        SET n = e.n + excluded.n,
            first_seen = least(e.first_seen, excluded.first_seen),
            last_seen = greatest(e.last_seen, excluded.last_seen);
END
$$;

CREATE OR REPLACE FUNCTION logmill.add_names(in_category logmill.log_category, in_partition integer, kinds text[], names text[],
                                             services text[], environments text[], firsts bigint[], lasts bigint[],
                                             ns bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.log_name AS l
    SELECT u.kind, u.name, in_category, u.service, u.environment, in_partition, logmill.at_us(u.first),
           logmill.at_us(u.last), u.n
    FROM unnest(kinds, names, services, environments, firsts, lasts, ns)
         AS u (kind, name, service, environment, first, last, n)
    ORDER BY u.kind COLLATE "C", u.name COLLATE "C", u.service COLLATE "C", u.environment COLLATE "C"
    ON CONFLICT (kind, value, category, service, environment, kafka_partition) DO UPDATE
        SET first_seen = least(l.first_seen, excluded.first_seen),
            last_seen = greatest(l.last_seen, excluded.last_seen),
            n = l.n + excluded.n;
END
$$;

CREATE OR REPLACE FUNCTION logmill.raise_epochs(in_category logmill.log_category, in_partition integer, hours bigint[])
    RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.data_epoch AS e
    SELECT in_category, in_partition, logmill.at_us(u.hour), 1
    FROM unnest(hours) AS u (hour)
    WHERE logmill.at_us(u.hour) <> date_trunc('hour', clock_timestamp() + interval '1 minute', 'UTC')
    ORDER BY u.hour
    ON CONFLICT (category, kafka_partition, hour) DO UPDATE SET version = e.version + 1;
END
$$;
