/*
 * client/session.h: the protocol with the relay, over a link: Hello, requests and their answers, deliveries, and coming
 * back after a loss. One session object lives as long as this handle owns the profile's connection.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "brug/v1/wire.pb-c.h"
#include "client/client.h"

struct session;

/* Frees and closes; NULL inside is fine. */
void session_close(struct session **s);
/* Something in the store may have to be sent. */
void session_mark(struct session *s);
/* Where the relay is: the profile's own setting, else what the enrolment answer said. */
enum error session_relay(struct brug *b, char *host, size_t host_len, int64_t *port) MUST_CHECK;

#endif
