/*
 * tests/lib/outbox.h: what tests of the store need: a history whose records a relay could have
 * decided, in groups ready to commit, and directories with stores in them.
 *
 * Everything follows from the seed. A failure of the helpers themselves ends the test program.
 */
#ifndef TESTS_LIB_OUTBOX_H
#define TESTS_LIB_OUTBOX_H

#include "daemon/core/group.h"
#include "daemon/core/state.h"
#include "daemon/store/store.h"
#include "rules/case.h"

/* One thread is what most of these tests have: under the thread sanitizer, which makes them slow and
 * can find nothing in them, they do a part of their work. */
#ifdef __SANITIZE_THREAD__
#define OUTBOX_TEST_PART 8
#else
#define OUTBOX_TEST_PART 1
#endif

#define HISTORY_ENDPOINTS 6
#define HISTORY_NOW_MS INT64_C(1764000000000)
#define HISTORY_LOW_WATER_MS (HISTORY_NOW_MS - INT64_C(48) * 3600 * 1000)

struct history_reader {
    unsigned endpoint; /* index */
    uint64_t sequence;
    bool is_waiting, is_opened;
};

struct history_message {
    struct id organisation, id; /* ID_NONE: made by the relay */
    bool is_refusal, is_quarantined;
    uint64_t body_lsn;
    struct digest digest;
    unsigned reader_count;
    struct history_reader readers[HISTORY_ENDPOINTS];
};

#define HISTORY_OWED_MAX (CASE_QUESTIONS_MAX + CASE_MOMENTS_MAX + 1) /* and what its state owes */

struct history_owed {
    struct id id, message_id;
    Brug__V1__OwedKind kind;
    Brug__V1__Side debtor;
    uint32_t due_date;
    int64_t born_at_ms;
    unsigned moment; /* from 1 */
};

/* A case as its last record left it: sound, as rules/case.h has it. What is owed first moves it on, until it is closed. */
struct history_case {
    struct id id, message_id, director, closing_id;
    Brug__V1__CaseState state;
    Brug__V1__Reason reason; /* of a referral; none: of before cases moved */
    int64_t at_ms, taken_up_at_ms, started_at_ms, ended_at_ms;
    unsigned owed_count;
    struct history_owed owed[HISTORY_OWED_MAX];
    unsigned moment_count; /* that the GP named */
    bool is_tagged;
};

struct history {
    uint64_t random;
    uint64_t lsn; /* of the last record */
    int64_t now_ms;
    int64_t spread_ms; /* how far back the times of new ids go */
    struct id municipality, organisations[2], persons[HISTORY_ENDPOINTS],
        endpoints[HISTORY_ENDPOINTS];
    uint64_t sequences[HISTORY_ENDPOINTS];
    struct history_message *messages;
    size_t count, capacity;
    struct history_case *cases;
    size_t case_count;
    unsigned published_count; /* tables of figures, of four weeks each */
    unsigned outage_count;
    unsigned big_body_percent; /* of bodies that are over 64 KiB */
};

void history_init(struct history *w, uint64_t seed);
void history_fini(struct history *w);
uint64_t history_random(struct history *w, uint64_t below);
/* Records of all types, the directory's first. The first group must be history_directory. */
struct group *history_directory(struct history *w);
struct group *history_group(struct history *w, unsigned records);
/* Messages with small bodies for one reader each, then an acknowledgement of each: what a relay
 * under load commits. */
struct group *history_load(struct history *w, unsigned messages, size_t body_bytes, bool is_acked);
struct group *history_empty_group(struct history *w);
void history_add(struct history *w, struct group *g, unsigned type, const void *message);
/* A random id of this version, of a time within the spread. */
struct id history_id(struct history *w, unsigned version);
void history_add_message(struct history *w, struct group *g, size_t body_bytes);
/* Cases (cases.c): one is opened, also as it was before cases moved; one is moved, in any way that its state allows,
 * mostly so that it owes more. */
void history_open_case(struct history *w, struct group *g);
void history_open_old_case(struct history *w, struct group *g);
void history_move_case(struct history *w, struct group *g, struct history_case *c);
/* Gives one of the cases that have not ended new tags, which stand beside the journal. False: there is none. */
bool history_tag_case(struct history *w, struct group *g);
void history_end_case(struct history *w, struct group *g, struct history_case *c);
#define HISTORY_TAG "brug-tag" /* what the bytes of every tag begin with */
/* The operator says that the relay was away on a day, each time an earlier one. */
void history_outage(struct history *w, struct group *g);
/* A table of figures is published: of the week after the one before. */
void history_publish(struct history *w, struct group *g);
/* The body that belongs to a lsn of this history. */
struct body *history_body(uint64_t lsn, size_t len);

/* What this record brought beside the journal; nothing: it brought none. */
struct slice group_kept(const struct group *g, uint64_t lsn);
/* Applies a group as the relay does. */
void state_apply_group(struct state *s, const struct group *g);
struct state *state_empty(struct id generation);
struct digest state_digest_of(const struct state *s);

struct store_options outbox_options(const char *directory);
/* Opens, or ends the test. */
struct store *outbox_open(const char *directory);
/* With slices of this size; nothing is folded but by store_fold. */
struct store *outbox_open_slices(const char *directory, size_t slice_bytes);
struct state *outbox_load(struct store *s);
/* Folds what there is. */
void outbox_fold_all(struct store *s);
/* Over all rows of the tables that folding fills, of a closed store. */
struct digest outbox_tables(const char *directory);
/* Over all that a query of brug.db gives, of a closed store: each value behind its length. */
struct digest outbox_rows(const char *directory, const char *sql);
/* What this SQL gives of one of the files of a closed store, the records of a group, as a group again; NULL: nothing. */
struct group *outbox_group(const char *directory, const char *file, const char *sql,
                           uint64_t first_lsn);
/* Runs SQL on one of the files of a closed store; returns the first column of the first row, or 0.
 */
int64_t outbox_sql(const char *directory, const char *file, const char *sql);

#endif
