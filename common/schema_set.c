typedef int logmill_schema_set_stub;
