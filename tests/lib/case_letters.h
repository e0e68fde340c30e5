/*
 * tests/lib/case_letters.h: the letters of a kind that can make a difference in a case: right ones, and those that
 * point at what is not there, not theirs, or not now.
 */
#ifndef TESTS_LIB_CASE_LETTERS_H
#define TESTS_LIB_CASE_LETTERS_H

#include "rules/case.h"
#include "tests/lib/sample.h"

#define LETTERS_MAX 2048u

struct letter {
    Brug__V1__Header header;
    bool is_new_director_fit;
    bool is_walked; /* one of the few through which a walk need go on */
};

struct letters {
    struct letter list[LETTERS_MAX];
    size_t count;
    struct id message_id;        /* of all of them: the caller sets it before */
    struct sample_header sample; /* what else they share */
};

/* They borrow the ids of `c`. */
void letters_write(struct letters *l, const struct case_file *c, uint32_t today,
                   Brug__V1__Kind kind);

#endif
