/*
 * daemon/ops/admin.h: the administrators' socket: brugctl's commands in, answers out.
 *
 * A Unix stream socket; the peer's credentials are checked when it connects: root, the daemon's own user, or a
 * member of the admin group. Frames are varint-delimited AdminRequest and AdminAnswer (admin.proto), one
 * request at a time on a connection. What the core can judge goes to relay_on_admin; here an enrolment's
 * certificates and signatures are judged first, and the answer file is put together afterwards.
 *
 * Failures: a peer without the right is answered PERMISSION and closed; a malformed frame is answered and
 * closed; a peer that goes away leaves its command to end unheard.
 * Owner: main.c, on the network thread.
 */
#ifndef DAEMON_OPS_ADMIN_H
#define DAEMON_OPS_ADMIN_H

#include "base/error.h"
#include "daemon/core/relay.h"
#include "pki/trust.h"
#include <uv.h>

struct admin;

struct admin_options {
    const char *path;  /* a stale socket there is replaced; a live one is LOCKED */
    int fd;            /* socket activation: an already bound socket; -1: bind path */
    const char *group; /* "" or the group whose members may administer too */
    struct relay *relay;
    struct trust *const *trust; /* what connections are judged by; may be swapped */
    /* What an enrolment's answer tells the client. Borrowed until admin_free. */
    const char *relay_host;
    uint32_t relay_port;
    const char *relay_anchors_path; /* PEM */
    /* Reads anchors and revocation lists again, so that what the operator just added counts. */
    void (*refresh_trust)(void *ctx);
    /* The revocation lists in force, DER, borrowed. Returns how many, at most max. */
    size_t (*crls)(void *ctx, struct slice *ders, size_t max);
    /* Fills what the relay itself does not know of the daemon. */
    void (*fill_status)(void *ctx, Brug__V1__DaemonStatus *status);
    /* Begins an account of the books; admin_answer follows. False: one is under way, or no memory. */
    bool (*account)(void *ctx, uint64_t ticket);
    /* Begins to read a page of letters, whose record is durable; admin_answer follows. False: no memory. */
    bool (*recover)(void *ctx, uint64_t ticket, const Brug__V1__Recover *wanted);
    void (*on_wake_end)(void *ctx); /* a command was handed over: flush the relay */
    void *ctx;
};

enum error admin_new(struct admin **out, uv_loop_t *loop, const struct admin_options *o) MUST_CHECK;
/* From relay_port.admin_answer. An unknown ticket (the peer left) does nothing. */
void admin_answer(struct admin *a, uint64_t ticket, const Brug__V1__AdminAnswer *answer);
/* Closes all; memory goes with the last close callback. */
void admin_free(struct admin *a);

#endif
