/*
 * client/words.c: see words.h. Names are looked up once for each answer.
 */
#include "client/words.h"

#include "base/text.h"
#include "client/home.h"
#include "client/pins.h"
#include "proto/check.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    struct piece *next;
    size_t len;
    max_align_t bytes[];
};

struct known_name {
    struct known_name *next;
    struct id organisation, person;
    const char *name;
};

struct words {
    struct piece *pieces;
    struct known_name *names;
};

struct words *words_new(void) { return calloc(1, sizeof(struct words)); }

void words_free(struct words *w)
{
    if (!w)
        return;
    while (w->pieces) {
        struct piece *p = w->pieces;
        w->pieces = p->next;
        OPENSSL_cleanse(p->bytes, p->len);
        free(p);
    }
    free(w);
}

void *words_alloc(struct words *w, size_t len)
{
    if (len > SIZE_MAX / 2)
        return NULL;
    struct piece *p = calloc(1, sizeof *p + len);
    if (!p)
        return NULL;
    p->len = len;
    p->next = w->pieces;
    w->pieces = p;
    return p->bytes;
}

const char *words_copy(struct words *w, const char *text)
{
    if (!text || !*text)
        return "";
    size_t len = strlen(text) + 1;
    char *copy = words_alloc(w, len);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

static const char *find_name(const struct words *w, const struct id *organisation,
                             const struct id *person)
{
    for (const struct known_name *k = w->names; k; k = k->next)
        if (id_equal(&k->organisation, organisation) && id_equal(&k->person, person))
            return k->name;
    return NULL;
}

static enum error keep_name(struct words *w, const struct id *organisation, const struct id *person,
                            const char *name, const char **out)
{
    struct known_name *k = words_alloc(w, sizeof *k);
    const char *copy = words_copy(w, name);
    if (!k || !copy)
        return ERROR_NO_MEMORY;
    *k = (struct known_name){
        .next = w->names, .organisation = *organisation, .person = *person, .name = copy};
    w->names = k;
    *out = copy;
    return ERROR_NONE;
}

/* *out is NULL when it is not listed or does not decode; *arena owns it. */
static enum error load_listed(struct brug *b, const struct id *organisation, struct arena **arena,
                              const Brug__V1__OrganisationEntry **out)
{
    struct db_cursor c;
    ProtobufCMessage *entry = NULL;
    enum error e = DB_SELECT(b->db, &c, "SELECT entry FROM organisation WHERE organisation = ?1",
                             DB_ID(organisation));
    if (e != ERROR_NONE)
        return e;
    enum error read = ERROR_NONE;
    if (db_next(&c))
        read =
            home_decode(&brug__v1__organisation_entry__descriptor, db_blob(&c, 0), arena, &entry);
    e = db_done(&c);
    *out = (const Brug__V1__OrganisationEntry *)entry;
    return e == ERROR_NONE && read == ERROR_NO_MEMORY ? read : e;
}

static enum error known_organisation(struct brug *b, struct words *w, const struct id *organisation,
                                     const char **out)
{
    struct db_cursor c;
    char name[256] = "";
    enum error e =
        DB_SELECT(b->db, &c, "SELECT name FROM known WHERE organisation = ?1", DB_ID(organisation));
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c)) {
        struct slice s = db_blob(&c, 0);
        size_t len = s.len < sizeof name - 1 ? s.len : sizeof name - 1;
        if (len > 0)
            memcpy(name, s.data, len);
        name[len] = 0;
    }
    e = db_done(&c);
    if (e != ERROR_NONE)
        return e;
    return *name ? keep_name(w, organisation, &ID_NONE, name, out) : ERROR_NOT_FOUND;
}

enum error words_organisation(struct brug *b, struct words *w, const struct id *organisation,
                              const char **out)
{
    const char *known = id_is_none(organisation) ? "" : find_name(w, organisation, &ID_NONE);
    if (known) {
        *out = known;
        return ERROR_NONE;
    }
    enum error e = known_organisation(b, w, organisation, out);
    if (e != ERROR_NOT_FOUND)
        return e;
    struct arena *a = NULL;
    const Brug__V1__OrganisationEntry *entry = NULL;
    e = load_listed(b, organisation, &a, &entry);
    if (e == ERROR_NONE)
        e = keep_name(w, organisation, &ID_NONE, entry ? entry->name : "", out);
    arena_free(a);
    return e;
}

static const char *name_in_roster(const Brug__V1__Roster *roster, const struct id *person)
{
    for (size_t i = 0; roster && i < roster->n_persons; i++)
        if (slice_equal(check_slice(roster->persons[i]->person), id_slice(person)) &&
            text_is_clean(slice_text(roster->persons[i]->name), false))
            return roster->persons[i]->name;
    return "";
}

static enum error listed_person(struct brug *b, struct words *w, const struct id *organisation,
                                const struct id *person, const char **out)
{
    struct arena *a = NULL;
    struct arena *roster_arena = NULL;
    const Brug__V1__OrganisationEntry *entry = NULL;
    ProtobufCMessage *roster = NULL;
    enum error e = load_listed(b, organisation, &a, &entry);
    if (e == ERROR_NONE && entry) {
        e = home_decode(&brug__v1__roster__descriptor, check_slice(entry->roster), &roster_arena,
                        &roster);
        e = e == ERROR_NO_MEMORY ? e : ERROR_NONE; /* what does not decode names nobody */
    }
    if (e == ERROR_NONE)
        e = keep_name(w, organisation, person,
                      name_in_roster((const Brug__V1__Roster *)roster, person), out);
    arena_free(roster_arena);
    arena_free(a);
    return e;
}

enum error words_person(struct brug *b, struct words *w, const struct id *organisation,
                        const struct id *person, const char **out)
{
    char name[256];
    const char *known = id_is_none(person) ? "" : find_name(w, organisation, person);
    if (known) {
        *out = known;
        return ERROR_NONE;
    }
    enum error e = pins_name(b, organisation, person, name, sizeof name);
    if (e == ERROR_NONE)
        return keep_name(w, organisation, person, name, out);
    return e == ERROR_NOT_FOUND ? listed_person(b, w, organisation, person, out) : e;
}
