-- A position found behind the end of its topic: the topic was made anew, or cut off. Kept here, for the new topic grows, and
-- once it had grown past the position its first records would be left out without a word. Not this position any more, or
-- `logmill-ctl offsets set`: somebody has decided.
SET LOCAL ROLE logmill_owner;

ALTER TABLE logmill.ingest_offset ADD COLUMN beyond_end bigint;

CREATE FUNCTION logmill.stop_beyond_end(in_topic text, in_partition integer, stored bigint) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    UPDATE logmill.ingest_offset o SET beyond_end = stored
        WHERE o.topic = in_topic AND o.partition = in_partition AND o.next_offset = stored;
END;
GRANT EXECUTE ON FUNCTION logmill.stop_beyond_end TO logmill_writer;
