/*
 * bench/brug_bench.c: the load generator's command line and its report. See bench/load.h for what it does
 * and doc/performance.md for how it is used.
 *
 * Exit 0: measured, and not one message was lost, repeated, late or damaged. 1: measured, and one was.
 * 2: it could not be measured.
 */
#include "base/clock.h"
#include "bench/load.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 2

static const char USAGE[] =
    "brug-bench: load for a Brug relay, over its own protocol.\n"
    "\n"
    "  brug-bench enrol --world DIR --socket ADMIN-SOCKET --pki DIR [--connections SENDERS] "
    "[--idle N]\n"
    "      Makes a world at a relay: senders, practices with 1, 1, 1, 1, 2 and 10 readers, idle "
    "endpoints.\n"
    "  brug-bench publish|deliver|turns|drain|connect|idle --world DIR --anchors FILE --port N "
    "[OPTION]...\n"
    "      publish   until the receipt\n"
    "      deliver   until every reader's acknowledgement is on disk\n"
    "      turns     the same, one message at a time\n"
    "      drain     readers take what `publish` left (--run, --messages, --connections as then)\n"
    "      connect   full handshakes up to Welcome\n"
    "      idle      connections that are only there\n"
    "\n"
    "  --connections N  senders, or connections (1)      --in-flight N  each, without a receipt "
    "(1)\n"
    "  --readers N      of each message (1)              --targets N    addressed in turn (1)\n"
    "  --bytes N        of the sealed part (1024)        --messages N   in all; else:\n"
    "  --seconds S      how long (1)                     --hold S       idle: before it measures "
    "(1)\n"
    "  --patience S     what is missing then is lost (20)\n"
    "  --retry S        how long a connection is tried again (0)\n"
    "  --threads N      2: readers in a thread of their own (1)\n"
    "  --pid N          the server, whose CPU, writes and memory are told\n"
    "  --disk NAME      in /sys/block, whose writes are told\n"
    "  --run HEX        whose messages they are (random)\n"
    "  --host ADDRESS   (127.0.0.1)                      --json FILE    the report for programs "
    "(-: stdout)\n"
    "  --label TEXT     in front of the report\n";

enum choice {
    OPTION_WORLD = 256,
    OPTION_SOCKET,
    OPTION_PKI,
    OPTION_IDLE,
    OPTION_ANCHORS,
    OPTION_PORT,
    OPTION_CONNECTIONS,
    OPTION_IN_FLIGHT,
    OPTION_READERS,
    OPTION_TARGETS,
    OPTION_BYTES,
    OPTION_MESSAGES,
    OPTION_SECONDS,
    OPTION_HOLD,
    OPTION_PATIENCE,
    OPTION_RETRY,
    OPTION_THREADS,
    OPTION_PID,
    OPTION_DISK,
    OPTION_RUN,
    OPTION_HOST,
    OPTION_JSON,
    OPTION_LABEL,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"world", required_argument, NULL, OPTION_WORLD},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"pki", required_argument, NULL, OPTION_PKI},
    {"idle", required_argument, NULL, OPTION_IDLE},
    {"anchors", required_argument, NULL, OPTION_ANCHORS},
    {"port", required_argument, NULL, OPTION_PORT},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"in-flight", required_argument, NULL, OPTION_IN_FLIGHT},
    {"readers", required_argument, NULL, OPTION_READERS},
    {"targets", required_argument, NULL, OPTION_TARGETS},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"messages", required_argument, NULL, OPTION_MESSAGES},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"hold", required_argument, NULL, OPTION_HOLD},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"retry", required_argument, NULL, OPTION_RETRY},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"pid", required_argument, NULL, OPTION_PID},
    {"disk", required_argument, NULL, OPTION_DISK},
    {"run", required_argument, NULL, OPTION_RUN},
    {"host", required_argument, NULL, OPTION_HOST},
    {"json", required_argument, NULL, OPTION_JSON},
    {"label", required_argument, NULL, OPTION_LABEL},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static const char *const MODES[] = {
    [MODE_PUBLISH] = "publish", [MODE_DELIVER] = "deliver", [MODE_TURNS] = "turns",
    [MODE_DRAIN] = "drain",     [MODE_CONNECT] = "connect", [MODE_IDLE] = "idle"};
#define MODE_COUNT (sizeof MODES / sizeof MODES[0])

struct command {
    struct plan plan;
    struct world_wish wish;
    const char *world, *json, *label;
};

/* ---- the command line ---- */

static uint64_t number(const char *text, uint64_t min, uint64_t max, int base)
{
    char *end;
    uint64_t v = strtoull(text, &end, base);
    if (*text == 0 || *text == '-' || *end != 0 || v < min || v > max)
        die("'%s' is no number from %llu to %llu", text, (unsigned long long)min,
            (unsigned long long)max);
    return v;
}

static double seconds(const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(v >= 0 && v <= 86400))
        die("'%s' is no number of seconds", text);
    return v;
}

static void take_option(struct command *c, int option, const char *value)
{
    struct plan *p = &c->plan;
    switch (option) {
    case OPTION_WORLD:
        c->world = c->wish.folder = value;
        break;
    case OPTION_SOCKET:
        c->wish.socket = value;
        break;
    case OPTION_PKI:
        c->wish.pki = value;
        break;
    case OPTION_IDLE:
        c->wish.idle_count = number(value, 0, WORLD_IDLE_MAX, 10);
        break;
    case OPTION_ANCHORS:
        p->anchors = value;
        break;
    case OPTION_PORT:
        p->port = (uint16_t)number(value, 1, UINT16_MAX, 10);
        break;
    case OPTION_CONNECTIONS:
        p->connections = number(value, 1, WORLD_IDLE_MAX, 10);
        break;
    case OPTION_IN_FLIGHT:
        p->in_flight = number(value, 1, 65536, 10);
        break;
    case OPTION_READERS:
        p->readers = number(value, 1, WORLD_READERS_MAX, 10);
        break;
    case OPTION_TARGETS:
        p->targets = number(value, 1, WORLD_TARGETS_MAX, 10);
        break;
    case OPTION_BYTES:
        p->bytes = number(value, BENCH_BYTES_MIN, 32u << 20, 10);
        break;
    case OPTION_MESSAGES:
        p->messages = number(value, 1, UINT32_MAX, 10);
        break;
    case OPTION_SECONDS:
        p->seconds = seconds(value);
        break;
    case OPTION_HOLD:
        p->hold_s = seconds(value);
        break;
    case OPTION_PATIENCE:
        p->patience_s = seconds(value);
        break;
    case OPTION_RETRY:
        p->retry_s = seconds(value);
        break;
    case OPTION_THREADS:
        p->threads = (unsigned)number(value, 1, THREADS_MAX, 10);
        break;
    case OPTION_PID:
        p->pid = (pid_t)number(value, 1, INT32_MAX, 10);
        break;
    case OPTION_DISK:
        p->device = value;
        break;
    case OPTION_RUN:
        p->run = number(value, 1, UINT64_MAX, 16);
        break;
    case OPTION_HOST:
        p->host = value;
        break;
    case OPTION_JSON:
        c->json = value;
        break;
    case OPTION_LABEL:
        c->label = value;
        break;
    case OPTION_HELP:
        fputs(USAGE, stdout);
        exit(0);
    default:
        die("see brug-bench --help");
    }
}

static void take_options(struct command *c, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        take_option(c, option, optarg);
    if (optind != argc)
        die("'%s' is too much; see brug-bench --help", argv[optind]);
}

static enum mode mode_of(const char *name)
{
    for (size_t i = 0; i < MODE_COUNT; i++)
        if (strcmp(name, MODES[i]) == 0)
            return (enum mode)i;
    die("there is no command '%s'; see brug-bench --help", name);
}

static void check_plan(struct plan *p)
{
    size_t max = p->mode == MODE_IDLE ? p->world->idle_count : p->world->sender_count;
    if (p->connections > max)
        die("the world has %zu such endpoints, not %zu", max, p->connections);
    if (p->mode == MODE_TURNS)
        p->connections = p->in_flight = 1;
    if (p->mode == MODE_DRAIN && (p->messages == 0 || p->run == 0))
        die("drain needs --messages and --run of the run that published");
    if (p->mode != MODE_DELIVER)
        p->threads = 1;
}

/* ---- the report ---- */

struct figure {
    const char *name; /* with its unit */
    double value;
    int digits;
};

#define FIGURES_MAX 40u
struct report {
    struct figure figures[FIGURES_MAX];
    size_t count;
};

static void tell(struct report *r, const char *name, double value, int digits)
{
    if (r->count < FIGURES_MAX)
        r->figures[r->count++] = (struct figure){name, value, digits};
}

/* What the rate counts: connections, receipts, or messages that every reader acknowledged. */
static double units(const struct plan *p, const struct outcome *o)
{
    if (p->mode == MODE_CONNECT || p->mode == MODE_IDLE)
        return (double)o->opened;
    if (p->mode == MODE_PUBLISH)
        return (double)o->confirmed;
    return (double)o->acked / (double)p->readers;
}

static void tell_times(struct report *r, const struct times *t, const char *const names[3])
{
    if (t->count == 0)
        return;
    tell(r, names[0], times_us(t, 0.5), 0);
    tell(r, names[1], times_us(t, 0.99), 0);
    tell(r, names[2], (double)t->max_ns / 1000, 0);
}

static void tell_server(struct report *r, const struct plan *p, const struct outcome *o, double n)
{
    const struct watched *a = &o->before, *b = &o->after;
    if (p->pid > 0 && n > 0) {
        tell(r, "server_cpu_us_each", (b->cpu_s - a->cpu_s) * 1e6 / n, 2);
        tell(r, "server_cpu_share", o->seconds > 0 ? (b->cpu_s - a->cpu_s) / o->seconds : 0, 2);
    }
    if (b->written_bytes > 0 && n > 0) { /* only root and the server's owner may read them */
        tell(r, "written_bytes_each", (double)(b->written_bytes - a->written_bytes) / n, 0);
        tell(r, "stored_bytes_each", (double)(b->stored_bytes - a->stored_bytes) / n, 0);
    }
    if (p->device && n > 0)
        tell(r, "device_bytes_each", (double)(b->device_bytes - a->device_bytes) / n, 0);
    if (p->mode == MODE_IDLE && b->pss_bytes > 0 && n > 0) {
        double more = (double)b->pss_bytes - (double)a->pss_bytes;
        tell(r, "memory_bytes_each", more / n, 0);
    }
}

static void make_report(struct report *r, const struct plan *p, const struct outcome *o)
{
    static const char *const CONFIRM[] = {"confirm_p50_us", "confirm_p99_us", "confirm_max_us"};
    static const char *const DELIVER[] = {"deliver_p50_us", "deliver_p99_us", "deliver_max_us"};
    static const char *const OPEN[] = {"open_p50_us", "open_p99_us", "open_max_us"};
    double n = units(p, o);
    tell(r, "connections", (double)p->connections, 0);
    tell(r, "in_flight", (double)p->in_flight, 0);
    tell(r, "readers", (double)p->readers, 0);
    tell(r, "targets", (double)p->targets, 0);
    tell(r, "bytes", (double)p->bytes, 0);
    tell(r, "seconds", o->seconds, 3);
    tell(r, "sent", (double)o->sent, 0);
    tell(r, "confirmed", (double)o->confirmed, 0);
    tell(r, "delivered", (double)o->delivered, 0);
    tell(r, "acknowledged", (double)o->acked, 0);
    tell(r, "opened", (double)o->opened, 0);
    tell(r, "rate", o->seconds > 0 ? n / o->seconds : 0, 1);
    if (p->mode == MODE_PUBLISH || p->mode == MODE_DELIVER || p->mode == MODE_TURNS)
        tell_times(r, &o->confirm, CONFIRM);
    tell_times(r, &o->deliver, DELIVER);
    if (p->mode == MODE_CONNECT)
        tell_times(r, &o->open, OPEN);
    tell_server(r, p, o, n);
    tell(r, "client_cpu_share", o->seconds > 0 ? o->client_cpu_s / o->seconds : 0, 2);
    if (o->first_receipt_ns > 0)
        tell(r, "first_receipt_at_s", (double)o->first_receipt_ns / 1e9, 6);
    tell(r, "lost", (double)o->faults.lost, 0);
    tell(r, "repeated", (double)o->faults.repeated, 0);
    tell(r, "disordered", (double)o->faults.disordered, 0);
    tell(r, "damaged", (double)o->faults.damaged, 0);
    tell(r, "refused", (double)o->faults.refused, 0);
    tell(r, "broken", (double)o->faults.broken, 0);
}

static void print_text(const struct command *c, const struct outcome *o, const struct report *r)
{
    printf("%s%s%s run %016llx\n", c->label ? c->label : "", c->label ? ": " : "",
           MODES[c->plan.mode], (unsigned long long)o->run);
    for (size_t i = 0; i < r->count; i++)
        printf("  %-20s %14.*f\n", r->figures[i].name, r->figures[i].digits, r->figures[i].value);
}

/* A label is a word of our own drivers; nothing in it needs escaping. */
static void print_json(const struct command *c, const struct outcome *o, const struct report *r)
{
    FILE *f = strcmp(c->json, "-") == 0 ? stdout : fopen(c->json, "w");
    if (!f)
        die("cannot write %s", c->json);
    fprintf(f, "{\"label\": \"%s\", \"mode\": \"%s\", \"run\": \"%016llx\"",
            c->label ? c->label : "", MODES[c->plan.mode], (unsigned long long)o->run);
    for (size_t i = 0; i < r->count; i++)
        fprintf(f, ", \"%s\": %.*f", r->figures[i].name, r->figures[i].digits, r->figures[i].value);
    fputs("}\n", f);
    if (f != stdout && fclose(f))
        die("cannot write %s", c->json);
}

static int run(struct command *c)
{
    static struct outcome o;
    struct report r = {0};
    struct world *world = world_read(c->world);
    c->plan.world = world;
    check_plan(&c->plan);
    load_run(&c->plan, &o);
    make_report(&r, &c->plan, &o);
    if (!c->json || strcmp(c->json, "-") != 0)
        print_text(c, &o, &r);
    if (c->json)
        print_json(c, &o, &r);
    world_free(world);
    if (faults_sum(&o.faults) == 0)
        return 0;
    fprintf(stderr, "brug-bench: FAILED: %s\n", o.faults.first);
    return 1;
}

int main(int argc, char **argv)
{
    struct command c = {.plan = {.host = "127.0.0.1",
                                 .connections = 1,
                                 .in_flight = 1,
                                 .readers = 1,
                                 .targets = 1,
                                 .bytes = 1024,
                                 .seconds = 1,
                                 .patience_s = 20,
                                 .hold_s = 1,
                                 .threads = 1,
                                 .shows_progress = isatty(STDERR_FILENO)}};
    (void)signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    if (argc < 2)
        die("a command is missing; see brug-bench --help");
    bool is_enrol = strcmp(argv[1], "enrol") == 0;
    bool is_help = strcmp(argv[1], "--help") == 0;
    if (!is_enrol && !is_help)
        c.plan.mode = mode_of(argv[1]);
    take_options(&c, is_help ? argc : argc - 1, is_help ? argv : argv + 1);
    if (is_enrol) {
        if (!c.world || !c.wish.socket || !c.wish.pki)
            die("enrol needs --world, --socket and --pki");
        c.wish.sender_count = c.plan.connections;
        world_enrol(&c.wish);
        return 0;
    }
    if (!c.world || !c.plan.anchors || c.plan.port == 0)
        die("%s needs --world, --anchors and --port", argv[1]);
    return run(&c);
}
