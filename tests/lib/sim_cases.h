/*
 * tests/lib/sim_cases.h: cases in the simulated world: what its people do with them, and what must become of them.
 *
 * The judge keeps each case a second time. What happens to it, and in which order, it takes from the records that reached
 * the disk: letters accepted and refused, and letters opened. What a letter says it takes from who wrote it; what that does,
 * from the oracles of the rules (case_oracle.h) and of time (time_oracle.h). It never takes it from the relay's row.
 *   I1  a letter, its move of the case, and the notices of a step of time are in one commit
 *   I4  custody, state and director are those that the letters made, in each record, each answer and each page
 *   I5  what is owed is born, settled, reminded of and called overdue as the oracles say: once, not early, not late, to
 *       whom it concerns; each notice says what it is about, and arrives
 *   I6  a foreign case and an unknown one get the same answer
 *   T14 a page has what is owed to its asker at that moment: nothing twice, nothing left out
 *   a clock that leaps makes nothing overdue for a day; days on which the relay was away, by its operator's word, are taken
 *       in by each case once and before all else
 *   R41 which cases are of one family, and who is told (sim_family.c)
 *   T24 figures are those of the letters, as they count and as they are told, and what was published stays (sim_figures.c)
 */
#ifndef TESTS_LIB_SIM_CASES_H
#define TESTS_LIB_SIM_CASES_H

#include "tests/lib/sim.h"
#include "tests/lib/time_oracle.h"

struct sim_version {
    uint64_t lsn; /* as it is from there on */
    struct case_file file;
};

struct sim_dossier {
    struct map_node node;
    struct id id, practice, team, municipality;
    struct sim_version *versions;
    size_t count, capacity;
    uint32_t opened_date; /* it came on this day */
    struct id key;        /* under which it has its tags; ID_NONE: it has none */
    int64_t next_ms;      /* when time does something */
    int64_t due_since_us; /* when that was first seen to have come; below 0: it has not */
};

/* A notice that the relay made. */
struct sim_notice {
    struct map_node node;
    struct id id, to, case_id, cause, owed_id;
    Brug__V1__Kind kind;
    Brug__V1__OwedKind owed_kind;
    Brug__V1__Side debtor;
    uint32_t until_date;
};

/* What counts once for figures. */
struct sim_counted {
    struct sim_event_counted {
        struct id municipality, team, practice;
        uint32_t day, event, code; /* enum figure_event */
    } of;
    uint64_t lsn; /* of the move */
};

/* That was published. */
struct sim_table {
    struct id municipality, team;
    uint32_t from, until;
    uint64_t lsn;
    int64_t at_ms;
    struct buf rows;
};

/* Two cases are of one family, from there on; until one of them ends. */
struct sim_family_link {
    const struct sim_dossier *a, *b;
    uint64_t lsn;
    bool is_same_child;
};

/* A case moves: what it counts for. */
struct sim_move {
    struct sim_dossier *dossier;
    const struct case_file *before, *after;
    const struct case_ends *ends;
    int64_t at_ms;
    uint64_t lsn;
};

struct sim_cases {
    struct map dossiers, notices;
    struct sim_dossier **list; /* as they were opened */
    size_t count, capacity;
    struct sim_notice **notice_list;
    size_t notice_count, notice_capacity;
    /* What the rest of a commit must bring. */
    struct sim_dossier *moving; /* its move, as `wanted` */
    struct case_file wanted;
    struct case_ends ends;
    struct sim_notice told[2];
    size_t told_count;
    unsigned last_type; /* of the record before */
    /* The clock leapt: nothing that is judged after this lsn may be a step of time before. */
    uint64_t doubt_lsn;
    int64_t doubt_until_ms; /* monotonic; 0: it is believed */
    int64_t lags_since_us;  /* the relay's fold is behind; below 0: it is not */
    struct sim_event night;
    struct case_terms terms; /* the profile's, with these */
    struct case_outage outages[OUTAGES_MAX];
    size_t outage_count;
    struct sim_counted *counted; /* ascending by lsn */
    struct sim_table *tables;
    size_t counted_count, counted_capacity, table_count, table_capacity;
    struct id keys[6];             /* in force, of each organisation */
    struct sim_family_link *links; /* ascending by lsn */
    size_t link_count, link_capacity;
    uint64_t tagged, links_told;
    uint64_t figures, tables_told, figures_told; /* how often they were compared */
    uint64_t letters, refused, moves, steps, pages, told_cases, ends_in_steps;
    uint64_t notices_by_kind[5]; /* from REMINDER on */
};

struct sim_profile sim_case_profile_of(uint64_t seed);
/* In sim_world.c's places; `w->cases` is NULL in a world without. */
void sim_cases_init(struct sim *w);
void sim_cases_free(struct sim *w);
void sim_cases_begin(struct sim *w); /* people come to work */
void sim_cases_second(
    struct sim *w); /* each second; it may end the relay while notices are under way */

struct sim_dossier *sim_dossier_find(const struct sim *w, const struct id *id);
/* NULL: it did not exist. */
const struct case_file *sim_dossier_at(const struct sim_dossier *d, uint64_t lsn);
const struct case_file *sim_dossier_now(const struct sim_dossier *d);

/* ---- people (sim_people.c) ---- */

/* Fills kind, case, addressee and codes of a new letter; mostly one that fits, sometimes any. */
void sim_people_address(struct sim *w, const struct sim_client *c, struct stage_letter *l);
/* Asks for a case, a page, or a foreign case; says when it is away, or on which days its team works. */
void sim_people_ask(struct sim *w, struct sim_client *c);
void sim_people_on_page(struct sim *w, struct sim_client *c, const struct sim_question *q,
                        const Brug__V1__Cases *page);

/* ---- the judge (sim_cases.c) ---- */

/* After the record was applied to the truth. */
void judge_case_record(struct sim *w, uint64_t lsn, unsigned type, struct slice payload);
void judge_case_group_end(struct sim *w);
void judge_case_told(struct sim *w, const struct sim_question *q, const Brug__V1__Case *c);
void judge_case_page(struct sim *w, const struct sim_question *q, const Brug__V1__Cases *page);
void judge_case_refusal(struct sim *w, const struct sim_question *q, enum error code);
/* Of a state up to whose lsn all is on disk. */
void judge_figures(struct sim *w, const struct state *s, const char *when);
void judge_figures_told(struct sim *w, const struct sim_question *q, const Brug__V1__Figures *f);
void judge_published(struct sim *w, const Brug__V1__FiguresPublished *r, uint64_t lsn);
void count_move(struct sim_cases *k, const struct sim_move *m);
void sim_figures_free(struct sim_cases *k);

/* ---- families (sim_family.c) ---- */

/* The bytes of the case's tags; 0: it has none of a house. */
uint8_t sim_child_of(const struct id *case_id);
uint8_t sim_house_of(const struct id *case_id);
struct id sim_key_of(struct sim *w, const struct id *team);
void judge_family_key(struct sim *w, const struct sim_letter *l);
void judge_tags(struct sim *w, const Brug__V1__CaseTags *r, uint64_t lsn);
void judge_links_told(struct sim *w, const struct sim_question *q, const struct sim_dossier *d,
                      const Brug__V1__Case *c);
void judge_link_fact(struct sim *w, const Brug__V1__Header *h);
void sim_family_free(struct sim_cases *k);
void judge_notice(struct sim *w, const struct id *id, const Brug__V1__Header *h);
bool judge_cases_are_told(const struct sim *w); /* nothing that is due is open */
void judge_cases_end(struct sim *w);
/* Before and after the wall clock is set by so much. */
void judge_cases_leap(struct sim *w, int64_t ms);
/* The relay's process ends, with this group under way (NULL: none). */
void judge_cases_relay_end(struct sim *w, const struct group *g);

#endif
