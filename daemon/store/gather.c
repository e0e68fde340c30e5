/* daemon/store/gather.c: see gather.h. */
#include "daemon/store/gather.h"
#include <assert.h>
#include <stdlib.h>

int gather_flush(struct gather *g, sqlite3_file *below)
{
    if (g->failed == SQLITE_OK && g->len > 0)
        g->failed = below->pMethods->xWrite(below, g->bytes, (int)g->len, g->offset);
    g->len = 0;
    return g->failed;
}

uint8_t *gather_room(struct gather *g, sqlite3_file *below, size_t len, sqlite3_int64 offset,
                     int *code)
{
    assert(len <= GATHER_BYTES);
    if (offset != g->offset + (sqlite3_int64)g->len || len > GATHER_BYTES - g->len) {
        *code = gather_flush(g, below);
        if (*code != SQLITE_OK)
            return NULL;
        g->offset = offset;
    }
    if (g->bytes == NULL)
        g->bytes = malloc(GATHER_BYTES);
    *code = g->failed != SQLITE_OK ? g->failed : g->bytes == NULL ? SQLITE_IOERR_NOMEM : SQLITE_OK;
    if (*code != SQLITE_OK)
        return NULL;
    uint8_t *room = g->bytes + g->len;
    g->len += len;
    return room;
}

void gather_fini(struct gather *g)
{
    free(g->bytes);
    *g = (struct gather){0};
}
