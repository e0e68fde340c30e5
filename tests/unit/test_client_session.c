/*
 * tests/unit/test_client_session.c: the client against a scripted relay over TLS on the loopback: letters go out once, come
 * in once, over cuts at any byte, refusals, restarts and restores (T1, T6, T10, T13, T31).
 */
#include "client/casefile.h"
#include "client/pins.h"
#include "client/session_inside.h"
#include "client/words.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/clients.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), BRUG_OK)

static struct clients c;
static struct member *gp, *one, *two;

/* A practice with one GP and a recovery key, a team of two consultants. */
static int begin(void **state)
{
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add_recovery(&c, 1, 9);
    one = clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    two = clients_add(&c, 2, 2, BRUG_ROLE_CONSULTANT);
    return 0;
}

static int end(void **state)
{
    clients_fini(&c);
    return 0;
}

/* All know and believe one another. */
static int begin_trusted(void **state)
{
    (void)begin(state);
    clients_meet(&c);
    return 0;
}

static struct brug_sent refer(struct member *m)
{
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    OK(brug_send(m->b, &d, &sent));
    return sent;
}

static struct brug_messages *inbox(struct member *m)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.received = true};
    OK(brug_messages(m->b, &q, &list));
    return list;
}

static struct brug_message sent_message(struct member *m, int64_t number)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.sent = true};
    struct brug_message found = {.number = 0};
    OK(brug_messages(m->b, &q, &list));
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].number == number)
            found = list->items[i];
    brug_messages_free(list);
    assert_int_equal(found.number, number);
    return found;
}

static void fetch(struct member *m)
{
    clients_sync(&c, m);
    clients_leave(&c, m);
}

static unsigned events_of(struct member *m, enum brug_event_type type)
{
    struct brug_event e;
    unsigned n = 0;
    while (brug_next_event(m->b, &e))
        n += e.type == type;
    return n;
}

/* ---- the way of a letter ---- */

static void test_a_referral_reaches_both_consultants(void **state)
{
    struct brug_letter *letter = NULL;
    struct brug_sent sent = refer(gp);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_UNSENT);
    fetch(gp);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(c.kept[0].submits, 1);
    struct member *team[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        fetch(team[i]);
        struct brug_messages *list = inbox(team[i]);
        assert_int_equal(list->n, 1);
        assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
        assert_string_equal(list->items[0].youth_name, "Sanne de Wit");
        assert_string_equal(list->items[0].from_name, "Organisatie 1");
        OK(brug_open_letter(team[i]->b, list->items[0].number, true, NULL, &letter));
        assert_string_equal(letter->text, "Geachte collega,\nSanne slaapt slecht.");
        assert_int_equal(letter->youth.born, 20140405);
        assert_false(letter->message.is_missing_before);
        brug_letter_free(letter);
        brug_messages_free(list);
    }
    fetch(one);
    assert_int_equal(c.kept[0].opened, 1);
    fetch(one);
    assert_int_equal(c.kept[0].opened, 1);
}

static void test_an_answer_comes_back(void **state)
{
    struct brug_sent sent = refer(gp);
    struct brug_sent reply;
    struct brug_messages *list = NULL;
    fetch(gp);
    fetch(one);
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Wij bellen morgen."};
    d.case_id = sent.case_id;
    OK(brug_send(one->b, &d, &reply));
    fetch(one);
    fetch(gp);
    list = inbox(gp);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
    assert_true(brug_id_equal(&list->items[0].case_id, &sent.case_id));
    brug_messages_free(list);
    /* the colleague sees both, in one case */
    fetch(two);
    list = inbox(two);
    assert_int_equal(list->n, 2);
    assert_false(list->items[0].is_missing_before);
    brug_messages_free(list);
}

static void test_a_missing_message_is_shown_as_a_gap(void **state)
{
    struct brug_sent sent = refer(gp);
    struct brug_sent reply;
    fetch(gp);
    fetch(one);
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Eerste."};
    d.case_id = sent.case_id;
    OK(brug_send(one->b, &d, &reply));
    fetch(one);
    d.text = "Tweede.";
    OK(brug_send(one->b, &d, &reply));
    fetch(one);
    assert_int_equal(c.kept_count, 3);
    c.kept[1].reader_count = 0; /* the relay withholds the first note */
    fetch(gp);
    struct brug_messages *list = inbox(gp);
    assert_int_equal(list->n, 1);
    assert_true(list->items[0].is_missing_before);
    brug_messages_free(list);
}

static void test_letters_of_one_case_go_one_after_the_other(void **state)
{
    struct brug_sent sent = refer(gp);
    struct brug_sent more;
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Ik vergat iets."};
    d.case_id = sent.case_id;
    OK(brug_send(gp->b, &d, &more));
    c.script.refuse_code = BRUG_FULL;
    c.script.refuse_passing = true;
    clients_run(&c, gp);
    assert_int_equal(c.kept_count, 0); /* the note did not overtake */
    struct brug_message m = sent_message(gp, sent.number);
    assert_int_equal(m.state, BRUG_MESSAGE_UNSENT);
    assert_int_equal(m.error, BRUG_FULL);
    clients_leave(&c, gp);
}

/* ---- T1, T6, T13: cuts and repeats ---- */

static void test_T1_cut_before_the_answer(void **state)
{
    struct brug_sent sent = refer(gp);
    c.script.cut_before_answer = true;
    fetch(gp);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(c.kept[0].submits, 2);
    assert_int_equal(c.repeats_differing, 0);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
    assert_int_equal(events_of(gp, BRUG_EVENT_STORED), 1);
}

static void test_T1_cut_and_a_new_process(void **state)
{
    struct brug_sent sent = refer(gp);
    c.script.cut_before_answer = true;
    clients_run(&c, gp);
    assert_int_equal(c.kept_count, 1);
    clients_reopen(&c, gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(c.kept[0].submits, 2);
    assert_int_equal(c.repeats_differing, 0);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
}

static void test_T1_cut_at_any_byte(void **state)
{
    for (int64_t at = 1; at < 12000 && c.kept_count < CLIENTS_MESSAGES_MAX - 1;
         at += at < 400 ? 41 : 977) {
        struct brug_sent sent = refer(gp);
        size_t before = c.kept_count;
        c.script.cut_after_bytes = at;
        clients_move_directory(&c); /* so that pages are fetched again, too */
        fetch(gp);
        c.script.cut_after_bytes = -1;
        assert_int_equal(c.kept_count, before + 1);
        assert_int_equal(c.repeats_differing, 0);
        assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
    }
    size_t all = c.kept_count;
    assert_true(all > 10);
    c.script.cut_after_bytes = 9000; /* and in the middle of deliveries */
    fetch(one);
    c.script.cut_after_bytes = -1;
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, all);
    brug_messages_free(list);
}

/* What was read together with nonsense is not kept, so it was not told either; it comes again. */
static void test_T1_what_is_not_kept_is_not_told(void **state)
{
    struct brug_sent sent = refer(gp);
    c.script.breaks_after_receipt = true;
    fetch(gp);
    assert_int_equal(c.kept[0].submits, 2);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
    assert_int_equal(events_of(gp, BRUG_EVENT_STORED), 1);
}

static void test_T6_a_repeat_is_shown_once_and_acknowledged_again(void **state)
{
    (void)refer(gp);
    fetch(gp);
    c.script.is_deaf_to_acks = true;
    clients_run(&c, one);
    clients_leave(&c, one);
    c.script.is_deaf_to_acks = false;
    clients_reopen(&c, one);
    fetch(one);
    assert_true(c.kept[0].is_acked[0] || c.kept[0].is_acked[1]);
    assert_int_equal(events_of(one, BRUG_EVENT_REPEATED), 1);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 1);
    brug_messages_free(list);
}

static void test_T6_what_a_relay_forgot_is_acknowledged_again(void **state)
{
    (void)refer(gp);
    fetch(gp);
    fetch(one);
    c.kept[0].is_acked[0] = c.kept[0].is_acked[1] = false;
    fetch(one);
    assert_true(c.kept[0].is_acked[0] || c.kept[0].is_acked[1]);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 1);
    brug_messages_free(list);
}

static void test_T13_the_receipt_does_not_wait_for_readers(void **state)
{
    struct brug_sent sent = refer(gp);
    fetch(gp);
    OK(brug_track(gp->b, sent.number));
    fetch(gp);
    struct brug_facts *facts = NULL;
    OK(brug_facts(gp->b, sent.number, &facts));
    assert_int_equal(facts->n, 2);
    assert_int_equal(facts->items[0].fetched_at_ms, 0);
    brug_facts_free(facts);
    fetch(one);
    OK(brug_track(gp->b, 0));
    fetch(gp);
    OK(brug_facts(gp->b, sent.number, &facts));
    assert_true((facts->items[0].fetched_at_ms != 0) != (facts->items[1].fetched_at_ms != 0));
    brug_facts_free(facts);
}

/* ---- refusals ---- */

static void test_T10_a_passing_refusal_is_tried_again(void **state)
{
    struct brug_sent sent = refer(gp);
    c.script.refuse_code = BRUG_QUOTA_FULL;
    c.script.refuse_passing = true;
    clients_run(&c, gp);
    assert_int_equal(c.kept_count, 0);
    assert_int_equal(sent_message(gp, sent.number).error, BRUG_QUOTA_FULL);
    clients_run(&c, gp);
    assert_int_equal(c.kept_count, 0); /* the pause is not over */
    c.now_ms += 3000;
    fetch(gp);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
}

static void test_a_final_refusal_is_shown_and_not_repeated(void **state)
{
    struct brug_sent sent = refer(gp);
    c.script.refuse_code = BRUG_UNKNOWN_ADDRESSEE;
    c.script.refuse_passing = false;
    fetch(gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 0);
    struct brug_message m = sent_message(gp, sent.number);
    assert_int_equal(m.state, BRUG_MESSAGE_REFUSED);
    assert_int_equal(m.error, BRUG_UNKNOWN_ADDRESSEE);
    OK(brug_discard(gp->b, sent.number));
}

static void test_a_changed_directory_seals_again_under_a_new_id(void **state)
{
    struct brug_sent sent = refer(gp);
    c.script.answers_directory_changed = true;
    fetch(gp);
    struct brug_message m = sent_message(gp, sent.number);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(m.state, BRUG_MESSAGE_STORED);
    assert_false(brug_id_equal(&m.message_id, &sent.message_id));
    int64_t number = 0;
    char text[BRUG_ID_TEXT_BYTES];
    OK(brug_find_message(gp->b, brug_id_text(&sent.message_id, text), &number));
    assert_int_equal(number, sent.number);
    fetch(one);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
    brug_messages_free(list);
}

static void test_T32_a_clock_ahead_seals_again_by_the_relays_clock(void **state)
{
    c.script.time_ahead_ms = -400 * FIXTURE_DAY_MS; /* ours is a year ahead of it */
    struct brug_sent sent = refer(gp);
    c.script.refuse_code = BRUG_CLOCK_AHEAD;
    c.script.refuse_passing = true;
    fetch(gp);
    struct brug_message m = sent_message(gp, sent.number);
    struct id id = client_id(&m.message_id);
    assert_int_equal(m.state, BRUG_MESSAGE_STORED);
    assert_true(id_v7_ms(&id) < FIXTURE_NOW_MS - 399 * FIXTURE_DAY_MS);
}

static int64_t month_ahead_cb(void *ctx) { return c.now_ms + 30 * FIXTURE_DAY_MS; }

/* What was put off by a clock that ran ahead, or by a relay that says "in seven weeks", is due within an hour. */
static void test_T32_a_letter_is_never_put_off_for_long(void **state)
{
    struct brug_sent sent = refer(gp);
    int64_t (*right)(void *ctx) = gp->b->now_ms;
    gp->b->now_ms = month_ahead_cb;
    c.script.refuse_code = BRUG_BUSY;
    c.script.refuse_passing = true;
    clients_run(&c, gp);
    clients_leave(&c, gp);
    assert_int_equal(c.kept_count, 0);
    gp->b->now_ms = right;
    fetch(gp);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
    sent = refer(gp);
    c.script.refuse_code = BRUG_BUSY;
    c.script.refuse_after_ms = UINT32_MAX;
    clients_run(&c, gp);
    clients_leave(&c, gp);
    c.now_ms += 3600 * 1000;
    fetch(gp);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
}

static void test_a_final_goodbye_is_not_knocked_against(void **state)
{
    struct brug_connection connection;
    bool reached = true;
    c.script.go_away = BRUG_NOT_ENROLLED;
    clients_run(&c, gp);
    OK(brug_connection(gp->b, &connection));
    assert_true(connection.is_hopeless);
    assert_int_equal(connection.last_error, BRUG_NOT_ENROLLED);
    assert_true(connection.next_try_at_ms > FIXTURE_NOW_MS + 3000000);
    OK(brug_wait(gp->b, BRUG_UNTIL_SYNCED, 60000, &reached));
    assert_false(reached);
    assert_int_equal(c.connections, 4); /* three at the beginning, one now */
    c.script.go_away = 0;
    clients_leave(&c, gp);
}

/* ---- what is refused for a while ---- */

#define FRAME(name) BRUG__V1__CLIENT_FRAME__FRAME_##name

static int64_t count_of(struct member *m, const char *sql)
{
    struct db_cursor cursor;
    OK(db_select(m->b->db, &cursor, sql, NULL, 0));
    assert_true(db_next(&cursor));
    int64_t n = db_int(&cursor, 0);
    OK(db_done(&cursor));
    return n;
}

static int64_t waiting(struct member *m)
{
    bool is_wanted = false;
    OK(casefile_is_wanted(m->b, &is_wanted));
    return is_wanted +
           count_of(m, "SELECT count(*) FROM message WHERE ack = 1 OR opened = 1 OR track = 1") +
           count_of(m, "SELECT count(*) FROM municipality WHERE wanted = 1") +
           count_of(m, "SELECT count(*) FROM countersignature WHERE told = 0");
}

/* A letter is opened and answered, and there is more to ask of the relay. */
static void be_busy(struct member *m, const struct brug_id *case_id)
{
    struct brug_letter *letter = NULL;
    struct brug_sent sent;
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Gelezen.", .case_id = *case_id};
    struct brug_messages *list = inbox(m);
    OK(brug_open_letter(m->b, list->items[0].number, true, NULL, &letter));
    brug_letter_free(letter);
    brug_messages_free(list);
    OK(brug_send(m->b, &d, &sent));
    OK(brug_refresh_cases(m->b, false));
    OK(db_run(m->b->db, "UPDATE countersignature SET told = 0", NULL, 0));
    clients_move_directory(&c);
    clients_sync(&c, m);
}

static void test_T10_what_is_refused_for_a_while_ends_no_session(void **state)
{
    static const int KINDS[] = {FRAME(ACK),
                                FRAME(OPENED),
                                FRAME(TRACK),
                                FRAME(GET_DIRECTORY),
                                FRAME(GET_CASE),
                                FRAME(LIST_CASES),
                                FRAME(PUT_COUNTERSIGNATURE)};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct brug_sent sent = refer(gp);
        fetch(gp);
        unsigned before = c.connections;
        c.script.refuse_request = KINDS[i];
        c.script.request_code = BRUG_BUSY;
        clients_sync(&c, one);
        be_busy(one, &sent.case_id);
        assert_true(waiting(one) > 0);
        assert_true(brug_timeout_ms(one->b) > 1000); /* not at once */
        c.script.refuse_request = 0;
        for (size_t k = 0; k < REQUEST_TYPES; k++) /* a while later */
            one->b->session->put_off_ms[k] = one->b->session->put_off_ms[k] != 0;
        assert_int_equal(brug_timeout_ms(one->b), 0);
        clients_sync(&c, one);
        assert_int_equal(waiting(one), 0);
        assert_int_equal(c.connections, before + 1);
        clients_leave(&c, one);
    }
}

static int ask_figures(struct member *m)
{
    struct brug_figures *f = NULL;
    OK(brug_ask_figures(m->b, BRUG_FIGURE_PERIOD_YEAR, 0, false));
    clients_sync(&c, m);
    int e = brug_figures(m->b, &f);
    brug_figures_free(f);
    return e;
}

static Brug__V1__Figures figures_of_a_year(void)
{
    Brug__V1__Figures figures = BRUG__V1__FIGURES__INIT;
    figures.municipality = client_id_field(&c.municipality);
    figures.period = BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_YEAR;
    figures.from_date = figures.until_date = 20000;
    return figures;
}

/* A person waits for them, and hears it. */
static void test_T10_figures_that_are_refused_for_a_while_are_told(void **state)
{
    Brug__V1__Figures figures = figures_of_a_year();
    unsigned before = c.connections;
    c.figures = &figures;
    c.script.refuse_request = FRAME(GET_FIGURES);
    c.script.request_code = BRUG_BUSY;
    c.script.request_count = 1;
    assert_int_equal(ask_figures(gp), BRUG_BUSY);
    assert_non_null(strstr(brug_last_error(gp->b), "ask again"));
    assert_int_equal(c.figure_requests, 0);
    OK(ask_figures(gp));
    assert_int_equal(c.connections, before + 1);
    clients_leave(&c, gp);
}

static void test_more_figures_than_are_kept_end_no_session(void **state)
{
    Brug__V1__Figures figures = figures_of_a_year();
    Brug__V1__TeamFigures team = BRUG__V1__TEAM_FIGURES__INIT, *teams[LIMIT_FIGURE_TEAMS];
    static Brug__V1__FigureRow row, *rows[LIMIT_FIGURE_ROWS];
    struct id id = clients_organisation(2);
    char name[LIMIT_NAME_BYTES + 1] = {0};
    unsigned before = c.connections;
    brug__v1__figure_row__init(&row);
    row.form = BRUG__V1__FIGURE_FORM__FIGURE_FORM_EXACT;
    row.name = memset(name, 'x', LIMIT_NAME_BYTES);
    for (size_t i = 0; i < LIMIT_FIGURE_ROWS; i++)
        rows[i] = &row;
    for (size_t i = 0; i < LIMIT_FIGURE_TEAMS; i++)
        teams[i] = &team;
    team.team = client_id_field(&id);
    team.rows = rows;
    team.n_rows = LIMIT_FIGURE_ROWS;
    figures.teams = teams;
    figures.n_teams = LIMIT_FIGURE_TEAMS;
    c.figures = &figures;
    c.figure_pages = 100;
    assert_int_equal(ask_figures(gp), BRUG_BOUND);
    assert_int_equal(c.figure_requests, 2); /* of 2.5 MiB */
    assert_int_equal(c.connections, before + 1);
    clients_leave(&c, gp);
}

/* ---- another generation ---- */

static void test_T33_a_restored_relay_gets_its_letters_again(void **state)
{
    struct brug_sent first = refer(gp);
    fetch(gp);
    struct brug_sent second = refer(gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 2);
    /* the copy knows the first one only */
    buf_fini(&c.kept[1].header);
    buf_fini(&c.kept[1].sealed);
    c.kept_count = 1;
    c.complete_until_ms = c.kept[0].stored_at_ms;
    memset(c.generation, 8, sizeof c.generation);
    fetch(gp);
    assert_int_equal(c.kept_count, 2);
    assert_int_equal(c.kept[0].submits, 1);
    assert_int_equal(c.repeats_differing, 0);
    assert_int_equal(sent_message(gp, first.number).state, BRUG_MESSAGE_STORED);
    assert_int_equal(sent_message(gp, second.number).state, BRUG_MESSAGE_STORED);
}

/* ---- letters that fail ---- */

static void test_T29_a_forged_header_is_unreadable_and_told(void **state)
{
    struct brug_letter *letter = NULL;
    (void)refer(gp);
    fetch(gp);
    c.script.forges_deliveries = true;
    fetch(one);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_UNREADABLE);
    assert_int_equal(list->items[0].error, BRUG_LETTER_HEADER);
    assert_string_equal(list->items[0].youth_name, "");
    assert_int_equal(brug_open_letter(one->b, list->items[0].number, true, NULL, &letter),
                     BRUG_LETTER_HEADER);
    assert_true(c.kept[0].ack_code[0] == BRUG_LETTER_HEADER ||
                c.kept[0].ack_code[1] == BRUG_LETTER_HEADER);
    brug_messages_free(list);
}

static void test_a_letter_stays_with_the_signer_it_was_believed_of(void **state)
{
    struct brug_letter *letter = NULL;
    (void)refer(gp);
    fetch(gp);
    fetch(one);
    OK(db_run(one->b->db, "UPDATE message SET signer = zeroblob(32)", NULL, 0));
    assert_int_equal(brug_open_letter(one->b, 1, false, NULL, &letter), BRUG_LETTER_SIGNER);
    assert_null(letter);
}

/* ---- cases with other parties ---- */

/* A practice that is known and believed, and has nothing to do with the case. */
static struct member *add_third_party(void)
{
    struct member *third = clients_add(&c, 3, 1, BRUG_ROLE_GP);
    struct member *all[] = {third, one};
    for (size_t i = 0; i < 2; i++) {
        fetch(all[i]);
        clients_trust_all(all[i]);
        fetch(all[i]);
    }
    return third;
}

static void assert_reply_goes_to(struct member *m, const struct brug_id *case_id,
                                 unsigned organisation)
{
    struct id to = clients_organisation(organisation);
    struct brug_id wanted = client_public_id(&to);
    struct brug_sent reply;
    struct brug_cases *cases = NULL;
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Over Sanne.", .case_id = *case_id};
    OK(brug_send(m->b, &d, &reply));
    struct brug_message sent = sent_message(m, reply.number);
    assert_true(brug_id_equal(&sent.to, &wanted));
    OK(brug_cases(m->b, &cases));
    assert_int_equal(cases->n, 1);
    assert_true(brug_id_equal(&cases->items[0].other, &wanted));
    brug_cases_free(cases);
}

/* The relay makes up a message in the case, before the referral; no key is needed for that. */
static void test_T31_a_forged_message_does_not_turn_a_case_to_another_party(void **state)
{
    struct member *third = add_third_party();
    struct brug_sent sent = refer(gp);
    fetch(gp);
    struct kept real = c.kept[0];
    struct kept *forged = &c.kept[0];
    c.kept[c.kept_count++] = real;
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, real.header.len, real.header.data);
    h->message_id.data[15] ^= 1;
    memcpy(h->from->organisation.data, third->organisation.bytes, ID_BYTES);
    memcpy(h->from->endpoint.data, third->endpoint.bytes, ID_BYTES);
    memcpy(h->from->person.data, third->person.bytes, ID_BYTES);
    buf_init(&forged->header, 1u << 16);
    buf_init(&forged->sealed, 1u << 20);
    OK(frame_append_bare(&forged->header, &h->base));
    OK(buf_append_slice(&forged->sealed, buf_slice(&real.sealed)));
    forged->organisation = third->organisation;
    forged->message_id = client_field_id(h->message_id);
    brug__v1__header__free_unpacked(h, NULL);
    fetch(one);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 2);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
    assert_int_equal(list->items[1].state, BRUG_MESSAGE_UNREADABLE);
    brug_messages_free(list);
    assert_reply_goes_to(one, &sent.case_id, 1);
}

/* Somebody real signs it, who learnt the case's id. */
static void test_T29_a_letter_of_a_third_party_is_refused_in_a_case(void **state)
{
    struct member *third = add_third_party();
    struct brug_sent sent = refer(gp);
    struct brug_sent intruder;
    struct id team = clients_organisation(2);
    fetch(gp);
    fetch(one);
    OK(DB_RUN(third->b->db,
              "INSERT INTO message(is_sent, organisation, message_id, state, kind, case_id, other,"
              " header, has_letter, written_at_ms) VALUES(0, ?1, ?2, 1, 1, ?3, ?1, ?4, 1, 1)",
              DB_ID(&team), DB_BLOB(slice_of(sent.message_id.bytes, ID_BYTES)),
              DB_BLOB(slice_of(sent.case_id.bytes, ID_BYTES)),
              DB_BLOB(buf_slice(&c.kept[0].header))));
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Ik hoor hier niet bij."};
    d.case_id = sent.case_id;
    OK(brug_send(third->b, &d, &intruder));
    fetch(third);
    assert_int_equal(c.kept_count, 2);
    fetch(one);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 2);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_UNREADABLE);
    assert_int_equal(list->items[0].error, BRUG_LETTER_HEADER);
    assert_int_equal(list->items[1].state, BRUG_MESSAGE_READY);
    brug_messages_free(list);
    assert_reply_goes_to(one, &sent.case_id, 1);
}

/* ---- nothing in the clear ---- */

static void test_T25_no_word_of_a_letter_stands_in_the_store(void **state)
{
    char path[128];
    struct buf store;
    (void)refer(gp); /* waiting */
    fetch(gp);
    fetch(one);
    brug_messages_free(inbox(one));
    struct member *all[] = {gp, one};
    for (size_t i = 0; i < 2; i++) {
        buf_init(&store, 64u << 20);
        (void)snprintf(path, sizeof path, "%s/store.db", all[i]->directory);
        assert_int_equal(buf_read_file(&store, path), ERROR_NONE);
        assert_null(memmem(store.data, store.len, "Sanne", 5));
        assert_null(memmem(store.data, store.len, "slaapt", 6));
        assert_null(memmem(store.data, store.len, "2014", 4));
        assert_non_null(memmem(store.data, store.len, "SQLite", 6));
        buf_fini(&store);
    }
}

/* ---- waiting ---- */

/* However long the relay's disk or the line takes: the relay says that more waits. */
static void test_synced_is_reached_when_all_was_fetched(void **state)
{
    bool reached = false;
    (void)refer(gp);
    fetch(gp);
    c.script.slow_pongs = 2;
    assert_int_equal(brug_start(one->b), BRUG_OK);
    for (int i = 0; i < 2000 && !reached; i++) {
        clients_run(&c, one);
        OK(brug_wait(one->b, BRUG_UNTIL_SYNCED, 0, &reached));
    }
    assert_true(reached);
    assert_int_equal(events_of(one, BRUG_EVENT_RECEIVED), 1);
    clients_leave(&c, one);
}

/* ---- two commands of one profile ---- */

static void test_a_second_command_hands_over(void **state)
{
    struct brug *second = brug_new(gp->directory);
    enum brug_state opened = BRUG_STATE_EMPTY;
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    bool reached = false;
    clients_sync(&c, gp);
    second->now_ms = gp->b->now_ms;
    second->now_ctx = gp->b->now_ctx;
    OK(brug_open(second, &opened));
    assert_int_equal(brug_start(second), BRUG_LOCKED);
    OK(brug_send(second, &d, &sent));
    clients_run(&c, gp); /* woken through the profile's pipe */
    assert_int_equal(c.kept_count, 1);
    OK(brug_wait(second, BRUG_UNTIL_SENT, 1000, &reached));
    assert_true(reached);
    brug_close(&second);
    clients_leave(&c, gp);
}

static struct {
    struct brug *second;
    int64_t number;
    unsigned calls_left;
    bool is_given_up;
} giving_up;

static int64_t give_up_cb(void *ctx)
{
    if (giving_up.calls_left > 0 && --giving_up.calls_left == 0)
        giving_up.is_given_up = brug_discard(giving_up.second, giving_up.number) == BRUG_OK;
    return c.now_ms;
}

/* Another command gives a letter up while this one tries to seal it, at each moment that can be had. */
static void test_a_letter_that_was_given_up_stays_so(void **state)
{
    enum brug_state opened = BRUG_STATE_EMPTY;
    unsigned given_up = 0;
    (void)clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT); /* not believed: sealing fails */
    fetch(gp);
    giving_up.second = brug_new(gp->directory);
    OK(brug_open(giving_up.second, &opened));
    for (unsigned n = 1; n <= 24; n++) {
        giving_up.number = refer(gp).number;
        giving_up.is_given_up = false;
        giving_up.calls_left = n;
        gp->b->now_ms = give_up_cb;
        clients_run(&c, gp);
        clients_leave(&c, gp);
        giving_up.calls_left = 0;
        given_up += giving_up.is_given_up;
        if (giving_up.is_given_up)
            assert_int_equal(sent_message(gp, giving_up.number).state, BRUG_MESSAGE_DISCARDED);
        else
            OK(brug_discard(giving_up.second, giving_up.number));
    }
    assert_true(given_up > 8);
    brug_close(&giving_up.second);
}

/* ---- T31 ---- */

static void test_T31_nothing_is_sealed_before_a_person_confirmed(void **state)
{
    struct brug_organisations *o = NULL;
    fetch(gp);
    struct brug_sent sent = refer(gp);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_WAITING);
    assert_int_equal(sent_message(gp, sent.number).error, BRUG_CONFIRM);
    fetch(gp);
    assert_int_equal(c.kept_count, 0);
    OK(brug_trust_list(gp->b, &o));
    for (size_t i = 0; i < o->n; i++) {
        assert_true(o->items[i].is_name_certified);
        assert_int_equal(brug_trust_confirm(gp->b, &o->items[i].organisation, "0000-0000-0000"),
                         BRUG_NOT_BELIEVED);
    }
    assert_int_equal(o->n, 2); /* the team, and the own recovery key */
    brug_organisations_free(o);
    clients_trust_all(gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
}

static void test_T31_a_stranger_on_the_roster_stops_sealing(void **state)
{
    struct member *stranger = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    struct brug_sent sent = refer(gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 0);
    assert_int_equal(sent_message(gp, sent.number).error, BRUG_CONFIRM);
    /* a colleague confirms, and its countersignature lets the letter go by itself */
    fetch(one);
    clients_trust_all(one);
    fetch(one);
    assert_true(stranger->countersignature.len > 0);
    clients_move_directory(&c);
    fetch(gp);
    assert_int_equal(c.kept_count, 1);
    assert_int_equal(c.kept[0].reader_count, 3);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_STORED);
}

static void test_T31_a_revoked_colleague_stops_sealing_and_signs_nothing(void **state)
{
    struct brug_sent sent = refer(gp);
    fetch(gp);
    fetch(one);
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Van wie vertrokken is."};
    struct brug_sent note;
    d.case_id = sent.case_id;
    OK(brug_send(one->b, &d, &note));
    fetch(one);
    assert_int_equal(c.kept_count, 2);
    clients_revoke(&c, &one->identity_x509, 1);
    fetch(gp);
    struct brug_messages *list = inbox(gp);
    assert_int_equal(list->n, 1);
    /* it came with the list or before it; either way nothing more is sealed to the revoked one */
    brug_messages_free(list);
    struct brug_sent second = refer(gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 2);
    assert_int_equal(sent_message(gp, second.number).error, BRUG_NOT_BELIEVED);
    OK(brug_send(one->b, &d, &note));
    fetch(one);
    fetch(gp);
    list = inbox(gp);
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].state == BRUG_MESSAGE_UNREADABLE)
            assert_int_equal(list->items[i].error, BRUG_LETTER_SIGNER);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_UNREADABLE);
    brug_messages_free(list);
}

static void test_T31_a_letter_of_somebody_new_waits_for_a_person(void **state)
{
    struct brug_letter *letter = NULL;
    fetch(gp);
    clients_trust_all(gp);
    (void)refer(gp);
    fetch(gp);
    fetch(one); /* has confirmed nobody yet */
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_CONFIRM);
    assert_string_equal(list->items[0].youth_name, "");
    assert_int_equal(brug_open_letter(one->b, list->items[0].number, true, NULL, &letter),
                     BRUG_CONFIRM);
    brug_messages_free(list);
    clients_trust_all(one);
    list = inbox(one);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
    brug_messages_free(list);
}

static void test_T31_a_roster_without_ourselves_stops_sealing(void **state)
{
    gp->is_hidden = true;
    clients_move_directory(&c);
    fetch(gp);
    struct brug_sent sent = refer(gp);
    fetch(gp);
    assert_int_equal(c.kept_count, 0);
    assert_int_equal(sent_message(gp, sent.number).state, BRUG_MESSAGE_WAITING);
    assert_int_equal(sent_message(gp, sent.number).error, BRUG_NOT_BELIEVED);
    gp->is_hidden = false;
}

/* The delivery comes before the page that lists its sender: that is no reason to call the letter forged [P-114]. */
static void test_a_letter_of_a_new_colleague_waits_for_the_directory(void **state)
{
    struct member *three = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    struct brug_draft d = {.kind = BRUG_KIND_NOTICE, .text = "Ik ben nieuw in het team."};
    struct id to = clients_organisation(1);
    struct brug_sent sent;
    fetch(one);
    clients_trust_all(one);
    fetch(one); /* countersigns */
    fetch(three);
    clients_trust_all(three);
    d.to = client_public_id(&to);
    OK(brug_send(three->b, &d, &sent));
    fetch(three);
    assert_int_equal(c.kept_count, 1);
    clients_move_directory(&c);
    fetch(gp);
    struct brug_messages *list = inbox(gp);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
    assert_int_equal(c.kept[0].ack_code[0], 0);
    brug_messages_free(list);
}

/* A letter reaches the practice from somebody of the team who stands in no page of any directory. */
static void get_a_letter_of_somebody_unlisted(void)
{
    struct member *three = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    struct brug_draft d = {.kind = BRUG_KIND_NOTICE, .text = "Ik ben niemand."};
    struct id to = clients_organisation(1);
    struct brug_sent sent;
    fetch(three);
    clients_trust_all(three);
    d.to = client_public_id(&to);
    OK(brug_send(three->b, &d, &sent));
    fetch(three);
    assert_int_equal(c.kept_count, 1);
    three->is_hidden = true;
    fetch(gp);
    struct brug_messages *list = inbox(gp);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_UNREADABLE);
    assert_int_equal(list->items[0].error, BRUG_LETTER_SIGNER);
    brug_messages_free(list);
}

/* Who stands in no complete directory is nobody: no letter of his waits for ever. */
static void test_T31_a_letter_of_somebody_unlisted_ends_as_unreadable(void **state)
{
    get_a_letter_of_somebody_unlisted();
}

/* All municipalities are looked through, each once. */
static void test_T31_a_letter_of_somebody_unlisted_ends_in_two_municipalities(void **state)
{
    c.neighbour = fixture_id(901);
    get_a_letter_of_somebody_unlisted();
    assert_true(c.directory_requests < 30);
}

/* One that the practice has left meanwhile has no page to wait for. */
static void test_T31_a_municipality_that_is_left_keeps_no_letter_waiting(void **state)
{
    struct id left = fixture_id(901); /* after ours in order */
    OK(DB_RUN(gp->b->db, "INSERT INTO municipality(municipality, wanted) VALUES(?1, 1)",
              DB_ID(&left)));
    get_a_letter_of_somebody_unlisted();
}

/* A recovery key opens letters; it signs none, and in nobody's name, also when the relay lists it no longer. */
static void test_T31_a_recovery_key_signs_nothing(void **state)
{
    struct member *recovery = &c.members[1];
    struct member *members[] = {gp, recovery};
    assert_true(recovery->is_recovery);
    for (size_t i = 0; i < 2; i++) {
        recovery->is_hidden = i == 1;
        clients_move_directory(&c);
        fetch(gp);
        for (size_t k = 0; k < 2; k++) {
            enum error e = pins_judge_signer(gp->b, &gp->organisation, &members[k]->endpoint,
                                             &gp->person, members[k]->identity_x509);
            assert_int_equal(e == ERROR_NONE, k == 0);
        }
    }
}

/* The roster is the relay's text: a name in it that would move the cursor is no name. */
static void test_a_name_with_control_characters_is_not_given_out(void **state)
{
    struct member *three = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    struct id team = clients_organisation(2);
    struct words *words = words_new();
    const char *name = NULL;
    struct buf entry;
    struct db_cursor cursor;
    fetch(gp);
    OK(words_person(gp->b, words, &team, &three->person, &name));
    assert_string_equal(name, "Persoon");
    words_free(words);
    buf_init(&entry, 1u << 20);
    OK(DB_SELECT(gp->b->db, &cursor, "SELECT entry FROM organisation WHERE organisation = ?1",
                 DB_ID(&team)));
    assert_true(db_next(&cursor));
    OK(buf_append_slice(&entry, db_blob(&cursor, 0)));
    OK(db_done(&cursor));
    for (uint8_t *at; (at = memmem(entry.data, entry.len, "Persoon", 7));)
        memcpy(at, "\033[2Joon", 7);
    OK(DB_RUN(gp->b->db, "UPDATE organisation SET entry = ?2 WHERE organisation = ?1", DB_ID(&team),
              DB_BLOB(buf_slice(&entry))));
    words = words_new();
    OK(words_person(gp->b, words, &team, &three->person, &name));
    assert_string_equal(name, "");
    words_free(words);
    buf_fini(&entry);
}

/* A directory without end is kept up to a bound, and what is in it already is still brought up to date. */
static void test_a_directory_without_end_fills_no_disk(void **state)
{
    struct db_cursor cursor;
    (void)clients_add(&c, 3, 1, BRUG_ROLE_GP);
    OK(db_run(gp->b->db,
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)"
              " INSERT INTO organisation(organisation, entry, fetched_at_ms)"
              " SELECT randomblob(16), x'', 1 FROM n",
              NULL, 0));
    OK(db_run(gp->b->db,
              "INSERT INTO listing(municipality, organisation, round) SELECT x'01', organisation, 1"
              " FROM organisation WHERE length(entry) = 0",
              NULL, 0));
    fetch(gp);
    OK(db_select(gp->b->db, &cursor, "SELECT count(*), sum(length(entry) > 0) FROM organisation",
                 NULL, 0));
    assert_true(db_next(&cursor));
    assert_int_equal(db_int(&cursor, 0), 10000);
    assert_int_equal(db_int(&cursor, 1), 2); /* as before: the third has no room */
    OK(db_done(&cursor));
}

static void test_T31_an_older_directory_is_not_taken(void **state)
{
    struct member *late = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    fetch(gp);
    late->is_hidden = true;
    c.epoch -= 2; /* the relay shows the directory of before */
    OK(brug_refresh_directory(gp->b));
    fetch(gp);
    struct brug_organisations *o = NULL;
    size_t entries = 0;
    OK(brug_organisations(gp->b, &o));
    for (size_t i = 0; i < o->n; i++)
        entries += o->items[i].entries_n;
    assert_int_equal(entries, 5);
    brug_organisations_free(o);
}

/* By a wrong clock no list is in force; once it is right the letter does not wait for the next list. */
static void test_T32_a_letter_that_waited_for_the_clock_is_judged_again(void **state)
{
    int64_t (*right)(void *ctx) = one->b->now_ms;
    clients_revoke(&c, NULL, 0);
    buf_clear(&c.crl);
    fixture_crl(&c.ca, FIXTURE_NOW_MS - 1000, FIXTURE_NOW_MS + 7 * FIXTURE_DAY_MS, 99, NULL, 0,
                &c.crl);
    fetch(one);
    (void)refer(gp);
    fetch(gp);
    one->b->now_ms = month_ahead_cb;
    fetch(one);
    struct brug_messages *list = inbox(one);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_CONFIRM);
    assert_int_equal(list->items[0].error, BRUG_TLS_CRL_STALE);
    brug_messages_free(list);
    one->b->now_ms = right;
    fetch(one);
    list = inbox(one);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_READY);
    brug_messages_free(list);
}

/* A relay that says for a while that there is no such municipality is not believed an older directory after it. */
static void test_T31_leaving_a_municipality_does_not_forget_its_epoch(void **state)
{
    struct member *late = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    struct id municipality = c.municipality;
    struct brug_organisations *o = NULL;
    size_t entries = 0;
    fetch(gp);
    c.municipality = fixture_id(901);
    OK(brug_refresh_directory(gp->b));
    fetch(gp);
    c.municipality = municipality;
    late->is_hidden = true;
    c.epoch -= 2;
    fetch(gp);
    OK(brug_organisations(gp->b, &o));
    for (size_t i = 0; i < o->n; i++)
        entries += o->items[i].entries_n;
    assert_int_equal(entries,
                     5); /* as the other municipality listed them: the old pages were not taken */
    brug_organisations_free(o);
}

static void test_a_municipality_that_is_left_stops_no_fetch(void **state)
{
    struct id left = fixture_id(1); /* before ours in order */
    struct db_cursor cursor;
    OK(DB_RUN(gp->b->db, "INSERT INTO municipality(municipality, wanted) VALUES(?1, 1)",
              DB_ID(&left)));
    unsigned before = c.directory_requests;
    clients_move_directory(&c);
    fetch(gp);
    assert_true(c.directory_requests > before);
    OK(db_select(gp->b->db, &cursor, "SELECT count(*) FROM municipality", NULL, 0));
    assert_true(db_next(&cursor));
    assert_int_equal(db_int(&cursor, 0), 1);
    OK(db_done(&cursor));
}

/* ---- reading ---- */

static void test_finding(void **state)
{
    static const struct {
        const char *words;
        size_t n;
    } rows[] = {
        {"sanne", 1},       {"SLAAPT de wit", 1}, {"05-04-2014", 1}, {"2014-04-05", 1},
        {"organisatie", 1}, {"jan", 0},           {"2014", 0},       {"", 1},
    };
    struct brug_sent sent = refer(gp);
    char code[BRUG_CODE_BYTES];
    fetch(gp);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct brug_query q = {.words = rows[i].words};
        struct brug_messages *list = NULL;
        OK(brug_messages(gp->b, &q, &list));
        if (list->n != rows[i].n)
            fail_msg("%s: %zu", rows[i].words, list->n);
        brug_messages_free(list);
    }
    struct brug_id found;
    OK(brug_find_case(gp->b, brug_case_code(&sent.case_id, code), &found));
    assert_true(brug_id_equal(&found, &sent.case_id));
    assert_int_equal(brug_find_case(gp->b, "ZZZ-ZZZ", &found), BRUG_NOT_FOUND);
    struct brug_cases *cases = NULL;
    OK(brug_cases(gp->b, &cases));
    assert_int_equal(cases->n, 1);
    assert_string_equal(cases->items[0].youth_name, "Sanne de Wit");
    brug_cases_free(cases);
    unsigned warnings = 0;
    struct brug_draft d = clients_referral();
    OK(brug_check_draft(gp->b, &d, &warnings));
    assert_int_equal(warnings, BRUG_WARNING_SECOND_CASE);
    d.youth.born = 20090101;
    OK(brug_check_draft(gp->b, &d, &warnings));
    assert_int_equal(warnings, BRUG_WARNING_TURNS_18);
}

/* Page by page it is the same list, also where the relay stored letters in another order than they came in here. */
static void test_a_case_is_read_page_by_page_in_its_order(void **state)
{
    static const int64_t STORED_S[] = {30, 10, 40, 20, 0}; /* the last one is still under way */
    struct brug_sent sent = refer(gp), more;
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = "Nog iets.", .case_id = sent.case_id};
    struct brug_query q = {.case_id = sent.case_id};
    struct brug_messages *all = NULL, *page = NULL;
    for (size_t i = 1; i < 5; i++)
        OK(brug_send(gp->b, &d, &more));
    fetch(gp);
    OK(brug_messages(gp->b, &q, &all));
    assert_int_equal(all->n, 5);
    int64_t first = all->items[4].number;
    brug_messages_free(all);
    for (size_t i = 0; i < 5; i++)
        OK(DB_RUN(gp->b->db, "UPDATE message SET stored_at_ms = ?2 WHERE number = ?1",
                  DB_INT(first + (int64_t)i), DB_INT(STORED_S[i] * 1000)));
    OK(brug_messages(gp->b, &q, &all));
    static const int64_t ORDER[] = {4, 2, 0, 3, 1};
    q.limit = 2;
    for (size_t i = 0; i < 5; i += 2) {
        OK(brug_messages(gp->b, &q, &page));
        assert_int_equal(page->n, i == 4 ? 1 : 2);
        for (size_t k = 0; k < page->n; k++) {
            assert_int_equal(page->items[k].number, first + ORDER[i + k]);
            assert_int_equal(page->items[k].number, all->items[i + k].number);
        }
        q.before = page->items[page->n - 1].number;
        brug_messages_free(page);
    }
    brug_messages_free(all);
}

static void test_bad_drafts_name_their_field(void **state)
{
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    fetch(gp);
    d.youth.born = 20081122; /* 18 today [R10] */
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_USAGE);
    assert_non_null(strstr(brug_last_error(gp->b), "born"));
    d = clients_referral();
    d.ground = BRUG_GROUND_NONE;
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_USAGE);
    d = clients_referral();
    d.reason = 0;
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_USAGE);
    assert_non_null(strstr(brug_last_error(gp->b), "reason"));
    d = clients_referral();
    d.youth.bsn = "123456789";
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_USAGE);
    assert_non_null(strstr(brug_last_error(gp->b), "bsn"));
    d = clients_referral();
    d.kind = BRUG_KIND_CLAIM;
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_ROLE_NOT_ALLOWED);
    d = clients_referral();
    memset(&d.to, 9, sizeof d.to);
    assert_int_equal(brug_send(gp->b, &d, &sent), BRUG_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_trusted, end)
#define TEST_NEW(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_referral_reaches_both_consultants),
        TEST(test_an_answer_comes_back),
        TEST(test_a_missing_message_is_shown_as_a_gap),
        TEST(test_letters_of_one_case_go_one_after_the_other),
        TEST(test_T1_cut_before_the_answer),
        TEST(test_T1_cut_and_a_new_process),
        TEST(test_T1_cut_at_any_byte),
        TEST(test_T1_what_is_not_kept_is_not_told),
        TEST(test_T6_a_repeat_is_shown_once_and_acknowledged_again),
        TEST(test_T6_what_a_relay_forgot_is_acknowledged_again),
        TEST(test_T13_the_receipt_does_not_wait_for_readers),
        TEST(test_T10_a_passing_refusal_is_tried_again),
        TEST(test_a_final_refusal_is_shown_and_not_repeated),
        TEST(test_a_changed_directory_seals_again_under_a_new_id),
        TEST(test_T32_a_clock_ahead_seals_again_by_the_relays_clock),
        TEST(test_T32_a_letter_is_never_put_off_for_long),
        TEST(test_a_final_goodbye_is_not_knocked_against),
        TEST(test_T10_what_is_refused_for_a_while_ends_no_session),
        TEST(test_T10_figures_that_are_refused_for_a_while_are_told),
        TEST(test_more_figures_than_are_kept_end_no_session),
        TEST(test_T33_a_restored_relay_gets_its_letters_again),
        TEST(test_T29_a_forged_header_is_unreadable_and_told),
        TEST(test_a_letter_stays_with_the_signer_it_was_believed_of),
        TEST(test_T31_a_forged_message_does_not_turn_a_case_to_another_party),
        TEST(test_T29_a_letter_of_a_third_party_is_refused_in_a_case),
        TEST(test_T25_no_word_of_a_letter_stands_in_the_store),
        TEST(test_synced_is_reached_when_all_was_fetched),
        TEST(test_a_second_command_hands_over),
        TEST(test_a_letter_that_was_given_up_stays_so),
        TEST_NEW(test_T31_nothing_is_sealed_before_a_person_confirmed),
        TEST(test_T31_a_stranger_on_the_roster_stops_sealing),
        TEST(test_T31_a_revoked_colleague_stops_sealing_and_signs_nothing),
        TEST_NEW(test_T31_a_letter_of_somebody_new_waits_for_a_person),
        TEST(test_T31_a_roster_without_ourselves_stops_sealing),
        TEST(test_a_letter_of_a_new_colleague_waits_for_the_directory),
        TEST(test_T31_a_letter_of_somebody_unlisted_ends_as_unreadable),
        TEST(test_T31_a_letter_of_somebody_unlisted_ends_in_two_municipalities),
        TEST(test_T31_a_municipality_that_is_left_keeps_no_letter_waiting),
        TEST(test_T31_a_recovery_key_signs_nothing),
        TEST(test_a_name_with_control_characters_is_not_given_out),
        TEST(test_a_directory_without_end_fills_no_disk),
        TEST(test_T31_an_older_directory_is_not_taken),
        TEST(test_T32_a_letter_that_waited_for_the_clock_is_judged_again),
        TEST(test_T31_leaving_a_municipality_does_not_forget_its_epoch),
        TEST(test_a_municipality_that_is_left_stops_no_fetch),
        TEST(test_finding),
        TEST(test_a_case_is_read_page_by_page_in_its_order),
        TEST(test_bad_drafts_name_their_field),
    };
    return cmocka_run_group_tests_name("client_session", tests, NULL, NULL);
}
