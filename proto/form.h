/*
 * proto/form.h: the forms that a field of a message can have, and tables of them. Inside proto/ only.
 *
 * A message type has one table of rules, a row for each of its own fields (what lies in its
 * submessages has tables of its own; proto/check*.c walk them by hand, so nothing recurses).
 */
#ifndef PROTO_FORM_H
#define PROTO_FORM_H

#include "base/error.h"
#include "base/id.h"
#include "proto/limits.h"
#include <protobuf-c/protobuf-c.h>

enum form {
    FORM_ID,         /* 16 bytes, not all zero */
    FORM_ID_OR_NONE, /* the same, or empty */
    FORM_UUID,       /* an id that its maker chose: RFC 9562, version 4, 7 or 8, so never a text */
    FORM_UUID_OR_NONE,   /* the same, or empty */
    FORM_IDS,            /* repeated FORM_ID, `min` to `max` of them */
    FORM_IDS_ASCENDING,  /* the same, each greater than the one before */
    FORM_BYTES,          /* `min` to `max` bytes */
    FORM_BYTES_REPEATED, /* at most `count_max` of them, each of 1 to `max` bytes */
    FORM_DIGEST,         /* 32 bytes */
    FORM_DIGEST_OR_NONE, /* the same, or empty */
    FORM_TEXT,           /* one line of clean text of `min` to `max` bytes */
    FORM_LINES,          /* clean text of `min` to `max` bytes */
    FORM_NUMBER,         /* uint32 from `min` to `max` */
    FORM_NUMBER64,       /* uint64 from `min` to `max` */
    FORM_TIME,           /* ms since 1970, `min` (0 or 1) up to the year 2100 */
    FORM_CODE,           /* an enum's value in `list`; 0 only if `min` is 0 */
    FORM_MESSAGE,        /* a submessage that must be there */
    FORM_COUNT,          /* repeated submessages, `min` to `max` of them */
};

/*
 * A row begins with FORM(type, member, form, name, error) or, for a repeated member, with
 * FORM_MANY(...); designated initialisers say the rest.
 */
#define FORM(type, member, form_, name, error_) \
    .field = (name), .form = (form_), .offset = offsetof(Brug__V1__##type, member), \
    .error = (error_)
#define FORM_MANY(type, member, form_, name, error_) \
    FORM(type, member, form_, name, error_), .count_offset = offsetof(Brug__V1__##type, n_##member)

struct form_rule {
    const char *field;
    enum form form;
    size_t offset;       /* of the member */
    size_t count_offset; /* of its n_, if repeated */
    uint64_t min, max;
    size_t count_max;
    const ProtobufCEnumDescriptor *list;
    enum error error; /* when it does not hold */
};

#define FORM_TIME_MAX 4102444800000ll /* 2100-01-01 */
#define FORM_DAY_MIN LIMIT_DATE_MIN
#define FORM_DAY_MAX LIMIT_DATE_MAX

/* The first row that does not hold: its error, and its name in *field. */
enum error form_check(const void *message, const struct form_rule *rules, size_t n,
                      const char **field) MUST_CHECK;

struct slice form_slice(ProtobufCBinaryData b);
bool form_is_uuid(const struct id *id);
bool form_is_known(const ProtobufCEnumDescriptor *list, int value);
/* Names the field and returns the error, for checks that are no row. */
enum error form_refuse(enum error e, const char *name, const char **field);

/* form_check() with a whole table, which must be an array. */
#define FORM_CHECK(rules, message, field) \
    form_check((message), (rules), sizeof(rules) / sizeof((rules)[0]), (field))

#endif
