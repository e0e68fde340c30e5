/*
 * tests/fuzz/fuzz_profile.c: the profile checker, outer and inner, on any bytes.
 *
 * Beyond not crashing: results lie inside the input; a refusal names a field and changes nothing; and
 * what we accept OpenSSL reads as the same thing, for it writes the same bytes again. (A certificate
 * that is well-formed DER may still be none to OpenSSL, which then refuses the whole.)
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

static void must_be_same_to_openssl(struct slice s, bool may_refuse)
{
    const uint8_t *at = s.data;
    uint8_t *again = NULL;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)s.len);
    if (cms) {
        assert(at == s.data + s.len);
        int len = i2d_CMS_ContentInfo(cms, &again);
        assert(len > 0 && slice_equal(s, slice_of(again, (size_t)len)));
        OPENSSL_free(again);
        CMS_ContentInfo_free(cms);
    } else {
        assert(may_refuse);
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
    must_be_same_to_openssl(s, false);
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
    must_be_same_to_openssl(s, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_outer(slice_of(data, size));
    check_inner(slice_of(data, size));
    return 0;
}
