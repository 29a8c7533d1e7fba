-- Histograms unfolded once, above the days, hours, slots and minutes they come from, and in the select list: a function in FROM is
-- set up anew for every row of them.
SET LOCAL ROLE logmill_owner;

CREATE OR REPLACE FUNCTION logmill_read.log_duration(in_lower timestamptz, in_upper timestamptz, in_unit text, in_zone text)
    RETURNS TABLE (at timestamptz, category logmill.log_category, service text, environment text, level logmill.log_level,
                   bucket smallint, n bigint)
    LANGUAGE sql STABLE ROWS 50000
    BEGIN ATOMIC
        WITH c AS MATERIALIZED (SELECT * FROM logmill_read.rollup_cover(in_lower, in_upper, in_unit, in_zone))
        SELECT u.at, u.category, u.service, u.environment, u.level, unnest(u.duration_buckets), unnest(u.duration_counts)
        FROM (SELECT r.day AS at, r.category, r.service, r.environment, r.level, r.duration_buckets, r.duration_counts
              FROM c CROSS JOIN LATERAL unnest(c.days) AS d (day)
              JOIN logmill.log_rollup_day r ON r.zone = c.zone AND r.day = d.day
              UNION ALL
              SELECT r.hour, r.category, r.service, r.environment, r.level, r.duration_buckets, r.duration_counts
              FROM c CROSS JOIN LATERAL unnest(c.hours) AS h (hour)
              JOIN logmill.log_rollup_hour r ON r.hour = h.hour
              UNION ALL
              SELECT r.slot, r.category, r.service, r.environment, r.level, r.duration_buckets, r.duration_counts
              FROM c CROSS JOIN LATERAL unnest(c.slots) AS s (slot)
              JOIN logmill.log_rollup_slot r ON r.slot = s.slot
              UNION ALL
              SELECT r.minute, r.category, r.service, r.environment, r.level, r.duration_buckets, r.duration_counts
              FROM c CROSS JOIN LATERAL unnest(c.minutes) AS m (part)
              CROSS JOIN LATERAL (SELECT i.* FROM logmill.log_rollup_minute i
                                  WHERE i.minute >= lower(m.part) AND i.minute < upper(m.part) ORDER BY i.minute) AS r) AS u;
    END;
