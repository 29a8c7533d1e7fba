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

-- The portion of a partition's producers that begins with source `at_least`: those not heard of for `age_us`, in the Kafka time
-- of what the partition has committed, are forgotten. Returns the source the following portion begins with, NULL where there is
-- none. Portions, because the lock, which makes a batch of the partition wait and the other way round, must be short also with
-- millions of producers. (The one of three arguments, all at once, is what consumers of before call.)
CREATE FUNCTION logmill.expire_sources(in_topic text, in_partition integer, age_us bigint, at_least bigint, portion integer)
    RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    upto      timestamptz;
    following bigint;
BEGIN
    SELECT s.source INTO following FROM logmill.ingest_source s
        WHERE s.topic = in_topic AND s.partition = in_partition AND s.source >= at_least
        ORDER BY s.source OFFSET portion LIMIT 1;
    SELECT o.committed_time - age_us * interval '1 microsecond' INTO upto
        FROM logmill.ingest_offset o WHERE o.topic = in_topic AND o.partition = in_partition FOR UPDATE;
    DELETE FROM logmill.ingest_source s
        WHERE s.topic = in_topic AND s.partition = in_partition AND s.source >= at_least
            AND (following IS NULL OR s.source < following) AND s.last_time < upto;
    RETURN following;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.expire_sources(text, integer, bigint, bigint, integer) TO logmill_writer;
