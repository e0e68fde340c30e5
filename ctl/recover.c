/*
 * ctl/recover.c: the sealed letters of an organisation whose keys are all lost, into a file for the holder of its recovery key.
 *
 * Happy path: the organisation with its new clients goes first, then the letters page by page as the relay finds them, then how
 * many there were; so a file that was cut off is known for one. Whatever fails takes the file away again.
 */
#include "ctl/ctl.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct recovery {
    const struct ctl_options *o;
    struct id organisation;
    FILE *to;
    struct buf bytes; /* of one item */
    Brug__V1__RecoveryEnd end;
};

static int put(struct recovery *r, const Brug__V1__RecoveryItem *item)
{
    buf_clear(&r->bytes);
    if (frame_append(&r->bytes, &item->base) != ERROR_NONE)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    if (fwrite(r->bytes.data, 1, r->bytes.len, r->to) != r->bytes.len)
        return ctl_complain(EX_IOERR, "cannot write %s: %s", r->o->out, strerror(errno));
    return EX_OK;
}

static bool has_reader(const Brug__V1__OrganisationEntry *entry)
{
    for (size_t i = 0; i < entry->n_endpoints; i++) {
        ProtobufCMessage *m = NULL;
        struct arena *arena = arena_new();
        bool is_reader = false;
        if (arena != NULL) {
            const Brug__V1__SignedBinding *s = entry->endpoints[i]->binding;
            arena_reset(arena, frame_budget(s->binding.len));
            is_reader = frame_decode(arena, &brug__v1__binding__descriptor,
                                     slice_of(s->binding.data, s->binding.len), &m) == ERROR_NONE &&
                        !((const Brug__V1__Binding *)m)->recovery;
        }
        arena_free(arena);
        if (is_reader)
            return true;
    }
    return false;
}

static int put_head(struct recovery *r)
{
    Brug__V1__GetEntry get = BRUG__V1__GET_ENTRY__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__RecoveryHead head = BRUG__V1__RECOVERY_HEAD__INIT;
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    Brug__V1__AdminAnswer *a = NULL;
    struct arena *arena = arena_new();
    if (arena == NULL)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    get.organisation = ctl_bytes(id_slice(&r->organisation));
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ENTRY;
    request.entry = &get;
    int status = ctl_call(r->o, &request, arena, &a);
    if (status == EX_OK && (a->entry == NULL || !has_reader(a->entry)))
        status = ctl_complain(
            EX_DATAERR, "the organisation has no new client yet: enrol it first, then recover");
    if (status == EX_OK) {
        head.organisation = get.organisation;
        head.organisation_name = a->entry->name;
        head.entry = a->entry;
        head.n_crls = a->n_crls;
        head.crls = a->crls;
        item.item_case = BRUG__V1__RECOVERY_ITEM__ITEM_HEAD;
        item.head = &head;
        status = put(r, &item);
    }
    arena_free(arena);
    return status;
}

static int put_page(struct recovery *r, const Brug__V1__RecoveredPage *page)
{
    int status = EX_OK;
    for (size_t i = 0; status == EX_OK && i < page->n_letters; i++) {
        Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
        item.item_case = BRUG__V1__RECOVERY_ITEM__ITEM_LETTER;
        item.letter = page->letters[i];
        status = put(r, &item);
    }
    r->end.letters += page->n_letters;
    r->end.damaged += page->damaged;
    return status;
}

/* Where the next page begins; its ids outlive the answer that named them. */
struct cursor {
    uint8_t message[ID_BYTES], organisation[ID_BYTES];
};

static int go_on(Brug__V1__Recover *ask, const Brug__V1__RecoveredPage *page, struct cursor *at)
{
    struct cursor next;
    bool is_first = ask->after_message.len == 0;
    ask->until_lsn = page->until_lsn;
    if (page->next_message.len != ID_BYTES || page->next_organisation.len != ID_BYTES)
        return ctl_complain(EX_SOFTWARE, "the relay's answer does not say where the next page "
                                         "begins: use the same version of both");
    memcpy(next.message, page->next_message.data, ID_BYTES);
    memcpy(next.organisation, page->next_organisation.data, ID_BYTES);
    if (!is_first && memcmp(&next, at, sizeof next) == 0)
        return ctl_complain(EX_SOFTWARE, "the relay's pages do not go on");
    *at = next;
    ask->after_message = (ProtobufCBinaryData){ID_BYTES, at->message};
    ask->after_organisation = (ProtobufCBinaryData){ID_BYTES, at->organisation};
    return EX_OK;
}

static int put_letters(struct recovery *r)
{
    Brug__V1__Recover ask = BRUG__V1__RECOVER__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct cursor at;
    bool has_more = true;
    int status = EX_OK;
    ask.organisation = ctl_bytes(id_slice(&r->organisation));
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_RECOVER;
    request.recover = &ask;
    while (status == EX_OK && has_more) {
        Brug__V1__AdminAnswer *a = NULL;
        struct arena *arena = arena_new();
        if (arena == NULL)
            return ctl_complain(EX_SOFTWARE, "out of memory");
        status = ctl_call(r->o, &request, arena, &a);
        if (status == EX_OK && a->recovered == NULL)
            status = ctl_complain(EX_SOFTWARE,
                                  "the relay's answer holds no page: use the same version of both");
        if (status == EX_OK)
            status = put_page(r, a->recovered);
        has_more = status == EX_OK && !a->recovered->is_last;
        if (has_more)
            status = go_on(&ask, a->recovered, &at);
        arena_free(arena);
    }
    return status;
}

static int put_all(struct recovery *r)
{
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    if (fputs(RECOVERY_MARK, r->to) == EOF)
        return ctl_complain(EX_IOERR, "cannot write %s: %s", r->o->out, strerror(errno));
    int status = put_head(r);
    if (status == EX_OK)
        status = put_letters(r);
    item.item_case = BRUG__V1__RECOVERY_ITEM__ITEM_END;
    item.end = &r->end;
    return status == EX_OK ? put(r, &item) : status;
}

static int make_file(struct recovery *r)
{
    const char *path = r->o->out;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    r->to = fd < 0 ? NULL : fdopen(fd, "w");
    if (r->to == NULL)
        return ctl_complain(EX_CANTCREAT, "cannot write %s: %s", path,
                            errno == EEXIST ? "it exists already; choose another name"
                                            : strerror(errno));
    int status = put_all(r);
    bool is_whole = fflush(r->to) == 0 && fsync(fd) == 0;
    if (status == EX_OK && !is_whole)
        status = ctl_complain(EX_IOERR, "cannot write %s: %s", path, strerror(errno));
    if (fclose(r->to) != 0 && status == EX_OK)
        status = ctl_complain(EX_IOERR, "cannot write %s: %s", path, strerror(errno));
    if (status != EX_OK)
        (void)unlink(path); /* half a file helps nobody */
    return status;
}

int recover_command(const struct ctl_options *o)
{
    struct recovery r = {.o = o, .end = BRUG__V1__RECOVERY_END__INIT};
    int status = ctl_parse_id("the organisation", o->argument, &r.organisation);
    if (status == EX_OK && o->out == NULL)
        status =
            ctl_complain(EX_USAGE, "--out is missing: the file for the holder of the recovery key");
    if (status != EX_OK)
        return status;
    buf_init(&r.bytes, LIMIT_RECOVERY_ITEM_BYTES + 16);
    status = make_file(&r);
    buf_fini(&r.bytes);
    if (status == EX_OK && o->is_json)
        return ctl_print_message(o, &r.end.base);
    if (status == EX_OK)
        (void)printf("wrote %" PRIu64 " sealed letter%s to %s%s: bring it to the holder of the "
                     "recovery key, who runs `brug recover`\n",
                     r.end.letters, r.end.letters == 1 ? "" : "s", o->out,
                     r.end.damaged ? " (some were damaged and left out)" : "");
    return status;
}
