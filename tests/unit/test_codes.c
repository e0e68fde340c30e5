/* Unit tests of rules/codes: every code of the wire has a row, and the Dutch that people agreed on. */
#include "base/text.h"
#include "rules/codes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    enum code_list list;
    const ProtobufCEnumDescriptor *wire;
} LISTS[] = {
    {CODE_LIST_KIND, &brug__v1__kind__descriptor},
    {CODE_LIST_REASON, &brug__v1__reason__descriptor},
    {CODE_LIST_REQUEST_TYPE, &brug__v1__request_type__descriptor},
    {CODE_LIST_MOMENT_EVENT, &brug__v1__moment_event__descriptor},
    {CODE_LIST_DECLINE_REASON, &brug__v1__decline_reason__descriptor},
    {CODE_LIST_STOP_REASON, &brug__v1__stop_reason__descriptor},
    {CODE_LIST_INVOLVEMENT, &brug__v1__involvement__descriptor},
    {CODE_LIST_OUTCOME, &brug__v1__outcome__descriptor},
    {CODE_LIST_DECISION, &brug__v1__decision__descriptor},
    {CODE_LIST_BRIDGING_CARRIER, &brug__v1__bridging_carrier__descriptor},
    {CODE_LIST_CASE_STATE, &brug__v1__case_state__descriptor},
    {CODE_LIST_SIDE, &brug__v1__side__descriptor},
    {CODE_LIST_OWED_KIND, &brug__v1__owed_kind__descriptor},
    {CODE_LIST_FIGURE_PERIOD, &brug__v1__figure_period__descriptor},
    {CODE_LIST_FIGURE_MEASURE, &brug__v1__figure_measure__descriptor},
    {CODE_LIST_FIGURE_FORM, &brug__v1__figure_form__descriptor},
};
#define LIST_COUNT (sizeof LISTS / sizeof LISTS[0])

static void test_every_code_of_the_wire_has_one_row(void **state)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        size_t n = 0;
        const struct code_row *rows = codes_rows(LISTS[i].list, &n);
        assert_non_null(rows);
        assert_int_equal(n, LISTS[i].wire->n_values - 1); /* all but 0 */
        for (size_t j = 0; j < n; j++)
            assert_int_equal(rows[j].list, LISTS[i].list);
        for (unsigned j = 0; j < LISTS[i].wire->n_values; j++) {
            int number = LISTS[i].wire->values[j].value;
            const struct code_row *row = codes_find(LISTS[i].list, number);
            if (number == 0)
                assert_null(row);
            else
                assert_non_null(row);
        }
    }
}

/* The word is the wire's name without its list, in lower case with '-'. */
static void test_words_are_the_names_of_the_wire(void **state)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        size_t n = 0;
        const struct code_row *rows = codes_rows(LISTS[i].list, &n);
        for (size_t j = 0; j < n; j++) {
            const ProtobufCEnumValue *v =
                protobuf_c_enum_descriptor_get_value(LISTS[i].wire, rows[j].number);
            size_t skip = strlen(v->name) - strlen(rows[j].word);
            for (const char *w = rows[j].word, *name = v->name + skip; *w; w++, name++)
                assert_true(*w == '-' ? *name == '_' : *w == (*name | ((*name >= 'A') << 5)));
            assert_ptr_equal(codes_find_word(LISTS[i].list, rows[j].word), &rows[j]);
        }
    }
    assert_null(codes_find_word(CODE_LIST_REASON, "serious"));
    assert_null(codes_find_word(CODE_LIST_REASON, ""));
}

static void test_texts_are_clean_and_differ(void **state)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        size_t n = 0;
        const struct code_row *rows = codes_rows(LISTS[i].list, &n);
        for (size_t j = 0; j < n; j++) {
            assert_true(rows[j].dutch[0] && text_is_clean(slice_text(rows[j].dutch), false));
            assert_true(rows[j].english[0] && text_is_clean(slice_text(rows[j].english), false));
            for (size_t k = 0; k < j; k++)
                assert_string_not_equal(rows[j].dutch, rows[k].dutch);
        }
    }
}

static void test_agreed_dutch(void **state)
{
    assert_string_equal(codes_text(CODE_LIST_REASON, 1, LANGUAGE_DUTCH),
                        "Lichte of matige psychische klachten");
    assert_string_equal(codes_text(CODE_LIST_REQUEST_TYPE, 3, LANGUAGE_DUTCH),
                        "Korte hulp dichtbij");
    assert_string_equal(codes_text(CODE_LIST_OUTCOME, 10, LANGUAGE_DUTCH),
                        "Beëindigd, huisarts niet akkoord");
    assert_string_equal(codes_text(CODE_LIST_STOP_REASON, 2, LANGUAGE_ENGLISH),
                        "The youth or the parents do not want to go on");
}

static void test_t23_no_request_code_for_what_is_not_referred_here(void **state)
{
    size_t n = 0;
    (void)codes_rows(CODE_LIST_REASON, &n);       /* only the number is asked */
    assert_int_equal(n, 4);                       /* [R04] */
    (void)codes_rows(CODE_LIST_REQUEST_TYPE, &n); /* only the number is asked */
    assert_int_equal(n, 4);                       /* [R11] */
    assert_null(codes_find_word(CODE_LIST_REASON, "too-serious"));
    assert_null(codes_find_word(CODE_LIST_REQUEST_TYPE, "specialist-care"));
    assert_non_null(codes_find_word(CODE_LIST_DECLINE_REASON, "too-serious"));
}

static void test_unknown_numbers_have_a_text(void **state)
{
    assert_string_equal(codes_text(CODE_LIST_KIND, 40, LANGUAGE_DUTCH), "Onbekend");
    assert_string_equal(codes_text(CODE_LIST_KIND, -1, LANGUAGE_ENGLISH), "Unknown");
    assert_null(codes_find(CODE_LIST_KIND, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_of_the_wire_has_one_row),
        cmocka_unit_test(test_words_are_the_names_of_the_wire),
        cmocka_unit_test(test_texts_are_clean_and_differ),
        cmocka_unit_test(test_agreed_dutch),
        cmocka_unit_test(test_t23_no_request_code_for_what_is_not_referred_here),
        cmocka_unit_test(test_unknown_numbers_have_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
