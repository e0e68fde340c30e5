/*
 * tests/lib/sim_links.c: connections between clients and the relay, as TCP is: frames arrive in order and late; a
 * connection that is lost takes what is under way with it; each side hears of the loss in its own time.
 *
 * A link lives until both sides are done with it. What the relay's process had handed to its kernel may still arrive
 * after the process ended.
 */
#include "proto/check.h"
#include "proto/frame.h"
#include "tests/lib/sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name

struct sim_link *sim_link_find(struct sim *w, uint64_t session)
{
    list_for_each (at, next, &w->links) {
        struct sim_link *l = container_of(at, struct sim_link, all);
        if (l->session == session)
            return l;
    }
    return NULL;
}

/* ---- frames ---- */

static void free_frame(struct sim_frame *f)
{
    list_unlink(&f->link);
    if (f->server)
        brug__v1__server_frame__free_unpacked(f->server, NULL);
    free(f);
}

static struct sim_frame *first_frame(struct list *queue)
{
    struct list *first = list_first(queue);
    return first ? container_of(first, struct sim_frame, link) : NULL;
}

static void drop_frames(struct list *queue)
{
    struct sim_frame *f;
    while ((f = first_frame(queue)))
        free_frame(f);
}

static struct sim_frame *push(struct sim *w, struct list *queue, int64_t *last_us,
                              struct slice bytes)
{
    struct sim_frame *f = calloc(1, sizeof *f + bytes.len);
    int64_t due_us = w->now_us + (int64_t)sim_below(w, (uint64_t)w->profile.latency_us);
    assert_non_null(f);
    *last_us = due_us > *last_us ? due_us : *last_us;
    f->due_us = *last_us;
    f->len = bytes.len;
    if (bytes.len > 0)
        memcpy(f->bytes, bytes.data, bytes.len);
    list_append(queue, &f->link);
    return f;
}

static void schedule_first(struct sim *w, struct list *queue, struct sim_event *e)
{
    const struct sim_frame *f = first_frame(queue);
    if (f && e->due.position == HEAP_OUT)
        sim_schedule(w, e, f->due_us > w->now_us ? f->due_us - w->now_us : 0);
}

/* ---- life ---- */

void sim_link_free(struct sim *w, struct sim_link *l)
{
    struct sim_event *const events[] = {&l->up_due, &l->down_due, &l->loss, &l->drain};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        sim_cancel(w, events[i]);
    if (l->client && l->client->link == l)
        l->client->link = NULL;
    drop_frames(&l->up);
    drop_frames(&l->down);
    list_unlink(&l->all);
    free(l);
}

/* The client hears the end once nothing is under way to it. */
static void settle(struct sim *w, struct sim_link *l)
{
    struct sim_client *c = l->client;
    if (!c)
        drop_frames(&l->down);
    if (l->has_relay || !list_is_empty(&l->down) || l->loss.due.position != HEAP_OUT)
        return;
    sim_link_free(w, l);
    if (c)
        sim_client_on_end(w, c);
}

static struct relay_peer peer_of(const struct sim_client *c)
{
    struct relay_peer peer = {.anchor = digest_of_slice(slice_text(c->anchor)),
                              .not_after_ms = INT64_MAX};
    ask_key(&c->e, &peer.key);
    return peer;
}

/* ---- up: to the relay ---- */

static void arrive(struct sim *w, struct sim_link *l, const struct sim_frame *f)
{
    uint64_t loads = w->loads;
    bool is_unread = w->sabotage == SIM_FOREIGN_UNREAD && f->request &&
                     w->questions[f->request].asked == SIM_ASKED_FOREIGN;
    judge_arrival(w, l, f);
    relay_on_frame(w->relay, l->session, slice_of(f->bytes, f->len), sim_now(w));
    judge_judged(w, l, f, is_unread ? 0 : w->loads - loads);
}

/* The first that comes is the connection itself. */
static void take_up(struct sim *w, struct sim_link *l, const struct sim_frame *f)
{
    if (l->is_connected) {
        arrive(w, l, f);
        return;
    }
    struct relay_peer peer = peer_of(l->owner);
    l->is_connected = true;
    relay_on_connect(w->relay, l->session, &peer, sim_now(w));
}

static void on_up(struct sim *w, struct sim_event *e)
{
    struct sim_link *l = container_of(e, struct sim_link, up_due);
    struct sim_frame *f = first_frame(&l->up);
    if (!f || !w->relay || !l->has_relay || l->is_paused || (w->is_all_paused && l->is_connected))
        return;
    list_unlink(&f->link);
    take_up(w, l, f);
    free_frame(f);
    schedule_first(w, &l->up, &l->up_due);
    settle(w, l);
    sim_wake(w);
}

void sim_link_send(struct sim *w, struct sim_link *l, uint64_t request, int type, struct buf *b)
{
    struct sim_frame *f = push(w, &l->up, &l->up_us, buf_slice(b));
    f->request = request;
    f->type = type;
    buf_fini(b);
    if (l->has_relay)
        schedule_first(w, &l->up, &l->up_due);
    else
        drop_frames(&l->up);
}

/* ---- down: to the client ---- */

static void drain(struct sim *w, struct sim_link *l)
{
    if (l->is_full && l->down_bytes <= w->profile.output_bytes_max / 2 &&
        l->drain.due.position == HEAP_OUT)
        sim_schedule(w, &l->drain, (int64_t)sim_below(w, SIM_MS));
}

static void on_drain(struct sim *w, struct sim_event *e)
{
    struct sim_link *l = container_of(e, struct sim_link, drain);
    l->is_full = false;
    if (!l->has_relay || !w->relay)
        return;
    relay_on_drained(w->relay, l->session, sim_now(w));
    sim_wake(w);
}

static void on_down(struct sim *w, struct sim_event *e)
{
    struct sim_link *l = container_of(e, struct sim_link, down_due);
    struct sim_frame *f = first_frame(&l->down);
    if (!f)
        return;
    unsigned times = sabotage_arriving(w, l, f->server);
    list_unlink(&f->link);
    l->down_bytes -= f->len;
    for (; times > 0 && l->client; times--)
        sim_client_on_frame(w, l->client, f->server);
    free_frame(f);
    drain(w, l);
    schedule_first(w, &l->down, &l->down_due);
    settle(w, l);
}

/* ---- losses ---- */

static void on_loss(struct sim *w, struct sim_event *e)
{
    struct sim_link *l = container_of(e, struct sim_link, loss);
    bool had_relay = l->has_relay;
    l->has_relay = false;
    drop_frames(&l->up);
    if (had_relay && w->relay && l->is_connected)
        relay_on_disconnect(w->relay, l->session);
    settle(w, l);
    sim_wake(w);
}

/* Of what the client sent some still arrives. */
static void lose_some(struct sim *w, struct list *queue)
{
    size_t n = 0;
    list_for_each (at, next, queue) {
        n++;
    }
    size_t left = n ? (size_t)sim_below(w, n + 1) : 0;
    list_for_each (at, next, queue) {
        if (left > 0)
            left--;
        else
            free_frame(container_of(at, struct sim_frame, link));
    }
}

void sim_link_cut(struct sim *w, struct sim_link *l, int64_t heard_after_us)
{
    struct sim_client *c = l->client;
    l->client = NULL;
    if (c && c->link == l)
        c->link = NULL;
    drop_frames(&l->down);
    lose_some(w, &l->up);
    if (l->has_relay)
        sim_schedule(w, &l->loss, heard_after_us);
    else
        settle(w, l);
}

void sim_links_end(struct sim *w)
{
    list_for_each (at, next, &w->links) {
        struct sim_link *l = container_of(at, struct sim_link, all);
        if (!l->is_connected)
            continue; /* it waits for the relay to start */
        l->has_relay = false;
        l->is_paused = false;
        sim_cancel(w, &l->loss);
        drop_frames(&l->up);
        lose_some(w, &l->down);
        settle(w, l);
    }
}

struct sim_link *sim_link_new(struct sim *w, struct sim_client *c)
{
    struct sim_link *l = calloc(1, sizeof *l);
    struct buf none;
    assert_non_null(l);
    l->session = ++w->last_session;
    l->owner = l->client = c;
    l->has_relay = true;
    list_init(&l->up);
    list_init(&l->down);
    list_append(&w->links, &l->all);
    sim_event_init(&l->up_due, on_up);
    sim_event_init(&l->down_due, on_down);
    sim_event_init(&l->loss, on_loss);
    sim_event_init(&l->drain, on_drain);
    buf_init(&none, 0);
    sim_link_send(w, l, 0, 0, &none);
    return l;
}

/* ---- the relay's port ---- */

/* What the relay says passes a client's own checks, whatever it is about. */
static void judge_form(struct sim *w, const Brug__V1__ServerFrame *f)
{
    const char *field = "";
    if (check_server_frame(f, &field) != ERROR_NONE)
        sim_flag(w, "the relay sent a bad %s", field);
}

static struct sim_frame *unpack(struct sim *w, struct sim_link *l, struct slice *rest)
{
    struct slice frame;
    bool complete;
    size_t wanted;
    assert_int_equal(frame_next(rest, SIZE_MAX / 4, &frame, &complete, &wanted), 0);
    assert_true(complete);
    struct sim_frame *f = push(w, &l->down, &l->down_us, SLICE_NONE);
    f->server = brug__v1__server_frame__unpack(NULL, frame.len, frame.data);
    assert_non_null(f->server);
    f->len = frame.len;
    l->down_bytes += frame.len;
    return f;
}

static void drop_last(struct sim_link *l, struct sim_frame *f)
{
    l->down_bytes -= f->len;
    free_frame(f);
}

static bool on_send(void *ctx, uint64_t session, const struct slice *parts, size_t n)
{
    struct sim *w = ctx;
    struct sim_link *l = sim_link_find(w, session);
    struct buf b;
    if (!l || !l->has_relay) {
        sim_flag(w, "a frame is sent to session %llu, which is closed",
                 (unsigned long long)session);
        return true;
    }
    buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_append_slice(&b, parts[i]), 0);
    for (struct slice rest = buf_slice(&b); rest.len > 0;) {
        struct sim_frame *f = unpack(w, l, &rest);
        unsigned times = sabotage_leaving(w, l, f->server);
        judge_form(w, f->server);
        for (unsigned i = 0; i < times; i++)
            judge_leaving(w, l, f->server);
        if (times == 0)
            drop_last(l, f);
    }
    buf_fini(&b);
    bool is_over = l->down_bytes > w->profile.output_bytes_max;
    l->is_full |= is_over; /* until it is drained */
    schedule_first(w, &l->down, &l->down_due);
    return !is_over || w->sabotage == SIM_DEAF_QUEUE;
}

static void on_close(void *ctx, uint64_t session, enum error code)
{
    struct sim *w = ctx;
    struct sim_link *l = sim_link_find(w, session);
    (void)code;
    if (!l || !l->has_relay) {
        sim_flag(w, "session %llu is closed twice", (unsigned long long)session);
        return;
    }
    l->has_relay = false; /* the link itself is settled when the event ends */
    drop_frames(&l->up);
    if (l->loss.due.position == HEAP_OUT)
        sim_schedule(w, &l->loss, l->down_us > w->now_us ? l->down_us - w->now_us : 0);
}

static void on_welcomed(void *ctx, uint64_t session, size_t frame_bytes_max)
{
    if (session == 0 || frame_bytes_max == 0)
        sim_flag(ctx, "no session or no frame is welcome");
}

void sim_links_begin(struct sim *w)
{
    list_for_each (at, next, &w->links) {
        struct sim_link *l = container_of(at, struct sim_link, all);
        if (l->has_relay)
            schedule_first(w, &l->up, &l->up_due);
    }
}

static void on_pause(void *ctx, uint64_t session, bool is_paused)
{
    struct sim *w = ctx;
    if (session == 0)
        w->is_all_paused = is_paused;
    list_for_each (at, next, &w->links) {
        struct sim_link *l = container_of(at, struct sim_link, all);
        if (l->session == session)
            l->is_paused = is_paused;
        if (!is_paused && l->has_relay)
            schedule_first(w, &l->up, &l->up_due);
    }
}

static void on_commit(void *ctx, struct group *g)
{
    struct sim *w = ctx;
    sim_disk_commit(&w->disk, g);
    sim_touch_disk(w);
}

static void on_load(void *ctx, struct load *l)
{
    struct sim *w = ctx;
    w->loads++;
    sim_disk_load(&w->disk, l);
    sim_touch_disk(w);
}

static void on_admin_answer(void *ctx, uint64_t ticket, const Brug__V1__AdminAnswer *a)
{
    judge_order(ctx, ticket, a);
}

static void on_anchors_changed(void *ctx) { (void)ctx; }

static void on_event(void *ctx, const struct relay_event *e)
{
    if (strcmp(e->name, "message.quarantined") == 0)
        sim_flag(ctx, "a body that nobody spoilt is in quarantine");
}

const struct relay_port SIM_PORT = {on_send,         on_close,           on_welcomed,
                                    on_pause,        on_commit,          on_load,
                                    on_admin_answer, on_anchors_changed, on_event};
