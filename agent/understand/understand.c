/*
 * The stages of understanding one question, and what they share.
 */
#include "agent/understand/understand.h"

#include "agent/understand/parse.h"
#include "agent/understand/time.h"
#include "agent/understand/window.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ag_say(const struct ag_parse *p, const char *ko, const char *en)
{
    return p->language == AG_KO ? ko : en;
}

const char *ag_keep(struct ag_parse *p, const char *text, size_t len)
{
    char *copy = lm_arena_copy(p->arena, text, len);

    p->memory = p->memory || !copy;
    return copy ? copy : "";
}

const char *ag_sayf(struct ag_parse *p, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t)n >= sizeof text) {
        n = (int)sizeof text - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    return ag_keep(p, text, (size_t)n);
}

void ag_stop(struct ag_parse *p, enum ag_outcome outcome, const char *message, const char *hint)
{
    if (p->stopped)
        return;
    p->stopped = true;
    p->out->outcome = outcome;
    p->out->message = message;
    p->out->hint = hint;
}

void ag_assume(struct ag_parse *p, const char *code, const char *ko, const char *en)
{
    struct ag_understanding *out = p->out;

    for (size_t i = 0; i < out->assumption_count; i++) {
        if (strcmp(out->assumptions[i].code, code) == 0)
            return;
    }
    if (out->assumption_count < AG_MAX_ASSUMPTIONS)
        out->assumptions[out->assumption_count++] = (struct ag_assumption){code, ag_say(p, ko, en)};
}

void ag_suggest(struct ag_parse *p, const char *name)
{
    if (p->out->suggestion_count < AG_MAX_SUGGESTIONS)
        p->out->suggestions[p->out->suggestion_count++] = name;
}

const char *ag_outcome_name(enum ag_outcome outcome)
{
    static const char *const names[] = {"understood",     "not_understood", "needs_clarification",
                                        "unknown_entity", "refused",        "bad_request"};

    return (size_t)outcome < sizeof names / sizeof *names ? names[outcome] : "";
}
