/*
 * client/family.h: the tags of a case [R41]: what of a youth they are made of, and how [P-145] [P-146]. Pure.
 *
 * Two letters about one child or one household must give the same tag however they are typed, and others another one:
 * so what cannot be read for certain gives none.
 */
#ifndef CLIENT_FAMILY_H
#define CLIENT_FAMILY_H

#include "base/digest.h"
#include "brug/v1/content.pb-c.h"

#define FAMILY_KEY_BYTES 32u
#define FAMILY_ADDRESS_BYTES 24u

struct family_tags {
    bool has_child, has_household;
    struct digest child, household;
};

/* Postcode, house number and addition: "7255AB 12 A". False when they cannot be read for certain. */
bool family_read_address(const char *address, char out[FAMILY_ADDRESS_BYTES]);
/* Letters of the Latin alphabet without case and accents, digits, and what is not Latin; all else is left out. Appends. */
enum error family_fold_name(const char *name, struct buf *out) MUST_CHECK;
/* NO_MEMORY, CRYPTO. */
enum error family_make_tags(const uint8_t key[FAMILY_KEY_BYTES], const Brug__V1__Youth *youth,
                            struct family_tags *out) MUST_CHECK;

#endif
