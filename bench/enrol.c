/*
 * bench/enrol.c: enrols a world at a relay, over the socket for its operator. The municipality's CA is
 * one of certs/make-pki; the certificates are made here, because thousands of idle endpoints would take
 * an hour of openssl commands. The relay judges them like any other.
 */
#include "base/clock.h"
#include "bench/world.h"
#include "brug/v1/admin.pb-c.h"
#include "pki/binding.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "proto/frame.h"
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_BYTES_MAX (1u << 20)
#define SERIAL_BITS 64
#define HOUR_S 3600
#define DAYS_VALID 30
#define ENDPOINTS_PER_ORGANISATION 50u
#define PATH_BYTES (WORLD_PATH_BYTES + 64)

/* How many readers each target has: four of one reader to spread over, then the fan-outs. */
static const size_t TARGETS[] = {1, 1, 1, 1, 2, 10};
#define TARGET_COUNT (sizeof TARGETS / sizeof TARGETS[0])

/* So many at once, so that the relay has a group to commit. */
#define TALKS 8u

/* One conversation on the operator's socket. */
struct talk {
    int fd;
    bool is_asked; /* the answer was not read yet */
    struct buf in;
};

struct enroller {
    struct talk talks[TALKS];
    size_t next; /* whose turn it is */
    FILE *file;  /* `world` */
    struct world *world;
    X509 *ca;
    EVP_PKEY *ca_key;
    ProtobufCBinaryData anchor;
    struct arena *arena;
    struct buf out;
};

static ProtobufCBinaryData bytes_of(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.data};
}

static struct id new_id(void)
{
    uint8_t random[16];
    if (RAND_bytes(random, sizeof random) != 1)
        die("no random bytes");
    return id_v4(random);
}

/* ---- the operator's socket ---- */

static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof a.sun_path)
        die("the name of the socket %s is too long", path);
    memcpy(a.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
        die("cannot reach the relay's operator socket %s: %s", path, strerror(errno));
    return fd;
}

static void write_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.data, s.len);
        if (n <= 0)
            die("the relay's operator socket broke");
        s.data += n;
        s.len -= (size_t)n;
    }
}

static struct slice read_frame(struct talk *t)
{
    enum { PIECE = FRAME_BYTES_MAX / 16 };
    buf_clear(&t->in);
    for (;;) {
        struct slice in = buf_slice(&t->in), frame;
        bool is_complete;
        size_t wanted;
        need(frame_next(&in, FRAME_BYTES_MAX, &frame, &is_complete, &wanted), "read an answer");
        if (is_complete)
            return frame;
        uint8_t *to;
        need(buf_extend(&t->in, PIECE, &to), "read an answer");
        ssize_t n = read(t->fd, to, PIECE);
        if (n <= 0)
            die("the relay's operator socket broke");
        t->in.len -= PIECE - (size_t)n;
    }
}

static void read_answer(struct enroller *x, struct talk *t)
{
    if (!t->is_asked)
        return;
    t->is_asked = false;
    struct slice frame = read_frame(t);
    ProtobufCMessage *m;
    arena_reset(x->arena, frame_budget(frame.len));
    need(frame_decode(x->arena, &brug__v1__admin_answer__descriptor, frame, &m), "read an answer");
    const Brug__V1__AdminAnswer *answer = (Brug__V1__AdminAnswer *)m;
    if (answer->code)
        die("the relay refuses (%d): %s", (int)answer->code, answer->error);
}

static void read_all(struct enroller *x)
{
    for (size_t i = 0; i < TALKS; i++)
        read_answer(x, &x->talks[i]);
}

/* Asks, and reads the answer when it is this conversation's turn again. */
static void ask_later(struct enroller *x, const Brug__V1__AdminRequest *request)
{
    struct talk *t = &x->talks[x->next++ % TALKS];
    read_answer(x, t);
    buf_clear(&x->out);
    need(frame_append(&x->out, &request->base), "write a request");
    write_all(t->fd, buf_slice(&x->out));
    t->is_asked = true;
}

/* What others are built on: nothing is under way when it returns. */
static void ask(struct enroller *x, const Brug__V1__AdminRequest *request)
{
    ask_later(x, request);
    read_all(x);
}

static void add_municipality(struct enroller *x)
{
    Brug__V1__AddMunicipality add = BRUG__V1__ADD_MUNICIPALITY__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    char text[ID_TEXT_BYTES];
    x->world->municipality = new_id();
    add.municipality = bytes_of(id_slice(&x->world->municipality));
    add.name = (char *)"Benchmark";
    add.n_anchors = 1;
    add.anchors = &x->anchor;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY;
    request.add_municipality = &add;
    ask(x, &request);
    fprintf(x->file, "municipality %s\n", id_to_text(&x->world->municipality, text));
}

static struct id add_organisation(struct enroller *x, Brug__V1__OrganisationKind kind)
{
    Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    ProtobufCBinaryData municipality = bytes_of(id_slice(&x->world->municipality));
    struct id id = new_id();
    add.organisation = bytes_of(id_slice(&id));
    add.kind = kind;
    add.n_municipalities = 1;
    add.municipalities = &municipality;
    add.name = (char *)"Organisation";
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
    request.add_organisation = &add;
    ask(x, &request);
    return id;
}

static struct id add_consultant(struct enroller *x, const struct id *organisation)
{
    Brug__V1__AddPerson add = BRUG__V1__ADD_PERSON__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id = new_id();
    add.person = bytes_of(id_slice(&id));
    add.organisation = bytes_of(id_slice(organisation));
    add.name = (char *)"Sender";
    add.role = BRUG__V1__ROLE__ROLE_CONSULTANT;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_PERSON;
    request.add_person = &add;
    ask(x, &request);
    return id;
}

/* ---- certificates ---- */

static void add_extension(X509 *c, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, c, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!extension || !X509_add_ext(c, extension, -1))
        die("cannot make a certificate");
    X509_EXTENSION_free(extension);
}

static void add_name(X509_NAME *name, const char *field, const char *text)
{
    if (!X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
                                    0))
        die("cannot make a certificate");
}

/* What the section of the same name in certs/profiles.cnf says. */
static X509 *certify(struct enroller *x, EVP_PKEY *key, bool is_identity,
                     const struct certificate_identity *who)
{
    char uri[CERTIFICATE_URI_BYTES], names[CERTIFICATE_URI_BYTES + 4];
    X509 *c = X509_new();
    BIGNUM *serial = BN_new();
    if (!c || !serial || !BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) ||
        !BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(c)) ||
        !X509_set_version(c, X509_VERSION_3) || !X509_set_pubkey(c, key) ||
        !X509_set_issuer_name(c, X509_get_subject_name(x->ca)) ||
        !X509_gmtime_adj(X509_getm_notBefore(c), -HOUR_S) ||
        !X509_gmtime_adj(X509_getm_notAfter(c), DAYS_VALID * 24L * HOUR_S))
        die("cannot make a certificate");
    BN_free(serial);
    add_name(X509_get_subject_name(c), "O", who->organisation_name);
    add_name(X509_get_subject_name(c), "CN", who->common_name);
    (void)snprintf(names, sizeof names, "URI:%s", certificate_uri(who, uri));
    add_extension(c, x->ca, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(c, x->ca, NID_key_usage,
                  is_identity ? "critical,digitalSignature" : "critical,keyAgreement");
    add_extension(c, x->ca, NID_ext_key_usage, is_identity ? "clientAuth" : "emailProtection");
    add_extension(c, x->ca, NID_subject_alt_name, names);
    add_extension(c, x->ca, NID_subject_key_identifier, "hash");
    add_extension(c, x->ca, NID_authority_key_identifier, "keyid:always");
    if (X509_sign(c, x->ca_key, EVP_sha256()) <= 0)
        die("cannot sign a certificate");
    return c;
}

static void read_ca(struct enroller *x, const char *folder)
{
    char path[PATH_BYTES];
    unsigned char *der = NULL;
    (void)snprintf(path, sizeof path, "%s/ca.key", folder);
    need(key_read_file(&x->ca_key, path), "read the CA's key");
    (void)snprintf(path, sizeof path, "%s/ca.pem", folder);
    FILE *f = fopen(path, "r");
    x->ca = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    int len = x->ca ? i2d_X509(x->ca, &der) : -1;
    if (len <= 0)
        die("cannot read the CA's certificate %s", path);
    (void)fclose(f);
    x->anchor = (ProtobufCBinaryData){(size_t)len, der};
}

/* ---- endpoints ---- */

struct keys {
    EVP_PKEY *identity, *sealing;
    struct buf identity_public, sealing_public;
};

static void make_key(EVP_PKEY **key, struct buf *public)
{
    need(key_generate(key), "make a key");
    buf_init(public, CERTIFICATE_BYTES_MAX);
    need(key_public_der(*key, public), "make a key");
}

static void add_with(struct enroller *x, const Brug__V1__Binding *binding, const struct keys *k,
                     X509 *identity, X509 *sealing)
{
    struct buf bytes, signature, request_bytes, ders[2];
    struct buf *all[] = {&bytes, &signature, &request_bytes, &ders[0], &ders[1]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_init(all[i], FRAME_BYTES_MAX);
    need(frame_append_bare(&bytes, &binding->base), "write a binding");
    need(binding_sign(k->identity, buf_slice(&bytes), &signature), "sign a binding");
    Brug__V1__SignedBinding is_signed = BRUG__V1__SIGNED_BINDING__INIT;
    is_signed.binding = bytes_of(buf_slice(&bytes));
    is_signed.signature = bytes_of(buf_slice(&signature));
    Brug__V1__EnrolRequest enrol = BRUG__V1__ENROL_REQUEST__INIT;
    enrol.binding = &is_signed;
    need(frame_append_bare(&request_bytes, &enrol.base), "write a request");
    need(certificate_to_der(identity, &ders[0]), "write a certificate");
    need(certificate_to_der(sealing, &ders[1]), "write a certificate");
    Brug__V1__AddEndpoint add = BRUG__V1__ADD_ENDPOINT__INIT;
    add.request = bytes_of(buf_slice(&request_bytes));
    add.identity_certificate = bytes_of(buf_slice(&ders[0]));
    add.sealing_certificate = bytes_of(buf_slice(&ders[1]));
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ENDPOINT;
    request.add_endpoint = &add;
    ask_later(x, &request);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_fini(all[i]);
}

static void write_pem(struct enroller *x, const struct id *endpoint, EVP_PKEY *key, X509 *c)
{
    char path[WORLD_PATH_BYTES];
    FILE *f = fopen(world_pem(x->world, endpoint, path), "w");
    if (!f || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_X509(f, c) != 1 || fclose(f))
        die("cannot write %s", path);
}

/* Enrols one endpoint; `person` none: a practice system or, if so wished, a recovery entry. */
static void add_endpoint(struct enroller *x, const struct id *organisation, const struct id *person,
                         const struct id *endpoint, bool is_recovery)
{
    struct certificate_identity who = {
        .organisation = *organisation, .person = *person, .endpoint = *endpoint};
    struct keys k = {0};
    (void)snprintf(who.organisation_name, sizeof who.organisation_name, "Organisation");
    (void)snprintf(who.common_name, sizeof who.common_name, "Sender");
    make_key(&k.identity, &k.identity_public);
    make_key(&k.sealing, &k.sealing_public);
    X509 *identity = certify(x, k.identity, true, &who);
    X509 *sealing = certify(x, k.sealing, false, &who);

    Brug__V1__Binding b = BRUG__V1__BINDING__INIT;
    b.version = 1;
    b.municipality = bytes_of(id_slice(&x->world->municipality));
    b.organisation = bytes_of(id_slice(organisation));
    if (!id_is_none(person))
        b.person = bytes_of(id_slice(person));
    b.endpoint = bytes_of(id_slice(endpoint));
    b.recovery = is_recovery;
    b.identity_key = bytes_of(buf_slice(&k.identity_public));
    b.sealing_key = bytes_of(buf_slice(&k.sealing_public));
    b.made_at_ms = clock_now().wall_ms;
    add_with(x, &b, &k, identity, sealing);
    write_pem(x, endpoint, k.identity, identity);
    X509_free(identity);
    X509_free(sealing);
    key_free(k.identity);
    key_free(k.sealing);
    buf_fini(&k.identity_public);
    buf_fini(&k.sealing_public);
}

/* ---- the parts of the world ---- */

static void add_sender(struct enroller *x)
{
    char text[3][ID_TEXT_BYTES];
    struct id organisation =
        add_organisation(x, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM);
    struct id person = add_consultant(x, &organisation), endpoint = new_id();
    add_endpoint(x, &organisation, &person, &endpoint, false);
    fprintf(x->file, "sender %s %s %s\n", id_to_text(&organisation, text[0]),
            id_to_text(&person, text[1]), id_to_text(&endpoint, text[2]));
}

static int compare_ids(const void *a, const void *b) { return id_compare(a, b); }

static void add_systems(struct enroller *x, const char *what, const struct id *organisation,
                        size_t count)
{
    struct id ids[ENDPOINTS_PER_ORGANISATION];
    char text[2][ID_TEXT_BYTES];
    for (size_t i = 0; i < count; i++)
        ids[i] = new_id();
    qsort(ids, count, sizeof ids[0], compare_ids);
    for (size_t i = 0; i < count; i++) {
        add_endpoint(x, organisation, &ID_NONE, &ids[i], false);
        fprintf(x->file, "%s %s %s\n", what, id_to_text(organisation, text[0]),
                id_to_text(&ids[i], text[1]));
    }
}

static void add_target(struct enroller *x, size_t reader_count)
{
    char text[2][ID_TEXT_BYTES];
    struct id organisation =
        add_organisation(x, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE);
    struct id recovery = new_id();
    add_endpoint(x, &organisation, &ID_NONE, &recovery, true);
    fprintf(x->file, "target %s %s\n", id_to_text(&organisation, text[0]),
            id_to_text(&recovery, text[1]));
    add_systems(x, "reader", &organisation, reader_count);
}

static void add_idle(struct enroller *x, size_t count)
{
    for (size_t n; count > 0; count -= n) {
        n = count < ENDPOINTS_PER_ORGANISATION ? count : ENDPOINTS_PER_ORGANISATION;
        struct id organisation =
            add_organisation(x, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE);
        add_systems(x, "idle", &organisation, n);
    }
}

void world_enrol(const struct world_wish *wish)
{
    struct world w = {0};
    struct enroller x = {.world = &w, .arena = arena_new()};
    char path[PATH_BYTES];
    buf_init(&x.out, FRAME_BYTES_MAX);
    for (size_t i = 0; i < TALKS; i++) {
        x.talks[i].fd = dial(wish->socket);
        buf_init(&x.talks[i].in, 2 * FRAME_BYTES_MAX);
    }
    if (snprintf(w.folder, sizeof w.folder, "%s", wish->folder) >= (int)sizeof w.folder)
        die("the folder's name is too long");
    if (!x.arena || (mkdir(w.folder, 0700) && errno != EEXIST))
        die("cannot make the folder %s", w.folder);
    read_ca(&x, wish->pki);
    (void)snprintf(path, sizeof path, "%s/world", w.folder);
    x.file = fopen(path, "w");
    if (!x.file)
        die("cannot write %s", path);
    add_municipality(&x);
    for (size_t i = 0; i < wish->sender_count; i++)
        add_sender(&x);
    for (size_t i = 0; i < TARGET_COUNT; i++)
        add_target(&x, TARGETS[i]);
    add_idle(&x, wish->idle_count);
    read_all(&x);
    if (fclose(x.file))
        die("cannot write %s", path);
    for (size_t i = 0; i < TALKS; i++) {
        (void)close(x.talks[i].fd);
        buf_fini(&x.talks[i].in);
    }
    arena_free(x.arena);
    buf_fini(&x.out);
    X509_free(x.ca);
    key_free(x.ca_key);
    OPENSSL_free(x.anchor.data);
}
