/* tests/unit/test_client_link.c: client/link: a relay that dies while the client writes costs a connection, and nothing else. */
#include "client/link.h"
#include "pki/tls.h"
#include "tests/lib/pki_fixture.h"
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS_MAX 100
#define STEP_MS 100

/* A relay on loopback, and a link to it. */
struct pair {
    int listener, relay_fd, epoll;
    unsigned port;
    struct trust *trust;
    SSL_CTX *relay_context, *client_context;
    SSL *relay;
    struct link *link;
};

static void listen_on_loopback(struct pair *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, 1), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
}

static void make_contexts(struct pair *p)
{
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = fixture_who(0x12)};
    struct fixture_ca ca;
    EVP_PKEY *relay_key, *client_key;
    fixture_ca_init(&ca, "CA");
    X509 *relay = fixture_relay(&ca, &relay_key), *client = fixture_issue(&ca, &wish, &client_key);
    p->trust = fixture_trust(&ca, NULL, 0);
    assert_int_equal(fixture_tls_context(&p->relay_context, true, relay, relay_key, &p->trust),
                     ERROR_NONE);
    assert_int_equal(fixture_tls_context(&p->client_context, false, client, client_key, &p->trust),
                     ERROR_NONE);
    X509_free(relay);
    X509_free(client);
    EVP_PKEY_free(relay_key);
    EVP_PKEY_free(client_key);
    fixture_ca_fini(&ca);
}

static void connect_pair(struct pair *p)
{
    struct epoll_event event;
    assert_int_equal(link_open(p->link, p->client_context, "127.0.0.1", p->port), ERROR_NONE);
    p->relay_fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    p->relay = SSL_new(p->relay_context);
    assert_true(p->relay_fd >= 0 && SSL_set_fd(p->relay, p->relay_fd));
    SSL_set_accept_state(p->relay);
    for (int i = 0; i < STEPS_MAX; i++) {
        assert_int_equal(link_advance(p->link), ERROR_NONE);
        if (SSL_do_handshake(p->relay) == 1 && link_state(p->link) == LINK_OPEN)
            return;
        (void)epoll_wait(p->epoll, &event, 1, 1);
    }
    fail_msg("no handshake");
}

static void pair_init(struct pair *p)
{
    *p = (struct pair){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    listen_on_loopback(p);
    make_contexts(p);
    p->link = link_new(p->epoll);
    assert_non_null(p->link);
    connect_pair(p);
}

static void pair_fini(struct pair *p)
{
    SSL_free(p->relay);
    link_free(p->link);
    tls_context_free(p->relay_context);
    tls_context_free(p->client_context);
    trust_free(p->trust);
    (void)close(p->listener);
    (void)close(p->epoll);
}

static enum error write_word(struct pair *p)
{
    struct buf out;
    buf_init(&out, 64);
    assert_int_equal(buf_append(&out, "word", 4), ERROR_NONE);
    enum error e = link_write(p->link, &out);
    buf_fini(&out);
    return e;
}

/* The process that has the relay's end is killed: an end of the stream first, a reset for what comes after it. */
static void kill_relay(struct pair *p)
{
    (void)close(p->relay_fd);
    struct epoll_event event;
    assert_int_equal(epoll_wait(p->epoll, &event, 1, STEPS_MAX * STEP_MS), 1); /* the end is here */
}

static void test_writing_to_a_dead_relay_is_an_error_and_no_signal(void **state)
{
    struct pair p;
    pair_init(&p);
    kill_relay(&p);
    assert_int_equal(write_word(&p), ERROR_NONE); /* answered by a reset */
    assert_int_not_equal(write_word(&p), ERROR_NONE);
    assert_int_equal(link_state(p.link), LINK_CLOSED);
    pair_fini(&p);
}

static void test_the_goodbye_to_a_dead_relay_is_no_signal(void **state)
{
    struct pair p;
    pair_init(&p);
    kill_relay(&p);
    assert_int_equal(write_word(&p), ERROR_NONE);
    link_close(p.link);
    assert_int_equal(link_state(p.link), LINK_CLOSED);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing_to_a_dead_relay_is_an_error_and_no_signal),
        cmocka_unit_test(test_the_goodbye_to_a_dead_relay_is_no_signal),
    };
    (void)signal(SIGPIPE, SIG_DFL); /* as a program has it that uses the library */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
