-- What answers at size: windows of all categories put together from days, hours and minutes in one statement.
SET LOCAL ROLE logmill_owner;

-- For the versions of a stretch of time over all categories and partitions.
CREATE INDEX data_epoch_all ON logmill.data_epoch (hour);

-- How [in_lower, in_upper) of whole minutes is put together in units of at most `in_unit` ('day', 'hour', 'minute'): the days of
-- `in_zone` that are folded (NULL: of the zone that has most of them), hours that are folded outside of those, ranges of minutes
-- for the rest. A day or an hour counts where the folds of all categories are current, so that what is left is one set of ranges
-- for all; versions only grow, so the folds of all are current exactly where the sums over all are equal. This and the functions
-- below are made to be inlined into the statement that asks: what it filters by reaches the indexes, and row security is that of
-- who asks. The ORDER BY of the minutes keeps PostgreSQL from joining them any other way than by the index, range by range.
CREATE FUNCTION logmill_read.rollup_cover(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (zone text, days timestamptz[], hours timestamptz[], minutes tstzrange[])
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
                  WHERE in_unit <> 'minute'
                  GROUP BY h.hour HAVING count(*) = 4) f
            WHERE f.version = (SELECT coalesce(sum(e.version), 0) FROM logmill.data_epoch e WHERE e.hour = f.hour))
        SELECT (SELECT c.zone FROM chosen c), (SELECT array_agg(d.day) FROM days d), (SELECT array_agg(h.hour) FROM hours h),
               ARRAY(SELECT unnest(s.ranges - (SELECT coalesce(range_agg(tstzrange(h.hour, h.hour + interval '1 hour')), '{}')
                                               FROM hours h)))
        FROM rest s;
    END;

-- What [in_lower, in_upper) holds, from as few rows as there are; `at` is the start of the day, hour or minute a row is of.
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
        SELECT r.minute, r.category, r.service, r.environment, r.level, u.bucket, u.n
        FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                            WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r
        CROSS JOIN LATERAL unnest(r.duration_buckets, r.duration_counts) AS u (bucket, n);
    END;

GRANT EXECUTE ON FUNCTION logmill_read.rollup_cover, logmill_read.log_rollup, logmill_read.log_duration
    TO logmill_reader, logmill_scoped;

-- What is looked for in days of rows, by no B-tree that ingestion could afford: times, the values of a rare service, of a trace or
-- a session, by stretches of 64 pages. One index for all of it: PostgreSQL then takes it for any of them, where for a BRIN index on
-- ids alone, which lie in no order, it expects to read everything. A stretch that is not summarised costs COPY next to nothing and
-- is read whole.
DROP INDEX logmill.logs_created_at;
CREATE INDEX logs_sought ON logmill.logs
    USING brin (created_at, service text_bloom_ops (n_distinct_per_range = 100, false_positive_rate = 0.003),
                trace_id text_bloom_ops (n_distinct_per_range = 1500, false_positive_rate = 0.003),
                session_id text_bloom_ops (n_distinct_per_range = 500, false_positive_rate = 0.003))
    WITH (pages_per_range = 64, autosummarize = off);

-- How many pages of its leaf a BRIN index has summarised.
CREATE TABLE logmill.leaf_summary (
    index regclass PRIMARY KEY,
    pages bigint NOT NULL
);

-- Summarises what was written to the leaves of the last two days, for about `budget`; how many stretches of pages, and whether
-- there is more. NULLs where another is at it. The consumers call it once a minute. The end of a leaf that is still written to
-- waits, for a row that comes into a summarised stretch costs more than the summary; what VACUUM is at waits for the next call.
CREATE FUNCTION logmill.summarise(budget interval, OUT stretches integer, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET lock_timeout = '50ms'
AS $$
DECLARE
    until constant timestamptz := clock_timestamp() + budget;
    held_back constant bigint := 1024; -- pages, in which backends that copy still fill gaps
    i    record;
    page bigint;
    last bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1280134214, hashtext('summarise')) THEN -- 'LMLF'
        RETURN;
    END IF;
    stretches := 0;
    more := false;
    DELETE FROM logmill.leaf_summary s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.index);
    FOR i IN
        SELECT x.indexrelid::regclass AS index, b.relation, b.upper < clock_timestamp() - interval '1 minute' AS over,
               coalesce(o.option_value::bigint, 128) AS step, coalesce(s.pages, 0) AS pages
        FROM logmill.leaf_bound b
        JOIN pg_index x ON x.indrelid = b.relation
        JOIN pg_class c ON c.oid = x.indexrelid
        JOIN pg_am a ON a.oid = c.relam AND a.amname = 'brin'
        LEFT JOIN LATERAL pg_options_to_table(c.reloptions) o ON o.option_name = 'pages_per_range'
        LEFT JOIN logmill.leaf_summary s ON s.index = x.indexrelid
        WHERE b.upper > clock_timestamp() - interval '2 days' AND b.lower < clock_timestamp() AND NOT b.detaching
        ORDER BY b.lower DESC, x.indexrelid
    LOOP
        page := i.pages;
        last := pg_relation_size(i.relation) / current_setting('block_size')::bigint;
        IF NOT i.over THEN
            last := last - held_back - i.step;
        END IF;
        BEGIN
            WHILE page < last AND NOT more LOOP
                PERFORM brin_summarize_range(i.index, page);
                page := page + i.step;
                stretches := stretches + 1;
                more := clock_timestamp() >= until;
            END LOOP;
            IF page > i.pages THEN
                INSERT INTO logmill.leaf_summary VALUES (i.index, page)
                    ON CONFLICT (index) DO UPDATE SET pages = excluded.pages;
            END IF;
        EXCEPTION WHEN lock_not_available OR undefined_table THEN
            NULL;
        END;
        EXIT WHEN more;
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION logmill.summarise TO logmill_writer;
