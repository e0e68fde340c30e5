/* tests/lib/outbox.c: a history of records, and stores. */
#include "tests/lib/outbox.h"
#include "daemon/store/pages.h"
#include "rules/period.h"
#include "tests/lib/cases.h"
#include "tests/lib/directory.h"
#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_OUTAGES_MAX 200u /* a relay holds some more */
#define MUST(call) must((call), #call)

static void must(enum error e, const char *what)
{
    if (e == ERROR_NONE)
        return;
    fprintf(stderr, "%s: %s\n", what, error_name(e));
    abort();
}

static void *must_have(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* ---- the history ---- */

uint64_t history_random(struct history *w, uint64_t below)
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void fill_random(struct history *w, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)history_random(w, 256);
}

struct id history_id(struct history *w, unsigned version)
{
    uint8_t random[32];
    struct digest d;
    fill_random(w, random, sizeof random);
    if (version == 7) {
        int64_t back_ms = (int64_t)history_random(w, (uint64_t)w->spread_ms + 1);
        return id_v7(w->now_ms - back_ms, random);
    }
    if (version == 4 && random[16] % 2 == 0) {
        int64_t back_ms = (int64_t)history_random(w, (uint64_t)w->spread_ms + 1);
        struct id like = id_v7(w->now_ms - back_ms, random); /* lies among those of version 7 */
        memcpy(random, like.bytes, 6);
    }
    if (version == 4)
        return id_v4(random);
    memcpy(d.bytes, random, sizeof d.bytes);
    return id_v8(&d);
}

static ProtobufCBinaryData bytes(const void *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData id_bytes(const struct id *id)
{
    return bytes(id->bytes, id_is_none(id) ? 0 : ID_BYTES);
}

void history_init(struct history *w, uint64_t seed)
{
    *w = (struct history){
        .random = seed, .now_ms = HISTORY_NOW_MS, .spread_ms = INT64_C(96) * 3600 * 1000};
    w->municipality = history_id(w, 4);
    for (unsigned i = 0; i < 2; i++)
        w->organisations[i] = history_id(w, 4);
    for (unsigned i = 0; i < HISTORY_ENDPOINTS; i++) {
        w->persons[i] = history_id(w, 4);
        w->endpoints[i] = history_id(w, 4);
    }
}

void history_fini(struct history *w)
{
    free(w->messages);
    free(w->cases);
}

struct group *history_empty_group(struct history *w) { return must_have(group_new(w->lsn + 1)); }

void history_add(struct history *w, struct group *g, unsigned type, const void *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = must_have(malloc(len + 1));
    protobuf_c_message_pack(message, packed);
    MUST(group_append(g, type, slice_of(packed, len)));
    free(packed);
    w->lsn++;
    w->now_ms += 3;
}

static const struct id *organisation_of(const struct history *w, unsigned endpoint)
{
    return &w->organisations[endpoint % 2];
}

static void add_municipality(struct history *w, struct group *g)
{
    Brug__V1__MunicipalityRow r = BRUG__V1__MUNICIPALITY_ROW__INIT;
    r.municipality = id_bytes(&w->municipality);
    r.epoch = w->lsn + 1;
    r.status = BRUG__V1__STATUS__STATUS_ACTIVE;
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY, &r);
}

static void add_organisation(struct history *w, struct group *g, unsigned i)
{
    Brug__V1__OrganisationRow r = BRUG__V1__ORGANISATION_ROW__INIT;
    ProtobufCBinaryData municipalities[1] = {id_bytes(&w->municipality)};
    r.organisation = id_bytes(&w->organisations[i]);
    r.home = id_bytes(&w->municipality);
    r.municipalities = municipalities;
    r.n_municipalities = 1;
    r.kind = i == 0 ? BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE
                    : BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM;
    r.status = BRUG__V1__STATUS__STATUS_ACTIVE;
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION, &r);
}

static void add_person(struct history *w, struct group *g, unsigned i)
{
    Brug__V1__PersonRow r = BRUG__V1__PERSON_ROW__INIT;
    r.person = id_bytes(&w->persons[i]);
    r.organisation = id_bytes(organisation_of(w, i));
    r.role = i % 2 == 0 ? BRUG__V1__ROLE__ROLE_GP : BRUG__V1__ROLE__ROLE_CONSULTANT;
    r.status = BRUG__V1__STATUS__STATUS_ACTIVE;
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON, &r);
}

static void add_endpoint(struct history *w, struct group *g, unsigned i)
{
    Brug__V1__EndpointRow r = BRUG__V1__ENDPOINT_ROW__INIT;
    Brug__V1__SignedBinding binding = BRUG__V1__SIGNED_BINDING__INIT;
    struct digest key = digest_of_slice(id_slice(&w->endpoints[i]));
    binding.binding = bytes(key.bytes, 20);
    r.endpoint = id_bytes(&w->endpoints[i]);
    r.organisation = id_bytes(organisation_of(w, i));
    r.person = id_bytes(&w->persons[i]);
    r.binding = &binding;
    r.identity_key_digest = bytes(key.bytes, DIGEST_BYTES);
    r.status = BRUG__V1__STATUS__STATUS_ACTIVE;
    r.sequence = w->sequences[i];
    r.away_until_ms = (int64_t)history_random(w, 1000);
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT, &r);
}

struct group *history_directory(struct history *w)
{
    struct group *g = history_empty_group(w);
    add_municipality(w, g);
    for (unsigned i = 0; i < 2; i++)
        add_organisation(w, g, i);
    for (unsigned i = 0; i < HISTORY_ENDPOINTS; i++)
        add_person(w, g, i);
    for (unsigned i = 0; i < HISTORY_ENDPOINTS; i++)
        add_endpoint(w, g, i);
    return g;
}

struct body *history_body(uint64_t lsn, size_t len)
{
    uint8_t *sealed = must_have(malloc(len + 1));
    for (size_t i = 0; i < len; i++)
        sealed[i] = (uint8_t)((lsn + 1) * 2654435761u >> (i % 24)) ^ (uint8_t)i;
    struct body *b = must_have(body_new(slice_of(&lsn, sizeof lsn), slice_of(sealed, len)));
    free(sealed);
    return b;
}

static struct history_message *new_message(struct history *w)
{
    if (w->count == w->capacity) {
        w->capacity = w->capacity == 0 ? 256 : w->capacity * 2;
        w->messages = must_have(reallocarray(w->messages, w->capacity, sizeof *w->messages));
    }
    struct history_message *m = &w->messages[w->count++];
    memset(m, 0, sizeof *m);
    return m;
}

static struct history_message *any_message(struct history *w)
{
    return w->count == 0 ? NULL : &w->messages[history_random(w, w->count)];
}

static void add_accepted(struct history *w, struct group *g, size_t body_bytes, unsigned id_version,
                         unsigned readers)
{
    Brug__V1__Accepted r = BRUG__V1__ACCEPTED__INIT;
    Brug__V1__ReaderSequence values[HISTORY_ENDPOINTS], *list[HISTORY_ENDPOINTS];
    struct history_message *m = new_message(w);
    struct body *b = history_body(w->lsn + 1, body_bytes);
    unsigned sender = (unsigned)history_random(w, HISTORY_ENDPOINTS);
    bool is_relay_made = id_version == 8;
    m->id = history_id(w, id_version);
    m->organisation = is_relay_made ? ID_NONE : *organisation_of(w, sender);
    m->body_lsn = w->lsn + 1;
    m->digest = b->digest;
    unsigned first = (unsigned)history_random(w, HISTORY_ENDPOINTS);
    for (unsigned i = 0; i < readers; i++) {
        unsigned endpoint = (first + i) % HISTORY_ENDPOINTS;
        m->readers[i] = (struct history_reader){endpoint, ++w->sequences[endpoint], true, false};
        brug__v1__reader_sequence__init(&values[i]);
        values[i].endpoint = id_bytes(&w->endpoints[endpoint]);
        values[i].sequence = w->sequences[endpoint];
        list[i] = &values[i];
    }
    m->reader_count = readers;
    r.message_id = id_bytes(&m->id);
    r.organisation = id_bytes(&m->organisation);
    if (!is_relay_made) {
        r.endpoint = id_bytes(&w->endpoints[sender]);
        r.person = id_bytes(&w->persons[sender]);
    }
    r.municipality = id_bytes(&w->municipality);
    r.to = id_bytes(organisation_of(w, first));
    r.kind = BRUG__V1__KIND__KIND_NOTICE;
    r.digest = bytes(m->digest.bytes, DIGEST_BYTES);
    r.body_bytes = (uint32_t)b->len;
    r.at_ms = w->now_ms;
    r.readers = list;
    r.n_readers = readers;
    MUST(group_append_body(g, w->lsn + 1, b));
    body_unref(b);
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACCEPTED, &r);
}

void history_add_message(struct history *w, struct group *g, size_t body_bytes)
{
    add_accepted(w, g, body_bytes, 7, 1);
}

static void add_any_accepted(struct history *w, struct group *g)
{
    static const unsigned versions[] = {7, 7, 7, 7, 7, 7, 4, 4, 8, 8};
    size_t len = history_random(w, 100) < w->big_body_percent ? 70000 + history_random(w, 200000)
                                                              : 20 + history_random(w, 3000);
    add_accepted(w, g, len, versions[history_random(w, 10)],
                 1 + (unsigned)history_random(w, HISTORY_ENDPOINTS));
}

static void add_refusal(struct history *w, struct group *g)
{
    Brug__V1__Refusal r = BRUG__V1__REFUSAL__INIT;
    struct history_message *m = new_message(w);
    unsigned sender = (unsigned)history_random(w, HISTORY_ENDPOINTS);
    m->id = history_id(w, history_random(w, 3) == 0 ? 4 : 7);
    m->organisation = *organisation_of(w, sender);
    m->is_refusal = true;
    m->digest = digest_of_slice(id_slice(&m->id));
    r.message_id = id_bytes(&m->id);
    r.organisation = id_bytes(&m->organisation);
    r.endpoint = id_bytes(&w->endpoints[sender]);
    r.kind = BRUG__V1__KIND__KIND_NOTE;
    r.digest = bytes(m->digest.bytes, DIGEST_BYTES);
    r.code = BRUG__V1__CODE__CODE_NO_SUCH_CASE;
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_REFUSAL, &r);
}

static bool add_acknowledged(struct history *w, struct group *g, struct history_message *m,
                             unsigned i)
{
    Brug__V1__Acknowledged r = BRUG__V1__ACKNOWLEDGED__INIT;
    if (!m->readers[i].is_waiting)
        return false;
    m->readers[i].is_waiting = false;
    r.organisation = id_bytes(&m->organisation);
    r.message_id = id_bytes(&m->id);
    r.endpoint = id_bytes(&w->endpoints[m->readers[i].endpoint]);
    r.sequence = m->readers[i].sequence;
    r.result = BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    if (history_random(w, 10) == 0) {
        r.result = BRUG__V1__ACK_RESULT__ACK_RESULT_UNREADABLE;
        r.code = BRUG__V1__CODE__CODE_LETTER_DECRYPT;
    }
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACKNOWLEDGED, &r);
    return true;
}

static bool add_opened(struct history *w, struct group *g, struct history_message *m, unsigned i)
{
    Brug__V1__OpenedBy r = BRUG__V1__OPENED_BY__INIT;
    unsigned endpoint = m->readers[i].endpoint;
    r.organisation = id_bytes(&m->organisation);
    r.message_id = id_bytes(&m->id);
    r.endpoint = id_bytes(&w->endpoints[endpoint]);
    r.person = id_bytes(&w->persons[endpoint]);
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY, &r);
    return true;
}

static bool add_cancelled(struct history *w, struct group *g, struct history_message *m, unsigned i)
{
    Brug__V1__Cancelled r = BRUG__V1__CANCELLED__INIT;
    if (!m->readers[i].is_waiting)
        return false;
    m->readers[i].is_waiting = false;
    r.organisation = id_bytes(&m->organisation);
    r.message_id = id_bytes(&m->id);
    r.endpoint = id_bytes(&w->endpoints[m->readers[i].endpoint]);
    r.sequence = m->readers[i].sequence;
    r.cause = BRUG__V1__CODE__CODE_SUSPENDED;
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CANCELLED, &r);
    return true;
}

/* Counted, parked or released, whatever it was before: the tables and the state need only agree. */
static bool add_parking(struct history *w, struct group *g, const struct history_message *m,
                        unsigned i)
{
    Brug__V1__InVain v = BRUG__V1__IN_VAIN__INIT;
    Brug__V1__Parked p = BRUG__V1__PARKED__INIT;
    Brug__V1__Released l = BRUG__V1__RELEASED__INIT;
    struct id *endpoint = &w->endpoints[m->readers[i].endpoint];
    uint64_t what = history_random(w, 3);
    if (!m->readers[i].is_waiting)
        return false;
    v.organisation = p.organisation = l.organisation = id_bytes(&m->organisation);
    v.message_id = p.message_id = l.message_id = id_bytes(&m->id);
    v.endpoint = p.endpoint = l.endpoint = id_bytes(endpoint);
    v.sequence = p.sequence = l.sequence = m->readers[i].sequence;
    v.sessions = p.sessions = 1 + (uint32_t)history_random(w, 10);
    v.at_ms = p.at_ms = l.at_ms = w->now_ms;
    if (what == 0)
        history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_IN_VAIN, &v);
    else if (what == 1)
        history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PARKED, &p);
    else
        history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_RELEASED, &l);
    return true;
}

static void add_quarantine_or_heal(struct history *w, struct group *g, struct history_message *m)
{
    Brug__V1__Quarantined q = BRUG__V1__QUARANTINED__INIT;
    Brug__V1__Healed h = BRUG__V1__HEALED__INIT;
    if (!m->is_quarantined) {
        m->is_quarantined = true;
        q.organisation = id_bytes(&m->organisation);
        q.message_id = id_bytes(&m->id);
        q.found_digest = bytes(m->digest.bytes, DIGEST_BYTES);
        q.at_ms = w->now_ms;
        history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_QUARANTINED, &q);
        return;
    }
    struct body *b = history_body(w->lsn + 1, 300);
    MUST(group_append_body(g, w->lsn + 1, b));
    m->is_quarantined = false;
    m->body_lsn = w->lsn + 1;
    m->digest = b->digest; /* a real repeat has the old one; here it tells the two apart */
    body_unref(b);
    h.organisation = id_bytes(&m->organisation);
    h.message_id = id_bytes(&m->id);
    h.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_HEALED, &h);
}

/* One case moves more often than others, so that also a short history has a long row. */
static void add_any_case(struct history *w, struct group *g)
{
    uint64_t what = history_random(w, 100);
    if (what < 10)
        history_open_old_case(w, g);
    else if (what < 25 || w->case_count == 0)
        history_open_case(w, g);
    else
        history_move_case(w, g, &w->cases[what < 60 ? 0 : history_random(w, w->case_count)]);
}

static void add_session(struct history *w, struct group *g)
{
    Brug__V1__Session r = BRUG__V1__SESSION__INIT;
    r.endpoint = id_bytes(&w->endpoints[history_random(w, HISTORY_ENDPOINTS)]);
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_SESSION, &r);
}

void history_publish(struct history *w, struct group *g)
{
    Brug__V1__FiguresPublished r = BRUG__V1__FIGURES_PUBLISHED__INIT;
    Brug__V1__FigureRow row = BRUG__V1__FIGURE_ROW__INIT, *rows[] = {&row};
    struct figure_period p = period_of(BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_4W,
                                       (uint32_t)(HISTORY_NOW_MS / (24 * 3600 * 1000)) - 70);
    for (unsigned i = 0; i < w->published_count; i++)
        p = period_of(p.kind, p.until + 1);
    r.municipality = id_bytes(&w->municipality);
    r.team = id_bytes(&w->organisations[1]);
    r.period = p.kind;
    r.from_date = p.from;
    r.until_date = p.until;
    r.at_ms = w->now_ms;
    row.measure = BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_REFERRED;
    row.form = BRUG__V1__FIGURE_FORM__FIGURE_FORM_EXACT;
    row.number = 5 + (uint32_t)history_random(w, 6);
    w->published_count++;
    r.rows = rows;
    r.n_rows = 1;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_FIGURES_PUBLISHED, &r);
}

void history_outage(struct history *w, struct group *g)
{
    Brug__V1__Outage r = BRUG__V1__OUTAGE__INIT;
    struct id id = history_id(w, 4);
    r.outage_id = id_bytes(&id);
    r.number = ++w->outage_count;
    r.from_date = r.until_date = (uint32_t)(HISTORY_NOW_MS / (24 * 3600 * 1000)) - r.number;
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_OUTAGE, &r);
}

static bool add_about(struct history *w, struct group *g, uint64_t what)
{
    struct history_message *m = any_message(w);
    if (m == NULL || m->is_refusal)
        return false;
    unsigned i = (unsigned)history_random(w, m->reader_count);
    if (what < 70)
        return add_acknowledged(w, g, m, i);
    if (what < 74)
        return add_parking(w, g, m, i);
    if (what < 80)
        return add_opened(w, g, m, i);
    if (what < 86)
        return add_cancelled(w, g, m, i);
    add_quarantine_or_heal(w, g, m);
    return true;
}

static void add_any(struct history *w, struct group *g)
{
    uint64_t what = history_random(w, 100);
    if (what < 28)
        add_any_accepted(w, g);
    else if (what < 31)
        add_refusal(w, g);
    else if (what < 80)
        while (!add_about(w, g, 33 + history_random(w, 57)))
            add_any_accepted(w, g);
    else if (what < 93)
        add_any_case(w, g);
    else if (what < 94)
        history_publish(w, g);
    else if (what < 96 && (what < 95 || !history_tag_case(w, g)))
        add_session(w, g);
    else if (what < 96)
        ; /* it was tagged */
    else if (what < 97)
        add_municipality(w, g);
    else if (what < 98 && w->outage_count < HISTORY_OUTAGES_MAX)
        history_outage(w, g);
    else
        add_endpoint(w, g, (unsigned)history_random(w, HISTORY_ENDPOINTS));
}

struct group *history_group(struct history *w, unsigned records)
{
    struct group *g = history_empty_group(w);
    while (g->count < records)
        add_any(w, g);
    return g;
}

struct group *history_load(struct history *w, unsigned messages, size_t body_bytes, bool is_acked)
{
    struct group *g = history_empty_group(w);
    size_t first = w->count;
    for (unsigned i = 0; i < messages; i++)
        add_accepted(w, g, body_bytes, 7, 1);
    for (size_t i = first; is_acked && i < w->count; i++)
        (void)add_acknowledged(w, g, &w->messages[i], 0); /* it waits */
    return g;
}

/* ---- states ---- */

struct state *state_empty(struct id generation)
{
    static const uint64_t seed[2] = {1, 2};
    struct state *s = must_have(state_new(seed));
    MUST(state_load_done(s, 0, HISTORY_LOW_WATER_MS, &generation));
    return s;
}

struct slice group_kept(const struct group *g, uint64_t lsn)
{
    for (size_t i = 0; i < g->body_count; i++)
        if (g->bodies[i].is_tags && g->bodies[i].lsn == lsn)
            return slice_of(g->bodies[i].body->bytes, g->bodies[i].body->len);
    return SLICE_NONE;
}

void state_apply_group(struct state *s, const struct group *g)
{
    struct slice records = buf_slice(&g->records), payload;
    unsigned type;
    for (uint32_t i = 0; i < g->count; i++) {
        MUST(group_next_record(&records, &type, &payload));
        MUST(
            apply_record_with(s, g->first_lsn + i, type, payload, group_kept(g, g->first_lsn + i)));
    }
}

struct digest state_digest_of(const struct state *s)
{
    struct digest d;
    MUST(state_digest(s, &d));
    return d;
}

/* ---- stores ---- */

struct store_options outbox_options(const char *directory)
{
    return (struct store_options){
        .directory = directory,
        .checkpoint_pages = 100,
        .fold_slice_bytes = 8192,
        .fold_lag_bytes_max = 1 << 20,
        .reserve_bytes = 1,
        .random = {1, 2, 3, 4},
    };
}

struct store *outbox_open(const char *directory)
{
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    enum error e = store_open(&s, &o, &problem);
    if (e != ERROR_NONE)
        must(e, problem);
    return s;
}

struct store *outbox_open_slices(const char *directory, size_t slice_bytes)
{
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    o.fold_slice_bytes = slice_bytes;
    o.fold_gather_bytes = (size_t)1 << 30;
    MUST(store_open(&s, &o, &problem));
    return s;
}

struct state *outbox_load(struct store *s)
{
    static const uint64_t seed[2] = {3, 4};
    struct state *state = must_have(state_new(seed));
    const char *problem;
    enum error e = store_load(s, state, HISTORY_LOW_WATER_MS, &problem);
    if (e != ERROR_NONE)
        must(e, problem);
    return state;
}

void outbox_fold_all(struct store *s)
{
    bool is_done = false;
    while (!is_done)
        MUST(store_fold(s, &is_done));
}

/* Through the layer that checks pages and writes their checksums. */
struct opened {
    sqlite3 *connection;
    struct pages *pages;
};

static struct opened open_file(const char *directory, const char *file)
{
    struct opened o = {.pages = must_have(pages_new(NULL))};
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    char path[1024];
    directory_file(path, sizeof path, directory, file);
    if (sqlite3_open_v2(path, &o.connection, flags, pages_name(o.pages)) != SQLITE_OK ||
        sqlite3_exec(o.connection, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
        abort();
    return o;
}

static void close_file(struct opened *o)
{
    if (sqlite3_close(o->connection) != SQLITE_OK)
        abort();
    pages_free(o->pages);
}

static void append_row(struct buf *b, sqlite3_stmt *s)
{
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        size_t len = (size_t)sqlite3_column_bytes(s, i);
        MUST(buf_append_u64(b, len));
        MUST(buf_append(b, sqlite3_column_blob(s, i), len));
    }
}

static void append_rows(struct buf *b, sqlite3 *c, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(c, sql, -1, &s, NULL) != SQLITE_OK)
        abort();
    while (sqlite3_step(s) == SQLITE_ROW)
        append_row(b, s);
    sqlite3_finalize(s);
}

struct digest outbox_rows(const char *directory, const char *sql)
{
    struct opened o = open_file(directory, "brug.db");
    struct buf all;
    buf_init(&all, SIZE_MAX / 2);
    append_rows(&all, o.connection, sql);
    close_file(&o);
    struct digest d = digest_of_slice(buf_slice(&all));
    buf_fini(&all);
    return d;
}

struct digest outbox_tables(const char *directory)
{
    static const char *const queries[] = {
        "SELECT * FROM message ORDER BY id, org",
        "SELECT * FROM delivery ORDER BY 1, 2",
        "SELECT * FROM mailbox ORDER BY endpoint",
        "SELECT * FROM directory ORDER BY 1, 2",
        "SELECT * FROM casefile ORDER BY case_id",
        "SELECT * FROM case_event ORDER BY lsn",
        "SELECT * FROM pack ORDER BY first_lsn",
        "SELECT * FROM body ORDER BY lsn",
        "SELECT * FROM figure ORDER BY 1, 2, 3, 4, 5, 6",
        "SELECT * FROM figure_table ORDER BY 1, 2, 3, 4",
        "SELECT * FROM case_tags ORDER BY lsn",
        "SELECT folded_lsn, newest_ms FROM meta",
    };
    struct opened o = open_file(directory, "brug.db");
    struct buf all;
    buf_init(&all, SIZE_MAX / 2);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        append_rows(&all, o.connection, queries[i]);
    close_file(&o);
    struct digest d = digest_of_slice(buf_slice(&all));
    buf_fini(&all);
    return d;
}

enum error cases_of_store(const char *directory, struct cases *out)
{
    struct opened o = open_file(directory, "brug.db");
    enum error e = cases_read(o.connection, out);
    close_file(&o);
    return e;
}

struct group *outbox_group(const char *directory, const char *file, const char *sql,
                           uint64_t first_lsn)
{
    struct opened o = open_file(directory, file);
    struct group *g = NULL;
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(o.connection, sql, -1, &s, NULL) != SQLITE_OK)
        abort();
    if (sqlite3_step(s) == SQLITE_ROW) {
        struct slice payload,
            records = slice_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        unsigned type;
        g = must_have(group_new(first_lsn));
        while (records.len > 0) {
            MUST(group_next_record(&records, &type, &payload));
            MUST(group_append(g, type, payload));
        }
    }
    sqlite3_finalize(s);
    close_file(&o);
    return g;
}

int64_t outbox_sql(const char *directory, const char *file, const char *sql)
{
    struct opened o = open_file(directory, file);
    sqlite3 *c = o.connection;
    sqlite3_stmt *s;
    int64_t value = 0;
    if (sqlite3_prepare_v2(c, sql, -1, &s, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(c));
        abort();
    }
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        value = sqlite3_column_int64(s, 0);
    else if (code != SQLITE_DONE)
        abort();
    sqlite3_finalize(s);
    close_file(&o);
    return value;
}
