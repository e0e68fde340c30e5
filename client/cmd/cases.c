/*
 * client/cmd/cases.c: cases lists the cases of a person or of the organisation; owed lists what each side owes the other, what is
 * overdue first. Off-line they show the last known state with its time.
 */
#include "client/cmd/case_text.h"

#include <stdlib.h>

/* ---- lists ---- */

static void free_cases(void *p) { brug_cases_free(p); }

static int load_cases(struct cmd *c, const struct brug_cases **out)
{
    struct brug_cases *list = NULL;
    int status = case_refresh(c, NULL, CASE_LOOK_SECONDS);
    if (status == EX_OK)
        status = cmd_fail(c, brug_cases(c->brug, &list));
    if (status != EX_OK)
        return status;
    *out = cmd_keep(c, list, free_cases);
    return *out == NULL ? cmd_no_memory(c) : EX_OK;
}

/* A practice's cases are all of its people; a team's belong to their directors. */
static bool is_mine(const struct cmd *c, const struct brug_identity *me,
                    const struct brug_case *item)
{
    const struct brug_case_facts *f = item->facts;
    return c->is_team || f == NULL || f->own_side == BRUG_SIDE_PRACTICE ||
           brug_id_equal(&f->director, &me->person);
}

static bool is_waiting(const struct brug_case *item)
{
    const struct brug_case_facts *f = item->facts;
    return f != NULL && f->own_side == BRUG_SIDE_TEAM && f->ended_at_ms == 0 &&
           brug_id_is_none(&f->director);
}

static bool has_ended(const struct brug_case *item)
{
    return item->facts != NULL && item->facts->ended_at_ms != 0;
}

/* The oldest word of the relay that counts here. What ended, and owes nothing, is asked no more and goes on saying so. */
static int64_t told_at(const struct cmd *c, const struct brug_cases *list)
{
    int64_t oldest = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct brug_case_facts *f = list->items[i].facts;
        bool counts = f != NULL && (c->is_ended || f->owed_n > 0 || !has_ended(&list->items[i]));
        if (counts && (oldest == 0 || f->told_at_ms < oldest))
            oldest = f->told_at_ms;
    }
    return oldest;
}

static void print_case_row(struct cmd *c, const struct brug_case *item)
{
    const struct brug_case_facts *f = item->facts;
    (void)printf("%s\n", case_title(c, item));
    (void)printf("      %s%s%s\n", cmd_clean(c, item->other_name), f == NULL ? "" : " · ",
                 f == NULL ? "" : brug_list_text(BRUG_LIST_CASE_STATE, f->state, c->language));
    if (f == NULL)
        return;
    (void)printf("      %s\n", case_custody_text(c, f));
    for (size_t i = 0; i < f->owed_n; i++)
        if (f->owed[i].is_overdue)
            (void)printf("      %s\n", case_owed_text(c, f, &f->owed[i]));
}

static int print_cases_json(struct cmd *c, const struct brug_identity *me,
                            const struct brug_cases *list)
{
    json_t *all = json_array();
    for (size_t i = 0; all != NULL && i < list->n; i++)
        if (is_mine(c, me, &list->items[i]) && (c->is_ended || !has_ended(&list->items[i])) &&
            json_array_append_new(all, case_json(c, &list->items[i])) != 0) {
            json_decref(all);
            all = NULL;
        }
    return cmd_print_json(c, all);
}

int cmd_cases(struct cmd *c)
{
    struct brug_identity me;
    const struct brug_cases *list = NULL;
    size_t shown = 0, waiting = 0;
    int status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status == EX_OK)
        status = load_cases(c, &list);
    if (status != EX_OK)
        return status;
    if (c->is_json)
        return print_cases_json(c, &me, list);
    if (told_at(c, list) != 0)
        (void)printf("%s:\n", case_told_text(c, told_at(c, list)));
    for (size_t i = 0; i < list->n; i++) {
        const struct brug_case *item = &list->items[i];
        bool is_shown = is_mine(c, &me, item) && (c->is_ended || !has_ended(item));
        waiting += !is_shown && is_waiting(item);
        shown += is_shown;
        if (is_shown)
            print_case_row(c, item);
    }
    if (shown == 0)
        (void)puts(cmd_say(c, "Geen casussen.", "No cases."));
    if (waiting > 0)
        (void)printf(cmd_say(c, "Nog niet opgepakt in uw team: %zu (brug cases --team)\n",
                             "Not taken up yet in your team: %zu (brug cases --team)\n"),
                     waiting);
    return EX_OK;
}

/* ---- owed ---- */

struct debt {
    const struct brug_case *item;
    const struct brug_owed *owed;
};

/* Of a team's case without a director everybody of the team is the debtor. */
static bool is_my_debt(const struct cmd *c, const struct brug_identity *me,
                       const struct brug_case *item)
{
    return is_mine(c, me, item) || is_waiting(item);
}

static bool comes_first(const struct debt *a, const struct debt *b)
{
    if (a->owed->is_overdue != b->owed->is_overdue)
        return a->owed->is_overdue;
    return a->owed->due_date != 0 &&
           (b->owed->due_date == 0 || a->owed->due_date < b->owed->due_date);
}

static size_t add_debts(struct debt *debts, size_t n, const struct brug_case *item, bool is_ours)
{
    for (size_t i = 0; i < item->facts->owed_n; i++) {
        struct debt d = {item, &item->facts->owed[i]};
        if ((d.owed->debtor == item->facts->own_side) != is_ours)
            continue;
        size_t at = n++;
        for (; at > 0 && comes_first(&d, &debts[at - 1]); at--)
            debts[at] = debts[at - 1];
        debts[at] = d;
    }
    return n;
}

static json_t *json_debts(struct cmd *c, const struct debt *debts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++) {
        json_t *j = case_json_owed(c, debts[i].owed);
        if (json_object_set_new(j, "case_code", cmd_json_text(debts[i].item->case_code)) != 0 ||
            json_object_set_new(j, "youth_name", cmd_json_text(debts[i].item->youth_name)) != 0 ||
            json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void print_debts(struct cmd *c, const struct debt *debts, size_t n, bool is_ours)
{
    (void)puts(is_ours ? cmd_say(c, "Dit moet u nog doen", "This you still owe")
                       : cmd_say(c, "Dit krijgt u nog", "This you are owed"));
    for (size_t i = 0; i < n; i++)
        (void)printf("  %s\n      %s\n", case_owed_text(c, debts[i].item->facts, debts[i].owed),
                     case_title(c, debts[i].item));
    if (n == 0)
        (void)printf("  %s\n", cmd_say(c, "Niets.", "Nothing."));
}

static size_t count_debts(const struct brug_cases *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += list->items[i].facts == NULL ? 0 : list->items[i].facts->owed_n;
    return n;
}

static size_t count_overdue(const struct brug_case_facts *f)
{
    size_t n = 0;
    for (size_t i = 0; f != NULL && i < f->owed_n; i++)
        n += f->owed[i].is_overdue && f->owed[i].debtor == f->own_side;
    return n;
}

int cmd_owed(struct cmd *c)
{
    struct brug_identity me;
    const struct brug_cases *list = NULL;
    size_t n[2] = {0, 0}; /* what we are owed, what we owe */
    size_t team_overdue = 0;
    struct debt *debts[2];
    int status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status == EX_OK)
        status = load_cases(c, &list);
    if (status != EX_OK)
        return status;
    for (int ours = 0; ours < 2; ours++)
        if ((debts[ours] = cmd_keep(c, calloc(count_debts(list) + 1, sizeof **debts), free)) ==
            NULL)
            return cmd_no_memory(c);
    for (size_t i = 0; i < list->n; i++)
        for (int ours = 0; ours < 2; ours++)
            if (list->items[i].facts != NULL && is_my_debt(c, &me, &list->items[i]))
                n[ours] = add_debts(debts[ours], n[ours], &list->items[i], ours == 1);
    for (size_t i = 0; i < list->n; i++)
        if (!is_my_debt(c, &me, &list->items[i]))
            team_overdue += count_overdue(list->items[i].facts);
    if (c->is_json)
        return cmd_print_json(c, json_pack("{s:o, s:o, s:o}", "told_at",
                                           cmd_json_time(told_at(c, list)), "we_owe",
                                           json_debts(c, debts[1], n[1]), "we_are_owed",
                                           json_debts(c, debts[0], n[0])));
    if (told_at(c, list) != 0)
        (void)printf("%s:\n", case_told_text(c, told_at(c, list)));
    print_debts(c, debts[1], n[1], true);
    print_debts(c, debts[0], n[0], false);
    if (team_overdue > 0)
        (void)printf(cmd_say(c, "Te laat in uw team: %zu (brug owed --team)\n",
                             "Overdue in your team: %zu (brug owed --team)\n"),
                     team_overdue);
    return EX_OK;
}
