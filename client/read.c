/*
 * client/read.c: lists, searches and single letters for people.
 *
 * Letters are opened one by one for the answer; nothing of them is kept. A list first collects the numbers, so that no
 * lock on the store is held while letters are opened.
 */
#include "client/letters.h"
#include "client/pins.h"
#include "client/words.h"
#include "proto/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_LIMIT_DEFAULT 1000u
#define READ_WORDS_MAX 16

/* ---- one message ---- */

/* How a row's state looks to people. */
static enum brug_message_state shown_state(const struct letters_row *r)
{
    if (r->state == STORE_SEALED)
        return BRUG_MESSAGE_UNSENT;
    if (r->state != STORE_DRAFT)
        return (enum brug_message_state)r->state;
    switch (r->code) {
    case ERROR_NONE:
    case ERROR_NOT_FOUND: /* the directory was not fetched yet */
    case ERROR_DIRECTORY_CHANGED:
    case ERROR_CLOCK_AHEAD:
        return BRUG_MESSAGE_UNSENT;
    default:
        return BRUG_MESSAGE_WAITING;
    }
}

/* The last hand that it went through. */
static enum error fill_giver(struct brug *b, struct words *w, const struct letters_row *r,
                             struct brug_message *m)
{
    struct letters_row cover;
    m->handed_on_by = "";
    if (r->brought_by == 0)
        return ERROR_NONE;
    enum error e = letters_load(b, r->brought_by, &cover);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_CORRUPT : e;
    struct id person = client_field_id(cover.decoded->from->person);
    m->is_recovered = id_is_none(&person);
    m->was_opened = r->was_opened;
    if (!m->is_recovered)
        e = words_person(b, w, &cover.organisation, &person, &m->handed_on_by);
    letters_row_free(&cover);
    return e;
}

static enum error fill_names(struct brug *b, struct words *w, struct brug_message *m)
{
    struct id from = client_id(&m->from_organisation);
    struct id person = client_id(&m->from_person);
    struct id to = client_id(&m->to);
    enum error e = words_organisation(b, w, &from, &m->from_name);
    if (e == ERROR_NONE)
        e = words_person(b, w, &from, &person, &m->from_person_name);
    return e == ERROR_NONE ? words_organisation(b, w, &to, &m->to_name) : e;
}

static enum error fill_linked(struct brug *b, struct words *w, const Brug__V1__Header *h,
                              struct brug_message *m)
{
    bool is_linked = h->fact_code == BRUG__V1__CODE__CODE_FAMILY_LINKED;
    struct id linked = is_linked ? client_field_id(h->linked_case) : ID_NONE;
    struct id director = client_field_id(h->linked_director);
    bool is_same_child = (h->flags & BRUG__V1__HEADER_FLAG__HEADER_FLAG_SAME_CHILD) != 0;
    return letters_fill_linked(b, w, &linked, &director, is_same_child, &m->linked);
}

static enum error fill_message(struct brug *b, struct words *w, const struct letters_row *r,
                               struct brug_message *m)
{
    const Brug__V1__Header *h = r->decoded;
    struct id person = h->from ? client_field_id(h->from->person) : ID_NONE;
    struct id on_behalf = h->from ? client_field_id(h->from->on_behalf) : ID_NONE;
    struct id to = client_field_id(h->to);
    struct id reply = client_field_id(h->in_reply_to);
    struct id about = client_field_id(h->about_endpoint);
    struct id owed = client_field_id(h->owed_id);
    *m = (struct brug_message){.number = r->number, .is_sent = r->is_sent, .kind = (int)h->kind};
    m->state = shown_state(r);
    m->error = r->code;
    m->message_id = client_public_id(&r->message_id);
    m->case_id = client_public_id(&r->case_id);
    if (!id_is_none(&r->case_id))
        (void)id_to_spoken(&r->case_id, m->case_code); /* returns its second argument */
    m->from_organisation = client_public_id(&r->organisation);
    m->from_person = client_public_id(&person);
    m->on_behalf = client_public_id(&on_behalf);
    m->to = client_public_id(&to);
    m->in_reply_to = client_public_id(&reply);
    m->written_at_ms = r->written_at_ms;
    m->stored_at_ms = r->stored_at_ms;
    m->received_at_ms = r->received_at_ms;
    m->opened_at_ms = r->opened_at_ms;
    m->fact_code = (int)h->fact_code;
    m->about_endpoint = client_public_id(&about);
    m->owed_id = client_public_id(&owed);
    m->until_date = letters_date_of_days(h->until_date);
    m->owed_kind = (int)h->owed_kind;
    m->subject = m->youth_name = "";
    struct id endpoint = h->from ? client_field_id(h->from->endpoint) : ID_NONE;
    enum error e = fill_linked(b, w, h, m);
    if (e == ERROR_NONE)
        e = fill_names(b, w, m);
    if (e == ERROR_NONE)
        e = fill_giver(b, w, r, m);
    if (e == ERROR_NONE)
        e = pins_is_system(b, &r->organisation, &endpoint, &m->is_by_system);
    return e == ERROR_NONE ? letters_is_missing_before(b, r, &m->is_missing_before) : e;
}

static bool has_letter(const struct letters_row *r)
{
    return r->is_sent || r->state == STORE_READY;
}

/* What a failure to open means for a list: the row says so, and the list goes on. */
static bool is_of_letter(enum error e)
{
    return (e >= ERROR_LETTER_PROFILE && e <= ERROR_LETTER_CONTENT) || e == ERROR_CRYPTO;
}

static enum error open_for_list(struct brug *b, const struct letters_row *r, struct brug_message *m,
                                struct letter **letter)
{
    *letter = NULL;
    if (!has_letter(r))
        return ERROR_NONE;
    enum error e = letters_open(b, r, letter);
    if (e == ERROR_NOT_FOUND) {
        m->is_letter_gone = true;
        return ERROR_NONE;
    }
    if (is_of_letter(e)) {
        m->state = r->is_sent ? m->state : BRUG_MESSAGE_UNREADABLE;
        m->error = (int)e;
        return ERROR_NONE;
    }
    return e;
}

static enum error fill_from_letter(struct words *w, const struct letter *letter,
                                   struct brug_message *m)
{
    const Brug__V1__Letter *l = letter ? letter->content->letter : NULL;
    if (!l)
        return ERROR_NONE;
    m->subject = words_copy(w, l->subject);
    m->youth_name = words_copy(w, l->youth ? l->youth->name : "");
    m->youth_born = l->youth ? l->youth->born : 0;
    m->attachments_n = l->n_attachments;
    return m->subject && m->youth_name ? ERROR_NONE : ERROR_NO_MEMORY;
}

/* ---- searching ---- */

struct wanted {
    char *copy;
    const char *words[READ_WORDS_MAX];
    size_t n;
};

static enum error split_words(const char *text, struct wanted *out)
{
    memset(out, 0, sizeof *out);
    out->copy = strdup(text ? text : "");
    if (!out->copy)
        return ERROR_NO_MEMORY;
    for (char *p = out->copy; *p && out->n < READ_WORDS_MAX;) {
        while (*p == ' ')
            *p++ = 0;
        if (*p)
            out->words[out->n++] = p;
        while (*p && *p != ' ')
            p++;
    }
    return ERROR_NONE;
}

static void fini_words(struct wanted *w) { free(w->copy); }

static bool has_text(const char *text, const char *word)
{
    return text && strcasestr(text, word) != NULL;
}

static bool has_date(uint32_t born, const char *word)
{
    char text[3][16];
    if (born == 0)
        return false;
    unsigned y = born / 10000;
    unsigned m = born / 100 % 100;
    unsigned d = born % 100;
    (void)snprintf(text[0], sizeof text[0], "%04u-%02u-%02u", y, m, d); /* each fits */
    (void)snprintf(text[1], sizeof text[1], "%02u-%02u-%04u", d, m, y);
    (void)snprintf(text[2], sizeof text[2], "%04u%02u%02u", y, m, d);
    return strcmp(text[0], word) == 0 || strcmp(text[1], word) == 0 || strcmp(text[2], word) == 0;
}

static bool has_word(const struct brug_message *m, const Brug__V1__Letter *l, const char *word)
{
    if (has_text(m->case_code, word) || has_text(m->from_name, word) ||
        has_text(m->from_person_name, word) || has_text(m->to_name, word))
        return true;
    if (!l)
        return false;
    if (has_text(l->subject, word) || has_text(l->text, word))
        return true;
    return l->youth && (has_text(l->youth->name, word) || has_date(l->youth->born, word) ||
                        strcmp(l->youth->bsn, word) == 0);
}

static bool has_all(const struct brug_message *m, const struct letter *letter,
                    const struct wanted *wanted)
{
    const Brug__V1__Letter *l = letter ? letter->content->letter : NULL;
    for (size_t i = 0; i < wanted->n; i++)
        if (!has_word(m, l, wanted->words[i]))
            return false;
    return true;
}

/* ---- lists ---- */

struct list {
    struct brug_messages public;
    struct words *words;
};

/* Where a list has come to. A case stands as the relay stored it: ours without a receipt come first, what was handed on where
 * it was written. Without a case a list goes by number alone. */
struct place {
    int64_t at_ms, number;
};

#define PLACE_SQL \
    "CASE WHEN stored_at_ms > 0 THEN stored_at_ms WHEN is_sent = 1 THEN 9223372036854775807" \
    " ELSE written_at_ms END"
#define WANTED_SQL \
    " AND is_sent IN (?2, ?3) AND (?4 = 0 OR (is_sent = 0 AND opened_at_ms = 0 AND was_opened = " \
    "0))" \
    " AND (?5 = 0 OR state NOT IN (1, 5, 18, 20))" \
    " AND (?6 = 1 OR kind <> ?7 OR state NOT IN (1, 18)) AND kind <> ?8"
#define WANTED_VALUES(q) \
    DB_INT((q)->received != (q)->sent && (q)->sent), \
        DB_INT((q)->received == (q)->sent || (q)->sent), DB_INT((q)->unopened_only), \
        DB_INT((q)->problems_only), DB_INT((q)->with_covers), DB_INT(BRUG_KIND_HISTORY), \
        DB_INT(BRUG_KIND_FAMILY_KEY)

/* Borrows the id for as long as the cursor is read. */
static enum error select_next(struct brug *b, const struct brug_query *q, const struct id *case_id,
                              const struct place *after, struct db_cursor *c)
{
    if (id_is_none(case_id))
        return DB_SELECT(b->db, c,
                         "SELECT number, 0 FROM message WHERE number < ?1" WANTED_SQL
                         " ORDER BY number DESC LIMIT 1",
                         DB_INT(after->number), WANTED_VALUES(q));
    return DB_SELECT(b->db, c,
                     "SELECT number, " PLACE_SQL " AS place FROM message WHERE case_id = ?9 AND"
                     " (place, number) < (?10, ?1)" WANTED_SQL
                     " ORDER BY place DESC, number DESC LIMIT 1",
                     DB_INT(after->number), WANTED_VALUES(q), DB_ID(case_id), DB_INT(after->at_ms));
}

/* number 0: it was the last. */
static enum error next_place(struct brug *b, const struct brug_query *q, struct place *at)
{
    struct db_cursor c;
    struct place next = {.number = 0};
    const struct id case_id = client_id(&q->case_id);
    enum error e = select_next(b, q, &case_id, at, &c);
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c))
        next = (struct place){.number = db_int(&c, 0), .at_ms = db_int(&c, 1)};
    *at = next;
    return db_done(&c);
}

/* Of the message with which the page before ended. */
static enum error begin_place(struct brug *b, const struct brug_query *q, struct place *out)
{
    struct db_cursor c;
    *out = (struct place){.at_ms = INT64_MAX, .number = q->before ? q->before : INT64_MAX};
    if (q->before == 0 || brug_id_is_none(&q->case_id))
        return ERROR_NONE;
    enum error e = DB_SELECT(b->db, &c, "SELECT " PLACE_SQL " FROM message WHERE number = ?1",
                             DB_INT(q->before));
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c))
        out->at_ms = db_int(&c, 0);
    return db_done(&c);
}

static enum error add_message(struct brug *b, struct list *list, int64_t number,
                              const struct wanted *wanted, size_t *capacity)
{
    struct letters_row row;
    struct brug_message m;
    struct letter *letter = NULL;
    enum error e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_NONE : e;
    e = fill_message(b, list->words, &row, &m);
    if (e == ERROR_NONE)
        e = open_for_list(b, &row, &m, &letter);
    if (e == ERROR_NONE && has_all(&m, letter, wanted)) {
        e = fill_from_letter(list->words, letter, &m);
        if (e == ERROR_NONE && list->public.n == *capacity) {
            size_t more = *capacity ? *capacity * 2 : 16;
            struct brug_message *items = reallocarray(list->public.items, more, sizeof *items);
            if (items) {
                list->public.items = items;
                *capacity = more;
            } else {
                e = ERROR_NO_MEMORY;
            }
        }
        if (e == ERROR_NONE)
            list->public.items[list->public.n++] = m;
    }
    letter_free(letter);
    letters_row_free(&row);
    return e;
}

static enum error fill_list(struct brug *b, const struct brug_query *q, struct list *list)
{
    struct wanted wanted;
    size_t capacity = 0;
    size_t limit = q->limit ? q->limit : READ_LIMIT_DEFAULT;
    struct place place;
    enum error e = split_words(q->words, &wanted);
    if (e == ERROR_NONE)
        e = begin_place(b, q, &place);
    while (e == ERROR_NONE && list->public.n < limit) {
        e = next_place(b, q, &place);
        if (e != ERROR_NONE || place.number == 0)
            break;
        e = add_message(b, list, place.number, &wanted, &capacity);
    }
    fini_words(&wanted);
    return e;
}

int brug_messages(struct brug *b, const struct brug_query *query, struct brug_messages **out)
{
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    struct list *list = calloc(1, sizeof *list);
    if (list)
        list->words = words_new();
    e = list && list->words ? fill_list(b, query, list) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        *out = &list->public;
    else
        brug_messages_free(list ? &list->public : NULL);
    return (int)client_failed(b, e);
}

void brug_messages_free(struct brug_messages *m)
{
    struct list *list = (struct list *)m; /* its first member */
    if (!list)
        return;
    words_free(list->words);
    free(list->public.items);
    free(list);
}

/* ---- what a person types ---- */

/* "k7q4mx" and "K7Q-4MX" are the same code. */
static bool is_same_code(const char *typed, const char *code)
{
    while (*code) {
        if (*code == '-') {
            code++;
            typed += *typed == '-';
            continue;
        }
        char c = (char)toupper((unsigned char)*typed);
        c = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
        if (c != *code)
            return false;
        typed++;
        code++;
    }
    return *typed == 0;
}

static enum error find_case(struct brug *b, const char *text, struct id *out)
{
    struct db_cursor c;
    struct id asked = ID_NONE;
    size_t found = 0;
    bool is_id = id_from_text(&asked, text) == ERROR_NONE;
    enum error e = db_select(
        b->db, &c,
        "SELECT case_id FROM message WHERE length(case_id) = 16 UNION SELECT case_id FROM casefile"
        " WHERE length(facts) > 0",
        NULL, 0);
    if (e != ERROR_NONE)
        return e;
    while (db_next(&c)) {
        char code[ID_SPOKEN_BYTES];
        struct id id = db_id(&c, 0);
        if (is_id ? !id_equal(&id, &asked) : !is_same_code(text, id_to_spoken(&id, code)))
            continue;
        *out = id;
        found++;
    }
    e = db_done(&c);
    if (e == ERROR_NONE && found == 0)
        e = ERROR_NOT_FOUND;
    if (e == ERROR_NONE && found > 1)
        e = ERROR_USAGE;
    return e;
}

static enum error explain_case(struct brug *b, enum error e, const char *text)
{
    if (e == ERROR_NOT_FOUND)
        return client_fail(b, e, "this profile has no case or message %s", text);
    if (e == ERROR_USAGE)
        return client_fail(b, e, "more than one case has the code %s: use its id", text);
    return client_failed(b, e);
}

int brug_find_case(struct brug *b, const char *text, struct brug_id *out)
{
    struct id id;
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = find_case(b, text, &id);
    if (e == ERROR_NONE)
        *out = client_public_id(&id);
    return (int)explain_case(b, e, text);
}

static enum error find_number(struct brug *b, const char *sql, const struct db_value *v,
                              int64_t *number)
{
    struct db_cursor c;
    enum error e = db_select(b->db, &c, sql, v, 1);
    if (e != ERROR_NONE)
        return e;
    int64_t found = db_next(&c) && !db_is_null(&c, 0) ? db_int(&c, 0) : 0;
    e = db_done(&c);
    if (e == ERROR_NONE && found == 0)
        e = ERROR_NOT_FOUND;
    if (e == ERROR_NONE)
        *number = found;
    return e;
}

static enum error find_message(struct brug *b, const char *text, int64_t *number)
{
    struct id id;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits < 18 && text[digits] == 0)
        return find_number(b, "SELECT number FROM message WHERE number = ?1",
                           &DB_INT(strtoll(text, NULL, 10)), number);
    if (id_from_text(&id, text) == ERROR_NONE) {
        enum error e = find_number(b,
                                   "SELECT number FROM message WHERE message_id = ?1 UNION ALL"
                                   " SELECT number FROM former WHERE message_id = ?1",
                                   &DB_ID(&id), number);
        if (e != ERROR_NOT_FOUND)
            return e;
    }
    enum error e = find_case(b, text, &id);
    return e == ERROR_NONE ? find_number(b,
                                         "SELECT number FROM message WHERE case_id = ?1 ORDER BY"
                                         " brought_by > 0, number DESC LIMIT 1",
                                         &DB_ID(&id), number)
                           : e;
}

int brug_find_message(struct brug *b, const char *text, int64_t *number)
{
    enum error e = client_need_ready(b);
    return (int)(e == ERROR_NONE ? explain_case(b, find_message(b, text, number), text) : e);
}

/* ---- one letter ---- */

struct open_letter {
    struct brug_letter public;
    struct words *words;
    struct letter *letter; /* owns and wipes the content */
};

void brug_letter_free(struct brug_letter *l)
{
    struct open_letter *o = (struct open_letter *)l; /* its first member */
    if (!o)
        return;
    letter_free(o->letter);
    words_free(o->words);
    free(o);
}

static enum error fill_header_part(struct open_letter *o, const Brug__V1__Header *h)
{
    struct brug_letter *l = &o->public;
    struct id other = client_field_id(h->other_organisation);
    struct id director = client_field_id(h->new_director);
    struct id linked = client_field_id(h->linked_case);
    l->reason = (int)h->reason;
    l->request_type = (int)h->request_type;
    l->decline_reason = (int)h->decline_reason;
    l->stop_reason = (int)h->stop_reason;
    l->involvement = (int)h->involvement;
    l->outcome = (int)h->outcome;
    l->decision = (int)h->decision;
    l->bridging_carrier = (int)h->bridging_carrier;
    l->conversations = h->conversations;
    l->until_date = letters_date_of_days(h->until_date);
    l->called_on_date = letters_date_of_days(h->called_on_date);
    l->moment = h->moment;
    l->withheld = (h->flags & BRUG__V1__HEADER_FLAG__HEADER_FLAG_WITHHELD) != 0;
    l->other_organisation = client_public_id(&other);
    l->new_director = client_public_id(&director);
    l->linked_case = client_public_id(&linked);
    l->moments = words_alloc(o->words, (h->n_moments + 1) * sizeof *l->moments);
    if (!l->moments)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < h->n_moments; i++)
        l->moments[i] = (struct brug_moment){.event = (int)h->moments[i]->event,
                                             .date = letters_date_of_days(h->moments[i]->date),
                                             .conversations = h->moments[i]->conversations};
    l->moments_n = h->n_moments;
    return ERROR_NONE;
}

static void fill_youth(struct brug_youth *out, const Brug__V1__Youth *y)
{
    *out = (struct brug_youth){.name = "", .bsn = "", .address = ""};
    if (!y)
        return;
    *out =
        (struct brug_youth){.name = y->name, .born = y->born, .bsn = y->bsn, .address = y->address};
    for (size_t i = 0; i < y->n_telephones && i < BRUG_TELEPHONES_MAX; i++)
        out->telephones[i] = y->telephones[i];
}

static enum error fill_sealed_part(struct open_letter *o)
{
    struct brug_letter *out = &o->public;
    const Brug__V1__Letter *l = o->letter ? o->letter->content->letter : NULL;
    out->subject = out->text = out->risks = "";
    fill_youth(&out->youth, l ? l->youth : NULL);
    if (!l)
        return ERROR_NONE;
    out->subject = l->subject;
    out->text = l->text;
    out->risks = l->risks;
    out->ground = (int)l->ground;
    out->suicidality_answered = l->suicidality_answered;
    out->somatic_answered = l->somatic_answered;
    out->attachments = words_alloc(o->words, (l->n_attachments + 1) * sizeof *out->attachments);
    if (!out->attachments)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < l->n_attachments; i++)
        out->attachments[i] = (struct brug_attachment){.name = l->attachments[i]->name,
                                                       .media_type = l->attachments[i]->media_type,
                                                       .data = l->attachments[i]->data.data,
                                                       .len = l->attachments[i]->data.len};
    out->attachments_n = l->n_attachments;
    return fill_from_letter(o->words, o->letter, &out->message);
}

/* Whether the letter that this one answers is here, and is the one that its author had. */
static enum error check_answered(struct brug *b, struct open_letter *o)
{
    struct db_cursor c;
    struct id answered = client_id(&o->public.message.in_reply_to);
    struct slice digest = o->letter ? check_slice(o->letter->content->answered_digest) : SLICE_NONE;
    if (digest.len == 0 || id_is_none(&answered))
        return ERROR_NONE;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT 1 FROM message WHERE message_id = ?1 AND digest = ?2 AND"
                             " state IN (1, 17, 18)",
                             DB_ID(&answered), DB_BLOB(digest));
    if (e != ERROR_NONE)
        return e;
    o->public.is_answer_signed = db_next(&c);
    return db_done(&c);
}

static enum error check_state(struct brug *b, const struct letters_row *r)
{
    switch (r->state) {
    case STORE_CONFIRM:
        return client_fail(b, r->code == ERROR_TLS_CRL_STALE ? ERROR_TLS_CRL_STALE : ERROR_CONFIRM,
                           "message %lld waits until its signer is confirmed",
                           (long long)r->number);
    case STORE_UNREADABLE:
        return client_fail(b, (enum error)r->code, "message %lld failed its checks: %s",
                           (long long)r->number, error_text((enum error)r->code));
    case STORE_UPDATE:
        return client_fail(b, ERROR_UPDATE_CLIENT,
                           "message %lld is of a kind that this version does not know",
                           (long long)r->number);
    default:
        return ERROR_NONE;
    }
}

/* The relay knows what was handed on by the HISTORY that brought it. */
static enum error mark_opened(struct brug *b, const struct letters_row *r,
                              const struct brug_id *reader)
{
    struct id person = reader ? client_id(reader) : b->self.person;
    bool is_told = r->state == STORE_READY;
    if (r->is_sent || r->opened_at_ms != 0)
        return ERROR_NONE;
    if (is_told && id_is_none(&person))
        return client_fail(b, ERROR_USAGE, "a practice system must say who opened the letter");
    int64_t told = r->brought_by ? r->brought_by : r->number;
    enum error e = DB_RUN(b->db,
                          "UPDATE message SET opened_at_ms = ?2, opened_by = ?3, opened = CASE WHEN"
                          " number = ?5 AND ack > 0 THEN ?4 ELSE 0 END WHERE number IN (?1, ?5) AND"
                          " opened_at_ms = 0",
                          DB_INT(r->number), DB_INT(client_now_ms(b)), DB_ID(&person),
                          DB_INT(is_told ? STORE_TO_TELL : STORE_NOT), DB_INT(told));
    client_wake(b);
    return client_failed(b, e);
}

static enum error fill_letter(struct brug *b, const struct letters_row *row, struct open_letter *o)
{
    enum error e = client_failed(b, fill_message(b, o->words, row, &o->public.message));
    if (e == ERROR_NONE && has_letter(row)) {
        e = letters_open(b, row, &o->letter);
        if (e == ERROR_NOT_FOUND)
            e = client_fail(b, e, "the letter of message %lld is not kept any more",
                            (long long)row->number);
        else
            e = client_failed(b, e);
    }
    if (e == ERROR_NONE)
        e = client_failed(b, fill_header_part(o, row->decoded));
    if (e == ERROR_NONE)
        e = client_failed(b, check_answered(b, o));
    return e == ERROR_NONE ? client_failed(b, fill_sealed_part(o)) : e;
}

int brug_open_letter(struct brug *b, int64_t number, bool mark, const struct brug_id *reader,
                     struct brug_letter **out)
{
    struct letters_row row;
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = letters_load(b, number, &row);
    if (e == ERROR_NONE && row.decoded->kind == BRUG__V1__KIND__KIND_FAMILY_KEY) {
        letters_row_free(&row);
        e = ERROR_NOT_FOUND; /* it is the program's own */
    }
    if (e != ERROR_NONE)
        return (int)(e == ERROR_NOT_FOUND
                         ? client_fail(b, e, "there is no message %lld", (long long)number)
                         : client_failed(b, e));
    struct open_letter *o = calloc(1, sizeof *o);
    if (o)
        o->words = words_new();
    e = o && o->words ? check_state(b, &row) : client_failed(b, ERROR_NO_MEMORY);
    if (e == ERROR_NONE)
        e = fill_letter(b, &row, o);
    if (e == ERROR_NONE && mark)
        e = mark_opened(b, &row, reader);
    letters_row_free(&row);
    if (e == ERROR_NONE)
        *out = &o->public;
    else
        brug_letter_free(o ? &o->public : NULL);
    return (int)e;
}

/* ---- export ---- */

static void give(struct buf *b, void **data, size_t *len)
{
    *data = b->data;
    *len = b->len;
    b->data = NULL; /* given away; fini frees nothing */
    b->len = b->capacity = 0;
}

int brug_export(struct brug *b, int64_t number, void **header, size_t *header_len, void **sealed,
                size_t *sealed_len)
{
    struct letters_row row;
    struct buf bytes;
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return (int)client_failed(b, e);
    buf_init(&bytes, CLIENT_SEALED_BYTES_MAX);
    e = letters_load_sealed(b, number, &bytes);
    if (e == ERROR_NONE) {
        give(&row.header, header, header_len);
        give(&bytes, sealed, sealed_len);
    }
    int64_t brought_by = row.brought_by;
    buf_fini(&bytes);
    letters_row_free(&row);
    if (e == ERROR_NOT_FOUND && brought_by)
        e = client_fail(b, e, "the letter of message %lld lies in message %lld, which handed it on",
                        (long long)number, (long long)brought_by);
    else if (e == ERROR_NOT_FOUND)
        e = client_fail(b, e, "message %lld has no sealed letter", (long long)number);
    return (int)e;
}
