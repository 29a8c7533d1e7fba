typedef int logmill_record_stub;
