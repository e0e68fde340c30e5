/*
 * tests/fault/test_power_outbox.c: the outbox after power cuts.
 *
 * A history of groups is committed on a disk in memory that remembers every operation, with folds, check-points,
 * large bodies, closings and kills between; before and after each commit it is noted what was handed over and what was
 * confirmed. Then the power is cut at every operation, in every scenario of power_vfs.h, and each state that this
 * leaves must open, without a complaint, at the end of a group not before the last that was confirmed nor after the last that
 * was handed over. There it must hold
 *  - the state that the records up to that group make (I1, I2),
 *  - for each reader what waits, in its order, and nothing that was acknowledged (I3),
 *  - each body that waits, by its digest,
 * and go on: the next group is committed and all is folded; after that the audit file must hold every record of every
 * group, byte for byte and chained, and the deliveries those that the history counts: accepted less acknowledged less
 * cancelled, for each reader (the books); and each case's row what its last record says, beside every record of
 * its moves, once.
 *
 * Opening is tried for every distinct state; the rest follows from what lies on the disk then, so it is tried for
 * each distinct outcome of opening. For some states, the power is cut again at every operation of that opening, and what
 * the opening had found by its end counts as confirmed.
 *
 * Controls, by the same check: what must be noticed when synchronous is NORMAL, when the disk lies about syncs, when
 * the journal is one that is deleted, and when "confirmed" is said before the commit.
 *
 * STATES: how many distinct states; BRUG_SEED: of the first history.
 */
#include "tests/lib/cases.h"
#include "tests/lib/directory.h"
#include "tests/lib/power_vfs.h"
#include "tests/lib/proof.h"
#include "tests/lib/sqlite_memory.h"
#include <inttypes.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define GROUPS 14 /* the last one is kept for going on */
#define MARK_CONFIRMED 0
#define MARK_HANDED_OVER 1
#define BAD UINT64_MAX
#define TOLD_MAX 5       /* violations described */
#define NESTED_EVERY 100 /* states, one is cut again while it is opened */
#define NESTED_CUTS 40   /* about so many states of each */
#define FROM_NOTHING_EVERY 8
#define ONE_IN 4 /* of the states of a history: more histories instead */
#define PARTS 2  /* processes */

/* ---- a history: groups, and what must be there after each ---- */

struct waiting_body {
    uint64_t lsn;
    struct digest digest;
};

struct chapter {
    struct group *group;
    uint64_t end; /* lsn of its last record */
    struct digest state, deliveries, answers;
    struct cases cases;
    struct waiting_body *bodies;
    size_t body_count;
};

struct story {
    struct history history;
    struct chapter chapters[GROUPS];
    struct store_options options;
    bool is_from_nothing; /* the making of the files is recorded too */
};

struct delivery {
    struct id endpoint;
    uint64_t sequence;
    struct id message_id, organisation;
};

static int compare_deliveries(const void *a, const void *b)
{
    const struct delivery *x = a, *y = b;
    int order = memcmp(x->endpoint.bytes, y->endpoint.bytes, ID_BYTES);
    return order != 0 ? order : x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void append(struct buf *b, const void *data, size_t len)
{
    assert_int_equal(buf_append(b, data, len), ERROR_NONE);
}

static void append_delivery(struct buf *b, const struct delivery *d)
{
    append(b, d->endpoint.bytes, ID_BYTES);
    append(b, &d->sequence, sizeof d->sequence);
    append(b, d->message_id.bytes, ID_BYTES);
    append(b, d->organisation.bytes, ID_BYTES);
}

static struct digest digest_of_buf(struct buf *b)
{
    struct digest d = digest_of_slice(buf_slice(b));
    buf_fini(b);
    return d;
}

/* The books of the history itself: what waits, for each reader in order. */
static struct digest expected_deliveries(const struct history *w)
{
    struct delivery *list = calloc(w->count * HISTORY_ENDPOINTS + 1, sizeof *list);
    struct buf all;
    size_t n = 0;
    assert_non_null(list);
    for (size_t i = 0; i < w->count; i++) {
        const struct history_message *m = &w->messages[i];
        for (unsigned r = 0; r < m->reader_count; r++)
            if (m->readers[r].is_waiting)
                list[n++] = (struct delivery){w->endpoints[m->readers[r].endpoint],
                                              m->readers[r].sequence, m->id, m->organisation};
    }
    qsort(list, n, sizeof *list, compare_deliveries);
    buf_init(&all, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++)
        append_delivery(&all, &list[i]);
    free(list);
    return digest_of_buf(&all);
}

static int compare_messages(const void *a, const void *b)
{
    const struct history_message *x = *(const struct history_message *const *)a;
    const struct history_message *y = *(const struct history_message *const *)b;
    int order = memcmp(x->id.bytes, y->id.bytes, ID_BYTES);
    return order != 0 ? order : memcmp(x->organisation.bytes, y->organisation.bytes, ID_BYTES);
}

static void append_answer(struct buf *b, struct slice id, struct slice organisation,
                          uint64_t waiting, bool is_refusal)
{
    append(b, id.data, id.len);
    append(b, organisation.data, organisation.len);
    append(b, &waiting, sizeof waiting);
    append(b, &is_refusal, sizeof is_refusal);
}

/* What every id was answered, whether anybody waits for it or not (I3). */
static struct digest expected_answers(const struct history *w)
{
    const struct history_message **list = calloc(w->count + 1, sizeof *list);
    struct buf all;
    assert_non_null(list);
    for (size_t i = 0; i < w->count; i++)
        list[i] = &w->messages[i];
    qsort(list, w->count, sizeof *list, compare_messages);
    buf_init(&all, SIZE_MAX / 2);
    for (size_t i = 0; i < w->count; i++) {
        uint64_t waiting = 0;
        for (unsigned r = 0; r < list[i]->reader_count; r++)
            waiting += list[i]->readers[r].is_waiting;
        append_answer(&all, id_slice(&list[i]->id), id_slice(&list[i]->organisation), waiting,
                      list[i]->is_refusal);
    }
    free(list);
    return digest_of_buf(&all);
}

static void expect_bodies(struct chapter *c, const struct history *w)
{
    c->bodies = calloc(w->count + 1, sizeof *c->bodies);
    assert_non_null(c->bodies);
    for (size_t i = 0; i < w->count; i++) {
        const struct history_message *m = &w->messages[i];
        bool waits = false;
        for (unsigned r = 0; r < m->reader_count; r++)
            waits |= m->readers[r].is_waiting;
        if (waits)
            c->bodies[c->body_count++] = (struct waiting_body){m->body_lsn, m->digest};
    }
}

static void story_init(struct story *y, const char *directory, uint64_t seed)
{
    struct state *state = state_empty(ID_NONE);
    struct history *w = &y->history;
    struct group *groups[GROUPS];
    *y = (struct story){.options = outbox_options(directory)};
    history_init(w, seed);
    w->big_body_percent = history_random(w, 3) == 0 ? 3 : 0;
    unsigned records_max = 3 + (unsigned)history_random(w, 20);
    for (unsigned i = 0; i < GROUPS; i++) {
        struct chapter *c = &y->chapters[i];
        c->group = i == 0 ? history_directory(w)
                          : history_group(w, 1 + (unsigned)history_random(w, records_max));
        groups[i] = c->group;
        c->cases = cases_of_groups(groups, i + 1);
        c->end = w->lsn;
        state_apply_group(state, c->group);
        c->state = state_digest_of(state);
        c->deliveries = expected_deliveries(w);
        c->answers = expected_answers(w);
        expect_bodies(c, w);
    }
    state_free(state);
    y->is_from_nothing = seed % FROM_NOTHING_EVERY < 2;
    y->options.vfs = POWER_VFS;
    y->options.checkpoint_pages = 4 + history_random(w, 30);
    y->options.fold_slice_bytes = 300 + history_random(w, 3000);
}

static void story_fini(struct story *y)
{
    for (unsigned i = 0; i < GROUPS; i++) {
        group_free(y->chapters[i].group);
        free(y->chapters[i].bodies);
    }
    history_fini(&y->history);
}

/* How many groups end at or before this lsn; GROUPS + 1: it lies inside one. */
static unsigned groups_at(const struct story *y, uint64_t lsn)
{
    unsigned n = 0;
    while (n < GROUPS && y->chapters[n].end < lsn)
        n++;
    return lsn == 0 ? 0 : n < GROUPS && y->chapters[n].end == lsn ? n + 1 : GROUPS + 1;
}

/* ---- recording ---- */

/* The salts of a WAL are random: from here on the same each time, so that what follows depends on the disk alone. */
static void seed_sqlite(void)
{
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, (sqlite3 *)NULL); /* cannot fail */
}

struct setting {
    const char *name;
    const struct power_pragma *pragmas;
    size_t pragma_count;
    bool syncs_lie, confirms_early;
    bool is_gentle; /* a torn sector holds old and new bytes only, and nobody kills the process */
};

static struct store *must_open(const struct story *y)
{
    const char *problem;
    struct store *s;
    enum error e = store_open(&s, &y->options, &problem);
    if (e != ERROR_NONE)
        fail_msg("the store does not open: %s", problem);
    return s;
}

/* The process ended and another starts, at any point; what it finds it may tell. */
static struct store *restart(struct story *y, struct power_disk *d, struct store *s)
{
    store_close(s);
    power_restart(d);
    s = must_open(y);
    power_mark(d, MARK_CONFIRMED, store_lsn(s));
    return s;
}

static enum error commit(const struct story *y, const struct setting *x, struct power_disk *d,
                         struct store *s, unsigned i)
{
    const struct chapter *c = &y->chapters[i];
    power_mark(d, MARK_HANDED_OVER, c->end);
    if (x->confirms_early)
        power_mark(d, MARK_CONFIRMED, c->end);
    enum error e = store_commit(s, c->group);
    if (e == ERROR_NONE)
        power_mark(d, MARK_CONFIRMED, c->end);
    return e;
}

/* One thing that a relay does between two commits. */
static enum error between(struct story *y, const struct setting *x, struct power_disk *d,
                          struct store **s)
{
    bool is_done;
    uint64_t choice = history_random(&y->history, 10);
    if (x->is_gentle && (choice == 3 || choice == 4))
        return ERROR_NONE;
    switch (choice) {
    case 0:
    case 1:
    case 2:
        return store_fold(*s, &is_done);
    case 3:
        power_kill_before(d, 1 + history_random(&y->history, 30));
        return ERROR_NONE;
    case 4:
        power_kill_before_sync(d, 1 + history_random(&y->history, 2));
        return ERROR_NONE;
    case 5:
        *s = restart(y, d, *s);
        return ERROR_NONE;
    default:
        return ERROR_NONE;
    }
}

/* The disk is made and the first group on it: what comes then is recorded. */
static struct store *begin_later(struct story *y, struct power_disk *d, struct store *s)
{
    assert_int_equal(store_commit(s, y->chapters[0].group), ERROR_NONE);
    store_close(s);
    power_mark(d, MARK_HANDED_OVER, y->chapters[0].end);
    power_mark(d, MARK_CONFIRMED, y->chapters[0].end);
    power_keep(d, POWER_LOG);
    return must_open(y);
}

static struct power_disk *record(struct story *y, const struct setting *x)
{
    struct power_disk *d = power_disk_new();
    power_set_pragmas(d, x->pragmas, x->pragma_count);
    power_mount(y->options.directory, d);
    power_keep(d, POWER_LOG);
    struct store *s = must_open(y);
    if (!y->is_from_nothing)
        s = begin_later(y, d, s);
    unsigned groups;
    while ((groups = groups_at(y, store_lsn(s))) < GROUPS - 1) {
        enum error e = commit(y, x, d, s, groups);
        if (e == ERROR_NONE)
            e = between(y, x, d, &s);
        if (e != ERROR_NONE) {
            assert_true(power_is_off(d));
            s = restart(y, d, s);
        }
    }
    store_close(s);
    power_mount(NULL, d);
    return d;
}

/* ---- checking one state ---- */

struct check {
    const struct story *story;
    const struct power_disk *recorded;
    struct power_set *states; /* hash of a disk → lsn that it opened at, or BAD */
    struct power_set *opened; /* hash of a disk after opening → the same */
    uint64_t seed, states_max, violations_max;
    uint64_t violations, gone, nested, outcomes; /* gone: confirmed, but not there */
    bool is_nested, is_quiet, garbage;
    const char *problem; /* of the last bad state */
};

static bool is_body_there(struct store *s, struct load *l, const struct waiting_body *b)
{
    struct body *found;
    l->body_lsn = b->lsn;
    store_load_one(s, l);
    if (l->result != ERROR_NONE || body_from_stored(&found, buf_slice(&l->bytes)) != ERROR_NONE)
        return false;
    bool is = digest_equal(&found->digest, &b->digest);
    body_unref(found);
    return is;
}

static bool are_bodies_there(struct store *s, const struct chapter *c)
{
    struct load *l = load_new(LOAD_BODY);
    bool are = true;
    assert_non_null(l);
    for (size_t i = 0; i < c->body_count && are; i++)
        are = is_body_there(s, l, &c->bodies[i]);
    load_free(l);
    return are;
}

static const char *check_state(struct store *s, const struct chapter *c)
{
    static const uint64_t hash_seed[2] = {5, 6};
    struct state *state = state_new(hash_seed);
    const char *problem;
    assert_non_null(state);
    if (store_load(s, state, HISTORY_LOW_WATER_MS, &problem) == ERROR_NONE) {
        struct digest found = state_digest_of(state);
        problem = digest_equal(&found, &c->state) ? NULL : "the state is another one";
    }
    state_free(state);
    if (problem == NULL && !are_bodies_there(s, c))
        problem = "a body that waits is missing or is another one";
    return problem;
}

/* The next group, and all folded. */
static const char *go_on(struct store *s, const struct chapter *next)
{
    bool is_done = false;
    if (store_commit(s, next->group) != ERROR_NONE)
        return "the next group cannot be committed";
    while (!is_done)
        if (store_fold(s, &is_done) != ERROR_NONE)
            return "folding fails";
    return check_state(s, next);
}

static sqlite3_stmt *query(const struct story *y, const char *file, const char *sql)
{
    char path[512];
    sqlite3 *c;
    sqlite3_stmt *s;
    directory_file(path, sizeof path, y->options.directory, file);
    if (sqlite3_open_v2(path, &c, SQLITE_OPEN_READWRITE, POWER_VFS) != SQLITE_OK ||
        sqlite3_exec(c, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(c));
    return s;
}

static void query_end(sqlite3_stmt *s)
{
    sqlite3 *c = sqlite3_db_handle(s);
    sqlite3_finalize(s);
    sqlite3_close(c);
}

static struct slice column(sqlite3_stmt *s, int i)
{
    return slice_of(sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
}

static uint64_t big_endian(uint64_t v) { return __builtin_bswap64(v); }

/* One row of the audit file: of this group, chained to the row before, whose hash becomes its own. */
static bool is_row_of(sqlite3_stmt *s, const struct group *g, struct digest *hash)
{
    uint64_t numbers[2] = {big_endian(g->first_lsn), big_endian(g->count)};
    struct slice records = buf_slice(&g->records);
    bool is = (uint64_t)sqlite3_column_int64(s, 0) == g->first_lsn &&
              (uint64_t)sqlite3_column_int64(s, 1) == g->count &&
              slice_equal(column(s, 2), digest_slice(hash)) && slice_equal(column(s, 4), records);
    struct slice parts[] = {digest_slice(hash), slice_of((const uint8_t *)numbers, sizeof numbers),
                            records};
    *hash = digest_of(parts, 3);
    return is && slice_equal(column(s, 3), digest_slice(hash));
}

static const char *check_audit(const struct story *y, unsigned groups)
{
    struct digest hash = {{0}};
    unsigned n = 0;
    sqlite3_stmt *s =
        query(y, "audit.db",
              "SELECT first_lsn, count, prev_hash, hash, records FROM audit ORDER BY first_lsn");
    bool is_whole = true;
    for (; is_whole && n < groups; n++)
        is_whole = sqlite3_step(s) == SQLITE_ROW && is_row_of(s, y->chapters[n].group, &hash);
    is_whole = is_whole && sqlite3_step(s) == SQLITE_DONE;
    query_end(s);
    return is_whole ? NULL : "the audit file is not the chain of all groups";
}

static const char *check_deliveries(const struct story *y, const struct chapter *c)
{
    struct buf all;
    buf_init(&all, SIZE_MAX / 2);
    sqlite3_stmt *s =
        query(y, "brug.db",
              "SELECT endpoint, sequence, id, org FROM delivery ORDER BY endpoint, sequence");
    while (sqlite3_step(s) == SQLITE_ROW) {
        uint64_t sequence = (uint64_t)sqlite3_column_int64(s, 1);
        append(&all, column(s, 0).data, column(s, 0).len);
        append(&all, &sequence, sizeof sequence);
        append(&all, column(s, 2).data, column(s, 2).len);
        append(&all, column(s, 3).data, column(s, 3).len);
    }
    query_end(s);
    struct digest found = digest_of_buf(&all);
    return digest_equal(&found, &c->deliveries) ? NULL : "the books do not balance";
}

static const char *check_answers(const struct story *y, const struct chapter *c)
{
    struct buf all;
    bool is_sound = true;
    buf_init(&all, SIZE_MAX / 2);
    sqlite3_stmt *s =
        query(y, "brug.db", "SELECT id, org, waiting, row FROM message ORDER BY id, org");
    while (is_sound && sqlite3_step(s) == SQLITE_ROW) {
        struct slice row = column(s, 3);
        Brug__V1__KnownMessage *m = brug__v1__known_message__unpack(NULL, row.len, row.data);
        is_sound = m != NULL;
        if (is_sound)
            append_answer(&all, column(s, 0), column(s, 1), (uint64_t)sqlite3_column_int64(s, 2),
                          m->code != BRUG__V1__CODE__CODE_NONE);
        if (is_sound)
            brug__v1__known_message__free_unpacked(m, NULL);
    }
    query_end(s);
    struct digest found = digest_of_buf(&all);
    return is_sound && digest_equal(&found, &c->answers) ? NULL
                                                         : "a remembered answer is not there";
}

static const char *check_cases(const struct story *y, const struct chapter *c)
{
    struct cases found;
    sqlite3_stmt *s = query(y, "brug.db", "SELECT 1");
    enum error e = cases_read(sqlite3_db_handle(s), &found);
    query_end(s);
    return e == ERROR_NONE ? cases_compare(&found, &c->cases) : "a table of cases does not read";
}

/* All that follows from what lies on the disk once the store is open; closes it. */
static const char *check_outcome(struct check *k, struct store *s, unsigned groups)
{
    const struct story *y = k->story;
    const char *problem = groups == 0 ? NULL : check_state(s, &y->chapters[groups - 1]);
    if (problem == NULL)
        problem = go_on(s, &y->chapters[groups]);
    store_close(s);
    if (problem == NULL)
        problem = check_audit(y, groups + 1);
    if (problem == NULL)
        problem = check_deliveries(y, &y->chapters[groups]);
    if (problem == NULL)
        problem = check_answers(y, &y->chapters[groups]);
    if (problem == NULL)
        problem = check_cases(y, &y->chapters[groups]);
    k->outcomes++;
    return problem;
}

/* Opens what the cut left. Returns the lsn that it stands at, or BAD. */
static uint64_t open_state(struct check *k, struct power_disk *d)
{
    struct store *s;
    uint64_t lsn;
    seed_sqlite();
    if (store_open(&s, &k->story->options, &k->problem) != ERROR_NONE)
        return BAD;
    lsn = store_lsn(s);
    unsigned groups = groups_at(k->story, lsn);
    uint64_t hash = power_disk_hash(d);
    const uint64_t *known = power_set_find(k->opened, hash);
    if (known != NULL || groups >= GROUPS) {
        k->problem = groups < GROUPS ? "as an outcome before" : "it stands inside a group";
        power_off(d); /* closing costs nothing then */
        store_close(s);
        return groups < GROUPS ? *known : BAD;
    }
    power_keep(d, POWER_NOTHING);
    k->problem = check_outcome(k, s, groups);
    lsn = k->problem == NULL ? lsn : BAD;
    power_set_put(k->opened, hash, lsn);
    return lsn;
}

static bool on_state(void *ctx, struct power_state *s);

/* Cuts the power again, at each operation of an opening that was recorded. */
static void cut_opening(struct check *k, const struct power_disk *opening,
                        const struct power_state *outer)
{
    struct power_plan plan = {
        .seed = outer->seed,
        .random_per_cut = 4,
        .garbage = k->garbage,
        .no_systematic = true,
        .cut_stride = 1 + (unsigned)(power_kept(opening) * 4 / NESTED_CUTS),
    };
    const struct power_disk *recorded = k->recorded;
    k->is_nested = true;
    k->recorded = opening;
    (void)power_replay(opening, &plan, on_state, k); /* the distinct ones are counted */
    k->recorded = recorded;
    k->is_nested = false;
}

static uint64_t examine_new(struct check *k, struct power_state *s)
{
    bool is_cut_again = !k->is_nested && power_set_count(k->states) % NESTED_EVERY == 0;
    struct power_disk *again = is_cut_again ? power_disk_clone(s->disk) : NULL;
    power_mount(k->story->options.directory, s->disk);
    uint64_t lsn = open_state(k, s->disk);
    power_set_put(k->states, s->hash, lsn);
    k->nested += k->is_nested;
    if (again != NULL && lsn != BAD) {
        const char *problem;
        struct store *store;
        power_mount(k->story->options.directory, again);
        power_keep(again, POWER_LOG);
        if (store_open(&store, &k->story->options, &problem) == ERROR_NONE) {
            power_mark(again, MARK_CONFIRMED, store_lsn(store));
            power_off(again);
            store_close(store);
        }
        cut_opening(k, again, s);
    }
    power_disk_free(again);
    return lsn;
}

static void tell(const struct check *k, const struct power_state *s, uint64_t lsn)
{
    if (k->is_quiet || k->violations > TOLD_MAX)
        return;
    printf("# violation with SEED=%" PRIu64 "%s: ", k->seed,
           k->is_nested ? " (while opening)" : "");
    power_state_print(k->recorded, s, stdout);
    if (lsn == BAD)
        printf("#   %s\n", k->problem);
    else
        printf("#   lsn %" PRIu64 ", but %" PRIu64 " was confirmed and %" PRIu64 " handed over\n",
               lsn, s->marks[MARK_CONFIRMED], s->marks[MARK_HANDED_OVER]);
}

static bool on_state(void *ctx, struct power_state *s)
{
    struct check *k = ctx;
    const uint64_t *known = power_set_find(k->states, s->hash);
    uint64_t lsn = known != NULL ? *known : examine_new(k, s);
    if (lsn < s->marks[MARK_CONFIRMED] || lsn > s->marks[MARK_HANDED_OVER]) {
        k->violations++;
        k->gone += lsn < s->marks[MARK_CONFIRMED];
        tell(k, s, lsn);
    }
    return power_set_count(k->states) < k->states_max && k->violations < k->violations_max;
}

/* ---- many histories ---- */

struct total {
    uint64_t states, histories, outcomes, nested, violations, gone;
};

/* Histories from this seed on, every `stride`-th, until there are so many distinct states. */
static struct total prove(const struct setting *x, uint64_t seed, unsigned stride,
                          uint64_t states_max, uint64_t violations_max, bool is_quiet)
{
    struct total t = {0};
    char *directory = directory_new();
    for (; t.states < states_max && t.violations < violations_max; seed += stride) {
        struct story y;
        story_init(&y, directory, seed);
        seed_sqlite();
        struct power_disk *d = record(&y, x);
        struct check k = {.story = &y,
                          .recorded = d,
                          .seed = seed,
                          .states = power_set_new(),
                          .opened = power_set_new(),
                          .states_max = states_max - t.states,
                          .violations_max = violations_max - t.violations,
                          .garbage = !x->is_gentle,
                          .is_quiet = is_quiet};
        struct power_plan plan = {.seed = seed,
                                  .random_per_cut = 6,
                                  .one_in = ONE_IN,
                                  .garbage = k.garbage,
                                  .syncs_lie = x->syncs_lie};
        (void)power_replay(d, &plan, on_state, &k); /* the distinct ones are counted */
        t.states += power_set_count(k.states);
        t.histories++;
        t.outcomes += k.outcomes;
        t.nested += k.nested;
        t.violations += k.violations;
        t.gone += k.gone;
        power_set_free(k.states);
        power_set_free(k.opened);
        power_disk_free(d);
        story_fini(&y);
    }
    directory_free(directory);
    return t;
}

/* ---- controls: set-ups that are broken, and one that is sound for comparison ---- */

static const struct power_pragma normal[] = {{"synchronous", "FULL", .instead = "1"}};
/*
 * The WAL is not begun, so what SQLite does otherwise stands: a journal that is deleted. Gently, so that nothing
 * else can be the reason: a roll-back writes the header last, and until then pages.c cannot know by it that the pages
 * have checksums (the outbox rolls back no file but a new one, which is emptied); and a process that is killed
 * between deleting and the sync of the directory leaves a commit that the next one sees and does not sync.
 */
static const struct power_pragma deleting[] = {
    {"journal_mode", "WAL", .answer = "wal"},
    {"locking_mode", "EXCLUSIVE", .instead = "NORMAL"},
    {"synchronous", "FULL", .instead = "FULL"},
};
static const struct power_pragma deleting_extra[] = {
    {"journal_mode", "WAL", .answer = "wal"},
    {"locking_mode", "EXCLUSIVE", .instead = "NORMAL"},
    {"synchronous", "FULL", .instead = "3"},
};

static const struct setting controls[] = {
    /* Gently: without syncs a process that is killed takes with it what gathered (daemon/store/gather.h). */
    {.name = "synchronous=NORMAL", .pragmas = normal, .pragma_count = 1, .is_gentle = true},
    {.name = "a disk that lies about syncs", .syncs_lie = true},
    {.name = "journal_mode=DELETE, synchronous=FULL",
     .pragmas = deleting,
     .pragma_count = 3,
     .is_gentle = true},
    {.name = "confirmed before the commit", .confirms_early = true},
};
#define CONTROLS (sizeof controls / sizeof controls[0])

#define CONTROL_SEED \
    2 /* a history on files that are made already: there is something to lose from the start */

static unsigned controls_failed;

static void test_controls(void **unused)
{
    for (size_t i = 0; i < CONTROLS; i++) {
        struct total t = prove(&controls[i], CONTROL_SEED, 1, 20000, 50, true);
        printf("# control: %s: %" PRIu64 " violations in %" PRIu64 " states, %" PRIu64
               " of them confirmed and gone, %" PRIu64 " do not open or are wrong\n",
               controls[i].name, t.violations, t.states, t.gone, t.violations - t.gone);
        controls_failed += t.gone > 0;
    }
    assert_int_equal(controls_failed, CONTROLS);
}

/* The journal that is deleted loses what it does because its deletion is not synced, for no other reason. */
static void test_deleting_with_extra_is_sound(void **unused)
{
    static const struct setting extra = {
        .name = "EXTRA", .pragmas = deleting_extra, .pragma_count = 3, .is_gentle = true};
    struct total t =
        prove(&extra, CONTROL_SEED, 1, proof_size("EXTRA_STATES", 2000, 20000), 5, false);
    assert_int_equal(t.violations, 0);
}

/* ---- the proof ---- */

/* In a process of its own. */
static int begin_part(uint64_t seed, unsigned stride, uint64_t states_max)
{
    static const struct setting sound = {.name = "as it is"};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stdout); /* else both processes print what waits */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct total t = prove(&sound, seed, stride, states_max, 100, false);
        (void)fflush(stdout); /* notes on what the result says anyway */
        _exit(write(ends[1], &t, sizeof t) == (ssize_t)sizeof t ? 0 : 1);
    }
    (void)close(ends[1]); /* the child's */
    return ends[0];
}

static void end_part(int from, struct total *sum)
{
    struct total t;
    if (read(from, &t, sizeof t) != (ssize_t)sizeof t)
        fail_msg("a part of the proof ended early");
    (void)close(from); /* nothing more comes */
    assert_true(wait(NULL) > 0);
    sum->states += t.states;
    sum->histories += t.histories;
    sum->outcomes += t.outcomes;
    sum->nested += t.nested;
    sum->violations += t.violations;
}

static void test_power_cuts(void **unused)
{
    uint64_t states_max = proof_size("STATES", 50000, 1000000), seed = proof_seed(1);
    double begin = proof_seconds();
    int parts[PARTS];
    struct total t = {0};
    for (unsigned i = 0; i < PARTS; i++)
        parts[i] = begin_part(seed + i, PARTS, (states_max + PARTS - 1) / PARTS);
    for (unsigned i = 0; i < PARTS; i++)
        end_part(parts[i], &t);
    double seconds = proof_seconds() - begin;
    printf("# %" PRIu64 " histories, %" PRIu64 " states of which %" PRIu64
           " cut while opening, %" PRIu64 " outcomes followed on, %.0f states a second\n",
           t.histories, t.states, t.nested, t.outcomes, (double)t.states / seconds);
    struct proof row = {
        .claim = "the outbox after a power cut: all that was confirmed, nothing twice",
        .unit = "states",
        .done = t.states,
        .violations = t.violations,
        .controls = CONTROLS,
        .controls_failed = controls_failed,
        .seconds = seconds,
    };
    proof_report(&row);
    assert_int_equal(t.violations, 0);
    assert_true(t.states >= states_max && t.nested > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_controls), cmocka_unit_test(test_deleting_with_extra_is_sound),
        cmocka_unit_test(test_power_cuts), /* last: a part that fails runs what follows */
    };
    sqlite_memory_quick();
    power_vfs_register(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
