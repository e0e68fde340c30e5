/* client/cmd/relay_text.c: see relay_text.h. */
#include "client/cmd/relay_text.h"

#include "client/cmd/case_text.h"

/* The letter of ours that it is about; NULL when it is not here any more. */
static const struct brug_message *letter_of_report(struct cmd *c, const struct brug_message *m)
{
    char id[BRUG_ID_TEXT_BYTES];
    int64_t number;
    const struct brug_message *about = NULL;
    if (brug_id_is_none(&m->in_reply_to) ||
        brug_find_message(c->brug, brug_id_text(&m->in_reply_to, id), &number) != BRUG_OK)
        return NULL;
    return cmd_message(c, number, &about) == EX_OK ? about : NULL;
}

static const char *endpoint_name(struct cmd *c, const struct brug_id *endpoint)
{
    const struct brug_organisations *all = cmd_organisations(c);
    for (size_t i = 0; all != NULL && i < all->n; i++)
        for (size_t k = 0; k < all->items[i].entries_n; k++) {
            const struct brug_entry *e = &all->items[i].entries[k];
            if (brug_id_equal(&e->endpoint, endpoint))
                return cmd_clean(c,
                                 e->person_name[0] != '\0' ? e->person_name : all->items[i].name);
        }
    return cmd_say(c, "een ontvanger", "a reader");
}

/* By time alone it says that nobody opened the letter, which may well have been fetched; with a code, that nobody can. */
static const char *non_delivery_text(struct cmd *c, const struct brug_message *m,
                                     const struct brug_message *about)
{
    bool is_by_time = m->fact_code == BRUG_OK;
    const struct brug_organisation *to = about == NULL ? NULL : cmd_organisation(c, &about->to);
    const char *name =
        to == NULL ? cmd_say(c, "de organisatie", "the organisation") : cmd_clean(c, to->name);
    const char *call =
        to == NULL || to->card_telephone[0] == '\0' ? name : cmd_clean(c, to->card_telephone);
    if (about != NULL && about->kind == BRUG_KIND_REFERRAL && is_by_time)
        return cmd_fill(c,
                        cmd_say(c,
                                "Niemand van het team heeft uw verwijzing geopend. U hebt nog de "
                                "regie. Bel %s.",
                                "Nobody of the team has opened your referral. You still have "
                                "custody. Call %s."),
                        call);
    if (about != NULL && about->kind == BRUG_KIND_REFERRAL)
        return cmd_fill(c,
                        cmd_say(c,
                                "Het team heeft uw verwijzing niet opgehaald. U hebt nog de regie. "
                                "Bel %s.",
                                "The team has not fetched your referral. You still have custody. "
                                "Call %s."),
                        call);
    return cmd_fill(c,
                    is_by_time ? cmd_say(c, "Uw bericht is door niemand van %s geopend. Bel %s.",
                                         "Nobody of %s has opened your message. Call %s.")
                               : cmd_say(c, "Uw bericht is door niemand van %s opgehaald. Bel %s.",
                                         "Nobody of %s has fetched your message. Call %s."),
                    name, call);
}

/* What is owed as it stands now; once it is settled, what it was. */
static const char *owed_text(struct cmd *c, const struct brug_message *m)
{
    char date[CMD_TIME_BYTES];
    bool is_reminder = m->kind == BRUG_KIND_REMINDER;
    const struct brug_case *item = cmd_case_of(c, &m->case_id);
    const struct brug_case_facts *f = item == NULL ? NULL : item->facts;
    for (size_t i = 0; f != NULL && i < f->owed_n; i++)
        if (brug_id_equal(&f->owed[i].owed_id, &m->owed_id))
            return cmd_fill(
                c,
                is_reminder ? cmd_say(c, "De relay herinnert aan: %s.", "The relay reminds of: %s.")
                            : cmd_say(c, "De relay meldt: %s.", "The relay reports: %s."),
                case_owed_text(c, f, &f->owed[i]));
    if (is_reminder && brug_id_is_none(&m->owed_id) && m->until_date != 0)
        return cmd_fill(c,
                        cmd_say(c, "De overbrugging stopt op %s. Maak samen een nieuwe afspraak.",
                                "The bridging care ends on %s. Make a new agreement together."),
                        cmd_date(m->until_date, date));
    return cmd_fill(
        c,
        is_reminder
            ? cmd_say(c, "De relay herinnerde aan: %s. Dat staat niet meer open.",
                      "The relay reminded of: %s. That is not owed any more.")
            : cmd_say(c, "De relay meldde dat dit te laat was: %s. Dat staat niet meer open.",
                      "The relay reported as overdue: %s. That is not owed any more."),
        brug_list_text(BRUG_LIST_OWED_KIND, m->owed_kind, c->language));
}

const char *relay_text_linked(struct cmd *c, const struct brug_linked *l)
{
    struct brug_identity me;
    bool is_own = brug_identity(c->brug, &me) == BRUG_OK && brug_id_equal(&me.person, &l->director);
    const char *director = is_own                        ? cmd_say(c, "uzelf", "yourself")
                           : l->director_name[0] == '\0' ? cmd_say(c, "een collega", "a colleague")
                                                         : cmd_clean(c, l->director_name);
    return cmd_fill(
        c,
        l->is_same_child
            ? cmd_say(c, "LET OP: over deze jongere loopt nog een casus, bij %s (%s).",
                      "TAKE CARE: there is another open case of this youth, with %s (%s).")
            : cmd_say(c, "Dit gezin heeft een lopende casus bij %s (%s).",
                      "This family has an open case with %s (%s)."),
        director, l->case_code);
}

const char *relay_text(struct cmd *c, const struct brug_message *m)
{
    const struct brug_message *about = letter_of_report(c, m);
    const char *which = about == NULL ? "" : cmd_fill(c, " %lld", (long long)about->number);
    if (m->kind == BRUG_KIND_NON_DELIVERY)
        return cmd_fill(
            c,
            cmd_say(c, "De relay meldt over bericht%s: %s", "The relay reports of message%s: %s"),
            which, non_delivery_text(c, m, about));
    if (m->kind == BRUG_KIND_REMINDER || m->kind == BRUG_KIND_OVERDUE)
        return owed_text(c, m);
    if (m->kind == BRUG_KIND_NOT_OPENED)
        return cmd_fill(c,
                        cmd_say(c,
                                "De relay meldt over bericht%s: nog door niemand van %s geopend.",
                                "The relay reports of message%s: nobody of %s has opened it yet."),
                        which,
                        about == NULL ? cmd_say(c, "de organisatie", "the organisation")
                                      : cmd_clean(c, about->to_name));
    if (m->kind == BRUG_KIND_FACT && m->fact_code == BRUG_NOT_ACKNOWLEDGED)
        return cmd_fill(
            c,
            cmd_say(c,
                    "De relay meldt over bericht%s: de aansluiting van %s haalt het "
                    "telkens op en bevestigt het niet. Bel.",
                    "The relay reports of message%s: the client of %s is given it again "
                    "and again and does not acknowledge it. Call."),
            which, endpoint_name(c, &m->about_endpoint));
    if (m->kind == BRUG_KIND_FACT && m->fact_code == BRUG_FAMILY_LINKED)
        return cmd_fill(c, cmd_say(c, "De relay meldt: %s", "The relay reports: %s"),
                        relay_text_linked(c, &m->linked));
    if (m->kind == BRUG_KIND_FACT)
        return cmd_fill(c,
                        cmd_say(c,
                                "De relay meldt over bericht%s: %s kon het niet lezen (%s). Bel.",
                                "The relay reports of message%s: %s could not read it (%s). Call."),
                        which, endpoint_name(c, &m->about_endpoint), brug_error_name(m->fact_code));
    return cmd_fill(c,
                    cmd_say(c, "De relay meldt iets over bericht%s.",
                            "The relay reports something of message%s."),
                    which);
}
