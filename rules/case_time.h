/*
 * rules/case_time.h: what time does to a case: reminders, overdue notices, letters that nobody opens, bridging care
 * that ends (design §6, domain.md "Defaults"). Pure.
 *
 * Notices come at 8 o'clock in Amsterdam. Each item of what is owed goes through these steps, each taken once:
 *
 *   notices           0: the debtor is reminded `terms.remind` working days before the due date (closing: on that date)
 *                     1: overdue, on the working day after it; both sides
 *                     2…: overdue still, every `terms.overdue` working days after the last (told_date)
 *   unopened_notices  0: nobody opened the letter that caused it within `terms.not_opened` working days; both sides
 *                     1: nor within `terms.not_delivered`: non-delivery, to the sender's side. Then no more.
 *
 * Working days on which the relay was away, by its operator's word, count nowhere (rules/outage.h). A case that waits for
 * a time takes in such an outage first, at once, and nobody is told. What was called overdue before keeps its steps; the
 * next comes not before the day after the moved due date.
 *
 * Steps whose time has passed are taken as one: the last of them. A reminder that would come on the day of birth or
 * before is left out.
 */
#ifndef RULES_CASE_TIME_H
#define RULES_CASE_TIME_H

#include "rules/case.h"

struct case_notice {
    Brug__V1__Kind
        kind; /* REMINDER, OVERDUE, NOT_OPENED, NON_DELIVERY; NONE: the case changed, nobody is told */
    bool to_practice, to_team;
    struct owed_item
        item;      /* that it is about; kind NONE: bridging care, whose proposal is item.cause */
    unsigned step; /* of the item: with item, kind and cause it names the notice */
};

/* When the next step is due, ms since 1970; 0: at once; INT64_MAX: nothing waits for a time. */
int64_t case_next_ms(const struct case_file *c, const struct case_terms *terms,
                     unsigned working_days);
/* Takes one step whose time has come; false: there is none. Call again until then. */
bool case_take_step(struct case_file *c, int64_t now_ms, const struct case_terms *terms,
                    unsigned working_days, struct case_notice *out);

#endif
