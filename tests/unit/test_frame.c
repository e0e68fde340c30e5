/* Unit tests of proto/frame: cutting frames (T15) and decoding hostile bytes (T28). */
#include "brug/v1/wire.pb-c.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/sample.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define FRAME_MAX 65536u

static const ProtobufCMessageDescriptor *const CLIENT = &brug__v1__client_frame__descriptor;
static const ProtobufCMessageDescriptor *const HEADER = &brug__v1__header__descriptor;

/* Decodes into an arena of exactly the budget, and checks that no more was spent. */
static enum error decode_with(bool known_only, const ProtobufCMessageDescriptor *type,
                              struct slice bytes)
{
    struct arena *a = arena_new();
    ProtobufCMessage *m = NULL;
    assert_non_null(a);
    arena_reset(a, SIZE_MAX);
    enum error e =
        known_only ? frame_decode_known(a, type, bytes, &m) : frame_decode(a, type, bytes, &m);
    assert_true((e == ERROR_NONE) == (m != NULL));
    if (e == ERROR_NONE)
        assert_true(arena_spent_bytes(a) <= frame_budget(bytes.len));
    assert_true(arena_spent_bytes(a) <=
                frame_budget(bytes.len) + 16); /* the last one, rounded up */
    arena_free(a);
    return e;
}

static enum error decode(const ProtobufCMessageDescriptor *type, const struct buf *b)
{
    return decode_with(false, type, buf_slice(b));
}

/* A Submit with header, tags and `len` sealed bytes, as a frame. */
static void put_submit(struct buf *b, size_t len, bool framed)
{
    static uint8_t sealed[4096];
    struct sample_header s;
    struct buf header;
    buf_init(&header, 4096);
    sample_header_init(&s, BRUG__V1__KIND__KIND_REFERRAL);
    sample_put(&header, &s.header);
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    Brug__V1__Submit submit = BRUG__V1__SUBMIT__INIT;
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    memset(sealed, 0x5a, sizeof sealed);
    envelope.header = (ProtobufCBinaryData){header.len, header.data};
    envelope.sealed = (ProtobufCBinaryData){len, sealed};
    submit.envelope = &envelope;
    f.request = 7;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT;
    f.submit = &submit;
    if (framed)
        sample_put_frame(b, &f);
    else
        sample_put(b, &f);
    buf_fini(&header);
}

static void test_borrowed_bytes_are_those_of_the_frame(void **state)
{
    struct buf b;
    ProtobufCMessage *m = NULL;
    struct arena *a = arena_new();
    assert_non_null(a);
    buf_init(&b, FRAME_MAX);
    put_submit(&b, 300, false);
    arena_reset(a, frame_budget(b.len));
    assert_int_equal(
        frame_decode_borrowed(a, &brug__v1__client_frame__descriptor, buf_slice(&b), &m),
        ERROR_NONE);
    const Brug__V1__Envelope *e = ((Brug__V1__ClientFrame *)m)->submit->envelope;
    assert_int_equal(e->sealed.len, 300);
    assert_ptr_equal(e->sealed.data + e->sealed.len, b.data + b.len); /* the last field of all */
    assert_true(arena_spent_bytes(a) < 300);
    arena_free(a);
    buf_fini(&b);
}

/* ---- frame_next ---- */

static void test_t15_frame_cut_at_any_byte_waits(void **state)
{
    struct buf b;
    buf_init(&b, FRAME_MAX);
    put_submit(&b, 300, true);
    for (size_t n = 0; n <= b.len; n++) {
        struct slice in = {b.data, n}, frame = SLICE_NONE;
        bool complete = true;
        size_t wanted = 0;
        assert_int_equal(frame_next(&in, FRAME_MAX, &frame, &complete, &wanted), ERROR_NONE);
        assert_int_equal(complete, n == b.len);
        if (n < b.len)
            assert_true(in.data == b.data && in.len == n);
        if (n >= 2 && n < b.len)
            assert_int_equal(wanted, b.len);
        if (n < 2)
            assert_int_equal(wanted, 0);
        if (n == b.len)
            assert_true(in.len == 0 && frame.len == b.len - 2);
    }
    buf_fini(&b);
}

static void test_two_frames_come_one_after_the_other(void **state)
{
    const uint8_t bytes[] = {2, 8, 1, 3, 8, 2, 9, 1};
    struct slice in = {bytes, sizeof bytes}, frame;
    bool complete;
    size_t wanted;
    assert_int_equal(frame_next(&in, 10, &frame, &complete, &wanted), ERROR_NONE);
    assert_true(complete && frame.len == 2 && frame.data == bytes + 1);
    assert_int_equal(frame_next(&in, 10, &frame, &complete, &wanted), ERROR_NONE);
    assert_true(complete && frame.len == 3 && in.len == 1);
    assert_int_equal(frame_next(&in, 10, &frame, &complete, &wanted), ERROR_NONE);
    assert_true(!complete && wanted == 2);
}

static enum error cut(const uint8_t *bytes, size_t len, size_t max)
{
    struct slice in = {bytes, len}, frame;
    bool complete;
    size_t wanted;
    return frame_next(&in, max, &frame, &complete, &wanted);
}

static void test_prefix_at_and_over_the_limit(void **state)
{
    const uint8_t at[] = {0x80, 0x20}, over[] = {0x81, 0x20};
    const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0x7f};
    assert_int_equal(cut(at, 2, 4096), ERROR_NONE);
    assert_int_equal(cut(over, 2, 4096), ERROR_FRAME_TOO_LARGE);
    assert_int_equal(cut(huge, 5, 4096), ERROR_FRAME_TOO_LARGE);
}

static void test_prefix_malformed(void **state)
{
    const uint8_t six[] = {0x81, 0x80, 0x80, 0x80, 0x80, 0x01};
    const uint8_t longer_than_needed[] = {0x81, 0x00};
    const uint8_t empty[] = {0};
    assert_int_equal(cut(six, 6, 4096), ERROR_FRAME_MALFORMED);
    assert_int_equal(cut(six, 5, 4096), ERROR_FRAME_MALFORMED);
    assert_int_equal(cut(six, 4, 4096), ERROR_NONE);
    assert_int_equal(cut(longer_than_needed, 2, 4096), ERROR_FRAME_MALFORMED);
    assert_int_equal(cut(empty, 1, 4096), ERROR_FRAME_MALFORMED);
}

/* ---- frame_append ---- */

static void test_append_reads_back_and_leaves_nothing_on_failure(void **state)
{
    struct buf b;
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    f.request = 5;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PING;
    f.ping = &ping;
    buf_init(&b, 9);
    assert_int_equal(frame_append(&b, &f.base), ERROR_NONE);
    assert_int_equal(b.len, 6); /* length, request, an empty ping */
    assert_int_equal(frame_append(&b, &f.base), ERROR_BOUND);
    assert_int_equal(b.len, 6);
    struct slice in = buf_slice(&b), frame;
    bool complete;
    size_t wanted;
    assert_int_equal(frame_next(&in, 9, &frame, &complete, &wanted), ERROR_NONE);
    assert_true(complete);
    assert_int_equal(decode_with(false, CLIENT, frame), ERROR_NONE);
    buf_fini(&b);
}

/* ---- frame_decode ---- */

static void test_decode_reads_what_protobuf_c_packed(void **state)
{
    struct buf b, again;
    struct arena *a = arena_new();
    ProtobufCMessage *m = NULL;
    buf_init(&b, FRAME_MAX);
    buf_init(&again, FRAME_MAX);
    put_submit(&b, 4096, false);
    arena_reset(a, frame_budget(b.len));
    assert_int_equal(frame_decode(a, CLIENT, buf_slice(&b), &m), ERROR_NONE);
    const Brug__V1__ClientFrame *f = (const Brug__V1__ClientFrame *)m;
    assert_int_equal(f->request, 7);
    assert_int_equal(f->submit->envelope->sealed.len, 4096);
    sample_put(&again, m);
    assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));

    buf_fini(&b);
    buf_fini(&again);
    arena_free(a);
}

static void test_decode_reads_a_header_back(void **state)
{
    struct buf b, again;
    struct arena *a = arena_new();
    ProtobufCMessage *h = NULL;
    struct sample_header s;
    buf_init(&b, FRAME_MAX);
    buf_init(&again, FRAME_MAX);
    sample_header_init(&s, BRUG__V1__KIND__KIND_REFERRAL);
    sample_put(&b, &s.header);
    arena_reset(a, frame_budget(b.len));
    assert_int_equal(frame_decode_known(a, HEADER, buf_slice(&b), &h), ERROR_NONE);
    assert_int_equal(((const Brug__V1__Header *)h)->n_readers, SAMPLE_READERS);
    sample_put(&again, h);
    assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));
    arena_free(a);
    buf_fini(&b);
    buf_fini(&again);
}

static void test_t28_truncated_at_every_byte(void **state)
{
    struct buf b;
    buf_init(&b, FRAME_MAX);
    put_submit(&b, 300, false);
    for (size_t n = 3; n < b.len;
         n++) { /* `request` alone, the first two bytes, is a whole message */
        enum error e = decode_with(false, CLIENT, (struct slice){b.data, n});
        assert_int_equal(e, ERROR_FRAME_MALFORMED);
    }
    buf_fini(&b);
}

static void test_t28_a_million_repeated_fields(void **state)
{
    struct buf b;
    buf_init(&b, 8u << 20);
    for (int i = 0; i < 1000000; i++)
        sample_put_bytes(&b, 18, "", 0); /* Header.moments, each empty: 2 bytes */
    assert_int_equal(decode(HEADER, &b), ERROR_FRAME_TOO_COMPLEX);
    buf_clear(&b);
    for (int i = 0; i < 1000000; i++)
        sample_put_bytes(&b, 9, "", 0); /* Header.readers */
    assert_int_equal(decode(HEADER, &b), ERROR_FRAME_TOO_COMPLEX);
    buf_fini(&b);
}

static void test_t28_unknown_fields_cost_nothing_and_are_gone(void **state)
{
    struct buf b;
    struct arena *a = arena_new();
    ProtobufCMessage *m = NULL;
    buf_init(&b, 8u << 20);
    sample_put_number(&b, 1, 9);
    for (int i = 0; i < 1000000; i++)
        sample_put_bytes(&b, 1000, "x", 1);
    sample_put_number(&b, 536870911, UINT64_MAX);
    arena_reset(a, 4096);
    assert_int_equal(frame_decode(a, CLIENT, buf_slice(&b), &m), ERROR_NONE);
    assert_true(arena_spent_bytes(a) <= sizeof(Brug__V1__ClientFrame) + 16);
    assert_int_equal(m->n_unknown_fields, 0);
    assert_int_equal(((const Brug__V1__ClientFrame *)m)->request, 9);
    assert_int_equal(decode_with(true, CLIENT, buf_slice(&b)), ERROR_FIELD_NOT_ALLOWED);
    arena_free(a);
    buf_fini(&b);
}

static void test_t28_unknown_field_deep_inside_is_found(void **state)
{
    struct buf sender, header;
    buf_init(&sender, 64);
    buf_init(&header, 64);
    sample_put_bytes(&sender, 99, "Jantje", 6);
    sample_put_bytes(&header, 7, sender.data, sender.len);
    assert_int_equal(decode_with(false, HEADER, buf_slice(&header)), ERROR_NONE);
    assert_int_equal(decode_with(true, HEADER, buf_slice(&header)), ERROR_FIELD_NOT_ALLOWED);
    buf_fini(&sender);
    buf_fini(&header);
}

static void test_t28_raw_bytes_that_are_no_message(void **state)
{
    static const struct {
        const char *what;
        size_t len;
        uint8_t bytes[24];
    } cases[] = {
        {"field number 0", 2, {0x00, 0x01}},
        {"group begins", 2, {0x0b, 0x0c}},
        {"unknown group begins", 4, {0xc3, 0x3e, 0xc4, 0x3e}},
        {"group ends", 1, {0x0c}},
        {"wire type 6", 2, {0x0e, 0x00}},
        {"wire type 7", 2, {0x0f, 0x00}},
        {"varint without end", 11, {8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
        {"varint over 64 bits", 11, {8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}},
        {"length over the rest", 3, {0x5a, 0x05, 0x00}},
        {"giant length", 11, {0x5a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
        {"length of an unknown field", 4, {0xc2, 0x3e, 0x05, 0x00}},
        {"fixed64 cut", 4, {0xc1, 0x3e, 1, 2}},
        {"number with a length", 3, {0x0a, 0x01, 0x01}},
        {"message as number", 2, {0x58, 0x01}},
        {"message as fixed32", 5, {0x5d, 1, 2, 3, 4}},
        {"singular field twice", 4, {0x08, 0x01, 0x08, 0x02}},
        {"oneof twice, the same", 4, {0x92, 0x01, 0x00, 0x92}},
        {"oneof twice, two members", 6, {0x92, 0x01, 0x00, 0x62, 0x00, 0x00}},
        {"key over 32 bits", 7, {0x88, 0x80, 0x80, 0x80, 0x80, 0x01, 0x01}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum error e = decode_with(false, CLIENT, (struct slice){cases[i].bytes, cases[i].len});
        if (e != ERROR_FRAME_MALFORMED)
            fail_msg("%s: %s", cases[i].what, error_name(e));
    }
}

static void test_two_members_of_a_oneof_are_malformed(void **state)
{
    struct buf b;
    buf_init(&b, 64);
    sample_put_bytes(&b, 18, "", 0);
    assert_int_equal(decode(CLIENT, &b), ERROR_NONE);
    sample_put_bytes(&b, 11, "", 0);
    assert_int_equal(decode(CLIENT, &b), ERROR_FRAME_MALFORMED);
    buf_fini(&b);
}

static void test_fields_in_any_order_and_unknown_fixed_ones(void **state)
{
    const uint8_t bytes[] = {0x92, 0x01, 0x00,                           /* ping */
                             0xc1, 0x3e, 1,    2, 3, 4, 5,    6,   7, 8, /* 1000, fixed64 */
                             0xc5, 0x3e, 1,    2, 3, 4, 0x08, 0x05}; /* 1000, fixed32; request */
    struct arena *a = arena_new();
    ProtobufCMessage *m = NULL;
    arena_reset(a, 4096);
    assert_int_equal(frame_decode(a, CLIENT, (struct slice){bytes, sizeof bytes}, &m), ERROR_NONE);
    assert_int_equal(((const Brug__V1__ClientFrame *)m)->request, 5);
    assert_int_equal(((const Brug__V1__ClientFrame *)m)->frame_case,
                     BRUG__V1__CLIENT_FRAME__FRAME_PING);
    arena_free(a);
}

static void test_strings_with_nul_are_malformed(void **state)
{
    struct buf hello, b;
    buf_init(&hello, 64);
    buf_init(&b, 64);
    sample_put_bytes(&hello, 3, "brug\0evil", 9);
    sample_put_bytes(&b, 10, hello.data, hello.len);
    assert_int_equal(decode(CLIENT, &b), ERROR_FRAME_MALFORMED);
    buf_fini(&hello);
    buf_fini(&b);
}

static enum error decode_kind(uint64_t v, int *kind)
{
    struct buf b;
    struct arena *a = arena_new();
    ProtobufCMessage *m = NULL;
    buf_init(&b, 64);
    sample_put_number(&b, 4, v);
    arena_reset(a, 4096);
    enum error e = frame_decode(a, HEADER, buf_slice(&b), &m);
    if (e == ERROR_NONE)
        *kind = (int)((const Brug__V1__Header *)m)->kind;
    arena_free(a);
    buf_fini(&b);
    return e;
}

static void test_enums_negative_and_out_of_range(void **state)
{
    int kind = 0;
    assert_int_equal(decode_kind((uint64_t)-1, &kind), ERROR_NONE); /* 10 bytes */
    assert_int_equal(kind, -1);
    assert_int_equal(decode_kind((uint64_t)INT32_MIN, &kind), ERROR_NONE);
    assert_int_equal(kind, INT32_MIN);
    assert_int_equal(decode_kind(INT32_MAX, &kind), ERROR_NONE);
    assert_int_equal(kind, INT32_MAX);
    assert_int_equal(decode_kind((1ull << 32) + 1, &kind), ERROR_FRAME_MALFORMED);
    assert_int_equal(decode_kind(UINT32_MAX, &kind), ERROR_FRAME_MALFORMED);
    assert_int_equal(decode_kind((uint64_t)INT32_MIN - 1, &kind), ERROR_FRAME_MALFORMED);
}

static void test_uint32_over_its_range_is_malformed(void **state)
{
    struct buf b;
    buf_init(&b, 64);
    sample_put_number(&b, 15, UINT32_MAX);
    assert_int_equal(decode(HEADER, &b), ERROR_NONE);
    buf_clear(&b);
    sample_put_number(&b, 15, (uint64_t)UINT32_MAX + 1);
    assert_int_equal(decode(HEADER, &b), ERROR_FRAME_MALFORMED);
    buf_fini(&b);
}

static void test_empty_bytes_decode_to_an_empty_message(void **state)
{
    assert_int_equal(decode_with(false, CLIENT, SLICE_NONE), ERROR_NONE);
}

/* The arena is reused: nothing of an earlier frame is left when a decode fails half-way. */
static void test_arena_smaller_than_the_budget_refuses(void **state)
{
    struct buf b;
    struct arena *a = arena_new();
    ProtobufCMessage *m = NULL;
    buf_init(&b, FRAME_MAX);
    put_submit(&b, 4096, false);
    arena_reset(a, 1024);
    assert_int_equal(frame_decode(a, CLIENT, buf_slice(&b), &m), ERROR_FRAME_TOO_COMPLEX);
    assert_null(m);
    assert_true(arena_was_exceeded(a));
    arena_reset(a, frame_budget(b.len));
    assert_int_equal(frame_decode(a, CLIENT, buf_slice(&b), &m), ERROR_NONE);
    arena_free(a);
    buf_fini(&b);
}

/* Around the number of readers at which a header costs as much as it may. */
static void test_budget_is_kept_to_the_byte(void **state)
{
    struct buf b;
    unsigned accepted = 0, refused = 0;
    buf_init(&b, FRAME_MAX);
    for (unsigned n = 2485; n < 2510; n++)
        for (unsigned last = 1; last < 40; last += 3) {
            const uint8_t bytes[40] = {1};
            buf_clear(&b);
            for (unsigned i = 0; i < n; i++)
                sample_put_bytes(&b, 9, bytes, 1);
            sample_put_bytes(&b, 14, bytes, last);
            enum error e = decode(HEADER, &b);
            assert_true(e == ERROR_NONE || e == ERROR_FRAME_TOO_COMPLEX);
            accepted += e == ERROR_NONE;
            refused += e != ERROR_NONE;
        }
    assert_true(accepted > 0 && refused > 0);
    buf_fini(&b);
}

static void test_budget_does_not_wrap(void **state)
{
    assert_int_equal(frame_budget(0), LIMIT_ARENA_EXTRA_BYTES);
    assert_true(frame_budget(1000) == 2000 + LIMIT_ARENA_EXTRA_BYTES);
    assert_true(frame_budget(SIZE_MAX) == SIZE_MAX);
    assert_true(frame_budget(SIZE_MAX / 2) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t15_frame_cut_at_any_byte_waits),
        cmocka_unit_test(test_two_frames_come_one_after_the_other),
        cmocka_unit_test(test_prefix_at_and_over_the_limit),
        cmocka_unit_test(test_prefix_malformed),
        cmocka_unit_test(test_append_reads_back_and_leaves_nothing_on_failure),
        cmocka_unit_test(test_decode_reads_what_protobuf_c_packed),
        cmocka_unit_test(test_decode_reads_a_header_back),
        cmocka_unit_test(test_t28_truncated_at_every_byte),
        cmocka_unit_test(test_t28_a_million_repeated_fields),
        cmocka_unit_test(test_t28_unknown_fields_cost_nothing_and_are_gone),
        cmocka_unit_test(test_t28_unknown_field_deep_inside_is_found),
        cmocka_unit_test(test_t28_raw_bytes_that_are_no_message),
        cmocka_unit_test(test_two_members_of_a_oneof_are_malformed),
        cmocka_unit_test(test_fields_in_any_order_and_unknown_fixed_ones),
        cmocka_unit_test(test_strings_with_nul_are_malformed),
        cmocka_unit_test(test_enums_negative_and_out_of_range),
        cmocka_unit_test(test_uint32_over_its_range_is_malformed),
        cmocka_unit_test(test_empty_bytes_decode_to_an_empty_message),
        cmocka_unit_test(test_arena_smaller_than_the_budget_refuses),
        cmocka_unit_test(test_budget_is_kept_to_the_byte),
        cmocka_unit_test(test_budget_does_not_wrap),
        cmocka_unit_test(test_borrowed_bytes_are_those_of_the_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
