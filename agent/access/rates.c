#include "agent/access/rates.h"

#include "common/clock.h"
#include "common/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_SIZE 64
#define REFUSED_US (10 * LM_SECOND_US) /* not asked again for so long where the script cannot be run */

enum by { BY_REDIS, BY_AGENT, BYS };

struct ag_rates {
    struct ag_rates_options options;
    struct lm_counter *decided[BYS];
    int64_t again_us;
    struct lm_log_limit complaint;
};

/*
 * KEYS[1]: a bucket, as the microsecond at which it is full; it ends by itself then. ARGV: microseconds that
 * these tokens take to come, and all of a full bucket. One that is further than a whole bucket away, by a
 * clock that was set back, is taken for empty.
 */
static const char take_script[] = "local now = redis.call('TIME')\n"
                                  "now = now[1] * 1000000 + now[2]\n"
                                  "local full = tonumber(redis.call('GET', KEYS[1]) or now) or now\n"
                                  "if not (full > now) then full = now end\n"
                                  "full = math.min(full, now + ARGV[2]) + ARGV[1]\n"
                                  "local wait = full - now - ARGV[2]\n"
                                  "if wait > 0 then return math.ceil(wait) end\n"
                                  "redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX',\n"
                                  "           string.format('%.0f', math.ceil((full - now) / 1000) + 1))\n"
                                  "return 0\n";

/* Microseconds in which so many tokens come. */
static double time_of(const struct ag_config *config, double tokens)
{
    return tokens * 60.0 * (double)LM_SECOND_US / (double)config->rate_limit;
}

int64_t ag_bucket_take(struct ag_bucket *bucket, const struct ag_config *config, double tokens,
                       int64_t now_us)
{
    if (config->rate_limit == 0) {
        return 0;
    }
    const double from_us = (double)(bucket->full_us > now_us ? bucket->full_us - now_us : 0);
    const double full_us = from_us + time_of(config, tokens);
    const double wait_us = full_us - time_of(config, (double)config->rate_burst);
    if (wait_us > 0) {
        return (int64_t)ceil(wait_us);
    }
    bucket->full_us = now_us + (int64_t)full_us;
    return 0;
}

static void on_reply(const struct ag_reply *reply, void *context)
{
    struct ag_rate_question *question = context;
    struct ag_rates *rates = question->rates;
    const bool good = reply != NULL && reply->type == AG_REPLY_NUMBER && reply->number >= 0;
    if (reply != NULL && !good) {
        rates->again_us = lm_clock_mono_us() + REFUSED_US;
        lm_log_limited(&rates->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "rates",
                       "Redis does not share the rates of API keys, each agent has its own meanwhile: %.200s",
                       reply->type == AG_REPLY_ERROR ? reply->text : "it answers nonsense");
    }
    lm_counter_add(rates->decided[good ? BY_REDIS : BY_AGENT], 1);
    question->told(good ? reply->number : -1, question->context);
}

bool ag_rates_ask(struct ag_rates *rates, const char *key, double tokens, struct ag_rate_question *question)
{
    const struct ag_config *config = rates->options.config;
    char name[KEY_SIZE], takes[32], whole[32];
    const char *const arguments[2] = {takes, whole};
    if (rates->options.redis == NULL || lm_clock_mono_us() < rates->again_us) {
        lm_counter_add(rates->decided[BY_AGENT], 1);
        return false;
    }
    snprintf(name, sizeof(name), "logmill:rate:%s", key);
    snprintf(takes, sizeof(takes), "%.0f", time_of(config, tokens));
    snprintf(whole, sizeof(whole), "%.0f", time_of(config, (double)config->rate_burst));
    question->rates = rates;
    question->redis = (struct ag_redis_lookup){.told = on_reply, .context = question};
    const bool asked = ag_redis_run(rates->options.redis, take_script, name, arguments, &question->redis);
    if (!asked) {
        lm_counter_add(rates->decided[BY_AGENT], 1);
    }
    return asked;
}

void ag_rates_forget(struct ag_rate_question *question)
{
    ag_redis_forget(&question->redis);
}

struct ag_rates *ag_rates_new(const struct ag_rates_options *options)
{
    static const char *const labels[BYS] = {[BY_REDIS] = "by=\"redis\"", [BY_AGENT] = "by=\"agent\""};
    struct ag_rates *rates = calloc(1, sizeof(*rates));
    for (size_t i = 0; rates != NULL && i < BYS; i++) {
        rates->decided[i] = lm_counter(options->metrics, "logmill_agent_rate_decisions_total", labels[i],
                                       "Whether an API key may ask, by who knew how often it had.");
    }
    if (rates != NULL) {
        rates->options = *options;
    }
    return rates;
}

void ag_rates_free(struct ag_rates *rates)
{
    free(rates);
}
