/*
 * tests/lib/power_vfs.c: the calls of SQLite on disks in memory.
 *
 * They do what SQLite's own VFS for Unix does with real files (os_unix.c of 3.40): a journal or WAL opened with
 * SQLITE_OPEN_CREATE makes its first sync be followed by one of the directory; xDelete syncs the directory when told
 * to; a file without bytes does not exist for SQLITE_ACCESS_EXISTS; the sector size is 4096.
 */
#include "tests/lib/power_disk.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOUNTS_MAX 64
#define PATH_BYTES_MAX 512
#define SECTOR_BYTES 4096

struct handle {
    sqlite3_file base;
    struct power_disk *disk;
    unsigned file;
    int level;            /* of its lock */
    bool syncs_directory; /* after its next sync */
};

struct mount {
    char directory[PATH_BYTES_MAX];
    struct power_disk *disk;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    sqlite3_vfs vfs, *real;
    struct mount mounts[MOUNTS_MAX]; /* under the mutex */
    size_t mount_count;
} power;

/* ---- mounts ---- */

static void unmount(size_t i) { power.mounts[i] = power.mounts[--power.mount_count]; }

static void mount(const char *directory, struct power_disk *d)
{
    size_t i = 0;
    while (i < power.mount_count && strcmp(power.mounts[i].directory, directory) != 0)
        i++;
    if (d == NULL) {
        if (i < power.mount_count)
            unmount(i);
        return;
    }
    if (i == MOUNTS_MAX || strlen(directory) >= PATH_BYTES_MAX)
        abort();
    power.mount_count += i == power.mount_count;
    memcpy(power.mounts[i].directory, directory, strlen(directory) + 1);
    power.mounts[i].disk = d;
}

static void unmount_disk(const struct power_disk *d)
{
    for (size_t i = power.mount_count; i > 0; i--)
        if (power.mounts[i - 1].disk == d)
            unmount(i - 1);
}

void power_mount(const char *directory, struct power_disk *d)
{
    pthread_mutex_lock(&mutex);
    if (directory == NULL)
        unmount_disk(d);
    else
        mount(directory, d);
    pthread_mutex_unlock(&mutex);
}

/* The disk of a path, and the name in it; NULL: none of ours. */
static struct power_disk *disk_of(const char *path, const char **name)
{
    struct power_disk *d = NULL;
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash == NULL)
        return NULL;
    size_t len = (size_t)(slash - path);
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < power.mount_count && d == NULL; i++)
        if (strncmp(power.mounts[i].directory, path, len) == 0 &&
            power.mounts[i].directory[len] == '\0')
            d = power.mounts[i].disk;
    pthread_mutex_unlock(&mutex);
    *name = slash + 1;
    return d;
}

/* ---- operations ---- */

static struct power_op *op_new(enum power_kind kind, unsigned file, uint64_t at, const void *bytes,
                               size_t len)
{
    struct power_op *op = power_must(malloc(sizeof *op + len));
    memset(op, 0, sizeof *op);
    op->refs = 1;
    op->kind = kind;
    op->file = file;
    op->at = at;
    op->len = len;
    if (len > 0)
        memcpy(op->bytes, bytes, len);
    return op;
}

static void keep_op(struct power_disk *d, struct power_op *op)
{
    if (d->keep == POWER_LOG)
        power_ops_add(&d->log, op);
    else
        power_media_take(&d->media, op);
}

static void keep(struct power_disk *d, enum power_kind kind, unsigned file, uint64_t at,
                 const void *bytes, size_t len)
{
    if (d->keep == POWER_NOTHING)
        return;
    struct power_op *op = op_new(kind, file, at, bytes, len);
    if (kind != POWER_SYNC_DIRECTORY && kind != POWER_MARK)
        memcpy(op->name, power_file_at(d, file)->name, POWER_NAME_BYTES);
    keep_op(d, op);
    power_op_free(op);
}

/* An operation comes. False: the power is gone; `was_on`, it went with this very operation. */
static bool has_power(struct power_disk *d, bool is_sync, bool *was_on)
{
    *was_on = !d->is_off;
    if (d->is_off)
        return false;
    if (d->off_after == UINT64_MAX || (d->counts_syncs_only && !is_sync) || --d->off_after > 0)
        return true;
    d->is_off = true;
    return false;
}

/* Notes the operation; false when the power is gone. */
static bool operate(struct power_disk *d, enum power_kind kind, unsigned file, uint64_t at,
                    const void *bytes, size_t len)
{
    bool was_on, is_sync = kind == POWER_SYNC || kind == POWER_SYNC_DIRECTORY;
    bool is_on = has_power(d, is_sync, &was_on);
    if (is_on || (was_on && !is_sync && !d->is_killed))
        keep(d, kind, file, at, bytes, len);
    return is_on;
}

void power_off(struct power_disk *d) { d->is_off = true; }
void power_off_after(struct power_disk *d, uint64_t operations)
{
    if (operations == 0)
        abort();
    d->off_after = operations;
}

void power_kill_before(struct power_disk *d, uint64_t n)
{
    power_off_after(d, n);
    d->is_killed = true;
}

void power_kill_before_sync(struct power_disk *d, uint64_t n)
{
    power_kill_before(d, n);
    d->counts_syncs_only = true;
}

void power_restart(struct power_disk *d)
{
    if (d->handles != 0)
        abort();
    d->is_off = d->is_killed = d->counts_syncs_only = false;
    d->off_after = UINT64_MAX;
}

bool power_is_off(const struct power_disk *d) { return d->is_off; }

void power_set_pragmas(struct power_disk *d, const struct power_pragma *list, size_t n)
{
    d->pragmas = list;
    d->pragma_count = n;
}

void power_keep(struct power_disk *d, enum power_keep what)
{
    power_ops_clear(&d->log);
    power_disk_free(d->base);
    d->base = NULL;
    if (d->keep == POWER_PENDING)
        power_media_fini(&d->media);
    d->keep = what;
    if (what == POWER_LOG)
        d->base = power_disk_clone(d);
    else if (what == POWER_PENDING)
        power_media_init(&d->media, d, false);
}

void power_mark(struct power_disk *d, unsigned mark, uint64_t number)
{
    if (mark >= POWER_MARKS)
        abort();
    if (d->is_off)
        return;
    d->marks[mark] = number;
    keep(d, POWER_MARK, mark, number, NULL, 0);
}

size_t power_kept(const struct power_disk *d)
{
    return d->keep == POWER_PENDING ? d->media.unsynced.count : d->log.count;
}

/* ---- the methods of a file ---- */

static struct power_content *content_of(sqlite3_file *f)
{
    const struct handle *h = (const struct handle *)f;
    return &h->disk->files[h->file].content;
}

static int on_unlock(sqlite3_file *f, int level);

static int on_close(sqlite3_file *f)
{
    struct handle *h = (struct handle *)f;
    (void)on_unlock(f, SQLITE_LOCK_NONE); /* cannot fail */
    h->disk->handles--;
    return SQLITE_OK;
}

static int on_read(sqlite3_file *f, void *out, int len, sqlite3_int64 offset)
{
    const struct power_content *c = content_of(f);
    if (((struct handle *)f)->disk->is_off)
        return SQLITE_IOERR_READ;
    power_content_read(c, (uint64_t)offset, out, (size_t)len);
    return (uint64_t)offset + (uint64_t)len <= c->size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 offset)
{
    const struct handle *h = (const struct handle *)f;
    if (!operate(h->disk, POWER_WRITE, h->file, (uint64_t)offset, bytes, (size_t)len))
        return SQLITE_IOERR_WRITE;
    power_content_write(content_of(f), (uint64_t)offset, bytes, (size_t)len);
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    const struct handle *h = (const struct handle *)f;
    if (!operate(h->disk, POWER_TRUNCATE, h->file, (uint64_t)size, NULL, 0))
        return SQLITE_IOERR_TRUNCATE;
    power_content_resize(content_of(f), (uint64_t)size);
    return SQLITE_OK;
}

static int on_sync(sqlite3_file *f, int flags)
{
    struct handle *h = (struct handle *)f;
    if (!operate(h->disk, POWER_SYNC, h->file, 0, NULL, 0))
        return SQLITE_IOERR_FSYNC;
    if (!h->syncs_directory)
        return SQLITE_OK;
    h->syncs_directory = false;
    return operate(h->disk, POWER_SYNC_DIRECTORY, 0, 0, NULL, 0) ? SQLITE_OK
                                                                 : SQLITE_IOERR_DIR_FSYNC;
}

static int on_file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    if (((struct handle *)f)->disk->is_off)
        return SQLITE_IOERR_FSTAT;
    *out = (sqlite3_int64)content_of(f)->size;
    return SQLITE_OK;
}

static bool is_others(const void *holder, const struct handle *h)
{
    return holder != NULL && holder != h;
}

/* From SHARED upwards. */
static int lock_more(struct power_file *file, struct handle *h, int level)
{
    if (is_others(file->reserved, h) || is_others(file->pending, h))
        return SQLITE_BUSY;
    file->reserved = h;
    h->level = SQLITE_LOCK_RESERVED;
    if (level == SQLITE_LOCK_RESERVED)
        return SQLITE_OK;
    file->pending = h;
    h->level = SQLITE_LOCK_PENDING;
    if (level == SQLITE_LOCK_EXCLUSIVE && file->shared > 1)
        return SQLITE_BUSY;
    file->exclusive = h;
    h->level = level;
    return SQLITE_OK;
}

static int on_lock(sqlite3_file *f, int level)
{
    struct handle *h = (struct handle *)f;
    struct power_file *file = &h->disk->files[h->file];
    if (h->disk->is_off)
        return SQLITE_IOERR_LOCK;
    if (h->level >= level)
        return SQLITE_OK;
    if (h->level == SQLITE_LOCK_NONE) {
        if (is_others(file->pending, h) || is_others(file->exclusive, h))
            return SQLITE_BUSY;
        file->shared++;
        h->level = SQLITE_LOCK_SHARED;
    }
    return level == SQLITE_LOCK_SHARED ? SQLITE_OK : lock_more(file, h, level);
}

static void let_go(const void **holder, const struct handle *h)
{
    if (*holder == h)
        *holder = NULL;
}

static int on_unlock(sqlite3_file *f, int level)
{
    struct handle *h = (struct handle *)f;
    struct power_file *file = &h->disk->files[h->file];
    if (h->level <= level)
        return SQLITE_OK;
    let_go(&file->reserved, h);
    let_go(&file->pending, h);
    let_go(&file->exclusive, h);
    file->shared -= level == SQLITE_LOCK_NONE;
    h->level = level;
    return SQLITE_OK;
}

static int on_check_lock(sqlite3_file *f, int *out)
{
    const struct handle *h = (const struct handle *)f;
    *out = h->disk->files[h->file].reserved != NULL;
    return SQLITE_OK;
}

/* `words`: the answer, name and value of PRAGMA. The value is SQLite's copy, to be changed in place. */
static int on_pragma(const struct power_disk *d, char **words)
{
    for (size_t i = 0; i < d->pragma_count && words[2] != NULL; i++) {
        const struct power_pragma *p = &d->pragmas[i];
        if (strcasecmp(p->name, words[1]) != 0 || strcasecmp(p->value, words[2]) != 0)
            continue;
        if (p->instead == NULL) {
            words[0] = sqlite3_mprintf("%s", p->answer);
            return SQLITE_OK;
        }
        if (strlen(p->instead) > strlen(words[2]))
            abort();
        memcpy(words[2], p->instead, strlen(p->instead) + 1);
        break;
    }
    return SQLITE_NOTFOUND;
}

static int on_control(sqlite3_file *f, int op, void *argument)
{
    return op == SQLITE_FCNTL_PRAGMA ? on_pragma(((struct handle *)f)->disk, argument)
                                     : SQLITE_NOTFOUND;
}

static int on_sector_size(sqlite3_file *f) { return SECTOR_BYTES; }
static int on_characteristics(sqlite3_file *f) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_file_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_characteristics,
};

/* ---- the methods of the VFS ---- */

static int create_file(struct power_disk *d, const char *name, unsigned *file)
{
    *file = (unsigned)d->file_count;
    power_name_set(d, name, *file);
    if (operate(d, POWER_CREATE, *file, 0, NULL, 0))
        return SQLITE_OK;
    power_name_remove(d, name);
    return SQLITE_CANTOPEN;
}

static int open_on(struct power_disk *d, const char *name, struct handle *h, int flags)
{
    int file = power_name_find(d, name);
    if (d->is_off || (file < 0 && (flags & SQLITE_OPEN_CREATE) == 0))
        return SQLITE_CANTOPEN;
    h->file = (unsigned)file;
    if (file < 0 && create_file(d, name, &h->file) != SQLITE_OK)
        return SQLITE_CANTOPEN;
    h->disk = d;
    h->syncs_directory =
        (flags & SQLITE_OPEN_CREATE) != 0 &&
        (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    h->base.pMethods = &methods;
    d->handles++;
    return SQLITE_OK;
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    const char *name;
    struct power_disk *d = disk_of(path, &name);
    if (d == NULL)
        return power.real->xOpen(power.real, path, f, flags, out_flags);
    memset(f, 0, sizeof(struct handle));
    if (out_flags != NULL)
        *out_flags = flags;
    return open_on(d, name, (struct handle *)f, flags);
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    const char *name;
    struct power_disk *d = disk_of(path, &name);
    if (d == NULL)
        return power.real->xDelete(power.real, path, sync_directory);
    int file = power_name_find(d, name);
    if (file < 0)
        return SQLITE_IOERR_DELETE_NOENT;
    if (!operate(d, POWER_DELETE, (unsigned)file, 0, NULL, 0))
        return SQLITE_IOERR_DELETE;
    power_name_remove(d, name);
    if ((sync_directory & 1) != 0 && !operate(d, POWER_SYNC_DIRECTORY, 0, 0, NULL, 0))
        return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    const char *name;
    const struct power_disk *d = disk_of(path, &name);
    if (d == NULL)
        return power.real->xAccess(power.real, path, flags, out);
    if (d->is_off)
        return SQLITE_IOERR_ACCESS;
    int file = power_name_find(d, name);
    *out = file >= 0 && (flags != SQLITE_ACCESS_EXISTS || d->files[file].content.size > 0);
    return SQLITE_OK;
}

static int on_full_path(sqlite3_vfs *vfs, const char *path, int len, char *out)
{
    const char *name;
    if (disk_of(path, &name) == NULL)
        return power.real->xFullPathname(power.real, path, len, out);
    if (strlen(path) >= (size_t)len)
        return SQLITE_CANTOPEN;
    memcpy(out, path, strlen(path) + 1);
    return SQLITE_OK;
}

void power_vfs_register(bool is_default)
{
    if (power.real == NULL) {
        power.real = power_must(sqlite3_vfs_find("unix"));
        power.vfs = *power.real; /* its clock, sleep and randomness need nothing else */
        power.vfs.zName = POWER_VFS;
        power.vfs.pNext = NULL;
        if (power.vfs.szOsFile < (int)sizeof(struct handle))
            power.vfs.szOsFile = (int)sizeof(struct handle);
        power.vfs.xOpen = on_open;
        power.vfs.xDelete = on_delete;
        power.vfs.xAccess = on_access;
        power.vfs.xFullPathname = on_full_path;
    }
    if (sqlite3_vfs_register(&power.vfs, is_default) != SQLITE_OK ||
        (!is_default && sqlite3_vfs_register(power.real, 1) != SQLITE_OK))
        abort();
}
