/* client/keep.c: the tables `organisation`, `listing` and `crl` (see keep.h). */
#include "client/keep.h"

#include "client/home.h"
#include "proto/check.h"
#include "proto/frame.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define KEEP_CRLS_MAX 256
#define KEEP_ORGANISATIONS_MAX 10000 /* pages without end fill no disk */

enum error keep_organisation(struct brug *b, const struct id *municipality, int64_t round,
                             const Brug__V1__OrganisationEntry *o)
{
    struct db *db = b->db;
    struct buf packed;
    struct id organisation = ID_NONE;
    struct arena *a = NULL;
    ProtobufCMessage *roster = NULL;
    enum error e = home_decode(&brug__v1__roster__descriptor, check_slice(o->roster), &a, &roster);
    if (e == ERROR_NO_MEMORY)
        return e;
    if (e == ERROR_NONE)
        organisation = client_field_id(((const Brug__V1__Roster *)roster)->organisation);
    arena_free(a);
    if (id_is_none(&organisation))
        return ERROR_NONE; /* nothing that could ever be believed or addressed */
    buf_init(&packed, CLIENT_ENTRY_BYTES_MAX);
    e = frame_append_bare(&packed, &o->base);
    if (e == ERROR_NONE)
        e = DB_RUN(db,
                   "INSERT INTO organisation(organisation, entry, fetched_at_ms) SELECT ?1, ?2, ?3"
                   " WHERE ?4 > (SELECT count(*) FROM organisation)"
                   " OR EXISTS(SELECT 1 FROM organisation WHERE organisation = ?1)"
                   " ON CONFLICT(organisation) DO UPDATE SET entry = ?2, fetched_at_ms = ?3,"
                   " wanted = 0",
                   DB_ID(&organisation), DB_BLOB(buf_slice(&packed)), DB_INT(client_now_ms(b)),
                   DB_INT(KEEP_ORGANISATIONS_MAX));
    if (e == ERROR_NONE && db_changes(db) > 0)
        e = DB_RUN(db,
                   "INSERT INTO listing(municipality, organisation, round) VALUES(?1, ?2, ?3)"
                   " ON CONFLICT(municipality, organisation) DO UPDATE SET round = ?3",
                   DB_ID(municipality), DB_ID(&organisation), DB_INT(round));
    buf_fini(&packed);
    return e == ERROR_BOUND ? ERROR_NONE : e;
}

/* SHA-256 of the issuer's name; one list is kept for each. */
static enum error crl_issuer(struct slice der, struct digest *out)
{
    const uint8_t *p = der.data;
    uint8_t *name = NULL;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
    int len = crl ? i2d_X509_NAME(X509_CRL_get_issuer(crl), &name) : -1;
    if (len > 0)
        *out = digest_of_slice(slice_of(name, (size_t)len));
    OPENSSL_free(name);
    X509_CRL_free(crl);
    return len > 0 ? ERROR_NONE : ERROR_TLS_BROKEN;
}

enum error keep_crl(struct brug *b, struct slice der, bool *is_new)
{
    struct digest issuer;
    *is_new = false;
    enum error e = trust_add_crl(b->people, der);
    if (e == ERROR_NONE)
        e = crl_issuer(der, &issuer);
    if (e != ERROR_NONE)
        return e == ERROR_NO_MEMORY ? e : ERROR_NONE;
    *is_new = true;
    return DB_RUN(b->db,
                  "INSERT INTO crl(issuer, der) SELECT ?1, ?2 WHERE ?3 > (SELECT count(*) FROM crl)"
                  " OR EXISTS(SELECT 1 FROM crl WHERE issuer = ?1)"
                  " ON CONFLICT(issuer) DO UPDATE SET der = ?2",
                  DB_DIGEST(&issuer), DB_BLOB(der), DB_INT(KEEP_CRLS_MAX));
}
