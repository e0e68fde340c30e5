/* pki/der.h: small pieces of DER. */
#ifndef PKI_DER_H
#define PKI_DER_H

#include "base/buf.h"
#include <openssl/types.h>

/* Takes one DER element of definite length off the front, its content unread; false (and nothing
 * changed) if there is none. */
bool der_take(struct slice *from, struct slice *one) MUST_CHECK;
/* ms since 1970; false for NULL and for a time that is not well formed. */
bool der_time_ms(const ASN1_TIME *t, int64_t *ms) MUST_CHECK;

#endif
