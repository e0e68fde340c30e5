/*
 * tests/unit/test_case_table.c: the whole table of a case, kind x state x role, against the oracle.
 *
 * A walk, breadth first, from "no such case" through all letters, openings and days: every situation that it reaches
 * (cases that differ only in ids, times and dates of the same standing are one) is judged with every kind, every
 * actor and every variant of what a letter can point at. Bounded to two moments and two open questions; a situation
 * with something delayed is judged, but not walked on from.
 */
#include "tests/lib/case_compare.h"
#include "tests/lib/case_desk.h"
#include "tests/lib/case_letters.h"
#include "tests/lib/case_oracle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define SIDE(name) BRUG__V1__SIDE__SIDE_##name
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define SITUATIONS_MAX 65536u /* a power of two */
#define QUESTIONS 2u
#define DIFFERENCES_TOLD 60u
#define FIRST_DAY oracle_date(2026, 3, 31)
#define PATTERN 0xa5

/* No two alike, so that no term can stand for another. */
static const struct case_terms TERMS = {.take_up = 5,
                                        .start = 10,
                                        .moment = 4,
                                        .info_reply = 3,
                                        .answer = 6,
                                        .serious_answer = 1,
                                        .advice = 7,
                                        .closing_days = 91,
                                        .remind = 1,
                                        .overdue = 5,
                                        .not_opened = 2,
                                        .not_delivered = 5,
                                        .bridging_days = 5};

/* ---- situations ---- */

/* What tells one situation from another. */
struct key {
    uint8_t state, custody, director;
    uint8_t proposal, proposal_by, objected;
    uint8_t bridging_proposed_by, bridging_passed, bridged, waits_for_opening;
    uint8_t events[2];
    uint8_t debts[16]; /* sorted */
};

struct situation {
    struct case_file c;
    struct key key;
    uint32_t today;
    int64_t now_ms;
    unsigned working_days;
    size_t from; /* the situation before, and the kind that led here (0: time, or an opening) */
    Brug__V1__Kind kind;
};

/* What is compared: letters, what a screen offers, days and openings. */
enum part { LETTERS, OFFERS, EVENTS, PARTS };

/* What two differences of one sort have in common. */
struct difference {
    enum part part;
    const char *what;
    enum error wanted, got;
    Brug__V1__Kind kind;
    Brug__V1__CaseState state;
    Brug__V1__Role role;
};

struct walk {
    struct situation *all;
    size_t count;
    uint32_t *slots; /* 1 + index, by the key's hash */
    unsigned long comparisons[PARTS], differences[PARTS];
    uint32_t letters; /* written */
    struct difference sorts[DIFFERENCES_TOLD];
    size_t sort_count;
};

static int compare_bytes(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* Its kind or moment, its debtor, and how it stands with its date. */
static uint8_t key_of_debt(const struct owed_item *item, uint32_t today)
{
    bool is_moment = item->kind == OWED(MOMENT);
    unsigned what = is_moment ? 10 + item->moment : (unsigned)item->kind;
    unsigned date = item->due_date == 0 ? 0 : item->due_date > today || !is_moment ? 1 : 2;
    unsigned standing = item->is_delayed ? 3 : date;
    return (uint8_t)(what << 3 | (item->debtor == SIDE(TEAM)) << 2 | standing);
}

static struct key key_of(const struct case_file *c, uint32_t today)
{
    struct key k;
    memset(&k, 0, sizeof k);
    k.state = (uint8_t)c->state;
    k.custody = (uint8_t)c->custody;
    k.director = c->director.bytes[3];
    k.proposal = (uint8_t)c->proposal.kind;
    k.proposal_by = c->proposal.person.bytes[3];
    k.objected = c->was_objected;
    k.bridging_proposed_by = (uint8_t)c->bridging_proposed.by;
    k.bridging_passed = c->bridging_proposed.by != 0 && c->bridging_proposed.until_date < today;
    k.bridged = c->bridging.by != 0;
    k.waits_for_opening = !id_is_none(&c->closing_id);
    for (size_t i = 0; i < c->moment_count && i < COUNT(k.events); i++)
        k.events[i] = (uint8_t)c->moments[i].event;
    for (size_t i = 0; i < c->owed_count && i < COUNT(k.debts); i++)
        k.debts[i] = key_of_debt(&c->owed[i], today);
    qsort(k.debts, COUNT(k.debts), 1, compare_bytes);
    return k;
}

static uint32_t hash_of(const struct key *k)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof *k; i++)
        h = (h ^ ((const uint8_t *)k)[i]) * 16777619u;
    return h;
}

/* Teams with days of their own, and such as the card's field may hold. */
static unsigned working_days_of(size_t number)
{
    static const unsigned WORKING_DAYS[] = {0, 0x0b, 0x1f, 0x54, 0x80};
    return WORKING_DAYS[number % COUNT(WORKING_DAYS)];
}

static void add(struct walk *w, const struct situation *s)
{
    struct key key = key_of(&s->c, s->today);
    uint32_t slot = hash_of(&key) % SITUATIONS_MAX;
    while (w->slots[slot] != 0) {
        if (memcmp(&w->all[w->slots[slot] - 1].key, &key, sizeof key) == 0)
            return;
        slot = (slot + 1) % SITUATIONS_MAX;
    }
    if (w->count == SITUATIONS_MAX / 2)
        fail_msg("more situations than the walk has room for");
    w->all[w->count] = *s;
    w->all[w->count].key = key;
    w->all[w->count].working_days = working_days_of(w->count);
    w->slots[slot] = (uint32_t)++w->count;
}

/* ---- actors ---- */

/* Kinds are bits. */
struct walker {
    struct case_actor actor;
    uint32_t kinds; /* whose letters of this actor are judged */
    uint32_t walks; /* and through which the walk goes on */
};

#define ONLY(name) (1u << KIND(name))
#define ALL_KINDS UINT32_MAX
/* Where a director counts: those for which it is told apart whether the director is away. */
#define DIRECTED \
    (ONLY(HANDOVER) | ONLY(CLAIM) | ONLY(START) | ONLY(DELAY) | ONLY(CLOSING) | ONLY(BRIDGING_END))

static struct walker WALKERS[18];
static size_t walker_count;

static void add_walker(struct case_actor actor, uint32_t kinds, uint32_t walks)
{
    actor.is_director_away = kinds == DIRECTED;
    WALKERS[walker_count++] = (struct walker){actor, kinds, walks};
}

/* Somebody of a role, on a side. */
static void add_stranger(Brug__V1__Side side, Brug__V1__Role role)
{
    add_walker((struct case_actor){side, role, sample_id(4, 0x990), false}, ALL_KINDS, 0);
}

/* Each side's people, Anna also as if she had become a leader; then those who may never; then roles on the wrong side.
 * Proposals of the practice come from a locum, so that a GP beside the proposer is met. */
static void set_walkers(void)
{
    walker_count = 0;
    add_walker(ANNA, ALL_KINDS, ALL_KINDS);
    add_walker(BAS, ALL_KINDS, ONLY(START) | ONLY(INTERIM) | ONLY(CLOSING));
    add_walker(BAS, DIRECTED, ONLY(HANDOVER));
    add_walker(ANNA, DIRECTED, 0);
    add_walker(LEA, ALL_KINDS, ALL_KINDS);
    add_walker(FENNA, ALL_KINDS, ALL_KINDS & ~ONLY(STOP_PROPOSAL));
    add_walker(GIJS, ALL_KINDS, 0);
    add_walker(LOES, ALL_KINDS, ONLY(STOP_PROPOSAL));
    add_walker(LEO, ALL_KINDS, 0);
    add_walker((struct case_actor){SIDE(TEAM), ROLE(LEADER), ANNA.person, false}, ONLY(CLOSING), 0);
    add_stranger(SIDE(PRACTICE), ROLE(ASSISTANT));
    add_stranger(SIDE(PRACTICE), ROLE(SYSTEM));
    add_stranger(SIDE(TEAM), ROLE(OBSERVER));
    add_stranger(SIDE(TEAM), ROLE(NONE));
    add_stranger(SIDE(TEAM), ROLE(GP));
    add_stranger(SIDE(PRACTICE), ROLE(CONSULTANT));
    add_stranger(SIDE(PRACTICE), ROLE(LEADER));
}

/* No kind above these is anybody's to send: all are told so. */
static bool is_kind_in(uint32_t kinds, Brug__V1__Kind kind)
{
    return kind < 32 ? kinds >> kind & 1 : kinds == ALL_KINDS;
}

/* ---- comparing ---- */

#define NAME_OF(list, number) \
    name_of(&brug__v1__##list##__descriptor, (int)(number), strlen(#list) + 1)

/* "CLAIM" of "KIND_CLAIM" */
static const char *name_of(const ProtobufCEnumDescriptor *list, int number, size_t prefix)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(list, number);
    return value ? value->name + prefix : "unknown";
}

static void tell_way(const struct walk *w, size_t index)
{
    if (index == 0)
        return;
    tell_way(w, w->all[index].from);
    printf(" %s", NAME_OF(kind, w->all[index].kind));
}

/* The first of each sort in full; the test fails at its end, so that one run shows them all. */
static bool is_new_sort(struct walk *w, const struct difference *d)
{
    for (size_t i = 0; i < w->sort_count; i++)
        if (memcmp(&w->sorts[i], d, sizeof *d) == 0)
            return false;
    if (w->sort_count == DIFFERENCES_TOLD)
        return false;
    w->sorts[w->sort_count++] = *d;
    return true;
}

/* `what` is in the way; NULL: they agree. */
static void count(struct walk *w, enum part part, size_t index, const struct case_move *move,
                  const char *what, enum error wanted, enum error got)
{
    const struct situation *s = &w->all[index];
    struct difference d;
    w->comparisons[part]++;
    if (!what)
        return;
    w->differences[part]++;
    memset(&d, 0, sizeof d);
    d.part = part;
    d.what = what;
    d.wanted = wanted;
    d.got = got;
    d.kind = move->header->kind;
    d.state = s->c.state;
    d.role = move->actor.role;
    if (!is_new_sort(w, &d))
        return;
    printf("# %s by %s in %s: %s", NAME_OF(kind, d.kind), NAME_OF(role, d.role),
           NAME_OF(case_state, d.state), what);
    if (part == LETTERS)
        printf(" (wanted %s, got %s; outcome %d, decision %d)", error_name(wanted), error_name(got),
               (int)move->header->outcome, (int)move->header->decision);
    printf("; after");
    tell_way(w, index);
    printf("\n");
}

struct answer {
    struct case_file after;
    struct case_ends ends;
};

static struct answer untouched, got, wanted;

static const char *compare(const struct case_move *move, enum error want, enum error is)
{
    if (want != is)
        return "code";
    if (is != ERROR_NONE)
        return memcmp(&got, &untouched, sizeof got) == 0 ? NULL : "touched though refused";
    if (!case_is_sound(&got.after))
        return "not sound";
    const char *what = case_compare(&wanted.after, &got.after);
    return what ? what : case_compare_ends(&wanted.ends, &got.ends);
}

/* True if it was allowed, and as the oracle wants it. */
static bool judge_both(struct walk *w, size_t index, const struct case_move *move,
                       enum error *refusal)
{
    memcpy(&got, &untouched, sizeof got);
    enum error want = oracle_judge(&w->all[index].c, move, &wanted.after, &wanted.ends);
    enum error is = case_judge(&w->all[index].c, move, &got.after, &got.ends);
    const char *what = compare(move, want, is);
    count(w, LETTERS, index, move, what, want, is);
    *refusal = want;
    return !what && want == ERROR_NONE;
}

/* Whether a refusal comes from the state, the person or what waits, and not from what the letter says. */
static bool is_of_situation(enum error e)
{
    return e == ERROR_ROLE_NOT_ALLOWED || (e >= ERROR_CASE_REFERRED && e <= ERROR_PROPOSAL_WAITS) ||
           e == ERROR_BRIDGING_IN_FORCE || e == ERROR_NO_SUCH_CASE || e == ERROR_CASE_EXISTS ||
           e == ERROR_NO_PROPOSAL || e == ERROR_NO_BRIDGING;
}

static struct case_move move_of(const struct situation *s, const struct case_actor *actor,
                                const struct letter *letter)
{
    return (struct case_move){
        .header = &letter->header,
        .actor = *actor,
        .is_new_director_fit = letter->is_new_director_fit,
        .today = s->today,
        .now_ms = s->now_ms,
        .working_days = s->working_days,
        .terms = &TERMS,
    };
}

static void walk_on(struct walk *w, size_t index, Brug__V1__Kind kind)
{
    struct situation next = w->all[index];
    next.c = got.after;
    next.now_ms++;
    next.from = index;
    next.kind = kind;
    add(w, &next);
}

static bool has_delayed(const struct case_file *c)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].is_delayed)
            return true;
    return false;
}

static unsigned count_questions(const struct case_file *c)
{
    unsigned n = 0;
    for (size_t i = 0; i < c->owed_count; i++)
        n += c->owed[i].kind == OWED(INFO_REPLY);
    return n;
}

/* A screen offers a kind if some letter of it may do something, and not if all are refused for what the screen
 * knows. */
static void compare_offer(struct walk *w, size_t index, const struct case_move *move,
                          bool is_allowed, bool is_impossible)
{
    bool is_offered = case_allows(&w->all[index].c, &move->actor, move->header->kind);
    const char *what = NULL;
    if (is_allowed && !is_offered)
        what = "case_allows says no";
    else if (is_impossible && is_offered)
        what = "case_allows says yes";
    count(w, OFFERS, index, move, what, ERROR_NONE, ERROR_NONE);
}

static bool is_bounded(const struct case_file *before, const struct case_file *after)
{
    return !has_delayed(before) && count_questions(after) <= QUESTIONS;
}

static void judge_letters(struct walk *w, size_t index, const struct walker *walker,
                          const struct letters *l)
{
    bool is_allowed = false, is_impossible = true;
    Brug__V1__Kind kind = l->sample.header.kind;
    struct case_move move;
    for (size_t i = 0; i < l->count; i++) {
        enum error refusal;
        move = move_of(&w->all[index], &walker->actor, &l->list[i]);
        bool is_as_wanted = judge_both(w, index, &move, &refusal);
        is_allowed |= refusal == ERROR_NONE;
        is_impossible &= is_of_situation(refusal);
        if (is_as_wanted && l->list[i].is_walked && is_kind_in(walker->walks, kind) &&
            is_bounded(&w->all[index].c, &got.after))
            walk_on(w, index, kind);
        if (refusal == ERROR_ROLE_NOT_ALLOWED)
            break; /* whatever the letter says */
    }
    compare_offer(w, index, &move, is_allowed, is_impossible);
}

static void judge_kind(struct walk *w, size_t index, Brug__V1__Kind kind)
{
    static struct letters l;
    l.message_id = sample_id(7, ++w->letters);
    letters_write(&l, &w->all[index].c, w->all[index].today, kind);
    for (size_t i = 0; i < walker_count; i++)
        if (is_kind_in(WALKERS[i].kinds, kind))
            judge_letters(w, index, &WALKERS[i], &l);
}

/* ---- time and openings ---- */

static const struct letter NO_LETTER = {.header = {.kind = KIND(NONE)}};

static bool is_no_case_or_sound(const struct case_file *c)
{
    return c->state == STATE(NONE) || case_is_sound(c);
}

static void compare_event(struct walk *w, size_t index, const char *event, bool is_as_wanted)
{
    struct case_move move = move_of(&w->all[index], &ANNA, &NO_LETTER);
    const char *what = is_as_wanted ? case_compare(&wanted.after, &got.after) : event;
    if (!what && !is_no_case_or_sound(&got.after))
        what = "not sound";
    count(w, EVENTS, index, &move, what, ERROR_NONE, ERROR_NONE);
}

static void let_days_pass(struct walk *w, size_t index, uint32_t days)
{
    struct situation next = w->all[index];
    next.today += days;
    next.now_ms += (int64_t)days * 86400000;
    got.after = wanted.after = next.c;
    bool is = case_day_comes(&got.after, next.today, next.now_ms, next.working_days, &TERMS);
    bool want = oracle_day_comes(&wanted.after, next.today, next.now_ms, next.working_days, &TERMS);
    compare_event(w, index, "day comes", is == want);
    next.c = got.after;
    next.from = index;
    next.kind = KIND(NONE);
    bool again = case_day_comes(&got.after, next.today, next.now_ms, next.working_days, &TERMS);
    compare_event(w, index, "day comes again", !again);
    if (!has_delayed(&next.c))
        add(w, &next);
}

static void open_letter(struct walk *w, size_t index, const struct id *message_id)
{
    struct situation next = w->all[index];
    for (Brug__V1__Side by = BRUG__V1__SIDE__SIDE_TEAM; by != BRUG__V1__SIDE__SIDE_NONE; by--) {
        got.after = wanted.after = next.c;
        bool is = case_opened(&got.after, by, message_id);
        bool want = oracle_opened(&wanted.after, by, message_id);
        compare_event(w, index, "opened", is == want);
    }
    next.c = got.after;
    next.from = index;
    next.kind = KIND(NONE);
    add(w, &next);
}

static void compare_stops(struct walk *w, size_t index)
{
    const struct situation *s = &w->all[index];
    got.after = wanted.after = s->c;
    for (size_t i = 0; i < s->c.owed_count; i++)
        compare_event(w, index, "stops closing",
                      case_item_stops_closing(&s->c, &s->c.owed[i], s->today) ==
                          oracle_stops_closing(&s->c, &s->c.owed[i], s->today));
}

/* ---- the walk ---- */

static void judge_situation(struct walk *w, size_t index)
{
    /* that move no case, or are nobody's */
    static const int OTHERS[] = {0, KIND(HISTORY), KIND(REMINDER), KIND(FACT), 99};
    for (int kind = KIND(REFERRAL); kind <= KIND(NOTE); kind++)
        judge_kind(w, index, (Brug__V1__Kind)kind);
    for (size_t i = 0; i < COUNT(OTHERS); i++)
        judge_kind(w, index, (Brug__V1__Kind)OTHERS[i]);
    const struct id closing_id = w->all[index].c.closing_id;
    const struct id other_id = sample_id(7, 1);
    open_letter(w, index, &other_id);
    open_letter(w, index, &ID_NONE);
    open_letter(w, index, &closing_id);
    let_days_pass(w, index, 1);
    let_days_pass(w, index, 30); /* the last day of what was agreed today */
    let_days_pass(w, index, 31);
    compare_stops(w, index);
}

static struct walk walk;

static int walk_all(void **state)
{
    struct situation none;
    memset(&none, 0, sizeof none);
    memset(&untouched, PATTERN, sizeof untouched);
    none.today = FIRST_DAY;
    none.now_ms = (int64_t)none.today * 86400000;
    walk.all = calloc(SITUATIONS_MAX / 2, sizeof *walk.all);
    walk.slots = calloc(SITUATIONS_MAX, sizeof *walk.slots);
    assert_non_null(walk.all);
    assert_non_null(walk.slots);
    set_walkers();
    add(&walk, &none);
    for (size_t i = 0; i < walk.count; i++)
        judge_situation(&walk, i);
    printf("# %zu situations; %lu letters, %lu offers and %lu events compared with the oracle\n",
           walk.count, walk.comparisons[LETTERS], walk.comparisons[OFFERS],
           walk.comparisons[EVENTS]);
    return 0;
}

static int end_walk(void **state)
{
    free(walk.all);
    free(walk.slots);
    return 0;
}

static void the_walk_is_wide(void **state)
{
    unsigned in_state[STATE(ADVISED) + 1] = {0};
    for (size_t i = 0; i < walk.count; i++)
        in_state[walk.all[i].c.state]++;
    for (int i = 0; i <= STATE(ADVISED); i++)
        if (in_state[i] == 0)
            fail_msg("no situation in %s", NAME_OF(case_state, i));
    assert_in_range(walk.count, 10000, SITUATIONS_MAX / 2);
}

static void letters_are_judged_as_by_the_oracle(void **state)
{
    assert_int_equal(walk.differences[LETTERS], 0);
}

static void a_screen_offers_what_may_be_done(void **state)
{
    assert_int_equal(walk.differences[OFFERS], 0);
}

static void days_and_openings_are_the_oracles(void **state)
{
    assert_int_equal(walk.differences[EVENTS], 0);
}

/* ---- storms ---- */

/* Beyond the walk's bounds: eight moments, many questions, whatever comes. */
#define STORMS 24u
#define STORM_LETTERS 4000u
#define STORM_MOMENTS CASE_MOMENTS_MAX

static uint32_t chance(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*seed * below) >> 32);
}

static void begin_storm(struct situation *s, struct letters *l)
{
    static Brug__V1__Moment moments[STORM_MOMENTS], *list[STORM_MOMENTS];
    memset(s, 0, sizeof *s);
    s->today = FIRST_DAY;
    s->now_ms = (int64_t)s->today * 86400000;
    letters_write(l, &s->c, s->today, KIND(REFERRAL));
    for (unsigned i = 0; i < STORM_MOMENTS; i++) {
        brug__v1__moment__init(&moments[i]);
        moments[i].event = (Brug__V1__MomentEvent)(1 + i % 4);
        moments[i].date = i % 4 == 0 ? s->today + 7 * i : 0;
        list[i] = &moments[i];
    }
    l->list[0].header.moments = list;
    l->list[0].header.n_moments = STORM_MOMENTS;
    const struct case_move move = move_of(s, &FENNA, &l->list[0]);
    assert_int_equal(case_judge(&s->c, &move, &got.after, &got.ends), ERROR_NONE);
    s->c = got.after;
}

/* One letter of one person; questions are asked more often than answered. */
static void storm_letter(struct situation *s, struct letters *l, uint32_t *seed)
{
    static const struct case_actor *const actors[] = {&ANNA,  &ANNA,  &BAS, &LEA,
                                                      &FENNA, &FENNA, &LOES};
    uint32_t kind = chance(seed, 4) == 0 ? KIND(INFO_REQUEST) : 3 + chance(seed, KIND(NOTE) - 2);
    letters_write(l, &s->c, s->today, (Brug__V1__Kind)kind);
    const struct letter *letter = &l->list[chance(seed, (uint32_t)l->count)];
    const struct case_move move = move_of(s, actors[chance(seed, COUNT(actors))], letter);
    memcpy(&got, &untouched, sizeof got);
    enum error want = oracle_judge(&s->c, &move, &wanted.after, &wanted.ends);
    enum error is = case_judge(&s->c, &move, &got.after, &got.ends);
    const char *what = compare(&move, want, is);
    if (what)
        fail_msg("%s in %s: %s (wanted %s, got %s)", NAME_OF(kind, kind),
                 NAME_OF(case_state, s->c.state), what, error_name(want), error_name(is));
    if (want == ERROR_NONE)
        s->c = got.after;
}

static void storm_days(struct situation *s, uint32_t days)
{
    s->today += days;
    s->now_ms += (int64_t)days * 86400000;
    wanted.after = s->c;
    bool want = oracle_day_comes(&wanted.after, s->today, s->now_ms, s->working_days, &TERMS);
    assert_int_equal(case_day_comes(&s->c, s->today, s->now_ms, s->working_days, &TERMS), want);
    assert_null(case_compare(&wanted.after, &s->c));
}

static void storms_fit_and_are_judged_as_by_the_oracle(void **state)
{
    static struct letters l;
    static struct situation s;
    size_t most = 0;
    for (uint32_t storm = 0; storm < STORMS; storm++) {
        uint32_t seed = storm;
        l.message_id = sample_id(7, ++walk.letters);
        begin_storm(&s, &l);
        s.working_days = working_days_of(storm);
        for (unsigned i = 0; i < STORM_LETTERS; i++) {
            l.message_id = sample_id(7, ++walk.letters);
            storm_letter(&s, &l, &seed);
            if (chance(&seed, 16) == 0)
                storm_days(&s, chance(&seed, 5));
            most = s.c.owed_count > most ? s.c.owed_count : most;
        }
    }
    printf("# at most %zu items were owed at once, of %u\n", most, CASE_OWED_MAX);
    assert_in_range(most, CASE_QUESTIONS_MAX + STORM_MOMENTS, CASE_OWED_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walk_is_wide),
        cmocka_unit_test(letters_are_judged_as_by_the_oracle),
        cmocka_unit_test(a_screen_offers_what_may_be_done),
        cmocka_unit_test(days_and_openings_are_the_oracles),
        cmocka_unit_test(storms_fit_and_are_judged_as_by_the_oracle),
    };
    return cmocka_run_group_tests(tests, walk_all, end_walk);
}
