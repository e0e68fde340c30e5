/*
 * tests/lib/sim.h: the relay in a simulated world: the real core with its pump, the real journal, fold and load,
 * under a clock, links, clients, an operator and a disk of our making, all from one seed.
 *
 * Everything that happens is an event with a time; a step is one event: a frame arrives at the relay or at a
 * client, a connection is lost, the storage thread ends a job or the relay collects what it brought, a client or the
 * operator does something, the clock leaps, the process is killed, the power goes, the relay starts again.
 *
 * The judge (sim_judge.c) holds what leaves the relay and what clients see against what was committed (`truth`: the
 * records of every group that reached the disk, applied by themselves) and against the clients' own records:
 *   I1  nothing leaves before all that it was judged on is on disk; what was told is there after every end
 *   I2  copies come in the mailbox's order, none left out, none twice in a session, none after its Acked
 *   I3  the same bytes get the same answer for ever, other bytes ID_REUSED
 *   I6  a foreign and an unknown id get the same answer by the same look-ups; nobody gets a copy of others
 *   credit, unanswered requests, waiting room, cache and unstored bytes within their limits; counters equal a
 *   walk; the state after a start is that of the records on disk, whatever was folded.
 *
 *   I8  the books of every reader, made from the audit chain, balance and agree with tables and memory
 *
 * A control is a world in which one thing is broken on purpose, once the directory is made, and the violation by which
 * it must be caught: there nothing else counts.
 *
 *   sim_world.c    events, clock, ends, starts    sim_links.c    connections between clients and relay
 *   sim_disk.[ch]  the store and its thread       sim_clients.c  endpoints that send and read
 *   sim_sabotage.c what controls break            sim_judge.c    what must hold
 *   sim_people.c   people with cases              sim_cases.[ch] what must hold of cases
 *   sim_figures.c  … and of figures               sim_family.c   … and of families
 *   sim_seed.c     which world fails, and again
 */
#ifndef TESTS_LIB_SIM_H
#define TESTS_LIB_SIM_H

#include "daemon/core/relay_inside.h"
#include "tests/lib/asks.h"
#include "tests/lib/sim_disk.h"

#define SIM_BEGIN_MS INT64_C(1795000000000)
#define SIM_CLIENTS_MAX 24u
#define SIM_MS 1000 /* event times are in microseconds */
#define SIM_NO_ANSWER ((enum error) - 1)

struct sim;
struct sim_cases;
struct sim_client;
struct sim_link;

struct sim_event {
    struct heap_node due; /* µs */
    void (*happen)(struct sim *w, struct sim_event *e);
};

/* ---- what a world is like ---- */

/* What is broken on purpose. */
enum sim_sabotage {
    SIM_HONEST,
    SIM_EARLY_DURABLE, /* the relay hears that a group is durable before it is */
    SIM_LOST_GROUP,    /* an end loses the last group that was durable */
    SIM_FOLD_AHEAD,    /* the relay hears of a fold further than it is */
    /* What leaves the relay, before the judge sees it */
    SIM_SKIP_COPY,      /* a delivery is left out */
    SIM_SEND_AGAIN,     /* a delivery leaves twice */
    SIM_ANSWER_TWICE,   /* an answer leaves twice */
    SIM_WRONG_SESSION,  /* an answer goes to who did not ask */
    SIM_OTHER_TIME,     /* a repeat gets another time of storing */
    SIM_TELL_FOREIGN,   /* a foreign id gets another refusal than an unknown one */
    SIM_SHOW_ELSEWHERE, /* the directory shows an organisation of another municipality */
    SIM_FORGET_KNOWN,   /* an id that is known is refused as unknown */
    SIM_EMPTY_ANSWER,   /* nothing instead of Noted */
    SIM_TRACK_AHEAD,    /* a reader's fact is told that is not on disk */
    SIM_DEAF_QUEUE,     /* the relay does not hear that a session's queue is full */
    /* What a client gets or does */
    SIM_DELIVER_TWICE, /* a link repeats a delivery */
    SIM_REORDER,       /* a link swaps two deliveries */
    SIM_SPOIL,         /* a link changes a byte of a letter */
    SIM_WRONG_READER,  /* another client gets the delivery too */
    SIM_OTHER_ANSWER,  /* a repeat's receipt says another time */
    SIM_NOW_REFUSED,   /* a repeat is refused after a receipt */
    SIM_NO_RECEIPT,    /* one client never gets a receipt */
    SIM_NO_FACT,       /* no word of a letter that reached nobody arrives */
    SIM_LOST_BY_END,   /* after an end nothing is delivered any more */
    SIM_LOST_BY_AGE,   /* nothing is delivered that the clock says is old, or from the future */
    SIM_LOST_BEHIND_PARKED, /* nothing is delivered to who has a parked copy */
    SIM_TWICE_BY_AGE,       /* such a letter comes twice */
    SIM_FORGET_ACK,         /* a client hears Acked for an Ack that the relay never got */
    SIM_ACK_UNREAD,         /* the relay gets an Ack for a delivery that the client never saw */
    SIM_SAME_BYTES,         /* other bytes under an id get the answer of the first ones */
    SIM_FOREIGN_IS_OWN,     /* a foreign id is answered as if it were the asker's */
    SIM_FOREIGN_UNREAD,     /* a foreign id is not looked up */
    /* What the relay allows and counts */
    SIM_CREDIT_MESSAGES, /* a message more than the client said */
    SIM_CREDIT_BYTES,    /* twice the bytes that the client said */
    SIM_WIDE_LIMITS,     /* eight times of every budget */
    SIM_NO_CAP,          /* copies are never parked */
    SIM_LOW_CAP,         /* parked too early */
    SIM_HIGH_CAP,        /* too late */
    SIM_COUNT_WAITING,
    SIM_COUNT_UNANSWERED,
    SIM_COUNT_IN_FLIGHT,
    SIM_COUNT_UNSTORED,
    /* What it has in mind and on disk */
    SIM_DRIFT,        /* the state leaves what the records say */
    SIM_OTHER_LOADED, /* a start loads another state */
    SIM_OTHER_ROW,    /* a row of the tables is not what the records say */
    SIM_OTHER_BOOKS,  /* memory has a copy that the books have not */
    /* In a world with cases */
    SIM_STEP_AGAIN,    /* a start forgets that a step of time was taken */
    SIM_DROP_OWED,     /* something that is owed leaves the relay's mind */
    SIM_END_UNASKED,   /* a proposal that nobody answered ends the case */
    SIM_TELL_CUSTODY,  /* the other side is said to have custody */
    SIM_SHORT_PAGE,    /* a case is left out of a page */
    SIM_LOSE_NOTICE,   /* a step of time is committed without its notice */
    SIM_OTHER_NOTICE,  /* a link changes what a notice is about */
    SIM_BELIEVE_CLOCK, /* the relay does not doubt a clock that leapt */
    SIM_FORGET_STEP,   /* time does nothing to a case any more */
    SIM_REMIND_EARLY,  /* a day before it should */
    SIM_LONGER_TERM,   /* of START */
    SIM_COUNT_TWICE,   /* an event counts twice for the figures */
    SIM_COUNT_LOADED,  /* after a start only */
    SIM_DROP_END,      /* a move does not say what it ended */
    SIM_PUBLISH_AGAIN, /* a start forgets what was published */
    SIM_OTHER_TABLE,   /* a published table is told with another number */
    SIM_OTHER_FIGURE,  /* and a team's own figures */
    SIM_DROP_LINK,     /* a case is told without one of its family */
    SIM_OTHER_LINK,    /* a FACT tells of another case */
    SIM_NO_ROOM,       /* the relay finds no room for ever */
    SIM_BOTH_CLAIM,    /* who comes second hears of a receipt */
    SIM_UNCLEAR,       /* or of another refusal */
};

struct sim_control {
    enum sim_sabotage sabotage;
    const char *what;      /* for people */
    const char *caught_by; /* part of the violation's text */
};

/* Rates are one in so many; 0: never. */
struct sim_profile {
    struct relay_limits limits;
    struct store_options store;
    unsigned ends;       /* steps: kills and power cuts */
    unsigned losses;     /* actions of a client: its connection is lost */
    unsigned leaps;      /* steps: hours pass at once, or the wall clock jumps */
    unsigned orders;     /* steps: the operator changes something */
    unsigned old_ids;    /* new letters: an id that is older than what memory holds, or random */
    unsigned large;      /* new letters: of some kilobytes */
    unsigned failures;   /* commits that fail, so that the process ends */
    unsigned full_disks; /* steps: the disk has no room for a while, or has again */
    int64_t latency_us, think_us, disk_us; /* at most */
    size_t output_bytes_max;               /* of one link; beyond, the relay must wait */
    bool steps_wall_back;                  /* wall clock jumps by up to a year, both ways */
    bool has_cases; /* people lead cases, over months; nights are skipped (sim_cases.h) */
};

/* ---- what clients know ---- */

struct sim_letter {
    struct map_node node;
    struct message_key key;
    struct stage_letter l;
    struct sim_client *from;
    struct list pending; /* in its client's list while it has no lasting answer */
    uint64_t asked_on;   /* the session of the newest question */
    enum error answer;   /* SIM_NO_ANSWER; NONE: a receipt; or a refusal that is remembered */
    int64_t at_ms;
    bool is_given_up; /* its client seals it anew under another id */
};

struct sim_copy { /* that a client got */
    struct map_node node;
    struct message_key key;
    uint64_t session;  /* that brought it last */
    uint64_t asked_on; /* the session of the newest Ack */
    size_t unacked;    /* its place among those without an Acked */
    bool is_acked;     /* an Acked came */
    unsigned deliveries;
    Brug__V1__Kind kind;
    struct id in_reply_to; /* of what the relay made */
};

struct sim_client {
    struct stage_endpoint e;
    Brug__V1__Role role;
    struct id municipality, person; /* who acts for it */
    const char *anchor;
    bool is_practice, reads;
    bool was_suspended;     /* ever */
    bool never_acks;        /* of scenarios */
    bool is_away;           /* of scenarios: does nothing by itself */
    bool is_greedy;         /* asks more than the relay allows, which ends its sessions */
    int64_t clock_ahead_ms; /* of its own clock */
    struct sim_link *link;  /* NULL: not connected */
    bool is_welcome, is_subscribed;
    unsigned open_questions;
    struct sim_event act;
    struct map copies;
    struct sim_copy **list, **unacked;
    size_t count, capacity, unacked_count, unacked_capacity;
    struct list pending; /* letters */
};

enum sim_asked {
    SIM_ASKED_LETTER = 1,
    SIM_ASKED_OTHER_BYTES,
    SIM_ASKED_ACK,
    SIM_ASKED_OPENED,
    SIM_ASKED_TRACK,
    SIM_ASKED_DIRECTORY,
    SIM_ASKED_PING,
    SIM_ASKED_FOREIGN, /* with a twin about an id that nobody has */
    SIM_ASKED_UNKNOWN,
    SIM_ASKED_ORDER,
    SIM_ASKED_CASE,
    SIM_ASKED_PAGE, /* of cases */
    SIM_ASKED_PUT,  /* an absence, a card */
    SIM_ASKED_FIGURES,
};

struct sim_question {
    enum sim_asked asked;
    struct sim_client *client;
    struct sim_letter *letter;
    struct message_key key; /* of a case: its id */
    struct {
        struct id after;
        uint32_t cases_max;
        bool ended;
    } page;
    struct {
        uint32_t date;
        bool inside;
    } figures; /* of the municipality that key.id names */
    uint64_t session;
    uint64_t lsn;    /* of the state when it was judged, or later */
    uint64_t twin;   /* of a foreign id: the request about the unknown one, and back */
    uint64_t loads;  /* that it made at once */
    uint64_t answer; /* a digest of what it was told; 0: nothing yet */
    size_t bytes;    /* of its frame, when they count as unstored */
    bool is_counted; /* among the unanswered of its session */
    bool has_left, was_known;
    bool was_unhindered;        /* there was room to wait, and nobody before it on its id */
    int64_t low_water_ms;       /* as it came */
    Brug__V1__SetStatus status; /* of an order */
};

/* ---- connections ---- */

struct sim_frame {
    struct list link;
    int64_t due_us;
    uint64_t request;
    int type;                      /* of a client's frame */
    Brug__V1__ServerFrame *server; /* NULL: a client's */
    size_t len;
    uint8_t bytes[];
};

struct sim_link {
    struct list all;
    uint64_t session;
    struct sim_client *owner;
    struct sim_client *client; /* NULL: it turned away */
    bool has_relay;            /* the relay's side is open */
    bool is_ended; /* nothing more comes down; the client hears it after what is under way */
    bool is_paused, is_full, is_connected;
    struct list up, down;
    int64_t up_us, down_us;
    size_t down_bytes;
    struct sim_event up_due, down_due, loss, drain;
    /* the judge's book */
    bool has_welcome;
    uint64_t hello_lsn, last_sequence, last_seen, credit_bytes;
    uint32_t credit_messages, unanswered;
    size_t asked_bytes; /* of the frames that are unanswered */
};

/* ---- the world ---- */

struct sim {
    uint64_t seed, random;
    struct sim_profile profile;
    struct relay_limits relay_limits;  /* that the relay has: those of the profile */
    const struct sim_control *control; /* NULL: honest */
    enum sim_sabotage sabotage;        /* from the time when the directory is made */
    bool walks_each_step;
    struct relay *relay; /* NULL: down */
    struct sim_disk disk;
    struct state *truth;
    uint64_t told_lsn;   /* the relay knew and acted on it */
    uint64_t folded_lsn; /* as of the last walk */
    int64_t now_us, wall_ahead_ms, slept_ms;
    int64_t low_water_ms;
    bool has_room, is_behind, is_all_paused, is_calm;
    uint64_t loads; /* asked for so far */
    struct heap events;
    struct sim_event wake_end, disk_done, collect, second, start;

    struct id municipalities[2], organisations[6];
    size_t organisation_count;
    struct sim_client clients[SIM_CLIENTS_MAX];
    size_t client_count;
    struct list links;
    uint64_t last_session;
    uint32_t next_id;
    struct map letters;
    struct sim_letter **letter_list;
    size_t letter_count, letter_capacity;
    size_t case_count;
    struct sim_case {
        struct id id;
        struct id practice, team, municipality;
    } known_cases[256];
    struct sim_question *questions; /* by request; 0 is none */
    size_t question_count, question_capacity;
    uint64_t order;          /* the operator's open question; 0: none */
    struct sim_cases *cases; /* NULL: a world without */

    uint64_t steps, kills, cuts, ends_in_start, commits, deliveries, receipts, acked;
    uint64_t walks, accounts; /* in full */
    uint64_t violations;
    char first_violation[512];
};

/* A world of its own kind: everything follows from the seed. */
struct sim_profile sim_profile_of(uint64_t seed);
/* control NULL: an honest one; else only what it must be caught by is a violation. */
struct sim *sim_new(uint64_t seed, const struct sim_profile *p, const struct sim_control *control);
void sim_free(struct sim *w);

/* SEED was given, and not for a proof: one world is played again, and no controls. */
bool sim_is_replay(void);
/* The relay asserts what it owes to itself: then the seed of the world is told. */
void sim_watch_aborts(void);
void sim_watch(const struct sim *w); /* the world that runs; NULL: none */
void sim_print_violation(const struct sim *w, const char *where);

/* One event. False: after a violation, which ends the world. */
bool sim_step(struct sim *w);
void sim_run(struct sim *w, uint64_t steps);
/* Runs until it is so; false: not within the steps. */
bool sim_until(struct sim *w, bool (*is_so)(struct sim *w, void *ctx), void *ctx, uint64_t steps);
/* Faults stop, suspended ones come back, everybody reads: all must arrive and be answered within the bound; then every
 * record of every message is compared with what the tables hold. */
void sim_calm(struct sim *w);
void sim_end(struct sim *w, enum sim_end how); /* now; the start follows by itself */
struct instant sim_now(const struct sim *w);

/* ---- for its parts ---- */

uint64_t sim_random(struct sim *w);
uint64_t sim_below(struct sim *w, uint64_t n); /* n > 0 */
bool sim_one_in(struct sim *w, unsigned n);    /* 0: never */
void sim_event_init(struct sim_event *e, void (*happen)(struct sim *w, struct sim_event *e));
void sim_schedule(struct sim *w, struct sim_event *e,
                  int64_t after_us); /* moves it when it is due */
void sim_cancel(struct sim *w, struct sim_event *e);
struct id sim_id(struct sim *w, unsigned version);
void *sim_grown(void *items, size_t count, size_t *capacity, size_t size);
/* After the relay was called: the wake-up ends, now or a little later. */
void sim_wake(struct sim *w);
void sim_touch_disk(struct sim *w); /* something was handed over */
uint64_t sim_ask(struct sim *w, enum sim_asked asked, struct sim_client *c);

struct sim_link *sim_link_new(struct sim *w, struct sim_client *c);
void sim_link_free(struct sim *w, struct sim_link *l);
struct sim_link *sim_link_find(struct sim *w, uint64_t session);
void sim_link_send(struct sim *w, struct sim_link *l, uint64_t request, int type, struct buf *b);
void sim_link_cut(struct sim *w, struct sim_link *l, int64_t heard_after_us);
void sim_links_begin(struct sim *w); /* the relay listens */
void sim_links_end(struct sim *w);   /* its process is gone */
extern const struct relay_port SIM_PORT;

void sim_client_on_frame(struct sim *w, struct sim_client *c, const Brug__V1__ServerFrame *f);
void sim_client_on_end(struct sim *w, struct sim_client *c);
void sim_client_act(struct sim *w, struct sim_event *e);
void sim_client_connect(struct sim *w, struct sim_client *c);
void sim_client_subscribe(struct sim *w, struct sim_client *c, uint32_t messages, uint64_t bytes);
/* A new letter, by chance; or a referral to this team (to is not NULL). */
struct sim_letter *sim_client_write(struct sim *w, struct sim_client *c, const struct id *to);
void sim_client_submit(struct sim *w, struct sim_letter *l, bool with_other_bytes);
void sim_client_ack(struct sim *w, struct sim_client *c, struct sim_copy *copy,
                    enum error unreadable);
struct sim_copy *sim_copy_find(const struct sim_client *c, const struct message_key *key);
struct sim_letter *sim_letter_find(const struct sim *w, const struct message_key *key);
bool sim_clients_are_done(struct sim *w, void *ctx);
void sim_clients_flag_undone(struct sim *w);

/* How often a frame leaves, or arrives: 1 where nothing is broken. They may change it. */
unsigned sabotage_leaving(struct sim *w, struct sim_link *l, Brug__V1__ServerFrame *f);
unsigned sabotage_arriving(struct sim *w, struct sim_link *l, Brug__V1__ServerFrame *f);
void sabotage_begin(struct sim *w);
void sabotage_step(struct sim *w);
bool sabotage_hides_room(const struct sim *w);
void sabotage_credit(struct sim *w, struct sim_link *l);
void sabotage_loaded(struct sim *w, struct state *s);

void sim_flag(struct sim *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void judge_arrival(struct sim *w, struct sim_link *l, const struct sim_frame *f);
void judge_judged(struct sim *w, struct sim_link *l, const struct sim_frame *f, uint64_t loads);
void judge_leaving(struct sim *w, struct sim_link *l, const Brug__V1__ServerFrame *f);
void judge_order(struct sim *w, uint64_t ticket, const Brug__V1__AdminAnswer *a);
void judge_delivery(struct sim *w, struct sim_client *c, const Brug__V1__Deliver *d,
                    struct sim_copy *copy);
void judge_letter_answer(struct sim *w, struct sim_question *q, enum error code, int64_t at_ms);
void judge_step(struct sim *w);
void judge_walk(struct sim *w);
void judge_start(struct sim *w, struct state *loaded);
void judge_end(struct sim *w); /* after the calm */

#endif
