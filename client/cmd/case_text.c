/* client/cmd/case_text.c: see case_text.h. */
#include "client/cmd/case_text.h"

#include "client/cmd/letter_text.h"

/* ---- the relay is asked ---- */

int case_refresh(struct cmd *c, const struct brug_id *case_id, int default_seconds)
{
    bool reached = false;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, default_seconds, &timeout_ms);
    if (status != EX_OK)
        return status;
    status = cmd_fail(c, case_id == NULL ? brug_refresh_cases(c->brug, c->is_ended)
                                         : brug_refresh_case(c->brug, case_id));
    if (status == EX_OK && timeout_ms > 0)
        status = cmd_wait(c, BRUG_UNTIL_CASES, timeout_ms, &reached);
    c->is_offline = !reached;
    return status;
}

/* ---- refusals ---- */

static const char *taken_text(struct cmd *c, const struct brug_case *item)
{
    struct brug_identity me;
    const struct brug_case_facts *f = item->facts;
    if (f == NULL || f->director_name[0] == '\0')
        return NULL;
    if (brug_identity(c->brug, &me) == BRUG_OK && brug_id_equal(&me.person, &f->director))
        return cmd_say(c, "U hebt deze casus al opgepakt.", "You have already taken this case up.");
    return cmd_fill(
        c, cmd_say(c, "%s heeft deze casus al opgepakt.", "%s has already taken this case up."),
        cmd_clean(c, f->director_name));
}

static const char *still_owed_text(struct cmd *c, const struct brug_case *item)
{
    const char *list = "";
    for (size_t i = 0; item->facts != NULL && i < item->facts->owed_n; i++)
        if (item->facts->owed[i].must_precede_close)
            list = cmd_fill(c, "%s%s%s", list, list[0] == '\0' ? "" : "; ",
                            case_owed_text(c, item->facts, &item->facts->owed[i]));
    if (list[0] == '\0')
        return NULL;
    return cmd_fill(c,
                    cmd_say(c, "U kunt nog niet afsluiten. Doe eerst: %s.",
                            "You cannot close yet. First do: %s."),
                    list);
}

const char *case_refusal_text(struct cmd *c, int error, const struct brug_id *case_id)
{
    if (error != BRUG_CASE_TAKEN && error != BRUG_STILL_OWED)
        return NULL;
    const struct brug_case *item = cmd_case_of(c, case_id);
    if (item == NULL)
        return NULL;
    return error == BRUG_CASE_TAKEN ? taken_text(c, item) : still_owed_text(c, item);
}

/* ---- words ---- */

const char *case_told_text(struct cmd *c, int64_t told_at_ms)
{
    char time[CMD_TIME_BYTES];
    return cmd_fill(
        c, "%s%s",
        cmd_fill(c, cmd_say(c, "Volgens de relay, stand van %s", "By the relay's word, as of %s"),
                 cmd_time(told_at_ms, time)),
        c->is_offline ? cmd_say(c, " (nu niet bereikt)", " (not reached now)") : "");
}

const char *case_title(struct cmd *c, const struct brug_case *item)
{
    char born[CMD_TIME_BYTES];
    if (item->youth_name[0] == '\0')
        return item->case_code;
    return cmd_fill(c, "%s  %s (%s)", item->case_code, cmd_clean(c, item->youth_name),
                    cmd_date(item->youth_born, born));
}

const char *case_custody_text(struct cmd *c, const struct brug_case_facts *f)
{
    if (f->custody == BRUG_SIDE_PRACTICE)
        return cmd_say(c, "De regie ligt bij de huisarts.", "Custody lies with the GP.");
    if (f->director_name[0] == '\0')
        return cmd_say(c, "De regie ligt bij het team.", "Custody lies with the team.");
    return cmd_fill(
        c, cmd_say(c, "De regie ligt bij het team (%s).", "Custody lies with the team (%s)."),
        cmd_clean(c, f->director_name));
}

const char *case_owed_text(struct cmd *c, const struct brug_case_facts *f,
                           const struct brug_owed *owed)
{
    char date[CMD_TIME_BYTES];
    const char *what = brug_list_text(BRUG_LIST_OWED_KIND, owed->kind, c->language);
    if (owed->kind == BRUG_OWED_MOMENT && owed->moment >= 1 && owed->moment <= f->moments_n)
        what = cmd_fill(c, cmd_say(c, "Terugkoppeling (%s)", "Feedback (%s)"),
                        letter_text_moment(c, &f->moments[owed->moment - 1]));
    if (owed->due_date == 0)
        return what;
    (void)cmd_date(owed->due_date, date); /* returns its second argument */
    const char *when =
        owed->is_overdue
            ? cmd_fill(c, cmd_say(c, "TE LAAT: dit moest uiterlijk %s", "OVERDUE: was due by %s"),
                       date)
            : cmd_fill(c, cmd_say(c, "uiterlijk %s", "by %s"), date);
    return cmd_fill(c, "%s, %s%s", what, when,
                    owed->is_delayed ? cmd_say(c, " (uitgesteld)", " (delayed)") : "");
}

static const char *command_of(int kind)
{
    static const char *const COMMANDS[] = {
        [BRUG_KIND_ADVICE] = "advise",
        [BRUG_KIND_CLAIM] = "claim",
        [BRUG_KIND_HANDOVER] = "handover",
        [BRUG_KIND_START] = "start",
        [BRUG_KIND_INTERIM] = "interim",
        [BRUG_KIND_DELAY] = "delay",
        [BRUG_KIND_INFO_REQUEST] = "ask",
        [BRUG_KIND_INFO_REPLY] = "answer",
        [BRUG_KIND_DECLINE_PROPOSAL] = "decline",
        [BRUG_KIND_STOP_PROPOSAL] = "stop",
        [BRUG_KIND_PROPOSAL_ANSWER] = "agree, object",
        [BRUG_KIND_RETRACT] = "retract",
        [BRUG_KIND_BRIDGING_PROPOSAL] = "bridge",
        [BRUG_KIND_BRIDGING_ANSWER] = "agree --bridging, object --bridging",
        [BRUG_KIND_BRIDGING_END] = "bridge --end",
        [BRUG_KIND_CLOSING] = "close",
        [BRUG_KIND_WITHDRAWAL] = "withdraw",
        [BRUG_KIND_NOTE] = "note",
    };
    return (size_t)kind < sizeof COMMANDS / sizeof COMMANDS[0] ? COMMANDS[kind] : NULL;
}

const char *case_next_text(struct cmd *c, const struct brug_case *item)
{
    const char *list = "";
    for (size_t i = 0; i < item->next_n; i++) {
        const char *command = command_of(item->next[i]);
        if (command != NULL)
            list = cmd_fill(c, "%s%s%s", list, list[0] == '\0' ? "" : ", ", command);
    }
    return list;
}

/* ---- JSON ---- */

static json_t *json_word(enum brug_list list, int number)
{
    return number == 0 ? json_null() : json_string(brug_list_word(list, number));
}

json_t *case_json_owed(struct cmd *c, const struct brug_owed *owed)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:b, s:b}", "owed_id",
                     cmd_json_id(&owed->owed_id), "kind",
                     json_word(BRUG_LIST_OWED_KIND, owed->kind), "debtor",
                     json_word(BRUG_LIST_SIDE, owed->debtor), "message_id",
                     cmd_json_id(&owed->cause), "due", cmd_json_date(owed->due_date), "moment",
                     (json_int_t)owed->moment, "delayed", (int)owed->is_delayed, "overdue",
                     (int)owed->is_overdue, "before_closing", (int)owed->must_precede_close);
}

static json_t *json_owed_list(struct cmd *c, const struct brug_case_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < f->owed_n; i++)
        if (json_array_append_new(list, case_json_owed(c, &f->owed[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *json_links(struct cmd *c, const struct brug_case_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < f->linked_n; i++) {
        const struct brug_linked *l = &f->linked[i];
        json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:b}", "case_id", cmd_json_id(&l->case_id),
                              "case_code", cmd_json_text(l->case_code), "director",
                              cmd_json_id(&l->director), "director_name",
                              cmd_json_text(l->director_name), "same_child", (int)l->is_same_child);
        if (json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *json_proposal(const struct brug_proposal *p)
{
    if (p->by == BRUG_SIDE_NONE)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "kind", json_word(BRUG_LIST_KIND, p->kind), "by",
                     json_word(BRUG_LIST_SIDE, p->by), "person", cmd_json_id(&p->person),
                     "message_id", cmd_json_id(&p->message_id));
}

static json_t *json_bridging(const struct brug_bridging *b)
{
    if (b->by == BRUG_SIDE_NONE)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "by", json_word(BRUG_LIST_SIDE, b->by), "person",
                     cmd_json_id(&b->person), "message_id", cmd_json_id(&b->message_id), "carrier",
                     json_word(BRUG_LIST_BRIDGING_CARRIER, b->carrier), "until",
                     cmd_json_date(b->until_date));
}

/* Named for what it is: the relay's word. */
static json_t *json_facts(struct cmd *c, const struct brug_case_facts *f)
{
    if (f == NULL)
        return json_null();
    json_t *j = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "told_at",
        cmd_json_time(f->told_at_ms), "own_side", json_word(BRUG_LIST_SIDE, f->own_side), "state",
        json_word(BRUG_LIST_CASE_STATE, f->state), "custody", json_word(BRUG_LIST_SIDE, f->custody),
        "director", cmd_json_id(&f->director), "director_name", cmd_json_text(f->director_name),
        "outcome", json_word(BRUG_LIST_OUTCOME, f->outcome), "involvement",
        json_word(BRUG_LIST_INVOLVEMENT, f->involvement), "objected", (int)f->was_objected,
        "conversations", (json_int_t)f->conversations);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "proposal",
        json_proposal(&f->proposal), "bridging_proposed", json_bridging(&f->bridging_proposed),
        "bridging", json_bridging(&f->bridging), "owed", json_owed_list(c, f), "taken_up_at",
        cmd_json_time(f->taken_up_at_ms), "started_at", cmd_json_time(f->started_at_ms), "ended_at",
        cmd_json_time(f->ended_at_ms), "closing_id", cmd_json_id(&f->closing_id), "linked_case",
        cmd_json_id(&f->linked_case), "linked", json_links(c, f));
    if (j == NULL || json_object_update(j, more) != 0) {
        json_decref(j);
        j = NULL;
    }
    json_decref(more);
    return j;
}

static json_t *json_next(const struct brug_case *item)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < item->next_n; i++)
        if (json_array_append_new(list, json_word(BRUG_LIST_KIND, item->next[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *case_json(struct cmd *c, const struct brug_case *item)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o}", "case_id",
                     cmd_json_id(&item->case_id), "case_code", cmd_json_text(item->case_code),
                     "other", cmd_json_id(&item->other), "other_name",
                     cmd_json_text(item->other_name), "youth_name", cmd_json_text(item->youth_name),
                     "youth_born", cmd_json_date(item->youth_born), "household_known",
                     (int)item->has_household, "messages", (json_int_t)item->messages, "relay",
                     json_facts(c, item->facts), "next", json_next(item));
}
