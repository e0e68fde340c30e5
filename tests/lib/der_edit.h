/*
 * tests/lib/der_edit.h: changes one element inside DER and writes the lengths around it anew.
 *
 * A path is the indexes of children from the root, "1.0.2"; "" is the root itself. Asserts that the
 * path exists. For tests: recursive, and free with memory.
 */
#ifndef TESTS_LIB_DER_EDIT_H
#define TESTS_LIB_DER_EDIT_H

#include "base/buf.h"

#define DER_PATH_BYTES 128

enum der_change {
    DER_REPLACE,     /* the element by `with` */
    DER_INSERT,      /* `with` before the element */
    DER_APPEND,      /* `with` after the element */
    DER_CONTENTS,    /* the element's contents by `with` */
    DER_LONG_LENGTH, /* its length in one octet more than it needs */
    DER_INDEFINITE,  /* its length indefinite, with an end mark */
    DER_TAG,         /* with->data[0] is exclusive-ored to its identifier */
};

/* `out` is initialised here; fini is the caller's. */
void der_edit(struct slice der, const char *path, enum der_change change, struct slice with,
              struct buf *out);
/* The whole element at the path. */
struct slice der_at(struct slice der, const char *path);
/* Calls `visit` for the root and every element in constructed ones, parents first. */
void der_walk(struct slice der, void (*visit)(void *ctx, const char *path), void *ctx);
/* identifier, shortest length, contents */
void der_element(struct buf *out, uint8_t tag, struct slice contents);

#endif
