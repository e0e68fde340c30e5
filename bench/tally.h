/*
 * bench/tally.h: how long things took, and which messages came: what makes a rate worth printing.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include "bench/common.h"

/* Times in buckets of at most 1.6% width, so that any number of them costs the same memory. */
#define TIMES_SUB_BITS 6u
#define TIMES_BUCKETS ((64u - TIMES_SUB_BITS) << TIMES_SUB_BITS)
struct times {
    uint64_t count, max_ns;
    uint64_t buckets[TIMES_BUCKETS];
};

void times_add(struct times *t, uint64_t ns);
void times_merge(struct times *into, const struct times *from);
double times_us(const struct times *t, double share); /* 0.5: the median; 0 without any */

/* Which numbers came, of one sender at one reader. */
struct seen {
    uint8_t *bits;
    size_t capacity; /* bytes */
    uint64_t next;   /* one more than the greatest that came */
    uint64_t count;  /* different ones */
};

enum arrival { ARRIVAL_NEW, ARRIVAL_REPEATED, ARRIVAL_LATE /* after a greater number */ };
enum arrival seen_add(struct seen *s, uint64_t number);
void seen_fini(struct seen *s);

/* What broke the promise. Any of them fails the run. */
struct faults {
    uint64_t lost;       /* confirmed, and not delivered (or not confirmed at all) in time */
    uint64_t repeated;   /* delivered twice in one session */
    uint64_t disordered; /* delivered after a later one of the same sender */
    uint64_t damaged;    /* other bytes than were sent, or an answer to another message */
    uint64_t refused;
    uint64_t broken; /* connections that ended */
    char first[160]; /* what the first one was */
};
void fault(struct faults *f, uint64_t *counter, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void faults_merge(struct faults *into, const struct faults *from);
uint64_t faults_sum(const struct faults *f);

#endif
