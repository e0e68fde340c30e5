/* tests/store/test_store_fold.c: whatever the fold has got to, a restart finds the same state, and
 * the tables end up the same. */
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GROUPS 60

/* When and how much is folded by itself, besides what commits do. */
struct plan {
    const char *name;
    size_t slice_bytes;
    unsigned every;        /* a fold after every n-th group; 0: never */
    unsigned reopen_every; /* the process ends and starts again */
};

static const struct plan plans[] = {
    {"never, and never in a commit", 1 << 30, 0, 0},
    {"one record at a time", 1, 1, 0},
    {"slices that end inside rows", 700, 1, 0},
    {"everything after every group", 1 << 30, 1, 0},
    {"every third group, small slices", 2000, 3, 7},
    {"in commits only", 3000, 0, 5},
    {"restart after every group", 1500, 2, 1},
};

static struct store *open_plan(const char *directory, const struct plan *p)
{
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    o.fold_slice_bytes = p->slice_bytes;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    return s;
}

/* The state that a start would find in a copy of the files as they are now. */
static void assert_restart_finds(const char *directory, const struct state *state, struct store *s)
{
    char *copy = directory_copy(directory);
    struct store *again = outbox_open(copy);
    struct state *loaded = outbox_load(again);
    struct digest found = state_digest_of(loaded), expected = state_digest_of(state);
    assert_int_equal(state_lsn(loaded), state_lsn(state));
    assert_int_equal(store_lsn(again), store_lsn(s));
    assert_int_equal(store_folded_lsn(again), store_folded_lsn(s));
    assert_memory_equal(&found, &expected, sizeof found);
    state_free(loaded);
    store_close(again);
    directory_free(copy);
}

static struct digest run_plan(const struct plan *p, uint64_t seed)
{
    char *directory = directory_new();
    struct store *s = open_plan(directory, p);
    struct state *state = state_empty(store_generation(s));
    struct history w;
    bool is_done;
    history_init(&w, seed);
    w.big_body_percent = 2;
    for (unsigned i = 1; i <= GROUPS; i++) {
        struct group *g = i == 1 ? history_directory(&w)
                                 : history_group(&w, 1 + (unsigned)history_random(&w, 40));
        state_apply_group(state, g);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
        assert_int_equal(store_lsn(s), w.lsn);
        if (p->every > 0 && i % p->every == 0)
            assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
        if (i % 10 == 0)
            assert_restart_finds(directory, state, s);
        if (p->reopen_every > 0 && i % p->reopen_every == 0) {
            store_close(s);
            s = open_plan(directory, p);
        }
    }
    assert_restart_finds(directory, state, s);
    outbox_fold_all(s);
    assert_int_equal(store_folded_lsn(s), store_lsn(s));
    assert_restart_finds(directory, state, s);
    store_close(s);
    struct digest tables = outbox_tables(directory);
    state_free(state);
    history_fini(&w);
    directory_free(directory);
    return tables;
}

static void test_fold_position_changes_nothing(void **unused)
{
    for (uint64_t seed = 1; seed <= (OUTBOX_TEST_PART > 1 ? 1 : 3); seed++) {
        struct digest expected = run_plan(&plans[0], seed);
        for (size_t i = 1; i < sizeof plans / sizeof plans[0]; i++) {
            struct digest found = run_plan(&plans[i], seed);
            if (memcmp(&found, &expected, sizeof found) != 0)
                fail_msg("seed %d: folding '%s' makes other tables", (int)seed, plans[i].name);
        }
    }
}

/* What the tables hold is what happened. */
static void test_tables_hold_what_happened(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct history w;
    history_init(&w, 77);
    for (unsigned i = 0; i < GROUPS; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_group(&w, 30);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
    }
    outbox_fold_all(s);
    store_close(s);
    int64_t waiting = 0;
    for (size_t i = 0; i < w.count; i++)
        for (unsigned r = 0; r < w.messages[i].reader_count; r++)
            waiting += w.messages[i].readers[r].is_waiting;
    assert_true(waiting > 10);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT count(*) FROM delivery"), waiting);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT sum(waiting) FROM message"), waiting);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT count(*) FROM message"), w.count);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT count(*) FROM journal"), 0);
    assert_int_equal(outbox_sql(directory, "audit.db", "SELECT sum(count) FROM audit"), w.lsn);
    history_fini(&w);
    directory_free(directory);
}

/* What was delivered and acknowledged within a slice never costs a delivery. */
static void test_acknowledged_in_one_slice_costs_no_delivery(void **unused)
{
    char *directory = directory_new();
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    struct history w;
    o.fold_slice_bytes = 1 << 20;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    history_init(&w, 5);
    struct group *groups[] = {history_directory(&w), history_load(&w, 100, 100, true)};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(store_commit(s, groups[i]), ERROR_NONE);
        group_free(groups[i]);
    }
    store_close(s);
    assert_int_equal(outbox_sql(directory, "brug.db",
                                "CREATE TRIGGER t BEFORE INSERT ON delivery"
                                " BEGIN SELECT raise(FAIL, 'a delivery'); END"),
                     0);
    s = outbox_open(directory);
    store_close(s);
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    outbox_fold_all(s);
    store_close(s);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT count(*) FROM message"), 100);
    history_fini(&w);
    directory_free(directory);
}

static void assert_loads_body(struct store *s, const struct history_message *m)
{
    struct load *l = load_new(LOAD_BODY);
    struct body *b;
    l->body_lsn = m->body_lsn;
    store_load_one(s, l);
    assert_int_equal(l->result, ERROR_NONE);
    assert_int_equal(body_from_stored(&b, buf_slice(&l->bytes)), ERROR_NONE);
    assert_true(digest_equal(&b->digest, &m->digest));
    body_unref(b);
    load_free(l);
}

static void assert_loads_message(struct store *s, const struct history_message *m)
{
    struct load *l = load_new(LOAD_MESSAGE);
    l->message_id = m->id;
    l->organisation = m->organisation;
    store_load_one(s, l);
    assert_int_equal(l->result, ERROR_NONE);
    Brug__V1__KnownMessage *k = brug__v1__known_message__unpack(NULL, l->bytes.len, l->bytes.data);
    assert_non_null(k);
    assert_int_equal(k->body_lsn, m->body_lsn);
    assert_int_equal(k->n_readers, m->reader_count);
    assert_int_equal(k->quarantined, m->is_quarantined);
    assert_int_equal(k->code != 0, m->is_refusal);
    brug__v1__known_message__free_unpacked(k, NULL);
    l->organisation.bytes[3] ^= 1;
    store_load_one(s, l);
    assert_int_equal(l->result, ERROR_NOT_FOUND);
    load_free(l);
}

static void test_cold_loads(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct history w;
    history_init(&w, 6);
    w.big_body_percent = 10;
    for (unsigned i = 0; i < 20; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_group(&w, 25);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
    }
    for (size_t i = 0; i < w.count; i++)
        if (!w.messages[i].is_refusal)
            assert_loads_body(s, &w.messages[i]);
    outbox_fold_all(s);
    for (size_t i = 0; i < w.count; i++) {
        assert_loads_message(s, &w.messages[i]);
        if (!w.messages[i].is_refusal)
            assert_loads_body(s, &w.messages[i]);
    }
    uint64_t none[] = {0, 3, w.lsn + 1, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct load *l = load_new(LOAD_BODY);
        l->body_lsn = none[i];
        store_load_one(s, l);
        assert_int_equal(l->result, ERROR_NOT_FOUND);
        assert_int_equal(l->bytes.len, 0);
        load_free(l);
    }
    store_close(s);
    history_fini(&w);
    directory_free(directory);
}

/* After a restart no sequence number is given twice, though the endpoint's row is older than its
 * mailbox. */
static void test_sequences_go_on(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct history w;
    history_init(&w, 8);
    struct state *state = state_empty(store_generation(s));
    struct group *groups[] = {history_directory(&w), history_load(&w, 50, 20, true)};
    for (unsigned i = 0; i < 2; i++) {
        state_apply_group(state, groups[i]);
        assert_int_equal(store_commit(s, groups[i]), ERROR_NONE);
        group_free(groups[i]);
    }
    outbox_fold_all(s);
    assert_restart_finds(directory, state, s); /* the digest holds each endpoint's sequence */
    store_close(s);
    for (unsigned i = 0; i < HISTORY_ENDPOINTS; i++)
        assert_true(w.sequences[i] > 0);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT sum(sequence) FROM mailbox"), 50);
    state_free(state);
    history_fini(&w);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold_position_changes_nothing),
        cmocka_unit_test(test_tables_hold_what_happened),
        cmocka_unit_test(test_acknowledged_in_one_slice_costs_no_delivery),
        cmocka_unit_test(test_cold_loads),
        cmocka_unit_test(test_sequences_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
