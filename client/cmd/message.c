/*
 * client/cmd/message.c: one message in lines and in JSON: who wrote it, and how it stands.
 *
 * What is said of a sent letter is a dated fact and never more than that: kept by the relay, fetched, opened by a named
 * person. What only the relay says is labelled as its word.
 */
#include "client/cmd/case_text.h"
#include "client/cmd/relay_text.h"

static const char *writer(struct cmd *c, const struct brug_message *m)
{
    const char *person = cmd_clean(c, m->from_person_name);
    if (m->state == BRUG_MESSAGE_RELAY)
        return cmd_say(c, "de relay", "the relay");
    if (m->is_by_system)
        return cmd_fill(c, cmd_say(c, "het systeem van %s, voor %s", "the system of %s, for %s"),
                        cmd_clean(c, m->from_name), person);
    return cmd_fill(c, "%s%s%s", person, person[0] == '\0' ? "" : ", ", cmd_clean(c, m->from_name));
}

const char *cmd_author(struct cmd *c, const struct brug_message *m)
{
    if (m->is_recovered)
        return cmd_fill(
            c, "%s %s", writer(c, m),
            cmd_say(c, "(teruggehaald met de herstelsleutel)", "(restored with the recovery key)"));
    if (m->handed_on_by[0] == '\0')
        return writer(c, m);
    return cmd_fill(c, "%s (%s %s)", writer(c, m), cmd_say(c, "doorgegeven door", "handed on by"),
                    cmd_clean(c, m->handed_on_by));
}

const char *cmd_new_text(struct cmd *c, const struct brug_message *m)
{
    bool is_new =
        !m->is_sent && m->opened_at_ms == 0 && !m->was_opened && m->state == BRUG_MESSAGE_READY;
    return is_new ? cmd_say(c, "  (nieuw)", "  (new)") : "";
}

/* ---- facts ---- */

const char *cmd_fact_text(struct cmd *c, const struct brug_fact *f)
{
    char time[CMD_TIME_BYTES];
    if (f->opened_at_ms != 0)
        return cmd_fill(c, cmd_say(c, "Geopend door %s (%s)", "Opened by %s (%s)"),
                        cmd_clean(c, f->opened_by_name), cmd_time(f->opened_at_ms, time));
    if (f->unreadable != BRUG_OK)
        return cmd_fill(
            c, cmd_say(c, "Opgehaald, maar niet leesbaar: %s", "Fetched, but not readable: %s"),
            brug_error_sentence(f->unreadable, c->language));
    if (f->cancelled_at_ms != 0)
        return cmd_fill(c,
                        cmd_say(c, "Vervallen: deze aansluiting is gestopt (%s)",
                                "Cancelled: this endpoint was stopped (%s)"),
                        cmd_time(f->cancelled_at_ms, time));
    if (f->fetched_at_ms != 0)
        return cmd_fill(
            c, cmd_say(c, "Opgehaald, nog niet geopend (%s)", "Fetched, not opened yet (%s)"),
            cmd_time(f->fetched_at_ms, time));
    return cmd_say(c, "Bewaard, nog niet opgehaald", "Kept, not fetched yet");
}

/* What says most of a letter: the first opening on the other side, else a fetch, else that nobody has it. */
static int rank(const struct brug_fact *f)
{
    return f->opened_at_ms != 0       ? 4
           : f->unreadable != BRUG_OK ? 3
           : f->fetched_at_ms != 0    ? 2
           : f->cancelled_at_ms != 0  ? 0
                                      : 1;
}

static const struct brug_fact *telling_fact(const struct brug_facts *facts,
                                            const struct brug_id *to)
{
    const struct brug_fact *best = NULL;
    for (size_t i = 0; facts != NULL && i < facts->n; i++) {
        const struct brug_fact *f = &facts->items[i];
        if (!brug_id_is_none(&f->organisation) && !brug_id_equal(&f->organisation, to))
            continue;
        if (best == NULL || rank(f) > rank(best) ||
            (rank(f) == 4 && rank(best) == 4 && f->opened_at_ms < best->opened_at_ms))
            best = f;
    }
    return best;
}

static const char *stored_text(struct cmd *c, const struct brug_message *m)
{
    static const struct brug_fact NOTHING;
    const struct brug_fact *f = telling_fact(cmd_facts(c, m->number), &m->to);
    return cmd_fact_text(c, f == NULL ? &NOTHING : f);
}

/* The words for an off-line letter, with the number to call where its addressee has one on its card. */
static const char *unsent_text(struct cmd *c, const struct brug_message *m)
{
    const struct brug_organisation *to = cmd_organisation(c, &m->to);
    const char *telephone = to == NULL ? "" : cmd_clean(c, to->card_telephone);
    const char *name = m->to_name[0] != '\0' ? cmd_clean(c, m->to_name)
                       : to != NULL          ? cmd_clean(c, to->name)
                                             : cmd_say(c, "het team", "the team");
    return cmd_fill(
        c,
        cmd_say(c,
                "Nog niet verzonden. Uw bericht blijft bewaard. Kan het niet wachten? Bel %s%s%s.",
                "Not sent yet. Your message is kept. Can it not wait? Call %s%s%s."),
        name, telephone[0] == '\0' ? "" : ", ", telephone);
}

static const char *waiting_text(struct cmd *c, const struct brug_message *m)
{
    if (m->error == BRUG_CONFIRM)
        return cmd_fill(
            c,
            cmd_say(c, "Nog niet verzonden: bevestig eerst wie u schrijft, met: brug trust \"%s\"",
                    "Not sent yet: first confirm whom you write to, with: brug trust \"%s\""),
            cmd_clean(c, m->to_name));
    if (m->error == BRUG_OK || m->error == BRUG_NOT_FOUND)
        return unsent_text(c, m);
    return cmd_fill(c, cmd_say(c, "Nog niet verzonden: %s", "Not sent yet: %s"),
                    brug_error_sentence(m->error, c->language));
}

static const char *refused_text(struct cmd *c, const struct brug_message *m)
{
    const char *text = case_refusal_text(c, m->error, &m->case_id);
    return cmd_fill(c, cmd_say(c, "Geweigerd: %s", "Refused: %s"),
                    text == NULL ? brug_error_sentence(m->error, c->language) : text);
}

const char *cmd_state_text(struct cmd *c, const struct brug_message *m)
{
    switch (m->state) {
    case BRUG_MESSAGE_CONFIRM:
        if (m->kind == BRUG_KIND_HISTORY) /* its giver is known, its author perhaps not */
            return cmd_say(
                c, "Nog niet te lezen: bevestig eerst wie de brief schreef, met: brug trust",
                "Not readable yet: first confirm who wrote the letter, with: brug trust");
        return cmd_fill(
            c,
            cmd_say(c, "Nog niet te lezen: bevestig eerst de afzender, met: brug trust \"%s\"",
                    "Not readable yet: first confirm the sender, with: brug trust \"%s\""),
            cmd_clean(c, m->from_name));
    case BRUG_MESSAGE_UNREADABLE:
        return cmd_fill(c, cmd_say(c, "Niet leesbaar: %s", "Not readable: %s"),
                        brug_error_sentence(m->error, c->language));
    case BRUG_MESSAGE_UPDATE:
        return cmd_say(c, "Dit soort bericht kent deze versie van brug niet. Werk brug bij.",
                       "This version of brug does not know this kind of message. Update brug.");
    case BRUG_MESSAGE_RELAY:
        return relay_text(c, m);
    case BRUG_MESSAGE_WAITING:
        return waiting_text(c, m);
    case BRUG_MESSAGE_UNSENT:
        return m->error == BRUG_OK ? unsent_text(c, m)
                                   : cmd_fill(c, "%s %s", unsent_text(c, m),
                                              brug_error_sentence(m->error, c->language));
    case BRUG_MESSAGE_STORED:
        return stored_text(c, m);
    case BRUG_MESSAGE_REFUSED:
        return refused_text(c, m);
    case BRUG_MESSAGE_DISCARDED:
        return cmd_say(c, "Niet verzonden; door u teruggetrokken.", "Not sent; given up by you.");
    default:
        return "";
    }
}

/* ---- lines ---- */

static const char *youth_text(struct cmd *c, const struct brug_message *m)
{
    char born[CMD_TIME_BYTES];
    if (m->youth_name[0] == '\0')
        return "";
    return cmd_fill(c, "%s (%s)", cmd_clean(c, m->youth_name), cmd_date(m->youth_born, born));
}

void cmd_print_message_row(struct cmd *c, const struct brug_message *m)
{
    char time[CMD_TIME_BYTES];
    int64_t at_ms = m->stored_at_ms != 0 ? m->stored_at_ms : m->written_at_ms;
    const char *state = cmd_state_text(c, m);
    const char *youth = youth_text(c, m);
    (void)printf("%4lld  %s  %s%s%s%s%s\n", (long long)m->number, cmd_time(at_ms, time),
                 brug_list_text(BRUG_LIST_KIND, m->kind, c->language),
                 m->case_code[0] == '\0' ? "" : "  ", m->case_code, youth[0] == '\0' ? "" : "  ",
                 youth);
    if (m->is_sent)
        (void)printf("      %s %s\n", cmd_say(c, "aan", "to"), cmd_clean(c, m->to_name));
    else
        (void)printf("      %s %s%s\n", cmd_say(c, "van", "from"), cmd_author(c, m),
                     cmd_new_text(c, m));
    if (m->subject[0] != '\0')
        (void)printf("      %s\n", cmd_clean(c, m->subject));
    if (state[0] != '\0')
        (void)printf("      %s\n", state);
}

/* ---- JSON ---- */

static const char *state_word(enum brug_message_state state)
{
    switch (state) {
    case BRUG_MESSAGE_READY:
        return "ready";
    case BRUG_MESSAGE_CONFIRM:
        return "confirm";
    case BRUG_MESSAGE_UNREADABLE:
        return "unreadable";
    case BRUG_MESSAGE_UPDATE:
        return "update";
    case BRUG_MESSAGE_RELAY:
        return "relay";
    case BRUG_MESSAGE_WAITING:
        return "waiting";
    case BRUG_MESSAGE_UNSENT:
        return "unsent";
    case BRUG_MESSAGE_STORED:
        return "stored";
    case BRUG_MESSAGE_REFUSED:
        return "refused";
    case BRUG_MESSAGE_DISCARDED:
        return "discarded";
    }
    return "unknown";
}

static json_t *json_error(int error)
{
    return error == BRUG_OK ? json_null() : json_string(brug_error_name(error));
}

json_t *cmd_json_message(struct cmd *c, const struct brug_message *m)
{
    json_t *identity = json_pack(
        "{s:I, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "number", (json_int_t)m->number,
        "direction", m->is_sent ? "sent" : "received", "state", state_word(m->state), "error",
        json_error(m->error), "kind", brug_list_word(BRUG_LIST_KIND, m->kind), "message_id",
        cmd_json_id(&m->message_id), "case_id", cmd_json_id(&m->case_id), "case_code",
        cmd_json_text(m->case_code), "in_reply_to", cmd_json_id(&m->in_reply_to), "text",
        cmd_json_text(cmd_state_text(c, m)));
    json_t *people = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b}", "from",
        cmd_json_id(&m->from_organisation), "from_name", cmd_json_text(m->from_name), "from_person",
        cmd_json_id(&m->from_person), "from_person_name", cmd_json_text(m->from_person_name),
        "on_behalf", cmd_json_id(&m->on_behalf), "to", cmd_json_id(&m->to), "to_name",
        cmd_json_text(m->to_name), "by_system", (int)m->is_by_system, "handed_on_by",
        cmd_json_text(m->handed_on_by), "recovered", (int)m->is_recovered);
    json_t *times =
        json_pack("{s:o, s:o, s:o, s:o}", "written_at", cmd_json_time(m->written_at_ms),
                  "stored_at", cmd_json_time(m->stored_at_ms), "received_at",
                  cmd_json_time(m->received_at_ms), "opened_at", cmd_json_time(m->opened_at_ms));
    json_t *content = json_pack(
        "{s:o, s:o, s:o, s:I, s:b, s:b}", "subject", cmd_json_text(m->subject), "youth_name",
        cmd_json_text(m->youth_name), "youth_born", cmd_json_date(m->youth_born), "attachments",
        (json_int_t)m->attachments_n, "missing_before", (int)m->is_missing_before, "letter_gone",
        (int)m->is_letter_gone);
    bool whole = identity != NULL && json_object_update(identity, people) == 0 &&
                 json_object_update(identity, times) == 0 &&
                 json_object_update(identity, content) == 0;
    json_decref(people);
    json_decref(times);
    json_decref(content);
    if (!whole) {
        json_decref(identity);
        return NULL;
    }
    return identity;
}
