/* base/heap.c: a binary heap in an array; every node knows its place, so that any can be removed. */
#include "base/heap.h"
#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

void heap_init(struct heap *h) { *h = (struct heap){0}; }

void heap_fini(struct heap *h)
{
    free(h->nodes);
    heap_init(h);
}

void heap_node_init(struct heap_node *n) { *n = (struct heap_node){.position = HEAP_OUT}; }

static void place(struct heap *h, struct heap_node *n, size_t position)
{
    h->nodes[position] = n;
    n->position = position;
}

static void sift_up(struct heap *h, struct heap_node *n, size_t position)
{
    while (position > 0) {
        size_t parent = (position - 1) / 2;
        if (h->nodes[parent]->due_ms <= n->due_ms)
            break;
        place(h, h->nodes[parent], position);
        position = parent;
    }
    place(h, n, position);
}

static void sift_down(struct heap *h, struct heap_node *n, size_t position)
{
    for (;;) {
        size_t child = 2 * position + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->nodes[child + 1]->due_ms < h->nodes[child]->due_ms)
            child++;
        if (n->due_ms <= h->nodes[child]->due_ms)
            break;
        place(h, h->nodes[child], position);
        position = child;
    }
    place(h, n, position);
}

static bool grow(struct heap *h)
{
    size_t capacity = h->capacity ? h->capacity * 2 : CAPACITY_MIN;
    if (capacity < h->capacity)
        return false;
    struct heap_node **nodes = reallocarray(h->nodes, capacity, sizeof(struct heap_node *));
    if (!nodes)
        return false;
    h->nodes = nodes;
    h->capacity = capacity;
    return true;
}

enum error heap_insert(struct heap *h, struct heap_node *n, int64_t due_ms)
{
    assert(n->position == HEAP_OUT);
    if (h->count == h->capacity && !grow(h))
        return ERROR_NO_MEMORY;
    n->due_ms = due_ms;
    h->count++;
    sift_up(h, n, h->count - 1);
    return ERROR_NONE;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    size_t position = n->position;
    if (position == HEAP_OUT)
        return;
    assert(position < h->count && h->nodes[position] == n);
    struct heap_node *last = h->nodes[--h->count];
    n->position = HEAP_OUT;
    if (last == n)
        return;
    sift_down(h, last, position);
    sift_up(h, last, last->position);
}

struct heap_node *heap_first(const struct heap *h) { return h->count > 0 ? h->nodes[0] : NULL; }
