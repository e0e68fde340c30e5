/*
 * daemon/main.c: the command line of brugd, and what a process does before it touches anything.
 *
 * Exit status (sysexits.h): 0 after a drain; 64 wrong use; 74 the outbox failed; 75 try again later; 78 the
 * settings, or a file that they name, are wrong.
 */
#include "base/log.h"
#include "daemon/daemon.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#define CONFIG_DEFAULT "/etc/brug/brugd.conf"
#define OUTPUT_BYTES_MAX (1u << 20)

enum command { COMMAND_RUN, COMMAND_CHECK, COMMAND_SAMPLE };

static const char usage[] =
    "Usage: brugd [OPTION]...\n"
    "The relay of Brug: carries sealed letters between GP practices and youth consultants.\n"
    "\n"
    "  -c, --config FILE      read the settings from FILE (" CONFIG_DEFAULT ")\n"
    "      --check-config     print every setting and where it comes from, and end\n"
    "      --print-sample-config\n"
    "                         print a file of settings with the defaults, and end\n"
    "      --version          print the version, and end\n"
    "      --help             print this, and end\n"
    "\n"
    "Signals: SIGTERM or SIGINT drains and ends (a second one at once); SIGHUP reads certificates\n"
    "and revocation lists again. brugctl(8) administers a running brugd.\n";

static int print(struct buf *text)
{
    bool is_written = fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    buf_fini(text);
    return is_written ? EX_OK : EX_IOERR;
}

static int say(const char *text)
{
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int complain(char *problem)
{
    (void)fprintf(stderr, "brugd: %s\n", problem ? problem : "no memory");
    free(problem);
    return EX_CONFIG;
}

static int print_sample(void)
{
    struct buf text;
    buf_init(&text, OUTPUT_BYTES_MAX);
    enum error e = config_print_sample(&text);
    return e ? EX_OSERR : print(&text);
}

/* Each address of `listen` by itself. */
static char *check_listen(const struct config *c)
{
    const char *rest = config_text(c, "listen");
    for (size_t len; *(rest += strspn(rest, " ")); rest += len) {
        len = strcspn(rest, " ");
        char *one = strndup(rest, len);
        enum error e = one ? net_check_address(one) : ERROR_NO_MEMORY;
        free(one);
        if (e)
            return config_problem(c, "listen",
                                  "one of its addresses is no numeric address with a port");
    }
    return NULL;
}

static int check(const struct config *c)
{
    struct buf text;
    char *problem = NULL;
    buf_init(&text, OUTPUT_BYTES_MAX);
    enum error e = config_print(c, &text);
    int status = e ? EX_OSERR : print(&text);
    if (status)
        return status;
    problem = check_listen(c);
    if (problem || config_check_files(c, &problem))
        return complain(problem);
    return EX_OK;
}

/* Files only for ourselves; no core file and no debugger, in which letters' keys of TLS could be seen. */
static void harden(void)
{
    const struct rlimit none = {0, 0};
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);      /* a limit on files is an error like a full disk */
    (void)setrlimit(RLIMIT_CORE, &none); /* lowering is always allowed */
#ifndef __SANITIZE_ADDRESS__             /* its search for leaks is a debugger */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

static int run(const struct config *c)
{
    struct daemon d;
    log_set_level(config_log_level(c));
    int status = daemon_start(&d, c);
    if (!status)
        status = daemon_run(&d);
    daemon_fini(&d);
    return status;
}

/* An exit status, or -1 when the command is to be done. */
static int read_options(int argc, char **argv, enum command *command, const char **path)
{
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"print-sample-config", no_argument, NULL, 's'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            *path = optarg;
            break;
        case 'k':
            *command = COMMAND_CHECK;
            break;
        case 's':
            *command = COMMAND_SAMPLE;
            break;
        case 'v':
            return say("brugd " BRUG_VERSION "\n");
        case 'h':
            return say(usage);
        default: /* getopt has complained */
            (void)fputs("Try 'brugd --help'.\n", stderr);
            return EX_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    (void)fprintf(stderr, "brugd: unexpected word '%s'\nTry 'brugd --help'.\n", argv[optind]);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    enum command command = COMMAND_RUN;
    const char *path = CONFIG_DEFAULT;
    struct config *c = NULL;
    char *problem = NULL;
    harden();
    int status = read_options(argc, argv, &command, &path);
    if (status >= 0)
        return status;
    if (command == COMMAND_SAMPLE)
        return print_sample();
    if (config_read(&c, path, &problem))
        return complain(problem);
    status = command == COMMAND_CHECK ? check(c) : run(c);
    config_free(c);
    return status;
}
