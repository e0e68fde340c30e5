/*
 * rules/roles.c: the role table [R72]. What stands in no row is denied.
 *
 * A practice system acts for an active gp or locum that its header names, so that kinds are judged by
 * that person's role: the system itself sends nothing.
 */
#include "rules/roles.h"
#include <stddef.h>

#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define KIND(name) BRUG__V1__KIND__KIND_##name
#define BIT(n) (1u << (n))

#define GP BIT(ROLE(GP))
#define LOCUM BIT(ROLE(LOCUM))
#define ASSISTANT BIT(ROLE(ASSISTANT))
#define CONSULTANT BIT(ROLE(CONSULTANT))
#define LEADER BIT(ROLE(LEADER))
#define OBSERVER BIT(ROLE(OBSERVER))
#define SYSTEM BIT(ROLE(SYSTEM))

#define DOCTORS (GP | LOCUM)
#define TEAM_MEMBERS (CONSULTANT | LEADER)
#define READS (DOCTORS | TEAM_MEMBERS | SYSTEM)

static bool is_in(unsigned roles, Brug__V1__Role role)
{
    return role > ROLE(NONE) && role <= ROLE(SYSTEM) && (roles & BIT(role));
}

/* Mailboxes and reports are an endpoint's own. An assistant sees the directory and may set the own absence. */
static const struct operation_row {
    enum operation operation;
    unsigned own;  /* roles that may do it for themselves */
    unsigned team; /* roles that may do it for all of their organisation */
} OPERATIONS[] = {
    {OPERATION_SUBSCRIBE, READS, 0},
    {OPERATION_ACK, READS, 0},
    {OPERATION_OPENED, READS, 0},
    {OPERATION_TRACK, 0, READS},
    {OPERATION_GET_DIRECTORY, 0, READS | ASSISTANT},
    {OPERATION_PUT_COUNTERSIGNATURE, 0, READS},
    {OPERATION_PUT_BINDING, READS | ASSISTANT, 0},
    {OPERATION_PUT_ABSENCE, READS | ASSISTANT, 0},
    {OPERATION_PUT_CARD, 0, TEAM_MEMBERS},
    {OPERATION_GET_CASE, 0, READS},
    {OPERATION_PUT_TAGS, 0, TEAM_MEMBERS},
    {OPERATION_GET_FIGURES, DOCTORS | SYSTEM | OBSERVER, TEAM_MEMBERS},
};

enum scope roles_may(Brug__V1__Role role, enum operation op)
{
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++) {
        if (OPERATIONS[i].operation != op)
            continue;
        if (is_in(OPERATIONS[i].team, role))
            return SCOPE_TEAM;
        return is_in(OPERATIONS[i].own, role) ? SCOPE_OWN : SCOPE_NONE;
    }
    return SCOPE_NONE;
}

/*
 * The "by" of each kind. Who is the director of a case, and which side proposed, is the case's matter;
 * here stands what a role can never do.
 */
static const struct kind_row {
    Brug__V1__Kind kind;
    unsigned roles;
} KINDS[] = {
    {KIND(REFERRAL), DOCTORS},
    {KIND(CONSULT), DOCTORS},
    {KIND(ADVICE), CONSULTANT},
    {KIND(CLAIM), CONSULTANT},
    {KIND(HANDOVER), TEAM_MEMBERS},
    {KIND(START), CONSULTANT},
    {KIND(INTERIM), CONSULTANT},
    {KIND(DELAY), CONSULTANT},
    {KIND(INFO_REQUEST), DOCTORS},
    {KIND(INFO_REPLY), CONSULTANT},
    {KIND(DECLINE_PROPOSAL), CONSULTANT},
    {KIND(STOP_PROPOSAL), DOCTORS | CONSULTANT},
    {KIND(PROPOSAL_ANSWER), DOCTORS | CONSULTANT},
    {KIND(RETRACT), DOCTORS | TEAM_MEMBERS},
    {KIND(BRIDGING_PROPOSAL), DOCTORS | CONSULTANT},
    {KIND(BRIDGING_ANSWER), DOCTORS | CONSULTANT},
    {KIND(BRIDGING_END), DOCTORS | CONSULTANT},
    {KIND(CLOSING), TEAM_MEMBERS},
    {KIND(WITHDRAWAL), DOCTORS},
    {KIND(NOTE), DOCTORS | TEAM_MEMBERS},
    {KIND(HISTORY), DOCTORS | TEAM_MEMBERS},
    {KIND(NOTICE), TEAM_MEMBERS},
    {KIND(FAMILY_KEY), TEAM_MEMBERS},
};

bool roles_may_send(Brug__V1__Role role, Brug__V1__Kind kind)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (KINDS[i].kind == kind)
            return is_in(KINDS[i].roles, role);
    return false;
}

bool roles_read(Brug__V1__Role role) { return is_in(READS, role); }
