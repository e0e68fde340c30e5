/*
 * daemon/account.c: the books for an administrator: the state of this moment goes with an account to the
 * storage thread, and its result into an answer.
 */
#include "base/log.h"
#include "daemon/daemon.h"
#include <inttypes.h>
#include <stdlib.h>

bool daemon_begin_account(void *ctx, uint64_t ticket)
{
    struct daemon *d = ctx;
    if (d->account_ticket)
        return false;
    struct account *a = account_new(d->hash_seed);
    if (!a || account_expect(a, relay_state(d->relay))) {
        account_free(a);
        return false;
    }
    d->account_ticket = ticket;
    store_thread_account(d->store, a);
    return true;
}

static void set_reader(Brug__V1__AccountReader *to, const struct account_reader *r)
{
    brug__v1__account_reader__init(to);
    to->endpoint = (ProtobufCBinaryData){ID_BYTES, (uint8_t *)(uintptr_t)r->endpoint.bytes};
    to->accepted = r->accepted;
    to->waiting = r->waiting;
    to->parked = r->parked;
    to->acknowledged = r->acknowledged;
    to->expired = r->expired;
    to->cancelled = r->cancelled;
    to->quarantined = r->quarantined;
    to->differences = r->differences;
    to->problem = (char *)(uintptr_t)r->problem;
}

static void refuse(struct daemon *d, uint64_t ticket, const char *why)
{
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    answer.code = BRUG__V1__CODE__CODE_BUSY;
    answer.error = (char *)(uintptr_t)why;
    admin_answer(d->admin, ticket, &answer);
}

static void answer_with(struct daemon *d, uint64_t ticket, const struct account_result *r)
{
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    Brug__V1__Account account = BRUG__V1__ACCOUNT__INIT;
    Brug__V1__AccountReader *rows = calloc(r->reader_count + 1, sizeof *rows);
    Brug__V1__AccountReader **list = calloc(r->reader_count + 1, sizeof *list);
    if (rows && list) {
        for (size_t i = 0; i < r->reader_count; i++) {
            set_reader(&rows[i], &r->readers[i]);
            list[i] = &rows[i];
        }
        account.balanced = r->is_balanced;
        account.lsn = r->lsn;
        account.rows = r->row_count;
        if (r->problem)
            account.problem = (char *)(uintptr_t)r->problem;
        account.n_readers = r->reader_count;
        account.readers = list;
        answer.account = &account;
        admin_answer(d->admin, ticket, &answer);
    } else {
        refuse(d, ticket, "there is no memory for the answer; try again later");
    }
    free(list);
    free(rows);
}

void daemon_end_account(struct daemon *d, struct account *a, enum error failed)
{
    uint64_t ticket = d->account_ticket;
    d->account_ticket = 0;
    if (failed) {
        log_event(LOG_ERROR, "account.failed", "code=%s", error_name(failed));
        refuse(d, ticket, "the audit chain cannot be read to its end; the log says why");
    } else {
        const struct account_result *r = account_result(a);
        log_event(r->is_balanced ? LOG_NOTICE : LOG_ERROR, "account.made",
                  "balanced=%s lsn=%" PRIu64 " problem=\"%s\"", r->is_balanced ? "yes" : "no",
                  r->lsn, r->problem ? r->problem : "");
        answer_with(d, ticket, r);
    }
    account_free(a);
}
