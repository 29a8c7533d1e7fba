typedef int logmill_record_avro_stub;
