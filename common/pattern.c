typedef int logmill_pattern_stub;
