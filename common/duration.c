typedef int logmill_duration_stub;
