/*
 * client/client.h: the inside of struct brug, for the files of this floor.
 *
 * One handle is one profile. home.c fills the identity and the keys; belief and directory judge whom
 * to trust; outbox and inbox hold letters; session.c moves frames. All state that must outlive the process is in
 * the store; what is here is only what one process needs.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/letter.h"
#include "client/store.h"
#include "include/brug.h"
#include "pki/binding.h"
#include "proto/arena.h"

#define CLIENT_EVENTS_MAX 256u
#define CLIENT_SCOPES_MAX 256u
#define CLIENT_ENTRY_BYTES_MAX (2u << 20) /* a packed OrganisationEntry */
#define CLIENT_SEALED_BYTES_MAX (40u << 20)

struct session;

struct client_identity {
    struct id municipality, organisation, person, endpoint;
    int role;
    bool is_recovery;
    struct buf binding;   /* exact bytes */
    struct buf signature; /* over it */
    struct digest binding_digest;
};

struct brug {
    char *directory;
    char line[512]; /* the last failure, for people */
    enum brug_state state;
    struct db *db;
    struct client_identity self;
    struct letter_keys keys; /* owned; NULL until they are there */
    struct buf
        chain; /* the own identity certificate and its intermediates, DER one after the other */
    struct trust *people; /* anchors and CRLs for directory entries */
    struct trust *
        anchors; /* the same anchors without lists: for what a colleague vouches for (pins_judge_handed) */
    struct trust *relay; /* and for the relay's own certificate */
    struct anchor_scope scopes[CLIENT_SCOPES_MAX];
    size_t scope_count;
    struct session *session;
    int fd;      /* epoll: the relay's socket and the wake pipe */
    int lock_fd; /* held while this process owns the connection; else -1 */
    struct brug_event events[CLIENT_EVENTS_MAX];
    size_t event_first, event_count;
    int64_t (*now_ms)(void *ctx); /* wall clock; tests replace it */
    void *now_ctx;
};

/* Writes the line and returns e. */
enum error client_fail(struct brug *b, enum error e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line from the error's own text, for what needs no more. ERROR_NONE: untouched. */
enum error client_failed(struct brug *b, enum error e);
/* The store or the memory failed: nothing is said of what was looked at. */
bool client_is_of_store(enum error e);
int64_t client_now_ms(const struct brug *b);
/* The relay's clock, as far as it was heard: the own one unless they differ by more than a minute. */
enum error client_relay_now_ms(struct brug *b, int64_t *out) MUST_CHECK;
void client_event(struct brug *b, enum brug_event_type type, int error, int64_t number,
                  const struct id *organisation);
/* Takes back the events since the mark: what they told was not kept. None may be taken out in between. */
struct client_events {
    size_t first, count;
};
struct client_events client_events_mark(const struct brug *b);
void client_events_drop_since(struct brug *b, struct client_events mark);
/* Fills len random bytes. ERROR_CRYPTO. */
enum error client_random(void *out, size_t len) MUST_CHECK;
/* Needs state READY and an open store: ERROR_CONFIRM with its line. */
enum error client_need_ready(struct brug *b) MUST_CHECK;
/* Another process that has the connection, or this one, shall look into the store. */
void client_wake(struct brug *b);

struct id client_id(const struct brug_id *id);
struct brug_id client_public_id(const struct id *id);
/* Of a field of a message that was checked: ID_NONE when it is empty. */
struct id client_field_id(ProtobufCBinaryData field);
/* Whether a field says this id; ID_NONE: whether it is empty. */
bool client_field_is(ProtobufCBinaryData field, const struct id *id);
bool client_is_among(const struct id *id, const ProtobufCBinaryData *fields, size_t n);
/* Borrows. */
ProtobufCBinaryData client_field(struct slice s);
ProtobufCBinaryData client_id_field(const struct id *id); /* empty for ID_NONE */

#endif
