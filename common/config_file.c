typedef int logmill_config_file_stub;
