/* tests/fuzz/fuzz_config.c: any bytes as a file of settings: a good one prints and reads again the same. */
#include "daemon/ops/config.h"
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *read_bytes(const void *bytes, size_t len)
{
    char path[64], *problem = NULL;
    struct config *c = NULL;
    int fd = memfd_create("settings", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum error e = config_read(&c, path, &problem);
    assert(e ? problem && !strchr(problem, '\n') && strncmp(problem, path, strlen(path)) == 0
             : !!c);
    free(problem);
    close(fd);
    return c;
}

/* Of one line, up to the last "   # ". */
static size_t value_bytes(const uint8_t *line, const uint8_t *end)
{
    const uint8_t *p = end;
    while (p - line > 5 && memcmp(p - 5, "   # ", 5) != 0)
        p--;
    return (size_t)(p - line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first, second;
    struct config *c = read_bytes(data, size);
    if (!c)
        return 0;
    buf_init(&first, 1 << 20);
    assert(config_print(c, &first) == ERROR_NONE);
    config_free(c);
    /* Where each value comes from stands behind three spaces and differs; the values do not. */
    c = read_bytes(first.data, first.len);
    buf_init(&second, 1 << 20);
    assert(c && config_print(c, &second) == ERROR_NONE);
    struct slice a = buf_slice(&first), b = buf_slice(&second);
    while (a.len > 0) {
        const uint8_t *a_end = memchr(a.data, '\n', a.len), *b_end = memchr(b.data, '\n', b.len);
        size_t len = value_bytes(a.data, a_end);
        assert(a_end && b_end && len == value_bytes(b.data, b_end));
        assert(memcmp(a.data, b.data, len) == 0);
        a.len -= (size_t)(a_end + 1 - a.data), a.data = a_end + 1;
        b.len -= (size_t)(b_end + 1 - b.data), b.data = b_end + 1;
    }
    config_free(c);
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
