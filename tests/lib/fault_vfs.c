/*
 * tests/lib/fault_vfs.c: wraps the default VFS.
 *
 * For power cuts each file has an image of what is surely on disk, and the writes and truncations
 * since. A sync moves them into the image. A cut takes the image and then each pending change, in
 * order, or not, at random; a long write may arrive in part. Names of files count as durable at
 * once.
 */
#include "tests/lib/fault_vfs.h"
#include "base/buf.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 16
#define SECTOR 512
#define PIECE 65536

struct change {
    struct change *next;
    sqlite3_int64 offset; /* of a truncation: the new length */
    size_t len;
    bool is_truncation;
    uint8_t bytes[];
};

struct image {
    char path[512];
    uint8_t *bytes;
    size_t len;
    struct change *first, **last;
};

struct file {
    sqlite3_file base;
    struct image *image; /* NULL: not kept */
    sqlite3_file *real;
    bool is_database;
    uint64_t size;
};

/* Tests are single threads but for the storage thread. */
static struct {
    sqlite3_vfs vfs, *real;
    unsigned kinds, at, calls;
    bool stays, has_failed, is_keeping, databases_only;
    enum fault_how how;
    uint64_t limit, used; /* bytes of the open files */
    struct image images[KEPT_MAX];
    size_t image_count;
} fault;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static bool fails(const struct file *file, unsigned kind)
{
    pthread_mutex_lock(&mutex);
    bool is_hit = false;
    bool counts = !fault.databases_only || (file != NULL && file->is_database);
    if ((fault.kinds & kind) != 0 && fault.at > 0 && counts) {
        fault.calls++;
        is_hit = fault.calls == fault.at || (fault.stays && fault.calls > fault.at);
        fault.has_failed |= is_hit;
    }
    pthread_mutex_unlock(&mutex);
    return is_hit;
}

void fault_vfs_fail(unsigned kinds, unsigned n, bool stays)
{
    pthread_mutex_lock(&mutex);
    fault.kinds = kinds;
    fault.at = n;
    fault.calls = 0;
    fault.stays = stays;
    fault.has_failed = false;
    pthread_mutex_unlock(&mutex);
}

void fault_vfs_how(enum fault_how how) { fault.how = how; }
void fault_vfs_databases_only(bool is_only) { fault.databases_only = is_only; }

void fault_vfs_limit(uint64_t bytes) { fault.limit = bytes; }

uint64_t fault_vfs_free(void) { return fault.used < fault.limit ? fault.limit - fault.used : 0; }

/* False: the disk is full. */
static bool set_size(struct file *f, uint64_t size)
{
    pthread_mutex_lock(&mutex);
    bool fits = size <= f->size || fault.limit == 0 || size - f->size <= fault_vfs_free();
    if (fits) {
        fault.used += size - f->size;
        f->size = size;
    }
    pthread_mutex_unlock(&mutex);
    return fits;
}

unsigned fault_vfs_calls(void) { return fault.calls; }
bool fault_vfs_failed(void) { return fault.has_failed; }

/* ---- images ---- */

static void apply_bytes(struct image *m, size_t offset, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return;
    if (offset + len > m->len) {
        m->bytes = realloc(m->bytes, offset + len);
        if (m->bytes == NULL)
            abort();
        memset(m->bytes + m->len, 0, offset + len - m->len);
        m->len = offset + len;
    }
    memcpy(m->bytes + offset, bytes, len);
}

static void apply_change(struct image *m, const struct change *c)
{
    if (!c->is_truncation)
        apply_bytes(m, (size_t)c->offset, c->bytes, c->len);
    else if ((size_t)c->offset < m->len)
        m->len = (size_t)c->offset;
}

static void add_change(struct image *m, bool is_truncation, const void *bytes, size_t len,
                       sqlite3_int64 offset)
{
    struct change *c = malloc(sizeof *c + len);
    if (c == NULL)
        abort();
    *c = (struct change){.offset = offset, .len = len, .is_truncation = is_truncation};
    if (len > 0)
        memcpy(c->bytes, bytes, len);
    *m->last = c;
    m->last = &c->next;
}

static void drop_changes(struct image *m)
{
    for (struct change *c = m->first, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    m->first = NULL;
    m->last = &m->first;
}

static void sync_image(struct image *m)
{
    for (const struct change *c = m->first; c != NULL; c = c->next)
        apply_change(m, c);
    drop_changes(m);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static struct image *find_image(const char *path)
{
    for (size_t i = 0; i < fault.image_count; i++)
        if (strcmp(fault.images[i].path, path) == 0)
            return &fault.images[i];
    return NULL;
}

/* What lies in the file when it is first opened counts as synced. */
static struct image *keep_image(const char *path)
{
    struct image *m = find_image(path);
    struct buf content;
    if (m != NULL)
        return m;
    if (fault.image_count == KEPT_MAX)
        abort();
    m = &fault.images[fault.image_count++];
    memset(m, 0, sizeof *m);
    m->last = &m->first;
    if (strlen(path) >= sizeof m->path)
        abort();
    memcpy(m->path, path, strlen(path) + 1);
    buf_init(&content, SIZE_MAX / 2);
    if (buf_read_file(&content, path) == ERROR_NONE)
        apply_bytes(m, 0, content.data == NULL ? (const uint8_t *)"" : content.data, content.len);
    buf_fini(&content);
    return m;
}

void fault_vfs_keep(bool is_keeping)
{
    for (size_t i = 0; i < fault.image_count; i++) {
        drop_changes(&fault.images[i]);
        free(fault.images[i].bytes);
    }
    fault.image_count = 0;
    fault.is_keeping = is_keeping;
}

static uint64_t step(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Some of the pending changes arrived: all, none, or each by chance; a long write perhaps by
 * sectors. */
static void apply_some(struct image *m, uint64_t *random)
{
    uint64_t mood = step(random) % 4;
    for (const struct change *c = m->first; c != NULL && mood != 0; c = c->next) {
        if (mood == 1 || step(random) % 2 == 0) {
            apply_change(m, c);
            continue;
        }
        for (size_t at = 0; mood == 3 && !c->is_truncation && at < c->len; at += SECTOR)
            if (step(random) % 2 == 0)
                apply_bytes(m, (size_t)c->offset + at, c->bytes + at,
                            c->len - at < SECTOR ? c->len - at : SECTOR);
    }
}

static void cut_image(const struct image *m, const char *to, uint64_t *random)
{
    char path[1024];
    struct image left = *m;
    left.bytes = NULL;
    left.len = 0;
    apply_bytes(&left, 0, m->bytes == NULL ? (const uint8_t *)"" : m->bytes, m->len);
    apply_some(&left, random);
    snprintf(path, sizeof path, "%s/%s", to, base_name(m->path));
    FILE *f = fopen(path, "wb");
    if (f == NULL ||
        fwrite(left.len == 0 ? (const uint8_t *)"" : left.bytes, 1, left.len, f) != left.len ||
        fclose(f) != 0)
        abort();
    free(left.bytes);
}

void fault_vfs_cut(const char *to, uint64_t seed)
{
    uint64_t random = seed * 2654435761u + 88172645463325252u;
    for (size_t i = 0; i < fault.image_count; i++)
        cut_image(&fault.images[i], to, &random);
}

/* ---- the calls of SQLite ---- */

static sqlite3_file *real_of(sqlite3_file *f) { return ((struct file *)f)->real; }

static int on_close(sqlite3_file *f)
{
    struct file *file = (struct file *)f;
    (void)set_size(file, 0); /* less always fits */
    int code = file->real->pMethods->xClose(file->real);
    free(file->real);
    return code;
}

static int on_read(sqlite3_file *f, void *out, int len, sqlite3_int64 offset)
{
    bool is_hit = fails((struct file *)f, FAULT_READS);
    if (is_hit && fault.how != FAULT_SHORT)
        return SQLITE_IOERR_READ;
    int code = real_of(f)->pMethods->xRead(real_of(f), out, len, offset);
    if (!is_hit || code != SQLITE_OK)
        return code;
    memset((uint8_t *)out + len / 2, 0, (size_t)(len - len / 2));
    return SQLITE_IOERR_SHORT_READ;
}

static int lie_or(int code) { return fault.how == FAULT_LIE ? SQLITE_OK : code; }

static int write_half(struct file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    if (file->image != NULL)
        add_change(file->image, false, bytes, (size_t)len / 2, offset);
    return file->real->pMethods->xWrite(file->real, bytes, len / 2, offset);
}

static int on_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 offset)
{
    struct file *file = (struct file *)f;
    if (fails(file, FAULT_WRITES)) {
        if (fault.how == FAULT_EIO || fault.how == FAULT_LIE)
            return lie_or(SQLITE_IOERR_WRITE);
        if (fault.how == FAULT_SHORT)
            (void)write_half(file, bytes, len, offset); /* the call fails in any case */
        return SQLITE_FULL;
    }
    uint64_t end = (uint64_t)offset + (uint64_t)len;
    if (end > file->size && !set_size(file, end))
        return SQLITE_FULL;
    if (file->image != NULL)
        add_change(file->image, false, bytes, (size_t)len, offset);
    return file->real->pMethods->xWrite(file->real, bytes, len, offset);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 len)
{
    struct file *file = (struct file *)f;
    if (fails(file, FAULT_TRUNCATES))
        return lie_or(SQLITE_IOERR_TRUNCATE);
    if ((uint64_t)len < file->size)
        (void)set_size(file, (uint64_t)len); /* less always fits */
    if (file->image != NULL)
        add_change(file->image, true, NULL, 0, len);
    return file->real->pMethods->xTruncate(file->real, len);
}

/* In pieces, because SQLite's own VFS writes no more than 128 KiB at once. */
static void drop_unsynced(struct file *file)
{
    struct image *m = file->image;
    const sqlite3_io_methods *real = file->real->pMethods;
    drop_changes(m);
    if (real->xTruncate(file->real, (sqlite3_int64)m->len) != SQLITE_OK)
        abort();
    for (size_t at = 0; at < m->len; at += PIECE) {
        size_t len = m->len - at < PIECE ? m->len - at : PIECE;
        if (real->xWrite(file->real, m->bytes + at, (int)len, (sqlite3_int64)at) != SQLITE_OK)
            abort();
    }
}

static int on_sync(sqlite3_file *f, int flags)
{
    struct file *file = (struct file *)f;
    if (fails(file, FAULT_SYNCS)) {
        if (fault.how == FAULT_DROPS && file->image != NULL)
            drop_unsynced(file);
        return lie_or(SQLITE_IOERR_FSYNC);
    }
    if (file->image != NULL)
        sync_image(file->image);
    return file->real->pMethods->xSync(file->real, flags);
}

static int on_file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    if (fails((struct file *)f, FAULT_SIZES))
        return SQLITE_IOERR_FSTAT;
    return real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int on_lock(sqlite3_file *f, int level)
{
    if (fails((struct file *)f, FAULT_LOCKS))
        return SQLITE_IOERR_LOCK;
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
    if (fails((struct file *)f, FAULT_LOCKS))
        return SQLITE_IOERR_CHECKRESERVEDLOCK;
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int on_control(sqlite3_file *f, int op, void *argument)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, argument);
}

static int on_sector_size(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }

static int on_characteristics(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Version 1: no shared memory, which an exclusive connection does not need, and no memory mapping.
 */
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

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    struct file *file = (struct file *)f;
    memset(file, 0, sizeof *file);
    file->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (fails(file, FAULT_OPENS))
        return SQLITE_CANTOPEN;
    if (fault.is_keeping && path != NULL)
        file->image = keep_image(path);
    file->real = calloc(1, (size_t)fault.real->szOsFile);
    if (file->real == NULL)
        return SQLITE_NOMEM;
    int code = fault.real->xOpen(fault.real, path, file->real, flags, out_flags);
    if (code != SQLITE_OK) {
        free(file->real);
        return code;
    }
    sqlite3_int64 size = 0;
    if (file->real->pMethods->xFileSize(file->real, &size) == SQLITE_OK &&
        !set_size(file, (uint64_t)size))
        abort(); /* the test's disk is smaller than what lies on it */
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    struct image *m = fault.is_keeping ? find_image(path) : NULL;
    if (fails(NULL, FAULT_DELETES))
        return lie_or(SQLITE_IOERR_DELETE);
    if (m != NULL) {
        drop_changes(m);
        m->len = 0;
    }
    return fault.real->xDelete(fault.real, path, sync_directory);
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    if (fails(NULL, FAULT_ACCESSES))
        return SQLITE_IOERR_ACCESS;
    return fault.real->xAccess(fault.real, path, flags, out);
}

void fault_vfs_register(void)
{
    fault.real = sqlite3_vfs_find(NULL);
    fault.vfs = *fault.real; /* the other calls of the default one use no more than its data */
    fault.vfs.zName = FAULT_VFS;
    fault.vfs.pNext = NULL;
    fault.vfs.szOsFile = (int)sizeof(struct file);
    fault.vfs.xOpen = on_open;
    fault.vfs.xDelete = on_delete;
    fault.vfs.xAccess = on_access;
    if (sqlite3_vfs_register(&fault.vfs, 0) != SQLITE_OK)
        abort();
}
