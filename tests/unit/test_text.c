/* tests/unit/test_text.c: checks and encodings of text from outside. */
#include "base/text.h"
#include "tests/lib/failing_memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static bool clean(const char *text) { return text_is_clean(slice_text(text), false); }

static bool clean_lines(const char *text) { return text_is_clean(slice_text(text), true); }

static void utf8_that_is_well_formed_is_clean(void **state)
{
    assert_true(clean(""));
    assert_true(clean("Huisartsenpraktijk De Brug, \xc3\xa9\xc3\xa9n"));
    assert_true(clean("\xc2\xa0"));         /* U+00A0, the first after the C1 controls */
    assert_true(clean("\xdf\xbf"));         /* U+07FF */
    assert_true(clean("\xe0\xa0\x80"));     /* U+0800 */
    assert_true(clean("\xed\x9f\xbf"));     /* U+D7FF */
    assert_true(clean("\xee\x80\x80"));     /* U+E000 */
    assert_true(clean("\xf0\x90\x80\x80")); /* U+10000 */
    assert_true(clean("\xf4\x8f\xbf\xbf")); /* U+10FFFF */
}

static void utf8_that_is_malformed_is_not_clean(void **state)
{
    static const char *const TEXTS[] = {
        "\x80",
        "a\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xc3(",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        assert_false(clean(TEXTS[i]));
        assert_false(clean_lines(TEXTS[i]));
    }
}

static void controls_are_not_clean(void **state)
{
    for (unsigned c = 0; c < 0x20; c++) {
        uint8_t byte = (uint8_t)c;
        bool breaks = c == '\n' || c == '\r' || c == '\t';
        assert_false(text_is_clean(slice_of(&byte, 1), false));
        assert_int_equal(text_is_clean(slice_of(&byte, 1), true), breaks);
    }
    assert_false(clean_lines("\x7f"));
    assert_false(clean_lines("\xc2\x80"));
    assert_false(clean_lines("\xc2\x85"));
    assert_false(clean_lines("\xc2\x9f"));
    assert_false(text_is_clean(slice_of("a\0b", 3), true));
}

static void bidirectional_overrides_are_not_clean(void **state)
{
    assert_false(clean("\xe2\x80\xaa"));
    assert_false(clean("letter\xe2\x80\xae"
                       "fdp.exe"));
    assert_false(clean("\xe2\x81\xa6"));
    assert_false(clean("\xe2\x81\xa9"));
    assert_true(clean("\xe2\x80\xaf\xe2\x81\xaa")); /* their neighbours */
}

static bool bsn(const char *text) { return text_has_bsn(slice_text(text)); }

static void a_bsn_is_found(void **state)
{
    assert_true(bsn("123456782"));
    assert_true(bsn("111222333"));
    assert_true(bsn("BSN 123456782."));
    assert_true(bsn("a123456782b"));
    assert_true(bsn("1 123456782"));
    assert_true(bsn("1234.56.782"));
    assert_true(bsn("bsn: 123 456 782, geboren"));
    assert_true(bsn("000000012 is followed by 123456782"));
}

static void other_digits_are_no_bsn(void **state)
{
    assert_false(bsn(""));
    assert_false(bsn("123456789")); /* fails the test */
    assert_false(bsn("123456783"));
    assert_false(bsn("000000000"));
    assert_false(bsn("12345678"));
    assert_false(bsn("1123456782"));
    assert_false(bsn("1234567820"));
    assert_false(bsn("00000001234567820000")); /* an OIN */
    assert_false(bsn("12345-6782"));
    assert_false(bsn("123456 782 1"));
    assert_false(bsn("123456  782"));
    assert_false(bsn("12345678"
                     "\xe2\x82\x82")); /* a subscript two is no digit */
}

static void hex_comes_back(void **state)
{
    static const uint8_t BYTES[] = {0x00, 0x7f, 0x80, 0xff, 0xab};
    char text[2 * sizeof BYTES + 1];
    struct buf b;
    buf_init(&b, sizeof BYTES);
    assert_string_equal(text_hex(slice_of(BYTES, sizeof BYTES), text), "007f80ffab");
    assert_int_equal(text_from_hex(&b, "007f80FFaB"), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&b), slice_of(BYTES, sizeof BYTES)));
    assert_int_equal(text_from_hex(&b, "00"), ERROR_BOUND);
    assert_int_equal(text_from_hex(&b, ""), ERROR_NONE);
    buf_clear(&b);
    assert_int_equal(text_from_hex(&b, "0"), ERROR_USAGE);
    assert_int_equal(text_from_hex(&b, "00 1"), ERROR_USAGE);
    assert_int_equal(text_from_hex(&b, "000g"), ERROR_USAGE);
    assert_int_equal(b.len, 0);
    assert_string_equal(text_hex(SLICE_NONE, text), "");
    buf_fini(&b);
}

/* The vectors of RFC 4648, section 10. */
static void base64_is_that_of_the_rfc(void **state)
{
    static const char *const PAIRS[][2] = {
        {"", ""},
        {"f", "Zg==\n"},
        {"fo", "Zm8=\n"},
        {"foo", "Zm9v\n"},
        {"foob", "Zm9vYg==\n"},
        {"fooba", "Zm9vYmE=\n"},
        {"foobar", "Zm9vYmFy\n"},
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_int_equal(text_base64(&b, slice_text(PAIRS[i][0])), ERROR_NONE);
        assert_true(slice_equal(buf_slice(&b), slice_text(PAIRS[i][1])));
        buf_clear(&b);
        assert_int_equal(text_from_base64(&b, slice_text(PAIRS[i][1])), ERROR_NONE);
        assert_true(slice_equal(buf_slice(&b), slice_text(PAIRS[i][0])));
        buf_fini(&b);
    }
}

static void base64_has_lines_of_64(void **state)
{
    for (size_t len = 46; len <= 98; len++) {
        uint8_t bytes[98];
        struct buf text, back;
        buf_init(&text, 1000);
        buf_init(&back, 1000);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 37 + len);
        assert_int_equal(text_base64(&text, slice_of(bytes, len)), ERROR_NONE);
        size_t chars = (len + 2) / 3 * 4;
        assert_int_equal(text.len, chars + (chars + 63) / 64);
        assert_int_equal(text.data[text.len - 1], '\n');
        if (chars > 64)
            assert_int_equal(text.data[64], '\n');
        assert_int_equal(text_from_base64(&back, buf_slice(&text)), ERROR_NONE);
        assert_true(slice_equal(buf_slice(&back), slice_of(bytes, len)));
        buf_fini(&text);
        buf_fini(&back);
    }
}

static void bad_base64_is_refused(void **state)
{
    static const char *const TEXTS[] = {
        "Z",    "Zg",       "Zg=",     "Zg=a",     "Zh==",  "Zm9=", "====", "Z===",
        "=Zg=", "Zg==Zg==", "Zg==\n=", "Zg======", "Zm9v!", "Zm9-", "Zm9_",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_int_equal(buf_append(&b, "kept", 4), ERROR_NONE);
        assert_int_equal(text_from_base64(&b, slice_text(TEXTS[i])), ERROR_USAGE);
        assert_true(slice_equal(buf_slice(&b), slice_text("kept")));
        buf_fini(&b);
    }
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(text_from_base64(&b, slice_of("Zm9v\0", 5)), ERROR_USAGE);
    assert_int_equal(text_from_base64(&b, slice_text(" Z m\t9\r\nv\n")), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&b), slice_text("foo")));
    buf_fini(&b);
}

static void armour_comes_back_from_inside_a_mail(void **state)
{
    static const char MAIL[] = "Beste,\r\n\r\n-----BEGIN BRUG REQUEST-----\r\nZm9v\r\nYmFy\r\n"
                               "-----END BRUG REQUEST-----\r\n\r\nGroet\r\n";
    struct buf text, back;
    buf_init(&text, 1000);
    buf_init(&back, 1000);
    assert_int_equal(text_armour(&text, "REQUEST", slice_text("foobar")), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&text), slice_text("-----BEGIN BRUG REQUEST-----\nZm9vYmFy\n"
                                                         "-----END BRUG REQUEST-----\n")));
    assert_int_equal(text_from_armour(&back, "REQUEST", buf_slice(&text)), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&back), slice_text("foobar")));
    buf_clear(&back);
    assert_int_equal(text_from_armour(&back, "REQUEST", slice_text(MAIL)), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&back), slice_text("foobar")));
    assert_int_equal(text_from_armour(&back, "ANSWER", buf_slice(&text)), ERROR_USAGE);
    for (size_t cut = 0; cut + 1 < text.len; cut++)
        assert_int_equal(text_from_armour(&back, "REQUEST", slice_of(text.data, cut)), ERROR_USAGE);
    assert_int_equal(text_from_armour(&back, "REQUEST", SLICE_NONE), ERROR_USAGE);
    assert_int_equal(back.len, 6);
    buf_fini(&text);
    buf_fini(&back);
}

static void spoken_codes_are_crockford_base32(void **state)
{
    static const uint8_t BYTES[] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0xff, 0xff};
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(text_spoken(&b, slice_of(BYTES, 5), 8), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&b), slice_text("0123-4567")));
    buf_clear(&b);
    assert_int_equal(text_spoken(&b, slice_of(BYTES + 5, 2), 3), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&b), slice_text("ZZZ")));
    buf_clear(&b);
    assert_int_equal(text_spoken(&b, slice_of(BYTES, 5), 9), ERROR_BOUND);
    assert_int_equal(text_spoken(&b, slice_of(BYTES, 2), 4), ERROR_BOUND);
    assert_int_equal(text_spoken(&b, slice_of(BYTES, 5), ~0U), ERROR_BOUND);
    assert_int_equal(text_spoken(&b, SLICE_NONE, 0), ERROR_NONE);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

/* Each function that appends, at each bound that is too small and at each allocation that fails. */
static enum error append_with(int which, struct buf *b)
{
    uint8_t bytes[90];
    memset(bytes, 'x', sizeof bytes);
    switch (which) {
    case 0:
        return text_base64(b, slice_of(bytes, sizeof bytes));
    case 1:
        return text_from_base64(b, slice_text("Zm9vYmFyZm9vYmFyZm9vYmFy"));
    case 2:
        return text_armour(b, "REQUEST", slice_of(bytes, sizeof bytes));
    case 3:
        return text_from_hex(b, "00112233445566778899");
    case 4:
        return text_spoken(b, slice_of(bytes, sizeof bytes), 40);
    default:
        return text_from_armour(b, "A",
                                slice_text("-----BEGIN BRUG A-----Zm9v-----END BRUG A-----"));
    }
}

static void failing_appends_change_nothing(void **state)
{
    for (int which = 0; which < 6; which++) {
        size_t len_max = 4;
        enum error e;
        do {
            struct buf b;
            buf_init(&b, len_max++);
            assert_int_equal(buf_append(&b, "kept", 4), ERROR_NONE);
            e = append_with(which, &b);
            if (e)
                assert_true(slice_equal(buf_slice(&b), slice_text("kept")));
            assert_true(e == ERROR_NONE || e == ERROR_BOUND);
            buf_fini(&b);
        } while (e);
        for (unsigned n = 1;; n++) {
            struct buf b;
            buf_init(&b, 1000);
            failing_memory_at(n);
            e = append_with(which, &b);
            bool failed = failing_memory_happened();
            failing_memory_at(0);
            assert_int_equal(e, failed ? ERROR_NO_MEMORY : ERROR_NONE);
            if (failed)
                assert_int_equal(b.len, 0);
            buf_fini(&b);
            if (!failed)
                break;
        }
    }
}

static void a_csv_cell_is_text(void **state)
{
    static const char *const cells[][2] = {{"Team Noord", "\"Team Noord\""},
                                           {"", "\"\""},
                                           {"a,b \"c\"", "\"a,b \"\"c\"\"\""},
                                           {"=1+1", "\"'=1+1\""},
                                           {"@a", "\"'@a\""},
                                           {"a=b", "\"a=b\""}};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        char out[64] = "";
        FILE *f = fmemopen(out, sizeof out, "w");
        assert_non_null(f);
        text_print_csv(f, cells[i][0]);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(out, cells[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_that_is_well_formed_is_clean),
        cmocka_unit_test(utf8_that_is_malformed_is_not_clean),
        cmocka_unit_test(controls_are_not_clean),
        cmocka_unit_test(bidirectional_overrides_are_not_clean),
        cmocka_unit_test(a_bsn_is_found),
        cmocka_unit_test(other_digits_are_no_bsn),
        cmocka_unit_test(hex_comes_back),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(base64_has_lines_of_64),
        cmocka_unit_test(bad_base64_is_refused),
        cmocka_unit_test(armour_comes_back_from_inside_a_mail),
        cmocka_unit_test(spoken_codes_are_crockford_base32),
        cmocka_unit_test(a_csv_cell_is_text),
        cmocka_unit_test(failing_appends_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
