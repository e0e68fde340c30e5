/*
 * pki/tls.c: the TLS policy of domain.md (NCSC-NL 2025-05) over OpenSSL; see tls.h.
 *
 * Happy path: a context is made once from a policy; each connection of it asks the peer for a
 * certificate, judge_peer_cb judges it with the anchors of that moment, and both sides have
 * agreed on ALPN brug/1 before a byte of ours moves. Failures: what judge_peer_cb finds is kept
 * with the connection and becomes the alert of alert_for; what OpenSSL finds by itself is known
 * by the alert that it sends. A relay judges a client after the client believes it is connected,
 * so a client learns its fault from a received alert (RFC 8446 §6.2).
 *
 * Invariants
 *
 *  1. The first finding of a connection stays.
 *
 *  2. A handshake ends well only if the peer's certificate was judged good and ALPN was agreed.
 *
 */
#include "pki/tls.h"
#include "pki/der.h"
#include "pki/failure.h"
#include "pki/key.h"
#include <assert.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SUITES "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define HYBRID_GROUP "X25519MLKEM768" /* from OpenSSL 3.5 on */
#define SIGNATURES \
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ed25519:" \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:" \
    "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512"
#define SECURITY_LEVEL 3 /* 128 bits: RSA of 3072, SHA-256 */
#define CHAIN_BYTES_MAX (TRUST_CHAIN_MAX * CERTIFICATE_BYTES_MAX)
#define HOST_BYTES 254 /* RFC 1035 §2.3.4, and the NUL */

static const unsigned char alpn[] = "\x06" TLS_ALPN; /* RFC 7301 §3.1: preceded by its length */
#define ALPN_BYTES (sizeof alpn - 1)

/* What a context needs at each handshake. */
struct judge {
    bool is_server;
    struct trust *const *trust;
    int64_t (*now_ms)(void *ctx);
    void *now_ctx;
};

/* What is known about the peer of one connection. */
struct finding {
    enum error verdict;
    bool is_from_peer;
    struct digest anchor;
    char *host; /* that a relay must be; NULL: none yet */
};

/* ---- what hangs on OpenSSL's objects ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int finding_index = -1, judge_index = -1;

static void new_finding_cb(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
                           void *argp)
{
    struct finding *f = calloc(1, sizeof *f);
    if (!CRYPTO_set_ex_data(data, index, f))
        free(f);
}

static void free_finding_cb(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
                            void *argp)
{
    struct finding *f = ptr;
    if (f)
        free(f->host);
    free(f);
}

static void free_judge_cb(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
                          void *argp)
{
    free(ptr);
}

static void prepare(void)
{
    finding_index = SSL_get_ex_new_index(0, NULL, new_finding_cb, NULL, free_finding_cb);
    judge_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_judge_cb);
    assert(finding_index >= 0 && judge_index >= 0);
}

/* NULL when there was no memory for it. */
static struct finding *finding_of(const SSL *ssl) { return SSL_get_ex_data(ssl, finding_index); }

static const struct judge *judge_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), judge_index);
}

static void note(const SSL *ssl, enum error code, bool is_from_peer)
{
    struct finding *f = finding_of(ssl);
    if (!f || f->verdict)
        return;
    f->verdict = code;
    f->is_from_peer = is_from_peer;
}

/* ---- alerts ---- */

/* A reason that makes OpenSSL send the alert: expired 45, revoked 44, unknown_ca 48,
 * unsupported_certificate 43, bad_certificate 42, certificate_unknown 46, handshake_failure 40,
 * internal_error 80. */
static int reason_for(enum error code)
{
    switch (code) {
    case ERROR_NONE:
        return X509_V_OK;
    case ERROR_TLS_EXPIRED:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case ERROR_TLS_REVOKED:
        return X509_V_ERR_CERT_REVOKED;
    case ERROR_TLS_UNKNOWN_CA:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case ERROR_TLS_WRONG_USE:
        return X509_V_ERR_INVALID_PURPOSE;
    case ERROR_TLS_WEAK:
        return X509_V_ERR_EE_KEY_TOO_SMALL;
    case ERROR_TLS_CRL_STALE:
        return X509_V_ERR_DIFFERENT_CRL_SCOPE;
    case ERROR_NO_MEMORY:
        return X509_V_ERR_OUT_OF_MEM;
    default:
        return X509_V_ERR_APPLICATION_VERIFICATION;
    }
}

/* What the relay says of us. */
static enum error code_of_received(int alert)
{
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
        return ERROR_TLS_WEAK;
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
        return ERROR_TLS_WRONG_USE;
    case SSL_AD_CERTIFICATE_REVOKED:
        return ERROR_TLS_REVOKED;
    case SSL_AD_CERTIFICATE_EXPIRED:
        return ERROR_TLS_EXPIRED;
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return ERROR_TLS_CRL_STALE;
    case SSL_AD_UNKNOWN_CA:
        return ERROR_TLS_UNKNOWN_CA;
    case SSL_AD_CERTIFICATE_REQUIRED:
        return ERROR_TLS_NO_CERTIFICATE;
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return ERROR_TLS_WRONG_PROTOCOL;
    default:
        return ERROR_TLS_BROKEN;
    }
}

/* What OpenSSL itself found wrong, by the alert that it sends. */
static enum error code_of_sent(int alert)
{
    switch (alert) {
    case SSL_AD_CERTIFICATE_REQUIRED:
        return ERROR_TLS_NO_CERTIFICATE;
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return ERROR_TLS_WRONG_PROTOCOL;
    default:
        return ERROR_TLS_BROKEN;
    }
}

/* What the peer sent to prove its certificate is judged by now, and would take some kilobytes for as long as the
 * connection lives. */
static void forget_chain(const SSL *ssl)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
    for (X509 *c; (c = sk_X509_pop(sent));)
        X509_free(c);
}

static void info_cb(const SSL *ssl, int where, int value)
{
    int alert = value & 0xff; /* below the level, which TLS 1.3 ignores */
    if (where & SSL_CB_HANDSHAKE_DONE)
        forget_chain(ssl);
    if (!(where & SSL_CB_ALERT) || alert == SSL_AD_CLOSE_NOTIFY || alert == SSL_AD_USER_CANCELLED)
        return;
    if (where & SSL_CB_WRITE)
        note(ssl, code_of_sent(alert), false);
    else /* a client's complaint about the relay's certificate says nothing of the client's own */
        note(ssl, SSL_is_server(ssl) ? ERROR_TLS_BROKEN : code_of_received(alert), true);
}

/* ---- the peer's certificate ---- */

static bool has_alpn(const SSL *ssl)
{
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &chosen, &len);
    return slice_equal(slice_of(chosen, len), slice_text(TLS_ALPN));
}

static bool is_address(const char *host)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    ASN1_OCTET_STRING_free(address);
    (void)failure_as(ERROR_NONE);
    return address != NULL;
}

static bool names_host(X509 *c, const char *host)
{
    const unsigned flags = X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    if (!host)
        return false;
    return is_address(host) ? X509_check_ip_asc(c, host, 0) == 1
                            : X509_check_host(c, host, 0, flags, NULL) == 1;
}

static enum error judge_peer(const SSL *ssl, X509_STORE_CTX *context, struct finding *f)
{
    const struct judge *judge = judge_of(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    enum certificate_use use = judge->is_server ? CERTIFICATE_IDENTITY : CERTIFICATE_RELAY;
    if (!has_alpn(ssl)) /* a server has answered it by now (RFC 8446 §4.3.1) */
        return ERROR_TLS_WRONG_PROTOCOL;
    enum error e = trust_verify(*judge->trust, leaf, X509_STORE_CTX_get0_untrusted(context), use,
                                judge->now_ms(judge->now_ctx), &f->anchor);
    if (!e && !judge->is_server && !names_host(leaf, f->host))
        e = ERROR_TLS_WRONG_USE;
    return e;
}

/* In place of OpenSSL's own verification. */
static int judge_peer_cb(X509_STORE_CTX *context, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct finding *f = finding_of(ssl);
    enum error e = f ? judge_peer(ssl, context, f) : ERROR_NO_MEMORY;
    if (e)
        note(ssl, e, false);
    X509_STORE_CTX_set_error(context, reason_for(e));
    return e == ERROR_NONE;
}

/* ---- ALPN on the relay's side ---- */

/* OpenSSL asks alpn_select_cb only if the client offers any protocol at all. */
static int client_hello_cb(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *offered;
    size_t len;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &offered,
                                  &len))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int alpn_select_cb(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                          const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, alpn, ALPN_BYTES, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- the context ---- */

static bool set_groups(SSL_CTX *context)
{
    bool is_set = SSL_CTX_set1_groups_list(context, HYBRID_GROUP ":" GROUPS) ||
                  SSL_CTX_set1_groups_list(context, GROUPS);
    (void)failure_as(ERROR_NONE);
    return is_set;
}

static bool set_protocol(SSL_CTX *context)
{
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, CHAIN_BYTES_MAX);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_max_early_data(context, 0) &&
           SSL_CTX_set_recv_max_early_data(context, 0) &&
           SSL_CTX_set_ciphersuites(context, SUITES) && set_groups(context) &&
           SSL_CTX_set1_sigalgs_list(context, SIGNATURES) &&
           SSL_CTX_set_alpn_protos(context, alpn, ALPN_BYTES) == 0; /* 0 is success here */
}

static bool set_judge(SSL_CTX *context, const struct tls_policy *policy)
{
    struct judge *judge = malloc(sizeof *judge);
    if (!judge || !SSL_CTX_set_ex_data(context, judge_index, judge)) {
        free(judge);
        return false;
    }
    *judge = (struct judge){.is_server = policy->is_server,
                            .trust = policy->trust,
                            .now_ms = policy->now_ms,
                            .now_ctx = policy->now_ctx};
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context, judge_peer_cb, NULL);
    SSL_CTX_set_info_callback(context, info_cb);
    if (policy->is_server) {
        SSL_CTX_set_client_hello_cb(context, client_hello_cb, NULL);
        SSL_CTX_set_alpn_select_cb(context, alpn_select_cb, NULL);
    }
    return true;
}

static enum error use_certificate(SSL_CTX *context, X509 *c, const struct tls_policy *policy)
{
    enum error e =
        certificate_check_use(c, policy->is_server ? CERTIFICATE_RELAY : CERTIFICATE_IDENTITY);
    if (!e)
        e = certificate_check_strength(c);
    if (e)
        return e;
    if (!SSL_CTX_use_certificate(context, c))
        return failure_of_openssl();
    if (!SSL_CTX_use_PrivateKey(context, policy->key) || !SSL_CTX_check_private_key(context))
        return failure_as(ERROR_CONFIG);
    return ERROR_NONE;
}

static enum error use_chain(SSL_CTX *context, const struct tls_policy *policy)
{
    struct slice rest = policy->chain, one;
    bool is_first = true;
    if (rest.len == 0 || rest.len > CHAIN_BYTES_MAX)
        return ERROR_CONFIG;
    while (rest.len > 0) {
        X509 *c = NULL;
        if (!der_take(&rest, &one))
            return ERROR_CONFIG;
        enum error e = certificate_from_der(&c, one);
        if (!e && is_first)
            e = use_certificate(context, c, policy);
        else if (!e && !SSL_CTX_add1_chain_cert(context, c))
            e = failure_of_openssl();
        X509_free(c);
        if (e)
            return e;
        is_first = false;
    }
    return ERROR_NONE;
}

enum error tls_context_new(SSL_CTX **out, const struct tls_policy *policy)
{
    (void)pthread_once(&once, prepare); /* fails for no reason that POSIX names */
    enum error e = ERROR_NONE;
    SSL_CTX *context = SSL_CTX_new(policy->is_server ? TLS_server_method() : TLS_client_method());
    if (!context || !set_protocol(context) || !set_judge(context, policy))
        e = failure_of_openssl();
    if (!e)
        e = use_chain(context, policy);
    if (e) {
        SSL_CTX_free(context);
        return e;
    }
    *out = context;
    return failure_as(ERROR_NONE);
}

void tls_context_free(SSL_CTX *context) { SSL_CTX_free(context); }

/* ---- one connection ---- */

enum error tls_set_host(SSL *ssl, const char *host)
{
    struct finding *f = finding_of(ssl);
    size_t len = strnlen(host, HOST_BYTES);
    if (!f)
        return ERROR_NO_MEMORY;
    if (len == 0 || len == HOST_BYTES)
        return ERROR_CONFIG;
    if (!is_address(host) && !SSL_set_tlsext_host_name(ssl, host))
        return failure_of_openssl();
    char *copy = strdup(host);
    if (!copy)
        return ERROR_NO_MEMORY;
    free(f->host);
    f->host = copy;
    return ERROR_NONE;
}

enum error tls_verdict(const SSL *ssl)
{
    const struct finding *f = finding_of(ssl);
    return f ? f->verdict : ERROR_NO_MEMORY;
}

enum error tls_failed(const SSL *ssl)
{
    enum error e = tls_verdict(ssl);
    return failure_as(e ? e : ERROR_TLS_BROKEN);
}

bool tls_was_refused(const SSL *ssl)
{
    const struct finding *f = finding_of(ssl);
    return f && f->verdict && f->is_from_peer;
}

struct digest tls_peer_anchor(const SSL *ssl)
{
    const struct finding *f = finding_of(ssl);
    assert(f && SSL_is_init_finished(ssl));
    return f->anchor;
}

const char *tls_level(void)
{
    EVP_KEYMGMT *hybrid = EVP_KEYMGMT_fetch(NULL, HYBRID_GROUP, NULL);
    EVP_KEYMGMT_free(hybrid);
    (void)failure_as(ERROR_NONE);
    return hybrid ? "TLS 1.3, " HYBRID_GROUP ":" GROUPS ", " SUITES
                  : "TLS 1.3, " GROUPS ", " SUITES;
}
