/*
 * tests/lib/asks.h: what clients ask of the relay's core, as packed frames, and what operators order, as messages:
 * the words that the stage and the simulator say.
 *
 * ask_… fills a buf that it initialises; the caller ends it. An order holds all that its request points to.
 */
#ifndef TESTS_LIB_ASKS_H
#define TESTS_LIB_ASKS_H

#include "brug/v1/admin.pb-c.h"
#include "daemon/core/model.h"

#define STAGE_READERS_MAX 32u

struct stage_endpoint {
    struct id id, organisation, person; /* person: ID_NONE for a system or a recovery entry */
    uint64_t session;                   /* the newest; 0: none */
};

#define STAGE_MOMENTS_MAX 2u

/* What moves a case; 0 and ID_NONE: not carried. */
struct stage_codes {
    struct id in_reply_to, owed_id, new_director, other_organisation;
    struct id key_id, replaced_key;
    Brug__V1__Decision decision;
    Brug__V1__Outcome outcome;
    Brug__V1__DeclineReason decline_reason;
    Brug__V1__StopReason stop_reason;
    Brug__V1__Involvement involvement;
    Brug__V1__BridgingCarrier carrier;
    uint32_t until_date, called_on_date, moment, conversations, flags;
    /* Of a referral; without a reason or a type it has some. */
    Brug__V1__Reason reason;
    Brug__V1__RequestType request_type;
    struct case_moment moments[STAGE_MOMENTS_MAX]; /* those with an event */
};

struct stage_letter {
    Brug__V1__Kind kind;
    struct id id, case_id;
    const struct stage_endpoint *from;
    struct id person, to, municipality;
    const char *sealed;
    size_t filler_bytes; /* of the sealed part, more */
    struct id readers[STAGE_READERS_MAX], copies[STAGE_READERS_MAX];
    size_t reader_count, copy_count;
    int64_t written_at_ms;
    bool has_no_ground;
    struct stage_codes codes;
};

/* A letter's header, with all that it points to; it borrows the letter's ids. */
struct stage_header {
    Brug__V1__Header header;
    Brug__V1__Sender from;
    Brug__V1__Moment moments[STAGE_MOMENTS_MAX], *moment_list[STAGE_MOMENTS_MAX];
    ProtobufCBinaryData readers[STAGE_READERS_MAX], copies[STAGE_READERS_MAX];
};

void stage_header_init(struct stage_header *out, const struct stage_letter *l);

/* ---- clients ---- */

void ask_pack(struct buf *out, const Brug__V1__ClientFrame *frame);
void ask_hello(struct buf *out);
void ask_subscribe(struct buf *out, uint32_t messages, uint64_t bytes);
void ask_credit(struct buf *out, uint32_t messages, uint64_t bytes);
void ask_ack(struct buf *out, uint64_t request, const struct message_key *key,
             enum error unreadable);
/* handed_on: of a HISTORY, the letter inside; or NULL. */
void ask_opened(struct buf *out, uint64_t request, const struct message_key *key,
                const struct id *person, const struct id *handed_on);
void ask_track(struct buf *out, uint64_t request, const struct id *message);
void ask_ping(struct buf *out, uint64_t request);
void ask_directory(struct buf *out, uint64_t request, const struct id *municipality);
void ask_get_case(struct buf *out, uint64_t request, const struct id *case_id);
void ask_list_cases(struct buf *out, uint64_t request, const struct id *after, uint32_t cases_max,
                    bool ended);
void ask_put_card(struct buf *out, uint64_t request, uint32_t working_days);
void ask_put_absence(struct buf *out, uint64_t request, int64_t away_until_ms);
/* A case's tags: 32 times the byte; 0: none. */
void ask_put_tags(struct buf *out, uint64_t request, const struct id *case_id,
                  const struct id *key_id, uint8_t child, uint8_t household);
void ask_get_figures(struct buf *out, uint64_t request, const struct id *municipality,
                     Brug__V1__FigurePeriod period, uint32_t date, bool inside);
void ask_submit(struct buf *out, uint64_t request, const struct stage_letter *l);

/* The readers and copies that this directory asks for. */
void ask_set_readers(const struct state *s, struct stage_letter *l);
/* The digest of the endpoint's identity key. */
void ask_key(const struct stage_endpoint *e, struct digest *key);

/* ---- operators ---- */

struct order {
    Brug__V1__AdminRequest request;
    Brug__V1__EndpointRow endpoint; /* what ops would have verified */
    bool has_endpoint;
    union {
        Brug__V1__SetStatus set_status;
        Brug__V1__AddMunicipality add_municipality;
        Brug__V1__AddOrganisation add_organisation;
        Brug__V1__AddPerson add_person;
        Brug__V1__AddEndpoint add_endpoint;
        Brug__V1__Release release;
        Brug__V1__PutOutage put_outage;
    } of;
    struct id id, within, person;
    struct digest key;
    Brug__V1__SignedBinding binding;
    ProtobufCBinaryData bytes;
};

void order_set_status(struct order *o, Brug__V1__ObjectType type, const struct id *id,
                      Brug__V1__Status status);
void order_add_municipality(struct order *o, const struct id *id, const char *anchor);
void order_add_organisation(struct order *o, const struct id *id, Brug__V1__OrganisationKind kind,
                            const struct id *municipality);
void order_add_person(struct order *o, const struct id *id, const struct id *organisation,
                      Brug__V1__Role role, int64_t until_ms);
void order_add_endpoint(struct order *o, const struct stage_endpoint *e, bool recovery);
void order_release(struct order *o, const struct id *endpoint);
void order_put_outage(struct order *o, const struct id *id, uint32_t from, uint32_t until);

#endif
