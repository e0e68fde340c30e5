/* base/clock.c: the only place that reads the system's clock. */
#include "base/clock.h"
#include <stdio.h>
#include <time.h>

/* What four digits of a year can show: 0000-01-01 to 9999-12-31. */
#define TEXT_MS_MIN INT64_C(-62167219200000)
#define TEXT_MS_MAX INT64_C(253402300799999)

static int64_t read_ms(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t); /* cannot fail for these two clocks on Linux */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct instant clock_now(void)
{
    return (struct instant){.wall_ms = read_ms(CLOCK_REALTIME),
                            .mono_ms = read_ms(CLOCK_MONOTONIC)};
}

char *clock_to_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
    int64_t shown = wall_ms < TEXT_MS_MIN   ? TEXT_MS_MIN
                    : wall_ms > TEXT_MS_MAX ? TEXT_MS_MAX
                                            : wall_ms;
    int64_t ms = (shown % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((shown - ms) / 1000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm); /* in range, so it cannot fail */
    (void)snprintf(out, CLOCK_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(tm.tm_year + 1900) % 10000U, (unsigned)(tm.tm_mon + 1) % 100U,
                   (unsigned)tm.tm_mday % 100U, (unsigned)tm.tm_hour % 100U,
                   (unsigned)tm.tm_min % 100U, (unsigned)tm.tm_sec % 100U, (unsigned)ms % 1000U);
    return out;
}
