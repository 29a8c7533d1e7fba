-- A count that tells no services apart reads a row for each day, hour, slot or minute and category, where it read one for each service,
-- environment and level of it: 3,000 of a window of 30 days.
SET LOCAL ROLE logmill_owner;

-- Nobody folds or expires from here on: those under way are over, others come back a minute later.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1280134214, hashtext('fold')); END $$; -- 'LMLF'

-- 1. Totals: the counts of log_rollup_minute and its folds over all services and environments, a column a level. The views tell what they
-- are, the tables keep it.
DO $do$
DECLARE
    t record;
BEGIN
    FOR t IN VALUES ('minute', 'minute, category, kafka_partition'), ('slot', 'slot, category'), ('hour', 'hour, category'),
                    ('day', 'zone, day, category') LOOP
        EXECUTE format(
            'CREATE VIEW logmill.%1$s_totals AS '
            'SELECT %2$s, coalesce(sum(n) FILTER (WHERE level = ''DEBUG''), 0)::bigint AS debug, '
                   'coalesce(sum(n) FILTER (WHERE level = ''INFO''), 0)::bigint AS info, '
                   'coalesce(sum(n) FILTER (WHERE level = ''WARN''), 0)::bigint AS warn, '
                   'coalesce(sum(n) FILTER (WHERE level = ''ERROR''), 0)::bigint AS error, '
                   'coalesce(sum(n) FILTER (WHERE level = ''FATAL''), 0)::bigint AS fatal '
            'FROM logmill.log_rollup_%1$s GROUP BY %2$s', t.column1, t.column2);
        EXECUTE format('CREATE TABLE logmill.total_%1$s AS TABLE logmill.%1$s_totals %2$s', t.column1,
                       CASE t.column1 WHEN 'minute' THEN 'WITH NO DATA' ELSE '' END);
        EXECUTE format('ALTER TABLE logmill.total_%1$s ADD PRIMARY KEY (%2$s), ALTER debug SET NOT NULL, ALTER info SET NOT NULL, '
                       'ALTER warn SET NOT NULL, ALTER error SET NOT NULL, ALTER fatal SET NOT NULL', t.column1, t.column2);
    END LOOP;
END
$do$;

-- Each batch raises the rows of the running minutes: room for their versions on their page, and for those of the index (0025).
ALTER TABLE logmill.total_minute SET (fillfactor = 50);
ALTER INDEX logmill.total_minute_pkey SET (deduplicate_items = off);
GRANT SELECT, INSERT, UPDATE ON logmill.total_minute TO logmill_writer;

-- A clean cut, as in 0029: no closing message is under way from here until this is committed. Minutes have totals from the first on that
-- nothing has been counted in.
LOCK TABLE logmill.ingest_offset IN ACCESS EXCLUSIVE MODE;
CREATE TABLE logmill.total_state (since timestamptz NOT NULL);
INSERT INTO logmill.total_state
SELECT coalesce((SELECT greatest(r.minute, clock_timestamp()) + interval '1 minute'
                 FROM logmill.log_rollup_minute r ORDER BY r.minute DESC LIMIT 1), '-infinity');

-- 2. What is written.

-- Adds `ns` to the totals of `minutes`, microseconds since 1970, by `levels`. Whoever changes counts of a minute takes its total first:
-- batches and soft deletions that go by time then never wait for each other in a circle.
CREATE FUNCTION logmill.add_totals(in_category logmill.log_category, in_partition integer, minutes bigint[], levels logmill.log_level[],
                                   ns bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.total_minute AS t (minute, category, kafka_partition, debug, info, warn, error, fatal)
    SELECT logmill.at_us(u.minute), in_category, in_partition, coalesce(sum(u.n) FILTER (WHERE u.level = 'DEBUG'), 0),
           coalesce(sum(u.n) FILTER (WHERE u.level = 'INFO'), 0), coalesce(sum(u.n) FILTER (WHERE u.level = 'WARN'), 0),
           coalesce(sum(u.n) FILTER (WHERE u.level = 'ERROR'), 0), coalesce(sum(u.n) FILTER (WHERE u.level = 'FATAL'), 0)
    FROM unnest(minutes, levels, ns) AS u (minute, level, n)
    GROUP BY u.minute
    ORDER BY u.minute
    ON CONFLICT (minute, category, kafka_partition) DO UPDATE
        SET debug = t.debug + excluded.debug,
            info = t.info + excluded.info,
            warn = t.warn + excluded.warn,
            error = t.error + excluded.error,
            fatal = t.fatal + excluded.fatal;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.add_totals TO logmill_writer;

-- The functions that write what is counted, as before (0026, 0028, 0029), with the totals; the counts of a fold in the order in which they
-- are read, on a page or two instead of a dozen.
DO $do$
DECLARE
    its        record;
    definition text;
BEGIN
    FOR its IN VALUES
        ('logmill.add_counts'::regproc, '    INSERT INTO logmill.log_rollup_minute',
         $new$    PERFORM logmill.add_totals(in_category, in_partition, minutes, levels, ns);

    INSERT INTO logmill.log_rollup_minute$new$),
        ('logmill.shift_minute', '    -- The row is locked',
         $new$    PERFORM FROM logmill.total_minute t
        WHERE t.minute = its_minute AND t.category = r.category AND t.kafka_partition = r.kafka_partition FOR UPDATE;
    -- The row is locked$new$),
        ('logmill.shift_minute', 'PERFORM logmill.shift_duration',
         $new$PERFORM logmill.add_totals(r.category, r.kafka_partition, ARRAY[(date_part('epoch', its_minute) * 1000000)::bigint],
                               ARRAY[r.level], ARRAY[delta]);
    PERFORM logmill.shift_duration$new$),
        ('logmill.fold_slots', 'GROUP BY s.slot, r.service, r.environment, r.level;',
         $new$GROUP BY s.slot, r.service, r.environment, r.level
            ORDER BY s.slot, r.service, r.environment, r.level;
        INSERT INTO logmill.total_slot SELECT * FROM logmill.slot_totals t WHERE t.slot = ANY (stale) AND t.category = this;$new$),
        ('logmill.fold_hour', 'GROUP BY r.category, r.service, r.environment, r.level;',
         $new$GROUP BY r.category, r.service, r.environment, r.level
        ORDER BY r.category, r.service, r.environment, r.level;
    INSERT INTO logmill.total_hour SELECT * FROM logmill.hour_totals t WHERE t.hour = in_hour AND t.category = ANY (categories);$new$),
        ('logmill.fold_day', 'GROUP BY s.service, s.environment, s.level;',
         $new$GROUP BY s.service, s.environment, s.level
    ORDER BY s.service, s.environment, s.level;
    INSERT INTO logmill.total_day
        SELECT * FROM logmill.day_totals t WHERE t.zone = in_zone AND t.day = in_day AND t.category = in_category;$new$),
        ('logmill.expire_hour', '    DELETE FROM logmill.duration_minute',
         $new$    DELETE FROM logmill.total_minute t
        WHERE t.minute >= h AND t.minute < h + interval '1 hour' AND t.category = in_category;
    DELETE FROM logmill.duration_minute$new$)
    LOOP
        definition := pg_get_functiondef(its.column1);
        IF strpos(definition, its.column2) = 0 THEN
            RAISE EXCEPTION '% has no "%"', its.column1, its.column2;
        END IF;
        EXECUTE replace(definition, its.column2, its.column3);
    END LOOP;
END
$do$;

-- The totals of a fold go with its counts, as its durations do (durations_gone).
CREATE FUNCTION logmill.totals_gone() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'log_rollup_slot' THEN
        DELETE FROM logmill.total_slot t USING (SELECT DISTINCT g.slot, g.category FROM gone g) g
            WHERE (t.slot, t.category) = (g.slot, g.category);
    WHEN 'log_rollup_hour' THEN
        DELETE FROM logmill.total_hour t USING (SELECT DISTINCT g.hour, g.category FROM gone g) g
            WHERE (t.hour, t.category) = (g.hour, g.category);
    WHEN 'log_rollup_day' THEN
        DELETE FROM logmill.total_day t USING (SELECT DISTINCT g.zone, g.day, g.category FROM gone g) g
            WHERE (t.zone, t.day, t.category) = (g.zone, g.day, g.category);
    END CASE;
    RETURN NULL;
END
$$;
CREATE TRIGGER totals_gone AFTER DELETE ON logmill.log_rollup_slot REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION logmill.totals_gone();
CREATE TRIGGER totals_gone AFTER DELETE ON logmill.log_rollup_hour REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION logmill.totals_gone();
CREATE TRIGGER totals_gone AFTER DELETE ON logmill.log_rollup_day REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION logmill.totals_gone();

-- 3. What is read.

-- The counts of [in_lower, in_upper), whole minutes, by category and level: of days, hours, slots and minutes as rollup_cover has them.
-- Runs as its owner and for the reader alone, who sees all there is: a total has no service that row security could hold.
CREATE FUNCTION logmill_read.log_total(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, level logmill.log_level, n bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 300
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    every_level constant logmill.log_level[] := enum_range(NULL::logmill.log_level);
    since       constant timestamptz := (SELECT s.since FROM logmill.total_state s);
    of_zone     text;
    its_days    timestamptz[];
    its_hours   timestamptz[];
    its_slots   timestamptz[];
    its_minutes tstzrange[];
BEGIN
    SELECT c.zone, c.days, c.hours, c.slots, c.minutes INTO of_zone, its_days, its_hours, its_slots, its_minutes
        FROM logmill_read.rollup_cover(in_lower, in_upper, in_unit, in_zone) c;
    RETURN QUERY
        SELECT t.at, t.category, v.level, v.n
        FROM (SELECT r.day AS at, r.category, r.debug, r.info, r.warn, r.error, r.fatal
              FROM unnest(its_days) AS d (day)
              JOIN logmill.total_day r ON r.zone = of_zone AND r.day = d.day
              UNION ALL
              SELECT r.hour, r.category, r.debug, r.info, r.warn, r.error, r.fatal
              FROM unnest(its_hours) AS h (hour)
              JOIN logmill.total_hour r ON r.hour = h.hour
              UNION ALL
              SELECT r.slot, r.category, r.debug, r.info, r.warn, r.error, r.fatal
              FROM unnest(its_slots) AS s (slot)
              JOIN logmill.total_slot r ON r.slot = s.slot
              UNION ALL
              SELECT r.minute, r.category, r.debug, r.info, r.warn, r.error, r.fatal
              FROM unnest(its_minutes) AS m (part)
              CROSS JOIN LATERAL (SELECT i.* FROM logmill.total_minute i
                                  WHERE i.minute >= greatest(lower(m.part), since) AND i.minute < upper(m.part) ORDER BY i.minute) AS r) AS t
        CROSS JOIN LATERAL unnest(ARRAY[t.debug, t.info, t.warn, t.error, t.fatal], every_level) AS v (n, level)
        WHERE v.n > 0;
    IF in_lower < since THEN
        RETURN QUERY
            SELECT r.minute, r.category, r.level, sum(r.n)::bigint
            FROM unnest(its_minutes) AS m (part)
            CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                                WHERE i.minute >= lower(m.part) AND i.minute < least(upper(m.part), since) ORDER BY i.minute) AS r
            GROUP BY r.minute, r.category, r.level;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION logmill_read.log_total TO logmill_reader;
