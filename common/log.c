typedef int logmill_log_stub;
