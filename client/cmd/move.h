/* client/cmd/move.h: what the commands about a running case share. */
#ifndef CLIENT_CMD_MOVE_H
#define CLIENT_CMD_MOVE_H

#include "client/cmd/draft.h"

/* Reads what this kind has besides its letter, with the case as it is known (NULL: it is not). */
typedef int move_take_cb(struct cmd *c, struct draft *draft, const struct brug_case *item);

/* A letter of this kind in the case that the first word names: the case is asked for, the letter judged, read, and sent.
 * take may be NULL. */
int move_send(struct cmd *c, int kind, bool needs_letter, move_take_cb *take);

/* A day from an option, or a complaint; `is_needed` if it may not be left out. */
int move_take_date(const struct cmd *c, const char *option, const char *text, bool is_needed,
                   uint32_t *out);
/* The day of --called-on, which is not to come. */
int move_take_call(const struct cmd *c, bool is_needed, uint32_t *out);

#endif
