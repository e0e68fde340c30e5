/*
 * rules/disclosure.c: which numbers hang together so tightly that nothing can move; see disclosure.h for why.
 *
 * A variable is what was counted of one thing before a point: all that was referred, or ended; or consulted. What is known says that the
 * one of two variables is more than the other by so much at most. Where it is by just so much in truth, the one cannot rise unless the
 * other does: an edge leads from the other to the one. So a ring of edges moves as one, and all differences within it are pinned; and no
 * others are, since whatever is not in a ring with a variable can stay when that one rises, or when that one falls.
 */
#include "rules/disclosure.h"
#include <assert.h>
#include <string.h>

#define VIEWS 2u /* without and with knowledge of the first day */
#define NO_EDGE SIZE_MAX

#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name

enum way { ONWARD, BACK, WAYS };

struct edge {
    size_t node[WAYS]; /* ONWARD from the first to the second */
    size_t next[WAYS]; /* edges that leave the same node this way */
};

/*
 * What somebody knows of a team. Variables are numbered by point, `series` to each: referred, then ended; or consulted alone.
 * Each is a node; the last node is the start, when all are 0, and what lies before it for who knows when it was.
 */
struct book {
    const struct disclosure_point *points;
    size_t point_count;
    unsigned series;
    bool knows_start;
    struct edge *edges;
    size_t edge_count;
    size_t *first[WAYS]; /* edges, of each node */
    bool *reached[WAYS]; /* nodes */
    size_t *waiting;     /* nodes */
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

/* One that may have less there and one that may have more can trade. */
static void find_moving(const struct breakdown *b, size_t point, bool moves[DISCLOSURE_CELLS_MAX])
{
    size_t moving = 0;
    bool has_giver = false, has_taker = false;
    for (size_t c = 0; c < b->cells; c++) {
        bool gives = may_change(b, point, c, -1), takes = may_change(b, point, c, 1);
        has_giver |= gives;
        has_taker |= takes;
        moves[c] = gives || takes;
        moving += moves[c];
    }
    if (!has_giver || !has_taker || moving < 2)
        memset(moves, 0, b->cells * sizeof *moves);
}

/* All that can trade there are one group. False: one that has less than 5 there cannot. */
static bool join_at(const struct breakdown *b, size_t point, size_t group[DISCLOSURE_CELLS_MAX])
{
    bool moves[DISCLOSURE_CELLS_MAX];
    size_t first = 0;
    find_moving(b, point, moves);
    while (first < b->cells && !moves[first])
        first++;
    for (size_t c = 0; c < b->cells; c++) {
        if (moves[c])
            join(group, b->cells, c, first);
        else if (b->counts[point * b->cells + c] < DISCLOSURE_FEW)
            return false;
    }
    return true;
}

static bool is_span_open(const struct breakdown *b, size_t span)
{
    size_t group[DISCLOSURE_CELLS_MAX];
    uint32_t members[DISCLOSURE_CELLS_MAX] = {0};
    for (size_t c = 0; c < b->cells; c++)
        group[c] = c;
    for (size_t point = b->spans[span].from; point < b->spans[span].until; point++)
        if (!join_at(b, point, group))
            return false;
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

/* ---- the book of a team ---- */

static size_t start_of(const struct book *b) { return b->point_count * b->series; }

static uint32_t value_of(const struct book *b, size_t variable)
{
    const struct disclosure_point *p = &b->points[variable / b->series];
    if (variable == start_of(b))
        return 0;
    if (b->series == 1)
        return p->consulted;
    return variable % b->series == 0 ? p->referred : p->ended;
}

/* Whether it is known to lie before the first referral, or the first consult: then all is 0. */
static bool is_before_start(const struct book *b, size_t variable)
{
    return b->knows_start && value_of(b, variable - variable % b->series) == 0;
}

static size_t node_of(const struct book *b, size_t variable)
{
    return is_before_start(b, variable) ? start_of(b) : variable;
}

/* A count that can be asked: of one series between two points, or what is open at one. */
static bool is_count(const struct book *b, size_t from, size_t to)
{
    bool is_span = from % b->series == to % b->series && from / b->series < to / b->series;
    bool is_open_then = b->series == 2 && from == to + 1 && to % 2 == 0;
    return from != start_of(b) && to != start_of(b) && (is_span || is_open_then);
}

/* It is known that to - from is `most` at most. */
static void limit(struct book *b, size_t from, size_t to, int64_t most)
{
    size_t node[WAYS] = {node_of(b, from), node_of(b, to)};
    if (node[0] == node[1] || (int64_t)value_of(b, to) - value_of(b, from) < most)
        return;
    struct edge *e = &b->edges[b->edge_count];
    for (int way = ONWARD; way < WAYS; way++) {
        e->node[way] = node[way];
        e->next[way] = b->first[way][node[way]];
        b->first[way][node[way]] = b->edge_count;
    }
    b->edge_count++;
}

/* The edges since there were so many. */
static void forget(struct book *b, size_t count)
{
    while (b->edge_count > count) {
        const struct edge *e = &b->edges[--b->edge_count];
        for (int way = ONWARD; way < WAYS; way++)
            b->first[way][e->node[way]] = e->next[way];
    }
}

/* What a total says: nothing when it is withheld. */
static void learn(struct book *b, size_t from, size_t to, struct disclosure_total t)
{
    uint32_t low, high;
    if (!bounds_of(t, &low, &high))
        return;
    limit(b, from, to, high);
    limit(b, to, from, -(int64_t)low);
}

/* What is so of all data: nothing falls, nothing ends before it was referred, and there is one at least after the start. */
static void learn_what_is_always_so(struct book *b)
{
    for (size_t v = 0; v < start_of(b); v++) {
        bool is_first = v < b->series, is_ended = v % b->series == 1;
        limit(b, v, is_first ? start_of(b) : v - b->series, 0);
        if (is_ended)
            limit(b, v - 1, v, 0);
        else if (b->knows_start && !is_before_start(b, v))
            limit(b, v, start_of(b), -1);
    }
}

static enum error book_init(struct arena *arena, const struct disclosure_point *points,
                            size_t point_count, size_t table_count, unsigned series,
                            bool knows_start, struct book *b)
{
    *b = (struct book){
        .points = points, .point_count = point_count, .series = series, .knows_start = knows_start};
    size_t nodes = start_of(b) + 1, edges = 2 * nodes + 6 * table_count;
    b->edges = arena_alloc(arena, edges * sizeof *b->edges);
    b->waiting = arena_alloc(arena, nodes * sizeof *b->waiting);
    for (int way = ONWARD; way < WAYS; way++) {
        b->first[way] = arena_alloc(arena, nodes * sizeof *b->first[way]);
        b->reached[way] = arena_alloc(arena, nodes * sizeof *b->reached[way]);
        if (!b->edges || !b->waiting || !b->first[way] || !b->reached[way])
            return ERROR_NO_MEMORY;
        for (size_t i = 0; i < nodes; i++)
            b->first[way][i] = NO_EDGE;
    }
    learn_what_is_always_so(b);
    return ERROR_NONE;
}

static void reach(struct book *b, size_t node, enum way way)
{
    bool *reached = b->reached[way];
    size_t waiting = 0;
    memset(reached, 0, (start_of(b) + 1) * sizeof *reached);
    reached[node] = true;
    b->waiting[waiting++] = node;
    while (waiting > 0) {
        size_t edge = b->first[way][b->waiting[--waiting]];
        for (; edge != NO_EDGE; edge = b->edges[edge].next[way]) {
            size_t other = b->edges[edge].node[!way];
            if (!reached[other])
                b->waiting[waiting++] = other;
            reached[other] = true;
        }
    }
}

static bool is_small_count(const struct book *b, size_t from, size_t to)
{
    return is_count(b, from, to) && node_of(b, from) != node_of(b, to) &&
           value_of(b, to) - value_of(b, from) < DISCLOSURE_FEW;
}

/* Whether no count under 5 is in the ring of a variable: only by what was learnt of it can one be pinned that was open. */
static bool is_open(struct book *b, size_t variable)
{
    size_t *ring = b->waiting, n = 0;
    reach(b, node_of(b, variable), ONWARD);
    reach(b, node_of(b, variable), BACK);
    for (size_t v = 0; v < start_of(b); v++)
        if (b->reached[ONWARD][node_of(b, v)] && b->reached[BACK][node_of(b, v)])
            ring[n++] = v;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (is_small_count(b, ring[i], ring[k]))
                return false;
    return true;
}

/* ---- totals ---- */

/* The difference of two variables in the finest form that keeps all small counts open. */
static struct disclosure_total publish(struct book views[VIEWS], size_t from, size_t to)
{
    uint32_t number = value_of(&views[0], to) - value_of(&views[0], from);
    const struct disclosure_total fine[] = {
        number < DISCLOSURE_FEW ? (struct disclosure_total){FORM(UNDER_5), 0}
                                : (struct disclosure_total){FORM(EXACT), number},
        {number < DISCLOSURE_FEW ? FORM(WITHHELD) : FORM(ROUNDED), disclosure_round(number)},
    };
    for (size_t i = 0; i < 2 && fine[i].form != FORM(WITHHELD); i++) {
        size_t known[VIEWS] = {views[0].edge_count, views[1].edge_count};
        for (unsigned v = 0; v < VIEWS; v++)
            learn(&views[v], from, to, fine[i]);
        if (is_open(&views[0], from) && is_open(&views[1], from))
            return fine[i];
        for (unsigned v = 0; v < VIEWS; v++)
            forget(&views[v], known[v]);
    }
    return (struct disclosure_total){.form = FORM(WITHHELD)};
}

enum error disclosure_judge(struct arena *arena, const struct disclosure_point *points,
                            size_t point_count, const struct disclosure_table *known,
                            size_t known_count, struct disclosure_table *next)
{
    struct book cases[VIEWS], consults[VIEWS];
    for (unsigned v = 0; v < VIEWS; v++) {
        if (book_init(arena, points, point_count, known_count + 1, 2, v > 0, &cases[v]) ||
            book_init(arena, points, point_count, known_count + 1, 1, v > 0, &consults[v]))
            return ERROR_NO_MEMORY;
        for (size_t i = 0; i < known_count; i++) {
            const struct disclosure_table *k = &known[i];
            learn(&cases[v], 2 * k->from, 2 * k->until, k->referred);
            learn(&cases[v], 2 * k->from + 1, 2 * k->until + 1, k->ended);
            learn(&cases[v], 2 * k->until + 1, 2 * k->until, k->open);
            learn(&consults[v], k->from, k->until, k->consulted);
        }
    }
    next->referred = publish(cases, 2 * next->from, 2 * next->until);
    next->ended = publish(cases, 2 * next->from + 1, 2 * next->until + 1);
    next->open = publish(cases, 2 * next->until + 1, 2 * next->until);
    next->consulted = publish(consults, next->from, next->until);
    return ERROR_NONE;
}
