/*
 * daemon/store/wal.h: tells a WAL that the disk changed from one that a power cut tore.
 *
 * SQLite takes the frames of a WAL up to the first whose checksum does not fit, and forgets the rest in
 * silence, because the end of a WAL may always be torn. A flipped bit in the middle would so take back
 * transactions that were confirmed. What tells the two apart is how this store writes:
 *
 *  - A transaction is written only after the sync of the one before it returned, and none is rolled back
 *    after it wrote: the first failure ends the store. So only frames of the last transaction may be torn.
 *    When two transactions lie beyond the first bad frame, the first of them was confirmed: damage.
 *  - The header of a WAL is synced before its first frame is written, and is written again only after all
 *    frames of the old one are in the database, for good. So behind a bad header, if the frames are whole from
 *    the first on, they are in the database (the new header was torn), or it is damage. If they are not
 *    whole, frames of the new WAL were on their way too.
 *  - Frames of an older WAL in the same file have another salt. The mark that ends a transaction is believed when it
 *    lies in one sector with the salt, or the frame's checksum fits: else the sector before may be older.
 *
 * Not found: damage in the last transaction; and in the end of the one before it, if exactly its salt or its
 * mark as an end is hit. Both look like a torn end.
 */
#ifndef DAEMON_STORE_WAL_H
#define DAEMON_STORE_WAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* SQLITE_OK, PAGES_WAL_DAMAGED, or the error of a read. Of a file that is no WAL of our pages: SQLITE_OK
 * when it is empty. */
int wal_judge(sqlite3_file *wal, sqlite3_file *database);

/* Whether a WAL of our pages brings a first page whose header is ours. */
bool wal_has_header(sqlite3_file *wal, bool (*is_our_header)(const uint8_t *header));

#endif
