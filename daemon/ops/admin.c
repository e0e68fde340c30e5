/*
 * daemon/ops/admin.c: see admin.h.
 *
 * A peer has one command under way at a time: reading stops from the moment a whole frame was taken
 * until its answer was written, and then goes on with what had already come. A command is known by its
 * ticket, never by a pointer to the peer, because the peer may be gone when the answer comes.
 *
 * Invariants: (1) `ticket` is 0 while no command is under way; (2) a peer is freed in its close callback only;
 * (3) the listener is freed after the last peer's close callback.
 */
#include "daemon/ops/admin.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/ops/credentials.h"
#include "daemon/ops/enrol.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS_MAX 16u
#define IDLE_MS_MAX 60000u
#define ANSWER_BYTES_MAX LIMIT_ADMIN_ANSWER_BYTES
#define READ_BYTES 65536u
#define CRLS_MAX TRUST_CRLS_MAX
#define STATUS_CODES_MAX 160u /* codes that travel on the wire are fewer */

struct admin {
    uv_pipe_t listener;
    struct admin_options options;
    struct arena *arena;
    struct list peers;
    size_t peer_count;
    uint64_t last_ticket;
    bool is_closing, is_listener_closed;
    char read_space[READ_BYTES]; /* one read callback runs at a time */
};

struct peer {
    struct list link;
    struct admin *admin;
    uv_pipe_t pipe;
    uv_timer_t idle;
    unsigned open_handles;
    struct buf input;
    uint64_t ticket;
    bool is_adding_endpoint, is_recovering, is_serving, is_writing, is_ending, is_closing;
    struct buf request; /* while is_recovering: what the page is */
    Brug__V1__Operator operator_;
    char operator_name[CREDENTIALS_NAME_BYTES];
};

struct writing {
    uv_write_t request;
    struct peer *peer;
    struct buf bytes;
    bool is_last;
};

static void serve(struct peer *p);
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b);

/* ---- the end of things ---- */

static void free_if_done(struct admin *a)
{
    if (!a->is_closing || !a->is_listener_closed || a->peer_count > 0)
        return;
    arena_free(a->arena);
    free(a);
}

static void on_peer_handle_closed(uv_handle_t *h)
{
    struct peer *p = h->data;
    if (--p->open_handles > 0)
        return;
    struct admin *a = p->admin;
    list_unlink(&p->link);
    a->peer_count--;
    buf_fini(&p->input);
    buf_fini(&p->request);
    free(p);
    free_if_done(a);
}

static void peer_close(struct peer *p)
{
    if (p->is_closing)
        return;
    p->is_closing = true;
    p->ticket = 0;
    uv_close((uv_handle_t *)&p->pipe, on_peer_handle_closed);
    uv_close((uv_handle_t *)&p->idle, on_peer_handle_closed);
}

/* ---- answers ---- */

static void on_written(uv_write_t *request, int status)
{
    struct writing *w = container_of(request, struct writing, request);
    struct peer *p = w->peer;
    bool is_last = w->is_last || status < 0;
    buf_fini(&w->bytes);
    free(w);
    p->is_writing = false;
    if (is_last)
        peer_close(p);
    else
        serve(p);
}

static void peer_answer(struct peer *p, const Brug__V1__AdminAnswer *answer, bool is_last)
{
    struct writing *w = calloc(1, sizeof *w);
    if (w == NULL) {
        peer_close(p);
        return;
    }
    buf_init(&w->bytes, ANSWER_BYTES_MAX);
    w->peer = p;
    w->is_last = p->is_ending = is_last;
    enum error e = frame_append(&w->bytes, &answer->base);
    uv_buf_t b = uv_buf_init((char *)w->bytes.data, (unsigned)w->bytes.len);
    if (e != ERROR_NONE || uv_write(&w->request, (uv_stream_t *)&p->pipe, &b, 1, on_written) != 0) {
        buf_fini(&w->bytes);
        free(w);
        peer_close(p);
        return;
    }
    p->is_writing = true;
}

/* The wire has no code for a peer without the right: its operator may not do this. */
static Brug__V1__Code code_on_wire(enum error code)
{
    if (code == ERROR_PERMISSION)
        return BRUG__V1__CODE__CODE_ROLE_NOT_ALLOWED;
    return error_is_on_wire((int)code) ? (Brug__V1__Code)code
                                       : BRUG__V1__CODE__CODE_REQUEST_MALFORMED;
}

static void peer_refuse(struct peer *p, enum error code, const char *why, bool is_last)
{
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    char line[512];
    (void)snprintf(line, sizeof line, "%s: %s", error_text(code), why); /* cut is fine */
    answer.code = code_on_wire(code);
    answer.error = line;
    peer_answer(p, &answer, is_last);
}

static struct peer *peer_of_ticket(struct admin *a, uint64_t ticket)
{
    list_for_each (e, next, &a->peers) {
        struct peer *p = container_of(e, struct peer, link);
        if (p->ticket == ticket)
            return p;
    }
    return NULL;
}

/* Puts the enrolment's answer file beside the row that was added. */
static enum error complete_enrolment(struct admin *a, const Brug__V1__AdminAnswer *answer,
                                     struct buf *out, const char **what)
{
    if (answer->objects == NULL || answer->objects->n_endpoints != 1)
        return ERROR_NO_SUCH_OBJECT;
    struct slice crls[CRLS_MAX];
    struct enrol_surroundings with = {
        .relay_host = a->options.relay_host,
        .relay_port = a->options.relay_port,
        .relay_anchors_path = a->options.relay_anchors_path,
        .crls = crls,
        .crl_count = a->options.crls(a->options.ctx, crls, CRLS_MAX),
    };
    return enrol_answer(answer->objects->endpoints[0], a->options.relay, &with, out, what);
}

/* The order is recorded: now the letters are read. True while their answer is to come. */
static bool begin_page(struct peer *p)
{
    struct admin *a = p->admin;
    ProtobufCMessage *m = NULL;
    arena_reset(a->arena, frame_budget(p->request.len));
    return frame_decode(a->arena, &brug__v1__recover__descriptor, buf_slice(&p->request), &m) ==
               ERROR_NONE &&
           a->options.recover(a->options.ctx, p->ticket, (const Brug__V1__Recover *)m);
}

/* Beside an organisation stand the lists by which its entries are judged. */
static void add_crls(struct admin *a, Brug__V1__AdminAnswer *answer,
                     ProtobufCBinaryData lists[CRLS_MAX])
{
    struct slice crls[CRLS_MAX];
    answer->n_crls = a->options.crls(a->options.ctx, crls, CRLS_MAX);
    answer->crls = lists;
    for (size_t i = 0; i < answer->n_crls; i++)
        lists[i] = (ProtobufCBinaryData){crls[i].len, (uint8_t *)(uintptr_t)crls[i].data};
}

void admin_answer(struct admin *a, uint64_t ticket, const Brug__V1__AdminAnswer *answer)
{
    struct peer *p = peer_of_ticket(a, ticket);
    if (ticket == 0 || p == NULL)
        return;
    bool is_ordered = p->is_recovering && answer->code == BRUG__V1__CODE__CODE_NONE;
    p->is_recovering = false;
    if (is_ordered && begin_page(p))
        return;
    p->ticket = 0;
    if (is_ordered) {
        peer_refuse(p, ERROR_BUSY, "there is no memory for a page of letters; try again later",
                    false);
        serve(p);
        return;
    }
    Brug__V1__AdminAnswer whole = *answer;
    ProtobufCBinaryData lists[CRLS_MAX];
    struct buf enrolment;
    buf_init(&enrolment, ANSWER_BYTES_MAX);
    if (whole.entry != NULL)
        add_crls(a, &whole, lists);
    if (p->is_adding_endpoint && whole.code == BRUG__V1__CODE__CODE_NONE) {
        const char *what = "the endpoint is no longer there";
        enum error e = complete_enrolment(a, answer, &enrolment, &what);
        if (e != ERROR_NONE) {
            peer_refuse(p, e, what, false);
            goto done;
        }
        whole.enrol_answer = (ProtobufCBinaryData){enrolment.len, enrolment.data};
    }
    peer_answer(p, &whole, false);
done:
    buf_fini(&enrolment);
    serve(p);
}

/* ---- commands ---- */

/* Figures of this moment: they are nobody's message, so they wait for no commit. */
static void answer_status(struct peer *p)
{
    struct admin *a = p->admin;
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    Brug__V1__DaemonStatus status = BRUG__V1__DAEMON_STATUS__INIT;
    Brug__V1__CodeCount counts[STATUS_CODES_MAX], *refused[STATUS_CODES_MAX];
    relay_status(a->options.relay, &status, counts, STATUS_CODES_MAX, &status.n_refused);
    for (size_t i = 0; i < status.n_refused; i++)
        refused[i] = &counts[i];
    status.refused = refused;
    a->options.fill_status(a->options.ctx, &status);
    answer.status = &status;
    peer_answer(p, &answer, false);
}

/* The answer comes when all of the chain was read. */
static void begin_account(struct peer *p)
{
    struct admin *a = p->admin;
    p->is_adding_endpoint = p->is_recovering = false;
    p->ticket = ++a->last_ticket;
    if (a->options.account(a->options.ctx, p->ticket))
        return;
    p->ticket = 0;
    peer_refuse(p, ERROR_BUSY, "the books are being read for somebody else; try again later",
                false);
}

/* Kept until the order is durable; false: no memory. */
static bool note_recovery(struct peer *p, const Brug__V1__AdminRequest *r)
{
    buf_clear(&p->request);
    p->is_recovering = r->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_RECOVER;
    return !p->is_recovering || frame_append_bare(&p->request, &r->recover->base) == ERROR_NONE;
}

static bool names_endpoint(const Brug__V1__AdminRequest *r)
{
    return r->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ENDPOINT;
}

/* The anchors of a new municipality must be CA certificates, before the core keeps them. */
static enum error check_anchors(const Brug__V1__AddMunicipality *m, const char **what)
{
    struct trust *t = trust_new();
    enum error e = t == NULL ? ERROR_NO_MEMORY : ERROR_NONE;
    *what = "an anchor must be a self-signed CA certificate that may sign certificates and lists";
    for (size_t i = 0; e == ERROR_NONE && i < m->n_anchors; i++)
        e = trust_add_anchor(t, check_slice(m->anchors[i]));
    trust_free(t);
    return e;
}

static void run(struct peer *p, struct slice frame)
{
    struct admin *a = p->admin;
    arena_reset(a->arena, 4 * (size_t)LIMIT_ADMIN_FRAME_BYTES);
    ProtobufCMessage *m = NULL;
    enum error e = frame_decode(a->arena, &brug__v1__admin_request__descriptor, frame, &m);
    if (e != ERROR_NONE) {
        peer_refuse(p, e, "brugctl and brugd do not fit each other: use the same version", true);
        return;
    }
    const Brug__V1__AdminRequest *request = (Brug__V1__AdminRequest *)m;
    struct instant now = clock_now();
    Brug__V1__EndpointRow row;
    const char *what = "";
    if (request->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_STATUS) {
        answer_status(p);
        return;
    }
    if (request->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_ACCOUNT) {
        begin_account(p);
        return;
    }
    if (request->request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY)
        e = check_anchors(request->add_municipality, &what);
    if (names_endpoint(request)) {
        a->options.refresh_trust(a->options.ctx);
        e = enrol_judge(request->add_endpoint, a->options.relay, *a->options.trust, now.wall_ms,
                        a->arena, &row, &what);
    }
    if (e == ERROR_NONE && !note_recovery(p, request)) {
        e = ERROR_BUSY;
        what = "no memory; try again later";
    }
    if (e != ERROR_NONE) {
        log_event(LOG_NOTICE, "admin.refused", "code=%s operator=%s", error_name(e),
                  p->operator_name);
        peer_refuse(p, e, what, false);
        return;
    }
    p->is_adding_endpoint = names_endpoint(request);
    p->ticket = ++a->last_ticket;
    relay_on_admin(a->options.relay, p->ticket, &p->operator_, request,
                   names_endpoint(request) ? &row : NULL, now);
    a->options.on_wake_end(a->options.ctx);
}

static bool is_busy(const struct peer *p)
{
    return p->ticket != 0 || p->is_writing || p->is_ending || p->is_closing;
}

/* What comes while a command is under way stays in the socket. */
static void update_reading(struct peer *p)
{
    if (p->is_closing)
        return;
    if (is_busy(p)) {
        (void)uv_read_stop((uv_stream_t *)&p->pipe); /* always 0 */
        return;
    }
    int failed = uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read);
    if (failed && failed != UV_EALREADY)
        peer_close(p);
}

/* Runs the next whole frame that has come, unless a command is under way. */
static void serve(struct peer *p)
{
    if (p->is_serving) /* an answer that came at once: the loop below goes on */
        return;
    p->is_serving = true;
    while (!is_busy(p)) {
        struct slice rest = buf_slice(&p->input), frame;
        bool is_complete = false;
        size_t wanted = 0;
        enum error e = frame_next(&rest, LIMIT_ADMIN_FRAME_BYTES, &frame, &is_complete, &wanted);
        if (e != ERROR_NONE) {
            peer_refuse(p, e, "the request is too large or damaged", true);
            break;
        }
        if (!is_complete)
            break;
        size_t used = p->input.len - rest.len;
        struct buf taken = p->input; /* the frame stays in place while the command runs */
        buf_init(&p->input, LIMIT_ADMIN_FRAME_BYTES + (size_t)READ_BYTES);
        if (buf_append(&p->input, taken.data + used, taken.len - used) != ERROR_NONE)
            peer_close(p);
        else
            run(p, frame);
        buf_fini(&taken);
    }
    p->is_serving = false;
    update_reading(p);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    struct peer *p = h->data;
    *out = uv_buf_init(p->admin->read_space, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct peer *p = stream->data;
    if (n == 0 || p->is_closing)
        return;
    if (n < 0 || buf_append(&p->input, b->base, (size_t)n) != ERROR_NONE) {
        peer_close(p);
        return;
    }
    (void)uv_timer_again(&p->idle); /* it has a repeat value */
    serve(p);
}

static void on_idle(uv_timer_t *t)
{
    struct peer *p = t->data;
    if (p->ticket == 0)
        peer_close(p);
}

/* ---- accepting ---- */

/* Who is at the other end, by the kernel's word. */
static enum error identify(struct peer *p)
{
    int fd = -1;
    struct ucred who;
    socklen_t len = sizeof who;
    if (uv_fileno((uv_handle_t *)&p->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return ERROR_IO;
    const struct passwd *user = getpwuid(who.uid);
    (void)snprintf(p->operator_name, sizeof p->operator_name, "%s",
                   user == NULL ? "" : user->pw_name);
    brug__v1__operator__init(&p->operator_);
    p->operator_.uid = who.uid;
    p->operator_.name = p->operator_name;
    bool may = who.uid == 0 || who.uid == geteuid() ||
               credentials_in_group(who.uid, who.gid, p->admin->options.group);
    return may ? ERROR_NONE : ERROR_PERMISSION;
}

static struct peer *peer_new(struct admin *a)
{
    struct peer *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->admin = a;
    buf_init(&p->input, LIMIT_ADMIN_FRAME_BYTES + (size_t)READ_BYTES);
    buf_init(&p->request, LIMIT_ADMIN_FRAME_BYTES);
    list_init(&p->link);
    list_append(&a->peers, &p->link);
    a->peer_count++;
    p->pipe.data = p->idle.data = p;
    int failed = uv_pipe_init(a->listener.loop, &p->pipe, 0);
    failed |= uv_timer_init(a->listener.loop, &p->idle);
    assert(!failed); /* both only set fields */
    p->open_handles = 2;
    return p;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct admin *a = listener->data;
    if (status < 0) {
        log_event(LOG_WARNING, "admin.accept", "error=%s", uv_err_name(status));
        return;
    }
    struct peer *p = peer_new(a);
    if (p == NULL)
        return; /* the connection waits in the backlog */
    if (uv_accept(listener, (uv_stream_t *)&p->pipe) != 0) {
        peer_close(p);
        return;
    }
    enum error e = identify(p);
    if (e != ERROR_NONE) {
        log_event(LOG_WARNING, "admin.refused", "code=%s uid=%u", error_name(e), p->operator_.uid);
        peer_refuse(p, e,
                    "brugctl must be run by root, the relay's user or a member of the admin group",
                    true);
        return;
    }
    if (a->peer_count > PEERS_MAX) {
        peer_refuse(p, ERROR_BUSY, "too many administrators are connected", true);
        return;
    }
    if (uv_timer_start(&p->idle, on_idle, IDLE_MS_MAX, IDLE_MS_MAX) != 0 ||
        uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read) != 0)
        peer_close(p);
}

/* A socket that nobody listens on may go; one that answers belongs to a running daemon. */
static enum error clear_stale(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return ERROR_BOUND;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path); /* length checked */
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? ERROR_NONE : ERROR_IO;
    if (!S_ISSOCK(st.st_mode))
        return ERROR_EXISTS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERROR_IO;
    bool is_stale =
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED;
    (void)close(fd); /* nothing was written */
    if (!is_stale)
        return ERROR_LOCKED;
    return unlink(path) == 0 ? ERROR_NONE : ERROR_IO;
}

static enum error listen_on(struct admin *a)
{
    if (a->options.fd >= 0)
        return uv_pipe_open(&a->listener, a->options.fd) == 0 ? ERROR_NONE : ERROR_IO;
    enum error e = clear_stale(a->options.path);
    if (e != ERROR_NONE)
        return e;
    if (uv_pipe_bind(&a->listener, a->options.path) != 0)
        return ERROR_IO;
    /* Who may connect is decided by credentials; the mode only keeps the crowd out. */
    return credentials_open_to(a->options.path, a->options.group);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct admin *a = h->data;
    a->is_listener_closed = true;
    free_if_done(a);
}

enum error admin_new(struct admin **out, uv_loop_t *loop, const struct admin_options *o)
{
    struct admin *a = calloc(1, sizeof *a);
    if (a == NULL)
        return ERROR_NO_MEMORY;
    a->options = *o;
    a->arena = arena_new();
    list_init(&a->peers);
    a->listener.data = a;
    if (a->arena == NULL || uv_pipe_init(loop, &a->listener, 0) != 0) {
        arena_free(a->arena);
        free(a);
        return ERROR_NO_MEMORY;
    }
    enum error e = listen_on(a);
    if (e == ERROR_NONE &&
        uv_listen((uv_stream_t *)&a->listener, (int)PEERS_MAX, on_connection) != 0)
        e = ERROR_IO;
    if (e != ERROR_NONE) {
        admin_free(a);
        return e;
    }
    *out = a;
    return ERROR_NONE;
}

void admin_free(struct admin *a)
{
    if (a == NULL || a->is_closing)
        return;
    a->is_closing = true;
    list_for_each (e, next, &a->peers)
        peer_close(container_of(e, struct peer, link));
    uv_close((uv_handle_t *)&a->listener, on_listener_closed);
}
