/* tests/unit/test_trust.c: pki/trust: which certificates are believed, and why others are not. */
#include "pki/key.h"
#include "pki/trust.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture_ca ca, other;

static int make_cas(void **state)
{
    fixture_ca_init(&ca, "CA");
    fixture_ca_init(&other, "CA"); /* of the same name, as careless municipalities have */
    return 0;
}

static int free_cas(void **state)
{
    fixture_ca_fini(&ca);
    fixture_ca_fini(&other);
    return 0;
}

/* Judges and frees. */
static enum error judge(struct trust *t, X509 *c, enum certificate_use use)
{
    struct digest anchor, expected = certificate_digest(ca.certificate);
    enum error e = trust_verify(t, c, NULL, use, FIXTURE_NOW_MS, &anchor);
    if (!e)
        assert_true(digest_equal(&anchor, &expected));
    assert_int_equal(ERR_peek_error(), 0);
    X509_free(c);
    return e;
}

static enum error judge_wish(const struct fixture_wish *wish, enum certificate_use use)
{
    struct trust *t = fixture_trust(&ca, NULL, 0);
    enum error e = judge(t, fixture_issue(&ca, wish, NULL), use);
    trust_free(t);
    return e;
}

static struct fixture_wish identity(void)
{
    return (struct fixture_wish){.use = CERTIFICATE_IDENTITY, .who = fixture_who(0x12)};
}

static void each_use_is_good_for_itself_alone(void **state)
{
    const enum certificate_use uses[] = {CERTIFICATE_RELAY, CERTIFICATE_IDENTITY,
                                         CERTIFICATE_SEALING};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            struct fixture_wish wish = {.use = uses[i], .who = fixture_who(0x12)};
            assert_int_equal(judge_wish(&wish, uses[k]), i == k ? ERROR_NONE : ERROR_TLS_WRONG_USE);
        }
}

static void usages_that_mix_two_purposes_are_refused(void **state)
{
    const struct {
        enum certificate_use use;
        const char *usage, *extended, *constraints;
    } bad[] = {
        {CERTIFICATE_IDENTITY, NULL, "clientAuth,serverAuth", NULL},
        {CERTIFICATE_IDENTITY, NULL, "anyExtendedKeyUsage", NULL},
        {CERTIFICATE_IDENTITY, NULL, "clientAuth,anyExtendedKeyUsage", NULL},
        {CERTIFICATE_IDENTITY, NULL, "clientAuth,codeSigning", NULL},
        {CERTIFICATE_IDENTITY, NULL, "", NULL},
        {CERTIFICATE_IDENTITY, "digitalSignature,keyAgreement", NULL, NULL},
        {CERTIFICATE_IDENTITY, "digitalSignature,keyCertSign", NULL, NULL},
        {CERTIFICATE_IDENTITY, "digitalSignature,keyCertSign", NULL, "CA:TRUE"},
        {CERTIFICATE_IDENTITY, "", NULL, NULL},
        {CERTIFICATE_RELAY, NULL, "serverAuth,clientAuth", NULL},
        {CERTIFICATE_RELAY, "keyAgreement", NULL, NULL},
        {CERTIFICATE_RELAY, NULL, "", NULL},
        {CERTIFICATE_SEALING, "keyAgreement,digitalSignature", NULL, NULL},
        {CERTIFICATE_SEALING, "keyAgreement,encipherOnly", NULL, NULL},
        {CERTIFICATE_SEALING, "", NULL, NULL},
        {CERTIFICATE_SEALING, NULL, "clientAuth", NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fixture_wish wish = {.use = bad[i].use,
                                    .who = fixture_who(0x12),
                                    .usage = bad[i].usage,
                                    .extended = bad[i].extended,
                                    .constraints = bad[i].constraints};
        assert_int_equal(judge_wish(&wish, bad[i].use), ERROR_TLS_WRONG_USE);
    }
    /* Letters name their readers by it. */
    struct fixture_wish nameless = {
        .use = CERTIFICATE_SEALING, .who = fixture_who(0x12), .key_id = ""};
    assert_int_equal(judge_wish(&nameless, CERTIFICATE_SEALING), ERROR_TLS_WRONG_USE);
    struct fixture_wish mail = {
        .use = CERTIFICATE_SEALING, .who = fixture_who(0x12), .extended = "emailProtection"};
    assert_int_equal(judge_wish(&mail, CERTIFICATE_SEALING), ERROR_NONE);
}

static void an_extension_that_cannot_be_read_is_no_extension(void **state)
{
    struct fixture_wish wish = identity();
    wish.usage = "DER:04:00";
    assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_TLS_BROKEN);
}

static void times_are_judged_at_the_given_moment(void **state)
{
    struct fixture_wish wish = identity();
    wish.until_ms = FIXTURE_NOW_MS - 1000;
    assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_TLS_EXPIRED);
    wish.until_ms = FIXTURE_NOW_MS + 1000;
    assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_NONE);
    wish.from_ms = FIXTURE_NOW_MS + 1000;
    wish.until_ms = FIXTURE_UNTIL_MS;
    assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_TLS_EXPIRED);
}

static void only_configured_anchors_count(void **state)
{
    struct trust *t = fixture_trust(&ca, NULL, 0);
    struct fixture_wish wish = identity();
    assert_int_equal(judge(t, fixture_issue(&other, &wish, NULL), CERTIFICATE_IDENTITY),
                     ERROR_TLS_UNKNOWN_CA);
    assert_int_equal(judge(t, fixture_self_signed(&wish, NULL), CERTIFICATE_IDENTITY),
                     ERROR_TLS_UNKNOWN_CA);
    X509_up_ref(ca.certificate);
    assert_int_equal(judge(t, ca.certificate, CERTIFICATE_IDENTITY), ERROR_TLS_WRONG_USE);
    trust_free(t);
}

static void an_endpoint_signs_for_nobody(void **state)
{
    struct trust *t = fixture_trust(&ca, NULL, 0);
    struct fixture_wish wish = identity();
    struct fixture_ca forger;
    struct digest anchor;
    forger.certificate = fixture_issue(&ca, &wish, &forger.key);
    X509 *forged = fixture_issue(&forger, &wish, NULL);
    STACK_OF(X509) *between = sk_X509_new_null();
    assert_true(sk_X509_push(between, forger.certificate));
    assert_int_not_equal(
        trust_verify(t, forged, between, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor),
        ERROR_NONE);
    sk_X509_free(between);
    X509_free(forged);
    fixture_ca_fini(&forger);
    trust_free(t);
}

static void weak_keys_and_signatures_are_refused(void **state)
{
    struct fixture_wish wish = identity();
    EVP_PKEY *weak[] = {EVP_RSA_gen(1024), EVP_RSA_gen(2048), EVP_EC_gen("P-521"),
                        EVP_EC_gen("secp256k1"), EVP_EC_gen("P-224")};
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        wish.key = weak[i];
        assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_TLS_WEAK);
        EVP_PKEY_free(weak[i]);
    }
    EVP_PKEY *strong[] = {EVP_RSA_gen(3072), EVP_EC_gen("P-384")};
    for (size_t i = 0; i < sizeof strong / sizeof *strong; i++) {
        wish.key = strong[i];
        assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_NONE);
        EVP_PKEY_free(strong[i]);
    }
    wish.key = NULL;
    wish.digest = "SHA1";
    assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_TLS_WEAK);
    wish.digest = "SHA224";
    assert_int_equal(judge_wish(&wish, CERTIFICATE_IDENTITY), ERROR_TLS_WEAK);
}

static void names_with_wildcards_name_nobody(void **state)
{
    struct fixture_wish wish = {
        .use = CERTIFICATE_RELAY, .name = "relay", .alternative = "DNS:*.example.nl"};
    assert_int_equal(judge_wish(&wish, CERTIFICATE_RELAY), ERROR_TLS_WRONG_USE);
    wish.alternative = "DNS:relay.example.nl,DNS:*.example.nl";
    assert_int_equal(judge_wish(&wish, CERTIFICATE_RELAY), ERROR_TLS_WRONG_USE);
    wish.alternative = "DNS:relay.example.nl";
    assert_int_equal(judge_wish(&wish, CERTIFICATE_RELAY), ERROR_NONE);
}

/* ---- revocation ---- */

struct lists {
    struct trust *t;
    struct buf der;
    X509 *c, *revoked;
};

static void lists_init(struct lists *l)
{
    struct fixture_wish wish = identity();
    l->t = trust_new();
    buf_init(&l->der, TRUST_CRL_BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &l->der), ERROR_NONE);
    assert_int_equal(trust_add_anchor(l->t, buf_slice(&l->der)), ERROR_NONE);
    l->c = fixture_issue(&ca, &wish, NULL);
    l->revoked = fixture_issue(&ca, &wish, NULL);
}

static void lists_fini(struct lists *l)
{
    trust_free(l->t);
    buf_fini(&l->der);
    X509_free(l->c);
    X509_free(l->revoked);
}

/* Adds a list of `from` that revokes l->revoked, or nothing. */
static enum error add_list(struct lists *l, const struct fixture_ca *from, int64_t from_ms,
                           int64_t until_ms, long number, bool revokes)
{
    buf_clear(&l->der);
    fixture_crl(from, from_ms, until_ms, number, &l->revoked, revokes, &l->der);
    return trust_add_crl(l->t, buf_slice(&l->der));
}

static enum error verdict(struct lists *l, X509 *c)
{
    struct digest anchor;
    return trust_verify(l->t, c, NULL, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor);
}

static void no_list_in_force_fails_closed(void **state)
{
    struct lists l;
    lists_init(&l);
    assert_int_equal(trust_crl_until_ms(l.t), INT64_MAX);
    assert_int_equal(verdict(&l, l.c), ERROR_TLS_CRL_STALE);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_NOW_MS, 1, true), ERROR_NONE);
    assert_int_equal(verdict(&l, l.c), ERROR_TLS_CRL_STALE); /* ended this very moment */
    assert_int_equal(verdict(&l, l.revoked), ERROR_TLS_REVOKED);
    trust_set_crl_required(l.t, false);
    assert_int_equal(verdict(&l, l.c), ERROR_NONE);
    assert_int_equal(verdict(&l, l.revoked), ERROR_TLS_REVOKED);
    trust_set_crl_required(l.t, true);
    assert_int_equal(add_list(&l, &ca, FIXTURE_NOW_MS + 1000, FIXTURE_UNTIL_MS, 2, false),
                     ERROR_NONE);
    assert_int_equal(verdict(&l, l.c), ERROR_TLS_CRL_STALE); /* begins a second later */
    assert_int_equal(trust_crl_until_ms(l.t), FIXTURE_UNTIL_MS);
    lists_fini(&l);
}

static void the_newest_list_counts(void **state)
{
    struct lists l;
    lists_init(&l);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, false), ERROR_NONE);
    assert_int_equal(verdict(&l, l.revoked), ERROR_NONE);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 2, true), ERROR_NONE);
    assert_int_equal(verdict(&l, l.revoked), ERROR_TLS_REVOKED);
    assert_int_equal(verdict(&l, l.c), ERROR_NONE);
    /* An older one brings nobody back. */
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, false), ERROR_EXISTS);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS - 1000, FIXTURE_UNTIL_MS, 3, false),
                     ERROR_EXISTS);
    assert_int_equal(verdict(&l, l.revoked), ERROR_TLS_REVOKED);
    lists_fini(&l);
}

static void lists_of_others_change_nothing(void **state)
{
    struct lists l;
    lists_init(&l);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, true), ERROR_NONE);
    /* The CA of the same name: its key identifier tells that it is none of ours. */
    assert_int_equal(add_list(&l, &other, FIXTURE_NOW_MS, FIXTURE_UNTIL_MS, 9, false), ERROR_NONE);
    assert_int_equal(verdict(&l, l.revoked), ERROR_TLS_REVOKED);
    /* The name and the identifier, but not the key. */
    struct fixture_ca forger = {.key = other.key, .certificate = ca.certificate};
    assert_int_equal(add_list(&l, &forger, FIXTURE_NOW_MS, FIXTURE_UNTIL_MS, 9, false),
                     ERROR_BAD_SIGNATURE);
    assert_int_equal(verdict(&l, l.revoked), ERROR_TLS_REVOKED);
    assert_int_equal(verdict(&l, l.c), ERROR_NONE);
    lists_fini(&l);
}

static void a_damaged_list_is_refused(void **state)
{
    struct lists l;
    lists_init(&l);
    buf_clear(&l.der);
    fixture_crl(&ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, &l.revoked, 1, &l.der);
    struct slice whole = buf_slice(&l.der);
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(trust_add_crl(l.t, slice_of(whole.data, len)), ERROR_TLS_BROKEN);
    for (size_t i = 0; i < whole.len; i++) {
        l.der.data[i] ^= 0x10;
        enum error e = trust_add_crl(l.t, whole);
        l.der.data[i] ^= 0x10;
        /* A list under another name waits for that issuer; it makes nothing good. */
        assert_true(e != ERROR_NONE || verdict(&l, l.c) == ERROR_TLS_CRL_STALE);
    }
    assert_int_equal(trust_add_crl(l.t, whole), ERROR_NONE);
    assert_int_equal(verdict(&l, l.c), ERROR_NONE);
    assert_int_equal(ERR_peek_error(), 0);
    lists_fini(&l);
}

/* ---- intermediates ---- */

static void every_certificate_under_the_anchor_needs_its_list(void **state)
{
    struct lists l;
    struct fixture_ca between;
    struct digest anchor;
    struct fixture_wish wish = identity();
    lists_init(&l);
    fixture_ca_init_under(&between, "Between", &ca);
    X509 *c = fixture_issue(&between, &wish, NULL);
    STACK_OF(X509) *chain = sk_X509_new_null();
    const enum certificate_use use = CERTIFICATE_IDENTITY;
    assert_int_equal(trust_verify(l.t, c, chain, use, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_UNKNOWN_CA);
    assert_true(sk_X509_push(chain, between.certificate));
    assert_int_equal(trust_verify(l.t, c, chain, use, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_CRL_STALE);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, false), ERROR_NONE);
    assert_int_equal(trust_verify(l.t, c, chain, use, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_CRL_STALE);
    /* A forged list in the intermediate's name displaces nothing and serves nobody. */
    struct fixture_ca forger = {.key = other.key, .certificate = between.certificate};
    assert_int_equal(add_list(&l, &forger, FIXTURE_NOW_MS, FIXTURE_UNTIL_MS, 9, false), ERROR_NONE);
    assert_int_equal(trust_verify(l.t, c, chain, use, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_CRL_STALE);
    assert_int_equal(add_list(&l, &between, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, false),
                     ERROR_NONE);
    assert_int_equal(trust_verify(l.t, c, chain, use, FIXTURE_NOW_MS, &anchor), ERROR_NONE);

    /* The intermediate itself revoked by the anchor. */
    X509_free(l.revoked);
    l.revoked = X509_dup(between.certificate);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 2, true), ERROR_NONE);
    assert_int_equal(trust_verify(l.t, c, chain, use, FIXTURE_NOW_MS, &anchor), ERROR_TLS_REVOKED);
    sk_X509_free(chain);
    X509_free(c);
    fixture_ca_fini(&between);
    lists_fini(&l);
}

static void chains_are_short(void **state)
{
    struct lists l;
    struct fixture_ca cas[4];
    struct digest anchor;
    struct fixture_wish wish = identity();
    STACK_OF(X509) *chain = sk_X509_new_null();
    lists_init(&l);
    trust_set_crl_required(l.t, false);
    for (size_t i = 0; i < 4; i++) {
        fixture_ca_init_under(&cas[i], i % 2 ? "Odd" : "Even", i ? &cas[i - 1] : &ca);
        assert_true(sk_X509_push(chain, cas[i].certificate));
        X509 *c = fixture_issue(&cas[i], &wish, NULL);
        assert_int_equal(trust_verify(l.t, c, chain, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor),
                         i < TRUST_CHAIN_MAX - 2 ? ERROR_NONE : ERROR_TLS_UNKNOWN_CA);
        X509_free(c);
    }
    for (int i = 0; i < 16; i++)
        assert_true(sk_X509_push(chain, cas[0].certificate));
    assert_int_equal(trust_verify(l.t, l.c, chain, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_UNKNOWN_CA);
    sk_X509_free(chain);
    for (size_t i = 0; i < 4; i++)
        fixture_ca_fini(&cas[i]);
    lists_fini(&l);
}

static void a_weak_link_makes_a_weak_chain(void **state)
{
    struct lists l;
    struct fixture_ca between;
    struct digest anchor;
    EVP_PKEY *weak = EVP_RSA_gen(2048);
    struct fixture_wish wish = {.use = CERTIFICATE_ANCHOR, .name = "Weak", .key = weak};
    STACK_OF(X509) *chain = sk_X509_new_null();
    lists_init(&l);
    trust_set_crl_required(l.t, false);
    fixture_ca_init_as(&between, &wish, &ca);
    wish = identity();
    X509 *c = fixture_issue(&between, &wish, NULL);
    assert_true(sk_X509_push(chain, between.certificate));
    assert_int_equal(trust_verify(l.t, c, chain, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_WEAK);
    sk_X509_free(chain);
    X509_free(c);
    EVP_PKEY_free(weak);
    fixture_ca_fini(&between);
    lists_fini(&l);
}

/* ---- anchors ---- */

static enum error add_anchor(struct trust *t, X509 *c)
{
    struct buf der;
    buf_init(&der, CERTIFICATE_BYTES_MAX);
    assert_int_equal(certificate_to_der(c, &der), ERROR_NONE);
    enum error e = trust_add_anchor(t, buf_slice(&der));
    buf_fini(&der);
    return e;
}

static void anchors_are_strong_cas(void **state)
{
    struct trust *t = trust_new();
    struct fixture_ca bad;
    EVP_PKEY *weak = EVP_RSA_gen(2048);
    struct fixture_wish no_ca = {
        .use = CERTIFICATE_ANCHOR, .name = "X", .constraints = "CA:FALSE", .usage = "keyCertSign"};
    struct fixture_wish no_sign = {.use = CERTIFICATE_ANCHOR, .name = "X", .usage = "cRLSign"};
    struct fixture_wish weak_key = {.use = CERTIFICATE_ANCHOR, .name = "X", .key = weak};
    struct fixture_wish sha1 = {.use = CERTIFICATE_ANCHOR, .name = "X", .digest = "SHA1"};
    const struct fixture_wish *wishes[] = {&no_ca, &no_sign, &weak_key, &sha1};
    const enum error expected[] = {ERROR_TLS_WRONG_USE, ERROR_TLS_WRONG_USE, ERROR_TLS_WEAK,
                                   ERROR_TLS_WEAK};
    for (size_t i = 0; i < 4; i++) {
        fixture_ca_init_as(&bad, wishes[i], NULL);
        assert_int_equal(add_anchor(t, bad.certificate), expected[i]);
        fixture_ca_fini(&bad);
    }
    fixture_ca_init_under(&bad, "Between", &ca); /* no chain ends half-way */
    assert_int_equal(add_anchor(t, bad.certificate), ERROR_TLS_WRONG_USE);
    fixture_ca_fini(&bad);
    fixture_ca_init_under(&bad, "CA", &ca); /* under the same name, but not signed by itself */
    assert_int_equal(add_anchor(t, bad.certificate), ERROR_TLS_WRONG_USE);
    fixture_ca_fini(&bad);
    assert_int_equal(add_anchor(t, ca.certificate), ERROR_NONE);
    assert_int_equal(add_anchor(t, ca.certificate), ERROR_EXISTS);
    assert_int_equal(add_anchor(t, other.certificate), ERROR_NONE);
    EVP_PKEY_free(weak);
    trust_free(t);
}

static void two_anchors_of_one_name_are_told_apart(void **state)
{
    struct lists l;
    struct digest anchor, expected = certificate_digest(other.certificate);
    struct fixture_wish wish = identity();
    lists_init(&l);
    assert_int_equal(add_anchor(l.t, other.certificate), ERROR_NONE);
    X509 *c = fixture_issue(&other, &wish, NULL);
    assert_int_equal(add_list(&l, &ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, false), ERROR_NONE);
    assert_int_equal(trust_verify(l.t, c, NULL, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor),
                     ERROR_TLS_CRL_STALE);
    assert_int_equal(add_list(&l, &other, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, true), ERROR_NONE);
    assert_int_equal(trust_verify(l.t, c, NULL, CERTIFICATE_IDENTITY, FIXTURE_NOW_MS, &anchor),
                     ERROR_NONE);
    assert_true(digest_equal(&anchor, &expected));
    assert_int_equal(verdict(&l, l.revoked), ERROR_NONE); /* only the other one's list names it */
    X509_free(c);
    lists_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_use_is_good_for_itself_alone),
        cmocka_unit_test(usages_that_mix_two_purposes_are_refused),
        cmocka_unit_test(an_extension_that_cannot_be_read_is_no_extension),
        cmocka_unit_test(times_are_judged_at_the_given_moment),
        cmocka_unit_test(only_configured_anchors_count),
        cmocka_unit_test(an_endpoint_signs_for_nobody),
        cmocka_unit_test(weak_keys_and_signatures_are_refused),
        cmocka_unit_test(names_with_wildcards_name_nobody),
        cmocka_unit_test(no_list_in_force_fails_closed),
        cmocka_unit_test(the_newest_list_counts),
        cmocka_unit_test(lists_of_others_change_nothing),
        cmocka_unit_test(a_damaged_list_is_refused),
        cmocka_unit_test(every_certificate_under_the_anchor_needs_its_list),
        cmocka_unit_test(chains_are_short),
        cmocka_unit_test(a_weak_link_makes_a_weak_chain),
        cmocka_unit_test(anchors_are_strong_cas),
        cmocka_unit_test(two_anchors_of_one_name_are_told_apart),
    };
    return cmocka_run_group_tests(tests, make_cas, free_cas);
}
