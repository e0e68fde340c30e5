/* pki/failure.c: OpenSSL's failures as ours; see failure.h. */
#include "pki/failure.h"
#include <openssl/err.h>

enum error failure_of_openssl(void)
{
    unsigned long last = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_REASON(last) == ERR_R_MALLOC_FAILURE ? ERROR_NO_MEMORY : ERROR_CRYPTO;
}

enum error failure_as(enum error e)
{
    ERR_clear_error();
    return e;
}
