/*
 * tests/store/test_store_family.c: the tags of cases beside the journal [R41]: loading gives what memory has, wherever the
 * fold has come; no tag is in the audit file; and once its case has ended, none is left in the outbox either.
 *
 * tests/data/store-2 was made by the last program with schema 2.
 */
#include "tests/lib/cases.h"
#include "tests/lib/directory.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define OLD_STORE "tests/data/store-2"
#define GROUPS 12
#define CASES 40

struct world {
    char *directory;
    struct history history;
    struct group *groups[GROUPS];
    struct state *memory; /* as the relay has it after all of them */
};

/* Cases with directors, tagged again and again; some end. */
static struct group *group_of_tags(struct history *w, unsigned i)
{
    if (i == 0)
        return history_directory(w);
    struct group *g = history_empty_group(w);
    for (unsigned k = 0; i == 1 && k < CASES; k++)
        history_open_case(w, g);
    for (unsigned k = 0; k < CASES; k++)
        history_move_case(w, g, &w->cases[history_random(w, w->case_count)]);
    for (unsigned k = 0; k < CASES; k++)
        (void)history_tag_case(w, g);
    if (i > 4)
        history_end_case(w, g, &w->cases[history_random(w, w->case_count)]);
    return g;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->directory = directory_new();
    history_init(&w->history, 5);
    for (unsigned i = 0; i < GROUPS; i++)
        w->groups[i] = group_of_tags(&w->history, i);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < GROUPS; i++)
        group_free(w->groups[i]);
    state_free(w->memory);
    history_fini(&w->history);
    directory_free(w->directory);
    free(w);
    return 0;
}

static void commit_all(struct world *w, struct store *s)
{
    w->memory = state_empty(store_generation(s));
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
        state_apply_group(w->memory, w->groups[i]);
    }
}

static void end_all(struct world *w, struct store *s)
{
    struct group *g = history_empty_group(&w->history);
    for (size_t i = 0; i < w->history.case_count; i++)
        history_end_case(&w->history, g, &w->history.cases[i]);
    assert_int_equal(store_commit(s, g), ERROR_NONE);
    state_apply_group(w->memory, g);
    group_free(g);
}

static void assert_loads(const struct world *w, struct store *s)
{
    struct state *loaded = outbox_load(s);
    struct digest a = state_digest_of(loaded), b = state_digest_of(w->memory);
    if (!digest_equal(&a, &b))
        fail_msg("at fold %u", (unsigned)store_folded_lsn(s));
    state_free(loaded);
}

/* How often a tag stands in a file, which must be there. */
static size_t count_tags(const char *directory, const char *name)
{
    char path[1024];
    struct stat st;
    size_t n = 0, len = strlen(HISTORY_TAG);
    directory_file(path, sizeof path, directory, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    for (size_t i = 0; i + len <= (size_t)st.st_size; i++)
        n += memcmp(bytes + i, HISTORY_TAG, len) == 0;
    free(bytes);
    close(fd);
    return n;
}

static int64_t rows(const char *directory)
{
    return outbox_sql(directory, "brug.db", "SELECT count(*) FROM case_tags");
}

/* ---- tests ---- */

static void loading_gives_what_memory_has(void **state)
{
    static const size_t slices[] = {1, 700, 20000};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        char *directory = directory_new();
        struct store *s = outbox_open_slices(directory, slices[i]);
        bool is_done = false;
        state_free(w->memory);
        commit_all(w, s);
        assert_loads(w, s);
        for (unsigned k = 0; !is_done; k++) {
            assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
            if (k % (i == 0 ? 37 : 3) != 0 && !is_done)
                continue;
            char *crashed = directory_copy(directory);
            store_close(s);
            directory_free(directory);
            directory = crashed;
            s = outbox_open_slices(directory, slices[i]);
            assert_loads(w, s);
        }
        store_close(s);
        directory_free(directory);
    }
}

static void one_row_for_each_open_case_once_all_is_folded(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    commit_all(w, s);
    outbox_fold_all(s);
    store_close(s);
    assert_true(rows(w->directory) > 4 && rows(w->directory) < CASES);
    assert_int_equal(outbox_sql(w->directory, "brug.db",
                                "SELECT count(*) - count(DISTINCT case_id) FROM case_tags"),
                     0);
}

static void the_audit_file_has_no_tag(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    commit_all(w, s);
    outbox_fold_all(s);
    store_close(s);
    assert_true(count_tags(w->directory, "brug.db") > 0);
    assert_int_equal(count_tags(w->directory, "audit.db"), 0);
    assert_int_equal(outbox_sql(w->directory, "audit.db", "SELECT count(*) FROM audit"), GROUPS);
}

/* Not a byte, also of those that were replaced, moved within the table, or lay in pages that are free now. */
static void no_tag_outlives_its_case(void **state)
{
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 2000);
    commit_all(w, s);
    outbox_fold_all(s);
    store_close(s);
    char wal[1024];
    directory_file(wal, sizeof wal, w->directory, "brug.db-wal");
    size_t live = count_tags(w->directory, "brug.db");
    int64_t tags = 2 * rows(w->directory);
    assert_true(live > 0 && (int64_t)live <= tags); /* none but those of open cases */
    s = outbox_open_slices(w->directory, 2000);
    end_all(w, s);
    assert_loads(w, s);
    outbox_fold_all(s);
    assert_loads(w, s);
    store_close(s);
    assert_int_equal(rows(w->directory), 0);
    assert_int_equal(count_tags(w->directory, "brug.db"), 0);
    assert_int_equal(access(wal, F_OK), -1); /* it ends with its store */
    assert_int_equal(count_tags(w->directory, "audit.db"), 0);
}

/* What the record says it brought is gone, or is no such thing: the store does not start as if there were none. */
static void tags_that_are_damaged_stop_the_start(void **state)
{
    static const char *const harm[] = {
        "DELETE FROM case_tags WHERE lsn = (SELECT max(lsn) FROM case_tags)",
        "UPDATE case_tags SET kept = x'ff' WHERE lsn = (SELECT max(lsn) FROM case_tags)",
        "UPDATE case_tags SET kept = x'' WHERE lsn = (SELECT max(lsn) FROM case_tags)",
    };
    struct world *w = *state;
    struct store *s = outbox_open_slices(w->directory, 1 << 20);
    commit_all(w, s);
    store_close(s);
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        char *copy = directory_copy(w->directory);
        const char *problem = NULL;
        (void)outbox_sql(copy, "brug.db", harm[i]);
        s = outbox_open_slices(copy, 1 << 20);
        struct state *loaded = state_new((const uint64_t[2]){1, 2});
        assert_int_equal(store_load(s, loaded, 0, &problem), ERROR_CORRUPT);
        assert_non_null(problem);
        state_free(loaded);
        store_close(s);
        directory_free(copy);
    }
}

static void a_store_of_before_takes_tags(void **unused)
{
    char *directory = directory_copy(OLD_STORE);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT schema_number FROM meta"), 2);
    struct store *s = outbox_open(directory);
    struct state *before = outbox_load(s);
    struct digest loaded = state_digest_of(before);
    state_free(before);
    outbox_fold_all(s);
    struct state *after = outbox_load(s);
    struct digest folded = state_digest_of(after);
    state_free(after);
    store_close(s);
    assert_true(digest_equal(&loaded, &folded));
    assert_int_equal(rows(directory), 0);
    assert_true(outbox_sql(directory, "brug.db", "SELECT count(*) FROM case_event") > 0);
    directory_free(directory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(loading_gives_what_memory_has),
        TEST(one_row_for_each_open_case_once_all_is_folded),
        TEST(the_audit_file_has_no_tag),
        TEST(no_tag_outlives_its_case),
        TEST(tags_that_are_damaged_stop_the_start),
        cmocka_unit_test(a_store_of_before_takes_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
