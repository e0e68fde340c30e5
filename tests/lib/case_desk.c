/* tests/lib/case_desk.c: see case_desk.h. */
#include "tests/lib/case_desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM

#define PERSON(n) \
    { \
        { \
            0, 0, 9, n, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1 \
        } \
    }

const struct case_actor ANNA = {TEAM, ROLE(CONSULTANT), PERSON(1), false};
const struct case_actor BAS = {TEAM, ROLE(CONSULTANT), PERSON(2), false};
const struct case_actor LEA = {TEAM, ROLE(LEADER), PERSON(3), false};
const struct case_actor FENNA = {PRACTICE, ROLE(GP), PERSON(4), false};
const struct case_actor GIJS = {PRACTICE, ROLE(GP), PERSON(5), false};
const struct case_actor LOES = {PRACTICE, ROLE(LOCUM), PERSON(6), false};
const struct case_actor LEO = {PRACTICE, ROLE(LOCUM), PERSON(7), false};

void desk_init(struct desk *d, uint32_t today)
{
    memset(d, 0, sizeof *d);
    d->terms = CASE_TERMS;
    d->today = today;
    d->now_ms = (int64_t)today * 86400000 + 32400000;
    d->is_new_director_fit = true;
    d->letters = 1000;
}

static const struct owed_item *find(const struct case_file *c, Brug__V1__OwedKind kind,
                                    Brug__V1__Side debtor)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == kind && (debtor == 0 || c->owed[i].debtor == debtor))
            return &c->owed[i];
    return NULL;
}

void desk_point(Brug__V1__Header *header, const struct case_file *c)
{
    const struct owed_item *question = find(c, OWED(INFO_REPLY), 0);
    switch (header->kind) {
    case KIND(HANDOVER):
        header->new_director = sample_bytes(&BAS.person);
        break;
    case KIND(PROPOSAL_ANSWER):
    case KIND(RETRACT):
        header->in_reply_to = sample_bytes(&c->proposal.message_id);
        break;
    case KIND(BRIDGING_ANSWER):
        header->in_reply_to = sample_bytes(&c->bridging_proposed.message_id);
        break;
    case KIND(INFO_REPLY):
        if (question)
            header->in_reply_to = sample_bytes(&question->cause);
        break;
    default:
        break;
    }
}

Brug__V1__Header *desk_write(struct desk *d, Brug__V1__Kind kind)
{
    Brug__V1__Header *h = &d->letter.header;
    sample_header_init(&d->letter, kind);
    d->message_id = sample_id(7, ++d->letters);
    h->message_id = sample_bytes(&d->message_id);
    h->n_moments = 0;
    if (h->until_date != 0)
        h->until_date = d->today + 30;
    if (h->called_on_date != 0)
        h->called_on_date = d->today;
    desk_point(h, &d->c);
    return h;
}

void desk_name_moment(struct desk *d, Brug__V1__MomentEvent event, uint32_t date)
{
    Brug__V1__Moment *m = &d->letter.moment;
    m->event = event;
    m->date = date;
    m->conversations = event == BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_AFTER_CONVERSATIONS ? 3 : 0;
    d->letter.header.n_moments = 1;
}

enum error desk_send(struct desk *d, const struct case_actor *actor)
{
    const struct case_move move = {
        .header = &d->letter.header,
        .actor = *actor,
        .is_new_director_fit = d->is_new_director_fit,
        .today = d->today,
        .now_ms = ++d->now_ms,
        .working_days = d->working_days,
        .terms = &d->terms,
    };
    struct case_file after;
    enum error e = case_judge(&d->c, &move, &after, &d->ends);
    if (e == ERROR_NONE)
        d->c = after;
    assert_true(case_is_sound(&d->c));
    return e;
}

void desk_do(struct desk *d, const struct case_actor *actor, Brug__V1__Kind kind)
{
    desk_write(d, kind);
    enum error e = desk_send(d, actor);
    if (e != ERROR_NONE)
        fail_msg("kind %d: %s", (int)kind, error_name(e));
}

void desk_refuse(struct desk *d, const struct case_actor *actor, Brug__V1__Kind kind,
                 enum error code)
{
    desk_write(d, kind);
    enum error e = desk_send(d, actor);
    if (e != code)
        fail_msg("kind %d: %s instead of %s", (int)kind, error_name(e), error_name(code));
}

void desk_wait_until(struct desk *d, uint32_t date)
{
    d->now_ms += (int64_t)(date - d->today) * 86400000;
    d->today = date;
    (void)case_day_comes(&d->c, d->today, d->now_ms, d->working_days, &d->terms);
    assert_true(case_is_sound(&d->c));
}

unsigned desk_count(const struct desk *d, Brug__V1__OwedKind kind)
{
    unsigned n = 0;
    for (size_t i = 0; i < d->c.owed_count; i++)
        n += d->c.owed[i].kind == kind;
    return n;
}

const struct owed_item *desk_owed_by(const struct desk *d, Brug__V1__OwedKind kind,
                                     Brug__V1__Side debtor)
{
    const struct owed_item *item = find(&d->c, kind, debtor);
    if (!item)
        fail_msg("owed kind %d is not owed", (int)kind);
    return item;
}

const struct owed_item *desk_owed(const struct desk *d, Brug__V1__OwedKind kind)
{
    assert_int_equal(desk_count(d, kind), 1);
    return desk_owed_by(d, kind, 0);
}

/* ---- ways into a state ---- */

void desk_refer(struct desk *d)
{
    desk_init(d, DESK_MONDAY);
    desk_do(d, &FENNA, KIND(REFERRAL));
}

void desk_refer_with_moment(struct desk *d, Brug__V1__MomentEvent event, uint32_t date)
{
    desk_init(d, DESK_MONDAY);
    desk_write(d, KIND(REFERRAL));
    desk_name_moment(d, event, date);
    assert_int_equal(desk_send(d, &FENNA), ERROR_NONE);
}

void desk_clarify(struct desk *d)
{
    desk_refer(d);
    desk_do(d, &ANNA, KIND(CLAIM));
}

void desk_support(struct desk *d)
{
    desk_clarify(d);
    desk_do(d, &ANNA, KIND(START));
}

static void consult(struct desk *d)
{
    desk_init(d, DESK_MONDAY);
    desk_do(d, &FENNA, KIND(CONSULT));
}

void desk_close(struct desk *d)
{
    desk_support(d);
    desk_do(d, &ANNA, KIND(CLOSING));
}

static void decline(struct desk *d)
{
    desk_refer(d);
    desk_do(d, &ANNA, KIND(DECLINE_PROPOSAL));
    desk_do(d, &FENNA, KIND(PROPOSAL_ANSWER));
}

static void stop(struct desk *d)
{
    desk_support(d);
    desk_do(d, &ANNA, KIND(STOP_PROPOSAL));
    desk_do(d, &FENNA, KIND(PROPOSAL_ANSWER));
}

static void withdraw(struct desk *d)
{
    desk_refer(d);
    desk_do(d, &FENNA, KIND(WITHDRAWAL));
}

static void advise(struct desk *d)
{
    consult(d);
    desk_do(d, &ANNA, KIND(ADVICE));
}

const struct desk_way DESK_WAYS[DESK_WAY_COUNT] = {
    {desk_refer, STATE(REFERRED)},  {desk_clarify, STATE(CLARIFYING)},
    {desk_support, STATE(SUPPORT)}, {consult, STATE(CONSULTING)},
    {desk_close, STATE(CLOSED)},    {decline, STATE(DECLINED)},
    {stop, STATE(STOPPED)},         {withdraw, STATE(WITHDRAWN)},
    {advise, STATE(ADVISED)},
};

void desk_bridge(struct desk *d)
{
    desk_do(d, &ANNA, KIND(BRIDGING_PROPOSAL));
    desk_do(d, &FENNA, KIND(BRIDGING_ANSWER));
}

void desk_object(struct desk *d, const struct case_actor *actor, Brug__V1__Kind kind)
{
    desk_write(d, kind)->decision = BRUG__V1__DECISION__DECISION_OBJECT;
    assert_int_equal(desk_send(d, actor), ERROR_NONE);
}

enum error desk_close_as(struct desk *d, const struct case_actor *actor, Brug__V1__Outcome outcome)
{
    desk_write(d, KIND(CLOSING))->outcome = outcome;
    return desk_send(d, actor);
}
