/*
 * pki/digest.c: SHA-256 for base/digest.h, safe on any thread; the relay's hottest use of
 * OpenSSL.
 *
 * OpenSSL 3.0 looks a digest up by name at each use unless it was fetched, which costs more than
 * hashing a header; so it is fetched once. Each thread keeps one context, so that after a
 * thread's first digest nothing is allocated and nothing can fail. A process without memory for
 * that context, or whose OpenSSL has no SHA-256, cannot go on: that is asserted.
 */
#include "base/digest.h"
#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_of_thread;
static EVP_MD *sha256;

static void free_context(void *context) { EVP_MD_CTX_free(context); }

static void prepare(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    int failed = pthread_key_create(&context_of_thread, free_context);
    assert(sha256 && !failed);
}

static EVP_MD_CTX *new_context(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool kept = context && EVP_DigestInit_ex2(context, sha256, NULL) &&
                pthread_setspecific(context_of_thread, context) == 0;
    assert(kept);
    return context;
}

struct digest digest_of(const struct slice *parts, size_t n)
{
    (void)pthread_once(&once, prepare); /* fails for no reason that POSIX names */
    EVP_MD_CTX *context = pthread_getspecific(context_of_thread);
    if (!context)
        context = new_context();
    struct digest d;
    /* Without a type the context's own digest begins anew in the memory it has. */
    int ok = EVP_DigestInit_ex2(context, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        ok = ok && EVP_DigestUpdate(context, parts[i].data, parts[i].len);
    ok = ok && EVP_DigestFinal_ex(context, d.bytes, NULL);
    assert(ok);
    return d;
}
