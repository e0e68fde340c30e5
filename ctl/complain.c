/* ctl/complain.c: one line on standard error that says what is wrong and what to do. */
#include "ctl/ctl.h"
#include <stdarg.h>
#include <stdio.h>

int ctl_complain(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("brugctl: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return status;
}
