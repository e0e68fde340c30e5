/*
 * tests/lib/time_oracle.h: what time does to a case, written a second time: from the defaults of domain.md, design §6
 * and [P-133], [P-160], with the calendar of case_oracle.h and an Amsterdam clock of its own. It shares with rules/ only the
 * shapes of rules/case.h.
 */
#ifndef TESTS_LIB_TIME_ORACLE_H
#define TESTS_LIB_TIME_ORACLE_H

#include "rules/case.h"

#define ORACLE_STEPS_MAX (2u * CASE_OWED_MAX + 1)

enum oracle_course {
    ORACLE_DUE,      /* an item towards its day, and after it */
    ORACLE_UNOPENED, /* the letter that asked for it */
    ORACLE_BRIDGING, /* the end of bridging care */
    ORACLE_OUTAGE,   /* days on which the relay was away; before all else */
};

struct oracle_step {
    enum oracle_course course;
    size_t item;         /* in c->owed; not of bridging care */
    unsigned number;     /* within its course */
    uint32_t date;       /* ORACLE_DUE: its day */
    Brug__V1__Kind kind; /* NONE: nobody is told */
    bool to_practice, to_team;
};

/* In Amsterdam, 2026 to 2028. */
uint32_t oracle_today(int64_t ms);
int64_t oracle_clock_ms(uint32_t date, unsigned hour);

/* When time does something to the case next, if nobody else does; INT64_MAX: never. */
int64_t oracle_next_ms(const struct case_file *c, const struct case_terms *terms,
                       unsigned working_days);
/* The step of each course that has come by now, the last where several have; they may be taken in any order. */
size_t oracle_steps(const struct case_file *c, int64_t now_ms, const struct case_terms *terms,
                    unsigned working_days, struct oracle_step out[ORACLE_STEPS_MAX]);
/* One of them is taken. */
void oracle_take(struct case_file *c, const struct oracle_step *s, int64_t now_ms,
                 const struct case_terms *terms, unsigned working_days);

#endif
