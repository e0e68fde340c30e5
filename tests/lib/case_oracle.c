/*
 * tests/lib/case_oracle.c: see case_oracle.h.
 *
 * A kind's function reads from top to bottom as its rule does: who, when, what else must hold, in the order in which
 * refusals go (rules/case.h); then what it does to the case. Its row of design §6 stands above it; what begins with
 * "and" was decided beside the papers.
 */
#include "tests/lib/case_oracle.h"
#include "tests/lib/time_oracle.h"
#include <assert.h>
#include <string.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define ACCEPT BRUG__V1__DECISION__DECISION_ACCEPT

#define NEEDS(condition, code) \
    do { \
        if (!(condition)) \
            return ERROR_##code; \
    } while (0)
#define NEEDS_STATE(s, condition) \
    do { \
        if (!(condition)) \
            return code_of_state((s)->now.state); \
    } while (0)

struct scene {
    const struct case_move *move;
    const Brug__V1__Header *letter;
    struct case_file now; /* as it was, then as the letter makes it */
    struct case_ends ended;
};

/* ---- the calendar ---- */

/* Besides Saturdays and Sundays, where a team works on those: Easter and Whit Sunday stand here too. */
static const struct {
    unsigned year, month, day;
} HOLIDAYS[] = {
    {2025, 1, 1},   {2025, 4, 20}, {2025, 4, 21},  {2025, 4, 26},  {2025, 5, 5},  {2025, 5, 29},
    {2025, 6, 8},   {2025, 6, 9},  {2025, 12, 25}, {2025, 12, 26}, {2026, 1, 1},  {2026, 4, 5},
    {2026, 4, 6},   {2026, 4, 27}, {2026, 5, 14},  {2026, 5, 24},  {2026, 5, 25}, {2026, 12, 25},
    {2026, 12, 26}, {2027, 1, 1},  {2027, 3, 28},  {2027, 3, 29},  {2027, 4, 27}, {2027, 5, 6},
    {2027, 5, 16},  {2027, 5, 17}, {2027, 12, 25}, {2027, 12, 26}, {2028, 1, 1},  {2028, 4, 16},
    {2028, 4, 17},  {2028, 4, 27}, {2028, 5, 25},  {2028, 6, 4},   {2028, 6, 5},  {2028, 12, 25},
    {2028, 12, 26},
};

uint32_t oracle_date(unsigned year, unsigned month, unsigned day)
{
    static const unsigned BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const unsigned first = 20089; /* 2025-01-01 */
    unsigned leap = year == 2028 && month > 2;
    return first + (year - 2025) * 365 + BEFORE[month - 1] + leap + day - 1;
}

bool oracle_is_working_day(uint32_t date, unsigned working_days)
{
    unsigned monday_is_0 = (date + 3) % 7; /* 1970 began on a Thursday */
    assert(date >= oracle_date(2025, 1, 1) && date <= oracle_date(2028, 12, 31));
    unsigned days = working_days & 0x7f ? working_days : 0x1f;
    for (size_t i = 0; i < sizeof HOLIDAYS / sizeof HOLIDAYS[0]; i++)
        if (oracle_date(HOLIDAYS[i].year, HOLIDAYS[i].month, HOLIDAYS[i].day) == date)
            return false;
    return days >> monday_is_0 & 1;
}

uint32_t oracle_working_day(uint32_t date, unsigned n, unsigned working_days)
{
    while (n > 0)
        if (oracle_is_working_day(++date, working_days))
            n--;
    return date;
}

/* "Not while the relay was down." */
static bool is_day_at_work(uint32_t date, unsigned working_days, const struct case_terms *terms,
                           size_t outages)
{
    for (size_t i = 0; i < outages; i++)
        if (terms->outages[i].from <= date && date <= terms->outages[i].until)
            return false;
    return oracle_is_working_day(date, working_days);
}

uint32_t oracle_day_at_work(uint32_t date, unsigned n, unsigned working_days,
                            const struct case_terms *terms, size_t outages)
{
    while (n > 0)
        n -= is_day_at_work(++date, working_days, terms, outages);
    return date;
}

static unsigned days_at_work(const struct owed_item *item, unsigned working_days,
                             const struct case_terms *terms, size_t outages)
{
    unsigned n = 0;
    for (uint32_t date = oracle_today(item->born_at_ms) + 1; date <= item->due_date; date++)
        n += is_day_at_work(date, working_days, terms, outages);
    return n;
}

/* A term has as many days as before, from its birth on; "a day that a person named stays". */
static void take_in_one(struct case_file *c, struct owed_item *item, const struct case_terms *terms,
                        unsigned working_days)
{
    bool is_day_of_gp = item->moment > 0 && c->moments[item->moment - 1].event ==
                                                BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_DATE;
    if (item->due_date == 0 || item->is_delayed || is_day_of_gp)
        return;
    unsigned n = days_at_work(item, working_days, terms, c->outages);
    if (days_at_work(item, working_days, terms, c->outages + 1) < n)
        item->due_date = oracle_day_at_work(oracle_today(item->born_at_ms), n, working_days, terms,
                                            c->outages + 1);
}

void oracle_take_in(struct case_file *c, const struct case_terms *terms, unsigned working_days)
{
    for (; c->outages < terms->outage_count; c->outages++)
        for (size_t i = 0; i < c->owed_count; i++)
            take_in_one(c, &c->owed[i], terms, c->owed[i].debtor == TEAM ? working_days : 0);
}

/* "Time runs in working days (Mon-Fri or the team's own days)": of the side that owes. */
static uint32_t term_of(uint32_t today, Brug__V1__Side debtor, unsigned n, unsigned team_days)
{
    return oracle_working_day(today, n, debtor == TEAM ? team_days : 0);
}

/* ---- who ---- */

static bool is_id(ProtobufCBinaryData bytes, const struct id *id)
{
    return bytes.len == ID_BYTES && memcmp(bytes.data, id->bytes, ID_BYTES) == 0;
}

static struct id to_id(ProtobufCBinaryData bytes)
{
    struct id id = ID_NONE;
    if (bytes.len == ID_BYTES)
        memcpy(id.bytes, bytes.data, ID_BYTES);
    return id;
}

static bool is_doctor(const struct scene *s)
{
    const struct case_actor *a = &s->move->actor;
    return a->side == PRACTICE &&
           (a->role == BRUG__V1__ROLE__ROLE_GP || a->role == BRUG__V1__ROLE__ROLE_LOCUM);
}

static bool is_consultant(const struct scene *s)
{
    return s->move->actor.side == TEAM && s->move->actor.role == BRUG__V1__ROLE__ROLE_CONSULTANT;
}

static bool is_leader(const struct scene *s)
{
    return s->move->actor.side == TEAM && s->move->actor.role == BRUG__V1__ROLE__ROLE_LEADER;
}

static bool has_director(const struct scene *s) { return !id_is_none(&s->now.director); }

static bool is_director(const struct scene *s)
{
    return has_director(s) && id_equal(&s->now.director, &s->move->actor.person);
}

static Brug__V1__Side other_side(Brug__V1__Side side) { return side == TEAM ? PRACTICE : TEAM; }

static bool is_other_side(const struct scene *s, Brug__V1__Side side)
{
    return s->move->actor.side == other_side(side);
}

/* ---- when ---- */

static enum error code_of_state(Brug__V1__CaseState state)
{
    switch (state) {
    case STATE(NONE):
        return ERROR_NO_SUCH_CASE;
    case STATE(REFERRED):
        return ERROR_CASE_REFERRED;
    case STATE(CLARIFYING):
        return ERROR_CASE_CLARIFYING;
    case STATE(SUPPORT):
        return ERROR_CASE_SUPPORT;
    case STATE(CONSULTING):
        return ERROR_CASE_CONSULTING;
    default:
        return ERROR_CASE_ENDED;
    }
}

static bool is_referred(const struct scene *s) { return s->now.state == STATE(REFERRED); }
static bool is_clarifying(const struct scene *s) { return s->now.state == STATE(CLARIFYING); }
static bool is_in_support(const struct scene *s) { return s->now.state == STATE(SUPPORT); }
static bool is_taken_up(const struct scene *s) { return is_clarifying(s) || is_in_support(s); }
static bool is_open(const struct scene *s) { return is_referred(s) || is_taken_up(s); }

static bool does_proposal_wait(const struct scene *s) { return s->now.proposal.kind != KIND(NONE); }
static bool is_bridged(const struct scene *s) { return s->now.bridging.by != 0; }
static bool is_bridging_proposed(const struct scene *s) { return s->now.bridging_proposed.by != 0; }

/* "new date, or the end of bridging care": from today to 366 days ahead */
static bool is_date_allowed(const struct scene *s, uint32_t date)
{
    return date >= s->move->today && date - s->move->today <= 366;
}

/* ---- what is owed ---- */

static void owe(struct scene *s, Brug__V1__OwedKind kind, Brug__V1__Side debtor, uint32_t due)
{
    s->now.owed[s->now.owed_count++] = (struct owed_item){
        .kind = kind,
        .debtor = debtor,
        .cause = to_id(s->letter->message_id),
        .due_date = due,
        .born_at_ms = s->move->now_ms,
    };
}

static void owe_in(struct scene *s, Brug__V1__OwedKind kind, Brug__V1__Side debtor, unsigned days)
{
    owe(s, kind, debtor, term_of(s->move->today, debtor, days, s->move->working_days));
}

static void owe_moment(struct scene *s, uint32_t moment, uint32_t due)
{
    owe(s, OWED(MOMENT), TEAM, due);
    s->now.owed[s->now.owed_count - 1].moment = moment;
}

static void end_item(struct scene *s, struct owed_item *item, bool has_lapsed)
{
    s->ended.items[s->ended.count++] = (struct owed_end){*item, has_lapsed};
    *item = s->now.owed[--s->now.owed_count];
}

static void end_kind(struct scene *s, Brug__V1__OwedKind kind, bool has_lapsed)
{
    for (size_t i = s->now.owed_count; i-- > 0;)
        if (s->now.owed[i].kind == kind)
            end_item(s, &s->now.owed[i], has_lapsed);
}

static void settle(struct scene *s, Brug__V1__OwedKind kind) { end_kind(s, kind, false); }
static void lapse(struct scene *s, Brug__V1__OwedKind kind) { end_kind(s, kind, true); }

static struct owed_item *find_moment(struct scene *s, uint32_t moment)
{
    for (size_t i = 0; i < s->now.owed_count; i++)
        if (s->now.owed[i].kind == OWED(MOMENT) && s->now.owed[i].moment == moment)
            return &s->now.owed[i];
    return NULL;
}

static struct owed_item *find_question(struct scene *s)
{
    for (size_t i = 0; i < s->now.owed_count; i++)
        if (s->now.owed[i].kind == OWED(INFO_REPLY) &&
            is_id(s->letter->in_reply_to, &s->now.owed[i].cause))
            return &s->now.owed[i];
    return NULL;
}

static unsigned count_questions(const struct scene *s)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->now.owed_count; i++)
        n += s->now.owed[i].kind == OWED(INFO_REPLY);
    return n;
}

/* What owed_id names; NULL: nothing that is owed. */
static struct owed_item *find_named(struct scene *s)
{
    for (size_t i = 0; i < s->now.owed_count; i++)
        if (is_id(s->letter->owed_id, &s->now.owed[i].id))
            return &s->now.owed[i];
    return NULL;
}

static bool owes(const struct scene *s, Brug__V1__OwedKind kind)
{
    for (size_t i = 0; i < s->now.owed_count; i++)
        if (s->now.owed[i].kind == kind)
            return true;
    return false;
}

/* A letter that names what it settles must name an item of the kind that it settles. */
static bool names_no_other(struct scene *s, Brug__V1__OwedKind kind)
{
    const struct owed_item *named = find_named(s);
    return s->letter->owed_id.len == 0 || (named && named->kind == kind);
}

/* "named moments that never came lapse"; one whose day is there has come, also if its feedback was delayed */
static bool has_come(const struct case_file *c, const struct owed_item *item, uint32_t today)
{
    if (c->moments[item->moment - 1].event == BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_DATE)
        return today >= c->moments[item->moment - 1].date;
    return item->due_date > 0;
}

bool oracle_stops_closing(const struct case_file *c, const struct owed_item *item, uint32_t today)
{
    if (item->debtor != TEAM)
        return false;
    switch (item->kind) {
    case OWED(TAKE_UP):
    case OWED(START):
    case OWED(CLOSING):
        return false;
    case OWED(MOMENT):
        return has_come(c, item, today);
    default:
        return true;
    }
}

/* ---- beginning and ending ---- */

static void begin(struct scene *s, Brug__V1__CaseState state)
{
    memset(&s->now, 0, sizeof s->now);
    s->now.id = to_id(s->letter->case_id);
    s->now.state = state;
    s->now.custody = PRACTICE;
    s->now.outages = (uint32_t)s->move->terms->outage_count; /* they lie before it */
}

/* "A case that ended owes INFO_REPLY only" */
static void finish(struct scene *s, Brug__V1__CaseState state, Brug__V1__Outcome outcome)
{
    for (size_t i = s->now.owed_count; i-- > 0;)
        if (s->now.owed[i].kind != OWED(INFO_REPLY))
            end_item(s, &s->now.owed[i], true);
    s->now.state = state;
    s->now.outcome = outcome;
    s->now.proposal = (struct case_proposal){0};
    s->now.bridging_proposed = (struct case_bridging){0};
    s->now.ended_at_ms = s->move->now_ms;
}

/* ---- the kinds ---- */

/* practice | case id is new | state REFERRED; owes: take-up by team; the moments the GP named [R22]
 * and a named date in the past is due today */
static enum error judge_referral(struct scene *s)
{
    const Brug__V1__Header *h = s->letter;
    NEEDS(is_doctor(s), ROLE_NOT_ALLOWED);
    NEEDS(s->now.state == STATE(NONE), CASE_EXISTS);
    begin(s, STATE(REFERRED));
    s->now.reason = h->reason;
    s->now.request_type = h->request_type;
    s->now.linked_case = to_id(h->linked_case);
    owe_in(s, OWED(TAKE_UP), TEAM, s->move->terms->take_up);
    for (size_t i = 0; i < h->n_moments; i++) {
        const Brug__V1__Moment *m = h->moments[i];
        bool is_past = m->date != 0 && m->date < s->move->today;
        s->now.moments[i] = (struct case_moment){m->event, m->date, m->conversations};
        s->now.moment_count++;
        owe_moment(s, (uint32_t)i + 1, is_past ? s->move->today : m->date);
    }
    return ERROR_NONE;
}

/* practice | new | opens a consultation without a youth; owes: advice */
static enum error judge_consult(struct scene *s)
{
    NEEDS(is_doctor(s), ROLE_NOT_ALLOWED);
    NEEDS(s->now.state == STATE(NONE), CASE_EXISTS);
    begin(s, STATE(CONSULTING));
    owe_in(s, OWED(ADVICE), TEAM, s->move->terms->advice);
    return ERROR_NONE;
}

/* consultant | open consult | closes it */
static enum error judge_advice(struct scene *s)
{
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, s->now.state == STATE(CONSULTING));
    NEEDS(names_no_other(s, OWED(ADVICE)), NOT_OWED);
    settle(s, OWED(ADVICE));
    finish(s, STATE(ADVISED), OUTCOME(ADVICE_GIVEN));
    return ERROR_NONE;
}

/* consultant | REFERRED | director, custody to team, CLARIFYING; the first committed wins, the other is told by
 * whom; owes: start feedback */
static enum error judge_claim(struct scene *s)
{
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS(!is_taken_up(s), CASE_TAKEN);
    NEEDS_STATE(s, is_referred(s));
    NEEDS(!does_proposal_wait(s), PROPOSAL_WAITS);
    settle(s, OWED(TAKE_UP));
    owe_in(s, OWED(START), TEAM, s->move->terms->start);
    s->now.state = STATE(CLARIFYING);
    s->now.custody = TEAM;
    s->now.director = s->move->actor.person;
    s->now.taken_up_at_ms = s->move->now_ms;
    return ERROR_NONE;
}

/* "CHANGE_OF_DIRECTOR" has come [R22]: it gets its date, or is owed again. */
static void change_of_director_came(struct scene *s, uint32_t moment)
{
    struct owed_item *item = find_moment(s, moment);
    uint32_t due = term_of(s->move->today, TEAM, s->move->terms->moment, s->move->working_days);
    if (!item)
        owe_moment(s, moment, due);
    else if (item->due_date == 0)
        item->due_date = due;
}

/* director, leader, or any consultant when the director is absent or suspended | open (it has a director) |
 * another director; what is owed is the team's debt and stays */
static enum error judge_handover(struct scene *s)
{
    bool may_any = is_leader(s) || s->move->actor.is_director_away;
    NEEDS(is_consultant(s) || is_leader(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_taken_up(s));
    NEEDS(may_any || is_director(s), NOT_DIRECTOR);
    NEEDS(s->move->is_new_director_fit, NO_SUCH_DIRECTOR);
    NEEDS(!is_id(s->letter->new_director, &s->now.director), NO_SUCH_DIRECTOR);
    s->now.director = to_id(s->letter->new_director);
    for (uint32_t i = 0; i < s->now.moment_count; i++)
        if (s->now.moments[i].event == BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_CHANGE_OF_DIRECTOR)
            change_of_director_came(s, i + 1);
    return ERROR_NONE;
}

/* director | CLARIFYING | needs the involvement check [R40]; SUPPORT; settles start; owes: closing */
static enum error judge_start(struct scene *s)
{
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_clarifying(s));
    NEEDS(is_director(s), NOT_DIRECTOR);
    NEEDS(!does_proposal_wait(s), PROPOSAL_WAITS);
    NEEDS(names_no_other(s, OWED(START)), NOT_OWED);
    settle(s, OWED(START));
    owe(s, OWED(CLOSING), TEAM, s->move->today + s->move->terms->closing_days);
    s->now.state = STATE(SUPPORT);
    s->now.involvement = s->letter->involvement;
    s->now.started_at_ms = s->move->now_ms;
    return ERROR_NONE;
}

/* director | CLARIFYING, SUPPORT | settles the named moment, if it answers one */
static enum error judge_interim(struct scene *s)
{
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_taken_up(s));
    NEEDS(is_director(s), NOT_DIRECTOR);
    struct owed_item *by_number = find_moment(s, s->letter->moment);
    struct owed_item *by_id = find_named(s);
    bool has_number = s->letter->moment != 0, has_id = s->letter->owed_id.len != 0;
    NEEDS(!has_number || by_number, NOT_OWED);
    NEEDS(!has_id || (by_id && by_id->kind == OWED(MOMENT)), NOT_OWED);
    NEEDS(!has_number || !has_id || by_id == by_number, NOT_OWED);
    if (has_number || has_id)
        end_item(s, has_id ? by_id : by_number, false);
    return ERROR_NONE;
}

/* director | something owed by the team | gives one owed item a new date, once
 * and on any dated debt of the team, from today to 366 days ahead; by any consultant where there is no director, or
 * while it is away; it is told of anew */
static enum error judge_delay(struct scene *s)
{
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, s->now.state != STATE(NONE));
    NEEDS(is_director(s) || !has_director(s) || s->move->actor.is_director_away, NOT_DIRECTOR);
    struct owed_item *item = find_named(s);
    NEEDS(item && item->debtor == TEAM && item->due_date != 0, NOT_OWED);
    NEEDS(!item->is_delayed, DELAYED_BEFORE);
    NEEDS(is_date_allowed(s, s->letter->until_date), DATE_NOT_ALLOWED);
    item->due_date = s->letter->until_date;
    item->is_delayed = true;
    item->notices = 0;
    item->told_date = 0;
    return ERROR_NONE;
}

/* practice | any state, closed too | owes an answer [R23]
 * and at most 24 wait */
static enum error judge_info_request(struct scene *s)
{
    NEEDS(is_doctor(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, s->now.state != STATE(NONE));
    NEEDS(count_questions(s) < 24, TOO_MUCH_OWED);
    owe_in(s, OWED(INFO_REPLY), TEAM, s->move->terms->info_reply);
    return ERROR_NONE;
}

/* consultant | any state, closed too | settles an answer [R23]
 * and it is the answer to the request that in_reply_to names */
static enum error judge_info_reply(struct scene *s)
{
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, s->now.state != STATE(NONE));
    struct owed_item *item = find_question(s);
    NEEDS(item, NOT_OWED);
    NEEDS(s->letter->owed_id.len == 0 || find_named(s) == item, NOT_OWED);
    end_item(s, item, false);
    return ERROR_NONE;
}

static void propose(struct scene *s, unsigned days)
{
    const struct case_actor *actor = &s->move->actor;
    s->now.proposal = (struct case_proposal){s->letter->kind, actor->side, actor->person,
                                             to_id(s->letter->message_id)};
    s->now.was_objected = false;
    owe_in(s, OWED(PROPOSAL_ANSWER), other_side(actor->side), days);
}

/* consultant | REFERRED, CLARIFYING | pending, one at a time; owes: the practice's answer [R24]; "too serious" and
 * "specialist care" are answered within one working day
 * and in REFERRED it settles take-up */
static enum error judge_decline_proposal(struct scene *s)
{
    bool is_serious =
        s->letter->decline_reason == BRUG__V1__DECLINE_REASON__DECLINE_REASON_TOO_SERIOUS ||
        s->letter->decline_reason == BRUG__V1__DECLINE_REASON__DECLINE_REASON_SPECIALIST_CARE;
    const struct case_terms *terms = s->move->terms;
    NEEDS(is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_referred(s) || is_clarifying(s));
    NEEDS(!does_proposal_wait(s), PROPOSAL_WAITS);
    NEEDS(!is_bridged(s), BRIDGING_IN_FORCE);
    settle(s, OWED(TAKE_UP));
    propose(s, is_serious ? terms->serious_answer : terms->answer);
    return ERROR_NONE;
}

/* consultant | CLARIFYING, SUPPORT | pending, one at a time; owes: the answer [R25]
 * and the practice, in SUPPORT ("later it proposes a stop") */
static enum error judge_stop_proposal(struct scene *s)
{
    NEEDS(is_consultant(s) || is_doctor(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_in_support(s) || (is_clarifying(s) && is_consultant(s)));
    NEEDS(!does_proposal_wait(s), PROPOSAL_WAITS);
    NEEDS(!is_bridged(s), BRIDGING_IN_FORCE);
    propose(s, s->move->terms->answer);
    return ERROR_NONE;
}

/* "back to the state before"
 * and the team, which retracts, needs to open nothing for that */
static void drop_proposal(struct scene *s)
{
    s->now.proposal = (struct case_proposal){0};
    if (!is_referred(s))
        return;
    owe_in(s, OWED(TAKE_UP), TEAM, s->move->terms->take_up);
    s->now.owed[s->now.owed_count - 1].is_opened = s->move->actor.side == TEAM;
}

/* practice | pending | accept: DECLINED or STOPPED, custody to practice; object: back to the state before
 * and a consultant, where the practice proposed; no acceptance while bridging is in force */
static enum error judge_proposal_answer(struct scene *s)
{
    const struct case_proposal p = s->now.proposal;
    bool accepts = s->letter->decision == ACCEPT;
    bool is_decline = p.kind == KIND(DECLINE_PROPOSAL);
    NEEDS(is_doctor(s) || is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_open(s));
    NEEDS(does_proposal_wait(s) && is_id(s->letter->in_reply_to, &p.message_id), NO_PROPOSAL);
    NEEDS(is_other_side(s, p.by), NO_PROPOSAL);
    NEEDS(!accepts || !is_bridged(s), BRIDGING_IN_FORCE);
    NEEDS(names_no_other(s, OWED(PROPOSAL_ANSWER)), NOT_OWED);
    settle(s, OWED(PROPOSAL_ANSWER));
    if (accepts) {
        finish(s, is_decline ? STATE(DECLINED) : STATE(STOPPED),
               is_decline ? OUTCOME(NOT_TAKEN_UP) : OUTCOME(STOPPED));
        s->now.custody = PRACTICE;
    } else {
        s->now.was_objected = is_doctor(s);
        drop_proposal(s);
    }
    return ERROR_NONE;
}

/* Who made it, or a leader or GP of that side. */
static bool may_retract(const struct scene *s, Brug__V1__Side by, const struct id *person)
{
    const struct case_actor *actor = &s->move->actor;
    return actor->side == by && (id_equal(&actor->person, person) || is_leader(s) ||
                                 (is_doctor(s) && actor->role == BRUG__V1__ROLE__ROLE_GP));
}

/* proposer or leader | own side's proposal pending | back to the state before
 * and a bridging proposal is one too */
static enum error judge_retract(struct scene *s)
{
    const struct case_proposal p = s->now.proposal;
    const struct case_bridging b = s->now.bridging_proposed;
    NEEDS(is_doctor(s) || is_consultant(s) || is_leader(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_open(s));
    bool is_p = does_proposal_wait(s) && is_id(s->letter->in_reply_to, &p.message_id);
    bool is_b = is_bridging_proposed(s) && is_id(s->letter->in_reply_to, &b.message_id);
    NEEDS(is_p || is_b, NO_PROPOSAL);
    NEEDS(is_p ? may_retract(s, p.by, &p.person) : may_retract(s, b.by, &b.person), NOT_PROPOSER);
    lapse(s, is_p ? OWED(PROPOSAL_ANSWER) : OWED(BRIDGING_ANSWER));
    if (is_p)
        drop_proposal(s);
    else
        s->now.bridging_proposed = (struct case_bridging){0};
    return ERROR_NONE;
}

/* either | open | in force only after the other side's accept; who carries it and until when
 * and one proposal of it at a time, also while another is in force */
static enum error judge_bridging_proposal(struct scene *s)
{
    const struct case_actor *actor = &s->move->actor;
    NEEDS(is_doctor(s) || is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_open(s));
    NEEDS(!is_bridging_proposed(s), PROPOSAL_WAITS);
    NEEDS(is_date_allowed(s, s->letter->until_date), DATE_NOT_ALLOWED);
    s->now.bridging_proposed = (struct case_bridging){
        .by = actor->side,
        .person = actor->person,
        .message_id = to_id(s->letter->message_id),
        .carrier = s->letter->bridging_carrier,
        .until_date = s->letter->until_date,
    };
    owe_in(s, OWED(BRIDGING_ANSWER), other_side(actor->side), s->move->terms->answer);
    return ERROR_NONE;
}

/* the other side | open | accepted, it is in force [R27], takes the place of the one before, and is the decision that
 * was owed */
static enum error judge_bridging_answer(struct scene *s)
{
    const struct case_bridging b = s->now.bridging_proposed;
    bool accepts = s->letter->decision == ACCEPT;
    NEEDS(is_doctor(s) || is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_open(s));
    NEEDS(is_bridging_proposed(s) && is_id(s->letter->in_reply_to, &b.message_id), NO_PROPOSAL);
    NEEDS(is_other_side(s, b.by), NO_PROPOSAL);
    NEEDS(!accepts || is_date_allowed(s, b.until_date), DATE_NOT_ALLOWED);
    NEEDS(names_no_other(s, OWED(BRIDGING_ANSWER)) ||
              (accepts && names_no_other(s, OWED(BRIDGING_DECISION))),
          NOT_OWED);
    settle(s, OWED(BRIDGING_ANSWER));
    s->now.bridging_proposed = (struct case_bridging){0};
    if (accepts) {
        settle(s, OWED(BRIDGING_DECISION));
        s->now.bridging = b;
    }
    return ERROR_NONE;
}

/* either | open | in force, or ended by its date and a decision is owed: this is the decision */
static enum error judge_bridging_end(struct scene *s)
{
    NEEDS(is_doctor(s) || is_consultant(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_open(s));
    NEEDS(is_bridged(s) || owes(s, OWED(BRIDGING_DECISION)), NO_BRIDGING);
    NEEDS(names_no_other(s, OWED(BRIDGING_DECISION)), NOT_OWED);
    settle(s, OWED(BRIDGING_DECISION));
    s->now.bridging = (struct case_bridging){0};
    return ERROR_NONE;
}

static bool is_outcome_of_director(Brug__V1__Outcome outcome)
{
    return outcome == OUTCOME(OWN_SHORT_SUPPORT) || outcome == OUTCOME(LOCAL_PROVISION) ||
           outcome == OUTCOME(YOUTH_CARE) || outcome == OUTCOME(EXISTING_PLAN) ||
           outcome == OUTCOME(NO_HELP_NEEDED);
}

static bool must_do_first(const struct scene *s)
{
    for (size_t i = 0; i < s->now.owed_count; i++)
        if (oracle_stops_closing(&s->now, &s->now.owed[i], s->move->today))
            return true;
    return false;
}

/* director | SUPPORT, or CLARIFYING when clarification was all (settles start too); nothing else of the team's owed |
 * outcome code [R42]; named moments that never came lapse; CLOSED; custody stays with the team until a GP opened the
 * closing letter
 * and a leader, ENDED_GP_DISAGREES, after an objection, in REFERRED too: custody then stays where it was */
static enum error judge_closing(struct scene *s)
{
    bool is_disagreed = s->letter->outcome == OUTCOME(ENDED_GP_DISAGREES);
    bool was_referred = is_referred(s);
    NEEDS(is_consultant(s) || is_leader(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_open(s));
    NEEDS(is_director(s) || (is_leader(s) && s->now.was_objected), NOT_DIRECTOR);
    NEEDS(!does_proposal_wait(s), PROPOSAL_WAITS);
    NEEDS(!is_bridged(s), BRIDGING_IN_FORCE);
    NEEDS(is_disagreed ? is_leader(s) && s->now.was_objected
                       : is_director(s) && is_outcome_of_director(s->letter->outcome),
          OUTCOME_NOT_ALLOWED);
    NEEDS(!must_do_first(s), STILL_OWED);
    NEEDS(names_no_other(s, OWED(START)) || names_no_other(s, OWED(CLOSING)), NOT_OWED);
    settle(s, OWED(START));
    settle(s, OWED(CLOSING));
    finish(s, STATE(CLOSED), s->letter->outcome);
    s->now.conversations = s->letter->conversations;
    if (!was_referred)
        s->now.closing_id = to_id(s->letter->message_id);
    return ERROR_NONE;
}

/* practice | REFERRED, CLARIFYING | WITHDRAWN, custody to practice
 * and not while bridging is in force */
static enum error judge_withdrawal(struct scene *s)
{
    NEEDS(is_doctor(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, is_referred(s) || is_clarifying(s));
    NEEDS(!is_bridged(s), BRIDGING_IN_FORCE);
    finish(s, STATE(WITHDRAWN), OUTCOME(WITHDRAWN));
    s->now.custody = PRACTICE;
    return ERROR_NONE;
}

/* either | any | nothing */
static enum error judge_note(struct scene *s)
{
    NEEDS(is_doctor(s) || is_consultant(s) || is_leader(s), ROLE_NOT_ALLOWED);
    NEEDS_STATE(s, s->now.state != STATE(NONE));
    return ERROR_NONE;
}

static enum error judge(struct scene *s)
{
    switch (s->letter->kind) {
    case KIND(REFERRAL):
        return judge_referral(s);
    case KIND(CONSULT):
        return judge_consult(s);
    case KIND(ADVICE):
        return judge_advice(s);
    case KIND(CLAIM):
        return judge_claim(s);
    case KIND(HANDOVER):
        return judge_handover(s);
    case KIND(START):
        return judge_start(s);
    case KIND(INTERIM):
        return judge_interim(s);
    case KIND(DELAY):
        return judge_delay(s);
    case KIND(INFO_REQUEST):
        return judge_info_request(s);
    case KIND(INFO_REPLY):
        return judge_info_reply(s);
    case KIND(DECLINE_PROPOSAL):
        return judge_decline_proposal(s);
    case KIND(STOP_PROPOSAL):
        return judge_stop_proposal(s);
    case KIND(PROPOSAL_ANSWER):
        return judge_proposal_answer(s);
    case KIND(RETRACT):
        return judge_retract(s);
    case KIND(BRIDGING_PROPOSAL):
        return judge_bridging_proposal(s);
    case KIND(BRIDGING_ANSWER):
        return judge_bridging_answer(s);
    case KIND(BRIDGING_END):
        return judge_bridging_end(s);
    case KIND(CLOSING):
        return judge_closing(s);
    case KIND(WITHDRAWAL):
        return judge_withdrawal(s);
    case KIND(NOTE):
        return judge_note(s);
    default: /* HISTORY moves no case; the others are nobody's to send */
        return ERROR_ROLE_NOT_ALLOWED;
    }
}

enum error oracle_judge(const struct case_file *before, const struct case_move *move,
                        struct case_file *after, struct case_ends *ends)
{
    struct scene s;
    s.move = move;
    s.letter = move->header;
    s.now = *before;
    s.ended.count = 0;
    oracle_take_in(&s.now, move->terms, move->working_days);
    enum error e = judge(&s);
    if (e == ERROR_NONE) {
        *after = s.now;
        *ends = s.ended;
    }
    return e;
}

/* I4: "a GP's opening of the closing letter"; and a debt knows that the letter which caused it was opened */
bool oracle_opened(struct case_file *c, Brug__V1__Side by, const struct id *message_id)
{
    bool has_changed = false;
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].debtor == by && id_equal(&c->owed[i].cause, message_id) &&
            !c->owed[i].is_opened)
            has_changed = c->owed[i].is_opened = true;
    if (by != PRACTICE || id_is_none(&c->closing_id) || !id_equal(&c->closing_id, message_id))
        return has_changed;
    c->closing_id = ID_NONE;
    c->custody = PRACTICE;
    return true;
}

static void owe_decision(struct case_file *c, Brug__V1__Side debtor, uint32_t due, int64_t now_ms)
{
    c->owed[c->owed_count++] = (struct owed_item){
        .kind = OWED(BRIDGING_DECISION),
        .debtor = debtor,
        .cause = c->bridging.message_id,
        .due_date = due,
        .born_at_ms = now_ms,
    };
}

/* "both sides owe a decision after it" */
bool oracle_day_comes(struct case_file *c, uint32_t today, int64_t now_ms, unsigned working_days,
                      const struct case_terms *terms)
{
    if (c->bridging.by == 0 || today <= c->bridging.until_date)
        return false;
    owe_decision(c, PRACTICE, term_of(today, PRACTICE, terms->answer, working_days), now_ms);
    owe_decision(c, TEAM, term_of(today, TEAM, terms->answer, working_days), now_ms);
    c->bridging = (struct case_bridging){0};
    return true;
}
