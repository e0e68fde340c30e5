/* bench/session.c: see session.h. What it says to the relay, and how it checks what the relay says. */
#include "bench/session.h"
#include "base/clock.h"
#include "brug/v1/wire.pb-c.h"
#include "proto/frame.h"
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNSENT_BYTES_MAX (256u << 10) /* of a connection, so that frames do not age in our memory */
#define UNACKED_MAX 8192u /* sent and not acknowledged, of a whole run: readers keep up */
#define SOFTWARE "brug-bench " BRUG_VERSION

/* numbers of PROTOCOL.md's fields, read and written by hand */
enum {
    FRAME_REQUEST = 1,
    FRAME_WELCOME = 10,
    FRAME_RECEIPT = 11,
    FRAME_REFUSED = 12,
    FRAME_DELIVER = 13,
    FRAME_ACKED = 14,
    FRAME_GO_AWAY = 19,
    FRAME_DIRECTORY_MOVED = 20,
};

/* In front of `sealed`. */
struct stamp {
    uint64_t run, number, at_ns;
    uint32_t sender, target;
    struct id id;
};
_Static_assert(sizeof(struct stamp) <= BENCH_BYTES_MIN, "a stamp fits in the smallest message");

static const struct plan *plan_of(const struct session *s) { return s->worker->run->plan; }

/* ---- windows ---- */

static void window_init(struct window *w, size_t size)
{
    w->size = w->idle_count = size;
    w->slots = need_memory(size, sizeof *w->slots);
    w->idle = need_memory(size, sizeof *w->idle);
    for (size_t i = 0; i < size; i++)
        w->idle[i] = (uint32_t)(size - 1 - i);
}

static void window_fini(struct window *w)
{
    free(w->slots);
    free(w->idle);
}

static uint32_t window_take(struct window *w, const struct id *id, uint64_t at_ns)
{
    uint32_t slot = w->idle[--w->idle_count];
    w->slots[slot] = (struct slot){*id, at_ns};
    return slot;
}

/* The slot of an answer, which is free again; NULL when nothing like it was asked. */
static const struct slot *window_answer(struct window *w, uint64_t request, struct slice id)
{
    if (request < REQUEST_FIRST || request - REQUEST_FIRST >= w->size)
        return NULL;
    struct slot *slot = &w->slots[request - REQUEST_FIRST];
    if (!slice_equal(id, id_slice(&slot->id)))
        return NULL;
    slot->id = ID_NONE;
    w->idle[w->idle_count++] = (uint32_t)(request - REQUEST_FIRST);
    return slot;
}

static void patch_request(uint8_t *at, uint32_t slot)
{
    uint32_t v = REQUEST_FIRST + slot;
    for (int i = 0; i < 3; i++, v >>= 7)
        at[i] = (uint8_t)(v | 0x80);
    at[3] = (uint8_t)v;
}

/* ---- patterns ---- */

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.data};
}

static size_t find_in(const struct buf *b, const void *what, size_t len)
{
    const uint8_t *at = memmem(b->data, b->len, what, len);
    if (!at)
        die("a frame lacks what was put into it");
    return (size_t)(at - b->data);
}

static void pack_header(struct buf *out, const struct session *s, const struct world_target *to,
                        const struct id *marker)
{
    Brug__V1__Header h = BRUG__V1__HEADER__INIT;
    Brug__V1__Sender from = BRUG__V1__SENDER__INIT;
    ProtobufCBinaryData readers[WORLD_READERS_MAX], copy = bytes_of(id_slice(&to->recovery));
    h.protocol = h.profile = 1;
    h.message_id = bytes_of(id_slice(marker));
    h.kind = BRUG__V1__KIND__KIND_NOTICE;
    h.municipality = bytes_of(id_slice(&plan_of(s)->world->municipality));
    from.organisation = bytes_of(id_slice(&s->me->organisation));
    from.endpoint = bytes_of(id_slice(&s->me->endpoint));
    from.person = bytes_of(id_slice(&s->me->person));
    h.from = &from;
    h.to = bytes_of(id_slice(&to->organisation));
    for (size_t i = 0; i < to->reader_count; i++)
        readers[i] = bytes_of(id_slice(&to->readers[i].endpoint));
    h.n_readers = to->reader_count;
    h.readers = readers;
    h.n_copies = 1;
    h.copies = &copy;
    h.written_at_ms = clock_now().wall_ms;
    need(frame_append_bare(out, &h.base), "write a header");
}

static void pattern_init(struct pattern *p, const struct session *s, const struct world_target *to)
{
    struct id marker;
    struct buf header;
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    Brug__V1__Submit submit = BRUG__V1__SUBMIT__INIT;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    memset(marker.bytes, 0xa5, sizeof marker.bytes);
    buf_init(&header, BYTES_MAX);
    pack_header(&header, s, to, &marker);
    const uint8_t *sealed = s->worker->run->filling;
    envelope.header = bytes_of(buf_slice(&header));
    envelope.sealed = bytes_of(slice_of(sealed, plan_of(s)->bytes));
    submit.envelope = &envelope;
    frame.request = REQUEST_FIRST;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT;
    frame.submit = &submit;
    buf_init(&p->frame, BYTES_MAX);
    need(frame_append(&p->frame, &frame.base), "write a frame");
    p->id = find_in(&p->frame, marker.bytes, sizeof marker.bytes);
    p->stamp = find_in(&p->frame, sealed, plan_of(s)->bytes);
    struct slice rest = buf_slice(&p->frame);
    uint64_t len;
    if (!slice_take_varint(&rest, &len))
        die("a frame lacks its length");
    p->request = p->frame.len - rest.len + 1; /* behind the tag of the first field */
    buf_fini(&header);
}

/* ---- publishing ---- */

static struct id message_id(const struct session *s, int64_t wall_ms)
{
    uint64_t run = s->worker->run->number, number = s->sender->sent;
    uint8_t random[10] = {(uint8_t)(run >> 8), (uint8_t)run};
    for (int i = 0; i < 8; i++)
        random[2 + i] = (uint8_t)(number >> (56 - 8 * i));
    return id_v7(wall_ms, random);
}

static void publish(struct session *s, int64_t wall_ms, uint64_t now)
{
    struct sender *x = s->sender;
    size_t target = (size_t)(x->sent % plan_of(s)->targets);
    const struct pattern *p = &x->patterns[target];
    struct stamp stamp = {.run = s->worker->run->number,
                          .number = x->sent / plan_of(s)->targets,
                          .at_ns = now,
                          .sender = (uint32_t)s->index,
                          .target = (uint32_t)target,
                          .id = message_id(s, wall_ms)};
    uint8_t *to;
    need(buf_extend(&s->link.out, p->frame.len, &to), "write a frame");
    memcpy(to, p->frame.data, p->frame.len);
    patch_request(to + p->request, window_take(&x->window, &stamp.id, now));
    memcpy(to + p->id, stamp.id.bytes, ID_BYTES);
    memcpy(to + p->stamp, &stamp, sizeof stamp);
    x->sent++;
    s->worker->sent++;
}

static bool may_publish(const struct session *s)
{
    const struct plan *p = plan_of(s);
    struct run *r = s->worker->run;
    if (r->start_ns == 0 || s->stage != STAGE_READY || s->sender->sent >= s->sender->quota)
        return false;
    if (p->messages == 0 && s->worker->now_ns >= r->end_ns)
        return false;
    if (p->mode == MODE_PUBLISH)
        return true;
    uint64_t done = atomic_load_explicit(&r->acked, memory_order_relaxed) / p->readers;
    uint64_t sent = s->worker->sent;
    if (p->mode == MODE_TURNS)
        return sent == done && sent == s->worker->confirmed;
    return sent - (done < sent ? done : sent) < UNACKED_MAX;
}

static void watch_socket(struct session *s, int what)
{
    uint32_t events = link_wants(&s->link);
    if (what == EPOLL_CTL_MOD && events == s->events)
        return;
    struct epoll_event e = {.events = events, .data.ptr = s};
    s->events = events;
    if (epoll_ctl(s->worker->epoll, what, s->link.fd, &e))
        die("cannot watch a socket");
}

void session_pump(struct session *s)
{
    struct link *l = &s->link;
    size_t in_flight_max = plan_of(s)->in_flight;
    int64_t wall_ms = 0;
    while (l->unsent == 0 && l->out.len < UNSENT_BYTES_MAX && may_publish(s) &&
           s->sender->window.size - s->sender->window.idle_count < in_flight_max) {
        if (wall_ms == 0) {
            wall_ms = clock_now().wall_ms;
            s->worker->now_ns = now_ns();
        }
        publish(s, wall_ms, s->worker->now_ns);
    }
    if (l->out.len > 0 && !link_flush(l)) {
        fault(&s->worker->faults, &s->worker->faults.broken, "a connection broke while sending");
        session_close(s);
        return;
    }
    watch_socket(s, EPOLL_CTL_MOD);
}

static void take_receipt(struct session *s, uint64_t request, struct slice receipt)
{
    struct worker *w = s->worker;
    const struct slot *slot =
        s->sender ? window_answer(&s->sender->window, request, field_find(receipt, 1)) : NULL;
    if (!slot) {
        fault(&w->faults, &w->faults.damaged, "a receipt for a message that was not sent");
        return;
    }
    times_add(&w->confirm, w->now_ns - slot->at_ns);
    if (w->first_receipt_ns == 0)
        w->first_receipt_ns = w->now_ns;
    w->last_ns = w->now_ns;
    s->sender->confirmed++;
    w->confirmed++;
}

/* ---- receiving ---- */

static void write_credit(struct session *s, uint32_t member, uint32_t messages, uint64_t bytes)
{
    struct buf *out = &s->link.out;
    size_t inner = 2 + varint_len(messages) + varint_len(bytes);
    size_t len = 1 + 4 + 1 + varint_len(inner) + inner; /* request, head, fields */
    need(buf_append_varint(out, len), "append");
    put_field(out, FRAME_REQUEST, REQUEST_FIRST);
    put_head(out, member, inner);
    put_field(out, 1, messages);
    put_field(out, 2, bytes);
}

static void write_ack(struct session *s, const struct owed *o)
{
    enum { ACK_LEN = 2 + ID_BYTES + 2 + ID_BYTES + 2, MEMBER_ACK = 14 };
    static const uint8_t pattern[] = {
        1 + 4 + 2 + ACK_LEN, FRAME_REQUEST << 3, 0, 0, 0, 0, MEMBER_ACK << 3 | 2, ACK_LEN};
    struct reader *r = s->reader;
    uint8_t *to;
    need(buf_extend(&s->link.out, sizeof pattern + ACK_LEN, &to), "append");
    memcpy(to, pattern, sizeof pattern);
    patch_request(to + 2, window_take(&r->window, &o->id, o->is_ours));
    to += sizeof pattern;
    *to++ = 1 << 3 | 2;
    *to++ = ID_BYTES;
    memcpy(to, plan_of(s)->world->senders[o->sender].organisation.bytes, ID_BYTES);
    to += ID_BYTES;
    *to++ = 2 << 3 | 2;
    *to++ = ID_BYTES;
    memcpy(to, o->id.bytes, ID_BYTES);
    to += ID_BYTES;
    *to++ = 3 << 3;
    *to = BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
}

static void owe(struct reader *r, const struct owed *o)
{
    if (r->owed_count == r->owed_capacity) {
        size_t capacity = r->owed_capacity * 2 + 256;
        struct owed *more = need_memory(capacity, sizeof *more);
        for (size_t i = 0; i < r->owed_count; i++)
            more[i] = r->owed[(r->owed_first + i) % r->owed_capacity];
        free(r->owed);
        r->owed = more;
        r->owed_first = 0;
        r->owed_capacity = capacity;
    }
    r->owed[(r->owed_first + r->owed_count++) % r->owed_capacity] = *o;
}

/* Acknowledges what is owed, as far as the window of unanswered requests allows. */
static void write_acks(struct session *s)
{
    struct reader *r = s->reader;
    while (r->owed_count > 0 && r->window.idle_count > 0) {
        write_ack(s, &r->owed[r->owed_first]);
        r->owed_first = (r->owed_first + 1) % r->owed_capacity;
        r->owed_count--;
    }
}

static void give_credit(struct session *s, size_t envelope_len)
{
    struct reader *r = s->reader;
    r->credit_messages++;
    r->credit_bytes += envelope_len;
    if (r->credit_messages < r->credit_messages_max / 4 &&
        r->credit_bytes < r->credit_bytes_max / 4)
        return;
    write_credit(s, 13, r->credit_messages, r->credit_bytes);
    r->credit_messages = 0;
    r->credit_bytes = 0;
}

/* The stamp of what was delivered; false when it is not what a sender of ours made. */
static bool read_stamp(struct session *s, struct slice envelope, struct stamp *out)
{
    const struct plan *p = plan_of(s);
    struct slice sealed = field_find(envelope, 3);
    if (sealed.len < sizeof *out)
        return false;
    memcpy(out, sealed.data, sizeof *out);
    if (out->run != s->worker->run->number) /* of another run; only acknowledged */
        return out->sender < p->world->sender_count;
    return sealed.len == p->bytes && out->sender < p->connections &&
           out->target == s->reader->target &&
           slice_equal(field_find(field_find(envelope, 1), 3), id_slice(&out->id)) &&
           memcmp(sealed.data + sizeof *out, s->worker->run->filling + sizeof *out,
                  sealed.len - sizeof *out) == 0;
}

static void note_arrival(struct session *s, const struct stamp *stamp)
{
    struct worker *w = s->worker;
    switch (seen_add(&s->reader->seen[stamp->sender], stamp->number)) {
    case ARRIVAL_NEW:
        break;
    case ARRIVAL_REPEATED:
        fault(&w->faults, &w->faults.repeated, "message %llu of sender %u came twice",
              (unsigned long long)stamp->number, stamp->sender);
        break;
    case ARRIVAL_LATE:
        fault(&w->faults, &w->faults.disordered, "message %llu of sender %u came after a later one",
              (unsigned long long)stamp->number, stamp->sender);
        break;
    }
    w->delivered++;
    times_add(&w->deliver, w->now_ns - stamp->at_ns);
}

static void take_delivery(struct session *s, struct slice deliver)
{
    struct worker *w = s->worker;
    struct reader *r = s->reader;
    struct slice envelope = SLICE_NONE;
    struct stamp stamp;
    struct field f;
    uint64_t sequence = 0;
    while (field_take(&deliver, &f)) {
        if (f.number == 1)
            sequence = f.value;
        else if (f.number == 3)
            envelope = f.bytes;
    }
    if (!r || !read_stamp(s, envelope, &stamp)) {
        fault(&w->faults, &w->faults.damaged, "a delivery holds other bytes than were sent");
        return;
    }
    if (sequence <= r->last_sequence)
        fault(&w->faults, &w->faults.disordered, "sequence %llu came after %llu",
              (unsigned long long)sequence, (unsigned long long)r->last_sequence);
    r->last_sequence = sequence;
    bool is_ours = stamp.run == w->run->number;
    if (is_ours)
        note_arrival(s, &stamp);
    owe(r, &(struct owed){stamp.sender, stamp.id, is_ours});
    give_credit(s, envelope.len);
}

static void take_acked(struct session *s, uint64_t request, struct slice acked)
{
    struct worker *w = s->worker;
    const struct slot *slot =
        s->reader ? window_answer(&s->reader->window, request, field_find(acked, 2)) : NULL;
    if (!slot) {
        fault(&w->faults, &w->faults.damaged, "an Acked that nobody asked for");
        return;
    }
    if (slot->at_ns > 0) {
        w->acked++;
        w->last_ns = w->now_ns;
    }
}

/* ---- greeting ---- */

struct limits {
    uint64_t requests, credit_messages, credit_bytes;
};

static struct limits read_limits(struct slice welcome)
{
    struct limits l = {0};
    struct slice from = field_find(welcome, 7);
    struct field f;
    while (field_take(&from, &f)) {
        if (f.number == 4)
            l.requests = f.value;
        else if (f.number == 5)
            l.credit_messages = f.value;
        else if (f.number == 6)
            l.credit_bytes = f.value;
    }
    return l;
}

static void start_sender(struct session *s, const struct limits *l)
{
    struct sender *x = s->sender;
    const struct plan *p = plan_of(s);
    if (p->in_flight > l->requests)
        die("the relay allows %llu unanswered requests, not %zu: raise its setting requests_max",
            (unsigned long long)l->requests, p->in_flight);
    window_init(&x->window, p->in_flight);
    for (size_t i = 0; i < p->targets; i++)
        pattern_init(&x->patterns[i], s, plan_target(p, i));
}

static void start_reader(struct session *s, const struct limits *l)
{
    struct reader *r = s->reader;
    window_init(&r->window, (size_t)l->requests);
    r->credit_messages_max = (uint32_t)l->credit_messages;
    r->credit_bytes_max = l->credit_bytes;
    write_credit(s, 12, r->credit_messages_max, r->credit_bytes_max);
}

static void take_welcome(struct session *s, struct slice welcome)
{
    struct worker *w = s->worker;
    struct limits l = read_limits(welcome);
    s->stage = STAGE_READY;
    w->ready++;
    w->opened++;
    times_add(&w->open, w->now_ns - s->opened_ns);
    if (s->sender)
        start_sender(s, &l);
    else if (s->reader)
        start_reader(s, &l);
}

static void say_hello(struct session *s)
{
    Brug__V1__Hello hello = BRUG__V1__HELLO__INIT;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    hello.protocol_min = hello.protocol_max = 1;
    hello.software = (char *)SOFTWARE;
    frame.request = REQUEST_FIRST;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_HELLO;
    frame.hello = &hello;
    need(frame_append(&s->link.out, &frame.base), "write Hello");
}

/* ---- frames ---- */

static void take_frame(struct session *s, struct slice frame)
{
    struct worker *w = s->worker;
    struct field f;
    uint64_t request = 0;
    while (field_take(&frame, &f)) {
        switch (f.number) {
        case FRAME_REQUEST:
            request = f.value;
            break;
        case FRAME_WELCOME:
            take_welcome(s, f.bytes);
            break;
        case FRAME_RECEIPT:
            take_receipt(s, request, f.bytes);
            break;
        case FRAME_DELIVER:
            take_delivery(s, f.bytes);
            break;
        case FRAME_ACKED:
            take_acked(s, request, f.bytes);
            break;
        case FRAME_REFUSED:
        case FRAME_GO_AWAY: {
            struct field code = {0};
            (void)field_take(&f.bytes, &code);
            fault(&w->faults, &w->faults.refused, "the relay answered with code %llu",
                  (unsigned long long)code.value);
            break;
        }
        default:
            break; /* DirectoryMoved and the like */
        }
    }
}

static void take_frames(struct session *s)
{
    struct slice in = buf_slice(&s->link.in), frame;
    bool is_complete = true;
    size_t wanted;
    while (s->stage != STAGE_CLOSED && is_complete) {
        if (frame_next(&in, BYTES_MAX, &frame, &is_complete, &wanted)) {
            fault(&s->worker->faults, &s->worker->faults.damaged, "what came is no frame");
            break;
        }
        if (is_complete)
            take_frame(s, frame);
    }
    buf_consume(&s->link.in, s->link.in.len - in.len);
}

/* ---- the session ---- */

void session_init(struct session *s, struct worker *w, enum kind kind, size_t index)
{
    const struct plan *p = w->run->plan;
    const struct world *world = p->world;
    char path[WORLD_PATH_BYTES];
    *s = (struct session){.worker = w, .kind = kind, .index = index};
    if (kind == KIND_SENDER) {
        s->me = &world->senders[index];
    } else if (kind == KIND_READER) {
        s->me = &plan_target(p, index / p->readers)->readers[index % p->readers];
        s->reader = need_memory(1, sizeof *s->reader);
        s->reader->target = index / p->readers;
    } else {
        s->me = &world->idle[index];
    }
    if (kind == KIND_SENDER && p->mode != MODE_CONNECT) {
        s->sender = need_memory(1, sizeof *s->sender);
        s->sender->quota = UINT64_MAX;
        if (p->messages > 0)
            s->sender->quota =
                p->messages / p->connections + (index < p->messages % p->connections);
    }
    FILE *f = fopen(world_pem(world, &s->me->endpoint, path), "r");
    if (!f || !(s->key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) ||
        !(s->certificate = PEM_read_X509(f, NULL, NULL, NULL)))
        die("cannot read %s", path);
    (void)fclose(f);
}

void session_fini(struct session *s)
{
    session_close(s);
    if (s->sender) {
        for (size_t i = 0; i < plan_of(s)->targets; i++)
            buf_fini(&s->sender->patterns[i].frame);
        window_fini(&s->sender->window);
    }
    if (s->reader) {
        for (size_t i = 0; i < WORLD_SENDERS_MAX; i++)
            seen_fini(&s->reader->seen[i]);
        window_fini(&s->reader->window);
        free(s->reader->owed);
    }
    free(s->sender);
    free(s->reader);
    X509_free(s->certificate);
    EVP_PKEY_free(s->key);
}

void session_open(struct session *s)
{
    const struct plan *p = plan_of(s);
    int fd = link_connect(p->host, p->port);
    if (fd < 0)
        return; /* tried again by the owner */
    s->opened_ns = now_ns();
    link_init(&s->link, s->worker->context, fd, false);
    if (SSL_use_certificate(s->link.ssl, s->certificate) != 1 ||
        SSL_use_PrivateKey(s->link.ssl, s->key) != 1)
        die("a sender's key does not belong to its certificate");
    if (p->mode == MODE_CONNECT) { /* no port may wait for minutes */
        struct linger l = {.l_onoff = 1};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    }
    s->stage = STAGE_GREETING;
    s->link.unsent = 1; /* until it is connected, it is watched for writing */
    watch_socket(s, EPOLL_CTL_ADD);
    s->link.unsent = 0;
}

void session_close(struct session *s)
{
    if (s->stage == STAGE_CLOSED)
        return;
    if (s->stage == STAGE_READY)
        s->worker->ready--;
    s->stage = STAGE_CLOSED;
    link_fini(&s->link);
}

void session_event(struct session *s)
{
    struct worker *w = s->worker;
    if (s->stage == STAGE_CLOSED)
        return;
    bool was_open = s->link.is_open;
    bool is_alive = link_read(&s->link);
    w->now_ns = now_ns();
    if (!was_open && s->link.is_open)
        say_hello(s);
    take_frames(s);
    if (s->reader && s->stage == STAGE_READY)
        write_acks(s);
    if (s->sender && s->stage == STAGE_READY && is_alive)
        session_pump(s);
    is_alive = is_alive && s->stage != STAGE_CLOSED && link_flush(&s->link);
    if (is_alive) {
        watch_socket(s, EPOLL_CTL_MOD);
    } else if (s->stage != STAGE_CLOSED) {
        if (s->stage == STAGE_READY || plan_of(s)->retry_s <= 0)
            fault(&w->faults, &w->faults.broken, "the server ended a connection");
        session_close(s);
    }
}
