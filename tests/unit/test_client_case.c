/*
 * tests/unit/test_client_case.c: cases at the client: what the relay told is kept and shown off-line, letters of every kind go
 * the right way and answer what waits, and what the case does not allow is stopped before it is sealed.
 */
#include "client/judge.h"
#include "client/letters.h"
#include "rules/case_row.h"
#include "rules/workdays.h"
#include "tests/lib/clients.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), BRUG_OK)
#define KIND(name) BRUG__V1__KIND__KIND_##name

static struct clients c;
static struct member *gp, *one, *two, *leader;
/* The case as the scripted relay tells it; the tests move it. */
static struct case_file file;
static struct case_row row;
static struct brug_id case_id;

static int begin(void **state)
{
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add_recovery(&c, 1, 9);
    one = clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    two = clients_add(&c, 2, 2, BRUG_ROLE_CONSULTANT);
    leader = clients_add(&c, 2, 3, BRUG_ROLE_LEADER);
    clients_meet(&c);
    memset(&file, 0, sizeof file);
    return 0;
}

static int end(void **state)
{
    clients_fini(&c);
    return 0;
}

/* ---- the case at the relay ---- */

static void write_row(const struct case_file *from, struct case_row *out)
{
    Brug__V1__Case was = BRUG__V1__CASE__INIT;
    was.municipality = client_id_field(&c.municipality);
    was.practice = client_id_field(&gp->organisation);
    was.team = client_id_field(&one->organisation);
    was.message_id = client_id_field(&c.kept[0].message_id);
    was.at_ms = c.now_ms;
    case_row_write(from, &was, out);
}

static void tell(void)
{
    write_row(&file, &row);
    c.cases[0] = &row.row;
    c.case_count = 1;
}

static Brug__V1__Header header_of(int kind)
{
    Brug__V1__Header h = BRUG__V1__HEADER__INIT;
    h.kind = (Brug__V1__Kind)kind;
    return h;
}

/* The relay accepts this letter of a member; its id is that of kept message `kept`. */
static void move(struct member *m, Brug__V1__Header h, size_t kept)
{
    struct case_ends ends;
    struct id id = client_id(&case_id);
    struct case_move move = {.header = &h, .terms = &CASE_TERMS, .is_new_director_fit = true};
    move.actor.side = m == gp ? BRUG__V1__SIDE__SIDE_PRACTICE : BRUG__V1__SIDE__SIDE_TEAM;
    move.actor.role = (Brug__V1__Role)m->role;
    move.actor.person = m->person;
    move.now_ms = c.now_ms;
    move.today = workdays_date(c.now_ms);
    h.case_id = client_id_field(&id);
    h.message_id = client_id_field(&c.kept[kept].message_id);
    assert_int_equal(case_judge(&file, &move, &file, &ends), ERROR_NONE);
    tell();
}

static void move_kind(struct member *m, int kind) { move(m, header_of(kind), c.kept_count - 1); }

static void fetch(struct member *m)
{
    clients_sync(&c, m);
    clients_leave(&c, m);
}

/* A referral that the relay has and all have read. */
static void refer(void)
{
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    struct brug_moment moments[] = {{.event = BRUG_MOMENT_FIRST_CONVERSATION}};
    Brug__V1__Header h = header_of(BRUG_KIND_REFERRAL);
    Brug__V1__Moment first = BRUG__V1__MOMENT__INIT;
    Brug__V1__Moment *list[] = {&first};
    d.moments = moments;
    d.moments_n = 1;
    first.event = BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_FIRST_CONVERSATION;
    h.moments = list;
    h.n_moments = 1;
    OK(brug_send(gp->b, &d, &sent));
    case_id = sent.case_id;
    clients_sync(&c, gp);
    clients_leave(&c, gp);
    move(gp, h, 0);
    OK(brug_refresh_case(gp->b, &case_id));
    fetch(gp);
    fetch(one);
    fetch(two);
    fetch(leader);
}

static int try_draft(struct member *m, struct brug_draft d)
{
    struct brug_sent sent;
    d.case_id = case_id;
    d.text = "Tekst.";
    return brug_send(m->b, &d, &sent);
}

/* Sends it, lets the relay accept it, and lets all hear of it. */
static void send(struct member *m, struct brug_draft d, Brug__V1__Header h)
{
    struct member *all[] = {m, gp, one, two, leader};
    OK(try_draft(m, d));
    clients_sync(&c, m);
    clients_leave(&c, m);
    h.kind = (Brug__V1__Kind)d.kind;
    move(m, h, c.kept_count - 1);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        OK(brug_refresh_case(all[i]->b, &case_id));
        fetch(all[i]);
    }
}

static void send_kind(struct member *m, int kind)
{
    send(m, (struct brug_draft){.kind = kind}, header_of(kind));
}

/* The header of the newest letter that the relay has. */
static Brug__V1__Header *newest_header(void)
{
    const struct kept *k = &c.kept[c.kept_count - 1];
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, k->header.len, k->header.data);
    assert_non_null(h);
    return h;
}

static void assert_answers(const struct id *message_id)
{
    Brug__V1__Header *h = newest_header();
    struct id reply = client_field_id(h->in_reply_to);
    assert_true(id_equal(&reply, message_id));
    brug__v1__header__free_unpacked(h, NULL);
}

static struct brug_cases *look(struct member *m)
{
    struct brug_cases *list = NULL;
    OK(brug_case(m->b, &case_id, &list));
    assert_int_equal(list->n, 1);
    return list;
}

static size_t messages_of(struct member *m)
{
    struct brug_cases *list = look(m);
    size_t n = list->items[0].messages;
    brug_cases_free(list);
    return n;
}

static bool may(const struct brug_case *item, int kind)
{
    for (size_t i = 0; i < item->next_n; i++)
        if (item->next[i] == kind)
            return true;
    return false;
}

/* ---- what the relay told ---- */

static void test_what_was_told_is_here_off_line(void **state)
{
    refer();
    move_kind(one, BRUG_KIND_CLAIM);
    OK(brug_refresh_case(gp->b, &case_id));
    fetch(gp);
    clients_reopen(&c, gp);
    struct brug_cases *list = look(gp);
    const struct brug_case *item = &list->items[0];
    const struct brug_case_facts *f = item->facts;
    assert_non_null(f);
    assert_int_equal(f->state, BRUG_CASE_STATE_CLARIFYING);
    assert_int_equal(f->custody, BRUG_SIDE_TEAM);
    assert_int_equal(f->own_side, BRUG_SIDE_PRACTICE);
    assert_int_equal(f->told_at_ms, c.now_ms);
    assert_string_equal(f->director_name, "Persoon 1");
    assert_int_equal(f->moments_n, 1);
    assert_int_equal(f->owed_n, 2);
    assert_int_equal(f->owed[0].kind, BRUG_OWED_START);
    assert_int_equal(f->owed[1].kind, BRUG_OWED_MOMENT); /* no date: last */
    assert_false(f->owed[0].is_overdue);
    assert_string_equal(item->youth_name, "Sanne de Wit");
    assert_true(may(item, BRUG_KIND_WITHDRAWAL) && may(item, BRUG_KIND_INFO_REQUEST));
    assert_false(may(item, BRUG_KIND_CLAIM) || may(item, BRUG_KIND_STOP_PROPOSAL) ||
                 may(item, BRUG_KIND_CONSULT));
    brug_cases_free(list);
    c.now_ms += 30ll * 24 * 3600 * 1000;
    list = look(gp);
    assert_true(list->items[0].facts->owed[0].is_overdue);
    brug_cases_free(list);
}

static void test_a_letter_that_comes_makes_the_case_asked(void **state)
{
    struct brug_cases *list = NULL;
    refer();
    unsigned before = c.case_requests;
    OK(try_draft(one, (struct brug_draft){.kind = BRUG_KIND_CLAIM}));
    clients_sync(&c, one);
    clients_leave(&c, one);
    assert_true(c.case_requests > before);
    move_kind(one, BRUG_KIND_CLAIM);
    fetch(gp);
    list = look(gp);
    assert_int_equal(list->items[0].facts->state, BRUG_CASE_STATE_CLARIFYING);
    brug_cases_free(list);
    before = c.case_requests;
    fetch(gp);
    assert_int_equal(c.case_requests, before); /* nothing happened: nothing is asked */
}

static void test_a_list_shows_what_ended_and_what_is_foreign(void **state)
{
    static struct case_row other_row;
    struct case_file other;
    struct brug_cases *list = NULL;
    refer();
    other = file;
    other.id.bytes[15] ^= 1;
    write_row(&other, &other_row);
    c.cases[1] = &other_row.row;
    c.case_count = 2;
    OK(brug_refresh_cases(gp->b, false));
    fetch(gp);
    OK(brug_cases(gp->b, &list));
    assert_int_equal(list->n, 2);
    assert_int_equal(list->items[1].newest, 0); /* no letter of it is here */
    assert_string_equal(list->items[1].other_name, "Organisatie 2");
    brug_cases_free(list);
    /* it ends: the list of open ones does not name it any more, so it is asked by itself */
    move_kind(gp, BRUG_KIND_WITHDRAWAL);
    c.case_count = 1;
    OK(brug_refresh_cases(gp->b, false));
    fetch(gp);
    OK(brug_cases(gp->b, &list));
    assert_int_equal(list->n, 1); /* the other is unknown to the relay now */
    assert_int_equal(list->items[0].facts->state, BRUG_CASE_STATE_WITHDRAWN);
    assert_int_equal(list->items[0].facts->custody, BRUG_SIDE_PRACTICE);
    brug_cases_free(list);
}

static void test_a_case_of_others_is_not_taken_in(void **state)
{
    struct id stranger = clients_organisation(5);
    struct brug_cases *list = NULL;
    refer();
    move_kind(one, BRUG_KIND_CLAIM);
    row.row.practice = row.row.team = client_id_field(&stranger);
    OK(brug_refresh_case(gp->b, &case_id));
    (void)clients_try(&c, gp, 40);
    clients_leave(&c, gp);
    list = look(gp);
    assert_int_equal(list->items[0].facts->state, BRUG_CASE_STATE_REFERRED);
    brug_cases_free(list);
}

static void test_a_relay_of_before_cases_is_not_asked_for_ever(void **state)
{
    struct brug_draft d = clients_referral();
    struct brug_sent sent;
    struct brug_cases *list = NULL;
    bool wanted = true;
    OK(brug_send(gp->b, &d, &sent));
    OK(brug_refresh_cases(gp->b, true));
    fetch(gp);
    assert_int_equal(casefile_is_wanted(gp->b, &wanted), ERROR_NONE);
    assert_false(wanted);
    OK(brug_case(gp->b, &sent.case_id, &list));
    assert_null(list->items[0].facts);
    assert_int_equal(list->items[0].next_n, 0);
    brug_cases_free(list);
    case_id = sent.case_id;
    OK(try_draft(gp, (struct brug_draft){.kind = BRUG_KIND_WITHDRAWAL})); /* the relay judges */
}

/* ---- letters ---- */

static void test_the_way_of_a_case(void **state)
{
    Brug__V1__Header h;
    refer();
    send_kind(one, BRUG_KIND_CLAIM);
    h = header_of(BRUG_KIND_CLAIM);
    Brug__V1__Header *sent = newest_header();
    struct id to = client_field_id(sent->to);
    assert_true(id_equal(&to, &gp->organisation)); /* to the case's other side */
    brug__v1__header__free_unpacked(sent, NULL);
    /* a question and its answer */
    send_kind(gp, BRUG_KIND_INFO_REQUEST);
    struct id question = c.kept[c.kept_count - 1].message_id;
    h = header_of(BRUG_KIND_INFO_REPLY);
    h.in_reply_to = client_id_field(&question);
    send(two, (struct brug_draft){.kind = BRUG_KIND_INFO_REPLY}, h);
    assert_answers(&question);
    /* a stop is proposed and objected to */
    h = header_of(BRUG_KIND_STOP_PROPOSAL);
    h.stop_reason = BRUG__V1__STOP_REASON__STOP_REASON_NO_CONTACT;
    send(one, (struct brug_draft){.kind = BRUG_KIND_STOP_PROPOSAL, .stop_reason = 1}, h);
    struct id proposal = c.kept[c.kept_count - 1].message_id;
    h = header_of(BRUG_KIND_PROPOSAL_ANSWER);
    h.in_reply_to = client_id_field(&proposal);
    h.decision = BRUG__V1__DECISION__DECISION_OBJECT;
    send(gp, (struct brug_draft){.kind = BRUG_KIND_PROPOSAL_ANSWER, .decision = BRUG_OBJECT}, h);
    assert_answers(&proposal);
    /* another is retracted */
    h = header_of(BRUG_KIND_STOP_PROPOSAL);
    send(one, (struct brug_draft){.kind = BRUG_KIND_STOP_PROPOSAL, .stop_reason = 1}, h);
    proposal = c.kept[c.kept_count - 1].message_id;
    h = header_of(BRUG_KIND_RETRACT);
    h.in_reply_to = client_id_field(&proposal);
    send(leader, (struct brug_draft){.kind = BRUG_KIND_RETRACT}, h);
    assert_answers(&proposal);
}

static void test_an_answer_carries_the_digest_of_what_it_answers(void **state)
{
    struct letters_row sent;
    struct letter *letter = NULL;
    struct brug_cases *list = NULL;
    Brug__V1__Header h = header_of(BRUG_KIND_DECLINE_PROPOSAL);
    refer();
    h.decline_reason = BRUG__V1__DECLINE_REASON__DECLINE_REASON_NO_ROOM_IN_TIME;
    send(one, (struct brug_draft){.kind = BRUG_KIND_DECLINE_PROPOSAL, .decline_reason = 4}, h);
    struct id proposal = c.kept[c.kept_count - 1].message_id;
    h = header_of(BRUG_KIND_PROPOSAL_ANSWER);
    h.in_reply_to = client_id_field(&proposal);
    h.decision = BRUG__V1__DECISION__DECISION_ACCEPT;
    send(gp, (struct brug_draft){.kind = BRUG_KIND_PROPOSAL_ANSWER, .decision = BRUG_ACCEPT}, h);
    list = look(gp);
    assert_int_equal(list->items[0].facts->state, BRUG_CASE_STATE_DECLINED);
    assert_int_equal(letters_load(gp->b, list->items[0].newest, &sent), ERROR_NONE);
    assert_int_equal(letters_open(gp->b, &sent, &letter), ERROR_NONE);
    brug_cases_free(list);
    list = look(one);
    struct letters_row answered;
    assert_int_equal(letters_load(one->b, 2, &answered), ERROR_NONE);
    assert_int_equal(answered.decoded->kind, BRUG_KIND_DECLINE_PROPOSAL);
    assert_memory_equal(letter->content->answered_digest.data, &answered.digest, DIGEST_BYTES);
    brug_cases_free(list);
    letters_row_free(&answered);
    letters_row_free(&sent);
    letter_free(letter);
}

static struct brug_draft bridging(int kind)
{
    return (struct brug_draft){.kind = kind,
                               .bridging_carrier = kind == BRUG_KIND_BRIDGING_PROPOSAL ? 1 : 0,
                               .until_date = 0,
                               .suicidality_answered = true,
                               .somatic_answered = true,
                               .risks = "Gedachten aan zelfdoding: nee."};
}

static void test_bridging_care_names_its_risks(void **state)
{
    Brug__V1__Header h = header_of(BRUG_KIND_BRIDGING_PROPOSAL);
    refer();
    send_kind(one, BRUG_KIND_CLAIM);
    struct brug_draft d = bridging(BRUG_KIND_BRIDGING_PROPOSAL);
    h.until_date = workdays_date(c.now_ms) + 20;
    d.until_date = letters_date_of_days(h.until_date);
    d.somatic_answered = false;
    assert_int_equal(try_draft(one, d), BRUG_USAGE);
    d.somatic_answered = true;
    d.risks = "";
    assert_int_equal(try_draft(one, d), BRUG_USAGE);
    d.risks = "Gedachten aan zelfdoding: nee.";
    d.until_date = 20200101;
    assert_int_equal(try_draft(one, d), BRUG_DATE_NOT_ALLOWED);
    d.until_date = letters_date_of_days(h.until_date);
    h.bridging_carrier = BRUG__V1__BRIDGING_CARRIER__BRIDGING_CARRIER_CONSULTANT;
    send(one, d, h);
    struct id proposal = c.kept[c.kept_count - 1].message_id;
    d = bridging(BRUG_KIND_BRIDGING_ANSWER);
    d.decision = BRUG_ACCEPT;
    d.suicidality_answered = false;
    assert_int_equal(try_draft(gp, d), BRUG_USAGE);
    assert_int_equal(try_draft(one, bridging(BRUG_KIND_BRIDGING_ANSWER)), BRUG_NO_PROPOSAL);
    d.suicidality_answered = true;
    h = header_of(BRUG_KIND_BRIDGING_ANSWER);
    h.decision = BRUG__V1__DECISION__DECISION_ACCEPT;
    h.in_reply_to = client_id_field(&proposal);
    send(gp, d, h);
    assert_answers(&proposal);
    struct brug_cases *list = look(one);
    assert_int_equal(list->items[0].facts->bridging.by, BRUG_SIDE_TEAM);
    assert_int_equal(list->items[0].facts->bridging_proposed.by, BRUG_SIDE_NONE);
    brug_cases_free(list);
    assert_int_equal(try_draft(gp, (struct brug_draft){.kind = BRUG_KIND_WITHDRAWAL}),
                     BRUG_BRIDGING_IN_FORCE);
}

/* ---- judged before it is sealed ---- */

static void test_what_the_case_does_not_allow_is_not_stored(void **state)
{
    refer();
    const struct {
        struct member *m;
        struct brug_draft d;
        int code;
    } REFUSED[] = {
        {one, {.kind = BRUG_KIND_START, .involvement = 1}, BRUG_CASE_REFERRED},
        {one, {.kind = BRUG_KIND_CLOSING, .outcome = 1}, BRUG_NOT_DIRECTOR},
        {one, {.kind = BRUG_KIND_INFO_REPLY}, BRUG_NOT_OWED},
        {gp, {.kind = BRUG_KIND_PROPOSAL_ANSWER, .decision = 1}, BRUG_NO_PROPOSAL},
        {gp, {.kind = BRUG_KIND_RETRACT}, BRUG_NO_PROPOSAL},
        {gp, {.kind = BRUG_KIND_CLAIM}, BRUG_ROLE_NOT_ALLOWED},
        {leader, {.kind = BRUG_KIND_CLAIM}, BRUG_ROLE_NOT_ALLOWED},
        {one, {.kind = BRUG_KIND_DECLINE_PROPOSAL, .decline_reason = 1}, BRUG_USAGE}, /* no call */
        {one, {.kind = BRUG_KIND_DECLINE_PROPOSAL, .decline_reason = 3}, BRUG_USAGE}, /* no team */
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        size_t before = messages_of(REFUSED[i].m);
        assert_int_equal(try_draft(REFUSED[i].m, REFUSED[i].d), REFUSED[i].code);
        assert_true(*brug_last_error(REFUSED[i].m->b));
        assert_int_equal(messages_of(REFUSED[i].m), before);
    }
    send_kind(one, BRUG_KIND_CLAIM);
    assert_int_equal(try_draft(two, (struct brug_draft){.kind = BRUG_KIND_CLAIM}), BRUG_CASE_TAKEN);
    assert_int_equal(try_draft(two, (struct brug_draft){.kind = BRUG_KIND_START, .involvement = 1}),
                     BRUG_NOT_DIRECTOR);
    struct brug_draft handover = {.kind = BRUG_KIND_HANDOVER,
                                  .new_director = client_public_id(&leader->person)};
    assert_int_equal(try_draft(one, handover), BRUG_NO_SUCH_DIRECTOR);
    handover.new_director = client_public_id(&two->person);
    OK(try_draft(one, handover));
}

/* R74: a colleague takes over from a director who is gone, and not before. */
static void test_a_colleague_takes_over_from_who_is_gone(void **state)
{
    struct brug_draft handover = {.kind = BRUG_KIND_HANDOVER};
    refer();
    send_kind(one, BRUG_KIND_CLAIM);
    handover.new_director = client_public_id(&two->person);
    assert_int_equal(try_draft(two, handover), BRUG_NOT_DIRECTOR);
    one->is_hidden = true;
    c.epoch++;
    fetch(two);
    OK(brug_refresh_directory(two->b));
    fetch(two);
    struct brug_cases *list = look(two);
    assert_true(may(&list->items[0], BRUG_KIND_HANDOVER));
    brug_cases_free(list);
    OK(try_draft(two, handover));
}

static void test_closing_waits_for_what_is_owed(void **state)
{
    struct brug_draft closing = {.kind = BRUG_KIND_CLOSING, .outcome = 1, .conversations = 5};
    struct brug_cases *list = NULL;
    refer();
    send_kind(one, BRUG_KIND_CLAIM);
    send_kind(gp, BRUG_KIND_INFO_REQUEST);
    list = look(one);
    assert_int_equal(list->items[0].facts->owed[0].kind, BRUG_OWED_INFO_REPLY);
    assert_true(list->items[0].facts->owed[0].must_precede_close);
    assert_false(list->items[0].facts->owed[1].must_precede_close);
    brug_cases_free(list);
    assert_int_equal(try_draft(one, closing), BRUG_STILL_OWED);
    OK(try_draft(one, (struct brug_draft){.kind = BRUG_KIND_INFO_REPLY}));
    OK(try_draft(one, closing)); /* the answer is under way and goes first */
    assert_int_equal(try_draft(one, closing), BRUG_CASE_ENDED);
    closing.outcome = 10;
    assert_int_equal(try_draft(one, closing), BRUG_USAGE); /* no date of the talk */
}

static void test_letters_under_way_count(void **state)
{
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    OK(brug_send(gp->b, &d, &sent));
    case_id = sent.case_id;
    struct brug_cases *list = look(gp);
    assert_null(list->items[0].facts);
    assert_true(may(&list->items[0], BRUG_KIND_WITHDRAWAL));
    brug_cases_free(list);
    assert_int_equal(try_draft(gp, (struct brug_draft){.kind = BRUG_KIND_PROPOSAL_ANSWER,
                                                       .decision = BRUG_ACCEPT}),
                     BRUG_NO_PROPOSAL);
    OK(try_draft(gp, (struct brug_draft){.kind = BRUG_KIND_WITHDRAWAL}));
    assert_int_equal(try_draft(gp, (struct brug_draft){.kind = BRUG_KIND_WITHDRAWAL}),
                     BRUG_CASE_ENDED);
    OK(try_draft(gp, (struct brug_draft){.kind = BRUG_KIND_NOTE}));
}

/* The proposal is sealed again under a new id; what was written to retract it meanwhile names that one. */
static void test_an_answer_follows_a_letter_that_was_sealed_again(void **state)
{
    refer();
    send_kind(one, BRUG_KIND_CLAIM);
    OK(try_draft(one, (struct brug_draft){.kind = BRUG_KIND_STOP_PROPOSAL, .stop_reason = 1}));
    OK(try_draft(one, (struct brug_draft){.kind = BRUG_KIND_RETRACT}));
    size_t before = c.kept_count;
    c.script.answers_directory_changed = true;
    fetch(one);
    assert_int_equal(c.kept_count, before + 2);
    assert_answers(&c.kept[before].message_id);
}

static void test_a_consult_is_about_no_youth(void **state)
{
    struct brug_sent sent;
    struct id to = clients_organisation(2);
    struct brug_draft d = {.kind = BRUG_KIND_CONSULT, .to = client_public_id(&to), .text = "Vraag"};
    d.youth.name = "Sanne";
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_USAGE);
    d.youth.name = NULL;
    OK(brug_send(gp->b, &d, &sent));
    assert_false(brug_id_is_none(&sent.case_id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_told_is_here_off_line, begin, end),
        cmocka_unit_test_setup_teardown(test_a_letter_that_comes_makes_the_case_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_a_list_shows_what_ended_and_what_is_foreign, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_case_of_others_is_not_taken_in, begin, end),
        cmocka_unit_test_setup_teardown(test_a_relay_of_before_cases_is_not_asked_for_ever, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_the_way_of_a_case, begin, end),
        cmocka_unit_test_setup_teardown(test_an_answer_carries_the_digest_of_what_it_answers, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_bridging_care_names_its_risks, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_case_does_not_allow_is_not_stored, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_colleague_takes_over_from_who_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(test_closing_waits_for_what_is_owed, begin, end),
        cmocka_unit_test_setup_teardown(test_letters_under_way_count, begin, end),
        cmocka_unit_test_setup_teardown(test_an_answer_follows_a_letter_that_was_sealed_again,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_a_consult_is_about_no_youth, begin, end),
    };
    return cmocka_run_group_tests_name("client_case", tests, NULL, NULL);
}
