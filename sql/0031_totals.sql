-- A count that tells no services apart reads a row for each day, hour, slot or minute, where it read one for each service, environment
-- and level of it: 3,000 of a window of 30 days.
SET LOCAL ROLE logmill_owner;

-- A clean cut, as in 0029: no closing message is under way from here until this is committed.
LOCK TABLE logmill.ingest_offset IN ACCESS EXCLUSIVE MODE;

-- What log_rollup_minute counts, over all services and environments; of minutes from `total_state.since` on.
CREATE TABLE logmill.total_minute (
    minute          timestamptz NOT NULL,
    category        logmill.log_category NOT NULL,
    kafka_partition integer NOT NULL,
    debug           bigint NOT NULL,
    info            bigint NOT NULL,
    warn            bigint NOT NULL,
    error           bigint NOT NULL,
    fatal           bigint NOT NULL,
    PRIMARY KEY (minute, category, kafka_partition) WITH (deduplicate_items = off)
) WITH (fillfactor = 50);
CREATE TABLE logmill.total_state (since timestamptz NOT NULL);
INSERT INTO logmill.total_state
SELECT coalesce((SELECT greatest(r.minute, clock_timestamp()) + interval '1 minute'
                 FROM logmill.log_rollup_minute r ORDER BY r.minute DESC LIMIT 1), '-infinity');
GRANT SELECT, INSERT, UPDATE ON logmill.total_minute TO logmill_writer;

-- The same of what is folded, by level, DEBUG first.
ALTER TABLE logmill.fold_slot ADD totals bigint[] NOT NULL DEFAULT '{0,0,0,0,0}';
ALTER TABLE logmill.fold_hour ADD totals bigint[] NOT NULL DEFAULT '{0,0,0,0,0}';
ALTER TABLE logmill.fold_day ADD totals bigint[] NOT NULL DEFAULT '{0,0,0,0,0}';

-- 1. What is written.

CREATE FUNCTION logmill.total_slots(slots timestamptz[], categories logmill.log_category[]) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE logmill.fold_slot f SET totals = ARRAY(
        SELECT coalesce(sum(r.n), 0)::bigint
        FROM unnest(enum_range(NULL::logmill.log_level)) AS l (level)
        LEFT JOIN logmill.log_rollup_slot r ON r.slot = f.slot AND r.category = f.category AND r.level = l.level
        GROUP BY l.level ORDER BY l.level)
    WHERE f.slot = ANY (slots) AND f.category = ANY (categories)
$$;
CREATE FUNCTION logmill.total_hours(hours timestamptz[], categories logmill.log_category[]) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE logmill.fold_hour f SET totals = ARRAY(
        SELECT coalesce(sum(r.n), 0)::bigint
        FROM unnest(enum_range(NULL::logmill.log_level)) AS l (level)
        LEFT JOIN logmill.log_rollup_hour r ON r.hour = f.hour AND r.category = f.category AND r.level = l.level
        GROUP BY l.level ORDER BY l.level)
    WHERE f.hour = ANY (hours) AND f.category = ANY (categories)
$$;
CREATE FUNCTION logmill.total_days(in_zone text, days timestamptz[], categories logmill.log_category[]) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE logmill.fold_day f SET totals = ARRAY(
        SELECT coalesce(sum(r.n), 0)::bigint
        FROM unnest(enum_range(NULL::logmill.log_level)) AS l (level)
        LEFT JOIN logmill.log_rollup_day r ON r.zone = f.zone AND r.day = f.day AND r.category = f.category AND r.level = l.level
        GROUP BY l.level ORDER BY l.level)
    WHERE f.zone = in_zone AND f.day = ANY (days) AND f.category = ANY (categories)
$$;

-- Adds `ns` to the totals of `minutes`, microseconds since 1970, by `levels`.
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

-- The functions that write what is counted, as before (0028, 0019), with the totals; the counts of a fold in the order in which they are
-- read, on a page or two instead of a dozen.
DO $do$
DECLARE
    its        record;
    definition text;
BEGIN
    FOR its IN VALUES
        ('logmill.add_counts'::regproc, '    INSERT INTO logmill.duration_minute',
         '    PERFORM logmill.add_totals(in_category, in_partition, minutes, levels, ns);' || chr(10) || chr(10) ||
         '    INSERT INTO logmill.duration_minute'),
        ('logmill.shift_minute', 'PERFORM logmill.shift_duration',
         'PERFORM logmill.add_totals(r.category, r.kafka_partition, ARRAY[(date_part(''epoch'', its_minute) * 1000000)::bigint], '
         'ARRAY[r.level], ARRAY[delta]);' || chr(10) || '    PERFORM logmill.shift_duration'),
        ('logmill.fold_slots', 'GROUP BY s.slot, r.service, r.environment, r.level;',
         'GROUP BY s.slot, r.service, r.environment, r.level' || chr(10) ||
         '            ORDER BY s.slot, r.service, r.environment, r.level;' || chr(10) ||
         '        PERFORM logmill.total_slots(stale, ARRAY[this]);'),
        ('logmill.fold_hour', 'GROUP BY r.category, r.service, r.environment, r.level;',
         'GROUP BY r.category, r.service, r.environment, r.level' || chr(10) ||
         '        ORDER BY r.category, r.service, r.environment, r.level;' || chr(10) ||
         '    PERFORM logmill.total_hours(ARRAY[in_hour], categories);'),
        ('logmill.fold_day', 'GROUP BY s.service, s.environment, s.level;',
         'GROUP BY s.service, s.environment, s.level' || chr(10) || '    ORDER BY s.service, s.environment, s.level;' || chr(10) ||
         '    PERFORM logmill.total_days(in_zone, ARRAY[in_day], ARRAY[in_category]);'),
        ('logmill.expire_hour', '    DELETE FROM logmill.duration_minute',
         '    DELETE FROM logmill.total_minute t' || chr(10) ||
         '        WHERE t.minute >= h AND t.minute < h + interval ''1 hour'' AND t.category = in_category;' || chr(10) ||
         '    DELETE FROM logmill.duration_minute')
    LOOP
        definition := pg_get_functiondef(its.column1);
        ASSERT strpos(definition, its.column2) > 0, format('%s has no "%s"', its.column1, its.column2);
        EXECUTE replace(definition, its.column2, its.column3);
    END LOOP;
END
$do$;

-- What is folded already.
SELECT logmill.total_slots(ARRAY(SELECT f.slot FROM logmill.fold_slot f), enum_range(NULL::logmill.log_category));
SELECT logmill.total_hours(ARRAY(SELECT f.hour FROM logmill.fold_hour f), enum_range(NULL::logmill.log_category));
SELECT logmill.total_days(f.zone, array_agg(f.day), enum_range(NULL::logmill.log_category)) FROM logmill.fold_day f GROUP BY f.zone;

-- 2. What is read.

-- The counts of whole minutes of [in_lower, in_upper) by category and level, of days, hours, slots and minutes as rollup_cover has them.
-- Runs as its owner: it is for the reader alone, who sees all there is; those that see some of it are not let in.
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
        FROM (SELECT f.day AS at, f.category, f.totals
              FROM unnest(its_days) AS d (day)
              JOIN logmill.fold_day f ON f.zone = of_zone AND f.day = d.day
              UNION ALL
              SELECT f.hour, f.category, f.totals
              FROM unnest(its_hours) AS h (hour)
              JOIN logmill.fold_hour f ON f.hour = h.hour
              UNION ALL
              SELECT f.slot, f.category, f.totals
              FROM unnest(its_slots) AS s (slot)
              JOIN logmill.fold_slot f ON f.slot = s.slot
              UNION ALL
              SELECT r.minute, r.category, ARRAY[r.debug, r.info, r.warn, r.error, r.fatal]
              FROM unnest(its_minutes) AS m (part)
              CROSS JOIN LATERAL (SELECT i.* FROM logmill.total_minute i
                                  WHERE i.minute >= greatest(lower(m.part), since) AND i.minute < upper(m.part) ORDER BY i.minute) AS r) AS t
        CROSS JOIN LATERAL unnest(t.totals, every_level) AS v (n, level)
        WHERE t.totals <> '{0,0,0,0,0}' AND v.n > 0;
    IF in_lower < since THEN
        RETURN QUERY
            SELECT r.minute, r.category, r.level, r.n
            FROM unnest(its_minutes) AS m (part)
            CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                                WHERE i.minute >= lower(m.part) AND i.minute < least(upper(m.part), since) ORDER BY i.minute) AS r;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION logmill_read.log_total TO logmill_reader;
