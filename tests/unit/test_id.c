/* tests/unit/test_id.c: ids, their text, their versions. */
#include "base/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t BYTES[ID_BYTES] = {0x01, 0x9a, 0x23, 0x45, 0x67, 0x89, 0x7a, 0xbc,
                                        0x9d, 0xef, 0xff, 0x00, 0x10, 0x20, 0x30, 0x40};
static const char TEXT[] = "019a2345-6789-7abc-9def-ff0010203040";

static void text_and_bytes_are_one(void **state)
{
    struct id id, back;
    char text[ID_TEXT_BYTES];
    assert_int_equal(id_from_slice(&id, slice_of(BYTES, ID_BYTES)), ERROR_NONE);
    assert_string_equal(id_to_text(&id, text), TEXT);
    assert_int_equal(id_from_text(&back, TEXT), ERROR_NONE);
    assert_true(id_equal(&id, &back));
    assert_int_equal(id_from_text(&back, "019A2345-6789-7ABC-9DEF-FF0010203040"), ERROR_NONE);
    assert_true(id_equal(&id, &back));
    assert_true(slice_equal(id_slice(&id), slice_of(BYTES, ID_BYTES)));
}

static void other_lengths_are_malformed(void **state)
{
    struct id id = ID_NONE;
    assert_int_equal(id_from_slice(&id, slice_of(BYTES, 15)), ERROR_ID_MALFORMED);
    assert_int_equal(id_from_slice(&id, slice_of(TEXT, 17)), ERROR_ID_MALFORMED);
    assert_int_equal(id_from_slice(&id, SLICE_NONE), ERROR_ID_MALFORMED);
    assert_true(id_is_none(&id));
}

static void other_texts_are_malformed(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "-",
        "019a2345-6789-7abc-9def-ff001020304",
        "019a2345-6789-7abc-9def-ff00102030400",
        "019a2345-6789-7abc-9def-ff001020304g",
        "019a234506789-7abc-9def-ff0010203040",
        "019a2345-6789-7abc-9def ff0010203040",
        "{19a2345-6789-7abc-9def-ff001020304}",
        "019a23456789-7abc-9def-ff0010203040-",
        "019a2345-6789-7abc-9def-ff00102030\xc3\xa9",
        "------------------------------------",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct id id = ID_NONE;
        assert_int_equal(id_from_text(&id, TEXTS[i]), ERROR_ID_MALFORMED);
        assert_true(id_is_none(&id));
    }
}

static void none_is_all_zero(void **state)
{
    struct id id = {{0}};
    char text[ID_TEXT_BYTES];
    assert_true(id_is_none(&id));
    id.bytes[15] = 1;
    assert_false(id_is_none(&id));
    assert_int_equal(id_version(&ID_NONE), 0);
    assert_string_equal(id_to_text(&ID_NONE, text), "00000000-0000-0000-0000-000000000000");
}

static void ids_sort_by_their_bytes(void **state)
{
    struct id a = {{1}}, b = {{1, 0xff}}, c = {{2}};
    assert_true(id_compare(&a, &b) < 0);
    assert_true(id_compare(&c, &b) > 0);
    assert_int_equal(id_compare(&a, &a), 0);
}

/* The example of RFC 9562, appendix A.6. */
static void v7_is_that_of_the_rfc(void **state)
{
    static const uint8_t RANDOM[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct id id = id_v7(0x017f22e279b0, RANDOM);
    char text[ID_TEXT_BYTES];
    assert_string_equal(id_to_text(&id, text), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_int_equal(id_version(&id), 7);
    assert_true(id_v7_ms(&id) == 0x017f22e279b0);
}

static void v7_clamps_times_that_do_not_fit(void **state)
{
    static const uint8_t RANDOM[10] = {0};
    struct id id = id_v7(-1, RANDOM);
    assert_true(id_v7_ms(&id) == 0);
    id = id_v7(INT64_C(0x1000000000000), RANDOM);
    assert_true(id_v7_ms(&id) == INT64_C(0xffffffffffff));
    id = id_v7(INT64_MAX, RANDOM);
    assert_true(id_v7_ms(&id) == INT64_C(0xffffffffffff));
    assert_int_equal(id_version(&id), 7);
}

/* The examples of RFC 9562, appendices A.3 and B.2 (which is SHA-256 over a name). */
static void v4_and_v8_are_those_of_the_rfc(void **state)
{
    static const uint8_t RANDOM[16] = {0x91, 0x91, 0x08, 0xf7, 0x52, 0xd1, 0x03, 0x20,
                                       0x5b, 0xac, 0xf8, 0x47, 0xdb, 0x41, 0x48, 0xa8};
    static const struct digest DIGEST = {{0x5c, 0x14, 0x6b, 0x14, 0x3c, 0x52, 0x4a, 0xfd, 0x93,
                                          0x8a, 0x37, 0x5d, 0x0d, 0xf1, 0xfb, 0xf6, 0xfe, 0x12}};
    char text[ID_TEXT_BYTES];
    struct id id = id_v4(RANDOM);
    assert_string_equal(id_to_text(&id, text), "919108f7-52d1-4320-9bac-f847db4148a8");
    assert_int_equal(id_version(&id), 4);
    id = id_v8(&DIGEST);
    assert_string_equal(id_to_text(&id, text), "5c146b14-3c52-8afd-938a-375d0df1fbf6");
    assert_int_equal(id_version(&id), 8);
}

static void another_variant_has_no_version(void **state)
{
    struct id id;
    assert_int_equal(id_from_slice(&id, slice_of(BYTES, ID_BYTES)), ERROR_NONE);
    assert_int_equal(id_version(&id), 7);
    id.bytes[8] = 0x7f;
    assert_int_equal(id_version(&id), 0);
    id.bytes[8] = 0xc0;
    assert_int_equal(id_version(&id), 0);
}

/* A group without framing could be split elsewhere; with it every list has a digest of its own. */
static void framed_digests_tell_lists_apart(void **state)
{
    static const uint8_t FRAMED[] = {0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0,  0,
                                     0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0, 1, 'c'};
    struct slice parts[] = {slice_text("ab"), SLICE_NONE, slice_text("c")};
    struct slice moved[] = {slice_text("a"), slice_text("b"), slice_text("c")};
    struct digest d = digest_of_framed(parts, 3), other = digest_of_framed(moved, 3);
    struct digest expected = digest_of_slice(slice_of(FRAMED, sizeof FRAMED));
    struct slice many[DIGEST_FRAMED_MAX];
    assert_true(digest_equal(&d, &expected));
    assert_false(digest_equal(&d, &other));
    d = digest_of_framed(NULL, 0);
    expected = digest_of_slice(SLICE_NONE);
    assert_true(digest_equal(&d, &expected));
    for (size_t i = 0; i < DIGEST_FRAMED_MAX; i++)
        many[i] = slice_text("m");
    d = digest_of_framed(many, DIGEST_FRAMED_MAX);
    other = digest_of_framed(many, DIGEST_FRAMED_MAX - 1);
    assert_false(digest_equal(&d, &other));
}

static void digests_come_from_32_bytes_only(void **state)
{
    struct digest d = digest_of_slice(slice_text("abc")), back = {{0}}, zero = {{0}};
    assert_int_equal(digest_from_slice(&back, slice_of(d.bytes, 31)), ERROR_BOUND);
    assert_int_equal(digest_from_slice(&back, SLICE_NONE), ERROR_BOUND);
    assert_true(digest_equal(&back, &zero));
    assert_int_equal(digest_from_slice(&back, digest_slice(&d)), ERROR_NONE);
    assert_true(digest_equal(&back, &d));
}

/* SHA-256 of sixteen zero bytes begins 37 47 08 ff: 00110 11101 00011 10000 10001 11111. */
static void spoken_codes_are_the_digest_s_first_30_bits(void **state)
{
    char spoken[ID_SPOKEN_BYTES];
    assert_string_equal(id_to_spoken(&ID_NONE, spoken), "6X3-GHZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_bytes_are_one),
        cmocka_unit_test(other_lengths_are_malformed),
        cmocka_unit_test(other_texts_are_malformed),
        cmocka_unit_test(none_is_all_zero),
        cmocka_unit_test(ids_sort_by_their_bytes),
        cmocka_unit_test(v7_is_that_of_the_rfc),
        cmocka_unit_test(v7_clamps_times_that_do_not_fit),
        cmocka_unit_test(v4_and_v8_are_those_of_the_rfc),
        cmocka_unit_test(another_variant_has_no_version),
        cmocka_unit_test(framed_digests_tell_lists_apart),
        cmocka_unit_test(digests_come_from_32_bytes_only),
        cmocka_unit_test(spoken_codes_are_the_digest_s_first_30_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
