/*
 * tests/store/test_store_account.c: the books balance (I8) wherever the fold has come, while the store
 * works and after a crash; and one record, row or copy that is not as it was is found and named.
 */
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GROUPS 60

static const uint64_t SEED[2] = {1, 2};

struct world {
    char *directory;
    struct store *store;
    struct state *state;
    struct history history;
};

static void commit_one(struct world *w)
{
    struct group *g =
        w->history.lsn == 0 ? history_directory(&w->history) : history_group(&w->history, 30);
    state_apply_group(w->state, g);
    assert_int_equal(store_commit(w->store, g), ERROR_NONE);
    group_free(g);
}

static struct store *open_small_slices(const char *directory)
{
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    o.fold_slice_bytes = 3000;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    return s;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->directory = directory_new();
    w->store = open_small_slices(w->directory);
    w->state = state_empty(store_generation(w->store));
    history_init(&w->history, 7);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    store_close(w->store);
    state_free(w->state);
    history_fini(&w->history);
    directory_free(w->directory);
    free(w);
    return 0;
}

static void assert_balanced(const struct account_result *r)
{
    if (r->problem)
        fail_msg("the chain: %s", r->problem);
    for (size_t i = 0; i < r->reader_count; i++)
        if (r->readers[i].differences)
            fail_msg("reader %zu: %s", i, r->readers[i].problem);
    assert_true(r->is_balanced);
}

/* What the test itself knows of each reader. */
static void assert_as_it_happened(const struct world *w, const struct account_result *r)
{
    for (unsigned k = 0; k < HISTORY_ENDPOINTS; k++) {
        const struct account_reader *f = NULL;
        uint64_t waiting = 0, quarantined = 0;
        for (size_t i = 0; i < r->reader_count; i++)
            if (id_equal(&r->readers[i].endpoint, &w->history.endpoints[k]))
                f = &r->readers[i];
        for (size_t i = 0; i < w->history.count; i++)
            for (unsigned j = 0; j < w->history.messages[i].reader_count; j++) {
                const struct history_reader *x = &w->history.messages[i].readers[j];
                if (x->endpoint == k && x->is_waiting && w->history.messages[i].is_quarantined)
                    quarantined++;
                else if (x->endpoint == k && x->is_waiting)
                    waiting++;
            }
        assert_non_null(f);
        assert_int_equal(f->accepted, w->history.sequences[k]);
        assert_int_equal(f->waiting, waiting);
        assert_int_equal(f->quarantined, quarantined);
        assert_true(f->acknowledged > 0 && f->cancelled > 0 && f->expired == 0);
        assert_int_equal(f->waiting + f->quarantined + f->acknowledged + f->cancelled, f->accepted);
    }
}

/* The account of the store as it is, with the state that it loads; the caller frees it. */
static struct account *account_of(struct store *s)
{
    struct state *state = outbox_load(s);
    struct account *a = account_new(SEED);
    assert_non_null(a);
    assert_int_equal(account_expect(a, state), ERROR_NONE);
    assert_int_equal(store_account(s, a), ERROR_NONE);
    state_free(state);
    return a;
}

static void an_empty_store_balances(void **state)
{
    struct world *w = *state;
    struct account *a = account_of(w->store);
    assert_balanced(account_result(a));
    assert_int_equal(account_result(a)->reader_count, 0);
    account_free(a);
}

static void the_books_balance_wherever_the_fold_has_come(void **state)
{
    struct world *w = *state;
    bool is_done;
    for (unsigned i = 0; i < GROUPS; i++) {
        commit_one(w);
        if (i % 4 == 0)
            assert_int_equal(store_fold(w->store, &is_done), ERROR_NONE);
        struct account *a = account_of(w->store);
        assert_balanced(account_result(a));
        assert_int_equal(account_result(a)->lsn, store_lsn(w->store));
        assert_int_equal(account_result(a)->row_count, i + 1);
        if (i == GROUPS - 1)
            assert_as_it_happened(w, account_result(a));
        account_free(a);
    }
    outbox_fold_all(w->store);
    struct account *a = account_of(w->store);
    assert_balanced(account_result(a));
    assert_as_it_happened(w, account_result(a));
    account_free(a);
}

static void they_balance_after_a_crash(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < GROUPS; i++) {
        commit_one(w);
        if (i % 6)
            continue;
        char *copy = directory_copy(w->directory);
        struct store *s = open_small_slices(copy);
        struct account *a = account_of(s);
        assert_balanced(account_result(a));
        assert_int_equal(account_result(a)->lsn, w->history.lsn);
        account_free(a);
        store_close(s);
        directory_free(copy);
    }
}

/* A slice, a commit, a slice, … with a state that is ahead of the disk. */
static void they_balance_while_the_store_works(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < GROUPS; i++)
        commit_one(w);
    struct group *g = history_group(&w->history, 30);
    struct account *a = account_new(SEED);
    bool is_done = false, has_waited = false;
    unsigned slices = 0;
    state_apply_group(w->state, g);
    assert_int_equal(account_expect(a, w->state), ERROR_NONE);
    while (!is_done) {
        has_waited |= account_waits_for_commit(a, w->store);
        assert_int_equal(account_step(a, w->store, &is_done), ERROR_NONE);
        slices++;
        if (g && (has_waited || slices > 40)) {
            assert_int_equal(store_commit(w->store, g), ERROR_NONE);
            group_free(g);
            g = NULL;
        } else if (!g) {
            commit_one(w);
        }
    }
    assert_true(has_waited && !g);
    assert_balanced(account_result(a));
    account_free(a);
}

/* Memory has lost a copy: it applied an end that is not in the chain under that lsn. */
static void a_state_that_differs_is_named(void **state)
{
    struct world *w = *state;
    struct history_message *last = NULL;
    for (unsigned i = 0; i < GROUPS; i++)
        commit_one(w);
    for (size_t i = 0; i < w->history.count; i++)
        for (unsigned j = 0; j < w->history.messages[i].reader_count; j++)
            if (w->history.messages[i].readers[j].is_waiting)
                last = &w->history.messages[i];
    assert_non_null(last);
    struct state *s = outbox_load(w->store);
    struct account *a = account_new(SEED);
    Brug__V1__Session nothing = BRUG__V1__SESSION__INIT;
    struct group *g = history_empty_group(&w->history);
    history_add(&w->history, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_SESSION, &nothing);
    assert_int_equal(store_commit(w->store, g), ERROR_NONE);
    group_free(g);
    Brug__V1__Cancelled c = BRUG__V1__CANCELLED__INIT;
    uint8_t record[256];
    unsigned reader = 0;
    while (!last->readers[reader].is_waiting)
        reader++;
    c.organisation = (ProtobufCBinaryData){id_is_none(&last->organisation) ? 0 : ID_BYTES,
                                           last->organisation.bytes};
    c.message_id = (ProtobufCBinaryData){ID_BYTES, last->id.bytes};
    c.endpoint =
        (ProtobufCBinaryData){ID_BYTES, w->history.endpoints[last->readers[reader].endpoint].bytes};
    size_t len = brug__v1__cancelled__pack(&c, record);
    assert_int_equal(apply_record(s, w->history.lsn, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CANCELLED,
                                  slice_of(record, len)),
                     ERROR_NONE);
    assert_int_equal(account_expect(a, s), ERROR_NONE);
    assert_int_equal(store_account(w->store, a), ERROR_NONE);
    const struct account_result *r = account_result(a);
    assert_false(r->is_balanced);
    for (size_t i = 0; i < r->reader_count; i++) {
        bool is_it = id_equal(&r->readers[i].endpoint,
                              &w->history.endpoints[last->readers[reader].endpoint]);
        assert_int_equal(r->readers[i].differences, is_it);
    }
    account_free(a);
    state_free(s);
}

struct damage {
    const char *name, *file, *sql;
    const char *chain;  /* what is said of the chain; NULL: it is whole */
    const char *reader; /* what is said of a reader; NULL: nothing need be */
};

static const struct damage damages[] = {
    {"a row of the audit file is removed", "audit.db",
     "DELETE FROM audit WHERE first_lsn = (SELECT first_lsn FROM audit ORDER BY first_lsn LIMIT 1 "
     "OFFSET 20)",
     "a row of the journal is missing: after lsn", NULL},
    {"the first row is removed", "audit.db", "DELETE FROM audit WHERE first_lsn = 1",
     "a row of the journal is missing: after lsn 0", NULL},
    {"a byte of a row is changed", "audit.db",
     "UPDATE audit SET records = substr(records, 1, 40) || x'ff' || substr(records, 42) WHERE "
     "first_lsn = (SELECT first_lsn FROM audit ORDER BY first_lsn LIMIT 1 OFFSET 30)",
     "a row of the journal was changed: after lsn", NULL},
    {"a row's hash is changed", "audit.db",
     "UPDATE audit SET hash = zeroblob(32) WHERE first_lsn = (SELECT first_lsn FROM audit ORDER BY "
     "first_lsn LIMIT 1 OFFSET 30)",
     "a row of the journal was changed: after lsn", NULL},
    {"a waiting copy is removed", "brug.db",
     "DELETE FROM delivery WHERE (endpoint, sequence) = (SELECT endpoint, sequence FROM delivery "
     "ORDER BY sequence LIMIT 1 OFFSET 9)",
     NULL, "is not in the tables"},
    {"a copy that was acknowledged waits again", "brug.db",
     "INSERT INTO delivery SELECT endpoint, min(sequence) - 1, id, org FROM delivery GROUP BY "
     "endpoint ORDER BY 2 DESC LIMIT 1",
     NULL, "that does not wait"},
    {"a copy is of another message", "brug.db",
     "UPDATE delivery SET id = zeroblob(16) WHERE (endpoint, sequence) = (SELECT endpoint, "
     "sequence FROM delivery ORDER BY sequence LIMIT 1 OFFSET 5)",
     NULL, "another message with sequence"},
};

static void test_damage(struct world *w, const struct damage *x)
{
    char *copy = directory_copy(w->directory);
    (void)outbox_sql(copy, x->file, x->sql);
    struct store *s = open_small_slices(copy);
    struct account *a = account_new(SEED);
    assert_int_equal(store_account(s, a), ERROR_NONE);
    const struct account_result *r = account_result(a);
    if (r->is_balanced)
        fail_msg("%s: not found", x->name);
    if ((r->problem != NULL) != (x->chain != NULL) ||
        (x->chain && strncmp(r->problem, x->chain, strlen(x->chain)) != 0))
        fail_msg("%s: '%s' is said of the chain", x->name, r->problem ? r->problem : "nothing");
    unsigned named = 0;
    for (size_t i = 0; i < r->reader_count; i++)
        named += x->reader && strstr(r->readers[i].problem, x->reader) != NULL;
    if (x->reader && named != 1)
        fail_msg("%s: %u readers are named", x->name, named);
    account_free(a);
    store_close(s);
    directory_free(copy);
}

static void what_is_not_as_it_was_is_found_and_named(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < GROUPS; i++)
        commit_one(w);
    outbox_fold_all(w->store);
    store_close(w->store);
    w->store = NULL;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++)
        test_damage(w, &damages[i]);
    w->store = open_small_slices(w->directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_store_balances, setup, teardown),
        cmocka_unit_test_setup_teardown(the_books_balance_wherever_the_fold_has_come, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(they_balance_after_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(they_balance_while_the_store_works, setup, teardown),
        cmocka_unit_test_setup_teardown(a_state_that_differs_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_as_it_was_is_found_and_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
