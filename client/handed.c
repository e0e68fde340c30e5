/*
 * client/handed.c: from a HISTORY down to the letter that it brings (see handed.h).
 *
 * Happy path: the header inside is checked, belongs to the same case and the same letter, and names the giver as one who had
 * it; the SignedData verifies, for whom the caller believes; if it is a HISTORY itself, once more.
 * Invariant: what is released was signed by its author for exactly the header that comes with it.
 */
#include "client/handed.h"

#include "client/client.h"
#include "proto/arena.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"

#include <string.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name

struct descent {
    const struct id *own;
    handed_signer_cb *is_signer;
    void *ctx;
    const Brug__V1__Header *around; /* of the HISTORY in hand */
    struct handed_step step;
};

static bool is_same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return slice_equal(check_slice(a), check_slice(b));
}

/* Whether the giver of the HISTORY around could read this one: as its author, its reader, or with a recovery key. */
static bool giver_had(const Brug__V1__Header *around, const Brug__V1__Header *h)
{
    struct id giver = client_field_id(around->from->endpoint);
    if (check_is_recovered(around))
        return client_is_among(&giver, h->copies, h->n_copies);
    return client_field_is(h->from->endpoint, &giver) ||
           client_is_among(&giver, h->readers, h->n_readers);
}

static bool is_of_own(const Brug__V1__Header *h, const struct id *own)
{
    return client_field_is(h->from->organisation, own) || client_field_is(h->to, own);
}

/* A HISTORY stays inside one organisation, whoever's letter it brings. */
static bool is_within_own(const Brug__V1__Header *h, const struct id *own)
{
    return client_field_is(h->from->organisation, own) && client_field_is(h->to, own);
}

static enum error check_link(const struct descent *d, const Brug__V1__Header *h)
{
    const Brug__V1__Header *around = d->around;
    bool is_history = h->kind == KIND(HISTORY);
    bool holds = is_same(h->case_id, around->case_id) &&
                 is_same(h->municipality, around->municipality) &&
                 is_same(is_history ? h->in_reply_to : h->message_id, around->in_reply_to) &&
                 h->kind != KIND(FAMILY_KEY) && giver_had(around, h) &&
                 (is_history ? is_within_own(h, d->own) : is_of_own(h, d->own));
    return holds ? ERROR_NONE : ERROR_LETTER_HEADER;
}

static enum error ask_signer(void *ctx, X509 *signer)
{
    struct descent *d = ctx;
    d->step.signer = signer;
    return d->is_signer(d->ctx, &d->step);
}

static enum error read_header(const Brug__V1__HistoryLetter *cover, struct handed *out)
{
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    struct slice bytes = check_slice(cover->header);
    buf_init(&out->header, LIMIT_HEADER_BYTES);
    out->arena = arena_new();
    enum error e = out->arena ? buf_append_slice(&out->header, bytes) : ERROR_NO_MEMORY;
    if (e != ERROR_NONE)
        return e;
    arena_reset(out->arena, frame_budget(bytes.len));
    e = frame_decode(out->arena, &brug__v1__header__descriptor, bytes, &m);
    if (e != ERROR_NONE)
        return arena_lacked_memory(out->arena) ? ERROR_NO_MEMORY : ERROR_LETTER_HEADER;
    out->decoded = (const Brug__V1__Header *)m;
    e = check_handed_header(out->decoded, &field);
    if (e == ERROR_UPDATE_RELAY || e == ERROR_UPDATE_SENDER)
        return ERROR_UPDATE_CLIENT;
    return e == ERROR_NONE ? e : ERROR_LETTER_HEADER;
}

/* The letter directly inside, whatever it is. */
static enum error open_inside(struct descent *d, const Brug__V1__HistoryLetter *cover,
                              struct handed *out)
{
    memset(out, 0, sizeof *out);
    enum error e = read_header(cover, out);
    if (e == ERROR_NONE)
        e = check_link(d, out->decoded);
    if (e == ERROR_NONE) {
        d->step = (struct handed_step){
            .header = out->decoded, .cover = cover, .is_last = out->decoded->kind != KIND(HISTORY)};
        e = letter_open_signed(buf_slice(&out->header), check_slice(cover->signed_data), ask_signer,
                               d, &out->letter);
    }
    out->stored_at_ms = cover->stored_at_ms;
    out->was_opened = cover->was_opened;
    if (e != ERROR_NONE)
        handed_fini(out);
    return e;
}

enum error handed_open(const Brug__V1__Header *outer, const Brug__V1__Content *content,
                       const struct id *own, handed_signer_cb *is_signer, void *ctx,
                       struct handed *out)
{
    struct descent d = {.own = own, .is_signer = is_signer, .ctx = ctx, .around = outer};
    const Brug__V1__HistoryLetter *cover = content->history;
    struct handed around;
    memset(&around, 0, sizeof around);
    enum error e = is_within_own(outer, own) && cover ? ERROR_NONE : ERROR_LETTER_HEADER;
    for (unsigned depth = 1; e == ERROR_NONE; depth++) {
        struct handed inside;
        e = depth > HANDED_DEPTH_MAX ? ERROR_LETTER_CONTENT : open_inside(&d, cover, &inside);
        if (e != ERROR_NONE)
            break;
        handed_fini(&around);
        around = inside;
        around.depth = depth;
        if (d.step.is_last) {
            *out = around;
            return ERROR_NONE;
        }
        d.around = around.decoded;
        cover = around.letter->content->history;
    }
    handed_fini(&around);
    return e;
}

void handed_fini(struct handed *h)
{
    letter_free(h->letter);
    h->letter = NULL;
    arena_free(h->arena);
    h->arena = NULL;
    h->decoded = NULL;
    buf_fini(&h->header);
}
