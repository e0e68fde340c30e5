/*
 * tests/fuzz/fuzz_text.c: what base/text and base/buf read from outside: armour, base64, hex, varints,
 * UTF-8 and BSN. Beyond not crashing: what decodes comes back when it is encoded again, and no failure
 * leaves anything behind.
 */
#include "base/log.h"
#include "base/text.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base64(struct slice s)
{
    struct buf bytes, text, again;
    buf_init(&bytes, s.len);
    buf_init(&text, 2 * s.len + 100);
    buf_init(&again, s.len);
    enum error e = text_from_base64(&bytes, s);
    assert(!e || bytes.len == 0);
    if (!e) {
        e = text_base64(&text, buf_slice(&bytes));
        assert(!e);
        e = text_from_base64(&again, buf_slice(&text));
        assert(!e && slice_equal(buf_slice(&again), buf_slice(&bytes)));
    }
    buf_fini(&bytes);
    buf_fini(&text);
    buf_fini(&again);
}

static void armour(struct slice s)
{
    struct buf b;
    buf_init(&b, s.len);
    enum error e = text_from_armour(&b, "REQUEST", s);
    assert(!e || b.len == 0);
    buf_fini(&b);
}

static void varint(struct slice s)
{
    uint64_t v, again;
    while (slice_take_varint(&s, &v)) {
        struct buf b;
        buf_init(&b, 10);
        enum error e = buf_append_varint(&b, v);
        struct slice encoded = buf_slice(&b);
        assert(!e && slice_take_varint(&encoded, &again) && again == v && encoded.len == 0);
        buf_fini(&b);
    }
}

static void hex(struct slice s)
{
    struct buf b;
    char *text = malloc(s.len + 1);
    assert(text);
    if (s.len > 0)
        memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    buf_init(&b, s.len);
    enum error e = text_from_hex(&b, text);
    assert(!e || b.len == 0);
    buf_fini(&b);
    free(text);
}

/* Clean text in one line is clean in lines; and whatever it is, a log shows it in printable ASCII. */
static void checks(struct slice s)
{
    char quoted[40];
    assert(!text_is_clean(s, false) || text_is_clean(s, true));
    (void)text_has_bsn(s); /* either answer is right for some text: only its reads are tested */
    size_t len = strlen(log_quote(s, quoted, sizeof quoted));
    assert(len >= 2 && len < sizeof quoted);
    for (size_t i = 0; i < len; i++)
        assert(quoted[i] >= 0x20 && quoted[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of(data, size);
    base64(s);
    armour(s);
    varint(s);
    hex(s);
    checks(s);
    return 0;
}
