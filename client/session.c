/*
 * client/session.c: the connection's life, and the calls that drive it.
 *
 *     AWAY --time--> LINKING --TLS--> GREETING --Welcome--> UP
 *       ^----------------- a loss, GoAway, a refusal --------'
 *
 * Happy path of a step: what the relay sent is read; its frames are judged and stored in one transaction; after the
 * commit, what is due in the store is framed and written. So nothing is acknowledged that is not on disk.
 * Failures: whatever ends the session is remembered with its code, and the next try comes after a pause that doubles
 * from 1 s to 5 min with chance in it [P-28]; after a final code once an hour. Failures of the store end the session too
 * and are returned.
 * Invariant: no answer's change survives a failed commit, because the session that it came in does not.
 */
#include "client/session_inside.h"

#include "base/clock.h"
#include "client/casefile.h"
#include "client/home.h"
#include "client/inbox.h"
#include "client/outbox.h"
#include "pki/tls.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define SESSION_LINK_MS 30000
#define SESSION_RETRY_MS_MIN 1000
#define SESSION_RETRY_MS_MAX (5 * 60 * 1000)
#define SESSION_RETRY_LASTING_MS (3600 * 1000)
#define SESSION_REPLACED_MS 60000 /* two clients of one endpoint must not chase each other */
#define SESSION_READ_BYTES (64u << 10)
#define SESSION_STEP_BYTES (2u << 20) /* read in one step at most, so that a step stays short */
#define SESSION_SILENCE_MS 60000      /* a Ping without any answer for so long: the link is dead */
#define SESSION_LOOK_MS 30000         /* how often the store is looked at without being told */
#define SESSION_MORE_MS 150           /* after a Pong that something more waits: asked again */
#define SESSION_CRL_LOOK_MS (3600ll * 1000)
#define SESSION_CRL_EARLY_MS (24ll * 3600 * 1000)
#define SESSION_CREDIT_MESSAGES 1000u
#define SESSION_CREDIT_BYTES (16u << 20)
#define SESSION_POLL_MS 100 /* brug_wait without the connection looks into the store */

static int64_t mono_ms(void) { return clock_now().mono_ms; }

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t wall_ms_cb(void *ctx) { return client_now_ms(ctx); }

void session_mark(struct session *s) { s->is_dirty = true; }

/* ---- the wake pipe: a fifo in the profile, so that another command can wake the owner ---- */

static int open_wake(const struct brug *b, int flags)
{
    char *path = home_path(b, "wake");
    int fd = -1;
    if (path && (mkfifo(path, 0600) == 0 || errno == EEXIST))
        fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    return fd;
}

void client_wake(struct brug *b)
{
    if (b->session) {
        session_mark(b->session);
        return;
    }
    int fd = open_wake(b, O_WRONLY); /* fails when nobody reads: then nobody needs waking */
    if (fd < 0)
        return;
    (void)!write(fd, "", 1); /* a full pipe wakes as well */
    (void)close(fd);         /* nothing is buffered */
}

static void drain_wake(struct session *s)
{
    char bytes[64];
    while (s->wake_fd >= 0 && read(s->wake_fd, bytes, sizeof bytes) > 0)
        s->is_dirty = true;
    int64_t version = db_data_version(s->b->db);
    s->is_dirty = s->is_dirty || version != s->data_version;
    if (version != s->data_version)
        familykey_mark(s); /* another process may have confirmed a colleague */
    s->data_version = version;
}

/* ---- beginning and ending ---- */

enum error session_relay(struct brug *b, char *host, size_t host_len, int64_t *port)
{
    enum error e = store_get_text(b->db, "relay_host", host, host_len);
    if (e == ERROR_NONE && !*host)
        e = store_get_text(b->db, "answer_host", host, host_len);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "answer_port", 0, port);
    return e == ERROR_NONE ? store_get_int(b->db, "relay_port", *port, port) : e;
}

static enum error make_context(struct session *s)
{
    const struct tls_policy policy = {
        .key = s->b->keys.identity_key,
        .chain = buf_slice(&s->b->chain),
        .trust = &s->b->relay,
        .now_ms = wall_ms_cb,
        .now_ctx = s->b,
    };
    return tls_context_new(&s->context, &policy);
}

void session_close(struct session **s)
{
    if (!*s)
        return;
    link_free((*s)->link);
    tls_context_free((*s)->context);
    arena_free((*s)->arena);
    buf_fini(&(*s)->in);
    buf_fini(&(*s)->out);
    if ((*s)->wake_fd >= 0)
        (void)close((*s)->wake_fd); /* leaves the epoll by itself */
    free(*s);
    *s = NULL;
}

static enum error open_session(struct brug *b, struct session **out)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return ERROR_NO_MEMORY;
    struct epoll_event event = {.events = EPOLLIN};
    s->b = b;
    s->wake_fd = -1;
    s->is_dirty = true;
    s->frame_bytes_max = LIMIT_FRAME_BYTES_BEFORE_WELCOME;
    buf_init(&s->in, LIMIT_MESSAGE_BYTES_MAX + 65536u);
    buf_init(&s->out, 2 * LIMIT_MESSAGE_BYTES_MAX);
    s->arena = arena_new();
    s->link = link_new(b->fd);
    enum error e = s->arena && s->link ? make_context(s) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE) {
        s->wake_fd = open_wake(b, O_RDWR);
        if (s->wake_fd < 0 || epoll_ctl(b->fd, EPOLL_CTL_ADD, s->wake_fd, &event) != 0)
            e = ERROR_IO;
    }
    if (e != ERROR_NONE)
        session_close(&s);
    else
        *out = s;
    return e;
}

int brug_start(struct brug *b)
{
    if (b->session)
        return BRUG_OK;
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE && b->self.is_recovery)
        e = client_fail(b, ERROR_ROLE_NOT_ALLOWED, "a recovery profile never connects");
    if (e == ERROR_NONE)
        e = home_lock(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = client_failed(b, open_session(b, &b->session));
    if (e == ERROR_NONE)
        e = client_failed(b, outbox_retry_waiting(b));
    if (e != ERROR_NONE)
        brug_stop(b);
    return (int)e;
}

void brug_stop(struct brug *b)
{
    session_close(&b->session);
    home_unlock(b);
}

static int64_t retry_ms(const struct session *s)
{
    uint32_t random = 0;
    int64_t ms = SESSION_RETRY_MS_MIN;
    for (unsigned i = 1; i < s->failures && ms < SESSION_RETRY_MS_MAX; i++)
        ms *= 2;
    ms = ms < SESSION_RETRY_MS_MAX ? ms : SESSION_RETRY_MS_MAX;
    if (client_random(&random, sizeof random) != ERROR_NONE)
        random = 0;
    return ms / 2 + (int64_t)(random % (uint32_t)ms);
}

static void remember_loss(struct session *s, enum error code)
{
    struct db *db = s->b->db;
    enum error e = db_begin(db);
    if (e == ERROR_NONE) {
        e = store_put_int(db, "last_error", (int64_t)code);
        if (e == ERROR_NONE)
            e = store_put_int(db, "last_at_ms", s->last_at_ms);
        e = db_end(db, e);
    }
    (void)client_failed(s->b, e); /* only shown by other processes; the loss itself is handled */
}

void session_forget_all(struct session *s)
{
    s->has_all = false;
    s->asked_more_ms = 0;
}

/* Ends the session; `wait_ms` at least until the next try. */
static void lose(struct session *s, enum error code, int64_t wait_ms)
{
    bool was_up = s->phase == SESSION_UP;
    s->phase = SESSION_AWAY;
    s->request_count = 0;
    s->fetch.is_active = s->fetch.is_blocked = s->listing.is_active = false;
    session_forget_all(s);
    memset(s->put_off_ms, 0, sizeof s->put_off_ms);
    buf_clear(&s->in);
    buf_clear(&s->out);
    s->failures++;
    s->is_hopeless = !error_is_passing(code) && code != ERROR_IO;
    s->last_error = (int)code;
    s->is_about_us = link_was_refused(s->link);
    link_close(s->link);
    s->last_at_ms = client_now_ms(s->b);
    int64_t ms = s->is_hopeless ? SESSION_RETRY_LASTING_MS : retry_ms(s);
    if (code == ERROR_SESSION_REPLACED)
        ms = SESSION_REPLACED_MS + ms;
    wait_ms = wait_ms < SESSION_RETRY_LASTING_MS ? wait_ms : SESSION_RETRY_LASTING_MS;
    s->next_try_ms = mono_ms() + (ms > wait_ms ? ms : wait_ms);
    remember_loss(s, code);
    if (was_up || s->failures == 1 || s->is_hopeless)
        client_event(s->b, BRUG_EVENT_DISCONNECTED, (int)code, 0, NULL);
}

/* ---- greeting ---- */

static enum error say_hello(struct session *s)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Hello hello = BRUG__V1__HELLO__INIT;
    char software[] = "brug " BRUG_VERSION;
    hello.protocol_min = hello.protocol_max = LIMIT_PROTOCOL;
    hello.software = software;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_HELLO;
    f.hello = &hello;
    s->phase = SESSION_GREETING;
    s->frame_bytes_max = LIMIT_FRAME_BYTES_BEFORE_WELCOME;
    s->requests_max = SESSION_REQUESTS_MAX;
    s->request_count = 0;
    buf_clear(&s->in);
    buf_clear(&s->out);
    return session_ask(s, &f, REQUEST_HELLO, 0, NULL);
}

static uint64_t at_most(uint64_t v, uint64_t max) { return v < max ? v : max; }

static enum error subscribe(struct session *s, const Brug__V1__Limits *limits)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Subscribe subscribe = BRUG__V1__SUBSCRIBE__INIT;
    uint64_t bytes = 2ull * limits->message_bytes_max; /* less would starve a large one [P-68] */
    bytes = bytes > SESSION_CREDIT_BYTES ? bytes : SESSION_CREDIT_BYTES;
    subscribe.messages = (uint32_t)at_most(SESSION_CREDIT_MESSAGES, limits->credit_messages_max);
    subscribe.bytes = at_most(bytes, limits->credit_bytes_max);
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBSCRIBE;
    f.subscribe = &subscribe;
    f.request = ++s->request_last; /* answered only when it is refused */
    s->credit_messages = 0;
    s->credit_bytes = 0;
    return frame_append(&s->out, &f.base);
}

static enum error note_generation(struct session *s, const Brug__V1__Welcome *w)
{
    struct db *db = s->b->db;
    struct buf before;
    buf_init(&before, 64);
    enum error e = store_get(db, "generation", &before);
    bool is_first = e == ERROR_NOT_FOUND;
    bool is_same = e == ERROR_NONE && slice_equal(buf_slice(&before), check_slice(w->generation));
    buf_fini(&before);
    if (e != ERROR_NONE && !is_first)
        return e;
    if (is_same)
        return ERROR_NONE;
    e = store_put(db, "generation", check_slice(w->generation));
    if (e == ERROR_NONE && !is_first && w->complete_until_ms > 0)
        e = outbox_send_again(s->b, w->complete_until_ms);
    return e;
}

static enum error store_welcome(struct session *s, const Brug__V1__Welcome *w)
{
    struct db *db = s->b->db;
    enum error e = note_generation(s, w);
    if (e == ERROR_NONE)
        e = store_put_int(db, "role", w->role);
    if (e == ERROR_NONE)
        e = store_put_int(db, "message_bytes_max", w->limits->message_bytes_max);
    if (e == ERROR_NONE)
        e = store_put_int(db, "server_ahead_ms", s->server_ahead_ms);
    if (e == ERROR_NONE)
        e = store_put_int(db, "welcome_at_ms", client_now_ms(s->b));
    if (e == ERROR_NONE)
        e = store_put_int(db, "last_error", 0);
    if (e == ERROR_NONE)
        e = fetch_on_welcome(s, w);
    return e == ERROR_NONE ? inbox_judge_waiting(s->b, false)
                           : e; /* the clock may be right by now */
}

static enum error on_welcome(struct session *s, const Brug__V1__Welcome *w)
{
    const struct client_identity *self = &s->b->self;
    const Brug__V1__Limits *limits = w->limits;
    if (w->protocol != LIMIT_PROTOCOL)
        return ERROR_UPDATE_CLIENT;
    if (!client_field_is(w->organisation, &self->organisation) ||
        !client_field_is(w->endpoint, &self->endpoint) ||
        !client_field_is(w->person, &self->person))
        return ERROR_SENDER_MISMATCH;
    if (limits->frame_bytes_max < LIMIT_FRAME_BYTES_BEFORE_WELCOME ||
        limits->frame_bytes_max > LIMIT_MESSAGE_BYTES_MAX + LIMIT_FRAME_OVERHEAD_BYTES)
        return ERROR_FRAME_MALFORMED;
    s->frame_bytes_max = limits->frame_bytes_max;
    s->idle_ms_max = limits->idle_ms_max;
    s->requests_max = at_most(limits->requests_max, SESSION_REQUESTS_MAX);
    s->server_ahead_ms = w->server_time_ms - client_now_ms(s->b);
    s->b->self.role = (int)w->role;
    s->request_count = 0;
    s->phase = SESSION_UP;
    s->failures = 0;
    s->is_hopeless = false;
    s->is_dirty = true;
    familykey_on_welcome(s, w);
    enum error e = store_welcome(s, w);
    if (e == ERROR_NONE && roles_may(w->role, OPERATION_SUBSCRIBE) != SCOPE_NONE)
        e = subscribe(s, limits);
    if (e == ERROR_NONE)
        client_event(s->b, BRUG_EVENT_CONNECTED, 0, 0, NULL);
    return e;
}

/* ---- reading ---- */

struct ending {
    enum error code; /* ERROR_NONE: goes on */
    int64_t wait_ms;
};

static enum error on_frame(struct session *s, const Brug__V1__ServerFrame *f, struct ending *ending)
{
    if (f->frame_case == BRUG__V1__SERVER_FRAME__FRAME_GO_AWAY) {
        enum error code = (enum error)f->go_away->code;
        ending->code = code == ERROR_NONE ? ERROR_SHUTTING_DOWN : code;
        ending->wait_ms = f->go_away->retry_after_ms;
        return ERROR_NONE;
    }
    if (s->phase == SESSION_UP)
        return session_on_frame(s, f);
    if (f->frame_case == BRUG__V1__SERVER_FRAME__FRAME_WELCOME)
        return on_welcome(s, f->welcome);
    return f->frame_case == BRUG__V1__SERVER_FRAME__FRAME__NOT_SET ? ERROR_NONE
                                                                   : ERROR_FRAME_MALFORMED;
}

static enum error read_frame(struct session *s, struct slice bytes, struct ending *ending)
{
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    arena_reset(s->arena, frame_budget(bytes.len));
    enum error e = frame_decode(s->arena, &brug__v1__server_frame__descriptor, bytes, &m);
    if (e == ERROR_NONE)
        e = check_server_frame((const Brug__V1__ServerFrame *)m, &field);
    return e == ERROR_NONE ? on_frame(s, (const Brug__V1__ServerFrame *)m, ending) : e;
}

/* All whole frames that were read, in one transaction; what is not kept of them is not told either. */
static enum error read_frames(struct session *s, struct ending *ending)
{
    struct slice in = buf_slice(&s->in);
    struct slice frame = SLICE_NONE;
    bool complete = true;
    size_t wanted = 0;
    enum error e = frame_next(&in, s->frame_bytes_max, &frame, &complete, &wanted);
    if (e != ERROR_NONE || !complete)
        return e;
    struct client_events before = client_events_mark(s->b);
    e = db_begin(s->b->db);
    if (e != ERROR_NONE)
        return e;
    while (e == ERROR_NONE && complete && ending->code == ERROR_NONE) {
        e = read_frame(s, frame, ending);
        if (e == ERROR_NONE && ending->code == ERROR_NONE)
            e = frame_next(&in, s->frame_bytes_max, &frame, &complete, &wanted);
    }
    e = db_end(s->b->db, e);
    if (e != ERROR_NONE) {
        client_events_drop_since(s->b, before);
        s->is_trust_ahead = true;
    }
    buf_consume(&s->in, s->in.len - in.len);
    return e;
}

static enum error read_some(struct session *s, struct ending *ending)
{
    size_t total = 0;
    bool is_ended = false;
    s->has_more = true;
    while (total < SESSION_STEP_BYTES && ending->code == ERROR_NONE) {
        size_t got = 0;
        enum error e = link_read(s->link, &s->in, SESSION_READ_BYTES, &got, &is_ended);
        if (e == ERROR_NONE && is_ended && got == 0)
            ending->code = s->in.len > 0 ? ERROR_FRAME_TRUNCATED : ERROR_IO;
        s->has_more = e == ERROR_NONE && got > 0;
        if (!s->has_more)
            return e;
        total += got;
        s->heard_at_ms = mono_ms();
        e = read_frames(s, ending);
        if (e != ERROR_NONE)
            return e;
    }
    return ERROR_NONE;
}

/* ---- stepping ---- */

/* ERROR_IO may be the network's, which mends by itself, or the disk's: then the store has had a failure. */
static bool is_of_store(const struct brug *b, enum error e, uint64_t failures_before)
{
    return e == ERROR_NO_MEMORY || e == ERROR_CORRUPT || e == ERROR_LOCKED ||
           e == ERROR_STORE_FORMAT || e == ERROR_PERMISSION ||
           (e == ERROR_IO && db_failures(b->db) > failures_before);
}

static enum error begin_link(struct session *s)
{
    char host[256];
    int64_t port = 0;
    enum error e = session_relay(s->b, host, sizeof host, &port);
    if (e != ERROR_NONE)
        return e;
    s->phase = SESSION_LINKING;
    s->deadline_ms = mono_ms() + SESSION_LINK_MS;
    return link_open(s->link, s->context, host, (unsigned)port);
}

static enum error keep_alive(struct session *s)
{
    int64_t now = mono_ms();
    if (session_is_asked(s, REQUEST_PING, 0)) {
        if (now - s->sent_at_ms > SESSION_SILENCE_MS && now - s->heard_at_ms > SESSION_SILENCE_MS)
            return ERROR_IDLE_TIMEOUT;
        return ERROR_NONE;
    }
    if (s->idle_ms_max > 0 && now - s->sent_at_ms > (int64_t)s->idle_ms_max / 2 &&
        s->request_count < s->requests_max)
        return session_ping(s);
    return ERROR_NONE;
}

/* Lists that soon run out are fetched in time; there is no epoch that tells of new ones. */
static enum error look_after_crls(struct session *s)
{
    int64_t now = mono_ms();
    if (s->crl_looked_at_ms != 0 && now - s->crl_looked_at_ms < SESSION_CRL_LOOK_MS)
        return ERROR_NONE;
    s->crl_looked_at_ms = now;
    if (trust_crl_until_ms(s->b->people) - SESSION_CRL_EARLY_MS > client_now_ms(s->b))
        return ERROR_NONE;
    s->is_dirty = true;
    return db_run(s->b->db, "UPDATE municipality SET wanted = 1", NULL, 0);
}

static enum error send_due(struct session *s)
{
    enum error e = look_after_crls(s);
    if (e == ERROR_NONE && (s->is_dirty || client_now_ms(s->b) >= s->outbox_due_ms ||
                            mono_ms() >= earlier(familykey_due_ms(s), session_put_off_ms(s)))) {
        e = session_pump(s);
        if (e == ERROR_NONE)
            e = outbox_due_ms(s->b, &s->outbox_due_ms);
    }
    return e == ERROR_NONE ? keep_alive(s) : e;
}

static enum error write_out(struct session *s)
{
    size_t before = s->out.len;
    enum error e = before > 0 ? link_write(s->link, &s->out) : ERROR_NONE;
    if (s->out.len < before)
        s->sent_at_ms = mono_ms();
    return e;
}

static enum error step_open(struct session *s, struct ending *ending)
{
    enum error e = ERROR_NONE;
    if (s->phase == SESSION_LINKING) {
        s->heard_at_ms = s->sent_at_ms = mono_ms();
        e = say_hello(s);
    }
    if (e == ERROR_NONE)
        e = read_some(s, ending);
    if (e == ERROR_NONE && ending->code == ERROR_NONE && s->phase == SESSION_UP)
        e = send_due(s);
    if (e == ERROR_NONE && ending->code == ERROR_NONE)
        e = write_out(s);
    return e;
}

static enum error step_once(struct session *s, struct ending *ending)
{
    if (s->phase == SESSION_AWAY)
        return mono_ms() >= s->next_try_ms ? begin_link(s) : ERROR_NONE;
    if (s->phase != SESSION_UP && mono_ms() >= s->deadline_ms)
        return ERROR_IO;
    if (link_state(s->link) != LINK_OPEN) {
        enum error e = link_advance(s->link);
        if (e != ERROR_NONE || link_state(s->link) != LINK_OPEN)
            return e;
    }
    return step_open(s, ending);
}

int brug_step(struct brug *b)
{
    struct session *s = b->session;
    struct ending ending = {.code = ERROR_NONE};
    if (!s)
        return (int)client_fail(b, ERROR_LOCKED, "this handle does not have the connection");
    drain_wake(s);
    uint64_t failures = db_failures(b->db);
    enum error e = step_once(s, &ending);
    bool is_ours = is_of_store(b, e, failures);
    if (e == ERROR_NONE && ending.code != ERROR_NONE)
        lose(s, ending.code, ending.wait_ms);
    else if (e != ERROR_NONE)
        lose(s, e, 0);
    s->data_version = db_data_version(b->db);
    return is_ours ? (int)client_failed(b, e) : BRUG_OK;
}

/* ---- what the caller waits for ---- */

int brug_fd(const struct brug *b) { return b->fd; }

static int64_t next_due_mono_ms(const struct session *s)
{
    int64_t now = mono_ms();
    int64_t due = now + SESSION_LOOK_MS;
    if (s->phase == SESSION_AWAY)
        return s->next_try_ms;
    if (s->phase != SESSION_UP)
        return s->deadline_ms;
    if (s->has_more || (s->is_dirty && session_has_room(s)))
        return now;
    if (s->idle_ms_max > 0)
        due = earlier(due, s->sent_at_ms + (int64_t)s->idle_ms_max / 2);
    if (s->outbox_due_ms != OUTBOX_NEVER)
        due = earlier(due, now + (s->outbox_due_ms - client_now_ms(s->b)));
    due = earlier(due, session_put_off_ms(s));
    return earlier(due, familykey_due_ms(s));
}

int brug_timeout_ms(const struct brug *b)
{
    if (!b->session)
        return -1;
    int64_t wait = next_due_mono_ms(b->session) - mono_ms();
    if (wait > SESSION_LOOK_MS)
        wait = SESSION_LOOK_MS;
    return wait > 0 ? (int)wait : 0;
}

int brug_connection(struct brug *b, struct brug_connection *out)
{
    struct brug_connection c = {.is_owner = b->session != NULL};
    int64_t last_error = 0;
    int64_t ahead = 0;
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "welcome_at_ms", 0, &c.welcome_at_ms);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "last_error", 0, &last_error);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "last_at_ms", 0, &c.last_at_ms);
    if (e == ERROR_NONE)
        e = store_get_int(b->db, "server_ahead_ms", 0, &ahead);
    if (e != ERROR_NONE)
        return (int)client_failed(b, e);
    c.last_error = (int)last_error;
    c.clock_ahead_ms = -ahead;
    if (b->session) {
        const struct session *s = b->session;
        c.is_connected = s->phase == SESSION_UP;
        c.is_hopeless = s->is_hopeless;
        c.last_error = s->last_error;
        c.is_about_us = s->is_about_us;
        if (s->phase == SESSION_AWAY)
            c.next_try_at_ms = client_now_ms(b) + (s->next_try_ms - mono_ms());
    }
    *out = c;
    return BRUG_OK;
}

/* ---- waiting ---- */

static enum error has_rows(struct brug *b, const char *sql, bool *out)
{
    struct db_cursor c;
    enum error e = db_select(b->db, &c, sql, NULL, 0);
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    e = db_done(&c);
    if (e == ERROR_NONE)
        *out = found;
    return e;
}

/* A letter that waits for a directory which is being fetched may go as soon as it is here. */
static enum error waits_for_fetch(struct brug *b, bool *out)
{
    bool wanted = false;
    bool waits = false;
    enum error e = fetch_is_wanted(b, &wanted);
    if (e == ERROR_NONE && wanted && !(b->session && b->session->fetch.is_blocked))
        e = has_rows(b, "SELECT 1 FROM message WHERE is_sent = 1 AND state = 16 LIMIT 1", &waits);
    if (e == ERROR_NONE)
        *out = waits;
    return e;
}

static enum error is_sent(struct brug *b, bool *out)
{
    bool busy = true;
    enum error e = outbox_is_busy(b, &busy);
    if (e == ERROR_NONE && !busy)
        e = waits_for_fetch(b, &busy);
    if (e == ERROR_NONE)
        *out = !busy;
    return e;
}

/* All that waited for us is here: a Pong said so. */
static enum error has_all(struct session *s, bool *out)
{
    int64_t now = mono_ms();
    *out = false;
    if (s->phase != SESSION_UP || s->is_dirty || s->request_count > 0 || s->out.len > 0)
        return ERROR_NONE;
    if (s->has_all) {
        s->is_dirty = familykey_due_ms(s) <= now;
        *out = !s->is_dirty;
        return ERROR_NONE;
    }
    if (s->asked_more_ms > 0 && now - s->asked_more_ms < SESSION_MORE_MS)
        return ERROR_NONE;
    if (!session_may_ask(s, REQUEST_PING))
        return ERROR_NONE;
    s->asked_more_ms = now;
    enum error e = session_ping(s);
    return e == ERROR_NONE ? write_out(s) : e;
}

static enum error is_synced(struct brug *b, bool *out)
{
    bool sent = false;
    bool wanted = true;
    bool due = true;
    bool asks = true;
    *out = false;
    enum error e = is_sent(b, &sent);
    if (e == ERROR_NONE)
        e = fetch_is_wanted(b, &wanted);
    if (e == ERROR_NONE)
        e = has_rows(b, "SELECT 1 FROM message WHERE ack = 1 OR opened = 1 LIMIT 1", &due);
    if (e == ERROR_NONE)
        e = casefile_is_wanted(b, &asks);
    if (e != ERROR_NONE || !sent || due || asks)
        return e;
    if (!b->session) {
        *out = !wanted;
        return ERROR_NONE;
    }
    if (wanted && !b->session->fetch.is_blocked)
        return ERROR_NONE;
    return has_all(b->session, out);
}

static enum error is_reached(struct brug *b, enum brug_until until, bool *out)
{
    const struct session *s = b->session;
    bool waits = true;
    enum error e = ERROR_NONE;
    *out = false;
    switch (until) {
    case BRUG_UNTIL_CONNECTED:
        *out = s && s->phase == SESSION_UP;
        return ERROR_NONE;
    case BRUG_UNTIL_SENT:
        return is_sent(b, out);
    case BRUG_UNTIL_SYNCED:
        return is_synced(b, out);
    case BRUG_UNTIL_NEW:
        *out = b->event_count > 0;
        return ERROR_NONE;
    case BRUG_UNTIL_TRACKED:
        e = has_rows(b, "SELECT 1 FROM message WHERE track = 1 LIMIT 1", &waits);
        *out = !waits;
        return e;
    case BRUG_UNTIL_CASES:
        e = casefile_is_wanted(b, &waits);
        *out = !waits;
        return e;
    case BRUG_UNTIL_FIGURES:
        e = figures_are_wanted(b, &waits);
        *out = !waits;
        return e;
    default:
        return ERROR_NONE;
    }
}

static enum error wait_a_while(struct brug *b, int64_t until_ms)
{
    struct pollfd p = {.fd = b->fd, .events = POLLIN};
    int64_t wait = until_ms - mono_ms();
    int64_t most = b->session ? brug_timeout_ms(b) : SESSION_POLL_MS;
    if (b->session && b->session->asked_more_ms > 0 && !b->session->has_all &&
        most > SESSION_MORE_MS)
        most = SESSION_MORE_MS;
    wait = wait < most ? wait : most;
    if (poll(&p, b->session ? 1 : 0, wait > 0 ? (int)wait : 0) < 0 && errno != EINTR)
        return ERROR_IO;
    return b->session ? (enum error)brug_step(b) : ERROR_NONE;
}

int brug_wait(struct brug *b, enum brug_until until, int timeout_ms, bool *reached)
{
    int64_t end = timeout_ms < 0 ? INT64_MAX / 2 : mono_ms() + timeout_ms;
    bool is_there = false;
    enum error e = client_need_ready(b);
    if (b->session && timeout_ms != 0)
        session_forget_all(b->session); /* what was all once may not be so now */
    while (e == ERROR_NONE) {
        e = client_failed(b, is_reached(b, until, &is_there));
        if (e != ERROR_NONE || is_there || mono_ms() >= end)
            break;
        if (b->session && b->session->is_hopeless && b->session->phase == SESSION_AWAY)
            break;
        e = wait_a_while(b, end);
    }
    if (e == ERROR_NONE && reached)
        *reached = is_there;
    return (int)e;
}
