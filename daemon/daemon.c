/*
 * daemon/daemon.c: starting, running, draining and ending; see daemon.h.
 *
 * A drain: no new connections, every session hears GoAway when nothing of it is under way, and the loop
 * ends when the connections are gone or DRAIN_LINGER_MS after, at the latest after drain_ms_max.
 */
#include "daemon/daemon.h"
#include "base/log.h"
#include "proto/limits.h"
#include <assert.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SECOND_MS 1000
#define DRAIN_LINGER_MS 1000
#define COMMIT_MS_MAX 10000 /* a disk that takes longer gets no sign of life for the watchdog */
#define ADDRESS_BYTES 80

/* ---- a wake-up ---- */

static void stop(struct daemon *d, int status);

static void check_drained(struct daemon *d)
{
    int64_t now_ms = clock_now().mono_ms;
    if (!d->is_draining || d->is_stopping)
        return;
    bool is_idle = relay_is_idle(d->relay);
    if (is_idle && d->drained_at_ms == 0)
        d->drained_at_ms = now_ms;
    if (is_idle &&
        (net_connection_count(d->net) == 0 || now_ms - d->drained_at_ms >= DRAIN_LINGER_MS))
        stop(d, EX_OK);
    else if (now_ms >= d->drain_due_ms) /* what has no answer yet is sent again by its client */
        stop(d, is_idle ? EX_OK : EX_TEMPFAIL);
}

void daemon_end_wake_up(void *ctx)
{
    struct daemon *d = ctx;
    if (d->is_stopping)
        return;
    relay_flush(d->relay, clock_now());
    net_flush(d->net);
    check_drained(d);
}

/* Nothing may leave any more; what was receipted is on disk. */
__attribute__((noreturn)) static void fail(enum error code, const char *problem)
{
    log_event(LOG_ERROR, "store.failed", "code=%s problem=\"%s\"", error_name(code),
              problem ? problem : error_text(code));
    _exit(EX_IOERR);
}

static void take_figures(struct daemon *d, const struct store_results *r)
{
    relay_set_room(d->relay, r->has_room);
    relay_set_folded(d->relay, r->folded_lsn);
    if (r->is_behind != d->is_behind) {
        d->is_behind = r->is_behind;
        relay_set_fold_behind(d->relay, r->is_behind);
    }
    d->folded_lsn = r->folded_lsn;
    d->free_bytes = r->free_bytes;
    d->needed_bytes = r->needed_bytes;
}

static void collect(struct daemon *d)
{
    struct store_results r;
    do {
        store_thread_collect(d->store, &r);
        if (r.failed)
            fail(r.failed, r.problem);
        take_figures(d, &r);
        if (r.group) {
            d->committing_since_ms = 0;
            relay_on_durable(d->relay, r.durable_lsn, clock_now());
            group_free(r.group);
        }
        if (r.account)
            daemon_end_account(d, r.account, r.account_failed);
        for (size_t i = 0; i < r.load_count; i++)
            if (r.loads[i]->type == LOAD_RECOVERED)
                daemon_end_recovery(d, r.loads[i]);
            else
                relay_on_loaded(d->relay, r.loads[i], clock_now());
    } while (r.load_count == sizeof r.loads / sizeof r.loads[0]);
}

static void on_stored(uv_async_t *a)
{
    struct daemon *d = a->data;
    if (d->is_stopping)
        return;
    collect(d);
    daemon_end_wake_up(d);
}

/* On the storage thread. */
static void on_store_wake(void *ctx)
{
    (void)uv_async_send(&((struct daemon *)ctx)->stored); /* fails for no open handle */
}

/* ---- each second ---- */

static void warn_of_stale_crls(struct daemon *d, int64_t now_ms)
{
    bool is_stale = tls_files_crl_until_ms(d->tls) <= now_ms;
    if (is_stale && !d->was_crl_stale)
        log_event(
            LOG_WARNING, "trust.stale",
            "action=\"a revocation list has ended: bring a new one to crl_directory and reload\"");
    d->was_crl_stale = is_stale;
}

static void on_second(uv_timer_t *t)
{
    struct daemon *d = t->data;
    struct instant now = clock_now();
    collect(d);
    if (relay_next_deadline_ms(d->relay) <= now.wall_ms)
        relay_on_time(d->relay, now);
    warn_of_stale_crls(d, now.wall_ms);
    if (d->committing_since_ms == 0 || now.mono_ms - d->committing_since_ms < COMMIT_MS_MAX)
        notify_alive();
    daemon_end_wake_up(d);
}

/* ---- signals ---- */

static void drain(struct daemon *d)
{
    struct instant now = clock_now();
    d->is_draining = true;
    d->drain_due_ms = now.mono_ms + config_number(d->config, "drain_ms_max");
    notify_stopping();
    log_event(LOG_NOTICE, "daemon.draining", "connections=%zu", net_connection_count(d->net));
    net_stop_listening(d->net);
    relay_drain(d->relay, now);
    daemon_end_wake_up(d);
}

static void reload(struct daemon *d)
{
    char *problem = NULL;
    notify_reloading();
    if (tls_files_load_identity(d->tls, &problem))
        log_event(LOG_ERROR, "identity.kept", "problem=\"%s\"", problem ? problem : "no memory");
    else
        net_set_tls(d->net, tls_files_context(d->tls));
    free(problem);
    enum error e = daemon_reload_trust(d);
    (void)e; /* logged; the old trust stays */
    notify_ready();
}

static void on_signal(uv_signal_t *s, int number)
{
    struct daemon *d = s->data;
    if (d->is_stopping)
        return;
    if (number == SIGHUP) {
        reload(d);
    } else if (d->is_draining) {
        log_event(LOG_WARNING, "daemon.stopped", "signal=%d cause=\"a second signal\"", number);
        _exit(EX_TEMPFAIL);
    } else {
        drain(d);
    }
}

/* ---- what the admin socket asks ---- */

static void on_refresh_trust(void *ctx)
{
    enum error e = daemon_reload_trust(ctx);
    (void)e; /* logged; the enrolment is judged by the old trust */
}

static size_t on_crls(void *ctx, struct slice *ders, size_t max)
{
    return tls_files_crls(((struct daemon *)ctx)->tls, ders, max);
}

static void on_fill_status(void *ctx, Brug__V1__DaemonStatus *s)
{
    struct daemon *d = ctx;
    s->version = (char *)BRUG_VERSION;
    s->started_at_ms = d->started_at.wall_ms;
    s->folded_lsn = d->folded_lsn;
    s->free_bytes = d->free_bytes;
    s->needed_bytes = d->needed_bytes;
    s->connections = (uint32_t)net_connection_count(d->net);
    s->tls = (char *)tls_level();
    s->listening = d->listening;
}

/* ---- the start ---- */

__attribute__((format(printf, 3, 4))) static int complain(int status, const char *event,
                                                          const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args); /* cut when too long */
    va_end(args);
    log_event(LOG_ERROR, event, "problem=\"%s\"", line);
    return status;
}

static int status_of(enum error e)
{
    switch (e) {
    case ERROR_CONFIG:
    case ERROR_PERMISSION:
        return EX_CONFIG;
    case ERROR_LOCKED:
        return EX_TEMPFAIL;
    default:
        return EX_IOERR;
    }
}

static struct case_terms terms_of(const struct config *c)
{
    return (struct case_terms){
        .take_up = (unsigned)config_number(c, "take_up_days"),
        .start = (unsigned)config_number(c, "start_days"),
        .moment = (unsigned)config_number(c, "moment_days"),
        .info_reply = (unsigned)config_number(c, "info_reply_days"),
        .answer = (unsigned)config_number(c, "answer_days"),
        .serious_answer = (unsigned)config_number(c, "serious_answer_days"),
        .advice = (unsigned)config_number(c, "advice_days"),
        .closing_days = (unsigned)config_number(c, "closing_days"),
        .remind = (unsigned)config_number(c, "remind_days"),
        .overdue = (unsigned)config_number(c, "overdue_days"),
        .not_opened = (unsigned)config_number(c, "not_opened_days"),
        .not_delivered = (unsigned)config_number(c, "not_delivered_days"),
        .bridging_days = (unsigned)config_number(c, "bridging_reminder_days"),
    };
}

static struct relay_limits limits_of(const struct config *c)
{
    return (struct relay_limits){
        .message_bytes_max = (size_t)config_number(c, "message_bytes_max"),
        .readers_max = (uint32_t)config_number(c, "readers_max"),
        .requests_max = (uint32_t)config_number(c, "requests_max"),
        .credit_messages_max = (uint32_t)config_number(c, "credit_messages_max"),
        .credit_bytes_max = (uint64_t)config_number(c, "credit_bytes_max"),
        .idle_ms_max = (uint32_t)config_number(c, "idle_ms_max"),
        .session_unstored_bytes_max = (size_t)config_number(c, "session_unstored_bytes_max"),
        .unstored_bytes_max = (size_t)config_number(c, "unstored_bytes_max"),
        .group_bytes_max = (size_t)config_number(c, "group_bytes_max"),
        .body_cache_bytes_max = (size_t)config_number(c, "body_cache_bytes_max"),
        .waiting_max = (uint64_t)config_number(c, "waiting_max"),
        .waiting_bytes_max = (uint64_t)config_number(c, "waiting_bytes_max"),
        .quota_messages_max = (uint32_t)config_number(c, "quota_messages_max"),
        .quota_bytes_max = (uint64_t)config_number(c, "quota_bytes_max"),
        .waiting_commands_max = (uint32_t)config_number(c, "waiting_commands_max"),
        .known_ids_max = (uint64_t)config_number(c, "known_ids_max"),
        .redelivery_sessions_max = (uint32_t)config_number(c, "redelivery_sessions_max"),
        .redelivery_interval_ms = (uint32_t)config_number(c, "redelivery_interval_ms"),
        .outage_wait_ms = (uint32_t)config_number(c, "outage_wait_ms"),
        .terms = terms_of(c),
    };
}

/* Opens the outbox and makes the relay of what lies there. */
static int load(struct daemon *d, struct store **store)
{
    const struct config *c = d->config;
    struct store_options o = {
        .directory = config_text(c, "state_directory"),
        .checkpoint_pages = (size_t)config_number(c, "checkpoint_pages"),
        .fold_slice_bytes = (size_t)config_number(c, "fold_slice_bytes"),
        .fold_gather_bytes = (size_t)config_number(c, "fold_gather_bytes"),
        .fold_lag_bytes_max = (size_t)config_number(c, "fold_lag_bytes_max"),
        .reserve_bytes = (uint64_t)config_number(c, "reserve_bytes"),
        .unstored_bytes = (uint64_t)config_number(c, "unstored_bytes_max"),
    };
    const struct relay_limits limits = limits_of(c);
    const char *problem = NULL;
    int64_t last_ms = 0;
    if (RAND_bytes(o.random, sizeof o.random) != 1 ||
        RAND_bytes((unsigned char *)d->hash_seed, sizeof d->hash_seed) != 1)
        return complain(EX_OSERR, "start.failed", "no random bytes");
    enum error e = store_open(store, &o, &problem);
    if (e)
        return complain(status_of(e), "store.unusable", "%s: %s", o.directory,
                        problem ? problem : error_text(e));
    struct state *state = state_new(d->hash_seed);
    e = state ? store_load(*store, state, d->started_at.wall_ms - LIMIT_KNOWN_ID_MS, &problem)
              : ERROR_NO_MEMORY;
    if (!e)
        e = store_last_ms(*store, &last_ms);
    if (!e)
        d->relay = relay_new(&limits, &daemon_relay_port, d, &state);
    state_free(state);
    if (!d->relay)
        return complain(status_of(e), "store.unusable", "%s: %s", o.directory,
                        problem ? problem : error_text(e));
    relay_begin(d->relay, last_ms, d->started_at);
    return EX_OK;
}

static int start_tls(struct daemon *d)
{
    char *problem = NULL;
    d->tls = tls_files_new(d->config);
    if (!d->tls)
        return complain(EX_OSERR, "start.failed", "no memory");
    if (daemon_reload_trust(d))
        return EX_CONFIG;
    struct slice list;
    if (config_is_on(d->config, "crl_required") && tls_files_crls(d->tls, &list, 1) == 0)
        log_event(
            LOG_WARNING, "trust.empty",
            "action=\"no revocation list was read, so every certificate is refused: bring one "
            "to crl_directory and reload\"");
    if (!tls_files_load_identity(d->tls, &problem))
        return EX_OK;
    int status = complain(EX_CONFIG, "start.failed", "%s", problem ? problem : "no memory");
    free(problem);
    return status;
}

static struct net_options net_options_of(const struct daemon *d)
{
    const struct config *c = d->config;
    return (struct net_options){
        .tls = tls_files_context(d->tls),
        .connections_max = (size_t)config_number(c, "connections_max"),
        .handshakes_max = (size_t)config_number(c, "handshakes_max"),
        .handshakes_per_source_max = (size_t)config_number(c, "handshakes_per_source_max"),
        .handshake_ms_max = (int)config_number(c, "handshake_ms_max"),
        .hello_ms_max = (int)config_number(c, "hello_ms_max"),
        .idle_ms_max = (int)config_number(c, "idle_ms_max"),
        .write_stall_ms_max = (int)config_number(c, "write_stall_ms_max"),
        .frame_bytes_before_welcome = LIMIT_FRAME_BYTES_BEFORE_WELCOME,
        .unsent_bytes_max = (size_t)config_number(c, "unsent_bytes_max"),
        .input_bytes_total_max = (size_t)config_number(c, "input_bytes_total_max"),
        .output_bytes_total_max = (size_t)config_number(c, "output_bytes_total_max"),
        .key_updates_per_minute_max = (unsigned)config_number(c, "key_updates_per_minute_max"),
    };
}

static void note_listening(struct daemon *d, const char *address, size_t address_len)
{
    size_t used = strlen(d->listening);
    (void)snprintf(d->listening + used, sizeof d->listening - used, "%s%.*s", used ? " " : "",
                   (int)address_len, address); /* cut when there are many */
}

static enum error listen_on(struct daemon *d, const char *address, size_t len)
{
    char one[ADDRESS_BYTES];
    uint16_t port;
    if (len >= sizeof one)
        return ERROR_CONFIG;
    memcpy(one, address, len);
    one[len] = '\0';
    enum error e = net_listen(d->net, one, &port);
    if (!e)
        note_listening(d, one, len);
    return e;
}

static int complain_of_listen(const struct daemon *d, const char *address, size_t len, enum error e)
{
    char text[ADDRESS_BYTES + 128];
    (void)snprintf(text, sizeof text, "%.*s: %s", (int)(len < ADDRESS_BYTES ? len : ADDRESS_BYTES),
                   address,
                   e == ERROR_CONFIG   ? "is no numeric address with a port"
                   : e == ERROR_LOCKED ? "another process listens there"
                                       : error_text(e));
    char *problem = config_problem(d->config, "listen", text);
    int status = complain(status_of(e), "start.failed", "%s", problem ? problem : "no memory");
    free(problem);
    return status;
}

static int start_listening(struct daemon *d, const struct notify_sockets *sockets)
{
    if (sockets->listen_count > 0) {
        note_listening(d, "sockets of systemd", strlen("sockets of systemd"));
        for (size_t i = 0; i < sockets->listen_count; i++)
            if (net_listen_fd(d->net, sockets->listen[i]))
                return complain(EX_CONFIG, "start.failed", "systemd passed a socket of no use");
        return EX_OK;
    }
    const char *rest = config_text(d->config, "listen");
    for (size_t len; *(rest += strspn(rest, " ")); rest += len) {
        len = strcspn(rest, " ");
        enum error e = listen_on(d, rest, len);
        if (e)
            return complain_of_listen(d, rest, len, e);
    }
    return d->listening[0] ? EX_OK : complain_of_listen(d, "\"\"", 2, ERROR_CONFIG);
}

static int start_admin(struct daemon *d, const struct notify_sockets *sockets)
{
    const struct config *c = d->config;
    enum error e = config_path(c, "relay_anchors", &d->relay_anchors_path);
    const struct admin_options o = {
        .path = config_text(c, "admin_socket"),
        .fd = sockets->admin,
        .group = config_text(c, "admin_group"),
        .relay = d->relay,
        .trust = tls_files_trust(d->tls),
        .relay_host = config_text(c, "relay_host"),
        .relay_port = (uint32_t)config_number(c, "relay_port"),
        .relay_anchors_path =
            d->relay_anchors_path.len > 0 ? (const char *)d->relay_anchors_path.data : "",
        .refresh_trust = on_refresh_trust,
        .crls = on_crls,
        .fill_status = on_fill_status,
        .account = daemon_begin_account,
        .recover = daemon_begin_recovery,
        .on_wake_end = daemon_end_wake_up,
        .ctx = d,
    };
    if (!e)
        e = admin_new(&d->admin, &d->loop, &o);
    if (!e)
        return EX_OK;
    char *problem = config_problem(c, "admin_socket", error_text(e));
    int status = complain(status_of(e), "start.failed", "%s: %s", problem ? problem : "", o.path);
    free(problem);
    return status;
}

static int start_loop(struct daemon *d)
{
    static const int NUMBERS[DAEMON_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    if (uv_loop_init(&d->loop))
        return complain(EX_OSERR, "start.failed", "no event loop");
    d->has_loop = true;
    bool is_good = uv_async_init(&d->loop, &d->stored, on_stored) == 0 &&
                   uv_timer_init(&d->loop, &d->second) == 0 &&
                   uv_timer_start(&d->second, on_second, SECOND_MS, SECOND_MS) == 0;
    d->stored.data = d->second.data = d;
    for (size_t i = 0; is_good && i < DAEMON_SIGNALS; i++) {
        d->signals[i].data = d;
        is_good = uv_signal_init(&d->loop, &d->signals[i]) == 0 &&
                  uv_signal_start(&d->signals[i], on_signal, NUMBERS[i]) == 0;
    }
    return is_good ? EX_OK : complain(EX_OSERR, "start.failed", "the event loop cannot be set up");
}

static int start_net(struct daemon *d, struct store **store)
{
    struct notify_sockets sockets;
    const struct net_options o = net_options_of(d);
    if (notify_take_sockets(&sockets))
        return complain(EX_CONFIG, "start.failed", "systemd passed a socket of no use");
    if (net_new(&d->net, &d->loop, &o, &daemon_net_events, d) ||
        store_thread_start(&d->store, store, on_store_wake, d))
        return complain(EX_OSERR, "start.failed", "no memory or no thread");
    int status = start_listening(d, &sockets);
    return status ? status : start_admin(d, &sockets);
}

int daemon_start(struct daemon *d, const struct config *c)
{
    struct store *store = NULL;
    char generation[ID_TEXT_BYTES];
    memset(d, 0, sizeof *d);
    d->config = c;
    d->started_at = clock_now();
    buf_init(&d->relay_anchors_path, 4096);
    int status = start_loop(d);
    if (!status)
        status = load(d, &store);
    if (!status)
        status = start_tls(d);
    struct id id = store ? store_generation(store) : ID_NONE;
    if (!status)
        status = start_net(d, &store);
    store_close(store);
    if (status)
        return status;
    log_event(LOG_NOTICE, "daemon.started", "version=%s generation=%s listening=\"%s\"",
              BRUG_VERSION, id_to_text(&id, generation), d->listening);
    collect(d); /* how much room there is, before the first letter is judged */
    daemon_end_wake_up(d);
    notify_ready();
    return EX_OK;
}

/* ---- the end ---- */

static void on_net_down(void *ctx) { (void)ctx; }

static void close_handle(void *handle)
{
    uv_handle_t *h = handle;
    if (h->type != UV_UNKNOWN_HANDLE && !uv_is_closing(h))
        uv_close(h, NULL);
}

static void stop(struct daemon *d, int status)
{
    d->is_stopping = true;
    d->status = status;
    if (d->store)
        store_thread_stop(d->store); /* from here on nothing wakes the loop */
    d->store = NULL;
    if (d->net)
        net_shutdown(d->net, on_net_down);
    admin_free(d->admin);
    close_handle(&d->stored);
    close_handle(&d->second);
    for (size_t i = 0; i < DAEMON_SIGNALS; i++)
        close_handle(&d->signals[i]);
}

int daemon_run(struct daemon *d)
{
    (void)uv_run(&d->loop, UV_RUN_DEFAULT); /* until the last handle is closed */
    log_event(LOG_NOTICE, "daemon.stopped", "status=%d", d->status);
    return d->status;
}

void daemon_fini(struct daemon *d)
{
    if (d->has_loop) {
        if (!d->is_stopping)
            stop(d, EX_SOFTWARE);
        (void)uv_run(&d->loop, UV_RUN_DEFAULT);
        int failed = uv_loop_close(&d->loop);
        assert(failed == 0); /* every handle was closed */
    }
    net_free(d->net);
    relay_free(d->relay);
    tls_files_free(d->tls);
    buf_fini(&d->relay_anchors_path);
}
