/*
 * daemon/core/decide_submit.c: a letter is offered (design §5). The order of the checks is the promise:
 * the sender is the session's endpoint · the id is known (I3) · the person may still act · form · room ·
 * authorisation · directory · case · quota and budgets. Only what was judged from the directory on is
 * remembered (error table).
 *
 * The digest over the exact parts is made once, with the body that is kept when the letter is accepted.
 */
#include "daemon/core/decide.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "rules/roles.h"
#include <assert.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define PRACTICE BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE
#define TEAM BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM
/* Letters wait in every client for so long at most before they are sealed anew (design §11). */
#define RETRY_MS_MAX UINT32_MAX

struct submission {
    const struct state *s;
    const struct policy *p;
    const struct command *c;
    struct decision *d;
    const Brug__V1__Header *h;
    struct slice header, sealed;
    const char *field;
    const struct person *actor;
    struct municipality *municipality;
    struct organisation *from, *to;
    struct endpoint **readers; /* ascending by id */
    size_t reader_count;
    struct body *body;
    Brug__V1__CaseMoved *moved; /* NULL: no case, or none that changes */
};

/* ---- sender ---- */

static enum error wrong(struct submission *x, enum error e, const char *field)
{
    x->field = field;
    return e;
}

static bool is_id(ProtobufCBinaryData b, const struct id *id)
{
    return slice_equal(check_slice(b), id_slice(id));
}

static enum error judge_sender(struct submission *x)
{
    const struct endpoint *e = x->c->endpoint;
    const Brug__V1__Sender *from = x->h->from;
    if (!from || !is_id(from->organisation, &e->organisation->entity.id) ||
        !is_id(from->endpoint, &e->entity.id))
        return wrong(x, ERROR_SENDER_MISMATCH, "header.from");
    x->from = e->organisation;
    return ERROR_NONE;
}

/* Not for a known id: who may not act any more still gets the answer to what was sent before. */
static enum error judge_person(struct submission *x)
{
    const struct endpoint *e = x->c->endpoint;
    const Brug__V1__Sender *from = x->h->from;
    x->actor = decide_actor(x->s, e, from->person);
    if (!x->actor)
        return wrong(x, ERROR_SENDER_MISMATCH, "header.from.person");
    if (from->on_behalf.len > 0) {
        const struct person *p = person_find(x->s, from->on_behalf);
        if (!p || p->organisation != e->organisation)
            return wrong(x, ERROR_SENDER_MISMATCH, "header.from.on_behalf");
    }
    return ERROR_NONE;
}

/* ---- known ids (I3) ---- */

static void answer_receipt(struct submission *x, int64_t at_ms)
{
    Brug__V1__Receipt *r = decision_message(x->d, &brug__v1__receipt__descriptor);
    r->message_id = id_bytes(&x->c->key.id);
    r->stored_at_ms = at_ms;
    r->generation = id_bytes(&x->s->generation);
    x->d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_RECEIPT;
    x->d->answer.receipt = r;
}

static void heal(struct submission *x, const struct message *m)
{
    Brug__V1__Healed *r = decision_message(x->d, &brug__v1__healed__descriptor);
    r->organisation = id_bytes(&m->key.organisation);
    r->message_id = id_bytes(&m->key.id);
    r->at_ms = x->c->now.wall_ms;
    decision_record(x->d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_HEALED, r, x->body);
    x->body = NULL;
    x->d->event = "message.healed";
}

static void answer_known(struct submission *x, const struct message *m)
{
    x->d->event = "message.repeated";
    if (!digest_equal(&m->digest, &x->body->digest)) {
        decision_refuse(x->d, x->c, ERROR_ID_REUSED, NULL);
        return;
    }
    if (m->code) {
        decision_refuse(x->d, x->c, (enum error)m->code, NULL);
        return;
    }
    if (m->is_quarantined)
        heal(x, m);
    answer_receipt(x, m->at_ms);
}

/* ---- form ---- */

static enum error judge_form(struct submission *x)
{
    const struct relay_limits *l = x->p->limits;
    enum error e = check_header(x->h, &x->field);
    if (e)
        return e;
    if (x->body->len > l->message_bytes_max)
        return wrong(x, ERROR_MESSAGE_TOO_LARGE, "envelope");
    if (x->sealed.len == 0)
        return wrong(x, ERROR_NOTHING_SEALED, "envelope.sealed");
    if (x->h->n_readers > l->readers_max)
        return wrong(x, ERROR_TOO_MANY_READERS, "header.readers");
    return ERROR_NONE;
}

static enum error judge_authority(struct submission *x)
{
    if (!roles_may_send(x->actor->row->role, x->h->kind))
        return wrong(x, ERROR_ROLE_NOT_ALLOWED, "header.from.person");
    return ERROR_NONE;
}

/* ---- directory ---- */

bool decide_may_address(const struct organisation *from, const struct organisation *to,
                        Brug__V1__Kind kind)
{
    Brug__V1__OrganisationKind f = from->row->kind, t = to->row->kind;
    switch (kind) {
    case KIND(REFERRAL):
    case KIND(CONSULT):
        return f == PRACTICE && t == TEAM;
    case KIND(NOTICE):
        return f == TEAM;
    case KIND(FAMILY_KEY):
        return from == to && f == TEAM;
    case KIND(HISTORY):
        return from == to;
    default:
        return f != t;
    }
}

/* Both lists ascend; an endpoint that is in both stands once. */
static size_t merge(const struct endpoints *a, const struct endpoints *b,
                    const struct endpoint *except, struct endpoint **out)
{
    size_t i = 0, k = 0, n = 0;
    while (i < a->count || k < b->count) {
        struct endpoint *e;
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : id_compare(&a->items[i]->entity.id, &b->items[k]->entity.id);
        e = order <= 0 ? a->items[i] : b->items[k];
        i += order <= 0;
        k += order >= 0;
        if (e != except)
            out[n++] = e;
    }
    return n;
}

static bool are_these(ProtobufCBinaryData *ids, size_t id_count, struct endpoint *const *list,
                      size_t count)
{
    if (id_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_id(ids[i], &list[i]->entity.id))
            return false;
    return true;
}

/* A HISTORY goes to all that read of one colleague, or to one practice system: whose endpoint stands first. */
static size_t find_taker(const struct submission *x, struct endpoint **out)
{
    const struct endpoints *colleagues = &x->to->readers;
    const struct endpoint *first = x->h->n_readers ? endpoint_find(x->s, x->h->readers[0]) : NULL;
    size_t n = 0;
    for (size_t i = 0; first && i < colleagues->count; i++) {
        struct endpoint *e = colleagues->items[i];
        bool is_taker = first->person ? e->person == first->person : e == first;
        if (is_taker && e != x->c->endpoint)
            out[n++] = e;
    }
    return n;
}

static enum error judge_readers(struct submission *x)
{
    const struct organisation *a = x->from, *b = x->to;
    x->readers = decision_alloc(x->d, a->readers.count + b->readers.count + 1, sizeof *x->readers);
    bool is_history = x->h->kind == KIND(HISTORY);
    x->reader_count = is_history ? find_taker(x, x->readers)
                                 : merge(&a->readers, &b->readers, x->c->endpoint, x->readers);
    if (is_history && x->reader_count == 0)
        return wrong(x, ERROR_DIRECTORY_CHANGED, "header.readers");
    if (!are_these(x->h->readers, x->h->n_readers, x->readers, x->reader_count))
        return wrong(x, ERROR_DIRECTORY_CHANGED, "header.readers");
    struct endpoint **copies =
        decision_alloc(x->d, a->recoveries.count + b->recoveries.count + 1, sizeof *copies);
    size_t copy_count = merge(&a->recoveries, &b->recoveries, NULL, copies);
    if (!are_these(x->h->copies, x->h->n_copies, copies, copy_count))
        return wrong(x, ERROR_DIRECTORY_CHANGED, "header.copies");
    return ERROR_NONE;
}

/* An organisation that is foreign here and one that does not exist get the same answer (I6). */
static enum error judge_directory(struct submission *x)
{
    x->municipality = municipality_find(x->s, x->h->municipality);
    if (!x->municipality || !municipality_is_active(x->municipality) ||
        !organisation_works_in(x->from, x->municipality))
        return wrong(x, ERROR_UNKNOWN_ADDRESSEE, "header.municipality");
    x->to = organisation_find(x->s, x->h->to);
    if (!x->to || !organisation_is_active(x->to) ||
        !organisation_works_in(x->to, x->municipality) ||
        !decide_may_address(x->from, x->to, x->h->kind))
        return wrong(x, ERROR_UNKNOWN_ADDRESSEE, "header.to");
    /* a team of one has a family key too, which nobody else reads */
    enum error e = x->h->kind == KIND(FAMILY_KEY)
                       ? ERROR_NONE
                       : organisation_judge_readers(x->to, x->c->endpoint);
    return e ? wrong(x, e, "header.to") : judge_readers(x);
}

/* ---- case ---- */

static enum error judge_case(struct submission *x)
{
    const struct case_letter l = {x->h, x->actor, x->municipality, x->from, x->to};
    bool is_key = x->h->kind == KIND(FAMILY_KEY);
    enum error e = ERROR_NONE;
    if (is_key)
        e = decide_family_key(x->to, x->h);
    else if (x->h->kind != KIND(NOTICE))
        e = decide_case(x->s, &l, x->c->now, x->d, &x->moved);
    return e ? wrong(x, e, is_key ? "header.replaced_key" : "header.case_id") : ERROR_NONE;
}

/* ---- quota and budgets ---- */

static bool exceeds(uint64_t have, uint64_t more, uint64_t max)
{
    return have >= max || more > max - have;
}

static enum error judge_budgets(struct submission *x)
{
    const struct relay_limits *l = x->p->limits;
    if (exceeds(x->from->unfetched_messages, 1, l->quota_messages_max) ||
        exceeds(x->from->unfetched_bytes, x->body->len, l->quota_bytes_max))
        return ERROR_QUOTA_FULL;
    if (exceeds(x->s->waiting, x->reader_count, l->waiting_max) ||
        exceeds(x->s->waiting_bytes, x->body->len, l->waiting_bytes_max))
        return ERROR_FULL;
    return ERROR_NONE;
}

/* ---- the outcome ---- */

static void accept(struct submission *x)
{
    const Brug__V1__Header *h = x->h;
    Brug__V1__Accepted *r = decision_message(x->d, &brug__v1__accepted__descriptor);
    Brug__V1__ReaderSequence *readers = decision_alloc(x->d, x->reader_count, sizeof *readers);
    r->message_id = h->message_id;
    r->organisation = h->from->organisation;
    r->endpoint = h->from->endpoint;
    r->person = h->from->person;
    r->on_behalf = h->from->on_behalf;
    r->municipality = h->municipality;
    r->to = h->to;
    r->kind = h->kind;
    r->case_id = h->case_id;
    r->digest = digest_bytes(&x->body->digest);
    r->body_bytes = (uint32_t)x->body->len;
    r->at_ms = x->c->now.wall_ms;
    r->in_reply_to = h->in_reply_to;
    r->n_readers = x->reader_count;
    r->readers = decision_alloc(x->d, x->reader_count, sizeof *r->readers);
    for (size_t i = 0; i < x->reader_count; i++) {
        brug__v1__reader_sequence__init(&readers[i]);
        readers[i].endpoint = id_bytes(&x->readers[i]->entity.id);
        readers[i].sequence = x->readers[i]->sequence + 1;
        r->readers[i] = &readers[i];
    }
    decision_record(x->d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACCEPTED, r, x->body);
    x->body = NULL;
    answer_receipt(x, r->at_ms);
}

static void remember(struct submission *x, enum error code)
{
    const Brug__V1__Header *h = x->h;
    Brug__V1__Refusal *r = decision_message(x->d, &brug__v1__refusal__descriptor);
    struct digest *digest = decision_alloc(x->d, 1, sizeof *digest);
    *digest = x->body->digest;
    r->message_id = h->message_id;
    r->organisation = h->from->organisation;
    r->endpoint = h->from->endpoint;
    r->person = h->from->person;
    r->on_behalf = h->from->on_behalf;
    r->case_id = h->case_id;
    r->kind = h->kind;
    r->digest = digest_bytes(digest);
    r->code = (Brug__V1__Code)code;
    r->at_ms = x->c->now.wall_ms;
    decision_record(x->d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_REFUSAL, r, NULL);
}

/* The clock of the id: how long until it may be used; 0: now. */
static int64_t ahead_ms(const struct submission *x)
{
    if (id_version(&x->c->key.id) != 7)
        return 0;
    int64_t ahead = id_v7_ms(&x->c->key.id) - x->c->now.wall_ms - LIMIT_CLOCK_AHEAD_MS;
    return ahead > 0 ? ahead : 0;
}

static enum error judge_new(struct submission *x)
{
    enum error e = judge_form(x);
    if (!e && !x->p->has_room)
        e = ERROR_FULL; /* before anything would have to be remembered */
    if (!e)
        e = judge_authority(x);
    if (!e)
        e = judge_directory(x);
    if (!e)
        e = judge_case(x);
    if (!e)
        e = judge_budgets(x);
    return e;
}

static void record_effects(struct submission *x)
{
    if (x->moved)
        decision_record(x->d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED, x->moved, NULL);
    if (x->h->kind == KIND(FAMILY_KEY))
        decide_record_family_key(x->h, x->c->now, x->d);
    if (x->h->kind == KIND(HANDOVER))
        decide_family_handover(x->s, x->h, x->c->now, x->d);
}

static void decide_new(struct submission *x)
{
    enum error e = judge_person(x);
    int64_t ahead = e ? 0 : ahead_ms(x);
    if (ahead > 0) {
        decision_refuse_for(x->d, x->c, ERROR_CLOCK_AHEAD, "header.message_id",
                            ahead < (int64_t)RETRY_MS_MAX ? (uint32_t)ahead : RETRY_MS_MAX);
        return;
    }
    if (!e)
        e = judge_new(x);
    if (!e) {
        accept(x);
        record_effects(x);
        return;
    }
    if (error_is_remembered(e)) {
        remember(x, e);
        x->field = NULL; /* a repeat is answered from memory, which keeps the code only */
    }
    decision_refuse(x->d, x->c, e, x->field);
}

static void decide_by_id(struct submission *x)
{
    const struct id *id = &x->c->key.id;
    if (id_version(id) != 4 && id_version(id) != 7) {
        decision_refuse(x->d, x->c, ERROR_ID_MALFORMED, "header.message_id");
        return;
    }
    x->body = body_new(x->header, x->sealed);
    if (!x->body) {
        decision_refuse(x->d, x->c, ERROR_BUSY, NULL);
        return;
    }
    const struct message *known = message_find(x->s, &x->c->key);
    if (known)
        answer_known(x, known);
    else if (!message_id_is_recent(x->s, id) && !x->c->is_loaded)
        x->d->wants_load = true;
    else
        decide_new(x);
    body_unref(x->body);
}

void decide_submit(const struct state *s, const struct policy *p, const struct command *c,
                   struct decision *d)
{
    const Brug__V1__Envelope *e = c->frame->submit->envelope;
    struct submission x = {.s = s, .p = p, .c = c, .d = d, .h = c->header};
    if (!x.h) {
        decision_refuse(d, c, ERROR_HEADER_MALFORMED, "envelope.header");
        return;
    }
    x.header = check_slice(e->header);
    x.sealed = check_slice(e->sealed);
    enum error error = judge_sender(&x);
    if (error)
        decision_refuse(d, c, error, x.field);
    else
        decide_by_id(&x);
}
