/*
 * daemon/daemon.h: a running brugd: the relay with its surroundings on one loop (design §7, §8).
 *
 *     sockets -> net -> port.c -> relay -> store thread -> disk
 *                                   ^--- "durable" <---'
 *
 * Happy path: daemon_start makes everything and says READY; daemon_run runs the loop until a signal has
 * drained it. Each wake-up hands its input to the relay, then flushes the relay, then the connections.
 * Failures: at the start one line and an exit status of sysexits.h; later a failed commit ends the process at
 * once, because nothing may leave any more.
 *
 * Invariants
 *  1. All but the store runs on one thread.
 *  2. After `store` is stopped the relay is not called any more.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/core/relay.h"
#include "daemon/net/net.h"
#include "daemon/ops/admin.h"
#include "daemon/ops/config.h"
#include "daemon/ops/notify.h"
#include "daemon/ops/tls_files.h"
#include "daemon/store/store.h"

#define DAEMON_SIGNALS 3

struct daemon {
    const struct config *config;
    uv_loop_t loop;
    bool has_loop;
    uv_async_t stored; /* the storage thread has something */
    uv_signal_t signals[DAEMON_SIGNALS];
    uv_timer_t second;
    struct tls_files *tls;
    struct net *net;
    struct relay *relay;
    struct store_thread *store;
    struct admin *admin;
    struct buf relay_anchors_path;
    char listening[256];
    struct instant started_at;
    int64_t committing_since_ms; /* monotonic; 0: no group is with the store */
    uint64_t folded_lsn, free_bytes, needed_bytes;
    uint64_t hash_seed[2];
    uint64_t account_ticket; /* who waits for the account that is under way; 0: none is */
    bool is_behind, was_crl_stale;

    bool is_draining, is_stopping;
    int64_t drain_due_ms, drained_at_ms; /* monotonic; 0: not yet */
    int status;                          /* what the process exits with */
};

/* An exit status of sysexits.h after a line in the log; 0 when it runs. daemon_fini in any case. */
int daemon_start(struct daemon *d, const struct config *c) MUST_CHECK;
int daemon_run(struct daemon *d) MUST_CHECK;
void daemon_fini(struct daemon *d);

/* ---- account.c: the books for an administrator ---- */
/* admin_options.account. */
bool daemon_begin_account(void *ctx, uint64_t ticket);
/* Answers whoever asked; frees the account. */
void daemon_end_account(struct daemon *d, struct account *a, enum error failed);

/* ---- recovery.c: letters for the holder of a recovery key ---- */
/* admin_options.recover. */
bool daemon_begin_recovery(void *ctx, uint64_t ticket, const Brug__V1__Recover *wanted);
/* Answers whoever asked; frees the load. */
void daemon_end_recovery(struct daemon *d, struct load *l);

/* ---- port.c: the relay's port, net's events ---- */
extern const struct relay_port daemon_relay_port;
extern const struct net_events daemon_net_events;
/* What a wake-up ends with, whoever began it. */
void daemon_end_wake_up(void *ctx);
/* Anchors of the core and lists of crl_directory; on an error the old ones stay. */
enum error daemon_reload_trust(struct daemon *d) MUST_CHECK;

#endif
