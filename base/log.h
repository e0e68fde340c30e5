/*
 * base/log.h: one line an event, on standard error; under systemd with its "<N>" priority prefix.
 *
 *     log_event(LOG_WARNING, "session.refused", "code=%s endpoint=%s", error_name(e), text);
 *
 * prints: `<4>session.refused code=SUSPENDED endpoint=…`. The event name is a fixed word from the code;
 * fields are key=value in English; a value that comes from outside is passed through log_quote first.
 * Never a body, a name of a youth, or a secret. The level is the one mutable global of the project.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

void log_set_level(enum log_level level);
/* With a time stamp for terminals (when standard error is no journal: JOURNAL_STREAM is unset). */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Printable ASCII in double quotes, other bytes as \xNN, cut at out_len; returns out. */
char *log_quote(struct slice s, char *out, size_t out_len);

#endif
