/* tests/lib/story.c: see story.h. */
#include "tests/lib/story.h"
#include "tests/lib/directory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_have(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* ---- the truth ---- */

static void copy_bytes(struct buf *to, const struct buf *from)
{
    buf_init(to, SIZE_MAX / 2);
    if (buf_append_slice(to, buf_slice(from)) != ERROR_NONE)
        abort();
}

static struct load *load_of(enum load_type type, const struct history_message *m)
{
    struct load *l = must_have(load_new(type));
    l->organisation = m->organisation;
    l->message_id = m->id;
    l->body_lsn = m->body_lsn;
    return l;
}

static void read_truth(struct story *y, struct store *s)
{
    y->rows = must_have(calloc(y->history.count, sizeof *y->rows));
    y->bodies = must_have(calloc(y->history.count, sizeof *y->bodies));
    for (size_t i = 0; i < y->history.count; i++) {
        const struct history_message *m = &y->history.messages[i];
        struct load *row = load_of(LOAD_MESSAGE, m), *body = load_of(LOAD_BODY, m);
        store_load_one(s, row);
        store_load_one(s, body);
        if (row->result != ERROR_NONE || (body->result != ERROR_NONE) != m->is_refusal)
            abort();
        copy_bytes(&y->rows[i], &row->bytes);
        copy_bytes(&y->bodies[i], &body->bytes);
        load_free(row);
        load_free(body);
    }
}

static void run_soundly(struct story *y)
{
    char *directory = directory_new();
    if (story_run(y, directory, NULL, y->count, NULL).confirmed != y->count)
        abort();
    struct store *s = outbox_open(directory);
    outbox_fold_all(s);
    read_truth(y, s);
    store_close(s);
    directory_free(directory);
}

void story_init(struct story *y, uint64_t seed, unsigned groups, unsigned records)
{
    struct state *state = state_empty(ID_NONE);
    *y = (struct story){.count = groups,
                        .groups = must_have(calloc(groups, sizeof *y->groups)),
                        .digests = must_have(calloc(groups, sizeof *y->digests)),
                        .cases = must_have(calloc(groups, sizeof *y->cases)),
                        .ends = must_have(calloc(groups, sizeof *y->ends))};
    history_init(&y->history, seed);
    y->history.big_body_percent = 4;
    for (unsigned i = 0; i < groups; i++) {
        y->groups[i] =
            i == 0 ? history_directory(&y->history) : history_group(&y->history, records);
        state_apply_group(state, y->groups[i]);
        y->digests[i] = state_digest_of(state);
        y->cases[i] = cases_of_groups(y->groups, i + 1);
        y->ends[i] = y->history.lsn;
    }
    state_free(state);
    run_soundly(y);
}

void story_fini(struct story *y)
{
    for (unsigned i = 0; i < y->count; i++)
        group_free(y->groups[i]);
    for (size_t i = 0; i < y->history.count; i++) {
        buf_fini(&y->rows[i]);
        buf_fini(&y->bodies[i]);
    }
    free(y->rows);
    free(y->bodies);
    free(y->groups);
    free(y->digests);
    free(y->cases);
    free(y->ends);
    history_fini(&y->history);
}

/* ---- its life ---- */

struct store_options story_options(const char *directory, const char *vfs)
{
    struct store_options o = outbox_options(directory);
    o.vfs = vfs;
    o.checkpoint_pages = 12;
    o.fold_slice_bytes = 1500;
    return o;
}

/* After the first failure nothing is tried again, and lsn is that of the last confirmed group. */
static bool is_tried_after(const struct story *y, struct store *s, const struct story_run *r)
{
    bool unused;
    if (store_fold(s, &unused) != r->failed)
        return true;
    if (r->confirmed == y->count)
        return false;
    return store_commit(s, y->groups[r->confirmed]) != r->failed ||
           store_lsn(s) != (r->confirmed == 0 ? 0 : y->ends[r->confirmed - 1]);
}

struct story_run story_run(const struct story *y, const char *directory, const char *vfs,
                           unsigned groups, void (*on_confirmed)(unsigned count))
{
    struct story_run r = {0};
    struct store_options o = story_options(directory, vfs);
    const char *problem = NULL;
    struct store *s;
    bool is_done;
    r.failed = store_open(&s, &o, &problem);
    if (r.failed != ERROR_NONE) {
        r.is_tried_after = problem == NULL;
        return r;
    }
    r.was_opened = true;
    for (unsigned i = 0; i < groups && r.failed == ERROR_NONE; i++) {
        r.failed = store_commit(s, y->groups[i]);
        if (r.failed != ERROR_NONE)
            break;
        r.confirmed++;
        if (on_confirmed != NULL)
            on_confirmed(r.confirmed);
        if (i % 3 == 2)
            r.failed = store_fold(s, &is_done);
    }
    if (r.failed != ERROR_NONE)
        r.is_tried_after = is_tried_after(y, s, &r);
    store_close(s);
    return r;
}

/* ---- the judge ---- */

#define WHY_BYTES 200

struct judging {
    const struct story *y;
    struct store *store;
    unsigned at; /* the group that the store ends with */
    bool was_refused;
    char *why;
};

static enum story_verdict wrong(struct judging *j, const char *what, const char *how, size_t number)
{
    snprintf(j->why, WHY_BYTES, "%s %s (%zu)", what, how, number);
    return STORY_WRONG;
}

static enum story_verdict refused(struct judging *j, enum error e, const char *problem)
{
    if (problem == NULL || e == ERROR_NONE || e == ERROR_NOT_FOUND)
        return wrong(j, "a failure", "has no name", (size_t)e);
    snprintf(j->why, WHY_BYTES, "%s: %s", error_name(e), problem);
    return STORY_REFUSED;
}

static enum story_verdict judge_lsn(struct judging *j, unsigned confirmed)
{
    const struct story *y = j->y;
    uint64_t lsn = store_lsn(j->store);
    if (lsn == 0)
        return confirmed == 0 ? STORY_RIGHT : wrong(j, "all", "is gone", 0);
    while (j->at < y->count && y->ends[j->at] < lsn)
        j->at++;
    if (j->at == y->count || y->ends[j->at] != lsn)
        return wrong(j, "the last lsn", "is in the middle of a group", lsn);
    return j->at + 1 < confirmed ? wrong(j, "a group", "was confirmed and is missing", j->at + 1)
                                 : STORY_RIGHT;
}

static enum story_verdict judge_state(struct judging *j)
{
    static const uint64_t seed[2] = {3, 4};
    struct state *state = must_have(state_new(seed));
    enum story_verdict v = STORY_RIGHT;
    const char *problem = NULL;
    enum error e = store_load(j->store, state, HISTORY_LOW_WATER_MS, &problem);
    if (e != ERROR_NONE) {
        v = refused(j, e, problem);
    } else if (store_lsn(j->store) > 0) {
        struct digest found = state_digest_of(state);
        if (!digest_equal(&found, &j->y->digests[j->at]))
            v = wrong(j, "the state", "is another after group", j->at);
    }
    state_free(state);
    return v;
}

static enum story_verdict judge_load(struct judging *j, enum load_type type, size_t i,
                                     const struct buf *truth)
{
    struct load *l = load_of(type, &j->y->history.messages[i]);
    enum story_verdict v = STORY_RIGHT;
    const char *what = type == LOAD_BODY ? "body" : "message";
    store_load_one(j->store, l);
    if (l->result == ERROR_CORRUPT || l->result == ERROR_IO)
        j->was_refused = true;
    else if (l->result != ERROR_NONE || !slice_equal(buf_slice(&l->bytes), buf_slice(truth)))
        v = wrong(j, what, l->result == ERROR_NOT_FOUND ? "is not found" : "is another", i);
    load_free(l);
    return v;
}

static enum story_verdict judge_loads(struct judging *j, bool has_rows)
{
    enum story_verdict v = STORY_RIGHT;
    for (size_t i = 0; v == STORY_RIGHT && i < j->y->history.count; i++) {
        const struct history_message *m = &j->y->history.messages[i];
        if (!m->is_refusal && m->body_lsn <= store_lsn(j->store))
            v = judge_load(j, LOAD_BODY, i, &j->y->bodies[i]);
        if (v == STORY_RIGHT && has_rows)
            v = judge_load(j, LOAD_MESSAGE, i, &j->y->rows[i]);
    }
    return v;
}

static enum story_verdict fold_all(struct judging *j)
{
    bool is_done = false;
    enum error e = ERROR_NONE;
    while (!is_done && e == ERROR_NONE)
        e = store_fold(j->store, &is_done);
    return e == ERROR_NONE ? STORY_RIGHT : refused(j, e, "the fold says so");
}

/* The audit chain from the first record on, and the books that it makes (I8). */
static enum story_verdict judge_books(struct judging *j)
{
    static const uint64_t seed[2] = {5, 6};
    enum story_verdict v = STORY_RIGHT;
    struct account *a = must_have(account_new(seed));
    enum error e = store_account(j->store, a);
    const struct account_result *found = e == ERROR_NONE ? account_result(a) : NULL;
    if (!found)
        v = refused(j, e, "the account says so");
    else if (found->problem)
        v = refused(j, ERROR_CORRUPT, found->problem);
    else if (found->lsn != store_lsn(j->store))
        v = wrong(j, "the account", "ends elsewhere", found->lsn);
    else if (!found->is_balanced)
        v = wrong(j, "the books", "do not balance", found->reader_count);
    account_free(a);
    return v;
}

static enum story_verdict judge_opened(struct judging *j, unsigned confirmed)
{
    enum story_verdict v = judge_lsn(j, confirmed);
    if (v == STORY_RIGHT)
        v = judge_state(j);
    if (v == STORY_RIGHT)
        v = judge_loads(j, false);
    if (v == STORY_RIGHT)
        v = fold_all(j);
    if (v == STORY_RIGHT)
        v = judge_state(j);
    if (v == STORY_RIGHT)
        v = judge_loads(j, j->at + 1 == j->y->count);
    if (v == STORY_RIGHT)
        v = judge_books(j);
    return v == STORY_RIGHT && j->was_refused ? refused(j, ERROR_CORRUPT, "a load says so") : v;
}

/* The tables of cases when all is folded; of the closed store. */
static enum story_verdict judge_cases(struct judging *j, const char *directory, uint64_t lsn)
{
    struct cases found;
    if (lsn == 0)
        return STORY_RIGHT;
    enum error e = cases_of_store(directory, &found);
    if (e != ERROR_NONE)
        return refused(j, e, "a table of cases does not read");
    const char *problem = cases_compare(&found, &j->y->cases[j->at]);
    return problem == NULL ? STORY_RIGHT : wrong(j, problem, "after group", j->at);
}

enum story_verdict story_judge(const struct story *y, const char *directory, const char *vfs,
                               unsigned confirmed, char why[200])
{
    struct judging j = {.y = y, .why = why};
    struct store_options o = story_options(directory, vfs);
    const char *problem = NULL;
    why[0] = '\0';
    enum error e = store_open(&j.store, &o, &problem);
    if (e != ERROR_NONE)
        return refused(&j, e, problem);
    enum story_verdict v = judge_opened(&j, confirmed);
    uint64_t lsn = store_lsn(j.store);
    store_close(j.store);
    return v == STORY_RIGHT ? judge_cases(&j, directory, lsn) : v;
}

enum story_verdict story_ask(const struct story *y, struct store *s, char why[200])
{
    struct judging j = {.y = y, .store = s, .why = why};
    why[0] = '\0';
    enum story_verdict v = judge_loads(&j, true);
    return v == STORY_RIGHT && j.was_refused ? refused(&j, ERROR_IO, "a load says so") : v;
}
