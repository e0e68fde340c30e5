/*
 * client/cmd/clean.h: text of others, made harmless: for a terminal, and as the name of a file. Pure.
 */
#ifndef CLIENT_CMD_CLEAN_H
#define CLIENT_CMD_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

/* Copies with '?' for what could steer a terminal or reorder what is read: control characters (C0, DEL, C1), marks of
 * direction, and bytes that are no UTF-8. With `lines` \n and \t stay, and \r before \n goes; else all of them
 * become a space. `out` has room for strlen(text) + 1 bytes. */
void clean_text(const char *text, bool lines, char *out);

#define CLEAN_NAME_BYTES 128
/* A file name without a path, control characters, a leading dot or what some system cannot have in a name; cut so
 * that its ending stays; `otherwise` when nothing is left. */
void clean_file_name(const char *name, const char *otherwise, char out[CLEAN_NAME_BYTES]);

#endif
