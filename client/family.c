/* client/family.c: reading names and addresses, and making tags of them (see family.h). */
#include "client/family.h"

#include "proto/limits.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define FAMILY_TEXT_BYTES_MAX 1024u
#define NUMBER_DIGITS_MAX 5u
#define ADDITION_MAX 4u

/* ---- names ---- */

#define LATIN_FIRST 0xc0u
#define LATIN_LAST 0x17fu
#define COMBINING_FIRST 0x300u
#define COMBINING_LAST 0x36fu

/* U+00C0 to U+017F without case and accents; an upper-case letter stands for two (LIGATURES), a dot for none. */
static const char LATIN[] = "aaaaaaAceeeeiiiidnooooo.ouuuuyTSaaaaaaAceeeeiiiidnooooo.ouuuuyTy"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiIIjjkkklllllll"
                            "lllnnnnnnnnnooooooOOrrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static const struct {
    char sign;
    const char *letters;
} LIGATURES[] = {{'A', "ae"}, {'I', "ij"}, {'O', "oe"}, {'S', "ss"}, {'T', "th"}};

_Static_assert(sizeof LATIN == LATIN_LAST - LATIN_FIRST + 2, "one sign for each");

static enum error append_latin(char sign, struct buf *out)
{
    for (size_t i = 0; i < sizeof LIGATURES / sizeof LIGATURES[0]; i++)
        if (LIGATURES[i].sign == sign)
            return buf_append_slice(out, slice_text(LIGATURES[i].letters));
    return sign == '.' ? ERROR_NONE : buf_append_u8(out, (uint8_t)sign);
}

/* The code point at `s`, which is well-formed UTF-8, and its length. */
static uint32_t code_point(const unsigned char *s, size_t *len)
{
    *len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t v = *len == 1 ? s[0] : s[0] & (0x7fu >> *len);
    for (size_t i = 1; i < *len && s[i]; i++)
        v = v << 6 | (s[i] & 0x3fu);
    return v;
}

enum error family_fold_name(const char *name, struct buf *out)
{
    const unsigned char *s = (const unsigned char *)name;
    size_t len = strlen(name), taken;
    enum error e = ERROR_NONE;
    for (size_t at = 0; e == ERROR_NONE && at < len; at += taken) {
        uint32_t v = code_point(s + at, &taken);
        taken = taken < len - at ? taken : len - at;
        if (v < 0x80)
            e = isalnum((int)v) ? buf_append_u8(out, (uint8_t)tolower((int)v)) : ERROR_NONE;
        else if (v >= LATIN_FIRST && v <= LATIN_LAST)
            e = append_latin(LATIN[v - LATIN_FIRST], out);
        else if (v > LATIN_LAST && !(v >= COMBINING_FIRST && v <= COMBINING_LAST))
            e = buf_append(out, s + at, taken);
    }
    return e;
}

/* ---- addresses ---- */

/* A word of an address: what stands between white space and commas. */
struct word {
    const char *at;
    size_t len;
    bool ends_part; /* a comma, the end of a line or the end of all follows */
};

#define WORDS_MAX 64u

static size_t split(const char *text, struct word words[WORDS_MAX])
{
    size_t n = 0;
    while (n < WORDS_MAX) {
        text += strspn(text, " \t\r\n,;");
        size_t len = strcspn(text, " \t\r\n,;");
        if (len == 0)
            return n;
        size_t blanks = strspn(text + len, " \t");
        words[n++] = (struct word){text, len, strchr("\r\n,;", text[len + blanks]) != NULL};
        text += len;
    }
    return 0; /* no address has so many */
}

static bool has_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    return true;
}

static bool has_letters(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)s[i]))
            return false;
    return true;
}

/* "7255AB", or "7255" and "AB": how many words, 0 for none. */
static size_t read_postcode(const struct word *w, size_t left, char out[7])
{
    bool is_one = w->len == 6 && has_digits(w->at, 4) && has_letters(w->at + 4, 2);
    bool is_two = left > 1 && w->len == 4 && has_digits(w->at, 4) && !w->ends_part &&
                  w[1].len == 2 && has_letters(w[1].at, 2);
    if ((!is_one && !is_two) || w->at[0] == '0')
        return 0;
    const char *letters = is_one ? w->at + 4 : w[1].at;
    (void)snprintf(out, 7, "%.4s%c%c", w->at, toupper((unsigned char)letters[0]),
                   toupper((unsigned char)letters[1])); /* six fit */
    return is_one ? 1 : 2;
}

/* Letters and digits, in capitals; false when there are too many. */
static bool add_to_addition(const char *s, size_t n, char addition[ADDITION_MAX + 1])
{
    size_t len = strlen(addition);
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)s[i])) {
            if ((unsigned char)s[i] >= 0x80)
                return false;
            continue;
        }
        if (len == ADDITION_MAX)
            return false;
        addition[len++] = (char)toupper((unsigned char)s[i]);
        addition[len] = 0;
    }
    return true;
}

static bool begins_with_digit(const struct word *w) { return isdigit((unsigned char)w->at[0]); }

static bool has_digit(const struct word *w)
{
    for (size_t i = 0; i < w->len; i++)
        if (isdigit((unsigned char)w->at[i]))
            return true;
    return false;
}

/* The letters of `text`, in small letters, begin `w`, whose other signs do not count; `whole`: and there are no more. */
static bool is_word(const struct word *w, const char *text, bool whole)
{
    for (size_t i = 0; i < w->len; i++) {
        if (!isalpha((unsigned char)w->at[i]))
            continue;
        if (*text == '\0')
            return !whole;
        if (tolower((unsigned char)w->at[i]) != *text++)
            return false;
    }
    return *text == '\0';
}

static bool is_one_of(const struct word *w, const char *const *texts, bool whole)
{
    for (; *texts != NULL; texts++)
        if (is_word(w, *texts, whole))
            return true;
    return false;
}

/* The number that begins a street's name: "1e Helmersstraat", "18 Septemberplein". */
static bool begins_street(const struct word *words, size_t at)
{
    static const char *const ORDINALS[] = {"e", "de", "ste", NULL};
    static const char *const MONTHS[] = {"januari",  "februari", "maart",    "april",     "mei",
                                         "juni",     "juli",     "augustus", "september", "oktober",
                                         "november", "december", NULL};
    if ((at > 0 && !words[at - 1].ends_part) || words[at].ends_part ||
        !begins_with_digit(&words[at]))
        return false;
    return is_one_of(&words[at], ORDINALS, true) ||
           (has_digits(words[at].at, words[at].len) && is_one_of(&words[at + 1], MONTHS, false));
}

static bool is_in_one_part(const struct word *words, size_t first, size_t last)
{
    while (first < last && !words[first].ends_part)
        first++;
    return first == last;
}

/* The number behind such a word is of no house, or of the one across the water. */
static bool is_of_no_house(const struct word *before)
{
    static const char *const WORDS[] = {"postbus", "antwoordnummer", "to",    "tegenover", "naast",
                                        "app",     "appartement",    "kamer", "unit",      NULL};
    return is_one_of(before, WORDS, true);
}

/* The house number: the only word with a digit in it outside the postcode, which stands at [from, to). */
static bool find_number(const struct word *words, size_t n, size_t from, size_t to, size_t *out)
{
    size_t number = n;
    for (size_t i = n; i-- > 0;) {
        if ((i >= from && i < to) || !has_digit(&words[i]))
            continue;
        if (number == n)
            number = i;
        else if (!begins_street(words, i) || !is_in_one_part(words, i, number))
            return false;
    }
    *out = number;
    return number < n && begins_with_digit(&words[number]) && !begins_street(words, number) &&
           (number == 0 || !is_of_no_house(&words[number - 1]));
}

/* words[at] begins with the number; what follows on the same line, up to a comma, is its addition. */
static bool read_number(const struct word *words, size_t at, size_t end, unsigned *number,
                        char addition[ADDITION_MAX + 1])
{
    size_t digits = 0;
    *number = 0;
    addition[0] = 0;
    while (digits < words[at].len && isdigit((unsigned char)words[at].at[digits]))
        *number = *number * 10 + (unsigned)(words[at].at[digits++] - '0');
    if (digits > NUMBER_DIGITS_MAX || *number == 0 ||
        !add_to_addition(words[at].at + digits, words[at].len - digits, addition))
        return false;
    while (!words[at].ends_part && ++at < end)
        if (!add_to_addition(words[at].at, words[at].len, addition))
            return false;
    return true;
}

bool family_read_address(const char *address, char out[FAMILY_ADDRESS_BYTES])
{
    struct word words[WORDS_MAX];
    char postcode[7], addition[ADDITION_MAX + 1];
    unsigned number;
    size_t n = split(address, words), at = 0, taken = 0, found;
    for (; at < n && (taken = read_postcode(&words[at], n - at, postcode)) == 0; at++)
        ;
    if (at == n || !find_number(words, n, at, at + taken, &found))
        return false;
    if (found > at) { /* "7255 AB 12": the line ends there */
        if (at > 0 || found != taken)
            return false;
        at = n;
    }
    if (!read_number(words, found, at, &number, addition))
        return false;
    (void)snprintf(out, FAMILY_ADDRESS_BYTES, "%s %u %s", postcode, number, addition); /* it fits */
    return true;
}

/* ---- tags ---- */

/* HMAC over the label, a zero byte, and the text. */
static enum error make_tag(const uint8_t key[FAMILY_KEY_BYTES], const char *label,
                           struct slice text, struct digest *out)
{
    struct buf input;
    unsigned len = 0;
    buf_init(&input, FAMILY_TEXT_BYTES_MAX);
    enum error e = buf_append_slice(&input, slice_text(label));
    if (e == ERROR_NONE)
        e = buf_append_u8(&input, 0);
    if (e == ERROR_NONE)
        e = buf_append_slice(&input, text);
    if (e == ERROR_NONE &&
        (!HMAC(EVP_sha256(), key, (int)FAMILY_KEY_BYTES, input.data, input.len, out->bytes, &len) ||
         len != DIGEST_BYTES))
        e = ERROR_CRYPTO;
    buf_fini_secret(&input);
    return e;
}

static enum error tag_by_name(const uint8_t key[FAMILY_KEY_BYTES], const Brug__V1__Youth *y,
                              struct family_tags *out)
{
    struct buf text;
    char born[16];
    buf_init(&text, FAMILY_TEXT_BYTES_MAX);
    (void)snprintf(born, sizeof born, "%08u ", (unsigned)y->born); /* eight digits */
    enum error e = buf_append_slice(&text, slice_text(born));
    size_t before = text.len;
    if (e == ERROR_NONE)
        e = family_fold_name(y->name, &text);
    out->has_child = e == ERROR_NONE && text.len > before && y->born != 0;
    if (out->has_child)
        e = make_tag(key, "brug/1 child name", buf_slice(&text), &out->child);
    buf_fini_secret(&text);
    return e;
}

enum error family_make_tags(const uint8_t key[FAMILY_KEY_BYTES], const Brug__V1__Youth *youth,
                            struct family_tags *out)
{
    char address[FAMILY_ADDRESS_BYTES];
    enum error e = ERROR_NONE;
    *out = (struct family_tags){.has_child = youth->bsn[0] != 0};
    if (out->has_child)
        e = make_tag(key, "brug/1 child bsn", slice_text(youth->bsn), &out->child);
    else
        e = tag_by_name(key, youth, out);
    out->has_household = family_read_address(youth->address, address);
    if (e == ERROR_NONE && out->has_household)
        e = make_tag(key, "brug/1 household", slice_text(address), &out->household);
    OPENSSL_cleanse(address, sizeof address);
    return e;
}
