/*
 * client/familykey.c: the key that a team's clients share for family linkage [R41], and the tags that are made with it.
 *
 *     Welcome says which key is in force.
 *        |
 *     Its letter is here, sealed to exactly those of the team that are believed now?
 *        |yes                                                   |no
 *     the cases whose tags are under another key get new ones   a new key is made and sent to the team
 *
 * Happy path: once a session has gone quiet (so that a colleague's key has come), the own team is judged and the key looked
 * for. The key stands nowhere but in its letter, sealed; it is opened for the tags and wiped.
 * Failures: somebody of the team is not believed (yet): nothing is made and nothing is tagged until that is settled. The relay
 * refuses a key because a colleague's came first: the letter is dropped, and the colleague's comes. It refuses tags for a
 * passing cause or for what became of the case: they come later. Any other refusal is told, and ends families for this session;
 * a relay that knows none is left alone without a word.
 *
 * Invariants
 *  1. A key is sealed only to a team of which every entry is believed [T31], and tags are made only with a key that nobody else
 *     has: so who left, or was never believed, makes nothing of a tag.
 *  2. One key of ours is on its way at a time.
 */
#include "client/session_inside.h"

#include "base/clock.h"
#include "client/casefile.h"
#include "client/family.h"
#include "client/home.h"
#include "client/letters.h"
#include "client/outbox.h"
#include "client/pins.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"

#include <openssl/crypto.h>
#include <string.h>

#define FAMILYKEY_QUIET_MS 5000            /* without a letter: then none waits */
#define FAMILYKEY_LATER_MS 60000           /* after a passing refusal */
#define FAMILYKEY_AGAIN_MS (3600ll * 1000) /* between two keys for the same people */
#define FAMILY_KEY BRUG__V1__KIND__KIND_FAMILY_KEY

_Static_assert(FAMILY_KEY_BYTES == LIMIT_FAMILY_KEY_BYTES, "the key that a letter carries");

/* ---- when ---- */

static bool is_of_team(const struct session *s)
{
    return s->b->self.role == BRUG_ROLE_CONSULTANT || s->b->self.role == BRUG_ROLE_LEADER;
}

void familykey_mark(struct session *s) { s->family.is_due = s->family.is_on; }

void familykey_on_welcome(struct session *s, const Brug__V1__Welcome *w)
{
    s->family = (struct family_watch){.key = client_field_id(w->family_key),
                                      .is_on = is_of_team(s),
                                      .quiet_since_ms = clock_now().mono_ms};
    familykey_mark(s);
}

int64_t familykey_due_ms(const struct session *s)
{
    const struct family_watch *f = &s->family;
    int64_t quiet_ms = s->has_all ? 0 : f->quiet_since_ms + FAMILYKEY_QUIET_MS;
    if (!f->is_due || !session_has_room(s)) /* an answer makes room */
        return INT64_MAX;
    return quiet_ms > f->not_before_ms ? quiet_ms : f->not_before_ms;
}

/* The relay accepted this letter, of ours or of a colleague's, after it said which key was in force. */
static void follow(struct session *s, const Brug__V1__Header *h)
{
    struct id replaced = client_field_id(h->replaced_key);
    if (h->kind != FAMILY_KEY || !id_equal(&replaced, &s->family.key))
        return;
    s->family.key = client_field_id(h->key_id);
    familykey_mark(s);
}

void familykey_on_receipt(struct session *s, const Brug__V1__Header *h) { follow(s, h); }

/* Not again in this session: what it refuses for good it would refuse again. */
static void give_up(struct session *s, enum error code)
{
    bool was_on = s->family.is_on;
    s->family.is_on = s->family.is_due = false;
    if (was_on && code != ERROR_UPDATE_RELAY && code != ERROR_ROLE_NOT_ALLOWED)
        client_event(s->b, BRUG_EVENT_FAMILY, (int)code, 0, NULL);
}

void familykey_on_refused(struct session *s, const Brug__V1__Header *h, enum error code)
{
    if (h->kind == FAMILY_KEY && code != ERROR_FAMILY_KEY_MOVED)
        give_up(s, code);
}

enum error familykey_on_delivery(struct session *s, const Brug__V1__Deliver *d)
{
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    s->family.quiet_since_ms = clock_now().mono_ms;
    if (!s->family.is_on)
        return ERROR_NONE;
    enum error e =
        home_decode(&brug__v1__header__descriptor, check_slice(d->envelope->header), &a, &m);
    if (e == ERROR_NONE)
        follow(s, (const Brug__V1__Header *)m);
    arena_free(a);
    return e == ERROR_NO_MEMORY ? e : ERROR_NONE; /* what is no header was refused before */
}

/* ---- looking for the key ---- */

enum finding { FINDING_NONE, FINDING_WAITS, FINDING_KEY };

struct search {
    struct session *s;
    const struct belief *own;
    enum finding finding;
    uint8_t key[FAMILY_KEY_BYTES]; /* with FINDING_KEY */
};

/* Whether the letter is sealed to all of the team, and to nobody else. */
static bool has_these_readers(const Brug__V1__Header *h, const struct belief *own)
{
    for (size_t i = 0; i < own->entry_count; i++) {
        const struct id *id = &own->entries[i].endpoint;
        if (!client_is_among(id, h->readers, h->n_readers) &&
            !client_is_among(id, h->copies, h->n_copies) && !client_field_is(h->from->endpoint, id))
            return false;
    }
    return own->entry_count == h->n_readers + h->n_copies + 1;
}

static enum error take_key(struct search *x, const struct letters_row *row)
{
    struct letter *letter = NULL;
    enum error e = letters_open(x->s->b, row, &letter);
    if (e == ERROR_NONE && letter->content->family_key.len == FAMILY_KEY_BYTES) {
        memcpy(x->key, letter->content->family_key.data, FAMILY_KEY_BYTES);
        x->finding = FINDING_KEY;
    }
    letter_free(letter);
    return client_is_of_store(e) ? e : ERROR_NONE; /* one that does not open is as good as none */
}

static enum error look_at(struct search *x, const struct letters_row *row)
{
    const Brug__V1__Header *h = row->decoded;
    struct id key = client_field_id(h->key_id);
    bool is_in_force = id_equal(&key, &x->s->family.key);
    bool is_for_these = h->from && has_these_readers(h, x->own);
    int64_t age_ms = client_now_ms(x->s->b) - row->stored_at_ms;
    if (row->is_sent && (row->state == STORE_DRAFT || row->state == STORE_SEALED))
        x->finding = FINDING_WAITS;
    else if (is_in_force && row->state == STORE_CONFIRM)
        x->finding = FINDING_WAITS;
    else if (is_in_force && is_for_these && (row->is_sent || row->state == STORE_READY))
        return take_key(x, row);
    else if (row->is_sent && is_for_these && age_ms >= 0 && age_ms < FAMILYKEY_AGAIN_MS)
        x->finding =
            FINDING_WAITS; /* a colleague made another: two must not do so in turn for ever */
    return ERROR_NONE;
}

static enum error next_letter(struct brug *b, int64_t before, int64_t *number)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT max(number) FROM message WHERE kind = ?1 AND number < ?2",
                  DB_INT(FAMILY_KEY), DB_INT(before));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) && !db_is_null(&c, 0) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

static enum error look_for_key(struct search *x)
{
    int64_t number = INT64_MAX;
    enum error e = ERROR_NONE;
    while (e == ERROR_NONE && x->finding == FINDING_NONE) {
        struct letters_row row;
        e = next_letter(x->s->b, number, &number);
        if (e != ERROR_NONE || number == 0)
            return e;
        e = letters_load(x->s->b, number, &row);
        if (e != ERROR_NONE)
            return e;
        e = look_at(x, &row);
        letters_row_free(&row);
    }
    return e;
}

/* ---- a new key ---- */

struct making {
    Brug__V1__Header header;
    Brug__V1__Sender from;
    Brug__V1__Content content;
    uint8_t zeros[DIGEST_BYTES], key[FAMILY_KEY_BYTES], random[10 + ID_BYTES + 32];
    struct id message_id, key_id;
    struct buf header_bytes, sealed;
};

static enum error fill_header(struct session *s, struct making *m)
{
    int64_t now_ms = 0;
    enum error e = client_relay_now_ms(s->b, &now_ms);
    m->message_id = id_v7(now_ms, m->random);
    m->key_id = id_v4(m->random + 10);
    letters_begin_header(s->b, FAMILY_KEY, &m->message_id, &m->from, &m->header);
    m->header.to = m->from.organisation;
    m->header.key_id = client_id_field(&m->key_id);
    m->header.replaced_key = client_id_field(&s->family.key);
    return e == ERROR_NONE ? frame_append_bare(&m->header_bytes, &m->header.base) : e;
}

static enum error seal_key(struct session *s, struct making *m)
{
    struct digest digest;
    ProtobufCBinaryData zeros = {.len = sizeof m->zeros, .data = m->zeros};
    brug__v1__content__init(&m->content);
    m->content.nonce = m->content.header_digest = zeros;
    m->content.sender_roster_digest = m->content.to_roster_digest = zeros;
    m->content.family_key = client_field(slice_of(m->key, sizeof m->key));
    return letter_seal(&s->b->keys, buf_slice(&m->header_bytes), &m->content, NULL, 0,
                       m->random + 10 + ID_BYTES, &m->sealed, &digest);
}

/* The outbox seals it to the team as it seals any letter. */
static enum error make_key(struct session *s)
{
    struct making m = {.zeros = {0}};
    int64_t number = 0;
    buf_init(&m.header_bytes, LIMIT_HEADER_BYTES);
    buf_init(&m.sealed, CLIENT_SEALED_BYTES_MAX);
    enum error e = client_random(m.random, sizeof m.random);
    if (e == ERROR_NONE)
        e = client_random(m.key, sizeof m.key);
    if (e == ERROR_NONE)
        e = fill_header(s, &m);
    if (e == ERROR_NONE)
        e = seal_key(s, &m);
    const struct outbox_draft draft = {.header = &m.header,
                                       .header_bytes = buf_slice(&m.header_bytes),
                                       .sealed = buf_slice(&m.sealed)};
    if (e == ERROR_NONE)
        e = outbox_insert(s->b, &draft, &number);
    OPENSSL_cleanse(m.key, sizeof m.key);
    buf_fini(&m.header_bytes);
    buf_fini(&m.sealed);
    session_mark(s);
    return e;
}

/* ---- tags ---- */

static bool needs_tags(const struct session *s, const struct casefile *f)
{
    struct id team = client_field_id(f->row->team);
    struct id key = client_field_id(f->row->family_key);
    bool has_director = f->c.state == BRUG__V1__CASE_STATE__CASE_STATE_CLARIFYING ||
                        f->c.state == BRUG__V1__CASE_STATE__CASE_STATE_SUPPORT;
    return has_director && id_equal(&team, &s->b->self.organisation) &&
           !id_equal(&key, &s->family.key);
}

static enum error find_referral(struct brug *b, const struct id *case_id, int64_t *number)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT min(number) FROM message WHERE case_id = ?1 AND kind = ?2 AND"
                             " is_sent = 0 AND state = 1",
                             DB_ID(case_id), DB_INT(BRUG_KIND_REFERRAL));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) && !db_is_null(&c, 0) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

/* Of the youth as the referral names it; without one that opens here a colleague must do it. */
static enum error make_tags(struct session *s, const uint8_t key[FAMILY_KEY_BYTES],
                            const struct id *case_id, struct family_tags *out)
{
    struct letters_row row;
    struct letter *letter = NULL;
    int64_t number = 0;
    *out = (struct family_tags){.has_child = false};
    enum error e = find_referral(s->b, case_id, &number);
    if (e != ERROR_NONE || number == 0)
        return e;
    e = letters_load(s->b, number, &row);
    if (e != ERROR_NONE)
        return e;
    e = letters_open(s->b, &row, &letter);
    if (e == ERROR_NONE && letter->content->letter && letter->content->letter->youth)
        e = family_make_tags(key, letter->content->letter->youth, out);
    letter_free(letter);
    letters_row_free(&row);
    return client_is_of_store(e) ? e : ERROR_NONE;
}

static enum error send_tags(struct session *s, const struct id *case_id,
                            const struct family_tags *tags)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutTags put = BRUG__V1__PUT_TAGS__INIT;
    put.case_id = client_id_field(case_id);
    put.key_id = client_id_field(&s->family.key);
    put.child = client_field(tags->has_child ? digest_slice(&tags->child) : SLICE_NONE);
    put.household = client_field(tags->has_household ? digest_slice(&tags->household) : SLICE_NONE);
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS;
    f.put_tags = &put;
    return session_ask(s, &f, REQUEST_TAGS, 0, case_id);
}

static enum error tag_case(struct session *s, const uint8_t key[FAMILY_KEY_BYTES],
                           const struct id *case_id)
{
    struct casefile f;
    struct family_tags tags;
    enum error e = casefile_load(s->b, case_id, &f);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_NONE : e;
    bool is_wanted = needs_tags(s, &f) && !session_is_asked_about(s, REQUEST_TAGS, case_id);
    casefile_free(&f);
    if (!is_wanted)
        return ERROR_NONE;
    e = make_tags(s, key, case_id, &tags);
    return e == ERROR_NONE && (tags.has_child || tags.has_household) ? send_tags(s, case_id, &tags)
                                                                     : e;
}

static enum error next_case(struct brug *b, struct id *case_id, bool *found)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT case_id FROM casefile WHERE ended = 0 AND length(facts) > 0"
                             " AND case_id > ?1 ORDER BY case_id LIMIT 1",
                             DB_ID(case_id));
    if (e != ERROR_NONE)
        return e;
    *found = db_next(&c);
    if (*found)
        *case_id = db_id(&c, 0);
    return db_done(&c);
}

static enum error tag_cases(struct session *s, const uint8_t key[FAMILY_KEY_BYTES])
{
    struct id case_id = ID_NONE;
    for (;;) {
        bool found = false;
        enum error e = next_case(s->b, &case_id, &found);
        if (e != ERROR_NONE || !found)
            return e;
        if (!session_has_room(s)) {
            familykey_mark(s); /* the rest once there is room */
            return ERROR_NONE;
        }
        e = tag_case(s, key, &case_id);
        if (e != ERROR_NONE)
            return e;
    }
}

/* The case is not as it was here: it has ended, say. */
static bool is_of_case(enum error code)
{
    return code == ERROR_NO_SUCH_CASE || (code >= ERROR_CASE_REFERRED && code <= ERROR_CASE_ENDED);
}

enum error familykey_on_tagged(struct session *s, const struct request *r, enum error code,
                               bool is_passing)
{
    if (code == ERROR_FAMILY_KEY_MOVED)
        return ERROR_NONE; /* the letter that brings the other key is on its way */
    if (is_passing || is_of_case(code)) {
        s->family.not_before_ms = clock_now().mono_ms + FAMILYKEY_LATER_MS;
        familykey_mark(s);
    } else if (code != ERROR_NONE) {
        give_up(s, code);
    }
    return is_passing
               ? ERROR_NONE
               : casefile_want(s->b, &r->about); /* it has tags now, or is not as we thought */
}

/* ---- what is due ---- */

/* Cases and the directory are asked first, so that nothing is made for what is old; what they answer makes it due again. */
static enum error is_asking(struct session *s, bool *out)
{
    bool directory = false, cases = false;
    enum error e = fetch_is_wanted(s->b, &directory);
    if (e == ERROR_NONE)
        e = casefile_is_wanted(s->b, &cases);
    *out = cases || s->fetch.is_active || (directory && !s->fetch.is_blocked);
    return e;
}

static enum error pump(struct session *s, const struct belief *own)
{
    struct search x = {.s = s, .own = own};
    enum error e = look_for_key(&x);
    if (e == ERROR_NONE && x.finding == FINDING_KEY)
        e = tag_cases(s, x.key);
    else if (e == ERROR_NONE && x.finding == FINDING_NONE)
        e = make_key(s);
    OPENSSL_cleanse(x.key, sizeof x.key);
    return e;
}

enum error familykey_pump(struct session *s)
{
    struct belief *own = NULL;
    bool asks = false;
    if (clock_now().mono_ms < familykey_due_ms(s))
        return ERROR_NONE;
    s->family.is_due = false;
    enum error e = is_asking(s, &asks);
    if (e != ERROR_NONE || asks)
        return e;
    e = pins_judge(s->b, &s->b->self.organisation, &own);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_NONE : e;
    if (pins_may_seal(own) == ERROR_NONE)
        e = pump(s, own);
    belief_free(own);
    return e;
}
