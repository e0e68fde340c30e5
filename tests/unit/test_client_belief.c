/* tests/unit/test_client_belief.c: T31: whom a client believes of what the relay lists. */
#include "client/belief.h"
#include "pki/key.h"
#include "proto/frame.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES_MAX 6
#define BYTES_MAX (256u << 10)

static struct fixture_ca ca, other;
static struct id municipality;

static int make_cas(void **state)
{
    fixture_ca_init(&ca, "CA");
    fixture_ca_init(&other, "Other CA");
    municipality = fixture_id(900);
    return 0;
}

static int free_cas(void **state)
{
    fixture_ca_fini(&ca);
    fixture_ca_fini(&other);
    return 0;
}

/* ---- an organisation as the relay lists it; tests spoil one thing ---- */

struct listed {
    struct fixture_endpoint e;
    bool is_recovery;
    struct buf identity_key, sealing_key, binding, signature, identity, sealing;
    struct buf countersignature;
    struct id countersigner;
    bool is_withheld; /* on the roster, but without an entry */
};

struct organisation {
    struct id id, home;
    struct listed entries[ENTRIES_MAX];
    size_t n;
    struct buf packed;
};

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.data};
}

static void write_binding(struct organisation *o, struct listed *l)
{
    Brug__V1__Binding m = BRUG__V1__BINDING__INIT;
    buf_clear(&l->identity_key);
    buf_clear(&l->sealing_key);
    buf_clear(&l->binding);
    buf_clear(&l->signature);
    assert_int_equal(key_public_der(l->e.identity_key, &l->identity_key), 0);
    assert_int_equal(key_public_der(l->e.sealing_key, &l->sealing_key), 0);
    m.version = 1;
    m.municipality = bytes_of(id_slice(&o->home));
    m.organisation = bytes_of(id_slice(&l->e.who.organisation));
    m.person = bytes_of(l->is_recovery ? SLICE_NONE : id_slice(&l->e.who.person));
    m.endpoint = bytes_of(id_slice(&l->e.who.endpoint));
    m.recovery = l->is_recovery;
    m.identity_key = bytes_of(buf_slice(&l->identity_key));
    m.sealing_key = bytes_of(buf_slice(&l->sealing_key));
    m.made_at_ms = FIXTURE_NOW_MS;
    assert_int_equal(frame_append_bare(&l->binding, &m.base), 0);
    assert_int_equal(binding_sign(l->e.identity_key, buf_slice(&l->binding), &l->signature), 0);
}

static struct listed *add(struct organisation *o, const struct fixture_ca *issuer, unsigned number,
                          bool is_recovery)
{
    struct listed *l = &o->entries[o->n++];
    struct buf *bufs[] = {&l->identity_key, &l->sealing_key, &l->binding,         &l->signature,
                          &l->identity,     &l->sealing,     &l->countersignature};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        buf_init(bufs[i], BYTES_MAX);
    l->e.who = fixture_who(number);
    l->is_recovery = is_recovery;
    if (is_recovery)
        l->e.who.person = ID_NONE;
    struct fixture_wish wish = {.use = CERTIFICATE_IDENTITY, .who = l->e.who};
    l->e.identity = fixture_issue(issuer, &wish, &l->e.identity_key);
    wish.use = CERTIFICATE_SEALING;
    l->e.sealing = fixture_issue(issuer, &wish, &l->e.sealing_key);
    assert_int_equal(certificate_to_der(l->e.identity, &l->identity), 0);
    assert_int_equal(certificate_to_der(l->e.sealing, &l->sealing), 0);
    write_binding(o, l);
    return l;
}

static void countersign(struct listed *l, const struct listed *by)
{
    l->countersigner = by->e.who.endpoint;
    buf_clear(&l->countersignature);
    assert_int_equal(
        binding_countersign(by->e.identity_key, buf_slice(&l->binding), &l->countersignature), 0);
}

static void make(struct organisation *o)
{
    memset(o, 0, sizeof *o);
    o->id = fixture_who(0x11).organisation;
    o->home = municipality;
    buf_init(&o->packed, 1u << 20);
    (void)add(o, &ca, 0x11, false);
    (void)add(o, &ca, 0x12, false);
}

static void unmake(struct organisation *o)
{
    for (size_t i = 0; i < o->n; i++) {
        struct listed *l = &o->entries[i];
        struct buf *bufs[] = {&l->identity_key, &l->sealing_key, &l->binding,         &l->signature,
                              &l->identity,     &l->sealing,     &l->countersignature};
        for (size_t k = 0; k < sizeof bufs / sizeof bufs[0]; k++)
            buf_fini(bufs[k]);
        fixture_endpoint_fini(&l->e);
    }
    buf_fini(&o->packed);
}

static int by_endpoint(const void *a, const void *b)
{
    const Brug__V1__RosterEndpoint *const *x = a;
    const Brug__V1__RosterEndpoint *const *y = b;
    return memcmp((*x)->endpoint.data, (*y)->endpoint.data, ID_BYTES);
}

static void pack_roster(struct organisation *o, struct buf *out)
{
    Brug__V1__Roster r = BRUG__V1__ROSTER__INIT;
    Brug__V1__RosterEndpoint rows[ENTRIES_MAX];
    Brug__V1__RosterEndpoint *list[ENTRIES_MAX];
    struct digest digests[ENTRIES_MAX];
    for (size_t i = 0; i < o->n; i++) {
        struct listed *l = &o->entries[i];
        rows[i] = (Brug__V1__RosterEndpoint)BRUG__V1__ROSTER_ENDPOINT__INIT;
        digests[i] = binding_digest(buf_slice(&l->binding));
        rows[i].endpoint = bytes_of(id_slice(&l->e.who.endpoint));
        rows[i].person =
            bytes_of(id_is_none(&l->e.who.person) ? SLICE_NONE : id_slice(&l->e.who.person));
        rows[i].recovery = l->is_recovery;
        rows[i].binding_digest = bytes_of(digest_slice(&digests[i]));
        list[i] = &rows[i];
    }
    qsort(list, o->n, sizeof list[0], by_endpoint);
    r.organisation = bytes_of(id_slice(&o->id));
    r.kind = BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM;
    r.home = bytes_of(id_slice(&o->home));
    r.endpoints = list;
    r.n_endpoints = o->n;
    assert_int_equal(frame_append_bare(out, &r.base), 0);
}

static void pack(struct organisation *o)
{
    Brug__V1__OrganisationEntry entry = BRUG__V1__ORGANISATION_ENTRY__INIT;
    Brug__V1__EndpointEntry rows[ENTRIES_MAX];
    Brug__V1__EndpointEntry *list[ENTRIES_MAX];
    Brug__V1__SignedBinding bindings[ENTRIES_MAX];
    Brug__V1__Countersignature counters[ENTRIES_MAX];
    Brug__V1__Countersignature *counter_list[ENTRIES_MAX];
    struct buf roster;
    char name[] = "as the relay says";
    buf_init(&roster, BYTES_MAX);
    pack_roster(o, &roster);
    for (size_t i = 0; i < o->n; i++) {
        struct listed *l = &o->entries[i];
        rows[i] = (Brug__V1__EndpointEntry)BRUG__V1__ENDPOINT_ENTRY__INIT;
        bindings[i] = (Brug__V1__SignedBinding)BRUG__V1__SIGNED_BINDING__INIT;
        bindings[i].binding = bytes_of(buf_slice(&l->binding));
        bindings[i].signature = bytes_of(buf_slice(&l->signature));
        rows[i].binding = &bindings[i];
        rows[i].identity_certificate = bytes_of(buf_slice(&l->identity));
        rows[i].sealing_certificate = bytes_of(buf_slice(&l->sealing));
        counters[i] = (Brug__V1__Countersignature)BRUG__V1__COUNTERSIGNATURE__INIT;
        counters[i].endpoint = bytes_of(id_slice(&l->countersigner));
        counters[i].signature = bytes_of(buf_slice(&l->countersignature));
        counter_list[i] = &counters[i];
        rows[i].countersignatures = &counter_list[i];
        rows[i].n_countersignatures = l->countersignature.len > 0;
        if (!l->is_withheld)
            list[entry.n_endpoints++] = &rows[i];
    }
    entry.roster = bytes_of(buf_slice(&roster));
    entry.name = name;
    entry.endpoints = list;
    buf_clear(&o->packed);
    assert_int_equal(frame_append_bare(&o->packed, &entry.base), 0);
    buf_fini(&roster);
}

/* ---- the one who judges ---- */

struct judge {
    struct belief_basis basis;
    struct anchor_scope scope;
    struct belief_pin pins[ENTRIES_MAX];
    struct belief *belief;
};

static void begin(struct judge *j, X509 *const *revoked, size_t n)
{
    memset(j, 0, sizeof *j);
    j->scope = (struct anchor_scope){.anchor = certificate_digest(ca.certificate),
                                     .municipality = municipality};
    j->basis = (struct belief_basis){.trust = fixture_trust(&ca, revoked, n),
                                     .scopes = &j->scope,
                                     .scope_count = 1,
                                     .now_ms = FIXTURE_NOW_MS,
                                     .pins = j->pins};
}

static struct trust *trust_with_list_until(int64_t until_ms)
{
    struct buf anchor, list;
    struct trust *t = trust_new();
    buf_init(&anchor, BYTES_MAX);
    buf_init(&list, BYTES_MAX);
    assert_int_equal(certificate_to_der(ca.certificate, &anchor), 0);
    fixture_crl(&ca, FIXTURE_FROM_MS, until_ms, 1, NULL, 0, &list);
    assert_int_equal(trust_add_anchor(t, buf_slice(&anchor)), 0);
    assert_int_equal(trust_add_crl(t, buf_slice(&list)), 0);
    buf_fini(&anchor);
    buf_fini(&list);
    return t;
}

static void pin(struct judge *j, const struct listed *l)
{
    j->pins[j->basis.pin_count++] = (struct belief_pin){
        .endpoint = l->e.who.endpoint, .binding = binding_digest(buf_slice(&l->binding))};
    j->basis.is_known = true;
}

static void judge(struct judge *j, struct organisation *o)
{
    pack(o);
    belief_free(j->belief);
    j->belief = NULL;
    assert_int_equal(belief_judge(&j->basis, buf_slice(&o->packed), &j->belief), ERROR_NONE);
}

static void end(struct judge *j)
{
    belief_free(j->belief);
    trust_free(j->basis.trust);
}

static const struct belief_entry *entry_of(const struct judge *j, const struct listed *l)
{
    const struct belief_entry *e = belief_find(j->belief, &l->e.who.endpoint);
    assert_non_null(e);
    return e;
}

static void assert_refused(struct organisation *o, const struct listed *l, enum error error)
{
    struct judge j;
    begin(&j, NULL, 0);
    for (size_t i = 0; i < o->n; i++)
        pin(&j, &o->entries[i]); /* not even a pin helps */
    judge(&j, o);
    assert_int_equal(entry_of(&j, l)->state, BRUG_TRUST_REFUSED);
    assert_int_equal(entry_of(&j, l)->error, error);
    assert_int_equal(j.belief->state, BRUG_TRUST_REFUSED);
    end(&j);
}

/* ---- tests ---- */

static void test_first_contact_waits_for_a_person(void **state)
{
    struct organisation o;
    struct judge j;
    char code[BRUG_COMPARE_BYTES];
    char again[BRUG_COMPARE_BYTES];
    make(&o);
    begin(&j, NULL, 0);
    judge(&j, &o);
    assert_int_equal(j.belief->state, BRUG_TRUST_NEW);
    assert_string_equal(j.belief->names->organisation_name, o.entries[0].e.who.organisation_name);
    assert_int_equal(belief_pending_fingerprint(j.belief, code), 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    judge(&j, &o);
    assert_int_equal(j.belief->state, BRUG_TRUST_BELIEVED);
    /* confirmed, the fingerprint of the whole is the one that was compared */
    assert_int_equal(belief_pending_fingerprint(j.belief, again), 0);
    assert_string_equal(code, again);
    end(&j);
    unmake(&o);
}

static void test_a_validly_certified_stranger_is_not_believed(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    struct listed *stranger = add(&o, &ca, 0x13, false);
    judge(&j, &o);
    assert_int_equal(entry_of(&j, stranger)->state, BRUG_TRUST_MORE);
    assert_int_equal(j.belief->state, BRUG_TRUST_MORE);
    /* nor when it vouches for itself, or another stranger does */
    countersign(stranger, stranger);
    judge(&j, &o);
    assert_int_equal(entry_of(&j, stranger)->state, BRUG_TRUST_MORE);
    struct listed *second = add(&o, &ca, 0x14, false);
    countersign(stranger, second);
    countersign(second, stranger);
    judge(&j, &o);
    assert_int_equal(entry_of(&j, stranger)->state, BRUG_TRUST_MORE);
    assert_int_equal(entry_of(&j, second)->state, BRUG_TRUST_MORE);
    end(&j);
    unmake(&o);
}

static void test_a_believed_colleague_vouches(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    struct listed *third = add(&o, &ca, 0x13, false);
    struct listed *fourth = add(&o, &ca, 0x14, false);
    countersign(fourth, third); /* a chain, in the wrong order */
    countersign(third, &o.entries[1]);
    judge(&j, &o);
    assert_int_equal(j.belief->state, BRUG_TRUST_BELIEVED);
    assert_true(entry_of(&j, third)->is_countersigned);
    assert_true(entry_of(&j, fourth)->is_countersigned);
    end(&j);
    unmake(&o);
}

static void test_a_countersignature_for_another_binding_counts_nothing(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    struct listed *third = add(&o, &ca, 0x13, false);
    struct listed *fourth = add(&o, &ca, 0x14, false);
    countersign(third, &o.entries[0]);
    buf_clear(&fourth->countersignature);
    assert_int_equal(
        buf_append_slice(&fourth->countersignature, buf_slice(&third->countersignature)), 0);
    fourth->countersigner = o.entries[0].e.who.endpoint;
    judge(&j, &o);
    assert_int_equal(entry_of(&j, third)->state, BRUG_TRUST_BELIEVED);
    assert_int_equal(entry_of(&j, fourth)->state, BRUG_TRUST_MORE);
    end(&j);
    unmake(&o);
}

static void test_a_revoked_colleague_is_refused_and_vouches_for_nobody(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    struct listed *third = add(&o, &ca, 0x13, false);
    countersign(third, &o.entries[1]);
    begin(&j, &o.entries[1].e.identity, 1);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    judge(&j, &o);
    assert_int_equal(entry_of(&j, &o.entries[1])->state, BRUG_TRUST_REFUSED);
    assert_int_equal(entry_of(&j, &o.entries[1])->error, ERROR_TLS_REVOKED);
    assert_int_equal(entry_of(&j, third)->state, BRUG_TRUST_MORE);
    assert_int_equal(entry_of(&j, &o.entries[0])->state, BRUG_TRUST_BELIEVED);
    end(&j);
    unmake(&o);
}

static void test_another_organisations_key_is_refused(void **state)
{
    struct organisation o;
    make(&o);
    struct listed *foreign = add(&o, &ca, 0x21, false); /* certified, but of organisation 2 */
    assert_refused(&o, foreign, ERROR_NOT_BELIEVED);
    unmake(&o);
}

static void test_a_changed_key_is_shown_and_not_used(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    o.n = 1;
    struct listed old = o.entries[1];
    struct listed *renewed = add(&o, &ca, 0x12, false); /* the same ids, other keys */
    countersign(renewed, &o.entries[0]);                /* not even a colleague makes it silent */
    judge(&j, &o);
    assert_int_equal(entry_of(&j, renewed)->state, BRUG_TRUST_CHANGED);
    assert_int_equal(j.belief->state, BRUG_TRUST_CHANGED);
    end(&j);
    o.entries[o.n++] = old;
    unmake(&o);
}

static void test_a_swapped_recovery_entry_is_not_believed(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    struct listed *recovery = add(&o, &ca, 0x1f, true);
    begin(&j, NULL, 0);
    for (size_t i = 0; i < 3; i++)
        pin(&j, &o.entries[i]);
    judge(&j, &o);
    assert_int_equal(j.belief->state, BRUG_TRUST_BELIEVED);
    struct listed mine = *recovery;
    o.n = 2;
    struct listed *swapped = add(&o, &ca, 0x1e, true);
    judge(&j, &o);
    assert_int_equal(entry_of(&j, swapped)->state, BRUG_TRUST_MORE);
    o.entries[o.n++] = mine;
    unmake(&o);
    end(&j);
}

static void test_a_reader_dressed_up_as_recovery_is_refused(void **state)
{
    struct organisation o;
    make(&o);
    struct listed *l = add(&o, &ca, 0x13, false);
    l->is_recovery = true; /* the roster says so, the binding does not */
    l->e.who.person = ID_NONE;
    assert_refused(&o, l, ERROR_NOT_BELIEVED);
    unmake(&o);
    make(&o);
    l = add(&o, &ca, 0x13, true);
    l->is_recovery = false; /* and the reverse: a recovery key as a reader */
    assert_refused(&o, l, ERROR_NOT_BELIEVED);
    unmake(&o);
}

static void test_a_wrong_signature_is_refused(void **state)
{
    struct organisation o;
    make(&o);
    struct listed *l = &o.entries[1];
    buf_clear(&l->signature);
    assert_int_equal(
        binding_sign(o.entries[0].e.identity_key, buf_slice(&l->binding), &l->signature), 0);
    assert_refused(&o, l, ERROR_BAD_SIGNATURE);
    unmake(&o);
}

static void test_a_stale_list_believes_nobody(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    trust_free(j.basis.trust);
    j.basis.trust = trust_with_list_until(FIXTURE_NOW_MS - 1);
    judge(&j, &o);
    assert_int_equal(j.belief->state, BRUG_TRUST_REFUSED);
    assert_int_equal(j.belief->error, ERROR_TLS_CRL_STALE);
    end(&j);
    unmake(&o);
}

static void test_an_anchor_of_another_municipality_vouches_for_nothing(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    j.scope.municipality = fixture_id(901);
    judge(&j, &o);
    assert_int_equal(j.belief->state, BRUG_TRUST_REFUSED);
    assert_int_equal(j.belief->error, ERROR_NOT_BELIEVED);
    end(&j);
    unmake(&o);
}

static void test_another_ca_is_refused(void **state)
{
    struct organisation o;
    make(&o);
    struct listed *l = add(&o, &other, 0x13, false);
    assert_refused(&o, l, ERROR_TLS_UNKNOWN_CA);
    unmake(&o);
}

static void test_a_withheld_entry_stops_sealing(void **state)
{
    struct organisation o;
    make(&o);
    o.entries[1].is_withheld = true;
    assert_refused(&o, &o.entries[1], ERROR_NOT_BELIEVED);
    unmake(&o);
}

static void test_damaged_entries_are_a_state_not_a_crash(void **state)
{
    struct organisation o;
    struct judge j;
    make(&o);
    begin(&j, NULL, 0);
    pin(&j, &o.entries[0]);
    pin(&j, &o.entries[1]);
    pack(&o);
    for (size_t i = 0; i < o.packed.len; i += 7) {
        struct belief *b = NULL;
        o.packed.data[i] ^= 0x20;
        enum error e = belief_judge(&j.basis, buf_slice(&o.packed), &b);
        assert_true(e == ERROR_NONE || e == ERROR_CORRUPT);
        o.packed.data[i] ^= 0x20;
        belief_free(b);
    }
    end(&j);
    unmake(&o);
}

static void test_codes_are_compared_as_people_type_them(void **state)
{
    assert_true(belief_same_code("7QK2-0ZMB-4C9T", "7QK2-0ZMB-4C9T"));
    assert_true(belief_same_code("7qk2 ozmb 4c9t", "7QK2-0ZMB-4C9T"));
    assert_true(belief_same_code("7qk20zmb4c9t", "7QK2-0ZMB-4C9T"));
    assert_false(belief_same_code("7QK2-0ZMB-4C9", "7QK2-0ZMB-4C9T"));
    assert_false(belief_same_code("7QK2-0ZMB-4C9T7", "7QK2-0ZMB-4C9T"));
    assert_false(belief_same_code("", "7QK2-0ZMB-4C9T"));
    assert_false(belief_same_code("7QK3-0ZMB-4C9T", "7QK2-0ZMB-4C9T"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_contact_waits_for_a_person),
        cmocka_unit_test(test_a_validly_certified_stranger_is_not_believed),
        cmocka_unit_test(test_a_believed_colleague_vouches),
        cmocka_unit_test(test_a_countersignature_for_another_binding_counts_nothing),
        cmocka_unit_test(test_a_revoked_colleague_is_refused_and_vouches_for_nobody),
        cmocka_unit_test(test_another_organisations_key_is_refused),
        cmocka_unit_test(test_a_changed_key_is_shown_and_not_used),
        cmocka_unit_test(test_a_swapped_recovery_entry_is_not_believed),
        cmocka_unit_test(test_a_reader_dressed_up_as_recovery_is_refused),
        cmocka_unit_test(test_a_wrong_signature_is_refused),
        cmocka_unit_test(test_a_stale_list_believes_nobody),
        cmocka_unit_test(test_an_anchor_of_another_municipality_vouches_for_nothing),
        cmocka_unit_test(test_another_ca_is_refused),
        cmocka_unit_test(test_a_withheld_entry_stops_sealing),
        cmocka_unit_test(test_damaged_entries_are_a_state_not_a_crash),
        cmocka_unit_test(test_codes_are_compared_as_people_type_them),
    };
    return cmocka_run_group_tests_name("client_belief", tests, make_cas, free_cas);
}
