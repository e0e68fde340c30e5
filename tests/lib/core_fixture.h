/*
 * tests/lib/core_fixture.h: the relay in a world of our making: a store that commits when the test says so,
 * sessions whose frames are kept, a clock that the test sets, and a directory of one municipality with
 * a practice (two gps, a practice system, a recovery entry) and a team (two consultants).
 */
#ifndef TESTS_LIB_CORE_FIXTURE_H
#define TESTS_LIB_CORE_FIXTURE_H

#include "daemon/core/model.h"
#include "daemon/core/relay.h"

#define FIXTURE_NOW_MS INT64_C(1795000000000)
#define LIMIT_FIXTURE_READERS 32u

struct fixture_endpoint {
    struct id id, organisation, person; /* person: ID_NONE for a system or a recovery entry */
    uint64_t session;                   /* the newest; 0: none */
};

struct fixture_frame {
    uint64_t session;
    Brug__V1__ServerFrame *frame;
};

struct fixture_row { /* a committed record */
    uint64_t lsn;
    unsigned type;
    struct slice payload;
};

struct fixture_body {
    uint64_t lsn;
    struct body *body;
};

struct fixture {
    struct relay *relay;
    struct relay_limits limits;
    struct instant now;
    struct state *tables; /* all that is committed; answers cold loads */
    int64_t low_water_ms;

    struct group *in_flight;
    struct fixture_row *rows;
    size_t row_count, row_capacity;
    struct fixture_body *bodies;
    size_t body_count, body_capacity;
    struct load *loads[1024];
    size_t load_count;
    enum error load_result; /* instead of the truth, when set */
    uint64_t spoiled_lsn;   /* the body of this record comes back changed */

    struct fixture_frame *frames; /* received, in order; taken ones are NULL */
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
    struct fixture_endpoint gp_pc, gp2_pc, system, practice_recovery, consultant_pc, consultant2_pc,
        stranger_pc;
    uint32_t next_id;
};

/* With the usual limits, or the caller's. Its directory is committed, all loads are answered. */
struct fixture *fixture_new(const struct relay_limits *limits);
void fixture_free(struct fixture *f);
struct relay_limits fixture_limits(void);

struct id fixture_id(unsigned version, uint32_t number); /* always the same for the same number */
struct id fixture_message_id(struct fixture *f);         /* a new v7 id of now */
struct id fixture_case_id(struct fixture *f);            /* a new v4 id */

/* ---- the store ---- */

void fixture_flush(struct fixture *f);
/* The group in flight becomes durable; false: none is in flight. */
bool fixture_commit(struct fixture *f);
void fixture_load(struct fixture *f); /* answers all loads that were asked for */
/* Flushes, commits and loads until nothing is left to do. */
void fixture_settle(struct fixture *f);
/* Power fails: the group in flight and all after it are gone, sessions too. The relay starts again from
 * tables folded up to folded_lsn and the journal after it. */
void fixture_crash(struct fixture *f, uint64_t folded_lsn);
uint64_t fixture_committed_lsn(const struct fixture *f);
/* A state of the committed records: `folded_lsn` of them loaded as rows, the others applied. */
struct state *fixture_replay(const struct fixture *f, uint64_t folded_lsn);
size_t fixture_count_records(const struct fixture *f, unsigned type);

/* ---- sessions ---- */

void fixture_key(const struct fixture_endpoint *e, struct digest *key);
uint64_t fixture_open(struct fixture *f, struct fixture_endpoint *e); /* without Hello */
uint64_t fixture_connect(struct fixture *f,
                         struct fixture_endpoint *e); /* with Hello, not settled */
/* Connects, subscribes with large credit, settles and takes the Welcome. */
uint64_t fixture_listen(struct fixture *f, struct fixture_endpoint *e);
void fixture_disconnect(struct fixture *f, struct fixture_endpoint *e);
void fixture_send(struct fixture *f, uint64_t session, Brug__V1__ClientFrame *frame);
/* The oldest frame that the session got and the test did not take; NULL: none. Lives until fixture_free. */
Brug__V1__ServerFrame *fixture_take(struct fixture *f, uint64_t session);
bool fixture_is_closed(const struct fixture *f, uint64_t session, enum error *why);
/* The code of the Refused that comes next, ERROR_NONE for any other frame; fails the test when none comes. */
enum error fixture_take_code(struct fixture *f, uint64_t session);

void fixture_subscribe(struct fixture *f, uint64_t session, uint32_t messages, uint64_t bytes);
void fixture_ack(struct fixture *f, uint64_t session, const struct id *organisation,
                 const struct id *message, enum error unreadable);
void fixture_opened(struct fixture *f, uint64_t session, const struct id *organisation,
                    const struct id *message, const struct id *person);
void fixture_track(struct fixture *f, uint64_t session, const struct id *message);

/* ---- letters ---- */

struct fixture_letter {
    Brug__V1__Kind kind;
    struct id id, case_id;
    const struct fixture_endpoint *from;
    struct id person, to, municipality;
    const char *sealed;
    size_t filler_bytes; /* of the sealed part, more */
    struct id readers[LIMIT_FIXTURE_READERS], copies[LIMIT_FIXTURE_READERS];
    size_t reader_count, copy_count;
    bool has_no_ground;
};

/* A letter of this kind with the readers that the directory asks for. */
struct fixture_letter fixture_letter(struct fixture *f, Brug__V1__Kind kind,
                                     const struct fixture_endpoint *from, const struct id *to,
                                     const struct id *case_id);
void fixture_set_readers(const struct fixture *f, struct fixture_letter *l);
void fixture_submit(struct fixture *f, uint64_t session, const struct fixture_letter *l);
/* Submits, settles, and expects a receipt. */
void fixture_post(struct fixture *f, const struct fixture_letter *l);

/* ---- administration ---- */

/* Settles; the answer lives until the next call. */
const Brug__V1__AdminAnswer *fixture_admin(struct fixture *f, Brug__V1__AdminRequest *q,
                                           const Brug__V1__EndpointRow *endpoint);
const Brug__V1__AdminAnswer *fixture_set_status(struct fixture *f, Brug__V1__ObjectType type,
                                                const struct id *id, Brug__V1__Status status);
void fixture_add_person(struct fixture *f, const struct id *id, const struct id *organisation,
                        Brug__V1__Role role, int64_t until_ms);
void fixture_add_endpoint(struct fixture *f, struct fixture_endpoint *e, const struct id *id,
                          const struct id *organisation, const struct id *person, bool recovery);
bool fixture_saw_event(const struct fixture *f, const char *name);

#endif
