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
 * and nothing ends before it was referred. So all that is known are bounds on differences, and in whole numbers each difference can
 * have another value unless a ring of bounds holds it that are all just met in truth. A form is taken only if no such ring has a
 * count under 5 that can be asked of the published days (between any two of them, or open on one). That is asked twice: of
 * somebody who has the tables, and of somebody who also knows on which day the team had its first referral and its first consult.
 *
 * A breakdown may be shown of periods that overlap. Cells then may not say more of the totals than these say themselves; and they stay
 * open because one case can be thought in another cell: it lies on the same day, so no total changes, and no rounded cell
 * of any table may. Cells between which cases can be moved so are one group. If every group of a table has 5 at least, then so
 * many or fewer cells that have less than 5 together never are whole groups, and what they have can be one more or one less. And so that
 * tables do not tell what they leave to other days, a case can be moved so between any two neighbouring published days for each cell that
 * has less than 5 there.
 *
 * That is so of a breakdown that is tied to nothing but its own total. Others are told to the team only:
 *  - ended by area: what ended in an area was referred there before, so the two by area would tell of each other;
 *  - days until take-up, start and end: what was taken up was referred before, at most so many days before; what was started was taken up
 *    before, and in no more days. So these would tell of referrals, and of each other.
 * While nothing tells of take-ups, every ended case may have had one, and its outcome is tied to nothing but feedback: a director's
 * closing letter is feedback. So feedback is shown only where it does not say how many of these there are: where all endings are told
 * exactly, and there is more feedback than closing letters (rules/figures.c).
 *
 * What it does not hold against: somebody who knows cases of the team, who reasons about why a number was withheld, or who reckons
 * with the terms (feedback that was late is of a case that came so much earlier).
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
