/* daemon/store/schema.c: takes the steps from a database's schema to that of this program. */
#include "daemon/store/schema.h"

/* The number that the database claims; 0: it is empty. */
static enum error read_number(struct driver *d, const struct schema *x, bool is_empty, size_t *out)
{
    uint64_t number = 0;
    if (!is_empty) {
        enum error e = driver_query_u64(d, "SELECT schema_number FROM meta WHERE one = 1", &number);
        if (e != ERROR_NONE)
            return e;
        if (number == 0)
            return ERROR_CORRUPT;
    }
    if (number > x->step_count)
        return ERROR_STORE_FORMAT;
    *out = (size_t)number;
    return ERROR_NONE;
}

enum error schema_begin(struct driver *d, const struct schema *x, bool is_empty)
{
    size_t number;
    enum error e = read_number(d, x, is_empty, &number);
    if (e != ERROR_NONE)
        return e;
    e = driver_begin(d);
    for (size_t i = number; e == ERROR_NONE && i < x->step_count; i++)
        e = driver_run(d, x->steps[i]);
    if (e == ERROR_NONE)
        e = driver_prepare(d, x->statements, x->statement_count);
    if (e != ERROR_NONE || is_empty || number == x->step_count)
        return e;
    driver_bind_u64(d, x->set_number, 1, x->step_count);
    return driver_execute(d, x->set_number);
}
