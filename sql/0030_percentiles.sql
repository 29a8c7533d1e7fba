-- Percentiles in half the time and in statements that can be read: histograms stay numbers up to the end, where histogram_percentile()
-- reads the sum of a group. They were unfolded into a row a bucket, which were grouped, sorted and summed up once more.
SET LOCAL ROLE logmill_owner;

-- How many durations a histogram holds: by 10^16 - 1 what is left of a number is the sum of its digits, sixteen at a time.
CREATE FUNCTION logmill_read.histogram_count(histogram numeric) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN mod(histogram, 9999999999999999)::bigint;

-- As percentile_cont of its durations, in milliseconds: between the two next to the rank, each taken for the middle of its bucket
-- (2 * gamma^i / (1 + gamma)), within 3 %. NULL of what is no histogram or holds nothing, and where p is not in [0, 1]. Buckets are read
-- from the highest, for it is high percentiles that are asked for.
CREATE FUNCTION logmill_read.histogram_percentile(histogram numeric, p double precision) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    upto   bigint; -- how many are in `bucket` and below it
    rank   double precision;
    digits bytea;
    bucket integer;
    above  integer; -- where the duration lies that is next above the rank
BEGIN
    IF scale(histogram) IS NULL OR histogram < 1 OR histogram <> trunc(histogram) OR NOT p BETWEEN 0 AND 1 THEN
        RETURN NULL;
    END IF;
    upto := logmill_read.histogram_count(histogram);
    rank := p * (upto - 1);
    digits := convert_to(trunc(histogram)::text, 'SQL_ASCII');
    bucket := (length(digits) - 1) / 16;
    LOOP
        upto := upto - encode(substr(digits, length(digits) - 16 * bucket - 15, 16), 'escape')::bigint;
        IF above IS NULL AND upto <= ceil(rank) THEN
            above := bucket;
        END IF;
        EXIT WHEN upto <= floor(rank);
        bucket := bucket - 1;
    END LOOP;
    RETURN (exp(0.05826890812397576 * bucket) * (1 - (rank - floor(rank)))
            + exp(0.05826890812397576 * above) * (rank - floor(rank))) / 1030;
END
$$;

-- The rows of histograms of what rollup_cover has found, over all levels and by level. Made to be inlined.
CREATE FUNCTION logmill_read.histogram_rows(zone text, days timestamptz[], hours timestamptz[], slots timestamptz[], minutes tstzrange[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   histogram numeric, debug numeric, info numeric, warn numeric, error numeric, fatal numeric)
    LANGUAGE sql STABLE ROWS 1000
    BEGIN ATOMIC
        SELECT r.day, r.category, r.service, r.environment, NULL::logmill.log_level, r.histogram, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(histogram_rows.days) AS d (day)
        JOIN logmill.duration_day r ON r.zone = histogram_rows.zone AND r.day = d.day
        UNION ALL
        SELECT r.hour, r.category, r.service, r.environment, NULL, r.histogram, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(histogram_rows.hours) AS h (hour)
        JOIN logmill.duration_hour r ON r.hour = h.hour
        UNION ALL
        SELECT r.slot, r.category, r.service, r.environment, NULL, r.histogram, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(histogram_rows.slots) AS s (slot)
        JOIN logmill.duration_slot r ON r.slot = s.slot
        UNION ALL
        SELECT r.minute, r.category, r.service, r.environment, NULL, r.histogram, r.debug, r.info, r.warn, r.error, r.fatal
        FROM unnest(histogram_rows.minutes) AS m (part)
        CROSS JOIN LATERAL (SELECT i.minute, i.category, i.service, i.environment, i.histogram, i.debug, i.info, i.warn, i.error, i.fatal
                            FROM logmill.duration_minute i
                            WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r;
    END;
CREATE FUNCTION logmill_read.histogram_rows_by_level(zone text, days timestamptz[], hours timestamptz[], slots timestamptz[],
                                                     minutes tstzrange[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   histogram numeric)
    LANGUAGE sql STABLE ROWS 3000
    BEGIN ATOMIC
        SELECT r.at, r.category, r.service, r.environment, v.level, v.histogram
        FROM logmill_read.histogram_rows(histogram_rows_by_level.zone, histogram_rows_by_level.days, histogram_rows_by_level.hours,
                                         histogram_rows_by_level.slots, histogram_rows_by_level.minutes) AS r
        CROSS JOIN LATERAL (VALUES ('DEBUG'::logmill.log_level, r.debug), ('INFO', r.info), ('WARN', r.warn), ('ERROR', r.error),
                                   ('FATAL', r.fatal)) AS v (level, histogram)
        WHERE v.histogram IS NOT NULL;
    END;

-- The histograms of [in_lower, in_upper), of any window: the part of a minute that it begins or ends with is read from the rows. Only as
-- far apart as the statement needs them: `in_by` names the columns of 'at', 'category', 'service', 'environment' and 'level' it groups or
-- filters by, separated by commas; the others are NULL. `in_categories`, `in_services`: nothing but these is read; NULL: all. Days are of
-- `in_zone`, hours and so on as rollup_cover has them. What is read is planned for what is asked, like the rows of log_rollup_second (0029).
CREATE FUNCTION logmill_read.log_histogram(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text, in_by text,
                                           in_categories text[], in_services text[])
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   histogram numeric)
    LANGUAGE plpgsql STABLE ROWS 100 COST 100000
    SET search_path = pg_catalog, pg_temp
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
    c          record;
    part       tstzrange;
BEGIN
    IF named IS NULL OR NOT named <@ ARRAY['at', 'category', 'service', 'environment', 'level'] THEN
        RAISE EXCEPTION 'log_histogram tells apart at, category, service, environment and level, not "%"', in_by
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO c FROM logmill_read.rollup_cover(first, last, in_unit, in_zone);
    RETURN QUERY EXECUTE format('SELECT %s, sum(u.histogram) FROM logmill_read.%I($2, $3, $4, $5, $6) AS u WHERE true%s GROUP BY 1, 2, 3, 4, 5',
                                told, CASE WHEN 'level' = ANY (named) THEN 'histogram_rows_by_level' ELSE 'histogram_rows' END, of_these)
        USING in_services, c.zone, c.days, c.hours, c.slots, c.minutes;
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
GRANT EXECUTE ON FUNCTION logmill_read.histogram_count, logmill_read.histogram_percentile, logmill_read.histogram_rows,
    logmill_read.histogram_rows_by_level, logmill_read.log_histogram TO logmill_reader, logmill_scoped;

-- What agents two versions old call.
DROP FUNCTION logmill_read.log_duration(timestamptz, timestamptz, text, text);
