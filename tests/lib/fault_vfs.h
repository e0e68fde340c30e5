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

enum fault_calls { FAULT_WRITES = 1, FAULT_SYNCS = 2, FAULT_READS = 4, FAULT_OPENS = 8 };

void fault_vfs_register(void);
/* The n-th call (from 1) among these kinds fails, and if it `stays` all later ones too. 0: none
 * fails. */
void fault_vfs_fail(unsigned kinds, unsigned n, bool stays);
/* Calls of these kinds so far since fault_vfs_fail, and whether one of them failed. */
unsigned fault_vfs_calls(void);
bool fault_vfs_failed(void);

/* From now on keeps what was not synced yet of the files that are opened, forgetting all from
 * before. */
void fault_vfs_keep(bool is_keeping);
/* Writes into directory `to` the kept files as a power cut now could leave them, chosen by the
 * seed. */
void fault_vfs_cut(const char *to, uint64_t seed);

#endif
