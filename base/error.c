/*
 * base/error.c: looks up rows of the error table.
 *
 * A number that is in no row (an unknown code of a newer peer, say) gets the careful defaults that
 * error.h names.
 */
#include "base/error.h"
#include <stddef.h>

enum { PASSING = 1, FINAL = 0, REMEMBERED = 1, FORGOTTEN = 0, CLOSES = 1, STAYS = 0 };

struct row {
    int number;
    bool passing, remembered, closes;
    const char *name, *text;
};

static const struct row ROWS[] = {
#define ROW(name, number, lasting, remembered, after, text) \
    {number, lasting, remembered, after, #name, text},
    ERROR_TABLE(ROW)
#undef ROW
};

static const struct row *row_of(int number)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].number == number)
            return &ROWS[i];
    return NULL;
}

const char *error_name(enum error e)
{
    const struct row *row = row_of((int)e);
    return row ? row->name : "UNKNOWN";
}

const char *error_text(enum error e)
{
    const struct row *row = row_of((int)e);
    return row ? row->text : "an error that this version does not know";
}

bool error_is_passing(enum error e)
{
    const struct row *row = row_of((int)e);
    return row && row->passing;
}

bool error_is_remembered(enum error e)
{
    const struct row *row = row_of((int)e);
    return row && row->remembered;
}

bool error_closes(enum error e)
{
    const struct row *row = row_of((int)e);
    return row && row->closes;
}

bool error_is_on_wire(int number) { return number < 1000 && row_of(number) != NULL; }
