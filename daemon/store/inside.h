/*
 * daemon/store/inside.h: what the files of daemon/store share; nobody else includes it.
 *
 * Who does what: store.c opens, commits and closes; pack.c lays bodies into a pack and finds them;
 * figures.c counts; audit.c keeps the audit file; pages.c and wal.c find what the disk changed, gather.c writes in long
 * pieces; fold.c brings journal rows into the tables; load.c reads back; thread.c runs it all on a
 * thread. last.c says when the last record was made.
 */
#ifndef DAEMON_STORE_INSIDE_H
#define DAEMON_STORE_INSIDE_H

#include "daemon/store/driver.h"
#include "daemon/store/store.h"
#include "proto/arena.h"

#define STORE_BODY_BYTES_PACKED_MAX (64u << 10) /* a larger one gets a row of its own */

/* A journal row as it stands on disk. `records` is borrowed. */
struct journal_row {
    uint64_t first_lsn;
    uint64_t count;
    struct digest prev_hash, hash;
    struct slice records;
};

/* Where folding has come to. The journal keeps rows from whole_lsn + 1 on; lsn may lie inside the
 * first of them. */
struct fold_position {
    uint64_t lsn;       /* of the last folded record */
    uint64_t whole_lsn; /* the end of the last row that was folded whole */
    struct digest hash; /* of that row */
    int64_t newest_ms;  /* the latest time in a UUIDv7 of the table `message`; 0: none */
};

struct store {
    struct driver *outbox, *audit;
    int lock, directory; /* descriptors */
    size_t checkpoint_pages, fold_slice_bytes, fold_gather_bytes, fold_lag_bytes_max;
    uint64_t reserve_bytes, unstored_bytes, free_bytes;
    uint64_t (*ask_free_bytes)(void); /* NULL: the file system */
    uint64_t waiting;                 /* copies, as of the last commit */
    struct id generation;
    uint64_t lsn;       /* of the last committed record */
    struct digest hash; /* of the last committed row */
    struct fold_position folded;
    uint64_t lag_bytes;   /* of the records in the journal */
    uint64_t audited_lsn; /* of the last record in the audit file */
    struct digest audited_hash;
    bool is_auditing;    /* a transaction of the audit file is open */
    struct buf scratch;  /* of one row: a pack, a message */
    struct arena *arena; /* of one slice or one row */
    uint64_t hash_seed[2];
    enum error failed; /* once set, nothing is written any more */
    const char *problem;
};

/* Notes the first failure with its line: `problem`, else the driver's, else the error's own;
 * returns e. */
enum error store_failed(struct store *s, struct driver *d, enum error e, const char *problem);
/* The hash of a row over its parts (group.h). */
struct digest journal_hash(const struct digest *prev_hash, uint64_t first_lsn, uint64_t count,
                           struct slice records);
/*
 * The row that the statement JOURNAL_READ stands on; its records live until the next step.
 * ERROR_CORRUPT, noted, when it does not follow the row that ends at prev_lsn with prev_hash, and
 * when its own hash is not that of its records.
 */
enum error journal_row_read(struct store *s, uint64_t prev_lsn, const struct digest *prev_hash,
                            struct journal_row *out) MUST_CHECK;
/*
 * Likewise for a statement with the same columns on either file; nothing is noted: *problem (a static line)
 * says what is wrong with the row after prev_lsn, and *out is what stands there all the same.
 */
enum error journal_row_check(struct driver *d, unsigned statement, uint64_t prev_lsn,
                             const struct digest *prev_hash, struct journal_row *out,
                             const char **problem) MUST_CHECK;
/* The check-points that are due, after a commit. Failure is final. */
enum error store_tidy(struct store *s) MUST_CHECK;

/* ---- pack.c ---- */
/* Serialises the bodies of the group that go into its pack; none: out stays empty. */
enum error pack_build(struct buf *out, const struct group *g) MUST_CHECK;
/* Reads one body out of the pack that would hold it: ERROR_NOT_FOUND. */
enum error pack_read(struct driver *d, uint64_t first_lsn, uint64_t lsn, struct buf *out)
    MUST_CHECK;

/* ---- recover.c ---- */
/* Answers a LOAD_RECOVERED. */
enum error recover_page(struct store *s, struct load *l) MUST_CHECK;

/* ---- load.c ---- */
/* The stored bytes of the body that the record with this lsn brought: ERROR_NOT_FOUND. */
enum error store_read_body(struct store *s, uint64_t lsn, struct buf *out) MUST_CHECK;

/* ---- audit.c ---- */
enum error audit_open(struct store *s, const char *path, const char *vfs, bool is_new_outbox,
                      const char **problem) MUST_CHECK;
/* Puts a row into the audit file, in its transaction, which the first call begins. A row that is
 * there already must have the same hash: ERROR_CORRUPT. */
enum error audit_put(struct store *s, const struct journal_row *row) MUST_CHECK;
/* Makes durable what was put since the last time. */
enum error audit_commit(struct store *s) MUST_CHECK;

/* ---- figures.c: in the open transaction ---- */
/* What the move of a case counts for. */
enum error figures_add_move(struct driver *d, const Brug__V1__CaseMoved *m) MUST_CHECK;
/* A referral from before cases moved. */
enum error figures_add_case(struct driver *d, const Brug__V1__Case *c) MUST_CHECK;
enum error figures_add_table(struct driver *d, const Brug__V1__FiguresPublished *t,
                             struct slice row) MUST_CHECK;
/* A store from before figures were kept counts what its cases and their events say. */
enum error figures_fill(struct store *s) MUST_CHECK;

/* ---- fold.c ---- */
/* Folds about so many bytes of journal, in the open transaction of the outbox. The caller sets
 * s->folded = *to and takes off *bytes once that transaction is committed. */
enum error fold_slice(struct store *s, size_t bytes_max, struct fold_position *to, uint64_t *bytes)
    MUST_CHECK;
/* Whether a record is about a message that another record brought, and about which. */
enum error fold_record_names(struct arena *arena, unsigned type, struct slice payload,
                             bool *is_about, struct id *organisation, struct id *message_id)
    MUST_CHECK;
/* Whether a reader's copy of the message waits for it. */
bool fold_reader_waits(const Brug__V1__KnownReader *r);

#endif
