/*
 * daemon/core/apply.c: the only place where state changes. Every record was decided; nothing is judged here.
 *
 * A record about a message that is not in memory is a no-op: all that it did is folded. What is
 * counted counts once, as a replay begins right behind what the tables hold.
 */
#include "daemon/core/model.h"
#include "proto/frame.h"
#include <assert.h>

#define ARENA_BYTES (16u << 20)

struct application {
    struct state *state;
    uint64_t lsn;
    struct slice kept; /* what the record brought beside the journal, if the state needs it */
    struct message *touched;
};

/* The message that a record names; NULL when it is not in memory. */
static struct message *named(const struct application *a, ProtobufCBinaryData organisation,
                             ProtobufCBinaryData message_id)
{
    struct message_key key;
    if (!id_take_optional(organisation, &key.organisation) || !id_take(message_id, &key.id))
        return NULL;
    return message_find(a->state, &key);
}

static void touch(struct application *a, struct message *m)
{
    message_touch(a->state, m, a->lsn);
    a->touched = m;
}

/* ---- the directory and cases ---- */

static enum error apply_municipality(struct application *a, const ProtobufCMessage *r)
{
    return directory_put_municipality(a->state, a->lsn, (const Brug__V1__MunicipalityRow *)r);
}

static enum error apply_organisation(struct application *a, const ProtobufCMessage *r)
{
    return directory_put_organisation(a->state, a->lsn, (const Brug__V1__OrganisationRow *)r);
}

static enum error apply_person(struct application *a, const ProtobufCMessage *r)
{
    return directory_put_person(a->state, a->lsn, (const Brug__V1__PersonRow *)r);
}

static enum error apply_endpoint(struct application *a, const ProtobufCMessage *r)
{
    return directory_put_endpoint(a->state, a->lsn, (const Brug__V1__EndpointRow *)r);
}

/* A case of before cases moved, or at start a row of the table. */
static enum error apply_case_opened(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Case *r = (const Brug__V1__Case *)record;
    struct id id;
    if (id_take(r->case_id, &id) && casefile_find(a->state, &id))
        return ERROR_NONE; /* applied before */
    enum error e = casefile_put(a->state, r);
    return e || !a->state->is_loaded ? e
                                     : figure_open(a->state, r); /* a row's figures are loaded */
}

static enum error apply_case_moved(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__CaseMoved *r = (const Brug__V1__CaseMoved *)record;
    /* The figures first: the record may borrow from the row that it replaces. */
    enum error e = r->case_now ? figure_move(a->state, r) : ERROR_CORRUPT;
    return e ? e : casefile_put(a->state, r->case_now);
}

static enum error apply_figures_published(struct application *a, const ProtobufCMessage *r)
{
    return figure_publish(a->state, (const Brug__V1__FiguresPublished *)r);
}

static enum error apply_case_tags(struct application *a, const ProtobufCMessage *record)
{
    ProtobufCMessage *kept;
    if (a->kept.len == 0)
        return ERROR_CORRUPT;
    struct arena *arena = arena_new(); /* the state's has the record */
    if (!arena)
        return ERROR_NO_MEMORY;
    arena_reset(arena, ARENA_BYTES);
    enum error e = frame_decode_borrowed(arena, &brug__v1__tags_kept__descriptor, a->kept, &kept);
    if (e)
        e = arena_lacked_memory(arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
    else
        e = family_put(a->state, (const Brug__V1__CaseTags *)record,
                       (const Brug__V1__TagsKept *)kept);
    arena_free(arena);
    return e;
}

static enum error apply_team_key(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__TeamKey *r = (const Brug__V1__TeamKey *)record;
    struct organisation *team = organisation_find(a->state, r->team);
    return team && id_take(r->key_id, &team->family_key) ? ERROR_NONE : ERROR_CORRUPT;
}

static enum error apply_outage(struct application *a, const ProtobufCMessage *r)
{
    return outage_put(a->state, (const Brug__V1__Outage *)r);
}

static enum error apply_nothing(struct application *a, const ProtobufCMessage *r)
{
    (void)a;
    (void)r;
    return ERROR_NONE; /* for the audit only */
}

/* ---- messages ---- */

static enum error set_accepted(const struct state *s, struct message *m,
                               const Brug__V1__Accepted *r)
{
    m->sender = endpoint_find(s, r->endpoint);
    m->to = organisation_find(s, r->to);
    m->municipality = municipality_find(s, r->municipality);
    if (!m->to || !m->municipality || (r->organisation.len > 0 && !m->sender) ||
        !id_take_optional(r->case_id, &m->case_id) ||
        digest_from_slice(&m->digest, (struct slice){r->digest.data, r->digest.len}))
        return ERROR_CORRUPT;
    m->at_ms = r->at_ms;
    m->kind = (uint16_t)r->kind;
    m->body_bytes = r->body_bytes;
    for (size_t i = 0; i < r->n_readers; i++) {
        m->readers[i].endpoint = endpoint_find(s, r->readers[i]->endpoint);
        m->readers[i].sequence = r->readers[i]->sequence;
        if (!m->readers[i].endpoint)
            return ERROR_CORRUPT;
    }
    return ERROR_NONE;
}

/* Inserts, or frees what could not be inserted. */
static enum error insert(struct application *a, struct message *m, enum error e)
{
    m->touched_lsn = a->lsn;
    if (!e)
        e = message_insert(a->state, m);
    if (e)
        message_free(m);
    else
        a->touched = m;
    return e;
}

static enum error new_message(const struct application *a, ProtobufCBinaryData organisation,
                              ProtobufCBinaryData id, size_t readers, struct message **out)
{
    struct message_key key;
    if (!id_take_optional(organisation, &key.organisation) || !id_take(id, &key.id))
        return ERROR_CORRUPT;
    *out = message_find(a->state, &key) ? NULL : message_new(&key, readers);
    return *out || message_find(a->state, &key) ? ERROR_NONE : ERROR_NO_MEMORY;
}

static enum error apply_accepted(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Accepted *r = (const Brug__V1__Accepted *)record;
    struct message *m;
    enum error e = new_message(a, r->organisation, r->message_id, r->n_readers, &m);
    if (e || !m)
        return e;
    m->body_lsn = a->lsn;
    return insert(a, m, set_accepted(a->state, m, r));
}

static enum error apply_refusal(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Refusal *r = (const Brug__V1__Refusal *)record;
    struct message *m;
    enum error e = new_message(a, r->organisation, r->message_id, 0, &m);
    if (e || !m)
        return e;
    m->sender = endpoint_find(a->state, r->endpoint);
    m->code = (uint16_t)r->code;
    m->kind = (uint16_t)r->kind;
    m->at_ms = r->at_ms;
    if (!m->sender || !id_take_optional(r->case_id, &m->case_id) ||
        digest_from_slice(&m->digest, (struct slice){r->digest.data, r->digest.len}))
        e = ERROR_CORRUPT;
    return insert(a, m, e);
}

static struct reader *reader_of(const struct application *a, struct message *m,
                                ProtobufCBinaryData endpoint)
{
    struct endpoint *e = endpoint_find(a->state, endpoint);
    return m && e ? message_reader(m, e) : NULL;
}

static enum error apply_acknowledged(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Acknowledged *r = (const Brug__V1__Acknowledged *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    struct reader *reader = reader_of(a, m, r->endpoint);
    if (!reader)
        return ERROR_NONE;
    bool is_stored = r->result == BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    if (reader->state == READER_WAITING)
        message_settle(a->state, m, reader, is_stored ? READER_FETCHED : READER_UNREADABLE,
                       (uint16_t)r->code, r->at_ms);
    touch(a, m);
    return ERROR_NONE;
}

static enum error apply_opened_by(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__OpenedBy *r = (const Brug__V1__OpenedBy *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    struct reader *reader = reader_of(a, m, r->endpoint);
    if (!reader)
        return ERROR_NONE;
    if (reader->opened_at_ms == 0) {
        reader->opened_at_ms = r->at_ms;
        reader->opened_by = person_find(a->state, r->person);
    }
    touch(a, m);
    return ERROR_NONE;
}

static enum error apply_cancelled(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Cancelled *r = (const Brug__V1__Cancelled *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    struct reader *reader = reader_of(a, m, r->endpoint);
    if (!reader)
        return ERROR_NONE;
    if (reader->state == READER_WAITING)
        message_settle(a->state, m, reader, READER_CANCELLED, 0, r->at_ms);
    touch(a, m);
    return ERROR_NONE;
}

/* The copy that waits, or NULL: nothing is left to do. */
static struct reader *waiting_copy(const struct application *a, struct message *m,
                                   ProtobufCBinaryData endpoint)
{
    struct reader *reader = reader_of(a, m, endpoint);
    return reader && reader->state == READER_WAITING ? reader : NULL;
}

static enum error apply_in_vain(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__InVain *r = (const Brug__V1__InVain *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    struct reader *reader = waiting_copy(a, m, r->endpoint);
    if (!reader)
        return ERROR_NONE;
    message_count_in_vain(reader, r->sessions, r->at_ms);
    touch(a, m);
    return ERROR_NONE;
}

static enum error apply_parked(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Parked *r = (const Brug__V1__Parked *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    struct reader *reader = waiting_copy(a, m, r->endpoint);
    if (!reader)
        return ERROR_NONE;
    message_count_in_vain(reader, r->sessions, r->at_ms);
    message_park(a->state, reader);
    touch(a, m);
    return ERROR_NONE;
}

static enum error apply_released(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Released *r = (const Brug__V1__Released *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    struct reader *reader = waiting_copy(a, m, r->endpoint);
    if (!reader)
        return ERROR_NONE;
    message_release(a->state, reader);
    touch(a, m);
    return ERROR_NONE;
}

static enum error apply_quarantined(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Quarantined *r = (const Brug__V1__Quarantined *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    if (!m)
        return ERROR_NONE;
    message_set_quarantined(a->state, m, true);
    touch(a, m);
    return ERROR_NONE;
}

static enum error apply_healed(struct application *a, const ProtobufCMessage *record)
{
    const Brug__V1__Healed *r = (const Brug__V1__Healed *)record;
    struct message *m = named(a, r->organisation, r->message_id);
    if (!m)
        return ERROR_NONE;
    m->body_lsn = a->lsn;
    message_set_quarantined(a->state, m, false);
    touch(a, m);
    return ERROR_NONE;
}

/* ---- the table of record types ---- */

static const struct row {
    unsigned type;
    const ProtobufCMessageDescriptor *descriptor;
    enum error (*apply)(struct application *a, const ProtobufCMessage *record);
} ROWS[] = {
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACCEPTED, &brug__v1__accepted__descriptor, apply_accepted},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACKNOWLEDGED, &brug__v1__acknowledged__descriptor,
     apply_acknowledged},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY, &brug__v1__opened_by__descriptor,
     apply_opened_by},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_REFUSAL, &brug__v1__refusal__descriptor, apply_refusal},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED, &brug__v1__case__descriptor,
     apply_case_opened},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED, &brug__v1__case_moved__descriptor,
     apply_case_moved},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS, &brug__v1__case_tags__descriptor,
     apply_case_tags},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_TEAM_KEY, &brug__v1__team_key__descriptor, apply_team_key},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_OUTAGE, &brug__v1__outage__descriptor, apply_outage},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_SESSION, &brug__v1__session__descriptor, apply_nothing},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_RECOVERED, &brug__v1__recovered__descriptor, apply_nothing},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_FIGURES_PUBLISHED, &brug__v1__figures_published__descriptor,
     apply_figures_published},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_CANCELLED, &brug__v1__cancelled__descriptor,
     apply_cancelled},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_IN_VAIN, &brug__v1__in_vain__descriptor, apply_in_vain},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_PARKED, &brug__v1__parked__descriptor, apply_parked},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_RELEASED, &brug__v1__released__descriptor, apply_released},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_QUARANTINED, &brug__v1__quarantined__descriptor,
     apply_quarantined},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_HEALED, &brug__v1__healed__descriptor, apply_healed},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY, &brug__v1__municipality_row__descriptor,
     apply_municipality},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION, &brug__v1__organisation_row__descriptor,
     apply_organisation},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON, &brug__v1__person_row__descriptor, apply_person},
    {BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT, &brug__v1__endpoint_row__descriptor,
     apply_endpoint},
};

static const struct row *row_of(unsigned type)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].type == type)
            return &ROWS[i];
    return NULL;
}

enum error apply(struct state *s, uint64_t lsn, unsigned type, const ProtobufCMessage *record,
                 struct slice kept, struct message **touched)
{
    const struct row *row = row_of(type);
    struct application a = {.state = s, .lsn = lsn, .kept = kept};
    assert(row && row->descriptor == record->descriptor && lsn > s->lsn);
    enum error e = row->apply(&a, record);
    if (e)
        return e;
    s->lsn = lsn;
    if (touched)
        *touched = a.touched;
    return ERROR_NONE;
}

static enum error unpack(struct arena *arena, unsigned type, struct slice payload,
                         ProtobufCMessage **out)
{
    const struct row *row = row_of(type);
    if (!row)
        return ERROR_STORE_FORMAT;
    arena_reset(arena, ARENA_BYTES);
    if (frame_decode_borrowed(arena, row->descriptor, payload, out) == ERROR_NONE)
        return ERROR_NONE;
    return arena_lacked_memory(arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
}

enum error record_read_ms(struct arena *arena, unsigned type, struct slice payload, int64_t *out)
{
    ProtobufCMessage *record;
    enum error e = unpack(arena, type, payload, &record);
    if (e)
        return e;
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "at_ms");
    assert(f && f->type == PROTOBUF_C_TYPE_INT64); /* each record has it */
    *out = *(const int64_t *)((const char *)record + f->offset);
    return ERROR_NONE;
}

enum error apply_record_with(struct state *s, uint64_t lsn, unsigned type, struct slice payload,
                             struct slice kept)
{
    ProtobufCMessage *record;
    if (lsn <= s->lsn)
        return ERROR_NONE;
    enum error e = unpack(s->arena, type, payload, &record);
    return e ? e : apply(s, lsn, type, record, kept, NULL);
}

enum error apply_record(struct state *s, uint64_t lsn, unsigned type, struct slice payload)
{
    return apply_record_with(s, lsn, type, payload, SLICE_NONE);
}

static enum error load_row(struct state *s, unsigned record_type, struct slice payload,
                           struct slice kept)
{
    ProtobufCMessage *record;
    struct application a = {.state = s, .kept = kept};
    assert(!s->is_loaded);
    enum error e = unpack(s->arena, record_type, payload, &record);
    return e ? e : row_of(record_type)->apply(&a, record);
}

enum error state_load_row(struct state *s, unsigned record_type, struct slice payload)
{
    return load_row(s, record_type, payload, SLICE_NONE);
}

enum error state_load_tags(struct state *s, struct slice payload, struct slice kept)
{
    return load_row(s, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS, payload, kept);
}
