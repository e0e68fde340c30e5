/*
 * pki/certificate_identity.c: whom a certificate names, and requests for such certificates.
 *
 * The identifier is the one URI of the subject alternative name, in one spelling (RFC 9562's
 * lower case): it is compared, byte for byte, with what the same ids would be written as. Names
 * are for people to read; nothing is decided on them, but they must be one value each of clean
 * text.
 */
#include "base/text.h"
#include "pki/certificate.h"
#include "pki/failure.h"
#include "pki/key.h"
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define URI_SCHEME "brug:"
#define ID_TEXT_LEN (ID_TEXT_BYTES - 1)

char *certificate_uri(const struct certificate_identity *who, char out[CERTIFICATE_URI_BYTES])
{
    char organisation[ID_TEXT_BYTES], person[ID_TEXT_BYTES] = "", endpoint[ID_TEXT_BYTES];
    id_to_text(&who->organisation, organisation);
    id_to_text(&who->endpoint, endpoint);
    if (!id_is_none(&who->person))
        id_to_text(&who->person, person);
    (void)snprintf(out, CERTIFICATE_URI_BYTES, URI_SCHEME "%s/%s/%s", organisation, person,
                   endpoint); /* fits by its size */
    return out;
}

/* Takes the text of an id off the front. */
static bool take_id(struct slice *s, struct id *out)
{
    struct slice text;
    char copy[ID_TEXT_BYTES] = "";
    if (!slice_take(s, ID_TEXT_LEN, &text))
        return false;
    memcpy(copy, text.data, text.len);
    return id_from_text(out, copy) == ERROR_NONE && !id_is_none(out);
}

static bool take_char(struct slice *s, char wanted)
{
    uint8_t c;
    return slice_take_u8(s, &c) && c == (uint8_t)wanted;
}

static bool parse_uri(struct slice uri, struct certificate_identity *out)
{
    struct slice s = uri, scheme;
    out->person = ID_NONE;
    if (!slice_take(&s, strlen(URI_SCHEME), &scheme) ||
        !slice_equal(scheme, slice_text(URI_SCHEME)) || !take_id(&s, &out->organisation) ||
        !take_char(&s, '/'))
        return false;
    if (s.len > 0 && s.data[0] != '/' && !take_id(&s, &out->person))
        return false;
    if (!take_char(&s, '/') || !take_id(&s, &out->endpoint) || s.len != 0)
        return false;
    char again[CERTIFICATE_URI_BYTES];
    return slice_equal(uri, slice_text(certificate_uri(out, again)));
}

static bool find_uri(X509 *c, struct certificate_identity *out)
{
    bool is_found = false, is_good = true;
    GENERAL_NAMES *names = X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; is_good && i < sk_GENERAL_NAME_num(names); i++) {
        int kind;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
        if (kind != GEN_URI)
            continue;
        struct slice uri =
            slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        is_good = !is_found && parse_uri(uri, out);
        is_found = true;
    }
    GENERAL_NAMES_free(names);
    return is_found && is_good;
}

static bool read_name(X509 *c, int nid, char *out, size_t out_len)
{
    const X509_NAME *subject = X509_get_subject_name(c);
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
        return false;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int kind = ASN1_STRING_type(value);
    struct slice text = slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if ((kind != V_ASN1_UTF8STRING && kind != V_ASN1_PRINTABLESTRING) || text.len == 0 ||
        text.len >= out_len || !text_is_clean(text, false))
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = 0;
    return true;
}

enum error certificate_identity(X509 *c, struct certificate_identity *out)
{
    struct certificate_identity found;
    if (!find_uri(c, &found) ||
        !read_name(c, NID_organizationName, found.organisation_name,
                   sizeof found.organisation_name) ||
        !read_name(c, NID_commonName, found.common_name, sizeof found.common_name))
        return failure_as(ERROR_TLS_WRONG_USE);
    *out = found;
    return failure_as(ERROR_NONE);
}

/* ---- requests ---- */

static bool add_name(X509_REQ *request, const char *field, const char *value)
{
    struct slice text = slice_text(value);
    return text.len > 0 && text_is_clean(text, false) &&
           X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), field, MBSTRING_UTF8,
                                      text.data, (int)text.len, -1, 0);
}

static bool add_uri(X509_REQ *request, const struct certificate_identity *who)
{
    char uri[CERTIFICATE_URI_BYTES];
    bool is_added = false;
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    if (!names || !name || !value || !ASN1_STRING_set(value, certificate_uri(who, uri), -1))
        goto out;
    GENERAL_NAME_set0_value(name, GEN_URI, value);
    value = NULL;
    if (!sk_GENERAL_NAME_push(names, name))
        goto out;
    name = NULL;
    is_added =
        X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
        X509_REQ_add_extensions(request, extensions);
out:
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ASN1_IA5STRING_free(value);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return is_added;
}

static enum error append_request(X509_REQ *request, struct buf *der)
{
    unsigned char *bytes = NULL;
    int len = i2d_X509_REQ(request, &bytes);
    if (len <= 0)
        return failure_of_openssl();
    enum error e = buf_append(der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    return e;
}

enum error request_make(EVP_PKEY *key, const struct certificate_identity *who, struct buf *der)
{
    enum error e;
    X509_REQ *request = X509_REQ_new();
    if (!request || !X509_REQ_set_version(request, X509_REQ_VERSION_1) ||
        !X509_REQ_set_pubkey(request, key) || !add_uri(request, who))
        e = failure_of_openssl();
    else if (!add_name(request, "O", who->organisation_name) ||
             !add_name(request, "CN", who->common_name))
        e = failure_as(ERROR_USAGE);
    else if (X509_REQ_sign(request, key, EVP_sha256()) <= 0)
        e = failure_of_openssl();
    else
        e = append_request(request, der);
    X509_REQ_free(request);
    return e;
}

enum error request_public_der(struct slice request_der, struct buf *out)
{
    if (request_der.len == 0 || request_der.len > REQUEST_BYTES_MAX)
        return ERROR_TLS_BROKEN;
    const unsigned char *at = request_der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)request_der.len);
    if (!request || at != request_der.data + request_der.len) {
        X509_REQ_free(request);
        return failure_as(ERROR_TLS_BROKEN);
    }
    enum error e;
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (!key || !key_is_p256(key))
        e = failure_as(ERROR_TLS_WEAK);
    else if (X509_REQ_verify(request, key) != 1)
        e = failure_as(ERROR_BAD_SIGNATURE);
    else
        e = key_public_der(key, out);
    X509_REQ_free(request);
    return e;
}
