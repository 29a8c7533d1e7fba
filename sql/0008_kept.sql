-- Since when the rows of a category are kept, for answers that reach further back. The rollups outlive the rows: minutes of
-- theirs before the oldest leaf say that rows were there once. A category that still holds all it ever got has no line.
SET LOCAL ROLE logmill_owner;

CREATE FUNCTION logmill.rows_since(OUT category logmill.log_category, OUT since timestamptz) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.category, k.since
    FROM (SELECT c.category, coalesce(min(l.lower), 'infinity') AS since
          FROM unnest(enum_range(NULL::logmill.log_category)) AS c (category)
          LEFT JOIN logmill.leaf l ON l.category = c.category AND NOT l.detaching
          GROUP BY c.category) k
    WHERE EXISTS (SELECT FROM logmill.log_rollup_minute r WHERE r.minute < k.since AND r.category = k.category)
$$;

CREATE VIEW logmill_read.rows_since AS SELECT category, since FROM logmill.rows_since();

GRANT EXECUTE ON FUNCTION logmill.rows_since TO logmill_reader;
GRANT SELECT ON logmill_read.rows_since TO logmill_reader;
