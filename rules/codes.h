/* rules/codes.h: the closed lists with their Dutch and English texts: one table for relay and client. Pure. */
#ifndef RULES_CODES_H
#define RULES_CODES_H

#include "brug/v1/casefile.pb-c.h"
#include <stdbool.h>
#include <stddef.h>

enum code_list {
    CODE_LIST_KIND,
    CODE_LIST_REASON,
    CODE_LIST_REQUEST_TYPE,
    CODE_LIST_MOMENT_EVENT,
    CODE_LIST_DECLINE_REASON,
    CODE_LIST_STOP_REASON,
    CODE_LIST_INVOLVEMENT,
    CODE_LIST_OUTCOME,
    CODE_LIST_DECISION,
    CODE_LIST_BRIDGING_CARRIER,
    CODE_LIST_CASE_STATE,
    CODE_LIST_SIDE,
    CODE_LIST_OWED_KIND,
    CODE_LIST_FIGURE_PERIOD,
    CODE_LIST_FIGURE_MEASURE,
    CODE_LIST_FIGURE_FORM,
};

enum language { LANGUAGE_DUTCH, LANGUAGE_ENGLISH };

struct code_row {
    enum code_list list;
    int number;        /* the wire's */
    const char *word;  /* what a user types and --json prints: "parenting", lower case with '-' */
    const char *dutch; /* texts.md */
    const char *english;
};

/* NULL when unknown */
const struct code_row *codes_find(enum code_list list, int number);
/* NULL when unknown */
const struct code_row *codes_find_word(enum code_list list, const char *word);
const char *codes_text(enum code_list list, int number, enum language language); /* never NULL */
/* The rows of one list in order; for --help and for choosing. */
const struct code_row *codes_rows(enum code_list list, size_t *n);

#endif
