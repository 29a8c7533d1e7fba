typedef int logmill_error_stub;
