/* pki/der.c: small pieces of DER; see der.h. */
#include "pki/der.h"
#include "pki/failure.h"
#include <limits.h>
#include <openssl/asn1.h>
#include <time.h>

bool der_take(struct slice *from, struct slice *one)
{
    const unsigned char *at = from->data;
    long len;
    int tag, class;
    if (from->len == 0 || from->len > LONG_MAX)
        return false;
    int form = ASN1_get_object(&at, &len, &tag, &class, (long)from->len);
    (void)failure_as(ERROR_NONE);
    /* 0x80: an error; the lowest bit: a length that is not definite */
    if (form & 0x81)
        return false;
    size_t head = (size_t)(at - from->data);
    return slice_take(from, head + (size_t)len, one);
}

bool der_time_ms(const ASN1_TIME *t, int64_t *ms)
{
    struct tm tm;
    if (!t || !ASN1_TIME_to_tm(t, &tm))
        return false;
    *ms = (int64_t)timegm(&tm) * 1000;
    return true;
}
