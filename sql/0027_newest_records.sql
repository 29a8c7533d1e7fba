-- The newest records of a rare service in half the time.
SET LOCAL ROLE logmill_owner;

-- The minutes in which a service has records, found without those of all others: where the newest of a rare one begin was read from
-- the groups of hours. Consumers wait while it is made, some ten seconds for 30 days of 288 groups a minute. Entries are apart, as in
-- 0025: put together they would take a fifth of the pages, and those of the versions of rows that are raised would be read for ever.
CREATE INDEX log_rollup_minute_service ON logmill.log_rollup_minute (service, minute) WITH (deduplicate_items = off);

-- As before, but for what is held back: all of the end of a leaf that has no summary is read by whoever looks for a service, a trace or
-- a moment in it. A backend that has to wait for another makes a leaf longer by up to that many pages at once, which both then fill.
CREATE OR REPLACE FUNCTION logmill.summarise(budget interval, OUT stretches integer, OUT more boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET lock_timeout = '50ms'
AS $$
DECLARE
    until constant timestamptz := clock_timestamp() + budget;
    held_back constant bigint := 512; -- pages, in which backends that copy still fill gaps
    i    record;
    page bigint;
    last bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1280134214, hashtext('summarise')) THEN -- 'LMLF'
        RETURN;
    END IF;
    stretches := 0;
    more := false;
    DELETE FROM logmill.leaf_summary s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.index);
    FOR i IN
        SELECT x.indexrelid::regclass AS index, b.relation, b.upper < clock_timestamp() - interval '1 minute' AS over,
               coalesce(o.option_value::bigint, 128) AS step, coalesce(s.pages, 0) AS pages
        FROM logmill.leaf_bound b
        JOIN pg_index x ON x.indrelid = b.relation
        JOIN pg_class c ON c.oid = x.indexrelid
        JOIN pg_am a ON a.oid = c.relam AND a.amname = 'brin'
        LEFT JOIN LATERAL pg_options_to_table(c.reloptions) o ON o.option_name = 'pages_per_range'
        LEFT JOIN logmill.leaf_summary s ON s.index = x.indexrelid
        WHERE b.upper > clock_timestamp() - interval '2 days' AND b.lower < clock_timestamp() AND NOT b.detaching
        ORDER BY b.lower DESC, x.indexrelid
    LOOP
        page := i.pages;
        last := pg_relation_size(i.relation) / current_setting('block_size')::bigint;
        IF NOT i.over THEN
            last := last - held_back - i.step;
        END IF;
        BEGIN
            WHILE page < last AND NOT more LOOP
                PERFORM brin_summarize_range(i.index, page);
                page := page + i.step;
                stretches := stretches + 1;
                more := clock_timestamp() >= until;
            END LOOP;
            IF page > i.pages THEN
                INSERT INTO logmill.leaf_summary VALUES (i.index, page)
                    ON CONFLICT (index) DO UPDATE SET pages = excluded.pages;
            END IF;
        EXCEPTION WHEN lock_not_available OR undefined_table THEN
            NULL;
        END;
        EXIT WHEN more;
    END LOOP;
END
$$;
