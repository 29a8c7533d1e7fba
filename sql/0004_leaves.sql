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

-- Every attached leaf with its bounds, for the functions below: times go through text here, so it is right only where
-- datestyle is ISO. The text is FOR VALUES FROM ('…') TO ('…'), with MINVALUE or MAXVALUE in leaves made by hand; it is cut
-- at the quotes, for a month of hours is read in one go. `detaching`: DETACH CONCURRENTLY is under way; nothing is routed
-- to it any more.
CREATE VIEW logmill.leaf_bound AS
    SELECT parent.category, c.relname::text AS name, c.oid AS relation,
           CASE WHEN b.part[1] LIKE '%MINVALUE%' THEN '-infinity' ELSE b.part[2] END::timestamptz AS lower,
           CASE WHEN b.part[cardinality(b.part)] LIKE '%MAXVALUE%' THEN 'infinity'
                ELSE b.part[cardinality(b.part) - 1] END::timestamptz AS upper,
           i.inhdetachpending AS detaching
    FROM unnest(enum_range(NULL::logmill.log_category)) AS parent (category)
    JOIN pg_catalog.pg_inherits i ON i.inhparent = ('logmill.logs_' || parent.category)::regclass
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL string_to_array(pg_get_expr(c.relpartbound, c.oid), '''') AS b (part);

-- The same for everybody, whatever their settings.
CREATE FUNCTION logmill.leaves()
    RETURNS TABLE (category logmill.log_category, name text, relation oid, lower timestamptz, upper timestamptz,
                   detaching boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    BEGIN ATOMIC
        SELECT b.category, b.name, b.relation, b.lower, b.upper, b.detaching FROM logmill.leaf_bound b;
    END;
CREATE VIEW logmill.leaf AS SELECT * FROM logmill.leaves();

-- The leaf that covers `at`, or NULL. Takes no lock. Tries the names it could have first, then reads all bounds.
CREATE FUNCTION logmill.find_leaf(category logmill.log_category, at timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE STRICT
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
    stem   constant text := 'logmill.logs_' || category;
    likely constant oid[] := ARRAY[to_regclass(stem || to_char(at, '_YYYYMMDDHH24')),
                                   to_regclass(stem || to_char(at, '_YYYYMMDD')),
                                   to_regclass(stem || to_char(at, '_YYYYMM'))];
    result text;
BEGIN
    SELECT b.name INTO result FROM logmill.leaf_bound b
        WHERE b.category = find_leaf.category AND b.relation = ANY (likely) AND NOT b.detaching
            AND at >= b.lower AND at < b.upper;
    IF result IS NULL THEN
        SELECT b.name INTO result FROM logmill.leaf_bound b
            WHERE b.category = find_leaf.category AND NOT b.detaching AND at >= b.lower AND at < b.upper;
    END IF;
    RETURN result;
END
$$;

-- Makes the leaf for `at`, of one leaf_period, cut where others leave less room; where there is one by now it is that. The
-- caller holds the category's advisory lock.
CREATE FUNCTION logmill.make_leaf(category logmill.log_category, at timestamptz, OUT leaf text, OUT made boolean)
    LANGUAGE plpgsql STRICT
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
    parent constant text := 'logs_' || category;
    unit    text;
    lower   timestamptz;
    upper   timestamptz;
    before  timestamptz;
    after   timestamptz;
    leaving boolean;
    stem    text;
    same    integer := 1;
BEGIN
    SELECT period INTO STRICT unit FROM logmill.leaf_period p WHERE p.category = make_leaf.category;
    lower := date_trunc(unit, at);
    upper := lower + ('1 ' || unit)::interval;

    made := false;
    SELECT max(b.upper) FILTER (WHERE b.upper <= at), min(b.lower) FILTER (WHERE b.lower > at),
           max(b.name) FILTER (WHERE at >= b.lower AND at < b.upper),
           bool_or(b.detaching) FILTER (WHERE at >= b.lower AND at < b.upper)
        INTO before, after, leaf, leaving FROM logmill.leaf_bound b WHERE b.category = make_leaf.category;
    IF leaving THEN
        RAISE EXCEPTION 'leaf % is being detached: nothing can be stored at %', leaf, at
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Retention is removing it. Narrow the accepted window of the consumer to what is kept.';
    END IF;
    IF leaf IS NOT NULL THEN
        RETURN;
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
    made := true;
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
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET lock_timeout = '10s'
AS $$
DECLARE
    leaf  text;
    made  boolean;
    count integer;
    most  integer;
BEGIN
    IF NOT isfinite(at) THEN
        RAISE EXCEPTION 'no leaf holds records at %', at USING ERRCODE = 'datetime_field_overflow';
    END IF;
    leaf := logmill.find_leaf(category, at);
    IF leaf IS NOT NULL THEN
        RETURN leaf;
    END IF;
    PERFORM logmill.lock_leaves(category);
    SELECT m.leaf, m.made INTO leaf, made FROM logmill.make_leaf(category, at) m;
    IF NOT made THEN
        RETURN leaf;
    END IF;

    SELECT on_demand_per_minute INTO STRICT most FROM logmill.leaf_period p WHERE p.category = ensure_leaf.category;
    INSERT INTO logmill.leaf_demand AS d VALUES (category, date_trunc('minute', clock_timestamp()), 1)
        ON CONFLICT ON CONSTRAINT leaf_demand_pkey DO UPDATE
            SET made = CASE WHEN d.minute = excluded.minute THEN d.made + 1 ELSE 1 END, minute = excluded.minute
        RETURNING d.made INTO count;
    IF count > most THEN
        RAISE EXCEPTION 'no leaf for category % at %: % leaves were made on demand this minute already', category, at, most
            USING ERRCODE = 'LM002',
                  HINT = 'Try again in a minute. If records really lie this far apart, raise on_demand_per_minute in '
                         'logmill.leaf_period; otherwise narrow the accepted window of the consumer.';
    END IF;
    RETURN leaf;
END
$$;

-- Leaves of every category from the current period to now + `ahead`; how many were made, at most 200 a call (each costs a
-- few locks until the end of the transaction): call it again until it returns 0.
CREATE FUNCTION logmill.ensure_leaves(ahead interval) RETURNS integer
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET lock_timeout = '10s'
AS $$
DECLARE
    this  logmill.log_category;
    at    timestamptz;
    leaf  text;
    made  boolean;
    count integer := 0;
BEGIN
    FOREACH this IN ARRAY enum_range(NULL::logmill.log_category) LOOP
        at := clock_timestamp();
        WHILE at <= clock_timestamp() + ahead LOOP
            leaf := logmill.find_leaf(this, at);
            IF leaf IS NULL THEN
                IF count >= 200 THEN
                    RETURN count;
                END IF;
                PERFORM logmill.lock_leaves(this);
                SELECT m.leaf, m.made INTO leaf, made FROM logmill.make_leaf(this, at) m;
                count := count + made::integer;
            END IF;
            SELECT b.upper INTO STRICT at FROM logmill.leaf_bound b
                WHERE b.category = this AND b.relation = ('logmill.' || quote_ident(leaf))::regclass;
        END LOOP;
    END LOOP;
    RETURN count;
END
$$;
