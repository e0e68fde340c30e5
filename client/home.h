/*
 * client/home.h: the directory of a profile: keys, store, lock, and who this endpoint is.
 */
#ifndef CLIENT_HOME_H
#define CLIENT_HOME_H

#include "brug/v1/admin.pb-c.h"
#include "client/client.h"

#define HOME_FILE_BYTES_MAX (1u << 20) /* an invitation, request or answer */

/* A path inside the profile's directory; free(). NULL without memory. */
char *home_path(const struct brug *b, const char *name);
/* Makes the directory (0700) and opens the store in it, once. */
enum error home_open_store(struct brug *b) MUST_CHECK;
/* Reads the keys. ERROR_PERMISSION with a line that says which chmod mends it. */
enum error home_load_keys(struct brug *b) MUST_CHECK;
/* All that state and settings say about this endpoint; keys too, once there are any. */
enum error home_load(struct brug *b) MUST_CHECK;
/* Anchors, scopes and CRLs, of the answer and of the store, anew. */
enum error home_load_trust(struct brug *b) MUST_CHECK;
/* One of the enrolment's messages from the text that carries it; *arena owns *out. ERROR_USAGE. */
enum error home_decode(const ProtobufCMessageDescriptor *type, struct slice bytes,
                       struct arena **arena, ProtobufCMessage **out) MUST_CHECK;
/* The same from a setting. ERROR_NOT_FOUND. */
enum error home_decode_setting(struct brug *b, const char *name,
                               const ProtobufCMessageDescriptor *type, struct arena **arena,
                               ProtobufCMessage **out) MUST_CHECK;
/* Whether the directory has a file of that name. */
enum error home_has_file(struct brug *b, const char *name, bool *out) MUST_CHECK;
/* The lock that makes one process the owner of the connection. ERROR_LOCKED. */
enum error home_lock(struct brug *b) MUST_CHECK;
void home_unlock(struct brug *b);

/* What two people compare: 12 digits of SHA-256 over the parts. */
enum error home_compare_code(const struct digest *d, char out[BRUG_COMPARE_BYTES]) MUST_CHECK;

/* One of EnrolAnswer.scopes: of a municipality, or of one organisation in it. */
enum error home_read_scope(const Brug__V1__AnchorScope *s, struct anchor_scope *out) MUST_CHECK;

#endif
