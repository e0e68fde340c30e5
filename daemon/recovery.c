/*
 * daemon/recovery.c: letters for the holder of a recovery key: the order goes to the storage thread as a load, and its page comes
 * back with the entries of the letters' authors beside them, also of those who were suspended since.
 */
#include "base/log.h"
#include "daemon/daemon.h"
#include "proto/check.h"
#include "proto/frame.h"
#include <inttypes.h>

bool daemon_begin_recovery(void *ctx, uint64_t ticket, const Brug__V1__Recover *wanted)
{
    struct daemon *d = ctx;
    struct load *l = relay_recovery(d->relay, wanted, ticket);
    if (l)
        store_thread_load(d->store, l);
    return l != NULL;
}

/* Where the author is not in the directory, or there is no memory, the letter goes without. */
static Brug__V1__EndpointEntry *author_of(const struct daemon *d, struct arena *arena,
                                          const Brug__V1__RecoveredLetter *l)
{
    struct id id;
    if (check_id(l->endpoint, &id) != ERROR_NONE)
        return NULL;
    const Brug__V1__EndpointRow *row = relay_endpoint(d->relay, &id);
    Brug__V1__EndpointEntry *e = row ? arena_alloc(arena, sizeof *e) : NULL;
    if (!e)
        return NULL;
    brug__v1__endpoint_entry__init(e);
    e->binding = row->binding;
    e->identity_certificate = row->identity_certificate;
    e->sealing_certificate = row->sealing_certificate;
    e->n_intermediates = row->n_intermediates;
    e->intermediates = row->intermediates;
    return e;
}

static enum error read_page(struct arena *arena, const struct load *l,
                            Brug__V1__RecoveredPage **out)
{
    ProtobufCMessage *m = NULL;
    if (l->result != ERROR_NONE)
        return l->result;
    arena_reset(arena, SIZE_MAX);
    enum error e = frame_decode_borrowed(arena, &brug__v1__recovered_page__descriptor,
                                         buf_slice(&l->bytes), &m);
    *out = (Brug__V1__RecoveredPage *)m;
    return e;
}

static void answer_with(struct daemon *d, uint64_t ticket, struct arena *arena,
                        Brug__V1__RecoveredPage *page)
{
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    for (size_t i = 0; i < page->n_letters; i++)
        page->letters[i]->author = author_of(d, arena, page->letters[i]);
    answer.recovered = page;
    admin_answer(d->admin, ticket, &answer);
}

static void refuse(struct daemon *d, uint64_t ticket)
{
    Brug__V1__AdminAnswer answer = BRUG__V1__ADMIN_ANSWER__INIT;
    answer.code = BRUG__V1__CODE__CODE_BUSY;
    answer.error = (char *)(uintptr_t) "a page of letters cannot be read; the log says why";
    admin_answer(d->admin, ticket, &answer);
}

void daemon_end_recovery(struct daemon *d, struct load *l)
{
    const struct load_recovered *wanted = l->recovered;
    struct arena *arena = arena_new();
    Brug__V1__RecoveredPage *page = NULL;
    char text[ID_TEXT_BYTES];
    enum error e = arena ? read_page(arena, l, &page) : ERROR_NO_MEMORY;
    log_event(e ? LOG_ERROR : LOG_NOTICE, e ? "recovery.failed" : "recovery.page",
              "code=%s organisation=%s letters=%zu damaged=%u", error_name(e),
              id_to_text(&wanted->organisation, text), e ? (size_t)0 : page->n_letters,
              e ? 0u : page->damaged);
    if (e)
        refuse(d, wanted->ticket);
    else
        answer_with(d, wanted->ticket, arena, page);
    arena_free(arena);
    load_free(l);
}
