/*
 * client/casefetch.c: asking the relay for cases: one by one where something happened in them, and as a list.
 *
 * Happy path: each wanted case is asked with GetCase, a wanted list page by page; what was open here and is not in the list
 * of open cases any more is asked by itself. Answers go to the store (casefile.h).
 * Failures: a relay of before cases says UPDATE_RELAY, a role that reads no letters is not allowed to ask: then nothing is
 * wanted any more. NO_SUCH_CASE: it is not kept here either.
 */
#include "client/casefile.h"
#include "client/session_inside.h"
#include "proto/limits.h"

static enum error next_wanted(struct session *s, struct id *case_id, int64_t *wanted, bool *found)
{
    struct db_cursor c;
    enum error e = DB_SELECT(s->b->db, &c,
                             "SELECT case_id, wanted FROM casefile WHERE wanted > 0 AND"
                             " case_id > ?1 ORDER BY case_id LIMIT 1",
                             DB_ID(case_id));
    if (e != ERROR_NONE)
        return e;
    *found = db_next(&c);
    if (*found) {
        *case_id = db_id(&c, 0);
        *wanted = db_int(&c, 1);
    }
    return db_done(&c);
}

static enum error ask_case(struct session *s, const struct id *case_id, int64_t wanted)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetCase get = BRUG__V1__GET_CASE__INIT;
    get.case_id = client_id_field(case_id);
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_GET_CASE;
    f.get_case = &get;
    return session_ask(s, &f, REQUEST_CASE, wanted, case_id);
}

static enum error ask_page(struct session *s)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__ListCases list = BRUG__V1__LIST_CASES__INIT;
    list.after = client_id_field(&s->listing.after);
    list.cases_max = LIMIT_CASES;
    list.ended = s->listing.wanted > 1;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_LIST_CASES;
    f.list_cases = &list;
    return session_ask(s, &f, REQUEST_CASES, 0, NULL);
}

static enum error begin_list(struct session *s)
{
    struct listing l = {.is_active = false};
    enum error e = store_get_int(s->b->db, "cases_wanted", 0, &l.wanted);
    if (e != ERROR_NONE || l.wanted == 0)
        return e;
    e = store_get_int(s->b->db, "cases_round", 0, &l.round);
    l.round++;
    if (e == ERROR_NONE)
        e = store_put_int(s->b->db, "cases_round", l.round);
    if (e != ERROR_NONE)
        return e;
    l.is_active = true;
    s->listing = l;
    return ask_page(s);
}

enum error casefetch_pump(struct session *s)
{
    struct id case_id = ID_NONE;
    int64_t wanted = 0;
    bool found = true;
    enum error e = ERROR_NONE;
    if (!s->listing.is_active && session_may_ask(s, REQUEST_CASES))
        e = begin_list(s);
    while (e == ERROR_NONE && session_may_ask(s, REQUEST_CASE)) {
        e = next_wanted(s, &case_id, &wanted, &found);
        if (e != ERROR_NONE || !found)
            return e;
        if (!session_is_asked_about(s, REQUEST_CASE, &case_id))
            e = ask_case(s, &case_id, wanted);
    }
    return e;
}

enum error casefetch_on_case(struct session *s, const struct request *r, const Brug__V1__Case *row)
{
    struct id case_id = client_field_id(row->case_id);
    if (!id_equal(&case_id, &r->about))
        return ERROR_FRAME_MALFORMED;
    familykey_mark(s);
    return casefile_keep(s->b, row, r->number, s->listing.round);
}

static enum error end_list(struct session *s)
{
    int64_t wanted = 0;
    enum error e = DB_RUN(s->b->db,
                          "UPDATE casefile SET wanted = wanted + 1 WHERE ended = 0 AND round < ?1"
                          " AND length(facts) > 0",
                          DB_INT(s->listing.round));
    if (e == ERROR_NONE)
        e = store_get_int(s->b->db, "cases_wanted", 0, &wanted);
    if (e == ERROR_NONE && wanted <= s->listing.wanted)
        e = store_put_int(s->b->db, "cases_wanted", 0);
    s->listing.is_active = false;
    return e;
}

enum error casefetch_on_page(struct session *s, const Brug__V1__Cases *page)
{
    struct id next = client_field_id(page->next);
    enum error e = ERROR_NONE;
    familykey_mark(s);
    for (size_t i = 0; e == ERROR_NONE && i < page->n_cases; i++)
        e = casefile_keep(s->b, page->cases[i], -1, s->listing.round);
    if (e != ERROR_NONE)
        return e;
    if (id_is_none(&next))
        return end_list(s);
    if (id_compare(&next, &s->listing.after) <= 0)
        return ERROR_FRAME_MALFORMED; /* it would never end */
    s->listing.after = next;
    return ask_page(s);
}

enum error casefetch_on_refused(struct session *s, const struct request *r, enum error code)
{
    familykey_mark(s);
    if (r->type == REQUEST_CASES) {
        s->listing.is_active = false;
        return store_put_int(s->b->db, "cases_wanted", 0);
    }
    return code == ERROR_NO_SUCH_CASE ? casefile_forget(s->b, &r->about)
                                      : casefile_unwant(s->b, &r->about);
}
