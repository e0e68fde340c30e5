/*
 * tests/lib/clients.h: enrolled client profiles in temporary folders, the directory that lists them, and a scripted
 * relay on the loopback that serves them, all in one process and one thread.
 *
 * The relay is small and honest unless a script says otherwise: it keeps each message once by (organisation, id), delivers
 * to every reader until it acknowledges, and answers as PROTOCOL.md says. What cannot be done ends the program.
 */
#ifndef TESTS_LIB_CLIENTS_H
#define TESTS_LIB_CLIENTS_H

#include "brug/v1/admin.pb-c.h"
#include "brug/v1/wire.pb-c.h"
#include "client/client.h"
#include "tests/lib/pki_fixture.h"

#define CLIENTS_MAX 6
#define CLIENTS_MESSAGES_MAX 64
#define CLIENTS_CASES_MAX 4
#define CLIENTS_TAGS_MAX 16

struct clients;

/* One enrolled endpoint. */
struct member {
    char *directory;
    struct brug *b;
    struct id organisation, person, endpoint;
    int role;
    bool is_recovery;
    struct buf binding, signature, identity, sealing;
    X509 *identity_x509;
    struct buf countersignature; /* that the relay was given for it */
    struct id countersigner;
    struct buf invitation; /* its text */
    bool is_hidden;        /* not in the directory */
};

/* What the relay has. */
struct kept {
    struct buf header, sealed;
    struct id organisation, message_id;
    int64_t stored_at_ms;
    struct id readers[CLIENTS_MAX];
    bool is_acked[CLIENTS_MAX];
    int ack_code[CLIENTS_MAX];
    size_t reader_count;
    unsigned submits; /* how often it came, the first included */
    unsigned opened;
    struct id handed_on; /* as the last Opened said */
};

/* Tags that a case was given. */
struct given {
    struct id case_id, key_id;
    struct digest child, household; /* all zero: none */
};

struct script {
    int64_t cut_after_bytes; /* of what the relay sends: the connection is cut there; -1: never */
    bool cut_before_answer;  /* of the next Submit, once: stored, not answered */
    int refuse_code;         /* the next Submit, once */
    bool refuse_passing;
    uint32_t refuse_after_ms;
    bool breaks_after_receipt;      /* once: bytes that are no frame */
    unsigned refuse_count;          /* how many, if more than one */
    bool answers_directory_changed; /* once */
    int go_away;                    /* instead of Welcome */
    bool forges_deliveries;         /* headers get another kind on their way */
    bool is_deaf_to_acks;           /* never answers an Ack, and forgets it */
    int refuse_request; /* the kind of frame that is refused with request_code; 0: none */
    int request_code;
    unsigned request_count; /* so many of them; 0: each one */
    int64_t time_ahead_ms;  /* of its clock */
    unsigned slow_pongs;    /* so often it says that more waits before it brings anything */
};

struct clients {
    struct fixture_ca ca, relay_ca;
    struct id municipality;
    struct id neighbour; /* another one, which lists nobody; ID_NONE: the relay has none */
    int64_t now_ms;      /* wall clock of all; stands still until a test moves it */
    struct member members[CLIENTS_MAX];
    size_t n;
    /* the relay */
    int listener, fd;
    unsigned port;
    SSL_CTX *context;
    SSL *ssl;
    struct trust *trust;
    struct buf in, out;
    int64_t sent_bytes;
    struct arena *arena;
    struct script script;
    struct kept kept[CLIENTS_MESSAGES_MAX];
    size_t kept_count;
    Brug__V1__Case *cases[CLIENTS_CASES_MAX]; /* what it tells of cases; the test's */
    size_t case_count;                        /* 0: it knows no requests for cases */
    unsigned case_requests;
    bool knows_families;                 /* of organisation 2; else it is a relay of before them */
    struct id family_key;                /* in force */
    struct given tags[CLIENTS_TAGS_MAX]; /* in the order in which they came */
    size_t tag_count;
    Brug__V1__Figures *figures; /* its answer to GetFigures; the test's; NULL: it knows none */
    unsigned figure_requests, figure_pages; /* so often it is told, one page after the other */
    struct member *connected;               /* NULL: nobody, or not greeted yet */
    bool is_subscribed;
    uint64_t epoch;
    struct buf crl;
    uint8_t generation[16];
    int64_t complete_until_ms;
    unsigned connections, directory_requests, repeats_differing;
    void (*after_step)(void *ctx); /* of a client and the relay; NULL: nothing */
    void *after_ctx;
};

void clients_init(struct clients *c);
void clients_fini(struct clients *c);

/* A member of organisation `organisation` (1, 2, …): enrolled, ready, not connected. Odd organisations are practices. */
struct member *clients_add(struct clients *c, unsigned organisation, unsigned person, int role);
struct member *clients_add_recovery(struct clients *c, unsigned organisation, unsigned number);
/* Only begun: the request was written, certificates are made; then the operator's answer, with something wrong in it
 * if `spoil` is given; what brug_enrol said of it. */
struct member *clients_begin(struct clients *c, unsigned organisation, unsigned person, int role);
typedef void clients_spoil_cb(struct clients *c, struct member *m, Brug__V1__EnrolAnswer *answer);
int clients_answer(struct clients *c, struct member *m, clients_spoil_cb *spoil,
                   char code[BRUG_COMPARE_BYTES]);
struct id clients_organisation(unsigned organisation);
/* Closes the handle and opens the profile again, as a new process would. */
void clients_reopen(struct clients *c, struct member *m);

/* Lets this member's session and the relay run until both are quiet, or until `steps` rounds. */
void clients_run(struct clients *c, struct member *m);
/* The same until neither has anything to do; comes back after losses at once. */
void clients_sync(struct clients *c, struct member *m);
/* The same where things may fail: at most `steps` rounds; the first error that brug_start or brug_step gave. */
int clients_try(struct clients *c, struct member *m, int steps);
/* The next try of a lost session is now. */
void clients_hurry(struct member *m);
void clients_cut(struct clients *c);
/* The directory changed: its epoch rises, the connected client is told. */
void clients_move_directory(struct clients *c);
/* New list of the CA that revokes these. */
void clients_revoke(struct clients *c, X509 *const *revoked, size_t n);
/* A person confirms all that waits in this member's profile. */
void clients_trust_all(struct member *m);
/* All who connect fetch the directory, believe one another, and leave. */
void clients_meet(struct clients *c);
/* Ends the member's session. */
void clients_leave(struct clients *c, struct member *m);
/* Where an endpoint stands among the readers of a message; SIZE_MAX: nowhere. */
size_t clients_reader_of(const struct kept *k, const struct member *m);
/* What of a member and the relay is not as it must be once all is done: each letter of ours, unless it was given up, is
 * stored, and at the relay once, in the same bytes; each letter for us is here, read without fault, acknowledged, and if it
 * was opened, that was told. NULL: nothing. */
const char *clients_unfinished(struct clients *c, struct member *m);
/* A letter to organisation 2 in a new case. */
struct brug_draft clients_referral(void);

/* An entry, serialised, as the relay lists it. */
void clients_pack_organisation(struct clients *c, const struct id *organisation, struct buf *out);

#endif
