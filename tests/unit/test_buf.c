/* tests/unit/test_buf.c: slices and buffers at their bounds. */
#include "base/buf.h"
#include "tests/lib/failing_memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static void slices_compare_by_content(void **state)
{
    uint8_t other[] = {'a', 'b', 'c'};
    assert_true(slice_equal(slice_text("abc"), slice_of(other, 3)));
    assert_false(slice_equal(slice_text("abc"), slice_text("abd")));
    assert_false(slice_equal(slice_text("abc"), slice_text("ab")));
    assert_true(slice_equal(SLICE_NONE, slice_text("")));
    assert_true(slice_equal_secret(slice_text("abc"), slice_of(other, 3)));
    assert_false(slice_equal_secret(slice_text("abc"), slice_text("abd")));
    assert_false(slice_equal_secret(slice_text("xbc"), slice_text("abc")));
    assert_false(slice_equal_secret(slice_text("abc"), slice_text("ab")));
    assert_true(slice_equal_secret(SLICE_NONE, SLICE_NONE));
}

static void take_moves_the_front(void **state)
{
    struct slice s = slice_text("abcdef"), out;
    assert_true(slice_take(&s, 2, &out));
    assert_true(slice_equal(out, slice_text("ab")));
    assert_true(slice_take(&s, 0, &out));
    assert_int_equal(out.len, 0);
    assert_true(slice_take(&s, 4, &out));
    assert_true(slice_equal(out, slice_text("cdef")));
    assert_int_equal(s.len, 0);
}

static void take_too_much_changes_nothing(void **state)
{
    struct slice s = slice_text("abc"), before = s, out = SLICE_NONE;
    uint32_t number = 7;
    assert_false(slice_take(&s, 4, &out));
    assert_false(slice_take(&s, SIZE_MAX, &out));
    assert_false(slice_take_u32(&s, &number));
    assert_ptr_equal(s.data, before.data);
    assert_int_equal(s.len, 3);
    assert_null(out.data);
    assert_int_equal(number, 7);
    s = SLICE_NONE;
    assert_true(slice_take(&s, 0, &out));
    assert_false(slice_take(&s, 1, &out));
}

static void numbers_are_big_endian(void **state)
{
    static const uint8_t BYTES[] = {0xfe, 1, 2, 3, 4, 0xff, 2, 3, 4, 5, 6, 7, 8};
    struct slice s = slice_of(BYTES, sizeof BYTES);
    struct buf b;
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;
    buf_init(&b, 100);
    assert_true(slice_take_u8(&s, &u8));
    assert_true(slice_take_u32(&s, &u32));
    assert_true(slice_take_u64(&s, &u64));
    assert_int_equal(u8, 0xfe);
    assert_int_equal(u32, 0x01020304);
    assert_true(u64 == 0xff02030405060708);
    assert_int_equal(buf_append_u8(&b, u8), ERROR_NONE);
    assert_int_equal(buf_append_u32(&b, u32), ERROR_NONE);
    assert_int_equal(buf_append_u64(&b, u64), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&b), slice_of(BYTES, sizeof BYTES)));
    buf_fini(&b);
}

static void varints_come_back(void **state)
{
    static const uint64_t VALUES[] = {0,     1,   127,        128,        300,        16383,
                                      16384, ~0u, 1ull << 32, 1ull << 62, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        struct buf b;
        uint64_t v;
        buf_init(&b, 10);
        assert_int_equal(buf_append_varint(&b, VALUES[i]), ERROR_NONE);
        struct slice s = buf_slice(&b);
        for (size_t cut = 0; cut < b.len; cut++) {
            struct slice part = slice_of(b.data, cut);
            assert_false(slice_take_varint(&part, &v));
            assert_int_equal(part.len, cut);
        }
        assert_true(slice_take_varint(&s, &v));
        assert_true(v == VALUES[i]);
        assert_int_equal(s.len, 0);
        buf_fini(&b);
    }
}

static void varints_over_64_bits_are_refused(void **state)
{
    static const uint8_t BIT_65[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    static const uint8_t BYTE_11[] = {128, 128, 128, 128, 128, 128, 128, 128, 128, 129, 0};
    static const uint8_t PADDED[] = {0x81, 0x80, 0x80, 0, 9};
    uint64_t v = 5;
    struct slice s = slice_of(BIT_65, sizeof BIT_65);
    assert_false(slice_take_varint(&s, &v));
    s = slice_of(BYTE_11, sizeof BYTE_11);
    assert_false(slice_take_varint(&s, &v));
    assert_int_equal(s.len, sizeof BYTE_11);
    assert_int_equal(v, 5);
    s = slice_of(PADDED, sizeof PADDED);
    assert_true(slice_take_varint(&s, &v));
    assert_int_equal(v, 1);
    assert_int_equal(s.len, 1);
}

static void buffers_grow_up_to_their_bound(void **state)
{
    struct buf b;
    buf_init(&b, 1000);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(buf_append_u8(&b, (uint8_t)i), ERROR_NONE);
    assert_int_equal(b.len, 1000);
    assert_true(b.capacity <= 1000);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    assert_int_equal(buf_append_u8(&b, 1), ERROR_BOUND);
    assert_int_equal(buf_append(&b, "", 0), ERROR_NONE);
    assert_int_equal(b.len, 1000);
    buf_fini(&b);
}

static void lengths_near_the_end_of_size_t_do_not_wrap(void **state)
{
    struct buf b;
    uint8_t *out = NULL;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_append(&b, "abc", 3), ERROR_NONE);
    assert_int_equal(buf_extend(&b, SIZE_MAX, &out), ERROR_BOUND);
    assert_int_equal(buf_extend(&b, SIZE_MAX - 2, &out), ERROR_BOUND);
    failing_memory_always(); /* no real allocator is asked for the whole address space */
    assert_int_equal(buf_extend(&b, SIZE_MAX - 3, &out), ERROR_NO_MEMORY);
    failing_memory_at(0);
    assert_null(out);
    assert_true(slice_equal(buf_slice(&b), slice_text("abc")));
    buf_fini(&b);
    buf_init(&b, 2);
    assert_int_equal(buf_append(&b, "abc", 3), ERROR_BOUND);
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    buf_init(&b, 0);
    assert_int_equal(buf_append(&b, NULL, 0), ERROR_NONE);
    assert_int_equal(buf_append_u8(&b, 0), ERROR_BOUND);
    buf_fini(&b);
}

static void without_memory_nothing_changes(void **state)
{
    struct buf b;
    char big[100];
    memset(big, 'x', sizeof big);
    buf_init(&b, 1000);
    failing_memory_at(1);
    assert_int_equal(buf_append_u32(&b, 7), ERROR_NO_MEMORY);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_append(&b, "abc", 3), ERROR_NONE);
    failing_memory_at(1);
    assert_int_equal(buf_append(&b, big, sizeof big), ERROR_NO_MEMORY);
    assert_true(failing_memory_happened());
    assert_true(slice_equal(buf_slice(&b), slice_text("abc")));
    assert_int_equal(buf_append(&b, big, sizeof big), ERROR_NONE);
    assert_int_equal(b.len, 103);
    buf_fini(&b);
}

static void consume_keeps_the_rest(void **state)
{
    struct buf b;
    buf_init(&b, 10);
    buf_consume(&b, 0);
    assert_int_equal(buf_append(&b, "abcdef", 6), ERROR_NONE);
    buf_consume(&b, 2);
    assert_true(slice_equal(buf_slice(&b), slice_text("cdef")));
    buf_consume(&b, 4);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_append(&b, "0123456789", 10), ERROR_NONE);
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    buf_fini_secret(&b);
    assert_null(b.data);
    buf_fini(&b);
}

/* Makes a file of 100 bytes in memory and names it. */
static const char *file_of_100(void)
{
    static char path[40];
    char bytes[100];
    int fd = memfd_create("test_buf", MFD_CLOEXEC);
    assert_true(fd >= 0);
    memset(bytes, 'f', sizeof bytes);
    assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static void files_are_read_whole_or_not_at_all(void **state)
{
    struct buf b;
    const char *path = file_of_100();
    buf_init(&b, 103);
    assert_int_equal(buf_append(&b, "abc", 3), ERROR_NONE);
    assert_int_equal(buf_read_file(&b, path), ERROR_NONE);
    assert_int_equal(b.len, 103);
    assert_memory_equal(b.data, "abcff", 5);
    buf_fini(&b);

    buf_init(&b, 102);
    assert_int_equal(buf_append(&b, "abc", 3), ERROR_NONE);
    assert_int_equal(buf_read_file(&b, path), ERROR_BOUND);
    assert_true(slice_equal(buf_slice(&b), slice_text("abc")));
    buf_fini(&b);

    buf_init(&b, 1000);
    failing_memory_at(1);
    assert_int_equal(buf_read_file(&b, path), ERROR_NO_MEMORY);
    assert_true(failing_memory_happened());
    assert_int_equal(buf_read_file(&b, "/dev/no-such-file"), ERROR_NOT_FOUND);
    assert_int_equal(buf_read_file(&b, "/dev/null/x"), ERROR_NOT_FOUND);
    assert_int_equal(buf_read_file(&b, "/"), ERROR_IO);
    assert_int_equal(buf_read_file(&b, "/dev/null"), ERROR_NONE);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_by_content),
        cmocka_unit_test(take_moves_the_front),
        cmocka_unit_test(take_too_much_changes_nothing),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(varints_over_64_bits_are_refused),
        cmocka_unit_test(buffers_grow_up_to_their_bound),
        cmocka_unit_test(lengths_near_the_end_of_size_t_do_not_wrap),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(consume_keeps_the_rest),
        cmocka_unit_test(files_are_read_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
