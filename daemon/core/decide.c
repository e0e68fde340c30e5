/*
 * daemon/core/decide.c: who may ask what (one table of roles), sessions, and the way to each judgement.
 */
#include "daemon/core/decide.h"
#include "proto/limits.h"
#include "rules/roles.h"
#include <assert.h>

static const struct {
    int frame_case; /* BRUG__V1__CLIENT_FRAME__FRAME_… */
    enum operation operation;
} OPERATIONS[] = {
    {BRUG__V1__CLIENT_FRAME__FRAME_ACK, OPERATION_ACK},
    {BRUG__V1__CLIENT_FRAME__FRAME_OPENED, OPERATION_OPENED},
    {BRUG__V1__CLIENT_FRAME__FRAME_TRACK, OPERATION_TRACK},
    {BRUG__V1__CLIENT_FRAME__FRAME_GET_DIRECTORY, OPERATION_GET_DIRECTORY},
    {BRUG__V1__CLIENT_FRAME__FRAME_PUT_COUNTERSIGNATURE, OPERATION_PUT_COUNTERSIGNATURE},
    {BRUG__V1__CLIENT_FRAME__FRAME_PUT_BINDING, OPERATION_PUT_BINDING},
    {BRUG__V1__CLIENT_FRAME__FRAME_PUT_ABSENCE, OPERATION_PUT_ABSENCE},
    {BRUG__V1__CLIENT_FRAME__FRAME_PUT_CARD, OPERATION_PUT_CARD},
    {BRUG__V1__CLIENT_FRAME__FRAME_GET_CASE, OPERATION_GET_CASE},
    {BRUG__V1__CLIENT_FRAME__FRAME_LIST_CASES, OPERATION_GET_CASE},
    {BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS, OPERATION_PUT_TAGS},
    {BRUG__V1__CLIENT_FRAME__FRAME_GET_FIGURES, OPERATION_GET_FIGURES},
};

/* A Submit is judged by its kind and the person that it names, in decide_submit. */
static bool role_may(const struct command *c)
{
    if (c->frame->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT)
        return true;
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++)
        if (OPERATIONS[i].frame_case == (int)c->frame->frame_case)
            return roles_may(endpoint_role(c->endpoint), OPERATIONS[i].operation) != SCOPE_NONE;
    return false;
}

/* What writes to the directory may be repeated without end, and a small request brings long records; a letter that was
 * opened may bring a whole case, and tags bring messages. */
static bool needs_room(const struct command *c)
{
    return c->frame->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_OPENED ||
           c->frame->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS ||
           c->frame->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_PUT_COUNTERSIGNATURE ||
           c->frame->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_PUT_ABSENCE ||
           c->frame->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_PUT_CARD;
}

void decide(const struct state *s, const struct policy *p, const struct command *c,
            struct decision *d)
{
    if (!role_may(c)) {
        decision_refuse(d, c, ERROR_ROLE_NOT_ALLOWED, NULL);
        return;
    }
    if (needs_room(c) && !p->has_room) {
        decision_refuse(d, c, ERROR_FULL, NULL);
        return;
    }
    switch (c->frame->frame_case) {
    case BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT:
        decide_submit(s, p, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_ACK:
        decide_ack(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_OPENED:
        decide_opened(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_TRACK:
        decide_track(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_DIRECTORY:
        decide_get_directory(s, p, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_COUNTERSIGNATURE:
        decide_put_countersignature(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_ABSENCE:
        decide_put_absence(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_CARD:
        decide_put_card(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_CASE:
        decide_get_case(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_LIST_CASES:
        decide_list_cases(c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS:
        decide_put_tags(s, c, d);
        break;
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_FIGURES:
        decide_get_figures(s, p, c, d);
        break;
    default:
        decision_refuse(d, c, ERROR_UPDATE_RELAY, NULL);
    }
}

const struct person *decide_actor(const struct state *s, const struct endpoint *e,
                                  ProtobufCBinaryData person)
{
    const struct person *p = person_find(s, person);
    if (!p || !person_is_active(p) || p->organisation != e->organisation)
        return NULL;
    if (e->person)
        return p == e->person ? p : NULL;
    bool is_doctor =
        p->row->role == BRUG__V1__ROLE__ROLE_GP || p->row->role == BRUG__V1__ROLE__ROLE_LOCUM;
    return is_doctor ? p : NULL;
}

/* ---- sessions ---- */

/* Below the reserve the log alone tells of sessions: one that comes and goes would eat what acknowledgements need. */
static void record_session(struct decision *d, const struct policy *p, const struct endpoint *e,
                           enum error refused, struct instant now)
{
    if (!p->has_room)
        return;
    Brug__V1__Session *r = decision_message(d, &brug__v1__session__descriptor);
    r->endpoint = id_bytes(&e->entity.id);
    r->refused = (Brug__V1__Code)refused;
    r->at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_SESSION, r, NULL);
}

static bool vouches(const struct municipality *m, const struct digest *anchor)
{
    for (size_t i = 0; i < m->row->n_anchors; i++) {
        struct digest d =
            digest_of_slice((struct slice){m->row->anchors[i].data, m->row->anchors[i].len});
        if (digest_equal(&d, anchor))
            return true;
    }
    return false;
}

enum error decide_connect(const struct state *s, const struct policy *p,
                          const struct relay_peer *peer, struct instant now, struct decision *d,
                          struct endpoint **out)
{
    struct endpoint *e = endpoint_find_key(s, &peer->key);
    *out = e;
    if (!e || e->row->recovery)
        return ERROR_NOT_ENROLLED;
    enum error error = endpoint_judge(e, NULL);
    if (!error && !vouches(e->organisation->home, &peer->anchor))
        error = ERROR_TLS_UNKNOWN_CA;
    if (error)
        record_session(d, p, e, error, now);
    return error;
}

static Brug__V1__Limits *limits_of(struct decision *d, const struct relay_limits *l)
{
    Brug__V1__Limits *to = decision_message(d, &brug__v1__limits__descriptor);
    to->frame_bytes_max = (uint32_t)l->message_bytes_max + LIMIT_FRAME_OVERHEAD_BYTES;
    to->message_bytes_max = (uint32_t)l->message_bytes_max;
    to->readers_max = l->readers_max;
    to->requests_max = l->requests_max;
    to->credit_messages_max = l->credit_messages_max;
    to->credit_bytes_max = l->credit_bytes_max;
    to->idle_ms_max = l->idle_ms_max;
    return to;
}

static void set_epochs(struct decision *d, const struct organisation *o, Brug__V1__Welcome *w)
{
    size_t count = o->row->n_municipalities;
    w->epochs = decision_alloc(d, count, sizeof *w->epochs);
    w->n_epochs = count;
    for (size_t i = 0; i < count; i++) {
        w->epochs[i] = decision_message(d, &brug__v1__epoch__descriptor);
        w->epochs[i]->municipality = id_bytes(&o->municipalities[i]->entity.id);
        w->epochs[i]->epoch = o->municipalities[i]->row->epoch;
    }
}

void decide_hello(const struct state *s, const struct policy *p, const struct command *c,
                  struct decision *d)
{
    const Brug__V1__Hello *h = c->frame->hello;
    const struct endpoint *e = c->endpoint;
    if (h->protocol_min > LIMIT_PROTOCOL || h->protocol_max < LIMIT_PROTOCOL) {
        record_session(d, p, e, ERROR_UPDATE_CLIENT, c->now);
        d->code = ERROR_UPDATE_CLIENT;
        return;
    }
    Brug__V1__Welcome *w = decision_message(d, &brug__v1__welcome__descriptor);
    w->protocol = LIMIT_PROTOCOL;
    w->municipality = id_bytes(&e->organisation->home->entity.id);
    w->organisation = id_bytes(&e->organisation->entity.id);
    w->endpoint = id_bytes(&e->entity.id);
    if (e->person)
        w->person = id_bytes(&e->person->entity.id);
    w->role = endpoint_role(e);
    w->limits = limits_of(d, p->limits);
    set_epochs(d, e->organisation, w);
    w->server_time_ms = c->now.wall_ms;
    w->generation = id_bytes(&s->generation);
    w->family_key = id_bytes(&e->organisation->family_key);
    record_session(d, p, e, ERROR_NONE, c->now);
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_WELCOME;
    d->answer.welcome = w;
}
