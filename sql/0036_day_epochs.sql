-- A window of days asks the epochs of each of its hours whether its folds are current: 2,880 rows for 30 days of four partitions. Days of UTC
-- count how often their hours were raised, and a fold whose days stand where they stood need not look at the hours.
SET LOCAL ROLE logmill_owner;

-- Nobody folds or expires from here on, as in 0031.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1280134214, hashtext('fold')); END $$; -- 'LMLF'

-- Each transaction counts in a row of its own, so that nobody waits for another that raises the same day; folding adds them up.
CREATE TABLE logmill.day_epoch (
    day             timestamptz NOT NULL, -- of UTC
    category        logmill.log_category NOT NULL,
    kafka_partition integer NOT NULL,
    raised_by       xid8 NOT NULL, -- 0: those added up
    n               bigint NOT NULL,
    PRIMARY KEY (day, category, kafka_partition, raised_by)
) WITH (fillfactor = 70);
CREATE INDEX day_epoch_apart ON logmill.day_epoch (raised_by) WHERE raised_by <> '0';

-- Raises the day of an hour that is raised or forgotten.
CREATE FUNCTION logmill.raise_day() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its constant logmill.data_epoch := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO logmill.day_epoch AS e
        VALUES (date_trunc('day', its.hour, 'UTC'), its.category, its.kafka_partition, pg_current_xact_id(), 1)
        ON CONFLICT (day, category, kafka_partition, raised_by) DO UPDATE SET n = e.n + 1;
    RETURN its;
END
$$;

-- What the days of UTC that [lower, upper) touches are at.
CREATE FUNCTION logmill.days_version(in_category logmill.log_category, lower timestamptz, upper timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (SELECT coalesce(sum(e.n), 0)::bigint FROM logmill.day_epoch e
            WHERE e.category = in_category AND e.day >= date_trunc('day', lower, 'UTC') AND e.day < upper);

DO $do$
DECLARE
    its        record;
    definition text;
BEGIN
    FOR its IN VALUES
        ('logmill.fold_day'::regproc, '\(zone, day, upper, category, version\)(\s*VALUES \(.*in_upper\))\)(\s*ON CONFLICT.*)version = excluded.version,',
         $new$(zone, day, upper, category, version, day_version)\1,
                logmill.days_version(in_category, in_day, in_upper))\2version = excluded.version, day_version = excluded.day_version,
               $new$),
        ('logmill.fold', ' *-- Whatever finding them took',
         $new$    WITH apart AS (
        DELETE FROM logmill.day_epoch d
        WHERE d.ctid = ANY (ARRAY(SELECT e.ctid FROM logmill.day_epoch e WHERE e.raised_by <> '0' LIMIT 10000))
        RETURNING d.day, d.category, d.kafka_partition, d.n)
    INSERT INTO logmill.day_epoch AS e
        SELECT a.day, a.category, a.kafka_partition, '0', sum(a.n)::bigint FROM apart a GROUP BY a.day, a.category, a.kafka_partition
        ON CONFLICT (day, category, kafka_partition, raised_by) DO UPDATE SET n = e.n + excluded.n;
\&$new$),
        -- The days of UTC that a fold has a part of only are raised for the other part too: while its hours are what they were, they are noted
        -- anew.
        ('logmill.fold', ' *next_day := date_trunc\(''day'', closed, zone\);',
         $new$    UPDATE logmill.fold_day f SET day_version = logmill.days_version(f.category, f.day, f.upper)
        WHERE f.upper > lowest AND f.day_version <> logmill.days_version(f.category, f.day, f.upper)
            AND f.version = logmill.fold_version(f.category, f.day, f.upper);
\&$new$),
        ('logmill.fold', 'WHERE f\.version IS DISTINCT FROM logmill\.fold_version',
         $new$WHERE f.day_version IS DISTINCT FROM logmill.days_version(c.category, this_day, next_day)
                AND f.version IS DISTINCT FROM logmill.fold_version$new$),
        -- Those of days that no fold touches any more which is not forgotten itself.
        ('logmill.expire_rollups', ' *UPDATE logmill\.fold_day f SET version = 0 ',
         $new$        DELETE FROM logmill.day_epoch e WHERE e.category = this AND e.day <= at - interval '72 hours';
        UPDATE logmill.fold_day f SET version = 0, day_version = -1 $new$),
        ('logmill_read.rollup_cover', 'sum\(d\.version\) AS version FROM logmill\.fold_day',
         $new$sum(d.version) AS version,
                     CASE WHEN min(d.day_version) >= 0 THEN sum(d.day_version) END AS day_version
              FROM logmill.fold_day$new$),
        ('logmill_read.rollup_cover', 'WHERE f\.version = (\(SELECT coalesce\(sum\(e\.version\), 0\) FROM logmill\.data_epoch e\s+WHERE e\.hour >=)',
         $new$WHERE f.day_version = (SELECT coalesce(sum(e.n), 0) FROM logmill.day_epoch e
                               WHERE e.day >= date_trunc('day', f.day, 'UTC') AND e.day < f.upper)
            OR f.version = \1$new$)
    LOOP
        definition := pg_get_functiondef(its.column1);
        IF definition !~ its.column2 THEN
            RAISE EXCEPTION '% has no "%"', its.column1, its.column2;
        END IF;
        EXECUTE regexp_replace(definition, its.column2, its.column3);
    END LOOP;
END
$do$;

-- Its tables are small or read in places: each is looked up by its index, as many times as a window has days, hours and slots.
ALTER FUNCTION logmill_read.rollup_cover SET enable_seqscan = off;
ALTER FUNCTION logmill_read.rollup_cover SET enable_bitmapscan = off;

-- Of days_version, as `version` from before the fold's rows were read; -1: not known, the hours are asked. Waits for questions, and so stands
-- before what batches wait for.
ALTER TABLE logmill.fold_day ADD COLUMN day_version bigint NOT NULL DEFAULT -1;

-- Waits for who raises hours, so that all that is raised from here on raises its day. An upsert comes through here as an insert, whatever
-- becomes of it.
CREATE TRIGGER raise_day BEFORE INSERT OR DELETE ON logmill.data_epoch
    FOR EACH ROW EXECUTE FUNCTION logmill.raise_day();
INSERT INTO logmill.day_epoch
SELECT DISTINCT date_trunc('day', e.hour, 'UTC'), e.category, e.kafka_partition, xid8 '0', 1 FROM logmill.data_epoch e;
ANALYZE logmill.day_epoch;
