/*
 * client/cmd/draft.h: a letter put together from the command line, and sent.
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

/* Before the relay is asked anything: whether there will be a letter, where one is needed. */
int draft_expect_letter(const struct cmd *c);
/* What all letters have: --letter (else the person's editor, if one is needed), --subject, --attach, --person,
 * --on-behalf, --reply-to. */
int draft_take_letter(struct cmd *c, struct draft *draft, bool is_needed);
/* What a referral has besides: its codes, moments, ground and youth; complains of what must not be sent. */
int draft_take_referral(struct cmd *c, struct draft *draft);
/* A code that the library gave for this draft, as a complaint. */
int draft_fail(struct cmd *c, const struct draft *draft, int error);
/* Asks about warnings, stores the letter, waits for the relay as --wait says, and prints how it stands. */
int draft_send(struct cmd *c, struct draft *draft);
/* The same in parts, for several letters: asked about and stored; waited for. */
int draft_post(struct cmd *c, struct draft *draft, int64_t *number);
int draft_wait(struct cmd *c);

#endif
