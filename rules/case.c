/*
 * rules/case.c: the table of moves, and what each does.
 *
 * A move is judged by its row (states, person, what must not wait), then by its own function, which changes a copy. Items
 * of what is owed are ended by `settle` and `lapse`, which keep them for the caller, and born by `owe`.
 */
#include "rules/case.h"
#include "base/digest.h"
#include "rules/outage.h"
#include "rules/roles.h"
#include "rules/workdays.h"
#include <assert.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define DECLINE(name) BRUG__V1__DECLINE_REASON__DECLINE_REASON_##name
#define MOMENT(name) BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_##name
#define ACCEPT BRUG__V1__DECISION__DECISION_ACCEPT
#define LEADER BRUG__V1__ROLE__ROLE_LEADER
#define GP BRUG__V1__ROLE__ROLE_GP
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define NOBODY BRUG__V1__SIDE__SIDE_NONE

const struct case_terms CASE_TERMS = {
    .take_up = 5,
    .start = 10,
    .moment = 3,
    .info_reply = 3,
    .answer = 5,
    .serious_answer = 1,
    .advice = 5,
    .closing_days = 13 * 7,
    .remind = 1,
    .overdue = 5,
    .not_opened = 2,
    .not_delivered = 5,
    .bridging_days = 5,
};

/* A case in the middle of a move. */
struct moving {
    struct case_file *c;
    const struct case_move *m;
    const Brug__V1__Header *h;
    struct case_ends *ends;
};

/* ---- what is owed ---- */

static Brug__V1__Side other_side(Brug__V1__Side side) { return side == TEAM ? PRACTICE : TEAM; }

static struct id id_of(ProtobufCBinaryData b)
{
    struct id id;
    return id_from_slice(&id, (struct slice){b.data, b.len}) == ERROR_NONE ? id : ID_NONE;
}

static bool is_id(ProtobufCBinaryData b, const struct id *id)
{
    return slice_equal((struct slice){b.data, b.len}, id_slice(id));
}

/* The same cause gives the same item, whatever crashes. */
static struct id id_of_item(const struct case_file *c, const struct owed_item *item)
{
    const uint8_t numbers[] = {(uint8_t)item->kind, (uint8_t)item->debtor, (uint8_t)item->moment};
    const struct slice parts[] = {
        slice_text("brug/1 owed"),
        {numbers, sizeof numbers},
        id_slice(&c->id),
        id_slice(&item->cause),
    };
    struct digest d = digest_of_framed(parts, sizeof parts / sizeof parts[0]);
    return id_v8(&d);
}

/* There is room: questions are counted, and of all else a case owes few at once. */
static void owe(struct case_file *c, struct owed_item item)
{
    assert(c->owed_count < CASE_OWED_MAX);
    item.id = id_of_item(c, &item);
    c->owed[c->owed_count++] = item;
}

static uint32_t due(const struct case_move *m, Brug__V1__Side debtor, unsigned days)
{
    return workdays_add(m->today, days, debtor == TEAM ? m->working_days : 0);
}

/* Caused by the letter that moves. */
static void owe_by(struct moving *x, Brug__V1__OwedKind kind, Brug__V1__Side debtor,
                   uint32_t due_date, uint32_t moment)
{
    owe(x->c, (struct owed_item){.kind = kind,
                                 .debtor = debtor,
                                 .cause = id_of(x->h->message_id),
                                 .due_date = due_date,
                                 .moment = moment,
                                 .born_at_ms = x->m->now_ms});
}

static void owe_within(struct moving *x, Brug__V1__OwedKind kind, Brug__V1__Side debtor,
                       unsigned days)
{
    owe_by(x, kind, debtor, due(x->m, debtor, days), 0);
}

static void end_item(struct case_file *c, size_t i, bool has_lapsed, struct case_ends *ends)
{
    ends->items[ends->count++] = (struct owed_end){c->owed[i], has_lapsed};
    for (c->owed_count--; i < c->owed_count; i++)
        c->owed[i] = c->owed[i + 1];
}

static void end_kind(struct moving *x, Brug__V1__OwedKind kind, bool has_lapsed)
{
    for (size_t i = x->c->owed_count; i-- > 0;)
        if (x->c->owed[i].kind == kind)
            end_item(x->c, i, has_lapsed, x->ends);
}

/* All of a kind. */
static void settle(struct moving *x, Brug__V1__OwedKind kind) { end_kind(x, kind, false); }
static void lapse(struct moving *x, Brug__V1__OwedKind kind) { end_kind(x, kind, true); }

/* All but the answers that are owed also when the case has ended [R23]. */
static void lapse_rest(struct moving *x)
{
    for (size_t i = x->c->owed_count; i-- > 0;)
        if (x->c->owed[i].kind != OWED(INFO_REPLY))
            end_item(x->c, i, true, x->ends);
}

static bool settle_item(struct moving *x, const struct owed_item *item)
{
    if (!item)
        return false;
    end_item(x->c, (size_t)(item - x->c->owed), false, x->ends);
    return true;
}

const struct owed_item *case_find_owed(const struct case_file *c, const struct id *owed_id)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (id_equal(&c->owed[i].id, owed_id))
            return &c->owed[i];
    return NULL;
}

static size_t count_owed(const struct case_file *c, Brug__V1__OwedKind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < c->owed_count; i++)
        n += c->owed[i].kind == kind;
    return n;
}

static const struct owed_item *find_reply(const struct case_file *c, ProtobufCBinaryData request)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == OWED(INFO_REPLY) && is_id(request, &c->owed[i].cause))
            return &c->owed[i];
    return NULL;
}

static struct owed_item *find_moment(struct case_file *c, uint32_t moment)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == OWED(MOMENT) && c->owed[i].moment == moment)
            return &c->owed[i];
    return NULL;
}

/* ---- opening and ending ---- */

static void end_case(struct moving *x, Brug__V1__CaseState state, Brug__V1__Outcome outcome)
{
    struct case_file *c = x->c;
    lapse_rest(x);
    c->state = state;
    c->outcome = outcome;
    c->custody = PRACTICE;
    c->proposal = (struct case_proposal){0};
    c->bridging_proposed = c->bridging = (struct case_bridging){0};
    c->ended_at_ms = x->m->now_ms;
}

static enum error on_referral(struct moving *x)
{
    struct case_file *c = x->c;
    c->state = STATE(REFERRED);
    c->custody = PRACTICE;
    c->reason = x->h->reason;
    c->request_type = x->h->request_type;
    c->linked_case = id_of(x->h->linked_case);
    owe_within(x, OWED(TAKE_UP), TEAM, x->m->terms->take_up);
    for (size_t i = 0; i < x->h->n_moments && i < CASE_MOMENTS_MAX; i++) {
        const Brug__V1__Moment *w = x->h->moments[i];
        bool has_passed = w->event == MOMENT(DATE) && w->date < x->m->today;
        c->moments[c->moment_count++] = (struct case_moment){w->event, w->date, w->conversations};
        owe_by(x, OWED(MOMENT), TEAM, has_passed ? x->m->today : w->date, (uint32_t)i + 1);
    }
    return ERROR_NONE;
}

static enum error on_consult(struct moving *x)
{
    x->c->state = STATE(CONSULTING);
    x->c->custody = PRACTICE;
    owe_within(x, OWED(ADVICE), TEAM, x->m->terms->advice);
    return ERROR_NONE;
}

static enum error on_advice(struct moving *x)
{
    settle(x, OWED(ADVICE));
    end_case(x, STATE(ADVISED), OUTCOME(ADVICE_GIVEN));
    return ERROR_NONE;
}

static enum error on_withdrawal(struct moving *x)
{
    end_case(x, STATE(WITHDRAWN), OUTCOME(WITHDRAWN));
    return ERROR_NONE;
}

/* A moment has come when its event or its day has, whatever new date it was given. */
static bool has_come(const struct case_file *c, const struct owed_item *item, uint32_t today)
{
    const struct case_moment *m = &c->moments[item->moment - 1];
    return m->event == MOMENT(DATE) ? m->date <= today : item->due_date != 0;
}

bool case_item_stops_closing(const struct case_file *c, const struct owed_item *item,
                             uint32_t today)
{
    if (item->debtor != TEAM || item->kind == OWED(TAKE_UP) || item->kind == OWED(START) ||
        item->kind == OWED(CLOSING))
        return false;
    return item->kind != OWED(MOMENT) || has_come(c, item, today);
}

bool case_outcome_is_directors(Brug__V1__Outcome o)
{
    return o == OUTCOME(OWN_SHORT_SUPPORT) || o == OUTCOME(LOCAL_PROVISION) ||
           o == OUTCOME(YOUTH_CARE) || o == OUTCOME(EXISTING_PLAN) || o == OUTCOME(NO_HELP_NEEDED);
}

/* The director closes what has begun; a leader ends what the practice and the team could not agree on. */
static bool is_closer_director(const struct case_file *c, const struct case_actor *a)
{
    return c->state != STATE(REFERRED) && id_equal(&a->person, &c->director);
}

static bool is_closer_leader(const struct case_file *c, const struct case_actor *a)
{
    return a->role == LEADER && c->was_objected;
}

static enum error on_closing(struct moving *x)
{
    struct case_file *c = x->c;
    bool is_allowed =
        x->h->outcome == OUTCOME(ENDED_GP_DISAGREES)
            ? is_closer_leader(c, &x->m->actor)
            : case_outcome_is_directors(x->h->outcome) && is_closer_director(c, &x->m->actor);
    if (!is_allowed)
        return ERROR_OUTCOME_NOT_ALLOWED;
    for (size_t i = 0; i < c->owed_count; i++)
        if (case_item_stops_closing(c, &c->owed[i], x->m->today))
            return ERROR_STILL_OWED;
    bool has_team_custody = c->custody == TEAM;
    settle(x, OWED(START));
    settle(x, OWED(CLOSING));
    end_case(x, STATE(CLOSED), x->h->outcome);
    c->conversations = x->h->conversations;
    if (has_team_custody) {
        c->custody = TEAM;
        c->closing_id = id_of(x->h->message_id);
    }
    return ERROR_NONE;
}

bool case_opened(struct case_file *c, Brug__V1__Side by, const struct id *message_id)
{
    bool is_changed = false;
    if (by == PRACTICE && !id_is_none(&c->closing_id) && id_equal(&c->closing_id, message_id)) {
        c->custody = PRACTICE;
        c->closing_id = ID_NONE;
        is_changed = true;
    }
    for (size_t i = 0; i < c->owed_count; i++) {
        struct owed_item *item = &c->owed[i];
        if (item->debtor != by || item->is_opened || !id_equal(&item->cause, message_id))
            continue;
        item->is_opened = is_changed = true;
    }
    return is_changed;
}

/* ---- the director's work ---- */

static enum error on_claim(struct moving *x)
{
    struct case_file *c = x->c;
    settle(x, OWED(TAKE_UP));
    c->state = STATE(CLARIFYING);
    c->custody = TEAM;
    c->director = x->m->actor.person;
    c->taken_up_at_ms = x->m->now_ms;
    owe_within(x, OWED(START), TEAM, x->m->terms->start);
    return ERROR_NONE;
}

/* The moment "another director" has come: its feedback gets a date, or is owed anew [R22]. */
static void on_director_changed(struct moving *x)
{
    for (size_t i = 0; i < x->c->moment_count; i++) {
        if (x->c->moments[i].event != MOMENT(CHANGE_OF_DIRECTOR))
            continue;
        struct owed_item *item = find_moment(x->c, (uint32_t)i + 1);
        uint32_t date = due(x->m, TEAM, x->m->terms->moment);
        if (!item)
            owe_by(x, OWED(MOMENT), TEAM, date, (uint32_t)i + 1);
        else if (item->due_date == 0)
            item->due_date = date;
    }
}

static enum error on_handover(struct moving *x)
{
    if (!x->m->is_new_director_fit || is_id(x->h->new_director, &x->c->director))
        return ERROR_NO_SUCH_DIRECTOR;
    x->c->director = id_of(x->h->new_director);
    on_director_changed(x);
    return ERROR_NONE;
}

static enum error on_start(struct moving *x)
{
    struct case_file *c = x->c;
    settle(x, OWED(START));
    c->state = STATE(SUPPORT);
    c->involvement = x->h->involvement;
    c->started_at_ms = x->m->now_ms;
    owe_by(x, OWED(CLOSING), TEAM, x->m->today + x->m->terms->closing_days, 0);
    return ERROR_NONE;
}

static enum error on_interim(struct moving *x)
{
    if (x->h->moment != 0)
        return settle_item(x, find_moment(x->c, x->h->moment)) ? ERROR_NONE : ERROR_NOT_OWED;
    struct id owed_id = id_of(x->h->owed_id);
    const struct owed_item *item = case_find_owed(x->c, &owed_id);
    /* Another owed_id is refused as not settled; without one it is feedback that nobody named. */
    bool is_moment = item && item->kind == OWED(MOMENT);
    return !is_moment || settle_item(x, item) ? ERROR_NONE : ERROR_NOT_OWED;
}

static bool is_date_allowed(const struct moving *x)
{
    return x->h->until_date >= x->m->today && x->h->until_date - x->m->today <= CASE_DAYS_AHEAD_MAX;
}

static enum error on_delay(struct moving *x)
{
    struct id owed_id = id_of(x->h->owed_id);
    const struct owed_item *item = case_find_owed(x->c, &owed_id);
    if (!item || item->debtor != TEAM || item->due_date == 0)
        return ERROR_NOT_OWED;
    if (item->is_delayed)
        return ERROR_DELAYED_BEFORE;
    if (!is_date_allowed(x))
        return ERROR_DATE_NOT_ALLOWED;
    struct owed_item *changed = &x->c->owed[item - x->c->owed];
    changed->due_date = x->h->until_date;
    changed->is_delayed = true;
    changed->notices = 0;
    changed->told_date = 0;
    return ERROR_NONE;
}

/* ---- questions and notes ---- */

static enum error on_info_request(struct moving *x)
{
    if (count_owed(x->c, OWED(INFO_REPLY)) >= CASE_QUESTIONS_MAX)
        return ERROR_TOO_MUCH_OWED;
    owe_within(x, OWED(INFO_REPLY), TEAM, x->m->terms->info_reply);
    return ERROR_NONE;
}

static enum error on_info_reply(struct moving *x)
{
    return settle_item(x, find_reply(x->c, x->h->in_reply_to)) ? ERROR_NONE : ERROR_NOT_OWED;
}

static enum error on_note(struct moving *x)
{
    (void)x;
    return ERROR_NONE;
}

/* ---- proposals ---- */

static void propose(struct moving *x, unsigned days)
{
    const struct case_actor *a = &x->m->actor;
    x->c->proposal =
        (struct case_proposal){x->h->kind, a->side, a->person, id_of(x->h->message_id)};
    x->c->was_objected = false;
    owe_within(x, OWED(PROPOSAL_ANSWER), other_side(a->side), days);
}

static enum error on_decline_proposal(struct moving *x)
{
    bool is_serious = x->h->decline_reason == DECLINE(TOO_SERIOUS) ||
                      x->h->decline_reason == DECLINE(SPECIALIST_CARE);
    settle(x, OWED(TAKE_UP));
    propose(x, is_serious ? x->m->terms->serious_answer : x->m->terms->answer);
    return ERROR_NONE;
}

static enum error on_stop_proposal(struct moving *x)
{
    propose(x, x->m->terms->answer);
    return ERROR_NONE;
}

/* The case goes on as before. A team that retracts has nothing to open: it wrote the letter itself. */
static void drop_proposal(struct moving *x)
{
    struct case_file *c = x->c;
    bool was_decline = c->proposal.kind == KIND(DECLINE_PROPOSAL);
    c->proposal = (struct case_proposal){0};
    if (!was_decline || c->state != STATE(REFERRED))
        return;
    owe_within(x, OWED(TAKE_UP), TEAM, x->m->terms->take_up);
    c->owed[c->owed_count - 1].is_opened = x->m->actor.side == TEAM;
}

static bool is_of_others(const struct moving *x, Brug__V1__Side by, const struct id *message_id)
{
    return by != NOBODY && by != x->m->actor.side && is_id(x->h->in_reply_to, message_id);
}

static enum error on_proposal_answer(struct moving *x)
{
    const struct case_proposal *p = &x->c->proposal;
    if (!is_of_others(x, p->by, &p->message_id))
        return ERROR_NO_PROPOSAL;
    bool is_decline = p->kind == KIND(DECLINE_PROPOSAL);
    if (x->h->decision == ACCEPT && x->c->bridging.by != NOBODY)
        return ERROR_BRIDGING_IN_FORCE;
    settle(x, OWED(PROPOSAL_ANSWER));
    if (x->h->decision == ACCEPT) {
        end_case(x, is_decline ? STATE(DECLINED) : STATE(STOPPED),
                 is_decline ? OUTCOME(NOT_TAKEN_UP) : OUTCOME(STOPPED));
        return ERROR_NONE;
    }
    x->c->was_objected = p->by == TEAM;
    drop_proposal(x);
    return ERROR_NONE;
}

static bool may_retract(const struct case_actor *a, Brug__V1__Side by, const struct id *person)
{
    return by == a->side && (id_equal(person, &a->person) || a->role == LEADER || a->role == GP);
}

static enum error on_retract(struct moving *x)
{
    struct case_file *c = x->c;
    if (c->proposal.by != NOBODY && is_id(x->h->in_reply_to, &c->proposal.message_id)) {
        if (!may_retract(&x->m->actor, c->proposal.by, &c->proposal.person))
            return ERROR_NOT_PROPOSER;
        lapse(x, OWED(PROPOSAL_ANSWER));
        drop_proposal(x);
        return ERROR_NONE;
    }
    const struct case_bridging *b = &c->bridging_proposed;
    if (b->by == NOBODY || !is_id(x->h->in_reply_to, &b->message_id))
        return ERROR_NO_PROPOSAL;
    if (!may_retract(&x->m->actor, b->by, &b->person))
        return ERROR_NOT_PROPOSER;
    lapse(x, OWED(BRIDGING_ANSWER));
    c->bridging_proposed = (struct case_bridging){0};
    return ERROR_NONE;
}

/* ---- bridging care ---- */

/* One may be proposed while another is in force: the agreement that follows it. */
static enum error on_bridging_proposal(struct moving *x)
{
    const struct case_actor *a = &x->m->actor;
    if (x->c->bridging_proposed.by != NOBODY)
        return ERROR_PROPOSAL_WAITS;
    if (!is_date_allowed(x))
        return ERROR_DATE_NOT_ALLOWED;
    x->c->bridging_proposed = (struct case_bridging){.by = a->side,
                                                     .person = a->person,
                                                     .message_id = id_of(x->h->message_id),
                                                     .carrier = x->h->bridging_carrier,
                                                     .until_date = x->h->until_date};
    owe_within(x, OWED(BRIDGING_ANSWER), other_side(a->side), x->m->terms->answer);
    return ERROR_NONE;
}

static enum error on_bridging_answer(struct moving *x)
{
    struct case_file *c = x->c;
    struct case_bridging proposed = c->bridging_proposed;
    if (!is_of_others(x, proposed.by, &proposed.message_id))
        return ERROR_NO_PROPOSAL;
    if (x->h->decision == ACCEPT && proposed.until_date < x->m->today)
        return ERROR_DATE_NOT_ALLOWED;
    settle(x, OWED(BRIDGING_ANSWER));
    c->bridging_proposed = (struct case_bridging){0};
    if (x->h->decision == ACCEPT) {
        settle(x, OWED(BRIDGING_DECISION));
        c->bridging = proposed;
    }
    return ERROR_NONE;
}

static enum error on_bridging_end(struct moving *x)
{
    if (x->c->bridging.by == NOBODY && count_owed(x->c, OWED(BRIDGING_DECISION)) == 0)
        return ERROR_NO_BRIDGING;
    settle(x, OWED(BRIDGING_DECISION));
    x->c->bridging = (struct case_bridging){0};
    return ERROR_NONE;
}

bool case_day_comes(struct case_file *c, uint32_t today, int64_t now_ms, unsigned working_days,
                    const struct case_terms *terms)
{
    const Brug__V1__Side sides[] = {PRACTICE, TEAM};
    if (c->bridging.by == NOBODY || c->bridging.until_date >= today)
        return false;
    for (size_t i = 0; i < 2; i++) {
        unsigned mask = sides[i] == TEAM ? working_days : 0;
        owe(c, (struct owed_item){.kind = OWED(BRIDGING_DECISION),
                                  .debtor = sides[i],
                                  .cause = c->bridging.message_id,
                                  .due_date = workdays_add(today, terms->answer, mask),
                                  .born_at_ms = now_ms});
    }
    c->bridging = (struct case_bridging){0};
    return true;
}

/* ---- the table ---- */

enum who {
    ANYBODY, /* of the role */
    DIRECTOR,
    DIRECTOR_IF_ANY,              /* a case that nobody took up has none */
    DIRECTOR_LEADER_OR_COLLEAGUE, /* a colleague while the director is away */
    CLOSER,
};

#define IN(name) (1u << STATE(name))
#define OPEN (IN(REFERRED) | IN(CLARIFYING) | IN(SUPPORT))
#define BEGUN (IN(CLARIFYING) | IN(SUPPORT))
#define ENDED (IN(CLOSED) | IN(DECLINED) | IN(STOPPED) | IN(WITHDRAWN) | IN(ADVISED))
#define ANY (OPEN | IN(CONSULTING) | ENDED)
#define NEW IN(NONE)

static const struct row {
    Brug__V1__Kind kind;
    unsigned states;
    enum who who;
    bool is_stopped_by_proposal, is_stopped_by_bridging;
    enum error (*on)(struct moving *x);
} ROWS[] = {
    {KIND(REFERRAL), NEW, ANYBODY, false, false, on_referral},
    {KIND(CONSULT), NEW, ANYBODY, false, false, on_consult},
    {KIND(ADVICE), IN(CONSULTING), ANYBODY, false, false, on_advice},
    {KIND(CLAIM), IN(REFERRED), ANYBODY, true, false, on_claim},
    {KIND(HANDOVER), BEGUN, DIRECTOR_LEADER_OR_COLLEAGUE, false, false, on_handover},
    {KIND(START), IN(CLARIFYING), DIRECTOR, true, false, on_start},
    {KIND(INTERIM), BEGUN, DIRECTOR, false, false, on_interim},
    {KIND(DELAY), ANY, DIRECTOR_IF_ANY, false, false, on_delay},
    {KIND(INFO_REQUEST), ANY, ANYBODY, false, false, on_info_request},
    {KIND(INFO_REPLY), ANY, ANYBODY, false, false, on_info_reply},
    {KIND(DECLINE_PROPOSAL), IN(REFERRED) | IN(CLARIFYING), ANYBODY, true, true,
     on_decline_proposal},
    {KIND(STOP_PROPOSAL), BEGUN, ANYBODY, true, true, on_stop_proposal},
    {KIND(PROPOSAL_ANSWER), OPEN, ANYBODY, false, false, on_proposal_answer},
    {KIND(RETRACT), OPEN, ANYBODY, false, false, on_retract},
    {KIND(BRIDGING_PROPOSAL), OPEN, ANYBODY, false, false, on_bridging_proposal},
    {KIND(BRIDGING_ANSWER), OPEN, ANYBODY, false, false, on_bridging_answer},
    {KIND(BRIDGING_END), OPEN, ANYBODY, false, false, on_bridging_end},
    {KIND(CLOSING), OPEN, CLOSER, true, true, on_closing},
    {KIND(WITHDRAWAL), IN(REFERRED) | IN(CLARIFYING), ANYBODY, false, true, on_withdrawal},
    {KIND(NOTE), ANY, ANYBODY, false, false, on_note},
};

static const struct row *find_row(Brug__V1__Kind kind)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].kind == kind)
            return &ROWS[i];
    return NULL;
}

enum error case_state_code(Brug__V1__CaseState state)
{
    switch (state) {
    case STATE(REFERRED):
        return ERROR_CASE_REFERRED;
    case STATE(CLARIFYING):
        return ERROR_CASE_CLARIFYING;
    case STATE(SUPPORT):
        return ERROR_CASE_SUPPORT;
    case STATE(CONSULTING):
        return ERROR_CASE_CONSULTING;
    case STATE(NONE):
        return ERROR_NO_SUCH_CASE;
    default:
        return ERROR_CASE_ENDED;
    }
}

/* A practice withdraws as long as it may. */
static unsigned states_of(const struct row *row, Brug__V1__Side side)
{
    return row->kind == KIND(STOP_PROPOSAL) && side == PRACTICE ? IN(SUPPORT) : row->states;
}

static enum error judge_state(const struct row *row, const struct case_file *c, Brug__V1__Side side)
{
    if (1u << c->state & states_of(row, side))
        return ERROR_NONE;
    if (row->states == NEW)
        return ERROR_CASE_EXISTS;
    if (row->kind == KIND(CLAIM) && (1u << c->state & BEGUN))
        return ERROR_CASE_TAKEN;
    return case_state_code(c->state);
}

static bool is_who(enum who who, const struct case_file *c, const struct case_actor *a)
{
    bool is_director = id_equal(&a->person, &c->director);
    switch (who) {
    case DIRECTOR:
        return is_director;
    case DIRECTOR_IF_ANY:
        return is_director || id_is_none(&c->director) || a->is_director_away;
    case DIRECTOR_LEADER_OR_COLLEAGUE:
        return is_director || a->role == LEADER || a->is_director_away;
    case CLOSER:
        return is_closer_director(c, a) || is_closer_leader(c, a);
    default:
        return true;
    }
}

static Brug__V1__Side side_of(Brug__V1__Role role)
{
    return role == GP || role == BRUG__V1__ROLE__ROLE_LOCUM ? PRACTICE : TEAM;
}

static enum error judge_row(const struct row *row, const struct case_file *c,
                            const struct case_actor *a)
{
    if (!row || !roles_may_send(a->role, row->kind) || side_of(a->role) != a->side)
        return ERROR_ROLE_NOT_ALLOWED;
    enum error e = judge_state(row, c, a->side);
    if (e)
        return e;
    if (!is_who(row->who, c, a))
        return ERROR_NOT_DIRECTOR;
    if (row->is_stopped_by_proposal && c->proposal.by != NOBODY)
        return ERROR_PROPOSAL_WAITS;
    if (row->is_stopped_by_bridging && c->bridging.by != NOBODY)
        return ERROR_BRIDGING_IN_FORCE;
    return ERROR_NONE;
}

/* What an answer answers, an end ends. */
static bool has_object(const struct case_file *c, const struct case_actor *a, Brug__V1__Kind kind)
{
    Brug__V1__Side side = a->side;
    switch (kind) {
    case KIND(PROPOSAL_ANSWER):
        return c->proposal.by == other_side(side);
    case KIND(RETRACT):
        return may_retract(a, c->proposal.by, &c->proposal.person) ||
               may_retract(a, c->bridging_proposed.by, &c->bridging_proposed.person);
    case KIND(BRIDGING_PROPOSAL):
        return c->bridging_proposed.by == NOBODY;
    case KIND(BRIDGING_ANSWER):
        return c->bridging_proposed.by == other_side(side);
    case KIND(BRIDGING_END):
        return c->bridging.by != NOBODY || count_owed(c, OWED(BRIDGING_DECISION)) > 0;
    default:
        return true;
    }
}

bool case_allows(const struct case_file *c, const struct case_actor *actor, Brug__V1__Kind kind)
{
    return judge_row(find_row(kind), c, actor) == ERROR_NONE && has_object(c, actor, kind);
}

/* The item that the letter says it settles or delays is one that it does. */
static bool holds_owed_id(const struct moving *x)
{
    struct id owed_id = id_of(x->h->owed_id);
    if (id_is_none(&owed_id) || x->h->kind == KIND(DELAY))
        return true;
    for (size_t i = 0; i < x->ends->count; i++)
        if (!x->ends->items[i].has_lapsed && id_equal(&x->ends->items[i].item.id, &owed_id))
            return true;
    return false;
}

enum error case_judge(const struct case_file *before, const struct case_move *move,
                      struct case_file *after, struct case_ends *ends)
{
    const struct row *row = find_row(move->header->kind);
    enum error e = judge_row(row, before, &move->actor);
    if (e)
        return e;
    struct case_file c = *before;
    struct case_ends ended = {.count = 0};
    struct moving x = {&c, move, move->header, &ended};
    if (before->state == STATE(NONE))
        c.id = id_of(move->header->case_id);
    outage_take_in(&c, move->terms, move->working_days);
    e = row->on(&x);
    if (!e && !holds_owed_id(&x))
        e = ERROR_NOT_OWED;
    if (e)
        return e;
    *after = c;
    *ends = ended;
    return ERROR_NONE;
}

/* ---- soundness ---- */

bool case_is_open(const struct case_file *c) { return 1u << c->state & OPEN; }

static bool is_custody_sound(const struct case_file *c)
{
    bool waits = !id_is_none(&c->closing_id);
    bool is_teams = 1u << c->state & BEGUN || (c->state == STATE(CLOSED) && waits);
    return c->custody == (is_teams ? TEAM : PRACTICE) && (!waits || c->state == STATE(CLOSED));
}

static Brug__V1__Side debtor_of(const struct case_file *c, Brug__V1__OwedKind kind)
{
    if (kind == OWED(PROPOSAL_ANSWER))
        return other_side(c->proposal.by);
    if (kind == OWED(BRIDGING_ANSWER))
        return other_side(c->bridging_proposed.by);
    return TEAM;
}

static bool is_owed_sound(const struct case_file *c)
{
    bool declines = c->proposal.kind == KIND(DECLINE_PROPOSAL);
    const struct {
        Brug__V1__OwedKind kind;
        bool is_owed;
    } exact[] = {
        {OWED(TAKE_UP), c->state == STATE(REFERRED) && !declines},
        {OWED(START), c->state == STATE(CLARIFYING)},
        {OWED(CLOSING), c->state == STATE(SUPPORT)},
        {OWED(ADVICE), c->state == STATE(CONSULTING)},
        {OWED(PROPOSAL_ANSWER), c->proposal.by != NOBODY},
        {OWED(BRIDGING_ANSWER), c->bridging_proposed.by != NOBODY},
    };
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].debtor != debtor_of(c, c->owed[i].kind) &&
            c->owed[i].kind != OWED(BRIDGING_DECISION))
            return false;
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++)
        if (count_owed(c, exact[i].kind) != exact[i].is_owed)
            return false;
    return !case_has_ended(c->state) || count_owed(c, OWED(INFO_REPLY)) == c->owed_count;
}

static bool is_item_sound(const struct case_file *c, size_t i)
{
    const struct owed_item *item = &c->owed[i];
    if (item->kind < OWED(TAKE_UP) || item->kind > OWED(ADVICE) || item->debtor > TEAM)
        return false;
    if (item->kind != OWED(MOMENT))
        return item->moment == 0;
    for (size_t k = 0; k < i; k++)
        if (c->owed[k].kind == OWED(MOMENT) && c->owed[k].moment == item->moment)
            return false;
    return item->moment >= 1 && item->moment <= c->moment_count;
}

/* So many of each that there is always room for what a move bears. */
static bool are_counts_sound(const struct case_file *c)
{
    size_t decisions[] = {0, 0, 0};
    for (size_t i = 0; i < c->owed_count; i++) {
        if (!is_item_sound(c, i))
            return false;
        decisions[c->owed[i].debtor] += c->owed[i].kind == OWED(BRIDGING_DECISION);
    }
    bool has_decisions = decisions[PRACTICE] + decisions[TEAM] > 0;
    return count_owed(c, OWED(INFO_REPLY)) <= CASE_QUESTIONS_MAX && decisions[PRACTICE] <= 1 &&
           decisions[TEAM] <= 1 && decisions[NOBODY] == 0 &&
           (!has_decisions || c->bridging.by == NOBODY);
}

static bool is_proposal_sound(const struct case_proposal *p)
{
    if (p->by == NOBODY)
        return p->kind == KIND(NONE);
    return p->by <= TEAM &&
           (p->kind == KIND(STOP_PROPOSAL) || (p->kind == KIND(DECLINE_PROPOSAL) && p->by == TEAM));
}

bool case_has_ended(Brug__V1__CaseState state) { return state >= STATE(CLOSED); }

bool case_is_sound(const struct case_file *c)
{
    bool waits =
        c->proposal.by != NOBODY || c->bridging_proposed.by != NOBODY || c->bridging.by != NOBODY;
    bool needs_director = 1u << c->state & BEGUN;
    return is_custody_sound(c) && is_owed_sound(c) && are_counts_sound(c) &&
           is_proposal_sound(&c->proposal) && (!waits || case_is_open(c)) &&
           (!needs_director || !id_is_none(&c->director)) &&
           (c->state != STATE(REFERRED) || id_is_none(&c->director));
}
