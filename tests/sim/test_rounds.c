/*
 * tests/sim/test_rounds.c: the acceptance tests that other people's bugs teach, each as many rounds of one scene in
 * the simulator (tests/lib/sim.h), with times, interleavings and crashes by chance. ROUNDS says how many must come to
 * their point (T34: to the group that fails; the others: to a delivery). SEED is the first world's in a proof;
 * `make sim SEED=n` plays that world of each scene again, and nothing else.
 *
 * Clients act only as the scene says. What must always hold the judge watches; what the scene promises it checks
 * itself. After some rounds the world comes to its calm, in which all must arrive. Controls play the same scene in a
 * world that is broken on purpose in what the scene is about, and only the scene's own expectation counts.
 */
#include "tests/lib/proof.h"
#include "tests/lib/sim.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ROUNDS_OF_A_WORLD 20u
#define ROUNDS_OF_A_CONTROL 80u
#define IN_VAIN_WORLDS_MAX 100u /* without one round that comes to its point */
#define FIXED_SEED 1u
#define STEPS_MAX 20000u /* for anything that a scene waits for */
#define CREDIT_BYTES (1u << 20)
#define KIND(name) BRUG__V1__KIND__KIND_##name
#define DAY_MS INT64_C(86400000)
#define YEAR_MS (365 * DAY_MS)
#define IN_VAIN_MAX 10u
#define IN_VAIN_INTERVAL_MS 1000u

struct scene {
    struct sim *w;
    struct sim_client *gp, *consultant;
    struct sim_letter *letter;
    const struct sim_copy *copy;
    uint64_t goal;
    bool has_come_to_its_point;
    bool sender_stays, reader_stays; /* comes again when its connection ends by itself */
};

/* ---- waiting ---- */

typedef bool is_so_cb(struct sim *w, void *ctx);

/* A late Hello of an older connection may take over from a newer one, and a relay that ends takes all with it. */
static void stay(struct scene *s)
{
    if (s->sender_stays && !s->gp->link)
        sim_client_connect(s->w, s->gp);
    if (s->reader_stays && !s->consultant->link) {
        sim_client_connect(s->w, s->consultant);
        sim_client_subscribe(s->w, s->consultant, 1000, CREDIT_BYTES);
    }
}

static void until(struct scene *s, is_so_cb *is_so, const char *what)
{
    for (unsigned i = 0; i < STEPS_MAX && !s->w->violations && !is_so(s->w, s); i++) {
        stay(s);
        (void)sim_step(s->w);
    }
    if (!s->w->violations && !is_so(s->w, s))
        sim_flag(s->w, "it never came that %s", what);
}

static bool is_up(struct sim *w, void *ctx)
{
    (void)ctx;
    return w->relay != NULL;
}

static bool is_down(struct sim *w, void *ctx)
{
    (void)ctx;
    return w->relay == NULL;
}

static bool is_idle(struct sim *w, void *ctx)
{
    (void)ctx;
    return w->relay && relay_is_idle(w->relay);
}

static bool is_folded(struct sim *w, void *ctx)
{
    return is_idle(w, ctx) && store_folded_lsn(w->disk.store) == store_lsn(w->disk.store);
}

static bool has_copy(struct sim *w, void *ctx)
{
    struct scene *s = ctx;
    (void)w;
    s->copy = sim_copy_find(s->consultant, &s->letter->key);
    return s->copy && s->copy->deliveries >= s->goal;
}

/* What was asked on a session that another one ended is asked again, as a client does. */
static bool is_acked(struct sim *w, void *ctx)
{
    const struct scene *s = ctx;
    struct sim_client *c = s->consultant;
    struct sim_copy *copy = sim_copy_find(c, &s->letter->key);
    if (!has_copy(w, ctx))
        return false;
    if (!copy->is_acked && c->is_welcome && copy->asked_on && copy->asked_on != c->link->session)
        sim_client_ack(w, c, copy, ERROR_NONE);
    return copy->is_acked;
}

static bool is_welcome(struct sim *w, void *ctx)
{
    (void)w;
    return ((struct scene *)ctx)->gp->is_welcome;
}

static bool heard_all(struct sim *w, void *ctx)
{
    (void)w;
    return ((struct scene *)ctx)->gp->open_questions == 0;
}

static bool reader_is_welcome(struct sim *w, void *ctx)
{
    (void)w;
    return ((struct scene *)ctx)->consultant->is_welcome;
}

/* ---- doing ---- */

static void a_while(struct scene *s, uint64_t steps) { sim_run(s->w, sim_below(s->w, steps)); }

static void leave(struct scene *s, struct sim_client *c)
{
    if (c->link)
        sim_link_cut(s->w, c->link, (int64_t)sim_below(s->w, 20 * SIM_MS));
    sim_client_on_end(s->w, c);
    s->sender_stays &= c != s->gp;
    s->reader_stays &= c != s->consultant;
}

static void come(struct scene *s, struct sim_client *c)
{
    until(s, is_up, "the relay runs");
    sim_client_connect(s->w, c);
    s->sender_stays |= c == s->gp;
    s->reader_stays |= c == s->consultant;
}

static void listen_as_reader(struct scene *s)
{
    come(s, s->consultant);
    sim_client_subscribe(s->w, s->consultant, 1000, CREDIT_BYTES);
}

/* A connection may end with the relay; then there is another. */
static void submit_letter(struct scene *s, struct sim_letter *l)
{
    while (!s->w->violations && l->answer == SIM_NO_ANSWER) {
        if (!l->from->link)
            come(s, l->from);
        if (l->asked_on != l->from->link->session)
            sim_client_submit(s->w, l, false);
        if (!sim_step(s->w))
            return;
    }
}

static void submit(struct scene *s) { submit_letter(s, s->letter); }

static void end_by_chance(struct scene *s, unsigned one_in)
{
    if (sim_one_in(s->w, one_in) && s->w->relay)
        sim_end(s->w, sim_one_in(s->w, 2) ? SIM_KILL : SIM_POWER_CUT);
}

static void repeat(struct scene *s)
{
    if (!s->gp->link)
        come(s, s->gp);
    sim_client_submit(s->w, s->letter, false);
    until(s, heard_all, "a repeat is answered");
}

static void await_copy(struct scene *s, const char *what)
{
    until(s, has_copy, what);
    s->has_come_to_its_point |= !s->w->violations && has_copy(s->w, s);
}

static void acknowledge(struct scene *s)
{
    struct sim_copy *copy = sim_copy_find(s->consultant, &s->letter->key);
    if (copy && s->consultant->link)
        sim_client_ack(s->w, s->consultant, copy, ERROR_NONE);
}

static void expect(struct scene *s, bool is_so, const char *what)
{
    if (!is_so)
        sim_flag(s->w, "it is not so that %s", what);
}

static enum reader_state state_on_disk(const struct scene *s)
{
    struct message *m = message_find(s->w->truth, &s->letter->key);
    const struct endpoint *e = endpoint_find(s->w->truth, id_bytes(&s->consultant->e.id));
    const struct reader *r = m && e ? message_reader(m, e) : NULL;
    return r ? (enum reader_state)r->state : READER_WAITING;
}

/* ---- scenes ---- */

/* The relay commits or not, the connection is cut before the answer; the same id again. */
static void T1(struct scene *s)
{
    come(s, s->gp);
    if (sim_one_in(s->w, 2))
        until(s, is_welcome, "the sender is welcome");
    sim_client_submit(s->w, s->letter, false);
    a_while(s, 40);
    end_by_chance(s, 4);
    leave(s, s->gp);
    a_while(s, 40);
    submit(s);
    expect(s, s->letter->answer == ERROR_NONE, "the letter is accepted");
    for (unsigned i = 0; i < 2; i++) { /* the judge compares the answers */
        leave(s, s->gp);
        end_by_chance(s, 4);
        repeat(s);
    }
    s->goal = 1;
    listen_as_reader(s);
    await_copy(s, "the reader has it");
    until(s, is_idle, "all is said");
    expect(s, s->copy && s->copy->deliveries == 1, "one message was stored");
    acknowledge(s);
    leave(s, s->gp);
}

/* A second session takes over while the acknowledgement is under way. */
static void T5(struct scene *s)
{
    submit(s);
    s->goal = 1;
    listen_as_reader(s);
    await_copy(s, "the reader has it");
    acknowledge(s);
    a_while(s, 15);
    listen_as_reader(s);
    a_while(s, 30);
    acknowledge(s);
    until(s, is_acked, "the acknowledgement is confirmed");
    unsigned deliveries = s->copy ? s->copy->deliveries : 0;
    expect(s, state_on_disk(s) == READER_FETCHED, "the copy is fetched on disk");
    end_by_chance(s, 4);
    listen_as_reader(s);
    until(s, reader_is_welcome, "a third session begins");
    until(s, is_idle, "all is said");
    a_while(s, 30);
    expect(s, s->copy && s->copy->deliveries == deliveries, "it does not come back");
    leave(s, s->consultant);
}

/* After an unclean stop a waiting reader gets its message without new traffic. */
static void T9(struct scene *s)
{
    bool was_there = sim_one_in(s->w, 2);
    if (was_there)
        listen_as_reader(s);
    submit(s);
    a_while(s, 20);
    sim_end(s->w, sim_one_in(s->w, 2) ? SIM_KILL : SIM_POWER_CUT);
    until(s, is_up, "the relay runs");
    leave(s, s->gp);
    const struct sim_copy *copy = sim_copy_find(s->consultant, &s->letter->key);
    s->goal = (copy ? copy->deliveries : 0) + 1;
    listen_as_reader(s);
    await_copy(s, "the reader has it, with nothing else happening");
    acknowledge(s);
    until(s, is_acked, "the acknowledgement is confirmed");
    leave(s, s->consultant);
}

static bool has_fact(const struct sim_client *c, const struct id *letter, unsigned *count)
{
    *count = 0;
    for (size_t i = 0; i < c->count; i++)
        *count += c->list[i]->kind == KIND(FACT) && id_equal(&c->list[i]->in_reply_to, letter);
    return *count > 0;
}

static bool sender_has_fact(struct sim *w, void *ctx)
{
    const struct scene *s = ctx;
    unsigned count;
    (void)w;
    return has_fact(s->gp, &s->letter->key.id, &count);
}

static bool is_parked(struct scene *s)
{
    struct message *m = message_find(s->w->truth, &s->letter->key);
    const struct endpoint *e = endpoint_find(s->w->truth, id_bytes(&s->consultant->e.id));
    const struct reader *r = m && e ? message_reader(m, e) : NULL;
    return r && r->is_parked;
}

static bool is_gone(struct sim *w, void *ctx)
{
    const struct sim_client *c = ((struct scene *)ctx)->consultant;
    return w->relay && !endpoint_find(relay_state(w->relay), id_bytes(&c->e.id))->session;
}

/* A session of a reader that fetches and never acknowledges; true when it got the letter and ended it itself. */
static bool fetch_in_vain(struct scene *s)
{
    unsigned before = s->copy ? s->copy->deliveries : 0;
    s->goal = before + 1;
    listen_as_reader(s);
    await_copy(s, "the reader gets it again");
    bool ends = sim_one_in(s->w, 8);
    if (ends)
        end_by_chance(s, 1);
    else
        leave(s, s->consultant);
    s->reader_stays = false;
    until(s, is_gone, "the relay hears of the session's end");
    until(s, is_idle, "the session's end is on disk");
    s->w->slept_ms += IN_VAIN_INTERVAL_MS + 1;
    return !ends;
}

/* Capped redelivery, then a report; later letters flow; the cap holds over restarts. */
static void T12(struct scene *s)
{
    unsigned in_vain = 0, sessions = 0, facts;
    uint64_t before = s->w->deliveries;
    submit(s);
    while (!s->w->violations && !is_parked(s) && sessions < 4 * IN_VAIN_MAX) {
        in_vain += fetch_in_vain(s);
        sessions++;
    }
    expect(s, is_parked(s), "it is parked in the end");
    expect(s, s->w->deliveries - before >= IN_VAIN_MAX, "ten sessions in vain park it, not fewer");
    expect(s, in_vain <= IN_VAIN_MAX, "ten sessions in vain park it, not more");
    const struct sim_letter *parked = s->letter;
    unsigned deliveries = s->copy ? s->copy->deliveries : 0;
    s->letter = sim_client_write(s->w, s->gp, &s->w->organisations[2]);
    end_by_chance(s, 3);
    submit(s);
    s->goal = 1;
    listen_as_reader(s);
    until(s, has_copy, "a later letter flows");
    acknowledge(s);
    until(s, is_acked, "the later letter is acknowledged");
    s->letter = sim_letter_find(s->w, &parked->key);
    (void)has_copy(s->w, s);
    expect(s, s->copy && s->copy->deliveries == deliveries, "the parked one does not come");
    leave(s, s->gp);
    come(s, s->gp);
    sim_client_subscribe(s->w, s->gp, 1000, CREDIT_BYTES);
    until(s, sender_has_fact, "a FACT tells the sender");
    until(s, is_idle, "all is said");
    (void)has_fact(s->gp, &parked->key.id, &facts);
    expect(s, facts == 1, "the sender is told once");
    acknowledge(s);
    until(s, is_acked, "the reader acknowledges at last");
    for (size_t i = 0; i < s->gp->count; i++)
        if (!s->gp->list[i]->is_acked && s->gp->link)
            sim_client_ack(s->w, s->gp, s->gp->list[i], ERROR_NONE);
    until(s, heard_all, "the sender has read the report");
    leave(s, s->gp);
    leave(s, s->consultant);
}

/* The receipt cannot be sent: the delivery does not run again. */
static void T13(struct scene *s)
{
    s->goal = 1;
    listen_as_reader(s);
    come(s, s->gp);
    until(s, is_welcome, "the sender is welcome");
    sim_client_submit(s->w, s->letter, false);
    a_while(s, 12);
    /* Half open: the relay goes on sending into nothing. */
    if (s->gp->link)
        sim_link_cut(s->w, s->gp->link, (int64_t)sim_below(s->w, 400 * SIM_MS));
    sim_client_on_end(s->w, s->gp);
    a_while(s, 60);
    submit(s);
    for (uint64_t n = sim_below(s->w, 3); n > 0; n--)
        repeat(s);
    await_copy(s, "the reader has it");
    if (sim_one_in(s->w, 2))
        acknowledge(s);
    repeat(s);
    until(s, is_idle, "all is said");
    expect(s, s->copy && s->copy->deliveries == 1, "it was delivered once");
    acknowledge(s);
    until(s, is_acked, "the acknowledgement is confirmed");
    leave(s, s->gp);
    leave(s, s->consultant);
}

static bool is_other_reader(const struct scene *s, const struct sim_client *c)
{
    const struct stage_letter *l = &s->letter->l;
    for (size_t i = 0; c != s->consultant && i < l->reader_count; i++)
        if (id_equal(&l->readers[i], &c->e.id))
            return true;
    return false;
}

static bool others_have_acked(struct sim *w, void *ctx)
{
    const struct scene *s = ctx;
    for (size_t i = 0; i < w->client_count; i++) {
        struct sim_client *c = &w->clients[i];
        struct sim_copy *copy = sim_copy_find(c, &s->letter->key);
        if (!is_other_reader(s, c) || (copy && copy->is_acked))
            continue;
        if (copy && c->link && copy->asked_on != c->link->session)
            sim_client_ack(w, c, copy, ERROR_NONE);
        return false;
    }
    return true;
}

/* So nobody waits for it any more. */
static void let_others_read(struct scene *s)
{
    for (size_t i = 0; i < s->w->client_count; i++)
        if (is_other_reader(s, &s->w->clients[i])) {
            sim_client_connect(s->w, &s->w->clients[i]);
            sim_client_subscribe(s->w, &s->w->clients[i], 1000, CREDIT_BYTES);
        }
    until(s, others_have_acked, "the other readers acknowledge");
    for (size_t i = 0; i < s->w->client_count; i++)
        if (is_other_reader(s, &s->w->clients[i]))
            leave(s, &s->w->clients[i]);
}

/* By up to a year, either way; mostly with an end, of which it may be the reason. */
static void jump(struct scene *s)
{
    end_by_chance(s, 2);
    s->w->wall_ahead_ms = (int64_t)sim_below(s->w, 2 * YEAR_MS) - YEAR_MS;
    until(s, is_up, "the relay runs");
}

static void repeat_after_jump(struct scene *s)
{
    int64_t at_ms = s->letter->at_ms;
    jump(s);
    leave(s, s->gp);
    repeat(s);
    expect(s, s->letter->answer == ERROR_NONE && s->letter->at_ms == at_ms,
           "its receipt stays the same");
}

/* The sender's clock is a year off; the relay's jumps, at its start and while it runs, before a letter is accepted and
 * after. */
static void T32(struct scene *s)
{
    for (unsigned i = 0; i < 3; i++) {
        end_by_chance(s, 2);
        if (sim_one_in(s->w, 3))
            s->w->wall_ahead_ms = (int64_t)sim_below(s->w, 2 * YEAR_MS) - YEAR_MS;
        until(s, is_up, "the relay runs");
        leave(s, s->gp);
        if (s->letter->is_given_up) { /* CLOCK_AHEAD: it is tried again under the same id */
            s->letter->is_given_up = false;
            list_append(&s->gp->pending, &s->letter->pending);
        }
        come(s, s->gp);
        until(s, is_welcome, "the sender is welcome");
        sim_client_submit(s->w, s->letter, false);
        until(s, heard_all, "the letter is answered");
    }
    if (s->letter->answer != ERROR_NONE)
        return;
    repeat_after_jump(s);
    s->goal = 1;
    listen_as_reader(s);
    await_copy(s, "nothing was deleted by age");
    until(s, is_idle, "all is said");
    expect(s, !s->copy || s->copy->deliveries == 1, "the id was accepted once");
    jump(s);
    listen_as_reader(s);
    until(s, reader_is_welcome, "the reader is welcome");
    acknowledge(s);
    until(s, is_acked, "the acknowledgement is confirmed");
    unsigned deliveries = s->copy ? s->copy->deliveries : 0;
    let_others_read(s);
    if (sim_one_in(s->w, 2)) /* then only the tables know it, if the clock says that it is old */
        until(s, is_folded, "all is in the tables");
    repeat_after_jump(s);
    listen_as_reader(s);
    until(s, reader_is_welcome, "the reader is welcome again");
    until(s, is_idle, "all is said once more");
    a_while(s, 30);
    expect(s, s->copy && s->copy->deliveries == deliveries, "what was fetched stays fetched");
    leave(s, s->gp);
    leave(s, s->consultant);
}

static bool has_judged(struct sim *w, void *ctx)
{
    return w->relay == NULL || w->questions[((struct scene *)ctx)->goal].lsn > 0;
}

/* What was judged on a group that then fails to commit never leaves. */
static void T34(struct scene *s)
{
    struct buf b;
    submit(s);
    come(s, s->gp);
    until(s, is_welcome, "the sender is welcome");
    until(s, is_idle, "nothing is open");
    uint64_t first = s->w->question_count + 1;
    struct sim_letter *doomed = sim_client_write(s->w, s->gp, &s->w->organisations[2]);
    struct sim_letter *refused = sim_client_write(s->w, s->gp, &s->w->organisations[2]);
    refused->l.to =
        s->w->organisations[4]; /* not addressable from here: judged, and to be remembered */
    s->w->profile.failures = 1;
    sim_client_submit(s->w, doomed, false);
    sim_client_submit(s->w, doomed, false);
    sim_client_submit(s->w, refused, false);
    sim_client_submit(s->w, s->letter, true);
    uint64_t request = sim_ask(s->w, SIM_ASKED_TRACK, s->gp);
    s->w->questions[request].key = s->letter->key;
    ask_track(&b, request, &s->letter->key.id);
    sim_link_send(s->w, s->gp->link, request, BRUG__V1__CLIENT_FRAME__FRAME_TRACK, &b);
    s->goal = first;
    until(s, has_judged, "the first is judged");
    until(s, is_down, "the process ends");
    s->has_come_to_its_point = !s->w->violations;
    for (uint64_t i = first; i <= request; i++)
        expect(s, !s->w->questions[i].has_left, "nothing left that was judged on that group");
    s->w->profile.failures = 0;
    s->letter = doomed;
    submit(s);
    expect(s, doomed->answer == ERROR_NONE, "the letter is accepted after all");
    s->letter = refused;
    submit(s);
    expect(s, refused->answer == ERROR_UNKNOWN_ADDRESSEE, "the other is refused after all");
    leave(s, s->gp);
}

/* ---- scenes of cases ---- */

static unsigned count_kind(const struct sim_client *c, Brug__V1__Kind kind, const struct id *about)
{
    unsigned n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += c->list[i]->kind == kind && id_equal(&c->list[i]->in_reply_to, about);
    return n;
}

static bool sender_has_non_delivery(struct sim *w, void *ctx)
{
    const struct scene *s = ctx;
    (void)w;
    return count_kind(s->gp, KIND(NON_DELIVERY), &s->letter->key.id) > 0;
}

/* In the case that the scene's letter opened. */
static struct sim_letter *write_in_case(struct scene *s, struct sim_client *c, const struct id *to,
                                        Brug__V1__Kind kind)
{
    struct sim_letter *l = sim_client_write(s->w, c, to);
    l->l.kind = kind;
    l->l.case_id = s->letter->l.case_id;
    return l;
}

/* Nobody does anything; the relay may end at any time. */
static void let_days_pass(struct scene *s, unsigned days)
{
    for (unsigned i = 0; i < days; i++) {
        s->w->slept_ms += (int64_t)(1 + sim_below(s->w, 2)) * DAY_MS;
        a_while(s, 12);
        end_by_chance(s, 3);
        until(s, is_up, "the relay runs");
    }
}

/* A letter that nobody opens: by time alone its sender is told once that it reached nobody, however late it looks. */
static void T11(struct scene *s)
{
    submit(s);
    leave(s, s->gp);
    let_days_pass(s, 12);
    if (sim_one_in(s->w, 2))
        s->w->slept_ms += YEAR_MS; /* what is not read does not expire */
    let_days_pass(s, 2);
    come(s, s->gp);
    sim_client_subscribe(s->w, s->gp, 1000, CREDIT_BYTES);
    until(s, sender_has_non_delivery, "the sender is told that it reached nobody");
    s->has_come_to_its_point = !s->w->violations;
    for (unsigned i = 0; i < 2; i++) { /* it is not told again: the judge watches what comes back */
        for (size_t k = 0; k < s->gp->count; k++)
            if (!s->gp->list[k]->is_acked && s->gp->link)
                sim_client_ack(s->w, s->gp, s->gp->list[k], ERROR_NONE);
        let_days_pass(s, 3);
        until(s, is_idle, "all is said");
    }
    expect(s, count_kind(s->gp, KIND(NON_DELIVERY), &s->letter->key.id) == 1,
           "it is told once that it reached nobody");
    expect(s, count_kind(s->gp, KIND(NOT_OPENED), &s->letter->key.id) <= 1,
           "it is told once at most that nobody opened it");
    submit_letter(s, write_in_case(s, s->gp, &s->letter->l.to, KIND(WITHDRAWAL)));
    leave(s, s->gp);
}

static bool is_director(const struct scene *s, const struct sim_client *c)
{
    struct arena *arena = arena_new();
    assert_non_null(arena);
    arena_reset(arena, SIZE_MAX);
    const struct casefile *f = casefile_find(s->w->truth, &s->letter->l.case_id);
    const Brug__V1__Case *row = f ? casefile_unpack(f, arena) : NULL;
    bool is = row && row->director.len == ID_BYTES &&
              memcmp(row->director.data, c->person.bytes, ID_BYTES) == 0;
    arena_free(arena);
    return is;
}

/* Two consultants claim at once: one director, one clear refusal. */
static void T30(struct scene *s)
{
    struct sim_client *two[] = {s->consultant, &s->w->clients[7]};
    struct sim_letter *claims[2];
    submit(s);
    for (size_t i = 0; i < 2; i++) {
        claims[i] = write_in_case(s, two[i], &s->letter->key.organisation, KIND(CLAIM));
        come(s, two[i]);
    }
    size_t first = sim_below(s->w, 2);
    for (size_t i = 0; i < 2 && !s->w->violations; i++) {
        struct sim_letter *l = claims[(first + i) % 2];
        if (l->from->link)
            sim_client_submit(s->w, l, false);
        a_while(s, 4);
    }
    a_while(s, 12);
    end_by_chance(s, 3);
    s->has_come_to_its_point = !s->w->violations;
    submit_letter(s, claims[first]);
    submit_letter(s, claims[1 - first]);
    size_t winner = claims[1]->answer == ERROR_NONE;
    expect(s, claims[winner]->answer == ERROR_NONE && claims[1 - winner]->answer != ERROR_NONE,
           "one of two claims wins");
    expect(s, claims[1 - winner]->answer == ERROR_CASE_TAKEN,
           "the other is told that the case is taken");
    until(s, is_idle, "all is said");
    expect(s, is_director(s, two[winner]) && !is_director(s, two[1 - winner]),
           "who claimed first is the director");
    leave(s, s->gp);
    leave(s, two[0]);
    leave(s, two[1]);
}

/* ---- rounds ---- */

#define CONTROLS_MAX 5u

static const struct row {
    const char *claim;
    void (*round)(struct scene *s);
    struct sim_control controls[CONTROLS_MAX]; /* those without a text are none */
} ROWS[] = {
    {"T1 cut before the answer, the same id again: same answer, stored once",
     T1,
     {{SIM_DELIVER_TWICE, "it was stored twice", "so that one message was stored"},
      {SIM_OTHER_ANSWER, "a repeat gets another receipt", "gets another answer than before"},
      {SIM_NOW_REFUSED, "a repeat is refused", "was answered, and now gets"}}},
    {"T5 acknowledgement against takeover: one final state",
     T5,
     {{SIM_FORGET_ACK, "an Ack that is lost", "so that the copy is fetched on disk"},
      {SIM_FORGET_ACK, "a copy that comes back", "so that it does not come back"}}},
    {"T9 after an unclean stop a waiting reader gets its message",
     T9,
     {{SIM_LOST_BY_END, "nothing comes after an end",
       "came that the reader has it, with nothing"}}},
    {"T12 never acknowledged: capped, parked, told; later ones flow",
     T12,
     {{SIM_NO_CAP, "no cap", "so that it is parked in the end"},
      {SIM_LOW_CAP, "a cap of five", "park it, not fewer"},
      {SIM_HIGH_CAP, "a cap of twenty", "park it, not more"},
      {SIM_NO_FACT, "nobody tells", "came that a FACT tells the sender"},
      {SIM_LOST_BEHIND_PARKED, "later ones do not flow", "came that a later letter"}}},
    {"T13 a receipt that cannot be sent runs no second delivery",
     T13,
     {{SIM_DELIVER_TWICE, "a second delivery", "so that it was delivered once"}}},
    {"T32 clocks a year off: no id accepted twice, nothing deleted",
     T32,
     {{SIM_TWICE_BY_AGE, "accepted twice by age", "so that the id was accepted once"},
      {SIM_LOST_BY_AGE, "deleted by age", "came that nothing was deleted by age"},
      {SIM_OTHER_ANSWER, "accepted anew", "so that its receipt stays the same"},
      {SIM_FORGET_ACK, "fetched is forgotten", "so that what was fetched stays fetched"}}},
    {"T34 what was judged on a group that fails never leaves",
     T34,
     {{SIM_EARLY_DURABLE, "answers before the commit", "so that nothing left that was judged"}}},
    {"T11 a non-delivery comes by time alone, once, and never expires",
     T11,
     {{SIM_NO_FACT, "nobody tells", "came that the sender is told that it reached"},
      {SIM_LOST_BY_AGE, "it expires unread", "came that the sender is told that it reached"}}},
    {"T30 two claims at once: one director, one clear refusal",
     T30,
     {{SIM_BOTH_CLAIM, "both claims win", "so that one of two claims wins"},
      {SIM_UNCLEAR, "another refusal", "so that the other is told that"}}},
};

static struct sim_profile profile_of(uint64_t seed, const struct row *row)
{
    struct sim_profile p = sim_profile_of(seed);
    p.limits.quota_messages_max = 10000;
    p.limits.waiting_max = 100000;
    p.limits.waiting_commands_max = 64;
    p.limits.redelivery_sessions_max = IN_VAIN_MAX;
    p.limits.redelivery_interval_ms = IN_VAIN_INTERVAL_MS;
    /* A relay that stops reading counts no session. */
    p.limits.session_unstored_bytes_max = 1u << 20;
    p.limits.unstored_bytes_max = 16u << 20;
    p.store.fold_lag_bytes_max = 64u << 20;
    p.ends = p.losses = p.leaps = p.orders = p.old_ids = p.failures = p.full_disks = 0;
    p.steps_wall_back = row->round == T32;
    return p;
}

static void set_clock(struct sim *w, struct sim_client *c)
{
    c->clock_ahead_ms = (int64_t)sim_below(w, 2 * YEAR_MS) - YEAR_MS;
}

/* True when it came to its point. */
static bool play(struct sim *w, const struct row *row)
{
    struct scene s = {.w = w, .gp = &w->clients[0], .consultant = &w->clients[6]};
    if (row->round == T32)
        set_clock(w, s.gp);
    s.letter = sim_client_write(w, s.gp, &w->organisations[2]);
    row->round(&s);
    return s.has_come_to_its_point;
}

static struct sim *world_of(uint64_t seed, const struct row *row, const struct sim_control *control)
{
    struct sim_profile p = profile_of(seed, row);
    struct sim *w = sim_new(seed, &p, control);
    for (size_t i = 0; i < w->client_count; i++)
        w->clients[i].is_away = true;
    return w;
}

static void calm(struct sim *w)
{
    for (size_t i = 0; i < w->client_count && !w->violations; i++) {
        w->clients[i].is_away = false;
        sim_schedule(w, &w->clients[i].act, 1);
    }
    sim_calm(w);
}

struct counts {
    uint64_t worlds, begun, done, violations;
};

static void play_world(uint64_t seed, const struct row *row, struct counts *c)
{
    struct sim *w = world_of(seed, row, NULL);
    for (unsigned i = 0; i < ROUNDS_OF_A_WORLD && !w->violations; i++) {
        c->begun++;
        c->done += play(w, row);
    }
    if (!w->violations)
        calm(w);
    if (w->violations)
        sim_print_violation(w, row->claim);
    c->worlds++;
    c->violations += w->violations;
    sim_free(w);
}

/* By the scene alone: there is no calm. */
static bool is_caught(uint64_t seed, const struct row *row, const struct sim_control *control)
{
    struct sim *w = world_of(seed, row, control);
    for (unsigned i = 0; i < ROUNDS_OF_A_CONTROL && !w->violations; i++)
        (void)play(w, row);
    bool is = w->violations > 0;
    if (!is)
        print_message("# not caught: %.3s, %s (\"%s\"), seed %" PRIu64 "\n", row->claim,
                      control->what, control->caught_by, seed);
    sim_free(w);
    return is;
}

static void run_controls(const struct row *row, struct proof *p)
{
    uint64_t seeds = proof_size("CONTROL_SEEDS", 2, 4);
    for (size_t i = 0; i < CONTROLS_MAX && row->controls[i].caught_by; i++) {
        uint64_t caught = 0;
        for (uint64_t seed = 1; seed <= seeds; seed++)
            caught += is_caught(seed, row, &row->controls[i]);
        p->controls++;
        p->controls_failed += caught == seeds;
    }
}

static void rounds_keep_their_promise(void **state)
{
    const struct row *row = *state;
    uint64_t seed = proof_seed(FIXED_SEED);
    uint64_t rounds = sim_is_replay() ? 0 : proof_size("ROUNDS", 100, 1000);
    struct counts c = {0};
    struct proof p = {.claim = row->claim, .unit = "rounds"};
    double begin = proof_seconds();
    do
        play_world(seed + c.worlds, row, &c);
    while (c.done < rounds && !c.violations && (c.done > 0 || c.worlds < IN_VAIN_WORLDS_MAX));
    print_message("# SEED=%" PRIu64 " and on: %" PRIu64 " worlds, %" PRIu64
                  " rounds begun, %" PRIu64 " came to their point\n",
                  seed, c.worlds, c.begun, c.done);
    p.seconds = proof_seconds() - begin;
    p.done = c.done;
    p.violations = c.violations;
    if (!sim_is_replay())
        run_controls(row, &p);
    proof_report(&p);
    assert_int_equal(p.violations, 0);
    assert_int_equal(p.controls_failed, p.controls);
    assert_true(c.done >= rounds);
}

#define ROUNDS(title, at) \
    { \
        .name = title, .test_func = rounds_keep_their_promise, .initial_state = (void *)&ROWS[at] \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUNDS("T1_cut_before_the_answer", 0),
        ROUNDS("T5_acknowledgement_against_takeover", 1),
        ROUNDS("T9_waiting_reader_after_an_unclean_stop", 2),
        ROUNDS("T12_never_acknowledged_is_parked", 3),
        ROUNDS("T13_lost_receipt_runs_no_second_delivery", 4),
        ROUNDS("T32_clocks_that_are_off", 5),
        ROUNDS("T34_failed_group_says_nothing", 6),
        ROUNDS("T11_non_delivery_by_time_alone", 7),
        ROUNDS("T30_two_claims_at_once", 8),
    };
    sim_watch_aborts();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
