/*
 * pki/key.c: P-256 keys: made, kept in PEM files, read strictly, used to sign; see key.h.
 *
 * Happy path: `brug init` generates two keys and writes each to a file that only its owner reads;
 * every later start reads them. Private bytes are wiped before their memory goes back.
 * Failures: a file that others can read is refused, not repaired, since the key may be copied
 * already. A key behind a passphrase is refused without asking: nobody may sit at the terminal.
 */
#include "pki/key.h"
#include "pki/failure.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_BYTES_MAX 16384
#define KEY_SIGNATURE_BYTES_MAX 72 /* SEQUENCE of two INTEGERs of at most 33 bytes */
#define RSA_BITS_MIN 3072
#define RSA_BITS_MAX 8192 /* above it, verifying costs more than anybody's need */

/* SubjectPublicKeyInfo of an uncompressed point on the named curve P-256, up to its coordinates
 * (RFC 5480). */
static const uint8_t p256_spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
#define P256_SPKI_BYTES (sizeof p256_spki_head + 64)

enum error key_generate(EVP_PKEY **out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        return failure_of_openssl();
    *out = key;
    return ERROR_NONE;
}

void key_free(EVP_PKEY *key) { EVP_PKEY_free(key); }

static bool key_has_curve(const EVP_PKEY *key, const char *curve)
{
    char group[64];
    return key && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) && strcmp(group, curve) == 0;
}

bool key_is_p256(const EVP_PKEY *key) { return key_has_curve(key, "prime256v1"); }

bool key_is_strong(const EVP_PKEY *key)
{
    if (!key)
        return false;
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        int bits = EVP_PKEY_get_bits(key);
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    }
    return EVP_PKEY_is_a(key, "ED25519") || key_is_p256(key) || key_has_curve(key, "secp384r1");
}

/* ---- files ---- */

static enum error error_of_errno(void)
{
    switch (errno) {
    case EEXIST:
        return ERROR_EXISTS;
    case ENOENT:
    case ENOTDIR:
        return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_PERMISSION;
    default:
        return ERROR_IO;
    }
}

static enum error write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        struct slice done;
        if (n <= 0 || !slice_take(&bytes, (size_t)n, &done))
            return ERROR_IO;
    }
    return fsync(fd) == 0 ? ERROR_NONE : ERROR_IO;
}

enum error key_sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    size_t len = strnlen(path, sizeof copy);
    if (len == sizeof copy)
        return ERROR_BOUND;
    memcpy(copy, path, len + 1);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_of_errno();
    int failed = fsync(fd);
    (void)close(fd); /* only read from */
    return failed ? ERROR_IO : ERROR_NONE;
}

static enum error write_new_file(struct slice bytes, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return error_of_errno();
    enum error e = fchmod(fd, S_IRUSR | S_IWUSR) == 0 ? ERROR_NONE : ERROR_IO;
    if (!e)
        e = write_all(fd, bytes);
    if (close(fd) != 0 && !e)
        e = ERROR_IO;
    return e;
}

/* The name appears with all of the content or not at all, whatever is cut off, and replaces nothing: a link, not a
 * renaming. */
static enum error write_under_name(struct slice bytes, const char *path)
{
    char draft[PATH_MAX];
    int len = snprintf(draft, sizeof draft, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof draft)
        return ERROR_BOUND;
    if (access(path, F_OK) == 0)
        return ERROR_EXISTS;
    (void)unlink(draft); /* of a run that was cut off; if it stays, opening says why */
    enum error e = write_new_file(bytes, draft);
    if (!e && link(draft, path) != 0)
        e = error_of_errno();
    (void)unlink(draft); /* ours; what stays is removed the next time */
    if (e)
        return e;
    e = key_sync_folder_of(path);
    if (e)
        (void)unlink(path); /* ours, and of no use to anybody */
    return e;
}

enum error key_write_file(EVP_PKEY *key, const char *path)
{
    BIO *memory = BIO_new(BIO_s_mem());
    if (!memory || !PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL)) {
        BIO_free(memory);
        return failure_of_openssl();
    }
    char *pem;
    long len = BIO_get_mem_data(memory, &pem);
    assert(len > 0);
    enum error e = write_under_name(slice_of(pem, (size_t)len), path);
    OPENSSL_cleanse(pem, (size_t)len);
    BIO_free(memory);
    return e;
}

/* Only the owner may have access. A file of root's may also show read access for root's group: so
 * systemd's credentials look, whose access list for the service stands in those bits. */
static bool mode_is_safe(const struct stat *s)
{
    mode_t allowed = S_IRWXU;
    if (s->st_uid == 0 && s->st_gid == 0)
        allowed |= S_IRGRP;
    return S_ISREG(s->st_mode) && (s->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO) & ~allowed) == 0;
}

static enum error check_file_mode(const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return error_of_errno();
    return mode_is_safe(&s) ? ERROR_NONE : ERROR_PERMISSION;
}

static int no_passphrase_cb(char *out, int size, int writing, void *ctx) { return -1; }

static enum error private_from_pem(EVP_PKEY **out, struct slice pem)
{
    if (pem.len == 0)
        return ERROR_CONFIG;
    if (pem.len > KEY_FILE_BYTES_MAX)
        return ERROR_BOUND;
    BIO *memory = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (!memory)
        return failure_of_openssl();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(memory, NULL, no_passphrase_cb, NULL);
    BIO_free(memory);
    if (!key)
        return failure_as(ERROR_CONFIG);
    *out = key;
    return failure_as(ERROR_NONE);
}

enum error key_from_pem(EVP_PKEY **out, struct slice pem)
{
    EVP_PKEY *key = NULL;
    enum error e = private_from_pem(&key, pem);
    if (e)
        return e;
    if (!key_is_strong(key)) {
        EVP_PKEY_free(key);
        return ERROR_TLS_WEAK;
    }
    *out = key;
    return ERROR_NONE;
}

enum error key_read_file(EVP_PKEY **out, const char *path)
{
    enum error e = check_file_mode(path);
    if (e)
        return e;
    struct buf pem;
    buf_init(&pem, KEY_FILE_BYTES_MAX);
    e = buf_read_file(&pem, path);
    if (!e)
        e = key_from_pem(out, buf_slice(&pem));
    buf_fini_secret(&pem);
    return e;
}

/* ---- public keys ---- */

enum error key_public_der(EVP_PKEY *key, struct buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    if (len <= 0)
        return failure_of_openssl();
    enum error e = buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return e;
}

enum error key_from_public_der(EVP_PKEY **out, struct slice der)
{
    if (der.len != P256_SPKI_BYTES || memcmp(der.data, p256_spki_head, sizeof p256_spki_head) != 0)
        return ERROR_TLS_WEAK;
    const unsigned char *at = der.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (!key)
        return failure_as(ERROR_TLS_WEAK); /* a point that is not on the curve */
    assert(key_is_p256(key));
    *out = key;
    return failure_as(ERROR_NONE);
}

/* ---- signatures ---- */

enum error key_sign(EVP_PKEY *key, const char *label, struct slice bytes, struct buf *signature)
{
    enum error e = ERROR_NONE;
    uint8_t made[KEY_SIGNATURE_BYTES_MAX];
    size_t len = sizeof made;
    if (!key_is_p256(key))
        return ERROR_TLS_WEAK;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit_ex(context, NULL, "SHA2-256", NULL, NULL, key, NULL) <= 0 ||
        EVP_DigestSignUpdate(context, label, strlen(label) + 1) <= 0 ||
        EVP_DigestSignUpdate(context, bytes.data, bytes.len) <= 0 ||
        EVP_DigestSignFinal(context, made, &len) <= 0)
        e = failure_of_openssl();
    else
        e = buf_append(signature, made, len);
    EVP_MD_CTX_free(context);
    return e;
}

enum error key_verify(EVP_PKEY *key, const char *label, struct slice bytes, struct slice signature)
{
    enum error e = ERROR_NONE;
    if (!key_is_p256(key))
        return ERROR_TLS_WEAK;
    if (signature.len == 0 || signature.len > KEY_SIGNATURE_BYTES_MAX)
        return ERROR_BAD_SIGNATURE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestVerifyInit_ex(context, NULL, "SHA2-256", NULL, NULL, key, NULL) <= 0)
        e = failure_of_openssl();
    else if (EVP_DigestVerifyUpdate(context, label, strlen(label) + 1) <= 0 ||
             EVP_DigestVerifyUpdate(context, bytes.data, bytes.len) <= 0 ||
             EVP_DigestVerifyFinal(context, signature.data, signature.len) != 1)
        e = failure_as(ERROR_BAD_SIGNATURE);
    EVP_MD_CTX_free(context);
    return e;
}
