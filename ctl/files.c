/* ctl/files.c: files that an operator names: PEM, armoured requests and answers; "-" is standard input or output. */
#include "base/text.h"
#include "ctl/ctl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ProtobufCBinaryData ctl_bytes(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)s.data};
}

/* *out is empty at first. */
static int read_descriptor(int fd, const char *path, size_t len_max, struct buf *out)
{
    uint8_t space[16384];
    for (ssize_t n; (n = read(fd, space, sizeof space)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ctl_complain(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
        if ((size_t)n > len_max - out->len)
            return ctl_complain(EX_DATAERR, "%s is larger than %zu bytes", path, len_max);
        if (buf_append(out, space, (size_t)n) != ERROR_NONE)
            return ctl_complain(EX_SOFTWARE, "out of memory");
    }
    return EX_OK;
}

int ctl_read(const char *path, size_t len_max, struct buf *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    int status = read_descriptor(fd, path, len_max, out);
    if (!is_stdin)
        (void)close(fd); /* only read */
    return status;
}

int ctl_write(const char *path, struct slice bytes)
{
    bool is_stdout = strcmp(path, "-") == 0;
    int fd = is_stdout ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return ctl_complain(EX_CANTCREAT, "cannot write %s: %s", path,
                            errno == EEXIST ? "it exists already; choose another name"
                                            : strerror(errno));
    int status = EX_OK;
    while (status == EX_OK && bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno != EINTR)
            status = ctl_complain(EX_IOERR, "cannot write %s: %s", path, strerror(errno));
        else if (n > 0)
            bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
    }
    if (!is_stdout && close(fd) != 0 && status == EX_OK)
        status = ctl_complain(EX_IOERR, "cannot write %s: %s", path, strerror(errno));
    return status;
}

/* Where `mark` begins in text, or NULL. */
static const uint8_t *find(struct slice text, const char *mark)
{
    return text.len == 0 ? NULL : memmem(text.data, text.len, mark, strlen(mark));
}

bool ctl_pem_block(struct slice text, const char *label, size_t n, struct buf *der)
{
    char begin[64], end[64];
    (void)snprintf(begin, sizeof begin, "-----BEGIN %s-----", label); /* labels are short */
    (void)snprintf(end, sizeof end, "-----END %s-----", label);
    for (size_t i = 0;; i++) {
        const uint8_t *from = find(text, begin);
        if (from == NULL)
            return false;
        from += strlen(begin);
        text = slice_of(from, text.len - (size_t)(from - text.data));
        const uint8_t *to = find(text, end);
        if (to == NULL)
            return false;
        if (i == n)
            return text_from_base64(der, slice_of(text.data, (size_t)(to - text.data))) ==
                   ERROR_NONE;
    }
}

int ctl_write_pem(const char *path, const char *label, struct slice der)
{
    struct buf text;
    buf_init(&text, 2 * der.len + 256);
    char line[64];
    (void)snprintf(line, sizeof line, "-----BEGIN %s-----\n", label); /* labels are short */
    enum error e = buf_append_slice(&text, slice_text(line));
    if (e == ERROR_NONE)
        e = text_base64(&text, der);
    (void)snprintf(line, sizeof line, "-----END %s-----\n", label);
    if (e == ERROR_NONE)
        e = buf_append_slice(&text, slice_text(line));
    int status = e == ERROR_NONE ? ctl_write(path, buf_slice(&text))
                                 : ctl_complain(EX_SOFTWARE, "%s", error_text(e));
    buf_fini(&text);
    return status;
}
