/* ctl/typed.c: ids, days and words as an operator types them. */
#include "ctl/ctl.h"
#include <string.h>
#include <strings.h>

#define DAY_BYTES sizeof "2026-07-01"
#define DAY_SECONDS 86400

int ctl_parse_id(const char *what, const char *text, struct id *out)
{
    if (text == NULL)
        return ctl_complain(EX_USAGE, "%s is missing; see brugctl --help", what);
    if (id_from_text(out, text) != ERROR_NONE)
        return ctl_complain(EX_USAGE,
                            "%s '%s' is not an id such as 01890a5d-ac96-774b-bcce-b302099a8057; "
                            "`brugctl … list` shows those that there are",
                            what, text);
    return EX_OK;
}

/* A day that there is comes back as it was typed: 31 September does not, nor does 2026-9-1. */
int ctl_parse_day(const char *what, const char *text, struct tm *out)
{
    struct tm day = {0};
    char again[DAY_BYTES] = "";
    if (strptime(text, "%Y-%m-%d", &day) != NULL && timegm(&day) >= 0 &&
        strftime(again, sizeof again, "%Y-%m-%d", &day) != 0 && strcmp(again, text) == 0) {
        *out = (struct tm){.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday};
        return EX_OK;
    }
    return ctl_complain(EX_USAGE, "%s '%s' is no date such as 2026-07-01", what, text);
}

int ctl_parse_date(const char *what, const char *text, uint32_t *out)
{
    struct tm day;
    int status = ctl_parse_day(what, text, &day);
    if (status == EX_OK)
        *out = (uint32_t)(timegm(&day) / DAY_SECONDS);
    return status;
}

int ctl_find_word(const ProtobufCEnumDescriptor *type, const char *word)
{
    char own[CTL_WORD_BYTES];
    for (unsigned i = 0; i < type->n_values; i++)
        if (strcasecmp(ctl_word(type, (uint32_t)type->values[i].value, own), word) == 0)
            return type->values[i].value;
    return 0;
}
