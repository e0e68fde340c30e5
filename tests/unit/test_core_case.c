/* tests/unit/test_core_case.c: cases in the core: moved by letters, told to who may know, the same after a crash. */
#include "proto/check.h"
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
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define RISKS \
    (BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED | \
     BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED)
#define DAY_MS INT64_C(86400000)

/* A world, and the case that its tests are about. */
struct scene {
    struct stage *w;
    struct id case_id, referral;
};

static int setup(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    assert_non_null(x);
    x->w = stage_new(NULL);
    stage_listen(x->w, &x->w->gp_pc);
    stage_listen(x->w, &x->w->gp2_pc);
    stage_listen(x->w, &x->w->consultant_pc);
    stage_listen(x->w, &x->w->consultant2_pc);
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

/* ---- letters of the case ---- */

static void discard(struct stage *w)
{
    const uint64_t sessions[] = {w->gp_pc.session, w->gp2_pc.session, w->consultant_pc.session,
                                 w->consultant2_pc.session};
    for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++)
        while (stage_take(w, sessions[i]))
            ;
}

static struct stage_letter letter(struct scene *x, Brug__V1__Kind kind, struct stage_endpoint *from,
                                  struct stage_codes codes)
{
    bool is_practice = id_equal(&from->organisation, &x->w->practice);
    struct stage_letter l =
        stage_letter(x->w, kind, from, is_practice ? &x->w->team : &x->w->practice, &x->case_id);
    l.codes = codes;
    return l;
}

/* Submits, settles; the code of the answer, ERROR_NONE for a receipt. */
static enum error offer(struct scene *x, const struct stage_letter *l)
{
    discard(x->w);
    stage_submit(x->w, l->from->session, l);
    stage_settle(x->w);
    Brug__V1__ServerFrame *f;
    while ((f = stage_take(x->w, l->from->session)))
        if (f->frame_case == SERVER(RECEIPT) || f->frame_case == SERVER(REFUSED))
            return f->frame_case == SERVER(RECEIPT) ? ERROR_NONE : (enum error)f->refused->code;
    fail_msg("no answer");
    return ERROR_IO;
}

static enum error say(struct scene *x, Brug__V1__Kind kind, struct stage_endpoint *from,
                      struct stage_codes codes)
{
    struct stage_letter l = letter(x, kind, from, codes);
    return offer(x, &l);
}

/* That must be accepted; its id. */
static struct id must(struct scene *x, Brug__V1__Kind kind, struct stage_endpoint *from,
                      struct stage_codes codes)
{
    struct stage_letter l = letter(x, kind, from, codes);
    enum error e = offer(x, &l);
    if (e)
        fail_msg("kind %d: %s", (int)kind, error_name(e));
    return l.id;
}

static void refer(struct scene *x, Brug__V1__MomentEvent moment)
{
    x->case_id = stage_case_id(x->w);
    x->referral =
        must(x, KIND(REFERRAL), &x->w->gp_pc, (struct stage_codes){.moments = {{.event = moment}}});
}

/* ---- what the relay tells ---- */

static Brug__V1__ServerFrame *ask_case(struct scene *x, const struct stage_endpoint *e)
{
    struct buf b;
    discard(x->w);
    ask_get_case(&b, 1, &x->case_id);
    relay_on_frame(x->w->relay, e->session, buf_slice(&b), x->w->now);
    buf_fini(&b);
    stage_settle(x->w);
    Brug__V1__ServerFrame *f = stage_take(x->w, e->session);
    assert_non_null(f);
    return f;
}

static const Brug__V1__Case *told(struct scene *x)
{
    Brug__V1__ServerFrame *f = ask_case(x, &x->w->gp_pc);
    assert_int_equal(f->frame_case, SERVER(CASE_FACTS));
    return f->case_facts;
}

static const Brug__V1__OwedItem *owed(const Brug__V1__Case *c, Brug__V1__OwedKind kind)
{
    for (size_t i = 0; i < c->n_owed; i++)
        if (c->owed[i]->kind == kind)
            return c->owed[i];
    return NULL;
}

static void assert_case(struct scene *x, Brug__V1__CaseState state, Brug__V1__Side custody)
{
    const Brug__V1__Case *c = told(x);
    assert_int_equal(c->state, state);
    assert_int_equal(c->custody, custody);
}

/* The same after power failed, from tables folded so far. */
static void assert_same_after_crash(struct scene *x)
{
    struct digest before, after;
    for (uint64_t folded = 0; folded <= stage_committed_lsn(x->w); folded += 3) {
        struct state *s = stage_replay(x->w, folded);
        assert_int_equal(state_digest(relay_state(x->w->relay), &before), 0);
        assert_int_equal(state_digest(s, &after), 0);
        assert_true(digest_equal(&before, &after));
        state_free(s);
    }
}

/* ---- tests ---- */

static void a_case_goes_its_way_from_referral_to_the_opened_closing(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_FIRST_CONVERSATION);
    assert_case(x, STATE(REFERRED), PRACTICE);
    assert_non_null(owed(told(x), OWED(TAKE_UP)));
    must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    assert_case(x, STATE(CLARIFYING), TEAM);
    assert_null(owed(told(x), OWED(TAKE_UP)));
    must(x, KIND(START), &w->consultant_pc,
         (struct stage_codes){.involvement = BRUG__V1__INVOLVEMENT__INVOLVEMENT_NOT_KNOWN});
    assert_case(x, STATE(SUPPORT), TEAM);
    must(x, KIND(INTERIM), &w->consultant_pc, (struct stage_codes){.moment = 1});
    assert_null(owed(told(x), OWED(MOMENT)));
    struct stage_codes outcome = {.outcome = BRUG__V1__OUTCOME__OUTCOME_OWN_SHORT_SUPPORT};
    struct id closing = must(x, KIND(CLOSING), &w->consultant_pc, outcome);
    assert_case(x, STATE(CLOSED), TEAM);
    stage_opened(w, w->gp_pc.session, &w->team, &closing, &w->gp);
    stage_settle(w);
    assert_case(x, STATE(CLOSED), PRACTICE);
    assert_int_equal(told(x)->n_owed, 0);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 6);
    assert_same_after_crash(x);
}

/* I4: not the team's own opening, not another letter's, and once. */
static void only_a_gps_opening_of_the_closing_letter_moves_custody(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    struct id claim = must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    struct id closing =
        must(x, KIND(CLOSING), &w->consultant_pc,
             (struct stage_codes){.outcome = BRUG__V1__OUTCOME__OUTCOME_NO_HELP_NEEDED});
    stage_opened(w, w->consultant2_pc.session, &w->team, &closing, &w->consultant2);
    stage_opened(w, w->gp_pc.session, &w->team, &claim, &w->gp);
    stage_settle(w);
    assert_case(x, STATE(CLOSED), TEAM);
    stage_opened(w, w->gp2_pc.session, &w->team, &closing, &w->gp2);
    stage_opened(w, w->gp_pc.session, &w->team, &closing, &w->gp);
    stage_settle(w);
    assert_case(x, STATE(CLOSED), PRACTICE);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 4);
    assert_same_after_crash(x);
}

/* T30: two consultants claim at once; the first committed wins, and a repeat of either gets the same answer. */
static void T30_two_claims_at_once_make_one_director(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    for (unsigned run = 0; run < 1000; run++) {
        refer(x, 0);
        struct stage_endpoint *first = run % 2 ? &w->consultant_pc : &w->consultant2_pc;
        struct stage_endpoint *second = run % 2 ? &w->consultant2_pc : &w->consultant_pc;
        struct stage_letter a = letter(x, KIND(CLAIM), first, (struct stage_codes){0});
        struct stage_letter b = letter(x, KIND(CLAIM), second, (struct stage_codes){0});
        discard(w);
        stage_submit(w, first->session, &a);
        stage_submit(w, second->session, &b);
        stage_settle(w);
        assert_int_equal(offer(x, &a), ERROR_NONE);
        assert_int_equal(offer(x, &b), ERROR_CASE_TAKEN);
        assert_memory_equal(told(x)->director.data, first->person.bytes, ID_BYTES);
    }
}

static void a_refused_move_stays_refused_and_changes_nothing(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    struct stage_letter early =
        letter(x, KIND(START), &w->consultant_pc,
               (struct stage_codes){.involvement = BRUG__V1__INVOLVEMENT__INVOLVEMENT_NOT_KNOWN});
    assert_int_equal(offer(x, &early), ERROR_CASE_REFERRED);
    assert_case(x, STATE(REFERRED), PRACTICE);
    must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    assert_int_equal(offer(x, &early), ERROR_CASE_REFERRED); /* it would be allowed now */
    assert_case(x, STATE(CLARIFYING), TEAM);
    assert_same_after_crash(x);
}

/* T22 */
static void T22_a_question_is_owed_an_answer_also_when_closed(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    struct id asked = must(x, KIND(INFO_REQUEST), &w->gp_pc, (struct stage_codes){0});
    struct stage_codes outcome = {.outcome = BRUG__V1__OUTCOME__OUTCOME_YOUTH_CARE};
    assert_int_equal(say(x, KIND(CLOSING), &w->consultant_pc, outcome), ERROR_STILL_OWED);
    must(x, KIND(INFO_REPLY), &w->consultant2_pc, (struct stage_codes){.in_reply_to = asked});
    must(x, KIND(CLOSING), &w->consultant_pc, outcome);
    asked = must(x, KIND(INFO_REQUEST), &w->gp2_pc, (struct stage_codes){0});
    assert_memory_equal(owed(told(x), OWED(INFO_REPLY))->message_id.data, asked.bytes, ID_BYTES);
    stage_crash(w, stage_committed_lsn(w) / 2);
    stage_listen(w, &w->gp_pc);
    stage_listen(w, &w->consultant2_pc);
    assert_non_null(owed(told(x), OWED(INFO_REPLY)));
    must(x, KIND(INFO_REPLY), &w->consultant2_pc, (struct stage_codes){.in_reply_to = asked});
    assert_int_equal(told(x)->n_owed, 0);
}

/* T20, T21 */
static void proposals_wait_for_the_other_side(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    uint32_t today = workdays_date(w->now.wall_ms);
    refer(x, 0);
    struct id decline =
        must(x, KIND(DECLINE_PROPOSAL), &w->consultant_pc,
             (struct stage_codes){.decline_reason =
                                      BRUG__V1__DECLINE_REASON__DECLINE_REASON_NO_ROOM_IN_TIME});
    assert_case(x, STATE(REFERRED), PRACTICE);
    assert_int_equal(told(x)->proposal->kind, KIND(DECLINE_PROPOSAL));
    must(x, KIND(PROPOSAL_ANSWER), &w->gp_pc,
         (struct stage_codes){.in_reply_to = decline,
                              .decision = BRUG__V1__DECISION__DECISION_OBJECT});
    assert_true(told(x)->objected && !told(x)->proposal);
    struct stage_codes bridging = {.carrier =
                                       BRUG__V1__BRIDGING_CARRIER__BRIDGING_CARRIER_CONSULTANT,
                                   .until_date = today + 20,
                                   .flags = RISKS};
    struct id proposed = must(x, KIND(BRIDGING_PROPOSAL), &w->consultant_pc, bridging);
    assert_true(told(x)->bridging_proposed && !told(x)->bridging);
    struct stage_codes yes = {.in_reply_to = proposed,
                              .decision = BRUG__V1__DECISION__DECISION_ACCEPT};
    assert_int_equal(say(x, KIND(BRIDGING_ANSWER), &w->gp_pc, yes), ERROR_CODE_MISSING);
    yes.flags = RISKS;
    assert_int_equal(say(x, KIND(BRIDGING_ANSWER), &w->consultant2_pc, yes), ERROR_NO_PROPOSAL);
    must(x, KIND(BRIDGING_ANSWER), &w->gp_pc, yes);
    assert_true(told(x)->bridging && !told(x)->bridging_proposed);
    assert_int_equal(say(x, KIND(WITHDRAWAL), &w->gp_pc, (struct stage_codes){0}),
                     ERROR_BRIDGING_IN_FORCE);
    assert_same_after_crash(x);
}

static void a_colleague_takes_over_from_an_absent_director_only(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_CHANGE_OF_DIRECTOR);
    must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    struct stage_codes to_other = {.new_director = w->consultant2};
    assert_int_equal(say(x, KIND(HANDOVER), &w->consultant2_pc, to_other), ERROR_NOT_DIRECTOR);
    struct stage_codes to_gp = {.new_director = w->gp};
    assert_int_equal(say(x, KIND(HANDOVER), &w->consultant_pc, to_gp), ERROR_NO_SUCH_DIRECTOR);
    stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON, &w->consultant,
                     BRUG__V1__STATUS__STATUS_SUSPENDED);
    must(x, KIND(HANDOVER), &w->consultant2_pc, to_other);
    assert_memory_equal(told(x)->director.data, w->consultant2.bytes, ID_BYTES);
    assert_true(owed(told(x), OWED(MOMENT))->due_date > 0);
    assert_same_after_crash(x);
}

static void a_consult_ends_with_advice(void **state)
{
    struct scene *x = *state;
    x->case_id = stage_case_id(x->w);
    must(x, KIND(CONSULT), &x->w->gp_pc, (struct stage_codes){0});
    assert_case(x, STATE(CONSULTING), PRACTICE);
    assert_int_equal(say(x, KIND(CLAIM), &x->w->consultant_pc, (struct stage_codes){0}),
                     ERROR_CASE_CONSULTING);
    must(x, KIND(ADVICE), &x->w->consultant_pc, (struct stage_codes){0});
    assert_case(x, STATE(ADVISED), PRACTICE);
}

/* T17, I6 */
static void a_foreign_case_and_an_unknown_one_get_the_same_answer(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    stage_listen(w, &w->stranger_pc);
    Brug__V1__ServerFrame *foreign = ask_case(x, &w->stranger_pc);
    x->case_id = stage_case_id(w);
    Brug__V1__ServerFrame *unknown = ask_case(x, &w->stranger_pc);
    uint8_t a[200], b[200];
    size_t len = brug__v1__server_frame__pack(foreign, a);
    assert_int_equal(foreign->refused->code, BRUG__V1__CODE__CODE_NO_SUCH_CASE);
    assert_int_equal(brug__v1__server_frame__pack(unknown, b), len);
    assert_memory_equal(a, b, len);
}

static const Brug__V1__Cases *page_of(struct scene *x, const struct id *after, bool ended)
{
    struct buf b;
    discard(x->w);
    ask_list_cases(&b, 1, after, 7, ended);
    relay_on_frame(x->w->relay, x->w->gp_pc.session, buf_slice(&b), x->w->now);
    buf_fini(&b);
    stage_settle(x->w);
    Brug__V1__ServerFrame *f = stage_take(x->w, x->w->gp_pc.session);
    assert_int_equal(f->frame_case, SERVER(CASES));
    return f->cases;
}

/* T14: what arrives meanwhile makes no repeat and no gap. */
static void T14_paging_while_cases_come(void **state)
{
    struct scene *x = *state;
    struct id first[40], after = ID_NONE;
    size_t seen = 0, pages = 0;
    for (size_t i = 0; i < 40; i++) {
        refer(x, 0);
        first[i] = x->case_id;
    }
    bool is_last = false;
    for (; !is_last; pages++) {
        const Brug__V1__Cases *page = page_of(x, &after, false);
        for (size_t i = 0; i < page->n_cases; i++) {
            struct id id;
            assert_true(id_take(page->cases[i]->case_id, &id) && id_compare(&id, &after) > 0);
            after = id;
            for (size_t k = 0; k < 40; k++)
                seen += id_equal(&first[k], &id);
        }
        is_last = page->next.len == 0;
        refer(x, 0);
    }
    assert_int_equal(seen, 40);
    assert_true(pages >= 6);
    must(x, KIND(WITHDRAWAL), &x->w->gp_pc, (struct stage_codes){0});
    size_t open = 0, all = 0;
    for (after = ID_NONE; open == 0 || !id_is_none(&after);) {
        const Brug__V1__Cases *page = page_of(x, &after, false);
        open += page->n_cases;
        (void)id_take_optional(page->next, &after);
    }
    for (after = ID_NONE; all == 0 || !id_is_none(&after);) {
        const Brug__V1__Cases *page = page_of(x, &after, true);
        all += page->n_cases;
        (void)id_take_optional(page->next, &after);
    }
    assert_int_equal(all, open + 1);
}

/* A case that was opened before cases moved is REFERRED, and owes what a referral of that day owes. */
static void a_case_of_before_is_referred(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    Brug__V1__Case old = BRUG__V1__CASE__INIT;
    uint8_t bytes[200];
    x->case_id = stage_case_id(w);
    struct id message = stage_message_id(w);
    old.case_id = id_bytes(&x->case_id);
    old.municipality = id_bytes(&w->municipality);
    old.practice = id_bytes(&w->practice);
    old.team = id_bytes(&w->team);
    old.message_id = id_bytes(&message);
    old.at_ms = STAGE_NOW_MS - 30 * DAY_MS;
    struct slice row = {bytes, brug__v1__case__pack(&old, bytes)};
    struct state *s = stage_replay(w, stage_committed_lsn(w));
    assert_int_equal(apply_record(s, state_lsn(s) + 1, RECORD(CASE_OPENED), row), 0);
    struct arena *arena = arena_new();
    arena_reset(arena, SIZE_MAX);
    Brug__V1__Case *c = casefile_unpack(casefile_find(s, &x->case_id), arena);
    assert_int_equal(c->state, STATE(REFERRED));
    assert_int_equal(c->custody, PRACTICE);
    assert_int_equal(c->at_ms, old.at_ms);
    assert_int_equal(c->owed[0]->kind, OWED(TAKE_UP));
    assert_int_equal(c->owed[0]->due_date,
                     workdays_add(workdays_date(old.at_ms), CASE_TERMS.take_up, 0));
    arena_free(arena);
    state_free(s);
}

static void rows_that_are_not_sound_are_refused(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    uint8_t bytes[1000];
    struct state *s = stage_replay(w, stage_committed_lsn(w));
    struct arena *arena = arena_new();
    arena_reset(arena, SIZE_MAX);
    Brug__V1__Case *c = casefile_unpack(casefile_find(s, &x->case_id), arena);
    Brug__V1__CaseMoved moved = BRUG__V1__CASE_MOVED__INIT;
    moved.case_now = c;
    c->custody = TEAM; /* of a case that nobody took up */
    struct slice row = {bytes, brug__v1__case_moved__pack(&moved, bytes)};
    assert_int_equal(apply_record(s, state_lsn(s) + 1, RECORD(CASE_MOVED), row), ERROR_CORRUPT);
    c->custody = PRACTICE;
    c->owed[0]->owed_id.len = 15;
    row.len = brug__v1__case_moved__pack(&moved, bytes);
    assert_int_equal(apply_record(s, state_lsn(s) + 1, RECORD(CASE_MOVED), row), ERROR_CORRUPT);
    arena_free(arena);
    state_free(s);
}

/* ---- time ---- */

/* Time passes on both clocks. */
static void pass(struct scene *x, int64_t ms)
{
    x->w->now.wall_ms += ms;
    x->w->now.mono_ms += ms;
    relay_on_time(x->w->relay, x->w->now);
    stage_settle(x->w);
}

/* Notices of this kind that an endpoint got and acknowledges now, about a letter. */
static unsigned take_notices(struct scene *x, const struct stage_endpoint *e, Brug__V1__Kind kind,
                             const struct id *about)
{
    unsigned n = 0;
    struct id id;
    Brug__V1__ServerFrame *f;
    while ((f = stage_take(x->w, e->session))) {
        if (f->frame_case != SERVER(DELIVER))
            continue;
        Brug__V1__Envelope *envelope = f->deliver->envelope;
        Brug__V1__Header *h =
            brug__v1__header__unpack(NULL, envelope->header.len, envelope->header.data);
        const char *field = NULL;
        assert_int_equal(h->kind >= KIND(REMINDER) ? check_received_header(h, &field) : 0, 0);
        if (h->kind == kind) {
            assert_true(id_take(h->message_id, &id) && id_version(&id) == 8);
            assert_memory_equal(h->in_reply_to.data, about->bytes, ID_BYTES);
            n++;
        }
        brug__v1__header__free_unpacked(h, NULL);
    }
    return n;
}

/* T11: by time alone, once over restarts, and it names the message. */
static void T11_what_nobody_opens_is_told_once_over_restarts(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    discard(w);
    for (unsigned day = 0; day < 12; day++) {
        pass(x, DAY_MS);
        pass(x, 0);
        stage_crash(w, day % 2 ? stage_committed_lsn(w) : 0);
        stage_listen(w, &w->gp_pc);
        stage_listen(w, &w->consultant_pc);
        pass(x, 0);
    }
    assert_int_equal(take_notices(x, &w->gp_pc, KIND(NON_DELIVERY), &x->referral), 1);
    stage_crash(w, 0);
    stage_listen(w, &w->gp_pc);
    assert_int_equal(take_notices(x, &w->gp_pc, KIND(NOT_OPENED), &x->referral), 1);
    stage_listen(w, &w->consultant_pc);
    assert_int_equal(take_notices(x, &w->consultant_pc, KIND(NOT_OPENED), &x->referral), 1);
    stage_crash(w, 0);
    stage_listen(w, &w->consultant_pc);
    assert_int_equal(take_notices(x, &w->consultant_pc, KIND(NON_DELIVERY), &x->referral), 0);
    assert_same_after_crash(x);
}

/* I5 */
static void what_is_owed_is_reminded_of_and_overdue_once_each(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    stage_opened(w, w->consultant_pc.session, &w->practice, &x->referral, &w->consultant);
    stage_settle(w);
    assert_true(owed(told(x), OWED(TAKE_UP))->opened);
    discard(w);
    for (unsigned hour = 0; hour < 9 * 24; hour++)
        pass(x, DAY_MS / 24);
    size_t moved = stage_count_records(w, RECORD(CASE_MOVED));
    assert_int_equal(take_notices(x, &w->consultant2_pc, KIND(OVERDUE), &x->referral), 1);
    assert_int_equal(take_notices(x, &w->gp_pc, KIND(REMINDER), &x->referral), 0);
    assert_int_equal(moved, 4); /* referred, opened, reminded, overdue */
    must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    assert_int_equal(owed(told(x), OWED(START))->notices, 0);
    assert_same_after_crash(x);
}

/* What was overdue and was given a new date is reminded of, and overdue, anew. */
static void a_new_date_is_reminded_of_anew(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    must(x, KIND(CLAIM), &w->consultant_pc, (struct stage_codes){0});
    struct id start;
    assert_true(id_take(owed(told(x), OWED(START))->owed_id, &start));
    const Brug__V1__OwedItem *item = owed(told(x), OWED(START));
    struct id claim;
    assert_true(id_take(item->message_id, &claim));
    pass(x, 20 * DAY_MS);
    assert_int_equal(take_notices(x, &w->gp_pc, KIND(OVERDUE), &claim), 1);
    must(x, KIND(DELAY), &w->consultant_pc,
         (struct stage_codes){.owed_id = start, .until_date = workdays_date(w->now.wall_ms) + 10});
    discard(w);
    for (unsigned day = 0; day < 14; day++)
        pass(x, DAY_MS);
    assert_int_equal(take_notices(x, &w->gp_pc, KIND(OVERDUE), &claim), 1);
    assert_int_equal(take_notices(x, &w->consultant2_pc, KIND(REMINDER), &claim), 1);
    assert_same_after_crash(x);
}

/* The team's card changes the days in which its debts run, so also when time does something next. */
static void another_card_moves_the_steps(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutCard put = BRUG__V1__PUT_CARD__INIT;
    Brug__V1__Card card = BRUG__V1__CARD__INIT;
    struct case_file file;
    refer(x, 0);
    for (unsigned day = 0; day < 7; day++) {
        card.working_days = 1u << day;
        put.card = &card;
        f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PUT_CARD;
        f.put_card = &put;
        stage_send(w, w->consultant_pc.session, &f);
        stage_settle(w);
        assert_int_equal(case_row_read(told(x), &file), 0);
        assert_int_equal(relay_next_deadline_ms(w->relay),
                         case_next_ms(&file, &CASE_TERMS, card.working_days));
        pass(x, DAY_MS);
    }
    for (unsigned day = 0; day < 60; day++)
        pass(x, DAY_MS);
    assert_same_after_crash(x);
}

/* A clock that leaps makes nothing overdue before a day has passed. */
static void a_clock_that_leaps_is_doubted(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    discard(w);
    w->now.wall_ms += 400 * DAY_MS;
    relay_on_time(w->relay, w->now);
    stage_settle(w);
    assert_true(stage_saw_event(w, "clock.leapt"));
    assert_true(relay_next_deadline_ms(w->relay) > w->now.wall_ms);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 1);
    w->now.wall_ms -= 400 * DAY_MS; /* it was set right */
    pass(x, DAY_MS / 2);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 1);
    pass(x, 5 * DAY_MS);
    assert_true(stage_count_records(w, RECORD(CASE_MOVED)) > 1);
}

/* Below the reserve what a reader opened waits at its client: it may bring a whole case. */
static void opened_needs_room(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    relay_set_room(w->relay, false);
    discard(w);
    stage_opened(w, w->consultant_pc.session, &w->practice, &x->referral, &w->consultant);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->consultant_pc.session), ERROR_FULL);
    relay_set_room(w->relay, true);
    assert_false(owed(told(x), OWED(TAKE_UP))->opened);
    stage_opened(w, w->consultant_pc.session, &w->practice, &x->referral, &w->consultant);
    stage_settle(w);
    assert_true(owed(told(x), OWED(TAKE_UP))->opened);
}

/* Below the reserve, and while the fold lags, notices wait. */
static void notices_wait_for_room(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    refer(x, 0);
    relay_set_room(w->relay, false);
    pass(x, 6 * DAY_MS);
    assert_int_equal(relay_next_deadline_ms(w->relay), INT64_MAX);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 1);
    relay_set_room(w->relay, true);
    pass(x, 0);
    assert_true(stage_count_records(w, RECORD(CASE_MOVED)) > 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_case_goes_its_way_from_referral_to_the_opened_closing),
        TEST(only_a_gps_opening_of_the_closing_letter_moves_custody),
        TEST(T30_two_claims_at_once_make_one_director),
        TEST(a_refused_move_stays_refused_and_changes_nothing),
        TEST(T22_a_question_is_owed_an_answer_also_when_closed),
        TEST(proposals_wait_for_the_other_side),
        TEST(a_colleague_takes_over_from_an_absent_director_only),
        TEST(a_consult_ends_with_advice),
        TEST(a_foreign_case_and_an_unknown_one_get_the_same_answer),
        TEST(T14_paging_while_cases_come),
        TEST(a_case_of_before_is_referred),
        TEST(rows_that_are_not_sound_are_refused),
        TEST(T11_what_nobody_opens_is_told_once_over_restarts),
        TEST(what_is_owed_is_reminded_of_and_overdue_once_each),
        TEST(a_new_date_is_reminded_of_anew),
        TEST(another_card_moves_the_steps),
        TEST(a_clock_that_leaps_is_doubted),
        TEST(opened_needs_room),
        TEST(notices_wait_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
