/*
 * tests/unit/test_client_history.c: earlier letters from a colleague, between clients over a scripted relay: whom the taker believes
 * as their author, that each is shown once and in its place, and that a giver gives what is missing.
 */
#include "client/pins.h"
#include "proto/frame.h"
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
static struct member *gp, *anna, *bas, *cato;
static struct brug_id case_id;

static void fetch(struct member *m)
{
    clients_sync(&c, m);
    clients_leave(&c, m);
}

static int64_t note(struct member *m, const char *text)
{
    struct brug_sent sent;
    struct brug_draft d = {.kind = BRUG_KIND_NOTE, .text = text, .case_id = case_id};
    OK(brug_send(m->b, &d, &sent));
    fetch(m);
    return sent.number;
}

/* The GP refers, Anna writes, and the GP again; then Cato comes, whom nobody knows yet. */
static int begin(void **state)
{
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add_recovery(&c, 1, 9);
    anna = clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    bas = clients_add(&c, 2, 2, BRUG_ROLE_CONSULTANT);
    clients_meet(&c);
    OK(brug_send(gp->b, &d, &sent));
    case_id = sent.case_id;
    fetch(gp);
    fetch(anna);
    (void)note(anna, "Van Anna.");
    fetch(gp);
    (void)note(gp, "Nog iets.");
    fetch(anna);
    fetch(bas);
    cato = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    clients_move_directory(&c);
    return 0;
}

static int end(void **state)
{
    clients_fini(&c);
    return 0;
}

static void hide(struct member *m)
{
    m->is_hidden = true;
    clients_move_directory(&c);
}

/* Cato confirms whom she finds. */
static void settle_in(void)
{
    clients_sync(&c, cato);
    clients_trust_all(cato);
    fetch(cato);
}

/* A colleague confirms Cato's client. */
static void welcome(struct member *m)
{
    clients_sync(&c, m);
    clients_trust_all(m);
    fetch(m);
}

static struct brug_messages *letters(struct member *m)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.case_id = case_id};
    OK(brug_messages(m->b, &q, &list));
    return list;
}

static size_t count(struct member *m, bool problems)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.problems_only = problems, .received = problems};
    if (!problems)
        q.case_id = case_id;
    OK(brug_messages(m->b, &q, &list));
    size_t n = list->n;
    brug_messages_free(list);
    return n;
}

/* Of the first HISTORY that is not right; ERROR_NONE: there is none. */
static int problem(struct member *m)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.problems_only = true, .received = true};
    OK(brug_messages(m->b, &q, &list));
    int error = BRUG_OK;
    for (size_t i = 0; i < list->n; i++) {
        assert_int_equal(list->items[i].kind, BRUG_KIND_HISTORY);
        error = list->items[i].error;
    }
    brug_messages_free(list);
    return error;
}

static void assert_has_all(struct member *m, const char *giver)
{
    static const char *const TEXTS[] = {"Nog iets.", "Van Anna.",
                                        "Geachte collega,\nSanne slaapt slecht."};
    struct brug_letter *l = NULL;
    struct brug_messages *list = letters(m);
    assert_int_equal(list->n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(list->items[i].handed_on_by, giver);
        assert_false(list->items[i].is_missing_before);
        assert_true(i == 2 || list->items[i].stored_at_ms > list->items[i + 1].stored_at_ms);
        OK(brug_open_letter(m->b, list->items[i].number, false, NULL, &l));
        assert_string_equal(l->text, TEXTS[i]);
        brug_letter_free(l);
    }
    brug_messages_free(list);
}

/* Runs SQL on a profile's store, between its commands. */
static void tamper(struct member *m, const char *sql, const struct id *id)
{
    OK((int)db_run(m->b->db, sql, &DB_ID(id), 1));
    assert_int_not_equal(db_changes(m->b->db), 0);
}

/* Hands on to Cato what she lacks, so many letters. */
static void give(struct member *m, size_t letters_n)
{
    struct brug_handed_on done;
    struct brug_id person = client_public_id(&cato->person);
    OK(brug_hand_on(m->b, &person, NULL, NULL, &done));
    assert_int_equal(done.letters, letters_n);
    fetch(m);
}

/* ---- what comes ---- */

static void a_confirmed_colleague_gets_the_running_case(void **state)
{
    settle_in();
    assert_int_equal(count(cato, false), 0);
    welcome(bas);
    fetch(cato);
    assert_has_all(cato, "Persoon 2");
    assert_int_equal(problem(cato), BRUG_OK);
}

static void a_second_giver_shows_nothing_twice(void **state)
{
    settle_in();
    welcome(bas);
    welcome(anna); /* by Bas's word: she has nothing to confirm, and gives nothing by herself */
    assert_int_equal(c.kept_count, 6);
    give(anna, 3);
    fetch(cato);
    fetch(cato);
    assert_has_all(cato, "Persoon 2");
    assert_int_equal(problem(cato), BRUG_OK);
    give(bas, 0);
}

/* Cato confirms her own team only. */
static void settle_in_the_team(void)
{
    clients_sync(&c, cato);
    struct brug_organisations *o = NULL;
    OK(brug_trust_list(cato->b, &o));
    for (size_t i = 0; i < o->n; i++)
        if (o->items[i].is_own)
            OK(brug_trust_confirm(cato->b, &o->items[i].organisation, o->items[i].fingerprint));
    brug_organisations_free(o);
    fetch(cato);
}

static void a_running_case_of_an_unknown_practice_waits_for_a_person(void **state)
{
    settle_in_the_team();
    welcome(bas);
    fetch(cato);
    assert_int_equal(problem(cato), BRUG_CONFIRM);
    assert_int_equal(count(cato, false), 1); /* Anna's */
    clients_trust_all(cato);
    assert_has_all(cato, "Persoon 2");
    assert_int_equal(problem(cato), BRUG_OK);
}

/* ---- authors who left ---- */

static void who_left_an_unknown_practice_waits_for_a_person_too(void **state)
{
    hide(gp); /* the practice's recovery entry is still listed */
    settle_in_the_team();
    welcome(bas);
    fetch(cato);
    fetch(cato);
    assert_int_equal(problem(cato), BRUG_CONFIRM);
    assert_int_equal(count(cato, false), 1);
    clients_trust_all(cato);
    fetch(cato); /* in no page of the directory is who left */
    assert_has_all(cato, "Persoon 2");
    assert_int_equal(problem(cato), BRUG_OK);
}

static void an_author_who_left_is_believed_on_a_colleagues_word(void **state)
{
    hide(anna);
    settle_in();
    welcome(bas);
    fetch(cato);
    assert_has_all(cato, "Persoon 2");
}

static void a_certificate_revoked_since_says_nothing_of_then(void **state)
{
    X509 *revoked[] = {anna->identity_x509};
    hide(anna);
    clients_revoke(&c, revoked, 1);
    clients_move_directory(&c);
    settle_in();
    welcome(bas);
    fetch(cato);
    assert_has_all(cato, "Persoon 2");
}

/* What waits for a member stays at the relay meanwhile. */
static void hold_back(const struct member *m, bool is_held)
{
    for (size_t i = 0; i < c.kept_count; i++) {
        size_t reader = clients_reader_of(&c.kept[i], m);
        if (reader != SIZE_MAX)
            c.kept[i].is_acked[reader] = is_held;
    }
}

/* Who is still listed has not left: the list of today counts. */
static void an_author_who_is_listed_and_revoked_is_not_believed(void **state)
{
    X509 *revoked[] = {anna->identity_x509};
    settle_in();
    welcome(bas);
    clients_revoke(&c, revoked, 1);
    hold_back(cato, true);
    fetch(cato);
    hold_back(cato, false);
    fetch(cato);
    assert_int_equal(count(cato, false), 2);
    assert_int_equal(problem(cato), BRUG_LETTER_SIGNER);
}

static void without_a_colleagues_word_nobody_is_believed(void **state)
{
    hide(anna);
    settle_in();
    tamper(bas, "DELETE FROM pin WHERE endpoint = ?1", &anna->endpoint);
    welcome(bas);
    fetch(cato);
    fetch(cato);
    assert_int_equal(count(cato, false), 2);
    assert_int_equal(problem(cato), BRUG_LETTER_SIGNER);
}

static void the_word_must_be_about_the_author(void **state)
{
    hide(anna);
    settle_in();
    tamper(bas,
           "UPDATE pin SET entry = (SELECT entry FROM pin WHERE endpoint <> ?1 AND by <> 1 LIMIT 1)"
           " WHERE endpoint = ?1",
           &anna->endpoint);
    welcome(bas);
    fetch(cato);
    fetch(cato);
    assert_int_equal(count(cato, false), 2);
    assert_int_equal(problem(cato), BRUG_LETTER_SIGNER);
}

static void a_word_against_what_is_known_does_not_count(void **state)
{
    settle_in(); /* with Anna, whose keys are pinned */
    tamper(cato,
           "UPDATE pin SET binding = zeroblob(32), entry = (SELECT entry FROM pin WHERE"
           " endpoint <> ?1 LIMIT 1) WHERE endpoint = ?1",
           &anna->endpoint);
    hide(anna);
    fetch(cato);
    welcome(bas);
    fetch(cato);
    fetch(cato);
    assert_int_equal(count(cato, false), 2);
    assert_int_equal(problem(cato), BRUG_LETTER_SIGNER);
}

/* An entry is good for its own endpoint, organisation and person, and for the key that it binds. */
static void a_word_is_good_for_one_author_alone(void **state)
{
    struct buf packed;
    struct arena *arena = arena_new();
    ProtobufCMessage *m = NULL;
    struct id unknown = id_v4((const uint8_t[16]){7});
    settle_in();
    buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
    assert_int_equal(pins_entry(cato->b, &anna->organisation, &anna->endpoint, &packed),
                     ERROR_NONE);
    arena_reset(arena, 1u << 20);
    assert_int_equal(
        frame_decode(arena, &brug__v1__endpoint_entry__descriptor, buf_slice(&packed), &m),
        ERROR_NONE);
    const Brug__V1__EndpointEntry *e = (const Brug__V1__EndpointEntry *)m;
    const struct {
        const struct id *organisation, *endpoint, *person;
        X509 *signer;
        enum error wanted;
    } tries[] = {
        {&anna->organisation, &anna->endpoint, &anna->person, anna->identity_x509, ERROR_NONE},
        {&anna->organisation, &unknown, &anna->person, anna->identity_x509, ERROR_LETTER_SIGNER},
        {&anna->organisation, &anna->endpoint, &bas->person, anna->identity_x509,
         ERROR_LETTER_SIGNER},
        {&anna->organisation, &anna->endpoint, &ID_NONE, anna->identity_x509, ERROR_LETTER_SIGNER},
        {&gp->organisation, &anna->endpoint, &anna->person, anna->identity_x509,
         ERROR_LETTER_SIGNER},
        {&anna->organisation, &anna->endpoint, &anna->person, bas->identity_x509,
         ERROR_LETTER_SIGNER},
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        assert_int_equal(pins_judge_handed(cato->b, tries[i].organisation, tries[i].endpoint,
                                           tries[i].person, tries[i].signer, e, c.now_ms),
                         tries[i].wanted);
    assert_int_equal(pins_judge_handed(cato->b, &anna->organisation, &anna->endpoint, &anna->person,
                                       anna->identity_x509, e, 1000),
                     ERROR_LETTER_SIGNER); /* before the certificate was made */
    arena_free(arena);
    buf_fini(&packed);
}

static void a_giver_who_is_not_believed_brings_nothing(void **state)
{
    clients_sync(&c, cato); /* confirms nobody */
    fetch(cato);
    welcome(bas);
    fetch(cato);
    assert_int_equal(count(cato, false), 0);
    assert_int_equal(problem(cato), BRUG_CONFIRM);
    clients_trust_all(cato);
    assert_has_all(cato, "Persoon 2");
}

/* ---- what is here already ---- */

static void another_letter_of_the_same_id_is_refused(void **state)
{
    struct id id = client_id(&case_id);
    settle_in();
    welcome(bas);
    fetch(cato);
    tamper(cato, "UPDATE message SET digest = zeroblob(32) WHERE case_id = ?1 AND kind = 1", &id);
    fetch(anna);
    give(anna, 3);
    fetch(cato);
    assert_int_equal(problem(cato), BRUG_LETTER_HEADER);
    assert_int_equal(count(cato, true), 1);
    assert_int_equal(count(cato, false), 3);
}

/* A letter that was on its way by itself all the time. */
static void a_letter_that_comes_by_itself_afterwards_is_a_repeat(void **state)
{
    settle_in();
    welcome(bas);
    fetch(cato);
    struct kept *first = &c.kept[0];
    first->readers[first->reader_count] = cato->endpoint;
    first->is_acked[first->reader_count++] = false;
    fetch(cato);
    assert_int_equal(problem(cato), BRUG_OK);
    assert_has_all(cato, "Persoon 2");
    assert_true(first->is_acked[first->reader_count - 1]);
}

static void what_was_opened_is_told_of_the_cover(void **state)
{
    struct brug_letter *l = NULL;
    settle_in();
    welcome(bas);
    size_t first = c.kept_count - 3;
    fetch(cato);
    struct brug_messages *list = letters(cato);
    OK(brug_open_letter(cato->b, list->items[2].number, true, NULL, &l));
    brug_letter_free(l);
    brug_messages_free(list);
    fetch(cato);
    fetch(cato);
    assert_int_equal(c.kept[0].opened, 0);
    assert_int_equal(c.kept[first].opened, 1);
    assert_true(id_equal(&c.kept[first].handed_on, &c.kept[0].message_id));
}

/* ---- giving ---- */

static void what_never_got_there_is_given_again(void **state)
{
    struct brug_handed_on done;
    struct brug_id person = client_public_id(&cato->person);
    settle_in();
    welcome(bas);
    OK(brug_hand_on(bas->b, &person, NULL, NULL, &done));
    assert_int_equal(done.letters, 0);
    OK((int)DB_RUN(
        bas->b->db,
        "INSERT OR REPLACE INTO fact(number, endpoint, person, fetched_at_ms, unreadable,"
        " opened_at_ms, opened_by, cancelled_at_ms) SELECT min(history), ?1, x'', 0, 0, 0,"
        " x'', 5 FROM given",
        DB_ID(&cato->endpoint)));
    OK(brug_hand_on(bas->b, &person, NULL, NULL, &done));
    assert_int_equal(done.letters, 1);
    assert_int_equal(done.cases, 1);
}

static void a_refused_history_is_given_again_and_one_case_alone(void **state)
{
    struct brug_handed_on done;
    struct brug_id person = client_public_id(&cato->person);
    struct brug_id unknown = client_public_id(&cato->endpoint);
    settle_in();
    c.script.refuse_code = BRUG_NO_SUCH_CASE;
    c.script.refuse_count = 3;
    welcome(bas);
    assert_int_equal(c.kept_count, 3);
    OK(brug_hand_on(bas->b, &person, &unknown, NULL, &done)); /* no such case here */
    assert_int_equal(done.letters, 0);
    OK(brug_hand_on(bas->b, &person, &case_id, NULL, &done));
    assert_int_equal(done.letters, 3);
    fetch(bas);
    fetch(cato);
    assert_has_all(cato, "Persoon 2");
}

static void what_changes_meanwhile_is_sealed_again(void **state)
{
    settle_in();
    c.script.answers_directory_changed = true;
    welcome(bas);
    fetch(bas);
    fetch(cato);
    assert_has_all(cato, "Persoon 2");
}

static void who_left_meanwhile_gets_nothing(void **state)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.sent = true, .problems_only = true};
    settle_in();
    clients_sync(&c, bas);
    clients_trust_all(bas);
    clients_leave(&c, bas);
    hide(cato);
    fetch(bas);
    fetch(bas);
    assert_int_equal(c.kept_count, 3);
    OK(brug_messages(bas->b, &q, &list));
    assert_int_equal(list->n, 3);
    assert_int_equal(list->items[0].state, BRUG_MESSAGE_REFUSED);
    assert_int_equal(list->items[0].error, BRUG_NO_READER);
    brug_messages_free(list);
}

static void nobody_gives_to_strangers(void **state)
{
    struct brug_handed_on done = {.letters = 7};
    struct brug_id stranger = client_public_id(&gp->person);
    struct brug_id person = client_public_id(&cato->person);
    fetch(bas);
    assert_int_equal(brug_hand_on(bas->b, &stranger, NULL, NULL, &done), BRUG_NOT_FOUND);
    assert_int_equal(brug_hand_on(bas->b, &person, NULL, NULL, &done), BRUG_CONFIRM);
    assert_int_equal(done.letters, 7);
    settle_in();
    assert_int_equal(brug_hand_on(cato->b, &person, NULL, NULL, &done),
                     BRUG_NOT_FOUND); /* herself */
    assert_int_equal(count(bas, true), 0);
}

static void history_goes_on_from_hand_to_hand(void **state)
{
    settle_in();
    welcome(bas);
    fetch(cato);
    struct member *dirk = clients_add(&c, 2, 4, BRUG_ROLE_CONSULTANT);
    hide(bas); /* who gave it to Cato has left, too */
    hide(anna);
    clients_sync(&c, dirk);
    clients_trust_all(dirk);
    fetch(dirk);
    welcome(cato);
    fetch(dirk);
    fetch(dirk);
    assert_has_all(dirk, "Persoon 3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_confirmed_colleague_gets_the_running_case),
        TEST(a_second_giver_shows_nothing_twice),
        TEST(a_running_case_of_an_unknown_practice_waits_for_a_person),
        TEST(who_left_an_unknown_practice_waits_for_a_person_too),
        TEST(an_author_who_left_is_believed_on_a_colleagues_word),
        TEST(a_certificate_revoked_since_says_nothing_of_then),
        TEST(an_author_who_is_listed_and_revoked_is_not_believed),
        TEST(without_a_colleagues_word_nobody_is_believed),
        TEST(the_word_must_be_about_the_author),
        TEST(a_word_against_what_is_known_does_not_count),
        TEST(a_word_is_good_for_one_author_alone),
        TEST(a_giver_who_is_not_believed_brings_nothing),
        TEST(another_letter_of_the_same_id_is_refused),
        TEST(a_letter_that_comes_by_itself_afterwards_is_a_repeat),
        TEST(what_was_opened_is_told_of_the_cover),
        TEST(what_never_got_there_is_given_again),
        TEST(a_refused_history_is_given_again_and_one_case_alone),
        TEST(what_changes_meanwhile_is_sealed_again),
        TEST(who_left_meanwhile_gets_nothing),
        TEST(nobody_gives_to_strangers),
        TEST(history_goes_on_from_hand_to_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
