/*
 * client/home.c: opening and closing a profile.
 *
 * Happy path: brug_new finds the directory, brug_open reads the store's state, the keys, the certificates and
 * the anchors. Failures leave the handle usable for another brug_open.
 * Invariant: keys are read only from files that nobody else can read.
 */
#include "client/home.h"

#include "base/text.h"
#include "client/belief.h"
#include "client/session.h"
#include "pki/key.h"
#include "proto/check.h"
#include "proto/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME_PATH_MAX 4000

static char *join(const char *a, const char *b)
{
    char *path = NULL;
    if (strlen(a) > HOME_PATH_MAX || asprintf(&path, "%s/%s", a, b) < 0)
        return NULL;
    return path;
}

char *home_path(const struct brug *b, const char *name) { return join(b->directory, name); }

static char *default_directory(void)
{
    const char *home = getenv("BRUG_HOME");
    if (home && *home)
        return strlen(home) < HOME_PATH_MAX ? strdup(home) : NULL;
    const char *data = getenv("XDG_DATA_HOME");
    if (data && *data == '/')
        return join(data, "brug");
    home = getenv("HOME");
    return home && *home ? join(home, ".local/share/brug") : NULL;
}

struct brug *brug_new(const char *directory)
{
    struct brug *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->fd = b->lock_fd = -1;
    buf_init(&b->self.binding, HOME_FILE_BYTES_MAX);
    buf_init(&b->self.signature, HOME_FILE_BYTES_MAX);
    buf_init(&b->chain, HOME_FILE_BYTES_MAX);
    b->directory = directory ? strdup(directory) : default_directory();
    if (b->directory)
        b->fd = epoll_create1(EPOLL_CLOEXEC);
    if (b->fd < 0)
        brug_close(&b);
    return b;
}

static void forget_keys(struct brug *b)
{
    EVP_PKEY_free(b->keys.identity_key);
    EVP_PKEY_free(b->keys.sealing_key);
    X509_free(b->keys.identity_certificate);
    X509_free(b->keys.sealing_certificate);
    memset(&b->keys, 0, sizeof b->keys);
    buf_clear(&b->chain);
}

static void forget(struct brug *b)
{
    session_close(&b->session);
    home_unlock(b);
    forget_keys(b);
    trust_free(b->people);
    trust_free(b->anchors);
    trust_free(b->relay);
    b->people = b->anchors = b->relay = NULL;
    b->scope_count = 0;
    db_close(b->db);
    b->db = NULL;
    buf_clear(&b->self.binding);
    buf_clear(&b->self.signature);
    b->state = BRUG_STATE_EMPTY;
}

void brug_close(struct brug **b)
{
    if (!*b)
        return;
    forget(*b);
    buf_fini(&(*b)->self.binding);
    buf_fini(&(*b)->self.signature);
    buf_fini(&(*b)->chain);
    if ((*b)->fd >= 0)
        (void)close((*b)->fd); /* nothing is buffered in it */
    free((*b)->directory);
    free(*b);
    *b = NULL;
}

/* ---- directory and lock ---- */

static enum error error_of_errno(void)
{
    return errno == EACCES || errno == EPERM || errno == EROFS ? ERROR_PERMISSION : ERROR_IO;
}

enum error home_has_file(struct brug *b, const char *name, bool *out)
{
    char *path = home_path(b, name);
    if (!path)
        return client_failed(b, ERROR_NO_MEMORY);
    bool is_there = access(path, F_OK) == 0;
    enum error e = is_there || errno == ENOENT || errno == ENOTDIR ? ERROR_NONE : error_of_errno();
    if (e != ERROR_NONE)
        (void)client_fail(b, e, "cannot look for %s: %s", path,
                          strerror(errno)); /* e is returned */
    free(path);
    if (e == ERROR_NONE)
        *out = is_there;
    return e;
}

/* A new directory is there after a power cut once the one around it is synced. */
static enum error make_directory(const char *path)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? ERROR_NONE : error_of_errno();
    return key_sync_folder_of(path);
}

static enum error make_directories(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return ERROR_NO_MEMORY;
    enum error e = ERROR_NONE;
    for (char *p = copy + 1; e == ERROR_NONE; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char end = *p;
        *p = 0;
        e = make_directory(copy);
        *p = end;
        if (end == 0)
            break;
    }
    free(copy);
    return e;
}

enum error home_open_store(struct brug *b)
{
    if (b->db)
        return ERROR_NONE;
    enum error e = make_directories(b->directory);
    if (e != ERROR_NONE)
        return client_fail(b, e, "cannot make the directory %s", b->directory);
    char *path = home_path(b, "store.db");
    if (!path)
        return client_failed(b, ERROR_NO_MEMORY);
    e = store_open_at(&b->db, path);
    if (e != ERROR_NONE)
        (void)client_fail(b, e, "cannot open %s: %s", path,
                          error_text(e)); /* e is returned below */
    free(path);
    return e;
}

enum error home_lock(struct brug *b)
{
    char *path = home_path(b, "lock");
    if (!path)
        return client_failed(b, ERROR_NO_MEMORY);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0)
        return client_fail(b, ERROR_IO, "cannot open the lock file in %s", b->directory);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd); /* nothing was written */
        return client_fail(b, ERROR_LOCKED, "another process has this profile's connection");
    }
    b->lock_fd = fd;
    return ERROR_NONE;
}

void home_unlock(struct brug *b)
{
    if (b->lock_fd >= 0)
        (void)close(b->lock_fd); /* gives the lock up */
    b->lock_fd = -1;
}

/* ---- reading ---- */

enum error home_decode(const ProtobufCMessageDescriptor *type, struct slice bytes,
                       struct arena **arena, ProtobufCMessage **out)
{
    struct arena *a = arena_new();
    if (!a)
        return ERROR_NO_MEMORY;
    arena_reset(a, frame_budget(bytes.len));
    enum error e = frame_decode(a, type, bytes, out);
    if (e != ERROR_NONE) {
        arena_free(a);
        return e == ERROR_NO_MEMORY ? e : ERROR_USAGE;
    }
    *arena = a;
    return ERROR_NONE;
}

enum error home_decode_setting(struct brug *b, const char *name,
                               const ProtobufCMessageDescriptor *type, struct arena **arena,
                               ProtobufCMessage **out)
{
    struct buf bytes;
    buf_init(&bytes, HOME_FILE_BYTES_MAX);
    enum error e = store_get(b->db, name, &bytes);
    if (e == ERROR_NONE) {
        e = home_decode(type, buf_slice(&bytes), arena, out);
        if (e == ERROR_USAGE)
            e = ERROR_CORRUPT;
    }
    buf_fini(&bytes);
    return e;
}

static enum error read_key(struct brug *b, const char *name, EVP_PKEY **out)
{
    char *path = home_path(b, name);
    if (!path)
        return client_failed(b, ERROR_NO_MEMORY);
    enum error e = key_read_file(out, path);
    if (e == ERROR_PERMISSION)
        (void)client_fail(b, e, "others than you can read %s: run chmod 600 '%s'", path, path);
    else if (e != ERROR_NONE)
        (void)client_fail(b, e, "cannot read the key %s: %s", path, error_text(e));
    free(path);
    return e;
}

enum error home_load_keys(struct brug *b)
{
    EVP_PKEY *identity = NULL;
    EVP_PKEY *sealing = NULL;
    enum error e = read_key(b, "identity.key", &identity);
    if (e == ERROR_NONE)
        e = read_key(b, "sealing.key", &sealing);
    if (e != ERROR_NONE) {
        EVP_PKEY_free(identity);
        return e;
    }
    EVP_PKEY_free(b->keys.identity_key);
    EVP_PKEY_free(b->keys.sealing_key);
    b->keys.identity_key = identity;
    b->keys.sealing_key = sealing;
    return ERROR_NONE;
}

static enum error load_identity(struct brug *b)
{
    int64_t role = 0;
    int64_t recovery = 0;
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    enum error e = home_decode_setting(b, "invitation", &brug__v1__invitation__descriptor, &a, &m);
    if (e != ERROR_NONE)
        return e;
    const Brug__V1__Invitation *invitation = (const Brug__V1__Invitation *)m;
    b->self.municipality = client_field_id(invitation->municipality);
    b->self.organisation = client_field_id(invitation->organisation);
    b->self.person = client_field_id(invitation->person);
    e = store_get_id(b->db, "endpoint", &b->self.endpoint);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "recovery", 0, &recovery);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "role", invitation->role, &role);
    b->self.role = (int)role;
    b->self.is_recovery = recovery != 0;
    arena_free(a);
    return e;
}

static enum error load_binding(struct brug *b)
{
    buf_clear(&b->self.binding);
    buf_clear(&b->self.signature);
    enum error e = store_get(b->db, "binding", &b->self.binding);
    if (e == ERROR_NONE)
        e = store_get(b->db, "signature", &b->self.signature);
    if (e == ERROR_NONE)
        b->self.binding_digest = binding_digest(buf_slice(&b->self.binding));
    return e == ERROR_NOT_FOUND ? ERROR_CORRUPT : e;
}

static enum error load_certificates(struct brug *b, const Brug__V1__EnrolAnswer *answer)
{
    X509 *identity = NULL;
    X509 *sealing = NULL;
    enum error e = certificate_from_der(&identity, check_slice(answer->identity_certificate));
    if (e == ERROR_NONE)
        e = certificate_from_der(&sealing, check_slice(answer->sealing_certificate));
    buf_clear(&b->chain);
    if (e == ERROR_NONE)
        e = buf_append_slice(&b->chain, check_slice(answer->identity_certificate));
    for (size_t i = 0; e == ERROR_NONE && i < answer->n_intermediates; i++)
        e = buf_append_slice(&b->chain, check_slice(answer->intermediates[i]));
    if (e != ERROR_NONE) {
        X509_free(identity);
        X509_free(sealing);
        return e;
    }
    X509_free(b->keys.identity_certificate);
    X509_free(b->keys.sealing_certificate);
    b->keys.identity_certificate = identity;
    b->keys.sealing_certificate = sealing;
    b->keys.endpoint = b->self.endpoint;
    return ERROR_NONE;
}

static enum error add_crl(struct trust *people, struct trust *relay, struct slice der)
{
    enum error e = trust_add_crl(people, der);
    if (e == ERROR_NONE || e == ERROR_EXISTS)
        e = trust_add_crl(relay, der);
    return e == ERROR_EXISTS ? ERROR_NONE : e;
}

static enum error add_stored_crls(struct brug *b, struct trust *people, struct trust *relay)
{
    struct db_cursor c;
    enum error e = db_select(b->db, &c, "SELECT der FROM crl", NULL, 0);
    if (e != ERROR_NONE)
        return e;
    enum error added = ERROR_NONE;
    while (added == ERROR_NONE && db_next(&c))
        added = add_crl(people, relay, db_blob(&c, 0));
    e = db_done(&c);
    return added != ERROR_NONE ? added : e;
}

/*
 * Without a list in force a directory entry is not believed. For the relay's own certificate a list that is
 * there counts, but none is required: lists come through the relay, so a client that was away longer than a
 * list lasts could never fetch the next one; and the relay is not trusted with anything.
 */
static enum error fill_trust(struct brug *b, const Brug__V1__EnrolAnswer *answer,
                             struct trust *people, struct trust *anchors, struct trust *relay)
{
    enum error e = ERROR_NONE;
    trust_set_crl_required(anchors, false);
    trust_set_crl_required(relay, false);
    for (size_t i = 0; e == ERROR_NONE && i < answer->n_anchors; i++) {
        e = trust_add_anchor(people, check_slice(answer->anchors[i]));
        if (e == ERROR_NONE)
            e = trust_add_anchor(anchors, check_slice(answer->anchors[i]));
    }
    for (size_t i = 0; e == ERROR_NONE && i < answer->n_relay_anchors; i++)
        e = trust_add_anchor(relay, check_slice(answer->relay_anchors[i]));
    for (size_t i = 0; e == ERROR_NONE && i < answer->n_crls; i++)
        e = add_crl(people, relay, check_slice(answer->crls[i]));
    return e == ERROR_NONE ? add_stored_crls(b, people, relay) : e;
}

enum error home_read_scope(const Brug__V1__AnchorScope *s, struct anchor_scope *out)
{
    struct anchor_scope scope = {.municipality = client_field_id(s->municipality),
                                 .organisation = client_field_id(s->organisation)};
    if (id_is_none(&scope.municipality) ||
        (s->organisation.len > 0 && id_is_none(&scope.organisation)))
        return ERROR_ID_MALFORMED;
    enum error e = digest_from_slice(&scope.anchor, check_slice(s->anchor_digest));
    if (e == ERROR_NONE)
        *out = scope;
    return e;
}

static enum error load_scopes(struct brug *b, const Brug__V1__EnrolAnswer *answer)
{
    if (answer->n_scopes > CLIENT_SCOPES_MAX)
        return ERROR_BOUND;
    for (size_t i = 0; i < answer->n_scopes; i++) {
        enum error e = home_read_scope(answer->scopes[i], &b->scopes[i]);
        if (e != ERROR_NONE)
            return e;
    }
    b->scope_count = answer->n_scopes;
    return ERROR_NONE;
}

enum error home_load_trust(struct brug *b)
{
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    enum error e = home_decode_setting(b, "answer", &brug__v1__enrol_answer__descriptor, &a, &m);
    if (e != ERROR_NONE)
        return e;
    const Brug__V1__EnrolAnswer *answer = (const Brug__V1__EnrolAnswer *)m;
    struct trust *people = trust_new();
    struct trust *anchors = trust_new();
    struct trust *relay = trust_new();
    e = people && anchors && relay ? fill_trust(b, answer, people, anchors, relay)
                                   : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        e = load_scopes(b, answer);
    if (e == ERROR_NONE && !b->keys.identity_certificate)
        e = load_certificates(b, answer);
    if (e == ERROR_NONE) {
        struct trust *old = b->people;
        b->people = people;
        people = old;
        old = b->anchors;
        b->anchors = anchors;
        anchors = old;
        old = b->relay;
        b->relay = relay;
        relay = old;
    }
    trust_free(people);
    trust_free(anchors);
    trust_free(relay);
    arena_free(a);
    return e;
}

enum error home_load(struct brug *b)
{
    int64_t state = 0;
    enum error e = store_get_int(b->db, "state", 0, &state);
    if (e != ERROR_NONE)
        return client_failed(b, e);
    if (state < BRUG_STATE_EMPTY || state > BRUG_STATE_READY)
        return client_failed(b, ERROR_STORE_FORMAT);
    if (state == BRUG_STATE_EMPTY)
        return ERROR_NONE;
    e = client_failed(b, load_identity(b));
    if (e == ERROR_NONE)
        e = client_failed(b, load_binding(b));
    if (e == ERROR_NONE)
        e = home_load_keys(b);
    if (e == ERROR_NONE && state == BRUG_STATE_READY)
        e = client_failed(b, home_load_trust(b));
    if (e == ERROR_NONE)
        b->state = (enum brug_state)state;
    return e;
}

int brug_open(struct brug *b, enum brug_state *state)
{
    forget(b);
    bool is_there = false;
    enum error e = home_has_file(b, "store.db", &is_there);
    if (e == ERROR_NONE && is_there)
        e = home_open_store(b);
    if (e == ERROR_NONE && b->db)
        e = home_load(b);
    if (e != ERROR_NONE)
        forget(b);
    else if (state)
        *state = b->state;
    return (int)e;
}

enum error home_compare_code(const struct digest *d, char out[BRUG_COMPARE_BYTES])
{
    struct buf text;
    buf_init(&text, BRUG_COMPARE_BYTES - 1);
    enum error e = text_spoken(&text, digest_slice(d), 12);
    if (e == ERROR_NONE) {
        memcpy(out, text.data, text.len);
        out[text.len] = 0;
    }
    buf_fini(&text);
    return e;
}

/* ---- who this is ---- */

static enum error own_fingerprint(const struct brug *b, char out[BRUG_COMPARE_BYTES])
{
    return belief_fingerprint(&b->self.organisation, &b->self.binding_digest, 1, out);
}

int brug_identity(struct brug *b, struct brug_identity *out)
{
    if (b->state == BRUG_STATE_EMPTY)
        return (int)client_fail(b, ERROR_CONFIRM, "there is no profile in %s", b->directory);
    struct brug_identity who = {.role = b->self.role, .recovery = b->self.is_recovery};
    who.municipality = client_public_id(&b->self.municipality);
    who.organisation = client_public_id(&b->self.organisation);
    who.person = client_public_id(&b->self.person);
    who.endpoint = client_public_id(&b->self.endpoint);
    int64_t port = 0;
    enum error e = own_fingerprint(b, who.fingerprint);
    if (e == ERROR_NONE)
        e = store_get_text(b->db, "organisation_name", who.organisation_name,
                           sizeof who.organisation_name);
    if (e == ERROR_NONE)
        e = store_get_text(b->db, "person_name", who.person_name, sizeof who.person_name);
    if (e == ERROR_NONE)
        e = session_relay(b, who.relay_host, sizeof who.relay_host, &port);
    who.relay_port = (unsigned)port;
    if (e == ERROR_NONE)
        *out = who;
    return (int)client_failed(b, e);
}

int brug_set_relay(struct brug *b, const char *host, unsigned port)
{
    if (!b->db)
        return (int)client_fail(b, ERROR_CONFIRM, "there is no profile in %s", b->directory);
    if (port > 65535 || strlen(host) > 255 || !text_is_clean(slice_text(host), false))
        return (int)client_fail(b, ERROR_USAGE, "the relay's host or port is not valid");
    enum error e = db_begin(b->db);
    if (e == ERROR_NONE) {
        e = *host ? store_put(b->db, "relay_host", slice_text(host))
                  : store_remove(b->db, "relay_host");
        if (e == ERROR_NONE)
            e = port ? store_put_int(b->db, "relay_port", port) : store_remove(b->db, "relay_port");
        e = db_end(b->db, e);
    }
    client_wake(b);
    return (int)client_failed(b, e);
}
