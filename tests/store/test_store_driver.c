/* tests/store/test_store_driver.c: the suite that every SQL driver passes. */
#include "daemon/store/driver.h"
#include "daemon/store/schema.h"
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MARK 0x54657374u

enum statement { PUT, GET, LIST, DELETE, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
    [PUT] = ("INSERT INTO thing(key, name, bytes) VALUES($1, $2, $3)"
             " ON CONFLICT(key) DO UPDATE SET name = excluded.name, bytes = excluded.bytes"),
    [GET] = "SELECT name, bytes FROM thing WHERE key = $1",
    [LIST] = "SELECT key FROM thing WHERE key >= $1 AND key <= $2 ORDER BY key",
    [DELETE] = "DELETE FROM thing WHERE key < $1",
};

static char path[1024];

static enum error open_db(struct driver **out, bool *is_empty)
{
    struct driver_options o = {path, NULL, MARK, 1 << 20, {"a page", "the log", "a table"}};
    const char *problem;
    return driver_open(out, &o, is_empty, &problem);
}

static struct driver *open_with_table(void)
{
    struct driver *d;
    bool is_empty;
    assert_int_equal(open_db(&d, &is_empty), ERROR_NONE);
    if (is_empty)
        assert_int_equal(driver_run(d,
                                    "CREATE TABLE thing(key INTEGER PRIMARY KEY, name BLOB, bytes"
                                    " BLOB NOT NULL); CREATE TABLE other(a INTEGER)"),
                         ERROR_NONE);
    assert_int_equal(driver_prepare(d, sql, STATEMENT_COUNT), ERROR_NONE);
    return d;
}

static enum error put(struct driver *d, uint64_t key, struct slice name, struct slice bytes)
{
    driver_bind_u64(d, PUT, 1, key);
    driver_bind_slice(d, PUT, 2, name);
    driver_bind_slice(d, PUT, 3, bytes);
    return driver_execute(d, PUT);
}

static bool has(struct driver *d, uint64_t key)
{
    bool has_row;
    driver_bind_u64(d, GET, 1, key);
    assert_int_equal(driver_step(d, GET, &has_row), ERROR_NONE);
    driver_reset(d, GET);
    return has_row;
}

static int set_up(void **state)
{
    *state = directory_new();
    directory_file(path, sizeof path, *state, "test.db");
    return 0;
}

static int tear_down(void **state)
{
    directory_free(*state);
    return 0;
}

static void test_values_come_back(void **unused)
{
    static uint8_t big[300000];
    struct driver *d = open_with_table();
    const uint64_t keys[] = {0, 1, UINT64_C(1) << 40, INT64_MAX};
    bool has_row;
    memset(big, 0xa5, sizeof big);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(put(d, keys[i], slice_of("a\0b", i), slice_of(big, i * 100000)),
                         ERROR_NONE);
    for (size_t i = 0; i < 4; i++) {
        driver_bind_u64(d, GET, 1, keys[i]);
        assert_int_equal(driver_step(d, GET, &has_row), ERROR_NONE);
        assert_true(has_row);
        assert_true(slice_equal(driver_column_slice(d, GET, 0), slice_of("a\0b", i)));
        assert_true(slice_equal(driver_column_slice(d, GET, 1), slice_of(big, i * 100000)));
        assert_int_equal(driver_step(d, GET, &has_row), ERROR_NONE);
        assert_false(has_row);
        driver_reset(d, GET);
    }
    driver_bind_u64(d, LIST, 1, 1);
    driver_bind_u64(d, LIST, 2, INT64_MAX);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(driver_step(d, LIST, &has_row), ERROR_NONE);
        assert_true(has_row);
        assert_int_equal(driver_column_u64(d, LIST, 0), keys[i]);
    }
    assert_int_equal(driver_step(d, LIST, &has_row), ERROR_NONE);
    assert_false(has_row);
    driver_reset(d, LIST);
    uint64_t count;
    assert_int_equal(driver_query_u64(d, "SELECT count(*) FROM thing", &count), ERROR_NONE);
    assert_int_equal(count, 4);
    assert_int_equal(driver_query_u64(d, "SELECT key FROM thing WHERE key = 77", &count),
                     ERROR_CORRUPT);
    assert_int_equal(driver_run(d, "SELECT nonsense"), ERROR_CORRUPT);
    assert_non_null(driver_problem(d));
    driver_close(d, true);
    driver_close(NULL, true);
}

static void test_transactions(void **unused)
{
    struct driver *d = open_with_table();
    assert_int_equal(driver_begin(d), ERROR_NONE);
    assert_int_equal(put(d, 1, SLICE_NONE, SLICE_NONE), ERROR_NONE);
    assert_true(has(d, 1));
    driver_rollback(d);
    assert_false(has(d, 1));
    driver_rollback(d);
    assert_int_equal(driver_begin(d), ERROR_NONE);
    assert_int_equal(put(d, 2, SLICE_NONE, SLICE_NONE), ERROR_NONE);
    assert_int_equal(driver_commit(d), ERROR_NONE);
    assert_int_equal(driver_begin(d), ERROR_NONE);
    assert_int_equal(put(d, 3, SLICE_NONE, SLICE_NONE), ERROR_NONE);
    driver_close(d, false); /* as if the process ended here */
    d = open_with_table();
    assert_false(has(d, 1));
    assert_true(has(d, 2));
    assert_false(has(d, 3));
    driver_bind_u64(d, DELETE, 1, 3);
    assert_int_equal(driver_execute(d, DELETE), ERROR_NONE);
    assert_false(has(d, 2));
    driver_close(d, true);
}

static void test_parts(void **unused)
{
    uint8_t bytes[50000], out[100];
    struct driver *d = open_with_table();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 ^ i >> 8);
    assert_int_equal(put(d, 9, SLICE_NONE, slice_of(bytes, sizeof bytes)), ERROR_NONE);
    assert_int_equal(driver_part_open(d, "thing", "bytes", 8), ERROR_NOT_FOUND);
    driver_part_close(d);
    assert_int_equal(driver_part_open(d, "thing", "bytes", 9), ERROR_NONE);
    for (size_t at = 0; at <= sizeof bytes - 100; at += 4990) {
        assert_int_equal(driver_part_read(d, at, 100, out), ERROR_NONE);
        assert_memory_equal(out, bytes + at, 100);
    }
    assert_int_equal(driver_part_read(d, 50000, 0, out), ERROR_NONE);
    assert_int_equal(driver_part_read(d, 49901, 100, out), ERROR_CORRUPT);
    assert_int_equal(driver_part_read(d, SIZE_MAX, 100, out), ERROR_CORRUPT);
    assert_int_equal(driver_part_read(d, 0, 50001, out), ERROR_CORRUPT);
    driver_part_close(d);
    driver_close(d, true);
}

static void test_checkpoints(void **unused)
{
    uint8_t bytes[50000] = {0};
    struct driver *d = open_with_table();
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(put(d, i, SLICE_NONE, slice_of(bytes, sizeof bytes)), ERROR_NONE);
    assert_true(driver_pages_pending(d) > 20);
    assert_int_equal(driver_checkpoint(d), ERROR_NONE);
    assert_int_equal(driver_pages_pending(d), 0);
    assert_int_equal(driver_check_table(d, "thing"), ERROR_NONE);
    assert_true(has(d, 19));
    driver_close(d, true);
}

static void test_only_ours_and_only_one(void **unused)
{
    struct driver *d, *other = NULL;
    struct driver_options foreign = {
        path, NULL, MARK + 1, 1 << 20, {"a page", "the log", "a table"}};
    const char *problem = NULL;
    bool is_empty = false;
    assert_int_equal(open_db(&d, &is_empty), ERROR_NONE);
    assert_true(is_empty);
    driver_close(d, true);
    assert_int_equal(open_db(&d, &is_empty), ERROR_NONE);
    assert_true(is_empty); /* marked, but without tables */
    driver_close(d, true);
    assert_int_equal(driver_open(&other, &foreign, &is_empty, &problem), ERROR_STORE_FORMAT);
    assert_non_null(problem);
    d = open_with_table();
    assert_int_not_equal(open_db(&other, &is_empty), ERROR_NONE);
    assert_null(other);
    driver_close(d, true);
    assert_int_equal(open_db(&d, &is_empty), ERROR_NONE);
    assert_false(is_empty);
    driver_close(d, true);
}

/* Steps are taken once, forward only, and all or none. */
static void test_schema_steps(void **unused)
{
    static const char *const steps[] = {
        "CREATE TABLE meta(one INTEGER PRIMARY KEY, schema_number INTEGER NOT NULL);"
        "INSERT INTO meta(one, schema_number) VALUES(1, 1)",
        "CREATE TABLE second(a INTEGER)", "CREATE TABLE third(a INTEGER)",
        "CREATE TABLE third(a INTEGER)", /* fails */
    };
    static const char *const statements[] = {"UPDATE meta SET schema_number = $1 WHERE one = 1"};
    static const struct {
        size_t count;
        enum error expected;
        uint64_t number, tables;
    } starts[] = {
        {1, ERROR_NONE, 1, 1}, {1, ERROR_NONE, 1, 1},         {3, ERROR_NONE, 3, 3},
        {3, ERROR_NONE, 3, 3}, {2, ERROR_STORE_FORMAT, 3, 3}, {4, ERROR_CORRUPT, 3, 3},
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct schema x = {steps, starts[i].count, statements, 1, 0};
        struct driver *d;
        uint64_t number, tables;
        bool is_empty;
        assert_int_equal(open_db(&d, &is_empty), ERROR_NONE);
        assert_int_equal(is_empty, i == 0);
        assert_int_equal(schema_begin(d, &x, is_empty), starts[i].expected);
        if (starts[i].expected == ERROR_NONE)
            assert_int_equal(driver_commit(d), ERROR_NONE);
        driver_rollback(d);
        assert_int_equal(driver_query_u64(d, "SELECT schema_number FROM meta", &number),
                         ERROR_NONE);
        assert_int_equal(driver_query_u64(d, "SELECT count(*) FROM sqlite_schema", &tables),
                         ERROR_NONE);
        assert_int_equal(number, starts[i].number);
        assert_int_equal(tables, starts[i].tables);
        driver_close(d, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_schema_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_ours_and_only_one, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
