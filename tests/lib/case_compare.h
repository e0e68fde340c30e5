/* tests/lib/case_compare.h: whether a case is as it should be, part by part. */
#ifndef TESTS_LIB_CASE_COMPARE_H
#define TESTS_LIB_CASE_COMPARE_H

#include "rules/case.h"

/* NULL, or what in `got` is not as wanted. The order in which items stand does not matter; one that is wanted without
 * an id was born: it must have got a derived one. */
const char *case_compare(const struct case_file *wanted, const struct case_file *got);
const char *case_compare_ends(const struct case_ends *wanted, const struct case_ends *got);

#endif
