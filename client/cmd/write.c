/* client/cmd/write.c: refer, send and discard. */
#include "client/cmd/draft.h"

#include "client/cmd/typed.h"

#include <string.h>

int cmd_refer(struct cmd *c)
{
    struct draft draft = {.d.kind = BRUG_KIND_REFERRAL};
    int status = draft_take_referral(c, &draft);
    if (status == EX_OK)
        status = draft_take_letter(c, &draft);
    if (status == EX_OK)
        status = cmd_find_organisation(c, c->words[0], &draft.d.to);
    if (status != EX_OK)
        return status;
    const struct brug_organisation *to = cmd_organisation(c, &draft.d.to);
    if (to != NULL && to->kind != BRUG_TEAM)
        return cmd_complain_of(c, EX_DATAERR, "%s is een praktijk; verwijzen kan naar een team",
                               "%s is a practice; one refers to a team", cmd_clean(c, to->name));
    return draft_send(c, &draft);
}

/* A case by its code or id, or the case of the message with that number. */
static int find_case(struct cmd *c, const char *text, struct brug_id *out)
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

static int choose_kind(struct cmd *c, struct draft *draft)
{
    const char *fits = c->words_n == 1 ? "note" : "notice";
    if ((c->words_n == 1) == (c->to != NULL))
        return cmd_complain(c, EX_USAGE, "geef een casus, of --to met een organisatie",
                            "give a case, or --to with an organisation");
    if (c->kind != NULL && strcmp(c->kind, fits) != 0)
        return cmd_complain_of(
            c, EX_USAGE, "--kind '%s' kan hier niet: note in een casus, notice met --to",
            "--kind '%s' is not possible here: note in a case, notice with --to", c->kind);
    draft->d.kind = c->words_n == 1 ? BRUG_KIND_NOTE : BRUG_KIND_NOTICE;
    return EX_OK;
}

int cmd_send(struct cmd *c)
{
    struct draft draft = {0};
    int status = choose_kind(c, &draft);
    if (status == EX_OK)
        status = draft_take_letter(c, &draft);
    if (status == EX_OK)
        status = c->words_n == 1 ? find_case(c, c->words[0], &draft.d.case_id)
                                 : cmd_find_organisation(c, c->to, &draft.d.to);
    return status == EX_OK ? draft_send(c, &draft) : status;
}

int cmd_discard(struct cmd *c)
{
    const struct brug_message *m = NULL;
    int64_t number;
    int status = cmd_find_message(c, c->words[0], &number);
    if (status != EX_OK)
        return status;
    int e = brug_discard(c->brug, number);
    if (e == BRUG_EXISTS)
        return cmd_complain(c, EX_CANTCREAT,
                            "de relay heeft deze brief (misschien) al; terugtrekken kan niet meer",
                            "the relay has this letter already, or may have it; it is too late");
    status = cmd_fail(c, e);
    if (status == EX_OK)
        status = cmd_message(c, number, &m);
    if (status != EX_OK)
        return status;
    if (c->is_json)
        return cmd_print_json(c, cmd_json_message(c, m));
    cmd_print_message_row(c, m);
    return EX_OK;
}
