/* client/cmd/output.c: texts, times and JSON as the commands print them, and the memory that they live in. */
#include "client/cmd/cmd.h"

#include "base/clock.h"
#include "base/text.h"
#include "client/cmd/clean.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- memory ---- */

struct cmd_kept {
    struct cmd_kept *next;
    void *memory;
    cmd_release_cb release;
};

void *cmd_keep(struct cmd *c, void *memory, cmd_release_cb release)
{
    struct cmd_kept *kept = memory == NULL ? NULL : malloc(sizeof *kept);
    if (kept == NULL) {
        release(memory);
        return NULL;
    }
    *kept = (struct cmd_kept){c->kept, memory, release};
    c->kept = kept;
    return memory;
}

void cmd_forget(struct cmd *c)
{
    while (c->kept != NULL) {
        struct cmd_kept *kept = c->kept;
        c->kept = kept->next;
        kept->release(kept->memory);
        free(kept);
    }
}

const char *cmd_fill(struct cmd *c, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    text = n < 0 ? NULL : cmd_keep(c, text, free);
    return text == NULL ? "" : text;
}

/* ---- text ---- */

static const char *cleaned(struct cmd *c, const char *text, bool lines)
{
    char *clean = cmd_keep(c, malloc(strlen(text) + 1), free);
    if (clean == NULL)
        return "?";
    clean_text(text, lines, clean);
    return clean;
}

const char *cmd_clean(struct cmd *c, const char *text)
{
    return text == NULL ? "" : cleaned(c, text, false);
}

void cmd_print_text(struct cmd *c, FILE *to, const char *text)
{
    const char *clean = cleaned(c, text, true);
    size_t len = strlen(clean);
    (void)fprintf(to, "%s%s", clean, len > 0 && clean[len - 1] != '\n' ? "\n" : "");
}

int cmd_width(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void cmd_print_field(struct cmd *c, const char *dutch, const char *english, const char *value)
{
    const char *name = cmd_say(c, dutch, english);
    if (value != NULL && value[0] != '\0')
        (void)printf("%s%*s %s\n", name, 14 - cmd_width(name), "", cmd_clean(c, value));
}

/* ---- times ---- */

char *cmd_time(int64_t ms, char out[CMD_TIME_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (ms <= 0 || localtime_r(&seconds, &tm) == NULL ||
        strftime(out, CMD_TIME_BYTES, "%d-%m-%Y %H:%M", &tm) == 0)
        (void)snprintf(out, CMD_TIME_BYTES, "-");
    return out;
}

char *cmd_date(uint32_t yyyymmdd, char out[CMD_TIME_BYTES])
{
    (void)snprintf(out, CMD_TIME_BYTES, "%02u-%02u-%04u", yyyymmdd % 100, yyyymmdd / 100 % 100,
                   yyyymmdd / 10000);
    return out;
}

uint32_t cmd_today(void)
{
    time_t seconds = (time_t)(clock_now().wall_ms / 1000);
    struct tm tm;
    if (localtime_r(&seconds, &tm) == NULL)
        return 0;
    return (uint32_t)(tm.tm_year + 1900) * 10000 + (uint32_t)(tm.tm_mon + 1) * 100 +
           (uint32_t)tm.tm_mday;
}

/* ---- JSON ---- */

/* Only ASCII leaves: no escape sequence and no mark of direction in a letter reaches a terminal this way. */
int cmd_print_json(const struct cmd *c, json_t *j)
{
    if (j == NULL) /* complained of without JSON, which there is no memory for */
        return cmd_complain(&(struct cmd){.language = c->language}, EX_OSERR,
                            "er is te weinig geheugen", "out of memory");
    int failed = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    json_decref(j);
    return failed == 0 && putchar('\n') != EOF ? EX_OK : EX_IOERR;
}

json_t *cmd_json_text(const char *text)
{
    json_t *j = json_string(text == NULL ? "" : text);
    char *clean = j != NULL ? NULL : malloc(strlen(text) + 1);
    if (clean != NULL) { /* it was no UTF-8 */
        clean_text(text, true, clean);
        j = json_string(clean);
        free(clean);
    }
    return j;
}

json_t *cmd_json_id(const struct brug_id *id)
{
    char text[BRUG_ID_TEXT_BYTES];
    return brug_id_is_none(id) ? json_null() : json_string(brug_id_text(id, text));
}

json_t *cmd_json_time(int64_t ms)
{
    char text[CLOCK_TEXT_BYTES];
    return ms == 0 ? json_null() : json_string(clock_to_text(ms, text));
}

json_t *cmd_json_date(uint32_t yyyymmdd)
{
    return yyyymmdd == 0 ? json_null()
                         : json_sprintf("%04u-%02u-%02u", yyyymmdd / 10000, yyyymmdd / 100 % 100,
                                        yyyymmdd % 100);
}

json_t *cmd_json_bytes(const void *data, size_t len)
{
    struct buf lines;
    buf_init(&lines, 2u * CMD_FILE_BYTES_MAX);
    json_t *j = NULL;
    char *text = NULL;
    if (text_base64(&lines, slice_of(data, len)) == ERROR_NONE)
        text = malloc(lines.len + 1);
    if (text != NULL) {
        size_t n = 0;
        for (size_t i = 0; i < lines.len; i++)
            if (lines.data[i] != '\n')
                text[n++] = (char)lines.data[i];
        j = json_stringn(text, n);
    }
    free(text);
    buf_fini(&lines);
    return j;
}
