/*
 * daemon/core/state.h: the state in memory, as the store sees it: what is live is loaded into it at
 * start, then the journal is applied. Only apply() changes it afterwards.
 *
 * Loading order: state_new, state_load_row for each directory and case row and each table of figures that was published,
 * state_load_figure for each count, state_load_tags, state_load_message for each
 * known id (at or after W, still waiting, or with a record after folded_lsn about it), state_load_done, then
 * apply_record for every journal record after folded_lsn in order of lsn.
 */
#ifndef DAEMON_CORE_STATE_H
#define DAEMON_CORE_STATE_H

#include "base/digest.h"
#include "base/id.h"
#include "brug/v1/record.pb-c.h"

struct state;

struct state *state_new(const uint64_t hash_seed[2]); /* NULL when out of memory */
void state_free(struct state *s);

/* A row in the form of its record (RECORD_TYPE_MUNICIPALITY … ENDPOINT, TEAM_KEY, OUTAGE, CASE_OPENED, FIGURES_PUBLISHED). */
enum error state_load_row(struct state *s, unsigned record_type, struct slice payload) MUST_CHECK;
/* What the tags of a case say: the record CaseTags, and what it brought. In order of the records. */
enum error state_load_tags(struct state *s, struct slice payload, struct slice kept) MUST_CHECK;
/* So many of an event on a day [R52]: a row of the table of figures. ERROR_CORRUPT when it names something unknown. */
struct figure_counter {
    struct id municipality, team, practice;
    uint64_t day, event, code, count;
};
enum error state_load_figure(struct state *s, const struct figure_counter *c) MUST_CHECK;
/* Mailboxes are rebuilt from the readers that still wait, in order of their sequence numbers. What is wrong with a
 * message may be told by a later call. */
enum error state_load_message(struct state *s, const Brug__V1__KnownMessage *m) MUST_CHECK;
/*
 * Ends loading: `lsn` is folded_lsn; ids of v7 time at or after low_water_ms are all in memory (W);
 * `generation` is the store's.
 */
enum error state_load_done(struct state *s, uint64_t lsn, int64_t low_water_ms,
                           const struct id *generation) MUST_CHECK;

/*
 * Applies the record with number `lsn`; never refuses. A record at or before the state's lsn is a no-op.
 * ERROR_STORE_FORMAT for an unknown type, ERROR_CORRUPT for a payload that does not unpack, ERROR_NO_MEMORY.
 * Used at replay; the pump applies its own decided records through the same code.
 */
enum error apply_record(struct state *s, uint64_t lsn, unsigned type, struct slice payload)
    MUST_CHECK;
/* The same for a record that brought something which the journal does not have (group_append_tags). */
enum error apply_record_with(struct state *s, uint64_t lsn, unsigned type, struct slice payload,
                             struct slice kept) MUST_CHECK;
uint64_t state_lsn(const struct state *s); /* of the last applied record */
/* When a record was made (ms), as it says itself. ERROR_STORE_FORMAT, CORRUPT, NO_MEMORY. */
struct arena;
enum error record_read_ms(struct arena *arena, unsigned type, struct slice payload, int64_t *out)
    MUST_CHECK;

/* What waits for an endpoint. Mailboxes are numbered ascending by endpoint. */
struct mailbox_figures {
    struct id endpoint;
    uint64_t waiting; /* not in quarantine */
    uint64_t quarantined;
    uint64_t parked; /* of both */
};
uint64_t state_waiting(const struct state *s); /* copies, over all mailboxes */
size_t state_mailbox_count(const struct state *s);
void state_mailbox(const struct state *s, size_t i, struct mailbox_figures *out);

/* SHA-256 over a canonical form of all that a replay must restore (directory, outages, cases, figures, mailboxes, known
 * messages at or after W or waiting, counters of quota): equal before a crash and after the replay. */
enum error state_digest(const struct state *s, struct digest *out) MUST_CHECK;

#endif
