/* tests/store/test_store_gather.c: writes that follow one another go down as one, and none behind a failed one. */
#include "daemon/store/gather.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES (4 * GATHER_BYTES)

static struct {
    sqlite3_file base; /* first: it is given to the gatherer */
    uint8_t bytes[FILE_BYTES];
    unsigned writes;
    int fails_with;
} below;

static int on_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 offset)
{
    below.writes++;
    if (below.fails_with != SQLITE_OK)
        return below.fails_with;
    assert_true((size_t)offset + (size_t)len <= FILE_BYTES);
    memcpy(below.bytes + offset, bytes, (size_t)len);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {.iVersion = 1, .xWrite = on_write};

static int begin(void **state)
{
    memset(&below, 0, sizeof below);
    below.base.pMethods = &methods;
    return 0;
}

static int put(struct gather *g, size_t len, sqlite3_int64 offset, uint8_t byte)
{
    int code = SQLITE_OK;
    uint8_t *room = gather_room(g, &below.base, len, offset, &code);
    if (room != NULL)
        memset(room, byte, len);
    return code;
}

static void test_what_follows_goes_down_as_one(void **state)
{
    struct gather g = {0};
    assert_int_equal(put(&g, 24, 32, 1), SQLITE_OK);
    assert_int_equal(put(&g, 8192, 56, 2), SQLITE_OK);
    assert_int_equal(below.writes, 0);
    assert_int_equal(gather_flush(&g, &below.base), SQLITE_OK);
    assert_int_equal(below.writes, 1);
    assert_true(below.bytes[31] == 0 && below.bytes[32] == 1 && below.bytes[55] == 1);
    assert_true(below.bytes[56] == 2 && below.bytes[8247] == 2 && below.bytes[8248] == 0);
    assert_int_equal(gather_flush(&g, &below.base), SQLITE_OK);
    assert_int_equal(below.writes, 1); /* there was nothing */
    gather_fini(&g);
}

/* In the order in which they came: the later one counts. */
static void test_what_does_not_follow_sends_down_what_was_there(void **state)
{
    struct gather g = {0};
    assert_int_equal(put(&g, 100, 1000, 1), SQLITE_OK);
    assert_int_equal(put(&g, 100, 1050, 2), SQLITE_OK);
    assert_int_equal(below.writes, 1);
    assert_int_equal(put(&g, 10, 0, 3), SQLITE_OK);
    assert_int_equal(gather_flush(&g, &below.base), SQLITE_OK);
    assert_int_equal(below.writes, 3);
    assert_true(below.bytes[1049] == 1 && below.bytes[1050] == 2 && below.bytes[1149] == 2);
    assert_true(below.bytes[9] == 3 && below.bytes[10] == 0);
    gather_fini(&g);
}

static void test_no_more_gathers_than_there_is_room_for(void **state)
{
    struct gather g = {0};
    assert_int_equal(put(&g, GATHER_BYTES, 0, 1), SQLITE_OK);
    assert_int_equal(put(&g, 1, GATHER_BYTES, 2), SQLITE_OK);
    assert_int_equal(below.writes, 1);
    assert_int_equal(gather_flush(&g, &below.base), SQLITE_OK);
    assert_true(below.bytes[GATHER_BYTES - 1] == 1 && below.bytes[GATHER_BYTES] == 2);
    gather_fini(&g);
}

static void test_nothing_is_written_behind_a_failure(void **state)
{
    struct gather g = {0};
    assert_int_equal(put(&g, 10, 0, 1), SQLITE_OK);
    below.fails_with = SQLITE_FULL;
    assert_int_equal(put(&g, 10, 500, 1), SQLITE_FULL);
    below.fails_with = SQLITE_OK;
    assert_int_equal(put(&g, 10, 0, 1), SQLITE_FULL);
    assert_int_equal(put(&g, 10, 500, 1), SQLITE_FULL);
    assert_int_equal(gather_flush(&g, &below.base), SQLITE_FULL);
    assert_int_equal(below.writes, 1);
    gather_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_follows_goes_down_as_one, begin),
        cmocka_unit_test_setup(test_what_does_not_follow_sends_down_what_was_there, begin),
        cmocka_unit_test_setup(test_no_more_gathers_than_there_is_room_for, begin),
        cmocka_unit_test_setup(test_nothing_is_written_behind_a_failure, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
