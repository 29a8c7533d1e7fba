/*
 * Reads questions, prints how they are understood: for looking at the parser by hand and for scripts.
 *
 *   understand_lines CATALOGUE ZONE NOW < QUESTIONS
 *
 * CATALOGUE is a file of kind<TAB>value lines (names_file.h). A question line is id<TAB>id of the question it
 * follows, or empty<TAB>question. Prints id<TAB>outcome<TAB>intent as a line (intent_line.h), or message and
 * suggestions.
 */
#include "agent/understand/understand.h"
#include "agent/understand/vocabulary.h"
#include "agent/understand/zone.h"
#include "tests/unit/agent/intent_line.h"
#include "tests/unit/agent/names_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_QUESTIONS 4096

struct asked {
    char id[64];
    struct ag_intent intent;
    bool understood;
};

static void print(const char *id, const struct ag_understanding *u, const struct ag_zone *zone)
{
    printf("%s\t%s\t", id, ag_outcome_name(u->outcome));
    if (u->outcome == AG_UNDERSTOOD) {
        struct lm_buffer text;
        char from[40] = "all";
        char to[40];
        if (u->intent.window.from_us != INT64_MIN)
            ag_zone_format(zone, u->intent.window.from_us, from);
        ag_zone_format(zone, u->intent.window.to_us, to);
        lm_buffer_init(&text, 65536);
        intent_line(&u->intent, &text);
        printf("%s\t%s .. %s", lm_buffer_text(&text), from, to);
        lm_buffer_free(&text);
        if (u->intent.compare == AG_COMPARE_WINDOW) {
            ag_zone_format(zone, u->intent.against.from_us, from);
            ag_zone_format(zone, u->intent.against.to_us, to);
            printf(" against %s .. %s", from, to);
        }
        for (size_t i = 0; i < u->assumption_count; i++)
            printf("%s%s", i ? "," : "\t", u->assumptions[i].code);
    } else {
        printf("%s", u->message ? u->message : "");
        for (size_t i = 0; i < u->suggestion_count; i++)
            printf(" [%s]", u->suggestions[i]);
        for (size_t i = 0; i < u->choice_count; i++)
            printf(" {%s}", u->choices[i].question);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    struct lm_error error = {0};
    struct ag_catalogue *catalogue = argc == 4 ? names_file_read(argv[1]) : NULL;
    struct ag_vocabulary *vocabulary = ag_vocabulary_new(NULL, &error);
    struct ag_zone *zone = argc == 4 ? ag_zone_new(argv[2]) : NULL;
    struct asked *asked = calloc(MAX_QUESTIONS, sizeof *asked);
    struct lm_arena kept;
    size_t count = 0;
    char line[16384];

    if (!catalogue || !vocabulary || !zone || !asked) {
        fprintf(stderr, "usage: understand_lines CATALOGUE ZONE NOW < QUESTIONS (%s)\n", error.text);
        return 2;
    }
    lm_arena_init(&kept, (size_t)64 << 20);
    while (fgets(line, sizeof line, stdin) && count < MAX_QUESTIONS) {
        char *context = strchr(line, '\t');
        char *text = context ? strchr(context + 1, '\t') : NULL;
        struct ag_understanding u;
        struct ag_question q = {.zone = argv[2], .now_us = strtoll(argv[3], NULL, 10)};
        struct lm_arena arena;
        if (!text)
            continue;
        *context++ = '\0';
        *text++ = '\0';
        text[strcspn(text, "\n")] = '\0';
        q.text = text;
        q.len = strlen(text);
        for (size_t i = 0; i < count; i++) {
            if (*context && strcmp(asked[i].id, context) == 0 && asked[i].understood)
                q.previous = &asked[i].intent;
        }
        lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
        if (ag_understand(&q, vocabulary, catalogue, &arena, &u, &error) < 0) {
            printf("%s\terror\t%s\n", line, error.text);
        } else {
            snprintf(asked[count].id, sizeof asked[count].id, "%.*s", (int)sizeof asked[count].id - 1, line);
            asked[count].understood =
                u.outcome == AG_UNDERSTOOD && ag_intent_copy(&u.intent, &kept, &asked[count].intent) == 0;
            count++;
            print(line, &u, zone);
        }
        lm_arena_free(&arena);
    }
    lm_arena_free(&kept);
    free(asked);
    ag_zone_free(zone);
    ag_vocabulary_free(vocabulary);
    ag_catalogue_free(catalogue);
    return 0;
}
