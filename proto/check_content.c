/*
 * proto/check_content.c: what a letter holds, after it was opened; see check.h. Every failure is
 * LETTER_CONTENT: the signature already says who wrote it.
 */
#include "base/text.h"
#include "proto/check.h"
#include "proto/form.h"
#include "proto/limits.h"
#include <string.h>

#define BAD ERROR_LETTER_CONTENT
#define NONCE_BYTES 32u
#define TELEPHONES_MAX 4u
#define TELEPHONE_BYTES_MAX 32u
#define ADDRESS_BYTES_MAX 400u
#define RISKS_BYTES_MAX 4000u
#define MEDIA_TYPE_BYTES_MAX 100u
#define BSN_BYTES 9u

static const struct form_rule CONTENT[] = {
    {FORM(Content, nonce, FORM_BYTES, "content.nonce", BAD), .min = NONCE_BYTES,
     .max = NONCE_BYTES},
    {FORM(Content, header_digest, FORM_DIGEST, "content.header_digest", BAD)},
    {FORM(Content, sender_roster_digest, FORM_DIGEST, "content.sender_roster_digest", BAD)},
    {FORM(Content, to_roster_digest, FORM_DIGEST, "content.to_roster_digest", BAD)},
    {FORM(Content, answered_digest, FORM_DIGEST_OR_NONE, "content.answered_digest", BAD)},
    {FORM(Content, family_key, FORM_DIGEST_OR_NONE, "content.family_key", BAD)},
};

static const struct form_rule SEEN[] = {
    {FORM(SeenMessage, message_id, FORM_ID, "seen.message_id", BAD)},
    {FORM(SeenMessage, letter_digest, FORM_DIGEST, "seen.letter_digest", BAD)},
};

static const struct form_rule LETTER[] = {
    {FORM(Letter, subject, FORM_TEXT, "letter.subject", BAD), .max = LIMIT_NAME_BYTES},
    {FORM(Letter, text, FORM_LINES, "letter.text", BAD), .max = LIMIT_LETTER_TEXT_BYTES},
    {FORM(Letter, ground, FORM_CODE, "letter.ground", BAD), .list = &brug__v1__ground__descriptor},
    {FORM_MANY(Letter, attachments, FORM_COUNT, "letter.attachments", BAD),
     .max = LIMIT_ATTACHMENTS},
    {FORM(Letter, risks, FORM_LINES, "letter.risks", BAD), .max = RISKS_BYTES_MAX},
};

static const struct form_rule YOUTH[] = {
    {FORM(Youth, name, FORM_TEXT, "youth.name", BAD), .max = LIMIT_NAME_BYTES},
    {FORM(Youth, bsn, FORM_TEXT, "youth.bsn", BAD), .max = BSN_BYTES},
    {FORM_MANY(Youth, telephones, FORM_COUNT, "youth.telephones", BAD), .max = TELEPHONES_MAX},
    {FORM(Youth, address, FORM_LINES, "youth.address", BAD), .max = ADDRESS_BYTES_MAX},
};

static const struct form_rule ATTACHMENT[] = {
    {FORM(Attachment, name, FORM_TEXT, "attachment.name", BAD), .min = 1, .max = LIMIT_NAME_BYTES},
    {FORM(Attachment, media_type, FORM_TEXT, "attachment.media_type", BAD),
     .max = MEDIA_TYPE_BYTES_MAX},
};

static const struct form_rule HISTORY[] = {
    {FORM(HistoryLetter, header, FORM_BYTES, "history.header", BAD), .min = 1,
     .max = LIMIT_HEADER_BYTES},
    {FORM(HistoryLetter, signed_data, FORM_BYTES, "history.signed_data", BAD), .min = 1,
     .max = LIMIT_CONTENT_BYTES},
    {FORM(HistoryLetter, stored_at_ms, FORM_TIME, "history.stored_at_ms", BAD)},
};

static bool is_bsn(const char *text)
{
    return strlen(text) == BSN_BYTES && strspn(text, "0123456789") == BSN_BYTES &&
           text_has_bsn(slice_text(text));
}

/* yyyymmdd of a day that exists, from 1900 on. */
static bool is_date(uint32_t date)
{
    static const unsigned DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = date / 10000, month = date / 100 % 100, day = date % 100;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1900 || year > 2100 || month < 1 || month > 12 || day < 1 || day > DAYS[month - 1])
        return false;
    return is_leap || month != 2 || day <= 28;
}

static enum error check_youth(const Brug__V1__Youth *y, const char **field)
{
    enum error e = FORM_CHECK(YOUTH, y, field);
    if (e != ERROR_NONE)
        return e;
    if (y->born != 0 && !is_date(y->born))
        return form_refuse(BAD, "youth.born", field);
    if (y->bsn[0] != '\0' && !is_bsn(y->bsn))
        return form_refuse(BAD, "youth.bsn", field);
    for (size_t i = 0; i < y->n_telephones; i++) {
        struct slice s = slice_text(y->telephones[i]);
        if (s.len < 1 || s.len > TELEPHONE_BYTES_MAX || !text_is_clean(s, false))
            return form_refuse(BAD, "youth.telephones", field);
    }
    return ERROR_NONE;
}

/* A name that no client can take for a path. */
static bool is_file_name(const char *name)
{
    return name[0] != '.' && name[0] != ' ' && !strpbrk(name, "/\\:");
}

static enum error check_letter(const Brug__V1__Letter *l, const char **field)
{
    enum error e = FORM_CHECK(LETTER, l, field);
    if (e == ERROR_NONE && l->youth)
        e = check_youth(l->youth, field);
    for (size_t i = 0; e == ERROR_NONE && i < l->n_attachments; i++) {
        e = FORM_CHECK(ATTACHMENT, l->attachments[i], field);
        if (e == ERROR_NONE && !is_file_name(l->attachments[i]->name))
            e = form_refuse(BAD, "attachment.name", field);
    }
    return e;
}

static enum error check_history(const Brug__V1__HistoryLetter *h, const char **field)
{
    enum error e = FORM_CHECK(HISTORY, h, field);
    if (e == ERROR_NONE && h->author && check_entry(h->author, field) != ERROR_NONE)
        e = form_refuse(BAD, "history.author", field);
    return e;
}

static bool is_zero(ProtobufCBinaryData b)
{
    return b.len == 0 || (b.data[0] == 0 && memcmp(b.data, b.data + 1, b.len - 1) == 0);
}

enum error check_content(const Brug__V1__Content *c, const char **field)
{
    enum error e = FORM_CHECK(CONTENT, c, field);
    if (e == ERROR_NONE && c->seen)
        e = FORM_CHECK(SEEN, c->seen, field);
    if (e == ERROR_NONE &&
        (c->letter != NULL) + (c->history != NULL) + (c->family_key.len > 0) != 1)
        e = form_refuse(BAD, "content.letter", field);
    if (e == ERROR_NONE && c->letter)
        e = check_letter(c->letter, field);
    if (e == ERROR_NONE && c->history)
        e = check_history(c->history, field);
    if (e == ERROR_NONE && !is_zero(c->padding))
        e = form_refuse(BAD, "content.padding", field);
    return e;
}
