/*
 * client/words.h: texts and arrays that live as long as one answer of the library, wiped when it is freed:
 * they may name a youth.
 */
#ifndef CLIENT_WORDS_H
#define CLIENT_WORDS_H

#include "client/client.h"

struct words;

struct words *words_new(void); /* NULL without memory */
void words_free(struct words *w);
/* Zeroed; NULL without memory. */
void *words_alloc(struct words *w, size_t len);
/* A copy; "" for NULL; NULL without memory. */
const char *words_copy(struct words *w, const char *text);

/* Names: as certified where a certificate says it, else as the directory does; "" when neither does. */
enum error words_organisation(struct brug *b, struct words *w, const struct id *organisation,
                              const char **out) MUST_CHECK;
enum error words_person(struct brug *b, struct words *w, const struct id *organisation,
                        const struct id *person, const char **out) MUST_CHECK;

#endif
