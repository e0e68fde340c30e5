/*
 * client/pins.c: pins and confirmations in the store (see pins.h).
 *
 * Happy path of a first contact: the directory page is stored, brug_trust_list shows name, identifier and
 * fingerprint, a person compares, brug_trust_confirm pins every entry that stands; letters that waited go on.
 * Invariant: a row of `pin` comes from the enrolment, from a person, or from a countersignature that verified.
 */
#include "client/pins.h"

#include "client/history.h"
#include "client/home.h"
#include "client/inbox.h"
#include "client/outbox.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/roles.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

static enum error put_pin(struct brug *b, const struct id *organisation, const struct id *endpoint,
                          const struct digest *binding, const Brug__V1__EndpointEntry *entry,
                          enum pin_by by)
{
    struct buf packed;
    buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
    enum error e = frame_append_bare(&packed, &entry->base);
    if (e == ERROR_NONE)
        e = DB_RUN(b->db,
                   "INSERT INTO pin(organisation, endpoint, binding, entry, by, at_ms)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(organisation, endpoint)"
                   " DO UPDATE SET binding = ?3, entry = ?4, by = ?5, at_ms = ?6",
                   DB_ID(organisation), DB_ID(endpoint), DB_DIGEST(binding),
                   DB_BLOB(buf_slice(&packed)), DB_INT(by), DB_INT(client_now_ms(b)));
    buf_fini(&packed);
    return e;
}

static enum error put_known(struct brug *b, const struct id *organisation, const char *name)
{
    return DB_RUN(b->db,
                  "INSERT INTO known(organisation, name, at_ms) VALUES(?1, ?2, ?3)"
                  " ON CONFLICT(organisation) DO UPDATE SET name = ?2",
                  DB_ID(organisation), DB_TEXT(name), DB_INT(client_now_ms(b)));
}

enum error pins_begin(struct brug *b, const Brug__V1__EnrolAnswer *answer)
{
    Brug__V1__SignedBinding s = BRUG__V1__SIGNED_BINDING__INIT;
    Brug__V1__EndpointEntry entry = BRUG__V1__ENDPOINT_ENTRY__INIT;
    char name[256];
    s.binding = client_field(buf_slice(&b->self.binding));
    s.signature = client_field(buf_slice(&b->self.signature));
    entry.binding = &s;
    entry.identity_certificate = answer->identity_certificate;
    entry.sealing_certificate = answer->sealing_certificate;
    entry.intermediates = answer->intermediates;
    entry.n_intermediates = answer->n_intermediates;
    enum error e = store_get_text(b->db, "organisation_name", name, sizeof name);
    if (e == ERROR_NONE)
        e = put_known(b, &b->self.organisation, name);
    if (e == ERROR_NONE)
        e = put_pin(b, &b->self.organisation, &b->self.endpoint, &b->self.binding_digest, &entry,
                    PIN_BY_SELF);
    return e;
}

/* ---- judging ---- */

struct basis_memory {
    struct belief_basis basis;
    struct belief_pin *pins;
};

static void free_basis(struct basis_memory *m) { free(m->pins); }

static enum error load_pins(struct brug *b, const struct id *organisation, struct basis_memory *m)
{
    struct db_cursor c;
    size_t capacity = 0;
    enum error e = DB_SELECT(b->db, &c, "SELECT endpoint, binding FROM pin WHERE organisation = ?1",
                             DB_ID(organisation));
    if (e != ERROR_NONE)
        return e;
    enum error filled = ERROR_NONE;
    while (filled == ERROR_NONE && db_next(&c)) {
        if (m->basis.pin_count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            struct belief_pin *more = reallocarray(m->pins, capacity, sizeof *more);
            if (!more) {
                filled = ERROR_NO_MEMORY;
                break;
            }
            m->pins = more;
        }
        struct belief_pin *p = &m->pins[m->basis.pin_count++];
        p->endpoint = db_id(&c, 0);
        filled = digest_from_slice(&p->binding, db_blob(&c, 1)) == ERROR_NONE ? ERROR_NONE
                                                                              : ERROR_CORRUPT;
    }
    m->basis.pins = m->pins;
    e = db_done(&c);
    return filled != ERROR_NONE ? filled : e;
}

static enum error load_basis(struct brug *b, const struct id *organisation, struct basis_memory *m)
{
    struct db_cursor c;
    memset(m, 0, sizeof *m);
    m->basis.trust = b->people;
    m->basis.scopes = b->scopes;
    m->basis.scope_count = b->scope_count;
    m->basis.now_ms = client_now_ms(b);
    enum error e =
        DB_SELECT(b->db, &c, "SELECT 1 FROM known WHERE organisation = ?1", DB_ID(organisation));
    if (e != ERROR_NONE)
        return e;
    m->basis.is_known = db_next(&c);
    e = db_done(&c);
    if (e == ERROR_NONE)
        e = load_pins(b, organisation, m);
    if (e != ERROR_NONE)
        free_basis(m);
    return e;
}

static enum error load_entry(struct brug *b, const struct id *organisation, struct buf *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c, "SELECT entry FROM organisation WHERE organisation = ?1",
                             DB_ID(organisation));
    if (e != ERROR_NONE)
        return e;
    enum error found = ERROR_NOT_FOUND;
    if (db_next(&c))
        found = buf_append_slice(out, db_blob(&c, 0));
    e = db_done(&c);
    return e != ERROR_NONE ? e : found;
}

enum error pins_judge(struct brug *b, const struct id *organisation, struct belief **out)
{
    struct basis_memory m;
    struct buf packed;
    buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
    enum error e = load_entry(b, organisation, &packed);
    if (e == ERROR_NONE) {
        e = load_basis(b, organisation, &m);
        if (e == ERROR_NONE) {
            e = belief_judge(&m.basis, buf_slice(&packed), out);
            free_basis(&m);
        }
    }
    buf_fini(&packed);
    return e;
}

enum error pins_settle(struct brug *b, const struct belief *belief)
{
    enum error e = ERROR_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < belief->entry_count; i++) {
        const struct belief_entry *entry = &belief->entries[i];
        struct buf packed;
        if (entry->state != BRUG_TRUST_BELIEVED)
            continue;
        if (entry->is_countersigned) {
            e = put_pin(b, &belief->organisation, &entry->endpoint, &entry->digest, entry->entry,
                        PIN_BY_COLLEAGUE);
            continue;
        }
        buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
        e = frame_append_bare(&packed, &entry->entry->base);
        if (e == ERROR_NONE)
            e = DB_RUN(b->db,
                       "UPDATE pin SET entry = ?3 WHERE organisation = ?1 AND endpoint = ?2"
                       " AND entry <> ?3",
                       DB_ID(&belief->organisation), DB_ID(&entry->endpoint),
                       DB_BLOB(buf_slice(&packed)));
        buf_fini(&packed);
    }
    return e;
}

enum error pins_may_seal(const struct belief *belief)
{
    switch (belief->state) {
    case BRUG_TRUST_BELIEVED:
        return ERROR_NONE;
    case BRUG_TRUST_REFUSED:
        return belief->error == ERROR_TLS_CRL_STALE || belief->error == ERROR_NO_READER
                   ? belief->error
                   : ERROR_NOT_BELIEVED;
    default:
        return ERROR_CONFIRM;
    }
}

/* ---- signers ---- */

enum error pins_entry(struct brug *b, const struct id *organisation, const struct id *endpoint,
                      struct buf *out)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT entry FROM pin WHERE organisation = ?1 AND endpoint = ?2",
                  DB_ID(organisation), DB_ID(endpoint));
    if (e != ERROR_NONE)
        return e;
    enum error found = db_next(&c) ? buf_append_slice(out, db_blob(&c, 0)) : ERROR_NOT_FOUND;
    e = db_done(&c);
    return e != ERROR_NONE ? e : found;
}

struct signing {
    const struct id *organisation, *endpoint, *person;
    X509 *signer;
};

/* An entry by itself: it stands by the basis, is this endpoint's, and the signer has its key. */
static enum error judge_entry(const struct belief_basis *basis, const struct signing *s,
                              const Brug__V1__EndpointEntry *entry)
{
    ProtobufCMessage *m = NULL;
    struct certificate_identity names;
    const char *what = NULL;
    struct arena *arena = NULL;
    enum error e = home_decode(&brug__v1__binding__descriptor, check_slice(entry->binding->binding),
                               &arena, &m);
    const Brug__V1__Binding *bound = (const Brug__V1__Binding *)m;
    if (e == ERROR_NONE && check_binding(bound, &what) != ERROR_NONE)
        e = ERROR_LETTER_SIGNER;
    if (e == ERROR_NONE)
        e = belief_judge_entry(basis, s->organisation, entry, bound, &names, &what);
    if (e != ERROR_NONE && e != ERROR_NO_MEMORY && e != ERROR_TLS_CRL_STALE)
        e = ERROR_LETTER_SIGNER;
    if (e == ERROR_NONE &&
        (bound->recovery != id_is_none(s->person) ||
         !slice_equal(check_slice(bound->endpoint), id_slice(s->endpoint)) ||
         !certificate_has_key(s->signer, check_slice(bound->identity_key)) ||
         (bound->person.len > 0 && !slice_equal(check_slice(bound->person), id_slice(s->person)))))
        e = ERROR_LETTER_SIGNER;
    arena_free(arena);
    return e;
}

/* The copy of an entry that was believed once, for endpoints that the directory no longer lists or lists with other keys:
 * it must still stand by our anchors and lists, and have signed with the key of that time. */
static enum error judge_copy(struct brug *b, const struct signing *s)
{
    struct basis_memory m;
    struct buf packed;
    struct arena *arena = NULL;
    ProtobufCMessage *entry = NULL;
    buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
    enum error e = pins_entry(b, s->organisation, s->endpoint, &packed);
    e = e == ERROR_NOT_FOUND ? ERROR_LETTER_SIGNER : e;
    if (e == ERROR_NONE)
        e = home_decode(&brug__v1__endpoint_entry__descriptor, buf_slice(&packed), &arena, &entry);
    if (e == ERROR_NONE)
        e = load_basis(b, s->organisation, &m);
    if (e == ERROR_NONE) {
        e = judge_entry(&m.basis, s, (const Brug__V1__EndpointEntry *)entry);
        free_basis(&m);
    }
    buf_fini(&packed);
    arena_free(arena);
    return e;
}

static enum error judge_listed(struct brug *b, const struct belief_entry *entry,
                               const struct signing *s)
{
    if (entry->state == BRUG_TRUST_REFUSED)
        return entry->error == ERROR_TLS_CRL_STALE ? entry->error : ERROR_LETTER_SIGNER;
    bool is_key = certificate_has_key(s->signer, check_slice(entry->binding->identity_key));
    if (entry->state == BRUG_TRUST_CHANGED && !is_key)
        return judge_copy(b, s);
    if (!is_key || entry->is_recovery != id_is_none(s->person) ||
        (!id_is_none(&entry->person) && !id_equal(&entry->person, s->person)))
        return ERROR_LETTER_SIGNER;
    return entry->state == BRUG_TRUST_BELIEVED ? ERROR_NONE : ERROR_CONFIRM;
}

enum error pins_judge_signer(struct brug *b, const struct id *organisation,
                             const struct id *endpoint, const struct id *person, X509 *signer)
{
    const struct signing s = {organisation, endpoint, person, signer};
    struct belief *belief = NULL;
    enum error e = pins_judge(b, organisation, &belief);
    if (e != ERROR_NONE && e != ERROR_NOT_FOUND)
        return e;
    const struct belief_entry *entry = belief ? belief_find(belief, endpoint) : NULL;
    if (entry) {
        e = judge_listed(b, entry, &s);
    } else {
        e = judge_copy(b, &s);
        e = e == ERROR_LETTER_SIGNER ? ERROR_NOT_FOUND : e; /* the page that lists it may come */
    }
    belief_free(belief);
    return e;
}

/* Whether the directory shows the endpoint as one that is refused or with another binding; and nobody of an organisation that is
 * listed is believed before a person confirmed it. */
static enum error check_known(struct brug *b, const struct signing *s, const struct digest *binding,
                              const struct belief_basis *basis)
{
    struct belief *belief = NULL;
    enum error e = pins_judge(b, s->organisation, &belief);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_NONE : e;
    const struct belief_entry *listed = belief_find(belief, s->endpoint);
    if (listed && (listed->state == BRUG_TRUST_REFUSED || !digest_equal(&listed->digest, binding)))
        e = ERROR_LETTER_SIGNER;
    else if (!basis->is_known)
        e = ERROR_CONFIRM;
    belief_free(belief);
    return e;
}

static enum error check_pins(const struct signing *s, const struct digest *binding,
                             const struct belief_basis *basis)
{
    for (size_t i = 0; i < basis->pin_count; i++)
        if (id_equal(&basis->pins[i].endpoint, s->endpoint) &&
            !digest_equal(&basis->pins[i].binding, binding))
            return ERROR_LETTER_SIGNER;
    return ERROR_NONE;
}

enum error pins_judge_handed(struct brug *b, const struct id *organisation,
                             const struct id *endpoint, const struct id *person, X509 *signer,
                             const Brug__V1__EndpointEntry *entry, int64_t at_ms)
{
    const struct signing s = {organisation, endpoint, person, signer};
    struct digest binding = binding_digest(check_slice(entry->binding->binding));
    struct basis_memory m;
    enum error e = load_basis(b, organisation, &m);
    if (e != ERROR_NONE)
        return e;
    m.basis.trust = b->anchors;
    m.basis.now_ms = at_ms;
    e = check_pins(&s, &binding, &m.basis);
    if (e == ERROR_NONE)
        e = judge_entry(&m.basis, &s, entry);
    if (e == ERROR_NONE)
        e = check_known(b, &s, &binding, &m.basis);
    free_basis(&m);
    return e;
}

/* As the certificate of a believed entry has them. */
static enum error read_names(struct slice packed, struct certificate_identity *out)
{
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    X509 *x = NULL;
    enum error e = home_decode(&brug__v1__endpoint_entry__descriptor, packed, &a, &m);
    if (e == ERROR_NONE)
        e = certificate_from_der(
            &x, check_slice(((const Brug__V1__EndpointEntry *)m)->identity_certificate));
    if (e == ERROR_NONE)
        e = certificate_identity(x, out);
    X509_free(x);
    arena_free(a);
    return e;
}

enum error pins_name(struct brug *b, const struct id *organisation, const struct id *person,
                     char *out, size_t out_len)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT entry FROM pin WHERE organisation = ?1", DB_ID(organisation));
    if (e != ERROR_NONE)
        return e;
    enum error found = ERROR_NOT_FOUND;
    while (found == ERROR_NOT_FOUND && db_next(&c)) {
        struct certificate_identity names;
        enum error read = read_names(db_blob(&c, 0), &names);
        if (read == ERROR_NO_MEMORY)
            found = read;
        if (read != ERROR_NONE || !id_equal(&names.person, person))
            continue;
        (void)snprintf(out, out_len, "%s", names.common_name); /* cut when too long */
        found = ERROR_NONE;
    }
    e = db_done(&c);
    return e != ERROR_NONE ? e : found;
}

enum error pins_is_system(struct brug *b, const struct id *organisation, const struct id *endpoint,
                          bool *out)
{
    struct buf packed;
    struct certificate_identity names;
    buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
    enum error e = pins_entry(b, organisation, endpoint, &packed);
    if (e == ERROR_NONE)
        e = read_names(buf_slice(&packed), &names);
    buf_fini(&packed);
    if (client_is_of_store(e))
        return e;
    *out = e == ERROR_NONE && id_is_none(&names.person);
    return ERROR_NONE;
}

/* ---- a person confirms ---- */

static enum error countersign(struct brug *b, const struct belief_entry *entry)
{
    struct buf signature;
    buf_init(&signature, LIMIT_SIGNATURE_BYTES);
    enum error e = binding_countersign(b->keys.identity_key,
                                       check_slice(entry->entry->binding->binding), &signature);
    if (e == ERROR_NONE)
        e = DB_RUN(b->db,
                   "INSERT INTO countersignature(endpoint, signature) VALUES(?1, ?2)"
                   " ON CONFLICT(endpoint) DO UPDATE SET signature = ?2, told = 0",
                   DB_ID(&entry->endpoint), DB_BLOB(buf_slice(&signature)));
    buf_fini(&signature);
    return e;
}

/* Who vouches for a colleague's new client hands the running cases on to it; another colleague can do so too, later. */
static enum error welcome(struct brug *b, const struct belief_entry *entry)
{
    size_t cases = 0, letters = 0;
    const struct history_taker taker = {.person = entry->person, .endpoint = entry->endpoint};
    if (entry->is_recovery ||
        !roles_may_send((Brug__V1__Role)b->self.role, BRUG__V1__KIND__KIND_HISTORY))
        return ERROR_NONE;
    enum error e = history_give(b, &taker, &b->self.person, &ID_NONE, &cases, &letters);
    return e == ERROR_NOT_FOUND || e == ERROR_CONFIRM ? ERROR_NONE : e;
}

static enum error confirm_all(struct brug *b, const struct belief *belief)
{
    bool is_own = id_equal(&belief->organisation, &b->self.organisation);
    enum error e = put_known(b, &belief->organisation, belief->names->organisation_name);
    for (size_t i = 0; e == ERROR_NONE && i < belief->entry_count; i++) {
        const struct belief_entry *entry = &belief->entries[i];
        if (!belief_is_pending(entry))
            continue;
        e = put_pin(b, &belief->organisation, &entry->endpoint, &entry->digest, entry->entry,
                    PIN_BY_PERSON);
        if (e == ERROR_NONE && is_own && !b->self.is_recovery)
            e = countersign(b, entry);
    }
    for (size_t i = 0; e == ERROR_NONE && is_own && i < belief->entry_count; i++)
        if (belief_is_pending(&belief->entries[i]))
            e = welcome(b, &belief->entries[i]);
    return e;
}

static enum error check_confirmation(struct brug *b, const struct belief *belief,
                                     const char *fingerprint)
{
    char wanted[BRUG_COMPARE_BYTES];
    size_t pending = 0;
    for (size_t i = 0; i < belief->entry_count; i++)
        pending += belief_is_pending(&belief->entries[i]);
    if (pending == 0 && belief->state == BRUG_TRUST_REFUSED)
        return client_fail(b, ERROR_NOT_BELIEVED,
                           "its entries fail the checks (%s): nobody can confirm them",
                           error_text(belief->error));
    if (pending == 0)
        return client_fail(b, ERROR_NOT_FOUND,
                           "nothing of this organisation waits to be confirmed");
    enum error e = belief_pending_fingerprint(belief, wanted);
    if (e != ERROR_NONE)
        return client_failed(b, e);
    if (!belief_same_code(fingerprint, wanted))
        return client_fail(b, ERROR_NOT_BELIEVED,
                           "the fingerprint differs from the one that waits");
    return ERROR_NONE;
}

int brug_trust_confirm(struct brug *b, const struct brug_id *organisation, const char *fingerprint)
{
    struct id id = client_id(organisation);
    struct belief *belief = NULL;
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = pins_judge(b, &id, &belief);
    if (e != ERROR_NONE)
        return (int)(e == ERROR_NOT_FOUND
                         ? client_fail(b, e, "the directory here has no such organisation")
                         : client_failed(b, e));
    e = check_confirmation(b, belief, fingerprint);
    if (e == ERROR_NONE) {
        e = client_failed(b, db_begin(b->db));
        if (e == ERROR_NONE)
            e = client_failed(b, db_end(b->db, confirm_all(b, belief)));
    }
    belief_free(belief);
    if (e == ERROR_NONE)
        e = client_failed(b, inbox_judge_waiting(b, false)); /* pages may be missing still */
    if (e == ERROR_NONE)
        e = client_failed(b, outbox_retry_waiting(b));
    client_wake(b);
    return (int)e;
}
