/*
 * client/cmd/history.c: history hands on to a colleague what that one's clients lack of running cases, or of one case.
 */
#include "client/cmd/cmd.h"

static int find_colleague(struct cmd *c, const struct brug_identity *me, struct brug_id *out)
{
    int status = cmd_need_directory(c);
    return status == EX_OK ? cmd_find_person(c, &me->organisation, c->words[0], out) : status;
}

static int check_giver(struct cmd *c, const struct brug_identity *me)
{
    if (me->recovery)
        return cmd_complain(c, EX_NOPERM, "een herstelsleutel verzendt niets",
                            "a recovery entry sends nothing");
    if (brug_id_is_none(&me->person) && c->person == NULL)
        return cmd_complain(c, EX_USAGE, "zeg met --person wie er handelt",
                            "say with --person who acts");
    return EX_OK;
}

static int complain(struct cmd *c, const struct brug_identity *me, int error)
{
    if (error == BRUG_NOT_FOUND)
        return cmd_complain_of(
            c, EX_NOINPUT,
            "'%s' heeft bij ons (nog) geen aansluiting die leest; haal eerst op wat er is: brug "
            "sync",
            "'%s' has no client that reads with us (yet); first fetch what there is: brug sync",
            c->words[0]);
    if (error == BRUG_CONFIRM)
        return cmd_complain_of(
            c, EX_NOPERM,
            "bevestig eerst de nieuwe aansluiting van deze collega: brug trust \"%s\"",
            "first confirm this colleague's new client: brug trust \"%s\"",
            cmd_clean(c, me->organisation_name));
    return cmd_fail(c, error);
}

static int report(struct cmd *c, const struct brug_handed_on *done)
{
    if (c->is_json)
        return cmd_print_json(c, json_pack("{s:I, s:I}", "cases", (json_int_t)done->cases,
                                           "letters", (json_int_t)done->letters));
    if (done->letters == 0)
        (void)puts(cmd_say(c, "Er is niets door te geven: deze collega heeft alles al.",
                           "There is nothing to hand on: this colleague has everything already."));
    else if (done->letters == 1)
        (void)puts(
            cmd_say(c, "1 brief gaat naar deze collega.", "1 letter goes to this colleague."));
    else if (done->cases == 1)
        (void)printf(cmd_say(c, "%zu brieven van 1 casus gaan naar deze collega.\n",
                             "%zu letters of 1 case go to this colleague.\n"),
                     done->letters);
    else
        (void)printf(cmd_say(c, "%zu brieven van %zu casussen gaan naar deze collega.\n",
                             "%zu letters of %zu cases go to this colleague.\n"),
                     done->letters, done->cases);
    return EX_OK;
}

int cmd_history(struct cmd *c)
{
    struct brug_identity me;
    struct brug_id colleague, case_id, actor;
    struct brug_handed_on done = {0};
    bool reached = false;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms);
    if (status == EX_OK)
        status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status == EX_OK)
        status = check_giver(c, &me);
    if (status == EX_OK)
        status = find_colleague(c, &me, &colleague);
    if (status == EX_OK && c->words_n == 2)
        status = cmd_find_case(c, c->words[1], &case_id);
    if (status == EX_OK && c->person != NULL)
        status = cmd_find_person(c, &me.organisation, c->person, &actor);
    if (status != EX_OK)
        return status;
    int e = brug_hand_on(c->brug, &colleague, c->words_n == 2 ? &case_id : NULL,
                         c->person == NULL ? NULL : &actor, &done);
    if (e != BRUG_OK)
        return complain(c, &me, e);
    if (done.letters > 0 && timeout_ms > 0)
        status = cmd_wait(c, BRUG_UNTIL_SENT, timeout_ms, &reached);
    if (status == EX_OK)
        status = report(c, &done);
    if (status == EX_OK && done.letters > 0 && !reached)
        (void)fprintf(stderr, "brug: %s\n", cmd_offline_reason(c)); /* they leave later */
    return status;
}
