/* base/text.h: checks and encodings of text that comes from outside. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"
#include <stdio.h>

/* Well-formed UTF-8, no NUL, no C0/C1 control characters (with `lines` also allowed: \n, \r and \t),
 * no bidirectional overrides. */
bool text_is_clean(struct slice s, bool lines);
/* Exactly nine digits in a row, alone or inside other text, that pass the BSN's eleven-test (weights
 * 9, 8, ... 2, -1); also when written in groups with a single space or dot between them. */
bool text_has_bsn(struct slice s);
/* Lower-case hex; out needs 2*len+1 bytes; returns out. */
char *text_hex(struct slice s, char *out);
/* 0 to 15, or -1 for what is no hex digit. */
int text_hex_value(char digit);
/* ERROR_BOUND, ERROR_USAGE. */
enum error text_from_hex(struct buf *out, const char *hex) MUST_CHECK;
/* RFC 4648 base64 in lines of 64 characters, and back (white space is skipped). ERROR_USAGE. */
enum error text_base64(struct buf *out, struct slice s) MUST_CHECK;
enum error text_from_base64(struct buf *out, struct slice s) MUST_CHECK;
/*
 * Armour for files that people mail: "-----BEGIN BRUG REQUEST-----", base64, "-----END ...".
 * `label` is "REQUEST", "ANSWER", "INVITATION"; reading skips text before and after. ERROR_USAGE.
 */
enum error text_armour(struct buf *out, const char *label, struct slice s) MUST_CHECK;
enum error text_from_armour(struct buf *out, const char *label, struct slice s) MUST_CHECK;
/* Crockford base32 of the first `digits` * 5 bits, in groups of four joined by '-': for codes compared
 * by telephone. ERROR_BOUND, also when s is too short. */
enum error text_spoken(struct buf *out, struct slice s, unsigned digits) MUST_CHECK;
/* One such digit; bits beyond the end of s count as zero. */
char text_spoken_digit(struct slice s, unsigned position);

/* A quoted cell of CSV (RFC 4180), which no spreadsheet takes for a formula. */
void text_print_csv(FILE *to, const char *cell);

#endif
