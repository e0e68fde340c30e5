/* client/cmd/main.c: the command line of brug, read by the tables of table.h. */
#include "client/cmd/table.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_FIRST 256 /* getopt's value of the first row */

/* ---- help ---- */

static bool takes(const struct command_row *row, const struct option_row *option)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, " --%s ", option->name); /* names are short */
    return option->is_general || strstr(row->options, wanted) != NULL;
}

static void print_codes(const struct cmd *c, const char *option, enum brug_list list)
{
    (void)printf("%s\n", option);
    for (size_t i = 0; brug_list_number(list, i) >= 0; i++) {
        int number = brug_list_number(list, i);
        (void)printf("    %-22s %s\n", brug_list_word(list, number),
                     brug_list_text(list, number, c->language));
    }
}

static void print_command_help(const struct cmd *c, const struct command_row *row)
{
    (void)printf("%s brug %s %s\n  %s\n\n", cmd_say(c, "Gebruik:", "Usage:"), row->name, row->usage,
                 cmd_say(c, row->dutch, row->english));
    for (size_t i = 0; TABLE_OPTIONS[i].name != NULL; i++)
        if (takes(row, &TABLE_OPTIONS[i]))
            (void)printf("  --%-14s %s\n", TABLE_OPTIONS[i].name,
                         cmd_say(c, TABLE_OPTIONS[i].dutch, TABLE_OPTIONS[i].english));
    if (row->lists[0].option != NULL)
        (void)putchar('\n');
    for (size_t i = 0; i < TABLE_LISTS_MAX && row->lists[i].option != NULL; i++)
        print_codes(c, row->lists[i].option, row->lists[i].list);
    if (strstr(row->options, " --moment ") != NULL)
        (void)printf("--moment\n    first-conversation, waiting-list, change-of-director, "
                     "date:2026-12-31, after:3\n");
    if (strstr(row->options, " --suicidality ") != NULL)
        (void)printf("--suicidality, --somatic\n    %s\n",
                     cmd_say(c, "ja, nee, niet-gevraagd", "yes, no, not-asked"));
}

static void print_help(const struct cmd *c)
{
    (void)printf("%s brug [--profile DIR] [--lang nl|en] [--json] %s\n\n",
                 cmd_say(c, "Gebruik:", "Usage:"), cmd_say(c, "OPDRACHT …", "COMMAND …"));
    for (size_t i = 0; TABLE_COMMANDS[i].name != NULL; i++)
        (void)printf("  %-10s %s\n", TABLE_COMMANDS[i].name,
                     cmd_say(c, TABLE_COMMANDS[i].dutch, TABLE_COMMANDS[i].english));
    (void)printf(
        "\n%s\n",
        cmd_say(
            c,
            "`brug OPDRACHT --help` zegt meer. Een FILE \"-\" is de standaardinvoer. Wat u "
            "schrijft, "
            "blijft bewaard en\ngaat weg zodra de relay bereikt wordt; ook dan is de exitcode 0. "
            "Andere exitcodes staan in sysexits.h.",
            "`brug COMMAND --help` says more. A FILE of \"-\" is standard input. What you write is "
            "kept, and leaves\nonce the relay is reached; the exit status is 0 then too. Other "
            "statuses are those of sysexits.h."));
}

/* ---- the command line ---- */

static bool is_english_locale(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const char *value = getenv(NAMES[i]);
        if (value != NULL && value[0] != '\0')
            return strncmp(value, "en", 2) == 0;
    }
    return false;
}

static const struct command_row *find_command(const char *name)
{
    for (size_t i = 0; TABLE_COMMANDS[i].name != NULL; i++)
        if (strcmp(TABLE_COMMANDS[i].name, name) == 0)
            return &TABLE_COMMANDS[i];
    return NULL;
}

static int set_language(struct cmd *c, const char *value)
{
    if (strcmp(value, "nl") != 0 && strcmp(value, "en") != 0)
        return cmd_complain_of(c, EX_USAGE, "--lang is nl of en, niet '%s'",
                               "--lang is nl or en, not '%s'", value);
    c->language = strcmp(value, "en") == 0 ? BRUG_ENGLISH : BRUG_DUTCH;
    return EX_OK;
}

/* Puts one option's value where its row says; a complaint otherwise. */
static int take_option(struct cmd *c, const struct option_row *row, const char *value)
{
    char *at = (char *)c + row->at;
    size_t *n = (size_t *)((char *)c + row->count_at);
    switch (row->shape) {
    case SHAPE_LANGUAGE:
        return set_language(c, value);
    case SHAPE_FLAG:
        *(bool *)at = true;
        return EX_OK;
    case SHAPE_TEXT:
        if (*(const char **)at != NULL)
            return cmd_complain_of(c, EX_USAGE, "--%s is twee keer gegeven", "--%s was given twice",
                                   row->name);
        *(const char **)at = value;
        return EX_OK;
    case SHAPE_LIST:
        break;
    }
    if (*n == CMD_VALUES_MAX)
        return cmd_complain_of(c, EX_USAGE, "--%s is te vaak gegeven", "--%s was given too often",
                               row->name);
    ((const char **)at)[(*n)++] = value;
    return EX_OK;
}

/* What getopt does not take, as it was typed. */
static int complain_of_option(const struct cmd *c, int what, char **argv)
{
    const char *typed = argv[optind > 1 ? optind - 1 : 1];
    if (what == ':')
        return cmd_complain_of(c, EX_USAGE, "bij %s hoort een waarde; zie --help",
                               "%s needs a value; see --help", typed);
    return cmd_complain_of(c, EX_USAGE, "de optie %s is er niet; zie --help",
                           "there is no option %s; see --help", typed);
}

/* Takes all options; given[i] says whether row i was among them. */
static int take_options(struct cmd *c, int argc, char **argv, bool given[TABLE_OPTIONS_MAX])
{
    struct option longs[TABLE_OPTIONS_MAX + 1] = {0};
    for (size_t i = 0; TABLE_OPTIONS[i].name != NULL; i++) {
        longs[i].name = TABLE_OPTIONS[i].name;
        longs[i].has_arg = TABLE_OPTIONS[i].shape == SHAPE_FLAG ? no_argument : required_argument;
        longs[i].val = (int)(OPTION_FIRST + i);
    }
    opterr = 0; /* we complain ourselves, in the right language */
    for (int what; (what = getopt_long(argc, argv, ":", longs, NULL)) != -1;) {
        if (what == '?' || what == ':')
            return complain_of_option(c, what, argv);
        given[what - OPTION_FIRST] = true;
        int status = take_option(c, &TABLE_OPTIONS[what - OPTION_FIRST], optarg);
        if (status != EX_OK)
            return status;
    }
    return EX_OK;
}

static int check_use(const struct cmd *c, const struct command_row *row,
                     const bool given[TABLE_OPTIONS_MAX])
{
    for (size_t i = 0; TABLE_OPTIONS[i].name != NULL; i++)
        if (given[i] && !takes(row, &TABLE_OPTIONS[i]))
            return cmd_complain_of(c, EX_USAGE, "deze opdracht kent geen --%s; zie --help",
                                   "this command takes no --%s; see --help", TABLE_OPTIONS[i].name);
    if (c->words_n >= row->words_min && c->words_n <= row->words_max)
        return EX_OK;
    int status = c->words_n < row->words_min
                     ? cmd_complain_of(c, EX_USAGE, "er ontbreekt iets; zie `brug %s --help`",
                                       "something is missing; see `brug %s --help`", row->name)
                     : cmd_complain_of(c, EX_USAGE,
                                       "'%s' is een woord te veel; zet een naam met spaties tussen "
                                       "aanhalingstekens",
                                       "'%s' is a word too many; put a name with spaces in quotes",
                                       c->words[row->words_max]);
    (void)fprintf(stderr, "      %s brug %s %s\n", cmd_say(c, "Gebruik:", "Usage:"), row->name,
                  row->usage);
    return status;
}

/* ---- running ---- */

static int run(struct cmd *c, const struct command_row *row)
{
    c->brug = brug_new(c->profile);
    if (c->brug == NULL)
        return cmd_complain(
            c, EX_CONFIG,
            "er is geen plaats voor een profiel: geef --profile of zet BRUG_HOME of HOME",
            "there is no place for a profile: give --profile or set BRUG_HOME or HOME");
    int status = row->needs_ready ? cmd_need_ready(c) : EX_OK;
    if (status == EX_OK)
        status = row->run(c);
    cmd_forget(c);
    brug_close(&c->brug);
    if (fflush(stdout) != 0 && status == EX_OK)
        status = EX_IOERR;
    return status;
}

static int show_help(const struct cmd *c, const struct command_row *row)
{
    if (row != NULL)
        print_command_help(c, row);
    else
        print_help(c);
    return EX_OK;
}

static int start(struct cmd *c, int argc, char **argv)
{
    bool given[TABLE_OPTIONS_MAX] = {0};
    int status = take_options(c, argc, argv, given);
    if (status != EX_OK)
        return status;
    const char *name = optind < argc ? argv[optind] : NULL;
    const struct command_row *row = name == NULL ? NULL : find_command(name);
    if (c->wants_version) {
        (void)printf("brug %s\n", brug_version());
        return EX_OK;
    }
    if (name != NULL && strcmp(name, "help") == 0) {
        name = optind + 1 < argc ? argv[optind + 1] : NULL;
        row = name == NULL ? NULL : find_command(name);
        c->wants_help = true;
    }
    if (name != NULL && row == NULL)
        return cmd_complain_of(c, EX_USAGE, "er is geen opdracht '%s'; `brug --help` noemt ze",
                               "there is no command '%s'; `brug --help` lists them", name);
    if (c->wants_help)
        return show_help(c, row);
    if (row == NULL)
        return cmd_complain(c, EX_USAGE,
                            "zeg wat er moet gebeuren; `brug --help` noemt de opdrachten",
                            "say what to do; `brug --help` lists the commands");
    c->words = (const char *const *)&argv[optind + 1];
    c->words_n = argc - optind - 1;
    status = check_use(c, row, given);
    return status == EX_OK ? run(c, row) : status;
}

int main(int argc, char **argv)
{
    struct cmd c = {.language = is_english_locale() ? BRUG_ENGLISH : BRUG_DUTCH};
    int status = start(&c, argc, argv);
    cmd_forget(&c);
    return status;
}
