/*
 * daemon/ops/config_table.h: what a setting is, and its value; the rows stand in config_table.c. Internal to
 * config*.c.
 */
#ifndef DAEMON_OPS_CONFIG_TABLE_H
#define DAEMON_OPS_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_TEXT,
    SETTING_PATH,   /* a file or directory that must be readable when it is set */
    SETTING_NUMBER, /* from min to max, decimal */
    SETTING_SWITCH, /* yes or no */
    SETTING_LEVEL,  /* a log level's name */
};

struct setting {
    const char *key;
    enum setting_type type;
    const char *fallback; /* as it would stand in the file */
    int64_t min, max;     /* of a number */
    const char *sentence; /* for the sample file and the man page */
};

extern const struct setting SETTINGS[];
extern const size_t SETTINGS_COUNT;

struct value {
    char *text; /* owned */
    int64_t number;
    unsigned line; /* 0: the default */
};

struct config {
    char *path; /* NULL: defaults only */
    struct value *values;
};

#endif
