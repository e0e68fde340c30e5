/*
 * daemon/ops/config.h: brugd's settings: one table (key, type, default, bounds, sentence) gives the parser,
 * --check-config and the sample file. One file, `key = value` lines with '#' comments (libconfuse).
 */
#ifndef DAEMON_OPS_CONFIG_H
#define DAEMON_OPS_CONFIG_H

#include "base/buf.h"
#include "base/log.h"

struct config; /* values by name; immutable after reading */

/* path NULL: defaults only. On ERROR_CONFIG *problem (owned by the caller, free()) is one line "FILE:LINE: what is wrong; what to do". */
enum error config_read(struct config **out, const char *path, char **problem) MUST_CHECK;
void config_free(struct config *c);
/* The key must exist with that type (asserted): keys come from our code only. */
const char *config_text(const struct config *c, const char *key); /* "" when empty */
int64_t config_number(const struct config *c, const char *key);
bool config_is_on(const struct config *c, const char *key);
enum log_level config_log_level(const struct config *c);
/*
 * A file or directory, appended with its NUL: a name without '/' lies in $CREDENTIALS_DIRECTORY if that is set, else beside
 * the file of settings. Nothing is appended for an empty value.
 */
enum error config_path(const struct config *c, const char *key, struct buf *out) MUST_CHECK;
/* "FILE:LINE: key: text", or "default of key: text", for what only a user of the value can find. NULL when out of memory. */
char *config_problem(const struct config *c, const char *key, const char *text);
/* Can every file and directory that is named with a '/' be read? ERROR_CONFIG with *problem as above. */
enum error config_check_files(const struct config *c, char **problem) MUST_CHECK;
/* Every value and where it comes from: "listen = 0.0.0.0:7410   # /etc/brug/brugd.conf:3" or "# default". */
enum error config_print(const struct config *c, struct buf *out) MUST_CHECK;
/* The commented sample file. */
enum error config_print_sample(struct buf *out) MUST_CHECK;

#endif
