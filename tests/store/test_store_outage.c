/*
 * tests/store/test_store_outage.c: the days on which the relay was away, on disk: loading gives what memory has, wherever the fold has
 * come; a store from before takes them; and when the last record was made.
 */
#include "daemon/core/model.h"
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define GROUPS 9
#define OUTAGES 12u /* their ids are random: a table gives them in another order */

struct world {
    struct history history;
    struct group *groups[GROUPS];
};

static struct group *group_of(struct history *w, unsigned i)
{
    if (i == 0)
        return history_directory(w);
    struct group *g = history_empty_group(w);
    for (unsigned k = 0; k < 3; k++) {
        history_open_case(w, g);
        history_move_case(w, g, &w->cases[history_random(w, w->case_count)]);
        if (w->outage_count < OUTAGES)
            history_outage(w, g);
    }
    return g;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    history_init(&w->history, 11);
    for (unsigned i = 0; i < GROUPS; i++)
        w->groups[i] = group_of(&w->history, i);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < GROUPS; i++)
        group_free(w->groups[i]);
    history_fini(&w->history);
    free(w);
    return 0;
}

static struct state *commit_all(struct world *w, struct store *s)
{
    struct state *memory = state_empty(store_generation(s));
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(store_commit(s, w->groups[i]), ERROR_NONE);
        state_apply_group(memory, w->groups[i]);
    }
    return memory;
}

static void assert_loads(struct store *s, const struct state *memory)
{
    struct state *loaded = outbox_load(s);
    struct digest a = state_digest_of(loaded), b = state_digest_of(memory);
    assert_int_equal(loaded->outages.count, memory->outages.count);
    for (size_t i = 0; i < loaded->outages.count; i++)
        assert_int_equal(loaded->outages.days[i].from, memory->outages.days[i].from);
    if (!digest_equal(&a, &b))
        fail_msg("at fold %u", (unsigned)store_folded_lsn(s));
    state_free(loaded);
}

static void loading_gives_what_memory_has(void **state)
{
    char *directory = directory_new();
    struct store *s = outbox_open_slices(directory, 1);
    struct state *memory = commit_all(*state, s);
    bool is_done = false;
    assert_int_equal(memory->outages.count, OUTAGES);
    assert_loads(s, memory);
    for (unsigned k = 0; !is_done; k++) {
        assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
        if (k % 7 == 0 || is_done)
            assert_loads(s, memory);
    }
    store_close(s);
    state_free(memory);
    directory_free(directory);
}

/* ---- stores from before ---- */

static void add(struct store *s, unsigned type, const ProtobufCMessage *m)
{
    uint8_t bytes[400];
    struct group *g = group_new(store_lsn(s) + 1);
    assert_true(protobuf_c_message_get_packed_size(m) <= sizeof bytes);
    assert_int_equal(
        group_append(g, type, (struct slice){bytes, protobuf_c_message_pack(m, bytes)}), 0);
    assert_int_equal(store_commit(s, g), ERROR_NONE);
    group_free(g);
}

static void assert_waits_for_outages(struct store *s, size_t outages)
{
    struct state *loaded = outbox_load(s);
    struct arena *arena = arena_new();
    size_t waiting = 0;
    assert_int_equal(loaded->outages.count, outages);
    for (struct map_node *n = map_next(&loaded->cases, NULL); n; n = map_next(&loaded->cases, n)) {
        const struct casefile *f = container_of(n, struct casefile, node);
        arena_reset(arena, SIZE_MAX);
        assert_int_equal(casefile_unpack(f, arena)->outages, 0);
        if (f->step.position == HEAP_OUT)
            continue;
        assert_true((f->step.due_ms == 0) == (outages > 0));
        waiting++;
    }
    assert_true(waiting > 0);
    arena_free(arena);
    state_free(loaded);
}

/* Its cases have taken in nothing, and take in what comes. */
static void a_store_of_before_takes_an_outage(void **state)
{
    static const char *const stores[] = {"tests/data/store-1", "tests/data/store-2",
                                         "tests/data/store-3"};
    Brug__V1__Outage row = BRUG__V1__OUTAGE__INIT;
    struct id id = {{1, 2, 3}};
    (void)state;
    row.outage_id = id_bytes(&id);
    row.from_date = row.until_date = 20000;
    row.number = 1;
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        char *directory = directory_copy(stores[i]);
        struct store *s = outbox_open(directory);
        assert_waits_for_outages(s, 0);
        add(s, RECORD(OUTAGE), &row.base);
        assert_waits_for_outages(s, 1);
        outbox_fold_all(s);
        assert_waits_for_outages(s, 1);
        store_close(s);
        directory_free(directory);
    }
}

/* ---- the last record ---- */

static void assert_last(struct store *s, int64_t wanted)
{
    int64_t ms = -1;
    assert_int_equal(store_last_ms(s, &ms), ERROR_NONE);
    assert_int_equal(ms, wanted);
}

static void the_last_record_is_known_wherever_it_lies(void **state)
{
    Brug__V1__Session session = BRUG__V1__SESSION__INIT;
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    (void)state;
    assert_last(s, 0);
    for (int64_t ms = 1000; ms < 4000; ms += 1000) {
        session.at_ms = ms;
        add(s, RECORD(SESSION), &session.base);
        assert_last(s, ms); /* in the journal */
        outbox_fold_all(s);
        assert_last(s, ms); /* in the audit file, and nowhere else */
        store_close(s);
        s = outbox_open(directory);
        assert_last(s, ms);
    }
    store_close(s);
    directory_free(directory);
}

/* The row of a municipality whose epoch rises keeps the time of its last change, and stands behind what raised it. */
static void a_row_is_as_late_as_its_latest_record(void **state)
{
    uint8_t bytes[400];
    Brug__V1__Session session = BRUG__V1__SESSION__INIT;
    Brug__V1__Outage older = BRUG__V1__OUTAGE__INIT;
    struct id id = {{1, 2, 3}};
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct group *g = group_new(1);
    (void)state;
    session.at_ms = 5000;
    older.outage_id = id_bytes(&id);
    older.number = 1;
    older.at_ms = 2000;
    assert_int_equal(group_append(g, RECORD(SESSION),
                                  (struct slice){bytes, brug__v1__session__pack(&session, bytes)}),
                     0);
    assert_int_equal(group_append(g, RECORD(OUTAGE),
                                  (struct slice){bytes, brug__v1__outage__pack(&older, bytes)}),
                     0);
    assert_int_equal(store_commit(s, g), ERROR_NONE);
    group_free(g);
    assert_last(s, 5000);
    store_close(s);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loading_gives_what_memory_has, setup, teardown),
        cmocka_unit_test(a_store_of_before_takes_an_outage),
        cmocka_unit_test(the_last_record_is_known_wherever_it_lies),
        cmocka_unit_test(a_row_is_as_late_as_its_latest_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
