/*
 * client/client.c: what all files of the library share: the last error, events, ids, random bytes.
 */
#include "client/client.h"

#include "base/clock.h"
#include "proto/check.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_CLOCK_DOUBT_MS 60000

enum error client_fail(struct brug *b, enum error e, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(b->line, sizeof b->line, format, list); /* cut when too long */
    va_end(list);
    return e;
}

enum error client_failed(struct brug *b, enum error e)
{
    if (e == ERROR_NONE)
        return e;
    const char *detail = b->db && (e == ERROR_IO || e == ERROR_CORRUPT || e == ERROR_LOCKED)
                             ? db_error_line(b->db)
                             : "";
    return client_fail(b, e, "%s%s%s", error_text(e), *detail ? ": " : "", detail);
}

bool client_is_of_store(enum error e)
{
    return e == ERROR_NO_MEMORY || e == ERROR_IO || e == ERROR_LOCKED || e == ERROR_CORRUPT;
}

int64_t client_now_ms(const struct brug *b)
{
    return b->now_ms ? b->now_ms(b->now_ctx) : clock_now().wall_ms;
}

void client_event(struct brug *b, enum brug_event_type type, int error, int64_t number,
                  const struct id *organisation)
{
    if (b->event_count == CLIENT_EVENTS_MAX) {
        b->event_first = (b->event_first + 1) % CLIENT_EVENTS_MAX;
        b->event_count--;
    }
    size_t place = (b->event_first + b->event_count++) % CLIENT_EVENTS_MAX;
    b->events[place] = (struct brug_event){
        .type = type,
        .error = error,
        .number = number,
        .organisation = client_public_id(organisation ? organisation : &ID_NONE)};
}

struct client_events client_events_mark(const struct brug *b)
{
    return (struct client_events){.first = b->event_first, .count = b->event_count};
}

void client_events_drop_since(struct brug *b, struct client_events mark)
{
    if (b->event_first == mark.first) /* else the ring went round, and what is old is gone */
        b->event_count = mark.count;
}

bool brug_next_event(struct brug *b, struct brug_event *out)
{
    if (b->event_count == 0)
        return false;
    *out = b->events[b->event_first];
    b->event_first = (b->event_first + 1) % CLIENT_EVENTS_MAX;
    b->event_count--;
    return true;
}

enum error client_random(void *out, size_t len)
{
    return RAND_bytes(out, (int)len) == 1 ? ERROR_NONE : ERROR_CRYPTO;
}

enum error client_relay_now_ms(struct brug *b, int64_t *out)
{
    int64_t ahead = 0;
    enum error e = store_get_int(b->db, "server_ahead_ms", 0, &ahead);
    if (e != ERROR_NONE)
        return e;
    bool is_doubtful = ahead > -CLIENT_CLOCK_DOUBT_MS && ahead < CLIENT_CLOCK_DOUBT_MS;
    *out = client_now_ms(b) + (is_doubtful ? 0 : ahead);
    return ERROR_NONE;
}

enum error client_need_ready(struct brug *b)
{
    if (b->state == BRUG_STATE_READY)
        return ERROR_NONE;
    return client_fail(b, ERROR_CONFIRM, "the profile in %s is not enrolled", b->directory);
}

const char *brug_last_error(const struct brug *b) { return b->line; }
const char *brug_directory_path(const struct brug *b) { return b->directory; }
void brug_free(void *p) { free(p); }
const char *brug_version(void) { return BRUG_VERSION; }
int brug_api_version(void) { return BRUG_API_VERSION; }

const char *brug_error_name(int error) { return error_name((enum error)error); }
const char *brug_error_text(int error) { return error_text((enum error)error); }
bool brug_error_is_passing(int error) { return error_is_passing((enum error)error); }

/* ---- ids ---- */

struct id client_id(const struct brug_id *id)
{
    struct id out;
    memcpy(out.bytes, id->bytes, ID_BYTES);
    return out;
}

struct brug_id client_public_id(const struct id *id)
{
    struct brug_id out;
    memcpy(out.bytes, id->bytes, ID_BYTES);
    return out;
}

struct id client_field_id(ProtobufCBinaryData field)
{
    struct id id;
    return check_id(field, &id) == ERROR_NONE ? id : ID_NONE;
}

bool client_field_is(ProtobufCBinaryData field, const struct id *id)
{
    return id_is_none(id) ? field.len == 0 : slice_equal(check_slice(field), id_slice(id));
}

bool client_is_among(const struct id *id, const ProtobufCBinaryData *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (client_field_is(fields[i], id))
            return true;
    return false;
}

ProtobufCBinaryData client_field(struct slice s)
{
    /* protobuf-c's type is not const; packing only reads */
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.data};
}

ProtobufCBinaryData client_id_field(const struct id *id)
{
    return client_field(id_is_none(id) ? SLICE_NONE : id_slice(id));
}

bool brug_id_is_none(const struct brug_id *id)
{
    struct id i = client_id(id);
    return id_is_none(&i);
}

bool brug_id_equal(const struct brug_id *a, const struct brug_id *b)
{
    return memcmp(a->bytes, b->bytes, ID_BYTES) == 0;
}

char *brug_id_text(const struct brug_id *id, char out[BRUG_ID_TEXT_BYTES])
{
    struct id i = client_id(id);
    return id_to_text(&i, out);
}

int brug_id_parse(struct brug_id *out, const char *text)
{
    struct id i;
    enum error e = id_from_text(&i, text);
    if (e == ERROR_NONE)
        *out = client_public_id(&i);
    return (int)e;
}

char *brug_case_code(const struct brug_id *case_id, char out[BRUG_CODE_BYTES])
{
    struct id i = client_id(case_id);
    return id_to_spoken(&i, out);
}
