/* ctl/call.c: one request and its answer over the admin socket; blocking, with a time limit. */
#include "ctl/ctl.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX LIMIT_ADMIN_ANSWER_BYTES
#define ANSWER_SECONDS_MAX 60

static int open_socket(const char *path, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return ctl_complain(EX_USAGE, "the socket's path is too long: %s", path);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path); /* length checked */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ctl_complain(EX_SOFTWARE, "no socket: %s", strerror(errno));
    struct timeval limit = {.tv_sec = ANSWER_SECONDS_MAX};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int cause = errno;
        (void)close(fd); /* nothing was written */
        if (cause == EACCES)
            return ctl_complain(
                EX_NOPERM,
                "you may not use %s: run brugctl as root or as a member of the admin group", path);
        return ctl_complain(EX_UNAVAILABLE,
                            "no relay answers at %s (%s): is brugd running? Its setting "
                            "admin_socket names the path; give it with --socket",
                            path, strerror(cause));
    }
    *out = fd;
    return EX_OK;
}

static int send_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ctl_complain(EX_UNAVAILABLE, "the relay closed the connection: %s",
                                strerror(errno));
        bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return EX_OK;
}

static int receive_frame(int fd, struct buf *in, struct slice *frame)
{
    for (;;) {
        struct slice rest = buf_slice(in);
        bool is_complete = false;
        size_t wanted = 0;
        if (frame_next(&rest, ANSWER_BYTES_MAX, frame, &is_complete, &wanted) != ERROR_NONE)
            return ctl_complain(EX_SOFTWARE, "the relay's answer is damaged");
        if (is_complete)
            return EX_OK;
        uint8_t space[65536];
        ssize_t n = recv(fd, space, sizeof space, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ctl_complain(
                EX_UNAVAILABLE,
                "no answer from the relay: %s; ask `brugctl status` whether it took effect",
                n == 0 ? "it closed the connection" : strerror(errno));
        if (buf_append(in, space, (size_t)n) != ERROR_NONE)
            return ctl_complain(EX_SOFTWARE, "the relay's answer is too large");
    }
}

static int status_of(Brug__V1__Code code)
{
    switch (code) {
    case BRUG__V1__CODE__CODE_NO_SUCH_OBJECT:
        return EX_NOINPUT;
    case BRUG__V1__CODE__CODE_ROLE_NOT_ALLOWED:
        return EX_NOPERM;
    default:
        return error_is_passing((enum error)code) ? EX_TEMPFAIL : EX_DATAERR;
    }
}

int ctl_call(const struct ctl_options *o, const Brug__V1__AdminRequest *request,
             struct arena *arena, Brug__V1__AdminAnswer **answer)
{
    int fd = -1;
    struct buf out, in;
    buf_init(&out, LIMIT_ADMIN_FRAME_BYTES + 16);
    buf_init(&in, ANSWER_BYTES_MAX + 16);
    struct slice frame;
    ProtobufCMessage *m = NULL;
    int status = EX_OK;
    if (frame_append(&out, &request->base) != ERROR_NONE)
        status = ctl_complain(EX_DATAERR, "the request is too large: use smaller files");
    if (status == EX_OK)
        status = open_socket(o->socket, &fd);
    if (status == EX_OK)
        status = send_all(fd, buf_slice(&out));
    if (status == EX_OK)
        status = receive_frame(fd, &in, &frame);
    if (status == EX_OK) {
        arena_reset(arena, 4 * (size_t)ANSWER_BYTES_MAX);
        if (frame_decode(arena, &brug__v1__admin_answer__descriptor, frame, &m) != ERROR_NONE)
            status = ctl_complain(EX_SOFTWARE, "the relay's answer is damaged");
    }
    if (status == EX_OK) {
        *answer = (Brug__V1__AdminAnswer *)m;
        if ((*answer)->code != BRUG__V1__CODE__CODE_NONE || (*answer)->error[0] != '\0')
            status =
                ctl_complain(status_of((*answer)->code), "%s",
                             (*answer)->error[0] != '\0' ? (*answer)->error
                                                         : error_text((enum error)(*answer)->code));
    }
    if (fd >= 0)
        (void)close(fd); /* all that was said has been answered */
    buf_fini(&out);
    buf_fini(&in);
    return status;
}
