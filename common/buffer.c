typedef int logmill_buffer_stub;
