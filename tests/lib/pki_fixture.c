/* tests/lib/pki_fixture.c: certificates made on the spot for tests; see pki_fixture.h. */
#include "tests/lib/pki_fixture.h"
#include "pki/key.h"
#include "pki/tls.h"
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_BYTES 32768

#define SERIAL_BITS 64

/* Unlike assert, also says so in a test program that is built without asserts. */
static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "pki_fixture: cannot make %s\n", what);
    abort();
}

/* ---- ids and names ---- */

struct id fixture_id(unsigned number)
{
    uint8_t bytes[ID_BYTES] = {0xb0};
    for (size_t i = 0; i < sizeof number; i++)
        bytes[ID_BYTES - 1 - i] = (uint8_t)(number >> 8 * i);
    return id_v4(bytes);
}

struct certificate_identity fixture_who(unsigned number)
{
    struct certificate_identity who = {.organisation = fixture_id(0x10000 + (number >> 4)),
                                       .person = fixture_id(0x20000 + number),
                                       .endpoint = fixture_id(0x30000 + number)};
    (void)snprintf(who.organisation_name, sizeof who.organisation_name, "Praktijk %u", number >> 4);
    (void)snprintf(who.common_name, sizeof who.common_name, "Dr. Test %u", number & 0xf);
    return who;
}

/* ---- certificates ---- */

static const char * or (const char *wished, const char *usual) { return wished ? wished : usual; }

static const char *usual_usage(enum certificate_use use)
{
    switch (use) {
    case CERTIFICATE_ANCHOR:
        return "critical,keyCertSign,cRLSign";
    case CERTIFICATE_SEALING:
        return "critical,keyAgreement";
    default:
        return "critical,digitalSignature";
    }
}

static const char *usual_extended(enum certificate_use use)
{
    switch (use) {
    case CERTIFICATE_RELAY:
        return "serverAuth";
    case CERTIFICATE_IDENTITY:
        return "clientAuth";
    default:
        return "";
    }
}

static const char *usual_alternative(const struct fixture_wish *wish, char *out, size_t out_len)
{
    char uri[CERTIFICATE_URI_BYTES];
    if (wish->use == CERTIFICATE_ANCHOR)
        return "";
    if (wish->use == CERTIFICATE_RELAY)
        return "DNS:localhost,IP:127.0.0.1,IP:::1";
    (void)snprintf(out, out_len, "URI:%s", certificate_uri(&wish->who, uri));
    return out;
}

static void add_extension(X509 *c, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    if (value[0] == 0)
        return;
    X509V3_set_ctx(&context, issuer, c, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(extension && X509_add_ext(c, extension, -1), value);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *c, X509 *issuer, const struct fixture_wish *wish)
{
    char alternative[128];
    bool is_ca = wish->use == CERTIFICATE_ANCHOR;
    add_extension(c, issuer, NID_basic_constraints,
                  or (wish->constraints, is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"));
    add_extension(c, issuer, NID_key_usage, or (wish->usage, usual_usage(wish->use)));
    add_extension(c, issuer, NID_ext_key_usage, or (wish->extended, usual_extended(wish->use)));
    add_extension(c, issuer, NID_subject_alt_name,
                  or (wish->alternative, usual_alternative(wish, alternative, sizeof alternative)));
    add_extension(c, issuer, NID_subject_key_identifier, or (wish->key_id, "hash"));
    add_extension(c, issuer, NID_authority_key_identifier, "keyid:always");
}

static void set_names(X509 *c, const struct fixture_wish *wish)
{
    X509_NAME *subject = X509_get_subject_name(c);
    const char *o = wish->who.organisation_name;
    const char *cn = or (wish->name, wish->who.common_name);
    need((o[0] == 0 || X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                                  (const unsigned char *)o, -1, -1, 0)) &&
             X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1,
                                        -1, 0),
         "names");
}

static void set_times(X509 *c, const struct fixture_wish *wish)
{
    int64_t from = wish->from_ms ? wish->from_ms : FIXTURE_FROM_MS;
    int64_t until = wish->until_ms ? wish->until_ms : FIXTURE_UNTIL_MS;
    need(ASN1_TIME_set(X509_getm_notBefore(c), from / 1000) &&
             ASN1_TIME_set(X509_getm_notAfter(c), until / 1000),
         "times");
}

static void set_serial(X509 *c)
{
    BIGNUM *serial = BN_new();
    need(serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
             BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(c)),
         "a serial number");
    BN_free(serial);
}

/* What was built by hand becomes what a peer would read. */
static X509 *as_read(X509 *made)
{
    X509 *c = NULL;
    struct buf der;
    buf_init(&der, 2 * CERTIFICATE_BYTES_MAX);
    need(!certificate_to_der(made, &der) && !certificate_from_der(&c, buf_slice(&der)),
         "a readable certificate");
    buf_fini(&der);
    X509_free(made);
    return c;
}

static X509 *issue(const struct fixture_ca *ca, const struct fixture_wish *wish, EVP_PKEY *key)
{
    X509 *c = X509_new();
    need(c != NULL, "a certificate");
    X509 *issuer = ca ? ca->certificate : c;
    set_names(c, wish);
    set_times(c, wish);
    set_serial(c);
    need(X509_set_version(c, X509_VERSION_3) && X509_set_pubkey(c, key) &&
             X509_set_issuer_name(c, X509_get_subject_name(issuer)),
         "a certificate's fields");
    add_extensions(c, issuer, wish);
    const EVP_MD *digest = EVP_PKEY_is_a(ca ? ca->key : key, "ED25519")
                               ? NULL
                               : EVP_get_digestbyname(or (wish->digest, "SHA256"));
    need(X509_sign(c, ca ? ca->key : key, digest) > 0, "a certificate's signature");
    return as_read(c);
}

static EVP_PKEY *key_for(const struct fixture_wish *wish)
{
    EVP_PKEY *key = wish->key;
    if (key)
        need(EVP_PKEY_up_ref(key), "a key");
    else
        need(!key_generate(&key), "a key");
    return key;
}

static X509 *issue_for(const struct fixture_ca *ca, const struct fixture_wish *wish, EVP_PKEY **out)
{
    EVP_PKEY *key = key_for(wish);
    X509 *c = issue(ca, wish, key);
    if (out)
        *out = key;
    else
        EVP_PKEY_free(key);
    return c;
}

X509 *fixture_issue(const struct fixture_ca *ca, const struct fixture_wish *wish, EVP_PKEY **key)
{
    return issue_for(ca, wish, key);
}

X509 *fixture_self_signed(const struct fixture_wish *wish, EVP_PKEY **key)
{
    return issue_for(NULL, wish, key);
}

X509 *fixture_relay(const struct fixture_ca *ca, EVP_PKEY **key)
{
    const struct fixture_wish wish = {.use = CERTIFICATE_RELAY, .name = "relay"};
    return fixture_issue(ca, &wish, key);
}

/* ---- CAs ---- */

void fixture_ca_init_as(struct fixture_ca *ca, const struct fixture_wish *wish,
                        const struct fixture_ca *over)
{
    ca->certificate = issue_for(over, wish, &ca->key);
}

void fixture_ca_init(struct fixture_ca *ca, const char *name)
{
    fixture_ca_init_under(ca, name, NULL);
}

void fixture_ca_init_under(struct fixture_ca *ca, const char *name, const struct fixture_ca *over)
{
    const struct fixture_wish wish = {.use = CERTIFICATE_ANCHOR, .name = name};
    fixture_ca_init_as(ca, &wish, over);
}

void fixture_ca_fini(struct fixture_ca *ca)
{
    EVP_PKEY_free(ca->key);
    X509_free(ca->certificate);
}

/* ---- endpoints ---- */

void fixture_endpoint_init(struct fixture_endpoint *e, const struct fixture_ca *ca, unsigned number)
{
    e->who = fixture_who(number);
    struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = e->who};
    e->identity = fixture_issue(ca, &wish, &e->identity_key);
    wish.use = CERTIFICATE_SEALING;
    e->sealing = fixture_issue(ca, &wish, &e->sealing_key);
}

void fixture_endpoint_fini(struct fixture_endpoint *e)
{
    EVP_PKEY_free(e->identity_key);
    EVP_PKEY_free(e->sealing_key);
    X509_free(e->identity);
    X509_free(e->sealing);
}

/* ---- revocation ---- */

static void revoke(X509_CRL *list, X509 *c, int64_t at_ms)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, at_ms / 1000);
    need(entry && at && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(c)) &&
             X509_REVOKED_set_revocationDate(entry, at) && X509_CRL_add0_revoked(list, entry),
         "a revocation");
    ASN1_TIME_free(at);
}

static void add_list_extensions(X509_CRL *list, X509 *issuer, long number)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, NULL, NULL, list, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *akid =
        X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    need(akid && X509_CRL_add_ext(list, akid, -1) && n && ASN1_INTEGER_set(n, number) &&
             X509_CRL_add1_ext_i2d(list, NID_crl_number, n, 0, 0) == 1,
         "a list's extensions");
    X509_EXTENSION_free(akid);
    ASN1_INTEGER_free(n);
}

void fixture_crl(const struct fixture_ca *ca, int64_t from_ms, int64_t until_ms, long number,
                 X509 *const *revoked, size_t n, struct buf *der)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, from_ms / 1000);
    ASN1_TIME *until = ASN1_TIME_set(NULL, until_ms / 1000);
    need(list && from && until && X509_CRL_set_version(list, X509_CRL_VERSION_2) &&
             X509_CRL_set_issuer_name(list, X509_get_subject_name(ca->certificate)) &&
             X509_CRL_set1_lastUpdate(list, from) && X509_CRL_set1_nextUpdate(list, until),
         "a list");
    for (size_t i = 0; i < n; i++)
        revoke(list, revoked[i], from_ms);
    add_list_extensions(list, ca->certificate, number);
    unsigned char *bytes = NULL;
    need(X509_CRL_sort(list) && X509_CRL_sign(list, ca->key, EVP_sha256()) > 0,
         "a list's signature");
    int len = i2d_X509_CRL(list, &bytes);
    need(len > 0 && !buf_append(der, bytes, (size_t)len), "a list's DER");
    OPENSSL_free(bytes);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(list);
}

struct trust *fixture_trust(const struct fixture_ca *ca, X509 *const *revoked, size_t n)
{
    struct trust *t = trust_new();
    struct buf der;
    buf_init(&der, TRUST_CRL_BYTES_MAX);
    need(t && !certificate_to_der(ca->certificate, &der) && !trust_add_anchor(t, buf_slice(&der)),
         "trust in an anchor");
    buf_clear(&der);
    fixture_crl(ca, FIXTURE_FROM_MS, FIXTURE_UNTIL_MS, 1, revoked, n, &der);
    need(!trust_add_crl(t, buf_slice(&der)), "trust in a list");
    buf_fini(&der);
    return t;
}

/* ---- TLS ---- */

static int64_t now_cb(void *ctx) { return FIXTURE_NOW_MS; }

enum error fixture_tls_context(SSL_CTX **out, bool is_server, X509 *c, EVP_PKEY *key,
                               struct trust *const *trust)
{
    struct buf der;
    buf_init(&der, CHAIN_BYTES);
    enum error e = certificate_to_der(c, &der);
    const struct tls_policy policy = {.is_server = is_server,
                                      .key = key,
                                      .chain = buf_slice(&der),
                                      .trust = trust,
                                      .now_ms = now_cb};
    if (e == ERROR_NONE)
        e = tls_context_new(out, &policy);
    buf_fini(&der);
    return e;
}
