/* client/cmd/typed.c: dates, moments, youth files and other typed words (see typed.h). */
#include "client/cmd/typed.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define YEAR_MIN 1900u
#define YEAR_MAX 2999u

/* Takes digits off the front; false when there is none or there are more than digits_max. */
static bool take_digits(const char **at, size_t digits_max, uint32_t *out, size_t *digits)
{
    uint32_t value = 0;
    size_t n = 0;
    for (; isdigit((unsigned char)(*at)[n]); n++) {
        if (n == digits_max)
            return false;
        value = value * 10 + (uint32_t)((*at)[n] - '0');
    }
    *at += n;
    *out = value;
    *digits = n;
    return n > 0;
}

static bool take_separator(const char **at, char *separator)
{
    if (**at == '\0' || strchr("-/.", **at) == NULL || (*separator != 0 && **at != *separator))
        return false;
    *separator = *(*at)++;
    return true;
}

static bool is_leap(uint32_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static bool is_day(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12)
        return false;
    return day >= 1 && day <= DAYS[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

bool typed_date(const char *text, uint32_t *out)
{
    uint32_t parts[3];
    size_t digits[3];
    char separator = 0;
    for (size_t i = 0; i < 3; i++)
        if ((i > 0 && !take_separator(&text, &separator)) ||
            !take_digits(&text, 4, &parts[i], &digits[i]))
            return false;
    if (*text != '\0' || digits[1] > 2)
        return false;
    size_t year = digits[0] == 4 ? 0 : 2;
    size_t day = 2 - year;
    if (digits[year] != 4 || digits[day] > 2 || !is_day(parts[year], parts[1], parts[day]))
        return false;
    *out = parts[year] * 10000 + parts[1] * 100 + parts[day];
    return true;
}

/* yyyymmdd as a number counts a birthday as reached exactly from that day on. */
unsigned typed_age(uint32_t born, uint32_t today)
{
    return today <= born ? 0 : (today - born) / 10000;
}

bool typed_bsn(const char *text)
{
    return strlen(text) == 9 && strspn(text, "0123456789") == 9 && text_has_bsn(slice_text(text));
}

bool typed_number(const char *text, uint32_t max, uint32_t *out)
{
    uint32_t value;
    size_t digits;
    if (!take_digits(&text, 9, &value, &digits) || *text != '\0' || value > max)
        return false;
    *out = value;
    return true;
}

bool typed_moment(const char *text, struct brug_moment *out)
{
    struct brug_moment m = {0};
    if (strncmp(text, "date:", 5) == 0) {
        m.event = BRUG_MOMENT_DATE;
        if (!typed_date(text + 5, &m.date))
            return false;
    } else if (strncmp(text, "after:", 6) == 0) {
        m.event = BRUG_MOMENT_AFTER_CONVERSATIONS;
        if (!typed_number(text + 6, 99, &m.conversations) || m.conversations == 0)
            return false;
    } else if (strcmp(text, "first-conversation") == 0) {
        m.event = BRUG_MOMENT_FIRST_CONVERSATION;
    } else if (strcmp(text, "waiting-list") == 0) {
        m.event = BRUG_MOMENT_WAITING_LIST;
    } else if (strcmp(text, "change-of-director") == 0) {
        m.event = BRUG_MOMENT_CHANGE_OF_DIRECTOR;
    } else {
        return false;
    }
    *out = m;
    return true;
}

bool typed_relay(const char *text, char *host, size_t host_bytes, unsigned *port)
{
    const char *colon = strrchr(text, ':');
    uint32_t number;
    if (colon == NULL || !typed_number(colon + 1, 65535, &number) || number == 0)
        return false;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[') {
        if (len < 3 || text[len - 1] != ']')
            return false;
        text++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return false;
    }
    if (len == 0 || len >= host_bytes)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    *port = number;
    return true;
}

enum typed_refusal typed_reason(const char *text)
{
    static const char *const SERIOUS[] = {"serious", "ernst", "crisis", "suicid", "zelfdoding",
                                          "acute",   "acuut", "danger", "gevaar"};
    static const char *const SPECIALIST[] = {"specialis",   "2e-lijn",     "2e lijn",
                                             "tweede lijn", "tweede-lijn", "tweedelijn",
                                             "diagnos",     "behandel",    "treatment"};
    for (size_t i = 0; i < sizeof SERIOUS / sizeof SERIOUS[0]; i++)
        if (strcasestr(text, SERIOUS[i]) != NULL)
            return TYPED_SERIOUS;
    for (size_t i = 0; i < sizeof SPECIALIST / sizeof SPECIALIST[0]; i++)
        if (strcasestr(text, SPECIALIST[i]) != NULL)
            return TYPED_SPECIALIST;
    return TYPED_ALLOWED;
}

/* ---- a youth's file ---- */

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

static bool is_key(const char *key, const char *dutch, const char *english)
{
    return strcasecmp(key, dutch) == 0 || strcasecmp(key, english) == 0;
}

static enum typed_youth_fault put_once(const char **field, const char *value)
{
    if (*field != NULL)
        return TYPED_YOUTH_TWICE;
    *field = value;
    return TYPED_YOUTH_FINE;
}

static enum typed_youth_fault put_born(struct brug_youth *y, const char *value)
{
    if (y->born != 0)
        return TYPED_YOUTH_TWICE;
    return typed_date(value, &y->born) ? TYPED_YOUTH_FINE : TYPED_YOUTH_DATE;
}

static enum typed_youth_fault put_telephone(struct brug_youth *y, const char *value)
{
    for (size_t i = 0; i < BRUG_TELEPHONES_MAX; i++)
        if (y->telephones[i] == NULL) {
            y->telephones[i] = value;
            return TYPED_YOUTH_FINE;
        }
    return TYPED_YOUTH_TOO_MANY;
}

static enum typed_youth_fault take_youth_line(char *line, struct brug_youth *y)
{
    char *colon = strchr(line, ':');
    if (colon == NULL)
        return TYPED_YOUTH_NO_COLON;
    *colon = '\0';
    const char *key = trim(line), *value = trim(colon + 1);
    if (is_key(key, "naam", "name"))
        return put_once(&y->name, value);
    if (is_key(key, "geboren", "born"))
        return put_born(y, value);
    if (is_key(key, "bsn", "bsn"))
        return put_once(&y->bsn, value);
    if (is_key(key, "adres", "address"))
        return put_once(&y->address, value);
    if (is_key(key, "telefoon", "telephone"))
        return put_telephone(y, value);
    return TYPED_YOUTH_UNKNOWN_KEY;
}

enum typed_youth_fault typed_youth(char *text, struct brug_youth *out, size_t *line)
{
    struct brug_youth y = {0};
    size_t number = 0;
    for (char *rest = text; rest != NULL;) {
        char *here = strsep(&rest, "\n");
        number++;
        here = trim(here);
        if (here[0] == '\0' || here[0] == '#')
            continue;
        enum typed_youth_fault fault = take_youth_line(here, &y);
        if (fault != TYPED_YOUTH_FINE) {
            *line = number;
            return fault;
        }
    }
    *out = y;
    return TYPED_YOUTH_FINE;
}
