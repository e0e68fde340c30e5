/* pki/failure.c: OpenSSL's failures as ours; see failure.h. */
#include "pki/failure.h"
#include <openssl/err.h>

enum error failure_of_openssl(void)
{
    enum error e = ERROR_CRYPTO;
    for (unsigned long one; (one = ERR_get_error());)
        if (ERR_GET_REASON(one) == ERR_R_MALLOC_FAILURE)
            e = ERROR_NO_MEMORY;
    return e;
}

enum error failure_as(enum error e)
{
    ERR_clear_error();
    return e;
}
