/* tests/lib/sample.c: see sample.h. */
#include "tests/lib/sample.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>
#include <string.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name

struct id sample_id(unsigned version, uint32_t number)
{
    struct id id = {{0}};
    for (unsigned i = 0; i < 4; i++)
        id.bytes[i] = (uint8_t)(number >> (24 - 8 * i));
    id.bytes[6] = (uint8_t)(version << 4);
    id.bytes[8] = 0x80;
    id.bytes[15] = 1;
    return id;
}

ProtobufCBinaryData sample_bytes(const struct id *id)
{
    return (ProtobufCBinaryData){ID_BYTES, (uint8_t *)(uintptr_t)id->bytes};
}

static ProtobufCBinaryData next(struct sample_header *s, unsigned *n, unsigned version)
{
    struct id *id = &s->ids[(*n)++];
    *id = sample_id(version, *n);
    return sample_bytes(id);
}

/* What this kind needs besides a case. */
static void set_needs(struct sample_header *s, unsigned *n)
{
    Brug__V1__Header *h = &s->header;
    switch (h->kind) {
    case KIND(REFERRAL):
        h->reason = BRUG__V1__REASON__REASON_PARENTING;
        h->request_type = BRUG__V1__REQUEST_TYPE__REQUEST_TYPE_CLARIFY;
        h->flags = BRUG__V1__HEADER_FLAG__HEADER_FLAG_GROUND_RECORDED;
        h->moments = s->moments;
        h->n_moments = 1;
        break;
    case KIND(HANDOVER):
        h->new_director = next(s, n, 4);
        break;
    case KIND(START):
        h->involvement = BRUG__V1__INVOLVEMENT__INVOLVEMENT_NOT_KNOWN;
        break;
    case KIND(DELAY):
        h->owed_id = next(s, n, 8);
        h->until_date = 20900;
        break;
    case KIND(DECLINE_PROPOSAL):
        h->decline_reason = BRUG__V1__DECLINE_REASON__DECLINE_REASON_TOO_SERIOUS;
        h->called_on_date = 20800;
        break;
    case KIND(STOP_PROPOSAL):
        h->stop_reason = BRUG__V1__STOP_REASON__STOP_REASON_MOVED;
        break;
    case KIND(BRIDGING_ANSWER):
        h->flags = BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED |
                   BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED;
        /* fall through */
    case KIND(PROPOSAL_ANSWER):
        h->decision = BRUG__V1__DECISION__DECISION_ACCEPT;
        h->in_reply_to = next(s, n, 7);
        break;
    case KIND(FAMILY_KEY):
        h->key_id = next(s, n, 4);
        break;
    case KIND(INFO_REPLY):
    case KIND(RETRACT):
    case KIND(HISTORY):
        h->in_reply_to = next(s, n, 7);
        break;
    case KIND(BRIDGING_PROPOSAL):
        h->bridging_carrier = BRUG__V1__BRIDGING_CARRIER__BRIDGING_CARRIER_PROVIDER;
        h->until_date = 20900;
        h->flags = BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED |
                   BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED;
        break;
    case KIND(CLOSING):
        h->outcome = BRUG__V1__OUTCOME__OUTCOME_YOUTH_CARE;
        break;
    default:
        break;
    }
}

void sample_header_init(struct sample_header *s, Brug__V1__Kind kind)
{
    unsigned n = 0;
    memset(s, 0, sizeof *s);
    brug__v1__header__init(&s->header);
    brug__v1__sender__init(&s->from);
    brug__v1__moment__init(&s->moment);
    s->moment.event = BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_AFTER_CONVERSATIONS;
    s->moment.conversations = 3;
    s->moments[0] = &s->moment;
    for (unsigned i = 0; i < SAMPLE_READERS; i++)
        s->readers[i] = next(s, &n, 4);
    for (unsigned i = 0; i < 2; i++)
        s->copies[i] = next(s, &n, 4);
    s->from.organisation = next(s, &n, 4);
    s->from.endpoint = next(s, &n, 4);
    s->from.person = next(s, &n, 4);
    Brug__V1__Header *h = &s->header;
    h->protocol = LIMIT_PROTOCOL;
    h->profile = LIMIT_PROFILE;
    h->kind = kind;
    h->message_id = next(s, &n, 7);
    h->municipality = next(s, &n, 4);
    h->to = next(s, &n, 4);
    if (kind != KIND(NOTICE) && kind != KIND(FAMILY_KEY))
        h->case_id = next(s, &n, 4);
    h->from = &s->from;
    h->readers = s->readers;
    h->n_readers = SAMPLE_READERS;
    h->copies = s->copies;
    h->n_copies = 2;
    h->written_at_ms = 1790000000000;
    set_needs(s, &n);
    assert(n <= sizeof s->ids / sizeof s->ids[0]);
}

static void must(enum error e) { assert(e == ERROR_NONE); }

void sample_put_bytes(struct buf *b, unsigned field, const void *data, size_t len)
{
    must(buf_append_varint(b, (uint64_t)field << 3 | 2));
    must(buf_append_varint(b, len));
    must(buf_append(b, data, len));
}

void sample_put_number(struct buf *b, unsigned field, uint64_t v)
{
    must(buf_append_varint(b, (uint64_t)field << 3));
    must(buf_append_varint(b, v));
}

void sample_put(struct buf *b, const void *message) { must(frame_append_bare(b, message)); }

void sample_put_frame(struct buf *b, const void *message) { must(frame_append(b, message)); }
