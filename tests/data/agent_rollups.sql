-- Fills the rollups from logmill.logs, which the consumer does in the product: INSERT … SELECT over the rows that count.
INSERT INTO logmill.log_rollup_minute
SELECT r.minute, r.category, r.service, r.environment, r.level, r.kafka_partition, r.n, r.duration_n, r.duration_sum_us,
       r.duration_max_us, b.buckets, b.counts
FROM (SELECT date_trunc('minute', created_at, 'UTC') AS minute, category, service, environment, level, kafka_partition,
             count(*) AS n, count(duration_ms) AS duration_n,
             coalesce(sum(logmill.duration_us(duration_ms)), 0)::bigint AS duration_sum_us,
             max(logmill.duration_us(duration_ms)) AS duration_max_us
      FROM logmill.logs WHERE deleted_at IS NULL
      GROUP BY 1, 2, 3, 4, 5, 6) r
LEFT JOIN (SELECT minute, category, service, environment, level, kafka_partition,
                  array_agg(bucket ORDER BY bucket) AS buckets, array_agg(n ORDER BY bucket) AS counts
           FROM (SELECT date_trunc('minute', created_at, 'UTC') AS minute, category, service, environment, level,
                        kafka_partition, logmill.duration_bucket(duration_ms) AS bucket, count(*) AS n
                 FROM logmill.logs WHERE deleted_at IS NULL AND duration_ms IS NOT NULL
                 GROUP BY 1, 2, 3, 4, 5, 6, 7) h
           GROUP BY 1, 2, 3, 4, 5, 6) b
    USING (minute, category, service, environment, level, kafka_partition);

INSERT INTO logmill.error_pattern_hour
SELECT date_trunc('hour', created_at, 'UTC'), category, service, environment, coalesce(error_type, ''), pattern,
       kafka_partition, count(*), min(created_at), max(created_at), min(message)
FROM logmill.logs WHERE deleted_at IS NULL AND level >= 'ERROR'
GROUP BY 1, 2, 3, 4, 5, 6, 7;

INSERT INTO logmill.log_pattern
SELECT pattern, min(regexp_replace(message, '[0-9]+', '<*>', 'g')), min(created_at)
FROM logmill.logs WHERE deleted_at IS NULL AND pattern IS NOT NULL
GROUP BY pattern;
