/*
 * tests/lib/clients.c: see clients.h. Enrolment plays the operator and the CA; the relay's socket is not blocking and is
 * stepped by turns with the client's.
 */
#include "tests/lib/clients.h"

#include "base/text.h"
#include "brug/v1/admin.pb-c.h"
#include "client/session_inside.h"
#include "pki/key.h"
#include "pki/tls.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/directory.h"
#include "tests/lib/failing_memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYTES_MAX (64u << 20)

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "tests/lib/clients: failed: %s\n", what);
    abort();
}

static int64_t now_cb(void *ctx) { return ((const struct clients *)ctx)->now_ms; }

static ProtobufCBinaryData bytes_of(struct slice s) { return client_field(s); }

static void copy(struct buf *out, struct slice s)
{
    buf_clear(out);
    need(buf_append_slice(out, s) == ERROR_NONE, "memory");
}

struct id clients_organisation(unsigned organisation) { return fixture_id(organisation); }

/* ---- enrolment ---- */

static void armour(struct buf *text, const char *label, const ProtobufCMessage *m)
{
    struct buf packed;
    buf_init(&packed, BYTES_MAX);
    need(frame_append_bare(&packed, m) == 0 && text_armour(text, label, buf_slice(&packed)) == 0 &&
             buf_append_u8(text, 0) == 0,
         "armour");
    buf_fini(&packed);
}

static char *make_request(struct clients *c, struct member *m, unsigned person)
{
    Brug__V1__Invitation i = BRUG__V1__INVITATION__INIT;
    struct brug_init_options options = {.recovery = m->is_recovery};
    char organisation_name[32];
    char person_name[32];
    char *request = NULL;
    struct buf text;
    buf_init(&text, BYTES_MAX);
    snprintf(organisation_name, sizeof organisation_name, "Organisatie %u",
             (unsigned)(m->organisation.bytes[15]));
    snprintf(person_name, sizeof person_name, "Persoon %u", person);
    i.municipality = bytes_of(id_slice(&c->municipality));
    i.organisation = bytes_of(id_slice(&m->organisation));
    i.person = client_id_field(&m->person);
    i.organisation_name = organisation_name;
    i.person_name = id_is_none(&m->person) ? (char *)"" : person_name;
    i.role = (Brug__V1__Role)m->role;
    armour(&text, "INVITATION", &i.base);
    need(brug_init(m->b, (const char *)text.data, &options, &request) == BRUG_OK,
         brug_last_error(m->b));
    copy(&m->invitation, slice_of(text.data, text.len));
    buf_fini(&text);
    return request;
}

static void certify(struct clients *c, struct slice key, enum certificate_use use,
                    const struct certificate_identity *who, struct buf *out, X509 **keep)
{
    struct fixture_wish wish = {.use = use, .who = *who};
    need(key_from_public_der(&wish.key, key) == ERROR_NONE, "a public key");
    X509 *x = fixture_issue(&c->ca, &wish, NULL);
    need(certificate_to_der(x, out) == ERROR_NONE, "a certificate");
    EVP_PKEY_free(wish.key);
    if (keep)
        *keep = x;
    else
        X509_free(x);
}

static void certify_both(struct clients *c, struct member *m, const char *request)
{
    struct buf bytes;
    struct certificate_identity who = {.organisation = m->organisation, .person = m->person};
    struct brug_identity identity;
    buf_init(&bytes, BYTES_MAX);
    need(text_from_armour(&bytes, "REQUEST", slice_text(request)) == ERROR_NONE, "a request");
    Brug__V1__EnrolRequest *r = brug__v1__enrol_request__unpack(NULL, bytes.len, bytes.data);
    need(r && brug_identity(m->b, &identity) == BRUG_OK, "a request that unpacks");
    m->endpoint = client_id(&identity.endpoint);
    who.endpoint = m->endpoint;
    snprintf(who.organisation_name, sizeof who.organisation_name, "%s", identity.organisation_name);
    snprintf(who.common_name, sizeof who.common_name, "%s",
             *identity.person_name ? identity.person_name : identity.organisation_name);
    copy(&m->binding, check_slice(r->binding->binding));
    copy(&m->signature, check_slice(r->binding->signature));
    Brug__V1__Binding *b = brug__v1__binding__unpack(NULL, m->binding.len, m->binding.data);
    certify(c, check_slice(b->identity_key), CERTIFICATE_IDENTITY, &who, &m->identity,
            &m->identity_x509);
    certify(c, check_slice(b->sealing_key), CERTIFICATE_SEALING, &who, &m->sealing, NULL);
    brug__v1__binding__free_unpacked(b, NULL);
    brug__v1__enrol_request__free_unpacked(r, NULL);
    buf_fini(&bytes);
}

int clients_answer(struct clients *c, struct member *m, clients_spoil_cb *spoil,
                   char code[BRUG_COMPARE_BYTES])
{
    Brug__V1__EnrolAnswer a = BRUG__V1__ENROL_ANSWER__INIT;
    Brug__V1__AnchorScope scope = BRUG__V1__ANCHOR_SCOPE__INIT;
    Brug__V1__AnchorScope *scopes[] = {&scope};
    struct digest binding = binding_digest(buf_slice(&m->binding));
    struct digest anchor = certificate_digest(c->ca.certificate);
    char host[] = "127.0.0.1";
    struct buf text, anchor_der, relay_der;
    failing_memory_pause(1);
    buf_init(&text, BYTES_MAX);
    buf_init(&anchor_der, BYTES_MAX);
    buf_init(&relay_der, BYTES_MAX);
    need(certificate_to_der(c->ca.certificate, &anchor_der) == 0 &&
             certificate_to_der(c->relay_ca.certificate, &relay_der) == 0,
         "anchors");
    ProtobufCBinaryData anchors[] = {bytes_of(buf_slice(&anchor_der))};
    ProtobufCBinaryData relay_anchors[] = {bytes_of(buf_slice(&relay_der))};
    ProtobufCBinaryData crls[] = {bytes_of(buf_slice(&c->crl))};
    a.binding_digest = bytes_of(digest_slice(&binding));
    a.identity_certificate = bytes_of(buf_slice(&m->identity));
    a.sealing_certificate = bytes_of(buf_slice(&m->sealing));
    a.anchors = anchors;
    a.relay_anchors = relay_anchors;
    a.crls = crls;
    a.n_anchors = a.n_relay_anchors = a.n_crls = 1;
    a.relay_host = host;
    a.relay_port = c->port;
    a.municipality = bytes_of(id_slice(&c->municipality));
    scope.anchor_digest = bytes_of(digest_slice(&anchor));
    scope.municipality = a.municipality;
    a.scopes = scopes;
    a.n_scopes = 1;
    if (spoil)
        spoil(c, m, &a);
    armour(&text, "ANSWER", &a.base);
    failing_memory_pause(0);
    int e = brug_enrol(m->b, (const char *)text.data, code);
    buf_fini(&text);
    buf_fini(&anchor_der);
    buf_fini(&relay_der);
    return e;
}

static struct member *begin(struct clients *c, unsigned organisation, unsigned person, int role,
                            bool is_recovery)
{
    need(c->n < CLIENTS_MAX, "room for a member");
    struct member *m = &c->members[c->n++];
    struct buf *bufs[] = {&m->binding, &m->signature,        &m->identity,
                          &m->sealing, &m->countersignature, &m->invitation};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        buf_init(bufs[i], BYTES_MAX);
    m->organisation = clients_organisation(organisation);
    m->role = role;
    m->is_recovery = is_recovery;
    if (!is_recovery && role != BRUG_ROLE_SYSTEM)
        m->person = fixture_id(1000 + 16 * organisation + person);
    m->directory = directory_new();
    m->b = brug_new(m->directory);
    need(m->b != NULL, "a handle");
    m->b->now_ms = now_cb;
    m->b->now_ctx = c;
    char *request = make_request(c, m, person);
    certify_both(c, m, request);
    brug_free(request);
    return m;
}

static struct member *add(struct clients *c, unsigned organisation, unsigned person, int role,
                          bool is_recovery)
{
    char code[BRUG_COMPARE_BYTES];
    struct member *m = begin(c, organisation, person, role, is_recovery);
    need(clients_answer(c, m, NULL, code) == BRUG_OK, brug_last_error(m->b));
    need(brug_enrol_confirm(m->b, code) == BRUG_OK, brug_last_error(m->b));
    c->epoch++;
    return m;
}

struct member *clients_begin(struct clients *c, unsigned organisation, unsigned person, int role)
{
    return begin(c, organisation, person, role, false);
}

struct member *clients_add(struct clients *c, unsigned organisation, unsigned person, int role)
{
    return add(c, organisation, person, role, false);
}

struct member *clients_add_recovery(struct clients *c, unsigned organisation, unsigned number)
{
    return add(c, organisation, number, BRUG_ROLE_SYSTEM, true);
}

void clients_reopen(struct clients *c, struct member *m)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    if (c->connected == m)
        clients_cut(c);
    brug_close(&m->b);
    m->b = brug_new(m->directory);
    m->b->now_ms = now_cb;
    m->b->now_ctx = c;
    need(brug_open(m->b, &state) == BRUG_OK && state == BRUG_STATE_READY, brug_last_error(m->b));
}

/* ---- the directory ---- */

static int by_endpoint(const void *a, const void *b)
{
    const struct member *const *x = a;
    const struct member *const *y = b;
    return id_compare(&(*x)->endpoint, &(*y)->endpoint);
}

static size_t members_of(struct clients *c, const struct id *organisation, struct member **out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!c->members[i].is_hidden && id_equal(&c->members[i].organisation, organisation))
            out[n++] = &c->members[i];
    qsort(out, n, sizeof *out, by_endpoint);
    return n;
}

static void pack_roster(struct clients *c, const struct id *organisation, struct member **m,
                        size_t n, struct buf *out)
{
    Brug__V1__Roster r = BRUG__V1__ROSTER__INIT;
    Brug__V1__RosterEndpoint rows[CLIENTS_MAX];
    Brug__V1__RosterEndpoint *list[CLIENTS_MAX];
    Brug__V1__PersonEntry persons[CLIENTS_MAX];
    Brug__V1__PersonEntry *person_list[CLIENTS_MAX];
    struct digest digests[CLIENTS_MAX];
    char name[] = "Persoon";
    for (size_t i = 0; i < n; i++) {
        rows[i] = (Brug__V1__RosterEndpoint)BRUG__V1__ROSTER_ENDPOINT__INIT;
        digests[i] = binding_digest(buf_slice(&m[i]->binding));
        rows[i].endpoint = client_id_field(&m[i]->endpoint);
        rows[i].person = client_id_field(&m[i]->person);
        rows[i].recovery = m[i]->is_recovery;
        rows[i].binding_digest = bytes_of(digest_slice(&digests[i]));
        list[i] = &rows[i];
        if (id_is_none(&m[i]->person))
            continue;
        persons[r.n_persons] = (Brug__V1__PersonEntry)BRUG__V1__PERSON_ENTRY__INIT;
        persons[r.n_persons].person = rows[i].person;
        persons[r.n_persons].name = name;
        persons[r.n_persons].role = (Brug__V1__Role)m[i]->role;
        persons[r.n_persons].active = true;
        person_list[r.n_persons] = &persons[r.n_persons];
        r.n_persons++;
    }
    r.organisation = bytes_of(id_slice(organisation));
    r.kind = organisation->bytes[15] % 2 ? BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE
                                         : BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM;
    r.home = bytes_of(id_slice(&c->municipality));
    r.persons = person_list;
    r.endpoints = list;
    r.n_endpoints = n;
    need(frame_append_bare(out, &r.base) == ERROR_NONE, "a roster");
}

void clients_pack_organisation(struct clients *c, const struct id *organisation, struct buf *out)
{
    Brug__V1__OrganisationEntry entry = BRUG__V1__ORGANISATION_ENTRY__INIT;
    Brug__V1__EndpointEntry rows[CLIENTS_MAX];
    Brug__V1__EndpointEntry *list[CLIENTS_MAX];
    Brug__V1__SignedBinding bindings[CLIENTS_MAX];
    Brug__V1__Countersignature counters[CLIENTS_MAX];
    Brug__V1__Countersignature *counter_list[CLIENTS_MAX];
    struct member *m[CLIENTS_MAX];
    ProtobufCBinaryData municipalities[] = {bytes_of(id_slice(&c->municipality))};
    struct buf roster;
    char name[] = "Wat de relay zegt";
    size_t n = members_of(c, organisation, m);
    buf_init(&roster, BYTES_MAX);
    pack_roster(c, organisation, m, n, &roster);
    for (size_t i = 0; i < n; i++) {
        rows[i] = (Brug__V1__EndpointEntry)BRUG__V1__ENDPOINT_ENTRY__INIT;
        bindings[i] = (Brug__V1__SignedBinding)BRUG__V1__SIGNED_BINDING__INIT;
        counters[i] = (Brug__V1__Countersignature)BRUG__V1__COUNTERSIGNATURE__INIT;
        bindings[i].binding = bytes_of(buf_slice(&m[i]->binding));
        bindings[i].signature = bytes_of(buf_slice(&m[i]->signature));
        rows[i].binding = &bindings[i];
        rows[i].identity_certificate = bytes_of(buf_slice(&m[i]->identity));
        rows[i].sealing_certificate = bytes_of(buf_slice(&m[i]->sealing));
        rows[i].reads = true;
        counters[i].endpoint = client_id_field(&m[i]->countersigner);
        counters[i].signature = bytes_of(buf_slice(&m[i]->countersignature));
        counter_list[i] = &counters[i];
        rows[i].countersignatures = &counter_list[i];
        rows[i].n_countersignatures = m[i]->countersignature.len > 0;
        list[i] = &rows[i];
    }
    entry.roster = bytes_of(buf_slice(&roster));
    entry.name = name;
    entry.endpoints = list;
    entry.n_endpoints = n;
    entry.addressable = true;
    entry.municipalities = municipalities;
    entry.n_municipalities = 1;
    buf_clear(out);
    need(frame_append_bare(out, &entry.base) == ERROR_NONE, "an organisation");
    buf_fini(&roster);
}

void clients_revoke(struct clients *c, X509 *const *revoked, size_t n)
{
    c->epoch++;
    buf_clear(&c->crl);
    fixture_crl(&c->ca, FIXTURE_FROM_MS + (int64_t)c->epoch * 1000, FIXTURE_UNTIL_MS,
                (long)c->epoch + 10, revoked, n, &c->crl);
}

/* ---- the relay: bytes ---- */

static void send_frame(struct clients *c, Brug__V1__ServerFrame *f)
{
    need(frame_append(&c->out, &f->base) == ERROR_NONE, "output");
}

static Brug__V1__ServerFrame frame_of(int frame_case, uint64_t request)
{
    Brug__V1__ServerFrame f = BRUG__V1__SERVER_FRAME__INIT;
    f.frame_case = (Brug__V1__ServerFrame__FrameCase)frame_case;
    f.request = request;
    return f;
}

void clients_cut(struct clients *c)
{
    SSL_free(c->ssl);
    c->ssl = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->connected = NULL;
    c->is_subscribed = false;
    buf_clear(&c->in);
    buf_clear(&c->out);
}

static void send_refused(struct clients *c, uint64_t request, int code, bool passing,
                         ProtobufCBinaryData message_id)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_REFUSED, request);
    Brug__V1__Refused r = BRUG__V1__REFUSED__INIT;
    r.code = (Brug__V1__Code)code;
    r.passing = passing;
    r.retry_after_ms = c->script.refuse_after_ms;
    r.message_id = message_id;
    f.refused = &r;
    send_frame(c, &f);
}

/* ---- the relay: deliveries ---- */

static size_t reader_of(const struct kept *k, const struct id *endpoint)
{
    for (size_t i = 0; i < k->reader_count; i++)
        if (id_equal(&k->readers[i], endpoint))
            return i;
    return SIZE_MAX;
}

static void send_delivery(struct clients *c, struct kept *k, uint64_t sequence)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_DELIVER, 0);
    Brug__V1__Deliver d = BRUG__V1__DELIVER__INIT;
    Brug__V1__Envelope e = BRUG__V1__ENVELOPE__INIT;
    struct buf forged;
    buf_init(&forged, BYTES_MAX);
    e.header = bytes_of(buf_slice(&k->header));
    e.sealed = bytes_of(buf_slice(&k->sealed));
    if (c->script.forges_deliveries) {
        Brug__V1__Header *h = brug__v1__header__unpack(NULL, k->header.len, k->header.data);
        h->written_at_ms++;
        need(frame_append_bare(&forged, &h->base) == ERROR_NONE, "a forged header");
        brug__v1__header__free_unpacked(h, NULL);
        e.header = bytes_of(buf_slice(&forged));
    }
    d.sequence = sequence;
    d.stored_at_ms = k->stored_at_ms;
    d.attempt = 1;
    d.envelope = &e;
    f.deliver = &d;
    send_frame(c, &f);
    buf_fini(&forged);
}

static void deliver_waiting(struct clients *c)
{
    for (size_t i = 0; c->script.slow_pongs == 0 && i < c->kept_count; i++) {
        size_t reader = reader_of(&c->kept[i], &c->connected->endpoint);
        if (reader != SIZE_MAX && !c->kept[i].is_acked[reader])
            send_delivery(c, &c->kept[i], i + 1);
    }
}

/* ---- the relay: requests ---- */

static void on_hello(struct clients *c, const Brug__V1__ClientFrame *in)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_WELCOME, in->request);
    Brug__V1__Welcome w = BRUG__V1__WELCOME__INIT;
    Brug__V1__Limits limits = BRUG__V1__LIMITS__INIT;
    Brug__V1__Epoch epoch = BRUG__V1__EPOCH__INIT, neighbours = BRUG__V1__EPOCH__INIT;
    Brug__V1__Epoch *epochs[] = {&epoch, &neighbours};
    struct certificate_identity who;
    X509 *peer = SSL_get1_peer_certificate(c->ssl);
    need(peer && certificate_identity(peer, &who) == ERROR_NONE, "the client's certificate");
    X509_free(peer);
    for (size_t i = 0; i < c->n; i++)
        if (id_equal(&c->members[i].endpoint, &who.endpoint))
            c->connected = &c->members[i];
    if (c->script.go_away) {
        Brug__V1__ServerFrame g = frame_of(BRUG__V1__SERVER_FRAME__FRAME_GO_AWAY, 0);
        Brug__V1__GoAway go = BRUG__V1__GO_AWAY__INIT;
        go.code = (Brug__V1__Code)c->script.go_away;
        g.go_away = &go;
        send_frame(c, &g);
        return;
    }
    limits.frame_bytes_max = LIMIT_MESSAGE_BYTES_DEFAULT + LIMIT_FRAME_OVERHEAD_BYTES;
    limits.message_bytes_max = LIMIT_MESSAGE_BYTES_DEFAULT;
    limits.readers_max = LIMIT_READERS;
    limits.requests_max = 64;
    limits.credit_messages_max = LIMIT_CREDIT_MESSAGES;
    limits.credit_bytes_max = LIMIT_CREDIT_BYTES;
    limits.idle_ms_max = 60000;
    epoch.municipality = bytes_of(id_slice(&c->municipality));
    neighbours.municipality = bytes_of(id_slice(&c->neighbour));
    epoch.epoch = neighbours.epoch = c->epoch;
    w.protocol = 1;
    w.municipality = epoch.municipality;
    w.organisation = client_id_field(&c->connected->organisation);
    w.endpoint = client_id_field(&c->connected->endpoint);
    w.person = client_id_field(&c->connected->person);
    w.role = (Brug__V1__Role)c->connected->role;
    w.limits = &limits;
    w.epochs = epochs;
    w.n_epochs = id_is_none(&c->neighbour) ? 1 : 2;
    w.server_time_ms = c->now_ms + c->script.time_ahead_ms;
    w.generation = bytes_of(slice_of(c->generation, sizeof c->generation));
    struct id team = clients_organisation(2);
    if (id_equal(&c->connected->organisation, &team))
        w.family_key = client_id_field(&c->family_key);
    w.complete_until_ms = c->complete_until_ms;
    f.welcome = &w;
    send_frame(c, &f);
}

static void send_receipt(struct clients *c, uint64_t request, const struct kept *k)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_RECEIPT, request);
    Brug__V1__Receipt r = BRUG__V1__RECEIPT__INIT;
    r.message_id = client_id_field(&k->message_id);
    r.stored_at_ms = k->stored_at_ms;
    r.generation = bytes_of(slice_of(c->generation, sizeof c->generation));
    f.receipt = &r;
    send_frame(c, &f);
    if (c->script.breaks_after_receipt)
        need(buf_append_u8(&c->out, 0) == ERROR_NONE, "output");
    c->script.breaks_after_receipt = false;
}

static struct kept *find_kept(struct clients *c, const struct id *organisation,
                              const struct id *message_id)
{
    for (size_t i = 0; i < c->kept_count; i++)
        if (id_equal(&c->kept[i].organisation, organisation) &&
            id_equal(&c->kept[i].message_id, message_id))
            return &c->kept[i];
    return NULL;
}

/* A HISTORY is for one colleague: whose endpoint stands first. */
static bool is_meant(struct clients *c, const Brug__V1__Header *h, const struct member *m)
{
    if (h->kind != BRUG__V1__KIND__KIND_HISTORY || m->is_recovery)
        return true;
    for (size_t i = 0; i < c->n && h->n_readers > 0; i++)
        if (slice_equal(check_slice(h->readers[0]), id_slice(&c->members[i].endpoint)))
            return id_equal(&c->members[i].person, &m->person);
    return false;
}

/* Readers and copies as the directory has them now. */
static bool fits_directory(struct clients *c, const Brug__V1__Header *h)
{
    struct id to = client_field_id(h->to);
    size_t readers = 0;
    size_t copies = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct member *m = &c->members[i];
        if (m->is_hidden || m == c->connected || !is_meant(c, h, m) ||
            (!id_equal(&m->organisation, &to) &&
             !id_equal(&m->organisation, &c->connected->organisation)))
            continue;
        size_t n = m->is_recovery ? h->n_copies : h->n_readers;
        const ProtobufCBinaryData *list = m->is_recovery ? h->copies : h->readers;
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found = found || slice_equal(check_slice(list[k]), id_slice(&m->endpoint));
        if (!found)
            return false;
        *(m->is_recovery ? &copies : &readers) += 1;
    }
    return readers == h->n_readers && copies == h->n_copies;
}

/* A key letter must replace the key in force. */
static bool fits_family(const struct clients *c, const Brug__V1__Header *h)
{
    struct id replaced = client_field_id(h->replaced_key);
    return h->kind != BRUG__V1__KIND__KIND_FAMILY_KEY ||
           (c->knows_families && id_equal(&replaced, &c->family_key));
}

static struct kept *keep(struct clients *c, const Brug__V1__Envelope *e, const Brug__V1__Header *h)
{
    need(c->kept_count < CLIENTS_MESSAGES_MAX, "room for a message");
    struct kept *k = &c->kept[c->kept_count++];
    memset(k, 0, sizeof *k);
    buf_init(&k->header, BYTES_MAX);
    buf_init(&k->sealed, BYTES_MAX);
    copy(&k->header, check_slice(e->header));
    copy(&k->sealed, check_slice(e->sealed));
    k->organisation = client_field_id(h->from->organisation);
    k->message_id = client_field_id(h->message_id);
    k->stored_at_ms = FIXTURE_NOW_MS + (int64_t)c->kept_count * 1000;
    for (size_t i = 0; i < h->n_readers; i++)
        k->readers[k->reader_count++] = client_field_id(h->readers[i]);
    return k;
}

static void on_submit(struct clients *c, const Brug__V1__ClientFrame *in)
{
    const Brug__V1__Envelope *e = in->submit->envelope;
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, e->header.len, e->header.data);
    const char *field = "";
    need(h && check_header(h, &field) == ERROR_NONE, "a header that holds");
    struct id organisation = client_field_id(h->from->organisation);
    struct id message_id = client_field_id(h->message_id);
    struct kept *k = find_kept(c, &organisation, &message_id);
    if (!k && c->script.refuse_code) {
        send_refused(c, in->request, c->script.refuse_code, c->script.refuse_passing,
                     h->message_id);
        if (c->script.refuse_count > 1)
            c->script.refuse_count--;
        else
            c->script.refuse_code = 0;
    } else if (!k && !fits_family(c, h)) {
        send_refused(c, in->request,
                     c->knows_families ? ERROR_FAMILY_KEY_MOVED : ERROR_UPDATE_RELAY, false,
                     h->message_id);
    } else if (!k && (c->script.answers_directory_changed || !fits_directory(c, h))) {
        c->script.answers_directory_changed = false;
        send_refused(c, in->request, ERROR_DIRECTORY_CHANGED, true, h->message_id);
    } else {
        if (k && (!slice_equal(buf_slice(&k->header), check_slice(e->header)) ||
                  !slice_equal(buf_slice(&k->sealed), check_slice(e->sealed))))
            c->repeats_differing++;
        if (!k && h->kind == BRUG__V1__KIND__KIND_FAMILY_KEY)
            c->family_key = client_field_id(h->key_id);
        if (!k)
            k = keep(c, e, h);
        k->submits++;
        if (c->script.cut_before_answer) {
            c->script.cut_before_answer = false;
            c->script.cut_after_bytes = c->sent_bytes;
        } else {
            send_receipt(c, in->request, k);
        }
    }
    brug__v1__header__free_unpacked(h, NULL);
}

static void on_ack(struct clients *c, const Brug__V1__ClientFrame *in)
{
    struct id organisation = client_field_id(in->ack->organisation);
    struct id message_id = client_field_id(in->ack->message_id);
    struct kept *k = find_kept(c, &organisation, &message_id);
    size_t reader = k ? reader_of(k, &c->connected->endpoint) : SIZE_MAX;
    if (c->script.is_deaf_to_acks)
        return;
    if (reader == SIZE_MAX) {
        send_refused(c, in->request, ERROR_NO_SUCH_MESSAGE, false, in->ack->message_id);
        return;
    }
    if (!k->is_acked[reader])
        k->ack_code[reader] = (int)in->ack->code;
    k->is_acked[reader] = true;
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_ACKED, in->request);
    Brug__V1__Acked a = BRUG__V1__ACKED__INIT;
    a.organisation = in->ack->organisation;
    a.message_id = in->ack->message_id;
    f.acked = &a;
    send_frame(c, &f);
}

static void on_directory(struct clients *c, const Brug__V1__ClientFrame *in)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY, in->request);
    Brug__V1__Directory d = BRUG__V1__DIRECTORY__INIT;
    Brug__V1__Epoch epoch = BRUG__V1__EPOCH__INIT;
    Brug__V1__OrganisationEntry *list[CLIENTS_MAX];
    ProtobufCBinaryData crls[] = {bytes_of(buf_slice(&c->crl))};
    struct id last = client_field_id(in->get_directory->after);
    struct id municipality = client_field_id(in->get_directory->municipality);
    bool is_neighbour = id_equal(&municipality, &c->neighbour);
    struct buf packed;
    if (!is_neighbour && !id_equal(&municipality, &c->municipality)) {
        send_refused(c, in->request, ERROR_NO_SUCH_OBJECT, false, client_field(SLICE_NONE));
        return;
    }
    buf_init(&packed, BYTES_MAX);
    c->directory_requests++;
    /* one organisation a page, so that paging is always at work */
    const struct id *next = NULL;
    for (size_t i = 0; i < c->n && !is_neighbour; i++)
        if (id_compare(&c->members[i].organisation, &last) > 0 &&
            (!next || id_compare(&c->members[i].organisation, next) < 0))
            next = &c->members[i].organisation;
    if (next) {
        clients_pack_organisation(c, next, &packed);
        list[0] = brug__v1__organisation_entry__unpack(NULL, packed.len, packed.data);
        d.n_organisations = 1;
        d.next = client_id_field(next);
    }
    if (in->get_directory->with_crls) {
        d.crls = crls;
        d.n_crls = 1;
    }
    epoch.municipality = in->get_directory->municipality;
    epoch.epoch = c->epoch;
    d.epoch = &epoch;
    d.organisations = list;
    f.directory = &d;
    send_frame(c, &f);
    if (d.n_organisations)
        brug__v1__organisation_entry__free_unpacked(list[0], NULL);
    buf_fini(&packed);
}

static void on_track(struct clients *c, const Brug__V1__ClientFrame *in)
{
    struct id message_id = client_field_id(in->track->message_id);
    struct kept *k = find_kept(c, &c->connected->organisation, &message_id);
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_TRACKED, in->request);
    Brug__V1__Tracked t = BRUG__V1__TRACKED__INIT;
    Brug__V1__ReaderFact facts[CLIENTS_MAX];
    Brug__V1__ReaderFact *list[CLIENTS_MAX];
    if (!k) {
        send_refused(c, in->request, ERROR_NO_SUCH_MESSAGE, false, in->track->message_id);
        return;
    }
    for (size_t i = 0; i < k->reader_count; i++) {
        facts[i] = (Brug__V1__ReaderFact)BRUG__V1__READER_FACT__INIT;
        facts[i].endpoint = client_id_field(&k->readers[i]);
        facts[i].fetched_at_ms = k->is_acked[i] && !k->ack_code[i] ? FIXTURE_NOW_MS : 0;
        facts[i].unreadable = (Brug__V1__Code)k->ack_code[i];
        list[i] = &facts[i];
    }
    t.message_id = in->track->message_id;
    t.stored_at_ms = k->stored_at_ms;
    t.readers = list;
    t.n_readers = k->reader_count;
    f.tracked = &t;
    send_frame(c, &f);
}

static void on_countersignature(struct clients *c, const Brug__V1__PutCountersignature *put)
{
    struct id endpoint = client_field_id(put->endpoint);
    for (size_t i = 0; i < c->n; i++) {
        if (!id_equal(&c->members[i].endpoint, &endpoint))
            continue;
        copy(&c->members[i].countersignature, check_slice(put->countersignature->signature));
        c->members[i].countersigner = client_field_id(put->countersignature->endpoint);
    }
}

static void send_noted(struct clients *c, uint64_t request)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_NOTED, request);
    Brug__V1__Noted n = BRUG__V1__NOTED__INIT;
    f.noted = &n;
    send_frame(c, &f);
}

/* Cases are what the test says they are; the relay of a test that says nothing is of before cases. */
static bool tells_of_cases(struct clients *c, uint64_t request)
{
    if (c->case_count > 0)
        return true;
    send_refused(c, request, ERROR_UPDATE_RELAY, false, client_field(SLICE_NONE));
    return false;
}

static void on_get_case(struct clients *c, const Brug__V1__ClientFrame *in)
{
    c->case_requests++;
    if (!tells_of_cases(c, in->request))
        return;
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_CASE_FACTS, in->request);
    for (size_t i = 0; i < c->case_count; i++)
        if (slice_equal(check_slice(c->cases[i]->case_id), check_slice(in->get_case->case_id))) {
            f.case_facts = c->cases[i];
            send_frame(c, &f);
            return;
        }
    send_refused(c, in->request, ERROR_NO_SUCH_CASE, false, client_field(SLICE_NONE));
}

/* One case a page, so that paging is always at work. */
static void on_list_cases(struct clients *c, const Brug__V1__ClientFrame *in)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_CASES, in->request);
    Brug__V1__Cases list = BRUG__V1__CASES__INIT;
    struct id after = client_field_id(in->list_cases->after);
    Brug__V1__Case *next = NULL;
    if (!tells_of_cases(c, in->request))
        return;
    for (size_t i = 0; i < c->case_count; i++) {
        struct id id = client_field_id(c->cases[i]->case_id);
        struct id best = next ? client_field_id(next->case_id) : ID_NONE;
        if (c->cases[i]->ended_at_ms != 0 && !in->list_cases->ended)
            continue;
        if (id_compare(&id, &after) > 0 && (!next || id_compare(&id, &best) < 0))
            next = c->cases[i];
    }
    if (next) {
        list.n_cases = 1;
        list.cases = &next;
        list.next = next->case_id;
    }
    f.cases = &list;
    send_frame(c, &f);
}

/* What a case is told to have is what it was given last. */
static void on_put_tags(struct clients *c, const Brug__V1__ClientFrame *in)
{
    const Brug__V1__PutTags *put = in->put_tags;
    struct given given = {.case_id = client_field_id(put->case_id),
                          .key_id = client_field_id(put->key_id)};
    int code = c->knows_families ? ERROR_NONE : ERROR_UPDATE_RELAY;
    if (!code && !id_equal(&given.key_id, &c->family_key))
        code = ERROR_FAMILY_KEY_MOVED;
    if (code) {
        send_refused(c, in->request, code, false, client_field(SLICE_NONE));
        return;
    }
    need(c->tag_count < CLIENTS_TAGS_MAX, "room for tags");
    if (put->child.len > 0)
        memcpy(given.child.bytes, put->child.data, DIGEST_BYTES);
    if (put->household.len > 0)
        memcpy(given.household.bytes, put->household.data, DIGEST_BYTES);
    c->tags[c->tag_count] = given;
    for (size_t i = 0; i < c->case_count; i++)
        if (slice_equal(check_slice(c->cases[i]->case_id), check_slice(put->case_id)))
            c->cases[i]->family_key = client_id_field(&c->tags[c->tag_count].key_id);
    c->tag_count++;
    send_noted(c, in->request);
}

static void on_figures(struct clients *c, const Brug__V1__ClientFrame *in)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_FIGURES, in->request);
    struct id page = fixture_id(++c->figure_requests);
    bool is_last = c->figure_requests >= c->figure_pages;
    if (!c->figures) {
        send_refused(c, in->request, ERROR_UPDATE_RELAY, false, client_field(SLICE_NONE));
        return;
    }
    f.figures = c->figures;
    f.figures->next = is_last ? client_field(SLICE_NONE) : client_id_field(&page);
    send_frame(c, &f);
}

/* Whether the script refuses the request, whatever it asks. */
static bool refuses(struct clients *c, const Brug__V1__ClientFrame *in)
{
    struct script *s = &c->script;
    if (s->refuse_request == 0 || s->refuse_request != (int)in->frame_case)
        return false;
    send_refused(c, in->request, s->request_code, error_is_passing((enum error)s->request_code),
                 client_field(SLICE_NONE));
    if (s->request_count > 0 && --s->request_count == 0)
        s->refuse_request = 0;
    return true;
}

static void on_request(struct clients *c, const Brug__V1__ClientFrame *in)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_PONG, in->request);
    Brug__V1__Pong pong = BRUG__V1__PONG__INIT;
    const char *field = "";
    need(check_client_frame(in, &field) == ERROR_NONE, field);
    if (refuses(c, in))
        return;
    switch (in->frame_case) {
    case BRUG__V1__CLIENT_FRAME__FRAME_HELLO:
        on_hello(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT:
        on_submit(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_SUBSCRIBE:
        c->is_subscribed = true;
        deliver_waiting(c);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_ACK:
        on_ack(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_DIRECTORY:
        on_directory(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_TRACK:
        on_track(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_OPENED: {
        struct id organisation = client_field_id(in->opened->organisation);
        struct id message_id = client_field_id(in->opened->message_id);
        struct kept *k = find_kept(c, &organisation, &message_id);
        if (k) {
            k->opened++;
            k->handed_on = client_field_id(in->opened->handed_on);
        }
        send_noted(c, in->request);
        return;
    }
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_COUNTERSIGNATURE:
        on_countersignature(c, in->put_countersignature);
        send_noted(c, in->request);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_PING:
        pong.server_time_ms = c->now_ms + c->script.time_ahead_ms;
        pong.more = c->script.slow_pongs > 0;
        f.pong = &pong;
        send_frame(c, &f);
        if (pong.more && --c->script.slow_pongs == 0)
            deliver_waiting(c);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_CASE:
        on_get_case(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_LIST_CASES:
        on_list_cases(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS:
        on_put_tags(c, in);
        return;
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_FIGURES:
        on_figures(c, in);
        return;
    default:
        return;
    }
}

/* ---- the relay: stepping ---- */

static void take_connection(struct clients *c)
{
    if (c->fd >= 0)
        return;
    c->fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK);
    if (c->fd < 0)
        return;
    c->connections++;
    c->sent_bytes = 0;
    c->ssl = SSL_new(c->context);
    need(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1, "a connection");
    SSL_set_accept_state(c->ssl);
}

static void read_requests(struct clients *c)
{
    uint8_t *place = NULL;
    struct slice in;
    struct slice frame;
    bool complete = true;
    size_t wanted = 0;
    for (;;) {
        size_t before = c->in.len;
        need(buf_extend(&c->in, 65536, &place) == ERROR_NONE, "input");
        int rc = SSL_read(c->ssl, place, 65536);
        c->in.len = before + (rc > 0 ? (size_t)rc : 0);
        if (rc <= 0) {
            int why = SSL_get_error(c->ssl, rc);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
                clients_cut(c);
                return;
            }
            break;
        }
    }
    in = buf_slice(&c->in);
    while (c->fd >= 0) {
        ProtobufCMessage *m = NULL;
        need(frame_next(&in, BYTES_MAX, &frame, &complete, &wanted) == ERROR_NONE, "a frame");
        if (!complete)
            break;
        arena_reset(c->arena, frame_budget(frame.len));
        need(frame_decode(c->arena, &brug__v1__client_frame__descriptor, frame, &m) == ERROR_NONE,
             "a frame that decodes");
        on_request(c, (const Brug__V1__ClientFrame *)m);
    }
    if (c->fd >= 0)
        buf_consume(&c->in, c->in.len - in.len);
}

static void write_answers(struct clients *c)
{
    while (c->fd >= 0 && c->out.len > 0) {
        size_t len = c->out.len;
        int64_t room = c->script.cut_after_bytes - c->sent_bytes;
        if (c->script.cut_after_bytes >= 0 && (int64_t)len > room)
            len = room > 0 ? (size_t)room : 0;
        int rc = len > 0 ? SSL_write(c->ssl, c->out.data, (int)len) : 0;
        if (rc > 0) {
            buf_consume(&c->out, (size_t)rc);
            c->sent_bytes += rc;
        } else if (len > 0) {
            int why = SSL_get_error(c->ssl, rc);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                clients_cut(c);
            return;
        }
        if (c->script.cut_after_bytes >= 0 && c->sent_bytes >= c->script.cut_after_bytes) {
            c->script.cut_after_bytes = -1;
            clients_cut(c);
        }
    }
}

static void step_relay(struct clients *c)
{
    ERR_clear_error();
    take_connection(c);
    if (c->fd < 0)
        return;
    if (!SSL_is_init_finished(c->ssl)) {
        int rc = SSL_do_handshake(c->ssl);
        if (rc != 1) {
            int why = SSL_get_error(c->ssl, rc);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                clients_cut(c);
            return;
        }
    }
    read_requests(c);
    /* a script may have cut in the middle of an answer that was never sent */
    if (c->fd >= 0 && c->script.cut_after_bytes >= 0 &&
        c->script.cut_after_bytes <= c->sent_bytes) {
        c->script.cut_after_bytes = -1;
        clients_cut(c);
    }
    write_answers(c);
}

void clients_hurry(struct member *m)
{
    if (m->b->session)
        m->b->session->next_try_ms = 0;
}

static int step_both(struct clients *c, struct member *m)
{
    struct pollfd p[2] = {{.fd = brug_fd(m->b), .events = POLLIN},
                          {.fd = c->fd >= 0 ? c->fd : c->listener, .events = POLLIN}};
    int e = brug_step(m->b);
    failing_memory_pause(1); /* the relay has its own */
    step_relay(c);
    failing_memory_pause(0);
    if (c->after_step)
        c->after_step(c->after_ctx);
    (void)poll(p, 2, brug_timeout_ms(m->b) == 0 ? 0 : 1);
    return e;
}

void clients_run(struct clients *c, struct member *m)
{
    if (!m->b->session)
        need(brug_start(m->b) == BRUG_OK, brug_last_error(m->b));
    for (int i = 0; i < 40; i++)
        need(step_both(c, m) == BRUG_OK, brug_last_error(m->b));
}

/* Neither side has anything to do or to say. */
static bool is_at_rest(const struct clients *c, const struct member *m)
{
    const struct session *s = m->b->session;
    return s->phase == SESSION_UP && !s->is_dirty && s->request_count == 0 && s->out.len == 0 &&
           c->out.len == 0 && c->in.len == 0 && !s->fetch.is_active;
}

/* Until both rest for a while; whether they did. *error: the first one. */
static bool come_to_rest(struct clients *c, struct member *m, int steps, int *error)
{
    int rests = 0;
    if (!m->b->session)
        *error = brug_start(m->b);
    for (int i = 0; i < steps && rests < 4 && m->b->session; i++) {
        if (m->b->session->phase == SESSION_AWAY)
            clients_hurry(m);
        int e = step_both(c, m);
        *error = *error ? *error : e;
        rests = is_at_rest(c, m) ? rests + 1 : 0;
    }
    return rests > 0;
}

void clients_sync(struct clients *c, struct member *m)
{
    int error = BRUG_OK;
    bool rests = come_to_rest(c, m, 4000, &error);
    need(error == BRUG_OK, brug_last_error(m->b));
    need(rests, "a client that comes to rest");
}

int clients_try(struct clients *c, struct member *m, int steps)
{
    int error = BRUG_OK;
    (void)come_to_rest(c, m, steps, &error); /* what fails for good never rests */
    return error;
}

void clients_move_directory(struct clients *c)
{
    Brug__V1__ServerFrame f = frame_of(BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY_MOVED, 0);
    Brug__V1__DirectoryMoved moved = BRUG__V1__DIRECTORY_MOVED__INIT;
    Brug__V1__Epoch epoch = BRUG__V1__EPOCH__INIT;
    c->epoch++;
    if (!c->connected)
        return;
    epoch.municipality = bytes_of(id_slice(&c->municipality));
    epoch.epoch = c->epoch;
    moved.epoch = &epoch;
    f.directory_moved = &moved;
    send_frame(c, &f);
}

void clients_trust_all(struct member *m)
{
    struct brug_organisations *o = NULL;
    need(brug_trust_list(m->b, &o) == BRUG_OK, brug_last_error(m->b));
    for (size_t i = 0; i < o->n; i++)
        need(brug_trust_confirm(m->b, &o->items[i].organisation, o->items[i].fingerprint) ==
                 BRUG_OK,
             brug_last_error(m->b));
    brug_organisations_free(o);
}

void clients_leave(struct clients *c, struct member *m)
{
    brug_stop(m->b);
    clients_cut(c);
}

void clients_meet(struct clients *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct member *m = &c->members[i];
        if (m->is_recovery)
            continue;
        clients_sync(c, m);
        clients_trust_all(m);
        clients_sync(c, m);
        clients_leave(c, m);
    }
}

struct brug_draft clients_referral(void)
{
    struct brug_draft d = {.kind = BRUG_KIND_REFERRAL,
                           .reason = 1,
                           .request_type = 2,
                           .subject = "Slaapt slecht",
                           .text = "Geachte collega,\nSanne slaapt slecht.",
                           .ground = BRUG_GROUND_CONSENT};
    struct id to = clients_organisation(2);
    d.to = client_public_id(&to);
    d.youth.name = "Sanne de Wit";
    d.youth.born = 20140405;
    return d;
}

size_t clients_reader_of(const struct kept *k, const struct member *m)
{
    return reader_of(k, &m->endpoint);
}

static const struct brug_message *find_message(const struct brug_messages *list,
                                               const struct kept *k)
{
    for (size_t i = 0; i < list->n; i++)
        if (memcmp(&list->items[i].message_id, &k->message_id, ID_BYTES) == 0)
            return &list->items[i];
    return NULL;
}

static const char *unfinished_received(const struct kept *k, size_t reader,
                                       const struct brug_message *message)
{
    if (!message)
        return "a letter that the relay has for us is not here";
    if (!k->is_acked[reader])
        return "a letter is not acknowledged";
    if (k->ack_code[reader] != 0 || message->state != BRUG_MESSAGE_READY)
        return "a letter is not readable";
    return message->opened_at_ms > 0 && k->opened == 0 ? "nobody told that a letter was opened"
                                                       : NULL;
}

static const char *unfinished_of(struct clients *c, struct member *m,
                                 const struct brug_messages *list)
{
    size_t sent = 0, received = 0;
    for (size_t i = 0; i < c->kept_count; i++) {
        const struct kept *k = &c->kept[i];
        const struct brug_message *message = find_message(list, k);
        size_t reader = reader_of(k, &m->endpoint);
        const char *what = NULL;
        if (reader != SIZE_MAX)
            what = unfinished_received(k, reader, message);
        else if (id_equal(&k->organisation, &m->organisation) && (!message || !message->is_sent))
            what = "the relay has a letter that this profile does not know";
        if (what)
            return what;
        *(reader != SIZE_MAX ? &received : &sent) += message != NULL;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct brug_message *message = &list->items[i];
        if (message->is_sent && message->state == BRUG_MESSAGE_DISCARDED)
            continue;
        if (message->is_sent && message->state != BRUG_MESSAGE_STORED)
            return "a letter of ours is not stored";
        *(message->is_sent ? &sent : &received) -= 1;
    }
    if (sent != 0 || received != 0)
        return "a letter is here twice, or the relay does not have it";
    return c->repeats_differing ? "a letter went again in other bytes" : NULL;
}

const char *clients_unfinished(struct clients *c, struct member *m)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.limit = 1000};
    if (brug_messages(m->b, &q, &list) != BRUG_OK)
        return brug_last_error(m->b);
    const char *what = unfinished_of(c, m, list);
    brug_messages_free(list);
    return what;
}

/* ---- begin and end ---- */

static void listen_on_loopback(struct clients *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    c->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    need(c->listener >= 0 && bind(c->listener, (struct sockaddr *)&a, sizeof a) == 0 &&
             listen(c->listener, 16) == 0 &&
             getsockname(c->listener, (struct sockaddr *)&a, &len) == 0,
         "a listener");
    c->port = ntohs(a.sin_port);
}

void clients_init(struct clients *c)
{
    struct tls_policy policy = {.is_server = true, .now_ms = now_cb, .now_ctx = c};
    EVP_PKEY *key = NULL;
    struct buf chain;
    memset(c, 0, sizeof *c);
    c->fd = -1;
    c->now_ms = FIXTURE_NOW_MS;
    c->script.cut_after_bytes = -1;
    c->municipality = fixture_id(900);
    c->epoch = 1;
    memset(c->generation, 7, sizeof c->generation);
    fixture_ca_init(&c->ca, "CA");
    fixture_ca_init(&c->relay_ca, "Relay CA");
    buf_init(&c->in, BYTES_MAX);
    buf_init(&c->out, BYTES_MAX);
    buf_init(&c->crl, BYTES_MAX);
    buf_init(&chain, BYTES_MAX);
    c->arena = arena_new();
    clients_revoke(c, NULL, 0);
    listen_on_loopback(c);
    X509 *relay = fixture_relay(&c->relay_ca, &key);
    c->trust = fixture_trust(&c->ca, NULL, 0);
    need(certificate_to_der(relay, &chain) == ERROR_NONE, "the relay's certificate");
    policy.key = key;
    policy.chain = buf_slice(&chain);
    policy.trust = &c->trust;
    need(tls_context_new(&c->context, &policy) == ERROR_NONE, "the relay's context");
    EVP_PKEY_free(key);
    X509_free(relay);
    buf_fini(&chain);
}

void clients_fini(struct clients *c)
{
    clients_cut(c);
    for (size_t i = 0; i < c->n; i++) {
        struct member *m = &c->members[i];
        struct buf *bufs[] = {&m->binding, &m->signature,        &m->identity,
                              &m->sealing, &m->countersignature, &m->invitation};
        brug_close(&m->b);
        directory_free(m->directory);
        for (size_t k = 0; k < sizeof bufs / sizeof bufs[0]; k++)
            buf_fini(bufs[k]);
        X509_free(m->identity_x509);
    }
    for (size_t i = 0; i < c->kept_count; i++) {
        buf_fini(&c->kept[i].header);
        buf_fini(&c->kept[i].sealed);
    }
    close(c->listener);
    tls_context_free(c->context);
    trust_free(c->trust);
    arena_free(c->arena);
    buf_fini(&c->in);
    buf_fini(&c->out);
    buf_fini(&c->crl);
    fixture_ca_fini(&c->ca);
    fixture_ca_fini(&c->relay_ca);
}
