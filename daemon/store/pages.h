/*
 * daemon/store/pages.h: a layer under SQLite that finds what the disk changed.
 *
 * Each page of the database carries a checksum over its number and its content in its last 8 bytes (SQLite
 * leaves them free), written with it and compared whenever it is read: a flipped bit in a row, in a key or in
 * the pages that lead to it is an error and never an answer, above all never "not found". A page is read
 * when it is needed, so a start costs no history. A WAL is judged before SQLite recovers it (wal.h).
 *
 * One layer for one connection. It keeps no state but its registration.
 */
#ifndef DAEMON_STORE_PAGES_H
#define DAEMON_STORE_PAGES_H

#include <sqlite3.h>
#include <stdbool.h>

#define PAGES_BYTES 8192                             /* of a page */
#define PAGES_RESERVED_BYTES 8                       /* at its end */
#define PAGES_DAMAGED SQLITE_IOERR_DATA              /* a page is not as it was written */
#define PAGES_WAL_DAMAGED (SQLITE_IOERR | 0x7f << 8) /* nor the WAL */

struct pages;

/* Over the VFS of this name (NULL: the default), under a name of its own. NULL: no such VFS, no memory. */
struct pages *pages_new(const char *below);
const char *pages_name(const struct pages *p);
/* Accepts NULL. After its connection is closed. */
void pages_free(struct pages *p);

/* Whether the database of this connection has pages of this kind; asked after its first read. */
bool pages_are_summed(sqlite3 *connection);

#endif
