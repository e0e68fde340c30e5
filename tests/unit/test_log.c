/* tests/unit/test_log.c: lines of the log, captured from standard error; and the clock's text. */
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static char captured[8192];
static int capture_fd, stderr_fd;

static void capture_begin(void)
{
    fflush(stderr);
    capture_fd = memfd_create("test_log", MFD_CLOEXEC);
    stderr_fd = dup(STDERR_FILENO);
    assert_true(capture_fd >= 0 && stderr_fd >= 0);
    dup2(capture_fd, STDERR_FILENO);
}

static const char *capture_end(void)
{
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    ssize_t len = pread(capture_fd, captured, sizeof captured - 1, 0);
    assert_true(len >= 0);
    captured[len] = '\0';
    close(capture_fd);
    return captured;
}

static void under_systemd_a_line_has_its_priority(void **state)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    capture_begin();
    errno = 77;
    log_event(LOG_WARNING, "session.refused", "code=%s n=%d", "SUSPENDED", 3);
    log_event(LOG_ERROR, "store.closed", "%s", "");
    assert_int_equal(errno, 77);
    assert_string_equal(capture_end(), "<4>session.refused code=SUSPENDED n=3\n<3>store.closed \n");
}

static void a_failed_write_leaves_errno_alone(void **state)
{
    int fd = dup(STDERR_FILENO), unwritable = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && unwritable >= 0);
    dup2(unwritable, STDERR_FILENO);
    errno = 77;
    log_event(LOG_ERROR, "a", "x=%d", 1);
    int after = errno;
    dup2(fd, STDERR_FILENO);
    close(fd);
    close(unwritable);
    assert_int_equal(after, 77);
}

static void on_a_terminal_a_line_has_its_time(void **state)
{
    unsetenv("JOURNAL_STREAM");
    capture_begin();
    log_event(LOG_INFO, "relay.ready", "n=%d", 1);
    const char *line = capture_end();
    assert_int_equal(strlen(line), 24 + strlen(" relay.ready n=1\n"));
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    assert_string_equal(line + 24, " relay.ready n=1\n");
}

static void the_level_holds_back_what_is_less(void **state)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    capture_begin();
    log_event(LOG_DEBUG, "a", "%d", 1);
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "b", "%d", 2);
    log_set_level(LOG_WARNING);
    log_event(LOG_NOTICE, "c", "%d", 3);
    log_event(LOG_WARNING, "d", "%d", 4);
    log_set_level(LOG_INFO);
    assert_string_equal(capture_end(), "<7>b 2\n<4>d 4\n");
}

static void a_value_cannot_begin_a_line(void **state)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    capture_begin();
    log_event(LOG_INFO, "a", "x=%s", "1\n<0>forged\x1b[2J\x7f");
    assert_string_equal(capture_end(), "<6>a x=1?<0>forged?[2J?\n");
}

static void a_long_line_is_cut_and_ended(void **state)
{
    static char value[5000];
    memset(value, 'v', sizeof value - 1);
    setenv("JOURNAL_STREAM", "1:2", 1);
    capture_begin();
    log_event(LOG_INFO, "a", "x=%s", value);
    log_event(LOG_INFO, value, "x=%d", 1);
    log_event(LOG_INFO, "b", "y=%d", 1);
    const char *lines = capture_end();
    const char *end = strchr(lines, '\n');
    assert_non_null(end);
    assert_true(end - lines > 2000 && end - lines < 2048);
    const char *second = strchr(end + 1, '\n');
    assert_non_null(second);
    assert_string_equal(second + 1, "<6>b y=1\n");
}

static void quoting_shows_every_byte_or_cuts(void **state)
{
    char out[64];
    assert_string_equal(log_quote(slice_text("De Brug"), out, sizeof out), "\"De Brug\"");
    assert_string_equal(log_quote(slice_of("a\"b\\\n\0\xff", 7), out, sizeof out),
                        "\"a\\x22b\\x5c\\x0a\\x00\\xff\"");
    assert_string_equal(log_quote(SLICE_NONE, out, sizeof out), "\"\"");
    assert_string_equal(log_quote(slice_text("abcd"), out, 7), "\"abcd\"");
    assert_string_equal(log_quote(slice_text("abcd"), out, 6), "\"abc\"");
    assert_string_equal(log_quote(slice_text("ab\n"), out, 8), "\"ab\"");
    assert_string_equal(log_quote(slice_text("ab\n"), out, 9), "\"ab\\x0a\"");
    assert_string_equal(log_quote(slice_text("abcd"), out, 3), "\"\"");
    assert_string_equal(log_quote(slice_text("abcd"), out, 2), "");
    assert_string_equal(log_quote(slice_text("abcd"), out, 1), "");
    out[0] = 'k';
    log_quote(slice_text("abcd"), out, 0);
    assert_int_equal(out[0], 'k');
}

static void clock_text_is_utc_to_the_millisecond(void **state)
{
    char text[CLOCK_TEXT_BYTES];
    assert_string_equal(clock_to_text(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_to_text(INT64_C(1795372200123), text), "2026-11-22T18:30:00.123Z");
    assert_string_equal(clock_to_text(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(clock_to_text(INT64_C(951782400000), text), "2000-02-29T00:00:00.000Z");
    assert_string_equal(clock_to_text(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(clock_to_text(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
}

static void clock_moves_forward(void **state)
{
    struct instant a = clock_now(), b = clock_now();
    assert_true(a.wall_ms > INT64_C(1700000000000));
    assert_true(b.mono_ms >= a.mono_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_systemd_a_line_has_its_priority),
        cmocka_unit_test(a_failed_write_leaves_errno_alone),
        cmocka_unit_test(on_a_terminal_a_line_has_its_time),
        cmocka_unit_test(the_level_holds_back_what_is_less),
        cmocka_unit_test(a_value_cannot_begin_a_line),
        cmocka_unit_test(a_long_line_is_cut_and_ended),
        cmocka_unit_test(quoting_shows_every_byte_or_cuts),
        cmocka_unit_test(clock_text_is_utc_to_the_millisecond),
        cmocka_unit_test(clock_moves_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
