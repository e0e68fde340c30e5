/* tests/unit/test_config.c: settings: reading, refusing with a line, printing. "Files" are memory. */
#include "daemon/ops/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_BYTES 64

/* The text as a file; its name in `path`. */
static int as_file(const void *text, size_t len, char path[PATH_BYTES])
{
    int fd = memfd_create("settings", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    (void)snprintf(path, PATH_BYTES, "/proc/self/fd/%d", fd);
    return fd;
}

static struct config *read_good(const char *text)
{
    char path[PATH_BYTES], *problem = NULL;
    struct config *c = NULL;
    int fd = as_file(text, strlen(text), path);
    enum error e = config_read(&c, path, &problem);
    if (e)
        print_message("%s\n", problem);
    assert_int_equal(e, ERROR_NONE);
    close(fd);
    return c;
}

/* Refused, with a line that begins with the file and this. */
static void expect_problem_of(const void *text, size_t len, const char *wanted)
{
    char path[PATH_BYTES], *problem = NULL;
    struct config *c = NULL;
    int fd = as_file(text, len, path);
    assert_int_equal(config_read(&c, path, &problem), ERROR_CONFIG);
    assert_null(c);
    assert_non_null(problem);
    assert_int_equal(strncmp(problem, path, strlen(path)), 0);
    if (strncmp(problem + strlen(path), wanted, strlen(wanted)) != 0)
        fail_msg("%s: expected %s", problem + strlen(path), wanted);
    for (const char *p = problem; *p; p++)
        assert_true(*p >= 0x20 && *p < 0x7f);
    free(problem);
    close(fd);
}

static void expect_problem(const char *text, const char *wanted)
{
    expect_problem_of(text, strlen(text), wanted);
}

static char *printed(const struct config *c)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(config_print(c, &out), ERROR_NONE);
    assert_int_equal(buf_append_u8(&out, 0), ERROR_NONE);
    return (char *)out.data;
}

static void defaults_are_good(void **state)
{
    struct config *c = NULL;
    char *problem = NULL;
    assert_int_equal(config_read(&c, NULL, &problem), ERROR_NONE);
    assert_string_equal(config_text(c, "listen"), "0.0.0.0:7410");
    assert_int_equal(config_number(c, "message_bytes_max"), 8 << 20);
    assert_true(config_is_on(c, "crl_required"));
    assert_int_equal(config_log_level(c), LOG_INFO);
    config_free(c);
}

static void values_are_read_from_any_form(void **state)
{
    struct config *c = read_good("# a comment\n"
                                 "\n"
                                 "listen = \"127.0.0.1:1 [::1]:2\"   # two\n"
                                 "state_directory = /srv/brug\n"
                                 "\tconnections_max=17\r\n"
                                 "crl_required = no\n"
                                 "log_level = debug // also a comment\n"
                                 "admin_group = ''\n"
                                 "relay_host = relais.voorbeeld.nl");
    assert_string_equal(config_text(c, "listen"), "127.0.0.1:1 [::1]:2");
    assert_string_equal(config_text(c, "state_directory"), "/srv/brug");
    assert_int_equal(config_number(c, "connections_max"), 17);
    assert_false(config_is_on(c, "crl_required"));
    assert_int_equal(config_log_level(c), LOG_DEBUG);
    assert_string_equal(config_text(c, "admin_group"), "");
    assert_string_equal(config_text(c, "relay_host"), "relais.voorbeeld.nl");
    assert_int_equal(config_number(c, "relay_port"), 7410);
    config_free(c);
}

static void problems_name_the_line(void **state)
{
    expect_problem("# one\n# two\n\nlisten = a:1\nlissten = b:2\n", ":5: unknown key 'lissten'; ");
    expect_problem("connections_max = many\n",
                   ":1: connections_max is not a whole number in decimal digits; write 1 to ");
    expect_problem("connections_max = 0",
                   ":1: connections_max is out of bounds; write 1 to 1000000");
    expect_problem("\n\n\nrelay_port = 65536", ":4: relay_port is out of bounds; write 1 to 65535");
    expect_problem("relay_port = 99999999999999999999999", ":1: relay_port is out of bounds");
    expect_problem("relay_port = -1", ":1: relay_port is not a whole number");
    expect_problem("relay_port = 010", ":1: relay_port is not a whole number");
    expect_problem("relay_port = 0x10", ":1: relay_port is not a whole number");
    expect_problem("relay_port = 80 80", ":1: unknown key '80'");
    expect_problem("relay_port = \"\"", ":1: relay_port is not a whole number");
    expect_problem("crl_required = maybe", ":1: crl_required is neither yes nor no");
    expect_problem("log_level = loud", ":1: log_level is not one of error, ");
    expect_problem("# c\nrelay_port = 1\n# c\nrelay_port = 1\n",
                   ":4: relay_port is set already on line 2; remove one");
    expect_problem("listen\n", ":1: ");
    expect_problem("listen =\n", ":1: the line ends too early");
    expect_problem("\nlisten = \"a\nb\"\n", ":2: the line ends too early");
    expect_problem("listen = {a, b}\n", ":1: ");
    expect_problem("listen += a\n", ":1: ");
    expect_problem("relay { listen = a }\n", ":1: unknown key 'relay'");
    expect_problem("include(\"/etc/passwd\")\n", ":1: unknown key 'include'");
    expect_problem("}\n", ":1: ");
    expect_problem("listen = \"\x1b[31m\"\n", ":1: listen is not clean UTF-8 text");
    expect_problem("listen = \xff\n", ":1: listen is not clean UTF-8 text");
    expect_problem("\x1b[31m = 1\n", ":1: ");
    expect_problem_of("relay_port = 1\0\n", 16, ": a NUL byte");
    char *large = malloc(70000);
    assert_non_null(large);
    memset(large, '\n', 70000);
    expect_problem_of(large, 70000, ": more than 65536 bytes");
    memset(large, 'x', 5000);
    memcpy(large, "listen = ", 9);
    expect_problem_of(large, 5000, ":1: listen is too long");
    free(large);
}

static void unreadable_files_are_named(void **state)
{
    struct config *c = NULL;
    char *problem = NULL;
    assert_int_equal(config_read(&c, "/nonexistent/brugd.conf", &problem), ERROR_CONFIG);
    assert_string_equal(problem, "/nonexistent/brugd.conf: cannot be read: no such file");
    free(problem);
    problem = NULL;
    assert_int_equal(config_read(&c, "/proc/self", &problem), ERROR_CONFIG);
    assert_int_equal(strncmp(problem, "/proc/self: cannot be read: ", 28), 0);
    free(problem);
    problem = NULL;
    c = read_good("\nrelay_key = /nonexistent/relay.key\n");
    assert_int_equal(config_check_files(c, &problem), ERROR_CONFIG);
    assert_non_null(
        strstr(problem, ":2: relay_key: /nonexistent/relay.key cannot be read: no such"));
    free(problem);
    config_free(c);
    c = read_good("relay_key = relay.key\ncrl_directory = /proc/self\n");
    assert_int_equal(config_check_files(c, &problem), ERROR_NONE);
    problem = config_problem(c, "listen", "is wrong");
    assert_string_equal(problem, "default of listen: is wrong");
    free(problem);
    config_free(c);
}

static void printed_values_say_whence_and_can_be_read_again(void **state)
{
    struct config *c = read_good(
        "\nlisten = \"a \\\"b\\\" \\\\c\"\nrelay_host = '${HOME}'\nquota_bytes_max = 5000000\n");
    char *text = printed(c), *again;
    assert_non_null(strstr(text, "listen = \"a \\\"b\\\" \\\\c\"   # /proc/self/fd/"));
    assert_non_null(strstr(text, ":2\n"));
    assert_non_null(strstr(text, "quota_bytes_max = 5000000   # /proc/self/fd/"));
    assert_non_null(strstr(text, "relay_port = 7410   # default\n"));
    struct config *d = read_good(text);
    assert_string_equal(config_text(d, "listen"), "a \"b\" \\c");
    assert_string_equal(config_text(d, "relay_host"), "${HOME}");
    assert_int_equal(config_number(d, "quota_bytes_max"), 5000000);
    again = printed(d);
    assert_null(strstr(again, "# default"));
    free(text);
    free(again);
    config_free(c);
    config_free(d);
}

static void sample_is_the_defaults(void **state)
{
    struct buf sample;
    buf_init(&sample, 1 << 20);
    assert_int_equal(config_print_sample(&sample), ERROR_NONE);
    assert_int_equal(buf_append_u8(&sample, 0), ERROR_NONE);
    char *text = (char *)sample.data;
    struct config *c = read_good(text);
    for (char *p = text; (p = strstr(p, "\n# ")); p++) { /* uncomment every setting */
        char *equals = strstr(p, " = "), *end = strchr(p + 1, '\n');
        size_t key = strspn(p + 3, "abcdefghijklmnopqrstuvwxyz_");
        if (equals && end && equals < end && equals == p + 3 + key)
            memcpy(p + 1, "  ", 2);
    }
    struct config *d = read_good(text);
    char *defaults = printed(c), *all = printed(d);
    assert_null(strstr(all, "# default"));
    for (char *a = all, *b = defaults; *b; a = strchr(a, '\n') + 1, b = strchr(b, '\n') + 1) {
        size_t len = (size_t)(strstr(b, "   # default\n") - b);
        assert_int_equal(strncmp(a, b, len), 0);
    }
    free(defaults);
    free(all);
    config_free(c);
    config_free(d);
    buf_fini(&sample);
}

static void bare_names_lie_with_the_credentials(void **state)
{
    struct buf path;
    struct config *c = read_good("relay_key = key.pem\nrelay_certificate = ./c.pem\n");
    buf_init(&path, 4096);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/run/credentials/brugd", 1), 0);
    assert_int_equal(config_path(c, "relay_key", &path), ERROR_NONE);
    assert_string_equal((char *)path.data, "/run/credentials/brugd/key.pem");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    buf_clear(&path);
    assert_int_equal(config_path(c, "relay_key", &path), ERROR_NONE);
    assert_string_equal((char *)path.data, "/proc/self/fd/key.pem");
    buf_clear(&path);
    assert_int_equal(config_path(c, "relay_certificate", &path), ERROR_NONE);
    assert_string_equal((char *)path.data, "./c.pem");
    buf_clear(&path);
    assert_int_equal(config_path(c, "crl_directory", &path), ERROR_NONE);
    assert_int_equal(path.len, 0);
    buf_fini(&path);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_good),
        cmocka_unit_test(values_are_read_from_any_form),
        cmocka_unit_test(problems_name_the_line),
        cmocka_unit_test(unreadable_files_are_named),
        cmocka_unit_test(printed_values_say_whence_and_can_be_read_again),
        cmocka_unit_test(sample_is_the_defaults),
        cmocka_unit_test(bare_names_lie_with_the_credentials),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
