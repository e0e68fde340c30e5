/*
 * daemon/store/store.h: the outbox on disk (design §7): journal and packs, folding into tables,
 * loading.
 *
 * Two layers. `struct store` does everything synchronously on the calling thread (the simulator and
 * the fault tests use it as it is). `struct store_thread` runs one store on its own thread and
 * carries requests in and results out.
 *
 * Files in `directory`: brug.db (journal, pack, body, tables), audit.db (whole journal rows by
 * first_lsn).
 * Invariants
 *  1. Exactly one connection per file, exclusive, WAL, synchronous=FULL; check-points are called
 *     and their result checked.
 *  2. A group is one journal row and one pack row in one transaction; a failed commit is never
 *     retried: the store is dead after it.
 *  3. The audit file holds a journal row before the fold removes it; the same lsn with another hash
 *     stops everything.
 *  4. folded_lsn moves in the same transaction as the rows that it folds.
 *  5. Every page is compared with its checksum when it is read (pages.h), a WAL is judged before it is
 *     recovered (wal.h): what the disk changed is an error, never an answer.
 */
#ifndef DAEMON_STORE_STORE_H
#define DAEMON_STORE_STORE_H

#include "daemon/core/group.h"
#include "daemon/core/load.h"
#include "daemon/core/state.h"

struct store;

struct store_options {
    const char *directory;     /* must exist, mode 0700 */
    const char *vfs;           /* NULL: the default; tests name theirs */
    size_t checkpoint_pages;   /* inline check-point when the WAL has so many; 500-1000 */
    size_t fold_slice_bytes;   /* of journal folded in one commit */
    size_t fold_gather_bytes;  /* of journal that gather before commits fold; at most half of the
                                  lag's bound; 0: a slice */
    size_t fold_lag_bytes_max; /* 64 MiB: beyond it store_is_behind */
    /* Of free disk that is kept at the least; besides it what the end of all that waits will take. Below both together
     * store_has_room is false. */
    uint64_t reserve_bytes;
    uint64_t unstored_bytes; /* what may be accepted before it is known that there is no room */
    uint64_t (*free_bytes)(void); /* of the disk; NULL: the file system is asked */
    uint8_t random[16];           /* for the generation of a new store */
};

/*
 * Opens or creates; recovers the WAL (checked TRUNCATE check-point), checks the tables whose size
 * follows what is live (not those of history: a start must not cost it), migrations.
 * *problem (a static or store-owned line, for the log) names what is wrong: IO, CORRUPT,
 * STORE_FORMAT, LOCKED, PERMISSION.
 */
enum error store_open(struct store **out, const struct store_options *o, const char **problem)
    MUST_CHECK;
void store_close(struct store *s); /* accepts NULL; check-points */

/* Loads what is live and applies the journal after folded_lsn. low_water_ms is W. */
enum error store_load(struct store *s, struct state *state, int64_t low_water_ms,
                      const char **problem) MUST_CHECK;
struct id store_generation(const struct store *s);
uint64_t store_lsn(const struct store *s); /* of the last committed record */
uint64_t store_folded_lsn(const struct store *s);
/* When the last record was made, in ms; 0: there is none. */
enum error store_last_ms(struct store *s, int64_t *out) MUST_CHECK;

/* One transaction; includes a fold slice when the lag asks for it. Any error is final for this
 * store. */
enum error store_commit(struct store *s, const struct group *g) MUST_CHECK;
/* Folds up to one slice when nothing waits; *is_done when nothing is left to fold. */
enum error store_fold(struct store *s, bool *is_done) MUST_CHECK;
/* Fills l->result and l->bytes. Never fails otherwise. */
void store_load_one(struct store *s, struct load *l);
bool store_has_room(const struct store *s); /* as of the last commit or store_check_room */
void store_check_room(struct store *s);
bool store_is_behind(const struct store *s);
uint64_t store_free_bytes(const struct store *s);
uint64_t store_needed_bytes(const struct store *s); /* of free disk, to have room */

/* ---- the books (account.c) ---- */

struct account_reader {
    struct id endpoint;
    uint64_t accepted; /* copies that were fanned out to it */
    uint64_t waiting;  /* not in quarantine */
    uint64_t parked;   /* of those that wait or are in quarantine: not offered */
    uint64_t acknowledged, expired, cancelled, quarantined;
    uint64_t differences; /* 0: accepted is the sum of the others, and tables and state agree */
    char problem[128];    /* about the first difference */
};

/*
 * An account proves I8: from the first record on, every row of audit.db and of the journal is read and its
 * hash checked against the chain, the books of each reader are made from the records, and what they say
 * is open is compared with the table of deliveries and with the state in memory.
 *
 * It reads in slices between commits and folds, so that a store at work does not stand still for it.
 * Failures: no memory; an I/O error; damage is a result, not a failure.
 */
struct account;

struct account *account_new(const uint64_t hash_seed[2]); /* NULL: no memory */
void account_free(struct account *a);
/* The state's mailboxes as they are at state_lsn(state), to be compared when the account has come there;
 * that lsn may lie ahead of what is committed. ERROR_NO_MEMORY. */
enum error account_expect(struct account *a, const struct state *state) MUST_CHECK;

struct account_result {
    uint64_t lsn;        /* of the last record in the books */
    uint64_t row_count;  /* journal rows whose hash was checked */
    bool is_balanced;    /* the chain is whole and no reader differs */
    const char *problem; /* of the chain, with its lsn; NULL: it is whole */
    size_t reader_count;
    struct account_reader *readers; /* ascending by endpoint */
};
/* One slice; *is_done when the result is there. With an lsn ahead of what is committed, call again after
 * the commit. */
enum error account_step(struct account *a, struct store *s, bool *is_done) MUST_CHECK;
bool account_waits_for_commit(const struct account *a, const struct store *s);
const struct account_result *account_result(const struct account *a);
/* The whole at once. */
enum error store_account(struct store *s, struct account *a) MUST_CHECK;

/* ---- on its own thread ---- */
struct store_thread;

/* Called on the storage thread after something finished: wake the owner (uv_async_send), nothing
 * else. */
typedef void store_wake_cb(void *ctx);

/* Takes the store (*s becomes NULL). */
enum error store_thread_start(struct store_thread **out, struct store **s, store_wake_cb *wake,
                              void *ctx) MUST_CHECK;
void store_thread_commit(struct store_thread *t,
                         struct group *g);                      /* takes g; at most one at a time */
void store_thread_load(struct store_thread *t, struct load *l); /* takes l */
void store_thread_account(struct store_thread *t, struct account *a); /* takes a; one at a time */

/* What finished since the last call, on the owner's thread. */
struct store_results {
    enum error failed; /* a commit or fold failed: nothing more will be done; end the process */
    const char *problem;
    uint64_t durable_lsn; /* 0: no group finished */
    struct group *group;  /* the finished group, to free on the owner's thread; NULL */
    struct load *loads[64];
    size_t load_count;         /* when 64, call again */
    struct account *account;   /* that ended, to free; NULL */
    enum error account_failed; /* else its result is there */
    bool has_room, is_behind;
    uint64_t folded_lsn, free_bytes, needed_bytes;
};
void store_thread_collect(struct store_thread *t, struct store_results *out);
/* Finishes what was handed over, closes the store, joins the thread. */
void store_thread_stop(struct store_thread *t);

#endif
