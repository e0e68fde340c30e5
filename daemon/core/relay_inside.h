/*
 * daemon/core/relay_inside.h: what the parts of the relay share: pump.c (groups and held answers),
 * session.c, delivery.c, changes.c (what follows when the directory changes) and relay.c (the way in).
 * Internal to the core.
 */
#ifndef DAEMON_CORE_RELAY_INSIDE_H
#define DAEMON_CORE_RELAY_INSIDE_H

#include "daemon/core/decide.h"
#include "daemon/core/held.h"
#include "daemon/core/relay.h"
#include "daemon/core/room.h"

#define CODES_MAX 256u /* codes on the wire are below */

struct session {
    struct map_node node;
    uint64_t id;
    struct endpoint *endpoint;
    bool is_welcome; /* Hello was accepted */
    bool is_paused;  /* its reading */
    bool is_subscribed;
    bool is_blocked;    /* its output queue is at its limit */
    uint64_t began_lsn; /* of its SESSION record: nothing leaves before */
    uint32_t unanswered;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    uint32_t in_flight; /* delivered and not acknowledged */
    size_t unstored_bytes;
    struct list due; /* in relay.due while something may be delivered */
};

struct groups { /* full ones, first in, first out */
    struct group **items;
    size_t count, capacity;
};

struct relay {
    struct relay_limits limits;
    struct relay_port port;
    void *ctx;
    struct state *state;
    struct instant now;
    struct arena *frame_arena, *decision_arena;
    struct map sessions;
    struct list due;

    struct group *open; /* NULL: nothing decided since the last hand-over */
    struct groups full;
    uint64_t in_flight_lsn; /* the last of the group in flight; 0: none */
    uint64_t durable_lsn;
    struct held_queue held;
    struct buf answer, record; /* scratch */

    struct room room;
    size_t unstored_bytes;
    bool is_paused, is_fold_behind, has_room, is_draining;

    struct list cancelling; /* endpoints that do not read any more and have copies */
    uint64_t changed_lsn;   /* of the last change of the directory */
    uint64_t followed_lsn;  /* changes up to here had their consequences for sessions */
    uint64_t anchors_lsn;   /* 0: no change is to be told */
    ProtobufCBinaryData *crls;
    size_t crl_count;

    bool has_clock_gap;
    int64_t clock_gap_ms; /* of the clocks, when time was looked at last */
    int64_t
        steps_from_ms; /* monotonic; the wall clock leapt, so that time does nothing to cases before */

    struct case_outage
        away; /* days without a record before the start; from 0: none, or recorded as an outage since */
    int64_t
        word_until_ms; /* monotonic; time does nothing to cases before: the operator may say that they were one */

    size_t loading_count, loading_bytes; /* bodies */
    int64_t loads_after_ms; /* monotonic; loads failed, so they rest until then. 0: no */
    int64_t loads_after_wall_ms;

    uint64_t accepted, acknowledged;
    uint64_t refused[CODES_MAX];
};

/* ---- pump.c ---- */

/* Commits the records of a decision to the open group and applies them; in one group, never split. */
void pump_commit(struct relay *r, struct decision *d);
/* Packs the frame into r->answer; before pump_commit, because it may borrow from the state. */
void pump_pack(struct relay *r, uint64_t request, Brug__V1__ServerFrame *frame);
/* Sends or holds what r->answer has. cost_bytes were added to the budgets as the command came. */
void pump_answer(struct relay *r, enum held_type type, uint64_t to, size_t cost_bytes);
void pump_release(struct relay *r);
/* Hands the next group over when none is in flight. */
void pump_hand_over(struct relay *r);
bool pump_is_idle(const struct relay *r);
struct policy pump_policy(const struct relay *r);
void pump_event(struct relay *r, const struct relay_event *e);
void pump_count_refusal(struct relay *r, enum error code);

/* ---- session.c ---- */

struct session *session_find(const struct relay *r, uint64_t id);
/* GoAway and close; s is freed. */
void session_end(struct relay *r, struct session *s, enum error code);
void session_end_all(struct relay *r, enum error code);
void session_free(struct relay *r, struct session *s);
void session_send(struct relay *r, struct session *s, const struct slice *parts, size_t n);
/* A Hello, a Subscribe or a Credit; may end the session. */
void session_on_hello(struct relay *r, struct session *s, const Brug__V1__ClientFrame *f);
void session_on_credit(struct relay *r, struct session *s, uint32_t messages, uint64_t bytes,
                       bool is_first);
/* Budgets for what is unstored: a command came, or its answer left (s NULL: the session is gone). */
void session_charge(struct relay *r, struct session *s, size_t bytes);
void session_discharge(struct relay *r, struct session *s, size_t bytes);
void session_update_pause(struct relay *r);

/* ---- delivery.c ---- */

void delivery_mark(struct relay *r, struct session *s);
/* After a record brought m a body or made it deliverable. */
void delivery_mark_readers(struct relay *r, struct message *m);
void delivery_run(struct relay *r);
/* Whether something waits that this session is still to get, be it on its way from the disk or beyond the credit. */
bool delivery_has_more(const struct session *s);
void delivery_on_loaded(struct relay *r, struct load *l);

/* ---- changes.c ---- */

/* After a directory row of this organisation (NULL: a municipality) was applied. */
void changes_note(struct relay *r, const struct organisation *o);
/* What follows for sessions from changes that are durable. */
void changes_follow(struct relay *r);
/* Cancels copies while the open group has room. */
void changes_cancel(struct relay *r);

#endif
