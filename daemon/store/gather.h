/*
 * daemon/store/gather.h: writes of a file that follow one another, until somebody needs them below.
 *
 * SQLite writes a frame of the WAL as 24 bytes and a page, and a check-point page by page; each call of the system
 * costs more than the copy. What is gathered goes down as one write before the file is synced, read, truncated,
 * measured or closed, and before a write that does not follow.
 *
 * Failures: a write that fails below is told by the call that sent it down, and by every later one: nothing is
 * written behind a hole.
 */
#ifndef DAEMON_STORE_GATHER_H
#define DAEMON_STORE_GATHER_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/* Of one file at most. SQLite's own VFS takes no write of 128 KiB. */
#define GATHER_BYTES ((size_t)120 << 10)

/* All zero: empty. */
struct gather {
    uint8_t *bytes;
    size_t len;
    sqlite3_int64 offset; /* of the first */
    int failed;           /* SQLite's code */
};

/* Room for the next `len` bytes (GATHER_BYTES at most) of the file, at `offset`, to be filled at once. NULL: *code
 * says why. */
uint8_t *gather_room(struct gather *g, sqlite3_file *below, size_t len, sqlite3_int64 offset,
                     int *code);
/* Writes what was gathered. */
int gather_flush(struct gather *g, sqlite3_file *below);
void gather_fini(struct gather *g); /* writes nothing */

#endif
