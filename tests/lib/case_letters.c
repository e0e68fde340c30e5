/* tests/lib/case_letters.c: see case_letters.h. */
#include "tests/lib/case_letters.h"
#include "tests/lib/case_desk.h"
#include <assert.h>
#include <string.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define EVENT(name) BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define CHOICES_MAX (CASE_OWED_MAX + 4)

static const struct id UNKNOWN = {{0xee, 0xee, 0, 0, 0, 0, 0x80, 0, 0x80}};

/* Ids that a field may carry. */
struct choices {
    ProtobufCBinaryData list[CHOICES_MAX];
    size_t count;
};

static void choose(struct choices *c, const struct id *id)
{
    c->list[c->count++] = sample_bytes(id);
}

static bool is_first_of_kind(const struct case_file *c, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (c->owed[j].kind == c->owed[i].kind)
            return false;
    return true;
}

/* What a letter may name as the item that it settles: none, an unknown one, and what is owed: each item, or one of
 * each kind where two of a kind are the same to the letter. */
static void choose_owed(struct choices *out, const struct case_file *c, Brug__V1__Kind kind)
{
    bool takes_each = kind == KIND(INTERIM) || kind == KIND(INFO_REPLY) || kind == KIND(DELAY);
    out->count = 0;
    if (kind != KIND(DELAY)) /* it must have one */
        out->list[out->count++] = (ProtobufCBinaryData){0, NULL};
    choose(out, &UNKNOWN);
    for (size_t i = 0; i < c->owed_count; i++)
        if (takes_each || is_first_of_kind(c, i))
            choose(out, &c->owed[i].id);
}

/* What it may answer: an unknown letter, and all that wait for an answer of some kind. */
static void choose_reply(struct choices *out, const struct case_file *c)
{
    out->count = 0;
    choose(out, &UNKNOWN);
    if (c->proposal.kind != KIND(NONE))
        choose(out, &c->proposal.message_id);
    if (c->bridging_proposed.by != 0)
        choose(out, &c->bridging_proposed.message_id);
    if (c->bridging.by != 0)
        choose(out, &c->bridging.message_id);
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == OWED(INFO_REPLY))
            choose(out, &c->owed[i].cause);
}

#define DATES 5u
#define DATE_WALKED 2u
static void choose_dates(uint32_t out[DATES], uint32_t today)
{
    const uint32_t dates[DATES] = {today - 1, today, today + 30, today + 366, today + 367};
    memcpy(out, dates, sizeof dates);
}

static Brug__V1__Header *add(struct letters *l, bool is_walked)
{
    assert(l->count < LETTERS_MAX);
    struct letter *letter = &l->list[l->count++];
    letter->header = l->sample.header;
    letter->is_new_director_fit = true;
    letter->is_walked = is_walked;
    return &letter->header;
}

/* ---- the kinds ---- */

/* Where a letter need not answer anything, what it says that it answers makes no difference. */
static void add_plain(struct letters *l)
{
    add(l, true);
    add(l, false)->in_reply_to = sample_bytes(&UNKNOWN);
}

static void add_with_owed(struct letters *l, const struct case_file *c, Brug__V1__Kind kind)
{
    struct choices owed;
    choose_owed(&owed, c, kind);
    for (size_t i = 0; i < owed.count; i++)
        add(l, i == 0)->owed_id = owed.list[i];
}

static void add_interims(struct letters *l, const struct case_file *c)
{
    struct choices owed;
    choose_owed(&owed, c, KIND(INTERIM));
    for (size_t i = 0; i < owed.count; i++) {
        for (uint32_t moment = 0; moment <= 3; moment++) {
            Brug__V1__Header *h = add(l, i == 0);
            h->owed_id = owed.list[i];
            h->moment = moment;
        }
    }
}

static void add_answers(struct letters *l, const struct case_file *c, Brug__V1__Kind kind,
                        Brug__V1__Decision decision)
{
    struct choices owed, replies;
    choose_owed(&owed, c, kind);
    choose_reply(&replies, c);
    for (size_t i = 0; i < replies.count; i++) {
        for (size_t j = 0; j < owed.count; j++) {
            Brug__V1__Header *h = add(l, j == 0);
            h->in_reply_to = replies.list[i];
            h->owed_id = owed.list[j];
            h->decision = decision;
        }
    }
}

static void add_retracts(struct letters *l, const struct case_file *c)
{
    struct choices replies;
    choose_reply(&replies, c);
    for (size_t i = 0; i < replies.count; i++)
        add(l, true)->in_reply_to = replies.list[i];
}

/* A walk goes on through one only in a case in which nothing else waits. */
static void add_delays(struct letters *l, const struct case_file *c, uint32_t today)
{
    struct choices owed;
    uint32_t dates[DATES];
    bool is_plain =
        c->proposal.kind == KIND(NONE) && c->bridging_proposed.by == 0 && c->bridging.by == 0;
    choose_owed(&owed, c, KIND(DELAY));
    choose_dates(dates, today);
    for (size_t i = 0; i < owed.count; i++) {
        for (size_t j = 0; j < DATES; j++) {
            Brug__V1__Header *h = add(l, j == DATE_WALKED && is_plain);
            h->owed_id = owed.list[i];
            h->until_date = dates[j];
        }
    }
}

static void add_bridging_proposals(struct letters *l, uint32_t today)
{
    uint32_t dates[DATES];
    choose_dates(dates, today);
    for (size_t i = 0; i < DATES; i++) {
        Brug__V1__Header *h = add(l, i == DATE_WALKED);
        h->until_date = dates[i];
        h->bridging_carrier = (Brug__V1__BridgingCarrier)(1 + i % 2);
    }
}

static bool is_outcome_walked(int outcome)
{
    return outcome == OUTCOME(OWN_SHORT_SUPPORT) || outcome == OUTCOME(ENDED_GP_DISAGREES);
}

static void add_closings(struct letters *l, const struct case_file *c, uint32_t today)
{
    struct choices owed;
    choose_owed(&owed, c, KIND(CLOSING));
    for (int outcome = OUTCOME(OWN_SHORT_SUPPORT); outcome <= OUTCOME(ENDED_GP_DISAGREES);
         outcome++) {
        for (size_t i = 0; i < owed.count; i++) {
            if (i > 0 && !is_outcome_walked(outcome))
                break;
            Brug__V1__Header *h = add(l, i == 0 && is_outcome_walked(outcome));
            h->outcome = (Brug__V1__Outcome)outcome;
            h->owed_id = owed.list[i];
            h->conversations = (uint32_t)outcome - 1;
            h->called_on_date = outcome == OUTCOME(ENDED_GP_DISAGREES) ? today : 0;
        }
    }
}

static void add_handovers(struct letters *l)
{
    const struct case_actor *directors[] = {&ANNA, &BAS};
    for (size_t i = 0; i < 4; i++) {
        add(l, true)->new_director = sample_bytes(&directors[i / 2]->person);
        l->list[l->count - 1].is_new_director_fit = i % 2 == 0;
    }
}

/* Too serious and specialist care with the call's date, another team with its name [T23]. */
static void add_declines(struct letters *l, uint32_t today)
{
    for (int reason = 1; reason <= 4; reason++) {
        Brug__V1__Header *h = add(l, reason == 1);
        h->decline_reason = (Brug__V1__DeclineReason)reason;
        h->called_on_date = reason <= 2 ? today - 1 : 0;
        if (reason == 3)
            h->other_organisation = sample_bytes(&UNKNOWN);
    }
}

/* Two moments at the most. */
static void add_referrals(struct letters *l, const struct case_file *c, uint32_t today)
{
    static Brug__V1__Moment ahead, past, now, conversation, change, again;
    static Brug__V1__Moment *const all[] = {&ahead, &past, &now, &conversation, &change, &again};
    static Brug__V1__Moment *sets[][2] = {
        {NULL, NULL},    {&ahead, NULL},    {&past, &conversation},
        {&change, &now}, {&change, &ahead}, {&change, &again},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        brug__v1__moment__init(all[i]);
    ahead.event = past.event = now.event = EVENT(DATE);
    ahead.date = today + 20;
    past.date = today - 1;
    now.date = today;
    conversation.event = EVENT(AFTER_CONVERSATIONS);
    conversation.conversations = 3;
    change.event = again.event = EVENT(CHANGE_OF_DIRECTOR);
    size_t n = c->state == BRUG__V1__CASE_STATE__CASE_STATE_NONE ? COUNT(sets) : 1;
    for (size_t i = 0; i < n; i++) {
        Brug__V1__Header *h = add(l, true);
        h->moments = sets[i];
        h->n_moments = (sets[i][0] != NULL) + (sets[i][1] != NULL);
        if (i == 1)
            h->linked_case = sample_bytes(&UNKNOWN);
    }
}

static void add_kind(struct letters *l, const struct case_file *c, uint32_t today,
                     Brug__V1__Kind kind)
{
    switch (kind) {
    case KIND(REFERRAL):
        add_referrals(l, c, today);
        break;
    case KIND(HANDOVER):
        add_handovers(l);
        break;
    case KIND(ADVICE):
    case KIND(START):
    case KIND(BRIDGING_END):
        add_with_owed(l, c, kind);
        break;
    case KIND(INTERIM):
        add_interims(l, c);
        break;
    case KIND(DELAY):
        add_delays(l, c, today);
        break;
    case KIND(INFO_REPLY):
        add_answers(l, c, kind, BRUG__V1__DECISION__DECISION_NONE);
        break;
    case KIND(DECLINE_PROPOSAL):
        add_declines(l, today);
        break;
    case KIND(PROPOSAL_ANSWER):
    case KIND(BRIDGING_ANSWER):
        add_answers(l, c, kind, BRUG__V1__DECISION__DECISION_ACCEPT);
        add_answers(l, c, kind, BRUG__V1__DECISION__DECISION_OBJECT);
        break;
    case KIND(RETRACT):
        add_retracts(l, c);
        break;
    case KIND(BRIDGING_PROPOSAL):
        add_bridging_proposals(l, today);
        break;
    case KIND(CLOSING):
        add_closings(l, c, today);
        break;
    default:
        add_plain(l);
        break;
    }
}

void letters_write(struct letters *l, const struct case_file *c, uint32_t today,
                   Brug__V1__Kind kind)
{
    sample_header_init(&l->sample, kind);
    l->sample.header.message_id = sample_bytes(&l->message_id);
    l->count = 0;
    add_kind(l, c, today, kind);
}
