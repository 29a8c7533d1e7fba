#include "common/backoff.h"

#include "common/clock.h"

#include <sys/random.h>

void lm_backoff_init(struct lm_backoff *backoff, uint32_t base_ms, uint32_t cap_ms, uint64_t seed)
{
    if (base_ms == 0)
        base_ms = 1;
    if (cap_ms < base_ms)
        cap_ms = base_ms;
    /* Jitter needs difference between processes, not secrecy: where the system has no random bytes yet, the
     * clock does. */
    if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = (uint64_t)lm_clock_wall_us() ^ (uint64_t)lm_clock_mono_us() << 32;
    *backoff = (struct lm_backoff){.base_ms = base_ms, .cap_ms = cap_ms, .seed = seed};
}

/* splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t lm_backoff_next(struct lm_backoff *backoff)
{
    if (backoff->attempt < UINT32_MAX)
        backoff->attempt++;
    uint64_t high = backoff->cap_ms;
    if (backoff->attempt < 32 && (uint64_t)backoff->base_ms << backoff->attempt < high)
        high = (uint64_t)backoff->base_ms << backoff->attempt;
    uint64_t span = high - backoff->base_ms + 1;
    return (uint32_t)(backoff->base_ms + next_random(&backoff->seed) % span);
}

void lm_backoff_reset(struct lm_backoff *backoff)
{
    backoff->attempt = 0;
}
