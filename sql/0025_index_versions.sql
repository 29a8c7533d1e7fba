-- Rows that are raised many times a minute leave an index entry for each version that did not fit beside the one before. Entries of equal
-- keys that B-tree puts together can be cleared away only once all of them are dead, which those of a row that lives never are: ten
-- entries a row were read again and again. Apart, each is marked by whoever meets it and found dead. The indices are unique, so nothing
-- else in them could be put together.
SET LOCAL ROLE logmill_owner;

ALTER INDEX logmill.log_rollup_minute_pkey SET (deduplicate_items = off);
ALTER INDEX logmill.error_pattern_hour_pkey SET (deduplicate_items = off);
ALTER INDEX logmill.log_name_pkey SET (deduplicate_items = off);
ALTER INDEX logmill.data_epoch_pkey SET (deduplicate_items = off);
ALTER INDEX logmill.slot_epoch_pkey SET (deduplicate_items = off);
