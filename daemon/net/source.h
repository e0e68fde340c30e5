/*
 * daemon/net/source.h: how many handshakes each source address has in flight. Those that failed count until
 * SOURCE_PENALTY_MS after the first of them, so that a source that only fails is slowed down. A source is
 * an IPv4 address or an IPv6 /64.
 */
#ifndef DAEMON_NET_SOURCE_H
#define DAEMON_NET_SOURCE_H

#include "base/list.h"
#include "base/map.h"
#include <netinet/in.h>

#define SOURCE_PENALTY_MS 1000

struct source;

struct sources {
    struct map by_address;
    struct list failed; /* those with failures, the oldest first */
};

void sources_init(struct sources *s, const uint64_t seed[2]);
void sources_fini(struct sources *s);
/* NULL when the source has `max` in flight already, or there is no memory. */
struct source *source_enter(struct sources *s, const struct sockaddr *address, unsigned max,
                            int64_t now_ms);
void source_leave(struct sources *s, struct source *source, bool has_failed, int64_t now_ms);

#endif
