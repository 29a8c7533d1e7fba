#include "agent/answer/alike.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WILDCARD "<*>"
#define PLAIN_WORDS 3
#define ROUNDS 2

struct word {
    const char *text;
    size_t len;
};

/* A word of a template that may be a name: text[from, to). */
struct slot {
    const char *text;
    size_t from, to;
    size_t index; /* of the template */
};

/* ---- words ---- */

static bool next_word(const char **at, struct word *out)
{
    *at += strspn(*at, " ");
    out->text = *at;
    out->len = strcspn(*at, " ");
    *at += out->len;
    return out->len > 0;
}

static bool is_one_of(struct word word, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strlen(*list) == word.len && strncasecmp(*list, word.text, word.len) == 0)
            return true;
    }
    return false;
}

/* Without the marks around it. */
static struct word core_of(struct word word)
{
    while (word.len > 0 && (unsigned char)*word.text < 0x80 && !isalnum((unsigned char)*word.text)) {
        word.text++;
        word.len--;
    }
    while (word.len > 0 && (unsigned char)word.text[word.len - 1] < 0x80 &&
           !isalnum((unsigned char)word.text[word.len - 1]))
        word.len--;
    return word;
}

static bool ends_with(struct word word, const char *end)
{
    size_t len = strlen(end);
    return word.len > len && strncasecmp(word.text + word.len - len, end, len) == 0;
}

static bool is_masked(struct word word)
{
    return memmem(word.text, word.len, WILDCARD, strlen(WILDCARD)) != NULL;
}

/* Two letters at least, of any script, and nothing masked. */
static bool is_plain(struct word word)
{
    size_t letters = 0;

    for (size_t i = 0; i < word.len; i++)
        letters += (unsigned char)word.text[i] >= 0x80 || isalpha((unsigned char)word.text[i]) ? 1 : 0;
    return letters >= 2 && !is_masked(word);
}

/* order_items, eu-west, a.b.C, TaskHandler */
static bool is_identifier(struct word core)
{
    for (size_t i = 1; i < core.len; i++) {
        if (strchr("_-.$/@", core.text[i]) != NULL ||
            (islower((unsigned char)core.text[i - 1]) && isupper((unsigned char)core.text[i])))
            return true;
    }
    return false;
}

/* Words of this form say what happened, whatever stands around them. */
static bool is_meaning(struct word word, struct word core)
{
    static const char *const ends[] = {"exception", "error", "fault", "failure", "timeout", "ed", "ing"};
    bool lower = false;

    for (size_t i = 0; i < core.len; i++) {
        if ((unsigned char)core.text[i] >= 0x80)
            return true;
        lower = lower || islower((unsigned char)core.text[i]);
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (ends_with(core, ends[i]))
            return true;
    }
    return !lower || word.text[word.len - 1] == ':' || memchr(word.text, '=', word.len) != NULL ||
           memchr(core.text, ':', core.len) != NULL || memchr(core.text, '"', core.len) != NULL;
}

static bool may_vary(struct word before, struct word word)
{
    static const char *const names[] = {
        "for",    "from",    "by",    "on",       "in",         "at",     "of",      "with",      "user",
        "users",  "account", "host",  "node",     "server",     "client", "service", "class",     "table",
        "column", "index",   "queue", "topic",    "group",      "job",    "task",    "thread",    "pool",
        "bean",   "module",  "store", "database", "schema",     "bucket", "key",     "component", "plugin",
        "tenant", "region",  "file",  "customer", "사용자",     "계정",   "회원",    "호스트",    "서버",
        "서비스", "테이블",  "큐",    "토픽",     "클라이언트", NULL};
    static const char *const kinds[] = {
        "event", "events", "type", "state", "status", "level",  "action", "method",  "operation", "reason",
        "error", "cause",  "code", "phase", "step",   "result", "mode",   "command", NULL};
    struct word core = core_of(word), announces = core_of(before);

    if (core.len == 0 || before.len == 0 || is_masked(word) || is_meaning(word, core) ||
        is_one_of(announces, kinds))
        return false;
    return is_identifier(core) || is_one_of(announces, names);
}

/* ---- slots ---- */

static size_t plain_words(const char *template)
{
    size_t plain = 0;
    struct word word;

    while (next_word(&template, &word))
        plain += is_plain(word);
    return plain;
}

/* Appends the slots of a template, where `out` is not NULL; returns how many there are. */
static size_t find_slots(const char *template, size_t index, struct slot *out)
{
    const char *at = template;
    struct word before = {0}, word;
    size_t count = 0;

    if (plain_words(template) <= PLAIN_WORDS)
        return 0;
    for (; next_word(&at, &word); before = word) {
        if (!may_vary(before, word))
            continue;
        struct word core = core_of(word);
        size_t from = (size_t)(core.text - template);
        if (out != NULL)
            out[count] = (struct slot){.text = template, .from = from, .to = from + core.len, .index = index};
        count++;
    }
    return count;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* What stands around the word. */
static int compare_frames(const struct slot *a, const struct slot *b)
{
    int order = compare_bytes(a->text, a->from, b->text, b->from);
    return order != 0 ? order : strcmp(a->text + a->to, b->text + b->to);
}

static int by_frame(const void *left, const void *right)
{
    const struct slot *a = left, *b = right;
    int order = compare_frames(a, b);

    if (order == 0)
        order = compare_bytes(a->text + a->from, a->to - a->from, b->text + b->from, b->to - b->from);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Its template has not been put together with others in this round. */
static bool is_free(const struct slot *slot, const char *const *templates, const size_t *leaders)
{
    return leaders[slot->index] == slot->index && templates[slot->index] == slot->text;
}

/* Among the free slots. */
static size_t different_words(const struct slot *slots, size_t count, const char *const *templates,
                              const size_t *leaders)
{
    const struct slot *last = NULL;
    size_t words = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_free(&slots[i], templates, leaders))
            continue;
        words += last == NULL || strcmp(last->text, slots[i].text) != 0;
        last = &slots[i];
    }
    return words;
}

/* ---- putting together ---- */

static int join(const struct slot *slots, size_t count, const char **templates, struct lm_arena *arena,
                size_t *leaders)
{
    const size_t before = slots->from, behind = strlen(slots->text + slots->to);
    size_t leader = SIZE_MAX;
    char *text = lm_arena_alloc(arena, before + strlen(WILDCARD) + behind + 1);

    if (text == NULL)
        return -1;
    memcpy(text, slots->text, before);
    memcpy(text + before, WILDCARD, strlen(WILDCARD));
    memcpy(text + before + strlen(WILDCARD), slots->text + slots->to, behind + 1);
    for (size_t i = 0; i < count; i++) {
        if (is_free(&slots[i], templates, leaders) && slots[i].index < leader)
            leader = slots[i].index;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_free(&slots[i], templates, leaders))
            leaders[slots[i].index] = leader;
    }
    templates[leader] = text;
    return 0;
}

/* The frame with the most words, at least AG_ALIKE_WORDS; false where there is none. Of equals the first in
 * order. */
static bool widest(const struct slot *slots, size_t count, const char *const *templates,
                   const size_t *leaders, size_t *from, size_t *size)
{
    size_t most = AG_ALIKE_WORDS - 1;

    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && compare_frames(&slots[i], &slots[end]) == 0; end++) {}
        size_t words = end - i > most ? different_words(slots + i, end - i, templates, leaders) : 0;
        if (words > most) {
            most = words;
            *from = i;
            *size = end - i;
        }
    }
    return most >= AG_ALIKE_WORDS;
}

static int put_together(const char **templates, size_t count, struct lm_arena *arena, size_t *leaders)
{
    size_t slot_count = 0, from = 0, size = 0;
    int result = 0;

    for (size_t i = 0; i < count; i++)
        slot_count += templates[i] != NULL && leaders[i] == i ? find_slots(templates[i], i, NULL) : 0;
    struct slot *slots = calloc(slot_count + 1, sizeof *slots);
    if (slots == NULL)
        return -1;
    slot_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (templates[i] != NULL && leaders[i] == i)
            slot_count += find_slots(templates[i], i, slots + slot_count);
    }
    qsort(slots, slot_count, sizeof *slots, by_frame);
    while (result == 0 && widest(slots, slot_count, templates, leaders, &from, &size))
        result = join(slots + from, size, templates, arena, leaders);
    free(slots);
    return result;
}

int ag_alike_find(const char **templates, size_t count, struct lm_arena *arena, size_t *leaders)
{
    for (size_t i = 0; i < count; i++)
        leaders[i] = i;
    for (int round = 0; round < ROUNDS; round++) {
        if (put_together(templates, count, arena, leaders) != 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++) /* the leader of a leader is before it */
        leaders[i] = leaders[leaders[i]];
    return 0;
}

/* ---- rows ---- */

static bool is_larger(const struct ag_table *table, size_t row, size_t than, size_t measure, size_t pattern)
{
    if (table->rows[row][pattern] == NULL || table->rows[than][pattern] == NULL)
        return table->rows[row][pattern] != NULL && table->rows[than][pattern] == NULL;
    return ag_table_number(table, row, measure) > ag_table_number(table, than, measure);
}

/* Stable; few rows are out of their place. */
static void sort_rows(struct ag_table *table, size_t measure, size_t pattern)
{
    for (size_t i = 1; i < table->row_count; i++) {
        for (size_t k = i; k > 0 && is_larger(table, k, k - 1, measure, pattern); k--) {
            const char **row = table->rows[k];
            table->rows[k] = table->rows[k - 1];
            table->rows[k - 1] = row;
        }
    }
}

/* Adds row i to its leader's; rows that are no leaders go. False without memory. */
static bool sum_rows(struct ag_table *table, const size_t *leaders, size_t measure, struct ag_alike *alike)
{
    const char ***rows = table->rows;
    size_t kept = 0;

    for (size_t i = 0; i < table->row_count; i++) {
        const char **leader = rows[leaders[i]];
        if (leaders[i] == i)
            continue;
        int64_t sum = strtoll(leader[measure], NULL, 10) + strtoll(rows[i][measure], NULL, 10);
        leader[measure] = ag_table_text(table, "%" PRId64, sum);
        if (leader[measure] == NULL)
            return false;
        alike[leaders[i]].patterns += alike[leaders[i]].patterns == 0 ? 2 : 1;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        if (leaders[i] == i)
            rows[kept++] = rows[i];
    }
    table->row_count = kept;
    return true;
}

int ag_alike_merge(struct ag_table *table)
{
    const size_t count = table->row_count, pattern = ag_table_find(table, AG_ROLE_GROUP, 0),
                 measure = ag_table_find(table, AG_ROLE_MEASURE, 0);
    const char **templates = lm_arena_alloc(table->arena, (count + 1) * sizeof *templates);
    size_t *leaders = lm_arena_alloc(table->arena, (count + 1) * sizeof *leaders);

    table->alike = lm_arena_alloc(table->arena, (count + 1) * sizeof *table->alike);
    if (templates == NULL || leaders == NULL || table->alike == NULL)
        return ag_table_no_memory(table);
    for (size_t i = 0; i < count; i++)
        templates[i] = table->rows[i][pattern];
    if (ag_alike_find(templates, count, table->arena, leaders) != 0)
        return ag_table_no_memory(table);
    for (size_t i = 0; i < count; i++) {
        table->rows[i][pattern] = templates[i];
        table->alike[i] = (struct ag_alike){.template = templates[i]};
    }
    table->alike_count = count;
    if (!sum_rows(table, leaders, measure, table->alike))
        return ag_table_no_memory(table);
    if (table->row_count < count)
        sort_rows(table, measure, pattern);
    return 0;
}

size_t ag_alike_shown(const struct ag_table *table)
{
    const size_t pattern = ag_table_find(table, AG_ROLE_GROUP, 0);
    size_t patterns = 0;

    for (size_t i = 0; i < table->alike_count; i++) {
        for (size_t row = 0; table->alike[i].patterns > 0 && row < table->row_count; row++)
            patterns += table->rows[row][pattern] == table->alike[i].template ? table->alike[i].patterns : 0;
    }
    return patterns;
}
