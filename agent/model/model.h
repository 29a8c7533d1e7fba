/*
 * Asking a model: one prompt, one reply, through libcurl on the loop. What a server or the network does wrong
 * (429, 5xx, a stream that breaks off, garbage) is tried again after a back-off with jitter, or as long as
 * the server says, within the asker's number of attempts and deadline; the gate keeps breaker and budget.
 * What the reply means is not looked at here.
 *
 * The key goes into the header of the request and nowhere else; neither prompts nor replies are logged. Loop
 * thread, but for what the configuration says.
 */
#ifndef LOGMILL_AGENT_MODEL_MODEL_H
#define LOGMILL_AGENT_MODEL_MODEL_H

#include "agent/config.h"
#include "agent/model/memory.h"
#include "common/error.h"
#include "common/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct ag_model;
struct ag_model_call;

/* Does the configuration name a model? */
bool ag_model_configured(const struct ag_config *config);
/* LM_FATAL with a sentence where the configuration is not whole; `config` must outlive the model. */
int ag_model_open(uv_loop_t *loop, const struct ag_config *config, struct lm_metrics *metrics,
                  struct ag_model **out, struct lm_error *error) LM_MUST_CHECK;
/* Nothing may be asked any more, and no call be left. Freed when `closed` is called, once. */
void ag_model_close(struct ag_model *model, void (*closed)(void *context), void *context);

/* What it has replied lately, which its askers keep. */
struct ag_memory *ag_model_memory(struct ag_model *model);

struct ag_model_question {
    const char *prompt;  /* one user message; copied */
    bool insight;        /* a sentence about a result, as plain text; else the reply of reply.h */
    unsigned attempts;   /* requests at most, 1 or more */
    int64_t deadline_us; /* monotonic */
    int64_t asked_us;    /* when the question came in, for the metric of the first token */
    /* A piece of the reply as it comes, of whatever attempt; may be NULL. Must not cancel. */
    void (*token)(const char *text, size_t len, void *context);
    /* Once, never from inside ag_model_ask, unless cancelled: the reply (valid until return), or NULL and
     * LM_RETRY for what may work another time, LM_FATAL for what needs a person. `attempts`: requests that
     * were made. */
    void (*done)(const char *reply, size_t len, unsigned attempts, const struct lm_error *error,
                 void *context);
    void *context;
};
/* 0, or -1: LM_RETRY "busy" (as many calls as allowed are under way) or "memory". That the breaker is open or
 * the budget used up is told by `done`: LM_RETRY "breaker", "budget". */
int ag_model_ask(struct ag_model *model, const struct ag_model_question *question, struct ag_model_call **out,
                 struct lm_error *error) LM_MUST_CHECK;
/* `done` will not be called any more; the connection is cut. */
void ag_model_cancel(struct ag_model_call *call);

#endif
