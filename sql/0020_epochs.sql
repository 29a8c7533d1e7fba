-- What was cached under a version must not be found under the same version of another past. A server that takes over without
-- the last transactions of the one before, or comes back without them (synchronous_commit = off), has lower versions again and
-- raises them to numbers that were given out already. So a version is never below the milliseconds of the clock: whatever is
-- raised after the loss is above all that was raised before it.
SET LOCAL ROLE logmill_owner;

CREATE FUNCTION logmill.version_by_clock() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.version := greatest(NEW.version, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    RETURN NEW;
END
$$;
CREATE TRIGGER version_by_clock BEFORE INSERT OR UPDATE OF version ON logmill.data_epoch
    FOR EACH ROW EXECUTE FUNCTION logmill.version_by_clock();
