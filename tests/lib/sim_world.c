/*
 * tests/lib/sim_world.c: the world's life: events, clock, operator, storage, ends and starts.
 *
 * Failures: what must not happen is flagged (sim_flag) and ends the world; memory or files that this harness lacks
 * end the program.
 */
#include "proto/limits.h"
#include "tests/lib/outbox.h"
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HOUR_MS INT64_C(3600000)
#define YEAR_MS (365 * 24 * HOUR_MS)
#define QUIET_US (50 * SIM_MS) /* as daemon/store/thread.c */
#define SECOND_US (1000 * SIM_MS)
#define WALK_EVERY 400u
#define WALK_OF_CASES_EVERY 2000u
#define WORLDS_PER_WALKED 2u /* in one of so many the walk comes after each step */
#define CALM_STEPS_MAX 100000u
#define CALM_OF_CASES_STEPS_MAX 1000000u /* months of letters may wait */
#define CALM_US_MAX (INT64_C(900) * SECOND_US)
#define GREEDY_CLIENT 4u /* a gp, in every third world */
#define CALLS_OF_A_JOB 10u
#define CALLS_OF_EVERY_COMMIT 2u /* a write and a sync (daemon/store/gather.h) */
#define CALLS_OF_A_START 40u

#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name
#define STATUS(name) BRUG__V1__STATUS__STATUS_##name
#define PRACTICE BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE
#define TEAM BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM

static const uint64_t HASH_SEED[2] = {3, 4};
static const char *const ANCHORS[2] = {"anchor certificate", "another anchor certificate"};

/* ---- numbers ---- */

/* SplitMix64 (Steele, Lea and Flood). */
static uint64_t split_mix(uint64_t *at)
{
    uint64_t z = (*at += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t sim_random(struct sim *w) { return split_mix(&w->random); }
uint64_t sim_below(struct sim *w, uint64_t n) { return sim_random(w) % n; }
bool sim_one_in(struct sim *w, unsigned n) { return n > 0 && sim_below(w, n) == 0; }

struct id sim_id(struct sim *w, unsigned version)
{
    uint64_t random[2] = {sim_random(w), sim_random(w)};
    struct digest d = digest_of_slice(slice_of(random, sizeof random));
    struct id id = id_v8(&d);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | version << 4);
    return id;
}

void *sim_grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 64;
    items = reallocarray(items, *capacity, size);
    assert_non_null(items);
    return items;
}

/* ---- events and time ---- */

struct instant sim_now(const struct sim *w)
{
    int64_t ms = w->slept_ms + w->now_us / SIM_MS;
    return (struct instant){SIM_BEGIN_MS + w->wall_ahead_ms + ms, 1000 + ms};
}

void sim_event_init(struct sim_event *e, void (*happen)(struct sim *w, struct sim_event *e))
{
    heap_node_init(&e->due);
    e->happen = happen;
}

void sim_schedule(struct sim *w, struct sim_event *e, int64_t after_us)
{
    heap_remove(&w->events, &e->due);
    assert_int_equal(heap_insert(&w->events, &e->due, w->now_us + after_us), ERROR_NONE);
}

void sim_cancel(struct sim *w, struct sim_event *e) { heap_remove(&w->events, &e->due); }

static bool is_due(const struct sim_event *e) { return e->due.position != HEAP_OUT; }

/* ---- the relay's wake-ups ---- */

static void on_wake_end(struct sim *w, struct sim_event *e)
{
    (void)e;
    if (w->relay)
        relay_flush(w->relay, sim_now(w));
}

void sim_wake(struct sim *w)
{
    if (!w->relay)
        return;
    if (sim_one_in(w, 2)) {
        sim_cancel(w, &w->wake_end);
        relay_flush(w->relay, sim_now(w));
    } else if (!is_due(&w->wake_end)) {
        sim_schedule(w, &w->wake_end, (int64_t)sim_below(w, 300));
    }
}

/* ---- storage ---- */

static void apply_group(struct sim *w, const struct group *g)
{
    struct slice rest = buf_slice(&g->records), payload;
    unsigned type;
    for (uint32_t i = 0; i < g->count; i++) {
        assert_int_equal(group_next_record(&rest, &type, &payload), ERROR_NONE);
        assert_int_equal(apply_record_with(w->truth, g->first_lsn + i, type, payload,
                                           group_kept(g, g->first_lsn + i)),
                         ERROR_NONE);
        if (w->cases)
            judge_case_record(w, g->first_lsn + i, type, payload);
        if (w->violations)
            return; /* what follows may not fit what is there */
    }
    if (w->cases)
        judge_case_group_end(w);
}

void sim_touch_disk(struct sim *w)
{
    struct sim_disk *d = &w->disk;
    bool is_wanted = d->group || d->wanted_count > 0;
    if (is_due(&w->disk_done)) {
        if (d->job != SIM_FOLD || !is_wanted || sim_one_in(w, 2))
            return; /* it folds already, or is busy */
        sim_cancel(w, &w->disk_done);
        d->job = SIM_NO_JOB; /* it was still waiting for quiet */
    }
    enum sim_job job = sim_disk_begin(d);
    int64_t us = 50 + (int64_t)sim_below(w, (uint64_t)w->profile.disk_us);
    if (job == SIM_FOLD && d->last_job != SIM_FOLD)
        us += QUIET_US;
    if (job != SIM_NO_JOB)
        sim_schedule(w, &w->disk_done, us);
}

/* A control: the answers leave, and the next group comes, while this one is not even written. */
static void tell_early(struct sim *w, unsigned calls)
{
    struct group *g = w->disk.group;
    w->disk.group = NULL;
    relay_on_durable(w->relay, g->first_lsn + g->count - 1, sim_now(w));
    struct group *next = w->disk.group;
    w->disk.group = g;
    (void)sim_disk_work(&w->disk, calls);
    if (w->disk.results.failed) {
        group_free(next);
        sim_end(w, SIM_KILL); /* at once: the relay would hand over more */
    } else {
        w->disk.group = next;
    }
}

static void on_disk_done(struct sim *w, struct sim_event *e)
{
    struct sim_disk *d = &w->disk;
    enum sim_job job = d->job;
    bool fails = job == SIM_COMMIT && !w->is_calm && sim_one_in(w, w->profile.failures);
    bool is_posted = true;
    unsigned calls = fails ? 1 + (unsigned)sim_below(w, CALLS_OF_EVERY_COMMIT) : 0;
    (void)e;
    if (job == SIM_COMMIT && w->sabotage == SIM_EARLY_DURABLE && w->relay)
        tell_early(w, calls);
    else
        is_posted = sim_disk_work(d, calls);
    if (job == SIM_COMMIT && d->results.group && !d->results.failed) {
        w->commits++;
        apply_group(w, d->results.group);
    }
    if (is_posted && !is_due(&w->collect))
        sim_schedule(w, &w->collect, (int64_t)sim_below(w, 200));
    sim_touch_disk(w);
}

static void take_figures(struct sim *w, const struct store_results *r)
{
    bool is_ahead = w->sabotage == SIM_FOLD_AHEAD;
    relay_set_room(w->relay, r->has_room && w->has_room && !sabotage_hides_room(w));
    relay_set_folded(w->relay, is_ahead ? store_lsn(w->disk.store) : r->folded_lsn);
    if (r->is_behind != w->is_behind) {
        w->is_behind = r->is_behind;
        relay_set_fold_behind(w->relay, r->is_behind);
    }
}

static void take_results(struct sim *w, struct store_results *r)
{
    take_figures(w, r);
    if (r->group) {
        if (r->durable_lsn > w->relay->durable_lsn) /* a control told it before */
            relay_on_durable(w->relay, r->durable_lsn, sim_now(w));
        w->told_lsn = r->durable_lsn;
        group_free(r->group);
    }
    for (size_t i = 0; i < r->load_count; i++)
        relay_on_loaded(w->relay, r->loads[i], sim_now(w));
}

static void collect(struct sim *w)
{
    struct store_results r;
    do {
        sim_disk_collect(&w->disk, &r);
        if (r.failed) {
            for (size_t i = 0; i < r.load_count; i++)
                load_free(r.loads[i]);
            group_free(r.group);
            sim_end(w, SIM_KILL); /* as the daemon does */
            return;
        }
        take_results(w, &r);
    } while (r.load_count == sizeof r.loads / sizeof r.loads[0]);
}

static void on_collect(struct sim *w, struct sim_event *e)
{
    (void)e;
    if (!w->relay)
        return;
    collect(w);
    sim_wake(w);
}

static void on_second(struct sim *w, struct sim_event *e)
{
    sim_schedule(w, e, SECOND_US);
    if (!w->relay)
        return;
    collect(w);
    if (w->relay && relay_next_deadline_ms(w->relay) <= sim_now(w).wall_ms)
        relay_on_time(w->relay, sim_now(w));
    sim_wake(w);
    if (w->cases)
        sim_cases_second(w);
}

/* ---- ends and starts ---- */

static void end_disk(struct sim *w, enum sim_end how, unsigned calls)
{
    sim_disk_end(&w->disk, how, calls, sim_random(w));
}

void sim_end(struct sim *w, enum sim_end how)
{
    unsigned calls = w->disk.job != SIM_NO_JOB && sim_one_in(w, 2)
                         ? 1 + (unsigned)sim_below(w, CALLS_OF_A_JOB)
                         : 0;
    if (!w->relay)
        return;
    judge_walk(w);
    w->kills += how == SIM_KILL;
    w->cuts += how == SIM_POWER_CUT;
    if (w->cases)
        judge_cases_relay_end(w, w->disk.group);
    sim_links_end(w);
    sim_cancel(w, &w->wake_end);
    sim_cancel(w, &w->disk_done);
    sim_cancel(w, &w->collect);
    relay_free(w->relay);
    w->relay = NULL;
    w->is_all_paused = w->is_behind = false;
    w->order = 0; /* the operator gives it again, or not */
    end_disk(w, how, calls);
    sim_schedule(w, &w->start, (int64_t)sim_below(w, 200 * SIM_MS));
}

/* The group that was under way reached the disk or it did not; nobody was told. */
static void judge_doubtful(struct sim *w)
{
    struct group *g = w->disk.group;
    uint64_t lsn = store_lsn(w->disk.store);
    if (g && lsn >= g->first_lsn && state_lsn(w->truth) < lsn)
        apply_group(w, g);
    group_free(g);
    w->disk.group = NULL;
}

static void begin_relay(struct sim *w, struct state **state)
{
    w->relay = relay_new(&w->relay_limits, &SIM_PORT, w, state);
    assert_non_null(w->relay);
    w->told_lsn = store_lsn(w->disk.store);
    sim_links_begin(w);
    sim_touch_disk(w);
    sim_wake(w);
}

static void on_start(struct sim *w, struct sim_event *e)
{
    struct state *state = NULL;
    const char *problem = NULL;
    bool ends_again = !w->is_calm && w->profile.ends && sim_one_in(w, 12);
    unsigned calls = ends_again ? 1 + (unsigned)sim_below(w, CALLS_OF_A_START) : 0;
    if (w->profile.steps_wall_back && !w->is_calm && sim_one_in(w, 2))
        w->wall_ahead_ms = (int64_t)sim_below(w, 2 * YEAR_MS) - YEAR_MS;
    w->low_water_ms = sim_now(w).wall_ms - LIMIT_KNOWN_ID_MS;
    enum error error = sim_disk_open(&w->disk, w->low_water_ms, HASH_SEED, calls, &state, &problem);
    if (error && calls) {
        w->ends_in_start++;
        end_disk(w, sim_one_in(w, 2) ? SIM_KILL : SIM_POWER_CUT, 0);
        sim_schedule(w, e, (int64_t)sim_below(w, 50 * SIM_MS));
        return;
    }
    if (error) {
        sim_flag(w, "the store does not open: %s", problem);
        return;
    }
    judge_doubtful(w);
    sabotage_loaded(w, state);
    judge_start(w, state);
    if (w->violations)
        state_free(state);
    else
        begin_relay(w, &state);
}

/* ---- the operator ---- */

static void give(struct sim *w, struct order *o)
{
    static char name[] = "root";
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    uint64_t ticket = sim_ask(w, SIM_ASKED_ORDER, NULL);
    by.name = name;
    w->order = ticket;
    if (o->request.request_case == BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS) {
        w->questions[ticket].status = o->of.set_status;
        w->questions[ticket].key.id = o->id;
    }
    relay_on_admin(w->relay, ticket, &by, &o->request, o->has_endpoint ? &o->endpoint : NULL,
                   sim_now(w));
    /* Without an answer yet, it was judged on all that is decided by now. */
    w->questions[ticket].lsn = state_lsn(relay_state(w->relay));
}

static void note_suspension(struct sim *w, const struct id *id)
{
    for (size_t i = 0; i < w->client_count; i++) {
        struct sim_client *c = &w->clients[i];
        c->was_suspended |= id_equal(id, &c->e.id) || id_equal(id, &c->e.organisation) ||
                            id_equal(id, &c->e.person) || id_equal(id, &c->municipality);
    }
}

static void set_status(struct sim *w, Brug__V1__ObjectType type, const struct id *id,
                       Brug__V1__Status status)
{
    struct order o;
    if (status == STATUS(SUSPENDED))
        note_suspension(w, id);
    order_set_status(&o, type, id, status);
    give(w, &o);
}

static struct sim_client *add_client(struct sim *w, size_t organisation, Brug__V1__Role role,
                                     const struct id *person)
{
    struct sim_client *c = &w->clients[w->client_count++];
    size_t home = organisation >= 4;
    assert_true(w->client_count <= SIM_CLIENTS_MAX);
    *c = (struct sim_client){.e = {sim_id(w, 4), w->organisations[organisation], *person, 0},
                             .role = role,
                             .municipality = w->municipalities[home],
                             .person = *person,
                             .anchor = ANCHORS[home],
                             .is_practice =
                                 organisation == 0 || organisation == 1 || organisation == 4,
                             .reads = role != ROLE(ASSISTANT) && role != ROLE(OBSERVER),
                             .was_suspended = role == ROLE(LOCUM) /* when the day comes */};
    map_init(&c->copies, HASH_SEED);
    list_init(&c->pending);
    sim_event_init(&c->act, sim_client_act);
    return c;
}

static size_t organisation_of(const struct sim *w, const struct sim_client *c)
{
    size_t at = 0;
    while (!id_equal(&w->organisations[at], &c->e.organisation))
        at++;
    return at;
}

static void begin_client(struct sim *w, struct sim_client *c)
{
    sim_schedule(w, &c->act, (int64_t)sim_below(w, (uint64_t)w->profile.think_us));
}

static void give_endpoint(struct sim *w, const struct stage_endpoint *e, bool recovery)
{
    struct order o;
    order_add_endpoint(&o, e, recovery);
    give(w, &o);
}

static struct id person_of(struct sim *w, size_t organisation, Brug__V1__Role role)
{
    struct order o;
    struct id id = sim_id(w, 4);
    order_add_person(&o, &id, &w->organisations[organisation], role,
                     role == ROLE(LOCUM) ? SIM_BEGIN_MS + 300 * 24 * HOUR_MS : 0);
    give(w, &o);
    return id;
}

/* Somebody new, where somebody is. */
static void add_colleague(struct sim *w)
{
    const struct sim_client *of = &w->clients[sim_below(w, w->client_count)];
    if (id_is_none(&of->e.person))
        return;
    size_t at = organisation_of(w, of);
    struct id person = person_of(w, at, of->role);
    struct sim_client *c = add_client(w, at, of->role, &person);
    begin_client(w, c);
    c->was_suspended = true;
    give_endpoint(w, &c->e, false);
}

/* A colleague's new machine: readers change under everybody's letters. */
static void add_machine(struct sim *w)
{
    const struct sim_client *of = &w->clients[sim_below(w, w->client_count)];
    struct sim_client *c = add_client(w, organisation_of(w, of), of->role, &of->e.person);
    c->person = of->person;
    begin_client(w, c);
    c->was_suspended = true; /* whether it is reachable depends on another */
    give_endpoint(w, &c->e, false);
}

static void move_end(struct sim *w, struct sim_client *c)
{
    struct order o;
    order_add_person(&o, &c->e.person, &c->e.organisation, ROLE(LOCUM),
                     sim_now(w).wall_ms + (int64_t)sim_below(w, 3 * 24 * HOUR_MS));
    give(w, &o);
}

/* Of some of the last days, whatever the relay did then; of days that are recorded already it is refused. */
static void say_outage(struct sim *w)
{
    struct order o;
    struct id id = sim_id(w, 4);
    uint32_t until = oracle_today(sim_now(w).wall_ms) - (uint32_t)sim_below(w, 5);
    order_put_outage(&o, &id, until - (uint32_t)sim_below(w, 8), until);
    give(w, &o);
}

static void give_some_order(struct sim *w)
{
    struct sim_client *c = &w->clients[sim_below(w, w->client_count)];
    Brug__V1__Status status = sim_one_in(w, 4) ? STATUS(SUSPENDED) : STATUS(ACTIVE);
    uint64_t what = sim_below(w, 20);
    if (w->order)
        return; /* one at a time */
    if (what == 0 && w->client_count < SIM_CLIENTS_MAX)
        w->cases &&sim_one_in(w, 2) ? add_colleague(w) : add_machine(w);
    else if (what <= 2)
        set_status(w, OBJECT(ORGANISATION), &c->e.organisation, status);
    else if (what == 3)
        set_status(w, OBJECT(MUNICIPALITY), &c->municipality, status);
    else if (what <= 5 && c->role == ROLE(LOCUM))
        move_end(w, c);
    else if (what <= 8 && !id_is_none(&c->e.person))
        set_status(w, OBJECT(PERSON), &c->e.person, status);
    else if (what <= 11 && w->cases)
        say_outage(w);
    else
        set_status(w, OBJECT(ENDPOINT), &c->e.id, status);
    sim_wake(w);
}

static bool has_answer(struct sim *w, void *ctx)
{
    (void)ctx;
    return w->order == 0;
}

static void add_recovery(struct sim *w, size_t organisation)
{
    const struct stage_endpoint e = {sim_id(w, 4), w->organisations[organisation], ID_NONE, 0};
    give_endpoint(w, &e, true);
}

static void make_directory(struct sim *w)
{
    static const struct {
        size_t organisation;
        Brug__V1__Role role;
    } PEOPLE[] = {
        {0, ROLE(GP)},     {0, ROLE(GP)},         {0, ROLE(SYSTEM)},     {0, ROLE(ASSISTANT)},
        {1, ROLE(GP)},     {1, ROLE(LOCUM)},      {2, ROLE(CONSULTANT)}, {2, ROLE(CONSULTANT)},
        {2, ROLE(LEADER)}, {3, ROLE(CONSULTANT)}, {3, ROLE(LEADER)},     {4, ROLE(GP)},
        {4, ROLE(SYSTEM)}, {5, ROLE(CONSULTANT)}, {5, ROLE(CONSULTANT)}, {5, ROLE(LEADER)}};
    struct order o;
    for (size_t i = 0; i < 2; i++) {
        w->municipalities[i] = sim_id(w, 4);
        order_add_municipality(&o, &w->municipalities[i], ANCHORS[i]);
        give(w, &o);
    }
    for (size_t i = 0; i < w->organisation_count; i++) {
        bool is_team = i == 2 || i == 3 || i == 5;
        w->organisations[i] = sim_id(w, 4);
        order_add_organisation(&o, &w->organisations[i], is_team ? TEAM : PRACTICE,
                               &w->municipalities[i >= 4]);
        give(w, &o);
    }
    for (size_t i = 0; i < sizeof PEOPLE / sizeof PEOPLE[0]; i++) {
        size_t at = PEOPLE[i].organisation;
        if (at >= w->organisation_count)
            continue;
        bool is_system = PEOPLE[i].role == ROLE(SYSTEM);
        struct id person = is_system ? ID_NONE : person_of(w, at, PEOPLE[i].role);
        struct sim_client *c = add_client(w, at, PEOPLE[i].role, &person);
        if (is_system) /* it acts for a gp of its organisation */
            for (size_t k = 0; k < w->client_count; k++)
                if (id_equal(&w->clients[k].e.organisation, &c->e.organisation) &&
                    w->clients[k].role == ROLE(GP))
                    c->person = w->clients[k].person;
        give_endpoint(w, &c->e, false);
    }
    add_recovery(w, 0);
    add_recovery(w, 1);
}

/* ---- life ---- */

/* Half of the worlds are tight in something. */
static size_t tight(uint64_t *at, size_t tight, size_t wide)
{
    return split_mix(at) % 2 ? tight + split_mix(at) % tight : wide;
}

struct sim_profile sim_profile_of(uint64_t seed)
{
    uint64_t at = seed * 77 + 5;
    struct sim_profile p = {
        .limits = {.message_bytes_max = 64u << 10,
                   .readers_max = LIMIT_READERS,
                   .requests_max = (uint32_t)tight(&at, 8, 64),
                   .credit_messages_max = 1000,
                   .credit_bytes_max = 8u << 20,
                   .idle_ms_max = 60000,
                   .session_unstored_bytes_max = tight(&at, 6000, 1u << 20),
                   .unstored_bytes_max = tight(&at, 20000, 16u << 20),
                   .group_bytes_max = tight(&at, 2000, 256u << 10),
                   .body_cache_bytes_max = tight(&at, 10000, 4u << 20),
                   .waiting_max = tight(&at, 200, 100000),
                   .waiting_bytes_max = 1u << 30,
                   .quota_messages_max = (uint32_t)tight(&at, 30, 10000),
                   .quota_bytes_max = 1u << 30,
                   .waiting_commands_max = (uint32_t)tight(&at, 3, 64),
                   .known_ids_max = tight(&at, 10, 100000),
                   .redelivery_sessions_max = (uint32_t)tight(&at, 2, 10),
                   .redelivery_interval_ms = 20 + (uint32_t)(split_mix(&at) % 60000),
                   .terms = CASE_TERMS},
        .store = {.checkpoint_pages = tight(&at, 20, 500),
                  .fold_slice_bytes = tight(&at, 500, 8000),
                  .fold_lag_bytes_max = tight(&at, 3000, 64u << 20)},
        .ends = 60 + (unsigned)(split_mix(&at) % 80),
        .losses = 20 + (unsigned)(split_mix(&at) % 200),
        .leaps = 150 + (unsigned)(split_mix(&at) % 1000),
        .orders = split_mix(&at) % 3 == 0 ? 60 + (unsigned)(split_mix(&at) % 300) : 0,
        .old_ids = 2 + (unsigned)(split_mix(&at) % 8),
        .large = 12,
        .failures = 200,
        .full_disks = split_mix(&at) % 4 == 0 ? 300 : 0,
        .latency_us = 100 + (int64_t)(split_mix(&at) % (20 * SIM_MS)),
        .think_us = 1 * SIM_MS + (int64_t)(split_mix(&at) % (40 * SIM_MS)),
        .disk_us = 100 + (int64_t)(split_mix(&at) % (10 * SIM_MS)),
        .output_bytes_max = tight(&at, 3000, 1u << 20),
        .steps_wall_back = split_mix(&at) % 8 == 0,
    };
    if (seed % 3 == 0) { /* much may happen between two ends */
        p.ends *= 10;
        p.losses *= 4;
    }
    return p;
}

static void begin(struct sim *w)
{
    struct state *state;
    const char *problem = NULL;
    w->low_water_ms = SIM_BEGIN_MS - LIMIT_KNOWN_ID_MS;
    assert_int_equal(sim_disk_open(&w->disk, w->low_water_ms, HASH_SEED, 0, &state, &problem), 0);
    w->truth = state_new(HASH_SEED);
    assert_non_null(w->truth);
    struct id generation = store_generation(w->disk.store);
    assert_int_equal(state_load_done(w->truth, 0, INT64_MIN, &generation), 0);
    begin_relay(w, &state);
    make_directory(w);
    sim_wake(w);
    unsigned ends = w->profile.ends, failures = w->profile.failures;
    w->profile.ends = w->profile.failures = 0;
    assert_true(sim_until(w, has_answer, NULL, 10000) || w->violations);
    w->profile.ends = ends;
    w->profile.failures = failures;
    w->clients[GREEDY_CLIENT].is_greedy = !w->control && !w->cases && w->seed % 3 == 1;
    for (size_t i = 0; i < w->client_count; i++)
        begin_client(w, &w->clients[i]);
    if (w->cases)
        sim_cases_begin(w);
    sabotage_begin(w);
}

struct sim *sim_new(uint64_t seed, const struct sim_profile *p, const struct sim_control *control)
{
    struct sim *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = w->random = seed;
    w->profile = *p;
    w->relay_limits = p->limits;
    w->control = control;
    w->walks_each_step = !control && !p->has_cases && seed % WORLDS_PER_WALKED == 0;
    w->has_room = true;
    w->organisation_count = p->has_cases ? 6 : 5;
    if (p->has_cases)
        sim_cases_init(w);
    heap_init(&w->events);
    list_init(&w->links);
    map_init(&w->letters, HASH_SEED);
    sim_event_init(&w->wake_end, on_wake_end);
    sim_event_init(&w->disk_done, on_disk_done);
    sim_event_init(&w->collect, on_collect);
    sim_event_init(&w->second, on_second);
    sim_event_init(&w->start, on_start);
    sim_schedule(w, &w->second, SECOND_US);
    w->questions = sim_grown(NULL, 0, &w->question_capacity, sizeof *w->questions);
    struct store_options o = p->store;
    memcpy(o.random, &seed, sizeof seed);
    sim_disk_init(&w->disk, &o);
    sim_watch(w);
    begin(w);
    return w;
}

static void free_client(struct sim_client *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->list[i]);
    free(c->list);
    free(c->unacked);
    map_fini(&c->copies);
}

void sim_free(struct sim *w)
{
    while (!list_is_empty(&w->links))
        sim_link_free(w, container_of(w->links.next, struct sim_link, all));
    relay_free(w->relay);
    for (size_t i = 0; i < w->client_count; i++)
        free_client(&w->clients[i]);
    for (size_t i = 0; i < w->letter_count; i++)
        free(w->letter_list[i]);
    free(w->letter_list);
    map_fini(&w->letters);
    free(w->questions);
    sim_cases_free(w);
    state_free(w->truth);
    sim_disk_fini(&w->disk);
    heap_fini(&w->events);
    sim_watch(NULL);
    free(w);
}

/* ---- steps ---- */

/* The machine sleeps, or somebody sets the clock. */
static void leap(struct sim *w)
{
    int64_t ms = sim_one_in(w, 3) ? (int64_t)sim_below(w, 4 * HOUR_MS) - 2 * HOUR_MS : 0;
    if (ms && w->cases)
        judge_cases_leap(w, ms);
    else if (ms)
        w->wall_ahead_ms += ms;
    else
        w->slept_ms += (int64_t)sim_below(w, 20 * HOUR_MS);
}

static void change_room(struct sim *w)
{
    w->has_room = !w->has_room;
    relay_set_room(w->relay, w->has_room);
}

static bool happens_by_chance(struct sim *w)
{
    if (w->is_calm || !w->relay)
        return false;
    if (sim_one_in(w, w->profile.ends))
        sim_end(w, sim_one_in(w, 2) ? SIM_KILL : SIM_POWER_CUT);
    else if (sim_one_in(w, w->profile.leaps))
        leap(w);
    else if (sim_one_in(w, w->profile.orders))
        give_some_order(w);
    else if (sim_one_in(w, w->profile.full_disks))
        change_room(w);
    else
        return false;
    return true;
}

bool sim_step(struct sim *w)
{
    if (w->violations)
        return false;
    w->steps++;
    if (!happens_by_chance(w)) {
        struct heap_node *first = heap_first(&w->events);
        struct sim_event *e = container_of(first, struct sim_event, due);
        assert_non_null(first); /* a second always comes */
        w->now_us = first->due_ms > w->now_us ? first->due_ms : w->now_us;
        heap_remove(&w->events, first);
        e->happen(w, e);
    }
    sabotage_step(w);
    judge_step(w);
    if (w->walks_each_step || w->steps % (w->cases ? WALK_OF_CASES_EVERY : WALK_EVERY) == 0)
        judge_walk(w);
    return w->violations == 0;
}

void sim_run(struct sim *w, uint64_t steps)
{
    for (uint64_t i = 0; i < steps && sim_step(w); i++)
        continue;
}

bool sim_until(struct sim *w, bool (*is_so)(struct sim *w, void *ctx), void *ctx, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        if (is_so(w, ctx))
            return true;
        if (!sim_step(w))
            return false;
    }
    return is_so(w, ctx);
}

/* ---- the calm ---- */

static bool is_up(struct sim *w, void *ctx)
{
    (void)ctx;
    return w->relay != NULL && w->order == 0;
}

static void resume(struct sim *w, Brug__V1__ObjectType type, const struct id *id)
{
    if (!w->violations && sim_until(w, is_up, NULL, CALM_STEPS_MAX)) {
        set_status(w, type, id, STATUS(ACTIVE));
        sim_wake(w);
    }
}

static void resume_all(struct sim *w)
{
    for (size_t i = 0; i < 2; i++)
        resume(w, OBJECT(MUNICIPALITY), &w->municipalities[i]);
    for (size_t i = 0; i < w->organisation_count; i++)
        resume(w, OBJECT(ORGANISATION), &w->organisations[i]);
    for (size_t i = 0; i < w->client_count; i++) {
        if (!id_is_none(&w->clients[i].e.person))
            resume(w, OBJECT(PERSON), &w->clients[i].e.person);
        resume(w, OBJECT(ENDPOINT), &w->clients[i].e.id);
    }
}

static bool has_parked(struct sim *w, const struct sim_client *c)
{
    const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
    if (!e)
        return false;
    list_for_each (at, next, &e->mailbox) {
        if (container_of(at, struct reader, link)->is_parked)
            return true;
    }
    return false;
}

static void release_all(struct sim *w)
{
    struct order o;
    for (size_t i = 0; i < w->client_count; i++)
        while (!w->violations && sim_until(w, is_up, NULL, CALM_STEPS_MAX) &&
               has_parked(w, &w->clients[i])) {
            order_release(&o, &w->clients[i].e.id);
            give(w, &o);
            sim_wake(w);
        }
}

void sim_calm(struct sim *w)
{
    int64_t from_us = w->now_us;
    w->is_calm = w->has_room = true;
    resume_all(w);
    release_all(w);
    uint64_t steps = w->cases ? CALM_OF_CASES_STEPS_MAX : CALM_STEPS_MAX;
    if (!w->violations && !sim_until(w, sim_clients_are_done, NULL, steps) && !w->violations)
        sim_clients_flag_undone(w);
    if (!w->violations && w->now_us - from_us > CALM_US_MAX)
        sim_flag(w, "all arrived, but %lld quiet seconds late",
                 (long long)((w->now_us - from_us) / SECOND_US));
    if (!w->violations)
        judge_end(w);
}
