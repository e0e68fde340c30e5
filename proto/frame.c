/*
 * proto/frame.c: cutting frames, and a decoder of our own over protobuf-c's descriptors.
 *
 * Why our own: protobuf-c's copies unknown fields, multiplies memory on hostile input, cuts strings at
 * a NUL in silence and reads repeated singular fields in its own way. This one walks the bytes once
 * with an explicit stack (depth bounded by the types, never by the input), allocates from the arena
 * only, and makes each repeated field's array in one piece when it meets its first element.
 *
 * Invariants: (1) a level's `rest` is what is still to be read of that message; (2) `seen` has the bit
 * of each singular field and of each oneof's first member that was read; (3) what was spent since the
 * start of the decode is <= frame_budget(len).
 */
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>
#include <string.h>

#define PREFIX_BYTES_MAX 5u
#define DEPTH_MAX 12u
#define FIELDS_MAX 64u

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* ---- frames ---- */

enum error frame_next(struct slice *in, size_t frame_bytes_max, struct slice *frame, bool *complete,
                      size_t *wanted)
{
    struct slice rest = *in;
    uint64_t len = 0;
    uint8_t byte = 0x80;
    unsigned n = 0;
    for (; byte & 0x80; n++) {
        if (n == PREFIX_BYTES_MAX)
            return ERROR_FRAME_MALFORMED;
        if (!slice_take_u8(&rest, &byte)) {
            *complete = false;
            *wanted = 0;
            return ERROR_NONE;
        }
        len |= (uint64_t)(byte & 0x7f) << (7 * n);
    }
    if (byte == 0) /* an empty frame, or a length written longer than it needs to be */
        return ERROR_FRAME_MALFORMED;
    if (len > frame_bytes_max || len > SIZE_MAX - PREFIX_BYTES_MAX)
        return ERROR_FRAME_TOO_LARGE;
    *complete = slice_take(&rest, (size_t)len, frame);
    if (*complete)
        *in = rest;
    else
        *wanted = n + (size_t)len;
    return ERROR_NONE;
}

static enum error append(struct buf *out, const ProtobufCMessage *message, bool delimited)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    size_t len_before = out->len;
    enum error e = delimited ? buf_append_varint(out, len) : ERROR_NONE;
    if (e != ERROR_NONE)
        return e;
    uint8_t *at = NULL;
    e = buf_extend(out, len, &at);
    if (e != ERROR_NONE) {
        out->len = len_before;
        return e;
    }
    size_t packed = protobuf_c_message_pack(message, at);
    assert(packed == len);
    (void)packed;
    return ERROR_NONE;
}

enum error frame_append(struct buf *out, const ProtobufCMessage *message)
{
    return append(out, message, true);
}

enum error frame_append_bare(struct buf *out, const ProtobufCMessage *message)
{
    return append(out, message, false);
}

/* ---- decoding ---- */

struct level {
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *message;
    struct slice rest;
    uint64_t seen;
    unsigned hint; /* index of the field that probably comes next */
};

struct decoder {
    struct arena *arena;
    size_t spent_bytes_max;
    bool known_only, borrows;
    unsigned depth; /* levels in use */
    struct level levels[DEPTH_MAX];
};

/* One field as it stands on the wire: `number` for WIRE_VARINT, `bytes` for WIRE_LENGTH. */
struct wire_field {
    uint32_t id;
    enum wire_type type;
    uint64_t number;
    struct slice bytes;
};

size_t frame_budget(size_t len)
{
    size_t room = SIZE_MAX - LIMIT_ARENA_EXTRA_BYTES;
    return len <= room / 2 ? 2 * len + LIMIT_ARENA_EXTRA_BYTES : SIZE_MAX;
}

static bool take_wire_field(struct slice *rest, struct wire_field *f)
{
    uint64_t key = 0, len = 0;
    struct slice skipped;
    if (!slice_take_varint(rest, &key) || key > UINT32_MAX || key >> 3 == 0)
        return false;
    f->id = (uint32_t)(key >> 3);
    f->type = (enum wire_type)(key & 7);
    switch (f->type) {
    case WIRE_VARINT:
        return slice_take_varint(rest, &f->number);
    case WIRE_LENGTH:
        return slice_take_varint(rest, &len) && len <= rest->len &&
               slice_take(rest, (size_t)len, &f->bytes);
    case WIRE_FIXED64:
        return slice_take(rest, 8, &skipped);
    case WIRE_FIXED32:
        return slice_take(rest, 4, &skipped);
    }
    return false; /* groups, and the two types that protobuf never gave out */
}

static enum error decoder_alloc(struct decoder *d, size_t len, void **out)
{
    size_t left = d->spent_bytes_max - arena_spent_bytes(d->arena);
    void *p = len <= left ? arena_alloc(d->arena, len) : NULL;
    if (!p || arena_spent_bytes(d->arena) > d->spent_bytes_max)
        return ERROR_FRAME_TOO_COMPLEX;
    *out = p;
    return ERROR_NONE;
}

static enum error enter(struct decoder *d, const ProtobufCMessageDescriptor *type,
                        struct slice bytes, ProtobufCMessage **out)
{
    void *message = NULL;
    if (d->depth == DEPTH_MAX)
        return ERROR_FRAME_TOO_COMPLEX;
    enum error e = decoder_alloc(d, type->sizeof_message, &message);
    if (e != ERROR_NONE)
        return e;
    assert(type->n_fields <= FIELDS_MAX);
    protobuf_c_message_init(type, message);
    d->levels[d->depth++] = (struct level){type, message, bytes, 0, 0};
    *out = message;
    return ERROR_NONE;
}

/* Fields mostly come in their order: try the one after the last before searching. */
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
                                                  uint32_t id, unsigned *hint)
{
    const ProtobufCFieldDescriptor *f = NULL;
    if (*hint < type->n_fields && type->fields[*hint].id == id)
        f = &type->fields[*hint];
    else
        f = protobuf_c_message_descriptor_get_field(type, id);
    if (f)
        *hint = (unsigned)(f - type->fields) + (f->label != PROTOBUF_C_LABEL_REPEATED);
    return f;
}

static enum error store_text(struct decoder *d, struct slice bytes, char **out)
{
    void *copy = NULL;
    if (bytes.len > 0 && memchr(bytes.data, 0, bytes.len))
        return ERROR_FRAME_MALFORMED;
    /* One more for the NUL: bytes.len is a part of a frame, so this cannot wrap. */
    enum error e = decoder_alloc(d, bytes.len + 1, &copy);
    if (e != ERROR_NONE)
        return e;
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    *out = copy;
    (*out)[bytes.len] = '\0';
    return ERROR_NONE;
}

static enum error store_bytes(struct decoder *d, struct slice bytes, ProtobufCBinaryData *out)
{
    void *copy = NULL;
    if (bytes.len == 0)
        return ERROR_NONE; /* as the message was initialised */
    if (d->borrows) {
        *out = (ProtobufCBinaryData){bytes.len, (uint8_t *)(uintptr_t)bytes.data};
        return ERROR_NONE;
    }
    enum error e = decoder_alloc(d, bytes.len, &copy);
    if (e != ERROR_NONE)
        return e;
    memcpy(copy, bytes.data, bytes.len);
    *out = (ProtobufCBinaryData){bytes.len, copy};
    return ERROR_NONE;
}

static bool store_number(ProtobufCType type, uint64_t v, void *out)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
        if (v > UINT32_MAX)
            return false;
        *(uint32_t *)out = (uint32_t)v;
        return true;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM: /* negative ones are sign-extended to 64 bits */
        if (v > INT32_MAX && v < UINT64_MAX - INT32_MAX)
            return false;
        *(int32_t *)out = (int32_t)(int64_t)v;
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
        *(uint64_t *)out = v;
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)out = v != 0;
        return true;
    default:
        return false; /* our messages have no other numbers */
    }
}

static size_t element_bytes(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

/* Where the next element of a repeated field goes; makes the array at the first one. */
static enum error next_element(struct decoder *d, const struct level *l,
                               const ProtobufCFieldDescriptor *field, void **out)
{
    uint8_t *base = (uint8_t *)l->message;
    size_t *n = (size_t *)(void *)(base + field->quantifier_offset);
    void **array = (void **)(void *)(base + field->offset);
    size_t size = element_bytes(field->type);
    if (*n == 0) {
        size_t count = 1;
        struct wire_field f;
        for (struct slice rest = l->rest; rest.len > 0;) {
            if (!take_wire_field(&rest, &f))
                return ERROR_FRAME_MALFORMED;
            count += f.id == field->id;
        }
        /* Each element is at least two bytes of the frame, so that the product cannot wrap. */
        enum error e = decoder_alloc(d, count * size, array);
        if (e != ERROR_NONE)
            return e;
        memset(*array, 0, count * size);
    }
    *out = (uint8_t *)*array + size * (*n)++;
    return ERROR_NONE;
}

static bool is_first_of_kind(struct level *l, const ProtobufCFieldDescriptor *field)
{
    uint64_t bit = 1ull << (unsigned)(field - l->type->fields);
    if (l->seen & bit)
        return false;
    l->seen |= bit;
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return true;
    uint32_t *which = (uint32_t *)(void *)((uint8_t *)l->message + field->quantifier_offset);
    if (*which != 0)
        return false;
    *which = field->id;
    return true;
}

static enum error store_value(struct decoder *d, const ProtobufCFieldDescriptor *field,
                              const struct wire_field *f, void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return store_text(d, f->bytes, at);
    case PROTOBUF_C_TYPE_BYTES:
        return store_bytes(d, f->bytes, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return enter(d, field->descriptor, f->bytes, at);
    default:
        return store_number(field->type, f->number, at) ? ERROR_NONE : ERROR_FRAME_MALFORMED;
    }
}

static enum wire_type wire_type_of(ProtobufCType type)
{
    bool has_length = type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_BYTES ||
                      type == PROTOBUF_C_TYPE_MESSAGE;
    return has_length ? WIRE_LENGTH : WIRE_VARINT;
}

static enum error store_field(struct decoder *d, struct level *l,
                              const ProtobufCFieldDescriptor *field, const struct wire_field *f)
{
    void *at = (uint8_t *)l->message + field->offset;
    if (f->type != wire_type_of(field->type))
        return ERROR_FRAME_MALFORMED;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        assert(f->type == WIRE_LENGTH); /* our messages repeat no numbers */
        enum error e = next_element(d, l, field, &at);
        if (e != ERROR_NONE)
            return e;
    } else if (!is_first_of_kind(l, field)) {
        return ERROR_FRAME_MALFORMED;
    }
    return store_value(d, field, f, at);
}

/* Reads one message until it ends or a message inside it begins, which is then the top level. */
static enum error read_top_level(struct decoder *d)
{
    unsigned depth = d->depth;
    struct level *l = &d->levels[depth - 1];
    while (l->rest.len > 0) {
        struct wire_field f = {0};
        if (!take_wire_field(&l->rest, &f))
            return ERROR_FRAME_MALFORMED;
        const ProtobufCFieldDescriptor *field = find_field(l->type, f.id, &l->hint);
        if (!field && d->known_only)
            return ERROR_FIELD_NOT_ALLOWED;
        if (!field)
            continue;
        enum error e = store_field(d, l, field, &f);
        if (e != ERROR_NONE || d->depth > depth)
            return e;
    }
    d->depth--;
    return ERROR_NONE;
}

static enum error decode(struct arena *a, const ProtobufCMessageDescriptor *type,
                         struct slice bytes, bool known_only, bool borrows, ProtobufCMessage **out)
{
    size_t spent = arena_spent_bytes(a), budget = frame_budget(bytes.len);
    struct decoder d;
    ProtobufCMessage *message = NULL;
    d.arena = a;
    d.spent_bytes_max = budget <= SIZE_MAX - spent ? spent + budget : SIZE_MAX;
    d.known_only = known_only;
    d.borrows = borrows;
    d.depth = 0;
    enum error e = enter(&d, type, bytes, &message);
    while (e == ERROR_NONE && d.depth > 0)
        e = read_top_level(&d);
    if (e == ERROR_NONE)
        *out = message;
    return e;
}

enum error frame_decode(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice bytes,
                        ProtobufCMessage **out)
{
    return decode(a, type, bytes, false, false, out);
}

enum error frame_decode_borrowed(struct arena *a, const ProtobufCMessageDescriptor *type,
                                 struct slice bytes, ProtobufCMessage **out)
{
    return decode(a, type, bytes, false, true, out);
}

enum error frame_decode_known(struct arena *a, const ProtobufCMessageDescriptor *type,
                              struct slice bytes, ProtobufCMessage **out)
{
    return decode(a, type, bytes, true, false, out);
}
