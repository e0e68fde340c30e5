/* Unit tests of proto/check_header: versions, ids, lists, readers, and the table kind x field. */
#include "base/digest.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "tests/lib/sample.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define LAST_SENT_KIND KIND(FAMILY_KEY)

/* The check's answer, and the field that it named. */
static void assert_refused(const Brug__V1__Header *h, enum error wanted, const char *field)
{
    const char *named = NULL;
    enum error e = check_header(h, &named);
    if (e != wanted)
        fail_msg("%s instead of %s (field %s)", error_name(e), error_name(wanted), named);
    assert_string_equal(named, field);
}

static void assert_holds(const Brug__V1__Header *h)
{
    const char *named = NULL;
    enum error e = check_header(h, &named);
    if (e != ERROR_NONE)
        fail_msg("kind %d: %s (field %s)", (int)h->kind, error_name(e), named);
}

static void test_a_right_header_of_every_kind_holds(void **state)
{
    for (int kind = 1; kind <= (int)LAST_SENT_KIND; kind++) {
        struct sample_header s;
        sample_header_init(&s, (Brug__V1__Kind)kind);
        assert_holds(&s.header);
    }
}

static void test_versions(void **state)
{
    struct sample_header s;
    sample_header_init(&s, KIND(NOTE));
    s.header.protocol = 2;
    assert_refused(&s.header, ERROR_UPDATE_SENDER, "header.protocol");
    sample_header_init(&s, KIND(NOTE));
    s.header.profile = 0;
    assert_refused(&s.header, ERROR_UPDATE_SENDER, "header.profile");
}

static void test_kinds_unknown_and_relay_made_are_for_later(void **state)
{
    const int kinds[] = {-1, 0, LAST_SENT_KIND + 1, 63, 64, 68, 69, 1000000};
    struct sample_header s;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sample_header_init(&s, KIND(NOTE));
        s.header.kind = (Brug__V1__Kind)kinds[i];
        assert_refused(&s.header, ERROR_UPDATE_RELAY, "header.kind");
    }
}

/* Every id field: one byte short, one too many, all zero. */
static void test_ids_of_wrong_length(void **state)
{
    static const uint8_t bytes[17] = {1, 2, 3, 4, 5, 6, 0x40, 8, 0x80};
    static const uint8_t zero[16] = {0};
    static const struct {
        const char *field;
        size_t offset;
    } ids[] = {
        {"header.message_id", offsetof(Brug__V1__Header, message_id)},
        {"header.case_id", offsetof(Brug__V1__Header, case_id)},
        {"header.municipality", offsetof(Brug__V1__Header, municipality)},
        {"header.to", offsetof(Brug__V1__Header, to)},
        {"header.in_reply_to", offsetof(Brug__V1__Header, in_reply_to)},
        {"header.other_organisation", offsetof(Brug__V1__Header, other_organisation)},
        {"header.new_director", offsetof(Brug__V1__Header, new_director)},
        {"header.owed_id", offsetof(Brug__V1__Header, owed_id)},
        {"header.linked_case", offsetof(Brug__V1__Header, linked_case)},
        {"header.about_endpoint", offsetof(Brug__V1__Header, about_endpoint)},
    };
    const ProtobufCBinaryData wrong[] = {
        {15, (uint8_t *)(uintptr_t)bytes},
        {17, (uint8_t *)(uintptr_t)bytes},
        {1, (uint8_t *)(uintptr_t)bytes},
        {16, (uint8_t *)(uintptr_t)zero},
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        for (size_t j = 0; j < sizeof wrong / sizeof wrong[0]; j++) {
            struct sample_header s;
            sample_header_init(&s, KIND(NOTE));
            memcpy((uint8_t *)&s.header + ids[i].offset, &wrong[j], sizeof wrong[j]);
            assert_refused(&s.header, ERROR_ID_MALFORMED, ids[i].field);
        }
    }
}

static void test_sender_must_be_whole(void **state)
{
    struct sample_header s;
    sample_header_init(&s, KIND(NOTE));
    s.header.from = NULL;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.from");
    sample_header_init(&s, KIND(NOTE));
    s.from.person.len = 0;
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.from.person");
    sample_header_init(&s, KIND(NOTE));
    s.from.on_behalf = (ProtobufCBinaryData){3, s.ids[0].bytes};
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.from.on_behalf");
}

static void test_message_ids_are_v4_or_v7(void **state)
{
    for (unsigned version = 0; version < 16; version++) {
        struct sample_header s;
        struct id id = sample_id(version, 99);
        sample_header_init(&s, KIND(NOTE));
        s.header.message_id = sample_bytes(&id);
        if (version == 4 || version == 7)
            assert_holds(&s.header);
        else
            assert_refused(&s.header, ERROR_ID_MALFORMED, "header.message_id");
    }
}

static void test_case_ids_are_v4(void **state)
{
    struct sample_header s;
    struct id id = sample_id(7, 99);
    sample_header_init(&s, KIND(NOTE));
    s.header.case_id = sample_bytes(&id);
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.case_id");
}

static void test_free_text_does_not_hide_in_ids(void **state)
{
    static const char text[17] = "Jan Jansen, 2014";
    const ProtobufCBinaryData hidden = {16, (uint8_t *)(uintptr_t)text};
    struct sample_header s;
    sample_header_init(&s, KIND(NOTE));
    s.header.case_id = hidden;
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.case_id");
    sample_header_init(&s, KIND(NOTE));
    s.header.in_reply_to = hidden;
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.in_reply_to");
    sample_header_init(&s, KIND(REFERRAL));
    s.header.linked_case = hidden;
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.linked_case");
}

static void test_readers_and_copies_ascend_without_repeats(void **state)
{
    struct sample_header s;
    sample_header_init(&s, KIND(NOTE));
    s.readers[1] = s.readers[0];
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.readers");
    sample_header_init(&s, KIND(NOTE));
    s.readers[2] = s.readers[0];
    s.readers[0] = s.readers[1];
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.readers");
    sample_header_init(&s, KIND(NOTE));
    s.copies[1] = s.copies[0];
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.copies");
    sample_header_init(&s, KIND(NOTE));
    s.readers[1].len = 15;
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.readers");
    sample_header_init(&s, KIND(NOTE));
    s.header.n_readers = 0;
    s.header.n_copies = 0;
    assert_holds(&s.header);
}

static void test_too_many_readers_or_copies(void **state)
{
    struct id ids[LIMIT_READERS + 1];
    ProtobufCBinaryData many[LIMIT_READERS + 1];
    struct sample_header s;
    for (unsigned i = 0; i <= LIMIT_READERS; i++) {
        ids[i] = sample_id(4, i + 1);
        many[i] = sample_bytes(&ids[i]);
    }
    sample_header_init(&s, KIND(NOTE));
    s.header.readers = many;
    s.header.n_readers = LIMIT_READERS;
    assert_holds(&s.header);
    s.header.n_readers = LIMIT_READERS + 1;
    assert_refused(&s.header, ERROR_TOO_MANY_READERS, "header.readers");
    sample_header_init(&s, KIND(NOTE));
    s.header.copies = many;
    s.header.n_copies = LIMIT_COPIES;
    assert_holds(&s.header);
    s.header.n_copies = LIMIT_COPIES + 1;
    assert_refused(&s.header, ERROR_TOO_MANY_READERS, "header.copies");
}

/* Numbers outside each closed list, negative ones too. */
static void test_t23_codes_outside_their_lists(void **state)
{
    static const struct {
        const char *field;
        size_t offset;
        int last;
    } lists[] = {
        {"header.reason", offsetof(Brug__V1__Header, reason), 4},
        {"header.request_type", offsetof(Brug__V1__Header, request_type), 4},
        {"header.decline_reason", offsetof(Brug__V1__Header, decline_reason), 4},
        {"header.stop_reason", offsetof(Brug__V1__Header, stop_reason), 4},
        {"header.involvement", offsetof(Brug__V1__Header, involvement), 3},
        {"header.outcome", offsetof(Brug__V1__Header, outcome), 10},
        {"header.decision", offsetof(Brug__V1__Header, decision), 2},
        {"header.bridging_carrier", offsetof(Brug__V1__Header, bridging_carrier), 2},
        {"header.fact_code", offsetof(Brug__V1__Header, fact_code), 126},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const int wrong[] = {-1, lists[i].last + 1, INT32_MAX, INT32_MIN};
        for (size_t j = 0; j < 4; j++) {
            struct sample_header s;
            sample_header_init(&s, KIND(REFERRAL));
            memcpy((uint8_t *)&s.header + lists[i].offset, &wrong[j], sizeof(int));
            assert_refused(&s.header, ERROR_CODE_UNKNOWN, lists[i].field);
        }
    }
}

static void test_a_bsn_does_not_pass_as_a_number(void **state)
{
    struct sample_header s;
    sample_header_init(&s, KIND(CLOSING));
    s.header.conversations = 111222333;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.conversations");
    sample_header_init(&s, KIND(DELAY));
    s.header.until_date = 111222333;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.until_date");
    sample_header_init(&s, KIND(DECLINE_PROPOSAL));
    s.header.called_on_date = 111222333;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.called_on_date");
    sample_header_init(&s, KIND(INTERIM));
    s.header.moment = LIMIT_MOMENTS + 1;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.moment");
}

static void test_flags(void **state)
{
    struct sample_header s;
    sample_header_init(&s, KIND(REFERRAL));
    s.header.flags = 0;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.flags");
    s.header.flags = 1 | 16;
    assert_refused(&s.header, ERROR_CODE_UNKNOWN, "header.flags");
    s.header.flags = 1 | 2;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.flags");
    sample_header_init(&s, KIND(BRIDGING_PROPOSAL)); /* [R27] */
    s.header.flags = BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.flags");
}

static void test_moments(void **state)
{
    struct sample_header s;
    Brug__V1__Moment *many[LIMIT_MOMENTS + 1];
    sample_header_init(&s, KIND(REFERRAL));
    for (unsigned i = 0; i <= LIMIT_MOMENTS; i++)
        many[i] = &s.moment;
    s.header.moments = many;
    s.header.n_moments = LIMIT_MOMENTS;
    assert_holds(&s.header);
    s.header.n_moments = LIMIT_MOMENTS + 1;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.moments");
    s.header.n_moments = 1;
    s.moment.event = (Brug__V1__MomentEvent)6;
    assert_refused(&s.header, ERROR_CODE_UNKNOWN, "header.moments");
    s.moment.event = BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_NONE;
    assert_refused(&s.header, ERROR_CODE_UNKNOWN, "header.moments");
    s.moment.event =
        BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_DATE; /* with conversations, without a date */
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.moments");
    s.moment.date = 20900;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.moments");
    s.moment.conversations = 0;
    assert_holds(&s.header);
    s.moment.event = BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_AFTER_CONVERSATIONS;
    s.moment.date = 0;
    s.moment.conversations = 100;
    assert_refused(&s.header, ERROR_HEADER_MALFORMED, "header.moments");
}

/* [P-142] */
static void test_a_family_key_names_itself_and_what_it_replaces(void **state)
{
    struct sample_header s, note;
    struct id text = {.bytes = "Jan Jansen, 201"};
    sample_header_init(&s, KIND(FAMILY_KEY));
    ProtobufCBinaryData key_id = s.header.key_id;
    assert_holds(&s.header);
    s.header.replaced_key = key_id;
    assert_holds(&s.header);
    s.header.key_id.len = 0;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.key_id");
    s.header.key_id = sample_bytes(&text);
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.key_id");
    s.header.key_id = key_id;
    s.header.replaced_key = sample_bytes(&text);
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.replaced_key");
    sample_header_init(&note, KIND(NOTE));
    note.header.key_id = key_id;
    assert_refused(&note.header, ERROR_FIELD_NOT_ALLOWED, "header.key_id");
    sample_header_init(&note, KIND(NOTE));
    note.header.linked_director = key_id; /* the relay's to say */
    assert_refused(&note.header, ERROR_FIELD_NOT_ALLOWED, "header.linked_director");
    sample_header_init(&note, KIND(NOTE));
    note.header.flags = BRUG__V1__HEADER_FLAG__HEADER_FLAG_SAME_CHILD;
    assert_refused(&note.header, ERROR_CODE_UNKNOWN, "header.flags");
}

static void test_what_kinds_need(void **state)
{
    struct sample_header s;
    sample_header_init(&s, KIND(REFERRAL));
    s.header.case_id.len = 0;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.case_id");
    sample_header_init(&s, KIND(REFERRAL)); /* [R04] */
    s.header.reason = BRUG__V1__REASON__REASON_NONE;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.reason");
    sample_header_init(&s, KIND(REFERRAL)); /* [R11] */
    s.header.request_type = BRUG__V1__REQUEST_TYPE__REQUEST_TYPE_NONE;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.request_type");
    sample_header_init(&s, KIND(NOTE));
    s.header.case_id.len = 0;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.case_id");
    sample_header_init(&s, KIND(START)); /* [R40] */
    s.header.involvement = BRUG__V1__INVOLVEMENT__INVOLVEMENT_NOT_CHECKED;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.involvement");
}

static void test_what_kinds_may_not_carry(void **state)
{
    struct sample_header s, other;
    sample_header_init(&other, KIND(REFERRAL));
    sample_header_init(&s, KIND(NOTICE));
    s.header.case_id = other.header.case_id;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.case_id");
    sample_header_init(&s, KIND(NOTE));
    s.header.reason = BRUG__V1__REASON__REASON_PARENTING;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.reason");
    sample_header_init(&s, KIND(NOTE));
    s.header.moments = other.moments;
    s.header.n_moments = 1;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.moments");
    sample_header_init(&s, KIND(NOTE));
    s.header.fact_code = BRUG__V1__CODE__CODE_FULL;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.fact_code");
    sample_header_init(&s, KIND(REFERRAL));
    s.header.in_reply_to = other.header.message_id;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.in_reply_to");
    sample_header_init(&s, KIND(REFERRAL));
    s.header.linked_case = other.header.case_id;
    assert_holds(&s.header);
}

static void test_t23_a_decline_names_the_call_or_the_team(void **state)
{
    struct sample_header s;
    struct id team = sample_id(4, 77);
    sample_header_init(&s, KIND(DECLINE_PROPOSAL));
    s.header.called_on_date = 0;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.called_on_date");
    s.header.decline_reason = BRUG__V1__DECLINE_REASON__DECLINE_REASON_OTHER_TEAM;
    assert_refused(&s.header, ERROR_CODE_MISSING, "header.other_organisation");
    s.header.other_organisation = sample_bytes(&team);
    assert_holds(&s.header);
    s.header.decline_reason = BRUG__V1__DECLINE_REASON__DECLINE_REASON_NO_ROOM_IN_TIME;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.other_organisation");
    s.header.other_organisation.len = 0;
    assert_holds(&s.header);
    s.header.called_on_date = 20800;
    assert_refused(&s.header, ERROR_FIELD_NOT_ALLOWED, "header.called_on_date");
}

/* ---- what a client receives ---- */

static void make_relay_made(struct sample_header *s, Brug__V1__Kind kind, struct id *id,
                            struct id *about)
{
    *id = sample_id(8, 50);
    *about = sample_id(7, 51);
    sample_header_init(s, kind);
    s->header.from = NULL;
    s->header.message_id = sample_bytes(id);
    s->header.in_reply_to = sample_bytes(about);
    s->header.fact_code = BRUG__V1__CODE__CODE_LETTER_DECRYPT;
    s->header.about_endpoint = s->readers[0];
    s->header.n_copies = 0;
}

static void test_received_relay_made_headers(void **state)
{
    struct sample_header s;
    struct id id, about;
    const char *field = NULL;
    make_relay_made(&s, KIND(FACT), &id, &about);
    assert_int_equal(check_received_header(&s.header, &field), ERROR_NONE);
    assert_int_equal(check_header(&s.header, &field), ERROR_UPDATE_RELAY);
    s.header.profile = 0;
    assert_int_equal(check_received_header(&s.header, &field), ERROR_NONE);
    s.header.from = &s.from; /* a sender where there is none */
    assert_int_equal(check_received_header(&s.header, &field), ERROR_HEADER_MALFORMED);
    make_relay_made(&s, KIND(NON_DELIVERY), &id, &about);
    id = sample_id(7, 50); /* an id that a sender could have used */
    assert_int_equal(check_received_header(&s.header, &field), ERROR_ID_MALFORMED);
}

static void test_received_unknown_kinds_are_kept(void **state)
{
    struct sample_header s;
    const char *field = NULL;
    sample_header_init(&s, KIND(REFERRAL));
    s.header.kind = (Brug__V1__Kind)40;
    assert_int_equal(check_received_header(&s.header, &field), ERROR_NONE);
    s.header.to.len = 3;
    assert_int_equal(check_received_header(&s.header, &field), ERROR_ID_MALFORMED);
    sample_header_init(&s, KIND(NOTE));
    s.header.outcome = BRUG__V1__OUTCOME__OUTCOME_STOPPED;
    assert_int_equal(check_received_header(&s.header, &field), ERROR_FIELD_NOT_ALLOWED);
}

/* ---- what a HISTORY carries ---- */

static void test_handed_headers_are_of_persons_letters(void **state)
{
    struct sample_header s;
    const char *field = NULL;
    for (int kind = 1; kind <= (int)LAST_SENT_KIND; kind++) {
        sample_header_init(&s, (Brug__V1__Kind)kind);
        assert_int_equal(check_handed_header(&s.header, &field), ERROR_NONE);
        assert_false(check_is_recovered(&s.header));
        s.header.protocol = 2;
        assert_int_equal(check_handed_header(&s.header, &field), ERROR_UPDATE_SENDER);
    }
    s.header.kind = KIND(FACT);
    s.header.protocol = 1;
    assert_int_equal(check_handed_header(&s.header, &field), ERROR_UPDATE_RELAY);
}

static void test_only_a_recovered_history_is_of_no_person(void **state)
{
    struct sample_header s;
    const char *field = NULL;
    sample_header_init(&s, KIND(HISTORY));
    s.from.person.len = 0;
    assert_true(check_is_recovered(&s.header));
    assert_int_equal(check_handed_header(&s.header, &field), ERROR_NONE);
    assert_refused(&s.header, ERROR_ID_MALFORMED, "header.from.person");
    assert_int_equal(check_received_header(&s.header, &field), ERROR_ID_MALFORMED);
    s.header.case_id.len = 0; /* of a notice */
    assert_int_equal(check_handed_header(&s.header, &field), ERROR_NONE);
    s.header.in_reply_to.len = 0;
    assert_int_equal(check_handed_header(&s.header, &field), ERROR_CODE_MISSING);
    sample_header_init(&s, KIND(NOTE));
    s.from.person.len = 0;
    assert_int_equal(check_handed_header(&s.header, &field), ERROR_ID_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_right_header_of_every_kind_holds),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_kinds_unknown_and_relay_made_are_for_later),
        cmocka_unit_test(test_ids_of_wrong_length),
        cmocka_unit_test(test_sender_must_be_whole),
        cmocka_unit_test(test_message_ids_are_v4_or_v7),
        cmocka_unit_test(test_case_ids_are_v4),
        cmocka_unit_test(test_free_text_does_not_hide_in_ids),
        cmocka_unit_test(test_readers_and_copies_ascend_without_repeats),
        cmocka_unit_test(test_too_many_readers_or_copies),
        cmocka_unit_test(test_t23_codes_outside_their_lists),
        cmocka_unit_test(test_a_bsn_does_not_pass_as_a_number),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_a_family_key_names_itself_and_what_it_replaces),
        cmocka_unit_test(test_what_kinds_need),
        cmocka_unit_test(test_what_kinds_may_not_carry),
        cmocka_unit_test(test_t23_a_decline_names_the_call_or_the_team),
        cmocka_unit_test(test_received_relay_made_headers),
        cmocka_unit_test(test_received_unknown_kinds_are_kept),
        cmocka_unit_test(test_handed_headers_are_of_persons_letters),
        cmocka_unit_test(test_only_a_recovered_history_is_of_no_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
