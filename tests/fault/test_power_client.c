/*
 * tests/fault/test_power_client.c: the power goes while a client works, at any time and with any part of what its store
 * had not synced.
 *
 * Recorded once, on a disk in memory: letters are written, given up, sealed, submitted (one sealed again under a new id), come,
 * are acknowledged and read, a colleague is confirmed, a delivery is repeated, the process starts again. What was promised
 * to the user or said to the relay is noted at the moment when it was. For every state that a power cut can leave:
 *   the store opens, is whole, and holds all that had been promised by then: letters taken in, in the bytes that were submitted,
 *   what was acknowledged, receipts, marks and pins, each once (client/db.c and store.c on the state itself);
 *   and in a sample of them the whole client goes on from there with the relay as it was: every letter arrives once.
 * Controls: a disk whose syncs lie; synchronous=NORMAL; a deleted journal with synchronous=FULL, which comes back.
 *
 * STATES: about how many; SEED: which of the random ones.
 */
#include "client/link.h"
#include "client/store.h"
#include "proto/frame.h"
#include "tests/lib/clients.h"
#include "tests/lib/power_vfs.h"
#include "tests/lib/proof.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), BRUG_OK)
#define PLACE "/nowhere-client" /* where a state is looked at */
#define PROMISES_MAX 128
#define MOMENTS_MAX 128
#define ROWS_MAX 64
#define SYSTEMATIC_PER_CUT 20 /* about */
#define RESUME_EVERY 200

static struct clients c;
static struct member *gp, *one;
static uint64_t seed;

/* ---- promises, and the relay at the moments when more were made ---- */

enum promise_type {
    PROMISE_WRITTEN,   /* number: brug_send took it */
    PROMISE_DISCARDED, /* number */
    PROMISE_SUBMITTED, /* id: the relay was given these bytes */
    PROMISE_STORED,    /* number: the user was told of the receipt */
    PROMISE_KEPT,      /* id: it was acknowledged */
    PROMISE_OPENED,    /* number */
    PROMISE_PINNED,    /* number of pins */
};

struct promise {
    enum promise_type type;
    int64_t number;
    struct id id;
};

struct moment {
    size_t promise_count, kept_count;
    struct kept kept[CLIENTS_MESSAGES_MAX]; /* bytes are those of `c` */
};

static struct promise promises[PROMISES_MAX];
static size_t promise_count;
static struct moment *moments[MOMENTS_MAX];
static size_t moment_count;
static struct power_disk *recorded;
static bool is_recording;

/* The moment is now: all promises so far hold from here on, and the relay is as it is. */
static void note_moment(void)
{
    const struct moment *last = moment_count > 0 ? moments[moment_count - 1] : NULL;
    if (last && last->promise_count == promise_count &&
        memcmp(last->kept, c.kept, sizeof c.kept) == 0)
        return;
    assert_true(moment_count < MOMENTS_MAX);
    struct moment *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->promise_count = promise_count;
    m->kept_count = c.kept_count;
    memcpy(m->kept, c.kept, sizeof c.kept);
    power_mark(recorded, 0, moment_count);
    moments[moment_count++] = m;
}

static void promise(struct promise p)
{
    for (size_t i = 0; i < promise_count; i++)
        if (promises[i].type == p.type && promises[i].number == p.number &&
            id_equal(&promises[i].id, &p.id))
            return;
    assert_true(promise_count < PROMISES_MAX);
    promises[promise_count++] = p;
}

static void promise_number(enum promise_type type, int64_t number)
{
    promise((struct promise){.type = type, .number = number});
    note_moment();
}

extern enum error __real_link_write(struct link *l, struct buf *out);
enum error __wrap_link_write(struct link *l, struct buf *out);

/* An acknowledgement binds from the moment when it is written, whatever the client does after it in the same step. */
enum error __wrap_link_write(struct link *l, struct buf *out)
{
    struct slice in = buf_slice(out), frame;
    bool complete = true;
    size_t wanted = 0;
    while (is_recording &&
           frame_next(&in, out->len_max, &frame, &complete, &wanted) == ERROR_NONE && complete) {
        Brug__V1__ClientFrame *f = brug__v1__client_frame__unpack(NULL, frame.len, frame.data);
        assert_non_null(f);
        if (f->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_ACK)
            promise(
                (struct promise){.type = PROMISE_KEPT, .id = client_field_id(f->ack->message_id)});
        brug__v1__client_frame__free_unpacked(f, NULL);
    }
    if (is_recording)
        note_moment();
    return __real_link_write(l, out);
}

/* What left the client in the step before. */
static void after_step(void *ctx)
{
    struct brug_event event;
    for (size_t i = 0; i < c.kept_count; i++) {
        size_t reader = clients_reader_of(&c.kept[i], gp);
        if (reader == SIZE_MAX)
            promise((struct promise){.type = PROMISE_SUBMITTED, .id = c.kept[i].message_id});
    }
    while (brug_next_event(gp->b, &event))
        if (event.type == BRUG_EVENT_STORED)
            promise((struct promise){.type = PROMISE_STORED, .number = event.number});
    note_moment();
}

/* ---- what is recorded ---- */

static struct brug_sent write_letter(struct member *m, const struct brug_draft *d)
{
    struct brug_sent sent;
    OK(brug_send(m->b, d, &sent));
    if (m == gp)
        promise_number(PROMISE_WRITTEN, sent.number);
    return sent;
}

static void meet_relay(struct member *m)
{
    clients_sync(&c, m);
    clients_leave(&c, m);
}

static void read_all(void)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.received = true};
    OK(brug_messages(gp->b, &q, &list));
    assert_true(list->n > 0);
    for (size_t i = 0; i < list->n; i++) {
        struct brug_letter *letter = NULL;
        OK(brug_open_letter(gp->b, list->items[i].number, true, NULL, &letter));
        promise_number(PROMISE_OPENED, list->items[i].number);
        brug_letter_free(letter);
    }
    brug_messages_free(list);
}

static int64_t count_pins(struct db *db)
{
    struct db_cursor cursor;
    if (db_select(db, &cursor, "SELECT count(*) FROM pin", NULL, 0) != ERROR_NONE)
        return -1;
    int64_t n = db_next(&cursor) ? db_int(&cursor, 0) : -1;
    return db_done(&cursor) == ERROR_NONE ? n : -1;
}

static void confirm_colleague(void)
{
    (void)clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    meet_relay(gp);
    clients_trust_all(gp);
    promise_number(PROMISE_PINNED, count_pins(gp->b->db));
}

static void work(const struct brug_draft *note)
{
    struct brug_draft d = clients_referral();
    (void)write_letter(gp, &d);
    (void)write_letter(gp, note);
    int64_t given_up = write_letter(gp, &d).number;
    OK(brug_discard(gp->b, given_up));
    promise_number(PROMISE_DISCARDED, given_up);
    c.script.answers_directory_changed = true;
    meet_relay(gp);
    read_all();
    meet_relay(gp);
    clients_reopen(&c, gp);
    confirm_colleague();
    (void)write_letter(gp, &d);
    for (size_t i = 0; i < c.kept_count; i++) /* a relay that forgot them delivers again */
        memset(c.kept[i].is_acked, 0, sizeof c.kept[i].is_acked);
    meet_relay(gp);
}

/* The store as it is, onto a disk in memory. */
static struct power_disk *copy_store(const struct member *m)
{
    char path[128];
    sqlite3 *from = NULL, *to = NULL;
    struct power_disk *d = power_disk_new();
    snprintf(path, sizeof path, "%s/store.db", m->directory);
    assert_int_equal(sqlite3_open_v2(path, &from, SQLITE_OPEN_READONLY, "unix"), SQLITE_OK);
    power_mount(m->directory, d);
    assert_int_equal(
        sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, POWER_VFS),
        SQLITE_OK);
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    assert_non_null(b);
    assert_int_equal(sqlite3_backup_step(b, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(b), SQLITE_OK);
    assert_int_equal(sqlite3_close(from), SQLITE_OK);
    assert_int_equal(sqlite3_close(to), SQLITE_OK);
    return d;
}

/* Two letters wait for the GP; what it does with its store from then on is recorded. */
static void record(const struct power_pragma *weaker, size_t n)
{
    struct brug_draft d = clients_referral();
    struct brug_draft note = {.kind = BRUG_KIND_NOTE, .text = "Wij bellen morgen."};
    struct brug_sent sent;
    OK(brug_send(gp->b, &d, &sent));
    note.case_id = sent.case_id;
    meet_relay(gp);
    meet_relay(one);
    (void)write_letter(one, &note);
    (void)write_letter(one, &note);
    meet_relay(one);
    brug_close(&gp->b);
    gp->b = brug_new(gp->directory); /* holds no file */
    recorded = copy_store(gp);
    power_set_pragmas(recorded, weaker, n);
    power_keep(recorded, POWER_LOG);
    clients_reopen(&c, gp);
    note_moment();
    c.after_step = after_step;
    is_recording = true;
    work(&note);
    is_recording = false;
    c.after_step = NULL;
    brug_close(&gp->b);
    gp->b = brug_new(gp->directory);
    power_mount(gp->directory, NULL);
}

/* ---- what a state holds ---- */

struct row {
    int64_t number, opened_at_ms;
    int state, ack;
    bool is_sent, has_sealed;
    bool is_exact; /* the bytes are those that the relay had in the end */
    struct id id;
};

static bool is_exact(const struct id *id, struct slice header, struct slice sealed)
{
    const struct moment *last = moments[moment_count - 1];
    for (size_t i = 0; i < last->kept_count; i++)
        if (id_equal(&last->kept[i].message_id, id))
            return slice_equal(buf_slice(&last->kept[i].header), header) &&
                   slice_equal(buf_slice(&last->kept[i].sealed), sealed);
    return false;
}

static const char *load_rows(struct db *db, struct row rows[ROWS_MAX], size_t *n)
{
    struct db_cursor cursor;
    if (db_select(db, &cursor,
                  "SELECT m.number, m.opened_at_ms, m.state, m.ack, m.is_sent, m.message_id,"
                  " m.header, s.bytes FROM message m LEFT JOIN sealed s ON s.number = m.number",
                  NULL, 0) != ERROR_NONE)
        return "letters cannot be read";
    for (*n = 0; *n < ROWS_MAX && db_next(&cursor); ++*n) {
        struct id id = db_id(&cursor, 5);
        rows[*n] =
            (struct row){.number = db_int(&cursor, 0),
                         .opened_at_ms = db_int(&cursor, 1),
                         .state = (int)db_int(&cursor, 2),
                         .ack = (int)db_int(&cursor, 3),
                         .is_sent = db_int(&cursor, 4) != 0,
                         .id = id,
                         .has_sealed = !db_is_null(&cursor, 7),
                         .is_exact = is_exact(&id, db_blob(&cursor, 6), db_blob(&cursor, 7))};
    }
    return db_done(&cursor) == ERROR_NONE ? NULL : "letters cannot be read";
}

static const struct row *find_row(const struct row *rows, size_t n, const struct promise *p)
{
    bool is_by_id = p->type == PROMISE_SUBMITTED || p->type == PROMISE_KEPT;
    for (size_t i = 0; i < n; i++)
        if (is_by_id ? id_equal(&rows[i].id, &p->id) : rows[i].number == p->number)
            return &rows[i];
    return NULL;
}

static const char *broken(const struct promise *p, const struct row *r)
{
    if (!r || !r->has_sealed)
        return "a letter is gone";
    switch (p->type) {
    case PROMISE_DISCARDED:
        return r->state == STORE_DISCARDED ? NULL : "a letter that was given up is back";
    case PROMISE_SUBMITTED:
        return r->is_exact ? NULL : "a letter is not in the bytes that were submitted";
    case PROMISE_STORED:
        return r->state == STORE_STORED ? NULL : "a receipt is gone";
    case PROMISE_KEPT:
        return r->is_exact && r->state == STORE_READY && r->ack != STORE_ACK_NONE
                   ? NULL
                   : "a letter that was acknowledged is not whole";
    case PROMISE_OPENED:
        return r->opened_at_ms > 0 ? NULL : "an opened letter is not marked";
    default:
        return NULL;
    }
}

/* Each has its sealed bytes, and its state is one of its side. */
static const char *judge_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!rows[i].has_sealed || rows[i].is_sent != (rows[i].state >= STORE_DRAFT))
            return "a letter is half there";
    return NULL;
}

static const char *judge_integrity(struct db *db)
{
    struct db_cursor cursor;
    if (db_select(db, &cursor, "PRAGMA integrity_check(1)", NULL, 0) != ERROR_NONE)
        return "the store cannot be checked";
    bool is_whole = db_next(&cursor) && slice_equal(db_blob(&cursor, 0), slice_text("ok"));
    return db_done(&cursor) == ERROR_NONE && is_whole ? NULL : "the store is damaged";
}

static const char *judge_open(struct db *db, const struct moment *m)
{
    struct row rows[ROWS_MAX];
    size_t n = 0;
    int64_t state = 0;
    const char *what = judge_integrity(db);
    if (!what && (store_get_int(db, "state", 0, &state) != ERROR_NONE || state != BRUG_STATE_READY))
        what = "the profile is not enrolled any more";
    if (!what)
        what = load_rows(db, rows, &n);
    if (!what)
        what = judge_rows(rows, n);
    for (size_t i = 0; !what && i < m->promise_count; i++) {
        if (promises[i].type != PROMISE_PINNED)
            what = broken(&promises[i], find_row(rows, n, &promises[i]));
        else if (count_pins(db) < promises[i].number)
            what = "a confirmation is gone";
    }
    return what;
}

/* NULL: all is as it must be. */
static const char *judge_store(struct power_disk *d, const struct moment *m)
{
    struct db *db = NULL;
    power_mount(PLACE, d);
    if (store_open_at(&db, PLACE "/store.db") != ERROR_NONE)
        return "the store does not open";
    const char *what = judge_open(db, m);
    db_close(db);
    return what;
}

/* The whole client goes on, with the relay as it was. */
static const char *judge_client(struct power_disk *d, const struct moment *m)
{
    memcpy(c.kept, m->kept, sizeof c.kept);
    c.kept_count = m->kept_count;
    c.repeats_differing = 0;
    power_mount(PLACE, NULL);
    power_mount(gp->directory, d);
    clients_reopen(&c, gp);
    clients_sync(&c, gp);
    clients_trust_all(gp); /* the colleague of later, whom the relay lists already */
    meet_relay(gp);
    const char *what = clients_unfinished(&c, gp);
    brug_close(&gp->b);
    gp->b = brug_new(gp->directory);
    power_mount(gp->directory, NULL);
    for (size_t i = m->kept_count; i < c.kept_count; i++) {
        buf_fini(&c.kept[i].header);
        buf_fini(&c.kept[i].sealed);
    }
    return what;
}

/* ---- all states ---- */

struct found {
    uint64_t states, distinct, violations, resumed;
    uint64_t resume_every; /* of the distinct ones; 0: none */
    bool is_control;
    struct power_set *seen; /* by content: the latest moment that it was judged for, plus one */
};

static bool on_state(void *ctx, struct power_state *s)
{
    struct found *f = ctx;
    const struct moment *m = moments[s->marks[0]];
    const uint64_t *known = power_set_find(f->seen, s->hash);
    f->states++;
    if (known && *known > s->marks[0])
        return true;
    power_set_put(f->seen, s->hash, s->marks[0] + 1);
    f->distinct++;
    const char *what = judge_store(s->disk, m);
    if (!what && f->resume_every > 0 && f->distinct % f->resume_every == 0) {
        what = judge_client(s->disk, m);
        f->resumed++;
    }
    if (!what)
        return true;
    f->violations++;
    if (!f->is_control && f->violations <= 5) {
        printf("# %s: ", what);
        power_state_print(recorded, s, stdout);
    }
    return !f->is_control;
}

static struct found try_states(uint64_t states, bool syncs_lie, bool is_control)
{
    struct found f = {.seen = power_set_new(), .is_control = is_control};
    struct power_plan plan = {
        .seed = seed, .garbage = true, .syncs_lie = syncs_lie, .random_per_cut = 1};
    uint64_t per_cut = states / power_kept(recorded);
    if (per_cut > SYSTEMATIC_PER_CUT)
        plan.random_per_cut = (unsigned)(per_cut - SYSTEMATIC_PER_CUT);
    else if (!is_control)
        plan.cut_stride = (unsigned)(SYSTEMATIC_PER_CUT * power_kept(recorded) / states);
    f.resume_every = is_control ? 0 : RESUME_EVERY;
    (void)power_replay(recorded, &plan, on_state, &f); /* counted by the callback */
    power_set_free(f.seen);
    return f;
}

/* ---- tests ---- */

static int begin(void **state)
{
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add_recovery(&c, 1, 9);
    one = clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    clients_meet(&c);
    promise_count = moment_count = 0;
    return 0;
}

static int end(void **state)
{
    memcpy(c.kept, moments[moment_count - 1]->kept, sizeof c.kept);
    c.kept_count = moments[moment_count - 1]->kept_count;
    for (size_t i = 0; i < moment_count; i++)
        free(moments[i]);
    power_disk_free(recorded);
    is_recording = false;
    clients_fini(&c);
    return 0;
}

static uint64_t states;
static struct proof proof = {.claim = "client: a power cut at any time loses no promise",
                             .unit = "states"};

static void nothing_promised_is_lost(void **state)
{
    record(NULL, 0);
    double began = proof_seconds();
    struct found f = try_states(states, false, false);
    proof.seconds = proof_seconds() - began;
    proof.done = f.distinct;
    proof.violations = f.violations;
    printf("# %zu operations, %zu moments, %zu promises; %llu states, %llu of them looked at, %llu "
           "resumed, %.0f states a second\n",
           power_kept(recorded), moment_count, promise_count, (unsigned long long)f.states,
           (unsigned long long)f.distinct, (unsigned long long)f.resumed,
           (double)f.states / proof.seconds);
    assert_int_equal(f.violations, 0);
    assert_true(f.resumed > 0 && moment_count > 15);
}

static void control(const struct power_pragma *weaker, size_t n, bool syncs_lie)
{
    record(weaker, n);
    struct found f = try_states(states, syncs_lie, true);
    proof.controls++;
    proof.controls_failed += f.violations > 0;
    assert_true(f.violations > 0);
}

static void a_disk_whose_syncs_lie_is_found(void **state) { control(NULL, 0, true); }

static void synchronous_normal_is_found(void **state)
{
    static const struct power_pragma normal = {
        .name = "synchronous", .value = "FULL", .instead = "1"};
    control(&normal, 1, false);
}

/* With synchronous=FULL nobody syncs the directory after a journal was deleted. */
static void a_deleted_journal_is_found(void **state)
{
    static const struct power_pragma deleted = {
        .name = "journal_mode", .value = "TRUNCATE", .instead = "DELETE"};
    control(&deleted, 1, false);
}

/* ---- a process that is killed, and then the power goes ---- */

static struct db *open_here(void)
{
    struct db *db = NULL;
    assert_int_equal(store_open_at(&db, PLACE "/store.db"), ERROR_NONE);
    return db;
}

static int64_t number_kept(struct db *db)
{
    int64_t number = -1;
    assert_int_equal(store_get_int(db, "number", 0, &number), ERROR_NONE);
    return number;
}

/* A process is killed before the n-th operation of a commit. What the next one finds it tells, so a power cut that takes
 * all that was never synced must not take it back. False: the commit has no so many operations. */
static bool what_is_seen_stays(uint64_t n)
{
    struct power_disk *d = power_disk_new();
    power_mount(PLACE, d);
    db_close(open_here());
    power_keep(d, POWER_LOG);
    struct db *db = open_here();
    power_kill_before(d, n);
    enum error e = store_put_int(db, "number", 7);
    bool was_killed = power_is_off(d);
    assert_true(was_killed == (e != ERROR_NONE));
    db_close(db);
    power_restart(d);
    db = open_here();
    int64_t seen = number_kept(db);
    db_close(db);
    assert_true(was_killed || seen == 7);
    struct power_disk *left = power_cut(d, 0, false);
    power_mount(PLACE, left);
    db = open_here();
    assert_int_equal(number_kept(db), seen);
    db_close(db);
    power_disk_free(left);
    power_disk_free(d);
    return was_killed;
}

static void what_the_next_process_sees_is_durable(void **state)
{
    uint64_t n = 1;
    while (what_is_seen_stays(n))
        n++;
    assert_true(n > 8); /* a journal, a page, their syncs, the end of the journal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_next_process_sees_is_durable),
        cmocka_unit_test_setup_teardown(nothing_promised_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(a_disk_whose_syncs_lie_is_found, begin, end),
        cmocka_unit_test_setup_teardown(synchronous_normal_is_found, begin, end),
        cmocka_unit_test_setup_teardown(a_deleted_journal_is_found, begin, end),
    };
    seed = proof_seed(1);
    states = proof_size("STATES", 10000, 250000);
    power_vfs_register(true);
    int failed = cmocka_run_group_tests_name("power_client", tests, NULL, NULL);
    proof_report(&proof);
    return failed;
}
