/*
 * judge_certificate USE ANCHOR CRL CERTIFICATE: what Brug says of a certificate now, for scripts.
 *
 * USE is relay, identity or sealing; all files are PEM. Prints the name of the error ("NONE"), and for a
 * good identity or sealing certificate the URI, O and CN, one a line.
 */
#include "base/clock.h"
#include "pki/trust.h"
#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX 65536

static enum error add_anchor(struct trust *t, const char *path)
{
    struct buf der;
    size_t n;
    buf_init(&der, FILE_BYTES_MAX);
    enum error e = certificates_read_file(path, &der, 1, &n);
    if (!e)
        e = trust_add_anchor(t, buf_slice(&der));
    buf_fini(&der);
    return e;
}

static enum error add_crl(struct trust *t, const char *path)
{
    struct buf der;
    size_t n;
    buf_init(&der, FILE_BYTES_MAX);
    enum error e = crls_read_file(path, &der, 1, &n);
    if (!e)
        e = trust_add_crl(t, buf_slice(&der));
    buf_fini(&der);
    return e;
}

static enum error read_certificate(X509 **c, const char *path)
{
    struct buf der;
    size_t n;
    buf_init(&der, FILE_BYTES_MAX);
    enum error e = certificates_read_file(path, &der, 1, &n);
    if (!e)
        e = certificate_from_der(c, buf_slice(&der));
    buf_fini(&der);
    return e;
}

static enum error judge(struct trust *t, X509 *c, enum certificate_use use)
{
    struct certificate_identity who;
    struct digest anchor;
    char uri[CERTIFICATE_URI_BYTES];
    enum error e = trust_verify(t, c, NULL, use, clock_now().wall_ms, &anchor);
    if (!e && use != CERTIFICATE_RELAY)
        e = certificate_identity(c, &who);
    puts(error_name(e));
    if (!e && use != CERTIFICATE_RELAY)
        printf("%s\n%s\n%s\n", certificate_uri(&who, uri), who.organisation_name, who.common_name);
    return ERROR_NONE;
}

int main(int argc, char **argv)
{
    X509 *c = NULL;
    if (argc != 5) {
        fprintf(stderr, "usage: judge_certificate relay|identity|sealing ANCHOR CRL CERTIFICATE\n");
        return 2;
    }
    enum certificate_use use = strcmp(argv[1], "relay") == 0      ? CERTIFICATE_RELAY
                               : strcmp(argv[1], "identity") == 0 ? CERTIFICATE_IDENTITY
                                                                  : CERTIFICATE_SEALING;
    struct trust *t = trust_new();
    enum error e = t ? add_anchor(t, argv[2]) : ERROR_NO_MEMORY;
    if (!e)
        e = add_crl(t, argv[3]);
    if (!e)
        e = read_certificate(&c, argv[4]);
    if (!e)
        e = judge(t, c, use);
    if (e)
        fprintf(stderr, "judge_certificate: %s\n", error_text(e));
    certificate_free(c);
    trust_free(t);
    return e ? 1 : 0;
}
