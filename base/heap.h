/* base/heap.h: an intrusive binary min-heap of deadlines. The heap never owns its entries. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define HEAP_OUT ((size_t)-1)

struct heap_node {
    int64_t due_ms;
    size_t position; /* HEAP_OUT when in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count, capacity;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
void heap_node_init(struct heap_node *n);
/* The node must be out (asserted). ERROR_NO_MEMORY. */
enum error heap_insert(struct heap *h, struct heap_node *n, int64_t due_ms) MUST_CHECK;
void heap_remove(struct heap *h, struct heap_node *n); /* does nothing when it is out */
struct heap_node *heap_first(const struct heap *h);    /* NULL when empty */

#endif
