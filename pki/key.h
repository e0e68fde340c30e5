/*
 * pki/key.h: private and public keys over OpenSSL. Endpoints' keys are P-256 in this version.
 *
 * What is not said otherwise fails with ERROR_CRYPTO or ERROR_NO_MEMORY.
 */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include "base/buf.h"
#include <openssl/types.h>

enum error key_generate(EVP_PKEY **out) MUST_CHECK;
void key_free(EVP_PKEY *key);

/* PEM (PKCS#8), mode 0600, on disk when it returns; refuses to overwrite; cut off anywhere it leaves the whole
 * file or none of that name (perhaps one with .new at its end). ERROR_EXISTS, ERROR_NOT_FOUND (the folder),
 * ERROR_PERMISSION, ERROR_IO. */
enum error key_write_file(EVP_PKEY *key, const char *path) MUST_CHECK;
/* The folder that a file or folder lies in: names in it survive a power cut. Errors as above. */
enum error key_sync_folder_of(const char *path) MUST_CHECK;
/* Any key that is strong enough (the relay's need not be P-256). ERROR_PERMISSION also when
 * others than the owner have access to the file; ERROR_NOT_FOUND, ERROR_IO, ERROR_BOUND;
 * ERROR_CONFIG when it holds no private key, or one behind a passphrase; ERROR_TLS_WEAK. */
enum error key_read_file(EVP_PKEY **out, const char *path) MUST_CHECK;
/* The same from PEM text. */
enum error key_from_pem(EVP_PKEY **out, struct slice pem) MUST_CHECK;

/* SubjectPublicKeyInfo, appended to out. */
enum error key_public_der(EVP_PKEY *key, struct buf *out) MUST_CHECK;
/* ERROR_TLS_WEAK unless it is one named-curve P-256 key with no byte after it. */
enum error key_from_public_der(EVP_PKEY **out, struct slice der) MUST_CHECK;
/* False also for NULL: the key of a certificate whose key cannot be read. */
bool key_is_p256(const EVP_PKEY *key);
/* P-256, P-384, Ed25519, or RSA of 3072 to 8192 bits. */
bool key_is_strong(const EVP_PKEY *key);

/* ECDSA with SHA-256 over label, 0x00, bytes; the signature is DER, appended. Verify:
 * ERROR_BAD_SIGNATURE. */
enum error key_sign(EVP_PKEY *key, const char *label, struct slice bytes, struct buf *signature)
    MUST_CHECK;
enum error key_verify(EVP_PKEY *key, const char *label, struct slice bytes, struct slice signature)
    MUST_CHECK;

#endif
