/*
 * client/cmd/move.c: the commands of a team and a practice in a running case, but proposals and bridging care (agree.c).
 *
 * Happy path: options are read, the relay is asked for the case, the rules say whether the letter may go, then it is
 * written, sealed and sent. Where the relay is not reached the last known state is judged, and the letter waits.
 */
#include "client/cmd/move.h"

#include "client/cmd/case_text.h"
#include "client/cmd/typed.h"

#include <string.h>

#define CONVERSATIONS_MAX 999

static int ask_relay(struct cmd *c, const struct brug_id *case_id)
{
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms);
    if (status != EX_OK || timeout_ms == 0)
        return status;
    return case_refresh(c, case_id, CMD_WAIT_SECONDS_DEFAULT);
}

int move_send(struct cmd *c, int kind, bool needs_letter, move_take_cb *take)
{
    struct draft draft = {.d.kind = kind};
    unsigned warnings = 0;
    int status = needs_letter ? draft_expect_letter(c) : EX_OK;
    if (status == EX_OK)
        status = cmd_find_case(c, c->words[0], &draft.d.case_id);
    if (status == EX_OK)
        status = ask_relay(c, &draft.d.case_id);
    if (status == EX_OK && take != NULL)
        status = take(c, &draft, cmd_case_of(c, &draft.d.case_id));
    if (status == EX_OK && needs_letter && c->letter == NULL) /* before somebody writes in vain */
        status = draft_fail(c, &draft, brug_check_draft(c->brug, &draft.d, &warnings));
    if (status == EX_OK)
        status = draft_take_letter(c, &draft, needs_letter);
    return status == EX_OK ? draft_send(c, &draft) : status;
}

int move_take_date(const struct cmd *c, const char *option, const char *text, bool is_needed,
                   uint32_t *out)
{
    if (text == NULL && is_needed)
        return cmd_complain_of(c, EX_USAGE, "%s ontbreekt: een datum zoals 2026-12-31",
                               "%s is missing: a date such as 2026-12-31", option);
    if (text != NULL && !typed_date(text, out))
        return cmd_complain_of(c, EX_USAGE, "'%s' is geen datum zoals 2026-12-31",
                               "'%s' is no date such as 2026-12-31", text);
    return EX_OK;
}

int move_take_call(const struct cmd *c, bool is_needed, uint32_t *out)
{
    int status = move_take_date(c, "--called-on", c->called_on, is_needed, out);
    if (status == EX_OK && *out > cmd_today())
        return cmd_complain_of(c, EX_DATAERR, "--called-on %s is in de toekomst: wanneer belde u?",
                               "--called-on %s is in the future: when did you call?", c->called_on);
    return status;
}

/* ---- the director's work ---- */

int cmd_claim(struct cmd *c) { return move_send(c, BRUG_KIND_CLAIM, false, NULL); }

static int take_handover(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    struct brug_identity me;
    int status = cmd_fail(c, brug_identity(c->brug, &me));
    (void)item;
    return status == EX_OK
               ? cmd_find_person(c, &me.organisation, c->words[1], &draft->d.new_director)
               : status;
}

int cmd_handover(struct cmd *c) { return move_send(c, BRUG_KIND_HANDOVER, false, take_handover); }

static int take_start(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    (void)item;
    return cmd_code(c, BRUG_LIST_INVOLVEMENT, "--involvement", c->involvement,
                    &draft->d.involvement);
}

int cmd_start(struct cmd *c) { return move_send(c, BRUG_KIND_START, true, take_start); }

static bool is_same_moment(const struct brug_moment *a, const struct brug_moment *b)
{
    return a->event == b->event && a->date == b->date && a->conversations == b->conversations;
}

/* Which of the moments that the GP named: by its number, or in the words in which it was named. */
static int take_moment(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    struct brug_moment wanted;
    const struct brug_case_facts *f = item == NULL ? NULL : item->facts;
    const char *typed = c->moments[0];
    size_t n = f == NULL ? BRUG_MOMENTS_MAX : f->moments_n;
    if (typed_number(typed, BRUG_MOMENTS_MAX, &draft->d.moment) && draft->d.moment >= 1 &&
        draft->d.moment <= n)
        return EX_OK;
    bool is_words = typed_moment(typed, &wanted);
    for (size_t i = 0; is_words && f != NULL && i < f->moments_n; i++)
        if (is_same_moment(&f->moments[i], &wanted)) {
            draft->d.moment = (uint32_t)i + 1;
            return EX_OK;
        }
    return cmd_complain_of(c, EX_DATAERR,
                           "de huisarts noemde geen moment '%s'; `brug case` noemt ze",
                           "the GP named no moment '%s'; `brug case` lists them", typed);
}

static int take_interim(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    draft->d.withheld = c->is_withheld;
    if (c->moments_n > 1)
        return cmd_complain(c, EX_USAGE, "noem één moment", "name one moment");
    return c->moments_n == 1 ? take_moment(c, draft, item) : EX_OK;
}

int cmd_interim(struct cmd *c)
{
    return move_send(c, BRUG_KIND_INTERIM, !c->is_withheld, take_interim);
}

/* ---- delay ---- */

static bool can_be_delayed(const struct brug_owed *owed, int kind)
{
    return owed->debtor == BRUG_SIDE_TEAM && owed->due_date != 0 &&
           (kind == 0 || owed->kind == kind);
}

/* What is left for the relay's rules to say, such as "delayed before", is not said here. */
static int take_delay(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    const struct brug_case_facts *f = item == NULL ? NULL : item->facts;
    size_t fits = 0;
    int kind = 0;
    int status = move_take_date(c, "--until", c->until, true, &draft->d.until_date);
    if (status == EX_OK && c->what != NULL)
        status = cmd_code(c, BRUG_LIST_OWED_KIND, "--what", c->what, &kind);
    if (status != EX_OK)
        return status;
    for (size_t i = 0; f != NULL && i < f->owed_n; i++)
        if (can_be_delayed(&f->owed[i], kind) && fits++ == 0)
            draft->d.owed_id = f->owed[i].owed_id; /* they stand by due date */
    if (fits == 0)
        return cmd_complain(c, EX_DATAERR, brug_error_sentence(BRUG_NOT_OWED, BRUG_DUTCH),
                            brug_error_sentence(BRUG_NOT_OWED, BRUG_ENGLISH));
    if (fits == 1 || kind != 0)
        return EX_OK;
    status = cmd_complain(c, EX_USAGE, "er staat meer open; zeg met --what wat u uitstelt:",
                          "more is owed; say with --what what you delay:");
    for (size_t i = 0; i < f->owed_n; i++)
        if (can_be_delayed(&f->owed[i], 0))
            (void)fprintf(stderr, "  --what %-12s %s\n",
                          brug_list_word(BRUG_LIST_OWED_KIND, f->owed[i].kind),
                          case_owed_text(c, f, &f->owed[i]));
    return status;
}

int cmd_delay(struct cmd *c) { return move_send(c, BRUG_KIND_DELAY, true, take_delay); }

/* ---- questions and notes ---- */

int cmd_ask(struct cmd *c) { return move_send(c, BRUG_KIND_INFO_REQUEST, true, NULL); }

static int take_answer(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    (void)item;
    draft->d.withheld = c->is_withheld;
    return EX_OK;
}

int cmd_answer(struct cmd *c)
{
    return move_send(c, BRUG_KIND_INFO_REPLY, !c->is_withheld, take_answer);
}

int cmd_advise(struct cmd *c) { return move_send(c, BRUG_KIND_ADVICE, true, NULL); }
int cmd_note(struct cmd *c) { return move_send(c, BRUG_KIND_NOTE, true, NULL); }

/* ---- the end ---- */

static int take_closing(struct cmd *c, struct draft *draft, const struct brug_case *item)
{
    (void)item;
    int status = cmd_code(c, BRUG_LIST_OUTCOME, "--outcome", c->outcome, &draft->d.outcome);
    if (status == EX_OK && c->conversations != NULL &&
        !typed_number(c->conversations, CONVERSATIONS_MAX, &draft->d.conversations))
        status = cmd_complain_of(c, EX_USAGE, "--conversations is een aantal, niet '%s'",
                                 "--conversations is a number, not '%s'", c->conversations);
    return status == EX_OK ? move_take_call(c, draft->d.outcome == BRUG_OUTCOME_ENDED_GP_DISAGREES,
                                            &draft->d.called_on_date)
                           : status;
}

int cmd_close(struct cmd *c) { return move_send(c, BRUG_KIND_CLOSING, true, take_closing); }
int cmd_withdraw(struct cmd *c) { return move_send(c, BRUG_KIND_WITHDRAWAL, false, NULL); }
