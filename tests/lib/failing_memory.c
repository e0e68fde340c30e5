/* tests/lib/failing_memory.c: the wrappers that the linker puts before malloc and its kin. Their names
 * are the linker's. One thread only. */
#include "tests/lib/failing_memory.h"
#include <protobuf-c/protobuf-c.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>

static unsigned count, fails_first, fails_last; /* 0: none */
static int always, happened, paused;
static sqlite3_mem_methods sqlite_memory;

extern void *__real_malloc(size_t size) __attribute__((weak));
extern void *__real_calloc(size_t n, size_t size) __attribute__((weak));
extern void *__real_realloc(void *old, size_t size) __attribute__((weak));
extern void *__real_reallocarray(void *old, size_t n, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

static void begin(unsigned first, unsigned last)
{
    fails_first = first;
    fails_last = last;
    count = 0;
    always = happened = 0;
}

void failing_memory_at(unsigned n) { begin(n, n); }
void failing_memory_from(unsigned n) { begin(n, ~0u); }

void failing_memory_always(void)
{
    begin(0, 0);
    always = 1;
}

int failing_memory_happened(void) { return happened; }
unsigned failing_memory_count(void) { return count; }
void failing_memory_pause(int is_paused) { paused = is_paused; }

static int fails(void)
{
    if (paused)
        return 0;
    count++;
    if (always || (fails_first > 0 && count >= fails_first && count <= fails_last))
        return happened = 1;
    return 0;
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }

void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, n, size);
}

extern ProtobufCMessage *__real_protobuf_c_message_unpack(const ProtobufCMessageDescriptor *type,
                                                          ProtobufCAllocator *allocator, size_t len,
                                                          const uint8_t *bytes)
    __attribute__((weak));
ProtobufCMessage *__wrap_protobuf_c_message_unpack(const ProtobufCMessageDescriptor *type,
                                                   ProtobufCAllocator *allocator, size_t len,
                                                   const uint8_t *bytes);

ProtobufCMessage *__wrap_protobuf_c_message_unpack(const ProtobufCMessageDescriptor *type,
                                                   ProtobufCAllocator *allocator, size_t len,
                                                   const uint8_t *bytes)
{
    return fails() ? NULL : __real_protobuf_c_message_unpack(type, allocator, len, bytes);
}

/* ---- SQLite ---- */

static void *sqlite_malloc(int size) { return fails() ? NULL : sqlite_memory.xMalloc(size); }

static void *sqlite_realloc(void *old, int size)
{
    return fails() ? NULL : sqlite_memory.xRealloc(old, size);
}

void failing_memory_of_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) != SQLITE_OK)
        abort();
    sqlite3_mem_methods failing = sqlite_memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK)
        abort();
}
