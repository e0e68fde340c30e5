/* client/cmd/input.c: files and answers from people. */
#include "client/cmd/cmd.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_stream(const char *path) { return path == NULL || strcmp(path, "-") == 0; }

/* Reads to the end; *out is allocated, with a NUL behind it. False with errno set. */
static bool read_all(FILE *from, char **out, size_t *len)
{
    size_t room = 1u << 16, n = 0;
    char *bytes = malloc(room);
    while (bytes != NULL && n <= CMD_FILE_BYTES_MAX) {
        size_t got = fread(bytes + n, 1, room - n - 1, from);
        n += got;
        if (got == 0)
            break;
        if (n + 1 == room) {
            char *grown = realloc(bytes, room *= 2);
            if (grown == NULL)
                free(bytes);
            bytes = grown;
        }
    }
    int failure = bytes == NULL            ? ENOMEM
                  : ferror(from)           ? errno
                  : n > CMD_FILE_BYTES_MAX ? EFBIG
                                           : 0;
    if (failure != 0) {
        free(bytes);
        errno = failure;
        return false;
    }
    bytes[n] = '\0';
    *out = bytes;
    *len = n;
    return true;
}

/* What the system says of a file; NULL for what a person can do nothing about. */
static const char *cause_text(const struct cmd *c, int error)
{
    switch (error) {
    case ENOENT:
        return cmd_say(c, "dit bestand of deze map is er niet",
                       "there is no such file or directory");
    case EACCES:
    case EPERM:
        return cmd_say(c, "u mag dit niet", "you are not allowed to");
    case EISDIR:
        return cmd_say(c, "dit is een map", "this is a directory");
    case ENOTDIR:
        return cmd_say(c, "een deel van de naam is geen map", "a part of the name is no directory");
    case ELOOP:
        return cmd_say(c, "dit is een verwijzing naar een ander bestand",
                       "this is a link to another file");
    case ENAMETOOLONG:
        return cmd_say(c, "de naam is te lang", "the name is too long");
    case EFBIG:
        return cmd_say(c, "het is te groot", "it is too large");
    case ENOSPC:
    case EDQUOT:
        return cmd_say(c, "de schijf is vol", "the disk is full");
    case EROFS:
        return cmd_say(c, "op deze schijf kan niets bij", "nothing can be added to this disk");
    case ENOMEM:
        return cmd_say(c, "er is te weinig geheugen", "out of memory");
    default:
        return NULL;
    }
}

/* With an error's name where we have no words for it. */
static int complain_of_file(const struct cmd *c, int status, bool is_read, const char *path,
                            int error)
{
    const char *cause = cause_text(c, error);
    char *text = NULL;
    if (cause == NULL)
        cause = strerrorname_np(error);
    if (asprintf(&text,
                 is_read ? cmd_say(c, "%s is niet te lezen: %s", "%s cannot be read: %s")
                         : cmd_say(c, "%s is niet te schrijven: %s", "%s cannot be written: %s"),
                 path, cause == NULL ? "?" : cause) < 0)
        return cmd_no_memory(c);
    status = cmd_complain(c, status, text, text);
    free(text);
    return status;
}

int cmd_read(struct cmd *c, const char *path, char **out, size_t *len)
{
    FILE *from = is_stream(path) ? stdin : fopen(path, "rbe");
    char *bytes = NULL;
    bool is_read = from != NULL && read_all(from, &bytes, len);
    int error = errno;
    if (from != NULL && from != stdin)
        (void)fclose(from); /* nothing was written */
    if (is_read && (*out = cmd_keep(c, bytes, free)) == NULL)
        return cmd_no_memory(c);
    if (is_read)
        return EX_OK;
    return complain_of_file(c, EX_NOINPUT, true, path, error);
}

int cmd_need_file(const struct cmd *c, const char *path)
{
    FILE *from = fopen(path, "rbe");
    if (from == NULL)
        return complain_of_file(c, EX_NOINPUT, true, path, errno);
    (void)fclose(from); /* nothing was written */
    return EX_OK;
}

int cmd_read_text(struct cmd *c, const char *path, char **out)
{
    char *bytes = NULL;
    size_t len = 0;
    int status = cmd_read(c, path, &bytes, &len);
    if (status != EX_OK)
        return status;
    char *text = strncmp(bytes, "\xef\xbb\xbf", 3) == 0 ? bytes + 3 : bytes;
    if (!text_is_clean(slice_of(text, len - (size_t)(text - bytes)), true))
        return cmd_complain_of(
            c, EX_DATAERR, "%s is geen tekst (UTF-8). Een ander bestand kan mee met --attach",
            "%s is no text (UTF-8). Another kind of file goes along with --attach", path);
    *out = text;
    return EX_OK;
}

/* Writes all and says whether it is there. */
static bool write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return true;
}

int cmd_complain_existing(const struct cmd *c, const char *path)
{
    return cmd_complain_of(c, EX_CANTCREAT, "%s bestaat al, en wordt niet overschreven",
                           "%s exists already, and is not overwritten", path);
}

int cmd_write(const struct cmd *c, const char *path, const void *data, size_t len)
{
    if (is_stream(path)) {
        if (fwrite(data, 1, len, stdout) == len && fflush(stdout) == 0)
            return EX_OK;
        return cmd_complain(c, EX_IOERR, "de uitvoer is niet te schrijven",
                            "the output cannot be written");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return cmd_complain_existing(c, path);
    bool is_written = fd >= 0 && write_all(fd, data, len);
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && is_written) {
        is_written = false;
        error = errno;
    }
    if (is_written)
        return EX_OK;
    if (fd >= 0)
        (void)unlink(path); /* half a file helps nobody */
    return complain_of_file(c, EX_CANTCREAT, false, path, error);
}

bool cmd_has_terminal(void) { return isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0; }

bool cmd_confirm(const struct cmd *c, const char *dutch, const char *english)
{
    char answer[64];
    if (!cmd_has_terminal())
        return false;
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s [%s] ", cmd_say(c, dutch, english), cmd_say(c, "ja/nee", "yes/no"));
    if (fgets(answer, sizeof answer, stdin) == NULL)
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "ja") == 0 || strcasecmp(answer, "j") == 0 ||
           strcasecmp(answer, "yes") == 0 || strcasecmp(answer, "y") == 0;
}

/* The texts of a list may be typed too, in both languages. */
static int find_code(enum brug_list list, const char *word)
{
    int number = brug_list_find(list, word);
    for (size_t i = 0; number < 0 && brug_list_number(list, i) >= 0; i++) {
        int n = brug_list_number(list, i);
        if (strcasecmp(word, brug_list_text(list, n, BRUG_DUTCH)) == 0 ||
            strcasecmp(word, brug_list_text(list, n, BRUG_ENGLISH)) == 0)
            number = n;
    }
    return number;
}

int cmd_code(const struct cmd *c, enum brug_list list, const char *option, const char *word,
             int *out)
{
    int number = word == NULL ? -1 : find_code(list, word);
    if (number >= 0) {
        *out = number;
        return EX_OK;
    }
    int status =
        word == NULL
            ? cmd_complain_of(c, EX_USAGE,
                              "%s ontbreekt; kies uit:", "%s is missing; choose one of:", option)
            : cmd_complain_of(c, EX_USAGE, "'%s' staat niet in de lijst; kies uit:",
                              "'%s' is not in the list; choose one of:", word);
    for (size_t i = 0; brug_list_number(list, i) >= 0; i++) {
        int n = brug_list_number(list, i);
        (void)fprintf(stderr, "  %s %-20s %s\n", option, brug_list_word(list, n),
                      brug_list_text(list, n, c->language));
    }
    return status;
}
