-- Since when rows are kept is found among the names. It was looked for among the minutes, in vain and to the last of them where a category has
-- never held anything: a second for 12,000,000 minutes, once a minute and agent, and their whole index through the buffers.
SET LOCAL ROLE logmill_owner;

-- As before (0008): a category that still holds all it ever got has no line. Whatever is stored is named by its service, and the names are
-- forgotten with the counts (0019).
CREATE OR REPLACE FUNCTION logmill.rows_since(OUT category logmill.log_category, OUT since timestamptz) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.category, k.since
    FROM (SELECT c.category, coalesce(min(l.lower), 'infinity') AS since
          FROM unnest(enum_range(NULL::logmill.log_category)) AS c (category)
          LEFT JOIN logmill.leaf l ON l.category = c.category AND NOT l.detaching
          GROUP BY c.category) k
    WHERE EXISTS (SELECT FROM logmill.log_name n WHERE n.kind = 'service' AND n.category = k.category AND n.first_seen < k.since)
$$;
