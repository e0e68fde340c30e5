/* tests/store/test_store_open.c: what a start refuses, and says why: other people's files, newer
 * ones, a second process, and everything that does not fit together. */
#include "daemon/core/model.h"
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define UNKNOWN_RECORD_TYPE 9999

/* A closed store with five groups: the first two and a part of the third are folded. */
static char *sample_store(uint64_t *lsn)
{
    char *directory = directory_new();
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    struct history w;
    bool is_done;
    o.fold_slice_bytes = 1 << 20;
    history_init(&w, 21);
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    for (unsigned i = 0; i < 5; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_group(&w, 20);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
        if (i == 1)
            outbox_fold_all(s);
    }
    store_close(s);
    o.fold_slice_bytes = 500;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    assert_int_equal(store_fold(s, &is_done), ERROR_NONE);
    assert_false(is_done);
    store_close(s);
    *lsn = w.lsn;
    history_fini(&w);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT count(*) FROM journal"), 3);
    assert_int_equal(outbox_sql(directory, "brug.db", "SELECT folded_lsn > whole_lsn FROM meta"),
                     1);
    return directory;
}

static void assert_refused(const char *directory, enum error expected, const char *word)
{
    struct store_options o = outbox_options(directory);
    const char *problem = NULL;
    struct store *s = NULL;
    enum error e = store_open(&s, &o, &problem);
    if (e != expected || problem == NULL || strstr(problem, word) == NULL)
        fail_msg("expected %s with '%s', found %s with '%s'", error_name(expected), word,
                 error_name(e), problem == NULL ? "nothing" : problem);
    assert_null(s);
}

static void test_new_store(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct id generation = store_generation(s);
    struct state *state = outbox_load(s);
    assert_int_equal(store_lsn(s), 0);
    assert_int_equal(state_lsn(state), 0);
    assert_int_equal(id_version(&generation), 4);
    assert_true(store_has_room(s));
    assert_false(store_is_behind(s));
    assert_true(store_free_bytes(s) > 0);
    state_free(state);
    store_close(s);
    s = outbox_open(directory);
    struct id again = store_generation(s);
    assert_true(id_equal(&generation, &again));
    store_close(s);
    store_close(NULL);
    assert_int_equal(outbox_sql(directory, "brug.db", "PRAGMA page_size"), 8192);
    assert_int_equal(outbox_sql(directory, "brug.db", "PRAGMA application_id"), 0x42727567);
    directory_free(directory);
}

static void test_room_and_lag(void **unused)
{
    char *directory = directory_new();
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    struct history w;
    o.reserve_bytes = UINT64_MAX;
    o.fold_lag_bytes_max = 1000;
    o.fold_slice_bytes = 1 << 20;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    assert_false(store_has_room(s));
    history_init(&w, 3);
    struct group *g = history_directory(&w);
    assert_int_equal(store_commit(s, g), ERROR_NONE);
    assert_true(store_is_behind(s));
    store_close(s);
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    assert_true(store_is_behind(s));
    outbox_fold_all(s);
    assert_false(store_is_behind(s));
    store_close(s);
    group_free(g);
    history_fini(&w);
    directory_free(directory);
}

/* Folding in commits keeps the journal short, whatever comes in. */
static void test_lag_stays_bounded(void **unused)
{
    char *directory = directory_new();
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    struct history w;
    o.fold_slice_bytes = 3000;
    o.fold_lag_bytes_max = 30000;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    history_init(&w, 3);
    for (unsigned i = 0; i < 100; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_group(&w, 1 + i % 50);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        assert_false(store_is_behind(s));
        group_free(g);
    }
    store_close(s);
    assert_true(outbox_sql(directory, "brug.db", "SELECT sum(length(records)) FROM journal") <
                30000);
    history_fini(&w);
    directory_free(directory);
}

/* Commits of a burst fold nothing until so much has gathered; from then on they keep it there. */
static void test_burst_gathers(void **unused)
{
    char *directory = directory_new();
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    struct history w;
    size_t bytes = 0;
    o.fold_slice_bytes = 3000;
    o.fold_gather_bytes = 20000;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    history_init(&w, 4);
    for (unsigned i = 0; i < 200; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_group(&w, 10);
        bool has_gathered = bytes >= o.fold_gather_bytes;
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        if (!has_gathered)
            assert_int_equal(store_folded_lsn(s), 0);
        bytes += g->records.len;
        group_free(g);
    }
    assert_true(bytes > 2 * o.fold_gather_bytes);
    store_close(s);
    int64_t left = outbox_sql(directory, "brug.db", "SELECT sum(length(records)) FROM journal");
    assert_in_range(left, o.fold_gather_bytes / 2, 2 * o.fold_gather_bytes);
    history_fini(&w);
    directory_free(directory);
}

static void test_directory(void **unused)
{
    char *directory = directory_new();
    assert_int_equal(chmod(directory, 0750), 0);
    assert_refused(directory, ERROR_PERMISSION, "0700");
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_refused(directory, ERROR_IO, "not there");
    free(directory);
}

static void test_second_process(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    assert_refused(directory, ERROR_LOCKED, "another process");
    pid_t child = fork();
    if (child == 0) {
        struct store_options o = outbox_options(directory);
        const char *problem;
        struct store *second;
        _exit(store_open(&second, &o, &problem) == ERROR_LOCKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_close(s);
    s = outbox_open(directory);
    store_close(s);
    directory_free(directory);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[1024];
    directory_file(path, sizeof path, directory, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *directory, const char *name)
{
    char path[1024];
    directory_file(path, sizeof path, directory, name);
    assert_int_equal(unlink(path), 0);
}

static void test_files_that_are_not_ours(void **unused)
{
    static const char *const files[] = {"brug.db", "audit.db"};
    for (unsigned i = 0; i < 2; i++) {
        char *directory = directory_new(), word[32];
        snprintf(word, sizeof word, "%s is not", files[i]);
        write_file(
            directory, files[i],
            "This is a long letter, not a database. It has more than a hundred bytes, so that "
            "nobody takes it for a file that was only begun.\n");
        assert_refused(directory, ERROR_STORE_FORMAT, word);
        remove_file(directory, files[i]);
        outbox_sql(directory, files[i], "CREATE TABLE stamps(country, price)");
        assert_refused(directory, ERROR_STORE_FORMAT, word);
        assert_int_equal(outbox_sql(directory, files[i], "SELECT count(*) FROM stamps"), 0);
        assert_int_equal(outbox_sql(directory, files[i], "PRAGMA application_id"), 0);
        directory_free(directory);
    }
}

static void test_newer_schema(void **unused)
{
    static const char *const files[] = {"brug.db", "audit.db"};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t lsn;
        char *directory = sample_store(&lsn);
        outbox_sql(directory, files[i], "UPDATE meta SET schema_number = schema_number + 1");
        assert_refused(directory, ERROR_STORE_FORMAT, "newer");
        outbox_sql(directory, files[i], "UPDATE meta SET schema_number = schema_number - 1");
        struct store *s = outbox_open(directory);
        assert_int_equal(store_lsn(s), lsn);
        store_close(s);
        directory_free(directory);
    }
}

/* One change to a sound store each, and what the start says of it. */
static void test_what_does_not_fit_together(void **unused)
{
    static const struct {
        const char *file, *sql, *word;
    } changes[] = {
        {"brug.db",
         "UPDATE journal SET records = records || x'00' WHERE rowid ="
         " (SELECT max(rowid) FROM journal)",
         "was changed"},
        {"brug.db",
         "UPDATE journal SET count = count + 1 WHERE rowid ="
         " (SELECT max(rowid) FROM journal)",
         "was changed"},
        {"brug.db",
         "UPDATE journal SET hash = zeroblob(32) WHERE rowid ="
         " (SELECT max(rowid) FROM journal)",
         "was changed"},
        {"brug.db",
         "UPDATE journal SET prev_hash = zeroblob(32) WHERE rowid ="
         " (SELECT max(rowid) FROM journal)",
         "chain"},
        {"brug.db", "UPDATE journal SET prev_hash = zeroblob(31)", "chain"},
        {"brug.db", "DELETE FROM journal WHERE rowid = (SELECT min(rowid) FROM journal)",
         "is missing"},
        {"brug.db",
         "DELETE FROM journal WHERE rowid ="
         " (SELECT rowid FROM journal ORDER BY rowid LIMIT 1 OFFSET 1)",
         "is missing"},
        {"brug.db", "DELETE FROM journal WHERE rowid = (SELECT max(rowid) FROM journal)",
         "are missing"},
        {"brug.db", "DELETE FROM journal", "are missing"},
        {"brug.db", "UPDATE meta SET whole_hash = zeroblob(32)", "chain"},
        {"brug.db", "UPDATE meta SET folded_lsn = 1, whole_lsn = 0", "is missing"},
        {"brug.db", "UPDATE meta SET folded_lsn = 1 << 40", "are missing"},
        {"brug.db", "UPDATE meta SET generation = zeroblob(16)", "generation"},
        {"brug.db", "UPDATE meta SET generation = 'x'", "damaged"},
        {"brug.db", "DELETE FROM meta", "damaged"},
        {"audit.db", "UPDATE meta SET generation = zeroblob(16)", "generation"},
        {"audit.db", "DELETE FROM audit WHERE rowid = (SELECT max(rowid) FROM audit)",
         "audit.db is older"},
        {"audit.db",
         "UPDATE audit SET hash = zeroblob(32) WHERE rowid ="
         " (SELECT max(rowid) FROM audit)",
         "another row"},
        {"audit.db", "INSERT INTO audit SELECT 1000, 1, hash, hash, records FROM audit LIMIT 1",
         "brug.db is older"},
    };
    uint64_t lsn;
    char *sound = sample_store(&lsn);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char *directory = directory_copy(sound);
        outbox_sql(directory, changes[i].file, changes[i].sql);
        assert_refused(directory, ERROR_CORRUPT, changes[i].word);
        directory_free(directory);
    }
    struct store *s = outbox_open(sound);
    assert_int_equal(store_lsn(s), lsn);
    store_close(s);
    directory_free(sound);
}

static void test_a_file_is_gone(void **unused)
{
    uint64_t lsn;
    char *directory = sample_store(&lsn);
    remove_file(directory, "audit.db");
    assert_refused(directory, ERROR_CORRUPT, "audit.db is missing");
    directory_free(directory);
    directory = sample_store(&lsn);
    remove_file(directory, "brug.db");
    assert_refused(directory, ERROR_CORRUPT, "brug.db is missing");
    directory_free(directory);
}

static void copy_over(const char *from, const char *to, const char *name)
{
    char command[4096];
    snprintf(command, sizeof command, "cp '%s/%s' '%s/%s'", from, name, to, name);
    assert_int_equal(system(command), 0);
}

/* A crash after the audit's commit and before the fold's: the rows are in both, and are folded
 * again. */
static void test_audit_is_idempotent(void **unused)
{
    uint64_t lsn;
    char *directory = sample_store(&lsn), *before = directory_copy(directory);
    struct store *s = outbox_open(directory);
    outbox_fold_all(s);
    store_close(s);
    struct digest expected = outbox_tables(directory);
    int64_t rows = outbox_sql(directory, "audit.db", "SELECT count(*) FROM audit");
    copy_over(directory, before, "audit.db");
    s = outbox_open(before);
    outbox_fold_all(s);
    store_close(s);
    struct digest found = outbox_tables(before);
    assert_memory_equal(&found, &expected, sizeof found);
    assert_int_equal(outbox_sql(before, "audit.db", "SELECT count(*) FROM audit"), rows);
    directory_free(directory);
    directory_free(before);
}

/* The same lsn with another hash: the fold stops everything, and nothing is removed from the
 * journal. */
static void test_audit_clash(void **unused)
{
    uint64_t lsn;
    bool is_done;
    char *directory = sample_store(&lsn), *before = directory_copy(directory);
    struct store *s = outbox_open(directory);
    outbox_fold_all(s);
    store_close(s);
    copy_over(directory, before, "audit.db");
    int64_t rows = outbox_sql(before, "brug.db", "SELECT count(*) FROM journal");
    outbox_sql(before, "audit.db",
               "UPDATE audit SET hash = zeroblob(32) WHERE rowid ="
               " (SELECT rowid FROM audit ORDER BY rowid DESC LIMIT 1 OFFSET 1)");
    s = outbox_open(before);
    enum error e = ERROR_NONE;
    for (unsigned i = 0; i < 100 && e == ERROR_NONE; i++)
        e = store_fold(s, &is_done);
    assert_int_equal(e, ERROR_CORRUPT);
    assert_int_equal(store_fold(s, &is_done), ERROR_CORRUPT);
    store_close(s);
    assert_int_equal(outbox_sql(before, "brug.db", "SELECT count(*) FROM journal"), rows);
    directory_free(directory);
    directory_free(before);
}

static void test_unknown_record_type(void **unused)
{
    static const uint64_t seed[2] = {1, 2};
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct history w;
    const char *problem;
    bool is_done;
    history_init(&w, 5);
    struct group *groups[] = {history_directory(&w), history_group(&w, 10)};
    assert_int_equal(group_append(groups[1], UNKNOWN_RECORD_TYPE, slice_text("?")), ERROR_NONE);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(store_commit(s, groups[i]), ERROR_NONE);
        group_free(groups[i]);
    }
    assert_int_equal(store_fold(s, &is_done), ERROR_STORE_FORMAT);
    assert_int_equal(store_fold(s, &is_done), ERROR_STORE_FORMAT);
    store_close(s);
    s = outbox_open(directory);
    struct state *state = state_new(seed);
    assert_int_equal(store_load(s, state, HISTORY_LOW_WATER_MS, &problem), ERROR_STORE_FORMAT);
    assert_non_null(strstr(problem, "type"));
    assert_int_equal(store_folded_lsn(s), 0);
    state_free(state);
    store_close(s);
    history_fini(&w);
    directory_free(directory);
}

static bool is_in_memory(const struct state *state, const struct history_message *m)
{
    struct message_key key = {m->organisation, m->id};
    return message_find(state, &key) != NULL;
}

/* A message of before W that nobody waits for is not live; but while a record about it is not
 * folded, a start must bring it, because a cold load would find it as it was before that record. */
static void test_unfolded_record_about_an_old_message(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct history w;
    Brug__V1__OpenedBy opened = BRUG__V1__OPENED_BY__INIT;
    history_init(&w, 5);
    w.now_ms = HISTORY_LOW_WATER_MS - 1000000;
    w.spread_ms = 0;
    struct group *groups[3] = {history_directory(&w), history_load(&w, 1, 50, true)};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(store_commit(s, groups[i]), ERROR_NONE);
    outbox_fold_all(s);
    struct state *state = outbox_load(s);
    assert_false(is_in_memory(state, &w.messages[0]));
    state_free(state);
    const struct history_message *m = &w.messages[0];
    groups[2] = history_empty_group(&w);
    opened.organisation = (ProtobufCBinaryData){ID_BYTES, (uint8_t *)(uintptr_t)&m->organisation};
    opened.message_id = (ProtobufCBinaryData){ID_BYTES, (uint8_t *)(uintptr_t)&m->id};
    opened.endpoint.len = opened.person.len = ID_BYTES;
    opened.endpoint.data = w.endpoints[m->readers[0].endpoint].bytes;
    opened.person.data = w.persons[m->readers[0].endpoint].bytes;
    opened.at_ms = 1;
    history_add(&w, groups[2], BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY, &opened);
    history_add(&w, groups[2], BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY, &opened);
    assert_int_equal(store_commit(s, groups[2]), ERROR_NONE);
    state = outbox_load(s);
    assert_true(is_in_memory(state, m));
    state_free(state);
    outbox_fold_all(s);
    state = outbox_load(s);
    assert_false(is_in_memory(state, m));
    state_free(state);
    store_close(s);
    for (unsigned i = 0; i < 3; i++)
        group_free(groups[i]);
    history_fini(&w);
    directory_free(directory);
}

/* An id of another version says no time: what it is of is in memory while it waits, wherever its bytes lie. */
static void test_waiting_messages_of_other_versions(void **unused)
{
    char *directory = directory_new();
    struct store *s = outbox_open(directory);
    struct history w;
    history_init(&w, 8);
    w.spread_ms = 0; /* by their bytes all lie in the range of what is known */
    struct group *groups[] = {history_directory(&w), history_load(&w, 1, 50, false),
                              history_load(&w, 1, 50, true), history_load(&w, 1, 50, true)};
    for (unsigned i = 0; i < 4; i++) {
        struct buf *b = &groups[i]->records;
        for (size_t k = 0; i > 0 && i < 3 && k + ID_BYTES <= b->len; k++)
            if (memcmp(b->data + k, w.messages[i - 1].id.bytes, ID_BYTES) == 0)
                b->data[k + 6] = (uint8_t)(0x40 | (b->data[k + 6] & 0x0f));
        assert_int_equal(store_commit(s, groups[i]), ERROR_NONE);
        group_free(groups[i]);
    }
    for (unsigned i = 0; i < 2; i++) /* the third tells the range's end */
        w.messages[i].id.bytes[6] = (uint8_t)(0x40 | (w.messages[i].id.bytes[6] & 0x0f));
    outbox_fold_all(s);
    struct state *state = outbox_load(s);
    assert_true(is_in_memory(state, &w.messages[0]));
    assert_false(is_in_memory(state, &w.messages[1]));
    assert_true(is_in_memory(state, &w.messages[2]));
    assert_int_equal(state_waiting(state), 1);
    state_free(state);
    store_close(s);
    history_fini(&w);
    directory_free(directory);
}

/* What no checksum of a page finds: a page that is sound, but older than the rest; a message that is there twice. */
static void test_what_is_loaded_fits_together(void **unused)
{
    static const uint64_t seed[2] = {1, 2};
    static const struct {
        const char *sql, *word;
    } changes[] = {
        {"DELETE FROM delivery WHERE sequence = (SELECT max(sequence) FROM delivery)",
         "each copy that waits"},
        {"DELETE FROM message WHERE id = (SELECT max(id) FROM message)", "each copy that waits"},
        {"INSERT INTO message SELECT id, zeroblob(16), waiting, row FROM message"
         " WHERE id = (SELECT min(id) FROM message)",
         "a row of `message`"},
        {"INSERT INTO message SELECT id, zeroblob(16), waiting, row FROM message"
         " WHERE id = (SELECT max(id) FROM message)",
         "a row of `message`"},
    };
    char *sound = directory_new();
    struct history w;
    const char *problem;
    history_init(&w, 6);
    w.spread_ms = 0; /* all at or after W */
    struct store *s = outbox_open(sound);
    struct group *groups[] = {history_directory(&w), history_load(&w, 20, 50, false)};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(store_commit(s, groups[i]), ERROR_NONE);
        group_free(groups[i]);
    }
    outbox_fold_all(s);
    state_free(outbox_load(s));
    store_close(s);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char *directory = directory_copy(sound);
        outbox_sql(directory, "brug.db", changes[i].sql);
        s = outbox_open(directory);
        struct state *state = state_new(seed);
        assert_int_equal(store_load(s, state, HISTORY_LOW_WATER_MS, &problem), ERROR_CORRUPT);
        assert_non_null(strstr(problem, changes[i].word));
        state_free(state);
        store_close(s);
        directory_free(directory);
    }
    history_fini(&w);
    directory_free(sound);
}

/* ---- damage ---- */

static long file_size(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (long)st.st_size;
}

static void flip_byte(const char *path, long at, uint8_t mask)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

/* A body that rotted is CORRUPT, and nothing else is: the page that it lies in has another checksum. */
static void test_flipped_body(void **unused)
{
    char *directory = directory_new(), path[1024];
    struct store *s = outbox_open(directory);
    struct history w;
    history_init(&w, 9);
    for (unsigned i = 0; i < 8; i++) {
        struct group *g = i == 0 ? history_directory(&w) : history_load(&w, 3, 5000, false);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
    }
    store_close(s);
    directory_file(path, sizeof path, directory, "brug.db");
    struct buf file;
    buf_init(&file, SIZE_MAX / 2);
    assert_int_equal(buf_read_file(&file, path), ERROR_NONE);
    struct body *b = history_body(w.messages[1].body_lsn, 5000);
    const uint8_t *at = NULL, *next = file.data; /* the last: others are left over from splits */
    while ((next = memmem(next, file.len - (size_t)(next - file.data), b->bytes, 100)) != NULL)
        at = next++;
    assert_non_null(at);
    flip_byte(path, (long)(at - file.data) + 50, 0x10);
    s = outbox_open(directory);
    struct load *l = load_new(LOAD_BODY);
    unsigned corrupt = 0;
    for (size_t i = 0; i < w.count; i++) {
        l->body_lsn = w.messages[i].body_lsn;
        store_load_one(s, l);
        assert_true(i != 1 || l->result == ERROR_CORRUPT);
        assert_true(l->result == ERROR_NONE || (l->result == ERROR_CORRUPT && l->bytes.len == 0));
        corrupt += l->result == ERROR_CORRUPT;
    }
    assert_true(corrupt <= 3); /* they share the page */
    load_free(l);
    store_close(s);
    body_unref(b);
    buf_fini(&file);
    history_fini(&w);
    directory_free(directory);
}

/* Uses whatever still opens; nothing but errors may come of it. */
static void use_damaged(const char *directory, uint64_t lsn)
{
    static const uint64_t seed[2] = {1, 2};
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    bool is_done = false;
    if (store_open(&s, &o, &problem) != ERROR_NONE)
        return;
    struct state *state = state_new(seed);
    enum error e = store_load(s, state, HISTORY_LOW_WATER_MS, &problem);
    assert_true(e == ERROR_NONE || problem != NULL);
    state_free(state);
    struct load *l = load_new(LOAD_BODY);
    for (l->body_lsn = 1; l->body_lsn <= lsn; l->body_lsn++)
        store_load_one(s, l);
    load_free(l);
    while (!is_done && e == ERROR_NONE)
        e = store_fold(s, &is_done);
    store_close(s);
}

static void test_flipped_bytes_anywhere(void **unused)
{
    uint64_t lsn;
    char *sound = sample_store(&lsn), path[1024];
    struct history dice;
    history_init(&dice, 31);
    for (unsigned i = 0; i < 250; i++) {
        char *directory = directory_copy(sound);
        directory_file(path, sizeof path, directory, i % 5 == 4 ? "audit.db" : "brug.db");
        long size = file_size(path);
        for (unsigned k = 0; k < 1 + i % 4; k++)
            flip_byte(path, (long)history_random(&dice, (uint64_t)size),
                      (uint8_t)(1 + history_random(&dice, 255)));
        use_damaged(directory, lsn);
        directory_free(directory);
    }
    directory_free(sound);
}

/* A crash leaves the files as they are; the WAL may be cut at any byte by what never reached the
 * disk. */
static void test_wal_cut_anywhere(void **unused)
{
    char *directory = directory_new(), path[1024];
    struct store_options o = outbox_options(directory);
    const char *problem;
    struct store *s;
    struct history w;
    o.checkpoint_pages = 100000;
    o.fold_slice_bytes = 1 << 30;        /* the audit file knows rows only after they were synced */
    store_close(outbox_open(directory)); /* what makes a store is not in the WAL any more */
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    struct state *state = state_empty(store_generation(s));
    struct digest digests[31];
    uint64_t ends[31] = {0};
    digests[0] = state_digest_of(state);
    history_init(&w, 41);
    for (unsigned i = 1; i <= 30; i++) {
        struct group *g = i == 1 ? history_directory(&w) : history_group(&w, 12);
        state_apply_group(state, g);
        assert_int_equal(store_commit(s, g), ERROR_NONE);
        group_free(g);
        digests[i] = state_digest_of(state);
        ends[i] = w.lsn;
    }
    uint64_t last_lsn = 0;
    unsigned found_states = 0;
    for (unsigned i = 0; i <= 100; i++) {
        char *copy = directory_copy(directory);
        directory_file(path, sizeof path, copy, "brug.db-wal");
        assert_int_equal(truncate(path, file_size(path) * (long)i / 100), 0);
        struct store *again = outbox_open(copy);
        struct state *loaded = outbox_load(again);
        struct digest found = state_digest_of(loaded);
        uint64_t lsn = store_lsn(again);
        unsigned at = 0;
        while (at < 30 && ends[at] < lsn)
            at++;
        assert_int_equal(ends[at], lsn);
        assert_true(lsn >= last_lsn);
        if (lsn > 0)
            assert_memory_equal(&found, &digests[at], sizeof found);
        found_states += lsn > last_lsn;
        last_lsn = lsn;
        state_free(loaded);
        store_close(again);
        directory_free(copy);
    }
    assert_int_equal(last_lsn, w.lsn);
    assert_true(found_states > 10);
    store_close(s);
    state_free(state);
    history_fini(&w);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_store),
        cmocka_unit_test(test_room_and_lag),
        cmocka_unit_test(test_lag_stays_bounded),
        cmocka_unit_test(test_burst_gathers),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_second_process),
        cmocka_unit_test(test_files_that_are_not_ours),
        cmocka_unit_test(test_newer_schema),
        cmocka_unit_test(test_what_does_not_fit_together),
        cmocka_unit_test(test_a_file_is_gone),
        cmocka_unit_test(test_audit_is_idempotent),
        cmocka_unit_test(test_audit_clash),
        cmocka_unit_test(test_unknown_record_type),
        cmocka_unit_test(test_unfolded_record_about_an_old_message),
        cmocka_unit_test(test_waiting_messages_of_other_versions),
        cmocka_unit_test(test_what_is_loaded_fits_together),
        cmocka_unit_test(test_flipped_body),
        cmocka_unit_test(test_flipped_bytes_anywhere),
        cmocka_unit_test(test_wal_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
