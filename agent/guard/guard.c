/*
 * One judgement: length, parse, check, write, parse again, compare, wrap. The parser, protobuf and our own
 * walks recurse with the nesting of the text: 16 KiB of "1+1+1…" overruns a usual stack before any depth can
 * be looked at. So a text is judged where the caller is only if its stack would hold the deepest text of that
 * length, else on a thread made for it.
 */
#include "agent/guard/guard.h"

#include "agent/guard/check.h"
#include "agent/guard/write.h"
#include "common/buffer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* "- - - x", the deepest there is, takes one KiB a byte of text. */
#define STACK_PER_BYTE 4096u
#define STACK_BYTES ((size_t)AG_GUARD_MAX_SQL * STACK_PER_BYTE)
#define STACK_SPARE ((size_t)256 << 10) /* of callers and signals */
#define MAX_WRITTEN (256u << 10)        /* parentheses and quotes make a text a few times longer */
#define MAX_ARENA (4u << 20)

struct judgement {
    const char *sql;
    const struct ag_guard_limits *limits;
    struct ag_guard_verdict *verdict;
};

static const PgQuery__SelectStmt *only_select(struct ag_check *check, const PgQuery__ParseResult *tree)
{
    if (tree->n_stmts != 1) {
        ag_reject(check, "%zu statements", tree->n_stmts);
        return NULL;
    }
    const PgQuery__Node *node = tree->stmts[0]->stmt;
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        ag_reject(check, "root %s", node != NULL ? ag_node_name(node) : "(empty)");
        return NULL;
    }
    return node->select_stmt;
}

/* The written text must say what the checked tree says, or it does not run. */
static int compare(struct ag_check *check, const struct ag_tree *tree, const char *written)
{
    char reason[200] = "";
    struct ag_tree again;
    if (!ag_tree_parse(&again, written, reason, sizeof(reason))) {
        return ag_reject(check, "the written text does not parse: %s", reason);
    }
    const bool equal = ag_tree_equal(tree, &again);
    ag_tree_free(&again);
    return equal ? 0 : ag_reject(check, "the written text reads differently");
}

static int write_and_compare(struct ag_check *check, const struct ag_tree *tree,
                             const PgQuery__SelectStmt *select, struct lm_buffer *out)
{
    struct lm_buffer written;
    lm_buffer_init(&written, MAX_WRITTEN);
    int result = ag_write_select(&written, select);
    const char *text = lm_buffer_text(&written);
    if (result != 0 || text == NULL) {
        result = ag_reject(check, "cannot be written");
    } else {
        result = compare(check, tree, text);
    }
    if (result == 0) {
        if (check->limits->max_rows > 0) {
            /* The inner ORDER BY holds: nothing above it sorts, joins or groups. */
            lm_buffer_printf(out, "SELECT * FROM (%s) AS \"answer\" LIMIT %d", text, check->limits->max_rows);
        } else {
            lm_buffer_append_text(out, text);
        }
    }
    lm_buffer_free(&written);
    return result;
}

static void judge_tree(struct ag_check *check, const struct ag_tree *tree, struct ag_guard_verdict *verdict)
{
    PgQuery__ParseResult *nodes = ag_tree_unpack(tree);
    if (nodes == NULL) {
        ag_reject(check, "the parse tree could not be read");
        return;
    }
    struct lm_buffer out;
    lm_buffer_init(&out, MAX_WRITTEN + 256);
    const PgQuery__SelectStmt *select = only_select(check, nodes);
    if (select != NULL && ag_check_select(check, select, NULL, NULL, NULL) == 0 &&
        write_and_compare(check, tree, select, &out) == 0 && lm_buffer_text(&out) != NULL) {
        verdict->sql = lm_buffer_detach(&out, NULL);
        verdict->pass = verdict->sql != NULL;
    }
    if (!verdict->pass) {
        ag_reject(check, "out of memory");
    }
    lm_buffer_free(&out);
    pg_query__parse_result__free_unpacked(nodes, NULL);
}

static void judge(const struct judgement *judgement)
{
    struct lm_arena arena;
    struct ag_guard_verdict *verdict = judgement->verdict;
    lm_arena_init(&arena, MAX_ARENA);
    const int64_t longest = judgement->limits->longest_window_us > 0 ? judgement->limits->longest_window_us
                                                                     : AG_GUARD_LONGEST_WINDOW_US;
    struct ag_check check = {.limits = judgement->limits,
                             .earliest_us = judgement->limits->now_us - longest,
                             .arena = &arena,
                             .reason = verdict->reason,
                             .reason_size = sizeof(verdict->reason)};
    if (strlen(judgement->sql) > AG_GUARD_MAX_SQL) {
        ag_reject(&check, "longer than %d bytes", AG_GUARD_MAX_SQL);
    } else {
        struct ag_tree tree;
        if (ag_tree_parse(&tree, judgement->sql, verdict->reason, sizeof(verdict->reason))) {
            judge_tree(&check, &tree, verdict);
            ag_tree_free(&tree);
        }
    }
    lm_arena_free(&arena);
}

static void *run(void *argument)
{
    /* libpg_query gives its memory back when the thread ends; pg_query_exit() before that frees it twice. */
    judge(argument);
    return NULL;
}

/* Nothing is known of a stack: not held. */
static bool stack_holds(size_t bytes)
{
    static _Thread_local const char *lowest;
    const char *here = __builtin_frame_address(0);
    pthread_attr_t attributes;
    if (lowest == NULL) {
        void *start = NULL;
        size_t size = 0;
        if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
            return false;
        }
        const int failed = pthread_attr_getstack(&attributes, &start, &size);
        pthread_attr_destroy(&attributes);
        if (failed != 0) {
            return false;
        }
        lowest = start;
    }
    return here > lowest && (size_t)(here - lowest) > bytes + STACK_SPARE;
}

static int judge_apart(struct judgement *judgement, struct lm_error *error)
{
    struct ag_guard_verdict *verdict = judgement->verdict;
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0) {
        snprintf(verdict->reason, sizeof(verdict->reason), "out of memory");
        return lm_error_set(error, LM_RETRY, "guard", "out of memory for the guard's thread");
    }
    int failed = pthread_attr_setstacksize(&attributes, STACK_BYTES + STACK_SPARE);
    if (failed == 0) {
        failed = pthread_create(&thread, &attributes, run, judgement);
    }
    pthread_attr_destroy(&attributes);
    if (failed != 0) {
        snprintf(verdict->reason, sizeof(verdict->reason), "no thread: %s", strerror(failed));
        return lm_error_set(error, LM_RETRY, "guard", "the guard's thread could not be started: %s",
                            strerror(failed));
    }
    pthread_join(thread, NULL);
    return 0;
}

int ag_guard(const char *sql, const struct ag_guard_limits *limits, struct ag_guard_verdict *out,
             struct lm_error *error)
{
    *out = (struct ag_guard_verdict){.pass = false};
    struct judgement judgement = {.sql = sql, .limits = limits, .verdict = out};
    const size_t len = strnlen(sql, AG_GUARD_MAX_SQL);
    if (!stack_holds(len * STACK_PER_BYTE)) {
        return judge_apart(&judgement, error);
    }
    judge(&judgement);
    return 0;
}

void ag_guard_widen_stack(void)
{
    const rlim_t wanted = STACK_BYTES + 2 * STACK_SPARE;
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_STACK, &limit);
    }
}

void ag_guard_verdict_free(struct ag_guard_verdict *verdict)
{
    free(verdict->sql);
    verdict->sql = NULL;
}
