/*
 * client/cmd/editor.c: a letter written in the person's own editor.
 *
 * The text lies in a file of mode 0600 while it is written: in $XDG_RUNTIME_DIR, which is in memory, else in the profile's
 * directory. It is overwritten and removed whatever comes of it.
 */
#include "client/cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *editor_name(void)
{
    const char *visual = getenv("VISUAL");
    return visual != NULL && visual[0] != '\0' ? visual : getenv("EDITOR");
}

bool editor_is_there(void)
{
    const char *name = editor_name();
    return name != NULL && name[0] != '\0' && cmd_has_terminal();
}

/* $EDITOR may hold options: the shell splits it, and gets the path as a word of its own. */
static bool run_editor(const char *path)
{
    int status = 0;
    const char *command = "exec $0 \"$1\"";
    const char *name = editor_name();
    pid_t child = fork();
    if (child < 0)
        return false;
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, name, path, (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void wipe(const char *path)
{
    static const char zeros[4096];
    struct stat st;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0)
        for (off_t left = st.st_size; left > 0; left -= (off_t)sizeof zeros)
            if (write(fd, zeros, sizeof zeros) < 0)
                break;
    if (fd >= 0)
        (void)close(fd); /* it goes away next */
    (void)unlink(path);  /* it may be gone */
}

int editor_write(struct cmd *c, char **out)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    bool is_memory = folder != NULL && folder[0] == '/';
    char *path = NULL;
    if (asprintf(&path, "%s/brug-XXXXXX.txt", is_memory ? folder : brug_directory_path(c->brug)) <
        0)
        return cmd_no_memory(c);
    int fd = mkstemps(path, 4);
    if (fd < 0) {
        free(path);
        return cmd_complain(c, EX_CANTCREAT, "er is geen plaats voor een brief in wording",
                            "there is no place for a letter in the making");
    }
    (void)close(fd); /* nothing was written */
    int status = run_editor(path)
                     ? cmd_read_text(c, path, out)
                     : cmd_complain_of(c, EX_DATAERR, "%s is niet goed geëindigd; niets verstuurd",
                                       "%s did not end well; nothing was sent", editor_name());
    wipe(path);
    free(path);
    return status;
}
