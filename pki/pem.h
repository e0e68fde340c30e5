/* pki/pem.h: elements of PEM files, for the files of this floor. */
#ifndef PKI_PEM_H
#define PKI_PEM_H

#include "base/buf.h"

/* Appends the DER of every element of PEM text whose name is `name`, in order, and adds to *n;
 * other elements and text between are passed over. ERROR_BOUND for more than max in all;
 * ERROR_CONFIG for PEM that breaks off; ERROR_NO_MEMORY. */
enum error pem_append_ders(struct slice pem, const char *name, struct buf *ders, size_t max,
                           size_t *n) MUST_CHECK;

#endif
