/* tests/unit/test_client_texts.c: every code has its number in brug.h and a sentence in both languages; lists; dates. */
#include "base/error.h"
#include "client/letters.h"
#include "include/brug.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BRUG_NONE BRUG_OK

/* Compiles only if brug.h has every row of the table. */
static const struct {
    int public, number;
} NUMBERS[] = {
#define ROW(name, number, lasting, remembered, after, text) {BRUG_##name, number},
    ERROR_TABLE(ROW)
#undef ROW
};

static void test_brug_h_has_the_table(void **state)
{
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++)
        assert_int_equal(NUMBERS[i].public, NUMBERS[i].number);
}

static void test_every_code_has_two_sentences(void **state)
{
    const char *unknown = brug_error_sentence(9999, BRUG_DUTCH);
    const char *unknown_english = brug_error_sentence(9999, BRUG_ENGLISH);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        const char *dutch = brug_error_sentence(NUMBERS[i].number, BRUG_DUTCH);
        const char *english = brug_error_sentence(NUMBERS[i].number, BRUG_ENGLISH);
        if (strcmp(dutch, unknown) == 0 || strcmp(english, unknown_english) == 0 ||
            strcmp(dutch, english) == 0 || dutch[strlen(dutch) - 1] != '.' ||
            english[strlen(english) - 1] != '.')
            fail_msg("code %d", NUMBERS[i].number);
    }
}

static void test_lists_know_their_words(void **state)
{
    for (int list = BRUG_LIST_KIND; list <= BRUG_LIST_ROLE;
         list = list == BRUG_LIST_FIGURE_FORM ? BRUG_LIST_GROUND : list + 1) {
        size_t n = 0;
        for (; brug_list_number((enum brug_list)list, n) >= 0; n++) {
            int number = brug_list_number((enum brug_list)list, n);
            const char *word = brug_list_word((enum brug_list)list, number);
            assert_true(*word);
            assert_int_equal(brug_list_find((enum brug_list)list, word), number);
            assert_true(*brug_list_text((enum brug_list)list, number, BRUG_DUTCH));
        }
        assert_true(n >= 2);
        assert_int_equal(brug_list_find((enum brug_list)list, "no such word"), -1);
        assert_string_equal(brug_list_word((enum brug_list)list, 12345), "");
    }
    assert_int_equal(brug_list_find(BRUG_LIST_REASON, "parenting"), 2);
    assert_string_equal(brug_list_text(BRUG_LIST_KIND, BRUG_KIND_REFERRAL, BRUG_DUTCH),
                        "Verwijzing");
}

static void test_dates(void **state)
{
    assert_int_equal(letters_days_of_date(19700101), 0);
    assert_int_equal(letters_days_of_date(19700102), 1);
    assert_int_equal(letters_days_of_date(20000301), 11017);
    assert_int_equal(letters_days_of_date(20260229), 0);
    assert_int_equal(letters_days_of_date(20261301), 0);
    for (uint32_t days = 1; days < 47482; days++)
        assert_int_equal(letters_days_of_date(letters_date_of_days(days)), days);
    assert_int_equal(letters_date_of_ms(INT64_C(1795388399000)), 20261122);
    assert_int_equal(letters_date_of_ms(INT64_C(1795388400000)), 20261123); /* midnight here */
    assert_int_equal(letters_date_of_ms(INT64_C(1782856800000)), 20260701); /* and in summer */
    assert_int_equal(letters_date_of_ms(INT64_C(1782856799999)), 20260630);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brug_h_has_the_table),
        cmocka_unit_test(test_every_code_has_two_sentences),
        cmocka_unit_test(test_lists_know_their_words),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests_name("client_texts", tests, NULL, NULL);
}
