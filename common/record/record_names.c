#include "common/record/record_names.h"

#include <endian.h>
#include <string.h>

/* Sorted by length, then by bytes. */
static const struct lm_record_name names[] = {
    {"@l", 2, LM_SLOT_LEVEL, 11, LM_READ_LEVEL},
    {"@m", 2, LM_MESSAGE, 7, LM_READ_STRING},
    {"@t", 2, LM_SLOT_TIMESTAMP, 4, LM_READ_TIME},
    {"@x", 2, LM_STACK_TRACE, 10, LM_READ_STRING},
    {"ip", 2, LM_CLIENT_IP, 11, LM_READ_ADDRESS},
    {"ts", 2, LM_SLOT_TIMESTAMP, 3, LM_READ_TIME},
    {"@sp", 3, LM_SPAN_ID, 7, LM_READ_STRING},
    {"@tr", 3, LM_TRACE_ID, 7, LM_READ_STRING},
    {"app", 3, LM_SERVICE, 4, LM_READ_STRING},
    {"env", 3, LM_ENVIRONMENT, 1, LM_READ_STRING},
    {"log", 3, LM_MESSAGE, 2, LM_READ_LINE},
    {"lvl", 3, LM_SLOT_LEVEL, 7, LM_READ_LEVEL},
    {"msg", 3, LM_MESSAGE, 1, LM_READ_STRING},
    {"uri", 3, LM_ENDPOINT, 7, LM_READ_STRING},
    {"body", 4, LM_MESSAGE, 5, LM_READ_STRING},
    {"date", 4, LM_SLOT_TIMESTAMP, 7, LM_READ_TIME},
    {"host", 4, LM_HOST, 0, LM_READ_TEXT},
    {"page", 4, LM_PAGE_PATH, 3, LM_READ_STRING},
    {"tags", 4, LM_SLOT_TAGS, 0, LM_READ_TAGS},
    {"text", 4, LM_MESSAGE, 3, LM_READ_STRING},
    {"time", 4, LM_SLOT_TIMESTAMP, 2, LM_READ_TIME},
    {"Level", 5, LM_SLOT_LEVEL, 10, LM_READ_LEVEL},
    {"event", 5, LM_MESSAGE, 10, LM_READ_STRING},
    {"level", 5, LM_SLOT_LEVEL, 0, LM_READ_LEVEL},
    {"route", 5, LM_ENDPOINT, 1, LM_READ_STRING},
    {"stack", 5, LM_STACK_TRACE, 3, LM_READ_STRING},
    {"SpanId", 6, LM_SPAN_ID, 3, LM_READ_STRING},
    {"device", 6, LM_DEVICE, 0, LM_READ_TEXT},
    {"logger", 6, LM_COMPONENT, 1, LM_READ_STRING},
    {"method", 6, LM_METHOD, 0, LM_READ_TEXT},
    {"module", 6, LM_MODULE, 0, LM_READ_TEXT},
    {"source", 6, LM_SLOT_SOURCE, 0, LM_READ_INTEGER},
    {"spanID", 6, LM_SPAN_ID, 2, LM_READ_STRING},
    {"spanId", 6, LM_SPAN_ID, 1, LM_READ_STRING},
    {"status", 6, LM_SLOT_HTTP_STATUS, 8, LM_READ_STATUS},
    {"userID", 6, LM_USER_ID, 2, LM_READ_TEXT},
    {"userId", 6, LM_USER_ID, 1, LM_READ_TEXT},
    {"MESSAGE", 7, LM_MESSAGE, 9, LM_READ_STRING},
    {"Message", 7, LM_MESSAGE, 8, LM_READ_STRING},
    {"TraceId", 7, LM_TRACE_ID, 3, LM_READ_STRING},
    {"asctime", 7, LM_SLOT_TIMESTAMP, 11, LM_READ_TIME},
    {"browser", 7, LM_BROWSER, 0, LM_READ_TEXT},
    {"levelno", 7, LM_SLOT_LEVEL, 15, LM_READ_PYTHON_LEVEL},
    {"logType", 7, LM_LOG_TYPE, 1, LM_READ_TEXT},
    {"message", 7, LM_MESSAGE, 0, LM_READ_OWN_MESSAGE},
    {"service", 7, LM_SERVICE, 0, LM_READ_TEXT},
    {"span.id", 7, LM_SPAN_ID, 4, LM_READ_STRING},
    {"span_id", 7, LM_SPAN_ID, 0, LM_READ_TEXT},
    {"took_ms", 7, LM_SLOT_DURATION, 9, LM_READ_NUMBER},
    {"traceID", 7, LM_TRACE_ID, 2, LM_READ_STRING},
    {"traceId", 7, LM_TRACE_ID, 1, LM_READ_STRING},
    {"user.id", 7, LM_USER_ID, 3, LM_READ_TEXT},
    {"user_id", 7, LM_USER_ID, 0, LM_READ_TEXT},
    {"@message", 8, LM_MESSAGE, 4, LM_READ_STRING},
    {"PRIORITY", 8, LM_SLOT_LEVEL, 17, LM_READ_SYSLOG_LEVEL},
    {"app.name", 8, LM_SERVICE, 6, LM_READ_STRING},
    {"app_name", 8, LM_SERVICE, 5, LM_READ_STRING},
    {"category", 8, LM_SLOT_CATEGORY, 0, LM_READ_CATEGORY},
    {"clientIP", 8, LM_CLIENT_IP, 2, LM_READ_ADDRESS},
    {"clientIp", 8, LM_CLIENT_IP, 1, LM_READ_ADDRESS},
    {"datetime", 8, LM_SLOT_TIMESTAMP, 8, LM_READ_TIME},
    {"endpoint", 8, LM_ENDPOINT, 0, LM_READ_TEXT},
    {"err_code", 8, LM_ERROR_CODE, 4, LM_READ_TEXT},
    {"exc_info", 8, LM_STACK_TRACE, 8, LM_READ_STRING},
    {"hostname", 8, LM_HOST, 1, LM_READ_STRING},
    {"log_type", 8, LM_LOG_TYPE, 0, LM_READ_TEXT},
    {"loglevel", 8, LM_SLOT_LEVEL, 6, LM_READ_LEVEL},
    {"metadata", 8, LM_METADATA, 0, LM_READ_METADATA},
    {"pagePath", 8, LM_PAGE_PATH, 1, LM_READ_STRING},
    {"page_url", 8, LM_PAGE_PATH, 2, LM_READ_STRING},
    {"priority", 8, LM_SLOT_LEVEL, 16, LM_READ_SYSLOG_LEVEL},
    {"sequence", 8, LM_SLOT_SEQUENCE, 0, LM_READ_INTEGER},
    {"severity", 8, LM_SLOT_LEVEL, 1, LM_READ_LEVEL},
    {"trace.id", 8, LM_TRACE_ID, 4, LM_READ_STRING},
    {"trace_id", 8, LM_TRACE_ID, 0, LM_READ_TEXT},
    {"url.path", 8, LM_ENDPOINT, 3, LM_READ_STRING},
    {"Timestamp", 9, LM_SLOT_TIMESTAMP, 9, LM_READ_TIME},
    {"_HOSTNAME", 9, LM_HOST, 4, LM_READ_STRING},
    {"backtrace", 9, LM_STACK_TRACE, 9, LM_READ_STRING},
    {"client.ip", 9, LM_CLIENT_IP, 3, LM_READ_ADDRESS},
    {"client_ip", 9, LM_CLIENT_IP, 0, LM_READ_TEXT},
    {"component", 9, LM_COMPONENT, 0, LM_READ_TEXT},
    {"elapsedMs", 9, LM_SLOT_DURATION, 5, LM_READ_NUMBER},
    {"errorCode", 9, LM_ERROR_CODE, 2, LM_READ_TEXT},
    {"errorType", 9, LM_ERROR_TYPE, 1, LM_READ_STRING},
    {"eventName", 9, LM_EVENT_TYPE, 3, LM_READ_STRING},
    {"eventTime", 9, LM_SLOT_TIMESTAMP, 6, LM_READ_TIME},
    {"eventType", 9, LM_EVENT_TYPE, 1, LM_READ_STRING},
    {"host.name", 9, LM_HOST, 2, LM_READ_STRING},
    {"host_name", 9, LM_HOST, 3, LM_READ_STRING},
    {"latencyMs", 9, LM_SLOT_DURATION, 7, LM_READ_NUMBER},
    {"levelname", 9, LM_SLOT_LEVEL, 8, LM_READ_LEVEL},
    {"log.level", 9, LM_SLOT_LEVEL, 4, LM_READ_LEVEL},
    {"log_level", 9, LM_SLOT_LEVEL, 5, LM_READ_LEVEL},
    {"page_path", 9, LM_PAGE_PATH, 0, LM_READ_TEXT},
    {"remote_ip", 9, LM_CLIENT_IP, 7, LM_READ_ADDRESS},
    {"sessionID", 9, LM_SESSION_ID, 2, LM_READ_TEXT},
    {"sessionId", 9, LM_SESSION_ID, 1, LM_READ_TEXT},
    {"source.ip", 9, LM_CLIENT_IP, 9, LM_READ_ADDRESS},
    {"timestamp", 9, LM_SLOT_TIMESTAMP, 0, LM_READ_OWN_TIME},
    {"traceback", 9, LM_STACK_TRACE, 7, LM_READ_STRING},
    {"@timestamp", 10, LM_SLOT_TIMESTAMP, 1, LM_READ_TIME},
    {"dd.span_id", 10, LM_SPAN_ID, 6, LM_READ_STRING},
    {"deviceType", 10, LM_DEVICE, 2, LM_READ_STRING},
    {"durationMs", 10, LM_SLOT_DURATION, 1, LM_READ_NUMBER},
    {"elapsed_ms", 10, LM_SLOT_DURATION, 4, LM_READ_NUMBER},
    {"enduser.id", 10, LM_USER_ID, 4, LM_READ_TEXT},
    {"error.code", 10, LM_ERROR_CODE, 3, LM_READ_TEXT},
    {"error.type", 10, LM_ERROR_TYPE, 2, LM_READ_STRING},
    {"error_code", 10, LM_ERROR_CODE, 0, LM_READ_TEXT},
    {"error_name", 10, LM_ERROR_TYPE, 7, LM_READ_STRING},
    {"error_type", 10, LM_ERROR_TYPE, 0, LM_READ_TEXT},
    {"event.name", 10, LM_EVENT_TYPE, 4, LM_READ_STRING},
    {"event_name", 10, LM_EVENT_TYPE, 2, LM_READ_STRING},
    {"event_time", 10, LM_SLOT_TIMESTAMP, 5, LM_READ_TIME},
    {"event_type", 10, LM_EVENT_TYPE, 0, LM_READ_TEXT},
    {"http.route", 10, LM_ENDPOINT, 2, LM_READ_STRING},
    {"httpMethod", 10, LM_METHOD, 5, LM_READ_STRING},
    {"httpStatus", 10, LM_SLOT_HTTP_STATUS, 7, LM_READ_STATUS},
    {"ip_address", 10, LM_CLIENT_IP, 10, LM_READ_ADDRESS},
    {"latency_ms", 10, LM_SLOT_DURATION, 6, LM_READ_NUMBER},
    {"level_name", 10, LM_SLOT_LEVEL, 9, LM_READ_LEVEL},
    {"log.logger", 10, LM_COMPONENT, 4, LM_READ_STRING},
    {"loggerName", 10, LM_COMPONENT, 3, LM_READ_STRING},
    {"otelSpanID", 10, LM_SPAN_ID, 5, LM_READ_STRING},
    {"remoteAddr", 10, LM_CLIENT_IP, 8, LM_READ_ADDRESS},
    {"session.id", 10, LM_SESSION_ID, 3, LM_READ_TEXT},
    {"session_id", 10, LM_SESSION_ID, 0, LM_READ_TEXT},
    {"stackTrace", 10, LM_STACK_TRACE, 1, LM_READ_STRING},
    {"stacktrace", 10, LM_STACK_TRACE, 2, LM_READ_STRING},
    {"state_code", 10, LM_ERROR_CODE, 5, LM_READ_TEXT},
    {"statusCode", 10, LM_SLOT_HTTP_STATUS, 3, LM_READ_STATUS},
    {"application", 11, LM_SERVICE, 7, LM_READ_STRING},
    {"browserName", 11, LM_BROWSER, 2, LM_READ_STRING},
    {"dd.trace_id", 11, LM_TRACE_ID, 6, LM_READ_STRING},
    {"device.type", 11, LM_DEVICE, 3, LM_READ_STRING},
    {"device_type", 11, LM_DEVICE, 1, LM_READ_STRING},
    {"duration_ms", 11, LM_SLOT_DURATION, 0, LM_READ_NUMBER},
    {"environment", 11, LM_ENVIRONMENT, 0, LM_READ_TEXT},
    {"error.stack", 11, LM_STACK_TRACE, 6, LM_READ_STRING},
    {"error_class", 11, LM_ERROR_TYPE, 6, LM_READ_STRING},
    {"http.method", 11, LM_METHOD, 2, LM_READ_STRING},
    {"http.target", 11, LM_ENDPOINT, 4, LM_READ_STRING},
    {"http_method", 11, LM_METHOD, 1, LM_READ_STRING},
    {"http_status", 11, LM_SLOT_HTTP_STATUS, 0, LM_READ_INTEGER},
    {"logger.name", 11, LM_COMPONENT, 5, LM_READ_STRING},
    {"logger_name", 11, LM_COMPONENT, 2, LM_READ_STRING},
    {"module_name", 11, LM_MODULE, 1, LM_READ_STRING},
    {"otelTraceID", 11, LM_TRACE_ID, 5, LM_READ_STRING},
    {"remote_addr", 11, LM_CLIENT_IP, 6, LM_READ_ADDRESS},
    {"request_uri", 11, LM_ENDPOINT, 6, LM_READ_STRING},
    {"serviceName", 11, LM_SERVICE, 3, LM_READ_STRING},
    {"stack_trace", 11, LM_STACK_TRACE, 0, LM_READ_TEXT},
    {"status_code", 11, LM_SLOT_HTTP_STATUS, 2, LM_READ_STATUS},
    {"browser_name", 12, LM_BROWSER, 1, LM_READ_STRING},
    {"event.action", 12, LM_EVENT_TYPE, 5, LM_READ_STRING},
    {"request_path", 12, LM_ENDPOINT, 5, LM_READ_STRING},
    {"responseTime", 12, LM_SLOT_DURATION, 10, LM_READ_NUMBER},
    {"service.name", 12, LM_SERVICE, 2, LM_READ_STRING},
    {"service_name", 12, LM_SERVICE, 1, LM_READ_STRING},
    {"severityText", 12, LM_SLOT_LEVEL, 3, LM_READ_LEVEL},
    {"timeUnixNano", 12, LM_SLOT_TIMESTAMP, 12, LM_READ_TIME},
    {"timestamp_ms", 12, LM_SLOT_TIMESTAMP, 10, LM_READ_TIME},
    {"severity_text", 13, LM_SLOT_LEVEL, 2, LM_READ_LEVEL},
    {"short_message", 13, LM_MESSAGE, 6, LM_READ_STRING},
    {"source_module", 13, LM_MODULE, 2, LM_READ_STRING},
    {"client.address", 14, LM_CLIENT_IP, 4, LM_READ_ADDRESS},
    {"client_address", 14, LM_CLIENT_IP, 5, LM_READ_ADDRESS},
    {"error_severity", 14, LM_SLOT_LEVEL, 12, LM_READ_LEVEL},
    {"exception.type", 14, LM_ERROR_TYPE, 3, LM_READ_STRING},
    {"exception_type", 14, LM_ERROR_TYPE, 4, LM_READ_STRING},
    {"request_method", 14, LM_METHOD, 4, LM_READ_STRING},
    {"responseTimeMs", 14, LM_SLOT_DURATION, 3, LM_READ_NUMBER},
    {"severityNumber", 14, LM_SLOT_LEVEL, 14, LM_READ_OTLP_LEVEL},
    {"time_unix_nano", 14, LM_SLOT_TIMESTAMP, 13, LM_READ_TIME},
    {"exception_class", 15, LM_ERROR_TYPE, 5, LM_READ_STRING},
    {"response_status", 15, LM_SLOT_HTTP_STATUS, 6, LM_READ_STATUS},
    {"severity_number", 15, LM_SLOT_LEVEL, 13, LM_READ_OTLP_LEVEL},
    {"syslog_severity", 15, LM_SLOT_LEVEL, 18, LM_READ_SYSLOG_LEVEL},
    {"user_agent.name", 15, LM_BROWSER, 3, LM_READ_STRING},
    {"http.status_code", 16, LM_SLOT_HTTP_STATUS, 4, LM_READ_STATUS},
    {"http_status_code", 16, LM_SLOT_HTTP_STATUS, 1, LM_READ_STATUS},
    {"response_time_ms", 16, LM_SLOT_DURATION, 2, LM_READ_NUMBER},
    {"SYSLOG_IDENTIFIER", 17, LM_SERVICE, 8, LM_READ_STRING},
    {"error.stack_trace", 17, LM_STACK_TRACE, 4, LM_READ_STRING},
    {"execution_time_ms", 17, LM_SLOT_DURATION, 8, LM_READ_NUMBER},
    {"http.request.method", 19, LM_METHOD, 3, LM_READ_STRING},
    {"service.environment", 19, LM_ENVIRONMENT, 5, LM_READ_STRING},
    {"__REALTIME_TIMESTAMP", 20, LM_SLOT_TIMESTAMP, 16, LM_READ_TIME},
    {"exception.stacktrace", 20, LM_STACK_TRACE, 5, LM_READ_STRING},
    {"observedTimeUnixNano", 20, LM_SLOT_TIMESTAMP, 14, LM_READ_TIME},
    {"application_error_code", 22, LM_ERROR_CODE, 1, LM_READ_TEXT},
    {"deployment.environment", 22, LM_ENVIRONMENT, 2, LM_READ_STRING},
    {"deployment_environment", 22, LM_ENVIRONMENT, 4, LM_READ_STRING},
    {"observed_time_unix_nano", 23, LM_SLOT_TIMESTAMP, 15, LM_READ_TIME},
    {"http.response.status_code", 25, LM_SLOT_HTTP_STATUS, 5, LM_READ_STATUS},
    {"deployment.environment.name", 27, LM_ENVIRONMENT, 3, LM_READ_STRING},
};

const struct lm_record_name *lm_record_names(size_t *count)
{
    *count = sizeof names / sizeof names[0];
    return names;
}

/* For each start of a look-up the number of the name there, from 1; 0 where there is none. A name whose place
 * is taken stands in the next one free. test_record_json tells what belongs here when names change. */
static const uint8_t places[LM_RECORD_NAME_PLACES] = {
    0,   0,   0,   0,   0,   0,   0,   150, 0,   0,   0,   127, 13,  0,   0,   0,   55,  0,   0,   0,   8,
    82,  89,  102, 145, 0,   0,   168, 25,  0,   0,   94,  48,  0,   126, 0,   0,   0,   32,  0,   0,   0,
    39,  37,  0,   0,   0,   0,   158, 0,   0,   73,  0,   0,   0,   0,   0,   0,   119, 169, 0,   0,   0,
    21,  0,   0,   0,   0,   173, 38,  0,   0,   0,   140, 0,   79,  5,   12,  0,   180, 170, 0,   113, 0,
    0,   0,   104, 0,   0,   83,  0,   0,   0,   0,   0,   0,   0,   0,   33,  0,   0,   0,   0,   76,  0,
    192, 0,   0,   0,   0,   0,   59,  57,  64,  114, 160, 0,   66,  0,   0,   0,   0,   0,   0,   162, 35,
    45,  0,   0,   165, 124, 87,  0,   0,   151, 174, 0,   0,   0,   141, 0,   0,   0,   0,   156, 0,   0,
    0,   0,   0,   27,  0,   159, 0,   0,   62,  161, 0,   0,   0,   0,   0,   134, 0,   0,   166, 0,   0,
    0,   0,   6,   41,  74,  7,   136, 18,  146, 0,   1,   109, 123, 0,   131, 2,   61,  0,   0,   81,  0,
    0,   0,   0,   0,   0,   63,  0,   0,   14,  29,  99,  0,   0,   0,   67,  0,   0,   0,   47,  0,   112,
    0,   0,   155, 0,   0,   0,   3,   0,   46,  0,   0,   75,  0,   0,   84,  0,   0,   0,   0,   0,   167,
    0,   34,  196, 0,   4,   0,   0,   184, 11,  56,  153, 0,   53,  0,   172, 68,  0,   0,   138, 50,  191,
    0,   0,   71,  0,   101, 77,  0,   0,   0,   0,   78,  0,   10,  0,   90,  0,   0,   0,   189, 0,   0,
    186, 0,   0,   0,   0,   0,   54,  0,   0,   0,   0,   0,   0,   0,   23,  0,   0,   188, 0,   0,   125,
    143, 0,   118, 183, 0,   0,   0,   40,  95,  179, 182, 122, 43,  0,   16,  0,   0,   0,   0,   0,   17,
    93,  115, 164, 0,   91,  0,   0,   0,   0,   0,   0,   0,   163, 129, 111, 0,   22,  142, 0,   0,   0,
    0,   0,   0,   107, 100, 72,  0,   0,   108, 0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   15,
    0,   65,  0,   0,   0,   0,   0,   0,   0,   177, 60,  0,   58,  0,   0,   0,   0,   0,   31,  110, 121,
    157, 190, 178, 0,   0,   0,   51,  0,   49,  88,  0,   0,   103, 0,   26,  0,   0,   80,  0,   0,   0,
    195, 0,   28,  0,   0,   0,   0,   0,   133, 117, 106, 0,   175, 0,   0,   24,  42,  135, 0,   52,  0,
    0,   36,  0,   92,  0,   0,   0,   69,  105, 197, 0,   0,   132, 85,  0,   0,   0,   9,   98,  0,   0,
    0,   130, 0,   0,   0,   0,   148, 0,   0,   19,  187, 0,   0,   137, 152, 147, 0,   0,   0,   185, 0,
    120, 0,   0,   0,   0,   0,   0,   0,   0,   0,   96,  0,   0,   0,   0,   0,   30,  0,   0,   0,   0,
    144, 193, 194, 0,   0,   0,   70,  181, 0,   86,  149, 139, 154, 0,   0,   0,   0,   0,   97,  0,   128,
    0,   116, 0,   44,  20,  171, 176, 0,
};

/* The first and the last bytes of a name: with its length all of it up to sixteen, and enough of any for the
 * hash. */
struct ends {
    uint64_t first, last;
};

static inline uint64_t bytes8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

static inline uint32_t bytes4(const char *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof word);
    return le32toh(word);
}

/* len >= 1 */
static inline struct ends ends_of(const char *name, size_t len)
{
    if (len >= 8)
        return (struct ends){bytes8(name), bytes8(name + len - 8)};
    if (len >= 4)
        return (struct ends){bytes4(name), bytes4(name + len - 4)};
    return (struct ends){(uint64_t)(unsigned char)name[0] << 8 | (unsigned char)name[len / 2],
                         (unsigned char)name[len - 1]};
}

/* Two multipliers that leave few of our names in one place, found by trying. */
static inline size_t start_of(struct ends ends)
{
    return (ends.first * UINT64_C(0x514972970DC7B025) + ends.last * UINT64_C(0xB10DE37218B0FF8F)) >>
           (64 - LM_RECORD_NAME_BITS);
}

size_t lm_record_name_start(const char *name, size_t len)
{
    return start_of(ends_of(name, len));
}

const struct lm_record_name *lm_record_name_find(const char *name, size_t len)
{
    if (len == 0)
        return NULL;
    struct ends ends = ends_of(name, len);
    for (size_t at = start_of(ends); places[at] != 0; at = (at + 1) % LM_RECORD_NAME_PLACES) {
        const struct lm_record_name *other = &names[places[at] - 1];
        if (other->len != len)
            continue;
        struct ends theirs = ends_of(other->name, len);
        if (theirs.first == ends.first && theirs.last == ends.last &&
            (len <= 16 || memcmp(other->name, name, len) == 0))
            return other;
    }
    return NULL;
}
