/*
 * tests/lib/world.h: the relay in a world of our making: a store that commits when the test says so,
 * sessions whose frames are kept, a clock that the test sets, and a directory of one municipality with
 * a practice (two gps, a practice system, a recovery entry) and a team (two consultants).
 */
#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include "daemon/core/model.h"
#include "daemon/core/relay.h"

#define WORLD_NOW_MS INT64_C(1795000000000)
#define WORLD_READERS_MAX 32u

struct world_endpoint {
    struct id id, organisation, person; /* person: ID_NONE for a system or a recovery entry */
    uint64_t session;                   /* the newest; 0: none */
};

struct world_frame {
    uint64_t session;
    Brug__V1__ServerFrame *frame;
};

struct world_row { /* a committed record */
    uint64_t lsn;
    unsigned type;
    struct slice payload;
};

struct world_body {
    uint64_t lsn;
    struct body *body;
};

struct world {
    struct relay *relay;
    struct relay_limits limits;
    struct instant now;
    struct state *tables; /* all that is committed; answers cold loads */
    int64_t low_water_ms;

    struct group *in_flight;
    struct world_row *rows;
    size_t row_count, row_capacity;
    struct world_body *bodies;
    size_t body_count, body_capacity;
    struct load *loads[1024];
    size_t load_count;
    enum error load_result; /* instead of the truth, when set */
    uint64_t spoiled_lsn;   /* the body of this record comes back changed */

    struct world_frame *frames; /* received, in order; taken ones are NULL */
    size_t frame_count, frame_capacity, frame_first;
    enum error *closed; /* by session: why; -1: open */
    uint64_t last_session;
    bool is_output_full; /* port.send says so */
    uint64_t paused;     /* sessions paused now; session 0 counts as one */
    bool is_all_paused;
    unsigned anchors_changed;
    Brug__V1__AdminAnswer *admin_answer; /* the last */
    uint64_t admin_ticket;
    struct relay_event events[64]; /* the last ones, newest at (event_count - 1) % 64 */
    size_t event_count;

    struct id municipality, other_municipality, practice, team, stranger;
    struct id gp, gp2, consultant, consultant2, leader;
    struct world_endpoint gp_pc, gp2_pc, system, practice_recovery, consultant_pc, consultant2_pc,
        stranger_pc;
    uint32_t next_id;
};

/* With the usual limits, or the caller's. Its directory is committed, all loads are answered. */
struct world *world_new(const struct relay_limits *limits);
void world_free(struct world *w);
struct relay_limits world_limits(void);

struct id world_id(unsigned version, uint32_t number); /* always the same for the same number */
struct id world_message_id(struct world *w);           /* a new v7 id of now */
struct id world_case_id(struct world *w);              /* a new v4 id */

/* ---- the store ---- */

void world_flush(struct world *w);
/* The group in flight becomes durable; false: none is in flight. */
bool world_commit(struct world *w);
void world_load(struct world *w); /* answers all loads that were asked for */
/* Flushes, commits and loads until nothing is left to do. */
void world_settle(struct world *w);
/* Power fails: the group in flight and all after it are gone, sessions too. The relay starts again from
 * tables folded up to folded_lsn and the journal after it. */
void world_crash(struct world *w, uint64_t folded_lsn);
uint64_t world_committed_lsn(const struct world *w);
/* A state of the committed records: `folded_lsn` of them loaded as rows, the others applied. */
struct state *world_replay(const struct world *w, uint64_t folded_lsn);
size_t world_count_records(const struct world *w, unsigned type);

/* ---- sessions ---- */

void world_key(const struct world_endpoint *e, struct digest *key);
uint64_t world_open(struct world *w, struct world_endpoint *e);    /* without Hello */
uint64_t world_connect(struct world *w, struct world_endpoint *e); /* with Hello, not settled */
/* Connects, subscribes with large credit, settles and takes the Welcome. */
uint64_t world_listen(struct world *w, struct world_endpoint *e);
void world_disconnect(struct world *w, struct world_endpoint *e);
void world_send(struct world *w, uint64_t session, Brug__V1__ClientFrame *frame);
/* The oldest frame that the session got and the test did not take; NULL: none. Lives until world_free. */
Brug__V1__ServerFrame *world_take(struct world *w, uint64_t session);
bool world_is_closed(const struct world *w, uint64_t session, enum error *why);
/* The code of the Refused that comes next, ERROR_NONE for any other frame; fails the test when none comes. */
enum error world_take_code(struct world *w, uint64_t session);

void world_subscribe(struct world *w, uint64_t session, uint32_t messages, uint64_t bytes);
void world_ack(struct world *w, uint64_t session, const struct id *organisation,
               const struct id *message, enum error unreadable);
void world_opened(struct world *w, uint64_t session, const struct id *organisation,
                  const struct id *message, const struct id *person);
void world_track(struct world *w, uint64_t session, const struct id *message);

/* ---- letters ---- */

struct world_letter {
    Brug__V1__Kind kind;
    struct id id, case_id;
    const struct world_endpoint *from;
    struct id person, to, municipality;
    const char *sealed;
    size_t filler_bytes; /* of the sealed part, more */
    struct id readers[WORLD_READERS_MAX], copies[WORLD_READERS_MAX];
    size_t reader_count, copy_count;
    bool has_no_ground;
};

/* A letter of this kind with the readers that the directory asks for. */
struct world_letter world_letter(struct world *w, Brug__V1__Kind kind,
                                 const struct world_endpoint *from, const struct id *to,
                                 const struct id *case_id);
void world_set_readers(const struct world *w, struct world_letter *l);
void world_submit(struct world *w, uint64_t session, const struct world_letter *l);
/* Submits, settles, and expects a receipt. */
void world_post(struct world *w, const struct world_letter *l);

/* ---- administration ---- */

/* Settles; the answer lives until the next call. */
const Brug__V1__AdminAnswer *world_admin(struct world *w, Brug__V1__AdminRequest *q,
                                         const Brug__V1__EndpointRow *endpoint);
const Brug__V1__AdminAnswer *world_set_status(struct world *w, Brug__V1__ObjectType type,
                                              const struct id *id, Brug__V1__Status status);
void world_add_person(struct world *w, const struct id *id, const struct id *organisation,
                      Brug__V1__Role role, int64_t until_ms);
void world_add_endpoint(struct world *w, struct world_endpoint *e, const struct id *id,
                        const struct id *organisation, const struct id *person, bool recovery);
bool world_saw_event(const struct world *w, const char *name);

#endif
