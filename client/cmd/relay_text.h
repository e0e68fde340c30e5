/* client/cmd/relay_text.h: messages that the relay made, in words: its own word, and labelled so [P-115]. */
#ifndef CLIENT_CMD_RELAY_TEXT_H
#define CLIENT_CMD_RELAY_TEXT_H

#include "client/cmd/cmd.h"

/* "This family has an open case with ...". */
const char *relay_text_linked(struct cmd *c, const struct brug_linked *l);
const char *relay_text(struct cmd *c, const struct brug_message *m);

#endif
