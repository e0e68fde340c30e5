/*
 * daemon/core/model.h: what the state consists of. Internal to the core.
 *
 * Directory entries live for ever (they are suspended, never removed), so everything may point to them.
 * A message lives while it is known (its id's time is at or after W), waits, or has a record that is not
 * folded yet; its readers' copies that wait hang in their endpoints' mailboxes.
 *
 * Invariants
 *  1. A reader's link is in its endpoint's mailbox exactly while its copy waits; mailboxes ascend by sequence.
 *  2. message.link is in state.cached exactly while message.body is set; else in state.idle while the message may
 *     leave memory once its records are folded; else in the bucket of its time in state.known while W is at
 *     or before that time, or has passed it and the sweep has not; else in no list.
 *  3. state.waiting, parked, waiting_bytes, quarantined, each organisation's unfetched counters and each
 *     endpoint's counters equal what a walk over all messages would count.
 */
#ifndef DAEMON_CORE_MODEL_H
#define DAEMON_CORE_MODEL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "brug/v1/record.pb-c.h"
#include "daemon/core/body.h"
#include "daemon/core/state.h"
#include "daemon/core/table.h"
#include "proto/arena.h"
#include "proto/limits.h"
#include "rules/case_row.h"
#include "rules/case_time.h"
#include "rules/figures.h"
#include "rules/period.h"

struct session;

struct municipality {
    struct entity entity;
    Brug__V1__MunicipalityRow *row;
    uint64_t told_epoch; /* DirectoryMoved was sent for epochs up to here */
};

struct endpoint;
struct person;

struct endpoints { /* ascending by id; borrowed */
    struct endpoint **items;
    size_t count, capacity;
};

struct organisation {
    struct entity entity;
    Brug__V1__OrganisationRow *row;
    struct municipality *home;
    struct municipality **municipalities; /* all it works in, as in the row */
    struct person **persons;              /* ascending by id */
    size_t person_count, person_capacity;
    struct endpoints endpoints; /* all */
    struct endpoints readers; /* that read letters now; none while the organisation is suspended */
    struct endpoints recoveries; /* active recovery entries; likewise */
    size_t active_count;         /* active endpoints that are no recovery entries */
    struct buf roster;           /* exact bytes, as clients hash them */
    uint64_t unfetched_messages, unfetched_bytes; /* sent, acknowledged by no addressed endpoint */
    struct casefile **cases;                      /* its own, ascending by id */
    struct id family_key; /* of a team: which is in force; ID_NONE: none yet */
    size_t case_count, case_capacity;
};

struct person {
    struct entity entity;
    Brug__V1__PersonRow *row;
    struct organisation *organisation;
    struct heap_node end; /* a locum's, while active */
};

struct endpoint {
    struct entity entity;
    Brug__V1__EndpointRow *row;
    struct organisation *organisation;
    struct person *person; /* NULL: a practice system or a recovery entry */
    struct map_node key_node;
    struct digest key; /* of the identity key */
    struct digest binding_digest;
    struct list mailbox;
    uint64_t sequence;                     /* the last one given */
    uint32_t waiting, quarantined, parked; /* copies in the mailbox; of those, such */
    /* Of the session, and gone with it: */
    struct session *session;
    uint32_t serial;        /* of its sessions; a reader with this delivered_serial is in flight */
    struct list *cursor;    /* the last mailbox entry that was offered; the mailbox itself: none */
    struct list cancelling; /* in the relay's list while its copies are being cancelled */
};

enum reader_state {
    READER_WAITING = 0,
    READER_FETCHED = 1,
    READER_UNREADABLE = 2,
    READER_CANCELLED = 3,
};

struct reader {
    struct list link;
    struct endpoint *endpoint;
    struct person *opened_by;
    uint64_t sequence;
    int64_t
        settled_at_ms; /* when it stopped waiting; while it waits, the last session in vain or 0 */
    int64_t opened_at_ms;
    uint32_t delivered_serial;
    uint16_t attempts;
    uint16_t code; /* READER_UNREADABLE */
    uint16_t index;
    uint8_t state;
    uint8_t
        in_vain; /* sessions that ended without its acknowledgement, since it came or was released */
    bool is_parked;  /* only while it waits */
    bool was_parked; /* its sender was told */
};

struct message_key {
    struct id organisation; /* of the sender; ID_NONE: made by the relay */
    struct id id;
};

struct message {
    struct map_node node;
    struct message_key key;
    struct digest digest;
    struct id case_id;
    struct endpoint *sender; /* NULL: made by the relay */
    struct organisation *to; /* NULL: a refusal */
    struct municipality *municipality;
    struct list link;
    struct body *body; /* cached */
    int64_t at_ms;
    uint64_t body_lsn;
    uint64_t touched_lsn; /* of the last record that changed it */
    uint32_t body_bytes;
    uint16_t code; /* of the refusal */
    uint16_t kind;
    uint16_t reader_count, waiting_count;
    bool is_quarantined, is_counted, is_loading;
    struct reader readers[];
};

struct family_tag {
    bool is_there;
    struct digest value;
};

struct family_tags {
    struct id key; /* that they are under; ID_NONE: there are none */
    struct family_tag child, household;
};

struct family_link {
    struct casefile *other;
    bool is_same_child; /* else the same household */
};

#define FAMILY_LINKS_MAX (2 * LIMIT_LINKED_CASES)

struct family { /* ascending by the other's id */
    struct family_tags tags;
    struct family_link links[FAMILY_LINKS_MAX];
    size_t link_count;
};

struct casefile {
    struct map_node node;
    struct id id;
    struct municipality *municipality;
    struct organisation *practice, *team;
    struct buf row;            /* serialised brug.v1.Case */
    Brug__V1__CaseState state; /* as in the row */
    struct heap_node step;     /* in state.steps while time will do something to it */
    struct family *family;     /* NULL: no tags, no links */
};

struct figure_entry {
    uint32_t day, count;
    uint16_t code;
    uint8_t event; /* enum figure_event */
};

/* What a team counted of one practice's cases, ascending by day, event and code. */
struct figure_line {
    struct organisation *practice;
    struct figure_entry *entries;
    size_t count, capacity;
};

struct figure_table {
    struct figure_period period;
    struct buf row; /* serialised brug.v1.FiguresPublished */
};

/* The figures of a team in a municipality. */
struct figure_book {
    struct map_node node;
    struct id key[2]; /* municipality, team */
    struct figure_line *lines;
    size_t line_count, line_capacity;
    struct figure_table *published; /* as they came: live in their order, of a load by day */
    size_t published_count, published_capacity;
    uint32_t closed_until; /* the last day of all that was published; 0: nothing was */
};

#define OUTAGES_MAX 256u

/* Days on which the relay was away, by number: the first is 1 and stands at 0. */
struct outages {
    Brug__V1__Outage *rows[OUTAGES_MAX];
    struct case_outage days[OUTAGES_MAX]; /* what terms.outages points to */
    size_t count;
};

#define MESSAGES_AHEAD 16u

struct message_ahead {
    struct message *message; /* NULL: none */
    uint64_t hash;           /* of its key */
};

struct state {
    uint64_t seed[2];
    uint64_t lsn, folded_lsn;
    int64_t low_water_ms; /* W: only rises once all is loaded */
    int64_t swept_ms;     /* what is known and older is in no bucket; at most W */
    struct id generation;
    bool is_loaded;
    bool is_unsorted; /* a mailbox, while loading */
    struct message_ahead
        ahead[MESSAGES_AHEAD]; /* while loading: a ring of the last that were brought */
    unsigned ahead_at;         /* the oldest */
    struct table municipalities, organisations, persons, endpoints;
    struct map keys; /* endpoints by identity key digest */
    struct map messages, cases, figures;
    struct heap ends;
    struct heap steps; /* of cases: reminders, and what else time brings */
    struct case_terms terms;
    struct outages outages;
    struct list cached, idle; /* idle: folded ones in front, then as they came */
    struct list *known;       /* buckets by time of the id; one that was never used is zero */
    size_t unsettled;         /* messages with a copy that waits */
    size_t cached_bytes;
    uint64_t waiting, parked, waiting_bytes, quarantined;
    struct arena *arena; /* of the record that is being replayed */
};

/* ---- bytes and ids ---- */

/* False unless 16 bytes. */
static inline bool id_take(ProtobufCBinaryData b, struct id *out)
{
    return id_from_slice(out, (struct slice){b.data, b.len}) == ERROR_NONE;
}
/* Empty is ID_NONE. */
static inline bool id_take_optional(ProtobufCBinaryData b, struct id *out)
{
    *out = ID_NONE;
    return b.len == 0 || id_take(b, out);
}
/* Borrowed for a record or an answer that is packed before the id goes; ID_NONE is empty. */
static inline ProtobufCBinaryData id_bytes(const struct id *id)
{
    return (ProtobufCBinaryData){id_is_none(id) ? 0 : ID_BYTES, (uint8_t *)(uintptr_t)id->bytes};
}
static inline ProtobufCBinaryData slice_bytes(struct slice s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.data};
}
static inline ProtobufCBinaryData digest_bytes(const struct digest *d)
{
    return slice_bytes(digest_slice(d));
}

/* ---- directory.c ---- */

struct municipality *municipality_find(const struct state *s, ProtobufCBinaryData id);
struct organisation *organisation_find(const struct state *s, ProtobufCBinaryData id);
struct person *person_find(const struct state *s, ProtobufCBinaryData id);
struct endpoint *endpoint_find(const struct state *s, ProtobufCBinaryData id);
struct endpoint *endpoint_find_key(const struct state *s, const struct digest *key);

bool municipality_is_active(const struct municipality *m);
/* Adds those anchors of the row that are not among the n in `ders`, up to max; the new n. */
size_t municipality_anchors(const Brug__V1__MunicipalityRow *row, struct slice *ders, size_t n,
                            size_t max);
/* Active, and its home municipality too. */
bool organisation_is_active(const struct organisation *o);
bool organisation_works_in(const struct organisation *o, const struct municipality *m);
bool person_is_active(const struct person *p);
Brug__V1__Role endpoint_role(const struct endpoint *e);
/* Whether letters are sealed to it: active, of an active person and organisation, of a role that reads. */
bool endpoint_reads(const struct endpoint *e);
/*
 * ERROR_NONE or ERROR_SUSPENDED: itself, its person, its organisation or the home municipality is not
 * active, or it is a recovery entry. *since_lsn (NULL: not asked) is the newest record among these.
 */
enum error endpoint_judge(const struct endpoint *e, uint64_t *since_lsn);
/* ERROR_NONE, NO_READER (besides `except`, NULL: nobody) or NOT_ADDRESSABLE. */
enum error organisation_judge_readers(const struct organisation *o, const struct endpoint *except);

/* The rows replace what was; they are copied. ERROR_CORRUPT when they name something unknown. */
enum error directory_put_municipality(struct state *s, uint64_t lsn,
                                      const Brug__V1__MunicipalityRow *row) MUST_CHECK;
enum error directory_put_organisation(struct state *s, uint64_t lsn,
                                      const Brug__V1__OrganisationRow *row) MUST_CHECK;
enum error directory_put_person(struct state *s, uint64_t lsn, const Brug__V1__PersonRow *row)
    MUST_CHECK;
enum error directory_put_endpoint(struct state *s, uint64_t lsn, const Brug__V1__EndpointRow *row)
    MUST_CHECK;
void directory_fini(struct state *s); /* frees all entries */
/* A deep copy, to free with row_free (NULL: nothing); NULL: no memory. */
ProtobufCMessage *row_copy(const ProtobufCMessage *row) MUST_CHECK;
void row_free(void *row);

/* ---- message.c ---- */

struct message *message_find(const struct state *s, const struct message_key *key);
/* NULL when out of memory; readers are zero but for their index and link. */
struct message *message_new(const struct message_key *key, size_t reader_count);
void message_free(struct message *m);
struct list *message_new_buckets(void); /* of state.known; NULL: no memory */
/* Takes a message whose readers are set; puts waiting copies into their mailboxes, and counts. */
enum error message_insert(struct state *s, struct message *m) MUST_CHECK;
/*
 * While loading: takes a message whose readers are set, and inserts one that was taken some calls before, whose place
 * in the map has been fetched from memory since. ERROR_CORRUPT: one of the same key is there.
 */
enum error message_load(struct state *s, struct message **m) MUST_CHECK;
enum error messages_load_rest(struct state *s) MUST_CHECK;
struct message *message_of(struct reader *r);
/* NULL when e is no reader. */
struct reader *message_reader(struct message *m, const struct endpoint *e);
bool message_is_relay_made(const struct message *m);
/* A reader's copy stops waiting. */
void message_settle(struct state *s, struct message *m, struct reader *r, enum reader_state to,
                    uint16_t code, int64_t at_ms);
void message_set_quarantined(struct state *s, struct message *m, bool is_quarantined);
/* A session ended without the acknowledgement of a copy that waits. */
void message_count_in_vain(struct reader *r, uint32_t sessions, int64_t at_ms);
/* A copy that waits is not offered any more, or is offered again with its count at zero. */
void message_park(struct state *s, struct reader *r);
void message_release(struct state *s, struct reader *r);
/* The oldest copy that the endpoint is offered: not parked, not in quarantine. NULL: none. */
struct reader *message_oldest(const struct endpoint *e);
/* A record changed it: it may not leave memory before `lsn` is folded. */
void message_touch(struct state *s, struct message *m, uint64_t lsn);
/* Keeps a reference, and drops the oldest bodies beyond bytes_max (never this one). */
void message_cache_body(struct state *s, struct message *m, struct body *b, size_t bytes_max);
void message_drop_body(struct state *s, struct message *m);
/* Whether absence from memory says that the id is new: its time is at or after W. */
bool message_id_is_recent(const struct state *s, const struct id *id);
/* Removes of what may leave memory as much as one step may cost. */
void message_trim(struct state *s);
/*
 * Raises W with the time, and while more than known_max (0: no bound) messages are in memory that nobody waits
 * for; in small steps, so that no call takes long. Only what is folded leaves.
 */
void message_keep_known(struct state *s, int64_t now_ms, size_t known_max);
void messages_fini(struct state *s);

/* ---- casefile.c ---- */

struct casefile *casefile_find(const struct state *s, const struct id *id);
/* The row replaces what was; it is copied. */
enum error casefile_put(struct state *s, const Brug__V1__Case *row) MUST_CHECK;
/* The terms that are in force from now on: when time does something to each case is reckoned anew. */
enum error casefiles_set_terms(struct state *s, const struct case_terms *terms) MUST_CHECK;
/* The same after an outage was recorded. */
enum error casefiles_on_outage(struct state *s) MUST_CHECK;
/* The same after a team's working days changed. */
enum error casefiles_on_working_days(struct state *s, const struct organisation *team) MUST_CHECK;
struct slice casefile_row(const struct casefile *c); /* until the next put */
/* In the arena, borrowing from the case; NULL: no memory. */
Brug__V1__Case *casefile_unpack(const struct casefile *c, struct arena *arena);
unsigned casefile_working_days(const struct organisation *team); /* as on its card */
/* Where in o->cases those begin whose id is greater. */
size_t casefiles_after(const struct organisation *o, const struct id *after);
bool casefile_has_ended(const struct casefile *c);
void casefiles_fini(struct state *s);

/* ---- family.c ---- */

/* False unless each is of its length, or empty. */
bool family_read_tags(ProtobufCBinaryData key_id, ProtobufCBinaryData child,
                      ProtobufCBinaryData household, struct family_tags *out);
bool family_tag_equal(const struct family_tag *a, const struct family_tag *b);
/* The tags replace what was; links are added. ERROR_CORRUPT, NO_MEMORY. */
enum error family_put(struct state *s, const Brug__V1__CaseTags *record,
                      const Brug__V1__TagsKept *kept) MUST_CHECK;
void family_forget(
    struct casefile *c); /* tags and links, here and at the cases that it was linked with */
enum error family_append(const struct family *f, struct buf *out)
    MUST_CHECK; /* for the state's digest */
/* ---- outage.c ---- */

/* It is copied. ERROR_CORRUPT: its number is another one's, or is not the next. */
enum error outage_put(struct state *s, const Brug__V1__Outage *row) MUST_CHECK;
/* Once all are loaded: ERROR_CORRUPT if a number is missing. */
enum error outages_check(const struct state *s) MUST_CHECK;
const Brug__V1__Outage *outage_find(const struct state *s, ProtobufCBinaryData id); /* or NULL */
void outages_fini(struct state *s);

/* ---- figure.c ---- */

/* NULL: the team counted nothing there yet. */
struct figure_book *figure_find(const struct state *s, const struct municipality *m,
                                const struct organisation *team);
/* On which anything counts in the municipality, of any team; UINT32_MAX: nothing does. */
uint32_t figure_first_day(const struct state *s, const struct municipality *m);
/* What a move counts for. */
enum error figure_move(struct state *s, const Brug__V1__CaseMoved *m) MUST_CHECK;
/* A referral of before cases moved. */
enum error figure_open(struct state *s, const Brug__V1__Case *row) MUST_CHECK;
/* The table stands from now on; it is copied. */
enum error figure_publish(struct state *s, const Brug__V1__FiguresPublished *row) MUST_CHECK;
/* The table of these days, whatever their kind of period; NULL: it is not published. */
const struct figure_table *figure_published(const struct figure_book *b,
                                            const struct figure_period *p);
/* In the arena, borrowing from the table; NULL: no memory. */
Brug__V1__FiguresPublished *figure_unpack(const struct figure_table *t, struct arena *arena);
void figures_fini(struct state *s);

/* ---- apply.c ---- */

/* As apply_record_with, from the message itself; *touched (NULL: not asked) is the message it changed, or NULL. */
enum error apply(struct state *s, uint64_t lsn, unsigned type, const ProtobufCMessage *record,
                 struct slice kept, struct message **touched) MUST_CHECK;

/* ---- state.c ---- */

/* A cold load brought it: as state_load_message, and it may leave again. *out borrows it. */
enum error state_recall(struct state *s, const Brug__V1__KnownMessage *known, struct message **out)
    MUST_CHECK;
void state_set_folded(struct state *s, uint64_t lsn);

#endif
