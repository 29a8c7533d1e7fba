#include "consumer/batch/refusal.h"

#define SAMPLES 16
#define PASSED_BEFORE 8
/* Rows that may be taken out after a quarter of the samples passed. */
#define CREDIT 32

static size_t samples_of(size_t rows)
{
    return rows - 1 < SAMPLES ? rows - 1 : SAMPLES;
}

/* So many samples must pass. */
static size_t quorum(size_t rows)
{
    size_t samples = samples_of(rows);
    return samples < 4 ? 1 : samples / 4;
}

bool co_refusal_is_clear(const struct co_refusal *refusal, size_t row)
{
    return !refusal->sampling && (refusal->credit > 0 || (row >= PASSED_BEFORE && row >= refusal->taken));
}

static enum co_blame take(struct co_refusal *refusal)
{
    refusal->taken++;
    if (refusal->credit > 0)
        refusal->credit--;
    return CO_BLAME_ROW;
}

/* Nearly nothing passes: too few rows to tell, or the table's fault. */
static enum co_blame judge_all(struct co_refusal *refusal, size_t rows, size_t *believed)
{
    refusal->sampling = false;
    if (*believed + rows > CO_REFUSAL_BELIEVED)
        return CO_BLAME_TABLE;
    *believed += rows;
    if (rows == 1)
        return take(refusal);
    refusal->credit = rows;
    return CO_BLAME_AGAIN;
}

static enum co_blame sample_another(struct co_refusal *refusal)
{
    refusal->sampling = true;
    refusal->sampled++;
    return CO_BLAME_SAMPLE;
}

enum co_blame co_refusal_judge(struct co_refusal *refusal, size_t row, size_t rows, size_t *believed)
{
    if (co_refusal_is_clear(refusal, row))
        return take(refusal);
    if (!refusal->sampling)
        refusal->sampled = refusal->passed = 0;
    if (samples_of(rows) == 0 || refusal->sampled - refusal->passed > samples_of(rows) - quorum(rows))
        return judge_all(refusal, rows, believed);
    return sample_another(refusal);
}

enum co_blame co_refusal_passed(struct co_refusal *refusal, size_t rows)
{
    refusal->passed++;
    if (refusal->passed < quorum(rows))
        return sample_another(refusal);
    refusal->sampling = false;
    refusal->credit = CREDIT;
    return CO_BLAME_AGAIN;
}

size_t co_refusal_sample(const struct co_refusal *refusal, size_t rows)
{
    return rows - 1 - (refusal->sampled - 1) * (rows - 1) / samples_of(rows);
}
