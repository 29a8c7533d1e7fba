typedef int logmill_http_server_stub;
