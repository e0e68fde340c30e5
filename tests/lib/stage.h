/*
 * tests/lib/stage.h: the relay in a world of our making: a store that commits when the test says so,
 * sessions whose frames are kept, a clock that the test sets, and a directory of one municipality with
 * a practice (two gps, a practice system, a recovery entry) and a team (two consultants).
 */
#ifndef TESTS_LIB_STAGE_H
#define TESTS_LIB_STAGE_H

#include "daemon/core/model.h"
#include "daemon/core/relay.h"
#include "tests/lib/asks.h"

#define STAGE_NOW_MS INT64_C(1795000000000)
struct stage_frame {
    uint64_t session;
    Brug__V1__ServerFrame *frame;
};

struct stage_row { /* a committed record */
    uint64_t lsn;
    unsigned type;
    struct slice payload;
};

struct stage_body {
    uint64_t lsn;
    struct body *body;
};

struct stage {
    struct relay *relay;
    struct relay_limits limits;
    struct instant now;
    struct state *tables; /* all that is committed; answers cold loads */
    int64_t low_water_ms;

    struct group *in_flight;
    struct stage_row *rows;
    size_t row_count, row_capacity;
    struct stage_body *bodies;
    size_t body_count, body_capacity;
    struct load *loads[1024];
    size_t load_count;
    enum error load_result; /* instead of the truth, when set */
    uint64_t spoiled_lsn;   /* the body of this record comes back changed */

    struct stage_frame *frames; /* received, in order; taken ones are NULL */
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
    struct stage_endpoint gp_pc, gp2_pc, system, practice_recovery, consultant_pc, consultant2_pc,
        stranger_pc;
    uint32_t next_id;
    uint64_t request; /* that the next Submit, Ack, Opened or Track carries */
};

/* With the usual limits, or the caller's. Its directory is committed, all loads are answered. */
struct stage *stage_new(const struct relay_limits *limits);
void stage_free(struct stage *w);
struct relay_limits stage_limits(void);

struct id stage_id(unsigned version, uint32_t number); /* always the same for the same number */
struct id stage_message_id(struct stage *w);           /* a new v7 id of now */
struct id stage_case_id(struct stage *w);              /* a new v4 id */

/* ---- the store ---- */

void stage_flush(struct stage *w);
/* The group in flight becomes durable; false: none is in flight. */
bool stage_commit(struct stage *w);
void stage_load(struct stage *w); /* answers all loads that were asked for */
/* Flushes, commits and loads until nothing is left to do. */
void stage_settle(struct stage *w);
/* Power fails: the group in flight and all after it are gone, sessions too. The relay starts again from
 * tables folded up to folded_lsn and the journal after it. */
void stage_crash(struct stage *w, uint64_t folded_lsn);
uint64_t stage_committed_lsn(const struct stage *w);
/* A state of the committed records: `folded_lsn` of them loaded as rows, the others applied. */
struct state *stage_replay(const struct stage *w, uint64_t folded_lsn);
size_t stage_count_records(const struct stage *w, unsigned type);

/* ---- sessions ---- */

uint64_t stage_open(struct stage *w, struct stage_endpoint *e);    /* without Hello */
uint64_t stage_connect(struct stage *w, struct stage_endpoint *e); /* with Hello, not settled */
/* Connects, subscribes with large credit, settles and takes the Welcome. */
uint64_t stage_listen(struct stage *w, struct stage_endpoint *e);
void stage_disconnect(struct stage *w, struct stage_endpoint *e);
void stage_send(struct stage *w, uint64_t session, Brug__V1__ClientFrame *frame);
/* The oldest frame that the session got and the test did not take; NULL: none. Lives until stage_free. */
Brug__V1__ServerFrame *stage_take(struct stage *w, uint64_t session);
bool stage_is_closed(const struct stage *w, uint64_t session, enum error *why);
/* The code of the Refused that comes next, ERROR_NONE for any other frame; fails the test when none comes. */
enum error stage_take_code(struct stage *w, uint64_t session);

void stage_subscribe(struct stage *w, uint64_t session, uint32_t messages, uint64_t bytes);
void stage_ack(struct stage *w, uint64_t session, const struct id *organisation,
               const struct id *message, enum error unreadable);
void stage_opened(struct stage *w, uint64_t session, const struct id *organisation,
                  const struct id *message, const struct id *person);
/* A HISTORY, with the letter that it brought. */
void stage_opened_inside(struct stage *w, uint64_t session, const struct id *organisation,
                         const struct id *message, const struct id *person,
                         const struct id *handed_on);
void stage_track(struct stage *w, uint64_t session, const struct id *message);

/* ---- letters ---- */

/* A letter of this kind with the readers that the directory asks for. */
struct stage_letter stage_letter(struct stage *w, Brug__V1__Kind kind,
                                 const struct stage_endpoint *from, const struct id *to,
                                 const struct id *case_id);
void stage_set_readers(const struct stage *w, struct stage_letter *l);
void stage_submit(struct stage *w, uint64_t session, const struct stage_letter *l);
/* Submits, settles, and expects a receipt. */
void stage_post(struct stage *w, const struct stage_letter *l);

/* ---- administration ---- */

/* Settles; the answer lives until the next call. */
const Brug__V1__AdminAnswer *stage_admin(struct stage *w, Brug__V1__AdminRequest *q,
                                         const Brug__V1__EndpointRow *endpoint);
const Brug__V1__AdminAnswer *stage_set_status(struct stage *w, Brug__V1__ObjectType type,
                                              const struct id *id, Brug__V1__Status status);
void stage_add_person(struct stage *w, const struct id *id, const struct id *organisation,
                      Brug__V1__Role role, int64_t until_ms);
void stage_add_endpoint(struct stage *w, struct stage_endpoint *e, const struct id *id,
                        const struct id *organisation, const struct id *person, bool recovery);
bool stage_saw_event(const struct stage *w, const char *name);

#endif
