/* daemon/ops/tls_files.c: see tls_files.h. */
#include "daemon/ops/tls_files.h"
#include "base/clock.h"
#include "pki/der.h"
#include "pki/key.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHAIN_MAX TRUST_CHAIN_MAX
#define CHAIN_BYTES_MAX (CHAIN_MAX * CERTIFICATE_BYTES_MAX)
#define CRLS_BYTES_MAX (64u << 20)
#define PROBLEM_BYTES (PATH_MAX + 256)

struct tls_files {
    const struct config *config;
    struct trust *trust;
    SSL_CTX *context;
    struct buf crls; /* DER, one after the other */
};

/* ---- problems ---- */

static enum error complain(const struct tls_files *t, const char *key, const char *path,
                           const char *what, char **problem)
{
    char text[PROBLEM_BYTES];
    (void)snprintf(text, sizeof text, "%s: %s", path, what); /* cut when too long */
    *problem = config_problem(t->config, key, text);
    return ERROR_CONFIG;
}

static const char *file_problem(enum error e, const char *malformed)
{
    switch (e) {
    case ERROR_NOT_FOUND:
        return "no such file";
    case ERROR_PERMISSION:
        return "permission denied, or others may read it (chmod 600)";
    case ERROR_CONFIG:
        return malformed;
    default:
        return error_text(e);
    }
}

/* ---- the relay's own certificate ---- */

static int64_t wall_ms(void *ctx) { return clock_now().wall_ms; }

static enum error read_key(const struct tls_files *t, EVP_PKEY **out, char **problem)
{
    struct buf path;
    buf_init(&path, PATH_MAX);
    enum error e = config_path(t->config, "relay_key", &path);
    if (!e)
        e = path.len > 0 ? key_read_file(out, (const char *)path.data) : ERROR_NOT_FOUND;
    if (e)
        e = complain(t, "relay_key", path.len > 0 ? (const char *)path.data : "\"\"",
                     file_problem(e, "holds no private key without a passphrase"), problem);
    buf_fini(&path);
    return e;
}

static enum error read_chain(const struct tls_files *t, struct buf *ders, struct buf *path,
                             char **problem)
{
    size_t n;
    enum error e = config_path(t->config, "relay_certificate", path);
    if (!e)
        e = path->len > 0 ? certificates_read_file((const char *)path->data, ders, CHAIN_MAX, &n)
                          : ERROR_NOT_FOUND;
    if (!e)
        return e;
    return complain(t, "relay_certificate", path->len > 0 ? (const char *)path->data : "\"\"",
                    file_problem(e, "holds no certificate, or too many"), problem);
}

enum error tls_files_load_identity(struct tls_files *t, char **problem)
{
    EVP_PKEY *key = NULL;
    SSL_CTX *context = NULL;
    struct buf chain, path;
    buf_init(&chain, CHAIN_BYTES_MAX);
    buf_init(&path, PATH_MAX);
    enum error e = read_key(t, &key, problem);
    if (!e)
        e = read_chain(t, &chain, &path, problem);
    if (e)
        goto done;
    const struct tls_policy policy = {.is_server = true,
                                      .key = key,
                                      .chain = buf_slice(&chain),
                                      .trust = &t->trust,
                                      .now_ms = wall_ms};
    e = tls_context_new(&context, &policy);
    if (e) {
        e = complain(t, "relay_certificate", (const char *)path.data,
                     e == ERROR_CONFIG ? "does not belong to the key of relay_key" : error_text(e),
                     problem);
        goto done;
    }
    tls_context_free(t->context);
    t->context = context;
done:
    key_free(key);
    buf_fini(&chain);
    buf_fini(&path);
    return e;
}

/* ---- anchors and revocation lists ---- */

static enum error add_crls(struct trust *trust, struct slice ders)
{
    struct slice one;
    while (ders.len > 0) {
        if (!der_take(&ders, &one))
            return ERROR_CONFIG;
        enum error e = trust_add_crl(trust, one);
        if (e && e != ERROR_EXISTS) /* an older one of the same issuer */
            return e;
    }
    return ERROR_NONE;
}

static bool is_regular(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static enum error read_crl_file(const struct tls_files *t, const char *path, struct trust *trust,
                                struct buf *crls, char **problem)
{
    size_t before = crls->len, n = 0;
    enum error e = crls_read_file(path, crls, TRUST_CRLS_MAX, &n);
    if (!e)
        e = add_crls(trust, slice_of(crls->data + before, crls->len - before));
    if (!e)
        return e;
    return complain(t, "crl_directory", path,
                    file_problem(e, "holds no revocation list, or too many"), problem);
}

static enum error read_crls(const struct tls_files *t, const char *folder, struct trust *trust,
                            struct buf *crls, char **problem)
{
    enum error e = ERROR_NONE;
    DIR *d = opendir(folder);
    if (!d)
        return complain(t, "crl_directory", folder,
                        errno == EACCES ? "permission denied" : "no such directory", problem);
    for (struct dirent *entry; !e && (entry = readdir(d));) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof path || !is_regular(path))
            continue;
        e = read_crl_file(t, path, trust, crls, problem);
    }
    (void)closedir(d); /* it was only read */
    return e;
}

static enum error add_anchors(const struct tls_files *t, struct trust *trust,
                              const struct slice *anchors, size_t n, char **problem)
{
    for (size_t i = 0; i < n; i++) {
        enum error e = trust_add_anchor(trust, anchors[i]);
        if (e && e != ERROR_EXISTS)
            return complain(t, "crl_directory", "an anchor of a municipality", error_text(e),
                            problem);
    }
    return ERROR_NONE;
}

enum error tls_files_load_trust(struct tls_files *t, const struct slice *anchors, size_t n,
                                char **problem)
{
    struct buf crls, folder;
    struct trust *trust = trust_new();
    buf_init(&crls, CRLS_BYTES_MAX);
    buf_init(&folder, PATH_MAX);
    enum error e = trust ? config_path(t->config, "crl_directory", &folder) : ERROR_NO_MEMORY;
    if (!e)
        trust_set_crl_required(trust, config_is_on(t->config, "crl_required"));
    if (!e)
        e = add_anchors(t, trust, anchors, n, problem);
    if (!e && folder.len > 0)
        e = read_crls(t, (const char *)folder.data, trust, &crls, problem);
    if (!e) {
        struct trust *old = t->trust;
        struct buf old_crls = t->crls;
        t->trust = trust;
        t->crls = crls;
        trust = old;
        crls = old_crls;
    }
    trust_free(trust);
    buf_fini(&crls);
    buf_fini(&folder);
    return e;
}

/* ---- the rest ---- */

struct tls_files *tls_files_new(const struct config *c)
{
    struct tls_files *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->config = c;
    buf_init(&t->crls, CRLS_BYTES_MAX);
    return t;
}

void tls_files_free(struct tls_files *t)
{
    if (!t)
        return;
    tls_context_free(t->context);
    trust_free(t->trust);
    buf_fini(&t->crls);
    free(t);
}

SSL_CTX *tls_files_context(const struct tls_files *t) { return t->context; }

struct trust *const *tls_files_trust(const struct tls_files *t) { return &t->trust; }

size_t tls_files_crls(const struct tls_files *t, struct slice *ders, size_t max)
{
    struct slice rest = buf_slice(&t->crls);
    size_t n = 0;
    while (n < max && der_take(&rest, &ders[n]))
        n++;
    return n;
}

int64_t tls_files_crl_until_ms(const struct tls_files *t) { return trust_crl_until_ms(t->trust); }
