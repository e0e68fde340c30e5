/*
 * tests/lib/fault_vfs.h: a layer under SQLite whose calls fail when told to, and which knows what a
 * power cut would leave: what was synced, and of the rest any part.
 *
 * One for the whole program, named FAULT_VFS; for tests of one storage thread.
 */
#ifndef TESTS_LIB_FAULT_VFS_H
#define TESTS_LIB_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_VFS "brug-fault"

enum fault_calls {
    FAULT_WRITES = 1,
    FAULT_SYNCS = 2,
    FAULT_READS = 4,
    FAULT_OPENS = 8,
    FAULT_TRUNCATES = 16,
    FAULT_DELETES = 32,
    FAULT_SIZES = 64,
    FAULT_LOCKS = 128,
    FAULT_ACCESSES = 256, /* whether a file is there */
    FAULT_CHANGES = FAULT_WRITES | FAULT_TRUNCATES | FAULT_DELETES,
};

enum fault_how {
    FAULT_FULL,  /* a write: nothing is written, the disk is full; other calls: an I/O error */
    FAULT_EIO,   /* an I/O error, also of a write */
    FAULT_SHORT, /* half of a write arrives, then the disk is full; half of a read comes */
    /* A failed sync loses what it should have made last: the file is as it was at the last good one, and the next
     * sync succeeds. For files opened since fault_vfs_keep(true). */
    FAULT_DROPS,
    FAULT_LIE, /* a change or a sync: nothing is done, and it says that all is well: for controls */
};

void fault_vfs_register(void);
/* The n-th call (from 1) among these kinds fails, and if it `stays` all later ones too. 0: none
 * fails. */
void fault_vfs_fail(unsigned kinds, unsigned n, bool stays);
/* How they fail from now on; FAULT_FULL at first. */
void fault_vfs_how(enum fault_how how);
/* Only calls on databases fail and count from now on, not those on their WALs and journals. */
void fault_vfs_databases_only(bool is_only);
/* Calls of these kinds so far since fault_vfs_fail, and whether one of them failed. */
unsigned fault_vfs_calls(void);
bool fault_vfs_failed(void);

/* The open files together hold no more than so many bytes, as a disk of that size would; 0: no bound. Free is
 * what is left of that. */
void fault_vfs_limit(uint64_t bytes);
uint64_t fault_vfs_free(void);

/* From now on keeps what was not synced yet of the files that are opened, forgetting all from
 * before. */
void fault_vfs_keep(bool is_keeping);
/* Writes into directory `to` the kept files as a power cut now could leave them, chosen by the
 * seed. */
void fault_vfs_cut(const char *to, uint64_t seed);

#endif
