/* daemon/core/load.c: the making and freeing of a cold load; who fills it stands in load.h. */
#include "daemon/core/load.h"
#include <stdlib.h>

struct load *load_new(enum load_type type)
{
    struct load *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->type = type;
    l->result = ERROR_NOT_FOUND;
    buf_init(&l->bytes, SIZE_MAX / 2);
    return l;
}

void load_free(struct load *l)
{
    if (!l)
        return;
    if (l->recovered) {
        free(l->recovered->cases);
        free(l->recovered->endpoints);
        free(l->recovered);
    }
    buf_fini(&l->bytes);
    free(l);
}
