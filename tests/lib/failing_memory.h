/*
 * tests/lib/failing_memory.h: makes the n-th allocation from now fail.
 *
 * For programs whose .link file holds the line
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
 * which reaches the calls in our own objects and not those inside the C library.
 */
#ifndef TESTS_LIB_FAILING_MEMORY_H
#define TESTS_LIB_FAILING_MEMORY_H

/* 1: the next one fails, 2: the one after it; 0: none. Only one fails. */
void failing_memory_at(unsigned n);
/* Every allocation fails until failing_memory_at(0). */
void failing_memory_always(void);
/* True if the failure that was asked for has happened. */
int failing_memory_happened(void);

#endif
