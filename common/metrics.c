typedef int logmill_metrics_stub;
