/*
 * tests/unit/test_core_outage.c: the days on which the relay was away, in the core: an operator says them, cases take them in once each
 * whatever crashes, and a relay that starts waits for that word. It is Wednesday 2026-11-18, around noon, as each begins.
 */
#include "rules/workdays.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define REQUEST(name) BRUG__V1__ADMIN_REQUEST__REQUEST_##name
#define DAY_MS INT64_C(86400000)
#define CASES 3u

struct scene {
    struct stage *w;
    struct id cases[CASES];
};

static int setup(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    assert_non_null(x);
    x->w = stage_new(NULL);
    stage_listen(x->w, &x->w->gp_pc);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct scene *x = *state;
    stage_free(x->w);
    free(x);
    return 0;
}

/* ---- the story ---- */

static uint32_t day(unsigned month, unsigned day_of_month)
{
    return workdays_from_civil(2026, month, day_of_month);
}

static void refer(struct scene *x)
{
    for (size_t i = 0; i < CASES; i++) {
        x->cases[i] = stage_case_id(x->w);
        struct stage_letter l =
            stage_letter(x->w, KIND(REFERRAL), &x->w->gp_pc, &x->w->team, &x->cases[i]);
        stage_post(x->w, &l);
    }
}

/* Noon of that day, on both clocks; nobody looks at them meanwhile. */
static void sleep_until(struct scene *x, uint32_t date)
{
    int64_t ms = workdays_time_ms(date, 12) - x->w->now.wall_ms;
    assert_true(ms >= 0);
    x->w->now.wall_ms += ms;
    x->w->now.mono_ms += ms;
}

static void work(struct scene *x)
{
    relay_on_time(x->w->relay, x->w->now);
    stage_settle(x->w);
}

/* The power fails, and the relay begins again on that day, with the time of the last record. */
static void restart(struct scene *x, uint64_t folded_lsn, uint32_t date)
{
    int64_t last_ms = 0;
    struct arena *arena = arena_new();
    const struct stage_row *row = &x->w->rows[x->w->row_count - 1];
    assert_int_equal(record_read_ms(arena, row->type, row->payload, &last_ms), 0);
    arena_free(arena);
    stage_crash(x->w, folded_lsn);
    sleep_until(x, date);
    x->w->event_count = 0;
    relay_begin(x->w->relay, last_ms, x->w->now);
}

static const Brug__V1__AdminAnswer *put_as(struct scene *x, const struct id *id, uint32_t from,
                                           uint32_t until)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__PutOutage put = BRUG__V1__PUT_OUTAGE__INIT;
    put.outage_id = id_bytes(id);
    put.from_date = from;
    put.until_date = until;
    q.request_case = REQUEST(PUT_OUTAGE);
    q.put_outage = &put;
    return stage_admin(x->w, &q, NULL);
}

static const Brug__V1__Outage *put(struct scene *x, uint32_t from, uint32_t until)
{
    struct id id = stage_id(4, from);
    const Brug__V1__AdminAnswer *a = put_as(x, &id, from, until);
    if (a->code)
        fail_msg("%s", a->error);
    assert_int_equal(a->objects->n_outages, 1);
    return a->objects->outages[0];
}

/* One line, and nothing is recorded. */
static void refuse(struct scene *x, const struct id *id, uint32_t from, uint32_t until,
                   enum error code, const char *words)
{
    size_t rows = x->w->row_count;
    const Brug__V1__AdminAnswer *a = put_as(x, id, from, until);
    assert_int_equal(a->code, code);
    if (!strstr(a->error, words))
        fail_msg("\"%s\" does not say \"%s\"", a->error, words);
    assert_int_equal(x->w->row_count, rows);
}

/* ---- what came of it ---- */

/* Every case owes its take-up by that day, and took in so many outages. */
static void expect_due(const struct scene *x, const char *wanted, uint32_t outages)
{
    char text[WORKDAYS_TEXT_BYTES];
    struct arena *arena = arena_new();
    for (size_t i = 0; i < CASES; i++) {
        arena_reset(arena, SIZE_MAX);
        const struct casefile *f = casefile_find(relay_state(x->w->relay), &x->cases[i]);
        const Brug__V1__Case *c = casefile_unpack(f, arena);
        assert_int_equal(c->n_owed, 1);
        assert_int_equal(c->owed[0]->kind, OWED(TAKE_UP));
        assert_string_equal(workdays_to_text(c->owed[0]->due_date, text), wanted);
        assert_int_equal(c->outages, outages);
    }
    arena_free(arena);
}

/* Notices of this kind that were committed, each saying this due date (0: any). */
static size_t count_notices(const struct scene *x, Brug__V1__Kind kind, uint32_t due)
{
    size_t n = 0;
    for (size_t i = 0; i < x->w->row_count; i++) {
        const struct stage_row *row = &x->w->rows[i];
        if (row->type != RECORD(ACCEPTED))
            continue;
        Brug__V1__Accepted *a =
            brug__v1__accepted__unpack(NULL, row->payload.len, row->payload.data);
        n += a->kind == kind;
        brug__v1__accepted__free_unpacked(a, NULL);
    }
    for (size_t i = 0; i < x->w->body_count && due > 0; i++) {
        const struct body *b = x->w->bodies[i].body;
        Brug__V1__Envelope *e = brug__v1__envelope__unpack(NULL, b->len, b->bytes);
        Brug__V1__Header *h = brug__v1__header__unpack(NULL, e->header.len, e->header.data);
        assert_true(h->kind != kind || h->until_date == due);
        brug__v1__header__free_unpacked(h, NULL);
        brug__v1__envelope__free_unpacked(e, NULL);
    }
    return n;
}

static void assert_same_after_crash(const struct scene *x)
{
    struct digest before, after;
    assert_int_equal(state_digest(relay_state(x->w->relay), &before), 0);
    for (uint64_t folded = 0; folded <= stage_committed_lsn(x->w); folded++) {
        struct state *s = stage_replay(x->w, folded);
        assert_int_equal(state_digest(s, &after), 0);
        assert_true(digest_equal(&before, &after));
        state_free(s);
    }
}

/* ---- tests ---- */

static void what_is_owed_runs_on_after_an_outage(void **state)
{
    struct scene *x = *state;
    refer(x);
    expect_due(x, "2026-11-25", 0);
    sleep_until(x, day(11, 24));
    const Brug__V1__Outage *row = put(x, day(11, 19), day(11, 23)); /* three working days */
    assert_int_equal(row->cases, CASES);
    assert_int_equal(row->number, 1);
    assert_string_equal(row->by->name, "root");
    assert_int_equal(relay_next_deadline_ms(x->w->relay), 0);
    work(x);
    expect_due(x, "2026-11-30", 1);
    assert_int_equal(stage_count_records(x->w, RECORD(CASE_MOVED)), 2 * CASES);
    assert_int_equal(count_notices(x, KIND(NOT_OPENED), 0), 0);
    for (uint32_t date = day(11, 24); date <= day(12, 1); date++) {
        sleep_until(x, date);
        work(x);
    }
    assert_int_equal(count_notices(x, KIND(REMINDER), day(11, 30)), CASES);
    assert_int_equal(count_notices(x, KIND(OVERDUE), day(11, 30)), 2 * CASES); /* both sides */
    assert_same_after_crash(x);
}

/* Whatever is lost, each case takes it in once. */
static void an_outage_is_taken_in_once_over_crashes(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x);
    sleep_until(x, day(11, 24));
    (void)put(x, day(11, 19), day(11, 23));
    for (unsigned n = 0; n < 3; n++) { /* steps were decided, and are not on disk */
        relay_on_time(w->relay, w->now);
        expect_due(x, "2026-11-30", 1);
        stage_crash(w, n);
        expect_due(x, "2026-11-25", 0);
    }
    work(x);
    for (uint64_t folded = 0; folded <= stage_committed_lsn(w); folded += 5) {
        stage_crash(w, folded);
        work(x);
        expect_due(x, "2026-11-30", 1);
    }
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 2 * CASES);
    assert_same_after_crash(x);
}

static void a_word_that_is_lost_was_not_given(void **state)
{
    struct scene *x = *state;
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__PutOutage put_outage = BRUG__V1__PUT_OUTAGE__INIT;
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    struct id id = stage_id(4, 1);
    refer(x);
    sleep_until(x, day(11, 24));
    put_outage.outage_id = id_bytes(&id);
    put_outage.from_date = day(11, 19);
    put_outage.until_date = day(11, 23);
    q.request_case = REQUEST(PUT_OUTAGE);
    q.put_outage = &put_outage;
    relay_on_admin(x->w->relay, 99, &by, &q, NULL, x->w->now);
    relay_on_time(x->w->relay, x->w->now);
    expect_due(x, "2026-11-30", 1);
    stage_flush(x->w);
    assert_int_equal(x->w->admin_ticket, 0); /* nothing is told before it is on disk */
    stage_crash(x->w, 0);
    expect_due(x, "2026-11-25", 0);
    assert_int_equal(put_as(x, &id, day(11, 19), day(11, 23))->code, 0);
    work(x);
    expect_due(x, "2026-11-30", 1);
}

/* I5: it was overdue when he spoke; it is told again once the new date has passed, and each notice is another one. */
static void what_was_overdue_is_told_after_the_new_date(void **state)
{
    struct scene *x = *state;
    refer(x);
    sleep_until(x, day(11, 26));
    work(x);
    assert_int_equal(count_notices(x, KIND(OVERDUE), day(11, 25)), 2 * CASES);
    (void)put(x, day(11, 19), day(11, 25)); /* five days: due on the second of December */
    for (uint32_t date = day(11, 26); date <= day(12, 2); date++) {
        sleep_until(x, date);
        work(x);
    }
    expect_due(x, "2026-12-02", 1);
    assert_int_equal(count_notices(x, KIND(OVERDUE), 0), 2 * CASES);
    sleep_until(x, day(12, 3));
    work(x);
    assert_int_equal(count_notices(x, KIND(OVERDUE), 0), 4 * CASES);
    assert_same_after_crash(x);
}

/* A letter comes before the case's own step: it is judged by the moved date, as figures of feedback are. */
static void a_letter_takes_it_in_first(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x);
    sleep_until(x, day(11, 27));
    (void)put(x, day(11, 19), day(11, 23));
    (void)stage_connect(w, &w->consultant_pc);
    stage_settle(w);
    (void)stage_take(w, w->consultant_pc.session); /* the Welcome */
    struct stage_letter l =
        stage_letter(w, KIND(CLAIM), &w->consultant_pc, &w->practice, &x->cases[0]);
    stage_post(w, &l);
    for (size_t i = 0; i < w->row_count; i++) {
        if (w->rows[i].type != RECORD(CASE_MOVED))
            continue;
        Brug__V1__CaseMoved *m =
            brug__v1__case_moved__unpack(NULL, w->rows[i].payload.len, w->rows[i].payload.data);
        if (m->kind == KIND(CLAIM)) {
            assert_int_equal(m->n_ended, 1);
            assert_int_equal(m->ended[0]->item->due_date, day(11, 30));
            assert_int_equal(m->case_now->outages, 1);
        }
        brug__v1__case_moved__free_unpacked(m, NULL);
    }
    assert_same_after_crash(x);
}

/* No step, so no record. */
static void an_ended_case_takes_in_nothing(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x);
    for (size_t i = 0; i < CASES; i++) {
        struct stage_letter l =
            stage_letter(w, KIND(WITHDRAWAL), &w->gp_pc, &w->team, &x->cases[i]);
        stage_post(w, &l);
    }
    sleep_until(x, day(11, 24));
    size_t rows = w->row_count;
    assert_int_equal(put(x, day(11, 19), day(11, 23))->cases, 0);
    work(x);
    assert_int_equal(w->row_count, rows + 1);
    assert_int_equal(relay_next_deadline_ms(w->relay), INT64_MAX);
    assert_same_after_crash(x);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct id id = stage_id(4, 1), other = stage_id(4, 2);
    refuse(x, &ID_NONE, day(11, 16), day(11, 17), ERROR_ID_MALFORMED, "not 16 bytes");
    refuse(x, &id, day(11, 17), day(11, 16), ERROR_REQUEST_MALFORMED, "before the first");
    refuse(x, &id, day(11, 17), day(11, 19), ERROR_DATE_NOT_ALLOWED, "it is 2026-11-18");
    refuse(x, &id, day(11, 18) - 367, day(11, 17), ERROR_DATE_NOT_ALLOWED, "check the year");
    assert_int_equal(put_as(x, &id, day(11, 16), day(11, 17))->code, 0);
    size_t rows = w->row_count;
    const Brug__V1__AdminAnswer *a = put_as(x, &id, day(11, 16), day(11, 17)); /* a repeat */
    assert_int_equal(a->code, 0);
    assert_int_equal(a->objects->outages[0]->number, 1);
    assert_int_equal(w->row_count, rows);
    refuse(x, &id, day(11, 16), day(11, 16), ERROR_REQUEST_MALFORMED, "other days");
    refuse(x, &other, day(11, 17), day(11, 18), ERROR_REQUEST_MALFORMED,
           "from 2026-11-16 to 2026-11-17 is recorded");
    refuse(x, &other, day(11, 10), day(11, 16), ERROR_REQUEST_MALFORMED, "2026-11-16");
    w->now.wall_ms += 2 * DAY_MS; /* the clock leaps */
    refuse(x, &other, day(11, 18), day(11, 18), ERROR_BUSY, "in doubt");
    sleep_until(x, day(11, 22)); /* and is believed again */
    assert_int_equal(put_as(x, &other, day(11, 18), day(11, 18))->code, 0);
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__ListOutages list = BRUG__V1__LIST_OUTAGES__INIT;
    q.request_case = REQUEST(LIST_OUTAGES);
    q.list_outages = &list;
    a = stage_admin(w, &q, NULL);
    assert_int_equal(a->objects->n_outages, 2);
    assert_int_equal(a->objects->outages[1]->from_date, day(11, 18));
    assert_same_after_crash(x);
}

static void so_many_and_no_more(void **state)
{
    struct scene *x = *state;
    for (uint32_t i = 0; i < OUTAGES_MAX; i++)
        assert_int_equal(put(x, day(11, 17) - i, day(11, 17) - i)->number, i + 1);
    struct id id = stage_id(4, 1);
    refuse(x, &id, day(11, 18), day(11, 18), ERROR_FULL, "256 outages");
}

static void rows_that_do_not_fit_are_refused(void **state)
{
    struct scene *x = *state;
    uint8_t bytes[200];
    Brug__V1__Outage row = BRUG__V1__OUTAGE__INIT;
    struct id id = stage_id(4, 1), generation = stage_id(4, 2);
    const struct {
        uint32_t number, from, until;
        size_t id_len;
    } wrong[] = {{0, 5, 6, 16}, {2, 5, 6, 16}, {257, 5, 6, 16}, {1, 7, 6, 16}, {1, 5, 6, 15}};
    struct state *s = stage_replay(x->w, stage_committed_lsn(x->w));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        row.outage_id = (ProtobufCBinaryData){wrong[i].id_len, id.bytes};
        row.number = wrong[i].number;
        row.from_date = wrong[i].from;
        row.until_date = wrong[i].until;
        struct slice payload = {bytes, brug__v1__outage__pack(&row, bytes)};
        assert_int_equal(apply_record(s, state_lsn(s) + 1, RECORD(OUTAGE), payload), ERROR_CORRUPT);
    }
    state_free(s);
    const uint64_t seed[2] = {1, 2};
    s = state_new(seed); /* the second of the table, without the first */
    row.outage_id = id_bytes(&id);
    row.number = 2;
    row.from_date = row.until_date = 5;
    struct slice payload = {bytes, brug__v1__outage__pack(&row, bytes)};
    assert_int_equal(state_load_row(s, RECORD(OUTAGE), payload), 0);
    assert_int_equal(state_load_done(s, 2, 0, &generation), ERROR_CORRUPT);
    state_free(s);
}

/* ---- a relay that begins ---- */

static void expect_away(const struct scene *x, uint32_t from, uint32_t until)
{
    Brug__V1__DaemonStatus s = BRUG__V1__DAEMON_STATUS__INIT;
    Brug__V1__CodeCount counts[4];
    size_t n;
    relay_status(x->w->relay, &s, counts, 4, &n);
    assert_int_equal(s.away_from_date, from);
    assert_int_equal(s.away_until_date, until);
}

/* What would be overdue waits for a day, or for his word; with it, it is not overdue. */
static void a_relay_that_was_away_waits_for_a_word(void **state)
{
    struct scene *x = *state;
    refer(x);
    restart(x, 0, day(11, 27));
    assert_true(stage_saw_event(x->w, "relay.was_away"));
    assert_int_equal(x->w->events[0].days.from, day(11, 19));
    assert_int_equal(x->w->events[0].days.until, day(11, 26));
    expect_away(x, day(11, 19), day(11, 26));
    work(x);
    assert_int_equal(stage_count_records(x->w, RECORD(CASE_MOVED)), CASES);
    assert_true(relay_next_deadline_ms(x->w->relay) > x->w->now.wall_ms);
    (void)put(x, day(11, 19), day(11, 20)); /* not of all these days */
    work(x);
    expect_away(x, day(11, 19), day(11, 26));
    expect_due(x, "2026-11-25", 0);
    (void)put(x, day(11, 23), day(11, 26)); /* the weekend between them is no working day */
    expect_away(x, 0, 0);
    work(x);
    expect_due(x, "2026-12-03", 2);
    assert_int_equal(count_notices(x, KIND(OVERDUE), 0), 0);
    assert_same_after_crash(x);
}

static void without_a_word_the_day_ends(void **state)
{
    struct scene *x = *state;
    refer(x);
    restart(x, 0, day(11, 27));
    work(x);
    assert_int_equal(count_notices(x, KIND(OVERDUE), 0), 0);
    int64_t ms = relay_next_deadline_ms(x->w->relay);
    assert_int_equal(ms, x->w->now.wall_ms + DAY_MS);
    sleep_until(x, day(11, 28));
    work(x);
    assert_int_equal(count_notices(x, KIND(OVERDUE), day(11, 25)), 2 * CASES);
    expect_away(x, day(11, 19), day(11, 26)); /* it is still shown */
}

/* From Friday to Monday no working day lies between; to Tuesday one does. */
static void half_days_do_not_count(void **state)
{
    struct scene *x = *state;
    sleep_until(x, day(11, 20));
    refer(x);
    restart(x, 0, day(11, 23));
    assert_false(stage_saw_event(x->w, "relay.was_away"));
    expect_away(x, 0, 0);
    restart(x, 0, day(11, 24));
    assert_true(stage_saw_event(x->w, "relay.was_away"));
    expect_away(x, day(11, 21), day(11, 23));
    struct stage *w = x->w;
    stage_crash(w, 0);
    w->event_count = 0;
    relay_begin(w->relay, w->now.wall_ms + 5 * DAY_MS, w->now); /* a clock that was set back */
    relay_begin(w->relay, 0, w->now);                           /* a new store */
    assert_false(stage_saw_event(w, "relay.was_away"));
}

/* The relay is quiet, and is started anew each day: a session made a record the day before, so nothing waits. */
static void daily_restarts_do_not_starve_the_steps(void **state)
{
    struct scene *x = *state;
    refer(x);
    for (uint32_t date = day(11, 19); date <= day(11, 26); date++) {
        restart(x, 0, date);
        assert_false(stage_saw_event(x->w, "relay.was_away"));
        stage_listen(x->w, &x->w->gp_pc);
        work(x);
    }
    assert_int_equal(count_notices(x, KIND(OVERDUE), day(11, 25)), 2 * CASES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_owed_runs_on_after_an_outage),
        TEST(an_outage_is_taken_in_once_over_crashes),
        TEST(a_word_that_is_lost_was_not_given),
        TEST(what_was_overdue_is_told_after_the_new_date),
        TEST(a_letter_takes_it_in_first),
        TEST(an_ended_case_takes_in_nothing),
        TEST(what_makes_no_sense_is_refused),
        TEST(so_many_and_no_more),
        TEST(rows_that_do_not_fit_are_refused),
        TEST(a_relay_that_was_away_waits_for_a_word),
        TEST(without_a_word_the_day_ends),
        TEST(half_days_do_not_count),
        TEST(daily_restarts_do_not_starve_the_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
