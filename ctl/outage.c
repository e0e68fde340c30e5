/* ctl/outage.c: the days on which the relay was away: an operator says them, and sees what was said. */
#include "ctl/ctl.h"
#include <stdio.h>

/* The rows of the answer; NULL after a complaint. */
static const Brug__V1__Objects *call(const struct ctl_options *o,
                                     const Brug__V1__AdminRequest *request, struct arena *arena,
                                     int *status)
{
    Brug__V1__AdminAnswer *a = NULL;
    *status = ctl_call(o, request, arena, &a);
    if (*status == EX_OK && a->objects == NULL)
        *status = ctl_complain(EX_SOFTWARE,
                               "the relay's answer holds no outages: use the same version of both");
    return *status == EX_OK ? a->objects : NULL;
}

static int print_added(const struct ctl_options *o, const Brug__V1__Objects *rows)
{
    if (rows->n_outages != 1)
        return ctl_complain(EX_SOFTWARE, "the relay's answer is not of one outage");
    int status = ctl_print_message(o, &rows->outages[0]->base);
    uint32_t cases = rows->outages[0]->cases;
    if (status == EX_OK && !o->is_json)
        (void)printf("The due dates of %u case%s move.\n", cases, cases == 1 ? "" : "s");
    return status;
}

int outage_add(const struct ctl_options *o)
{
    Brug__V1__PutOutage put = BRUG__V1__PUT_OUTAGE__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id;
    int status = ctl_parse_date("FROM", o->argument, &put.from_date);
    if (status == EX_OK)
        status = ctl_parse_date("UNTIL", o->second, &put.until_date);
    if (status == EX_OK)
        status = ctl_choose_id(o, &id);
    struct arena *arena = status == EX_OK ? arena_new() : NULL;
    if (status == EX_OK && arena == NULL)
        status = ctl_complain(EX_SOFTWARE, "out of memory");
    if (status == EX_OK) {
        put.outage_id = ctl_bytes(id_slice(&id));
        request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_PUT_OUTAGE;
        request.put_outage = &put;
        const Brug__V1__Objects *rows = call(o, &request, arena, &status);
        if (rows != NULL)
            status = print_added(o, rows);
    }
    arena_free(arena);
    return status;
}

int outage_list(const struct ctl_options *o)
{
    static const char *const columns[] = {"from_date", "until_date", "cases",
                                          "at_ms",     "outage_id",  NULL};
    Brug__V1__ListOutages list = BRUG__V1__LIST_OUTAGES__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct arena *arena = arena_new();
    int status = EX_OK;
    if (arena == NULL)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_LIST_OUTAGES;
    request.list_outages = &list;
    const Brug__V1__Objects *rows = call(o, &request, arena, &status);
    if (rows != NULL)
        status = ctl_print_rows(o, (const ProtobufCMessage *const *)rows->outages, rows->n_outages,
                                columns);
    arena_free(arena);
    return status;
}
