-- Percentiles by service, the most asked for, from a third of the pages: folds have the histograms of a service over its environments and
-- levels in tables of their own. They stood on every second page, behind those by level, a row for each environment.
SET LOCAL ROLE logmill_owner;

-- Nobody folds or expires from here on, as in 0031.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1280134214, hashtext('fold')); END $$; -- 'LMLF'

-- As 0032 has it: the views tell what they are, the tables keep it. An environment is not told from another, so that nobody whose scope
-- names environments sees any of it.
DO $do$
DECLARE
    t record;
BEGIN
    FOR t IN VALUES ('slot', 'slot, category, service'), ('hour', 'hour, category, service'), ('day', 'zone, day, category, service') LOOP
        EXECUTE format('CREATE VIEW logmill.%1$s_service_durations AS '
                       'SELECT %2$s, sum(histogram) AS histogram FROM logmill.duration_%1$s GROUP BY %2$s', t.column1, t.column2);
        EXECUTE format('CREATE TABLE logmill.service_duration_%1$s WITH (toast_tuple_target = 8160) AS '
                       'SELECT * FROM logmill.%1$s_service_durations ORDER BY %2$s', t.column1, t.column2);
        EXECUTE format('ALTER TABLE logmill.service_duration_%1$s ADD PRIMARY KEY (%2$s), ALTER histogram SET NOT NULL, '
                       'ENABLE ROW LEVEL SECURITY', t.column1, t.column2);
        EXECUTE format('CREATE POLICY reader ON logmill.service_duration_%s FOR SELECT TO logmill_reader USING (true)', t.column1);
        EXECUTE format(
            'CREATE POLICY scoped ON logmill.service_duration_%s FOR SELECT TO logmill_scoped USING ('
                '(SELECT s.environments IS NULL FROM logmill.access_scope s WHERE s.role = current_user) AND '
                '((SELECT s.services IS NULL FROM logmill.access_scope s WHERE s.role = current_user) OR service = ANY (ARRAY('
                    'SELECT unnest(s.services) FROM logmill.access_scope s WHERE s.role = current_user))))', t.column1);
        EXECUTE format('GRANT SELECT (%s, histogram) ON logmill.service_duration_%s TO logmill_reader, logmill_scoped', t.column2, t.column1);
    END LOOP;
END
$do$;
ANALYZE logmill.service_duration_slot, logmill.service_duration_hour, logmill.service_duration_day;

-- The functions that make folds, and what goes with the counts of one, as before (0032), with these.
DO $do$
DECLARE
    its        record;
    definition text;
BEGIN
    FOR its IN VALUES
        ('logmill.fold_slots'::regproc, ' *DELETE FROM logmill\.duration_slot r ([^;]*;)',
         $new$\&
        DELETE FROM logmill.service_duration_slot r \1$new$),
        ('logmill.fold_slots', 'INSERT INTO logmill\.duration_slot[^;]*;',
         $new$\&
        INSERT INTO logmill.service_duration_slot
            SELECT * FROM logmill.slot_service_durations d WHERE d.slot = ANY (stale) AND d.category = this ORDER BY d.slot, d.service;$new$),
        ('logmill.fold_hour', ' *DELETE FROM logmill\.duration_hour h ([^;]*;)',
         $new$\&
    DELETE FROM logmill.service_duration_hour h \1$new$),
        ('logmill.fold_hour', 'INSERT INTO logmill\.duration_hour[^;]*;',
         $new$\&
    INSERT INTO logmill.service_duration_hour
        SELECT * FROM logmill.hour_service_durations d WHERE d.hour = in_hour AND d.category = ANY (categories) ORDER BY d.category, d.service;$new$),
        ('logmill.fold_day', ' *DELETE FROM logmill\.duration_day d ([^;]*;)',
         $new$\&
    DELETE FROM logmill.service_duration_day d \1$new$),
        ('logmill.fold_day', 'INSERT INTO logmill\.duration_day[^;]*;',
         $new$\&
    INSERT INTO logmill.service_duration_day
        SELECT * FROM logmill.day_service_durations d WHERE d.zone = in_zone AND d.day = in_day AND d.category = in_category
        ORDER BY d.service;$new$),
        ('logmill.totals_gone', '''total'', ''count''', $new$\&, 'service_duration'$new$)
    LOOP
        definition := pg_get_functiondef(its.column1);
        IF definition !~ its.column2 THEN
            RAISE EXCEPTION '% has no "%"', its.column1, its.column2;
        END IF;
        EXECUTE regexp_replace(definition, its.column2, its.column3);
    END LOOP;
END
$do$;

-- The rows of histograms of what rollup_cover has found, over all levels and environments. Made to be inlined.
CREATE FUNCTION logmill_read.service_histogram_rows(zone text, days timestamptz[], hours timestamptz[], slots timestamptz[],
                                                    minutes tstzrange[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   histogram numeric)
    LANGUAGE sql STABLE ROWS 500
    BEGIN ATOMIC
        SELECT r.day, r.category, r.service, NULL::text, NULL::logmill.log_level, r.histogram
        FROM unnest(service_histogram_rows.days) AS d (day)
        JOIN logmill.service_duration_day r ON r.zone = service_histogram_rows.zone AND r.day = d.day
        UNION ALL
        SELECT r.hour, r.category, r.service, NULL, NULL, r.histogram
        FROM unnest(service_histogram_rows.hours) AS h (hour)
        JOIN logmill.service_duration_hour r ON r.hour = h.hour
        UNION ALL
        SELECT r.slot, r.category, r.service, NULL, NULL, r.histogram
        FROM unnest(service_histogram_rows.slots) AS s (slot)
        JOIN logmill.service_duration_slot r ON r.slot = s.slot
        UNION ALL
        SELECT r.minute, r.category, r.service, NULL, NULL, r.histogram
        FROM unnest(service_histogram_rows.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.minute, i.category, i.service, i.histogram FROM logmill.duration_minute i
                            WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r;
    END;

-- What the role that asks is held to; no row: to nothing.
CREATE VIEW logmill_read.own_scope WITH (security_invoker = true) AS
    SELECT services, environments FROM logmill.access_scope WHERE role = current_user;
GRANT SELECT (role, services, environments) ON logmill.access_scope TO logmill_reader; -- of which it sees no row
GRANT SELECT ON logmill_read.own_scope TO logmill_reader, logmill_scoped;

-- As before (0030), from those where levels and environments are not told apart; by a plan that is kept where every service is asked for.
CREATE OR REPLACE FUNCTION logmill_read.log_histogram(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text, in_by text,
                                                      in_categories text[], in_services text[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   histogram numeric)
    LANGUAGE plpgsql STABLE ROWS 100 COST 100000
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
    named      constant text[] := string_to_array(in_by, ',');
    told       constant text := format(
        'CASE WHEN %s THEN u.at END AS at, CASE WHEN %s THEN u.category END AS category, CASE WHEN %s THEN u.service END AS service, '
        'CASE WHEN %s THEN u.environment END AS environment, CASE WHEN %s THEN u.level END AS level',
        ('at' = ANY (named))::text, ('category' = ANY (named))::text, ('service' = ANY (named))::text, ('environment' = ANY (named))::text,
        ('level' = ANY (named))::text);
    of_these   constant text := concat(
        ' AND u.category IN (' || (SELECT string_agg(quote_literal(n), ', ') FROM unnest(in_categories) AS n) || ')',
        CASE WHEN in_services IS NOT NULL THEN ' AND u.service = ANY ($1)' END);
    first      constant timestamptz := least(date_trunc('minute', in_lower + interval '59.999999 s', 'UTC'), in_upper);
    last       constant timestamptz := greatest(date_trunc('minute', in_upper, 'UTC'), first);
    no_level   constant level%TYPE := NULL;
    rows_of    text := 'service_histogram_rows';
    c          record;
    part       tstzrange;
BEGIN
    IF named IS NULL OR NOT named <@ ARRAY['at', 'category', 'service', 'environment', 'level'] THEN
        RAISE EXCEPTION 'log_histogram tells apart at, category, service, environment and level, not "%"', in_by
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF 'level' = ANY (named) THEN
        rows_of := 'histogram_rows_by_level';
    ELSIF 'environment' = ANY (named) OR EXISTS (SELECT FROM logmill_read.own_scope s WHERE s.environments IS NOT NULL) THEN
        rows_of := 'histogram_rows';
    END IF;
    SELECT * INTO c FROM logmill_read.rollup_cover(first, last, in_unit, in_zone);
    IF rows_of = 'service_histogram_rows' AND in_services IS NULL THEN
        RETURN QUERY
            SELECT CASE WHEN 'at' = ANY (named) THEN u.at END, CASE WHEN 'category' = ANY (named) THEN u.category END,
                   CASE WHEN 'service' = ANY (named) THEN u.service END, NULL::text, no_level, sum(u.histogram)
            FROM logmill_read.service_histogram_rows(c.zone, c.days, c.hours, c.slots, c.minutes) AS u
            WHERE in_categories IS NULL OR u.category::text = ANY (in_categories)
            GROUP BY 1, 2, 3;
    ELSE
        RETURN QUERY EXECUTE format('SELECT %s, sum(u.histogram) FROM logmill_read.%I($2, $3, $4, $5, $6) AS u WHERE true%s '
                                    'GROUP BY 1, 2, 3, 4, 5', told, rows_of, of_these)
            USING in_services, c.zone, c.days, c.hours, c.slots, c.minutes;
    END IF;
    FOREACH part IN ARRAY ARRAY[tstzrange(in_lower, first), tstzrange(last, in_upper)] LOOP
        CONTINUE WHEN isempty(part);
        RETURN QUERY EXECUTE format(
            'SELECT q.at, q.category, q.service, q.environment, q.level, sum((q.n || ''e'' || 16 * q.bucket)::numeric) '
            'FROM (SELECT %s, CASE WHEN u.duration_ms * 1000 <= 1 THEN 0 '
                         'ELSE ceil(ln(least(u.duration_ms, 9007199254740.992) * 1000) / 0.05826890812397576) END AS bucket, count(*) AS n '
                  'FROM (SELECT $4 AS at, l.category, l.service, l.environment, l.level, l.duration_ms, l.created_at '
                        'FROM logmill_read.logs l) AS u '
                  'WHERE u.created_at >= $2 AND u.created_at < $3 AND u.duration_ms IS NOT NULL%s '
                  'GROUP BY 1, 2, 3, 4, 5, 6) q GROUP BY 1, 2, 3, 4, 5', told, of_these)
            USING in_services, lower(part), upper(part), date_trunc('minute', lower(part), 'UTC');
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION logmill_read.service_histogram_rows TO logmill_reader, logmill_scoped;
