/*
 * daemon/store/load.c: reads back: what is live at the start, and what is cold when the core asks
 * for it.
 *
 * Happy path of the start: directory and case rows, figures and the tags of cases, then the messages whose UUIDv7 lies at or after
 * W (one range of the table, with what else waits in it), then others that still wait for a reader or that a record
 * after folded_lsn is about (what is not folded must be in memory, because cold loads read the
 * tables), then the journal after folded_lsn.
 *
 * Failures: a row that does not read or unpack ends the start; in a cold load it is the answer of
 * that load.
 *
 * Invariant: a message is given to the state once: a waiting one outside of the range when the walk over the
 * deliveries meets the first of its readers that waits.
 */
#include "base/list.h"
#include "base/map.h"
#include "daemon/store/inside.h"
#include "daemon/store/sql.h"
#include "proto/frame.h"
#include <stdlib.h>
#include <string.h>

#define ROW_ARENA_BYTES_MAX ((size_t)64 << 20) /* one row; guards against a damaged one */
#define KNOWN_ID_MS_MAX (((int64_t)1 << 48) - 1)

struct loading {
    struct store *store;
    struct state *state;
    int64_t low_water_ms;
    struct id from, to; /* the range of ids that is read whole */
    struct map touched;
    const char *problem;
};

static enum error on_row_error(struct loading *l, enum error e, const char *problem)
{
    if (e != ERROR_NONE && l->problem == NULL)
        l->problem = problem;
    return e;
}

static enum error on_driver_error(struct loading *l, enum error e)
{
    return e == ERROR_NONE ? e : on_row_error(l, e, driver_problem(l->store->outbox));
}

/* Whether W promises that this id is in memory. */
static bool is_known_range(const struct loading *l, const struct id *id)
{
    return id_version(id) == 7 && id_v7_ms(id) >= l->low_water_ms;
}

/* ---- directory and cases ---- */

/* The row was written before the last sequence numbers were given. */
static enum error load_endpoint(struct loading *l, struct slice row, uint64_t sequence)
{
    struct buf *raised = &l->store->scratch;
    uint8_t *at;
    Brug__V1__EndpointRow *r =
        brug__v1__endpoint_row__unpack(arena_allocator(l->store->arena), row.len, row.data);
    if (r == NULL)
        return arena_was_exceeded(l->store->arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
    if (r->sequence < sequence)
        r->sequence = sequence;
    buf_clear(raised);
    enum error e = buf_extend(raised, brug__v1__endpoint_row__get_packed_size(r), &at);
    if (e != ERROR_NONE)
        return e;
    (void)brug__v1__endpoint_row__pack(r, at); /* its size, which we know */
    return state_load_row(l->state, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT, buf_slice(raised));
}

static enum error load_directory_row(struct loading *l, uint64_t type, struct slice row,
                                     uint64_t sequence)
{
    if (type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT)
        return load_endpoint(l, row, sequence);
    return type > UINT32_MAX ? ERROR_CORRUPT : state_load_row(l->state, (unsigned)type, row);
}

static enum error load_directory(struct loading *l)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e;
    while ((e = on_driver_error(l, driver_step(d, DIRECTORY_READ, &has_row))) == ERROR_NONE &&
           has_row) {
        arena_reset(l->store->arena, ROW_ARENA_BYTES_MAX);
        e = load_directory_row(l, driver_column_u64(d, DIRECTORY_READ, 0),
                               driver_column_slice(d, DIRECTORY_READ, 1),
                               driver_column_u64(d, DIRECTORY_READ, 2));
        if (on_row_error(l, e, "a row of `directory` cannot be loaded") != ERROR_NONE)
            break;
    }
    driver_reset(d, DIRECTORY_READ);
    return e;
}

/* Rows that are whole records. */
static enum error load_rows(struct loading *l, unsigned statement, unsigned type,
                            const char *problem)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e;
    while ((e = on_driver_error(l, driver_step(d, statement, &has_row))) == ERROR_NONE && has_row) {
        e = state_load_row(l->state, type, driver_column_slice(d, statement, 0));
        if (on_row_error(l, e, problem) != ERROR_NONE)
            break;
    }
    driver_reset(d, statement);
    return e;
}

/* ---- figures ---- */

static enum error load_figure(struct loading *l)
{
    struct driver *d = l->store->outbox;
    struct figure_counter c = {.day = driver_column_u64(d, FIGURE_READ, 3),
                               .event = driver_column_u64(d, FIGURE_READ, 4),
                               .code = driver_column_u64(d, FIGURE_READ, 5),
                               .count = driver_column_u64(d, FIGURE_READ, 6)};
    if (id_from_slice(&c.municipality, driver_column_slice(d, FIGURE_READ, 0)) != ERROR_NONE ||
        id_from_slice(&c.team, driver_column_slice(d, FIGURE_READ, 1)) != ERROR_NONE ||
        id_from_slice(&c.practice, driver_column_slice(d, FIGURE_READ, 2)) != ERROR_NONE)
        return ERROR_CORRUPT;
    return state_load_figure(l->state, &c);
}

static enum error load_figures(struct loading *l)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e;
    while ((e = on_driver_error(l, driver_step(d, FIGURE_READ, &has_row))) == ERROR_NONE &&
           has_row) {
        e = load_figure(l);
        if (on_row_error(l, e, "a row of `figure` cannot be loaded") != ERROR_NONE)
            break;
    }
    driver_reset(d, FIGURE_READ);
    return e;
}

/* Of cases that have not ended, as far as they are folded. */
static enum error load_tags(struct loading *l)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e;
    while ((e = on_driver_error(l, driver_step(d, TAGS_READ, &has_row))) == ERROR_NONE && has_row) {
        e = state_load_tags(l->state, driver_column_slice(d, TAGS_READ, 0),
                            driver_column_slice(d, TAGS_READ, 1));
        if (on_row_error(l, e, "a row of `case_tags` cannot be loaded") != ERROR_NONE)
            break;
    }
    driver_reset(d, TAGS_READ);
    return e;
}

/* ---- messages ---- */

/* Into the arena, which is emptied first. Bytes in it are the row's own if that stays where it is. */
static enum error unpack_message(struct loading *l, struct slice row, bool stays,
                                 Brug__V1__KnownMessage **out)
{
    arena_reset(l->store->arena, ROW_ARENA_BYTES_MAX);
    ProtobufCMessage *m;
    if ((stays ? frame_decode_borrowed
               : frame_decode)(l->store->arena, &brug__v1__known_message__descriptor, row, &m))
        return arena_was_exceeded(l->store->arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
    *out = (Brug__V1__KnownMessage *)m;
    return ERROR_NONE;
}

static size_t count_waiting(const Brug__V1__KnownMessage *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->n_readers; i++)
        count += fold_reader_waits(m->readers[i]);
    return count;
}

/* The lowest or highest id with this time. */
static struct id id_at(int64_t unix_ms, uint8_t rest)
{
    struct id id;
    uint64_t ms = unix_ms < 0                 ? 0
                  : unix_ms > KNOWN_ID_MS_MAX ? (uint64_t)KNOWN_ID_MS_MAX
                                              : (uint64_t)unix_ms;
    memset(id.bytes, rest, sizeof id.bytes);
    for (unsigned i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return id;
}

static enum error load_recent_message(struct loading *l, struct slice row)
{
    Brug__V1__KnownMessage *m;
    struct id id;
    enum error e = unpack_message(l, row, true, &m);
    if (e != ERROR_NONE)
        return e;
    if (id_from_slice(&id, slice_of(m->message_id.data, m->message_id.len)) != ERROR_NONE)
        return ERROR_CORRUPT;
    /* Ids of other versions are random: a few lie in the range by chance. */
    return is_known_range(l, &id) || count_waiting(m) > 0 ? state_load_message(l->state, m)
                                                          : ERROR_NONE;
}

static enum error load_recent(struct loading *l)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e;
    driver_bind_slice(d, MESSAGE_RANGE, 1, id_slice(&l->from));
    driver_bind_slice(d, MESSAGE_RANGE, 2, id_slice(&l->to));
    while ((e = on_driver_error(l, driver_step(d, MESSAGE_RANGE, &has_row))) == ERROR_NONE &&
           has_row) {
        e = load_recent_message(l, driver_column_slice(d, MESSAGE_RANGE, 0));
        if (on_row_error(l, e, "a row of `message` cannot be loaded") != ERROR_NONE)
            break;
    }
    driver_reset(d, MESSAGE_RANGE);
    return e;
}

/* Reads a message; *out is NULL when it is not in the table. */
static enum error read_message(struct loading *l, const struct id *message_id,
                               const struct id *organisation, Brug__V1__KnownMessage **out)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    *out = NULL;
    driver_bind_slice(d, MESSAGE_READ, 1, id_slice(message_id));
    driver_bind_slice(d, MESSAGE_READ, 2, id_slice(organisation));
    enum error e = on_driver_error(l, driver_step(d, MESSAGE_READ, &has_row));
    if (e == ERROR_NONE && has_row)
        e = unpack_message(l, driver_column_slice(d, MESSAGE_READ, 0), false, out);
    driver_reset(d, MESSAGE_READ);
    return e;
}

static bool is_first_waiting(const Brug__V1__KnownMessage *m, const struct id *endpoint)
{
    for (size_t i = 0; i < m->n_readers; i++) {
        const Brug__V1__KnownReader *r = m->readers[i];
        if (fold_reader_waits(r))
            return slice_equal(slice_of(r->endpoint.data, r->endpoint.len), id_slice(endpoint));
    }
    return false;
}

/* One delivery: the message it is of, unless another of its deliveries brings it. */
static enum error load_waiting_message(struct loading *l, const struct id *endpoint,
                                       const struct id *message_id, const struct id *organisation)
{
    Brug__V1__KnownMessage *m;
    enum error e = read_message(l, message_id, organisation, &m);
    if (e != ERROR_NONE)
        return e;
    if (m == NULL)
        return on_row_error(l, ERROR_CORRUPT, "a row of `delivery` is of no message");
    return is_first_waiting(m, endpoint) ? state_load_message(l->state, m) : ERROR_NONE;
}

static enum error load_delivery(struct loading *l)
{
    struct driver *d = l->store->outbox;
    struct id endpoint, message_id, organisation;
    if (id_from_slice(&endpoint, driver_column_slice(d, DELIVERY_READ, 0)) != ERROR_NONE ||
        id_from_slice(&message_id, driver_column_slice(d, DELIVERY_READ, 1)) != ERROR_NONE ||
        id_from_slice(&organisation, driver_column_slice(d, DELIVERY_READ, 2)) != ERROR_NONE)
        return ERROR_CORRUPT;
    return load_waiting_message(l, &endpoint, &message_id, &organisation);
}

static enum error load_waiting(struct loading *l)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e;
    driver_bind_slice(d, DELIVERY_READ, 1, id_slice(&l->from));
    driver_bind_slice(d, DELIVERY_READ, 2, id_slice(&l->to));
    while ((e = on_driver_error(l, driver_step(d, DELIVERY_READ, &has_row))) == ERROR_NONE &&
           has_row) {
        e = load_delivery(l);
        if (on_row_error(l, e, "a row of `delivery` cannot be loaded") != ERROR_NONE)
            break;
    }
    driver_reset(d, DELIVERY_READ);
    return e;
}

/* Before the journal is applied. Finds what no checksum of a page can: one of `delivery`, or of the range of
 * `message`, that is as it was written once, but older than the rest. */
static enum error check_deliveries(struct loading *l)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    enum error e = on_driver_error(l, driver_step(d, DELIVERY_COUNT, &has_row));
    if (e == ERROR_NONE &&
        (!has_row || driver_column_u64(d, DELIVERY_COUNT, 0) != state_waiting(l->state)))
        e = on_row_error(l, ERROR_CORRUPT,
                         "`delivery` does not have a row for each copy that waits");
    driver_reset(d, DELIVERY_COUNT);
    return e;
}

/* ---- what the journal is about ---- */

/* A message that is loaded only because a record that is not folded yet is about it. */
struct touched {
    struct map_node node;
    struct id key[2];
};

static enum error load_touched_message(struct loading *l, const struct id *message_id,
                                       const struct id *organisation)
{
    Brug__V1__KnownMessage *m;
    struct touched *t = NULL;
    struct id key[2] = {*message_id, *organisation};
    if (is_known_range(l, message_id) || map_find(&l->touched, key, sizeof key) != NULL)
        return ERROR_NONE;
    enum error e = read_message(l, message_id, organisation, &m);
    if (e != ERROR_NONE || m == NULL || count_waiting(m) > 0)
        return e;
    e = state_load_message(l->state, m);
    if (e != ERROR_NONE)
        return e;
    t = calloc(1, sizeof *t);
    if (t == NULL)
        return ERROR_NO_MEMORY;
    memcpy(t->key, key, sizeof key);
    e = map_insert(&l->touched, &t->node, t->key, sizeof t->key);
    if (e != ERROR_NONE)
        free(t);
    return e;
}

static enum error load_touched_record(struct loading *l, unsigned type, struct slice payload)
{
    struct id organisation, message_id;
    bool is_about;
    arena_reset(l->store->arena, ROW_ARENA_BYTES_MAX);
    enum error e =
        fold_record_names(l->store->arena, type, payload, &is_about, &organisation, &message_id);
    if (e != ERROR_NONE || !is_about)
        return e;
    return load_touched_message(l, &message_id, &organisation);
}

static void forget_touched(struct loading *l)
{
    for (struct map_node *n = map_next(&l->touched, NULL), *next; n != NULL; n = next) {
        next = map_next(&l->touched, n);
        free(container_of(n, struct touched, node));
    }
    map_fini(&l->touched);
}

/* ---- the journal ---- */

typedef enum error on_record_cb(struct loading *l, uint64_t lsn, unsigned type,
                                struct slice payload);

static enum error on_touching(struct loading *l, uint64_t lsn, unsigned type, struct slice payload)
{
    enum error e = load_touched_record(l, type, payload);
    return on_row_error(l, e, "a message that the journal is about cannot be loaded");
}

/* A record with what it brought beside the journal. */
static enum error apply_tags(struct loading *l, uint64_t lsn, struct slice payload)
{
    struct driver *d = l->store->outbox;
    bool has_row;
    driver_bind_u64(d, TAGS_FIND, 1, lsn);
    enum error e = on_driver_error(l, driver_step(d, TAGS_FIND, &has_row));
    if (e == ERROR_NONE)
        e = has_row ? apply_record_with(l->state, lsn, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS,
                                        payload, driver_column_slice(d, TAGS_FIND, 0))
                    : ERROR_CORRUPT;
    driver_reset(d, TAGS_FIND);
    return e;
}

static enum error on_applying(struct loading *l, uint64_t lsn, unsigned type, struct slice payload)
{
    enum error e = type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS
                       ? apply_tags(l, lsn, payload)
                       : apply_record(l->state, lsn, type, payload);
    return on_row_error(l, e,
                        e == ERROR_STORE_FORMAT
                            ? "the journal has a record of a type that this program does not know"
                            : "a record in the journal cannot be applied");
}

static enum error walk_row(struct loading *l, const struct journal_row *row,
                           on_record_cb *on_record)
{
    struct slice records = row->records, payload;
    unsigned type;
    for (uint64_t i = 0; i < row->count; i++) {
        if (group_next_record(&records, &type, &payload) != ERROR_NONE)
            return on_row_error(l, ERROR_CORRUPT, "a journal row cannot be cut up");
        if (row->first_lsn + i <= l->store->folded.lsn)
            continue;
        enum error e = on_record(l, row->first_lsn + i, type, payload);
        if (e != ERROR_NONE)
            return e;
    }
    return ERROR_NONE;
}

/* Every record that is not folded, in order. */
static enum error walk_journal(struct loading *l, on_record_cb *on_record)
{
    struct store *s = l->store;
    struct journal_row row = {.hash = s->folded.hash};
    uint64_t end = s->folded.whole_lsn;
    bool has_row;
    enum error e;
    driver_bind_u64(s->outbox, JOURNAL_READ, 1, 0);
    driver_bind_u64(s->outbox, JOURNAL_READ, 2, s->lsn);
    while ((e = on_driver_error(l, driver_step(s->outbox, JOURNAL_READ, &has_row))) == ERROR_NONE &&
           has_row) {
        struct digest prev_hash = row.hash;
        e = journal_row_read(s, end, &prev_hash, &row);
        if (e == ERROR_NONE)
            e = walk_row(l, &row, on_record);
        if (e != ERROR_NONE)
            break;
        end = row.first_lsn + (row.count - 1);
    }
    driver_reset(s->outbox, JOURNAL_READ);
    return e;
}

enum error store_load(struct store *s, struct state *state, int64_t low_water_ms,
                      const char **problem)
{
    struct loading l = {.store = s, .state = state, .low_water_ms = low_water_ms};
    l.from = id_at(low_water_ms, 0);
    l.to = id_at(s->folded.newest_ms, 0xff);
    map_init(&l.touched, s->hash_seed);
    enum error e = s->failed;
    if (e == ERROR_NONE)
        e = load_directory(&l);
    if (e == ERROR_NONE)
        e = load_rows(&l, CASE_READ, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED,
                      "a row of `casefile` cannot be loaded");
    if (e == ERROR_NONE)
        e = load_rows(&l, PUBLISHED_READ, BRUG__V1__RECORD_TYPE__RECORD_TYPE_FIGURES_PUBLISHED,
                      "a row of `figure_table` cannot be loaded");
    if (e == ERROR_NONE)
        e = load_figures(&l);
    if (e == ERROR_NONE)
        e = load_tags(&l);
    if (e == ERROR_NONE)
        e = load_recent(&l);
    if (e == ERROR_NONE)
        e = load_waiting(&l);
    if (e == ERROR_NONE)
        e = walk_journal(&l, on_touching);
    if (e == ERROR_NONE)
        e = on_row_error(&l, state_load_done(state, s->folded.lsn, low_water_ms, &s->generation),
                         "a row of `message` cannot be loaded");
    if (e == ERROR_NONE)
        e = check_deliveries(&l);
    if (e == ERROR_NONE)
        e = walk_journal(&l, on_applying);
    if (e == ERROR_NONE)
        s->waiting = state_waiting(state);
    forget_touched(&l);
    *problem = NULL;
    if (e != ERROR_NONE)
        *problem = l.problem != NULL ? l.problem : s->problem != NULL ? s->problem : error_text(e);
    return e;
}

/* ---- cold loads ---- */

static enum error read_bytes(struct driver *d, unsigned statement, struct buf *out)
{
    bool has_row;
    enum error e = driver_step(d, statement, &has_row);
    if (e == ERROR_NONE)
        e = has_row ? buf_append_slice(out, driver_column_slice(d, statement, 0)) : ERROR_NOT_FOUND;
    driver_reset(d, statement);
    return e;
}

static enum error load_message(struct store *s, struct load *l)
{
    driver_bind_slice(s->outbox, MESSAGE_READ, 1, id_slice(&l->message_id));
    driver_bind_slice(s->outbox, MESSAGE_READ, 2, id_slice(&l->organisation));
    return read_bytes(s->outbox, MESSAGE_READ, &l->bytes);
}

enum error store_read_body(struct store *s, uint64_t lsn, struct buf *out)
{
    struct driver *d = s->outbox;
    uint64_t first_lsn = 0;
    bool has_row;
    driver_bind_u64(d, BODY_READ, 1, lsn);
    enum error e = read_bytes(d, BODY_READ, out);
    if (e != ERROR_NOT_FOUND)
        return e;
    driver_bind_u64(d, PACK_FIND, 1, lsn);
    e = driver_step(d, PACK_FIND, &has_row);
    if (e == ERROR_NONE && has_row)
        first_lsn = driver_column_u64(d, PACK_FIND, 0);
    driver_reset(d, PACK_FIND);
    if (e == ERROR_NONE && !has_row)
        return ERROR_NOT_FOUND;
    return e == ERROR_NONE ? pack_read(d, first_lsn, lsn, out) : e;
}

static enum error load_by_type(struct store *s, struct load *l)
{
    switch (l->type) {
    case LOAD_MESSAGE:
        return load_message(s, l);
    case LOAD_BODY:
        return store_read_body(s, l->body_lsn, &l->bytes);
    default:
        return recover_page(s, l);
    }
}

void store_load_one(struct store *s, struct load *l)
{
    enum error e = s->failed;
    buf_clear(&l->bytes);
    if (e == ERROR_NONE)
        e = load_by_type(s, l);
    if (e != ERROR_NONE)
        buf_clear(&l->bytes);
    l->result = e == ERROR_NONE || e == ERROR_NOT_FOUND || e == ERROR_CORRUPT ? e : ERROR_IO;
}
