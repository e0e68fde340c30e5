/*
 * bench/world.h: who takes part in a benchmark: senders, addressed organisations with their readers, and
 * endpoints that only stay connected. `brug-bench enrol` makes it at a relay and writes it down; every
 * other command reads it.
 *
 * A NOTICE is about no case and goes from a team to a practice, so each sender is the one consultant of a
 * team of its own (then nobody of the sender's team is a reader too), and readers are practice systems.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "bench/common.h"

#define WORLD_SENDERS_MAX 64u
#define WORLD_TARGETS_MAX 16u
#define WORLD_READERS_MAX 16u /* of one target */
#define WORLD_IDLE_MAX 20000u
#define WORLD_PATH_BYTES 512

struct world_endpoint {
    struct id organisation, person, endpoint; /* person none: a system */
};

struct world_target {
    struct id organisation, recovery;
    size_t reader_count;
    struct world_endpoint readers[WORLD_READERS_MAX]; /* ascending */
};

struct world {
    char folder[WORLD_PATH_BYTES];
    struct id municipality;
    size_t sender_count, target_count, idle_count;
    struct world_endpoint senders[WORLD_SENDERS_MAX];
    struct world_target targets[WORLD_TARGETS_MAX];
    struct world_endpoint *idle;
};

struct world_wish {
    const char *folder; /* where ENDPOINT.pem (key and certificate) and the file `world` go */
    const char *socket; /* of the relay's administration */
    const char *pki;    /* a folder of certs/make-pki: its CA certifies */
    size_t sender_count, idle_count;
};

/* Enrols everybody; dies when the relay refuses. */
void world_enrol(const struct world_wish *wish);
struct world *world_read(const char *folder);
void world_free(struct world *w);
/* Of an endpoint's key and certificate; returns out. */
char *world_pem(const struct world *w, const struct id *endpoint, char out[WORLD_PATH_BYTES]);

#endif
