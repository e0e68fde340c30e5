/*
 * tests/lib/sim_people.c: what the people of a simulated world do with their cases.
 *
 * They go by the case as it is on disk when they write; what they write may arrive days later, when it is not so any more.
 * One letter in some is of any kind, or points at what is not there.
 */
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define MOMENT(name) BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_##name
#define CLIENT(name) BRUG__V1__CLIENT_FRAME__FRAME_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define RISKS \
    (BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED | \
     BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED)
#define NEWEST_CASES 24u
#define STRAY 12u /* one id in so many is another than it should be */
#define ANY_KIND 10u
#define FIRST_KEY 4u /* one letter of a team in so many: a family key, while it has none */
#define NEW_KEY 60u  /* later */
#define DAY_MS INT64_C(86400000)
#define ABSENT_DAYS 12u
#define FIGURE_DAYS_BACK 120u

/* ---- which case ---- */

static bool is_of(const struct sim_client *c, const struct sim_dossier *d)
{
    const struct id *own = &c->e.organisation;
    return d->count > 0 && id_equal(c->is_practice ? &d->practice : &d->team, own);
}

static bool has_ended(const struct sim_dossier *d)
{
    return sim_dossier_now(d)->state >= STATE(CLOSED);
}

static bool is_overdue(const struct sim_client *c, const struct sim_dossier *d)
{
    const struct case_file *file = sim_dossier_now(d);
    Brug__V1__Side side = c->is_practice ? PRACTICE : TEAM;
    for (size_t i = 0; i < file->owed_count; i++)
        if (file->owed[i].debtor == side && file->owed[i].notices > 1)
            return true;
    return false;
}

/* Anybody's of a practice; of a team its director's, more or less. */
static bool is_its(struct sim *w, const struct sim_client *c, const struct sim_dossier *d)
{
    const struct id *director = &sim_dossier_now(d)->director;
    return c->is_practice || id_is_none(director) || id_equal(director, &c->person) ||
           sim_one_in(w, 4);
}

/* One of its organisation's: mostly one in which it owes something too long, else a recent one that is open. NULL: none
 * was found. */
static const struct sim_dossier *some_case(struct sim *w, const struct sim_client *c)
{
    struct sim_cases *k = w->cases;
    bool has_time = sim_one_in(w, 3);
    for (unsigned tries = 0; tries < 32 && k->count > 0; tries++) {
        size_t newest = k->count < NEWEST_CASES || tries < 24 ? k->count : NEWEST_CASES;
        const struct sim_dossier *d = k->list[k->count - 1 - sim_below(w, newest)];
        bool is_urgent = is_of(c, d) && is_overdue(c, d) && is_its(w, c, d);
        bool is_next = (has_time || tries >= 24) && is_of(c, d);
        if (is_urgent || (is_next && (!has_ended(d) || sim_one_in(w, 6))))
            return d;
    }
    return NULL;
}

/* ---- which kind ---- */

#define IN(name) (1u << STATE(name))
#define BEGUN (IN(CLARIFYING) | IN(SUPPORT))
#define OPEN (IN(REFERRED) | BEGUN)
#define ANY (~0u)

static const struct habit {
    Brug__V1__Side side;
    unsigned states;
    Brug__V1__Kind kind;
    unsigned weight;
} HABITS[] = {
    {TEAM, IN(REFERRED), KIND(CLAIM), 12},
    {TEAM, IN(REFERRED) | IN(CLARIFYING), KIND(DECLINE_PROPOSAL), 2},
    {TEAM, IN(CLARIFYING), KIND(START), 16},
    {TEAM, BEGUN, KIND(INTERIM), 3},
    {TEAM, BEGUN, KIND(HANDOVER), 4},
    {TEAM, BEGUN, KIND(STOP_PROPOSAL), 1},
    {TEAM, BEGUN, KIND(CLOSING), 12},
    {TEAM, OPEN, KIND(BRIDGING_PROPOSAL), 1},
    {TEAM, OPEN, KIND(RETRACT), 1},
    {TEAM, ANY, KIND(DELAY), 1},
    {TEAM, IN(CONSULTING), KIND(ADVICE), 6},
    {TEAM, ANY, KIND(NOTE), 1},
    {PRACTICE, IN(REFERRED) | IN(CLARIFYING), KIND(WITHDRAWAL), 1},
    {PRACTICE, ANY, KIND(INFO_REQUEST), 4},
    {PRACTICE, IN(SUPPORT), KIND(STOP_PROPOSAL), 1},
    {PRACTICE, OPEN, KIND(BRIDGING_PROPOSAL), 1},
    {PRACTICE, OPEN, KIND(RETRACT), 1},
    {PRACTICE, ANY, KIND(NOTE), 6},
};

static bool fits(const struct habit *h, Brug__V1__Side side, const struct case_file *c)
{
    return h->side == side && (h->states & 1u << c->state);
}

static Brug__V1__Kind habitual(struct sim *w, Brug__V1__Side side, const struct case_file *c)
{
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof HABITS / sizeof HABITS[0]; i++)
        sum += fits(&HABITS[i], side, c) ? HABITS[i].weight : 0;
    unsigned left = (unsigned)sim_below(w, sum);
    for (size_t i = 0; i < sizeof HABITS / sizeof HABITS[0]; i++) {
        unsigned weight = fits(&HABITS[i], side, c) ? HABITS[i].weight : 0;
        if (left < weight)
            return HABITS[i].kind;
        left -= weight;
    }
    return KIND(NOTE);
}

static const struct owed_item *some_item(struct sim *w, const struct case_file *c,
                                         Brug__V1__OwedKind kind)
{
    const struct owed_item *found = NULL;
    for (size_t i = 0; i < c->owed_count; i++)
        if ((!kind || c->owed[i].kind == kind) && (!found || sim_one_in(w, 2)))
            found = &c->owed[i];
    return found;
}

/* What waits for this side's word; NONE: nothing. */
static Brug__V1__Kind asked_for(struct sim *w, Brug__V1__Side side, const struct case_file *c)
{
    if (c->proposal.by && c->proposal.by != side)
        return KIND(PROPOSAL_ANSWER);
    if (c->bridging_proposed.by && c->bridging_proposed.by != side)
        return KIND(BRIDGING_ANSWER);
    if (side == TEAM && some_item(w, c, OWED(INFO_REPLY)))
        return KIND(INFO_REPLY);
    if (c->bridging.by || some_item(w, c, OWED(BRIDGING_DECISION)))
        return sim_one_in(w, 4) ? KIND(BRIDGING_END) : KIND(NONE);
    return KIND(NONE);
}

/* What is the director's work others mostly leave to it, and nobody retracts what was not proposed. */
static bool is_sensible(struct sim *w, const struct sim_client *who, const struct case_file *c,
                        Brug__V1__Kind kind)
{
    Brug__V1__Side side = who->is_practice ? PRACTICE : TEAM;
    bool is_director = id_equal(&who->person, &c->director);
    switch (kind) {
    case KIND(START):
    case KIND(INTERIM):
        return is_director || sim_one_in(w, 12);
    case KIND(CLOSING):
    case KIND(HANDOVER):
        return is_director || who->role == ROLE(LEADER) || sim_one_in(w, 12);
    case KIND(RETRACT):
        return c->proposal.by == side || c->bridging_proposed.by == side || sim_one_in(w, 12);
    default:
        return true;
    }
}

static Brug__V1__Kind kind_for(struct sim *w, const struct sim_client *who,
                               const struct case_file *c)
{
    Brug__V1__Side side = who->is_practice ? PRACTICE : TEAM;
    if (sim_one_in(w, ANY_KIND))
        return (Brug__V1__Kind)(KIND(REFERRAL) + sim_below(w, KIND(NOTE)));
    Brug__V1__Kind kind = sim_one_in(w, 3) ? KIND(NONE) : asked_for(w, side, c);
    for (unsigned tries = 0; tries < 6 && !kind; tries++) {
        kind = habitual(w, side, c);
        if (!is_sensible(w, who, c, kind))
            kind = KIND(NONE);
    }
    return kind ? kind : KIND(NOTE);
}

/* ---- what it says ---- */

static struct id or_stray(struct sim *w, const struct id *id)
{
    return id_is_none(id) || sim_one_in(w, STRAY) ? sim_id(w, 8) : *id;
}

static uint32_t date_within(struct sim *w, uint32_t days)
{
    return oracle_today(sim_now(w).wall_ms) + (uint32_t)sim_below(w, days);
}

/* Now and then one that has passed, or is too far. */
static uint32_t some_date(struct sim *w, uint32_t days)
{
    uint32_t today = date_within(w, 1);
    if (sim_one_in(w, STRAY))
        return today - 1;
    return sim_one_in(w, 30) ? today + 365 + (uint32_t)sim_below(w, 3) : date_within(w, days);
}

static Brug__V1__Decision some_decision(struct sim *w)
{
    return sim_one_in(w, 2) ? BRUG__V1__DECISION__DECISION_ACCEPT
                            : BRUG__V1__DECISION__DECISION_OBJECT;
}

static void write_referral(struct sim *w, struct stage_codes *out)
{
    out->reason = (Brug__V1__Reason)(1 + sim_below(w, 4));
    out->request_type = (Brug__V1__RequestType)(1 + sim_below(w, 4));
    for (size_t i = 0; i < STAGE_MOMENTS_MAX; i++) {
        struct case_moment *m = &out->moments[i];
        m->event = (Brug__V1__MomentEvent)sim_below(w, MOMENT(AFTER_CONVERSATIONS) + 1);
        m->date = m->event == MOMENT(DATE) ? some_date(w, 30) : 0;
        m->conversations = m->event == MOMENT(AFTER_CONVERSATIONS) ? 3 : 0;
    }
}

static struct id some_colleague(struct sim *w, const struct id *organisation)
{
    for (unsigned tries = 0; tries < 12; tries++) {
        const struct sim_client *c = &w->clients[sim_below(w, w->client_count)];
        bool is_consultant = c->role == ROLE(CONSULTANT) || sim_one_in(w, 6);
        if (id_equal(&c->e.organisation, organisation) && !id_is_none(&c->e.person) &&
            is_consultant)
            return c->e.person;
    }
    return sim_id(w, 4);
}

static void write_decline(struct sim *w, struct stage_codes *out)
{
    out->decline_reason = (Brug__V1__DeclineReason)(1 + sim_below(w, 4));
    if (out->decline_reason <= BRUG__V1__DECLINE_REASON__DECLINE_REASON_SPECIALIST_CARE)
        out->called_on_date = date_within(w, 1);
    if (out->decline_reason == BRUG__V1__DECLINE_REASON__DECLINE_REASON_OTHER_TEAM)
        out->other_organisation = sim_id(w, 4);
}

static void write_closing(struct sim *w, const struct sim_client *who, const struct case_file *c,
                          struct stage_codes *out)
{
    static const Brug__V1__Outcome OUTCOMES[] = {
        OUTCOME(OWN_SHORT_SUPPORT), OUTCOME(LOCAL_PROVISION), OUTCOME(YOUTH_CARE),
        OUTCOME(EXISTING_PLAN),     OUTCOME(NO_HELP_NEEDED),  OUTCOME(NOT_TAKEN_UP)};
    out->outcome = OUTCOMES[sim_below(w, sizeof OUTCOMES / sizeof OUTCOMES[0])];
    out->conversations = (uint32_t)sim_below(w, 9);
    if (who->role == ROLE(LEADER) || (c->was_objected && sim_one_in(w, 4))) {
        out->outcome = OUTCOME(ENDED_GP_DISAGREES);
        out->called_on_date = date_within(w, 1);
    }
}

static struct id cause_of(const struct owed_item *item) { return item ? item->cause : ID_NONE; }
static struct id id_of(const struct owed_item *item) { return item ? item->id : ID_NONE; }

static void write_answer(struct sim *w, const struct id *to, struct stage_codes *out)
{
    out->in_reply_to = or_stray(w, to);
    out->decision = some_decision(w);
}

/* What its kind needs; in_reply_to and owed_id of what there is, or stray ones. */
static void fill(struct sim *w, const struct sim_client *who, const struct sim_dossier *d,
                 struct stage_letter *l)
{
    const struct case_file *c = sim_dossier_now(d);
    struct stage_codes *out = &l->codes;
    const struct owed_item *moment = some_item(w, c, OWED(MOMENT));
    struct id id;
    switch (l->kind) {
    case KIND(REFERRAL):
        write_referral(w, out);
        break;
    case KIND(HANDOVER):
        out->new_director = some_colleague(
            w,
            sim_one_in(w, 6) ? &w->organisations[sim_below(w, w->organisation_count)] : &d->team);
        break;
    case KIND(START):
        out->involvement = (Brug__V1__Involvement)(1 + sim_below(w, 3));
        break;
    case KIND(INTERIM):
        out->moment = moment ? moment->moment : (uint32_t)sim_below(w, 4) / 3;
        out->flags = sim_one_in(w, 4) ? BRUG__V1__HEADER_FLAG__HEADER_FLAG_WITHHELD : 0;
        break;
    case KIND(DELAY):
        id = id_of(some_item(w, c, 0));
        out->owed_id = or_stray(w, &id);
        out->until_date = some_date(w, 20);
        break;
    case KIND(INFO_REPLY):
        id = cause_of(some_item(w, c, OWED(INFO_REPLY)));
        out->in_reply_to = or_stray(w, &id);
        break;
    case KIND(DECLINE_PROPOSAL):
        write_decline(w, out);
        break;
    case KIND(STOP_PROPOSAL):
        out->stop_reason = (Brug__V1__StopReason)(1 + sim_below(w, 4));
        break;
    case KIND(PROPOSAL_ANSWER):
        write_answer(w, &c->proposal.message_id, out);
        break;
    case KIND(RETRACT):
        out->in_reply_to = or_stray(w, c->proposal.by ? &c->proposal.message_id
                                                      : &c->bridging_proposed.message_id);
        break;
    case KIND(BRIDGING_PROPOSAL):
        out->carrier = (Brug__V1__BridgingCarrier)(1 + sim_below(w, 2));
        out->until_date = some_date(w, 14);
        out->flags = RISKS;
        break;
    case KIND(BRIDGING_ANSWER):
        write_answer(w, &c->bridging_proposed.message_id, out);
        out->flags = RISKS;
        break;
    case KIND(CLOSING):
        write_closing(w, who, c, out);
        break;
    default:
        break;
    }
}

/* Some say which item they settle; that may be another than they do. */
static void name_item(struct sim *w, const struct case_file *c, struct stage_letter *l)
{
    static const struct {
        Brug__V1__Kind kind;
        Brug__V1__OwedKind owed;
    } SETTLES[] = {{KIND(ADVICE), OWED(ADVICE)},
                   {KIND(START), OWED(START)},
                   {KIND(INFO_REPLY), OWED(INFO_REPLY)},
                   {KIND(PROPOSAL_ANSWER), OWED(PROPOSAL_ANSWER)},
                   {KIND(BRIDGING_ANSWER), OWED(BRIDGING_ANSWER)},
                   {KIND(BRIDGING_END), OWED(BRIDGING_DECISION)},
                   {KIND(CLOSING), OWED(CLOSING)}};
    for (size_t i = 0; i < sizeof SETTLES / sizeof SETTLES[0]; i++)
        if (SETTLES[i].kind == l->kind)
            l->codes.owed_id = id_of(some_item(w, c, sim_one_in(w, STRAY) ? 0 : SETTLES[i].owed));
}

/* ---- a new letter ---- */

static void open_case(struct sim *w, const struct sim_client *c, struct stage_letter *l)
{
    size_t in_home = id_equal(&c->municipality, &w->municipalities[0]) ? 2 + sim_below(w, 2) : 5;
    l->kind = sim_one_in(w, 6) ? KIND(CONSULT) : KIND(REFERRAL);
    l->case_id = sim_id(w, 4);
    l->to = w->organisations[sim_one_in(w, 40) ? 2 : in_home];
    if (l->kind == KIND(REFERRAL))
        write_referral(w, &l->codes);
}

/* A family key for the own team; now and then it replaces another than the one in force. */
static void make_key(struct sim *w, const struct sim_client *c, struct stage_letter *l)
{
    l->kind = KIND(FAMILY_KEY);
    l->to = c->e.organisation;
    l->codes.key_id = sim_id(w, 4);
    l->codes.replaced_key = sim_one_in(w, 6) ? sim_id(w, 4) : sim_key_of(w, &l->to);
}

void sim_people_address(struct sim *w, const struct sim_client *c, struct stage_letter *l)
{
    const struct sim_dossier *d = some_case(w, c);
    if (c->is_practice && (!d || sim_one_in(w, 4))) {
        open_case(w, c, l);
        return;
    }
    struct id key = c->is_practice ? ID_NONE : sim_key_of(w, &c->e.organisation);
    if (!c->is_practice && sim_one_in(w, id_is_none(&key) ? FIRST_KEY : NEW_KEY)) {
        make_key(w, c, l);
        return;
    }
    l->kind = KIND(NOTICE);
    l->to = w->organisations[sim_below(w, 2)];
    if (!d)
        return;
    l->kind = kind_for(w, c, sim_dossier_now(d));
    l->case_id = sim_one_in(w, 40) ? sim_id(w, 4) : d->id;
    l->to = c->is_practice ? d->team : d->practice;
    fill(w, c, d, l);
    if (sim_one_in(w, 4))
        name_item(w, sim_dossier_now(d), l);
}

/* ---- questions ---- */

static void ask_case(struct sim *w, struct sim_client *c, enum sim_asked asked, const struct id *id)
{
    struct buf b;
    uint64_t request = sim_ask(w, asked, c);
    w->questions[request].key.id = *id;
    w->questions[request].twin = asked == SIM_ASKED_FOREIGN ? request + 1 : request - 1;
    ask_get_case(&b, request, id);
    sim_link_send(w, c->link, request, CLIENT(GET_CASE), &b);
}

/* Of others, and of nobody. */
static void ask_foreign(struct sim *w, struct sim_client *c)
{
    const struct sim_dossier *d = w->cases->list[sim_below(w, w->cases->count)];
    struct id unknown = sim_id(w, 4);
    if (is_of(c, d) != (w->sabotage == SIM_FOREIGN_IS_OWN))
        return;
    ask_case(w, c, SIM_ASKED_FOREIGN, &d->id);
    ask_case(w, c, SIM_ASKED_UNKNOWN, &unknown);
}

static void ask_page(struct sim *w, struct sim_client *c, const struct id *after, bool ended)
{
    struct buf b;
    uint64_t request = sim_ask(w, SIM_ASKED_PAGE, c);
    struct sim_question *q = &w->questions[request];
    q->page.after = *after;
    q->page.cases_max = 1 + (uint32_t)sim_below(w, 9);
    q->page.ended = ended;
    ask_list_cases(&b, request, after, q->page.cases_max, ended);
    sim_link_send(w, c->link, request, CLIENT(LIST_CASES), &b);
}

void sim_people_on_page(struct sim *w, struct sim_client *c, const struct sim_question *q,
                        const Brug__V1__Cases *page)
{
    struct id after;
    if (page->next.len > 0 && c->link && id_take(page->next, &after))
        ask_page(w, c, &after, q->page.ended);
}

/* Mostly under the key in force, and of a case that has a director. */
static void put_tags(struct sim *w, struct sim_client *c)
{
    struct buf b;
    const struct sim_dossier *d = some_case(w, c);
    for (unsigned tries = 0; tries < 6 && d && !(1u << sim_dossier_now(d)->state & BEGUN); tries++)
        d = some_case(w, c);
    if (!d)
        return;
    struct id key = sim_key_of(w, &c->e.organisation);
    if (id_is_none(&key) || sim_one_in(w, STRAY))
        key = sim_id(w, 4);
    uint64_t request = sim_ask(w, SIM_ASKED_PUT, c);
    ask_put_tags(&b, request, &d->id, &key, sim_child_of(&d->id), sim_house_of(&d->id));
    sim_link_send(w, c->link, request, CLIENT(PUT_TAGS), &b);
}

static void put_absence(struct sim *w, struct sim_client *c)
{
    struct buf b;
    int64_t now_ms = sim_now(w).wall_ms;
    int64_t until_ms =
        sim_one_in(w, 2) ? 0 : now_ms + (int64_t)sim_below(w, ABSENT_DAYS * (uint64_t)DAY_MS);
    uint64_t request = sim_ask(w, SIM_ASKED_PUT, c);
    ask_put_absence(&b, request, until_ms);
    sim_link_send(w, c->link, request, CLIENT(PUT_ABSENCE), &b);
}

static void put_card(struct sim *w, struct sim_client *c)
{
    struct buf b;
    uint64_t request = sim_ask(w, SIM_ASKED_PUT, c);
    ask_put_card(&b, request, (uint32_t)sim_below(w, 128));
    sim_link_send(w, c->link, request, CLIENT(PUT_CARD), &b);
}

/* Of a period of this year; a team mostly of itself, also while it runs. */
static void ask_figures(struct sim *w, struct sim_client *c)
{
    struct buf b;
    uint64_t request = sim_ask(w, SIM_ASKED_FIGURES, c);
    struct sim_question *q = &w->questions[request];
    q->key.id = c->municipality;
    q->figures.inside = !c->is_practice && !sim_one_in(w, 3);
    q->figures.date =
        oracle_today(sim_now(w).wall_ms) + 10 - (uint32_t)sim_below(w, FIGURE_DAYS_BACK);
    ask_get_figures(&b, request, &c->municipality, (Brug__V1__FigurePeriod)(1 + sim_below(w, 5)),
                    q->figures.date, q->figures.inside);
    sim_link_send(w, c->link, request, CLIENT(GET_FIGURES), &b);
}

void sim_people_ask(struct sim *w, struct sim_client *c)
{
    const struct sim_dossier *d = some_case(w, c);
    uint64_t what = sim_below(w, c->is_practice ? 24 : 44);
    if (what < 5 && d && c->reads)
        ask_case(w, c, SIM_ASKED_CASE, &d->id);
    else if (what < 9 && c->reads)
        ask_page(w, c, &ID_NONE, sim_one_in(w, 2));
    else if (what < 12 && w->cases->count > 0 && c->reads)
        ask_foreign(w, c);
    else if (what < 14 && !c->is_practice)
        put_absence(w, c);
    else if (what < 15 && !c->is_practice && sim_one_in(w, 4))
        put_card(w, c);
    else if (what >= 24)
        put_tags(w, c);
    else if (what >= 16)
        ask_figures(w, c);
}
