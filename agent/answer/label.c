/*
 * Fields as words of both languages: data.
 */
#include "agent/answer/table.h"

#include <stdlib.h>

#define SHOWN_VALUES 5

static const struct label {
    const char *ko;
    const char *one;
    const char *many;
} labels[AG_FIELD_COUNT] = {
    [AG_CATEGORY] = {"카테고리", "category", "categories"},
    [AG_LEVEL] = {"레벨", "level", "levels"},
    [AG_LOG_TYPE] = {"로그 종류", "log type", "log types"},
    [AG_SERVICE] = {"서비스", "service", "services"},
    [AG_ENVIRONMENT] = {"환경", "environment", "environments"},
    [AG_MESSAGE] = {"메시지", "message", "messages"},
    [AG_HOST] = {"호스트", "host", "hosts"},
    [AG_COMPONENT] = {"컴포넌트", "component", "components"},
    [AG_MODULE] = {"모듈", "module", "modules"},
    [AG_EVENT_TYPE] = {"이벤트 종류", "event type", "event types"},
    [AG_USER_ID] = {"사용자", "user", "users"},
    [AG_SESSION_ID] = {"세션", "session", "sessions"},
    [AG_TRACE_ID] = {"트레이스", "trace", "traces"},
    [AG_SPAN_ID] = {"스팬", "span", "spans"},
    [AG_ERROR_TYPE] = {"오류 종류", "error type", "error types"},
    [AG_ERROR_CODE] = {"오류 코드", "error code", "error codes"},
    [AG_HTTP_STATUS] = {"상태 코드", "status code", "status codes"},
    [AG_STATUS_CLASS] = {"상태 코드", "status class", "status classes"},
    [AG_ENDPOINT] = {"엔드포인트", "endpoint", "endpoints"},
    [AG_METHOD] = {"메서드", "method", "methods"},
    [AG_DURATION] = {"소요 시간", "duration", "durations"},
    [AG_CLIENT_IP] = {"IP 주소", "client address", "client addresses"},
    [AG_PAGE_PATH] = {"페이지", "page", "pages"},
    [AG_BROWSER] = {"브라우저", "browser", "browsers"},
    [AG_DEVICE] = {"기기", "device", "devices"},
    [AG_TAG] = {"태그", "tag", "tags"},
    [AG_METADATA] = {"값", "value", "values"},
    [AG_PATTERN] = {"패턴", "pattern", "patterns"},
    [AG_HOUR_OF_DAY] = {"시간대", "hour of the day", "hours of the day"},
    [AG_DAY_OF_WEEK] = {"요일", "day of the week", "days of the week"},
    [AG_REQUEST] = {"요청", "request", "requests"},
    [AG_STACK_TRACE] = {"스택 트레이스", "stack trace", "stack traces"},
};

const char *ag_label(enum ag_field field, enum ag_language language, bool many)
{
    const struct label *label = &labels[field];
    const char *text = language == AG_KO ? label->ko : many ? label->many : label->one;
    return text == NULL ? "" : text;
}

void ag_put_group_value(struct lm_buffer *out, enum ag_field field, const char *value,
                        enum ag_language language)
{
    static const char *const ko_days[] = {"월요일", "화요일", "수요일", "목요일",
                                          "금요일", "토요일", "일요일"};
    static const char *const en_days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                          "Friday", "Saturday", "Sunday"};
    if (value == NULL) {
        lm_buffer_append_text(out, language == AG_KO ? "(없음)" : "(none)");
        return;
    }
    long n = strtol(value, NULL, 10);
    if (field == AG_HOUR_OF_DAY) {
        lm_buffer_printf(out, language == AG_KO ? "%ld시" : "%02ld:00", n);
    } else if (field == AG_DAY_OF_WEEK && n >= 1 && n <= 7) {
        lm_buffer_append_text(out, language == AG_KO ? ko_days[n - 1] : en_days[n - 1]);
    } else {
        ag_put_name(out, value);
    }
}

void ag_put_field(struct lm_buffer *out, enum ag_field field, const char *key, enum ag_language language)
{
    if (field == AG_METADATA && key != NULL) {
        ag_put_name(out, key);
    } else {
        lm_buffer_append_text(out, ag_label(field, language, false));
    }
}

void ag_put_only(struct lm_buffer *out, const struct ag_filter *filter, enum ag_language language)
{
    ag_put_field(out, filter->field, filter->key, language);
    lm_buffer_append_text(out, " ");
    ag_put_group_value(out, filter->field, filter->values[0], language);
}

/* Whole numbers that follow one another: Monday to Friday. */
static bool is_run(const struct ag_filter *filter)
{
    if ((filter->field != AG_DAY_OF_WEEK && filter->field != AG_HOUR_OF_DAY) || filter->value_count < 3) {
        return false;
    }
    for (size_t i = 1; i < filter->value_count; i++) {
        if (strtol(filter->values[i], NULL, 10) != strtol(filter->values[i - 1], NULL, 10) + 1) {
            return false;
        }
    }
    return true;
}

void ag_put_values(struct lm_buffer *out, const struct ag_filter *filter, const char *between, bool quoted,
                   enum ag_language language)
{
    if (is_run(filter)) {
        ag_put_group_value(out, filter->field, filter->values[0], language);
        lm_buffer_append_text(out, language == AG_KO ? "~" : " to ");
        ag_put_group_value(out, filter->field, filter->values[filter->value_count - 1], language);
        return;
    }
    for (size_t i = 0; i < filter->value_count && i < SHOWN_VALUES; i++) {
        lm_buffer_append_text(out, i > 0 ? between : "");
        if (quoted) {
            ag_put_quoted(out, filter->values[i], 64);
        } else {
            ag_put_group_value(out, filter->field, filter->values[i], language);
        }
    }
    if (filter->value_count > SHOWN_VALUES) {
        lm_buffer_append_text(out, language == AG_KO ? " 등" : " and others");
    }
    lm_buffer_append_text(out, filter->field == AG_DURATION ? " ms" : "");
}
