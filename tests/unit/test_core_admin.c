/* tests/unit/test_core_admin.c: an administrator's commands: repeats, refusals with one line, lists. */
#include "proto/limits.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STATUS(name) BRUG__V1__STATUS__STATUS_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define PRACTICE BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE
#define TEAM BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM

static int setup(void **state)
{
    *state = stage_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    stage_free(*state);
    return 0;
}

/* One line, no more, and nothing changed. */
static void expect_error(struct stage *w, const Brug__V1__AdminAnswer *a, const char *words,
                         size_t rows_before)
{
    if (!strstr(a->error, words))
        fail_msg("\"%s\" does not say \"%s\"", a->error, words);
    assert_int_not_equal(a->code, 0);
    assert_null(strchr(a->error, '\n'));
    assert_int_equal(w->row_count, rows_before);
}

static const Brug__V1__AdminAnswer *add_municipality(struct stage *w, const struct id *id,
                                                     const char *name, const char *anchor)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddMunicipality add = BRUG__V1__ADD_MUNICIPALITY__INIT;
    ProtobufCBinaryData anchors[1] = {slice_bytes(slice_text(anchor))};
    add.municipality = id_bytes(id);
    add.name = (char *)(uintptr_t)name;
    add.n_anchors = anchor[0] ? 1 : 0;
    add.anchors = anchors;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY;
    q.add_municipality = &add;
    return stage_admin(w, &q, NULL);
}

static void a_municipality_is_added_once(void **state)
{
    struct stage *w = *state;
    struct id id = stage_id(4, 1);
    unsigned told = w->anchors_changed;
    assert_int_equal(add_municipality(w, &id, "Overbetuwe", "anchor")->code, 0);
    assert_int_equal(w->anchors_changed, told + 1);
    size_t rows = w->row_count;
    const Brug__V1__AdminAnswer *a = add_municipality(w, &id, "Overbetuwe", "anchor");
    assert_int_equal(a->code, 0);
    assert_int_equal(a->objects->n_municipalities, 1);
    assert_int_equal(w->row_count, rows);
    expect_error(w, add_municipality(w, &id, "Overbetuwe", "other"), "exists with another", rows);
    expect_error(w, add_municipality(w, &ID_NONE, "X", "anchor"), "not 16 bytes", rows);
    struct id next = stage_id(4, 2);
    expect_error(w, add_municipality(w, &next, "", "anchor"), "is empty", rows);
    expect_error(w, add_municipality(w, &next, "a\tb", "anchor"), "control characters", rows);
    expect_error(w, add_municipality(w, &next, "BSN 111222333", "anchor"), "BSN", rows);
    expect_error(w, add_municipality(w, &next, "X", ""), "trust anchors", rows);
    struct slice ders[8];
    struct id owners[8];
    assert_int_equal(relay_anchors(w->relay, ders, owners, 8), 3);
    stage_set_status(w, OBJECT(MUNICIPALITY), &id, STATUS(SUSPENDED));
    assert_int_equal(w->anchors_changed, told + 2);
    assert_int_equal(relay_anchors(w->relay, ders, owners, 8), 2);
}

/* What net cannot hold must not be taken: its clients would be refused as of an unknown CA. */
static void anchors_are_bounded_and_shared_ones_count_once(void **state)
{
    struct stage *w = *state;
    struct slice ders[2 * LIMIT_ANCHORS];
    struct id owners[2 * LIMIT_ANCHORS];
    char anchor[] = "anchor 00";
    uint32_t next = 8000;
    while (relay_anchors(w->relay, ders, owners, 2 * LIMIT_ANCHORS) < LIMIT_ANCHORS) {
        struct id id = stage_id(4, ++next);
        (void)snprintf(anchor, sizeof anchor, "anchor %02u", next - 8000);
        assert_int_equal(add_municipality(w, &id, "Overbetuwe", anchor)->code, 0);
    }
    size_t rows = w->row_count;
    struct id id = stage_id(4, ++next);
    expect_error(w, add_municipality(w, &id, "Overbetuwe", "one more"), "trust anchors already",
                 rows);
    assert_int_equal(add_municipality(w, &id, "Overbetuwe", anchor)->code, 0);
    assert_int_equal(relay_anchors(w->relay, ders, owners, 2 * LIMIT_ANCHORS), LIMIT_ANCHORS);
}

static const Brug__V1__AdminAnswer *add_organisation(struct stage *w, const struct id *id,
                                                     Brug__V1__OrganisationKind kind,
                                                     const struct id *municipality,
                                                     Brug__V1__Card *card)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
    ProtobufCBinaryData municipalities[2] = {id_bytes(municipality), id_bytes(municipality)};
    add.organisation = id_bytes(id);
    add.kind = kind;
    add.n_municipalities = card && card->working_days == 99 ? 2 : 1;
    add.municipalities = municipalities;
    add.name = (char *)(uintptr_t) "Name";
    add.card = card && card->working_days == 99 ? NULL : card;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
    q.add_organisation = &add;
    return stage_admin(w, &q, NULL);
}

static void an_organisation_needs_its_municipality_and_kind(void **state)
{
    struct stage *w = *state;
    struct id id = stage_id(4, 3), unknown = stage_id(4, 4);
    Brug__V1__Card card = BRUG__V1__CARD__INIT, twice = BRUG__V1__CARD__INIT;
    size_t rows = w->row_count;
    twice.working_days = 99;
    expect_error(w, add_organisation(w, &id, TEAM, &unknown, NULL), "does not exist", rows);
    expect_error(w, add_organisation(w, &id, TEAM, &w->municipality, &twice), "named twice", rows);
    expect_error(w, add_organisation(w, &id, 0, &w->municipality, NULL), "practice or a team",
                 rows);
    expect_error(w, add_organisation(w, &id, PRACTICE, &w->municipality, &card), "only a team",
                 rows);
    const Brug__V1__AdminAnswer *a = add_organisation(w, &id, TEAM, &w->municipality, NULL);
    assert_int_equal(a->code, 0);
    assert_int_equal(a->objects->n_organisations, 1);
    Brug__V1__Invitation *i =
        brug__v1__invitation__unpack(NULL, a->invitation.len, a->invitation.data);
    assert_string_equal(i->organisation_name, "Name");
    brug__v1__invitation__free_unpacked(i, NULL);
    rows = w->row_count;
    assert_int_equal(add_organisation(w, &id, TEAM, &w->municipality, NULL)->code, 0);
    assert_int_equal(w->row_count, rows);
    expect_error(w, add_organisation(w, &id, PRACTICE, &w->municipality, NULL), "other values",
                 rows);
}

static const Brug__V1__AdminAnswer *add_person(struct stage *w, const struct id *id,
                                               const struct id *organisation, Brug__V1__Role role,
                                               int64_t until_ms)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddPerson add = BRUG__V1__ADD_PERSON__INIT;
    add.person = id_bytes(id);
    add.organisation = id_bytes(organisation);
    add.name = (char *)(uintptr_t) "P. de Vries";
    add.role = role;
    add.until_ms = until_ms;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_PERSON;
    q.add_person = &add;
    return stage_admin(w, &q, NULL);
}

static const Brug__V1__AdminAnswer *add_named(struct stage *w, const struct id *id,
                                              const struct id *organisation, char *name)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddPerson add = BRUG__V1__ADD_PERSON__INIT;
    add.person = id_bytes(id);
    add.organisation = id_bytes(organisation);
    add.name = name;
    add.role = ROLE(ASSISTANT);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_PERSON;
    q.add_person = &add;
    return stage_admin(w, &q, NULL);
}

static void a_person_has_a_role_that_fits(void **state)
{
    struct stage *w = *state;
    struct id id = stage_id(4, 6), unknown = stage_id(4, 7);
    size_t rows = w->row_count;
    expect_error(w, add_person(w, &id, &unknown, ROLE(GP), 0), "does not exist", rows);
    expect_error(w, add_person(w, &id, &w->team, ROLE(GP), 0), "consultants, leaders", rows);
    expect_error(w, add_person(w, &id, &w->practice, ROLE(CONSULTANT), 0), "gps, locums", rows);
    expect_error(w, add_person(w, &id, &w->practice, ROLE(SYSTEM), 0), "gps, locums", rows);
    expect_error(w, add_person(w, &id, &w->practice, ROLE(LOCUM), 0), "end date", rows);
    expect_error(w, add_person(w, &id, &w->practice, ROLE(GP), STAGE_NOW_MS + 9), "only a locum",
                 rows);
    const Brug__V1__AdminAnswer *a = add_person(w, &id, &w->practice, ROLE(GP), 0);
    assert_int_equal(a->code, 0);
    Brug__V1__Invitation *i =
        brug__v1__invitation__unpack(NULL, a->invitation.len, a->invitation.data);
    assert_string_equal(i->person_name, "P. de Vries");
    assert_int_equal(i->role, ROLE(GP));
    brug__v1__invitation__free_unpacked(i, NULL);
    rows = w->row_count;
    assert_int_equal(add_person(w, &id, &w->practice, ROLE(GP), 0)->code, 0);
    assert_int_equal(w->row_count, rows);
    expect_error(w, add_person(w, &id, &w->practice, ROLE(ASSISTANT), 0), "other values", rows);
    stage_set_status(w, OBJECT(ORGANISATION), &w->practice, STATUS(SUSPENDED));
    rows = w->row_count;
    expect_error(w, add_person(w, &unknown, &w->practice, ROLE(GP), 0), "suspended", rows);
}

struct enrolment {
    Brug__V1__EndpointRow row;
    Brug__V1__SignedBinding binding;
    struct id id;
    struct digest key;
};

static void enrol(struct enrolment *e, uint32_t number, const struct id *organisation,
                  const struct id *person)
{
    brug__v1__endpoint_row__init(&e->row);
    brug__v1__signed_binding__init(&e->binding);
    e->id = stage_id(4, number);
    e->key = digest_of_slice(id_slice(&e->id));
    e->binding.binding = id_bytes(&e->id);
    e->binding.signature = id_bytes(&e->id);
    e->row.endpoint = id_bytes(&e->id);
    e->row.organisation = id_bytes(organisation);
    if (person)
        e->row.person = id_bytes(person);
    e->row.binding = &e->binding;
    e->row.identity_certificate = id_bytes(&e->id);
    e->row.sealing_certificate = id_bytes(&e->id);
    e->row.identity_key_digest = digest_bytes(&e->key);
}

static const Brug__V1__AdminAnswer *add_endpoint(struct stage *w, const Brug__V1__EndpointRow *row)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddEndpoint add = BRUG__V1__ADD_ENDPOINT__INIT;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ENDPOINT;
    q.add_endpoint = &add;
    return stage_admin(w, &q, row);
}

static void an_endpoint_is_enrolled_once_and_its_certificates_renewed(void **state)
{
    struct stage *w = *state;
    struct enrolment e, other;
    enrol(&e, 30, &w->practice, &w->gp);
    assert_int_equal(add_endpoint(w, &e.row)->code, 0);
    size_t rows = w->row_count;
    assert_int_equal(add_endpoint(w, &e.row)->code, 0);
    assert_int_equal(w->row_count, rows);
    enrol(&other, 31, &w->practice, &w->gp);
    other.row.identity_key_digest = digest_bytes(&e.key);
    expect_error(w, add_endpoint(w, &other.row), "enrolled already", rows);
    enrol(&other, 32, &w->practice, &w->consultant);
    expect_error(w, add_endpoint(w, &other.row), "does not belong", rows);
    enrol(&other, 33, &w->team, NULL);
    expect_error(w, add_endpoint(w, &other.row), "only a practice", rows);
    enrol(&other, 34, &w->practice, &w->gp);
    other.row.recovery = true;
    expect_error(w, add_endpoint(w, &other.row), "no person", rows);
    expect_error(w, add_endpoint(w, NULL), "not verified", rows);
    other = e;
    other.row.binding = &other.binding;
    other.binding.binding = slice_bytes(slice_text("another binding"));
    expect_error(w, add_endpoint(w, &other.row), "another binding", rows);
    e.row.identity_certificate = slice_bytes(slice_text("renewed"));
    assert_int_equal(add_endpoint(w, &e.row)->code, 0);
    assert_true(w->row_count > rows);
    const struct endpoint *now = endpoint_find(relay_state(w->relay), id_bytes(&e.id));
    assert_int_equal(now->row->identity_certificate.len, 7);
    assert_int_equal(now->row->status, STATUS(ACTIVE));
}

static void an_organisation_has_a_bounded_number_of_endpoints(void **state)
{
    struct stage *w = *state;
    struct enrolment e;
    size_t added = 0;
    for (uint32_t i = 0; i < LIMIT_READERS; i++) {
        enrol(&e, 4000 + i, &w->practice, &w->gp);
        if (add_endpoint(w, &e.row)->code)
            break;
        added++;
    }
    assert_int_equal(added + 3, LIMIT_READERS / 2);
    expect_error(w, w->admin_answer, "already", w->row_count);
}

static void a_status_is_set_once(void **state)
{
    struct stage *w = *state;
    struct id unknown = stage_id(4, 8);
    const Brug__V1__AdminAnswer *a =
        stage_set_status(w, OBJECT(ENDPOINT), &w->gp_pc.id, STATUS(SUSPENDED));
    assert_int_equal(a->code, 0);
    assert_int_equal(a->objects->endpoints[0]->status, STATUS(SUSPENDED));
    assert_string_equal(a->objects->endpoints[0]->by->name, "root");
    size_t rows = w->row_count;
    assert_int_equal(stage_set_status(w, OBJECT(ENDPOINT), &w->gp_pc.id, STATUS(SUSPENDED))->code,
                     0);
    assert_int_equal(w->row_count, rows);
    expect_error(w, stage_set_status(w, OBJECT(PERSON), &unknown, STATUS(ACTIVE)), "no person",
                 rows);
    expect_error(w, stage_set_status(w, OBJECT(NONE), &unknown, STATUS(ACTIVE)), "no object", rows);
    expect_error(w, stage_set_status(w, OBJECT(PERSON), &w->gp, 9), "active or suspended", rows);
}

static const Brug__V1__AdminAnswer *list(struct stage *w, Brug__V1__ObjectType type,
                                         const struct id *within, const struct id *after)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__List l = BRUG__V1__LIST__INIT;
    l.type = type;
    l.within = id_bytes(within);
    l.after = id_bytes(after);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_LIST;
    q.list = &l;
    return stage_admin(w, &q, NULL);
}

static void lists_and_shows(void **state)
{
    struct stage *w = *state;
    assert_int_equal(list(w, OBJECT(MUNICIPALITY), &ID_NONE, &ID_NONE)->objects->n_municipalities,
                     2);
    assert_int_equal(
        list(w, OBJECT(ORGANISATION), &w->municipality, &ID_NONE)->objects->n_organisations, 2);
    assert_int_equal(list(w, OBJECT(PERSON), &w->team, &ID_NONE)->objects->n_persons, 3);
    assert_int_equal(list(w, OBJECT(ENDPOINT), &ID_NONE, &ID_NONE)->objects->n_endpoints, 7);
    expect_error(w, list(w, OBJECT(NONE), &ID_NONE, &ID_NONE), "a list is of", w->row_count);
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__Show show = BRUG__V1__SHOW__INIT;
    show.type = OBJECT(PERSON);
    show.id = id_bytes(&w->gp);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SHOW;
    q.show = &show;
    assert_int_equal(stage_admin(w, &q, NULL)->objects->persons[0]->role, ROLE(GP));
    struct id unknown = stage_id(4, 9);
    show.id = id_bytes(&unknown);
    expect_error(w, stage_admin(w, &q, NULL), "no person", w->row_count);
    brug__v1__admin_request__init(&q);
    expect_error(w, stage_admin(w, &q, NULL), "update brugd", w->row_count);
}

static void a_long_list_has_pages(void **state)
{
    struct stage *w = *state;
    struct id after = ID_NONE;
    size_t count = 0;
    for (uint32_t i = 0; i < 230; i++) {
        struct id id = stage_id(4, 6000 + i);
        assert_int_equal(add_person(w, &id, &w->team, ROLE(OBSERVER), 0)->code, 0);
    }
    for (unsigned page = 0; page < 3; page++) {
        const Brug__V1__Objects *o = list(w, OBJECT(PERSON), &w->team, &after)->objects;
        count += o->n_persons;
        assert_int_equal(o->next.len, page < 2 ? ID_BYTES : 0);
        if (page < 2)
            assert_true(id_take(o->next, &after));
    }
    assert_int_equal(count, 233);
}

/* Whoever fetches the directory must be able to read the roster [P-87], and the relay to hold it. */
static void an_organisation_has_a_bounded_number_of_persons(void **state)
{
    struct stage *w = *state;
    char name[LIMIT_NAME_BYTES + 1];
    const struct organisation *o = organisation_find(relay_state(w->relay), id_bytes(&w->practice));
    memset(name, 'n', LIMIT_NAME_BYTES);
    name[LIMIT_NAME_BYTES] = '\0';
    for (uint32_t i = 0; o->person_count < LIMIT_PERSONS; i++) {
        struct id id = stage_id(4, 7000 + i);
        assert_int_equal(add_named(w, &id, &w->practice, name)->code, 0);
    }
    size_t rows = w->row_count;
    struct id id = stage_id(4, 6999);
    expect_error(w, add_named(w, &id, &w->practice, name), "persons already", rows);
    assert_in_range(o->roster.len, 0, LIMIT_DIRECTORY_PAGE_BYTES - 128 * LIMIT_READERS);
    id = stage_id(4, 7000);
    assert_int_equal(add_named(w, &id, &w->practice, name)->code, 0); /* a repeat */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_municipality_is_added_once, setup, teardown),
        cmocka_unit_test_setup_teardown(anchors_are_bounded_and_shared_ones_count_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_organisation_needs_its_municipality_and_kind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_person_has_a_role_that_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(an_endpoint_is_enrolled_once_and_its_certificates_renewed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_organisation_has_a_bounded_number_of_endpoints, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_organisation_has_a_bounded_number_of_persons, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_status_is_set_once, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_and_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_list_has_pages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
