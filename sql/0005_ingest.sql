-- What the consumer calls in a batch's closing message, in this order and in one transaction with the batch's rows:
--   SELECT … FROM ingest_offset … FOR UPDATE, add_*, advance_*, advance_offset, COMMIT
-- One message, so that no row lock ever waits for a client. All run with the caller's rights. Times come as microseconds
-- since 1970, columns as arrays of equal length. Keys hold the Kafka partition, so consumers do not meet except in
-- log_pattern, whose rows are therefore inserted in order.
SET LOCAL ROLE logmill_owner;

-- Exact for every time a record may have.
CREATE FUNCTION logmill.at_us(us bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN timestamptz 'epoch' + us * interval '1 microsecond';

-- The sum, or the largest bigint where it does not fit: an absurd duration must not stop a partition.
CREATE FUNCTION logmill.add_capped(a bigint, b bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE WHEN a > 9223372036854775807 - b THEN 9223372036854775807 ELSE a + b END;

-- Row i holds the buckets all_buckets[bucket_from[i] : bucket_to[i]], none where bucket_to is smaller.
CREATE FUNCTION logmill.add_rollups(in_category logmill.log_category, in_partition integer, minutes bigint[],
                                    services text[], environments text[], levels logmill.log_level[], ns bigint[],
                                    duration_ns bigint[], duration_sums bigint[], duration_maxima bigint[],
                                    bucket_from integer[], bucket_to integer[], all_buckets smallint[],
                                    all_counts bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.log_rollup_minute AS r
    SELECT logmill.at_us(u.minute), in_category, u.service, u.environment, u.level, in_partition, u.n, u.dn, u.ds,
           CASE WHEN u.dn > 0 THEN u.dm END,
           CASE WHEN u.dn > 0 THEN all_buckets[u.b_from:u.b_to] END,
           CASE WHEN u.dn > 0 THEN all_counts[u.b_from:u.b_to] END
    FROM unnest(minutes, services, environments, levels, ns, duration_ns, duration_sums, duration_maxima, bucket_from,
                bucket_to) AS u (minute, service, environment, level, n, dn, ds, dm, b_from, b_to)
    ON CONFLICT (minute, category, service, environment, level, kafka_partition) DO UPDATE
        SET n = r.n + excluded.n,
            duration_n = r.duration_n + excluded.duration_n,
            duration_sum_us = logmill.add_capped(r.duration_sum_us, excluded.duration_sum_us),
            duration_max_us = greatest(r.duration_max_us, excluded.duration_max_us),
            -- Two sparse histograms as one. In integers: a bucket of a minute and a partition holds no 2^31 durations, and
            -- sums of bigint would be numeric.
            (duration_buckets, duration_counts) =
                (SELECT array_agg(m.bucket), array_agg(m.n)
                 FROM (SELECT u.bucket, sum(u.n::integer) AS n
                       FROM unnest(r.duration_buckets || excluded.duration_buckets,
                                   r.duration_counts || excluded.duration_counts) AS u (bucket, n)
                       GROUP BY u.bucket ORDER BY u.bucket) m);
END
$$;

CREATE FUNCTION logmill.add_error_patterns(in_category logmill.log_category, in_partition integer, hours bigint[],
                                           services text[], environments text[], error_types text[], patterns bigint[],
                                           ns bigint[], firsts bigint[], lasts bigint[], samples text[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.error_pattern_hour AS e
    SELECT logmill.at_us(u.hour), in_category, u.service, u.environment, u.error_type, u.pattern, in_partition, u.n,
           logmill.at_us(u.first), logmill.at_us(u.last), u.sample
    FROM unnest(hours, services, environments, error_types, patterns, ns, firsts, lasts, samples)
         AS u (hour, service, environment, error_type, pattern, n, first, last, sample)
    ON CONFLICT (hour, category, service, environment, error_type, pattern, kafka_partition) DO UPDATE
        SET n = e.n + excluded.n,
            first_seen = least(e.first_seen, excluded.first_seen),
            last_seen = greatest(e.last_seen, excluded.last_seen);
END
$$;

-- In order: two batches that bring the same patterns must not wait for each other in a circle.
CREATE FUNCTION logmill.add_patterns(patterns bigint[], templates text[], firsts bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.log_pattern
    SELECT u.pattern, u.template, logmill.at_us(u.first)
    FROM unnest(patterns, templates, firsts) AS u (pattern, template, first)
    ORDER BY u.pattern
    ON CONFLICT (pattern) DO NOTHING;
END
$$;

CREATE FUNCTION logmill.add_names(in_category logmill.log_category, in_partition integer, kinds text[], names text[],
                                  services text[], environments text[], firsts bigint[], lasts bigint[],
                                  ns bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.log_name AS l
    SELECT u.kind, u.name, in_category, u.service, u.environment, in_partition, logmill.at_us(u.first),
           logmill.at_us(u.last), u.n
    FROM unnest(kinds, names, services, environments, firsts, lasts, ns)
         AS u (kind, name, service, environment, first, last, n)
    ON CONFLICT (kind, value, category, service, environment, kafka_partition) DO UPDATE
        SET first_seen = least(l.first_seen, excluded.first_seen),
            last_seen = greatest(l.last_seen, excluded.last_seen),
            n = l.n + excluded.n;
END
$$;

-- Raises the version of every hour but the current one. The current one is raised too when it is about to end: by the
-- time the batch is seen it may be a closed hour that somebody has cached.
CREATE FUNCTION logmill.raise_epochs(in_category logmill.log_category, in_partition integer, hours bigint[])
    RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.data_epoch AS e
    SELECT in_category, in_partition, logmill.at_us(u.hour), 1
    FROM unnest(hours) AS u (hour)
    WHERE logmill.at_us(u.hour) <> date_trunc('hour', clock_timestamp() + interval '1 minute', 'UTC')
    ON CONFLICT (category, kafka_partition, hour) DO UPDATE SET version = e.version + 1;
END
$$;

CREATE FUNCTION logmill.advance_sources(in_topic text, in_partition integer, sources bigint[], sequences bigint[],
                                        times bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.ingest_source AS s
    SELECT in_topic, in_partition, u.source, u.sequence, logmill.at_us(u.last)
    FROM unnest(sources, sequences, times) AS u (source, sequence, last)
    ON CONFLICT (topic, partition, source) DO UPDATE
        SET last_sequence = excluded.last_sequence, last_time = greatest(s.last_time, excluded.last_time);
END
$$;

-- Records put back from a dead-letter topic, by where they first stood. One that is there already is an error (23505): the
-- batch is then decided anew.
CREATE FUNCTION logmill.add_replays(topics text[], partitions integer[], offsets bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO logmill.ingest_replay (topic, partition, "offset")
    SELECT u.topic, u.partition, u."offset"
    FROM unnest(topics, partitions, offsets) AS u (topic, partition, "offset")
    ORDER BY 1, 2, 3;
END
$$;

-- The compare-and-set that makes delivery exactly-once and fences whoever lost the partition. It raises where it does not
-- match, for a COMMIT stands behind it in the same message.
CREATE FUNCTION logmill.advance_offset(in_topic text, in_partition integer, expected bigint, next bigint,
                                       committed timestamptz) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE logmill.ingest_offset o
        SET next_offset = next, committed_time = greatest(o.committed_time, committed),
            updated_at = clock_timestamp(), backend_pid = pg_backend_pid()
        WHERE o.topic = in_topic AND o.partition = in_partition AND o.next_offset = expected;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the offset of %/% is not % any more: another consumer has moved it', in_topic, in_partition,
                expected
            USING ERRCODE = 'LM001';
    END IF;
END
$$;

-- The position of a partition nobody has read yet. Where there is one already it stays.
CREATE FUNCTION logmill.start_offset(in_topic text, in_partition integer, low bigint) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
        INSERT INTO logmill.ingest_offset (topic, partition, next_offset, backend_pid)
            VALUES (in_topic, in_partition, low, pg_backend_pid())
            ON CONFLICT (topic, partition) DO NOTHING;
    END;

-- Forgets producers not heard of for `age_us`, in the Kafka time of what the partition has committed. The lock makes it
-- wait for a batch of the partition and the other way round.
CREATE FUNCTION logmill.expire_sources(in_topic text, in_partition integer, age_us bigint) RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    upto    timestamptz;
    expired bigint;
BEGIN
    SELECT o.committed_time - age_us * interval '1 microsecond' INTO upto
        FROM logmill.ingest_offset o WHERE o.topic = in_topic AND o.partition = in_partition FOR UPDATE;
    DELETE FROM logmill.ingest_source s
        WHERE s.topic = in_topic AND s.partition = in_partition AND s.last_time < upto;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;

-- Ends the backend that moved the offset last, where it is a consumer's, in a transaction, and not one of the caller's
-- own (`mine`): a stopped consumer would hold the partition's lock for ever. Whether there was one.
CREATE FUNCTION logmill.end_holder(in_topic text, in_partition integer, mine integer[]) RETURNS boolean
    LANGUAGE plpgsql
AS $$
DECLARE
    ended boolean;
BEGIN
    SELECT bool_or(pg_terminate_backend(a.pid)) INTO ended
        FROM logmill.ingest_offset o
        JOIN pg_catalog.pg_stat_activity a ON a.pid = o.backend_pid
        WHERE o.topic = in_topic AND o.partition = in_partition AND a.usename = current_user
            AND a.application_name LIKE 'logmill-consumer%' AND a.xact_start IS NOT NULL AND a.pid <> ALL (mine);
    RETURN coalesce(ended, false);
END
$$;
