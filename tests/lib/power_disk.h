/*
 * tests/lib/power_disk.h: what the files of power_vfs share; nobody else includes it.
 *
 * power_disk.c: files as lists of pages that disks share until they are written to, names, hashes; power_vfs.c: the
 * calls of SQLite, which change a disk and note operations; power_replay.c: operations that are not synced yet, and
 * the disks that a power cut makes of them.
 */
#ifndef TESTS_LIB_POWER_DISK_H
#define TESTS_LIB_POWER_DISK_H

#include "tests/lib/power_vfs.h"

#define POWER_NAME_BYTES 64
#define POWER_NAMES_MAX 16

struct power_page;

struct power_content {
    struct power_page **pages; /* NULL: zeros. Bytes after `size` are zero. */
    size_t count, capacity;
    uint64_t size;
};

struct power_file {
    char name[POWER_NAME_BYTES]; /* that it was made under */
    struct power_content content;
    unsigned shared;                            /* locks */
    const void *reserved, *pending, *exclusive; /* by which handle */
};

struct power_name {
    char name[POWER_NAME_BYTES];
    unsigned file;
};

enum power_kind {
    POWER_CREATE,
    POWER_DELETE,
    POWER_WRITE,
    POWER_TRUNCATE,
    POWER_SYNC,
    POWER_SYNC_DIRECTORY,
    POWER_MARK,
};

struct power_op {
    unsigned refs;
    enum power_kind kind;
    unsigned file; /* of a mark: which */
    char name[POWER_NAME_BYTES];
    uint64_t at; /* offset; length of a truncation; number of a mark */
    size_t len;
    uint8_t bytes[];
};

struct power_ops {
    struct power_op **list;
    size_t count, capacity;
};

/* What is durable, and what is not yet, in order. */
struct power_media {
    struct power_disk *durable;
    struct power_ops unsynced;
    uint64_t marks[POWER_MARKS];
    bool syncs_lie;
};

struct power_disk {
    struct power_file *files; /* by number; numbers are the same in clones and states */
    size_t file_count, file_capacity;
    struct power_name names[POWER_NAMES_MAX];
    size_t name_count;
    unsigned handles;
    bool is_off;
    bool is_killed;         /* the operation at the end does not happen */
    bool counts_syncs_only; /* for off_after */
    uint64_t off_after;     /* UINT64_MAX: never */
    const struct power_pragma *pragmas;
    size_t pragma_count;
    uint64_t marks[POWER_MARKS];
    enum power_keep keep;
    struct power_disk *base; /* of the log */
    struct power_ops log;
    struct power_media media; /* with POWER_PENDING */
};

void *power_must(void *p); /* aborts for NULL */

void power_content_read(const struct power_content *c, uint64_t offset, uint8_t *out, size_t len);
void power_content_write(struct power_content *c, uint64_t offset, const uint8_t *bytes,
                         size_t len);
void power_content_resize(struct power_content *c, uint64_t size);

/* -1: no such name. */
int power_name_find(const struct power_disk *d, const char *name);
void power_name_set(struct power_disk *d, const char *name, unsigned file);
void power_name_remove(struct power_disk *d, const char *name);
/* Makes files up to this number. */
struct power_file *power_file_at(struct power_disk *d, unsigned file);

void power_ops_add(struct power_ops *o, struct power_op *op); /* takes another reference */
void power_ops_clear(struct power_ops *o);
void power_op_free(struct power_op *op); /* gives one back */
/* Changes the disk as the operation says; syncs and marks change nothing. */
void power_op_apply(struct power_disk *d, const struct power_op *op);

void power_media_init(struct power_media *m, const struct power_disk *start, bool syncs_lie);
void power_media_fini(struct power_media *m);
void power_media_take(struct power_media *m, struct power_op *op);

#endif
