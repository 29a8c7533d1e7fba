-- Setting or clearing logs.deleted_at takes the row out of, or back into, what is counted: log_rollup_minute and
-- error_pattern_hour stay equal to GROUP BY over the rows that are not deleted. COPY pays nothing for it.
--
-- A row trigger, for it is cloned to every leaf and so holds whichever of them the statement names. It runs as the owner:
-- who may update logs.deleted_at need not be able to touch the rollups. Delete much in portions: the rollup rows stay
-- locked until the transaction ends, and the consumer waits for them.
--
-- Where a category has more services than the rollups hold, the rest count under '(other)': a row whose own service has
-- no rollup row is looked for there.
SET LOCAL ROLE logmill_owner;

-- Adds `delta` to the count of `bucket`; buckets ascend, those at 0 are left out, both NULL when none is left.
CREATE FUNCTION logmill.shift_bucket(INOUT buckets smallint[], INOUT counts bigint[], bucket smallint, delta bigint)
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
        SELECT array_agg(s.b ORDER BY s.b), array_agg(s.c ORDER BY s.b)
            FROM (SELECT u.b, sum(u.c)::bigint AS c
                  FROM (SELECT * FROM unnest(buckets, counts) UNION ALL SELECT bucket, delta) AS u (b, c)
                  GROUP BY u.b HAVING sum(u.c) > 0) s;
    END;

-- Takes `r` out of its minute (delta -1) or puts it back (1).
CREATE FUNCTION logmill.shift_minute(r logmill.logs, delta bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_minute constant timestamptz := date_trunc('minute', r.created_at, 'UTC');
    us         constant bigint := logmill.duration_us(r.duration_ms);
    m          logmill.log_rollup_minute;
    maximum    bigint;
BEGIN
    -- The row is locked before anything is computed from logs: the batches of its partition then come before or after.
    SELECT * INTO m FROM logmill.log_rollup_minute t
        WHERE t.minute = its_minute AND t.category = r.category AND t.service IN (r.service, '(other)')
            AND t.environment = r.environment AND t.level = r.level AND t.kafka_partition = r.kafka_partition
        ORDER BY t.service = r.service DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        IF delta > 0 THEN
            INSERT INTO logmill.log_rollup_minute AS t
                SELECT its_minute, r.category, r.service, r.environment, r.level, r.kafka_partition, 1,
                       (us IS NOT NULL)::integer, coalesce(us, 0), us,
                       CASE WHEN us IS NOT NULL THEN ARRAY[logmill.duration_bucket(r.duration_ms)] END,
                       CASE WHEN us IS NOT NULL THEN ARRAY[1::bigint] END;
        END IF;
        RETURN;
    END IF;

    IF m.n + delta <= 0 THEN
        DELETE FROM logmill.log_rollup_minute t
            WHERE t.minute = m.minute AND t.category = m.category AND t.service = m.service
                AND t.environment = m.environment AND t.level = m.level AND t.kafka_partition = m.kafka_partition;
        RETURN;
    END IF;
    IF us IS NOT NULL THEN
        maximum := CASE WHEN delta > 0 THEN greatest(m.duration_max_us, us) ELSE m.duration_max_us END;
        IF delta < 0 AND us >= coalesce(m.duration_max_us, 0) THEN
            SELECT max(logmill.duration_us(l.duration_ms)) INTO maximum FROM logmill.logs l
                WHERE l.category = r.category AND l.created_at >= its_minute
                    AND l.created_at < its_minute + interval '1 minute' AND l.deleted_at IS NULL
                    AND l.environment = r.environment AND l.level = r.level AND l.kafka_partition = r.kafka_partition
                    AND (l.service = m.service
                         OR m.service = '(other)' AND NOT EXISTS (
                             SELECT FROM logmill.log_rollup_minute t
                             WHERE t.minute = its_minute AND t.category = l.category AND t.service = l.service
                                 AND t.environment = l.environment AND t.level = l.level
                                 AND t.kafka_partition = l.kafka_partition));
        END IF;
        m.duration_n := m.duration_n + delta;
        m.duration_sum_us := m.duration_sum_us + delta * us;
        m.duration_max_us := maximum;
        SELECT s.buckets, s.counts INTO m.duration_buckets, m.duration_counts
            FROM logmill.shift_bucket(m.duration_buckets, m.duration_counts, logmill.duration_bucket(r.duration_ms), delta) s;
    END IF;
    UPDATE logmill.log_rollup_minute t
        SET n = m.n + delta, duration_n = m.duration_n, duration_sum_us = m.duration_sum_us,
            duration_max_us = m.duration_max_us, duration_buckets = m.duration_buckets,
            duration_counts = m.duration_counts
        WHERE t.minute = m.minute AND t.category = m.category AND t.service = m.service
            AND t.environment = m.environment AND t.level = m.level AND t.kafka_partition = m.kafka_partition;
END
$$;

-- The same for an error's hour. The sample may be the very text somebody wants gone: it is taken anew wherever the row could
-- be the one it is from.
CREATE FUNCTION logmill.shift_pattern(r logmill.logs, delta bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_hour    constant timestamptz := date_trunc('hour', r.created_at, 'UTC');
    its_pattern constant bigint := coalesce(r.pattern, 0);
    its_type    constant text := coalesce(r.error_type, '');
    e           logmill.error_pattern_hour;
    live        record;
BEGIN
    SELECT * INTO e FROM logmill.error_pattern_hour t
        WHERE t.hour = its_hour AND t.category = r.category AND t.service IN (r.service, '(other)')
            AND t.environment = r.environment AND t.error_type = its_type AND t.pattern = its_pattern
            AND t.kafka_partition = r.kafka_partition
        ORDER BY t.service = r.service DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        IF delta > 0 THEN
            INSERT INTO logmill.error_pattern_hour
                VALUES (its_hour, r.category, r.service, r.environment, its_type, its_pattern, r.kafka_partition, 1,
                        r.created_at, r.created_at, left(r.message, 1000));
        END IF;
        RETURN;
    END IF;

    IF e.n + delta <= 0 THEN
        DELETE FROM logmill.error_pattern_hour t
            WHERE t.hour = e.hour AND t.category = e.category AND t.service = e.service AND t.environment = e.environment
                AND t.error_type = e.error_type AND t.pattern = e.pattern AND t.kafka_partition = e.kafka_partition;
        RETURN;
    END IF;
    IF delta > 0 THEN
        e.first_seen := least(e.first_seen, r.created_at);
        e.last_seen := greatest(e.last_seen, r.created_at);
    ELSIF r.created_at <= e.first_seen OR r.created_at >= e.last_seen OR starts_with(r.message, e.sample) THEN
        SELECT min(l.created_at) AS first_seen, max(l.created_at) AS last_seen,
               (array_agg(left(l.message, 1000) ORDER BY l.created_at, l.kafka_offset))[1] AS sample
            INTO live FROM logmill.logs l
            WHERE l.category = r.category AND l.created_at >= its_hour AND l.created_at < its_hour + interval '1 hour'
                AND l.level >= 'ERROR' AND l.deleted_at IS NULL AND l.environment = r.environment
                AND coalesce(l.error_type, '') = its_type AND coalesce(l.pattern, 0) = its_pattern
                AND l.kafka_partition = r.kafka_partition
                AND (l.service = e.service
                     OR e.service = '(other)' AND NOT EXISTS (
                         SELECT FROM logmill.error_pattern_hour t
                         WHERE t.hour = its_hour AND t.category = l.category AND t.service = l.service
                             AND t.environment = l.environment AND t.error_type = its_type AND t.pattern = its_pattern
                             AND t.kafka_partition = l.kafka_partition));
        -- Nothing left: the other rows of this statement have yet to come through here.
        e.first_seen := coalesce(live.first_seen, e.first_seen);
        e.last_seen := coalesce(live.last_seen, e.last_seen);
        e.sample := coalesce(live.sample, '');
    END IF;
    UPDATE logmill.error_pattern_hour t
        SET n = e.n + delta, first_seen = e.first_seen, last_seen = e.last_seen, sample = e.sample
        WHERE t.hour = e.hour AND t.category = e.category AND t.service = e.service AND t.environment = e.environment
            AND t.error_type = e.error_type AND t.pattern = e.pattern AND t.kafka_partition = e.kafka_partition;
END
$$;

CREATE FUNCTION logmill.soft_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r     constant logmill.logs := NEW;
    delta constant bigint := CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END;
BEGIN
    PERFORM logmill.shift_minute(r, delta);
    IF r.level >= 'ERROR'::logmill.log_level THEN
        PERFORM logmill.shift_pattern(r, delta);
    END IF;
    INSERT INTO logmill.data_epoch AS e VALUES (r.category, r.kafka_partition, date_trunc('hour', r.created_at, 'UTC'), 1)
        ON CONFLICT (category, kafka_partition, hour) DO UPDATE SET version = e.version + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER soft_delete AFTER UPDATE OF deleted_at ON logmill.logs
    FOR EACH ROW WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))
    EXECUTE FUNCTION logmill.soft_delete();
