/*
 * client/cmd/draft.h: a letter put together from the command line, and sent. For refer and send.
 */
#ifndef CLIENT_CMD_DRAFT_H
#define CLIENT_CMD_DRAFT_H

#include "client/cmd/cmd.h"

/* The draft and what it points to. */
struct draft {
    struct brug_draft d;
    struct brug_moment moments[BRUG_MOMENTS_MAX];
    struct brug_attachment attachments[BRUG_ATTACHMENTS_MAX];
};

/* What all letters have: --letter, --subject, --attach, --person, --on-behalf, --reply-to. */
int draft_take_letter(struct cmd *c, struct draft *draft);
/* What a referral has besides: its codes, moments, ground and youth; complains of what must not be sent. */
int draft_take_referral(struct cmd *c, struct draft *draft);
/* Asks about warnings, stores the letter, waits for the relay as --wait says, and prints how it stands. */
int draft_send(struct cmd *c, struct draft *draft);

#endif
