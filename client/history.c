/*
 * client/history.c: handing earlier letters on (see history.h).
 *
 * Happy path: history_give looks through the letters of the cases, in the order in which the relay stored them, and writes a
 * HISTORY without content for each that the taker's endpoints did not get; the outbox seals them one by one. A letter that came
 * by a HISTORY goes on inside that one.
 * Invariant: a letter is given to an endpoint once, unless the HISTORY that did was refused, or never got there.
 */
#include "client/history.h"

#include "client/handed.h"
#include "client/home.h"
#include "client/letters.h"
#include "client/outbox.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/roles.h"

#include <stdlib.h>
#include <string.h>

#define KIND_HISTORY BRUG__V1__KIND__KIND_HISTORY

/* ---- who takes it ---- */

bool history_is_taker(const struct brug *b, const struct history_taker *taker,
                      const struct belief_entry *entry)
{
    if (entry->is_recovery || id_equal(&entry->endpoint, &b->self.endpoint))
        return false;
    return id_is_none(&taker->person) ? id_equal(&entry->endpoint, &taker->endpoint)
                                      : id_equal(&entry->person, &taker->person);
}

enum error history_find_taker(struct brug *b, const struct belief *own, int64_t number,
                              struct history_taker *out)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT endpoint FROM given WHERE history = ?1", DB_INT(number));
    if (e != ERROR_NONE)
        return e;
    const struct belief_entry *entry = NULL;
    while (!entry && db_next(&c)) {
        struct id endpoint = db_id(&c, 0);
        entry = belief_find(own, &endpoint);
    }
    e = db_done(&c);
    if (e == ERROR_NONE && !entry)
        e = ERROR_NO_READER;
    if (e == ERROR_NONE)
        *out = (struct history_taker){.person = entry->person, .endpoint = entry->endpoint};
    return e;
}

enum error history_note_reader(struct brug *b, int64_t number, const struct id *endpoint)
{
    return DB_RUN(b->db,
                  "INSERT OR IGNORE INTO given(history, letter, endpoint)"
                  " SELECT ?1, letter, ?2 FROM given WHERE history = ?1 LIMIT 1",
                  DB_INT(number), DB_ID(endpoint));
}

/* ---- what goes into it ---- */

static enum error load_given(struct brug *b, int64_t history, int64_t *letter)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c, "SELECT letter FROM given WHERE history = ?1 LIMIT 1",
                             DB_INT(history));
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    if (found)
        *letter = db_int(&c, 0);
    e = db_done(&c);
    return e == ERROR_NONE && !found ? ERROR_CORRUPT : e;
}

/* How many letters lie in each other in this one's content. */
static enum error pass_signer(void *ctx, const struct handed_step *step)
{
    (void)ctx; /* it was judged when it came */
    (void)step;
    return ERROR_NONE;
}

static enum error check_depth(struct brug *b, const struct letters_row *cover,
                              const struct letter *l)
{
    struct handed inside;
    enum error e =
        handed_open(cover->decoded, l->content, &b->self.organisation, pass_signer, NULL, &inside);
    if (e != ERROR_NONE)
        return e;
    bool is_deep = inside.depth >= HANDED_DEPTH_MAX;
    handed_fini(&inside);
    return is_deep ? ERROR_LETTER_CONTENT : ERROR_NONE;
}

/* The author's entry as it was believed; a HISTORY's author is who gave it to us. Without one the taker must know the author. */
static enum error find_entry(struct brug *b, const struct letters_row *row,
                             struct history_content *out)
{
    ProtobufCMessage *m = NULL;
    struct id endpoint = client_field_id(row->decoded->from->endpoint);
    enum error e = pins_entry(b, &row->organisation, &endpoint, &out->entry);
    if (e == ERROR_NOT_FOUND)
        return ERROR_NONE;
    if (e == ERROR_NONE)
        e = home_decode(&brug__v1__endpoint_entry__descriptor, buf_slice(&out->entry), &out->arena,
                        &m);
    out->history.author = (Brug__V1__EndpointEntry *)m;
    return e;
}

static void fill_content(struct history_content *out, const struct letters_row *letter)
{
    ProtobufCBinaryData zeros = {.len = sizeof out->zeros, .data = out->zeros};
    out->content.nonce = out->content.header_digest = zeros;
    out->content.sender_roster_digest = out->content.to_roster_digest = zeros;
    out->content.history = &out->history;
    out->history.header = client_field(buf_slice(&out->header));
    out->history.signed_data = client_field(buf_slice(&out->letter->signed_data));
    out->history.stored_at_ms = letter->stored_at_ms;
}

static bool was_opened(const struct brug *b, const struct letters_row *row)
{
    return row->is_sent || row->was_opened || row->opened_at_ms != 0 ||
           id_equal(&row->organisation, &b->self.organisation);
}

/* `row` is what is handed on: the letter, or the HISTORY in which it lies. */
static enum error make_of(struct brug *b, const struct letters_row *letter,
                          const struct letters_row *row, struct history_content *out)
{
    enum error e = letters_open(b, row, &out->letter);
    if (e == ERROR_NONE && row != letter)
        e = check_depth(b, row, out->letter);
    if (e == ERROR_NONE)
        e = buf_append_slice(&out->header, buf_slice(&row->header));
    if (e == ERROR_NONE)
        e = find_entry(b, row, out);
    if (e == ERROR_NONE) {
        fill_content(out, letter);
        out->history.was_opened = was_opened(b, letter);
    }
    return e;
}

enum error history_content_make(struct brug *b, int64_t number, struct history_content *out)
{
    int64_t given = 0;
    struct letters_row letter, cover;
    memset(out, 0, sizeof *out);
    out->content = (Brug__V1__Content)BRUG__V1__CONTENT__INIT;
    out->history = (Brug__V1__HistoryLetter)BRUG__V1__HISTORY_LETTER__INIT;
    buf_init(&out->header, LIMIT_HEADER_BYTES);
    buf_init(&out->entry, CLIENT_ENTRY_BYTES_MAX);
    enum error e = load_given(b, number, &given);
    if (e == ERROR_NONE)
        e = letters_load(b, given, &letter);
    if (e != ERROR_NONE)
        return e;
    if (letter.brought_by == 0) {
        e = make_of(b, &letter, &letter, out);
    } else {
        e = letters_load(b, letter.brought_by, &cover);
        if (e == ERROR_NONE) {
            e = make_of(b, &letter, &cover, out);
            letters_row_free(&cover);
        }
    }
    letters_row_free(&letter);
    if (e != ERROR_NONE)
        history_content_fini(out);
    return e;
}

void history_content_fini(struct history_content *h)
{
    letter_free(h->letter);
    h->letter = NULL;
    arena_free(h->arena);
    h->arena = NULL;
    buf_fini(&h->header);
    buf_fini(&h->entry);
}

/* ---- deciding what to give ---- */

struct giving {
    struct brug *b;
    const struct history_taker *taker;
    struct id actor;
    const struct belief *own;
    struct id case_id; /* of the last letter that was given */
    size_t cases, letters;
};

/* Whether the endpoint could read the letter from the start, or was given it. */
static enum error has_it(struct brug *b, const struct letters_row *row, const struct id *endpoint,
                         bool *out)
{
    struct db_cursor c;
    const Brug__V1__Header *h = row->decoded;
    *out = client_is_among(endpoint, h->readers, h->n_readers) ||
           client_field_is(h->from->endpoint, endpoint);
    if (*out)
        return ERROR_NONE;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT 1 FROM given g JOIN message m ON m.number = g.history WHERE"
                             " g.letter = ?1 AND g.endpoint = ?2 AND m.state NOT IN (19, 20) AND"
                             " NOT EXISTS(SELECT 1 FROM fact f WHERE f.number = g.history AND"
                             " f.endpoint = ?2 AND (f.unreadable <> 0 OR f.cancelled_at_ms <> 0))",
                             DB_INT(row->number), DB_ID(endpoint));
    if (e != ERROR_NONE)
        return e;
    *out = db_next(&c);
    return db_done(&c);
}

static enum error lacks_it(struct giving *g, const struct letters_row *row, bool *out)
{
    enum error e = ERROR_NONE;
    *out = false;
    for (size_t i = 0; e == ERROR_NONE && !*out && i < g->own->entry_count; i++) {
        bool has = true;
        const struct belief_entry *entry = &g->own->entries[i];
        if (history_is_taker(g->b, g->taker, entry))
            e = has_it(g->b, row, &entry->endpoint, &has);
        *out = !has;
    }
    return e;
}

struct cover {
    Brug__V1__Header header;
    Brug__V1__Sender from;
    struct id id;
    struct buf header_bytes;
};

static enum error write_header(struct giving *g, const struct letters_row *row, struct cover *out)
{
    uint8_t random[10];
    int64_t now_ms = 0;
    const char *field = NULL;
    Brug__V1__Header *h = &out->header;
    enum error e = client_random(random, sizeof random);
    if (e == ERROR_NONE)
        e = client_relay_now_ms(g->b, &now_ms);
    if (e != ERROR_NONE)
        return e;
    out->id = id_v7(now_ms, random);
    letters_begin_header(g->b, KIND_HISTORY, &out->id, &out->from, h);
    h->case_id = client_id_field(&row->case_id);
    h->municipality = row->decoded->municipality;
    h->to = out->from.organisation;
    out->from.person = client_id_field(&g->actor);
    h->in_reply_to = client_id_field(&row->message_id);
    e = check_header(h, &field);
    return e == ERROR_NONE ? frame_append_bare(&out->header_bytes, &h->base) : e;
}

static enum error note_readers(struct giving *g, int64_t history, int64_t letter)
{
    enum error e = ERROR_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < g->own->entry_count; i++)
        if (history_is_taker(g->b, g->taker, &g->own->entries[i]))
            e = DB_RUN(g->b->db, "INSERT INTO given(history, letter, endpoint) VALUES(?1, ?2, ?3)",
                       DB_INT(history), DB_INT(letter), DB_ID(&g->own->entries[i].endpoint));
    return e;
}

static enum error give_letter(struct giving *g, const struct letters_row *row)
{
    struct cover cover;
    int64_t number = 0;
    buf_init(&cover.header_bytes, LIMIT_HEADER_BYTES);
    enum error e = write_header(g, row, &cover);
    const struct outbox_draft draft = {.header = &cover.header,
                                       .header_bytes = buf_slice(&cover.header_bytes)};
    if (e == ERROR_NONE)
        e = outbox_insert(g->b, &draft, &number);
    if (e == ERROR_NONE)
        e = note_readers(g, number, row->number);
    buf_fini(&cover.header_bytes);
    if (e != ERROR_NONE)
        return e;
    g->letters++;
    g->cases += !id_equal(&g->case_id, &row->case_id);
    g->case_id = row->case_id;
    return ERROR_NONE;
}

static enum error consider(struct giving *g, int64_t number)
{
    struct letters_row row;
    bool lacks = false;
    enum error e = letters_load(g->b, number, &row);
    if (e != ERROR_NONE)
        return e;
    e = lacks_it(g, &row, &lacks);
    if (e == ERROR_NONE && lacks)
        e = give_letter(g, &row);
    letters_row_free(&row);
    return e;
}

/* Letters that hold, of the case or of all that have not ended, case by case as the relay stored them. */
static enum error list_letters(struct brug *b, const struct id *case_id, int64_t **out, size_t *n)
{
    struct db_cursor c;
    size_t capacity = 0;
    int64_t *numbers = NULL;
    *n = 0;
    enum error e = DB_SELECT(
        b->db, &c,
        "SELECT number FROM message m WHERE length(case_id) = 16 AND state IN (1, 18) AND kind < 64"
        " AND (case_id = ?1 OR (?2 = 1 AND NOT EXISTS(SELECT 1 FROM casefile f WHERE"
        " f.case_id = m.case_id AND f.ended = 1))) ORDER BY case_id, stored_at_ms, number",
        DB_ID(case_id), DB_INT(id_is_none(case_id)));
    if (e != ERROR_NONE)
        return e;
    enum error kept = ERROR_NONE;
    while (kept == ERROR_NONE && db_next(&c)) {
        if (*n == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            int64_t *more = reallocarray(numbers, capacity, sizeof *more);
            kept = more ? ERROR_NONE : ERROR_NO_MEMORY;
            numbers = more ? more : numbers;
        }
        if (kept == ERROR_NONE)
            numbers[(*n)++] = db_int(&c, 0);
    }
    e = db_done(&c);
    *out = numbers;
    return kept != ERROR_NONE ? kept : e;
}

static enum error check_taker(const struct giving *g)
{
    enum error e = ERROR_NOT_FOUND;
    for (size_t i = 0; i < g->own->entry_count; i++) {
        const struct belief_entry *entry = &g->own->entries[i];
        if (!history_is_taker(g->b, g->taker, entry))
            continue;
        if (entry->state != BRUG_TRUST_BELIEVED)
            return ERROR_CONFIRM;
        e = ERROR_NONE;
    }
    return e;
}

static enum error give_all(struct giving *g, const struct id *case_id)
{
    int64_t *numbers = NULL;
    size_t n = 0;
    enum error e = check_taker(g);
    if (e == ERROR_NONE)
        e = list_letters(g->b, case_id, &numbers, &n);
    for (size_t i = 0; e == ERROR_NONE && i < n; i++)
        e = consider(g, numbers[i]);
    free(numbers);
    return e;
}

enum error history_give(struct brug *b, const struct history_taker *taker, const struct id *actor,
                        const struct id *case_id, size_t *cases, size_t *letters)
{
    struct belief *own = NULL;
    enum error e = pins_judge(b, &b->self.organisation, &own);
    if (e != ERROR_NONE)
        return e;
    struct giving g = {.b = b, .taker = taker, .actor = *actor, .own = own, .case_id = ID_NONE};
    e = give_all(&g, case_id);
    belief_free(own);
    if (e == ERROR_NONE) {
        *cases = g.cases;
        *letters = g.letters;
    }
    return e;
}

/* ---- for people ---- */

/* A person of the own organisation, or one of its practice systems by its endpoint. */
static enum error find_colleague(struct brug *b, const struct id *id, struct history_taker *out)
{
    struct belief *own = NULL;
    enum error e = pins_judge(b, &b->self.organisation, &own);
    if (e != ERROR_NONE)
        return e;
    const struct belief_entry *system = belief_find(own, id);
    bool is_system = system && id_is_none(&system->person) && !system->is_recovery;
    *out = (struct history_taker){.person = is_system ? ID_NONE : *id, .endpoint = *id};
    belief_free(own);
    return ERROR_NONE;
}

static enum error check_actor(struct brug *b, const struct id *actor)
{
    if (b->self.is_recovery)
        return client_fail(b, ERROR_ROLE_NOT_ALLOWED, "a recovery profile sends nothing");
    if (id_is_none(actor))
        return client_fail(b, ERROR_USAGE,
                           "a practice system must say which person acts in this letter");
    if (!id_is_none(&b->self.person) && !roles_may_send((Brug__V1__Role)b->self.role, KIND_HISTORY))
        return client_fail(b, ERROR_ROLE_NOT_ALLOWED, "%s", error_text(ERROR_ROLE_NOT_ALLOWED));
    return ERROR_NONE;
}

static enum error explain(struct brug *b, enum error e)
{
    switch (e) {
    case ERROR_NOT_FOUND:
        return client_fail(b, e,
                           "the directory here has no such colleague with a client that reads");
    case ERROR_CONFIRM:
        return client_fail(b, e, "a client of this colleague must be confirmed first");
    default:
        return client_failed(b, e);
    }
}

int brug_hand_on(struct brug *b, const struct brug_id *colleague, const struct brug_id *case_id,
                 const struct brug_id *actor, struct brug_handed_on *out)
{
    struct id who = client_id(colleague);
    struct id wanted = case_id ? client_id(case_id) : ID_NONE;
    struct id acting = id_is_none(&b->self.person) && actor ? client_id(actor) : b->self.person;
    struct history_taker taker;
    struct brug_handed_on done = {0};
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = check_actor(b, &acting);
    if (e != ERROR_NONE)
        return (int)e;
    e = db_begin(b->db);
    if (e == ERROR_NONE) {
        e = find_colleague(b, &who, &taker);
        if (e == ERROR_NONE)
            e = history_give(b, &taker, &acting, &wanted, &done.cases, &done.letters);
        e = db_end(b->db, e);
    }
    if (e == ERROR_NONE)
        *out = done;
    client_wake(b);
    return (int)explain(b, e);
}
