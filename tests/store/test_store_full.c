/* tests/store/test_store_full.c: a small file system fills. A word of warning comes first; whatever was committed
 * is there, and whatever is there was decided. */
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

/* Fills the disk: there is a word of warning first, then a commit fails; what was committed is there. */
static void test_disk_full(void **unused)
{
    struct history w;
    char *directory = directory_new();
    if (mount("brug-test", directory, "tmpfs", 0, "size=24m,mode=0700") != 0) {
        print_message("SKIP: a small file system needs the right to mount one\n");
        directory_free(directory);
        skip();
    }
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    enum error e = ERROR_NONE;
    bool was_told = false;
    o.checkpoint_pages = 12;
    o.fold_slice_bytes = 1500;
    o.reserve_bytes = 1 << 20;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    assert_true(store_has_room(s));
    struct state *state = state_empty(store_generation(s));
    struct digest before = {{0}}, after = state_digest_of(state);
    history_init(&w, 14);
    while (e == ERROR_NONE) {
        struct group *g = w.lsn == 0 ? history_directory(&w) : history_load(&w, 20, 1000, true);
        state_apply_group(state, g);
        before = after;
        after = state_digest_of(state);
        was_told |= !store_has_room(s);
        e = store_commit(s, g);
        group_free(g);
    }
    uint64_t committed = store_lsn(s);
    assert_int_equal(e, ERROR_IO);
    assert_true(was_told && committed > 100);
    store_close(s);
    assert_int_equal(mount("brug-test", directory, "tmpfs", MS_REMOUNT, "size=48m,mode=0700"), 0);
    s = outbox_open(directory);
    struct state *loaded = outbox_load(s);
    struct digest found = state_digest_of(loaded);
    assert_true(store_lsn(s) >= committed);
    assert_true(digest_equal(&found, store_lsn(s) == committed ? &before : &after));
    state_free(loaded);
    store_close(s);
    assert_int_equal(umount(directory), 0);
    state_free(state);
    history_fini(&w);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
