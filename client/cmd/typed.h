/* client/cmd/typed.h: what people type, made into values. Pure: no files, no clock, prints nothing. */
#ifndef CLIENT_CMD_TYPED_H
#define CLIENT_CMD_TYPED_H

#include "include/brug.h"

/* "2013-04-17" or "17-04-2013" (also with / or .), a day that exists from 1900 on, to yyyymmdd. */
bool typed_date(const char *text, uint32_t *out);
/* Whole years from a birth date to a day; 0 for one who is not born yet. */
unsigned typed_age(uint32_t born, uint32_t today);
/* Nine digits that pass the eleven-test. */
bool typed_bsn(const char *text);
/* "first-conversation", "waiting-list", "change-of-director", "date:2026-12-31", "after:3". */
bool typed_moment(const char *text, struct brug_moment *out);
/* "relay.example.nl:7443" or "[::1]:7443". */
bool typed_relay(const char *text, char *host, size_t host_bytes, unsigned *port);
/* A whole number from 0 to max. */
bool typed_number(const char *text, uint32_t max, uint32_t *out);

/* Words for what is not referred through this channel [R05] [R06]. */
enum typed_refusal { TYPED_ALLOWED, TYPED_SERIOUS, TYPED_SPECIALIST };
enum typed_refusal typed_reason(const char *text);

enum typed_youth_fault {
    TYPED_YOUTH_FINE,
    TYPED_YOUTH_NO_COLON,
    TYPED_YOUTH_UNKNOWN_KEY,
    TYPED_YOUTH_TWICE,
    TYPED_YOUTH_DATE,
    TYPED_YOUTH_TOO_MANY, /* telephone numbers */
};
/* Reads lines "naam: …", "geboren: …", "bsn: …", "telefoon: …", "adres: …" (or name, born, telephone, address); empty
 * lines and those that begin with # are passed over. Changes `text`, and *out points into it. *line counts from 1. */
enum typed_youth_fault typed_youth(char *text, struct brug_youth *out, size_t *line);

#endif
