/*
 * daemon/core/decide.h: judging. Each decide_x looks at one command on the state and fills a decision: the
 * records that shall be committed, the answer, or the wish for a cold load first. It changes nothing.
 * Internal to the core.
 *
 * A decision's records and answer live in its arena, and may borrow from the command and the state: they
 * are packed and applied before either changes.
 */
#ifndef DAEMON_CORE_DECIDE_H
#define DAEMON_CORE_DECIDE_H

#include "base/clock.h"
#include "daemon/core/model.h"
#include "daemon/core/relay.h"
#include "proto/arena.h"

#define DECISION_RECORDS_MAX 40u /* tags that link a case with as many as it can be linked with */

/* What a session's endpoint asks. */
struct command {
    uint64_t session; /* that hears the answer, while it lives */
    struct endpoint *endpoint;
    const Brug__V1__ClientFrame *frame;
    const Brug__V1__Header *header; /* of a Submit; NULL: it does not decode */
    struct message_key key;         /* key.id is ID_NONE: it is about no message */
    struct id case_id;
    bool is_loaded; /* a cold load was answered: what is not in memory does not exist */
    struct instant now;
};

struct decided {
    unsigned type;
    const ProtobufCMessage *record;
    struct body *body; /* that the record brings; the decision's own reference, or NULL */
};

struct decision {
    struct arena *arena;
    struct decided records[DECISION_RECORDS_MAX];
    size_t record_count;
    Brug__V1__ServerFrame answer; /* not set: none */
    enum error code;              /* of a refusal */
    const char *field;
    const char *event; /* for the log besides a refusal; NULL: none */
    bool wants_load;   /* of the command's key; nothing else is set then */
};

/* What a judgement depends on besides state and command. */
struct policy {
    const struct relay_limits *limits;
    bool has_room;
    bool doubts_clock; /* it leapt: nothing is said to be over by it */
    const ProtobufCBinaryData *crls;
    size_t crl_count;
};

/* ---- decision.c ---- */

void decision_init(struct decision *d, struct arena *arena);
void decision_fini(struct decision *d); /* drops the bodies */
/* Never NULL: small things, whose memory is reserved as the process begins or grows by kilobytes. */
void *decision_alloc(struct decision *d, size_t count, size_t size);
void *decision_message(struct decision *d, const ProtobufCMessageDescriptor *type);
/* Takes the reference on the body (NULL: none). */
void decision_record(struct decision *d, unsigned type, const void *record, struct body *body);
void decision_refuse(struct decision *d, const struct command *c, enum error code,
                     const char *field);
void decision_refuse_for(struct decision *d, const struct command *c, enum error code,
                         const char *field, uint32_t retry_after_ms);
void decision_note(struct decision *d); /* answers Noted */

/* ---- decide.c ---- */

void decide(const struct state *s, const struct policy *p, const struct command *c,
            struct decision *d);
/* A Hello: Welcome with its SESSION record, or a refusal that closes the session. */
void decide_hello(const struct state *s, const struct policy *p, const struct command *c,
                  struct decision *d);
/* A connection; ERROR_NONE, or why it is refused (with a SESSION record when the endpoint is known). */
enum error decide_connect(const struct state *s, const struct policy *p,
                          const struct relay_peer *peer, struct instant now, struct decision *d,
                          struct endpoint **out);

/* ---- decide_submit.c, decide_mail.c, decide_directory.c, decide_entry.c, decide_case.c, decide_figures.c ---- */

void decide_submit(const struct state *s, const struct policy *p, const struct command *c,
                   struct decision *d);
void decide_ack(const struct state *s, const struct command *c, struct decision *d);
void decide_opened(const struct state *s, const struct command *c, struct decision *d);
void decide_track(const struct state *s, const struct command *c, struct decision *d);
void decide_get_directory(const struct state *s, const struct policy *p, const struct command *c,
                          struct decision *d);
/* An organisation as its own clients see it. */
Brug__V1__OrganisationEntry *decide_own_entry(struct decision *d, const struct organisation *o);
void decide_put_countersignature(const struct state *s, const struct command *c,
                                 struct decision *d);
void decide_put_absence(const struct state *s, const struct command *c, struct decision *d);
void decide_put_card(const struct state *s, const struct command *c, struct decision *d);
void decide_get_case(const struct state *s, const struct command *c, struct decision *d);
void decide_list_cases(const struct command *c, struct decision *d);
/* A letter between two organisations that work in the municipality, as the case is moved by it. */
struct case_letter {
    const Brug__V1__Header *header;
    const struct person *actor;
    const struct municipality *municipality;
    const struct organisation *from, *to;
};
/*
 * Judges the letter on its case; fills what the case becomes (decision's memory; NULL: no case, or it stays as it is).
 * ERROR_NONE, NO_SUCH_CASE, CASE_EXISTS, or why the move is refused (rules/case.h).
 */
enum error decide_case(const struct state *s, const struct case_letter *l, struct instant now,
                       struct decision *d, Brug__V1__CaseMoved **out) MUST_CHECK;
/* One step that time brings to the case: its record and what both sides are told. False: none is due. */
bool decide_case_step(const struct state *s, const struct casefile *f, struct instant now,
                      struct decision *d);
/* ---- decide_family.c ---- */

/* Whether the key letter replaces the key in force: ERROR_NONE or FAMILY_KEY_MOVED. */
enum error decide_family_key(const struct organisation *team, const Brug__V1__Header *h) MUST_CHECK;
void decide_record_family_key(const Brug__V1__Header *h, struct instant now, struct decision *d);
void decide_put_tags(const struct state *s, const struct command *c, struct decision *d);
/* The HANDOVER's new director is told of the case's links. */
void decide_family_handover(const struct state *s, const Brug__V1__Header *h, struct instant now,
                            struct decision *d);
/* Adds what the asker may hear of the case's family. */
void decide_tell_family(const struct casefile *f, const struct endpoint *asker,
                        Brug__V1__Case *told, struct decision *d);

/* c says that a person opened m: adds the case's move if that changes it. */
void decide_case_opened(const struct state *s, const struct message *m, const struct person *by,
                        const struct command *c, struct decision *d);
void decide_get_figures(const struct state *s, const struct policy *p, const struct command *c,
                        struct decision *d);
/* Which tables are asked for. */
struct figures_ask {
    const struct municipality *municipality;
    struct figure_period period;
    struct id after; /* team */
    uint32_t today;
    struct instant now;
};
/* The period that a request names; of a day that it does not name: the last that is over. */
struct figure_period decide_figure_period(const Brug__V1__GetFigures *asked, uint32_t today);
/*
 * A page of tables as published; what is not published yet is, with this decision. ERROR_NONE, or NOT_OVER, NOT_BEGUN, FULL,
 * BUSY: then nothing is.
 */
enum error decide_figures_published(const struct state *s, const struct policy *p,
                                    const struct figures_ask *ask, struct decision *d,
                                    Brug__V1__Figures **out) MUST_CHECK;
/* The active person who acts for e: its own, or the one of a practice system's organisation. */
const struct person *decide_actor(const struct state *s, const struct endpoint *e,
                                  ProtobufCBinaryData person);
/* Adds the rows with the next epoch of all municipalities that o works in. */
void decide_raise_epochs(struct decision *d, const struct organisation *o);
/* ERROR_NONE when `from` may send to `to`: kinds of organisation for this kind of message. */
bool decide_may_address(const struct organisation *from, const struct organisation *to,
                        Brug__V1__Kind kind);

/* ---- decide_relay.c: what nobody asked for ---- */

/* Adds a relay-made message about m to its sender's organisation, in the same group as its cause. */
void decide_tell_sender(const struct state *s, struct decision *d, const struct message *m,
                        Brug__V1__Kind kind, enum error code, const struct endpoint *about,
                        struct instant now);
/* All readers of an organisation; with a person, that one's; with an endpoint, that one. */
struct audience {
    const struct organisation *organisation;
    const struct person *person;
    const struct endpoint *endpoint;
};
/* The same for anybody: h has kind, message_id and what the kind carries. Nothing is added if that id is known, or nobody
 * reads. The record of what links two cases names neither: it is kept for years [P-150]. */
void decide_tell(const struct state *s, struct decision *d, const struct audience *to,
                 const struct municipality *municipality, Brug__V1__Header *h, struct instant now);
/* A waiting copy of a reader that does not read any more. */
void decide_cancel(const struct state *s, struct reader *r, struct instant now, struct decision *d);
/* A session of e ended by the peer, a newer one or a limit. When the oldest copy was delivered in it and waits
 * still, that was in vain [P-123]: it is counted, and at the last time the copy is parked. */
void decide_session_end(const struct state *s, const struct policy *p, const struct endpoint *e,
                        struct instant now, struct decision *d);
/* found: what the stored bytes digest to; NULL: they are gone or no envelope. */
void decide_quarantine(const struct message *m, const struct digest *found, struct instant now,
                       struct decision *d);
/* A person whose end date has come. */
void decide_end(struct person *p, struct instant now, struct decision *d);

/* ---- decide_outage.c ---- */

struct admin_command;
/*
 * An outage is recorded; *out is its row, new or as it was. Else the code, and *problem (decision's memory) is one line
 * for the operator.
 */
enum error decide_put_outage(const struct state *s, const struct admin_command *c,
                             struct decision *d, Brug__V1__Outage **out, char **problem) MUST_CHECK;

/* ---- decide_admin.c ---- */

struct admin_command {
    const struct policy *policy;
    const Brug__V1__Operator *by;
    const Brug__V1__AdminRequest *request;
    const Brug__V1__EndpointRow *endpoint;
    struct instant now;
};

/* The answer is filled in place; its parts live in the decision's arena. */
void decide_admin(const struct state *s, const struct admin_command *c, struct decision *d,
                  Brug__V1__AdminAnswer *answer);

#endif
