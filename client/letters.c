/*
 * client/letters.c: rows and letters of the store (see letters.h).
 */
#include "client/letters.h"

#include "client/handed.h"
#include "client/home.h"
#include "client/words.h"
#include "pki/certificate.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "rules/workdays.h"

#include <stdlib.h>
#include <string.h>

static struct digest digest_or_zero(struct slice s, bool *is_there)
{
    struct digest d;
    memset(&d, 0, sizeof d);
    *is_there = digest_from_slice(&d, s) == ERROR_NONE;
    return d;
}

static enum error fill_row(struct db_cursor *c, struct letters_row *r)
{
    bool has_digest = false;
    r->number = db_int(c, 0);
    r->is_sent = db_int(c, 1) != 0;
    r->state = (int)db_int(c, 2);
    r->code = (int)db_int(c, 3);
    r->organisation = db_id(c, 4);
    r->message_id = db_id(c, 5);
    r->case_id = db_id(c, 6);
    r->other = db_id(c, 7);
    r->digest = digest_or_zero(db_blob(c, 8), &has_digest);
    r->signer = digest_or_zero(db_blob(c, 9), &r->has_signer);
    r->seen_id = db_id(c, 10);
    r->written_at_ms = db_int(c, 11);
    r->stored_at_ms = db_int(c, 12);
    r->received_at_ms = db_int(c, 13);
    r->opened_at_ms = db_int(c, 14);
    r->opened_by = db_id(c, 15);
    r->tracked_at_ms = db_int(c, 16);
    r->brought_by = db_int(c, 18);
    r->was_opened = db_int(c, 19) != 0;
    return buf_append_slice(&r->header, db_blob(c, 17));
}

static enum error decode_header(struct letters_row *r)
{
    ProtobufCMessage *m = NULL;
    enum error e = home_decode(&brug__v1__header__descriptor, buf_slice(&r->header), &r->arena, &m);
    r->decoded = (const Brug__V1__Header *)m;
    return e == ERROR_USAGE ? ERROR_CORRUPT : e;
}

enum error letters_load(struct brug *b, int64_t number, struct letters_row *out)
{
    struct db_cursor c;
    struct letters_row r;
    memset(&r, 0, sizeof r);
    buf_init(&r.header, LETTERS_HEADER_BYTES_MAX);
    enum error e = DB_SELECT(
        b->db, &c,
        "SELECT number, is_sent, state, code, organisation, message_id, case_id, other, digest,"
        " signer, seen_id, written_at_ms, stored_at_ms, received_at_ms, opened_at_ms, opened_by,"
        " tracked_at_ms, header, brought_by, was_opened FROM message WHERE number = ?1",
        DB_INT(number));
    if (e != ERROR_NONE)
        return e;
    enum error found = db_next(&c) ? fill_row(&c, &r) : ERROR_NOT_FOUND;
    e = db_done(&c);
    if (e == ERROR_NONE)
        e = found;
    if (e == ERROR_NONE)
        e = decode_header(&r);
    if (e == ERROR_NONE)
        *out = r;
    else
        letters_row_free(&r);
    return e;
}

void letters_row_free(struct letters_row *r)
{
    arena_free(r->arena);
    r->arena = NULL;
    r->decoded = NULL;
    buf_fini(&r->header);
}

enum error letters_load_sealed(struct brug *b, int64_t number, struct buf *out)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT bytes FROM sealed WHERE number = ?1", DB_INT(number));
    if (e != ERROR_NONE)
        return e;
    enum error found = db_next(&c) ? buf_append_slice(out, db_blob(&c, 0)) : ERROR_NOT_FOUND;
    e = db_done(&c);
    return e != ERROR_NONE ? e : found;
}

void letters_begin_header(const struct brug *b, Brug__V1__Kind kind, const struct id *message_id,
                          Brug__V1__Sender *from, Brug__V1__Header *out)
{
    const struct client_identity *self = &b->self;
    brug__v1__header__init(out);
    brug__v1__sender__init(from);
    out->protocol = LIMIT_PROTOCOL;
    out->profile = LIMIT_PROFILE;
    out->message_id = client_id_field(message_id);
    out->kind = kind;
    out->municipality = client_id_field(&self->municipality);
    out->from = from;
    from->organisation = client_id_field(&self->organisation);
    from->endpoint = client_id_field(&self->endpoint);
    from->person = client_id_field(&self->person);
    out->written_at_ms = client_now_ms(b);
}

static enum error is_same_signer(void *ctx, X509 *signer)
{
    const struct digest *believed = ctx;
    struct digest key = certificate_key_digest(signer);
    return digest_equal(&key, believed) ? ERROR_NONE : ERROR_LETTER_SIGNER;
}

static enum error open_sealed(struct brug *b, const struct letters_row *row, struct letter **out)
{
    struct buf sealed;
    struct digest signer = row->signer;
    buf_init(&sealed, CLIENT_SEALED_BYTES_MAX);
    enum error e = letters_load_sealed(b, row->number, &sealed);
    if (e == ERROR_NONE)
        e = letter_open(&b->keys, buf_slice(&row->header), buf_slice(&sealed), is_same_signer,
                        &signer, out);
    buf_fini(&sealed);
    return e;
}

static enum error is_author(void *ctx, const struct handed_step *step)
{
    return step->is_last ? is_same_signer(ctx, step->signer) : ERROR_NONE; /* the cover is signed */
}

/* It lies inside another one, which has the signatures of all through whose hands it went. */
static enum error open_brought(struct brug *b, const struct letters_row *row, struct letter **out)
{
    struct letters_row cover;
    struct letter *l = NULL;
    struct handed handed;
    struct digest signer = row->signer;
    enum error e = letters_load(b, row->brought_by, &cover);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_CORRUPT : e;
    e = cover.has_signer && cover.brought_by == 0 ? open_sealed(b, &cover, &l) : ERROR_CORRUPT;
    if (e == ERROR_NONE)
        e = handed_open(cover.decoded, l->content, &b->self.organisation, is_author, &signer,
                        &handed);
    if (e == ERROR_NONE) {
        *out = handed.letter;
        handed.letter = NULL;
        handed_fini(&handed);
    }
    letter_free(l);
    letters_row_free(&cover);
    return e;
}

enum error letters_open(struct brug *b, const struct letters_row *row, struct letter **out)
{
    if (!row->has_signer)
        return ERROR_LETTER_SIGNER;
    return row->brought_by ? open_brought(b, row, out) : open_sealed(b, row, out);
}

enum error letters_is_missing_before(struct brug *b, const struct letters_row *row, bool *out)
{
    struct db_cursor c;
    if (id_is_none(&row->seen_id)) {
        *out = false;
        return ERROR_NONE;
    }
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT 1 FROM message m JOIN message s ON s.number = ?1"
                             " WHERE m.case_id = s.case_id AND m.message_id = s.seen_id"
                             " AND m.digest = s.seen_digest",
                             DB_INT(row->number));
    if (e != ERROR_NONE)
        return e;
    bool is_here = db_next(&c);
    e = db_done(&c);
    if (e == ERROR_NONE)
        *out = !is_here;
    return e;
}

enum error letters_fill_linked(struct brug *b, struct words *w, const struct id *case_id,
                               const struct id *director, bool is_same_child,
                               struct brug_linked *out)
{
    *out = (struct brug_linked){.case_id = client_public_id(case_id),
                                .director = client_public_id(director),
                                .director_name = "",
                                .is_same_child = is_same_child};
    if (id_is_none(case_id))
        return ERROR_NONE;
    (void)id_to_spoken(case_id, out->case_code); /* returns its second argument */
    return words_person(b, w, &b->self.organisation, director, &out->director_name);
}

/* ---- dates ---- */

#define YEAR_MAX 2100u

uint32_t letters_days_of_date(uint32_t date)
{
    uint32_t year = date / 10000;
    return year > YEAR_MAX ? 0 : workdays_from_civil(year, date / 100 % 100, date % 100);
}

uint32_t letters_date_of_days(uint32_t days)
{
    if (days == 0 || days > WORKDAYS_DATE_MAX)
        return 0;
    struct workdays_civil c = workdays_civil(days);
    return c.year * 10000 + c.month * 100 + c.day;
}

uint32_t letters_date_of_ms(int64_t ms) { return letters_date_of_days(workdays_date(ms)); }
