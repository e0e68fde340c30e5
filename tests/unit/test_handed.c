/*
 * tests/unit/test_handed.c: what lies inside a HISTORY is released only if every hand that it went through had it, and its author
 * signed it for the header that comes with it.
 */
#include "client/handed.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/letter_fixture.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/err.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define TEXT "Zij komt weer naar school."
#define BYTES_MAX ((size_t)16 << 20)
#define HANDS 12u /* colleagues of the team */

static const uint8_t FAMILY[32] = {7};

/* A GP who writes; colleagues of the team; the team's recovery entry; somebody of neither. */
enum { GP = 0, RECOVERY = 1, STRANGER = 2, TEAM = 3, PARTIES = TEAM + HANDS };

struct world {
    struct party party[PARTIES];
    struct id practice, team, other_team, case_id, municipality, person;
    struct id disbelieved; /* endpoint */
    unsigned asked;
};

/* A letter, or a HISTORY: its header and what its author signed. */
struct made {
    Brug__V1__Header h;
    Brug__V1__Sender from;
    ProtobufCBinaryData readers[2], copies[1];
    struct id message_id;
    struct buf header, signed_data;
};

static ProtobufCBinaryData field(const struct id *id)
{
    return (ProtobufCBinaryData){ID_BYTES, (uint8_t *)(uintptr_t)id->bytes};
}

static ProtobufCBinaryData bytes(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.data};
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    for (unsigned i = 0; i < PARTIES; i++)
        party_init(&w->party[i], i, "P-256");
    w->practice = fixture_id(0x10001);
    w->team = fixture_id(0x10002);
    w->other_team = fixture_id(0x10003);
    w->person = fixture_id(0x20001);
    w->municipality = fixture_id(0x30001);
    w->case_id = fixture_id(0x40001);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < PARTIES; i++)
        party_fini(&w->party[i]);
    free(w);
    return 0;
}

/* ---- making letters ---- */

/* Of a party to one reader, with the team's recovery entry as a copy. */
static void begin(struct world *w, struct made *m, Brug__V1__Kind kind, unsigned from,
                  unsigned reader, unsigned number)
{
    memset(m, 0, sizeof *m);
    brug__v1__header__init(&m->h);
    brug__v1__sender__init(&m->from);
    m->message_id = id_v7(1700000000000 + number, (const uint8_t[10]){1});
    m->h.protocol = m->h.profile = 1;
    m->h.kind = kind;
    m->h.message_id = field(&m->message_id);
    m->h.case_id = field(&w->case_id);
    m->h.municipality = field(&w->municipality);
    m->h.from = &m->from;
    m->from.organisation = field(from == GP ? &w->practice : &w->team);
    m->from.endpoint = field(&w->party[from].keys.endpoint);
    m->from.person = field(&w->person);
    m->h.to = field(&w->team);
    m->readers[0] = field(&w->party[reader].keys.endpoint);
    m->h.readers = m->readers;
    m->h.n_readers = 1;
    m->copies[0] = field(&w->party[RECOVERY].keys.endpoint);
    m->h.copies = m->copies;
    m->h.n_copies = 1;
    m->h.written_at_ms = 1700000000000;
}

static void sign(struct world *w, struct made *m, unsigned by, const Brug__V1__Content *content)
{
    struct buf sealed;
    struct digest digest;
    static const uint8_t RANDOM[32] = {42};
    buf_init(&m->header, BYTES_MAX);
    buf_init(&sealed, BYTES_MAX);
    assert_int_equal(frame_append_bare(&m->header, &m->h.base), ERROR_NONE);
    assert_int_equal(letter_seal(&w->party[by].keys, buf_slice(&m->header), content, NULL, 0,
                                 RANDOM, &sealed, &digest),
                     ERROR_NONE);
    fixture_decrypt(&m->signed_data, &w->party[by], buf_slice(&sealed));
    buf_fini(&sealed);
}

static void write_letter(struct world *w, struct made *m, unsigned by)
{
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    fixture_content(&content, &letter, TEXT);
    sign(w, m, by, &content);
}

static void put_into(struct made *inside, Brug__V1__Content *content,
                     Brug__V1__HistoryLetter *history)
{
    Brug__V1__Letter letter;
    fixture_content(content, &letter, "");
    brug__v1__history_letter__init(history);
    content->letter = NULL;
    content->history = history;
    history->header = bytes(buf_slice(&inside->header));
    history->signed_data = bytes(buf_slice(&inside->signed_data));
    history->stored_at_ms = 1700000000123;
    history->was_opened = true;
}

/* `about` is the id of the letter inside all. */
static void hand_on(struct world *w, struct made *m, unsigned from, struct made *inside,
                    const struct id *about)
{
    Brug__V1__Content content;
    Brug__V1__HistoryLetter history;
    put_into(inside, &content, &history);
    m->h.in_reply_to = field(about);
    sign(w, m, from, &content);
}

static void made_fini(struct made *m)
{
    buf_fini(&m->header);
    buf_fini(&m->signed_data);
}

/* ---- opening ---- */

static enum error believe(void *ctx, const struct handed_step *step)
{
    struct world *w = ctx;
    w->asked++;
    for (unsigned i = 0; i < PARTIES; i++) {
        const struct letter_keys *k = &w->party[i].keys;
        if (X509_cmp(step->signer, k->identity_certificate) != 0)
            continue;
        bool is_named = slice_equal(
            slice_of(step->header->from->endpoint.data, step->header->from->endpoint.len),
            id_slice(&k->endpoint));
        return is_named && !id_equal(&k->endpoint, &w->disbelieved) ? ERROR_NONE
                                                                    : ERROR_LETTER_SIGNER;
    }
    return ERROR_LETTER_SIGNER;
}

/* As the team's client that got the outermost HISTORY. */
static enum error open_it(struct world *w, const struct made *outer, struct made *inside,
                          struct handed *out)
{
    Brug__V1__Content content;
    Brug__V1__HistoryLetter history;
    put_into(inside, &content, &history);
    w->asked = 0;
    enum error e = handed_open(&outer->h, &content, &w->team, believe, w, out);
    assert_int_equal(ERR_peek_error(), 0);
    return e;
}

/* The outermost HISTORY, of a giver, about `inside`. */
static enum error give(struct world *w, unsigned giver, struct made *inside, const struct id *about)
{
    struct made outer;
    struct handed h;
    begin(w, &outer, KIND(HISTORY), giver, TEAM + 1, 900);
    outer.h.in_reply_to = field(about);
    enum error e = open_it(w, &outer, inside, &h);
    if (e == ERROR_NONE) {
        assert_string_equal(h.letter->content->letter->text, TEXT);
        assert_int_equal(h.stored_at_ms, 1700000000123);
        assert_true(h.was_opened);
        handed_fini(&h);
    }
    return e;
}

static void a_letter_comes_through_one_hand(void **state)
{
    struct world *w = *state;
    struct made m, outer;
    struct handed h;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    begin(w, &outer, KIND(HISTORY), TEAM, TEAM + 1, 2);
    outer.h.in_reply_to = field(&m.message_id);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_NONE);
    assert_string_equal(h.letter->content->letter->text, TEXT);
    assert_true(slice_equal(buf_slice(&h.header), buf_slice(&m.header)));
    assert_int_equal(h.decoded->kind, KIND(NOTE));
    assert_int_equal(h.depth, 1);
    assert_int_equal(w->asked, 1);
    handed_fini(&h);
    assert_int_equal(give(w, GP, &m, &m.message_id), ERROR_LETTER_HEADER); /* not a colleague */
    made_fini(&m);
    begin(w, &m, KIND(NOTE), TEAM, GP, 1); /* the giver wrote it */
    m.h.to = field(&w->practice);
    write_letter(w, &m, TEAM);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_NONE);
    made_fini(&m);
}

static void who_did_not_have_it_cannot_give_it(void **state)
{
    struct world *w = *state;
    struct made m;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM + 2, &m, &m.message_id), ERROR_LETTER_HEADER);
    assert_int_equal(give(w, STRANGER, &m, &m.message_id), ERROR_LETTER_HEADER);
    assert_int_equal(w->asked, 0);
    made_fini(&m);
}

static void another_letter_or_case_is_refused(void **state)
{
    struct world *w = *state;
    struct made m;
    struct id other = id_v7(1700000000777, (const uint8_t[10]){2}),
              other_case = fixture_id(0x40002);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &other), ERROR_LETTER_HEADER);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    m.h.case_id = field(&other_case);
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    m.h.municipality = field(&w->other_team);
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1); /* of others */
    m.h.to = field(&w->other_team);
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&m);
}

static void a_changed_header_is_refused(void **state)
{
    struct world *w = *state;
    struct made m, twin;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    m.h.kind = KIND(INFO_REQUEST);
    buf_clear(&m.header);
    assert_int_equal(frame_append_bare(&m.header, &m.h.base), ERROR_NONE);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1); /* the signed part of another letter of the author */
    write_letter(w, &m, GP);
    begin(w, &twin, KIND(NOTE), GP, TEAM, 2);
    write_letter(w, &twin, GP);
    struct buf own = m.signed_data;
    m.signed_data = twin.signed_data;
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    m.signed_data = own;
    m.signed_data.data[m.signed_data.len - 1] ^= 1; /* of the signature */
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_SIGNATURE);
    m.signed_data.len -= 1;
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_PROFILE);
    made_fini(&m);
    made_fini(&twin);
}

static void the_author_must_be_believed(void **state)
{
    struct world *w = *state;
    struct made m;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, STRANGER); /* in the GP's name */
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_SIGNER);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    w->disbelieved = w->party[GP].keys.endpoint;
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_SIGNER);
    made_fini(&m);
}

static void it_stays_within_the_own_organisation(void **state)
{
    struct world *w = *state;
    struct made m, outer;
    struct handed h;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    begin(w, &outer, KIND(HISTORY), TEAM, TEAM + 1, 2);
    outer.h.in_reply_to = field(&m.message_id);
    outer.h.to = field(&w->practice);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_LETTER_HEADER);
    outer.h.to = field(&w->team);
    outer.from.organisation = field(&w->practice);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_LETTER_HEADER);
    made_fini(&m);
}

static void only_letters_of_people_are_handed_on(void **state)
{
    struct world *w = *state;
    struct made m;
    begin(w, &m, (Brug__V1__Kind)40, GP, TEAM, 1);
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_UPDATE_CLIENT);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, TEAM, 1); /* without who acted */
    m.from.person.len = 0;
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&m);
    begin(w, &m, KIND(INFO_REPLY), GP, TEAM, 1); /* without what the kind needs */
    write_letter(w, &m, GP);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    buf_clear(&m.header);
    assert_int_equal(buf_append(&m.header, "\xff\xff", 2), ERROR_NONE);
    assert_int_equal(give(w, TEAM, &m, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&m);
}

/* [P-111] */
static void a_history_and_only_that_carries_a_letter(void **state)
{
    struct world *w = *state;
    struct made m, false_note, empty;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    begin(w, &false_note, KIND(NOTE), TEAM, TEAM + 1, 2);
    Brug__V1__Content content;
    Brug__V1__HistoryLetter history;
    put_into(&m, &content, &history);
    sign(w, &false_note, TEAM, &content);
    assert_int_equal(give(w, TEAM, &false_note, &false_note.message_id), ERROR_LETTER_CONTENT);
    begin(w, &empty, KIND(HISTORY), TEAM, TEAM + 1, 3);
    empty.h.in_reply_to = field(&m.message_id);
    write_letter(w, &empty, TEAM);
    assert_int_equal(give(w, TEAM + 1, &empty, &m.message_id), ERROR_LETTER_CONTENT);
    made_fini(&m);
    made_fini(&false_note);
    made_fini(&empty);
}

/* Each colleague gives it to the next; the last one is who opens. */
static enum error through_hands(struct world *w, unsigned hands)
{
    struct made made[HANDS];
    begin(w, &made[0], KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &made[0], GP);
    for (unsigned i = 1; i < hands; i++) {
        begin(w, &made[i], KIND(HISTORY), TEAM + i - 1, TEAM + i, 1 + i);
        hand_on(w, &made[i], TEAM + i - 1, &made[i - 1], &made[0].message_id);
    }
    enum error e = give(w, TEAM + hands - 1, &made[hands - 1], &made[0].message_id);
    for (unsigned i = 0; i < hands; i++)
        made_fini(&made[i]);
    return e;
}

static void it_comes_through_many_hands_and_not_more(void **state)
{
    struct world *w = *state;
    assert_int_equal(through_hands(w, 2), ERROR_NONE);
    assert_int_equal(w->asked, 2);
    assert_int_equal(through_hands(w, HANDED_DEPTH_MAX), ERROR_NONE);
    assert_int_equal(w->asked, HANDED_DEPTH_MAX);
    assert_int_equal(through_hands(w, HANDED_DEPTH_MAX + 1), ERROR_LETTER_CONTENT);
    w->disbelieved = w->party[TEAM].keys.endpoint; /* the first hand */
    assert_int_equal(through_hands(w, 3), ERROR_LETTER_SIGNER);
}

static void every_hand_must_have_had_it(void **state)
{
    struct world *w = *state;
    struct made m, first;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    begin(w, &first, KIND(HISTORY), TEAM + 5, TEAM + 1, 2); /* was no reader of the letter */
    hand_on(w, &first, TEAM + 5, &m, &m.message_id);
    assert_int_equal(give(w, TEAM + 1, &first, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&first);
    begin(w, &first, KIND(HISTORY), TEAM, TEAM + 1, 2);
    hand_on(w, &first, TEAM, &m, &m.message_id);
    assert_int_equal(give(w, TEAM + 1, &first, &m.message_id), ERROR_NONE);
    assert_int_equal(give(w, TEAM + 2, &first, &m.message_id), ERROR_LETTER_HEADER);
    made_fini(&first);
    made_fini(&m);
}

/* ---- the recovery entry ---- */

static void make_recovered(struct world *w, struct made *m, struct made *inside)
{
    begin(w, m, KIND(HISTORY), RECOVERY, TEAM, 2);
    m->from.person.len = 0;
    m->h.n_copies = 0;
    hand_on(w, m, RECOVERY, inside, &inside->message_id);
}

static void a_recovery_entry_hands_on_what_it_is_a_copy_of(void **state)
{
    struct world *w = *state;
    struct made m, outer;
    struct handed h;
    begin(w, &m, KIND(NOTE), GP, STRANGER, 1); /* readers whose keys are lost */
    write_letter(w, &m, GP);
    make_recovered(w, &outer, &m);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_NONE);
    handed_fini(&h);
    assert_int_equal(give(w, TEAM, &outer, &m.message_id),
                     ERROR_NONE); /* and from there to others */
    made_fini(&outer);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), GP, STRANGER, 1);
    m.h.n_copies = 0; /* from before there was one */
    write_letter(w, &m, GP);
    make_recovered(w, &outer, &m);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_LETTER_HEADER);
    made_fini(&outer);
    made_fini(&m);
}

static void a_reader_is_no_recovery_entry(void **state)
{
    struct world *w = *state;
    struct made m, outer;
    struct handed h;
    begin(w, &m, KIND(NOTE), GP, TEAM, 1);
    write_letter(w, &m, GP);
    begin(w, &outer, KIND(HISTORY), TEAM, TEAM + 1, 2);
    outer.from.person.len = 0; /* as if it were one */
    outer.h.in_reply_to = field(&m.message_id);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_LETTER_HEADER);
    made_fini(&m);
}

/* It is a team's, and made anew when somebody comes. */
static void a_family_key_is_not_handed_on(void **state)
{
    struct world *w = *state;
    struct made m, outer;
    struct handed h;
    struct id key_id = fixture_id(0x50001);
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    begin(w, &m, KIND(FAMILY_KEY), TEAM, TEAM + 1, 1);
    m.h.case_id.len = 0;
    m.h.key_id = field(&key_id);
    fixture_content(&content, &letter, "");
    content.letter = NULL;
    content.family_key = bytes(slice_of(FAMILY, sizeof FAMILY));
    sign(w, &m, TEAM, &content);
    begin(w, &outer, KIND(HISTORY), RECOVERY, TEAM + 2, 2);
    outer.from.person.len = outer.h.case_id.len = outer.h.n_copies = 0;
    outer.h.in_reply_to = field(&m.message_id);
    assert_int_equal(open_it(w, &outer, &m, &h), ERROR_LETTER_HEADER);
    assert_int_equal(w->asked, 0);
    made_fini(&m);
    begin(w, &m, KIND(NOTE), TEAM, TEAM + 1, 3); /* nor does another letter carry one */
    sign(w, &m, TEAM, &content);
    assert_int_equal(give(w, TEAM + 1, &m, &m.message_id), ERROR_LETTER_CONTENT);
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_letter_comes_through_one_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(who_did_not_have_it_cannot_give_it, setup, teardown),
        cmocka_unit_test_setup_teardown(another_letter_or_case_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_header_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_author_must_be_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(it_stays_within_the_own_organisation, setup, teardown),
        cmocka_unit_test_setup_teardown(only_letters_of_people_are_handed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_history_and_only_that_carries_a_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(it_comes_through_many_hands_and_not_more, setup, teardown),
        cmocka_unit_test_setup_teardown(every_hand_must_have_had_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recovery_entry_hands_on_what_it_is_a_copy_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reader_is_no_recovery_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(a_family_key_is_not_handed_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
