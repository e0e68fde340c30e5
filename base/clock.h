/* base/clock.h: time behind one small interface; base/clock.c is the only caller of the system's clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* One reading of both clocks: `wall_ms` since 1970 UTC (may jump), `mono_ms` never goes back. */
struct instant {
    int64_t wall_ms;
    int64_t mono_ms;
};

struct instant clock_now(void);
/* "2026-11-22T18:30:00.123Z"; returns out. */
#define CLOCK_TEXT_BYTES 25
char *clock_to_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]);

#endif
