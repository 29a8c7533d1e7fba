-- Cheaper closing messages: a third less work. The tables stay as they are; from now on a bucket may stand in
-- a histogram of log_rollup_minute several times, and what it holds is their sum. Hours, slots and days hold each once.
SET LOCAL ROLE logmill_owner;

-- What it calls is STABLE, and a function that claims more than what it calls is not inlined but called for each row.
ALTER FUNCTION logmill.at_us STABLE;

-- As before, but what a batch brings is put behind the histogram that is there, and only what has more than 150 elements then
-- (1.5 kB, which PostgreSQL does not compress yet) becomes one element a bucket.
--
-- The histograms are taken out of the result of a subquery because plpgsql holds an array parameter in a form that is written out
-- whole for each slice.
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
           CASE WHEN u.dn > 0 THEN (SELECT all_buckets)[u.b_from:u.b_to] END,
           CASE WHEN u.dn > 0 THEN (SELECT all_counts)[u.b_from:u.b_to] END
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
                (SELECT r.duration_buckets || excluded.duration_buckets, r.duration_counts || excluded.duration_counts
                 WHERE cardinality(r.duration_buckets || excluded.duration_buckets) <= 150
                 UNION ALL
                 SELECT array_agg(s.bucket), array_agg(s.n)
                 FROM (SELECT k.bucket, sum(k.n)::bigint AS n
                       FROM (SELECT unnest(r.duration_buckets || excluded.duration_buckets),
                                    unnest(r.duration_counts || excluded.duration_counts)) AS k (bucket, n)
                       GROUP BY k.bucket) AS s
                 HAVING cardinality(r.duration_buckets || excluded.duration_buckets) > 150);
END
$$;
