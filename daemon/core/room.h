/*
 * daemon/core/room.h: the waiting room: commands that wait for a cold load, and those behind them on the
 * same message id or the same case (design §5). Internal to the core.
 *
 * A command holds up to two keys: its message (organisation and id) and its case. It stands in the queue
 * of each; it may run when it is at the head of all. Bounded by the owner.
 */
#ifndef DAEMON_CORE_ROOM_H
#define DAEMON_CORE_ROOM_H

#include "daemon/core/decide.h"

#define ROOM_KEYS 2u

struct waiter;

struct waiter_place {
    struct list link; /* in its key's queue */
    struct room_key *key;
    struct waiter *waiter;
};

struct waiter {
    struct list runnable;
    uint64_t session, request;
    struct endpoint *endpoint;
    struct message_key key;
    struct waiter_place places[ROOM_KEYS];
    bool is_loading; /* its load is with the storage thread */
    bool is_loaded;
    size_t cost_bytes;
    size_t len;
    uint8_t frame[]; /* decoded again when it runs */
};

struct room {
    struct map keys;
    struct list runnable;
    size_t count;
};

void room_init(struct room *room, const uint64_t seed[2]);
void room_fini(struct room *room); /* drops all who wait */
/* Whether somebody waits on one of the command's keys. */
bool room_is_taken(const struct room *room, const struct command *c);
/* Copies the frame; the waiter stands last in its queues. NULL when out of memory. */
struct waiter *room_enter(struct room *room, const struct command *c, uint64_t request,
                          struct slice frame, size_t cost_bytes);
/* Who waits for this load; NULL: nobody. */
struct waiter *room_find_loading(const struct room *room, const struct message_key *key);
/* Takes it out and frees it; who comes to the head of all its queues becomes runnable. */
void room_leave(struct room *room, struct waiter *w);
/* Marks it as one to run (again). */
void room_wake(struct room *room, struct waiter *w);
/* The next one to run, unmarked; NULL: none. */
struct waiter *room_next(struct room *room);

#endif
