/* tests/unit/test_source.c: daemon/net/source: failed handshakes slow down a source that only fails, not one with a few. */
#include "daemon/net/source.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define MAX 4

static struct sources sources;
static const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {0x0100007f}};

static int set_up(void **state)
{
    static const uint64_t seed[2] = {1, 2};
    sources_init(&sources, seed);
    return 0;
}

static int tear_down(void **state)
{
    sources_fini(&sources);
    return 0;
}

static struct source *enter(int64_t now_ms)
{
    return source_enter(&sources, (const struct sockaddr *)&address, MAX, now_ms);
}

static bool fails_at(int64_t now_ms)
{
    struct source *s = enter(now_ms);
    if (s == NULL)
        return false;
    source_leave(&sources, s, true, now_ms);
    return true;
}

static void test_a_burst_of_failures_closes_the_door_for_a_second(void **state)
{
    for (int i = 0; i < MAX; i++)
        assert_true(fails_at(i));
    assert_false(fails_at(MAX));
    assert_false(fails_at(SOURCE_PENALTY_MS - 1));
    assert_true(fails_at(SOURCE_PENALTY_MS));
}

/* One client with a broken certificate behind the same address as its colleagues. */
static void test_a_few_failures_a_second_never_close_the_door(void **state)
{
    for (int64_t now_ms = 0; now_ms < 60000; now_ms += 300)
        assert_true(fails_at(now_ms));
}

static void test_what_is_in_flight_counts(void **state)
{
    struct source *in_flight[MAX];
    for (int i = 0; i < MAX; i++) {
        in_flight[i] = enter(0);
        assert_non_null(in_flight[i]);
    }
    assert_null(enter(5000));
    source_leave(&sources, in_flight[0], false, 5000);
    assert_non_null(enter(5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_burst_of_failures_closes_the_door_for_a_second,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_few_failures_a_second_never_close_the_door, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_in_flight_counts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
