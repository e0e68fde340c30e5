/* base/id.c: ids as UUIDs (RFC 9562): the version is the high nibble of byte 6, the variant the two
 * high bits of byte 8. */
#include "base/id.h"
#include "base/text.h"
#include <string.h>

#define V7_MS_MAX INT64_C(0xffffffffffff)

const struct id ID_NONE = {{0}};

/* Where the hyphens of the text form stand, as a set of byte positions that one precedes. */
static bool hyphen_before(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

bool id_is_none(const struct id *id) { return id_equal(id, &ID_NONE); }

bool id_equal(const struct id *a, const struct id *b) { return id_compare(a, b) == 0; }

int id_compare(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, ID_BYTES);
}

enum error id_from_slice(struct id *out, struct slice s)
{
    if (s.len != ID_BYTES)
        return ERROR_ID_MALFORMED;
    memcpy(out->bytes, s.data, ID_BYTES);
    return ERROR_NONE;
}

struct slice id_slice(const struct id *id) { return slice_of(id->bytes, ID_BYTES); }

char *id_to_text(const struct id *id, char out[ID_TEXT_BYTES])
{
    char *to = out;
    for (size_t i = 0; i < ID_BYTES; i++) {
        if (hyphen_before(i))
            *to++ = '-';
        text_hex(slice_of(id->bytes + i, 1), to);
        to += 2;
    }
    return out;
}

enum error id_from_text(struct id *out, const char *text)
{
    struct id id;
    const char *from = text;
    if (strnlen(text, ID_TEXT_BYTES) != ID_TEXT_BYTES - 1)
        return ERROR_ID_MALFORMED;
    for (size_t i = 0; i < ID_BYTES; i++) {
        if (hyphen_before(i) && *from++ != '-')
            return ERROR_ID_MALFORMED;
        int high = text_hex_value(*from++), low = text_hex_value(*from++);
        if (high < 0 || low < 0)
            return ERROR_ID_MALFORMED;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return ERROR_NONE;
}

unsigned id_version(const struct id *id)
{
    return (id->bytes[8] & 0xc0) == 0x80 ? id->bytes[6] >> 4 : 0;
}

static struct id with_version(struct id id, unsigned version)
{
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | version << 4);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

struct id id_v7(int64_t unix_ms, const uint8_t random[10])
{
    struct id id;
    int64_t ms = unix_ms < 0 ? 0 : unix_ms > V7_MS_MAX ? V7_MS_MAX : unix_ms;
    for (size_t i = 6; i > 0; i--, ms >>= 8)
        id.bytes[i - 1] = (uint8_t)ms;
    memcpy(id.bytes + 6, random, 10);
    return with_version(id, 7);
}

struct id id_v4(const uint8_t random[16])
{
    struct id id;
    memcpy(id.bytes, random, ID_BYTES);
    return with_version(id, 4);
}

struct id id_v8(const struct digest *d)
{
    struct id id;
    memcpy(id.bytes, d->bytes, ID_BYTES);
    return with_version(id, 8);
}

int64_t id_v7_ms(const struct id *id)
{
    int64_t ms = 0;
    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}
