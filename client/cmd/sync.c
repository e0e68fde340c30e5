/*
 * client/cmd/sync.c: sync sends and receives once; watch stays, tells what comes, connects again by itself, and ends
 * cleanly on SIGINT and SIGTERM.
 */
#include "client/cmd/cmd.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SYNC_SECONDS 30

/* ---- sync ---- */

struct tally {
    unsigned received, stored, refused, waiting, confirm;
};

static void count_events(struct cmd *c, struct tally *t)
{
    struct brug_event e;
    while (brug_next_event(c->brug, &e)) {
        t->received += e.type == BRUG_EVENT_RECEIVED;
        t->stored += e.type == BRUG_EVENT_STORED;
    }
}

/* What waits for a person stands in the store, whichever process had the connection. */
static int count_problems(struct cmd *c, struct tally *t)
{
    const struct brug_messages *found = NULL;
    struct brug_query query = {.problems_only = true};
    int status = cmd_messages(c, &query, &found);
    for (size_t i = 0; status == EX_OK && i < found->n; i++) {
        const struct brug_message *m = &found->items[i];
        t->refused += m->state == BRUG_MESSAGE_REFUSED;
        t->confirm += m->state == BRUG_MESSAGE_CONFIRM ||
                      (m->state == BRUG_MESSAGE_WAITING && m->error == BRUG_CONFIRM);
        t->waiting += m->state == BRUG_MESSAGE_UNSENT || m->state == BRUG_MESSAGE_WAITING;
    }
    return status;
}

static void print_count(const struct cmd *c, unsigned n, const char *dutch, const char *english)
{
    if (n > 0)
        (void)printf("%s %u\n", cmd_say(c, dutch, english), n);
}

static int print_tally(struct cmd *c, const struct tally *t, bool reached)
{
    if (c->is_json)
        return cmd_print_json(c, json_pack("{s:b, s:i, s:i, s:i, s:i, s:i}", "synced", (int)reached,
                                           "received", (int)t->received, "stored", (int)t->stored,
                                           "unsent", (int)t->waiting, "refused", (int)t->refused,
                                           "to_confirm", (int)t->confirm));
    print_count(c, t->received, "Ontvangen:", "Received:");
    print_count(c, t->stored, "Verzonden:", "Sent:");
    print_count(c, t->waiting, "Nog niet verzonden:", "Not sent yet:");
    print_count(c, t->refused, "Geweigerd (zie brug sent):", "Refused (see brug sent):");
    if (t->confirm > 0)
        (void)puts(cmd_say(c, "U moet iets bevestigen: brug trust",
                           "There is something to confirm: brug trust"));
    if (reached)
        (void)puts(cmd_say(c, "Bijgewerkt.", "Up to date."));
    return EX_OK;
}

int cmd_sync(struct cmd *c)
{
    struct tally tally = {0};
    bool reached = false;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, SYNC_SECONDS, &timeout_ms);
    if (status == EX_OK) /* what a date has changed came with no letter */
        status = cmd_fail(c, brug_refresh_cases(c->brug, false));
    if (status == EX_OK)
        status = cmd_wait(c, BRUG_UNTIL_SYNCED, timeout_ms, &reached);
    if (status != EX_OK)
        return status;
    count_events(c, &tally);
    status = count_problems(c, &tally);
    if (status == EX_OK)
        status = print_tally(c, &tally, reached);
    if (status == EX_OK && !reached) {
        status = cmd_offline_status(c);
        (void)fflush(stdout);
        (void)fprintf(stderr, "brug: %s\n", cmd_offline_reason(c));
    }
    return status;
}

/* ---- watch ---- */

static const char *event_word(enum brug_event_type type)
{
    static const char *const WORDS[] = {
        [BRUG_EVENT_CONNECTED] = "connected", [BRUG_EVENT_DISCONNECTED] = "disconnected",
        [BRUG_EVENT_RECEIVED] = "received",   [BRUG_EVENT_STORED] = "stored",
        [BRUG_EVENT_REFUSED] = "refused",     [BRUG_EVENT_WAITING] = "waiting",
        [BRUG_EVENT_FACTS] = "facts",         [BRUG_EVENT_TRUST] = "trust",
        [BRUG_EVENT_REPEATED] = "repeated",   [BRUG_EVENT_FAMILY] = "family",
    };
    return (size_t)type < sizeof WORDS / sizeof WORDS[0] && WORDS[type] != NULL ? WORDS[type]
                                                                                : "unknown";
}

static int print_event_json(const struct brug_event *e)
{
    json_t *j =
        json_pack("{s:s, s:o, s:o, s:o}", "event", event_word(e->type), "number",
                  e->number == 0 ? json_null() : json_integer((json_int_t)e->number), "error",
                  e->error == BRUG_OK ? json_null() : json_string(brug_error_name(e->error)),
                  "organisation", cmd_json_id(&e->organisation));
    int failed = j == NULL || json_dumpf(j, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) != 0;
    json_decref(j);
    return failed == 0 && putchar('\n') != EOF ? EX_OK : EX_IOERR;
}

static int print_event(struct cmd *c, const struct brug_event *e)
{
    const struct brug_message *m = NULL;
    switch (e->type) {
    case BRUG_EVENT_CONNECTED:
        (void)puts(cmd_say(c, "Verbonden.", "Connected."));
        return EX_OK;
    case BRUG_EVENT_DISCONNECTED:
        (void)printf("%s\n", e->error == BRUG_OK || e->error == BRUG_IO
                                 ? cmd_say(c, "Geen verbinding. Brug probeert het vanzelf opnieuw.",
                                           "No connection. Brug tries again by itself.")
                                 : brug_error_sentence(e->error, c->language));
        return EX_OK;
    case BRUG_EVENT_TRUST:
        (void)puts(cmd_say(c, "U moet iets bevestigen: brug trust",
                           "There is something to confirm: brug trust"));
        return EX_OK;
    case BRUG_EVENT_REPEATED:
        return EX_OK; /* it was shown before */
    case BRUG_EVENT_FAMILY:
        (void)puts(
            cmd_say(c, "Brug koppelt casussen van één gezin nu niet. Meld dit aan de beheerder.",
                    "Brug does not link cases of one family now. Tell the operator."));
        return EX_OK;
    default:
        c->directory = NULL; /* it may have changed while we stayed */
        if (cmd_message(c, e->number, &m) == EX_OK)
            cmd_print_message_row(c, m);
        return EX_OK;
    }
}

static int print_events(struct cmd *c)
{
    struct brug_event e;
    int status = EX_OK;
    while (status == EX_OK && brug_next_event(c->brug, &e))
        status = c->is_json ? print_event_json(&e) : print_event(c, &e);
    cmd_forget(c);
    c->directory = NULL;
    return fflush(stdout) == 0 ? status : EX_IOERR;
}

static int sooner(int a_ms, int b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

/* Until a signal comes, or the time is over (timeout_ms; -1: no limit). */
static int watch(struct cmd *c, int signals, int timeout_ms)
{
    int64_t end_ms = clock_now().mono_ms + timeout_ms;
    for (;;) {
        int left_ms = timeout_ms < 0 ? -1 : (int)(end_ms - clock_now().mono_ms);
        if (timeout_ms >= 0 && left_ms <= 0)
            return EX_OK;
        struct pollfd fds[] = {{.fd = brug_fd(c->brug), .events = POLLIN},
                               {.fd = signals, .events = POLLIN}};
        (void)poll(fds, 2, sooner(left_ms, brug_timeout_ms(c->brug))); /* its failure: just look */
        if (fds[1].revents != 0)
            return EX_OK;
        int e = brug_step(c->brug);
        int status = e == BRUG_OK ? print_events(c) : cmd_fail(c, e);
        if (status != EX_OK)
            return status;
    }
}

int cmd_watch(struct cmd *c)
{
    sigset_t ends;
    int timeout_ms = -1;
    int status = c->wait == NULL ? EX_OK : cmd_wait_ms(c, 0, &timeout_ms);
    if (status != EX_OK)
        return status;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (signals < 0)
        return cmd_fail(c, BRUG_IO);
    int e = brug_start(c->brug);
    if (e == BRUG_LOCKED)
        status =
            cmd_complain(c, EX_TEMPFAIL, "een ander proces van dit profiel heeft de verbinding al",
                         "another process of this profile has the connection already");
    else
        status = e == BRUG_OK ? watch(c, signals, timeout_ms) : cmd_fail(c, e);
    brug_stop(c->brug);
    (void)close(signals);
    return status;
}
