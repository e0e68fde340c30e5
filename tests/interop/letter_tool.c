/*
 * tests/interop/letter_tool.c: seals and opens letters with PEM files, so that a script can set
 * them against `openssl cms`.
 *
 *     letter_tool FOLDER seal FROM HEADER SEALED READER...   text from standard input
 *     letter_tool FOLDER open ME HEADER SEALED FROM          text to standard output
 *     letter_tool FOLDER content FROM HEADER CONTENT         what `seal` would sign, for that
 * header
 *
 * FROM, ME and READER are numbers; FOLDER holds N.identity.key, .pem and N.sealing.key, .pem of
 * each. Prints the name of an error and exits with 1.
 */
#include "client/profile.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "tests/lib/letter_fixture.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)1 << 20)
#define READERS_MAX 8

static void must(enum error e, const char *what)
{
    if (e == ERROR_NONE)
        return;
    printf("%s\n", error_name(e));
    fprintf(stderr, "letter_tool: %s: %s\n", what, error_text(e));
    exit(1);
}

/* ---- files ---- */

static void read_file(struct buf *out, const char *path)
{
    buf_init(out, BYTES_MAX);
    must(buf_read_file(out, path), path);
}

static void write_file(const char *path, struct slice s)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(s.data, 1, s.len, f) == s.len;
    must(f && fclose(f) == 0 && ok ? ERROR_NONE : ERROR_IO, path);
}

static X509 *read_certificate(const char *folder, const char *number, const char *name)
{
    char path[512];
    struct buf ders;
    size_t n;
    X509 *c;
    snprintf(path, sizeof path, "%s/%s.%s.pem", folder, number, name);
    buf_init(&ders, BYTES_MAX);
    must(certificates_read_file(path, &ders, 1, &n), path);
    must(certificate_from_der(&c, buf_slice(&ders)), path);
    buf_fini(&ders);
    return c;
}

static EVP_PKEY *read_key(const char *folder, const char *number, const char *name)
{
    char path[512];
    EVP_PKEY *key;
    snprintf(path, sizeof path, "%s/%s.%s.key", folder, number, name);
    must(key_read_file(&key, path), path);
    return key;
}

static void read_party(struct party *p, const char *folder, const char *number)
{
    p->keys.endpoint = fixture_who((unsigned)strtoul(number, NULL, 10)).endpoint;
    p->keys.identity_certificate = read_certificate(folder, number, "identity");
    p->keys.sealing_certificate = read_certificate(folder, number, "sealing");
    p->keys.identity_key = read_key(folder, number, "identity");
    p->keys.sealing_key = read_key(folder, number, "sealing");
}

/* ---- commands ---- */

static void seal(const char *folder, char **arguments, int n)
{
    struct party from, readers[READERS_MAX];
    const struct party *list[READERS_MAX];
    struct buf header, sealed;
    char text[4096] = "";
    must(n >= 3 && n - 3 <= READERS_MAX ? ERROR_NONE : ERROR_USAGE, "seal");
    text[fread(text, 1, sizeof text - 1, stdin)] = '\0';
    read_party(&from, folder, arguments[0]);
    for (int i = 3; i < n; i++) {
        read_party(&readers[i - 3], folder, arguments[i]);
        list[i - 3] = &readers[i - 3];
    }
    fixture_header(&header, &from, list, (size_t)n - 3, 1);
    fixture_seal(&sealed, &from, list, (size_t)n - 3, buf_slice(&header), text);
    write_file(arguments[1], buf_slice(&header));
    write_file(arguments[2], buf_slice(&sealed));
    for (int i = 3; i < n; i++)
        party_fini(&readers[i - 3]);
    party_fini(&from);
    buf_fini(&header);
    buf_fini(&sealed);
}

static void open_letter(const char *folder, char **arguments, int n)
{
    struct party me;
    struct buf header, sealed;
    struct letter *l;
    must(n == 4 ? ERROR_NONE : ERROR_USAGE, "open");
    read_party(&me, folder, arguments[0]);
    read_file(&header, arguments[1]);
    read_file(&sealed, arguments[2]);
    X509 *from = read_certificate(folder, arguments[3], "identity");
    enum error e =
        letter_open(&me.keys, buf_slice(&header), buf_slice(&sealed), fixture_is_signer, from, &l);
    if (e == ERROR_NONE) {
        fputs(l->content->letter->text, stdout);
        letter_free(l);
    }
    X509_free(from);
    party_fini(&me);
    buf_fini(&header);
    buf_fini(&sealed);
    must(e, "open");
}

static void content(const char *folder, char **arguments, int n)
{
    struct party from;
    struct buf header, sealed, signed_data;
    struct profile_inner inner;
    const char *where;
    char text[4096] = "";
    must(n == 3 ? ERROR_NONE : ERROR_USAGE, "content");
    text[fread(text, 1, sizeof text - 1, stdin)] = '\0';
    read_party(&from, folder, arguments[0]);
    read_file(&header, arguments[1]);
    fixture_seal(&sealed, &from, NULL, 0, buf_slice(&header), text);
    fixture_decrypt(&signed_data, &from, buf_slice(&sealed));
    must(profile_check_inner(buf_slice(&signed_data), &inner, &where), "content");
    write_file(arguments[2], inner.content);
    party_fini(&from);
    buf_fini(&header);
    buf_fini(&sealed);
    buf_fini(&signed_data);
}

int main(int argc, char **argv)
{
    const char *command = argc > 2 ? argv[2] : "";
    if (strcmp(command, "seal") == 0)
        seal(argv[1], argv + 3, argc - 3);
    else if (strcmp(command, "open") == 0)
        open_letter(argv[1], argv + 3, argc - 3);
    else if (strcmp(command, "content") == 0)
        content(argv[1], argv + 3, argc - 3);
    else
        must(ERROR_USAGE, "command");
    return 0;
}
