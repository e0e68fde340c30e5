/*
 * tests/lib/case_oracle.h: what the papers say of a case, written a second time: from domain.md and the table of
 * design §6, one function a kind, each with its row, and with a calendar of its own. It shares with rules/case only
 * the shapes of rules/case.h. Slow, and meant to be read beside the papers.
 */
#ifndef TESTS_LIB_CASE_ORACLE_H
#define TESTS_LIB_CASE_ORACLE_H

#include "rules/case.h"

/* As case_judge; what is born in `after` has no id. */
enum error oracle_judge(const struct case_file *before, const struct case_move *move,
                        struct case_file *after, struct case_ends *ends) MUST_CHECK;
/* As case_opened and case_day_comes. */
bool oracle_opened(struct case_file *c, Brug__V1__Side by, const struct id *message_id);
bool oracle_day_comes(struct case_file *c, uint32_t today, int64_t now_ms, unsigned working_days,
                      const struct case_terms *terms);
/* Whether the team must do this before it may close. */
bool oracle_stops_closing(const struct case_file *c, const struct owed_item *item, uint32_t today);

/* The calendar, from 2025 to 2028: days since 1970, and the n-th working day after a date. */
uint32_t oracle_date(unsigned year, unsigned month, unsigned day);
bool oracle_is_working_day(uint32_t date, unsigned working_days);
uint32_t oracle_working_day(uint32_t date, unsigned n, unsigned working_days);
/* The same over days on which the relay worked, as far as the first so many outages say. */
uint32_t oracle_day_at_work(uint32_t date, unsigned n, unsigned working_days,
                            const struct case_terms *terms, size_t outages);
/* What the relay's operator said since moves the dates of the case. */
void oracle_take_in(struct case_file *c, const struct case_terms *terms, unsigned working_days);

#endif
