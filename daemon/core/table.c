/* daemon/core/table.c: a map and a sorted array side by side. Entries come rarely, so the array moves. */
#include "daemon/core/table.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 16u

void table_init(struct table *t, const uint64_t seed[2])
{
    *t = (struct table){0};
    map_init(&t->map, seed);
}

void table_fini(struct table *t)
{
    map_fini(&t->map);
    free(t->sorted);
    t->sorted = NULL;
}

size_t table_count(const struct table *t) { return t->map.count; }

struct entity *table_find(const struct table *t, const struct id *id)
{
    struct map_node *n = map_find(&t->map, id->bytes, ID_BYTES);
    return n ? container_of(n, struct entity, node) : NULL;
}

size_t table_position_after(const struct table *t, const struct id *after)
{
    size_t low = 0, high = t->map.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_compare(&t->sorted[middle]->id, after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum error table_insert(struct table *t, struct entity *e)
{
    size_t count = t->map.count;
    size_t position = table_position_after(t, &e->id);
    if (count == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : CAPACITY_FIRST;
        struct entity **sorted = reallocarray(t->sorted, capacity, sizeof(struct entity *));
        if (!sorted)
            return ERROR_NO_MEMORY;
        t->sorted = sorted;
        t->capacity = capacity;
    }
    enum error error = map_insert(&t->map, &e->node, e->id.bytes, ID_BYTES);
    if (error)
        return error;
    memmove(t->sorted + position + 1, t->sorted + position,
            (count - position) * sizeof(struct entity *));
    t->sorted[position] = e;
    return ERROR_NONE;
}
