/*
 * Names of two words where one of them would do: 환자 서비스 is patient-service and not patient-app; 병원
 * 예약 may be one service or two.
 */
#include "agent/understand/link.h"

#include <string.h>

size_t ag_plain_service(const struct ag_name **names, size_t count)
{
    const struct ag_name *found = NULL;

    for (size_t k = 0; k < count; k++) {
        const char *second = strchr(names[k]->parts + 1, ' ');
        const char *rest = second ? second + 1 : "";
        size_t n = strcspn(rest, " ");
        bool service = (n == 7 && memcmp(rest, "service", n) == 0) || (n == 3 && memcmp(rest, "svc", n) == 0);
        if (!service || rest[n + (rest[n] == ' ')] != '\0')
            continue;
        if (found)
            return count;
        found = names[k];
    }
    if (!found)
        return count;
    names[0] = found;
    return 1;
}

bool ag_one_name_or_two(struct ag_parse *p, size_t i, const struct ag_name *name)
{
    const struct ag_mention *m = ag_mention_ending(p, i);
    const char *rule = m && m->to == m->from + 1 ? p->tokens->items[m->from].rule : NULL;

    if (!rule || strcmp(rule, "name by part") != 0 || m->field != AG_SERVICE ||
        name->kind != AG_KIND_SERVICE || strcmp(m->value, name->value) == 0 || !ag_is_korean(p, i) ||
        !ag_is_korean(p, m->from))
        return false;
    ag_suggest(p, m->value);
    ag_suggest(p, ag_keep(p, name->value, strlen(name->value)));
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_sayf(p,
                    ag_say(p, "\"%s %s\"이(가) 한 이름인지 두 이름인지 알 수 없습니다.",
                           "\"%s %s\" may be one name or two."),
                    ag_word(p, m->from), ag_word(p, i)),
            ag_say(p, "이름을 그대로 적어 주세요.", "Use the exact name."));
    return true;
}
