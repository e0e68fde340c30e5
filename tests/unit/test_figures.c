/* Unit tests of rules/figures: what a move counts for, and rows for those inside and outside a team. */
#include "rules/figures.h"
#include "rules/workdays.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define MEASURE(name) BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_##name
#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define ACCEPT BRUG__V1__DECISION__DECISION_ACCEPT
#define OBJECT BRUG__V1__DECISION__DECISION_OBJECT

static struct figure_count counted[FIGURE_COUNTS_MAX];

static int64_t at(unsigned month, unsigned day)
{
    return workdays_time_ms(workdays_from_civil(2026, month, day), 12);
}

/* How often the move counts for the event; with which code at last. */
static unsigned count(const Brug__V1__CaseMoved *m, enum figure_event event, uint32_t *code)
{
    unsigned times = 0;
    size_t n = figures_of_move(m, counted);
    for (size_t i = 0; i < n; i++) {
        assert_true(figures_is_count(counted[i].event, counted[i].code));
        if (counted[i].event != event)
            continue;
        *code = counted[i].code;
        times++;
    }
    return times;
}

static void test_only_what_ends_a_referral_is_out(void **state)
{
    static const struct {
        Brug__V1__Kind kind;
        Brug__V1__Decision decision;
        bool is_out;
    } moves[] = {
        {KIND(CLOSING), 0, true},
        {KIND(WITHDRAWAL), 0, true},
        {KIND(PROPOSAL_ANSWER), ACCEPT, true},
        {KIND(PROPOSAL_ANSWER), OBJECT, false},
        {KIND(BRIDGING_ANSWER), ACCEPT, false},
        {KIND(INFO_REQUEST), 0, false},
        {KIND(ADVICE), 0, false},
        {KIND(REFERRAL), 0, false},
        {KIND(NONE), 0, false}, /* a day began, or a closing letter was opened */
    };
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        Brug__V1__CaseMoved m = BRUG__V1__CASE_MOVED__INIT;
        Brug__V1__Case c = BRUG__V1__CASE__INIT;
        uint32_t code = 0, days = 0;
        m.case_now = &c;
        m.kind = moves[i].kind;
        m.decision = moves[i].decision;
        c.outcome = OUTCOME(YOUTH_CARE);
        c.at_ms = at(4, 2); /* a Thursday; Easter lies in between */
        m.at_ms = at(4, 8);
        assert_int_equal(count(&m, FIGURE_ENDED, &code), moves[i].is_out);
        assert_int_equal(count(&m, FIGURE_ENDED_DAYS, &days), moves[i].is_out);
        if (moves[i].is_out) {
            assert_int_equal(code, OUTCOME(YOUTH_CARE));
            assert_int_equal(days, 3); /* Good Friday, Tuesday, Wednesday */
        }
    }
}

static void test_days_have_a_limit_and_do_not_run_backwards(void **state)
{
    Brug__V1__CaseMoved m = BRUG__V1__CASE_MOVED__INIT;
    Brug__V1__Case c = BRUG__V1__CASE__INIT;
    uint32_t days = 0;
    m.case_now = &c;
    m.kind = KIND(CLAIM);
    m.at_ms = INT64_MAX;
    assert_int_equal(count(&m, FIGURE_TAKEN_UP, &days), 1);
    assert_int_equal(days, FIGURE_DAYS_MAX);
    c.at_ms = at(4, 8);
    m.at_ms = at(4, 2);
    assert_int_equal(count(&m, FIGURE_TAKEN_UP, &days), 1);
    assert_int_equal(days, 0);
    m.kind = KIND(REFERRAL);
    c.reason = (Brug__V1__Reason)99; /* of a later version */
    assert_int_equal(count(&m, FIGURE_REFERRED, &days), 1);
    assert_int_equal(days, 0);
}

static void test_feedback_is_on_time_until_its_due_date(void **state)
{
    Brug__V1__CaseMoved m = BRUG__V1__CASE_MOVED__INIT;
    Brug__V1__Case c = BRUG__V1__CASE__INIT;
    Brug__V1__OwedEnd end = BRUG__V1__OWED_END__INIT, *ended = &end;
    Brug__V1__OwedItem item = BRUG__V1__OWED_ITEM__INIT;
    uint32_t code = 0;
    m.case_now = &c;
    m.kind = KIND(INTERIM);
    m.at_ms = at(4, 8);
    m.ended = &ended;
    m.n_ended = 1;
    end.item = &item;
    for (int kind = OWED(TAKE_UP); kind <= OWED(ADVICE); kind++) {
        bool is_feedback = kind == OWED(START) || kind == OWED(CLOSING) || kind == OWED(MOMENT) ||
                           kind == OWED(INFO_REPLY) || kind == OWED(ADVICE);
        item.kind = (Brug__V1__OwedKind)kind;
        item.due_date = workdays_date(m.at_ms);
        assert_int_equal(count(&m, FIGURE_ON_TIME, &code), is_feedback);
        assert_int_equal(count(&m, FIGURE_LATE, &code), 0);
        item.due_date--;
        assert_int_equal(count(&m, FIGURE_ON_TIME, &code), 0);
        assert_int_equal(count(&m, FIGURE_LATE, &code), is_feedback);
        item.due_date = 0; /* once its event comes */
        assert_int_equal(count(&m, FIGURE_ON_TIME, &code), is_feedback);
        end.lapsed = true;
        assert_int_equal(count(&m, FIGURE_ON_TIME, &code) + count(&m, FIGURE_LATE, &code), 0);
        end.lapsed = false;
    }
}

static void test_no_day_that_is_closed(void **state)
{
    uint32_t day = workdays_date(at(4, 8));
    int64_t opened = at(2, 8);
    assert_int_equal(figures_day(at(4, 8), opened, 0), day);
    assert_int_equal(figures_day(at(4, 8), opened, day - 1), day);
    assert_int_equal(figures_day(at(4, 8), opened, day), day + 1);
    assert_int_equal(figures_day(at(4, 8), opened, day + 30), day + 31);
    assert_int_equal(figures_day(opened, at(4, 8), 0), day); /* the clock was set back since */
    assert_int_equal(figures_day(opened, at(4, 8), day), day + 1);
}

/* ---- rows ---- */

static const Brug__V1__FigureRow *row(const struct figure_rows *rows, Brug__V1__FigureMeasure m,
                                      uint32_t code)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].measure == m && rows->items[i].code == code)
            return &rows->items[i];
    return NULL;
}

static void add(struct figure_sums *s, enum figure_event event, uint32_t code, uint32_t n)
{
    figures_add(s, (struct figure_count){event, code}, n, figures_area(s, "Vorden"));
}

static void test_medians_and_means(void **state)
{
    static struct figure_sums s;
    static struct figure_rows rows;
    memset(&s, 0, sizeof s);
    add(&s, FIGURE_TAKEN_UP, 1, 2);
    add(&s, FIGURE_TAKEN_UP, 4, 1);
    add(&s, FIGURE_TAKEN_UP, 20, 1);
    add(&s, FIGURE_STARTED, 7, 3);
    figures_write_inside(&s, &rows);
    assert_int_equal(row(&rows, MEASURE(TAKE_UP_MEDIAN), 0)->number, 1); /* the second of four */
    assert_int_equal(row(&rows, MEASURE(TAKE_UP_MEAN), 0)->number, 65);
    assert_int_equal(row(&rows, MEASURE(START_MEDIAN), 0)->number, 7);
    assert_null(row(&rows, MEASURE(END_MEDIAN), 0)); /* nobody */
    assert_null(row(&rows, MEASURE(OWN_SHARE), 0));
    assert_int_equal(row(&rows, MEASURE(TAKE_UP_DAYS), 5)->number, 3);
    assert_int_equal(row(&rows, MEASURE(TAKE_UP_DAYS), 20)->number, 1);
    assert_int_equal(row(&rows, MEASURE(TAKE_UP_DAYS), 0)->number, 0);
}

static void test_what_a_director_did_not_close_is_in_no_share(void **state)
{
    static struct figure_sums s;
    static struct figure_rows rows;
    memset(&s, 0, sizeof s);
    add(&s, FIGURE_ENDED, OUTCOME(OWN_SHORT_SUPPORT), 2);
    add(&s, FIGURE_ENDED, OUTCOME(YOUTH_CARE), 1);
    add(&s, FIGURE_ENDED, OUTCOME(NOT_TAKEN_UP), 5);
    add(&s, FIGURE_ENDED, OUTCOME(WITHDRAWN), 5);
    add(&s, FIGURE_ENDED, OUTCOME(ENDED_GP_DISAGREES), 5);
    figures_write_inside(&s, &rows);
    assert_int_equal(row(&rows, MEASURE(ENDED), 0)->number, 18);
    assert_int_equal(row(&rows, MEASURE(OWN_SHARE), 0)->number, 67);
}

/* All that fits, with every area that there may be; more areas share a row. */
static void test_rows_have_room_and_areas_a_limit(void **state)
{
    static struct figure_sums s;
    static struct figure_rows rows;
    static char names[60][16];
    uint32_t in_areas = 0;
    memset(&s, 0, sizeof s);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(names[i], sizeof names[i], "Gebied %u", i);
        figures_add(&s, (struct figure_count){FIGURE_REFERRED, 1}, 1, figures_area(&s, names[i]));
    }
    add(&s, FIGURE_ENDED_DAYS, FIGURE_DAYS_MAX, 1);
    assert_int_equal(s.area_count, FIGURE_AREAS_MAX);
    figures_write_inside(&s, &rows);
    assert_true(rows.count <= FIGURE_ROWS_MAX);
    for (size_t i = 0; i < rows.count; i++)
        if (rows.items[i].measure == MEASURE(REFERRED_AREA)) {
            in_areas += rows.items[i].number;
            if (rows.items[i].name[0] == '\0')
                assert_int_equal(rows.items[i].number, 60 - (FIGURE_AREAS_MAX - 1));
        }
    assert_int_equal(in_areas, 60);
}

static void test_a_published_table_reads_back(void **state)
{
    static struct figure_sums s;
    static struct figure_rows rows;
    Brug__V1__FigureRow *list[FIGURE_ROWS_MAX];
    const bool held[FIGURE_MEASURES] = {[MEASURE(OUTCOME)] = true};
    const struct disclosure_table totals = {.referred = {FORM(EXACT), 12},
                                            .ended = {FORM(ROUNDED), 10},
                                            .open = {FORM(WITHHELD), 0},
                                            .consulted = {FORM(UNDER_5), 0}};
    struct disclosure_table read;
    memset(&s, 0, sizeof s);
    memset(&read, 0, sizeof read);
    add(&s, FIGURE_REFERRED, 1, 9);
    add(&s, FIGURE_REFERRED, 2, 3);
    add(&s, FIGURE_ENDED, OUTCOME(YOUTH_CARE), 11);
    figures_write_published(&s, &totals, held, &rows);
    for (size_t i = 0; i < rows.count; i++)
        list[i] = &rows.items[i];
    assert_true(figures_read_totals(list, rows.count, &read));
    assert_memory_equal(&read, &totals, sizeof totals);
    assert_false(figures_read_totals(list + 1, rows.count - 1, &read));
    assert_false(figures_read_totals(list, 3, &read));
    assert_int_equal(row(&rows, MEASURE(REASON), 1)->form, FORM(ROUNDED));
    assert_int_equal(row(&rows, MEASURE(REASON), 1)->number, 10);
    assert_int_equal(row(&rows, MEASURE(OUTCOME), 0)->form, FORM(WITHHELD)); /* shown elsewhere */
    assert_null(row(&rows, MEASURE(OUTCOME), OUTCOME(YOUTH_CARE)));
    assert_null(row(&rows, MEASURE(OWN_SHARE), 0));
    assert_null(row(&rows, MEASURE(TAKE_UP_MEDIAN), 0));
    assert_null(row(&rows, MEASURE(TAKE_UP_DAYS), 0));
    assert_null(row(&rows, MEASURE(START_DAYS), 0));
    assert_null(row(&rows, MEASURE(END_DAYS), 0));
    assert_null(row(&rows, MEASURE(ENDED_AREA), 0));
    assert_non_null(row(&rows, MEASURE(REFERRED_AREA), 0));
    s.reasons[0] = 1; /* everybody knows that a referral of today has a reason */
    figures_write_published(&s, &totals, held, &rows);
    assert_int_equal(row(&rows, MEASURE(REASON), 0)->form, FORM(WITHHELD));
}

static Brug__V1__FigureForm form_of_feedback(uint32_t on_time, Brug__V1__FigureForm ended)
{
    static struct figure_sums s;
    static struct figure_rows rows;
    const struct disclosure_table totals = {.ended = {ended, 24}};
    memset(&s, 0, sizeof s);
    add(&s, FIGURE_ENDED, OUTCOME(OWN_SHORT_SUPPORT), 14);
    add(&s, FIGURE_ENDED, OUTCOME(WITHDRAWN), 10);
    add(&s, FIGURE_ON_TIME, OWED(CLOSING), on_time);
    add(&s, FIGURE_LATE, OWED(CLOSING), 7);
    figures_write_published(&s, &totals, (const bool[FIGURE_MEASURES]){false}, &rows);
    return row(&rows, MEASURE(FEEDBACK_ON_TIME), 0)->form;
}

/* Each of 14 closing letters is feedback. */
static void test_feedback_does_not_tell_who_closed(void **state)
{
    assert_int_equal(form_of_feedback(7, FORM(EXACT)), FORM(WITHHELD));
    assert_int_equal(form_of_feedback(8, FORM(EXACT)), FORM(ROUNDED));
    assert_int_equal(form_of_feedback(8, FORM(ROUNDED)), FORM(WITHHELD));
}

/* A year of two halves, the second of which was told; the year is the next table. */
struct halves {
    struct figure_sums sums[2];
    struct figure_rows rows;
    Brug__V1__FigureRow *list[FIGURE_ROWS_MAX];
    bool held[FIGURE_MEASURES];
};

static const bool NOTHING_HELD[FIGURE_MEASURES];

static void tell_second(struct halves *h, struct disclosure_total referred)
{
    const struct disclosure_table totals = {.referred = referred, .ended = referred};
    memset(h, 0, sizeof *h);
    for (uint32_t i = 0; i < 2; i++) {
        add(&h->sums[i], FIGURE_REFERRED, 1, 10);
        add(&h->sums[i], FIGURE_REFERRED, 2, 4);
        add(&h->sums[i], FIGURE_ENDED, OUTCOME(WITHDRAWN), 14);
        add(&h->sums[i], FIGURE_ON_TIME, OWED(ADVICE), 6);
        add(&h->sums[i], FIGURE_LATE, OWED(ADVICE), 6);
    }
    figures_write_published(&h->sums[1], &totals, NOTHING_HELD, &h->rows);
    for (size_t i = 0; i < h->rows.count; i++)
        h->list[i] = &h->rows.items[i];
}

static bool is_held(struct halves *h, Brug__V1__FigureForm year, Brug__V1__FigureForm half)
{
    const struct figure_sums *const sums[] = {&h->sums[0], &h->sums[1]};
    const struct figure_told tables[] = {
        {.totals = {.from = 0, .until = 2, .referred = {year, 28}, .ended = {year, 28}}},
        {.totals = {.from = 1, .until = 2, .referred = {half, 14}, .ended = {half, 14}},
         .rows = h->list,
         .row_count = h->rows.count}};
    const struct figure_year y = {
        .point_count = 3, .sums = sums, .tables = tables, .table_count = 2};
    figures_hold(&y, h->held);
    return h->held[MEASURE(REASON)];
}

static void test_a_breakdown_is_held_beside_what_overlaps(void **state)
{
    static struct halves h;
    tell_second(&h, (struct disclosure_total){FORM(EXACT), 14});
    assert_false(is_held(&h, FORM(EXACT), FORM(EXACT)));
    assert_false(h.held[MEASURE(FEEDBACK_ON_TIME)]);
    assert_true(is_held(&h, FORM(ROUNDED), FORM(EXACT))); /* its cells would say more of 28 */
    assert_true(h.held[MEASURE(FEEDBACK_ON_TIME)]);
    assert_true(is_held(&h, FORM(EXACT), FORM(ROUNDED)));
    h.list[4]->number += 5; /* what was told is not what is counted now */
    assert_true(is_held(&h, FORM(EXACT), FORM(EXACT)));
    h.list[4]->number -= 5;
    h.sums[0].reasons[0] = 1; /* a cell that the told table does not have */
    assert_true(is_held(&h, FORM(EXACT), FORM(EXACT)));
    h.sums[0].reasons[0] = 0;
    h.sums[0].reasons[3] = 6; /* 2 are told as 0, and 8 as 10: one more or one less would show */
    h.sums[1].reasons[3] = 2;
    assert_true(is_held(&h, FORM(EXACT), FORM(EXACT)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_ends_a_referral_is_out),
        cmocka_unit_test(test_days_have_a_limit_and_do_not_run_backwards),
        cmocka_unit_test(test_feedback_is_on_time_until_its_due_date),
        cmocka_unit_test(test_no_day_that_is_closed),
        cmocka_unit_test(test_medians_and_means),
        cmocka_unit_test(test_what_a_director_did_not_close_is_in_no_share),
        cmocka_unit_test(test_rows_have_room_and_areas_a_limit),
        cmocka_unit_test(test_a_published_table_reads_back),
        cmocka_unit_test(test_feedback_does_not_tell_who_closed),
        cmocka_unit_test(test_a_breakdown_is_held_beside_what_overlaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
