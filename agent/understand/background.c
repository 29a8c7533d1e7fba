/*
 * What is told before the question and asks nothing: "we got complaints from users, so …", 결제가 안된다고
 * 문의가 들어왔는데. Such a clause is set aside, and the answer says so. It must tell of somebody who said or
 * saw something, ask nothing, name no time, and leave a question that stands by itself. A name in it that the
 * question leaves out is kept as a condition. What happened before a time in brackets is told as well: 설정
 * 바꾼 뒤로(오늘 9시 반).
 */
#include "agent/understand/link.h"
#include "agent/understand/moment.h"

#include <ctype.h>
#include <string.h>

#define COUNT_OF(words) (sizeof words / sizeof *words)

static bool holds_one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (strstr(text, words[k]))
            return true;
    }
    return false;
}

static bool ends_with_one_of(const char *text, const char *const *words, size_t n)
{
    size_t len = strlen(text);

    for (size_t k = 0; k < n; k++) {
        size_t m = strlen(words[k]);
        if (len >= m && strcmp(text + len - m, words[k]) == 0)
            return true;
    }
    return false;
}

/* The matching letters of tokens [from, to). */
static const char *letters(struct ag_parse *p, size_t from, size_t to)
{
    char *text = ag_text_utf8(&p->text, p->tokens->items[from].from, p->tokens->items[to - 1].to, p->arena);

    p->memory = p->memory || !text;
    return text ? text : "";
}

/* Does somebody say, report or complain in tokens [from, to)? */
static bool tells(struct ag_parse *p, size_t from, size_t to)
{
    static const char *const verbs[] = {
        "complaint", "complaints", "complain",  "complained", "complaining",   "complains",  "say",
        "says",      "said",       "saying",    "claim",      "claims",        "reporting",  "reported",
        "reports",   "noticed",    "heard",     "told",       "tickets",       "paged",      "alerted",
        "grumbling", "yelling",    "screaming", "mentioned",  "asked",         "asking",     "calls",
        "telling",   "worried",    "think",     "guess",      "suspect",       "suspecting", "trying",
        "hoping",    "wondering",  "checking",  "debugging",  "investigating", "preparing",  "gauging",
        "seems",     "feels",      "afraid",    "i think",    "i guess",       "i believe",  "i suppose",
        "trying to"};
    static const char *const korean[] = {"문의",   "신고", "제보", "연락",   "컴플레인", "클레임",  "항의",
                                         "민원",   "불만", "난리", "전화가", "다고 하",  "다고 해", "다고 그",
                                         "다는데", "대요", "다네", "라던데", "다던데",   "라는데",  "얘기가"};
    bool said = false;

    if (p->language == AG_KO)
        return holds_one_of(letters(p, from, to), korean, COUNT_OF(korean));
    for (size_t i = from; i < to; i++) {
        said = said || ag_says(p, i, verbs, COUNT_OF(verbs));
    }
    return said;
}

/* Is anything asked, or a time named, in tokens [from, to)? */
static bool asks_or_times(const struct ag_parse *p, size_t from, size_t to)
{
    static const enum ag_concept words[] = {
        AG_C_COUNT,    AG_C_RATE,   AG_C_WHICH,   AG_C_TOP,     AG_C_MOST,    AG_C_PERCENT,  AG_C_NUMBER,
        AG_C_CLOCK,    AG_C_DATE,   AG_C_DAY_REF, AG_C_INSTANT, AG_C_SPAN,    AG_C_COMPARE,  AG_C_WHY,
        AG_C_LIST,     AG_C_QUOTED, AG_C_PATH,    AG_C_ADDRESS, AG_C_PART,    AG_C_CALENDAR, AG_C_WEEKDAY,
        AG_C_JUST_NOW, AG_C_RECENT, AG_C_NOT,     AG_C_ONLY,    AG_C_WITHOUT, AG_C_BY_BEFORE};

    for (size_t i = from; i < to; i++) {
        for (size_t k = 0; k < COUNT_OF(words); k++) {
            if (ag_reads(p, i, words[k]) && !ag_reads(p, i, AG_C_NOISE))
                return true;
        }
        if (ag_reads(p, i, AG_C_NUMBER) && isdigit((unsigned char)ag_word(p, i)[0]))
            return true;
        if (ag_reads(p, i, AG_C_SHOW) && !ag_is_korean(p, i) && strncmp(ag_word(p, i), "report", 6) != 0)
            return true;
    }
    return false;
}

/* Do tokens [from, to) make a question: something that is measured or shown? */
static bool asks_by_itself(const struct ag_parse *p, size_t from, size_t to)
{
    static const enum ag_concept subjects[] = {AG_C_LOG,      AG_C_ERROR,   AG_C_LEVEL,    AG_C_REQUEST,
                                               AG_C_RATE,     AG_C_SLOW,    AG_C_FAIL,     AG_C_STATUS_CLASS,
                                               AG_C_DURATION, AG_C_SLOWEST, AG_C_FAIL_RATE};

    for (size_t i = from; i < to; i++) {
        for (size_t k = 0; k < COUNT_OF(subjects); k++) {
            if (ag_reads(p, i, subjects[k]))
                return true;
        }
        if (p->tokens->items[i].name_count > 0)
            return true;
    }
    return p->found.p_count > 0;
}

/* 고객, users: who said it, and no condition. */
static bool is_people(const struct ag_parse *p, size_t i)
{
    const char *roots = ag_reads_value(p, i, AG_C_DOMAIN);

    return (roots && (strncmp(roots, "user", 4) == 0 || strncmp(roots, "customer", 8) == 0 ||
                      strncmp(roots, "member", 6) == 0)) ||
           ag_names_field(p, i, "user_id");
}

static bool is_a_name(const struct ag_parse *p, size_t i)
{
    return !is_people(p, i) && (p->tokens->items[i].name_count > 0 || ag_reads(p, i, AG_C_DOMAIN));
}

/* u1234: letters and digits, whatever they are of. */
static bool is_identifier(const struct ag_parse *p, size_t i)
{
    const char *word = ag_word(p, i);

    return ag_is(p->tokens, i, AG_C_WORD) && strpbrk(word, "0123456789") && strlen(word) > 3;
}

/* 이 분, "this user": who was named before. */
static void take_pronouns(struct ag_parse *p, size_t from)
{
    static const char *const these[] = {"이", "그", "해당", "this", "that"};
    static const char *const people[] = {"분", "사람", "고객", "고객님", "유저", "회원", "user", "customer"};

    for (size_t i = from; i + 1 < p->tokens->count; i++) {
        if (ag_says(p, i, these, COUNT_OF(these)) && ag_says(p, i + 1, people, COUNT_OF(people)))
            ag_consume(p->tokens, i, i + 2, "background");
    }
}

static void set_aside(struct ag_parse *p, size_t from, size_t to, size_t rest_from, size_t rest_to)
{
    const char *typed;
    size_t first;
    bool named = false;
    bool kept = false;

    for (size_t i = rest_from; i < rest_to; i++)
        named = named || is_a_name(p, i) || is_identifier(p, i);
    for (size_t i = from; i < to; i++) {
        if (is_identifier(p, i) && is_people(p, i + 1)) {
            ag_mention_add(p, i, i + 2, AG_USER_ID, NULL, AG_IN,
                           ag_typed(p, p->tokens->items[i].from, p->tokens->items[i].to), "identifier");
            kept = true;
        } else if (p->tokens->items[i].rule || is_identifier(p, i) || (!named && is_a_name(p, i))) {
            kept = kept || is_identifier(p, i);
        } else {
            ag_consume(p->tokens, i, i + 1, "background");
        }
    }
    for (first = from;
         first + 1 < to && (!p->tokens->items[first].rule || ag_reads(p, first, AG_C_PARTICLE));)
        first++;
    if (kept)
        take_pronouns(p, rest_from);
    typed = ag_typed(p, p->tokens->items[first].from, p->tokens->items[to - 1].to);
    ag_assume(p, "background", ag_sayf(p, "\"%s\"은(는) 배경 설명으로 보고 조건에서 뺐습니다.", typed),
              ag_sayf(p, "\"%s\" is taken as background, not as a condition.", typed));
}

/* Does a clause end before token `i`: a comma, a stop, "so", 는데? */
static bool parts_clauses(const struct ag_parse *p, size_t i)
{
    static const char *const endings[] = {"는데", "은데", "던데", "인데", "해서", "와서", "길래", "니까",
                                          "네",   "네요", "대서", "래서", "셔서", "데요", "대요", "래요"};

    if (ag_reads(p, i, AG_C_COMMA) || ag_reads(p, i, AG_C_STOP) ||
        (strcmp(ag_word(p, i), "so") == 0 && i > 2) ||
        (ag_reads(p, i, AG_C_DASH) && !p->tokens->items[i].glued))
        return true;
    return ag_is_korean(p, i - 1) && !p->tokens->items[i].glued &&
           ends_with_one_of(ag_word(p, i - 1), endings, COUNT_OF(endings));
}

/* "CS인데요 …", 운영팀입니다: who asks. One unknown word or a team, and no more. */
static void introduction(struct ag_parse *p)
{
    static const char *const endings[] = {"인데", "인데요", "입니다", "이에요",
                                          "예요", "에요",   "이요",   "인데여"};
    static const char *const teams[] = {"팀", "센터", "담당", "담당자", "개발자", "운영자",
                                        "cs", "ops",  "qa팀", "기획",   "마케팅"};
    size_t end = 0;

    while (end < 3 && end + 1 < p->tokens->count && !ag_says(p, end, endings, COUNT_OF(endings)))
        end++;
    if (end == 0 || end > 2 || !p->tokens->items[end].glued || !ag_says(p, end, endings, COUNT_OF(endings)) ||
        end + 2 >= p->tokens->count || !ends_with_one_of(letters(p, 0, end), teams, COUNT_OF(teams)))
        return;
    for (size_t i = 0; i < end; i++) {
        if (p->tokens->items[i].name_count > 0)
            return;
    }
    ag_consume(p->tokens, 0, end + 1, "background");
}

/* May token `i` belong to what happened: no time, nothing asked or measured? */
static bool may_have_happened(const struct ag_parse *p, size_t i)
{
    return !ag_reads(p, i, AG_C_COMMA) && !ag_reads(p, i, AG_C_STOP) && !asks_or_times(p, i, i + 1) &&
           !ag_reads(p, i, AG_C_LOG) && !ag_reads(p, i, AG_C_ERROR) && !ag_reads(p, i, AG_C_LEVEL) &&
           !ag_reads(p, i, AG_C_REQUEST) && !ag_reads(p, i, AG_C_FAIL) && !ag_reads(p, i, AG_C_STATUS_CLASS);
}

/* The ")" behind a time in brackets that open at `open`, or SIZE_MAX where they hold anything else. */
static size_t time_closes(struct ag_parse *p, size_t open)
{
    struct ag_moment moment;
    size_t end = ag_moment_read(p, open + 1, false, NULL, &moment);

    if (end == open + 1 || moment.bare_number)
        return SIZE_MAX;
    if (ag_reads(p, end, AG_C_FROM) && ag_is_korean(p, end))
        end++;
    return strcmp(ag_word(p, end), ")") == 0 ? end : SIZE_MAX;
}

static bool says_since(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_SINCE) || ag_reads(p, i, AG_C_AFTER);
}

/* 설정, "cache": words of business that name no service here are part of what happened. */
static void take_nameless(struct ag_parse *p, size_t from, size_t to)
{
    const struct ag_name *found[AG_MAX_CANDIDATES];

    for (size_t i = from; i < to; i++) {
        if (p->tokens->items[i].name_count == 0 && ag_reads(p, i, AG_C_DOMAIN) &&
            ag_candidates(p, i, AG_KIND_SERVICE, found) == 0)
            ag_consume(p->tokens, i, i + 1, "background");
    }
}

/* 설정 바꾼 뒤로(오늘 9시 반), "since the config change (9:30 today)": what happened is told, and the time in
 * brackets is when. */
static bool told_since(struct ag_parse *p, size_t open)
{
    const size_t count = p->tokens->count;
    const bool korean = ag_is_korean(p, open - 1);
    size_t close;
    size_t from = open - 1;

    if (strcmp(ag_word(p, open), "(") != 0 || (korean && !says_since(p, from)) ||
        (close = time_closes(p, open)) == SIZE_MAX)
        return false;
    while (from > 0 && (korean || !says_since(p, from)) && may_have_happened(p, from - 1))
        from--;
    if (from + 1 >= open || (!korean && !says_since(p, from)))
        return false;
    if (asks_by_itself(p, close + 1, count) || (from > 0 && asks_by_itself(p, 0, from)))
        take_nameless(p, from, open);
    if (asks_by_itself(p, close + 1, count))
        set_aside(p, from, open, close + 1, count);
    else if (from > 0 && asks_by_itself(p, 0, from))
        set_aside(p, from, open, 0, from);
    else
        return false;
    p->since_told = open + 2;
    return true;
}

/* "i think …", "we suspect …", "trying to …": the asker speaks of himself. */
static bool says_i(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"i",           "we",        "i'm",      "we're",
                                        "i think",     "i guess",   "trying",   "trying to",
                                        "just trying", "i suppose", "i believe"};

    return ag_says(p, i, words, COUNT_OF(words));
}

/* 로그인 무차별 대입 들어온듯. …: what somebody supposes before asking, up to the time it is said of, which
 * is the question's as well. */
static bool supposes(struct ag_parse *p, size_t end)
{
    static const char *const endings[] = {"듯", "듯해", "듯함", "듯한데", "듯요"};
    size_t last = end;
    size_t from;

    while (last > 0 && ag_reads(p, last - 1, AG_C_STOP))
        last--;
    if (last == 0 || last == end || !ag_says(p, last - 1, endings, COUNT_OF(endings)) ||
        !asks_by_itself(p, end, p->tokens->count))
        return false;
    for (from = last; from > 0 && !asks_or_times(p, from - 1, from) && !ag_reads(p, from - 1, AG_C_PART);)
        from--;
    if (from == last)
        return false;
    set_aside(p, from, last, end, p->tokens->count);
    return true;
}

/* 어제 밤에 결제가 이상했다던데 …, "last night users said …, so …": the time a clause begins with is the
 * question's as well. The token behind it, `end` at most. */
static size_t past_time(const struct ag_parse *p, size_t end)
{
    static const enum ag_concept times[] = {AG_C_DAY_REF, AG_C_CALENDAR, AG_C_PART,   AG_C_WEEKDAY,
                                            AG_C_AM,      AG_C_PM,       AG_C_NIGHT,  AG_C_CLOCK,
                                            AG_C_OCLOCK,  AG_C_JUST_NOW, AG_C_AROUND, AG_C_FROM};
    size_t at = 0;

    while (at < end) {
        bool time = at > 0 && ag_reads(p, at, AG_C_PARTICLE);
        for (size_t k = 0; k < COUNT_OF(times) && !time; k++)
            time = ag_reads(p, at, times[k]);
        time = time || (ag_reads(p, at, AG_C_NUMBER) && ag_reads(p, at + 1, AG_C_OCLOCK));
        if (!time)
            break;
        at++;
    }
    return at;
}

void ag_background_rule(struct ag_parse *p)
{
    const size_t count = p->tokens->count;
    size_t from;

    introduction(p);
    for (size_t i = 1; i < count; i++) {
        if (p->language == AG_KO && supposes(p, i))
            return;
    }
    for (size_t i = 1; i < count; i++) {
        if (told_since(p, i))
            return;
    }
    for (size_t i = count > 2 ? count - 2 : 0; i > 1; i--) {
        if (!parts_clauses(p, i))
            continue;
        from = past_time(p, i);
        if (from < i && tells(p, from, i) && !asks_or_times(p, from, i) && asks_by_itself(p, i, count)) {
            set_aside(p, from, i, i, count);
            return;
        }
        /* "errors in the last hour? users are complaining", "…, i think it died" */
        if (p->language == AG_EN &&
            (ag_reads(p, i, AG_C_STOP) || (ag_reads(p, i, AG_C_COMMA) && says_i(p, i + 1))) &&
            tells(p, i + 1, count) && !asks_or_times(p, i + 1, count) && asks_by_itself(p, 0, i)) {
            set_aside(p, i + 1, count, 0, i);
            return;
        }
    }
}
