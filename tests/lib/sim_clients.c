/*
 * tests/lib/sim_clients.c: model endpoints: what they do, and what they keep in mind.
 *
 * Each does something when its time comes: connects, gives credit, writes a letter or sends one again, acknowledges,
 * says opened, asks how a letter fares, for the directory, for a foreign id and one that nobody has; loses its
 * connection, or connects anew while the old connection still lives. In the calm it only finishes what is open.
 */
#include "proto/limits.h"
#include "rules/roles.h"
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define CLIENT(name) BRUG__V1__CLIENT_FRAME__FRAME_##name
#define LETTERS_MAX 1500u
#define LETTERS_PENDING_MAX 12u
#define NEWEST_LETTERS 16u
#define DAY_MS INT64_C(86400000)
#define ACKS_AT_ONCE 8u             /* of months of letters */
#define OFFLINE_US (30000 * SIM_MS) /* ten nights, about (sim_cases.c) */

/* ---- what they keep ---- */

struct sim_copy *sim_copy_find(const struct sim_client *c, const struct message_key *key)
{
    struct map_node *n = map_find(&c->copies, key, sizeof *key);
    return n ? container_of(n, struct sim_copy, node) : NULL;
}

struct sim_letter *sim_letter_find(const struct sim *w, const struct message_key *key)
{
    struct map_node *n = map_find(&w->letters, key, sizeof *key);
    return n ? container_of(n, struct sim_letter, node) : NULL;
}

static struct sim_copy *add_copy(struct sim_client *c, const struct message_key *key)
{
    struct sim_copy *copy = calloc(1, sizeof *copy);
    assert_non_null(copy);
    copy->key = *key;
    assert_int_equal(
        map_insert(&c->copies, &copy->node, (const uint8_t *)&copy->key, sizeof copy->key), 0);
    c->list = sim_grown(c->list, c->count, &c->capacity, sizeof(struct sim_copy *));
    c->list[c->count++] = copy;
    c->unacked =
        sim_grown(c->unacked, c->unacked_count, &c->unacked_capacity, sizeof(struct sim_copy *));
    copy->unacked = c->unacked_count;
    c->unacked[c->unacked_count++] = copy;
    return copy;
}

static void set_acked(struct sim_client *c, struct sim_copy *copy)
{
    if (copy->is_acked)
        return;
    copy->is_acked = true;
    struct sim_copy *last = c->unacked[--c->unacked_count];
    c->unacked[copy->unacked] = last;
    last->unacked = copy->unacked;
}

/* ---- asking ---- */

uint64_t sim_ask(struct sim *w, enum sim_asked asked, struct sim_client *c)
{
    w->questions =
        sim_grown(w->questions, w->question_count + 1, &w->question_capacity, sizeof *w->questions);
    struct sim_question *q = &w->questions[++w->question_count];
    *q = (struct sim_question){
        .asked = asked, .client = c, .session = c && c->link ? c->link->session : 0};
    if (c)
        c->open_questions++;
    return w->question_count;
}

static void act_soon(struct sim *w, struct sim_client *c, unsigned times)
{
    if (!c->is_away)
        sim_schedule(w, &c->act, 1 + (int64_t)sim_below(w, times * (uint64_t)w->profile.think_us));
}

static void send(struct sim *w, struct sim_client *c, uint64_t request, int type, struct buf *b)
{
    sim_link_send(w, c->link, request, type, b);
}

void sim_client_subscribe(struct sim *w, struct sim_client *c, uint32_t messages, uint64_t bytes)
{
    struct buf b;
    if (c->is_subscribed && sim_one_in(w, 2)) {
        ask_credit(&b, messages, bytes);
        send(w, c, 0, CLIENT(CREDIT), &b);
        return;
    }
    ask_subscribe(&b, messages, bytes);
    send(w, c, 0, CLIENT(SUBSCRIBE), &b);
    c->is_subscribed = true;
}

void sim_client_connect(struct sim *w, struct sim_client *c)
{
    struct buf b;
    if (c->link) /* the old connection lives on for a while, as far as the relay knows */
        sim_link_cut(w, c->link, (int64_t)sim_below(w, 2000 * SIM_MS));
    c->link = sim_link_new(w, c);
    c->e.session = c->link->session;
    c->is_welcome = c->is_subscribed = false;
    c->open_questions = 0;
    ask_hello(&b);
    send(w, c, 0, CLIENT(HELLO), &b);
}

void sim_client_submit(struct sim *w, struct sim_letter *l, bool with_other_bytes)
{
    struct buf b;
    struct stage_letter other = l->l;
    uint64_t request =
        sim_ask(w, with_other_bytes ? SIM_ASKED_OTHER_BYTES : SIM_ASKED_LETTER, l->from);
    other.sealed = "other bytes";
    w->questions[request].letter = l;
    w->questions[request].key = l->key;
    bool sends_other = with_other_bytes && w->sabotage != SIM_SAME_BYTES;
    ask_submit(&b, request, sends_other ? &other : &l->l);
    send(w, l->from, request, CLIENT(SUBMIT), &b);
    if (!with_other_bytes)
        l->asked_on = l->from->link->session;
}

void sim_client_ack(struct sim *w, struct sim_client *c, struct sim_copy *copy,
                    enum error unreadable)
{
    struct buf b;
    uint64_t request = sim_ask(w, SIM_ASKED_ACK, c);
    w->questions[request].key = copy->key;
    w->questions[request].was_known = true;
    ask_ack(&b, request, &copy->key, unreadable);
    copy->asked_on = c->link->session;
    if (w->sabotage == SIM_FORGET_ACK && !copy->is_acked && sim_one_in(w, 10)) {
        buf_fini(&b);
        c->open_questions--;
        set_acked(c, copy); /* it will come again */
        return;
    }
    send(w, c, request, CLIENT(ACK), &b);
}

static void say_opened(struct sim *w, struct sim_client *c, const struct sim_copy *copy)
{
    struct buf b;
    uint64_t request = sim_ask(w, SIM_ASKED_OPENED, c);
    w->questions[request].key = copy->key;
    w->questions[request].was_known = true;
    ask_opened(&b, request, &copy->key, &c->person, NULL);
    send(w, c, request, CLIENT(OPENED), &b);
}

static void track(struct sim *w, struct sim_client *c, const struct sim_letter *l)
{
    struct buf b;
    uint64_t request = sim_ask(w, SIM_ASKED_TRACK, c);
    w->questions[request].key = l->key;
    w->questions[request].was_known = l->answer == ERROR_NONE;
    ask_track(&b, request, &l->key.id);
    send(w, c, request, CLIENT(TRACK), &b);
}

static void ask_small(struct sim *w, struct sim_client *c)
{
    struct buf b;
    bool is_ping = !c->is_greedy && sim_one_in(w, 2);
    uint64_t request = sim_ask(w, is_ping ? SIM_ASKED_PING : SIM_ASKED_DIRECTORY, c);
    if (is_ping)
        ask_ping(&b, request);
    else
        ask_directory(&b, request, &w->municipalities[sim_below(w, 2)]);
    send(w, c, request, is_ping ? CLIENT(PING) : CLIENT(GET_DIRECTORY), &b);
}

/* ---- foreign ids (I6) ---- */

static void ask_about(struct sim *w, struct sim_client *c, unsigned how, enum sim_asked asked,
                      const struct message_key *key)
{
    struct buf b;
    uint64_t request = sim_ask(w, asked, c);
    static const int TYPES[] = {CLIENT(ACK), CLIENT(OPENED), CLIENT(TRACK)};
    w->questions[request].key = *key;
    w->questions[request].twin = asked == SIM_ASKED_FOREIGN ? request + 1 : request - 1;
    if (how == 0)
        ask_ack(&b, request, key, ERROR_NONE);
    else if (how == 1)
        ask_opened(&b, request, key, &c->person, NULL);
    else
        ask_track(&b, request, &key->id);
    send(w, c, request, TYPES[how], &b);
}

static bool is_reader(const struct sim_client *c, const struct sim_letter *l)
{
    for (size_t i = 0; i < l->l.reader_count; i++)
        if (id_equal(&l->l.readers[i], &c->e.id))
            return true;
    return false;
}

/* More of those that may have to be looked up. */
static const struct sim_letter *letter_of_others(struct sim *w)
{
    const struct sim_letter *l = NULL;
    for (unsigned tries = 0; tries < 4; tries++) {
        l = w->letter_list[sim_below(w, w->letter_count)];
        if (id_version(&l->key.id) != 7 || id_v7_ms(&l->key.id) < w->low_water_ms)
            break;
    }
    return l;
}

/* The same of a letter of others and of an id of the same time that nobody has. */
static void ask_twins(struct sim *w, struct sim_client *c)
{
    const struct sim_letter *l = letter_of_others(w);
    unsigned how = (unsigned)sim_below(w, 3);
    struct message_key foreign = l->key, unknown = l->key;
    bool is_own = is_reader(c, l) || id_equal(&l->key.organisation, &c->e.organisation);
    if (is_own != (w->sabotage == SIM_FOREIGN_IS_OWN))
        return;
    struct id random = sim_id(w, 4);
    unknown.id = id_version(&l->key.id) == 7 ? id_v7(id_v7_ms(&l->key.id), random.bytes) : random;
    ask_about(w, c, how, SIM_ASKED_FOREIGN, &foreign);
    ask_about(w, c, how, SIM_ASKED_UNKNOWN, &unknown);
}

/* ---- letters ---- */

static struct id new_message_id(struct sim *w, const struct sim_client *c)
{
    int64_t now_ms = sim_now(w).wall_ms + c->clock_ahead_ms;
    struct id random = sim_id(w, 4);
    if (!sim_one_in(w, w->profile.old_ids))
        return id_v7(now_ms, random.bytes);
    switch (sim_below(w, 5)) {
    case 0:
        return random;
    case 1:
        return id_v7(now_ms + 3600000, random.bytes);
    default:
        return id_v7(now_ms - (int64_t)sim_below(w, 400) * DAY_MS, random.bytes);
    }
}

/* Of a case that this client's organisation takes part in; NULL: none was found. */
static const struct sim_case *some_case(struct sim *w, const struct sim_client *c)
{
    size_t n = w->case_count < 256 ? w->case_count : 256;
    for (unsigned tries = 0; n > 0 && tries < 4; tries++) {
        const struct sim_case *k = &w->known_cases[sim_below(w, n)];
        if (id_equal(&k->practice, &c->e.organisation) || id_equal(&k->team, &c->e.organisation))
            return k;
    }
    return NULL;
}

static void address(struct sim *w, const struct sim_client *c, const struct id *to,
                    struct stage_letter *l)
{
    const struct sim_case *k = !to && sim_one_in(w, 2) ? some_case(w, c) : NULL;
    l->kind = c->is_practice ? KIND(REFERRAL) : KIND(NOTICE);
    l->to = w->organisations[c->is_practice ? 2 + sim_below(w, 2) : sim_below(w, 4)];
    l->case_id = c->is_practice ? sim_id(w, 4) : ID_NONE;
    if (to)
        l->to = *to;
    if (!k)
        return;
    l->kind = KIND(NOTE);
    l->case_id = sim_one_in(w, 12) ? sim_id(w, 4) : k->id;
    l->to = id_equal(&k->practice, &c->e.organisation) ? k->team : k->practice;
}

struct sim_letter *sim_client_write(struct sim *w, struct sim_client *c, const struct id *to)
{
    struct sim_letter *l = calloc(1, sizeof *l);
    assert_non_null(l);
    l->from = c;
    l->answer = SIM_NO_ANSWER;
    l->l = (struct stage_letter){.id = new_message_id(w, c),
                                 .from = &c->e,
                                 .person = c->person,
                                 .municipality = c->municipality,
                                 .sealed = "sealed bytes",
                                 .filler_bytes = (size_t)sim_below(w, 300),
                                 .written_at_ms = sim_now(w).wall_ms};
    if (sim_one_in(w, w->profile.large))
        l->l.filler_bytes = (size_t)sim_below(w, 9000);
    if (w->cases && !to)
        sim_people_address(w, c, &l->l);
    else
        address(w, c, to, &l->l);
    ask_set_readers(w->truth, &l->l);
    if (!to && sim_one_in(w, 30) && l->l.reader_count > 0)
        l->l.reader_count--;
    l->key = (struct message_key){c->e.organisation, l->l.id};
    assert_int_equal(map_insert(&w->letters, &l->node, (const uint8_t *)&l->key, sizeof l->key), 0);
    w->letter_list = sim_grown(w->letter_list, w->letter_count, &w->letter_capacity,
                               sizeof(struct sim_letter *));
    w->letter_list[w->letter_count++] = l;
    list_append(&c->pending, &l->pending);
    return l;
}

/* ---- hearing ---- */

static void note_case(struct sim *w, const struct sim_letter *l)
{
    if (l->l.kind != KIND(REFERRAL))
        return;
    w->known_cases[w->case_count++ % 256] =
        (struct sim_case){l->l.case_id, l->key.organisation, l->l.to, l->l.municipality};
}

static void hear_letter_answer(struct sim *w, struct sim_question *q, enum error code,
                               int64_t at_ms)
{
    struct sim_letter *l = q->letter;
    bool was_open = l->answer == SIM_NO_ANSWER;
    judge_letter_answer(w, q, code, at_ms);
    if (q->asked == SIM_ASKED_OTHER_BYTES)
        return;
    if (l->answer != SIM_NO_ANSWER)
        list_unlink(&l->pending);
    else if (error_is_passing(code) && code != ERROR_DIRECTORY_CHANGED && code != ERROR_CLOCK_AHEAD)
        l->asked_on = 0; /* again, later */
    else {
        l->is_given_up = true;
        list_unlink(&l->pending);
    }
    if (was_open && l->answer == ERROR_NONE)
        note_case(w, l);
}

static void hear_delivery(struct sim *w, struct sim_client *c, const Brug__V1__Deliver *d)
{
    struct message_key key = {0};
    Brug__V1__Header *h =
        brug__v1__header__unpack(NULL, d->envelope->header.len, d->envelope->header.data);
    assert_non_null(h);
    assert_true(!h->from || id_take(h->from->organisation, &key.organisation));
    assert_true(id_take(h->message_id, &key.id));
    struct sim_copy *copy = sim_copy_find(c, &key), unseen = {.key = key, .is_acked = true};
    if (w->sabotage == SIM_ACK_UNREAD && !copy && sim_one_in(w, 20)) {
        sim_client_ack(w, c, &unseen, ERROR_NONE);
        brug__v1__header__free_unpacked(h, NULL);
        return;
    }
    if (!copy) {
        copy = add_copy(c, &key);
        copy->kind = h->kind;
        assert_true(id_take_optional(h->in_reply_to, &copy->in_reply_to));
    }
    judge_delivery(w, c, d, copy);
    if (w->cases && !h->from)
        judge_notice(w, &key.id, h);
    copy->session = c->link->session;
    copy->deliveries++;
    brug__v1__header__free_unpacked(h, NULL);
}

static void hear_acked(struct sim_client *c, const Brug__V1__Acked *a)
{
    struct message_key key = {0};
    assert_true(id_take_optional(a->organisation, &key.organisation));
    assert_true(id_take(a->message_id, &key.id));
    struct sim_copy *copy = sim_copy_find(c, &key);
    if (copy)
        set_acked(c, copy);
}

static void hear_refusal(struct sim *w, struct sim_client *c, struct sim_question *q,
                         enum error code)
{
    struct sim_copy *copy = q->asked == SIM_ASKED_ACK ? sim_copy_find(c, &q->key) : NULL;
    if (q->asked == SIM_ASKED_LETTER || q->asked == SIM_ASKED_OTHER_BYTES)
        hear_letter_answer(w, q, code, 0);
    else if (copy && error_is_passing(code))
        copy->asked_on = 0; /* again, later */
}

void sim_client_on_frame(struct sim *w, struct sim_client *c, const Brug__V1__ServerFrame *f)
{
    struct sim_question *q = f->request ? &w->questions[f->request] : NULL;
    if (q && c->open_questions > 0)
        c->open_questions--;
    switch (f->frame_case) {
    case SERVER(WELCOME):
        c->is_welcome = true;
        act_soon(w, c, 1);
        break;
    case SERVER(DELIVER):
        hear_delivery(w, c, f->deliver);
        break;
    case SERVER(RECEIPT):
        hear_letter_answer(w, q, ERROR_NONE, f->receipt->stored_at_ms);
        break;
    case SERVER(REFUSED):
        hear_refusal(w, c, q, (enum error)f->refused->code);
        break;
    case SERVER(ACKED):
        hear_acked(c, f->acked);
        break;
    case SERVER(CASES):
        if (q)
            sim_people_on_page(w, c, q, f->cases);
        break;
    default:
        break;
    }
}

void sim_client_on_end(struct sim *w, struct sim_client *c)
{
    bool was_welcome = c->is_welcome;
    c->is_welcome = c->is_subscribed = false;
    c->open_questions = 0;
    act_soon(w, c, was_welcome ? 1 : 20); /* who is turned away comes back later */
}

/* ---- doing ---- */

static bool may_ask(const struct sim *w, const struct sim_client *c, unsigned more)
{
    return c->open_questions + more + 1 < w->relay_limits.requests_max;
}

static void give_credit(struct sim *w, struct sim_client *c)
{
    if (w->is_calm && c->is_subscribed)
        c->is_subscribed = false; /* Subscribe sets credit anew, whatever is left of it */
    if (w->is_calm)
        sim_client_subscribe(w, c, 1000, 1u << 20);
    else
        sim_client_subscribe(w, c, 1 + (uint32_t)sim_below(w, 40), sim_below(w, 20000));
}

static bool send_pending(struct sim *w, struct sim_client *c)
{
    list_for_each (at, next, &c->pending) {
        struct sim_letter *l = container_of(at, struct sim_letter, pending);
        if (l->asked_on == c->link->session)
            continue;
        sim_client_submit(w, l, false);
        return true;
    }
    return false;
}

static void write_new(struct sim *w, struct sim_client *c)
{
    size_t n = 0;
    list_for_each (at, next, &c->pending) {
        n++;
    }
    if (w->letter_count < LETTERS_MAX && n < LETTERS_PENDING_MAX && !w->is_calm)
        sim_client_submit(w, sim_client_write(w, c, NULL), false);
}

/* One that was answered, perhaps with other bytes under its id. */
static void send_again(struct sim *w, struct sim_client *c)
{
    for (unsigned tries = 0; tries < 6 && w->letter_count > 0; tries++) {
        struct sim_letter *l = w->letter_list[sim_below(w, w->letter_count)];
        if (l->from != c || l->is_given_up)
            continue;
        sim_client_submit(w, l, l->answer != SIM_NO_ANSWER && sim_one_in(w, 3));
        return;
    }
}

static bool ack_some(struct sim *w, struct sim_client *c)
{
    for (size_t tries = 0; tries < 8 && c->unacked_count > 0; tries++) {
        struct sim_copy *copy =
            c->unacked[w->is_calm ? tries % c->unacked_count : sim_below(w, c->unacked_count)];
        if (copy->asked_on == c->link->session)
            continue;
        sim_client_ack(w, c, copy,
                       sim_one_in(w, 12) && !w->is_calm ? ERROR_LETTER_DECRYPT : ERROR_NONE);
        return true;
    }
    return false;
}

/* Every second time one of the newest, with which something happens now. */
static const struct sim_letter *letter_to_track(struct sim *w)
{
    size_t n = w->letter_count;
    if (n > NEWEST_LETTERS && sim_one_in(w, 2))
        return w->letter_list[n - 1 - sim_below(w, NEWEST_LETTERS)];
    return w->letter_list[sim_below(w, n)];
}

static void lose_connection(struct sim *w, struct sim_client *c)
{
    if (sim_one_in(w, 2)) {
        sim_client_connect(w, c);
        return;
    }
    sim_link_cut(w, c->link, (int64_t)sim_below(w, 200 * SIM_MS));
    sim_client_on_end(w, c);
}

static void do_something(struct sim *w, struct sim_client *c)
{
    uint64_t what = sim_below(w, 20);
    if (what < 6 && c->reads && !c->never_acks)
        (void)ack_some(w, c);
    else if (what < 9)
        write_new(w, c);
    else if (what < 11)
        (void)send_pending(w, c);
    else if (what < 12)
        send_again(w, c);
    else if (what < 15 && c->reads)
        give_credit(w, c);
    else if (what < 16 && c->count > 0)
        say_opened(w, c, c->list[sim_below(w, c->count)]);
    else if (what < 17 && c->count > 0 && sim_one_in(w, 3))
        sim_client_ack(w, c, c->list[sim_below(w, c->count)], ERROR_NONE);
    else if (what < 18 && w->letter_count > 0 && c->reads)
        ask_twins(w, c);
    else if (what < 19 && w->letter_count > 0) {
        const struct sim_letter *l = letter_to_track(w);
        if (id_equal(&l->key.organisation, &c->e.organisation))
            track(w, c, l);
    } else
        ask_small(w, c);
}

/* One of the newest as a rule: later it is too late. */
static const struct sim_copy *copy_to_open(struct sim *w, const struct sim_client *c)
{
    size_t n = c->count < NEWEST_LETTERS || sim_one_in(w, 6) ? c->count : NEWEST_LETTERS;
    return c->list[c->count - 1 - sim_below(w, n)];
}

/* Away for days. */
static void go_offline(struct sim *w, struct sim_client *c)
{
    sim_link_cut(w, c->link, (int64_t)sim_below(w, 2000 * SIM_MS));
    sim_client_on_end(w, c);
    sim_schedule(w, &c->act, (int64_t)sim_below(w, OFFLINE_US));
}

static bool ack_many(struct sim *w, struct sim_client *c)
{
    unsigned n = 0;
    while (n < ACKS_AT_ONCE && may_ask(w, c, 2) && ack_some(w, c))
        n++;
    return n > 0;
}

/* A working day: less of everything else than in do_something, and more of letters that are read and opened. */
static void lead_cases(struct sim *w, struct sim_client *c)
{
    uint64_t what = sim_below(w, 23);
    if (c->reads && c->unacked_count == 0 && sim_one_in(w, 3))
        give_credit(w, c);
    if (what < 6 && c->reads)
        ack_many(w, c);
    else if (what < 13 && (list_is_empty(&c->pending) || sim_one_in(w, 3)))
        write_new(w, c);
    else if (what < 13)
        for (unsigned i = 0; i < 4 && may_ask(w, c, 2) && send_pending(w, c); i++)
            continue;
    else if (what < 17 && c->count > 0)
        say_opened(w, c, copy_to_open(w, c));
    else if (what < 21)
        sim_people_ask(w, c);
    else if (what < 22 && sim_one_in(w, 8))
        go_offline(w, c);
    else
        do_something(w, c);
}

/* Finishes what is open, one thing at a time. */
static void finish(struct sim *w, struct sim_client *c)
{
    if (c->reads && c->is_subscribed && !sim_one_in(w, 3) &&
        (w->cases ? ack_many(w, c) : ack_some(w, c)))
        return;
    if (sim_one_in(w, 2) && send_pending(w, c))
        return; /* what is refused goes through when others have read */
    if (c->reads && (!c->is_subscribed || sim_one_in(w, 3)))
        give_credit(w, c);
}

/* Questions whose answers wait for a letter's group, and more of them than may be unanswered. */
static void ask_too_much(struct sim *w, struct sim_client *c)
{
    write_new(w, c);
    for (uint32_t i = 0; i < 2 * w->relay_limits.requests_max; i++)
        ask_small(w, c);
}

void sim_client_act(struct sim *w, struct sim_event *e)
{
    struct sim_client *c = container_of(e, struct sim_client, act);
    if (c->is_away)
        return;
    if (!c->link)
        sim_client_connect(w, c);
    if (!c->is_welcome && !sim_one_in(w, 3))
        return; /* most wait for their Welcome */
    act_soon(w, c, 1);
    if (!w->is_calm && sim_one_in(w, w->profile.losses))
        lose_connection(w, c);
    else if (c->is_greedy && !w->is_calm && c->is_welcome && sim_one_in(w, 8))
        ask_too_much(w, c);
    else if (!may_ask(w, c, 2))
        return;
    else if (w->is_calm)
        finish(w, c);
    else if (c->reads && !c->is_subscribed)
        give_credit(w, c);
    else if (w->cases)
        lead_cases(w, c);
    else
        do_something(w, c);
}

/* ---- done ---- */

static bool is_done(const struct sim_client *c)
{
    return list_is_empty(&c->pending) && c->unacked_count == 0 && c->open_questions == 0;
}

/* Whether its copies may wait for ever. */
static bool reads_now(const struct sim *w, const struct sim_client *c)
{
    const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
    return e && endpoint_reads(e);
}

/* A client that is not done, and may come in; NULL: none. */
static const struct sim_client *undone(const struct sim *w)
{
    for (size_t i = 0; i < w->client_count; i++) {
        const struct sim_client *c = &w->clients[i];
        const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
        if (!e || endpoint_judge(e, NULL))
            continue;
        if (!is_done(c) || (reads_now(w, c) && !list_is_empty(&e->mailbox)))
            return c;
    }
    return NULL;
}

bool sim_clients_are_done(struct sim *w, void *ctx)
{
    (void)ctx;
    return w->relay && relay_is_idle(w->relay) && !undone(w) &&
           (!w->cases || judge_cases_are_told(w));
}

void sim_clients_flag_undone(struct sim *w)
{
    const struct sim_client *c = undone(w);
    char text[ID_TEXT_BYTES] = "nobody";
    size_t letters = 0;
    if (!c) {
        sim_flag(w, "all arrived, and the relay is not idle");
        return;
    }
    list_for_each (at, next, &c->pending) {
        letters++;
    }
    const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
    sim_flag(w,
             "not all arrived and was answered: %s (session %llu, welcome %d) has %zu letters "
             "without an answer, "
             "%u questions, %zu copies without Acked, and copies that wait: %d",
             id_to_text(&c->e.id, text), c->link ? (unsigned long long)c->link->session : 0,
             c->is_welcome, letters, c->open_questions, c->unacked_count,
             !list_is_empty(&e->mailbox));
}
