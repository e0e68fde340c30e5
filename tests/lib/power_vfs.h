/*
 * tests/lib/power_vfs.h: disks in memory under SQLite that remember every operation, and from which the power
 * can be cut at any time, with any part of what was not synced.
 *
 * Happy path of a proof: power_vfs_register once; power_disk_new, power_mount on a directory, power_keep
 * (POWER_LOG); open databases at paths in that directory with the VFS named POWER_VFS (or as the default) and work,
 * with power_mark wherever something was promised; close; power_replay then calls back with one disk for each state that
 * a power cut could have left, and with what had been promised by then: mount it, open, compare. A simulator keeps
 * POWER_PENDING instead, which forgets what is synced, and takes power_cut when it crashes.
 *
 * The disk that is assumed, and nothing better:
 *  - A write reaches the disk at its file's next sync, or at any time before, in part or not at all, in any order
 *    among all writes of all files. Its parts are sectors (512 or 4096 bytes, aligned); a sector may be torn (its first bytes
 *    new, the others old) or, with `garbage`, hold anything. Bytes outside a write are never touched
 *    (SQLITE_IOCAP_POWERSAFE_OVERWRITE, which SQLite's own VFS claims too; nothing else is claimed).
 *  - A file that grew may have its new length without the new bytes: zeros, or with `garbage` anything.
 *  - A truncation reaches the disk at the file's next sync, or before, or not.
 *  - A sync of a file (fdatasync) makes durable its bytes and its length, but neither its name nor other files.
 *  - A name made or removed is durable from the next sync of the directory on; before, each may have happened or not.
 *    SQLite's own VFS syncs the directory after the first sync of a journal or WAL that it opened for creating, and in
 *    xDelete if told to; so does this one (tests/fault/test_power_calibration compares the two).
 *  - What was synced stays as it is; a sync that failed is not part of this model.
 *
 * The files of a disk lie in one directory; a path outside all mounted directories goes to SQLite's own VFS, as do
 * temporary files. There is no shared memory: WAL needs locking_mode=EXCLUSIVE. Locks work between connections of this
 * process. A disk, its clones and its states share pages and belong to one thread at a time; other disks may be
 * used by other threads meanwhile. Whatever is wrong with the caller or with memory aborts.
 */
#ifndef TESTS_LIB_POWER_VFS_H
#define TESTS_LIB_POWER_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define POWER_VFS "brug-power"
#define POWER_MARKS 4

/* May be called again, to make it the default or no longer. */
void power_vfs_register(bool is_default);

/* ---- disks ---- */
struct power_disk;

struct power_disk *power_disk_new(void);
/* The same content, all of it durable; nothing kept. */
struct power_disk *power_disk_clone(const struct power_disk *d);
/* Accepts NULL. Not while files of it are open; unmounts it. */
void power_disk_free(struct power_disk *d);
/* Files in `directory` (an absolute path as SQLite is given it) are those of d from now on; files that are open stay
 * where they are. NULL: no longer. */
void power_mount(const char *directory, struct power_disk *d);

/* Equal for equal content: names, lengths, bytes. */
uint64_t power_disk_hash(const struct power_disk *d);
/* Of the file with that name; 0 when there is none. */
uint64_t power_disk_size(const struct power_disk *d, const char *name);
/* Writes the files into a directory of the system, to look at. */
void power_disk_save(const struct power_disk *d, const char *directory);

/* From now on every call on open files fails, changing nothing: what a process sees of a power cut. power_off_after: after
 * so many more operations; the last of them, if a sync, does not happen, else it may or may not reach the disk. */
void power_off(struct power_disk *d);
void power_off_after(struct power_disk *d, uint64_t operations);
bool power_is_off(const struct power_disk *d);
/* A process is killed before the n-th operation from now, or the n-th sync; the disk goes on. */
void power_kill_before(struct power_disk *d, uint64_t n);
void power_kill_before_sync(struct power_disk *d, uint64_t n);
/* The next process, once the files are closed: it sees what was written, and what was not synced still is not. */
void power_restart(struct power_disk *d);

/*
 * What the VFS does with `PRAGMA name = value` before SQLite sees it, so that a control can weaken what the
 * program asks for: other words for the value (no longer than it), or an answer instead of doing it.
 */
struct power_pragma {
    const char *name, *value; /* case does not matter */
    const char *instead;      /* NULL: */
    const char *answer;
};
void power_set_pragmas(struct power_disk *d, const struct power_pragma *list, size_t n);

/* ---- keeping operations ---- */
enum power_keep { POWER_NOTHING, POWER_PENDING, POWER_LOG };

/* From here on; what is there counts as durable. Forgets what was kept. */
void power_keep(struct power_disk *d, enum power_keep what);
/* From here on `number` holds for this mark (0 … POWER_MARKS-1; each is 0 at first): what had been promised by then,
 * what had been handed over, … Clones and states begin with the marks of their disk. */
void power_mark(struct power_disk *d, unsigned mark, uint64_t number);
/* Operations kept: of the log its length, of POWER_PENDING those that are not synced. */
size_t power_kept(const struct power_disk *d);
/* A line for each operation of the log: `write NAME OFFSET LENGTH`, `truncate NAME LENGTH`, `sync NAME`, `create NAME`,
 * `delete NAME`, `sync-directory`, `mark MARK NUMBER`. */
void power_log_print(const struct power_disk *d, FILE *out);

/* ---- power cuts ---- */
struct power_plan {
    uint64_t seed;
    unsigned
        random_per_cut;  /* states with any part of what is unsynced, besides the systematic ones */
    unsigned cut_stride; /* only every so many-th operation is followed by a cut; 0: every one */
    unsigned
        one_in; /* of the others than POWER_ALL_LOST and _KEPT only so many, by chance; 0: all */
    bool no_systematic;
    bool garbage;       /* parts of a write that did not arrive may hold anything */
    bool syncs_lie;     /* a control: syncs of files and of the directory do nothing */
    uint64_t state_max; /* 0: no limit */
};

enum power_scenario {
    POWER_ALL_LOST = 1, /* of what is unsynced */
    POWER_ALL_KEPT,
    POWER_ONE_LOST,   /* number `index` of what is unsynced */
    POWER_LAST_ONLY,  /* the last one alone arrived */
    POWER_FIRST_LOST, /* those up to `index` lost, later ones arrived */
    POWER_FILE_ONLY,  /* all of one file arrived, of the others nothing */
    POWER_FILE_LOST,  /* the reverse */
    POWER_NAMES_ONLY, /* creations and deletions */
    POWER_NAMES_LOST,
    POWER_LAST_TORN,      /* the last write up to sector `index` and into it; the others arrived */
    POWER_LAST_TORN_ONLY, /* the same, of the others nothing */
    POWER_LAST_TAIL,      /* the last write from sector `index` on; the others arrived */
    POWER_LAST_LENGTH,    /* the last write's length without its bytes; the others arrived */
    POWER_ANY,            /* each one or not, or some of its sectors, by chance; by `seed` */
};

struct power_state {
    struct power_disk
        *disk;     /* freed after the callback unless it takes it (sets it NULL); unmounted then */
    uint64_t hash; /* of it */
    uint64_t marks[POWER_MARKS];
    size_t cut; /* the power went after so many operations of the log */
    enum power_scenario scenario;
    unsigned index, sector_bytes;
    uint64_t seed;
    size_t pending; /* operations that were not synced */
};

/* Return false to end. */
typedef bool power_state_cb(void *ctx, struct power_state *s);

/* Every cut of the recorded log, from before the first operation to after the last. The same disk may come
 * more than once, with other marks: see power_set. Returns how many states it built. */
uint64_t power_replay(const struct power_disk *recorded, const struct power_plan *plan,
                      power_state_cb *on_state, void *ctx);
/* What a cut now leaves, by chance, of a disk that keeps something; seed 0: all that is unsynced is lost, 1: all is
 * there. */
struct power_disk *power_cut(const struct power_disk *d, uint64_t seed, bool garbage);
/* One line about a state: where the cut was and what of the unsynced arrived. */
void power_state_print(const struct power_disk *recorded, const struct power_state *s, FILE *out);

/* ---- a set of hashes with a number each ---- */
struct power_set;

struct power_set *power_set_new(void);
void power_set_free(struct power_set *s);
/* NULL when it is not in there. */
const uint64_t *power_set_find(const struct power_set *s, uint64_t hash);
void power_set_put(struct power_set *s, uint64_t hash, uint64_t number);
size_t power_set_count(const struct power_set *s);

#endif
