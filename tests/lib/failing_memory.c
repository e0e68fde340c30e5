/* tests/lib/failing_memory.c: the wrappers that the linker puts before malloc and its kin. Their names
 * are the linker's. One thread only. */
#include "tests/lib/failing_memory.h"
#include <stddef.h>

static unsigned fails_in;
static int always, happened;

extern void *__real_malloc(size_t size) __attribute__((weak));
extern void *__real_calloc(size_t n, size_t size) __attribute__((weak));
extern void *__real_realloc(void *old, size_t size) __attribute__((weak));
extern void *__real_reallocarray(void *old, size_t n, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

void failing_memory_at(unsigned n)
{
    fails_in = n;
    always = happened = 0;
}

void failing_memory_always(void)
{
    failing_memory_at(0);
    always = 1;
}

int failing_memory_happened(void) { return happened; }

static int fails(void)
{
    if (always || (fails_in > 0 && --fails_in == 0))
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
