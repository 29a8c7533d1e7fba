/*
 * A question given to a model: what a run does where the built-in engine abstains and a model is configured,
 * or where the request asks for one.
 *
 *   generate_sql    ag_asking_wanted → ag_asking_prepare (a prompt, AG_STEP_MODEL)
 *   the loop        ag_asking_start: the request; its reply goes back to generate_sql
 *   generate_sql    ag_asking_read: an intent, from which our code writes the SQL as ever, or its SQL
 *   any stage       ag_asking_again: what came of the reply is told to the model; three attempts at most
 *   at the end      ag_asking_insight: a sentence about the result, where that may be shared
 *
 * Without a usable reply the answer is what the built-in engine had to say. Nothing of this lets a model do
 * what it may not: the intent names what the asker may know, SQL passes the guard and runs as the asker's
 * role.
 */
#ifndef LOGMILL_AGENT_RUN_ASKING_H
#define LOGMILL_AGENT_RUN_ASKING_H

#include "agent/model/memory.h"
#include "agent/model/model.h"
#include "agent/run/step.h"
#include "agent/understand/understand.h"

struct ag_run;

struct ag_asking {
    bool asked;     /* what becomes of the question is the model's doing */
    bool wrote_sql; /* run->sql is the model's, and there is no intent */
    bool insight_asked;
    struct ag_model_call *call; /* under way */
    uint8_t key[AG_MEMORY_KEY]; /* of the first prompt */
    char *prompt;               /* of the next request */
    char *reply;                /* to be read; NULL: the model is to be asked */
    size_t reply_len;
    char *refused; /* the last reply that was not taken, and why */
    char why[512];
    int64_t deadline_us;                    /* monotonic, of all requests together */
    const struct ag_understanding *builtin; /* what the built-in engine made of it */
};

/* Is the model to be asked, after what run->understanding says? */
bool ag_asking_wanted(const struct ag_run *run);
/* Off the loop: AG_STEP_MODEL, or AG_STEP_FAILED with run->failure. */
enum ag_step ag_asking_prepare(struct ag_run *run);
/* On the loop, after AG_STEP_MODEL: true when the run waits, else it has failed. */
bool ag_asking_start(struct ag_run *run);
/* Off the loop: AG_STEP_NEXT with run->understanding, or with run->sql (wrote_sql); AG_STEP_AGAIN;
 * AG_STEP_FAILED. */
enum ag_step ag_asking_read(struct ag_run *run);
/* The reply was of no use, and `why` may be told to the model: it holds nothing from the data. AG_STEP_AGAIN
 * or AG_STEP_FAILED. */
enum ag_step ag_asking_again(struct ag_run *run, const char *why);
/* On the loop, with run->result: true when the run waits for what a model adds to it. */
bool ag_asking_insight(struct ag_run *run);
/* Names the columns that SQL of the model's has brought. */
int ag_asking_describe(struct ag_run *run, struct lm_error *error) LM_MUST_CHECK;
/* How SQL of the model's is spoken of, in the question's language. */
const char *ag_asking_interpretation(const struct ag_run *run);
/* The run is answered: the same question need not be asked again for a while. */
void ag_asking_remember(struct ag_run *run);
/* Cancels what is under way. */
void ag_asking_stop(struct ag_run *run);
void ag_asking_free(struct ag_run *run);

#endif
