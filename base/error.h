/*
 * base/error.h: the one error table.
 *
 * Every function of ours that can fail returns `enum error`; ERROR_NONE is 0. Rows under 1000 travel
 * on the wire as `brug.v1.Code` with the same name and number (a unit test compares the two); rows
 * from 1000 up never leave the process.
 *
 * Columns: name, number, lasting, remembered, after, text.
 *   lasting     PASSING: the same bytes may be sent again later; FINAL: they will never be accepted.
 *   remembered  REMEMBERED: what was judged and refused stays refused under its message id (I3).
 *   after       CLOSES: the connection ends with GoAway(code); STAYS: it goes on.
 *   text        English, one line, for logs and --json; the client has the Dutch sentences.
 * Numbers are never reused or changed.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

/* clang-format off */
#define ERROR_TABLE(X) \
    X(NONE,                   0, PASSING, FORGOTTEN,  STAYS,  "no error") \
    /* 1-39: the connection and its session */ \
    X(TLS_NO_CERTIFICATE,     1, FINAL,   FORGOTTEN,  CLOSES, "the peer sent no certificate") \
    X(TLS_UNKNOWN_CA,         2, FINAL,   FORGOTTEN,  CLOSES, "the certificate chains to no configured trust anchor") \
    X(TLS_EXPIRED,            3, FINAL,   FORGOTTEN,  CLOSES, "the certificate is not valid at this time") \
    X(TLS_REVOKED,            4, FINAL,   FORGOTTEN,  CLOSES, "the certificate is revoked") \
    X(TLS_WRONG_USE,          5, FINAL,   FORGOTTEN,  CLOSES, "the certificate is not meant for this use") \
    X(TLS_CRL_STALE,          6, PASSING, FORGOTTEN,  CLOSES, "no revocation list in force covers the certificate") \
    X(TLS_WRONG_PROTOCOL,     7, FINAL,   FORGOTTEN,  CLOSES, "the peer does not offer TLS 1.3 with ALPN brug/1") \
    X(TLS_BROKEN,             8, PASSING, FORGOTTEN,  CLOSES, "the TLS handshake or record layer failed") \
    X(TLS_WEAK,               9, FINAL,   FORGOTTEN,  CLOSES, "the certificate's key or signature is too weak") \
    X(NOT_ENROLLED,          10, FINAL,   FORGOTTEN,  CLOSES, "the certificate's key belongs to no enrolled endpoint") \
    X(SUSPENDED,             11, PASSING, FORGOTTEN,  CLOSES, "the endpoint, its person or its organisation is suspended") \
    X(SESSION_REPLACED,      12, PASSING, FORGOTTEN,  CLOSES, "a newer session of the same endpoint took over") \
    X(UPDATE_CLIENT,         13, FINAL,   FORGOTTEN,  CLOSES, "the client speaks no protocol version that the relay speaks") \
    X(HELLO_EXPECTED,        14, FINAL,   FORGOTTEN,  CLOSES, "the first frame must be Hello, and only the first") \
    X(HELLO_TIMEOUT,         15, PASSING, FORGOTTEN,  CLOSES, "no Hello came in time") \
    X(FRAME_TOO_LARGE,       16, FINAL,   FORGOTTEN,  CLOSES, "a frame is longer than the limit") \
    X(FRAME_MALFORMED,       17, FINAL,   FORGOTTEN,  CLOSES, "a frame is not a valid protobuf message of this protocol") \
    X(FRAME_TOO_COMPLEX,     18, FINAL,   FORGOTTEN,  CLOSES, "a frame needs more memory to decode than its budget") \
    X(FRAME_TRUNCATED,       19, PASSING, FORGOTTEN,  CLOSES, "the connection ended inside a frame") \
    X(IDLE_TIMEOUT,          20, PASSING, FORGOTTEN,  CLOSES, "the connection was silent for too long") \
    X(SHUTTING_DOWN,         21, PASSING, FORGOTTEN,  CLOSES, "the relay is stopping; connect again") \
    X(TOO_MANY_CONNECTIONS,  22, PASSING, FORGOTTEN,  CLOSES, "the relay's limit of connections is reached") \
    X(CREDIT_EXCEEDED,       23, FINAL,   FORGOTTEN,  CLOSES, "more credit or more unanswered requests than the limit") \
    X(WRITE_STALLED,         24, PASSING, FORGOTTEN,  CLOSES, "the peer does not read what is sent to it") \
    X(TLS_KEY_UPDATES,       25, FINAL,   FORGOTTEN,  CLOSES, "too many TLS key updates") \
    /* 40-69: the form of a request (malformed or not allowed: not remembered) */ \
    X(UPDATE_RELAY,          40, FINAL,   FORGOTTEN,  STAYS,  "the relay does not know this kind or request yet") \
    X(UPDATE_SENDER,         41, FINAL,   FORGOTTEN,  STAYS,  "the header's protocol or profile version is not supported") \
    X(HEADER_MALFORMED,      42, FINAL,   FORGOTTEN,  STAYS,  "the header is not valid; the answer's field names what") \
    X(ID_MALFORMED,          43, FINAL,   FORGOTTEN,  STAYS,  "an id has the wrong length, is zero, or is of a version a sender may not use") \
    X(CODE_UNKNOWN,          44, FINAL,   FORGOTTEN,  STAYS,  "a code is not in its closed list") \
    X(CODE_MISSING,          45, FINAL,   FORGOTTEN,  STAYS,  "a code or flag that this kind needs is missing") \
    X(FIELD_NOT_ALLOWED,     46, FINAL,   FORGOTTEN,  STAYS,  "a field that this kind may not carry is set") \
    X(SENDER_MISMATCH,       47, FINAL,   FORGOTTEN,  STAYS,  "the header's sender is not the session's endpoint") \
    X(ROLE_NOT_ALLOWED,      48, FINAL,   FORGOTTEN,  STAYS,  "the acting person's role may not do this") \
    X(MESSAGE_TOO_LARGE,     49, FINAL,   FORGOTTEN,  STAYS,  "the message is larger than the limit") \
    X(TOO_MANY_READERS,      50, FINAL,   FORGOTTEN,  STAYS,  "the message has more readers or copies than the limit") \
    X(ID_REUSED,             51, FINAL,   FORGOTTEN,  STAYS,  "this message id was used with other bytes") \
    X(NOTHING_SEALED,        52, FINAL,   FORGOTTEN,  STAYS,  "the message has no sealed part") \
    X(REQUEST_MALFORMED,     53, FINAL,   FORGOTTEN,  STAYS,  "a field of the request is not valid; the answer's field names what") \
    X(NOT_OVER,              54, FINAL,   FORGOTTEN,  STAYS,  "the period is not over yet: outside a team its figures are shown from the day after") \
    X(NOT_BEGUN,             55, FINAL,   FORGOTTEN,  STAYS,  "the period was over before anything was counted in the municipality; choose a later one") \
    /* 70-89: passing causes */ \
    X(CLOCK_AHEAD,           70, PASSING, FORGOTTEN,  STAYS,  "the message id's time is ahead of the relay's clock") \
    X(DIRECTORY_CHANGED,     71, PASSING, FORGOTTEN,  STAYS,  "readers or copies do not match the directory; fetch it and seal again") \
    X(QUOTA_FULL,            72, PASSING, FORGOTTEN,  STAYS,  "too many of the organisation's messages wait unfetched; try again later") \
    X(FULL,                  73, PASSING, FORGOTTEN,  STAYS,  "the relay has no room; try again later") \
    X(BUSY,                  74, PASSING, FORGOTTEN,  STAYS,  "the relay is at its limit of work; try again later") \
    /* 90-119: judged and remembered */ \
    X(UNKNOWN_ADDRESSEE,     90, FINAL,   REMEMBERED, STAYS,  "the addressed organisation does not exist or may not be addressed") \
    X(NO_READER,             91, FINAL,   REMEMBERED, STAYS,  "the addressed organisation has nobody who can read this") \
    X(NO_SUCH_CASE,          92, FINAL,   REMEMBERED, STAYS,  "there is no such case between these organisations") \
    X(CASE_EXISTS,           93, FINAL,   REMEMBERED, STAYS,  "the case id is already in use") \
    X(NOT_ADDRESSABLE,       94, FINAL,   REMEMBERED, STAYS,  "the organisation has one endpoint and no recovery key") \
    X(NO_SUCH_MESSAGE,       95, FINAL,   FORGOTTEN,  STAYS,  "there is no such message of yours or for you") \
    X(NO_SUCH_OBJECT,        96, FINAL,   FORGOTTEN,  STAYS,  "there is no such entry in your directory") \
    X(BAD_SIGNATURE,         97, FINAL,   FORGOTTEN,  STAYS,  "a signature does not verify") \
    X(NOT_ACKNOWLEDGED,      98, FINAL,   FORGOTTEN,  STAYS,  "the reader's client was given it again and again and never acknowledged it") \
    X(CASE_REFERRED,         99, FINAL,   REMEMBERED, STAYS,  "nobody took the case up yet: now claim it, propose to decline, withdraw, or ask") \
    X(CASE_CLARIFYING,      100, FINAL,   REMEMBERED, STAYS,  "the case is being clarified: now start, report, propose to decline or stop, withdraw, close, or ask") \
    X(CASE_SUPPORT,         101, FINAL,   REMEMBERED, STAYS,  "support has started in the case: now report, propose to stop, close, or ask") \
    X(CASE_CONSULTING,      102, FINAL,   REMEMBERED, STAYS,  "the case is a consult: now give the advice, or ask") \
    X(CASE_ENDED,           103, FINAL,   REMEMBERED, STAYS,  "the case has ended: now only questions, their answers, delays of these and notes") \
    X(CASE_TAKEN,           104, FINAL,   REMEMBERED, STAYS,  "a colleague has already taken the case up") \
    X(NOT_DIRECTOR,         105, FINAL,   REMEMBERED, STAYS,  "only the case's director may do this now") \
    X(NOT_PROPOSER,         106, FINAL,   REMEMBERED, STAYS,  "only who made the proposal, or a leader or GP of that side, may retract it") \
    X(PROPOSAL_WAITS,       107, FINAL,   REMEMBERED, STAYS,  "a proposal waits for its answer: answer or retract it first") \
    X(NO_PROPOSAL,          108, FINAL,   REMEMBERED, STAYS,  "no such proposal of the other side waits for this answer") \
    X(BRIDGING_IN_FORCE,    109, FINAL,   REMEMBERED, STAYS,  "bridging care is in force: end it first") \
    X(NO_BRIDGING,          110, FINAL,   REMEMBERED, STAYS,  "no bridging care is in force") \
    X(STILL_OWED,           111, FINAL,   REMEMBERED, STAYS,  "the team still owes something in this case: do that first") \
    X(NOT_OWED,             112, FINAL,   REMEMBERED, STAYS,  "what this letter settles or delays is not owed") \
    X(DELAYED_BEFORE,       113, FINAL,   REMEMBERED, STAYS,  "this item was given a new date before; that is possible once") \
    X(OUTCOME_NOT_ALLOWED,  114, FINAL,   REMEMBERED, STAYS,  "this outcome may not be given here, or not by this person") \
    X(DATE_NOT_ALLOWED,     115, FINAL,   REMEMBERED, STAYS,  "the date has passed or is more than a year ahead") \
    X(NO_SUCH_DIRECTOR,     116, FINAL,   REMEMBERED, STAYS,  "the new director is not another active consultant of the team") \
    X(TOO_MUCH_OWED,        117, FINAL,   REMEMBERED, STAYS,  "too many questions wait for an answer in this case") \
    X(FAMILY_KEY_MOVED,     118, FINAL,   REMEMBERED, STAYS,  "another family key of the team is in force") \
    X(FAMILY_LINKED,        119, FINAL,   FORGOTTEN,  STAYS,  "the team has another open case of the same family") \
    /* 120-149: what a client's checks find in a letter (Ack result unreadable) */ \
    X(LETTER_PROFILE,       120, FINAL,   FORGOTTEN,  STAYS,  "the sealed part is not in the profile") \
    X(LETTER_NOT_FOR_ME,    121, FINAL,   FORGOTTEN,  STAYS,  "the letter is not sealed for this endpoint") \
    X(LETTER_DECRYPT,       122, FINAL,   FORGOTTEN,  STAYS,  "the letter does not decrypt: it was changed or cut") \
    X(LETTER_SIGNATURE,     123, FINAL,   FORGOTTEN,  STAYS,  "the signature of the letter does not verify") \
    X(LETTER_SIGNER,        124, FINAL,   FORGOTTEN,  STAYS,  "the signer is not the sender that the header names, or is not believed") \
    X(LETTER_HEADER,        125, FINAL,   FORGOTTEN,  STAYS,  "the letter was written for another header") \
    X(LETTER_CONTENT,       126, FINAL,   FORGOTTEN,  STAYS,  "the letter's content is not valid") \
    /* 1000-: inside one process */ \
    X(NO_MEMORY,           1000, PASSING, FORGOTTEN,  STAYS,  "out of memory") \
    X(IO,                  1001, PASSING, FORGOTTEN,  STAYS,  "an input/output call failed") \
    X(CONFIG,              1002, FINAL,   FORGOTTEN,  STAYS,  "a setting is not valid") \
    X(BOUND,               1003, FINAL,   FORGOTTEN,  STAYS,  "a length is over its bound") \
    X(CORRUPT,             1004, FINAL,   FORGOTTEN,  STAYS,  "stored data is damaged") \
    X(STORE_FORMAT,        1005, FINAL,   FORGOTTEN,  STAYS,  "the store has an unknown format or record type") \
    X(NOT_FOUND,           1006, FINAL,   FORGOTTEN,  STAYS,  "not found") \
    X(EXISTS,              1007, FINAL,   FORGOTTEN,  STAYS,  "exists already") \
    X(LOCKED,              1008, PASSING, FORGOTTEN,  STAYS,  "another process uses it") \
    X(CRYPTO,              1009, FINAL,   FORGOTTEN,  STAYS,  "the cryptographic library failed") \
    X(PERMISSION,          1010, FINAL,   FORGOTTEN,  STAYS,  "permission denied, or a file's mode is not safe") \
    X(USAGE,               1011, FINAL,   FORGOTTEN,  STAYS,  "the command's words are not valid") \
    X(NOT_BELIEVED,        1012, FINAL,   FORGOTTEN,  STAYS,  "the directory entry is not believed") \
    X(CONFIRM,             1013, FINAL,   FORGOTTEN,  STAYS,  "a person must confirm this first")
/* clang-format on */

enum error {
#define ERROR_ENUM(name, number, lasting, remembered, after, text) ERROR_##name = number,
    ERROR_TABLE(ERROR_ENUM)
#undef ERROR_ENUM
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Name ("QUOTA_FULL") and text; "UNKNOWN" and a general text for a number that is in no row. */
const char *error_name(enum error e);
const char *error_text(enum error e);
/* The row's columns; a number in no row is final, forgotten, and stays. */
bool error_is_passing(enum error e);
bool error_is_remembered(enum error e);
bool error_closes(enum error e);
/* True if the number is in the table and under 1000. */
bool error_is_on_wire(int number);

#endif
