/* tests/unit/test_core_directory.c: pages, epochs, countersignatures, absence, cards, a locum's end, and the
 * copies of who does not read any more. */
#include "proto/limits.h"
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
#define CLIENT(name) BRUG__V1__CLIENT_FRAME__FRAME_##name
#define STATUS(name) BRUG__V1__STATUS__STATUS_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name

static int setup(void **state)
{
    struct stage *w = stage_new(NULL);
    stage_listen(w, &w->gp_pc);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    stage_free(*state);
    return 0;
}

static bool is_id(ProtobufCBinaryData b, const struct id *id)
{
    return slice_equal((struct slice){b.data, b.len}, id_slice(id));
}

static Brug__V1__ServerFrame *get(struct stage *w, uint64_t session, const struct id *municipality,
                                  const struct id *after)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetDirectory q = BRUG__V1__GET_DIRECTORY__INIT;
    q.municipality = id_bytes(municipality);
    q.after = id_bytes(after);
    frame.frame_case = CLIENT(GET_DIRECTORY);
    frame.get_directory = &q;
    stage_send(w, session, &frame);
    stage_settle(w);
    Brug__V1__ServerFrame *f = stage_take(w, session);
    assert_non_null(f);
    return f;
}

static const Brug__V1__OrganisationEntry *entry_of(const Brug__V1__Directory *d,
                                                   const struct id *id)
{
    for (size_t i = 0; i < d->n_organisations; i++) {
        Brug__V1__Roster *r = brug__v1__roster__unpack(NULL, d->organisations[i]->roster.len,
                                                       d->organisations[i]->roster.data);
        assert_non_null(r);
        bool is = is_id(r->organisation, id);
        brug__v1__roster__free_unpacked(r, NULL);
        if (is)
            return d->organisations[i];
    }
    return NULL;
}

static uint64_t epoch(const struct stage *w)
{
    return relay_municipality(w->relay, &w->municipality)->epoch;
}

static void a_practice_sees_itself_and_the_teams(void **state)
{
    struct stage *w = *state;
    struct id other = stage_id(4, 20), municipality = w->municipality;
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
    ProtobufCBinaryData ids[1] = {id_bytes(&municipality)};
    add.organisation = id_bytes(&other);
    add.kind = BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE;
    add.n_municipalities = 1;
    add.municipalities = ids;
    add.name = (char *)(uintptr_t) "Another practice";
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
    q.add_organisation = &add;
    stage_admin(w, &q, NULL);
    assert_int_equal(stage_take(w, w->gp_pc.session)->frame_case, SERVER(DIRECTORY_MOVED));
    const Brug__V1__Directory *d = get(w, w->gp_pc.session, &w->municipality, &ID_NONE)->directory;
    assert_int_equal(d->n_organisations, 2);
    assert_int_equal(d->epoch->epoch, epoch(w));
    assert_int_equal(d->next.len, 0);
    const Brug__V1__OrganisationEntry *team = entry_of(d, &w->team);
    const Brug__V1__OrganisationEntry *own = entry_of(d, &w->practice);
    assert_true(team && team->addressable && team->n_endpoints == 2);
    assert_true(own && !own->addressable && own->n_endpoints == 4);
    assert_true(strncmp(own->identifier, "brug:", 5) == 0);
    stage_listen(w, &w->consultant_pc);
    d = get(w, w->consultant_pc.session, &w->municipality, &ID_NONE)->directory;
    assert_int_equal(d->n_organisations, 3);
    assert_true(entry_of(d, &w->practice)->addressable);
    assert_false(entry_of(d, &other)->addressable); /* nobody reads there */
}

static void T17_a_foreign_municipality_and_an_unknown_one_are_alike(void **state)
{
    struct stage *w = *state;
    struct id unknown = stage_id(4, 21);
    const struct id *ids[] = {&unknown, &w->other_municipality};
    for (size_t i = 0; i < 2; i++) {
        Brug__V1__ServerFrame *f = get(w, w->gp_pc.session, ids[i], &ID_NONE);
        assert_int_equal(f->frame_case, SERVER(REFUSED));
        assert_int_equal(f->refused->code, BRUG__V1__CODE__CODE_NO_SUCH_OBJECT);
    }
}

static void pages_follow_each_other_without_repeat_or_gap(void **state)
{
    struct stage *w = *state;
    for (uint32_t i = 0; i < 150; i++) {
        struct id id = stage_id(4, 5000 + i), municipality = w->municipality;
        Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
        Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
        Brug__V1__Card card = BRUG__V1__CARD__INIT;
        char text[LIMIT_CARD_TEXT_BYTES + 1];
        ProtobufCBinaryData ids[1] = {id_bytes(&municipality)};
        memset(text, 'a', LIMIT_CARD_TEXT_BYTES);
        text[LIMIT_CARD_TEXT_BYTES] = 0;
        card.text = text;
        add.organisation = id_bytes(&id);
        add.kind = BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM;
        add.n_municipalities = 1;
        add.municipalities = ids;
        add.name = (char *)(uintptr_t) "Team";
        add.card = &card;
        q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
        q.add_organisation = &add;
        assert_int_equal(stage_admin(w, &q, NULL)->code, 0);
    }
    while (stage_take(w, w->gp_pc.session))
        continue;
    struct id after = ID_NONE;
    size_t count = 0, pages = 0;
    for (bool is_last = false; !is_last; pages++) {
        const Brug__V1__Directory *d =
            get(w, w->gp_pc.session, &w->municipality, &after)->directory;
        assert_true(brug__v1__directory__get_packed_size(d) <= LIMIT_DIRECTORY_PAGE_BYTES + 1024);
        struct id last = after;
        for (size_t i = 0; i < d->n_organisations; i++) {
            Brug__V1__Roster *r = brug__v1__roster__unpack(NULL, d->organisations[i]->roster.len,
                                                           d->organisations[i]->roster.data);
            struct id id = ID_NONE;
            assert_true(r && id_take(r->organisation, &id));
            assert_true(id_compare(&id, &last) > 0);
            last = id;
            brug__v1__roster__free_unpacked(r, NULL);
        }
        count += d->n_organisations;
        is_last = d->next.len == 0;
        assert_true(is_last || is_id(d->next, &last));
        after = last;
    }
    assert_int_equal(count, 152);
    assert_true(pages >= 3);
}

static void some_organisations_and_the_crls_by_name(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetDirectory q = BRUG__V1__GET_DIRECTORY__INIT;
    struct id unknown = stage_id(4, 22);
    ProtobufCBinaryData ids[] = {id_bytes(&w->team), id_bytes(&unknown), id_bytes(&w->stranger),
                                 id_bytes(&w->team)};
    const struct slice crls[] = {slice_text("one list"), slice_text("another")};
    assert_int_equal(relay_set_crls(w->relay, crls, 2), 0);
    q.municipality = id_bytes(&w->municipality);
    q.n_organisations = 4;
    q.organisations = ids;
    q.with_crls = true;
    frame.frame_case = CLIENT(GET_DIRECTORY);
    frame.get_directory = &q;
    stage_send(w, w->gp_pc.session, &frame);
    stage_settle(w);
    const Brug__V1__Directory *d = stage_take(w, w->gp_pc.session)->directory;
    assert_int_equal(d->n_organisations, 1);
    assert_non_null(entry_of(d, &w->team));
    assert_int_equal(d->n_crls, 2);
}

static Brug__V1__ServerFrame *countersign(struct stage *w, struct stage_endpoint *by,
                                          const struct id *whom, const struct id *named,
                                          const char *signature)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutCountersignature put = BRUG__V1__PUT_COUNTERSIGNATURE__INIT;
    Brug__V1__Countersignature c = BRUG__V1__COUNTERSIGNATURE__INIT;
    c.endpoint = id_bytes(named);
    c.signature = slice_bytes(slice_text(signature));
    put.endpoint = id_bytes(whom);
    put.countersignature = &c;
    frame.frame_case = CLIENT(PUT_COUNTERSIGNATURE);
    frame.put_countersignature = &put;
    stage_send(w, by->session, &frame);
    stage_settle(w);
    Brug__V1__ServerFrame *f = stage_take(w, by->session);
    assert_non_null(f);
    return f;
}

static size_t signature_count(struct stage *w, const struct id *endpoint)
{
    return endpoint_find(relay_state(w->relay), id_bytes(endpoint))->row->n_countersignatures;
}

static void a_colleague_countersigns_and_replaces_its_own(void **state)
{
    struct stage *w = *state;
    struct id *whom = &w->gp2_pc.id, *own = &w->gp_pc.id;
    uint64_t before = epoch(w);
    assert_int_equal(countersign(w, &w->gp_pc, whom, own, "first")->frame_case, SERVER(NOTED));
    assert_int_equal(stage_take(w, w->gp_pc.session)->frame_case, SERVER(DIRECTORY_MOVED));
    assert_int_equal(epoch(w), before + 1);
    assert_int_equal(countersign(w, &w->gp_pc, whom, own, "first")->frame_case, SERVER(NOTED));
    assert_int_equal(epoch(w), before + 1);
    assert_int_equal(countersign(w, &w->gp_pc, whom, own, "second")->frame_case, SERVER(NOTED));
    stage_take(w, w->gp_pc.session);
    assert_int_equal(signature_count(w, whom), 1);
    assert_int_equal(countersign(w, &w->gp_pc, whom, &w->system.id, "x")->refused->code,
                     BRUG__V1__CODE__CODE_SENDER_MISMATCH);
    assert_int_equal(countersign(w, &w->gp_pc, own, own, "x")->refused->code,
                     BRUG__V1__CODE__CODE_SENDER_MISMATCH);
    struct id unknown = stage_id(4, 23);
    assert_int_equal(countersign(w, &w->gp_pc, &w->consultant_pc.id, own, "x")->refused->code,
                     BRUG__V1__CODE__CODE_NO_SUCH_OBJECT);
    assert_int_equal(countersign(w, &w->gp_pc, &unknown, own, "x")->refused->code,
                     BRUG__V1__CODE__CODE_NO_SUCH_OBJECT);
    stage_crash(w, 3);
    assert_int_equal(signature_count(w, whom), 1);
}

static void absence_and_card_are_seen_by_others(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutAbsence absence = BRUG__V1__PUT_ABSENCE__INIT;
    Brug__V1__PutCard put = BRUG__V1__PUT_CARD__INIT;
    Brug__V1__Card card = BRUG__V1__CARD__INIT;
    uint64_t s = stage_listen(w, &w->consultant_pc);
    absence.away_until_ms = STAGE_NOW_MS + 86400000;
    frame.frame_case = CLIENT(PUT_ABSENCE);
    frame.put_absence = &absence;
    stage_send(w, s, &frame);
    card.text = (char *)(uintptr_t) "Who we are";
    put.card = &card;
    frame.frame_case = CLIENT(PUT_CARD);
    frame.put_card = &put;
    stage_send(w, s, &frame);
    stage_send(w, w->gp_pc.session, &frame);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(NOTED));
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(NOTED));
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_ROLE_NOT_ALLOWED);
    stage_take(w, w->gp_pc.session);
    const Brug__V1__OrganisationEntry *team =
        entry_of(get(w, w->gp_pc.session, &w->municipality, &ID_NONE)->directory, &w->team);
    assert_string_equal(team->card->text, "Who we are");
    size_t away = 0;
    for (size_t i = 0; i < team->n_endpoints; i++)
        away += team->endpoints[i]->away_until_ms == absence.away_until_ms;
    assert_int_equal(away, 1);
}

/* What everybody may write again and again must not eat what acknowledgements need (design §7). */
static void below_the_reserve_the_directory_stays_as_it_is(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutAbsence absence = BRUG__V1__PUT_ABSENCE__INIT;
    uint64_t s = stage_listen(w, &w->consultant_pc);
    size_t rows = w->row_count;
    absence.away_until_ms = STAGE_NOW_MS + 86400000;
    frame.frame_case = CLIENT(PUT_ABSENCE);
    frame.put_absence = &absence;
    relay_set_room(w->relay, false);
    stage_send(w, s, &frame);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, s), ERROR_FULL);
    assert_int_equal(w->row_count, rows);
    relay_set_room(w->relay, true);
    stage_send(w, s, &frame);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(NOTED));
}

static void an_assistant_reads_the_directory_and_no_letters(void **state)
{
    struct stage *w = *state;
    struct id person = stage_id(4, 24), id = stage_id(4, 25);
    struct stage_endpoint pc;
    stage_add_person(w, &person, &w->practice, ROLE(ASSISTANT), 0);
    stage_add_endpoint(w, &pc, &id, &w->practice, &person, false);
    uint64_t s = stage_connect(w, &pc);
    stage_subscribe(w, s, 10, 1000);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(WELCOME));
    assert_int_equal(stage_take_code(w, s), ERROR_ROLE_NOT_ALLOWED);
    struct id message = stage_message_id(w);
    stage_track(w, s, &message);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, s), ERROR_ROLE_NOT_ALLOWED);
    assert_int_equal(get(w, s, &w->municipality, &ID_NONE)->frame_case, SERVER(DIRECTORY));
    struct stage_letter l = stage_letter(w, KIND(NOTICE), &w->consultant_pc, &w->practice, NULL);
    for (size_t i = 0; i < l.reader_count; i++)
        assert_false(id_equal(&l.readers[i], &id));
}

static void a_locums_end_comes_by_time_once(void **state)
{
    struct stage *w = *state;
    struct id person = stage_id(4, 26), id = stage_id(4, 27);
    struct stage_endpoint pc;
    enum error why;
    stage_add_person(w, &person, &w->practice, ROLE(LOCUM), STAGE_NOW_MS + 5000);
    stage_add_endpoint(w, &pc, &id, &w->practice, &person, false);
    uint64_t s = stage_listen(w, &pc);
    uint64_t before = epoch(w);
    assert_int_equal(relay_next_deadline_ms(w->relay), STAGE_NOW_MS + 5000);
    w->now.wall_ms += 4999;
    relay_on_time(w->relay, w->now);
    stage_settle(w);
    assert_false(stage_is_closed(w, s, NULL));
    w->now.wall_ms += 1;
    relay_on_time(w->relay, w->now);
    relay_on_time(w->relay, w->now);
    stage_settle(w);
    assert_true(stage_is_closed(w, s, &why));
    assert_int_equal(why, ERROR_SUSPENDED);
    assert_int_equal(epoch(w), before + 1);
    assert_int_equal(relay_next_deadline_ms(w->relay), INT64_MAX);
    stage_crash(w, 0);
    assert_int_equal(relay_next_deadline_ms(w->relay), INT64_MAX);
    /* Only a later date brings the person back. */
    assert_int_equal(stage_set_status(w, OBJECT(PERSON), &person, STATUS(ACTIVE))->code,
                     BRUG__V1__CODE__CODE_REQUEST_MALFORMED);
    stage_add_person(w, &person, &w->practice, ROLE(LOCUM), STAGE_NOW_MS + 50000);
    assert_int_equal(stage_set_status(w, OBJECT(PERSON), &person, STATUS(ACTIVE))->code, 0);
    stage_listen(w, &pc);
    assert_int_equal(relay_next_deadline_ms(w->relay), STAGE_NOW_MS + 50000);
}

/* ---- copies of who does not read any more ---- */

static struct stage_letter referral(struct stage *w)
{
    struct id case_id = stage_case_id(w);
    return stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
}

static void the_last_cancelled_copy_is_a_non_delivery(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    stage_set_status(w, OBJECT(ENDPOINT), &w->consultant_pc.id, STATUS(SUSPENDED));
    assert_int_equal(stage_count_records(w, RECORD(CANCELLED)), 1);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 1);
    assert_int_equal(stage_take(w, w->gp_pc.session)->frame_case, SERVER(DIRECTORY_MOVED));
    stage_set_status(w, OBJECT(PERSON), &w->consultant2, STATUS(SUSPENDED));
    assert_int_equal(stage_count_records(w, RECORD(CANCELLED)), 2);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 2);
    assert_int_equal(stage_take(w, w->gp_pc.session)->frame_case, SERVER(DIRECTORY_MOVED));
    Brug__V1__ServerFrame *f = stage_take(w, w->gp_pc.session);
    assert_int_equal(f->frame_case, SERVER(DELIVER));
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, f->deliver->envelope->header.len,
                                                   f->deliver->envelope->header.data);
    assert_int_equal(h->kind, KIND(NON_DELIVERY));
    assert_int_equal(h->fact_code, ERROR_SUSPENDED);
    assert_true(is_id(h->in_reply_to, &l.id));
    assert_true(is_id(h->case_id, &l.case_id));
    brug__v1__header__free_unpacked(h, NULL);
    /* Nothing is left of the quota, and nothing is cancelled twice after a crash. */
    assert_int_equal(
        organisation_find(relay_state(w->relay), id_bytes(&w->practice))->unfetched_messages, 0);
    stage_crash(w, 0);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(CANCELLED)), 2);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 2);
}

static void who_comes_back_gets_only_what_was_not_cancelled(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    stage_set_status(w, OBJECT(ENDPOINT), &w->consultant_pc.id, STATUS(SUSPENDED));
    stage_set_status(w, OBJECT(ENDPOINT), &w->consultant_pc.id, STATUS(ACTIVE));
    uint64_t s = stage_listen(w, &w->consultant_pc);
    assert_null(stage_take(w, s));
    stage_ack(w, s, &w->practice, &l.id, ERROR_NONE);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(ACKED));
    assert_int_equal(stage_count_records(w, RECORD(ACKNOWLEDGED)), 0);
}

static void many_copies_are_cancelled_over_several_groups(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.group_bytes_max = 2000;
    struct stage *w = stage_new(&limits);
    stage_listen(w, &w->gp_pc);
    for (unsigned i = 0; i < 200; i++) {
        struct stage_letter l = referral(w);
        stage_post(w, &l);
    }
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    set.type = OBJECT(ORGANISATION);
    set.id = id_bytes(&w->team);
    set.status = STATUS(SUSPENDED);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    q.set_status = &set;
    relay_on_admin(w->relay, 1, &by, &q, NULL, w->now);
    stage_flush(w);
    for (unsigned i = 0; i < 5; i++)
        assert_true(stage_commit(w));
    size_t cancelled = stage_count_records(w, RECORD(CANCELLED));
    assert_true(cancelled > 10 && cancelled < 390);
    /* Power fails in the middle: what is left follows from the state. */
    stage_crash(w, stage_committed_lsn(w) / 3);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(CANCELLED)), 400);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 400); /* one non-delivery each */
    stage_free(w);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_practice_sees_itself_and_the_teams, setup, teardown),
        cmocka_unit_test_setup_teardown(T17_a_foreign_municipality_and_an_unknown_one_are_alike,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(pages_follow_each_other_without_repeat_or_gap, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(some_organisations_and_the_crls_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_colleague_countersigns_and_replaces_its_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(absence_and_card_are_seen_by_others, setup, teardown),
        cmocka_unit_test_setup_teardown(below_the_reserve_the_directory_stays_as_it_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_assistant_reads_the_directory_and_no_letters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_locums_end_comes_by_time_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_cancelled_copy_is_a_non_delivery, setup, teardown),
        cmocka_unit_test_setup_teardown(who_comes_back_gets_only_what_was_not_cancelled, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_copies_are_cancelled_over_several_groups, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
