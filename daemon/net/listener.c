/*
 * daemon/net/listener.c: addresses that are listened on, and when a connection is accepted.
 *
 * Failures: a bad address or a taken port is returned; a failed accept (no descriptors left) is dropped by
 * libuv and the listener goes on. With handshakes_max in flight the next connection waits in the kernel
 * until a handshake has ended.
 */
#include "daemon/net/internal.h"
#include <stdlib.h>
#include <string.h>

#define BACKLOG 511
#define HOST_BYTES 64

static void on_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    struct net *n = l->net;
    free(l);
    net_on_handle_closed(n);
}

void listener_close(struct listener *l)
{
    list_unlink(&l->all);
    uv_close((uv_handle_t *)&l->tcp, on_closed);
}

static void accept_next(struct listener *l)
{
    struct net *n = l->net;
    l->is_waiting = n->handshake_count >= n->options.handshakes_max ||
                    !connection_accept(n, (uv_stream_t *)&l->tcp);
}

static void on_connection(uv_stream_t *server, int status)
{
    if (status == 0)
        accept_next(server->data);
}

void listeners_accept_waiting(struct net *n)
{
    list_for_each (e, next, &n->listeners) {
        struct listener *l = container_of(e, struct listener, all);
        if (l->is_waiting)
            accept_next(l);
    }
}

/* A listener whose handle is initialised; the caller closes it when it cannot go on. */
static enum error listener_new(struct listener **out, struct net *n)
{
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return ERROR_NO_MEMORY;
    if (uv_tcp_init(n->loop, &l->tcp)) {
        free(l);
        return ERROR_IO;
    }
    l->tcp.data = l;
    l->net = n;
    n->handles_open++;
    list_append(&n->listeners, &l->all);
    *out = l;
    return ERROR_NONE;
}

static enum error listen_on(struct listener *l)
{
    switch (uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection)) {
    case 0:
        return ERROR_NONE;
    case UV_EADDRINUSE:
        return ERROR_LOCKED;
    case UV_EACCES:
        return ERROR_PERMISSION;
    default:
        return ERROR_IO;
    }
}

/* "127.0.0.1:7410" or "[::1]:7410": the last colon ends the host. */
static enum error parse(const char *address, struct sockaddr_storage *out)
{
    char host[HOST_BYTES];
    const char *colon = strrchr(address, ':');
    char *end;
    if (!colon || colon == address || colon[1] < '0' || colon[1] > '9')
        return ERROR_CONFIG;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t len = (size_t)(colon - address);
    bool is_v6 = address[0] == '[' && colon[-1] == ']';
    if (is_v6) {
        address++;
        len = len > 2 ? len - 2 : 0;
    }
    if (*end != '\0' || port > UINT16_MAX || len >= sizeof host)
        return ERROR_CONFIG;
    memcpy(host, address, len);
    host[len] = '\0';
    int result = is_v6 ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)out)
                       : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)out);
    return result ? ERROR_CONFIG : ERROR_NONE;
}

enum error net_check_address(const char *address)
{
    struct sockaddr_storage a = {0};
    return parse(address, &a);
}

static uint16_t bound_port(const struct listener *l)
{
    struct sockaddr_storage a = {0};
    int len = sizeof a;
    if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&a, &len))
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

enum error net_listen(struct net *n, const char *address, uint16_t *port)
{
    struct sockaddr_storage a = {0};
    struct listener *l;
    enum error e = parse(address, &a);
    if (e)
        return e;
    e = listener_new(&l, n);
    if (e)
        return e;
    if (uv_tcp_bind(&l->tcp, (struct sockaddr *)&a, 0))
        e = ERROR_IO;
    if (!e)
        e = listen_on(l);
    if (e) {
        listener_close(l);
        return e;
    }
    if (port)
        *port = bound_port(l);
    return ERROR_NONE;
}

enum error net_listen_fd(struct net *n, int fd)
{
    struct listener *l;
    enum error e = listener_new(&l, n);
    if (e)
        return e;
    if (uv_tcp_open(&l->tcp, fd))
        e = ERROR_IO;
    if (!e)
        e = listen_on(l);
    if (e)
        listener_close(l);
    return e;
}
