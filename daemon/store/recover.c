/*
 * daemon/store/recover.c: a page of an organisation's sealed letters, for the holder of its recovery key.
 *
 * Happy path: the tables are folded as far as the order says, a slice with each page; then rows of `message` are read in order of
 * their key, so many at a time that commits do not wait for long, and the bodies of those that are wanted, until the page is full.
 * There is no index of letters by case: keys are lost once in years, and a walk over the table costs seconds then.
 *
 * Failures: a letter whose bytes are gone or damaged is counted and left out; a row that does not unpack, an I/O error and no memory
 * end the page.
 */
#include "brug/v1/admin.pb-c.h"
#include "daemon/core/body.h"
#include "daemon/store/inside.h"
#include "daemon/store/sql.h"
#include "proto/frame.h"
#include <stdlib.h>

#define ROWS_MAX 4096u
#define PAGE_BYTES_MAX ((size_t)4 << 20) /* then no letter more; one alone may be larger */
#define AUTHOR_BYTES ((size_t)32 << 10)  /* that the answer has beside each letter */
#define ROW_ARENA_BYTES_MAX ((size_t)64 << 20)

struct page {
    struct store *s;
    const struct load_recovered *wanted;
    Brug__V1__RecoveredPage answer;
    struct arena *arena;
    struct id next_message, next_organisation;
    size_t capacity, bytes, rows;
};

static struct slice bytes_of(ProtobufCBinaryData b) { return slice_of(b.data, b.len); }

static int compare_ids(const void *a, const void *b) { return id_compare(a, b); }

static bool is_in(ProtobufCBinaryData field, const struct id *ids, size_t n)
{
    struct id id;
    return id_from_slice(&id, bytes_of(field)) == ERROR_NONE &&
           bsearch(&id, ids, n, sizeof *ids, compare_ids) != NULL;
}

static bool is_own(const struct page *p, ProtobufCBinaryData organisation)
{
    return slice_equal(bytes_of(organisation), id_slice(&p->wanted->organisation));
}

/* By clients of the organisation. */
static void look_at_readers(const struct page *p, const Brug__V1__KnownMessage *k, bool *is_fetched,
                            bool *is_opened)
{
    const struct load_recovered *w = p->wanted;
    *is_fetched = *is_opened = false;
    for (size_t i = 0; i < k->n_readers; i++) {
        const Brug__V1__KnownReader *r = k->readers[i];
        if (!is_in(r->endpoint, w->endpoints, w->endpoint_count))
            continue;
        *is_fetched |= r->fetched_at_ms != 0;
        *is_opened |= r->opened_at_ms != 0;
    }
}

/* What people wrote to or from the organisation. Earlier letters are there themselves, family keys are made anew. */
static bool is_letter(const struct page *p, const Brug__V1__KnownMessage *k)
{
    return k->code == BRUG__V1__CODE__CODE_NONE && k->organisation.len > 0 &&
           k->kind != BRUG__V1__KIND__KIND_HISTORY && k->kind != BRUG__V1__KIND__KIND_FAMILY_KEY &&
           (is_own(p, k->organisation) || is_own(p, k->to));
}

static bool is_wanted(const struct page *p, const Brug__V1__KnownMessage *k, bool *is_opened)
{
    bool is_fetched;
    look_at_readers(p, k, &is_fetched, is_opened);
    *is_opened |= is_own(p, k->organisation);
    return is_in(k->case_id, p->wanted->cases, p->wanted->case_count) ||
           (is_own(p, k->to) && !is_fetched);
}

static bool has_digest(struct slice bytes, ProtobufCBinaryData digest)
{
    struct body *b = NULL;
    bool is_same = body_from_stored(&b, bytes) == ERROR_NONE &&
                   slice_equal(digest_slice(&b->digest), bytes_of(digest));
    body_unref(b);
    return is_same;
}

static enum error add(struct page *p, const Brug__V1__KnownMessage *k, struct slice body,
                      bool is_opened)
{
    Brug__V1__RecoveredPage *to = &p->answer;
    Brug__V1__RecoveredLetter *l = arena_alloc(p->arena, sizeof *l);
    if (to->n_letters == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 64;
        Brug__V1__RecoveredLetter **more = arena_alloc(p->arena, p->capacity * sizeof *more);
        for (size_t i = 0; more && i < to->n_letters; i++)
            more[i] = to->letters[i];
        to->letters = more;
    }
    if (!l || !to->letters)
        return ERROR_NO_MEMORY;
    brug__v1__recovered_letter__init(l);
    l->envelope = (ProtobufCBinaryData){body.len, (uint8_t *)(uintptr_t)body.data};
    l->stored_at_ms = k->at_ms;
    l->was_opened = is_opened;
    l->endpoint = k->endpoint;
    to->letters[to->n_letters++] = l;
    p->bytes += body.len + AUTHOR_BYTES;
    return ERROR_NONE;
}

/* Copies the bytes into the page's arena. */
static enum error keep(struct page *p, struct slice *bytes)
{
    uint8_t *copy = arena_alloc(p->arena, bytes->len + 1);
    if (!copy)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < bytes->len; i++)
        copy[i] = bytes->data[i];
    bytes->data = copy;
    return ERROR_NONE;
}

static enum error take_body(struct page *p, const Brug__V1__KnownMessage *k, bool is_opened)
{
    struct buf *body = &p->s->scratch;
    buf_clear(body);
    enum error e = store_read_body(p->s, k->body_lsn, body);
    if (e == ERROR_NOT_FOUND || e == ERROR_CORRUPT ||
        (e == ERROR_NONE && !has_digest(buf_slice(body), k->digest))) {
        p->answer.damaged++;
        return ERROR_NONE;
    }
    struct slice kept = buf_slice(body);
    if (e == ERROR_NONE)
        e = keep(p, &kept);
    return e == ERROR_NONE ? add(p, k, kept, is_opened) : e;
}

static enum error take_row(struct page *p, struct slice row)
{
    ProtobufCMessage *m = NULL;
    bool is_opened;
    enum error e = keep(p, &row);
    if (e == ERROR_NONE && frame_decode_borrowed(p->arena, &brug__v1__known_message__descriptor,
                                                 row, &m) != ERROR_NONE)
        e = arena_was_exceeded(p->arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
    const Brug__V1__KnownMessage *k = (const Brug__V1__KnownMessage *)m;
    if (e != ERROR_NONE || !is_letter(p, k) || !is_wanted(p, k, &is_opened))
        return e;
    return take_body(p, k, is_opened);
}

static bool is_full(const struct page *p)
{
    return p->bytes >= PAGE_BYTES_MAX || p->rows == ROWS_MAX ||
           arena_spent_bytes(p->arena) >= ROW_ARENA_BYTES_MAX / 4;
}

static enum error walk(struct page *p)
{
    struct driver *d = p->s->outbox;
    bool has_row = true;
    driver_bind_slice(d, MESSAGE_AFTER, 1, id_slice(&p->wanted->after_message));
    driver_bind_slice(d, MESSAGE_AFTER, 2, id_slice(&p->wanted->after_organisation));
    driver_bind_u64(d, MESSAGE_AFTER, 3, ROWS_MAX);
    enum error e = ERROR_NONE;
    while (e == ERROR_NONE && !is_full(p)) {
        e = driver_step(d, MESSAGE_AFTER, &has_row);
        if (e != ERROR_NONE || !has_row)
            break;
        p->rows++;
        if (id_from_slice(&p->next_message, driver_column_slice(d, MESSAGE_AFTER, 0)) ||
            id_from_slice(&p->next_organisation, driver_column_slice(d, MESSAGE_AFTER, 1)))
            e = ERROR_CORRUPT;
        else
            e = take_row(p, driver_column_slice(d, MESSAGE_AFTER, 2));
    }
    driver_reset(d, MESSAGE_AFTER);
    p->answer.is_last = !has_row;
    return e;
}

static enum error finish(struct page *p, struct buf *out)
{
    uint8_t *at;
    p->answer.next_message = (ProtobufCBinaryData){ID_BYTES, p->next_message.bytes};
    p->answer.next_organisation = (ProtobufCBinaryData){ID_BYTES, p->next_organisation.bytes};
    p->answer.until_lsn = p->wanted->until_lsn;
    enum error e = buf_extend(out, brug__v1__recovered_page__get_packed_size(&p->answer), &at);
    if (e == ERROR_NONE)
        (void)brug__v1__recovered_page__pack(&p->answer, at); /* its size, which we know */
    return e;
}

enum error recover_page(struct store *s, struct load *l)
{
    struct page p = {.s = s, .wanted = l->recovered};
    brug__v1__recovered_page__init(&p.answer);
    p.next_message = p.wanted->after_message;
    p.next_organisation = p.wanted->after_organisation;
    bool is_behind = store_folded_lsn(s) < p.wanted->until_lsn, is_done;
    enum error e = is_behind ? store_fold(s, &is_done) : ERROR_NONE;
    p.arena = arena_new();
    if (e == ERROR_NONE && !p.arena)
        e = ERROR_NO_MEMORY;
    if (e == ERROR_NONE) {
        arena_reset(p.arena, ROW_ARENA_BYTES_MAX);
        e = is_behind ? ERROR_NONE : walk(&p);
    }
    if (e == ERROR_NONE)
        e = finish(&p, &l->bytes);
    arena_free(p.arena);
    return e;
}
