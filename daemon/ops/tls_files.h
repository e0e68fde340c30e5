/*
 * daemon/ops/tls_files.h: the relay's TLS from files: its certificate and key, the trust in municipalities'
 * anchors, the revocation lists of crl_directory.
 *
 * Happy path: identity and trust are loaded at the start and again on SIGHUP, trust also when anchors
 * change; the context is given to connections to come, and reads *trust at each handshake.
 * Failures: all is parsed before anything is swapped; on an error the old stays, and *problem (the caller's,
 * free()) is one line that names the setting and the file.
 */
#ifndef DAEMON_OPS_TLS_FILES_H
#define DAEMON_OPS_TLS_FILES_H

#include "daemon/ops/config.h"
#include "pki/tls.h"

struct tls_files;

/* The settings are borrowed for its life. NULL when out of memory. */
struct tls_files *tls_files_new(const struct config *c);
void tls_files_free(struct tls_files *t);

/* After tls_files_load_trust. */
enum error tls_files_load_identity(struct tls_files *t, char **problem) MUST_CHECK;
/* Anchors in DER. Two municipalities may have the same. */
enum error tls_files_load_trust(struct tls_files *t, const struct slice *anchors, size_t n,
                                char **problem) MUST_CHECK;

SSL_CTX *tls_files_context(const struct tls_files *t);           /* borrowed until the next load */
struct trust *const *tls_files_trust(const struct tls_files *t); /* for its life */
/* The lists in force, DER, borrowed until the next load; how many, at most max. */
size_t tls_files_crls(const struct tls_files *t, struct slice *ders, size_t max);
/* The first moment at which a list has ended; INT64_MAX without lists. */
int64_t tls_files_crl_until_ms(const struct tls_files *t);

#endif
