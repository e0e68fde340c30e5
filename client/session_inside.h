/*
 * client/session_inside.h: struct session, shared by the files that make it up: session.c (connecting, reading, writing),
 * requests.c (what is asked and answered), fetch.c (the directory), casefetch.c (cases), familykey.c (family linkage),
 * figures.c.
 */
#ifndef CLIENT_SESSION_INSIDE_H
#define CLIENT_SESSION_INSIDE_H

#include "client/link.h"
#include "client/session.h"
#include "proto/arena.h"

#define SESSION_REQUESTS_MAX 128u

enum request_type {
    REQUEST_FREE = 0,
    REQUEST_HELLO,
    REQUEST_SUBMIT, /* number */
    REQUEST_ACK,    /* number */
    REQUEST_OPENED, /* number */
    REQUEST_TRACK,  /* number */
    REQUEST_PING,
    REQUEST_DIRECTORY,
    REQUEST_COUNTERSIGNATURE, /* id: the colleague's endpoint */
    REQUEST_SUBSCRIBE,
    REQUEST_CASE,  /* about: the case; number: casefile.wanted when it was asked */
    REQUEST_CASES, /* a page of the list */
    REQUEST_TAGS,  /* about: the case */
    REQUEST_FIGURES, /* about: the last team of the page before; number: "figures_wanted" when it was asked */
    REQUEST_TYPES,
};

struct request {
    enum request_type type;
    uint64_t id;
    int64_t number;
    struct id about;
};

/* A directory fetch under way. */
struct fetch {
    bool is_active, is_partial;
    bool
        is_blocked; /* not in this session: the relay gave an older directory than one seen before, or gives this role none */
    bool has_new_crls;
    bool is_overtaken; /* the epoch rose while it ran */
    struct id municipality, after;
    uint64_t epoch; /* of the first page */
    int64_t round;
    struct id asked[64]; /* is_partial */
    size_t asked_count;
};

/* A list of the own organisation's cases under way. */
struct listing {
    bool is_active;
    int64_t wanted; /* as the setting was when it began */
    int64_t round;
    struct id after;
};

/* The team's family key, and when to look after it. */
struct family_watch {
    struct id key; /* that is in force, as far as was heard; ID_NONE: none */
    bool is_on;    /* this endpoint is of a team, and the relay knows families */
    bool is_due;
    int64_t quiet_since_ms, not_before_ms; /* monotonic */
};

enum session_phase { SESSION_AWAY, SESSION_LINKING, SESSION_GREETING, SESSION_UP };

struct session {
    struct brug *b;
    struct link *link;
    SSL_CTX *context;
    struct arena *arena;
    struct buf in, out;
    enum session_phase phase;
    struct request requests[SESSION_REQUESTS_MAX];
    size_t request_count;
    uint64_t request_last;
    size_t requests_max; /* in force */
    int64_t put_off_ms
        [REQUEST_TYPES]; /* monotonic: refused for a passing cause, not asked before; 0: may be asked */
    struct fetch fetch;
    struct listing listing;
    struct family_watch family;
    bool
        is_trust_ahead; /* perhaps: a transaction was rolled back, and revocation lists may have come in it */
    /* limits of the relay */
    size_t frame_bytes_max;
    uint32_t idle_ms_max;
    uint64_t credit_bytes; /* to give back: what was delivered since */
    uint32_t credit_messages;
    /* times, monotonic */
    int64_t deadline_ms; /* linking and greeting must be over by then */
    int64_t next_try_ms;
    int64_t sent_at_ms, heard_at_ms;
    int64_t crl_looked_at_ms;
    int64_t outbox_due_ms; /* wall clock: when a letter may be tried again */
    unsigned failures;     /* since the last Welcome */
    /* what brug_wait looks at */
    bool has_more;    /* a step ended before all was read */
    bool is_about_us; /* the last error is what the relay said of us */
    bool is_dirty;    /* the store may hold work to send */
    bool is_hopeless; /* the last error lasts */
    int last_error;
    int64_t last_at_ms;
    int64_t server_ahead_ms;
    bool has_all;          /* a Pong said so, and nothing was delivered since [P-27] */
    int64_t asked_more_ms; /* by the last Ping since then; 0: none was sent */
    int64_t data_version;
    int wake_fd;
};

/* requests.c */
/* Queues the frame under a fresh request number and remembers it; nothing happens on failure. */
enum error session_ask(struct session *s, Brug__V1__ClientFrame *frame, enum request_type type,
                       int64_t number, const struct id *about) MUST_CHECK;
bool session_is_asked(const struct session *s, enum request_type type, int64_t number);
bool session_is_asked_about(const struct session *s, enum request_type type,
                            const struct id *about);
bool session_has_room(const struct session *s);
/* There is room, and requests of this type are not put off. */
bool session_may_ask(const struct session *s, enum request_type type);
/* When the first of what was put off may be asked again, monotonic; INT64_MAX: nothing is put off. */
int64_t session_put_off_ms(const struct session *s);
/* Takes from the store what can be sent now. */
enum error session_pump(struct session *s) MUST_CHECK;
/* One frame of the relay in phase UP, inside a transaction. A wire error ends the session; one of the store ends the step. */
enum error session_on_frame(struct session *s, const Brug__V1__ServerFrame *f) MUST_CHECK;
/* It may be that something waits that is not here. */
void session_forget_all(struct session *s);
enum error session_ping(struct session *s) MUST_CHECK;

/* fetch.c */
enum error fetch_on_welcome(struct session *s, const Brug__V1__Welcome *w) MUST_CHECK;
enum error fetch_on_moved(struct session *s, const Brug__V1__Epoch *epoch) MUST_CHECK;
enum error fetch_pump(struct session *s) MUST_CHECK;
enum error fetch_on_page(struct session *s, const Brug__V1__Directory *d) MUST_CHECK;
enum error fetch_on_refused(struct session *s, enum error code) MUST_CHECK;
enum error fetch_is_wanted(struct brug *b, bool *wanted) MUST_CHECK;

/* casefetch.c */
enum error casefetch_pump(struct session *s) MUST_CHECK;
enum error casefetch_on_case(struct session *s, const struct request *r, const Brug__V1__Case *row)
    MUST_CHECK;
enum error casefetch_on_page(struct session *s, const Brug__V1__Cases *page) MUST_CHECK;
enum error casefetch_on_refused(struct session *s, const struct request *r, enum error code)
    MUST_CHECK;

/* familykey.c */
void familykey_on_welcome(struct session *s, const Brug__V1__Welcome *w);
/* Something changed that keys or tags depend on. */
void familykey_mark(struct session *s);
int64_t familykey_due_ms(const struct session *s); /* monotonic; INT64_MAX: nothing is due */
enum error familykey_pump(struct session *s) MUST_CHECK;
void familykey_on_receipt(struct session *s, const Brug__V1__Header *h);
/* A letter of ours was refused for good. */
void familykey_on_refused(struct session *s, const Brug__V1__Header *h, enum error code);
enum error familykey_on_delivery(struct session *s, const Brug__V1__Deliver *d) MUST_CHECK;
/* ERROR_NONE, or why tags were refused. */
enum error familykey_on_tagged(struct session *s, const struct request *r, enum error code,
                               bool is_passing) MUST_CHECK;

/* figures.c */
enum error figures_pump(struct session *s) MUST_CHECK;
enum error figures_on_page(struct session *s, const struct request *r,
                           const Brug__V1__Figures *page) MUST_CHECK;
enum error figures_on_refused(struct session *s, const struct request *r, enum error code)
    MUST_CHECK;
enum error figures_are_wanted(struct brug *b, bool *wanted) MUST_CHECK;

#endif
