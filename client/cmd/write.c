/* client/cmd/write.c: letters that open a case or have none, refer, consult and notice; send, which does both; discard. */
#include "client/cmd/draft.h"

#include <stdlib.h>
#include <string.h>

/* A referral or a consult, once its own fields were read. */
static int send_to_team(struct cmd *c, struct draft *draft)
{
    int status = draft_take_letter(c, draft, true);
    if (status == EX_OK)
        status = cmd_find_organisation(c, c->words[0], &draft->d.to);
    if (status != EX_OK)
        return status;
    const struct brug_organisation *to = cmd_organisation(c, &draft->d.to);
    if (to != NULL && to->kind != BRUG_TEAM)
        return cmd_complain_of(c, EX_DATAERR, "%s is een praktijk; verwijzen kan naar een team",
                               "%s is a practice; one refers to a team", cmd_clean(c, to->name));
    return draft_send(c, draft);
}

int cmd_refer(struct cmd *c)
{
    struct draft draft = {.d.kind = BRUG_KIND_REFERRAL};
    int status = draft_take_referral(c, &draft);
    return status == EX_OK ? send_to_team(c, &draft) : status;
}

int cmd_consult(struct cmd *c)
{
    struct draft draft = {.d.kind = BRUG_KIND_CONSULT};
    return send_to_team(c, &draft);
}

/* ---- notices ---- */

/* All practices that this profile may write to, or those that were named; each gets a letter of its own [R64]. */
static int find_addressees(struct cmd *c, struct brug_id *to, size_t *n)
{
    *n = 0;
    int status = cmd_need_directory(c);
    for (int i = 0; status == EX_OK && !c->is_practices && i < c->words_n; i++)
        status = cmd_find_organisation(c, c->words[i], &to[(*n)++]);
    const struct brug_organisations *all = status == EX_OK ? cmd_organisations(c) : NULL;
    for (size_t i = 0; c->is_practices && all != NULL && i < all->n; i++)
        if (all->items[i].kind == BRUG_PRACTICE && all->items[i].is_addressable &&
            !all->items[i].is_own)
            to[(*n)++] = all->items[i].organisation;
    return status;
}

static int report_notices(struct cmd *c, const int64_t *numbers, size_t n)
{
    json_t *list = json_array();
    int status = EX_OK;
    for (size_t i = 0; status == EX_OK && i < n; i++) {
        const struct brug_message *m = NULL;
        status = cmd_message(c, numbers[i], &m);
        if (status == EX_OK && !c->is_json)
            cmd_print_message_row(c, m);
        else if (status == EX_OK)
            (void)json_array_append_new(list,
                                        cmd_json_message(c, m)); /* a list that is too short */
    }
    if (status == EX_OK && c->is_json)
        return cmd_print_json(c, list);
    json_decref(list);
    return status;
}

/* The first that fails ends it; what was stored before goes. */
static int send_notices(struct cmd *c, struct draft *draft, const struct brug_id *to, size_t n)
{
    int64_t *numbers = cmd_keep(c, calloc(n + 1, sizeof *numbers), free);
    int timeout_ms = 0;
    if (n == 0)
        return cmd_complain(c, EX_NOINPUT, "er zijn geen praktijken om aan te schrijven",
                            "there are no practices to write to");
    if (numbers == NULL)
        return cmd_no_memory(c);
    int status = cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms);
    for (size_t i = 0; status == EX_OK && i < n; i++) {
        draft->d.to = to[i];
        status = draft_post(c, draft, &numbers[i]);
    }
    if (status == EX_OK)
        status = draft_wait(c);
    return status == EX_OK ? report_notices(c, numbers, n) : status;
}

int cmd_notice(struct cmd *c)
{
    struct draft draft = {.d.kind = BRUG_KIND_NOTICE};
    size_t n = 0;
    if ((c->words_n > 0) == c->is_practices)
        return cmd_complain(c, EX_USAGE, "noem organisaties, of geef --practices",
                            "name organisations, or give --practices");
    int status = draft_take_letter(c, &draft, true);
    const struct brug_organisations *all = NULL;
    if (status == EX_OK)
        status = cmd_need_directory(c);
    if (status == EX_OK && (all = cmd_organisations(c)) == NULL)
        return EX_SOFTWARE;
    if (status != EX_OK)
        return status;
    struct brug_id *to = cmd_keep(c, calloc(all->n + (size_t)c->words_n, sizeof *to), free);
    if (to == NULL)
        return cmd_no_memory(c);
    status = find_addressees(c, to, &n);
    return status == EX_OK ? send_notices(c, &draft, to, n) : status;
}

/* ---- send and discard ---- */

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
        status = draft_take_letter(c, &draft, true);
    if (status == EX_OK)
        status = c->words_n == 1 ? cmd_find_case(c, c->words[0], &draft.d.case_id)
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
