/* Unit tests of client/cmd/clean: text of others for a terminal, and as a file's name. */
#include "client/cmd/clean.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct row {
    const char *text, *clean;
};

static void check_rows(const struct row *rows, size_t n, bool lines)
{
    for (size_t i = 0; i < n; i++) {
        char out[256];
        clean_text(rows[i].text, lines, out);
        if (strcmp(out, rows[i].clean) != 0)
            fail_msg("row %zu gave '%s'", i, out);
    }
}

static void test_what_steers_a_terminal(void **state)
{
    static const struct row ROWS[] = {
        {"", ""},
        {"Fenna Tjoelker", "Fenna Tjoelker"},
        {"Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x99\x82", "Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x99\x82"},
        {"\x1b[2J\x1b]0;x\x07", "?[2J?]0;x?"},
        {"a\x7f\x08z", "a??z"},
        {"a\xc2\x9b"
         "31mz",
         "a?31mz"},                /* C1: a one-character CSI */
        {"a\xe2\x80\xaez", "a?z"}, /* right-to-left override */
        {"a\xe2\x81\xa6z", "a?z"}, /* isolate */
        {"een\ntwee\tdrie\rvier", "een twee drie vier"},
    };
    check_rows(ROWS, sizeof ROWS / sizeof ROWS[0], false);
}

static void test_bytes_that_are_no_utf8(void **state)
{
    static const struct row ROWS[] = {
        {"\xff"
         "a",
         "?a"},
        {"\xc3", "?"},
        {"\xe2\x82", "??"},
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xed\xa0\x80", "???"},      /* half of a surrogate pair */
        {"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\x80z", "?z"},
    };
    check_rows(ROWS, sizeof ROWS / sizeof ROWS[0], false);
}

static void test_lines_stay_where_they_may(void **state)
{
    static const struct row ROWS[] = {
        {"een\r\ntwee\n\tdrie", "een\ntwee\n\tdrie"},
        {"echt\rvals", "echt?vals"}, /* would write over what stands there */
        {"\x1b"
         "c\n",
         "?c\n"},
    };
    check_rows(ROWS, sizeof ROWS / sizeof ROWS[0], true);
}

static void test_file_names(void **state)
{
    static const struct row ROWS[] = {
        {"verzuim.pdf", "verzuim.pdf"},
        {"brief van Zo\xc3\xab.pdf", "brief van Zo\xc3\xab.pdf"},
        {"../../etc/passwd", "passwd"},
        {"C:\\Users\\x\\a.doc", "a.doc"},
        {".bashrc", "bashrc"},
        {"...", "bijlage"},
        {"", "bijlage"},
        {"/", "bijlage"},
        {"..", "bijlage"},
        {"-rf", "rf"},
        {"a\nb\x1b.pdf", "a b_.pdf"},
        {"a*b?c|d.pdf", "a_b_c_d.pdf"},
        {"a\xe2\x80\xae"
         "fdp.exe",
         "a_fdp.exe"},
        {"slot. ", "slot"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char out[CLEAN_NAME_BYTES];
        clean_file_name(ROWS[i].text, "bijlage", out);
        if (strcmp(out, ROWS[i].clean) != 0)
            fail_msg("'%s' gave '%s'", ROWS[i].text, out);
    }
}

static void test_a_long_name_keeps_its_ending(void **state)
{
    char name[9000], out[CLEAN_NAME_BYTES];
    memset(name, 'x', sizeof name);
    memcpy(name + sizeof name - 5, ".pdf", 5);
    clean_file_name(name, "bijlage", out); /* longer than any system's names */
    assert_int_equal(strlen(out), CLEAN_NAME_BYTES - 1);
    memcpy(name + 300, ".pdf", 5);
    clean_file_name(name, "bijlage", out);
    assert_int_equal(strlen(out), CLEAN_NAME_BYTES - 1);
    assert_string_equal(out + CLEAN_NAME_BYTES - 5, ".pdf");
    for (size_t i = 0; i < 600; i += 2)
        memcpy(name + i, "\xc3\xab", 2);
    memcpy(name + 600, "x.pdf", 6);
    clean_file_name(name, "bijlage", out);
    char clean[CLEAN_NAME_BYTES];
    clean_text(out, false, clean);
    assert_string_equal(clean, out); /* no character was cut in two */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_steers_a_terminal),
        cmocka_unit_test(test_bytes_that_are_no_utf8),
        cmocka_unit_test(test_lines_stay_where_they_may),
        cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_a_long_name_keeps_its_ending),
    };
    return cmocka_run_group_tests_name("client/cmd/clean", tests, NULL, NULL);
}
