/*
 * daemon/core/decide_admin.c: an administrator's commands on the directory. Whatever is wrong gets one line
 * that says what, and what to do; nothing changes then. A repeat with the same values changes nothing
 * and gets the same answer, so that brugctl may send again after a cut.
 */
#include "base/text.h"
#include "daemon/core/decide.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/workdays.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ACTIVE BRUG__V1__STATUS__STATUS_ACTIVE
#define SUSPENDED BRUG__V1__STATUS__STATUS_SUSPENDED
#define PRACTICE BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE
#define TEAM BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name

#define ANCHORS_MAX 8u
#define MUNICIPALITIES_MAX 16u
#define ENDPOINTS_MAX (LIMIT_READERS / 2) /* so that two organisations can write to each other */
#define ERROR_BYTES 256u
#define PAGE_ROWS_MAX 100u
#define RELEASES_MAX 16u /* of one command: a decision holds few records */
#define PAGE_BYTES_MAX (256u << 10)
#define IDENTIFIER_PREFIX "brug:"

struct admin {
    const struct state *s;
    const struct admin_command *c;
    struct decision *d;
    Brug__V1__AdminAnswer *answer;
    char text[ID_TEXT_BYTES]; /* of an id, for an error line */
};

/* ---- answers ---- */

static void fail(struct admin *a, enum error code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct admin *a, enum error code, const char *format, ...)
{
    va_list list;
    char *line = decision_alloc(a->d, 1, ERROR_BYTES);
    va_start(list, format);
    (void)vsnprintf(line, ERROR_BYTES, format, list);
    va_end(list);
    a->answer->code = (Brug__V1__Code)code;
    a->answer->error = line;
}

static const char *text_of(struct admin *a, ProtobufCBinaryData b)
{
    struct id id;
    return id_take(b, &id) ? id_to_text(&id, a->text) : "(no id)";
}

static Brug__V1__Objects *objects(struct admin *a)
{
    if (!a->answer->objects)
        a->answer->objects = decision_message(a->d, &brug__v1__objects__descriptor);
    return a->answer->objects;
}

#define ADD_ROW(a, list, row) \
    do { \
        Brug__V1__Objects *objects_ = objects(a); \
        if (!objects_->list) \
            objects_->list = decision_alloc((a)->d, PAGE_ROWS_MAX, sizeof *objects_->list); \
        objects_->list[objects_->n_##list++] = (row); \
    } while (0)

static ProtobufCBinaryData packed(struct decision *d, const ProtobufCMessage *m)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = decision_alloc(d, len, 1);
    protobuf_c_message_pack(m, bytes);
    return (ProtobufCBinaryData){len, bytes};
}

static void invite(struct admin *a, ProtobufCBinaryData municipality,
                   const Brug__V1__OrganisationRow *o, const Brug__V1__PersonRow *p)
{
    Brug__V1__Invitation i = BRUG__V1__INVITATION__INIT;
    i.municipality = municipality;
    i.organisation = o->organisation;
    i.organisation_name = o->name;
    i.role = o->kind == PRACTICE ? ROLE(SYSTEM) : ROLE(NONE);
    if (p) {
        i.person = p->person;
        i.person_name = p->name;
        i.role = p->role;
    }
    a->answer->invitation = packed(a->d, &i.base);
}

/* ---- checks ---- */

static bool is_id(struct admin *a, ProtobufCBinaryData b, const char *what)
{
    struct id id;
    if (!check_id(b, &id))
        return true;
    fail(a, ERROR_ID_MALFORMED, "the %s's id is not 16 bytes; give a UUID", what);
    return false;
}

static bool is_name(struct admin *a, const char *name, const char *what)
{
    struct slice s = slice_text(name);
    if (s.len == 0)
        fail(a, ERROR_REQUEST_MALFORMED, "the %s is empty; give one", what);
    else if (s.len > LIMIT_NAME_BYTES)
        fail(a, ERROR_REQUEST_MALFORMED, "the %s is longer than %u bytes; shorten it", what,
             LIMIT_NAME_BYTES);
    else if (!text_is_clean(s, false))
        fail(a, ERROR_REQUEST_MALFORMED, "the %s has control characters; leave them out", what);
    else if (text_has_bsn(s))
        fail(a, ERROR_REQUEST_MALFORMED, "the %s holds what looks like a BSN; leave it out", what);
    else
        return true;
    return false;
}

static bool is_same_bytes(ProtobufCBinaryData x, ProtobufCBinaryData y)
{
    return slice_equal(check_slice(x), check_slice(y));
}

static bool are_same_bytes(const ProtobufCBinaryData *x, size_t x_count,
                           const ProtobufCBinaryData *y, size_t y_count)
{
    if (x_count != y_count)
        return false;
    for (size_t i = 0; i < x_count; i++)
        if (!is_same_bytes(x[i], y[i]))
            return false;
    return true;
}

static void raise_epoch(struct admin *a, const struct municipality *m)
{
    Brug__V1__MunicipalityRow *row = decision_alloc(a->d, 1, sizeof *row);
    *row = *m->row;
    row->epoch++;
    decision_record(a->d, RECORD(MUNICIPALITY), row, NULL);
}

static Brug__V1__Operator *operator_of(const struct admin *a)
{
    return (Brug__V1__Operator *)(uintptr_t)a->c->by;
}

/* ---- municipalities ---- */

static bool are_anchors(struct admin *a, const Brug__V1__AddMunicipality *q)
{
    if (q->n_anchors == 0 || q->n_anchors > ANCHORS_MAX) {
        fail(a, ERROR_REQUEST_MALFORMED, "a municipality has 1 to %u trust anchors; %zu were given",
             ANCHORS_MAX, q->n_anchors);
        return false;
    }
    for (size_t i = 0; i < q->n_anchors; i++)
        if (q->anchors[i].len == 0 || q->anchors[i].len > LIMIT_CERTIFICATE_BYTES) {
            fail(a, ERROR_REQUEST_MALFORMED,
                 "trust anchor %zu is empty or larger than %u bytes; give one certificate a file",
                 i + 1, LIMIT_CERTIFICATE_BYTES);
            return false;
        }
    return true;
}

/* With those of municipalities that are suspended: they may come back. */
static bool have_place(struct admin *a, const Brug__V1__AddMunicipality *q)
{
    struct slice ders[LIMIT_ANCHORS + 1];
    Brug__V1__MunicipalityRow added = BRUG__V1__MUNICIPALITY_ROW__INIT;
    size_t n = 0;
    for (size_t i = 0; i < table_count(&a->s->municipalities); i++)
        n = municipality_anchors(
            container_of(a->s->municipalities.sorted[i], struct municipality, entity)->row, ders, n,
            LIMIT_ANCHORS);
    added.n_anchors = q->n_anchors;
    added.anchors = q->anchors;
    if (municipality_anchors(&added, ders, n, LIMIT_ANCHORS + 1) <= LIMIT_ANCHORS)
        return true;
    fail(a, ERROR_FULL, "the relay holds %u trust anchors already; let municipalities share one",
         LIMIT_ANCHORS);
    return false;
}

static void add_municipality(struct admin *a, const Brug__V1__AddMunicipality *q)
{
    if (!is_id(a, q->municipality, "municipality") || !is_name(a, q->name, "name") ||
        !are_anchors(a, q))
        return;
    const struct municipality *m = municipality_find(a->s, q->municipality);
    if (m && (strcmp(m->row->name, q->name) != 0 ||
              !are_same_bytes(m->row->anchors, m->row->n_anchors, q->anchors, q->n_anchors))) {
        fail(a, ERROR_REQUEST_MALFORMED,
             "municipality %s exists with another name or other anchors; choose a new id",
             text_of(a, q->municipality));
        return;
    }
    if (m) {
        ADD_ROW(a, municipalities, m->row);
        return;
    }
    if (!have_place(a, q))
        return;
    Brug__V1__MunicipalityRow *row =
        decision_message(a->d, &brug__v1__municipality_row__descriptor);
    row->municipality = q->municipality;
    row->name = q->name;
    row->n_anchors = q->n_anchors;
    row->anchors = q->anchors;
    row->epoch = 1;
    row->status = ACTIVE;
    row->at_ms = a->c->now.wall_ms;
    row->by = operator_of(a);
    decision_record(a->d, RECORD(MUNICIPALITY), row, NULL);
    ADD_ROW(a, municipalities, row);
}

/* ---- organisations ---- */

static bool are_municipalities(struct admin *a, const Brug__V1__AddOrganisation *q)
{
    if (q->n_municipalities == 0 || q->n_municipalities > MUNICIPALITIES_MAX) {
        fail(a, ERROR_REQUEST_MALFORMED, "an organisation works in 1 to %u municipalities",
             MUNICIPALITIES_MAX);
        return false;
    }
    for (size_t i = 0; i < q->n_municipalities; i++) {
        const struct municipality *m = municipality_find(a->s, q->municipalities[i]);
        bool is_repeated = false;
        for (size_t k = 0; k < i; k++)
            is_repeated |= is_same_bytes(q->municipalities[i], q->municipalities[k]);
        if (m && municipality_is_active(m) && !is_repeated)
            continue;
        fail(a, ERROR_NO_SUCH_OBJECT, "municipality %s %s", text_of(a, q->municipalities[i]),
             !m            ? "does not exist; see `brugctl municipality list`"
             : is_repeated ? "is named twice; name it once"
                           : "is suspended; resume it first");
        return false;
    }
    return true;
}

static bool is_organisation(struct admin *a, const Brug__V1__AddOrganisation *q)
{
    const char *field = NULL;
    if (!is_id(a, q->organisation, "organisation") || !is_name(a, q->name, "name") ||
        (q->area[0] && !is_name(a, q->area, "area")) || !are_municipalities(a, q))
        return false;
    if (q->kind != PRACTICE && q->kind != TEAM)
        fail(a, ERROR_CODE_UNKNOWN, "an organisation is a practice or a team; say which");
    else if (q->card && q->kind != TEAM)
        fail(a, ERROR_FIELD_NOT_ALLOWED, "only a team has a card; leave it out");
    else if (q->card && check_card(q->card, &field))
        fail(a, ERROR_REQUEST_MALFORMED, "%s is not valid; see its limits in the manual",
             field ? field : "the card");
    else
        return true;
    return false;
}

static bool is_same_organisation(const Brug__V1__OrganisationRow *row,
                                 const Brug__V1__AddOrganisation *q)
{
    return row->kind == q->kind && strcmp(row->name, q->name) == 0 &&
           strcmp(row->area, q->area) == 0 &&
           are_same_bytes(row->municipalities, row->n_municipalities, q->municipalities,
                          q->n_municipalities);
}

static char *identifier_of(struct admin *a, ProtobufCBinaryData organisation)
{
    size_t size = sizeof IDENTIFIER_PREFIX - 1 + ID_TEXT_BYTES;
    char *out = decision_alloc(a->d, 1, size);
    (void)snprintf(out, size, "%s%s", IDENTIFIER_PREFIX, text_of(a, organisation));
    return out;
}

static void add_organisation(struct admin *a, const Brug__V1__AddOrganisation *q)
{
    if (!is_organisation(a, q))
        return;
    const struct organisation *o = organisation_find(a->s, q->organisation);
    if (o && !is_same_organisation(o->row, q)) {
        fail(a, ERROR_REQUEST_MALFORMED,
             "organisation %s exists with other values; choose a new id",
             text_of(a, q->organisation));
        return;
    }
    if (o) {
        ADD_ROW(a, organisations, o->row);
        invite(a, o->row->home, o->row, NULL);
        return;
    }
    Brug__V1__OrganisationRow *row =
        decision_message(a->d, &brug__v1__organisation_row__descriptor);
    row->organisation = q->organisation;
    row->kind = q->kind;
    row->home = q->municipalities[0];
    row->n_municipalities = q->n_municipalities;
    row->municipalities = q->municipalities;
    row->name = q->name;
    row->identifier = identifier_of(a, q->organisation);
    row->area = q->area;
    row->card = q->card;
    row->status = ACTIVE;
    row->at_ms = a->c->now.wall_ms;
    row->by = operator_of(a);
    decision_record(a->d, RECORD(ORGANISATION), row, NULL);
    for (size_t i = 0; i < q->n_municipalities; i++)
        raise_epoch(a, municipality_find(a->s, q->municipalities[i]));
    ADD_ROW(a, organisations, row);
    invite(a, row->home, row, NULL);
}

/* ---- persons ---- */

static bool role_fits(const struct organisation *o, Brug__V1__Role role)
{
    if (o->row->kind == PRACTICE)
        return role == ROLE(GP) || role == ROLE(LOCUM) || role == ROLE(ASSISTANT);
    return role == ROLE(CONSULTANT) || role == ROLE(LEADER) || role == ROLE(OBSERVER);
}

/* The active organisation that a command names; NULL: refused. */
static const struct organisation *named_organisation(struct admin *a, ProtobufCBinaryData id)
{
    const struct organisation *o = organisation_find(a->s, id);
    if (!o)
        fail(a, ERROR_NO_SUCH_OBJECT, "organisation %s does not exist; see `brugctl org list`",
             text_of(a, id));
    else if (o->row->status != ACTIVE)
        fail(a, ERROR_SUSPENDED, "organisation %s is suspended; resume it first", text_of(a, id));
    else
        return o;
    return NULL;
}

static bool is_person(struct admin *a, const Brug__V1__AddPerson *q, const struct organisation *o)
{
    if (!role_fits(o, q->role))
        fail(a, ERROR_REQUEST_MALFORMED, "%s",
             o->row->kind == PRACTICE
                 ? "a practice has gps, locums and assistants; choose one of these roles"
                 : "a team has consultants, leaders and observers; choose one of these roles");
    else if (q->role == ROLE(LOCUM) && q->until_ms <= a->c->now.wall_ms)
        fail(a, ERROR_REQUEST_MALFORMED, "a locum has an end date, and it is not in the past");
    else if (q->role != ROLE(LOCUM) && q->until_ms != 0)
        fail(a, ERROR_FIELD_NOT_ALLOWED, "only a locum has an end date; leave it out");
    else
        return true;
    return false;
}

/* A locum's end date may be moved by adding the same person with another one. */
static bool is_same_person(const struct person *p, const Brug__V1__AddPerson *q)
{
    return is_same_bytes(p->row->organisation, q->organisation) &&
           strcmp(p->row->name, q->name) == 0 && p->row->role == q->role;
}

static void add_person(struct admin *a, const Brug__V1__AddPerson *q)
{
    if (!is_id(a, q->person, "person") || !is_name(a, q->name, "name"))
        return;
    const struct organisation *o = named_organisation(a, q->organisation);
    if (!o || !is_person(a, q, o))
        return;
    const struct person *p = person_find(a->s, q->person);
    if (p && !is_same_person(p, q)) {
        fail(a, ERROR_REQUEST_MALFORMED, "person %s exists with other values; choose a new id",
             text_of(a, q->person));
        return;
    }
    if (!p && o->person_count >= LIMIT_PERSONS) {
        fail(a, ERROR_FULL, "the organisation has %u persons already", LIMIT_PERSONS);
        return;
    }
    Brug__V1__PersonRow *row = decision_message(a->d, &brug__v1__person_row__descriptor);
    row->person = q->person;
    row->organisation = q->organisation;
    row->name = q->name;
    row->role = q->role;
    row->until_ms = q->until_ms;
    row->status = p ? p->row->status : ACTIVE;
    row->at_ms = a->c->now.wall_ms;
    row->by = operator_of(a);
    if (!p || p->row->until_ms != q->until_ms) {
        decision_record(a->d, RECORD(PERSON), row, NULL);
        decide_raise_epochs(a->d, o);
    }
    ADD_ROW(a, persons, row);
    invite(a, o->row->home, o->row, row);
}

/* ---- endpoints ---- */

static bool is_enrolment(struct admin *a, const Brug__V1__EndpointRow *q,
                         const struct organisation *o)
{
    const struct person *p = person_find(a->s, q->person);
    struct digest key;
    if (q->person.len > 0 && (!p || p->organisation != o))
        fail(a, ERROR_NO_SUCH_OBJECT,
             "person %s does not belong to this organisation; see `brugctl person list`",
             text_of(a, q->person));
    else if (p && !person_is_active(p))
        fail(a, ERROR_SUSPENDED, "person %s is suspended; resume the person first",
             text_of(a, q->person));
    else if (q->recovery && p)
        fail(a, ERROR_FIELD_NOT_ALLOWED, "a recovery entry belongs to no person; leave it out");
    else if (!q->recovery && !p && o->row->kind != PRACTICE)
        fail(a, ERROR_FIELD_NOT_ALLOWED,
             "only a practice has a system without a person; invite a "
             "person of the team");
    else if (!q->binding || digest_from_slice(&key, check_slice(q->identity_key_digest)))
        fail(a, ERROR_REQUEST_MALFORMED,
             "the request has no binding or key; make a new one with "
             "`brug init`");
    else
        return true;
    return false;
}

static bool is_counted(const struct endpoint *e, bool recovery)
{
    return e->row->recovery == recovery && e->row->status == ACTIVE &&
           (!e->person || person_is_active(e->person));
}

/* Whether so many more have a place. Those of people who left, and lost ones, take none. */
static bool have_endpoints_place(struct admin *a, const struct organisation *o, bool recovery,
                                 size_t more)
{
    size_t max = recovery ? LIMIT_COPIES / 2 : ENDPOINTS_MAX, n = 0;
    for (size_t i = 0; i < o->endpoints.count; i++)
        n += is_counted(o->endpoints.items[i], recovery);
    if (more <= max && n <= max - more)
        return true;
    fail(a, ERROR_FULL, "the organisation has %zu %s already; suspend one that is not used", n,
         recovery ? "recovery entries" : "endpoints");
    return false;
}

static bool has_place(struct admin *a, const Brug__V1__EndpointRow *q, const struct organisation *o)
{
    struct digest key;
    enum error e = digest_from_slice(&key, check_slice(q->identity_key_digest));
    assert(!e); /* is_enrolment saw to it */
    (void)e;
    const struct endpoint *other = endpoint_find_key(a->s, &key);
    if (other)
        fail(a, ERROR_REQUEST_MALFORMED,
             "the key is enrolled already for endpoint %s; make a new one with `brug init`",
             id_to_text(&other->entity.id, a->text));
    else
        return have_endpoints_place(a, o, q->recovery, 1);
    return false;
}

static bool is_same_endpoint(const struct endpoint *e, const Brug__V1__EndpointRow *q)
{
    const Brug__V1__EndpointRow *row = e->row;
    return is_same_bytes(row->organisation, q->organisation) &&
           is_same_bytes(row->person, q->person) && row->recovery == q->recovery &&
           is_same_bytes(row->binding->binding, q->binding->binding);
}

static bool has_same_certificates(const struct endpoint *e, const Brug__V1__EndpointRow *q)
{
    return is_same_bytes(e->row->identity_certificate, q->identity_certificate) &&
           is_same_bytes(e->row->sealing_certificate, q->sealing_certificate) &&
           are_same_bytes(e->row->intermediates, e->row->n_intermediates, q->intermediates,
                          q->n_intermediates);
}

/* New certificates for the same binding keep what colleagues and the endpoint itself added. */
static void put_endpoint(struct admin *a, const Brug__V1__EndpointRow *q, const struct endpoint *e,
                         const struct organisation *o)
{
    Brug__V1__EndpointRow *row = decision_alloc(a->d, 1, sizeof *row);
    *row = *q;
    row->status = e ? e->row->status : ACTIVE;
    row->n_countersignatures = e ? e->row->n_countersignatures : 0;
    row->countersignatures = e ? e->row->countersignatures : NULL;
    row->away_until_ms = e ? e->row->away_until_ms : 0;
    row->sequence = e ? e->sequence : 0;
    row->at_ms = a->c->now.wall_ms;
    row->by = operator_of(a);
    decision_record(a->d, RECORD(ENDPOINT), row, NULL);
    decide_raise_epochs(a->d, o);
    ADD_ROW(a, endpoints, row);
}

static void add_endpoint(struct admin *a)
{
    const Brug__V1__EndpointRow *q = a->c->endpoint;
    if (!q) {
        fail(a, ERROR_REQUEST_MALFORMED, "the enrolment was not verified");
        return;
    }
    if (!is_id(a, q->endpoint, "endpoint"))
        return;
    const struct organisation *o = named_organisation(a, q->organisation);
    if (!o || !is_enrolment(a, q, o))
        return;
    const struct endpoint *e = endpoint_find(a->s, q->endpoint);
    if (e && !is_same_endpoint(e, q))
        fail(a, ERROR_REQUEST_MALFORMED,
             "endpoint %s exists with another binding; make a new request with `brug init`",
             text_of(a, q->endpoint));
    else if (e && has_same_certificates(e, q))
        ADD_ROW(a, endpoints, e->row);
    else if (e || has_place(a, q, o))
        put_endpoint(a, q, e, o);
}

/* ---- status ---- */

static bool status_changes(struct admin *a, Brug__V1__Status now, Brug__V1__Status wanted)
{
    if (wanted != ACTIVE && wanted != SUSPENDED) {
        fail(a, ERROR_CODE_UNKNOWN, "a status is active or suspended; say which");
        return false;
    }
    return now != wanted;
}

static void set_municipality_status(struct admin *a, const struct municipality *m,
                                    Brug__V1__Status status)
{
    Brug__V1__MunicipalityRow *row = decision_alloc(a->d, 1, sizeof *row);
    *row = *m->row;
    if (status_changes(a, m->row->status, status)) {
        row->status = status;
        row->epoch++;
        row->at_ms = a->c->now.wall_ms;
        row->by = operator_of(a);
        decision_record(a->d, RECORD(MUNICIPALITY), row, NULL);
    }
    ADD_ROW(a, municipalities, row);
}

static void set_organisation_status(struct admin *a, const struct organisation *o,
                                    Brug__V1__Status status)
{
    Brug__V1__OrganisationRow *row = decision_alloc(a->d, 1, sizeof *row);
    *row = *o->row;
    if (status_changes(a, o->row->status, status)) {
        row->status = status;
        row->at_ms = a->c->now.wall_ms;
        row->by = operator_of(a);
        decision_record(a->d, RECORD(ORGANISATION), row, NULL);
        decide_raise_epochs(a->d, o);
    }
    ADD_ROW(a, organisations, row);
}

/* The person's endpoints that will count again. */
static size_t count_active(const struct person *p)
{
    const struct endpoints *all = &p->organisation->endpoints;
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        n += all->items[i]->person == p && all->items[i]->row->status == ACTIVE;
    return n;
}

static void set_person_status(struct admin *a, const struct person *p, Brug__V1__Status status)
{
    Brug__V1__PersonRow *row = decision_alloc(a->d, 1, sizeof *row);
    *row = *p->row;
    if (status == ACTIVE && row->until_ms > 0 && row->until_ms <= a->c->now.wall_ms) {
        fail(a, ERROR_REQUEST_MALFORMED,
             "the locum's end date has passed; add the person again with a later one first");
        return;
    }
    bool changes = status_changes(a, p->row->status, status);
    if (changes && status == ACTIVE &&
        !have_endpoints_place(a, p->organisation, false, count_active(p)))
        return;
    if (changes) {
        row->status = status;
        row->at_ms = a->c->now.wall_ms;
        row->by = operator_of(a);
        decision_record(a->d, RECORD(PERSON), row, NULL);
        decide_raise_epochs(a->d, p->organisation);
    }
    ADD_ROW(a, persons, row);
}

static void set_endpoint_status(struct admin *a, const struct endpoint *e, Brug__V1__Status status)
{
    Brug__V1__EndpointRow *row = decision_alloc(a->d, 1, sizeof *row);
    *row = *e->row;
    bool changes = status_changes(a, e->row->status, status);
    if (changes && status == ACTIVE && (!e->person || person_is_active(e->person)) &&
        !have_endpoints_place(a, e->organisation, row->recovery, 1))
        return;
    if (changes) {
        row->status = status;
        row->sequence = e->sequence;
        row->at_ms = a->c->now.wall_ms;
        row->by = operator_of(a);
        decision_record(a->d, RECORD(ENDPOINT), row, NULL);
        decide_raise_epochs(a->d, e->organisation);
    }
    ADD_ROW(a, endpoints, row);
}

static void no_such(struct admin *a, Brug__V1__ObjectType type, ProtobufCBinaryData id)
{
    static const char *const WORDS[] = {"object", "municipality", "org", "person", "endpoint"};
    const char *word = type > OBJECT(NONE) && type <= OBJECT(ENDPOINT) ? WORDS[type] : WORDS[0];
    fail(a, ERROR_NO_SUCH_OBJECT, "there is no %s %s; see `brugctl %s list`", word, text_of(a, id),
         word);
}

static void set_status(struct admin *a, const Brug__V1__SetStatus *q)
{
    const struct municipality *m =
        q->type == OBJECT(MUNICIPALITY) ? municipality_find(a->s, q->id) : NULL;
    const struct organisation *o =
        q->type == OBJECT(ORGANISATION) ? organisation_find(a->s, q->id) : NULL;
    const struct person *p = q->type == OBJECT(PERSON) ? person_find(a->s, q->id) : NULL;
    const struct endpoint *e = q->type == OBJECT(ENDPOINT) ? endpoint_find(a->s, q->id) : NULL;
    if (m)
        set_municipality_status(a, m, q->status);
    else if (o)
        set_organisation_status(a, o, q->status);
    else if (p)
        set_person_status(a, p, q->status);
    else if (e)
        set_endpoint_status(a, e, q->status);
    else
        no_such(a, q->type, q->id);
}

/* ---- showing ---- */

static const struct table *table_of(const struct state *s, Brug__V1__ObjectType type)
{
    switch (type) {
    case OBJECT(MUNICIPALITY):
        return &s->municipalities;
    case OBJECT(ORGANISATION):
        return &s->organisations;
    case OBJECT(PERSON):
        return &s->persons;
    case OBJECT(ENDPOINT):
        return &s->endpoints;
    default:
        return NULL;
    }
}

/* The organisation that the entity is or belongs to; NULL: a municipality. */
static const struct organisation *organisation_of(struct entity *e, Brug__V1__ObjectType type)
{
    switch (type) {
    case OBJECT(ORGANISATION):
        return container_of(e, struct organisation, entity);
    case OBJECT(PERSON):
        return container_of(e, struct person, entity)->organisation;
    case OBJECT(ENDPOINT):
        return container_of(e, struct endpoint, entity)->organisation;
    default:
        return NULL;
    }
}

static bool is_within(const struct admin *a, struct entity *e, const Brug__V1__List *q)
{
    const struct organisation *o = organisation_of(e, q->type);
    if (q->within.len == 0)
        return true;
    const struct municipality *m = municipality_find(a->s, q->within);
    return o && (is_same_bytes(id_bytes(&o->entity.id), q->within) ||
                 (m && organisation_works_in(o, m)));
}

static const ProtobufCMessage *row_of(struct entity *e, Brug__V1__ObjectType type)
{
    switch (type) {
    case OBJECT(MUNICIPALITY):
        return &container_of(e, struct municipality, entity)->row->base;
    case OBJECT(ORGANISATION):
        return &container_of(e, struct organisation, entity)->row->base;
    case OBJECT(PERSON):
        return &container_of(e, struct person, entity)->row->base;
    default:
        return &container_of(e, struct endpoint, entity)->row->base;
    }
}

static void add_row(struct admin *a, struct entity *e, Brug__V1__ObjectType type)
{
    ProtobufCMessage *row = (ProtobufCMessage *)(uintptr_t)row_of(e, type);
    switch (type) {
    case OBJECT(MUNICIPALITY):
        ADD_ROW(a, municipalities, (Brug__V1__MunicipalityRow *)row);
        break;
    case OBJECT(ORGANISATION):
        ADD_ROW(a, organisations, (Brug__V1__OrganisationRow *)row);
        break;
    case OBJECT(PERSON):
        ADD_ROW(a, persons, (Brug__V1__PersonRow *)row);
        break;
    default:
        ADD_ROW(a, endpoints, (Brug__V1__EndpointRow *)row);
    }
}

static void list(struct admin *a, const Brug__V1__List *q)
{
    const struct table *t = table_of(a->s, q->type);
    struct id after;
    size_t rows = 0, bytes = 0;
    if (!t || !id_take_optional(q->after, &after)) {
        fail(a, ERROR_REQUEST_MALFORMED,
             "a list is of municipalities, organisations, persons or endpoints");
        return;
    }
    Brug__V1__Objects *to = objects(a);
    for (size_t i = table_position_after(t, &after); i < table_count(t); i++) {
        if (!is_within(a, t->sorted[i], q))
            continue;
        bytes += protobuf_c_message_get_packed_size(row_of(t->sorted[i], q->type));
        if (rows == PAGE_ROWS_MAX || (rows > 0 && bytes > PAGE_BYTES_MAX)) {
            struct id *next = decision_alloc(a->d, 1, sizeof *next);
            *next = after;
            to->next = id_bytes(next);
            return;
        }
        add_row(a, t->sorted[i], q->type);
        after = t->sorted[i]->id;
        rows++;
    }
}

static void show(struct admin *a, const Brug__V1__Show *q)
{
    const struct table *t = table_of(a->s, q->type);
    struct id id;
    struct entity *e = t && id_take(q->id, &id) ? table_find(t, &id) : NULL;
    if (e)
        add_row(a, e, q->type);
    else
        no_such(a, q->type, q->id);
}

/* ---- parked copies ---- */

static void record_released(struct admin *a, const struct reader *r, const struct message *m)
{
    Brug__V1__Released *record = decision_message(a->d, &brug__v1__released__descriptor);
    record->organisation = id_bytes(&m->key.organisation);
    record->message_id = id_bytes(&m->key.id);
    record->endpoint = id_bytes(&r->endpoint->entity.id);
    record->sequence = r->sequence;
    record->at_ms = a->c->now.wall_ms;
    record->by = operator_of(a);
    decision_record(a->d, RECORD(RELEASED), record, NULL);
}

static void release(struct admin *a, const Brug__V1__Release *q)
{
    const struct endpoint *e = endpoint_find(a->s, q->endpoint);
    if (!e) {
        no_such(a, OBJECT(ENDPOINT), q->endpoint);
        return;
    }
    Brug__V1__ReleaseAnswer *answer = decision_message(a->d, &brug__v1__release_answer__descriptor);
    list_for_each (l, next, &e->mailbox) {
        struct reader *r = container_of(l, struct reader, link);
        if (r->is_parked && answer->released < RELEASES_MAX) {
            record_released(a, r, message_of(r));
            answer->released++;
        } else {
            answer->left += r->is_parked;
        }
    }
    a->answer->release = answer;
}

/* ---- lost clients and lost keys ---- */

/* The organisation that may have a new client; the person, if it was a person's, too. */
static bool may_replace(struct admin *a, const struct endpoint *e)
{
    if (e->organisation->row->status != ACTIVE)
        fail(a, ERROR_SUSPENDED, "the endpoint's organisation is suspended; resume it first");
    else if (e->person && !person_is_active(e->person))
        fail(a, ERROR_SUSPENDED, "the endpoint's person is suspended; resume the person first");
    else
        return true;
    return false;
}

static void replace_endpoint(struct admin *a, const Brug__V1__ReplaceEndpoint *q)
{
    const struct endpoint *e = endpoint_find(a->s, q->endpoint);
    if (!e) {
        no_such(a, OBJECT(ENDPOINT), q->endpoint);
        return;
    }
    if (!may_replace(a, e))
        return;
    const struct organisation *o = e->organisation;
    set_endpoint_status(a, e, SUSPENDED);
    invite(a, o->row->home, o->row, e->person ? e->person->row : NULL);
}

static void show_entry(struct admin *a, const Brug__V1__GetEntry *q)
{
    const struct organisation *o = organisation_find(a->s, q->organisation);
    if (o)
        a->answer->entry = decide_own_entry(a->d, o);
    else
        no_such(a, OBJECT(ORGANISATION), q->organisation);
}

static bool has_recovery(const struct organisation *o)
{
    for (size_t i = 0; i < o->endpoints.count; i++)
        if (o->endpoints.items[i]->row->recovery)
            return true;
    return false;
}

/* The record first; what it is about is read when that is durable. */
static void recover(struct admin *a, const Brug__V1__Recover *q)
{
    struct id id;
    const struct organisation *o = organisation_find(a->s, q->organisation);
    if (!o) {
        no_such(a, OBJECT(ORGANISATION), q->organisation);
        return;
    }
    if (!has_recovery(o)) {
        fail(a, ERROR_NO_SUCH_OBJECT,
             "organisation %s never had a recovery entry: nobody could open its letters",
             text_of(a, q->organisation));
        return;
    }
    if (!id_take_optional(q->after_message, &id) || !id_take_optional(q->after_organisation, &id)) {
        fail(a, ERROR_ID_MALFORMED, "the page to go on from is not an id; begin anew");
        return;
    }
    Brug__V1__Recovered *record = decision_message(a->d, &brug__v1__recovered__descriptor);
    record->organisation = q->organisation;
    record->after_message = q->after_message;
    record->at_ms = a->c->now.wall_ms;
    record->by = operator_of(a);
    decision_record(a->d, RECORD(RECOVERED), record, NULL);
}

/* ---- figures ---- */

static const struct municipality *the_only_municipality(const struct admin *a)
{
    const struct table *t = &a->s->municipalities;
    return table_count(t) == 1 ? container_of(t->sorted[0], struct municipality, entity) : NULL;
}

static bool is_day(const Brug__V1__GetFigures *q)
{
    return q->date == 0 || (q->date >= LIMIT_DATE_MIN && q->date <= LIMIT_DATE_MAX);
}

/* As they are published: an operator is outside every team. */
static void get_figures(struct admin *a, const Brug__V1__GetFigures *q)
{
    struct figures_ask ask = {.today = workdays_date(a->c->now.wall_ms), .now = a->c->now};
    ask.municipality = q->municipality.len == 0 ? the_only_municipality(a)
                                                : municipality_find(a->s, q->municipality);
    if (!ask.municipality)
        fail(a, ERROR_NO_SUCH_OBJECT, "%s",
             q->municipality.len == 0
                 ? "there is not exactly one municipality; name one (`brugctl municipality list`)"
                 : "that municipality does not exist; see `brugctl municipality list`");
    else if (!protobuf_c_enum_descriptor_get_value(&brug__v1__figure_period__descriptor,
                                                   (int)q->period) ||
             q->period == BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_NONE || !is_day(q) ||
             !id_take_optional(q->after, &ask.after))
        fail(a, ERROR_REQUEST_MALFORMED,
             "a period is 4w, 6w, 2m, quarter or year, and lies between 2020 and 2100");
    if (a->answer->code)
        return;
    ask.period = decide_figure_period(q, ask.today);
    enum error e = decide_figures_published(a->s, a->c->policy, &ask, a->d, &a->answer->figures);
    if (e)
        fail(a, e, "%s", error_text(e));
}

/* ---- outages ---- */

static void add_outages(struct admin *a, Brug__V1__Outage *const *rows, size_t n)
{
    Brug__V1__Objects *to = objects(a);
    to->outages = decision_alloc(a->d, n, sizeof(Brug__V1__Outage *));
    for (; to->n_outages < n; to->n_outages++)
        to->outages[to->n_outages] = rows[to->n_outages];
}

static void put_outage(struct admin *a)
{
    Brug__V1__Outage *row;
    char *problem;
    enum error e = decide_put_outage(a->s, a->c, a->d, &row, &problem);
    if (e)
        fail(a, e, "%s", problem);
    else
        add_outages(a, &row, 1);
}

/* ---- the way to each ---- */

void decide_admin(const struct state *s, const struct admin_command *c, struct decision *d,
                  Brug__V1__AdminAnswer *answer)
{
    struct admin a = {.s = s, .c = c, .d = d, .answer = answer};
    const Brug__V1__AdminRequest *q = c->request;
    switch (q->request_case) {
    case BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY:
        add_municipality(&a, q->add_municipality);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION:
        add_organisation(&a, q->add_organisation);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_PERSON:
        add_person(&a, q->add_person);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ENDPOINT:
        add_endpoint(&a);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_LIST:
        list(&a, q->list);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_SHOW:
        show(&a, q->show);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS:
        set_status(&a, q->set_status);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_RELEASE:
        release(&a, q->release);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_REPLACE_ENDPOINT:
        replace_endpoint(&a, q->replace_endpoint);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_ENTRY:
        show_entry(&a, q->entry);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_RECOVER:
        recover(&a, q->recover);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_GET_FIGURES:
        get_figures(&a, q->get_figures);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_PUT_OUTAGE:
        put_outage(&a);
        break;
    case BRUG__V1__ADMIN_REQUEST__REQUEST_LIST_OUTAGES:
        add_outages(&a, s->outages.rows, s->outages.count);
        break;
    default:
        fail(&a, ERROR_UPDATE_RELAY, "this relay does not know the command; update brugd");
    }
}
