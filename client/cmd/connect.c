/*
 * client/cmd/connect.c: the profile and its connection, as all commands need them.
 *
 * One process has a profile's connection at a time. A command that finds it taken leaves the work to that process, and
 * the library sees in the store when it is done.
 */
#include "client/cmd/cmd.h"

#include "client/cmd/typed.h"

#include <string.h>

#define SLICE_MS 2000

int cmd_need_ready(struct cmd *c)
{
    enum brug_state state = BRUG_STATE_EMPTY;
    int e = brug_open(c->brug, &state);
    if (e != BRUG_OK)
        return cmd_fail(c, e);
    switch (state) {
    case BRUG_STATE_READY:
        return EX_OK;
    case BRUG_STATE_ANSWERED:
        return cmd_complain(
            c, EX_CONFIG,
            "vergelijk eerst de code met de beheerder, en doe dan: brug init --code CODE",
            "first compare the code with the operator, and then do: brug init --code CODE");
    case BRUG_STATE_REQUESTED:
        return cmd_complain(
            c, EX_CONFIG,
            "het antwoord van de beheerder is nog niet ingelezen: brug init --answer BESTAND",
            "the operator's answer was not read in yet: brug init --answer FILE");
    default:
        return cmd_complain_of(
            c, EX_CONFIG,
            "%s is nog niet aangemeld: vraag de beheerder om een uitnodiging, en "
            "doe dan: brug init --invitation BESTAND",
            "%s is not enrolled yet: ask the operator for an invitation, and then "
            "do: brug init --invitation FILE",
            brug_directory_path(c->brug));
    }
}

int cmd_wait_ms(const struct cmd *c, int default_seconds, int *out)
{
    uint32_t seconds = (uint32_t)default_seconds;
    if (c->wait != NULL && !typed_number(c->wait, CMD_WAIT_SECONDS_MAX, &seconds))
        return cmd_complain_of(c, EX_USAGE, "--wait is een aantal seconden, niet '%s'",
                               "--wait is a number of seconds, not '%s'", c->wait);
    *out = (int)seconds * 1000;
    return EX_OK;
}

/* Whether somebody must set something right first: waiting longer would only keep the person from knowing. */
static bool is_in_vain(struct cmd *c)
{
    struct brug_connection now = {0};
    return brug_connection(c->brug, &now) != BRUG_OK || now.is_hopeless ||
           (!now.is_connected && now.last_error == BRUG_SUSPENDED);
}

int cmd_wait(struct cmd *c, enum brug_until until, int timeout_ms, bool *reached)
{
    *reached = false;
    int e = brug_start(c->brug);
    if (e == BRUG_LOCKED)
        e = BRUG_OK;
    for (int left_ms = timeout_ms; e == BRUG_OK; left_ms -= SLICE_MS) {
        e = brug_wait(c->brug, until, left_ms < SLICE_MS ? left_ms : SLICE_MS, reached);
        if (*reached || left_ms <= SLICE_MS || is_in_vain(c))
            break;
    }
    return cmd_fail(c, e);
}

const char *cmd_offline_reason(struct cmd *c)
{
    struct brug_connection now = {0};
    if (brug_connection(c->brug, &now) != BRUG_OK)
        now.last_error = BRUG_IO;
    else if (!now.is_owner)
        return cmd_say(c, "Een ander proces van dit profiel heeft de verbinding.",
                       "Another process of this profile has the connection.");
    if (now.is_connected)
        return cmd_say(c, "De relay is bereikt, maar was niet op tijd klaar.",
                       "The relay was reached, but was not ready in time.");
    if (now.last_error == BRUG_OK || now.last_error == BRUG_IO)
        return cmd_say(c, "De relay is niet bereikt. Is er internet? Probeer het later opnieuw.",
                       "The relay was not reached. Is the network up? Try again later.");
    const char *sentence = brug_error_sentence(now.last_error, c->language);
    if (now.last_error > BRUG_TLS_WEAK || now.is_about_us)
        return sentence;
    return cmd_fill(c, cmd_say(c, "Over de relay: %s", "About the relay: %s"), sentence);
}

int cmd_offline_status(struct cmd *c)
{
    struct brug_connection now = {0};
    if (brug_connection(c->brug, &now) != BRUG_OK || now.is_connected ||
        now.last_error == BRUG_OK || now.last_error == BRUG_IO)
        return EX_TEMPFAIL;
    return cmd_status(now.last_error);
}

/* ---- the directory ---- */

static int64_t directory_time(struct cmd *c)
{
    struct brug_organisations *all = NULL;
    if (brug_organisations(c->brug, &all) != BRUG_OK)
        return 0;
    int64_t at_ms = all->fetched_at_ms;
    brug_organisations_free(all);
    return at_ms;
}

int cmd_refresh_directory(struct cmd *c)
{
    bool reached = false;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms);
    if (status == EX_OK)
        status = cmd_fail(c, brug_refresh_directory(c->brug));
    if (status == EX_OK)
        status = cmd_wait(c, BRUG_UNTIL_SYNCED, timeout_ms, &reached);
    c->directory = NULL; /* look again */
    if (status == EX_OK && !reached)
        status =
            cmd_complain_of(c, cmd_offline_status(c), "de lijst van teams is niet opgehaald: %s",
                            "the directory was not fetched: %s", cmd_offline_reason(c));
    return status;
}

int cmd_need_directory(struct cmd *c)
{
    struct brug_identity me;
    if (brug_identity(c->brug, &me) == BRUG_OK && me.recovery)
        return EX_OK; /* it never connects, and knows what a recovery file brought */
    return directory_time(c) == 0 ? cmd_refresh_directory(c) : EX_OK;
}

int cmd_find_organisation(struct cmd *c, const char *text, struct brug_id *out)
{
    int status = cmd_need_directory(c);
    if (status != EX_OK)
        return status;
    int e = brug_find_organisation(c->brug, text, out);
    if (e == BRUG_NOT_FOUND)
        return cmd_complain_of(
            c, EX_NOINPUT, "er is geen team of praktijk '%s'; `brug directory` noemt ze",
            "there is no team or practice '%s'; `brug directory` lists them", text);
    return cmd_fail(c, e);
}

int cmd_find_person(struct cmd *c, const struct brug_id *organisation, const char *text,
                    struct brug_id *out)
{
    const struct brug_organisation *o = cmd_organisation(c, organisation);
    size_t found = 0;
    if (brug_id_parse(out, text) == BRUG_OK)
        return EX_OK;
    for (size_t i = 0; o != NULL && i < o->persons_n; i++)
        if (strcasestr(o->persons[i].name, text) != NULL) {
            *out = o->persons[i].person;
            found++;
        }
    if (found == 1)
        return EX_OK;
    int status = found == 0
                     ? cmd_complain_of(c, EX_NOINPUT, "er is geen medewerker '%s'; kies uit:",
                                       "there is no person '%s'; choose one of:", text)
                     : cmd_complain_of(c, EX_NOINPUT, "'%s' past bij meer medewerkers; kies uit:",
                                       "'%s' fits more than one person; choose one of:", text);
    for (size_t i = 0; o != NULL && i < o->persons_n; i++)
        (void)fprintf(stderr, "  %s\n", cmd_clean(c, o->persons[i].name));
    return status;
}
