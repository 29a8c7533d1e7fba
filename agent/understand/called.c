/*
 * What a word of business stands for where no service has it in its name: 환불 에러 is of the component
 * called refund, 카테고리 에러 of the one endpoint with that part, 장바구니 API of an endpoint by all means.
 * Only where a name would stand: before what is measured of it, behind "from" or "on", or before "slow".
 */
#include "agent/understand/link.h"

#include <string.h>

/* May token `i` be described by a name: errors, logs, a level, latency, 서비스? */
bool ag_takes_a_name(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept nouns[] = {AG_C_ERROR,   AG_C_LEVEL,        AG_C_LOG,
                                            AG_C_RATE,    AG_C_FAIL_RATE,    AG_C_DURATION,
                                            AG_C_REQUEST, AG_C_SERVICE_WORD, AG_C_STATUS_CLASS};

    for (size_t k = 0; k < sizeof nouns / sizeof *nouns; k++) {
        if (ag_is(p->tokens, i, nouns[k]))
            return true;
    }
    return ag_is(p->tokens, i, AG_C_PERCENTILE) || (i < p->tokens->count && p->tokens->items[i].rule &&
                                                    strcmp(p->tokens->items[i].rule, "percentile") == 0);
}

/* 체크아웃 p95, 환불 느려?, "checkout failures": what is asked of a place. */
static bool takes_a_place(const struct ag_parse *p, size_t i)
{
    if (ag_is(p->tokens, i, AG_C_WHY))
        i = ag_after(p, i);
    return ag_takes_a_name(p, i) || ag_is(p->tokens, i, AG_C_SLOW) || ag_is(p->tokens, i, AG_C_FAIL);
}

/* "errors from checkout", 환불에서 난 에러, "how slow is checkout": where something comes from. */
static bool is_led(const struct ag_parse *p, size_t i)
{
    static const char *const leads[] = {"from", "in", "of", "on", "for", "at"};
    static const char *const follows[] = {"에서", "쪽에서", "에서의"};
    static const char *const being[] = {"is", "was", "are", "were"};

    return (i > 0 && ag_says(p, i - 1, leads, sizeof leads / sizeof *leads)) ||
           (i > 1 && ag_says(p, i - 1, being, sizeof being / sizeof *being) &&
            ag_is(p->tokens, i - 2, AG_C_SLOW)) ||
           ag_says(p, i + 1, follows, sizeof follows / sizeof *follows);
}

/* The component that is this word and no more, of those that have it; `any` is whether any has. */
static const struct ag_name *component_called(const struct ag_parse *p, size_t i, bool *any)
{
    const struct ag_name *names[AG_MAX_CANDIDATES];
    const struct ag_name *found = NULL;
    size_t n = ag_candidates(p, i, AG_KIND_COMPONENT, names);

    *any = n > 0;
    for (size_t k = 0; k < n; k++) {
        if (strpbrk(names[k]->value, "-_. "))
            continue;
        if (found)
            return NULL;
        found = names[k];
    }
    return found;
}

/* Has the name this part, be it of one or of several: cart of /api/carts? */
static bool has_part(const struct ag_name *name, const char *part, size_t len)
{
    char several[64];

    if (len == 0 || len + 1 >= sizeof several)
        return false;
    memcpy(several, part, len);
    several[len] = 's';
    return ag_name_has_part(name, part, len) || ag_name_has_part(name, several, len + 1);
}

/* Endpoints with the word as a part, or the first root of its meaning that any has. */
static size_t endpoints_called(const struct ag_parse *p, size_t i, const struct ag_name **names)
{
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);
    const char *part = ag_word(p, i);
    size_t len = strlen(part);
    size_t count = 0;

    for (;;) {
        for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_ENDPOINT); k++) {
            const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_ENDPOINT, k);
            if (count < AG_MAX_CANDIDATES && has_part(name, part, len))
                names[count++] = name;
        }
        if (count > 0 || !roots || !*roots)
            return count;
        part = roots;
        len = strcspn(roots, ",");
        roots += len + (roots[len] == ',');
    }
}

size_t ag_called(const struct ag_parse *p, size_t i, const struct ag_name **names, enum ag_kind *kind,
                 size_t *to)
{
    bool api = strcmp(ag_word(p, i + 1), "api") == 0 && !p->tokens->items[i + 1].rule &&
               !ag_is(p->tokens, i + 2, AG_C_BY);
    bool any = false;

    if (!api && !takes_a_place(p, ag_after(p, i)) && !is_led(p, i))
        return 0;
    if (!api && (names[0] = component_called(p, i, &any)) != NULL) {
        *kind = AG_KIND_COMPONENT;
        return 1;
    }
    if (any)
        return 0;
    *kind = AG_KIND_ENDPOINT;
    *to += api;
    return endpoints_called(p, i, names);
}
