/*
 * client/enrol.c: one file out, one file back, one code by telephone (design §3).
 *
 * Happy path: brug_init makes the store, the keys, the binding and the request; brug_enrol checks the operator's
 * answer against all of them and keeps it; brug_enrol_confirm makes the profile usable once the code that the
 * other side reads is the own one.
 *
 * Order on disk: invitation, endpoint id (one transaction) - key files - binding, request, state (one
 * transaction). A run that was cut off goes on from there with the same invitation. Nothing is overwritten:
 * another invitation, or key files without a store, are refused.
 * The code is 12 digits of SHA-256 over the exact serialised EnrolAnswer; brugctl prints it from the same bytes.
 */
#include "client/belief.h"
#include "client/home.h"
#include "client/pins.h"

#include "base/text.h"
#include "pki/key.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- init ---- */

static enum error from_armour(struct brug *b, const char *label, const char *text, struct buf *out)
{
    enum error e = strlen(text) <= 2 * HOME_FILE_BYTES_MAX
                       ? text_from_armour(out, label, slice_text(text))
                       : ERROR_BOUND;
    if (e != ERROR_NONE)
        return client_fail(b, e == ERROR_NO_MEMORY ? e : ERROR_USAGE, "the text holds no BRUG %s",
                           label);
    return ERROR_NONE;
}

static bool is_name(const char *text)
{
    return *text && strlen(text) <= LIMIT_NAME_BYTES && text_is_clean(slice_text(text), false);
}

static enum error check_invitation(struct brug *b, const Brug__V1__Invitation *i, bool recovery)
{
    struct id id;
    if (check_id(i->municipality, &id) != ERROR_NONE ||
        check_id(i->organisation, &id) != ERROR_NONE ||
        (i->person.len > 0 && check_id(i->person, &id) != ERROR_NONE) ||
        !is_name(i->organisation_name) || (i->person.len > 0 && !is_name(i->person_name)))
        return client_fail(b, ERROR_USAGE, "the invitation is damaged");
    if (recovery && i->person.len > 0)
        return client_fail(b, ERROR_USAGE,
                           "a recovery entry belongs to the organisation: it needs the "
                           "organisation's invitation, this one is for %s",
                           i->person_name);
    return ERROR_NONE;
}

/* What the store of a profile that was begun says: ERROR_EXISTS unless it was begun with this. */
static enum error check_same(struct brug *b, struct slice invitation, bool recovery)
{
    struct buf before;
    int64_t before_recovery = 0;
    buf_init(&before, HOME_FILE_BYTES_MAX);
    enum error e = store_get(b->db, "invitation", &before);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "recovery", 0, &before_recovery);
    if (e != ERROR_NOT_FOUND)
        e = client_failed(b, e);
    if (e == ERROR_NONE &&
        (!slice_equal(buf_slice(&before), invitation) || (before_recovery != 0) != recovery))
        e = client_fail(b, ERROR_EXISTS,
                        "%s holds a profile that was begun with another invitation", b->directory);
    buf_fini(&before);
    return e;
}

static enum error begin_profile(struct brug *b, struct slice bytes, const Brug__V1__Invitation *i,
                                bool recovery)
{
    uint8_t random[16];
    enum error e = client_random(random, sizeof random);
    if (e != ERROR_NONE)
        return e;
    struct id endpoint = id_v4(random);
    e = db_begin(b->db);
    if (e != ERROR_NONE)
        return e;
    e = store_put(b->db, "invitation", bytes);
    if (e == ERROR_NONE)
        e = store_put(b->db, "endpoint", id_slice(&endpoint));
    if (e == ERROR_NONE)
        e = store_put_int(b->db, "recovery", recovery);
    if (e == ERROR_NONE)
        e = store_put(b->db, "organisation_name", slice_text(i->organisation_name));
    if (e == ERROR_NONE)
        e = store_put(b->db, "person_name", slice_text(i->person_name));
    return db_end(b->db, e);
}

/* Left by a run of an older brug that ended between making the file and filling it. */
static void remove_empty(const char *path)
{
    struct stat s;
    if (lstat(path, &s) == 0 && S_ISREG(s.st_mode) && s.st_size == 0)
        (void)unlink(path); /* if it stays, writing says why */
}

static enum error make_key_file(struct brug *b, const char *name)
{
    EVP_PKEY *key = NULL;
    bool is_there = false;
    char *path = home_path(b, name);
    if (path)
        remove_empty(path);
    enum error e = home_has_file(b, name, &is_there);
    if (e == ERROR_NONE && is_there)
        e = client_failed(b, key_sync_folder_of(path)); /* a run that was cut off may not have */
    if (e != ERROR_NONE || is_there) {
        free(path);
        return e;
    }
    e = path ? key_generate(&key) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        e = key_write_file(key, path);
    EVP_PKEY_free(key);
    free(path);
    return e == ERROR_NONE ? e : client_fail(b, e, "cannot write %s: %s", name, error_text(e));
}

static enum error make_binding(struct brug *b, const Brug__V1__Invitation *i,
                               const struct id *endpoint, bool recovery, struct buf *binding,
                               struct buf *signature)
{
    struct buf identity;
    struct buf sealing;
    buf_init(&identity, LIMIT_BINDING_BYTES);
    buf_init(&sealing, LIMIT_BINDING_BYTES);
    enum error e = key_public_der(b->keys.identity_key, &identity);
    if (e == ERROR_NONE)
        e = key_public_der(b->keys.sealing_key, &sealing);
    if (e == ERROR_NONE) {
        Brug__V1__Binding m = BRUG__V1__BINDING__INIT;
        m.version = 1;
        m.municipality = i->municipality;
        m.organisation = i->organisation;
        m.person = i->person;
        m.endpoint = client_id_field(endpoint);
        m.recovery = recovery;
        m.identity_key = client_field(buf_slice(&identity));
        m.sealing_key = client_field(buf_slice(&sealing));
        m.made_at_ms = client_now_ms(b);
        e = frame_append_bare(binding, &m.base);
    }
    if (e == ERROR_NONE)
        e = binding_sign(b->keys.identity_key, buf_slice(binding), signature);
    buf_fini(&identity);
    buf_fini(&sealing);
    return e;
}

static void fill_names(const Brug__V1__Invitation *i, const struct id *endpoint,
                       struct certificate_identity *who)
{
    memset(who, 0, sizeof *who);
    who->organisation = client_field_id(i->organisation);
    who->person = client_field_id(i->person);
    who->endpoint = *endpoint;
    const char *person = *i->person_name ? i->person_name : i->organisation_name;
    memcpy(who->organisation_name, i->organisation_name, strlen(i->organisation_name));
    memcpy(who->common_name, person, strlen(person));
}

static enum error pack_request(struct brug *b, const Brug__V1__Invitation *i,
                               const struct id *endpoint, struct slice binding,
                               struct slice signature, struct buf *request)
{
    struct certificate_identity who;
    struct buf identity_csr;
    struct buf sealing_csr;
    buf_init(&identity_csr, LIMIT_CERTIFICATE_BYTES);
    buf_init(&sealing_csr, LIMIT_CERTIFICATE_BYTES);
    fill_names(i, endpoint, &who);
    enum error e = request_make(b->keys.identity_key, &who, &identity_csr);
    if (e == ERROR_NONE)
        e = request_make(b->keys.sealing_key, &who, &sealing_csr);
    if (e == ERROR_NONE) {
        Brug__V1__SignedBinding s = BRUG__V1__SIGNED_BINDING__INIT;
        Brug__V1__EnrolRequest m = BRUG__V1__ENROL_REQUEST__INIT;
        s.binding = client_field(binding);
        s.signature = client_field(signature);
        m.binding = &s;
        m.identity_csr = client_field(buf_slice(&identity_csr));
        m.sealing_csr = client_field(buf_slice(&sealing_csr));
        e = frame_append_bare(request, &m.base);
    }
    buf_fini(&identity_csr);
    buf_fini(&sealing_csr);
    return e;
}

static enum error store_request(struct brug *b, struct slice binding, struct slice signature,
                                struct slice request)
{
    enum error e = db_begin(b->db);
    if (e != ERROR_NONE)
        return e;
    e = store_put(b->db, "binding", binding);
    if (e == ERROR_NONE)
        e = store_put(b->db, "signature", signature);
    if (e == ERROR_NONE)
        e = store_put(b->db, "request", request);
    if (e == ERROR_NONE)
        e = store_put_int(b->db, "state", BRUG_STATE_REQUESTED);
    return db_end(b->db, e);
}

static enum error make_request(struct brug *b, const Brug__V1__Invitation *i, bool recovery)
{
    struct id endpoint;
    struct buf binding;
    struct buf signature;
    struct buf request;
    buf_init(&binding, LIMIT_BINDING_BYTES);
    buf_init(&signature, LIMIT_SIGNATURE_BYTES);
    buf_init(&request, HOME_FILE_BYTES_MAX);
    enum error e = make_key_file(b, "identity.key");
    if (e == ERROR_NONE)
        e = make_key_file(b, "sealing.key");
    if (e == ERROR_NONE)
        e = home_load_keys(b);
    if (e == ERROR_NONE)
        e = client_failed(b, store_get_id(b->db, "endpoint", &endpoint));
    if (e == ERROR_NONE)
        e = client_failed(b, make_binding(b, i, &endpoint, recovery, &binding, &signature));
    if (e == ERROR_NONE)
        e = client_failed(
            b, pack_request(b, i, &endpoint, buf_slice(&binding), buf_slice(&signature), &request));
    if (e == ERROR_NONE)
        e = client_failed(
            b, store_request(b, buf_slice(&binding), buf_slice(&signature), buf_slice(&request)));
    buf_fini(&binding);
    buf_fini(&signature);
    buf_fini(&request);
    return e;
}

static enum error give_request(struct brug *b, char **out)
{
    struct buf request;
    struct buf text;
    buf_init(&request, HOME_FILE_BYTES_MAX);
    buf_init(&text, 2 * HOME_FILE_BYTES_MAX);
    enum error e = store_get(b->db, "request", &request);
    if (e == ERROR_NONE)
        e = text_armour(&text, "REQUEST", buf_slice(&request));
    if (e == ERROR_NONE)
        e = buf_append_u8(&text, 0);
    if (e == ERROR_NONE) {
        *out = (char *)text.data;
        text.data = NULL; /* given away; fini frees nothing */
        text.len = text.capacity = 0;
    }
    buf_fini(&request);
    buf_fini(&text);
    return client_failed(b, e);
}

static enum error has_keys(struct brug *b, bool *out)
{
    bool identity = false;
    bool sealing = false;
    enum error e = home_has_file(b, "identity.key", &identity);
    if (e == ERROR_NONE)
        e = home_has_file(b, "sealing.key", &sealing);
    if (e == ERROR_NONE)
        *out = identity || sealing;
    return e;
}

static enum error begin_or_continue(struct brug *b, struct slice bytes,
                                    const Brug__V1__Invitation *i, bool recovery)
{
    bool are_there = false;
    enum error e = b->db ? ERROR_NONE : has_keys(b, &are_there);
    if (e != ERROR_NONE)
        return e;
    if (are_there)
        return client_fail(b, ERROR_EXISTS, "%s holds keys of something else; nothing was changed",
                           b->directory);
    e = home_open_store(b);
    if (e != ERROR_NONE)
        return e;
    e = check_same(b, bytes, recovery);
    if (e == ERROR_NOT_FOUND)
        e = client_failed(b, begin_profile(b, bytes, i, recovery));
    if (e == ERROR_NONE && b->state == BRUG_STATE_EMPTY) {
        e = make_request(b, i, recovery);
        if (e == ERROR_NONE)
            e = home_load(b);
    }
    return e;
}

int brug_init(struct brug *b, const char *invitation, const struct brug_init_options *options,
              char **request)
{
    bool recovery = options && options->recovery;
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    struct buf bytes;
    if (b->state > BRUG_STATE_REQUESTED)
        return (int)client_fail(b, ERROR_EXISTS, "%s holds an enrolled profile", b->directory);
    buf_init(&bytes, HOME_FILE_BYTES_MAX);
    enum error e = from_armour(b, "INVITATION", invitation, &bytes);
    if (e == ERROR_NONE)
        e = client_failed(
            b, home_decode(&brug__v1__invitation__descriptor, buf_slice(&bytes), &a, &m));
    const Brug__V1__Invitation *i = (const Brug__V1__Invitation *)m;
    if (e == ERROR_NONE)
        e = check_invitation(b, i, recovery);
    if (e == ERROR_NONE)
        e = begin_or_continue(b, buf_slice(&bytes), i, recovery);
    if (e == ERROR_NONE)
        e = give_request(b, request);
    arena_free(a);
    buf_fini(&bytes);
    return (int)e;
}

/* ---- the answer ---- */

struct answer_trust {
    struct trust *trust;
    struct anchor_scope scopes[CLIENT_SCOPES_MAX];
    size_t scope_count;
};

static enum error add_all(struct trust *t, const ProtobufCBinaryData *items, size_t n,
                          enum error (*add)(struct trust *t, struct slice der))
{
    for (size_t i = 0; i < n; i++) {
        enum error e = add(t, check_slice(items[i]));
        if (e != ERROR_NONE && e != ERROR_EXISTS)
            return e;
    }
    return ERROR_NONE;
}

static enum error fill_answer_trust(const Brug__V1__EnrolAnswer *m, struct answer_trust *t)
{
    if (m->n_scopes > CLIENT_SCOPES_MAX)
        return ERROR_BOUND;
    for (size_t i = 0; i < m->n_scopes; i++)
        if (home_read_scope(m->scopes[i], &t->scopes[t->scope_count++]) != ERROR_NONE)
            return ERROR_USAGE;
    enum error e = add_all(t->trust, m->anchors, m->n_anchors, trust_add_anchor);
    return e == ERROR_NONE ? add_all(t->trust, m->crls, m->n_crls, trust_add_crl) : e;
}

/* The answer's certificates beside the own binding, judged as any client will judge them. */
static enum error judge_answer(struct brug *b, const Brug__V1__EnrolAnswer *m,
                               struct answer_trust *t, const Brug__V1__Binding *own)
{
    struct slice intermediates[BINDING_INTERMEDIATES_MAX];
    struct certificate_identity names;
    const char *what = "";
    if (m->n_intermediates > BINDING_INTERMEDIATES_MAX)
        return client_fail(b, ERROR_USAGE, "the answer has too many intermediate certificates");
    for (size_t i = 0; i < m->n_intermediates; i++)
        intermediates[i] = check_slice(m->intermediates[i]);
    struct binding_claim claim = {
        .binding = buf_slice(&b->self.binding),
        .signature = buf_slice(&b->self.signature),
        .listed_organisation = b->self.organisation,
        .municipality = client_field_id(own->municipality),
        .organisation = client_field_id(own->organisation),
        .person = client_field_id(own->person),
        .endpoint = client_field_id(own->endpoint),
        .identity_key = check_slice(own->identity_key),
        .sealing_key = check_slice(own->sealing_key),
        .identity_certificate = check_slice(m->identity_certificate),
        .sealing_certificate = check_slice(m->sealing_certificate),
        .intermediates = intermediates,
        .intermediate_count = m->n_intermediates,
    };
    enum error e =
        binding_judge(&claim, t->trust, t->scopes, t->scope_count, client_now_ms(b), &names, &what);
    if (e != ERROR_NONE)
        return client_fail(b, e, "the answer's certificates do not hold: %s (%s)", what,
                           error_text(e));
    return ERROR_NONE;
}

static enum error check_answer_fields(struct brug *b, const Brug__V1__EnrolAnswer *m)
{
    struct id municipality = client_field_id(m->municipality);
    if (!slice_equal(check_slice(m->binding_digest), digest_slice(&b->self.binding_digest)))
        return client_fail(b, ERROR_NOT_BELIEVED,
                           "the answer is for another request than the one of this profile");
    if (!id_equal(&municipality, &b->self.municipality))
        return client_fail(b, ERROR_NOT_BELIEVED, "the answer is of another municipality");
    if (!*m->relay_host || strlen(m->relay_host) > 255 ||
        !text_is_clean(slice_text(m->relay_host), false) || m->relay_port == 0 ||
        m->relay_port > 65535)
        return client_fail(b, ERROR_USAGE, "the answer names no relay");
    if (m->n_anchors == 0 || m->n_relay_anchors == 0 || m->n_scopes == 0)
        return client_fail(b, ERROR_USAGE, "the answer holds no trust anchors");
    return ERROR_NONE;
}

static enum error check_relay_anchors(struct brug *b, const Brug__V1__EnrolAnswer *m)
{
    struct trust *t = trust_new();
    enum error e =
        t ? add_all(t, m->relay_anchors, m->n_relay_anchors, trust_add_anchor) : ERROR_NO_MEMORY;
    trust_free(t);
    return e == ERROR_NONE
               ? e
               : client_fail(b, e, "a trust anchor for the relay is not valid: %s", error_text(e));
}

static enum error check_answer(struct brug *b, const Brug__V1__EnrolAnswer *m)
{
    struct arena *a = NULL;
    ProtobufCMessage *own = NULL;
    enum error e = check_answer_fields(b, m);
    if (e == ERROR_NONE)
        e = check_relay_anchors(b, m);
    if (e != ERROR_NONE)
        return e;
    struct answer_trust *t = calloc(1, sizeof *t);
    if (t)
        t->trust = trust_new();
    e = t && t->trust ? fill_answer_trust(m, t) : ERROR_NO_MEMORY;
    if (e != ERROR_NONE)
        (void)client_fail(b, e, "the answer's anchors or revocation lists are not valid: %s",
                          error_text(e)); /* e is returned below */
    if (e == ERROR_NONE)
        e = client_failed(
            b, home_decode(&brug__v1__binding__descriptor, buf_slice(&b->self.binding), &a, &own));
    if (e == ERROR_NONE)
        e = judge_answer(b, m, t, (const Brug__V1__Binding *)own);
    arena_free(a);
    if (t)
        trust_free(t->trust);
    free(t);
    return e;
}

int brug_enrol(struct brug *b, const char *answer, char code[BRUG_COMPARE_BYTES])
{
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    struct buf bytes;
    if (b->state == BRUG_STATE_EMPTY)
        return (int)client_fail(b, ERROR_CONFIRM, "nothing was requested yet: begin with init");
    if (b->state == BRUG_STATE_READY)
        return (int)client_fail(b, ERROR_EXISTS, "this profile is enrolled already");
    buf_init(&bytes, HOME_FILE_BYTES_MAX);
    enum error e = from_armour(b, "ANSWER", answer, &bytes);
    if (e == ERROR_NONE)
        e = client_failed(
            b, home_decode(&brug__v1__enrol_answer__descriptor, buf_slice(&bytes), &a, &m));
    if (e == ERROR_NONE)
        e = check_answer(b, (const Brug__V1__EnrolAnswer *)m);
    if (e == ERROR_NONE)
        e = client_failed(b, db_begin(b->db));
    if (e == ERROR_NONE) {
        e = store_put(b->db, "answer", buf_slice(&bytes));
        if (e == ERROR_NONE)
            e = store_put_int(b->db, "state", BRUG_STATE_ANSWERED);
        e = client_failed(b, db_end(b->db, e));
    }
    if (e == ERROR_NONE) {
        b->state = BRUG_STATE_ANSWERED;
        e = (enum error)brug_enrol_code(b, code);
    }
    arena_free(a);
    buf_fini(&bytes);
    return (int)e;
}

int brug_enrol_code(struct brug *b, char code[BRUG_COMPARE_BYTES])
{
    if (b->state != BRUG_STATE_ANSWERED)
        return (int)client_fail(b, ERROR_CONFIRM, "there is no answer to compare");
    struct buf bytes;
    buf_init(&bytes, HOME_FILE_BYTES_MAX);
    enum error e = store_get(b->db, "answer", &bytes);
    if (e == ERROR_NONE) {
        struct digest d = digest_of_slice(buf_slice(&bytes));
        e = home_compare_code(&d, code);
    }
    buf_fini(&bytes);
    return (int)client_failed(b, e);
}

/* Crockford base32 as people read and type it: no dashes or spaces, either case, O as 0, I and L as 1. */
bool belief_same_code(const char *typed, const char *code)
{
    for (;;) {
        while (*typed == '-' || *typed == ' ')
            typed++;
        while (*code == '-')
            code++;
        char c = (char)toupper((unsigned char)*typed);
        c = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
        if (c != *code)
            return false;
        if (c == 0)
            return true;
        typed++;
        code++;
    }
}

static enum error make_ready(struct brug *b)
{
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    enum error e = home_decode_setting(b, "answer", &brug__v1__enrol_answer__descriptor, &a, &m);
    if (e != ERROR_NONE)
        return e;
    const Brug__V1__EnrolAnswer *answer = (const Brug__V1__EnrolAnswer *)m;
    e = db_begin(b->db);
    if (e == ERROR_NONE) {
        e = store_put(b->db, "answer_host", slice_text(answer->relay_host));
        if (e == ERROR_NONE)
            e = store_put_int(b->db, "answer_port", answer->relay_port);
        if (e == ERROR_NONE)
            e = pins_begin(b, answer);
        if (e == ERROR_NONE)
            e = store_put_int(b->db, "state", BRUG_STATE_READY);
        e = db_end(b->db, e);
    }
    arena_free(a);
    return e;
}

int brug_enrol_confirm(struct brug *b, const char *typed)
{
    char code[BRUG_COMPARE_BYTES];
    enum error e = (enum error)brug_enrol_code(b, code);
    if (e != ERROR_NONE)
        return (int)e;
    if (!belief_same_code(typed, code))
        return (int)client_fail(b, ERROR_NOT_BELIEVED,
                                "the code differs: this answer is not the one that was sent");
    e = client_failed(b, make_ready(b));
    return (int)(e == ERROR_NONE ? home_load(b) : e);
}
