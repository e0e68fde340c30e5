/*
 * client/keep.h: what came of a directory, kept as it came: organisations and revocation lists. Whether it is believed is judged
 * whenever it is used (pins.h).
 */
#ifndef CLIENT_KEEP_H
#define CLIENT_KEEP_H

#include "brug/v1/wire.pb-c.h"
#include "client/client.h"

/* Inside a transaction. `round`: of the fetch of that municipality's directory. */
enum error keep_organisation(struct brug *b, const struct id *municipality, int64_t round,
                             const Brug__V1__OrganisationEntry *o) MUST_CHECK;
/* What is older, damaged, or of a signer that is not ours is left out: *is_new says it. */
enum error keep_crl(struct brug *b, struct slice der, bool *is_new) MUST_CHECK;

#endif
