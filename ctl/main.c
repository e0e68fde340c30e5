/*
 * ctl/main.c: brugctl: administers a running brugd over its Unix socket. One table has every command with
 * the options that it takes; anything else is a usage error.
 */
#include "ctl/ctl.h"
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_value {
    OPTION_NAME = 256,
    OPTION_AREA,
    OPTION_KIND,
    OPTION_ROLE,
    OPTION_UNTIL,
    OPTION_ORG,
    OPTION_PERSON,
    OPTION_TELEPHONE,
    OPTION_EXPERTISE,
    OPTION_CARD,
    OPTION_OUT,
    OPTION_ID,
    OPTION_ANCHOR,
    OPTION_MUNICIPALITY,
    OPTION_IDENTITY,
    OPTION_SEALING,
    OPTION_INTERMEDIATE,
    OPTION_PERIOD,
    OPTION_FROM,
    OPTION_CSV,
    OPTION_SOCKET,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option OPTIONS[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"area", required_argument, NULL, OPTION_AREA},
    {"kind", required_argument, NULL, OPTION_KIND},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"org", required_argument, NULL, OPTION_ORG},
    {"person", required_argument, NULL, OPTION_PERSON},
    {"telephone", required_argument, NULL, OPTION_TELEPHONE},
    {"expertise", required_argument, NULL, OPTION_EXPERTISE},
    {"card", required_argument, NULL, OPTION_CARD},
    {"out", required_argument, NULL, OPTION_OUT},
    {"id", required_argument, NULL, OPTION_ID},
    {"anchor", required_argument, NULL, OPTION_ANCHOR},
    {"municipality", required_argument, NULL, OPTION_MUNICIPALITY},
    {"identity", required_argument, NULL, OPTION_IDENTITY},
    {"sealing", required_argument, NULL, OPTION_SEALING},
    {"intermediate", required_argument, NULL, OPTION_INTERMEDIATE},
    {"period", required_argument, NULL, OPTION_PERIOD},
    {"from", required_argument, NULL, OPTION_FROM},
    {"csv", no_argument, NULL, OPTION_CSV},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

enum verb { VERB_RUN, VERB_ADD, VERB_REQUEST, VERB_LIST, VERB_SHOW, VERB_SUSPEND, VERB_RESUME };

struct command {
    const char *object, *verb;
    Brug__V1__ObjectType type;
    enum verb what;
    int (*add)(const struct ctl_options *o); /* for VERB_RUN, VERB_ADD and VERB_REQUEST */
    const char *options;                     /* allowed, " --x --y+ "; with '+' more than once */
    const char *usage, *help;
};

#define MUNICIPALITY BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_MUNICIPALITY
#define ORGANISATION BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ORGANISATION
#define PERSON BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON
#define ENDPOINT BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT

static const struct command COMMANDS[] = {
    {"status", NULL, 0, VERB_RUN, status_command, " ", "", "what the relay is doing"},
    {"account", NULL, 0, VERB_RUN, account_command, " ", "",
     "whether the books balance: reads the whole audit chain; exit status 1 when they do not"},
    {"figures", NULL, 0, VERB_RUN, figures_command, " --municipality --period --from --csv ",
     "[--municipality ID] [--period 4w|6w|2m|quarter|year] [--from YYYY-MM-DD] [--csv]",
     "figures of the period in which that day lies (else of the last one that is over), as "
     "published"},
    {"municipality", "add", MUNICIPALITY, VERB_ADD, municipality_add, " --name --anchor+ --id ",
     "--name NAME --anchor CA.pem… [--id ID]", "add a municipality with its trust anchors"},
    {"municipality", "list", MUNICIPALITY, VERB_LIST, NULL, " ", "", "the municipalities"},
    {"municipality", "show", MUNICIPALITY, VERB_SHOW, NULL, " ", "ID", "one municipality"},
    {"municipality", "suspend", MUNICIPALITY, VERB_SUSPEND, NULL, " ", "ID",
     "shut out all its organisations"},
    {"municipality", "resume", MUNICIPALITY, VERB_RESUME, NULL, " ", "ID", "let them in again"},
    {"org", "add", ORGANISATION, VERB_ADD, organisation_add,
     " --kind --municipality+ --name --area --telephone --expertise --card --out --id ",
     "--kind practice|team --municipality ID… --name NAME [--area A] [--telephone T] [--expertise "
     "E] "
     "[--card FILE] [--out FILE] [--id ID]",
     "add an organisation (first municipality: its home); prints an invitation for a practice "
     "system or a "
     "recovery entry"},
    {"org", "list", ORGANISATION, VERB_LIST, NULL, " --municipality ", "[--municipality ID]",
     "the organisations"},
    {"org", "show", ORGANISATION, VERB_SHOW, NULL, " ", "ID", "one organisation"},
    {"org", "suspend", ORGANISATION, VERB_SUSPEND, NULL, " ", "ID",
     "end its sessions and cancel what waits for it"},
    {"org", "resume", ORGANISATION, VERB_RESUME, NULL, " ", "ID", "let it in again"},
    {"person", "add", PERSON, VERB_ADD, person_add, " --org --name --role --until --out --id ",
     "--org ID --name NAME --role gp|locum|assistant|consultant|leader|observer [--until "
     "YYYY-MM-DD] "
     "[--out FILE] [--id ID]",
     "add a person; prints the invitation that `brug init` takes"},
    {"person", "list", PERSON, VERB_LIST, NULL, " --org ", "[--org ID]", "the persons"},
    {"person", "show", PERSON, VERB_SHOW, NULL, " ", "ID", "one person"},
    {"person", "suspend", PERSON, VERB_SUSPEND, NULL, " ", "ID",
     "shut out all this person's endpoints"},
    {"person", "resume", PERSON, VERB_RESUME, NULL, " ", "ID", "let them in again"},
    {"endpoint", "request", ENDPOINT, VERB_REQUEST, endpoint_request, " --out ",
     "REQUEST --out DIRECTORY",
     "take the two certificate requests out of a client's request, for the CA"},
    {"endpoint", "add", ENDPOINT, VERB_ADD, endpoint_add,
     " --identity --sealing --intermediate+ --out ",
     "REQUEST --identity CERT.pem --sealing CERT.pem [--intermediate CERT.pem]… [--out ANSWER]",
     "enrol a client; writes the answer for it and prints the code to compare by telephone"},
    {"endpoint", "list", ENDPOINT, VERB_LIST, NULL, " --org ", "[--org ID]", "the endpoints"},
    {"endpoint", "show", ENDPOINT, VERB_SHOW, NULL, " ", "ID", "one endpoint"},
    {"endpoint", "suspend", ENDPOINT, VERB_SUSPEND, NULL, " ", "ID",
     "end its session at once and cancel what waits for it"},
    {"endpoint", "resume", ENDPOINT, VERB_RESUME, NULL, " ", "ID", "let it in again"},
    {"endpoint", "replace", ENDPOINT, VERB_RUN, endpoint_replace, " --out ", "ID [--out FILE]",
     "a client was lost: suspend it, and print the invitation for the new one"},
    {"endpoint", "release", ENDPOINT, VERB_RUN, endpoint_release, " ", "ID",
     "offer it again what is parked because its client never acknowledged it"},
    {"outage", "add", 0, VERB_RUN, outage_add, " --id ", "FROM UNTIL [--id ID]",
     "the relay was away on these days, the last one included (YYYY-MM-DD): what was left of a "
     "term runs on after them"},
    {"outage", "list", 0, VERB_RUN, outage_list, " ", "", "the days on which it was away"},
    {"recover", NULL, 0, VERB_RUN, recover_command, " --out ", "ORGANISATION --out FILE",
     "all keys are lost: write the sealed letters of its running cases for the holder of its "
     "recovery key"},
};
#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

static void print_help(FILE *to, const char *object)
{
    (void)fprintf(to, "Usage: brugctl [--socket PATH] [--json] COMMAND …\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &COMMANDS[i];
        if (object != NULL && strcmp(object, c->object) != 0)
            continue;
        (void)fprintf(to, "  %s%s%s %s\n      %s\n", c->object, c->verb == NULL ? "" : " ",
                      c->verb == NULL ? "" : c->verb, c->usage, c->help);
    }
    (void)fprintf(to,
                  "\nOptions for all:\n"
                  "  --socket PATH  of the running brugd (default: $BRUG_ADMIN_SOCKET or %s)\n"
                  "  --json         whole answers for programs\n"
                  "  --help, --version\n"
                  "A FILE of \"-\" is standard input or output.\n",
                  CTL_SOCKET_DEFAULT);
}

/* Adds to a list of values; false when there are too many. */
static bool add_value(const char **list, size_t *n, const char *value)
{
    if (*n == CTL_VALUES_MAX)
        return false;
    list[(*n)++] = value;
    return true;
}

static bool set_option(struct ctl_options *o, int option, const char *value)
{
    switch (option) {
    case OPTION_NAME:
        o->name = value;
        return true;
    case OPTION_AREA:
        o->area = value;
        return true;
    case OPTION_KIND:
        o->kind = value;
        return true;
    case OPTION_ROLE:
        o->role = value;
        return true;
    case OPTION_UNTIL:
        o->until = value;
        return true;
    case OPTION_ORG:
        o->organisation = value;
        return true;
    case OPTION_PERSON:
        o->person = value;
        return true;
    case OPTION_TELEPHONE:
        o->telephone = value;
        return true;
    case OPTION_EXPERTISE:
        o->expertise = value;
        return true;
    case OPTION_CARD:
        o->card = value;
        return true;
    case OPTION_OUT:
        o->out = value;
        return true;
    case OPTION_ID:
        o->id = value;
        return true;
    case OPTION_IDENTITY:
        o->identity = value;
        return true;
    case OPTION_SEALING:
        o->sealing = value;
        return true;
    case OPTION_PERIOD:
        o->period = value;
        return true;
    case OPTION_FROM:
        o->from = value;
        return true;
    case OPTION_CSV:
        o->is_csv = true;
        return true;
    case OPTION_SOCKET:
        o->socket = value;
        return true;
    case OPTION_ANCHOR:
        return add_value(o->anchors, &o->anchor_count, value);
    case OPTION_MUNICIPALITY:
        return add_value(o->municipalities, &o->municipality_count, value);
    case OPTION_INTERMEDIATE:
        return add_value(o->intermediates, &o->intermediate_count, value);
    default:
        o->is_json = true;
        return true;
    }
}

static const struct command *find_command(const char *object, const char *verb)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &COMMANDS[i];
        if (strcmp(c->object, object) == 0 &&
            (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0)))
            return c;
    }
    return NULL;
}

static const char *option_name(int value)
{
    for (const struct option *p = OPTIONS; p->name != NULL; p++)
        if (p->val == value)
            return p->name;
    return "";
}

/* True if the command's row allows the option, so often. */
static bool allows(const struct command *c, int value, bool is_repeated)
{
    char once[64], often[64];
    if (value == OPTION_SOCKET || value == OPTION_JSON)
        return true;
    (void)snprintf(once, sizeof once, " --%s ", option_name(value)); /* names are short */
    (void)snprintf(often, sizeof often, " --%s+ ", option_name(value));
    return strstr(c->options, often) != NULL || (!is_repeated && strstr(c->options, once) != NULL);
}

static bool was_given_before(const int *given, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (given[i] == given[n])
            return true;
    return false;
}

static int run(const struct command *c, const struct ctl_options *o)
{
    switch (c->what) {
    case VERB_LIST:
        return object_list(o, c->type);
    case VERB_SHOW:
        return object_show(o, c->type);
    case VERB_SUSPEND:
        return object_set_status(o, c->type, BRUG__V1__STATUS__STATUS_SUSPENDED);
    case VERB_RESUME:
        return object_set_status(o, c->type, BRUG__V1__STATUS__STATUS_ACTIVE);
    default:
        return c->add(o);
    }
}

/* The words before the first option of the usage. */
static unsigned count_arguments(const struct command *c)
{
    unsigned n = 0;
    for (const char *word = c->usage; isupper((unsigned char)*word); n++) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    return n;
}

/* After the options: the words that name the command and its argument. */
static int dispatch(int argc, char **argv, struct ctl_options *o, const int *given,
                    size_t given_count)
{
    const char *object = optind < argc ? argv[optind] : NULL;
    const char *verb = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (object == NULL)
        return ctl_complain(EX_USAGE, "say what to do; `brugctl --help` lists the commands");
    const struct command *c = find_command(object, verb);
    if (c == NULL)
        return ctl_complain(EX_USAGE, "there is no command '%s%s%s'; `brugctl --help` lists them",
                            object, verb == NULL ? "" : " ", verb == NULL ? "" : verb);
    int used = optind + (c->verb == NULL ? 1 : 2);
    const char *space = c->verb == NULL ? "" : " ", *word = c->verb == NULL ? "" : c->verb;
    unsigned wanted = count_arguments(c);
    if (argc - used != (int)wanted)
        return ctl_complain(EX_USAGE, "usage: brugctl %s%s%s %s", c->object, space, word, c->usage);
    if (wanted > 0)
        o->argument = argv[used];
    if (wanted > 1)
        o->second = argv[used + 1];
    for (size_t i = 0; i < given_count; i++) {
        bool is_repeated = was_given_before(given, i);
        if (!allows(c, given[i], is_repeated))
            return ctl_complain(EX_USAGE, "'%s%s%s' takes %s --%s; usage: brugctl %s%s%s %s",
                                c->object, space, word, is_repeated ? "one" : "no",
                                option_name(given[i]), c->object, space, word, c->usage);
    }
    return run(c, o);
}

int main(int argc, char **argv)
{
    struct ctl_options o = {.socket = getenv("BRUG_ADMIN_SOCKET")};
    int given[64];
    size_t given_count = 0;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == OPTION_HELP) {
            print_help(stdout, optind < argc ? argv[optind] : NULL);
            return EX_OK;
        }
        if (option == OPTION_VERSION) {
            (void)puts("brugctl " BRUG_VERSION);
            return EX_OK;
        }
        if (option == '?')
            return EX_USAGE; /* getopt has said what is wrong */
        if (given_count == sizeof given / sizeof given[0] || !set_option(&o, option, optarg))
            return ctl_complain(EX_USAGE, "--%s was given too often", option_name(option));
        given[given_count++] = option;
    }
    if (o.socket == NULL || o.socket[0] == '\0')
        o.socket = CTL_SOCKET_DEFAULT;
    return dispatch(argc, argv, &o, given, given_count);
}
