/*
 * client/cmd/recover.c: recover, when all keys of an organisation are lost: the holder of the recovery key makes a file for the new
 * clients of the relay's file, and a new client takes that in.
 */
#include "client/cmd/cmd.h"

static int report_json(struct cmd *c, const struct brug_recovered *r)
{
    return cmd_print_json(
        c, json_pack("{s:I, s:I, s:I, s:I, s:I}", "letters", (json_int_t)r->letters, "known",
                     (json_int_t)r->known, "waiting", (json_int_t)r->waiting, "unreadable",
                     (json_int_t)r->unreadable, "damaged", (json_int_t)r->damaged));
}

static void print_count(const struct cmd *c, size_t n, const char *dutch, const char *english)
{
    if (n > 0)
        (void)printf("%s: %zu\n", cmd_say(c, dutch, english), n);
}

/* Of the holder of the recovery key, who does not read them. */
static void report_sealed(struct cmd *c, const struct brug_recovered *r)
{
    print_count(c, r->letters, "Brieven die weer te openen zijn",
                "Letters that can be opened again");
    print_count(c, r->unreadable,
                "Niet te openen met deze sleutel, zoals brieven van voordat die er was",
                "Cannot be opened with this key, as letters from before it was made");
    print_count(c, r->damaged, "Kwijt, want beschadigd bij de relay",
                "Lost, as they are damaged at the relay");
    if (r->letters == 0)
        (void)printf(cmd_say(c, "Er is niets terug te halen. %s is leeg.\n",
                             "There is nothing to restore. %s is empty.\n"),
                     c->out);
    else
        (void)printf(cmd_say(c,
                             "Breng %s naar de computer met de nieuwe aansluiting. Geef daar: brug "
                             "recover BESTAND\n",
                             "Bring %s to the computer with the new client. Say there: brug "
                             "recover FILE\n"),
                     c->out);
}

static void report_taken(struct cmd *c, const struct brug_recovered *r)
{
    print_count(c, r->letters, "Teruggehaald", "Restored");
    print_count(c, r->waiting, "Teruggehaald, maar te zien zodra u de schrijver bevestigt",
                "Restored, but shown once you confirm the author");
    print_count(c, r->known, "Die waren er al", "Those were here already");
    print_count(c, r->unreadable, "Overgeslagen, want niet te openen",
                "Left out, as they cannot be opened");
    if (r->letters + r->waiting + r->known == 0)
        (void)puts(cmd_say(c, "In dit bestand staat geen brief die hier te lezen is.",
                           "This file holds no letter that can be read here."));
    if (r->waiting > 0)
        (void)puts(cmd_say(c, "Wie dat zijn, zegt: brug trust", "Who they are, says: brug trust"));
    (void)puts(cmd_say(c, "Haal nu op hoe uw casussen ervoor staan: brug sync",
                       "Now fetch how your cases stand: brug sync"));
}

static int complain(struct cmd *c, const struct brug_identity *me, int error)
{
    if (error == BRUG_CONFIRM && me->recovery)
        return cmd_complain_of(
            c, EX_NOPERM,
            "bevestig eerst de nieuwe aansluitingen: brug trust \"%s\". Bel wie ze heeft, "
            "vergelijk "
            "de vingerafdruk, en doe dit dan opnieuw",
            "first confirm the new clients: brug trust \"%s\". Call who has them, compare the "
            "fingerprint, then do this again",
            cmd_clean(c, me->organisation_name));
    if (error == BRUG_EXISTS)
        return cmd_complain_existing(c, c->out);
    if (error != BRUG_USAGE)
        return cmd_fail(c, error);
    (void)cmd_complain_named(
        c, EX_DATAERR, brug_error_name(error),
        me->recovery
            ? cmd_say(
                  c,
                  "dit bestand is beschadigd, of niet het bestand dat de beheerder voor u maakte",
                  "this file is damaged, or not the one that the operator made for you")
            : cmd_say(
                  c,
                  "dit bestand is beschadigd, of niet het bestand van wie uw herstelsleutel heeft",
                  "this file is damaged, or not the one of who holds your recovery key"));
    (void)fprintf(stderr, "      (%s)\n", cmd_clean(c, brug_last_error(c->brug)));
    return EX_DATAERR;
}

int cmd_recover(struct cmd *c)
{
    struct brug_identity me;
    struct brug_recovered done = {0};
    int status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status != EX_OK)
        return status;
    if (me.recovery && c->out == NULL)
        return cmd_complain(c, EX_USAGE,
                            "zeg met --out waar het bestand voor de nieuwe aansluiting komt",
                            "say with --out where the file for the new client goes");
    if (!me.recovery && c->out != NULL)
        return cmd_complain(c, EX_USAGE, "--out is alleen voor een herstelsleutel",
                            "--out is for a recovery entry only");
    status = cmd_need_file(c, c->words[0]);
    if (status != EX_OK)
        return status;
    int e = brug_recover(c->brug, c->words[0], c->out, &done);
    if (e != BRUG_OK)
        return complain(c, &me, e);
    if (c->is_json)
        return report_json(c, &done);
    if (me.recovery)
        report_sealed(c, &done);
    else
        report_taken(c, &done);
    return EX_OK;
}
