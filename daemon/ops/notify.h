/*
 * daemon/ops/notify.h: what brugd tells systemd and gets from it (sd_notify(3), sd_listen_fds(3)). All of
 * it does nothing when systemd is not there.
 */
#ifndef DAEMON_OPS_NOTIFY_H
#define DAEMON_OPS_NOTIFY_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_LISTEN_MAX 16

/* Sockets that systemd passed: TCP ones to listen on, and at most one Unix one for administrators. */
struct notify_sockets {
    int listen[NOTIFY_LISTEN_MAX];
    size_t listen_count;
    int admin; /* -1: none */
};

/* ERROR_CONFIG when there is one of another sort, or too many. */
enum error notify_take_sockets(struct notify_sockets *out) MUST_CHECK;

void notify_ready(void);
void notify_reloading(void); /* then notify_ready */
void notify_stopping(void);
void notify_alive(void); /* the watchdog */

#endif
