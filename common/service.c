typedef int logmill_service_stub;
