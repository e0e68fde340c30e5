/*
 * tests/unit/test_client_family.c: the family key at the client [R41]: made once for a team, sealed to whom the client believes
 * and to nobody else, made anew when the team changes; and tags for the cases of the team, the same from every colleague.
 */
#include "client/family.h"
#include "client/letters.h"
#include "client/session_inside.h"
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
#define CASES 3
#define ADDRESS "Dorpsstraat 12a, 7255 AB Hengelo"

static struct clients c;
static struct member *gp, *one, *two;
static struct case_row rows[CASES];
static struct brug_id case_ids[CASES];

static int begin(void **state)
{
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add_recovery(&c, 1, 9);
    one = clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    two = clients_add(&c, 2, 2, BRUG_ROLE_CONSULTANT);
    clients_meet(&c);
    c.knows_families = true;
    return 0;
}

static int end(void **state)
{
    clients_fini(&c);
    return 0;
}

/* ---- going on ---- */

/* A session that has gone quiet looks after keys and tags, until there is nothing left to do. */
static void calm(struct member *m)
{
    clients_sync(&c, m);
    for (int i = 0; i < 6; i++) {
        m->b->session->has_all = true;
        session_mark(m->b->session);
        clients_sync(&c, m);
    }
}

static void visit(struct member *m)
{
    calm(m);
    clients_leave(&c, m);
}

static size_t key_letters(void)
{
    size_t n = 0;
    for (size_t i = 0; i < c.kept_count; i++) {
        Brug__V1__Header *h =
            brug__v1__header__unpack(NULL, c.kept[i].header.len, c.kept[i].header.data);
        n += h->kind == KIND(FAMILY_KEY);
        brug__v1__header__free_unpacked(h, NULL);
    }
    return n;
}

/* The readers of the newest letter that the relay has, which is a key. */
static size_t newest_readers(void)
{
    const struct kept *k = &c.kept[c.kept_count - 1];
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, k->header.len, k->header.data);
    assert_int_equal(h->kind, KIND(FAMILY_KEY));
    struct id key = client_field_id(h->key_id);
    assert_true(id_equal(&key, &c.family_key));
    size_t n = h->n_readers;
    brug__v1__header__free_unpacked(h, NULL);
    return n;
}

/* ---- cases ---- */

/* The relay accepts a letter of this kind, whose id is that of a kept one. */
static void move(struct case_file *file, const struct member *m, Brug__V1__Kind kind, size_t kept)
{
    struct case_ends ends;
    Brug__V1__Header h = BRUG__V1__HEADER__INIT;
    struct case_move move = {.header = &h, .terms = &CASE_TERMS, .now_ms = c.now_ms};
    bool is_practice = m == gp;
    move.actor.side = is_practice ? BRUG__V1__SIDE__SIDE_PRACTICE : BRUG__V1__SIDE__SIDE_TEAM;
    move.actor.role = (Brug__V1__Role)m->role;
    move.actor.person = m->person;
    move.today = workdays_date(c.now_ms);
    h.kind = kind;
    h.case_id = client_id_field(&file->id);
    h.message_id = client_id_field(&c.kept[kept].message_id);
    assert_int_equal(case_judge(file, &move, file, &ends), ERROR_NONE);
}

static void tell(size_t i, size_t kept, bool is_claimed)
{
    static struct case_file files[CASES];
    Brug__V1__Case was = BRUG__V1__CASE__INIT;
    files[i] = (struct case_file){.id = client_id(&case_ids[i])};
    move(&files[i], gp, KIND(REFERRAL), kept);
    if (is_claimed)
        move(&files[i], one, KIND(CLAIM), kept);
    was.municipality = client_id_field(&c.municipality);
    was.practice = client_id_field(&gp->organisation);
    was.team = client_id_field(&one->organisation);
    was.message_id = client_id_field(&c.kept[kept].message_id);
    was.at_ms = c.now_ms;
    case_row_write(&files[i], &was, &rows[i]);
    c.cases[i] = &rows[i].row;
    c.case_count = i + 1;
}

/* A referral that the relay has, that both consultants read, and that one of them took up. */
static void refer(size_t i, const char *name, const char *bsn, const char *address)
{
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    d.youth.name = name;
    d.youth.bsn = bsn;
    d.youth.address = address;
    OK(brug_send(gp->b, &d, &sent));
    case_ids[i] = sent.case_id;
    clients_sync(&c, gp);
    clients_leave(&c, gp);
    tell(i, c.kept_count - 1, true);
}

static void look_at_cases(struct member *m)
{
    OK(brug_refresh_cases(m->b, false));
    visit(m);
}

/* ---- keys ---- */

static void test_a_team_gets_one_key(void **state)
{
    struct brug_event event;
    struct brug_messages *list = NULL;
    struct brug_query all = {.limit = 100};
    while (brug_next_event(one->b, &event))
        ;
    visit(one);
    assert_int_equal(key_letters(), 1);
    assert_int_equal(newest_readers(), 1);
    assert_int_equal(clients_reader_of(&c.kept[c.kept_count - 1], two), 0);
    struct id first = c.family_key;
    visit(two);
    visit(one);
    visit(two);
    assert_int_equal(key_letters(), 1);
    assert_true(id_equal(&c.family_key, &first));
    assert_true(c.kept[c.kept_count - 1].is_acked[0]);
    /* nobody is bothered with it */
    struct member *both[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        struct brug_letter *letter = NULL;
        while (brug_next_event(both[i]->b, &event))
            assert_true(event.type == BRUG_EVENT_CONNECTED ||
                        event.type == BRUG_EVENT_DISCONNECTED || event.type == BRUG_EVENT_TRUST);
        OK(brug_messages(both[i]->b, &all, &list));
        assert_int_equal(list->n, 0);
        brug_messages_free(list);
        assert_int_equal(brug_open_letter(both[i]->b, 1, true, NULL, &letter), BRUG_NOT_FOUND);
    }
    visit(gp);
    assert_int_equal(key_letters(), 1); /* a practice has none */
}

static void test_who_joins_or_leaves_makes_another_key(void **state)
{
    visit(one);
    visit(two);
    struct id before = c.family_key;
    struct member *third = clients_add(&c, 2, 3, BRUG_ROLE_LEADER);
    c.epoch++;
    visit(one); /* nobody knows the third yet: it gets nothing */
    assert_int_equal(key_letters(), 1);
    clients_trust_all(one);
    visit(one);
    assert_int_equal(key_letters(), 2);
    assert_int_equal(newest_readers(), 2);
    assert_false(id_equal(&c.family_key, &before));
    visit(two);
    clients_sync(&c, third);
    clients_trust_all(third);
    visit(third);
    assert_int_equal(key_letters(), 2);
    before = c.family_key;
    two->is_hidden = true; /* suspended */
    c.epoch++;
    visit(third);
    assert_int_equal(key_letters(), 3);
    assert_int_equal(newest_readers(), 1);
    assert_int_equal(clients_reader_of(&c.kept[c.kept_count - 1], two), SIZE_MAX);
    visit(one);
    assert_int_equal(key_letters(), 3);
}

/* As many as before, but not the same ones. */
static void test_one_in_the_place_of_another_makes_another_key(void **state)
{
    visit(one);
    two->is_hidden = true;
    struct member *third = clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    c.epoch++;
    clients_sync(&c, one);
    clients_trust_all(one);
    visit(one);
    assert_int_equal(key_letters(), 2);
    assert_int_equal(clients_reader_of(&c.kept[c.kept_count - 1], third), 0);
}

static void test_a_team_of_one_has_a_key(void **state)
{
    two->is_hidden = true;
    c.epoch++;
    visit(one);
    assert_int_equal(key_letters(), 1);
    assert_int_equal(newest_readers(), 0);
    refer(0, "Sanne de Wit", "", ADDRESS);
    look_at_cases(one);
    assert_int_equal(c.tag_count, 1);
}

/* T31: the relay lists somebody whom nobody of the team vouched for: that one gets no key, nor tags under one. */
static void test_t31_a_stranger_gets_no_key(void **state)
{
    visit(one);
    visit(two);
    refer(0, "Sanne de Wit", "123456782", ADDRESS);
    (void)clients_add(&c, 2, 4, BRUG_ROLE_CONSULTANT);
    c.epoch++;
    look_at_cases(one);
    assert_int_equal(key_letters(), 1);
    assert_int_equal(c.tag_count, 0);
    c.members[c.n - 1].is_hidden = true; /* it is gone again */
    c.epoch++;
    look_at_cases(one);
    assert_int_equal(key_letters(), 1);
    assert_int_equal(c.tag_count, 1);
}

static int64_t rows_in_state(struct member *m, int state)
{
    struct db_cursor cursor;
    int64_t n = -1;
    assert_int_equal(DB_SELECT(m->b->db, &cursor, "SELECT count(*) FROM message WHERE state = ?1",
                               DB_INT(state)),
                     ERROR_NONE);
    if (db_next(&cursor))
        n = db_int(&cursor, 0);
    assert_int_equal(db_done(&cursor), ERROR_NONE);
    return n;
}

/* The first committed wins; the other's letter is dropped, and both go on with one key. */
static void test_two_that_rotate_at_once_end_with_one_key(void **state)
{
    c.script.refuse_code = ERROR_BUSY;
    c.script.refuse_passing = true;
    visit(two); /* made, and not stored yet */
    assert_int_equal(key_letters(), 0);
    visit(one);
    assert_int_equal(key_letters(), 1);
    struct id key = c.family_key;
    c.now_ms += 60000; /* it is tried again */
    visit(two);
    assert_int_equal(rows_in_state(two, STORE_SEALED) + rows_in_state(two, STORE_REFUSED), 0);
    visit(one);
    assert_int_equal(key_letters(), 1);
    assert_true(id_equal(&c.family_key, &key));
    refer(0, "Sanne de Wit", "", ADDRESS);
    look_at_cases(two);
    assert_int_equal(c.tag_count, 1);
    assert_true(id_equal(&c.tags[0].key_id, &key));
}

/* One that waited for a person to confirm a colleague, and was overtaken by another key meanwhile. */
static void test_a_key_that_waited_too_long_makes_room_for_another(void **state)
{
    visit(one);
    visit(two);
    two->is_hidden = true;
    c.epoch++;
    calm(one); /* another key is on its way when the session is lost */
    clients_leave(&c, one);
    assert_int_equal(key_letters(), 2);
    c.script.refuse_code = ERROR_BUSY;
    c.script.refuse_passing = true;
    (void)clients_add(&c, 2, 3, BRUG_ROLE_CONSULTANT);
    c.epoch++;
    clients_sync(&c, one);
    clients_trust_all(one);
    visit(one);
    assert_int_equal(rows_in_state(one, STORE_SEALED), 1);
    c.family_key = fixture_id(777);
    c.now_ms += 60000;
    visit(one);
    assert_int_equal(key_letters(), 3);
    assert_int_equal(newest_readers(), 1);
    assert_int_equal(rows_in_state(one, STORE_SEALED), 0);
}

/* Without anybody who waits for it: a session that stays up looks by itself once no letter came for a while. */
static void test_a_session_that_stays_looks_by_itself(void **state)
{
    clients_sync(&c, one);
    assert_int_equal(key_letters(), 0); /* a letter may be on its way */
    assert_true(brug_timeout_ms(one->b) <= 5000);
    one->b->session->family.quiet_since_ms -= 5000;
    clients_sync(&c, one);
    assert_int_equal(key_letters(), 1);
    clients_leave(&c, one);
}

/* The relay was restored to a time of another key: the team makes one that follows that. */
static void test_a_key_that_nobody_has_is_replaced(void **state)
{
    visit(one);
    c.family_key = fixture_id(777);
    visit(two);
    assert_int_equal(key_letters(), 2);
    visit(one);
    assert_int_equal(key_letters(), 2);
}

/* Two that cannot read each other's letters do not make keys in turn for ever. */
static void test_keys_for_the_same_people_are_an_hour_apart(void **state)
{
    visit(one);
    c.now_ms = c.kept[c.kept_count - 1].stored_at_ms;
    c.family_key = fixture_id(777);
    visit(one);
    visit(one);
    assert_int_equal(key_letters(), 1);
    c.now_ms += 3600 * 1000 + 1;
    visit(one);
    assert_int_equal(key_letters(), 2);
}

static void test_a_relay_of_before_is_asked_once_a_session(void **state)
{
    struct brug_messages *list = NULL;
    struct brug_query problems = {.problems_only = true};
    c.knows_families = false;
    refer(0, "Sanne de Wit", "", ADDRESS);
    look_at_cases(one);
    assert_int_equal(key_letters() + c.tag_count, 0);
    OK(brug_messages(one->b, &problems, &list));
    assert_int_equal(list->n, 0);
    brug_messages_free(list);
    c.knows_families = true; /* it was updated */
    visit(one);
    assert_int_equal(key_letters(), 1);
    assert_int_equal(c.tag_count, 1);
}

/* Of what was told since the last time: why families are not linked; ERROR_NONE: nothing. */
static int told(struct member *m)
{
    struct brug_event event;
    int code = ERROR_NONE;
    while (brug_next_event(m->b, &event))
        if (event.type == BRUG_EVENT_FAMILY)
            code = event.error;
    return code;
}

static void test_a_key_that_is_refused_for_good_is_told_and_not_made_again(void **state)
{
    c.script.refuse_code = ERROR_NO_READER;
    c.script.refuse_count = 9;
    calm(one);
    clients_move_directory(&c);
    calm(one);
    clients_leave(&c, one);
    assert_int_equal(c.script.refuse_count, 8);
    assert_int_equal(told(one), ERROR_NO_READER);
    c.script.refuse_code = 0;
    visit(one);
    assert_int_equal(key_letters(), 1);
    assert_int_equal(told(one), ERROR_NONE);
}

/* ---- tags ---- */

static bool has(const struct digest *d)
{
    static const struct digest none;
    return !digest_equal(d, &none);
}

static void test_open_cases_get_tags_once(void **state)
{
    visit(one);
    visit(two);
    refer(0, "Sanne de Wit", "123456782", ADDRESS);
    refer(1, "Daan de Wit", "", "7255 ab 12 A");
    refer(2, "Noor Bos", "", "bij oma");
    look_at_cases(one);
    assert_int_equal(c.tag_count, 3);
    const struct given *sanne = NULL, *daan = NULL, *noor = NULL;
    for (size_t i = 0; i < 3; i++) {
        struct brug_id id = client_public_id(&c.tags[i].case_id);
        sanne = brug_id_equal(&id, &case_ids[0]) ? &c.tags[i] : sanne;
        daan = brug_id_equal(&id, &case_ids[1]) ? &c.tags[i] : daan;
        noor = brug_id_equal(&id, &case_ids[2]) ? &c.tags[i] : noor;
        assert_true(id_equal(&c.tags[i].key_id, &c.family_key));
    }
    assert_true(sanne && daan && noor);
    assert_true(digest_equal(&sanne->household, &daan->household));
    assert_true(has(&sanne->child) && has(&daan->child) && has(&noor->child));
    assert_false(digest_equal(&sanne->child, &daan->child));
    assert_false(has(&noor->household));
    look_at_cases(one); /* the relay says that they have them */
    look_at_cases(two);
    assert_int_equal(c.tag_count, 3);
    /* a colleague makes the same ones */
    rows[0].row.family_key = client_field(SLICE_NONE);
    struct given first = *sanne;
    look_at_cases(two);
    assert_int_equal(c.tag_count, 4);
    assert_true(digest_equal(&c.tags[3].child, &first.child) &&
                digest_equal(&c.tags[3].household, &first.household));
}

static void test_cases_that_wait_get_none(void **state)
{
    visit(one);
    refer(0, "Sanne de Wit", "", ADDRESS);
    tell(0, c.kept_count - 1, false);
    look_at_cases(one);
    assert_int_equal(c.tag_count, 0);
    tell(0, c.kept_count - 1, true);
    look_at_cases(one);
    assert_int_equal(c.tag_count, 1);
}

static void refuse_tags(int code)
{
    c.script.refuse_request = BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS;
    c.script.request_code = code;
}

/* After a rotation any colleague gives the open cases their tags again. */
static void test_a_new_key_makes_new_tags(void **state)
{
    visit(one);
    visit(two);
    refer(0, "Sanne de Wit", "", ADDRESS);
    look_at_cases(one);
    look_at_cases(two);
    assert_int_equal(c.tag_count, 1);
    (void)clients_add(&c, 2, 3, BRUG_ROLE_LEADER);
    c.epoch++;
    clients_sync(&c, two);
    clients_trust_all(two);
    look_at_cases(two);
    assert_int_equal(key_letters(), 2);
    assert_int_equal(c.tag_count, 2);
    assert_true(id_equal(&c.tags[1].key_id, &c.family_key));
    assert_false(digest_equal(&c.tags[0].child, &c.tags[1].child));
    assert_false(digest_equal(&c.tags[0].household, &c.tags[1].household));
}

/* It comes again, and nothing else stops for it. */
static void test_a_relay_without_room_gets_tags_later(void **state)
{
    visit(one);
    refer(0, "Sanne de Wit", "", ADDRESS);
    refuse_tags(ERROR_FULL);
    c.script.request_count = 1;
    unsigned before = c.connections;
    OK(brug_refresh_cases(one->b, false));
    calm(one);
    assert_int_equal(c.connections, before + 1);
    assert_int_equal(c.tag_count, 0);
    one->b->session->family.not_before_ms = 0; /* a minute later */
    calm(one);
    clients_leave(&c, one);
    assert_int_equal(c.tag_count, 1);
}

/* The case is not as the relay says: it is looked at again, and not without end. */
static void test_tags_that_do_not_fit_the_case_come_later(void **state)
{
    visit(one);
    refer(0, "Sanne de Wit", "", ADDRESS);
    refuse_tags(ERROR_NO_SUCH_CASE);
    OK(brug_refresh_cases(one->b, false));
    calm(one);
    assert_int_equal(c.tag_count, 0);
    assert_int_equal(told(one), ERROR_NONE);
    c.script.refuse_request = 0;
    one->b->session->family.not_before_ms = 0; /* a minute later */
    calm(one);
    clients_leave(&c, one);
    assert_int_equal(c.tag_count, 1);
}

static void test_tags_that_are_refused_for_good_are_told_once(void **state)
{
    visit(one);
    refer(0, "Sanne de Wit", "", ADDRESS);
    refer(1, "Daan de Wit", "", ADDRESS);
    refuse_tags(ERROR_REQUEST_MALFORMED);
    OK(brug_refresh_cases(one->b, false));
    calm(one);
    assert_int_equal(told(one), ERROR_REQUEST_MALFORMED);
    assert_int_equal(told(one), ERROR_NONE);
    c.script.refuse_request = 0;
    OK(brug_refresh_cases(one->b, false));
    calm(one);
    assert_int_equal(c.tag_count, 0);
    clients_leave(&c, one);
    look_at_cases(one);
    assert_int_equal(c.tag_count, 2);
}

/* With all requests on their way nothing is tried until one is answered. */
static void test_no_room_for_tags_is_waited_for(void **state)
{
    visit(one);
    refer(0, "Sanne de Wit", "", ADDRESS);
    refer(1, "Daan de Wit", "", ADDRESS);
    clients_sync(&c, one);
    struct session *s = one->b->session;
    size_t most = s->requests_max;
    s->requests_max = 0;
    s->has_all = true;
    familykey_mark(s);
    clients_run(&c, one);
    assert_true(brug_timeout_ms(one->b) > 0);
    s->requests_max = most;
    OK(brug_refresh_cases(one->b, false));
    calm(one);
    clients_leave(&c, one);
    assert_int_equal(c.tag_count, 2);
}

/* ---- what is shown ---- */

static void test_links_are_shown_as_told(void **state)
{
    struct brug_cases *list = NULL;
    Brug__V1__LinkedCase linked = BRUG__V1__LINKED_CASE__INIT, *links[] = {&linked};
    visit(one);
    refer(0, "Sanne de Wit", "", "bij oma");
    struct id other = fixture_id(555);
    linked.case_id = client_id_field(&other);
    linked.director = client_id_field(&two->person);
    linked.same_child = true;
    rows[0].row.linked = links;
    rows[0].row.n_linked = 1;
    look_at_cases(one);
    clients_reopen(&c, one);
    OK(brug_case(one->b, &case_ids[0], &list));
    const struct brug_case_facts *f = list->items[0].facts;
    assert_int_equal(f->linked_n, 1);
    assert_string_equal(f->linked[0].director_name, "Persoon 2");
    assert_true(f->linked[0].is_same_child);
    assert_int_equal(strlen(f->linked[0].case_code), BRUG_CODE_BYTES - 1);
    assert_false(list->items[0].has_household);
    brug_cases_free(list);
    refer(1, "Daan de Wit", "", ADDRESS);
    look_at_cases(one);
    OK(brug_case(one->b, &case_ids[1], &list));
    assert_true(list->items[0].has_household);
    brug_cases_free(list);
}

/* A person cannot write one by hand. */
static void test_nobody_sends_a_key_by_hand(void **state)
{
    struct brug_sent sent;
    struct brug_draft d = {.kind = BRUG_KIND_FAMILY_KEY, .text = "sleutel"};
    d.to = client_public_id(&one->organisation);
    assert_int_equal(brug_send(one->b, &d, &sent), BRUG_USAGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_a_team_gets_one_key),
        TEST(test_who_joins_or_leaves_makes_another_key),
        TEST(test_one_in_the_place_of_another_makes_another_key),
        TEST(test_a_team_of_one_has_a_key),
        TEST(test_t31_a_stranger_gets_no_key),
        TEST(test_two_that_rotate_at_once_end_with_one_key),
        TEST(test_a_key_that_waited_too_long_makes_room_for_another),
        TEST(test_a_session_that_stays_looks_by_itself),
        TEST(test_a_key_that_nobody_has_is_replaced),
        TEST(test_keys_for_the_same_people_are_an_hour_apart),
        TEST(test_a_relay_of_before_is_asked_once_a_session),
        TEST(test_a_key_that_is_refused_for_good_is_told_and_not_made_again),
        TEST(test_open_cases_get_tags_once),
        TEST(test_cases_that_wait_get_none),
        TEST(test_a_new_key_makes_new_tags),
        TEST(test_a_relay_without_room_gets_tags_later),
        TEST(test_tags_that_do_not_fit_the_case_come_later),
        TEST(test_tags_that_are_refused_for_good_are_told_once),
        TEST(test_no_room_for_tags_is_waited_for),
        TEST(test_links_are_shown_as_told),
        TEST(test_nobody_sends_a_key_by_hand),
    };
    return cmocka_run_group_tests_name("client_family", tests, NULL, NULL);
}
