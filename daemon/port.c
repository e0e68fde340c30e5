/*
 * daemon/port.c: between the relay and its surroundings: each function passes one thing on. Log lines
 * carry ids, codes and addresses, never content.
 */
#include "base/log.h"
#include "daemon/daemon.h"
#include "proto/limits.h"
#include "rules/workdays.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANCHORS_MAX TRUST_ANCHORS_MAX
#define LINE_BYTES 512

_Static_assert(LIMIT_ANCHORS <= TRUST_ANCHORS_MAX, "all anchors of the directory have a place");

/* ---- the relay's port ---- */

static bool on_send(void *ctx, uint64_t session, const struct slice *parts, size_t n)
{
    return net_send(((struct daemon *)ctx)->net, session, parts, n);
}

static void on_close(void *ctx, uint64_t session, enum error code)
{
    net_close(((struct daemon *)ctx)->net, session);
}

static void on_welcomed(void *ctx, uint64_t session, size_t frame_bytes_max)
{
    net_set_frame_max(((struct daemon *)ctx)->net, session, frame_bytes_max);
}

static void on_pause(void *ctx, uint64_t session, bool is_paused)
{
    net_pause(((struct daemon *)ctx)->net, session, is_paused);
}

static void on_commit(void *ctx, struct group *g)
{
    struct daemon *d = ctx;
    d->committing_since_ms = clock_now().mono_ms;
    store_thread_commit(d->store, g);
}

static void on_load(void *ctx, struct load *l)
{
    store_thread_load(((struct daemon *)ctx)->store, l);
}

static void on_admin_answer(void *ctx, uint64_t ticket, const Brug__V1__AdminAnswer *a)
{
    admin_answer(((struct daemon *)ctx)->admin, ticket, a);
}

enum error daemon_reload_trust(struct daemon *d)
{
    struct slice anchors[ANCHORS_MAX], crls[TRUST_CRLS_MAX];
    struct id municipalities[ANCHORS_MAX];
    char *problem = NULL;
    size_t n = relay_anchors(d->relay, anchors, municipalities, ANCHORS_MAX);
    enum error e = tls_files_load_trust(d->tls, anchors, n, &problem);
    if (!e) {
        d->was_crl_stale = false;
        e = relay_set_crls(d->relay, crls, tls_files_crls(d->tls, crls, TRUST_CRLS_MAX));
    }
    if (e)
        log_event(LOG_ERROR, "trust.kept", "problem=\"%s\"", problem ? problem : error_text(e));
    else
        log_event(LOG_INFO, "trust.loaded", "anchors=%zu lists=%zu", n,
                  tls_files_crls(d->tls, crls, TRUST_CRLS_MAX));
    free(problem);
    return e;
}

static void on_anchors_changed(void *ctx)
{
    enum error e = daemon_reload_trust(ctx);
    (void)e; /* logged; the old trust stays */
}

/* A line of the log that grows field by field; what does not fit is cut. */
struct line {
    char text[LINE_BYTES];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
    va_list args;
    size_t room = sizeof l->text - l->len;
    va_start(args, format);
    int n = vsnprintf(l->text + l->len, room, format, args);
    va_end(args);
    if (n > 0)
        l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_id(struct line *l, const char *key, const struct id *id)
{
    char text[ID_TEXT_BYTES];
    if (!id_is_none(id))
        put(l, "%s=%s ", key, id_to_text(id, text));
}

static void put_days(struct line *l, const struct case_outage *days)
{
    char from[WORKDAYS_TEXT_BYTES], until[WORKDAYS_TEXT_BYTES];
    (void)workdays_to_text(days->from, from);
    (void)workdays_to_text(days->until, until);
    put(l, "from=%s until=%s ", from, until);
    put(l,
        "action=\"no record was made on these days: if the relay was away, say brugctl outage add "
        "%s "
        "%s today, and nothing is called overdue for it; see outage_wait_ms\" ",
        from, until);
}

static enum log_level level_of(const struct relay_event *e)
{
    if (strcmp(e->name, "message.quarantined") == 0 || strcmp(e->name, "message.unread") == 0)
        return LOG_ERROR;
    if (e->days.from > 0)
        return LOG_WARNING;
    return e->code ? LOG_NOTICE : LOG_INFO;
}

static void on_event(void *ctx, const struct relay_event *e)
{
    struct line l = {.len = 0};
    if (e->code)
        put(&l, "code=%s ", error_name(e->code));
    if (e->field)
        put(&l, "field=%s ", e->field);
    if (e->session)
        put(&l, "session=%" PRIu64 " ", e->session);
    put_id(&l, "organisation", &e->organisation);
    put_id(&l, "endpoint", &e->endpoint);
    put_id(&l, "message", &e->message_id);
    put_id(&l, "case", &e->case_id);
    if (e->days.from > 0)
        put_days(&l, &e->days);
    if (l.len > 0)
        l.text[l.len - 1] = '\0'; /* the last space */
    log_event(level_of(e), e->name, "%s", l.text);
}

const struct relay_port daemon_relay_port = {
    .send = on_send,
    .close = on_close,
    .welcomed = on_welcomed,
    .pause = on_pause,
    .commit = on_commit,
    .load = on_load,
    .admin_answer = on_admin_answer,
    .anchors_changed = on_anchors_changed,
    .event = on_event,
};

/* ---- net's events ---- */

static void on_connected(void *ctx, uint64_t session, const struct net_peer *peer)
{
    struct daemon *d = ctx;
    const struct relay_peer p = {peer->key, peer->anchor, peer->not_after_ms};
    log_event(LOG_INFO, "connection.opened", "session=%" PRIu64 " address=%s", session,
              peer->address);
    relay_on_connect(d->relay, session, &p, clock_now());
}

static void on_frame(void *ctx, uint64_t session, struct slice frame)
{
    relay_on_frame(((struct daemon *)ctx)->relay, session, frame, clock_now());
}

static void on_drained(void *ctx, uint64_t session)
{
    relay_on_drained(((struct daemon *)ctx)->relay, session, clock_now());
}

static void on_limit(void *ctx, uint64_t session, enum error code)
{
    log_event(LOG_NOTICE, "connection.limit", "code=%s session=%" PRIu64, error_name(code),
              session);
    relay_refuse(((struct daemon *)ctx)->relay, session, code);
}

static void on_closed(void *ctx, uint64_t session, enum error code, bool was_connected,
                      const char *address)
{
    struct daemon *d = ctx;
    log_event(was_connected ? LOG_INFO : LOG_NOTICE,
              was_connected ? "connection.closed" : "connection.refused",
              "code=%s session=%" PRIu64 " address=%s", error_name(code), session, address);
    if (code && error_is_on_wire((int)code))
        relay_count_refusal(d->relay, code);
    if (was_connected)
        relay_on_disconnect(d->relay, session);
}

const struct net_events daemon_net_events = {
    .on_connected = on_connected,
    .on_frame = on_frame,
    .on_drained = on_drained,
    .on_limit = on_limit,
    .on_closed = on_closed,
    .on_wake_end = daemon_end_wake_up,
};
