/* client/cmd/main.c: the command line of brug: one table of options, one of commands. */
#include "client/cmd/cmd.h"
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum shape { SHAPE_TEXT, SHAPE_FLAG, SHAPE_LIST, SHAPE_LANGUAGE };

struct option_row {
    const char *name;
    enum shape shape;
    size_t at;       /* in struct cmd */
    size_t count_at; /* of a list */
    const char *dutch, *english;
    bool is_general; /* every command takes it */
};

#define ROW(shape, name, field, dutch, english) \
    { \
        name, shape, offsetof(struct cmd, field), 0, dutch, english, false \
    }
#define TEXT(name, field, dutch, english) ROW(SHAPE_TEXT, name, field, dutch, english)
#define FLAG(name, field, dutch, english) ROW(SHAPE_FLAG, name, field, dutch, english)
#define LIST(name, field, dutch, english) \
    { \
        name, SHAPE_LIST, offsetof(struct cmd, field), offsetof(struct cmd, field##_n), dutch, \
            english, false \
    }
#define GENERAL(shape, name, field, dutch, english) \
    { \
        name, shape, offsetof(struct cmd, field), 0, dutch, english, true \
    }

/* clang-format off */
static const struct option_row OPTIONS[] = {
    GENERAL(SHAPE_TEXT, "profile", profile, "map van het profiel (anders $BRUG_HOME of de XDG-plaats)", "the profile's directory (else $BRUG_HOME or the XDG place)"),
    GENERAL(SHAPE_FLAG, "json", is_json, "uitvoer voor programma's", "output for programs"),
    GENERAL(SHAPE_LANGUAGE, "lang", language, "nl of en", "nl or en"),
    TEXT("relay", relay, "HOST:POORT van de relay, in plaats van die uit de aanmelding", "HOST:PORT of the relay, instead of the one from the enrolment"),
    TEXT("invitation", invitation, "bestand met de uitnodiging, of -", "file with the invitation, or -"),
    TEXT("answer", answer, "bestand met het antwoord van de beheerder, of -", "file with the operator's answer, or -"),
    TEXT("code", code, "de code die de beheerder voorlas", "the code as the operator read it"),
    FLAG("recovery", is_recovery, "maak een herstelsleutel van de organisatie", "make a recovery entry of the organisation"),
    TEXT("out", out, "schrijf naar dit bestand", "write to this file"),
    TEXT("fingerprint", fingerprint, "de vingerafdruk die u vergeleek", "the fingerprint that you compared"),
    TEXT("reason", reason, "reden van de verwijzing", "reason of the referral"),
    TEXT("type", type, "wat u vraagt", "what you ask for"),
    LIST("moment", moments, "wanneer u meer wilt horen; mag vaker", "when you want to hear more; may be repeated"),
    TEXT("youth", youth, "bestand met gegevens van de jongere (naam: …, geboren: …)", "file about the youth (name: …, born: …)"),
    TEXT("name", name, "naam van de jongere", "the youth's name"),
    TEXT("born", born, "geboortedatum, 2013-04-17 of 17-04-2013", "birth date, 2013-04-17 or 17-04-2013"),
    TEXT("bsn", bsn, "BSN (mag weg)", "BSN (optional)"),
    LIST("telephone", telephones, "telefoonnummer; mag vaker", "telephone number; may be repeated"),
    TEXT("address", address, "adres van de jongere", "the youth's address"),
    TEXT("letter", letter, "bestand met de brief, of -", "file with the letter, or -"),
    TEXT("subject", subject, "de vraag in het kort", "the question in short"),
    LIST("attach", attachments, "bijlage; mag vaker", "attachment; may be repeated"),
    TEXT("ground", ground, "grond om te delen: consent (toestemming) of necessity (noodzaak)", "ground for sharing: consent or necessity"),
    FLAG("yes", is_yes, "vraag niets", "ask nothing"),
    TEXT("person", person, "wie handelt (alleen voor een praktijksysteem)", "who acts (practice systems only)"),
    TEXT("on-behalf", on_behalf, "namens wie", "on whose behalf"),
    TEXT("kind", kind, "soort bericht", "kind of message"),
    TEXT("to", to, "organisatie", "organisation"),
    TEXT("reply-to", reply_to, "het bericht waarop dit antwoordt", "the message that this answers"),
    TEXT("wait", wait, "hoeveel seconden op de relay wachten (0: niet)", "how many seconds to wait for the relay (0: not)"),
    FLAG("all", is_all, "ook wat al geopend is", "also what was opened already"),
    FLAG("plain", is_plain, "leesbaar, voor het dossier", "readable, for the dossier"),
    FLAG("header", is_header, "de kop in plaats van het verzegelde deel", "the header instead of the sealed part"),
    FLAG("refresh", is_refresh, "vraag de relay eerst", "ask the relay first"),
    GENERAL(SHAPE_FLAG, "help", wants_help, "deze hulp", "this help"),
    GENERAL(SHAPE_FLAG, "version", wants_version, "versie", "version"),
};
/* clang-format on */
#define OPTION_COUNT (sizeof OPTIONS / sizeof OPTIONS[0])

struct command_row {
    const char *name;
    int (*run)(struct cmd *c);
    bool needs_ready;
    int words_min, words_max;
    const char *options; /* " --x --y " */
    const char *usage, *dutch, *english;
};

#define WRITING " --letter --subject --attach --person --on-behalf --reply-to --wait --yes "

/* clang-format off */
static const struct command_row COMMANDS[] = {
    {"init", cmd_init, false, 0, 0, " --invitation --answer --code --recovery --out --relay ",
     "--invitation FILE [--recovery] [--out FILE] | --answer FILE [--code CODE] [--relay HOST:PORT]",
     "meld dit profiel aan: eerst met de uitnodiging, dan met het antwoord",
     "enrol this profile: first with the invitation, then with the answer"},
    {"whoami", cmd_whoami, false, 0, 0, " ", "", "wie dit profiel is, en hoe het met de verbinding staat", "who this profile is, and how its connection is"},
    {"trust", cmd_trust, true, 0, 1, " --fingerprint --refresh --wait ", "[ORGANISATION [--fingerprint CODE]]",
     "wat u moet bevestigen; of bevestig een organisatie", "what you must confirm; or confirm an organisation"},
    {"directory", cmd_directory, true, 0, 1, " --refresh --wait ", "[ORGANISATION] [--refresh]",
     "teams en praktijken", "teams and practices"},
    {"refer", cmd_refer, true, 1, 1,
     WRITING "--reason --type --moment --youth --name --born --bsn --telephone --address --ground ",
     "TEAM --reason R --type T --ground G (--youth FILE | --name N --born D) --letter FILE [--moment M]… [--attach FILE]…",
     "verwijs een jongere naar een team", "refer a youth to a team"},
    {"send", cmd_send, true, 0, 1, WRITING "--kind --to ", "CASE --kind note --letter FILE | --to ORGANISATION --kind notice --letter FILE",
     "schrijf in een casus, of stuur een mededeling", "write in a case, or send a notice"},
    {"discard", cmd_discard, true, 1, 1, " ", "NUMBER", "trek een brief terug die nog niet weg is", "give up a letter that has not left yet"},
    {"sync", cmd_sync, true, 0, 0, " --wait ", "[--wait SECONDS]", "verzend en ontvang", "send and receive"},
    {"watch", cmd_watch, true, 0, 0, " --wait ", "[--wait SECONDS]", "blijf verbonden en meld wat er komt", "stay connected and tell what comes"},
    {"inbox", cmd_inbox, true, 0, 0, " --all ", "[--all]", "ontvangen berichten", "received messages"},
    {"sent", cmd_sent, true, 0, 1, " --refresh --wait ", "[NUMBER] [--refresh]", "verzonden brieven, met de feiten", "sent letters, with the facts"},
    {"find", cmd_find, true, 1, CMD_VALUES_MAX, " ", "WORD…", "zoek op naam, geboortedatum, code of tekst", "search by name, birth date, code or text"},
    {"show", cmd_show, true, 1, 1, " --person --wait ", "NUMBER|CASE", "open een brief", "open a letter"},
    {"export", cmd_export, true, 1, 1, " --plain --header --out ", "NUMBER|CASE [--plain | --header] [--out FILE]",
     "een brief verzegeld (CMS), of leesbaar voor het dossier", "a letter sealed (CMS), or readable for the dossier"},
};
/* clang-format on */
#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

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
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (takes(row, &OPTIONS[i]))
            (void)printf("  --%-14s %s\n", OPTIONS[i].name,
                         cmd_say(c, OPTIONS[i].dutch, OPTIONS[i].english));
    if (row->run == cmd_refer) {
        (void)putchar('\n');
        print_codes(c, "--reason", BRUG_LIST_REASON);
        print_codes(c, "--type", BRUG_LIST_REQUEST_TYPE);
        print_codes(c, "--ground", BRUG_LIST_GROUND);
        (void)printf("--moment\n    first-conversation, waiting-list, change-of-director, "
                     "date:2026-12-31, after:3\n");
    }
}

static void print_help(const struct cmd *c)
{
    (void)printf("%s brug [--profile DIR] [--lang nl|en] [--json] %s\n\n",
                 cmd_say(c, "Gebruik:", "Usage:"), cmd_say(c, "OPDRACHT …", "COMMAND …"));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("  %-10s %s\n", COMMANDS[i].name,
                     cmd_say(c, COMMANDS[i].dutch, COMMANDS[i].english));
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
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
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
static int take_options(struct cmd *c, int argc, char **argv, bool given[OPTION_COUNT])
{
    struct option longs[OPTION_COUNT + 1] = {0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        longs[i].name = OPTIONS[i].name;
        longs[i].has_arg = OPTIONS[i].shape == SHAPE_FLAG ? no_argument : required_argument;
        longs[i].val = (int)(OPTION_FIRST + i);
    }
    opterr = 0; /* we complain ourselves, in the right language */
    for (int what; (what = getopt_long(argc, argv, ":", longs, NULL)) != -1;) {
        if (what == '?' || what == ':')
            return complain_of_option(c, what, argv);
        given[what - OPTION_FIRST] = true;
        int status = take_option(c, &OPTIONS[what - OPTION_FIRST], optarg);
        if (status != EX_OK)
            return status;
    }
    return EX_OK;
}

static int check_use(const struct cmd *c, const struct command_row *row,
                     const bool given[OPTION_COUNT])
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (given[i] && !takes(row, &OPTIONS[i]))
            return cmd_complain_of(c, EX_USAGE, "deze opdracht kent geen --%s; zie --help",
                                   "this command takes no --%s; see --help", OPTIONS[i].name);
    if (c->words_n >= row->words_min && c->words_n <= row->words_max)
        return EX_OK;
    int status = cmd_complain_of(c, EX_USAGE, "te weinig of te veel woorden; zie `brug %s --help`",
                                 "too few or too many words; see `brug %s --help`", row->name);
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
    bool given[OPTION_COUNT] = {0};
    int status = take_options(c, argc, argv, given);
    if (status != EX_OK)
        return status;
    const char *name = optind < argc ? argv[optind] : NULL;
    const struct command_row *row = name == NULL ? NULL : find_command(name);
    if (c->wants_version) {
        (void)printf("brug %s\n", brug_version());
        return EX_OK;
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
