/* tests/unit/test_core_figures.c: figures in the core: counted as cases move, told to who may know, published once. */
#include "daemon/core/decide.h"
#include "daemon/core/relay_inside.h"
#include "rules/workdays.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define MEASURE(name) BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_##name
#define FORM(name) BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name
#define PERIOD(name) BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define DAY_MS INT64_C(86400000)
#define ANY UINT32_MAX

struct scene {
    struct stage *w;
    struct stage_endpoint observer;
};

static void begin_on(struct stage *w, unsigned year, unsigned month, unsigned day)
{
    int64_t ms = workdays_time_ms(workdays_from_civil(year, month, day), 12);
    w->now.mono_ms += ms - w->now.wall_ms; /* time goes on, it does not leap */
    w->now.wall_ms = ms;
}

static void listen_all(struct scene *x)
{
    stage_listen(x->w, &x->w->gp_pc);
    stage_listen(x->w, &x->w->consultant_pc);
    stage_connect(x->w, &x->observer);
    stage_settle(x->w);
}

static int setup(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    struct id observer = stage_id(4, 9001), endpoint = stage_id(4, 9002);
    assert_non_null(x);
    x->w = stage_new(NULL);
    begin_on(x->w, 2027, 1, 4); /* a Monday */
    stage_add_person(x->w, &observer, &x->w->team, ROLE(OBSERVER), 0);
    stage_add_endpoint(x->w, &x->observer, &endpoint, &x->w->team, &observer, false);
    listen_all(x);
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

/* ---- cases ---- */

/* Whatever the session got so far. */
static void discard(struct scene *x, const struct stage_endpoint *e)
{
    while (stage_take(x->w, e->session))
        ;
}

static void post(struct scene *x, Brug__V1__Kind kind, struct stage_endpoint *from,
                 const struct id *case_id, struct stage_codes codes)
{
    bool is_practice = from == &x->w->gp_pc;
    struct stage_letter l =
        stage_letter(x->w, kind, from, is_practice ? &x->w->team : &x->w->practice, case_id);
    l.codes = codes;
    discard(x, from);
    stage_post(x->w, &l);
}

static struct id refer(struct scene *x)
{
    struct id case_id = stage_case_id(x->w);
    post(x, KIND(REFERRAL), &x->w->gp_pc, &case_id, (struct stage_codes){0});
    return case_id;
}

static void claim(struct scene *x, const struct id *case_id)
{
    post(x, KIND(CLAIM), &x->w->consultant_pc, case_id, (struct stage_codes){0});
}

static void close_as(struct scene *x, const struct id *case_id, Brug__V1__Outcome outcome)
{
    post(x, KIND(CLOSING), &x->w->consultant_pc, case_id, (struct stage_codes){.outcome = outcome});
}

/* ---- asking ---- */

static Brug__V1__ServerFrame *ask_in(struct scene *x, const struct stage_endpoint *e,
                                     const struct id *municipality, Brug__V1__FigurePeriod period,
                                     uint32_t date, bool inside)
{
    struct buf b;
    ask_get_figures(&b, ++x->w->request, municipality, period, date, inside);
    discard(x, e);
    relay_on_frame(x->w->relay, e->session, buf_slice(&b), x->w->now);
    buf_fini(&b);
    stage_settle(x->w);
    Brug__V1__ServerFrame *answer = stage_take(x->w, e->session);
    assert_non_null(answer);
    return answer;
}

static enum error refusal(struct scene *x, const struct stage_endpoint *e, uint32_t date,
                          bool inside)
{
    Brug__V1__ServerFrame *f = ask_in(x, e, &x->w->municipality, PERIOD(QUARTER), date, inside);
    assert_int_equal(f->frame_case, SERVER(REFUSED));
    return (enum error)f->refused->code;
}

static const Brug__V1__Figures *ask(struct scene *x, const struct stage_endpoint *e,
                                    Brug__V1__FigurePeriod period, uint32_t date, bool inside)
{
    Brug__V1__ServerFrame *f = ask_in(x, e, &x->w->municipality, period, date, inside);
    assert_int_equal(f->frame_case, SERVER(FIGURES));
    return f->figures;
}

static const Brug__V1__FigureRow *row(const Brug__V1__Figures *f, Brug__V1__FigureMeasure measure,
                                      uint32_t code)
{
    for (size_t i = 0; i < f->teams[0]->n_rows; i++)
        if (f->teams[0]->rows[i]->measure == measure &&
            (code == ANY || f->teams[0]->rows[i]->code == code))
            return f->teams[0]->rows[i];
    fail_msg("no row %d %u", (int)measure, code);
    return NULL;
}

static void assert_row(const Brug__V1__Figures *f, Brug__V1__FigureMeasure measure, uint32_t code,
                       Brug__V1__FigureForm form, uint32_t number)
{
    const Brug__V1__FigureRow *r = row(f, measure, code);
    if (r->form != form || r->number != number)
        fail_msg("measure %d, code %u: form %d, %u", (int)measure, code, (int)r->form, r->number);
}

#define assert_exact(f, measure, code, number) \
    assert_row(f, MEASURE(measure), code, FORM(EXACT), number)

static uint32_t day(unsigned year, unsigned month, unsigned of_month)
{
    return workdays_from_civil(year, month, of_month);
}

/* ---- counting ---- */

static void each_letter_counts_for_what_it_is(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct id first = refer(x), second = refer(x), consult = stage_case_id(w);
    post(x, KIND(CONSULT), &w->gp_pc, &consult, (struct stage_codes){0});
    begin_on(w, 2027, 1, 7); /* three working days later */
    claim(x, &first);
    post(x, KIND(ADVICE), &w->consultant_pc, &consult, (struct stage_codes){0});
    begin_on(w, 2027, 2, 1); /* START was owed by 21 January */
    post(x, KIND(START), &w->consultant_pc, &first,
         (struct stage_codes){.involvement = BRUG__V1__INVOLVEMENT__INVOLVEMENT_NOT_KNOWN});
    begin_on(w, 2027, 2, 8);
    close_as(x, &first, OUTCOME(LOCAL_PROVISION));
    post(x, KIND(WITHDRAWAL), &w->gp_pc, &second, (struct stage_codes){0});
    struct id third = refer(x);
    (void)third;
    const Brug__V1__Figures *f = ask(x, &w->consultant_pc, PERIOD(QUARTER), day(2027, 2, 8), true);
    assert_true(f->running);
    assert_int_equal(f->n_teams, 1);
    assert_exact(f, REFERRED, 0, 3);
    assert_exact(f, ENDED, 0, 2);
    assert_exact(f, OPEN, 0, 1);
    assert_exact(f, CONSULTED, 0, 1);
    assert_exact(f, ADVISED, 0, 1);
    assert_exact(f, REASON, BRUG__V1__REASON__REASON_PARENTING, 3);
    assert_exact(f, OUTCOME, OUTCOME(LOCAL_PROVISION), 1);
    assert_exact(f, OUTCOME, OUTCOME(WITHDRAWN), 1);
    assert_exact(f, TAKE_UP_DAYS, 5, 1);
    assert_exact(f, TAKE_UP_MEDIAN, 0, 3);
    assert_exact(f, TAKE_UP_MEAN, 0, 30);
    assert_exact(f, START_DAYS, 25, 1);
    assert_exact(f, START_MEDIAN, 0, 20);
    assert_exact(f, END_DAYS, 40, 2);
    assert_exact(f, FEEDBACK_ON_TIME, OWED(CLOSING), 1);
    assert_exact(f, FEEDBACK_ON_TIME, OWED(ADVICE), 1);
    assert_exact(f, FEEDBACK_LATE, OWED(START), 1);
    assert_exact(f, FEEDBACK_ON_TIME, 0, 2);
    assert_exact(f, OWN_SHARE, 0, 100);
    assert_exact(f, ON_TIME_SHARE, 0, 67);
    f = ask(x, &w->consultant_pc, PERIOD(4W), day(2027, 1, 15), true);
    assert_exact(f, REFERRED, 0, 2);
    assert_exact(f, ENDED, 0, 0);
    assert_exact(f, OPEN, 0, 2);
}

static void a_decline_counts_as_out_when_it_is_accepted(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct id case_id = refer(x);
    struct stage_letter l =
        stage_letter(w, KIND(DECLINE_PROPOSAL), &w->consultant_pc, &w->practice, &case_id);
    l.codes.decline_reason = BRUG__V1__DECLINE_REASON__DECLINE_REASON_NO_ROOM_IN_TIME;
    discard(x, &w->consultant_pc);
    stage_post(w, &l);
    const Brug__V1__Figures *f = ask(x, &w->consultant_pc, PERIOD(YEAR), day(2027, 1, 4), true);
    assert_exact(f, ENDED, 0, 0);
    post(
        x, KIND(PROPOSAL_ANSWER), &w->gp_pc, &case_id,
        (struct stage_codes){.in_reply_to = l.id, .decision = BRUG__V1__DECISION__DECISION_ACCEPT});
    f = ask(x, &w->consultant_pc, PERIOD(YEAR), day(2027, 1, 4), true);
    assert_exact(f, OUTCOME, OUTCOME(NOT_TAKEN_UP), 1);
    assert_exact(f, FEEDBACK_ON_TIME, 0, 0); /* a take-up is no feedback, and what lapsed is none */
    assert_exact(f, FEEDBACK_LATE, 0, 0);
}

static void who_carries_what_now(void **state)
{
    struct scene *x = *state;
    struct id first = refer(x), second = refer(x);
    (void)refer(x);
    claim(x, &first);
    claim(x, &second);
    begin_on(x->w, 2027, 1, 12); /* a day after TAKE_UP was due */
    const Brug__V1__Figures *f =
        ask(x, &x->w->consultant_pc, PERIOD(QUARTER), day(2027, 1, 12), true);
    uint32_t named = 0, nobody = 0;
    assert_exact(f, OVERDUE, OWED(TAKE_UP), 1);
    assert_exact(f, OVERDUE, OWED(START), 0);
    for (size_t i = 0; i < f->teams[0]->n_rows; i++) {
        const Brug__V1__FigureRow *r = f->teams[0]->rows[i];
        if (r->measure != MEASURE(CASELOAD))
            continue;
        if (r->name[0] == '\0')
            nobody += r->number;
        else
            named += r->number;
    }
    assert_int_equal(named, 2);
    assert_int_equal(nobody, 1);
}

/* ---- the same after a crash, wherever the fold has come ---- */

static void a_replay_counts_the_same(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct digest before, after;
    for (unsigned i = 0; i < 7; i++) {
        struct id case_id = refer(x);
        if (i % 2 == 0) {
            claim(x, &case_id);
            close_as(x, &case_id, OUTCOME(NO_HELP_NEEDED));
        }
    }
    begin_on(w, 2027, 4, 1);
    (void)ask(x, &x->observer, PERIOD(QUARTER), 0, false);
    w->now.wall_ms -= 2 * DAY_MS; /* in a quarter that is published */
    (void)refer(x);
    assert_int_equal(stage_count_records(w, RECORD(FIGURES_PUBLISHED)), 1);
    for (uint64_t lsn = 0; lsn <= stage_committed_lsn(w); lsn += 7) {
        assert_int_equal(state_digest(relay_state(w->relay), &before), 0);
        struct state *s = stage_replay(w, lsn);
        assert_int_equal(state_digest(s, &after), 0);
        assert_true(digest_equal(&before, &after));
        state_free(s);
    }
    stage_crash(w, stage_committed_lsn(w));
    listen_all(x);
    const Brug__V1__Figures *f = ask(x, &w->consultant_pc, PERIOD(QUARTER), day(2027, 1, 4), true);
    assert_exact(f, REFERRED, 0, 7);
    f = ask(x, &w->consultant_pc, PERIOD(YEAR), day(2027, 1, 4), true);
    assert_exact(f, REFERRED, 0, 8);
}

/* ---- publishing ---- */

static void a_period_is_published_once_and_stays(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    for (unsigned i = 0; i < 6; i++)
        (void)refer(x);
    assert_int_equal(refusal(x, &x->observer, day(2027, 1, 4), false), ERROR_NOT_OVER);
    begin_on(w, 2027, 3, 31);
    assert_int_equal(refusal(x, &x->observer, day(2027, 1, 4), false), ERROR_NOT_OVER);
    assert_int_equal(stage_count_records(w, RECORD(FIGURES_PUBLISHED)), 0);
    begin_on(w, 2027, 4, 1);
    const Brug__V1__Figures *f = ask(x, &x->observer, PERIOD(QUARTER), 0, false);
    assert_int_equal(f->from_date, day(2027, 1, 1));
    assert_int_equal(f->until_date, day(2027, 3, 31));
    assert_int_equal(f->teams[0]->published_at_ms, w->now.wall_ms);
    assert_exact(f, REFERRED, 0, 6);
    assert_row(f, MEASURE(ENDED), 0, FORM(UNDER_5), 0);
    assert_row(f, MEASURE(REASON), BRUG__V1__REASON__REASON_PARENTING, FORM(ROUNDED), 5);
    assert_int_equal(stage_count_records(w, RECORD(FIGURES_PUBLISHED)), 1);
    w->now.wall_ms -= 30 * DAY_MS;
    (void)refer(x);
    begin_on(w, 2027, 4, 2);
    w->now.mono_ms += 2 * DAY_MS; /* the clock is believed again */
    stage_settle(w);
    f = ask(x, &w->gp_pc, PERIOD(QUARTER), day(2027, 2, 2), false);
    assert_exact(f, REFERRED, 0, 6);
    assert_int_equal(stage_count_records(w, RECORD(FIGURES_PUBLISHED)), 1);
    f = ask(x, &w->consultant_pc, PERIOD(QUARTER), day(2027, 4, 2), true);
    assert_exact(f, REFERRED, 0, 1);
}

/* It would tell nothing, and cost room for each period that anybody names. */
static void what_was_over_before_anything_was_counted_is_not_published(void **state)
{
    struct scene *x = *state;
    begin_on(x->w, 2027, 4, 1);
    assert_int_equal(refusal(x, &x->observer, 0, false), ERROR_NOT_BEGUN);
    (void)refer(x);
    begin_on(x->w, 2028, 1, 1);
    assert_int_equal(refusal(x, &x->observer, day(2027, 3, 31), false), ERROR_NOT_BEGUN);
    assert_int_equal(stage_count_records(x->w, RECORD(FIGURES_PUBLISHED)), 0);
    const Brug__V1__Figures *f = ask(x, &x->observer, PERIOD(QUARTER), day(2027, 4, 1), false);
    assert_row(f, MEASURE(REFERRED), 0, FORM(UNDER_5), 0);
    f = ask(x, &x->observer, PERIOD(YEAR), day(2027, 3, 31), false);
    assert_int_equal(stage_count_records(x->w, RECORD(FIGURES_PUBLISHED)), 2);
    f = ask(x, &x->w->consultant_pc, PERIOD(QUARTER), day(2027, 3, 31), true);
    assert_exact(f, REFERRED, 0, 0); /* the team itself may know */
}

/* The last periods of 4 and of 6 weeks are the same days in some years. */
static void the_same_days_are_one_table(void **state)
{
    struct scene *x = *state;
    (void)refer(x);
    begin_on(x->w, 2028, 1, 1);
    const Brug__V1__Figures *f = ask(x, &x->observer, PERIOD(4W), 0, false);
    uint32_t from = f->from_date;
    f = ask(x, &x->observer, PERIOD(6W), 0, false);
    assert_int_equal(f->from_date, from);
    assert_int_equal(stage_count_records(x->w, RECORD(FIGURES_PUBLISHED)), 1);
}

static void publishing_needs_room_and_a_clock(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    (void)refer(x);
    begin_on(w, 2027, 7, 1);
    (void)ask(x, &x->observer, PERIOD(QUARTER), 0, false);
    relay_set_room(w->relay, false);
    (void)ask(x, &x->observer, PERIOD(QUARTER), 0, false);
    assert_int_equal(refusal(x, &x->observer, day(2027, 1, 4), false), ERROR_FULL);
    relay_set_room(w->relay, true);
    w->now.wall_ms += 100 * DAY_MS;
    stage_settle(w);
    assert_int_equal(refusal(x, &x->observer, day(2027, 7, 1), false), ERROR_BUSY);
    (void)ask(x, &x->observer, PERIOD(QUARTER), day(2027, 4, 1), false);
    assert_int_equal(stage_count_records(w, RECORD(FIGURES_PUBLISHED)), 1);
}

/* Also by what comes before the relay looks at the time by itself. */
static void a_leap_is_seen_before_a_period_is_published(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    (void)refer(x);
    w->now.wall_ms += 100 * DAY_MS;
    assert_int_equal(refusal(x, &x->observer, day(2027, 1, 4), false), ERROR_BUSY);
    assert_int_equal(stage_count_records(w, RECORD(FIGURES_PUBLISHED)), 0);
}

/* Nothing ends before it was referred. */
static void a_clock_that_is_set_back_takes_nothing_away(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    begin_on(w, 2027, 3, 22);
    struct id case_id = refer(x);
    w->now.wall_ms -= 40 * DAY_MS;
    post(x, KIND(WITHDRAWAL), &w->gp_pc, &case_id, (struct stage_codes){0});
    w->now.wall_ms += 2 * DAY_MS; /* it is believed again */
    w->now.mono_ms += 2 * DAY_MS;
    const Brug__V1__Figures *f =
        ask(x, &w->consultant_pc, PERIOD(4W), workdays_date(w->now.wall_ms), true);
    assert_exact(f, ENDED, 0, 0);
    assert_exact(f, OPEN, 0, 0);
    w->now.wall_ms += 60 * DAY_MS;
    w->now.mono_ms += 60 * DAY_MS;
    f = ask(x, &w->consultant_pc, PERIOD(4W), day(2027, 3, 22), true);
    assert_exact(f, REFERRED, 0, 1);
    assert_exact(f, ENDED, 0, 1);
    assert_exact(f, OPEN, 0, 0);
}

/* A row of the disk with other days than a period has would not fit into what is reckoned from it. */
static void a_table_of_no_period_is_corrupt(void **state)
{
    struct scene *x = *state;
    Brug__V1__FiguresPublished r = BRUG__V1__FIGURES_PUBLISHED__INIT;
    const struct figure_period real = period_of(PERIOD(QUARTER), day(2027, 1, 1));
    const struct figure_period odd[] = {{PERIOD(QUARTER), real.from, real.until - 1},
                                        {PERIOD(QUARTER), real.from + 1, real.until},
                                        {PERIOD(QUARTER), real.until, real.from},
                                        {PERIOD(YEAR), real.from, real.until},
                                        {PERIOD(NONE), real.from, real.until},
                                        {(Brug__V1__FigurePeriod)6, real.from, real.until},
                                        real};
    struct state *s = stage_replay(x->w, stage_committed_lsn(x->w));
    r.municipality = id_bytes(&x->w->municipality);
    r.team = id_bytes(&x->w->team);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        uint8_t bytes[128];
        r.period = odd[i].kind;
        r.from_date = odd[i].from;
        r.until_date = odd[i].until;
        size_t len = brug__v1__figures_published__pack(&r, bytes);
        bool is_real = i + 1 == sizeof odd / sizeof odd[0];
        assert_int_equal(
            apply_record(s, state_lsn(s) + 1, RECORD(FIGURES_PUBLISHED), slice_of(bytes, len)),
            is_real ? ERROR_NONE : ERROR_CORRUPT);
    }
    state_free(s);
}

/* ---- who may ask what ---- */

static void outsiders_see_what_is_published(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    (void)refer(x);
    begin_on(w, 2027, 4, 1);
    assert_int_equal(refusal(x, &w->gp_pc, 0, true), ERROR_ROLE_NOT_ALLOWED);
    assert_int_equal(refusal(x, &x->observer, 0, true), ERROR_ROLE_NOT_ALLOWED);
    (void)ask(x, &w->gp_pc, PERIOD(QUARTER), 0, false);
    (void)ask(x, &w->consultant_pc, PERIOD(QUARTER), 0, false);
    assert_int_equal(refusal(x, &w->consultant_pc, day(2027, 7, 1), true), ERROR_NOT_OVER);
    Brug__V1__ServerFrame *f = ask_in(x, &w->gp_pc, &w->other_municipality, PERIOD(YEAR), 0, false);
    assert_int_equal(f->frame_case, SERVER(REFUSED));
    assert_int_equal(f->refused->code, ERROR_NO_SUCH_OBJECT);
    struct id nowhere = stage_id(4, 77);
    f = ask_in(x, &w->gp_pc, &nowhere, PERIOD(YEAR), 0, false);
    assert_int_equal(f->refused->code, ERROR_NO_SUCH_OBJECT); /* I6: as a foreign one */
}

static void an_observer_asks_for_nothing_else(void **state)
{
    struct scene *x = *state;
    struct id case_id = refer(x);
    struct buf b;
    ask_get_case(&b, 7, &case_id);
    relay_on_frame(x->w->relay, x->observer.session, buf_slice(&b), x->w->now);
    buf_fini(&b);
    stage_settle(x->w);
    Brug__V1__ServerFrame *f, *last = NULL;
    while ((f = stage_take(x->w, x->observer.session)))
        last = f;
    assert_int_equal(last->frame_case, SERVER(REFUSED));
    assert_int_equal(last->refused->code, ERROR_ROLE_NOT_ALLOWED);
}

static void add_team(struct scene *x, unsigned number)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
    struct id id = stage_id(4, 500 + number);
    char name[32], none[] = "";
    ProtobufCBinaryData municipality = id_bytes(&x->w->municipality);
    snprintf(name, sizeof name, "Team %u", number);
    add.organisation = id_bytes(&id);
    add.kind = BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM;
    add.n_municipalities = 1;
    add.municipalities = &municipality;
    add.name = name;
    add.area = none;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
    q.add_organisation = &add;
    assert_int_equal(stage_admin(x->w, &q, NULL)->code, 0);
}

static void pages_bring_every_team_once(void **state)
{
    struct scene *x = *state;
    struct id after = ID_NONE;
    unsigned teams = 0, pages = 0;
    (void)refer(x);
    for (unsigned i = 0; i < 20; i++)
        add_team(x, i);
    begin_on(x->w, 2027, 4, 1);
    do {
        Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
        Brug__V1__GetFigures get = BRUG__V1__GET_FIGURES__INIT;
        get.municipality = id_bytes(&x->w->municipality);
        get.period = PERIOD(QUARTER);
        get.after = id_bytes(&after);
        q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_GET_FIGURES;
        q.get_figures = &get;
        const Brug__V1__AdminAnswer *a = stage_admin(x->w, &q, NULL);
        assert_int_equal(a->code, 0);
        for (size_t i = 0; i < a->figures->n_teams; i++) {
            struct id id;
            assert_true(id_take(a->figures->teams[i]->team, &id));
            assert_true(id_compare(&id, &after) > 0);
            after = id;
        }
        teams += (unsigned)a->figures->n_teams;
        pages++;
        if (a->figures->next.len == 0)
            break;
    } while (pages < 10);
    assert_int_equal(teams, 21);
    assert_int_equal(pages, 3);
    assert_int_equal(stage_count_records(x->w, RECORD(FIGURES_PUBLISHED)), 21);
}

/* ---- limits ---- */

/* All periods of a year; the tables of some are the same days. */
static void every_period_of_a_year_is_published(void **state)
{
    struct scene *x = *state;
    size_t tables = 0;
    for (unsigned i = 0; i < 7; i++)
        (void)refer(x);
    begin_on(x->w, 2028, 1, 4);
    for (int kind = PERIOD(4W); kind <= PERIOD(YEAR); kind++)
        for (uint32_t next = day(2027, 1, 1); next <= day(2027, 12, 31); tables++) {
            const Brug__V1__Figures *f =
                ask(x, &x->observer, (Brug__V1__FigurePeriod)kind, next, false);
            assert_int_equal(f->from_date, next);
            next = f->until_date + 1;
        }
    assert_int_equal(tables, 13 + 9 + 6 + 4 + 1);
    assert_true(stage_count_records(x->w, RECORD(FIGURES_PUBLISHED)) + 1 >= tables);
    const Brug__V1__Figures *f = ask(x, &x->observer, PERIOD(4W), day(2027, 1, 1), false);
    assert_exact(f, REFERRED, 0, 7);
}

static void an_operator_gets_one_line_for_what_is_wrong(void **state)
{
    struct scene *x = *state;
    struct id nowhere = stage_id(4, 77);
    const struct {
        Brug__V1__FigurePeriod period;
        uint32_t date;
        const struct id *municipality;
        enum error code;
    } wrong[] = {
        {PERIOD(NONE), 0, &x->w->municipality, ERROR_REQUEST_MALFORMED},
        {(Brug__V1__FigurePeriod)6, 0, &x->w->municipality, ERROR_REQUEST_MALFORMED},
        {PERIOD(YEAR), 1, &x->w->municipality, ERROR_REQUEST_MALFORMED},
        {PERIOD(YEAR), day(2027, 1, 4), &x->w->municipality, ERROR_NOT_OVER},
        {PERIOD(YEAR), 0, &nowhere, ERROR_NO_SUCH_OBJECT},
        {PERIOD(YEAR), 0, &ID_NONE, ERROR_NO_SUCH_OBJECT}, /* there are two */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
        Brug__V1__GetFigures get = BRUG__V1__GET_FIGURES__INIT;
        get.municipality = id_bytes(wrong[i].municipality);
        get.period = wrong[i].period;
        get.date = wrong[i].date;
        q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_GET_FIGURES;
        q.get_figures = &get;
        const Brug__V1__AdminAnswer *a = stage_admin(x->w, &q, NULL);
        assert_int_equal(a->code, wrong[i].code);
        assert_true(a->error[0] != '\0' && !strchr(a->error, '\n'));
        assert_null(a->figures);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_letter_counts_for_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_decline_counts_as_out_when_it_is_accepted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_carries_what_now, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replay_counts_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(a_period_is_published_once_and_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_over_before_anything_was_counted_is_not_published,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_days_are_one_table, setup, teardown),
        cmocka_unit_test_setup_teardown(publishing_needs_room_and_a_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leap_is_seen_before_a_period_is_published, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_takes_nothing_away, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_table_of_no_period_is_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(outsiders_see_what_is_published, setup, teardown),
        cmocka_unit_test_setup_teardown(an_observer_asks_for_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_bring_every_team_once, setup, teardown),
        cmocka_unit_test_setup_teardown(every_period_of_a_year_is_published, setup, teardown),
        cmocka_unit_test_setup_teardown(an_operator_gets_one_line_for_what_is_wrong, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
