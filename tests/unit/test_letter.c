/*
 * tests/unit/test_letter.c: letters are sealed and opened, and whatever anybody does to one on the
 * way is refused with its code and releases nothing. Every test leaves OpenSSL's error queue empty.
 */
#include "client/letter.h"
#include "client/padding.h"
#include "client/profile.h"
#include "proto/frame.h"
#include "tests/lib/der_edit.h"
#include "tests/lib/letter_fixture.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT "Geachte collega, wilt u meekijken?"
#define PARTIES 6
enum { SENDER, READER, OTHER, STRANGER, P384, K256 };

/* A letter of SENDER to READER and OTHER; the rest is not meant. */
static const char *const CURVES[PARTIES] = {"P-256", "P-256", "P-256",
                                            "P-256", "P-384", "secp256k1"};

struct world {
    struct party party[PARTIES];
    const struct party *readers[2];
    struct buf header, sealed;
    struct digest digest;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return 1;
    for (unsigned i = 0; i < PARTIES; i++)
        party_init(&w->party[i], i, CURVES[i]);
    w->readers[0] = &w->party[READER];
    w->readers[1] = &w->party[OTHER];
    fixture_header(&w->header, &w->party[SENDER], w->readers, 2, 1);
    w->digest =
        fixture_seal(&w->sealed, &w->party[SENDER], w->readers, 2, buf_slice(&w->header), TEXT);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < PARTIES; i++)
        party_fini(&w->party[i]);
    buf_fini(&w->header);
    buf_fini(&w->sealed);
    free(w);
    return 0;
}

static int queue_is_empty(void **state) { return ERR_peek_error() == 0 ? 0 : 1; }

/* Opens as a party that believes `signer`; checks what must hold on either way out. */
static enum error open_as(const struct party *me, struct slice header, struct slice sealed,
                          const struct party *signer, struct letter **out)
{
    struct letter *const untouched = (struct letter *)(uintptr_t)8;
    struct letter *l = untouched;
    enum error e = letter_open(&me->keys, header, sealed, fixture_is_signer,
                               signer->keys.identity_certificate, &l);
    assert_int_equal(ERR_peek_error(), 0);
    if (e == ERROR_NONE) {
        assert_ptr_not_equal(l, untouched);
        *out = l;
    } else {
        assert_ptr_equal(l, untouched);
    }
    return e;
}

static enum error open_code(const struct world *w, unsigned me, struct slice header,
                            struct slice sealed)
{
    struct letter *l = NULL;
    enum error e = open_as(&w->party[me], header, sealed, &w->party[SENDER], &l);
    if (e == ERROR_NONE)
        letter_free(l);
    return e;
}

static void assert_opens(const struct party *me, const struct party *from, struct slice header,
                         struct slice sealed, const char *text, const struct digest *digest)
{
    struct letter *l = NULL;
    assert_int_equal(open_as(me, header, sealed, from, &l), ERROR_NONE);
    assert_string_equal(l->content->letter->text, text);
    assert_int_equal(l->content->nonce.len, 32);
    assert_int_equal(l->content->nonce.data[0], 42);
    assert_true(digest_equal(&l->digest, digest));
    letter_free(l);
}

static bool is_letter_code(enum error e)
{
    return e >= ERROR_LETTER_PROFILE && e <= ERROR_LETTER_CONTENT;
}

/* ---- what opens ---- */

static void readers_and_sender_open(void **state)
{
    struct world *w = *state;
    for (unsigned i = SENDER; i <= OTHER; i++)
        assert_opens(&w->party[i], &w->party[SENDER], buf_slice(&w->header), buf_slice(&w->sealed),
                     TEXT, &w->digest);
}

static void letter_digest_is_as_documented(void **state)
{
    struct world *w = *state;
    struct buf signed_data;
    struct profile_inner inner;
    const char *where;
    fixture_decrypt(&signed_data, &w->party[READER], buf_slice(&w->sealed));
    assert_int_equal(profile_check_inner(buf_slice(&signed_data), &inner, &where), ERROR_NONE);
    struct digest content = digest_of_slice(inner.content);
    struct digest all =
        digest_of((struct slice[]){buf_slice(&w->header), digest_slice(&content)}, 2);
    assert_true(digest_equal(&all, &w->digest));
    buf_fini(&signed_data);
}

static void signed_data_is_kept_for_history(void **state)
{
    struct world *w = *state;
    struct buf signed_data;
    struct letter *l;
    fixture_decrypt(&signed_data, &w->party[READER], buf_slice(&w->sealed));
    assert_int_equal(open_as(&w->party[READER], buf_slice(&w->header), buf_slice(&w->sealed),
                             &w->party[SENDER], &l),
                     ERROR_NONE);
    assert_true(slice_equal(buf_slice(&signed_data), buf_slice(&l->signed_data)));
    letter_free(l);
    letter_free(NULL);
    buf_fini(&signed_data);
}

static void letter_to_nobody_else_opens_for_its_sender(void **state)
{
    struct world *w = *state;
    struct buf sealed;
    struct digest d =
        fixture_seal(&sealed, &w->party[SENDER], NULL, 0, buf_slice(&w->header), TEXT);
    assert_opens(&w->party[SENDER], &w->party[SENDER], buf_slice(&w->header), buf_slice(&sealed),
                 TEXT, &d);
    assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed)),
                     ERROR_LETTER_NOT_FOR_ME);
    buf_fini(&sealed);
}

static void recovery_entry_opens(void **state)
{
    struct world *w = *state;
    const struct party *with[] = {&w->party[READER], &w->party[STRANGER]};
    struct buf header, sealed;
    fixture_header_with_copy(&header, &w->party[SENDER], with, 1, &w->party[STRANGER], 1);
    struct digest d = fixture_seal(&sealed, &w->party[SENDER], with, 2, buf_slice(&header), TEXT);
    assert_opens(&w->party[STRANGER], &w->party[SENDER], buf_slice(&header), buf_slice(&sealed),
                 TEXT, &d);
    buf_fini(&sealed);
    buf_fini(&header);
}

/* A header over its limit is not read, although the letter was sealed for it. */
static void header_over_its_limit_is_refused(void **state)
{
    struct world *w = *state;
    struct buf sealed;
    while (w->header.len <= LIMIT_HEADER_BYTES) /* an unknown field, number 100 */
        assert_int_equal(buf_append(&w->header, "\xa0\x06\x01", 3), ERROR_NONE);
    fixture_seal(&sealed, &w->party[SENDER], w->readers, 1, buf_slice(&w->header), TEXT);
    assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed)),
                     ERROR_LETTER_HEADER);
    buf_fini(&sealed);
}

static void errors_queued_before_are_gone(void **state)
{
    struct world *w = *state;
    struct buf sealed;
    ERR_raise(ERR_LIB_USER, 1);
    fixture_seal(&sealed, &w->party[SENDER], w->readers, 2, buf_slice(&w->header), TEXT);
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
    sealed.data[sealed.len - 1] ^= 1;
    assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed)),
                     ERROR_LETTER_DECRYPT);
    buf_fini(&sealed);
}

static void own_certificate_among_the_recipients_counts_once(void **state)
{
    struct world *w = *state;
    const struct party *both[] = {&w->party[SENDER], &w->party[READER]};
    struct profile_outer outer;
    const char *where;
    struct buf sealed;
    fixture_seal(&sealed, &w->party[SENDER], both, 2, buf_slice(&w->header), TEXT);
    assert_int_equal(profile_check_outer(buf_slice(&sealed), &outer, &where), ERROR_NONE);
    assert_int_equal(outer.n, 2);
    buf_fini(&sealed);
}

#define MANY (PROFILE_RECIPIENTS_MAX - 1)

static void opens_for_1_to_144_recipients(void **state)
{
    static const size_t NUMBERS[] = {1, 2, 3, 7, 50, 127, 128, MANY};
    struct world *w = *state;
    struct party *many = calloc(MANY, sizeof *many);
    const struct party **readers = calloc(MANY, sizeof *readers);
    assert_true(many && readers);
    for (unsigned i = 0; i < MANY; i++) {
        party_init(&many[i], 100 + i, "P-256");
        readers[i] = &many[i];
    }
    for (size_t k = 0; k < sizeof NUMBERS / sizeof NUMBERS[0]; k++) {
        struct buf header, sealed;
        size_t n = NUMBERS[k];
        fixture_header(&header, &w->party[SENDER], readers, n, 1);
        struct digest d =
            fixture_seal(&sealed, &w->party[SENDER], readers, n, buf_slice(&header), TEXT);
        for (size_t i = 0; i < n; i++)
            assert_opens(readers[i], &w->party[SENDER], buf_slice(&header), buf_slice(&sealed),
                         TEXT, &d);
        assert_opens(&w->party[SENDER], &w->party[SENDER], buf_slice(&header), buf_slice(&sealed),
                     TEXT, &d);
        buf_fini(&header);
        buf_fini(&sealed);
    }
    for (unsigned i = 0; i < MANY; i++)
        party_fini(&many[i]);
    free(readers);
    free(many);
}

/* An attachment of `len` bytes. */
static enum error seal_bytes(struct world *w, size_t len, struct buf *sealed)
{
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    Brug__V1__Attachment attachment = BRUG__V1__ATTACHMENT__INIT;
    Brug__V1__Attachment *attachments[] = {&attachment};
    struct digest digest;
    char name[] = "verslag.pdf";
    uint8_t *data = malloc(len ? len : 1);
    assert_non_null(data);
    memset(data, 0xa5, len ? len : 1);
    fixture_content(&content, &letter, "");
    attachment.name = name;
    attachment.data = (ProtobufCBinaryData){len, data};
    letter.attachments = attachments;
    letter.n_attachments = 1;
    buf_init(sealed, LIMIT_MESSAGE_BYTES_MAX);
    enum error e = letter_seal(&w->party[SENDER].keys, buf_slice(&w->header), &content,
                               &w->party[READER].keys.sealing_certificate, 1,
                               (const uint8_t[32]){1}, sealed, &digest);
    free(data);
    return e;
}

static void opens_at_every_size(void **state)
{
    static const size_t SIZES[] = {0,       1,       500,     1000,    1023,    1024,
                                   1025,    4096,    65535,   65536,   100000,  1 << 20,
                                   3000000, 5 << 20, 7 << 20, 8 << 20, 20 << 20};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        struct buf sealed;
        struct letter *l;
        assert_int_equal(seal_bytes(w, SIZES[i], &sealed), ERROR_NONE);
        assert_int_equal(open_as(&w->party[READER], buf_slice(&w->header), buf_slice(&sealed),
                                 &w->party[SENDER], &l),
                         ERROR_NONE);
        ProtobufCBinaryData data = l->content->letter->attachments[0]->data;
        assert_int_equal(data.len, SIZES[i]);
        assert_true(data.len == 0 || (data.data[0] == 0xa5 && data.data[data.len - 1] == 0xa5));
        letter_free(l);
        buf_fini(&sealed);
    }
}

/* Letters of one bucket differ in length by their signatures' encodings only. */
static void lengths_say_the_bucket_only(void **state)
{
    struct world *w = *state;
    size_t least = SIZE_MAX, most = 0;
    for (size_t len = 0; len < 700; len += 35) {
        struct buf sealed;
        assert_int_equal(seal_bytes(w, len, &sealed), ERROR_NONE);
        least = sealed.len < least ? sealed.len : least;
        most = sealed.len > most ? sealed.len : most;
        buf_fini(&sealed);
    }
    assert_true(most - least <= 8);
}

/* ---- T15: cut, or changed in any byte ---- */

static void T15_cut_at_every_byte_is_refused(void **state)
{
    struct world *w = *state;
    struct slice sealed = buf_slice(&w->sealed);
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), slice_of(sealed.data, len)),
                         ERROR_LETTER_PROFILE);
}

static void T15_longer_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(buf_append_u8(&w->sealed, 0), ERROR_NONE);
    assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&w->sealed)),
                     ERROR_LETTER_PROFILE);
}

static void T15_every_byte_changed_is_refused(void **state)
{
    static const uint8_t MASKS[] = {0x01, 0x80, 0xff};
    struct world *w = *state;
    struct buf sealed;
    fixture_seal(&sealed, &w->party[SENDER], NULL, 0, buf_slice(&w->header), TEXT);
    for (size_t i = 0; i < sealed.len; i++)
        for (size_t k = 0; k < sizeof MASKS; k++) {
            sealed.data[i] ^= MASKS[k];
            enum error e = open_code(w, SENDER, buf_slice(&w->header), buf_slice(&sealed));
            if (!is_letter_code(e))
                fail_msg("byte %zu ^ %02x: %s", i, MASKS[k], error_name(e));
            sealed.data[i] ^= MASKS[k];
        }
    assert_int_equal(open_code(w, SENDER, buf_slice(&w->header), buf_slice(&sealed)), ERROR_NONE);
    buf_fini(&sealed);
}

/* CMS does not authenticate who the recipients are. Changing another one's part may shut that one
 * out; it never changes what this one reads. */
static void anothers_part_changed_changes_nothing_here(void **state)
{
    struct world *w = *state;
    struct slice set = der_at(buf_slice(&w->sealed), "1.0.1");
    size_t opened = 0;
    for (size_t i = (size_t)(set.data - w->sealed.data), end = i + set.len; i < end; i++) {
        struct letter *l;
        w->sealed.data[i] ^= 0x10;
        enum error e = open_as(&w->party[READER], buf_slice(&w->header), buf_slice(&w->sealed),
                               &w->party[SENDER], &l);
        if (e == ERROR_NONE) {
            assert_string_equal(l->content->letter->text, TEXT);
            assert_true(digest_equal(&l->digest, &w->digest));
            letter_free(l);
            opened++;
        } else {
            assert_true(is_letter_code(e));
        }
        w->sealed.data[i] ^= 0x10;
    }
    assert_true(opened > 0 && opened < set.len);
}

static void every_byte_of_the_header_changed_is_refused(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < w->header.len; i++) {
        w->header.data[i] ^= 0x01;
        enum error e = open_code(w, READER, buf_slice(&w->header), buf_slice(&w->sealed));
        assert_true(e == ERROR_LETTER_HEADER || e == ERROR_LETTER_NOT_FOR_ME);
        w->header.data[i] ^= 0x01;
    }
}

/* ---- T29: forwarded, re-signed, moved ---- */

static void T29_moved_to_another_case_is_refused(void **state)
{
    struct world *w = *state;
    struct buf other;
    fixture_header(&other, &w->party[SENDER], w->readers, 2, 2);
    assert_int_equal(open_code(w, READER, buf_slice(&other), buf_slice(&w->sealed)),
                     ERROR_LETTER_HEADER);
    buf_fini(&other);
}

/* READER passes the signed part on to STRANGER, under the old header and under one that names
 * STRANGER. */
static void T29_forwarded_to_another_reader_is_refused(void **state)
{
    struct world *w = *state;
    const struct party *stranger[] = {&w->party[STRANGER]};
    struct buf signed_data, sealed, header;
    fixture_decrypt(&signed_data, &w->party[READER], buf_slice(&w->sealed));
    fixture_encrypt(&sealed, buf_slice(&signed_data), stranger, 1, &(struct cms_options){0});
    fixture_header(&header, &w->party[SENDER], stranger, 1, 1);
    assert_int_equal(open_code(w, STRANGER, buf_slice(&w->header), buf_slice(&sealed)),
                     ERROR_LETTER_NOT_FOR_ME);
    assert_int_equal(open_code(w, STRANGER, buf_slice(&header), buf_slice(&sealed)),
                     ERROR_LETTER_HEADER);
    buf_fini(&header);
    buf_fini(&sealed);
    buf_fini(&signed_data);
}

/* The signed part of the world's letter, and the Content in it. */
static struct slice open_content(const struct world *w, struct buf *signed_data)
{
    struct profile_inner inner;
    const char *where;
    fixture_decrypt(signed_data, &w->party[READER], buf_slice(&w->sealed));
    assert_int_equal(profile_check_inner(buf_slice(signed_data), &inner, &where), ERROR_NONE);
    return inner.content;
}

/* Signs `content` as `by` with the options, seals it to READER, and says what READER finds. */
static enum error code_of(struct world *w, unsigned by, struct slice content,
                          const struct cms_options *options)
{
    struct buf signed_data, sealed;
    fixture_sign(&signed_data, &w->party[by], content, options);
    fixture_encrypt(&sealed, buf_slice(&signed_data), w->readers, 1, options);
    enum error e = open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed));
    buf_fini(&sealed);
    buf_fini(&signed_data);
    return e;
}

static void T29_signed_again_by_another_is_refused(void **state)
{
    struct world *w = *state;
    struct buf signed_data;
    struct slice content = open_content(w, &signed_data);
    assert_int_equal(code_of(w, SENDER, content, &(struct cms_options){0}), ERROR_NONE);
    assert_int_equal(code_of(w, OTHER, content, &(struct cms_options){0}), ERROR_LETTER_SIGNER);
    buf_fini(&signed_data);
}

/* The author's certificate beside somebody else's signature, and somebody else's beside the
 * author's. */
static void T29_signature_by_another_key_is_refused(void **state)
{
    struct world *w = *state;
    struct buf signed_data, forged_data, mixed, sealed;
    struct slice content = open_content(w, &signed_data);
    fixture_sign(&forged_data, &w->party[OTHER], content, &(struct cms_options){0});
    static const char *const PARTS[] = {"1.0.4.0.5", "1.0.3.0", "1.0.4", "1.0.4.0.1"};
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        der_edit(buf_slice(&signed_data), PARTS[i], DER_REPLACE,
                 der_at(buf_slice(&forged_data), PARTS[i]), &mixed);
        fixture_encrypt(&sealed, buf_slice(&mixed), w->readers, 1, &(struct cms_options){0});
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed)),
                         ERROR_LETTER_SIGNATURE);
        buf_fini(&sealed);
        buf_fini(&mixed);
    }
    buf_fini(&forged_data);
    buf_fini(&signed_data);
}

static void every_byte_of_the_signed_part_changed_is_refused(void **state)
{
    struct world *w = *state;
    struct buf signed_data, sealed;
    fixture_decrypt(&signed_data, &w->party[READER], buf_slice(&w->sealed));
    for (size_t i = 0; i < signed_data.len; i++) {
        signed_data.data[i] ^= 0x04;
        fixture_encrypt(&sealed, buf_slice(&signed_data), w->readers, 1, &(struct cms_options){0});
        enum error e = open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed));
        if (!is_letter_code(e))
            fail_msg("byte %zu: %s", i, error_name(e));
        signed_data.data[i] ^= 0x04;
        buf_fini(&sealed);
    }
    buf_fini(&signed_data);
}

/* ---- the recipients ---- */

static void removed_reader_cannot_open_and_others_can(void **state)
{
    struct world *w = *state;
    struct slice mine = slice_of(
        ASN1_STRING_get0_data(X509_get0_subject_key_id(w->party[READER].keys.sealing_certificate)),
        20);
    for (unsigned i = 0; i < 3; i++) {
        char path[] = "1.0.1.0.3.0.0.0", recipient[] = "1.0.1.0";
        struct buf fewer;
        struct slice id;
        path[6] = recipient[6] = (char)('0' + i);
        id = der_at(buf_slice(&w->sealed), path);
        if (!slice_equal(slice_of(id.data + 2, 20), mine))
            continue;
        der_edit(buf_slice(&w->sealed), recipient, DER_REPLACE, SLICE_NONE, &fewer);
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&fewer)),
                         ERROR_LETTER_NOT_FOR_ME);
        assert_opens(&w->party[OTHER], &w->party[SENDER], buf_slice(&w->header), buf_slice(&fewer),
                     TEXT, &w->digest);
        buf_fini(&fewer);
        return;
    }
    fail_msg("READER is no recipient");
}

static void stranger_cannot_open(void **state)
{
    struct world *w = *state;
    const struct party *with[] = {&w->party[READER], &w->party[OTHER], &w->party[STRANGER]};
    struct buf header;
    fixture_header(&header, &w->party[SENDER], with, 3, 1);
    assert_int_equal(open_code(w, STRANGER, buf_slice(&w->header), buf_slice(&w->sealed)),
                     ERROR_LETTER_NOT_FOR_ME); /* not in the header */
    assert_int_equal(open_code(w, STRANGER, buf_slice(&header), buf_slice(&w->sealed)),
                     ERROR_LETTER_NOT_FOR_ME); /* not among the recipients */
    buf_fini(&header);
}

static void wrong_key_with_the_right_identifier_is_refused(void **state)
{
    struct world *w = *state;
    struct party me = w->party[READER];
    me.keys.sealing_key = w->party[OTHER].keys.sealing_key;
    struct letter *l;
    assert_int_equal(
        open_as(&me, buf_slice(&w->header), buf_slice(&w->sealed), &w->party[SENDER], &l),
        ERROR_LETTER_DECRYPT);
}

/* An ephemeral key that is no point of the curve. */
static void point_off_the_curve_is_refused(void **state)
{
    struct world *w = *state;
    struct buf sealed, changed;
    uint8_t point[66] = {0, 4, 1};
    fixture_seal(&sealed, &w->party[SENDER], NULL, 0, buf_slice(&w->header), TEXT);
    der_edit(buf_slice(&sealed), "1.0.1.0.1.0.1", DER_CONTENTS, slice_of(point, sizeof point),
             &changed);
    assert_int_equal(open_code(w, SENDER, buf_slice(&w->header), buf_slice(&changed)),
                     ERROR_LETTER_DECRYPT);
    buf_fini(&changed);
    buf_fini(&sealed);
}

/* ---- short tags, long nonces, other algorithms ---- */

static bool openssl_alone_opens(const struct party *me, struct slice sealed)
{
    const uint8_t *at = sealed.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)sealed.len);
    BIO *out = BIO_new(BIO_s_null());
    bool opens = cms && CMS_decrypt(cms, me->keys.sealing_key, me->keys.sealing_certificate, NULL,
                                    out, CMS_BINARY) == 1;
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return opens;
}

/* OpenSSL 3.0 takes a tag of 4 bytes as it comes, whatever the parameters say: a guess in 2^32. */
static void tags_of_0_to_15_bytes_are_refused(void **state)
{
    struct world *w = *state;
    struct slice tag = der_at(buf_slice(&w->sealed), "1.0.3");
    bool any_opened = false;
    for (size_t len = 0; len < 16; len++) {
        struct buf shorter, matching;
        const uint8_t icv[] = {0x02, 0x01, (uint8_t)len};
        der_edit(buf_slice(&w->sealed), "1.0.3", DER_CONTENTS, slice_of(tag.data + 2, len),
                 &shorter);
        der_edit(buf_slice(&shorter), "1.0.2.1.1.1", DER_REPLACE, slice_of(icv, sizeof icv),
                 &matching);
        any_opened = any_opened || openssl_alone_opens(&w->party[READER], buf_slice(&shorter));
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&shorter)),
                         ERROR_LETTER_PROFILE);
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&matching)),
                         ERROR_LETTER_PROFILE);
        buf_fini(&shorter);
        buf_fini(&matching);
    }
    assert_true(any_opened); /* else this test guards nothing */
}

static void nonces_of_0_to_64_bytes_are_refused(void **state)
{
    static const uint8_t BYTES[64] = {0};
    struct world *w = *state;
    for (size_t len = 0; len <= sizeof BYTES; len++) {
        struct buf changed;
        der_edit(buf_slice(&w->sealed), "1.0.2.1.1.0", DER_CONTENTS, slice_of(BYTES, len),
                 &changed);
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&changed)),
                         len == 12 ? ERROR_LETTER_DECRYPT : ERROR_LETTER_PROFILE);
        buf_fini(&changed);
    }
}

/* EFAIL: the same ciphertext called CBC in an EnvelopedData, which has no tag to fail. */
static void relabelled_as_cbc_is_refused(void **state)
{
    static const uint8_t ENVELOPED[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x07, 0x03};
    static const uint8_t CBC[] = {0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                                  0x01, 0x2a, 0x04, 0x10, 1,    2,    3,    4,    5,    6,    7,
                                  8,    9,    10,   11,   12,   13,   14,   15,   16};
    struct world *w = *state;
    struct buf a, b, c, d;
    der_edit(buf_slice(&w->sealed), "1.0.2.1", DER_REPLACE, slice_of(CBC, sizeof CBC), &a);
    der_edit(buf_slice(&a), "1.0.3", DER_REPLACE, SLICE_NONE, &b);
    der_edit(buf_slice(&b), "1.0.0", DER_CONTENTS, slice_of("\x02", 1), &c);
    der_edit(buf_slice(&c), "0", DER_REPLACE, slice_of(ENVELOPED, sizeof ENVELOPED), &d);
    const struct buf *const all[] = {&a, &b, &c, &d};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(all[i])),
                         ERROR_LETTER_PROFILE);
    buf_fini(&a);
    buf_fini(&b);
    buf_fini(&c);
    buf_fini(&d);
}

/* Well made by OpenSSL, and outside the profile. */
static void other_options_are_refused(void **state)
{
    struct world *w = *state;
    const unsigned profile = CMS_NOSMIMECAP | CMS_USE_KEYID;
    const struct cms_options options[] = {
        {.sign_flags = CMS_NOSMIMECAP},         /* by issuer and serial */
        {.sign_flags = CMS_USE_KEYID},          /* S/MIME capabilities */
        {.sign_flags = profile | CMS_NOATTR},   /* no signed attributes */
        {.sign_flags = profile | CMS_DETACHED}, /* no content */
        {.sign_flags = profile | CMS_NOCERTS},  /* no certificate */
        {.sign_flags = profile | CMS_CADES},    /* a signing-certificate attribute */
        {.sign_digest = EVP_sha1()},
        {.sign_digest = EVP_sha384()},
        {.sign_digest = EVP_sha512()},
        {.second = &w->party[OTHER]},
        {.extra_certificate = w->party[OTHER].keys.identity_certificate},
        {.has_unsigned_attribute = true},
        {.cipher = EVP_aes_128_gcm()},
        {.cipher = EVP_aes_192_gcm()},
        {.cipher = EVP_aes_256_cbc()},
        {.cipher = EVP_des_ede3_cbc()},
        {.recipient_flags = CMS_BINARY}, /* by issuer and serial */
        {.kdf = EVP_sha1()},
        {.kdf = EVP_sha224()},
        {.kdf = EVP_sha512()},
    };
    struct buf signed_data;
    struct slice content = open_content(w, &signed_data);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        enum error e = code_of(w, SENDER, content, &options[i]);
        if (e != ERROR_LETTER_PROFILE)
            fail_msg("options %zu: %s", i, error_name(e));
    }
    assert_int_equal(code_of(w, P384, content, &(struct cms_options){0}), ERROR_LETTER_PROFILE);
    assert_int_equal(code_of(w, K256, content, &(struct cms_options){0}), ERROR_LETTER_PROFILE);
    buf_fini(&signed_data);
}

/* What is sealed must itself be a signed part: not bare text, not a further envelope. */
static void unsigned_content_is_refused(void **state)
{
    struct world *w = *state;
    struct buf sealed, twice;
    fixture_encrypt(&sealed, slice_text("platte tekst"), w->readers, 1, &(struct cms_options){0});
    assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&sealed)),
                     ERROR_LETTER_PROFILE);
    fixture_encrypt(&twice, buf_slice(&w->sealed), w->readers, 1, &(struct cms_options){0});
    assert_int_equal(open_code(w, READER, buf_slice(&w->header), buf_slice(&twice)),
                     ERROR_LETTER_PROFILE);
    buf_fini(&twice);
    buf_fini(&sealed);
}

/* ---- the content ---- */

static void content_outside_its_rules_is_refused(void **state)
{
    static const uint8_t GARBAGE[2048] = {0xff, 0xff, 0xff};
    struct world *w = *state;
    struct buf signed_data, changed;
    struct slice content = open_content(w, &signed_data);
    buf_init(&changed, 1 << 16);
    assert_int_equal(code_of(w, SENDER, slice_of(GARBAGE, 1024), &(struct cms_options){0}),
                     ERROR_LETTER_CONTENT);
    assert_int_equal(code_of(w, SENDER, slice_of("", 0), &(struct cms_options){0}),
                     ERROR_LETTER_CONTENT);
    /* an unknown field more: the length is of no bucket */
    assert_int_equal(buf_append_slice(&changed, content), ERROR_NONE);
    assert_int_equal(buf_append(&changed, "\x98\x06\x01", 3), ERROR_NONE);
    assert_int_equal(code_of(w, SENDER, buf_slice(&changed), &(struct cms_options){0}),
                     ERROR_LETTER_CONTENT);
    /* padding that is not zero */
    buf_clear(&changed);
    assert_int_equal(buf_append_slice(&changed, content), ERROR_NONE);
    changed.data[content.len - 1] = 1;
    assert_int_equal(code_of(w, SENDER, buf_slice(&changed), &(struct cms_options){0}),
                     ERROR_LETTER_CONTENT);
    buf_fini(&changed);
    buf_fini(&signed_data);
}

/* ---- what sealing refuses ---- */

static enum error seal_with(struct world *w, const struct party *from, X509 *const *recipients,
                            size_t n, const Brug__V1__Content *content, size_t len_max)
{
    struct buf sealed;
    struct digest digest;
    buf_init(&sealed, len_max);
    enum error e = letter_seal(&from->keys, buf_slice(&w->header), content, recipients, n,
                               (const uint8_t[32]){1}, &sealed, &digest);
    assert_int_equal(ERR_peek_error(), 0);
    if (e != ERROR_NONE)
        assert_int_equal(sealed.len, 0);
    buf_fini(&sealed);
    return e;
}

static void sealing_refuses_what_readers_would(void **state)
{
    struct world *w = *state;
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    struct party mixed = w->party[SENDER];
    X509 *recipients[PROFILE_RECIPIENTS_MAX];
    X509 *same_key[] = {w->party[READER].keys.sealing_certificate,
                        w->party[READER].keys.sealing_certificate};
    for (size_t i = 0; i < PROFILE_RECIPIENTS_MAX; i++)
        recipients[i] = w->party[READER].keys.sealing_certificate;
    const struct party *me = &w->party[SENDER];
    fixture_content(&content, &letter, "tekst");
    assert_int_equal(seal_with(w, me, recipients, 1, &content, 1 << 20), ERROR_NONE);
    assert_int_equal(seal_with(w, me, recipients, PROFILE_RECIPIENTS_MAX, &content, 1 << 20),
                     ERROR_TOO_MANY_READERS);
    assert_int_equal(seal_with(w, me, same_key, 2, &content, 1 << 20), ERROR_LETTER_PROFILE);
    assert_int_equal(seal_with(w, me, recipients, 1, &content, 1500), ERROR_MESSAGE_TOO_LARGE);
    recipients[0] = w->party[P384].keys.sealing_certificate;
    assert_int_equal(seal_with(w, me, recipients, 1, &content, 1 << 20), ERROR_TLS_WEAK);
    recipients[0] = w->party[K256].keys.sealing_certificate;
    assert_int_equal(seal_with(w, me, recipients, 1, &content, 1 << 20), ERROR_TLS_WEAK);
    assert_int_equal(seal_with(w, &w->party[P384], NULL, 0, &content, 1 << 20), ERROR_TLS_WEAK);
    mixed.keys.identity_key = w->party[READER].keys.identity_key;
    assert_int_equal(seal_with(w, &mixed, NULL, 0, &content, 1 << 20), ERROR_CRYPTO);
    content.letter = NULL;
    assert_int_equal(seal_with(w, me, NULL, 0, &content, 1 << 20), ERROR_LETTER_CONTENT);
    fixture_content(&content, &letter, "een \x01 teken");
    assert_int_equal(seal_with(w, me, NULL, 0, &content, 1 << 20), ERROR_LETTER_CONTENT);
}

static void too_long_is_refused(void **state)
{
    struct world *w = *state;
    struct buf sealed;
    assert_int_equal(seal_bytes(w, LIMIT_CONTENT_BYTES, &sealed), ERROR_MESSAGE_TOO_LARGE);
    assert_int_equal(sealed.len, 0);
    buf_fini(&sealed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, done)

static int done(void **state)
{
    int failed = queue_is_empty(state);
    return tear_down(state) + failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_and_sender_open),
        TEST(letter_digest_is_as_documented),
        TEST(signed_data_is_kept_for_history),
        TEST(letter_to_nobody_else_opens_for_its_sender),
        TEST(recovery_entry_opens),
        TEST(header_over_its_limit_is_refused),
        TEST(errors_queued_before_are_gone),
        TEST(own_certificate_among_the_recipients_counts_once),
        TEST(opens_for_1_to_144_recipients),
        TEST(opens_at_every_size),
        TEST(lengths_say_the_bucket_only),
        TEST(T15_cut_at_every_byte_is_refused),
        TEST(T15_longer_is_refused),
        TEST(T15_every_byte_changed_is_refused),
        TEST(anothers_part_changed_changes_nothing_here),
        TEST(every_byte_of_the_header_changed_is_refused),
        TEST(T29_moved_to_another_case_is_refused),
        TEST(T29_forwarded_to_another_reader_is_refused),
        TEST(T29_signed_again_by_another_is_refused),
        TEST(T29_signature_by_another_key_is_refused),
        TEST(every_byte_of_the_signed_part_changed_is_refused),
        TEST(removed_reader_cannot_open_and_others_can),
        TEST(stranger_cannot_open),
        TEST(wrong_key_with_the_right_identifier_is_refused),
        TEST(point_off_the_curve_is_refused),
        TEST(tags_of_0_to_15_bytes_are_refused),
        TEST(nonces_of_0_to_64_bytes_are_refused),
        TEST(relabelled_as_cbc_is_refused),
        TEST(other_options_are_refused),
        TEST(unsigned_content_is_refused),
        TEST(content_outside_its_rules_is_refused),
        TEST(sealing_refuses_what_readers_would),
        TEST(too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
