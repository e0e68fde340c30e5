/*
 * tests/lib/sim_sabotage.c: what controls break, so that each check of the judge and of the scenes is seen to fail.
 *
 * A link shows the judge, or hands the client, another frame than the relay sent; the relay gets other limits; its
 * state or its counts are changed by hand. So the world is that of a relay (or a disk, or a client) that breaks this one
 * promise. Small ones stand where they belong: sim_disk.c, sim_world.c, sim_links.c, sim_clients.c, sim_judge.c.
 */
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define ONE_IN 20u
#define OLD_MS (INT64_C(30) * 86400000)
#define BUDGET_FACTOR 8u
#define LOW_CAP 5u
#define CASES_FIRST 3u
#define HIGH_CAP 20u

static struct sim_question *question_of(const struct sim *w, const Brug__V1__ServerFrame *f)
{
    return f->request && f->request <= w->question_count ? &w->questions[f->request] : NULL;
}

/* A receipt for a letter whose client has its answer already. */
static bool is_repeat(const struct sim_question *q, const Brug__V1__ServerFrame *f)
{
    return q && q->asked == SIM_ASKED_LETTER && q->letter->answer != SIM_NO_ANSWER &&
           f->frame_case == SERVER(RECEIPT);
}

/* ---- what leaves ---- */

static void ask_of_another(struct sim *w, const struct sim_link *l, Brug__V1__ServerFrame *f)
{
    uint64_t other = 1 + sim_below(w, w->question_count);
    if (f->request && w->questions[other].session != l->session)
        f->request = other;
}

static void show_elsewhere(const Brug__V1__Directory *d)
{
    for (size_t i = 0; d->n_organisations > 0 && i < d->organisations[0]->n_municipalities; i++)
        d->organisations[0]->municipalities[i].data[0] ^= 1;
}

static void leave_out_link(Brug__V1__Case *c)
{
    if (c->n_linked > 0)
        brug__v1__linked_case__free_unpacked(c->linked[--c->n_linked], NULL);
}

static void leave_out_links(Brug__V1__ServerFrame *f)
{
    if (f->frame_case == SERVER(CASE_FACTS))
        leave_out_link(f->case_facts);
    for (size_t i = 0; f->frame_case == SERVER(CASES) && i < f->cases->n_cases; i++)
        leave_out_link(f->cases->cases[i]);
}

static void leave_out_last(Brug__V1__Cases *page)
{
    if (page->n_cases > 1)
        brug__v1__case__free_unpacked(page->cases[--page->n_cases], NULL);
}

/* What was published, or what is told to the team. */
static void change_figure(const struct sim *w, Brug__V1__Figures *f)
{
    bool is_published = f->n_teams > 0 && f->teams[0]->published_at_ms > 0;
    if (f->n_teams > 0 && w->sabotage == (is_published ? SIM_OTHER_TABLE : SIM_OTHER_FIGURE))
        f->teams[0]->rows[0]->number++;
}

static void empty(Brug__V1__ServerFrame *f)
{
    brug__v1__noted__free_unpacked(f->noted, NULL);
    f->noted = NULL;
    f->frame_case = SERVER(_NOT_SET);
}

static unsigned deliveries_leaving(struct sim *w)
{
    if (w->sabotage == SIM_SKIP_COPY && sim_one_in(w, ONE_IN))
        return 0;
    return w->sabotage == SIM_SEND_AGAIN && sim_one_in(w, ONE_IN) ? 2 : 1;
}

unsigned sabotage_leaving(struct sim *w, struct sim_link *l, Brug__V1__ServerFrame *f)
{
    struct sim_question *q = question_of(w, f);
    if (w->sabotage == SIM_HONEST)
        return 1;
    if (f->frame_case == SERVER(DELIVER))
        return deliveries_leaving(w);
    if (w->sabotage == SIM_ANSWER_TWICE && q)
        return 2;
    if (w->sabotage == SIM_WRONG_SESSION && q)
        ask_of_another(w, l, f);
    if (w->sabotage == SIM_OTHER_TIME && is_repeat(q, f))
        f->receipt->stored_at_ms++;
    if (w->sabotage == SIM_TELL_FOREIGN && q && q->asked == SIM_ASKED_FOREIGN &&
        f->frame_case == SERVER(REFUSED))
        f->refused->code = BRUG__V1__CODE__CODE_ROLE_NOT_ALLOWED;
    if (w->sabotage == SIM_SHOW_ELSEWHERE && f->frame_case == SERVER(DIRECTORY))
        show_elsewhere(f->directory);
    if (w->sabotage == SIM_EMPTY_ANSWER && f->frame_case == SERVER(NOTED))
        empty(f);
    if (w->sabotage == SIM_TRACK_AHEAD && f->frame_case == SERVER(TRACKED) &&
        f->tracked->n_readers > 0)
        f->tracked->readers[0]->fetched_at_ms++;
    if (w->sabotage == SIM_FORGET_KNOWN && q && q->asked == SIM_ASKED_UNKNOWN)
        q->was_known = true;
    if (w->sabotage == SIM_TELL_CUSTODY && f->frame_case == SERVER(CASE_FACTS))
        f->case_facts->custody ^= BRUG__V1__SIDE__SIDE_PRACTICE ^ BRUG__V1__SIDE__SIDE_TEAM;
    if (f->frame_case == SERVER(FIGURES))
        change_figure(w, f->figures);
    if (w->sabotage == SIM_DROP_LINK)
        leave_out_links(f);
    if (w->sabotage == SIM_SHORT_PAGE && f->frame_case == SERVER(CASES))
        leave_out_last(f->cases);
    return 1;
}

/* ---- what arrives ---- */

/* The first two that are under way. */
static void swap_deliveries(struct sim_link *l)
{
    struct sim_frame *a = container_of(list_first(&l->down), struct sim_frame, link);
    struct list *second = a->link.next;
    if (second == &l->down)
        return;
    struct sim_frame *b = container_of(second, struct sim_frame, link);
    if (b->server->frame_case != SERVER(DELIVER))
        return;
    Brug__V1__Deliver *deliver = a->server->deliver;
    a->server->deliver = b->server->deliver;
    b->server->deliver = deliver;
}

static void hand_to_another(struct sim *w, const struct sim_link *l, const Brug__V1__ServerFrame *f)
{
    struct sim_client *c = &w->clients[sim_below(w, w->client_count)];
    if (c->link && c != l->client)
        sim_client_on_frame(w, c, f);
}

static bool is_old(const struct sim *w, const Brug__V1__Deliver *d)
{
    int64_t age_ms = sim_now(w).wall_ms - d->stored_at_ms;
    return age_ms > OLD_MS || age_ms < -OLD_MS;
}

static bool has_parked(const struct sim *w, const struct sim_client *c)
{
    const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
    return e && e->parked > 0;
}

static bool is_fact(const Brug__V1__Deliver *d)
{
    Brug__V1__Header *h =
        brug__v1__header__unpack(NULL, d->envelope->header.len, d->envelope->header.data);
    assert_non_null(h);
    bool is = h->kind == BRUG__V1__KIND__KIND_FACT || h->kind == BRUG__V1__KIND__KIND_NON_DELIVERY;
    brug__v1__header__free_unpacked(h, NULL);
    return is;
}

/* Its date is another one, or the case that it links with. */
static void change_notice(const struct sim *w, ProtobufCBinaryData *header)
{
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, header->len, header->data);
    assert_non_null(h);
    bool has_what = w->sabotage == SIM_OTHER_NOTICE ? h->until_date > 0 : h->linked_case.len > 0;
    if (has_what) {
        if (w->sabotage == SIM_OTHER_NOTICE)
            h->until_date++;
        else
            h->linked_case.data[0] ^= 1;
        header->data = realloc(header->data, brug__v1__header__get_packed_size(h));
        assert_non_null(header->data);
        header->len = brug__v1__header__pack(h, header->data);
    }
    brug__v1__header__free_unpacked(h, NULL);
}

static unsigned delivery_arriving(struct sim *w, struct sim_link *l, Brug__V1__ServerFrame *f)
{
    ProtobufCBinaryData sealed = f->deliver->envelope->sealed;
    bool has_ended = w->kills + w->cuts > 0;
    switch (w->sabotage) {
    case SIM_LOST_BY_END:
        return has_ended ? 0 : 1;
    case SIM_LOST_BY_AGE:
        return is_old(w, f->deliver) ? 0 : 1;
    case SIM_LOST_BEHIND_PARKED:
        return has_parked(w, l->client) ? 0 : 1;
    case SIM_TWICE_BY_AGE:
        return is_old(w, f->deliver) ? 2 : 1;
    case SIM_NO_FACT:
        return is_fact(f->deliver) ? 0 : 1;
    case SIM_DELIVER_TWICE:
        return sim_one_in(w, ONE_IN) ? 2 : 1;
    case SIM_REORDER:
        swap_deliveries(l);
        return 1;
    case SIM_SPOIL:
        if (sealed.len > 0)
            sealed.data[sim_below(w, sealed.len)] ^= 1;
        return 1;
    case SIM_WRONG_READER:
        hand_to_another(w, l, f);
        return 1;
    case SIM_OTHER_NOTICE:
    case SIM_OTHER_LINK:
        if (sealed.len == 0)
            change_notice(w, &f->deliver->envelope->header);
        return 1;
    default:
        return 1;
    }
}

static void refuse(Brug__V1__ServerFrame *f)
{
    brug__v1__receipt__free_unpacked(f->receipt, NULL);
    f->frame_case = SERVER(REFUSED);
    f->refused = malloc(sizeof *f->refused);
    assert_non_null(f->refused);
    brug__v1__refused__init(f->refused);
    f->refused->code = BRUG__V1__CODE__CODE_NO_SUCH_MESSAGE;
}

static void accept(Brug__V1__ServerFrame *f)
{
    brug__v1__refused__free_unpacked(f->refused, NULL);
    f->frame_case = SERVER(RECEIPT);
    f->receipt = malloc(sizeof *f->receipt);
    assert_non_null(f->receipt);
    brug__v1__receipt__init(f->receipt);
}

/* To who claims a case that a colleague has. */
static void tell_claim(const struct sim *w, Brug__V1__ServerFrame *f)
{
    if (f->frame_case != SERVER(REFUSED) || f->refused->code != BRUG__V1__CODE__CODE_CASE_TAKEN)
        return;
    if (w->sabotage == SIM_BOTH_CLAIM)
        accept(f);
    else if (w->sabotage == SIM_UNCLEAR)
        f->refused->code = BRUG__V1__CODE__CODE_NO_SUCH_CASE;
}

unsigned sabotage_arriving(struct sim *w, struct sim_link *l, Brug__V1__ServerFrame *f)
{
    const struct sim_question *q = question_of(w, f);
    if (w->sabotage == SIM_HONEST || !l->client)
        return 1;
    if (f->frame_case == SERVER(DELIVER))
        return delivery_arriving(w, l, f);
    if (w->sabotage == SIM_NO_RECEIPT && l->client == &w->clients[0])
        return f->frame_case == SERVER(RECEIPT) ? 0 : 1;
    if (w->sabotage == SIM_OTHER_ANSWER && is_repeat(q, f))
        f->receipt->stored_at_ms++;
    if (w->sabotage == SIM_NOW_REFUSED && is_repeat(q, f))
        refuse(f);
    tell_claim(w, f);
    return 1;
}

/* ---- what the relay allows ---- */

static void widen(struct relay_limits *l)
{
    l->requests_max *= BUDGET_FACTOR;
    l->session_unstored_bytes_max *= BUDGET_FACTOR;
    l->unstored_bytes_max *= BUDGET_FACTOR;
    l->body_cache_bytes_max *= BUDGET_FACTOR;
    l->waiting_max *= BUDGET_FACTOR;
    l->quota_messages_max *= BUDGET_FACTOR;
    l->waiting_commands_max *= BUDGET_FACTOR;
}

void sabotage_begin(struct sim *w)
{
    struct relay_limits *l = &w->relay_limits;
    w->sabotage = w->control ? w->control->sabotage : SIM_HONEST;
    w->disk.forgets = w->sabotage == SIM_LOST_GROUP;
    if (w->sabotage == SIM_WIDE_LIMITS)
        widen(l);
    if (w->sabotage == SIM_NO_CAP)
        l->redelivery_sessions_max = 0;
    if (w->sabotage == SIM_LOW_CAP)
        l->redelivery_sessions_max = LOW_CAP;
    if (w->sabotage == SIM_HIGH_CAP)
        l->redelivery_sessions_max = HIGH_CAP;
    if (w->sabotage == SIM_REMIND_EARLY)
        l->terms.remind++;
    if (w->sabotage == SIM_LONGER_TERM)
        l->terms.start++;
    if (w->relay)
        w->relay->limits = *l;
}

/* What the judge believes that the client said. */
void sabotage_credit(struct sim *w, struct sim_link *l)
{
    if (w->sabotage == SIM_CREDIT_MESSAGES && l->credit_messages > 0)
        l->credit_messages--;
    if (w->sabotage == SIM_CREDIT_BYTES)
        l->credit_bytes /= 2;
}

/* ---- what it counts and has in mind ---- */

static struct sim_link *some_link(const struct sim *w)
{
    list_for_each (at, next, &w->links) {
        struct sim_link *l = container_of(at, struct sim_link, all);
        const struct session *s = session_find(w->relay, l->session);
        if (s && s->is_subscribed)
            return l;
    }
    return NULL;
}

static void change_a_message(const struct state *s)
{
    struct map_node *n = map_next(&s->messages, NULL);
    if (n)
        container_of(n, struct message, node)->at_ms++;
}

/* ---- cases in the relay's mind ---- */

/* False: it stays as it was. */
typedef bool change_cb(struct case_file *c);

static bool forget_a_step(struct case_file *c)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].notices > 0) {
            c->owed[i].notices--;
            return true;
        }
    return false;
}

static bool drop_a_question(struct case_file *c)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == BRUG__V1__OWED_KIND__OWED_KIND_INFO_REPLY) {
            c->owed[i] = c->owed[--c->owed_count];
            return true;
        }
    return false;
}

static bool end_unasked(struct case_file *c)
{
    if (c->proposal.kind != BRUG__V1__KIND__KIND_STOP_PROPOSAL)
        return false;
    *c = (struct case_file){.id = c->id,
                            .state = BRUG__V1__CASE_STATE__CASE_STATE_STOPPED,
                            .custody = BRUG__V1__SIDE__SIDE_PRACTICE,
                            .director = c->director};
    return true;
}

static void change_cases(struct state *s, change_cb *change)
{
    struct arena *arena = arena_new();
    struct case_file file;
    struct case_row row;
    assert_non_null(arena);
    for (struct map_node *n = map_next(&s->cases, NULL); n; n = map_next(&s->cases, n)) {
        arena_reset(arena, SIZE_MAX);
        Brug__V1__Case *was = casefile_unpack(container_of(n, struct casefile, node), arena);
        assert_int_equal(case_row_read(was, &file), 0);
        if (!change(&file))
            continue;
        case_row_write(&file, was, &row);
        assert_int_equal(casefile_put(s, &row.row), 0);
    }
    arena_free(arena);
}

static void count_twice(struct state *s)
{
    struct map_node *n = map_next(&s->figures, NULL);
    struct figure_book *b = n ? container_of(n, struct figure_book, node) : NULL;
    if (b && b->line_count > 0)
        b->lines[0].entries[0].count++;
}

static void forget_tables(struct state *s)
{
    for (struct map_node *n = map_next(&s->figures, NULL); n; n = map_next(&s->figures, n)) {
        struct figure_book *b = container_of(n, struct figure_book, node);
        while (b->published_count > 0)
            buf_fini(&b->published[--b->published_count].row);
    }
}

static void case_sabotage_step(struct sim *w)
{
    struct state *s = w->relay->state;
    if (w->sabotage == SIM_COUNT_TWICE && sim_one_in(w, ONE_IN))
        count_twice(s);
    struct heap_node *first = heap_first(&s->steps);
    if (w->sabotage == SIM_BELIEVE_CLOCK)
        w->relay->steps_from_ms = 0;
    if (w->sabotage == SIM_FORGET_STEP && first)
        heap_remove(&s->steps, first);
    if (w->sabotage == SIM_DROP_OWED && sim_one_in(w, ONE_IN))
        change_cases(s, drop_a_question);
    if (w->sabotage == SIM_END_UNASKED && sim_one_in(w, ONE_IN))
        change_cases(s, end_unasked);
}

/* Once there are cases: without room none is opened. */
bool sabotage_hides_room(const struct sim *w)
{
    return w->sabotage == SIM_NO_ROOM && w->cases->count >= CASES_FIRST;
}

void sabotage_step(struct sim *w)
{
    if (w->cases && w->relay)
        case_sabotage_step(w);
    struct sim_link *l = w->relay && w->sabotage != SIM_HONEST ? some_link(w) : NULL;
    struct session *s = l ? session_find(w->relay, l->session) : NULL;
    if (!s)
        return;
    if (w->sabotage == SIM_COUNT_UNSTORED)
        l->asked_bytes++;
    if (w->sabotage == SIM_COUNT_WAITING)
        w->relay->state->waiting++;
    if (w->sabotage == SIM_COUNT_UNANSWERED)
        s->unanswered++;
    if (w->sabotage == SIM_COUNT_IN_FLIGHT)
        s->in_flight++;
    if (w->sabotage == SIM_DRIFT)
        change_a_message(w->relay->state);
}

void sabotage_loaded(struct sim *w, struct state *s)
{
    if (w->sabotage == SIM_OTHER_LOADED)
        change_a_message(s);
    if (w->sabotage == SIM_STEP_AGAIN)
        change_cases(s, forget_a_step);
    if (w->sabotage == SIM_COUNT_LOADED)
        count_twice(s);
    if (w->sabotage == SIM_PUBLISH_AGAIN)
        forget_tables(s);
}
