/* daemon/core/decision.c: a decision in the making. */
#include "daemon/core/decide.h"
#include <assert.h>
#include <string.h>

#define BUSY_MS 1000u
#define FULL_MS 30000u

void decision_init(struct decision *d, struct arena *arena)
{
    d->arena = arena;
    d->record_count = 0;
    d->code = ERROR_NONE;
    d->field = NULL;
    d->event = NULL;
    d->wants_load = false;
    brug__v1__server_frame__init(&d->answer);
}

void decision_fini(struct decision *d)
{
    for (size_t i = 0; i < d->record_count; i++)
        body_unref(d->records[i].body);
    d->record_count = 0;
}

void *decision_alloc(struct decision *d, size_t count, size_t size)
{
    assert(count <= SIZE_MAX / size);
    void *p = arena_alloc(d->arena, count * size);
    assert(p); /* the state is half judged: the process ends and the outbox is intact */
    memset(p, 0, count * size);
    return p;
}

void *decision_message(struct decision *d, const ProtobufCMessageDescriptor *type)
{
    void *p = decision_alloc(d, 1, type->sizeof_message);
    type->message_init(p);
    return p;
}

void decision_record(struct decision *d, unsigned type, const void *record, struct body *body)
{
    assert(d->record_count < DECISION_RECORDS_MAX);
    d->records[d->record_count++] = (struct decided){type, record, body};
}

void decision_refuse_for(struct decision *d, const struct command *c, enum error code,
                         const char *field, uint32_t retry_after_ms)
{
    Brug__V1__Refused *r = decision_message(d, &brug__v1__refused__descriptor);
    assert(code != ERROR_NONE && error_is_on_wire((int)code));
    r->code = (Brug__V1__Code)code;
    r->message_id = id_bytes(&c->key.id);
    if (field)
        r->field = (char *)(uintptr_t)field;
    r->passing = error_is_passing(code);
    r->retry_after_ms = retry_after_ms;
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_REFUSED;
    d->answer.refused = r;
    d->code = code;
    d->field = field;
}

void decision_refuse(struct decision *d, const struct command *c, enum error code,
                     const char *field)
{
    uint32_t wait_ms = code == ERROR_BUSY                               ? BUSY_MS
                       : code == ERROR_FULL || code == ERROR_QUOTA_FULL ? FULL_MS
                                                                        : 0;
    decision_refuse_for(d, c, code, field, wait_ms);
}

void decision_note(struct decision *d)
{
    d->answer.noted = decision_message(d, &brug__v1__noted__descriptor);
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_NOTED;
}
