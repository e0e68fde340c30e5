/* bench/tally.c: see tally.h. */
#include "bench/tally.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUB_COUNT (1u << TIMES_SUB_BITS)

/* ---- times ---- */

/* Below SUB_COUNT one bucket a nanosecond, then SUB_COUNT buckets for each power of two. */
static size_t bucket_of(uint64_t ns)
{
    if (ns < SUB_COUNT)
        return (size_t)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - TIMES_SUB_BITS;
    return (size_t)(shift + 1) * SUB_COUNT + (size_t)((ns >> shift) - SUB_COUNT);
}

static uint64_t middle_of(size_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = (unsigned)(bucket / SUB_COUNT) - 1;
    return (uint64_t)(bucket % SUB_COUNT + SUB_COUNT) * (UINT64_C(1) << shift) +
           (UINT64_C(1) << shift) / 2;
}

void times_add(struct times *t, uint64_t ns)
{
    t->buckets[bucket_of(ns)]++;
    t->count++;
    if (ns > t->max_ns)
        t->max_ns = ns;
}

void times_merge(struct times *into, const struct times *from)
{
    for (size_t i = 0; i < TIMES_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

double times_us(const struct times *t, double share)
{
    uint64_t below = 0;
    for (size_t i = 0; i < TIMES_BUCKETS; i++) {
        below += t->buckets[i];
        if (t->buckets[i] > 0 && (double)below >= share * (double)t->count)
            return (double)middle_of(i) / 1000;
    }
    return 0;
}

/* ---- arrivals ---- */

static void seen_grow(struct seen *s, size_t wanted)
{
    size_t capacity = wanted * 2 + 1024;
    s->bits = realloc(s->bits, capacity);
    if (!s->bits)
        die("out of memory");
    memset(s->bits + s->capacity, 0, capacity - s->capacity);
    s->capacity = capacity;
}

enum arrival seen_add(struct seen *s, uint64_t number)
{
    size_t at = (size_t)(number / 8);
    uint8_t bit = (uint8_t)(1u << number % 8);
    if (at >= s->capacity)
        seen_grow(s, at + 1);
    if (s->bits[at] & bit)
        return ARRIVAL_REPEATED;
    s->bits[at] |= bit;
    s->count++;
    if (number < s->next)
        return ARRIVAL_LATE;
    s->next = number + 1;
    return ARRIVAL_NEW;
}

void seen_fini(struct seen *s) { free(s->bits); }

/* ---- faults ---- */

void fault(struct faults *f, uint64_t *counter, const char *format, ...)
{
    if (faults_sum(f) == 0) {
        va_list list;
        va_start(list, format);
        (void)vsnprintf(f->first, sizeof f->first, format, list);
        va_end(list);
    }
    ++*counter;
}

void faults_merge(struct faults *into, const struct faults *from)
{
    if (faults_sum(into) == 0)
        memcpy(into->first, from->first, sizeof into->first);
    into->lost += from->lost;
    into->repeated += from->repeated;
    into->disordered += from->disordered;
    into->damaged += from->damaged;
    into->refused += from->refused;
    into->broken += from->broken;
}

uint64_t faults_sum(const struct faults *f)
{
    return f->lost + f->repeated + f->disordered + f->damaged + f->refused + f->broken;
}
