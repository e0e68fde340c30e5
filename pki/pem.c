/* pki/pem.c: elements of PEM files; see pem.h. */
#include "pki/pem.h"
#include "pki/failure.h"
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* ERROR_NOT_FOUND at the end of the text. */
static enum error append_next(BIO *text, const char *wanted, struct buf *ders, size_t max,
                              size_t *n)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    if (!PEM_read_bio(text, &name, &header, &der, &len)) {
        bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        return failure_as(is_end ? ERROR_NOT_FOUND : ERROR_CONFIG);
    }
    enum error e = ERROR_NONE;
    if (strcmp(name, wanted) == 0) {
        e = *n < max ? buf_append(ders, der, (size_t)len) : ERROR_BOUND;
        *n += e == ERROR_NONE;
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return e;
}

enum error pem_append_ders(struct slice pem, const char *name, struct buf *ders, size_t max,
                           size_t *n)
{
    if (pem.len == 0)
        return ERROR_NONE;
    if (pem.len > INT_MAX)
        return ERROR_BOUND;
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (!text)
        return failure_of_openssl();
    enum error e;
    do
        e = append_next(text, name, ders, max, n);
    while (!e);
    BIO_free(text);
    return e == ERROR_NOT_FOUND ? ERROR_NONE : e;
}
