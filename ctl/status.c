/* ctl/status.c: what the relay is doing. */
#include "ctl/ctl.h"

int status_command(const struct ctl_options *o)
{
    Brug__V1__GetStatus get = BRUG__V1__GET_STATUS__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AdminAnswer *a = NULL;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_STATUS;
    request.status = &get;
    struct arena *arena = arena_new();
    if (arena == NULL)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    int status = ctl_call(o, &request, arena, &a);
    if (status == EX_OK && a->status == NULL)
        status = ctl_complain(EX_SOFTWARE,
                              "the relay's answer holds no status: use the same version of both");
    if (status == EX_OK)
        status = ctl_print_message(o, &a->status->base);
    arena_free(arena);
    return status;
}
