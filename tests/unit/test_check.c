/* Unit tests of proto/check: frames from clients and from relays, the directory, content. */
#include "proto/check.h"
#include "proto/limits.h"
#include "tests/lib/sample.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static uint8_t bytes[LIMIT_HEADER_BYTES + 1] = {7, 7, 7};
static struct id id_4, id_5;

static ProtobufCBinaryData some(size_t len) { return (ProtobufCBinaryData){len, bytes}; }

static int setup(void **state)
{
    id_4 = sample_id(4, 1);
    id_5 = sample_id(4, 2);
    return 0;
}

#define FRAME(case_, member, message) \
    (&(const Brug__V1__ClientFrame){ \
        .base = PROTOBUF_C_MESSAGE_INIT(&brug__v1__client_frame__descriptor), \
        .request = 1, \
        .frame_case = BRUG__V1__CLIENT_FRAME__FRAME_##case_, \
        .member = &(message)})
#define SERVER(case_, member_, message) \
    (&(const Brug__V1__ServerFrame){ \
        .base = PROTOBUF_C_MESSAGE_INIT(&brug__v1__server_frame__descriptor), \
        .frame_case = BRUG__V1__SERVER_FRAME__FRAME_##case_, \
        .member_ = &(message)})

static void assert_client(const Brug__V1__ClientFrame *f, enum error wanted, const char *field)
{
    const char *named = "";
    enum error e = check_client_frame(f, &named);
    if (e != wanted)
        fail_msg("%s instead of %s (field %s)", error_name(e), error_name(wanted), named);
    assert_string_equal(named, field);
}

static void assert_server(const Brug__V1__ServerFrame *f, const char *field)
{
    const char *named = "";
    enum error e = check_server_frame(f, &named);
    assert_int_equal(e, *field ? ERROR_FRAME_MALFORMED : ERROR_NONE);
    assert_string_equal(named, field);
}

static void test_a_request_of_a_later_version(void **state)
{
    const Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    assert_client(&f, ERROR_UPDATE_RELAY, "frame");
}

static void test_hello(void **state)
{
    Brug__V1__Hello h = BRUG__V1__HELLO__INIT;
    h.protocol_min = 1;
    h.protocol_max = 3;
    h.software = (char *)(uintptr_t) "brug 0.1.0";
    assert_client(FRAME(HELLO, hello, h), ERROR_NONE, "");
    h.protocol_max = 0;
    assert_client(FRAME(HELLO, hello, h), ERROR_FRAME_MALFORMED, "hello.protocol_max");
    h.protocol_max = 3;
    h.protocol_min = 4;
    assert_client(FRAME(HELLO, hello, h), ERROR_FRAME_MALFORMED, "hello.protocol_max");
    h.protocol_min = 1;
    h.software = (char *)(uintptr_t) "bad \xc3\x28 utf-8";
    assert_client(FRAME(HELLO, hello, h), ERROR_FRAME_MALFORMED, "hello.software");
    h.software = (char *)(uintptr_t) "two\nlines";
    assert_client(FRAME(HELLO, hello, h), ERROR_FRAME_MALFORMED, "hello.software");
    char long_name[LIMIT_SOFTWARE_BYTES + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[LIMIT_SOFTWARE_BYTES + 1] = '\0';
    h.software = long_name;
    assert_client(FRAME(HELLO, hello, h), ERROR_FRAME_MALFORMED, "hello.software");
}

static void test_submit(void **state)
{
    Brug__V1__Submit s = BRUG__V1__SUBMIT__INIT;
    Brug__V1__Envelope e = BRUG__V1__ENVELOPE__INIT;
    assert_client(FRAME(SUBMIT, submit, s), ERROR_REQUEST_MALFORMED, "submit.envelope");
    s.envelope = &e;
    assert_client(FRAME(SUBMIT, submit, s), ERROR_HEADER_MALFORMED, "envelope.header");
    e.header = some(LIMIT_HEADER_BYTES + 1);
    assert_client(FRAME(SUBMIT, submit, s), ERROR_HEADER_MALFORMED, "envelope.header");
    e.header = some(LIMIT_HEADER_BYTES);
    assert_client(FRAME(SUBMIT, submit, s), ERROR_NOTHING_SEALED, "envelope.sealed");
    e.sealed = some(1);
    assert_client(FRAME(SUBMIT, submit, s), ERROR_NONE, "");
}

static void test_credit_has_a_limit(void **state)
{
    Brug__V1__Subscribe s = BRUG__V1__SUBSCRIBE__INIT;
    Brug__V1__Credit c = BRUG__V1__CREDIT__INIT;
    s.messages = LIMIT_CREDIT_MESSAGES;
    s.bytes = LIMIT_CREDIT_BYTES;
    assert_client(FRAME(SUBSCRIBE, subscribe, s), ERROR_NONE, "");
    s.bytes++;
    assert_client(FRAME(SUBSCRIBE, subscribe, s), ERROR_CREDIT_EXCEEDED, "subscribe.bytes");
    s.messages++;
    assert_client(FRAME(SUBSCRIBE, subscribe, s), ERROR_CREDIT_EXCEEDED, "subscribe.messages");
    c.bytes = UINT64_MAX;
    assert_client(FRAME(CREDIT, credit, c), ERROR_CREDIT_EXCEEDED, "credit.bytes");
}

static void test_ack(void **state)
{
    Brug__V1__Ack a = BRUG__V1__ACK__INIT;
    a.message_id = sample_bytes(&id_4);
    a.result = BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    assert_client(FRAME(ACK, ack, a), ERROR_NONE, ""); /* of a relay-made message */
    a.organisation = some(15);
    assert_client(FRAME(ACK, ack, a), ERROR_ID_MALFORMED, "ack.organisation");
    a.organisation = sample_bytes(&id_5);
    a.code = BRUG__V1__CODE__CODE_LETTER_DECRYPT;
    assert_client(FRAME(ACK, ack, a), ERROR_FIELD_NOT_ALLOWED, "ack.code");
    a.result = BRUG__V1__ACK_RESULT__ACK_RESULT_UNREADABLE;
    assert_client(FRAME(ACK, ack, a), ERROR_NONE, "");
    a.code = BRUG__V1__CODE__CODE_FULL;
    assert_client(FRAME(ACK, ack, a), ERROR_CODE_UNKNOWN, "ack.code");
    a.code = BRUG__V1__CODE__CODE_NONE;
    assert_client(FRAME(ACK, ack, a), ERROR_CODE_MISSING, "ack.code");
    a.result = (Brug__V1__AckResult)3;
    assert_client(FRAME(ACK, ack, a), ERROR_CODE_UNKNOWN, "ack.result");
    a.result = BRUG__V1__ACK_RESULT__ACK_RESULT_NONE;
    assert_client(FRAME(ACK, ack, a), ERROR_CODE_UNKNOWN, "ack.result");
}

static void test_requests_with_ids(void **state)
{
    Brug__V1__Opened o = BRUG__V1__OPENED__INIT;
    Brug__V1__Track t = BRUG__V1__TRACK__INIT;
    Brug__V1__GetDirectory g = BRUG__V1__GET_DIRECTORY__INIT;
    ProtobufCBinaryData many[LIMIT_DIRECTORY_ORGANISATIONS + 1];
    o.organisation = o.message_id = sample_bytes(&id_4);
    assert_client(FRAME(OPENED, opened, o), ERROR_ID_MALFORMED, "opened.person");
    o.person = sample_bytes(&id_5);
    assert_client(FRAME(OPENED, opened, o), ERROR_NONE, "");
    o.handed_on = (ProtobufCBinaryData){3, o.person.data};
    assert_client(FRAME(OPENED, opened, o), ERROR_ID_MALFORMED, "opened.handed_on");
    o.handed_on = sample_bytes(&id_4);
    assert_client(FRAME(OPENED, opened, o), ERROR_NONE, "");
    assert_client(FRAME(TRACK, track, t), ERROR_ID_MALFORMED, "track.message_id");
    g.municipality = sample_bytes(&id_4);
    assert_client(FRAME(GET_DIRECTORY, get_directory, g), ERROR_NONE, "");
    for (unsigned i = 0; i <= LIMIT_DIRECTORY_ORGANISATIONS; i++)
        many[i] = sample_bytes(&id_5);
    g.organisations = many;
    g.n_organisations = LIMIT_DIRECTORY_ORGANISATIONS;
    assert_client(FRAME(GET_DIRECTORY, get_directory, g), ERROR_NONE, "");
    g.n_organisations++;
    assert_client(FRAME(GET_DIRECTORY, get_directory, g), ERROR_ID_MALFORMED,
                  "get_directory.organisations");
    g.n_organisations = 0;
    g.after = some(3);
    assert_client(FRAME(GET_DIRECTORY, get_directory, g), ERROR_ID_MALFORMED,
                  "get_directory.after");
}

static void test_cards_hold_clean_text_and_no_bsn(void **state)
{
    Brug__V1__PutCard p = BRUG__V1__PUT_CARD__INIT;
    Brug__V1__Card c = BRUG__V1__CARD__INIT;
    assert_client(FRAME(PUT_CARD, put_card, p), ERROR_REQUEST_MALFORMED, "put_card.card");
    p.card = &c;
    c.text = (char *)(uintptr_t) "Wij zijn er op maandag.\nBel gerust.";
    c.telephone = (char *)(uintptr_t) "+31 (0)314 12-34-56";
    c.working_days = 0x1f;
    assert_client(FRAME(PUT_CARD, put_card, p), ERROR_NONE, "");
    c.text = (char *)(uintptr_t) "over 111222333";
    assert_client(FRAME(PUT_CARD, put_card, p), ERROR_REQUEST_MALFORMED, "card.text");
    c.text = (char *)(uintptr_t) "a\x01";
    assert_client(FRAME(PUT_CARD, put_card, p), ERROR_REQUEST_MALFORMED, "card.text");
    c.text = (char *)(uintptr_t) "";
    c.telephone = (char *)(uintptr_t) "bel Jan";
    assert_client(FRAME(PUT_CARD, put_card, p), ERROR_REQUEST_MALFORMED, "card.telephone");
    c.telephone = (char *)(uintptr_t) "";
    c.working_days = 0x80;
    assert_client(FRAME(PUT_CARD, put_card, p), ERROR_REQUEST_MALFORMED, "card.working_days");
}

static void test_absence_is_a_time(void **state)
{
    Brug__V1__PutAbsence a = BRUG__V1__PUT_ABSENCE__INIT;
    assert_client(FRAME(PUT_ABSENCE, put_absence, a), ERROR_NONE, "");
    a.away_until_ms = -1;
    assert_client(FRAME(PUT_ABSENCE, put_absence, a), ERROR_REQUEST_MALFORMED,
                  "put_absence.away_until_ms");
    a.away_until_ms = INT64_MAX;
    assert_client(FRAME(PUT_ABSENCE, put_absence, a), ERROR_REQUEST_MALFORMED,
                  "put_absence.away_until_ms");
}

/* An entry with all that it needs; `many` gives it one countersignature or intermediate too many. */
struct entry {
    Brug__V1__EndpointEntry entry;
    Brug__V1__SignedBinding binding;
    Brug__V1__Countersignature signature;
    Brug__V1__Countersignature *signatures[LIMIT_COUNTERSIGNATURES + 1];
    ProtobufCBinaryData intermediates[LIMIT_INTERMEDIATES + 1];
};

static void entry_init(struct entry *e)
{
    brug__v1__endpoint_entry__init(&e->entry);
    brug__v1__signed_binding__init(&e->binding);
    brug__v1__countersignature__init(&e->signature);
    e->signature.endpoint = sample_bytes(&id_4);
    e->signature.signature = some(70);
    for (unsigned i = 0; i <= LIMIT_COUNTERSIGNATURES; i++)
        e->signatures[i] = &e->signature;
    for (unsigned i = 0; i <= LIMIT_INTERMEDIATES; i++)
        e->intermediates[i] = some(500);
    e->binding.binding = some(300);
    e->binding.signature = some(70);
    e->entry.binding = &e->binding;
    e->entry.identity_certificate = e->entry.sealing_certificate = some(600);
    e->entry.countersignatures = e->signatures;
    e->entry.n_countersignatures = LIMIT_COUNTERSIGNATURES;
    e->entry.intermediates = e->intermediates;
    e->entry.n_intermediates = LIMIT_INTERMEDIATES;
}

static void test_put_binding(void **state)
{
    Brug__V1__PutBinding p = BRUG__V1__PUT_BINDING__INIT;
    struct entry e;
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED, "put_binding.entry");
    p.entry = &e.entry;
    entry_init(&e);
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_NONE, "");
    e.entry.n_countersignatures++;
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED,
                  "entry.countersignatures");
    entry_init(&e);
    e.entry.n_intermediates++;
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED,
                  "entry.intermediates");
    entry_init(&e);
    e.intermediates[3] = some(LIMIT_CERTIFICATE_BYTES + 1);
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED,
                  "entry.intermediates");
    entry_init(&e);
    e.binding.binding = some(LIMIT_BINDING_BYTES + 1);
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED,
                  "signed_binding.binding");
    entry_init(&e);
    e.entry.binding = NULL;
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED, "entry.binding");
    entry_init(&e);
    e.signature.signature = some(LIMIT_SIGNATURE_BYTES + 1);
    assert_client(FRAME(PUT_BINDING, put_binding, p), ERROR_REQUEST_MALFORMED,
                  "countersignature.signature");
}

static void test_put_countersignature(void **state)
{
    Brug__V1__PutCountersignature p = BRUG__V1__PUT_COUNTERSIGNATURE__INIT;
    Brug__V1__Countersignature c = BRUG__V1__COUNTERSIGNATURE__INIT;
    p.endpoint = sample_bytes(&id_4);
    assert_client(FRAME(PUT_COUNTERSIGNATURE, put_countersignature, p), ERROR_REQUEST_MALFORMED,
                  "put_countersignature.countersignature");
    p.countersignature = &c;
    c.endpoint = sample_bytes(&id_5);
    c.signature = some(70);
    assert_client(FRAME(PUT_COUNTERSIGNATURE, put_countersignature, p), ERROR_NONE, "");
    c.endpoint = some(4);
    assert_client(FRAME(PUT_COUNTERSIGNATURE, put_countersignature, p), ERROR_ID_MALFORMED,
                  "countersignature.endpoint");
}

/* ---- bindings and rosters ---- */

static void test_binding(void **state)
{
    Brug__V1__Binding b = BRUG__V1__BINDING__INIT;
    const char *field = "";
    b.version = 1;
    b.municipality = b.organisation = b.person = b.endpoint = sample_bytes(&id_4);
    b.identity_key = some(91);
    b.sealing_key = some(90);
    b.made_at_ms = 1790000000000;
    assert_int_equal(check_binding(&b, &field), ERROR_NONE);
    b.sealing_key = some(91); /* the keys must differ */
    assert_int_equal(check_binding(&b, &field), ERROR_REQUEST_MALFORMED);
    assert_string_equal(field, "binding.sealing_key");
    b.sealing_key = some(90);
    b.recovery = true; /* a recovery entry is nobody's */
    assert_int_equal(check_binding(&b, &field), ERROR_REQUEST_MALFORMED);
    b.person.len = 0;
    assert_int_equal(check_binding(&b, &field), ERROR_NONE);
    b.version = 2;
    assert_int_equal(check_binding(&b, &field), ERROR_REQUEST_MALFORMED);
    assert_string_equal(field, "binding.version");
}

static void test_roster(void **state)
{
    Brug__V1__Roster r = BRUG__V1__ROSTER__INIT;
    Brug__V1__RosterEndpoint first = BRUG__V1__ROSTER_ENDPOINT__INIT, second;
    Brug__V1__PersonEntry person = BRUG__V1__PERSON_ENTRY__INIT;
    Brug__V1__RosterEndpoint *endpoints[] = {&first, &second};
    Brug__V1__PersonEntry *persons[] = {&person};
    const char *field = "";
    r.organisation = r.home = sample_bytes(&id_4);
    r.kind = BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM;
    first.binding_digest = some(32);
    second = first;
    first.endpoint = sample_bytes(&id_4);
    second.endpoint = sample_bytes(&id_5);
    person.person = sample_bytes(&id_4);
    person.name = (char *)(uintptr_t) "A. de Vries";
    person.role = BRUG__V1__ROLE__ROLE_CONSULTANT;
    r.endpoints = endpoints;
    r.n_endpoints = 2;
    r.persons = persons;
    r.n_persons = 1;
    assert_int_equal(check_roster(&r, &field), ERROR_NONE);
    second.endpoint = sample_bytes(&id_4);
    assert_int_equal(check_roster(&r, &field), ERROR_REQUEST_MALFORMED);
    assert_string_equal(field, "roster.endpoints");
    second.endpoint = sample_bytes(&id_5);
    person.role = (Brug__V1__Role)8;
    assert_int_equal(check_roster(&r, &field), ERROR_REQUEST_MALFORMED);
    assert_string_equal(field, "person.role");
}

/* ---- frames from a relay ---- */

static void test_server_frames(void **state)
{
    Brug__V1__Receipt receipt = BRUG__V1__RECEIPT__INIT;
    Brug__V1__Refused refused = BRUG__V1__REFUSED__INIT;
    Brug__V1__Deliver deliver = BRUG__V1__DELIVER__INIT;
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    Brug__V1__Tracked tracked = BRUG__V1__TRACKED__INIT;
    Brug__V1__ReaderFact fact = BRUG__V1__READER_FACT__INIT, *facts[] = {&fact};
    const Brug__V1__ServerFrame later = BRUG__V1__SERVER_FRAME__INIT;
    assert_server(&later, "");
    assert_server(SERVER(RECEIPT, receipt, receipt), "receipt.message_id");
    receipt.message_id = receipt.generation = sample_bytes(&id_4);
    assert_server(SERVER(RECEIPT, receipt, receipt), "receipt.stored_at_ms");
    receipt.stored_at_ms = 1790000000000;
    assert_server(SERVER(RECEIPT, receipt, receipt), "");
    assert_server(SERVER(REFUSED, refused, refused), "refused.code");
    refused.code = (Brug__V1__Code)75; /* of a later relay */
    assert_server(SERVER(REFUSED, refused, refused), "");
    refused.field = (char *)(uintptr_t) "\x1b[2J";
    assert_server(SERVER(REFUSED, refused, refused), "refused.field");
    deliver.sequence = deliver.attempt = 1;
    deliver.stored_at_ms = 1790000000000;
    deliver.envelope = &envelope;
    assert_server(SERVER(DELIVER, deliver, deliver), "envelope.header");
    envelope.header = some(100);
    assert_server(SERVER(DELIVER, deliver, deliver), "");
    tracked.message_id = sample_bytes(&id_4);
    tracked.stored_at_ms = 1790000000000;
    tracked.readers = facts;
    tracked.n_readers = 1;
    assert_server(SERVER(TRACKED, tracked, tracked), "reader_fact.endpoint");
    fact.endpoint = sample_bytes(&id_4);
    assert_server(SERVER(TRACKED, tracked, tracked), "");
    fact.opened_by = some(2);
    assert_server(SERVER(TRACKED, tracked, tracked), "reader_fact.opened_by");
}

/* [P-144] */
static void test_tags_are_whole_or_not_there(void **state)
{
    Brug__V1__PutTags put = BRUG__V1__PUT_TAGS__INIT;
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_ID_MALFORMED, "put_tags.case_id");
    put.case_id = put.key_id = sample_bytes(&id_4);
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_REQUEST_MALFORMED, "put_tags.child");
    put.child = some(DIGEST_BYTES);
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_NONE, "");
    put.household = some(DIGEST_BYTES + 1);
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_REQUEST_MALFORMED, "put_tags.household");
    put.household = some(DIGEST_BYTES);
    put.child = some(DIGEST_BYTES - 1);
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_REQUEST_MALFORMED, "put_tags.child");
    put.child.len = 0;
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_NONE, "");
    put.key_id = some(ID_BYTES); /* no id that somebody made */
    assert_client(FRAME(PUT_TAGS, put_tags, put), ERROR_ID_MALFORMED, "put_tags.key_id");
}

/* [P-137] */
static void test_what_is_asked_of_figures(void **state)
{
    Brug__V1__GetFigures get = BRUG__V1__GET_FIGURES__INIT;
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_ID_MALFORMED,
                  "get_figures.municipality");
    get.municipality = sample_bytes(&id_4);
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_CODE_UNKNOWN, "get_figures.period");
    get.period = (Brug__V1__FigurePeriod)6;
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_CODE_UNKNOWN, "get_figures.period");
    get.period = BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_YEAR;
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_NONE, "");
    get.date = LIMIT_DATE_MIN - 1;
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_REQUEST_MALFORMED,
                  "get_figures.date");
    get.date = LIMIT_DATE_MAX + 1;
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_REQUEST_MALFORMED,
                  "get_figures.date");
    get.date = LIMIT_DATE_MAX;
    get.after = some(15);
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_ID_MALFORMED, "get_figures.after");
    get.after = sample_bytes(&id_4);
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_NONE, "");
    get.inside = true; /* one team: there is no page after it */
    assert_client(FRAME(GET_FIGURES, get_figures, get), ERROR_FIELD_NOT_ALLOWED,
                  "get_figures.after");
}

static void test_figures_that_a_relay_tells(void **state)
{
    static Brug__V1__FigureRow *rows[LIMIT_FIGURE_ROWS + 1];
    Brug__V1__TeamFigures *teams[LIMIT_FIGURE_TEAMS + 1];
    Brug__V1__Figures f = BRUG__V1__FIGURES__INIT;
    Brug__V1__TeamFigures team = BRUG__V1__TEAM_FIGURES__INIT;
    Brug__V1__FigureRow row = BRUG__V1__FIGURE_ROW__INIT;
    char name[] = "Team", lines[] = "a\nb";
    for (size_t i = 0; i <= LIMIT_FIGURE_ROWS; i++)
        rows[i] = &row;
    for (size_t i = 0; i <= LIMIT_FIGURE_TEAMS; i++)
        teams[i] = &team;
    f.municipality = sample_bytes(&id_4);
    assert_server(SERVER(FIGURES, figures, f), "figures.period");
    f.period = BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_QUARTER;
    assert_server(SERVER(FIGURES, figures, f), "figures.from_date");
    f.from_date = f.until_date = 20000;
    f.teams = teams;
    f.n_teams = LIMIT_FIGURE_TEAMS + 1;
    assert_server(SERVER(FIGURES, figures, f), "figures.teams");
    f.n_teams = LIMIT_FIGURE_TEAMS;
    assert_server(SERVER(FIGURES, figures, f), "team_figures.team");
    team.team = sample_bytes(&id_4);
    team.name = lines;
    assert_server(SERVER(FIGURES, figures, f), "team_figures.name");
    team.name = name;
    team.rows = rows;
    team.n_rows = LIMIT_FIGURE_ROWS + 1;
    assert_server(SERVER(FIGURES, figures, f), "team_figures.rows");
    team.n_rows = LIMIT_FIGURE_ROWS;
    assert_server(SERVER(FIGURES, figures, f), "figure_row.form");
    row.form = BRUG__V1__FIGURE_FORM__FIGURE_FORM_EXACT;
    row.measure = (Brug__V1__FigureMeasure)1000; /* of a later relay */
    assert_server(SERVER(FIGURES, figures, f), "");
    row.name = lines;
    assert_server(SERVER(FIGURES, figures, f), "figure_row.name");
}

static void test_linked_cases_have_a_limit(void **state)
{
    Brug__V1__Case c = BRUG__V1__CASE__INIT;
    Brug__V1__LinkedCase linked = BRUG__V1__LINKED_CASE__INIT;
    Brug__V1__LinkedCase *list[2 * LIMIT_LINKED_CASES + 1];
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        list[i] = &linked;
    c.case_id = c.municipality = c.practice = c.team = c.message_id = sample_bytes(&id_4);
    c.state = BRUG__V1__CASE_STATE__CASE_STATE_SUPPORT;
    c.custody = BRUG__V1__SIDE__SIDE_TEAM;
    c.linked = list;
    c.n_linked = 2 * LIMIT_LINKED_CASES;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "linked_case.case_id");
    linked.case_id = sample_bytes(&id_4);
    assert_server(SERVER(CASE_FACTS, case_facts, c), "linked_case.director");
    linked.director = sample_bytes(&id_4);
    assert_server(SERVER(CASE_FACTS, case_facts, c), "");
    c.n_linked++;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "case.linked");
    c.n_linked = 0;
    c.family_key = some(ID_BYTES);
    assert_server(SERVER(CASE_FACTS, case_facts, c), "case.family_key");
}

static void test_cases(void **state)
{
    Brug__V1__Case c = BRUG__V1__CASE__INIT, *list[] = {&c};
    Brug__V1__OwedItem owed = BRUG__V1__OWED_ITEM__INIT, *items[] = {&owed};
    Brug__V1__Moment moment = BRUG__V1__MOMENT__INIT, *moments[] = {&moment};
    Brug__V1__Proposal proposal = BRUG__V1__PROPOSAL__INIT;
    Brug__V1__Bridging bridging = BRUG__V1__BRIDGING__INIT;
    Brug__V1__Cases cases = BRUG__V1__CASES__INIT;
    assert_server(SERVER(CASES, cases, cases), "");
    cases.cases = list;
    cases.n_cases = 1;
    assert_server(SERVER(CASES, cases, cases), "case.case_id");
    c.case_id = c.municipality = c.practice = c.team = c.message_id = sample_bytes(&id_4);
    assert_server(SERVER(CASE_FACTS, case_facts, c), "case.state");
    c.state = BRUG__V1__CASE_STATE__CASE_STATE_SUPPORT;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "case.custody");
    c.custody = (Brug__V1__Side)3;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "case.custody");
    c.custody = BRUG__V1__SIDE__SIDE_TEAM;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "");
    c.owed = items;
    c.n_owed = 1;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "owed_item.owed_id");
    owed.owed_id = owed.message_id = sample_bytes(&id_4);
    owed.kind = BRUG__V1__OWED_KIND__OWED_KIND_START;
    owed.debtor = BRUG__V1__SIDE__SIDE_TEAM;
    owed.due_date = 50000;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "owed_item.due_date");
    owed.due_date = 0;
    c.moments = moments;
    c.n_moments = 1;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "case.moments");
    moment.event = BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_WAITING_LIST;
    c.proposal = &proposal;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "proposal.kind");
    c.proposal = NULL;
    c.bridging = &bridging;
    assert_server(SERVER(CASE_FACTS, case_facts, c), "bridging.by");
    c.bridging = NULL;
    c.bridging_proposed = &bridging;
    assert_server(SERVER(CASES, cases, cases), "bridging.by");
    c.bridging_proposed = NULL;
    cases.next = some(3);
    assert_server(SERVER(CASES, cases, cases), "cases.next");
}

static void test_welcome(void **state)
{
    Brug__V1__Welcome w = BRUG__V1__WELCOME__INIT;
    Brug__V1__Limits l = BRUG__V1__LIMITS__INIT;
    Brug__V1__Epoch epoch = BRUG__V1__EPOCH__INIT, *epochs[] = {&epoch};
    w.protocol = 1;
    w.municipality = w.organisation = w.endpoint = w.generation = sample_bytes(&id_4);
    w.role = BRUG__V1__ROLE__ROLE_SYSTEM;
    w.server_time_ms = 1790000000000;
    assert_server(SERVER(WELCOME, welcome, w), "welcome.limits");
    w.limits = &l;
    assert_server(SERVER(WELCOME, welcome, w), "limits.frame_bytes_max");
    l.frame_bytes_max = 1 << 20;
    l.message_bytes_max = l.readers_max = l.requests_max = l.credit_messages_max = 10;
    l.credit_bytes_max = 1 << 20;
    assert_server(SERVER(WELCOME, welcome, w), "");
    w.epochs = epochs;
    w.n_epochs = 1;
    assert_server(SERVER(WELCOME, welcome, w), "epoch.municipality");
}

static void test_directory_page(void **state)
{
    Brug__V1__Directory d = BRUG__V1__DIRECTORY__INIT;
    Brug__V1__Epoch epoch = BRUG__V1__EPOCH__INIT;
    Brug__V1__OrganisationEntry o = BRUG__V1__ORGANISATION_ENTRY__INIT, *entries[] = {&o};
    struct entry e;
    Brug__V1__EndpointEntry *endpoints[] = {&e.entry};
    assert_server(SERVER(DIRECTORY, directory, d), "directory.epoch");
    entry_init(&e);
    epoch.municipality = sample_bytes(&id_4);
    d.epoch = &epoch;
    d.organisations = entries;
    d.n_organisations = 1;
    o.roster = some(200);
    o.endpoints = endpoints;
    o.n_endpoints = 1;
    assert_server(SERVER(DIRECTORY, directory, d), "organisation.name");
    o.name = (char *)(uintptr_t) "Huisartsenpraktijk De Linde";
    assert_server(SERVER(DIRECTORY, directory, d), "");
    ProtobufCBinaryData crls[257];
    for (size_t i = 0; i < 257; i++)
        crls[i] = some(20);
    d.crls = crls;
    d.n_crls = 256; /* all that a relay may hold */
    assert_server(SERVER(DIRECTORY, directory, d), "");
    d.n_crls = 257;
    assert_server(SERVER(DIRECTORY, directory, d), "directory.crls");
    d.n_crls = 0;
    e.binding.signature.len = 0;
    assert_server(SERVER(DIRECTORY, directory, d), "signed_binding.signature");
}

/* ---- content ---- */

struct content {
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    Brug__V1__Youth youth;
    Brug__V1__Attachment attachment;
    Brug__V1__Attachment *attachments[1];
    char *telephones[1];
};

static void content_init(struct content *c)
{
    brug__v1__content__init(&c->content);
    brug__v1__letter__init(&c->letter);
    brug__v1__youth__init(&c->youth);
    brug__v1__attachment__init(&c->attachment);
    c->content.nonce = c->content.header_digest = c->content.sender_roster_digest =
        c->content.to_roster_digest = some(32);
    c->content.letter = &c->letter;
    c->letter.youth = &c->youth;
    c->letter.text = (char *)(uintptr_t) "Beste collega,\n\nGraag jullie hulp.";
    c->youth.born = 20120229;
    c->youth.bsn = (char *)(uintptr_t) "111222333";
    c->telephones[0] = (char *)(uintptr_t) "0314-123456";
    c->youth.telephones = c->telephones;
    c->youth.n_telephones = 1;
    c->attachment.name = (char *)(uintptr_t) "verslag.pdf";
    c->attachments[0] = &c->attachment;
    c->letter.attachments = c->attachments;
    c->letter.n_attachments = 1;
}

static void assert_content(const struct content *c, const char *field)
{
    const char *named = "";
    assert_int_equal(check_content(&c->content, &named),
                     *field ? ERROR_LETTER_CONTENT : ERROR_NONE);
    assert_string_equal(named, field);
}

static void test_content(void **state)
{
    struct content c;
    content_init(&c);
    assert_content(&c, "");
    c.content.nonce = some(31);
    assert_content(&c, "content.nonce");
    content_init(&c);
    c.content.to_roster_digest.len = 0;
    assert_content(&c, "content.to_roster_digest");
    content_init(&c);
    c.content.letter = NULL;
    assert_content(&c, "content.letter");
    content_init(&c);
    c.content.padding = some(3);
    assert_content(&c, "content.padding");
    content_init(&c);
    c.youth.born = 20130229;
    assert_content(&c, "youth.born");
    content_init(&c);
    c.youth.bsn = (char *)(uintptr_t) "111222334";
    assert_content(&c, "youth.bsn");
    content_init(&c);
    c.letter.ground = (Brug__V1__Ground)3;
    assert_content(&c, "letter.ground");
    content_init(&c);
    c.letter.text = (char *)(uintptr_t) "\xe2\x80\xae omgekeerd";
    assert_content(&c, "letter.text");
}

static void test_attachment_names_are_no_paths(void **state)
{
    static const char *const names[] = {"",         "../x",          "/etc/passwd", "a\\b", "C:x",
                                        ".profile", "verslag\n.pdf", "..",          " leeg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct content c;
        content_init(&c);
        c.attachment.name = (char *)(uintptr_t)names[i];
        assert_content(&c, "attachment.name");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_of_a_later_version),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_credit_has_a_limit),
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_requests_with_ids),
        cmocka_unit_test(test_cards_hold_clean_text_and_no_bsn),
        cmocka_unit_test(test_absence_is_a_time),
        cmocka_unit_test(test_put_binding),
        cmocka_unit_test(test_put_countersignature),
        cmocka_unit_test(test_binding),
        cmocka_unit_test(test_roster),
        cmocka_unit_test(test_server_frames),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_tags_are_whole_or_not_there),
        cmocka_unit_test(test_what_is_asked_of_figures),
        cmocka_unit_test(test_figures_that_a_relay_tells),
        cmocka_unit_test(test_linked_cases_have_a_limit),
        cmocka_unit_test(test_welcome),
        cmocka_unit_test(test_directory_page),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_attachment_names_are_no_paths),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
