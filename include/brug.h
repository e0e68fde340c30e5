/*
 * brug.h: the client of Brug as a library. Seals, sends, receives and keeps letters between practices
 * and teams; works while the relay or the network is down and catches up later, each letter once.
 *
 * Shape
 *   struct brug is one profile: a directory with two keys and a store. All calls on one handle come from
 *   one thread at a time; the library starts none and prints nothing. The caller drives one descriptor:
 *
 *       struct brug *b = brug_new(NULL);                 (NULL: $BRUG_HOME, or the XDG place)
 *       if (!b || brug_open(b) != BRUG_OK) ...           brug_last_error(b) says what and why
 *       if (brug_start(b) == BRUG_OK)                    BRUG_LOCKED: another process has the connection
 *           for (;;) { poll brug_fd(b) for reading, at most brug_timeout_ms(b); brug_step(b); ... }
 *       brug_close(&b);
 *
 *   or calls brug_wait(), which does that loop until something is reached. brug_send() needs no
 *   connection: it stores the letter, and whoever has the profile's connection sends it.
 *
 * Units and forms
 *   times: milliseconds since 1970-01-01 UTC, 0 for "not yet" or "none"; dates: yyyymmdd; text: UTF-8 with
 *   a NUL at the end, never NULL in results; ids: 16 bytes (UUID). Sizes in bytes.
 *   Numbers of kinds, reasons and other codes are those of brug.v1 on the wire and never change.
 *
 * Errors
 *   Functions that can fail return an int: BRUG_OK (0) or a number of enum brug_error; on failure their
 *   results are untouched, and brug_last_error() holds one English line about this case. brug_error_sentence()
 *   gives, in Dutch or English, what a person should do. A passing error may go away by itself: the library
 *   tries again; a final one never will.
 *
 * Ownership
 *   Arguments are borrowed for the call. What a function allocates is freed by the function named with it;
 *   every such function accepts NULL. Opened letters are wiped when they are freed.
 */
#ifndef BRUG_H
#define BRUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions ------------------------------------------------------------------------------------ */

/* Rises when this header changes in a way that breaks callers of a version that was released. */
#define BRUG_API_VERSION 1
const char *brug_version(void); /* "0.1.0" */
int brug_api_version(void);

/* ---- errors -------------------------------------------------------------------------------------- */

/* Under 1000: as on the wire (brug.v1.Code). From 1000: of this process. */
enum brug_error {
    BRUG_OK = 0,
    /* the connection */
    BRUG_TLS_NO_CERTIFICATE = 1,
    BRUG_TLS_UNKNOWN_CA = 2,
    BRUG_TLS_EXPIRED = 3,
    BRUG_TLS_REVOKED = 4,
    BRUG_TLS_WRONG_USE = 5,
    BRUG_TLS_CRL_STALE = 6,
    BRUG_TLS_WRONG_PROTOCOL = 7,
    BRUG_TLS_BROKEN = 8,
    BRUG_TLS_WEAK = 9,
    BRUG_NOT_ENROLLED = 10,
    BRUG_SUSPENDED = 11,
    BRUG_SESSION_REPLACED = 12,
    BRUG_UPDATE_CLIENT = 13,
    BRUG_HELLO_EXPECTED = 14,
    BRUG_HELLO_TIMEOUT = 15,
    BRUG_FRAME_TOO_LARGE = 16,
    BRUG_FRAME_MALFORMED = 17,
    BRUG_FRAME_TOO_COMPLEX = 18,
    BRUG_FRAME_TRUNCATED = 19,
    BRUG_IDLE_TIMEOUT = 20,
    BRUG_SHUTTING_DOWN = 21,
    BRUG_TOO_MANY_CONNECTIONS = 22,
    BRUG_CREDIT_EXCEEDED = 23,
    BRUG_WRITE_STALLED = 24,
    BRUG_TLS_KEY_UPDATES = 25,
    /* a request */
    BRUG_UPDATE_RELAY = 40,
    BRUG_UPDATE_SENDER = 41,
    BRUG_HEADER_MALFORMED = 42,
    BRUG_ID_MALFORMED = 43,
    BRUG_CODE_UNKNOWN = 44,
    BRUG_CODE_MISSING = 45,
    BRUG_FIELD_NOT_ALLOWED = 46,
    BRUG_SENDER_MISMATCH = 47,
    BRUG_ROLE_NOT_ALLOWED = 48,
    BRUG_MESSAGE_TOO_LARGE = 49,
    BRUG_TOO_MANY_READERS = 50,
    BRUG_ID_REUSED = 51,
    BRUG_NOTHING_SEALED = 52,
    BRUG_REQUEST_MALFORMED = 53,
    BRUG_NOT_OVER = 54,
    BRUG_NOT_BEGUN = 55,
    /* passing causes */
    BRUG_CLOCK_AHEAD = 70,
    BRUG_DIRECTORY_CHANGED = 71,
    BRUG_QUOTA_FULL = 72,
    BRUG_FULL = 73,
    BRUG_BUSY = 74,
    /* judged */
    BRUG_UNKNOWN_ADDRESSEE = 90,
    BRUG_NO_READER = 91,
    BRUG_NO_SUCH_CASE = 92,
    BRUG_CASE_EXISTS = 93,
    BRUG_NOT_ADDRESSABLE = 94,
    BRUG_NO_SUCH_MESSAGE = 95,
    BRUG_NO_SUCH_OBJECT = 96,
    BRUG_BAD_SIGNATURE = 97,
    BRUG_NOT_ACKNOWLEDGED = 98,
    BRUG_CASE_REFERRED = 99,
    BRUG_CASE_CLARIFYING = 100,
    BRUG_CASE_SUPPORT = 101,
    BRUG_CASE_CONSULTING = 102,
    BRUG_CASE_ENDED = 103,
    BRUG_CASE_TAKEN = 104,
    BRUG_NOT_DIRECTOR = 105,
    BRUG_NOT_PROPOSER = 106,
    BRUG_PROPOSAL_WAITS = 107,
    BRUG_NO_PROPOSAL = 108,
    BRUG_BRIDGING_IN_FORCE = 109,
    BRUG_NO_BRIDGING = 110,
    BRUG_STILL_OWED = 111,
    BRUG_NOT_OWED = 112,
    BRUG_DELAYED_BEFORE = 113,
    BRUG_OUTCOME_NOT_ALLOWED = 114,
    BRUG_DATE_NOT_ALLOWED = 115,
    BRUG_NO_SUCH_DIRECTOR = 116,
    BRUG_TOO_MUCH_OWED = 117,
    BRUG_FAMILY_KEY_MOVED = 118,
    BRUG_FAMILY_LINKED = 119,
    /* a letter that fails its checks */
    BRUG_LETTER_PROFILE = 120,
    BRUG_LETTER_NOT_FOR_ME = 121,
    BRUG_LETTER_DECRYPT = 122,
    BRUG_LETTER_SIGNATURE = 123,
    BRUG_LETTER_SIGNER = 124,
    BRUG_LETTER_HEADER = 125,
    BRUG_LETTER_CONTENT = 126,
    /* this process */
    BRUG_NO_MEMORY = 1000,
    BRUG_IO = 1001,
    BRUG_CONFIG = 1002,
    BRUG_BOUND = 1003,
    BRUG_CORRUPT = 1004,
    BRUG_STORE_FORMAT = 1005,
    BRUG_NOT_FOUND = 1006,
    BRUG_EXISTS = 1007,
    BRUG_LOCKED = 1008,
    BRUG_CRYPTO = 1009,
    BRUG_PERMISSION = 1010,
    BRUG_USAGE = 1011,
    BRUG_NOT_BELIEVED = 1012,
    BRUG_CONFIRM = 1013,
};

enum brug_language { BRUG_DUTCH = 0, BRUG_ENGLISH = 1 };

const char *brug_error_name(int error); /* "QUOTA_FULL"; "UNKNOWN" */
const char *brug_error_text(int error); /* English, one line, technical */
bool brug_error_is_passing(int error);
/* A sentence for people that says what to do; never NULL. */
const char *brug_error_sentence(int error, enum brug_language language);

/* ---- ids ----------------------------------------------------------------------------------------- */

struct brug_id {
    uint8_t bytes[16]; /* all zero: none */
};

#define BRUG_ID_TEXT_BYTES 37 /* with the NUL */
#define BRUG_CODE_BYTES 8     /* "K7Q-4MX": a case's short code, for people to speak */
bool brug_id_is_none(const struct brug_id *id);
bool brug_id_equal(const struct brug_id *a, const struct brug_id *b);
char *brug_id_text(const struct brug_id *id, char out[BRUG_ID_TEXT_BYTES]);
int brug_id_parse(struct brug_id *out, const char *text); /* BRUG_ID_MALFORMED */
char *brug_case_code(const struct brug_id *case_id, char out[BRUG_CODE_BYTES]);

/* ---- closed lists -------------------------------------------------------------------------------- */

enum brug_list {
    BRUG_LIST_KIND = 0,
    BRUG_LIST_REASON = 1,
    BRUG_LIST_REQUEST_TYPE = 2,
    BRUG_LIST_MOMENT_EVENT = 3,
    BRUG_LIST_DECLINE_REASON = 4,
    BRUG_LIST_STOP_REASON = 5,
    BRUG_LIST_INVOLVEMENT = 6,
    BRUG_LIST_OUTCOME = 7,
    BRUG_LIST_DECISION = 8,
    BRUG_LIST_BRIDGING_CARRIER = 9,
    BRUG_LIST_CASE_STATE = 10,
    BRUG_LIST_SIDE = 11,
    BRUG_LIST_OWED_KIND = 12,
    BRUG_LIST_FIGURE_PERIOD = 13,
    BRUG_LIST_FIGURE_MEASURE = 14,
    BRUG_LIST_FIGURE_FORM = 15,
    /* of this library itself */
    BRUG_LIST_GROUND = 100,
    BRUG_LIST_ROLE = 101,
};

/* The row at `position` (0, 1, ...) of a list: its number, or -1 after the last. */
int brug_list_number(enum brug_list list, size_t position);
/* What a user types and --json prints ("parenting"); "" for a number that is not in the list. */
const char *brug_list_word(enum brug_list list, int number);
/* For people; a general text for a number that is not in the list. */
const char *brug_list_text(enum brug_list list, int number, enum brug_language language);
/* The number of a word, or -1. */
int brug_list_find(enum brug_list list, const char *word);

enum brug_kind {
    BRUG_KIND_REFERRAL = 1,
    BRUG_KIND_CONSULT = 2,
    BRUG_KIND_ADVICE = 3,
    BRUG_KIND_CLAIM = 4,
    BRUG_KIND_HANDOVER = 5,
    BRUG_KIND_START = 6,
    BRUG_KIND_INTERIM = 7,
    BRUG_KIND_DELAY = 8,
    BRUG_KIND_INFO_REQUEST = 9,
    BRUG_KIND_INFO_REPLY = 10,
    BRUG_KIND_DECLINE_PROPOSAL = 11,
    BRUG_KIND_STOP_PROPOSAL = 12,
    BRUG_KIND_PROPOSAL_ANSWER = 13,
    BRUG_KIND_RETRACT = 14,
    BRUG_KIND_BRIDGING_PROPOSAL = 15,
    BRUG_KIND_BRIDGING_ANSWER = 16,
    BRUG_KIND_BRIDGING_END = 17,
    BRUG_KIND_CLOSING = 18,
    BRUG_KIND_WITHDRAWAL = 19,
    BRUG_KIND_NOTE = 20,
    BRUG_KIND_HISTORY = 21,
    BRUG_KIND_NOTICE = 22,
    BRUG_KIND_FAMILY_KEY = 23, /* of the program itself; never shown */
    /* made by the relay only */
    BRUG_KIND_REMINDER = 64,
    BRUG_KIND_OVERDUE = 65,
    BRUG_KIND_NOT_OPENED = 66,
    BRUG_KIND_NON_DELIVERY = 67,
    BRUG_KIND_FACT = 68,
};

enum brug_role {
    BRUG_ROLE_GP = 1,
    BRUG_ROLE_LOCUM = 2,
    BRUG_ROLE_ASSISTANT = 3,
    BRUG_ROLE_CONSULTANT = 4,
    BRUG_ROLE_LEADER = 5,
    BRUG_ROLE_OBSERVER = 6,
    BRUG_ROLE_SYSTEM = 7, /* an endpoint without a person: a practice system */
};

enum brug_organisation_kind { BRUG_PRACTICE = 1, BRUG_TEAM = 2 };

enum brug_decline_reason {
    BRUG_DECLINE_TOO_SERIOUS = 1,
    BRUG_DECLINE_SPECIALIST_CARE = 2,
    BRUG_DECLINE_OTHER_TEAM = 3,
    BRUG_DECLINE_NO_ROOM_IN_TIME = 4,
};

enum brug_outcome {
    BRUG_OUTCOME_OWN_SHORT_SUPPORT = 1,
    BRUG_OUTCOME_LOCAL_PROVISION = 2,
    BRUG_OUTCOME_YOUTH_CARE = 3,
    BRUG_OUTCOME_NOT_TAKEN_UP = 4,
    BRUG_OUTCOME_STOPPED = 5,
    BRUG_OUTCOME_WITHDRAWN = 6,
    BRUG_OUTCOME_ADVICE_GIVEN = 7,
    BRUG_OUTCOME_EXISTING_PLAN = 8,
    BRUG_OUTCOME_NO_HELP_NEEDED = 9,
    BRUG_OUTCOME_ENDED_GP_DISAGREES = 10,
};

enum brug_decision { BRUG_ACCEPT = 1, BRUG_OBJECT = 2 };

enum brug_case_state {
    BRUG_CASE_STATE_REFERRED = 1,   /* waits to be taken up */
    BRUG_CASE_STATE_CLARIFYING = 2, /* has a director */
    BRUG_CASE_STATE_SUPPORT = 3,    /* started */
    BRUG_CASE_STATE_CONSULTING = 4, /* a GP asked for advice */
    BRUG_CASE_STATE_CLOSED = 5,     /* this and all below have ended */
    BRUG_CASE_STATE_DECLINED = 6,
    BRUG_CASE_STATE_STOPPED = 7,
    BRUG_CASE_STATE_WITHDRAWN = 8,
    BRUG_CASE_STATE_ADVISED = 9,
};

enum brug_side { BRUG_SIDE_NONE = 0, BRUG_SIDE_PRACTICE = 1, BRUG_SIDE_TEAM = 2 };

/* What one side owes the other. */
enum brug_owed_kind {
    BRUG_OWED_TAKE_UP = 1,
    BRUG_OWED_START = 2,
    BRUG_OWED_CLOSING = 3,
    BRUG_OWED_MOMENT = 4,
    BRUG_OWED_INFO_REPLY = 5,
    BRUG_OWED_PROPOSAL_ANSWER = 6,
    BRUG_OWED_BRIDGING_ANSWER = 7,
    BRUG_OWED_BRIDGING_DECISION = 8, /* its end has come: end it, or agree anew */
    BRUG_OWED_ADVICE = 9,
};

/* The ground for sharing that was recorded. */
enum brug_ground { BRUG_GROUND_NONE = 0, BRUG_GROUND_CONSENT = 1, BRUG_GROUND_NECESSITY = 2 };

enum brug_moment_event {
    BRUG_MOMENT_DATE = 1,
    BRUG_MOMENT_FIRST_CONVERSATION = 2,
    BRUG_MOMENT_WAITING_LIST = 3,
    BRUG_MOMENT_CHANGE_OF_DIRECTOR = 4,
    BRUG_MOMENT_AFTER_CONVERSATIONS = 5,
};

/* ---- a profile ----------------------------------------------------------------------------------- */

struct brug;

/* A handle on a profile directory; touches no file. NULL directory: $BRUG_HOME, else $XDG_DATA_HOME/brug,
 * else $HOME/.local/share/brug. NULL when out of memory or when none of those is set. */
struct brug *brug_new(const char *directory);
void brug_close(struct brug **b); /* ends the session, frees; *b becomes NULL */
const char *brug_directory_path(const struct brug *b);
/* One English line about the last failure on this handle; "" when there was none. Valid until the next call. */
const char *brug_last_error(const struct brug *b);

enum brug_state {
    BRUG_STATE_EMPTY = 0,     /* nothing there: brug_init */
    BRUG_STATE_REQUESTED = 1, /* keys made, request written; the answer is awaited: brug_enrol */
    BRUG_STATE_ANSWERED = 2,  /* answer taken in, its code not compared yet: brug_enrol_confirm */
    BRUG_STATE_READY = 3,     /* usable */
};

/*
 * Opens what is in the directory; *state may be EMPTY (then nothing was made). Needed before all that
 * follows. A key file that others can read is BRUG_PERMISSION, and the line says which chmod mends it.
 * Others: BRUG_STORE_FORMAT (made by a newer brug), BRUG_CORRUPT, BRUG_IO. May be called again.
 */
int brug_open(struct brug *b, enum brug_state *state);

struct brug_init_options {
    bool
        recovery; /* an entry of the organisation that only recovers letters: never connects, kept off-line */
};

/*
 * Begins enrolment from the invitation that the operator sent (text with its BEGIN and END lines): makes
 * the keys, signs the binding, and gives the request to send back, in *request (brug_free). In state
 * REQUESTED with the same invitation it gives the same request again; else BRUG_EXISTS, and nothing changes.
 * BRUG_USAGE: the text is no invitation.
 */
int brug_init(struct brug *b, const char *invitation, const struct brug_init_options *options,
              char **request);

#define BRUG_COMPARE_BYTES 15 /* "7QK2-0ZMB-4C9T" */
/*
 * Takes in the operator's answer: it must be for the own binding, with certificates for the own keys and ids,
 * that chain to the anchors in it. Then `code` is what both sides read to each other by telephone; the profile
 * becomes usable by brug_enrol_confirm only. Again with another answer: replaces the first, until confirmed.
 * BRUG_USAGE (no answer), BRUG_NOT_BELIEVED (not for these keys; the line says what differs), BRUG_TLS_*.
 */
int brug_enrol(struct brug *b, const char *answer, char code[BRUG_COMPARE_BYTES]);
int brug_enrol_code(struct brug *b, char code[BRUG_COMPARE_BYTES]); /* in state ANSWERED */
/* The code as the other side read it (dashes, spaces and case do not matter). BRUG_NOT_BELIEVED: it differs. */
int brug_enrol_confirm(struct brug *b, const char *typed);

struct brug_identity {
    struct brug_id municipality, organisation, person,
        endpoint; /* person none: a practice system */
    char organisation_name[256];
    char person_name[256];
    int role;
    bool recovery;
    char relay_host[256];
    unsigned relay_port;
    char fingerprint[BRUG_COMPARE_BYTES]; /* of the own entry, for others to compare */
};
int brug_identity(struct brug *b, struct brug_identity *out);

/* Sets where the relay is, over what the enrolment answer said ("" and 0: as it said). */
int brug_set_relay(struct brug *b, const char *host, unsigned port);

void brug_free(void *p); /* strings and bytes that the library gave */

/* ---- the connection ------------------------------------------------------------------------------ */

/* Takes the profile's connection (one process has it at a time) and begins to connect. BRUG_LOCKED: another
 * process has it; it will notice what is sent through this handle. State READY is needed (BRUG_CONFIRM). */
int brug_start(struct brug *b);
void brug_stop(struct brug *b); /* ends the session and gives the connection up */

int brug_fd(
    const struct brug *b); /* the same for all of the handle's life; wait for it to be readable */
int brug_timeout_ms(
    const struct brug *b); /* call brug_step after this at the latest; -1: no limit */
/*
 * Does what can be done without waiting: connects, reads, stores, answers, writes. Failures of the network
 * are no errors here: the library waits and connects again (see brug_connection). Errors: of the store, of memory.
 * A relay given by name is looked up with the system's resolver, which may block.
 */
int brug_step(struct brug *b);

enum brug_until {
    BRUG_UNTIL_TIMEOUT,   /* runs until the time is over */
    BRUG_UNTIL_CONNECTED, /* the relay answered Welcome */
    BRUG_UNTIL_SENT, /* nothing in the outbox can go now: all has a receipt, was refused, or waits for a person */
    BRUG_UNTIL_SYNCED, /* sent, directory fetched, and what waited for us received and acknowledged */
    BRUG_UNTIL_NEW,    /* an event (brug_next_event) */
    BRUG_UNTIL_TRACKED, /* the facts that brug_track asked for are here */
    BRUG_UNTIL_CASES,   /* the relay told of all cases that were to be asked (brug_refresh_case) */
    BRUG_UNTIL_FIGURES, /* the relay answered what brug_ask_figures asked */
};
/* Blocks. *reached (may be NULL) says whether it came before timeout_ms (-1: no limit). Ends early, not reached, when a
 * lasting refusal of the relay (brug_connection) makes waiting useless. Needs brug_start. */
int brug_wait(struct brug *b, enum brug_until until, int timeout_ms, bool *reached);

struct brug_connection {
    bool is_owner;     /* this handle has the profile's connection */
    bool is_connected; /* Welcome came */
    bool is_hopeless;  /* last_error is final: it will not mend by waiting */
    bool is_about_us; /* last_error is what the relay said of our certificate; else what we found */
    int last_error;   /* why the last attempt or session ended; BRUG_OK when never */
    int64_t last_at_ms;     /* when that was */
    int64_t welcome_at_ms;  /* the last Welcome, also of earlier processes; 0: never */
    int64_t next_try_at_ms; /* 0 while connected */
    int64_t clock_ahead_ms; /* own clock minus the relay's, at the last Welcome or Pong */
};
int brug_connection(struct brug *b, struct brug_connection *out);

enum brug_event_type {
    BRUG_EVENT_CONNECTED = 1,
    BRUG_EVENT_DISCONNECTED = 2, /* error */
    BRUG_EVENT_RECEIVED = 3,     /* number: a message came that was not here before */
    BRUG_EVENT_STORED = 4,       /* number: the relay has a letter of ours (its receipt came) */
    BRUG_EVENT_REFUSED = 5,      /* number, error: the relay refused it for good */
    BRUG_EVENT_WAITING =
        6,                /* number, error: a letter waits for a person (trust) or for the relay */
    BRUG_EVENT_FACTS = 7, /* number: facts of a sent letter changed */
    BRUG_EVENT_TRUST = 8, /* organisation: something is to be confirmed, or is refused */
    BRUG_EVENT_REPEATED = 9, /* number: a message came again; it was only acknowledged again */
    BRUG_EVENT_FAMILY =
        10, /* error: the relay refuses the team's family key or tags for good: until another session, cases of one
                                family are not linked */
};

struct brug_event {
    enum brug_event_type type;
    int error;
    int64_t number;
    struct brug_id organisation;
};

/* Takes the oldest event; false when there is none. At most 256 are kept, older ones are dropped: what counts is in the store. */
bool brug_next_event(struct brug *b, struct brug_event *out);

/* ---- writing ------------------------------------------------------------------------------------- */

struct brug_moment {
    int event;              /* enum brug_moment_event */
    uint32_t date;          /* with DATE */
    uint32_t conversations; /* with AFTER_CONVERSATIONS: 1-99 */
};

#define BRUG_TELEPHONES_MAX 4
#define BRUG_ATTACHMENTS_MAX 16
#define BRUG_MOMENTS_MAX 8

struct brug_youth {
    const char *name; /* NULL or "": no youth in this letter */
    uint32_t born;
    const char *bsn;                             /* optional */
    const char *telephones[BRUG_TELEPHONES_MAX]; /* NULL after the last */
    const char *address;
};

struct brug_attachment {
    const char *name; /* a file name without a path */
    const char *media_type;
    const void *data;
    size_t len;
};

/* What a letter says. Fields that its kind does not carry stay zero. */
struct brug_draft {
    int kind;
    struct brug_id to;      /* organisation; none with a case: the case's other side */
    struct brug_id case_id; /* none: a REFERRAL or CONSULT makes one; a NOTICE has none */
    struct brug_id
        in_reply_to; /* message that this answers; none: what waits for such an answer in the case, if
                                   the kind is one (PROPOSAL_ANSWER, BRIDGING_ANSWER, RETRACT, INFO_REPLY) */
    struct brug_id person;    /* who acts; only for a practice system, else the profile's own */
    struct brug_id on_behalf; /* for whom, when not for oneself */
    int reason, request_type, decline_reason, stop_reason, involvement, outcome, decision,
        bridging_carrier;
    uint32_t conversations;
    uint32_t until_date, called_on_date;
    uint32_t moment;                   /* 1-based: which named moment an INTERIM answers */
    bool withheld;                     /* "withheld: no consent" */
    struct brug_id other_organisation; /* a better team */
    struct brug_id new_director;
    struct brug_id owed_id;
    struct brug_id linked_case;
    const struct brug_moment *moments;
    size_t moments_n;
    /* sealed */
    const char *subject; /* the question in outline */
    const char *text;
    struct brug_youth youth;
    int ground; /* enum brug_ground; a REFERRAL needs one */
    bool suicidality_answered, somatic_answered;
    const char *risks; /* what was agreed; needed where bridging care is proposed or accepted */
    const struct brug_attachment *attachments;
    size_t attachments_n;
};

enum brug_warning {
    BRUG_WARNING_TURNS_18 = 1, /* within half a year */
    BRUG_WARNING_SECOND_CASE =
        2 /* this profile knows another case of the same name and birth date */
};
/* What a person should be asked about before sending; *warnings is a sum of enum brug_warning. Errors as brug_send. */
int brug_check_draft(struct brug *b, const struct brug_draft *draft, unsigned *warnings);

struct brug_sent {
    int64_t number; /* for brug_message and its like */
    struct brug_id
        message_id; /* changes if the letter must be sealed again before the relay has it */
    struct brug_id case_id;
};

/*
 * Stores the letter durably, sealed to the own key alone, and sends it when it can, once. It is sealed to its readers by
 * whoever has the connection, when it goes: once all of them are believed and earlier letters of its case have left. What
 * it waits for, if for anything, is its error (brug_messages).
 * BRUG_USAGE (the line names the field), BRUG_NOT_FOUND (unknown case or organisation), BRUG_MESSAGE_TOO_LARGE,
 * BRUG_ROLE_NOT_ALLOWED. What the case does not allow now, as far as it is known here, has the code that the relay would
 * give (BRUG_CASE_REFERRED to BRUG_TOO_MUCH_OWED), and nothing is stored.
 */
int brug_send(struct brug *b, const struct brug_draft *draft, struct brug_sent *out);
/* Gives a letter up that the relay has not been given yet, or that it refused. BRUG_EXISTS: it may have it already. */
int brug_discard(struct brug *b, int64_t number);

/* ---- reading ------------------------------------------------------------------------------------- */

/* Another open case of the team that is of the same family. */
struct brug_linked {
    struct brug_id case_id;
    char case_code[BRUG_CODE_BYTES];
    struct brug_id director;
    const char *director_name;
    bool is_same_child; /* else the same household */
};

enum brug_message_state {
    /* received */
    BRUG_MESSAGE_READY = 1,   /* all checks held */
    BRUG_MESSAGE_CONFIRM = 2, /* its signer needs a person's confirmation first (brug_trust_list) */
    BRUG_MESSAGE_UNREADABLE =
        3, /* failed a check (error); kept in quarantine, never shown as a letter */
    BRUG_MESSAGE_UPDATE = 4, /* of a kind that this version does not know: update, then it shows */
    BRUG_MESSAGE_RELAY = 5,  /* made by the relay: the relay's word, not a person's */
    /* sent */
    BRUG_MESSAGE_WAITING =
        16, /* for a person or the directory: error says for what (CONFIRM, NOT_BELIEVED, ...) */
    BRUG_MESSAGE_UNSENT =
        17, /* goes by itself; has no receipt yet; error: the last passing refusal */
    BRUG_MESSAGE_STORED = 18,    /* the relay has it: stored_at_ms */
    BRUG_MESSAGE_REFUSED = 19,   /* for good: error */
    BRUG_MESSAGE_DISCARDED = 20, /* given up here */
};

struct brug_message {
    int64_t number; /* local, small, stable: what people type */
    bool is_sent;   /* by this endpoint; else received */
    enum brug_message_state state;
    int error;
    int kind;
    struct brug_id message_id;
    struct brug_id case_id;          /* none: without a case */
    char case_code[BRUG_CODE_BYTES]; /* "" without a case */
    struct brug_id from_organisation, from_person, on_behalf, to;
    struct brug_id in_reply_to;
    const char *from_name, *from_person_name, *to_name; /* as certified; "" when not known */
    int64_t written_at_ms;                              /* by the sender's clock */
    int64_t stored_at_ms;                               /* by the relay's */
    int64_t received_at_ms;                             /* here */
    int64_t opened_at_ms;                               /* here, by a person */
    bool is_by_system; /* written by a practice system, which names from_person as who acts */
    const char *
        handed_on_by; /* the colleague who handed an earlier letter on to this profile; "": it came by itself */
    bool is_recovered;      /* it was handed on with the organisation's recovery key */
    bool was_opened;        /* by a colleague, before it was handed on: so says who did that */
    bool is_missing_before; /* "a message before this one is missing" */
    bool is_letter_gone;    /* the sealed bytes were deleted by age, or never were */
    int fact_code;          /* of a relay-made message */
    struct brug_id about_endpoint; /* of a relay-made message */
    struct brug_id owed_id;        /* likewise: what it reminds of */
    uint32_t until_date;           /* likewise */
    int owed_kind;                 /* likewise; a number of BRUG_LIST_OWED_KIND, or 0 */
    struct brug_linked linked;     /* likewise, with FAMILY_LINKED; case_id none: nothing */
    /* from the sealed part, only in state READY or of a sent letter; else "" and 0 */
    const char *subject, *youth_name;
    uint32_t youth_born;
    size_t attachments_n;
};

struct brug_messages {
    struct brug_message *items;
    size_t n;
};

struct brug_query {
    bool received, sent; /* which; both false: both */
    bool
        unopened_only; /* by nobody: what a colleague had opened before it was handed on is not new */
    bool problems_only; /* all that is not READY, RELAY or STORED */
    bool
        with_covers; /* HISTORY too, when all is well with it: else only the letters that it brought */
    struct brug_id case_id; /* none: all */
    int64_t
        before; /* the page after this one's number, with which the last page ended; 0: from the newest */
    size_t limit; /* 0: 1000 */
    const char *
        words; /* NULL: all; else only what has every word, in its subject, text, youth's name, birth date
                               (yyyy-mm-dd or dd-mm-yyyy) or BSN, case code, people's and organisations' names */
};
/* Newest first: by number; those of a case as the relay stored them. Names and letters are opened for the answer and stand nowhere in plain. */
int brug_messages(struct brug *b, const struct brug_query *query, struct brug_messages **out);
void brug_messages_free(struct brug_messages *m);

/* The message that a person means: a number ("12"), a message id, or a case's code or id (its newest message). BRUG_NOT_FOUND,
 * BRUG_USAGE (ambiguous). */
int brug_find_message(struct brug *b, const char *text, int64_t *number);

struct brug_owed {
    struct brug_id owed_id;
    int kind;                /* enum brug_owed_kind */
    int debtor;              /* enum brug_side */
    struct brug_id cause;    /* the letter that it came from */
    uint32_t due_date;       /* the last day in time; 0: once its event comes */
    uint32_t moment;         /* with MOMENT: which of the case's moments, from 1 */
    bool is_delayed;         /* it was given a new date once */
    bool is_overdue;         /* by today */
    bool must_precede_close; /* the case cannot be closed before it */
    int64_t born_at_ms;
};

struct brug_proposal {
    int kind; /* DECLINE_PROPOSAL or STOP_PROPOSAL */
    int by;   /* enum brug_side; SIDE_NONE: none waits */
    struct brug_id person, message_id;
};

struct brug_bridging {
    int by; /* enum brug_side; SIDE_NONE: there is none */
    struct brug_id person, message_id;
    int carrier;
    uint32_t until_date; /* the last day */
};

/* What the relay last told of a case: its word, not a letter's. */
struct brug_case_facts {
    int64_t told_at_ms;
    int64_t opened_at_ms, taken_up_at_ms, started_at_ms, ended_at_ms;
    struct brug_id practice, team;
    int own_side; /* enum brug_side */
    int state;    /* enum brug_case_state */
    int custody;  /* enum brug_side */
    struct brug_id director;
    const char *director_name;
    int reason, request_type, outcome, involvement;
    uint32_t conversations;
    struct brug_moment *moments;
    size_t moments_n;
    struct brug_proposal proposal; /* that waits for its answer */
    bool was_objected;             /* to the last proposal */
    struct brug_bridging bridging_proposed, bridging;
    struct brug_owed *owed; /* by due date; what has none comes last */
    size_t owed_n;
    struct brug_id closing_id; /* the closing letter, while custody waits for a GP to open it */
    struct brug_id linked_case;
    struct brug_linked *linked; /* told to the director only */
    size_t linked_n;
};

struct brug_case {
    struct brug_id case_id;
    char case_code[BRUG_CODE_BYTES];
    struct brug_id other; /* the other side's organisation */
    const char *other_name;
    int64_t
        newest; /* number of its newest message here; 0: there is none, only the relay told of it */
    int64_t first; /* and of its first */
    size_t messages;
    int64_t newest_at_ms;
    const char *youth_name;
    uint32_t youth_born;
    bool
        has_household; /* the youth's address reads as a postcode and a house number: other cases of the household are found */
    const struct brug_case_facts *facts; /* NULL: the relay never told of it */
    int *
        next; /* kinds of letters that the profile's person may send in it now, our letters under way counted in */
    size_t next_n; /* 0 too while the case is not known */
};
struct brug_cases {
    struct brug_case *items;
    size_t n;
};
/* As the letters here and the relay's last word show them, newest first. */
int brug_cases(struct brug *b, struct brug_cases **out);
/* The same of one case. BRUG_NOT_FOUND. */
int brug_case(struct brug *b, const struct brug_id *case_id, struct brug_cases **out);
void brug_cases_free(struct brug_cases *c);
/* Asks the relay for a case; for all open ones, or all, of the own organisation; brug_wait(BRUG_UNTIL_CASES). A client asks by
 * itself for each case in which something happened. */
int brug_refresh_case(struct brug *b, const struct brug_id *case_id);
int brug_refresh_cases(struct brug *b, bool with_ended);
/* By code or id, of the cases that this profile has. BRUG_NOT_FOUND, BRUG_USAGE (ambiguous). */
int brug_find_case(struct brug *b, const char *text, struct brug_id *out);

/* ---- figures ------------------------------------------------------------------------------------- */

enum brug_figure_period {
    BRUG_FIGURE_PERIOD_4W = 1,
    BRUG_FIGURE_PERIOD_6W = 2,
    BRUG_FIGURE_PERIOD_2M = 3,
    BRUG_FIGURE_PERIOD_QUARTER = 4,
    BRUG_FIGURE_PERIOD_YEAR = 5,
};

/* What a row counts, and what its code and name say beside it. Days are working days after the referral. */
enum brug_figure_measure {
    BRUG_FIGURE_REFERRED = 1,
    BRUG_FIGURE_ENDED = 2,
    BRUG_FIGURE_OPEN = 3, /* at the end of the last day */
    BRUG_FIGURE_CONSULTED = 4,
    BRUG_FIGURE_ADVISED = 5,
    BRUG_FIGURE_REASON = 6,          /* code: BRUG_LIST_REASON */
    BRUG_FIGURE_REFERRED_AREA = 7,   /* name */
    BRUG_FIGURE_OUTCOME = 8,         /* code: BRUG_LIST_OUTCOME */
    BRUG_FIGURE_ENDED_AREA = 9,      /* name */
    BRUG_FIGURE_TAKE_UP_DAYS = 10,   /* code: at most so many days, 0: more */
    BRUG_FIGURE_START_DAYS = 11,     /* likewise */
    BRUG_FIGURE_END_DAYS = 12,       /* likewise */
    BRUG_FIGURE_TAKE_UP_MEDIAN = 13, /* days */
    BRUG_FIGURE_START_MEDIAN = 14,
    BRUG_FIGURE_END_MEDIAN = 15,
    BRUG_FIGURE_TAKE_UP_MEAN = 16, /* tenths of a day */
    BRUG_FIGURE_START_MEAN = 17,
    BRUG_FIGURE_END_MEAN = 18,
    BRUG_FIGURE_FEEDBACK_ON_TIME = 19, /* code: BRUG_LIST_OWED_KIND, 0: all */
    BRUG_FIGURE_FEEDBACK_LATE = 20,    /* likewise */
    BRUG_FIGURE_OVERDUE = 21,          /* now; code: BRUG_LIST_OWED_KIND */
    BRUG_FIGURE_CASELOAD = 22,         /* now; name: of the director, "": nobody yet */
    BRUG_FIGURE_OWN_SHARE = 23,        /* per cent */
    BRUG_FIGURE_ON_TIME_SHARE = 24,    /* per cent */
};

enum brug_figure_form {
    BRUG_FIGURE_EXACT = 1,
    BRUG_FIGURE_ROUNDED = 2, /* to the nearest 5 */
    BRUG_FIGURE_UNDER_5 = 3,
    BRUG_FIGURE_WITHHELD = 4, /* it would tell of less than 5, with what else is published */
};

struct brug_figure {
    int measure, code, form;
    uint32_t number; /* 0 with UNDER_5 and WITHHELD */
    const char *name;
};

struct brug_team_figures {
    struct brug_id team;
    const char *name;
    int64_t published_at_ms; /* 0: the own team's, from inside */
    struct brug_figure *rows;
    size_t rows_n;
};

struct brug_figures {
    int period;
    uint32_t from_date, until_date; /* its first and its last day */
    bool is_running;                /* the last day is not over */
    struct brug_team_figures *teams;
    size_t teams_n;
};

/*
 * Asks the relay for the period of that kind in which a day lies (yyyymmdd; 0: for the last one that is over): of the own team from
 * inside (consultants and leaders), or of all teams of the own municipality as they are published. brug_wait(BRUG_UNTIL_FIGURES).
 */
int brug_ask_figures(struct brug *b, int period, uint32_t date, bool inside);
/* What it answered last: BRUG_NOT_OVER, BRUG_ROLE_NOT_ALLOWED, ..., or a passing one such as BRUG_BUSY: ask again later;
 * BRUG_BOUND: more than is kept here; BRUG_NOT_FOUND before any answer. */
int brug_figures(struct brug *b, struct brug_figures **out);
void brug_figures_free(struct brug_figures *f);

/* ---- letters ------------------------------------------------------------------------------------- */

struct brug_letter {
    struct brug_message message;
    int reason, request_type, decline_reason, stop_reason, involvement, outcome, decision,
        bridging_carrier;
    uint32_t conversations, until_date, called_on_date, moment;
    bool withheld;
    struct brug_id other_organisation, new_director, linked_case;
    struct brug_moment *moments;
    size_t moments_n;
    const char *subject, *text;
    struct brug_youth youth;
    int ground;
    bool suicidality_answered, somatic_answered;
    const char *risks;
    bool
        is_answer_signed; /* it holds the digest of the letter that it answers, which is here: so says the signature */
    struct brug_attachment *attachments;
    size_t attachments_n;
};

/*
 * Opens one letter into memory, received or sent; every check is done again. A message in another state gives its own
 * code: BRUG_CONFIRM, BRUG_LETTER_*, BRUG_UPDATE_CLIENT; a relay-made one gives a letter without text.
 * With mark_opened a received letter is marked as opened by `reader` (NULL: the profile's person; a practice system must name one)
 * and the relay is told, now or later, once. BRUG_NOT_FOUND.
 */
int brug_open_letter(struct brug *b, int64_t number, bool mark_opened, const struct brug_id *reader,
                     struct brug_letter **out);
void brug_letter_free(struct brug_letter *l);

/* The exact header and the sealed part (CMS, DER), for keeping elsewhere or for `openssl cms`. Each brug_free. */
int brug_export(struct brug *b, int64_t number, void **header, size_t *header_len, void **sealed,
                size_t *sealed_len);

/* ---- history for colleagues ---------------------------------------------------------------------- */

struct brug_handed_on {
    size_t cases, letters; /* that go to the colleague now */
};
/*
 * Hands on to a colleague (a person of the own organisation, or a practice system by its endpoint) the letters of a case (NULL: of
 * all cases that have not ended) which this profile has and a client of the colleague did not get. Again: only what is missing then.
 * `actor` says who acts, for a practice system; else NULL. It needs no connection. BRUG_NOT_FOUND, BRUG_CONFIRM (brug_trust_list).
 * Confirming a new client of the own organisation (brug_trust_confirm) does this by itself, for all cases that have not ended.
 */
int brug_hand_on(struct brug *b, const struct brug_id *colleague, const struct brug_id *case_id,
                 const struct brug_id *actor, struct brug_handed_on *out);

/* ---- when all keys of an organisation are lost --------------------------------------------------- */

struct brug_recovered {
    size_t letters; /* sealed again, or taken in */
    size_t known;   /* were here already */
    size_t waiting; /* taken in; shown once a person has confirmed their author (brug_trust_list) */
    size_t unreadable; /* not sealed to this key, or something is wrong with them: left out */
    size_t damaged;    /* so many the relay could not give any more */
};
/*
 * In a recovery profile: reads the relay's file of sealed letters (`brugctl recover`), and writes them to the new file `out`, sealed to
 * the organisation's new clients, which a person must have confirmed (BRUG_CONFIRM, brug_trust_list: the file brought them). In any
 * other profile (`out` NULL): takes in the letters of such a file, each of which its author and the organisation's recovery entry,
 * confirmed too, must have signed. A file that is damaged, cut off or for somebody else is BRUG_USAGE, and changes nothing.
 */
int brug_recover(struct brug *b, const char *path, const char *out, struct brug_recovered *result);

/* ---- facts of what was sent ---------------------------------------------------------------------- */

struct brug_fact {
    struct brug_id endpoint, person;
    const char *person_name;     /* or the organisation's, of a practice system */
    struct brug_id organisation; /* whose endpoint this is, as far as known */
    int64_t fetched_at_ms;       /* 0: not fetched */
    int unreadable;              /* code: it could not read it; then it is not called fetched */
    int64_t opened_at_ms;
    struct brug_id opened_by;
    const char *opened_by_name;
    int64_t cancelled_at_ms;
};
struct brug_facts {
    int64_t number;
    int64_t stored_at_ms;
    int64_t asked_at_ms; /* when the relay last answered; 0: never */
    struct brug_fact *items;
    size_t n;
};
/* Asks the relay again for the facts of a stored letter (0: of all of the last 90 days); brug_wait(BRUG_UNTIL_TRACKED). */
int brug_track(struct brug *b, int64_t number);
/* As they were last heard; the relay's word. */
int brug_facts(struct brug *b, int64_t number, struct brug_facts **out);
void brug_facts_free(struct brug_facts *f);

/* ---- directory and trust ------------------------------------------------------------------------- */

enum brug_trust_state {
    BRUG_TRUST_BELIEVED =
        1,              /* all readers of its roster are believed: letters can be sealed to it */
    BRUG_TRUST_NEW = 2, /* first contact: a person confirms name, identifier and fingerprint */
    BRUG_TRUST_MORE =
        3, /* pinned; a further entry waits for a colleague's countersignature or a person */
    BRUG_TRUST_CHANGED = 4, /* pinned; an entry came with other keys: shown, never used silently */
    BRUG_TRUST_REFUSED =
        5, /* an entry fails the checks by our own anchors (error); nobody can confirm it */
};

struct brug_entry {
    struct brug_id endpoint, person;
    const char *person_name; /* as certified (CN) */
    int role;
    bool is_recovery, is_reader;
    enum brug_trust_state state;
    int error; /* with REFUSED: TLS_*, BAD_SIGNATURE, NOT_BELIEVED, ... */
    char fingerprint[BRUG_COMPARE_BYTES];
    int64_t believed_at_ms;
    int64_t away_until_ms;
};

struct brug_person {
    struct brug_id person;
    const char *name;
    int role;
    int64_t until_ms;
    bool is_active;
};

struct brug_organisation {
    struct brug_id organisation;
    enum brug_organisation_kind kind;
    const char *
        name; /* from the certificates; while none of them holds, as the relay says (is_name_certified) */
    bool is_name_certified;
    const char *identifier; /* likewise: "brug:ORG" */
    const char *area;
    bool is_own, is_addressable;
    enum brug_trust_state state;
    int error;
    char fingerprint
        [BRUG_COMPARE_BYTES]; /* of what waits to be confirmed; else of the whole roster */
    const char *card_text, *card_expertise, *card_telephone;
    int64_t away_until_ms;
    int64_t fetched_at_ms;
    struct brug_entry *entries;
    size_t entries_n;
    struct brug_person *persons;
    size_t persons_n;
};
struct brug_organisations {
    struct brug_organisation *items;
    size_t n;
    int64_t fetched_at_ms; /* when the directory was last complete; 0: never */
};
/* As last fetched, judged now; in order of name. */
int brug_organisations(struct brug *b, struct brug_organisations **out);
/* Only those where a person is needed or an entry is refused. */
int brug_trust_list(struct brug *b, struct brug_organisations **out);
void brug_organisations_free(struct brug_organisations *o);
/* By id, or by (part of) a name; BRUG_NOT_FOUND, BRUG_USAGE (ambiguous; the line names them). */
int brug_find_organisation(struct brug *b, const char *text, struct brug_id *out);
/*
 * A person confirms what waits of an organisation; `fingerprint` is what that person compared, and must be the one of what waits
 * now (BRUG_NOT_BELIEVED). What is REFUSED cannot be confirmed. Letters that waited for it go on; colleagues of the own
 * organisation are countersigned, and get the letters of all cases that have not ended (brug_hand_on).
 */
int brug_trust_confirm(struct brug *b, const struct brug_id *organisation, const char *fingerprint);
/* Asks the relay for the whole directory and revocation lists again. */
int brug_refresh_directory(struct brug *b);

#ifdef __cplusplus
}
#endif

#endif
