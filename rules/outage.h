/*
 * rules/outage.h: days on which the relay was away, by the word of its operator [P-160]. Nobody could send a letter then, so they
 * count in no term: what was left of it when the outage began runs on after it. Pure.
 *
 * A case takes in each outage once, and then its due dates are the later ones. Moved is what is a term: each working day of
 * the debtor's side that lay in the outage and in the term comes after its due date instead. Not moved is a day that a
 * person named, because somebody counts on that day: a moment by date, the date of a DELAY, and the end of bridging care.
 *
 * In which order outages were recorded makes no difference to a date.
 */
#ifndef RULES_OUTAGE_H
#define RULES_OUTAGE_H

#include "rules/case.h"

/* Whether outages were recorded that the case has not taken in. */
bool outage_is_pending(const struct case_file *c, const struct case_terms *terms);
/* Takes in all of these. */
void outage_take_in(struct case_file *c, const struct case_terms *terms, unsigned working_days);
/* As workdays_add, over working days on which the relay was not away. */
uint32_t outage_workdays_add(const struct case_terms *terms, uint32_t date, unsigned n,
                             unsigned mask);

#endif
