/*
 * client/belief.c: the judgement of an organisation's roster (see belief.h).
 *
 * Happy path: decode, check every field, match each reader of the roster with its entry, judge each by our
 * own anchors, then by the pins, then let believed colleagues' countersignatures count until none adds more.
 * Invariant: nothing that the relay says moves an entry upwards; only our pins, and signatures of keys that
 * are pinned (or were countersigned by such), do.
 */
#include "client/belief.h"

#include "base/text.h"
#include "client/client.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BELIEF_ARENA_BYTES (64u << 20)

/* ---- one entry ---- */

enum error belief_judge_entry(const struct belief_basis *basis, const struct id *organisation,
                              const Brug__V1__EndpointEntry *entry,
                              const Brug__V1__Binding *binding, struct certificate_identity *names,
                              const char **what)
{
    struct slice intermediates[BINDING_INTERMEDIATES_MAX];
    if (entry->n_intermediates > BINDING_INTERMEDIATES_MAX) {
        *what = "too many intermediate certificates";
        return ERROR_NOT_BELIEVED;
    }
    for (size_t i = 0; i < entry->n_intermediates; i++)
        intermediates[i] = check_slice(entry->intermediates[i]);
    struct binding_claim claim = {
        .binding = check_slice(entry->binding->binding),
        .signature = check_slice(entry->binding->signature),
        .listed_organisation = *organisation,
        .identity_key = check_slice(binding->identity_key),
        .sealing_key = check_slice(binding->sealing_key),
        .identity_certificate = check_slice(entry->identity_certificate),
        .sealing_certificate = check_slice(entry->sealing_certificate),
        .intermediates = intermediates,
        .intermediate_count = entry->n_intermediates,
    };
    *what = "ids of the binding";
    if (check_id(binding->municipality, &claim.municipality) != ERROR_NONE ||
        check_id(binding->organisation, &claim.organisation) != ERROR_NONE ||
        check_id(binding->endpoint, &claim.endpoint) != ERROR_NONE ||
        (binding->person.len > 0 && check_id(binding->person, &claim.person) != ERROR_NONE))
        return ERROR_NOT_BELIEVED;
    return binding_judge(&claim, basis->trust, basis->scopes, basis->scope_count, basis->now_ms,
                         names, what);
}

static enum error refuse(struct belief_entry *e, enum error error, const char *what)
{
    e->state = BRUG_TRUST_REFUSED;
    e->error = error;
    e->what = what;
    return error;
}

/* Whether entry and binding say the same as the roster. */
static enum error match_roster(const struct belief *b, struct belief_entry *e)
{
    if (!e->entry)
        return refuse(e, ERROR_NOT_BELIEVED, "the relay gives no entry for this reader");
    if (!e->binding)
        return refuse(e, ERROR_NOT_BELIEVED, "the binding cannot be read");
    if (!client_field_is(e->binding->endpoint, &e->endpoint) ||
        !client_field_is(e->binding->person, &e->person) || e->binding->recovery != e->is_recovery)
        return refuse(e, ERROR_NOT_BELIEVED, "the binding says otherwise than the roster");
    if (!slice_equal(check_slice(e->binding->municipality), check_slice(b->roster->home)))
        return refuse(e, ERROR_NOT_BELIEVED, "the binding is of another municipality");
    return ERROR_NONE;
}

static void judge_pins(const struct belief_basis *basis, struct belief_entry *e)
{
    e->state = basis->is_known ? BRUG_TRUST_MORE : BRUG_TRUST_NEW;
    for (size_t i = 0; i < basis->pin_count; i++) {
        if (!id_equal(&basis->pins[i].endpoint, &e->endpoint))
            continue;
        e->state = digest_equal(&basis->pins[i].binding, &e->digest) ? BRUG_TRUST_BELIEVED
                                                                     : BRUG_TRUST_CHANGED;
        return;
    }
}

static void judge_one(const struct belief_basis *basis, const struct belief *b,
                      struct belief_entry *e)
{
    if (match_roster(b, e) != ERROR_NONE)
        return;
    const char *what = "";
    enum error error =
        belief_judge_entry(basis, &b->organisation, e->entry, e->binding, &e->names, &what);
    if (error != ERROR_NONE) {
        (void)refuse(e, error, what); /* the state says it */
        return;
    }
    judge_pins(basis, e);
}

/* ---- colleagues ---- */

static bool vouches(const struct belief *b, const struct belief_entry *e,
                    const Brug__V1__Countersignature *c)
{
    struct id endpoint;
    if (check_id(c->endpoint, &endpoint) != ERROR_NONE || id_equal(&endpoint, &e->endpoint))
        return false;
    const struct belief_entry *colleague = belief_find(b, &endpoint);
    if (!colleague || colleague->state != BRUG_TRUST_BELIEVED || colleague->is_recovery)
        return false;
    return binding_verify_countersignature(check_slice(colleague->binding->identity_key),
                                           check_slice(e->entry->binding->binding),
                                           check_slice(c->signature)) == ERROR_NONE;
}

static bool is_vouched_for(const struct belief *b, const struct belief_entry *e)
{
    for (size_t i = 0; i < e->entry->n_countersignatures; i++)
        if (vouches(b, e, e->entry->countersignatures[i]))
            return true;
    return false;
}

static void judge_colleagues(struct belief *b)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < b->entry_count; i++) {
            struct belief_entry *e = &b->entries[i];
            if (e->state != BRUG_TRUST_MORE || !is_vouched_for(b, e))
                continue;
            e->state = BRUG_TRUST_BELIEVED;
            e->is_countersigned = again = true;
        }
    }
}

/* ---- the organisation ---- */

static const Brug__V1__Binding *decode_binding(struct belief *b, const Brug__V1__EndpointEntry *e)
{
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    if (frame_decode_known(b->arena, &brug__v1__binding__descriptor,
                           check_slice(e->binding->binding), &m) != ERROR_NONE ||
        check_binding((const Brug__V1__Binding *)m, &field) != ERROR_NONE)
        return NULL;
    return (const Brug__V1__Binding *)m;
}

static void find_entry(struct belief *b, struct belief_entry *e)
{
    for (size_t i = 0; i < b->entry->n_endpoints; i++) {
        const Brug__V1__EndpointEntry *listed = b->entry->endpoints[i];
        struct digest d =
            listed->binding ? binding_digest(check_slice(listed->binding->binding)) : e->digest;
        if (!listed->binding || !digest_equal(&d, &e->digest))
            continue;
        e->entry = listed;
        e->binding = decode_binding(b, listed);
        return;
    }
}

static int role_of(const Brug__V1__Roster *r, const struct id *person)
{
    if (id_is_none(person))
        return BRUG__V1__ROLE__ROLE_SYSTEM;
    for (size_t i = 0; i < r->n_persons; i++)
        if (client_field_is(r->persons[i]->person, person))
            return (int)r->persons[i]->role;
    return BRUG__V1__ROLE__ROLE_NONE;
}

static enum error decode_roster(struct belief *b)
{
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    struct slice bytes = check_slice(b->entry->roster);
    enum error e = frame_decode(b->arena, &brug__v1__roster__descriptor, bytes, &m);
    if (e == ERROR_NONE)
        e = check_roster((const Brug__V1__Roster *)m, &field);
    if (e != ERROR_NONE)
        return e;
    b->roster = (const Brug__V1__Roster *)m;
    b->roster_digest = digest_of_slice(bytes);
    return check_id(b->roster->organisation, &b->organisation);
}

static enum error fill_entries(struct belief *b)
{
    size_t n = b->roster->n_endpoints;
    b->entries = calloc(n ? n : 1, sizeof *b->entries);
    if (!b->entries)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const Brug__V1__RosterEndpoint *r = b->roster->endpoints[i];
        struct belief_entry *e = &b->entries[i];
        e->is_recovery = r->recovery;
        if (check_id(r->endpoint, &e->endpoint) != ERROR_NONE ||
            (r->person.len > 0 && check_id(r->person, &e->person) != ERROR_NONE) ||
            digest_from_slice(&e->digest, check_slice(r->binding_digest)) != ERROR_NONE)
            return ERROR_NOT_BELIEVED;
        e->role = role_of(b->roster, &e->person);
        find_entry(b, e);
        b->entry_count = i + 1;
    }
    return ERROR_NONE;
}

static unsigned badness(enum brug_trust_state s)
{
    static const unsigned order[] = {
        [BRUG_TRUST_BELIEVED] = 0, [BRUG_TRUST_MORE] = 1,    [BRUG_TRUST_NEW] = 2,
        [BRUG_TRUST_CHANGED] = 3,  [BRUG_TRUST_REFUSED] = 4,
    };
    return order[s];
}

static void sum_up(struct belief *b)
{
    b->state = BRUG_TRUST_BELIEVED;
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct belief_entry *e = &b->entries[i];
        if (badness(e->state) > badness(b->state)) {
            b->state = e->state;
            b->error = e->error;
        }
        if (!b->names && e->state != BRUG_TRUST_REFUSED)
            b->names = &e->names;
    }
    if (b->entry_count == 0) {
        b->state = BRUG_TRUST_REFUSED;
        b->error = ERROR_NO_READER;
    }
}

static enum error judge_all(const struct belief_basis *basis, struct belief *b)
{
    enum error e = decode_roster(b);
    if (e == ERROR_NONE)
        e = fill_entries(b);
    if (e != ERROR_NONE) {
        b->entry_count = 0;
        b->state = BRUG_TRUST_REFUSED;
        b->error = ERROR_NOT_BELIEVED;
        return e == ERROR_NO_MEMORY ? e : ERROR_NONE;
    }
    for (size_t i = 0; i < b->entry_count; i++)
        judge_one(basis, b, &b->entries[i]);
    judge_colleagues(b);
    sum_up(b);
    return ERROR_NONE;
}

enum error belief_judge(const struct belief_basis *basis, struct slice packed, struct belief **out)
{
    ProtobufCMessage *m = NULL;
    struct belief *b = calloc(1, sizeof *b);
    if (!b)
        return ERROR_NO_MEMORY;
    b->arena = arena_new();
    enum error e = b->arena ? ERROR_NONE : ERROR_NO_MEMORY;
    if (e == ERROR_NONE) {
        arena_reset(b->arena, BELIEF_ARENA_BYTES);
        e = frame_decode(b->arena, &brug__v1__organisation_entry__descriptor, packed, &m);
    }
    b->entry = (const Brug__V1__OrganisationEntry *)m;
    if (e == ERROR_NONE)
        e = judge_all(basis, b);
    if (e != ERROR_NONE) {
        belief_free(b);
        return e == ERROR_NO_MEMORY ? e : ERROR_CORRUPT;
    }
    *out = b;
    return ERROR_NONE;
}

void belief_free(struct belief *b)
{
    if (!b)
        return;
    arena_free(b->arena);
    free(b->entries);
    free(b);
}

const struct belief_entry *belief_find(const struct belief *b, const struct id *endpoint)
{
    for (size_t i = 0; i < b->entry_count; i++)
        if (id_equal(&b->entries[i].endpoint, endpoint))
            return &b->entries[i];
    return NULL;
}

/* ---- fingerprints ---- */

static int compare_digests(const void *a, const void *b) { return memcmp(a, b, DIGEST_BYTES); }

enum error belief_fingerprint(const struct id *organisation, const struct digest *bindings,
                              size_t n, char out[BRUG_COMPARE_BYTES])
{
    struct slice *parts = calloc(n + 2, sizeof *parts);
    struct digest *sorted = calloc(n + 1, sizeof *sorted);
    struct buf text;
    buf_init(&text, BRUG_COMPARE_BYTES - 1);
    enum error e = parts && sorted ? ERROR_NONE : ERROR_NO_MEMORY;
    if (e == ERROR_NONE) {
        memcpy(sorted, bindings, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare_digests);
        parts[0] = slice_text("brug/1 fingerprint");
        parts[1] = id_slice(organisation);
        for (size_t i = 0; i < n; i++)
            parts[i + 2] = digest_slice(&sorted[i]);
        struct digest d = digest_of(parts, n + 2);
        e = text_spoken(&text, digest_slice(&d), 12);
    }
    if (e == ERROR_NONE) {
        memcpy(out, text.data, text.len);
        out[text.len] = 0;
    }
    buf_fini(&text);
    free(parts);
    free(sorted);
    return e;
}

bool belief_is_pending(const struct belief_entry *e)
{
    return e->state == BRUG_TRUST_NEW || e->state == BRUG_TRUST_MORE ||
           e->state == BRUG_TRUST_CHANGED;
}

enum error belief_pending_fingerprint(const struct belief *b, char out[BRUG_COMPARE_BYTES])
{
    struct digest *digests = calloc(b->entry_count + 1, sizeof *digests);
    if (!digests)
        return ERROR_NO_MEMORY;
    size_t n = 0;
    for (size_t i = 0; i < b->entry_count; i++)
        if (belief_is_pending(&b->entries[i]))
            digests[n++] = b->entries[i].digest;
    for (size_t i = 0; n == 0 && i < b->entry_count; i++)
        digests[i] = b->entries[i].digest;
    enum error e = belief_fingerprint(&b->organisation, digests, n ? n : b->entry_count, out);
    free(digests);
    return e;
}
