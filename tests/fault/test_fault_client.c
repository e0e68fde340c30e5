/*
 * tests/fault/test_fault_client.c: each call that the client's store makes of the disk fails, and each allocation, the
 * n-th for all n, once and for good.
 *
 * A flow (begin a profile, enrol, write and send, receive and read, fetch the directory) runs from the same profile each
 * time, over TLS against the scripted relay, with one fault in it. Then the fault ends, the profile is opened as by a new
 * process, and
 *   what was confirmed to the user (a letter taken in, an event, a mark) or to the relay (an Ack) is there;
 *   what the client said of the fault names the disk or memory, not the letter, the user or the relay;
 *   what was cut off is done: every letter is at the relay once and in every inbox once, readable.
 * Allocations inside OpenSSL are let live (tests/unit/test_letter_memory.c says why).
 *
 * In `make prove` every call of the disk; of the allocations, which are thousands, and in `make test` of the calls too, a
 * part that SEED moves. Controls: a disk that says it wrote and did not, in a process of its own, where the test must fail.
 *
 * FAULTS, ALLOCATIONS: how many of each kind in each flow at most, spread evenly over all n.
 */
#include "base/id.h"
#include "client/pins.h"
#include "pki/key.h"
#include "tests/lib/clients.h"
#include "tests/lib/directory.h"
#include "tests/lib/failing_memory.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/proof.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), BRUG_OK)
#define FILE_BYTES_MAX (64u << 20)
#define STEPS 60 /* rounds of a session that cannot come to rest */
#define PROMISES_MAX 32

static struct clients c;
static struct member *gp, *one, *two;
static int64_t (*now_ms)(void *ctx);

/* ---- what was promised during a flow ---- */

static struct {
    int64_t sent[PROMISES_MAX], stored[PROMISES_MAX], received[PROMISES_MAX], opened[PROMISES_MAX];
    size_t sent_n, stored_n, received_n, opened_n;
    unsigned asked;    /* letters that were given to brug_send */
    int error;         /* the first that was told */
    char line[256];    /* and how */
    char *request;     /* of brug_init */
    bool is_confirmed; /* brug_enrol_confirm said so */
    bool is_silent;    /* calls failed for good, and nobody was told: then nothing is left to do */
} told;

static void forget_told(void)
{
    brug_free(told.request);
    memset(&told, 0, sizeof told);
}

static void add(int64_t *list, size_t *n, int64_t number)
{
    assert_true(*n < PROMISES_MAX);
    list[(*n)++] = number;
}

static bool is_among(const int64_t *list, size_t n, int64_t number)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == number)
            return true;
    return false;
}

/* Keeps the first error; whether the call went well. */
static bool went_well(struct member *m, int e)
{
    if (e != BRUG_OK && told.error == BRUG_OK) {
        told.error = e;
        snprintf(told.line, sizeof told.line, "%s", brug_last_error(m->b));
    }
    return e == BRUG_OK;
}

static void hear_events(struct member *m)
{
    struct brug_event e;
    while (brug_next_event(m->b, &e)) {
        if (e.type == BRUG_EVENT_STORED)
            add(told.stored, &told.stored_n, e.number);
        if (e.type != BRUG_EVENT_RECEIVED)
            continue;
        assert_false(is_among(told.received, told.received_n, e.number)); /* told once */
        add(told.received, &told.received_n, e.number);
    }
}

/* ---- a profile and the relay as they were before the flow ---- */

static struct {
    struct buf store;
    struct kept kept[CLIENTS_MESSAGES_MAX]; /* bytes are the relay's */
    size_t kept_count;
} before;

static char *store_path(const struct member *m, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", m->directory, name);
    return path;
}

static void write_file(const char *path, struct slice bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void save(struct member *m)
{
    char path[128];
    buf_clear(&before.store);
    OK((int)buf_read_file(&before.store, store_path(m, "store.db", path)));
    memcpy(before.kept, c.kept, sizeof c.kept);
    before.kept_count = c.kept_count;
}

static void restore(struct member *m)
{
    char path[128];
    brug_close(&m->b);
    unlink(store_path(m, "store.db-journal", path));
    write_file(store_path(m, "store.db", path), buf_slice(&before.store));
    for (size_t i = before.kept_count; i < c.kept_count; i++) {
        buf_fini(&c.kept[i].header);
        buf_fini(&c.kept[i].sealed);
    }
    memcpy(c.kept, before.kept, sizeof c.kept);
    c.kept_count = before.kept_count;
    c.repeats_differing = 0;
}

static void new_handle(struct member *m)
{
    clients_cut(&c);
    brug_close(&m->b);
    failing_memory_pause(1); /* a handle is not what is tried */
    m->b = brug_new(m->directory);
    failing_memory_pause(0);
    assert_non_null(m->b);
    m->b->now_ms = now_ms;
    m->b->now_ctx = &c;
}

static bool opens(struct member *m)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    new_handle(m);
    return went_well(m, brug_open(m->b, &state)) && state == BRUG_STATE_READY;
}

/* ---- the flows ---- */

static void write_letter(struct member *m, const struct brug_draft *d)
{
    struct brug_sent sent;
    told.asked++;
    if (went_well(m, brug_send(m->b, d, &sent)))
        add(told.sent, &told.sent_n, sent.number);
}

static void meet_relay(struct member *m)
{
    went_well(m, clients_try(&c, m, STEPS));
    hear_events(m);
}

/* Two letters, one of them off-line, and a restart between. */
static void send_flow(struct member *m)
{
    struct brug_draft d = clients_referral();
    if (opens(m)) {
        write_letter(m, &d);
        meet_relay(m);
    }
    if (opens(m)) {
        write_letter(m, &d);
        meet_relay(m);
    }
}

static void reseal_flow(struct member *m)
{
    struct brug_draft d = clients_referral();
    c.script.answers_directory_changed = true;
    if (opens(m)) {
        write_letter(m, &d);
        meet_relay(m);
    }
    c.script.answers_directory_changed = false;
}

static void read_all(struct member *m)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.received = true};
    if (!went_well(m, brug_messages(m->b, &q, &list)))
        return;
    for (size_t i = 0; i < list->n; i++) {
        struct brug_letter *letter = NULL;
        int64_t number = list->items[i].number;
        int e = brug_open_letter(m->b, number, true, NULL, &letter);
        if (e == BRUG_OK) {
            add(told.opened, &told.opened_n, number);
            assert_string_equal(letter->text, "Geachte collega,\nSanne slaapt slecht.");
            brug_letter_free(letter);
        } else if (e == BRUG_CONFIRM) {
            assert_int_equal(list->items[i].state, BRUG_MESSAGE_CONFIRM);
        } else {
            went_well(m, e);
        }
    }
    brug_messages_free(list);
}

/* Two letters come, are acknowledged and read. */
static void receive_flow(struct member *m)
{
    if (!opens(m))
        return;
    meet_relay(m);
    read_all(m);
    meet_relay(m);
}

/* The directory changed: a consultant is revoked. */
static void fetch_flow(struct member *m)
{
    if (opens(m))
        meet_relay(m);
}

static void init_flow(struct member *m)
{
    new_handle(m);
    (void)went_well(m, brug_init(m->b, (const char *)gp->invitation.data, NULL, &told.request));
}

static void enrol_flow(struct member *m)
{
    char code[BRUG_COMPARE_BYTES];
    new_handle(m);
    told.is_confirmed = went_well(m, brug_open(m->b, NULL)) &&
                        went_well(m, clients_answer(&c, m, NULL, code)) &&
                        went_well(m, brug_enrol_confirm(m->b, code));
}

/* ---- after a flow: a new process, without faults ---- */

static struct brug_messages *messages(struct member *m, bool sent)
{
    struct brug_messages *list = NULL;
    struct brug_query q = {.received = !sent, .sent = sent};
    OK(brug_messages(m->b, &q, &list));
    return list;
}

static const struct brug_message *find(const struct brug_messages *list, int64_t number)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].number == number)
            return &list->items[i];
    return NULL;
}

static const struct brug_message *find_kept(const struct brug_messages *list, const struct kept *k)
{
    for (size_t i = 0; i < list->n; i++)
        if (memcmp(&list->items[i].message_id, &k->message_id, ID_BYTES) == 0)
            return &list->items[i];
    return NULL;
}

static void acknowledged_letters_are_there(struct member *m, const struct brug_messages *in)
{
    for (size_t i = 0; i < c.kept_count; i++) {
        const struct kept *k = &c.kept[i];
        struct brug_letter *letter = NULL;
        size_t reader = clients_reader_of(k, m);
        if (reader == SIZE_MAX || !k->is_acked[reader])
            continue;
        const struct brug_message *message = find_kept(in, k);
        assert_int_equal(k->ack_code[reader], 0); /* no fault of ours is a letter's */
        assert_non_null(message);
        OK(brug_open_letter(m->b, message->number, false, NULL, &letter));
        assert_string_equal(letter->text, "Geachte collega,\nSanne slaapt slecht.");
        brug_letter_free(letter);
    }
}

static void promises_hold(struct member *m)
{
    struct brug_messages *in = messages(m, false);
    struct brug_messages *out = messages(m, true);
    acknowledged_letters_are_there(m, in);
    for (size_t i = 0; i < told.sent_n; i++)
        assert_non_null(find(out, told.sent[i]));
    for (size_t i = 0; i < told.stored_n; i++)
        assert_int_equal(find(out, told.stored[i])->state, BRUG_MESSAGE_STORED);
    for (size_t i = 0; i < told.received_n; i++)
        assert_non_null(find(in, told.received[i]));
    for (size_t i = 0; i < told.opened_n; i++)
        assert_true(find(in, told.opened[i])->opened_at_ms > 0);
    brug_messages_free(in);
    brug_messages_free(out);
}

static void all_is_done(struct member *m, size_t sent_before)
{
    struct brug_messages *out = messages(m, true);
    const char *unfinished = clients_unfinished(&c, m);
    assert_true(out->n >= sent_before + told.sent_n && out->n <= sent_before + told.asked);
    brug_messages_free(out);
    if (unfinished)
        fail_msg("%s", unfinished);
}

static void as_a_new_process(struct member *m, size_t sent_before)
{
    clients_reopen(&c, m);
    promises_hold(m);
    if (told.is_silent)
        all_is_done(m, sent_before);
    clients_sync(&c, m);
    all_is_done(m, sent_before);
    clients_leave(&c, m);
}

static bool is_believed(struct member *m, struct member *whom)
{
    return pins_judge_signer(m->b, &whom->organisation, &whom->endpoint, &whom->person,
                             whom->identity_x509) == ERROR_NONE;
}

/* What one process fetched, in spite of the fault, the next one knows too. */
static void check_revoked(struct member *m)
{
    struct db_cursor cursor;
    clients_reopen(&c, m);
    OK(DB_SELECT(m->b->db, &cursor, "SELECT 1 FROM municipality WHERE epoch = ?1",
                 DB_INT(c.epoch)));
    bool is_fetched = db_next(&cursor);
    OK(db_done(&cursor));
    assert_true(is_fetched || !told.is_silent);
    if (is_fetched)
        assert_false(is_believed(m, two));
    as_a_new_process(m, 0);
    clients_reopen(&c, m);
    assert_false(is_believed(m, two));
    assert_true(is_believed(m, one));
}

static char *begun_anew(struct member *m)
{
    char *request = NULL;
    new_handle(m);
    OK(brug_open(m->b, NULL));
    OK(brug_init(m->b, (const char *)gp->invitation.data, NULL, &request));
    return request;
}

/* The request that was given out stays the one of this profile, and its keys are the ones on disk. */
static void check_begun(struct member *m)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    struct buf key;
    assert_true(told.request || !told.is_silent);
    char *request = begun_anew(m);
    if (told.request)
        assert_string_equal(request, told.request);
    brug_free(told.request);
    told.request = begun_anew(m);
    assert_string_equal(request, told.request);
    brug_free(request);
    OK(brug_open(m->b, &state));
    assert_int_equal(state, BRUG_STATE_REQUESTED);
    buf_init(&key, FILE_BYTES_MAX);
    OK((int)key_public_der(m->b->keys.identity_key, &key));
    assert_non_null(memmem(m->b->self.binding.data, m->b->self.binding.len, key.data, key.len));
    buf_fini(&key);
}

static void check_enrolled(struct member *m)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    struct brug_identity identity;
    char code[BRUG_COMPARE_BYTES];
    new_handle(m);
    OK(brug_open(m->b, &state));
    assert_true(told.is_confirmed || !told.is_silent);
    if (told.is_confirmed)
        assert_int_equal(state, BRUG_STATE_READY);
    if (state != BRUG_STATE_READY) {
        OK(clients_answer(&c, m, NULL, code));
        OK(brug_enrol_confirm(m->b, code));
    }
    clients_reopen(&c, m);
    OK(brug_identity(m->b, &identity));
    assert_string_equal(identity.relay_host, "127.0.0.1");
}

/* ---- each fault of a flow ---- */

struct flow {
    const char *name;
    void (*prepare)(struct member *m);
    void (*run)(struct member *m);
    void (*check)(struct member *m);
};

/* What fails: calls of the disk in some way, or memory. */
static const struct kind {
    const char *name;
    unsigned calls; /* 0: memory */
    enum fault_how how;
    bool stays;
} KINDS[] = {
    {"a full disk", FAULT_CHANGES, FAULT_FULL, false},
    {"a disk full for good", FAULT_CHANGES, FAULT_FULL, true},
    {"a failed write", FAULT_CHANGES, FAULT_EIO, false},
    {"failing writes", FAULT_CHANGES, FAULT_EIO, true},
    {"a short write", FAULT_CHANGES, FAULT_SHORT, false},
    {"short writes", FAULT_CHANGES, FAULT_SHORT, true},
    {"a failed sync", FAULT_SYNCS, FAULT_EIO, false},
    {"failing syncs", FAULT_SYNCS, FAULT_EIO, true},
    {"a sync that loses pages", FAULT_SYNCS, FAULT_DROPS, false},
    {"syncs that lose pages", FAULT_SYNCS, FAULT_DROPS, true},
    {"a failed read", FAULT_READS, FAULT_EIO, false},
    {"failing reads", FAULT_READS, FAULT_EIO, true},
    {"a failed open", FAULT_OPENS, FAULT_EIO, false},
    {"failing opens", FAULT_OPENS, FAULT_EIO, true},
    {"a failed lock", FAULT_LOCKS, FAULT_EIO, false},
    {"failing locks", FAULT_LOCKS, FAULT_EIO, true},
    {"a failed look for a file", FAULT_ACCESSES, FAULT_EIO, false},
    {"failing looks for files", FAULT_ACCESSES, FAULT_EIO, true},
    {"an allocation", 0, FAULT_EIO, false},
    {"all allocations", 0, FAULT_EIO, true},
};

static void arm(const struct kind *k, unsigned n)
{
    fault_vfs_how(k->how);
    fault_vfs_keep(k->how == FAULT_DROPS);
    if (k->calls != 0)
        fault_vfs_fail(k->calls, n, k->stays);
    else if (k->stays)
        failing_memory_from(n);
    else
        failing_memory_at(n);
}

static unsigned disarm(const struct kind *k, bool *has_failed)
{
    unsigned calls = k->calls ? fault_vfs_calls() : failing_memory_count();
    *has_failed = k->calls ? fault_vfs_failed() : failing_memory_happened();
    failing_memory_at(0);
    fault_vfs_fail(0, 0, false);
    return calls;
}

/* Runs the flow with the n-th call failing; the number of calls. */
static unsigned run_once(const struct flow *flow, struct member *m, const struct kind *k,
                         unsigned n)
{
    bool has_failed = false;
    forget_told();
    arm(k, n);
    flow->run(m);
    unsigned calls = disarm(k, &has_failed);
    if (told.error != BRUG_OK && told.error != BRUG_IO && told.error != BRUG_NO_MEMORY)
        fail_msg("%s: %s %u: told as %s (%s)", flow->name, k->name, n, brug_error_name(told.error),
                 told.line);
    assert_true(told.error == BRUG_OK || told.line[0] != '\0');
    told.is_silent = has_failed && k->stays && told.error == BRUG_OK;
    brug_stop(m->b);
    flow->check(m);
    return calls;
}

static uint64_t seed;

/* Where among `all` the i-th of `some` lies, from 1; another one for another seed. */
static unsigned place(uint64_t i, uint64_t some, uint64_t all)
{
    return (unsigned)(1 + (i * all / some + seed) % all);
}

/* Of one sort of thing that fails. */
static struct sort {
    uint64_t most; /* in each flow, of each kind */
    uint64_t done, all;
    double seconds;
} disk, looks, memory;

static struct sort *sort_of(const struct kind *k)
{
    if (k->calls == 0)
        return &memory;
    return k->calls == FAULT_LOCKS || k->calls == FAULT_ACCESSES ? &looks : &disk;
}

static void try_kind(const struct flow *flow, struct member *m, const struct kind *k, unsigned all)
{
    struct sort *sort = sort_of(k);
    uint64_t some = all < sort->most ? all : sort->most;
    double began = proof_seconds();
    assert_true(all > 0);
    for (uint64_t i = 0; i < some; i++) {
        flow->prepare(m);
        (void)run_once(flow, m, k, place(i, some, all));
    }
    printf("# %s, %s: %llu of %u\n", flow->name, k->name, (unsigned long long)some, all);
    sort->done += some;
    sort->all += all;
    sort->seconds += proof_seconds() - began;
}

static void try_flow(const struct flow *flow, struct member *m)
{
    unsigned all = 0;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (i == 0 || KINDS[i].calls != KINDS[i - 1].calls) {
            flow->prepare(m);
            all = run_once(flow, m, &KINDS[i], UINT32_MAX);
            assert_int_equal(told.error, BRUG_OK);
        }
        try_kind(flow, m, &KINDS[i], all);
    }
    flow->prepare(m);
}

/* ---- tests ---- */

/* A practice with one GP, a team of two, who know and believe one another. */
static int begin(void **state)
{
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    (void)clients_add_recovery(&c, 1, 9);
    one = clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    two = clients_add(&c, 2, 2, BRUG_ROLE_CONSULTANT);
    buf_init(&before.store, FILE_BYTES_MAX);
    now_ms = gp->b->now_ms;
    clients_meet(&c);
    return 0;
}

static int end(void **state)
{
    forget_told();
    buf_fini(&before.store);
    clients_fini(&c);
    return 0;
}

static void check_letters(struct member *m) { as_a_new_process(m, 0); }

static void letters_of_ours(void **state)
{
    static const struct flow send = {"sending", restore, send_flow, check_letters};
    static const struct flow reseal = {"sealing again", restore, reseal_flow, check_letters};
    save(gp);
    try_flow(&send, gp);
    try_flow(&reseal, gp);
}

static void two_letters_come(void)
{
    struct brug_draft d = clients_referral();
    struct brug_sent sent;
    OK(brug_send(gp->b, &d, &sent));
    OK(brug_send(gp->b, &d, &sent));
    clients_sync(&c, gp);
    clients_leave(&c, gp);
}

static void letters_for_us(void **state)
{
    static const struct flow receive = {"receiving", restore, receive_flow, check_letters};
    two_letters_come();
    save(one);
    try_flow(&receive, one);
}

static void the_directory(void **state)
{
    static const struct flow fetch = {"fetching", restore, fetch_flow, check_revoked};
    save(gp);
    clients_revoke(&c, &two->identity_x509, 1);
    try_flow(&fetch, gp);
}

static void begin_anew(struct member *m)
{
    brug_close(&m->b);
    directory_free(m->directory);
    m->directory = directory_new();
}

static void a_new_profile(void **state)
{
    static const struct flow init = {"beginning", begin_anew, init_flow, check_begun};
    static const struct flow enrol = {"enrolling", restore, enrol_flow, check_enrolled};
    struct member begun = {.directory = directory_new()};
    try_flow(&init, &begun);
    brug_close(&begun.b);
    directory_free(begun.directory);
    struct member *answered = clients_begin(&c, 3, 1, BRUG_ROLE_GP);
    save(answered);
    try_flow(&enrol, answered);
}

/* ---- controls ---- */

/* A disk that makes no change from the n-th on, and says that all is well. */
static void with_changes_not_made(const struct flow *flow, struct member *m)
{
    static const struct kind lie = {"changes not made", FAULT_CHANGES, FAULT_LIE, true};
    const char *n = getenv("BRUG_CONTROL");
    save(m);
    flow->prepare(m);
    (void)run_once(flow, m, &lie, (unsigned)strtoul(n, NULL, 10));
    flow->prepare(m);
}

static void control_sending(void **state)
{
    static const struct flow send = {"sending", restore, send_flow, check_letters};
    with_changes_not_made(&send, gp);
}

static void control_receiving(void **state)
{
    static const struct flow receive = {"receiving", restore, receive_flow, check_letters};
    two_letters_come();
    with_changes_not_made(&receive, one);
}

/* This program again, with these tests alone: how many failed. */
static unsigned failed_with_lie_from(const char *n)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(len > 0);
    path[len] = '\0';
    (void)fflush(stdout); /* else both processes print what waits */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("BRUG_CONTROL", n, 1); /* or the child runs everything, and is seen to */
        (void)unsetenv("BRUG_PROOF_ROWS");
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* a test that fails leaks */
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(100);
        execl(path, path, (char *)NULL);
        _exit(100);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (unsigned)WEXITSTATUS(status);
}

static unsigned controls_failed;

/* And a lie that is never told is no reason to fail. */
static void changes_that_are_not_made_are_found(void **state)
{
    assert_int_equal(failed_with_lie_from("1000000"), 0);
    controls_failed = failed_with_lie_from("1");
    assert_int_equal(controls_failed, 2);
}

static void report(const char *what, const struct sort *sort, int failed, unsigned controls)
{
    char claim[100], part[40] = "";
    if (sort->done > 0 && sort->done < sort->all)
        snprintf(part, sizeof part, "; 1 of %.0f tried", (double)sort->all / (double)sort->done);
    snprintf(claim, sizeof claim, "client: %s, once or for good%s", what, part);
    struct proof proof = {.claim = claim,
                          .unit = "faults",
                          .done = sort->done,
                          .violations = (uint64_t)failed,
                          .controls = controls,
                          .controls_failed = controls ? controls_failed : 0,
                          .seconds = sort->seconds};
    proof_report(&proof);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(letters_of_ours, begin, end),
        cmocka_unit_test_setup_teardown(letters_for_us, begin, end),
        cmocka_unit_test_setup_teardown(the_directory, begin, end),
        cmocka_unit_test_setup_teardown(a_new_profile, begin, end),
        cmocka_unit_test(changes_that_are_not_made_are_found),
    };
    const struct CMUnitTest controls[] = {
        cmocka_unit_test_setup_teardown(control_sending, begin, end),
        cmocka_unit_test_setup_teardown(control_receiving, begin, end),
    };
    bool is_control = getenv("BRUG_CONTROL") != NULL;
    seed = is_control ? 0 : proof_seed(0);
    disk.most = proof_size("FAULTS", 3, 100000);
    looks.most = proof_size("LOOKS", 3, 40);
    memory.most = proof_size("ALLOCATIONS", 3, 40);
    failing_memory_of_sqlite();
    fault_vfs_register();
    if (sqlite3_vfs_register(sqlite3_vfs_find(FAULT_VFS), 1) != SQLITE_OK)
        return 1;
    if (is_control)
        return cmocka_run_group_tests_name("client_control", controls, NULL, NULL);
    int failed = cmocka_run_group_tests_name("client_fault", tests, NULL, NULL);
    report("any call of the disk fails", &disk, failed, 2);
    report("a lock or look fails", &looks, failed, 0);
    report("an allocation fails", &memory, failed, 0);
    return failed;
}
