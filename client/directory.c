/*
 * client/directory.c: the directory for people: organisations, whom to believe of them, cards, persons.
 * What a certificate does not say is the relay's word, and the fields say which is which.
 */
#include "client/pins.h"
#include "client/words.h"
#include "proto/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct organisation_list {
    struct brug_organisations public;
    struct words *words;
};

void brug_organisations_free(struct brug_organisations *o)
{
    struct organisation_list *list = (struct organisation_list *)o; /* its first member */
    if (!list)
        return;
    words_free(list->words);
    free(list->public.items);
    free(list);
}

static enum error fill_entries(struct words *w, const struct belief *belief,
                               struct brug_organisation *o)
{
    o->entries = words_alloc(w, (belief->entry_count + 1) * sizeof *o->entries);
    if (!o->entries)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < belief->entry_count; i++) {
        const struct belief_entry *from = &belief->entries[i];
        struct brug_entry *to = &o->entries[o->entries_n++];
        to->endpoint = client_public_id(&from->endpoint);
        to->person = client_public_id(&from->person);
        to->person_name =
            words_copy(w, from->state == BRUG_TRUST_REFUSED ? "" : from->names.common_name);
        to->role = from->role;
        to->is_recovery = from->is_recovery;
        to->is_reader = !from->is_recovery;
        to->state = from->state;
        to->error = (int)from->error;
        to->away_until_ms = from->entry ? from->entry->away_until_ms : 0;
        if (!to->person_name)
            return ERROR_NO_MEMORY;
        enum error e = belief_fingerprint(&belief->organisation, &from->digest, 1, to->fingerprint);
        if (e != ERROR_NONE)
            return e;
    }
    return ERROR_NONE;
}

static enum error fill_persons(struct words *w, const struct belief *belief,
                               struct brug_organisation *o)
{
    size_t n = belief->roster ? belief->roster->n_persons : 0;
    o->persons = words_alloc(w, (n + 1) * sizeof *o->persons);
    if (!o->persons)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const Brug__V1__PersonEntry *from = belief->roster->persons[i];
        struct id person = client_field_id(from->person);
        o->persons[i] = (struct brug_person){.person = client_public_id(&person),
                                             .name = words_copy(w, from->name),
                                             .role = (int)from->role,
                                             .until_ms = from->until_ms,
                                             .is_active = from->active};
        if (!o->persons[i].name)
            return ERROR_NO_MEMORY;
    }
    o->persons_n = n;
    return ERROR_NONE;
}

static enum error fill_names(struct words *w, const struct belief *belief,
                             struct brug_organisation *o)
{
    char identifier[5 + ID_TEXT_BYTES] = "brug:";
    const Brug__V1__OrganisationEntry *entry = belief->entry;
    o->is_name_certified = belief->names != NULL;
    o->name = words_copy(w, belief->names ? belief->names->organisation_name : entry->name);
    (void)id_to_text(&belief->organisation, identifier + 5); /* returns its second argument */
    o->identifier = words_copy(w, belief->names ? identifier : entry->identifier);
    o->area = words_copy(w, entry->area);
    o->card_text = words_copy(w, entry->card ? entry->card->text : "");
    o->card_expertise = words_copy(w, entry->card ? entry->card->expertise : "");
    o->card_telephone = words_copy(w, entry->card ? entry->card->telephone : "");
    o->away_until_ms = entry->card ? entry->card->away_until_ms : 0;
    return o->name && o->identifier && o->area && o->card_text && o->card_expertise &&
                   o->card_telephone
               ? ERROR_NONE
               : ERROR_NO_MEMORY;
}

static enum error fill_organisation(struct brug *b, struct words *w, const struct belief *belief,
                                    const struct id *id, int64_t fetched_at_ms,
                                    struct brug_organisation *o)
{
    memset(o, 0, sizeof *o);
    o->organisation = client_public_id(id);
    o->kind = belief->roster ? (enum brug_organisation_kind)belief->roster->kind : 0;
    o->is_own = id_equal(id, &b->self.organisation);
    o->is_addressable = belief->entry->addressable;
    o->state = belief->state;
    o->error = (int)belief->error;
    o->fetched_at_ms = fetched_at_ms;
    enum error e = fill_names(w, belief, o);
    if (e == ERROR_NONE && belief->entry_count > 0)
        e = belief_pending_fingerprint(belief, o->fingerprint);
    if (e == ERROR_NONE)
        e = fill_entries(w, belief, o);
    return e == ERROR_NONE ? fill_persons(w, belief, o) : e;
}

static enum error next_organisation(struct brug *b, struct id *id, int64_t *fetched_at_ms,
                                    bool *found)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT organisation, fetched_at_ms FROM organisation WHERE"
                             " organisation > ?1 ORDER BY organisation LIMIT 1",
                             DB_ID(id));
    if (e != ERROR_NONE)
        return e;
    *found = db_next(&c);
    if (*found) {
        *id = db_id(&c, 0);
        *fetched_at_ms = db_int(&c, 1);
    }
    return db_done(&c);
}

static enum error add_organisation(struct brug *b, struct organisation_list *list,
                                   const struct id *id, int64_t fetched_at_ms, bool pending_only,
                                   size_t *capacity)
{
    struct belief *belief = NULL;
    enum error e = pins_judge(b, id, &belief);
    if (e != ERROR_NONE)
        return e == ERROR_NOT_FOUND ? ERROR_NONE : e;
    if (pending_only && belief->state == BRUG_TRUST_BELIEVED) {
        belief_free(belief);
        return ERROR_NONE;
    }
    if (list->public.n == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 32;
        struct brug_organisation *items = reallocarray(list->public.items, more, sizeof *items);
        if (!items) {
            belief_free(belief);
            return ERROR_NO_MEMORY;
        }
        list->public.items = items;
        *capacity = more;
    }
    e = fill_organisation(b, list->words, belief, id, fetched_at_ms,
                          &list->public.items[list->public.n]);
    list->public.n += e == ERROR_NONE;
    belief_free(belief);
    return e;
}

static int compare_names(const void *a, const void *b)
{
    const struct brug_organisation *x = a;
    const struct brug_organisation *y = b;
    int order = strcasecmp(x->name, y->name);
    return order ? order : memcmp(x->organisation.bytes, y->organisation.bytes, ID_BYTES);
}

static enum error oldest_fetch(struct brug *b, int64_t *out)
{
    struct db_cursor c;
    enum error e = db_select(
        b->db, &c,
        "SELECT min(fetched_at_ms) FROM municipality WHERE wanted = 1 OR fetched_at_ms > 0", NULL,
        0);
    if (e != ERROR_NONE)
        return e;
    *out = db_next(&c) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

static enum error fill_list(struct brug *b, struct organisation_list *list, bool pending_only)
{
    struct id id = ID_NONE;
    size_t capacity = 0;
    bool found = true;
    enum error e = oldest_fetch(b, &list->public.fetched_at_ms);
    while (e == ERROR_NONE) {
        int64_t fetched_at_ms = 0;
        e = next_organisation(b, &id, &fetched_at_ms, &found);
        if (e != ERROR_NONE || !found)
            break;
        e = add_organisation(b, list, &id, fetched_at_ms, pending_only, &capacity);
    }
    if (e == ERROR_NONE && list->public.n > 0)
        qsort(list->public.items, list->public.n, sizeof *list->public.items, compare_names);
    return e;
}

static int list_organisations(struct brug *b, bool pending_only, struct brug_organisations **out)
{
    enum error e = client_need_ready(b);
    if (e != ERROR_NONE)
        return (int)e;
    struct organisation_list *list = calloc(1, sizeof *list);
    if (list)
        list->words = words_new();
    e = list && list->words ? fill_list(b, list, pending_only) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        *out = &list->public;
    else
        brug_organisations_free(list ? &list->public : NULL);
    return (int)client_failed(b, e);
}

int brug_organisations(struct brug *b, struct brug_organisations **out)
{
    return list_organisations(b, false, out);
}

int brug_trust_list(struct brug *b, struct brug_organisations **out)
{
    return list_organisations(b, true, out);
}

int brug_refresh_directory(struct brug *b)
{
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = client_failed(b, DB_RUN(b->db,
                                    "INSERT INTO municipality(municipality, wanted) VALUES(?1, 1)"
                                    " ON CONFLICT(municipality) DO UPDATE SET wanted = 1",
                                    DB_ID(&b->self.municipality)));
    if (e == ERROR_NONE)
        e = client_failed(b, db_run(b->db, "UPDATE municipality SET wanted = 1", NULL, 0));
    client_wake(b);
    return (int)e;
}

/* ---- by what a person types ---- */

static bool matches(const struct brug_organisation *o, const char *text, bool whole)
{
    return whole ? strcasecmp(o->name, text) == 0 : strcasestr(o->name, text) != NULL;
}

static enum error find_by_name(struct brug *b, const struct brug_organisations *all,
                               const char *text, bool whole, struct brug_id *out)
{
    char names[300] = "";
    size_t found = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (!matches(&all->items[i], text, whole))
            continue;
        *out = all->items[i].organisation;
        size_t len = strlen(names);
        (void)snprintf(names + len, sizeof names - len, "%s%s", found++ ? ", " : "",
                       all->items[i].name); /* cut when there are many */
    }
    if (found == 0)
        return client_fail(b, ERROR_NOT_FOUND, "the directory here has no organisation \"%s\"",
                           text);
    if (found > 1)
        return client_fail(b, ERROR_USAGE, "\"%s\" fits more than one: %s", text, names);
    return ERROR_NONE;
}

int brug_find_organisation(struct brug *b, const char *text, struct brug_id *out)
{
    struct brug_organisations *all = NULL;
    struct brug_id id;
    struct id asked;
    int e = brug_organisations(b, &all);
    if (e != BRUG_OK)
        return e;
    if (id_from_text(&asked, text) == ERROR_NONE) {
        e = (int)client_fail(b, ERROR_NOT_FOUND, "the directory here has no organisation %s", text);
        id = client_public_id(&asked);
        for (size_t i = 0; i < all->n; i++)
            if (brug_id_equal(&all->items[i].organisation, &id))
                e = BRUG_OK;
    } else {
        e = (int)find_by_name(b, all, text, true, &id);
        if (e == BRUG_NOT_FOUND)
            e = (int)find_by_name(b, all, text, false, &id);
    }
    if (e == BRUG_OK)
        *out = id;
    brug_organisations_free(all);
    return e;
}
