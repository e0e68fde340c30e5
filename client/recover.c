/*
 * client/recover.c: letters of an organisation whose keys are all lost, from the relay by way of the recovery key to new clients.
 *
 *     relay --file--> recovery profile --file--> new client
 *
 * Happy path: the recovery profile takes the new clients and the revocation lists from the relay's file, and once a person has
 * confirmed these clients, opens each letter with its key, judges its author by its own anchors, and writes a HISTORY sealed to
 * the clients. The new client takes those in as any HISTORY (inbox.c), from the recovery entry that it believes.
 * Failures: a file is read through before anything is done with it; what is not whole is refused. A letter that does not open or
 * hold is counted and left out. A file that could not be written whole is taken away.
 */
#include "client/history.h"
#include "client/home.h"
#include "client/inbox.h"
#include "client/keep.h"
#include "client/letters.h"
#include "client/outbox.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEM(name) BRUG__V1__RECOVERY_ITEM__ITEM_##name
#define LENGTH_BYTES_MAX 5u /* before an item [P-9] */

/* ---- reading a file ---- */

struct reader {
    struct brug *b;
    const char *path;
    FILE *from;
    struct buf bytes; /* of one item, its length before it */
    struct arena *arena;
    const Brug__V1__RecoveryItem *item; /* NULL: the file is at its end */
    uint64_t damaged_letters;           /* as its end says */
};

static enum error refuse(const struct reader *r, const char *why)
{
    return client_fail(r->b, ERROR_USAGE, "%s %s", r->path, why);
}

static enum error damaged(const struct reader *r)
{
    return refuse(r, "is damaged or cut off: ask for it again");
}

/* One more item's bytes, cut as a frame is [P-8] [P-9]. *out empty: the file is at its end. */
static enum error read_bytes(struct reader *r, struct slice *out)
{
    bool is_complete = false;
    size_t wanted = 1;
    uint8_t *at;
    buf_clear(&r->bytes);
    *out = SLICE_NONE;
    while (!is_complete) {
        size_t more = wanted > r->bytes.len ? wanted - r->bytes.len : 1;
        if (buf_extend(&r->bytes, more, &at) != ERROR_NONE)
            return client_failed(r->b, ERROR_NO_MEMORY);
        size_t got = fread(at, 1, more, r->from);
        if (ferror(r->from))
            return client_fail(r->b, ERROR_IO, "cannot read %s: %s", r->path, strerror(errno));
        if (got == 0 && r->bytes.len == 1)
            return ERROR_NONE;
        struct slice in = buf_slice(&r->bytes);
        if (got != more ||
            frame_next(&in, LIMIT_RECOVERY_ITEM_BYTES, out, &is_complete, &wanted) != ERROR_NONE)
            return damaged(r);
    }
    return ERROR_NONE;
}

static enum error read_item(struct reader *r)
{
    struct slice bytes;
    ProtobufCMessage *m = NULL;
    r->item = NULL;
    enum error e = read_bytes(r, &bytes);
    if (e != ERROR_NONE || bytes.len == 0)
        return e;
    arena_reset(r->arena, frame_budget(bytes.len));
    e = frame_decode_borrowed(r->arena, &brug__v1__recovery_item__descriptor, bytes, &m);
    if (e != ERROR_NONE)
        return arena_lacked_memory(r->arena) ? client_failed(r->b, ERROR_NO_MEMORY) : damaged(r);
    r->item = (const Brug__V1__RecoveryItem *)m;
    return ERROR_NONE;
}

static void reader_fini(struct reader *r)
{
    if (r->from)
        (void)fclose(r->from); /* only read */
    arena_free(r->arena);
    buf_fini(&r->bytes);
}

static enum error reader_open(struct reader *r, struct brug *b, const char *path)
{
    *r = (struct reader){.b = b, .path = path};
    buf_init(&r->bytes, LIMIT_RECOVERY_ITEM_BYTES + LENGTH_BYTES_MAX);
    r->arena = arena_new();
    r->from = fopen(path, "rbe");
    if (!r->arena)
        return client_failed(b, ERROR_NO_MEMORY);
    return r->from ? ERROR_NONE
                   : client_fail(b, ERROR_IO, "cannot read %s: %s", path, strerror(errno));
}

static bool is_item(const struct reader *r, Brug__V1__RecoveryItem__ItemCase item_case)
{
    return r->item && r->item->item_case == item_case;
}

/* To the first item, which must be a head of this organisation and of the right kind of file. */
static enum error read_head(struct reader *r)
{
    char mark[sizeof RECOVERY_MARK - 1];
    rewind(r->from);
    if (fread(mark, 1, sizeof mark, r->from) != sizeof mark ||
        memcmp(mark, RECOVERY_MARK, sizeof mark) != 0)
        return refuse(r, "is no recovery file");
    enum error e = read_item(r);
    if (e != ERROR_NONE)
        return e;
    if (!is_item(r, ITEM(HEAD)))
        return damaged(r);
    const Brug__V1__RecoveryHead *h = r->item->head;
    if (!slice_equal(check_slice(h->organisation), id_slice(&r->b->self.organisation)))
        return refuse(r, "is of another organisation");
    if (h->is_sealed_again == r->b->self.is_recovery)
        return refuse(r,
                      r->b->self.is_recovery
                          ? "is for the new clients, not for the recovery key"
                          : "is for the holder of the recovery key, who makes one for this client");
    return ERROR_NONE;
}

static enum error check_letter(const struct reader *r, const Brug__V1__RecoveredLetter *l)
{
    const char *field = NULL;
    if (l->envelope.len == 0 || l->envelope.len > LIMIT_MESSAGE_BYTES_MAX || l->stored_at_ms < 0 ||
        (l->author && check_entry(l->author, &field) != ERROR_NONE))
        return damaged(r);
    return ERROR_NONE;
}

typedef enum error on_letter_cb(void *ctx, const struct reader *r,
                                const Brug__V1__RecoveredLetter *l);

/* All of the file: head, letters, and an end that counted them [P-158]. It may change while we are at it: it is judged alike each
 * time. */
static enum error read_letters(struct reader *r, on_letter_cb *on_letter, void *ctx)
{
    uint64_t letters = 0;
    enum error e = read_head(r);
    if (e == ERROR_NONE)
        e = read_item(r);
    for (; e == ERROR_NONE && is_item(r, ITEM(LETTER)); letters++) {
        e = check_letter(r, r->item->letter);
        if (e == ERROR_NONE)
            e = on_letter(ctx, r, r->item->letter);
        if (e == ERROR_NONE)
            e = read_item(r);
    }
    if (e == ERROR_NONE && (!is_item(r, ITEM(END)) || r->item->end->letters != letters))
        e = damaged(r);
    if (e != ERROR_NONE)
        return e;
    r->damaged_letters = r->item->end->damaged;
    e = read_item(r);
    return e == ERROR_NONE && r->item ? damaged(r) : e;
}

static enum error pass_letter(void *ctx, const struct reader *r, const Brug__V1__RecoveredLetter *l)
{
    (void)ctx; /* only whether it is there */
    (void)r;
    (void)l;
    return ERROR_NONE;
}

/* ---- a new client takes letters in ---- */

static enum error take_letter(void *ctx, const struct reader *r, const Brug__V1__RecoveredLetter *l)
{
    struct brug_recovered *result = ctx;
    struct arena *a = NULL;
    ProtobufCMessage *m = NULL;
    enum inbox_outcome outcome = INBOX_REFUSED;
    enum error e = home_decode(&brug__v1__envelope__descriptor, check_slice(l->envelope), &a, &m);
    if (e == ERROR_NONE)
        e = inbox_recover(r->b, (const Brug__V1__Envelope *)m, &outcome);
    arena_free(a);
    if (e != ERROR_NONE && e != ERROR_USAGE)
        return client_failed(r->b, e);
    result->letters += outcome == INBOX_TAKEN;
    result->known += outcome == INBOX_KNOWN;
    result->waiting += outcome == INBOX_WAITS;
    result->unreadable += outcome == INBOX_REFUSED;
    return ERROR_NONE;
}

/* ---- the recovery profile seals them again ---- */

struct sealer {
    struct brug *b;
    const struct belief *own;
    X509 *certificates[LIMIT_READERS];
    ProtobufCBinaryData readers[LIMIT_READERS];
    size_t reader_count;
    FILE *to;
    struct buf bytes; /* of one item */
    uint64_t written;
    struct brug_recovered *result;
};

/* The new clients and the lists by which they are judged: from now on `brug trust` shows them. */
static enum error keep_head(struct reader *r)
{
    const Brug__V1__RecoveryHead *h = r->item->head;
    const char *field = NULL;
    struct brug *b = r->b;
    bool is_new = false;
    if (!h->entry || check_organisation(h->entry, &field) != ERROR_NONE)
        return damaged(r);
    enum error e = db_begin(b->db);
    if (e != ERROR_NONE)
        return client_failed(b, e);
    for (size_t i = 0; e == ERROR_NONE && i < h->n_crls; i++)
        e = keep_crl(b, check_slice(h->crls[i]), &is_new);
    if (e == ERROR_NONE)
        e = keep_organisation(b, &b->self.municipality, 0, h->entry);
    e = db_end(b->db, e);
    enum error loaded = home_load_trust(b); /* as the store has it now, whatever happened */
    return client_failed(b, e != ERROR_NONE ? e : loaded);
}

static enum error add_reader(struct sealer *s, const struct belief_entry *entry)
{
    if (entry->state == BRUG_TRUST_REFUSED)
        return client_fail(s->b, ERROR_NOT_BELIEVED,
                           "a client of the organisation is not valid: %s", entry->what);
    if (entry->state != BRUG_TRUST_BELIEVED)
        return client_fail(s->b, ERROR_CONFIRM, "the new clients must be confirmed first");
    if (s->reader_count == LIMIT_READERS)
        return client_failed(s->b, ERROR_TOO_MANY_READERS);
    enum error e = certificate_from_der(&s->certificates[s->reader_count],
                                        check_slice(entry->entry->sealing_certificate));
    if (e != ERROR_NONE)
        return client_failed(s->b, e);
    s->readers[s->reader_count++] = client_id_field(&entry->endpoint);
    return ERROR_NONE;
}

static enum error find_readers(struct sealer *s)
{
    enum error e = ERROR_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < s->own->entry_count; i++)
        if (!s->own->entries[i].is_recovery)
            e = add_reader(s, &s->own->entries[i]);
    if (e == ERROR_NONE && s->reader_count == 0)
        e = client_fail(s->b, ERROR_NO_READER,
                        "the organisation has no client that reads: enrol a new one first");
    return e;
}

static enum error put(struct sealer *s, const Brug__V1__RecoveryItem *item)
{
    buf_clear(&s->bytes);
    enum error e = frame_append(&s->bytes, &item->base);
    if (e != ERROR_NONE)
        return client_failed(s->b, e);
    return fwrite(s->bytes.data, 1, s->bytes.len, s->to) == s->bytes.len
               ? ERROR_NONE
               : client_fail(s->b, ERROR_IO, "the file cannot be written: %s", strerror(errno));
}

struct opened {
    const Brug__V1__RecoveredLetter *from;
    const Brug__V1__Header *header;
    struct letter *letter;
};

struct author_judge {
    struct brug *b;
    const struct opened *o;
};

/* The profile knows nobody but its own organisation: an author stands by our anchors, at the time of the letter. The new clients
 * judge it again, by what they know. */
static enum error judge_author(void *ctx, X509 *signer)
{
    const struct author_judge *j = ctx;
    const Brug__V1__Sender *from = j->o->header->from;
    struct id organisation = client_field_id(from->organisation);
    struct id endpoint = client_field_id(from->endpoint);
    struct id person = client_field_id(from->person);
    if (!j->o->from->author)
        return ERROR_LETTER_SIGNER;
    return pins_judge_handed(j->b, &organisation, &endpoint, &person, signer, j->o->from->author,
                             j->o->header->written_at_ms);
}

static enum error write_header(struct sealer *s, const struct opened *o, struct buf *out)
{
    uint8_t random[10];
    const char *field = NULL;
    Brug__V1__Header h;
    Brug__V1__Sender from;
    enum error e = client_random(random, sizeof random);
    if (e != ERROR_NONE)
        return e;
    struct id id = id_v7(client_now_ms(s->b), random);
    letters_begin_header(s->b, BRUG__V1__KIND__KIND_HISTORY, &id, &from, &h);
    h.case_id = o->header->case_id;
    h.municipality = o->header->municipality;
    h.to = from.organisation;
    h.readers = s->readers;
    h.n_readers = s->reader_count;
    h.in_reply_to = o->header->message_id;
    e = check_handed_header(&h, &field);
    return e == ERROR_NONE ? frame_append_bare(out, &h.base) : e;
}

static enum error seal(struct sealer *s, const struct opened *o, struct slice original,
                       struct slice header, struct buf *sealed)
{
    uint8_t random[32], zeros[DIGEST_BYTES] = {0};
    struct digest digest;
    Brug__V1__Content content = BRUG__V1__CONTENT__INIT;
    Brug__V1__HistoryLetter history = BRUG__V1__HISTORY_LETTER__INIT;
    content.nonce = content.header_digest =
        (ProtobufCBinaryData){.len = sizeof zeros, .data = zeros};
    content.sender_roster_digest = content.to_roster_digest =
        client_field(digest_slice(&s->own->roster_digest));
    content.history = &history;
    history.header = client_field(original);
    history.signed_data = client_field(buf_slice(&o->letter->signed_data));
    history.author = o->from->author;
    history.stored_at_ms = o->from->stored_at_ms;
    history.was_opened = o->from->was_opened;
    enum error e = client_random(random, sizeof random);
    return e == ERROR_NONE ? letter_seal(&s->b->keys, header, &content, s->certificates,
                                         s->reader_count, random, sealed, &digest)
                           : e;
}

static enum error put_letter(struct sealer *s, const struct opened *o, struct slice original)
{
    struct buf header, sealed, envelope;
    Brug__V1__Envelope e1 = BRUG__V1__ENVELOPE__INIT;
    Brug__V1__RecoveredLetter l = BRUG__V1__RECOVERED_LETTER__INIT;
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    buf_init(&header, LIMIT_HEADER_BYTES);
    buf_init(&sealed, CLIENT_SEALED_BYTES_MAX);
    buf_init(&envelope, LIMIT_RECOVERY_ITEM_BYTES);
    enum error e = write_header(s, o, &header);
    if (e == ERROR_NONE)
        e = seal(s, o, original, buf_slice(&header), &sealed);
    if (e == ERROR_NONE) {
        e1.header = client_field(buf_slice(&header));
        e1.sealed = client_field(buf_slice(&sealed));
        e = frame_append_bare(&envelope, &e1.base);
    }
    if (e == ERROR_NONE) {
        l.envelope = client_field(buf_slice(&envelope));
        l.stored_at_ms = o->from->stored_at_ms;
        item.item_case = ITEM(LETTER);
        item.letter = &l;
        e = put(s, &item);
        s->written += e == ERROR_NONE;
    } else {
        e = client_failed(s->b, e);
    }
    buf_fini(&header);
    buf_fini(&sealed);
    buf_fini(&envelope);
    return e;
}

static bool is_of_letter(enum error e)
{
    return e == ERROR_USAGE || (e >= ERROR_LETTER_PROFILE && e <= ERROR_LETTER_CONTENT);
}

/* ERROR_USAGE and LETTER_*: there is something wrong with it. */
static enum error open_letter(struct brug *b, const Brug__V1__Envelope *envelope, struct opened *o,
                              struct arena **arena)
{
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    struct author_judge j = {.b = b, .o = o};
    enum error e =
        home_decode(&brug__v1__header__descriptor, check_slice(envelope->header), arena, &m);
    if (e != ERROR_NONE)
        return e;
    o->header = (const Brug__V1__Header *)m;
    if (check_handed_header(o->header, &field) != ERROR_NONE ||
        o->header->kind == BRUG__V1__KIND__KIND_HISTORY ||
        o->header->kind == BRUG__V1__KIND__KIND_FAMILY_KEY)
        return ERROR_LETTER_HEADER;
    e = letter_open(&b->keys, check_slice(envelope->header), check_slice(envelope->sealed),
                    judge_author, &j, &o->letter);
    return e == ERROR_CONFIRM ? ERROR_LETTER_SIGNER : e;
}

static enum error seal_letter(void *ctx, const struct reader *r, const Brug__V1__RecoveredLetter *l)
{
    struct sealer *s = ctx;
    struct arena *envelope_arena = NULL, *header_arena = NULL;
    ProtobufCMessage *m = NULL;
    struct opened o = {.from = l};
    enum error e =
        home_decode(&brug__v1__envelope__descriptor, check_slice(l->envelope), &envelope_arena, &m);
    const Brug__V1__Envelope *envelope = (const Brug__V1__Envelope *)m;
    if (e == ERROR_NONE)
        e = open_letter(s->b, envelope, &o, &header_arena);
    if (e == ERROR_NONE)
        e = put_letter(s, &o, check_slice(envelope->header));
    else if (!is_of_letter(e))
        e = client_failed(s->b, e);
    s->result->letters += e == ERROR_NONE;
    if (is_of_letter(e) || e == ERROR_MESSAGE_TOO_LARGE) {
        s->result->unreadable++;
        e = ERROR_NONE;
    }
    letter_free(o.letter);
    arena_free(header_arena);
    arena_free(envelope_arena);
    return e;
}

static enum error put_head(struct sealer *s)
{
    char name[256];
    Brug__V1__RecoveryHead head = BRUG__V1__RECOVERY_HEAD__INIT;
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    enum error e = store_get_text(s->b->db, "organisation_name", name, sizeof name);
    if (e != ERROR_NONE)
        return client_failed(s->b, e);
    head.organisation = client_id_field(&s->b->self.organisation);
    head.organisation_name = name;
    head.is_sealed_again = true;
    item.item_case = ITEM(HEAD);
    item.head = &head;
    return fputs(RECOVERY_MARK, s->to) == EOF
               ? client_fail(s->b, ERROR_IO, "the file cannot be written: %s", strerror(errno))
               : put(s, &item);
}

static enum error put_end(struct sealer *s)
{
    Brug__V1__RecoveryEnd end = BRUG__V1__RECOVERY_END__INIT;
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    end.letters = s->written;
    item.item_case = ITEM(END);
    item.end = &end;
    return put(s, &item);
}

static enum error seal_all(struct sealer *s, struct reader *r)
{
    enum error e = put_head(s);
    if (e == ERROR_NONE)
        e = read_letters(r, seal_letter, s);
    return e == ERROR_NONE ? put_end(s) : e;
}

/* Never over a file that is there; and nothing stays of one that is not whole. */
static enum error write_file(struct sealer *s, struct reader *r, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return client_fail(s->b, errno == EEXIST ? ERROR_EXISTS : ERROR_IO, "cannot write %s: %s",
                           path, strerror(errno));
    s->to = fdopen(fd, "w");
    enum error e = s->to ? seal_all(s, r) : client_failed(s->b, ERROR_NO_MEMORY);
    if (e == ERROR_NONE && (fflush(s->to) != 0 || fsync(fd) != 0))
        e = client_fail(s->b, ERROR_IO, "cannot write %s: %s", path, strerror(errno));
    if ((s->to ? fclose(s->to) : close(fd)) != 0 && e == ERROR_NONE)
        e = client_fail(s->b, ERROR_IO, "cannot write %s: %s", path, strerror(errno));
    if (e != ERROR_NONE)
        (void)unlink(path); /* its failure changes nothing for whoever reads the error */
    return e;
}

static enum error seal_again(struct reader *r, const char *out, struct brug_recovered *result)
{
    struct belief *own = NULL;
    enum error e = read_head(r);
    if (e == ERROR_NONE)
        e = keep_head(r);
    if (e == ERROR_NONE)
        e = client_failed(r->b, pins_judge(r->b, &r->b->self.organisation, &own));
    if (e != ERROR_NONE)
        return e;
    struct sealer *s = calloc(1, sizeof *s);
    if (s) {
        s->b = r->b;
        s->own = own;
        s->result = result;
        buf_init(&s->bytes, LIMIT_RECOVERY_ITEM_BYTES + 16);
        e = find_readers(s);
        if (e == ERROR_NONE)
            e = write_file(s, r, out);
        for (size_t i = 0; i < s->reader_count; i++)
            X509_free(s->certificates[i]);
        buf_fini(&s->bytes);
    } else {
        e = client_failed(r->b, ERROR_NO_MEMORY);
    }
    free(s);
    belief_free(own);
    return e;
}

/* ---- both ---- */

int brug_recover(struct brug *b, const char *path, const char *out, struct brug_recovered *result)
{
    struct reader r;
    struct brug_recovered found = {0};
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE && (out != NULL) != b->self.is_recovery)
        e = client_fail(b, ERROR_USAGE,
                        b->self.is_recovery
                            ? "a recovery profile writes the letters to a file: say which"
                            : "only a recovery profile writes such a file");
    if (e != ERROR_NONE)
        return (int)e;
    e = reader_open(&r, b, path);
    if (e == ERROR_NONE)
        e = read_letters(&r, pass_letter, NULL);
    if (e == ERROR_NONE)
        e = out ? seal_again(&r, out, &found) : read_letters(&r, take_letter, &found);
    found.damaged = r.damaged_letters;
    reader_fini(&r);
    if (e == ERROR_NONE)
        *result = found;
    client_wake(b);
    return (int)e;
}
