/*
 * tests/daemon/test_net.c: daemon/net over real TLS on the loopback. The loop runs in a thread of its own
 * with an owner that answers frames by their first byte; the tests are blocking clients.
 *
 *     'E' echo · 'C' answer and close · 'P' echo, pause itself for a while · 'W' welcome: frames up to 8 MiB
 *     'B' big answer: as many KiB as the next four bytes say · 'D' nothing
 */
#include "daemon/net/net.h"
#include "pki/tls.h"
#include "tests/lib/pki_fixture.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME_BYTES_MAX (8u << 20)
#define CODES 32
#define OTHER 31 /* codes that never leave the process: IO */
#define PAUSE_MS 50

struct server {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t pause_timer;
    struct net *net;
    struct net_options options;
    uint16_t port;
    pthread_t thread;
    sem_t done;
    void (*job)(struct server *s); /* runs on the loop's thread */
    uint64_t paused_session;
    bool is_pausing;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    unsigned limits[CODES], failed[CODES], closed[CODES]; /* by code */
    unsigned connected, frames, frames_in_pause, drained, wake_ends;
    size_t connections;
    struct digest key_last;
    int64_t not_after_last_ms;
};

static struct fixture_ca ca;
static struct fixture_endpoint endpoint;
static struct trust *trust;
static SSL_CTX *server_tls, *client_tls;

static int64_t fixture_now(void *ctx) { return FIXTURE_NOW_MS; }

/* ---- the owner ---- */

static void count(struct server *s, unsigned *counter)
{
    pthread_mutex_lock(&s->lock);
    (*counter)++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_connected(void *ctx, uint64_t session, const struct net_peer *peer)
{
    struct server *s = ctx;
    assert_true(session != 0);
    pthread_mutex_lock(&s->lock);
    s->key_last = peer->key;
    s->not_after_last_ms = peer->not_after_ms;
    pthread_mutex_unlock(&s->lock);
    count(s, &s->connected);
}

static size_t put_length(uint8_t out[5], size_t len)
{
    size_t n = 0;
    for (; len > 0x7f; len >>= 7)
        out[n++] = (uint8_t)(len | 0x80);
    out[n++] = (uint8_t)len;
    return n;
}

static void answer(struct server *s, uint64_t session, struct slice frame)
{
    uint8_t prefix[5];
    const struct slice parts[] = {slice_of(prefix, put_length(prefix, frame.len)), frame};
    (void)net_send(s->net, session, parts, 2);
}

static void on_pause_over(uv_timer_t *t)
{
    struct server *s = t->data;
    s->is_pausing = false;
    net_pause(s->net, s->paused_session, false);
    net_pause(s->net, 0, false);
}

static void on_frame(void *ctx, uint64_t session, struct slice frame)
{
    struct server *s = ctx;
    count(s, &s->frames);
    if (s->is_pausing)
        count(s, &s->frames_in_pause);
    switch (frame.data[0]) {
    case 'E':
        answer(s, session, frame);
        break;
    case 'C':
        answer(s, session, frame);
        net_close(s->net, session);
        net_close(s->net, session); /* an unknown session by now: does nothing */
        answer(s, session, frame);
        break;
    case 'P':
    case 'A':
        answer(s, session, frame);
        s->paused_session = session;
        s->is_pausing = true;
        net_pause(s->net, frame.data[0] == 'A' ? 0 : session, true);
        uv_timer_start(&s->pause_timer, on_pause_over, PAUSE_MS, 0);
        break;
    case 'W':
        net_set_frame_max(s->net, session, FRAME_BYTES_MAX);
        answer(s, session, frame);
        break;
    case 'B': {
        uint32_t kib = 0;
        struct slice rest = slice_of(frame.data + 1, frame.len - 1);
        if (!slice_take_u32(&rest, &kib))
            return;
        uint8_t *big = calloc(kib, 1024);
        assert_non_null(big);
        answer(s, session, slice_of(big, (size_t)kib * 1024));
        free(big);
        break;
    }
    default:
        break;
    }
}

static void on_drained(void *ctx, uint64_t session)
{
    struct server *s = ctx;
    count(s, &s->drained);
}

static void on_limit(void *ctx, uint64_t session, enum error code)
{
    struct server *s = ctx;
    uint8_t last[] = {'L', (uint8_t)code};
    assert_true(code > 0 && code < CODES);
    answer(s, session, slice_of(last, sizeof last));
    net_close(s->net, session);
    count(s, &s->limits[code]);
}

static void on_closed(void *ctx, uint64_t session, enum error code, bool was_connected,
                      const char *address)
{
    struct server *s = ctx;
    unsigned row = (unsigned)code < CODES ? (unsigned)code : OTHER;
    assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
    count(s, was_connected ? &s->closed[row] : &s->failed[row]);
}

static void on_wake_end(void *ctx)
{
    struct server *s = ctx;
    count(s, &s->wake_ends);
    net_flush(s->net);
}

/* ---- the loop's thread ---- */

static void on_wake(uv_async_t *a)
{
    struct server *s = a->data;
    s->job(s);
    sem_post(&s->done);
}

static void *run(void *arg)
{
    struct server *s = arg;
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void on_loop(struct server *s, void (*job)(struct server *s))
{
    s->job = job;
    uv_async_send(&s->wake);
    sem_wait(&s->done);
}

static void listen_job(struct server *s)
{
    assert_int_equal(net_listen(s->net, "127.0.0.1:0", &s->port), ERROR_NONE);
}

static const struct net_options usual = {
    .connections_max = 4096,
    .handshakes_max = 64,
    .handshakes_per_source_max = 1000,
    .handshake_ms_max = 5000,
    .hello_ms_max = 5000,
    .idle_ms_max = 20000,
    .write_stall_ms_max = 5000,
    .frame_bytes_before_welcome = 4096,
    .unsent_bytes_max = 1 << 20,
    .input_bytes_total_max = 32 << 20,
    .output_bytes_total_max = 32 << 20,
    .key_updates_per_minute_max = 16,
};

static void server_init(struct server *s, struct net_options o)
{
    static const struct net_events EVENTS = {on_connected, on_frame,  on_drained,
                                             on_limit,     on_closed, on_wake_end};
    memset(s, 0, sizeof *s);
    o.tls = server_tls;
    s->options = o;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    sem_init(&s->done, 0, 0);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(uv_async_init(&s->loop, &s->wake, on_wake), 0);
    uv_timer_init(&s->loop, &s->pause_timer);
    s->wake.data = s->pause_timer.data = s;
    assert_int_equal(net_new(&s->net, &s->loop, &o, &EVENTS, s), ERROR_NONE);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
    on_loop(s, listen_job);
}

static void on_net_down(void *ctx)
{
    struct server *s = ctx;
    uv_close((uv_handle_t *)&s->wake, NULL);
    uv_close((uv_handle_t *)&s->pause_timer, NULL);
}

static void shut_down_job(struct server *s) { net_shutdown(s->net, on_net_down); }

static void server_fini(struct server *s)
{
    on_loop(s, shut_down_job);
    pthread_join(s->thread, NULL);
    net_free(s->net);
    assert_int_equal(uv_loop_close(&s->loop), 0); /* no handle was forgotten */
    sem_destroy(&s->done);
}

/* Waits until a counter has at least this value; fails after ten seconds. */
static void await(struct server *s, const unsigned *counter, unsigned wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    int late = 0;
    pthread_mutex_lock(&s->lock);
    while (*counter < wanted && !late)
        late = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    unsigned value = *counter;
    pthread_mutex_unlock(&s->lock);
    if (value < wanted)
        print_message("waited for %u, is %u\n", wanted, value);
    assert_true(value >= wanted);
}

static unsigned value_of(struct server *s, const unsigned *counter)
{
    pthread_mutex_lock(&s->lock);
    unsigned value = *counter;
    pthread_mutex_unlock(&s->lock);
    return value;
}

static void count_connections_job(struct server *s)
{
    s->connections = net_connection_count(s->net);
}

static void await_no_connections(struct server *s)
{
    for (int i = 0; i < 1000; i++) {
        on_loop(s, count_connections_job);
        if (s->connections == 0)
            return;
        usleep(10000);
    }
    fail_msg("%zu connections are left", s->connections);
}

/* ---- a blocking client ---- */

struct peer {
    int fd;
    SSL *ssl;
};

static int dial(const struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    struct timeval limit = {.tv_sec = 20};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* True if the client's side of the handshake went well, which says nothing of the relay's. */
static bool peer_try(struct peer *p, const struct server *s, SSL_CTX *tls)
{
    p->fd = dial(s);
    p->ssl = SSL_new(tls);
    SSL_set_fd(p->ssl, p->fd);
    return SSL_connect(p->ssl) == 1;
}

static void peer_init(struct peer *p, const struct server *s)
{
    assert_true(peer_try(p, s, client_tls));
}

static void peer_fini(struct peer *p)
{
    SSL_free(p->ssl);
    close(p->fd);
    ERR_clear_error();
}

static void say(struct peer *p, const void *data, size_t len)
{
    size_t written;
    assert_int_equal(SSL_write_ex(p->ssl, data, len, &written), 1);
    assert_int_equal(written, len);
}

/* A frame of `len` bytes that begins with `what` and counts on. */
static uint8_t *make_frame(char what, size_t len, size_t *total)
{
    uint8_t *f = malloc(len + 5);
    assert_non_null(f);
    size_t at = put_length(f, len);
    for (size_t i = 0; i < len; i++)
        f[at + i] = (uint8_t)(i * 7 + i / 251);
    f[at] = (uint8_t)what;
    *total = at + len;
    return f;
}

static void say_frame(struct peer *p, char what, size_t len)
{
    size_t total;
    uint8_t *f = make_frame(what, len, &total);
    say(p, f, total);
    free(f);
}

static bool hear(struct peer *p, void *data, size_t len)
{
    for (size_t got, at = 0; at < len; at += got)
        if (SSL_read_ex(p->ssl, (uint8_t *)data + at, len - at, &got) != 1)
            return false;
    return true;
}

/* The next frame; its length, or -1 when the connection ended. */
static long hear_frame(struct peer *p, uint8_t **out)
{
    uint8_t byte = 0x80;
    size_t len = 0;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (!hear(p, &byte, 1))
            return -1;
        len |= (size_t)(byte & 0x7f) << shift;
    }
    *out = malloc(len ? len : 1);
    assert_non_null(*out);
    assert_true(hear(p, *out, len));
    return (long)len;
}

static void expect_echo(struct peer *p, char what, size_t len)
{
    size_t total;
    uint8_t *wanted = make_frame(what, len, &total), *got = NULL;
    assert_int_equal(hear_frame(p, &got), (long)len);
    assert_memory_equal(got, wanted + (total - len), len);
    free(got);
    free(wanted);
}

/* The owner's last frame names the code, then the relay ends TLS in an orderly way. */
static void expect_limit(struct peer *p, enum error code)
{
    uint8_t *got = NULL, byte;
    assert_int_equal(hear_frame(p, &got), 2);
    assert_int_equal(got[0], 'L');
    assert_int_equal(got[1], code);
    free(got);
    assert_false(hear(p, &byte, 1));
    assert_int_equal(SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

static void welcome(struct peer *p)
{
    say_frame(p, 'W', 1);
    expect_echo(p, 'W', 1);
}

/* ---- frames ---- */

static void frames_come_back_whole(void **state)
{
    static const size_t SIZES[] = {1,     2,     127,   128,     129,      4096,           16383,
                                   16384, 65535, 70000, 1 << 20, 3u << 20, FRAME_BYTES_MAX};
    struct server s;
    struct peer p;
    server_init(&s, usual);
    peer_init(&p, &s);
    welcome(&p);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        say_frame(&p, 'E', SIZES[i]);
        expect_echo(&p, 'E', SIZES[i]);
    }
    struct digest key = certificate_key_digest(endpoint.identity);
    assert_true(digest_equal(&key, &s.key_last));
    assert_int_equal(s.not_after_last_ms, FIXTURE_UNTIL_MS);
    peer_fini(&p);
    await(&s, &s.closed[OTHER], 1); /* it went without close_notify */
    server_fini(&s);
}

static void frames_may_be_cut_and_joined_anywhere(void **state)
{
    struct server s;
    struct peer p;
    size_t total, all = 0;
    server_init(&s, usual);
    peer_init(&p, &s);
    welcome(&p);
    uint8_t *one = make_frame('E', 300, &total), *many = malloc(200 * total);
    assert_non_null(many);
    for (size_t i = 0; i < total; i++) /* byte by byte */
        say(&p, one + i, 1);
    expect_echo(&p, 'E', 300);
    for (size_t cut = 1; cut < total; cut++) { /* in two pieces */
        say(&p, one, cut);
        say(&p, one + cut, total - cut);
    }
    for (size_t cut = 1; cut < total; cut++)
        expect_echo(&p, 'E', 300);
    for (unsigned i = 0; i < 200; i++, all += total)
        memcpy(many + all, one, total);
    for (size_t at = 0, step = 1; at < all; at += step, step = step * 2 + 1) {
        step = step < all - at ? step : all - at;
        say(&p, many + at, step);
    }
    for (unsigned i = 0; i < 200; i++)
        expect_echo(&p, 'E', 300);
    free(one);
    free(many);
    peer_fini(&p);
    server_fini(&s);
}

static void answers_of_one_wake_up_leave_in_order(void **state)
{
    struct server s;
    struct peer p;
    size_t at = 0, total;
    uint8_t *all = malloc(64 * 600);
    assert_non_null(all);
    server_init(&s, usual);
    peer_init(&p, &s);
    for (size_t i = 1; i <= 64; i++, at += total) {
        uint8_t *f = make_frame('E', i * 8, &total);
        memcpy(all + at, f, total);
        free(f);
    }
    say(&p, all, at);
    for (size_t i = 1; i <= 64; i++)
        expect_echo(&p, 'E', i * 8);
    free(all);
    peer_fini(&p);
    server_fini(&s);
}

/* ---- ends ---- */

static void orderly_end_is_no_failure(void **state)
{
    struct server s;
    struct peer p;
    uint8_t byte;
    server_init(&s, usual);
    peer_init(&p, &s);
    say_frame(&p, 'E', 100);
    SSL_shutdown(p.ssl); /* half-closed: the answer that is queued still comes */
    expect_echo(&p, 'E', 100);
    assert_false(hear(&p, &byte, 1));
    assert_int_equal(SSL_get_error(p.ssl, 0), SSL_ERROR_ZERO_RETURN);
    await(&s, &s.closed[ERROR_NONE], 1);
    peer_fini(&p);
    await_no_connections(&s);
    server_fini(&s);
}

static void end_inside_a_frame_is_told(void **state)
{
    struct server s;
    size_t total;
    uint8_t *f = make_frame('E', 200, &total);
    server_init(&s, usual);
    for (size_t cut = 1; cut < total; cut += cut < 5 ? 1 : 39) {
        struct peer p;
        peer_init(&p, &s);
        say(&p, f, cut);
        SSL_shutdown(p.ssl);
        expect_limit(&p, ERROR_FRAME_TRUNCATED);
        peer_fini(&p);
        peer_init(&p, &s);
        say(&p, f, cut);
        shutdown(p.fd, SHUT_WR); /* without close_notify */
        expect_limit(&p, ERROR_FRAME_TRUNCATED);
        peer_fini(&p);
    }
    free(f);
    assert_int_equal(s.frames, 0);
    await_no_connections(&s);
    server_fini(&s);
}

static void end_inside_a_record_is_told(void **state)
{
    struct server s;
    uint8_t record[512], *f;
    size_t total;
    server_init(&s, usual);
    f = make_frame('E', 200, &total);
    for (int cut = 1; cut < 220; cut += 31) {
        struct peer p;
        peer_init(&p, &s);
        BIO *b = BIO_new(BIO_s_mem());
        SSL_set0_wbio(p.ssl, b);
        say(&p, f, total);
        int len = BIO_read(b, record, sizeof record);
        assert_true(len > cut);
        assert_int_equal(send(p.fd, record, (size_t)cut, 0), cut);
        shutdown(p.fd, SHUT_WR);
        expect_limit(&p, ERROR_FRAME_TRUNCATED);
        peer_fini(&p);
    }
    free(f);
    assert_int_equal(s.frames, 0);
    server_fini(&s);
}

static void spoilt_record_ends_the_connection(void **state)
{
    struct server s;
    struct peer p;
    uint8_t record[512], byte;
    server_init(&s, usual);
    peer_init(&p, &s);
    BIO *b = BIO_new(BIO_s_mem());
    SSL_set0_wbio(p.ssl, b);
    say_frame(&p, 'E', 200);
    int len = BIO_read(b, record, sizeof record);
    record[len / 2] ^= 1;
    assert_int_equal(send(p.fd, record, (size_t)len, 0), len);
    assert_false(hear(&p, &byte, 1));
    await(&s, &s.closed[ERROR_TLS_BROKEN], 1);
    assert_int_equal(s.frames, 0);
    peer_fini(&p);
    await_no_connections(&s);
    server_fini(&s);
}

/* The last frame reaches a peer that keeps sending and is not reading yet. */
static void last_frame_survives_what_the_peer_still_sends(void **state)
{
    struct server s;
    server_init(&s, usual);
    for (int i = 0; i < 20; i++) {
        struct peer p;
        uint8_t byte, junk[4096] = {1, 'D'};
        size_t written;
        peer_init(&p, &s);
        welcome(&p);
        say_frame(&p, 'C', 2000);
        for (int n = 0; n < 100; n++)
            if (SSL_write_ex(p.ssl, junk, sizeof junk, &written) != 1)
                break;
        expect_echo(&p, 'C', 2000);
        assert_false(hear(&p, &byte, 1));
        assert_int_equal(SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        assert_int_equal(recv(p.fd, &byte, 1, 0), 0); /* no reset */
        peer_fini(&p);
    }
    await_no_connections(&s);
    for (unsigned i = 0; i < CODES; i++)
        assert_int_equal(s.closed[i], 0); /* the owner closed them itself */
    server_fini(&s);
}

static void large_answer_leaves_before_the_close(void **state)
{
    struct server s;
    struct peer p;
    uint8_t *got = NULL, ask[] = {5, 'B', 0, 0, 0x20, 0};
    server_init(&s, usual);
    peer_init(&p, &s);
    say(&p, ask, sizeof ask); /* 8 MiB, far over unsent_bytes_max */
    say_frame(&p, 'C', 10);
    assert_int_equal(hear_frame(&p, &got), 8 << 20);
    free(got);
    expect_echo(&p, 'C', 10);
    peer_fini(&p);
    await(&s, &s.drained, 1);
    server_fini(&s);
}

/* ---- handshakes ---- */

static void bad_peers_fail_with_their_code(void **state)
{
    struct server s;
    struct peer p;
    uint8_t byte;
    server_init(&s, usual);
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    peer_try(&p, &s, tls); /* neither ALPN nor certificate */
    assert_false(hear(&p, &byte, 1));
    await(&s, &s.failed[ERROR_TLS_WRONG_PROTOCOL], 1);
    peer_fini(&p);
    SSL_CTX_set_alpn_protos(tls, (const uint8_t *)"\x06" TLS_ALPN, 7);
    peer_try(&p, &s, tls);
    assert_false(hear(&p, &byte, 1));
    await(&s, &s.failed[ERROR_TLS_NO_CERTIFICATE], 1);
    peer_fini(&p);
    SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
    assert_false(peer_try(&p, &s, tls));
    await(&s, &s.failed[ERROR_TLS_WRONG_PROTOCOL], 2);
    peer_fini(&p);
    SSL_CTX_free(tls);
    int fd = dial(&s);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
    await(&s, &s.failed[ERROR_TLS_BROKEN], 1);
    close(fd);
    close(dial(&s)); /* says nothing */
    await(&s, &s.failed[ERROR_TLS_BROKEN], 2);
    await_no_connections(&s);
    peer_init(&p, &s); /* and everything else goes on */
    welcome(&p);
    peer_fini(&p);
    server_fini(&s);
}

static void silent_handshake_is_ended(void **state)
{
    struct net_options o = usual;
    struct server s;
    uint8_t byte;
    o.handshake_ms_max = 100;
    server_init(&s, o);
    int fd = dial(&s);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, 0), 3);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    await(&s, &s.failed[ERROR_HELLO_TIMEOUT], 1);
    close(fd);
    await_no_connections(&s);
    server_fini(&s);
}

static void one_source_has_few_handshakes(void **state)
{
    struct net_options o = usual;
    struct server s;
    int fds[4];
    o.handshakes_per_source_max = 3;
    server_init(&s, o);
    for (int i = 0; i < 4; i++)
        fds[i] = dial(&s);
    await(&s, &s.failed[ERROR_TOO_MANY_CONNECTIONS], 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    await(&s, &s.failed[ERROR_TLS_BROKEN], 3);
    close(dial(&s)); /* the three that failed still count */
    await(&s, &s.failed[ERROR_TOO_MANY_CONNECTIONS], 2);
    usleep(1100 * 1000);
    struct peer p;
    peer_init(&p, &s);
    welcome(&p);
    peer_fini(&p);
    server_fini(&s);
}

static void handshakes_over_the_limit_wait(void **state)
{
    struct net_options o = usual;
    struct server s;
    int fds[3];
    struct peer p;
    o.handshakes_max = 3;
    o.handshake_ms_max = 300;
    server_init(&s, o);
    for (int i = 0; i < 3; i++)
        fds[i] = dial(&s);
    peer_init(&p, &s); /* when the three have had their time */
    welcome(&p);
    assert_true(s.failed[ERROR_HELLO_TIMEOUT] >= 1);
    assert_int_equal(s.failed[ERROR_TOO_MANY_CONNECTIONS], 0);
    peer_fini(&p);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    server_fini(&s);
}

static void connections_have_a_limit(void **state)
{
    struct net_options o = usual;
    struct server s;
    struct peer p[3];
    uint8_t byte;
    o.connections_max = 3;
    server_init(&s, o);
    for (int i = 0; i < 3; i++)
        peer_init(&p[i], &s);
    int fd = dial(&s);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    await(&s, &s.failed[ERROR_TOO_MANY_CONNECTIONS], 1);
    close(fd);
    for (int i = 0; i < 3; i++) {
        welcome(&p[i]);
        peer_fini(&p[i]);
    }
    await_no_connections(&s);
    peer_init(&p[0], &s);
    welcome(&p[0]);
    peer_fini(&p[0]);
    server_fini(&s);
}

static void thousands_come_and_go(void **state)
{
    struct net_options o = usual;
    struct server s;
    o.handshakes_per_source_max = 10000; /* failed ones count for a while */
    server_init(&s, o);
    for (int i = 0; i < 2000; i++)
        close(dial(&s));
    for (int i = 0; i < 100; i++) {
        struct peer p;
        peer_init(&p, &s);
        if (i % 2)
            welcome(&p);
        peer_fini(&p);
    }
    struct peer p;
    peer_init(&p, &s);
    welcome(&p);
    peer_fini(&p);
    await_no_connections(&s);
    server_fini(&s);
}

static void shutdown_with_connections_forgets_nothing(void **state)
{
    struct server s;
    struct peer p[8];
    int fd;
    server_init(&s, usual);
    for (int i = 0; i < 8; i++) {
        uint8_t ask[] = {5, 'B', 0, 0, 0x20, 0};
        peer_init(&p[i], &s);
        say(&p[i], ask, sizeof ask); /* never read */
    }
    fd = dial(&s);
    await(&s, &s.frames, 8);
    server_fini(&s);
    for (int i = 0; i < 8; i++)
        peer_fini(&p[i]);
    close(fd);
}

/* ---- limits ---- */

static void frames_have_a_limit(void **state)
{
    struct server s;
    struct peer p;
    server_init(&s, usual);
    peer_init(&p, &s);
    say_frame(&p, 'E', 4096);
    expect_echo(&p, 'E', 4096);
    say_frame(&p, 'E', 4097); /* before Welcome */
    expect_limit(&p, ERROR_FRAME_TOO_LARGE);
    peer_fini(&p);
    peer_init(&p, &s);
    welcome(&p);
    say(&p, "\x81\x80\x80\x04", 4); /* 8 MiB and 1: judged by its prefix */
    expect_limit(&p, ERROR_FRAME_TOO_LARGE);
    peer_fini(&p);
    peer_init(&p, &s);
    say(&p, "\x00", 1);
    expect_limit(&p, ERROR_FRAME_MALFORMED);
    peer_fini(&p);
    peer_init(&p, &s);
    say(&p, "\xff\xff\xff\xff\xff\xff", 6);
    expect_limit(&p, ERROR_FRAME_MALFORMED);
    peer_fini(&p);
    await_no_connections(&s);
    server_fini(&s);
}

static void silence_is_ended(void **state)
{
    struct net_options o = usual;
    struct server s;
    struct peer p;
    o.hello_ms_max = 150;
    o.idle_ms_max = 300;
    server_init(&s, o);
    peer_init(&p, &s);
    say(&p, "\x05", 1); /* a beginning is no Hello */
    expect_limit(&p, ERROR_HELLO_TIMEOUT);
    peer_fini(&p);
    peer_init(&p, &s);
    welcome(&p);
    for (int i = 0; i < 5; i++) {
        usleep(150 * 1000);
        say_frame(&p, 'E', 1); /* a sign of life */
        expect_echo(&p, 'E', 1);
    }
    expect_limit(&p, ERROR_IDLE_TIMEOUT);
    peer_fini(&p);
    peer_init(&p, &s);
    welcome(&p);
    say(&p, "\x7f", 1);
    size_t written;
    int64_t rounds = 0;
    while (rounds < 20 && value_of(&s, &s.limits[ERROR_IDLE_TIMEOUT]) < 2 &&
           SSL_write_ex(p.ssl, "x", 1, &written) == 1) { /* bytes, but no frame */
        usleep(50 * 1000);
        rounds++;
    }
    assert_true(rounds < 20);
    expect_limit(&p, ERROR_IDLE_TIMEOUT);
    peer_fini(&p);
    server_fini(&s);
}

static void peer_that_does_not_read_is_cut_off(void **state)
{
    struct net_options o = usual;
    struct server s;
    struct peer p;
    uint8_t ask[] = {5, 'B', 0, 0, 0x40, 0};
    o.write_stall_ms_max = 1500;
    server_init(&s, o);
    peer_init(&p, &s);
    say(&p, ask, sizeof ask); /* 16 MiB, more than any socket buffer */
    await(&s, &s.limits[ERROR_WRITE_STALLED], 1);
    usleep(300 * 1000); /* it does not get the time once more */
    on_loop(&s, count_connections_job);
    assert_int_equal(s.connections, 0);
    peer_fini(&p);
    server_fini(&s);
}

static void key_updates_have_a_limit(void **state)
{
    struct server s;
    struct peer p;
    server_init(&s, usual);
    peer_init(&p, &s);
    welcome(&p);
    for (int i = 0; i < 16; i++) {
        SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED);
        say_frame(&p, 'E', 3);
        expect_echo(&p, 'E', 3);
    }
    SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED);
    say_frame(&p, 'E', 3);
    expect_limit(&p, ERROR_TLS_KEY_UPDATES);
    peer_fini(&p);
    await_no_connections(&s);
    server_fini(&s);
}

/* ---- back-pressure ---- */

#define BURST 60

static void pausing(char how)
{
    struct server s;
    struct peer p;
    server_init(&s, usual);
    peer_init(&p, &s);
    welcome(&p);
    /* In one burst, so that much has come when a pause begins: it is held and taken later, none lost
     * and none twice, also when the next pause comes before all that was held is taken. */
    uint8_t *all = malloc(BURST * 5100);
    size_t at = 0, total;
    assert_non_null(all);
    for (int n = 0; n < BURST; n++, at += total) {
        uint8_t *f = make_frame(n % 4 ? 'E' : how, 5000, &total);
        memcpy(all + at, f, total);
        free(f);
    }
    say(&p, all, at);
    for (int n = 0; n < BURST; n++)
        expect_echo(&p, n % 4 ? 'E' : how, 5000);
    free(all);
    assert_int_equal(s.frames, 1 + BURST);
    assert_int_equal(s.frames_in_pause, 0);
    peer_fini(&p);
    await_no_connections(&s);
    server_fini(&s);
}

static void paused_session_goes_on_later(void **state) { pausing('P'); }
static void paused_net_goes_on_later(void **state) { pausing('A'); }

struct large_sender {
    pthread_t thread;
    struct server *s;
    size_t frame_bytes;
    bool is_whole;
};

static void *send_large(void *arg)
{
    struct large_sender *l = arg;
    struct peer p;
    size_t total;
    uint8_t *f = make_frame('E', l->frame_bytes, &total), *got = NULL;
    if (!peer_try(&p, l->s, client_tls))
        return NULL;
    bool is_good = SSL_write(p.ssl, "\x01W", 2) == 2 && hear_frame(&p, &got) == 1;
    free(got);
    got = NULL;
    for (int i = 0; is_good && i < 3; i++) {
        is_good = SSL_write(p.ssl, f, (int)total) == (int)total &&
                  hear_frame(&p, &got) == (long)l->frame_bytes &&
                  memcmp(got, f + total - l->frame_bytes, l->frame_bytes) == 0;
        free(got);
        got = NULL;
    }
    l->is_whole = is_good;
    free(f);
    peer_fini(&p);
    return NULL;
}

#define SENDERS 12

/* Far more than the budgets arrives and leaves at once; all of it arrives, some of it later. */
static void budgets_delay_and_never_drop(void **state)
{
    struct net_options o = usual;
    struct large_sender senders[SENDERS];
    struct server s;
    o.input_bytes_total_max = 600 << 10;
    o.output_bytes_total_max = 300 << 10;
    o.unsent_bytes_max = 64 << 10;
    server_init(&s, o);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct large_sender){.s = &s, .frame_bytes = i % 4 ? 500000 : 1 << 20};
        pthread_create(&senders[i].thread, NULL, send_large, &senders[i]);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_true(senders[i].is_whole);
    }
    await_no_connections(&s);
    server_fini(&s);
}

/* One that begins a large frame and stops does not keep the others out for ever. */
static void slow_frame_holds_the_budget_until_it_is_idle(void **state)
{
    struct net_options o = usual;
    struct large_sender sender = {.frame_bytes = 500000};
    struct server s;
    struct peer p;
    o.input_bytes_total_max = 600 << 10;
    o.idle_ms_max = 400;
    server_init(&s, o);
    sender.s = &s;
    peer_init(&p, &s);
    welcome(&p);
    say(&p, "\x80\x80\x80\x01xxxx", 8); /* the first of 2 MiB: let through because it is alone */
    usleep(100 * 1000);
    send_large(&sender);
    assert_true(sender.is_whole);
    assert_int_equal(s.limits[ERROR_IDLE_TIMEOUT], 1);
    peer_fini(&p);
    server_fini(&s);
}

/* ---- listening ---- */

static void listen_badly_job(struct server *s)
{
    static const char *const BAD[] = {"",        ":",         "127.0.0.1",    "127.0.0.1:",
                                      ":7410",   "host:7410", "127.0.0.1:x",  "127.0.0.1:70000",
                                      "[::1]",   "[::1:7410", "::1]:7410",    "1.2.3.4:1x",
                                      "[]:7410", "[:7410",    "127.0.0.1:-1", "[1.2.3.4]:1"};
    uint16_t port;
    char same[32];
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(net_listen(s->net, BAD[i], &port), ERROR_CONFIG);
    (void)snprintf(same, sizeof same, "127.0.0.1:%u", s->port);
    assert_int_equal(net_listen(s->net, same, &port), ERROR_LOCKED);
    assert_int_equal(net_listen(s->net, "127.0.0.1:0", &port), ERROR_NONE);
    assert_true(port != 0 && port != s->port);
    s->port = port;
}

static void listen_fd_job(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(net_listen_fd(s->net, fd), ERROR_NONE);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
}

static void stop_job(struct server *s) { net_stop_listening(s->net); }

static void listens_where_it_is_told(void **state)
{
    struct server s;
    struct peer p, q;
    server_init(&s, usual);
    on_loop(&s, listen_badly_job);
    peer_init(&p, &s);
    welcome(&p);
    on_loop(&s, listen_fd_job);
    peer_init(&q, &s);
    welcome(&q);
    on_loop(&s, stop_job);
    usleep(20 * 1000);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s.port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    welcome(&p); /* sessions stay */
    peer_fini(&p);
    peer_fini(&q);
    server_fini(&s);
}

/* ---- all of them ---- */

static int set_up(void **state)
{
    static EVP_PKEY *relay_key;
    struct buf chain;
    signal(SIGPIPE, SIG_IGN);
    fixture_ca_init(&ca, "Gemeente");
    fixture_endpoint_init(&endpoint, &ca, 0x12);
    trust = fixture_trust(&ca, NULL, 0);
    X509 *relay = fixture_relay(&ca, &relay_key);
    buf_init(&chain, 1 << 16);
    assert_int_equal(certificate_to_der(relay, &chain), ERROR_NONE);
    const struct tls_policy policy = {.is_server = true,
                                      .key = relay_key,
                                      .chain = buf_slice(&chain),
                                      .trust = &trust,
                                      .now_ms = fixture_now};
    assert_int_equal(tls_context_new(&server_tls, &policy), ERROR_NONE);
    client_tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(client_tls, (const uint8_t *)"\x06" TLS_ALPN, 7);
    assert_int_equal(SSL_CTX_use_certificate(client_tls, endpoint.identity), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(client_tls, endpoint.identity_key), 1);
    buf_fini(&chain);
    X509_free(relay);
    EVP_PKEY_free(relay_key);
    return 0;
}

static int tear_down(void **state)
{
    SSL_CTX_free(client_tls);
    tls_context_free(server_tls);
    trust_free(trust);
    fixture_endpoint_fini(&endpoint);
    fixture_ca_fini(&ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back_whole),
        cmocka_unit_test(frames_may_be_cut_and_joined_anywhere),
        cmocka_unit_test(answers_of_one_wake_up_leave_in_order),
        cmocka_unit_test(orderly_end_is_no_failure),
        cmocka_unit_test(end_inside_a_frame_is_told),
        cmocka_unit_test(end_inside_a_record_is_told),
        cmocka_unit_test(spoilt_record_ends_the_connection),
        cmocka_unit_test(last_frame_survives_what_the_peer_still_sends),
        cmocka_unit_test(large_answer_leaves_before_the_close),
        cmocka_unit_test(bad_peers_fail_with_their_code),
        cmocka_unit_test(silent_handshake_is_ended),
        cmocka_unit_test(one_source_has_few_handshakes),
        cmocka_unit_test(handshakes_over_the_limit_wait),
        cmocka_unit_test(connections_have_a_limit),
        cmocka_unit_test(thousands_come_and_go),
        cmocka_unit_test(shutdown_with_connections_forgets_nothing),
        cmocka_unit_test(frames_have_a_limit),
        cmocka_unit_test(silence_is_ended),
        cmocka_unit_test(peer_that_does_not_read_is_cut_off),
        cmocka_unit_test(key_updates_have_a_limit),
        cmocka_unit_test(paused_session_goes_on_later),
        cmocka_unit_test(paused_net_goes_on_later),
        cmocka_unit_test(budgets_delay_and_never_drop),
        cmocka_unit_test(slow_frame_holds_the_budget_until_it_is_idle),
        cmocka_unit_test(listens_where_it_is_told),
    };
    return cmocka_run_group_tests_name("net", tests, set_up, tear_down);
}
