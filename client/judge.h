/*
 * client/judge.h: a case as it will be once our letters have reached the relay, and what may be sent in it now: the rules of
 * the relay (rules/case), before anything is sealed.
 *
 * It rests on what the relay last told of the case and on our letters that are still under way. A case that the relay never
 * told of is not judged here; the relay will.
 */
#ifndef CLIENT_JUDGE_H
#define CLIENT_JUDGE_H

#include "client/casefile.h"

struct judge_case {
    bool is_known;
    struct case_file c;
    struct casefile told; /* arena NULL: the relay never told of it, and all of it is under way */
    Brug__V1__Side side;  /* ours */
    struct id team;       /* SIDE_NONE and ID_NONE while the case is not known */
    uint32_t today;
    int64_t now_ms;
};

/* judge_free. What is not known is not an error. */
enum error judge_load(struct brug *b, const struct id *case_id, struct judge_case *out) MUST_CHECK;
void judge_free(struct judge_case *j);

/* The role in which a person of the own organisation acts; ROLE_NONE when it is not known here. */
enum error judge_role(struct brug *b, const struct id *person, Brug__V1__Role *out) MUST_CHECK;
/* This person's part in the case. */
enum error judge_actor(struct brug *b, const struct judge_case *j, const struct id *person,
                       struct case_actor *out) MUST_CHECK;

/* Whether the actor may send a letter of this kind now, and there is something for it to answer or to end. */
bool judge_may(const struct judge_case *j, const struct case_actor *actor, Brug__V1__Kind kind);

/* ERROR_NONE, or what the relay would refuse this letter with; a case that is not known passes. */
enum error judge_header(struct brug *b, const struct judge_case *j, const Brug__V1__Header *h)
    MUST_CHECK;

/*
 * The message that a letter of this kind answers: the proposal that waits, the oldest question. ID_NONE for other kinds.
 * ERROR_NO_PROPOSAL, ERROR_NOT_OWED: there is none.
 */
enum error judge_find_answered(struct brug *b, const struct judge_case *j, const struct id *case_id,
                               Brug__V1__Kind kind, struct id *out) MUST_CHECK;

#endif
