/* client/cmd/directory.c: teams and practices: who they are, what they take, whether they are away. */
#include "client/cmd/organisation.h"

static const char *trust_word(enum brug_trust_state state)
{
    switch (state) {
    case BRUG_TRUST_BELIEVED:
        return "believed";
    case BRUG_TRUST_NEW:
        return "new";
    case BRUG_TRUST_MORE:
        return "more";
    case BRUG_TRUST_CHANGED:
        return "changed";
    default:
        return "refused";
    }
}

static const char *trust_text(struct cmd *c, enum brug_trust_state state, int error)
{
    switch (state) {
    case BRUG_TRUST_BELIEVED:
        return cmd_say(c, "bevestigd", "confirmed");
    case BRUG_TRUST_NEW:
        return cmd_say(c, "nog te bevestigen", "to be confirmed");
    case BRUG_TRUST_MORE:
        return cmd_say(c, "nieuwe aansluiting, nog te bevestigen", "new endpoint, to be confirmed");
    case BRUG_TRUST_CHANGED:
        return cmd_say(c, "VERANDERD, nog te bevestigen", "CHANGED, to be confirmed");
    default:
        return cmd_fill(c, "%s (%s)", cmd_say(c, "geweigerd", "refused"), brug_error_name(error));
    }
}

static const char *kind_text(struct cmd *c, enum brug_organisation_kind kind)
{
    return kind == BRUG_TEAM ? cmd_say(c, "team", "team") : cmd_say(c, "praktijk", "practice");
}

/* ---- lines ---- */

void organisation_print_head(struct cmd *c, const struct brug_organisation *o)
{
    (void)printf("%s  (%s%s)\n", cmd_clean(c, o->name), kind_text(c, o->kind),
                 o->is_own ? cmd_say(c, ", uw eigen", ", your own") : "");
    if (!o->is_name_certified)
        (void)printf("  %s\n",
                     cmd_say(c, "Deze naam zegt de relay; geen geldig certificaat noemt hem.",
                             "This name is the relay's word; no valid certificate bears it."));
    (void)printf("  %-13s %s\n", cmd_say(c, "Kenmerk", "Identifier"), cmd_clean(c, o->identifier));
    (void)printf("  %-13s %s\n", cmd_say(c, "Vingerafdruk", "Fingerprint"), o->fingerprint);
}

void organisation_print_entries(struct cmd *c, const struct brug_organisation *o)
{
    for (size_t i = 0; i < o->entries_n; i++) {
        const struct brug_entry *e = &o->entries[i];
        const char *name = e->is_recovery ? cmd_say(c, "herstelsleutel", "recovery entry")
                           : e->person_name[0] == '\0'
                               ? cmd_say(c, "praktijksysteem", "practice system")
                               : cmd_clean(c, e->person_name);
        (void)printf("  - %s%s%s: %s\n", name, e->is_recovery ? "" : ", ",
                     e->is_recovery ? "" : brug_list_text(BRUG_LIST_ROLE, e->role, c->language),
                     trust_text(c, e->state, e->error));
    }
}

static const char *away_text(struct cmd *c, const struct brug_organisation *o)
{
    char time[CMD_TIME_BYTES];
    if (o->away_until_ms == 0)
        return "";
    const char *number = o->card_telephone[0] != '\0' ? cmd_clean(c, o->card_telephone)
                                                      : cmd_say(c, "de organisatie", "them");
    return cmd_fill(c,
                    cmd_say(c, "Het hele team is afwezig tot %s. Kan het niet wachten? Bel %s.",
                            "The whole team is away until %s. Can it not wait? Call %s."),
                    cmd_time(o->away_until_ms, time), number);
}

static void print_row(struct cmd *c, const struct brug_organisation *o)
{
    (void)printf("%-9s %s%s%s\n", kind_text(c, o->kind), cmd_clean(c, o->name),
                 o->area[0] == '\0' ? "" : "  ·  ", cmd_clean(c, o->area));
    if (o->card_expertise[0] != '\0')
        (void)printf("          %s\n", cmd_clean(c, o->card_expertise));
    if (o->away_until_ms != 0)
        (void)printf("          %s\n", away_text(c, o));
    if (!o->is_own && o->state != BRUG_TRUST_BELIEVED)
        (void)printf("          %s\n", trust_text(c, o->state, o->error));
}

static void print_whole(struct cmd *c, const struct brug_organisation *o)
{
    organisation_print_head(c, o);
    (void)printf("  %-13s %s\n", cmd_say(c, "Gebied", "Area"), cmd_clean(c, o->area));
    (void)printf("  %-13s %s\n", cmd_say(c, "Telefoon", "Telephone"),
                 cmd_clean(c, o->card_telephone));
    (void)printf("  %-13s %s\n", cmd_say(c, "Deskundigheid", "Expertise"),
                 cmd_clean(c, o->card_expertise));
    if (o->away_until_ms != 0)
        (void)printf("  %s\n", away_text(c, o));
    if (!o->is_addressable)
        (void)printf("  %s\n", cmd_say(c, "U kunt deze organisatie nu niet schrijven.",
                                       "You cannot write to this organisation now."));
    organisation_print_entries(c, o);
    if (o->card_text[0] != '\0') {
        (void)putchar('\n');
        cmd_print_text(c, stdout, o->card_text);
    }
}

/* ---- JSON ---- */

static json_t *json_entries(const struct brug_organisation *o)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < o->entries_n; i++) {
        const struct brug_entry *e = &o->entries[i];
        json_t *j = json_pack(
            "{s:o, s:o, s:o, s:s, s:b, s:b, s:s, s:o, s:s}", "endpoint", cmd_json_id(&e->endpoint),
            "person", cmd_json_id(&e->person), "person_name", cmd_json_text(e->person_name), "role",
            brug_list_word(BRUG_LIST_ROLE, e->role), "recovery", (int)e->is_recovery, "reader",
            (int)e->is_reader, "trust", trust_word(e->state), "error",
            e->error == BRUG_OK ? json_null() : json_string(brug_error_name(e->error)),
            "fingerprint", e->fingerprint);
        if (json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *organisation_json(struct cmd *c, const struct brug_organisation *o)
{
    return json_pack(
        "{s:o, s:s, s:o, s:b, s:o, s:o, s:b, s:b, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
        "organisation", cmd_json_id(&o->organisation), "kind",
        o->kind == BRUG_TEAM ? "team" : "practice", "name", cmd_json_text(o->name),
        "name_certified", (int)o->is_name_certified, "identifier", cmd_json_text(o->identifier),
        "area", cmd_json_text(o->area), "own", (int)o->is_own, "addressable",
        (int)o->is_addressable, "trust", trust_word(o->state), "error",
        o->error == BRUG_OK ? json_null() : json_string(brug_error_name(o->error)), "fingerprint",
        o->fingerprint, "text", cmd_json_text(o->card_text), "expertise",
        cmd_json_text(o->card_expertise), "telephone", cmd_json_text(o->card_telephone),
        "away_until", cmd_json_time(o->away_until_ms), "fetched_at",
        cmd_json_time(o->fetched_at_ms), "entries", json_entries(o));
}

json_t *organisation_json_list(struct cmd *c, const struct brug_organisations *all)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < all->n; i++)
        if (json_array_append_new(list, organisation_json(c, &all->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* ---- the command ---- */

static int print_list(struct cmd *c)
{
    char time[CMD_TIME_BYTES];
    const struct brug_organisations *all = cmd_organisations(c);
    if (all == NULL)
        return EX_SOFTWARE;
    if (c->is_json)
        return cmd_print_json(c, organisation_json_list(c, all));
    for (size_t i = 0; i < all->n; i++)
        print_row(c, &all->items[i]);
    (void)printf("%s %s\n", cmd_say(c, "Opgehaald:", "Fetched:"),
                 cmd_time(all->fetched_at_ms, time));
    return EX_OK;
}

static int print_one(struct cmd *c, const char *word)
{
    struct brug_id id;
    int status = cmd_find_organisation(c, word, &id);
    if (status != EX_OK)
        return status;
    const struct brug_organisation *o = cmd_organisation(c, &id);
    if (o == NULL)
        return cmd_fail(c, BRUG_NOT_FOUND);
    if (c->is_json)
        return cmd_print_json(c, organisation_json(c, o));
    print_whole(c, o);
    return EX_OK;
}

int cmd_directory(struct cmd *c)
{
    int status = c->is_refresh ? cmd_refresh_directory(c) : cmd_need_directory(c);
    if (status != EX_OK)
        return status;
    return c->words_n == 0 ? print_list(c) : print_one(c, c->words[0]);
}
