/*
 * daemon/core/table.h: things with an id, found by it and walked in its order. A table never owns its
 * entries; nothing is ever taken out of one (what ends is suspended, not removed).
 */
#ifndef DAEMON_CORE_TABLE_H
#define DAEMON_CORE_TABLE_H

#include "base/id.h"
#include "base/list.h"
#include "base/map.h"

struct entity {
    struct map_node node;
    struct id id;
    uint64_t changed_lsn; /* of the last record that changed it */
};

struct table {
    struct map map;
    struct entity **sorted; /* map.count of them, ascending by id */
    size_t capacity;
};

void table_init(struct table *t, const uint64_t seed[2]);
void table_fini(struct table *t);
size_t table_count(const struct table *t);
struct entity *table_find(const struct table *t, const struct id *id);
/* The id must be new (asserted). ERROR_NO_MEMORY: nothing changed. */
enum error table_insert(struct table *t, struct entity *e) MUST_CHECK;
/* Position in `sorted` of the first entry whose id is greater than `after`. */
size_t table_position_after(const struct table *t, const struct id *after);

#endif
