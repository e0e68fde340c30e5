/*
 * tests/unit/test_profile.c: the profile checker accepts what we and OpenSSL write in the profile,
 * and nothing else. Each refusal is checked by the field that it names, so that no test passes for
 * another reason than its own.
 */
#include "base/text.h"
#include "client/padding.h"
#include "client/profile.h"
#include "client/tlv.h"
#include "tests/lib/der_edit.h"
#include "tests/lib/letter_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define READERS 2

/* A letter to two readers and the sender, one to the sender alone, and the SignedData of the
 * first. */
struct samples {
    struct party sender, readers[READERS];
    struct buf outer, alone, inner;
};

static struct samples *samples_new(void)
{
    struct samples *s = calloc(1, sizeof *s);
    const struct party *readers[READERS];
    struct buf header;
    party_init(&s->sender, 1, "P-256");
    for (unsigned i = 0; i < READERS; i++) {
        party_init(&s->readers[i], 2 + i, "P-256");
        readers[i] = &s->readers[i];
    }
    fixture_header(&header, &s->sender, readers, READERS, 1);
    fixture_seal(&s->outer, &s->sender, readers, READERS, buf_slice(&header), "Geachte collega");
    fixture_seal(&s->alone, &s->sender, NULL, 0, buf_slice(&header), "Geachte collega");
    fixture_decrypt(&s->inner, &s->sender, buf_slice(&s->outer));
    buf_fini(&header);
    return s;
}

static int set_up(void **state)
{
    *state = samples_new();
    return *state ? 0 : 1;
}

static int tear_down(void **state)
{
    struct samples *s = *state;
    party_fini(&s->sender);
    for (unsigned i = 0; i < READERS; i++)
        party_fini(&s->readers[i]);
    buf_fini(&s->outer);
    buf_fini(&s->alone);
    buf_fini(&s->inner);
    free(s);
    return 0;
}

/* The field that refuses, or NULL. From memory of exactly that size, so that a sanitizer sees a
 * read beyond it. */
static const char *refused(struct slice der, bool is_outer)
{
    static const char *const UNTOUCHED = "untouched";
    const char *where = UNTOUCHED;
    struct profile_outer outer = {.n = 77};
    struct profile_inner inner = {.content = {NULL, 77}};
    uint8_t *exact = malloc(der.len ? der.len : 1);
    assert_non_null(exact);
    if (der.len)
        memcpy(exact, der.data, der.len);
    der.data = exact;
    enum error e = is_outer ? profile_check_outer(der, &outer, &where)
                            : profile_check_inner(der, &inner, &where);
    free(exact);
    if (e == ERROR_NONE) {
        assert_ptr_equal(where, UNTOUCHED);
        return NULL;
    }
    assert_int_equal(e, ERROR_LETTER_PROFILE);
    assert_ptr_not_equal(where, UNTOUCHED);
    assert_int_equal(outer.n, 77);
    assert_int_equal(inner.content.len, 77);
    return where;
}

/* ---- what is accepted ---- */

static void accepts_own_letters(void **state)
{
    struct samples *s = *state;
    struct profile_outer outer;
    struct profile_inner inner;
    const char *where;
    assert_int_equal(profile_check_outer(buf_slice(&s->outer), &outer, &where), ERROR_NONE);
    assert_int_equal(outer.n, READERS + 1);
    assert_int_equal(outer.encrypted.len, s->inner.len);
    assert_int_equal(profile_check_inner(buf_slice(&s->inner), &inner, &where), ERROR_NONE);
    assert_int_equal(inner.content.len, 1024);
    assert_int_equal(inner.key_id.len, 20);
    assert_null(refused(buf_slice(&s->alone), true));
}

static void accepts_openssl_with_the_profiles_options(void **state)
{
    struct samples *s = *state;
    const struct cms_options profile = {0};
    const struct party *readers[] = {&s->readers[0], &s->readers[1], &s->sender};
    struct buf inner, outer;
    fixture_sign(&inner, &s->sender, slice_text("text"), &profile);
    fixture_encrypt(&outer, buf_slice(&inner), readers, 3, &profile);
    assert_null(refused(buf_slice(&inner), false));
    assert_null(refused(buf_slice(&outer), true));
    buf_fini(&inner);
    buf_fini(&outer);
}

/* ---- T15: cut off, or with bytes after it ---- */

static void refuses_every_truncation(struct slice der, bool is_outer)
{
    for (size_t len = 0; len < der.len; len++)
        assert_non_null(refused(slice_of(der.data, len), is_outer));
    uint8_t *longer = malloc(der.len + 1);
    assert_non_null(longer);
    memcpy(longer, der.data, der.len);
    longer[der.len] = 0;
    assert_string_equal(refused(slice_of(longer, der.len + 1), is_outer), "contentInfo");
    free(longer);
}

static void T15_refuses_outer_cut_at_every_byte(void **state)
{
    refuses_every_truncation(buf_slice(&((struct samples *)*state)->outer), true);
}

static void T15_refuses_inner_cut_at_every_byte(void **state)
{
    refuses_every_truncation(buf_slice(&((struct samples *)*state)->inner), false);
}

/* ---- other encodings of the same, for every element ---- */

struct every {
    struct slice der;
    bool is_outer;
    const char *except; /* a path below which structure is free: the certificate */
    unsigned visited;
};

static void assert_refused(const struct every *all, const char *path, enum der_change change,
                           struct slice with)
{
    struct buf changed;
    der_edit(all->der, path, change, with, &changed);
    if (!refused(buf_slice(&changed), all->is_outer))
        fail_msg("accepted change %d at %s", (int)change, path);
    buf_fini(&changed);
}

static bool is_below(const char *path, const char *above)
{
    size_t len = strlen(above);
    return strncmp(path, above, len) == 0 && path[len] == '.';
}

static void refuse_changes_of(void *ctx, const char *path)
{
    struct every *all = ctx;
    struct slice element = der_at(all->der, path);
    all->visited++;
    assert_refused(all, path, DER_LONG_LENGTH, SLICE_NONE);
    if (element.data[0] & 0x20)
        assert_refused(all, path, DER_INDEFINITE, SLICE_NONE);
    if (all->except && is_below(path, all->except))
        return;
    assert_refused(all, path, DER_REPLACE, SLICE_NONE); /* gone */
    assert_refused(all, path, DER_APPEND, element);     /* twice */
    assert_refused(all, path, DER_APPEND, slice_of("\x05\x00", 2));
    for (uint8_t bit = 1; bit; bit = (uint8_t)(bit << 1))
        assert_refused(all, path, DER_TAG, slice_of(&bit, 1));
}

static void refuses_other_encodings_outside(void **state)
{
    struct samples *s = *state;
    struct every all = {buf_slice(&s->alone), true, NULL, 0};
    der_walk(all.der, refuse_changes_of, &all);
    assert_int_equal(all.visited, 31);
}

static void refuses_other_encodings_inside(void **state)
{
    struct samples *s = *state;
    struct every all = {buf_slice(&s->inner), false, "1.0.3.0", 0};
    der_walk(all.der, refuse_changes_of, &all);
    assert_true(all.visited > 60);
}

/* ---- one change each, and the field that must refuse it ---- */

struct change {
    const char *path;
    enum der_change change;
    const char *hex; /* without spaces */
    const char *where;
};

static struct slice from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; hex[2 * n]; n++)
        out[n] = (uint8_t)(text_hex_value(hex[2 * n]) << 4 | text_hex_value(hex[2 * n + 1]));
    return slice_of(out, n);
}

static void assert_changes_refused(struct slice der, bool is_outer, const struct change *changes,
                                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[256];
        struct buf changed;
        der_edit(der, changes[i].path, changes[i].change, from_hex(changes[i].hex, bytes),
                 &changed);
        const char *where = refused(buf_slice(&changed), is_outer);
        if (!where || strcmp(where, changes[i].where) != 0)
            fail_msg("change %zu at %s: %s, not %s", i, changes[i].path, where ? where : "accepted",
                     changes[i].where);
        buf_fini(&changed);
    }
}

#define RECIPIENT "1.0.1.0"
#define AES256_CBC "060960864801650304012a"
#define AES128_GCM "0609608648016503040106"
#define SHA1 "06052b0e03021a"
#define SHA512 "0609608648016503040203"

static void refuses_each_change_outside(void **state)
{
    static const struct change CHANGES[] = {
        {"0", DER_REPLACE, "06092a864886f70d010703", "contentInfo.contentType"}, /* EnvelopedData */
        {"0", DER_REPLACE, "060b2a864886f70d0109100109",
         "contentInfo.contentType"}, /* compressed */
        {"1.0.0", DER_REPLACE, "020102", "version"},
        {"1.0.0", DER_REPLACE, "02020000", "version"},
        {"1.0.1", DER_INSERT, "a000", "recipientInfos"}, /* originatorInfo */
        {"1.0.1", DER_CONTENTS, "", "recipientInfos"},
        /* key transport, kekri, password, other */
        {RECIPIENT, DER_TAG, "91", "recipientInfos.type"}, /* 30: key transport */
        {RECIPIENT, DER_TAG, "03", "recipientInfos.type"}, /* a2: a key-encryption key */
        {RECIPIENT, DER_TAG, "02", "recipientInfos.type"}, /* a3: a password */
        {RECIPIENT, DER_TAG, "05", "recipientInfos.type"}, /* a4: other */
        {RECIPIENT, DER_APPEND, "a300", "recipientInfos.type"},
        {RECIPIENT ".0", DER_REPLACE, "020100", "recipient.version"},
        {RECIPIENT ".1.0", DER_TAG, "01", "recipient.originator"}, /* [0]: by key identifier */
        {RECIPIENT ".1.0.0", DER_CONTENTS, "06072a8648ce3d02010500",
         "recipient.originator.algorithm"}, /* NULL parameters */
        {RECIPIENT ".1.0.0", DER_CONTENTS, "06072a8648ce3d020106082a8648ce3d030107",
         "recipient.originator.algorithm"}, /* a named curve */
        {RECIPIENT ".1.0.0", DER_CONTENTS, "06032b656e", "recipient.originator.algorithm"},
        {RECIPIENT ".1.0.1", DER_CONTENTS, "00", "recipient.originator.publicKey"}, /* infinity */
        {RECIPIENT ".1.0.1", DER_CONTENTS,
         "0002000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "recipient.originator.publicKey"}, /* compressed */
        {RECIPIENT ".2", DER_INSERT,
         "a1220420000102030405060708090a0b0c0d0e0f10111213141516171819"
         "1a1b1c1d1e1f",
         "recipient.keyEncryptionAlgorithm"}, /* ukm */
        {RECIPIENT ".2.0", DER_REPLACE, "06092b81051086483f0002",
         "recipient.keyEncryptionAlgorithm"}, /* SHA-1 */
        {RECIPIENT ".2.0", DER_REPLACE, "06062b8104010b00",
         "recipient.keyEncryptionAlgorithm"}, /* SHA-224 */
        {RECIPIENT ".2.0", DER_REPLACE, "06062b8104010b03",
         "recipient.keyEncryptionAlgorithm"}, /* SHA-512 */
        {RECIPIENT ".2.0", DER_REPLACE, "06062b8104010e01",
         "recipient.keyEncryptionAlgorithm"}, /* cofactor */
        {RECIPIENT ".2.1.0", DER_REPLACE, "0609608648016503040105",
         "recipient.keyEncryptionAlgorithm"}, /* aes128-wrap */
        {RECIPIENT ".2.1.0", DER_REPLACE, "0609608648016503040119",
         "recipient.keyEncryptionAlgorithm"}, /* aes192-wrap */
        {RECIPIENT ".2.1.0", DER_REPLACE, "060b2a864886f70d0109100306",
         "recipient.keyEncryptionAlgorithm"}, /* 3DES wrap */
        {RECIPIENT ".2.1.0", DER_APPEND, "0500", "recipient.keyEncryptionAlgorithm"},
        {RECIPIENT ".3.0.0", DER_REPLACE, "30073000020101", "recipient.rid"}, /* issuer, serial */
        {RECIPIENT ".3.0.0.0", DER_CONTENTS, "00010203040506", "recipient.rid"},
        {RECIPIENT ".3.0.0.0", DER_CONTENTS, "", "recipient.rid"},
        {RECIPIENT ".3.0.0.0", DER_APPEND, "180f32303236303130313030303030305a",
         "recipient.rid"}, /* a date */
        {RECIPIENT ".3.0.1", DER_CONTENTS, "", "recipient.encryptedKey"},
        {RECIPIENT ".3.0.1", DER_CONTENTS, "000102030405060708090a0b0c0d0e0f1011121314151617",
         "recipient.encryptedKey"}, /* of AES-128 */
        {"1.0.2.0", DER_REPLACE, "06092a864886f70d010702", "encryptedContentInfo.contentType"},
        {"1.0.2.1.0", DER_REPLACE, AES256_CBC, "contentEncryptionAlgorithm"},
        {"1.0.2.1.0", DER_REPLACE, AES128_GCM, "contentEncryptionAlgorithm"},
        {"1.0.2.1.0", DER_REPLACE, "060960864801650304012f",
         "contentEncryptionAlgorithm"}, /* CCM */
        {"1.0.2.1.0", DER_REPLACE, "060b2a864886f70d0109100312",
         "contentEncryptionAlgorithm"}, /* ChaCha20-Poly1305 */
        {"1.0.2.1.1", DER_REPLACE, "0410000102030405060708090a0b0c0d0e0f",
         "contentEncryptionAlgorithm"}, /* the parameters of CBC */
        {"1.0.2.1.1.1", DER_REPLACE, "", "contentEncryptionAlgorithm.ICVlen"},
        {"1.0.2.1.1.1", DER_REPLACE, "02010c", "contentEncryptionAlgorithm.ICVlen"},
        {"1.0.2.1.1.1", DER_REPLACE, "020104", "contentEncryptionAlgorithm.ICVlen"},
        {"1.0.2.1.1.1", DER_REPLACE, "02020010", "contentEncryptionAlgorithm.ICVlen"},
        {"1.0.2.2", DER_REPLACE, "", "encryptedContent"},
        {"1.0.2.2", DER_REPLACE, "8000", "encryptedContent"},
        {"1.0.2.2", DER_REPLACE, "a00604040001020304", "encryptedContent"},
        {"1.0.3", DER_INSERT, "a100", "mac"}, /* authAttrs */
        {"1.0.3", DER_APPEND, "a200", "unauthAttrs"},
    };
    assert_changes_refused(buf_slice(&((struct samples *)*state)->alone), true, CHANGES,
                           sizeof CHANGES / sizeof CHANGES[0]);
}

#define SIGNER "1.0.4.0"

static void refuses_each_change_inside(void **state)
{
    static const struct change CHANGES[] = {
        {"0", DER_REPLACE, "06092a864886f70d010701", "contentInfo.contentType"},
        {"1.0.0", DER_REPLACE, "020101", "version"},
        {"1.0.0", DER_REPLACE, "020105", "version"},
        {"1.0.1", DER_CONTENTS, "", "digestAlgorithms"},
        {"1.0.1.0", DER_CONTENTS, SHA1, "digestAlgorithms"},
        {"1.0.1.0", DER_CONTENTS, SHA512, "digestAlgorithms"},
        {"1.0.1.0", DER_CONTENTS, "06096086480165030402010500", "digestAlgorithms"},
        {"1.0.1.0", DER_APPEND, "300b" SHA512, "digestAlgorithms"},
        {"1.0.2.0", DER_REPLACE, "06092a864886f70d010702", "encapContentInfo.eContentType"},
        {"1.0.2.1", DER_REPLACE, "", "encapContentInfo.eContent"}, /* detached */
        {"1.0.2.1.0", DER_REPLACE, "240304017f", "encapContentInfo.eContent"},
        {"1.0.3", DER_REPLACE, "", "certificates"},
        {"1.0.3", DER_CONTENTS, "", "certificates"},
        {"1.0.3.0", DER_APPEND, "3000", "certificates"},
        {"1.0.3.0", DER_REPLACE, "a13000", "certificates"}, /* an attribute certificate */
        {"1.0.3.0", DER_CONTENTS, "02", "certificate"},
        {"1.0.3.0", DER_CONTENTS, "30800000", "certificate"},
        {"1.0.3.0", DER_CONTENTS, "0000", "certificate"},
        {"1.0.3.0", DER_CONTENTS, "1f010100", "certificate"},
        {"1.0.3", DER_APPEND, "a100", "signerInfos"}, /* revocation lists */
        {"1.0.4", DER_CONTENTS, "", "signerInfos"},
        {SIGNER, DER_APPEND, "3000", "signerInfos"},
        {SIGNER ".0", DER_REPLACE, "020101", "signer.version"},
        {SIGNER ".1", DER_REPLACE, "3003020101", "signer.sid"},
        {SIGNER ".1", DER_REPLACE, "8000", "signer.sid"},
        {SIGNER ".2", DER_CONTENTS, SHA1, "signer.digestAlgorithm"},
        {SIGNER ".2", DER_CONTENTS, SHA512, "signer.digestAlgorithm"},
        {SIGNER ".3", DER_REPLACE, "", "signedAttrs"},
        {SIGNER ".3", DER_CONTENTS, "", "signedAttrs.contentType"},
        {SIGNER ".3.0.1.0", DER_REPLACE, "06092a864886f70d010702", "signedAttrs.contentType"},
        {SIGNER ".3.0.1.0", DER_APPEND, "06092a864886f70d010701", "signedAttrs.contentType"},
        {SIGNER ".3.1", DER_REPLACE, "", "signedAttrs.signingTime"},
        {SIGNER ".3.1.1", DER_CONTENTS, "", "signedAttrs.signingTime"},
        {SIGNER ".3.1.1.0", DER_CONTENTS, "323631313232313835362b30", "signedAttrs.signingTime"},
        {SIGNER ".3.1.1.0", DER_CONTENTS, "32363131323231383536333520", "signedAttrs.signingTime"},
        {SIGNER ".3.1.1.0", DER_CONTENTS, "3236313132323138353635002e5a",
         "signedAttrs.signingTime"},
        {SIGNER ".3.1.1.0", DER_REPLACE, "180f32303439303130313030303030305a",
         "signedAttrs.signingTime"}, /* GeneralizedTime before 2050 */
        {SIGNER ".3.1.1.0", DER_REPLACE, "17013f180f32303530303130313030303030305a",
         "signedAttrs.signingTime"}, /* two values */
        {SIGNER ".3.1.1.0", DER_REPLACE, "180f32303530303130313030303030305b",
         "signedAttrs.signingTime"},
        {SIGNER ".3.1.1.0", DER_REPLACE, "180f3230353030313031303020303030305a",
         "signedAttrs.signingTime"},
        {SIGNER ".3.2.0", DER_REPLACE, "06092a864886f70d01090f", "signedAttrs.messageDigest"},
        {SIGNER ".3.2.1.0", DER_CONTENTS, "000102030405060708090a0b0c0d0e0f10111213",
         "signedAttrs.messageDigest"},
        {SIGNER ".3.2", DER_APPEND, "301006092a864886f70d01090f310302017f", "signedAttrs"},
        {SIGNER ".4", DER_CONTENTS, "06072a8648ce3d0401", "signer.signatureAlgorithm"}, /* SHA-1 */
        {SIGNER ".4", DER_CONTENTS, "06082a8648ce3d040304", "signer.signatureAlgorithm"}, /* 512 */
        {SIGNER ".4", DER_CONTENTS, "06082a8648ce3d0403020500", "signer.signatureAlgorithm"},
        {SIGNER ".4", DER_CONTENTS, "06092a864886f70d01010b",
         "signer.signatureAlgorithm"}, /* RSA */
        {SIGNER ".5", DER_CONTENTS, "", "signature"},
        {SIGNER ".5", DER_CONTENTS, "3006020100020101", "signature"},
        {SIGNER ".5", DER_CONTENTS, "3006020101020180", "signature"},
        {SIGNER ".5", DER_CONTENTS, "30070202007f020101", "signature"},
        {SIGNER ".5", DER_CONTENTS, "300602010102010100", "signature"},
        {SIGNER ".5", DER_CONTENTS, "3009020101020101020101", "signature"},
        {SIGNER ".5", DER_CONTENTS,
         "3026022100010203040506070809000102030405060708090001020304050607080900ff020101",
         "signature"},
        {SIGNER ".5", DER_CONTENTS,
         "3026022101020304050607080900010203040506070809000102030405060708090000ff01020101",
         "signature"},
        {SIGNER ".5", DER_CONTENTS,
         "30270222008102030405060708090001020304050607080900010203040506070809000001ff020101",
         "signature"},
        {SIGNER ".5", DER_APPEND, "a100", "unsignedAttrs"},
        {"1.0.4", DER_APPEND, "0500", "signedData"},
    };
    struct samples *s = *state;
    static const struct change TIME_2050 = {SIGNER ".3.1.1.0", DER_REPLACE,
                                            "180f32303530303130313030303030305a", NULL};
    uint8_t bytes[32];
    struct buf changed;
    assert_changes_refused(buf_slice(&s->inner), false, CHANGES,
                           sizeof CHANGES / sizeof CHANGES[0]);
    der_edit(buf_slice(&s->inner), TIME_2050.path, TIME_2050.change, from_hex(TIME_2050.hex, bytes),
             &changed);
    assert_null(refused(buf_slice(&changed), false));
    buf_fini(&changed);
}

static void allows_one_length_only(struct slice der, const char *path, size_t allowed,
                                   const char *where)
{
    static const uint8_t BYTES[65] = {0};
    for (size_t len = 0; len <= sizeof BYTES; len++) {
        struct buf changed;
        der_edit(der, path, DER_CONTENTS, slice_of(BYTES, len), &changed);
        const char *found = refused(buf_slice(&changed), true);
        if (len == allowed)
            assert_null(found);
        else
            assert_string_equal(found ? found : "accepted", where);
        buf_fini(&changed);
    }
}

static void nonce_is_12_bytes(void **state)
{
    allows_one_length_only(buf_slice(&((struct samples *)*state)->outer), "1.0.2.1.1.0", 12,
                           "contentEncryptionAlgorithm.nonce");
}

static void tag_is_16_bytes(void **state)
{
    allows_one_length_only(buf_slice(&((struct samples *)*state)->outer), "1.0.3", 16, "mac");
}

static void wrapped_key_is_40_bytes(void **state)
{
    allows_one_length_only(buf_slice(&((struct samples *)*state)->alone), RECIPIENT ".3.0.1", 40,
                           "recipient.encryptedKey");
}

static void nonce_of_a_megabyte_is_refused(void **state)
{
    struct samples *s = *state;
    uint8_t *nonce = calloc(1, 1 << 20);
    struct buf changed;
    assert_non_null(nonce);
    der_edit(buf_slice(&s->outer), "1.0.2.1.1.0", DER_CONTENTS, slice_of(nonce, 1 << 20), &changed);
    assert_string_equal(refused(buf_slice(&changed), true), "contentEncryptionAlgorithm.nonce");
    buf_fini(&changed);
    free(nonce);
}

static void ephemeral_key_is_an_uncompressed_point(void **state)
{
    static const struct {
        uint8_t unused, form;
        size_t len;
        bool is_taken;
    } POINTS[] = {{0, 4, 66, true},  {1, 4, 66, false}, {0, 2, 66, false}, {0, 6, 66, false},
                  {0, 4, 65, false}, {0, 4, 67, false}, {0, 4, 98, false}};
    struct samples *s = *state;
    for (size_t i = 0; i < sizeof POINTS / sizeof POINTS[0]; i++) {
        uint8_t point[98] = {POINTS[i].unused, POINTS[i].form, 1};
        struct buf changed;
        der_edit(buf_slice(&s->alone), RECIPIENT ".1.0.1", DER_CONTENTS,
                 slice_of(point, POINTS[i].len), &changed);
        const char *where = refused(buf_slice(&changed), true);
        if (POINTS[i].is_taken)
            assert_null(where);
        else
            assert_string_equal(where ? where : "accepted", "recipient.originator.publicKey");
        buf_fini(&changed);
    }
}

/* `len` bytes of contents at the path. */
static const char *refused_at_length(struct slice der, bool is_outer, const char *path, size_t len)
{
    struct buf changed;
    uint8_t *contents = calloc(1, len);
    assert_non_null(contents);
    contents[0] = TLV_OCTET_STRING; /* one element, where the contents must be elements */
    contents[1] = 0x82;
    contents[2] = (uint8_t)((len - 4) >> 8);
    contents[3] = (uint8_t)(len - 4);
    der_edit(der, path, DER_CONTENTS, slice_of(contents, len), &changed);
    const char *where = refused(buf_slice(&changed), is_outer);
    buf_fini(&changed);
    free(contents);
    return where;
}

static void lengths_are_bounded(void **state)
{
    struct samples *s = *state;
    struct slice outer = buf_slice(&s->outer), inner = buf_slice(&s->inner);
    const size_t certificate = LIMIT_CERTIFICATE_BYTES - 4, message = LIMIT_MESSAGE_BYTES_MAX;
    assert_null(refused_at_length(inner, false, "1.0.3.0", certificate));
    assert_string_equal(refused_at_length(inner, false, "1.0.3.0", certificate + 1), "certificate");
    assert_null(refused_at_length(outer, true, "1.0.2.2", message - 2048));
    assert_string_equal(refused_at_length(outer, true, "1.0.2.2", message), "contentInfo.length");
    assert_null(refused_at_length(inner, false, "1.0.2.1.0", message - 2048));
    assert_string_equal(refused_at_length(inner, false, "1.0.2.1.0", message),
                        "contentInfo.length");
}

/* ---- the set of recipients ---- */

static void recipients_out_of_order_are_refused(void **state)
{
    struct samples *s = *state;
    struct slice der = buf_slice(&s->outer);
    struct buf swapped, both;
    buf_init(&both, 1 << 20);
    assert_int_equal(buf_append_slice(&both, der_at(der, "1.0.1.1")), ERROR_NONE);
    assert_int_equal(buf_append_slice(&both, der_at(der, "1.0.1.0")), ERROR_NONE);
    assert_int_equal(buf_append_slice(&both, der_at(der, "1.0.1.2")), ERROR_NONE);
    der_edit(der, "1.0.1", DER_CONTENTS, buf_slice(&both), &swapped);
    assert_string_equal(refused(buf_slice(&swapped), true), "recipientInfos.order");
    buf_fini(&both);
    buf_fini(&swapped);
}

static void one_key_twice_is_refused(void **state)
{
    struct samples *s = *state;
    const struct cms_options profile = {0};
    const struct party *twice[] = {&s->sender, &s->sender};
    struct buf outer;
    fixture_encrypt(&outer, slice_text("x"), twice, 2, &profile);
    assert_string_equal(refused(buf_slice(&outer), true), "recipientInfos.repeated");
    buf_fini(&outer);
}

/* Recipients with rising ephemeral keys and key identifiers, made from the sample's. */
static void set_of_recipients(struct slice der, unsigned n, struct buf *out)
{
    struct buf set;
    struct slice one = der_at(der, RECIPIENT);
    buf_init(&set, 1 << 20);
    for (unsigned i = 0; i < n; i++) {
        uint8_t point[66] = {0, 4, (uint8_t)(i >> 8), (uint8_t)i};
        uint8_t key_id[20] = {(uint8_t)(i >> 8), (uint8_t)i};
        struct buf with_point, with_both;
        der_edit(one, "1.0.1", DER_CONTENTS, slice_of(point, sizeof point), &with_point);
        der_edit(buf_slice(&with_point), "3.0.0.0", DER_CONTENTS, slice_of(key_id, sizeof key_id),
                 &with_both);
        assert_int_equal(buf_append_slice(&set, buf_slice(&with_both)), ERROR_NONE);
        buf_fini(&with_point);
        buf_fini(&with_both);
    }
    der_edit(der, "1.0.1", DER_CONTENTS, buf_slice(&set), out);
    buf_fini(&set);
}

static void recipients_are_bounded(void **state)
{
    struct samples *s = *state;
    struct buf most, more;
    set_of_recipients(buf_slice(&s->alone), PROFILE_RECIPIENTS_MAX, &most);
    assert_null(refused(buf_slice(&most), true));
    set_of_recipients(buf_slice(&s->alone), PROFILE_RECIPIENTS_MAX + 1, &more);
    assert_string_equal(refused(buf_slice(&more), true), "recipientInfos.number");
    buf_fini(&most);
    buf_fini(&more);
}

/* ---- nesting ---- */

/* `depth` sequences, one in the other. */
static void nested(unsigned depth, struct buf *out)
{
    buf_init(out, 1 << 24);
    for (unsigned i = 0; i < depth; i++) {
        struct buf outer;
        buf_init(&outer, 1 << 24);
        der_element(&outer, 0x30, buf_slice(out));
        buf_fini(out);
        *out = outer;
    }
}

static void deep_nesting_is_refused(void **state)
{
    struct samples *s = *state;
    static const struct {
        unsigned depth;
        const char *where;
    } DEPTHS[] = {{12, NULL}, {13, "certificate"}, {2000, "certificate"}};
    for (size_t i = 0; i < 3; i++) {
        struct buf nest, changed;
        nested(DEPTHS[i].depth, &nest);
        der_edit(buf_slice(&s->inner), "1.0.3.0", DER_REPLACE, buf_slice(&nest), &changed);
        const char *where = refused(buf_slice(&changed), false);
        if (DEPTHS[i].where)
            assert_string_equal(where ? where : "accepted", DEPTHS[i].where);
        else
            assert_null(where);
        buf_fini(&nest);
        buf_fini(&changed);
    }
}

static void endless_nesting_is_refused(void **state)
{
    size_t len = 4 << 20;
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = i % 2 ? 0x80 : 0x30;
    assert_non_null(refused(slice_of(bytes, len), true));
    assert_non_null(refused(slice_of(bytes, len), false));
    for (size_t i = 0; i + 6 <= len; i += 6) {
        static const uint8_t HEAD[] = {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff};
        memcpy(bytes + i, HEAD, sizeof HEAD);
    }
    assert_non_null(refused(slice_of(bytes, len), true));
    assert_false(tlv_is_well_formed(slice_of(bytes, len), TLV_DEPTH_MAX));
    free(bytes);
}

/* ---- tlv ---- */

static void lengths_are_minimal(void **state)
{
    static const struct {
        const char *hex;
        bool is_taken;
    } CASES[] = {
        {"0400", true},        {"0401aa", true},        {"048101aa", false},
        {"0480aa0000", false}, {"04820001aa", false},   {"04", false},
        {"", false},           {"0402aa", false},       {"048500000001aa", false},
        {"04ff", false},       {"0484ffffffff", false}, {"0481", false},
        {"1f0400", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint8_t bytes[16];
        struct slice s = from_hex(CASES[i].hex, bytes), before = s, body;
        assert_int_equal(tlv_take(&s, TLV_OCTET_STRING, &body), CASES[i].is_taken);
        if (!CASES[i].is_taken)
            assert_true(s.data == before.data && s.len == before.len);
    }
}

static void well_formed_is_one_element(void **state)
{
    assert_true(tlv_is_well_formed(slice_of("\x05\x00", 2), 1));
    assert_true(tlv_is_well_formed(slice_of("\x30\x02\x05\x00", 4), 1));
    assert_true(tlv_is_well_formed(slice_of("\x30\x00", 2), 1));
    assert_false(tlv_is_well_formed(slice_of("\x30\x02\x30\x00", 4), 1));
    assert_false(tlv_is_well_formed(slice_of("\x05\x00\x05\x00", 4), 1));
    assert_false(tlv_is_well_formed(slice_of("\x30\x01\x05\x00", 4), 1));
    assert_false(tlv_is_well_formed(SLICE_NONE, 1));
}

static void larger_of_a_set_comes_later(void **state)
{
    assert_true(tlv_is_ascending(slice_of("\x02\x01\x01", 3), slice_of("\x02\x01\x02", 3)));
    assert_true(tlv_is_ascending(slice_of("\x02\x01\xff", 3), slice_of("\x02\x02\x01\x00", 4)));
    assert_false(tlv_is_ascending(slice_of("\x02\x01\x02", 3), slice_of("\x02\x01\x01", 3)));
    assert_false(tlv_is_ascending(slice_of("\x02\x01\x02", 3), slice_of("\x02\x01\x02", 3)));
}

/* ---- buckets ---- */

static void buckets_are_as_documented(void **state)
{
    static const size_t BUCKETS[][2] = {
        {0, 1024},
        {1, 1024},
        {1024, 1024},
        {1025, 1536},
        {1536, 1536},
        {1537, 2048},
        {2049, 3072},
        {3073, 4096},
        {49153, 65536},
        {65536, 65536},
        {65537, 73728},
        {73729, 81920},
        {131073, 147456},
        {1 << 20, 1 << 20},
        {(1 << 20) + 1, 9 << 17},
        {7 << 20, 7 << 20},
        {(7 << 20) + 1, 15 << 19},
        {32 << 20, 32 << 20},
    };
    for (size_t i = 0; i < sizeof BUCKETS / sizeof BUCKETS[0]; i++)
        assert_int_equal(padding_bucket(BUCKETS[i][0]), BUCKETS[i][1]);
    assert_false(padding_is_bucket(0));
    assert_false(padding_is_bucket(1025));
    assert_true(padding_is_bucket(9 << 17));
    assert_false(padding_is_bucket((32 << 20) + 1));
}

/* For every length there is a padding that ends on a bucket, and never more than the next one
 * but one. */
static void padding_fills_a_bucket(void **state)
{
    for (size_t len = 0; len < 300000; len++) {
        size_t padding = 0, total;
        assert_int_equal(padding_needed(len, &padding), ERROR_NONE);
        total = len + (padding ? 1 + padding : 0);
        for (size_t rest = padding; rest > 0; rest >>= 7)
            total++;
        assert_true(padding_is_bucket(total));
        assert_true(total <= padding_bucket(padding_bucket(len) + 1));
    }
    size_t padding = 77;
    assert_int_equal(padding_needed(32 << 20, &padding), ERROR_NONE);
    assert_int_equal(padding, 0);
    padding = 77;
    assert_int_equal(padding_needed((32 << 20) - 1, &padding), ERROR_MESSAGE_TOO_LARGE);
    assert_int_equal(padding, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_own_letters),
        cmocka_unit_test(accepts_openssl_with_the_profiles_options),
        cmocka_unit_test(T15_refuses_outer_cut_at_every_byte),
        cmocka_unit_test(T15_refuses_inner_cut_at_every_byte),
        cmocka_unit_test(refuses_other_encodings_outside),
        cmocka_unit_test(refuses_other_encodings_inside),
        cmocka_unit_test(refuses_each_change_outside),
        cmocka_unit_test(refuses_each_change_inside),
        cmocka_unit_test(nonce_is_12_bytes),
        cmocka_unit_test(tag_is_16_bytes),
        cmocka_unit_test(wrapped_key_is_40_bytes),
        cmocka_unit_test(nonce_of_a_megabyte_is_refused),
        cmocka_unit_test(ephemeral_key_is_an_uncompressed_point),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(recipients_out_of_order_are_refused),
        cmocka_unit_test(one_key_twice_is_refused),
        cmocka_unit_test(recipients_are_bounded),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(endless_nesting_is_refused),
        cmocka_unit_test(lengths_are_minimal),
        cmocka_unit_test(well_formed_is_one_element),
        cmocka_unit_test(larger_of_a_set_comes_later),
        cmocka_unit_test(buckets_are_as_documented),
        cmocka_unit_test(padding_fills_a_bucket),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
