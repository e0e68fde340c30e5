/* rules/roles.h: the one table role x operation -> own / team / none [R72]; default deny. Pure. */
#ifndef RULES_ROLES_H
#define RULES_ROLES_H

#include "base/error.h"
#include "brug/v1/wire.pb-c.h"
#include <stdbool.h>

enum scope { SCOPE_NONE = 0, SCOPE_OWN = 1, SCOPE_TEAM = 2 }; /* TEAM: all of one's organisation */

enum operation {
    OPERATION_SUBSCRIBE = 1,
    OPERATION_ACK,
    OPERATION_OPENED,
    OPERATION_TRACK,
    OPERATION_GET_DIRECTORY,
    OPERATION_PUT_COUNTERSIGNATURE,
    OPERATION_PUT_BINDING,
    OPERATION_PUT_ABSENCE,
    OPERATION_PUT_CARD,
    OPERATION_GET_CASE,
    OPERATION_PUT_TAGS,
    OPERATION_GET_FIGURES, /* OWN: as published; TEAM: the own team's from inside too */
};

/* What `role` may do as a frame; SCOPE_NONE for all that is not in the table. */
enum scope roles_may(Brug__V1__Role role, enum operation op);
/* Whether a person of `role` may act as the sender of `kind`. */
bool roles_may_send(Brug__V1__Role role, Brug__V1__Kind kind);
/* Whether endpoints of `role` are readers of letters (gp, locum, consultant, leader, practice system; assistants and observers are not). */
bool roles_read(Brug__V1__Role role);

#endif
