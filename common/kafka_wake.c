typedef int logmill_kafka_wake_stub;
