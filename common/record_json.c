typedef int logmill_record_json_stub;
