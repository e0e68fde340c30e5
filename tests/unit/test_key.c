/* tests/unit/test_key.c: pki/key and pki/digest. */
#include "base/digest.h"
#include "base/text.h"
#include "pki/key.h"
#include "tests/lib/directory.h"
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void digests_are_those_of_fips_180(void **state)
{
    char hex[2 * DIGEST_BYTES + 1];
    struct digest d = digest_of_slice(slice_text("abc"));
    assert_string_equal(text_hex(digest_slice(&d), hex),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const struct slice parts[] = {slice_text("a"), SLICE_NONE, slice_text("bc")};
    struct digest in_parts = digest_of(parts, 3);
    assert_true(digest_equal(&d, &in_parts));
    d = digest_of(NULL, 0);
    assert_string_equal(text_hex(digest_slice(&d), hex),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void *digest_many(void *out)
{
    struct digest d = digest_of(NULL, 0);
    for (int i = 0; i < 2000; i++)
        d = digest_of_slice(digest_slice(&d));
    memcpy(out, &d, sizeof d);
    return NULL;
}

static void digests_agree_between_threads(void **state)
{
    struct digest results[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, digest_many, &results[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 1; i < 4; i++)
        assert_true(digest_equal(&results[0], &results[i]));
}

static EVP_PKEY *a_key(void)
{
    EVP_PKEY *key = NULL;
    assert_int_equal(key_generate(&key), ERROR_NONE);
    return key;
}

static void signatures_hold_for_their_bytes_label_and_key_only(void **state)
{
    EVP_PKEY *key = a_key(), *other = a_key();
    struct slice bytes = slice_text("the bytes");
    struct buf signature;
    buf_init(&signature, 1024);
    assert_int_equal(key_sign(key, "label", bytes, &signature), ERROR_NONE);
    struct slice s = buf_slice(&signature);
    assert_int_equal(key_verify(key, "label", bytes, s), ERROR_NONE);
    assert_int_equal(key_verify(other, "label", bytes, s), ERROR_BAD_SIGNATURE);
    assert_int_equal(key_verify(key, "labe", bytes, s), ERROR_BAD_SIGNATURE);
    assert_int_equal(key_verify(key, "label", slice_text("the bytez"), s), ERROR_BAD_SIGNATURE);
    assert_int_equal(key_verify(key, "label", SLICE_NONE, s), ERROR_BAD_SIGNATURE);
    assert_int_equal(key_verify(key, "label", bytes, SLICE_NONE), ERROR_BAD_SIGNATURE);
    /* The NUL after the label keeps the two apart. */
    assert_int_equal(key_verify(key, "labelthe", slice_text(" bytes"), s), ERROR_BAD_SIGNATURE);
    for (size_t i = 0; i < s.len; i++) {
        signature.data[i] ^= 1;
        assert_int_equal(key_verify(key, "label", bytes, s), ERROR_BAD_SIGNATURE);
        signature.data[i] ^= 1;
        assert_int_equal(key_verify(key, "label", bytes, slice_of(s.data, i)), ERROR_BAD_SIGNATURE);
    }
    assert_int_equal(buf_append_u8(&signature, 0), ERROR_NONE);
    assert_int_equal(key_verify(key, "label", bytes, buf_slice(&signature)), ERROR_BAD_SIGNATURE);
    assert_int_equal(ERR_peek_error(), 0);
    buf_fini(&signature);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void public_keys_are_read_strictly(void **state)
{
    EVP_PKEY *key = a_key(), *back = NULL;
    struct buf der;
    buf_init(&der, 1024);
    assert_int_equal(key_public_der(key, &der), ERROR_NONE);
    assert_int_equal(key_from_public_der(&back, buf_slice(&der)), ERROR_NONE);
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    EVP_PKEY_free(back);
    back = NULL;

    struct slice whole = buf_slice(&der);
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(key_from_public_der(&back, slice_of(whole.data, len)), ERROR_TLS_WEAK);
    der.data[whole.len - 1] ^= 1; /* a point off the curve, but for one chance in 2^128 */
    assert_int_equal(key_from_public_der(&back, whole), ERROR_TLS_WEAK);
    der.data[whole.len - 1] ^= 1;
    assert_int_equal(buf_append_u8(&der, 0), ERROR_NONE);
    assert_int_equal(key_from_public_der(&back, buf_slice(&der)), ERROR_TLS_WEAK);
    assert_null(back);
    assert_int_equal(ERR_peek_error(), 0);
    buf_fini(&der);
    EVP_PKEY_free(key);
}

static void other_kinds_of_key_are_weak_or_not_ours(void **state)
{
    EVP_PKEY *p384 = EVP_EC_gen("P-384"), *k1 = EVP_EC_gen("secp256k1"),
             *p521 = EVP_EC_gen("P-521");
    EVP_PKEY *rsa2048 = EVP_RSA_gen(2048), *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    assert_true(key_is_strong(p384) && key_is_strong(ed25519));
    assert_false(key_is_strong(k1) || key_is_strong(p521) || key_is_strong(rsa2048) ||
                 key_is_strong(x25519));
    EVP_PKEY *all[] = {p384, k1, p521, rsa2048, ed25519, x25519};
    struct buf der;
    buf_init(&der, 4096);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        EVP_PKEY *back = NULL;
        assert_false(key_is_p256(all[i]));
        buf_clear(&der);
        assert_int_equal(key_public_der(all[i], &der), ERROR_NONE);
        assert_int_equal(key_from_public_der(&back, buf_slice(&der)), ERROR_TLS_WEAK);
        assert_int_equal(key_sign(all[i], "label", SLICE_NONE, &der), ERROR_TLS_WEAK);
        assert_int_equal(key_verify(all[i], "label", SLICE_NONE, buf_slice(&der)), ERROR_TLS_WEAK);
        EVP_PKEY_free(all[i]);
    }
    buf_fini(&der);
}

/* ---- files: key.c is what this floor has of them ---- */

static char *directory, path[512];

static int make_directory(void **state)
{
    directory = directory_new();
    directory_file(path, sizeof path, directory, "key.pem");
    return 0;
}

static int remove_directory(void **state)
{
    directory_free(directory);
    return 0;
}

/* A run that was cut off left part of a file: under another name, so that it is no key, and stops nobody. */
static void half_a_key_is_no_key(void **state)
{
    EVP_PKEY *key = a_key(), *back = NULL;
    char draft[sizeof path + 4];
    assert_true(snprintf(draft, sizeof draft, "%s.new", path) > 0);
    FILE *f = fopen(draft, "w");
    assert_non_null(f);
    assert_true(fputs("-----BEGIN PRIV", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(key_read_file(&back, path), ERROR_NOT_FOUND);
    assert_int_equal(key_write_file(key, path), ERROR_NONE);
    assert_int_equal(key_read_file(&back, path), ERROR_NONE);
    assert_int_equal(access(draft, F_OK), -1);
    assert_int_equal(unlink(path), 0);
    EVP_PKEY_free(back);
    EVP_PKEY_free(key);
}

static void key_files_are_for_their_owner_only(void **state)
{
    EVP_PKEY *key = a_key(), *back = NULL;
    struct stat s;
    mode_t mask = umask(0);
    assert_int_equal(key_write_file(key, path), ERROR_NONE);
    umask(mask);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0600);
    assert_int_equal(key_write_file(key, path), ERROR_EXISTS);
    assert_int_equal(key_write_file(key, "/nowhere/at/all"), ERROR_NOT_FOUND);

    assert_int_equal(key_read_file(&back, path), ERROR_NONE);
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    EVP_PKEY_free(back);
    back = NULL;
    const mode_t unsafe[] = {0604, 0620, 0602, 0610, 0601, 0666};
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        assert_int_equal(chmod(path, unsafe[i]), 0);
        assert_int_equal(key_read_file(&back, path), ERROR_PERMISSION);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(key_read_file(&back, path), ERROR_NOT_FOUND);
    assert_int_equal(key_read_file(&back, directory), ERROR_PERMISSION);
    assert_null(back);
    EVP_PKEY_free(key);
}

static void key_text_of_no_use_is_refused(void **state)
{
    EVP_PKEY *key = a_key(), *back = NULL, *weak = EVP_RSA_gen(2048);
    char *text;
    BIO *pem = BIO_new(BIO_s_mem());
    assert_true(
        PEM_write_bio_PKCS8PrivateKey(pem, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL));
    long len = BIO_get_mem_data(pem, &text);
    /* Behind a passphrase: refused, and nobody is asked for it. */
    assert_int_equal(key_from_pem(&back, slice_of(text, (size_t)len)), ERROR_CONFIG);
    (void)BIO_reset(pem);
    assert_true(PEM_write_bio_PUBKEY(pem, key));
    len = BIO_get_mem_data(pem, &text);
    assert_int_equal(key_from_pem(&back, slice_of(text, (size_t)len)), ERROR_CONFIG);
    (void)BIO_reset(pem);
    assert_true(PEM_write_bio_PKCS8PrivateKey(pem, weak, NULL, NULL, 0, NULL, NULL));
    len = BIO_get_mem_data(pem, &text);
    assert_int_equal(key_from_pem(&back, slice_of(text, (size_t)len)), ERROR_TLS_WEAK);
    assert_int_equal(key_from_pem(&back, slice_of(text, (size_t)len - 60)), ERROR_CONFIG);
    assert_int_equal(key_from_pem(&back, SLICE_NONE), ERROR_CONFIG);
    assert_null(back);
    assert_int_equal(ERR_peek_error(), 0);
    BIO_free(pem);
    EVP_PKEY_free(key);
    EVP_PKEY_free(weak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_fips_180),
        cmocka_unit_test(digests_agree_between_threads),
        cmocka_unit_test(signatures_hold_for_their_bytes_label_and_key_only),
        cmocka_unit_test(public_keys_are_read_strictly),
        cmocka_unit_test(other_kinds_of_key_are_weak_or_not_ours),
        cmocka_unit_test_setup_teardown(half_a_key_is_no_key, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(key_files_are_for_their_owner_only, make_directory,
                                        remove_directory),
        cmocka_unit_test(key_text_of_no_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
