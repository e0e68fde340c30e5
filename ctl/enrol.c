/*
 * ctl/enrol.c: enrolling a client: its request's certificate requests out for the CA, its certificates in, the
 * answer for the client out, and the code that both sides compare by telephone: 12 spoken digits of SHA-256(EnrolAnswer).
 */
#include "base/digest.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (256u << 10)
#define ANSWER_BYTES_MAX (24u << 20)
#define CODE_DIGITS 12

static int read_request(const char *path, struct buf *request)
{
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    int status = ctl_read(path, FILE_BYTES_MAX, &text);
    if (status == EX_OK && text_from_armour(request, "REQUEST", buf_slice(&text)) != ERROR_NONE)
        status = ctl_complain(
            EX_DATAERR,
            "%s is not the request of a client (BEGIN BRUG REQUEST … END): ask for it again", path);
    buf_fini(&text);
    return status;
}

int endpoint_request(const struct ctl_options *o)
{
    if (o->out == NULL)
        return ctl_complain(EX_USAGE,
                            "--out is missing: a directory for identity.csr and sealing.csr");
    struct buf bytes;
    buf_init(&bytes, FILE_BYTES_MAX);
    struct arena *arena = arena_new();
    ProtobufCMessage *m = NULL;
    int status = arena == NULL ? ctl_complain(EX_SOFTWARE, "out of memory")
                               : read_request(o->argument, &bytes);
    if (status == EX_OK) {
        arena_reset(arena, 4 * (size_t)FILE_BYTES_MAX);
        if (frame_decode(arena, &brug__v1__enrol_request__descriptor, buf_slice(&bytes), &m) !=
            ERROR_NONE)
            status = ctl_complain(EX_DATAERR, "%s is damaged: ask for it again", o->argument);
    }
    if (status == EX_OK && mkdir(o->out, 0755) != 0 && errno != EEXIST)
        status = ctl_complain(EX_CANTCREAT, "cannot make %s: %s", o->out, strerror(errno));
    const Brug__V1__EnrolRequest *r = (Brug__V1__EnrolRequest *)m;
    char path[4096];
    if (status == EX_OK) {
        (void)snprintf(path, sizeof path, "%s/identity.csr",
                       o->out); /* a cut path cannot be made */
        status = ctl_write_pem(path, "CERTIFICATE REQUEST",
                               slice_of(r->identity_csr.data, r->identity_csr.len));
    }
    if (status == EX_OK) {
        (void)snprintf(path, sizeof path, "%s/sealing.csr", o->out);
        status = ctl_write_pem(path, "CERTIFICATE REQUEST",
                               slice_of(r->sealing_csr.data, r->sealing_csr.len));
    }
    if (status == EX_OK && !o->is_json)
        (void)printf("wrote %s/identity.csr and %s/sealing.csr: let the CA sign them, then "
                     "`brugctl endpoint add`\n",
                     o->out, o->out);
    arena_free(arena);
    buf_fini(&bytes);
    return status;
}

static int read_certificate(const char *option, const char *path, struct buf *der)
{
    if (path == NULL)
        return ctl_complain(EX_USAGE, "%s is missing: the PEM file that the CA made", option);
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    int status = ctl_read(path, FILE_BYTES_MAX, &text);
    if (status == EX_OK && !ctl_pem_block(buf_slice(&text), "CERTIFICATE", 0, der))
        status = ctl_complain(EX_DATAERR, "%s holds no PEM certificate", path);
    buf_fini(&text);
    return status;
}

/* The answer's file and the code; with --json the row, the code and the file's name. */
static int hand_out(const struct ctl_options *o, const Brug__V1__AdminAnswer *a)
{
    struct slice answer = slice_of(a->enrol_answer.data, a->enrol_answer.len);
    struct digest digest = digest_of_slice(answer);
    struct buf text, code;
    buf_init(&text, ANSWER_BYTES_MAX);
    buf_init(&code, 64);
    int status = EX_OK;
    if (text_armour(&text, "ANSWER", answer) != ERROR_NONE ||
        text_spoken(&code, digest_slice(&digest), CODE_DIGITS) != ERROR_NONE ||
        buf_append_u8(&code, 0) != ERROR_NONE)
        status = ctl_complain(EX_SOFTWARE, "out of memory");
    if (status == EX_OK)
        status = ctl_write(o->out == NULL ? "-" : o->out, buf_slice(&text));
    FILE *to = o->out == NULL || strcmp(o->out, "-") == 0 ? stderr : stdout;
    if (status == EX_OK && o->is_json)
        (void)fprintf(to, "{\"code\": \"%s\"}\n", (char *)code.data);
    else if (status == EX_OK)
        (void)fprintf(to,
                      "enrolled. Send the answer back. The client's user reads this code to you by "
                      "telephone: %s\n",
                      (char *)code.data);
    buf_fini(&text);
    buf_fini(&code);
    return status;
}

int endpoint_add(const struct ctl_options *o)
{
    Brug__V1__AddEndpoint add = BRUG__V1__ADD_ENDPOINT__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AdminAnswer *a = NULL;
    struct buf enrol_request, identity, sealing, intermediates[CTL_VALUES_MAX];
    ProtobufCBinaryData intermediate_bytes[CTL_VALUES_MAX];
    buf_init(&enrol_request, FILE_BYTES_MAX);
    buf_init(&identity, FILE_BYTES_MAX);
    buf_init(&sealing, FILE_BYTES_MAX);
    size_t made = 0;
    struct arena *arena = arena_new();
    int status = arena == NULL ? ctl_complain(EX_SOFTWARE, "out of memory")
                               : read_request(o->argument, &enrol_request);
    if (status == EX_OK)
        status = read_certificate("--identity", o->identity, &identity);
    if (status == EX_OK)
        status = read_certificate("--sealing", o->sealing, &sealing);
    for (; status == EX_OK && made < o->intermediate_count; made++) {
        buf_init(&intermediates[made], FILE_BYTES_MAX);
        status = read_certificate("--intermediate", o->intermediates[made], &intermediates[made]);
        intermediate_bytes[made] = ctl_bytes(buf_slice(&intermediates[made]));
    }
    if (status == EX_OK) {
        add.request = ctl_bytes(buf_slice(&enrol_request));
        add.identity_certificate = ctl_bytes(buf_slice(&identity));
        add.sealing_certificate = ctl_bytes(buf_slice(&sealing));
        add.n_intermediates = made;
        add.intermediates = intermediate_bytes;
        request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ENDPOINT;
        request.add_endpoint = &add;
        status = ctl_call(o, &request, arena, &a);
    }
    if (status == EX_OK)
        status = hand_out(o, a);
    while (made > 0)
        buf_fini(&intermediates[--made]);
    buf_fini(&enrol_request);
    buf_fini(&identity);
    buf_fini(&sealing);
    arena_free(arena);
    return status;
}
