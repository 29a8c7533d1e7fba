-- Fills the rollups from logmill.logs, which the consumer does in the product: INSERT … SELECT over the rows that count.
INSERT INTO logmill.log_rollup_minute
SELECT date_trunc('minute', created_at, 'UTC'), category, service, environment, level, kafka_partition, count(*), count(duration_ms),
       coalesce(sum(logmill.duration_us(duration_ms)), 0)::bigint, max(logmill.duration_us(duration_ms))
FROM logmill.logs WHERE deleted_at IS NULL
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO logmill.total_minute SELECT * FROM logmill.minute_totals;
INSERT INTO logmill.count_minute SELECT * FROM logmill.minute_counts;

INSERT INTO logmill.duration_minute
SELECT date_trunc('minute', created_at, 'UTC'), category, service, environment, kafka_partition, sum(h),
       sum(h) FILTER (WHERE level = 'DEBUG'), sum(h) FILTER (WHERE level = 'INFO'), sum(h) FILTER (WHERE level = 'WARN'),
       sum(h) FILTER (WHERE level = 'ERROR'), sum(h) FILTER (WHERE level = 'FATAL')
FROM logmill.logs CROSS JOIN LATERAL (SELECT logmill.histogram_unit(logmill.duration_bucket(duration_ms)) AS h) u
WHERE deleted_at IS NULL AND duration_ms IS NOT NULL
GROUP BY 1, 2, 3, 4, 5;

-- Kept here for as long as the rows are.
CREATE OR REPLACE FUNCTION logmill.seconds_kept() RETURNS timestamptz LANGUAGE sql VOLATILE RETURN timestamptz '2000-01-01 00:00Z';
CREATE OR REPLACE VIEW logmill_read.seconds_since WITH (security_invoker = true) AS SELECT timestamptz '2000-01-01 00:00Z' AS since;
INSERT INTO logmill.seconds_minute
SELECT date_trunc('minute', created_at, 'UTC'), category, service, environment, kafka_partition, sum(u) FILTER (WHERE level = 'DEBUG'),
       sum(u) FILTER (WHERE level = 'INFO'), sum(u) FILTER (WHERE level = 'WARN'), sum(u) FILTER (WHERE level = 'ERROR'),
       sum(u) FILTER (WHERE level = 'FATAL')
FROM logmill.logs CROSS JOIN LATERAL (SELECT logmill.histogram_unit(floor(extract(second FROM created_at))::smallint) AS u) s
WHERE deleted_at IS NULL
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO logmill.error_pattern_hour
SELECT date_trunc('hour', created_at, 'UTC'), category, service, environment, coalesce(error_type, ''), pattern,
       kafka_partition, count(*), min(created_at), max(created_at), min(message)
FROM logmill.logs WHERE deleted_at IS NULL AND level >= 'ERROR'
GROUP BY 1, 2, 3, 4, 5, 6, 7;

INSERT INTO logmill.log_pattern
SELECT pattern, min(regexp_replace(message, '[0-9]+', '<*>', 'g')), min(created_at)
FROM logmill.logs WHERE deleted_at IS NULL AND pattern IS NOT NULL
GROUP BY pattern;
