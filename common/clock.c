typedef int logmill_clock_stub;
