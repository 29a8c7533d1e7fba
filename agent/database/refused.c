#include "agent/database/refused.h"

#include <string.h>

#define TOO_MANY_CONNECTIONS "53300" /* of the role, of the database, or of the server */

void ag_refused(struct lm_condition *condition, const struct lm_error *error, const char *takes)
{
    struct lm_error told = *error;

    if (condition == NULL) {
        return;
    }
    if (strcmp(error->sqlstate, TOO_MANY_CONNECTIONS) == 0) {
        lm_error_set(&told, error->decision, error->kind,
                     "%s; each agent takes %s: raise the role's CONNECTION LIMIT (ALTER ROLE), or "
                     "max_connections where the server has none left for anybody",
                     error->text, takes);
    }
    lm_condition_set(condition, told.text);
}
