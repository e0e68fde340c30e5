/*
 * daemon/core/casefile.c: the cases that the relay runs, between a practice and a team that the first letter fixed
 * (design §11). A case is kept packed, exactly as it is recorded and told; it is unpacked where a move is judged.
 *
 * Failures: a row that names something unknown or is not sound (CORRUPT: decide and the store never make one), no memory.
 */
#include "daemon/core/model.h"
#include "proto/frame.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES_MAX (64u << 10)
#define CAPACITY_FIRST 16u

struct casefile *casefile_find(const struct state *s, const struct id *id)
{
    struct map_node *n = map_find(&s->cases, id->bytes, ID_BYTES);
    return n ? container_of(n, struct casefile, node) : NULL;
}

struct slice casefile_row(const struct casefile *c) { return buf_slice(&c->row); }

Brug__V1__Case *casefile_unpack(const struct casefile *c, struct arena *arena)
{
    ProtobufCMessage *row = NULL;
    enum error e =
        frame_decode_borrowed(arena, &brug__v1__case__descriptor, buf_slice(&c->row), &row);
    return e ? NULL : (Brug__V1__Case *)row;
}

/* ---- an organisation's cases, ascending ---- */

size_t casefiles_after(const struct organisation *o, const struct id *after)
{
    size_t low = 0, high = o->case_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_compare(&o->cases[middle]->id, after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool grow(struct organisation *o)
{
    if (o->case_count < o->case_capacity)
        return true;
    size_t capacity = o->case_capacity ? o->case_capacity * 2 : CAPACITY_FIRST;
    struct casefile **items = reallocarray(o->cases, capacity, sizeof(struct casefile *));
    if (!items)
        return false;
    o->cases = items;
    o->case_capacity = capacity;
    return true;
}

static void add_to(struct organisation *o, struct casefile *c)
{
    size_t at = casefiles_after(o, &c->id);
    memmove(o->cases + at + 1, o->cases + at, (o->case_count - at) * sizeof(struct casefile *));
    o->cases[at] = c;
    o->case_count++;
}

/* ---- putting ---- */

unsigned casefile_working_days(const struct organisation *team)
{
    return team->row->card ? team->row->card->working_days : 0;
}

/* When time does something to it next. */
static enum error file_step(struct state *s, struct casefile *c, const struct case_file *file)
{
    int64_t ms = case_next_ms(file, &s->terms, casefile_working_days(c->team));
    heap_remove(&s->steps, &c->step);
    return ms == INT64_MAX ? ERROR_NONE : heap_insert(&s->steps, &c->step, ms);
}

/* Terms or working days are others now; what waits for no time goes on so. */
static enum error file_step_again(struct state *s, struct casefile *c, struct arena *arena)
{
    struct case_file file;
    if (c->step.position == HEAP_OUT)
        return ERROR_NONE;
    arena_reset(arena, SIZE_MAX);
    Brug__V1__Case *row = casefile_unpack(c, arena);
    enum error e = row ? case_row_read(row, &file) : ERROR_NO_MEMORY;
    return e ? e : file_step(s, c, &file);
}

enum error casefiles_set_terms(struct state *s, const struct case_terms *terms)
{
    struct case_terms now = *terms;
    now.outages = s->terms.outages;
    now.outage_count = s->terms.outage_count;
    if (memcmp(&s->terms, &now, sizeof now) == 0)
        return ERROR_NONE;
    struct arena *arena = arena_new();
    enum error e = arena ? ERROR_NONE : ERROR_NO_MEMORY;
    s->terms = now;
    for (struct map_node *n = map_next(&s->cases, NULL); !e && n; n = map_next(&s->cases, n))
        e = file_step_again(s, container_of(n, struct casefile, node), arena);
    arena_free(arena);
    return e;
}

enum error casefiles_on_outage(struct state *s)
{
    enum error e = ERROR_NONE;
    for (struct map_node *n = map_next(&s->cases, NULL); !e && n; n = map_next(&s->cases, n)) {
        struct casefile *c = container_of(n, struct casefile, node);
        if (c->step.position == HEAP_OUT)
            continue;
        heap_remove(&s->steps, &c->step);
        e = heap_insert(&s->steps, &c->step, 0); /* as case_next_ms says of each */
    }
    return e;
}

enum error casefiles_on_working_days(struct state *s, const struct organisation *team)
{
    struct arena *arena = arena_new(); /* the state's has the record that is being applied */
    enum error e = arena ? ERROR_NONE : ERROR_NO_MEMORY;
    for (size_t i = 0; !e && i < team->case_count; i++)
        e = file_step_again(s, team->cases[i], arena);
    arena_free(arena);
    return e;
}

/* As it is told: with the state of its time, also if it was opened before cases moved. */
static enum error pack(const Brug__V1__Case *row, const struct case_file *file, struct buf *out)
{
    struct case_row written;
    case_row_write(file, row, &written);
    return frame_append_bare(out, &written.row.base);
}

static enum error make(const struct state *s, const Brug__V1__Case *row, struct casefile **out)
{
    struct id id;
    struct municipality *municipality = municipality_find(s, row->municipality);
    struct organisation *practice = organisation_find(s, row->practice);
    struct organisation *team = organisation_find(s, row->team);
    if (!id_take(row->case_id, &id) || !municipality || !practice || !team || practice == team)
        return ERROR_CORRUPT;
    struct casefile *c = calloc(1, sizeof *c);
    if (!c || !grow(practice) || !grow(team)) {
        free(c);
        return ERROR_NO_MEMORY;
    }
    *c = (struct casefile){
        .id = id, .municipality = municipality, .practice = practice, .team = team};
    buf_init(&c->row, ROW_BYTES_MAX);
    heap_node_init(&c->step);
    *out = c;
    return ERROR_NONE;
}

static void casefile_free(struct casefile *c)
{
    family_forget(c);
    buf_fini(&c->row);
    free(c);
}

static enum error insert(struct state *s, const Brug__V1__Case *row, struct casefile **out)
{
    struct casefile *c;
    enum error e = make(s, row, &c);
    if (e)
        return e;
    e = map_insert(&s->cases, &c->node, c->id.bytes, ID_BYTES);
    if (e) {
        casefile_free(c);
        return e;
    }
    add_to(c->practice, c);
    add_to(c->team, c);
    *out = c;
    return ERROR_NONE;
}

enum error casefile_put(struct state *s, const Brug__V1__Case *row)
{
    struct id id;
    struct case_file file;
    struct buf packed;
    struct casefile *c = id_take(row->case_id, &id) ? casefile_find(s, &id) : NULL;
    buf_init(&packed, ROW_BYTES_MAX);
    enum error e = case_row_read(row, &file);
    if (!e && file.outages > s->outages.count)
        e = ERROR_CORRUPT;
    if (!e)
        e = pack(row, &file, &packed);
    if (!e && !c)
        e = insert(s, row, &c);
    if (e) {
        buf_fini(&packed);
        return e;
    }
    buf_fini(&c->row);
    c->row = packed;
    c->state = file.state;
    if (casefile_has_ended(c))
        family_forget(c);
    return file_step(s, c, &file);
}

bool casefile_has_ended(const struct casefile *c) { return case_has_ended(c->state); }

void casefiles_fini(struct state *s)
{
    for (struct map_node *n = map_next(&s->cases, NULL), *next; n; n = next) {
        next = map_next(&s->cases, n);
        casefile_free(container_of(n, struct casefile, node));
    }
    map_fini(&s->cases);
    heap_fini(&s->steps);
}
