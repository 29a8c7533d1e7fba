typedef int logmill_postgres_stub;
