/*
 * daemon/core/relay.h: the relay without its surroundings: sessions, decide and apply, and the pump that
 * groups, waits for cold loads and holds answers until they may leave (I1). Pure: no I/O, no clock, no
 * randomness; everything comes in by a call and goes out through the port. One thread.
 *
 * Happy path of a Submit: relay_on_frame decodes and checks it, decide judges it on the state, apply
 * changes the state, its record joins the open group and its receipt waits. relay_flush hands the group
 * to port->commit when no other is in flight. relay_on_durable(lsn) lets every answer leave that was judged on state up
 * to lsn, delivers what became durable, and hands over the next group.
 *
 * Invariants
 *  1. No frame but Pong, GoAway and a refused Hello leaves before all it was judged on is durable.
 *  2. Answers of one session leave in the order of commit; commands on one message id or case wait behind each other.
 *  3. At most one group is in flight; lsn rises without gaps.
 *  4. A session never has more delivered and unacknowledged than its credit; nothing is delivered twice in one session.
 *  5. After port->close(session) nothing more is sent to it.
 */
#ifndef DAEMON_CORE_RELAY_H
#define DAEMON_CORE_RELAY_H

#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "brug/v1/admin.pb-c.h"
#include "daemon/core/group.h"
#include "daemon/core/load.h"
#include "daemon/core/state.h"
#include "rules/case.h"

struct relay;

/* One line for the log: what happened to whom; ids may be none. No content, ever. */
struct relay_event {
    const char
        *name; /* "session.began", "submit.refused", "message.quarantined", "message.repeated", … */
    enum error code;
    const char *field; /* NULL or the static name of a field */
    uint64_t session;
    struct id organisation, endpoint, message_id, case_id;
    struct case_outage days; /* from 0: none */
};

struct relay_port {
    /* Queues bytes (whole frames, length prefixes included) for the session, in order. False: its queue is at
     * its limit; the bytes were taken, but no delivery should follow before relay_on_drained. */
    bool (*send)(void *ctx, uint64_t session, const struct slice *parts, size_t n);
    /* Ends the session after what was sent; the GoAway is already sent. relay_on_disconnect does not follow. */
    void (*close)(void *ctx, uint64_t session, enum error code);
    /* Welcome was decided: from now on frames of this size are allowed. */
    void (*welcomed)(void *ctx, uint64_t session, size_t frame_bytes_max);
    /* Stop / go on reading this session's connection; session 0: all connections. */
    void (*pause)(void *ctx, uint64_t session, bool is_paused);
    /* Takes the group; relay_on_durable follows when it is on disk. If it cannot be, the process ends. */
    void (*commit)(void *ctx, struct group *g);
    /* Takes the load; relay_on_loaded follows. */
    void (*load)(void *ctx, struct load *l);
    /* Ends an administrator's command. Borrowed for the call. */
    void (*admin_answer)(void *ctx, uint64_t ticket, const Brug__V1__AdminAnswer *a);
    /* Trust anchors of municipalities changed (durably): fetch relay_anchors and reload. */
    void (*anchors_changed)(void *ctx);
    void (*event)(void *ctx, const struct relay_event *e);
};

/* Bounds, from the settings; each a hard limit. */
struct relay_limits {
    size_t message_bytes_max;
    uint32_t readers_max;
    uint32_t requests_max; /* unanswered, per session */
    uint32_t credit_messages_max;
    uint64_t credit_bytes_max;
    uint32_t idle_ms_max; /* told in Welcome; net enforces it */
    size_t
        session_unstored_bytes_max; /* submits of one session not yet durable: then its reading pauses */
    size_t unstored_bytes_max;      /* of all sessions */
    size_t group_bytes_max;         /* records and bodies of one group */
    size_t body_cache_bytes_max; /* bodies kept in memory for delivery */
    uint64_t waiting_max;        /* references over all mailboxes; beyond: FULL */
    uint64_t waiting_bytes_max;
    uint32_t quota_messages_max; /* per sending organisation, fetched by no addressed endpoint */
    uint64_t quota_bytes_max;
    uint32_t waiting_commands_max; /* that wait for cold loads; beyond: BUSY */
    uint64_t known_ids_max;        /* messages kept in memory that nobody waits for; 0: no bound */
    uint32_t redelivery_sessions_max; /* in vain, then a copy is parked; 0: never, at most 255 */
    uint32_t redelivery_interval_ms;  /* sessions in vain of one copy count once in so long */
    uint32_t outage_wait_ms; /* for the operator's word, where the relay may have been away */
    struct case_terms terms;
};

/* Takes the loaded state (*state becomes NULL). `lsn` continues from it. NULL when out of memory. */
struct relay *relay_new(const struct relay_limits *limits, const struct relay_port *port, void *ctx,
                        struct state **state);
void relay_free(struct relay *r);

/*
 * The relay begins to work, after a last record that it made at this time (ms; 0: there is none). If a working day lies
 * between the two, it may have been away then: it says so (relay.was_away), and for limits.outage_wait_ms time does nothing to cases, so
 * that the operator can record an outage before anything is called overdue. What is recorded ends that wait.
 */
void relay_begin(struct relay *r, int64_t last_ms, struct instant now);

struct relay_peer {
    struct digest key;    /* SHA-256 of the certificate's SubjectPublicKeyInfo */
    struct digest anchor; /* of the anchor that the chain reached */
    int64_t not_after_ms;
};

/* A TLS connection was made and judged. `session` is never 0 and never used again. A peer that is not
 * enrolled, suspended, or vouched for by an anchor that is not its own municipality's gets GoAway and close. */
void relay_on_connect(struct relay *r, uint64_t session, const struct relay_peer *peer,
                      struct instant now);
/* One whole frame without its length prefix; borrowed. */
void relay_on_frame(struct relay *r, uint64_t session, struct slice frame, struct instant now);
/* The connection is gone, by the peer or by net (a limit): the session's unanswered commands go on, unheard. */
void relay_on_disconnect(struct relay *r, uint64_t session);
/* The session's output queue has room again. */
void relay_on_drained(struct relay *r, uint64_t session, struct instant now);
/* net closes a session for a limit: sends GoAway(code) and port->close. */
void relay_refuse(struct relay *r, uint64_t session, enum error code);

/* End of a wake-up: hands the open group over when none is in flight. Answers that wait for nothing have left. */
void relay_flush(struct relay *r, struct instant now);
void relay_on_durable(struct relay *r, uint64_t lsn, struct instant now);
void relay_on_loaded(struct relay *r, struct load *l, struct instant now); /* takes l */

/* False: below the reserve: Submits get FULL, all else goes on. */
void relay_set_room(struct relay *r, bool has_room);
/* Fold lag over its bound: Submits wait (reading pauses) until it falls. */
void relay_set_fold_behind(struct relay *r, bool is_behind);
/* What is folded up to `lsn` and not needed any more leaves memory. */
void relay_set_folded(struct relay *r, uint64_t lsn);
/* Revocation lists for Directory answers, DER; copied. */
enum error relay_set_crls(struct relay *r, const struct slice *crls, size_t n) MUST_CHECK;

/*
 * An administrator's command; the answer comes through port->admin_answer once durable. For AddEndpoint `endpoint` is the
 * row that ops verified (request, certificates, chain, binding); else NULL. The request is borrowed.
 */
void relay_on_admin(struct relay *r, uint64_t ticket, const Brug__V1__Operator *by,
                    const Brug__V1__AdminRequest *request, const Brug__V1__EndpointRow *endpoint,
                    struct instant now);

/* Anchors of all active municipalities, each once and with the first that names it; LIMIT_ANCHORS at most.
 * DER, borrowed until the next call into the relay. */
size_t relay_anchors(const struct relay *r, struct slice *ders, struct id *municipalities,
                     size_t max);
/* What ops needs for an enrolment: NOT_FOUND. Rows are borrowed until the next call into the relay. */
const Brug__V1__MunicipalityRow *relay_municipality(const struct relay *r, const struct id *id);
const Brug__V1__OrganisationRow *relay_organisation(const struct relay *r, const struct id *id);
const Brug__V1__PersonRow *relay_person(const struct relay *r, const struct id *id);
const Brug__V1__EndpointRow *relay_endpoint(const struct relay *r, const struct id *id);
/* What a Recover that was answered asks of the storage thread (recovery.c); NULL: no memory. Its answer is the caller's matter. */
struct load *relay_recovery(const struct relay *r, const Brug__V1__Recover *q, uint64_t ticket);

/* When relay_on_time must be called at the latest (wall clock, ms; INT64_MAX: never): a locum's end date. */
int64_t relay_next_deadline_ms(const struct relay *r);
void relay_on_time(struct relay *r, struct instant now);

/* SIGTERM: GoAway(SHUTTING_DOWN) to all, no new sessions; relay_is_idle when nothing is uncommitted or unanswered. */
void relay_drain(struct relay *r, struct instant now);
bool relay_is_idle(const struct relay *r);

/* Counts a refusal that net or ops made (TLS and frame codes), for `brugctl status`. */
void relay_count_refusal(struct relay *r, enum error code);
/* Fills the counters that the core knows (lsn, sessions, waiting, accepted, …); the caller adds the rest. */
void relay_status(const struct relay *r, Brug__V1__DaemonStatus *s, Brug__V1__CodeCount *counts,
                  size_t counts_max, size_t *n);
const struct state *relay_state(const struct relay *r); /* for tests: state_digest */

#endif
