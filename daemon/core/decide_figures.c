/*
 * daemon/core/decide_figures.c: figures [R50]-[R56]: of one's own team as they are, of others as they were published. Asking
 * for a period that is over publishes its table, once and for all: the record says what was told (rules/disclosure.h).
 *
 * A table is of one team: numbers over several teams are given nowhere, since each team knows its own.
 */
#include "daemon/core/decide.h"
#include "proto/limits.h"
#include "rules/roles.h"
#include "rules/workdays.h"
#include <assert.h>
#include <string.h>

#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name
#define MEASURE(name) BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_##name
#define PERIOD(name) BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_##name
#define KIND(name) BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_##name

/* ---- counts ---- */

/* All areas of the municipality's practices, so that none tells by its absence. */
static void name_areas(const struct state *s, const struct municipality *m,
                       struct figure_sums *sums)
{
    for (size_t i = 0; i < table_count(&s->organisations); i++) {
        const struct organisation *o =
            container_of(s->organisations.sorted[i], struct organisation, entity);
        if (o->row->kind == KIND(PRACTICE) && organisation_works_in(o, m))
            (void)figures_area(sums, o->row->area);
    }
}

static void add_entry(const struct figure_entry *entry, const struct figure_period *p,
                      struct figure_area *area, struct figure_sums *sums)
{
    const struct figure_count c = {(enum figure_event)entry->event, entry->code};
    if (entry->day > p->until)
        return;
    if (entry->day >= p->from)
        figures_add(sums, c, entry->count, area);
    if (c.event == FIGURE_REFERRED)
        sums->open += entry->count;
    else if (c.event == FIGURE_ENDED)
        sums->open -= entry->count;
}

static struct figure_sums *sums_of(const struct state *s, const struct municipality *m,
                                   const struct figure_book *b, const struct figure_period *p,
                                   struct decision *d)
{
    struct figure_sums *sums = decision_alloc(d, 1, sizeof *sums);
    name_areas(s, m, sums);
    for (size_t i = 0; b && i < b->line_count; i++) {
        const struct figure_line *l = &b->lines[i];
        struct figure_area *area = figures_area(sums, l->practice->row->area);
        for (size_t k = 0; k < l->count; k++)
            add_entry(&l->entries[k], p, area, sums);
    }
    return sums;
}

/* ---- what was published, as the next table is judged by it ---- */

struct past {
    uint32_t *days; /* first days, and days after last ones, ascending */
    struct disclosure_point *points;
    size_t point_count;
    struct disclosure_table *tables;
    const Brug__V1__FiguresPublished **rows; /* of each table */
    size_t table_count;
};

static void add_day(struct past *x, uint32_t day)
{
    size_t at = x->point_count;
    while (at > 0 && x->days[at - 1] >= day)
        at--;
    if (at < x->point_count && x->days[at] == day)
        return;
    memmove(x->days + at + 1, x->days + at, (x->point_count - at) * sizeof *x->days);
    x->days[at] = day;
    x->point_count++;
}

static size_t find_day(const struct past *x, uint32_t day)
{
    size_t at = 0;
    while (x->days[at] != day)
        at++;
    return at;
}

static void count_point(struct disclosure_point *p, const struct figure_entry *entry)
{
    if (entry->event == FIGURE_REFERRED)
        p->referred += entry->count;
    else if (entry->event == FIGURE_ENDED)
        p->ended += entry->count;
    else if (entry->event == FIGURE_CONSULTED)
        p->consulted += entry->count;
}

/* Entries ascend by day too: each counts at the first point after it, and then at all later ones. */
static void count_points(const struct figure_book *b, struct past *x)
{
    for (size_t i = 0; b && i < b->line_count; i++)
        for (size_t k = 0, at = 0; k < b->lines[i].count; k++) {
            const struct figure_entry *entry = &b->lines[i].entries[k];
            while (at < x->point_count && x->days[at] <= entry->day)
                at++;
            if (at < x->point_count)
                count_point(&x->points[at], entry);
        }
    for (size_t at = 1; at < x->point_count; at++) {
        x->points[at].referred += x->points[at - 1].referred;
        x->points[at].ended += x->points[at - 1].ended;
        x->points[at].consulted += x->points[at - 1].consulted;
    }
}

static enum error read_tables(const struct figure_book *b, struct decision *d, struct past *x)
{
    for (size_t i = 0; b && i < b->published_count; i++) {
        const struct figure_period *other = &b->published[i].period;
        const Brug__V1__FiguresPublished *row = figure_unpack(&b->published[i], d->arena);
        struct disclosure_table *t = &x->tables[x->table_count];
        if (!row)
            return ERROR_BUSY;
        if (!figures_read_totals(row->rows, row->n_rows, t))
            continue; /* of a later version: never, as such a journal does not open */
        t->from = find_day(x, other->from);
        t->until = find_day(x, other->until + 1);
        x->rows[x->table_count++] = row;
    }
    return ERROR_NONE;
}

static enum error read_past(const struct figure_book *b, const struct figure_period *p,
                            struct decision *d, struct past *x)
{
    size_t most = 2 * ((b ? b->published_count : 0) + 1);
    *x = (struct past){.days = decision_alloc(d, most, sizeof *x->days),
                       .points = decision_alloc(d, most, sizeof *x->points),
                       .tables = decision_alloc(d, most, sizeof *x->tables),
                       .rows = decision_alloc(d, most, sizeof *x->rows)};
    for (size_t i = 0; b && i < b->published_count; i++) {
        add_day(x, b->published[i].period.from);
        add_day(x, b->published[i].period.until + 1);
    }
    add_day(x, p->from);
    add_day(x, p->until + 1);
    count_points(b, x);
    return read_tables(b, d, x);
}

/* In memory of its own, which may be much and is not needed longer. */
static enum error judge(const struct past *x, struct disclosure_table *totals)
{
    struct arena *arena = arena_new();
    if (!arena)
        return ERROR_BUSY;
    arena_reset(arena, SIZE_MAX);
    enum error e =
        disclosure_judge(arena, x->points, x->point_count, x->tables, x->table_count, totals);
    arena_free(arena);
    return e ? ERROR_BUSY : ERROR_NONE;
}

/* ---- breakdowns ---- */

/* A table of the year, whose points are numbered from its first. */
static struct figure_told told(const struct disclosure_table *t, size_t first,
                               const Brug__V1__FiguresPublished *row)
{
    struct figure_told out = {.totals = *t};
    out.totals.from -= first;
    out.totals.until -= first;
    if (row) {
        out.rows = row->rows;
        out.row_count = row->n_rows;
    }
    return out;
}

/* Which breakdowns tables of the same year forbid; no period lies in two. */
static void hold(const struct state *s, const struct figures_ask *ask, const struct figure_book *b,
                 const struct past *x, const struct disclosure_table *next, struct decision *d,
                 bool held[FIGURE_MEASURES])
{
    const struct figure_period all = period_of(PERIOD(YEAR), ask->period.from);
    const struct figure_sums *sums[DISCLOSURE_POINTS_MAX];
    struct figure_told tables[DISCLOSURE_SPANS_MAX];
    size_t first = 0, n = 0;
    while (x->days[first] < all.from)
        first++;
    tables[n++] = told(next, first, NULL);
    for (size_t i = 0; i < x->table_count; i++)
        if (x->days[x->tables[i].from] >= all.from && x->days[x->tables[i].from] <= all.until) {
            assert(n < DISCLOSURE_SPANS_MAX);
            tables[n++] = told(&x->tables[i], first, x->rows[i]);
        }
    struct figure_year year = {.sums = sums, .tables = tables, .table_count = n};
    for (size_t i = first; i < x->point_count && x->days[i] <= all.until + 1; i++)
        year.point_count++;
    for (size_t i = 0; i + 1 < year.point_count; i++) {
        const uint32_t *day = &x->days[first + i];
        const struct figure_period p = {.from = day[0], .until = day[1] - 1};
        sums[i] = sums_of(s, ask->municipality, b, &p, d);
    }
    figures_hold(&year, held);
}

/* ---- rows ---- */

static Brug__V1__FigureRow **list_rows(struct figure_rows *rows, struct decision *d)
{
    Brug__V1__FigureRow **list = decision_alloc(d, rows->count + 1, sizeof *list);
    for (size_t i = 0; i < rows->count; i++)
        list[i] = &rows->items[i];
    return list;
}

static enum error publish(const struct state *s, const struct figures_ask *ask,
                          const struct organisation *team, struct decision *d,
                          Brug__V1__FiguresPublished **out)
{
    const struct figure_book *b = figure_find(s, ask->municipality, team);
    struct past past;
    enum error e = read_past(b, &ask->period, d, &past);
    if (e)
        return e;
    struct disclosure_table totals = {.from = find_day(&past, ask->period.from),
                                      .until = find_day(&past, ask->period.until + 1)};
    e = judge(&past, &totals);
    if (e)
        return e;
    struct figure_rows *rows = decision_alloc(d, 1, sizeof *rows);
    bool held[FIGURE_MEASURES] = {false};
    hold(s, ask, b, &past, &totals, d, held);
    figures_write_published(sums_of(s, ask->municipality, b, &ask->period, d), &totals, held, rows);
    Brug__V1__FiguresPublished *r = decision_message(d, &brug__v1__figures_published__descriptor);
    r->municipality = id_bytes(&ask->municipality->entity.id);
    r->team = id_bytes(&team->entity.id);
    r->period = ask->period.kind;
    r->from_date = ask->period.from;
    r->until_date = ask->period.until;
    r->at_ms = ask->now.wall_ms;
    r->rows = list_rows(rows, d);
    r->n_rows = rows->count;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_FIGURES_PUBLISHED, r, NULL);
    *out = r;
    return ERROR_NONE;
}

static enum error table_of(const struct state *s, const struct policy *p,
                           const struct figures_ask *ask, const struct organisation *team,
                           struct decision *d, Brug__V1__TeamFigures **out)
{
    Brug__V1__FiguresPublished *row = NULL;
    enum error e = ERROR_NONE;
    const struct figure_table *t =
        figure_published(figure_find(s, ask->municipality, team), &ask->period);
    if (t)
        e = (row = figure_unpack(t, d->arena)) ? ERROR_NONE : ERROR_BUSY;
    else if (!p->has_room)
        e = ERROR_FULL;
    else if (p->doubts_clock)
        e = ERROR_BUSY;
    else
        e = publish(s, ask, team, d, &row);
    if (e)
        return e;
    *out = decision_message(d, &brug__v1__team_figures__descriptor);
    (*out)->team = id_bytes(&team->entity.id);
    (*out)->name = team->row->name;
    (*out)->published_at_ms = row->at_ms;
    (*out)->rows = row->rows;
    (*out)->n_rows = row->n_rows;
    return ERROR_NONE;
}

static Brug__V1__Figures *new_page(const struct municipality *m, const struct figure_period *p,
                                   uint32_t today, struct decision *d)
{
    Brug__V1__Figures *page = decision_message(d, &brug__v1__figures__descriptor);
    page->municipality = id_bytes(&m->entity.id);
    page->period = p->kind;
    page->from_date = p->from;
    page->until_date = p->until;
    page->running = p->until >= today;
    page->teams = decision_alloc(d, LIMIT_FIGURE_TEAMS, sizeof *page->teams);
    return page;
}

struct figure_period decide_figure_period(const Brug__V1__GetFigures *asked, uint32_t today)
{
    struct figure_period p = period_of(asked->period, asked->date ? asked->date : today);
    return asked->date ? p : period_before(&p);
}

enum error decide_figures_published(const struct state *s, const struct policy *p,
                                    const struct figures_ask *ask, struct decision *d,
                                    Brug__V1__Figures **out)
{
    const struct table *t = &s->organisations;
    Brug__V1__Figures *page = new_page(ask->municipality, &ask->period, ask->today, d);
    if (page->running)
        return ERROR_NOT_OVER;
    if (ask->period.until < figure_first_day(s, ask->municipality))
        return ERROR_NOT_BEGUN;
    for (size_t i = table_position_after(t, &ask->after); i < table_count(t); i++) {
        const struct organisation *o = container_of(t->sorted[i], struct organisation, entity);
        if (o->row->kind != KIND(TEAM) || !organisation_works_in(o, ask->municipality))
            continue;
        if (page->n_teams == LIMIT_FIGURE_TEAMS) {
            page->next = page->teams[page->n_teams - 1]->team;
            break;
        }
        enum error e = table_of(s, p, ask, o, d, &page->teams[page->n_teams]);
        if (e) {
            decision_fini(d); /* takes back what was to be recorded */
            return e;
        }
        page->n_teams++;
    }
    *out = page;
    return ERROR_NONE;
}

/* ---- inside ---- */

struct workload { /* of the team now */
    uint32_t overdue[FIGURE_OWED_KINDS];
    uint32_t *cases; /* of each person of the team, and last: of nobody */
};

static size_t director_of(const struct organisation *team, const struct case_file *c)
{
    for (size_t i = 0; i < team->person_count; i++)
        if (id_equal(&team->persons[i]->entity.id, &c->director))
            return i;
    return team->person_count;
}

static void add_case(const struct organisation *team, const struct case_file *c, uint32_t today,
                     struct workload *load)
{
    for (size_t i = 0; i < c->owed_count; i++) {
        const struct owed_item *item = &c->owed[i];
        if (item->debtor == BRUG__V1__SIDE__SIDE_TEAM && item->due_date != 0 &&
            item->due_date < today)
            load->overdue[item->kind]++;
    }
    if (case_is_open(c))
        load->cases[director_of(team, c)]++;
}

/* What each case owes stands in its row only; ended ones owe answers at most. */
static enum error load_of(const struct municipality *m, const struct organisation *team,
                          uint32_t today, struct workload *load)
{
    struct arena *arena = arena_new();
    enum error e = arena ? ERROR_NONE : ERROR_BUSY;
    for (size_t i = 0; !e && i < team->case_count; i++) {
        struct case_file c;
        if (team->cases[i]->municipality != m)
            continue;
        arena_reset(arena, SIZE_MAX);
        Brug__V1__Case *row = casefile_unpack(team->cases[i], arena);
        if (!row || case_row_read(row, &c))
            e = ERROR_BUSY;
        else
            add_case(team, &c, today, load);
    }
    arena_free(arena);
    return e;
}

static void add_now(Brug__V1__TeamFigures *t, Brug__V1__FigureMeasure measure, uint32_t code,
                    char *name, uint32_t number, struct decision *d)
{
    Brug__V1__FigureRow *row = decision_message(d, &brug__v1__figure_row__descriptor);
    row->measure = measure;
    row->code = code;
    row->form = FORM(EXACT);
    row->number = number;
    if (name)
        row->name = name;
    t->rows[t->n_rows++] = row;
}

/* A person who left, and has no case, is not shown. */
static void add_load(const struct organisation *team, const struct workload *load,
                     Brug__V1__TeamFigures *t, struct decision *d)
{
    for (uint32_t kind = 1; kind < FIGURE_OWED_KINDS; kind++)
        add_now(t, MEASURE(OVERDUE), kind, NULL, load->overdue[kind], d);
    for (size_t i = 0; i < team->person_count; i++) {
        const struct person *p = team->persons[i];
        bool is_shown = person_is_active(p) && p->row->role == BRUG__V1__ROLE__ROLE_CONSULTANT;
        if (is_shown || load->cases[i] > 0)
            add_now(t, MEASURE(CASELOAD), 0, p->row->name, load->cases[i], d);
    }
    add_now(t, MEASURE(CASELOAD), 0, NULL, load->cases[team->person_count], d);
}

static enum error inside(const struct state *s, const struct municipality *m,
                         const struct organisation *team, const struct figure_period *p,
                         uint32_t today, struct decision *d, Brug__V1__Figures **out)
{
    struct workload load = {.cases = decision_alloc(d, team->person_count + 1, sizeof *load.cases)};
    struct figure_rows *rows = decision_alloc(d, 1, sizeof *rows);
    Brug__V1__TeamFigures *t = decision_message(d, &brug__v1__team_figures__descriptor);
    if (p->from > today)
        return ERROR_NOT_OVER;
    enum error e = load_of(m, team, today, &load);
    if (e)
        return e;
    figures_write_inside(sums_of(s, m, figure_find(s, m, team), p, d), rows);
    t->team = id_bytes(&team->entity.id);
    t->name = team->row->name;
    t->rows = decision_alloc(d, rows->count + FIGURE_OWED_KINDS + team->person_count + 1,
                             sizeof *t->rows);
    for (size_t i = 0; i < rows->count; i++)
        t->rows[t->n_rows++] = &rows->items[i];
    add_load(team, &load, t, d);
    *out = new_page(m, p, today, d);
    (*out)->teams[(*out)->n_teams++] = t;
    return ERROR_NONE;
}

/* ---- the request ---- */

void decide_get_figures(const struct state *s, const struct policy *p, const struct command *c,
                        struct decision *d)
{
    const Brug__V1__GetFigures *asked = c->frame->get_figures;
    const struct organisation *o = c->endpoint->organisation;
    const struct municipality *m = municipality_find(s, asked->municipality);
    struct figures_ask ask = {
        .municipality = m, .today = workdays_date(c->now.wall_ms), .now = c->now};
    Brug__V1__Figures *page = NULL;
    enum error e = ERROR_NONE;
    (void)id_take_optional(asked->after, &ask.after); /* its form was checked */
    ask.period = decide_figure_period(asked, ask.today);
    if (!m || !organisation_works_in(o, m))
        e = ERROR_NO_SUCH_OBJECT;
    else if (!asked->inside)
        e = decide_figures_published(s, p, &ask, d, &page);
    else if (roles_may(endpoint_role(c->endpoint), OPERATION_GET_FIGURES) != SCOPE_TEAM)
        e = ERROR_ROLE_NOT_ALLOWED;
    else
        e = inside(s, m, o, &ask.period, ask.today, d, &page);
    if (e) {
        decision_refuse(d, c, e, NULL);
        return;
    }
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_FIGURES;
    d->answer.figures = page;
}
