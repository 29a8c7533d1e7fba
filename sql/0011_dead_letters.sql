-- Dead letters that were put back, and forgetting producers in portions.
SET LOCAL ROLE logmill_owner;

-- What `logmill-ctl dlq replay` has put back, by where the letters lie in their dead-letter topic. It only saves work: whether
-- a record was stored is known to ingest_replay. A letter written later than replayed_at is another one (the topic was made
-- anew).
CREATE TABLE logmill.dlq_replay (
    topic        text NOT NULL,        -- the dead-letter topic
    partition    integer NOT NULL,
    first_offset bigint NOT NULL,
    last_offset  bigint NOT NULL,
    replayed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, first_offset, replayed_at)
);

-- The next portion of a partition's producers behind `after` (NULL: from the first one): those not heard of for `age_us`, in
-- the Kafka time of what the partition has committed, are forgotten. Returns where the following portion begins, NULL where
-- there is none. Portions, because the lock, which makes a batch of the partition wait and the other way round, must be short
-- also with millions of producers. (The one of three arguments, all at once, is what consumers of before call.)
CREATE FUNCTION logmill.expire_sources(in_topic text, in_partition integer, age_us bigint, after bigint, portion integer)
    RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    upto  timestamptz;
    final bigint;
BEGIN
    SELECT s.source INTO final FROM logmill.ingest_source s
        WHERE s.topic = in_topic AND s.partition = in_partition AND s.source > coalesce(after, -9223372036854775808)
        ORDER BY s.source OFFSET portion - 1 LIMIT 1;
    SELECT o.committed_time - age_us * interval '1 microsecond' INTO upto
        FROM logmill.ingest_offset o WHERE o.topic = in_topic AND o.partition = in_partition FOR UPDATE;
    DELETE FROM logmill.ingest_source s
        WHERE s.topic = in_topic AND s.partition = in_partition
            AND (after IS NULL OR s.source > after) AND (final IS NULL OR s.source <= final) AND s.last_time < upto;
    RETURN final;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.expire_sources(text, integer, bigint, bigint, integer) TO logmill_writer;
