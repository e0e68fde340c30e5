/*
 * tests/lib/sim_cases.c: the judge of cases; see sim_cases.h.
 *
 * A record of a letter or of an opening says what the rest of its commit must bring: the move of the case (`moving`), and
 * after a step of time its notices (`told`). The next records must be these.
 */
#include "tests/lib/sim_cases.h"
#include "tests/lib/case_compare.h"
#include "tests/lib/case_oracle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define LATE_US (INT64_C(20) * 1000 * SIM_MS) /* of a relay that can work */
#define LAG_US (INT64_C(20) * 1000 * SIM_MS)  /* a fold catches up within */
#define SEASONS 6u                            /* worlds begin in each of them */
#define SEASON_DAYS 40
#define NIGHT_US (3000 * SIM_MS)

static const uint64_t HASH_SEED[2] = {7, 8};
static const struct case_file NO_CASE;

/* ---- what is kept ---- */

void sim_cases_init(struct sim *w)
{
    w->cases = calloc(1, sizeof *w->cases);
    assert_non_null(w->cases);
    w->cases->lags_since_us = -1;
    map_init(&w->cases->dossiers, HASH_SEED);
    map_init(&w->cases->notices, HASH_SEED);
}

void sim_cases_free(struct sim *w)
{
    struct sim_cases *k = w->cases;
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++) {
        free(k->list[i]->versions);
        free(k->list[i]);
    }
    for (size_t i = 0; i < k->notice_count; i++)
        free(k->notice_list[i]);
    free(k->list);
    free(k->notice_list);
    sim_figures_free(k);
    sim_family_free(k);
    map_fini(&k->dossiers);
    map_fini(&k->notices);
    free(k);
}

struct sim_dossier *sim_dossier_find(const struct sim *w, const struct id *id)
{
    struct map_node *n = map_find(&w->cases->dossiers, id->bytes, ID_BYTES);
    return n ? container_of(n, struct sim_dossier, node) : NULL;
}

const struct case_file *sim_dossier_at(const struct sim_dossier *d, uint64_t lsn)
{
    for (size_t i = d->count; i-- > 0;)
        if (d->versions[i].lsn <= lsn)
            return &d->versions[i].file;
    return NULL;
}

const struct case_file *sim_dossier_now(const struct sim_dossier *d)
{
    return d->count > 0 ? &d->versions[d->count - 1].file : &NO_CASE;
}

static struct sim_dossier *open_dossier(struct sim *w, const struct sim_letter *l)
{
    struct sim_cases *k = w->cases;
    struct sim_dossier *d = calloc(1, sizeof *d);
    assert_non_null(d);
    *d = (struct sim_dossier){.id = l->l.case_id,
                              .practice = l->key.organisation,
                              .team = l->l.to,
                              .municipality = l->l.municipality};
    assert_int_equal(map_insert(&k->dossiers, &d->node, d->id.bytes, ID_BYTES), 0);
    k->list = sim_grown(k->list, k->count, &k->capacity, sizeof(struct sim_dossier *));
    k->list[k->count++] = d;
    return d;
}

static const struct case_terms *terms(const struct sim *w)
{
    struct sim_cases *k = w->cases;
    k->terms = w->profile.limits.terms;
    k->terms.outages = k->outages;
    k->terms.outage_count = k->outage_count;
    return &k->terms;
}

/* As on its card, on disk. */
static unsigned working_days(const struct sim *w, const struct sim_dossier *d)
{
    const struct organisation *team = organisation_find(w->truth, id_bytes(&d->team));
    return team->row->card ? team->row->card->working_days : 0;
}

static void reckon(const struct sim *w, struct sim_dossier *d)
{
    d->next_ms = oracle_next_ms(sim_dossier_now(d), terms(w), working_days(w, d));
    d->due_since_us = -1;
}

static void add_version(const struct sim *w, struct sim_dossier *d, uint64_t lsn,
                        const struct case_file *file)
{
    d->versions = sim_grown(d->versions, d->count, &d->capacity, sizeof *d->versions);
    d->versions[d->count++] = (struct sim_version){lsn, *file};
    reckon(w, d);
}

static const char *name_of(const struct id *id)
{
    static char text[ID_TEXT_BYTES];
    return id_to_text(id, text);
}

/* ---- what a letter does ---- */

/* "Absent, suspended or without a client" [P-127]. */
static bool is_away(const struct sim *w, const struct id *person, int64_t at_ms)
{
    bool has_client = false;
    if (id_is_none(person))
        return false; /* there is no director */
    for (size_t i = 0; i < w->client_count; i++) {
        const struct sim_client *c = &w->clients[i];
        const struct endpoint *e = endpoint_find(w->truth, id_bytes(&c->e.id));
        if (!id_equal(&c->e.person, person) || !e || !endpoint_reads(e))
            continue;
        if (e->row->away_until_ms > at_ms)
            return true;
        has_client = true;
    }
    return !has_client;
}

static bool may_direct(const struct sim *w, const struct id *person, const struct id *team)
{
    const struct person *p = person_find(w->truth, id_bytes(person));
    return p && person_is_active(p) && id_equal(&p->organisation->entity.id, team) &&
           p->row->role == BRUG__V1__ROLE__ROLE_CONSULTANT;
}

static bool is_between(const struct sim_dossier *d, const struct sim_letter *l)
{
    const struct id *from = &l->key.organisation, *to = &l->l.to;
    return id_equal(&d->municipality, &l->l.municipality) &&
           ((id_equal(&d->practice, from) && id_equal(&d->team, to)) ||
            (id_equal(&d->team, from) && id_equal(&d->practice, to)));
}

static bool opens_case(const struct sim_letter *l)
{
    return l->l.kind == KIND(REFERRAL) || l->l.kind == KIND(CONSULT);
}

static unsigned days_of_team(const struct sim *w, const struct id *id)
{
    const struct organisation *team = organisation_find(w->truth, id_bytes(id));
    return team && team->row->card ? team->row->card->working_days : 0;
}

/* What the rules say to it as it stands on disk now; `after` when they allow it. */
static enum error ask_oracle(const struct sim *w, const struct sim_letter *l, int64_t at_ms,
                             struct case_file *after, struct case_ends *ends)
{
    const struct sim_dossier *d = sim_dossier_find(w, &l->l.case_id);
    const struct person *actor = person_find(w->truth, id_bytes(&l->l.person));
    struct stage_header h;
    if (d && opens_case(l))
        return ERROR_CASE_EXISTS;
    if (!opens_case(l) && (!d || !is_between(d, l)))
        return ERROR_NO_SUCH_CASE;
    const struct case_file *before = d ? sim_dossier_now(d) : &NO_CASE;
    const struct id *team = l->from->is_practice ? &l->l.to : &l->key.organisation;
    stage_header_init(&h, &l->l);
    const struct case_move move = {
        .header = &h.header,
        .actor = {.side = l->from->is_practice ? PRACTICE : TEAM,
                  .role = actor->row->role,
                  .person = l->l.person,
                  .is_director_away = is_away(w, &before->director, at_ms)},
        .is_new_director_fit = may_direct(w, &l->l.codes.new_director, team),
        .today = oracle_today(at_ms),
        .now_ms = at_ms,
        .working_days = days_of_team(w, team),
        .terms = terms(w)};
    return oracle_judge(before, &move, after, ends);
}

static void on_letter(struct sim *w, const struct message_key *key, int64_t at_ms)
{
    struct sim_cases *k = w->cases;
    const struct sim_letter *l = sim_letter_find(w, key);
    if (!l || l->l.kind == KIND(NOTICE))
        return;
    if (l->l.kind == KIND(FAMILY_KEY)) {
        judge_family_key(w, l);
        return;
    }
    enum error e = ask_oracle(w, l, at_ms, &k->wanted, &k->ends);
    k->letters++;
    if (e) {
        sim_flag(w, "I4: a letter of kind %d is accepted that the rules refuse: %s", l->l.kind,
                 error_name(e));
        return;
    }
    if (l->l.kind == KIND(NOTE))
        return;
    k->moving = opens_case(l) ? open_dossier(w, l) : sim_dossier_find(w, &l->l.case_id);
}

/* Those that a case gives. */
static bool is_of_case(enum error code)
{
    return code == ERROR_NO_SUCH_CASE || code == ERROR_CASE_EXISTS ||
           (code >= ERROR_CASE_REFERRED && code <= ERROR_TOO_MUCH_OWED);
}

static void on_refusal(struct sim *w, const Brug__V1__Refusal *r)
{
    struct message_key key;
    struct case_file after;
    struct case_ends ends;
    assert_true(id_take(r->organisation, &key.organisation) && id_take(r->message_id, &key.id));
    const struct sim_letter *l = sim_letter_find(w, &key);
    if (!l || !is_of_case((enum error)r->code))
        return;
    enum error e = ask_oracle(w, l, r->at_ms, &after, &ends);
    w->cases->refused++;
    if (e != (enum error)r->code)
        sim_flag(w, "I4: a letter of kind %d is refused with %s; the rules say %s", l->l.kind,
                 error_name((enum error)r->code), error_name(e));
}

static void on_opened(struct sim *w, const Brug__V1__OpenedBy *r)
{
    struct sim_cases *k = w->cases;
    struct message_key key;
    assert_true(id_take_optional(r->organisation, &key.organisation) &&
                id_take(r->message_id, &key.id));
    const struct sim_letter *l = sim_letter_find(w, &key);
    const struct endpoint *e = endpoint_find(w->truth, r->endpoint);
    struct sim_dossier *d = l ? sim_dossier_find(w, &l->l.case_id) : NULL;
    if (!d || !id_equal(&e->organisation->entity.id, &l->l.to))
        return;
    k->wanted = *sim_dossier_now(d);
    k->ends.count = 0;
    if (oracle_opened(&k->wanted, id_equal(&l->l.to, &d->team) ? TEAM : PRACTICE, &l->key.id))
        k->moving = d;
}

/* ---- what time does ---- */

static void expect_notice(struct sim *w, const struct sim_dossier *d, const struct oracle_step *s,
                          const struct case_file *before, const struct id *to)
{
    struct sim_cases *k = w->cases;
    const struct organisation *o = organisation_find(w->truth, id_bytes(to));
    if (o->readers.count == 0)
        return; /* nobody is there to be told */
    struct sim_notice *n = &k->told[k->told_count++];
    *n = (struct sim_notice){.to = *to, .case_id = d->id, .kind = s->kind};
    if (s->course == ORACLE_BRIDGING) {
        n->cause = before->bridging.message_id;
        n->until_date = before->bridging.until_date;
        return;
    }
    const struct owed_item *item = &before->owed[s->item];
    n->cause = item->cause;
    n->owed_id = item->id;
    n->owed_kind = item->kind;
    n->debtor = item->debtor;
    n->until_date = item->due_date;
}

/* The relay took one step: it must be one of those that have come. */
static void on_step(struct sim *w, struct sim_dossier *d, const struct case_file *got,
                    const Brug__V1__CaseMoved *r, uint64_t lsn)
{
    struct sim_cases *k = w->cases;
    struct oracle_step steps[ORACLE_STEPS_MAX];
    const struct case_file before = *sim_dossier_now(d);
    size_t n = oracle_steps(&before, r->at_ms, terms(w), working_days(w, d), steps);
    const char *problem = "nothing was due";
    for (size_t i = 0; i < n; i++) {
        struct case_file after = before;
        oracle_take(&after, &steps[i], r->at_ms, terms(w), working_days(w, d));
        const char *other = case_compare(&after, got);
        if (other) {
            problem = other;
            continue;
        }
        if (steps[i].to_practice)
            expect_notice(w, d, &steps[i], &before, &d->practice);
        if (steps[i].to_team)
            expect_notice(w, d, &steps[i], &before, &d->team);
        k->steps++;
        if (k->doubt_until_ms > 0 && lsn > k->doubt_lsn && sim_now(w).mono_ms < k->doubt_until_ms)
            sim_flag(w, "I5: time does something within a day after the clock leapt");
        return;
    }
    sim_flag(w, "I5: time does what it should not: %s, to case %s", problem, name_of(&d->id));
}

static struct owed_item item_of(const Brug__V1__OwedItem *row)
{
    struct owed_item item = {.kind = row->kind,
                             .debtor = row->debtor,
                             .due_date = row->due_date,
                             .moment = row->moment,
                             .is_delayed = row->delayed,
                             .born_at_ms = row->born_at_ms,
                             .is_opened = row->opened,
                             .notices = row->notices,
                             .unopened_notices = row->unopened_notices,
                             .told_date = row->told_date};
    assert_true(id_take(row->owed_id, &item.id) && id_take(row->message_id, &item.cause));
    return item;
}

static void judge_ends(struct sim *w, const Brug__V1__CaseMoved *r)
{
    struct case_ends got = {.count = r->n_ended};
    assert_true(r->n_ended <= CASE_OWED_MAX);
    for (size_t i = 0; i < r->n_ended; i++)
        got.items[i] = (struct owed_end){item_of(r->ended[i]->item), r->ended[i]->lapsed};
    got.count -= w->sabotage == SIM_DROP_END && got.count > 0;
    const char *other = case_compare_ends(&w->cases->ends, &got);
    if (other)
        sim_flag(w, "I5: a move ends other debts than its letter does: %s, by kind %d", other,
                 r->kind);
}

static void on_moved(struct sim *w, const Brug__V1__CaseMoved *r, uint64_t lsn)
{
    struct sim_cases *k = w->cases;
    struct case_file got;
    struct id id;
    assert_true(id_take(r->case_now->case_id, &id));
    struct sim_dossier *d = sim_dossier_find(w, &id);
    enum error e = case_row_read(r->case_now, &got);
    if (!d || e || (k->moving && k->moving != d)) {
        sim_flag(w, "I4: a case moves without a cause: %s", e ? error_name(e) : name_of(&id));
        return;
    }
    if (k->moving) {
        const char *other = case_compare(&k->wanted, &got);
        if (other)
            sim_flag(w, "I4: case %s is not as its letters make it: %s, by kind %d", name_of(&id),
                     other, r->kind);
        k->moves++;
    } else {
        k->ends.count = 0;
        on_step(w, d, &got, r, lsn);
    }
    judge_ends(w, r);
    count_move(k, &(struct sim_move){d, sim_dossier_now(d), &got, &k->ends, r->at_ms, lsn});
    k->moving = NULL;
    add_version(w, d, lsn, &got); /* it has the ids of what is born */
}

static bool is_by_time(Brug__V1__Kind kind)
{
    return kind >= KIND(REMINDER) && kind <= KIND(NON_DELIVERY);
}

static void on_notice(struct sim *w, const Brug__V1__Accepted *r)
{
    struct sim_cases *k = w->cases;
    struct id to, id;
    if (!is_by_time(r->kind) || k->last_type == RECORD(CANCELLED))
        return; /* of a copy that reaches nobody any more */
    assert_true(id_take(r->to, &to) && id_take(r->message_id, &id));
    size_t at = 0;
    while (at < k->told_count && !(id_equal(&k->told[at].to, &to) && k->told[at].kind == r->kind))
        at++;
    if (at == k->told_count) {
        sim_flag(w, "I5: a notice of kind %d that nobody is owed", r->kind);
        return;
    }
    struct sim_notice told = k->told[at];
    k->told[at] = k->told[--k->told_count];
    if (map_find(&k->notices, id.bytes, ID_BYTES)) {
        sim_flag(w, "I5: a notice of kind %d stands twice", r->kind);
        return;
    }
    struct sim_notice *n = calloc(1, sizeof *n);
    assert_non_null(n);
    *n = told;
    n->id = id;
    assert_int_equal(map_insert(&k->notices, &n->node, n->id.bytes, ID_BYTES), 0);
    if (r->n_readers != organisation_find(w->truth, r->to)->readers.count)
        sim_flag(w, "I5: a notice does not go to all of its organisation");
    k->notice_list =
        sim_grown(k->notice_list, k->notice_count, &k->notice_capacity, sizeof(void *));
    k->notice_list[k->notice_count++] = n;
    k->notices_by_kind[r->kind - KIND(REMINDER)]++;
}

/* ---- records ---- */

static void judge_whole(struct sim *w)
{
    struct sim_cases *k = w->cases;
    if (k->moving)
        sim_flag(w, "I1: a letter does not move its case in its commit");
    if (k->told_count > 0)
        sim_flag(w, "I1: a step of time without its notice of kind %d in its commit",
                 k->told[0].kind);
    k->moving = NULL;
    k->told_count = 0;
}

static void on_accepted(struct sim *w, const Brug__V1__Accepted *r)
{
    struct message_key key;
    assert_true(id_take_optional(r->organisation, &key.organisation) &&
                id_take(r->message_id, &key.id));
    if (id_is_none(&key.organisation))
        on_notice(w, r);
    else
        on_letter(w, &key, r->at_ms);
}

/* Other days of a team: when time does something is another day too. */
static void reckon_all(struct sim *w)
{
    for (size_t i = 0; i < w->cases->count; i++)
        if (w->cases->list[i]->count > 0)
            reckon(w, w->cases->list[i]);
}

static void on_outage(struct sim *w, const Brug__V1__Outage *o)
{
    struct sim_cases *k = w->cases;
    assert_true(k->outage_count < OUTAGES_MAX);
    k->outages[k->outage_count++] = (struct case_outage){o->from_date, o->until_date};
    reckon_all(w);
}

static void *unpack(const ProtobufCMessageDescriptor *type, struct slice payload)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, payload.len, payload.data);
    assert_non_null(m);
    return m;
}

static bool is_notice(unsigned type, const ProtobufCMessage *m)
{
    return type == RECORD(ACCEPTED) && ((const Brug__V1__Accepted *)m)->organisation.len == 0;
}

void judge_case_record(struct sim *w, uint64_t lsn, unsigned type, struct slice payload)
{
    static const struct {
        unsigned type;
        const ProtobufCMessageDescriptor *descriptor;
    } TYPES[] = {{RECORD(ACCEPTED), &brug__v1__accepted__descriptor},
                 {RECORD(REFUSAL), &brug__v1__refusal__descriptor},
                 {RECORD(OPENED_BY), &brug__v1__opened_by__descriptor},
                 {RECORD(OUTAGE), &brug__v1__outage__descriptor},
                 {RECORD(CASE_MOVED), &brug__v1__case_moved__descriptor},
                 {RECORD(CASE_TAGS), &brug__v1__case_tags__descriptor},
                 {RECORD(FIGURES_PUBLISHED), &brug__v1__figures_published__descriptor}};
    ProtobufCMessage *m = NULL;
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (TYPES[i].type == type)
            m = unpack(TYPES[i].descriptor, payload);
    if (type == RECORD(CASE_MOVED) ? w->cases->told_count > 0 : !is_notice(type, m))
        judge_whole(w);
    bool is_lost = w->sabotage == SIM_LOSE_NOTICE && is_notice(type, m);
    if (type == RECORD(ACCEPTED) && !is_lost)
        on_accepted(w, (const Brug__V1__Accepted *)m);
    else if (type == RECORD(REFUSAL))
        on_refusal(w, (const Brug__V1__Refusal *)m);
    else if (type == RECORD(OPENED_BY))
        on_opened(w, (const Brug__V1__OpenedBy *)m);
    else if (type == RECORD(CASE_MOVED))
        on_moved(w, (const Brug__V1__CaseMoved *)m, lsn);
    else if (type == RECORD(OUTAGE))
        on_outage(w, (const Brug__V1__Outage *)m);
    else if (type == RECORD(CASE_TAGS))
        judge_tags(w, (const Brug__V1__CaseTags *)m, lsn);
    else if (type == RECORD(FIGURES_PUBLISHED))
        judge_published(w, (const Brug__V1__FiguresPublished *)m, lsn);
    else if (type == RECORD(ORGANISATION))
        reckon_all(w);
    w->cases->last_type = type;
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
}

void judge_case_group_end(struct sim *w) { judge_whole(w); }

/* ---- answers ---- */

static bool is_party(const struct sim_dossier *d, const struct sim_client *c)
{
    return id_equal(&d->practice, &c->e.organisation) || id_equal(&d->team, &c->e.organisation);
}

static void judge_row(struct sim *w, const struct sim_question *q, const Brug__V1__Case *c)
{
    struct case_file got;
    struct id id;
    assert_true(id_take(c->case_id, &id));
    const struct sim_dossier *d = sim_dossier_find(w, &id);
    const struct case_file *wanted = d ? sim_dossier_at(d, q->lsn) : NULL;
    enum error e = case_row_read(c, &got);
    if (!wanted || !is_party(d, q->client)) {
        sim_flag(w, "I6: a case is told to who is no party to it");
        return;
    }
    const char *other = e ? "its form" : case_compare(wanted, &got);
    if (other)
        sim_flag(w, "I4: case %s is told otherwise than it is: %s", name_of(&id), other);
    judge_links_told(w, q, d, c);
    w->cases->told_cases++;
}

void judge_case_told(struct sim *w, const struct sim_question *q, const Brug__V1__Case *c)
{
    if (memcmp(c->case_id.data, q->key.id.bytes, ID_BYTES) != 0)
        sim_flag(w, "I4: another case is told than was asked for");
    judge_row(w, q, c);
}

void judge_case_refusal(struct sim *w, const struct sim_question *q, enum error code)
{
    const struct sim_dossier *d =
        q->asked == SIM_ASKED_CASE ? sim_dossier_find(w, &q->key.id) : NULL;
    if (code == ERROR_NO_SUCH_CASE && d && is_party(d, q->client) && sim_dossier_at(d, q->lsn))
        sim_flag(w, "I4: case %s is forgotten by the relay", name_of(&d->id));
}

static bool has_ended(const struct case_file *c)
{
    return c->state >= BRUG__V1__CASE_STATE__CASE_STATE_CLOSED;
}

static int by_id(const void *a, const void *b)
{
    return id_compare(&(*(struct sim_dossier *const *)a)->id,
                      &(*(struct sim_dossier *const *)b)->id);
}

/* T14: all that the asker is owed after the cursor, ascending, as many as it wants, and whether there are more. */
void judge_case_page(struct sim *w, const struct sim_question *q, const Brug__V1__Cases *page)
{
    struct sim_cases *k = w->cases;
    const struct sim_dossier **wanted = calloc(k->count + 1, sizeof(void *));
    size_t n = 0;
    assert_non_null(wanted);
    for (size_t i = 0; i < k->count; i++) {
        const struct case_file *c = sim_dossier_at(k->list[i], q->lsn);
        if (c && is_party(k->list[i], q->client) && (q->page.ended || !has_ended(c)) &&
            id_compare(&k->list[i]->id, &q->page.after) > 0)
            wanted[n++] = k->list[i];
    }
    qsort(wanted, n, sizeof(void *), by_id);
    size_t count = n < q->page.cases_max ? n : q->page.cases_max;
    bool is_so = page->n_cases == count && (page->next.len > 0) == (n > count);
    for (size_t i = 0; is_so && i < count; i++)
        is_so = memcmp(page->cases[i]->case_id.data, wanted[i]->id.bytes, ID_BYTES) == 0;
    if (is_so && n > count)
        is_so = memcmp(page->next.data, wanted[count - 1]->id.bytes, ID_BYTES) == 0;
    if (!is_so)
        sim_flag(w, "T14: a page has other cases than there are after its cursor");
    for (size_t i = 0; is_so && i < count; i++)
        judge_row(w, q, page->cases[i]);
    free(wanted);
    k->pages++;
}

/* ---- notices, as clients see them ---- */

static bool is_id(ProtobufCBinaryData b, const struct id *id)
{
    return id_is_none(id) ? b.len == 0
                          : b.len == ID_BYTES && memcmp(b.data, id->bytes, ID_BYTES) == 0;
}

void judge_notice(struct sim *w, const struct id *id, const Brug__V1__Header *h)
{
    struct map_node *at = map_find(&w->cases->notices, id->bytes, ID_BYTES);
    const struct sim_notice *n = at ? container_of(at, struct sim_notice, node) : NULL;
    if (h->fact_code == BRUG__V1__CODE__CODE_FAMILY_LINKED)
        judge_link_fact(w, h);
    if (!is_by_time(h->kind) || h->fact_code)
        return;
    if (!n)
        sim_flag(w, "I5: a notice comes that is not on disk");
    else if (h->kind != n->kind || !is_id(h->to, &n->to) || !is_id(h->case_id, &n->case_id) ||
             !is_id(h->in_reply_to, &n->cause) || !is_id(h->owed_id, &n->owed_id) ||
             h->owed_kind != n->owed_kind || h->debtor != n->debtor ||
             h->until_date != n->until_date)
        sim_flag(w, "I5: a notice of kind %d does not say what it is about", h->kind);
}

static const struct sim_client *client_of(const struct sim *w, const struct id *endpoint)
{
    for (size_t i = 0; i < w->client_count; i++)
        if (id_equal(&w->clients[i].e.id, endpoint))
            return &w->clients[i];
    return NULL;
}

static void judge_notice_arrived(struct sim *w, const struct sim_notice *n)
{
    const struct message_key key = {.id = n->id};
    struct message *m = message_find(w->truth, &key);
    for (size_t i = 0; m && i < m->reader_count; i++) {
        const struct sim_client *c = client_of(w, &m->readers[i].endpoint->entity.id);
        const struct sim_copy *copy = c ? sim_copy_find(c, &key) : NULL;
        if (c && !c->was_suspended && !(copy && copy->is_acked))
            sim_flag(w, "I5: a notice did not arrive: it is of kind %d", n->kind);
    }
    if (!m)
        sim_flag(w, "I5: a notice is gone");
}

void judge_cases_end(struct sim *w)
{
    for (size_t i = 0; i < w->cases->notice_count; i++)
        judge_notice_arrived(w, w->cases->notice_list[i]);
}

/* ---- time ---- */

/* The disk that we gave it has room, its clock is one to believe, and its fold does not lag, or lags longer than it may. */
static bool can_work(const struct sim *w)
{
    const struct sim_cases *k = w->cases;
    bool doubts = k->doubt_until_ms > sim_now(w).mono_ms;
    bool lags = k->lags_since_us >= 0 && w->now_us - k->lags_since_us < LAG_US;
    return w->relay && w->has_room && !lags && !doubts;
}

static void judge_cases_late(struct sim *w)
{
    struct sim_cases *k = w->cases;
    if (!w->relay || !w->relay->is_fold_behind)
        k->lags_since_us = -1;
    else if (k->lags_since_us < 0)
        k->lags_since_us = w->now_us;
    bool works = can_work(w);
    int64_t now_ms = sim_now(w).wall_ms;
    for (size_t i = 0; i < k->count; i++) {
        struct sim_dossier *d = k->list[i];
        if (d->count == 0)
            continue;
        if (!works || d->next_ms > now_ms)
            d->due_since_us = -1;
        else if (d->due_since_us < 0)
            d->due_since_us = w->now_us;
        else if (w->now_us - d->due_since_us > LATE_US)
            sim_flag(w, "I5: what time should do to case %s does not come", name_of(&d->id));
    }
}

static bool has_step(const struct group *g)
{
    struct slice rest = buf_slice(&g->records), payload;
    unsigned type;
    bool has = false;
    for (uint32_t i = 0; i < g->count && !has; i++) {
        assert_int_equal(group_next_record(&rest, &type, &payload), 0);
        if (type != RECORD(ACCEPTED))
            continue;
        Brug__V1__Accepted *a = unpack(&brug__v1__accepted__descriptor, payload);
        has = a->organisation.len == 0 && is_by_time(a->kind);
        brug__v1__accepted__free_unpacked(a, NULL);
    }
    return has;
}

void sim_cases_second(struct sim *w)
{
    const struct group *g = w->disk.group;
    judge_cases_late(w);
    if (w->profile.ends && !w->is_calm && g && has_step(g) && sim_one_in(w, 8))
        sim_end(w, sim_one_in(w, 2) ? SIM_KILL : SIM_POWER_CUT);
}

bool judge_cases_are_told(const struct sim *w)
{
    int64_t now_ms = sim_now(w).wall_ms;
    for (size_t i = 0; can_work(w) && i < w->cases->count; i++)
        if (w->cases->list[i]->count > 0 && w->cases->list[i]->next_ms <= now_ms)
            return false;
    return true;
}

void judge_cases_leap(struct sim *w, int64_t ms)
{
    struct sim_cases *k = w->cases;
    relay_flush(w->relay, sim_now(w)); /* it has seen the clock as it was */
    w->wall_ahead_ms += ms;
    if (ms > HOUR_MS || ms < -HOUR_MS) {
        k->doubt_lsn = state_lsn(relay_state(w->relay));
        k->doubt_until_ms = sim_now(w).mono_ms + DAY_MS;
    }
    relay_flush(w->relay, sim_now(w));
}

/* One that starts believes its clock. */
void judge_cases_relay_end(struct sim *w, const struct group *g)
{
    w->cases->doubt_until_ms = 0;
    w->cases->ends_in_steps += g && has_step(g);
}

/* Until some time of the next days: often just before eight, when notices come, or just before midnight. */
static int64_t night_ms(struct sim *w)
{
    int64_t now_ms = sim_now(w).wall_ms;
    uint32_t today = oracle_today(now_ms);
    int64_t ms = 0;
    switch (sim_below(w, 8)) {
    case 0:
        return (int64_t)sim_below(w, 80 * (uint64_t)HOUR_MS);
    case 1:
        ms = oracle_clock_ms(today + 1, 0) - now_ms;
        break;
    case 2:
        return (int64_t)sim_below(w, 6 * (uint64_t)HOUR_MS);
    default:
        ms = oracle_clock_ms(today + 1, 8) - now_ms;
    }
    ms -= (int64_t)sim_below(w, 4000);
    return ms > 0 ? ms : 0;
}

/* Nobody works; now and then the relay is down for days. */
static void on_night(struct sim *w, struct sim_event *e)
{
    if (w->is_calm || oracle_today(sim_now(w).wall_ms) > oracle_date(2027, 11, 1))
        return; /* a date a year ahead must be in the oracle's calendar */
    if (w->relay && sim_one_in(w, 25)) {
        sim_end(w, sim_one_in(w, 2) ? SIM_KILL : SIM_POWER_CUT);
        w->slept_ms += (int64_t)sim_below(w, 9 * (uint64_t)DAY_MS);
    }
    w->slept_ms += night_ms(w);
    if (w->relay && !w->has_room) /* somebody made room */
        relay_set_room(w->relay, w->has_room = true);
    sim_schedule(w, e, (int64_t)sim_below(w, 2 * NIGHT_US));
}

void sim_cases_begin(struct sim *w)
{
    w->slept_ms += (int64_t)(w->seed % SEASONS) * SEASON_DAYS * DAY_MS;
    sim_event_init(&w->cases->night, on_night);
    sim_schedule(w, &w->cases->night, NIGHT_US);
}

struct sim_profile sim_case_profile_of(uint64_t seed)
{
    struct sim_profile p = sim_profile_of(seed);
    p.has_cases = true;
    p.think_us = 1000 * SIM_MS;
    p.ends = 400 + (unsigned)(seed * 97 % 800);
    p.losses = 200;
    p.latency_us = 20 * SIM_MS;
    p.disk_us = 10 * SIM_MS;
    p.limits.quota_messages_max = 10000; /* so that cases go on */
    p.limits.waiting_max = 100000;
    p.orders = seed % 3 == 0 ? 0 : 2000;
    p.full_disks = seed % 4 == 1 ? 1000 : 0;
    p.leaps = 800;
    p.steps_wall_back = false;
    return p;
}
