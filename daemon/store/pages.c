/*
 * daemon/store/pages.c: passes every call on to the VFS below; reads and writes of whole pages of the main file
 * go by the checksum, and writes gather (gather.h).
 *
 * A file whose header speaks of other pages is not ours and is passed on as it is, for the driver to refuse. But
 * a power cut may have torn the header while it was written: then it is whole in the WAL, or the journal that SQLite
 * rolls back writes it again or empties the file; each of these decides anew.
 * Invariants: (1) the bytes that SQLite gives us to write are not changed where it can see them: the WAL's own
 * checksum covers them; (2) a page that is shorter than it should be was cut off: SQLite never asks for one that it did not
 * write.
 */
#include "daemon/store/pages.h"
#include "daemon/store/gather.h"
#include "daemon/store/wal.h"
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 100
#define LANES 4
#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15) /* odd: no step loses a bit */

_Static_assert(PAGES_BYTES % (LANES * sizeof(uint64_t)) == 0 && PAGES_RESERVED_BYTES == 8,
               "whole turns, and the last word is the sum's own");

struct pages {
    sqlite3_vfs vfs; /* first: SQLite gives it back */
    sqlite3_vfs *below;
    char name[40];
};

struct file {
    sqlite3_file base;
    struct gather gathered;
    bool is_main, is_summed;
    _Alignas(8) uint8_t real[]; /* the file of the VFS below, as SQLite aligns files */
};

static sqlite3_file *real_of(sqlite3_file *f) { return (sqlite3_file *)((struct file *)f)->real; }

/* Before the file below is asked for anything but a write. */
static int settle(sqlite3_file *f)
{
    return gather_flush(&((struct file *)f)->gathered, real_of(f));
}

/* Of a page or of what begins one. */
static bool is_our_header(const uint8_t *header)
{
    return header[16] == PAGES_BYTES >> 8 && header[17] == 0 && header[20] == PAGES_RESERVED_BYTES;
}

/* ---- the checksum ---- */

static inline uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * MULTIPLIER;
    return sum ^ sum >> 29;
}

static inline uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

/* Every step is one to one in the sum so far and in the word, so damage within one word is always found. Words
 * go by turns to sums of their own, which the processor makes side by side. */
static uint64_t sum_of(const uint8_t *page, sqlite3_int64 offset)
{
    uint64_t sum = (uint64_t)offset + 1, a = 0, b = 0, c = 0, d = 0;
    for (size_t i = 0; i < PAGES_BYTES; i += LANES * sizeof sum) {
        bool is_last = i == PAGES_BYTES - LANES * sizeof sum; /* there the sum itself stands */
        a = mix(a, word_at(page + i));
        b = mix(b, word_at(page + i + 8));
        c = mix(c, word_at(page + i + 16));
        d = is_last ? d : mix(d, word_at(page + i + 24));
    }
    return htole64(mix(mix(mix(mix(sum, a), b), c), d));
}

static bool is_page(const struct file *file, int len, sqlite3_int64 offset)
{
    return file->is_summed && len == PAGES_BYTES && offset % PAGES_BYTES == 0;
}

static int on_read(sqlite3_file *f, void *out, int len, sqlite3_int64 offset)
{
    int code = settle(f);
    if (code == SQLITE_OK)
        code = real_of(f)->pMethods->xRead(real_of(f), out, len, offset);
    if (!is_page((struct file *)f, len, offset))
        return code;
    if (code == SQLITE_IOERR_SHORT_READ)
        return PAGES_DAMAGED;
    uint64_t sum = code == SQLITE_OK ? sum_of(out, offset) : 0;
    if (code == SQLITE_OK &&
        memcmp((const uint8_t *)out + PAGES_BYTES - PAGES_RESERVED_BYTES, &sum, sizeof sum) != 0)
        code = PAGES_DAMAGED;
    return code;
}

static int on_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 offset)
{
    struct file *file = (struct file *)f;
    int code;
    if (file->is_main && offset == 0 && len >= HEADER_BYTES)
        file->is_summed = is_our_header(bytes);
    uint8_t *room = gather_room(&file->gathered, real_of(f), (size_t)len, offset, &code);
    if (room == NULL)
        return code;
    memcpy(room, bytes, (size_t)len);
    if (is_page(file, len, offset)) {
        uint64_t sum = sum_of(room, offset);
        memcpy(room + PAGES_BYTES - PAGES_RESERVED_BYTES, &sum, sizeof sum);
    }
    return SQLITE_OK;
}

/* ---- the other calls on a file ---- */

static int on_close(sqlite3_file *f)
{
    int settled = settle(f), closed = real_of(f)->pMethods->xClose(real_of(f));
    gather_fini(&((struct file *)f)->gathered);
    return settled != SQLITE_OK ? settled : closed;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 len)
{
    struct file *file = (struct file *)f;
    file->is_summed |= file->is_main && len == 0; /* as a new one is */
    int code = settle(f);
    return code == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), len) : code;
}

static int on_sync(sqlite3_file *f, int flags)
{
    int code = settle(f);
    return code == SQLITE_OK ? real_of(f)->pMethods->xSync(real_of(f), flags) : code;
}

static int on_file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    int code = settle(f);
    return code == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), out) : code;
}

static int on_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
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

/* Version 1: no shared memory and no memory mapping (driver_sqlite.c, invariants 1 and 4). */
static const sqlite3_io_methods METHODS = {
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

/* ---- opening ---- */

/* Empty, or of our pages by its header; the rest of the first page is compared when SQLite reads it. */
static int judge_main(struct file *file)
{
    sqlite3_file *f = real_of(&file->base);
    uint8_t header[HEADER_BYTES];
    sqlite3_int64 len;
    int code = f->pMethods->xFileSize(f, &len);
    if (code == SQLITE_OK && len < HEADER_BYTES) {
        file->is_summed = len == 0;
        return SQLITE_OK;
    }
    if (code == SQLITE_OK)
        code = f->pMethods->xRead(f, header, sizeof header, 0);
    if (code == SQLITE_OK)
        file->is_summed = is_our_header(header);
    return code;
}

static int judge(struct file *file, const char *path, int flags)
{
    file->is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (file->is_main)
        return judge_main(file);
    if (!(flags & SQLITE_OPEN_WAL))
        return SQLITE_OK;
    struct file *main_file = (struct file *)sqlite3_database_file_object(path);
    if (!main_file->is_summed)
        main_file->is_summed = wal_has_header(real_of(&file->base), is_our_header);
    if (!main_file->is_summed)
        return SQLITE_OK;
    return wal_judge(real_of(&file->base), real_of(&main_file->base));
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    struct pages *p = (struct pages *)vfs;
    struct file *file = (struct file *)f;
    memset(file, 0, sizeof *file + (size_t)p->below->szOsFile);
    int code = p->below->xOpen(p->below, path, real_of(f), flags, out_flags);
    if (code == SQLITE_OK && (code = judge(file, path, flags)) != SQLITE_OK)
        (void)real_of(f)->pMethods->xClose(real_of(f)); /* the first code stands */
    if (code == SQLITE_OK)
        file->base.pMethods = &METHODS;
    return code;
}

/* ---- the other calls of a VFS ---- */

static sqlite3_vfs *below_of(sqlite3_vfs *vfs) { return ((struct pages *)vfs)->below; }

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    return below_of(vfs)->xDelete(below_of(vfs), path, sync_directory);
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    return below_of(vfs)->xAccess(below_of(vfs), path, flags, out);
}

static int on_full_path(sqlite3_vfs *vfs, const char *path, int len, char *out)
{
    return below_of(vfs)->xFullPathname(below_of(vfs), path, len, out);
}

static int on_randomness(sqlite3_vfs *vfs, int len, char *out)
{
    return below_of(vfs)->xRandomness(below_of(vfs), len, out);
}

static int on_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return below_of(vfs)->xSleep(below_of(vfs), microseconds);
}

static int on_time(sqlite3_vfs *vfs, double *out)
{
    return below_of(vfs)->xCurrentTime(below_of(vfs), out);
}

static int on_last_error(sqlite3_vfs *vfs, int len, char *out)
{
    return below_of(vfs)->xGetLastError(below_of(vfs), len, out);
}

struct pages *pages_new(const char *below)
{
    sqlite3_vfs *real = sqlite3_vfs_find(below);
    struct pages *p = real == NULL ? NULL : calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    (void)snprintf(p->name, sizeof p->name, "brug-pages-%p", (void *)p); /* fits */
    p->below = real;
    p->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct file) + real->szOsFile,
        .mxPathname = real->mxPathname,
        .zName = p->name,
        .xOpen = on_open,
        .xDelete = on_delete,
        .xAccess = on_access,
        .xFullPathname = on_full_path,
        .xRandomness = on_randomness,
        .xSleep = on_sleep,
        .xCurrentTime = on_time,
        .xGetLastError = on_last_error,
    };
    if (sqlite3_vfs_register(&p->vfs, 0) == SQLITE_OK)
        return p;
    free(p);
    return NULL;
}

const char *pages_name(const struct pages *p) { return p->name; }

void pages_free(struct pages *p)
{
    if (p == NULL)
        return;
    (void)sqlite3_vfs_unregister(&p->vfs); /* it was registered */
    free(p);
}

bool pages_are_summed(sqlite3 *connection)
{
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK)
        return false;
    return f != NULL && f->pMethods == &METHODS && ((struct file *)f)->is_summed;
}
