/*
 * daemon/store/wal.c: walks a WAL as SQLite's recovery does, then looks beyond the frame where it stops.
 *
 * The format (sqlite.org/fileformat2.html, 4): a header of 32 bytes, then frames of a header of 24 bytes and
 * a page. A frame's checksum goes on from that of the frame before it. Numbers are big-endian; checksums
 * read words in the order that the header's magic number names.
 */
#include "daemon/store/wal.h"
#include "daemon/store/pages.h"
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x377f0682u /* and 1 more: words are big-endian */
#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define SECTOR_BYTES 512          /* a power cut leaves one of these whole, old or new */
#define DATABASE_HEADER_BYTES 100 /* of its first page */
#define FRAME_BYTES (FRAME_HEADER_BYTES + PAGES_BYTES)
#define CONTENT_BYTES \
    (PAGES_BYTES - PAGES_RESERVED_BYTES) /* the checksum is made on the way to the database */

struct wal {
    sqlite3_file *file, *database;
    uint64_t frame_count; /* whole ones in the file */
    bool is_big_endian;
    uint32_t sum[2]; /* of what was walked */
    uint8_t salt[8]; /* of this WAL */
    uint8_t frame[FRAME_BYTES];
    uint8_t page[PAGES_BYTES];
};

struct frame {
    uint32_t page_number,
        page_count; /* page_count: of the database, in the last frame of a transaction; else 0 */
    uint32_t salt;  /* its first half */
    bool is_ours;   /* by its salt */
};

static uint32_t number_at(const uint8_t *bytes)
{
    uint32_t v;
    memcpy(&v, bytes, sizeof v);
    return be32toh(v);
}

static void add_to_sum(struct wal *w, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint32_t words[2];
        memcpy(words, bytes + i, sizeof words);
        for (unsigned k = 0; k < 2; k++) {
            words[k] = w->is_big_endian ? be32toh(words[k]) : le32toh(words[k]);
            w->sum[k] += words[k] + w->sum[1 - k];
        }
    }
}

static bool is_sum(const struct wal *w, const uint8_t *at)
{
    return number_at(at) == w->sum[0] && number_at(at + 4) == w->sum[1];
}

static int read_at(sqlite3_file *f, void *out, size_t len, uint64_t offset)
{
    return f->pMethods->xRead(f, out, (int)len, (sqlite3_int64)offset);
}

static int read_frame(struct wal *w, uint64_t index, size_t len, struct frame *out)
{
    int code = read_at(w->file, w->frame, len, HEADER_BYTES + index * FRAME_BYTES);
    if (code == SQLITE_OK)
        *out = (struct frame){number_at(w->frame), number_at(w->frame + 4), number_at(w->frame + 8),
                              memcmp(w->frame + 8, w->salt, sizeof w->salt) == 0};
    return code;
}

/* Whether the whole frame in w->frame fits the sum that w->sum begins with. */
static bool fits(struct wal *w)
{
    add_to_sum(w, w->frame, 8);
    add_to_sum(w, w->frame + FRAME_HEADER_BYTES, PAGES_BYTES);
    return is_sum(w, w->frame + 16);
}

static void begin_sum(struct wal *w, const uint8_t *at)
{
    w->sum[0] = number_at(at);
    w->sum[1] = number_at(at + 4);
}

/* ---- a header that holds ---- */

static int walk(struct wal *w, uint64_t *first_bad)
{
    struct frame n;
    int code = SQLITE_OK;
    uint64_t i = 0;
    for (; i < w->frame_count; i++) {
        code = read_frame(w, i, FRAME_BYTES, &n);
        if (code != SQLITE_OK || !n.is_ours || n.page_number == 0)
            break;
        if (!fits(w))
            break;
    }
    *first_bad = i;
    return code;
}

/* Whether the mark of an end can be believed: it stands in the sector of the frame's salt, so the two were written
 * together, or the frame's checksum fits that of the frame before it. */
static int judge_mark(struct wal *w, uint64_t index, bool *is_believed)
{
    uint8_t before[8];
    uint64_t offset = HEADER_BYTES + index * FRAME_BYTES;
    *is_believed = (offset + 4) / SECTOR_BYTES == (offset + 15) / SECTOR_BYTES;
    if (*is_believed || index == 0)
        return SQLITE_OK;
    int code = read_at(w->file, before, sizeof before, offset - FRAME_BYTES + 16);
    if (code == SQLITE_OK)
        code = read_at(w->file, w->frame, FRAME_BYTES, offset);
    if (code != SQLITE_OK)
        return code;
    begin_sum(w, before);
    *is_believed = fits(w);
    return SQLITE_OK;
}

/* Whether frames of two transactions lie at or after `from`. The last frame of one may stand there twice: SQLite
 * fills a sector so. */
static int look_beyond(struct wal *w, uint64_t from)
{
    struct frame n, end = {0};
    bool is_believed;
    int code = SQLITE_OK;
    for (uint64_t i = from; code == SQLITE_OK && i < w->frame_count; i++) {
        code = read_frame(w, i, FRAME_HEADER_BYTES, &n);
        if (code != SQLITE_OK || !n.is_ours)
            continue;
        bool is_again = n.page_number == end.page_number && n.page_count == end.page_count;
        if (end.page_count != 0 && !is_again)
            return PAGES_WAL_DAMAGED;
        if (n.page_count == 0)
            continue;
        code = judge_mark(w, i, &is_believed);
        if (is_believed)
            end = n;
    }
    return code;
}

/* ---- a header that does not hold ---- */

/* The first frame goes on from the header's sum: the one of its other bytes (in w->sum), or if those were hit, the
 * one that stands there, in the order of bytes that the magic number names or in the other. */
static bool is_first(struct wal *w, const uint8_t *header)
{
    bool is_fit = fits(w);
    for (unsigned orders = 2; !is_fit && orders > 0; orders--) {
        w->is_big_endian = !w->is_big_endian;
        begin_sum(w, header + HEADER_BYTES - 8);
        is_fit = fits(w);
    }
    return is_fit;
}

/* Salts count up from WAL to WAL in the same file. */
static bool is_older(const struct wal *w, const struct frame *n)
{
    return (int32_t)(n->salt - number_at(w->salt)) < 0;
}

/*
 * The last frame that ends a transaction, of the WAL that the first frame belongs to, if all its frames are whole.
 * If some are not, a newer WAL was being written over them, in any order, when the power went: so the header is
 * bad because it was torn, and there is no end (0) to compare up to.
 */
static int find_end(struct wal *w, const uint8_t *header, uint64_t *count, uint32_t *page_count)
{
    struct frame n;
    uint64_t i = 0;
    int code = read_at(w->file, w->salt, sizeof w->salt, HEADER_BYTES + 8);
    for (; code == SQLITE_OK && i < w->frame_count; i++) {
        code = read_frame(w, i, FRAME_BYTES, &n);
        if (code != SQLITE_OK || !n.is_ours || !(i == 0 ? is_first(w, header) : fits(w)))
            break;
        begin_sum(w, w->frame + 16);
        if (n.page_count == 0)
            continue;
        *count = i + 1;
        *page_count = n.page_count;
    }
    for (; code == SQLITE_OK && i < w->frame_count; i++) {
        code = read_frame(w, i, FRAME_HEADER_BYTES, &n);
        if (code == SQLITE_OK && !is_older(w, &n))
            *count = 0;
    }
    return code;
}

static int compare_page(struct wal *w, uint32_t page_number)
{
    int code =
        read_at(w->database, w->page, PAGES_BYTES, (uint64_t)(page_number - 1) * PAGES_BYTES);
    if (code == SQLITE_IOERR_SHORT_READ)
        return PAGES_WAL_DAMAGED;
    if (code == SQLITE_OK && memcmp(w->page, w->frame + FRAME_HEADER_BYTES, CONTENT_BYTES) != 0)
        return PAGES_WAL_DAMAGED;
    return code;
}

/* The newest frame of each page, from the end on, must be what the database has. */
static int compare(struct wal *w, uint64_t count, uint32_t page_count)
{
    struct frame n;
    int code = SQLITE_OK;
    sqlite3_int64 len;
    if (count == 0)
        return SQLITE_OK; /* no transaction */
    code = w->database->pMethods->xFileSize(w->database, &len);
    if (code == SQLITE_OK && len / PAGES_BYTES < page_count)
        code = PAGES_WAL_DAMAGED; /* not all of it is there */
    if (code != SQLITE_OK)
        return code;
    bool *is_seen = calloc((size_t)page_count + 1, sizeof *is_seen);
    if (is_seen == NULL)
        return SQLITE_NOMEM;
    for (uint64_t i = count; code == SQLITE_OK && i-- > 0;) {
        code = read_frame(w, i, FRAME_BYTES, &n);
        if (code != SQLITE_OK || !n.is_ours || n.page_number == 0 || n.page_number > page_count ||
            is_seen[n.page_number])
            continue;
        is_seen[n.page_number] = true;
        code = compare_page(w, n.page_number);
    }
    free(is_seen);
    return code;
}

static int judge_without_header(struct wal *w, const uint8_t *header)
{
    uint64_t count = 0;
    uint32_t page_count = 0;
    int code = find_end(w, header, &count, &page_count);
    return code == SQLITE_OK ? compare(w, count, page_count) : code;
}

static int judge(struct wal *w)
{
    uint8_t header[HEADER_BYTES];
    uint64_t first_bad;
    int code = read_at(w->file, header, sizeof header, 0);
    if (code != SQLITE_OK)
        return code;
    uint32_t magic = number_at(header);
    w->is_big_endian = magic & 1;
    add_to_sum(w, header, HEADER_BYTES - 8);
    if ((magic & ~1u) != MAGIC || number_at(header + 8) != PAGES_BYTES || !is_sum(w, header + 24))
        return judge_without_header(w, header);
    memcpy(w->salt, header + 16, sizeof w->salt);
    code = walk(w, &first_bad);
    return code == SQLITE_OK ? look_beyond(w, first_bad) : code;
}

bool wal_has_header(sqlite3_file *wal, bool (*is_our_header)(const uint8_t *header))
{
    uint8_t head[FRAME_HEADER_BYTES + DATABASE_HEADER_BYTES];
    uint64_t at = HEADER_BYTES;
    if (read_at(wal, head, 12, 0) != SQLITE_OK || (number_at(head) & ~1u) != MAGIC ||
        number_at(head + 8) != PAGES_BYTES)
        return false;
    for (; read_at(wal, head, sizeof head, at) == SQLITE_OK; at += FRAME_BYTES)
        if (number_at(head) == 1 && is_our_header(head + FRAME_HEADER_BYTES))
            return true;
    return false;
}

int wal_judge(sqlite3_file *wal, sqlite3_file *database)
{
    sqlite3_int64 len;
    int code = wal->pMethods->xFileSize(wal, &len);
    if (code != SQLITE_OK || len < HEADER_BYTES + FRAME_BYTES)
        return code;
    struct wal *w = calloc(1, sizeof *w);
    if (w == NULL)
        return SQLITE_NOMEM;
    w->file = wal;
    w->database = database;
    w->frame_count = ((uint64_t)len - HEADER_BYTES) / FRAME_BYTES;
    code = judge(w);
    free(w);
    return code;
}
