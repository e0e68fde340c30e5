/*
 * client/cmd/trust.c: what a person must confirm, and confirming it (design §3): the certified name, the identifier and
 * the fingerprint of a first contact, of a further entry that no colleague vouches for yet, or of changed keys. What
 * fails the checks by the own anchors is shown with its reason and cannot be confirmed.
 */
#include "client/cmd/organisation.h"

static void free_organisations(void *p) { brug_organisations_free(p); }

static const char *advice(struct cmd *c, const struct brug_organisation *o)
{
    const char *name = cmd_clean(c, o->name);
    switch (o->state) {
    case BRUG_TRUST_NEW:
        return cmd_fill(
            c,
            cmd_say(c,
                    "Nieuw. Bel %s (niet op een nummer uit een bericht) en vergelijk de "
                    "vingerafdruk.",
                    "New. Call %s (not on a number out of a message) and compare the "
                    "fingerprint."),
            name);
    case BRUG_TRUST_MORE:
        if (o->is_own)
            return cmd_say(
                c,
                "Uw organisatie heeft er een aansluiting bij. Vergelijk de vingerafdruk met "
                "die collega.",
                "Your organisation has one more endpoint. Compare the fingerprint with that "
                "colleague.");
        return cmd_fill(
            c,
            cmd_say(c, "%s heeft er een aansluiting bij. Bel, en vergelijk de vingerafdruk.",
                    "%s has one more endpoint. Call, and compare the fingerprint."),
            name);
    case BRUG_TRUST_CHANGED:
        return cmd_fill(
            c,
            cmd_say(c, "LET OP: bij %s zijn sleutels veranderd. Bel eerst, en vraag waarom.",
                    "TAKE CARE: keys of %s have changed. Call first, and ask why."),
            name);
    case BRUG_TRUST_REFUSED:
        return cmd_fill(c, cmd_say(c, "Geweigerd: %s", "Refused: %s"),
                        brug_error_sentence(o->error, c->language));
    default:
        return cmd_say(c, "Bekend en bevestigd.", "Known and confirmed.");
    }
}

static void print_one(struct cmd *c, const struct brug_organisation *o)
{
    organisation_print_head(c, o);
    organisation_print_entries(c, o);
    (void)printf("  %s\n", advice(c, o));
}

static int list_all(struct cmd *c)
{
    struct brug_organisations *found = NULL;
    int status = cmd_fail(c, brug_trust_list(c->brug, &found));
    if (status != EX_OK)
        return status;
    if (cmd_keep(c, found, free_organisations) == NULL)
        return cmd_no_memory(c);
    if (c->is_json)
        return cmd_print_json(c, organisation_json_list(c, found));
    for (size_t i = 0; i < found->n; i++) {
        print_one(c, &found->items[i]);
        if (found->items[i].state != BRUG_TRUST_REFUSED)
            (void)printf("  %s brug trust \"%s\"\n", cmd_say(c, "Daarna:", "Then:"),
                         cmd_clean(c, found->items[i].name));
        (void)putchar('\n');
    }
    if (found->n == 0)
        (void)puts(cmd_say(c, "U hoeft niets te bevestigen.", "There is nothing to confirm."));
    return EX_OK;
}

/* Whether letters to the organisation can leave with the next sync. */
static bool has_unsent(struct cmd *c, const struct brug_id *organisation)
{
    const struct brug_messages *found = NULL;
    struct brug_query query = {.sent = true, .problems_only = true, .with_covers = true};
    if (cmd_messages(c, &query, &found) != EX_OK)
        return false;
    for (size_t i = 0; i < found->n; i++)
        if ((found->items[i].state == BRUG_MESSAGE_UNSENT ||
             found->items[i].state == BRUG_MESSAGE_WAITING) &&
            brug_id_equal(&found->items[i].to, organisation))
            return true;
    return false;
}

/* What comes next; "" when nothing does. */
static const char *next_step(struct cmd *c, const struct brug_organisation *o)
{
    struct brug_identity me;
    if (brug_identity(c->brug, &me) == BRUG_OK && me.recovery)
        return cmd_say(c, " Ga verder met: brug recover", " Go on with: brug recover");
    bool is_unsent = has_unsent(c, &o->organisation);
    if (o->is_own && is_unsent)
        return cmd_say(c,
                       " De brieven van lopende casussen gaan naar de nieuwe aansluiting met: brug "
                       "sync",
                       " The letters of running cases go to the new client with: brug sync");
    if (o->is_own)
        return cmd_say(c, " Ga verder met: brug sync", " Go on with: brug sync");
    return is_unsent ? cmd_say(c, " Wat hierop wachtte, gaat weg met: brug sync",
                               " What waited for it leaves with: brug sync")
                     : "";
}

static int confirmed(struct cmd *c, const struct brug_id *id)
{
    c->directory = NULL; /* look again */
    const struct brug_organisation *o = cmd_organisation(c, id);
    if (o == NULL)
        return EX_SOFTWARE;
    if (c->is_json)
        return cmd_print_json(c, organisation_json(c, o));
    (void)printf("%s %s%s\n", cmd_clean(c, o->name), cmd_say(c, "is bevestigd.", "is confirmed."),
                 next_step(c, o));
    return EX_OK;
}

static int confirm(struct cmd *c, const struct brug_id *id, const char *fingerprint)
{
    int e = brug_trust_confirm(c->brug, id, fingerprint);
    if (e == BRUG_NOT_BELIEVED)
        return cmd_complain(
            c, EX_NOPERM,
            "deze vingerafdruk is niet die van deze organisatie. Bevestig niet, en bel "
            "de organisatie",
            "this fingerprint is not the one of this organisation. Do not confirm, "
            "and call the organisation");
    return e == BRUG_OK ? confirmed(c, id) : cmd_fail(c, e);
}

static int ask(struct cmd *c, const struct brug_organisation *o)
{
    if (!c->is_json)
        print_one(c, o);
    if (!cmd_has_terminal() || c->is_json)
        return cmd_complain(c, EX_USAGE, "geef de vingerafdruk die u vergeleek: --fingerprint CODE",
                            "give the fingerprint that you compared: --fingerprint CODE");
    if (cmd_confirm(c, "Las de organisatie u deze vingerafdruk voor, en klopt de naam?",
                    "Did the organisation read this fingerprint to you, and is the name right?"))
        return confirm(c, &o->organisation, o->fingerprint);
    return cmd_complain(c, EX_NOPERM, "niet bevestigd", "not confirmed");
}

int cmd_trust(struct cmd *c)
{
    struct brug_id id;
    int status = c->is_refresh ? cmd_refresh_directory(c) : cmd_need_directory(c);
    if (status != EX_OK)
        return status;
    if (c->words_n == 0 && c->fingerprint != NULL)
        return cmd_complain(c, EX_USAGE, "--fingerprint hoort bij een organisatie: brug trust NAAM",
                            "--fingerprint belongs to an organisation: brug trust NAME");
    if (c->words_n == 0)
        return list_all(c);
    status = cmd_find_organisation(c, c->words[0], &id);
    if (status != EX_OK)
        return status;
    const struct brug_organisation *o = cmd_organisation(c, &id);
    if (o == NULL)
        return cmd_fail(c, BRUG_NOT_FOUND);
    if (o->state == BRUG_TRUST_BELIEVED && c->fingerprint == NULL) {
        if (c->is_json)
            return cmd_print_json(c, organisation_json(c, o));
        print_one(c, o);
        return EX_OK;
    }
    if (o->state == BRUG_TRUST_REFUSED) {
        if (!c->is_json)
            print_one(c, o);
        return cmd_complain_of(c, EX_NOPERM, "dit kan niemand bevestigen. %s",
                               "nobody can confirm this. %s",
                               brug_error_sentence(o->error, c->language));
    }
    return c->fingerprint == NULL ? ask(c, o) : confirm(c, &id, c->fingerprint);
}
