/*
 * rules/case.h: the case: its states, the moves between them, and what each side owes (design §6). One copy for
 * the relay, which judges every letter of a case with it, and the client, which stops a bad choice before it is
 * sealed. Pure: no clock, no memory of its own.
 *
 *   REFERRAL             CLAIM                START
 *  ---------> REFERRED --------> CLARIFYING --------> SUPPORT --CLOSING--> CLOSED
 *              |  |                |  |  \____________________CLOSING_______^
 *              |  +-WITHDRAWAL-----+----------> WITHDRAWN
 *              |                   |
 *              +-decline accepted--+----------> DECLINED
 *                                  +-stop accepted (also from SUPPORT)--> STOPPED
 *
 *  CONSULT --> CONSULTING --ADVICE--> ADVISED
 *
 * A proposal (decline, stop) changes nothing until the other side answered it: accepted, the case ends; objected to
 * or retracted, all is as before [R24] [R25]. After an objection and a talk a leader may close the case as
 * ENDED_GP_DISAGREES. Bridging care runs beside the state: proposed, in force, ended [R26] [R27].
 *
 * Invariants, of every case after every move (case_is_sound)
 *  1. One side has custody: the team while CLARIFYING, in SUPPORT, and when CLOSED until a GP opened the closing
 *     letter; else the practice.
 *  2. A case has a director from its CLAIM on.
 *  3. A proposal waits, bridging is proposed or in force, only in a case that is open (REFERRED, CLARIFYING, SUPPORT).
 *  4. Owed, once each: TAKE_UP exactly while REFERRED and no decline waits; START exactly while CLARIFYING; CLOSING
 *     exactly in SUPPORT; ADVICE exactly while CONSULTING; PROPOSAL_ANSWER and BRIDGING_ANSWER exactly while such
 *     a proposal waits, by the side that did not make it. A case that ended owes INFO_REPLY only [R23].
 */
#ifndef RULES_CASE_H
#define RULES_CASE_H

#include "base/error.h"
#include "base/id.h"
#include "brug/v1/casefile.pb-c.h"
#include "brug/v1/wire.pb-c.h"

#define CASE_MOMENTS_MAX 8u
#define CASE_OWED_MAX 40u
#define CASE_QUESTIONS_MAX 24u /* that wait for an answer in one case; then TOO_MUCH_OWED */
/* A new date, or the end of bridging care, lies at most so far ahead. */
#define CASE_DAYS_AHEAD_MAX 366u

/* Days on which the relay was away (rules/outage.h), both included; Amsterdam. */
struct case_outage {
    uint32_t from, until;
};

/* Working days of the debtor's side, but closing: calendar days. Each a setting. */
struct case_terms {
    unsigned take_up, start, moment, info_reply, answer, serious_answer, advice;
    unsigned closing_days;
    unsigned remind;                    /* before an item is due */
    unsigned overdue;                   /* between overdue notices */
    unsigned not_opened, not_delivered; /* after a letter that causes a debt */
    unsigned bridging_days;             /* calendar days before bridging care ends */
    const struct case_outage *outages;  /* as they were recorded; borrowed */
    size_t outage_count;
};

/* domain.md, "Defaults" */
extern const struct case_terms CASE_TERMS;

struct owed_item {
    struct id id;
    Brug__V1__OwedKind kind;
    Brug__V1__Side debtor;
    struct id cause;   /* message */
    uint32_t due_date; /* days since 1970, Amsterdam; 0: once its event comes */
    uint32_t moment;   /* from 1 */
    bool is_delayed;
    int64_t born_at_ms;
    bool is_opened;                     /* the letter, by somebody of the debtor's side */
    unsigned notices, unopened_notices; /* given so far: rules/case_time.h */
    uint32_t told_date;                 /* of the last of `notices`; 0: none */
};

struct case_proposal {
    Brug__V1__Kind kind; /* KIND_NONE: none waits */
    Brug__V1__Side by;
    struct id person, message_id;
};

struct case_bridging {
    Brug__V1__Side by; /* SIDE_NONE: there is none */
    struct id person, message_id;
    Brug__V1__BridgingCarrier carrier;
    uint32_t until_date; /* the last day */
    bool is_reminded;    /* both sides, of its end */
};

struct case_moment {
    Brug__V1__MomentEvent event;
    uint32_t date, conversations;
};

struct case_file {
    struct id id;
    Brug__V1__CaseState state; /* NONE: there is no such case */
    Brug__V1__Side custody;
    struct id director; /* person */
    Brug__V1__Reason reason;
    Brug__V1__RequestType request_type;
    struct case_moment moments[CASE_MOMENTS_MAX];
    size_t moment_count;
    struct case_proposal proposal;
    bool was_objected; /* to the last proposal */
    struct case_bridging bridging_proposed, bridging;
    struct owed_item owed[CASE_OWED_MAX];
    size_t owed_count;
    Brug__V1__Outcome outcome;
    uint32_t conversations;
    Brug__V1__Involvement involvement;
    struct id closing_id; /* message; none: nobody waits for its opening */
    struct id linked_case;
    int64_t taken_up_at_ms, started_at_ms, ended_at_ms;
    uint32_t outages; /* of the relay's, the first so many: its due dates have taken them in */
};

/* Who moves, and when. */
struct case_actor {
    Brug__V1__Side side;
    Brug__V1__Role role;
    struct id person;
    bool is_director_away; /* the case's director is absent, suspended, or gone */
};

/* A letter, as far as the case is moved by it: from the header that check_header has passed. */
struct case_move {
    const Brug__V1__Header *header;
    struct case_actor actor;
    bool is_new_director_fit; /* HANDOVER: an active consultant of the team */
    uint32_t today;           /* Amsterdam */
    int64_t now_ms;
    unsigned working_days; /* of the team, as on its card; 0: Monday to Friday */
    const struct case_terms *terms;
};

/* An item that is not owed any more. */
struct owed_end {
    struct owed_item item;
    bool has_lapsed; /* it never came, or the case ended; else it was settled */
};

/* What a move ended; what it bore is in the case and not in the one before. */
struct case_ends {
    struct owed_end items[CASE_OWED_MAX];
    size_t count;
};

/*
 * Judges the move on `before` (state NONE: no such case) and fills `after` and `ends`. ERROR_NONE, or why it is
 * refused, in this order: ROLE_NOT_ALLOWED; CASE_EXISTS; NO_SUCH_CASE; CASE_TAKEN; the code of the state (case_state_code); NOT_DIRECTOR;
 * PROPOSAL_WAITS; BRIDGING_IN_FORCE; and what the kind's own rule says (NO_PROPOSAL, NOT_PROPOSER, NO_BRIDGING,
 * NOT_OWED, STILL_OWED, OUTCOME_NOT_ALLOWED, DATE_NOT_ALLOWED, NO_SUCH_DIRECTOR, DELAYED_BEFORE, TOO_MUCH_OWED); `after` and
 * `ends` are then untouched. A case takes in the outages that wait for it first. HISTORY, FAMILY_KEY and NOTICE are not judged here.
 */
enum error case_judge(const struct case_file *before, const struct case_move *move,
                      struct case_file *after, struct case_ends *ends) MUST_CHECK;

/* Whether this actor may send this kind now, as far as the state, the person and what waits decide: what a
 * screen offers as the next step. */
bool case_allows(const struct case_file *c, const struct case_actor *actor, Brug__V1__Kind kind);

/* The code that says in which state a case is, and so what is allowed now. */
enum error case_state_code(Brug__V1__CaseState state);

/*
 * Somebody of a side opened a letter of the other: custody moves if it is the closing letter that it waits for, and what the
 * letter caused to be owed counts as opened. True: it changed.
 */
bool case_opened(struct case_file *c, Brug__V1__Side by, const struct id *message_id);

/* A day begins: bridging care ends after its last day, and both sides owe a decision. True: it changed. */
bool case_day_comes(struct case_file *c, uint32_t today, int64_t now_ms, unsigned working_days,
                    const struct case_terms *terms);

bool case_is_open(const struct case_file *c); /* REFERRED, CLARIFYING, SUPPORT */
/* Whether the team owes something that closing would not settle or let lapse: what it must do first. */
bool case_item_stops_closing(const struct case_file *c, const struct owed_item *item,
                             uint32_t today);
const struct owed_item *case_find_owed(const struct case_file *c, const struct id *owed_id);
bool case_is_sound(const struct case_file *c);
bool case_has_ended(Brug__V1__CaseState state);
/* Whether a director closes a case with it [R42]. */
bool case_outcome_is_directors(Brug__V1__Outcome outcome);

#endif
