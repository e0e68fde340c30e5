/* client/cmd/lookup.c: names and messages by their ids and numbers. Results live as long as the command. */
#include "client/cmd/cmd.h"

#include "client/cmd/typed.h"

static void free_organisations(void *p) { brug_organisations_free(p); }
static void free_messages(void *p) { brug_messages_free(p); }
static void free_cases(void *p) { brug_cases_free(p); }
static void free_facts(void *p) { brug_facts_free(p); }

const struct brug_organisations *cmd_organisations(struct cmd *c)
{
    struct brug_organisations *all = NULL;
    if (c->directory != NULL)
        return c->directory;
    int e = brug_organisations(c->brug, &all);
    if (e == BRUG_OK)
        c->directory = cmd_keep(c, all, free_organisations);
    if (c->directory == NULL)
        (void)cmd_fail(c,
                       e == BRUG_OK ? BRUG_NO_MEMORY : e); /* the caller ends with its own status */
    return c->directory;
}

const struct brug_organisation *cmd_organisation(struct cmd *c, const struct brug_id *id)
{
    const struct brug_organisations *all = cmd_organisations(c);
    for (size_t i = 0; all != NULL && i < all->n; i++)
        if (brug_id_equal(&all->items[i].organisation, id))
            return &all->items[i];
    return NULL;
}

const char *cmd_person_name(struct cmd *c, const struct brug_id *organisation,
                            const struct brug_id *person)
{
    const struct brug_organisation *o = cmd_organisation(c, organisation);
    for (size_t i = 0; o != NULL && i < o->persons_n; i++)
        if (brug_id_equal(&o->persons[i].person, person))
            return o->persons[i].name;
    return "";
}

int cmd_messages(struct cmd *c, const struct brug_query *query, const struct brug_messages **out)
{
    struct brug_messages *found = NULL;
    int e = brug_messages(c->brug, query, &found);
    if (e != BRUG_OK)
        return cmd_fail(c, e);
    *out = cmd_keep(c, found, free_messages);
    return *out == NULL ? cmd_no_memory(c) : EX_OK;
}

int cmd_message(struct cmd *c, int64_t number, const struct brug_message **out)
{
    const struct brug_messages *found = NULL;
    struct brug_query query = {.before = number + 1, .limit = 1, .with_covers = true};
    int status = cmd_messages(c, &query, &found);
    if (status != EX_OK)
        return status;
    if (found->n == 0 || found->items[0].number != number)
        return cmd_complain(c, EX_NOINPUT, "er is geen bericht met dat nummer",
                            "there is no message with that number");
    *out = &found->items[0];
    return EX_OK;
}

const struct brug_facts *cmd_facts(struct cmd *c, int64_t number)
{
    struct brug_facts *facts = NULL;
    if (brug_facts(c->brug, number, &facts) != BRUG_OK)
        return NULL;
    return cmd_keep(c, facts, free_facts);
}

int cmd_find_message(struct cmd *c, const char *text, int64_t *number)
{
    int e = brug_find_message(c->brug, text, number);
    if (e == BRUG_NOT_FOUND)
        return cmd_complain_of(
            c, EX_NOINPUT,
            "er is geen bericht of casus '%s'; `brug inbox --all` en `brug sent` "
            "noemen ze",
            "there is no message or case '%s'; `brug inbox --all` and `brug sent` "
            "list them",
            text);
    return cmd_fail(c, e);
}

int cmd_find_case(struct cmd *c, const char *text, struct brug_id *out)
{
    const struct brug_message *m = NULL;
    uint32_t number;
    if (typed_number(text, 999999999, &number)) {
        int status = cmd_message(c, (int64_t)number, &m);
        if (status == EX_OK && brug_id_is_none(&m->case_id))
            status = cmd_complain(c, EX_DATAERR, "dat bericht hoort bij geen casus",
                                  "that message belongs to no case");
        if (status == EX_OK)
            *out = m->case_id;
        return status;
    }
    int e = brug_find_case(c->brug, text, out);
    if (e == BRUG_NOT_FOUND)
        return cmd_complain_of(c, EX_NOINPUT, "er is hier geen casus '%s'",
                               "there is no case '%s' here", text);
    return cmd_fail(c, e);
}

const struct brug_case *cmd_case_of(struct cmd *c, const struct brug_id *case_id)
{
    struct brug_cases *list = NULL;
    if (brug_case(c->brug, case_id, &list) != BRUG_OK ||
        (list = cmd_keep(c, list, free_cases)) == NULL)
        return NULL;
    return &list->items[0];
}
