/*
 * daemon/store/figures.c: the table `figure`: how often each thing happened on each day, as the records say
 * (rules/figures.h), and `figure_table`: what was published of it.
 *
 * Failures: a row that does not unpack (CORRUPT), the driver's.
 */
#include "rules/figures.h"
#include "daemon/store/inside.h"
#include "daemon/store/sql.h"
#include "proto/frame.h"

#define ROW_ARENA_BYTES_MAX ((size_t)64 << 20)

static struct slice bytes_of(ProtobufCBinaryData b) { return slice_of(b.data, b.len); }

static enum error read_closed(struct driver *d, const Brug__V1__Case *c, uint32_t *until)
{
    bool has_row = false;
    driver_bind_slice(d, FIGURE_CLOSED, 1, bytes_of(c->municipality));
    driver_bind_slice(d, FIGURE_CLOSED, 2, bytes_of(c->team));
    enum error e = driver_step(d, FIGURE_CLOSED, &has_row);
    *until = e == ERROR_NONE && has_row ? (uint32_t)driver_column_u64(d, FIGURE_CLOSED, 0) : 0;
    driver_reset(d, FIGURE_CLOSED);
    return e;
}

static enum error add_counts(struct driver *d, const Brug__V1__Case *c, int64_t at_ms,
                             const struct figure_count *counts, size_t n)
{
    uint32_t closed_until = 0;
    enum error e = n == 0 ? ERROR_NONE : read_closed(d, c, &closed_until);
    for (size_t i = 0; e == ERROR_NONE && i < n; i++) {
        driver_bind_slice(d, FIGURE_ADD, 1, bytes_of(c->municipality));
        driver_bind_slice(d, FIGURE_ADD, 2, bytes_of(c->team));
        driver_bind_slice(d, FIGURE_ADD, 3, bytes_of(c->practice));
        driver_bind_u64(d, FIGURE_ADD, 4, figures_day(at_ms, c->at_ms, closed_until));
        driver_bind_u64(d, FIGURE_ADD, 5, counts[i].event);
        driver_bind_u64(d, FIGURE_ADD, 6, counts[i].code);
        e = driver_execute(d, FIGURE_ADD);
    }
    return e;
}

enum error figures_add_move(struct driver *d, const Brug__V1__CaseMoved *m)
{
    struct figure_count counts[FIGURE_COUNTS_MAX];
    size_t n = figures_of_move(m, counts);
    return add_counts(d, m->case_now, m->at_ms, counts, n);
}

enum error figures_add_case(struct driver *d, const Brug__V1__Case *c)
{
    const struct figure_count opened = figures_of_opened(c);
    return add_counts(d, c, c->at_ms, &opened, 1);
}

enum error figures_add_table(struct driver *d, const Brug__V1__FiguresPublished *t,
                             struct slice row)
{
    driver_bind_slice(d, PUBLISHED_PUT, 1, bytes_of(t->municipality));
    driver_bind_slice(d, PUBLISHED_PUT, 2, bytes_of(t->team));
    driver_bind_u64(d, PUBLISHED_PUT, 3, t->from_date);
    driver_bind_u64(d, PUBLISHED_PUT, 4, t->until_date);
    driver_bind_slice(d, PUBLISHED_PUT, 5, row);
    return driver_execute(d, PUBLISHED_PUT);
}

/* ---- a store from before ---- */

/* A referral of today has a reason; a consult has another state. */
static bool is_from_before(const Brug__V1__Case *c)
{
    return c->reason == BRUG__V1__REASON__REASON_NONE &&
           c->state != BRUG__V1__CASE_STATE__CASE_STATE_CONSULTING &&
           c->state != BRUG__V1__CASE_STATE__CASE_STATE_ADVISED;
}

static enum error fill_from_case(struct driver *d, const ProtobufCMessage *row)
{
    const Brug__V1__Case *c = (const Brug__V1__Case *)row;
    return is_from_before(c) ? figures_add_case(d, c) : ERROR_NONE;
}

static enum error fill_from_event(struct driver *d, const ProtobufCMessage *row)
{
    const Brug__V1__CaseMoved *m = (const Brug__V1__CaseMoved *)row;
    return m->case_now ? figures_add_move(d, m) : ERROR_CORRUPT;
}

static enum error fill_from(struct store *s, unsigned statement,
                            const ProtobufCMessageDescriptor *type,
                            enum error (*add)(struct driver *d, const ProtobufCMessage *row))
{
    struct driver *d = s->outbox;
    bool has_row = false;
    enum error e;
    while ((e = driver_step(d, statement, &has_row)) == ERROR_NONE && has_row) {
        ProtobufCMessage *row;
        arena_reset(s->arena, ROW_ARENA_BYTES_MAX);
        if (frame_decode_borrowed(s->arena, type, driver_column_slice(d, statement, 0), &row))
            e = arena_was_exceeded(s->arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
        else
            e = add(d, row);
        if (e != ERROR_NONE)
            break;
    }
    driver_reset(d, statement);
    return e;
}

enum error figures_fill(struct store *s)
{
    uint64_t counts = 0;
    enum error e = driver_query_u64(s->outbox, "SELECT EXISTS(SELECT 1 FROM figure)", &counts);
    if (e != ERROR_NONE || counts > 0)
        return e;
    e = fill_from(s, CASE_READ, &brug__v1__case__descriptor, fill_from_case);
    return e == ERROR_NONE
               ? fill_from(s, CASE_EVENT_READ, &brug__v1__case_moved__descriptor, fill_from_event)
               : e;
}
