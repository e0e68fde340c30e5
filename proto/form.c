/* proto/form.c: see form.h. Pure; never fails otherwise than by its rows. */
#include "proto/form.h"
#include "base/digest.h"
#include "base/text.h"
#include <string.h>

struct slice form_slice(ProtobufCBinaryData b) { return slice_of(b.data, b.len); }

bool form_is_uuid(const struct id *id)
{
    unsigned version = id_version(id);
    return version == 4 || version == 7 || version == 8;
}

bool form_is_known(const ProtobufCEnumDescriptor *list, int value)
{
    return protobuf_c_enum_descriptor_get_value(list, value) != NULL;
}

enum error form_refuse(enum error e, const char *name, const char **field)
{
    *field = name;
    return e;
}

static bool is_id(ProtobufCBinaryData b, bool may_be_none, bool must_be_uuid)
{
    struct id id;
    if (b.len != ID_BYTES)
        return b.len == 0 && may_be_none;
    memcpy(id.bytes, b.data, ID_BYTES);
    return must_be_uuid ? form_is_uuid(&id) : memcmp(id.bytes, ID_NONE.bytes, ID_BYTES) != 0;
}

static bool are_ids(const ProtobufCBinaryData *ids, size_t n, bool must_ascend)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_id(ids[i], false, false))
            return false;
        if (must_ascend && i > 0 && memcmp(ids[i - 1].data, ids[i].data, ID_BYTES) >= 0)
            return false;
    }
    return true;
}

static bool is_within(uint64_t v, const struct form_rule *r) { return v >= r->min && v <= r->max; }

static bool is_text(const char *text, const struct form_rule *r)
{
    struct slice s = slice_text(text);
    return is_within(s.len, r) && text_is_clean(s, r->form == FORM_LINES);
}

static bool are_bytes(const ProtobufCBinaryData *b, size_t n, const struct form_rule *r)
{
    if (n > r->count_max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (b[i].len < 1 || b[i].len > r->max)
            return false;
    return true;
}

static bool repeated_holds(const uint8_t *message, const struct form_rule *r)
{
    size_t n = *(const size_t *)(const void *)(message + r->count_offset);
    const void *array = *(void *const *)(const void *)(message + r->offset);
    if (r->form == FORM_BYTES_REPEATED)
        return are_bytes(array, n, r);
    if (!is_within(n, r))
        return false;
    return r->form == FORM_COUNT || are_ids(array, n, r->form == FORM_IDS_ASCENDING);
}

static bool holds(const uint8_t *message, const struct form_rule *r)
{
    const void *at = message + r->offset;
    const ProtobufCBinaryData *b = at;
    switch (r->form) {
    case FORM_ID:
        return is_id(*b, false, false);
    case FORM_ID_OR_NONE:
        return is_id(*b, true, false);
    case FORM_UUID:
        return is_id(*b, false, true);
    case FORM_UUID_OR_NONE:
        return is_id(*b, true, true);
    case FORM_IDS:
    case FORM_IDS_ASCENDING:
    case FORM_BYTES_REPEATED:
    case FORM_COUNT:
        return repeated_holds(message, r);
    case FORM_BYTES:
        return is_within(b->len, r);
    case FORM_DIGEST:
        return b->len == DIGEST_BYTES;
    case FORM_DIGEST_OR_NONE:
        return b->len == 0 || b->len == DIGEST_BYTES;
    case FORM_TEXT:
    case FORM_LINES:
        return is_text(*(char *const *)at, r);
    case FORM_NUMBER:
        return is_within(*(const uint32_t *)at, r);
    case FORM_NUMBER64:
        return is_within(*(const uint64_t *)at, r);
    case FORM_TIME:
        return *(const int64_t *)at >= (int64_t)r->min && *(const int64_t *)at <= FORM_TIME_MAX;
    case FORM_CODE:
        return *(const int *)at == 0 ? r->min == 0 : form_is_known(r->list, *(const int *)at);
    case FORM_MESSAGE:
        return *(void *const *)at != NULL;
    }
    return false;
}

enum error form_check(const void *message, const struct form_rule *rules, size_t n,
                      const char **field)
{
    for (size_t i = 0; i < n; i++)
        if (!holds(message, &rules[i]))
            return form_refuse(rules[i].error, rules[i].field, field);
    return ERROR_NONE;
}
