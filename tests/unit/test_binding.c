/* tests/unit/test_binding.c: pki/binding: which directory entries are believed (T31), and why others are not. */
#include "pki/binding.h"
#include "pki/key.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/err.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_MAX 65536
#define BINDING_TEXT "the serialised binding"

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

/* An entry as a relay would list it, and what the one who judges it holds. Tests spoil one thing. */
struct entry {
    struct fixture_endpoint e;
    struct binding_claim claim;
    struct trust *t;
    struct anchor_scope scope;
    struct buf identity_key, sealing_key, identity, sealing, signature;
};

static void renew(struct buf *b, enum error (*write)(X509 *, struct buf *), X509 *c)
{
    buf_clear(b);
    assert_int_equal(write(c, b), ERROR_NONE);
}

/* Points the claim at the buffers again, and signs anew. */
static void refresh(struct entry *n)
{
    n->claim.identity_key = buf_slice(&n->identity_key);
    n->claim.sealing_key = buf_slice(&n->sealing_key);
    n->claim.identity_certificate = buf_slice(&n->identity);
    n->claim.sealing_certificate = buf_slice(&n->sealing);
    buf_clear(&n->signature);
    assert_int_equal(binding_sign(n->e.identity_key, n->claim.binding, &n->signature), ERROR_NONE);
    n->claim.signature = buf_slice(&n->signature);
}

static void entry_init(struct entry *n)
{
    fixture_endpoint_init(&n->e, &ca, 0x12);
    struct buf *all[] = {&n->identity_key, &n->sealing_key, &n->identity, &n->sealing,
                         &n->signature};
    for (size_t i = 0; i < 5; i++)
        buf_init(all[i], BYTES_MAX);
    assert_int_equal(key_public_der(n->e.identity_key, &n->identity_key), ERROR_NONE);
    assert_int_equal(key_public_der(n->e.sealing_key, &n->sealing_key), ERROR_NONE);
    renew(&n->identity, certificate_to_der, n->e.identity);
    renew(&n->sealing, certificate_to_der, n->e.sealing);
    n->t = fixture_trust(&ca, NULL, 0);
    n->scope = (struct anchor_scope){.anchor = certificate_digest(ca.certificate),
                                     .municipality = fixture_id(7)};
    n->claim = (struct binding_claim){.binding = slice_text(BINDING_TEXT),
                                      .listed_organisation = n->e.who.organisation,
                                      .municipality = fixture_id(7),
                                      .organisation = n->e.who.organisation,
                                      .person = n->e.who.person,
                                      .endpoint = n->e.who.endpoint};
    refresh(n);
}

static void entry_fini(struct entry *n)
{
    struct buf *all[] = {&n->identity_key, &n->sealing_key, &n->identity, &n->sealing,
                         &n->signature};
    for (size_t i = 0; i < 5; i++)
        buf_fini(all[i]);
    fixture_endpoint_fini(&n->e);
    trust_free(n->t);
}

static enum error judge(struct entry *n, const char **what)
{
    struct certificate_identity names = {.common_name = "untouched"};
    *what = NULL;
    enum error e = binding_judge(&n->claim, n->t, &n->scope, 1, FIXTURE_NOW_MS, &names, what);
    assert_string_equal(names.common_name, e ? "untouched" : n->e.who.common_name);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(!e, !*what);
    return e;
}

/* Judges what was spoiled, and lets it go. */
static void expect(struct entry *n, enum error expected, const char *expected_what)
{
    const char *what;
    assert_int_equal(judge(n, &what), expected);
    if (expected_what)
        assert_string_equal(what, expected_what);
    entry_fini(n);
}

static void a_good_entry_is_believed(void **state)
{
    struct entry n;
    entry_init(&n);
    expect(&n, ERROR_NONE, NULL);
    /* A practice system or a recovery entry has no person. */
    entry_init(&n);
    struct fixture_wish wish = {
        .use = CERTIFICATE_IDENTITY, .who = n.e.who, .key = n.e.identity_key};
    wish.who.person = ID_NONE;
    n.claim.person = ID_NONE;
    X509 *c = fixture_issue(&ca, &wish, NULL);
    renew(&n.identity, certificate_to_der, c);
    X509_free(c);
    wish.use = CERTIFICATE_SEALING;
    wish.key = n.e.sealing_key;
    c = fixture_issue(&ca, &wish, NULL);
    renew(&n.sealing, certificate_to_der, c);
    X509_free(c);
    refresh(&n);
    expect(&n, ERROR_NONE, NULL);
}

static void ids_must_be_those_of_the_certificates(void **state)
{
    struct entry n;
    struct id stranger = fixture_id(99);
    struct id *const ids[] = {&n.claim.endpoint, &n.claim.person};
    for (size_t i = 0; i < 2; i++) {
        entry_init(&n);
        *ids[i] = stranger;
        expect(&n, ERROR_NOT_BELIEVED, "the names in the identity certificate");
    }
    entry_init(&n); /* another organisation's person is slipped in */
    n.claim.organisation = n.claim.listed_organisation = stranger;
    expect(&n, ERROR_NOT_BELIEVED, "the names in the identity certificate");
    entry_init(&n); /* a true entry, listed under another organisation */
    n.claim.listed_organisation = stranger;
    expect(&n, ERROR_NOT_BELIEVED, "the ids of the binding");
    entry_init(&n);
    n.claim.person = ID_NONE;
    expect(&n, ERROR_NOT_BELIEVED, "the names in the identity certificate");
    entry_init(&n);
    n.claim.municipality = ID_NONE;
    n.scope.municipality = ID_NONE;
    expect(&n, ERROR_NOT_BELIEVED, "the ids of the binding");
}

static void keys_must_be_those_of_the_certificates(void **state)
{
    struct entry n;
    struct fixture_endpoint stranger;
    struct fixture_wish wish;
    fixture_endpoint_init(&stranger, &ca, 0x12); /* the same ids, other keys */
    entry_init(&n);
    renew(&n.sealing, certificate_to_der, stranger.sealing);
    refresh(&n);
    expect(&n, ERROR_NOT_BELIEVED, "the keys");
    entry_init(&n);
    renew(&n.identity, certificate_to_der, stranger.identity);
    refresh(&n);
    expect(&n, ERROR_NOT_BELIEVED, "the keys");
    entry_init(
        &n); /* certificates changed with the binding's key, but the signature is the old one */
    renew(&n.identity, certificate_to_der, stranger.identity);
    buf_clear(&n.identity_key);
    assert_int_equal(key_public_der(stranger.identity_key, &n.identity_key), ERROR_NONE);
    refresh(&n);
    expect(&n, ERROR_BAD_SIGNATURE, "the signature of the binding");
    entry_init(&n); /* one key for both */
    wish =
        (struct fixture_wish){.use = CERTIFICATE_SEALING, .who = n.e.who, .key = n.e.identity_key};
    X509 *c = fixture_issue(&ca, &wish, NULL);
    renew(&n.sealing, certificate_to_der, c);
    X509_free(c);
    buf_clear(&n.sealing_key);
    assert_int_equal(key_public_der(n.e.identity_key, &n.sealing_key), ERROR_NONE);
    refresh(&n);
    expect(&n, ERROR_NOT_BELIEVED, "the keys");
    entry_init(&n);
    n.claim.sealing_key.len--;
    expect(&n, ERROR_TLS_WEAK, "the keys");
    fixture_endpoint_fini(&stranger);
}

static void the_sealing_certificate_must_be_of_the_same_endpoint(void **state)
{
    struct entry n;
    entry_init(&n);
    struct fixture_wish wish = {
        .use = CERTIFICATE_SEALING, .who = fixture_who(0x13), .key = n.e.sealing_key};
    X509 *c = fixture_issue(&ca, &wish, NULL);
    renew(&n.sealing, certificate_to_der, c);
    refresh(&n);
    expect(&n, ERROR_NOT_BELIEVED, "the names in the sealing certificate");
    X509_free(c);
}

static void the_signature_is_the_binding_s(void **state)
{
    struct entry n;
    entry_init(&n);
    n.claim.binding = slice_text("another binding");
    expect(&n, ERROR_BAD_SIGNATURE, "the signature of the binding");
    entry_init(&n);
    n.claim.signature = SLICE_NONE;
    expect(&n, ERROR_BAD_SIGNATURE, "the signature of the binding");
    entry_init(&n); /* a countersignature is none */
    buf_clear(&n.signature);
    assert_int_equal(binding_countersign(n.e.identity_key, n.claim.binding, &n.signature),
                     ERROR_NONE);
    n.claim.signature = buf_slice(&n.signature);
    expect(&n, ERROR_BAD_SIGNATURE, "the signature of the binding");
}

static void an_anchor_vouches_only_for_its_own(void **state)
{
    struct entry n;
    entry_init(&n); /* another municipality's organisation */
    n.scope.municipality = fixture_id(8);
    expect(&n, ERROR_NOT_BELIEVED, "the identity certificate");
    entry_init(&n); /* another anchor's municipality */
    n.scope.anchor = certificate_digest(other.certificate);
    expect(&n, ERROR_NOT_BELIEVED, "the identity certificate");
    entry_init(&n); /* listed for one other organisation */
    n.scope.organisation = fixture_id(99);
    expect(&n, ERROR_NOT_BELIEVED, "the identity certificate");
    entry_init(&n); /* a scope of nothing is not one of everything */
    n.scope.municipality = ID_NONE;
    expect(&n, ERROR_NOT_BELIEVED, "the identity certificate");
    entry_init(&n); /* listed for this organisation alone */
    n.scope.municipality = ID_NONE;
    n.scope.organisation = n.claim.organisation;
    expect(&n, ERROR_NONE, NULL);
    entry_init(&n);
    const char *what;
    struct certificate_identity names;
    assert_int_equal(binding_judge(&n.claim, n.t, NULL, 0, FIXTURE_NOW_MS, &names, &what),
                     ERROR_NOT_BELIEVED);
    expect(&n, ERROR_NONE, NULL);
}

static void certificates_are_judged_like_any(void **state)
{
    struct entry n;
    entry_init(&n);
    trust_free(n.t);
    n.t = fixture_trust(&other, NULL, 0);
    expect(&n, ERROR_TLS_UNKNOWN_CA, "the identity certificate");
    entry_init(&n);
    trust_free(n.t);
    n.t = fixture_trust(&ca, &n.e.identity, 1);
    expect(&n, ERROR_TLS_REVOKED, "the identity certificate");
    entry_init(&n);
    trust_free(n.t);
    n.t = fixture_trust(&ca, &n.e.sealing, 1);
    expect(&n, ERROR_TLS_REVOKED, "the sealing certificate");
    entry_init(&n); /* no list in force */
    trust_free(n.t);
    n.t = trust_new();
    struct buf der;
    buf_init(&der, BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &der), ERROR_NONE);
    assert_int_equal(trust_add_anchor(n.t, buf_slice(&der)), ERROR_NONE);
    buf_fini(&der);
    expect(&n, ERROR_TLS_CRL_STALE, "the identity certificate");
    entry_init(&n); /* the two change places */
    struct buf swap = n.identity;
    n.identity = n.sealing;
    n.sealing = swap;
    swap = n.identity_key;
    n.identity_key = n.sealing_key;
    n.sealing_key = swap;
    refresh(&n);
    buf_clear(&n.signature);
    assert_int_equal(binding_sign(n.e.sealing_key, n.claim.binding, &n.signature), ERROR_NONE);
    n.claim.signature = buf_slice(&n.signature);
    expect(&n, ERROR_TLS_WRONG_USE, "the identity certificate");
}

static void bytes_that_are_no_certificate(void **state)
{
    struct entry n;
    entry_init(&n);
    n.claim.identity_certificate.len--;
    expect(&n, ERROR_NOT_BELIEVED, "the form of the certificates");
    entry_init(&n);
    n.claim.sealing_certificate = SLICE_NONE;
    expect(&n, ERROR_NOT_BELIEVED, "the form of the certificates");
    entry_init(&n);
    const struct slice between[5] = {slice_text("no certificate")};
    n.claim.intermediates = between;
    n.claim.intermediate_count = 1;
    expect(&n, ERROR_NOT_BELIEVED, "the form of the certificates");
    entry_init(&n);
    n.claim.intermediates = between;
    n.claim.intermediate_count = 5;
    expect(&n, ERROR_NOT_BELIEVED, "the form of the certificates");
}

static void countersignatures_are_a_colleague_s(void **state)
{
    struct entry n;
    struct fixture_endpoint colleague;
    struct buf key, signature;
    struct slice binding = slice_text(BINDING_TEXT);
    entry_init(&n);
    fixture_endpoint_init(&colleague, &ca, 0x13);
    buf_init(&key, BYTES_MAX);
    buf_init(&signature, BYTES_MAX);
    assert_int_equal(key_public_der(colleague.identity_key, &key), ERROR_NONE);
    assert_int_equal(binding_countersign(colleague.identity_key, binding, &signature), ERROR_NONE);
    struct slice k = buf_slice(&key), s = buf_slice(&signature);
    assert_int_equal(binding_verify_countersignature(k, binding, s), ERROR_NONE);
    assert_int_equal(binding_verify_countersignature(k, slice_text("other"), s),
                     ERROR_BAD_SIGNATURE);
    assert_int_equal(binding_verify_countersignature(buf_slice(&n.identity_key), binding, s),
                     ERROR_BAD_SIGNATURE);
    assert_int_equal(binding_verify_countersignature(SLICE_NONE, binding, s), ERROR_TLS_WEAK);
    /* A signature of a binding is none, not even over the same bytes. */
    struct digest d = binding_digest(binding);
    buf_clear(&signature);
    assert_int_equal(binding_sign(colleague.identity_key, digest_slice(&d), &signature),
                     ERROR_NONE);
    assert_int_equal(binding_verify_countersignature(k, binding, buf_slice(&signature)),
                     ERROR_BAD_SIGNATURE);
    buf_fini(&key);
    buf_fini(&signature);
    fixture_endpoint_fini(&colleague);
    entry_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_entry_is_believed),
        cmocka_unit_test(ids_must_be_those_of_the_certificates),
        cmocka_unit_test(keys_must_be_those_of_the_certificates),
        cmocka_unit_test(the_sealing_certificate_must_be_of_the_same_endpoint),
        cmocka_unit_test(the_signature_is_the_binding_s),
        cmocka_unit_test(an_anchor_vouches_only_for_its_own),
        cmocka_unit_test(certificates_are_judged_like_any),
        cmocka_unit_test(bytes_that_are_no_certificate),
        cmocka_unit_test(countersignatures_are_a_colleague_s),
    };
    return cmocka_run_group_tests(tests, make_cas, free_cas);
}
