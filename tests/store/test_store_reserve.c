/*
 * tests/store/test_store_reserve.c: what is kept free covers the end of all that waits (T10): when a disk has
 * no room for letters any more, every copy that waits is acknowledged, each in a group of its own, and
 * folded and check-pointed, and nothing finds the disk full. With less kept it does.
 */
#include "tests/lib/directory.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MIB(n) ((uint64_t)(n) << 20)

struct shape {
    const char *name;
    uint64_t disk_bytes;
    unsigned letters; /* in a group */
    size_t body_bytes;
    unsigned cases; /* that they move, in turn; a move is longer than a small letter */
};

static const struct shape shapes[] = {
    {"small letters, one in a group", MIB(40), 1, 300, 0},
    {"small letters, many in a group", MIB(40), 200, 300, 0},
    {"letters of 1 KiB", MIB(40), 16, 1024, 0},
    {"letters of a page and more", MIB(40), 8, 9000, 0},
    {"large letters", MIB(64), 2, 200000, 0},
    {"small letters that move cases", MIB(40), 20, 300, 500},
};

static struct store_options options_of(const char *directory)
{
    struct store_options o = outbox_options(directory);
    o.vfs = FAULT_VFS;
    o.free_bytes = fault_vfs_free;
    o.checkpoint_pages = 500;
    o.fold_slice_bytes = 64u << 10;
    o.fold_gather_bytes = 256u << 10;
    o.reserve_bytes = MIB(1);
    o.unstored_bytes = MIB(1);
    return o;
}

static void acknowledge(struct history *w, struct group *g, struct history_message *m, unsigned i)
{
    Brug__V1__Acknowledged r = BRUG__V1__ACKNOWLEDGED__INIT;
    r.organisation =
        (ProtobufCBinaryData){id_is_none(&m->organisation) ? 0 : ID_BYTES, m->organisation.bytes};
    r.message_id = (ProtobufCBinaryData){ID_BYTES, m->id.bytes};
    r.endpoint = (ProtobufCBinaryData){ID_BYTES, w->endpoints[m->readers[i].endpoint].bytes};
    r.sequence = m->readers[i].sequence;
    r.result = BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    r.at_ms = w->now_ms;
    m->readers[i].is_waiting = false;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACKNOWLEDGED, &r);
}

static void move_case(struct history *w, struct group *g, const struct shape *x, uint64_t n)
{
    if (w->case_count < x->cases)
        history_open_case(w, g);
    else if (x->cases > 0)
        history_move_case(w, g, &w->cases[n % x->cases]);
}

/* Letters until there is no room, or until no more than so much is free. Returns how many copies wait. */
static uint64_t fill(struct store *s, struct history *w, const struct shape *x, uint64_t down_to)
{
    uint64_t waiting = 0;
    do {
        struct group *g = w->lsn == 0 ? history_directory(w) : history_empty_group(w);
        for (unsigned i = 0; w->lsn > 0 && i < x->letters && g->first_lsn > 1; i++, waiting++) {
            history_add_message(w, g, x->body_bytes);
            move_case(w, g, x, waiting);
        }
        g->waiting = waiting;
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
    } while (down_to > 0 ? fault_vfs_free() > down_to : store_has_room(s));
    return waiting;
}

/* Each copy in a group of its own. What the first failure was. */
static enum error acknowledge_all(struct store *s, struct history *w, uint64_t waiting)
{
    bool is_done = false;
    for (size_t i = 0; i < w->count; i++) {
        for (unsigned k = 0; k < w->messages[i].reader_count; k++) {
            struct group *g = history_empty_group(w);
            acknowledge(w, g, &w->messages[i], k);
            g->waiting = --waiting;
            enum error e = store_commit(s, g);
            group_free(g);
            if (e != ERROR_NONE)
                return e;
        }
    }
    while (!is_done) {
        enum error e = store_fold(s, &is_done);
        if (e != ERROR_NONE)
            return e;
    }
    return ERROR_NONE;
}

static enum error run(const struct shape *x, uint64_t down_to, uint64_t *waiting, uint64_t *took)
{
    char *directory = directory_new();
    struct store_options o = options_of(directory);
    struct history w;
    const char *problem;
    struct store *s;
    history_init(&w, 5);
    fault_vfs_limit(x->disk_bytes);
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    assert_true(store_has_room(s));
    *waiting = fill(s, &w, x, down_to);
    uint64_t free_bytes = fault_vfs_free();
    enum error e = acknowledge_all(s, &w, *waiting);
    *took = free_bytes - fault_vfs_free();
    store_close(s);
    if (e == ERROR_NONE) {
        s = outbox_open(directory);
        struct state *state = outbox_load(s);
        assert_int_equal(state_waiting(state), 0);
        state_free(state);
        store_close(s);
    }
    fault_vfs_limit(0);
    history_fini(&w);
    directory_free(directory);
    return e;
}

static void T10_all_that_waits_is_acknowledged_below_the_reserve(void **unused)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        uint64_t waiting, took;
        enum error e = run(&shapes[i], 0, &waiting, &took);
        print_message("%s: %d waited, their end took %d bytes each\n", shapes[i].name, (int)waiting,
                      (int)(took / (waiting + 1)));
        if (e != ERROR_NONE)
            fail_msg("%s: %s", shapes[i].name, error_name(e));
        assert_true(waiting > 100 || shapes[i].body_bytes > 100000);
    }
}

/* The control: letters are taken until so much is left. */
static void a_constant_of_two_mebibytes_is_not_enough(void **unused)
{
    uint64_t waiting, took;
    assert_int_equal(run(&shapes[1], MIB(2), &waiting, &took), ERROR_IO);
}

static int set_up(void **unused)
{
    fault_vfs_register();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T10_all_that_waits_is_acknowledged_below_the_reserve),
        cmocka_unit_test(a_constant_of_two_mebibytes_is_not_enough),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
