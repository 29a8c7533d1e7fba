-- Whether a partition is idle or its consumer dead. The rows of a partition are complete up to committed_time, and where its
-- consumer had stored all the topic held, up to the moment it said so: checked_at, which it says again every ten seconds.
SET LOCAL ROLE logmill_owner;

ALTER TABLE logmill.ingest_offset ADD COLUMN checked_at timestamptz NOT NULL DEFAULT '-infinity';

-- Called by the consumer for partitions that it has read to their end, with its own position of each: where another has moved
-- on since, nothing is written. It waits for no lock, and nobody waits for it longer than this takes (no flush of the log: what
-- a crash takes back is said again).
CREATE FUNCTION logmill.check_offsets(topics text[], partitions integer[], offsets bigint[]) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    WITH free AS (
        SELECT o.topic, o.partition
        FROM logmill.ingest_offset o
        JOIN unnest(topics, partitions, offsets) AS u (topic, partition, "offset")
            ON o.topic = u.topic AND o.partition = u.partition AND o.next_offset = u."offset"
        FOR UPDATE OF o SKIP LOCKED)
    UPDATE logmill.ingest_offset o SET checked_at = clock_timestamp()
        FROM free f WHERE o.topic = f.topic AND o.partition = f.partition;
END
$$;
GRANT EXECUTE ON FUNCTION logmill.check_offsets TO logmill_writer;

CREATE OR REPLACE VIEW logmill_read.ingest_progress WITH (security_invoker = true) AS
    SELECT topic, partition, committed_time, updated_at, checked_at FROM logmill.ingest_offset;
GRANT SELECT (checked_at) ON logmill.ingest_offset TO logmill_reader;
