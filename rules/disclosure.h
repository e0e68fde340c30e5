/*
 * rules/disclosure.h: what may be told of a team outside it, so that no count under 5 can be worked out from all that was
 * ever told of the team (T24). Pure.
 *
 * A period's totals are given in the finest form that keeps every small count open: exact from 5 up, else "under 5"; else
 * rounded to the nearest 5; else withheld. Periods are judged one by one, in the order in which they are published, and what was
 * published stays.
 *
 * Why that holds. Let I(t) and O(t) be all referrals and all endings before day t. A published total says something about a
 * difference of two of these: I(b) - I(a) of a period, I(t) - O(t) of what is open; as does what everybody knows: neither falls,
 * and nothing ends before it was referred. From bounds on differences the shortest paths between them give the least and the
 * greatest value that each difference can have, both of them reached by whole numbers. A form is taken only if for every count
 * under 5 that can be asked of the published days (between any two of them, or open on one) these two differ. That is asked
 * twice: of somebody who has the tables, and of somebody who also knows on which day the team had its first referral.
 *
 * A breakdown may be shown of periods that overlap. Cells then may not say more of the totals than these say themselves; and they stay
 * open because one case can be thought in another cell: it lies on the same day, so no total changes, and no rounded cell
 * of any table may. Cells between which cases can be moved so are one group. If every group of a table has 5 at least, then so
 * many or fewer cells that have less than 5 together never are whole groups, and what they have can be one more or one less.
 *
 * What it does not hold against: somebody who knows cases of the team, and who reasons about why a number was withheld.
 */
#ifndef RULES_DISCLOSURE_H
#define RULES_DISCLOSURE_H

#include "base/error.h"
#include "brug/v1/casefile.pb-c.h"
#include "proto/arena.h"

#define DISCLOSURE_FEW 5u

/* What a team counted before a day. */
struct disclosure_point {
    uint32_t referred, ended, consulted;
};

struct disclosure_total {
    Brug__V1__FigureForm form;
    uint32_t number; /* 0 in a form without one */
};

struct disclosure_table {
    size_t from, until; /* points: at its first day, and at the day after its last */
    struct disclosure_total referred, ended, open, consulted;
};

/*
 * The totals of the next table to be published, after the `known_count` that were. Points ascend by day; every table's are
 * among them. ERROR_NO_MEMORY.
 */
enum error disclosure_judge(struct arena *arena, const struct disclosure_point *points,
                            size_t point_count, const struct disclosure_table *known,
                            size_t known_count, struct disclosure_table *next) MUST_CHECK;
/* About how many steps that takes. */
uint64_t disclosure_cost(size_t point_count, size_t known_count);

uint32_t disclosure_round(uint32_t number);

/* ---- breakdowns ---- */

#define DISCLOSURE_CELLS_MAX 40u
#define DISCLOSURE_SPANS_MAX 40u  /* more than a year has periods */
#define DISCLOSURE_POINTS_MAX 80u /* and days on which they begin or end */

/* Of a table: from one point to another. */
struct disclosure_span {
    size_t from, until;
};

/* Whether the cells, which add up to the total that is shown in this form, may be shown rounded, if no table that overlaps
 * shows them. */
bool disclosure_may_round(const uint32_t *cells, size_t n, struct disclosure_total total);
/* Whether the cells of spans[0], and those of the tables that overlap with it, stay open if all of these are shown. From each
 * point to the next, counts has a number for each cell. */
bool disclosure_stays_open(const uint32_t *counts, size_t cell_count,
                           const struct disclosure_span *spans, size_t span_count);
/* Whether the points of these spans hang together by totals that are told exactly: then no cells say more of them. At most
 * DISCLOSURE_POINTS_MAX points. */
bool disclosure_hangs_together(const struct disclosure_span *exact, size_t exact_count,
                               const struct disclosure_span *spans, size_t span_count);

#endif
