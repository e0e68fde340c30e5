/*
 * daemon/core/held.c: blocks that are filled at the end and read at the front, so that an answer costs no
 * malloc. One emptied block is kept for the next.
 */
#include "daemon/core/held.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)
#define ALIGNMENT_BYTES 8u

struct entry {
    struct held held; /* held.bytes.data is not used */
    size_t size;      /* of the entry with its bytes, aligned */
    uint8_t bytes[];
};

struct held_block {
    struct held_block *next;
    size_t capacity, begin, end;
    _Alignas(ALIGNMENT_BYTES) uint8_t bytes[];
};

void held_init(struct held_queue *q) { *q = (struct held_queue){0}; }

void held_fini(struct held_queue *q)
{
    for (struct held_block *b = q->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(q->spare);
    held_init(q);
}

static struct held_block *block_with_room(struct held_queue *q, size_t size)
{
    struct held_block *b = q->last;
    if (b && size <= b->capacity - b->end)
        return b;
    size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    if (q->spare && capacity == BLOCK_BYTES) {
        b = q->spare;
        q->spare = NULL;
    } else if (!(b = malloc(sizeof *b + capacity))) {
        return NULL;
    }
    *b = (struct held_block){.capacity = capacity};
    if (q->last)
        q->last->next = b;
    else
        q->first = b;
    q->last = b;
    return b;
}

enum error held_push(struct held_queue *q, const struct held *h)
{
    if (h->bytes.len > SIZE_MAX / 4)
        return ERROR_BOUND;
    size_t size = sizeof(struct entry) + h->bytes.len;
    size = (size + ALIGNMENT_BYTES - 1) & ~(size_t)(ALIGNMENT_BYTES - 1);
    struct held_block *b = block_with_room(q, size);
    if (!b)
        return ERROR_NO_MEMORY;
    struct entry *e = (struct entry *)(void *)(b->bytes + b->end);
    e->held = *h;
    e->size = size;
    if (h->bytes.len > 0)
        memcpy(e->bytes, h->bytes.data, h->bytes.len);
    b->end += size;
    q->count++;
    return ERROR_NONE;
}

static struct entry *first_entry(const struct held_queue *q)
{
    return (struct entry *)(void *)(q->first->bytes + q->first->begin);
}

bool held_first(const struct held_queue *q, struct held *out)
{
    if (q->count == 0)
        return false;
    struct entry *e = first_entry(q);
    *out = e->held;
    out->bytes.data = e->bytes;
    return true;
}

void held_pop(struct held_queue *q)
{
    struct held_block *b = q->first;
    assert(q->count > 0);
    b->begin += first_entry(q)->size;
    q->count--;
    if (b->begin < b->end)
        return;
    q->first = b->next;
    if (!q->first)
        q->last = NULL;
    if (!q->spare && b->capacity == BLOCK_BYTES)
        q->spare = b;
    else
        free(b);
}
