/*
 * client/draft.c: taking in a letter that somebody wrote.
 *
 * Happy path: fields are checked, header and content are made, the case's rules are asked (judge.h), the content is
 * sealed to the own key alone, and the draft is stored in one transaction; the outbox does the rest when it can. So
 * nothing of a letter lies readable in the store, not even while it waits.
 * Failures: what the writer can mend is BRUG_USAGE, and the line names the field; what the case does not allow now is the
 * code that the relay would give.
 */
#include "client/home.h"
#include "client/judge.h"
#include "client/letters.h"
#include "client/outbox.h"
#include "client/pins.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/roles.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define DRAFT_MARGIN_BYTES \
    65536u /* what recipients may add to a letter that is sealed to the own key */
#define DRAFT_MILLENNIUM 10000u /* of yyyymmdd, per year */
#define DRAFT_ADULT_YEARS 18u

struct writing {
    struct brug *b;
    const struct brug_draft *d;
    Brug__V1__Header header;
    Brug__V1__Sender from;
    Brug__V1__Moment moments[BRUG_MOMENTS_MAX];
    Brug__V1__Moment *moment_list[BRUG_MOMENTS_MAX];
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    Brug__V1__Youth youth;
    char *telephones[BRUG_TELEPHONES_MAX];
    Brug__V1__Attachment attachments[BRUG_ATTACHMENTS_MAX];
    Brug__V1__Attachment *attachment_list[BRUG_ATTACHMENTS_MAX];
    uint8_t zeros[DIGEST_BYTES];
    struct id message_id, case_id, to, municipality, person, on_behalf, in_reply_to, other,
        director, owed, linked;
    struct judge_case judged; /* with a case that was there before */
    struct digest answered;
    bool has_answered;
    struct buf header_bytes, sealed;
};

static char *text_of(const char *text)
{
    return text ? (char *)(uintptr_t)text
                : (char *)""; /* protobuf-c's type is not const; packing only reads */
}

/* ---- whom ---- */

/* By what we wrote and by letters that held; a header alone is the relay's word [T31]. */
static enum error find_other_side(struct writing *w)
{
    struct db_cursor c;
    enum error e = DB_SELECT(w->b->db, &c,
                             "SELECT other, header FROM message WHERE case_id = ?1 AND"
                             " length(other) = 16 AND (is_sent = 1 OR state = 1)"
                             " ORDER BY number LIMIT 1",
                             DB_ID(&w->case_id));
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    enum error read = ERROR_NONE;
    if (found) {
        struct arena *a = NULL;
        ProtobufCMessage *m = NULL;
        read = home_decode(&brug__v1__header__descriptor, db_blob(&c, 1), &a, &m);
        w->to = id_is_none(&w->to) ? db_id(&c, 0) : w->to;
        if (read == ERROR_NONE)
            w->municipality = client_field_id(((const Brug__V1__Header *)m)->municipality);
        arena_free(a);
    }
    e = db_done(&c);
    if (e == ERROR_NONE && read == ERROR_NO_MEMORY)
        e = read;
    return e == ERROR_NONE && !found
               ? client_fail(w->b, ERROR_NOT_FOUND, "this profile has no such case")
               : e;
}

/* One in which both work: of those that the addressee names, one that this profile knows. */
static enum error choose_municipality(struct writing *w, const struct belief *to)
{
    for (size_t i = 0; i < to->entry->n_municipalities; i++) {
        struct db_cursor c;
        enum error e = DB_SELECT(w->b->db, &c,
                                 "SELECT 1 FROM municipality WHERE municipality = ?1 AND (wanted = "
                                 "1 OR fetched_at_ms > 0)",
                                 DB_BLOB(check_slice(to->entry->municipalities[i])));
        if (e != ERROR_NONE)
            return e;
        if (db_next(&c))
            w->municipality = client_field_id(to->entry->municipalities[i]);
        e = db_done(&c);
        if (e != ERROR_NONE || !id_is_none(&w->municipality))
            return e;
    }
    w->municipality = w->b->self.municipality;
    return ERROR_NONE;
}

static enum error find_addressee(struct writing *w)
{
    struct belief *to = NULL;
    w->case_id = client_id(&w->d->case_id);
    w->to = client_id(&w->d->to);
    enum error e = id_is_none(&w->case_id) ? ERROR_NONE : find_other_side(w);
    if (e != ERROR_NONE)
        return e;
    if (id_is_none(&w->to))
        return client_fail(w->b, ERROR_USAGE, "the letter has no addressee");
    e = pins_judge(w->b, &w->to, &to);
    if (e == ERROR_NOT_FOUND && !id_is_none(&w->municipality))
        return ERROR_NONE; /* a case that runs: the directory is fetched before it is sealed */
    if (e == ERROR_NOT_FOUND)
        return client_fail(w->b, e,
                           "the directory here has no such organisation; fetch it once first");
    if (e != ERROR_NONE)
        return e;
    if (!to->entry->addressable)
        e = client_fail(w->b, ERROR_NOT_ADDRESSABLE, "%s", error_text(ERROR_NOT_ADDRESSABLE));
    else if (id_is_none(&w->municipality))
        e = choose_municipality(w, to);
    belief_free(to);
    return e;
}

/* ---- who ---- */

static enum error find_person(struct writing *w)
{
    const struct client_identity *self = &w->b->self;
    Brug__V1__Role role = (Brug__V1__Role)self->role;
    w->person = id_is_none(&self->person) ? client_id(&w->d->person) : self->person;
    w->on_behalf = client_id(&w->d->on_behalf);
    if (id_is_none(&w->person))
        return client_fail(w->b, ERROR_USAGE,
                           "a practice system must say which person acts in this letter");
    if (id_is_none(&self->person)) {
        enum error e = judge_role(w->b, &w->person, &role);
        if (e != ERROR_NONE)
            return e;
        if (role == BRUG__V1__ROLE__ROLE_NONE)
            return ERROR_NONE; /* not known here: the relay judges it */
    }
    if (!roles_may_send(role, (Brug__V1__Kind)w->d->kind))
        return client_fail(w->b, ERROR_ROLE_NOT_ALLOWED, "%s", error_text(ERROR_ROLE_NOT_ALLOWED));
    return ERROR_NONE;
}

/* ---- the header ---- */

static enum error make_ids(struct writing *w)
{
    uint8_t random[26];
    int64_t now_ms = 0;
    bool opens = w->d->kind == BRUG_KIND_REFERRAL || w->d->kind == BRUG_KIND_CONSULT;
    enum error e = client_random(random, sizeof random);
    if (e == ERROR_NONE)
        e = client_relay_now_ms(w->b, &now_ms);
    if (e != ERROR_NONE)
        return e;
    w->message_id = id_v7(now_ms, random);
    if (id_is_none(&w->case_id) && opens)
        w->case_id = id_v4(random + 10);
    return ERROR_NONE;
}

/* The case as it is by then, and what the letter answers in it unless the writer said. */
static enum error look_at_case(struct writing *w)
{
    bool is_answered = false;
    w->in_reply_to = client_id(&w->d->in_reply_to);
    is_answered = !id_is_none(&w->in_reply_to);
    if (id_is_none(&w->case_id))
        return ERROR_NONE;
    enum error e = judge_load(w->b, &w->case_id, &w->judged);
    if (e == ERROR_NONE && !is_answered)
        e = judge_find_answered(w->b, &w->judged, &w->case_id, (Brug__V1__Kind)w->d->kind,
                                &w->in_reply_to);
    return client_failed(w->b, e);
}

static enum error fill_moments(struct writing *w)
{
    if (w->d->moments_n > BRUG_MOMENTS_MAX)
        return client_fail(w->b, ERROR_USAGE, "more than %d moments", BRUG_MOMENTS_MAX);
    for (size_t i = 0; i < w->d->moments_n; i++) {
        w->moments[i] = (Brug__V1__Moment)BRUG__V1__MOMENT__INIT;
        w->moments[i].event = (Brug__V1__MomentEvent)w->d->moments[i].event;
        w->moments[i].date = letters_days_of_date(w->d->moments[i].date);
        w->moments[i].conversations = w->d->moments[i].conversations;
        w->moment_list[i] = &w->moments[i];
    }
    w->header.moments = w->moment_list;
    w->header.n_moments = w->d->moments_n;
    return ERROR_NONE;
}

static uint32_t flags_of(const struct brug_draft *d)
{
    uint32_t flags = 0;
    if (d->ground != BRUG_GROUND_NONE && d->kind == BRUG_KIND_REFERRAL)
        flags |= BRUG__V1__HEADER_FLAG__HEADER_FLAG_GROUND_RECORDED;
    if (d->withheld)
        flags |= BRUG__V1__HEADER_FLAG__HEADER_FLAG_WITHHELD;
    if (d->suicidality_answered)
        flags |= BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED;
    if (d->somatic_answered)
        flags |= BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED;
    return flags;
}

static void fill_codes(struct writing *w)
{
    Brug__V1__Header *h = &w->header;
    const struct brug_draft *d = w->d;
    h->flags = flags_of(d);
    h->reason = (Brug__V1__Reason)d->reason;
    h->request_type = (Brug__V1__RequestType)d->request_type;
    h->decline_reason = (Brug__V1__DeclineReason)d->decline_reason;
    h->stop_reason = (Brug__V1__StopReason)d->stop_reason;
    h->involvement = (Brug__V1__Involvement)d->involvement;
    h->outcome = (Brug__V1__Outcome)d->outcome;
    h->conversations = d->conversations;
    h->decision = (Brug__V1__Decision)d->decision;
    h->bridging_carrier = (Brug__V1__BridgingCarrier)d->bridging_carrier;
    h->until_date = letters_days_of_date(d->until_date);
    h->called_on_date = letters_days_of_date(d->called_on_date);
    h->moment = d->moment;
}

static enum error fill_header(struct writing *w)
{
    Brug__V1__Header *h = &w->header;
    const struct brug_draft *d = w->d;
    const char *field = "";
    letters_begin_header(w->b, (Brug__V1__Kind)d->kind, &w->message_id, &w->from, h);
    w->other = client_id(&d->other_organisation);
    w->director = client_id(&d->new_director);
    w->owed = client_id(&d->owed_id);
    w->linked = client_id(&d->linked_case);
    h->case_id = client_id_field(&w->case_id);
    h->municipality = client_id_field(&w->municipality);
    w->from.person = client_id_field(&w->person);
    w->from.on_behalf = client_id_field(&w->on_behalf);
    h->to = client_id_field(&w->to);
    h->in_reply_to = client_id_field(&w->in_reply_to);
    h->other_organisation = client_id_field(&w->other);
    h->new_director = client_id_field(&w->director);
    h->owed_id = client_id_field(&w->owed);
    h->linked_case = client_id_field(&w->linked);
    fill_codes(w);
    enum error e = fill_moments(w);
    if (e == ERROR_NONE) {
        e = check_header(h, &field);
        if (e != ERROR_NONE)
            e = client_fail(w->b, ERROR_USAGE, "%s: %s", field, error_text(e));
    }
    return e == ERROR_NONE ? frame_append_bare(&w->header_bytes, &h->base) : e;
}

/* ---- the content ---- */

/* 18 on the day of the birthday: yyyymmdd is eighteen years and no day more. */
static bool is_adult(uint32_t born, uint32_t today)
{
    return today >= born + DRAFT_ADULT_YEARS * DRAFT_MILLENNIUM;
}

static enum error check_youth(struct writing *w)
{
    const struct brug_youth *y = &w->d->youth;
    uint32_t today = letters_date_of_ms(client_now_ms(w->b));
    bool has_name = y->name && *y->name;
    if (w->d->kind == BRUG_KIND_REFERRAL && (!has_name || y->born == 0))
        return client_fail(w->b, ERROR_USAGE, "youth: a referral needs a name and a birth date");
    if (has_name && (w->d->kind == BRUG_KIND_CONSULT || w->d->kind == BRUG_KIND_NOTICE))
        return client_fail(w->b, ERROR_USAGE, "youth: a consult and a notice are about no youth");
    if (has_name && y->born > today)
        return client_fail(w->b, ERROR_USAGE, "youth.born: the birth date is in the future");
    if (w->d->kind == BRUG_KIND_REFERRAL && is_adult(y->born, today)) /* [R10] */
        return client_fail(w->b, ERROR_USAGE, "youth.born: this channel is for youths under 18");
    return ERROR_NONE;
}

static void fill_youth(struct writing *w)
{
    const struct brug_youth *y = &w->d->youth;
    if (!y->name || !*y->name)
        return;
    w->youth = (Brug__V1__Youth)BRUG__V1__YOUTH__INIT;
    w->youth.name = text_of(y->name);
    w->youth.born = y->born;
    w->youth.bsn = text_of(y->bsn);
    w->youth.address = text_of(y->address);
    while (w->youth.n_telephones < BRUG_TELEPHONES_MAX && y->telephones[w->youth.n_telephones]) {
        w->telephones[w->youth.n_telephones] = text_of(y->telephones[w->youth.n_telephones]);
        w->youth.n_telephones++;
    }
    w->youth.telephones = w->telephones;
    w->letter.youth = &w->youth;
}

static enum error fill_attachments(struct writing *w)
{
    if (w->d->attachments_n > BRUG_ATTACHMENTS_MAX)
        return client_fail(w->b, ERROR_USAGE, "more than %d attachments", BRUG_ATTACHMENTS_MAX);
    for (size_t i = 0; i < w->d->attachments_n; i++) {
        const struct brug_attachment *a = &w->d->attachments[i];
        w->attachments[i] = (Brug__V1__Attachment)BRUG__V1__ATTACHMENT__INIT;
        w->attachments[i].name = text_of(a->name);
        w->attachments[i].media_type = text_of(a->media_type);
        w->attachments[i].data = client_field(slice_of(a->data, a->len));
        w->attachment_list[i] = &w->attachments[i];
    }
    w->letter.attachments = w->attachment_list;
    w->letter.n_attachments = w->d->attachments_n;
    return ERROR_NONE;
}

/* The digest of the letter that this answers, if it is here. */
static enum error find_answered(struct writing *w)
{
    struct db_cursor c;
    if (id_is_none(&w->in_reply_to))
        return ERROR_NONE;
    enum error e = DB_SELECT(w->b->db, &c,
                             "SELECT digest FROM message WHERE message_id = ?1 AND"
                             " digest IS NOT NULL LIMIT 1",
                             DB_ID(&w->in_reply_to));
    if (e != ERROR_NONE)
        return e;
    w->has_answered = db_next(&c) && digest_from_slice(&w->answered, db_blob(&c, 0)) == ERROR_NONE;
    return db_done(&c);
}

/* [R27] */
static enum error check_risks(struct writing *w)
{
    bool agrees = w->d->kind == BRUG_KIND_BRIDGING_PROPOSAL ||
                  (w->d->kind == BRUG_KIND_BRIDGING_ANSWER &&
                   w->d->decision == BRUG__V1__DECISION__DECISION_ACCEPT);
    if (agrees && (!w->d->risks || !*w->d->risks))
        return client_fail(w->b, ERROR_USAGE, "risks: bridging care needs what was agreed on them");
    return ERROR_NONE;
}

static enum error fill_content(struct writing *w)
{
    const char *field = "";
    enum error e = check_youth(w);
    if (e == ERROR_NONE)
        e = check_risks(w);
    if (e != ERROR_NONE)
        return e;
    w->content = (Brug__V1__Content)BRUG__V1__CONTENT__INIT;
    w->letter = (Brug__V1__Letter)BRUG__V1__LETTER__INIT;
    w->letter.subject = text_of(w->d->subject);
    w->letter.text = text_of(w->d->text);
    w->letter.risks = text_of(w->d->risks);
    w->letter.ground = (Brug__V1__Ground)w->d->ground;
    w->letter.suicidality_answered = w->d->suicidality_answered;
    w->letter.somatic_answered = w->d->somatic_answered;
    fill_youth(w);
    e = fill_attachments(w);
    if (e == ERROR_NONE)
        e = find_answered(w);
    if (e != ERROR_NONE)
        return e;
    ProtobufCBinaryData zeros = {.len = sizeof w->zeros, .data = w->zeros};
    w->content.nonce = w->content.header_digest = zeros;
    w->content.sender_roster_digest = w->content.to_roster_digest = zeros;
    w->content.answered_digest =
        client_field(w->has_answered ? digest_slice(&w->answered) : SLICE_NONE);
    w->content.letter = &w->letter;
    e = check_content(&w->content, &field);
    if (e != ERROR_NONE)
        return client_fail(w->b, ERROR_USAGE, "%s: not valid", field);
    return ERROR_NONE;
}

/* ---- storing ---- */

static enum error seal_to_self(struct writing *w)
{
    uint8_t random[32];
    struct digest digest;
    int64_t max = LIMIT_MESSAGE_BYTES_DEFAULT;
    enum error e = client_random(random, sizeof random);
    if (e == ERROR_NONE)
        e = store_get_int(w->b->db, "message_bytes_max", max, &max);
    if (e == ERROR_NONE)
        e = letter_seal(&w->b->keys, buf_slice(&w->header_bytes), &w->content, NULL, 0, random,
                        &w->sealed, &digest);
    if (e == ERROR_MESSAGE_TOO_LARGE ||
        (e == ERROR_NONE && (int64_t)w->sealed.len + DRAFT_MARGIN_BYTES > max))
        return client_fail(w->b, ERROR_MESSAGE_TOO_LARGE,
                           "the letter with its attachments is larger than %lld MiB",
                           (long long)(max >> 20));
    return client_failed(w->b, e);
}

/* What keeps the letter here, as it looks now; the outbox judges again. */
static enum error readiness(struct brug *b, const struct id *organisation)
{
    struct belief *belief = NULL;
    enum error e = pins_judge(b, organisation, &belief);
    if (e != ERROR_NONE)
        return e;
    e = pins_may_seal(belief);
    belief_free(belief);
    return e;
}

static enum error first_code(struct writing *w)
{
    enum error e = readiness(w->b, &w->to);
    if (e == ERROR_NONE)
        e = readiness(w->b, &w->b->self.organisation);
    return e == ERROR_CONFIRM || e == ERROR_NOT_BELIEVED ? e : ERROR_NONE;
}

static enum error insert_draft(struct writing *w, int64_t *number)
{
    const struct outbox_draft draft = {.header = &w->header,
                                       .header_bytes = buf_slice(&w->header_bytes),
                                       .sealed = buf_slice(&w->sealed),
                                       .code = first_code(w)};
    return outbox_insert(w->b, &draft, number);
}

static enum error write_draft(struct writing *w)
{
    enum error e = client_need_ready(w->b);
    if (e == ERROR_NONE && w->b->self.is_recovery)
        e = client_fail(w->b, ERROR_ROLE_NOT_ALLOWED, "a recovery profile sends nothing");
    if (e == ERROR_NONE)
        e = find_person(w);
    if (e == ERROR_NONE)
        e = find_addressee(w);
    if (e == ERROR_NONE)
        e = client_failed(w->b, make_ids(w));
    if (e == ERROR_NONE)
        e = look_at_case(w);
    if (e == ERROR_NONE)
        e = fill_header(w);
    if (e == ERROR_NONE && !id_is_none(&w->case_id))
        e = client_failed(w->b, judge_header(w->b, &w->judged, &w->header));
    return e == ERROR_NONE ? fill_content(w) : e;
}

static struct writing *begin(struct brug *b, const struct brug_draft *draft)
{
    struct writing *w = calloc(1, sizeof *w);
    if (w) {
        w->b = b;
        w->d = draft;
        buf_init(&w->header_bytes, LIMIT_HEADER_BYTES);
        buf_init(&w->sealed, CLIENT_SEALED_BYTES_MAX);
    }
    return w;
}

static void end(struct writing *w)
{
    judge_free(&w->judged);
    buf_fini(&w->header_bytes);
    buf_fini(&w->sealed);
    free(w);
}

int brug_send(struct brug *b, const struct brug_draft *draft, struct brug_sent *out)
{
    int64_t number = 0;
    b->line[0] = 0;
    struct writing *w = begin(b, draft);
    if (!w)
        return (int)client_failed(b, ERROR_NO_MEMORY);
    enum error e = write_draft(w);
    if (e == ERROR_NONE)
        e = seal_to_self(w);
    if (e == ERROR_NONE)
        e = client_failed(b, insert_draft(w, &number));
    if (e == ERROR_NONE)
        *out = (struct brug_sent){.number = number,
                                  .message_id = client_public_id(&w->message_id),
                                  .case_id = client_public_id(&w->case_id)};
    else if (!b->line[0])
        (void)client_failed(b, e); /* e is returned below */
    end(w);
    client_wake(b);
    return (int)e;
}

/* ---- warnings ---- */

static bool turns_adult_soon(uint32_t born, int64_t now_ms)
{
    return is_adult(born, letters_date_of_ms(now_ms + 183ll * 24 * 3600 * 1000));
}

static enum error has_other_case(struct brug *b, const struct brug_youth *y, bool *out)
{
    struct brug_cases *cases = NULL;
    int e = brug_cases(b, &cases);
    *out = false;
    for (size_t i = 0; e == BRUG_OK && i < cases->n; i++)
        if (cases->items[i].youth_born == y->born &&
            strcasecmp(cases->items[i].youth_name, y->name) == 0)
            *out = true;
    brug_cases_free(cases);
    return (enum error)e;
}

int brug_check_draft(struct brug *b, const struct brug_draft *draft, unsigned *warnings)
{
    bool other = false;
    unsigned found = 0;
    b->line[0] = 0;
    struct writing *w = begin(b, draft);
    if (!w)
        return (int)client_failed(b, ERROR_NO_MEMORY);
    enum error e = write_draft(w);
    end(w);
    if (e == ERROR_NONE && draft->kind == BRUG_KIND_REFERRAL) {
        if (turns_adult_soon(draft->youth.born, client_now_ms(b)))
            found |= BRUG_WARNING_TURNS_18;
        e = has_other_case(b, &draft->youth, &other);
        if (other)
            found |= BRUG_WARNING_SECOND_CASE;
    }
    if (e == ERROR_NONE)
        *warnings = found;
    else if (!b->line[0])
        (void)client_failed(b, e); /* e is returned below */
    return (int)e;
}

int brug_discard(struct brug *b, int64_t number)
{
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = client_failed(b, DB_RUN(b->db,
                                    "UPDATE message SET state = 20 WHERE number = ?1 AND"
                                    " is_sent = 1 AND state IN (16, 19)",
                                    DB_INT(number)));
    if (e == ERROR_NONE && db_changes(b->db) == 0)
        e = client_fail(b, ERROR_EXISTS, "the relay may have this letter already");
    client_wake(b);
    return (int)e;
}
