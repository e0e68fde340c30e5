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
        (void)printf("%s %zu\n", cmd_say(c, dutch, english), n);
}

static int report(struct cmd *c, const struct brug_recovered *r, bool is_recovery)
{
    if (c->is_json)
        return report_json(c, r);
    print_count(c, r->letters, is_recovery ? "Opnieuw verzegeld:" : "Teruggehaald:",
                is_recovery ? "Sealed again:" : "Restored:");
    print_count(c, r->known, "Waren er al:", "Were here already:");
    print_count(c, r->waiting, "Wacht tot u de schrijver bevestigt (brug trust):",
                "Waits until you confirm the author (brug trust):");
    print_count(c, r->unreadable,
                "Niet te openen met deze sleutel:", "Cannot be opened with this key:");
    print_count(c, r->damaged, "Bij de relay beschadigd:", "Damaged at the relay:");
    if (is_recovery)
        (void)printf(cmd_say(c, "Breng %s naar de nieuwe aansluiting. Daar: brug recover %s\n",
                             "Bring %s to the new client. There: brug recover %s\n"),
                     c->out, c->out);
    else
        (void)puts(cmd_say(c, "Haal nu de stand van uw casussen op: brug sync",
                           "Now fetch how your cases stand: brug sync"));
    return EX_OK;
}

static int complain(struct cmd *c, const struct brug_identity *me, int error)
{
    if (error == BRUG_CONFIRM && me->recovery)
        return cmd_complain_of(
            c, EX_NOPERM,
            "bevestig eerst de nieuwe aansluitingen: brug trust \"%s\". Vergelijk de vingerafdruk "
            "met wie ze heeft, en doe dit dan opnieuw",
            "first confirm the new clients: brug trust \"%s\". Compare the fingerprint with who "
            "has "
            "them, then do this again",
            cmd_clean(c, me->organisation_name));
    if (error == BRUG_USAGE || error == BRUG_IO || error == BRUG_EXISTS)
        return cmd_complain_named(c, error == BRUG_USAGE ? EX_DATAERR : EX_IOERR,
                                  brug_error_name(error), brug_last_error(c->brug));
    return cmd_fail(c, error);
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
    int e = brug_recover(c->brug, c->words[0], c->out, &done);
    return e == BRUG_OK ? report(c, &done, me.recovery) : complain(c, &me, e);
}
