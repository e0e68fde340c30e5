/* Unit tests of client/cmd/typed: dates, moments, youth files and other typed words. */
#include "client/cmd/typed.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_dates(void **state)
{
    static const struct {
        const char *text;
        uint32_t date; /* 0: refused */
    } ROWS[] = {
        {"2013-04-17", 20130417},
        {"17-04-2013", 20130417},
        {"17/4/2013", 20130417},
        {"1.1.2020", 20200101},
        {"2024-02-29", 20240229},
        {"29-02-2023", 0},
        {"2000-02-29", 20000229},
        {"1900-02-29", 0},
        {"31-04-2020", 0},
        {"2020-13-01", 0},
        {"2020-00-10", 0},
        {"2020-10-00", 0},
        {"13-04-17", 0},
        {"17-04-13", 0},
        {"2013-04", 0},
        {"2013-04-17x", 0},
        {" 2013-04-17", 0},
        {"2013/04-17", 0},
        {"", 0},
        {"20130417", 0},
        {"99999-01-01", 0},
        {"1899-12-31", 0},
        {"2013-004-17", 0},
        {"2013-04-017", 0},
        {"2013--04-17", 0},
        {"-2013-04-17", 0},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        uint32_t date = 7;
        bool is_date = typed_date(ROWS[i].text, &date);
        if (is_date != (ROWS[i].date != 0) || date != (is_date ? ROWS[i].date : 7))
            fail_msg("'%s' gave %u", ROWS[i].text, date);
    }
}

static void test_ages(void **state)
{
    assert_int_equal(typed_age(20080417, 20260416), 17);
    assert_int_equal(typed_age(20080417, 20260417), 18);
    assert_int_equal(typed_age(20080229, 20260228), 17);
    assert_int_equal(typed_age(20080229, 20260301), 18);
    assert_int_equal(typed_age(20260417, 20260417), 0);
    assert_int_equal(typed_age(20270101, 20260417), 0);
}

static void test_bsn(void **state)
{
    assert_true(typed_bsn("111222333"));
    assert_false(typed_bsn("111222334"));
    assert_false(typed_bsn("11122233"));
    assert_false(typed_bsn("1112223330"));
    assert_false(typed_bsn("111 222 333"));
    assert_false(typed_bsn("11122233x"));
    assert_false(typed_bsn(""));
}

static void test_moments(void **state)
{
    struct brug_moment m;
    assert_true(typed_moment("first-conversation", &m));
    assert_int_equal(m.event, BRUG_MOMENT_FIRST_CONVERSATION);
    assert_true(typed_moment("waiting-list", &m));
    assert_int_equal(m.event, BRUG_MOMENT_WAITING_LIST);
    assert_true(typed_moment("change-of-director", &m));
    assert_int_equal(m.event, BRUG_MOMENT_CHANGE_OF_DIRECTOR);
    assert_true(typed_moment("date:31-12-2026", &m));
    assert_int_equal(m.event, BRUG_MOMENT_DATE);
    assert_int_equal(m.date, 20261231);
    assert_true(typed_moment("after:99", &m));
    assert_int_equal(m.event, BRUG_MOMENT_AFTER_CONVERSATIONS);
    assert_int_equal(m.conversations, 99);
    static const char *const WRONG[] = {
        "",          "date:",    "date:soon", "after:",      "after:0",
        "after:100", "after:-1", "after:3x",  "waiting-lis", "start"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        if (typed_moment(WRONG[i], &m))
            fail_msg("'%s' was taken", WRONG[i]);
    assert_int_equal(m.conversations, 99); /* untouched */
}

static void test_relays(void **state)
{
    char host[16] = "";
    unsigned port = 0;
    assert_true(typed_relay("127.0.0.1:7443", host, sizeof host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 7443);
    assert_true(typed_relay("[::1]:1", host, sizeof host, &port));
    assert_string_equal(host, "::1");
    static const char *const WRONG[] = {"",         "relay",
                                        ":7443",    "relay:",
                                        "relay:0",  "relay:65536",
                                        "::1:7443", "relay:74x",
                                        "[]:7443",  "a-name-too-long-for-here:7443"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        if (typed_relay(WRONG[i], host, sizeof host, &port))
            fail_msg("'%s' was taken", WRONG[i]);
}

static void test_numbers(void **state)
{
    uint32_t n = 0;
    assert_true(typed_number("0", 10, &n));
    assert_true(typed_number("10", 10, &n));
    assert_int_equal(n, 10);
    assert_false(typed_number("11", 10, &n));
    assert_false(typed_number("", 10, &n));
    assert_false(typed_number("-1", 10, &n));
    assert_false(typed_number("1s", 10, &n));
    assert_false(typed_number("99999999999999999999", UINT32_MAX, &n));
}

/* [R05] [R06] */
static void test_reasons_that_are_not_referred(void **state)
{
    assert_int_equal(typed_reason("ernstig"), TYPED_SERIOUS);
    assert_int_equal(typed_reason("SERIOUS"), TYPED_SERIOUS);
    assert_int_equal(typed_reason("crisis"), TYPED_SERIOUS);
    assert_int_equal(typed_reason("specialist"), TYPED_SPECIALIST);
    assert_int_equal(typed_reason("2e-lijn"), TYPED_SPECIALIST);
    assert_int_equal(typed_reason("specialistische hulp"), TYPED_SPECIALIST);
    for (size_t i = 0; brug_list_number(BRUG_LIST_REASON, i) >= 0; i++) {
        int number = brug_list_number(BRUG_LIST_REASON, i);
        assert_int_equal(typed_reason(brug_list_word(BRUG_LIST_REASON, number)), TYPED_ALLOWED);
        assert_int_equal(typed_reason(brug_list_text(BRUG_LIST_REASON, number, BRUG_DUTCH)),
                         TYPED_ALLOWED);
    }
}

static void test_a_youth_file(void **state)
{
    char text[] = "# van de praktijk\r\n\r\nnaam: Fenna: Tjoelker \r\nGEBOREN:17-04-2013\r\n"
                  "bsn: 111222333\ntelefoon: 0570-000111\ntelephone: 06-1\nadres: Kastanjehof 12";
    struct brug_youth y;
    size_t line = 0;
    assert_int_equal(typed_youth(text, &y, &line), TYPED_YOUTH_FINE);
    assert_string_equal(y.name, "Fenna: Tjoelker");
    assert_int_equal(y.born, 20130417);
    assert_string_equal(y.bsn, "111222333");
    assert_string_equal(y.telephones[0], "0570-000111");
    assert_string_equal(y.telephones[1], "06-1");
    assert_null(y.telephones[2]);
    assert_string_equal(y.address, "Kastanjehof 12");
}

static void test_faults_of_a_youth_file(void **state)
{
    static const struct {
        const char *text;
        enum typed_youth_fault fault;
        size_t line;
    } ROWS[] = {
        {"naam: A\n\nFenna", TYPED_YOUTH_NO_COLON, 3},
        {"name: A\nhobby: zingen", TYPED_YOUTH_UNKNOWN_KEY, 2},
        {"name: A\nnaam: B", TYPED_YOUTH_TWICE, 2},
        {"born: 2013-04-17\ngeboren: 2013-04-17", TYPED_YOUTH_TWICE, 2},
        {"geboren: 2013-02-30", TYPED_YOUTH_DATE, 1},
        {"telefoon: 1\ntelefoon: 2\ntelefoon: 3\ntelefoon: 4\ntelefoon: 5", TYPED_YOUTH_TOO_MANY,
         5},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[256];
        struct brug_youth y = {.born = 7};
        size_t line = 0;
        memcpy(text, ROWS[i].text, strlen(ROWS[i].text) + 1);
        assert_int_equal(typed_youth(text, &y, &line), ROWS[i].fault);
        assert_int_equal(line, ROWS[i].line);
        assert_int_equal(y.born, 7); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_bsn),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_relays),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_reasons_that_are_not_referred),
        cmocka_unit_test(test_a_youth_file),
        cmocka_unit_test(test_faults_of_a_youth_file),
    };
    return cmocka_run_group_tests_name("client/cmd/typed", tests, NULL, NULL);
}
