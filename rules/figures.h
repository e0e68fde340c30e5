/*
 * rules/figures.h: figures [R50]-[R56]: what each move of a case counts for, and the rows that are made of the counts of a period.
 * No registration is asked of anybody [R52]. Pure.
 *
 * Referrals are counted as in when they come, and as out when they end in any way; what is open is the one less the other [R54].
 * Consults are counted by themselves. Days are working days, Monday to Friday without Dutch public holidays, from the
 * referral on. Feedback is what a team owes a GP (start, closing, a named moment, an answer, advice); it was on time if it
 * was settled on its due date at the latest. What lapsed was never given and counts for nothing.
 *
 * The share that is handled without onward referral [R56] follows from the outcomes: of the cases that a director closed, which is
 * after take-up, those with another outcome than YOUTH_CARE. What was declined, stopped, withdrawn or ended by a leader is in neither.
 */
#ifndef RULES_FIGURES_H
#define RULES_FIGURES_H

#include "brug/v1/record.pb-c.h"
#include "rules/case.h"
#include "rules/disclosure.h"

/* What is counted, with a code. Numbers reach the disk. */
enum figure_event {
    FIGURE_REFERRED = 1, /* Reason */
    FIGURE_ENDED = 2,    /* Outcome */
    FIGURE_CONSULTED = 3,
    FIGURE_ADVISED = 4,
    FIGURE_TAKEN_UP = 5,   /* days */
    FIGURE_STARTED = 6,    /* days */
    FIGURE_ENDED_DAYS = 7, /* days */
    FIGURE_ON_TIME = 8,    /* OwedKind */
    FIGURE_LATE = 9,       /* OwedKind */
};

#define FIGURE_EVENTS (FIGURE_LATE + 1)
#define FIGURE_DAYS_MAX 999u /* more counts as so many */

struct figure_count {
    enum figure_event event;
    uint32_t code;
};

#define FIGURE_COUNTS_MAX (CASE_OWED_MAX + 2u)

/* What a move counts for; of the record alone. Returns how many. */
size_t figures_of_move(const Brug__V1__CaseMoved *m, struct figure_count out[FIGURE_COUNTS_MAX]);
/* What a case of before cases moved counts for, as it comes (CASE_OPENED): a referral. */
struct figure_count figures_of_opened(const Brug__V1__Case *c);
/* The day on which something counts, whatever the clock says: none up to closed_until (0: none is closed), and none before the
 * day on which the case came, so that nothing ends before it was referred. */
uint32_t figures_day(int64_t at_ms, int64_t opened_at_ms, uint32_t closed_until);
/* False for what no move gives: a row that is not ours. */
bool figures_is_count(uint64_t event, uint64_t code);

/* ---- the counts of a period ---- */

enum figure_span { FIGURE_SPAN_TAKE_UP, FIGURE_SPAN_START, FIGURE_SPAN_END, FIGURE_SPANS };

#define FIGURE_AREAS_MAX 40u
#define FIGURE_REASONS 5u
#define FIGURE_OUTCOMES 11u
#define FIGURE_OWED_KINDS 10u

/* Practices of one area. "" is of those without one, and of all for whose area there is no room. */
struct figure_area {
    const char *name;
    uint32_t referred, ended;
};

struct figure_sums {
    uint32_t open; /* at the end of the last day */
    uint32_t consulted, advised;
    uint32_t reasons[FIGURE_REASONS], outcomes[FIGURE_OUTCOMES];
    uint32_t on_time[FIGURE_OWED_KINDS], late[FIGURE_OWED_KINDS];
    uint32_t days[FIGURE_SPANS][FIGURE_DAYS_MAX + 1];
    struct figure_area areas[FIGURE_AREAS_MAX];
    size_t area_count;
};

/* The area of that name, added if it is new. Areas are added before anything is counted: those without a case too. */
struct figure_area *figures_area(struct figure_sums *s, const char *name);
void figures_add(struct figure_sums *s, struct figure_count c, uint32_t count,
                 struct figure_area *area);

/* ---- rows ---- */

#define FIGURE_ROWS_MAX 160u

struct figure_rows {
    Brug__V1__FigureRow items[FIGURE_ROWS_MAX]; /* names are borrowed from the areas */
    size_t count;
};

/* As the team sees it. */
void figures_write_inside(const struct figure_sums *s, struct figure_rows *out);
#define FIGURE_MEASURES (BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_ON_TIME_SHARE + 1)

/* A table that was told, or is to be: its totals lie between points of the year. */
struct figure_told {
    struct disclosure_table totals;
    Brug__V1__FigureRow *const *rows; /* none of the next table */
    size_t row_count;
};

struct figure_year {
    size_t point_count;                    /* at most DISCLOSURE_POINTS_MAX */
    const struct figure_sums *const *sums; /* from each point to the next */
    const struct figure_told *tables;      /* the next one, then all that were told of the year */
    size_t table_count;                    /* at most DISCLOSURE_SPANS_MAX */
};

/* Which breakdowns (by FigureMeasure) of the next table must be held back because of those that overlap. */
void figures_hold(const struct figure_year *year, bool held[FIGURE_MEASURES]);
/* As others see it, with the totals as they were judged. */
void figures_write_published(const struct figure_sums *s, const struct disclosure_table *totals,
                             const bool held[FIGURE_MEASURES], struct figure_rows *out);
/* What the rows of a table that was published say of its totals. False: they say nothing, or nonsense. */
bool figures_read_totals(Brug__V1__FigureRow *const *rows, size_t n, struct disclosure_table *out);

#endif
