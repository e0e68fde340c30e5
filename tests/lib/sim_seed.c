/*
 * tests/lib/sim_seed.c: which world it was, whatever ends it: a violation, or an assertion of the relay, which owes
 * itself that; and whether one world is to be played again.
 */
#include "tests/lib/sim.h"
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const struct sim *running; /* for the signal alone */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

bool sim_is_replay(void) { return is_set("BRUG_SEED") && !is_set("BRUG_PROVE"); }

void sim_watch(const struct sim *w) { running = w; }

static void on_abort(int number)
{
    char line[256];
    int n = snprintf(
        line, sizeof line,
        "# the process aborts at step %" PRIu64 "%s%s; replay with: make sim SEED=%" PRIu64 "\n",
        running ? running->steps : 0, running && running->control ? " of the control: " : "",
        running && running->control ? running->control->what : "", running ? running->seed : 0);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

void sim_watch_aborts(void) { signal(SIGABRT, on_abort); }

void sim_print_violation(const struct sim *w, const char *where)
{
    print_message("# %s, step %" PRIu64 ": %s; replay with: make sim SEED=%" PRIu64 "\n", where,
                  w->steps, w->first_violation, w->seed);
}
