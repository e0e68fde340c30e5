/* client/cmd/table.h: what a user can type: one table of options, one of commands. */
#ifndef CLIENT_CMD_TABLE_H
#define CLIENT_CMD_TABLE_H

#include "client/cmd/cmd.h"

enum shape { SHAPE_TEXT, SHAPE_FLAG, SHAPE_LIST, SHAPE_LANGUAGE };

struct option_row {
    const char *name; /* NULL after the last */
    enum shape shape;
    size_t at;       /* in struct cmd */
    size_t count_at; /* of a list */
    const char *dutch, *english;
    bool is_general; /* every command takes it */
};

#define TABLE_OPTIONS_MAX 64
#define TABLE_LISTS_MAX 4

struct command_row {
    const char *name; /* NULL after the last */
    int (*run)(struct cmd *c);
    bool needs_ready;
    int words_min, words_max;
    const char *options; /* " --x --y " */
    const char *usage, *dutch, *english;
    struct {
        const char *option; /* NULL after the last */
        enum brug_list list;
    } lists[TABLE_LISTS_MAX]; /* whose words its help names */
};

extern const struct option_row TABLE_OPTIONS[];
extern const struct command_row TABLE_COMMANDS[];

#endif
