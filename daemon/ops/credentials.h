/*
 * daemon/ops/credentials.h: users and groups of this machine, for the admin socket.
 * A file of its own because <grp.h> and the core both have a struct group.
 */
#ifndef DAEMON_OPS_CREDENTIALS_H
#define DAEMON_OPS_CREDENTIALS_H

#include "base/error.h"
#include <sys/types.h>

#define CREDENTIALS_NAME_BYTES 65

/* The login name, cut to fit; empty when there is none. */
void credentials_name(uid_t uid, char out[CREDENTIALS_NAME_BYTES]);
/* False for an empty or unknown group. */
bool credentials_in_group(uid_t uid, gid_t gid, const char *group);
bool credentials_group_exists(const char *group);
/* Mode 0600, or 0660 and that group. The mode only keeps the crowd out; the kernel's word on the peer decides. */
enum error credentials_open_to(const char *path, const char *group) MUST_CHECK;

#endif
