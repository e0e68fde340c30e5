/*
 * tests/sim/test_replay.c: random commands, commits, cold loads, folds and crashes against the relay, from a
 * printed seed (SEED=n replays one).
 *
 * Held against what clients saw: I1 (what was answered or delivered is committed), I2 (what has a receipt
 * reaches every reader, or is cancelled or in quarantine; none is delivered twice in a session, none comes
 * back after its Acked), I3 (the same bytes get the same answer, other bytes ID_REUSED, for ever), I8 (the
 * counters are what a walk counts), and after each crash that the state is the same whatever was folded.
 */
#include "base/clock.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define STATUS(name) BRUG__V1__STATUS__STATUS_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name
#define ENDPOINTS 6u
#define LETTERS_MAX 3000u
#define STEPS 8000u
#define RUNS 6u
#define NO_ANSWER ((enum error) - 1)

struct letter {
    struct stage_letter l;
    enum error answer; /* NO_ANSWER; NONE: the receipt; or a remembered refusal */
    int64_t at_ms;
};

enum asked { ASKED_NOTHING, ASKED_LETTER, ASKED_OTHER_BYTES };

struct question {
    enum asked asked;
    size_t letter;
    size_t endpoint;
};

struct got { /* a copy that an endpoint received */
    struct message_key key;
    uint64_t session;
    bool is_acked; /* an Acked came for it */
};

struct reader_model {
    struct stage_endpoint *e;
    struct got got[LETTERS_MAX * 2];
    size_t got_count;
};

struct run {
    struct stage *w;
    uint64_t random;
    struct letter letters[LETTERS_MAX];
    size_t letter_count;
    struct id cases[LETTERS_MAX];
    size_t case_count;
    struct reader_model readers[ENDPOINTS];
    struct question questions[STEPS * 4];
    struct message_key acks[STEPS * 4];
    size_t question_count;
    uint64_t folded_lsn;
    unsigned crashes, receipts, deliveries;
};

/* SplitMix64 (Steele, Lea and Flood). */
static uint64_t next_random(struct run *r)
{
    uint64_t z = (r->random += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t below(struct run *r, uint64_t n) { return next_random(r) % n; }

/* ---- what clients see ---- */

static struct got *find_got(struct reader_model *m, const struct message_key *key)
{
    for (size_t i = 0; i < m->got_count; i++)
        if (memcmp(&m->got[i].key, key, sizeof *key) == 0)
            return &m->got[i];
    return NULL;
}

static const struct message *committed(const struct run *r, const struct message_key *key)
{
    const struct message *m = message_find(r->w->tables, key);
    assert_non_null(m); /* I1 */
    return m;
}

static void see_deliver(struct run *r, struct reader_model *m, const Brug__V1__Deliver *d)
{
    Brug__V1__Header *h =
        brug__v1__header__unpack(NULL, d->envelope->header.len, d->envelope->header.data);
    struct message_key key = {0};
    assert_non_null(h);
    assert_true(!h->from || id_take(h->from->organisation, &key.organisation));
    assert_true(id_take(h->message_id, &key.id));
    const struct message *known = committed(r, &key);
    assert_non_null(message_reader((struct message *)(uintptr_t)known,
                                   endpoint_find(r->w->tables, id_bytes(&m->e->id))));
    struct got *g = find_got(m, &key);
    if (g) {
        assert_false(g->is_acked);                /* I2: not back after its Acked */
        assert_true(g->session != m->e->session); /* not twice in one session */
    } else {
        assert_true(m->got_count < LETTERS_MAX * 2);
        g = &m->got[m->got_count++];
        g->key = key;
        g->is_acked = false;
    }
    g->session = m->e->session;
    r->deliveries++;
    brug__v1__header__free_unpacked(h, NULL);
}

static void see_letter_answer(struct run *r, const struct question *q, enum error code,
                              int64_t at_ms)
{
    struct letter *l = &r->letters[q->letter];
    if (q->asked == ASKED_OTHER_BYTES) {
        assert_true(code == ERROR_ID_REUSED || error_is_passing(code)); /* I3 */
        return;
    }
    if (code && !error_is_remembered(code)) {
        assert_true(l->answer == NO_ANSWER || error_is_passing(code));
        return;
    }
    const struct message_key key = {l->l.from->organisation, l->l.id};
    assert_int_equal(committed(r, &key)->code, code);
    if (l->answer != NO_ANSWER) {
        assert_int_equal(l->answer, code); /* I3 */
        assert_int_equal(l->at_ms, at_ms);
    }
    l->answer = code;
    l->at_ms = at_ms;
    r->receipts += code == ERROR_NONE;
    if (code == ERROR_NONE && l->l.kind == KIND(REFERRAL))
        r->cases[r->case_count++ % LETTERS_MAX] = l->l.case_id;
}

static void see_acked(struct run *r, struct reader_model *m, const Brug__V1__Acked *a)
{
    struct message_key key = {0};
    assert_true(id_take_optional(a->organisation, &key.organisation));
    assert_true(id_take(a->message_id, &key.id));
    const struct message *known = committed(r, &key);
    struct reader *reader = message_reader((struct message *)(uintptr_t)known,
                                           endpoint_find(r->w->tables, id_bytes(&m->e->id)));
    assert_non_null(reader);
    assert_int_not_equal(reader->state, READER_WAITING); /* I1 */
    struct got *g = find_got(m, &key);
    if (g)
        g->is_acked = true;
}

static void see(struct run *r, struct reader_model *m, const Brug__V1__ServerFrame *f)
{
    const struct question *q = &r->questions[f->request];
    assert_true(f->request <= r->question_count);
    switch (f->frame_case) {
    case SERVER(DELIVER):
        see_deliver(r, m, f->deliver);
        break;
    case SERVER(RECEIPT):
        see_letter_answer(r, q, ERROR_NONE, f->receipt->stored_at_ms);
        break;
    case SERVER(REFUSED):
        if (q->asked != ASKED_NOTHING)
            see_letter_answer(r, q, (enum error)f->refused->code, 0);
        break;
    case SERVER(ACKED):
        see_acked(r, m, f->acked);
        break;
    default:
        break;
    }
}

static void see_all(struct run *r)
{
    for (size_t i = 0; i < ENDPOINTS; i++) {
        Brug__V1__ServerFrame *f;
        uint64_t session = r->readers[i].e->session;
        while (session && (f = stage_take(r->w, session)))
            see(r, &r->readers[i], f);
        if (session && stage_is_closed(r->w, session, NULL))
            r->readers[i].e->session = 0;
    }
}

/* ---- what clients do ---- */

static void ask(struct run *r, enum asked asked, size_t letter, size_t endpoint)
{
    assert_true(r->question_count + 1 < STEPS * 4);
    r->questions[++r->question_count] = (struct question){asked, letter, endpoint};
    r->w->request = r->question_count;
}

static struct stage_endpoint *connected(struct run *r, size_t *out)
{
    size_t i = (size_t)below(r, ENDPOINTS);
    *out = i;
    return r->readers[i].e->session ? r->readers[i].e : NULL;
}

static struct id random_message_id(struct run *r)
{
    struct id random = stage_case_id(r->w);
    switch (below(r, 8)) {
    case 0:
        return random;
    case 1:
        return id_v7(r->w->now.wall_ms - (int64_t)below(r, 400) * 86400000, random.bytes);
    case 2:
        return id_v7(r->w->now.wall_ms + 3600000, random.bytes);
    default:
        return id_v7(r->w->now.wall_ms, random.bytes);
    }
}

static void submit_new(struct run *r)
{
    size_t at;
    struct stage *w = r->w;
    struct stage_endpoint *e = connected(r, &at);
    if (!e || r->letter_count == LETTERS_MAX)
        return;
    bool is_practice = id_equal(&e->organisation, &w->practice);
    struct id case_id = stage_case_id(w);
    Brug__V1__Kind kind = is_practice ? KIND(REFERRAL) : KIND(NOTICE);
    if (r->case_count > 0 && below(r, 2)) {
        kind = KIND(NOTE);
        if (below(r, 8))
            case_id = r->cases[below(r, r->case_count < LETTERS_MAX ? r->case_count : LETTERS_MAX)];
    }
    struct letter *l = &r->letters[r->letter_count];
    l->l = stage_letter(w, kind, e, is_practice ? &w->team : &w->practice,
                        kind == KIND(NOTICE) ? NULL : &case_id);
    l->l.id = random_message_id(r);
    l->l.filler_bytes = below(r, 10) ? (size_t)below(r, 300) : (size_t)below(r, 9000);
    l->answer = NO_ANSWER;
    if (below(r, 20) == 0 && l->l.reader_count > 0)
        l->l.reader_count--;
    ask(r, ASKED_LETTER, r->letter_count++, at);
    stage_submit(w, e->session, &l->l);
}

static void submit_again(struct run *r)
{
    if (r->letter_count == 0)
        return;
    size_t at = (size_t)below(r, r->letter_count);
    struct letter *l = &r->letters[at];
    struct stage_letter other = l->l;
    if (!l->l.from->session)
        return;
    bool is_other = l->answer != NO_ANSWER && below(r, 3) == 0;
    other.sealed = "other bytes";
    ask(r, is_other ? ASKED_OTHER_BYTES : ASKED_LETTER, at, 0);
    stage_submit(r->w, l->l.from->session, is_other ? &other : &l->l);
}

/* A random message that the endpoint has, most often one that it has not acknowledged. */
static struct got *some_got(struct run *r, struct reader_model *m)
{
    for (unsigned tries = 0; tries < 5 && m->got_count > 0; tries++) {
        struct got *g = &m->got[below(r, m->got_count)];
        if (!g->is_acked || below(r, 10) == 0)
            return g;
    }
    return NULL;
}

static void acknowledge(struct run *r)
{
    size_t at;
    struct stage_endpoint *e = connected(r, &at);
    struct got *g = e ? some_got(r, &r->readers[at]) : NULL;
    if (!g)
        return;
    ask(r, ASKED_NOTHING, 0, at);
    stage_ack(r->w, e->session, &g->key.organisation, &g->key.id,
              below(r, 10) ? ERROR_NONE : ERROR_LETTER_DECRYPT);
}

static void open_or_track(struct run *r)
{
    size_t at;
    struct stage_endpoint *e = connected(r, &at);
    struct got *g = e ? some_got(r, &r->readers[at]) : NULL;
    if (!g)
        return;
    ask(r, ASKED_NOTHING, 0, at);
    if (below(r, 2))
        stage_opened(r->w, e->session, &g->key.organisation, &g->key.id,
                     id_is_none(&e->person) ? &r->w->gp : &e->person);
    else
        stage_track(r->w, e->session, &g->key.id);
}

static void connect_one(struct run *r)
{
    struct reader_model *m = &r->readers[below(r, ENDPOINTS)];
    if (m->e->session && below(r, 3))
        return;
    if (m->e->session && below(r, 2)) {
        stage_disconnect(r->w, m->e);
        return;
    }
    see_all(r);
    stage_connect(r->w, m->e);
    if (stage_is_closed(r->w, m->e->session, NULL))
        m->e->session = 0;
    else
        stage_subscribe(r->w, m->e->session, (uint32_t)(1 + below(r, 40)), below(r, 20000));
}

static void give_credit(struct run *r)
{
    size_t at;
    struct stage_endpoint *e = connected(r, &at);
    if (e)
        stage_subscribe(r->w, e->session, (uint32_t)(1 + below(r, 40)), below(r, 20000));
}

/* ---- what the operator, the clock and the store do ---- */

static void change_status(struct run *r)
{
    struct stage *w = r->w;
    const struct id *ids[] = {&w->gp2_pc.id, &w->consultant2_pc.id, &w->consultant,      &w->team,
                              &w->practice,  &w->municipality,      &w->consultant_pc.id};
    static const Brug__V1__ObjectType TYPES[] = {
        OBJECT(ENDPOINT),     OBJECT(ENDPOINT),     OBJECT(PERSON),  OBJECT(ORGANISATION),
        OBJECT(ORGANISATION), OBJECT(MUNICIPALITY), OBJECT(ENDPOINT)};
    size_t i = (size_t)below(r, sizeof ids / sizeof ids[0]);
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    set.type = TYPES[i];
    set.id = id_bytes(ids[i]);
    set.status = below(r, 6) ? STATUS(ACTIVE) : STATUS(SUSPENDED);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    q.set_status = &set;
    relay_on_admin(w->relay, 1, &by, &q, NULL, w->now);
}

static void load_some(struct run *r)
{
    struct stage *w = r->w;
    if (below(r, 30) == 0 && w->body_count > 0)
        w->spoiled_lsn = w->bodies[below(r, w->body_count)].lsn;
    if (below(r, 40) == 0)
        w->load_result = ERROR_IO;
    stage_load(w);
    w->load_result = ERROR_NONE;
    w->spoiled_lsn = 0;
}

static void fold(struct run *r)
{
    uint64_t to = stage_committed_lsn(r->w);
    if (to > r->folded_lsn)
        r->folded_lsn += below(r, to - r->folded_lsn + 1);
    relay_set_folded(r->w->relay, r->folded_lsn);
}

static void expect_same_state(struct state *a, const struct state *b)
{
    struct digest x, y;
    assert_int_equal(state_digest(a, &x), 0);
    assert_int_equal(state_digest(b, &y), 0);
    assert_memory_equal(&x, &y, sizeof x);
}

/* The counters are what a walk counts (I8). */
static void expect_balance(const struct state *s)
{
    uint64_t waiting = 0, bytes = 0, quarantined = 0, unfetched = 0, counted = 0;
    for (struct map_node *n = map_next(&s->messages, NULL); n; n = map_next(&s->messages, n)) {
        const struct message *m = container_of(n, struct message, node);
        size_t of_this = 0;
        for (size_t i = 0; i < m->reader_count; i++) {
            of_this += m->readers[i].state == READER_WAITING;
            assert_int_equal(m->readers[i].state == READER_WAITING,
                             m->readers[i].link.next != &m->readers[i].link);
        }
        assert_int_equal(of_this, m->waiting_count);
        waiting += of_this;
        bytes += of_this ? m->body_bytes : 0;
        quarantined += of_this && m->is_quarantined;
        unfetched += m->is_counted;
    }
    for (size_t i = 0; i < table_count(&s->organisations); i++)
        counted += container_of(s->organisations.sorted[i], struct organisation, entity)
                       ->unfetched_messages;
    assert_int_equal(waiting, s->waiting);
    assert_int_equal(bytes, s->waiting_bytes);
    assert_int_equal(quarantined, s->quarantined);
    assert_int_equal(unfetched, counted);
}

static void crash(struct run *r)
{
    see_all(r);
    if (below(r, 2)) {
        stage_settle(r->w);
        see_all(r);
        struct state *again = stage_replay(r->w, r->folded_lsn);
        expect_same_state(again, relay_state(r->w->relay));
        state_free(again);
    }
    for (size_t i = 0; i < ENDPOINTS; i++)
        r->readers[i].e->session = 0;
    stage_crash(r->w, r->folded_lsn);
    struct state *again = stage_replay(r->w, 0);
    expect_same_state(again, relay_state(r->w->relay));
    expect_balance(again);
    state_free(again);
    r->crashes++;
}

static void step(struct run *r)
{
    struct stage *w = r->w;
    switch (below(r, 20)) {
    case 0:
    case 1:
        connect_one(r);
        break;
    case 2:
    case 3:
    case 4:
        submit_new(r);
        break;
    case 5:
        submit_again(r);
        break;
    case 6:
    case 7:
    case 8:
        acknowledge(r);
        break;
    case 9:
        open_or_track(r);
        break;
    case 10:
    case 11:
        stage_flush(w);
        break;
    case 12:
    case 13:
        stage_commit(w);
        break;
    case 14:
        load_some(r);
        break;
    case 15:
        give_credit(r);
        break;
    case 16:
        fold(r);
        break;
    case 17:
        if (below(r, 6) == 0)
            change_status(r);
        break;
    case 18:
        w->now.wall_ms += (int64_t)below(r, 20000);
        w->now.mono_ms += (int64_t)below(r, 20000);
        relay_on_time(w->relay, w->now);
        break;
    default:
        if (below(r, 10) == 0)
            crash(r);
    }
    see_all(r);
}

/* ---- the end: everybody comes back and reads all ---- */

static void resume_all(struct run *r)
{
    struct stage *w = r->w;
    stage_set_status(w, OBJECT(MUNICIPALITY), &w->municipality, STATUS(ACTIVE));
    stage_set_status(w, OBJECT(ORGANISATION), &w->team, STATUS(ACTIVE));
    stage_set_status(w, OBJECT(ORGANISATION), &w->practice, STATUS(ACTIVE));
    stage_set_status(w, OBJECT(PERSON), &w->consultant, STATUS(ACTIVE));
    stage_set_status(w, OBJECT(ENDPOINT), &w->gp2_pc.id, STATUS(ACTIVE));
    stage_set_status(w, OBJECT(ENDPOINT), &w->consultant_pc.id, STATUS(ACTIVE));
    stage_set_status(w, OBJECT(ENDPOINT), &w->consultant2_pc.id, STATUS(ACTIVE));
}

static void read_all(struct run *r, struct reader_model *m)
{
    if (m->e->session)
        stage_disconnect(r->w, m->e);
    stage_listen(r->w, m->e);
    for (size_t last = SIZE_MAX; last != m->got_count;) {
        last = m->got_count;
        see_all(r);
        for (size_t i = 0; i < m->got_count; i++) {
            if (m->got[i].is_acked)
                continue;
            ask(r, ASKED_NOTHING, 0, 0);
            stage_ack(r->w, m->e->session, &m->got[i].key.organisation, &m->got[i].key.id,
                      ERROR_NONE);
            stage_settle(r->w);
            see_all(r);
        }
        stage_subscribe(r->w, m->e->session, 1000, 1u << 20);
        stage_settle(r->w);
        see_all(r);
    }
}

/* I2: what has a receipt was shown to every reader, or its copy was cancelled or is in quarantine. */
static void expect_all_arrived(struct run *r)
{
    for (size_t i = 0; i < r->letter_count; i++) {
        const struct letter *l = &r->letters[i];
        if (l->answer != ERROR_NONE)
            continue;
        const struct message_key key = {l->l.from->organisation, l->l.id};
        const struct message *m = committed(r, &key);
        for (size_t k = 0; k < m->reader_count; k++) {
            const struct reader *reader = &m->readers[k];
            struct got *g = NULL;
            for (size_t n = 0; n < ENDPOINTS; n++)
                if (id_equal(&r->readers[n].e->id, &reader->endpoint->entity.id))
                    g = find_got(&r->readers[n], &key);
            bool is_excused = reader->state == READER_CANCELLED || m->is_quarantined;
            assert_true(g || is_excused);
            assert_true(is_excused || g->is_acked);
        }
    }
}

static void finish(struct run *r)
{
    struct stage *w = r->w;
    w->now.mono_ms += 60000;
    stage_settle(w);
    see_all(r);
    resume_all(r);
    for (size_t i = 0; i < ENDPOINTS; i++)
        read_all(r, &r->readers[i]);
    for (size_t i = 0; i < ENDPOINTS; i++)
        read_all(r, &r->readers[i]); /* facts that the first round brought */
    expect_all_arrived(r);
    expect_balance(relay_state(w->relay));
    struct state *again = stage_replay(w, 0);
    expect_same_state(again, relay_state(w->relay));
    state_free(again);
}

static void run_seed(uint64_t seed)
{
    struct relay_limits limits = stage_limits();
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    limits.group_bytes_max = 3000;
    limits.body_cache_bytes_max = 20000;
    limits.quota_messages_max = 60;
    limits.waiting_max = 400;
    limits.waiting_commands_max = 6;
    r->random = seed;
    r->w = stage_new(&limits);
    struct stage *w = r->w;
    struct stage_endpoint *endpoints[ENDPOINTS] = {
        &w->gp_pc, &w->gp2_pc, &w->system, &w->consultant_pc, &w->consultant2_pc, &w->stranger_pc};
    for (size_t i = 0; i < ENDPOINTS; i++)
        r->readers[i].e = endpoints[i];
    for (unsigned i = 0; i < STEPS; i++)
        step(r);
    finish(r);
    print_message("seed %llu: %zu letters, %u receipts, %u deliveries, %u crashes\n",
                  (unsigned long long)seed, r->letter_count, r->receipts, r->deliveries,
                  r->crashes);
    stage_free(w);
    free(r);
}

static void random_commands_and_crashes(void **state)
{
    const char *given = getenv("BRUG_SEED");
    uint64_t seed = given && *given ? strtoull(given, NULL, 10) : (uint64_t)clock_now().wall_ms;
    (void)state;
    for (unsigned i = 0; i < (given && *given ? 1 : RUNS); i++) {
        print_message("SEED=%llu\n", (unsigned long long)(seed + i));
        run_seed(seed + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_commands_and_crashes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
