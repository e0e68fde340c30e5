/*
 * client/case.c: cases for people: what the letters here show of them, and beside it what the relay last told.
 *
 * The other side is taken from letters that held, never from a header alone [T31]; only a case without any letter here has
 * the relay's word for it.
 */
#include "client/family.h"
#include "client/judge.h"
#include "client/letters.h"
#include "client/words.h"
#include "proto/check.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define CASE_YOUTH_TRIES 3 /* so many letters are opened to find the youth's name */
#define KINDS_MAX 64

struct case_list {
    struct brug_cases public;
    struct words *words;
};

/* ---- what the letters show ---- */

static enum error fill_from_rows(struct brug *b, const struct id *case_id, struct brug_case *item)
{
    struct db_cursor c;
    enum error e = DB_SELECT(
        b->db, &c,
        "SELECT coalesce(min(number), 0), coalesce(max(number), 0), count(*),"
        " coalesce(max(max(stored_at_ms, received_at_ms)), 0), coalesce(max(CASE WHEN is_sent = 1"
        " OR state = 1 THEN other END), max(other)) FROM message WHERE case_id = ?1",
        DB_ID(case_id));
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c)) {
        struct id other = db_id(&c, 4);
        item->first = db_int(&c, 0);
        item->newest = db_int(&c, 1);
        item->messages = (size_t)db_int(&c, 2);
        item->newest_at_ms = db_int(&c, 3);
        item->other = client_public_id(&other);
    }
    return db_done(&c);
}

/* ERROR_NOT_FOUND: this letter does not open here, or names no youth. */
static enum error read_youth(struct brug *b, struct words *w, int64_t number,
                             struct brug_case *item)
{
    struct letters_row row;
    struct letter *letter = NULL;
    char address[FAMILY_ADDRESS_BYTES];
    enum error e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return e;
    if (row.is_sent || row.state == STORE_READY)
        e = letters_open(b, &row, &letter);
    letters_row_free(&row);
    if (client_is_of_store(e))
        return e;
    const Brug__V1__Letter *l = letter ? letter->content->letter : NULL;
    e = ERROR_NOT_FOUND;
    if (l && l->youth) {
        item->youth_name = words_copy(w, l->youth->name);
        item->youth_born = l->youth->born;
        item->has_household = family_read_address(l->youth->address, address);
        OPENSSL_cleanse(address, sizeof address);
        e = item->youth_name ? ERROR_NONE : ERROR_NO_MEMORY;
    }
    letter_free(letter);
    return e;
}

static enum error next_number(struct brug *b, const struct id *case_id, int64_t *number)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT number FROM message WHERE case_id = ?1 AND number > ?2"
                             " ORDER BY number LIMIT 1",
                             DB_ID(case_id), DB_INT(*number));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

/* The youth as the first letter of the case that opens names it. */
static enum error find_youth(struct brug *b, struct words *w, const struct id *case_id,
                             struct brug_case *item)
{
    int64_t number = 0;
    for (int tries = 0; tries < CASE_YOUTH_TRIES; tries++) {
        enum error e = next_number(b, case_id, &number);
        if (e != ERROR_NONE || number == 0)
            return e;
        e = read_youth(b, w, number, item);
        if (e != ERROR_NOT_FOUND)
            return e;
    }
    return ERROR_NONE;
}

/* ---- what the relay told ---- */

static bool comes_later(const struct brug_owed *a, const struct brug_owed *b)
{
    return b->due_date != 0 && (a->due_date == 0 || a->due_date > b->due_date);
}

static enum error fill_owed(struct words *w, const struct judge_case *j,
                            struct brug_case_facts *facts)
{
    const struct case_file *c = &j->told.c;
    facts->owed = words_alloc(w, (c->owed_count + 1) * sizeof *facts->owed);
    if (!facts->owed)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < c->owed_count; i++) {
        const struct owed_item *from = &c->owed[i];
        struct brug_owed to = {.owed_id = client_public_id(&from->id),
                               .kind = (int)from->kind,
                               .debtor = (int)from->debtor,
                               .cause = client_public_id(&from->cause),
                               .due_date = letters_date_of_days(from->due_date),
                               .moment = from->moment,
                               .is_delayed = from->is_delayed,
                               .is_overdue = from->due_date != 0 && from->due_date < j->today,
                               .must_precede_close = case_item_stops_closing(c, from, j->today),
                               .born_at_ms = from->born_at_ms};
        size_t at = facts->owed_n++;
        for (; at > 0 && comes_later(&facts->owed[at - 1], &to); at--)
            facts->owed[at] = facts->owed[at - 1];
        facts->owed[at] = to;
    }
    return ERROR_NONE;
}

static enum error fill_moments(struct words *w, const struct case_file *c,
                               struct brug_case_facts *facts)
{
    facts->moments = words_alloc(w, (c->moment_count + 1) * sizeof *facts->moments);
    if (!facts->moments)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < c->moment_count; i++)
        facts->moments[i] = (struct brug_moment){.event = (int)c->moments[i].event,
                                                 .date = letters_date_of_days(c->moments[i].date),
                                                 .conversations = c->moments[i].conversations};
    facts->moments_n = c->moment_count;
    return ERROR_NONE;
}

static enum error fill_links(struct brug *b, struct words *w, const Brug__V1__Case *row,
                             struct brug_case_facts *facts)
{
    enum error e = ERROR_NONE;
    facts->linked = words_alloc(w, (row->n_linked + 1) * sizeof *facts->linked);
    if (!facts->linked)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; e == ERROR_NONE && i < row->n_linked; i++) {
        struct id case_id = client_field_id(row->linked[i]->case_id);
        struct id director = client_field_id(row->linked[i]->director);
        e = letters_fill_linked(b, w, &case_id, &director, row->linked[i]->same_child,
                                &facts->linked[facts->linked_n++]);
    }
    return e;
}

static struct brug_bridging bridging_of(const struct case_bridging *b)
{
    return (struct brug_bridging){.by = (int)b->by,
                                  .person = client_public_id(&b->person),
                                  .message_id = client_public_id(&b->message_id),
                                  .carrier = (int)b->carrier,
                                  .until_date = letters_date_of_days(b->until_date)};
}

static void fill_scalars(const struct judge_case *j, struct brug_case_facts *f)
{
    const struct case_file *c = &j->told.c;
    const Brug__V1__Case *row = j->told.row;
    struct id practice = client_field_id(row->practice);
    f->told_at_ms = j->told.told_at_ms;
    f->opened_at_ms = row->at_ms;
    f->taken_up_at_ms = c->taken_up_at_ms;
    f->started_at_ms = c->started_at_ms;
    f->ended_at_ms = c->ended_at_ms;
    f->practice = client_public_id(&practice);
    f->team = client_public_id(&j->team);
    f->own_side = (int)j->side;
    f->state = (int)c->state;
    f->custody = (int)c->custody;
    f->director = client_public_id(&c->director);
    f->reason = (int)c->reason;
    f->request_type = (int)c->request_type;
    f->outcome = (int)c->outcome;
    f->involvement = (int)c->involvement;
    f->conversations = c->conversations;
    f->proposal = (struct brug_proposal){.kind = (int)c->proposal.kind,
                                         .by = (int)c->proposal.by,
                                         .person = client_public_id(&c->proposal.person),
                                         .message_id = client_public_id(&c->proposal.message_id)};
    f->was_objected = c->was_objected;
    f->bridging_proposed = bridging_of(&c->bridging_proposed);
    f->bridging = bridging_of(&c->bridging);
    f->closing_id = client_public_id(&c->closing_id);
    f->linked_case = client_public_id(&c->linked_case);
}

static enum error fill_facts(struct brug *b, struct words *w, const struct judge_case *j,
                             struct brug_case *item)
{
    struct brug_case_facts *facts = words_alloc(w, sizeof *facts);
    if (!facts)
        return ERROR_NO_MEMORY;
    fill_scalars(j, facts);
    enum error e = words_person(b, w, &j->team, &j->told.c.director, &facts->director_name);
    if (e == ERROR_NONE)
        e = fill_owed(w, j, facts);
    if (e == ERROR_NONE)
        e = fill_moments(w, &j->told.c, facts);
    if (e == ERROR_NONE)
        e = fill_links(b, w, j->told.row, facts);
    if (e == ERROR_NONE && item->newest == 0) {
        item->other = j->side == BRUG__V1__SIDE__SIDE_TEAM ? facts->practice : facts->team;
        item->newest_at_ms = facts->opened_at_ms;
    }
    item->facts = facts;
    return e;
}

static enum error fill_next(struct brug *b, struct words *w, const struct judge_case *j,
                            struct brug_case *item)
{
    struct case_actor actor;
    enum error e = judge_actor(b, j, &b->self.person, &actor);
    if (e != ERROR_NONE)
        return e;
    item->next = words_alloc(w, KINDS_MAX * sizeof *item->next);
    if (!item->next)
        return ERROR_NO_MEMORY;
    for (int kind = 1; kind < KINDS_MAX; kind++)
        if (judge_may(j, &actor, (Brug__V1__Kind)kind))
            item->next[item->next_n++] = kind;
    return ERROR_NONE;
}

static enum error fill_from_relay(struct brug *b, struct words *w, const struct id *case_id,
                                  struct brug_case *item)
{
    struct judge_case j;
    enum error e = judge_load(b, case_id, &j);
    if (e != ERROR_NONE)
        return e;
    if (j.told.arena)
        e = fill_facts(b, w, &j, item);
    if (e == ERROR_NONE && j.is_known)
        e = fill_next(b, w, &j, item);
    judge_free(&j);
    return e;
}

/* ---- both ---- */

static enum error fill_case(struct brug *b, struct words *w, const struct id *case_id,
                            struct brug_case *item)
{
    *item = (struct brug_case){.youth_name = "", .other_name = ""};
    item->case_id = client_public_id(case_id);
    (void)id_to_spoken(case_id, item->case_code); /* returns its second argument */
    enum error e = fill_from_rows(b, case_id, item);
    if (e == ERROR_NONE)
        e = fill_from_relay(b, w, case_id, item);
    struct id other = client_id(&item->other);
    if (e == ERROR_NONE)
        e = words_organisation(b, w, &other, &item->other_name);
    return e == ERROR_NONE ? find_youth(b, w, case_id, item) : e;
}

static enum error count_cases(struct brug *b, size_t *n)
{
    struct db_cursor c;
    enum error e = db_select(b->db, &c,
                             "SELECT count(*) FROM (SELECT case_id FROM message WHERE"
                             " length(case_id) = 16 UNION SELECT case_id FROM casefile WHERE"
                             " length(facts) > 0)",
                             NULL, 0);
    if (e != ERROR_NONE)
        return e;
    *n = db_next(&c) ? (size_t)db_int(&c, 0) : 0;
    return db_done(&c);
}

static enum error list_ids(struct brug *b, struct id *ids, size_t most, size_t *n)
{
    struct db_cursor c;
    enum error e =
        db_select(b->db, &c,
                  "SELECT case_id, max(newest) AS last FROM (SELECT case_id, number AS newest FROM"
                  " message WHERE length(case_id) = 16 UNION ALL SELECT case_id, 0 FROM casefile"
                  " WHERE length(facts) > 0) GROUP BY case_id ORDER BY last DESC",
                  NULL, 0);
    if (e != ERROR_NONE)
        return e;
    *n = 0;
    while (*n < most && db_next(&c))
        ids[(*n)++] = db_id(&c, 0);
    return db_done(&c);
}

static enum error fill_list(struct brug *b, const struct id *ids, size_t n, struct case_list *list)
{
    list->public.items = calloc(n + 1, sizeof *list->public.items);
    enum error e = list->public.items ? ERROR_NONE : ERROR_NO_MEMORY;
    for (size_t i = 0; e == ERROR_NONE && i < n; i++)
        e = fill_case(b, list->words, &ids[i], &list->public.items[list->public.n++]);
    return e;
}

static enum error give_list(struct brug *b, const struct id *ids, size_t n, struct brug_cases **out)
{
    struct case_list *list = calloc(1, sizeof *list);
    if (list)
        list->words = words_new();
    enum error e = list && list->words ? fill_list(b, ids, n, list) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        *out = &list->public;
    else
        brug_cases_free(list ? &list->public : NULL);
    return client_failed(b, e);
}

int brug_cases(struct brug *b, struct brug_cases **out)
{
    size_t n = 0;
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = client_failed(b, count_cases(b, &n));
    if (e != ERROR_NONE)
        return (int)e;
    struct id *ids = calloc(n + 1, sizeof *ids);
    e = client_failed(b, ids ? list_ids(b, ids, n, &n) : ERROR_NO_MEMORY);
    if (e == ERROR_NONE)
        e = give_list(b, ids, n, out);
    free(ids);
    return (int)e;
}

int brug_case(struct brug *b, const struct brug_id *case_id, struct brug_cases **out)
{
    struct id id = client_id(case_id);
    struct brug_cases *list = NULL;
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = give_list(b, &id, 1, &list);
    if (e == ERROR_NONE && list->items[0].newest == 0 && !list->items[0].facts) {
        brug_cases_free(list);
        e = client_fail(b, ERROR_NOT_FOUND, "this profile has no such case");
    }
    if (e == ERROR_NONE)
        *out = list;
    return (int)e;
}

void brug_cases_free(struct brug_cases *c)
{
    struct case_list *list = (struct case_list *)c; /* its first member */
    if (!list)
        return;
    words_free(list->words);
    free(list->public.items);
    free(list);
}

int brug_refresh_case(struct brug *b, const struct brug_id *case_id)
{
    struct id id = client_id(case_id);
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = client_failed(b, casefile_want(b, &id));
    client_wake(b);
    return (int)e;
}

int brug_refresh_cases(struct brug *b, bool with_ended)
{
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = client_failed(b, casefile_want_all(b, with_ended));
    client_wake(b);
    return (int)e;
}
