/* client/cmd/organisation.h: an organisation of the directory in lines and in JSON, for trust and directory. */
#ifndef CLIENT_CMD_ORGANISATION_H
#define CLIENT_CMD_ORGANISATION_H

#include "client/cmd/cmd.h"

/* Its name, what it is, its identifier and fingerprint. */
void organisation_print_head(struct cmd *c, const struct brug_organisation *o);
/* Its entries, with how each is believed. */
void organisation_print_entries(struct cmd *c, const struct brug_organisation *o);
json_t *organisation_json(struct cmd *c, const struct brug_organisation *o);
json_t *organisation_json_list(struct cmd *c, const struct brug_organisations *all);

#endif
