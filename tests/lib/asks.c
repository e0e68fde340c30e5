/* tests/lib/asks.c: see asks.h. Memory that is not there ends the test program. */
#include "tests/lib/asks.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define FRAME(name) BRUG__V1__CLIENT_FRAME__FRAME_##name
#define ORDER(name) BRUG__V1__ADMIN_REQUEST__REQUEST_##name

/* ---- what clients ask ---- */

void ask_pack(struct buf *out, const Brug__V1__ClientFrame *frame)
{
    buf_init(out, SIZE_MAX / 2);
    assert_int_equal(frame_append_bare(out, &frame->base), 0);
}

void ask_key(const struct stage_endpoint *e, struct digest *key)
{
    *key = digest_of_slice(id_slice(&e->id));
}

void ask_hello(struct buf *out)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Hello hello = BRUG__V1__HELLO__INIT;
    hello.protocol_min = hello.protocol_max = LIMIT_PROTOCOL;
    hello.software = (char *)(uintptr_t) "stage";
    frame.frame_case = FRAME(HELLO);
    frame.hello = &hello;
    ask_pack(out, &frame);
}

void ask_subscribe(struct buf *out, uint32_t messages, uint64_t bytes)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Subscribe subscribe = BRUG__V1__SUBSCRIBE__INIT;
    subscribe.messages = messages;
    subscribe.bytes = bytes;
    frame.frame_case = FRAME(SUBSCRIBE);
    frame.subscribe = &subscribe;
    ask_pack(out, &frame);
}

void ask_credit(struct buf *out, uint32_t messages, uint64_t bytes)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Credit credit = BRUG__V1__CREDIT__INIT;
    credit.messages = messages;
    credit.bytes = bytes;
    frame.frame_case = FRAME(CREDIT);
    frame.credit = &credit;
    ask_pack(out, &frame);
}

void ask_ack(struct buf *out, uint64_t request, const struct message_key *key,
             enum error unreadable)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ack ack = BRUG__V1__ACK__INIT;
    ack.organisation = id_bytes(&key->organisation);
    ack.message_id = id_bytes(&key->id);
    ack.result = unreadable ? BRUG__V1__ACK_RESULT__ACK_RESULT_UNREADABLE
                            : BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    ack.code = (Brug__V1__Code)unreadable;
    frame.request = request;
    frame.frame_case = FRAME(ACK);
    frame.ack = &ack;
    ask_pack(out, &frame);
}

void ask_opened(struct buf *out, uint64_t request, const struct message_key *key,
                const struct id *person, const struct id *handed_on)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Opened opened = BRUG__V1__OPENED__INIT;
    opened.organisation = id_bytes(&key->organisation);
    opened.message_id = id_bytes(&key->id);
    opened.person = id_bytes(person);
    if (handed_on)
        opened.handed_on = id_bytes(handed_on);
    frame.request = request;
    frame.frame_case = FRAME(OPENED);
    frame.opened = &opened;
    ask_pack(out, &frame);
}

void ask_track(struct buf *out, uint64_t request, const struct id *message)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Track track = BRUG__V1__TRACK__INIT;
    track.message_id = id_bytes(message);
    frame.request = request;
    frame.frame_case = FRAME(TRACK);
    frame.track = &track;
    ask_pack(out, &frame);
}

void ask_ping(struct buf *out, uint64_t request)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    frame.request = request;
    frame.frame_case = FRAME(PING);
    frame.ping = &ping;
    ask_pack(out, &frame);
}

void ask_directory(struct buf *out, uint64_t request, const struct id *municipality)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetDirectory get = BRUG__V1__GET_DIRECTORY__INIT;
    get.municipality = id_bytes(municipality);
    frame.request = request;
    frame.frame_case = FRAME(GET_DIRECTORY);
    frame.get_directory = &get;
    ask_pack(out, &frame);
}

/* ---- letters ---- */

static size_t ids_of(const struct endpoints *a, const struct endpoints *b, const struct id *except,
                     struct id *out)
{
    size_t n = 0;
    for (size_t k = 0; k < a->count + b->count; k++) {
        const struct endpoint *e = k < a->count ? a->items[k] : b->items[k - a->count];
        size_t at = n;
        bool is_there = except && id_equal(&e->entity.id, except);
        for (size_t i = 0; i < n; i++)
            is_there |= id_equal(&out[i], &e->entity.id);
        if (is_there)
            continue;
        for (; at > 0 && id_compare(&out[at - 1], &e->entity.id) > 0; at--)
            out[at] = out[at - 1];
        out[at] = e->entity.id;
        assert_true(++n < STAGE_READERS_MAX);
    }
    return n;
}

void ask_set_readers(const struct state *s, struct stage_letter *l)
{
    const struct organisation *from = organisation_find(s, id_bytes(&l->from->organisation));
    const struct organisation *to = organisation_find(s, id_bytes(&l->to));
    assert_non_null(from);
    if (!to)
        to = from;
    l->reader_count = ids_of(&from->readers, &to->readers, &l->from->id, l->readers);
    l->copy_count = ids_of(&from->recoveries, &to->recoveries, NULL, l->copies);
}

static void set_ids(ProtobufCBinaryData *to, const struct id *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = id_bytes(&from[i]);
}

void ask_get_case(struct buf *out, uint64_t request, const struct id *case_id)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetCase get = BRUG__V1__GET_CASE__INIT;
    get.case_id = id_bytes(case_id);
    frame.request = request;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_GET_CASE;
    frame.get_case = &get;
    ask_pack(out, &frame);
}

void ask_list_cases(struct buf *out, uint64_t request, const struct id *after, uint32_t cases_max,
                    bool ended)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__ListCases list = BRUG__V1__LIST_CASES__INIT;
    list.after = id_bytes(after);
    list.cases_max = cases_max;
    list.ended = ended;
    frame.request = request;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_LIST_CASES;
    frame.list_cases = &list;
    ask_pack(out, &frame);
}

void ask_put_card(struct buf *out, uint64_t request, uint32_t working_days)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutCard put = BRUG__V1__PUT_CARD__INIT;
    Brug__V1__Card card = BRUG__V1__CARD__INIT;
    card.working_days = working_days;
    put.card = &card;
    frame.request = request;
    frame.frame_case = FRAME(PUT_CARD);
    frame.put_card = &put;
    ask_pack(out, &frame);
}

void ask_put_absence(struct buf *out, uint64_t request, int64_t away_until_ms)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutAbsence put = BRUG__V1__PUT_ABSENCE__INIT;
    put.away_until_ms = away_until_ms;
    frame.request = request;
    frame.frame_case = FRAME(PUT_ABSENCE);
    frame.put_absence = &put;
    ask_pack(out, &frame);
}

static void set_codes(Brug__V1__Header *h, const struct stage_codes *c)
{
    h->in_reply_to = id_bytes(&c->in_reply_to);
    h->owed_id = id_bytes(&c->owed_id);
    h->new_director = id_bytes(&c->new_director);
    h->other_organisation = id_bytes(&c->other_organisation);
    h->key_id = id_bytes(&c->key_id);
    h->replaced_key = id_bytes(&c->replaced_key);
    h->decision = c->decision;
    h->outcome = c->outcome;
    h->decline_reason = c->decline_reason;
    h->stop_reason = c->stop_reason;
    h->involvement = c->involvement;
    h->bridging_carrier = c->carrier;
    h->until_date = c->until_date;
    h->called_on_date = c->called_on_date;
    h->moment = c->moment;
    h->conversations = c->conversations;
    h->flags |= c->flags;
}

static void set_referral(struct stage_header *out, const struct stage_letter *l)
{
    Brug__V1__Header *h = &out->header;
    const struct stage_codes *c = &l->codes;
    h->flags = l->has_no_ground ? 0 : BRUG__V1__HEADER_FLAG__HEADER_FLAG_GROUND_RECORDED;
    h->reason = c->reason ? c->reason : BRUG__V1__REASON__REASON_PARENTING;
    h->request_type =
        c->request_type ? c->request_type : BRUG__V1__REQUEST_TYPE__REQUEST_TYPE_CLARIFY;
    h->moments = out->moment_list;
    for (size_t i = 0; i < STAGE_MOMENTS_MAX; i++) {
        if (!c->moments[i].event)
            continue;
        Brug__V1__Moment *m = out->moment_list[h->n_moments] = &out->moments[i];
        brug__v1__moment__init(m);
        m->event = c->moments[i].event;
        m->date = c->moments[i].date;
        m->conversations = c->moments[i].conversations;
        h->n_moments++;
    }
}

void stage_header_init(struct stage_header *out, const struct stage_letter *l)
{
    Brug__V1__Header *h = &out->header;
    brug__v1__header__init(h);
    brug__v1__sender__init(&out->from);
    out->from.organisation = id_bytes(&l->from->organisation);
    out->from.endpoint = id_bytes(&l->from->id);
    out->from.person = id_bytes(&l->person);
    h->protocol = LIMIT_PROTOCOL;
    h->profile = LIMIT_PROFILE;
    h->message_id = id_bytes(&l->id);
    h->kind = l->kind;
    h->case_id = id_bytes(&l->case_id);
    h->municipality = id_bytes(&l->municipality);
    h->from = &out->from;
    h->to = id_bytes(&l->to);
    set_ids(out->readers, l->readers, l->reader_count);
    set_ids(out->copies, l->copies, l->copy_count);
    h->n_readers = l->reader_count;
    h->readers = out->readers;
    h->n_copies = l->copy_count;
    h->copies = out->copies;
    h->written_at_ms = l->written_at_ms;
    if (l->kind == BRUG__V1__KIND__KIND_REFERRAL)
        set_referral(out, l);
    set_codes(h, &l->codes);
}

void ask_put_tags(struct buf *out, uint64_t request, const struct id *case_id,
                  const struct id *key_id, uint8_t child, uint8_t household)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutTags put = BRUG__V1__PUT_TAGS__INIT;
    uint8_t tags[2][DIGEST_BYTES];
    memset(tags[0], child, DIGEST_BYTES);
    memset(tags[1], household, DIGEST_BYTES);
    put.case_id = id_bytes(case_id);
    put.key_id = id_bytes(key_id);
    put.child = (ProtobufCBinaryData){child ? DIGEST_BYTES : 0, tags[0]};
    put.household = (ProtobufCBinaryData){household ? DIGEST_BYTES : 0, tags[1]};
    frame.request = request;
    frame.frame_case = FRAME(PUT_TAGS);
    frame.put_tags = &put;
    ask_pack(out, &frame);
}

void ask_get_figures(struct buf *out, uint64_t request, const struct id *municipality,
                     Brug__V1__FigurePeriod period, uint32_t date, bool inside)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetFigures get = BRUG__V1__GET_FIGURES__INIT;
    get.municipality = id_bytes(municipality);
    get.period = period;
    get.date = date;
    get.inside = inside;
    frame.request = request;
    frame.frame_case = FRAME(GET_FIGURES);
    frame.get_figures = &get;
    ask_pack(out, &frame);
}

void ask_submit(struct buf *out, uint64_t request, const struct stage_letter *l)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Submit submit = BRUG__V1__SUBMIT__INIT;
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    struct stage_header h;
    struct buf header, sealed;
    buf_init(&header, LIMIT_HEADER_BYTES);
    buf_init(&sealed, SIZE_MAX / 2);
    stage_header_init(&h, l);
    assert_int_equal(frame_append_bare(&header, &h.header.base), 0);
    assert_int_equal(buf_append_slice(&sealed, slice_text(l->sealed)), 0);
    for (size_t i = 0; i < l->filler_bytes; i++)
        assert_int_equal(buf_append_u8(&sealed, (uint8_t)i), 0);
    envelope.header = slice_bytes(buf_slice(&header));
    envelope.sealed = slice_bytes(buf_slice(&sealed));
    submit.envelope = &envelope;
    frame.request = request;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT;
    frame.submit = &submit;
    ask_pack(out, &frame);
    buf_fini(&header);
    buf_fini(&sealed);
}

/* ---- what operators order ---- */

static void order_init(struct order *o, int request_case)
{
    memset(o, 0, sizeof *o);
    brug__v1__admin_request__init(&o->request);
    o->request.request_case = (Brug__V1__AdminRequest__RequestCase)request_case;
}

void order_set_status(struct order *o, Brug__V1__ObjectType type, const struct id *id,
                      Brug__V1__Status status)
{
    Brug__V1__SetStatus *set = &o->of.set_status;
    order_init(o, ORDER(SET_STATUS));
    brug__v1__set_status__init(set);
    o->id = *id;
    set->type = type;
    set->id = id_bytes(&o->id);
    set->status = status;
    o->request.set_status = set;
}

void order_add_municipality(struct order *o, const struct id *id, const char *anchor)
{
    Brug__V1__AddMunicipality *add = &o->of.add_municipality;
    order_init(o, ORDER(ADD_MUNICIPALITY));
    brug__v1__add_municipality__init(add);
    o->id = *id;
    o->bytes = slice_bytes(slice_text(anchor));
    add->municipality = id_bytes(&o->id);
    add->name = (char *)(uintptr_t) "Bronckhorst";
    add->n_anchors = 1;
    add->anchors = &o->bytes;
    o->request.add_municipality = add;
}

void order_add_organisation(struct order *o, const struct id *id, Brug__V1__OrganisationKind kind,
                            const struct id *municipality)
{
    Brug__V1__AddOrganisation *add = &o->of.add_organisation;
    order_init(o, ORDER(ADD_ORGANISATION));
    brug__v1__add_organisation__init(add);
    o->id = *id;
    o->within = *municipality;
    o->bytes = id_bytes(&o->within);
    add->organisation = id_bytes(&o->id);
    add->kind = kind;
    add->n_municipalities = 1;
    add->municipalities = &o->bytes;
    add->name = (char *)(uintptr_t) "Praktijk De Linde";
    o->request.add_organisation = add;
}

void order_add_person(struct order *o, const struct id *id, const struct id *organisation,
                      Brug__V1__Role role, int64_t until_ms)
{
    Brug__V1__AddPerson *add = &o->of.add_person;
    order_init(o, ORDER(ADD_PERSON));
    brug__v1__add_person__init(add);
    o->id = *id;
    o->within = *organisation;
    add->person = id_bytes(&o->id);
    add->organisation = id_bytes(&o->within);
    add->name = (char *)(uintptr_t) "A. Jansen";
    add->role = role;
    add->until_ms = until_ms;
    o->request.add_person = add;
}

/* The bytes of certificates and signatures are nothing that the core looks at. */
void order_add_endpoint(struct order *o, const struct stage_endpoint *e, bool recovery)
{
    Brug__V1__EndpointRow *row = &o->endpoint;
    order_init(o, ORDER(ADD_ENDPOINT));
    brug__v1__add_endpoint__init(&o->of.add_endpoint);
    brug__v1__endpoint_row__init(row);
    brug__v1__signed_binding__init(&o->binding);
    o->id = e->id;
    o->within = e->organisation;
    o->person = e->person;
    ask_key(e, &o->key);
    o->binding.binding = id_bytes(&o->id);
    o->binding.signature = id_bytes(&o->id);
    row->endpoint = id_bytes(&o->id);
    row->organisation = id_bytes(&o->within);
    row->person = id_bytes(&o->person);
    row->recovery = recovery;
    row->binding = &o->binding;
    row->identity_certificate = id_bytes(&o->id);
    row->sealing_certificate = id_bytes(&o->id);
    row->identity_key_digest = digest_bytes(&o->key);
    o->request.add_endpoint = &o->of.add_endpoint;
    o->has_endpoint = true;
}

void order_release(struct order *o, const struct id *endpoint)
{
    order_init(o, ORDER(RELEASE));
    brug__v1__release__init(&o->of.release);
    o->id = *endpoint;
    o->of.release.endpoint = id_bytes(&o->id);
    o->request.release = &o->of.release;
}

void order_put_outage(struct order *o, const struct id *id, uint32_t from, uint32_t until)
{
    Brug__V1__PutOutage *put = &o->of.put_outage;
    order_init(o, ORDER(PUT_OUTAGE));
    brug__v1__put_outage__init(put);
    o->id = *id;
    put->outage_id = id_bytes(&o->id);
    put->from_date = from;
    put->until_date = until;
    o->request.put_outage = put;
}
