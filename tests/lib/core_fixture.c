/* tests/lib/core_fixture.c: see core_fixture.h. */
#include "tests/lib/core_fixture.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CLOSED_CAPACITY 65536u
#define GENERATION_NUMBER 7u

static const uint64_t SEED[2] = {1, 2};
static char ANCHOR[] = "anchor certificate";
static char OTHER_ANCHOR[] = "another anchor certificate";

/* ---- memory that grows ---- */

static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 64;
    items = reallocarray(items, *capacity, size);
    assert_non_null(items);
    return items;
}

/* ---- ids ---- */

struct id fixture_id(unsigned version, uint32_t number)
{
    struct slice s = {(const uint8_t *)&number, sizeof number};
    struct digest d = digest_of_slice(s);
    struct id id = id_v8(&d);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | version << 4);
    return id;
}

struct id fixture_message_id(struct fixture *f)
{
    struct id random = fixture_id(4, f->next_id++);
    return id_v7(f->now.wall_ms, random.bytes);
}

struct id fixture_case_id(struct fixture *f) { return fixture_id(4, f->next_id++); }

/* ---- the port ---- */

static bool on_send(void *ctx, uint64_t session, const struct slice *parts, size_t n)
{
    struct fixture *f = ctx;
    struct buf b;
    struct slice rest, frame;
    bool complete;
    size_t wanted;
    buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_append_slice(&b, parts[i]), 0);
    rest = buf_slice(&b);
    assert_int_equal((int)f->closed[session], -1);
    while (rest.len > 0) {
        assert_int_equal(frame_next(&rest, SIZE_MAX / 4, &frame, &complete, &wanted), 0);
        assert_true(complete);
        f->frames = grown(f->frames, f->frame_count, &f->frame_capacity, sizeof *f->frames);
        f->frames[f->frame_count].session = session;
        f->frames[f->frame_count].frame =
            brug__v1__server_frame__unpack(NULL, frame.len, frame.data);
        assert_non_null(f->frames[f->frame_count].frame);
        f->frame_count++;
    }
    buf_fini(&b);
    return !f->is_output_full;
}

static void on_close(void *ctx, uint64_t session, enum error code)
{
    struct fixture *f = ctx;
    assert_int_equal((int)f->closed[session], -1);
    f->closed[session] = code;
}

static void on_welcomed(void *ctx, uint64_t session, size_t frame_bytes_max)
{
    (void)ctx;
    assert_true(session > 0 && frame_bytes_max > LIMIT_FRAME_BYTES_BEFORE_WELCOME);
}

static void on_pause(void *ctx, uint64_t session, bool is_paused)
{
    struct fixture *f = ctx;
    if (session == 0)
        f->is_all_paused = is_paused;
    f->paused = is_paused ? f->paused + 1 : f->paused - 1;
}

static void on_commit(void *ctx, struct group *g)
{
    struct fixture *f = ctx;
    assert_null(f->in_flight);
    assert_true(g->count > 0);
    f->in_flight = g;
}

static void on_load(void *ctx, struct load *l)
{
    struct fixture *f = ctx;
    assert_true(f->load_count < sizeof f->loads / sizeof f->loads[0]);
    f->loads[f->load_count++] = l;
}

static void on_admin_answer(void *ctx, uint64_t ticket, const Brug__V1__AdminAnswer *a)
{
    struct fixture *f = ctx;
    size_t len = brug__v1__admin_answer__get_packed_size(a);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    brug__v1__admin_answer__pack(a, bytes);
    if (f->admin_answer)
        brug__v1__admin_answer__free_unpacked(f->admin_answer, NULL);
    f->admin_answer = brug__v1__admin_answer__unpack(NULL, len, bytes);
    f->admin_ticket = ticket;
    free(bytes);
}

static void on_anchors_changed(void *ctx) { ((struct fixture *)ctx)->anchors_changed++; }

static void on_event(void *ctx, const struct relay_event *e)
{
    struct fixture *f = ctx;
    f->events[f->event_count++ % 64] = *e;
}

static const struct relay_port PORT = {on_send,         on_close,           on_welcomed,
                                       on_pause,        on_commit,          on_load,
                                       on_admin_answer, on_anchors_changed, on_event};

/* ---- the store ---- */

void fixture_flush(struct fixture *f) { relay_flush(f->relay, f->now); }

static void keep_body(struct fixture *f, const struct group_body *b)
{
    f->bodies = grown(f->bodies, f->body_count, &f->body_capacity, sizeof *f->bodies);
    f->bodies[f->body_count++] = (struct fixture_body){b->lsn, body_ref(b->body)};
}

static void keep_record(struct fixture *f, uint64_t lsn, unsigned type, struct slice payload)
{
    uint8_t *copy = malloc(payload.len + 1);
    assert_non_null(copy);
    if (payload.len > 0)
        memcpy(copy, payload.data, payload.len);
    f->rows = grown(f->rows, f->row_count, &f->row_capacity, sizeof *f->rows);
    f->rows[f->row_count++] = (struct fixture_row){lsn, type, slice_of(copy, payload.len)};
    assert_int_equal(apply_record(f->tables, lsn, type, payload), 0);
}

bool fixture_commit(struct fixture *f)
{
    struct group *g = f->in_flight;
    if (!g)
        return false;
    struct slice rest = buf_slice(&g->records), payload;
    unsigned type;
    uint64_t lsn = g->first_lsn;
    for (uint32_t i = 0; i < g->count; i++, lsn++) {
        assert_int_equal(group_next_record(&rest, &type, &payload), 0);
        keep_record(f, lsn, type, payload);
    }
    assert_int_equal(rest.len, 0);
    for (size_t i = 0; i < g->body_count; i++)
        keep_body(f, &g->bodies[i]);
    f->in_flight = NULL;
    group_free(g);
    relay_on_durable(f->relay, lsn - 1, f->now);
    return true;
}

uint64_t fixture_committed_lsn(const struct fixture *f)
{
    return f->row_count ? f->rows[f->row_count - 1].lsn : 0;
}

size_t fixture_count_records(const struct fixture *f, unsigned type)
{
    size_t n = 0;
    for (size_t i = 0; i < f->row_count; i++)
        n += f->rows[i].type == type;
    return n;
}

/* A message as the tables would hold it. */
static void append_known(struct buf *out, const struct message *m)
{
    Brug__V1__KnownMessage k = BRUG__V1__KNOWN_MESSAGE__INIT;
    Brug__V1__KnownReader readers[LIMIT_READERS], *list[LIMIT_READERS];
    k.message_id = id_bytes(&m->key.id);
    k.organisation = id_bytes(&m->key.organisation);
    if (m->sender)
        k.endpoint = id_bytes(&m->sender->entity.id);
    if (m->municipality)
        k.municipality = id_bytes(&m->municipality->entity.id);
    if (m->to)
        k.to = id_bytes(&m->to->entity.id);
    k.kind = (Brug__V1__Kind)m->kind;
    k.case_id = id_bytes(&m->case_id);
    k.digest = digest_bytes(&m->digest);
    k.code = (Brug__V1__Code)m->code;
    k.at_ms = m->at_ms;
    k.body_lsn = m->body_lsn;
    k.body_bytes = m->body_bytes;
    k.quarantined = m->is_quarantined;
    k.n_readers = m->reader_count;
    k.readers = list;
    for (size_t i = 0; i < m->reader_count; i++) {
        const struct reader *r = &m->readers[i];
        list[i] = &readers[i];
        brug__v1__known_reader__init(list[i]);
        list[i]->endpoint = id_bytes(&r->endpoint->entity.id);
        list[i]->sequence = r->sequence;
        list[i]->opened_at_ms = r->opened_at_ms;
        if (r->opened_by)
            list[i]->opened_by = id_bytes(&r->opened_by->entity.id);
        if (r->state == READER_FETCHED)
            list[i]->fetched_at_ms = r->settled_at_ms;
        if (r->state == READER_UNREADABLE) {
            list[i]->unreadable = (Brug__V1__Code)r->code;
            list[i]->unreadable_at_ms = r->settled_at_ms;
        }
        if (r->state == READER_CANCELLED)
            list[i]->cancelled_at_ms = r->settled_at_ms;
    }
    assert_int_equal(frame_append_bare(out, &k.base), 0);
}

static void answer_message(struct fixture *f, struct load *l)
{
    const struct message_key key = {l->organisation, l->message_id};
    const struct message *m = message_find(f->tables, &key);
    l->result = m ? ERROR_NONE : ERROR_NOT_FOUND;
    if (m)
        append_known(&l->bytes, m);
}

static void answer_body(struct fixture *f, struct load *l)
{
    l->result = ERROR_NOT_FOUND;
    for (size_t i = 0; i < f->body_count; i++) {
        if (f->bodies[i].lsn != l->body_lsn)
            continue;
        struct body *b = f->bodies[i].body;
        assert_int_equal(buf_append(&l->bytes, b->bytes, b->len), 0);
        if (l->body_lsn == f->spoiled_lsn)
            l->bytes.data[b->len - 1] ^= 1;
        l->result = ERROR_NONE;
    }
}

void fixture_load(struct fixture *f)
{
    while (f->load_count > 0) {
        struct load *l = f->loads[0];
        f->load_count--;
        memmove(f->loads, f->loads + 1, f->load_count * sizeof f->loads[0]);
        if (f->load_result)
            l->result = f->load_result;
        else if (l->type == LOAD_MESSAGE)
            answer_message(f, l);
        else
            answer_body(f, l);
        relay_on_loaded(f->relay, l, f->now);
    }
}

void fixture_settle(struct fixture *f)
{
    do {
        fixture_load(f);
        fixture_flush(f);
    } while (fixture_commit(f) || f->load_count > 0);
}

static void load_rows(struct state *to, const struct table *t, unsigned type, size_t offset)
{
    for (size_t i = 0; i < table_count(t); i++) {
        struct buf b;
        const ProtobufCMessage *row;
        memcpy(&row, (const char *)t->sorted[i] + offset, sizeof row);
        Brug__V1__EndpointRow endpoint;
        if (type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT) {
            endpoint = *(const Brug__V1__EndpointRow *)row;
            endpoint.sequence = container_of(t->sorted[i], struct endpoint, entity)->sequence;
            row = &endpoint.base;
        }
        buf_init(&b, 1u << 20);
        assert_int_equal(frame_append_bare(&b, row), 0);
        assert_int_equal(state_load_row(to, type, buf_slice(&b)), 0);
        buf_fini(&b);
    }
}

static void load_cases(struct state *to, const struct state *from)
{
    for (struct map_node *n = map_next(&from->cases, NULL); n; n = map_next(&from->cases, n)) {
        const struct casefile *c = container_of(n, struct casefile, node);
        Brug__V1__CaseOpened row = BRUG__V1__CASE_OPENED__INIT;
        struct buf b;
        row.case_id = id_bytes(&c->id);
        row.municipality = id_bytes(&c->municipality->entity.id);
        row.practice = id_bytes(&c->practice->entity.id);
        row.team = id_bytes(&c->team->entity.id);
        row.message_id = id_bytes(&c->message_id);
        row.at_ms = c->at_ms;
        buf_init(&b, 1u << 20);
        assert_int_equal(frame_append_bare(&b, &row.base), 0);
        assert_int_equal(
            state_load_row(to, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED, buf_slice(&b)), 0);
        buf_fini(&b);
    }
}

static void load_messages(struct state *to, const struct state *from, int64_t low_water_ms)
{
    for (struct map_node *n = map_next(&from->messages, NULL); n;
         n = map_next(&from->messages, n)) {
        const struct message *m = container_of(n, struct message, node);
        struct buf b;
        if (m->waiting_count == 0 &&
            !(id_version(&m->key.id) == 7 && id_v7_ms(&m->key.id) >= low_water_ms))
            continue;
        buf_init(&b, 1u << 20);
        append_known(&b, m);
        Brug__V1__KnownMessage *k = brug__v1__known_message__unpack(NULL, b.len, b.data);
        assert_int_equal(state_load_message(to, k), 0);
        brug__v1__known_message__free_unpacked(k, NULL);
        buf_fini(&b);
    }
}

static struct state *state_of(const struct fixture *f, uint64_t upto, int64_t low_water_ms)
{
    struct state *s = state_new(SEED);
    struct id generation = fixture_id(4, GENERATION_NUMBER);
    assert_non_null(s);
    state_load_done(s, 0, low_water_ms, &generation);
    for (size_t i = 0; i < f->row_count && f->rows[i].lsn <= upto; i++)
        assert_int_equal(apply_record(s, f->rows[i].lsn, f->rows[i].type, f->rows[i].payload), 0);
    return s;
}

struct state *fixture_replay(const struct fixture *f, uint64_t folded_lsn)
{
    struct id generation = fixture_id(4, GENERATION_NUMBER);
    struct state *from = state_of(f, folded_lsn, INT64_MIN), *s = state_new(SEED);
    assert_non_null(s);
    load_rows(s, &from->municipalities, BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY,
              offsetof(struct municipality, row));
    load_rows(s, &from->organisations, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION,
              offsetof(struct organisation, row));
    load_rows(s, &from->persons, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON,
              offsetof(struct person, row));
    load_rows(s, &from->endpoints, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT,
              offsetof(struct endpoint, row));
    load_cases(s, from);
    load_messages(s, from, f->low_water_ms);
    state_load_done(s, folded_lsn, f->low_water_ms, &generation);
    state_free(from);
    for (size_t i = 0; i < f->row_count; i++)
        assert_int_equal(apply_record(s, f->rows[i].lsn, f->rows[i].type, f->rows[i].payload), 0);
    return s;
}

void fixture_crash(struct fixture *f, uint64_t folded_lsn)
{
    relay_free(f->relay);
    group_free(f->in_flight);
    f->in_flight = NULL;
    for (size_t i = 0; i < f->load_count; i++)
        load_free(f->loads[i]);
    f->load_count = 0;
    f->paused = 0;
    f->is_all_paused = false;
    for (uint64_t i = 1; i <= f->last_session; i++)
        if ((int)f->closed[i] == -1)
            f->closed[i] = ERROR_IO;
    struct state *s = fixture_replay(f, folded_lsn);
    f->relay = relay_new(&f->limits, &PORT, f, &s);
    assert_non_null(f->relay);
    assert_null(s);
}

/* ---- sessions ---- */

void fixture_key(const struct fixture_endpoint *e, struct digest *key)
{
    *key = digest_of_slice(id_slice(&e->id));
}

static uint64_t open_with(struct fixture *f, struct fixture_endpoint *e, const char *anchor)
{
    struct relay_peer peer = {.anchor = digest_of_slice(slice_text(anchor)),
                              .not_after_ms = INT64_MAX};
    fixture_key(e, &peer.key);
    assert_true(f->last_session + 1 < CLOSED_CAPACITY);
    e->session = ++f->last_session;
    f->closed[e->session] = (enum error) - 1;
    relay_on_connect(f->relay, e->session, &peer, f->now);
    return e->session;
}

uint64_t fixture_open(struct fixture *f, struct fixture_endpoint *e)
{
    bool is_stranger = id_equal(&e->organisation, &f->stranger);
    return open_with(f, e, is_stranger ? OTHER_ANCHOR : ANCHOR);
}

uint64_t fixture_connect(struct fixture *f, struct fixture_endpoint *e)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Hello hello = BRUG__V1__HELLO__INIT;
    uint64_t session = fixture_open(f, e);
    if (fixture_is_closed(f, session, NULL))
        return session;
    hello.protocol_min = hello.protocol_max = LIMIT_PROTOCOL;
    hello.software = (char *)(uintptr_t) "fixture";
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_HELLO;
    frame.hello = &hello;
    fixture_send(f, session, &frame);
    return session;
}

uint64_t fixture_listen(struct fixture *f, struct fixture_endpoint *e)
{
    uint64_t session = fixture_connect(f, e);
    fixture_subscribe(f, session, 1000, 1u << 20);
    fixture_settle(f);
    Brug__V1__ServerFrame *w = fixture_take(f, session);
    assert_non_null(w);
    assert_int_equal(w->frame_case, BRUG__V1__SERVER_FRAME__FRAME_WELCOME);
    return session;
}

void fixture_disconnect(struct fixture *f, struct fixture_endpoint *e)
{
    if (e->session && !fixture_is_closed(f, e->session, NULL)) {
        f->closed[e->session] = ERROR_IO;
        relay_on_disconnect(f->relay, e->session);
    }
    e->session = 0;
}

void fixture_send(struct fixture *f, uint64_t session, Brug__V1__ClientFrame *frame)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    assert_int_equal(frame_append_bare(&b, &frame->base), 0);
    relay_on_frame(f->relay, session, buf_slice(&b), f->now);
    buf_fini(&b);
}

Brug__V1__ServerFrame *fixture_take(struct fixture *f, uint64_t session)
{
    for (size_t i = f->frame_first; i < f->frame_count; i++) {
        if (f->frames[i].session != session)
            continue;
        f->frames[i].session = 0;
        while (f->frame_first < f->frame_count && f->frames[f->frame_first].session == 0)
            f->frame_first++;
        return f->frames[i].frame;
    }
    return NULL;
}

bool fixture_is_closed(const struct fixture *f, uint64_t session, enum error *why)
{
    if ((int)f->closed[session] == -1)
        return false;
    if (why)
        *why = f->closed[session];
    return true;
}

enum error fixture_take_code(struct fixture *f, uint64_t session)
{
    Brug__V1__ServerFrame *s = fixture_take(f, session);
    assert_non_null(s);
    if (s->frame_case != BRUG__V1__SERVER_FRAME__FRAME_REFUSED)
        return ERROR_NONE;
    assert_int_equal(s->refused->passing, error_is_passing((enum error)s->refused->code));
    return (enum error)s->refused->code;
}

void fixture_subscribe(struct fixture *f, uint64_t session, uint32_t messages, uint64_t bytes)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Subscribe subscribe = BRUG__V1__SUBSCRIBE__INIT;
    subscribe.messages = messages;
    subscribe.bytes = bytes;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBSCRIBE;
    frame.subscribe = &subscribe;
    fixture_send(f, session, &frame);
}

void fixture_ack(struct fixture *f, uint64_t session, const struct id *organisation,
                 const struct id *message, enum error unreadable)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ack ack = BRUG__V1__ACK__INIT;
    ack.organisation = id_bytes(organisation);
    ack.message_id = id_bytes(message);
    ack.result = unreadable ? BRUG__V1__ACK_RESULT__ACK_RESULT_UNREADABLE
                            : BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    ack.code = (Brug__V1__Code)unreadable;
    frame.request = 2;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_ACK;
    frame.ack = &ack;
    fixture_send(f, session, &frame);
}

void fixture_opened(struct fixture *f, uint64_t session, const struct id *organisation,
                    const struct id *message, const struct id *person)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Opened opened = BRUG__V1__OPENED__INIT;
    opened.organisation = id_bytes(organisation);
    opened.message_id = id_bytes(message);
    opened.person = id_bytes(person);
    frame.request = 3;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_OPENED;
    frame.opened = &opened;
    fixture_send(f, session, &frame);
}

void fixture_track(struct fixture *f, uint64_t session, const struct id *message)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Track track = BRUG__V1__TRACK__INIT;
    track.message_id = id_bytes(message);
    frame.request = 4;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_TRACK;
    frame.track = &track;
    fixture_send(f, session, &frame);
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
        assert_true(++n < LIMIT_FIXTURE_READERS);
    }
    return n;
}

void fixture_set_readers(const struct fixture *f, struct fixture_letter *l)
{
    const struct state *s = relay_state(f->relay);
    const struct organisation *from = organisation_find(s, id_bytes(&l->from->organisation));
    const struct organisation *to = organisation_find(s, id_bytes(&l->to));
    assert_non_null(from);
    if (!to)
        to = from;
    l->reader_count = ids_of(&from->readers, &to->readers, &l->from->id, l->readers);
    l->copy_count = ids_of(&from->recoveries, &to->recoveries, NULL, l->copies);
}

struct fixture_letter fixture_letter(struct fixture *f, Brug__V1__Kind kind,
                                     const struct fixture_endpoint *from, const struct id *to,
                                     const struct id *case_id)
{
    struct fixture_letter l = {.kind = kind,
                               .id = fixture_message_id(f),
                               .case_id = case_id ? *case_id : ID_NONE,
                               .from = from,
                               .person = id_is_none(&from->person) ? f->gp : from->person,
                               .to = *to,
                               .municipality = f->municipality,
                               .sealed = "sealed bytes"};
    fixture_set_readers(f, &l);
    return l;
}

static void set_ids(ProtobufCBinaryData *to, const struct id *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = id_bytes(&from[i]);
}

void fixture_submit(struct fixture *f, uint64_t session, const struct fixture_letter *l)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Submit submit = BRUG__V1__SUBMIT__INIT;
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    Brug__V1__Header h = BRUG__V1__HEADER__INIT;
    Brug__V1__Sender from = BRUG__V1__SENDER__INIT;
    ProtobufCBinaryData readers[LIMIT_FIXTURE_READERS], copies[LIMIT_FIXTURE_READERS];
    struct buf header, sealed;
    buf_init(&header, LIMIT_HEADER_BYTES);
    buf_init(&sealed, SIZE_MAX / 2);
    from.organisation = id_bytes(&l->from->organisation);
    from.endpoint = id_bytes(&l->from->id);
    from.person = id_bytes(&l->person);
    h.protocol = LIMIT_PROTOCOL;
    h.profile = LIMIT_PROFILE;
    h.message_id = id_bytes(&l->id);
    h.kind = l->kind;
    h.case_id = id_bytes(&l->case_id);
    h.municipality = id_bytes(&l->municipality);
    h.from = &from;
    h.to = id_bytes(&l->to);
    set_ids(readers, l->readers, l->reader_count);
    set_ids(copies, l->copies, l->copy_count);
    h.n_readers = l->reader_count;
    h.readers = readers;
    h.n_copies = l->copy_count;
    h.copies = copies;
    h.written_at_ms = FIXTURE_NOW_MS;
    if (l->kind == BRUG__V1__KIND__KIND_REFERRAL) {
        h.flags = l->has_no_ground ? 0 : BRUG__V1__HEADER_FLAG__HEADER_FLAG_GROUND_RECORDED;
        h.reason = BRUG__V1__REASON__REASON_PARENTING;
        h.request_type = BRUG__V1__REQUEST_TYPE__REQUEST_TYPE_CLARIFY;
    }
    assert_int_equal(frame_append_bare(&header, &h.base), 0);
    assert_int_equal(buf_append_slice(&sealed, slice_text(l->sealed)), 0);
    for (size_t i = 0; i < l->filler_bytes; i++)
        assert_int_equal(buf_append_u8(&sealed, (uint8_t)i), 0);
    envelope.header = slice_bytes(buf_slice(&header));
    envelope.sealed = slice_bytes(buf_slice(&sealed));
    submit.envelope = &envelope;
    frame.request = 1;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT;
    frame.submit = &submit;
    fixture_send(f, session, &frame);
    buf_fini(&header);
    buf_fini(&sealed);
}

void fixture_post(struct fixture *f, const struct fixture_letter *l)
{
    fixture_submit(f, l->from->session, l);
    fixture_settle(f);
    Brug__V1__ServerFrame *s = fixture_take(f, l->from->session);
    assert_non_null(s);
    if (s->frame_case == BRUG__V1__SERVER_FRAME__FRAME_REFUSED)
        fail_msg("refused: %s %s", error_name((enum error)s->refused->code), s->refused->field);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_RECEIPT);
}

/* ---- administration ---- */

const Brug__V1__AdminAnswer *fixture_admin(struct fixture *f, Brug__V1__AdminRequest *q,
                                           const Brug__V1__EndpointRow *endpoint)
{
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    by.name = (char *)(uintptr_t) "root";
    relay_on_admin(f->relay, 99, &by, q, endpoint, f->now);
    fixture_settle(f);
    assert_int_equal(f->admin_ticket, 99);
    f->admin_ticket = 0;
    return f->admin_answer;
}

const Brug__V1__AdminAnswer *fixture_set_status(struct fixture *f, Brug__V1__ObjectType type,
                                                const struct id *id, Brug__V1__Status status)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    set.type = type;
    set.id = id_bytes(id);
    set.status = status;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    q.set_status = &set;
    return fixture_admin(f, &q, NULL);
}

static void add_municipality(struct fixture *f, const struct id *id, char *anchor)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddMunicipality add = BRUG__V1__ADD_MUNICIPALITY__INIT;
    ProtobufCBinaryData anchors[1] = {{strlen(anchor), (uint8_t *)anchor}};
    add.municipality = id_bytes(id);
    add.name = (char *)(uintptr_t) "Bronckhorst";
    add.n_anchors = 1;
    add.anchors = anchors;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY;
    q.add_municipality = &add;
    assert_int_equal(fixture_admin(f, &q, NULL)->code, 0);
}

static void add_organisation(struct fixture *f, const struct id *id,
                             Brug__V1__OrganisationKind kind, const struct id *municipality)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
    ProtobufCBinaryData municipalities[1] = {id_bytes(municipality)};
    add.organisation = id_bytes(id);
    add.kind = kind;
    add.n_municipalities = 1;
    add.municipalities = municipalities;
    add.name = (char *)(uintptr_t) "Praktijk De Linde";
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
    q.add_organisation = &add;
    assert_int_equal(fixture_admin(f, &q, NULL)->code, 0);
    assert_true(f->admin_answer->invitation.len > 0);
}

void fixture_add_person(struct fixture *f, const struct id *id, const struct id *organisation,
                        Brug__V1__Role role, int64_t until_ms)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddPerson add = BRUG__V1__ADD_PERSON__INIT;
    add.person = id_bytes(id);
    add.organisation = id_bytes(organisation);
    add.name = (char *)(uintptr_t) "A. Jansen";
    add.role = role;
    add.until_ms = until_ms;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_PERSON;
    q.add_person = &add;
    const Brug__V1__AdminAnswer *a = fixture_admin(f, &q, NULL);
    if (a->code)
        fail_msg("%s", a->error);
}

void fixture_add_endpoint(struct fixture *f, struct fixture_endpoint *e, const struct id *id,
                          const struct id *organisation, const struct id *person, bool recovery)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddEndpoint add = BRUG__V1__ADD_ENDPOINT__INIT;
    Brug__V1__EndpointRow row = BRUG__V1__ENDPOINT_ROW__INIT;
    Brug__V1__SignedBinding binding = BRUG__V1__SIGNED_BINDING__INIT;
    struct digest key;
    *e = (struct fixture_endpoint){*id, *organisation, person ? *person : ID_NONE, 0};
    fixture_key(e, &key);
    binding.binding = id_bytes(id);
    binding.signature = id_bytes(id);
    row.endpoint = id_bytes(id);
    row.organisation = id_bytes(organisation);
    row.person = id_bytes(&e->person);
    row.recovery = recovery;
    row.binding = &binding;
    row.identity_certificate = id_bytes(id);
    row.sealing_certificate = id_bytes(id);
    row.identity_key_digest = digest_bytes(&key);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ENDPOINT;
    q.add_endpoint = &add;
    const Brug__V1__AdminAnswer *a = fixture_admin(f, &q, &row);
    if (a->code)
        fail_msg("%s", a->error);
}

bool fixture_saw_event(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < 64 && i < f->event_count; i++)
        if (strcmp(f->events[i].name, name) == 0)
            return true;
    return false;
}

/* ---- life ---- */

struct relay_limits fixture_limits(void)
{
    return (struct relay_limits){.message_bytes_max = 1u << 20,
                                 .readers_max = LIMIT_READERS,
                                 .requests_max = 64,
                                 .credit_messages_max = 1000,
                                 .credit_bytes_max = 8u << 20,
                                 .idle_ms_max = 60000,
                                 .session_unstored_bytes_max = 1u << 20,
                                 .unstored_bytes_max = 16u << 20,
                                 .group_bytes_max = 256u << 10,
                                 .body_cache_bytes_max = 4u << 20,
                                 .waiting_max = 100000,
                                 .waiting_bytes_max = 1u << 30,
                                 .quota_messages_max = 10000,
                                 .quota_bytes_max = 1u << 30,
                                 .waiting_commands_max = 64};
}

static void make_directory(struct fixture *f)
{
    uint32_t n = 100;
    struct id *ids[] = {
        &f->municipality, &f->other_municipality, &f->practice,    &f->team,  &f->stranger, &f->gp,
        &f->gp2,          &f->consultant,         &f->consultant2, &f->leader};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        *ids[i] = fixture_id(4, n++);
    struct id e[7], stranger_gp = fixture_id(4, n++);
    for (size_t i = 0; i < 7; i++)
        e[i] = fixture_id(4, n++);
    add_municipality(f, &f->municipality, ANCHOR);
    add_municipality(f, &f->other_municipality, OTHER_ANCHOR);
    add_organisation(f, &f->practice, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE,
                     &f->municipality);
    add_organisation(f, &f->team, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM,
                     &f->municipality);
    add_organisation(f, &f->stranger, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE,
                     &f->other_municipality);
    fixture_add_person(f, &f->gp, &f->practice, BRUG__V1__ROLE__ROLE_GP, 0);
    fixture_add_person(f, &f->gp2, &f->practice, BRUG__V1__ROLE__ROLE_GP, 0);
    fixture_add_person(f, &f->consultant, &f->team, BRUG__V1__ROLE__ROLE_CONSULTANT, 0);
    fixture_add_person(f, &f->consultant2, &f->team, BRUG__V1__ROLE__ROLE_CONSULTANT, 0);
    fixture_add_person(f, &f->leader, &f->team, BRUG__V1__ROLE__ROLE_LEADER, 0);
    fixture_add_person(f, &stranger_gp, &f->stranger, BRUG__V1__ROLE__ROLE_GP, 0);
    fixture_add_endpoint(f, &f->gp_pc, &e[0], &f->practice, &f->gp, false);
    fixture_add_endpoint(f, &f->gp2_pc, &e[1], &f->practice, &f->gp2, false);
    fixture_add_endpoint(f, &f->system, &e[2], &f->practice, NULL, false);
    fixture_add_endpoint(f, &f->practice_recovery, &e[3], &f->practice, NULL, true);
    fixture_add_endpoint(f, &f->consultant_pc, &e[4], &f->team, &f->consultant, false);
    fixture_add_endpoint(f, &f->consultant2_pc, &e[5], &f->team, &f->consultant2, false);
    fixture_add_endpoint(f, &f->stranger_pc, &e[6], &f->stranger, &stranger_gp, false);
}

struct fixture *fixture_new(const struct relay_limits *limits)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->limits = limits ? *limits : fixture_limits();
    f->now = (struct instant){FIXTURE_NOW_MS, 1000};
    f->low_water_ms = FIXTURE_NOW_MS - LIMIT_KNOWN_ID_MS;
    f->next_id = 1000;
    f->closed = calloc(CLOSED_CAPACITY, sizeof *f->closed);
    f->tables = state_of(f, 0, INT64_MIN);
    struct state *s = fixture_replay(f, 0);
    f->relay = relay_new(&f->limits, &PORT, f, &s);
    assert_non_null(f->relay);
    make_directory(f);
    return f;
}

void fixture_free(struct fixture *f)
{
    relay_free(f->relay);
    state_free(f->tables);
    group_free(f->in_flight);
    for (size_t i = 0; i < f->load_count; i++)
        load_free(f->loads[i]);
    for (size_t i = 0; i < f->row_count; i++)
        free((void *)(uintptr_t)f->rows[i].payload.data);
    for (size_t i = 0; i < f->body_count; i++)
        body_unref(f->bodies[i].body);
    for (size_t i = 0; i < f->frame_count; i++)
        brug__v1__server_frame__free_unpacked(f->frames[i].frame, NULL);
    if (f->admin_answer)
        brug__v1__admin_answer__free_unpacked(f->admin_answer, NULL);
    free(f->rows);
    free(f->bodies);
    free(f->frames);
    free(f->closed);
    free(f);
}
