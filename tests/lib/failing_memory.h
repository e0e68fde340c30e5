/*
 * tests/lib/failing_memory.h: makes the n-th allocation from now fail.
 *
 * For programs whose .link file holds the line
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
 * which reaches the calls in our own objects and not those inside the C library. With
 *     -Wl,--wrap=protobuf_c_message_unpack
 * as well, a whole unpacking counts as one allocation. SQLite's memory counts after failing_memory_of_sqlite().
 */
#ifndef TESTS_LIB_FAILING_MEMORY_H
#define TESTS_LIB_FAILING_MEMORY_H

/* 1: the next one fails, 2: the one after it; 0: none. Only one fails. */
void failing_memory_at(unsigned n);
/* The n-th one and all after it fail. */
void failing_memory_from(unsigned n);
/* Allocations since then. */
unsigned failing_memory_count(void);
/* None fails or counts until it is called with 0: for the other side of a test in the same process. */
void failing_memory_pause(int is_paused);
/* Before the first use of SQLite. */
void failing_memory_of_sqlite(void);
/* Every allocation fails until failing_memory_at(0). */
void failing_memory_always(void);
/* True if the failure that was asked for has happened. */
int failing_memory_happened(void);

#endif
