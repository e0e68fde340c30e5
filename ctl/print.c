/*
 * ctl/print.c: answers for people and for programs. JSON is made from a message by its own description, so that
 * no field can be forgotten: ids as UUIDs, other bytes in hex, enums as their words in lower case, times and dates
 * in ISO form.
 */
#include "base/clock.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
#define DATE_CHARACTERS 10

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static json_t *bytes_json(ProtobufCBinaryData b)
{
    char id_text[ID_TEXT_BYTES];
    struct id id;
    if (id_from_slice(&id, slice_of(b.data, b.len)) == ERROR_NONE)
        return json_string(id_to_text(&id, id_text));
    char *hex = malloc(2 * b.len + 1);
    if (hex == NULL)
        return NULL;
    json_t *j = json_string(text_hex(slice_of(b.data, b.len), hex));
    free(hex);
    return j;
}

const char *ctl_word(const ProtobufCEnumDescriptor *type, uint32_t value, char out[CTL_WORD_BYTES])
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, (int)value);
    if (v == NULL) {
        (void)snprintf(out, CTL_WORD_BYTES, "%u", value);
        return out;
    }
    const char *name = v->name;
    for (const char *t = type->short_name; *t != '\0' && *name != '\0'; t++, name++)
        if (*name == '_' && t != type->short_name) /* FigurePeriod: FIGURE_PERIOD_ */
            name++;
    size_t n = 0;
    for (name += *name == '_'; *name != '\0' && n < CTL_WORD_BYTES - 1; name++)
        out[n++] = *name == '_' ? '-' : (char)tolower((unsigned char)*name);
    out[n] = '\0';
    return out;
}

static json_t *time_json(int64_t ms)
{
    char text[CLOCK_TEXT_BYTES];
    return ms == 0 ? json_null() : json_string(clock_to_text(ms, text));
}

/* Days since 1970, as "2026-05-14". */
static json_t *date_json(uint32_t date)
{
    char text[CLOCK_TEXT_BYTES];
    (void)clock_to_text((int64_t)date * DAY_MS, text);
    text[DATE_CHARACTERS] = '\0';
    return date == 0 ? json_null() : json_string(text);
}

static json_t *message_json(const ProtobufCMessage *m);

static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *at)
{
    char word[CTL_WORD_BYTES];
    switch (f->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_json(*(const ProtobufCBinaryData *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_json(*(ProtobufCMessage *const *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return json_string(ctl_word(f->descriptor, *(const uint32_t *)at, word));
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_UINT32:
        return ends_in(f->name, "_date") ? date_json(*(const uint32_t *)at)
                                         : json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case PROTOBUF_C_TYPE_INT64:
        return ends_in(f->name, "_ms") ? time_json(*(const int64_t *)at)
                                       : json_integer(*(const int64_t *)at);
    default:
        return json_integer(*(const int32_t *)at);
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

/* The admin messages nest three deep at the most, so this recursion is bounded by their types. */
static json_t *message_json(const ProtobufCMessage *m)
{
    json_t *object = json_object();
    for (unsigned i = 0; m != NULL && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const char *at = (const char *)m + f->offset;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
            const char *items = *(const char *const *)at;
            json_t *array = json_array();
            for (size_t k = 0; k < n; k++)
                (void)json_array_append_new(
                    array, value_json(f, items + k * size_of(f->type))); /* only memory */
            (void)json_object_set_new(object, f->name, array);
        } else if (f->type != PROTOBUF_C_TYPE_MESSAGE || *(void *const *)at != NULL) {
            (void)json_object_set_new(object, f->name, value_json(f, at));
        }
    }
    return object;
}

static int print_json(json_t *j)
{
    if (j == NULL || json_dumpf(j, stdout, JSON_INDENT(2)) != 0)
        return ctl_complain(EX_SOFTWARE, "cannot write the answer");
    (void)putchar('\n');
    json_decref(j);
    return EX_OK;
}

/* One value as a word for people; long bytes only by their length. */
static void value_text(const json_t *v, char *out, size_t len)
{
    if (json_is_string(v)) {
        const char *s = json_string_value(v);
        if (strlen(s) > 128 && strspn(s, "0123456789abcdef") == strlen(s))
            (void)snprintf(out, len, "(%zu bytes)", strlen(s) / 2);
        else
            (void)snprintf(out, len, "%s", s[0] == '\0' ? "-" : s); /* cut is fine */
    } else if (json_is_integer(v)) {
        (void)snprintf(out, len, "%lld", (long long)json_integer_value(v));
    } else if (json_is_boolean(v)) {
        (void)snprintf(out, len, "%s", json_is_true(v) ? "yes" : "no");
    } else {
        (void)snprintf(out, len, "-");
    }
}

static void print_line(const char *indent, const char *key, const json_t *v)
{
    char text[4200];
    value_text(v, text, sizeof text);
    (void)printf("%s%-22s %s\n", indent, key, text);
}

static void print_fields(const char *indent, json_t *object)
{
    const char *key;
    json_t *v;
    json_object_foreach(object, key, v)
    {
        if (json_is_object(v)) {
            (void)printf("%s%s\n", indent, key);
            print_fields("    ", v);
        } else if (json_is_array(v)) {
            for (size_t i = 0; i < json_array_size(v); i++) {
                json_t *item = json_array_get(v, i);
                if (!json_is_object(item)) {
                    print_line(indent, key, item);
                    continue;
                }
                (void)printf("%s%s\n", indent, key);
                print_fields("    ", item);
            }
        } else {
            print_line(indent, key, v);
        }
    }
}

int ctl_print_message(const struct ctl_options *o, const ProtobufCMessage *m)
{
    json_t *j = message_json(m);
    if (o->is_json)
        return print_json(j);
    print_fields("", j);
    json_decref(j);
    return EX_OK;
}

#define COLUMNS_MAX 10
#define CELL_BYTES 80

int ctl_print_rows(const struct ctl_options *o, const ProtobufCMessage *const *rows, size_t n,
                   const char *const *columns)
{
    json_t *all = json_array();
    int width[COLUMNS_MAX] = {0};
    char cell[CELL_BYTES];
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(all, message_json(rows[i])); /* only memory */
    if (o->is_json)
        return print_json(all);
    for (size_t c = 0; columns[c] != NULL; c++) {
        width[c] = (int)strlen(columns[c]);
        for (size_t i = 0; i < n; i++) {
            value_text(json_object_get(json_array_get(all, i), columns[c]), cell, sizeof cell);
            width[c] = (int)strlen(cell) > width[c] ? (int)strlen(cell) : width[c];
        }
    }
    for (size_t c = 0; columns[c] != NULL; c++)
        (void)printf("%-*s%s", width[c], columns[c], columns[c + 1] == NULL ? "\n" : "  ");
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; columns[c] != NULL; c++) {
            value_text(json_object_get(json_array_get(all, i), columns[c]), cell, sizeof cell);
            (void)printf("%-*s%s", columns[c + 1] == NULL ? 0 : width[c], cell,
                         columns[c + 1] == NULL ? "\n" : "  ");
        }
    json_decref(all);
    return EX_OK;
}
