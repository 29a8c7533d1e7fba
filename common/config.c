typedef int logmill_config_stub;
