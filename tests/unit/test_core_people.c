/*
 * tests/unit/test_core_people.c: people who come and go, in the core: earlier letters for a colleague, who leaves, a client that is
 * lost, and letters for the holder of a recovery key.
 */
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name
#define STATUS(name) BRUG__V1__STATUS__STATUS_##name

/* A case of the practice and the team, of before the consultant's new laptop. */
struct scene {
    struct stage *w;
    struct id case_id, referral;
    struct stage_endpoint laptop;
};

static void discard(struct stage *w)
{
    for (uint64_t s = 1; s <= w->last_session; s++)
        while (stage_take(w, s))
            ;
}

static int setup(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    struct id id = stage_id(4, 900);
    assert_non_null(x);
    struct stage *w = x->w = stage_new(NULL);
    stage_listen(w, &w->gp_pc);
    stage_listen(w, &w->consultant_pc);
    stage_listen(w, &w->consultant2_pc);
    x->case_id = stage_case_id(w);
    struct stage_letter l = stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &x->case_id);
    x->referral = l.id;
    stage_post(w, &l);
    stage_add_endpoint(w, &x->laptop, &id, &w->team, &w->consultant2, false);
    stage_listen(w, &x->laptop);
    discard(w);
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

/* ---- history ---- */

static void set_readers(struct stage_letter *l, const struct id *a, const struct id *b)
{
    bool swap = b && id_compare(a, b) > 0;
    l->reader_count = b ? 2 : 1;
    l->readers[0] = swap ? *b : *a;
    if (b)
        l->readers[1] = swap ? *a : *b;
}

/* Of a consultant, to both clients of the other one. */
static struct stage_letter history(struct scene *x)
{
    struct stage *w = x->w;
    struct stage_letter l =
        stage_letter(w, KIND(HISTORY), &w->consultant_pc, &w->team, &x->case_id);
    set_readers(&l, &w->consultant2_pc.id, &x->laptop.id);
    l.codes.in_reply_to = x->referral;
    return l;
}

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

static unsigned deliveries(struct scene *x, const struct stage_endpoint *e)
{
    unsigned n = 0;
    Brug__V1__ServerFrame *f;
    while ((f = stage_take(x->w, e->session)))
        n += f->frame_case == SERVER(DELIVER);
    return n;
}

static void assert_same_after_crash(struct scene *x)
{
    struct stage *w = x->w;
    struct digest now, then;
    assert_int_equal(state_digest(relay_state(w->relay), &now), ERROR_NONE);
    for (uint64_t folded = 0; folded <= stage_committed_lsn(w); folded += 3) {
        struct state *s = stage_replay(w, folded);
        assert_int_equal(state_digest(s, &then), ERROR_NONE);
        state_free(s);
        assert_true(digest_equal(&now, &then));
    }
}

static void it_goes_to_the_colleague_alone_and_moves_nothing(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = history(x);
    size_t moved = stage_count_records(w, RECORD(CASE_MOVED));
    assert_int_equal(offer(x, &l), ERROR_NONE);
    assert_int_equal(deliveries(x, &w->consultant2_pc), 1);
    assert_int_equal(deliveries(x, &x->laptop), 1);
    assert_int_equal(deliveries(x, &w->gp_pc), 0);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), moved);
    stage_opened(w, x->laptop.session, &w->team, &l.id, &w->consultant2);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), moved);
    assert_same_after_crash(x);
}

static Brug__V1__Case *last_of_case(const struct stage *w)
{
    for (size_t i = w->row_count; i-- > 0;)
        if (w->rows[i].type == RECORD(CASE_MOVED)) {
            const struct slice row = w->rows[i].payload;
            Brug__V1__CaseMoved *m = brug__v1__case_moved__unpack(NULL, row.len, row.data);
            Brug__V1__Case *now = m->case_now;
            m->case_now = NULL;
            brug__v1__case_moved__free_unpacked(m, NULL);
            return now;
        }
    fail_msg("the case never moved");
    return NULL;
}

/* Who opened the letter inside opened the letter: nobody is told that the team does not look. */
static void who_opens_it_opened_the_letter_inside(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = history(x);
    size_t moved = stage_count_records(w, RECORD(CASE_MOVED));
    assert_int_equal(offer(x, &l), ERROR_NONE);
    stage_opened_inside(w, x->laptop.session, &w->team, &l.id, &w->consultant2, &x->referral);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), moved + 1);
    Brug__V1__Case *c = last_of_case(w);
    assert_int_equal(c->n_owed, 1);
    assert_true(c->owed[0]->opened);
    brug__v1__case__free_unpacked(c, NULL);
    assert_same_after_crash(x);
}

/* Custody goes to a GP who has the closing letter from a colleague only; any other letter says nothing of what it is not. */
static void a_closing_that_was_handed_on_moves_custody(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l =
        stage_letter(w, KIND(CLAIM), &w->consultant_pc, &w->practice, &x->case_id);
    stage_post(w, &l);
    struct stage_letter closing =
        stage_letter(w, KIND(CLOSING), &w->consultant_pc, &w->practice, &x->case_id);
    closing.codes.outcome = BRUG__V1__OUTCOME__OUTCOME_NO_HELP_NEEDED;
    stage_post(w, &closing);
    struct stage_letter note =
        stage_letter(w, KIND(NOTE), &w->consultant_pc, &w->practice, &x->case_id);
    stage_post(w, &note);
    stage_listen(w, &w->gp2_pc);
    stage_opened_inside(w, w->gp2_pc.session, &w->team, &note.id, &w->gp2, &closing.id);
    stage_settle(w);
    Brug__V1__Case *c = last_of_case(w);
    assert_int_equal(c->custody, BRUG__V1__SIDE__SIDE_TEAM);
    brug__v1__case__free_unpacked(c, NULL);
    l = stage_letter(w, KIND(HISTORY), &w->gp_pc, &w->practice, &x->case_id);
    set_readers(&l, &w->gp2_pc.id, NULL);
    l.codes.in_reply_to = closing.id;
    assert_int_equal(offer(x, &l), ERROR_NONE);
    stage_opened_inside(w, w->gp2_pc.session, &w->practice, &l.id, &w->gp2, &closing.id);
    stage_settle(w);
    c = last_of_case(w);
    assert_int_equal(c->custody, BRUG__V1__SIDE__SIDE_PRACTICE);
    brug__v1__case__free_unpacked(c, NULL);
    assert_same_after_crash(x);
}

static void it_is_for_any_state_of_the_case(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = stage_letter(w, KIND(WITHDRAWAL), &w->gp_pc, &w->team, &x->case_id);
    stage_post(w, &l);
    l = history(x);
    assert_int_equal(offer(x, &l), ERROR_NONE);
    l = stage_letter(w, KIND(HISTORY), &w->gp_pc, &w->practice, &x->case_id);
    set_readers(&l, &w->gp2_pc.id, NULL);
    l.codes.in_reply_to = x->referral;
    assert_int_equal(offer(x, &l), ERROR_NONE);
    set_readers(&l, &w->system.id, NULL); /* a practice system alone */
    l.id = stage_message_id(w);
    assert_int_equal(offer(x, &l), ERROR_NONE);
}

static void the_own_new_client_is_a_taker(void **state)
{
    struct scene *x = *state;
    struct stage_letter l = history(x);
    l.from = &x->laptop;
    l.person = x->w->consultant2;
    set_readers(&l, &x->w->consultant2_pc.id, NULL);
    assert_int_equal(offer(x, &l), ERROR_NONE);
}

static void its_readers_are_one_colleagues_clients(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = history(x);
    set_readers(&l, &x->laptop.id, NULL); /* not all of them */
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    set_readers(&l, &w->gp_pc.id, NULL); /* of the other side */
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    set_readers(&l, &w->consultant_pc.id, NULL); /* the giver itself */
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    struct id unknown = stage_id(4, 901);
    set_readers(&l, &unknown, NULL);
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    set_readers(&l, &w->consultant2_pc.id, &w->gp_pc.id);
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    l.reader_count = 0;
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    l = history(x);
    l.copy_count = 1;
    l.copies[0] = w->practice_recovery.id; /* of the other side */
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    l = history(x);
    stage_set_status(w, OBJECT(ENDPOINT), &x->laptop.id, STATUS(SUSPENDED));
    assert_int_equal(offer(x, &l), ERROR_DIRECTORY_CHANGED);
    set_readers(&l, &w->consultant2_pc.id, NULL);
    assert_int_equal(offer(x, &l), ERROR_NONE);
}

static void it_stays_within_the_organisation_and_the_case(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = history(x);
    l.to = w->practice;
    assert_int_equal(offer(x, &l), ERROR_UNKNOWN_ADDRESSEE);
    l = history(x);
    l.case_id = stage_case_id(w);
    assert_int_equal(offer(x, &l), ERROR_NO_SUCH_CASE);
    l = history(x);
    l.codes.in_reply_to = ID_NONE;
    assert_int_equal(offer(x, &l), ERROR_CODE_MISSING);
    l = stage_letter(w, KIND(NOTE), &w->consultant_pc, &w->team, &x->case_id);
    assert_int_equal(offer(x, &l), ERROR_UNKNOWN_ADDRESSEE); /* no other kind does */
}

/* I6: a case of others and one that does not exist. */
static void a_case_of_others_is_no_case(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_endpoint second;
    struct id id = stage_id(4, 902), person = stage_id(4, 903);
    stage_add_person(w, &person, &w->stranger_pc.organisation, BRUG__V1__ROLE__ROLE_GP, 0);
    stage_add_endpoint(w, &second, &id, &w->stranger_pc.organisation, &person, false);
    stage_listen(w, &w->stranger_pc);
    struct stage_letter l =
        stage_letter(w, KIND(HISTORY), &w->stranger_pc, &w->stranger_pc.organisation, &x->case_id);
    l.municipality = w->other_municipality;
    set_readers(&l, &second.id, NULL);
    l.codes.in_reply_to = x->referral;
    assert_int_equal(offer(x, &l), ERROR_NO_SUCH_CASE);
    l.case_id = stage_case_id(w);
    l.id = stage_message_id(w);
    assert_int_equal(offer(x, &l), ERROR_NO_SUCH_CASE);
}

/* The code of the report that an endpoint got; ERROR_NONE: none. */
static enum error report(struct scene *x, const struct stage_endpoint *e)
{
    enum error code = ERROR_NONE;
    Brug__V1__ServerFrame *f;
    while ((f = stage_take(x->w, e->session))) {
        if (f->frame_case != SERVER(DELIVER))
            continue;
        const Brug__V1__Envelope *envelope = f->deliver->envelope;
        Brug__V1__Header *h =
            brug__v1__header__unpack(NULL, envelope->header.len, envelope->header.data);
        if (h->kind >= KIND(REMINDER))
            code = (enum error)h->fact_code;
        brug__v1__header__free_unpacked(h, NULL);
    }
    return code;
}

static void reports_of_a_history_are_its_givers(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = history(x);
    assert_int_equal(offer(x, &l), ERROR_NONE);
    discard(w);
    stage_ack(w, x->laptop.session, &w->team, &l.id, ERROR_LETTER_SIGNER);
    stage_settle(w);
    assert_int_equal(report(x, &w->consultant_pc), ERROR_LETTER_SIGNER);
    assert_int_equal(report(x, &w->consultant2_pc), ERROR_NONE);
    set_readers(&l, &x->laptop.id, &w->consultant2_pc.id);
    l.id = stage_message_id(w);
    assert_int_equal(offer(x, &l), ERROR_NONE);
    stage_set_status(w, OBJECT(PERSON), &w->consultant2,
                     STATUS(SUSPENDED)); /* who has to fetch it */
    stage_settle(w);
    assert_int_equal(report(x, &w->consultant_pc), ERROR_NONE);
    assert_same_after_crash(x);
}

/* A practice system has no person: it is told itself. */
static void reports_to_a_practice_system_are_its_own(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_letter l = stage_letter(w, KIND(HISTORY), &w->system, &w->practice, &x->case_id);
    stage_listen(w, &w->system);
    stage_listen(w, &w->gp2_pc);
    l.person = w->gp;
    set_readers(&l, &w->gp2_pc.id, NULL);
    l.codes.in_reply_to = x->referral;
    assert_int_equal(offer(x, &l), ERROR_NONE);
    discard(w);
    stage_ack(w, w->gp2_pc.session, &w->practice, &l.id, ERROR_LETTER_SIGNER);
    stage_settle(w);
    assert_int_equal(report(x, &w->system), ERROR_LETTER_SIGNER);
    assert_int_equal(report(x, &w->gp_pc), ERROR_NONE);
    assert_int_equal(report(x, &w->gp2_pc), ERROR_NONE);
}

/* ---- who leaves ---- */

/* T18, the relay's part. */
static void T18_who_leaves_gets_nothing_new_and_the_queue_goes_on(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    enum error why;
    uint64_t session = w->consultant_pc.session;
    stage_set_status(w, OBJECT(PERSON), &w->consultant, STATUS(SUSPENDED));
    assert_true(stage_is_closed(w, session, &why));
    assert_int_equal(why, ERROR_SUSPENDED);
    assert_int_equal(endpoint_find(relay_state(w->relay), id_bytes(&w->consultant_pc.id))->waiting,
                     0);
    session = stage_open(w, &w->consultant_pc);
    stage_settle(w);
    assert_true(stage_is_closed(w, session, &why));
    assert_int_equal(why, ERROR_SUSPENDED);
    struct stage_letter l = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &x->case_id);
    for (size_t i = 0; i < l.reader_count; i++)
        assert_false(id_equal(&l.readers[i], &w->consultant_pc.id));
    assert_int_equal(offer(x, &l), ERROR_NONE);
    l = stage_letter(w, KIND(CLAIM), &w->consultant2_pc, &w->practice, &x->case_id);
    assert_int_equal(offer(x, &l), ERROR_NONE);
    assert_same_after_crash(x);
}

/* ---- a lost client ---- */

static const Brug__V1__AdminAnswer *replace(struct scene *x, const struct id *endpoint)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__ReplaceEndpoint r = BRUG__V1__REPLACE_ENDPOINT__INIT;
    r.endpoint = id_bytes(endpoint);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_REPLACE_ENDPOINT;
    q.replace_endpoint = &r;
    return stage_admin(x->w, &q, NULL);
}

static void assert_invites(const Brug__V1__AdminAnswer *a, const struct id *organisation,
                           const struct id *person)
{
    assert_int_equal(a->code, 0);
    Brug__V1__Invitation *i =
        brug__v1__invitation__unpack(NULL, a->invitation.len, a->invitation.data);
    assert_non_null(i);
    assert_memory_equal(i->organisation.data, organisation->bytes, ID_BYTES);
    assert_int_equal(i->person.len, person ? ID_BYTES : 0);
    if (person)
        assert_memory_equal(i->person.data, person->bytes, ID_BYTES);
    brug__v1__invitation__free_unpacked(i, NULL);
}

static void a_lost_client_is_suspended_and_its_owner_invited(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    enum error why;
    assert_invites(replace(x, &x->laptop.id), &w->team, &w->consultant2);
    assert_true(stage_is_closed(w, x->laptop.session, &why));
    assert_int_equal(why, ERROR_SUSPENDED);
    assert_false(stage_is_closed(w, w->consultant2_pc.session, &why)); /* the same person's other */
    size_t rows = w->row_count;
    assert_invites(replace(x, &x->laptop.id), &w->team, &w->consultant2);
    assert_int_equal(w->row_count, rows);
    assert_invites(replace(x, &w->system.id), &w->practice, NULL);
    assert_invites(replace(x, &w->practice_recovery.id), &w->practice, NULL);
    assert_same_after_crash(x);
}

static void who_may_have_no_new_client_is_said_in_one_line(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct id unknown = stage_id(4, 905);
    stage_set_status(w, OBJECT(PERSON), &w->consultant2, STATUS(SUSPENDED));
    stage_set_status(w, OBJECT(ORGANISATION), &w->practice, STATUS(SUSPENDED));
    size_t rows = w->row_count;
    assert_non_null(strstr(replace(x, &unknown)->error, "there is no endpoint"));
    assert_non_null(strstr(replace(x, &x->laptop.id)->error, "person is suspended"));
    assert_non_null(strstr(replace(x, &w->gp_pc.id)->error, "organisation is suspended"));
    assert_int_equal(replace(x, &w->gp_pc.id)->invitation.len, 0);
    assert_int_equal(w->row_count, rows);
    assert_int_equal(endpoint_find(relay_state(w->relay), id_bytes(&x->laptop.id))->row->status,
                     STATUS(ACTIVE));
}

static void expect_full(const Brug__V1__AdminAnswer *a, const char *words)
{
    assert_int_equal(a->code, ERROR_FULL);
    if (!strstr(a->error, words))
        fail_msg("\"%s\" does not say \"%s\"", a->error, words);
}

/* Of the clients that an organisation ever had, those in use have a bound. */
static void clients_of_who_left_and_lost_ones_take_no_place(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    struct stage_endpoint e = {.organisation = w->team, .person = w->consultant};
    struct order o;
    for (uint32_t i = 0; i < 70; i++) { /* each new laptop is lost again */
        struct id id = stage_id(4, 1000 + i);
        stage_add_endpoint(w, &e, &id, &w->team, &w->consultant, false);
        assert_int_equal(replace(x, &id)->code, 0);
    }
    for (uint32_t i = 0; i < 61; i++) { /* with the three that the team has */
        struct id id = stage_id(4, 1100 + i);
        stage_add_endpoint(w, &e, &id, &w->team, &w->consultant, false);
    }
    e.id = stage_id(4, 1200);
    order_add_endpoint(&o, &e, false);
    expect_full(stage_admin(w, &o.request, &o.endpoint), "64 endpoints already");
    struct id lost = stage_id(4, 1000);
    expect_full(stage_set_status(w, OBJECT(ENDPOINT), &lost, STATUS(ACTIVE)), "already");
    assert_int_equal(stage_set_status(w, OBJECT(PERSON), &w->consultant, STATUS(SUSPENDED))->code,
                     0);
    e.person = w->consultant2;
    order_add_endpoint(&o, &e, false);
    assert_int_equal(stage_admin(w, &o.request, &o.endpoint)->code, 0);
    expect_full(stage_set_status(w, OBJECT(PERSON), &w->consultant, STATUS(ACTIVE)), "already");
    struct id spare = stage_id(4, 1100); /* of who is suspended: it counts with the person */
    assert_int_equal(stage_set_status(w, OBJECT(ENDPOINT), &spare, STATUS(SUSPENDED))->code, 0);
    assert_int_equal(stage_set_status(w, OBJECT(PERSON), &w->consultant, STATUS(ACTIVE))->code, 0);
    expect_full(stage_set_status(w, OBJECT(ENDPOINT), &spare, STATUS(ACTIVE)), "already");
}

/* ---- lost keys ---- */

static const Brug__V1__AdminAnswer *recover(struct scene *x, const struct id *organisation)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__Recover r = BRUG__V1__RECOVER__INIT;
    r.organisation = id_bytes(organisation);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_RECOVER;
    q.recover = &r;
    return stage_admin(x->w, &q, NULL);
}

static void who_takes_letters_stands_in_the_audit(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    assert_int_equal(recover(x, &w->practice)->code, 0);
    assert_int_equal(stage_count_records(w, RECORD(RECOVERED)), 1);
    assert_int_equal(recover(x, &w->practice)->code, 0);
    assert_int_equal(stage_count_records(w, RECORD(RECOVERED)), 2);
    assert_non_null(strstr(recover(x, &w->team)->error, "never had a recovery entry"));
    struct id unknown = stage_id(4, 906);
    assert_non_null(strstr(recover(x, &unknown)->error, "there is no org"));
    assert_int_equal(stage_count_records(w, RECORD(RECOVERED)), 2);
    assert_same_after_crash(x);
}

static void what_is_read_for_a_holder_is_the_organisations(void **state)
{
    struct scene *x = *state;
    struct stage *w = x->w;
    Brug__V1__Recover q = BRUG__V1__RECOVER__INIT;
    q.organisation = id_bytes(&w->practice);
    struct load *l = relay_recovery(w->relay, &q, 7);
    assert_non_null(l);
    const struct load_recovered *r = l->recovered;
    assert_int_equal(r->ticket, 7);
    assert_true(id_equal(&r->organisation, &w->practice));
    assert_int_equal(r->case_count, 1);
    assert_true(id_equal(&r->cases[0], &x->case_id));
    assert_int_equal(r->endpoint_count,
                     4); /* the recovery entry and suspended ones are among them */
    assert_int_equal(r->until_lsn, stage_committed_lsn(w));
    load_free(l);
    struct stage_letter withdrawal =
        stage_letter(w, KIND(WITHDRAWAL), &w->gp_pc, &w->team, &x->case_id);
    stage_post(w, &withdrawal);
    q.until_lsn = 3;
    l = relay_recovery(w->relay, &q, 8);
    assert_int_equal(l->recovered->case_count, 0); /* it ended */
    assert_int_equal(l->recovered->until_lsn, 3);
    load_free(l);
    q.until_lsn = UINT64_MAX; /* the tables never come so far */
    l = relay_recovery(w->relay, &q, 8);
    assert_int_equal(l->recovered->until_lsn, stage_committed_lsn(w));
    load_free(l);
    struct id unknown = stage_id(4, 907);
    q.organisation = id_bytes(&unknown);
    assert_null(relay_recovery(w->relay, &q, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_goes_to_the_colleague_alone_and_moves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_opens_it_opened_the_letter_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closing_that_was_handed_on_moves_custody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_is_for_any_state_of_the_case, setup, teardown),
        cmocka_unit_test_setup_teardown(the_own_new_client_is_a_taker, setup, teardown),
        cmocka_unit_test_setup_teardown(its_readers_are_one_colleagues_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(it_stays_within_the_organisation_and_the_case, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_case_of_others_is_no_case, setup, teardown),
        cmocka_unit_test_setup_teardown(T18_who_leaves_gets_nothing_new_and_the_queue_goes_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_client_is_suspended_and_its_owner_invited, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_may_have_no_new_client_is_said_in_one_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(clients_of_who_left_and_lost_ones_take_no_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reports_of_a_history_are_its_givers, setup, teardown),
        cmocka_unit_test_setup_teardown(reports_to_a_practice_system_are_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(who_takes_letters_stands_in_the_audit, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_for_a_holder_is_the_organisations, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
