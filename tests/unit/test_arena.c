/* Unit tests of proto/arena. */
#include "proto/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_memory_is_aligned_and_apart(void **state)
{
    struct arena *a = arena_new();
    uint8_t *last = NULL;
    assert_non_null(a);
    arena_reset(a, 1 << 20);
    for (size_t len = 1; len < 2000; len += 7) {
        uint8_t *p = arena_alloc(a, len);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xa5, len);
        assert_true(p != last);
        last = p;
    }
    assert_false(arena_was_exceeded(a));
    arena_free(a);
}

static void test_budget_holds_and_is_told(void **state)
{
    struct arena *a = arena_new();
    arena_reset(a, 100);
    assert_non_null(arena_alloc(a, 96));
    assert_null(arena_alloc(a, 1)); /* 16 with its alignment */
    assert_true(arena_was_exceeded(a));
    assert_int_equal(arena_spent_bytes(a), 96);
    arena_reset(a, 100);
    assert_false(arena_was_exceeded(a));
    assert_int_equal(arena_spent_bytes(a), 0);
    assert_non_null(arena_alloc(a, 16));
    arena_free(a);
}

static void test_giant_requests_do_not_wrap(void **state)
{
    struct arena *a = arena_new();
    arena_reset(a, SIZE_MAX);
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 8));
    assert_null(arena_alloc(a, SIZE_MAX - 40));
    assert_int_equal(arena_spent_bytes(a), 0);
    arena_free(a);
}

static void test_large_pieces_get_blocks_that_reset_frees(void **state)
{
    struct arena *a = arena_new();
    arena_reset(a, 16);
    const void *first = arena_alloc(a, 16);
    for (int round = 0; round < 3; round++) {
        arena_reset(a, 10u << 20);
        for (int i = 0; i < 9; i++) {
            void *p = arena_alloc(a, 1u << 20);
            assert_non_null(p);
            memset(p, i, 1u << 20);
        }
        arena_reset(a, 16);
        assert_ptr_equal(arena_alloc(a, 16), first);
    }
    arena_free(a);
    arena_free(NULL);
}

static void test_serves_protobuf_c(void **state)
{
    struct arena *a = arena_new();
    ProtobufCAllocator *allocator = arena_allocator(a);
    arena_reset(a, 64);
    void *p = allocator->alloc(allocator->allocator_data, 32);
    assert_non_null(p);
    allocator->free(allocator->allocator_data, p);
    assert_int_equal(arena_spent_bytes(a), 32);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_aligned_and_apart),
        cmocka_unit_test(test_budget_holds_and_is_told),
        cmocka_unit_test(test_giant_requests_do_not_wrap),
        cmocka_unit_test(test_large_pieces_get_blocks_that_reset_frees),
        cmocka_unit_test(test_serves_protobuf_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
