/* Unit tests of rules/disclosure: which form a total takes beside what was published, and when a breakdown is shown. */
#include "rules/disclosure.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name
#define POINTS_MAX 8u
#define TABLES_MAX 8u

/* A team whose year is told in tables, one after the other. */
struct telling {
    struct disclosure_point points[POINTS_MAX];
    size_t point_count;
    struct disclosure_table tables[TABLES_MAX];
    size_t table_count;
};

/* A team that has had many cases, whose year begins at point 1. */
#define BUSY \
    { \
        .points = {{0, 0, 0}, {100, 50, 100}}, .point_count = 2 \
    }

/* So many between two points, after what came before. */
static void then(struct telling *t, uint32_t referred, uint32_t ended)
{
    struct disclosure_point before = {0};
    if (t->point_count == 0)
        t->points[t->point_count++] = before;
    before = t->points[t->point_count - 1];
    before.referred += referred;
    before.ended += ended;
    before.consulted += referred;
    t->points[t->point_count++] = before;
}

static const struct disclosure_table *tell(struct telling *t, size_t from, size_t until)
{
    struct arena *arena = arena_new();
    struct disclosure_table *next = &t->tables[t->table_count];
    assert_non_null(arena);
    arena_reset(arena, SIZE_MAX);
    *next = (struct disclosure_table){.from = from, .until = until};
    assert_int_equal(
        disclosure_judge(arena, t->points, t->point_count, t->tables, t->table_count, next),
        ERROR_NONE);
    t->table_count++;
    arena_free(arena);
    return next;
}

/* Four quarters, told one by one; then the year. */
static const struct disclosure_table *tell_year(struct telling *t, const uint32_t quarters[4])
{
    for (size_t i = 0; i < 4; i++)
        then(t, quarters[i], 6);
    for (size_t i = 0; i < 4; i++)
        (void)tell(t, i + 1, i + 2);
    return tell(t, 1, 5);
}

static void assert_total(struct disclosure_total t, Brug__V1__FigureForm form, uint32_t number)
{
    assert_int_equal(t.form, form);
    assert_int_equal(t.number, number);
}

static void test_exact_from_5_up(void **state)
{
    struct telling t = BUSY;
    then(&t, 5, 6);
    then(&t, 4, 5);
    then(&t, 0, 4);
    assert_total(tell(&t, 1, 2)->referred, FORM(EXACT), 5);
    assert_total(tell(&t, 2, 3)->referred, FORM(UNDER_5), 0);
    assert_total(tell(&t, 3, 4)->referred, FORM(UNDER_5), 0);
    assert_total(t.tables[0].consulted, FORM(EXACT), 5);
    assert_total(t.tables[0].ended, FORM(EXACT), 6);
    assert_total(t.tables[0].open, FORM(EXACT), 49);
    assert_total(t.tables[1].ended, FORM(EXACT), 5);
    assert_total(t.tables[2].ended, FORM(UNDER_5), 0);
}

/* Three quarters exact and the year would tell the fourth. */
static void test_a_year_does_not_tell_a_quarter(void **state)
{
    struct telling t = BUSY;
    const struct disclosure_table *year = tell_year(&t, (const uint32_t[]){12, 9, 3, 8});
    assert_total(year->consulted, FORM(ROUNDED), 30);
    assert_true(year->referred.form != FORM(EXACT)); /* what is open tells of it too */
    assert_total(t.tables[2].referred, FORM(UNDER_5), 0);
}

/* Rounded to 30 it is 28 at least; without the small quarter it is 28: that would be 0, alone of all. */
static void test_rounding_is_withheld_where_it_tells(void **state)
{
    struct telling t = BUSY;
    assert_total(tell_year(&t, (const uint32_t[]){12, 9, 0, 11})->referred, FORM(WITHHELD), 0);
}

static void test_two_small_quarters_leave_each_other_open(void **state)
{
    struct telling t = BUSY;
    assert_total(tell_year(&t, (const uint32_t[]){12, 3, 3, 8})->referred, FORM(EXACT), 26);
}

/* Their sum is a count under 5 as well: of half a year. */
static void test_what_two_small_quarters_have_together_stays_open(void **state)
{
    struct telling t = BUSY;
    assert_true(tell_year(&t, (const uint32_t[]){12, 2, 1, 8})->referred.form != FORM(EXACT));
}

static void test_six_weeks_do_not_tell_the_last_two(void **state)
{
    struct telling t = BUSY;
    then(&t, 8, 6);
    then(&t, 4, 6);
    assert_total(tell(&t, 1, 2)->referred, FORM(EXACT), 8);
    assert_total(tell(&t, 1, 3)->referred, FORM(ROUNDED), 10);
}

static void test_a_sum_of_exact_ones_is_exact(void **state)
{
    struct telling t = BUSY;
    assert_total(tell_year(&t, (const uint32_t[]){5, 5, 5, 5})->referred, FORM(EXACT), 20);
    assert_total(t.tables[4].ended, FORM(EXACT), 24);
}

/* In, and what is open before and after, would tell out. */
static void test_what_is_open_does_not_tell_what_ended(void **state)
{
    struct telling t = BUSY;
    then(&t, 20, 8);
    then(&t, 9, 2);
    assert_total(tell(&t, 1, 2)->open, FORM(EXACT), 62);
    (void)tell(&t, 2, 3);
    assert_total(t.tables[1].referred, FORM(EXACT), 9);
    assert_total(t.tables[1].ended, FORM(UNDER_5), 0);
    assert_total(t.tables[1].open, FORM(ROUNDED), 70);
}

/* That nothing was open before the first referral is a count under 5 as well. */
static void test_the_first_table_does_not_tell_what_was_before(void **state)
{
    struct telling t = {.point_count = 0};
    then(&t, 20, 8);
    assert_total(tell(&t, 0, 1)->referred, FORM(EXACT), 20);
    assert_total(t.tables[0].ended, FORM(EXACT), 8);
    assert_total(t.tables[0].open, FORM(WITHHELD), 0);
}

/* Nobody ended before the first referral: with in and open, out would be known in the first period too. */
static void test_the_beginning_is_known(void **state)
{
    struct telling t = {.point_count = 0};
    then(&t, 12, 3);
    (void)tell(&t, 0, 1);
    assert_total(t.tables[0].referred, FORM(EXACT), 12);
    assert_total(t.tables[0].ended, FORM(UNDER_5), 0);
    assert_total(t.tables[0].open, FORM(ROUNDED), 10);
}

/* Rounded to 25 the year is 27 at most, and the other quarters are 26: the first has 1, for who knows that there was one. */
static void test_that_there_was_a_first_is_known(void **state)
{
    const uint32_t quarters[4] = {1, 9, 9, 8};
    struct telling t = {.point_count = 0}, busy = BUSY;
    for (size_t i = 0; i < 4; i++) {
        then(&t, quarters[i], 0);
        (void)tell(&t, i, i + 1);
    }
    assert_total(tell(&t, 0, 4)->consulted, FORM(WITHHELD), 0);
    assert_total(tell_year(&busy, quarters)->consulted, FORM(ROUNDED), 25);
}

static bool may(Brug__V1__FigureForm form, const uint32_t *cells, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += cells[i];
    struct disclosure_total total = {form, form == FORM(ROUNDED) ? disclosure_round(sum) : sum};
    return disclosure_may_round(cells, n, total);
}

#define MAY(form, ...) \
    may(FORM(form), (const uint32_t[]){__VA_ARGS__}, \
        sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static void test_breakdowns(void **state)
{
    assert_int_equal(disclosure_round(2), 0);
    assert_int_equal(disclosure_round(3), 5);
    assert_int_equal(disclosure_round(7), 5);
    assert_int_equal(disclosure_round(8), 10);
    assert_false(MAY(EXACT, 3, 3));       /* two roundings to 5 of 6 in all */
    assert_false(MAY(EXACT, 2, 2, 2));    /* all at the greatest that 0 stands for */
    assert_false(MAY(EXACT, 4, 0, 0, 0)); /* less than 5 in all */
    assert_true(MAY(EXACT, 4, 3));
    assert_true(MAY(EXACT, 4, 1, 0, 0));
    assert_true(MAY(EXACT, 9, 1));
    assert_true(MAY(EXACT, 6));
    assert_false(MAY(EXACT, 4));
    assert_true(MAY(ROUNDED, 4, 3, 0, 1)); /* 6 to 17: no more than 8 to 12 */
    assert_false(MAY(ROUNDED, 4, 4, 3));   /* 9 at least: more than 8 to 12 */
    assert_true(MAY(ROUNDED, 2, 2, 1, 1)); /* 0 to 8: no more than 3 to 7 */
    assert_false(MAY(ROUNDED, 2, 2, 4));   /* 3 to 11, but 8 to 12 */
    assert_false(MAY(WITHHELD, 9, 4, 3));
}

/* Two cells in each quarter of a year whose quarters were shown: may the year be shown too? */
static bool may_year(const uint32_t quarters[4][2])
{
    static const struct disclosure_span spans[] = {{0, 4}, {0, 1}, {1, 2}, {2, 3}, {3, 4}};
    return disclosure_stays_open(quarters[0], 2, spans, 5);
}

static void test_breakdowns_that_overlap(void **state)
{
    const struct disclosure_span halves[] = {{0, 1}, {1, 2}};
    /* 0, 0, 0, 0 and 10: each of the quarters has the most that 0 stands for */
    assert_false(may_year((const uint32_t[4][2]){{2, 10}, {2, 10}, {2, 10}, {2, 10}}));
    assert_true(may_year((const uint32_t[4][2]){{2, 10}, {2, 10}, {2, 10}, {1, 10}}));
    assert_true(may_year((const uint32_t[4][2]){{1, 10}, {1, 10}, {1, 10}, {1, 10}}));
    /* the other cell cannot take: 12, 12, 12 and 12 are 10 each */
    assert_false(may_year((const uint32_t[4][2]){{1, 12}, {1, 12}, {1, 12}, {1, 12}}));
    /* a table that does not overlap is its own matter */
    assert_true(disclosure_stays_open((const uint32_t[]){4, 3, 2, 2}, 2, halves, 2));
    assert_false(disclosure_stays_open((const uint32_t[]){2, 2, 4, 3}, 2, halves, 2));
}

/* As many tables, cells and days as there is room for. */
static void test_the_most_cells_that_are_judged(void **state)
{
    static uint32_t counts[DISCLOSURE_POINTS_MAX][DISCLOSURE_CELLS_MAX];
    static struct disclosure_span spans[DISCLOSURE_SPANS_MAX];
    const size_t last = DISCLOSURE_CELLS_MAX - 1, middle = DISCLOSURE_SPANS_MAX;
    for (size_t i = 0; i < DISCLOSURE_SPANS_MAX; i++) /* one within the other, around the middle */
        spans[i] = (struct disclosure_span){i + 1, DISCLOSURE_POINTS_MAX - i};
    for (size_t point = 0; point < DISCLOSURE_POINTS_MAX; point++)
        for (size_t cell = 0; cell <= last; cell++)
            counts[point][cell] = point == middle ? 7 : 5;
    counts[middle][last] =
        2; /* it could give, but none of the others can take: 8 would be told as 10 */
    assert_false(
        disclosure_stays_open(counts[0], DISCLOSURE_CELLS_MAX, spans, DISCLOSURE_SPANS_MAX));
    counts[middle][0] = 6;
    assert_true(
        disclosure_stays_open(counts[0], DISCLOSURE_CELLS_MAX, spans, DISCLOSURE_SPANS_MAX));
}

static void test_the_most_days_that_hang_together(void **state)
{
    static struct disclosure_span spans[DISCLOSURE_SPANS_MAX];
    const size_t end = DISCLOSURE_POINTS_MAX - 1;
    for (size_t i = 0; i < DISCLOSURE_SPANS_MAX; i++)
        spans[i] = (struct disclosure_span){i, i + DISCLOSURE_POINTS_MAX - DISCLOSURE_SPANS_MAX};
    assert_false(disclosure_hangs_together(spans, DISCLOSURE_SPANS_MAX, spans, 2));
    for (size_t i = 0; i < DISCLOSURE_SPANS_MAX; i++) /* from either end */
        spans[i] = i % 2 ? (struct disclosure_span){0, end - i} : (struct disclosure_span){i, end};
    assert_true(
        disclosure_hangs_together(spans, DISCLOSURE_SPANS_MAX, spans, DISCLOSURE_SPANS_MAX));
}

/* A year and four of its five parts were shown: what is left of a cell for the fifth? */
static bool may_leave(uint32_t a, uint32_t b)
{
    static const struct disclosure_span spans[] = {{0, 5}, {0, 1}, {1, 2}, {2, 3}, {3, 4}};
    const uint32_t parts[5][2] = {{a, b}, {a, b}, {a, b}, {a, b}, {0, 3}};
    return disclosure_stays_open(parts[0], 2, spans, 5);
}

static void test_breakdowns_do_not_tell_what_they_leave(void **state)
{
    assert_false(may_leave(8, 21)); /* four times 8 at least, and 32 at most: nothing */
    assert_true(may_leave(9, 21));
}

static void test_days_hang_together_by_exact_totals(void **state)
{
    const struct disclosure_span exact[] = {{1, 2}, {0, 1}, {4, 5}};
    assert_true(disclosure_hangs_together(exact, 3, (const struct disclosure_span[]){{0, 2}}, 1));
    assert_true(
        disclosure_hangs_together(exact, 3, (const struct disclosure_span[]){{1, 2}, {0, 2}}, 2));
    assert_false(disclosure_hangs_together(exact, 3, (const struct disclosure_span[]){{0, 4}}, 1));
    assert_false(
        disclosure_hangs_together(exact, 3, (const struct disclosure_span[]){{0, 2}, {4, 5}}, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_from_5_up),
        cmocka_unit_test(test_a_year_does_not_tell_a_quarter),
        cmocka_unit_test(test_rounding_is_withheld_where_it_tells),
        cmocka_unit_test(test_two_small_quarters_leave_each_other_open),
        cmocka_unit_test(test_what_two_small_quarters_have_together_stays_open),
        cmocka_unit_test(test_six_weeks_do_not_tell_the_last_two),
        cmocka_unit_test(test_a_sum_of_exact_ones_is_exact),
        cmocka_unit_test(test_what_is_open_does_not_tell_what_ended),
        cmocka_unit_test(test_the_first_table_does_not_tell_what_was_before),
        cmocka_unit_test(test_the_beginning_is_known),
        cmocka_unit_test(test_that_there_was_a_first_is_known),
        cmocka_unit_test(test_breakdowns),
        cmocka_unit_test(test_breakdowns_that_overlap),
        cmocka_unit_test(test_the_most_cells_that_are_judged),
        cmocka_unit_test(test_breakdowns_do_not_tell_what_they_leave),
        cmocka_unit_test(test_days_hang_together_by_exact_totals),
        cmocka_unit_test(test_the_most_days_that_hang_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
