/* tests/lib/stage.c: see world.h. */
#include "tests/lib/stage.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TAGS BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS
#define CLOSED_CAPACITY 65536u
#define GENERATION_NUMBER 7u

static const uint64_t SEED[2] = {1, 2};
static const char ANCHOR[] = "anchor certificate";
static const char OTHER_ANCHOR[] = "another anchor certificate";

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

struct id stage_id(unsigned version, uint32_t number)
{
    struct slice s = {(const uint8_t *)&number, sizeof number};
    struct digest d = digest_of_slice(s);
    struct id id = id_v8(&d);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | version << 4);
    return id;
}

struct id stage_message_id(struct stage *w)
{
    struct id random = stage_id(4, w->next_id++);
    return id_v7(w->now.wall_ms, random.bytes);
}

struct id stage_case_id(struct stage *w) { return stage_id(4, w->next_id++); }

/* ---- the port ---- */

/* What the relay says passes a client's own checks, whatever the test is about. */
static void must_be_believable(const Brug__V1__ServerFrame *f)
{
    const char *field = "";
    if (check_server_frame(f, &field) != ERROR_NONE)
        fail_msg("the relay sent a bad %s", field);
    if (f->frame_case != BRUG__V1__SERVER_FRAME__FRAME_DELIVER)
        return;
    const Brug__V1__Envelope *e = f->deliver->envelope;
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, e->header.len, e->header.data);
    assert_non_null(h);
    if (check_received_header(h, &field) != ERROR_NONE)
        fail_msg("the relay delivered a bad %s", field);
    brug__v1__header__free_unpacked(h, NULL);
}

static bool on_send(void *ctx, uint64_t session, const struct slice *parts, size_t n)
{
    struct stage *w = ctx;
    struct buf b;
    struct slice rest, frame;
    bool complete;
    size_t wanted;
    buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_append_slice(&b, parts[i]), 0);
    rest = buf_slice(&b);
    assert_int_equal((int)w->closed[session], -1);
    while (rest.len > 0) {
        assert_int_equal(frame_next(&rest, SIZE_MAX / 4, &frame, &complete, &wanted), 0);
        assert_true(complete);
        w->frames = grown(w->frames, w->frame_count, &w->frame_capacity, sizeof *w->frames);
        w->frames[w->frame_count].session = session;
        w->frames[w->frame_count].frame =
            brug__v1__server_frame__unpack(NULL, frame.len, frame.data);
        assert_non_null(w->frames[w->frame_count].frame);
        must_be_believable(w->frames[w->frame_count].frame);
        w->frame_count++;
    }
    buf_fini(&b);
    return !w->is_output_full;
}

static void on_close(void *ctx, uint64_t session, enum error code)
{
    struct stage *w = ctx;
    assert_int_equal((int)w->closed[session], -1);
    w->closed[session] = code;
}

static void on_welcomed(void *ctx, uint64_t session, size_t frame_bytes_max)
{
    (void)ctx;
    assert_true(session > 0 && frame_bytes_max > LIMIT_FRAME_BYTES_BEFORE_WELCOME);
}

static void on_pause(void *ctx, uint64_t session, bool is_paused)
{
    struct stage *w = ctx;
    if (session == 0)
        w->is_all_paused = is_paused;
    w->paused = is_paused ? w->paused + 1 : w->paused - 1;
}

static void on_commit(void *ctx, struct group *g)
{
    struct stage *w = ctx;
    assert_null(w->in_flight);
    assert_true(g->count > 0);
    w->in_flight = g;
}

static void on_load(void *ctx, struct load *l)
{
    struct stage *w = ctx;
    assert_true(w->load_count < sizeof w->loads / sizeof w->loads[0]);
    w->loads[w->load_count++] = l;
}

static void on_admin_answer(void *ctx, uint64_t ticket, const Brug__V1__AdminAnswer *a)
{
    struct stage *w = ctx;
    size_t len = brug__v1__admin_answer__get_packed_size(a);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    brug__v1__admin_answer__pack(a, bytes);
    if (w->admin_answer)
        brug__v1__admin_answer__free_unpacked(w->admin_answer, NULL);
    w->admin_answer = brug__v1__admin_answer__unpack(NULL, len, bytes);
    w->admin_ticket = ticket;
    free(bytes);
}

static void on_anchors_changed(void *ctx) { ((struct stage *)ctx)->anchors_changed++; }

static void on_event(void *ctx, const struct relay_event *e)
{
    struct stage *w = ctx;
    w->events[w->event_count++ % 64] = *e;
}

static const struct relay_port PORT = {on_send,         on_close,           on_welcomed,
                                       on_pause,        on_commit,          on_load,
                                       on_admin_answer, on_anchors_changed, on_event};

/* ---- the store ---- */

void stage_flush(struct stage *w) { relay_flush(w->relay, w->now); }

static void keep_body(struct stage *w, const struct group_body *b)
{
    w->bodies = grown(w->bodies, w->body_count, &w->body_capacity, sizeof *w->bodies);
    w->bodies[w->body_count++] = (struct stage_body){b->lsn, body_ref(b->body)};
}

/* What the record brought beside the journal, or nothing. */
static struct slice kept_of(const struct stage *w, const struct stage_row *row)
{
    for (size_t i = 0; row->type == TAGS && i < w->body_count; i++)
        if (w->bodies[i].lsn == row->lsn)
            return slice_of(w->bodies[i].body->bytes, w->bodies[i].body->len);
    return SLICE_NONE;
}

static void apply_row(const struct stage *w, struct state *s, const struct stage_row *row)
{
    assert_int_equal(apply_record_with(s, row->lsn, row->type, row->payload, kept_of(w, row)), 0);
}

static void keep_record(struct stage *w, uint64_t lsn, unsigned type, struct slice payload)
{
    uint8_t *copy = malloc(payload.len + 1);
    assert_non_null(copy);
    if (payload.len > 0)
        memcpy(copy, payload.data, payload.len);
    w->rows = grown(w->rows, w->row_count, &w->row_capacity, sizeof *w->rows);
    w->rows[w->row_count++] = (struct stage_row){lsn, type, slice_of(copy, payload.len)};
    apply_row(w, w->tables, &w->rows[w->row_count - 1]);
}

bool stage_commit(struct stage *w)
{
    struct group *g = w->in_flight;
    if (!g)
        return false;
    struct slice rest = buf_slice(&g->records), payload;
    unsigned type;
    uint64_t lsn = g->first_lsn;
    for (size_t i = 0; i < g->body_count; i++)
        keep_body(w, &g->bodies[i]);
    for (uint32_t i = 0; i < g->count; i++, lsn++) {
        assert_int_equal(group_next_record(&rest, &type, &payload), 0);
        keep_record(w, lsn, type, payload);
    }
    assert_int_equal(rest.len, 0);
    w->in_flight = NULL;
    group_free(g);
    relay_on_durable(w->relay, lsn - 1, w->now);
    return true;
}

uint64_t stage_committed_lsn(const struct stage *w)
{
    return w->row_count ? w->rows[w->row_count - 1].lsn : 0;
}

size_t stage_count_records(const struct stage *w, unsigned type)
{
    size_t n = 0;
    for (size_t i = 0; i < w->row_count; i++)
        n += w->rows[i].type == type;
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
        if (r->state == READER_WAITING)
            list[i]->in_vain_at_ms = r->settled_at_ms;
        list[i]->in_vain = r->in_vain;
        list[i]->parked = r->is_parked;
        list[i]->was_parked = r->was_parked;
    }
    assert_int_equal(frame_append_bare(out, &k.base), 0);
}

static void answer_message(struct stage *w, struct load *l)
{
    const struct message_key key = {l->organisation, l->message_id};
    const struct message *m = message_find(w->tables, &key);
    l->result = m ? ERROR_NONE : ERROR_NOT_FOUND;
    if (m)
        append_known(&l->bytes, m);
}

static void answer_body(struct stage *w, struct load *l)
{
    l->result = ERROR_NOT_FOUND;
    for (size_t i = 0; i < w->body_count; i++) {
        if (w->bodies[i].lsn != l->body_lsn)
            continue;
        struct body *b = w->bodies[i].body;
        assert_int_equal(buf_append(&l->bytes, b->bytes, b->len), 0);
        if (l->body_lsn == w->spoiled_lsn)
            l->bytes.data[b->len - 1] ^= 1;
        l->result = ERROR_NONE;
    }
}

void stage_load(struct stage *w)
{
    while (w->load_count > 0) {
        struct load *l = w->loads[0];
        w->load_count--;
        memmove(w->loads, w->loads + 1, w->load_count * sizeof w->loads[0]);
        if (w->load_result)
            l->result = w->load_result;
        else if (l->type == LOAD_MESSAGE)
            answer_message(w, l);
        else
            answer_body(w, l);
        relay_on_loaded(w->relay, l, w->now);
    }
}

void stage_settle(struct stage *w)
{
    do {
        stage_load(w);
        stage_flush(w);
    } while (stage_commit(w) || w->load_count > 0);
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

/* As a table gives them: in the order of their ids, here the last first. */
static void load_outages(struct state *to, const struct state *from)
{
    for (size_t i = from->outages.count; i-- > 0;) {
        struct buf b;
        buf_init(&b, 1u << 10);
        assert_int_equal(frame_append_bare(&b, &from->outages.rows[i]->base), 0);
        assert_int_equal(
            state_load_row(to, BRUG__V1__RECORD_TYPE__RECORD_TYPE_OUTAGE, buf_slice(&b)), 0);
        buf_fini(&b);
    }
}

static void load_cases(struct state *to, const struct state *from)
{
    for (struct map_node *n = map_next(&from->cases, NULL); n; n = map_next(&from->cases, n)) {
        struct slice row = casefile_row(container_of(n, struct casefile, node));
        assert_int_equal(state_load_row(to, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED, row),
                         0);
    }
}

static struct id case_of_tags(const struct stage_row *row)
{
    struct id id;
    Brug__V1__CaseTags *t = brug__v1__case_tags__unpack(NULL, row->payload.len, row->payload.data);
    assert_non_null(t);
    assert_true(id_take(t->case_id, &id));
    brug__v1__case_tags__free_unpacked(t, NULL);
    return id;
}

static bool is_last_of_case(const struct stage *w, size_t at, uint64_t upto)
{
    struct id id = case_of_tags(&w->rows[at]), other;
    for (size_t i = at + 1; i < w->row_count && w->rows[i].lsn <= upto; i++)
        if (w->rows[i].type == TAGS && (other = case_of_tags(&w->rows[i]), id_equal(&id, &other)))
            return false;
    return true;
}

/* Keys of teams, and of each case that has not ended its last tags. */
static void load_family(const struct stage *w, struct state *to, const struct state *from,
                        uint64_t upto)
{
    for (size_t i = 0; i < w->row_count && w->rows[i].lsn <= upto; i++) {
        const struct stage_row *row = &w->rows[i];
        if (row->type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_TEAM_KEY)
            assert_int_equal(state_load_row(to, row->type, row->payload), 0);
        if (row->type != TAGS || !is_last_of_case(w, i, upto))
            continue;
        struct id id = case_of_tags(row);
        if (!casefile_has_ended(casefile_find(from, &id)))
            assert_int_equal(state_load_tags(to, row->payload, kept_of(w, row)), 0);
    }
}

static void load_figures(struct state *to, const struct figure_book *b)
{
    for (size_t i = 0; i < b->published_count; i++)
        assert_int_equal(state_load_row(to, BRUG__V1__RECORD_TYPE__RECORD_TYPE_FIGURES_PUBLISHED,
                                        buf_slice(&b->published[i].row)),
                         0);
    for (size_t i = 0; i < b->line_count; i++)
        for (size_t k = 0; k < b->lines[i].count; k++) {
            const struct figure_entry *entry = &b->lines[i].entries[k];
            const struct figure_counter c = {.municipality = b->key[0],
                                             .team = b->key[1],
                                             .practice = b->lines[i].practice->entity.id,
                                             .day = entry->day,
                                             .event = entry->event,
                                             .code = entry->code,
                                             .count = entry->count};
            assert_int_equal(state_load_figure(to, &c), 0);
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

static struct state *state_of(const struct stage *w, uint64_t upto, int64_t low_water_ms)
{
    struct state *s = state_new(SEED);
    struct id generation = stage_id(4, GENERATION_NUMBER);
    assert_non_null(s);
    assert_int_equal(state_load_done(s, 0, low_water_ms, &generation), 0);
    for (size_t i = 0; i < w->row_count && w->rows[i].lsn <= upto; i++)
        apply_row(w, s, &w->rows[i]);
    return s;
}

struct state *stage_replay(const struct stage *w, uint64_t folded_lsn)
{
    struct id generation = stage_id(4, GENERATION_NUMBER);
    struct state *from = state_of(w, folded_lsn, INT64_MIN), *s = state_new(SEED);
    assert_non_null(s);
    load_rows(s, &from->municipalities, BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY,
              offsetof(struct municipality, row));
    load_rows(s, &from->organisations, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION,
              offsetof(struct organisation, row));
    load_rows(s, &from->persons, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON,
              offsetof(struct person, row));
    load_rows(s, &from->endpoints, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT,
              offsetof(struct endpoint, row));
    load_outages(s, from);
    load_cases(s, from);
    load_family(w, s, from, folded_lsn);
    for (struct map_node *n = map_next(&from->figures, NULL); n; n = map_next(&from->figures, n))
        load_figures(s, container_of(n, struct figure_book, node));
    load_messages(s, from, w->low_water_ms);
    assert_int_equal(state_load_done(s, folded_lsn, w->low_water_ms, &generation), 0);
    state_free(from);
    for (size_t i = 0; i < w->row_count; i++)
        apply_row(w, s, &w->rows[i]);
    return s;
}

void stage_crash(struct stage *w, uint64_t folded_lsn)
{
    relay_free(w->relay);
    group_free(w->in_flight);
    w->in_flight = NULL;
    for (size_t i = 0; i < w->load_count; i++)
        load_free(w->loads[i]);
    w->load_count = 0;
    w->paused = 0;
    w->is_all_paused = false;
    for (uint64_t i = 1; i <= w->last_session; i++)
        if ((int)w->closed[i] == -1)
            w->closed[i] = ERROR_IO;
    struct state *s = stage_replay(w, folded_lsn);
    w->relay = relay_new(&w->limits, &PORT, w, &s);
    assert_non_null(w->relay);
    assert_null(s);
}

/* ---- sessions ---- */

static uint64_t open_with(struct stage *w, struct stage_endpoint *e, const char *anchor)
{
    struct relay_peer peer = {.anchor = digest_of_slice(slice_text(anchor)),
                              .not_after_ms = INT64_MAX};
    ask_key(e, &peer.key);
    assert_true(w->last_session + 1 < CLOSED_CAPACITY);
    e->session = ++w->last_session;
    w->closed[e->session] = (enum error) - 1;
    relay_on_connect(w->relay, e->session, &peer, w->now);
    return e->session;
}

uint64_t stage_open(struct stage *w, struct stage_endpoint *e)
{
    bool is_stranger = id_equal(&e->organisation, &w->stranger);
    return open_with(w, e, is_stranger ? OTHER_ANCHOR : ANCHOR);
}

static void send_packed(struct stage *w, uint64_t session, struct buf *b)
{
    relay_on_frame(w->relay, session, buf_slice(b), w->now);
    buf_fini(b);
}

uint64_t stage_connect(struct stage *w, struct stage_endpoint *e)
{
    struct buf b;
    uint64_t session = stage_open(w, e);
    if (stage_is_closed(w, session, NULL))
        return session;
    ask_hello(&b);
    send_packed(w, session, &b);
    return session;
}

uint64_t stage_listen(struct stage *w, struct stage_endpoint *e)
{
    uint64_t session = stage_connect(w, e);
    stage_subscribe(w, session, 1000, 1u << 20);
    stage_settle(w);
    Brug__V1__ServerFrame *s = stage_take(w, session);
    assert_non_null(s);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_WELCOME);
    return session;
}

void stage_disconnect(struct stage *w, struct stage_endpoint *e)
{
    if (e->session && !stage_is_closed(w, e->session, NULL)) {
        w->closed[e->session] = ERROR_IO;
        relay_on_disconnect(w->relay, e->session);
    }
    e->session = 0;
}

void stage_send(struct stage *w, uint64_t session, Brug__V1__ClientFrame *frame)
{
    struct buf b;
    ask_pack(&b, frame);
    send_packed(w, session, &b);
}

Brug__V1__ServerFrame *stage_take(struct stage *w, uint64_t session)
{
    for (size_t i = w->frame_first; i < w->frame_count; i++) {
        if (w->frames[i].session != session)
            continue;
        w->frames[i].session = 0;
        while (w->frame_first < w->frame_count && w->frames[w->frame_first].session == 0)
            w->frame_first++;
        return w->frames[i].frame;
    }
    return NULL;
}

bool stage_is_closed(const struct stage *w, uint64_t session, enum error *why)
{
    if ((int)w->closed[session] == -1)
        return false;
    if (why)
        *why = w->closed[session];
    return true;
}

enum error stage_take_code(struct stage *w, uint64_t session)
{
    Brug__V1__ServerFrame *s = stage_take(w, session);
    assert_non_null(s);
    if (s->frame_case != BRUG__V1__SERVER_FRAME__FRAME_REFUSED)
        return ERROR_NONE;
    assert_int_equal(s->refused->passing, error_is_passing((enum error)s->refused->code));
    return (enum error)s->refused->code;
}

void stage_subscribe(struct stage *w, uint64_t session, uint32_t messages, uint64_t bytes)
{
    struct buf b;
    ask_subscribe(&b, messages, bytes);
    send_packed(w, session, &b);
}

void stage_ack(struct stage *w, uint64_t session, const struct id *organisation,
               const struct id *message, enum error unreadable)
{
    struct buf b;
    ask_ack(&b, w->request, &(struct message_key){*organisation, *message}, unreadable);
    send_packed(w, session, &b);
}

void stage_opened(struct stage *w, uint64_t session, const struct id *organisation,
                  const struct id *message, const struct id *person)
{
    stage_opened_inside(w, session, organisation, message, person, NULL);
}

void stage_opened_inside(struct stage *w, uint64_t session, const struct id *organisation,
                         const struct id *message, const struct id *person,
                         const struct id *handed_on)
{
    struct buf b;
    ask_opened(&b, w->request, &(struct message_key){*organisation, *message}, person, handed_on);
    send_packed(w, session, &b);
}

void stage_track(struct stage *w, uint64_t session, const struct id *message)
{
    struct buf b;
    ask_track(&b, w->request, message);
    send_packed(w, session, &b);
}

/* ---- letters ---- */

void stage_set_readers(const struct stage *w, struct stage_letter *l)
{
    ask_set_readers(relay_state(w->relay), l);
}

struct stage_letter stage_letter(struct stage *w, Brug__V1__Kind kind,
                                 const struct stage_endpoint *from, const struct id *to,
                                 const struct id *case_id)
{
    struct stage_letter l = {.kind = kind,
                             .id = stage_message_id(w),
                             .case_id = case_id ? *case_id : ID_NONE,
                             .from = from,
                             .person = id_is_none(&from->person) ? w->gp : from->person,
                             .to = *to,
                             .municipality = w->municipality,
                             .sealed = "sealed bytes",
                             .written_at_ms = STAGE_NOW_MS};
    stage_set_readers(w, &l);
    return l;
}

void stage_submit(struct stage *w, uint64_t session, const struct stage_letter *l)
{
    struct buf b;
    ask_submit(&b, w->request, l);
    send_packed(w, session, &b);
}

void stage_post(struct stage *w, const struct stage_letter *l)
{
    stage_submit(w, l->from->session, l);
    stage_settle(w);
    Brug__V1__ServerFrame *s = stage_take(w, l->from->session);
    assert_non_null(s);
    if (s->frame_case == BRUG__V1__SERVER_FRAME__FRAME_REFUSED)
        fail_msg("refused: %s %s", error_name((enum error)s->refused->code), s->refused->field);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_RECEIPT);
}

/* ---- administration ---- */

const Brug__V1__AdminAnswer *stage_admin(struct stage *w, Brug__V1__AdminRequest *q,
                                         const Brug__V1__EndpointRow *endpoint)
{
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    by.name = (char *)(uintptr_t) "root";
    relay_on_admin(w->relay, 99, &by, q, endpoint, w->now);
    stage_settle(w);
    assert_int_equal(w->admin_ticket, 99);
    w->admin_ticket = 0;
    return w->admin_answer;
}

const Brug__V1__AdminAnswer *stage_set_status(struct stage *w, Brug__V1__ObjectType type,
                                              const struct id *id, Brug__V1__Status status)
{
    struct order o;
    order_set_status(&o, type, id, status);
    return stage_admin(w, &o.request, NULL);
}

static const Brug__V1__AdminAnswer *must_obey(struct stage *w, struct order *o)
{
    const Brug__V1__AdminAnswer *a =
        stage_admin(w, &o->request, o->has_endpoint ? &o->endpoint : NULL);
    if (a->code)
        fail_msg("%s", a->error);
    return a;
}

static void add_municipality(struct stage *w, const struct id *id, const char *anchor)
{
    struct order o;
    order_add_municipality(&o, id, anchor);
    must_obey(w, &o);
}

static void add_organisation(struct stage *w, const struct id *id, Brug__V1__OrganisationKind kind,
                             const struct id *municipality)
{
    struct order o;
    order_add_organisation(&o, id, kind, municipality);
    assert_true(must_obey(w, &o)->invitation.len > 0);
}

void stage_add_person(struct stage *w, const struct id *id, const struct id *organisation,
                      Brug__V1__Role role, int64_t until_ms)
{
    struct order o;
    order_add_person(&o, id, organisation, role, until_ms);
    must_obey(w, &o);
}

void stage_add_endpoint(struct stage *w, struct stage_endpoint *e, const struct id *id,
                        const struct id *organisation, const struct id *person, bool recovery)
{
    struct order o;
    *e = (struct stage_endpoint){*id, *organisation, person ? *person : ID_NONE, 0};
    order_add_endpoint(&o, e, recovery);
    must_obey(w, &o);
}

bool stage_saw_event(const struct stage *w, const char *name)
{
    for (size_t i = 0; i < 64 && i < w->event_count; i++)
        if (strcmp(w->events[i].name, name) == 0)
            return true;
    return false;
}

/* ---- life ---- */

struct relay_limits stage_limits(void)
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
                                 .waiting_commands_max = 64,
                                 .redelivery_sessions_max = 10,
                                 .redelivery_interval_ms = 60000,
                                 .outage_wait_ms = 86400000,
                                 .terms = CASE_TERMS};
}

static void make_directory(struct stage *w)
{
    uint32_t n = 100;
    struct id *ids[] = {
        &w->municipality, &w->other_municipality, &w->practice,    &w->team,  &w->stranger, &w->gp,
        &w->gp2,          &w->consultant,         &w->consultant2, &w->leader};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        *ids[i] = stage_id(4, n++);
    struct id e[7], stranger_gp = stage_id(4, n++);
    for (size_t i = 0; i < 7; i++)
        e[i] = stage_id(4, n++);
    add_municipality(w, &w->municipality, ANCHOR);
    add_municipality(w, &w->other_municipality, OTHER_ANCHOR);
    add_organisation(w, &w->practice, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE,
                     &w->municipality);
    add_organisation(w, &w->team, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM,
                     &w->municipality);
    add_organisation(w, &w->stranger, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE,
                     &w->other_municipality);
    stage_add_person(w, &w->gp, &w->practice, BRUG__V1__ROLE__ROLE_GP, 0);
    stage_add_person(w, &w->gp2, &w->practice, BRUG__V1__ROLE__ROLE_GP, 0);
    stage_add_person(w, &w->consultant, &w->team, BRUG__V1__ROLE__ROLE_CONSULTANT, 0);
    stage_add_person(w, &w->consultant2, &w->team, BRUG__V1__ROLE__ROLE_CONSULTANT, 0);
    stage_add_person(w, &w->leader, &w->team, BRUG__V1__ROLE__ROLE_LEADER, 0);
    stage_add_person(w, &stranger_gp, &w->stranger, BRUG__V1__ROLE__ROLE_GP, 0);
    stage_add_endpoint(w, &w->gp_pc, &e[0], &w->practice, &w->gp, false);
    stage_add_endpoint(w, &w->gp2_pc, &e[1], &w->practice, &w->gp2, false);
    stage_add_endpoint(w, &w->system, &e[2], &w->practice, NULL, false);
    stage_add_endpoint(w, &w->practice_recovery, &e[3], &w->practice, NULL, true);
    stage_add_endpoint(w, &w->consultant_pc, &e[4], &w->team, &w->consultant, false);
    stage_add_endpoint(w, &w->consultant2_pc, &e[5], &w->team, &w->consultant2, false);
    stage_add_endpoint(w, &w->stranger_pc, &e[6], &w->stranger, &stranger_gp, false);
}

struct stage *stage_new(const struct relay_limits *limits)
{
    struct stage *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->limits = limits ? *limits : stage_limits();
    w->now = (struct instant){STAGE_NOW_MS, 1000};
    w->low_water_ms = STAGE_NOW_MS - LIMIT_KNOWN_ID_MS;
    w->next_id = 1000;
    w->request = 1;
    w->closed = calloc(CLOSED_CAPACITY, sizeof *w->closed);
    w->tables = state_of(w, 0, INT64_MIN);
    struct state *s = stage_replay(w, 0);
    w->relay = relay_new(&w->limits, &PORT, w, &s);
    assert_non_null(w->relay);
    make_directory(w);
    return w;
}

void stage_free(struct stage *w)
{
    relay_free(w->relay);
    state_free(w->tables);
    group_free(w->in_flight);
    for (size_t i = 0; i < w->load_count; i++)
        load_free(w->loads[i]);
    for (size_t i = 0; i < w->row_count; i++)
        free((void *)(uintptr_t)w->rows[i].payload.data);
    for (size_t i = 0; i < w->body_count; i++)
        body_unref(w->bodies[i].body);
    for (size_t i = 0; i < w->frame_count; i++)
        brug__v1__server_frame__free_unpacked(w->frames[i].frame, NULL);
    if (w->admin_answer)
        brug__v1__admin_answer__free_unpacked(w->admin_answer, NULL);
    free(w->rows);
    free(w->bodies);
    free(w->frames);
    free(w->closed);
    free(w);
}
