/* tests/unit/test_client_enrol.c: enrolment: what may go wrong between the two files and the code, and profiles cut off half-way. */
#include "client/home.h"
#include "tests/lib/clients.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), BRUG_OK)

static struct clients c;

static int begin(void **state)
{
    clients_init(&c);
    return 0;
}

static int end(void **state)
{
    clients_fini(&c);
    return 0;
}

static enum brug_state state_of(struct member *m)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    OK(brug_open(m->b, &state));
    return state;
}

static char *request_of(struct member *m)
{
    char *request = NULL;
    OK(brug_init(m->b, (const char *)m->invitation.data, NULL, &request));
    return request;
}

static void test_the_way_to_a_usable_profile(void **state)
{
    char code[BRUG_COMPARE_BYTES];
    char again[BRUG_COMPARE_BYTES];
    char wrong[BRUG_COMPARE_BYTES];
    struct brug_identity me;
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    assert_int_equal(state_of(m), BRUG_STATE_REQUESTED);
    assert_int_equal(brug_start(m->b), BRUG_CONFIRM);
    OK(clients_answer(&c, m, NULL, code));
    assert_int_equal(state_of(m), BRUG_STATE_ANSWERED);
    assert_int_equal(brug_start(m->b), BRUG_CONFIRM);
    OK(brug_enrol_code(m->b, again));
    assert_string_equal(code, again);
    memcpy(wrong, code, sizeof wrong);
    wrong[0] = code[0] == '7' ? '8' : '7';
    assert_int_equal(brug_enrol_confirm(m->b, wrong), BRUG_NOT_BELIEVED);
    assert_int_equal(state_of(m), BRUG_STATE_ANSWERED);
    OK(brug_enrol_confirm(m->b, code));
    assert_int_equal(state_of(m), BRUG_STATE_READY);
    OK(brug_identity(m->b, &me));
    assert_string_equal(me.person_name, "Persoon 1");
    assert_string_equal(me.relay_host, "127.0.0.1");
    assert_int_equal(clients_answer(&c, m, NULL, code), BRUG_EXISTS);
}

static void test_the_code_is_over_the_exact_answer(void **state)
{
    char code[BRUG_COMPARE_BYTES];
    char expected[BRUG_COMPARE_BYTES];
    struct buf answer;
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    OK(clients_answer(&c, m, NULL, code));
    buf_init(&answer, HOME_FILE_BYTES_MAX);
    OK(store_get(m->b->db, "answer", &answer));
    struct digest d = digest_of_slice(buf_slice(&answer));
    OK(home_compare_code(&d, expected));
    assert_string_equal(code, expected);
    buf_fini(&answer);
}

/* ---- answers with something wrong ---- */

static struct member *other;

static void other_binding(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    static struct digest d;
    d = binding_digest(buf_slice(&other->binding));
    a->binding_digest = client_field(digest_slice(&d));
}

static void other_certificates(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->identity_certificate = client_field(buf_slice(&other->identity));
    a->sealing_certificate = client_field(buf_slice(&other->sealing));
}

static void swapped_certificates(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    ProtobufCBinaryData identity = a->identity_certificate;
    a->identity_certificate = a->sealing_certificate;
    a->sealing_certificate = identity;
}

static void other_anchor(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->anchors = a->relay_anchors;
}

static void no_lists(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->n_crls = 0;
}

static void no_scopes(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->n_scopes = 0;
}

static void other_scope(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    static struct id id;
    id = fixture_id(901);
    a->scopes[0]->municipality = client_field(id_slice(&id));
}

static void scope_of_another_organisation(struct clients *all, struct member *m,
                                          Brug__V1__EnrolAnswer *a)
{
    static struct id id;
    id = clients_organisation(2);
    a->scopes[0]->organisation = client_field(id_slice(&id));
}

static void scope_of_nonsense(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->scopes[0]->organisation = client_field(slice_text("half an id"));
}

static void scope_of_own_organisation(struct clients *all, struct member *m,
                                      Brug__V1__EnrolAnswer *a)
{
    a->scopes[0]->organisation = client_id_field(&m->organisation);
}

static void no_host(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->relay_host[0] = 0;
}

static void no_port(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->relay_port = 70000;
}

static void no_relay_anchor(struct clients *all, struct member *m, Brug__V1__EnrolAnswer *a)
{
    a->n_relay_anchors = 0;
}

static void test_wrong_answers_are_refused(void **state)
{
    static const struct {
        clients_spoil_cb *spoil;
        int error;
    } rows[] = {
        {other_binding, BRUG_NOT_BELIEVED},
        {other_certificates, BRUG_NOT_BELIEVED},
        {swapped_certificates, BRUG_NOT_BELIEVED},
        {other_anchor, 0},
        {no_lists, BRUG_TLS_CRL_STALE},
        {no_scopes, BRUG_USAGE},
        {other_scope, BRUG_NOT_BELIEVED},
        {scope_of_another_organisation, BRUG_NOT_BELIEVED},
        {scope_of_nonsense, BRUG_USAGE},
        {no_host, BRUG_USAGE},
        {no_port, BRUG_USAGE},
        {no_relay_anchor, BRUG_USAGE},
    };
    char code[BRUG_COMPARE_BYTES] = "untouched";
    other = clients_begin(&c, 1, 2, BRUG_ROLE_GP);
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int e = clients_answer(&c, m, rows[i].spoil, code);
        if (e == BRUG_OK || (rows[i].error && e != rows[i].error))
            fail_msg("answer %zu: %s", i, brug_error_name(e));
        assert_int_equal(state_of(m), BRUG_STATE_REQUESTED);
        assert_string_equal(code, "untouched");
    }
    OK(clients_answer(&c, m, NULL, code));
}

/* An anchor that is listed for one organisation vouches for no other one of the municipality. */
static void test_a_scope_of_one_organisation_ends_there(void **state)
{
    char code[BRUG_COMPARE_BYTES];
    struct brug_organisations *o = NULL;
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    OK(clients_answer(&c, m, scope_of_own_organisation, code));
    OK(brug_enrol_confirm(m->b, code));
    clients_sync(&c, m);
    OK(brug_organisations(m->b, &o));
    assert_int_equal(o->n, 2);
    for (size_t i = 0; i < o->n; i++)
        assert_int_equal(o->items[i].state,
                         o->items[i].is_own ? BRUG_TRUST_BELIEVED : BRUG_TRUST_REFUSED);
    brug_organisations_free(o);
}

static void test_texts_that_are_no_files_of_ours(void **state)
{
    static const char *const texts[] = {
        "",
        "x",
        "-----BEGIN BRUG ANSWER-----\n-----END BRUG ANSWER-----\n",
        "-----BEGIN BRUG ANSWER-----\n////\n-----END BRUG ANSWER-----\n",
        "-----BEGIN BRUG INVITATION-----\nCgA=\n-----END BRUG INVITATION-----\n",
    };
    char code[BRUG_COMPARE_BYTES];
    char *request = NULL;
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_not_equal(brug_enrol(m->b, texts[i], code), BRUG_OK);
        assert_int_equal(brug_init(m->b, texts[i], NULL, &request), BRUG_USAGE);
        assert_null(request);
    }
    assert_int_equal(state_of(m), BRUG_STATE_REQUESTED);
}

/* ---- cut off ---- */

static void test_the_same_invitation_gives_the_same_request(void **state)
{
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    char *first = request_of(m);
    (void)state_of(m);
    char *second = request_of(m);
    assert_string_equal(first, second);
    brug_free(first);
    brug_free(second);
}

static void test_an_init_that_was_cut_off_goes_on(void **state)
{
    char *request = NULL;
    char sealing[128];
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    /* as after the first key, before anything else */
    OK(db_run(m->b->db,
              "DELETE FROM setting WHERE name IN ('binding', 'signature', 'request', 'state')",
              NULL, 0));
    (void)snprintf(sealing, sizeof sealing, "%s/sealing.key", m->directory);
    assert_int_equal(unlink(sealing), 0);
    assert_int_equal(state_of(m), BRUG_STATE_EMPTY);
    int fd = creat(sealing, 0600); /* or in the middle of the second */
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    request = request_of(m);
    assert_int_equal(state_of(m), BRUG_STATE_REQUESTED);
    assert_int_equal(access(sealing, F_OK), 0);
    brug_free(request);
}

static void test_nothing_is_overwritten(void **state)
{
    char *request = NULL;
    char store[128];
    struct brug_init_options recovery = {.recovery = true};
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    struct member *second = clients_begin(&c, 1, 2, BRUG_ROLE_GP);
    assert_int_equal(brug_init(m->b, (const char *)second->invitation.data, NULL, &request),
                     BRUG_EXISTS);
    assert_int_equal(brug_init(m->b, (const char *)m->invitation.data, &recovery, &request),
                     BRUG_USAGE); /* a person's invitation makes no recovery entry */
    (void)snprintf(store, sizeof store, "%s/store.db", m->directory);
    assert_int_equal(unlink(store), 0);
    assert_int_equal(state_of(m), BRUG_STATE_EMPTY);
    assert_int_equal(brug_init(m->b, (const char *)m->invitation.data, NULL, &request),
                     BRUG_EXISTS); /* keys of something else lie there */
    assert_null(request);
}

static void test_a_key_that_others_can_read_is_refused(void **state)
{
    char key[128];
    enum brug_state found = BRUG_STATE_EMPTY;
    struct member *m = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)snprintf(key, sizeof key, "%s/identity.key", m->directory);
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(brug_open(m->b, &found), BRUG_PERMISSION);
    assert_non_null(strstr(brug_last_error(m->b), "chmod 600"));
    assert_int_equal(chmod(key, 0600), 0);
    assert_int_equal(state_of(m), BRUG_STATE_READY);
}

/* ---- the store ---- */

static void test_a_newer_store_is_left_alone(void **state)
{
    enum brug_state found = BRUG_STATE_EMPTY;
    struct member *m = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    OK(db_run(m->b->db, "PRAGMA user_version = 99", NULL, 0));
    assert_int_equal(brug_open(m->b, &found), BRUG_STORE_FORMAT);
    assert_int_equal(found, BRUG_STATE_EMPTY);
}

static int64_t number_of(struct db *db, const char *sql)
{
    struct db_cursor at;
    OK((int)db_select(db, &at, sql, NULL, 0));
    int64_t found = db_next(&at) ? db_int(&at, 0) : -1;
    OK((int)db_done(&at));
    return found;
}

/* tests/data/client-store-2.db: of the last program before earlier letters were handed on, with three letters of a case. */
static void test_a_store_of_before_is_taken_over(void **state)
{
    char command[256];
    struct db *db = NULL;
    struct member *m = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)snprintf(command, sizeof command, "cp tests/data/client-store-2.db %s/old.db",
                   m->directory);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof command, "%s/old.db", m->directory);
    for (int i = 0; i < 2; i++) { /* the second time it is as the first one left it */
        OK((int)store_open_at(&db, command));
        assert_int_equal(number_of(db, "SELECT count(*) FROM message WHERE brought_by = 0 AND"
                                       " was_opened = 0 AND length(case_id) = 16"),
                         3);
        assert_int_equal(number_of(db, "SELECT count(*) FROM given"), 0);
        OK((int)db_run(
            db,
            "INSERT OR IGNORE INTO message(is_sent, organisation, message_id, state, kind,"
            " case_id, other, header, has_letter, written_at_ms, brought_by)"
            " VALUES(0, x'01', x'01', 1, 21, x'', x'', x'', 1, 1, 1)",
            NULL, 0));
        assert_int_equal(number_of(db, "SELECT count(*) FROM message"), 4);
        db_close(db);
    }
}

static void test_a_store_that_is_none(void **state)
{
    char path[128];
    enum brug_state found = BRUG_STATE_EMPTY;
    struct member *m = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    brug_close(&m->b);
    m->b = brug_new(m->directory);
    (void)snprintf(path, sizeof path, "%s/store.db", m->directory);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        (void)fputs("this is no database\n", f);
    (void)fclose(f);
    assert_int_equal(brug_open(m->b, &found), BRUG_CORRUPT);
}

static void test_transactions_nest(void **state)
{
    struct member *m = clients_begin(&c, 1, 1, BRUG_ROLE_GP);
    struct db *db = m->b->db;
    int64_t v = 0;
    OK(db_begin(db));
    OK(store_put_int(db, "a", 1));
    OK(db_begin(db));
    OK(store_put_int(db, "b", 2));
    assert_int_equal(db_end(db, ERROR_BOUND), ERROR_BOUND); /* inside fails */
    assert_int_not_equal(db_commit(db), ERROR_NONE);        /* so the whole does */
    OK(store_get_int(db, "a", 7, &v));
    assert_int_equal(v, 7);
    OK(db_begin(db));
    OK(store_put_int(db, "a", 1));
    OK(db_commit(db));
    OK(store_get_int(db, "a", 7, &v));
    assert_int_equal(v, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_way_to_a_usable_profile),
        TEST(test_the_code_is_over_the_exact_answer),
        TEST(test_wrong_answers_are_refused),
        TEST(test_a_scope_of_one_organisation_ends_there),
        TEST(test_texts_that_are_no_files_of_ours),
        TEST(test_the_same_invitation_gives_the_same_request),
        TEST(test_an_init_that_was_cut_off_goes_on),
        TEST(test_nothing_is_overwritten),
        TEST(test_a_key_that_others_can_read_is_refused),
        TEST(test_a_newer_store_is_left_alone),
        TEST(test_a_store_of_before_is_taken_over),
        TEST(test_a_store_that_is_none),
        TEST(test_transactions_nest),
    };
    return cmocka_run_group_tests_name("client_enrol", tests, NULL, NULL);
}
