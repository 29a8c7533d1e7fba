-- A small world for tests of the agent's SQL: 30,000 records in the six days before 2026-03-18T14:35:20+09:00, many of them
-- on minute and hour borders, some after now, every nullable column NULL at times, one in a hundred soft-deleted.
UPDATE logmill.leaf_period SET period = 'month';
SELECT logmill.ensure_leaf(c, '2026-03-10') FROM unnest(enum_range(NULL::logmill.log_category)) c;
SET max_parallel_workers_per_gather = 0;
SELECT setseed(0.42);

CREATE TEMPORARY TABLE draw AS
SELECT i, random() AS a, random() AS b, random() AS c, random() AS d, random() AS e, random() AS f, random() AS g,
       random() AS h, random() AS j, random() AS k, random() AS l
FROM generate_series(1, 30000) i;

INSERT INTO logmill.logs
SELECT CASE WHEN b < 0.06 THEN date_trunc('minute', t) WHEN b < 0.09 THEN date_trunc('hour', t)
            WHEN b < 0.10 THEN date_trunc('minute', t) - interval '1 microsecond'
            ELSE date_trunc('milliseconds', t) END,
       (ARRAY['raw', 'raw', 'raw', 'summary', 'training', 'tagged'])[1 + floor(c * 6)::integer]::logmill.log_category,
       (ARRAY['DEBUG', 'INFO', 'INFO', 'INFO', 'INFO', 'WARN', 'ERROR', 'ERROR', 'FATAL'])[1 + floor(d * 9)::integer]
           ::logmill.log_level,
       CASE WHEN e < 0.2 THEN 'FRONTEND' ELSE 'BACKEND' END,
       (ARRAY['api', 'pay', 'pay-admin', 'order', 'user', 'stock', 'batch', 'web'])[1 + floor(a * a * 8)::integer],
       (ARRAY['production', 'production', 'production', 'staging'])[1 + floor(f * 4)::integer],
       (ARRAY['timeout after ' || i || 'ms', '결제 승인 지연 ' || i, 'connection refused', 'done 100%', E'two\nlines'])
           [1 + floor(g * 5)::integer],
       CASE WHEN h > 0.1 THEN 'web-' || floor(h * 5) END, CASE WHEN j > 0.3 THEN 'part-' || floor(j * 6) END, NULL,
       CASE WHEN k < 0.05 THEN 'login_failed' END, CASE WHEN k > 0.4 THEN 'u' || floor(k * 60) END,
       CASE WHEN l > 0.6 THEN 's-' || floor(l * 900) END, CASE WHEN l < 0.3 THEN md5(floor(l * 2000)::text) END, NULL,
       CASE WHEN d > 0.65 AND g > 0.15 THEN (ARRAY['TimeoutError', 'NullPointerException', 'IOError', 'Rare'])
           [1 + floor(g * g * 3.2)::integer] END, NULL, CASE WHEN d > 0.9 THEN 'at main' END,
       CASE WHEN e > 0.35 THEN (ARRAY[200, 200, 200, 304, 403, 404, 500, 503])[1 + floor(h * 8)::integer] END,
       CASE WHEN e > 0.4 THEN (ARRAY['/api/orders', '/api/pay', '/health', '/api/users'])[1 + floor(j * 4)::integer] END,
       CASE WHEN e > 0.4 THEN (ARRAY['GET', 'POST'])[1 + floor(l * 2)::integer] END,
       CASE WHEN g > 0.3 THEN round(exp(c * 9)::numeric, 3)::double precision END,
       CASE WHEN h > 0.5 THEN ('10.0.0.' || floor(h * 9))::inet END, CASE WHEN e < 0.2 THEN '/checkout' END,
       CASE WHEN e < 0.2 THEN 'Chrome' END, NULL,
       CASE WHEN j < 0.2 THEN ARRAY['slow', 'audit'] WHEN j < 0.4 THEN ARRAY['security'] WHEN j < 0.5 THEN '{}' END,
       CASE WHEN k < 0.5 THEN jsonb_build_object('region', 'r' || floor(k * 8), 'retries', floor(k * 20)) END,
       i % 4, i, t, hashtextextended(floor(g * 5)::text, 0), CASE WHEN f > 0.99 THEN t END
FROM (SELECT *, timestamptz '2026-03-18 14:37:20+09' - (a * b + c * c) / 2 * interval '6 days' AS t FROM draw) d;

DROP TABLE draw;
