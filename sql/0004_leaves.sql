-- Leaves of the log table, made ahead of time and on demand.
--
-- A leaf is made as a table of its own and then attached: ATTACH takes a lock on the parent that neither COPY nor a reader
-- conflicts with, where PARTITION OF waits behind one reader while everybody queues behind it. An advisory lock, held to
-- the end of the caller's transaction, lets one at a time make leaves of a category; so call these functions outside any
-- transaction that does something else.
--
-- What leaves there are is read from their bounds, never from their names: after a change of leaf_period the new ones fill
-- what the old ones leave free, and none overlap.
SET LOCAL ROLE logmill_owner;

-- How many leaves were made on demand in the current minute.
CREATE TABLE logmill.leaf_demand (
    category logmill.log_category PRIMARY KEY,
    minute   timestamptz NOT NULL,
    made     integer NOT NULL
);

-- Bounds of a range partition; NULL where `leaf` is none.
CREATE FUNCTION logmill.leaf_bounds(leaf oid, OUT lower timestamptz, OUT upper timestamptz)
    LANGUAGE plpgsql STABLE STRICT
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
    bounds text[];
BEGIN
    SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$')
        INTO bounds FROM pg_class c WHERE c.oid = leaf;
    lower := CASE bounds[1] WHEN 'MINVALUE' THEN '-infinity' ELSE trim(bounds[1], '''') END;
    upper := CASE bounds[2] WHEN 'MAXVALUE' THEN 'infinity' ELSE trim(bounds[2], '''') END;
END
$$;

-- Every attached leaf with its bounds. `detaching`: DETACH CONCURRENTLY is under way; nothing is routed to it any more.
CREATE VIEW logmill.leaf AS
    SELECT parent.category, c.relname::text AS name, c.oid AS relation, b.lower, b.upper, i.inhdetachpending AS detaching
    FROM unnest(enum_range(NULL::logmill.log_category)) AS parent (category)
    JOIN pg_catalog.pg_inherits i ON i.inhparent = ('logmill.logs_' || parent.category)::regclass
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL logmill.leaf_bounds(c.oid) b;

-- The leaf that covers `at`, or NULL. Takes no lock. Tries the names it could have first, then reads all bounds.
CREATE FUNCTION logmill.find_leaf(category logmill.log_category, at timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE STRICT
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    parent constant text := 'logs_' || category;
    result text;
BEGIN
    SELECT c.relname INTO result
        FROM pg_class c
        JOIN pg_inherits i ON i.inhrelid = c.oid
        CROSS JOIN LATERAL logmill.leaf_bounds(c.oid) b
        WHERE c.relname = ANY (ARRAY[parent || to_char(at, '_YYYYMMDDHH24'), parent || to_char(at, '_YYYYMMDD'),
                                     parent || to_char(at, '_YYYYMM')]::name[])
            AND c.relnamespace = 'logmill'::regnamespace
            AND i.inhparent = ('logmill.' || parent)::regclass AND NOT i.inhdetachpending
            AND at >= b.lower AND at < b.upper;
    IF result IS NULL THEN
        SELECT l.name INTO result FROM logmill.leaf l
            WHERE l.category = find_leaf.category AND NOT l.detaching AND at >= l.lower AND at < l.upper;
    END IF;
    RETURN result;
END
$$;

-- Makes the leaf for `at`, of one leaf_period, cut where others leave less room. The caller holds the category's advisory
-- lock and has looked for it.
CREATE FUNCTION logmill.make_leaf(category logmill.log_category, at timestamptz) RETURNS text
    LANGUAGE plpgsql STRICT
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
    parent constant text := 'logs_' || category;
    unit   text;
    lower  timestamptz;
    upper  timestamptz;
    before timestamptz;
    after  timestamptz;
    stem   text;
    leaf   text;
    same   integer := 1;
BEGIN
    SELECT period INTO STRICT unit FROM logmill.leaf_period p WHERE p.category = make_leaf.category;
    lower := date_trunc(unit, at);
    upper := lower + ('1 ' || unit)::interval;

    SELECT max(l.upper) FILTER (WHERE l.upper <= at), min(l.lower) FILTER (WHERE l.lower > at),
           max(l.name) FILTER (WHERE at >= l.lower AND at < l.upper)
        INTO before, after, leaf FROM logmill.leaf l WHERE l.category = make_leaf.category;
    IF leaf IS NOT NULL THEN
        RAISE EXCEPTION 'leaf % is being detached: nothing can be stored at %', leaf, at
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Retention is removing it. Narrow the accepted window of the consumer to what is kept.';
    END IF;

    -- A whole period is named after it, a part of one after the hour it begins with.
    stem := parent || to_char(lower, CASE unit WHEN 'hour' THEN '_YYYYMMDDHH24' WHEN 'day' THEN '_YYYYMMDD' ELSE '_YYYYMM' END);
    IF before > lower OR after < upper THEN
        lower := greatest(lower, before);
        upper := least(upper, after);
        stem := parent || to_char(lower, '_YYYYMMDDHH24');
    END IF;
    -- A table of that name may be left from a leaf that was detached and not dropped.
    leaf := stem;
    WHILE to_regclass('logmill.' || leaf) IS NOT NULL LOOP
        same := same + 1;
        leaf := stem || '_' || same;
    END LOOP;

    EXECUTE format('CREATE TABLE logmill.%I (LIKE logmill.%I INCLUDING ALL EXCLUDING INDEXES)', leaf, parent);
    EXECUTE format('ALTER TABLE logmill.%I ATTACH PARTITION logmill.%I FOR VALUES FROM (%L) TO (%L)',
                   parent, leaf, lower, upper);
    RETURN leaf;
END
$$;

-- Lets one at a time make leaves of a category, until the end of the transaction.
CREATE FUNCTION logmill.lock_leaves(category logmill.log_category) RETURNS void
    LANGUAGE sql STRICT
    BEGIN ATOMIC
        SELECT pg_advisory_xact_lock(1280134214, hashtext(category::text)); -- 'LMLF'
    END;

-- The leaf that holds records of `category` at `at`, made where there is none; its name. Run it in a transaction of its own,
-- before the batch's. LM002 beyond leaf_period.on_demand_per_minute.
CREATE FUNCTION logmill.ensure_leaf(category logmill.log_category, at timestamptz) RETURNS text
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '10s'
AS $$
DECLARE
    leaf  text;
    limit_a_minute integer;
    made_so_far    integer;
BEGIN
    IF NOT isfinite(at) THEN
        RAISE EXCEPTION 'no leaf holds records at %', at USING ERRCODE = 'datetime_field_overflow';
    END IF;
    leaf := logmill.find_leaf(category, at);
    IF leaf IS NOT NULL THEN
        RETURN leaf;
    END IF;
    PERFORM logmill.lock_leaves(category);
    leaf := logmill.find_leaf(category, at); -- another may have made it meanwhile
    IF leaf IS NOT NULL THEN
        RETURN leaf;
    END IF;

    SELECT on_demand_per_minute INTO STRICT limit_a_minute
        FROM logmill.leaf_period p WHERE p.category = ensure_leaf.category;
    INSERT INTO logmill.leaf_demand AS d VALUES (category, date_trunc('minute', clock_timestamp()), 1)
        ON CONFLICT ON CONSTRAINT leaf_demand_pkey DO UPDATE
            SET made = CASE WHEN d.minute = excluded.minute THEN d.made + 1 ELSE 1 END, minute = excluded.minute
        RETURNING made INTO made_so_far;
    IF made_so_far > limit_a_minute THEN
        RAISE EXCEPTION 'no leaf for category % at %: % leaves were made on demand this minute already',
                category, at, limit_a_minute
            USING ERRCODE = 'LM002',
                  HINT = 'Try again in a minute. If records really lie this far apart, raise on_demand_per_minute in '
                         'logmill.leaf_period; otherwise narrow the accepted window of the consumer.';
    END IF;
    RETURN logmill.make_leaf(category, at);
END
$$;

-- Leaves of every category from the current period to now + `ahead`; how many were made, at most 200 a call (each costs a
-- few locks until the end of the transaction): call it again until it returns 0.
CREATE FUNCTION logmill.ensure_leaves(ahead interval) RETURNS integer
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '10s'
AS $$
DECLARE
    this logmill.log_category;
    at   timestamptz;
    leaf text;
    made integer := 0;
BEGIN
    FOREACH this IN ARRAY enum_range(NULL::logmill.log_category) LOOP
        at := clock_timestamp();
        WHILE at <= clock_timestamp() + ahead LOOP
            leaf := logmill.find_leaf(this, at);
            IF leaf IS NULL THEN
                IF made >= 200 THEN
                    RETURN made;
                END IF;
                PERFORM logmill.lock_leaves(this);
                leaf := logmill.find_leaf(this, at);
                IF leaf IS NULL THEN
                    leaf := logmill.make_leaf(this, at);
                    made := made + 1;
                END IF;
            END IF;
            SELECT b.upper INTO STRICT at FROM logmill.leaf_bounds(('logmill.' || quote_ident(leaf))::regclass) b;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
