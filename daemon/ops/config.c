/*
 * daemon/ops/config.c: reading the settings of config_table.c, and asking for them.
 *
 * Happy path: the file is cut into lines and each is given to libconfuse by itself (it miscounts lines
 * after comments), which finds key and value; the value is judged here by its row.
 * Failures: the first one stops the reading; it is one line that names the file, the line and the key.
 * Bytes of the file are shown in it only if they are printable.
 *
 * Invariant: a struct config that was handed out has a good value in every row.
 */
#include "daemon/ops/config.h"
#include "base/list.h"
#include "base/text.h"
#include "daemon/ops/config_table.h"
#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64u << 10)
#define VALUE_BYTES_MAX 4096
#define PROBLEM_BYTES 512

/* One reading of a file. libconfuse puts what it finds on a line into `raw`. */
struct reading {
    struct config *config;
    unsigned line;
    char problem[PROBLEM_BYTES];
    char *raw[]; /* SETTINGS_COUNT */
};

static const struct {
    enum log_level level;
    const char *name;
} LEVELS[] = {{LOG_ERROR, "error"},
              {LOG_WARNING, "warning"},
              {LOG_NOTICE, "notice"},
              {LOG_INFO, "info"},
              {LOG_DEBUG, "debug"}};
#define LEVEL_COUNT (sizeof LEVELS / sizeof LEVELS[0])

static size_t row_of(const char *key)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (strcmp(SETTINGS[i].key, key) == 0)
            return i;
    assert(!"a key that is in no row");
    abort();
}

/* ---- judging one value ---- */

/* NULL when it is good, and *number is set; else what is wrong with it. */
static const char *judge_number(const struct setting *s, const char *text, int64_t *number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0'))
        return "is not a whole number in decimal digits";
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (*end != '\0')
        return "is not a whole number in decimal digits";
    if (errno || n < s->min || n > s->max)
        return "is out of bounds";
    *number = n;
    return NULL;
}

static const char *judge_switch(const char *text, int64_t *number)
{
    *number = strcmp(text, "yes") == 0;
    return *number || strcmp(text, "no") == 0 ? NULL : "is neither yes nor no";
}

static const char *judge_level(const char *text, int64_t *number)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(LEVELS[i].name, text) == 0) {
            *number = (int64_t)LEVELS[i].level;
            return NULL;
        }
    }
    return "is not one of error, warning, notice, info, debug";
}

static const char *judge(const struct setting *s, const char *text, int64_t *number)
{
    if (!text_is_clean(slice_text(text), false))
        return "is not clean UTF-8 text";
    switch (s->type) {
    case SETTING_NUMBER:
        return judge_number(s, text, number);
    case SETTING_SWITCH:
        return judge_switch(text, number);
    case SETTING_LEVEL:
        return judge_level(text, number);
    case SETTING_TEXT:
    case SETTING_PATH:
        break;
    }
    return strlen(text) <= VALUE_BYTES_MAX ? NULL : "is too long";
}

static bool set_value(struct value *v, const char *text, int64_t number, unsigned line)
{
    char *copy = strdup(text);
    if (!copy)
        return false;
    free(v->text);
    *v = (struct value){.text = copy, .number = number, .line = line};
    return true;
}

/* ---- reading ---- */

__attribute__((format(printf, 2, 3))) static void complain(struct reading *r, const char *format,
                                                           ...)
{
    va_list args;
    if (r->problem[0])
        return; /* the first one says it */
    va_start(args, format);
    (void)vsnprintf(r->problem, sizeof r->problem, format, args); /* cut when too long */
    va_end(args);
    if (r->problem[0] == '\0')
        (void)snprintf(r->problem, sizeof r->problem, "is not valid");
    for (char *p = r->problem; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
}

/* libconfuse hands its callbacks nothing of ours, but where the first value is to be put. */
static struct reading *reading_of(cfg_t *cfg)
{
    return container_of(cfg->opts[0].simple_value.string, struct reading, raw);
}

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *format,
                                                           va_list args)
{
    char text[PROBLEM_BYTES];
    struct reading *r = reading_of(cfg);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    if (strncmp(text, "no such option", 14) == 0)
        complain(r, "unknown key%s; `brugd --print-sample-config` lists all keys", text + 14);
    else if (strcmp(text, "premature end of file") == 0)
        complain(r, "the line ends too early; write key = value, with quotes on one line");
    else
        complain(r, "%s; write key = value", text);
}

static enum error out_of_memory(struct reading *r)
{
    complain(r, "out of memory");
    return ERROR_NO_MEMORY;
}

/* What libconfuse found on the line, judged. */
static enum error take_values(struct reading *r)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *s = &SETTINGS[i];
        struct value *v = &r->config->values[i];
        int64_t number = 0;
        if (!r->raw[i])
            continue;
        const char *wrong = judge(s, r->raw[i], &number);
        if (wrong && s->type == SETTING_NUMBER)
            complain(r, "%s %s; write %lld to %lld", s->key, wrong, (long long)s->min,
                     (long long)s->max);
        else if (wrong)
            complain(r, "%s %s", s->key, wrong);
        else if (v->line)
            complain(r, "%s is set already on line %u; remove one", s->key, v->line);
        else if (!set_value(v, r->raw[i], number, r->line))
            return out_of_memory(r);
    }
    return r->problem[0] ? ERROR_CONFIG : ERROR_NONE;
}

static void drop_raw(struct reading *r)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        free(r->raw[i]);
        r->raw[i] = NULL;
    }
}

/* `line` ends with a NUL. */
static enum error read_line(struct reading *r, cfg_t *cfg, const char *line)
{
    enum error e = ERROR_NONE;
    int result = cfg_parse_buf(cfg, line);
    if (result != CFG_SUCCESS) {
        complain(r, "the line cannot be read; write key = value");
        e = ERROR_CONFIG;
    } else {
        e = take_values(r);
    }
    drop_raw(r);
    return e;
}

static enum error read_lines(struct reading *r, cfg_t *cfg, struct buf *text)
{
    char *line = (char *)text->data;
    enum error e = ERROR_NONE;
    if (memchr(text->data, '\0', text->len - 1)) {
        complain(r, "a NUL byte; this is no file of settings");
        return ERROR_CONFIG;
    }
    for (char *end; !e && line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        r->line++;
        e = read_line(r, cfg, line);
    }
    return e;
}

static enum error parse(struct reading *r, struct buf *text)
{
    cfg_opt_t *opts = calloc(SETTINGS_COUNT + 1, sizeof *opts);
    if (!opts)
        return out_of_memory(r);
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        opts[i] = (cfg_opt_t)CFG_SIMPLE_STR((char *)SETTINGS[i].key, &r->raw[i]);
    opts[SETTINGS_COUNT] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    free(opts); /* cfg_init has copied them */
    if (!cfg)
        return out_of_memory(r);
    (void)cfg_set_error_function(cfg, on_error); /* returns the one before */
    enum error e = read_lines(r, cfg, text);
    (void)cfg_free(cfg); /* fails only for NULL */
    return e;
}

static enum error read_text(struct reading *r, const char *path, struct buf *text)
{
    enum error e = buf_read_file(text, path);
    if (e == ERROR_BOUND)
        complain(r, "more than %u bytes; this is no file of settings", FILE_BYTES_MAX);
    else if (e == ERROR_PERMISSION)
        complain(r, "cannot be read: permission denied");
    else if (e == ERROR_NOT_FOUND)
        complain(r, "cannot be read: no such file");
    else if (e)
        complain(r, "cannot be read: %s", error_text(e));
    if (!e)
        e = buf_append_u8(text, '\0');
    return e;
}

static enum error read_file(struct reading *r, const char *path)
{
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX + 1);
    enum error e = read_text(r, path, &text);
    if (!e)
        e = parse(r, &text);
    buf_fini(&text);
    return e;
}

static struct config *config_new(const char *path)
{
    struct config *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->values = calloc(SETTINGS_COUNT, sizeof *c->values);
    c->path = path ? strdup(path) : NULL;
    bool is_whole = c->values && (!path || c->path);
    for (size_t i = 0; is_whole && i < SETTINGS_COUNT; i++) {
        int64_t number = 0;
        const char *wrong = judge(&SETTINGS[i], SETTINGS[i].fallback, &number);
        assert(!wrong);
        is_whole = set_value(&c->values[i], SETTINGS[i].fallback, number, 0);
    }
    if (is_whole)
        return c;
    config_free(c);
    return NULL;
}

/* "FILE:LINE: …", without the line for what concerns the whole file. */
static char *problem_text(const char *path, unsigned line, const char *text)
{
    char number[16] = "", *out = NULL;
    if (line)
        (void)snprintf(number, sizeof number, ":%u", line);
    return asprintf(&out, "%s%s: %s", path, number, text) < 0 ? NULL : out;
}

enum error config_read(struct config **out, const char *path, char **problem)
{
    struct reading *r = calloc(1, sizeof *r + SETTINGS_COUNT * sizeof(char *));
    struct config *c = config_new(path);
    enum error e = r && c ? ERROR_NONE : ERROR_NO_MEMORY;
    if (!e && path) {
        r->config = c;
        e = read_file(r, path);
        if (e && e != ERROR_NO_MEMORY)
            e = ERROR_CONFIG;
    }
    if (e) {
        *problem = problem_text(path ? path : "settings", r ? r->line : 0,
                                r && r->problem[0] ? r->problem : error_text(e));
        config_free(c);
    } else {
        *out = c;
    }
    free(r);
    return e;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->values && i < SETTINGS_COUNT; i++)
        free(c->values[i].text);
    free(c->values);
    free(c->path);
    free(c);
}

/* ---- values ---- */

const char *config_text(const struct config *c, const char *key)
{
    size_t i = row_of(key);
    assert(SETTINGS[i].type == SETTING_TEXT || SETTINGS[i].type == SETTING_PATH);
    return c->values[i].text;
}

int64_t config_number(const struct config *c, const char *key)
{
    size_t i = row_of(key);
    assert(SETTINGS[i].type == SETTING_NUMBER);
    return c->values[i].number;
}

bool config_is_on(const struct config *c, const char *key)
{
    size_t i = row_of(key);
    assert(SETTINGS[i].type == SETTING_SWITCH);
    return c->values[i].number != 0;
}

enum log_level config_log_level(const struct config *c)
{
    size_t i = row_of("log_level");
    assert(SETTINGS[i].type == SETTING_LEVEL);
    return (enum log_level)c->values[i].number;
}

static enum error append_text(struct buf *out, const char *text)
{
    return buf_append_slice(out, slice_text(text));
}

/* The folder that a name without '/' lies in, with the '/'; nothing for the current one. */
static enum error append_folder(const struct config *c, struct buf *out)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    const char *end = c->path ? strrchr(c->path, '/') : NULL;
    if (!credentials || !credentials[0])
        return end ? buf_append(out, c->path, (size_t)(end - c->path) + 1) : ERROR_NONE;
    enum error e = append_text(out, credentials);
    return e ? e : buf_append_u8(out, '/');
}

enum error config_path(const struct config *c, const char *key, struct buf *out)
{
    size_t i = row_of(key);
    const char *name = c->values[i].text;
    size_t len_before = out->len;
    assert(SETTINGS[i].type == SETTING_PATH);
    if (name[0] == '\0')
        return ERROR_NONE;
    enum error e = strchr(name, '/') ? ERROR_NONE : append_folder(c, out);
    if (!e)
        e = append_text(out, name);
    if (!e)
        e = buf_append_u8(out, '\0');
    if (e)
        out->len = len_before;
    return e;
}

char *config_problem(const struct config *c, const char *key, const char *text)
{
    size_t i = row_of(key);
    char *keyed = NULL, *out = NULL;
    if (asprintf(&keyed, "%s: %s", key, text) < 0)
        return NULL;
    if (c->values[i].line)
        out = problem_text(c->path, c->values[i].line, keyed);
    else if (asprintf(&out, "default of %s", keyed) < 0)
        out = NULL;
    free(keyed);
    return out;
}

enum error config_check_files(const struct config *c, char **problem)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        char text[PROBLEM_BYTES];
        const char *path = c->values[i].text;
        if (SETTINGS[i].type != SETTING_PATH || !strchr(path, '/') || access(path, R_OK) == 0)
            continue;
        (void)snprintf(text, sizeof text, "%s cannot be read: %s", path,
                       errno == EACCES ? "permission denied" : "no such file");
        *problem = config_problem(c, SETTINGS[i].key, text);
        return ERROR_CONFIG;
    }
    return ERROR_NONE;
}
