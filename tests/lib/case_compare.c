/* tests/lib/case_compare.c: see case_compare.h. */
#include "tests/lib/case_compare.h"

static bool is_same_debt(const struct owed_item *a, const struct owed_item *b)
{
    return a->kind == b->kind && a->debtor == b->debtor && a->moment == b->moment &&
           a->due_date == b->due_date && a->is_delayed == b->is_delayed &&
           a->born_at_ms == b->born_at_ms && a->is_opened == b->is_opened &&
           a->notices == b->notices && a->unopened_notices == b->unopened_notices &&
           a->told_date == b->told_date && id_equal(&a->cause, &b->cause);
}

/* One that was there keeps its id; one that was born has a derived one. */
static bool is_same_item(const struct owed_item *wanted, const struct owed_item *got)
{
    bool is_same_id =
        id_is_none(&wanted->id) ? id_version(&got->id) == 8 : id_equal(&wanted->id, &got->id);
    return is_same_id && is_same_debt(wanted, got);
}

static bool has_item(const struct case_file *c, const struct owed_item *wanted)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (is_same_item(wanted, &c->owed[i]))
            return true;
    return false;
}

static bool has_repeated_id(const struct case_file *c)
{
    for (size_t i = 0; i < c->owed_count; i++)
        for (size_t j = i + 1; j < c->owed_count; j++)
            if (id_equal(&c->owed[i].id, &c->owed[j].id))
                return true;
    return false;
}

static const char *compare_owed(const struct case_file *wanted, const struct case_file *got)
{
    if (wanted->owed_count != got->owed_count)
        return "how much is owed";
    for (size_t i = 0; i < wanted->owed_count; i++)
        if (!has_item(got, &wanted->owed[i]))
            return "what is owed";
    return has_repeated_id(got) ? "an owed id stands twice" : NULL;
}

static bool is_same_bridging(const struct case_bridging *a, const struct case_bridging *b)
{
    return a->by == b->by && id_equal(&a->person, &b->person) &&
           id_equal(&a->message_id, &b->message_id) && a->carrier == b->carrier &&
           a->until_date == b->until_date && a->is_reminded == b->is_reminded;
}

static bool is_same_proposal(const struct case_proposal *a, const struct case_proposal *b)
{
    return a->kind == b->kind && a->by == b->by && id_equal(&a->person, &b->person) &&
           id_equal(&a->message_id, &b->message_id);
}

static bool has_same_moments(const struct case_file *a, const struct case_file *b)
{
    for (size_t i = 0; i < a->moment_count && i < CASE_MOMENTS_MAX; i++)
        if (a->moments[i].event != b->moments[i].event ||
            a->moments[i].date != b->moments[i].date ||
            a->moments[i].conversations != b->moments[i].conversations)
            return false;
    return a->moment_count == b->moment_count;
}

const char *case_compare(const struct case_file *wanted, const struct case_file *got)
{
    const struct {
        bool is_same;
        const char *what;
    } parts[] = {
        {id_equal(&wanted->id, &got->id), "id"},
        {wanted->state == got->state, "state"},
        {wanted->custody == got->custody, "custody"},
        {id_equal(&wanted->director, &got->director), "director"},
        {wanted->reason == got->reason, "reason"},
        {wanted->request_type == got->request_type, "request type"},
        {has_same_moments(wanted, got), "moments"},
        {is_same_proposal(&wanted->proposal, &got->proposal), "proposal"},
        {wanted->was_objected == got->was_objected, "objected"},
        {is_same_bridging(&wanted->bridging_proposed, &got->bridging_proposed),
         "bridging proposed"},
        {is_same_bridging(&wanted->bridging, &got->bridging), "bridging"},
        {wanted->outcome == got->outcome, "outcome"},
        {wanted->conversations == got->conversations, "conversations"},
        {wanted->involvement == got->involvement, "involvement"},
        {id_equal(&wanted->closing_id, &got->closing_id), "closing letter"},
        {id_equal(&wanted->linked_case, &got->linked_case), "linked case"},
        {wanted->taken_up_at_ms == got->taken_up_at_ms, "time of take-up"},
        {wanted->started_at_ms == got->started_at_ms, "time of start"},
        {wanted->ended_at_ms == got->ended_at_ms, "time of end"},
        {wanted->outages == got->outages, "outages"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!parts[i].is_same)
            return parts[i].what;
    return compare_owed(wanted, got);
}

static bool has_end(const struct case_ends *ends, const struct owed_end *wanted)
{
    for (size_t i = 0; i < ends->count; i++)
        if (is_same_item(&wanted->item, &ends->items[i].item) &&
            wanted->has_lapsed == ends->items[i].has_lapsed)
            return true;
    return false;
}

const char *case_compare_ends(const struct case_ends *wanted, const struct case_ends *got)
{
    if (wanted->count != got->count)
        return "how much ended";
    for (size_t i = 0; i < wanted->count; i++)
        if (!has_end(got, &wanted->items[i]))
            return "what ended";
    return NULL;
}
