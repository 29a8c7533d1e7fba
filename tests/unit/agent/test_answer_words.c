/* From rows to the answer: sentences, numbers and what was understood, in both languages. */
#include "agent/answer/table.h"
#include "tests/unit/agent/answer_fixture.h"
#include "tests/unit/agent/intent_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void count_is_a_number_with_thousands_in_the_sentence(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; where level in ERROR|FATAL; " DAY "; ko", "12345");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 12345);
    assert_string_equal(asked->answer.insight, "2026-03-17 하루 오류는 모두 12,345건입니다.");
    assert_string_equal(json_string_value(json_object_get(asked->answer.chart, "type")), "number");
    done(asked);
    asked = ASK("count; where level in ERROR|FATAL", "1");
    assert_string_equal(asked->answer.insight, "1 error from 2026-03-18 13:35:20 to 14:35:20.");
    done(asked);
}

static void nothing_found_is_said(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; where user_id in u9999; " DAY "; ko", "0");
    assert_string_equal(asked->answer.insight, "2026-03-17 하루 사용자 u9999 기록이 없습니다.");
    assert_true(warned(asked, "nothing_found", "\"u9999\""));
    assert_int_equal(asked->answer.count, 1);
    done(asked);
    asked = ask_limited("list; where message contains boom", NULL, 0, 100);
    assert_string_equal(asked->answer.insight,
                        "There are no matching records from 2026-03-18 13:35:20 to 14:35:20.");
    assert_true(warned(asked, "nothing_found", "\"boom\""));
    assert_true(json_is_null(asked->answer.chart));
    done(asked);
}

static void comparison_has_both_sides_difference_and_change(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; " DAY "; against 2026-03-16T00:00:00+09:00/2026-03-17T00:00:00+09:00; ko", "150", "100");
    assert_int_equal(json_integer_value(cell(asked, 0, "count")), 150);
    assert_int_equal(json_integer_value(cell(asked, 0, "previous_count")), 100);
    assert_int_equal(json_integer_value(cell(asked, 0, "difference")), 50);
    assert_true(json_real_value(cell(asked, 0, "change")) == 0.5);
    assert_says(asked, "50건(50%) 늘었습니다.");
    done(asked);
    asked = ASK("error_rate; against 2026-03-18T12:35:20+09:00/2026-03-18T13:35:20+09:00", "0.02", "0");
    assert_true(json_is_null(cell(asked, 0, "change")));
    assert_says(asked, "Up by 2 percentage points.");
    done(asked);
}

static void what_is_to_be_confirmed_is_answered_yes_or_no_where_both_sides_are_known(void **state)
{
#define AGAINST "against 2026-03-16T00:00:00+09:00/2026-03-17T00:00:00+09:00; "
    (void)state;
    struct asked *asked = ASK("count; " DAY "; " AGAINST "claim more; ko", "150", "100");
    assert_int_equal(strncmp(asked->answer.insight, "예. ", strlen("예. ")), 0);
    assert_says(asked, "50건(50%) 늘었습니다.");
    done(asked);
    asked = ASK("count; " DAY "; " AGAINST "claim less; ko", "150", "150");
    assert_int_equal(strncmp(asked->answer.insight, "아니요. ", strlen("아니요. ")), 0);
    done(asked);
    asked = ASK("count; " DAY "; " AGAINST "claim more", "90", "100");
    assert_int_equal(strncmp(asked->answer.insight, "No: 90", 6), 0);
    done(asked);
    asked = ASK("p 0.95; " DAY "; " AGAINST "claim more", "412.5", NULL);
    assert_int_equal(
        strncmp(asked->answer.insight, "No", 2) == 0 || strncmp(asked->answer.insight, "Yes", 3) == 0, 0);
    done(asked);
#undef AGAINST
}

static void things_asked_for_at_once_are_named_by_their_words(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; part errors count; part people distinct user_id; part slow p 0.95; where 1 level in "
            "ERROR|FATAL; where 3 service in pay; " DAY,
            "12", "3", NULL);
    assert_int_equal(json_integer_value(cell(asked, 0, "errors")), 12);
    assert_int_equal(json_integer_value(cell(asked, 0, "people")), 3);
    assert_true(json_is_null(cell(asked, 0, "slow")));
    assert_says(asked, "errors: 12, people: 3, slow: no value, on 2026-03-17.");
    done(asked);
}

static void a_rate_names_its_unit(void **state)
{
    (void)state;
    struct asked *asked = ASK("rate 86400; where level >= ERROR; " DAY, "233", "233");
    assert_says(asked, "per day");
    done(asked);
    asked = ASK("rate 60; where level >= ERROR; " DAY, "5", "7200");
    assert_says(asked, "per minute");
    done(asked);
    asked = ASK("rate 86400; where level >= ERROR; ko; " DAY, "233", "233");
    assert_says(asked, "하루당 건수");
    done(asked);
}

static void none_over_a_threshold_is_not_none_at_all(void **state)
{
    (void)state;
    struct asked *asked =
        ask_limited("count; by service; where level >= ERROR; having > 10; " DAY, NULL, 0, 100);
    assert_string_equal(asked->answer.insight, "No services met that condition on 2026-03-17.");
    done(asked);
    asked =
        ask_limited("p 0.95; by service; rank; order most; above payment-service; ko; " DAY, NULL, 0, 100);
    assert_string_equal(asked->answer.insight, "2026-03-17 하루 그 조건에 맞는 서비스는 없습니다.");
    done(asked);
}

static void groups_counted_are_one_number(void **state)
{
    (void)state;
    struct asked *asked = ASK("count; by service; where level >= ERROR; having > 10; counted; " DAY, "3");
    assert_string_equal(asked->answer.insight,
                        "The number of errors is more than 10 for 3 services, on 2026-03-17.");
    assert_string_equal(json_string_value(json_object_get(asked->answer.chart, "type")), "number");
    assert_int_equal(json_integer_value(cell(asked, 0, "distinct_service")), 3);
    done(asked);
    asked = ASK("count; by service; where level >= ERROR; having > 10; summed; " DAY, "312");
    assert_string_equal(asked->answer.insight, "312 errors in all of the services for which their number is "
                                               "more than 10, on 2026-03-17.");
    done(asked);
    asked = ASK("count; by service; where level >= ERROR; having >= 10; summed; ko; " DAY, "0");
    assert_string_equal(asked->answer.insight,
                        "2026-03-17 하루 오류의 건수가 10건 이상인 서비스는 모두 합해 0건입니다.");
    done(asked);
    asked = ASK("count; by user_id; where level >= ERROR; having >= 3; counted; ko; " DAY, "1");
    assert_string_equal(asked->answer.insight,
                        "2026-03-17 하루 오류의 건수가 3건 이상인 사용자는 1명입니다.");
    done(asked);
    asked = ASK("p 0.95; by endpoint; having > 1000; rank; counted; ko; " DAY, "0");
    assert_string_equal(asked->answer.insight,
                        "2026-03-17 하루 기록의 p95 소요 시간이 1,000 ms 초과인 엔드포인트는 0개입니다.");
    assert_true(warned(asked, "few_samples", "20"));
    done(asked);
    asked = ASK("p 0.99 0.999; " DAY, "900", "7180", "742");
    assert_non_null(strstr(asked->answer.insight, "p99 duration of records is 900 ms"));
    assert_non_null(strstr(asked->answer.insight, "p99.9 duration is 7,180 ms"));
    done(asked);
    asked = ASK("error_rate; by service; having > 0.05; counted; " DAY, "1");
    assert_string_equal(asked->answer.insight,
                        "The error rate of records is more than 5% for 1 service, on 2026-03-17.");
    done(asked);
    asked = ASK("count; without; by host; where level in FATAL; counted; " DAY, "2");
    assert_string_equal(asked->answer.insight, "2 hosts had records but no FATAL records on 2026-03-17.");
    done(asked);
    asked = ASK("count; by service; rank; order most; counted; where level >= ERROR; " DAY
                "; against 2026-03-16T00:00:00+09:00/2026-03-17T00:00:00+09:00",
                "4");
    assert_string_equal(asked->answer.insight,
                        "The number of errors was higher on 2026-03-17 than on 2026-03-16 for 4 services.");
    done(asked);
}

static void the_first_of_each_hour_is_named(void **state)
{
    (void)state;
    struct asked *asked =
        ASK("count; series 3600; by service; rank; order most; each 1; where level >= ERROR; "
            "in 2026-03-17T09:00:00+09:00/2026-03-17T12:00:00+09:00",
            "2026-03-17 00:00:00+00", "pay", "7", "2026-03-17 02:00:00+00", "order", "2");
    assert_string_equal(asked->answer.insight,
                        "For every hour the highest number of errors from 2026-03-17 09:00 to 12:00: "
                        "2026-03-17 09:00 pay 7, 2026-03-17 11:00 order 2.");
    assert_int_equal(json_array_size(asked->answer.results), 2);
    assert_string_equal(json_string_value(json_object_get(asked->answer.chart, "type")), "bar");
    done(asked);
}

static void log_text_in_a_sentence_is_quoted_cut_and_harmless(void **state)
{
    (void)state;
    struct lm_buffer out;
    lm_buffer_init(&out, 4096);
    ag_put_quoted(&out,
                  "a\"b\n\x1b[31mred http://evil.example/\xe2\x80\xae"
                  "end and much more of it",
                  40);
    assert_string_equal(lm_buffer_text(&out), "\"a'b\\n\\x1B[31mred http: //evil.example/?end and …\"");
    lm_buffer_clear(&out);
    ag_put_name(&out, "payment-service");
    assert_string_equal(lm_buffer_text(&out), "payment-service");
    lm_buffer_clear(&out);
    ag_put_name(&out, "[x](http://y)");
    assert_string_equal(lm_buffer_text(&out), "\"[x](http: //y)\"");
    lm_buffer_clear(&out);
    ag_put_name(&out, "https://evil.example");
    assert_string_equal(lm_buffer_text(&out), "\"https: //evil.example\"");
    lm_buffer_free(&out);
}

static void numbers_have_three_significant_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *said;
    } cases[] = {{0, "0"},
                 {5, "5"},
                 {1234.5, "1,230"},
                 {999.6, "1,000"},
                 {99.95, "100"},
                 {4.2666, "4.27"},
                 {-0.001234, "-0.00123"},
                 {1234567, "1,230,000"},
                 {0.5, "0.5"},
                 {1e-7, "1e-07"},
                 {12.0, "12"},
                 {0.0999999, "0.1"}};
    struct lm_buffer out;
    lm_buffer_init(&out, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lm_buffer_clear(&out);
        ag_put_number(&out, cases[i].value);
        assert_string_equal(lm_buffer_text(&out), cases[i].said);
    }
    lm_buffer_clear(&out);
    ag_put_count(&out, -1234567);
    assert_string_equal(lm_buffer_text(&out), "-1,234,567");
    lm_buffer_free(&out);
}

static void particles_follow_the_last_sound(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum ag_particle particle;
        const char *said;
    } cases[] = {
        {"오류", AG_EUN_NEUN, "오류는"},
        {"기록", AG_EUN_NEUN, "기록은"},
        {"서비스", AG_I_GA, "서비스가"},
        {"패턴", AG_I_GA, "패턴이"},
        {"310건", AG_EURO_RO, "310건으로"},
        {"서울", AG_EURO_RO, "서울로"},
        {"4.27%", AG_EURO_RO, "4.27%로"},
        {"412 ms", AG_EURO_RO, "412 ms로"},
        {"payment-service", AG_I_GA, "payment-service가"},
        {"timeout", AG_I_GA, "timeout이"},
        {"Chrome", AG_I_GA, "Chrome이"},
        {"mobile", AG_EURO_RO, "mobile로"},
        {"mobile", AG_I_GA, "mobile이"},
        {"PaymentGatewayTimeout", AG_I_GA, "PaymentGatewayTimeout이"},
        {"NullPointerException", AG_I_GA, "NullPointerException이"},
        {"LockTimeoutError", AG_I_GA, "LockTimeoutError가"},
        {"URL", AG_EUN_NEUN, "URL은"},
        {"API", AG_EUN_NEUN, "API는"},
        {"WARN", AG_EUN_NEUN, "WARN은"},
        {"ERROR", AG_EUN_NEUN, "ERROR는"},
        {"web-03", AG_I_GA, "web-03이"},
        {"web-02", AG_I_GA, "web-02가"},
        {"p95", AG_EUN_NEUN, "p95는"},
        {"p50", AG_EUN_NEUN, "p50은"},
        {"u1", AG_EURO_RO, "u1로"},
        {"404", AG_I_GA, "404가"},
        {"365건(53.6%)", AG_EURO_RO, "365건(53.6%)으로"},
        {"\"결제 승인 지연\"", AG_I_GA, "\"결제 승인 지연\"이"},
        {"stock", AG_EUL_REUL, "stock을"},
        {"gateway", AG_GWA_WA, "gateway와"},
    };
    struct lm_buffer out;
    lm_buffer_init(&out, 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lm_buffer_clear(&out);
        lm_buffer_append_text(&out, cases[i].word);
        ag_put_particle(&out, cases[i].particle);
        assert_string_equal(lm_buffer_text(&out), cases[i].said);
    }
    lm_buffer_free(&out);
}

static void interpretation_names_window_zone_and_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        const char *said;
    } cases[] = {
        {"count; where level in ERROR|FATAL; where service in payment-service; by endpoint; rank; limit "
         "5; " DAY "; ko",
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 레벨이 ERROR 또는 FATAL이고 서비스가 "
         "payment-service인 기록의 수를 "
         "엔드포인트별로 구해 상위 5개를 보여 줍니다."},
        {"count; by endpoint; order fewest; rank; limit 5; " DAY "; ko",
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 기록의 수를 엔드포인트별로 구해 하위 5개를 "
         "보여 줍니다."},
        {"list; where message contains timeout; where service not_in web; ko",
         "2026-03-18 13:35:20부터 14:35:20까지(Asia/Seoul) 메시지에 \"timeout\"이 들어 있고 서비스가 web이 "
         "아닌 기록을 최신 것부터 "
         "보여 줍니다."},
        {"error_rate; by service; series 3600; " DAY,
         "The error rate (errors over all) of records, by service, for every hour, from 2026-03-17 00:00 to "
         "2026-03-18 00:00 "
         "(Asia/Seoul)."},
        {"p 0.5 0.95; where duration_ms > 500; where http_status between 500|599; zone UTC",
         "The duration's p50 and p95 over records with duration above 500 ms and status code from 500 to "
         "599, from 2026-03-18 "
         "04:35:20 to 05:35:20 (UTC)."},
        {"count; by service; where level >= ERROR; having > 10; counted; " DAY,
         "The number of records with level at least ERROR, by service, only more than 10, and how many those "
         "are, from 2026-03-17 00:00 to 2026-03-18 00:00 (Asia/Seoul)."},
        {"error_rate; by service; rank; order most; above payment-service; " DAY,
         "The error rate (errors over all) of records, by service, only more than that of payment-service, "
         "from 2026-03-17 00:00 to 2026-03-18 00:00 (Asia/Seoul)."},
        {"error_rate; by service; rank; order fewest; below payment-service; ko; " DAY,
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 기록의 오류율(오류 ÷ 전체 기록)을 서비스별로 "
         "payment-service보다 작은 것만 구합니다."},
        {"count; by service; where level >= ERROR; having > 10; counted; ko; " DAY,
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 레벨이 ERROR 이상인 기록의 수를 서비스별로 "
         "10을 "
         "넘는 것만 골라 몇인지 셉니다."},
        {"count; series 3600; by service; rank; order most; each 1; ko; " DAY,
         "2026-03-17 00:00부터 2026-03-18 00:00까지(Asia/Seoul) 기록의 수를 서비스별로 1시간 단위로 구해 "
         "1시간마다 상위 1개를 보여 줍니다."},
        {"count; silent 900; " DAY, "Any service silent for more than 15 minutes at the end, among records, "
                                    "from 2026-03-17 00:00 to 2026-03-18 00:00 "
                                    "(Asia/Seoul)."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked *asked = calloc(1, sizeof *asked);
        assert_non_null(asked);
        lm_arena_init(&asked->arena, (size_t)1 << 20);
        assert_true(intent_spec_parse(cases[i].spec, &asked->arena, &asked->intent));
        const struct ag_sql_context context = {
            .now_us = SPEC_NOW, .max_rows = 100, .rows_since_us = INT64_MIN};
        struct lm_error error;
        assert_int_equal(ag_sql_write(&asked->intent, &context, &asked->arena, &asked->sql, &error), 0);
        assert_string_equal(ag_interpretation(&asked->intent, &asked->sql, &asked->arena), cases[i].said);
        assert_non_null(ag_interpretation(&asked->intent, NULL, &asked->arena));
        done(asked);
    }
}

static void first_seen_names_the_moment(void **state)
{
    (void)state;
    struct asked *asked = ASK("first_seen; where error_type in NullPointerException; in all; ko",
                              "2026-02-11 07:39:04.25+00", "127");
    assert_string_equal(text(asked, 0, "first_seen"), "2026-02-11T16:39:04.250000+09:00");
    assert_says(asked, "처음은 2026-02-11 16:39:04이고, 모두 127건입니다.");
    done(asked);
    asked = ASK("last_seen; where error_type in X", NULL, "0");
    assert_says(asked, "There are no records with error type X ");
    done(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count_is_a_number_with_thousands_in_the_sentence),
        cmocka_unit_test(nothing_found_is_said),
        cmocka_unit_test(comparison_has_both_sides_difference_and_change),
        cmocka_unit_test(what_is_to_be_confirmed_is_answered_yes_or_no_where_both_sides_are_known),
        cmocka_unit_test(things_asked_for_at_once_are_named_by_their_words),
        cmocka_unit_test(a_rate_names_its_unit),
        cmocka_unit_test(none_over_a_threshold_is_not_none_at_all),
        cmocka_unit_test(groups_counted_are_one_number),
        cmocka_unit_test(the_first_of_each_hour_is_named),
        cmocka_unit_test(log_text_in_a_sentence_is_quoted_cut_and_harmless),
        cmocka_unit_test(numbers_have_three_significant_digits),
        cmocka_unit_test(particles_follow_the_last_sound),
        cmocka_unit_test(interpretation_names_window_zone_and_conditions),
        cmocka_unit_test(first_seen_names_the_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
