/*
 * tests/lib/sim_figures.c: the judge of figures. It keeps what the letters on disk count for, as the oracles say (sim_cases.h), each on its
 * day in Amsterdam by the oracle's clock, and the tables that were published. It knows the names of what is counted, and none of the
 * code that counts it. It holds against that:
 *   what the relay counted, in memory and after a start: both sides are sums of one number for each event, so that order does not matter
 *   what a team is told of itself (number by number)
 *   what is published: once, of days that are over, with totals that are not otherwise than counted; and told so for good
 */
#include "proto/frame.h"
#include "tests/lib/case_oracle.h"
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define MEASURE(name) BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_##name
#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name
#define ANY_CODE UINT32_MAX

void sim_figures_free(struct sim_cases *k)
{
    for (size_t i = 0; i < k->table_count; i++)
        buf_fini(&k->tables[i].rows);
    free(k->tables);
    free(k->counted);
}

/* ---- what a move counts for ---- */

/* The last day of what was published of a team; 0: nothing was. */
static uint32_t closed_until(const struct sim_cases *k, const struct sim_dossier *d)
{
    uint32_t until = 0;
    for (size_t i = 0; i < k->table_count; i++) {
        const struct sim_table *t = &k->tables[i];
        if (id_equal(&t->municipality, &d->municipality) && id_equal(&t->team, &d->team) &&
            t->until > until)
            until = t->until;
    }
    return until;
}

static uint32_t later(uint32_t a, uint32_t b) { return a > b ? a : b; }

static void count(struct sim_cases *k, const struct sim_move *m, enum figure_event event,
                  uint32_t code)
{
    const struct sim_dossier *d = m->dossier;
    uint32_t closed = closed_until(k, d), day = oracle_today(m->at_ms);
    struct sim_counted c;
    memset(&c, 0, sizeof c); /* its bytes are compared */
    c.of = (struct sim_event_counted){.municipality = d->municipality,
                                      .team = d->team,
                                      .practice = d->practice,
                                      .day = later(later(day, d->opened_date), closed + 1),
                                      .event = event,
                                      .code = code};
    c.lsn = m->lsn;
    k->counted = sim_grown(k->counted, k->counted_count, &k->counted_capacity, sizeof c);
    k->counted[k->counted_count++] = c;
}

static void count_days(struct sim_cases *k, const struct sim_move *m, enum figure_event event)
{
    uint32_t n = 0, until = oracle_today(m->at_ms);
    for (uint32_t day = m->dossier->opened_date + 1; day <= until; day++)
        n += oracle_is_working_day(day, 0);
    count(k, m, event, n);
}

/* What a team gave a GP; what lapsed was never given. */
static void count_feedback(struct sim_cases *k, const struct sim_move *m)
{
    for (size_t i = 0; i < m->ends->count; i++) {
        const struct owed_end *end = &m->ends->items[i];
        Brug__V1__OwedKind kind = end->item.kind;
        bool is_feedback = kind == OWED(START) || kind == OWED(CLOSING) || kind == OWED(MOMENT) ||
                           kind == OWED(INFO_REPLY) || kind == OWED(ADVICE);
        bool is_late = end->item.due_date > 0 && oracle_today(m->at_ms) > end->item.due_date;
        if (is_feedback && !end->has_lapsed)
            count(k, m, is_late ? FIGURE_LATE : FIGURE_ON_TIME, kind);
    }
}

void count_move(struct sim_cases *k, const struct sim_move *m)
{
    const struct case_file *was = m->before, *now = m->after;
    bool is_consult = now->state == STATE(CONSULTING) || now->state == STATE(ADVISED);
    if (was->state == STATE(NONE))
        m->dossier->opened_date = oracle_today(m->at_ms);
    if (was->state == STATE(NONE) && is_consult)
        count(k, m, FIGURE_CONSULTED, 0);
    else if (was->state == STATE(NONE))
        count(k, m, FIGURE_REFERRED, now->reason);
    if (was->taken_up_at_ms == 0 && now->taken_up_at_ms > 0)
        count_days(k, m, FIGURE_TAKEN_UP);
    if (was->started_at_ms == 0 && now->started_at_ms > 0)
        count_days(k, m, FIGURE_STARTED);
    if (was->ended_at_ms == 0 && now->ended_at_ms > 0 && is_consult)
        count(k, m, FIGURE_ADVISED, 0);
    if (was->ended_at_ms == 0 && now->ended_at_ms > 0 && !is_consult) {
        count(k, m, FIGURE_ENDED, now->outcome);
        count_days(k, m, FIGURE_ENDED_DAYS);
    }
    count_feedback(k, m);
}

/* ---- what the relay counted ---- */

static uint64_t number_of(const struct sim_event_counted *c)
{
    struct digest d = digest_of_slice((struct slice){(const uint8_t *)c, sizeof *c});
    uint64_t n;
    memcpy(&n, d.bytes, sizeof n);
    return n;
}

static uint64_t sum_of_line(const struct figure_book *b, const struct figure_line *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct figure_entry *entry = &l->entries[i];
        struct sim_event_counted c;
        memset(&c, 0, sizeof c);
        c = (struct sim_event_counted){.municipality = b->key[0],
                                       .team = b->key[1],
                                       .practice = l->practice->entity.id,
                                       .day = entry->day,
                                       .event = entry->event,
                                       .code = entry->code};
        sum += entry->count * number_of(&c);
    }
    return sum;
}

void judge_figures(struct sim *w, const struct state *s, const char *when)
{
    const struct sim_cases *k = w->cases;
    uint64_t expected = 0, found = 0;
    for (size_t i = 0; i < k->counted_count && k->counted[i].lsn <= s->lsn; i++)
        expected += number_of(&k->counted[i].of);
    for (struct map_node *n = map_next(&s->figures, NULL); n; n = map_next(&s->figures, n)) {
        const struct figure_book *b = container_of(n, struct figure_book, node);
        for (size_t i = 0; i < b->line_count; i++)
            found += sum_of_line(b, &b->lines[i]);
    }
    if (found != expected)
        sim_flag(w, "T24: %s the figures are not those of the letters", when);
    w->cases->figures++;
}

/* ---- numbers of a period ---- */

struct period_of_team {
    const struct sim_cases *cases;
    const struct id *municipality, *team;
    uint64_t lsn; /* as it was there */
    uint32_t from, until;
};

static uint32_t number(const struct period_of_team *p, uint32_t from, enum figure_event event,
                       uint32_t code)
{
    uint32_t n = 0;
    for (size_t i = 0; i < p->cases->counted_count && p->cases->counted[i].lsn <= p->lsn; i++) {
        const struct sim_event_counted *c = &p->cases->counted[i].of;
        n += c->event == event && (code == ANY_CODE || c->code == code) && c->day >= from &&
             c->day <= p->until && id_equal(&c->team, p->team) &&
             id_equal(&c->municipality, p->municipality);
    }
    return n;
}

static uint32_t in_period(const struct period_of_team *p, enum figure_event event, uint32_t code)
{
    return number(p, p->from, event, code);
}

static uint32_t open_at_end(const struct period_of_team *p)
{
    return number(p, 0, FIGURE_REFERRED, ANY_CODE) - number(p, 0, FIGURE_ENDED, ANY_CODE);
}

/* False: it is no total. */
static bool total_of(const struct period_of_team *p, Brug__V1__FigureMeasure measure, uint32_t *out)
{
    switch (measure) {
    case MEASURE(REFERRED):
        *out = in_period(p, FIGURE_REFERRED, ANY_CODE);
        return true;
    case MEASURE(ENDED):
        *out = in_period(p, FIGURE_ENDED, ANY_CODE);
        return true;
    case MEASURE(OPEN):
        *out = open_at_end(p);
        return true;
    case MEASURE(CONSULTED):
        *out = in_period(p, FIGURE_CONSULTED, ANY_CODE);
        return true;
    default:
        return false;
    }
}

/* ---- what is published ---- */

static const struct sim_table *find_table(const struct sim_cases *k, const struct id *municipality,
                                          const struct id *team, uint32_t from, uint32_t until)
{
    for (size_t i = 0; i < k->table_count; i++) {
        const struct sim_table *t = &k->tables[i];
        if (id_equal(&t->municipality, municipality) && id_equal(&t->team, team) &&
            t->from == from && t->until == until)
            return t;
    }
    return NULL;
}

static void pack_rows(struct buf *out, Brug__V1__FigureRow **rows, size_t n)
{
    buf_init(out, 1u << 20);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(frame_append_bare(out, &rows[i]->base), ERROR_NONE);
}

/* A total may be told less exactly than it was counted, and not otherwise. */
static bool is_true(const Brug__V1__FigureRow *row, uint32_t counted)
{
    switch (row->form) {
    case FORM(EXACT):
        return row->number == counted;
    case FORM(UNDER_5):
        return counted < 5;
    case FORM(ROUNDED):
        return row->number == (counted + 2) / 5 * 5;
    default:
        return true;
    }
}

static void judge_totals(struct sim *w, const struct sim_table *t, Brug__V1__FigureRow **rows,
                         size_t n)
{
    const struct period_of_team p = {w->cases, &t->municipality, &t->team,
                                     t->lsn,   t->from,          t->until};
    size_t totals = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t counted;
        if (!total_of(&p, rows[i]->measure, &counted))
            continue;
        totals++;
        if (!is_true(rows[i], counted))
            sim_flag(w, "T24: a table is published with a total that was not counted: %u, not %u",
                     rows[i]->number, counted);
    }
    if (totals != 4)
        sim_flag(w, "T24: a table is published without its totals");
}

void judge_published(struct sim *w, const Brug__V1__FiguresPublished *r, uint64_t lsn)
{
    struct sim_cases *k = w->cases;
    struct sim_table t = {
        .lsn = lsn, .from = r->from_date, .until = r->until_date, .at_ms = r->at_ms};
    assert_true(id_take(r->municipality, &t.municipality) && id_take(r->team, &t.team));
    if (find_table(k, &t.municipality, &t.team, t.from, t.until))
        sim_flag(w, "T24: a period is published for the second time");
    if (oracle_today(r->at_ms) <= t.until)
        sim_flag(w, "T24: a period is published that is not over");
    if (k->doubt_until_ms > 0 && lsn > k->doubt_lsn && sim_now(w).mono_ms < k->doubt_until_ms)
        sim_flag(w, "T24: a period is published by a clock that leapt");
    judge_totals(w, &t, r->rows, r->n_rows);
    pack_rows(&t.rows, r->rows, r->n_rows);
    k->tables = sim_grown(k->tables, k->table_count, &k->table_capacity, sizeof t);
    k->tables[k->table_count++] = t;
}

/* ---- what is told ---- */

static void judge_table_told(struct sim *w, const struct id *municipality,
                             const Brug__V1__Figures *f, const Brug__V1__TeamFigures *team)
{
    struct id id;
    struct buf rows;
    assert_true(id_take(team->team, &id));
    const struct sim_table *t =
        find_table(w->cases, municipality, &id, f->from_date, f->until_date);
    pack_rows(&rows, team->rows, team->n_rows);
    if (!t || t->at_ms != team->published_at_ms ||
        !slice_equal(buf_slice(&rows), buf_slice(&t->rows)))
        sim_flag(w, "T24: a table is told otherwise than it was published");
    buf_fini(&rows);
    w->cases->tables_told++;
}

static uint32_t open_cases(const struct period_of_team *p)
{
    uint32_t n = 0;
    for (size_t i = 0; i < p->cases->count; i++) {
        const struct sim_dossier *d = p->cases->list[i];
        const struct case_file *c = sim_dossier_at(d, p->lsn);
        n += c && c->state >= STATE(REFERRED) && c->state <= STATE(SUPPORT) &&
             id_equal(&d->team, p->team) && id_equal(&d->municipality, p->municipality);
    }
    return n;
}

/* False: it is not reckoned here. */
static bool number_inside(const struct period_of_team *p, const Brug__V1__FigureRow *row,
                          uint32_t *out)
{
    uint32_t code = row->code ? row->code : ANY_CODE;
    switch (row->measure) {
    case MEASURE(REASON):
        *out = in_period(p, FIGURE_REFERRED, row->code);
        return true;
    case MEASURE(OUTCOME):
        *out = in_period(p, FIGURE_ENDED, row->code);
        return true;
    case MEASURE(ADVISED):
        *out = in_period(p, FIGURE_ADVISED, ANY_CODE);
        return true;
    case MEASURE(FEEDBACK_ON_TIME):
        *out = in_period(p, FIGURE_ON_TIME, code);
        return true;
    case MEASURE(FEEDBACK_LATE):
        *out = in_period(p, FIGURE_LATE, code);
        return true;
    default:
        return total_of(p, row->measure, out);
    }
}

/* All rows of a measure together. */
static uint32_t sum_of(const Brug__V1__TeamFigures *t, Brug__V1__FigureMeasure measure)
{
    uint32_t n = 0;
    for (size_t i = 0; i < t->n_rows; i++)
        n += t->rows[i]->measure == measure ? t->rows[i]->number : 0;
    return n;
}

static void judge_inside(struct sim *w, const struct period_of_team *p,
                         const Brug__V1__TeamFigures *t)
{
    size_t reckoned = 0;
    bool is_so = sum_of(t, MEASURE(CASELOAD)) == open_cases(p) &&
                 sum_of(t, MEASURE(TAKE_UP_DAYS)) == in_period(p, FIGURE_TAKEN_UP, ANY_CODE) &&
                 sum_of(t, MEASURE(START_DAYS)) == in_period(p, FIGURE_STARTED, ANY_CODE) &&
                 sum_of(t, MEASURE(END_DAYS)) == in_period(p, FIGURE_ENDED_DAYS, ANY_CODE);
    for (size_t i = 0; i < t->n_rows; i++) {
        uint32_t counted;
        if (!number_inside(p, t->rows[i], &counted))
            continue;
        reckoned++;
        is_so &= t->rows[i]->form == FORM(EXACT) && t->rows[i]->number == counted;
    }
    if (!is_so || reckoned < 4)
        sim_flag(w, "T24: a team is told other figures of itself than its letters give");
    w->cases->figures_told++;
}

void judge_figures_told(struct sim *w, const struct sim_question *q, const Brug__V1__Figures *f)
{
    const struct id *own = &q->client->e.organisation;
    const struct period_of_team p = {w->cases, &q->key.id,   own,
                                     q->lsn,   f->from_date, f->until_date};
    if (q->figures.date < f->from_date || q->figures.date > f->until_date)
        sim_flag(w, "T24: other days are told of than were asked for");
    if (!q->figures.inside)
        for (size_t i = 0; i < f->n_teams; i++)
            judge_table_told(w, &q->key.id, f, f->teams[i]);
    else if (f->n_teams == 1 && memcmp(f->teams[0]->team.data, own->bytes, ID_BYTES) == 0)
        judge_inside(w, &p, f->teams[0]);
    else
        sim_flag(w, "I6: figures of another team are told");
}
