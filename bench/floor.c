/*
 * bench/floor.c: brug-floor, the least server that does the relay's work, as a bound to compare with: the
 * same TLS, the same frames, an answer only after fdatasync. What it leaves out is what a relay is:
 * nothing is judged, indexed, recovered or kept for a reader who is not there.
 *
 * One thread serves the network. Submits and acknowledgements are appended to a batch; the batch goes to a
 * raw log with one write and one fdatasync, while the next one gathers (--sync thread), or at once in
 * the same thread (--sync inline: the better of the two when one message is under way at a time).
 * Then come the receipts, the deliveries and the Ackeds.
 *
 * --spoil WHAT:N breaks every N-th message, to show that brug-bench notices: `lose` confirms and never
 * delivers, `double` delivers twice, `swap` delivers after the next one, `flip` changes a bit.
 */
#include "bench/link.h"
#include "brug/v1/wire.pb-c.h"
#include "pki/certificate.h"
#include "proto/frame.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define PEERS_MAX 16384u
#define READERS_MAX 16u
#define PATH_BYTES 512

enum spoil { SPOIL_NONE, SPOIL_LOSE, SPOIL_DOUBLE, SPOIL_SWAP, SPOIL_FLIP };

struct peer {
    struct link link;
    struct id endpoint;
    uint64_t serial; /* of the connection, as peers are used again */
    uint64_t sequence;
    uint32_t events;
    bool is_used, is_ready, is_dirty; /* dirty: there is something to send */
};

/* What is answered when its batch is on disk. */
struct task {
    uint32_t peer;
    uint64_t serial, request;
    bool is_ack;
    size_t envelope, envelope_len; /* in the batch */
    size_t id;                     /* of the message, likewise */
    size_t organisation;           /* of an Ack, likewise */
    uint32_t readers[READERS_MAX], reader_count;
};

struct batch {
    struct buf log;
    struct task *tasks;
    size_t count, capacity;
};

struct floor {
    SSL_CTX *context;
    int epoll, listener, log;
    struct peer *peers;
    uint32_t peer_count, *dirty, dirty_count;
    uint64_t serial, message_count, spoil_every;
    enum spoil spoil;
    struct batch batches[3], *gathering, *spares[2];
    size_t spare_count;
    struct buf held; /* a delivery that is swapped with the next one */
    uint32_t held_for;
    /* the storing thread */
    bool is_inline;
    int stored_event;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct batch *storing, *stored;
};

/* ---- peers ---- */

static void mark_dirty(struct floor *f, uint32_t i)
{
    if (f->peers[i].is_dirty)
        return;
    f->peers[i].is_dirty = true;
    f->dirty[f->dirty_count++] = i;
}

static void watch_peer(struct floor *f, uint32_t i, int what)
{
    struct peer *p = &f->peers[i];
    struct epoll_event e = {.events = link_wants(&p->link), .data.u32 = i};
    if (what == EPOLL_CTL_MOD && e.events == p->events)
        return;
    p->events = e.events;
    if (epoll_ctl(f->epoll, what, p->link.fd, &e))
        die("cannot watch a connection");
}

static void drop_peer(struct peer *p)
{
    link_fini(&p->link);
    p->is_used = p->is_ready = false;
}

static uint32_t free_peer(struct floor *f)
{
    for (uint32_t i = 0; i < f->peer_count; i++)
        if (!f->peers[i].is_used && !f->peers[i].is_dirty)
            return i;
    if (f->peer_count == PEERS_MAX)
        die("too many connections");
    return f->peer_count++;
}

static void accept_peers(struct floor *f)
{
    int fd;
    while ((fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        uint32_t i = free_peer(f);
        struct peer *p = &f->peers[i];
        *p = (struct peer){.is_used = true, .serial = ++f->serial};
        link_init(&p->link, f->context, fd, true);
        watch_peer(f, i, EPOLL_CTL_ADD);
    }
}

/* Who it is, as the relay would know: from the certificate. */
static void know_peer(struct peer *p)
{
    struct certificate_identity who;
    X509 *c = SSL_get1_peer_certificate(p->link.ssl);
    need(c ? certificate_identity(c, &who) : ERROR_TLS_NO_CERTIFICATE, "read a client's name");
    p->endpoint = who.endpoint;
    X509_free(c);
}

static uint32_t find_reader(const struct floor *f, struct slice endpoint)
{
    for (uint32_t i = 0; i < f->peer_count; i++)
        if (f->peers[i].is_ready && slice_equal(endpoint, id_slice(&f->peers[i].endpoint)))
            return i;
    return PEERS_MAX;
}

/* ---- what comes ---- */

static void welcome(struct floor *f, uint32_t i, uint64_t request)
{
    struct peer *p = &f->peers[i];
    Brug__V1__Welcome w = BRUG__V1__WELCOME__INIT;
    Brug__V1__Limits limits = BRUG__V1__LIMITS__INIT;
    Brug__V1__ServerFrame frame = BRUG__V1__SERVER_FRAME__INIT;
    know_peer(p);
    p->is_ready = true;
    limits.frame_bytes_max = limits.message_bytes_max = 8u << 20;
    limits.requests_max = 256;
    limits.credit_messages_max = 10000;
    limits.credit_bytes_max = 64u << 20;
    w.protocol = 1;
    w.limits = &limits;
    frame.request = request;
    frame.frame_case = BRUG__V1__SERVER_FRAME__FRAME_WELCOME;
    frame.welcome = &w;
    need(frame_append(&p->link.out, &frame.base), "write Welcome");
    mark_dirty(f, i);
}

static struct task *add_task(struct floor *f, uint32_t peer, uint64_t request)
{
    struct batch *b = f->gathering;
    if (b->count == b->capacity) {
        b->capacity = b->capacity * 2 + 256;
        b->tasks = realloc(b->tasks, b->capacity * sizeof *b->tasks);
        if (!b->tasks)
            die("out of memory");
    }
    struct task *t = &b->tasks[b->count++];
    *t = (struct task){.peer = peer, .serial = f->peers[peer].serial, .request = request};
    return t;
}

/* Appends a member to the log, and says where in it a part of it lies. */
static size_t log_member(struct floor *f, struct slice member)
{
    size_t at = f->gathering->log.len;
    need(buf_append_slice(&f->gathering->log, member), "append to the log");
    return at;
}

static size_t place_in(size_t at, struct slice whole, struct slice part)
{
    return at + (size_t)(part.data - whole.data);
}

static void submit(struct floor *f, uint32_t peer, uint64_t request, struct slice member)
{
    struct task *t = add_task(f, peer, request);
    struct slice envelope = field_find(member, 1), header = field_find(envelope, 1);
    size_t at = log_member(f, envelope);
    struct field part;
    t->envelope = at;
    t->envelope_len = envelope.len;
    while (field_take(&header, &part)) {
        if (part.number == 3) {
            t->id = place_in(at, envelope, part.bytes);
        } else if (part.number == 9 && t->reader_count < READERS_MAX) {
            uint32_t reader = find_reader(f, part.bytes);
            if (reader != PEERS_MAX)
                t->readers[t->reader_count++] = reader;
        }
    }
}

static void acknowledge(struct floor *f, uint32_t peer, uint64_t request, struct slice member)
{
    struct task *t = add_task(f, peer, request);
    size_t at = log_member(f, member);
    t->is_ack = true;
    t->organisation = place_in(at, member, field_find(member, 1));
    t->id = place_in(at, member, field_find(member, 2));
}

static void take_frame(struct floor *f, uint32_t i, struct slice frame)
{
    struct field part;
    uint64_t request = 0;
    while (field_take(&frame, &part)) {
        if (part.number == 1)
            request = part.value;
        else if (part.number == 10)
            welcome(f, i, request);
        else if (part.number == 11)
            submit(f, i, request, part.bytes);
        else if (part.number == 14)
            acknowledge(f, i, request, part.bytes);
    }
}

static void read_peer(struct floor *f, uint32_t i)
{
    struct peer *p = &f->peers[i];
    bool is_alive = link_read(&p->link), is_complete = true;
    struct slice in = buf_slice(&p->link.in), frame;
    size_t wanted;
    while (is_alive && is_complete) {
        is_alive = frame_next(&in, BYTES_MAX, &frame, &is_complete, &wanted) == ERROR_NONE;
        if (is_alive && is_complete)
            take_frame(f, i, frame);
    }
    buf_consume(&p->link.in, p->link.in.len - in.len);
    if (is_alive)
        mark_dirty(f, i);
    else
        drop_peer(p);
}

/* ---- what goes ---- */

static void write_receipt(struct floor *f, const struct task *t, const uint8_t *log)
{
    struct buf *out = &f->peers[t->peer].link.out;
    const int64_t stored_at_ms = 1800000000000; /* a time of the right length */
    size_t inner = 2 + ID_BYTES + 1 + varint_len((uint64_t)stored_at_ms) + 2 + ID_BYTES;
    need(buf_append_varint(out, 1 + varint_len(t->request) + 2 + inner), "append");
    put_field(out, 1, t->request);
    put_head(out, 11, inner);
    put_bytes(out, 1, slice_of(log + t->id, ID_BYTES));
    put_field(out, 2, (uint64_t)stored_at_ms);
    put_bytes(out, 3, slice_of(log + t->id, ID_BYTES)); /* for the generation */
    mark_dirty(f, t->peer);
}

static void write_acked(struct floor *f, const struct task *t, const uint8_t *log)
{
    struct buf *out = &f->peers[t->peer].link.out;
    size_t inner = 2 * (2 + ID_BYTES);
    need(buf_append_varint(out, 1 + varint_len(t->request) + 2 + inner), "append");
    put_field(out, 1, t->request);
    put_head(out, 14, inner);
    put_bytes(out, 1, slice_of(log + t->organisation, ID_BYTES));
    put_bytes(out, 2, slice_of(log + t->id, ID_BYTES));
    mark_dirty(f, t->peer);
}

static void write_deliver(struct floor *f, struct buf *out, uint32_t reader, struct slice envelope)
{
    uint64_t sequence = ++f->peers[reader].sequence;
    const uint64_t stored_at_ms = 1800000000000;
    size_t inner = 1 + varint_len(sequence) + 1 + varint_len(stored_at_ms) + 1 +
                   varint_len(envelope.len) + envelope.len + 2;
    need(buf_append_varint(out, 1 + varint_len(inner) + inner), "append");
    put_head(out, 13, inner);
    put_field(out, 1, sequence);
    put_field(out, 2, stored_at_ms);
    put_bytes(out, 3, envelope);
    put_field(out, 4, 1);
}

/* Delivers one message to one reader, or does worse if so asked. */
static void deliver(struct floor *f, uint32_t reader, struct slice envelope)
{
    struct buf *out = &f->peers[reader].link.out;
    bool is_spoilt = f->spoil != SPOIL_NONE && ++f->message_count % f->spoil_every == 0;
    size_t begin = out->len;
    if (is_spoilt && f->spoil == SPOIL_LOSE)
        return;
    if (is_spoilt && f->spoil == SPOIL_SWAP) {
        write_deliver(f, &f->held, reader, envelope);
        f->held_for = reader;
        return;
    }
    write_deliver(f, out, reader, envelope);
    if (is_spoilt && f->spoil == SPOIL_DOUBLE)
        write_deliver(f, out, reader, envelope);
    if (is_spoilt && f->spoil == SPOIL_FLIP)
        out->data[begin + (out->len - begin) * 3 / 4] ^= 1;
    if (f->held.len > 0 && f->held_for == reader) {
        need(buf_append_slice(out, buf_slice(&f->held)), "append");
        buf_clear(&f->held);
    }
    mark_dirty(f, reader);
}

static bool is_there(const struct floor *f, const struct task *t)
{
    return f->peers[t->peer].is_ready && f->peers[t->peer].serial == t->serial;
}

/* The batch is on disk. */
static void answer_batch(struct floor *f, struct batch *b)
{
    const uint8_t *log = b->log.data;
    for (size_t i = 0; i < b->count; i++) {
        const struct task *t = &b->tasks[i];
        if (is_there(f, t)) {
            if (t->is_ack)
                write_acked(f, t, log);
            else
                write_receipt(f, t, log);
        }
        for (uint32_t k = 0; k < t->reader_count; k++)
            if (f->peers[t->readers[k]].is_ready)
                deliver(f, t->readers[k], slice_of(log + t->envelope, t->envelope_len));
    }
    b->count = 0;
    buf_clear(&b->log);
}

static void flush_peers(struct floor *f)
{
    for (uint32_t k = 0; k < f->dirty_count; k++) {
        struct peer *p = &f->peers[f->dirty[k]];
        p->is_dirty = false;
        if (!p->is_used)
            continue;
        if (!link_flush(&p->link)) {
            drop_peer(p);
            continue;
        }
        link_trim(&p->link);
        watch_peer(f, f->dirty[k], EPOLL_CTL_MOD);
    }
    f->dirty_count = 0;
}

/* ---- storing ---- */

static void store(struct floor *f, const struct batch *b)
{
    struct slice rest = buf_slice(&b->log);
    while (rest.len > 0) {
        ssize_t n = write(f->log, rest.data, rest.len);
        if (n <= 0)
            die("cannot write the log: %s", strerror(errno));
        rest.data += n;
        rest.len -= (size_t)n;
    }
    if (fdatasync(f->log))
        die("cannot sync the log: %s", strerror(errno));
}

static void *store_loop(void *argument)
{
    struct floor *f = argument;
    const uint64_t one = 1;
    for (;;) {
        pthread_mutex_lock(&f->lock);
        while (!f->storing)
            pthread_cond_wait(&f->has_work, &f->lock);
        struct batch *b = f->storing;
        pthread_mutex_unlock(&f->lock);
        store(f, b);
        pthread_mutex_lock(&f->lock);
        f->storing = NULL;
        f->stored = b;
        pthread_mutex_unlock(&f->lock);
        if (write(f->stored_event, &one, sizeof one) != sizeof one)
            die("cannot wake the network thread");
    }
    return NULL;
}

/* Hands over what was gathered, unless the one before is still being stored. */
static void store_gathered(struct floor *f)
{
    struct batch *b = f->gathering;
    if (b->count == 0)
        return;
    if (f->is_inline) {
        store(f, b);
        answer_batch(f, b);
        return;
    }
    pthread_mutex_lock(&f->lock);
    if (f->spare_count > 0 && !f->storing && !f->stored) {
        f->storing = b;
        f->gathering = f->spares[--f->spare_count];
        pthread_cond_signal(&f->has_work);
    }
    pthread_mutex_unlock(&f->lock);
}

/* The next batch is under way before this one is answered. */
static void take_stored(struct floor *f)
{
    uint64_t count;
    if (read(f->stored_event, &count, sizeof count) != sizeof count)
        return;
    pthread_mutex_lock(&f->lock);
    struct batch *b = f->stored;
    f->stored = NULL;
    pthread_mutex_unlock(&f->lock);
    store_gathered(f);
    answer_batch(f, b);
    f->spares[f->spare_count++] = b;
}

/* ---- the server ---- */

static _Noreturn void serve(struct floor *f)
{
    enum { LISTENER = PEERS_MAX, STORED };
    struct epoll_event events[EVENTS], e = {.events = EPOLLIN, .data.u32 = LISTENER};
    (void)epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->listener, &e);
    e.data.u32 = STORED;
    (void)epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->stored_event, &e);
    for (;;) {
        int n = epoll_wait(f->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == LISTENER)
                accept_peers(f);
            else if (events[i].data.u32 == STORED)
                take_stored(f);
            else if (f->peers[events[i].data.u32].is_used)
                read_peer(f, events[i].data.u32);
        }
        store_gathered(f);
        flush_peers(f);
    }
}

static void take_spoil(struct floor *f, const char *text)
{
    static const char *const NAMES[] = {"", "lose:", "double:", "swap:", "flip:"};
    for (size_t i = 1; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t len = strlen(NAMES[i]);
        char *end;
        if (strncmp(text, NAMES[i], len) != 0)
            continue;
        f->spoil = (enum spoil)i;
        f->spoil_every = strtoull(text + len, &end, 10);
        if (*end == 0 && f->spoil_every > 0)
            return;
    }
    die("--spoil is lose:N, double:N, swap:N or flip:N");
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"port", required_argument, NULL, 'p'},   {"pki", required_argument, NULL, 'k'},
        {"folder", required_argument, NULL, 'f'}, {"sync", required_argument, NULL, 's'},
        {"spoil", required_argument, NULL, 'x'},  {0}};
    struct floor f = {.gathering = &f.batches[0],
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .has_work = PTHREAD_COND_INITIALIZER};
    const char *pki = NULL, *folder = NULL;
    char path[3][PATH_BYTES];
    unsigned long port = 0;
    pthread_t thread;
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'p')
            port = strtoul(optarg, NULL, 10);
        else if (option == 'k')
            pki = optarg;
        else if (option == 'f')
            folder = optarg;
        else if (option == 's')
            f.is_inline = strcmp(optarg, "inline") == 0;
        else if (option == 'x')
            take_spoil(&f, optarg);
    }
    if (!pki || !folder || port == 0 || port > UINT16_MAX)
        die("usage: brug-floor --port N --pki DIR --folder DIR [--sync thread|inline] [--spoil "
            "WHAT:N]");
    (void)signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    (void)snprintf(path[0], PATH_BYTES, "%s/ca.pem", pki);
    (void)snprintf(path[1], PATH_BYTES, "%s/relay.pem", pki);
    (void)snprintf(path[2], PATH_BYTES, "%s/relay.key", pki);
    f.context = link_context(true, path[0]);
    link_identity(f.context, path[1], path[2]);
    (void)snprintf(path[0], PATH_BYTES, "%s/log", folder);
    f.log = open(path[0], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (f.log < 0)
        die("cannot write %s: %s", path[0], strerror(errno));
    f.peers = need_memory(PEERS_MAX, sizeof *f.peers);
    f.dirty = need_memory(PEERS_MAX, sizeof *f.dirty);
    f.epoll = epoll_create1(EPOLL_CLOEXEC);
    f.stored_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f.listener = link_listen((uint16_t)port);
    f.spares[f.spare_count++] = &f.batches[1];
    f.spares[f.spare_count++] = &f.batches[2];
    for (size_t i = 0; i < 3; i++)
        buf_init(&f.batches[i].log, BYTES_MAX);
    buf_init(&f.held, BYTES_MAX);
    if (!f.is_inline && pthread_create(&thread, NULL, store_loop, &f))
        die("cannot start a thread");
    serve(&f);
}
