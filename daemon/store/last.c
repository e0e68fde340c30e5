/*
 * daemon/store/last.c: when the last record was made, so that a relay that starts sees for how long it may have been
 * away. The journal has the last row until it is folded, and the audit file for good.
 *
 * Failures: a row that does not read or unpack.
 */
#include "daemon/store/inside.h"
#include "daemon/store/sql.h"

/* The latest of a row: where a record repeats an older row of the directory, it has that one's time. */
static enum error latest(struct store *s, struct slice records, int64_t *out)
{
    unsigned type;
    struct slice payload;
    enum error e = ERROR_NONE;
    *out = 0;
    while (e == ERROR_NONE && records.len > 0) {
        int64_t ms = 0;
        e = group_next_record(&records, &type, &payload);
        if (e == ERROR_NONE)
            e = record_read_ms(s->arena, type, payload, &ms);
        if (e == ERROR_NONE && ms > *out)
            *out = ms;
    }
    return e;
}

static enum error read_row(struct store *s, struct driver *d, unsigned statement, unsigned column,
                           bool *has_row, int64_t *out)
{
    enum error e = driver_step(d, statement, has_row);
    if (e == ERROR_NONE && *has_row)
        e = latest(s, driver_column_slice(d, statement, column), out);
    driver_reset(d, statement);
    return e;
}

enum error store_last_ms(struct store *s, int64_t *out)
{
    bool has_row;
    int64_t ms = 0;
    enum error e = read_row(s, s->outbox, JOURNAL_LAST, 0, &has_row, &ms);
    if (e == ERROR_NONE && !has_row)
        e = read_row(s, s->audit, AUDIT_LAST, 3, &has_row, &ms);
    if (e == ERROR_NONE)
        *out = ms;
    return e;
}
