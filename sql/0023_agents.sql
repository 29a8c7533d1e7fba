-- Room for more agents. Each takes two connections as logmill_agent: 16, as 0001_roles.sql has them, let a ninth never become ready, where
-- the 64 of logmill_reader are enough for ten (pool.size 6) or sixteen (4). Both together stay below the 97 that PostgreSQL gives to all who
-- are no superusers by default. Another limit was chosen by an operator, and stays.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'logmill_agent' AND rolconnlimit = 16) THEN
        ALTER ROLE logmill_agent CONNECTION LIMIT 32;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'logmill_agent keeps its 16 connections, enough for eight agents: this user may not alter roles';
END
$$;
