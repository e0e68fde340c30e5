/* client/cmd/letter_text.h: an opened letter as people read it, on a screen or in a dossier, and in JSON. */
#ifndef CLIENT_CMD_LETTER_TEXT_H
#define CLIENT_CMD_LETTER_TEXT_H

#include "client/cmd/cmd.h"

/* "Op een datum: 31-12-2026" */
const char *letter_text_moment(struct cmd *c, const struct brug_moment *m);
void letter_text_print(struct cmd *c, FILE *to, const struct brug_letter *l);
/* with_data: attachments with their bytes (base64), else their names and sizes only. */
json_t *letter_text_json(struct cmd *c, const struct brug_letter *l, bool with_data);
/* Opens the letter for as long as the command lives; a complaint says why it cannot be read. */
int letter_text_open(struct cmd *c, int64_t number, bool mark_opened,
                     const struct brug_letter **out);

#endif
