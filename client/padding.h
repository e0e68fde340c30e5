/*
 * client/padding.h: the sizes that a Content may have, so that the length of a letter says little.
 *
 * [P-110] 1 KiB; then each power of two and one and a half times it, to 64 KiB; then steps of an
 * eighth of the power of two below. Text, the many small letters, thus has 13 sizes in all (at
 * most half is added); an attachment costs at most an eighth more, where a half-step would cost
 * megabytes. Pure.
 */
#ifndef CLIENT_PADDING_H
#define CLIENT_PADDING_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* The smallest bucket that holds len bytes; len <= LIMIT_CONTENT_BYTES. */
size_t padding_bucket(size_t len);
bool padding_is_bucket(size_t len);
/* How many bytes the field `padding` must hold for a Content of len bytes without it to fill a
 * bucket (not always the smallest: no field fills a gap of 1 or 2 bytes).
 * ERROR_MESSAGE_TOO_LARGE. */
enum error padding_needed(size_t len, size_t *padding) MUST_CHECK;

#endif
