typedef int logmill_backoff_stub;
