/*
 * client/facts.c: what the relay says of letters that were sent: fetched, opened, unreadable. Its word, with dates.
 */
#include "client/letters.h"
#include "client/words.h"

#include <stdlib.h>

#define FACTS_TRACK_MS (90ll * 24 * 3600 * 1000)

int brug_track(struct brug *b, int64_t number)
{
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = client_failed(b, DB_RUN(b->db,
                                "UPDATE message SET track = 1 WHERE is_sent = 1 AND state = 18 AND"
                                " (number = ?1 OR (?1 = 0 AND stored_at_ms > ?2)) AND kind <> ?3",
                                DB_INT(number), DB_INT(client_now_ms(b) - FACTS_TRACK_MS),
                                DB_INT(BRUG_KIND_FAMILY_KEY)));
    if (e == ERROR_NONE && number != 0 && db_changes(b->db) == 0)
        e = client_fail(b, ERROR_NOT_FOUND, "message %lld was not sent, or is not stored yet",
                        (long long)number);
    client_wake(b);
    return (int)e;
}

struct fact_list {
    struct brug_facts public;
    struct words *words;
};

void brug_facts_free(struct brug_facts *f)
{
    struct fact_list *list = (struct fact_list *)f; /* its first member */
    if (!list)
        return;
    words_free(list->words);
    free(list);
}

static enum error count_facts(struct brug *b, int64_t number, size_t *n)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT count(*) FROM fact WHERE number = ?1", DB_INT(number));
    if (e != ERROR_NONE)
        return e;
    *n = db_next(&c) ? (size_t)db_int(&c, 0) : 0;
    return db_done(&c);
}

/* Whose endpoint it is: the organisation of a pin, else the other side. */
static enum error organisation_of(struct brug *b, const struct id *endpoint, const struct id *other,
                                  struct id *out)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(b->db, &c, "SELECT organisation FROM pin WHERE endpoint = ?1", DB_ID(endpoint));
    if (e != ERROR_NONE)
        return e;
    struct id found = db_next(&c) ? db_id(&c, 0) : *other;
    e = db_done(&c);
    if (e == ERROR_NONE)
        *out = found;
    return e;
}

static enum error load_facts(struct brug *b, struct fact_list *list, size_t most)
{
    struct db_cursor c;
    struct brug_facts *f = &list->public;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT endpoint, person, fetched_at_ms, unreadable, opened_at_ms,"
                             " opened_by, cancelled_at_ms FROM fact WHERE number = ?1"
                             " ORDER BY endpoint",
                             DB_INT(f->number));
    if (e != ERROR_NONE)
        return e;
    while (f->n < most && db_next(&c)) {
        struct brug_fact *fact = &f->items[f->n++];
        struct id endpoint = db_id(&c, 0);
        struct id person = db_id(&c, 1);
        struct id opened_by = db_id(&c, 5);
        fact->endpoint = client_public_id(&endpoint);
        fact->person = client_public_id(&person);
        fact->fetched_at_ms = db_int(&c, 2);
        fact->unreadable = (int)db_int(&c, 3);
        fact->opened_at_ms = db_int(&c, 4);
        fact->opened_by = client_public_id(&opened_by);
        fact->cancelled_at_ms = db_int(&c, 6);
    }
    return db_done(&c);
}

static enum error name_fact(struct brug *b, struct words *w, const struct id *other,
                            struct brug_fact *fact)
{
    struct id endpoint = client_id(&fact->endpoint);
    struct id person = client_id(&fact->person);
    struct id opened_by = client_id(&fact->opened_by);
    struct id organisation;
    enum error e = organisation_of(b, &endpoint, other, &organisation);
    if (e != ERROR_NONE)
        return e;
    fact->organisation = client_public_id(&organisation);
    e = id_is_none(&person) ? words_organisation(b, w, &organisation, &fact->person_name)
                            : words_person(b, w, &organisation, &person, &fact->person_name);
    return e == ERROR_NONE ? words_person(b, w, &organisation, &opened_by, &fact->opened_by_name)
                           : e;
}

static enum error fill_facts(struct brug *b, struct fact_list *list, const struct letters_row *row)
{
    size_t n = 0;
    list->public.number = row->number;
    list->public.stored_at_ms = row->stored_at_ms;
    list->public.asked_at_ms = row->tracked_at_ms;
    enum error e = count_facts(b, row->number, &n);
    if (e != ERROR_NONE)
        return e;
    list->public.items = words_alloc(list->words, (n + 1) * sizeof *list->public.items);
    if (!list->public.items)
        return ERROR_NO_MEMORY;
    e = load_facts(b, list, n);
    for (size_t i = 0; e == ERROR_NONE && i < list->public.n; i++)
        e = name_fact(b, list->words, &row->other, &list->public.items[i]);
    return e;
}

int brug_facts(struct brug *b, int64_t number, struct brug_facts **out)
{
    struct letters_row row;
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return (int)client_failed(b, e);
    struct fact_list *list = calloc(1, sizeof *list);
    if (list)
        list->words = words_new();
    e = list && list->words ? fill_facts(b, list, &row) : ERROR_NO_MEMORY;
    letters_row_free(&row);
    if (e == ERROR_NONE)
        *out = &list->public;
    else
        brug_facts_free(list ? &list->public : NULL);
    return (int)client_failed(b, e);
}
