/*
 * daemon/core/directory.c: the entries of the directory: rows are put, and what follows from them (who
 * reads, which bytes are the roster) is made anew for the organisation concerned.
 *
 * Failures: a row that names something unknown (CORRUPT: decide and the store never make one), no memory.
 */
#include "daemon/core/model.h"
#include "proto/frame.h"
#include "rules/roles.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ACTIVE BRUG__V1__STATUS__STATUS_ACTIVE
#define ROSTER_BYTES_MAX (1u << 20)
#define CAPACITY_FIRST 4u

/* ---- finding ---- */

static struct entity *find(const struct table *t, ProtobufCBinaryData bytes)
{
    struct id id;
    return id_take(bytes, &id) ? table_find(t, &id) : NULL;
}

struct municipality *municipality_find(const struct state *s, ProtobufCBinaryData id)
{
    struct entity *e = find(&s->municipalities, id);
    return e ? container_of(e, struct municipality, entity) : NULL;
}

struct organisation *organisation_find(const struct state *s, ProtobufCBinaryData id)
{
    struct entity *e = find(&s->organisations, id);
    return e ? container_of(e, struct organisation, entity) : NULL;
}

struct person *person_find(const struct state *s, ProtobufCBinaryData id)
{
    struct entity *e = find(&s->persons, id);
    return e ? container_of(e, struct person, entity) : NULL;
}

struct endpoint *endpoint_find(const struct state *s, ProtobufCBinaryData id)
{
    struct entity *e = find(&s->endpoints, id);
    return e ? container_of(e, struct endpoint, entity) : NULL;
}

struct endpoint *endpoint_find_key(const struct state *s, const struct digest *key)
{
    struct map_node *n = map_find(&s->keys, key->bytes, DIGEST_BYTES);
    return n ? container_of(n, struct endpoint, key_node) : NULL;
}

/* ---- judging ---- */

bool municipality_is_active(const struct municipality *m) { return m->row->status == ACTIVE; }

size_t municipality_anchors(const Brug__V1__MunicipalityRow *row, struct slice *ders, size_t n,
                            size_t max)
{
    for (size_t i = 0; i < row->n_anchors && n < max; i++) {
        struct slice der = {row->anchors[i].data, row->anchors[i].len};
        size_t at = 0;
        while (at < n && !slice_equal(ders[at], der))
            at++;
        if (at == n)
            ders[n++] = der;
    }
    return n;
}

bool organisation_is_active(const struct organisation *o)
{
    return o->row->status == ACTIVE && municipality_is_active(o->home);
}

bool organisation_works_in(const struct organisation *o, const struct municipality *m)
{
    for (size_t i = 0; i < o->row->n_municipalities; i++)
        if (o->municipalities[i] == m)
            return true;
    return false;
}

bool person_is_active(const struct person *p) { return p->row->status == ACTIVE; }

Brug__V1__Role endpoint_role(const struct endpoint *e)
{
    if (e->row->recovery)
        return BRUG__V1__ROLE__ROLE_NONE;
    return e->person ? e->person->row->role : BRUG__V1__ROLE__ROLE_SYSTEM;
}

static bool endpoint_is_active(const struct endpoint *e)
{
    return e->row->status == ACTIVE && (!e->person || person_is_active(e->person)) &&
           e->organisation->row->status == ACTIVE;
}

bool endpoint_reads(const struct endpoint *e)
{
    return endpoint_is_active(e) && roles_read(endpoint_role(e));
}

enum error endpoint_judge(const struct endpoint *e, uint64_t *since_lsn)
{
    const struct organisation *o = e->organisation;
    const struct entity *parts[] = {&e->entity, e->person ? &e->person->entity : &e->entity,
                                    &o->entity, &o->home->entity};
    if (!e->row->recovery && endpoint_is_active(e) && municipality_is_active(o->home))
        return ERROR_NONE;
    if (since_lsn) {
        *since_lsn = 0;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            if (parts[i]->changed_lsn > *since_lsn)
                *since_lsn = parts[i]->changed_lsn;
    }
    return ERROR_SUSPENDED;
}

enum error organisation_judge_readers(const struct organisation *o, const struct endpoint *except)
{
    size_t count = o->readers.count;
    for (size_t i = 0; except && i < o->readers.count; i++)
        if (o->readers.items[i] == except)
            count--;
    if (count == 0)
        return ERROR_NO_READER;
    return o->active_count == 1 && o->recoveries.count == 0 ? ERROR_NOT_ADDRESSABLE : ERROR_NONE;
}

/* ---- what follows from the rows ---- */

static enum error endpoints_reserve(struct endpoints *list, size_t count)
{
    if (count <= list->capacity)
        return ERROR_NONE;
    struct endpoint **items = reallocarray(list->items, count, sizeof(struct endpoint *));
    if (!items)
        return ERROR_NO_MEMORY;
    list->items = items;
    list->capacity = count;
    return ERROR_NONE;
}

static void roster_set_endpoint(Brug__V1__RosterEndpoint *to, const struct endpoint *e)
{
    brug__v1__roster_endpoint__init(to);
    to->endpoint = id_bytes(&e->entity.id);
    if (e->person)
        to->person = id_bytes(&e->person->entity.id);
    to->recovery = e->row->recovery;
    to->binding_digest = digest_bytes(&e->binding_digest);
}

static void roster_set_person(Brug__V1__PersonEntry *to, const struct person *p)
{
    brug__v1__person_entry__init(to);
    to->person = id_bytes(&p->entity.id);
    to->name = p->row->name;
    to->role = p->row->role;
    to->until_ms = p->row->until_ms;
    to->active = person_is_active(p);
}

static enum error refresh_roster(struct organisation *o)
{
    size_t person_count = o->person_count, endpoint_count = o->endpoints.count;
    Brug__V1__Roster roster = BRUG__V1__ROSTER__INIT;
    Brug__V1__PersonEntry *persons = calloc(person_count + 1, sizeof *persons);
    Brug__V1__PersonEntry **person_list = calloc(person_count + 1, sizeof *person_list);
    Brug__V1__RosterEndpoint *endpoints = calloc(endpoint_count + 1, sizeof *endpoints);
    Brug__V1__RosterEndpoint **endpoint_list = calloc(endpoint_count + 1, sizeof *endpoint_list);
    enum error e = ERROR_NO_MEMORY;
    if (!persons || !person_list || !endpoints || !endpoint_list)
        goto out;
    for (size_t i = 0; i < person_count; i++) {
        roster_set_person(&persons[i], o->persons[i]);
        person_list[i] = &persons[i];
    }
    for (size_t i = 0, r = 0, c = 0; i < endpoint_count; i++) {
        const struct endpoint *p = o->endpoints.items[i];
        bool is_reader = r < o->readers.count && o->readers.items[r] == p;
        bool is_recovery = c < o->recoveries.count && o->recoveries.items[c] == p;
        r += is_reader;
        c += is_recovery;
        if (!is_reader && !is_recovery)
            continue;
        roster_set_endpoint(&endpoints[roster.n_endpoints], p);
        endpoint_list[roster.n_endpoints] = &endpoints[roster.n_endpoints];
        roster.n_endpoints++;
    }
    roster.organisation = id_bytes(&o->entity.id);
    roster.kind = o->row->kind;
    roster.home = id_bytes(&o->home->entity.id);
    roster.n_persons = person_count;
    roster.persons = person_list;
    roster.endpoints = endpoint_list;
    buf_clear(&o->roster);
    e = frame_append_bare(&o->roster, &roster.base);
out:
    free(persons);
    free(person_list);
    free(endpoints);
    free(endpoint_list);
    return e;
}

/* Who reads, who recovers, and the roster. */
static enum error refresh(struct organisation *o)
{
    enum error e = endpoints_reserve(&o->readers, o->endpoints.count);
    if (!e)
        e = endpoints_reserve(&o->recoveries, o->endpoints.count);
    if (e)
        return e;
    o->readers.count = o->recoveries.count = o->active_count = 0;
    for (size_t i = 0; i < o->endpoints.count; i++) {
        struct endpoint *p = o->endpoints.items[i];
        if (endpoint_reads(p))
            o->readers.items[o->readers.count++] = p;
        if (p->row->recovery && endpoint_is_active(p))
            o->recoveries.items[o->recoveries.count++] = p;
        o->active_count += !p->row->recovery && endpoint_is_active(p);
    }
    return refresh_roster(o);
}

/* ---- putting rows ---- */

ProtobufCMessage *row_copy(const ProtobufCMessage *row)
{
    size_t len = protobuf_c_message_get_packed_size(row);
    uint8_t *bytes = malloc(len ? len : 1);
    if (!bytes)
        return NULL;
    protobuf_c_message_pack(row, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(row->descriptor, NULL, len, bytes);
    free(bytes);
    return copy;
}

void row_free(void *row)
{
    if (row)
        protobuf_c_message_free_unpacked(row, NULL);
}

enum error directory_put_municipality(struct state *s, uint64_t lsn,
                                      const Brug__V1__MunicipalityRow *row)
{
    struct id id;
    if (!id_take(row->municipality, &id))
        return ERROR_CORRUPT;
    struct municipality *m = municipality_find(s, row->municipality);
    Brug__V1__MunicipalityRow *copy = (Brug__V1__MunicipalityRow *)row_copy(&row->base);
    if (!copy)
        return ERROR_NO_MEMORY;
    if (!m) {
        m = calloc(1, sizeof *m);
        if (!m)
            goto no_memory;
        m->entity.id = id;
        if (table_insert(&s->municipalities, &m->entity)) {
            free(m);
            goto no_memory;
        }
    }
    row_free(m->row);
    m->row = copy;
    m->entity.changed_lsn = lsn;
    return ERROR_NONE;
no_memory:
    row_free(copy);
    return ERROR_NO_MEMORY;
}

static enum error resolve(const struct state *s, const Brug__V1__OrganisationRow *row,
                          struct municipality ***out)
{
    struct municipality **list = calloc(row->n_municipalities + 1, sizeof *list);
    if (!list)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < row->n_municipalities; i++) {
        list[i] = municipality_find(s, row->municipalities[i]);
        if (!list[i]) {
            free(list);
            return ERROR_CORRUPT;
        }
    }
    *out = list;
    return ERROR_NONE;
}

static struct organisation *organisation_new(struct state *s, const struct id *id)
{
    struct organisation *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->entity.id = *id;
    buf_init(&o->roster, ROSTER_BYTES_MAX);
    if (table_insert(&s->organisations, &o->entity)) {
        free(o);
        return NULL;
    }
    return o;
}

enum error directory_put_organisation(struct state *s, uint64_t lsn,
                                      const Brug__V1__OrganisationRow *row)
{
    struct id id;
    struct municipality *home = municipality_find(s, row->home), **municipalities = NULL;
    if (!id_take(row->organisation, &id) || !home)
        return ERROR_CORRUPT;
    enum error e = resolve(s, row, &municipalities);
    if (e)
        return e;
    Brug__V1__OrganisationRow *copy = (Brug__V1__OrganisationRow *)row_copy(&row->base);
    struct organisation *o = organisation_find(s, row->organisation);
    if (copy && !o)
        o = organisation_new(s, &id);
    if (!copy || !o) {
        row_free(copy);
        free(municipalities);
        return ERROR_NO_MEMORY;
    }
    unsigned days = o->row ? casefile_working_days(o) : 0;
    row_free(o->row);
    free(o->municipalities);
    o->row = copy;
    o->home = home;
    o->municipalities = municipalities;
    o->entity.changed_lsn = lsn;
    e = refresh(o);
    return e || casefile_working_days(o) == days ? e : casefiles_on_working_days(s, o);
}

/* Keeps persons ascending by id. */
static enum error add_person(struct organisation *o, struct person *p)
{
    if (o->person_count == o->person_capacity) {
        size_t capacity = o->person_capacity ? 2 * o->person_capacity : CAPACITY_FIRST;
        struct person **persons = reallocarray(o->persons, capacity, sizeof(struct person *));
        if (!persons)
            return ERROR_NO_MEMORY;
        o->persons = persons;
        o->person_capacity = capacity;
    }
    size_t i = o->person_count++;
    for (; i > 0 && id_compare(&o->persons[i - 1]->entity.id, &p->entity.id) > 0; i--)
        o->persons[i] = o->persons[i - 1];
    o->persons[i] = p;
    return ERROR_NONE;
}

static struct person *person_new(struct state *s, const struct id *id, struct organisation *o)
{
    struct person *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->entity.id = *id;
    p->organisation = o;
    heap_node_init(&p->end);
    if (table_insert(&s->persons, &p->entity)) {
        free(p);
        return NULL;
    }
    return p;
}

enum error directory_put_person(struct state *s, uint64_t lsn, const Brug__V1__PersonRow *row)
{
    struct id id;
    struct organisation *o = organisation_find(s, row->organisation);
    if (!id_take(row->person, &id) || !o)
        return ERROR_CORRUPT;
    Brug__V1__PersonRow *copy = (Brug__V1__PersonRow *)row_copy(&row->base);
    struct person *p = person_find(s, row->person);
    if (p && p->organisation != o) {
        row_free(copy);
        return ERROR_CORRUPT;
    }
    bool is_new = !p;
    if (copy && !p)
        p = person_new(s, &id, o);
    if (!copy || !p) {
        row_free(copy);
        return ERROR_NO_MEMORY;
    }
    row_free(p->row);
    p->row = copy;
    p->entity.changed_lsn = lsn;
    heap_remove(&s->ends, &p->end);
    enum error e = is_new ? add_person(o, p) : ERROR_NONE;
    if (!e && person_is_active(p) && row->until_ms > 0)
        e = heap_insert(&s->ends, &p->end, row->until_ms);
    return e ? e : refresh(o);
}

/* Keeps endpoints ascending by id. */
static enum error add_endpoint(struct organisation *o, struct endpoint *e)
{
    struct endpoints *list = &o->endpoints;
    if (list->count == list->capacity) {
        enum error error =
            endpoints_reserve(list, list->capacity ? 2 * list->capacity : CAPACITY_FIRST);
        if (error)
            return error;
    }
    size_t i = list->count++;
    for (; i > 0 && id_compare(&list->items[i - 1]->entity.id, &e->entity.id) > 0; i--)
        list->items[i] = list->items[i - 1];
    list->items[i] = e;
    return ERROR_NONE;
}

static struct endpoint *endpoint_new(struct state *s, const struct id *id, struct organisation *o,
                                     struct person *p)
{
    struct endpoint *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->entity.id = *id;
    e->organisation = o;
    e->person = p;
    list_init(&e->mailbox);
    list_init(&e->cancelling);
    e->cursor = &e->mailbox;
    if (table_insert(&s->endpoints, &e->entity)) {
        free(e);
        return NULL;
    }
    return e;
}

/* Moves the endpoint's entry in the map of keys. */
static enum error set_key(struct state *s, struct endpoint *e, const struct digest *key)
{
    if (e->key_node.key && digest_equal(&e->key, key))
        return ERROR_NONE;
    if (endpoint_find_key(s, key))
        return ERROR_CORRUPT;
    if (e->key_node.key)
        map_remove(&s->keys, &e->key_node);
    e->key = *key;
    return map_insert(&s->keys, &e->key_node, e->key.bytes, DIGEST_BYTES);
}

enum error directory_put_endpoint(struct state *s, uint64_t lsn, const Brug__V1__EndpointRow *row)
{
    struct id id;
    struct digest key;
    struct organisation *o = organisation_find(s, row->organisation);
    struct person *p = person_find(s, row->person);
    if (!id_take(row->endpoint, &id) || !o || !row->binding ||
        (row->person.len > 0 && (!p || p->organisation != o)) ||
        digest_from_slice(
            &key, (struct slice){row->identity_key_digest.data, row->identity_key_digest.len}))
        return ERROR_CORRUPT;
    struct endpoint *e = endpoint_find(s, row->endpoint), *other = endpoint_find_key(s, &key);
    if ((other && other != e) || (e && (e->organisation != o || e->person != p)))
        return ERROR_CORRUPT;
    Brug__V1__EndpointRow *copy = (Brug__V1__EndpointRow *)row_copy(&row->base);
    bool is_new = !e;
    if (copy && !e)
        e = endpoint_new(s, &id, o, p);
    if (!copy || !e) {
        row_free(copy);
        return ERROR_NO_MEMORY;
    }
    row_free(e->row);
    e->row = copy;
    e->entity.changed_lsn = lsn;
    e->binding_digest =
        digest_of_slice((struct slice){copy->binding->binding.data, copy->binding->binding.len});
    if (e->sequence < row->sequence)
        e->sequence = row->sequence;
    enum error error = set_key(s, e, &key);
    if (!error && is_new)
        error = add_endpoint(o, e);
    return error ? error : refresh(o);
}

/* ---- the end ---- */

static void organisation_free(struct organisation *o)
{
    row_free(o->row);
    free(o->municipalities);
    free(o->cases);
    free(o->persons);
    free(o->endpoints.items);
    free(o->readers.items);
    free(o->recoveries.items);
    buf_fini(&o->roster);
    free(o);
}

void directory_fini(struct state *s)
{
    for (size_t i = 0; i < table_count(&s->municipalities); i++) {
        struct municipality *m =
            container_of(s->municipalities.sorted[i], struct municipality, entity);
        row_free(m->row);
        free(m);
    }
    for (size_t i = 0; i < table_count(&s->organisations); i++)
        organisation_free(container_of(s->organisations.sorted[i], struct organisation, entity));
    for (size_t i = 0; i < table_count(&s->persons); i++) {
        struct person *p = container_of(s->persons.sorted[i], struct person, entity);
        row_free(p->row);
        free(p);
    }
    for (size_t i = 0; i < table_count(&s->endpoints); i++) {
        struct endpoint *e = container_of(s->endpoints.sorted[i], struct endpoint, entity);
        row_free(e->row);
        free(e);
    }
    table_fini(&s->municipalities);
    table_fini(&s->organisations);
    table_fini(&s->persons);
    table_fini(&s->endpoints);
    map_fini(&s->keys);
    heap_fini(&s->ends);
}
