/* ctl/account.c: whether the books balance, reader by reader. */
#include "ctl/ctl.h"
#include <inttypes.h>
#include <stdio.h>

#define EX_UNBALANCED 1

static int complain_of(const Brug__V1__Account *account)
{
    if (account->problem[0] != '\0')
        (void)ctl_complain(EX_UNBALANCED, "the audit chain is not whole: %s", account->problem);
    for (size_t i = 0; i < account->n_readers; i++) {
        const Brug__V1__AccountReader *r = account->readers[i];
        char text[ID_TEXT_BYTES];
        struct id id;
        if (r->differences > 0 &&
            id_from_slice(&id, slice_of(r->endpoint.data, r->endpoint.len)) == ERROR_NONE)
            (void)ctl_complain(EX_UNBALANCED, "reader %s does not balance (%" PRIu64 "): %s",
                               id_to_text(&id, text), r->differences, r->problem);
    }
    return EX_UNBALANCED;
}

static int print(const struct ctl_options *o, const Brug__V1__Account *account)
{
    static const char *const columns[] = {"endpoint",     "accepted", "waiting",   "parked",
                                          "acknowledged", "expired",  "cancelled", "quarantined",
                                          "differences",  NULL};
    if (o->is_json)
        return ctl_print_message(o, &account->base);
    int status = ctl_print_rows(o, (const ProtobufCMessage *const *)account->readers,
                                account->n_readers, columns);
    (void)printf("%s: %zu readers, %" PRIu64 " records in %" PRIu64 " rows of the chain\n",
                 account->balanced ? "balanced" : "NOT balanced", account->n_readers, account->lsn,
                 account->rows);
    return status;
}

int account_command(const struct ctl_options *o)
{
    Brug__V1__GetAccount get = BRUG__V1__GET_ACCOUNT__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__AdminAnswer *a = NULL;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ACCOUNT;
    request.account = &get;
    struct arena *arena = arena_new();
    if (arena == NULL)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    int status = ctl_call(o, &request, arena, &a);
    if (status == EX_OK && a->account == NULL)
        status = ctl_complain(EX_SOFTWARE,
                              "the relay's answer holds no account: use the same version of both");
    if (status == EX_OK)
        status = print(o, a->account);
    if (status == EX_OK && !a->account->balanced)
        status = complain_of(a->account);
    arena_free(arena);
    return status;
}
