/*
 * tests/fault/power_calibrate.c: one history on files of the system, or on a disk of power_vfs, for
 * test_power_calibration.py to compare what was called with what was recorded.
 *
 * power_calibrate HISTORY DIRECTORY         works on files of the system
 * power_calibrate HISTORY DIRECTORY record  works on a disk in memory and prints its log
 * HISTORY: `outbox`, or the journal_mode of a database that is not the outbox's, and its synchronous: `delete-extra`.
 * Both begin with the line `disk CHARACTERISTICS SECTOR`, of SQLite's file.
 */
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include "tests/lib/power_vfs.h"
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void seed_sqlite(void)
{
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, (sqlite3 *)NULL); /* cannot fail */
}

/* Made, left, opened again; with folds, check-points and large bodies. */
static void run_outbox(const char *directory, const char *vfs)
{
    struct store_options o = outbox_options(directory);
    struct store *s = NULL;
    struct history w;
    const char *problem;
    bool is_done;
    o.vfs = vfs;
    o.checkpoint_pages = 12;
    o.fold_slice_bytes = 1000;
    history_init(&w, 5);
    w.big_body_percent = 5;
    for (unsigned i = 0; i < 24; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_group(&w, 12);
        if (i % 8 == 0) {
            store_close(s);
            must(store_open(&s, &o, &problem) == ERROR_NONE, "the store does not open");
        }
        must(store_commit(s, g) == ERROR_NONE, "a commit fails");
        must(i % 3 != 0 || store_fold(s, &is_done) == ERROR_NONE, "a fold fails");
        group_free(g);
    }
    store_close(s);
    history_fini(&w);
}

static void run_sql(sqlite3 *c, const char *sql)
{
    must(sqlite3_exec(c, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static sqlite3 *open_database(const char *directory, const char *name, const char *vfs)
{
    char path[1024];
    sqlite3 *c;
    directory_file(path, sizeof path, directory, name);
    must(sqlite3_open_v2(path, &c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) == SQLITE_OK,
         path);
    return c;
}

/* A rollback journal, as the client's store has one. */
static void run_journal(const char *history, const char *directory, const char *vfs)
{
    char sql[256];
    const char *synchronous = strchr(history, '-');
    must(synchronous != NULL, "no such history");
    sqlite3 *c = open_database(directory, "other.db", vfs);
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA journal_mode=%.*s; PRAGMA synchronous=%s",
                     (int)(synchronous - history), history, synchronous + 1);
    run_sql(c, sql);
    run_sql(c, "CREATE TABLE t(n INTEGER PRIMARY KEY, filling BLOB)");
    for (unsigned i = 0; i < 6; i++)
        run_sql(c, "BEGIN; UPDATE t SET filling = zeroblob(3000);"
                   "INSERT INTO t(filling) VALUES(zeroblob(9000)); COMMIT");
    run_sql(c, "BEGIN; UPDATE t SET filling = zeroblob(7000); ROLLBACK");
    run_sql(c, "DELETE FROM t; VACUUM");
    sqlite3_close(c);
}

static void print_disk(const char *directory, const char *vfs)
{
    sqlite3_file *f = NULL;
    sqlite3 *c = open_database(directory, "asked.db", vfs);
    must(sqlite3_file_control(c, "main", SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK, "no file");
    printf("disk %d %d\n", f->pMethods->xDeviceCharacteristics(f), f->pMethods->xSectorSize(f));
    sqlite3_close(c);
}

int main(int argc, char **argv)
{
    must(argc == 3 || argc == 4, "usage: power_calibrate HISTORY DIRECTORY [record]");
    const char *history = argv[1], *directory = argv[2], *vfs = argc == 4 ? POWER_VFS : NULL;
    struct power_disk *d = power_disk_new();
    power_vfs_register(false);
    if (vfs != NULL) {
        power_mount(directory, d);
        power_keep(d, POWER_LOG);
    }
    print_disk(directory, vfs);
    seed_sqlite();
    if (strcmp(history, "outbox") == 0)
        run_outbox(directory, vfs);
    else
        run_journal(history, directory, vfs);
    if (vfs != NULL)
        power_log_print(d, stdout);
    power_disk_free(d);
    return 0;
}
