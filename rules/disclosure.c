/*
 * rules/disclosure.c: bounds on differences, closed under shortest paths; see disclosure.h for why.
 *
 * A system has a variable for each point and each thing that is counted, and one for the start, when all are 0. upper[u][v] is the
 * least upper bound of v - u that follows from all that is known; the least value of v - u is -upper[v][u].
 */
#include "rules/disclosure.h"
#include <assert.h>
#include <string.h>

#define UNBOUND (INT32_MAX / 4)
#define START 0u
#define VIEWS 2u /* without and with knowledge of the first day */

#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name

struct pair {
    uint32_t from, to; /* nodes */
};

struct system {
    size_t nodes;
    size_t *
        node; /* of each variable; in the second view what lies before the start is the start itself */
    int32_t *upper, *spare;
    size_t *nearer;     /* nodes: of limit() */
    struct pair *small; /* differences that are under 5 in truth */
    size_t small_count;
};

/* Variables are numbered by point, `series` to each: referred, then ended; or consulted alone. */
struct book {
    const struct disclosure_point *points;
    size_t point_count;
    unsigned series;
    struct system views[VIEWS];
};

uint32_t disclosure_round(uint32_t number)
{
    return (number + DISCLOSURE_FEW / 2) / DISCLOSURE_FEW * DISCLOSURE_FEW;
}

static uint32_t rounded_low(uint32_t rounded)
{
    return rounded == 0 ? 0 : rounded - DISCLOSURE_FEW / 2;
}

static uint32_t rounded_high(uint32_t rounded) { return rounded + DISCLOSURE_FEW / 2; }

/* False: it says nothing. */
static bool bounds_of(struct disclosure_total t, uint32_t *low, uint32_t *high)
{
    switch (t.form) {
    case FORM(EXACT):
        *low = *high = t.number;
        return true;
    case FORM(ROUNDED):
        *low = rounded_low(t.number);
        *high = rounded_high(t.number);
        return true;
    case FORM(UNDER_5):
        *low = 0;
        *high = DISCLOSURE_FEW - 1;
        return true;
    default:
        return false;
    }
}

/* ---- breakdowns ---- */

struct breakdown {
    const uint32_t *counts; /* by point, then by cell */
    size_t cells;
    const struct disclosure_span *spans;
    size_t span_count;
    uint32_t sums[DISCLOSURE_SPANS_MAX][DISCLOSURE_CELLS_MAX];
};

static bool covers(const struct disclosure_span *s, size_t point)
{
    return s->from <= point && point < s->until;
}

static void sum_up(struct breakdown *b)
{
    for (size_t i = 0; i < b->span_count; i++)
        for (size_t point = b->spans[i].from; point < b->spans[i].until; point++)
            for (size_t c = 0; c < b->cells; c++)
                b->sums[i][c] += b->counts[point * b->cells + c];
}

/* Whether all tables would be the same if the cell had one more (by 1) or one less (-1) there. */
static bool may_change(const struct breakdown *b, size_t point, size_t cell, int by)
{
    if (by < 0 && b->counts[point * b->cells + cell] == 0)
        return false;
    for (size_t i = 0; i < b->span_count; i++) {
        uint32_t sum = b->sums[i][cell];
        if (covers(&b->spans[i], point) &&
            disclosure_round(sum + (uint32_t)by) != disclosure_round(sum))
            return false;
    }
    return true;
}

static void join(size_t *group, size_t n, size_t from, size_t to)
{
    size_t old = group[from];
    for (size_t c = 0; c < n; c++)
        if (group[c] == old)
            group[c] = group[to];
}

/* One that may have less there and one that may have more can trade: all of either sort are one group. */
static void join_at(const struct breakdown *b, size_t point, size_t group[DISCLOSURE_CELLS_MAX])
{
    size_t moving[DISCLOSURE_CELLS_MAX], n = 0;
    bool has_giver = false, has_taker = false;
    for (size_t c = 0; c < b->cells; c++) {
        bool gives = may_change(b, point, c, -1), takes = may_change(b, point, c, 1);
        has_giver |= gives;
        has_taker |= takes;
        if (gives || takes)
            moving[n++] = c;
    }
    for (size_t i = 1; has_giver && has_taker && i < n; i++)
        join(group, b->cells, moving[i], moving[0]);
}

static bool is_span_open(const struct breakdown *b, size_t span)
{
    size_t group[DISCLOSURE_CELLS_MAX];
    uint32_t members[DISCLOSURE_CELLS_MAX] = {0};
    for (size_t c = 0; c < b->cells; c++)
        group[c] = c;
    for (size_t point = b->spans[span].from; point < b->spans[span].until; point++)
        join_at(b, point, group);
    for (size_t c = 0; c < b->cells; c++)
        members[group[c]] += b->sums[span][c];
    for (size_t c = 0; c < b->cells; c++)
        if (members[group[c]] < DISCLOSURE_FEW)
            return false;
    return true;
}

bool disclosure_stays_open(const uint32_t *counts, size_t cell_count,
                           const struct disclosure_span *spans, size_t span_count)
{
    struct breakdown b = {
        .counts = counts, .cells = cell_count, .spans = spans, .span_count = span_count};
    assert(cell_count <= DISCLOSURE_CELLS_MAX && span_count <= DISCLOSURE_SPANS_MAX);
    sum_up(&b);
    for (size_t i = 0; i < span_count; i++)
        if (spans[i].from < spans[0].until && spans[0].from < spans[i].until &&
            !is_span_open(&b, i))
            return false;
    return true;
}

bool disclosure_may_round(const uint32_t *cells, size_t n, struct disclosure_total total)
{
    const struct disclosure_span whole = {0, 1};
    uint64_t low = 0, high = 0;
    uint32_t total_low = 0, total_high = 0;
    if (total.form == FORM(UNDER_5) || !bounds_of(total, &total_low, &total_high))
        return false;
    for (size_t i = 0; i < n; i++) {
        low += rounded_low(disclosure_round(cells[i]));
        high += rounded_high(disclosure_round(cells[i]));
    }
    return n > 0 && low <= total_low && total_high <= high &&
           disclosure_stays_open(cells, n, &whole, 1);
}

static bool is_reached(const bool *reached, const struct disclosure_span *s)
{
    return reached[s->from] && reached[s->until];
}

bool disclosure_hangs_together(const struct disclosure_span *exact, size_t exact_count,
                               const struct disclosure_span *spans, size_t span_count)
{
    bool reached[DISCLOSURE_POINTS_MAX] = {false}, grows = span_count > 0;
    reached[spans[0].from] = true;
    while (grows) {
        grows = false;
        for (size_t i = 0; i < exact_count; i++) {
            const struct disclosure_span *s = &exact[i];
            if (reached[s->from] != reached[s->until])
                grows = reached[s->from] = reached[s->until] = true;
        }
    }
    for (size_t i = 0; i < span_count; i++)
        if (!is_reached(reached, &spans[i]))
            return false;
    return true;
}

/* ---- bounds ---- */

/*
 * to - from is at most `most`. Only what goes by this way from `from` itself can be shorter than before, and only for who comes to
 * `to` by it.
 */
static void limit(struct system *s, size_t from, size_t to, int32_t most)
{
    size_t n = s->nodes, nearer = 0;
    const int32_t *behind = s->upper + to * n, *at = s->upper + from * n;
    if (from == to || most >= at[to])
        return;
    for (size_t v = 0; v < n; v++)
        if (behind[v] != UNBOUND && most + behind[v] < at[v])
            s->nearer[nearer++] = v;
    for (size_t u = 0; u < n; u++) {
        int32_t *row = s->upper + u * n, before = row[from];
        if (before == UNBOUND || before + most >= row[to])
            continue;
        for (size_t k = 0; k < nearer; k++) {
            size_t v = s->nearer[k];
            if (before + most + behind[v] < row[v])
                row[v] = before + most + behind[v];
        }
    }
}

/* What a total says: nothing when it is withheld. */
static void learn(struct system *s, size_t from, size_t to, struct disclosure_total t)
{
    uint32_t low, high;
    if (!bounds_of(t, &low, &high))
        return;
    limit(s, from, to, (int32_t)high);
    limit(s, to, from, -(int32_t)low);
}

/* Whether each small count can have two values at least. */
static bool is_open(const struct system *s)
{
    for (size_t i = 0; i < s->small_count; i++) {
        const struct pair *p = &s->small[i];
        int32_t high = s->upper[p->from * s->nodes + p->to];
        int32_t low = -s->upper[p->to * s->nodes + p->from];
        if (high <= low)
            return false;
    }
    return true;
}

/* ---- the book of a team ---- */

static size_t variable_count(const struct book *b) { return b->point_count * b->series; }

static uint32_t value_of(const struct book *b, size_t variable)
{
    const struct disclosure_point *p = &b->points[variable / b->series];
    if (b->series == 1)
        return p->consulted;
    return variable % b->series == 0 ? p->referred : p->ended;
}

/* Whether the variable's point lies before the first referral, or the first consult: then all is 0. */
static bool is_before_start(const struct book *b, size_t variable)
{
    const struct disclosure_point *p = &b->points[variable / b->series];
    return (b->series == 1 ? p->consulted : p->referred) == 0;
}

/* Known of all data: a is never more than b. */
static bool never_exceeds(const struct book *b, size_t a, size_t other)
{
    bool is_earlier = a / b->series <= other / b->series;
    return is_earlier && a % b->series >= other % b->series;
}

/* A count that can be asked: of one series between two points, or what is open at one. */
static bool is_count(const struct book *b, size_t from, size_t to)
{
    bool is_span = from % b->series == to % b->series && from / b->series < to / b->series;
    bool is_open_then = b->series == 2 && from == to + 1 && to % 2 == 0;
    return is_span || is_open_then;
}

static void note_small(const struct book *b, struct system *s, size_t from, size_t to)
{
    uint32_t low = value_of(b, from), high = value_of(b, to);
    if (is_count(b, from, to) && s->node[from] != s->node[to] && high - low < DISCLOSURE_FEW)
        s->small[s->small_count++] = (struct pair){(uint32_t)s->node[from], (uint32_t)s->node[to]};
}

static enum error system_init(struct arena *arena, const struct book *b, bool knows_start,
                              struct system *s)
{
    size_t variables = variable_count(b), n = variables + 1;
    *s = (struct system){.nodes = n};
    s->node = arena_alloc(arena, n * sizeof *s->node);
    s->nearer = arena_alloc(arena, n * sizeof *s->nearer);
    s->upper = arena_alloc(arena, n * n * sizeof *s->upper);
    s->spare = arena_alloc(arena, n * n * sizeof *s->spare);
    s->small = arena_alloc(arena, n * n * sizeof *s->small);
    if (!s->node || !s->nearer || !s->upper || !s->spare || !s->small)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < n * n; i++)
        s->upper[i] = i % (n + 1) == 0 ? 0 : UNBOUND;
    for (size_t a = 0; a < variables; a++) {
        s->node[a] = knows_start && is_before_start(b, a) ? START : a + 1;
        s->upper[s->node[a] * n + START] = 0;
    }
    for (size_t a = 0; a < variables; a++)
        for (size_t other = 0; other < variables; other++) {
            if (never_exceeds(b, a, other))
                s->upper[s->node[other] * n + s->node[a]] = 0;
            note_small(b, s, a, other);
        }
    return ERROR_NONE;
}

static enum error book_init(struct arena *arena, const struct disclosure_point *points,
                            size_t point_count, unsigned series, struct book *b)
{
    enum error e = ERROR_NONE;
    *b = (struct book){.points = points, .point_count = point_count, .series = series};
    for (unsigned v = 0; !e && v < VIEWS; v++)
        e = system_init(arena, b, v > 0, &b->views[v]);
    return e;
}

static void book_learn(struct book *b, size_t from, size_t to, struct disclosure_total t)
{
    for (unsigned v = 0; v < VIEWS; v++)
        learn(&b->views[v], b->views[v].node[from], b->views[v].node[to], t);
}

/* Keeps what is known, so that book_take_back can undo what is learnt. */
static void book_mark(struct book *b)
{
    for (unsigned v = 0; v < VIEWS; v++) {
        struct system *s = &b->views[v];
        memcpy(s->spare, s->upper, s->nodes * s->nodes * sizeof *s->upper);
    }
}

static void book_take_back(struct book *b)
{
    for (unsigned v = 0; v < VIEWS; v++) {
        int32_t *kept = b->views[v].spare;
        b->views[v].spare = b->views[v].upper;
        b->views[v].upper = kept;
    }
}

/* The difference of two variables in the finest form that keeps all small counts open. */
static struct disclosure_total publish(struct book *b, size_t from, size_t to)
{
    uint32_t number = value_of(b, to) - value_of(b, from);
    const struct disclosure_total fine[] = {
        number < DISCLOSURE_FEW ? (struct disclosure_total){FORM(UNDER_5), 0}
                                : (struct disclosure_total){FORM(EXACT), number},
        {number < DISCLOSURE_FEW ? FORM(WITHHELD) : FORM(ROUNDED), disclosure_round(number)},
    };
    for (size_t i = 0; i < 2 && fine[i].form != FORM(WITHHELD); i++) {
        book_mark(b);
        book_learn(b, from, to, fine[i]);
        if (is_open(&b->views[0]) && is_open(&b->views[1]))
            return fine[i];
        book_take_back(b);
    }
    return (struct disclosure_total){.form = FORM(WITHHELD)};
}

enum error disclosure_judge(struct arena *arena, const struct disclosure_point *points,
                            size_t point_count, const struct disclosure_table *known,
                            size_t known_count, struct disclosure_table *next)
{
    struct book cases, consults;
    enum error e = book_init(arena, points, point_count, 2, &cases);
    if (!e)
        e = book_init(arena, points, point_count, 1, &consults);
    if (e)
        return e;
    for (size_t i = 0; i < known_count; i++) {
        const struct disclosure_table *k = &known[i];
        book_learn(&cases, 2 * k->from, 2 * k->until, k->referred);
        book_learn(&cases, 2 * k->from + 1, 2 * k->until + 1, k->ended);
        book_learn(&cases, 2 * k->until + 1, 2 * k->until, k->open);
        book_learn(&consults, k->from, k->until, k->consulted);
    }
    next->referred = publish(&cases, 2 * next->from, 2 * next->until);
    next->ended = publish(&cases, 2 * next->from + 1, 2 * next->until + 1);
    next->open = publish(&cases, 2 * next->until + 1, 2 * next->until);
    next->consulted = publish(&consults, next->from, next->until);
    return ERROR_NONE;
}

uint64_t disclosure_cost(size_t point_count, size_t known_count)
{
    uint64_t nodes = 2 * (uint64_t)point_count + 1;
    return nodes * nodes * (6 * (uint64_t)known_count + 12);
}
