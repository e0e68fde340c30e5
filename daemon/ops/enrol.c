/*
 * daemon/ops/enrol.c: see enrol.h. A request is an EnrolRequest (a signed binding and two certificate
 * requests); the certificates that the CA made of it come beside it. What is judged is what will be
 * listed: the binding with its certificates.
 */
#include "daemon/ops/enrol.h"
#include "base/id.h"
#include "pki/binding.h"
#include "pki/certificate.h"
#include "pki/der.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <stdlib.h>
#include <string.h>

#define ANCHORS_MAX TRUST_ANCHORS_MAX
#define RELAY_ANCHORS_MAX 8u

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.data};
}

/* The anchors that vouch for one municipality, as binding_judge wants them. */
static enum error scopes_of(const struct relay *relay, const struct id *municipality,
                            struct anchor_scope scopes[ANCHORS_MAX], size_t *n)
{
    const Brug__V1__MunicipalityRow *m = relay_municipality(relay, municipality);
    if (m == NULL)
        return ERROR_NO_SUCH_OBJECT;
    *n = 0;
    for (size_t i = 0; i < m->n_anchors && *n < ANCHORS_MAX; i++) {
        scopes[*n] = (struct anchor_scope){.anchor = digest_of_slice(check_slice(m->anchors[i])),
                                           .municipality = *municipality,
                                           .organisation = ID_NONE};
        ++*n;
    }
    return ERROR_NONE;
}

/* An id that may be empty: none then. */
static enum error optional_id(ProtobufCBinaryData b, struct id *out)
{
    *out = ID_NONE;
    return b.len == 0 ? ERROR_NONE : check_id(b, out);
}

static enum error claim_fill(const Brug__V1__AddEndpoint *add,
                             const Brug__V1__SignedBinding *signed_binding,
                             const Brug__V1__Binding *b,
                             struct slice intermediates[LIMIT_INTERMEDIATES],
                             struct binding_claim *claim)
{
    if (add->n_intermediates > LIMIT_INTERMEDIATES)
        return ERROR_REQUEST_MALFORMED;
    for (size_t i = 0; i < add->n_intermediates; i++)
        intermediates[i] = check_slice(add->intermediates[i]);
    *claim = (struct binding_claim){
        .binding = check_slice(signed_binding->binding),
        .signature = check_slice(signed_binding->signature),
        .identity_key = check_slice(b->identity_key),
        .sealing_key = check_slice(b->sealing_key),
        .identity_certificate = check_slice(add->identity_certificate),
        .sealing_certificate = check_slice(add->sealing_certificate),
        .intermediates = intermediates,
        .intermediate_count = add->n_intermediates,
    };
    if (check_id(b->municipality, &claim->municipality) != ERROR_NONE ||
        check_id(b->organisation, &claim->organisation) != ERROR_NONE ||
        check_id(b->endpoint, &claim->endpoint) != ERROR_NONE ||
        optional_id(b->person, &claim->person) != ERROR_NONE)
        return ERROR_REQUEST_MALFORMED;
    claim->listed_organisation = claim->organisation;
    return ERROR_NONE;
}

static enum error decode_request(const Brug__V1__AddEndpoint *add, struct arena *arena,
                                 Brug__V1__EnrolRequest **request, Brug__V1__Binding **binding)
{
    ProtobufCMessage *m = NULL;
    enum error e =
        frame_decode(arena, &brug__v1__enrol_request__descriptor, check_slice(add->request), &m);
    if (e != ERROR_NONE)
        return e;
    *request = (Brug__V1__EnrolRequest *)m;
    if ((*request)->binding == NULL)
        return ERROR_REQUEST_MALFORMED;
    e = frame_decode_known(arena, &brug__v1__binding__descriptor,
                           check_slice((*request)->binding->binding), &m);
    if (e != ERROR_NONE)
        return e;
    *binding = (Brug__V1__Binding *)m;
    const char *field = NULL;
    return check_binding(*binding, &field);
}

/* The organisation and the person must be there before their endpoint is. */
static enum error check_owner(const struct relay *relay, const struct binding_claim *claim,
                              const char **what)
{
    const Brug__V1__OrganisationRow *o = relay_organisation(relay, &claim->organisation);
    if (o == NULL) {
        *what = "the request names an organisation that is not here: add it first";
        return ERROR_NO_SUCH_OBJECT;
    }
    struct id home;
    if (check_id(o->home, &home) != ERROR_NONE || !id_equal(&home, &claim->municipality)) {
        *what = "the request was made for another municipality than the organisation's home: make "
                "it again "
                "with a new invitation";
        return ERROR_REQUEST_MALFORMED;
    }
    if (!id_is_none(&claim->person) && relay_person(relay, &claim->person) == NULL) {
        *what = "the request names a person who is not here: add the person first";
        return ERROR_NO_SUCH_OBJECT;
    }
    return ERROR_NONE;
}

enum error enrol_judge(const Brug__V1__AddEndpoint *add, const struct relay *relay,
                       struct trust *trust, int64_t now_ms, struct arena *arena,
                       Brug__V1__EndpointRow *row, const char **what)
{
    Brug__V1__EnrolRequest *request = NULL;
    Brug__V1__Binding *binding = NULL;
    *what = "the request file is damaged: ask for it again";
    enum error e = decode_request(add, arena, &request, &binding);
    if (e != ERROR_NONE)
        return ERROR_REQUEST_MALFORMED;

    struct slice intermediates[LIMIT_INTERMEDIATES];
    struct binding_claim claim;
    e = claim_fill(add, request->binding, binding, intermediates, &claim);
    if (e != ERROR_NONE)
        return e;
    e = check_owner(relay, &claim, what);
    if (e != ERROR_NONE)
        return e;

    struct anchor_scope scopes[ANCHORS_MAX];
    size_t n = 0;
    *what = "the organisation's municipality is not here: add it first";
    e = scopes_of(relay, &claim.municipality, scopes, &n);
    if (e != ERROR_NONE)
        return e;
    struct certificate_identity names;
    e = binding_judge(&claim, trust, scopes, n, now_ms, &names, what);
    if (e != ERROR_NONE)
        return e;

    struct digest key = digest_of_slice(claim.identity_key);
    uint8_t *kept = arena_alloc(arena, DIGEST_BYTES);
    if (kept == NULL)
        return ERROR_NO_MEMORY;
    memcpy(kept, key.bytes, DIGEST_BYTES);
    brug__v1__endpoint_row__init(row);
    row->endpoint = binding->endpoint;
    row->organisation = binding->organisation;
    row->person = binding->person;
    row->recovery = binding->recovery;
    row->binding = request->binding;
    row->identity_certificate = add->identity_certificate;
    row->sealing_certificate = add->sealing_certificate;
    row->n_intermediates = add->n_intermediates;
    row->intermediates = add->intermediates;
    row->identity_key_digest = bytes_of(slice_of(kept, DIGEST_BYTES));
    row->status = BRUG__V1__STATUS__STATUS_ACTIVE;
    return ERROR_NONE;
}

/* ---- the answer ---- */

struct answer_parts {
    ProtobufCBinaryData anchors[ANCHORS_MAX];
    Brug__V1__AnchorScope scopes[ANCHORS_MAX], *scope_pointers[ANCHORS_MAX];
    struct digest digests[ANCHORS_MAX];
    size_t anchor_count;
    ProtobufCBinaryData crls[TRUST_CRLS_MAX];
    ProtobufCBinaryData relay_anchors[RELAY_ANCHORS_MAX];
    struct buf relay_anchor_ders;
};

/* The anchors of every municipality that the organisation works in. */
static void add_municipality_anchors(struct answer_parts *p, const struct relay *relay,
                                     ProtobufCBinaryData municipality)
{
    struct id id;
    const Brug__V1__MunicipalityRow *m =
        check_id(municipality, &id) == ERROR_NONE ? relay_municipality(relay, &id) : NULL;
    for (size_t i = 0; m != NULL && i < m->n_anchors && p->anchor_count < ANCHORS_MAX; i++) {
        size_t k = p->anchor_count++;
        p->anchors[k] = m->anchors[i];
        p->digests[k] = digest_of_slice(check_slice(m->anchors[i]));
        brug__v1__anchor_scope__init(&p->scopes[k]);
        p->scopes[k].anchor_digest = bytes_of(digest_slice(&p->digests[k]));
        p->scopes[k].municipality = m->municipality;
        p->scope_pointers[k] = &p->scopes[k];
    }
}

static enum error read_relay_anchors(struct answer_parts *p, const char *path, size_t *n)
{
    enum error e = certificates_read_file(path, &p->relay_anchor_ders, RELAY_ANCHORS_MAX, n);
    struct slice rest = buf_slice(&p->relay_anchor_ders);
    for (size_t i = 0; e == ERROR_NONE && i < *n; i++) {
        struct slice der;
        e = der_take(&rest, &der) ? ERROR_NONE : ERROR_CORRUPT;
        p->relay_anchors[i] = bytes_of(der);
    }
    return e;
}

enum error enrol_answer(const Brug__V1__EndpointRow *row, const struct relay *relay,
                        const struct enrol_surroundings *with, struct buf *out, const char **what)
{
    struct id organisation;
    const Brug__V1__OrganisationRow *o = NULL;
    if (check_id(row->organisation, &organisation) == ERROR_NONE)
        o = relay_organisation(relay, &organisation);
    if (o == NULL || row->binding == NULL)
        return ERROR_NO_SUCH_OBJECT;
    struct answer_parts *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERROR_NO_MEMORY;
    buf_init(&p->relay_anchor_ders, RELAY_ANCHORS_MAX * (size_t)CERTIFICATE_BYTES_MAX);

    Brug__V1__EnrolAnswer a = BRUG__V1__ENROL_ANSWER__INIT;
    struct digest binding = digest_of_slice(check_slice(row->binding->binding));
    size_t relay_anchor_count = 0;
    *what = "the setting relay_anchors names no readable PEM file of the relay's CA";
    enum error e = read_relay_anchors(p, with->relay_anchors_path, &relay_anchor_count);
    if (e != ERROR_NONE)
        goto done;
    for (size_t i = 0; i < o->n_municipalities; i++)
        add_municipality_anchors(p, relay, o->municipalities[i]);
    for (size_t i = 0; i < with->crl_count && i < TRUST_CRLS_MAX; i++)
        p->crls[a.n_crls++] = bytes_of(with->crls[i]);
    a.binding_digest = bytes_of(digest_slice(&binding));
    a.identity_certificate = row->identity_certificate;
    a.sealing_certificate = row->sealing_certificate;
    a.n_intermediates = row->n_intermediates;
    a.intermediates = row->intermediates;
    a.n_anchors = p->anchor_count;
    a.anchors = p->anchors;
    a.crls = p->crls;
    a.n_relay_anchors = relay_anchor_count;
    a.relay_anchors = p->relay_anchors;
    a.relay_host = (char *)with->relay_host;
    a.relay_port = with->relay_port;
    a.municipality = o->home;
    a.n_scopes = p->anchor_count;
    a.scopes = p->scope_pointers;
    *what = "the answer is too large";
    e = frame_append_bare(out, &a.base);
done:
    buf_fini(&p->relay_anchor_ders);
    free(p);
    return e;
}
