/*
 * tests/fault/test_rot.c: bits flip on the disk, one at a time, in a store that was closed and in one that was
 * killed: in every kind of page, in headers, in the WAL.
 *
 * After each flip the store is opened, loaded, asked for every message and every body, and folded. It may say
 * that something is damaged, by its name; all that it tells must be true, and nothing that was confirmed may
 * be missing without a word. What cannot be found (wal.h) is counted apart.
 *
 * Environment: FLIPS for each kind of store; BRUG_SEED.
 */
#include "tests/lib/directory.h"
#include "tests/lib/proof.h"
#include "tests/lib/story.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define PAGE 8192u
#define WAL_HEADER 32u
#define FRAME_HEADER 24u
#define FRAME (FRAME_HEADER + PAGE)
#define FILES 4
#define CONTROLS 3

static const char *const NAMES[FILES] = {"brug.db", "brug.db-wal", "audit.db", "audit.db-wal"};

/* A store's files as they lie on the disk, kept in memory so that each flip begins with the same. */
struct sample {
    struct story *story;
    char *directory;
    struct buf files[FILES];
    size_t total;
    uint64_t last_begin,
        end_header; /* in brug.db-wal: the last transaction; the last frame of the one before */
};

struct tally {
    uint64_t flips, unseen, refused, wrong, beyond; /* beyond: what nobody can find */
    char why[200];
};

/* ---- samples ---- */

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Where the transactions of the outbox's WAL end. */
static void find_transactions(struct sample *s)
{
    const struct buf *wal = &s->files[1];
    uint64_t ends[2] = {0};
    for (size_t at = WAL_HEADER; at + FRAME <= wal->len; at += FRAME)
        if (memcmp(wal->data + at + 8, wal->data + 16, 8) == 0 &&
            number_at(wal->data + at + 4) != 0) {
            ends[0] = ends[1];
            ends[1] = at;
        }
    s->end_header = ends[0];
    s->last_begin = ends[0] == 0 ? WAL_HEADER : ends[0] + FRAME;
}

static void take(struct sample *s, struct story *y, char *directory)
{
    char path[1024];
    *s = (struct sample){.story = y, .directory = directory};
    for (unsigned i = 0; i < FILES; i++) {
        buf_init(&s->files[i], SIZE_MAX / 2);
        directory_file(path, sizeof path, directory, NAMES[i]);
        if (access(path, F_OK) == 0)
            assert_int_equal(buf_read_file(&s->files[i], path), ERROR_NONE);
        s->total += s->files[i].len;
    }
    find_transactions(s);
}

static void give_back(struct sample *s)
{
    for (unsigned i = 0; i < FILES; i++)
        buf_fini(&s->files[i]);
    directory_free(s->directory);
}

/* Closed in good order; all of it is in the two databases. */
static void sample_closed(struct sample *s, struct story *y)
{
    char *directory = directory_new();
    assert_int_equal(story_run(y, directory, NULL, y->count, NULL).confirmed, y->count);
    take(s, y, directory);
}

/* As a kill leaves it: after the last group nothing is check-pointed. False: the check-point before left less than two
 * transactions in the WAL. */
static bool sample_left(struct sample *s, struct story *y, size_t checkpoint_pages)
{
    char *directory = directory_new();
    struct store_options o = story_options(directory, NULL);
    const char *problem;
    struct store *store;
    bool is_done;
    o.checkpoint_pages = checkpoint_pages;
    assert_int_equal(store_open(&store, &o, &problem), ERROR_NONE);
    for (unsigned i = 0; i < y->count; i++) {
        assert_int_equal(store_commit(store, y->groups[i]), ERROR_NONE);
        if (i % 3 == 2 && i + 1 < y->count)
            assert_int_equal(store_fold(store, &is_done), ERROR_NONE);
    }
    char *copy = directory_copy(directory);
    store_close(store);
    directory_free(directory);
    take(s, y, copy);
    if (s->end_header != 0)
        return true;
    give_back(s);
    return false;
}

/* With check-points of so many pages, or some more: what one commit writes is none of this test's business. */
static void sample_killed(struct sample *s, struct story *y, size_t checkpoint_pages)
{
    size_t pages = checkpoint_pages;
    while (!sample_left(s, y, pages))
        assert_true(++pages < checkpoint_pages + 60);
}

static void lay_out(const struct sample *s)
{
    char path[1024];
    for (unsigned i = 0; i < FILES; i++) {
        directory_file(path, sizeof path, s->directory, NAMES[i]);
        (void)unlink(path); /* it need not be there */
        if (s->files[i].len == 0)
            continue;
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, s->files[i].data, s->files[i].len), s->files[i].len);
        assert_int_equal(close(fd), 0);
    }
}

/* ---- flips ---- */

/* What of the WAL may be taken for a torn end. */
static unsigned confirmed_after(const struct sample *s, unsigned file, size_t at)
{
    unsigned count = s->story->count;
    if (file != 1)
        return count;
    if (at >= s->last_begin)
        return count - 1;
    bool is_mark = at >= s->end_header + 4 && at < s->end_header + 16;
    return is_mark ? count - 2 : count;
}

static void flip_one(const struct sample *s, size_t position, unsigned bit, struct tally *t)
{
    unsigned file = 0;
    char why[200];
    while (position >= s->files[file].len)
        position -= s->files[file++].len;
    uint8_t *byte = s->files[file].data + position;
    *byte ^= (uint8_t)(1u << bit);
    lay_out(s);
    *byte ^= (uint8_t)(1u << bit);
    unsigned least = confirmed_after(s, file, position);
    enum story_verdict v = story_judge(s->story, s->directory, NULL, least, why);
    t->flips++;
    t->beyond += least < s->story->count;
    t->unseen += v == STORY_RIGHT;
    t->refused += v == STORY_REFUSED;
    if (v == STORY_WRONG && t->wrong++ == 0)
        snprintf(t->why, sizeof t->why, "%s, byte %zu, bit %u: %.120s", NAMES[file], position, bit,
                 why);
}

/* Flips one bit at a time at `flips` places that lie evenly over all files, shifted by chance. */
static void flip_all(struct sample *s, uint64_t flips, struct history *dice, struct tally *t)
{
    if (flips > s->total)
        flips = s->total;
    for (uint64_t i = 0; i < flips; i++) {
        uint64_t from = i * s->total / flips, to = (i + 1) * s->total / flips;
        flip_one(s, (size_t)(from + history_random(dice, to - from)),
                 (unsigned)history_random(dice, 8), t);
    }
}

/* The headers, byte by byte: the databases' and the WAL's, and those of its first and last frames. */
static void flip_headers(struct sample *s, struct history *dice, struct tally *t, unsigned stride)
{
    size_t begin = 0;
    for (unsigned file = 0; file < FILES; begin += s->files[file++].len)
        for (size_t at = history_random(dice, stride); at < 100 && at < s->files[file].len;
             at += stride)
            flip_one(s, begin + at, (unsigned)history_random(dice, 8), t);
    for (size_t at = s->end_header; s->end_header > 0 && at < s->last_begin;
         at += at < s->end_header + 24 ? 1 : 999)
        flip_one(s, s->files[0].len + at, (unsigned)history_random(dice, 8), t);
}

/* ---- controls: damage that carries the right checksum is what a store without them would see ---- */

static bool is_flagged(const struct sample *s, const char *sql)
{
    char why[200];
    lay_out(s);
    outbox_sql(s->directory, "brug.db", sql);
    enum story_verdict v = story_judge(s->story, s->directory, NULL, s->story->count, why);
    print_message("# control '%.40s…': %s\n", sql, why);
    return v == STORY_WRONG;
}

/* The last two transactions are cut off, as by a recovery that believes the first bad frame. */
static bool is_cut_flagged(const struct sample *s)
{
    char why[200], path[1024];
    lay_out(s);
    directory_file(path, sizeof path, s->directory, NAMES[1]);
    assert_int_equal(truncate(path, (off_t)s->end_header), 0);
    enum story_verdict v = story_judge(s->story, s->directory, NULL, s->story->count, why);
    print_message("# control 'a WAL that is believed up to its first bad frame': %s\n", why);
    return v == STORY_WRONG;
}

static unsigned run_controls(const struct sample *closed, const struct sample *killed)
{
    static const char *const changes[] = {
        "UPDATE message SET id = id || x'00'"
        " WHERE id = (SELECT min(id) FROM message WHERE waiting = 0)",
        "UPDATE message SET row = substr(row, 1, length(row) - 1) || x'7f'"
        " WHERE id = (SELECT max(id) FROM message)",
    };
    unsigned flagged = is_cut_flagged(killed);
    for (unsigned i = 0; i < sizeof changes / sizeof changes[0]; i++)
        flagged += is_flagged(closed, changes[i]);
    return flagged;
}

/* ---- the proof ---- */

static void test_no_flip_is_believed(void **unused)
{
    struct story small, large;
    struct sample samples[4];
    struct tally t = {0};
    struct history dice;
    uint64_t flips = proof_size("FLIPS", 400, 10000);
    unsigned stride = flips < 1000 ? 5 : 1;
    double began = proof_seconds();
    history_init(&dice, proof_seed(61));
    story_init(&small, 71, 5, 5);
    story_init(&large, 74, 24, 40);
    sample_closed(&samples[0], &small);
    sample_killed(&samples[1], &small, 100000);
    sample_closed(&samples[2], &large);
    sample_killed(&samples[3], &large, 60);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t wrong = t.wrong, refused = t.refused, before = t.flips;
        flip_headers(&samples[i], &dice, &t, stride);
        flip_all(&samples[i], i < 2 ? flips : flips / 8 + 1, &dice, &t);
        print_message("# store %u, %zu bytes: %d flips, %d refused by name, %d wrong\n", i,
                      samples[i].total, (int)(t.flips - before), (int)(t.refused - refused),
                      (int)(t.wrong - wrong));
    }
    unsigned flagged = run_controls(&samples[0], &samples[1]);
    for (unsigned i = 0; i < 4; i++)
        give_back(&samples[i]);
    print_message(
        "# %d flips: %d made no difference, %d were named; %d lay where a torn end may lie\n",
        (int)t.flips, (int)t.unseen, (int)t.refused, (int)t.beyond);
    struct proof p = {"no flipped bit of the store is believed",
                      "flips",
                      t.flips,
                      t.wrong,
                      CONTROLS,
                      flagged,
                      proof_seconds() - began};
    proof_report(&p);
    if (t.wrong > 0)
        fail_msg("%s", t.why);
    assert_int_equal(flagged, CONTROLS);
    assert_true(t.refused > t.flips / 4);
    story_fini(&small);
    story_fini(&large);
    history_fini(&dice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_flip_is_believed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
