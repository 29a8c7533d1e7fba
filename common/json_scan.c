typedef int logmill_json_scan_stub;
