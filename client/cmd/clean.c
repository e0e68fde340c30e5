/* client/cmd/clean.c: text of others made harmless (see clean.h). */
#include "client/cmd/clean.h"

#include <stdint.h>
#include <string.h>

#define ENDING_BYTES_MAX 16

/* The next character of UTF-8 text: its value and length; length 0 for bytes that are none (RFC 3629). */
static size_t take_character(const char *text, uint32_t *value)
{
    const unsigned char *s = (const unsigned char *)text;
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (len == 4 && (s[0] & 0xf8) != 0xf0)
        return 0;
    uint32_t v = len == 1 ? s[0] : s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) /* the NUL at the end is none either */
            return 0;
        v = v << 6 | (s[i] & 0x3fu);
    }
    if (v < LEAST[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *value = v;
    return len;
}

static bool is_harmful(uint32_t v)
{
    return v < 0x20 || (v >= 0x7f && v < 0xa0) || v == 0x200e || v == 0x200f || v == 0x061c ||
           (v >= 0x2028 && v <= 0x202e) || (v >= 0x2066 && v <= 0x2069) || v == 0xfeff;
}

void clean_text(const char *text, bool lines, char *out)
{
    while (*text != '\0') {
        uint32_t v = 0;
        size_t len = take_character(text, &v);
        if (len == 1 && lines && v == '\r' && text[1] == '\n') {
            text++;
        } else if (len == 1 && (v == '\n' || v == '\t' || (v == '\r' && !lines))) {
            *out++ = lines ? *text : ' ';
            text++;
        } else if (len == 0 || is_harmful(v)) {
            *out++ = '?';
            text += len == 0 ? 1 : len;
        } else {
            memcpy(out, text, len);
            out += len;
            text += len;
        }
    }
    *out = '\0';
}

/* How many bytes of text fit into bytes_max without cutting a character. */
static size_t fitting(const char *text, size_t bytes_max)
{
    size_t len = strlen(text);
    if (len <= bytes_max)
        return len;
    while (bytes_max > 0 && ((unsigned char)text[bytes_max] & 0xc0) == 0x80)
        bytes_max--;
    return bytes_max;
}

/* Cuts in the middle: the ending says what kind of file it is. */
static void copy_cut(const char *name, char out[CLEAN_NAME_BYTES])
{
    const char *ending = strrchr(name, '.');
    if (ending == NULL || strlen(ending) > ENDING_BYTES_MAX)
        ending = "";
    size_t ending_len = strlen(ending);
    size_t body_len = strlen(name) - ending_len;
    size_t fits = fitting(name, CLEAN_NAME_BYTES - 1 - ending_len);
    body_len = body_len < fits ? body_len : fits;
    memcpy(out, name, body_len);
    memcpy(out + body_len, ending, ending_len + 1);
}

void clean_file_name(const char *name, const char *otherwise, char out[CLEAN_NAME_BYTES])
{
    char clean[4096];
    for (const char *p = name; *p != '\0'; p++)
        if (*p == '/' || *p == '\\')
            name = p + 1;
    name += strspn(name, ". \t-");
    size_t len = fitting(name, sizeof clean - 1);
    char start[sizeof clean];
    memcpy(start, name, len);
    start[len] = '\0';
    clean_text(start, false, clean);
    for (char *p = clean; *p != '\0'; p++)
        if (strchr("?*:<>|\"", *p) != NULL)
            *p = '_';
    len = strlen(clean);
    while (len > 0 && (clean[len - 1] == ' ' || clean[len - 1] == '.'))
        clean[--len] = '\0';
    copy_cut(len == 0 ? otherwise : clean, out);
}
