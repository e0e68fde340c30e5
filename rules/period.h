/*
 * rules/period.h: the periods that figures are made of [R54]. Pure.
 *
 * A year is cut into periods of each kind; a period never lies in two years, so that those of a year add up to it. Periods of
 * 4 and of 6 weeks are cut on the Sundays that end ISO weeks 4, 8 … 48 and 6, 12 … 48: the first one begins on
 * 1 January, the last one goes on to 31 December.
 */
#ifndef RULES_PERIOD_H
#define RULES_PERIOD_H

#include "brug/v1/casefile.pb-c.h"
#include <stdbool.h>
#include <stdint.h>

struct figure_period {
    Brug__V1__FigurePeriod kind;
    uint32_t from, until; /* the first and the last day: days since 1970, Amsterdam */
};

/* The period of this kind (not NONE) in which the date lies. */
struct figure_period period_of(Brug__V1__FigurePeriod kind, uint32_t date);
/* Whether it is one of these: of a known kind, and cut there. */
bool period_is_one(const struct figure_period *p);
/* The one that ended the day before it begins. */
struct figure_period period_before(const struct figure_period *p);

#endif
