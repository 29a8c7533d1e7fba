/*
 * What is known of a held record is forgotten with it: the next one is asked about anew, and /readyz does not
 * go on saying what it waited for.
 *
 * librdkafka's queue (fake_queue.h), the dead-letter topic and the control connection are stood in for
 * (--wrap).
 */
#include "common/clock.h"
#include "common/log.h"
#include "consumer/batch/replay.h"
#include "consumer/intake/intake.h"

#include "tests/unit/consumer/fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT "{\"message\":\"hello\",\"timestamp\":1700000000000000}"
#define UNKNOWN "\xC3\x01somebody's"

static struct {
    bool put_back[4]; /* by offset */
    size_t count;
    unsigned questions, letters;
    bool answers;             /* or no question can be asked */
    struct co_question asked; /* the last one */
    bool no_memory;           /* for the schema that was found */
} fakes;

bool __wrap_co_replay_read(const rd_kafka_message_t *message, struct co_replay *out);
int64_t __wrap_co_replay_time_us(const rd_kafka_message_t *message);
int __wrap_co_letters_send(struct co_letters *letters, struct co_batch *batch, rd_kafka_message_t *message,
                           const struct lm_error *why, unsigned attempts);
int __wrap_co_control_ask(struct co_control *control, const struct co_question *question,
                          struct lm_error *error);
int __wrap_lm_schema_set_add(struct lm_schema_set *set, const char *json, size_t len, uint64_t *fingerprint,
                             struct lm_error *error);

bool __wrap_co_replay_read(const rd_kafka_message_t *message, struct co_replay *out)
{
    *out = (struct co_replay){.topic = LM_SLICE("logs.raw"), .offset = 100 + message->offset};
    return fakes.put_back[message->offset];
}

int64_t __wrap_co_replay_time_us(const rd_kafka_message_t *message)
{
    (void)message;
    return 0;
}

int __wrap_co_letters_send(struct co_letters *letters, struct co_batch *batch, rd_kafka_message_t *message,
                           const struct lm_error *why, unsigned attempts)
{
    (void)letters, (void)batch, (void)message, (void)why, (void)attempts;
    fakes.letters++;
    return 0;
}

int __wrap_co_control_ask(struct co_control *control, const struct co_question *question,
                          struct lm_error *error)
{
    (void)control, (void)error;
    fakes.questions++;
    fakes.asked = *question;
    return fakes.answers ? 0 : -1;
}

int __wrap_lm_schema_set_add(struct lm_schema_set *set, const char *json, size_t len, uint64_t *fingerprint,
                             struct lm_error *error)
{
    (void)set, (void)json, (void)len;
    *fingerprint = 1; /* not the one that was asked for */
    if (!fakes.no_memory)
        return 0;
    return lm_error_set(error, LM_RETRY, "memory", "no memory for an Avro schema");
}

/* The question asked last has come to its end. */
static void answer(const struct lm_error *error)
{
    fakes.asked.done(error, fakes.asked.context);
}

static void on_event(void *context)
{
    (void)context;
}

static void on_refused(struct co_partition *partition, void *context)
{
    (void)partition, (void)context;
    fail();
}

struct world {
    struct co_pool pool;
    struct co_patterns *patterns;
    struct lm_metrics *metrics;
    struct co_intake *intake;
    struct co_partition *partition;
};

static void open_world(struct world *world, int64_t schema_wait_us)
{
    static const struct co_policy policy = {.rows = 100, .bytes = 1 << 20, .age_us = 50000};
    struct lm_error error;

    *world = (struct world){.patterns = co_patterns_new(10), .metrics = lm_metrics_new()};
    struct co_intake_options options = {.pool = &world->pool,
                                        .patterns = world->patterns,
                                        .metrics = world->metrics,
                                        .schema_wait_us = schema_wait_us,
                                        .position_refused = on_refused,
                                        .awake = on_event};

    memset(&fakes, 0, sizeof(fakes));
    fake_queue_clear();
    co_pool_init(&world->pool, &policy, 1 << 24);
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        options.windows[i] = (struct co_window){100 * 365 * LM_DAY_US, LM_DAY_US};
    assert_int_equal(co_intake_open(&options, &world->intake, &error), 0);
    struct co_partition *partition = world->partition = co_partition_new("logs.raw", 0, LM_RAW);
    partition->sources = co_sources_new(10);
    partition->names = co_names_new(10);
    partition->filling = co_batch_new(&world->pool.chunks);
    partition->filling->partition = partition;
    partition->state = CO_PARTITION_RUNNING;
}

static void close_world(struct world *world)
{
    world->partition->held = NULL;
    co_batch_free(world->partition->filling);
    co_partition_unref(world->partition);
    co_intake_free(world->intake);
    co_pool_free(&world->pool);
    co_patterns_free(world->patterns);
    lm_metrics_free(world->metrics);
}

static void add_message(const char *value, bool put_back)
{
    fakes.put_back[fakes.count++] = put_back;
    fake_queue_add(value);
}

static void what_was_answered_about_a_record_given_up_is_not_taken_for_the_next_ones(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, 0);
    add_message(UNKNOWN, true);
    add_message(TEXT, true);
    fakes.answers = true;
    (void)co_intake_read(world.intake, world.partition, 1);
    assert_int_equal(world.partition->state, CO_PARTITION_HOLDING);
    world.partition->replay_answered = world.partition->replay_stored =
        true; /* read ahead, and stored before */
    answer(NULL);
    fakes.answers = false;
    assert_int_equal(fakes.letters, 1);
    (void)co_intake_read(world.intake, world.partition, 1);
    assert_int_equal(world.partition->filling->repeat_count, 0);
    assert_int_equal(world.partition->hold, CO_HOLD_REPLAY);
    close_world(&world);
}

static void what_became_known_by_somebody_elses_question_is_not_waited_for_any_more(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, LM_DAY_US);
    add_message(TEXT, false);
    world.partition->held = rd_kafka_consume_queue(NULL, 0);
    world.partition->hold = CO_HOLD_REGISTRY;
    world.partition->hold_unanswered = true; /* and /readyz says so */
    world.partition->state = CO_PARTITION_HOLDING;
    co_intake_tick(world.intake, world.partition);
    assert_int_equal(world.partition->state, CO_PARTITION_RUNNING);
    assert_int_equal(world.partition->filling->row_count, 1);
    assert_false(world.partition->hold_unanswered);
    close_world(&world);
}

/* However long ago it was sent: PostgreSQL may have been away whenever it was asked. */
static void a_schema_is_given_up_when_it_was_looked_for_and_not_before(void **state)
{
    struct world world;
    struct lm_error error;

    (void)state;
    open_world(&world, LM_SECOND_US);
    add_message(UNKNOWN, false);
    fakes.answers = true;
    (void)co_intake_read(world.intake, world.partition, 1);
    (void)lm_error_set(&error, LM_RETRY, "connection_lost", "the server closed the connection");
    answer(&error);
    co_intake_tick(world.intake, world.partition);
    assert_int_equal(world.partition->state, CO_PARTITION_HOLDING);
    assert_int_equal(fakes.letters, 0);
    world.partition->hold_again_us = 0;
    co_intake_tick(world.intake, world.partition);
    assert_int_equal(fakes.questions, 2);
    answer(NULL);
    assert_int_equal(world.partition->state, CO_PARTITION_RUNNING);
    assert_int_equal(fakes.letters, 1);
    close_world(&world);
}

/* PostgreSQL tells a schema for the record held. */
static void answer_schema(void)
{
    PGresAttDesc column = {.name = (char *)"schema", .typid = 25, .typlen = -1};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    assert_int_equal(PQsetResultAttrs(result, 1, &column), 1);
    assert_int_equal(PQsetvalue(result, 0, 0, (char *)"{}", 2), 1);
    fakes.asked.result(result, fakes.asked.context);
    PQclear(result);
    answer(NULL);
}

static void a_schema_that_is_there_is_not_given_up_for_want_of_memory(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, LM_SECOND_US);
    add_message(UNKNOWN, false);
    fakes.answers = fakes.no_memory = true;
    (void)co_intake_read(world.intake, world.partition, 1);
    answer_schema();
    assert_int_equal(world.partition->state, CO_PARTITION_HOLDING);
    assert_int_equal(fakes.letters, 0);
    close_world(&world);
}

static void a_schema_under_anothers_fingerprint_is_none(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, LM_SECOND_US);
    add_message(UNKNOWN, false);
    fakes.answers = true;
    (void)co_intake_read(world.intake, world.partition, 1);
    answer_schema();
    assert_int_equal(world.partition->state, CO_PARTITION_RUNNING);
    assert_int_equal(fakes.questions, 1);
    assert_int_equal(fakes.letters, 1);
    close_world(&world);
}

static void what_the_dead_letters_have_is_not_stored_though_it_would_pass(void **state)
{
    struct world world;
    struct co_batch *before;

    (void)state;
    open_world(&world, 0);
    before = co_batch_new(&world.pool.chunks);
    assert_int_equal(co_batch_note_letter(before, 1), 0);
    co_partition_keep_buried(world.partition, before);
    co_batch_free(before);
    for (int i = 0; i < 3; i++)
        add_message(TEXT, false);
    (void)co_intake_read(world.intake, world.partition, 3);
    assert_int_equal(world.partition->filling->row_count, 2);
    assert_int_equal(world.partition->filling->letter_count, 1);
    assert_int_equal(world.partition->position, 3);
    assert_int_equal(fakes.letters, 0);
    assert_int_equal(fake_queue_held(), 0);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_about_a_record_given_up_is_not_taken_for_the_next_ones),
        cmocka_unit_test(what_became_known_by_somebody_elses_question_is_not_waited_for_any_more),
        cmocka_unit_test(a_schema_is_given_up_when_it_was_looked_for_and_not_before),
        cmocka_unit_test(a_schema_that_is_there_is_not_given_up_for_want_of_memory),
        cmocka_unit_test(a_schema_under_anothers_fingerprint_is_none),
        cmocka_unit_test(what_the_dead_letters_have_is_not_stored_though_it_would_pass)};
    lm_log_open("test", LM_LOG_FATAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
