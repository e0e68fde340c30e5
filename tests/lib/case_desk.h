/*
 * tests/lib/case_desk.h: a case on a desk: the people around it, and letters that move it, each with what its kind
 * needs and pointing at what it answers.
 */
#ifndef TESTS_LIB_CASE_DESK_H
#define TESTS_LIB_CASE_DESK_H

#include "rules/case.h"
#include "tests/lib/sample.h"

/* Anna and Bas are consultants of the team, Lea leads it; Fenna and Gijs are GPs of the practice, Loes and Leo its
 * locums. Each is the case_actor of that name. */
extern const struct case_actor ANNA, BAS, LEA, FENNA, GIJS, LOES, LEO;

struct desk {
    struct case_file c;
    struct case_ends ends;   /* of the last move */
    struct case_terms terms; /* CASE_TERMS; a test may change them */
    uint32_t today;
    int64_t now_ms;
    unsigned working_days;
    bool is_new_director_fit;
    uint32_t letters;
    struct sample_header letter; /* the last one written */
    struct id message_id;        /* its */
};

void desk_init(struct desk *d, uint32_t today);
/* A new letter: a referral names no moments; an answer accepts what waits, a reply answers the oldest question, an
 * end of bridging comes in 30 days, the new director is Bas. */
Brug__V1__Header *desk_write(struct desk *d, Brug__V1__Kind kind);
void desk_name_moment(struct desk *d, Brug__V1__MomentEvent event, uint32_t date);
/* Judges the letter; accepted, the case is what it made of it. */
enum error desk_send(struct desk *d, const struct case_actor *actor) MUST_CHECK;
/* Writes and sends; a refusal fails the test. */
void desk_do(struct desk *d, const struct case_actor *actor, Brug__V1__Kind kind);
/* Writes and sends what must be refused with `code`, and change nothing. */
void desk_refuse(struct desk *d, const struct case_actor *actor, Brug__V1__Kind kind,
                 enum error code);
/* The day comes. */
void desk_wait_until(struct desk *d, uint32_t date);

/* The only item of this kind (and debtor); fails the test if there is none or another. */
const struct owed_item *desk_owed(const struct desk *d, Brug__V1__OwedKind kind);
const struct owed_item *desk_owed_by(const struct desk *d, Brug__V1__OwedKind kind,
                                     Brug__V1__Side debtor);
unsigned desk_count(const struct desk *d, Brug__V1__OwedKind kind);

/* ---- ways into a state, from DESK_MONDAY on: Fenna refers, Anna is the director ---- */

#define DESK_MONDAY 20514u /* 2026-03-02 */

void desk_refer(struct desk *d);
void desk_refer_with_moment(struct desk *d, Brug__V1__MomentEvent event, uint32_t date);
void desk_clarify(struct desk *d);
void desk_support(struct desk *d);
void desk_close(struct desk *d);

/* Each state but NONE; the open ones first. */
#define DESK_WAY_COUNT 9u
extern const struct desk_way {
    void (*go)(struct desk *d);
    Brug__V1__CaseState state;
} DESK_WAYS[DESK_WAY_COUNT];

/* Anna proposes and Fenna accepts. */
void desk_bridge(struct desk *d);
/* The answer of `kind` is an objection. */
void desk_object(struct desk *d, const struct case_actor *actor, Brug__V1__Kind kind);
enum error desk_close_as(struct desk *d, const struct case_actor *actor, Brug__V1__Outcome outcome)
    MUST_CHECK;

/* Points `header` at what its kind answers in `c`, as far as there is such a thing. */
void desk_point(Brug__V1__Header *header, const struct case_file *c);

#endif
