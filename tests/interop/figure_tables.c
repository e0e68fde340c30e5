/*
 * tests/interop/figure_tables.c: the tables that the core publishes of counts that it is given: for test_figures_solver.py.
 *
 * Standard input has a line for each step; a line of JSON answers each `publish`.
 *   area NAME                          a practice in that area is added: the next number, from 0
 *   count PRACTICE DAY EVENT CODE N    so many of enum figure_event; before anything is published
 *   publish PERIOD DATE                the period (FigurePeriod) in which the day lies; no answer: nothing was counted yet when it ended
 */
#include "daemon/core/decide.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define LINE_BYTES 256
#define TODAY 47000u /* all is over */

struct world {
    struct state *s;
    struct id municipality, team;
    unsigned practices;
    uint64_t lsn;
};

static struct id id_of(uint8_t kind, unsigned number)
{
    struct id id = {.bytes = {kind, (uint8_t)(number >> 8), (uint8_t)number, 1}};
    return id;
}

static void load(struct world *w, unsigned type, const ProtobufCMessage *row)
{
    uint8_t bytes[1024];
    size_t len = protobuf_c_message_get_packed_size(row);
    assert(len <= sizeof bytes);
    protobuf_c_message_pack(row, bytes);
    enum error e = apply_record(w->s, ++w->lsn, type, slice_of(bytes, len));
    assert(!e);
    (void)e;
}

static void add_organisation(struct world *w, const struct id *id, bool is_team, char *area)
{
    Brug__V1__OrganisationRow row = BRUG__V1__ORGANISATION_ROW__INIT;
    ProtobufCBinaryData municipality = id_bytes(&w->municipality);
    row.organisation = id_bytes(id);
    row.kind = is_team ? BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM
                       : BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE;
    row.home = municipality;
    row.n_municipalities = 1;
    row.municipalities = &municipality;
    row.name = area;
    row.area = area;
    row.status = BRUG__V1__STATUS__STATUS_ACTIVE;
    load(w, RECORD(ORGANISATION), &row.base);
}

static struct world world_new(void)
{
    static const uint64_t seed[2] = {1, 2};
    struct world w = {.s = state_new(seed), .municipality = id_of(1, 0), .team = id_of(2, 0)};
    Brug__V1__MunicipalityRow row = BRUG__V1__MUNICIPALITY_ROW__INIT;
    char name[] = "Voorbeeldstad";
    assert(w.s);
    enum error e = state_load_done(w.s, 0, 0, &w.municipality);
    assert(!e);
    (void)e;
    row.municipality = id_bytes(&w.municipality);
    row.name = name;
    row.epoch = 1;
    row.status = BRUG__V1__STATUS__STATUS_ACTIVE;
    load(&w, RECORD(MUNICIPALITY), &row.base);
    add_organisation(&w, &w.team, true, name);
    return w;
}

static void print_row(const Brug__V1__FigureRow *row, bool is_first)
{
    printf("%s[%d, %u, \"%s\", %d, %u]", is_first ? "" : ", ", (int)row->measure, row->code,
           row->name, (int)row->form, row->number);
}

static void publish(struct world *w, unsigned kind, uint32_t date, struct arena *arena)
{
    static const struct relay_limits limits;
    const struct policy policy = {.limits = &limits, .has_room = true};
    const struct figures_ask ask = {.municipality =
                                        municipality_find(w->s, id_bytes(&w->municipality)),
                                    .period = period_of((Brug__V1__FigurePeriod)kind, date),
                                    .today = TODAY};
    Brug__V1__Figures *f = NULL;
    struct decision d;
    arena_reset(arena, SIZE_MAX);
    decision_init(&d, arena);
    enum error e = decide_figures_published(w->s, &policy, &ask, &d, &f);
    if (e == ERROR_NOT_BEGUN)
        return;
    assert(!e && f->n_teams == 1);
    printf("{\"from\": %u, \"until\": %u, \"rows\": [", f->from_date, f->until_date);
    for (size_t i = 0; i < f->teams[0]->n_rows; i++)
        print_row(f->teams[0]->rows[i], i == 0);
    printf("]}\n");
    fflush(stdout);
    for (size_t i = 0; i < d.record_count; i++) {
        e = apply(w->s, ++w->lsn, d.records[i].type, d.records[i].record, SLICE_NONE, NULL);
        assert(!e);
    }
    decision_fini(&d);
}

static void count(struct world *w, char *line)
{
    uint64_t n[5];
    for (size_t i = 0; i < 5; i++)
        n[i] = strtoull(line, &line, 10);
    const struct figure_counter c = {.municipality = w->municipality,
                                     .team = w->team,
                                     .practice = id_of(3, (unsigned)n[0]),
                                     .day = n[1],
                                     .event = n[2],
                                     .code = n[3],
                                     .count = n[4]};
    enum error e = state_load_figure(w->s, &c);
    assert(!e);
    (void)e;
}

static void run(struct world *w, char *line, struct arena *arena)
{
    char *rest = strchr(line, ' ');
    line[strcspn(line, "\n")] = '\0';
    assert(rest);
    if (strncmp(line, "area ", 5) == 0) {
        struct id id = id_of(3, w->practices++);
        add_organisation(w, &id, false, rest + 1);
    } else if (strncmp(line, "count ", 6) == 0) {
        count(w, rest);
    } else {
        unsigned kind = (unsigned)strtoul(rest, &rest, 10);
        publish(w, kind, (uint32_t)strtoul(rest, NULL, 10), arena);
    }
}

int main(void)
{
    char line[LINE_BYTES];
    struct world w = world_new();
    struct arena *arena = arena_new();
    assert(arena);
    while (fgets(line, sizeof line, stdin))
        run(&w, line, arena);
    arena_free(arena);
    state_free(w.s);
    return 0;
}
