/*
 * tests/store/test_store_case.c: a case that moves: its row says what its last record does, and each record stands once in
 * `case_event`, wherever the fold has come and whatever ended it; and the cases of stores and journals from before.
 *
 * tests/data/store-1 was made by the last program with schema 1: five cases in `casefile`, two more in the journal, and
 * the fold inside its last row.
 */
#include "daemon/store/sql.h"
#include "tests/lib/cases.h"
#include "tests/lib/directory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define OLD_STORE "tests/data/store-1"
#define OLD_CASES 5
#define OLD_CASES_IN_JOURNAL 2
#define GROUPS 10
#define LARGE 1500 /* bytes of a row of a case that owes much */

/* ---- what a load hands to the core ---- */

static struct {
    bool is_listening;
    struct buf rows;
    unsigned count;
    uint8_t last[200]; /* the last row, if it is no longer */
    size_t last_len;
} handed;

enum error __real_state_load_row(struct state *s, unsigned record_type, struct slice payload);
enum error __wrap_state_load_row(struct state *s, unsigned record_type, struct slice payload);

static void append_value(struct buf *b, struct slice s)
{
    assert_int_equal(buf_append_u64(b, s.len), ERROR_NONE);
    assert_int_equal(buf_append_slice(b, s), ERROR_NONE);
}

enum error __wrap_state_load_row(struct state *s, unsigned record_type, struct slice payload)
{
    if (handed.is_listening && record_type == RECORD(CASE_OPENED)) {
        append_value(&handed.rows, payload);
        handed.count++;
        handed.last_len = payload.len;
        memcpy(handed.last, payload.data,
               payload.len < sizeof handed.last ? payload.len : sizeof handed.last);
    }
    return __real_state_load_row(s, record_type, payload);
}

/* What stands in `casefile`, byte for byte; how many are returned. */
static unsigned assert_hands_over_rows(const char *directory)
{
    buf_init(&handed.rows, SIZE_MAX / 2);
    handed.count = 0;
    handed.is_listening = true;
    struct store *s = outbox_open(directory);
    state_free(outbox_load(s));
    handed.is_listening = false;
    store_close(s);
    struct digest found = digest_of_slice(buf_slice(&handed.rows));
    buf_fini(&handed.rows);
    struct digest expected = outbox_rows(directory, "SELECT row FROM casefile ORDER BY case_id");
    assert_true(digest_equal(&found, &expected));
    return handed.count;
}

/* ---- a history of cases alone ---- */

struct world {
    char *directory;
    struct history history;
    struct group *groups[GROUPS];
};

/* A case that grows to all that it may owe is among them. */
static struct group *group_of_cases(struct history *w, unsigned i)
{
    if (i == 0)
        return history_directory(w);
    struct group *g = history_empty_group(w);
    history_open_case(w, g);
    history_open_old_case(w, g);
    for (unsigned k = 0; k < 12; k++)
        history_move_case(w, g, &w->cases[k < 4 ? 0 : history_random(w, w->case_count)]);
    return g;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->directory = directory_new();
    history_init(&w->history, 3);
    for (unsigned i = 0; i < GROUPS; i++)
        w->groups[i] = group_of_cases(&w->history, i);
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

static void commit_all(struct world *w, struct store *s)
{
    for (unsigned i = 0; i < GROUPS; i++)
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
}

/* The tables of a closed store are what the first so many groups make of them. */
static void assert_cases(const struct world *w, const char *directory, unsigned groups)
{
    struct cases found, expected = cases_of_groups(w->groups, groups);
    assert_int_equal(cases_of_store(directory, &found), ERROR_NONE);
    const char *problem = cases_compare(&found, &expected);
    if (problem != NULL)
        fail_msg("after %u groups %s", groups, problem);
}

static int64_t count(const char *directory, const char *what)
{
    char sql[400];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", what);
    return outbox_sql(directory, "brug.db", sql);
}

/* ---- tests ---- */

static void a_move_is_a_row_and_an_event(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
        outbox_fold_all(s);
        store_close(s);
        assert_cases(w, w->directory, i + 1);
        s = outbox_open_slices(w->directory, 1 << 20);
    }
    store_close(s);
    assert_int_equal(count(w->directory, "casefile"), w->history.case_count);
    assert_int_equal(count(w->directory, "case_event"), (GROUPS - 1) * 13);
    assert_true(outbox_sql(w->directory, "brug.db", "SELECT max(length(row)) FROM casefile") >
                LARGE);
    assert_int_equal(assert_hands_over_rows(w->directory), w->history.case_count);
}

/* Slices of one record, of parts of rows, of several rows; each with a crash behind every fold. */
static void wherever_the_fold_has_come_the_last_move_stands(void **state)
{
    static const size_t slices[] = {1, 3000, 20000, 1 << 20};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        char *directory = directory_new();
        struct store *s = outbox_open_slices(directory, slices[i]);
        bool is_done = false;
        commit_all(w, s);
        while (!is_done) {
            assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
            char *crashed = directory_copy(directory);
            store_close(s); /* check-points what the copy finds in its WAL */
            directory_free(directory);
            directory = crashed;
            s = outbox_open_slices(directory, slices[i]);
        }
        store_close(s);
        assert_cases(w, directory, GROUPS);
        directory_free(directory);
    }
}

/* In the middle of the fold: what is folded and nothing else. */
static void events_end_where_the_fold_does(void **state)
{
    struct world *w = *state;
    bool is_done = false;
    unsigned inside = 0;
    struct store *s = outbox_open_slices(w->directory, 4000);
    commit_all(w, s);
    while (!is_done) {
        assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
        int64_t folded = (int64_t)store_folded_lsn(s), moves = 0;
        char *copy = directory_copy(w->directory);
        for (unsigned i = 1; i < GROUPS; i++)
            for (int64_t k = 0; k < w->groups[i]->count; k++)
                moves += k != 1 && (int64_t)w->groups[i]->first_lsn + k <= folded;
        assert_int_equal(count(copy, "case_event"), moves);
        assert_true(outbox_sql(copy, "brug.db", "SELECT coalesce(max(lsn), 0) FROM case_event") <=
                    folded);
        inside += outbox_sql(copy, "brug.db", "SELECT folded_lsn > whole_lsn FROM meta") != 0;
        directory_free(copy);
    }
    store_close(s);
    assert_true(inside > 3);
}

/* The audit file is committed first: the rows are in it, and are folded again. */
static void a_fold_whose_commit_failed_is_done_again(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    char command[2048];
    commit_all(w, s);
    char *before = directory_copy(w->directory);
    outbox_fold_all(s);
    store_close(s);
    snprintf(command, sizeof command, "cp '%s/audit.db' '%s/audit.db'", w->directory, before);
    assert_int_equal(system(command), 0);
    s = outbox_open_slices(before, 1 << 20);
    outbox_fold_all(s);
    store_close(s);
    assert_cases(w, before, GROUPS);
    directory_free(before);
}

/* No crash makes it, as the position is written with the tables; if a disk did, it is told, and the newer row stands. */
static void a_record_that_is_folded_already_stops_the_store(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1);
    bool is_done;
    commit_all(w, s);
    while (store_folded_lsn(s) != w->groups[2]->first_lsn + 9)
        assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
    store_close(s);
    struct digest before = outbox_rows(w->directory, "SELECT * FROM casefile ORDER BY case_id");
    int64_t events = count(w->directory, "case_event");
    (void)outbox_sql(w->directory, "brug.db", "UPDATE meta SET folded_lsn = folded_lsn - 5");
    s = outbox_open_slices(w->directory, 1 << 20);
    assert_int_equal(store_fold(s, &is_done), ERROR_CORRUPT);
    store_close(s);
    struct digest after = outbox_rows(w->directory, "SELECT * FROM casefile ORDER BY case_id");
    assert_true(digest_equal(&before, &after));
    assert_int_equal(count(w->directory, "case_event"), events);
}

static void the_time_line_of_a_case_is_found_by_its_index(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    char hex[2 * ID_BYTES + 1], what[200];
    commit_all(w, s);
    outbox_fold_all(s);
    store_close(s);
    for (unsigned i = 0; i < ID_BYTES; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", w->history.cases[0].id.bytes[i]);
    snprintf(what, sizeof what,
             "case_event INDEXED BY case_event_of_case WHERE case_id = x'%s' AND"
             " substr(record, 6, 16) = case_id",
             hex);
    assert_true(count(w->directory, what) >= 4 * (GROUPS - 1));
}

/* The referral of an old journal, whatever stands for its case already. */
static void what_opened_a_case_never_replaces_what_moved_it(void **state)
{
    struct world *w = *state;
    struct history *h = &w->history;
    struct group *g = w->groups[1];
    struct slice records = buf_slice(&g->records), payload = SLICE_NONE;
    unsigned type = 0;
    while (type != RECORD(CASE_OPENED)) /* its case is moved later */
        assert_int_equal(group_next_record(&records, &type, &payload), ERROR_NONE);
    struct group *last = history_empty_group(h);
    history_move_case(h, last, &h->cases[1]);
    assert_int_equal(group_append(last, RECORD(CASE_OPENED), payload), ERROR_NONE);
    struct store *s = outbox_open_slices(w->directory, 1);
    commit_all(w, s);
    assert_int_equal(store_commit(s, last), ERROR_NONE);
    outbox_fold_all(s);
    store_close(s);
    struct group *groups[GROUPS + 1];
    memcpy(groups, w->groups, sizeof w->groups);
    groups[GROUPS] = last;
    struct cases found, expected = cases_of_groups(groups, GROUPS + 1);
    assert_int_equal(cases_of_store(w->directory, &found), ERROR_NONE);
    assert_null(cases_compare(&found, &expected));
    group_free(last);
}

/* Each stops the store, and nothing of it stays. */
static void a_record_without_a_case_is_not_valid(void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes[24];
        size_t len;
    } records[] = {
        {"nothing", {0}, 0},
        {"no case", {0x10, 0x01}, 2},
        {"a case without an id", {0x0a, 0x02, 0x38, 0x01}, 4},
        {"an id of one byte", {0x0a, 0x03, 0x0a, 0x01, 0xaa}, 5},
        {"a case that is cut", {0x0a, 0x12, 0x0a, 0x10, 0xaa}, 5},
        {"no message", {0xff, 0xff, 0xff}, 3},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        char *directory = directory_new();
        struct store *s = outbox_open_slices(directory, 1 << 20);
        struct group *g = group_new(w->groups[1]->first_lsn);
        bool is_done;
        assert_non_null(g);
        assert_int_equal(
            group_append(g, RECORD(CASE_MOVED), slice_of(records[i].bytes, records[i].len)),
            ERROR_NONE);
        assert_int_equal(store_commit(s, w->groups[0]), ERROR_NONE);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        enum error e = store_fold(s, &is_done);
        if (e != ERROR_CORRUPT)
            fail_msg("%s: %s", records[i].name, error_name(e));
        store_close(s);
        assert_int_equal(count(directory, "casefile") + count(directory, "case_event"), 0);
        group_free(g);
        directory_free(directory);
    }
}

/* ---- stores from before ---- */

static void an_old_store_keeps_its_cases(void **unused)
{
    static const char rows[] = "SELECT case_id, row FROM casefile ORDER BY case_id";
    char *directory = directory_copy(OLD_STORE);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT schema_number FROM meta"), 1);
    struct digest before = outbox_rows(directory, rows);
    assert_int_equal(assert_hands_over_rows(directory), OLD_CASES);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT schema_number FROM meta"),
                     OUTBOX_STEP_COUNT);
    struct digest after = outbox_rows(directory, rows);
    assert_true(digest_equal(&before, &after));
    assert_int_equal(count(directory, "case_event"), 0);
    struct store *s = outbox_open(directory);
    struct state *state = outbox_load(s);
    struct digest loaded = state_digest_of(state);
    state_free(state);
    outbox_fold_all(s);
    state = outbox_load(s);
    struct digest folded = state_digest_of(state);
    state_free(state);
    store_close(s);
    assert_true(digest_equal(&loaded, &folded));
    assert_int_equal(assert_hands_over_rows(directory), OLD_CASES + OLD_CASES_IN_JOURNAL);
    assert_int_equal(count(directory, "case_event"), 0);
    directory_free(directory);
}

/* The core reads the row as a Case, and tells the case whole when it moves. */
static void a_case_of_an_old_store_moves(void **unused)
{
    char *directory = directory_copy(OLD_STORE);
    struct store *s = outbox_open(directory);
    struct history w = {.lsn = store_lsn(s)};
    Brug__V1__CaseMoved moved = BRUG__V1__CASE_MOVED__INIT;
    outbox_fold_all(s);
    store_close(s);
    (void)assert_hands_over_rows(directory);
    Brug__V1__Case *c = brug__v1__case__unpack(NULL, handed.last_len, handed.last);
    assert_non_null(c);
    assert_true(c->case_id.len == ID_BYTES && c->municipality.len == ID_BYTES);
    assert_true(c->practice.len == ID_BYTES && c->team.len == ID_BYTES);
    assert_true(c->message_id.len == ID_BYTES && c->at_ms > HISTORY_NOW_MS);
    c->state = BRUG__V1__CASE_STATE__CASE_STATE_WITHDRAWN;
    moved.case_now = c;
    struct group *g = history_empty_group(&w);
    history_add(&w, g, RECORD(CASE_MOVED), &moved);
    s = outbox_open(directory);
    assert_int_equal(store_commit(s, g), ERROR_NONE);
    outbox_fold_all(s);
    store_close(s);
    assert_int_equal(count(directory, "casefile"), OLD_CASES + OLD_CASES_IN_JOURNAL);
    assert_int_equal(count(directory, "case_event"), 1);
    /* the record is the case and no more: a tag and a length in front of the row */
    assert_int_equal(count(directory, "casefile WHERE case_id = (SELECT case_id FROM case_event)"
                                      " AND row = (SELECT substr(record, 3) FROM case_event)"),
                     1);
    brug__v1__case__free_unpacked(c, NULL);
    group_free(g);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_move_is_a_row_and_an_event, setup, teardown),
        cmocka_unit_test_setup_teardown(wherever_the_fold_has_come_the_last_move_stands, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(events_end_where_the_fold_does, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fold_whose_commit_failed_is_done_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_that_is_folded_already_stops_the_store, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_time_line_of_a_case_is_found_by_its_index, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_opened_a_case_never_replaces_what_moved_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_record_without_a_case_is_not_valid, setup, teardown),
        cmocka_unit_test(an_old_store_keeps_its_cases),
        cmocka_unit_test(a_case_of_an_old_store_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
