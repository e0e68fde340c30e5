/*
 * client/belief.h: whom this client believes, judged from what the relay lists and what it holds itself. Pure:
 * no store, no clock, no socket [T31].
 *
 * The relay gives an organisation's roster (who is a reader) and an entry for each endpoint on it. An entry is
 * believed only if it stands by our own anchors, revocation lists and scopes (binding_judge), says the same as
 * the roster, and is pinned - or is countersigned by a colleague who is all that. What is not, is a state:
 *
 *   REFUSED   fails a check that no person can overrule
 *   CHANGED   pinned with another binding: keys changed
 *   NEW       stands, but nobody of the organisation was ever confirmed
 *   MORE      stands, in an organisation that was confirmed, but nobody vouches for this entry yet
 *   BELIEVED
 *
 * An organisation has the worst state of its entries: letters are sealed only to organisations that are BELIEVED
 * as a whole, since the relay demands all readers, and none may be a stranger.
 */
#ifndef CLIENT_BELIEF_H
#define CLIENT_BELIEF_H

#include "brug/v1/wire.pb-c.h"
#include "include/brug.h"
#include "pki/binding.h"
#include "proto/arena.h"

struct belief_pin {
    struct id endpoint;
    struct digest binding;
};

struct belief_basis {
    struct trust *trust;
    const struct anchor_scope *scopes;
    size_t scope_count;
    int64_t now_ms;
    bool is_known; /* a person confirmed somebody of this organisation before */
    const struct belief_pin *pins;
    size_t pin_count;
};

struct belief_entry {
    const Brug__V1__EndpointEntry *entry; /* NULL: the relay withholds it */
    const Brug__V1__Binding *binding;     /* NULL: withheld, or not readable */
    struct id endpoint, person;
    struct digest digest; /* of the binding that the roster names */
    bool is_recovery;
    int role; /* the relay's word */
    enum brug_trust_state state;
    bool is_countersigned;             /* believed by a colleague's word, not pinned yet */
    enum error error;                  /* with REFUSED */
    const char *what;                  /* with REFUSED: what is wrong, in a few fixed words */
    struct certificate_identity names; /* not with REFUSED */
};

struct belief {
    struct id organisation;
    struct arena *arena;
    const Brug__V1__OrganisationEntry *entry;
    const Brug__V1__Roster *roster; /* NULL: not readable; then there are no entries */
    struct digest roster_digest;
    struct belief_entry *entries;
    size_t entry_count;
    enum brug_trust_state state;
    enum error error;
    const struct certificate_identity *names; /* of the first entry that stands; NULL: none does */
};

/* `packed` is a serialised OrganisationEntry. What is wrong with it is a state; errors are of memory only. */
enum error belief_judge(const struct belief_basis *basis, struct slice packed, struct belief **out)
    MUST_CHECK;
void belief_free(struct belief *b);
/* It stands, and a person can confirm it. */
bool belief_is_pending(const struct belief_entry *e);
const struct belief_entry *belief_find(const struct belief *b, const struct id *endpoint);

/* One entry by itself, by anchors, lists and scopes only: ERROR_NONE, or why it is refused. */
enum error belief_judge_entry(const struct belief_basis *basis, const struct id *organisation,
                              const Brug__V1__EndpointEntry *entry,
                              const Brug__V1__Binding *binding, struct certificate_identity *names,
                              const char **what) MUST_CHECK;

/* What two people read to each other: 12 digits over the organisation's id and the bindings, in ascending order. */
enum error belief_fingerprint(const struct id *organisation, const struct digest *bindings,
                              size_t n, char out[BRUG_COMPARE_BYTES]) MUST_CHECK;
/* Of those entries that are NEW, MORE or CHANGED; of all of the roster when none is. */
enum error belief_pending_fingerprint(const struct belief *b, char out[BRUG_COMPARE_BYTES])
    MUST_CHECK;
bool belief_same_code(const char *typed, const char *code);

#endif
