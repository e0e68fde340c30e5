/* tests/unit/test_certificate.c: pki/certificate, pki/der and requests: what is read, and how strictly. */
#include "pki/certificate.h"
#include "pki/der.h"
#include "pki/key.h"
#include "tests/lib/directory.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES_MAX 65536
#define ORG "01234567-89ab-4cde-8f01-23456789abcd"
#define PERSON "11234567-89ab-4cde-8f01-23456789abcd"
#define ENDPOINT "21234567-89ab-4cde-8f01-23456789abcd"

static struct fixture_ca ca;

static int make_ca(void **state)
{
    fixture_ca_init(&ca, "CA");
    return 0;
}

static int free_ca(void **state)
{
    fixture_ca_fini(&ca);
    return 0;
}

/* ---- bytes ---- */

static void one_certificate_has_one_form(void **state)
{
    struct buf der;
    X509 *c = NULL;
    buf_init(&der, BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &der), ERROR_NONE);
    struct slice whole = buf_slice(&der);
    assert_int_equal(certificate_from_der(&c, whole), ERROR_NONE);
    struct digest a = certificate_digest(c), b = digest_of_slice(whole);
    assert_true(digest_equal(&a, &b));
    certificate_free(c);
    c = NULL;
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(certificate_from_der(&c, slice_of(whole.data, len)), ERROR_TLS_BROKEN);
    assert_int_equal(buf_append_u8(&der, 0), ERROR_NONE);
    assert_int_equal(certificate_from_der(&c, buf_slice(&der)), ERROR_TLS_BROKEN);
    assert_int_equal(certificate_from_der(&c, SLICE_NONE), ERROR_TLS_BROKEN);
    while (der.len <= CERTIFICATE_BYTES_MAX)
        assert_int_equal(buf_append_u8(&der, 0), ERROR_NONE);
    assert_int_equal(certificate_from_der(&c, buf_slice(&der)), ERROR_BOUND);
    assert_null(c);
    assert_int_equal(ERR_peek_error(), 0);
    buf_fini(&der);
}

/* The same certificate, but the outermost length is indefinite, as BER allows. */
static void ber_is_no_certificate(void **state)
{
    struct buf der, ber;
    X509 *c = NULL;
    buf_init(&der, BYTES_MAX);
    buf_init(&ber, BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &der), ERROR_NONE);
    assert_int_equal(der.data[1], 0x82); /* two bytes of length follow */
    assert_int_equal(buf_append(&ber, "\x30\x80", 2), ERROR_NONE);
    assert_int_equal(buf_append(&ber, der.data + 4, der.len - 4), ERROR_NONE);
    assert_int_equal(buf_append(&ber, "\0\0", 2), ERROR_NONE);
    assert_int_equal(certificate_from_der(&c, buf_slice(&ber)), ERROR_TLS_BROKEN);
    assert_null(c);
    buf_fini(&der);
    buf_fini(&ber);
}

static void elements_are_taken_by_their_length(void **state)
{
    static const uint8_t two[] = {0x04, 0x01, 0xaa, 0x30, 0x03, 0x02, 0x01, 0x05};
    static const uint8_t bad[][6] = {
        {0x30, 0x80, 0x02, 0x01, 0x05, 0x00}, /* indefinite */
        {0x30, 0x05, 0x02, 0x01, 0x05, 0x00}, /* longer than what there is */
        {0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, /* very long */
        {0x30, 0x88, 0x7f, 0xff, 0xff, 0xff}, /* cut in its length */
        {0x1f, 0xff, 0xff, 0xff, 0xff, 0xff}, /* cut in its tag */
    };
    struct slice rest = slice_of(two, sizeof two), one;
    assert_true(der_take(&rest, &one) && one.len == 3 && one.data == two);
    assert_true(der_take(&rest, &one) && one.len == 5 && one.data == two + 3);
    assert_false(der_take(&rest, &one));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rest = slice_of(bad[i], sizeof bad[i]);
        assert_false(der_take(&rest, &one));
        assert_int_equal(rest.len, sizeof bad[i]);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void keys_and_times_are_those_inside(void **state)
{
    EVP_PKEY *key;
    struct buf spki;
    int64_t from_ms, until_ms;
    X509 *c = fixture_relay(&ca, &key);
    buf_init(&spki, BYTES_MAX);
    assert_int_equal(key_public_der(key, &spki), ERROR_NONE);
    struct digest a = certificate_key_digest(c), b = digest_of_slice(buf_slice(&spki));
    assert_true(digest_equal(&a, &b));
    assert_true(certificate_has_key(c, buf_slice(&spki)));
    assert_false(certificate_has_key(ca.certificate, buf_slice(&spki)));
    assert_false(certificate_has_key(c, SLICE_NONE));
    assert_int_equal(certificate_validity(c, &from_ms, &until_ms), ERROR_NONE);
    assert_int_equal(from_ms, FIXTURE_FROM_MS);
    assert_int_equal(until_ms, FIXTURE_UNTIL_MS);
    buf_fini(&spki);
    EVP_PKEY_free(key);
    X509_free(c);
}

/* ---- whom it names ---- */

static void the_uri_has_one_spelling(void **state)
{
    const struct {
        const char *alternative;
        enum error expected;
    } cases[] = {
        {"URI:brug:" ORG "/" PERSON "/" ENDPOINT, ERROR_NONE},
        {"URI:brug:" ORG "//" ENDPOINT, ERROR_NONE},
        {"URI:brug:" ORG "//" ENDPOINT ",email:a@b.nl,DNS:x.nl", ERROR_NONE},
        {"URI:brug:" ORG "/" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:" ORG "/" PERSON "/", ERROR_TLS_WRONG_USE},
        {"URI:brug://" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:/" PERSON "/" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:" ORG "/" PERSON "/" ENDPOINT "/", ERROR_TLS_WRONG_USE},
        {"URI:brug:" ORG "/" PERSON "/" ENDPOINT "0", ERROR_TLS_WRONG_USE},
        {"URI:brug:" ORG "///" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:Brug:" ORG "//" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:01234567-89AB-4cde-8f01-23456789abcd//" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:0123456789ab-4cde-8f01-23456789abcdef//" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:00000000-0000-0000-0000-000000000000//" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:" ORG "/00000000-0000-0000-0000-000000000000/" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:https://example.nl", ERROR_TLS_WRONG_USE},
        {"URI:https://example.nl,URI:brug:" ORG "//" ENDPOINT, ERROR_TLS_WRONG_USE},
        {"URI:brug:" ORG "//" ENDPOINT ",URI:brug:" ORG "//" PERSON, ERROR_TLS_WRONG_USE},
        {"DNS:x.nl", ERROR_TLS_WRONG_USE},
        {"", ERROR_TLS_WRONG_USE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct certificate_identity found;
        char uri[CERTIFICATE_URI_BYTES];
        const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY,
                                          .who = fixture_who(0x12),
                                          .alternative = cases[i].alternative};
        X509 *c = fixture_issue(&ca, &wish, NULL);
        assert_int_equal(certificate_identity(c, &found), cases[i].expected);
        if (!cases[i].expected)
            assert_int_equal(strncmp(cases[i].alternative + 4, certificate_uri(&found, uri),
                                     strlen(certificate_uri(&found, uri))),
                             0);
        assert_int_equal(ERR_peek_error(), 0);
        X509_free(c);
    }
}

/* A certificate with this O and CN, added as values of this kind; n: how many CNs. */
static enum error read_names(int kind, const char *name, int len, int n,
                             struct certificate_identity *found)
{
    struct certificate_identity who = fixture_who(0x12);
    const struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = who};
    X509 *c = fixture_issue(&ca, &wish, NULL);
    X509_NAME *subject = X509_NAME_new();
    assert_true(X509_NAME_add_entry_by_txt(subject, "O", kind, (const uint8_t *)name, len, -1, 0));
    for (int i = 0; i < n; i++)
        assert_true(
            X509_NAME_add_entry_by_txt(subject, "CN", kind, (const uint8_t *)name, len, -1, 0));
    assert_true(X509_set_subject_name(c, subject));
    X509_NAME_free(subject);
    enum error e = certificate_identity(c, found);
    X509_free(c);
    return e;
}

static void names_are_clean_text_and_once(void **state)
{
    struct certificate_identity found;
    assert_int_equal(read_names(V_ASN1_UTF8STRING, "Praktijk Zoë", -1, 1, &found), ERROR_NONE);
    assert_string_equal(found.organisation_name, "Praktijk Zoë");
    assert_string_equal(found.common_name, "Praktijk Zoë");
    assert_int_equal(read_names(V_ASN1_PRINTABLESTRING, "Praktijk", -1, 1, &found), ERROR_NONE);
    /* Each of these could show a person another name than another program would read. */
    const struct {
        int kind;
        const char *name;
        int len, n;
    } bad[] = {
        {V_ASN1_UTF8STRING, "Praktijk\0Jansen", 15, 1},
        {V_ASN1_UTF8STRING, "Praktijk\nJansen", -1, 1},
        {V_ASN1_UTF8STRING, "Praktijk \xe2\x80\xae nesnaJ", -1, 1},
        {V_ASN1_UTF8STRING, "", 0, 1},
        {V_ASN1_UTF8STRING, "Praktijk", -1, 2},
        {V_ASN1_UTF8STRING, "Praktijk", -1, 0},
        {V_ASN1_T61STRING, "Praktijk", -1, 1},
        {V_ASN1_BMPSTRING, "\0P\0r", 4, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_names(bad[i].kind, bad[i].name, bad[i].len, bad[i].n, &found),
                         ERROR_TLS_WRONG_USE);
    assert_string_equal(found.common_name, "Praktijk"); /* untouched since */
}

/* ---- requests ---- */

static void a_request_asks_for_what_it_was_made_for(void **state)
{
    EVP_PKEY *key = NULL;
    struct buf der, asked, own;
    struct certificate_identity who = fixture_who(0x12);
    buf_init(&der, BYTES_MAX);
    buf_init(&asked, BYTES_MAX);
    buf_init(&own, BYTES_MAX);
    assert_int_equal(key_generate(&key), ERROR_NONE);
    assert_int_equal(request_make(key, &who, &der), ERROR_NONE);
    assert_int_equal(request_public_der(buf_slice(&der), &asked), ERROR_NONE);
    assert_int_equal(key_public_der(key, &own), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&asked), buf_slice(&own)));

    const unsigned char *at = der.data;
    char uri[CERTIFICATE_URI_BYTES], *subject;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    GENERAL_NAMES *names = X509V3_EXT_d2i(sk_X509_EXTENSION_value(extensions, 0));
    const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), NULL);
    assert_string_equal(ASN1_STRING_get0_data(value), certificate_uri(&who, uri));
    subject = X509_NAME_oneline(X509_REQ_get_subject_name(request), NULL, 0);
    assert_string_equal(subject, "/O=Praktijk 1/CN=Dr. Test 2");
    OPENSSL_free(subject);
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);

    buf_clear(&asked);
    for (size_t len = 0; len < der.len; len++)
        assert_int_equal(request_public_der(slice_of(der.data, len), &asked), ERROR_TLS_BROKEN);
    der.data[40] ^= 1; /* inside the subject: the request's own signature no longer holds */
    assert_int_not_equal(request_public_der(buf_slice(&der), &asked), ERROR_NONE);
    der.data[40] ^= 1;
    der.data[der.len - 1] ^= 1;
    assert_int_equal(request_public_der(buf_slice(&der), &asked), ERROR_BAD_SIGNATURE);
    der.data[der.len - 1] ^= 1;
    assert_int_equal(buf_append_u8(&der, 0), ERROR_NONE);
    assert_int_equal(request_public_der(buf_slice(&der), &asked), ERROR_TLS_BROKEN);
    assert_int_equal(asked.len, 0);
    assert_int_equal(ERR_peek_error(), 0);
    buf_fini(&der);
    buf_fini(&asked);
    buf_fini(&own);
    EVP_PKEY_free(key);
}

static void a_request_with_names_of_no_use_is_not_made(void **state)
{
    EVP_PKEY *key = NULL, *p384 = EVP_EC_gen("P-384");
    struct buf der, asked;
    buf_init(&der, BYTES_MAX);
    buf_init(&asked, BYTES_MAX);
    assert_int_equal(key_generate(&key), ERROR_NONE);
    struct certificate_identity who = fixture_who(0x12);
    who.common_name[0] = 0;
    assert_int_equal(request_make(key, &who, &der), ERROR_USAGE);
    memset(who.common_name, 'x', 65);
    who.common_name[65] = 0;
    assert_int_equal(request_make(key, &who, &der), ERROR_USAGE);
    who.common_name[64] = 0;
    assert_int_equal(request_make(key, &who, &der), ERROR_NONE);
    who.common_name[3] = '\n';
    assert_int_equal(request_make(key, &who, &der), ERROR_USAGE);
    who = fixture_who(0x12);
    buf_clear(&der);
    assert_int_equal(request_make(p384, &who, &der), ERROR_NONE);
    assert_int_equal(request_public_der(buf_slice(&der), &asked), ERROR_TLS_WEAK);
    assert_int_equal(ERR_peek_error(), 0);
    buf_fini(&der);
    buf_fini(&asked);
    EVP_PKEY_free(key);
    EVP_PKEY_free(p384);
}

/* ---- files ---- */

static char *directory, path[512];

static int make_directory(void **state)
{
    directory = directory_new();
    directory_file(path, sizeof path, directory, "chain.pem");
    return 0;
}

static int remove_directory(void **state)
{
    directory_free(directory);
    return 0;
}

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Certificates, with other things between that files in use have. */
static void write_chain(int count)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < count; i++) {
        assert_true(fputs("subject=CN = CA\n", f) >= 0);
        assert_true(PEM_write_X509(f, ca.certificate));
        assert_true(PEM_write_PUBKEY(f, ca.key));
    }
    assert_int_equal(fclose(f), 0);
}

static void files_hold_one_or_more(void **state)
{
    struct buf ders, one;
    size_t n = 99;
    struct slice rest, taken;
    buf_init(&ders, BYTES_MAX);
    buf_init(&one, BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &one), ERROR_NONE);
    assert_int_equal(certificates_read_file(path, &ders, 3, &n), ERROR_NOT_FOUND);
    write_chain(3);
    assert_int_equal(certificates_read_file(path, &ders, 3, &n), ERROR_NONE);
    assert_int_equal(n, 3);
    rest = buf_slice(&ders);
    for (int i = 0; i < 3; i++)
        assert_true(der_take(&rest, &taken) && slice_equal(taken, buf_slice(&one)));
    assert_int_equal(rest.len, 0);
    assert_int_equal(certificates_read_file(path, &ders, 2, &n), ERROR_BOUND);
    write_chain(0);
    assert_int_equal(certificates_read_file(path, &ders, 3, &n), ERROR_CONFIG);
    write_text("no certificate at all\n");
    assert_int_equal(certificates_read_file(path, &ders, 3, &n), ERROR_CONFIG);
    write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_equal(certificates_read_file(path, &ders, 3, &n), ERROR_CONFIG);
    write_text("-----BEGIN CERTIFICATE-----\nAAAA\n");
    assert_int_equal(certificates_read_file(path, &ders, 3, &n), ERROR_CONFIG);
    assert_int_equal(n, 3);
    assert_int_equal(ders.len, 3 * one.len);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(unlink(path), 0);
    buf_fini(&ders);
    buf_fini(&one);
}

static void lists_come_as_pem_or_der(void **state)
{
    struct buf der, ders;
    size_t n = 0;
    buf_init(&der, BYTES_MAX);
    buf_init(&ders, BYTES_MAX);
    fixture_crl(&ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, &ca.certificate, 1, &der);
    const unsigned char *at = der.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der.len);
    FILE *f = fopen(path, "w");
    assert_true(f && PEM_write_X509_CRL(f, list) && PEM_write_X509_CRL(f, list));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(crls_read_file(path, &ders, 1, &n), ERROR_BOUND);
    assert_int_equal(crls_read_file(path, &ders, 2, &n), ERROR_NONE);
    assert_int_equal(n, 2);
    assert_int_equal(ders.len, 2 * der.len);
    f = fopen(path, "w");
    assert_true(f && i2d_X509_CRL_fp(f, list));
    assert_int_equal(fclose(f), 0);
    buf_clear(&ders);
    assert_int_equal(crls_read_file(path, &ders, 2, &n), ERROR_NONE);
    assert_int_equal(n, 1);
    assert_true(slice_equal(buf_slice(&ders), buf_slice(&der)));
    write_chain(1);
    assert_int_equal(crls_read_file(path, &ders, 2, &n), ERROR_CONFIG);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(unlink(path), 0);
    X509_CRL_free(list);
    buf_fini(&der);
    buf_fini(&ders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_certificate_has_one_form),
        cmocka_unit_test(ber_is_no_certificate),
        cmocka_unit_test(elements_are_taken_by_their_length),
        cmocka_unit_test(keys_and_times_are_those_inside),
        cmocka_unit_test(the_uri_has_one_spelling),
        cmocka_unit_test(names_are_clean_text_and_once),
        cmocka_unit_test(a_request_asks_for_what_it_was_made_for),
        cmocka_unit_test(a_request_with_names_of_no_use_is_not_made),
        cmocka_unit_test_setup_teardown(files_hold_one_or_more, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(lists_come_as_pem_or_der, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, make_ca, free_ca);
}
