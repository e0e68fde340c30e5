/*
 * tests/lib/sim_figures.c: the judge of figures: what the relay counted, in memory and after a start, against what the letters on disk
 * did to each case by the oracles (sim_cases.h), each on its day in Amsterdam by the oracle's clock. It knows the names of
 * what is counted, and none of the code that counts it.
 *
 * Both sides are sums of one number for each event, so that order does not matter. Feedback is not among them: what became of an item
 * is not in a version of a case.
 */
#include "tests/lib/case_oracle.h"
#include "tests/lib/sim_cases.h"
#include <string.h>

#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name

struct counted {
    struct id municipality, team, practice;
    uint32_t day, event, code;
};

static uint64_t number_of(const struct counted *c)
{
    struct digest d = digest_of_slice((struct slice){(const uint8_t *)c, sizeof *c});
    uint64_t n;
    memcpy(&n, d.bytes, sizeof n);
    return n;
}

/* ---- what the letters did ---- */

static uint32_t working_days(uint32_t from, uint32_t until)
{
    uint32_t n = 0;
    for (uint32_t day = from + 1; day <= until; day++)
        n += oracle_is_working_day(day, 0);
    return n;
}

/* When it was referred, or asked: what that caused to be owed was born then. */
static int64_t opened_at(const struct sim_dossier *d)
{
    const struct case_file *first = &d->versions[0].file;
    for (size_t i = 0; i < first->owed_count; i++)
        if (first->owed[i].kind == OWED(TAKE_UP) || first->owed[i].kind == OWED(ADVICE))
            return first->owed[i].born_at_ms;
    return 0;
}

static uint64_t event_of(const struct sim_dossier *d, int64_t at_ms, enum figure_event event,
                         uint32_t code)
{
    struct counted c;
    if (at_ms == 0)
        return 0;
    memset(&c, 0, sizeof c);
    c = (struct counted){.municipality = d->municipality,
                         .team = d->team,
                         .practice = d->practice,
                         .day = oracle_today(at_ms),
                         .event = event,
                         .code = code};
    return number_of(&c);
}

static uint64_t days_of(const struct sim_dossier *d, int64_t at_ms, enum figure_event event)
{
    if (at_ms == 0)
        return 0;
    return event_of(d, at_ms, event, working_days(oracle_today(opened_at(d)), oracle_today(at_ms)));
}

static uint64_t expect_case(const struct sim_dossier *d, const struct case_file *now)
{
    if (now->state == STATE(CONSULTING) || now->state == STATE(ADVISED))
        return event_of(d, opened_at(d), FIGURE_CONSULTED, 0) +
               event_of(d, now->ended_at_ms, FIGURE_ADVISED, 0);
    return event_of(d, opened_at(d), FIGURE_REFERRED, now->reason) +
           days_of(d, now->taken_up_at_ms, FIGURE_TAKEN_UP) +
           days_of(d, now->started_at_ms, FIGURE_STARTED) +
           event_of(d, now->ended_at_ms, FIGURE_ENDED, now->outcome) +
           days_of(d, now->ended_at_ms, FIGURE_ENDED_DAYS);
}

/* ---- what is counted ---- */

static uint64_t sum_of_line(const struct figure_book *b, const struct figure_line *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct figure_entry *entry = &l->entries[i];
        struct counted c;
        if (entry->event == FIGURE_ON_TIME || entry->event == FIGURE_LATE)
            continue;
        memset(&c, 0, sizeof c);
        c = (struct counted){.municipality = b->key[0],
                             .team = b->key[1],
                             .practice = l->practice->entity.id,
                             .day = entry->day,
                             .event = entry->event,
                             .code = entry->code};
        sum += entry->count * number_of(&c);
    }
    return sum;
}

void judge_figures(struct sim *w, const struct state *s, const char *when)
{
    uint64_t expected = 0, found = 0;
    for (size_t i = 0; i < w->cases->count; i++) {
        const struct sim_dossier *d = w->cases->list[i];
        const struct case_file *now = sim_dossier_at(d, s->lsn);
        if (now)
            expected += expect_case(d, now);
    }
    for (struct map_node *n = map_next(&s->figures, NULL); n; n = map_next(&s->figures, n)) {
        const struct figure_book *b = container_of(n, struct figure_book, node);
        for (size_t i = 0; i < b->line_count; i++)
            found += sum_of_line(b, &b->lines[i]);
    }
    if (found != expected)
        sim_flag(w, "T24: %s the figures are not those of the letters", when);
    w->cases->figures++;
}
