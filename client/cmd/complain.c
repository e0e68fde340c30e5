/* client/cmd/complain.c: what goes wrong, as sentences on standard error and as an exit status. */
#include "client/cmd/cmd.h"

#include <stdlib.h>
#include <string.h>

const char *cmd_say(const struct cmd *c, const char *dutch, const char *english)
{
    return c->language == BRUG_ENGLISH ? english : dutch;
}

static void print_json_complaint(const struct cmd *c, const char *name, const char *text)
{
    if (!c->is_json)
        return;
    json_t *message = cmd_json_text(text);
    json_t *j = json_pack("{s:s, s:o}", "error", name, "message", message);
    (void)cmd_print_json(c, j); /* the complaint itself stands on standard error */
}

static const char *status_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } NAMES[] = {
        {EX_USAGE, "USAGE"},     {EX_DATAERR, "DATA"},       {EX_NOINPUT, "NO_INPUT"},
        {EX_CONFIG, "CONFIG"},   {EX_CANTCREAT, "EXISTS"},   {EX_IOERR, "IO"},
        {EX_OSERR, "NO_MEMORY"}, {EX_NOPERM, "NOT_ALLOWED"}, {EX_TEMPFAIL, "TRY_AGAIN"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (NAMES[i].status == status)
            return NAMES[i].name;
    return "FAILED";
}

int cmd_complain_named(const struct cmd *c, int status, const char *name, const char *text)
{
    (void)fflush(stdout); /* so that both streams stand in order on a terminal */
    (void)fprintf(stderr, "brug: %s\n", text);
    print_json_complaint(c, name, text);
    return status;
}

int cmd_complain(const struct cmd *c, int status, const char *dutch, const char *english)
{
    return cmd_complain_named(c, status, status_name(status), cmd_say(c, dutch, english));
}

int cmd_complain_of(const struct cmd *c, int status, const char *dutch, const char *english,
                    const char *word)
{
    const char *text = cmd_say(c, dutch, english);
    const char *hole = strstr(text, "%s");
    size_t before = hole == NULL ? strlen(text) : (size_t)(hole - text);
    char *filled = NULL;
    if (asprintf(&filled, "%.*s%s%s", (int)before, text, hole == NULL ? "" : word,
                 hole == NULL ? "" : hole + 2) < 0)
        return cmd_no_memory(c);
    status = cmd_complain(c, status, filled, filled);
    free(filled);
    return status;
}

int cmd_no_memory(const struct cmd *c)
{
    return cmd_complain(c, EX_OSERR, "er is te weinig geheugen", "out of memory");
}

int cmd_fail(struct cmd *c, int error)
{
    if (error == BRUG_OK)
        return EX_OK;
    const char *sentence = brug_error_sentence(error, c->language);
    const char *line = c->brug == NULL ? "" : cmd_clean(c, brug_last_error(c->brug));
    (void)fflush(stdout);
    (void)fprintf(stderr, "brug: %s\n", sentence);
    if (line[0] != '\0')
        (void)fprintf(stderr, "      (%s: %s)\n", brug_error_name(error), line);
    print_json_complaint(c, brug_error_name(error), line[0] == '\0' ? sentence : line);
    return cmd_status(error);
}

int cmd_status(int error)
{
    switch (error) {
    case BRUG_OK:
        return EX_OK;
    case BRUG_USAGE:
    case BRUG_ID_MALFORMED:
    case BRUG_CODE_UNKNOWN:
    case BRUG_CODE_MISSING:
    case BRUG_FIELD_NOT_ALLOWED:
    case BRUG_MESSAGE_TOO_LARGE:
    case BRUG_LETTER_PROFILE:
    case BRUG_LETTER_NOT_FOR_ME:
    case BRUG_LETTER_DECRYPT:
    case BRUG_LETTER_SIGNATURE:
    case BRUG_LETTER_SIGNER:
    case BRUG_LETTER_HEADER:
    case BRUG_LETTER_CONTENT:
        return EX_DATAERR;
    case BRUG_NOT_FOUND:
    case BRUG_UNKNOWN_ADDRESSEE:
    case BRUG_NO_SUCH_CASE:
    case BRUG_NO_SUCH_MESSAGE:
    case BRUG_NO_SUCH_OBJECT:
        return EX_NOINPUT;
    case BRUG_PERMISSION:
    case BRUG_CONFIRM:
    case BRUG_NOT_BELIEVED:
    case BRUG_ROLE_NOT_ALLOWED:
    case BRUG_NOT_ENROLLED:
    case BRUG_SUSPENDED:
    case BRUG_TLS_REVOKED:
    case BRUG_TLS_EXPIRED:
        return EX_NOPERM;
    case BRUG_EXISTS:
        return EX_CANTCREAT;
    case BRUG_CONFIG:
        return EX_CONFIG;
    case BRUG_IO:
        return EX_IOERR;
    case BRUG_NO_MEMORY:
        return EX_OSERR;
    case BRUG_LOCKED:
        return EX_TEMPFAIL;
    case BRUG_CORRUPT:
    case BRUG_STORE_FORMAT:
    case BRUG_CRYPTO:
    case BRUG_BOUND:
        return EX_SOFTWARE;
    default:
        return brug_error_is_passing(error) ? EX_TEMPFAIL : EX_UNAVAILABLE;
    }
}
