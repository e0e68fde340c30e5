/*
 * client/tlv.h: reading DER (X.690 §10) byte by byte, for grammars that are known in advance.
 *
 * Nothing is allocated and nothing recurses; results borrow the bytes that were read. Identifiers
 * are of one octet, lengths definite and in the fewest octets.
 */
#ifndef CLIENT_TLV_H
#define CLIENT_TLV_H

#include "base/buf.h"

enum tlv_tag {
    TLV_INTEGER = 0x02,
    TLV_BIT_STRING = 0x03,
    TLV_OCTET_STRING = 0x04,
    TLV_UTC_TIME = 0x17,
    TLV_GENERALIZED_TIME = 0x18,
    TLV_SEQUENCE = 0x30,
    TLV_SET = 0x31,
    TLV_CONTEXT_0 = 0x80,             /* [0] IMPLICIT of a primitive type */
    TLV_CONTEXT_0_CONSTRUCTED = 0xa0, /* [0] */
    TLV_CONTEXT_1_CONSTRUCTED = 0xa1, /* [1] */
};

/* Takes an element with exactly this identifier off the front; *body is its contents. False, and
 * nothing changed, when another one stands there, or it is cut off, or its length is not DER. */
bool tlv_take(struct slice *s, uint8_t tag, struct slice *body) MUST_CHECK;
/* The same; *element is the whole of it, with identifier and length. */
bool tlv_take_element(struct slice *s, uint8_t tag, struct slice *element, struct slice *body)
    MUST_CHECK;
/* Takes exactly these bytes off the front. */
bool tlv_take_bytes(struct slice *s, const uint8_t *bytes, size_t len) MUST_CHECK;
/* An INTEGER above 0 in the fewest octets, at most bytes_max of them without its leading zero. */
bool tlv_take_positive(struct slice *s, size_t bytes_max) MUST_CHECK;
/* True if element b has its place after element a in a DER SET OF; false also when they are
 * equal. */
bool tlv_is_ascending(struct slice a, struct slice b);
/* True if s is one element, and every constructed element in it is made of whole elements, nested
 * no deeper than depth_max. What primitive elements contain is not looked at. */
#define TLV_DEPTH_MAX 16u
bool tlv_is_well_formed(struct slice s, unsigned depth_max);

#endif
