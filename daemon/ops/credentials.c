/* daemon/ops/credentials.c: see credentials.h. Looked up at each call, so that a change of groups counts at once. */
#include "daemon/ops/credentials.h"
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void credentials_name(uid_t uid, char out[CREDENTIALS_NAME_BYTES])
{
    const struct passwd *user = getpwuid(uid);
    (void)snprintf(out, CREDENTIALS_NAME_BYTES, "%s",
                   user == NULL ? "" : user->pw_name); /* cut is fine */
}

bool credentials_group_exists(const char *group)
{
    return group[0] != '\0' && getgrnam(group) != NULL;
}

bool credentials_in_group(uid_t uid, gid_t gid, const char *group)
{
    const struct group *g = group[0] == '\0' ? NULL : getgrnam(group);
    if (g == NULL)
        return false;
    if (g->gr_gid == gid)
        return true;
    const struct passwd *user = getpwuid(uid);
    for (char **m = g->gr_mem; user != NULL && *m != NULL; m++)
        if (strcmp(*m, user->pw_name) == 0)
            return true;
    return false;
}

enum error credentials_open_to(const char *path, const char *group)
{
    const struct group *g = group[0] == '\0' ? NULL : getgrnam(group);
    if (g == NULL)
        return chmod(path, 0600) == 0 ? ERROR_NONE : ERROR_IO;
    if (chown(path, (uid_t)-1, g->gr_gid) != 0)
        return ERROR_PERMISSION;
    return chmod(path, 0660) == 0 ? ERROR_NONE : ERROR_IO;
}
