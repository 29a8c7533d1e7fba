/* What a stage of a run leads to. */
#ifndef LOGMILL_AGENT_RUN_STEP_H
#define LOGMILL_AGENT_RUN_STEP_H

enum ag_step {
    AG_STEP_NEXT,   /* done: the next stage */
    AG_STEP_WAIT,   /* something calls ag_run_resume later */
    AG_STEP_AGAIN,  /* back to generate_sql: the next attempt */
    AG_STEP_SERVER, /* another server is read now: its names, then the next attempt */
    AG_STEP_NAMES,  /* a name is unknown: read the names and do this stage again */
    AG_STEP_MODEL,  /* ask the model, then back to generate_sql */
    AG_STEP_ENDED,  /* what was waited for behind the last stage is over */
    AG_STEP_FAILED  /* run->failure says why */
};

#endif
