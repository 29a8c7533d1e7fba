typedef int logmill_admin_stub;
