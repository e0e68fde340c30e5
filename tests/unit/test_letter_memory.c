/*
 * tests/unit/test_letter_memory.c: sealing and opening with memory that runs out at every
 * allocation of ours and every larger one of OpenSSL's, and what is left of the plaintext in
 * memory given back.
 *
 * A letter that could not be opened for lack of memory must not be called unreadable: that would be
 * told to its sender and last for ever.
 */
#include "client/letter.h"
#include "tests/lib/failing_memory.h"
#include "tests/lib/letter_fixture.h"
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MARK "merkteken-7f3a9c1e55"

/* ---- every free of ours and of OpenSSL's is looked at while this is on ---- */

static bool is_watching;
static unsigned leaks, freed;

extern void __real_free(void *block);
void __wrap_free(void *block);

/* Wipes it afterwards, so that what is found was left by its last owner. */
static void look_at(void *block)
{
    size_t len = malloc_usable_size(block);
    if (is_watching) {
        freed++;
        leaks += memmem(block, len, MARK, sizeof MARK - 1) != NULL;
    }
    explicit_bzero(block, len);
}

void __wrap_free(void *block)
{
    if (block)
        look_at(block);
    __real_free(block);
}

/* What OpenSSL asks for in small fixed pieces is never refused: without some of them it ends the
 * process by itself (EVP_KDF_CTX_new of 3.0 writes to NULL). What a letter's length decides is. */
#define SMALL_BYTES_MAX 2048u

extern void *__real_malloc(size_t len);

static void *openssl_malloc(size_t len, const char *file, int line)
{
    return len <= SMALL_BYTES_MAX ? __real_malloc(len) : malloc(len);
}

static void openssl_free(void *block, const char *file, int line) { free(block); }

/* Always moves, so that what is left behind is looked at. */
static void *openssl_realloc(void *old, size_t len, const char *file, int line)
{
    void *moved = openssl_malloc(len, file, line);
    if (moved && old) {
        size_t had = malloc_usable_size(old);
        memcpy(moved, old, had < len ? had : len);
        free(old);
    }
    return moved;
}

/* ---- a letter ---- */

struct world {
    struct party sender, reader;
    struct buf header, sealed;
};

static void make(struct world *w, const char *text)
{
    const struct party *readers[] = {&w->reader};
    party_init(&w->sender, 1, "P-256");
    party_init(&w->reader, 2, "P-256");
    fixture_header(&w->header, &w->sender, readers, 1, 1);
    fixture_seal(&w->sealed, &w->sender, readers, 1, buf_slice(&w->header), text);
}

static void drop(struct world *w)
{
    party_fini(&w->sender);
    party_fini(&w->reader);
    buf_fini(&w->header);
    buf_fini(&w->sealed);
}

static enum error open_once(struct world *w, struct letter **l)
{
    return letter_open(&w->reader.keys, buf_slice(&w->header), buf_slice(&w->sealed),
                       fixture_is_signer, w->sender.keys.identity_certificate, l);
}

static enum error seal_once(struct world *w, const char *text, struct buf *sealed)
{
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    struct digest digest;
    fixture_content(&content, &letter, text);
    return letter_seal(&w->sender.keys, buf_slice(&w->header), &content,
                       &w->reader.keys.sealing_certificate, 1, (const uint8_t[32]){1}, sealed,
                       &digest);
}

static bool is_of_memory(enum error e) { return e == ERROR_NO_MEMORY || e == ERROR_CRYPTO; }

/* A text of `len` bytes that is nothing but the mark. */
static char *marked_text(size_t len)
{
    char *text = calloc(1, len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = MARK[i % (sizeof MARK - 1)];
    return text;
}

/* ---- tests ---- */

static void opening_without_memory_blames_no_letter(void **state)
{
    struct world w;
    unsigned n = 1, refused = 0;
    char *text = marked_text(50000);
    make(&w, text);
    for (bool ran_out = true; ran_out; n++) {
        struct letter *l = NULL;
        failing_memory_at(n);
        enum error e = open_once(&w, &l);
        ran_out = failing_memory_happened();
        failing_memory_at(0);
        if (e != ERROR_NONE && !is_of_memory(e))
            fail_msg("allocation %u: %s", n, error_name(e));
        if (e == ERROR_NONE)
            letter_free(l);
        else
            assert_null(l);
        refused += e != ERROR_NONE;
        assert_int_equal(ERR_peek_error(), 0);
    }
    assert_true(refused > 5);
    drop(&w);
    free(text);
}

static void sealing_without_memory_says_so(void **state)
{
    struct world w;
    unsigned n = 1, refused = 0;
    char *text = marked_text(50000);
    make(&w, text);
    for (bool ran_out = true; ran_out; n++) {
        struct buf sealed;
        buf_init(&sealed, 1 << 20);
        failing_memory_at(n);
        enum error e = seal_once(&w, text, &sealed);
        ran_out = failing_memory_happened();
        failing_memory_at(0);
        if (e != ERROR_NONE && !is_of_memory(e))
            fail_msg("allocation %u: %s", n, error_name(e));
        assert_true(e == ERROR_NONE || sealed.len == 0);
        refused += e != ERROR_NONE;
        assert_int_equal(ERR_peek_error(), 0);
        buf_fini(&sealed);
    }
    assert_true(refused > 5);
    drop(&w);
    free(text);
}

static void watch(void)
{
    leaks = freed = 0;
    is_watching = true;
}

static void nothing_was_left(void)
{
    is_watching = false;
    assert_true(freed > 0);
    assert_int_equal(leaks, 0);
}

static void plaintext_is_wiped(void **state)
{
    static const size_t LENGTHS[] = {40, 3000, 100000, 1000000};
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        char *text = marked_text(LENGTHS[i]);
        struct world w;
        struct letter *l;
        struct buf sealed;
        make(&w, text);
        watch();
        assert_int_equal(open_once(&w, &l), ERROR_NONE);
        assert_string_equal(l->content->letter->text, text);
        letter_free(l);
        nothing_was_left();
        buf_init(&sealed, 4 << 20);
        watch();
        assert_int_equal(seal_once(&w, text, &sealed), ERROR_NONE);
        nothing_was_left();
        buf_fini(&sealed);
        drop(&w);
        free(text);
    }
}

/* Also on every way out that releases nothing. */
static void plaintext_is_wiped_when_the_letter_is_refused(void **state)
{
    char *text = marked_text(50000);
    struct world w;
    struct letter *l;
    make(&w, text);
    watch();
    assert_int_equal(letter_open(&w.reader.keys, buf_slice(&w.header), buf_slice(&w.sealed),
                                 fixture_is_signer, w.reader.keys.identity_certificate, &l),
                     ERROR_LETTER_SIGNER);
    w.sealed.data[w.sealed.len - 1] ^= 1;
    assert_int_equal(open_once(&w, &l), ERROR_LETTER_DECRYPT);
    w.sealed.data[w.sealed.len - 1] ^= 1;
    w.header.data[w.header.len - 1] ^= 1;
    assert_int_equal(open_once(&w, &l), ERROR_LETTER_HEADER);
    nothing_was_left();
    drop(&w);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_without_memory_blames_no_letter),
        cmocka_unit_test(sealing_without_memory_says_so),
        cmocka_unit_test(plaintext_is_wiped),
        cmocka_unit_test(plaintext_is_wiped_when_the_letter_is_refused),
    };
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free)) {
        fputs("OpenSSL has allocated already\n", stderr);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
