/*
 * tests/fuzz/fuzz_profile.c: the profile checker, outer and inner, on any bytes.
 *
 * Beyond not crashing: results lie inside the input; a refusal names a field and changes nothing;
 * and what we accept OpenSSL reads as the same thing, for it writes the same bytes again, but for
 * those of the certificate (which to OpenSSL may be none, or have bits that it clears).
 */
#include "client/profile.h"
#include <assert.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_inside(struct slice part, struct slice all)
{
    assert(part.data >= all.data && part.data <= all.data + all.len);
    assert(part.len <= (size_t)(all.data + all.len - part.data));
}

static bool is_same_but_for(struct slice a, struct slice b, struct slice except)
{
    size_t before = except.len > 0 ? (size_t)(except.data - a.data) : a.len;
    size_t after = except.len > 0 ? before + except.len : a.len;
    return a.len == b.len && memcmp(a.data, b.data, before) == 0 &&
           memcmp(a.data + after, b.data + after, a.len - after) == 0;
}

static void must_be_same_to_openssl(struct slice s, struct slice certificate)
{
    const uint8_t *at = s.data;
    uint8_t *again = NULL;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)s.len);
    if (cms) {
        assert(at == s.data + s.len);
        int len = i2d_CMS_ContentInfo(cms, &again);
        assert(len > 0 && is_same_but_for(s, slice_of(again, (size_t)len), certificate));
        OPENSSL_free(again);
        CMS_ContentInfo_free(cms);
    } else {
        assert(certificate.len > 0);
    }
    ERR_clear_error();
}

static void check_outer(struct slice s)
{
    struct profile_outer o = {.n = 0};
    const char *where = NULL;
    enum error e = profile_check_outer(s, &o, &where);
    assert(e == ERROR_NONE || e == ERROR_LETTER_PROFILE);
    assert((e == ERROR_NONE) == (where == NULL) && (e == ERROR_NONE) == (o.n > 0));
    if (e != ERROR_NONE)
        return;
    assert(o.n <= PROFILE_RECIPIENTS_MAX);
    for (size_t i = 0; i < o.n; i++)
        must_be_inside(o.key_ids[i], s);
    must_be_inside(o.encrypted, s);
    must_be_same_to_openssl(s, SLICE_NONE);
}

static void check_inner(struct slice s)
{
    struct profile_inner o = {.content = SLICE_NONE};
    const char *where = NULL;
    enum error e = profile_check_inner(s, &o, &where);
    assert(e == ERROR_NONE || e == ERROR_LETTER_PROFILE);
    assert((e == ERROR_NONE) == (where == NULL) && (e == ERROR_NONE) == (o.content.data != NULL));
    if (e != ERROR_NONE)
        return;
    must_be_inside(o.content, s);
    must_be_inside(o.certificate, s);
    must_be_inside(o.key_id, s);
    must_be_same_to_openssl(s, o.certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_outer(slice_of(data, size));
    check_inner(slice_of(data, size));
    return 0;
}
