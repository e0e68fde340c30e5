/*
 * daemon/store/fold.c: committed journal rows go into the tables.
 *
 * Happy path of a slice: read journal rows from where the last slice ended, put each whole into the
 * audit file, and bring its records, one after the other, to the messages in memory that they are
 * about; at the end write each changed message once, with the deliveries that began or ended
 * waiting; commit the audit file; delete the rows that are through; write the position. All but the
 * audit file is in the caller's transaction.
 *
 * So a message that was accepted, delivered and acknowledged within one slice costs one row and no
 * delivery.
 *
 * Failures: all are final for the store. An unknown record type is ERROR_STORE_FORMAT.
 *
 * Invariants
 *  1. What a slice does depends on the journal and the tables alone, never on the state in memory.
 *  2. A delivery row stands for exactly the readers of `message` whose copy waits.
 */
#include "daemon/store/fold.h"
#include "daemon/store/sql.h"

/* A slice is bounded by what it costs; this only stops errors of ours. */
#define ARENA_BYTES_MAX ((size_t)1 << 30)

static struct slice bytes_of(ProtobufCBinaryData b) { return slice_of(b.data, b.len); }

/* Records of one row, from to->lsn + 1 on, until the slice is full. *is_through: the row's end was
 * reached. */
static enum error fold_row(struct fold *f, const struct journal_row *row, uint64_t bytes_max,
                           struct fold_position *to, bool *is_through)
{
    struct slice records = row->records, payload;
    unsigned type;
    if (!fold_keep(f, &records)) /* the row goes with the next one, what its records say stays */
        return ERROR_NO_MEMORY;
    for (uint64_t i = 0; i < row->count; i++) {
        if (group_next_record(&records, &type, &payload) != ERROR_NONE)
            return store_failed(f->store, NULL, ERROR_CORRUPT, "a journal row cannot be cut up");
        if (row->first_lsn + i <= to->lsn)
            continue;
        if (f->cost_bytes >= bytes_max) {
            *is_through = false;
            return ERROR_NONE;
        }
        enum error e = fold_record(f, row->first_lsn + i, type, payload);
        if (e != ERROR_NONE)
            return e;
        to->lsn = row->first_lsn + i;
    }
    *is_through = true;
    return ERROR_NONE;
}

/* ---- the whole slice ---- */

static enum error read_rows(struct fold *f, size_t bytes_max, struct fold_position *to,
                            uint64_t *bytes)
{
    struct store *s = f->store;
    struct journal_row row;
    bool has_row, is_through = true;
    driver_bind_u64(s->outbox, JOURNAL_READ, 1, to->whole_lsn + 1);
    driver_bind_u64(s->outbox, JOURNAL_READ, 2, s->lsn);
    enum error e = ERROR_NONE;
    while (e == ERROR_NONE && is_through && f->cost_bytes < bytes_max) {
        e = fold_driver_error(f, driver_step(s->outbox, JOURNAL_READ, &has_row));
        if (e != ERROR_NONE || !has_row)
            break;
        e = journal_row_read(s, to->whole_lsn, &to->hash, &row);
        if (e == ERROR_NONE)
            e = audit_put(s, &row);
        if (e == ERROR_NONE)
            e = fold_row(f, &row, bytes_max, to, &is_through);
        if (e == ERROR_NONE && is_through) {
            to->whole_lsn = to->lsn;
            to->hash = row.hash;
            *bytes += row.records.len;
        }
    }
    driver_reset(s->outbox, JOURNAL_READ);
    return e;
}

static enum error write_deliveries(struct fold *f, const struct fold_message *m)
{
    struct driver *d = f->store->outbox;
    enum error e = ERROR_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < m->known->n_readers; i++) {
        const Brug__V1__KnownReader *r = m->known->readers[i];
        bool waits = fold_reader_waits(r);
        if (waits == m->has_delivery[i])
            continue;
        unsigned statement = waits ? DELIVERY_PUT : DELIVERY_DELETE;
        driver_bind_slice(d, statement, 1, bytes_of(r->endpoint));
        driver_bind_u64(d, statement, 2, r->sequence);
        if (waits) {
            driver_bind_slice(d, statement, 3, id_slice(&m->key.message_id));
            driver_bind_slice(d, statement, 4, id_slice(&m->key.organisation));
        }
        e = driver_execute(d, statement);
    }
    return e;
}

static enum error write_message(struct fold *f, const struct fold_message *m)
{
    struct driver *d = f->store->outbox;
    struct buf *row = &f->store->scratch;
    uint64_t waiting = 0;
    uint8_t *at;
    for (size_t i = 0; i < m->known->n_readers; i++)
        waiting += fold_reader_waits(m->known->readers[i]);
    buf_clear(row);
    enum error e = buf_extend(row, brug__v1__known_message__get_packed_size(m->known), &at);
    if (e != ERROR_NONE)
        return e;
    (void)brug__v1__known_message__pack(m->known, at); /* its size, which we know */
    driver_bind_slice(d, MESSAGE_PUT, 1, id_slice(&m->key.message_id));
    driver_bind_slice(d, MESSAGE_PUT, 2, id_slice(&m->key.organisation));
    driver_bind_u64(d, MESSAGE_PUT, 3, waiting);
    driver_bind_slice(d, MESSAGE_PUT, 4, buf_slice(row));
    e = driver_execute(d, MESSAGE_PUT);
    return e == ERROR_NONE ? write_deliveries(f, m) : e;
}

static enum error write_tables(struct fold *f)
{
    struct driver *d = f->store->outbox;
    enum error e = ERROR_NONE;
    list_for_each (l, next, &f->message_list) {
        const struct fold_message *m = container_of(l, struct fold_message, link);
        if (m->is_changed)
            e = write_message(f, m);
        if (e != ERROR_NONE)
            return fold_driver_error(f, e);
    }
    list_for_each (l, next, &f->mailbox_list) {
        const struct fold_mailbox *b = container_of(l, struct fold_mailbox, link);
        driver_bind_slice(d, MAILBOX_RAISE, 1, id_slice(&b->endpoint));
        driver_bind_u64(d, MAILBOX_RAISE, 2, b->sequence);
        e = driver_execute(d, MAILBOX_RAISE);
        if (e != ERROR_NONE)
            return fold_driver_error(f, e);
    }
    return ERROR_NONE;
}

static enum error write_position(struct fold *f, const struct fold_position *to)
{
    struct driver *d = f->store->outbox;
    driver_bind_u64(d, JOURNAL_DELETE, 1, to->whole_lsn + 1);
    enum error e = driver_execute(d, JOURNAL_DELETE);
    if (e != ERROR_NONE)
        return fold_driver_error(f, e);
    driver_bind_u64(d, META_FOLDED, 1, to->lsn);
    driver_bind_u64(d, META_FOLDED, 2, to->whole_lsn);
    driver_bind_slice(d, META_FOLDED, 3, digest_slice(&to->hash));
    driver_bind_u64(d, META_FOLDED, 4, (uint64_t)to->newest_ms);
    return fold_driver_error(f, driver_execute(d, META_FOLDED));
}

enum error fold_slice(struct store *s, size_t bytes_max, struct fold_position *to, uint64_t *bytes)
{
    struct fold f = {.store = s, .newest_ms = s->folded.newest_ms};
    arena_reset(s->arena, ARENA_BYTES_MAX);
    map_init(&f.messages, s->hash_seed);
    map_init(&f.mailboxes, s->hash_seed);
    list_init(&f.message_list);
    list_init(&f.mailbox_list);
    *to = s->folded;
    *bytes = 0;
    enum error e = read_rows(&f, bytes_max, to, bytes);
    to->newest_ms = f.newest_ms;
    if (e == ERROR_NONE)
        e = write_tables(&f);
    if (e == ERROR_NONE)
        e = audit_commit(s);
    if (e == ERROR_NONE)
        e = write_position(&f, to);
    map_fini(&f.messages);
    map_fini(&f.mailboxes);
    return e == ERROR_NONE ? e : store_failed(s, NULL, e, NULL);
}
