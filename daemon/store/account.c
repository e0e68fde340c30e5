/*
 * daemon/store/account.c: whether the books balance (I8), from the audit chain.
 *
 *     TABLES: read the chain up to where the fold has come, then compare some deliveries; again, until all
 *             were compared
 *        |
 *     REST:   read the chain up to the lsn of the state that was given, or to the last committed row
 *        |
 *     DONE
 *
 * The tables change between slices: so each slice first brings the books to the fold's position, where
 * they and the tables must agree, and then compares the next deliveries in order of their key.
 *
 * Failures: a row that is missing or was changed is noted with its lsn, and reading goes on behind it,
 * so that the readers that it was about are named too. An I/O error ends the account.
 *
 * Invariants: (1) the books hold every record up to `lsn` that could be read; (2) `hash` is that of the row
 * that ends at whole_lsn; (3) whole_lsn <= lsn, and they differ only inside a row.
 */
#include "daemon/store/books.h"
#include "daemon/store/inside.h"
#include "daemon/store/sql.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_ARENA_BYTES_MAX ((size_t)64 << 20) /* one record; guards against a damaged one */
#define SLICE_BYTES_MIN ((uint64_t)256 << 10)
#define DELIVERIES_PER_SLICE 4096u

enum phase { PHASE_TABLES, PHASE_REST, PHASE_DONE };

struct account {
    struct books books;
    struct arena *arena;
    enum phase phase;
    uint64_t lsn, whole_lsn, row_count;
    struct digest hash;
    struct { /* the last delivery that was compared */
        struct id endpoint;
        uint64_t sequence;
    } cursor;
    uint64_t end_lsn; /* of the phase REST */
    bool is_expecting;
    uint64_t expected_lsn;
    struct mailbox_figures *expected;
    size_t expected_count;
    char problem[192]; /* the first; empty: none */
    struct account_result result;
};

struct account *account_new(const uint64_t hash_seed[2])
{
    struct account *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->arena = arena_new();
    if (a->arena == NULL) {
        free(a);
        return NULL;
    }
    books_init(&a->books, hash_seed, a->arena);
    return a;
}

void account_free(struct account *a)
{
    if (a == NULL)
        return;
    books_fini(&a->books);
    arena_free(a->arena);
    free(a->expected);
    free(a->result.readers);
    free(a);
}

enum error account_expect(struct account *a, const struct state *state)
{
    size_t n = state_mailbox_count(state);
    struct mailbox_figures *expected = calloc(n + 1, sizeof *expected);
    if (expected == NULL)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        state_mailbox(state, i, &expected[i]);
    free(a->expected);
    a->expected = expected;
    a->expected_count = n;
    a->expected_lsn = state_lsn(state);
    a->is_expecting = true;
    return ERROR_NONE;
}

static void note(struct account *a, const char *problem)
{
    if (a->problem[0] == '\0')
        (void)snprintf(a->problem, sizeof a->problem, "%s: after lsn %" PRIu64, problem,
                       a->whole_lsn); /* problems are short */
}

/* ---- comparing with the state in memory ---- */

static enum error compare_mailbox(struct account *a, const struct mailbox_figures *m)
{
    struct books_reader *r = books_reader(&a->books, &m->endpoint);
    if (r == NULL)
        return ERROR_NO_MEMORY;
    const struct account_reader *f = &r->figures;
    if (f->waiting != m->waiting || f->quarantined != m->quarantined || f->parked != m->parked)
        books_differ(r,
                     "at lsn %" PRIu64 " memory has %" PRIu64 " waiting, %" PRIu64
                     " in quarantine, %" PRIu64 " parked",
                     a->lsn, m->waiting, m->quarantined, m->parked);
    return ERROR_NONE;
}

static enum error compare_expected(struct account *a)
{
    enum error e = ERROR_NONE;
    if (!a->is_expecting || a->lsn != a->expected_lsn)
        return e;
    a->is_expecting = false;
    for (size_t i = 0; e == ERROR_NONE && i < a->expected_count; i++)
        e = compare_mailbox(a, &a->expected[i]);
    return e;
}

/* ---- the chain ---- */

static enum error take_record(struct account *a, unsigned type, struct slice payload)
{
    arena_reset(a->arena, RECORD_ARENA_BYTES_MAX);
    enum error e = books_take(&a->books, type, payload);
    if (e == ERROR_CORRUPT) {
        note(a, "a record does not unpack");
        e = ERROR_NONE;
    }
    return e;
}

/* The records of a row up to and with `to`; *is_whole: the row's last was taken. */
static enum error take_row(struct account *a, const struct journal_row *row, uint64_t to,
                           bool *is_whole)
{
    struct slice records = row->records, payload;
    unsigned type;
    enum error e = ERROR_NONE;
    for (uint64_t i = 0; e == ERROR_NONE && i < row->count; i++) {
        if (group_next_record(&records, &type, &payload) != ERROR_NONE) {
            note(a, "a row cannot be cut up");
            a->lsn = row->first_lsn + (row->count - 1);
            break;
        }
        if (row->first_lsn + i <= a->lsn)
            continue;
        if (row->first_lsn + i > to)
            break;
        e = take_record(a, type, payload);
        a->lsn = row->first_lsn + i;
        if (e == ERROR_NONE)
            e = compare_expected(a);
    }
    *is_whole = a->lsn == row->first_lsn + (row->count - 1);
    return e;
}

/* The row that the statement stands on. Behind a damaged one the chain goes on from what stands there. */
static enum error take_next_row(struct account *a, struct driver *d, unsigned statement,
                                uint64_t to, bool *is_whole, uint64_t *bytes)
{
    struct journal_row row;
    const char *problem;
    enum error e = journal_row_check(d, statement, a->whole_lsn, &a->hash, &row, &problem);
    if (e != ERROR_NONE)
        note(a, problem);
    if (row.count == 0 || row.count > UINT32_MAX || row.first_lsn > INT64_MAX) {
        a->lsn = a->whole_lsn = to; /* nothing behind it can be told */
        return ERROR_NONE;
    }
    if (a->lsn < row.first_lsn - 1)
        a->lsn = row.first_lsn - 1;
    *bytes += row.records.len;
    e = take_row(a, &row, to, is_whole);
    if (e == ERROR_NONE && *is_whole) {
        a->whole_lsn = a->lsn;
        a->hash = row.hash;
        a->row_count++;
    }
    return e;
}

/* Rows of one file: audit.db has those up to audited_lsn, the journal those behind. */
static enum error read_file(struct account *a, struct store *s, uint64_t to, uint64_t bytes_max,
                            uint64_t *bytes)
{
    bool is_audit = a->whole_lsn < s->audited_lsn;
    struct driver *d = is_audit ? s->audit : s->outbox;
    unsigned statement = is_audit ? (unsigned)AUDIT_RANGE : (unsigned)JOURNAL_READ;
    bool has_row = true, is_whole = true;
    enum error e = ERROR_NONE;
    driver_bind_u64(d, statement, 1, a->whole_lsn + 1);
    driver_bind_u64(d, statement, 2, is_audit ? s->audited_lsn : s->lsn);
    while (e == ERROR_NONE && is_whole && a->lsn < to && *bytes < bytes_max) {
        e = driver_step(d, statement, &has_row);
        if (e != ERROR_NONE || !has_row)
            break;
        e = take_next_row(a, d, statement, to, &is_whole, bytes);
        if (is_audit && a->whole_lsn == s->audited_lsn)
            break;
    }
    driver_reset(d, statement);
    if (e == ERROR_CORRUPT || (e == ERROR_NONE && !has_row)) {
        note(a, e == ERROR_CORRUPT ? "a page of the file is damaged" : "the last rows are missing");
        a->lsn = a->whole_lsn = is_audit && s->audited_lsn < to ? s->audited_lsn : to;
        a->hash = is_audit ? s->audited_hash : s->hash;
        e = ERROR_NONE;
    }
    return e;
}

/* Towards `to`, which is not behind; a slice at most. */
static enum error advance(struct account *a, struct store *s, uint64_t to)
{
    uint64_t bytes_max = 2 * (uint64_t)s->fold_slice_bytes, bytes = 0;
    enum error e = compare_expected(a);
    if (bytes_max < SLICE_BYTES_MIN)
        bytes_max = SLICE_BYTES_MIN;
    while (e == ERROR_NONE && a->lsn < to && bytes < bytes_max)
        e = read_file(a, s, to, bytes_max, &bytes);
    return e;
}

/* ---- the tables ---- */

static enum error compare_delivery(struct account *a, struct driver *d)
{
    struct id endpoint, message[2];
    uint64_t sequence = driver_column_u64(d, DELIVERY_AFTER, 1);
    if (id_from_slice(&endpoint, driver_column_slice(d, DELIVERY_AFTER, 0)) != ERROR_NONE ||
        id_from_slice(&message[0], driver_column_slice(d, DELIVERY_AFTER, 2)) != ERROR_NONE ||
        id_from_slice(&message[1], driver_column_slice(d, DELIVERY_AFTER, 3)) != ERROR_NONE) {
        note(a, "a row of `delivery` cannot be read");
        return ERROR_CORRUPT;
    }
    a->cursor.endpoint = endpoint;
    a->cursor.sequence = sequence;
    struct books_copy *c = books_find_copy(&a->books, &endpoint, sequence);
    struct books_reader *r = c != NULL ? c->reader : books_reader(&a->books, &endpoint);
    if (r == NULL)
        return ERROR_NO_MEMORY;
    if (c == NULL)
        books_differ(r, "the tables hold a copy with sequence %" PRIu64 " that does not wait",
                     sequence);
    else if (memcmp(c->message->key, message, sizeof message) != 0)
        books_differ(r, "the tables hold another message with sequence %" PRIu64, sequence);
    if (c != NULL)
        c->is_seen = true;
    return ERROR_NONE;
}

static void find_unseen(struct account *a)
{
    for (struct map_node *n = map_next(&a->books.copies, NULL); n != NULL;
         n = map_next(&a->books.copies, n)) {
        struct books_copy *c = container_of(n, struct books_copy, node);
        if (!c->is_seen)
            books_differ(c->reader, "the copy with sequence %" PRIu64 " is not in the tables",
                         c->key.sequence);
    }
}

/* Some deliveries behind the cursor; the books stand where the fold does. */
static enum error compare_tables(struct account *a, struct store *s)
{
    struct driver *d = s->outbox;
    bool has_row = true;
    unsigned n = 0;
    enum error e = ERROR_NONE;
    struct id after = a->cursor.endpoint;
    a->books.opens_seen = true;
    driver_bind_slice(d, DELIVERY_AFTER, 1, id_slice(&after));
    driver_bind_u64(d, DELIVERY_AFTER, 2, a->cursor.sequence);
    driver_bind_u64(d, DELIVERY_AFTER, 3, DELIVERIES_PER_SLICE);
    while (e == ERROR_NONE && (e = driver_step(d, DELIVERY_AFTER, &has_row)) == ERROR_NONE &&
           has_row) {
        e = compare_delivery(a, d);
        n++;
    }
    driver_reset(d, DELIVERY_AFTER);
    if (e == ERROR_CORRUPT) {
        note(a, "the table `delivery` is damaged");
        e = ERROR_NONE;
        n = 0;
    }
    if (e != ERROR_NONE || n == DELIVERIES_PER_SLICE)
        return e;
    find_unseen(a);
    a->end_lsn = a->is_expecting && a->expected_lsn > a->lsn ? a->expected_lsn : s->lsn;
    a->phase = PHASE_REST;
    return e;
}

/* ---- the result ---- */

static int compare_readers(const void *x, const void *y)
{
    const struct account_reader *a = x, *b = y;
    return id_compare(&a->endpoint, &b->endpoint);
}

static void check_sum(struct books_reader *r)
{
    const struct account_reader *f = &r->figures;
    uint64_t sum = f->waiting + f->quarantined + f->acknowledged + f->expired + f->cancelled;
    if (f->differences == 0 && sum != f->accepted)
        books_differ(r, "the sum is %" PRIu64, sum);
}

static enum error make_result(struct account *a)
{
    struct account_result *r = &a->result;
    r->readers = calloc(a->books.readers.count + 1, sizeof *r->readers);
    if (r->readers == NULL)
        return ERROR_NO_MEMORY;
    r->lsn = a->lsn;
    r->row_count = a->row_count;
    r->problem = a->problem[0] != '\0' ? a->problem : NULL;
    r->is_balanced = r->problem == NULL;
    for (struct map_node *n = map_next(&a->books.readers, NULL); n != NULL;
         n = map_next(&a->books.readers, n)) {
        struct books_reader *b = container_of(n, struct books_reader, node);
        check_sum(b);
        r->is_balanced = r->is_balanced && b->figures.differences == 0;
        r->readers[r->reader_count++] = b->figures;
    }
    qsort(r->readers, r->reader_count, sizeof *r->readers, compare_readers);
    a->phase = PHASE_DONE;
    return ERROR_NONE;
}

const struct account_result *account_result(const struct account *a)
{
    assert(a->phase == PHASE_DONE);
    return &a->result;
}

/* ---- slices ---- */

enum error account_step(struct account *a, struct store *s, bool *is_done)
{
    enum error e = s->failed;
    if (e == ERROR_NONE && a->phase == PHASE_TABLES) {
        e = advance(a, s, s->folded.lsn);
        if (e == ERROR_NONE && a->lsn == s->folded.lsn)
            e = compare_tables(a, s);
    } else if (e == ERROR_NONE && a->phase == PHASE_REST) {
        e = advance(a, s, a->end_lsn < s->lsn ? a->end_lsn : s->lsn);
        if (e == ERROR_NONE && a->lsn >= a->end_lsn)
            e = make_result(a);
    }
    *is_done = a->phase == PHASE_DONE;
    return e;
}

bool account_waits_for_commit(const struct account *a, const struct store *s)
{
    return a->phase == PHASE_REST && a->lsn == s->lsn && a->lsn < a->end_lsn;
}

enum error store_account(struct store *s, struct account *a)
{
    bool is_done = false;
    enum error e = ERROR_NONE;
    while (e == ERROR_NONE && !is_done) {
        assert(!account_waits_for_commit(a, s)); /* nobody would commit meanwhile */
        e = account_step(a, s, &is_done);
    }
    return e;
}
