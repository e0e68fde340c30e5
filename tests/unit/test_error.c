/* tests/unit/test_error.c: the error table holds together, and agrees with the wire's Code. */
#include "base/error.h"
#include "brug/v1/wire.pb-c.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const int NUMBERS[] = {
#define NUMBER(name, number, lasting, remembered, after, text) number,
    ERROR_TABLE(NUMBER)
#undef NUMBER
};
#define ROWS (sizeof NUMBERS / sizeof NUMBERS[0])

static void numbers_and_names_are_unique(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = i + 1; k < ROWS; k++) {
            assert_int_not_equal(NUMBERS[i], NUMBERS[k]);
            assert_string_not_equal(error_name((enum error)NUMBERS[i]),
                                    error_name((enum error)NUMBERS[k]));
        }
    }
}

static void columns_come_from_the_row(void **state)
{
    assert_string_equal(error_name(ERROR_QUOTA_FULL), "QUOTA_FULL");
    assert_non_null(strstr(error_text(ERROR_QUOTA_FULL), "try again later"));
    assert_true(error_is_passing(ERROR_QUOTA_FULL));
    assert_false(error_is_remembered(ERROR_QUOTA_FULL));
    assert_false(error_closes(ERROR_QUOTA_FULL));

    assert_false(error_is_passing(ERROR_NO_READER));
    assert_true(error_is_remembered(ERROR_NO_READER));

    assert_true(error_closes(ERROR_FRAME_TOO_LARGE));
    assert_false(error_is_passing(ERROR_FRAME_TOO_LARGE));
}

/* A passing refusal that were remembered could never become an acceptance (I3). */
static void nothing_passing_is_remembered(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        enum error e = (enum error)NUMBERS[i];
        assert_false(error_is_passing(e) && error_is_remembered(e));
        assert_false(error_closes(e) && error_is_remembered(e));
    }
}

static void texts_are_one_clean_line(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        const char *text = error_text((enum error)NUMBERS[i]);
        assert_true(strlen(text) > 0);
        for (const char *c = text; *c; c++)
            assert_true(*c >= 0x20 && *c < 0x7f);
    }
}

static void unknown_numbers_get_careful_answers(void **state)
{
    static const int UNKNOWN[] = {-1, 26, 69, 999, 2000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof UNKNOWN / sizeof UNKNOWN[0]; i++) {
        enum error e = (enum error)UNKNOWN[i];
        assert_string_equal(error_name(e), "UNKNOWN");
        assert_true(strlen(error_text(e)) > 0);
        assert_false(error_is_passing(e));
        assert_false(error_is_remembered(e));
        assert_false(error_closes(e));
        assert_false(error_is_on_wire(UNKNOWN[i]));
    }
}

static void only_rows_under_1000_are_on_the_wire(void **state)
{
    assert_true(error_is_on_wire(ERROR_NONE));
    assert_true(error_is_on_wire(ERROR_LETTER_CONTENT));
    assert_false(error_is_on_wire(ERROR_NO_MEMORY));
    assert_false(error_is_on_wire(ERROR_CONFIRM));
}

static void wire_codes_are_the_rows_under_1000(void **state)
{
    const ProtobufCEnumDescriptor *codes = &brug__v1__code__descriptor;
    unsigned on_wire = 0;
    for (size_t i = 0; i < ROWS; i++)
        on_wire += error_is_on_wire(NUMBERS[i]);
    assert_int_equal(codes->n_values, on_wire);
    for (unsigned i = 0; i < codes->n_values; i++) {
        const ProtobufCEnumValue *code = &codes->values[i];
        assert_true(error_is_on_wire(code->value));
        assert_int_equal(strncmp(code->name, "CODE_", 5), 0);
        assert_string_equal(code->name + 5, error_name((enum error)code->value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_unique),
        cmocka_unit_test(columns_come_from_the_row),
        cmocka_unit_test(nothing_passing_is_remembered),
        cmocka_unit_test(texts_are_one_clean_line),
        cmocka_unit_test(unknown_numbers_get_careful_answers),
        cmocka_unit_test(only_rows_under_1000_are_on_the_wire),
        cmocka_unit_test(wire_codes_are_the_rows_under_1000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
