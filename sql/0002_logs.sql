-- The log table: LIST by category, then RANGE by created_at. No DEFAULT partition: a filled one blocks new ones.
SET LOCAL ROLE logmill_owner;

-- No function made by the owner, in this migration or a later one, can be called by everybody: each is granted by name.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE SCHEMA logmill;
CREATE SCHEMA logmill_read;
GRANT USAGE ON SCHEMA logmill TO logmill_writer, logmill_agent;
GRANT USAGE ON SCHEMA logmill_read TO logmill_reader;

CREATE TYPE logmill.log_category AS ENUM ('raw', 'summary', 'training', 'tagged');
CREATE TYPE logmill.log_level AS ENUM ('DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL');

CREATE TABLE logmill.logs (
    created_at      timestamptz NOT NULL,
    category        logmill.log_category NOT NULL,
    level           logmill.log_level NOT NULL,
    log_type        text NOT NULL,
    service         text NOT NULL,
    environment     text NOT NULL,
    message         text NOT NULL,
    host            text,
    component       text,
    module          text,
    event_type      text,
    user_id         text,
    session_id      text,
    trace_id        text,
    span_id         text,
    error_type      text,
    error_code      text,
    stack_trace     text,
    http_status     smallint,
    endpoint        text,
    method          text,
    duration_ms     double precision,
    client_ip       inet,
    page_path       text,
    browser         text,
    device          text,
    tags            text[],
    metadata        jsonb,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    ingested_at     timestamptz NOT NULL,
    pattern         bigint,
    deleted_at      timestamptz
) PARTITION BY LIST (category);

CREATE TABLE logmill.logs_raw PARTITION OF logmill.logs FOR VALUES IN ('raw') PARTITION BY RANGE (created_at);
CREATE TABLE logmill.logs_summary PARTITION OF logmill.logs FOR VALUES IN ('summary') PARTITION BY RANGE (created_at);
CREATE TABLE logmill.logs_training PARTITION OF logmill.logs FOR VALUES IN ('training') PARTITION BY RANGE (created_at);
CREATE TABLE logmill.logs_tagged PARTITION OF logmill.logs FOR VALUES IN ('tagged') PARTITION BY RANGE (created_at);

-- What a hot leaf can afford: made on the parents, so that every attached leaf gets its own.
CREATE INDEX logs_created_at ON logmill.logs USING brin (created_at);
CREATE INDEX logs_errors ON logmill.logs (created_at) WHERE level >= 'ERROR';

-- One leaf an hour, a day or a month, by category; bounds are UTC. A changed period holds for leaves not made yet.
-- on_demand_per_minute bounds what records with strange times can make the consumer ask for.
CREATE TABLE logmill.leaf_period (
    category             logmill.log_category PRIMARY KEY,
    period               text NOT NULL CHECK (period IN ('hour', 'day', 'month')),
    on_demand_per_minute integer NOT NULL DEFAULT 1000 CHECK (on_demand_per_minute > 0)
);
INSERT INTO logmill.leaf_period VALUES ('raw', 'hour'), ('summary', 'day'), ('training', 'month'), ('tagged', 'month');
