/*
 * daemon/store/books.h: the books that follow from records alone (I8): for each reader what came, what left
 * and how, and the copies that are still open. Internal to the store.
 *
 * A copy is known by its reader and its sequence number. Records must come in order and each once.
 * Whatever does not fit (a sequence that was given before, an end of a copy that is not open) is a
 * difference of that reader, with a line about the first one.
 */
#ifndef DAEMON_STORE_BOOKS_H
#define DAEMON_STORE_BOOKS_H

#include "base/list.h"
#include "base/map.h"
#include "daemon/store/store.h"
#include "proto/arena.h"

struct books_message { /* while a copy of it is open */
    struct map_node node;
    struct id key[2]; /* message, organisation of the sender */
    struct list copies;
    bool is_quarantined;
};

struct books_reader {
    struct map_node node;
    struct account_reader figures;
    uint64_t sequence; /* the last one given */
};

struct books_copy {
    struct map_node node;
    struct {
        struct id endpoint;
        uint64_t sequence;
    } key;
    struct list link;
    struct books_message *message;
    struct books_reader *reader;
    bool is_parked;
    bool is_seen; /* in the tables, or opened since they were begun to be compared */
};

struct books {
    struct map readers, messages, copies;
    struct arena *arena; /* of one record; not the books' own */
    bool opens_seen;     /* copies that open from now on need no comparison */
};

void books_init(struct books *b, const uint64_t seed[2], struct arena *arena);
void books_fini(struct books *b);
/* ERROR_CORRUPT: it does not unpack. ERROR_NO_MEMORY. Types that are of no copy change nothing. */
enum error books_take(struct books *b, unsigned type, struct slice payload) MUST_CHECK;
struct books_copy *books_find_copy(const struct books *b, const struct id *endpoint,
                                   uint64_t sequence);
/* Made when it is not there. NULL: no memory. */
struct books_reader *books_reader(struct books *b, const struct id *endpoint);
/* One more difference; the first one's line stays. */
void books_differ(struct books_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
