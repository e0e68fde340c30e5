/*
 * tests/store/test_store_figures.c: counts of what happened, wherever the fold has come: a load gives what memory has, days that were
 * published stay as they are, and a store of before counts what its cases and their events say.
 *
 * tests/data/store-3 was made by the last program with schema 3; nothing was published in it.
 */
#include "rules/figures.h"
#include "rules/workdays.h"
#include "tests/lib/cases.h"
#include "tests/lib/directory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OLD_STORE "tests/data/store-3"
#define GROUPS 7
#define ALL_FIGURES "SELECT * FROM figure ORDER BY 1, 2, 3, 4, 5, 6"

struct world {
    char *directory;
    struct history history;
    struct group *groups[GROUPS];
};

static struct group *make_group(struct history *w, unsigned i)
{
    if (i == 0)
        return history_directory(w);
    struct group *g = history_empty_group(w);
    history_open_old_case(w, g);
    for (unsigned k = 0; k < 3; k++)
        history_open_case(w, g);
    for (unsigned k = 0; k < 10; k++)
        history_move_case(w, g, &w->cases[history_random(w, w->case_count)]);
    if (i % 2 == 0)
        history_publish(w, g);
    w->now_ms += INT64_C(5) * 24 * 3600 * 1000;
    return g;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->directory = directory_new();
    history_init(&w->history, 7);
    for (unsigned i = 0; i < GROUPS; i++)
        w->groups[i] = make_group(&w->history, i);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < GROUPS; i++)
        group_free(w->groups[i]);
    history_fini(&w->history);
    directory_free(w->directory);
    free(w);
    return 0;
}

/* A state that applied all groups, as the relay has it. */
static struct digest memory_of(const struct world *w, struct store *s)
{
    struct state *state = state_empty(store_generation(s));
    for (unsigned i = 0; i < GROUPS; i++)
        state_apply_group(state, w->groups[i]);
    struct digest d = state_digest_of(state);
    state_free(state);
    return d;
}

static void a_load_gives_what_memory_has_wherever_the_fold_is(void **state)
{
    struct world *w = *state;
    bool is_done = false;
    unsigned slices = 0;
    struct store *s = outbox_open_slices(w->directory, 1000);
    for (unsigned i = 0; i < GROUPS; i++)
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
    struct digest memory = memory_of(w, s);
    for (; !is_done; slices++) {
        struct state *loaded = outbox_load(s);
        struct digest d = state_digest_of(loaded);
        state_free(loaded);
        assert_true(digest_equal(&d, &memory));
        assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
    }
    store_close(s);
    assert_true(slices > 20);
    assert_int_equal(outbox_sql(w->directory, "brug.db", "SELECT count(*) FROM figure_table"), 3);
}

/* From the records alone, without a line of what counts them in the relay. */
static void every_case_is_counted_once(void **state)
{
    static const struct {
        const char *what, *sql;
    } counted[] = {
        {"referrals", "SELECT coalesce(sum(count), 0) FROM figure WHERE event = 1"},
        {"endings", "SELECT coalesce(sum(count), 0) FROM figure WHERE event = 2"},
        {"days to the end", "SELECT coalesce(sum(count), 0) FROM figure WHERE event = 7"},
        {"take-ups", "SELECT coalesce(sum(count), 0) FROM figure WHERE event = 5"},
        {"starts", "SELECT coalesce(sum(count), 0) FROM figure WHERE event = 6"},
    };
    int64_t expected[5] = {0};
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    for (unsigned i = 0; i < GROUPS; i++) {
        struct slice records = buf_slice(&w->groups[i]->records), payload;
        unsigned type;
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
        while (records.len > 0) {
            assert_int_equal(group_next_record(&records, &type, &payload), ERROR_NONE);
            expected[0] += type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED;
            if (type != BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED)
                continue;
            Brug__V1__CaseMoved *m = brug__v1__case_moved__unpack(NULL, payload.len, payload.data);
            assert_non_null(m);
            expected[0] += m->kind == BRUG__V1__KIND__KIND_REFERRAL;
            expected[1] += m->kind == BRUG__V1__KIND__KIND_CLOSING;
            expected[2] += m->kind == BRUG__V1__KIND__KIND_CLOSING;
            expected[3] += m->kind == BRUG__V1__KIND__KIND_CLAIM;
            expected[4] += m->kind == BRUG__V1__KIND__KIND_START;
            brug__v1__case_moved__free_unpacked(m, NULL);
        }
    }
    outbox_fold_all(s);
    store_close(s);
    for (size_t i = 0; i < 5; i++) {
        int64_t found = outbox_sql(w->directory, "brug.db", counted[i].sql);
        if (found != expected[i] || found == 0)
            fail_msg("%s: %d, not %d", counted[i].what, (int)found, (int)expected[i]);
    }
}

/* What came after a table was published counts after its last day, also by a clock that was set back. */
static void nothing_counts_on_a_day_that_was_published(void **state)
{
    struct world *w = *state;
    struct history *h = &w->history;
    char sql[200];
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    for (unsigned i = 0; i < GROUPS; i++)
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
    outbox_fold_all(s);
    store_close(s);
    struct digest before = outbox_rows(w->directory, ALL_FIGURES);
    int64_t until = outbox_sql(w->directory, "brug.db", "SELECT max(until_day) FROM figure_table");
    snprintf(sql, sizeof sql, "SELECT count(*) FROM figure WHERE day <= %d", (int)until);
    int64_t rows = outbox_sql(w->directory, "brug.db", sql);
    h->now_ms = workdays_start_ms((uint32_t)until - 3);
    struct group *g = history_empty_group(h);
    history_open_case(h, g);
    s = outbox_open_slices(w->directory, 1 << 20);
    assert_int_equal(store_commit(s, g), ERROR_NONE);
    outbox_fold_all(s);
    store_close(s);
    struct digest after = outbox_rows(w->directory, ALL_FIGURES);
    assert_false(digest_equal(&before, &after));
    assert_int_equal(outbox_sql(w->directory, "brug.db", sql), rows);
    snprintf(sql, sizeof sql, "SELECT count FROM figure WHERE day = %d AND event = 1",
             (int)until + 1);
    assert_true(outbox_sql(w->directory, "brug.db", sql) >= 1);
    group_free(g);
}

/* ---- a store from before ---- */

/* The group that begins there, in the audit or only in the journal yet; NULL: there is none. */
static struct group *group_at(const char *directory, uint64_t lsn)
{
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT records FROM audit WHERE first_lsn = %d", (int)lsn);
    struct group *g = outbox_group(directory, "audit.db", sql, lsn);
    if (g != NULL)
        return g;
    snprintf(sql, sizeof sql, "SELECT records FROM journal WHERE first_lsn = %d", (int)lsn);
    return outbox_group(directory, "brug.db", sql, lsn);
}

/* What a store of today counts that is given the same records. */
static struct digest figures_of_the_records_of(const char *old)
{
    char *directory = directory_new();
    struct store *s = outbox_open_slices(directory, 1 << 20);
    struct group *g;
    uint64_t lsn = 1;
    for (; (g = group_at(old, lsn)) != NULL; group_free(g)) {
        lsn += g->count;
        assert_int_equal(store_commit(s, g), ERROR_NONE);
    }
    assert_int_equal(lsn, 100);
    outbox_fold_all(s);
    store_close(s);
    struct digest d = outbox_rows(directory, ALL_FIGURES);
    assert_true(outbox_sql(directory, "brug.db", "SELECT count(*) FROM figure") > 20);
    directory_free(directory);
    return d;
}

static void an_old_store_counts_what_it_holds(void **state)
{
    char *old = directory_copy(OLD_STORE);
    assert_int_equal(outbox_sql(old, "brug.db", "SELECT schema_number FROM meta"), 3);
    struct digest expected = figures_of_the_records_of(old);
    struct store *s = outbox_open_slices(old, 1 << 20);
    struct state *loaded = outbox_load(s); /* some of it is in the journal */
    struct digest before = state_digest_of(loaded);
    state_free(loaded);
    outbox_fold_all(s);
    loaded = outbox_load(s);
    struct digest after = state_digest_of(loaded);
    state_free(loaded);
    store_close(s);
    assert_true(digest_equal(&before, &after));
    struct digest found = outbox_rows(old, ALL_FIGURES);
    assert_true(digest_equal(&found, &expected));
    s = outbox_open_slices(old, 1 << 20); /* only once */
    store_close(s);
    found = outbox_rows(old, ALL_FIGURES);
    assert_true(digest_equal(&found, &expected));
    directory_free(old);
}

static void rows_that_are_not_ours_stop_the_start(void **state)
{
    static const char *const damages[] = {
        "UPDATE figure SET event = 10",
        "UPDATE figure SET code = 1000",
        "UPDATE figure SET count = 0",
        "UPDATE figure SET day = 1 << 40",
        "UPDATE figure SET practice = x'00'",
        "UPDATE figure SET team = zeroblob(16)",
        "UPDATE figure_table SET row = x'ffffff'",
        "UPDATE figure_table SET row = x''",
    };
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    for (unsigned i = 0; i < GROUPS; i++)
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
    outbox_fold_all(s);
    store_close(s);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        char *copy = directory_copy(w->directory), sql[300];
        bool is_table = strstr(damages[i], "figure_table") != NULL;
        const char *problem = NULL;
        snprintf(
            sql, sizeof sql, "%s WHERE %s", damages[i],
            is_table
                ? "until_day = (SELECT max(until_day) FROM figure_table)"
                : "event = 1 AND code = 2 AND day = (SELECT max(day) FROM figure WHERE event = 1)");
        (void)outbox_sql(copy, "brug.db", sql);
        s = outbox_open_slices(copy, 1 << 20);
        struct state *loaded = state_new((const uint64_t[]){1, 2});
        assert_non_null(loaded);
        enum error e = store_load(s, loaded, HISTORY_LOW_WATER_MS, &problem);
        if (e != ERROR_CORRUPT || problem == NULL)
            fail_msg("%s: %s", damages[i], error_name(e));
        state_free(loaded);
        store_close(s);
        directory_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_load_gives_what_memory_has_wherever_the_fold_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_case_is_counted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_counts_on_a_day_that_was_published, setup,
                                        teardown),
        cmocka_unit_test(an_old_store_counts_what_it_holds),
        cmocka_unit_test_setup_teardown(rows_that_are_not_ours_stop_the_start, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
