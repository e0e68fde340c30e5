/*
 * base/log.c: one event, one line, one write.
 *
 * A line longer than LINE_BYTES is cut. A control character that slipped into a field is shown as '?',
 * so that no value can begin a line of its own. A failed write is not reported: there is nowhere left.
 */
#include "base/log.h"
#include "base/clock.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 2048

static _Atomic int level_shown = LOG_INFO;

void log_set_level(enum log_level level) { atomic_store(&level_shown, (int)level); }

/* What snprintf wrote into `room` bytes, when it returned `wanted`. */
static size_t written(int wanted, size_t room)
{
    if (wanted < 0 || room == 0)
        return 0;
    return (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static size_t write_head(char *line, enum log_level level, const char *event)
{
    char now[CLOCK_TEXT_BYTES];
    int wanted;
    if (getenv("JOURNAL_STREAM"))
        wanted = snprintf(line, LINE_BYTES, "<%d>%s", (int)level, event);
    else
        wanted =
            snprintf(line, LINE_BYTES, "%s %s", clock_to_text(clock_now().wall_ms, now), event);
    return written(wanted, LINE_BYTES);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_BYTES];
    int errno_before = errno;
    if ((int)level > atomic_load(&level_shown))
        return;
    size_t len = write_head(line, level, event);
    if (format[0] != '\0' && LINE_BYTES - len > 2) {
        line[len++] = ' ';
        va_list fields;
        va_start(fields, format);
        len += written(vsnprintf(line + len, LINE_BYTES - len, format, fields), LINE_BYTES - len);
        va_end(fields);
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
    errno = errno_before;
}

char *log_quote(struct slice s, char *out, size_t out_len)
{
    static const char HEX[] = "0123456789abcdef";
    size_t used = 0;
    if (out_len < 3) {
        if (out_len > 0)
            out[0] = '\0';
        return out;
    }
    out[used++] = '"';
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = s.data[i];
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        if (out_len - used < (plain ? 1U : 4U) + 2U) /* and the closing quote and the NUL */
            break;
        if (plain) {
            out[used++] = (char)byte;
        } else {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = HEX[byte >> 4];
            out[used++] = HEX[byte & 15];
        }
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
