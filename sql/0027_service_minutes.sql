-- The minutes in which a service has records, found without those of all others: where the newest of a rare one begin was read from
-- the groups of hours. Consumers wait while it is made, some ten seconds for 30 days of 288 groups a minute. Unlike those of 0025 its
-- entries are many to a key, and put together they take a sixth of the pages.
SET LOCAL ROLE logmill_owner;

CREATE INDEX log_rollup_minute_service ON logmill.log_rollup_minute (service, minute);
