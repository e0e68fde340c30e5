/*
 * client/judge.c: see judge.h.
 *
 * Happy path: the relay's last word of the case is read, our letters that it does not know yet are applied to it in their
 * order, and the new letter is judged on the result. One of ours that would be refused is passed over: the relay
 * will say so.
 */
#include "client/judge.h"

#include "client/home.h"
#include "client/letters.h"
#include "proto/check.h"
#include "rules/workdays.h"

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define NOBODY BRUG__V1__SIDE__SIDE_NONE

/* ---- people, as the own roster has them: the relay's word, as the relay's judgement is ---- */

struct roster {
    struct arena *entry_arena, *arena;
    const Brug__V1__OrganisationEntry *entry; /* NULL: there is no directory yet */
    const Brug__V1__Roster *roster;           /* likewise */
};

static void free_roster(struct roster *r)
{
    arena_free(r->entry_arena);
    arena_free(r->arena);
}

static enum error load_roster(struct brug *b, struct roster *r)
{
    struct db_cursor c;
    ProtobufCMessage *entry = NULL;
    ProtobufCMessage *roster = NULL;
    *r = (struct roster){.entry = NULL};
    enum error e = DB_SELECT(b->db, &c, "SELECT entry FROM organisation WHERE organisation = ?1",
                             DB_ID(&b->self.organisation));
    if (e != ERROR_NONE)
        return e;
    enum error read = ERROR_NOT_FOUND;
    if (db_next(&c))
        read = home_decode(&brug__v1__organisation_entry__descriptor, db_blob(&c, 0),
                           &r->entry_arena, &entry);
    e = db_done(&c);
    r->entry = (const Brug__V1__OrganisationEntry *)entry;
    if (e == ERROR_NONE && read == ERROR_NONE)
        read = home_decode(&brug__v1__roster__descriptor, check_slice(r->entry->roster), &r->arena,
                           &roster);
    r->roster = (const Brug__V1__Roster *)roster;
    return e == ERROR_NONE && read == ERROR_NO_MEMORY ? read : e; /* else nobody is known */
}

static const Brug__V1__PersonEntry *find_person(const struct roster *r, const struct id *person)
{
    for (size_t i = 0; r->roster && i < r->roster->n_persons; i++)
        if (slice_equal(check_slice(r->roster->persons[i]->person), id_slice(person)))
            return r->roster->persons[i];
    return NULL;
}

enum error judge_role(struct brug *b, const struct id *person, Brug__V1__Role *out)
{
    struct roster own;
    *out = ROLE(NONE);
    if (id_equal(person, &b->self.person)) {
        *out = (Brug__V1__Role)b->self.role;
        return ERROR_NONE;
    }
    enum error e = load_roster(b, &own);
    const Brug__V1__PersonEntry *entry = find_person(&own, person);
    if (entry)
        *out = entry->role;
    free_roster(&own);
    return e;
}

static bool is_endpoint_away(const struct roster *r, const Brug__V1__RosterEndpoint *listed,
                             int64_t now_ms)
{
    for (size_t i = 0; i < r->entry->n_endpoints; i++) {
        const Brug__V1__EndpointEntry *e = r->entry->endpoints[i];
        struct digest d =
            digest_of_slice(e->binding ? check_slice(e->binding->binding) : SLICE_NONE);
        if (slice_equal(digest_slice(&d), check_slice(listed->binding_digest)))
            return e->away_until_ms > now_ms;
    }
    return false;
}

/* As the relay sees it: absent, without a client that reads, or gone. */
static bool is_away(const struct roster *r, const struct id *person, int64_t now_ms)
{
    const Brug__V1__PersonEntry *entry = find_person(r, person);
    bool has_endpoint = false;
    if (!r->roster || id_is_none(person))
        return false;
    for (size_t i = 0; i < r->roster->n_endpoints; i++) {
        if (!slice_equal(check_slice(r->roster->endpoints[i]->person), id_slice(person)))
            continue;
        if (is_endpoint_away(r, r->roster->endpoints[i], now_ms))
            return true;
        has_endpoint = true;
    }
    return !has_endpoint || !entry || !entry->active;
}

enum error judge_actor(struct brug *b, const struct judge_case *j, const struct id *person,
                       struct case_actor *out)
{
    struct roster own = {.entry = NULL};
    struct case_actor a = {.side = j->side, .person = *person};
    enum error e = judge_role(b, person, &a.role);
    if (e == ERROR_NONE && j->side == TEAM)
        e = load_roster(b, &own);
    a.is_director_away = is_away(&own, &j->c.director, j->now_ms);
    free_roster(&own);
    if (e == ERROR_NONE)
        *out = a;
    return e;
}

/* Without a directory nobody is turned down here. */
static enum error is_fit(struct brug *b, const Brug__V1__Header *h, bool *out)
{
    struct roster own;
    struct id director = client_field_id(h->new_director);
    enum error e = load_roster(b, &own);
    const Brug__V1__PersonEntry *entry = find_person(&own, &director);
    *out = !own.roster || (entry && entry->active && entry->role == ROLE(CONSULTANT));
    free_roster(&own);
    return e;
}

/* ---- the case ---- */

/* ERROR_NONE with what the relay would say in *refusal. */
static enum error judge_on(struct brug *b, const struct judge_case *j, const Brug__V1__Header *h,
                           struct case_file *after, enum error *refusal)
{
    struct case_ends ends;
    struct case_move m = {
        .header = h, .today = j->today, .now_ms = j->now_ms, .terms = &CASE_TERMS};
    struct id person = h->from ? client_field_id(h->from->person) : ID_NONE;
    enum error e = judge_actor(b, j, &person, &m.actor);
    if (e == ERROR_NONE && h->kind == KIND(HANDOVER))
        e = is_fit(b, h, &m.is_new_director_fit);
    if (e == ERROR_NONE)
        *refusal = case_judge(&j->c, &m, after, &ends);
    return e;
}

static enum error next_under_way(struct brug *b, const struct judge_case *j,
                                 const struct id *case_id, int64_t *number)
{
    struct db_cursor c;
    bool is_told = j->told.arena != NULL;
    enum error e =
        DB_SELECT(b->db, &c,
                  "SELECT number FROM message WHERE case_id = ?1 AND is_sent = 1 AND"
                  " number > ?2 AND (state IN (16, 17) OR (?3 = 1 AND state = 18 AND"
                  " number > ?4)) ORDER BY number LIMIT 1",
                  DB_ID(case_id), DB_INT(*number), DB_INT(is_told), DB_INT(j->told.included));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

static enum error apply_letter(struct brug *b, struct judge_case *j, int64_t number)
{
    struct letters_row row;
    struct case_file after;
    enum error refusal = ERROR_NONE;
    enum error e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return e;
    Brug__V1__Kind kind = row.decoded->kind;
    if (j->c.state == BRUG__V1__CASE_STATE__CASE_STATE_NONE)
        j->side = kind == KIND(REFERRAL) || kind == KIND(CONSULT) ? PRACTICE : NOBODY;
    e = judge_on(b, j, row.decoded, &after, &refusal);
    if (e == ERROR_NONE && refusal == ERROR_NONE) {
        j->c = after;
        j->is_known = true;
    }
    letters_row_free(&row);
    return e;
}

enum error judge_load(struct brug *b, const struct id *case_id, struct judge_case *out)
{
    struct judge_case j = {.is_known = false};
    int64_t number = 0;
    enum error e = client_relay_now_ms(b, &j.now_ms);
    if (e != ERROR_NONE)
        return e;
    j.today = workdays_date(j.now_ms);
    e = casefile_load(b, case_id, &j.told);
    if (e == ERROR_NONE) {
        struct id practice = client_field_id(j.told.row->practice);
        j.team = client_field_id(j.told.row->team);
        j.side = id_equal(&practice, &b->self.organisation) ? PRACTICE : TEAM;
        j.c = j.told.c;
        j.is_known = true;
    }
    e = e == ERROR_NOT_FOUND ? ERROR_NONE : e;
    while (e == ERROR_NONE) {
        e = next_under_way(b, &j, case_id, &number);
        if (e != ERROR_NONE || number == 0)
            break;
        e = apply_letter(b, &j, number);
    }
    if (e == ERROR_NONE)
        *out = j;
    else
        judge_free(&j);
    return e;
}

void judge_free(struct judge_case *j) { casefile_free(&j->told); }

/* A person whose role is not known here (a practice system's) is judged by the relay. */
enum error judge_header(struct brug *b, const struct judge_case *j, const Brug__V1__Header *h)
{
    struct case_file after;
    enum error refusal = ERROR_NONE;
    Brug__V1__Role role = ROLE(NONE);
    struct id person = client_field_id(h->from->person);
    if (!j->is_known || h->kind == KIND(HISTORY))
        return ERROR_NONE;
    enum error e = judge_role(b, &person, &role);
    if (e != ERROR_NONE || role == ROLE(NONE))
        return e;
    e = judge_on(b, j, h, &after, &refusal);
    return e == ERROR_NONE ? refusal : e;
}

/* ---- what is answered ---- */

static enum error oldest_question(const struct case_file *c, struct id *out)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == BRUG__V1__OWED_KIND__OWED_KIND_INFO_REPLY) {
            *out = c->owed[i].cause;
            return ERROR_NONE;
        }
    return ERROR_NOT_OWED;
}

static enum error find_in_case(const struct judge_case *j, Brug__V1__Kind kind, struct id *out)
{
    const struct case_proposal *p = &j->c.proposal;
    const struct case_bridging *b = &j->c.bridging_proposed;
    bool is_own = kind == KIND(RETRACT);
    if (kind == KIND(INFO_REPLY))
        return oldest_question(&j->c, out);
    if (kind != KIND(BRIDGING_ANSWER) && p->by != NOBODY && (p->by == j->side) == is_own)
        *out = p->message_id;
    else if (kind != KIND(PROPOSAL_ANSWER) && b->by != NOBODY && (b->by == j->side) == is_own)
        *out = b->message_id;
    else
        return ERROR_NO_PROPOSAL;
    return ERROR_NONE;
}

/* The newest of three kinds in the case, of the own side or of the other. */
static enum error find_letter(struct brug *b, const struct id *case_id, bool is_own,
                              const Brug__V1__Kind kinds[3], struct id *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT message_id FROM message WHERE case_id = ?1 AND kind IN"
                             " (?2, ?3, ?4) AND (organisation = ?5) = ?6 AND (is_sent = 1 OR"
                             " state = 1) AND state NOT IN (19, 20) ORDER BY number DESC LIMIT 1",
                             DB_ID(case_id), DB_INT(kinds[0]), DB_INT(kinds[1]), DB_INT(kinds[2]),
                             DB_ID(&b->self.organisation), DB_INT(is_own));
    if (e != ERROR_NONE)
        return e;
    *out = db_next(&c) ? db_id(&c, 0) : ID_NONE;
    e = db_done(&c);
    if (e == ERROR_NONE && id_is_none(out))
        e = kinds[0] == KIND(INFO_REQUEST) ? ERROR_NOT_OWED : ERROR_NO_PROPOSAL;
    return e;
}

static enum error find_in_letters(struct brug *b, const struct id *case_id, Brug__V1__Kind kind,
                                  struct id *out)
{
    static const Brug__V1__Kind QUESTION[] = {KIND(INFO_REQUEST), KIND(INFO_REQUEST),
                                              KIND(INFO_REQUEST)};
    static const Brug__V1__Kind PROPOSAL[] = {KIND(DECLINE_PROPOSAL), KIND(STOP_PROPOSAL),
                                              KIND(STOP_PROPOSAL)};
    static const Brug__V1__Kind BRIDGING[] = {KIND(BRIDGING_PROPOSAL), KIND(BRIDGING_PROPOSAL),
                                              KIND(BRIDGING_PROPOSAL)};
    static const Brug__V1__Kind EITHER[] = {KIND(DECLINE_PROPOSAL), KIND(STOP_PROPOSAL),
                                            KIND(BRIDGING_PROPOSAL)};
    switch (kind) {
    case KIND(INFO_REPLY):
        return find_letter(b, case_id, false, QUESTION, out);
    case KIND(PROPOSAL_ANSWER):
        return find_letter(b, case_id, false, PROPOSAL, out);
    case KIND(BRIDGING_ANSWER):
        return find_letter(b, case_id, false, BRIDGING, out);
    default:
        return find_letter(b, case_id, true, EITHER, out);
    }
}

enum error judge_find_answered(struct brug *b, const struct judge_case *j, const struct id *case_id,
                               Brug__V1__Kind kind, struct id *out)
{
    if (kind != KIND(INFO_REPLY) && kind != KIND(PROPOSAL_ANSWER) && kind != KIND(RETRACT) &&
        kind != KIND(BRIDGING_ANSWER))
        return ERROR_NONE;
    return j->is_known ? find_in_case(j, kind, out) : find_in_letters(b, case_id, kind, out);
}

/* ---- what comes next ---- */

static bool can_delay(const struct case_file *c)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].debtor == TEAM && c->owed[i].due_date != 0 && !c->owed[i].is_delayed)
            return true;
    return false;
}

bool judge_may(const struct judge_case *j, const struct case_actor *actor, Brug__V1__Kind kind)
{
    struct id answered;
    const struct case_file *c = &j->c;
    if (!case_allows(c, actor, kind))
        return false;
    switch (kind) {
    case KIND(INFO_REPLY):
        return find_in_case(j, kind, &answered) == ERROR_NONE;
    case KIND(DELAY):
        return can_delay(c);
    default:
        return true;
    }
}
