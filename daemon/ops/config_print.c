/*
 * daemon/ops/config_print.c: the settings in force with where each comes from, and the sample file. Both
 * can be read again as a file of settings.
 */
#include "daemon/ops/config.h"
#include "daemon/ops/config_table.h"
#include <stdio.h>
#include <string.h>

#define SENTENCE_WIDTH 96

static enum error append_text(struct buf *out, const char *text)
{
    return buf_append_slice(out, slice_text(text));
}

/* As it can be read again; text in quotes. */
static enum error append_value(struct buf *out, enum setting_type type, const char *text)
{
    bool is_quoted = type == SETTING_TEXT || type == SETTING_PATH;
    enum error e = is_quoted ? buf_append_u8(out, '"') : ERROR_NONE;
    for (const char *p = text; !e && *p; p++) {
        if (*p == '"' || *p == '\\' || *p == '$') /* a '$' would be a variable of the environment */
            e = buf_append_u8(out, '\\');
        if (!e)
            e = buf_append_u8(out, (uint8_t)*p);
    }
    return e || !is_quoted ? e : buf_append_u8(out, '"');
}

static enum error append_setting(struct buf *out, const struct setting *s, const char *text)
{
    enum error e = append_text(out, s->key);
    if (!e)
        e = append_text(out, " = ");
    return e ? e : append_value(out, s->type, text);
}

static enum error append_source(const struct config *c, struct buf *out, unsigned line)
{
    char number[16];
    if (!line)
        return append_text(out, "   # default\n");
    (void)snprintf(number, sizeof number, ":%u\n", line);
    enum error e = append_text(out, "   # ");
    if (!e)
        e = append_text(out, c->path);
    return e ? e : append_text(out, number);
}

enum error config_print(const struct config *c, struct buf *out)
{
    enum error e = ERROR_NONE;
    for (size_t i = 0; !e && i < SETTINGS_COUNT; i++) {
        e = append_setting(out, &SETTINGS[i], c->values[i].text);
        if (!e)
            e = append_source(c, out, c->values[i].line);
    }
    return e;
}

/* "# " and the sentence, broken into lines. */
static enum error append_sentence(struct buf *out, const char *sentence)
{
    enum error e = ERROR_NONE;
    while (!e && *sentence) {
        size_t len = strlen(sentence);
        if (len > SENTENCE_WIDTH)
            for (len = SENTENCE_WIDTH; len > 0 && sentence[len] != ' '; len--)
                ;
        e = append_text(out, "# ");
        if (!e)
            e = buf_append(out, sentence, len);
        if (!e)
            e = append_text(out, "\n");
        sentence += len;
        sentence += *sentence == ' ';
    }
    return e;
}

static enum error append_bounds(struct buf *out, const struct setting *s)
{
    char line[64];
    if (s->type != SETTING_NUMBER)
        return ERROR_NONE;
    (void)snprintf(line, sizeof line, "# From %lld to %lld.\n", (long long)s->min,
                   (long long)s->max);
    return append_text(out, line);
}

enum error config_print_sample(struct buf *out)
{
    enum error e = append_text(
        out,
        "# Settings of brugd: one `key = value` a line; what is commented out is the default.\n"
        "# `brugd --check-config` says what is in force. Made by `brugd --print-sample-config`.\n");
    for (size_t i = 0; !e && i < SETTINGS_COUNT; i++) {
        e = append_text(out, "\n");
        if (!e)
            e = append_sentence(out, SETTINGS[i].sentence);
        if (!e)
            e = append_bounds(out, &SETTINGS[i]);
        if (!e)
            e = append_text(out, "# ");
        if (!e)
            e = append_setting(out, &SETTINGS[i], SETTINGS[i].fallback);
        if (!e)
            e = append_text(out, "\n");
    }
    return e;
}
