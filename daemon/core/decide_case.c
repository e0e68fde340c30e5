/*
 * daemon/core/decide_case.c: a letter moves its case (rules/case.h), and what is told of cases.
 *
 * I6: a case of others and one that does not exist get the same answer.
 */
#include "daemon/core/decide.h"
#include "proto/limits.h"
#include "rules/workdays.h"
#include <assert.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define PRACTICE BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE

static const struct case_file NO_CASE;

/* ---- the director ---- */

/* Whether nobody can do a director's work: absent, suspended, without a client, or moved on. */
static bool is_away(const struct person *p, int64_t now_ms)
{
    const struct organisation *o = p->organisation;
    bool has_endpoint = false;
    for (size_t i = 0; i < o->readers.count; i++) {
        const struct endpoint *e = o->readers.items[i];
        if (e->person != p)
            continue;
        if (e->row->away_until_ms > now_ms)
            return true;
        has_endpoint = true;
    }
    return !has_endpoint || !person_is_active(p);
}

static bool is_director_away(const struct state *s, const struct case_file *c, int64_t now_ms)
{
    const struct person *p = person_find(s, id_bytes(&c->director));
    return p && is_away(p, now_ms);
}

static bool is_fit_director(const struct state *s, const struct organisation *team,
                            ProtobufCBinaryData person)
{
    const struct person *p = person_find(s, person);
    return p && p->organisation == team && person_is_active(p) &&
           p->row->role == BRUG__V1__ROLE__ROLE_CONSULTANT;
}

/* ---- what is recorded ---- */

struct moved {
    struct case_file file;
    struct case_ends ends;
    struct case_row row;
    Brug__V1__CaseMoved record;
    Brug__V1__OwedItem items[CASE_OWED_MAX];
    Brug__V1__OwedEnd ended[CASE_OWED_MAX], *ended_list[CASE_OWED_MAX];
};

static struct moved *moved_new(struct decision *d)
{
    struct moved *m = decision_alloc(d, 1, sizeof *m);
    brug__v1__case_moved__init(&m->record);
    return m;
}

/* Fills the record from file and ends; `was` has what a move never changes. */
static void write(struct moved *m, const Brug__V1__Case *was)
{
    case_row_write(&m->file, was, &m->row);
    m->record.case_now = &m->row.row;
    m->record.n_ended = m->ends.count;
    m->record.ended = m->ended_list;
    for (size_t i = 0; i < m->ends.count; i++) {
        m->ended_list[i] = &m->ended[i];
        brug__v1__owed_end__init(&m->ended[i]);
        case_row_write_item(&m->ends.items[i].item, &m->items[i]);
        m->ended[i].item = &m->items[i];
        m->ended[i].lapsed = m->ends.items[i].has_lapsed;
    }
}

static Brug__V1__CaseMoved *record_letter(struct moved *m, const struct case_letter *l,
                                          const Brug__V1__Case *was, struct instant now)
{
    const Brug__V1__Header *h = l->header;
    write(m, was);
    m->record.kind = h->kind;
    m->record.organisation = h->from->organisation;
    m->record.message_id = h->message_id;
    m->record.person = h->from->person;
    m->record.at_ms = now.wall_ms;
    m->record.decline_reason = h->decline_reason;
    m->record.stop_reason = h->stop_reason;
    m->record.decision = h->decision;
    return &m->record;
}

/* ---- letters ---- */

static bool is_of(const struct casefile *f, const struct organisation *o)
{
    return f->practice == o || f->team == o;
}

static bool is_between(const struct casefile *f, const struct case_letter *l)
{
    return f->municipality == l->municipality && is_of(f, l->from) && is_of(f, l->to) &&
           l->from != l->to;
}

static bool opens_case(Brug__V1__Kind kind)
{
    return kind == KIND(REFERRAL) || kind == KIND(CONSULT);
}

static struct case_move move_of(const struct state *s, const struct case_letter *l,
                                const struct case_file *before, struct instant now)
{
    bool is_practice = l->from->row->kind == PRACTICE;
    const struct organisation *team = is_practice ? l->to : l->from;
    return (struct case_move){
        .header = l->header,
        .actor = {.side = is_practice ? BRUG__V1__SIDE__SIDE_PRACTICE : BRUG__V1__SIDE__SIDE_TEAM,
                  .role = l->actor->row->role,
                  .person = l->actor->entity.id,
                  .is_director_away = is_director_away(s, before, now.wall_ms)},
        .is_new_director_fit = is_fit_director(s, team, l->header->new_director),
        .today = workdays_date(now.wall_ms),
        .now_ms = now.wall_ms,
        .working_days = casefile_working_days(team),
        .terms = &s->terms};
}

/* The row that a letter which opens a case begins with. */
static Brug__V1__Case *first_row(const struct case_letter *l, struct instant now,
                                 struct decision *d)
{
    Brug__V1__Case *row = decision_message(d, &brug__v1__case__descriptor);
    row->municipality = l->header->municipality;
    row->practice = l->header->from->organisation;
    row->team = l->header->to;
    row->message_id = l->header->message_id;
    row->at_ms = now.wall_ms;
    return row;
}

/* The case as the letter finds it. */
static enum error find_case(const struct state *s, const struct case_letter *l, struct instant now,
                            struct decision *d, Brug__V1__Case **row, struct case_file *before)
{
    struct id id;
    const struct casefile *f = id_take(l->header->case_id, &id) ? casefile_find(s, &id) : NULL;
    *before = NO_CASE;
    if (opens_case(l->header->kind)) {
        *row = first_row(l, now, d);
        return f ? ERROR_CASE_EXISTS : ERROR_NONE;
    }
    if (!f || !is_between(f, l))
        return ERROR_NO_SUCH_CASE;
    *row = casefile_unpack(f, d->arena);
    assert(*row); /* as it was packed; memory for small things is there */
    enum error e = case_row_read(*row, before);
    assert(!e);
    return e;
}

/* It moves nothing. Whether the giver had the letter, the taker's client sees from signatures [P-153]. */
static enum error judge_history(const struct state *s, const struct case_letter *l)
{
    struct id id;
    const struct casefile *f = id_take(l->header->case_id, &id) ? casefile_find(s, &id) : NULL;
    return f && f->municipality == l->municipality && is_of(f, l->from) ? ERROR_NONE
                                                                        : ERROR_NO_SUCH_CASE;
}

enum error decide_case(const struct state *s, const struct case_letter *l, struct instant now,
                       struct decision *d, Brug__V1__CaseMoved **out)
{
    if (l->header->kind == KIND(HISTORY))
        return judge_history(s, l);
    Brug__V1__Case *row;
    struct case_file *before = decision_alloc(d, 1, sizeof *before);
    struct moved *m = moved_new(d);
    enum error e = find_case(s, l, now, d, &row, before);
    if (e)
        return e;
    const struct case_move move = move_of(s, l, before, now);
    e = case_judge(before, &move, &m->file, &m->ends);
    if (e)
        return e;
    *out = l->header->kind == KIND(NOTE) ? NULL : record_letter(m, l, row, now);
    return ERROR_NONE;
}

/* The letter that was opened: of a HISTORY the one inside, of which its reader tells. */
static struct id letter_of(const struct message *m, const struct command *c)
{
    struct id inside;
    bool is_told = m->kind == KIND(HISTORY) && id_take(c->frame->opened->handed_on, &inside);
    return is_told ? inside : m->key.id;
}

void decide_case_opened(const struct state *s, const struct message *m, const struct person *by,
                        const struct command *c, struct decision *d)
{
    const struct casefile *f = casefile_find(s, &m->case_id);
    const struct organisation *o = by->organisation;
    if (message_is_relay_made(m) || !f || m->to != o || !is_of(f, o))
        return;
    Brug__V1__Side side =
        o == f->practice ? BRUG__V1__SIDE__SIDE_PRACTICE : BRUG__V1__SIDE__SIDE_TEAM;
    Brug__V1__Case *row = casefile_unpack(f, d->arena);
    struct moved *moved = moved_new(d);
    const struct id letter = letter_of(m, c);
    assert(row);
    if (case_row_read(row, &moved->file) || !case_opened(&moved->file, side, &letter))
        return;
    write(moved, row);
    moved->record.organisation = id_bytes(&by->organisation->entity.id);
    moved->record.message_id = id_bytes(&m->key.id);
    moved->record.person = id_bytes(&by->entity.id);
    moved->record.at_ms = c->now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED, &moved->record, NULL);
}

/* ---- time ---- */

static struct id id_of_notice(const struct case_file *c, const struct case_notice *n,
                              const struct organisation *to)
{
    const uint8_t numbers[] = {(uint8_t)n->kind, (uint8_t)(n->step >> 8), (uint8_t)n->step,
                               n->item.is_delayed}; /* a new date begins the steps anew */
    const struct slice parts[] = {
        slice_text("brug/1 notice"), {numbers, sizeof numbers}, id_slice(&c->id),
        id_slice(&n->item.id),       id_slice(&n->item.cause),  id_slice(&to->entity.id),
    };
    struct digest d = digest_of_framed(parts, sizeof parts / sizeof parts[0]);
    return id_v8(&d);
}

static void tell(const struct state *s, const struct moved *m, const struct casefile *f,
                 const struct case_notice *n, const struct organisation *to, struct instant now,
                 struct decision *d)
{
    Brug__V1__Header *h = decision_message(d, &brug__v1__header__descriptor);
    struct id *id = decision_alloc(d, 1, sizeof *id);
    struct case_notice *kept = decision_alloc(d, 1, sizeof *kept);
    *id = id_of_notice(&m->file, n, to);
    *kept = *n;
    h->kind = n->kind;
    h->message_id = id_bytes(id);
    h->case_id = id_bytes(&m->file.id);
    h->in_reply_to = id_bytes(&kept->item.cause);
    h->owed_id = id_bytes(&kept->item.id);
    h->owed_kind = n->item.kind;
    h->debtor = n->item.debtor;
    h->until_date = n->item.due_date;
    decide_tell(s, d, &(const struct audience){.organisation = to}, f->municipality, h, now);
}

bool decide_case_step(const struct state *s, const struct casefile *f, struct instant now,
                      struct decision *d)
{
    struct moved *m = moved_new(d);
    Brug__V1__Case *row = casefile_unpack(f, d->arena);
    struct case_notice n;
    assert(row);
    if (case_row_read(row, &m->file) ||
        !case_take_step(&m->file, now.wall_ms, &s->terms, casefile_working_days(f->team), &n))
        return false;
    write(m, row);
    m->record.at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED, &m->record, NULL);
    if (n.to_practice)
        tell(s, m, f, &n, f->practice, now, d);
    if (n.to_team)
        tell(s, m, f, &n, f->team, now, d);
    return true;
}

/* ---- what is told ---- */

static Brug__V1__Case *told_case(const struct command *c, const struct casefile *f,
                                 struct decision *d)
{
    Brug__V1__Case *told = casefile_unpack(f, d->arena);
    assert(told); /* as it was packed; memory for small things is there */
    decide_tell_family(f, c->endpoint, told, d);
    return told;
}

void decide_get_case(const struct state *s, const struct command *c, struct decision *d)
{
    struct id id;
    const struct organisation *o = c->endpoint->organisation;
    const struct casefile *f =
        id_take(c->frame->get_case->case_id, &id) ? casefile_find(s, &id) : NULL;
    if (!f || !is_of(f, o)) {
        decision_refuse(d, c, ERROR_NO_SUCH_CASE, NULL);
        return;
    }
    d->answer.case_facts = told_case(c, f, d);
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_CASE_FACTS;
}

void decide_list_cases(const struct command *c, struct decision *d)
{
    const Brug__V1__ListCases *asked = c->frame->list_cases;
    const struct organisation *o = c->endpoint->organisation;
    Brug__V1__Cases *page = decision_message(d, &brug__v1__cases__descriptor);
    struct id after = ID_NONE;
    (void)id_take_optional(asked->after, &after); /* its form was checked */
    page->cases = decision_alloc(d, asked->cases_max, sizeof *page->cases);
    for (size_t i = casefiles_after(o, &after); i < o->case_count; i++) {
        const struct casefile *f = o->cases[i];
        if (casefile_has_ended(f) && !asked->ended)
            continue;
        if (page->n_cases == asked->cases_max) {
            page->next = page->cases[page->n_cases - 1]->case_id;
            break;
        }
        page->cases[page->n_cases++] = told_case(c, f, d);
    }
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_CASES;
    d->answer.cases = page;
}
