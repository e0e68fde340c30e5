/*
 * proto/arena.c: a chain of blocks, filled from the front.
 *
 * Happy path: everything fits in the first block, so that a frame costs no malloc; reset rewinds it.
 * Failures: over the budget or out of memory, alloc returns NULL and the arena says so until the next
 * reset. Invariants: (1) spent_bytes <= budget_bytes; (2) used <= capacity in each block; (3) only
 * blocks[0], which is `first`, lives through a reset.
 */
#include "proto/arena.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT_BYTES 16u
#define BLOCK_BYTES (32u << 10)

struct block {
    struct block *next; /* an older one */
    size_t capacity;
    size_t used;
    _Alignas(ALIGNMENT_BYTES) uint8_t bytes[];
};

struct arena {
    struct block *newest;
    struct block *first;
    size_t budget_bytes;
    size_t spent_bytes;
    bool was_exceeded;
    bool lacked_memory;
    ProtobufCAllocator allocator;
};

static struct block *block_new(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *b = malloc(sizeof *b + capacity);
    if (!b)
        return NULL;
    b->next = NULL;
    b->capacity = capacity;
    b->used = 0;
    return b;
}

static void *on_alloc(void *data, size_t len) { return arena_alloc(data, len); }

static void on_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->first = a->newest = block_new(BLOCK_BYTES);
    if (!a->first) {
        free(a);
        return NULL;
    }
    a->allocator = (ProtobufCAllocator){on_alloc, on_free, a};
    return a;
}

static void drop_later_blocks(struct arena *a)
{
    while (a->newest != a->first) {
        struct block *b = a->newest;
        a->newest = b->next;
        free(b);
    }
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    drop_later_blocks(a);
    free(a->first);
    free(a);
}

void arena_free_secret(struct arena *a)
{
    for (struct block *b = a ? a->newest : NULL; b; b = b->next)
        explicit_bzero(b->bytes, b->used);
    arena_free(a);
}

void arena_reset(struct arena *a, size_t budget_bytes)
{
    drop_later_blocks(a);
    a->first->used = 0;
    a->budget_bytes = budget_bytes;
    a->spent_bytes = 0;
    a->was_exceeded = false;
    a->lacked_memory = false;
}

static struct block *block_with_room(struct arena *a, size_t len)
{
    if (len <= a->newest->capacity - a->newest->used)
        return a->newest;
    struct block *b = block_new(len > BLOCK_BYTES ? len : BLOCK_BYTES);
    if (!b) {
        a->lacked_memory = true;
        return NULL;
    }
    b->next = a->newest;
    a->newest = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t len)
{
    size_t left = a->budget_bytes - a->spent_bytes;
    /* Compared before it is rounded up, so that the rounding cannot wrap. */
    size_t rounded = len <= left ? (len + ALIGNMENT_BYTES - 1) & ~(size_t)(ALIGNMENT_BYTES - 1) : 0;
    struct block *b = NULL;
    if (rounded < len || rounded > left || !(b = block_with_room(a, rounded))) {
        a->was_exceeded = true;
        return NULL;
    }
    void *out = b->bytes + b->used;
    b->used += rounded;
    a->spent_bytes += rounded;
    assert(b->used <= b->capacity && a->spent_bytes <= a->budget_bytes);
    return out;
}

size_t arena_spent_bytes(const struct arena *a) { return a->spent_bytes; }

bool arena_was_exceeded(const struct arena *a) { return a->was_exceeded; }

bool arena_lacked_memory(const struct arena *a) { return a->lacked_memory; }

ProtobufCAllocator *arena_allocator(struct arena *a) { return &a->allocator; }
