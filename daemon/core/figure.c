/*
 * daemon/core/figure.c: the counts that figures are made of [R52], kept while the cases come and go, and the tables that were
 * published of them.
 *
 * What is counted follows from the records of cases alone (rules/figures.h). A table that was published says for good which days are
 * over: what comes later counts after them.
 *
 * Failures: a record that names something unknown (CORRUPT: decide and the store never make one), no memory.
 */
#include "daemon/core/model.h"
#include "proto/frame.h"
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES_MAX (256u << 10)
#define CAPACITY_FIRST 8u

static void set_key(struct id key[2], const struct id *municipality, const struct id *team)
{
    key[0] = *municipality;
    key[1] = *team;
}

struct figure_book *figure_find(const struct state *s, const struct municipality *m,
                                const struct organisation *team)
{
    struct id key[2];
    set_key(key, &m->entity.id, &team->entity.id);
    struct map_node *n = map_find(&s->figures, key, sizeof key);
    return n ? container_of(n, struct figure_book, node) : NULL;
}

uint32_t figure_first_day(const struct state *s, const struct municipality *m)
{
    uint32_t first = UINT32_MAX;
    for (struct map_node *n = map_next(&s->figures, NULL); n; n = map_next(&s->figures, n)) {
        const struct figure_book *b = container_of(n, struct figure_book, node);
        for (size_t i = 0; i < b->line_count && id_equal(&b->key[0], &m->entity.id); i++) {
            const struct figure_line *l = &b->lines[i];
            if (l->count > 0 && l->entries[0].day < first)
                first = l->entries[0].day;
        }
    }
    return first;
}

/* The same items, with room for one more; NULL: no memory, nothing changed. */
static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t more = *capacity ? *capacity * 2 : CAPACITY_FIRST;
    void *larger = reallocarray(items, more, size);
    if (larger)
        *capacity = more;
    return larger;
}

/* ---- books and lines ---- */

static enum error need_book(struct state *s, const struct municipality *m,
                            const struct organisation *team, struct figure_book **out)
{
    struct figure_book *b = figure_find(s, m, team);
    enum error e = ERROR_NONE;
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b)
            return ERROR_NO_MEMORY;
        set_key(b->key, &m->entity.id, &team->entity.id);
        e = map_insert(&s->figures, &b->node, b->key, sizeof b->key);
    }
    if (e)
        free(b);
    else
        *out = b;
    return e;
}

static enum error need_line(struct figure_book *b, struct organisation *practice,
                            struct figure_line **out)
{
    for (size_t i = b->line_count; i-- > 0;) /* a load comes by practice */
        if (b->lines[i].practice == practice) {
            *out = &b->lines[i];
            return ERROR_NONE;
        }
    struct figure_line *lines = grown(b->lines, b->line_count, &b->line_capacity, sizeof *lines);
    if (!lines)
        return ERROR_NO_MEMORY;
    b->lines = lines;
    *out = &b->lines[b->line_count++];
    **out = (struct figure_line){.practice = practice};
    return ERROR_NONE;
}

static int compare(const struct figure_entry *a, const struct figure_entry *b)
{
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    if (a->event != b->event)
        return a->event < b->event ? -1 : 1;
    return a->code < b->code ? -1 : a->code > b->code;
}

/* Events come nearly in the order of their days: the place is sought from the end. */
static enum error add_entry(struct figure_line *l, const struct figure_entry *entry)
{
    size_t at = l->count;
    while (at > 0 && compare(&l->entries[at - 1], entry) > 0)
        at--;
    if (at > 0 && compare(&l->entries[at - 1], entry) == 0) {
        l->entries[at - 1].count += entry->count;
        return ERROR_NONE;
    }
    struct figure_entry *entries = grown(l->entries, l->count, &l->capacity, sizeof *entries);
    if (!entries)
        return ERROR_NO_MEMORY;
    l->entries = entries;
    memmove(l->entries + at + 1, l->entries + at, (l->count - at) * sizeof *entry);
    l->entries[at] = *entry;
    l->count++;
    return ERROR_NONE;
}

/* ---- counting ---- */

/* Of whom a case is. */
struct parties {
    struct figure_book *book;
    struct figure_line *line;
};

static enum error find_parties(struct state *s, ProtobufCBinaryData municipality,
                               ProtobufCBinaryData team, ProtobufCBinaryData practice,
                               struct parties *out)
{
    const struct municipality *m = municipality_find(s, municipality);
    const struct organisation *t = organisation_find(s, team);
    struct organisation *p = organisation_find(s, practice);
    if (!m || !t || !p)
        return ERROR_CORRUPT;
    enum error e = need_book(s, m, t, &out->book);
    return e ? e : need_line(out->book, p, &out->line);
}

static enum error count(struct state *s, const Brug__V1__Case *c, int64_t at_ms,
                        const struct figure_count *counts, size_t n)
{
    struct parties of;
    enum error e =
        n == 0 ? ERROR_NONE : find_parties(s, c->municipality, c->team, c->practice, &of);
    for (size_t i = 0; !e && i < n; i++) {
        const struct figure_entry entry = {.day =
                                               figures_day(at_ms, c->at_ms, of.book->closed_until),
                                           .count = 1,
                                           .code = (uint16_t)counts[i].code,
                                           .event = (uint8_t)counts[i].event};
        e = add_entry(of.line, &entry);
    }
    return e;
}

enum error figure_move(struct state *s, const Brug__V1__CaseMoved *m)
{
    struct figure_count counts[FIGURE_COUNTS_MAX];
    size_t n = figures_of_move(m, counts);
    return count(s, m->case_now, m->at_ms, counts, n);
}

enum error figure_open(struct state *s, const Brug__V1__Case *row)
{
    const struct figure_count opened = figures_of_opened(row);
    return count(s, row, row->at_ms, &opened, 1);
}

enum error state_load_figure(struct state *s, const struct figure_counter *c)
{
    struct parties of;
    if (!figures_is_count(c->event, c->code) || c->day > UINT32_MAX || c->count == 0 ||
        c->count > UINT32_MAX)
        return ERROR_CORRUPT;
    enum error e = find_parties(s, id_bytes(&c->municipality), id_bytes(&c->team),
                                id_bytes(&c->practice), &of);
    const struct figure_entry entry = {.day = (uint32_t)c->day,
                                       .count = (uint32_t)c->count,
                                       .code = (uint16_t)c->code,
                                       .event = (uint8_t)c->event};
    return e ? e : add_entry(of.line, &entry);
}

/* ---- publishing ---- */

const struct figure_table *figure_published(const struct figure_book *b,
                                            const struct figure_period *p)
{
    for (size_t i = 0; b && i < b->published_count; i++)
        if (b->published[i].period.from == p->from && b->published[i].period.until == p->until)
            return &b->published[i];
    return NULL;
}

Brug__V1__FiguresPublished *figure_unpack(const struct figure_table *t, struct arena *arena)
{
    ProtobufCMessage *row = NULL;
    enum error e = frame_decode_borrowed(arena, &brug__v1__figures_published__descriptor,
                                         buf_slice(&t->row), &row);
    return e ? NULL : (Brug__V1__FiguresPublished *)row;
}

enum error figure_publish(struct state *s, const Brug__V1__FiguresPublished *row)
{
    const struct municipality *m = municipality_find(s, row->municipality);
    const struct organisation *team = organisation_find(s, row->team);
    struct figure_table t = {.period = {row->period, row->from_date, row->until_date}};
    struct figure_book *b;
    if (!m || !team || !period_is_one(&t.period))
        return ERROR_CORRUPT;
    enum error e = need_book(s, m, team, &b);
    if (e || figure_published(b, &t.period))
        return e; /* applied before */
    buf_init(&t.row, ROW_BYTES_MAX);
    struct figure_table *tables =
        grown(b->published, b->published_count, &b->published_capacity, sizeof *tables);
    if (!tables)
        return ERROR_NO_MEMORY;
    b->published = tables;
    e = frame_append_bare(&t.row, &row->base);
    if (e) {
        buf_fini(&t.row);
        return e;
    }
    b->published[b->published_count++] = t;
    if (row->until_date > b->closed_until)
        b->closed_until = row->until_date;
    return ERROR_NONE;
}

static void book_free(struct figure_book *b)
{
    for (size_t i = 0; i < b->line_count; i++)
        free(b->lines[i].entries);
    for (size_t i = 0; i < b->published_count; i++)
        buf_fini(&b->published[i].row);
    free(b->lines);
    free(b->published);
    free(b);
}

void figures_fini(struct state *s)
{
    for (struct map_node *n = map_next(&s->figures, NULL), *next; n; n = next) {
        next = map_next(&s->figures, n);
        book_free(container_of(n, struct figure_book, node));
    }
    map_fini(&s->figures);
}
