/*
 * client/profile.c: the grammar of a sealed letter, profile 1 [P-103] to [P-107].
 *
 * Happy path: each function reads one production from the front of a slice and returns NULL.
 * Failure: it returns the name of the field that is not as it must be. Fixed parts (versions,
 * algorithm identifiers) are compared as whole encodings; the order of sets is DER's.
 *
 *   sealed     SEQ { authEnvelopedData, [0] { SEQ {
 *                  0, SET { recipient, 1 to 145 of them, ascending, no key id twice },
 *                  SEQ { id-data, SEQ { aes256-GCM, SEQ { OCTETS(12), 16 } }, [0] encrypted },
 *                  OCTETS(16) } } }
 *   recipient  [1] { 3, [0] { [1] { SEQ { id-ecPublicKey }, BITS 04 X Y } },
 *                  SEQ { dhSinglePass-stdDH-sha256kdf-scheme, SEQ { id-aes256-wrap } },
 *                  SEQ { SEQ { [0] { OCTETS(8 to 64) }, OCTETS(40) } } }
 *   signed     SEQ { signedData, [0] { SEQ {
 *                  3, SET { sha256 }, SEQ { id-data, [0] { OCTETS content } },
 *                  [0] { certificate }, SET { signer } } } }
 *   signer     SEQ { 3, [0] key id, sha256,
 *                  [0] { content-type = id-data, signing-time, message-digest = OCTETS(32) },
 *                  ecdsa-with-SHA256, OCTETS { SEQ { r, s } } }
 *
 * An algorithm has no parameters (absent, not NULL) where none are shown. The length of the tag is
 * always written: left out it would mean 12.
 */
#include "client/profile.h"
#include "client/tlv.h"
#include <string.h>

#define GCM_NONCE_BYTES 12u
#define GCM_TAG_BYTES 16u
#define P256_POINT_BYTES 65u
#define P256_SCALAR_BYTES 32u
#define WRAPPED_KEY_BYTES 40u
#define SHA256_BYTES 32u
#define UTC_TIME_BYTES 13u
#define GENERALIZED_TIME_BYTES 15u
#define CERTIFICATE_DEPTH_MAX 12u

/* Whole encodings, identifier and length included. */
static const uint8_t VERSION_0[] = {0x02, 0x01, 0x00};
static const uint8_t VERSION_3[] = {0x02, 0x01, 0x03};
static const uint8_t TAG_LENGTH_16[] = {0x02, 0x01, 0x10};
static const uint8_t ID_DATA[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const uint8_t ID_SIGNED_DATA[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x07, 0x02};
static const uint8_t ID_AUTH_ENVELOPED_DATA[] = {0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17};
static const uint8_t ID_AES256_GCM[] = {0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                        0x65, 0x03, 0x04, 0x01, 0x2e};
/* SEQUENCE { id-ecPublicKey } (RFC 5753 §3.1.1) */
static const uint8_t ALGORITHM_EC_KEY[] = {0x30, 0x09, 0x06, 0x07, 0x2a, 0x86,
                                           0x48, 0xce, 0x3d, 0x02, 0x01};
/* SEQUENCE { dhSinglePass-stdDH-sha256kdf-scheme, SEQUENCE { id-aes256-wrap } } */
static const uint8_t ALGORITHM_KEY_AGREEMENT[] = {0x30, 0x15, 0x06, 0x06, 0x2b, 0x81, 0x04, 0x01,
                                                  0x0b, 0x01, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
                                                  0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d};
static const uint8_t ALGORITHM_SHA256[] = {0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                           0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
static const uint8_t ALGORITHM_ECDSA_SHA256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
/* SEQUENCE { content-type, SET { id-data } } */
static const uint8_t ATTRIBUTE_CONTENT_TYPE[] = {
    0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03,
    0x31, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const uint8_t ID_SIGNING_TIME[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                          0xf7, 0x0d, 0x01, 0x09, 0x05};
static const uint8_t ID_MESSAGE_DIGEST[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                            0xf7, 0x0d, 0x01, 0x09, 0x04};

#define TAKE_BYTES(s, constant) tlv_take_bytes((s), (constant), sizeof(constant))

/* An element with exactly `len` bytes of contents; like tlv_take, nothing changes otherwise. */
static bool take_of_length(struct slice *s, uint8_t tag, size_t len, struct slice *body)
{
    struct slice rest = *s, found;
    if (!tlv_take(&rest, tag, &found) || found.len != len)
        return false;
    *s = rest;
    *body = found;
    return true;
}

static bool is_key_id(struct slice id)
{
    return id.len >= PROFILE_KEY_ID_BYTES_MIN && id.len <= PROFILE_KEY_ID_BYTES_MAX;
}

static enum error judge(const char *found, const char **where)
{
    if (!found)
        return ERROR_NONE;
    *where = found;
    return ERROR_LETTER_PROFILE;
}

/* ContentInfo: type, and the one element that its content must be. */
static const char *read_content_info(struct slice s, const uint8_t *type, size_t type_len,
                                     struct slice *content)
{
    struct slice info, explicit_0;
    if (!tlv_take(&s, TLV_SEQUENCE, &info) || s.len > 0)
        return "contentInfo";
    if (!tlv_take_bytes(&info, type, type_len))
        return "contentInfo.contentType";
    if (!tlv_take(&info, TLV_CONTEXT_0_CONSTRUCTED, &explicit_0) || info.len > 0)
        return "contentInfo.content";
    if (!tlv_take(&explicit_0, TLV_SEQUENCE, content) || explicit_0.len > 0)
        return "contentInfo.content";
    return NULL;
}

/* ---- outer ---- */

/* The sender's key for this recipient: an uncompressed point. OpenSSL checks that it is on the
 * curve. */
static const char *read_originator(struct slice *s)
{
    struct slice originator, key, bits;
    uint8_t unused, form;
    if (!tlv_take(s, TLV_CONTEXT_0_CONSTRUCTED, &originator) ||
        !tlv_take(&originator, TLV_CONTEXT_1_CONSTRUCTED, &key) || originator.len > 0)
        return "recipient.originator";
    if (!TAKE_BYTES(&key, ALGORITHM_EC_KEY))
        return "recipient.originator.algorithm";
    if (!tlv_take(&key, TLV_BIT_STRING, &bits) || key.len > 0 || !slice_take_u8(&bits, &unused) ||
        unused != 0 || bits.len != P256_POINT_BYTES || !slice_take_u8(&bits, &form) || form != 0x04)
        return "recipient.originator.publicKey";
    return NULL;
}

static const char *read_encrypted_key(struct slice *s, struct slice *key_id)
{
    struct slice keys, key, by_key_id, wrapped;
    if (!tlv_take(s, TLV_SEQUENCE, &keys) || !tlv_take(&keys, TLV_SEQUENCE, &key) || keys.len > 0)
        return "recipient.recipientEncryptedKeys";
    if (!tlv_take(&key, TLV_CONTEXT_0_CONSTRUCTED, &by_key_id) ||
        !tlv_take(&by_key_id, TLV_OCTET_STRING, key_id) || by_key_id.len > 0 || !is_key_id(*key_id))
        return "recipient.rid";
    if (!take_of_length(&key, TLV_OCTET_STRING, WRAPPED_KEY_BYTES, &wrapped) || key.len > 0)
        return "recipient.encryptedKey";
    return NULL;
}

static const char *read_recipient(struct slice recipient, struct slice *key_id)
{
    const char *found;
    if (!TAKE_BYTES(&recipient, VERSION_3))
        return "recipient.version";
    if ((found = read_originator(&recipient)))
        return found;
    if (!TAKE_BYTES(&recipient, ALGORITHM_KEY_AGREEMENT))
        return "recipient.keyEncryptionAlgorithm";
    if ((found = read_encrypted_key(&recipient, key_id)))
        return found;
    return recipient.len > 0 ? "recipient" : NULL;
}

static bool is_listed(const struct profile_outer *o, struct slice key_id)
{
    for (size_t i = 0; i < o->n; i++)
        if (slice_equal(o->key_ids[i], key_id))
            return true;
    return false;
}

static const char *read_recipients(struct slice *s, struct profile_outer *o)
{
    struct slice set, element, recipient, key_id, before = SLICE_NONE;
    if (!tlv_take(s, TLV_SET, &set) || set.len == 0)
        return "recipientInfos";
    for (o->n = 0; set.len > 0; o->n++) {
        if (o->n == PROFILE_RECIPIENTS_MAX)
            return "recipientInfos.number";
        if (!tlv_take_element(&set, TLV_CONTEXT_1_CONSTRUCTED, &element, &recipient))
            return "recipientInfos.type";
        if (o->n > 0 && !tlv_is_ascending(before, element))
            return "recipientInfos.order";
        const char *found = read_recipient(recipient, &key_id);
        if (found)
            return found;
        if (is_listed(o, key_id))
            return "recipientInfos.repeated";
        o->key_ids[o->n] = key_id;
        before = element;
    }
    return NULL;
}

static const char *read_encrypted_content(struct slice *s, struct slice *encrypted)
{
    struct slice info, algorithm, parameters, nonce;
    if (!tlv_take(s, TLV_SEQUENCE, &info))
        return "encryptedContentInfo";
    if (!TAKE_BYTES(&info, ID_DATA))
        return "encryptedContentInfo.contentType";
    if (!tlv_take(&info, TLV_SEQUENCE, &algorithm) || !TAKE_BYTES(&algorithm, ID_AES256_GCM) ||
        !tlv_take(&algorithm, TLV_SEQUENCE, &parameters) || algorithm.len > 0)
        return "contentEncryptionAlgorithm";
    if (!take_of_length(&parameters, TLV_OCTET_STRING, GCM_NONCE_BYTES, &nonce))
        return "contentEncryptionAlgorithm.nonce";
    if (!TAKE_BYTES(&parameters, TAG_LENGTH_16) || parameters.len > 0)
        return "contentEncryptionAlgorithm.ICVlen";
    if (!tlv_take(&info, TLV_CONTEXT_0, encrypted) || encrypted->len == 0 || info.len > 0)
        return "encryptedContent";
    return NULL;
}

static const char *read_outer(struct slice sealed, struct profile_outer *o)
{
    struct slice data, tag;
    const char *found;
    if (sealed.len > LIMIT_MESSAGE_BYTES_MAX)
        return "contentInfo.length";
    if ((found = read_content_info(sealed, ID_AUTH_ENVELOPED_DATA, sizeof ID_AUTH_ENVELOPED_DATA,
                                   &data)))
        return found;
    if (!TAKE_BYTES(&data, VERSION_0))
        return "version";
    if ((found = read_recipients(&data, o)) ||
        (found = read_encrypted_content(&data, &o->encrypted)))
        return found;
    if (!take_of_length(&data, TLV_OCTET_STRING, GCM_TAG_BYTES, &tag))
        return "mac";
    return data.len > 0 ? "unauthAttrs" : NULL;
}

enum error profile_check_outer(struct slice sealed, struct profile_outer *out, const char **where)
{
    struct profile_outer found = {0};
    enum error e = judge(read_outer(sealed, &found), where);
    if (e == ERROR_NONE)
        *out = found;
    return e;
}

/* ---- inner ---- */

static bool is_digits_and_z(struct slice s)
{
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    return s.len > 0 && s.data[s.len - 1] == 'Z';
}

/* RFC 5652 §11.3: UTCTime to 2049, GeneralizedTime from 2050. Nobody reads it: the header says when
 * a letter was written. */
static bool take_time(struct slice *s)
{
    struct slice time;
    if (take_of_length(s, TLV_UTC_TIME, UTC_TIME_BYTES, &time))
        return is_digits_and_z(time);
    return take_of_length(s, TLV_GENERALIZED_TIME, GENERALIZED_TIME_BYTES, &time) &&
           is_digits_and_z(time) && memcmp(time.data, "2050", 4) >= 0;
}

static const char *read_signed_attributes(struct slice *s)
{
    struct slice attributes, attribute, values, digest;
    if (!tlv_take(s, TLV_CONTEXT_0_CONSTRUCTED, &attributes))
        return "signedAttrs";
    if (!TAKE_BYTES(&attributes, ATTRIBUTE_CONTENT_TYPE))
        return "signedAttrs.contentType";
    if (!tlv_take(&attributes, TLV_SEQUENCE, &attribute) ||
        !TAKE_BYTES(&attribute, ID_SIGNING_TIME) || !tlv_take(&attribute, TLV_SET, &values) ||
        attribute.len > 0 || !take_time(&values) || values.len > 0)
        return "signedAttrs.signingTime";
    if (!tlv_take(&attributes, TLV_SEQUENCE, &attribute) ||
        !TAKE_BYTES(&attribute, ID_MESSAGE_DIGEST) || !tlv_take(&attribute, TLV_SET, &values) ||
        attribute.len > 0 || !take_of_length(&values, TLV_OCTET_STRING, SHA256_BYTES, &digest) ||
        values.len > 0)
        return "signedAttrs.messageDigest";
    return attributes.len > 0 ? "signedAttrs" : NULL;
}

static const char *read_signature(struct slice *s)
{
    struct slice signature, numbers;
    if (!tlv_take(s, TLV_OCTET_STRING, &signature) ||
        !tlv_take(&signature, TLV_SEQUENCE, &numbers) || signature.len > 0 ||
        !tlv_take_positive(&numbers, P256_SCALAR_BYTES) ||
        !tlv_take_positive(&numbers, P256_SCALAR_BYTES) || numbers.len > 0)
        return "signature";
    return NULL;
}

static const char *read_signer(struct slice *s, struct slice *key_id)
{
    struct slice set, signer;
    const char *found;
    if (!tlv_take(s, TLV_SET, &set) || !tlv_take(&set, TLV_SEQUENCE, &signer) || set.len > 0)
        return "signerInfos";
    if (!TAKE_BYTES(&signer, VERSION_3))
        return "signer.version";
    if (!tlv_take(&signer, TLV_CONTEXT_0, key_id) || !is_key_id(*key_id))
        return "signer.sid";
    if (!TAKE_BYTES(&signer, ALGORITHM_SHA256))
        return "signer.digestAlgorithm";
    if ((found = read_signed_attributes(&signer)))
        return found;
    if (!TAKE_BYTES(&signer, ALGORITHM_ECDSA_SHA256))
        return "signer.signatureAlgorithm";
    if ((found = read_signature(&signer)))
        return found;
    return signer.len > 0 ? "unsignedAttrs" : NULL;
}

static const char *read_certificate(struct slice *s, struct slice *certificate)
{
    struct slice certificates, body;
    if (!tlv_take(s, TLV_CONTEXT_0_CONSTRUCTED, &certificates) ||
        !tlv_take_element(&certificates, TLV_SEQUENCE, certificate, &body) || certificates.len > 0)
        return "certificates";
    if (certificate->len > LIMIT_CERTIFICATE_BYTES ||
        !tlv_is_well_formed(*certificate, CERTIFICATE_DEPTH_MAX))
        return "certificate";
    return NULL;
}

static const char *read_inner(struct slice signed_data, struct profile_inner *o)
{
    struct slice data, algorithms, encapsulated, explicit_0;
    const char *found;
    if (signed_data.len > LIMIT_MESSAGE_BYTES_MAX)
        return "contentInfo.length";
    if ((found = read_content_info(signed_data, ID_SIGNED_DATA, sizeof ID_SIGNED_DATA, &data)))
        return found;
    if (!TAKE_BYTES(&data, VERSION_3))
        return "version";
    if (!tlv_take(&data, TLV_SET, &algorithms) || !TAKE_BYTES(&algorithms, ALGORITHM_SHA256) ||
        algorithms.len > 0)
        return "digestAlgorithms";
    if (!tlv_take(&data, TLV_SEQUENCE, &encapsulated) || !TAKE_BYTES(&encapsulated, ID_DATA))
        return "encapContentInfo.eContentType";
    if (!tlv_take(&encapsulated, TLV_CONTEXT_0_CONSTRUCTED, &explicit_0) || encapsulated.len > 0 ||
        !tlv_take(&explicit_0, TLV_OCTET_STRING, &o->content) || explicit_0.len > 0)
        return "encapContentInfo.eContent";
    if ((found = read_certificate(&data, &o->certificate)) ||
        (found = read_signer(&data, &o->key_id)))
        return found;
    return data.len > 0 ? "signedData" : NULL;
}

enum error profile_check_inner(struct slice signed_data, struct profile_inner *out,
                               const char **where)
{
    struct profile_inner found = {0};
    enum error e = judge(read_inner(signed_data, &found), where);
    if (e == ERROR_NONE)
        *out = found;
    return e;
}
