/*
 * tests/fuzz/fuzz_frame.c: all that a peer's bytes meet first: cutting frames, decoding, the checks of
 * every field, the header inside. The first byte chooses what the rest is.
 *
 * Beyond not crashing: memory stays within the budget; what we accept protobuf-c accepts too and reads
 * as the same message; a frame arrives the same whether its bytes come at once or in two pieces.
 */
#include "brug/v1/admin.pb-c.h"
#include "brug/v1/content.pb-c.h"
#include "brug/v1/record.pb-c.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_MAX 65536u

static void compare_with_protobuf_c(const ProtobufCMessage *ours, struct slice bytes)
{
    struct buf a, b;
    ProtobufCMessage *theirs =
        protobuf_c_message_unpack(ours->descriptor, NULL, bytes.len, bytes.data);
    assert(theirs);
    buf_init(&a, SIZE_MAX);
    buf_init(&b, SIZE_MAX);
    enum error e = frame_append_bare(&a, ours);
    assert(e == ERROR_NONE);
    e = frame_append_bare(&b, theirs);
    assert(e == ERROR_NONE);
    assert(slice_equal(buf_slice(&a), buf_slice(&b)));
    buf_fini(&a);
    buf_fini(&b);
    protobuf_c_message_free_unpacked(theirs, NULL);
}

/* NULL unless the bytes are a message of that type. */
static ProtobufCMessage *decode(struct arena *a, const ProtobufCMessageDescriptor *type,
                                struct slice bytes)
{
    ProtobufCMessage *m = NULL, *known = NULL;
    arena_reset(a, 2 * frame_budget(bytes.len) + 64);
    enum error e = frame_decode_known(a, type, bytes, &known);
    assert(e == ERROR_NONE || e == ERROR_FRAME_MALFORMED || e == ERROR_FRAME_TOO_COMPLEX ||
           e == ERROR_FIELD_NOT_ALLOWED);
    size_t spent = arena_spent_bytes(a);
    assert(spent <= frame_budget(bytes.len) + 16);
    enum error again = frame_decode(a, type, bytes, &m);
    assert(arena_spent_bytes(a) - spent <= frame_budget(bytes.len) + 16);
    assert(e == again || e == ERROR_FIELD_NOT_ALLOWED);
    if (e == ERROR_NONE)
        compare_with_protobuf_c(known, bytes);
    assert((again == ERROR_NONE) == (m != NULL));
    return m;
}

static void must_name_field(enum error e, const char *field)
{
    assert(e == ERROR_NONE || (field && *field && error_is_on_wire((int)e)));
}

static void judge_header(struct slice bytes)
{
    struct arena *a = arena_new();
    const char *field = NULL;
    assert(a);
    const Brug__V1__Header *h =
        (const Brug__V1__Header *)decode(a, &brug__v1__header__descriptor, bytes);
    if (h) {
        enum error sent = check_header(h, &field);
        must_name_field(sent, field);
        enum error received = check_received_header(h, &field);
        must_name_field(received, field);
        assert(sent != ERROR_NONE || received == ERROR_NONE);
        enum error handed = check_handed_header(h, &field);
        must_name_field(handed, field);
        assert(sent != ERROR_NONE || handed == ERROR_NONE);
    }
    arena_free(a);
}

static void judge_envelope(const Brug__V1__Envelope *e)
{
    if (e)
        judge_header(check_slice(e->header));
}

static void judge_client_frame(const Brug__V1__ClientFrame *f)
{
    const char *field = NULL;
    must_name_field(check_client_frame(f, &field), field);
    if (f->frame_case == BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT)
        judge_envelope(f->submit->envelope);
}

static void judge_server_frame(const Brug__V1__ServerFrame *f)
{
    const char *field = NULL;
    must_name_field(check_server_frame(f, &field), field);
    if (f->frame_case == BRUG__V1__SERVER_FRAME__FRAME_DELIVER)
        judge_envelope(f->deliver->envelope);
}

static void judge_frame(struct slice frame, bool from_client)
{
    struct arena *a = arena_new();
    assert(a);
    ProtobufCMessage *m = decode(
        a, from_client ? &brug__v1__client_frame__descriptor : &brug__v1__server_frame__descriptor,
        frame);
    if (m && from_client)
        judge_client_frame((const Brug__V1__ClientFrame *)m);
    else if (m)
        judge_server_frame((const Brug__V1__ServerFrame *)m);
    arena_free(a);
}

/* What is said of the first half of the bytes must not be taken back when the rest comes. */
static void cut_in_two(struct slice all)
{
    struct slice half = {all.data, all.len / 2}, first = SLICE_NONE, whole = SLICE_NONE;
    struct slice in = all;
    bool is_complete = false, was_complete = false;
    size_t wanted = 0, wanted_before = 0;
    enum error before = frame_next(&half, FRAME_MAX, &first, &was_complete, &wanted_before);
    enum error e = frame_next(&in, FRAME_MAX, &whole, &is_complete, &wanted);
    assert(before == ERROR_NONE || before == e);
    if (before == ERROR_NONE && was_complete)
        assert(e == ERROR_NONE && is_complete && slice_equal(first, whole));
    if (before == ERROR_NONE && !was_complete && wanted_before > 0 && e == ERROR_NONE)
        assert(is_complete == (all.len >= wanted_before));
}

static void judge_stream(struct slice in, bool from_client)
{
    for (;;) {
        struct slice frame, before = in;
        bool is_complete = false;
        size_t wanted = 0;
        cut_in_two(in);
        if (frame_next(&in, FRAME_MAX, &frame, &is_complete, &wanted) != ERROR_NONE)
            return;
        if (!is_complete) {
            assert(in.data == before.data && in.len == before.len);
            assert(wanted == 0 || wanted > in.len);
            return;
        }
        assert(in.len < before.len);
        judge_frame(frame, from_client);
    }
}

static void judge_part(unsigned which, struct slice bytes)
{
    static const ProtobufCMessageDescriptor *const TYPES[] = {
        &brug__v1__binding__descriptor,       &brug__v1__roster__descriptor,
        &brug__v1__content__descriptor,       &brug__v1__admin_request__descriptor,
        &brug__v1__admin_answer__descriptor,  &brug__v1__endpoint_row__descriptor,
        &brug__v1__recovery_item__descriptor,
    };
    struct arena *a = arena_new();
    const char *field = NULL;
    assert(a);
    which %= sizeof TYPES / sizeof TYPES[0];
    ProtobufCMessage *m = decode(a, TYPES[which], bytes);
    if (m && which == 0)
        must_name_field(check_binding((const Brug__V1__Binding *)m, &field), field);
    if (m && which == 1)
        must_name_field(check_roster((const Brug__V1__Roster *)m, &field), field);
    if (m && which == 2)
        must_name_field(check_content((const Brug__V1__Content *)m, &field), field);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    uint8_t which;
    if (!slice_take_u8(&in, &which))
        return 0;
    if (which == 'c' || which == 's')
        judge_stream(in, which == 'c');
    else if (which == 'h')
        judge_header(in);
    else
        judge_part(which, in);
    return 0;
}
