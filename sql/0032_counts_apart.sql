-- Counts by service from a third of the rows: as durations and seconds have it, a row for each service and environment with a column a
-- level.
SET LOCAL ROLE logmill_owner;

-- Nobody folds or expires from here on, as in 0031.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1280134214, hashtext('fold')); END $$; -- 'LMLF'

-- 1. The counts of log_rollup_minute and its folds once more. The views tell what they are, the tables keep it.
DO $do$
DECLARE
    t record;
BEGIN
    FOR t IN VALUES ('minute', 'minute, category, service, environment, kafka_partition', 'WITH (deduplicate_items = off)'),
                    ('slot', 'slot, category, service, environment', ''), ('hour', 'hour, category, service, environment', ''),
                    ('day', 'zone, day, category, service, environment', '') LOOP
        EXECUTE format(
            'CREATE VIEW logmill.%1$s_counts AS '
            'SELECT %2$s, coalesce(sum(n) FILTER (WHERE level = ''DEBUG''), 0)::bigint AS debug, '
                   'coalesce(sum(n) FILTER (WHERE level = ''INFO''), 0)::bigint AS info, '
                   'coalesce(sum(n) FILTER (WHERE level = ''WARN''), 0)::bigint AS warn, '
                   'coalesce(sum(n) FILTER (WHERE level = ''ERROR''), 0)::bigint AS error, '
                   'coalesce(sum(n) FILTER (WHERE level = ''FATAL''), 0)::bigint AS fatal '
            'FROM logmill.log_rollup_%1$s GROUP BY %2$s', t.column1, t.column2);
        EXECUTE format('CREATE TABLE logmill.count_%1$s AS SELECT * FROM logmill.%1$s_counts %2$s', t.column1,
                       CASE t.column1 WHEN 'minute' THEN 'WITH NO DATA' ELSE 'ORDER BY ' || t.column2 END);
        EXECUTE format('ALTER TABLE logmill.count_%1$s ADD PRIMARY KEY (%2$s) %3$s, ALTER debug SET NOT NULL, ALTER info SET NOT NULL, '
                       'ALTER warn SET NOT NULL, ALTER error SET NOT NULL, ALTER fatal SET NOT NULL', t.column1, t.column2, t.column3);
        EXECUTE format('ALTER TABLE logmill.count_%s ENABLE ROW LEVEL SECURITY', t.column1);
        EXECUTE format('CREATE POLICY reader ON logmill.count_%s FOR SELECT TO logmill_reader USING (true)', t.column1);
        -- As on the other rollups: looked up once a statement.
        EXECUTE format(
            'CREATE POLICY scoped ON logmill.count_%s FOR SELECT TO logmill_scoped USING ('
                '((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user) OR service = ANY (ARRAY('
                    'SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user))) AND '
                '((SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user) OR environment = ANY (ARRAY('
                    'SELECT unnest(s.environments) FROM logmill.access_scope s WHERE s.role = current_user))))', t.column1);
        EXECUTE format('GRANT SELECT (%s, debug, info, warn, error, fatal) ON logmill.count_%s TO logmill_reader, logmill_scoped', t.column2,
                       t.column1);
    END LOOP;
END
$do$;
ANALYZE logmill.count_slot, logmill.count_hour, logmill.count_day;

-- Each batch raises the rows of the running minutes, as in 0031.
ALTER TABLE logmill.count_minute SET (fillfactor = 50);
CREATE POLICY writer ON logmill.count_minute TO logmill_writer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON logmill.count_minute TO logmill_writer;

-- A clean cut, as in 0031: minutes have these counts from the first on that nothing has been counted in.
LOCK TABLE logmill.ingest_offset IN ACCESS EXCLUSIVE MODE;
ALTER TABLE logmill.total_state ADD COLUMN apart_since timestamptz;
UPDATE logmill.total_state
SET apart_since = coalesce((SELECT greatest(r.minute, clock_timestamp()) + interval '1 minute'
                            FROM logmill.log_rollup_minute r ORDER BY r.minute DESC LIMIT 1), '-infinity');
ALTER TABLE logmill.total_state ALTER apart_since SET NOT NULL;
GRANT SELECT (apart_since) ON logmill.total_state TO logmill_reader, logmill_scoped;

-- 2. What is written.

-- Adds `ns` to the counts of `minutes`, microseconds since 1970, by `services`, `environments` and `levels`. Called behind add_totals, by
-- whose rows those who change a minute wait for each other.
CREATE FUNCTION logmill.add_counts_apart(in_category logmill.log_category, in_partition integer, minutes bigint[], services text[],
                                         environments text[], levels logmill.log_level[], ns bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.count_minute AS c (minute, category, service, environment, kafka_partition, debug, info, warn, error, fatal)
    SELECT logmill.at_us(u.minute), in_category, u.service, u.environment, in_partition,
           coalesce(sum(u.n) FILTER (WHERE u.level = 'DEBUG'), 0), coalesce(sum(u.n) FILTER (WHERE u.level = 'INFO'), 0),
           coalesce(sum(u.n) FILTER (WHERE u.level = 'WARN'), 0), coalesce(sum(u.n) FILTER (WHERE u.level = 'ERROR'), 0),
           coalesce(sum(u.n) FILTER (WHERE u.level = 'FATAL'), 0)
    FROM unnest(minutes, services, environments, levels, ns) AS u (minute, service, environment, level, n)
    GROUP BY u.minute, u.service, u.environment
    ORDER BY u.minute, u.service COLLATE "C", u.environment COLLATE "C"
    ON CONFLICT (minute, category, service, environment, kafka_partition) DO UPDATE
        SET debug = c.debug + excluded.debug,
            info = c.info + excluded.info,
            warn = c.warn + excluded.warn,
            error = c.error + excluded.error,
            fatal = c.fatal + excluded.fatal;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.add_counts_apart TO logmill_writer;

-- The functions that write what is counted, as before (0031), with these counts.
DO $do$
DECLARE
    its        record;
    definition text;
BEGIN
    FOR its IN VALUES
        ('logmill.add_counts'::regproc, 'PERFORM logmill\.add_totals\([^;]*;',
         $new$\&
    PERFORM logmill.add_counts_apart(in_category, in_partition, minutes, services, environments, levels, ns);$new$),
        ('logmill.shift_minute', '( *)PERFORM logmill\.shift_duration\(r, ([a-z.]+), delta\);',
         $new$\1PERFORM logmill.add_counts_apart(r.category, r.kafka_partition, ARRAY[(date_part('epoch', its_minute) * 1000000)::bigint],
\1                                 ARRAY[\2], ARRAY[r.environment], ARRAY[r.level], ARRAY[delta]);
\&$new$),
        ('logmill.fold_slots', 'INSERT INTO logmill\.total_slot[^;]*;',
         $new$\&
        INSERT INTO logmill.count_slot
            SELECT * FROM logmill.slot_counts c WHERE c.slot = ANY (stale) AND c.category = this ORDER BY c.slot, c.service, c.environment;$new$),
        ('logmill.fold_hour', 'INSERT INTO logmill\.total_hour[^;]*;',
         $new$\&
    INSERT INTO logmill.count_hour
        SELECT * FROM logmill.hour_counts c WHERE c.hour = in_hour AND c.category = ANY (categories)
        ORDER BY c.category, c.service, c.environment;$new$),
        ('logmill.fold_day', 'INSERT INTO logmill\.total_day[^;]*;',
         $new$\&
    INSERT INTO logmill.count_day
        SELECT * FROM logmill.day_counts c WHERE c.zone = in_zone AND c.day = in_day AND c.category = in_category
        ORDER BY c.service, c.environment;$new$),
        ('logmill.expire_hour', ' *DELETE FROM logmill\.total_minute',
         $new$    DELETE FROM logmill.count_minute c
        WHERE c.minute >= h AND c.minute < h + interval '1 hour' AND c.category = in_category;
\&$new$)
    LOOP
        definition := pg_get_functiondef(its.column1);
        IF definition !~ its.column2 THEN
            RAISE EXCEPTION '% has no "%"', its.column1, its.column2;
        END IF;
        EXECUTE regexp_replace(definition, its.column2, its.column3, 'g');
    END LOOP;
END
$do$;

-- What is made of a fold's counts goes with them, as before (0031), the counts apart with the totals. The triggers stay as they are: a
-- question that holds the folds it reads is not waited for.
CREATE OR REPLACE FUNCTION logmill.totals_gone() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unit constant text := replace(TG_TABLE_NAME, 'log_rollup_', '');
    key  constant text := CASE unit WHEN 'day' THEN 'zone, day, category' ELSE unit || ', category' END;
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['total', 'count'] LOOP
        EXECUTE format('DELETE FROM logmill.%1$s_%2$s m USING (SELECT DISTINCT %3$s FROM gone) g WHERE (m.%4$s) = (g.%5$s)', made, unit, key,
                       replace(key, ', ', ', m.'), replace(key, ', ', ', g.'));
    END LOOP;
    RETURN NULL;
END
$$;

-- 3. What is read.

-- The rows of what rollup_cover has found. Made to be inlined.
CREATE FUNCTION logmill_read.count_rows(zone text, days timestamptz[], hours timestamptz[], slots timestamptz[], minutes tstzrange[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, debug bigint, info bigint, warn bigint,
                   error bigint, fatal bigint)
    LANGUAGE sql STABLE ROWS 1000
    BEGIN ATOMIC
        SELECT r.day, r.category, r.service, r.environment, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(count_rows.days) AS d (day)
        JOIN logmill.count_day r ON r.zone = count_rows.zone AND r.day = d.day
        UNION ALL
        SELECT r.hour, r.category, r.service, r.environment, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(count_rows.hours) AS h (hour)
        JOIN logmill.count_hour r ON r.hour = h.hour
        UNION ALL
        SELECT r.slot, r.category, r.service, r.environment, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(count_rows.slots) AS s (slot)
        JOIN logmill.count_slot r ON r.slot = s.slot
        UNION ALL
        SELECT r.minute, r.category, r.service, r.environment, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(count_rows.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.* FROM logmill.count_minute i
                            WHERE i.minute >= greatest(lower(m.part), (SELECT s.apart_since FROM logmill.total_state s))
                                AND i.minute < upper(m.part) ORDER BY i.minute) AS r
        UNION ALL
        SELECT r.minute, r.category, r.service, r.environment, CASE r.level WHEN 'DEBUG' THEN r.n ELSE 0 END,
               CASE r.level WHEN 'INFO' THEN r.n ELSE 0 END, CASE r.level WHEN 'WARN' THEN r.n ELSE 0 END,
               CASE r.level WHEN 'ERROR' THEN r.n ELSE 0 END, CASE r.level WHEN 'FATAL' THEN r.n ELSE 0 END
        FROM unnest(count_rows.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                            WHERE i.minute >= lower(m.part)
                                AND i.minute < least(upper(m.part), (SELECT s.apart_since FROM logmill.total_state s))
                            ORDER BY i.minute) AS r;
    END;

-- The rows of [in_lower, in_upper), of however long a time, each counted `in_sign` times: by a statement planned for that time, for one
-- planned for any would be planned for all leaves. Columns not named in `in_by` are NULL.
CREATE FUNCTION logmill_read.count_logs(in_lower timestamptz, in_upper timestamptz, in_sign integer, in_by text[], in_categories text[],
                                        in_services text[])
    RETURNS TABLE (category logmill.log_category, service text, environment text, debug bigint, info bigint, warn bigint, error bigint,
                   fatal bigint)
    LANGUAGE plpgsql STABLE ROWS 10
AS $$
BEGIN
    IF in_lower < in_upper THEN
        RETURN QUERY EXECUTE concat(
            'SELECT CASE WHEN ''category'' = ANY ($4) THEN l.category END, CASE WHEN ''service'' = ANY ($4) THEN l.service END, '
            'CASE WHEN ''environment'' = ANY ($4) THEN l.environment END, $3 * count(*) FILTER (WHERE l.level = ''DEBUG''), '
            '$3 * count(*) FILTER (WHERE l.level = ''INFO''), $3 * count(*) FILTER (WHERE l.level = ''WARN''), '
            '$3 * count(*) FILTER (WHERE l.level = ''ERROR''), $3 * count(*) FILTER (WHERE l.level = ''FATAL'') '
            'FROM logmill_read.logs l WHERE l.created_at >= $1 AND l.created_at < $2 AND ($5 IS NULL OR l.service = ANY ($5))',
            ' AND l.category IN (' || (SELECT string_agg(quote_literal(n), ', ') FROM unnest(in_categories) AS n) || ')', ' GROUP BY 1, 2, 3')
            USING in_lower, in_upper, in_sign, in_by, in_services;
    END IF;
END
$$;

-- What is in seconds in_lower to in_upper of a minute's histogram of seconds (0029): the sum of the sixteen digits each of the number without
-- those below, which is what is left of it by 10^16 - 1.
CREATE FUNCTION logmill_read.seconds_count(histogram numeric, in_lower numeric, in_upper numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN mod(trunc(histogram * in_lower), 9999999999999999) - mod(trunc(histogram * in_upper), 9999999999999999);

-- The counts of [in_lower, in_upper), part of one minute, told apart by what `in_by` names: of the whole seconds next to it and the rows it has
-- more or less than those, half a second's at most at either end. Of a minute whose seconds are not there, or that is cut into so many groups
-- that its rows are read sooner, of the rows that are fewer: its own, or those the rest of the minute has.
CREATE FUNCTION logmill_read.count_edge(in_lower timestamptz, in_upper timestamptz, in_by text[], in_categories text[], in_services text[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, debug bigint, info bigint, warn bigint,
                   error bigint, fatal bigint)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    most_groups  constant integer := 5000;
    its_minute   constant timestamptz := date_trunc('minute', in_lower, 'UTC');
    its_end      constant timestamptz := its_minute + interval '1 minute';
    from_second  constant timestamptz := date_trunc('second', in_lower + interval '0.5 s', 'UTC');
    to_second    constant timestamptz := date_trunc('second', in_upper + interval '0.5 s', 'UTC');
    without_less numeric;
    without_more numeric;
BEGIN
    IF in_lower >= in_upper THEN
        RETURN;
    END IF;
    IF from_second < to_second AND its_minute >= (SELECT s.since FROM logmill_read.seconds_since s)
        AND (SELECT count(*) FROM (SELECT FROM logmill_read.seconds_minute r WHERE r.minute = its_minute LIMIT most_groups) g) < most_groups
    THEN
        without_less := ('1e-' || 16 * date_part('epoch', from_second - its_minute)::integer)::numeric;
        without_more := ('1e-' || 16 * date_part('epoch', to_second - its_minute)::integer)::numeric;
        RETURN QUERY
            SELECT its_minute, e.category, e.service, e.environment, sum(e.debug)::bigint, sum(e.info)::bigint, sum(e.warn)::bigint,
                   sum(e.error)::bigint, sum(e.fatal)::bigint
            FROM (SELECT q.category, q.service, q.environment,
                         coalesce(logmill_read.seconds_count(q.debug, without_less, without_more), 0) AS debug,
                         coalesce(logmill_read.seconds_count(q.info, without_less, without_more), 0) AS info,
                         coalesce(logmill_read.seconds_count(q.warn, without_less, without_more), 0) AS warn,
                         coalesce(logmill_read.seconds_count(q.error, without_less, without_more), 0) AS error,
                         coalesce(logmill_read.seconds_count(q.fatal, without_less, without_more), 0) AS fatal
                  FROM (SELECT CASE WHEN 'category' = ANY (in_by) THEN r.category END AS category,
                               CASE WHEN 'service' = ANY (in_by) THEN r.service END AS service,
                               CASE WHEN 'environment' = ANY (in_by) THEN r.environment END AS environment, sum(r.debug) AS debug,
                               sum(r.info) AS info, sum(r.warn) AS warn, sum(r.error) AS error, sum(r.fatal) AS fatal
                        FROM logmill_read.seconds_minute r
                        WHERE r.minute = its_minute AND (in_categories IS NULL OR r.category::text = ANY (in_categories))
                            AND (in_services IS NULL OR r.service = ANY (in_services))
                        GROUP BY 1, 2, 3) AS q
                  UNION ALL
                  SELECT * FROM logmill_read.count_logs(least(from_second, in_lower), greatest(from_second, in_lower),
                                                        CASE WHEN from_second < in_lower THEN -1 ELSE 1 END, in_by, in_categories, in_services)
                  UNION ALL
                  SELECT * FROM logmill_read.count_logs(least(to_second, in_upper), greatest(to_second, in_upper),
                                                        CASE WHEN to_second < in_upper THEN 1 ELSE -1 END, in_by, in_categories, in_services)
                 ) AS e
            GROUP BY 1, 2, 3, 4;
    ELSIF in_upper - in_lower <= interval '30 s' THEN
        RETURN QUERY SELECT its_minute, l.* FROM logmill_read.count_logs(in_lower, in_upper, 1, in_by, in_categories, in_services) AS l;
    ELSE
        RETURN QUERY
            SELECT its_minute, e.category, e.service, e.environment, sum(e.debug)::bigint, sum(e.info)::bigint, sum(e.warn)::bigint,
                   sum(e.error)::bigint, sum(e.fatal)::bigint
            FROM (SELECT CASE WHEN 'category' = ANY (in_by) THEN r.category END AS category,
                         CASE WHEN 'service' = ANY (in_by) THEN r.service END AS service,
                         CASE WHEN 'environment' = ANY (in_by) THEN r.environment END AS environment, r.debug, r.info, r.warn, r.error, r.fatal
                  FROM logmill_read.count_rows(NULL, NULL, NULL, NULL, ARRAY[tstzrange(its_minute, its_end)]) AS r
                  WHERE (in_categories IS NULL OR r.category::text = ANY (in_categories))
                      AND (in_services IS NULL OR r.service = ANY (in_services))
                  UNION ALL
                  SELECT * FROM logmill_read.count_logs(its_minute, in_lower, -1, in_by, in_categories, in_services)
                  UNION ALL
                  SELECT * FROM logmill_read.count_logs(in_upper, its_end, -1, in_by, in_categories, in_services)) AS e
            GROUP BY 1, 2, 3, 4;
    END IF;
END
$$;

-- The counts of [in_lower, in_upper), any window, by level: of days, hours, slots and minutes as rollup_cover has them and of the parts of
-- minutes at its ends, and only as far apart as the statement needs them, as log_histogram (0030) tells histograms: `in_by` names the columns of
-- 'at', 'category', 'service' and 'environment' it groups or filters by, separated by commas, and may name 'level'; the others are NULL.
-- `in_categories`, `in_services`: nothing but these is read; NULL: all. Its plans are kept, as those of log_total, and hash what they group, of
-- which they expect far too much; that of few services finds them by the index.
CREATE FUNCTION logmill_read.log_count(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text, in_by text,
                                       in_categories text[], in_services text[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level, n bigint)
    LANGUAGE plpgsql STABLE ROWS 100
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
    named       constant text[] := string_to_array(in_by, ',');
    by_at       constant boolean := 'at' = ANY (named);
    by_category constant boolean := 'category' = ANY (named);
    by_service  constant boolean := 'service' = ANY (named);
    by_env      constant boolean := 'environment' = ANY (named);
    first       constant timestamptz := least(date_trunc('minute', in_lower + interval '59.999999 s', 'UTC'), in_upper);
    last        constant timestamptz := greatest(date_trunc('minute', in_upper, 'UTC'), first);
    of_debug    constant level%TYPE := 'DEBUG';
    of_info     constant level%TYPE := 'INFO';
    of_warn     constant level%TYPE := 'WARN';
    of_error    constant level%TYPE := 'ERROR';
    of_fatal    constant level%TYPE := 'FATAL';
    c           record;
BEGIN
    IF named IS NULL OR NOT named <@ ARRAY['at', 'category', 'service', 'environment', 'level'] THEN
        RAISE EXCEPTION 'log_count tells apart at, category, service, environment and level, not "%"', in_by
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO c FROM logmill_read.rollup_cover(first, last, in_unit, in_zone);
    IF in_services IS NULL THEN
        RETURN QUERY
            SELECT q.at, q.category, q.service, q.environment, v.level, v.n::bigint
            FROM (SELECT CASE WHEN by_at THEN r.at END AS at, CASE WHEN by_category THEN r.category END AS category,
                         CASE WHEN by_service THEN r.service END AS service, CASE WHEN by_env THEN r.environment END AS environment,
                         sum(r.debug) AS debug, sum(r.info) AS info, sum(r.warn) AS warn, sum(r.error) AS error, sum(r.fatal) AS fatal
                  FROM (SELECT * FROM logmill_read.count_rows(c.zone, c.days, c.hours, c.slots, c.minutes) AS u
                        WHERE in_categories IS NULL OR u.category::text = ANY (in_categories)
                        UNION ALL
                        SELECT * FROM logmill_read.count_edge(in_lower, first, named, in_categories, in_services)
                        UNION ALL
                        SELECT * FROM logmill_read.count_edge(last, in_upper, named, in_categories, in_services)) AS r
                  GROUP BY 1, 2, 3, 4) AS q
            CROSS JOIN LATERAL (VALUES (of_debug, q.debug), (of_info, q.info), (of_warn, q.warn), (of_error, q.error), (of_fatal, q.fatal))
                AS v (level, n)
            WHERE v.n > 0;
    ELSE
        RETURN QUERY
            SELECT q.at, q.category, q.service, q.environment, v.level, v.n::bigint
            FROM (SELECT CASE WHEN by_at THEN r.at END AS at, CASE WHEN by_category THEN r.category END AS category,
                         CASE WHEN by_service THEN r.service END AS service, CASE WHEN by_env THEN r.environment END AS environment,
                         sum(r.debug) AS debug, sum(r.info) AS info, sum(r.warn) AS warn, sum(r.error) AS error, sum(r.fatal) AS fatal
                  FROM (SELECT * FROM logmill_read.count_rows(c.zone, c.days, c.hours, c.slots, c.minutes) AS u
                        WHERE (in_categories IS NULL OR u.category::text = ANY (in_categories)) AND u.service = ANY (in_services)
                        UNION ALL
                        SELECT * FROM logmill_read.count_edge(in_lower, first, named, in_categories, in_services)
                        UNION ALL
                        SELECT * FROM logmill_read.count_edge(last, in_upper, named, in_categories, in_services)) AS r
                  GROUP BY 1, 2, 3, 4) AS q
            CROSS JOIN LATERAL (VALUES (of_debug, q.debug), (of_info, q.info), (of_warn, q.warn), (of_error, q.error), (of_fatal, q.fatal))
                AS v (level, n)
            WHERE v.n > 0;
    END IF;
END
$$;

-- What log_total was (0031), of whole minutes: the totals. Runs as its owner and for the reader alone.
ALTER FUNCTION logmill_read.log_total RENAME TO whole_totals;

-- The counts of [in_lower, in_upper), any window, by category and level, for the reader alone. The parts of minutes at its ends are read with the
-- rights of who asks, for it is row security that hides what was deleted.
CREATE FUNCTION logmill_read.log_total(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, level logmill.log_level, n bigint)
    LANGUAGE plpgsql STABLE ROWS 300
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    first    constant timestamptz := least(date_trunc('minute', in_lower + interval '59.999999 s', 'UTC'), in_upper);
    last     constant timestamptz := greatest(date_trunc('minute', in_upper, 'UTC'), first);
    of_debug constant level%TYPE := 'DEBUG';
    of_info  constant level%TYPE := 'INFO';
    of_warn  constant level%TYPE := 'WARN';
    of_error constant level%TYPE := 'ERROR';
    of_fatal constant level%TYPE := 'FATAL';
BEGIN
    RETURN QUERY SELECT * FROM logmill_read.whole_totals(first, last, in_unit, in_zone);
    IF in_lower < first OR last < in_upper THEN
        RETURN QUERY
            SELECT e.at, e.category, v.level, v.n
            FROM (SELECT * FROM logmill_read.count_edge(in_lower, first, '{category}', NULL, NULL)
                  UNION ALL
                  SELECT * FROM logmill_read.count_edge(last, in_upper, '{category}', NULL, NULL)) AS e
            CROSS JOIN LATERAL (VALUES (of_debug, e.debug), (of_info, e.info), (of_warn, e.warn), (of_error, e.error), (of_fatal, e.fatal))
                AS v (level, n)
            WHERE v.n > 0;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION logmill_read.log_total TO logmill_reader;
GRANT EXECUTE ON FUNCTION logmill_read.count_rows, logmill_read.count_logs, logmill_read.seconds_count, logmill_read.count_edge,
    logmill_read.log_count TO logmill_reader, logmill_scoped;
