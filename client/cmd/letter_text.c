/* client/cmd/letter_text.c: an opened letter in lines and in JSON. */
#include "client/cmd/letter_text.h"

#include <string.h>

static void free_letter(void *p) { brug_letter_free(p); }

int letter_text_open(struct cmd *c, int64_t number, bool mark_opened,
                     const struct brug_letter **out)
{
    struct brug_identity me;
    struct brug_id person;
    struct brug_letter *letter = NULL;
    const struct brug_message *m = NULL;
    int status = EX_OK;
    if (c->person != NULL) {
        status = cmd_fail(c, brug_identity(c->brug, &me));
        if (status == EX_OK)
            status = cmd_find_person(c, &me.organisation, c->person, &person);
        if (status != EX_OK)
            return status;
    }
    int e =
        brug_open_letter(c->brug, number, mark_opened, c->person == NULL ? NULL : &person, &letter);
    if (e == BRUG_OK) {
        *out = cmd_keep(c, letter, free_letter);
        return *out == NULL ? cmd_no_memory(c) : EX_OK;
    }
    /* The state has the better sentence: it names whom to confirm. */
    if (cmd_message(c, number, &m) != EX_OK || cmd_state_text(c, m)[0] == '\0' ||
        m->state == BRUG_MESSAGE_STORED)
        return cmd_fail(c, e);
    const char *text = cmd_state_text(c, m);
    return cmd_complain(c, cmd_status(e), text, text);
}

/* ---- lines ---- */

static void print_field(struct cmd *c, FILE *to, const char *dutch, const char *english,
                        const char *value)
{
    const char *name = cmd_say(c, dutch, english);
    if (value != NULL && value[0] != '\0')
        (void)fprintf(to, "%-13s %s\n", name, cmd_clean(c, value));
}

const char *letter_text_moment(struct cmd *c, const struct brug_moment *m)
{
    char date[CMD_TIME_BYTES];
    const char *text = brug_list_text(BRUG_LIST_MOMENT_EVENT, m->event, c->language);
    if (m->event == BRUG_MOMENT_DATE)
        return cmd_fill(c, "%s: %s", text, cmd_date(m->date, date));
    if (m->event == BRUG_MOMENT_AFTER_CONVERSATIONS)
        return cmd_fill(c, "%s: %u", text, m->conversations);
    return text;
}

static void print_head(struct cmd *c, FILE *to, const struct brug_message *m)
{
    char time[CMD_TIME_BYTES];
    (void)fprintf(to, "%s %lld%s%s\n", brug_list_text(BRUG_LIST_KIND, m->kind, c->language),
                  (long long)m->number, m->case_code[0] == '\0' ? "" : " · casus ", m->case_code);
    print_field(c, to, "Van", "From", cmd_author(c, m));
    if (!brug_id_is_none(&m->on_behalf) && !brug_id_equal(&m->on_behalf, &m->from_person))
        print_field(c, to, "Namens", "On behalf of",
                    cmd_person_name(c, &m->from_organisation, &m->on_behalf));
    print_field(c, to, "Aan", "To", m->to_name);
    print_field(c, to, "Geschreven", "Written", cmd_time(m->written_at_ms, time));
    if (m->stored_at_ms != 0)
        print_field(c, to, "Bij de relay", "At the relay", cmd_time(m->stored_at_ms, time));
    if (m->is_sent || m->state == BRUG_MESSAGE_RELAY)
        print_field(c, to, "Stand", "State", cmd_state_text(c, m));
    if (m->is_missing_before)
        (void)fprintf(to, "%s\n",
                      cmd_say(c, "LET OP: een eerder bericht in deze casus ontbreekt hier.",
                              "TAKE CARE: a message before this one is missing here."));
}

static void print_youth(struct cmd *c, FILE *to, const struct brug_youth *y)
{
    char date[CMD_TIME_BYTES];
    if (y->name == NULL || y->name[0] == '\0')
        return;
    print_field(c, to, "Jongere", "Youth", y->name);
    print_field(c, to, "Geboren", "Born", cmd_date(y->born, date));
    print_field(c, to, "BSN", "BSN", y->bsn);
    for (size_t i = 0; i < BRUG_TELEPHONES_MAX && y->telephones[i] != NULL; i++)
        print_field(c, to, "Telefoon", "Telephone", y->telephones[i]);
    print_field(c, to, "Adres", "Address", y->address);
}

static void print_code(struct cmd *c, FILE *to, const char *dutch, const char *english,
                       enum brug_list list, int number)
{
    if (number != 0)
        print_field(c, to, dutch, english, brug_list_text(list, number, c->language));
}

/* The text with what stands in its brackets: "Te ernstig (gebeld op [datum])". */
static const char *fill_brackets(struct cmd *c, const char *text, const char *value)
{
    const char *open = strchr(text, '[');
    const char *close = open == NULL ? NULL : strchr(open, ']');
    if (close == NULL)
        return text;
    return cmd_fill(c, "%.*s%s%s", (int)(open - text), text, value, close + 1);
}

static const char *decline_text(struct cmd *c, const struct brug_letter *l)
{
    char date[CMD_TIME_BYTES];
    const struct brug_organisation *other = cmd_organisation(c, &l->other_organisation);
    const char *text = brug_list_text(BRUG_LIST_DECLINE_REASON, l->decline_reason, c->language);
    if (!brug_id_is_none(&l->other_organisation))
        return fill_brackets(c, text, other == NULL ? "?" : other->name);
    return fill_brackets(c, text, cmd_date(l->called_on_date, date));
}

/* The other director's name stands in the letter's text, if anywhere: the header has no place for it. */
static const char *involvement_text(struct cmd *c, const struct brug_letter *l)
{
    const char *text = brug_list_text(BRUG_LIST_INVOLVEMENT, l->involvement, c->language);
    return fill_brackets(c, text, cmd_say(c, "een ander", "another"));
}

static void print_numbers(struct cmd *c, FILE *to, const struct brug_letter *l)
{
    char date[CMD_TIME_BYTES];
    bool is_delay = l->message.kind == BRUG_KIND_DELAY;
    if (l->until_date != 0)
        print_field(c, to, is_delay ? "Nieuwe datum" : "Tot en met",
                    is_delay ? "New date" : "Until", cmd_date(l->until_date, date));
    if (l->outcome != 0 && l->called_on_date != 0)
        print_field(c, to, "Gebeld op", "Called on", cmd_date(l->called_on_date, date));
    if (l->conversations != 0)
        print_field(c, to, "Gesprekken", "Conversations", cmd_fill(c, "%u", l->conversations));
    if (!brug_id_is_none(&l->new_director))
        print_field(c, to, "Nieuwe regie", "New director",
                    cmd_person_name(c, &l->message.from_organisation, &l->new_director));
}

static void print_codes(struct cmd *c, FILE *to, const struct brug_letter *l)
{
    print_code(c, to, "Reden", "Reason", BRUG_LIST_REASON, l->reason);
    print_code(c, to, "Vraag om", "Request", BRUG_LIST_REQUEST_TYPE, l->request_type);
    print_code(c, to, "Grond", "Ground", BRUG_LIST_GROUND, l->ground);
    print_code(c, to, "Uitkomst", "Outcome", BRUG_LIST_OUTCOME, l->outcome);
    print_code(c, to, "Besluit", "Decision", BRUG_LIST_DECISION, l->decision);
    if (l->decline_reason != 0)
        print_field(c, to, "Reden", "Reason", decline_text(c, l));
    print_code(c, to, "Reden", "Reason", BRUG_LIST_STOP_REASON, l->stop_reason);
    if (l->involvement != 0)
        print_field(c, to, "Betrokken", "Involved", involvement_text(c, l));
    print_code(c, to, "Overbrugging", "Bridging", BRUG_LIST_BRIDGING_CARRIER, l->bridging_carrier);
    print_numbers(c, to, l);
    for (size_t i = 0; i < l->moments_n; i++)
        print_field(c, to, i == 0 ? "Graag bericht" : "", i == 0 ? "Please tell" : "",
                    letter_text_moment(c, &l->moments[i]));
    if (l->withheld)
        (void)fprintf(to, "%s\n",
                      cmd_say(c, "Wij mogen niet meer delen. Daar is geen toestemming voor.",
                              "We may not share more. There is no consent for it."));
}

static void print_attachments(struct cmd *c, FILE *to, const struct brug_letter *l)
{
    if (l->attachments_n > 0)
        (void)fprintf(to, "\n%s\n", cmd_say(c, "Bijlagen:", "Attachments:"));
    for (size_t i = 0; i < l->attachments_n; i++)
        (void)fprintf(to, "  %s  (%zu bytes)\n", cmd_clean(c, l->attachments[i].name),
                      l->attachments[i].len);
}

void letter_text_print(struct cmd *c, FILE *to, const struct brug_letter *l)
{
    print_head(c, to, &l->message);
    print_youth(c, to, &l->youth);
    print_codes(c, to, l);
    print_field(c, to, "Onderwerp", "Subject", l->subject);
    if (l->text != NULL && l->text[0] != '\0') {
        (void)fputc('\n', to);
        cmd_print_text(c, to, l->text);
    }
    if (l->risks != NULL && l->risks[0] != '\0') {
        (void)fprintf(to, "\n%s\n", cmd_say(c, "Risico's:", "Risks:"));
        cmd_print_text(c, to, l->risks);
    }
    print_attachments(c, to, l);
}

/* ---- JSON ---- */

static json_t *json_code(enum brug_list list, int number)
{
    return number == 0 ? json_null() : json_string(brug_list_word(list, number));
}

static json_t *json_youth(const struct brug_youth *y)
{
    if (y->name == NULL || y->name[0] == '\0')
        return json_null();
    json_t *telephones = json_array();
    for (size_t i = 0; telephones != NULL && i < BRUG_TELEPHONES_MAX && y->telephones[i] != NULL;
         i++)
        if (json_array_append_new(telephones, cmd_json_text(y->telephones[i])) != 0) {
            json_decref(telephones);
            telephones = NULL;
        }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", cmd_json_text(y->name), "born",
                     cmd_json_date(y->born), "bsn", cmd_json_text(y->bsn), "telephones", telephones,
                     "address", cmd_json_text(y->address));
}

static json_t *json_moments(const struct brug_letter *l)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < l->moments_n; i++) {
        const struct brug_moment *m = &l->moments[i];
        json_t *j = json_pack(
            "{s:o, s:o, s:I}", "event", json_code(BRUG_LIST_MOMENT_EVENT, m->event), "date",
            cmd_json_date(m->date), "conversations", (json_int_t)m->conversations);
        if (json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *json_attachments(const struct brug_letter *l, bool with_data)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < l->attachments_n; i++) {
        const struct brug_attachment *a = &l->attachments[i];
        json_t *j = json_pack("{s:o, s:o, s:I}", "name", cmd_json_text(a->name), "media_type",
                              cmd_json_text(a->media_type), "size", (json_int_t)a->len);
        if ((with_data && json_object_set_new(j, "data", cmd_json_bytes(a->data, a->len)) != 0) ||
            json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *json_case_codes(const struct brug_letter *l)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "decline_reason",
                     json_code(BRUG_LIST_DECLINE_REASON, l->decline_reason), "stop_reason",
                     json_code(BRUG_LIST_STOP_REASON, l->stop_reason), "involvement",
                     json_code(BRUG_LIST_INVOLVEMENT, l->involvement), "carrier",
                     json_code(BRUG_LIST_BRIDGING_CARRIER, l->bridging_carrier), "until",
                     cmd_json_date(l->until_date), "called_on", cmd_json_date(l->called_on_date),
                     "new_director", cmd_json_id(&l->new_director), "linked_case",
                     cmd_json_id(&l->linked_case), "conversations", (json_int_t)l->conversations);
}

json_t *letter_text_json(struct cmd *c, const struct brug_letter *l, bool with_data)
{
    json_t *j = cmd_json_message(c, &l->message);
    json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
                             "youth", json_youth(&l->youth), "letter", cmd_json_text(l->text),
                             "reason", json_code(BRUG_LIST_REASON, l->reason), "request_type",
                             json_code(BRUG_LIST_REQUEST_TYPE, l->request_type), "ground",
                             json_code(BRUG_LIST_GROUND, l->ground), "moments", json_moments(l),
                             "outcome", json_code(BRUG_LIST_OUTCOME, l->outcome), "decision",
                             json_code(BRUG_LIST_DECISION, l->decision), "risks",
                             cmd_json_text(l->risks), "withheld", (int)l->withheld, "answer_signed",
                             (int)l->is_answer_signed, "files", json_attachments(l, with_data));
    json_t *codes = json_case_codes(l);
    if (j == NULL || json_object_update(j, more) != 0 || json_object_update(j, codes) != 0) {
        json_decref(j);
        j = NULL;
    }
    json_decref(more);
    json_decref(codes);
    return j;
}
