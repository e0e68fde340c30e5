/*
 * client/cmd/case.c: case shows one case: its letters as a time line, and what the relay keeps of it. Off-line it shows the last
 * known state with its time.
 */
#include "client/cmd/case_text.h"
#include "client/cmd/letter_text.h"
#include "client/cmd/relay_text.h"

#include <string.h>

/* ---- one case ---- */

static const char *organisation_text(struct cmd *c, const struct brug_id *id)
{
    const struct brug_organisation *o = cmd_organisation(c, id);
    return o == NULL ? "?" : cmd_clean(c, o->name);
}

static const char *side_name(struct cmd *c, const struct brug_case_facts *f, int side)
{
    return organisation_text(c, side == BRUG_SIDE_PRACTICE ? &f->practice : &f->team);
}

static int other_side(int side)
{
    return side == BRUG_SIDE_PRACTICE ? BRUG_SIDE_TEAM : BRUG_SIDE_PRACTICE;
}

/* Whether letters here prove it: the answer that accepts is signed over the proposal that is in force [R27]. */
static bool is_bridging_signed(struct cmd *c, const struct brug_messages *all,
                               const struct brug_bridging *b)
{
    bool is_signed = false;
    for (size_t i = 0; i < all->n && !is_signed; i++) {
        struct brug_letter *l = NULL;
        const struct brug_message *m = &all->items[i];
        if (m->kind != BRUG_KIND_BRIDGING_ANSWER ||
            !brug_id_equal(&m->in_reply_to, &b->message_id) ||
            brug_open_letter(c->brug, m->number, false, NULL, &l) != BRUG_OK)
            continue;
        is_signed = l->decision == BRUG_ACCEPT && l->is_answer_signed;
        brug_letter_free(l);
    }
    return is_signed;
}

static void print_bridging(struct cmd *c, const struct brug_messages *all,
                           const struct brug_case_facts *f)
{
    char date[CMD_TIME_BYTES];
    if (f->bridging.by != BRUG_SIDE_NONE) {
        bool is_signed = is_bridging_signed(c, all, &f->bridging);
        (void)printf(
            "  %s\n",
            cmd_fill(c,
                     cmd_say(c, "Overbruggingszorg (%s) afgesproken tot en met %s, %s.",
                             "Bridging care (%s) agreed until %s, %s."),
                     brug_list_text(BRUG_LIST_BRIDGING_CARRIER, f->bridging.carrier, c->language),
                     cmd_date(f->bridging.until_date, date),
                     is_signed ? cmd_say(c, "door beide kanten ondertekend", "signed by both sides")
                               : cmd_say(c, "maar de ondertekende brieven zijn hier niet",
                                         "but the signed letters are not here")));
    }
    if (f->bridging_proposed.by != BRUG_SIDE_NONE)
        (void)printf("  %s\n",
                     cmd_fill(c,
                              cmd_say(c,
                                      "Overbruggingszorg tot en met %s: Nog NIET afgesproken. "
                                      "Wacht op akkoord van %s.",
                                      "Bridging care until %s: NOT agreed yet. Waits for the "
                                      "agreement of %s."),
                              cmd_date(f->bridging_proposed.until_date, date),
                              side_name(c, f, other_side(f->bridging_proposed.by))));
}

static void print_proposal(struct cmd *c, const struct brug_case *item)
{
    const struct brug_case_facts *f = item->facts;
    const char *code = item->case_code;
    if (f->proposal.by == BRUG_SIDE_NONE)
        return;
    if (f->proposal.kind == BRUG_KIND_DECLINE_PROPOSAL && f->own_side == BRUG_SIDE_PRACTICE)
        (void)printf(cmd_say(c,
                             "  Het team wil deze casus niet oppakken.\n"
                             "    [Akkoord, regie bij mij]   brug agree %s\n"
                             "    [Niet akkoord, bel mij]    brug object %s\n",
                             "  The team does not want to take this case up.\n"
                             "    [Agreed, custody with me]  brug agree %s\n"
                             "    [Not agreed, call me]      brug object %s\n"),
                     code, code);
    else
        (void)printf("  %s: %s\n", brug_list_text(BRUG_LIST_KIND, f->proposal.kind, c->language),
                     cmd_fill(c,
                              cmd_say(c, "wacht op antwoord van %s", "waits for the answer of %s"),
                              side_name(c, f, other_side(f->proposal.by))));
}

static void print_owed(struct cmd *c, const struct brug_case_facts *f, bool is_ours)
{
    bool has_head = false;
    for (size_t i = 0; i < f->owed_n; i++) {
        if ((f->owed[i].debtor == f->own_side) != is_ours)
            continue;
        if (!has_head)
            (void)printf("  %s\n", is_ours
                                       ? cmd_say(c, "Dit moet u nog doen:", "This you still owe:")
                                       : cmd_say(c, "Dit krijgt u nog:", "This you are owed:"));
        has_head = true;
        (void)printf("    %s\n", case_owed_text(c, f, &f->owed[i]));
    }
}

static void print_state(struct cmd *c, const struct brug_case_facts *f)
{
    (void)printf("  %s%s%s\n", brug_list_text(BRUG_LIST_CASE_STATE, f->state, c->language),
                 f->outcome == 0 ? "" : ": ",
                 f->outcome == 0 ? "" : brug_list_text(BRUG_LIST_OUTCOME, f->outcome, c->language));
    (void)printf("  %s\n", case_custody_text(c, f));
    if (!brug_id_is_none(&f->closing_id))
        (void)printf("  %s\n",
                     cmd_say(c, "De regie gaat naar de huisarts zodra die de afsluiting opent.",
                             "Custody goes to the GP once the closing is opened."));
    if (f->was_objected)
        (void)printf("  %s\n", cmd_say(c, "De huisarts was niet akkoord met het laatste voorstel.",
                                       "The GP did not agree to the last proposal."));
}

/* [R41]: one family, one plan, one director. */
static void print_family(struct cmd *c, const struct brug_case *item)
{
    const struct brug_case_facts *f = item->facts;
    bool has_director =
        f->state == BRUG_CASE_STATE_CLARIFYING || f->state == BRUG_CASE_STATE_SUPPORT;
    for (size_t i = 0; i < f->linked_n; i++)
        (void)printf("  %s\n", relay_text_linked(c, &f->linked[i]));
    if (has_director && f->own_side == BRUG_SIDE_TEAM && item->youth_name[0] != '\0' &&
        !item->has_household)
        (void)printf("  %s\n",
                     cmd_say(c,
                             "Het adres in de verwijzing is niet te lezen als postcode en "
                             "huisnummer. Andere casussen van dit gezin vindt Brug niet vanzelf.",
                             "The address in the referral does not read as a postcode and a house "
                             "number. Brug does not find other cases of this family by itself."));
}

static void print_relay_part(struct cmd *c, const struct brug_messages *all,
                             const struct brug_case *item)
{
    const char *next = case_next_text(c, item);
    if (item->facts == NULL) {
        (void)printf("\n%s\n", cmd_say(c, "De relay heeft over deze casus nog niets gemeld.",
                                       "The relay has told nothing of this case yet."));
    } else {
        (void)printf("\n%s:\n", case_told_text(c, item->facts->told_at_ms));
        print_state(c, item->facts);
        print_family(c, item);
        print_proposal(c, item);
        print_bridging(c, all, item->facts);
        print_owed(c, item->facts, true);
        print_owed(c, item->facts, false);
    }
    if (next[0] != '\0')
        (void)printf("\n%s %s\n", cmd_say(c, "U kunt nu:", "You can now:"), next);
}

static void print_time_line(struct cmd *c, const struct brug_messages *all)
{
    char time[CMD_TIME_BYTES];
    for (size_t i = all->n; i-- > 0;) {
        const struct brug_message *m = &all->items[i];
        int64_t at_ms = m->stored_at_ms != 0 ? m->stored_at_ms : m->written_at_ms;
        const char *state = cmd_state_text(c, m);
        (void)printf("%4lld  %s  %s  %s %s%s\n", (long long)m->number, cmd_time(at_ms, time),
                     brug_list_text(BRUG_LIST_KIND, m->kind, c->language),
                     cmd_say(c, "van", "from"), cmd_author(c, m), cmd_new_text(c, m));
        if (state[0] != '\0')
            (void)printf("      %s\n", state);
    }
}

static int print_case_json(struct cmd *c, const struct brug_messages *all,
                           const struct brug_case *item)
{
    json_t *j = case_json(c, item);
    json_t *list = json_array();
    for (size_t i = all->n; list != NULL && i-- > 0;)
        if (json_array_append_new(list, cmd_json_message(c, &all->items[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    const struct brug_case_facts *f = item->facts;
    bool is_signed =
        f != NULL && f->bridging.by != BRUG_SIDE_NONE && is_bridging_signed(c, all, &f->bridging);
    if (json_object_set_new(j, "letters", list) != 0 ||
        json_object_set_new(j, "bridging_signed", json_boolean(is_signed)) != 0) {
        json_decref(j);
        j = NULL;
    }
    return cmd_print_json(c, j);
}

/* The facts of our letters in it, asked anew with the case; an error means that there are none to ask for. */
static int track_letters(struct cmd *c, const struct brug_id *case_id)
{
    const struct brug_messages *all = NULL;
    struct brug_query query = {.case_id = *case_id, .sent = true};
    int status = cmd_messages(c, &query, &all);
    for (size_t i = 0; status == EX_OK && i < all->n; i++)
        if (all->items[i].state == BRUG_MESSAGE_STORED)
            (void)brug_track(c->brug, all->items[i].number); /* shown as they were, then */
    return status;
}

static int refresh(struct cmd *c, const struct brug_id *case_id)
{
    bool reached = false;
    int status = c->wait != NULL && strcmp(c->wait, "0") == 0 ? EX_OK : track_letters(c, case_id);
    if (status == EX_OK)
        status = case_refresh(c, case_id, CASE_LOOK_SECONDS);
    return status == EX_OK && !c->is_offline
               ? cmd_wait(c, BRUG_UNTIL_TRACKED, CASE_LOOK_SECONDS * 1000, &reached)
               : status;
}

int cmd_case(struct cmd *c)
{
    struct brug_id case_id;
    const struct brug_messages *all = NULL;
    int status = cmd_find_case(c, c->words[0], &case_id);
    if (status == EX_OK)
        status = refresh(c, &case_id);
    struct brug_query query = {.case_id = case_id};
    if (status == EX_OK)
        status = cmd_messages(c, &query, &all);
    if (status != EX_OK)
        return status;
    const struct brug_case *item = cmd_case_of(c, &case_id);
    if (item == NULL)
        return cmd_fail(c, BRUG_NOT_FOUND);
    if (c->is_json)
        return print_case_json(c, all, item);
    (void)printf("%s %s\n", cmd_say(c, "Casus", "Case"), case_title(c, item));
    cmd_print_field(c, "Met", "With", item->other_name);
    print_time_line(c, all);
    print_relay_part(c, all, item);
    return EX_OK;
}
