/*
 * client/cmd/draft.c: a letter from files and options.
 *
 * What must not go through this channel is stopped here, before anything is stored, with the sentence that says what to
 * do instead [R05] [R06] [R10].
 */
#include "client/cmd/draft.h"

#include "client/cmd/case_text.h"
#include "client/cmd/clean.h"
#include "client/cmd/typed.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AGE_MAX 18
#define CASES_MS 3000 /* at most, for what the relay tells after a letter */

/* ---- any letter ---- */

static const char *media_type(const char *name)
{
    static const struct {
        const char *ending, *type;
    } TYPES[] = {
        {".pdf", "application/pdf"},
        {".txt", "text/plain"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".odt", "application/vnd.oasis.opendocument.text"},
        {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    };
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending != NULL && i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (strcasecmp(ending, TYPES[i].ending) == 0)
            return TYPES[i].type;
    return "application/octet-stream";
}

static int take_attachments(struct cmd *c, struct draft *draft)
{
    if (c->attachments_n > BRUG_ATTACHMENTS_MAX)
        return cmd_complain(c, EX_USAGE, "er zijn te veel bijlagen",
                            "there are too many attachments");
    for (size_t i = 0; i < c->attachments_n; i++) {
        struct brug_attachment *a = &draft->attachments[i];
        char *data = NULL;
        int status = cmd_read(c, c->attachments[i], &data, &a->len);
        char *name = cmd_keep(c, malloc(CLEAN_NAME_BYTES), free);
        if (status != EX_OK)
            return status;
        if (name == NULL)
            return cmd_no_memory(c);
        clean_file_name(c->attachments[i], cmd_say(c, "bijlage", "attachment"), name);
        a->name = name;
        a->media_type = media_type(name);
        a->data = data;
    }
    draft->d.attachments = draft->attachments;
    draft->d.attachments_n = c->attachments_n;
    return EX_OK;
}

static int take_persons(struct cmd *c, struct draft *draft)
{
    struct brug_identity me;
    int status = EX_OK;
    if (c->person == NULL && c->on_behalf == NULL)
        return EX_OK;
    status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status == EX_OK && c->person != NULL)
        status = cmd_find_person(c, &me.organisation, c->person, &draft->d.person);
    if (status == EX_OK && c->on_behalf != NULL)
        status = cmd_find_person(c, &me.organisation, c->on_behalf, &draft->d.on_behalf);
    return status;
}

static int take_reply(struct cmd *c, struct draft *draft)
{
    const struct brug_message *m = NULL;
    int64_t number;
    if (c->reply_to == NULL)
        return EX_OK;
    int status = cmd_find_message(c, c->reply_to, &number);
    if (status == EX_OK)
        status = cmd_message(c, number, &m);
    if (status == EX_OK)
        draft->d.in_reply_to = m->message_id;
    return status;
}

int draft_expect_letter(const struct cmd *c)
{
    if (c->letter != NULL || editor_is_there())
        return EX_OK;
    return cmd_complain(c, EX_USAGE, "--letter ontbreekt: het bestand met de brief, of -",
                        "--letter is missing: the file with the letter, or -");
}

static int take_text(struct cmd *c, char **text)
{
    int status = draft_expect_letter(c);
    if (status != EX_OK)
        return status;
    status = c->letter == NULL ? editor_write(c, text) : cmd_read_text(c, c->letter, text);
    if (status == EX_OK && (*text)[strspn(*text, " \t\r\n")] == '\0')
        status = cmd_complain_of(c, EX_DATAERR, "de brief %s is leeg", "the letter %s is empty",
                                 c->letter == NULL ? "" : c->letter);
    return status;
}

int draft_take_letter(struct cmd *c, struct draft *draft, bool is_needed)
{
    char *text = NULL;
    int status = is_needed || c->letter != NULL ? take_text(c, &text) : EX_OK;
    draft->d.text = text;
    draft->d.subject = c->subject == NULL ? "" : c->subject;
    if (status == EX_OK)
        status = take_attachments(c, draft);
    if (status == EX_OK)
        status = take_persons(c, draft);
    return status == EX_OK ? take_reply(c, draft) : status;
}

/* ---- a referral ---- */

static int refuse_reason(const struct cmd *c, const char *word)
{
    if (typed_reason(word) == TYPED_SERIOUS)
        return cmd_complain(c, EX_DATAERR,
                            "Ernstige problemen verwijst u niet via Brug. U houdt de regie. Direct "
                            "gevaar? Bel 112. Crisis? Bel de crisisdienst.",
                            "Serious problems are not referred through Brug. You keep control. "
                            "Immediate danger? Call 112. A crisis? Call the crisis service.");
    return cmd_complain(
        c, EX_DATAERR,
        "Is specialistische hulp duidelijk nodig? Verwijs dan zelf. Twijfelt u? Kies "
        "\"Volgende stap is niet duidelijk\".",
        "Is specialist care clearly needed? Then refer there yourself. In doubt? "
        "Choose \"The next step is not clear\".");
}

static int take_codes(struct cmd *c, struct draft *draft)
{
    if (c->reason != NULL && brug_list_find(BRUG_LIST_REASON, c->reason) < 0 &&
        typed_reason(c->reason) != TYPED_ALLOWED)
        return refuse_reason(c, c->reason);
    int status = cmd_code(c, BRUG_LIST_REASON, "--reason", c->reason, &draft->d.reason);
    if (status == EX_OK)
        status = cmd_code(c, BRUG_LIST_REQUEST_TYPE, "--type", c->type, &draft->d.request_type);
    if (status == EX_OK)
        status = cmd_code(c, BRUG_LIST_GROUND, "--ground", c->ground, &draft->d.ground);
    return status;
}

static int take_moments(struct cmd *c, struct draft *draft)
{
    if (c->moments_n > BRUG_MOMENTS_MAX)
        return cmd_complain(c, EX_USAGE, "er zijn te veel momenten", "there are too many moments");
    for (size_t i = 0; i < c->moments_n; i++)
        if (!typed_moment(c->moments[i], &draft->moments[i]))
            return cmd_complain_of(
                c, EX_USAGE,
                "--moment '%s' is er niet: first-conversation, waiting-list, change-of-director, "
                "date:2026-12-31 of after:3",
                "there is no --moment '%s': first-conversation, waiting-list, change-of-director, "
                "date:2026-12-31 or after:3",
                c->moments[i]);
    draft->d.moments = draft->moments;
    draft->d.moments_n = c->moments_n;
    return EX_OK;
}

static int complain_of_youth(struct cmd *c, enum typed_youth_fault fault, size_t line)
{
    static const struct {
        const char *dutch, *english;
    } TEXTS[] = {
        [TYPED_YOUTH_NO_COLON] = {"hier hoort \"naam: waarde\"", "\"name: value\" belongs here"},
        [TYPED_YOUTH_UNKNOWN_KEY] =
            {"dit veld bestaat niet; kies uit naam, geboren, bsn, telefoon, adres",
             "there is no such field; choose from name, born, bsn, "
             "telephone, address"},
        [TYPED_YOUTH_TWICE] = {"dit veld staat er twee keer", "this field stands there twice"},
        [TYPED_YOUTH_DATE] = {"dit is geen datum zoals 2013-04-17",
                              "this is no date such as 2013-04-17"},
        [TYPED_YOUTH_TOO_MANY] = {"er zijn te veel telefoonnummers",
                                  "there are too many telephone numbers"},
    };
    const char *dutch = cmd_fill(c, "%s, regel %zu: %s", c->youth, line, TEXTS[fault].dutch);
    const char *english = cmd_fill(c, "%s, line %zu: %s", c->youth, line, TEXTS[fault].english);
    return cmd_complain(c, EX_DATAERR, dutch, english);
}

static int read_youth(struct cmd *c, struct brug_youth *y)
{
    char *text = NULL;
    size_t line = 0;
    int status = cmd_read_text(c, c->youth, &text);
    if (status != EX_OK)
        return status;
    enum typed_youth_fault fault = typed_youth(text, y, &line);
    return fault == TYPED_YOUTH_FINE ? EX_OK : complain_of_youth(c, fault, line);
}

/* Options stand above the file. */
static int take_youth_options(struct cmd *c, struct brug_youth *y)
{
    y->name = c->name != NULL ? c->name : y->name;
    y->bsn = c->bsn != NULL ? c->bsn : y->bsn;
    y->address = c->address != NULL ? c->address : y->address;
    if (c->born != NULL && !typed_date(c->born, &y->born))
        return cmd_complain_of(c, EX_USAGE, "--born '%s' is geen datum zoals 2013-04-17",
                               "--born '%s' is no date such as 2013-04-17", c->born);
    if (c->telephones_n > BRUG_TELEPHONES_MAX)
        return cmd_complain(c, EX_USAGE, "er zijn te veel telefoonnummers",
                            "there are too many telephone numbers");
    for (size_t i = 0; c->telephones_n > 0 && i < BRUG_TELEPHONES_MAX; i++)
        y->telephones[i] = i < c->telephones_n ? c->telephones[i] : NULL;
    return EX_OK;
}

static int check_youth(const struct cmd *c, const struct brug_youth *y)
{
    if (y->name == NULL || y->name[0] == '\0')
        return cmd_complain(c, EX_USAGE,
                            "de naam van de jongere ontbreekt: --youth BESTAND of --name",
                            "the youth's name is missing: --youth FILE or --name");
    if (y->born == 0)
        return cmd_complain(c, EX_USAGE, "de geboortedatum ontbreekt: --youth BESTAND of --born",
                            "the birth date is missing: --youth FILE or --born");
    if (y->born > cmd_today())
        return cmd_complain(c, EX_DATAERR, "de geboortedatum ligt in de toekomst",
                            "the birth date lies in the future");
    if (typed_age(y->born, cmd_today()) >= AGE_MAX)
        return cmd_complain(c, EX_DATAERR, "Dit kanaal is voor jongeren tot 18 jaar.",
                            "This channel is for youths under 18.");
    if (y->bsn != NULL && y->bsn[0] != '\0' && !typed_bsn(y->bsn))
        return cmd_complain(c, EX_DATAERR, "het BSN klopt niet: negen cijfers, met de elfproef",
                            "the BSN is not right: nine digits that pass the eleven-test");
    return EX_OK;
}

int draft_take_referral(struct cmd *c, struct draft *draft)
{
    int status = take_codes(c, draft);
    if (status == EX_OK)
        status = take_moments(c, draft);
    if (status == EX_OK && c->linked != NULL)
        status = cmd_find_case(c, c->linked, &draft->d.linked_case);
    if (status == EX_OK && c->youth != NULL)
        status = read_youth(c, &draft->d.youth);
    if (status == EX_OK)
        status = take_youth_options(c, &draft->d.youth);
    return status == EX_OK ? check_youth(c, &draft->d.youth) : status;
}

/* ---- sending ---- */

static int ask_warning(const struct cmd *c, const char *dutch, const char *english)
{
    if (c->is_yes)
        return EX_OK;
    if (!cmd_has_terminal()) {
        int status = cmd_complain(c, EX_DATAERR, dutch, english);
        (void)fprintf(stderr, "      (%s)\n",
                      cmd_say(c, "met --yes gaat de brief toch weg",
                              "with --yes the letter is sent all the same"));
        return status;
    }
    (void)fprintf(stderr, "%s\n", cmd_say(c, dutch, english));
    return cmd_confirm(c, "Toch versturen?", "Send it all the same?")
               ? EX_OK
               : cmd_complain(c, EX_DATAERR, "niet verstuurd", "not sent");
}

/* After what the rules of the case say no to. */
static void print_next(struct cmd *c, const struct brug_id *case_id)
{
    const struct brug_case *item = cmd_case_of(c, case_id);
    const char *next = item == NULL ? "" : case_next_text(c, item);
    if (next[0] != '\0')
        (void)fprintf(stderr, "      %s %s\n", cmd_say(c, "U kunt nu:", "You can now:"), next);
}

int draft_fail(struct cmd *c, const struct draft *draft, int error)
{
    const char *text = case_refusal_text(c, error, &draft->d.case_id);
    if (text != NULL)
        return cmd_complain_named(c, cmd_status(error), brug_error_name(error), text);
    int status = cmd_fail(c, error);
    if (status == EX_UNAVAILABLE || error == BRUG_ROLE_NOT_ALLOWED)
        print_next(c, &draft->d.case_id);
    return status;
}

static int ask_warnings(struct cmd *c, const struct draft *draft)
{
    unsigned warnings = 0;
    int status = draft_fail(c, draft, brug_check_draft(c->brug, &draft->d, &warnings));
    if (status == EX_OK && (warnings & BRUG_WARNING_TURNS_18) != 0)
        status = ask_warning(c, "Deze jongere wordt binnen een half jaar 18.",
                             "This youth turns 18 within half a year.");
    if (status == EX_OK && (warnings & BRUG_WARNING_SECOND_CASE) != 0)
        status = ask_warning(
            c, "Over deze jongere loopt hier al een casus. Met `brug find` vindt u die.",
            "There is a case of this youth here already. `brug find` finds it.");
    return status;
}

static int report(struct cmd *c, int64_t number)
{
    const struct brug_message *m = NULL;
    int status = cmd_message(c, number, &m);
    if (status != EX_OK)
        return status;
    bool is_refused = m->state == BRUG_MESSAGE_REFUSED;
    if (c->is_json)
        status = cmd_print_json(c, cmd_json_message(c, m));
    else
        cmd_print_message_row(c, m);
    return status == EX_OK && is_refused ? cmd_status(m->error) : status;
}

int draft_post(struct cmd *c, struct draft *draft, int64_t *number)
{
    struct brug_sent sent;
    int status = ask_warnings(c, draft);
    if (status == EX_OK)
        status = draft_fail(c, draft, brug_send(c->brug, &draft->d, &sent));
    if (status == EX_OK)
        *number = sent.number;
    return status;
}

int draft_wait(struct cmd *c)
{
    bool reached = false;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms);
    if (status == EX_OK && timeout_ms > 0 && !c->is_offline)
        status = cmd_wait(c, BRUG_UNTIL_SENT, timeout_ms, &reached);
    if (status == EX_OK && reached) /* whose case it is now; later, if not at once */
        status = cmd_wait(c, BRUG_UNTIL_CASES, CASES_MS, &reached);
    return status;
}

int draft_send(struct cmd *c, struct draft *draft)
{
    int64_t number = 0;
    int timeout_ms = 0;
    int status =
        cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms); /* before anything is stored */
    if (status == EX_OK)
        status = draft_post(c, draft, &number);
    if (status == EX_OK)
        status = draft_wait(c);
    return status == EX_OK ? report(c, number) : status;
}
