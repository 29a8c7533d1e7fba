-- What a window of weeks is put together from is found in an index alone.
SET LOCAL ROLE logmill_owner;

-- The versions of 30 days are some 3,000 rows, summed for each question about them.
CREATE INDEX data_epoch_versions ON logmill.data_epoch (hour) INCLUDE (version);
DROP INDEX logmill.data_epoch_all;
