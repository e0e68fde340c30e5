/*
 * tests/lib/directory.h: temporary directories, in memory where tests/run.sh has such a place: most tests make many commits,
 * and what a disk survives is not their question. What cannot be done ends the program.
 */
#ifndef TESTS_LIB_DIRECTORY_H
#define TESTS_LIB_DIRECTORY_H

#include <stddef.h>

/* Of mode 0700; the caller's, until directory_free takes it away with the files in it. */
char *directory_new(void);
void directory_free(char *path);
/* A new one with copies of the files as they are, as a crash would leave them. */
char *directory_copy(const char *path);
void directory_file(char *out, size_t out_len, const char *path, const char *name);

#endif
