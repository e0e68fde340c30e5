/*
 * tests/fault/test_fault_memory.c: the n-th allocation fails, for all n, in the core and in the store with SQLite,
 * once and for good.
 *
 * Each runs in a process of its own, because a relay without memory for what it has decided ends on purpose
 * (pump.c). The outcome of each: a passing refusal and then, when asked again, the answer that memory would
 * have given; or an end by abort, before which nothing left that is not durable. For the store: groups that
 * were confirmed are there, and whatever is there is whole.
 *
 * Environment: CALLS that are tried of each part at most.
 */
#include "daemon/core/relay_inside.h"
#include "proto/frame.h"
#include "tests/lib/directory.h"
#include "tests/lib/failing_memory.h"
#include "tests/lib/proof.h"
#include "tests/lib/stage.h"
#include "tests/lib/story.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name

/* What a child tells; shared with it. */
struct told {
    unsigned confirmed; /* groups of the store */
    bool has_failed;    /* the allocation that was to fail did */
    unsigned calls;     /* allocations in all */
    uint64_t violations;
    char why[200];
};

static struct told *told;
static bool is_for_good; /* in the child: the failure stays */

static void violation(const char *what, uint64_t number)
{
    if (told->violations++ == 0)
        snprintf(told->why, sizeof told->why, "%.180s (%d)", what, (int)number);
}

struct tally {
    uint64_t calls, ends, violations;
    char why[300];
};

struct part {
    const char *name;
    void (*run)(void); /* in the child */
};

/* ---- children ---- */

static void be_quiet(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* an abort is a good end here */
    if (freopen("/dev/null", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)
        abort();
}

static void finish(void)
{
    told->has_failed = failing_memory_happened();
    told->calls = failing_memory_count();
    _exit(0);
}

/* Runs it with the n-th allocation failing (0: none); true when the process ended by itself. */
static bool run_child(const struct part *p, unsigned n, bool stays)
{
    int status;
    *told = (struct told){0};
    (void)fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        be_quiet();
        is_for_good = stays;
        if (stays)
            failing_memory_from(n);
        else
            failing_memory_at(n);
        p->run();
        finish();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    told->has_failed = true;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        violation("the process ended, and not by its own will: status", (uint64_t)status);
    return false;
}

/* ---- the ways in, with memory that fails; all else, with memory that does not ---- */

static bool is_armed; /* the part that is proved has begun */
static bool is_lying; /* for the controls */
/* Memory may fail (false) or not; what it was. */
static bool hold(bool is_held)
{
    static bool was_held = true;
    bool before = was_held;
    was_held = is_held || !is_armed;
    failing_memory_pause(was_held);
    return before;
}

#define WAY_IN(name, parameters, arguments) \
    void __real_##name parameters; \
    void __wrap_##name parameters; \
    void __wrap_##name parameters \
    { \
        bool was_held = hold(false); \
        __real_##name arguments; \
        hold(was_held); \
    }

WAY_IN(relay_on_connect,
       (struct relay * r, uint64_t session, const struct relay_peer *peer, struct instant now),
       (r, session, peer, now))
WAY_IN(relay_on_frame, (struct relay * r, uint64_t session, struct slice frame, struct instant now),
       (r, session, frame, now))
WAY_IN(relay_on_loaded, (struct relay * r, struct load *l, struct instant now), (r, l, now))
WAY_IN(relay_on_admin,
       (struct relay * r, uint64_t ticket, const Brug__V1__Operator *by,
        const Brug__V1__AdminRequest *request, const Brug__V1__EndpointRow *endpoint,
        struct instant now),
       (r, ticket, by, request, endpoint, now))
WAY_IN(relay_flush, (struct relay * r, struct instant now), (r, now))

WAY_IN(store_close, (struct store * s), (s))

#define WAY_IN_THAT_FAILS(name, parameters, arguments) \
    enum error __real_##name parameters; \
    enum error __wrap_##name parameters; \
    enum error __wrap_##name parameters \
    { \
        bool was_held = hold(false); \
        enum error e = __real_##name arguments; \
        hold(was_held); \
        return e; \
    }

WAY_IN_THAT_FAILS(store_open,
                  (struct store * *out, const struct store_options *o, const char **problem),
                  (out, o, problem))
WAY_IN_THAT_FAILS(store_load,
                  (struct store * s, struct state *state, int64_t low_water_ms,
                   const char **problem),
                  (s, state, low_water_ms, problem))
WAY_IN_THAT_FAILS(store_fold, (struct store * s, bool *is_done), (s, is_done))

enum error __real_store_commit(struct store *s, const struct group *g);
enum error __wrap_store_commit(struct store *s, const struct group *g);
enum error __wrap_store_commit(struct store *s, const struct group *g)
{
    bool was_held = hold(false);
    enum error e = __real_store_commit(s, g);
    hold(was_held);
    return is_lying ? ERROR_NONE : e;
}

void __real_store_load_one(struct store *s, struct load *l);
void __wrap_store_load_one(struct store *s, struct load *l);
void __wrap_store_load_one(struct store *s, struct load *l)
{
    bool was_held = hold(false);
    __real_store_load_one(s, l);
    hold(was_held);
    if (is_lying && l->result == ERROR_IO)
        l->result = ERROR_NOT_FOUND;
}

static struct stage *playing;
static size_t rows_before; /* of the story */

void __real_relay_on_durable(struct relay *r, uint64_t lsn, struct instant now);
void __wrap_relay_on_durable(struct relay *r, uint64_t lsn, struct instant now);
void __wrap_relay_on_durable(struct relay *r, uint64_t lsn, struct instant now)
{
    if (is_lying && playing != NULL)
        playing->row_count = rows_before; /* a store that kept nothing */
    bool was_held = hold(false);
    __real_relay_on_durable(r, lsn, now);
    hold(was_held);
}

/* A control is looked for at places that lie ever more densely among all allocations. */
#define CONTROL_TRIES 600u
#define CONTROL_STRIDE 61u
#define COMMANDS 11

/* What each command is answered when memory never fails. */
static struct buf truth[COMMANDS];

static struct relay_port stage_port;

/* Whether a committed record of this type names the message. */
static bool is_durable(const struct stage *w, unsigned type, ProtobufCBinaryData id)
{
    for (size_t i = 0; i < w->row_count; i++)
        if (w->rows[i].type == type &&
            memmem(w->rows[i].payload.data, w->rows[i].payload.len, id.data, id.len) != NULL)
            return true;
    return false;
}

static void judge_frame(const struct stage *w, const Brug__V1__ServerFrame *f, struct slice bytes)
{
    bool is_sound = true;
    if (f->frame_case == SERVER(RECEIPT))
        is_sound = is_durable(w, RECORD(ACCEPTED), f->receipt->message_id);
    if (f->frame_case == SERVER(ACKED))
        is_sound = is_durable(w, RECORD(ACKNOWLEDGED), f->acked->message_id);
    if (f->frame_case == SERVER(DELIVER))
        is_sound = f->deliver->envelope->header.len > 0;
    if (!is_sound)
        violation("something left that is not durable, frame", f->frame_case);
    if (f->request == 0 || f->request > COMMANDS)
        return;
    bool is_passing = f->frame_case == SERVER(REFUSED) && f->refused->passing;
    const struct buf *expected = &truth[f->request - 1];
    if (expected->data != NULL && !is_passing && !slice_equal(bytes, buf_slice(expected)))
        violation(f->frame_case == SERVER(REFUSED) ? "a refusal for good" : "another answer",
                  f->frame_case == SERVER(REFUSED) ? f->refused->code : f->request);
}

static bool on_send(void *ctx, uint64_t session, const struct slice *parts, size_t n)
{
    struct stage *w = ctx;
    bool was_held = hold(true);
    size_t before = w->frame_count;
    bool has_room = stage_port.send(ctx, session, parts, n);
    for (size_t i = before; i < w->frame_count; i++) {
        struct buf b;
        buf_init(&b, SIZE_MAX / 4);
        assert_int_equal(frame_append_bare(&b, &w->frames[i].frame->base), ERROR_NONE);
        judge_frame(w, w->frames[i].frame, buf_slice(&b));
        buf_fini(&b);
    }
    hold(was_held);
    return has_room;
}

static void on_load(void *ctx, struct load *l)
{
    bool was_held = hold(true);
    stage_port.load(ctx, l);
    hold(was_held);
}

static void on_commit(void *ctx, struct group *g)
{
    bool was_held = hold(true);
    stage_port.commit(ctx, g);
    hold(was_held);
}

static void on_admin_answer(void *ctx, uint64_t ticket, const Brug__V1__AdminAnswer *a)
{
    bool was_held = hold(true);
    stage_port.admin_answer(ctx, ticket, a);
    hold(was_held);
}

/* ---- the story of the core ---- */

struct play {
    struct stage *w;
    struct stage_letter letters[5];
};

static struct id old_id(struct stage *w)
{
    struct id random = stage_case_id(w);
    return id_v7(w->now.wall_ms - INT64_C(365) * 86400 * 1000, random.bytes);
}

static void play_begin(struct play *p)
{
    struct relay_limits limits = stage_limits();
    limits.body_cache_bytes_max = 1; /* bodies are loaded */
    struct stage *w = p->w = stage_new(&limits);
    struct id case_id = stage_case_id(w), nowhere = stage_case_id(w);
    p->letters[0] = stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
    p->letters[1] = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &case_id);
    p->letters[1].filler_bytes = 70000;
    p->letters[2] = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &nowhere);
    p->letters[3] = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &case_id);
    p->letters[3].id = old_id(w);
    p->letters[4] = p->letters[0];
    (void)stage_listen(w, &w->gp_pc);
    (void)stage_listen(w, &w->consultant_pc);
    stage_port = w->relay->port;
    w->relay->port.send = on_send;
    w->relay->port.load = on_load;
    w->relay->port.commit = on_commit;
    w->relay->port.admin_answer = on_admin_answer;
    playing = w;
    rows_before = w->row_count;
}

#define CROWD 4000u

/* A letter with so many readers, all empty, that its header does not fit in what the relay keeps ready. Its id is known. */
static void send_crowd(struct stage *w, uint64_t session, const struct stage_letter *l)
{
    struct buf b, header;
    ProtobufCBinaryData readers[CROWD];
    ask_submit(&b, w->request, l);
    Brug__V1__ClientFrame *f = brug__v1__client_frame__unpack(NULL, b.len, b.data);
    Brug__V1__Envelope *e = f->submit->envelope;
    Brug__V1__Header *h = brug__v1__header__unpack(NULL, e->header.len, e->header.data);
    ProtobufCBinaryData *own_readers = h->readers, own_header = e->header;
    size_t own_count = h->n_readers;
    for (size_t i = 0; i < CROWD; i++)
        readers[i] = (ProtobufCBinaryData){0, NULL};
    h->readers = readers;
    h->n_readers = CROWD;
    buf_init(&header, SIZE_MAX / 4);
    assert_int_equal(frame_append_bare(&header, &h->base), ERROR_NONE);
    e->header = (ProtobufCBinaryData){header.len, header.data};
    stage_send(w, session, f);
    e->header = own_header;
    h->readers = own_readers;
    h->n_readers = own_count;
    brug__v1__header__free_unpacked(h, NULL);
    brug__v1__client_frame__free_unpacked(f, NULL);
    buf_fini(&header);
    buf_fini(&b);
}

/* Whose command it is; sends it. */
static struct stage_endpoint *play_send(struct play *p, unsigned command)
{
    struct stage *w = p->w;
    struct stage_endpoint *e = &w->gp_pc;
    struct id unknown = stage_id(7, 999);
    w->request = command + 1;
    switch (command) {
    case 0:
    case 1:
    case 2:
    case 3:
        stage_submit(w, e->session, &p->letters[command]);
        break;
    case 4: /* a repeat */
        stage_submit(w, e->session, &p->letters[4]);
        break;
    case 5:
        e = &w->consultant_pc;
        stage_ack(w, e->session, &w->practice, &p->letters[0].id, ERROR_NONE);
        break;
    case 6:
        e = &w->consultant_pc;
        stage_ack(w, e->session, &w->practice, &p->letters[1].id, ERROR_LETTER_DECRYPT);
        break;
    case 7:
        e = &w->consultant_pc;
        stage_opened(w, e->session, &w->practice, &p->letters[0].id, &w->consultant);
        break;
    case 8:
        stage_track(w, e->session, &p->letters[0].id);
        break;
    case 9:
        send_crowd(w, e->session, &p->letters[1]);
        break;
    default:
        stage_track(w, e->session, &unknown);
        break;
    }
    return e;
}

/* The answer to the request, once it was taken; NULL: none came. */
static const Brug__V1__ServerFrame *answer_to(const struct stage *w, unsigned command, size_t from)
{
    for (size_t i = from; i < w->frame_count; i++)
        if (w->frames[i].frame->request == command + 1)
            return w->frames[i].frame;
    return NULL;
}

/* Asks until there is a final answer; a client whose session ended comes again. */
static const Brug__V1__ServerFrame *play_command(struct play *p, unsigned command)
{
    struct stage *w = p->w;
    for (unsigned attempt = 0; attempt < 3; attempt++) {
        size_t from = w->frame_count;
        is_armed = true;
        struct stage_endpoint *e = play_send(p, command);
        stage_settle(w);
        is_armed = false;
        const Brug__V1__ServerFrame *f = answer_to(w, command, from);
        enum error why = ERROR_NONE;
        bool is_closed = stage_is_closed(w, e->session, &why);
        if (is_closed && !error_is_passing(why))
            violation("a session was ended for good, for", why);
        if (f != NULL && (f->frame_case != SERVER(REFUSED) || !f->refused->passing))
            return f;
        if (f == NULL && !is_closed)
            violation("no answer to command", command + 1);
        w->now.mono_ms +=
            60000; /* rests are over; the wall clock stands, as it does for the truth */
        if (is_closed)
            (void)stage_listen(w, e);
    }
    return NULL;
}

/* A person is suspended: sessions and copies follow. */
static void play_order(struct play *p)
{
    struct stage *w = p->w;
    enum error code = ERROR_BUSY;
    for (unsigned attempt = 0; code != ERROR_NONE && attempt < 3; attempt++) {
        is_armed = true;
        code = (enum error)stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON, &w->gp2,
                                            BRUG__V1__STATUS__STATUS_SUSPENDED)
                   ->code;
        is_armed = false;
        if (!error_is_passing(code))
            violation("an order was refused for good, for", code);
    }
    if (code != ERROR_NONE && !is_for_good)
        violation("an order was never obeyed, for", code);
}

/* Every copy that waits has come to its reader, in some session. */
static void judge_deliveries(const struct play *p)
{
    const struct stage *w = p->w;
    for (unsigned i = 0; i < 4; i++) {
        bool has_come = false;
        for (size_t k = 0; k < w->frame_count; k++) {
            const Brug__V1__ServerFrame *f = w->frames[k].frame;
            if (f->frame_case == SERVER(DELIVER) &&
                memmem(f->deliver->envelope->header.data, f->deliver->envelope->header.len,
                       p->letters[i].id.bytes, ID_BYTES) != NULL)
                has_come = true;
        }
        if (has_come != (i != 2))
            violation("a letter was not delivered, or one that was refused was", i);
    }
}

static void judge_state(const struct stage *w)
{
    struct state *again = stage_replay(w, 0);
    struct digest a, b;
    assert_int_equal(state_digest(relay_state(w->relay), &a), ERROR_NONE);
    assert_int_equal(state_digest(again, &b), ERROR_NONE);
    if (!digest_equal(&a, &b))
        violation("the state is not that of its records", w->row_count);
    state_free(again);
}

static void play(bool is_truth)
{
    struct play p;
    play_begin(&p);
    for (unsigned i = 0; i < COMMANDS; i++) {
        const Brug__V1__ServerFrame *f = play_command(&p, i);
        if (f == NULL && is_for_good)
            finish(); /* it refuses for ever, and so it should */
        if (f == NULL)
            violation("no final answer to command", i + 1);
        else if (is_truth) {
            buf_init(&truth[i], SIZE_MAX / 4);
            assert_int_equal(frame_append_bare(&truth[i], &f->base), ERROR_NONE);
        }
    }
    play_order(&p);
    (void)stage_listen(p.w, &p.w->consultant_pc);
    stage_settle(p.w);
    judge_deliveries(&p);
    judge_state(p.w);
    playing = NULL;
    stage_free(p.w);
}

static void run_core(void) { play(false); }

/* ---- the store and SQLite ---- */

static struct story story;
static char *directory;

static void on_confirmed(unsigned count) { told->confirmed = count; }

static void run_store(void)
{
    is_armed = true;
    struct story_run r = story_run(&story, directory, NULL, story.count, on_confirmed);
    is_armed = false;
    if (r.is_tried_after)
        violation("a dead store did something more, after group", r.confirmed);
}

static void run_reading(void)
{
    char why[200];
    is_armed = true;
    enum story_verdict v = story_judge(&story, directory, NULL, story.count, why);
    is_armed = false;
    if (v == STORY_WRONG)
        violation(why, 0);
}

/* ---- the proof ---- */

static void note(struct tally *t, const struct part *p, unsigned n, bool stays, const char *what)
{
    if (t->violations++ == 0)
        snprintf(t->why, sizeof t->why, "%s, allocation %u%s: %s", p->name, n,
                 stays ? ", for good" : "", what);
}

/* A store that is whole, for those who only read; an empty place for those who write. */
static char *place_of(const struct part *p, const char *whole)
{
    return p->run == run_reading ? directory_copy(whole) : directory_new();
}

static void fail_one(const struct part *p, unsigned n, bool stays, const char *whole,
                     struct tally *t)
{
    char why[200];
    directory = place_of(p, whole);
    bool has_gone_on = run_child(p, n, stays);
    t->calls += told->has_failed;
    t->ends += !has_gone_on;
    if (told->violations > 0)
        note(t, p, n, stays, told->why);
    unsigned confirmed = p->run == run_reading ? story.count : told->confirmed;
    if (p->run != run_core && story_judge(&story, directory, NULL, confirmed, why) != STORY_RIGHT)
        note(t, p, n, stays, why);
    directory_free(directory);
}

/* How many allocations the part makes. */
static unsigned fail_each(const struct part *p, uint64_t max, const char *whole, struct tally *t)
{
    directory = place_of(p, whole);
    assert_true(run_child(p, 0, false));
    if (told->violations > 0)
        fail_msg("%s, with memory that never fails: %s", p->name, told->why);
    directory_free(directory);
    unsigned calls = told->calls, stride = (unsigned)(calls / max + 1);
    uint64_t ends = t->ends;
    assert_true(calls > 20);
    for (unsigned n = 1; n <= calls; n += stride) {
        fail_one(p, n, false, whole, t);
        fail_one(p, n, true, whole, t);
    }
    print_message("# %s: %u allocations, every %u, %d processes ended on purpose\n", p->name, calls,
                  stride, (int)(t->ends - ends));
    return calls;
}

static bool is_flagged(const struct part *p, unsigned calls, const char *name, const char *whole)
{
    struct tally t = {0};
    is_lying = true;
    for (unsigned i = 0; i < CONTROL_TRIES && t.violations == 0; i++)
        fail_one(p, 1 + i * CONTROL_STRIDE % calls, true, whole, &t);
    is_lying = false;
    print_message("# control '%s': %s\n", name, t.why);
    return t.violations > 0;
}

static char *whole_store(void)
{
    char *whole = directory_new();
    assert_int_equal(story_run(&story, whole, NULL, story.count, NULL).confirmed, story.count);
    struct store *s = outbox_open(whole);
    outbox_fold_all(s);
    store_close(s);
    return whole;
}

static void test_every_allocation_fails(void **unused)
{
    static const struct part core = {"core", run_core}, store = {"store", run_store},
                             reading = {"store, reading", run_reading};
    struct tally t = {0};
    double began = proof_seconds();
    uint64_t max = proof_size("CALLS", 150, 6000);
    story_init(&story, 23, 6, 12);
    char *whole = whole_store();
    play(true);
    unsigned of_core = fail_each(&core, max, whole, &t);
    unsigned of_store = fail_each(&store, max, whole, &t);
    unsigned of_reading = fail_each(&reading, max, whole, &t);
    unsigned flagged = is_flagged(&core, of_core, "a store that keeps nothing", whole);
    flagged += is_flagged(&store, of_store, "a commit whose failure is ignored", whole);
    flagged += is_flagged(&reading, of_reading, "a failed load that is called not found", whole);
    struct proof p = {.claim = "relay and store: any allocation may fail",
                      .unit = "allocations",
                      .done = t.calls,
                      .violations = t.violations,
                      .controls = 3,
                      .controls_failed = flagged,
                      .seconds = proof_seconds() - began};
    proof_report(&p);
    if (t.violations > 0)
        fail_msg("%s", t.why);
    assert_int_equal(flagged, 3);
    for (unsigned i = 0; i < COMMANDS; i++)
        buf_fini(&truth[i]);
    directory_free(whole);
    story_fini(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails)};
    failing_memory_of_sqlite();
    failing_memory_pause(1);
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
