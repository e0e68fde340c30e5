/*
 * tests/fault/test_power_vfs.c: the disk that loses power is itself put to the test: a counter in SQLite under
 * settings that are known to be safe survives every state, and under each that is known not to be, some state
 * loses what was promised. Proofs on this disk are worth what this shows.
 */
#include "tests/lib/power_vfs.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define PLACE "/nowhere"
#define STEPS 5

struct found {
    uint64_t states, lost, damaged, opened_empty;
    struct power_set *seen;
};

static sqlite3 *open_counter(void)
{
    sqlite3 *c;
    assert_int_equal(sqlite3_open_v2(PLACE "/counter.db", &c,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, POWER_VFS),
                     SQLITE_OK);
    return c;
}

static void run(sqlite3 *c, const char *sql)
{
    if (sqlite3_exec(c, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(c));
}

/* The counter, 0 when there is no table yet, -1 when the database is damaged or torn. */
static int64_t read_counter(const char *settings)
{
    sqlite3 *c = open_counter();
    sqlite3_stmt *s = NULL;
    int64_t value = -1, sum = 0;
    (void)sqlite3_exec(c, settings, NULL, NULL, NULL); /* a damaged one is found below */
    int code = sqlite3_prepare_v2(c, "SELECT max(n), sum(n) FROM t", -1, &s, NULL);
    if (code == SQLITE_ERROR) {
        value = 0; /* no table */
    } else if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        value = sqlite3_column_int64(s, 0);
        sum = sqlite3_column_int64(s, 1);
        if (sum != value * (value + 1) / 2)
            value = -1;
    }
    sqlite3_finalize(s);
    sqlite3_close(c);
    return value;
}

/* Each step is one transaction over several pages; then it is promised. */
static struct power_disk *record_counter(const char *settings)
{
    struct power_disk *d = power_disk_new();
    char sql[128];
    power_mount(PLACE, d);
    power_keep(d, POWER_LOG);
    sqlite3 *c = open_counter();
    run(c, settings);
    run(c, "CREATE TABLE t(n INTEGER, filling BLOB)");
    for (unsigned i = 1; i <= STEPS; i++) {
        sqlite3_snprintf(sizeof sql, sql,
                         "UPDATE t SET filling = randomblob(3000); INSERT INTO t VALUES(%u, "
                         "randomblob(6000))",
                         i);
        run(c, "BEGIN");
        run(c, sql);
        run(c, "COMMIT");
        power_mark(d, 0, i);
    }
    sqlite3_close(c);
    power_mount(PLACE, NULL);
    return d;
}

static const char *settings_of_check;

static bool on_state(void *ctx, struct power_state *s)
{
    struct found *f = ctx;
    const uint64_t *known = power_set_find(f->seen, s->hash);
    int64_t value = known == NULL ? 0 : (int64_t)*known;
    if (known == NULL) {
        power_mount(PLACE, s->disk);
        value = read_counter(settings_of_check);
        power_set_put(f->seen, s->hash, (uint64_t)value);
        f->states++;
    }
    f->damaged += value < 0;
    f->lost += value >= 0 && (uint64_t)value < s->marks[0];
    f->opened_empty += value == 0;
    return true;
}

static struct found check(const char *settings, bool syncs_lie)
{
    struct found f = {.seen = power_set_new()};
    struct power_disk *d = record_counter(settings);
    struct power_plan plan = {
        .seed = 1, .random_per_cut = 6, .garbage = true, .syncs_lie = syncs_lie};
    settings_of_check = settings;
    (void)power_replay(d, &plan, on_state, &f); /* the states are counted by the callback */
    power_set_free(f.seen);
    power_disk_free(d);
    return f;
}

static void assert_safe(const char *settings)
{
    struct found f = check(settings, false);
    print_message("# %s: %u states\n", settings, (unsigned)f.states);
    assert_true(f.states > 300 && f.opened_empty > 0);
    assert_int_equal(f.lost, 0);
    assert_int_equal(f.damaged, 0);
}

static void assert_unsafe(const char *settings, bool syncs_lie)
{
    struct found f = check(settings, syncs_lie);
    print_message("# %s%s: %u states, %u lost, %u damaged\n", settings,
                  syncs_lie ? " on a disk that lies" : "", (unsigned)f.states, (unsigned)f.lost,
                  (unsigned)f.damaged);
    assert_true(f.lost + f.damaged > 0);
}

#define WAL "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=9;"

static void test_safe_settings(void **unused)
{
    assert_safe(WAL "PRAGMA synchronous=FULL");
    assert_safe("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL");
    assert_safe("PRAGMA journal_mode=PERSIST; PRAGMA synchronous=FULL");
    assert_safe("PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA");
}

static void test_unsafe_settings(void **unused)
{
    assert_unsafe(WAL "PRAGMA synchronous=NORMAL", false);
    assert_unsafe(WAL "PRAGMA synchronous=FULL", true);
    assert_unsafe("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL", true);
    assert_unsafe("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=OFF", false);
    /* The removed journal comes back and undoes what was promised. */
    assert_unsafe("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", false);
}

/* A disk that forgets what is synced leaves what one that logs everything leaves. */
static void test_cut_now(void **unused)
{
    struct power_disk *d[2];
    for (unsigned i = 0; i < 2; i++) {
        d[i] = power_disk_new();
        power_mount(PLACE, d[i]);
        power_keep(d[i], i == 0 ? POWER_PENDING : POWER_LOG);
        sqlite3 *c = open_counter();
        (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 7, c);
        run(c, "PRAGMA synchronous=NORMAL; CREATE TABLE t(n INTEGER, filling BLOB);");
        power_off_after(d[i], 9);
        assert_int_not_equal(
            sqlite3_exec(c, "INSERT INTO t VALUES(1, zeroblob(20000))", NULL, NULL, NULL),
            SQLITE_OK);
        assert_true(power_is_off(d[i]));
        assert_int_not_equal(sqlite3_exec(c, "SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(c);
    }
    assert_true(power_kept(d[0]) > 0 && power_kept(d[0]) < power_kept(d[1]));
    uint64_t hashes[20];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct power_disk *a = power_cut(d[0], seed, true), *b = power_cut(d[1], seed, true);
        hashes[seed] = power_disk_hash(a);
        assert_true(hashes[seed] == power_disk_hash(b));
        power_disk_free(a);
        power_disk_free(b);
    }
    assert_true(hashes[0] != hashes[1]);
    for (unsigned i = 0; i < 2; i++)
        power_disk_free(d[i]);
}

/* Two connections exclude each other as they do on real files. */
static void test_locks(void **unused)
{
    struct power_disk *d = power_disk_new();
    power_mount(PLACE, d);
    sqlite3 *a = open_counter(), *b = open_counter();
    run(a, "CREATE TABLE t(n INTEGER)");
    run(a, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
    assert_int_equal(sqlite3_exec(b, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_BUSY);
    run(b, "BEGIN; SELECT * FROM t");
    assert_int_equal(sqlite3_exec(a, "COMMIT", NULL, NULL, NULL), SQLITE_BUSY);
    run(b, "COMMIT");
    run(a, "COMMIT");
    run(b, "INSERT INTO t VALUES(2)");
    sqlite3_close(a);
    sqlite3_close(b);
    power_disk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe_settings),
        cmocka_unit_test(test_unsafe_settings),
        cmocka_unit_test(test_cut_now),
        cmocka_unit_test(test_locks),
    };
    power_vfs_register(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
