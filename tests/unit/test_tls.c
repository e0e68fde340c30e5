/* tests/unit/test_tls.c: pki/tls: handshakes in memory; what each side finds, and what it tells. */
#include "pki/key.h"
#include "pki/tls.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHAIN_BYTES 32768
#define ROUNDS_MAX 10

static struct fixture_ca ca, other;

static int make_cas(void **state)
{
    fixture_ca_init(&ca, "CA");
    fixture_ca_init(&other, "Other CA");
    return 0;
}

static int free_cas(void **state)
{
    fixture_ca_fini(&ca);
    fixture_ca_fini(&other);
    return 0;
}

static int64_t fixture_now_cb(void *ctx) { return FIXTURE_NOW_MS; }

/* ---- two ends and what lies between them ---- */

struct link {
    struct trust *relay_trust, *client_trust;
    SSL_CTX *relay_context, *client_context;
    SSL *relay, *client;
    /* when set, shown in place of the context's own */
    X509 *client_shows, *relay_shows;
    EVP_PKEY *client_key, *relay_key;
};

static void use_client(struct link *l, X509 *c, EVP_PKEY *key)
{
    tls_context_free(l->client_context);
    l->client_context = NULL;
    assert_int_equal(fixture_tls_context(&l->client_context, false, c, key, &l->client_trust),
                     ERROR_NONE);
}

static void use_relay(struct link *l, X509 *c, EVP_PKEY *key)
{
    tls_context_free(l->relay_context);
    l->relay_context = NULL;
    assert_int_equal(fixture_tls_context(&l->relay_context, true, c, key, &l->relay_trust),
                     ERROR_NONE);
}

static void link_init(struct link *l)
{
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = fixture_who(0x12)};
    EVP_PKEY *key;
    *l = (struct link){.relay_trust = fixture_trust(&ca, NULL, 0),
                       .client_trust = fixture_trust(&ca, NULL, 0)};
    X509 *c = fixture_issue(&ca, &wish, &key);
    use_client(l, c, key);
    X509_free(c);
    EVP_PKEY_free(key);
    c = fixture_relay(&ca, &key);
    use_relay(l, c, key);
    X509_free(c);
    EVP_PKEY_free(key);
}

static void link_fini(struct link *l)
{
    SSL_free(l->client);
    SSL_free(l->relay);
    tls_context_free(l->client_context);
    tls_context_free(l->relay_context);
    trust_free(l->client_trust);
    trust_free(l->relay_trust);
}

/* What an end shows that would not show it by itself. */
static void present(SSL *ssl, X509 *c, EVP_PKEY *key)
{
    SSL_certs_clear(ssl);
    SSL_set_security_level(ssl, 0);
    assert_true(SSL_use_certificate(ssl, c) && SSL_use_PrivateKey(ssl, key));
}

static void connect_ends(struct link *l)
{
    BIO *a = NULL, *b = NULL;
    l->relay = SSL_new(l->relay_context);
    l->client = SSL_new(l->client_context);
    assert_true(l->relay && l->client && BIO_new_bio_pair(&a, 0, &b, 0));
    SSL_set_bio(l->relay, a, a);
    SSL_set_bio(l->client, b, b);
    SSL_set_accept_state(l->relay);
    SSL_set_connect_state(l->client);
    if (l->client_shows)
        present(l->client, l->client_shows, l->client_key);
    if (l->relay_shows)
        present(l->relay, l->relay_shows, l->relay_key);
}

/* One step of an end: its handshake, then reading. False when nothing more can come of it. */
static bool step(SSL *ssl)
{
    char byte;
    ERR_clear_error();
    int n = SSL_is_init_finished(ssl) ? SSL_read(ssl, &byte, 1) : SSL_do_handshake(ssl);
    int why = SSL_get_error(ssl, n);
    ERR_clear_error();
    return n > 0 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

struct outcome {
    enum error relay, client;
    bool is_connected, was_refused;
};

/* Until neither end has anything more to say. */
static void shake_hands(struct link *l)
{
    bool relay_goes_on = true, client_goes_on = true;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        client_goes_on = client_goes_on && step(l->client);
        relay_goes_on = relay_goes_on && step(l->relay);
    }
    client_goes_on = client_goes_on && step(l->client);
}

static struct outcome meet(struct link *l)
{
    connect_ends(l);
    (void)!tls_set_host(l->client, "localhost");
    shake_hands(l);
    return (struct outcome){.relay = tls_verdict(l->relay),
                            .client = tls_verdict(l->client),
                            .is_connected =
                                SSL_is_init_finished(l->relay) && SSL_is_init_finished(l->client),
                            .was_refused = tls_was_refused(l->client)};
}

/* The relay found `code`, and the client was told the same. */
static void expect_refused(struct link *l, enum error code)
{
    struct outcome o = meet(l);
    assert_int_equal(o.relay, code);
    assert_int_equal(o.client, code);
    assert_true(o.was_refused);
    assert_int_equal(tls_failed(l->relay), code);
    assert_false(SSL_is_init_finished(l->relay));
    assert_false(tls_was_refused(l->relay));
}

static void expect_wish_refused(const struct fixture_ca *from, struct fixture_wish wish,
                                enum error code)
{
    struct link l;
    link_init(&l);
    wish.who = fixture_who(0x12);
    l.client_shows = fixture_issue(from, &wish, &l.client_key);
    expect_refused(&l, code);
    X509_free(l.client_shows);
    EVP_PKEY_free(l.client_key);
    link_fini(&l);
}

/* ---- what goes well ---- */

static void two_good_ends_meet(void **state)
{
    struct link l;
    link_init(&l);
    struct outcome o = meet(&l);
    assert_int_equal(o.relay, ERROR_NONE);
    assert_int_equal(o.client, ERROR_NONE);
    assert_true(o.is_connected);
    assert_int_equal(SSL_version(l.client), TLS1_3_VERSION);
    assert_string_equal(SSL_get_cipher_name(l.client), "TLS_AES_256_GCM_SHA384");
    struct digest expected = certificate_digest(ca.certificate);
    struct digest of_client = tls_peer_anchor(l.relay), of_relay = tls_peer_anchor(l.client);
    assert_true(digest_equal(&of_client, &expected) && digest_equal(&of_relay, &expected));
    /* Every connection is judged anew. */
    assert_false(SSL_SESSION_is_resumable(SSL_get_session(l.client)));
    assert_int_equal(tls_failed(l.relay), ERROR_TLS_BROKEN); /* should it fail without a reason */
    assert_int_equal(strncmp(tls_level(), "TLS 1.3, X25519", 15), 0);
    link_fini(&l);
}

static void a_relay_is_known_by_name_or_address(void **state)
{
    const struct {
        const char *host;
        enum error found;
    } hosts[] = {
        {"localhost", ERROR_NONE},
        {"127.0.0.1", ERROR_NONE},
        {"::1", ERROR_NONE},
        {"relay", ERROR_TLS_WRONG_USE}, /* only its CN */
        {"127.0.0.2", ERROR_TLS_WRONG_USE},
        {"localhost.nl", ERROR_TLS_WRONG_USE},
        {"example.nl", ERROR_TLS_WRONG_USE},
        {NULL, ERROR_TLS_WRONG_USE},
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct link l;
        link_init(&l);
        connect_ends(&l);
        if (hosts[i].host)
            assert_int_equal(tls_set_host(l.client, hosts[i].host), ERROR_NONE);
        shake_hands(&l);
        assert_int_equal(tls_verdict(l.client), hosts[i].found);
        assert_int_equal(SSL_is_init_finished(l.relay), hosts[i].found == ERROR_NONE);
        assert_false(tls_was_refused(l.client));
        /* A complaint about the relay's certificate says nothing about the client's. */
        assert_int_equal(tls_verdict(l.relay), hosts[i].found ? ERROR_TLS_BROKEN : ERROR_NONE);
        link_fini(&l);
    }
}

static void hosts_of_no_use_are_refused(void **state)
{
    struct link l;
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    link_init(&l);
    connect_ends(&l);
    assert_int_equal(tls_set_host(l.client, ""), ERROR_CONFIG);
    assert_int_equal(tls_set_host(l.client, longest), ERROR_CONFIG);
    link_fini(&l);
}

static void intermediates_are_sent_along(void **state)
{
    struct link l;
    struct fixture_ca between;
    struct buf der;
    EVP_PKEY *key;
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = fixture_who(0x12)};
    link_init(&l);
    buf_init(&der, CHAIN_BYTES);
    fixture_ca_init_under(&between, "Between", &ca);
    fixture_crl(&between, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, NULL, 0, &der);
    assert_int_equal(trust_add_crl(l.relay_trust, buf_slice(&der)), ERROR_NONE);
    buf_clear(&der);
    X509 *c = fixture_issue(&between, &wish, &key);
    assert_int_equal(certificate_to_der(c, &der), ERROR_NONE);
    assert_int_equal(certificate_to_der(between.certificate, &der), ERROR_NONE);
    const struct tls_policy policy = {
        .key = key, .chain = buf_slice(&der), .trust = &l.client_trust, .now_ms = fixture_now_cb};
    tls_context_free(l.client_context);
    assert_int_equal(tls_context_new(&l.client_context, &policy), ERROR_NONE);
    struct outcome o = meet(&l);
    assert_true(o.is_connected && !o.relay && !o.client);
    assert_true(SSL_get0_peer_certificate(l.relay));
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(l.relay)), 0); /* judged, and not kept */
    X509_free(c);
    EVP_PKEY_free(key);
    buf_fini(&der);
    fixture_ca_fini(&between);
    link_fini(&l);
}

static void a_reload_swaps_the_trust_of_later_handshakes(void **state)
{
    struct link l;
    link_init(&l);
    struct outcome o = meet(&l);
    assert_true(o.is_connected);
    SSL_free(l.client);
    SSL_free(l.relay);
    trust_free(l.relay_trust);
    l.relay_trust = fixture_trust(&other, NULL, 0);
    expect_refused(&l, ERROR_TLS_UNKNOWN_CA);
    link_fini(&l);
}

/* ---- what a relay refuses; the client learns which ---- */

static void no_certificate(void **state)
{
    struct link l;
    link_init(&l);
    connect_ends(&l);
    SSL_certs_clear(l.client);
    assert_int_equal(tls_set_host(l.client, "localhost"), ERROR_NONE);
    shake_hands(&l);
    assert_int_equal(tls_verdict(l.relay), ERROR_TLS_NO_CERTIFICATE);
    assert_int_equal(tls_verdict(l.client), ERROR_TLS_NO_CERTIFICATE);
    link_fini(&l);
}

static void not_in_force(void **state)
{
    struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .until_ms = FIXTURE_NOW_MS - 1000};
    expect_wish_refused(&ca, wish, ERROR_TLS_EXPIRED);
    wish.from_ms = FIXTURE_NOW_MS + 1000;
    wish.until_ms = FIXTURE_UNTIL_MS;
    expect_wish_refused(&ca, wish, ERROR_TLS_EXPIRED);
}

static void of_another_ca(void **state)
{
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY};
    expect_wish_refused(&other, wish, ERROR_TLS_UNKNOWN_CA);
}

static void meant_for_another_use(void **state)
{
    struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .extended = "clientAuth,serverAuth"};
    expect_wish_refused(&ca, wish, ERROR_TLS_WRONG_USE);
    wish = (struct fixture_wish){.use = CERTIFICATE_RELAY, .name = "relay"};
    expect_wish_refused(&ca, wish, ERROR_TLS_WRONG_USE);
}

static void weak(void **state)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .key = key};
    expect_wish_refused(&ca, wish, ERROR_TLS_WEAK);
    EVP_PKEY_free(key);
}

static void revoked_or_without_a_list(void **state)
{
    struct link l;
    struct buf der;
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = fixture_who(0x12)};
    link_init(&l);
    l.client_shows = fixture_issue(&ca, &wish, &l.client_key);
    trust_free(l.relay_trust);
    l.relay_trust = fixture_trust(&ca, &l.client_shows, 1);
    expect_refused(&l, ERROR_TLS_REVOKED);

    buf_init(&der, CERTIFICATE_BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &der), ERROR_NONE);
    trust_free(l.relay_trust);
    l.relay_trust = trust_new();
    assert_int_equal(trust_add_anchor(l.relay_trust, buf_slice(&der)), ERROR_NONE);
    SSL_free(l.client);
    SSL_free(l.relay);
    expect_refused(&l, ERROR_TLS_CRL_STALE);
    buf_fini(&der);
    X509_free(l.client_shows);
    EVP_PKEY_free(l.client_key);
    link_fini(&l);
}

static void not_of_our_protocol(void **state)
{
    static const unsigned char foreign[] = "\x02h2", both[] = "\x02h2\x06" TLS_ALPN;
    struct link l;
    link_init(&l);
    assert_int_equal(SSL_CTX_set_alpn_protos(l.client_context, foreign, 3), 0);
    expect_refused(&l, ERROR_TLS_WRONG_PROTOCOL);
    SSL_free(l.client);
    SSL_free(l.relay);
    assert_int_equal(SSL_CTX_set_alpn_protos(l.client_context, NULL, 0), 0); /* none at all */
    expect_refused(&l, ERROR_TLS_WRONG_PROTOCOL);
    SSL_free(l.client);
    SSL_free(l.relay);
    assert_int_equal(SSL_CTX_set_alpn_protos(l.client_context, both, sizeof both - 1), 0);
    struct outcome o = meet(&l);
    assert_true(o.is_connected && !o.relay && !o.client);
    link_fini(&l);
}

static void tls_1_2_on_either_side(void **state)
{
    struct link l;
    link_init(&l);
    assert_true(SSL_CTX_set_min_proto_version(l.client_context, TLS1_2_VERSION) &&
                SSL_CTX_set_max_proto_version(l.client_context, TLS1_2_VERSION));
    expect_refused(&l, ERROR_TLS_WRONG_PROTOCOL);
    link_fini(&l);

    link_init(&l);
    assert_true(SSL_CTX_set_min_proto_version(l.relay_context, TLS1_2_VERSION) &&
                SSL_CTX_set_max_proto_version(l.relay_context, TLS1_2_VERSION));
    struct outcome o = meet(&l);
    assert_int_equal(o.client, ERROR_TLS_WRONG_PROTOCOL);
    assert_false(o.is_connected);
    link_fini(&l);
}

static void no_suite_or_group_in_common(void **state)
{
    struct link l;
    link_init(&l);
    SSL_CTX_set_security_level(l.client_context, 0);
    assert_true(SSL_CTX_set_ciphersuites(l.client_context, "TLS_AES_128_CCM_8_SHA256"));
    expect_refused(&l, ERROR_TLS_BROKEN);
    link_fini(&l);
    link_init(&l);
    assert_true(SSL_CTX_set1_groups_list(l.client_context, "X448:P-521"));
    expect_refused(&l, ERROR_TLS_BROKEN);
    link_fini(&l);
}

static void garbage(void **state)
{
    static const char *const said[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage",
                                       "\x15\x03\x03\x00\x02\x02\x28"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct link l;
        link_init(&l);
        connect_ends(&l);
        /* Written below the client's TLS. */
        assert_true(BIO_write(SSL_get_wbio(l.client), said[i], 7) == 7);
        assert_true(BIO_write(SSL_get_wbio(l.client), said[i], 7) == 7);
        (void)step(l.relay);
        assert_false(SSL_is_init_finished(l.relay));
        assert_int_equal(tls_failed(l.relay), ERROR_TLS_BROKEN);
        link_fini(&l);
    }
}

/* ---- what a client refuses ---- */

static enum error client_finds(const struct fixture_ca *from, const struct fixture_wish *wish,
                               bool is_revoked)
{
    struct link l;
    link_init(&l);
    l.relay_shows = fixture_issue(from, wish, &l.relay_key);
    if (is_revoked) {
        trust_free(l.client_trust);
        l.client_trust = fixture_trust(&ca, &l.relay_shows, 1);
    }
    struct outcome o = meet(&l);
    assert_int_equal(o.is_connected, o.client == ERROR_NONE);
    assert_false(o.was_refused);
    X509_free(l.relay_shows);
    EVP_PKEY_free(l.relay_key);
    link_fini(&l);
    return o.client;
}

static void a_false_relay(void **state)
{
    struct fixture_wish wish = {.use = CERTIFICATE_RELAY, .name = "relay"};
    assert_int_equal(client_finds(&ca, &wish, false), ERROR_NONE);
    assert_int_equal(client_finds(&other, &wish, false), ERROR_TLS_UNKNOWN_CA);
    assert_int_equal(client_finds(&ca, &wish, true), ERROR_TLS_REVOKED);
    wish.until_ms = FIXTURE_NOW_MS - 1000;
    assert_int_equal(client_finds(&ca, &wish, false), ERROR_TLS_EXPIRED);
    wish.until_ms = 0;
    wish.alternative = "DNS:*,DNS:localhost";
    assert_int_equal(client_finds(&ca, &wish, false), ERROR_TLS_WRONG_USE);
    /* A colleague plays the relay. */
    wish = (struct fixture_wish){.use = CERTIFICATE_IDENTITY, .who = fixture_who(0x12)};
    assert_int_equal(client_finds(&ca, &wish, false), ERROR_TLS_WRONG_USE);
}

static int silent_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                          const unsigned char *in, unsigned in_len, void *arg)
{
    return SSL_TLSEXT_ERR_NOACK;
}

static void a_relay_that_agrees_on_no_protocol(void **state)
{
    struct link l;
    link_init(&l);
    SSL_CTX_set_alpn_select_cb(l.relay_context, silent_alpn_cb, NULL);
    struct outcome o = meet(&l);
    assert_int_equal(o.client, ERROR_TLS_WRONG_PROTOCOL);
    assert_false(o.is_connected || o.was_refused);
    link_fini(&l);
}

/* ---- a configuration below the policy does not start ---- */

static void own_certificates_that_no_peer_may_accept(void **state)
{
    struct trust *t = fixture_trust(&ca, NULL, 0);
    SSL_CTX *context = NULL;
    EVP_PKEY *key, *other_key, *weak_key = EVP_RSA_gen(2048);
    X509 *relay = fixture_relay(&ca, &key), *second = fixture_relay(&ca, &other_key);
    const struct fixture_wish weak_wish = {
        .use = CERTIFICATE_RELAY, .name = "relay", .key = weak_key};
    X509 *weak_relay = fixture_issue(&ca, &weak_wish, NULL);
    assert_int_equal(fixture_tls_context(&context, true, relay, other_key, &t), ERROR_CONFIG);
    assert_int_equal(fixture_tls_context(&context, false, relay, key, &t), ERROR_TLS_WRONG_USE);
    assert_int_equal(fixture_tls_context(&context, true, weak_relay, weak_key, &t), ERROR_TLS_WEAK);
    const struct tls_policy empty = {
        .is_server = true, .key = key, .trust = &t, .now_ms = fixture_now_cb};
    assert_int_equal(tls_context_new(&context, &empty), ERROR_CONFIG);
    assert_null(context);
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(weak_key);
    X509_free(relay);
    X509_free(second);
    X509_free(weak_relay);
    trust_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_good_ends_meet),
        cmocka_unit_test(a_relay_is_known_by_name_or_address),
        cmocka_unit_test(hosts_of_no_use_are_refused),
        cmocka_unit_test(intermediates_are_sent_along),
        cmocka_unit_test(a_reload_swaps_the_trust_of_later_handshakes),
        cmocka_unit_test(no_certificate),
        cmocka_unit_test(not_in_force),
        cmocka_unit_test(of_another_ca),
        cmocka_unit_test(meant_for_another_use),
        cmocka_unit_test(weak),
        cmocka_unit_test(revoked_or_without_a_list),
        cmocka_unit_test(not_of_our_protocol),
        cmocka_unit_test(tls_1_2_on_either_side),
        cmocka_unit_test(no_suite_or_group_in_common),
        cmocka_unit_test(garbage),
        cmocka_unit_test(a_false_relay),
        cmocka_unit_test(a_relay_that_agrees_on_no_protocol),
        cmocka_unit_test(own_certificates_that_no_peer_may_accept),
    };
    return cmocka_run_group_tests(tests, make_cas, free_cas);
}
