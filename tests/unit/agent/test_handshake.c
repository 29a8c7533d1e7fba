/* The opening of a WebSocket: what is let in, and by which key. */
#include "agent/http/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static struct ag_handshake_headers good(void)
{
    return (struct ag_handshake_headers){.upgrade = "websocket",
                                         .connection = "Upgrade",
                                         .version = "13",
                                         .key = KEY,
                                         .host = "logs.example:8001"};
}

/* NULL: let in; else the code of the refusal. */
static const char *refused(const struct ag_handshake_headers *headers, struct ag_handshake *out)
{
    static char *origins[] = {"https://panel.example", "http://other.example:81"};
    const struct lm_config_list list = {.items = origins, .count = 2};
    struct ag_failure failure = {.code = NULL};
    return ag_handshake_read(headers, &list, out, &failure) == 0 ? NULL : failure.code;
}

static void the_accept_is_the_specifications(void **state)
{
    struct ag_handshake_headers headers = good();
    struct ag_handshake handshake;
    (void)state;
    assert_null(refused(&headers, &handshake));
    assert_string_equal(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(handshake.logmill);
    assert_int_equal(handshake.shows, AG_SHOWN_NOTHING);
}

static void tokens_are_found_in_lists_in_any_case(void **state)
{
    struct ag_handshake_headers headers = good();
    struct ag_handshake handshake;
    (void)state;
    headers.upgrade = "h2c ,\tWebSocket";
    headers.connection = "keep-alive,  UPGRADE ,";
    assert_null(refused(&headers, &handshake));
    headers.connection = "keep-alive, upgraded";
    assert_string_equal(refused(&headers, &handshake), "upgrade_required");
    headers.connection = NULL;
    assert_string_equal(refused(&headers, &handshake), "upgrade_required");
}

static void keys_that_are_not_16_bytes_are_refused(void **state)
{
    static const char *const keys[] = {NULL,
                                       "",
                                       "AAAA",
                                       "dGhlIHNhbXBsZSBub25jZQ=",
                                       "dGhlIHNhbXBsZSBub25jZQ==A",
                                       "dGhlIHNhbXBsZSBub25jZ!==",
                                       "dGhlIHNhbXBsZSBub25jZQAA"};
    struct ag_handshake_headers headers = good();
    struct ag_handshake handshake;
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        headers.key = keys[i];
        assert_string_equal(refused(&headers, &handshake), "bad_request");
    }
}

static void pages_of_our_host_and_of_the_list_may_ask(void **state)
{
    static const struct {
        const char *origin, *host;
        bool may;
    } cases[] = {
        {NULL, "logs.example", true},
        {"http://logs.example:8001", "logs.example:8001", true},
        {"https://LOGS.example", "logs.example", true},
        {"https://logs.example", "logs.example:443", true},
        {"http://logs.example:80", "logs.example", true},
        {"https://logs.example:80", "logs.example", false},
        {"http://logs.example", "logs.example:8001", false},
        {"http://logs.example:8001", NULL, false},
        {"http://", "", false},
        {"ftp://logs.example", "logs.example", false},
        {"null", "logs.example", false},
        {"", "logs.example", false},
        {"http://logs.example.evil", "logs.example", false},
        {"https://panel.example", "logs.example", true},
        {"https://panel.example:8443", "logs.example", false},
        {"http://panel.example", "logs.example", false},
        {"http://OTHER.example:81", "logs.example", true},
    };
    struct ag_handshake_headers headers = good();
    struct ag_handshake handshake;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        headers.origin = cases[i].origin;
        headers.host = cases[i].host;
        const char *code = refused(&headers, &handshake);
        if ((code == NULL) != cases[i].may)
            fail_msg("origin %s, host %s: %s", cases[i].origin, cases[i].host,
                     code != NULL ? code : "let in");
    }
}

static void a_key_or_a_ticket_comes_as_a_sub_protocol_beside_ours(void **state)
{
    char long_key[400] = "logmill, key.";
    struct ag_handshake_headers headers = good();
    struct ag_handshake handshake;
    (void)state;
    headers.protocols = "key.lm_a_b_c , logmill, other";
    assert_null(refused(&headers, &handshake));
    assert_true(handshake.logmill && handshake.shows == AG_SHOWN_KEY);
    assert_string_equal(handshake.shown, "lm_a_b_c");
    headers.protocols = "logmill,ticket.0a1b";
    assert_null(refused(&headers, &handshake));
    assert_true(handshake.logmill && handshake.shows == AG_SHOWN_TICKET);
    assert_string_equal(handshake.shown, "0a1b");
    headers.protocols = "logmill, ticket., key.";
    assert_null(refused(&headers, &handshake));
    assert_int_equal(handshake.shows, AG_SHOWN_NOTHING);
    headers.protocols = "logmill, ticket.0a1b, key.lm_a_b_c";
    assert_string_equal(refused(&headers, &handshake), "bad_request");
    headers.protocols = "ticket.0a1b";
    assert_string_equal(refused(&headers, &handshake), "bad_request");
    headers.protocols = "other, logmillx";
    assert_null(refused(&headers, &handshake));
    assert_false(handshake.logmill || handshake.shows != AG_SHOWN_NOTHING);
    headers.protocols = "key.lm_a_b_c";
    assert_string_equal(refused(&headers, &handshake), "bad_request");
    memset(long_key + strlen(long_key), 'x', 300);
    headers.protocols = long_key;
    assert_null(refused(&headers, &handshake));
    assert_int_equal(handshake.shows, AG_SHOWN_KEY);
    assert_string_equal(handshake.shown, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_accept_is_the_specifications),
        cmocka_unit_test(tokens_are_found_in_lists_in_any_case),
        cmocka_unit_test(keys_that_are_not_16_bytes_are_refused),
        cmocka_unit_test(pages_of_our_host_and_of_the_list_may_ask),
        cmocka_unit_test(a_key_or_a_ticket_comes_as_a_sub_protocol_beside_ours),
    };
    return cmocka_run_group_tests_name("handshake", tests, NULL, NULL) == 0 ? 0 : 1;
}
