/* tests/lib/proof.c: the size of a proof, its seed and its row. A row is one write, so that proofs may run side by side. */
#include "tests/lib/proof.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define TEST_PART 10
#else
#define TEST_PART 1
#endif

/* NULL when not set or empty. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static uint64_t number_of(const char *name, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (errno != 0 || *end != '\0' || value[0] < '0' || value[0] > '9' || n == 0) {
        fprintf(stderr, "%s=%s is not a number above 0\n", name, value);
        exit(2);
    }
    return n;
}

uint64_t proof_size(const char *name, uint64_t in_test, uint64_t in_prove)
{
    const char *value = environment(name);
    if (value != NULL)
        return number_of(name, value);
    if (environment("BRUG_PROVE") != NULL)
        return in_prove;
    return in_test < TEST_PART ? 1 : in_test / TEST_PART;
}

uint64_t proof_seed(uint64_t fixed)
{
    const char *value = environment("BRUG_SEED");
    uint64_t seed = fixed;
    if (value != NULL) {
        seed = number_of("BRUG_SEED", value);
    } else if (environment("BRUG_PROVE") != NULL) {
        struct timespec t;
        (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
        seed = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    }
    printf("# SEED=%" PRIu64 "\n", seed);
    (void)fflush(stdout); /* before anything may abort */
    return seed;
}

static void add_row(const char *path, const char *row, size_t len)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, row, len) != (ssize_t)len || close(fd) != 0) {
        fprintf(stderr, "%s: the row cannot be written: %s\n", path, strerror(errno));
        exit(2);
    }
}

void proof_report(const struct proof *p)
{
    char row[512];
    printf("# %s: %" PRIu64 " %s in %.1f s, %" PRIu64 " violations, controls failed as they must: "
           "%u of %u\n",
           p->claim, p->done, p->unit, p->seconds, p->violations, p->controls_failed, p->controls);
    (void)fflush(stdout); /* a comment */
    int len =
        snprintf(row, sizeof row, "%s\t%" PRIu64 "\t%s\t%" PRIu64 "\t%u\t%u\t%.1f\n", p->claim,
                 p->done, p->unit, p->violations, p->controls_failed, p->controls, p->seconds);
    if (len < 0 || (size_t)len >= sizeof row) {
        fprintf(stderr, "the claim is too long: %s\n", p->claim);
        exit(2);
    }
    const char *path = environment("BRUG_PROOF_ROWS");
    if (path != NULL)
        add_row(path, row, (size_t)len);
}

double proof_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
