/*
 * client/cmd/enrol.c: init (one file out, one file back, one code by telephone) and whoami.
 *
 * Happy path: init --invitation writes a request; the operator answers with a file; init --answer shows a code; when the
 * operator reads the same one by telephone, the profile is ready. Each step may be repeated until the last one.
 */
#include "client/cmd/cmd.h"

#include "client/cmd/typed.h"

#include <stdlib.h>
#include <string.h>

static const char *const STATES[] = {"empty", "requested", "answered", "ready"};

static json_t *json_state(enum brug_state state) { return json_string(STATES[state]); }

/* ---- init --invitation ---- */

static int say_requested(struct cmd *c)
{
    bool is_file = c->out != NULL && strcmp(c->out, "-") != 0;
    const char *what = is_file ? c->out : cmd_say(c, "de aanvraag hierboven", "the request above");
    (void)fflush(stdout);
    (void)fprintf(stderr,
                  cmd_say(c,
                          "De sleutels zijn gemaakt, in %s.\n"
                          "Stuur %s naar de beheerder. Komt het antwoord terug, doe dan:\n"
                          "  brug init --answer BESTAND\n",
                          "The keys were made, in %s.\n"
                          "Send %s to the operator. When the answer comes back, do:\n"
                          "  brug init --answer FILE\n"),
                  brug_directory_path(c->brug), what);
    return EX_OK;
}

static int request(struct cmd *c)
{
    char *invitation = NULL, *text = NULL;
    struct brug_init_options options = {.recovery = c->is_recovery};
    int status = cmd_read_text(c, c->invitation, &invitation);
    if (status != EX_OK)
        return status;
    int e = brug_init(c->brug, invitation, &options, &text);
    if (e == BRUG_EXISTS)
        return cmd_complain_of(
            c, EX_CANTCREAT,
            "%s is al aangemeld of wacht op een ander antwoord; kies met --profile "
            "een andere map",
            "%s is enrolled already or waits for another answer; choose another "
            "directory with --profile",
            brug_directory_path(c->brug));
    if (e != BRUG_OK)
        return cmd_fail(c, e);
    bool is_file = c->out != NULL && strcmp(c->out, "-") != 0;
    status = is_file || !c->is_json ? cmd_write(c, c->out, text, strlen(text)) : EX_OK;
    if (status == EX_OK && c->is_json)
        status = cmd_print_json(
            c, json_pack("{s:o, s:s, s:o}", "state", json_state(BRUG_STATE_REQUESTED), "profile",
                         brug_directory_path(c->brug), "request", cmd_json_text(text)));
    brug_free(text);
    return status == EX_OK && !c->is_json ? say_requested(c) : status;
}

/* ---- init --answer, --code ---- */

static int say_ready(struct cmd *c)
{
    struct brug_identity me;
    int e = brug_identity(c->brug, &me);
    if (e != BRUG_OK)
        return cmd_fail(c, e);
    if (c->is_json)
        return cmd_print_json(c, json_pack("{s:o, s:o}", "state", json_state(BRUG_STATE_READY),
                                           "endpoint", cmd_json_id(&me.endpoint)));
    (void)printf(cmd_say(c, "Klaar: aangemeld als %s.\n", "Ready: enrolled as %s.\n"),
                 cmd_clean(c, me.person_name[0] != '\0' ? me.person_name : me.organisation_name));
    if (me.recovery)
        (void)printf(cmd_say(c,
                             "Dit is een herstelsleutel. Bewaar de map %s veilig, buiten deze "
                             "computer.\n",
                             "This is a recovery entry. Keep the directory %s safe, away from this "
                             "computer.\n"),
                     brug_directory_path(c->brug));
    else
        (void)printf("%s\n", cmd_say(c, "Haal nu op wat er is: brug sync",
                                     "Now fetch what there is: brug sync"));
    return EX_OK;
}

static int confirm_code(struct cmd *c, const char *code)
{
    int e = brug_enrol_confirm(c->brug, code);
    if (e == BRUG_NOT_BELIEVED)
        return cmd_complain(c, EX_NOPERM,
                            "de codes zijn niet gelijk. Gebruik dit antwoord niet, en bel de "
                            "beheerder",
                            "the codes differ. Do not use this answer, and call the operator");
    return e == BRUG_OK ? say_ready(c) : cmd_fail(c, e);
}

static int say_code(struct cmd *c, const char *code)
{
    if (c->is_json)
        return cmd_print_json(
            c, json_pack("{s:o, s:s}", "state", json_state(BRUG_STATE_ANSWERED), "code", code));
    (void)printf("%s %s\n", cmd_say(c, "Uw code is:", "Your code is:"), code);
    if (cmd_has_terminal() &&
        cmd_confirm(c, "Bel de beheerder. Leest die dezelfde code voor?",
                    "Call the operator. Does the operator read the same code to you?"))
        return confirm_code(c, code);
    (void)printf(
        "%s\n  brug init --code CODE\n",
        cmd_say(c,
                "Bel de beheerder, en laat die de code voorlezen. Doe dan, met de code die "
                "u hoort:",
                "Call the operator, and have the code read to you. Then do, with the code "
                "that you hear:"));
    return EX_OK;
}

static int set_relay(struct cmd *c)
{
    char host[256];
    unsigned port;
    if (c->relay == NULL)
        return EX_OK;
    if (!typed_relay(c->relay, host, sizeof host, &port))
        return cmd_complain_of(c, EX_USAGE, "--relay is HOST:POORT, niet '%s'",
                               "--relay is HOST:PORT, not '%s'", c->relay);
    return cmd_fail(c, brug_set_relay(c->brug, host, port));
}

static int answered(struct cmd *c, enum brug_state state)
{
    char *answer = NULL;
    char code[BRUG_COMPARE_BYTES];
    int status = c->answer == NULL ? EX_OK : cmd_read_text(c, c->answer, &answer);
    if (status == EX_OK)
        status = cmd_fail(c, answer == NULL ? brug_enrol_code(c->brug, code)
                                            : brug_enrol(c->brug, answer, code));
    if (status == EX_OK)
        status = set_relay(c);
    if (status != EX_OK)
        return status;
    return c->code != NULL ? confirm_code(c, c->code) : say_code(c, code);
}

int cmd_init(struct cmd *c)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    if (c->invitation != NULL && (c->answer != NULL || c->code != NULL || c->relay != NULL))
        return cmd_complain(c, EX_USAGE,
                            "eerst `brug init --invitation`, en pas met het antwoord de rest",
                            "first `brug init --invitation`, and the rest once there is an answer");
    int status = cmd_fail(c, brug_open(c->brug, &state));
    if (status != EX_OK)
        return status;
    if (c->invitation != NULL)
        return request(c);
    if (c->answer != NULL || state == BRUG_STATE_ANSWERED)
        return answered(c, state);
    if (state == BRUG_STATE_READY && c->relay != NULL && c->code == NULL)
        return set_relay(c);
    if (state == BRUG_STATE_READY)
        return say_ready(c);
    return state == BRUG_STATE_EMPTY
               ? cmd_complain(c, EX_USAGE,
                              "geef de uitnodiging van de beheerder: --invitation BESTAND",
                              "give the operator's invitation: --invitation FILE")
               : cmd_complain(c, EX_USAGE, "geef het antwoord van de beheerder: --answer BESTAND",
                              "give the operator's answer: --answer FILE");
}

/* ---- whoami ---- */

static int print_identity_json(struct cmd *c, enum brug_state state, const struct brug_identity *me,
                               const struct brug_connection *link)
{
    if (state != BRUG_STATE_READY)
        return cmd_print_json(c, json_pack("{s:o, s:s}", "state", json_state(state), "profile",
                                           brug_directory_path(c->brug)));
    return cmd_print_json(
        c, json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:s, s:o, s:i, s:o}",
                     "state", json_state(state), "profile", brug_directory_path(c->brug),
                     "municipality", cmd_json_id(&me->municipality), "organisation",
                     cmd_json_id(&me->organisation), "organisation_name",
                     cmd_json_text(me->organisation_name), "person", cmd_json_id(&me->person),
                     "person_name", cmd_json_text(me->person_name), "endpoint",
                     cmd_json_id(&me->endpoint), "role", brug_list_word(BRUG_LIST_ROLE, me->role),
                     "recovery", (int)me->recovery, "fingerprint", me->fingerprint, "relay_host",
                     cmd_json_text(me->relay_host), "relay_port", (int)me->relay_port,
                     "last_connected_at", cmd_json_time(link->welcome_at_ms)));
}

static void print_identity(struct cmd *c, const struct brug_identity *me,
                           const struct brug_connection *link)
{
    char time[CMD_TIME_BYTES];
    cmd_print_field(c, "Naam", "Name", me->person_name);
    cmd_print_field(c, "Organisatie", "Organisation", me->organisation_name);
    cmd_print_field(c, "Rol", "Role",
                    me->recovery ? cmd_say(c, "herstelsleutel", "recovery entry")
                                 : brug_list_text(BRUG_LIST_ROLE, me->role, c->language));
    cmd_print_field(c, "Vingerafdruk", "Fingerprint", me->fingerprint);
    cmd_print_field(c, "Map", "Directory", brug_directory_path(c->brug));
    cmd_print_field(c, "Relay", "Relay", cmd_fill(c, "%s:%u", me->relay_host, me->relay_port));
    cmd_print_field(c, "Verbonden", "Connected",
                    link->welcome_at_ms == 0 ? cmd_say(c, "nog nooit", "never yet")
                                             : cmd_time(link->welcome_at_ms, time));
}

int cmd_whoami(struct cmd *c)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    struct brug_identity me = {0};
    struct brug_connection link = {0};
    int status = cmd_fail(c, brug_open(c->brug, &state));
    if (status == EX_OK && state != BRUG_STATE_READY && !c->is_json)
        return cmd_need_ready(c);
    if (status == EX_OK && state == BRUG_STATE_READY)
        status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status == EX_OK && state == BRUG_STATE_READY && !me.recovery)
        status = cmd_fail(c, brug_connection(c->brug, &link));
    if (status != EX_OK)
        return status;
    if (c->is_json)
        return print_identity_json(c, state, &me, &link);
    print_identity(c, &me, &link);
    return EX_OK;
}
