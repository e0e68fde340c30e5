/*
 * daemon/store/fold_record.c: what each record means for the tables.
 *
 * A record is brought to the messages in memory that it is about; those that are not there are read
 * from the table. Rows of the directory and of cases are written at once: they are few, and seldom the
 * same twice in a slice. So are the tags of cases, which lie beside the journal from the commit on. All memory is of
 * the store's arena.
 *
 * Failures: a record that does not unpack or names no id (CORRUPT), a type that is not known
 * (STORE_FORMAT), a case's event that is in the table before its record is folded (CORRUPT).
 *
 * Invariants
 *  1. A record about a message that is neither in the slice nor in the table changes nothing.
 *  2. `figure` counts what the records up to the fold's position count for.
 *  3. `case_event` holds the CASE_MOVED records up to the fold's position, each once; a case's row is
 *     what its last one says, or as a CASE_OPENED left it.
 *  4. `case_tags` has for each case that has not ended the tags that its last CASE_TAGS brought, and those of the
 *     records that are not folded yet.
 */
#include "daemon/store/fold.h"
#include "daemon/store/sql.h"
#include "proto/frame.h"
#include "rules/case.h"
#include <assert.h>
#include <string.h>

bool fold_reader_waits(const Brug__V1__KnownReader *r)
{
    return r->fetched_at_ms == 0 && r->unreadable == 0 && r->cancelled_at_ms == 0;
}

static void *allocate(struct fold *f, size_t len) { return arena_alloc(f->store->arena, len); }

bool fold_keep(struct fold *f, struct slice *bytes)
{
    void *copy = allocate(f, bytes->len);
    if (copy != NULL && bytes->len > 0)
        memcpy(copy, bytes->data, bytes->len);
    bytes->data = copy;
    return copy != NULL;
}

/* NULL when it cannot. Its bytes are those of the payload. */
static ProtobufCMessage *unpack(struct fold *f, const ProtobufCMessageDescriptor *type,
                                struct slice payload)
{
    ProtobufCMessage *m;
    return frame_decode_borrowed(f->store->arena, type, payload, &m) == ERROR_NONE ? m : NULL;
}

/* What a failed unpack means. */
static enum error unpack_error(struct fold *f)
{
    return arena_was_exceeded(f->store->arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
}

enum error fold_driver_error(struct fold *f, enum error e)
{
    return e == ERROR_NONE ? e : store_failed(f->store, f->store->outbox, e, NULL);
}

static struct slice bytes_of(ProtobufCBinaryData b) { return slice_of(b.data, b.len); }

/* Of relay-made messages the organisation is empty in records, and zero in keys. */
static enum error key_of(struct message_key *out, ProtobufCBinaryData organisation,
                         ProtobufCBinaryData message_id)
{
    struct message_key key = {ID_NONE, ID_NONE};
    if (id_from_slice(&key.message_id, bytes_of(message_id)) != ERROR_NONE)
        return ERROR_CORRUPT;
    if (organisation.len > 0 && id_from_slice(&key.organisation, bytes_of(organisation)))
        return ERROR_CORRUPT;
    *out = key;
    return ERROR_NONE;
}

/* ---- messages in memory ---- */

static enum error message_add(struct fold *f, const struct message_key *key,
                              Brug__V1__KnownMessage *known, bool is_stored,
                              struct fold_message **out)
{
    struct fold_message *m = allocate(f, sizeof *m);
    bool *has_delivery = allocate(f, known->n_readers + 1);
    if (m == NULL || has_delivery == NULL)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < known->n_readers; i++)
        has_delivery[i] = is_stored && fold_reader_waits(known->readers[i]);
    memset(m, 0, sizeof *m);
    m->key = *key;
    m->known = known;
    m->has_delivery = has_delivery;
    enum error e = map_insert(&f->messages, &m->node, &m->key, sizeof m->key);
    if (e != ERROR_NONE)
        return e;
    list_append(&f->message_list, &m->link);
    *out = m;
    return ERROR_NONE;
}

/* From the table; *out is NULL when it is not there. */
static enum error message_read(struct fold *f, const struct message_key *key,
                               struct fold_message **out)
{
    struct driver *d = f->store->outbox;
    Brug__V1__KnownMessage *known = NULL;
    bool has_row = false;
    driver_bind_slice(d, MESSAGE_READ, 1, id_slice(&key->message_id));
    driver_bind_slice(d, MESSAGE_READ, 2, id_slice(&key->organisation));
    enum error e = driver_step(d, MESSAGE_READ, &has_row);
    if (e == ERROR_NONE && has_row) {
        struct slice row = driver_column_slice(d, MESSAGE_READ, 0);
        f->cost_bytes += row.len;
        if (fold_keep(f, &row))
            known = (void *)unpack(f, &brug__v1__known_message__descriptor, row);
        if (known == NULL)
            e = unpack_error(f);
    }
    driver_reset(d, MESSAGE_READ);
    *out = NULL;
    if (e != ERROR_NONE || known == NULL)
        return e == ERROR_CORRUPT && has_row
                   ? store_failed(f->store, NULL, e, "a row of `message` does not unpack")
                   : fold_driver_error(f, e);
    return message_add(f, key, known, true, out);
}

static enum error message_find(struct fold *f, ProtobufCBinaryData organisation,
                               ProtobufCBinaryData message_id, struct fold_message **out)
{
    struct message_key key;
    enum error e = key_of(&key, organisation, message_id);
    if (e != ERROR_NONE)
        return e;
    struct map_node *n = map_find(&f->messages, &key, sizeof key);
    if (n == NULL)
        return message_read(f, &key, out);
    *out = container_of(n, struct fold_message, node);
    return ERROR_NONE;
}

/* A message that the record itself brings. As in the state, the first word about an id stands. */
static enum error message_put(struct fold *f, Brug__V1__KnownMessage *known)
{
    struct message_key key;
    struct fold_message *m;
    enum error e = key_of(&key, known->organisation, known->message_id);
    if (e != ERROR_NONE)
        return e;
    if (map_find(&f->messages, &key, sizeof key) != NULL)
        return ERROR_NONE;
    e = message_add(f, &key, known, false, &m);
    if (e != ERROR_NONE)
        return e;
    m->is_changed = true;
    if (id_version(&key.message_id) == 7 && id_v7_ms(&key.message_id) > f->newest_ms)
        f->newest_ms = id_v7_ms(&key.message_id);
    return ERROR_NONE;
}

static Brug__V1__KnownReader *reader_find(struct fold_message *m, ProtobufCBinaryData endpoint)
{
    for (size_t i = 0; m != NULL && i < m->known->n_readers; i++)
        if (slice_equal(bytes_of(m->known->readers[i]->endpoint), bytes_of(endpoint)))
            return m->known->readers[i];
    return NULL;
}

static enum error mailbox_raise(struct fold *f, ProtobufCBinaryData endpoint, uint64_t sequence)
{
    struct id id;
    if (id_from_slice(&id, bytes_of(endpoint)) != ERROR_NONE)
        return ERROR_CORRUPT;
    struct map_node *n = map_find(&f->mailboxes, &id, sizeof id);
    struct fold_mailbox *b =
        n == NULL ? allocate(f, sizeof *b) : container_of(n, struct fold_mailbox, node);
    if (b == NULL)
        return ERROR_NO_MEMORY;
    if (n == NULL) {
        *b = (struct fold_mailbox){.endpoint = id};
        enum error e = map_insert(&f->mailboxes, &b->node, &b->endpoint, sizeof b->endpoint);
        if (e != ERROR_NONE)
            return e;
        list_append(&f->mailbox_list, &b->link);
    }
    if (sequence > b->sequence)
        b->sequence = sequence;
    return ERROR_NONE;
}

/* ---- one record ---- */

/* Unpacks `payload` as `type` into `name`, in the arena, where the payload's row lies too; returns when it
 * cannot. */
#define UNPACK(f, payload, type, name) \
    name = (void *)unpack((f), &brug__v1__##type##__descriptor, (payload)); \
    if (name == NULL) \
    return unpack_error(f)

static enum error fold_accepted(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Accepted *a;
    UNPACK(f, payload, accepted, a);
    Brug__V1__KnownMessage *known = allocate(f, sizeof *known);
    Brug__V1__KnownReader **readers = allocate(f, (a->n_readers + 1) * sizeof *readers);
    Brug__V1__KnownReader *values = allocate(f, (a->n_readers + 1) * sizeof *values);
    if (known == NULL || readers == NULL || values == NULL)
        return ERROR_NO_MEMORY;
    brug__v1__known_message__init(known);
    known->message_id = a->message_id;
    known->organisation = a->organisation;
    known->endpoint = a->endpoint;
    known->municipality = a->municipality;
    known->to = a->to;
    known->kind = a->kind;
    known->case_id = a->case_id;
    known->digest = a->digest;
    known->at_ms = a->at_ms;
    known->body_lsn = lsn;
    known->body_bytes = a->body_bytes;
    known->n_readers = a->n_readers;
    known->readers = readers;
    for (size_t i = 0; i < a->n_readers; i++) {
        readers[i] = &values[i];
        brug__v1__known_reader__init(readers[i]);
        readers[i]->endpoint = a->readers[i]->endpoint;
        readers[i]->sequence = a->readers[i]->sequence;
        enum error e = mailbox_raise(f, readers[i]->endpoint, readers[i]->sequence);
        if (e != ERROR_NONE)
            return e;
    }
    return message_put(f, known);
}

static enum error fold_refusal(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Refusal *r;
    UNPACK(f, payload, refusal, r);
    Brug__V1__KnownMessage *known = allocate(f, sizeof *known);
    if (known == NULL)
        return ERROR_NO_MEMORY;
    brug__v1__known_message__init(known);
    known->message_id = r->message_id;
    known->organisation = r->organisation;
    known->endpoint = r->endpoint;
    known->kind = r->kind;
    known->case_id = r->case_id;
    known->digest = r->digest;
    known->code = r->code;
    known->at_ms = r->at_ms;
    return message_put(f, known);
}

static enum error fold_acknowledged(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Acknowledged *a;
    struct fold_message *m;
    UNPACK(f, payload, acknowledged, a);
    enum error e = message_find(f, a->organisation, a->message_id, &m);
    if (e != ERROR_NONE)
        return e;
    Brug__V1__KnownReader *r = reader_find(m, a->endpoint);
    if (r == NULL || !fold_reader_waits(r))
        return ERROR_NONE;
    if (a->result == BRUG__V1__ACK_RESULT__ACK_RESULT_STORED) {
        r->fetched_at_ms = a->at_ms;
    } else {
        r->unreadable = a->code;
        r->unreadable_at_ms = a->at_ms;
    }
    m->is_changed = true;
    return ERROR_NONE;
}

static enum error fold_opened_by(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__OpenedBy *o;
    struct fold_message *m;
    UNPACK(f, payload, opened_by, o);
    enum error e = message_find(f, o->organisation, o->message_id, &m);
    if (e != ERROR_NONE)
        return e;
    Brug__V1__KnownReader *r = reader_find(m, o->endpoint);
    if (r == NULL || r->opened_at_ms != 0)
        return ERROR_NONE;
    r->opened_at_ms = o->at_ms;
    r->opened_by = o->person;
    m->is_changed = true;
    return ERROR_NONE;
}

static enum error fold_cancelled(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Cancelled *c;
    struct fold_message *m;
    UNPACK(f, payload, cancelled, c);
    enum error e = message_find(f, c->organisation, c->message_id, &m);
    if (e != ERROR_NONE)
        return e;
    Brug__V1__KnownReader *r = reader_find(m, c->endpoint);
    if (r == NULL || !fold_reader_waits(r))
        return ERROR_NONE;
    r->cancelled_at_ms = c->at_ms;
    m->is_changed = true;
    return ERROR_NONE;
}

/* The reader whose copy waits, of the message that a record names; NULL: nothing is left to do. */
static enum error waiting_find(struct fold *f, ProtobufCBinaryData organisation,
                               ProtobufCBinaryData message_id, ProtobufCBinaryData endpoint,
                               Brug__V1__KnownReader **out)
{
    struct fold_message *m;
    *out = NULL;
    enum error e = message_find(f, organisation, message_id, &m);
    if (e != ERROR_NONE)
        return e;
    Brug__V1__KnownReader *r = reader_find(m, endpoint);
    if (r == NULL || !fold_reader_waits(r))
        return ERROR_NONE;
    m->is_changed = true;
    *out = r;
    return ERROR_NONE;
}

static enum error fold_in_vain(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__InVain *v;
    Brug__V1__KnownReader *r;
    UNPACK(f, payload, in_vain, v);
    enum error e = waiting_find(f, v->organisation, v->message_id, v->endpoint, &r);
    if (e != ERROR_NONE || r == NULL)
        return e;
    r->in_vain = v->sessions;
    r->in_vain_at_ms = v->at_ms;
    return ERROR_NONE;
}

static enum error fold_parked(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Parked *p;
    Brug__V1__KnownReader *r;
    UNPACK(f, payload, parked, p);
    enum error e = waiting_find(f, p->organisation, p->message_id, p->endpoint, &r);
    if (e != ERROR_NONE || r == NULL)
        return e;
    r->in_vain = p->sessions;
    r->in_vain_at_ms = p->at_ms;
    r->parked = r->was_parked = true;
    return ERROR_NONE;
}

static enum error fold_released(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Released *l;
    Brug__V1__KnownReader *r;
    UNPACK(f, payload, released, l);
    enum error e = waiting_find(f, l->organisation, l->message_id, l->endpoint, &r);
    if (e != ERROR_NONE || r == NULL || !r->parked)
        return e;
    r->in_vain = 0;
    r->in_vain_at_ms = 0;
    r->parked = false;
    return ERROR_NONE;
}

static enum error fold_quarantined(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Quarantined *q;
    struct fold_message *m;
    UNPACK(f, payload, quarantined, q);
    enum error e = message_find(f, q->organisation, q->message_id, &m);
    if (e != ERROR_NONE || m == NULL)
        return e;
    m->known->quarantined = true;
    m->is_changed = true;
    return ERROR_NONE;
}

/* The right body came in the group of this record, and is found under its lsn from now on. */
static enum error fold_healed(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Healed *h;
    struct fold_message *m;
    UNPACK(f, payload, healed, h);
    enum error e = message_find(f, h->organisation, h->message_id, &m);
    if (e != ERROR_NONE || m == NULL)
        return e;
    m->known->quarantined = false;
    m->known->body_lsn = lsn;
    m->is_changed = true;
    return ERROR_NONE;
}

static enum error put_directory(struct fold *f, unsigned type, ProtobufCBinaryData id,
                                struct slice payload)
{
    struct driver *d = f->store->outbox;
    if (id.len != ID_BYTES)
        return ERROR_CORRUPT;
    driver_bind_u64(d, DIRECTORY_PUT, 1, type);
    driver_bind_slice(d, DIRECTORY_PUT, 2, bytes_of(id));
    driver_bind_slice(d, DIRECTORY_PUT, 3, payload);
    return fold_driver_error(f, driver_execute(d, DIRECTORY_PUT));
}

static enum error fold_municipality(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__MunicipalityRow *r;
    UNPACK(f, payload, municipality_row, r);
    return put_directory(f, BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY, r->municipality,
                         payload);
}

static enum error fold_organisation(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__OrganisationRow *r;
    UNPACK(f, payload, organisation_row, r);
    return put_directory(f, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION, r->organisation,
                         payload);
}

static enum error fold_person(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__PersonRow *r;
    UNPACK(f, payload, person_row, r);
    return put_directory(f, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON, r->person, payload);
}

static enum error fold_endpoint(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__EndpointRow *r;
    UNPACK(f, payload, endpoint_row, r);
    enum error e = mailbox_raise(f, r->endpoint, r->sequence);
    if (e != ERROR_NONE)
        return e;
    return put_directory(f, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT, r->endpoint, payload);
}

static enum error put_case(struct fold *f, unsigned statement, ProtobufCBinaryData id,
                           struct slice row)
{
    struct driver *d = f->store->outbox;
    driver_bind_slice(d, statement, 1, bytes_of(id));
    driver_bind_slice(d, statement, 2, row);
    return fold_driver_error(f, driver_execute(d, statement));
}

static enum error find_case(struct fold *f, ProtobufCBinaryData id, bool *is_there)
{
    struct driver *d = f->store->outbox;
    bool has_row = false;
    driver_bind_slice(d, CASE_FIND, 1, bytes_of(id));
    enum error e = driver_step(d, CASE_FIND, &has_row);
    *is_there = e == ERROR_NONE && has_row && driver_column_u64(d, CASE_FIND, 0) > 0;
    driver_reset(d, CASE_FIND);
    return fold_driver_error(f, e);
}

/* Its payload is a row too: the first fields of a Case. */
static enum error fold_case_opened(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Case *c;
    bool is_there;
    UNPACK(f, payload, case, c);
    if (c->case_id.len != ID_BYTES)
        return ERROR_CORRUPT;
    enum error e = find_case(f, c->case_id, &is_there);
    if (e != ERROR_NONE || is_there)
        return e;
    e = put_case(f, CASE_PUT, c->case_id, payload);
    return e == ERROR_NONE ? fold_driver_error(f, figures_add_case(f->store->outbox, c)) : e;
}

static enum error add_event(struct fold *f, uint64_t lsn, ProtobufCBinaryData id,
                            struct slice payload)
{
    struct driver *d = f->store->outbox;
    driver_bind_u64(d, CASE_EVENT_ADD, 1, lsn);
    driver_bind_slice(d, CASE_EVENT_ADD, 2, bytes_of(id));
    driver_bind_slice(d, CASE_EVENT_ADD, 3, payload);
    return fold_driver_error(f, driver_execute(d, CASE_EVENT_ADD));
}

static enum error drop_tags(struct fold *f, ProtobufCBinaryData case_id)
{
    struct driver *d = f->store->outbox;
    driver_bind_slice(d, TAGS_DROP, 1, bytes_of(case_id));
    return fold_driver_error(f, driver_execute_wiping(d, TAGS_DROP));
}

static enum error fold_case_tags(struct fold *f, uint64_t lsn, struct slice payload)
{
    struct driver *d = f->store->outbox;
    Brug__V1__CaseTags *t;
    UNPACK(f, payload, case_tags, t);
    if (t->case_id.len != ID_BYTES)
        return ERROR_CORRUPT;
    enum error e = drop_tags(f, t->case_id);
    if (e != ERROR_NONE)
        return e;
    driver_bind_slice(d, TAGS_NAME, 1, bytes_of(t->case_id));
    driver_bind_slice(d, TAGS_NAME, 2, payload);
    driver_bind_u64(d, TAGS_NAME, 3, lsn);
    return fold_driver_error(f, driver_execute_wiping(d, TAGS_NAME));
}

static enum error fold_team_key(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__TeamKey *k;
    UNPACK(f, payload, team_key, k);
    return put_directory(f, BRUG__V1__RECORD_TYPE__RECORD_TYPE_TEAM_KEY, k->team, payload);
}

static enum error fold_outage(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__Outage *o;
    UNPACK(f, payload, outage, o);
    return put_directory(f, BRUG__V1__RECORD_TYPE__RECORD_TYPE_OUTAGE, o->outage_id, payload);
}

/* The event first: if it is there already, the position is older than the tables, and the row is the newer one. */
static enum error fold_case_moved(struct fold *f, uint64_t lsn, struct slice payload)
{
    struct buf *row = &f->store->scratch;
    Brug__V1__CaseMoved *m;
    uint8_t *at;
    UNPACK(f, payload, case_moved, m);
    const Brug__V1__Case *now = m->case_now;
    if (now == NULL || now->case_id.len != ID_BYTES)
        return ERROR_CORRUPT;
    buf_clear(row);
    enum error e = buf_extend(row, brug__v1__case__get_packed_size(now), &at);
    if (e != ERROR_NONE)
        return e;
    (void)brug__v1__case__pack(now, at); /* its size, which we know */
    e = add_event(f, lsn, now->case_id, payload);
    if (e == ERROR_NONE)
        e = put_case(f, CASE_PUT, now->case_id, buf_slice(row));
    if (e == ERROR_NONE)
        e = fold_driver_error(f, figures_add_move(f->store->outbox, m));
    bool has_ended = case_has_ended(now->state);
    return e == ERROR_NONE && has_ended ? drop_tags(f, now->case_id) : e;
}

static enum error fold_figures_published(struct fold *f, uint64_t lsn, struct slice payload)
{
    Brug__V1__FiguresPublished *t;
    UNPACK(f, payload, figures_published, t);
    return fold_driver_error(f, figures_add_table(f->store->outbox, t, payload));
}

/* What is for the audit only. */
static enum error fold_nothing(struct fold *f, uint64_t lsn, struct slice payload)
{
    return ERROR_NONE;
}

/* A field of bytes that the message has. */
static const ProtobufCBinaryData *field_of(const ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    assert(f != NULL && f->type == PROTOBUF_C_TYPE_BYTES);
    return (const ProtobufCBinaryData *)((const char *)m + f->offset);
}

enum error fold_record_names(struct arena *arena, unsigned type, struct slice payload,
                             bool *is_about, struct id *organisation, struct id *message_id)
{
    const ProtobufCMessageDescriptor *descriptor;
    switch (type) {
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACKNOWLEDGED:
        descriptor = &brug__v1__acknowledged__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY:
        descriptor = &brug__v1__opened_by__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_CANCELLED:
        descriptor = &brug__v1__cancelled__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_IN_VAIN:
        descriptor = &brug__v1__in_vain__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_PARKED:
        descriptor = &brug__v1__parked__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_RELEASED:
        descriptor = &brug__v1__released__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_QUARANTINED:
        descriptor = &brug__v1__quarantined__descriptor;
        break;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_HEALED:
        descriptor = &brug__v1__healed__descriptor;
        break;
    default:
        *is_about = false;
        return ERROR_NONE;
    }
    ProtobufCMessage *m =
        protobuf_c_message_unpack(descriptor, arena_allocator(arena), payload.len, payload.data);
    if (m == NULL)
        return arena_was_exceeded(arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT;
    struct message_key key;
    enum error e = key_of(&key, *field_of(m, "organisation"), *field_of(m, "message_id"));
    if (e != ERROR_NONE)
        return e;
    *organisation = key.organisation;
    *message_id = key.message_id;
    *is_about = true;
    return ERROR_NONE;
}

typedef enum error fold_record_cb(struct fold *f, uint64_t lsn, struct slice payload);

static fold_record_cb *handler_of(unsigned type)
{
    switch (type) {
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY:
        return fold_municipality;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION:
        return fold_organisation;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON:
        return fold_person;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT:
        return fold_endpoint;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACCEPTED:
        return fold_accepted;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_REFUSAL:
        return fold_refusal;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACKNOWLEDGED:
        return fold_acknowledged;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY:
        return fold_opened_by;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_CANCELLED:
        return fold_cancelled;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_IN_VAIN:
        return fold_in_vain;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_PARKED:
        return fold_parked;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_RELEASED:
        return fold_released;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_QUARANTINED:
        return fold_quarantined;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_HEALED:
        return fold_healed;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED:
        return fold_case_opened;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED:
        return fold_case_moved;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS:
        return fold_case_tags;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_TEAM_KEY:
        return fold_team_key;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_OUTAGE:
        return fold_outage;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_FIGURES_PUBLISHED:
        return fold_figures_published;
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_SESSION:
    case BRUG__V1__RECORD_TYPE__RECORD_TYPE_RECOVERED:
        return fold_nothing;
    default:
        return NULL;
    }
}

enum error fold_record(struct fold *f, uint64_t lsn, unsigned type, struct slice payload)
{
    fold_record_cb *handler = handler_of(type);
    if (handler == NULL)
        return store_failed(f->store, NULL, ERROR_STORE_FORMAT,
                            "the journal has a record of a type that this program does not know");
    f->cost_bytes += payload.len;
    enum error e = handler(f, lsn, payload);
    if (e == ERROR_CORRUPT)
        return store_failed(f->store, NULL, e, "a record in the journal is not valid");
    return e == ERROR_NONE ? e : store_failed(f->store, NULL, e, NULL);
}
