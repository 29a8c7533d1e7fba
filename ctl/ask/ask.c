/*
 * logmill-ctl ask QUESTION …: asks the agent. The words after `ask` are one question; without any, questions
 * are read from standard input, one a line, each a follow-up of the one before where it leans on it. A
 * terminal gets line editing and a history, and answers the agent's counter-questions by number.
 */
#include "ctl/ask/agent_call.h"
#include "ctl/ask/ask_show.h"
#include "ctl/ask/prompt.h"
#include "ctl/command.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX ((size_t)256 << 20)
#define QUESTION_MAX ((size_t)64 << 10)

struct session {
    const struct ct_context *context;
    struct ct_agent *agent;
    bool typed;       /* at a prompt: errors are said without the command's name */
    json_t *previous; /* the intent of the last answer, or NULL */
    json_t *choices;  /* what the agent asked back with, or NULL */
    json_t *answer;   /* the last one, or NULL */
};

static void set(json_t **slot, json_t *value)
{
    json_incref(value);
    json_decref(*slot);
    *slot = value;
}

static void forget(struct session *session)
{
    set(&session->previous, NULL);
    set(&session->choices, NULL);
    set(&session->answer, NULL);
}

static void say(const struct session *session, const char *text)
{
    fprintf(session->context->errors, "%s%s", session->typed ? "" : "logmill-ctl ask: ", text);
}

/* Writes the buffer to `out` and frees it. */
static void print(struct lm_buffer *text, FILE *out)
{
    if (!text->failed)
        (void)!fwrite(text->data, 1, text->len, out);
    fflush(out);
    lm_buffer_free(text);
}

/* ---- one question ---- */

static json_t *request_body(const struct session *session, const char *question, json_t *previous)
{
    const struct ct_config *config = session->context->config;
    json_t *body = json_pack("{s:s}", "question", question);
    int bad = body == NULL;

    if (config->time_zone[0] != '\0')
        bad |= json_object_set_new(body, "timezone", json_string(config->time_zone));
    if (config->limit > 0)
        bad |= json_object_set_new(body, "max_results", json_integer(config->limit));
    if (config->refresh)
        bad |= json_object_set_new(body, "refresh", json_true());
    if (config->csv)
        bad |= json_object_set_new(body, "format", json_string("csv"));
    if (previous != NULL)
        bad |= json_object_set(body, "previous", previous);
    if (bad == 0)
        return body;
    json_decref(body);
    return NULL;
}

/* The agent is well, the question is not for it. Events carry the code, not a status. */
static bool is_unanswered(const json_t *error)
{
    static const char *const codes[] = {"not_understood", "needs_clarification", "unknown_entity", "refused"};
    const char *code = json_string_value(json_object_get(error, "code"));

    for (size_t i = 0; code != NULL && i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(code, codes[i]) == 0)
            return true;
    }
    return false;
}

static enum ct_exit show_failure(struct session *session, const struct ct_agent_reply *reply)
{
    const json_t *error = json_object_get(reply->json, "error");
    json_t *choices = json_object_get(error, "choices");
    struct lm_buffer text;

    lm_buffer_init(&text, SHOWN_MAX);
    ct_failure_append(reply, &text);
    say(session, "");
    print(&text, session->context->errors);
    set(&session->choices, json_array_size(choices) > 0 ? choices : NULL);
    return is_unanswered(error) ? CT_UNANSWERED : CT_FAILED;
}

static enum ct_exit show_answer(struct session *session, const struct ct_agent_reply *reply)
{
    const struct ct_config *config = session->context->config;
    const struct ct_terminal terminal = ct_terminal_of(session->context->out);
    struct lm_buffer text;
    int result = 0;

    lm_buffer_init(&text, SHOWN_MAX);
    if (config->explain)
        ct_explanation_append(reply->json, &terminal, &text);
    if (config->explain)
        lm_buffer_append_char(&text, '\n');
    if (config->explain || config->sql)
        ct_sql_append(reply->json, &text);
    else
        result = ct_answer_append(reply->json, &terminal, config->table, &text);
    if (result != 0 || text.failed) {
        lm_buffer_free(&text);
        say(session, "the answer cannot be shown: it is none of an agent, or too large\n");
        return CT_FAILED;
    }
    print(&text, session->context->out);
    return CT_DONE;
}

static enum ct_exit take_reply(struct session *session, const struct ct_agent_reply *reply)
{
    const struct ct_config *config = session->context->config;
    const bool answered = reply->status == 200 && json_object_get(reply->json, "error") == NULL;

    if (answered && config->csv)
        return CT_DONE;
    if (config->json && reply->text != NULL)
        fprintf(session->context->out, "%s\n", reply->text);
    if (!answered)
        return show_failure(session, reply);
    set(&session->answer, reply->json);
    set(&session->previous, json_object_get(reply->json, "intent"));
    set(&session->choices, NULL);
    return config->json ? CT_DONE : show_answer(session, reply);
}

static enum ct_exit ask(struct session *session, const char *question, json_t *previous)
{
    const struct ct_config *config = session->context->config;
    const bool explained = config->explain || config->sql;
    json_t *body = request_body(session, question, previous);
    const struct ct_agent_request request = {
        .path = explained     ? "/explain"
                : config->csv ? "/export"
                              : "/query",
        .body = body,
        .events = !explained && !config->json && !config->csv,
        .stream = config->csv ? session->context->out : NULL,
    };
    struct ct_agent_reply reply = {0};
    struct lm_error error;
    enum ct_exit code = CT_FAILED;

    if (body == NULL) {
        say(session, "the question is no UTF-8 text, or no memory is left\n");
        return CT_USAGE;
    }
    if (ct_agent_ask(session->agent, &request, &reply, &error) != 0) {
        say(session, "");
        fprintf(session->context->errors, "no answer from the agent at %s: %s\n", config->agent_url,
                error.text);
        if (strcmp(error.kind, "unreachable") == 0)
            fprintf(session->context->errors, "Does it run? --agent-url says where it is.\n");
    } else if (reply.cancelled) {
        say(session, "cancelled\n");
        code = CT_INTERRUPTED;
    } else {
        code = take_reply(session, &reply);
    }
    ct_agent_reply_free(&reply);
    json_decref(body);
    return code;
}

/* ---- many questions ---- */

/* The question behind a number, or NULL: the line is a question of its own. */
static json_t *chosen(const struct session *session, const char *line)
{
    char *end;
    unsigned long number = strtoul(line, &end, 10);
    const bool is_number = line[0] >= '1' && line[0] <= '9' && *end == '\0';

    return is_number ? json_array_get(session->choices, number - 1) : NULL;
}

static enum ct_exit ask_line(struct session *session, const char *line)
{
    json_t *choice = json_incref(chosen(session, line));
    json_t *previous = json_incref(session->previous);
    const char *question = json_string_value(json_object_get(choice, "question"));
    json_t *intent = json_object_get(choice, "intent");
    enum ct_exit code;

    if (question == NULL)
        code = ask(session, line, previous);
    else /* "only the last 6 hours" is read against the intent that it was offered with */
        code = ask(session, question, json_is_object(intent) ? intent : previous);
    json_decref(previous);
    json_decref(choice);
    return code;
}

static void show_sql(const struct session *session)
{
    struct lm_buffer text;

    lm_buffer_init(&text, SHOWN_MAX);
    if (session->answer != NULL)
        ct_sql_append(session->answer, &text);
    else
        lm_buffer_append_text(&text, "There is no answer yet.\n");
    print(&text, session->context->out);
}

/* Whether the line is one of the prompt's own words; *leave: for the end. */
static bool obey(struct session *session, const char *line, bool *leave)
{
    *leave = strcmp(line, "/quit") == 0 || strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0;
    if (*leave)
        return true;
    if (strcmp(line, "/sql") == 0)
        show_sql(session);
    else if (strcmp(line, "/new") == 0)
        forget(session);
    else if (strcmp(line, "/help") == 0)
        fputs("A question in Korean or English, or what should be different from the last one (\"그 중 "
              "결제만\", \"by endpoint\").\n"
              "A number takes one of the choices offered.\n"
              "/sql   the SQL of the last answer\n"
              "/new   the next question has nothing to do with the last one\n"
              "/quit  leaves, as Ctrl-D does; Ctrl-C gives a question up\n",
              session->context->out);
    else
        return false;
    return true;
}

static enum ct_exit ask_lines(struct session *session)
{
    const struct ct_context *context = session->context;
    struct ct_prompt *prompt = NULL;
    enum ct_prompt_outcome outcome;
    struct lm_error error;
    enum ct_exit code = CT_DONE;
    const char *line;
    bool leave = false;

    if (ct_prompt_open(context->config->history_file, &prompt, &error) != 0) {
        fprintf(context->errors, "logmill-ctl ask: %s\n", error.text);
        return CT_FAILED;
    }
    session->typed = ct_prompt_is_typed(prompt);
    if (session->typed)
        fputs("Ask in Korean or English. /help says what else there is, Ctrl-D leaves.\n", context->out);
    while (!leave && (outcome = ct_prompt_read(prompt, &line)) != CT_PROMPT_END) {
        if (outcome == CT_PROMPT_DROPPED || (session->typed && obey(session, line, &leave)))
            continue;
        enum ct_exit one = ask_line(session, line);
        if (!session->typed && one != CT_DONE)
            code = one;
        if (!session->typed && one == CT_INTERRUPTED)
            break;
    }
    ct_prompt_close(prompt);
    return code;
}

/* ---- the command ---- */

static enum ct_exit ask_words(struct session *session)
{
    const struct ct_context *context = session->context;
    struct lm_buffer question;
    enum ct_exit code = CT_USAGE;

    lm_buffer_init(&question, QUESTION_MAX);
    for (size_t i = 0; i < context->argument_count; i++) {
        if (i > 0)
            lm_buffer_append_char(&question, ' ');
        lm_buffer_append_text(&question, context->arguments[i]);
    }
    if (lm_buffer_text(&question) != NULL)
        code = ask(session, question.data, NULL);
    else
        say(session, "the question is too long\n");
    lm_buffer_free(&question);
    return code;
}

static enum ct_exit run(const struct ct_context *context)
{
    const struct ct_config *config = context->config;
    struct session session = {.context = context};
    struct lm_error error;

    if (config->csv + config->sql + config->explain > 1 || (config->json && (config->csv || config->sql))) {
        fprintf(context->errors, "logmill-ctl ask: --json, --csv, --sql and --explain are for one at a time "
                                 "(--explain --json goes together)\n");
        return CT_USAGE;
    }
    if (ct_agent_open(config, context->errors, &session.agent, &error) != 0) {
        fprintf(context->errors, "logmill-ctl ask: %s\n", error.text);
        return strcmp(error.kind, "usage") == 0 ? CT_USAGE : CT_FAILED;
    }
    const enum ct_exit code = context->argument_count > 0 ? ask_words(&session) : ask_lines(&session);
    forget(&session);
    ct_agent_close(session.agent);
    return code;
}

const struct ct_command ct_ask_command = {
    .name = "ask",
    .arguments = "[QUESTION …]",
    .summary = "asks the agent in Korean or English; without a question, a prompt",
    .arguments_min = 0,
    .arguments_max = 1000,
    .run = run,
};
