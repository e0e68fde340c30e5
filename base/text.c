/*
 * base/text.c: UTF-8, BSN, hex, base64, armour, speakable codes and CSV.
 *
 * Functions that append to a buffer leave it as it was when they fail.
 */
#include "base/text.h"
#include <string.h>

#define BASE64_LINE_CHARS 64
#define BSN_DIGITS 9
#define MARKER_BYTES 64

/* ---- UTF-8 ---- */

/* Takes one well-formed character (RFC 3629: no overlong form, no surrogate, at most U+10FFFF). */
static bool take_character(struct slice *s, uint32_t *out)
{
    static const uint32_t SMALLEST[] = {0, 0x80, 0x800, 0x10000};
    uint8_t first, more;
    struct slice rest = *s;
    if (!slice_take_u8(&rest, &first))
        return false;
    unsigned followers = first < 0x80             ? 0
                         : (first & 0xe0) == 0xc0 ? 1
                         : (first & 0xf0) == 0xe0 ? 2
                         : (first & 0xf8) == 0xf0 ? 3
                                                  : 4;
    if (followers == 4)
        return false;
    uint32_t c = followers == 0 ? first : first & (0x3fU >> followers);
    for (unsigned i = 0; i < followers; i++) {
        if (!slice_take_u8(&rest, &more) || (more & 0xc0) != 0x80)
            return false;
        c = c << 6 | (more & 0x3f);
    }
    if (c < SMALLEST[followers] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return false;
    *s = rest;
    *out = c;
    return true;
}

static bool is_control(uint32_t c) { return c < 0x20 || (c >= 0x7f && c <= 0x9f); }

/* Embeddings, overrides and isolates: they let a text be shown in another order than it is stored. */
static bool is_bidirectional(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool text_is_clean(struct slice s, bool lines)
{
    uint32_t c;
    while (s.len > 0) {
        if (!take_character(&s, &c) || is_bidirectional(c))
            return false;
        if (is_control(c) && !(lines && (c == '\n' || c == '\r' || c == '\t')))
            return false;
    }
    return true;
}

/* ---- BSN ---- */

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* The eleven-test of the BSN: weights 9, 8, ... 2, -1. Nine zeros pass it but are no BSN. */
static bool passes_eleven_test(const uint8_t digits[BSN_DIGITS])
{
    int sum = 0, any = 0;
    for (int i = 0; i < BSN_DIGITS; i++) {
        int weight = i == BSN_DIGITS - 1 ? -1 : BSN_DIGITS - i;
        sum += weight * (digits[i] - '0');
        any |= digits[i] - '0';
    }
    return any && sum % 11 == 0;
}

/*
 * Looks at every run of digits that is not part of a longer one. With `grouped` a single space or dot
 * between two digits does not end a run, as in "1234.56.782".
 */
static bool has_bsn(struct slice s, bool grouped)
{
    uint8_t digits[BSN_DIGITS];
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = s.data[i];
        if (is_digit(byte)) {
            if (count < BSN_DIGITS)
                digits[count] = byte;
            count++;
            continue;
        }
        bool joins = grouped && count > 0 && (byte == ' ' || byte == '.') && i + 1 < s.len &&
                     is_digit(s.data[i + 1]);
        if (joins)
            continue;
        if (count == BSN_DIGITS && passes_eleven_test(digits))
            return true;
        count = 0;
    }
    return count == BSN_DIGITS && passes_eleven_test(digits);
}

bool text_has_bsn(struct slice s) { return has_bsn(s, false) || has_bsn(s, true); }

/* ---- hex ---- */

char *text_hex(struct slice s, char *out)
{
    static const char HEX[] = "0123456789abcdef";
    char *to = out;
    for (size_t i = 0; i < s.len; i++) {
        *to++ = HEX[s.data[i] >> 4];
        *to++ = HEX[s.data[i] & 15];
    }
    *to = '\0';
    return out;
}

int text_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

enum error text_from_hex(struct buf *out, const char *hex)
{
    size_t digits = strlen(hex), len = out->len;
    uint8_t *to;
    if (digits % 2 != 0)
        return ERROR_USAGE;
    enum error e = buf_extend(out, digits / 2, &to);
    if (e)
        return e;
    for (size_t i = 0; i < digits; i += 2) {
        int high = text_hex_value(hex[i]), low = text_hex_value(hex[i + 1]);
        if (high < 0 || low < 0) {
            out->len = len;
            return ERROR_USAGE;
        }
        *to++ = (uint8_t)(high << 4 | low);
    }
    return ERROR_NONE;
}

/* ---- base64 (RFC 4648) ---- */

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const uint8_t *from, size_t len, char to[4])
{
    uint32_t bits = (uint32_t)from[0] << 16;
    if (len > 1)
        bits |= (uint32_t)from[1] << 8;
    if (len > 2)
        bits |= from[2];
    to[0] = BASE64[bits >> 18];
    to[1] = BASE64[bits >> 12 & 63];
    to[2] = len > 1 ? BASE64[bits >> 6 & 63] : '=';
    to[3] = len > 2 ? BASE64[bits & 63] : '=';
}

enum error text_base64(struct buf *out, struct slice s)
{
    size_t len = out->len, on_line = 0;
    enum error e = ERROR_NONE;
    while (s.len > 0 && !e) {
        struct slice group;
        char text[5] = {0};
        size_t chars = 4;
        if (!slice_take(&s, s.len < 3 ? s.len : 3, &group))
            break;
        encode_group(group.data, group.len, text);
        on_line += 4;
        if (on_line == BASE64_LINE_CHARS || s.len == 0) {
            text[chars++] = '\n';
            on_line = 0;
        }
        e = buf_append(out, text, chars);
    }
    if (e)
        out->len = len;
    return e;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static int base64_value(uint8_t byte)
{
    const char *at = byte ? strchr(BASE64, byte) : NULL;
    return at ? (int)(at - BASE64) : -1;
}

/* Four characters of which the last `padding` were '='; the bits that they cut off must be zero. */
static enum error decode_group(struct buf *out, uint32_t bits, unsigned padding)
{
    uint8_t bytes[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
    if (padding > 2 || (padding > 0 && bytes[3 - padding] != 0))
        return ERROR_USAGE;
    return buf_append(out, bytes, 3 - padding);
}

static enum error decode_base64(struct buf *out, struct slice s)
{
    uint32_t bits = 0;
    unsigned chars = 0, padding = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = s.data[i];
        if (is_space(byte))
            continue;
        int value = byte == '=' ? 0 : base64_value(byte);
        if (value < 0 || (padding > 0 && byte != '='))
            return ERROR_USAGE; /* no base64, or something after the padding */
        padding += byte == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++chars < 4)
            continue;
        enum error e = decode_group(out, bits & 0xffffff, padding);
        if (e)
            return e;
        chars = 0;
    }
    return chars == 0 ? ERROR_NONE : ERROR_USAGE;
}

enum error text_from_base64(struct buf *out, struct slice s)
{
    size_t len = out->len;
    enum error e = decode_base64(out, s);
    if (e)
        out->len = len;
    return e;
}

/* ---- armour ---- */

static enum error append_marker(struct buf *out, const char *edge, const char *label)
{
    enum error e = buf_append_slice(out, slice_text("-----"));
    if (!e)
        e = buf_append_slice(out, slice_text(edge));
    if (!e)
        e = buf_append_slice(out, slice_text(" BRUG "));
    if (!e)
        e = buf_append_slice(out, slice_text(label));
    return e ? e : buf_append_slice(out, slice_text("-----"));
}

enum error text_armour(struct buf *out, const char *label, struct slice s)
{
    size_t len = out->len;
    enum error e = append_marker(out, "BEGIN", label);
    if (!e)
        e = buf_append_u8(out, '\n');
    if (!e)
        e = text_base64(out, s);
    if (!e)
        e = append_marker(out, "END", label);
    if (!e)
        e = buf_append_u8(out, '\n');
    if (e)
        out->len = len;
    return e;
}

/* Takes from s all before the first marker (into before) and the marker; false if there is none. */
static enum error take_to_marker(struct slice *s, const char *edge, const char *label,
                                 struct slice *before)
{
    struct buf marker;
    struct slice taken;
    buf_init(&marker, MARKER_BYTES);
    enum error e = append_marker(&marker, edge, label);
    if (e)
        goto end;
    e = ERROR_USAGE;
    const uint8_t *at = s->len > 0 ? memmem(s->data, s->len, marker.data, marker.len) : NULL;
    if (at && slice_take(s, (size_t)(at - s->data), before) && slice_take(s, marker.len, &taken))
        e = ERROR_NONE;
end:
    buf_fini(&marker);
    return e;
}

enum error text_from_armour(struct buf *out, const char *label, struct slice s)
{
    struct slice before, body;
    enum error e = take_to_marker(&s, "BEGIN", label, &before);
    if (!e)
        e = take_to_marker(&s, "END", label, &body);
    return e ? e : text_from_base64(out, body);
}

/* ---- speakable codes ---- */

char text_spoken_digit(struct slice s, unsigned position)
{
    static const char CROCKFORD[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned value = 0;
    for (unsigned bit = position * 5; bit < position * 5 + 5; bit++) {
        unsigned byte = bit / 8 < s.len ? s.data[bit / 8] : 0;
        value = value << 1 | (byte >> (7 - bit % 8) & 1);
    }
    return CROCKFORD[value];
}

enum error text_spoken(struct buf *out, struct slice s, unsigned digits)
{
    size_t len = out->len;
    enum error e = ERROR_NONE;
    if (digits / 8 * 5 + (digits % 8 * 5 + 7) / 8 > s.len)
        return ERROR_BOUND;
    for (unsigned i = 0; i < digits && !e; i++) {
        if (i > 0 && i % 4 == 0)
            e = buf_append_u8(out, '-');
        if (!e)
            e = buf_append_u8(out, (uint8_t)text_spoken_digit(s, i));
    }
    if (e)
        out->len = len;
    return e;
}

/* ---- CSV ---- */

void text_print_csv(FILE *to, const char *cell)
{
    (void)fprintf(to, "\"%s", cell[0] != '\0' && strchr("=+-@", cell[0]) != NULL ? "'" : "");
    for (; *cell != '\0'; cell++)
        (void)fprintf(to, "%s%c", *cell == '"' ? "\"" : "", *cell);
    (void)putc('"', to);
}
