/*
 * pki/failure.h: OpenSSL's failures as ours, for the files of this floor.
 *
 * Every function of this floor leaves OpenSSL's error queue empty, so that a later SSL_get_error
 * on the same thread is not misled.
 */
#ifndef PKI_FAILURE_H
#define PKI_FAILURE_H

#include "base/error.h"

/* ERROR_NO_MEMORY or ERROR_CRYPTO, as the queue says. */
enum error failure_of_openssl(void);
/* For a refusal of ours, whatever OpenSSL queued about it; returns e. */
enum error failure_as(enum error e);

#endif
