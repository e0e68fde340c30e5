/* rules/case_row.h: a case as it travels and is kept (brug.v1.Case), and as it is judged (struct case_file). Pure. */
#ifndef RULES_CASE_ROW_H
#define RULES_CASE_ROW_H

#include "rules/case.h"

/* Its parts, so that nothing is allocated. It may not be moved, and borrows the ids of the case_file. */
struct case_row {
    Brug__V1__Case row;
    Brug__V1__Moment moments[CASE_MOMENTS_MAX], *moment_list[CASE_MOMENTS_MAX];
    Brug__V1__OwedItem owed[CASE_OWED_MAX], *owed_list[CASE_OWED_MAX];
    Brug__V1__Proposal proposal;
    Brug__V1__Bridging bridging_proposed, bridging;
};

/*
 * ERROR_CORRUPT when an id has another length, a list is over its bound, or the case is not sound. A row without a
 * state was opened before cases moved: it is as a referral of that time leaves it.
 */
enum error case_row_read(const Brug__V1__Case *row, struct case_file *out) MUST_CHECK;
/* `was` has what no move changes (municipality, practice, team, message_id, at_ms), and is borrowed too. */
void case_row_write(const struct case_file *c, const Brug__V1__Case *was, struct case_row *out);
void case_row_write_item(const struct owed_item *item, Brug__V1__OwedItem *out);

#endif
