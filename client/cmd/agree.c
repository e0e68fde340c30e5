/*
 * client/cmd/agree.c: what two sides agree on: proposals to decline or stop [R24] [R25], and bridging care with its named risks
 * [R26] [R27].
 */
#include "client/cmd/move.h"

#include <strings.h>

/* ---- proposals ---- */

static int take_better_team(struct cmd *c, struct brug_id *out)
{
    int status = cmd_find_organisation(c, c->to, out);
    const struct brug_organisation *team = status == EX_OK ? cmd_organisation(c, out) : NULL;
    if (team != NULL && (team->is_own || team->kind != BRUG_TEAM))
        return cmd_complain_of(c, EX_DATAERR, "--to is een ander team, niet %s",
                               "--to is another team, not %s", cmd_clean(c, team->name));
    return status;
}

static int take_decline(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    struct brug_draft *d = &draft->d;
    (void)item;
    int status = cmd_code(c, BRUG_LIST_DECLINE_REASON, "--reason", c->reason, &d->decline_reason);
    bool is_called = d->decline_reason == BRUG_DECLINE_TOO_SERIOUS ||
                     d->decline_reason == BRUG_DECLINE_SPECIALIST_CARE;
    bool is_elsewhere = d->decline_reason == BRUG_DECLINE_OTHER_TEAM;
    if (status == EX_OK)
        status = move_take_call(c, is_called, &d->called_on_date);
    if (status == EX_OK && is_elsewhere != (c->to != NULL))
        status = cmd_complain(c, EX_USAGE, "--to met het team dat beter past hoort bij other-team",
                              "--to with the team that fits better belongs to other-team");
    return status == EX_OK && is_elsewhere ? take_better_team(c, &d->other_organisation) : status;
}

int cmd_decline(struct cmd *c)
{
    return move_send(c, BRUG_KIND_DECLINE_PROPOSAL, true, take_decline);
}

static int take_stop(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    (void)item;
    return cmd_code(c, BRUG_LIST_STOP_REASON, "--reason", c->reason, &draft->d.stop_reason);
}

int cmd_stop(struct cmd *c) { return move_send(c, BRUG_KIND_STOP_PROPOSAL, true, take_stop); }
int cmd_retract(struct cmd *c) { return move_send(c, BRUG_KIND_RETRACT, false, NULL); }

/* ---- risks ---- */

/* "ja", "nee" or "niet gevraagd"; NULL for another word. */
static const char *risk_text(const struct cmd *c, const char *typed)
{
    static const struct {
        const char *word, *dutch, *english;
    } ANSWERS[] = {
        {"yes", "ja", "yes"},
        {"ja", "ja", "yes"},
        {"no", "nee", "no"},
        {"nee", "nee", "no"},
        {"not-asked", "niet gevraagd", "not asked"},
        {"niet-gevraagd", "niet gevraagd", "not asked"},
    };
    for (size_t i = 0; typed != NULL && i < sizeof ANSWERS / sizeof ANSWERS[0]; i++)
        if (strcasecmp(typed, ANSWERS[i].word) == 0)
            return cmd_say(c, ANSWERS[i].dutch, ANSWERS[i].english);
    return NULL;
}

static int complain_of_risks(const struct cmd *c)
{
    return cmd_complain(
        c, EX_USAGE,
        "Gedachten aan zelfdoding? (--suicidality) En lichamelijke problemen? (--somatic) ja, nee "
        "of "
        "niet-gevraagd. Wie doet wat? (--who) Wie is 's avonds bereikbaar? (--evening)",
        "Thoughts of suicide? (--suicidality) And somatic problems? (--somatic) yes, no or "
        "not-asked. Who does what? (--who) Who can be reached in the evening? (--evening)");
}

static int take_risks(struct cmd *c, struct draft *draft)
{
    const char *suicidality = risk_text(c, c->suicidality);
    const char *somatic = risk_text(c, c->somatic);
    if (suicidality == NULL || somatic == NULL || c->who == NULL || c->who[0] == '\0' ||
        c->evening == NULL || c->evening[0] == '\0')
        return complain_of_risks(c);
    draft->d.suicidality_answered = draft->d.somatic_answered = true;
    draft->d.risks = cmd_fill(c,
                              cmd_say(c,
                                      "Gedachten aan zelfdoding: %s\nLichamelijke problemen: %s\n"
                                      "Wie doet wat: %s\n's Avonds bereikbaar: %s\n",
                                      "Thoughts of suicide: %s\nSomatic problems: %s\n"
                                      "Who does what: %s\nTo be reached in the evening: %s\n"),
                              suicidality, somatic, c->who, c->evening);
    return EX_OK;
}

/* ---- answers ---- */

/* What waits for our answer: with nothing known of the case, what --bridging says. */
static bool is_about_bridging(const struct cmd *c, const struct brug_case *item)
{
    const struct brug_case_facts *f = item == NULL ? NULL : item->facts;
    if (c->is_bridging || f == NULL)
        return c->is_bridging;
    bool has_proposal = f->proposal.by != BRUG_SIDE_NONE && f->proposal.by != f->own_side;
    bool has_bridging =
        f->bridging_proposed.by != BRUG_SIDE_NONE && f->bridging_proposed.by != f->own_side;
    return has_bridging && !has_proposal;
}

static int take_decision(struct cmd *c, struct draft *draft, const struct brug_case *item,
                         int decision)
{
    draft->d.decision = decision;
    if (!is_about_bridging(c, item))
        return EX_OK;
    draft->d.kind = BRUG_KIND_BRIDGING_ANSWER;
    return decision == BRUG_ACCEPT ? take_risks(c, draft) : EX_OK;
}

static int take_agree(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    return take_decision(c, draft, item, BRUG_ACCEPT);
}

static int take_object(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    return take_decision(c, draft, item, BRUG_OBJECT);
}

/* The team that fits better, as the newest proposal to decline in the case names it: the way on for the youth. */
static void print_better_team(struct cmd *c, const struct brug_id *case_id)
{
    const struct brug_messages *all = NULL;
    struct brug_query query = {.case_id = *case_id, .received = true};
    if (cmd_messages(c, &query, &all) != EX_OK)
        return;
    for (size_t i = 0; i < all->n; i++) {
        struct brug_letter *l = NULL;
        if (all->items[i].kind != BRUG_KIND_DECLINE_PROPOSAL ||
            brug_open_letter(c->brug, all->items[i].number, false, NULL, &l) != BRUG_OK)
            continue;
        const struct brug_organisation *team = cmd_organisation(c, &l->other_organisation);
        if (team != NULL)
            (void)printf("      %s brug refer \"%s\" --linked %s …\n",
                         cmd_say(c, "Verder verwijzen kan met:", "To refer there:"),
                         cmd_clean(c, team->name), all->items[i].case_code);
        brug_letter_free(l);
        return;
    }
}

int cmd_agree(struct cmd *c)
{
    struct brug_id case_id;
    int status = move_send(c, BRUG_KIND_PROPOSAL_ANSWER, false, take_agree);
    if (status == EX_OK && !c->is_json && cmd_find_case(c, c->words[0], &case_id) == EX_OK)
        print_better_team(c, &case_id);
    return status;
}

int cmd_object(struct cmd *c)
{
    return move_send(c, BRUG_KIND_PROPOSAL_ANSWER, false, take_object);
}

/* ---- bridging care ---- */

static int take_bridge(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    (void)item;
    int status = cmd_code(c, BRUG_LIST_BRIDGING_CARRIER, "--carrier", c->carrier,
                          &draft->d.bridging_carrier);
    if (status == EX_OK)
        status = move_take_date(c, "--until", c->until, true, &draft->d.until_date);
    return status == EX_OK ? take_risks(c, draft) : status;
}

int cmd_bridge(struct cmd *c)
{
    bool says_more = c->carrier != NULL || c->until != NULL;
    if (c->is_end && says_more)
        return cmd_complain(c, EX_USAGE, "--end staat alleen", "--end stands alone");
    return c->is_end ? move_send(c, BRUG_KIND_BRIDGING_END, false, NULL)
                     : move_send(c, BRUG_KIND_BRIDGING_PROPOSAL, false, take_bridge);
}
