/*
 * What a word can mean to the rules. The vocabulary names concepts by the names in concept.c; a word may have
 * several.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_CONCEPT_H
#define LOGMILL_AGENT_UNDERSTAND_CONCEPT_H

enum ag_concept {
    AG_C_NONE,
    /* Found by the scanner, not in the vocabulary. */
    AG_C_WORD,       /* a Latin word or identifier nobody knows */
    AG_C_HANGUL,     /* Hangul nobody knows */
    AG_C_OTHER,      /* any other script or symbol */
    AG_C_QUOTED,     /* text between quotes */
    AG_C_NUMBER,     /* digits, or a number word */
    AG_C_PATH,       /* starts with a slash */
    AG_C_ADDRESS,    /* IP address */
    AG_C_DATE,       /* 2026-03-15 */
    AG_C_MONTH_DATE, /* 3/15 */
    AG_C_YEAR_MONTH, /* 2026-03 */
    AG_C_CLOCK,      /* 14:05 */
    AG_C_INSTANT,    /* 2026-03-15T10:20:00Z */
    AG_C_COMMA,
    AG_C_DASH, /* - ~ between two things */
    AG_C_EQUALS,
    AG_C_STOP, /* . ? ! and brackets */
    /* Grammar. */
    AG_C_PARTICLE, /* value: "c" after a consonant, "v" after a vowel, "r" after a vowel or ㄹ, "" anywhere */
    AG_C_ENDING,
    AG_C_VERB,  /* a verb of asking or happening that adds nothing: 나다, 발생하다, occur */
    AG_C_NOISE, /* courtesy and fillers */
    AG_C_PREPOSITION,
    AG_C_AND,
    AG_C_OR,
    AG_C_THING, /* 거, 것, ones */
    AG_C_IS,    /* is there, did, have */
    /* Time. */
    AG_C_UNIT, /* value: s m h d w M q y, ms */
    AG_C_OCLOCK,
    AG_C_ORDINAL,  /* st, nd, rd, th */
    AG_C_SPAN,     /* value: "3 day" */
    AG_C_JUST_NOW, /* value: "5 minute" */
    AG_C_RECENT,   /* 최근, recently: rolls */
    AG_C_PAST,     /* 지난, past, last: rolls with a number */
    AG_C_LAST,     /* last: rolls below a day, calendar above */
    AG_C_THIS,
    AG_C_DAY_REF,  /* value: days from today */
    AG_C_CALENDAR, /* value: "week -1" */
    AG_C_WEEKDAY,  /* value: 1-7 */
    AG_C_WEEKEND,
    AG_C_PART, /* value: "18:00-22:00" */
    AG_C_MONTH_NAME,
    AG_C_AGO,
    AG_C_AM,
    AG_C_PM,
    AG_C_NIGHT, /* 밤, 새벽 before a clock hour; value: night or dawn */
    AG_C_NOON,
    AG_C_MIDNIGHT,
    AG_C_HALF,
    AG_C_FROM,
    AG_C_TO,
    AG_C_BETWEEN,
    AG_C_SINCE,
    AG_C_BEFORE,
    AG_C_AFTER,
    AG_C_AROUND,
    AG_C_WITHIN,
    AG_C_DURING,
    AG_C_NOW,
    AG_C_SO_FAR,
    AG_C_MONTH_START,
    AG_C_MONTH_MIDDLE,
    AG_C_MONTH_END,
    AG_C_ALL_TIME,
    AG_C_ZONE,    /* value: IANA */
    AG_C_CITY,    /* value: IANA; a zone only with 시간, time or 기준 */
    AG_C_IN_ZONE, /* 기준, 시간으로, time */
    AG_C_SHIFT,   /* value: "day": the day before, of a follow-up */
    AG_C_FUTURE,
    AG_C_DAYS,         /* weekdays, weekends; value: their ISO numbers, "1,2,3,4,5" */
    AG_C_WORK_HOURS,   /* business hours */
    AG_C_SAME_TIME,    /* 같은 시간까지 */
    AG_C_EVENT_ANCHOR, /* deployment */
    /* What is asked about. */
    AG_C_LOG,
    AG_C_ERROR,
    AG_C_LEVEL, /* value: DEBUG … */
    AG_C_REQUEST,
    AG_C_RESPONSE,
    AG_C_FAIL,
    AG_C_DURATION,
    AG_C_PAGE_LOAD,
    AG_C_PAGE_VIEW,
    AG_C_STATUS_CLASS, /* value: 5xx */
    AG_C_FIELD,        /* value: field name */
    AG_C_DOMAIN,       /* value: English roots, comma-separated */
    AG_C_VALUE,        /* value: "field=value": browsers, devices, log types, categories, methods */
    AG_C_ENVIRONMENT,  /* value: names it may have */
    AG_C_ORGANIZATION, /* 병원, 지점: value: metadata keys that may tell them apart, comma-separated */
    AG_C_PLACE,        /* 부산: value: how it may be written in the data, comma-separated */
    AG_C_HEALTH,
    AG_C_SERVICE_WORD, /* 서비스, service: names a kind, and a field */
    AG_C_LOGIN_TRY,    /* brute force attempts */
    AG_C_ATTEMPT,      /* 시도, attempts: of something done, however it ended */
    /* Measures and shapes. */
    AG_C_COUNT,
    AG_C_COUNT_PEOPLE,
    AG_C_TOTAL,
    AG_C_SHOW,
    AG_C_LIST,
    AG_C_NAMES,
    AG_C_WHICH,
    AG_C_RATE, /* 에러율 */
    AG_C_FAIL_RATE,
    AG_C_OK_RATE, /* 성공률: of something the data has both outcomes of, or what is not 5xx */
    AG_C_PERCENT,
    AG_C_SLOW,
    AG_C_FAST,
    AG_C_SLOWEST,
    AG_C_FASTEST,
    AG_C_AVERAGE,
    AG_C_MAXIMUM,
    AG_C_MINIMUM,
    AG_C_SUM,
    AG_C_PERCENTILE,      /* value: fraction */
    AG_C_PERCENTILE_WORD, /* percentile, 퍼센타일, after a number */
    AG_C_PER,             /* value: unit; 초당, per second */
    AG_C_SERIES,
    AG_C_BY_TIME, /* value: unit; hourly, 시간별 */
    AG_C_BUCKET,  /* 단위, 간격: after number and unit */
    AG_C_EVERY,
    AG_C_BUSIEST,
    AG_C_QUIETEST,
    AG_C_TIME_SLOT, /* 시간대: which part of the day */
    AG_C_WHEN,
    AG_C_SPIKE,
    AG_C_STOPPED,
    AG_C_NEW,
    AG_C_FIRST,
    AG_C_FINAL,
    AG_C_STILL,
    AG_C_DISTINCT,
    AG_C_COMPARE,
    AG_C_BEFORE_AFTER,
    AG_C_SUMMARY,
    AG_C_WHY,
    AG_C_HISTORY,
    AG_C_PATTERN,
    AG_C_DISTRIBUTION,
    AG_C_CAUSE, /* responsible for */
    /* Grouping, ordering, conditions. */
    AG_C_BY,
    AG_C_BY_BEFORE, /* by, per, for each: before the field */
    AG_C_BY_AFTER,  /* 기준으로, 나눠서: after the field */
    AG_C_EACH,
    AG_C_TOP,
    AG_C_BOTTOM,
    AG_C_MOST,
    AG_C_FEWEST,
    AG_C_HIGHEST,
    AG_C_LOWEST,
    AG_C_NEWEST,
    AG_C_OLDEST,
    AG_C_ORDER,
    AG_C_NOT,     /* 빼고, 말고, excluding */
    AG_C_REST,    /* 나머지, 다른: behind what is left out, what is left */
    AG_C_WITHOUT, /* 없는: of what had none of it */
    AG_C_ONLY,
    AG_C_AT_LEAST,
    AG_C_AT_MOST,
    AG_C_ABOVE,
    AG_C_BELOW,
    AG_C_CONTAINS,
    AG_C_NOT_CONTAINS,
    AG_C_TAGGED,
    AG_C_SAME,     /* 같은: same address */
    AG_C_WHATEVER, /* 구분 없이, regardless of: of all of a kind at once */
    AG_C_PART_OF,  /* involved in: of a trace or session, the records it has */
    AG_C_COUNTER,  /* 건, 개, 번, 회, 명: after a number */
    /* Talk. */
    AG_C_PRONOUN, /* 그거, that */
    AG_C_FOLLOW,  /* 그중에서, what about */
    AG_C_DESTROY,
    AG_C_DESTROY_VERB, /* destroys only at the beginning: update, remove */
    AG_C_SQL,
    AG_C_PROMPT,
    AG_C_FORECAST,
    AG_C_VAGUE,    /* numbers, stuff: names no measure */
    AG_C_ORDINARY, /* means nothing here, and is no misspelling of what does: table, not tablet */
    AG_C_COUNT_OF
};

/* -1 for an unknown name. */
int ag_concept_from_name(const char *name);
const char *ag_concept_name(enum ag_concept concept);

#endif
