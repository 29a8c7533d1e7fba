#include "agent/model/address.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEY 4096

/* The key of the configuration, or the first line of the file it names; malloc'd, "" for none. */
static char *read_key(const struct ag_config *config, struct lm_error *error)
{
    char text[MAX_KEY];
    size_t len = 0;
    if (config->llm_key_file[0] == '\0') {
        len = strnlen(config->llm_key, sizeof(text) - 1);
        memcpy(text, config->llm_key, len);
    } else {
        FILE *file = fopen(config->llm_key_file, "re");
        if (file == NULL) {
            lm_error_set(error, LM_FATAL, "configuration", "llm.key_file \"%s\" cannot be read",
                         config->llm_key_file);
            return NULL;
        }
        len = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[len] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            lm_error_set(error, LM_FATAL, "configuration",
                         "the key of the model holds what no key holds: blanks or non-ASCII");
            return NULL;
        }
    }
    char *key = strdup(text);
    if (key == NULL) {
        lm_error_set(error, LM_FATAL, "memory", "out of memory for the model");
    }
    return key;
}

static char *join(const char *a, const char *b)
{
    const size_t size = strlen(a) + strlen(b) + 1;
    char *text = malloc(size);
    if (text != NULL) {
        snprintf(text, size, "%s%s", a, b);
    }
    return text;
}

static bool is_local(const char *url)
{
    return strncmp(url, "http://127.", 11) == 0 || strncmp(url, "http://localhost", 16) == 0 ||
           strncmp(url, "http://[::1]", 12) == 0;
}

static int take_url(struct ag_model_address *out, const struct ag_config *config, struct lm_error *error)
{
    const bool anthropic = config->llm_provider == AG_LLM_ANTHROPIC;
    const char *base = config->llm_url;
    if (base[0] == '\0') {
        base = anthropic ? "https://api.anthropic.com" : "https://api.openai.com/v1";
    }
    const bool secure = strncmp(base, "https://", 8) == 0;
    const size_t len = strlen(base);
    if ((!secure && strncmp(base, "http://", 7) != 0) || strchr(base, '@') != NULL ||
        strpbrk(base, "?#") != NULL) {
        return lm_error_set(error, LM_FATAL, "configuration",
                            "llm.url must be http:// or https://, without user, query and fragment");
    }
    if (!secure && !is_local(base)) {
        lm_log(LM_LOG_WARN, "model",
               "llm.url is not https: questions, names and the key go over the network in the clear");
    }
    const char *path = anthropic ? "/v1/messages" : "/chat/completions";
    out->url = join(base, len > 0 && base[len - 1] == '/' ? path + 1 : path);
    return out->url != NULL ? 0 : lm_error_set(error, LM_FATAL, "memory", "out of memory for the model");
}

static int take_key(struct ag_model_address *out, const struct ag_config *config, struct lm_error *error)
{
    char *key = read_key(config, error);
    if (key == NULL) {
        return -1;
    }
    if (key[0] == '\0') {
        free(key);
        return 0;
    }
    if (config->llm_provider == AG_LLM_ANTHROPIC) {
        out->key_header = join("x-api-key: ", key);
        free(key);
        return out->key_header != NULL
                   ? 0
                   : lm_error_set(error, LM_FATAL, "memory", "out of memory for the model");
    }
    out->bearer = key;
    return 0;
}

int ag_model_address_take(const struct ag_config *config, struct ag_model_address *out,
                          struct lm_error *error)
{
    *out = (struct ag_model_address){.url = NULL};
    if (take_url(out, config, error) != 0 || take_key(out, config, error) != 0) {
        ag_model_address_clear(out);
        return -1;
    }
    return 0;
}

void ag_model_address_clear(struct ag_model_address *address)
{
    free(address->url);
    free(address->key_header);
    free(address->bearer);
    *address = (struct ag_model_address){.url = NULL};
}
