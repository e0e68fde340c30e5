/*
 * tests/lib/sim_judge.c: what must hold, at each step and now and then in full.
 *
 * Three witnesses: `truth` (the records that reached the disk), what the harness counted itself (credit, questions,
 * lsn at the time of asking), and what clients keep. The relay's own counters are only compared with these.
 */
#include "daemon/store/inside.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CLIENT(name) BRUG__V1__CLIENT_FRAME__FRAME_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define KIND(name) BRUG__V1__KIND__KIND_##name
/* What one wake-up may bring beyond a budget before reading stops: a frame, and answers. */
#define SLACK_BYTES (24u << 10)
#define STARTS_PER_ACCOUNT 16u

static const uint64_t HASH_SEED[2] = {5, 6};

/* In a control all but one violation is passed over, so that it shows what that one check finds. */
void sim_flag(struct sim *w, const char *format, ...)
{
    char text[sizeof w->first_violation];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (w->control && !strstr(text, w->control->caught_by))
        return;
    if (w->violations++ == 0)
        memcpy(w->first_violation, text, sizeof text);
}

static const char *name_of(const struct id *id)
{
    static char text[4][ID_TEXT_BYTES];
    static unsigned at;
    return id_to_text(id, text[at++ % 4]);
}

static uint64_t durable_lsn(const struct sim *w) { return state_lsn(w->truth); }

static struct message *committed(const struct sim *w, const struct message_key *key)
{
    return message_find(w->truth, key);
}

static struct reader *committed_reader(const struct sim *w, const struct message_key *key,
                                       const struct sim_client *c)
{
    struct message *m = committed(w, key);
    const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
    return m && e ? message_reader(m, e) : NULL;
}

/* ---- what arrives ---- */

static void take_credit(struct sim_link *l, const Brug__V1__ClientFrame *f)
{
    if (f->frame_case == CLIENT(SUBSCRIBE)) {
        l->credit_messages = f->subscribe->messages;
        l->credit_bytes = f->subscribe->bytes;
    } else {
        l->credit_messages += f->credit->messages;
        l->credit_bytes += f->credit->bytes;
    }
}

/* So it is looked up at once, if it must be. */
static bool is_unhindered(const struct sim *w, const struct sim_link *l, const struct sim_frame *f,
                          const struct sim_question *q)
{
    const struct room *room = &w->relay->room;
    struct command c = {.key = q->key};
    if (f->type == CLIENT(TRACK)) /* it asks for its own organisation's */
        c.key.organisation = l->owner->e.organisation;
    return room->count < w->profile.limits.waiting_commands_max && !room_is_taken(room, &c);
}

void judge_arrival(struct sim *w, struct sim_link *l, const struct sim_frame *f)
{
    struct sim_question *q = f->request ? &w->questions[f->request] : NULL;
    if (f->type == CLIENT(SUBSCRIBE) || f->type == CLIENT(CREDIT)) {
        Brug__V1__ClientFrame *m = brug__v1__client_frame__unpack(NULL, f->len, f->bytes);
        assert_non_null(m);
        take_credit(l, m);
        sabotage_credit(w, l);
        brug__v1__client_frame__free_unpacked(m, NULL);
    }
    if (f->type == CLIENT(HELLO))
        l->hello_lsn = state_lsn(relay_state(w->relay));
    bool is_at_once = f->type == CLIENT(PING) && l->has_welcome;
    if (f->type == CLIENT(HELLO) || (q && !is_at_once))
        l->unanswered++;
    if (!q)
        return;
    q->is_counted = !is_at_once;
    q->bytes = f->type == CLIENT(PING) ? 0 : f->len;
    l->asked_bytes += q->bytes;
    q->lsn = is_at_once ? 0 : state_lsn(relay_state(w->relay));
    q->was_unhindered = is_unhindered(w, l, f, q);
    q->low_water_ms = relay_state(w->relay)->low_water_ms;
}

/* What it was judged on is in the state by now. */
void judge_judged(struct sim *w, struct sim_link *l, const struct sim_frame *f, uint64_t loads)
{
    struct sim_question *q = f->request ? &w->questions[f->request] : NULL;
    if (f->type == CLIENT(HELLO))
        l->hello_lsn = state_lsn(relay_state(w->relay));
    if (!q)
        return;
    if (q->is_counted)
        q->lsn = state_lsn(relay_state(w->relay));
    q->loads = loads;
}

/* ---- answers, as they leave ---- */

static void judge_receipt(struct sim *w, const struct sim_question *q, const Brug__V1__Receipt *r)
{
    const struct message *m = committed(w, &q->key);
    if (!m || m->code)
        sim_flag(w, "I1: a receipt leaves for %s, which is not on disk", name_of(&q->key.id));
    else if (m->at_ms != r->stored_at_ms)
        sim_flag(w, "I3: %s gets another time of storing", name_of(&q->key.id));
    else if (q->asked == SIM_ASKED_OTHER_BYTES)
        sim_flag(w, "I3: other bytes get a receipt");
    w->receipts++;
}

static void judge_refusal(struct sim *w, const struct sim_question *q, enum error code)
{
    const struct message *m = committed(w, &q->key);
    if (q->asked == SIM_ASKED_LETTER && error_is_remembered(code) && (!m || m->code != code))
        sim_flag(w, "I1: %s is refused for good, which is not on disk", name_of(&q->key.id));
    if (q->was_known && code == ERROR_NO_SUCH_MESSAGE)
        sim_flag(w, "I2: %s is not known to the relay any more", name_of(&q->key.id));
    if (w->cases)
        judge_case_refusal(w, q, code);
}

static void judge_acked(struct sim *w, const struct sim_link *l, const struct sim_question *q)
{
    const struct reader *r = committed_reader(w, &q->key, l->owner);
    if (!r)
        sim_flag(w, "I1: Acked for %s, which is not on disk for this reader", name_of(&q->key.id));
    else if (r->state == READER_WAITING)
        sim_flag(w, "I1: Acked leaves before it is on disk: %s", name_of(&q->key.id));
    w->acked++;
}

static void judge_noted(struct sim *w, const struct sim_link *l, const struct sim_question *q)
{
    const struct reader *r = committed_reader(w, &q->key, l->owner);
    if (q->asked == SIM_ASKED_OPENED && (!r || r->opened_at_ms == 0))
        sim_flag(w, "I1: opened is noted for %s and not on disk", name_of(&q->key.id));
}

static void judge_tracked(struct sim *w, const struct sim_question *q, const Brug__V1__Tracked *t)
{
    const struct message *m = committed(w, &q->key);
    if (!m || m->reader_count != t->n_readers || m->at_ms != t->stored_at_ms) {
        sim_flag(w, "I1: tracked %s, which is not so on disk", name_of(&q->key.id));
        return;
    }
    for (size_t i = 0; i < t->n_readers; i++) {
        const struct reader *r = &m->readers[i];
        const Brug__V1__ReaderFact *f = t->readers[i];
        bool is_so = (!f->fetched_at_ms ||
                      (r->state == READER_FETCHED && r->settled_at_ms == f->fetched_at_ms)) &&
                     (!f->unreadable || r->state == READER_UNREADABLE) &&
                     (!f->cancelled_at_ms || r->state == READER_CANCELLED) &&
                     (!f->opened_at_ms || r->opened_at_ms == f->opened_at_ms);
        if (!is_so)
            sim_flag(w, "I1: a reader's fact of %s leaves before it is on disk",
                     name_of(&q->key.id));
    }
}

/* Organisations of a municipality that the asker's own does not work in are nobody's business. */
static void judge_directory(struct sim *w, const struct sim_link *l, const Brug__V1__Directory *d)
{
    const struct organisation *own =
        organisation_find(w->truth, id_bytes(&l->owner->e.organisation));
    for (size_t i = 0; i < d->n_organisations; i++) {
        bool shares = false;
        const Brug__V1__OrganisationEntry *o = d->organisations[i];
        for (size_t k = 0; k < o->n_municipalities; k++) {
            const struct municipality *m = municipality_find(w->truth, o->municipalities[k]);
            shares |= own && m && organisation_works_in(own, m);
        }
        if (!shares)
            sim_flag(w, "I6: the directory shows an organisation of elsewhere");
    }
}

/* What the asker hears, without the id that it asked for. */
static uint64_t heard(const Brug__V1__ServerFrame *f)
{
    if (f->frame_case != SERVER(REFUSED))
        return (uint64_t)f->frame_case << 32 | 1;
    struct digest d = digest_of_slice(slice_text(f->refused->field));
    uint64_t field;
    memcpy(&field, d.bytes, sizeof field);
    return (field & ~UINT64_C(0xffff)) | (uint64_t)f->refused->code << 1 | f->refused->passing;
}

static void judge_twins(struct sim *w, struct sim_question *q, const Brug__V1__ServerFrame *f)
{
    struct sim_question *twin = &w->questions[q->twin];
    bool is_busy =
        f->frame_case == SERVER(REFUSED) && error_is_passing((enum error)f->refused->code);
    q->answer = is_busy ? 0 : heard(f);
    if (f->frame_case != SERVER(REFUSED))
        sim_flag(w, "I6: a foreign or unknown id gets an answer");
    if (!q->answer || !twin->answer)
        return;
    if (q->answer != twin->answer)
        sim_flag(w, "I6: a foreign and an unknown id get different answers");
    bool is_same_time =
        q->was_unhindered && twin->was_unhindered && q->low_water_ms == twin->low_water_ms;
    if (is_same_time && q->loads != twin->loads)
        sim_flag(w, "I6: a foreign and an unknown id are looked up differently");
}

/* Or Refused. */
static int answer_to(enum sim_asked asked)
{
    switch (asked) {
    case SIM_ASKED_LETTER:
    case SIM_ASKED_OTHER_BYTES:
        return SERVER(RECEIPT);
    case SIM_ASKED_ACK:
        return SERVER(ACKED);
    case SIM_ASKED_OPENED:
    case SIM_ASKED_PUT:
        return SERVER(NOTED);
    case SIM_ASKED_CASE:
        return SERVER(CASE_FACTS);
    case SIM_ASKED_PAGE:
        return SERVER(CASES);
    case SIM_ASKED_FIGURES:
        return SERVER(FIGURES);
    case SIM_ASKED_TRACK:
        return SERVER(TRACKED);
    case SIM_ASKED_DIRECTORY:
        return SERVER(DIRECTORY);
    case SIM_ASKED_PING:
        return SERVER(PONG);
    default:
        return SERVER(REFUSED);
    }
}

static void judge_question(struct sim *w, struct sim_link *l, uint64_t request,
                           const Brug__V1__ServerFrame *f)
{
    if (request > w->question_count) {
        sim_flag(w, "an answer to nothing that was asked");
        return;
    }
    struct sim_question *q = &w->questions[request];
    if (q->session != l->session)
        sim_flag(w, "I6: an answer goes to another session");
    if (q->has_left)
        sim_flag(w, "a question is answered twice");
    if (q->lsn > durable_lsn(w))
        sim_flag(w, "I1: an answer leaves that was judged on lsn %llu; on disk is %llu",
                 (unsigned long long)q->lsn, (unsigned long long)durable_lsn(w));
    if (f->frame_case != SERVER(REFUSED) && (int)f->frame_case != answer_to(q->asked))
        sim_flag(w, "a question of type %d is answered by a frame of type %d", q->asked,
                 f->frame_case);
    q->has_left = true;
    l->unanswered -= q->is_counted;
    l->asked_bytes -= q->bytes;
    if (q->asked == SIM_ASKED_FOREIGN || q->asked == SIM_ASKED_UNKNOWN)
        judge_twins(w, q, f);
    switch (f->frame_case) {
    case SERVER(RECEIPT):
        judge_receipt(w, q, f->receipt);
        break;
    case SERVER(REFUSED):
        judge_refusal(w, q, (enum error)f->refused->code);
        break;
    case SERVER(ACKED):
        judge_acked(w, l, q);
        break;
    case SERVER(NOTED):
        judge_noted(w, l, q);
        break;
    case SERVER(TRACKED):
        judge_tracked(w, q, f->tracked);
        break;
    case SERVER(DIRECTORY):
        judge_directory(w, l, f->directory);
        break;
    case SERVER(CASE_FACTS):
        judge_case_told(w, q, f->case_facts);
        break;
    case SERVER(CASES):
        judge_case_page(w, q, f->cases);
        break;
    case SERVER(FIGURES):
        judge_figures_told(w, q, f->figures);
        break;
    default:
        break;
    }
}

/* ---- deliveries, as they leave ---- */

static void judge_credit(struct sim *w, struct sim_link *l, const struct endpoint *e, size_t bytes)
{
    bool has_others = false;
    if (l->credit_messages == 0)
        sim_flag(w, "credit: a delivery beyond the messages that the client allowed");
    else
        l->credit_messages--;
    if (bytes > l->credit_bytes) /* allowed only when nothing else is under way */
        list_for_each (at, next, &e->mailbox) {
            const struct reader *r = container_of(at, struct reader, link);
            has_others |= r->delivered_serial == e->serial && r->sequence <= l->last_sequence;
        }
    if (has_others)
        sim_flag(w, "credit: a delivery beyond the bytes that the client allowed");
    l->credit_bytes -= bytes < l->credit_bytes ? bytes : l->credit_bytes;
}

static bool was_released(const struct endpoint *e, uint64_t sequence)
{
    list_for_each (at, next, &e->mailbox) {
        const struct reader *r = container_of(at, struct reader, link);
        if (r->sequence == sequence)
            return r->was_parked && !r->is_parked;
    }
    return false;
}

/* Nothing that waits before it, and is not parked, was left out in this session. */
static void judge_order_of(struct sim *w, struct sim_link *l, const struct endpoint *e,
                           uint64_t sequence)
{
    if (sequence <= l->last_sequence && was_released(e, sequence))
        return; /* it comes again in its old place */
    if (sequence <= l->last_sequence)
        sim_flag(w, "I2: copy %llu of %s comes after copy %llu", (unsigned long long)sequence,
                 name_of(&e->entity.id), (unsigned long long)l->last_sequence);
    list_for_each (at, next, &e->mailbox) {
        const struct reader *r = container_of(at, struct reader, link);
        if (!r->is_parked && r->sequence > l->last_sequence && r->sequence < sequence)
            sim_flag(w, "I2: a copy that waits was left out");
        if (r->sequence >= sequence)
            break;
    }
    l->last_sequence = sequence;
}

static void judge_offer(struct sim *w, struct sim_link *l, const Brug__V1__Deliver *d)
{
    const struct sim_client *c = l->owner;
    const struct endpoint *e = endpoint_find(relay_state(w->relay), id_bytes(&c->e.id));
    const struct endpoint *known = endpoint_find(w->truth, id_bytes(&c->e.id));
    uint64_t since_lsn = 0;
    bool waits = false;
    list_for_each (at, next, &known->mailbox) {
        waits |= container_of(at, struct reader, link)->sequence == d->sequence;
    }
    if (!waits)
        sim_flag(w, "I1: a delivery leaves that does not wait on disk");
    if (l->is_full)
        sim_flag(w, "a delivery follows although the session's queue is full");
    if (endpoint_judge(known, &since_lsn) && since_lsn <= w->told_lsn)
        sim_flag(w, "a delivery leaves to a suspended endpoint");
    judge_credit(w, l, e, protobuf_c_message_get_packed_size(&d->envelope->base));
    judge_order_of(w, l, e, d->sequence);
    w->deliveries++;
}

void judge_leaving(struct sim *w, struct sim_link *l, const Brug__V1__ServerFrame *f)
{
    bool is_first = f->frame_case == SERVER(WELCOME);
    if (is_first && (l->has_welcome || l->hello_lsn > durable_lsn(w)))
        sim_flag(w, "I1: Welcome leaves twice, or before its session is on disk");
    if (is_first)
        l->unanswered--;
    if (!is_first && !l->has_welcome && f->frame_case != SERVER(GO_AWAY))
        sim_flag(w, "a frame leaves before Welcome");
    l->has_welcome |= is_first;
    if (f->request)
        judge_question(w, l, f->request, f);
    if (f->frame_case == SERVER(DELIVER))
        judge_offer(w, l, f->deliver);
}

void judge_order(struct sim *w, uint64_t ticket, const Brug__V1__AdminAnswer *a)
{
    struct sim_question *q = &w->questions[ticket];
    if (q->has_left || q->lsn > durable_lsn(w))
        sim_flag(w, "I1: an order is answered twice, or before it is on disk");
    q->has_left = true;
    if (ticket == w->order)
        w->order = 0;
    if (a->code || !q->status.status)
        return;
    struct id id = q->key.id;
    const struct endpoint *e = endpoint_find(w->truth, id_bytes(&id));
    const struct person *p = person_find(w->truth, id_bytes(&id));
    const struct organisation *o = organisation_find(w->truth, id_bytes(&id));
    Brug__V1__Status status = e ? e->row->status : p ? p->row->status : o ? o->row->status : 0;
    if (status && status != q->status.status && !(p && p->row->until_ms))
        sim_flag(w, "I1: a status is told that is not on disk");
}

/* ---- as clients see it ---- */

static bool is_intact(const struct stage_letter *l, ProtobufCBinaryData sealed)
{
    size_t begin = strlen(l->sealed);
    if (sealed.len != begin + l->filler_bytes || memcmp(sealed.data, l->sealed, begin) != 0)
        return false;
    for (size_t i = 0; i < l->filler_bytes; i++)
        if (sealed.data[begin + i] != (uint8_t)i)
            return false;
    return true;
}

void judge_delivery(struct sim *w, struct sim_client *c, const Brug__V1__Deliver *d,
                    struct sim_copy *copy)
{
    const struct sim_letter *l = sim_letter_find(w, &copy->key);
    bool is_mine = !l;
    if (copy->is_acked)
        sim_flag(w, "I2: %s comes back after its Acked", name_of(&copy->key.id));
    if (copy->deliveries > 0 && copy->session == c->link->session)
        sim_flag(w, "I2: %s comes twice in one session", name_of(&copy->key.id));
    const struct reader *r = committed_reader(w, &copy->key, c);
    if (d->sequence <= c->link->last_seen && !(r && r->was_parked))
        sim_flag(w, "I2: %s comes out of its order", name_of(&copy->key.id));
    c->link->last_seen = d->sequence;
    for (size_t i = 0; l && i < l->l.reader_count; i++)
        is_mine |= id_equal(&l->l.readers[i], &c->e.id);
    if (!is_mine)
        sim_flag(w, "I6: %s comes to an endpoint that is no reader", name_of(&copy->key.id));
    if (!l && !id_is_none(&copy->key.organisation))
        sim_flag(w, "a letter comes that nobody wrote");
    if (l && !is_intact(&l->l, d->envelope->sealed))
        sim_flag(w, "%s comes with other bytes", name_of(&copy->key.id));
}

/* I3, T2-T4. */
void judge_letter_answer(struct sim *w, struct sim_question *q, enum error code, int64_t at_ms)
{
    struct sim_letter *l = q->letter;
    if (q->asked == SIM_ASKED_OTHER_BYTES) {
        if (!code || (code != ERROR_ID_REUSED && !error_is_passing(code)))
            sim_flag(w, "I3: other bytes under %s get %s", name_of(&l->key.id), error_name(code));
        return;
    }
    if (code && !error_is_remembered(code)) {
        if (l->answer != SIM_NO_ANSWER && !error_is_passing(code))
            sim_flag(w, "I3: %s was answered, and now gets %s", name_of(&l->key.id),
                     error_name(code));
        return;
    }
    if (l->answer != SIM_NO_ANSWER && (l->answer != code || l->at_ms != at_ms))
        sim_flag(w, "I3: %s gets another answer than before", name_of(&l->key.id));
    l->answer = code;
    l->at_ms = at_ms;
}

/* ---- at each step ---- */

static void judge_session(struct sim *w, const struct sim_link *l)
{
    const struct relay_limits *limits = &w->profile.limits;
    const struct session *s = session_find(w->relay, l->session);
    if (!s)
        return;
    if (s->unanswered != l->unanswered)
        sim_flag(w, "%u requests of a session count as unanswered; it has %u", s->unanswered,
                 l->unanswered);
    if (l->unanswered > limits->requests_max)
        sim_flag(w, "budget: a session has too many requests: %u", l->unanswered);
    if (s->is_subscribed &&
        (s->credit_messages != l->credit_messages || s->credit_bytes != l->credit_bytes))
        sim_flag(w, "credit: a session counts %u messages and %llu bytes; it has %u and %llu",
                 s->credit_messages, (unsigned long long)s->credit_bytes, l->credit_messages,
                 (unsigned long long)l->credit_bytes);
    if (s->unstored_bytes > limits->session_unstored_bytes_max + SLACK_BYTES)
        sim_flag(w, "budget: too much of a session is unstored: %zu bytes", s->unstored_bytes);
    if (s->unstored_bytes >= limits->session_unstored_bytes_max && !l->is_paused)
        sim_flag(w, "budget: a session is read on with %zu unstored bytes", s->unstored_bytes);
    if (s->unstored_bytes < l->asked_bytes)
        sim_flag(w, "a session counts %zu unstored bytes; it asked with %zu", s->unstored_bytes,
                 l->asked_bytes);
}

void judge_step(struct sim *w)
{
    const struct relay *r = w->relay;
    if (!r)
        return;
    list_for_each (at, next, &w->links) {
        const struct sim_link *l = container_of(at, struct sim_link, all);
        if (l->has_relay && l->is_connected)
            judge_session(w, l);
    }
    const struct state *s = r->state;
    const struct relay_limits *limits = &w->profile.limits;
    if (r->room.count > limits->waiting_commands_max)
        sim_flag(w, "budget: %zu commands wait for loads", r->room.count);
    if (s->cached_bytes > limits->body_cache_bytes_max &&
        s->cached.next != s->cached.prev) /* a single one may be larger */
        sim_flag(w, "budget: %zu bytes of bodies are kept", s->cached_bytes);
    if (r->unstored_bytes > limits->unstored_bytes_max + SLACK_BYTES)
        sim_flag(w, "budget: too much is unstored: %zu bytes", r->unstored_bytes);
    if (r->unstored_bytes >= limits->unstored_bytes_max && !w->is_all_paused)
        sim_flag(w, "budget: all are read on with %zu unstored bytes", r->unstored_bytes);
    if (relay_is_idle(r) && r->unstored_bytes > 0)
        sim_flag(w, "nothing is open and %zu bytes count as unstored", r->unstored_bytes);
}

/* ---- in full ---- */

static void walk_message(struct sim *w, const struct message *m, uint64_t counts[7])
{
    size_t of_this = 0, parked = 0;
    for (size_t i = 0; i < m->reader_count; i++) {
        bool is_waiting = m->readers[i].state == READER_WAITING;
        of_this += is_waiting;
        parked += m->readers[i].is_parked;
        if (is_waiting != (m->readers[i].link.next != &m->readers[i].link))
            sim_flag(w, "a copy is in its mailbox and does not wait, or the other way");
    }
    if (of_this != m->waiting_count)
        sim_flag(w, "a message counts %u waiting copies, %zu wait", m->waiting_count, of_this);
    counts[6] += parked;
    counts[0] += of_this;
    counts[1] += of_this ? m->body_bytes : 0;
    counts[2] += of_this && m->is_quarantined;
    counts[3] += m->is_counted;
    counts[4] += m->body ? m->body->len : 0;
    counts[5] += message_is_relay_made(m) ? of_this : 0;
}

static void walk_state(struct sim *w, const struct state *s)
{
    uint64_t counts[7] = {0}, unfetched = 0;
    for (struct map_node *n = map_next(&s->messages, NULL); n; n = map_next(&s->messages, n))
        walk_message(w, container_of(n, struct message, node), counts);
    for (size_t i = 0; i < table_count(&s->organisations); i++)
        unfetched += container_of(s->organisations.sorted[i], struct organisation, entity)
                         ->unfetched_messages;
    if (counts[0] != s->waiting || counts[1] != s->waiting_bytes || counts[2] != s->quarantined ||
        counts[3] != unfetched || counts[4] != s->cached_bytes || counts[6] != s->parked)
        sim_flag(w, "I8: the counters are not what a walk counts");
    if (counts[0] - counts[5] > w->profile.limits.waiting_max)
        sim_flag(w, "budget: %llu copies wait", (unsigned long long)counts[0]);
}

static void walk_mailbox(struct sim *w, const struct endpoint *e)
{
    uint64_t last = 0, in_flight = 0;
    list_for_each (at, next, &e->mailbox) {
        const struct reader *r = container_of(at, struct reader, link);
        if (r->sequence <= last)
            sim_flag(w, "a mailbox does not ascend");
        last = r->sequence;
        in_flight += e->session && r->delivered_serial == e->serial;
    }
    if (e->session && e->session->in_flight != in_flight)
        sim_flag(w, "a session counts %u copies under way; %llu are", e->session->in_flight,
                 (unsigned long long)in_flight);
}

/* Whatever waits on disk, or has a record that is not folded, is in memory. */
static void walk_memory(struct sim *w)
{
    const struct state *s = relay_state(w->relay);
    for (struct map_node *n = map_next(&w->truth->messages, NULL); n;
         n = map_next(&w->truth->messages, n)) {
        const struct message *m = container_of(n, struct message, node);
        bool must_be_there =
            m->waiting_count > 0 || m->touched_lsn > w->folded_lsn ||
            (id_version(&m->key.id) == 7 && id_v7_ms(&m->key.id) >= s->low_water_ms);
        if (must_be_there && !message_find(s, &m->key))
            sim_flag(w, "%s is on disk and not in memory, where it must be", name_of(&m->key.id));
    }
}

static void same_digest(struct sim *w, const struct state *loaded, const char *when)
{
    struct digest a, b;
    int64_t low_water_ms = w->truth->low_water_ms;
    w->truth->low_water_ms = loaded->low_water_ms; /* only what is live there is compared */
    assert_int_equal(state_digest(w->truth, &a), ERROR_NONE);
    w->truth->low_water_ms = low_water_ms;
    assert_int_equal(state_digest(loaded, &b), ERROR_NONE);
    if (!digest_equal(&a, &b))
        sim_flag(w, "%s the state is not that of the records on disk", when);
}

void judge_walk(struct sim *w)
{
    if (!w->relay || w->violations)
        return;
    const struct state *s = relay_state(w->relay);
    walk_state(w, s);
    for (size_t i = 0; i < table_count(&s->endpoints); i++)
        walk_mailbox(w, container_of(s->endpoints.sorted[i], struct endpoint, entity));
    w->folded_lsn = store_folded_lsn(w->disk.store);
    walk_memory(w);
    if (state_lsn(s) == durable_lsn(w)) {
        if (w->cases)
            judge_figures(w, s, "while it runs");
        same_digest(w, s, "while it runs");
    }
    w->walks++;
}

static struct account *account_of(struct sim *w, struct state *s)
{
    struct account *a = account_new(HASH_SEED);
    assert_non_null(a);
    struct endpoint *e = container_of(s->endpoints.sorted[0], struct endpoint, entity);
    e->waiting += w->sabotage == SIM_OTHER_BOOKS;
    assert_int_equal(account_expect(a, s), ERROR_NONE);
    e->waiting -= w->sabotage == SIM_OTHER_BOOKS;
    return a;
}

/* I8, from the audit chain; nothing may be under way. */
static void judge_books(struct sim *w, struct state *s, const char *when)
{
    struct account *a = account_of(w, s);
    enum error e = store_account(w->disk.store, a);
    const struct account_result *r = e ? NULL : account_result(a);
    const char *problem = e ? error_name(e) : r->problem ? r->problem : "";
    for (size_t i = 0; r && i < r->reader_count && !*problem; i++)
        problem = r->readers[i].problem;
    if (!r || !r->is_balanced || r->lsn != state_lsn(s))
        sim_flag(w, "I8: %s the books do not balance: %s", when, problem);
    account_free(a);
    w->accounts++;
}

void judge_start(struct sim *w, struct state *loaded)
{
    if (state_lsn(loaded) < durable_lsn(w)) {
        sim_flag(w, "I1: on disk was lsn %llu; after the end it is %llu",
                 (unsigned long long)durable_lsn(w), (unsigned long long)state_lsn(loaded));
        return;
    }
    if (w->cases)
        judge_figures(w, loaded, "after a start");
    same_digest(w, loaded, "after a start");
    walk_state(w, loaded);
    if ((w->kills + w->cuts) % STARTS_PER_ACCOUNT == 0)
        judge_books(w, loaded, "after a start");
}

/* ---- at the end ---- */

static const struct sim_client *client_of(const struct sim *w, const struct id *endpoint)
{
    for (size_t i = 0; i < w->client_count; i++)
        if (id_equal(&w->clients[i].e.id, endpoint))
            return &w->clients[i];
    return NULL;
}

/* I2: each reader got it and heard Acked, unless it was suspended at some time. */
static void judge_arrived(struct sim *w, const struct sim_letter *l)
{
    for (size_t i = 0; i < l->l.reader_count; i++) {
        const struct sim_client *c = client_of(w, &l->l.readers[i]);
        const struct sim_copy *copy = c ? sim_copy_find(c, &l->key) : NULL;
        if (!c || c->was_suspended || (copy && copy->is_acked))
            continue;
        const struct reader *r = committed_reader(w, &l->key, c);
        sim_flag(w,
                 "I2: %s has a receipt and did not arrive at %s, a client of role %d: on disk its "
                 "copy is in state %d, "
                 "at the client it came %u times",
                 name_of(&l->key.id), name_of(&l->l.readers[i]), c->role, r ? r->state : -1,
                 copy ? copy->deliveries : 0);
    }
}

/* What was refused or never answered came to nobody. */
static void judge_unsent(struct sim *w, const struct sim_letter *l)
{
    for (size_t i = 0; l->answer != SIM_NO_ANSWER && i < w->client_count; i++)
        if (sim_copy_find(&w->clients[i], &l->key))
            sim_flag(w, "%s was refused and delivered", name_of(&l->key.id));
}

/* The copy of the tables against the records: the whole row, in the form in which it is loaded. */
static bool is_same_row(const struct message *m, const Brug__V1__KnownMessage *k)
{
    bool is_same = k->at_ms == m->at_ms && k->code == (Brug__V1__Code)m->code &&
                   k->n_readers == m->reader_count && k->body_bytes == m->body_bytes &&
                   slice_equal(slice_of(k->digest.data, k->digest.len), digest_slice(&m->digest));
    for (size_t i = 0; is_same && i < k->n_readers; i++) {
        const struct reader *r = &m->readers[i];
        const Brug__V1__KnownReader *row = k->readers[i];
        is_same =
            row->in_vain == r->in_vain &&
            (r->state != READER_WAITING || row->parked == r->is_parked) &&
            row->was_parked == r->was_parked && row->sequence == r->sequence &&
            row->opened_at_ms == r->opened_at_ms &&
            (row->fetched_at_ms != 0) == (r->state == READER_FETCHED) &&
            (row->unreadable != 0) == (r->state == READER_UNREADABLE) &&
            (row->cancelled_at_ms != 0) == (r->state == READER_CANCELLED) &&
            (r->state == READER_WAITING ||
             row->fetched_at_ms + row->unreadable_at_ms + row->cancelled_at_ms == r->settled_at_ms);
    }
    return is_same;
}

static void judge_row(struct sim *w, const struct message *m)
{
    struct load *l = load_new(LOAD_MESSAGE);
    assert_non_null(l);
    l->organisation = m->key.organisation;
    l->message_id = m->key.id;
    store_load_one(w->disk.store, l);
    Brug__V1__KnownMessage *k =
        l->result ? NULL : brug__v1__known_message__unpack(NULL, l->bytes.len, l->bytes.data);
    if (!k || is_same_row(m, k) == (w->sabotage == SIM_OTHER_ROW))
        sim_flag(w, "the tables do not hold %s as its records say", name_of(&m->key.id));
    if (k)
        brug__v1__known_message__free_unpacked(k, NULL);
    load_free(l);
}

static void judge_tables(struct sim *w)
{
    bool is_done = false;
    while (!is_done)
        if (store_fold(w->disk.store, &is_done)) {
            sim_flag(w, "the fold fails");
            return;
        }
    for (struct map_node *n = map_next(&w->truth->messages, NULL); n;
         n = map_next(&w->truth->messages, n))
        judge_row(w, container_of(n, struct message, node));
}

void judge_end(struct sim *w)
{
    for (size_t i = 0; i < w->letter_count; i++) {
        const struct sim_letter *l = w->letter_list[i];
        if (l->answer == ERROR_NONE)
            judge_arrived(w, l);
        else
            judge_unsent(w, l);
    }
    if (w->cases)
        judge_cases_end(w);
    judge_walk(w);
    judge_tables(w);
    judge_books(w, w->relay->state, "at the end");
}
