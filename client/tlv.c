/*
 * client/tlv.c: reading DER.
 *
 * Happy path: identifier octet, length octets, contents, each taken off the front of a slice.
 * Failures: false, with the slice as it was. Invariant: a length is compared with what remains (in
 * slice_take) before anything is read.
 */
#include "client/tlv.h"
#include <assert.h>
#include <string.h>

#define LONG_FORM 0x80u
#define LENGTH_OCTETS_MAX 4u
#define TAG_NUMBER_MASK 0x1fu
#define CONSTRUCTED 0x20u

/* Definite, in the fewest octets (X.690 §10.1). */
static bool take_length(struct slice *s, size_t *len)
{
    uint8_t first;
    if (!slice_take_u8(s, &first))
        return false;
    if (first < LONG_FORM) {
        *len = first;
        return true;
    }
    unsigned octets = first & ~LONG_FORM;
    uint32_t value = 0;
    if (octets == 0 || octets > LENGTH_OCTETS_MAX)
        return false;
    for (unsigned i = 0; i < octets; i++) {
        uint8_t octet;
        if (!slice_take_u8(s, &octet) || (i == 0 && octet == 0))
            return false;
        value = value << 8 | octet;
    }
    *len = value;
    return value >= LONG_FORM;
}

/* Any identifier of one octet but 0, which would be the end-of-contents mark of BER. */
static bool take_any(struct slice *s, uint8_t *tag, struct slice *body)
{
    struct slice rest = *s;
    size_t len;
    if (!slice_take_u8(&rest, tag) || *tag == 0 || (*tag & TAG_NUMBER_MASK) == TAG_NUMBER_MASK ||
        !take_length(&rest, &len) || !slice_take(&rest, len, body))
        return false;
    *s = rest;
    return true;
}

bool tlv_take_element(struct slice *s, uint8_t tag, struct slice *element, struct slice *body)
{
    struct slice rest = *s, contents;
    uint8_t found;
    if (!take_any(&rest, &found, &contents) || found != tag)
        return false;
    *element = slice_of(s->data, s->len - rest.len);
    *body = contents;
    *s = rest;
    return true;
}

bool tlv_take(struct slice *s, uint8_t tag, struct slice *body)
{
    struct slice element;
    return tlv_take_element(s, tag, &element, body);
}

bool tlv_take_bytes(struct slice *s, const uint8_t *bytes, size_t len)
{
    struct slice rest = *s, found;
    if (!slice_take(&rest, len, &found) || !slice_equal(found, slice_of(bytes, len)))
        return false;
    *s = rest;
    return true;
}

bool tlv_take_positive(struct slice *s, size_t bytes_max)
{
    struct slice rest = *s, body;
    uint8_t first, second = 0;
    if (!tlv_take(&rest, TLV_INTEGER, &body) || !slice_take_u8(&body, &first) || first & 0x80)
        return false;
    if (first == 0) { /* only before an octet that would read as a sign */
        if (!slice_take_u8(&body, &second) || !(second & 0x80))
            return false;
    }
    if (body.len >= bytes_max)
        return false;
    *s = rest;
    return true;
}

bool tlv_is_ascending(struct slice a, struct slice b)
{
    /* No element is the beginning of another one, so that the shorter length decides. */
    size_t len = a.len < b.len ? a.len : b.len;
    return len > 0 && memcmp(a.data, b.data, len) < 0;
}

bool tlv_is_well_formed(struct slice s, unsigned depth_max)
{
    struct slice levels[TLV_DEPTH_MAX]; /* what is left to read of each open element */
    struct slice body;
    unsigned depth = 0;
    uint8_t tag;
    assert(depth_max <= TLV_DEPTH_MAX);
    if (!take_any(&s, &tag, &body) || s.len > 0)
        return false;
    for (;;) {
        if (tag & CONSTRUCTED) {
            if (depth == depth_max)
                return false;
            levels[depth++] = body;
        }
        while (depth > 0 && levels[depth - 1].len == 0)
            depth--;
        if (depth == 0)
            return true;
        if (!take_any(&levels[depth - 1], &tag, &body))
            return false;
    }
}
