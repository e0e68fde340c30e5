/* daemon/ops/notify.c: see notify.h. A failed notification is of no use to anybody and is passed over. */
#include "daemon/ops/notify.h"
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

static enum error take(struct notify_sockets *s, int fd)
{
    bool is_stream = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
    if (is_stream && sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0 && s->admin < 0)
        s->admin = fd;
    else if (is_stream && sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) == 0 &&
             s->listen_count < NOTIFY_LISTEN_MAX)
        s->listen[s->listen_count++] = fd;
    else
        return ERROR_CONFIG;
    return ERROR_NONE;
}

enum error notify_take_sockets(struct notify_sockets *out)
{
    struct notify_sockets s = {.admin = -1};
    int n = sd_listen_fds(1); /* not for our children */
    for (int i = 0; i < n; i++) {
        enum error e = take(&s, SD_LISTEN_FDS_START + i);
        if (e)
            return e;
    }
    *out = s;
    return n < 0 ? ERROR_CONFIG : ERROR_NONE;
}

void notify_ready(void) { (void)sd_notify(0, "READY=1"); }
void notify_reloading(void) { (void)sd_notify(0, "RELOADING=1"); }
void notify_stopping(void) { (void)sd_notify(0, "STOPPING=1"); }
void notify_alive(void) { (void)sd_notify(0, "WATCHDOG=1"); }
