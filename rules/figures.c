/*
 * rules/figures.c: counting, and rows of counts; see figures.h.
 *
 * A breakdown is a list of cells that add up to a total. It is written whole, with the cells that are 0: a cell left out would tell
 * that nobody is in it.
 */
#include "rules/figures.h"
#include "rules/workdays.h"
#include <string.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define MEASURE(name) BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_##name
#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name

#define CLASSES 4u
#define CELLS_MAX DISCLOSURE_CELLS_MAX
_Static_assert(FIGURE_AREAS_MAX <= CELLS_MAX, "a cell for each area");

/* ---- what a move counts for ---- */

static uint32_t days_since(int64_t from_ms, int64_t until_ms)
{
    unsigned days =
        workdays_between(workdays_date(from_ms), workdays_date(until_ms), FIGURE_DAYS_MAX);
    return (uint32_t)days;
}

static bool is_feedback(Brug__V1__OwedKind kind)
{
    return kind == OWED(START) || kind == OWED(CLOSING) || kind == OWED(MOMENT) ||
           kind == OWED(INFO_REPLY) || kind == OWED(ADVICE);
}

/* Of a referral. */
static bool ends_case(const Brug__V1__CaseMoved *m)
{
    return m->kind == KIND(CLOSING) || m->kind == KIND(WITHDRAWAL) ||
           (m->kind == KIND(PROPOSAL_ANSWER) && m->decision == BRUG__V1__DECISION__DECISION_ACCEPT);
}

static size_t count_feedback(const Brug__V1__CaseMoved *m, struct figure_count *out)
{
    uint32_t today = workdays_date(m->at_ms);
    size_t n = 0;
    for (size_t i = 0; i < m->n_ended && n < CASE_OWED_MAX; i++) {
        const Brug__V1__OwedEnd *end = m->ended[i];
        if (end->lapsed || !end->item || !is_feedback(end->item->kind))
            continue;
        bool is_late = end->item->due_date != 0 && today > end->item->due_date;
        out[n++] = (struct figure_count){is_late ? FIGURE_LATE : FIGURE_ON_TIME, end->item->kind};
    }
    return n;
}

size_t figures_of_move(const Brug__V1__CaseMoved *m, struct figure_count out[FIGURE_COUNTS_MAX])
{
    const Brug__V1__Case *c = m->case_now;
    size_t n = 0;
    if (!c)
        return 0;
    if (m->kind == KIND(REFERRAL))
        out[n++] = (struct figure_count){FIGURE_REFERRED, c->reason};
    else if (m->kind == KIND(CONSULT))
        out[n++] = (struct figure_count){FIGURE_CONSULTED, 0};
    else if (m->kind == KIND(ADVICE))
        out[n++] = (struct figure_count){FIGURE_ADVISED, 0};
    else if (m->kind == KIND(CLAIM))
        out[n++] = (struct figure_count){FIGURE_TAKEN_UP, days_since(c->at_ms, m->at_ms)};
    else if (m->kind == KIND(START))
        out[n++] = (struct figure_count){FIGURE_STARTED, days_since(c->at_ms, m->at_ms)};
    if (ends_case(m)) {
        out[n++] = (struct figure_count){FIGURE_ENDED, c->outcome};
        out[n++] = (struct figure_count){FIGURE_ENDED_DAYS, days_since(c->at_ms, m->at_ms)};
    }
    n += count_feedback(m, out + n);
    for (size_t i = 0; i < n; i++)
        if (!figures_is_count(out[i].event, out[i].code))
            out[i].code = 0; /* of a later version */
    return n;
}

struct figure_count figures_of_opened(const Brug__V1__Case *c)
{
    return (struct figure_count){FIGURE_REFERRED, c->reason};
}

uint32_t figures_day(int64_t at_ms, int64_t opened_at_ms, uint32_t closed_until)
{
    uint32_t date = workdays_date(at_ms > opened_at_ms ? at_ms : opened_at_ms);
    return date > closed_until ? date : closed_until + 1;
}

bool figures_is_count(uint64_t event, uint64_t code)
{
    static const uint32_t codes[FIGURE_EVENTS] = {
        [FIGURE_REFERRED] = FIGURE_REASONS,
        [FIGURE_ENDED] = FIGURE_OUTCOMES,
        [FIGURE_CONSULTED] = 1,
        [FIGURE_ADVISED] = 1,
        [FIGURE_TAKEN_UP] = FIGURE_DAYS_MAX + 1,
        [FIGURE_STARTED] = FIGURE_DAYS_MAX + 1,
        [FIGURE_ENDED_DAYS] = FIGURE_DAYS_MAX + 1,
        [FIGURE_ON_TIME] = FIGURE_OWED_KINDS,
        [FIGURE_LATE] = FIGURE_OWED_KINDS,
    };
    return event < FIGURE_EVENTS && code < codes[event];
}

/* ---- sums ---- */

struct figure_area *figures_area(struct figure_sums *s, const char *name)
{
    for (size_t i = 0; i < s->area_count; i++)
        if (strcmp(s->areas[i].name, name) == 0)
            return &s->areas[i];
    if (s->area_count >= FIGURE_AREAS_MAX - 1 && name[0] != '\0')
        return figures_area(s, "");
    s->areas[s->area_count].name = name;
    return &s->areas[s->area_count++];
}

void figures_add(struct figure_sums *s, struct figure_count c, uint32_t count,
                 struct figure_area *area)
{
    switch (c.event) {
    case FIGURE_REFERRED:
        s->reasons[c.code] += count;
        area->referred += count;
        break;
    case FIGURE_ENDED:
        s->outcomes[c.code] += count;
        area->ended += count;
        break;
    case FIGURE_CONSULTED:
        s->consulted += count;
        break;
    case FIGURE_ADVISED:
        s->advised += count;
        break;
    case FIGURE_TAKEN_UP:
        s->days[FIGURE_SPAN_TAKE_UP][c.code] += count;
        break;
    case FIGURE_STARTED:
        s->days[FIGURE_SPAN_START][c.code] += count;
        break;
    case FIGURE_ENDED_DAYS:
        s->days[FIGURE_SPAN_END][c.code] += count;
        break;
    case FIGURE_ON_TIME:
        s->on_time[c.code] += count;
        break;
    case FIGURE_LATE:
        s->late[c.code] += count;
        break;
    }
}

static uint32_t sum(const uint32_t *counts, size_t n)
{
    uint32_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += counts[i];
    return total;
}

/* ---- cells ---- */

struct cell {
    Brug__V1__FigureMeasure measure;
    uint32_t code;
    const char *name;
    uint32_t count;
};

struct cells {
    struct cell items[CELLS_MAX];
    size_t count;
};

static void add_cell(struct cells *c, Brug__V1__FigureMeasure measure, uint32_t code,
                     const char *name, uint32_t count)
{
    c->items[c->count++] = (struct cell){measure, code, name, count};
}

static void cells_of_reasons(const struct figure_sums *s, struct cells *out)
{
    for (uint32_t code = 1; code < FIGURE_REASONS; code++)
        add_cell(out, MEASURE(REASON), code, NULL, s->reasons[code]);
    if (s->reasons[0] > 0) /* of a case from before reasons were kept */
        add_cell(out, MEASURE(REASON), 0, NULL, s->reasons[0]);
}

static void cells_of_outcomes(const struct figure_sums *s, struct cells *out)
{
    for (uint32_t code = 1; code < FIGURE_OUTCOMES; code++)
        if (code != OUTCOME(ADVICE_GIVEN)) /* of consults only */
            add_cell(out, MEASURE(OUTCOME), code, NULL, s->outcomes[code]);
}

static void cells_of_areas_referred(const struct figure_sums *s, struct cells *out)
{
    for (size_t i = 0; i < s->area_count; i++)
        add_cell(out, MEASURE(REFERRED_AREA), 0, s->areas[i].name, s->areas[i].referred);
}

static void cells_of_areas_ended(const struct figure_sums *s, struct cells *out)
{
    for (size_t i = 0; i < s->area_count; i++)
        add_cell(out, MEASURE(ENDED_AREA), 0, s->areas[i].name, s->areas[i].ended);
}

/* The last class, 0, is of all that took longer. Of the terms in domain.md: taken up after 5 days, started 10 days later, closed
 * 13 weeks after that. */
static const struct {
    Brug__V1__FigureMeasure classes, median, mean;
    uint32_t last[CLASSES];
} SPANS[FIGURE_SPANS] = {
    [FIGURE_SPAN_TAKE_UP] = {MEASURE(TAKE_UP_DAYS),
                             MEASURE(TAKE_UP_MEDIAN),
                             MEASURE(TAKE_UP_MEAN),
                             {5, 10, 20, 0}},
    [FIGURE_SPAN_START] = {MEASURE(START_DAYS),
                           MEASURE(START_MEDIAN),
                           MEASURE(START_MEAN),
                           {10, 15, 25, 0}},
    [FIGURE_SPAN_END] = {MEASURE(END_DAYS),
                         MEASURE(END_MEDIAN),
                         MEASURE(END_MEAN),
                         {40, 80, 130, 0}},
};

static void cells_of_days(const struct figure_sums *s, enum figure_span span, struct cells *out)
{
    uint32_t day = 0;
    for (size_t i = 0; i < CLASSES; i++) {
        uint32_t last = SPANS[span].last[i] ? SPANS[span].last[i] : FIGURE_DAYS_MAX, count = 0;
        for (; day <= last; day++)
            count += s->days[span][day];
        add_cell(out, SPANS[span].classes, SPANS[span].last[i], NULL, count);
    }
}

static void cells_of_feedback(const struct figure_sums *s, struct cells *out)
{
    add_cell(out, MEASURE(FEEDBACK_ON_TIME), 0, NULL, sum(s->on_time, FIGURE_OWED_KINDS));
    add_cell(out, MEASURE(FEEDBACK_LATE), 0, NULL, sum(s->late, FIGURE_OWED_KINDS));
}

/* The breakdowns in the order in which they are shown. Each is known by the measure of its first cell. */
static const struct breakdown {
    Brug__V1__FigureMeasure measure;
    Brug__V1__FigureMeasure of; /* the total that must be shown too */
    bool is_all_of_it;          /* its cells add up to that total */
    bool is_inside;             /* shown to the team only: it would tie one total to another */
} BREAKDOWNS[] = {
    {MEASURE(REASON), MEASURE(REFERRED), true, false},
    {MEASURE(REFERRED_AREA), MEASURE(REFERRED), true, false},
    {MEASURE(OUTCOME), MEASURE(ENDED), true, false},
    {MEASURE(ENDED_AREA), MEASURE(ENDED), true, true},
    {MEASURE(TAKE_UP_DAYS), MEASURE(REFERRED), false, true},
    {MEASURE(START_DAYS), MEASURE(REFERRED), false, true},
    {MEASURE(END_DAYS), MEASURE(ENDED), true, true},
    {MEASURE(FEEDBACK_ON_TIME), MEASURE(ENDED), false, false},
};
#define BREAKDOWN_COUNT (sizeof BREAKDOWNS / sizeof BREAKDOWNS[0])

static void cells_of(const struct figure_sums *s, Brug__V1__FigureMeasure measure,
                     struct cells *out)
{
    out->count = 0;
    switch (measure) {
    case MEASURE(REASON):
        cells_of_reasons(s, out);
        break;
    case MEASURE(OUTCOME):
        cells_of_outcomes(s, out);
        break;
    case MEASURE(REFERRED_AREA):
        cells_of_areas_referred(s, out);
        break;
    case MEASURE(ENDED_AREA):
        cells_of_areas_ended(s, out);
        break;
    case MEASURE(FEEDBACK_ON_TIME):
        cells_of_feedback(s, out);
        break;
    default:
        for (unsigned span = 0; span < FIGURE_SPANS; span++)
            if (SPANS[span].classes == measure)
                cells_of_days(s, (enum figure_span)span, out);
    }
}

/* ---- rows ---- */

static void add_row(struct figure_rows *out, Brug__V1__FigureMeasure measure, uint32_t code,
                    const char *name, Brug__V1__FigureForm form, uint32_t number)
{
    Brug__V1__FigureRow *row = &out->items[out->count++];
    brug__v1__figure_row__init(row);
    row->measure = measure;
    row->code = code;
    row->form = form;
    row->number = number;
    if (name)
        row->name = (char *)(uintptr_t)name;
}

static void add_exact(struct figure_rows *out, Brug__V1__FigureMeasure measure, uint32_t number)
{
    add_row(out, measure, 0, NULL, FORM(EXACT), number);
}

/* The days of the one in the middle (of an even number: the earlier), and their mean. None: there is neither. */
static void add_middle(const struct figure_sums *s, enum figure_span span, struct figure_rows *out)
{
    const uint32_t *days = s->days[span];
    uint32_t n = sum(days, FIGURE_DAYS_MAX + 1), before = 0, median = 0;
    uint64_t all = 0;
    if (n == 0)
        return;
    for (uint32_t day = 0; day <= FIGURE_DAYS_MAX; day++) {
        if (before <= (n - 1) / 2)
            median = day;
        before += days[day];
        all += (uint64_t)days[day] * day;
    }
    add_exact(out, SPANS[span].median, median);
    add_exact(out, SPANS[span].mean, (uint32_t)((all * 10 + n / 2) / n));
}

static void add_feedback(const uint32_t *counts, Brug__V1__FigureMeasure measure,
                         struct figure_rows *out)
{
    for (uint32_t kind = 1; kind < FIGURE_OWED_KINDS; kind++)
        if (is_feedback((Brug__V1__OwedKind)kind))
            add_row(out, measure, kind, NULL, FORM(EXACT), counts[kind]);
}

static void add_share(struct figure_rows *out, Brug__V1__FigureMeasure measure,
                      Brug__V1__FigureForm form, uint32_t part, uint32_t all)
{
    if (all > 0)
        add_row(out, measure, 0, NULL, form, (100 * part + all / 2) / all);
}

/* Of the rows as they are shown, so that a share tells nothing more than they do. */
static void add_shares(struct figure_rows *out)
{
    uint32_t closed = 0, onward = 0, on_time = 0, late = 0;
    Brug__V1__FigureForm closed_form = FORM(EXACT), given_form = FORM(EXACT);
    for (size_t i = 0; i < out->count; i++) {
        const Brug__V1__FigureRow *row = &out->items[i];
        if (row->measure == MEASURE(OUTCOME) &&
            case_outcome_is_directors((Brug__V1__Outcome)row->code)) {
            closed_form = row->form;
            closed += row->number;
            onward += row->code == OUTCOME(YOUTH_CARE) ? row->number : 0;
        } else if (row->measure == MEASURE(FEEDBACK_ON_TIME) && row->code == 0) {
            given_form = row->form;
            on_time = row->number;
        } else if (row->measure == MEASURE(FEEDBACK_LATE) && row->code == 0) {
            late = row->number;
        }
    }
    add_share(out, MEASURE(OWN_SHARE), closed_form, closed - onward, closed);
    add_share(out, MEASURE(ON_TIME_SHARE), given_form, on_time, on_time + late);
}

static uint32_t sum_referred(const struct figure_sums *s)
{
    return sum(s->reasons, FIGURE_REASONS);
}
static uint32_t sum_ended(const struct figure_sums *s) { return sum(s->outcomes, FIGURE_OUTCOMES); }

void figures_write_inside(const struct figure_sums *s, struct figure_rows *out)
{
    struct cells cells;
    out->count = 0;
    add_exact(out, MEASURE(REFERRED), sum_referred(s));
    add_exact(out, MEASURE(ENDED), sum_ended(s));
    add_exact(out, MEASURE(OPEN), s->open);
    add_exact(out, MEASURE(CONSULTED), s->consulted);
    add_exact(out, MEASURE(ADVISED), s->advised);
    for (size_t b = 0; b < BREAKDOWN_COUNT; b++) {
        cells_of(s, BREAKDOWNS[b].measure, &cells);
        for (size_t i = 0; i < cells.count; i++)
            add_row(out, cells.items[i].measure, cells.items[i].code, cells.items[i].name,
                    FORM(EXACT), cells.items[i].count);
    }
    add_shares(out);
    for (unsigned span = 0; span < FIGURE_SPANS; span++)
        add_middle(s, (enum figure_span)span, out);
    add_feedback(s->on_time, MEASURE(FEEDBACK_ON_TIME), out);
    add_feedback(s->late, MEASURE(FEEDBACK_LATE), out);
}

static void add_total(struct figure_rows *out, Brug__V1__FigureMeasure measure,
                      struct disclosure_total t)
{
    add_row(out, measure, 0, NULL, t.form, t.number);
}

static uint32_t sum_closed_by_directors(const struct figure_sums *s)
{
    uint32_t closed = 0;
    for (uint32_t code = 0; code < FIGURE_OUTCOMES; code++)
        if (case_outcome_is_directors((Brug__V1__Outcome)code))
            closed += s->outcomes[code];
    return closed;
}

/*
 * Feedback adds up to no total that is shown: it is judged as if its own sum were known. A director's closing letter is feedback,
 * so there must be more of it than of these: else a closed case could not be thought to have ended in a way that it did not.
 */
static bool may_show_feedback(const struct figure_sums *s, const struct cells *cells,
                              const uint32_t *counts, struct disclosure_total ended)
{
    uint32_t given = sum(counts, cells->count);
    const struct disclosure_total all = {FORM(EXACT), given};
    return ended.form == FORM(EXACT) && given > sum_closed_by_directors(s) &&
           disclosure_may_round(counts, cells->count, all);
}

static bool may_show(const struct breakdown *b, const struct figure_sums *s,
                     const struct cells *cells, struct disclosure_total total)
{
    uint32_t counts[CELLS_MAX];
    for (size_t i = 0; i < cells->count; i++) {
        counts[i] = cells->items[i].count;
        if (cells->items[i].measure == MEASURE(REASON) && cells->items[i].code == 0)
            return false; /* of a case from before: everybody knows that there are no others */
    }
    return b->is_all_of_it ? disclosure_may_round(counts, cells->count, total)
                           : may_show_feedback(s, cells, counts, total);
}

static struct disclosure_total total_of(const struct breakdown *b,
                                        const struct disclosure_table *totals)
{
    return b->of == MEASURE(REFERRED) ? totals->referred : totals->ended;
}

/* ---- a breakdown beside those of tables that overlap ---- */

struct beside {
    const struct breakdown *b;
    const struct figure_year *year;
    const struct figure_told
        *told[DISCLOSURE_SPANS_MAX];                    /* the next table, and those that show it */
    struct disclosure_span spans[DISCLOSURE_SPANS_MAX]; /* theirs */
    size_t count;
    struct cells cells; /* which there are */
    uint32_t counts[DISCLOSURE_POINTS_MAX * CELLS_MAX];
};

static void add_told(struct beside *x, const struct figure_told *t)
{
    x->told[x->count] = t;
    x->spans[x->count++] = (struct disclosure_span){t->totals.from, t->totals.until};
}

static bool shows(const struct figure_told *t, Brug__V1__FigureMeasure measure)
{
    for (size_t i = 0; i < t->row_count; i++)
        if (t->rows[i]->measure == measure && t->rows[i]->form == FORM(ROUNDED))
            return true;
    return false;
}

/* Whether one of those that show it overlaps with the next. */
static bool find_told(struct beside *x)
{
    const struct figure_told *next = &x->year->tables[0];
    bool overlaps = false;
    add_told(x, next);
    for (size_t i = 1; i < x->year->table_count; i++) {
        const struct figure_told *t = &x->year->tables[i];
        if (!shows(t, x->b->measure))
            continue;
        add_told(x, t);
        overlaps |= t->totals.from < next->totals.until && next->totals.from < t->totals.until;
    }
    return overlaps;
}

/* False: some days have other cells than others. */
static bool count_cells(struct beside *x)
{
    for (size_t point = 0; point + 1 < x->year->point_count; point++) {
        size_t before = x->cells.count;
        cells_of(x->year->sums[point], x->b->measure, &x->cells);
        if (point > 0 && x->cells.count != before)
            return false;
        for (size_t c = 0; c < x->cells.count; c++)
            x->counts[point * x->cells.count + c] = x->cells.items[c].count;
    }
    return true;
}

static uint32_t sum_in(const struct beside *x, size_t told, size_t cell)
{
    uint32_t n = 0;
    for (size_t point = x->spans[told].from; point < x->spans[told].until; point++)
        n += x->counts[point * x->cells.count + cell];
    return n;
}

/* Whether what was told has these cells, and says what is counted now: an area may have another name since. */
static bool is_still_so(const struct beside *x, size_t told)
{
    size_t rows = 0, right = 0;
    for (size_t i = 0; i < x->told[told]->row_count; i++) {
        const Brug__V1__FigureRow *row = x->told[told]->rows[i];
        bool is_of_it = false;
        for (size_t c = 0; c < x->cells.count; c++) {
            const struct cell *cell = &x->cells.items[c];
            bool is_this = row->measure == cell->measure && row->code == cell->code &&
                           strcmp(row->name, cell->name ? cell->name : "") == 0;
            is_of_it |= row->measure == cell->measure;
            right += is_this && row->number == disclosure_round(sum_in(x, told, c));
        }
        rows += is_of_it;
    }
    return rows == right && right == x->cells.count;
}

/* What is part of a total may not say more of it. */
static bool hangs_together(const struct beside *x)
{
    struct disclosure_span exact[DISCLOSURE_SPANS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < x->year->table_count; i++) {
        const struct disclosure_table *t = &x->year->tables[i].totals;
        if (total_of(x->b, t).form == FORM(EXACT))
            exact[n++] = (struct disclosure_span){t->from, t->until};
    }
    return disclosure_hangs_together(exact, n, x->spans, x->count);
}

static bool may_stand_beside(struct beside *x)
{
    if (!count_cells(x) || !hangs_together(x))
        return false;
    for (size_t i = 1; i < x->count; i++)
        if (!is_still_so(x, i))
            return false;
    return disclosure_stays_open(x->counts, x->cells.count, x->spans, x->count);
}

void figures_hold(const struct figure_year *year, bool held[FIGURE_MEASURES])
{
    for (size_t i = 0; i < BREAKDOWN_COUNT; i++) {
        struct beside x = {.b = &BREAKDOWNS[i], .year = year};
        held[BREAKDOWNS[i].measure] = find_told(&x) && !may_stand_beside(&x);
    }
}

/* ---- a table ---- */

void figures_write_published(const struct figure_sums *s, const struct disclosure_table *totals,
                             const bool held[FIGURE_MEASURES], struct figure_rows *out)
{
    struct cells cells;
    out->count = 0;
    add_total(out, MEASURE(REFERRED), totals->referred);
    add_total(out, MEASURE(ENDED), totals->ended);
    add_total(out, MEASURE(OPEN), totals->open);
    add_total(out, MEASURE(CONSULTED), totals->consulted);
    for (size_t b = 0; b < BREAKDOWN_COUNT; b++) {
        const struct breakdown *shown = &BREAKDOWNS[b];
        if (shown->is_inside)
            continue;
        cells_of(s, shown->measure, &cells);
        if (held[shown->measure] || !may_show(shown, s, &cells, total_of(shown, totals))) {
            add_row(out, shown->measure, 0, NULL, FORM(WITHHELD), 0);
            continue;
        }
        for (size_t i = 0; i < cells.count; i++)
            add_row(out, cells.items[i].measure, cells.items[i].code, cells.items[i].name,
                    FORM(ROUNDED), disclosure_round(cells.items[i].count));
    }
    add_shares(out);
}

bool figures_read_totals(Brug__V1__FigureRow *const *rows, size_t n, struct disclosure_table *out)
{
    struct {
        Brug__V1__FigureMeasure measure;
        struct disclosure_total *total;
    } totals[] = {{MEASURE(REFERRED), &out->referred},
                  {MEASURE(ENDED), &out->ended},
                  {MEASURE(OPEN), &out->open},
                  {MEASURE(CONSULTED), &out->consulted}};
    for (size_t t = 0; t < sizeof totals / sizeof totals[0]; t++) {
        if (t >= n || rows[t]->measure != totals[t].measure)
            return false;
        *totals[t].total = (struct disclosure_total){rows[t]->form, rows[t]->number};
    }
    return true;
}
