-- What the consumer keeps besides the rows, in the batch's own transaction.
SET LOCAL ROLE logmill_owner;

-- Whole microseconds of a duration, and its logarithmic bucket: the same as common/duration.c to the bit. round() of a
-- double rounds halves to even; 9007199254740.992 ms are 2^53 µs, beyond which a double counts no single ones.
CREATE FUNCTION logmill.duration_us(ms double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN round(least(ms, 9007199254740.992::double precision) * 1000::double precision)::bigint;

CREATE FUNCTION logmill.duration_bucket(ms double precision) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE WHEN least(ms, 9007199254740.992::double precision) * 1000::double precision <= 1 THEN 0
                ELSE ceil(ln(least(ms, 9007199254740.992::double precision) * 1000::double precision)
                          / 0.05826890812397576::double precision) END::smallint;

-- duration_buckets[i] holds duration_counts[i] durations; buckets ascend.
CREATE TABLE logmill.log_rollup_minute (
    minute           timestamptz NOT NULL,
    category         logmill.log_category NOT NULL,
    service          text NOT NULL,
    environment      text NOT NULL,
    level            logmill.log_level NOT NULL,
    kafka_partition  integer NOT NULL,
    n                bigint NOT NULL,
    duration_n       bigint NOT NULL DEFAULT 0,
    duration_sum_us  bigint NOT NULL DEFAULT 0,
    duration_max_us  bigint,
    duration_buckets smallint[],
    duration_counts  bigint[],
    PRIMARY KEY (minute, category, service, environment, level, kafka_partition)
) WITH (fillfactor = 70);

CREATE TABLE logmill.error_pattern_hour (
    hour            timestamptz NOT NULL,
    category        logmill.log_category NOT NULL,
    service         text NOT NULL,
    environment     text NOT NULL,
    error_type      text NOT NULL, -- '' where the record has none
    pattern         bigint NOT NULL,
    kafka_partition integer NOT NULL,
    n               bigint NOT NULL,
    first_seen      timestamptz NOT NULL,
    last_seen       timestamptz NOT NULL,
    sample          text NOT NULL,
    PRIMARY KEY (hour, category, service, environment, error_type, pattern, kafka_partition)
) WITH (fillfactor = 70);

CREATE TABLE logmill.log_pattern (
    pattern    bigint PRIMARY KEY,
    template   text NOT NULL,
    first_seen timestamptz NOT NULL
);

-- Names really in the data, for the agent to link words to. kind: service, environment, host, component, module,
-- endpoint, error_type, event_type, metadata_key.
CREATE TABLE logmill.log_name (
    kind            text NOT NULL,
    value           text NOT NULL,
    category        logmill.log_category NOT NULL,
    service         text NOT NULL,
    environment     text NOT NULL,
    kafka_partition integer NOT NULL,
    first_seen      timestamptz NOT NULL,
    last_seen       timestamptz NOT NULL,
    n               bigint NOT NULL,
    PRIMARY KEY (kind, value, category, service, environment, kafka_partition)
) WITH (fillfactor = 70);

-- Raised for each event hour a batch touched other than the current one: a cached answer about a closed window is good
-- while the versions of its hours are the ones it was stored with.
CREATE TABLE logmill.data_epoch (
    category        logmill.log_category NOT NULL,
    kafka_partition integer NOT NULL,
    hour            timestamptz NOT NULL,
    version         bigint NOT NULL,
    PRIMARY KEY (category, kafka_partition, hour)
) WITH (fillfactor = 70);

-- The position that makes delivery exactly-once.
CREATE TABLE logmill.ingest_offset (
    topic          text NOT NULL,
    partition      integer NOT NULL,
    next_offset    bigint NOT NULL,
    committed_time timestamptz,          -- Kafka time of the last record committed
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    backend_pid    integer,              -- of the connection that last moved it
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- The last sequence of each producer's stream: at or below it is a repeat.
CREATE TABLE logmill.ingest_source (
    topic         text NOT NULL,
    partition     integer NOT NULL,
    source        bigint NOT NULL,
    last_sequence bigint NOT NULL,
    last_time     timestamptz NOT NULL, -- Kafka time of its last record
    PRIMARY KEY (topic, partition, source)
) WITH (fillfactor = 70);

-- Records replayed from a dead-letter topic, by their original position.
CREATE TABLE logmill.ingest_replay (
    topic     text NOT NULL,
    partition integer NOT NULL,
    "offset"  bigint NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, "offset")
);

-- Writers' schemas by CRC-64-AVRO fingerprint, for values of producers older or newer than the consumer.
CREATE TABLE logmill.log_schema (
    fingerprint bigint PRIMARY KEY,
    schema      text NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE logmill.audit_log (
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    request_id  text NOT NULL,
    api_key     text,
    role        text NOT NULL,
    address     text,
    question    text NOT NULL,
    sql         text,
    parameters  text,
    engine      text,
    verdict     text NOT NULL,
    row_count   bigint,
    bytes       bigint,
    duration_ms double precision,
    cached      text
);
CREATE INDEX audit_log_at ON logmill.audit_log USING brin (at);
