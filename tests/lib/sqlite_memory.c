/* tests/lib/sqlite_memory.c: lists of free pieces by size, cut from slabs that are never given back. */
#include "tests/lib/sqlite_memory.h"
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define STEP 32u /* sizes up to SMALL_MAX come in these steps, larger ones in powers of two */
#define SMALL_MAX 2048u
#define SMALL_CLASSES (SMALL_MAX / STEP)
#define CLASSES (SMALL_CLASSES + 20)
#define SLAB_BYTES (1u << 20)

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

struct piece {
    unsigned class, bytes;
    struct piece *next; /* when free; else the caller's bytes begin here */
};
#define HEAD offsetof(struct piece, next)

static struct {
    struct piece *free[CLASSES];
    char *slab;
    size_t left;
} memory;

static unsigned class_of(unsigned bytes)
{
    if (bytes <= SMALL_MAX)
        return bytes == 0 ? 0 : (bytes - 1) / STEP;
    return SMALL_CLASSES + (unsigned)(31 - __builtin_clz((bytes - 1) / SMALL_MAX));
}

static unsigned bytes_of(unsigned class)
{
    return class < SMALL_CLASSES ? (class + 1) * STEP : SMALL_MAX << (class - SMALL_CLASSES + 1);
}

static struct piece *cut_piece(size_t bytes)
{
    if (bytes > SLAB_BYTES / 4)
        return malloc(bytes);
    if (bytes > memory.left) {
        memory.slab = malloc(SLAB_BYTES);
        memory.left = memory.slab == NULL ? 0 : SLAB_BYTES;
        if (memory.slab == NULL)
            return NULL;
    }
    struct piece *p = (struct piece *)(void *)memory.slab;
    memory.slab += bytes;
    memory.left -= bytes;
    return p;
}

static void *take(int n)
{
    unsigned class = class_of((unsigned)n);
    struct piece *p = memory.free[class];
    if (p != NULL) {
        memory.free[class] = p->next;
    } else {
        p = cut_piece(HEAD + bytes_of(class));
        if (p == NULL)
            return NULL;
        p->class = class;
        p->bytes = bytes_of(class);
    }
    return &p->next;
}

static struct piece *piece_of(void *bytes)
{
    return (struct piece *)(void *)((char *)bytes - HEAD);
}

static void give(void *bytes)
{
    if (bytes == NULL)
        return;
    struct piece *p = piece_of(bytes);
    p->next = memory.free[p->class];
    memory.free[p->class] = p;
}

static int size_of(void *bytes) { return bytes == NULL ? 0 : (int)piece_of(bytes)->bytes; }
static int round_up(int n) { return (int)bytes_of(class_of((unsigned)n)); }

static void *resize(void *bytes, int n)
{
    if (n <= size_of(bytes))
        return bytes;
    void *to = take(n);
    if (to != NULL) {
        memcpy(to, bytes, (size_t)size_of(bytes));
        give(bytes);
    }
    return to;
}

static int init(void *unused) { return SQLITE_OK; }
static void shut_down(void *unused) {}

void sqlite_memory_quick(void)
{
    static const sqlite3_mem_methods methods = {take,     give, resize,    size_of,
                                                round_up, init, shut_down, NULL};
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* these fail only when called too late */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (!IS_SANITIZED)
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
