/* tests/lib/sqlite_memory.h: memory for SQLite in a test of one thread that opens thousands of databases a second. */
#ifndef TESTS_LIB_SQLITE_MEMORY_H
#define TESTS_LIB_SQLITE_MEMORY_H

/* Before anything else of SQLite is called. SQLite then serves one thread only and counts no memory; what is freed is kept by
 * size for the next of that size. Under a sanitizer memory stays the system's. */
void sqlite_memory_quick(void);

#endif
