/*
 * daemon/core/relay.c: the way in: frames become commands, commands are judged or wait in the waiting
 * room, and what was decided goes to the pump. Also the relay's life and its small questions and orders.
 */
#include "daemon/core/relay_inside.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/outage.h"
#include "rules/roles.h"
#include "rules/workdays.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX (SIZE_MAX / 4)
#define STEPS_AT_ONCE 256u /* of cases; then others have their turn */
#define CLOCK_LEAP_MS INT64_C(3600000)
#define CLOCK_DOUBT_MS INT64_C(86400000)
#define FRAME(name) BRUG__V1__CLIENT_FRAME__FRAME_##name

/* ---- life ---- */

struct relay *relay_new(const struct relay_limits *limits, const struct relay_port *port, void *ctx,
                        struct state **state)
{
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->frame_arena = arena_new();
    r->decision_arena = arena_new();
    if (!r->frame_arena || !r->decision_arena || casefiles_set_terms(*state, &limits->terms)) {
        arena_free(r->frame_arena);
        arena_free(r->decision_arena);
        free(r);
        return NULL;
    }
    r->limits = *limits;
    r->port = *port;
    r->ctx = ctx;
    r->state = *state;
    *state = NULL;
    r->has_room = true;
    r->durable_lsn = r->followed_lsn = r->state->lsn;
    map_init(&r->sessions, r->state->seed);
    list_init(&r->due);
    list_init(&r->cancelling);
    held_init(&r->held);
    room_init(&r->room, r->state->seed);
    buf_init(&r->answer, ANSWER_BYTES_MAX);
    buf_init(&r->record, ANSWER_BYTES_MAX);
    for (size_t i = 0; i < table_count(&r->state->organisations); i++)
        changes_note(r,
                     container_of(r->state->organisations.sorted[i], struct organisation, entity));
    return r;
}

static void free_crls(struct relay *r)
{
    for (size_t i = 0; i < r->crl_count; i++)
        free(r->crls[i].data);
    free(r->crls);
    r->crls = NULL;
    r->crl_count = 0;
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    for (struct map_node *n; (n = map_next(&r->sessions, NULL));)
        session_free(r, container_of(n, struct session, node));
    map_fini(&r->sessions);
    group_free(r->open);
    for (size_t i = 0; i < r->full.count; i++)
        group_free(r->full.items[i]);
    free(r->full.items);
    held_fini(&r->held);
    room_fini(&r->room);
    buf_fini(&r->answer);
    buf_fini(&r->record);
    free_crls(r);
    arena_free(r->frame_arena);
    arena_free(r->decision_arena);
    state_free(r->state);
    free(r);
}

/* ---- commands ---- */

static void report(struct relay *r, const struct command *c, const struct decision *d)
{
    bool is_submit = c->frame->frame_case == FRAME(SUBMIT);
    struct relay_event event = {.name = is_submit ? "submit.refused" : "request.refused",
                                .code = d->code,
                                .field = d->field,
                                .session = c->session,
                                .organisation = c->endpoint->organisation->entity.id,
                                .endpoint = c->endpoint->entity.id,
                                .message_id = c->key.id,
                                .case_id = c->case_id};
    if (d->code) {
        pump_count_refusal(r, d->code);
        pump_event(r, &event);
    }
    if (d->event) {
        event.name = d->event;
        pump_event(r, &event);
    }
}

/* The header is judged where it is decided; here only its ids are wanted, to know who queues behind whom.
 * One with unknown fields does not decode: nothing may pass that the relay cannot check [P-13]. */
static void set_submit_keys(struct relay *r, struct command *c)
{
    ProtobufCMessage *header = NULL;
    struct slice bytes = check_slice(c->frame->submit->envelope->header);
    if (frame_decode_known(r->frame_arena, &brug__v1__header__descriptor, bytes, &header))
        return;
    c->header = (const Brug__V1__Header *)header;
    c->key.organisation = c->endpoint->organisation->entity.id;
    if (!id_take(c->header->message_id, &c->key.id))
        c->key.id = ID_NONE;
    if (!id_take(c->header->case_id, &c->case_id))
        c->case_id = ID_NONE;
}

static void set_keys(struct relay *r, struct command *c)
{
    const Brug__V1__ClientFrame *f = c->frame;
    bool is_whole = true;
    switch (f->frame_case) {
    case FRAME(SUBMIT):
        set_submit_keys(r, c);
        break;
    case FRAME(ACK):
        is_whole = id_take_optional(f->ack->organisation, &c->key.organisation) &&
                   id_take(f->ack->message_id, &c->key.id);
        break;
    case FRAME(OPENED):
        is_whole = id_take_optional(f->opened->organisation, &c->key.organisation) &&
                   id_take(f->opened->message_id, &c->key.id);
        break;
    case FRAME(TRACK):
        c->key.organisation = c->endpoint->organisation->entity.id;
        is_whole = id_take(f->track->message_id, &c->key.id);
        break;
    case FRAME(PUT_TAGS):
        is_whole = id_take(f->put_tags->case_id, &c->case_id);
        break;
    default:
        break;
    }
    assert(is_whole); /* check_client_frame saw to it */
    (void)is_whole;
}

/* Answers and commits. */
static void finish(struct relay *r, const struct command *c, uint64_t request, size_t cost_bytes,
                   struct decision *d)
{
    report(r, c, d);
    pump_pack(r, request, &d->answer);
    pump_commit(r, d);
    pump_answer(r, HELD_FRAME, c->session, cost_bytes);
}

static void refuse(struct relay *r, const struct command *c, uint64_t request, size_t cost_bytes,
                   enum error code, const char *field)
{
    struct decision d;
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    decision_refuse(&d, c, code, field);
    finish(r, c, request, cost_bytes, &d);
}

/* Fills the decision; true when it is one, false when a load is wanted first. */
static bool judge(struct relay *r, const struct command *c, struct decision *d)
{
    struct policy p = pump_policy(r);
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(d, r->decision_arena);
    if (endpoint_judge(c->endpoint, NULL))
        decision_refuse(d, c, ERROR_SUSPENDED, NULL); /* its sessions end when that is durable */
    else
        decide(r->state, &p, c, d);
    assert(!d->wants_load || (!c->is_loaded && d->record_count == 0));
    return !d->wants_load;
}

static bool ask_for_load(struct relay *r, const struct message_key *key)
{
    struct load *l = load_new(LOAD_MESSAGE);
    if (!l)
        return false;
    l->organisation = key->organisation;
    l->message_id = key->id;
    r->port.load(r->ctx, l);
    return true;
}

/* Into the waiting room, behind who waits there or for a load of its own; else BUSY. */
static void wait(struct relay *r, const struct command *c, uint64_t request, struct slice frame,
                 size_t cost_bytes, bool wants_load)
{
    struct waiter *w = r->room.count < r->limits.waiting_commands_max
                           ? room_enter(&r->room, c, request, frame, cost_bytes)
                           : NULL;
    if (w && wants_load && !(w->is_loading = ask_for_load(r, &c->key))) {
        room_leave(&r->room, w);
        w = NULL;
    }
    if (!w)
        refuse(r, c, request, cost_bytes, ERROR_BUSY, NULL);
}

static void run_command(struct relay *r, struct command *c, uint64_t request, struct slice frame,
                        size_t cost_bytes)
{
    struct decision d;
    set_keys(r, c);
    if (arena_lacked_memory(r->frame_arena)) /* nothing was seen to be wrong with its header */
        refuse(r, c, request, cost_bytes, ERROR_BUSY, NULL);
    else if (room_is_taken(&r->room, c))
        wait(r, c, request, frame, cost_bytes, false);
    else if (judge(r, c, &d))
        finish(r, c, request, cost_bytes, &d);
    else
        wait(r, c, request, frame, cost_bytes, true);
}

/* ---- the waiting room ---- */

/* The frame was checked when it came. */
static const Brug__V1__ClientFrame *decode_again(struct relay *r, const struct waiter *w)
{
    ProtobufCMessage *m = NULL;
    arena_reset(r->frame_arena, SIZE_MAX);
    enum error e = frame_decode_borrowed(r->frame_arena, &brug__v1__client_frame__descriptor,
                                         slice_of(w->frame, w->len), &m);
    assert(!e);
    (void)e;
    return (const Brug__V1__ClientFrame *)m;
}

static void run_waiter(struct relay *r, struct waiter *w)
{
    struct decision d;
    struct command c = {.session = w->session,
                        .endpoint = w->endpoint,
                        .frame = decode_again(r, w),
                        .is_loaded = w->is_loaded,
                        .now = r->now};
    set_keys(r, &c);
    if (arena_lacked_memory(r->frame_arena)) {
        refuse(r, &c, w->request, w->cost_bytes, ERROR_BUSY, NULL);
        room_leave(&r->room, w);
        return;
    }
    if (!judge(r, &c, &d)) {
        w->is_loading = ask_for_load(r, &c.key);
        if (w->is_loading)
            return;
        decision_refuse(&d, &c, ERROR_BUSY, NULL);
    }
    finish(r, &c, w->request, w->cost_bytes, &d);
    room_leave(&r->room, w);
}

static void run_waiters(struct relay *r)
{
    struct waiter *w;
    while ((w = room_next(&r->room)))
        run_waiter(r, w);
}

/* What a cold load brought becomes known, unless it is (T17: who asks for a foreign id waits for it too). */
static enum error recall(struct relay *r, const struct load *l)
{
    const struct message_key key = {l->organisation, l->message_id};
    ProtobufCMessage *known = NULL;
    struct message *m;
    if (l->result == ERROR_NOT_FOUND || message_find(r->state, &key))
        return ERROR_NONE;
    if (l->result)
        return l->result;
    arena_reset(r->frame_arena, SIZE_MAX);
    if (frame_decode_borrowed(r->frame_arena, &brug__v1__known_message__descriptor,
                              buf_slice(&l->bytes), &known))
        return arena_lacked_memory(r->frame_arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
    return state_recall(r->state, (const Brug__V1__KnownMessage *)known, &m);
}

static void refuse_waiter(struct relay *r, struct waiter *w, enum error cause)
{
    struct relay_event event = {.name = "message.unread",
                                .code = cause,
                                .session = w->session,
                                .organisation = w->key.organisation,
                                .message_id = w->key.id};
    struct command c = {
        .session = w->session, .endpoint = w->endpoint, .frame = decode_again(r, w), .now = r->now};
    pump_event(r, &event);
    set_keys(r, &c);
    refuse(r, &c, w->request, w->cost_bytes, ERROR_BUSY, NULL);
    room_leave(&r->room, w);
}

static void on_message_loaded(struct relay *r, const struct load *l)
{
    const struct message_key key = {l->organisation, l->message_id};
    struct waiter *w = room_find_loading(&r->room, &key);
    assert(w);
    enum error e = recall(r, l);
    w->is_loading = false;
    w->is_loaded = true;
    if (e)
        refuse_waiter(r, w, e);
    else
        room_wake(&r->room, w);
    run_waiters(r);
    message_trim(r->state);
}

void relay_on_loaded(struct relay *r, struct load *l, struct instant now)
{
    r->now = now;
    if (l->type == LOAD_MESSAGE)
        on_message_loaded(r, l);
    else
        delivery_on_loaded(r, l);
    load_free(l);
    delivery_run(r);
}

/* ---- frames ---- */

static void end_for(struct relay *r, struct session *s, enum error code)
{
    pump_count_refusal(r, code);
    session_end(r, s, code);
}

/* At once, but not before Welcome [P-6]. */
static void pong(struct relay *r, struct session *s, uint64_t request)
{
    Brug__V1__ServerFrame f = BRUG__V1__SERVER_FRAME__INIT;
    Brug__V1__Pong p = BRUG__V1__PONG__INIT;
    p.server_time_ms = r->now.wall_ms;
    p.more = delivery_has_more(s);
    f.frame_case = BRUG__V1__SERVER_FRAME__FRAME_PONG;
    f.pong = &p;
    pump_pack(r, request, &f);
    if (s->began_lsn <= r->durable_lsn) {
        struct slice part = buf_slice(&r->answer);
        session_send(r, s, &part, 1);
    } else if (s->unanswered < r->limits.requests_max) {
        s->unanswered++;
        pump_answer(r, HELD_FRAME, s->id, 0);
    } else {
        end_for(r, s, ERROR_CREDIT_EXCEEDED);
    }
}

/* A request that is answered in its turn. */
static void request(struct relay *r, struct session *s, const Brug__V1__ClientFrame *f,
                    struct slice frame, enum error malformed, const char *field)
{
    struct command c = {.session = s->id, .endpoint = s->endpoint, .frame = f, .now = r->now};
    if (s->unanswered >= r->limits.requests_max) {
        end_for(r, s, ERROR_CREDIT_EXCEEDED);
        return;
    }
    s->unanswered++;
    session_charge(r, s, frame.len);
    if (malformed)
        refuse(r, &c, f->request, frame.len, malformed, field);
    else
        run_command(r, &c, f->request, frame, frame.len);
}

static void subscribe(struct relay *r, struct session *s, const Brug__V1__ClientFrame *f,
                      struct slice frame)
{
    if (roles_may(endpoint_role(s->endpoint), OPERATION_SUBSCRIBE) == SCOPE_NONE)
        request(r, s, f, frame, ERROR_ROLE_NOT_ALLOWED, NULL);
    else
        session_on_credit(r, s, f->subscribe->messages, f->subscribe->bytes, true);
}

static void on_checked_frame(struct relay *r, struct session *s, const Brug__V1__ClientFrame *f,
                             struct slice frame)
{
    switch (f->frame_case) {
    case FRAME(PING):
        pong(r, s, f->request);
        break;
    case FRAME(SUBSCRIBE):
        subscribe(r, s, f, frame);
        break;
    case FRAME(CREDIT):
        session_on_credit(r, s, f->credit->messages, f->credit->bytes, false);
        break;
    default:
        request(r, s, f, frame, ERROR_NONE, NULL);
    }
}

/* ---- the clock ---- */

/* A clock that leaps makes nothing overdue for a day: a person may set it right. */
static void watch_clock(struct relay *r)
{
    int64_t gap_ms = r->now.wall_ms - r->now.mono_ms;
    int64_t leap_ms = r->has_clock_gap ? gap_ms - r->clock_gap_ms : 0;
    r->has_clock_gap = true;
    if (leap_ms > CLOCK_LEAP_MS || leap_ms < -CLOCK_LEAP_MS) {
        struct relay_event event = {.name = "clock.leapt"};
        r->steps_from_ms = r->now.mono_ms + CLOCK_DOUBT_MS;
        pump_event(r, &event);
    }
    r->clock_gap_ms = gap_ms;
    if (r->now.mono_ms >= r->steps_from_ms)
        r->steps_from_ms = 0;
    if (r->now.mono_ms >= r->word_until_ms)
        r->word_until_ms = 0;
}

/* Whether each working day of these lies in an outage that was recorded. */
static bool is_recorded(const struct state *s, const struct case_outage *days)
{
    const struct case_terms *t = &s->terms;
    return days->from > 0 && outage_workdays_add(t, days->from, 0, 0) > days->until;
}

/*
 * Half days do not count: what may be an outage begins on the day after the last record at the earliest, and ends before
 * today. A session makes a record, so that a relay which somebody uses, and which is started again each day, never waits;
 * one that nobody uses waits for a day after each start, and nobody is there to be told.
 */
void relay_begin(struct relay *r, int64_t last_ms, struct instant now)
{
    r->now = now;
    watch_clock(r);
    uint32_t last = workdays_date(last_ms), today = workdays_date(now.wall_ms);
    if (last_ms == 0 || last >= today || workdays_between(last, today - 1, 1) == 0)
        return;
    r->away = (struct case_outage){last + 1, today - 1};
    if (is_recorded(r->state, &r->away)) {
        r->away = (struct case_outage){0};
        return;
    }
    r->word_until_ms = now.mono_ms + r->limits.outage_wait_ms;
    pump_event(r, &(const struct relay_event){.name = "relay.was_away", .days = r->away});
}

/* An outage was recorded. */
static void hear_word(struct relay *r)
{
    if (!is_recorded(r->state, &r->away))
        return;
    r->away = (struct case_outage){0};
    r->word_until_ms = 0;
}

void relay_on_frame(struct relay *r, uint64_t session, struct slice frame, struct instant now)
{
    struct session *s = session_find(r, session);
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    r->now = now;
    watch_clock(r); /* before anything is judged by it */
    if (!s || r->is_draining)
        return;
    arena_reset(r->frame_arena, SIZE_MAX);
    enum error e =
        frame_decode_borrowed(r->frame_arena, &brug__v1__client_frame__descriptor, frame, &m);
    if (e) { /* without memory nothing is wrong with the frame: the client comes again */
        end_for(r, s, arena_lacked_memory(r->frame_arena) ? ERROR_TOO_MANY_CONNECTIONS : e);
        return;
    }
    const Brug__V1__ClientFrame *f = (const Brug__V1__ClientFrame *)m;
    if ((f->frame_case == FRAME(HELLO)) == s->is_welcome) {
        end_for(r, s, ERROR_HELLO_EXPECTED);
        return;
    }
    e = check_client_frame(f, &field);
    if (error_closes(e))
        end_for(r, s, e);
    else if (e)
        request(r, s, f, frame, e, field);
    else if (f->frame_case == FRAME(HELLO))
        session_on_hello(r, s, f);
    else
        on_checked_frame(r, s, f, frame);
}

/* ---- time and durability ---- */

/* What comes after every step: the drain ends when all has been said. */
static void settle(struct relay *r)
{
    watch_clock(r);
    message_keep_known(r->state, r->now.wall_ms, (size_t)r->limits.known_ids_max);
    changes_cancel(r);
    delivery_run(r);
    pump_hand_over(r);
    if (r->is_draining && pump_is_idle(r))
        session_end_all(r, ERROR_SHUTTING_DOWN);
}

void relay_flush(struct relay *r, struct instant now)
{
    r->now = now;
    settle(r);
}

void relay_on_durable(struct relay *r, uint64_t lsn, struct instant now)
{
    r->now = now;
    assert(r->in_flight_lsn && lsn == r->in_flight_lsn);
    r->durable_lsn = lsn;
    r->in_flight_lsn = 0;
    pump_hand_over(r); /* the storage thread works while the answers leave */
    pump_release(r);
    changes_follow(r);
    settle(r);
}

/* Notices are records: below the reserve, and while the fold lags, they wait. */
static bool may_take_steps(const struct relay *r) { return r->has_room && !r->is_fold_behind; }

/* Monotonic; 0: steps are taken. */
static int64_t steps_held_until_ms(const struct relay *r)
{
    return r->word_until_ms > r->steps_from_ms ? r->word_until_ms : r->steps_from_ms;
}

/* Wall time of the next step of a case; while steps are held, when that ends. */
static int64_t next_step_ms(const struct relay *r)
{
    const struct heap_node *step = heap_first(&r->state->steps);
    if (!step || !may_take_steps(r))
        return INT64_MAX;
    int64_t held_ms = steps_held_until_ms(r);
    int64_t held_wall_ms = held_ms + r->clock_gap_ms;
    return held_ms > 0 && held_wall_ms > step->due_ms ? held_wall_ms : step->due_ms;
}

int64_t relay_next_deadline_ms(const struct relay *r)
{
    const struct heap_node *end = heap_first(&r->state->ends);
    int64_t due_ms = end ? end->due_ms : INT64_MAX;
    int64_t step_ms = next_step_ms(r);
    if (step_ms < due_ms)
        due_ms = step_ms;
    return r->loads_after_ms && r->loads_after_wall_ms < due_ms ? r->loads_after_wall_ms : due_ms;
}

static void take_steps(struct relay *r)
{
    struct heap_node *n;
    if (!may_take_steps(r) || steps_held_until_ms(r) > 0)
        return;
    for (unsigned left = STEPS_AT_ONCE;
         left > 0 && (n = heap_first(&r->state->steps)) && n->due_ms <= r->now.wall_ms; left--) {
        const struct casefile *f = container_of(n, struct casefile, step);
        struct decision d;
        arena_reset(r->decision_arena, SIZE_MAX);
        decision_init(&d, r->decision_arena);
        bool is_taken = decide_case_step(r->state, f, r->now, &d);
        assert(is_taken);
        (void)is_taken;
        pump_commit(r, &d);
    }
}

void relay_on_time(struct relay *r, struct instant now)
{
    struct heap_node *n;
    r->now = now;
    if (r->is_draining)
        return;
    watch_clock(r);
    take_steps(r);
    while ((n = heap_first(&r->state->ends)) && n->due_ms <= now.wall_ms) {
        struct person *p = container_of(n, struct person, end);
        struct decision d;
        struct relay_event event = {.name = "person.ended",
                                    .organisation = p->organisation->entity.id};
        arena_reset(r->decision_arena, SIZE_MAX);
        decision_init(&d, r->decision_arena);
        decide_end(p, now, &d);
        pump_commit(r, &d);
        pump_event(r, &event);
    }
    settle(r);
}

void relay_drain(struct relay *r, struct instant now)
{
    r->now = now;
    r->is_draining = true;
    session_update_pause(r);
    settle(r);
}

bool relay_is_idle(const struct relay *r) { return pump_is_idle(r); }

/* ---- orders and questions ---- */

void relay_set_room(struct relay *r, bool has_room) { r->has_room = has_room; }

void relay_set_fold_behind(struct relay *r, bool is_behind)
{
    r->is_fold_behind = is_behind;
    session_update_pause(r);
}

void relay_set_folded(struct relay *r, uint64_t lsn) { state_set_folded(r->state, lsn); }

enum error relay_set_crls(struct relay *r, const struct slice *crls, size_t n)
{
    ProtobufCBinaryData *copies = calloc(n + 1, sizeof *copies);
    if (!copies)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        copies[i].data = malloc(crls[i].len + 1);
        if (!copies[i].data) {
            while (i > 0)
                free(copies[--i].data);
            free(copies);
            return ERROR_NO_MEMORY;
        }
        copies[i].len = crls[i].len;
        memcpy(copies[i].data, crls[i].data, crls[i].len);
    }
    free_crls(r);
    r->crls = copies;
    r->crl_count = n;
    return ERROR_NONE;
}

size_t relay_anchors(const struct relay *r, struct slice *ders, struct id *municipalities,
                     size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < table_count(&r->state->municipalities); i++) {
        const struct municipality *m =
            container_of(r->state->municipalities.sorted[i], struct municipality, entity);
        size_t end = municipality_is_active(m) ? municipality_anchors(m->row, ders, n, max) : n;
        while (n < end)
            municipalities[n++] = m->entity.id;
    }
    return n;
}

const Brug__V1__MunicipalityRow *relay_municipality(const struct relay *r, const struct id *id)
{
    const struct municipality *m = municipality_find(r->state, id_bytes(id));
    return m ? m->row : NULL;
}

const Brug__V1__OrganisationRow *relay_organisation(const struct relay *r, const struct id *id)
{
    const struct organisation *o = organisation_find(r->state, id_bytes(id));
    return o ? o->row : NULL;
}

const Brug__V1__PersonRow *relay_person(const struct relay *r, const struct id *id)
{
    const struct person *p = person_find(r->state, id_bytes(id));
    return p ? p->row : NULL;
}

const Brug__V1__EndpointRow *relay_endpoint(const struct relay *r, const struct id *id)
{
    const struct endpoint *e = endpoint_find(r->state, id_bytes(id));
    return e ? e->row : NULL;
}

void relay_count_refusal(struct relay *r, enum error code) { pump_count_refusal(r, code); }

void relay_status(const struct relay *r, Brug__V1__DaemonStatus *s, Brug__V1__CodeCount *counts,
                  size_t counts_max, size_t *n)
{
    s->generation = id_bytes(&r->state->generation);
    s->lsn = r->state->lsn;
    s->durable_lsn = r->durable_lsn;
    s->sessions = (uint32_t)r->sessions.count;
    s->waiting_messages = r->state->waiting;
    s->waiting_bytes = r->state->waiting_bytes;
    s->parked = r->state->parked;
    s->accepted = r->accepted;
    s->acknowledged = r->acknowledged;
    s->quarantined = r->state->quarantined;
    s->accepts = r->has_room && !r->is_draining;
    s->away_from_date = r->away.from;
    s->away_until_date = r->away.until;
    *n = 0;
    for (unsigned code = 0; code < CODES_MAX && *n < counts_max; code++) {
        if (r->refused[code] == 0)
            continue;
        brug__v1__code_count__init(&counts[*n]);
        counts[*n].code = (Brug__V1__Code)code;
        counts[(*n)++].count = r->refused[code];
    }
}

const struct state *relay_state(const struct relay *r) { return r->state; }

/* ---- administrators ---- */

static bool moves_anchors(const Brug__V1__AdminRequest *q)
{
    return q->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY ||
           (q->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS &&
            q->set_status->type == BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_MUNICIPALITY);
}

void relay_on_admin(struct relay *r, uint64_t ticket, const Brug__V1__Operator *by,
                    const Brug__V1__AdminRequest *request, const Brug__V1__EndpointRow *endpoint,
                    struct instant now)
{
    r->now = now;
    watch_clock(r);
    struct policy policy = pump_policy(r);
    struct admin_command c = {&policy, by, request, endpoint, now};
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    struct decision d;
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    decide_admin(r->state, &c, &d, &answer);
    buf_clear(&r->answer);
    enum error e = frame_append_bare(&r->answer, &answer.base);
    assert(!e); /* out of memory in the middle of a decision */
    (void)e;
    bool changes = d.record_count > 0;
    pump_commit(r, &d);
    if (changes && moves_anchors(request))
        r->anchors_lsn = r->state->lsn;
    if (changes && request->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_PUT_OUTAGE)
        hear_word(r);
    pump_answer(r, HELD_ADMIN_ANSWER, ticket, 0);
}
