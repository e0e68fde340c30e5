/*
 * base/list.h: an intrusive doubly linked list. The list never owns its entries.
 * A link that is in no list points to itself; unlinking such a link does nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }
static inline void list_insert_between(struct list *e, struct list *before, struct list *after)
{
    e->prev = before;
    e->next = after;
    before->next = e;
    after->prev = e;
}
static inline void list_append(struct list *l, struct list *e)
{
    list_insert_between(e, l->prev, l);
}
static inline void list_prepend(struct list *l, struct list *e)
{
    list_insert_between(e, l, l->next);
}
static inline void list_unlink(struct list *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}
static inline struct list *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->next;
}

/* Safe against unlinking e in the body. */
#define list_for_each(e, next_, l) \
    for (struct list *e = (l)->next, *next_ = e->next; e != (l); e = next_, next_ = e->next)

#endif
