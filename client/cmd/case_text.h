/*
 * client/cmd/case_text.h: a case in lines and in JSON. Custody, states and what is owed are the relay's word, and are labelled
 * so [P-115].
 */
#ifndef CLIENT_CMD_CASE_TEXT_H
#define CLIENT_CMD_CASE_TEXT_H

#include "client/cmd/cmd.h"

/* What to say of a refusal that names people or things of the case; NULL: the code's own sentence says it. */
const char *case_refusal_text(struct cmd *c, int error, const struct brug_id *case_id);

/* "Stand van 29-11-2026 10:12, volgens de relay" */
const char *case_told_text(struct cmd *c, int64_t told_at_ms);
/* "De regie ligt bij het team (Samira Haddou)." */
const char *case_custody_text(struct cmd *c, const struct brug_case_facts *f);
/* "Terugkoppeling bij start, uiterlijk 14-12-2026" */
const char *case_owed_text(struct cmd *c, const struct brug_case_facts *f,
                           const struct brug_owed *owed);
const char *case_title(struct cmd *c, const struct brug_case *item); /* its code and youth */
/* "brug start, brug interim": what may be sent now; "" for nothing or not known. */
const char *case_next_text(struct cmd *c, const struct brug_case *item);

json_t *case_json_owed(struct cmd *c, const struct brug_owed *owed);
json_t *case_json(struct cmd *c, const struct brug_case *item);

/* Asks the relay for the case, or (NULL) for the list of cases, within --wait; when it cannot be asked, the command goes on
 * with what is known (c->is_offline). */
int case_refresh(struct cmd *c, const struct brug_id *case_id, int default_seconds);
#define CASE_LOOK_SECONDS 3 /* for who only looks */

#endif
