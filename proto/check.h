/*
 * proto/check.h: our own check of every field that a peer can send, after unpacking [P-15]. Pure.
 *
 * Each returns ERROR_NONE or the code to refuse with, and then names the field in *field (a static
 * string such as "header.readers"). What depends on the directory, on time or on a case is not checked here.
 */
#ifndef PROTO_CHECK_H
#define PROTO_CHECK_H

#include "base/error.h"
#include "base/id.h"
#include "brug/v1/content.pb-c.h"
#include "brug/v1/wire.pb-c.h"

struct slice check_slice(ProtobufCBinaryData b);
/* 16 bytes, not all zero: ERROR_ID_MALFORMED. */
enum error check_id(ProtobufCBinaryData b, struct id *out) MUST_CHECK;

/* A frame from a client: one oneof member, ids, enums, lengths and counts of all but the header.
 * FRAME_MALFORMED and CREDIT_EXCEEDED close the connection; all other codes refuse the request. */
enum error check_client_frame(const Brug__V1__ClientFrame *f, const char **field) MUST_CHECK;

/*
 * A header: its version (UPDATE_SENDER), ids (ID_MALFORMED; the message id v4 or v7), enums in their
 * closed lists (CODE_UNKNOWN; an unknown or relay-made kind: UPDATE_RELAY), readers and copies strictly
 * ascending and within LIMIT_READERS / LIMIT_COPIES (TOO_MANY_READERS), no bytes but ids anywhere (so
 * that no free text can hide), which codes the kind needs (CODE_MISSING) and may carry
 * (FIELD_NOT_ALLOWED): one table, kind x field.
 */
enum error check_header(const Brug__V1__Header *h, const char **field) MUST_CHECK;

/*
 * The same for a frame that a client received: every id, length, enum, count and text; all that does not
 * hold is FRAME_MALFORMED. A frame without a member that we know is right: it is to be ignored.
 */
enum error check_server_frame(const Brug__V1__ServerFrame *f, const char **field) MUST_CHECK;
/*
 * A header that a client received: as check_header, but relay-made kinds are allowed (without a sender, the
 * message id a UUIDv8), and so is an unknown kind (shown as "update"), which may carry any field.
 */
enum error check_received_header(const Brug__V1__Header *h, const char **field) MUST_CHECK;
/*
 * The header of an earlier letter, as a HISTORY or a recovery file carries it: as check_header, but a HISTORY may be
 * one that a recovery entry made, which acts for no person and may have no case.
 */
enum error check_handed_header(const Brug__V1__Header *h, const char **field) MUST_CHECK;
bool check_is_recovered(const Brug__V1__Header *h);
/* Parts of the directory, sent or received: REQUEST_MALFORMED, ID_MALFORMED. A roster's and a binding's
 * exact bytes are decoded first; no clear text may hold what looks like a BSN. */
enum error check_card(const Brug__V1__Card *c, const char **field) MUST_CHECK;
enum error check_countersignature(const Brug__V1__Countersignature *c, const char **field)
    MUST_CHECK;
enum error check_entry(const Brug__V1__EndpointEntry *e, const char **field) MUST_CHECK;
enum error check_epoch(const Brug__V1__Epoch *e, const char **field) MUST_CHECK;
enum error check_organisation(const Brug__V1__OrganisationEntry *o, const char **field) MUST_CHECK;
enum error check_directory(const Brug__V1__Directory *d, const char **field) MUST_CHECK;
enum error check_binding(const Brug__V1__Binding *b, const char **field) MUST_CHECK;
enum error check_roster(const Brug__V1__Roster *r, const char **field) MUST_CHECK;
/* LETTER_CONTENT. */
enum error check_content(const Brug__V1__Content *c, const char **field) MUST_CHECK;

#endif
