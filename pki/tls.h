/*
 * pki/tls.h: the TLS policy, in one place: TLS 1.3, mutual, ALPN brug/1, the suites and groups
 * of domain.md; no tickets, no early data, no renegotiation, no compression.
 *
 * The peer's certificate is judged by trust_verify during the handshake, through *trust at that
 * moment, so that a reload swaps the pointer. What was found is kept with the connection, and
 * the peer gets the matching alert.
 */
#ifndef PKI_TLS_H
#define PKI_TLS_H

#include "pki/trust.h"

#define TLS_ALPN "brug/1"

struct tls_policy {
    bool is_server;
    EVP_PKEY *key;              /* borrowed until tls_context_new returns, like chain */
    struct slice chain;         /* DER one after the other, the own certificate first */
    struct trust *const *trust; /* read at each handshake; outlives the context */
    int64_t (*now_ms)(void *ctx);
    void *now_ctx;
};

/* ERROR_CONFIG when key and certificate do not belong together; ERROR_TLS_WRONG_USE or
 * ERROR_TLS_WEAK for an own certificate that no peer may accept; ERROR_CRYPTO when the linked
 * OpenSSL cannot do the policy. */
enum error tls_context_new(SSL_CTX **out, const struct tls_policy *policy) MUST_CHECK;
void tls_context_free(SSL_CTX *context);

/* Client: the relay's certificate must name this host (DNS name without wildcard, or IP address
 * in text). Without a host a client refuses every certificate. */
enum error tls_set_host(SSL *ssl, const char *host) MUST_CHECK;

/* What is known about the peer: ERROR_NONE while nothing is wrong. On a client it can come after
 * the handshake, with the relay's alert about the client's own certificate. */
enum error tls_verdict(const SSL *ssl);
/* After a handshake call or SSL_read that failed for good: the verdict, or ERROR_TLS_BROKEN when
 * there is none. Empties the error queue. */
enum error tls_failed(const SSL *ssl);
/* The verdict is what the peer said of us, not what we found about the peer. */
bool tls_was_refused(const SSL *ssl);
/* After a finished handshake only. */
struct digest tls_peer_anchor(const SSL *ssl);
const char *tls_level(void); /* one line for `brugctl status` */

#endif
