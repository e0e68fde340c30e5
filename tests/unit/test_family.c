/*
 * tests/unit/test_family.c: what tags are made of: names and addresses as people type them, against vectors that were made
 * with another program's HMAC.
 */
#include "base/text.h"
#include "client/family.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_names_are_folded(void **state)
{
    static const struct {
        const char *name, *folded;
    } NAMES[] = {
        {"Sanne de Wit", "sannedewit"},
        {"  SANNE   de-Wit ", "sannedewit"},
        {"S\xc3\xa4nn\xc3\xa9 d'Wit.", "sannedwit"},
        {"Sa\xcc\x88nne\xcc\x81 dWit", "sannedwit"}, /* combining accents */
        {"\xc3\x96zg\xc3\xbcr \xc5\x9e"
         "ahin",
         "ozgursahin"},
        {"Bj\xc3\xb8rn Gro\xc3\x9f \xc5\x81uk", "bjorngrossluk"},
        {"\xc4\xb2sbrand \xc3\x86gir \xc5\x92r", "ijsbrandaegiroer"},
        {"Anna 2", "anna2"},
        {"", ""},
        {"- '", ""},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct buf b;
        buf_init(&b, 1024);
        assert_int_equal(family_fold_name(NAMES[i].name, &b), ERROR_NONE);
        if (!slice_equal(buf_slice(&b), slice_text(NAMES[i].folded)))
            fail_msg("%s: %.*s", NAMES[i].name, (int)b.len, (const char *)b.data);
        buf_fini(&b);
    }
}

/* What is not of the Latin alphabet stays, so that such names differ too. */
static void test_other_alphabets_stay(void **state)
{
    static const char arabic[] = "\xd8\xb3\xd8\xa7\xd8\xb1\xd8\xa9";
    struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(family_fold_name(arabic, &b), ERROR_NONE);
    assert_true(slice_equal(buf_slice(&b), slice_text(arabic)));
    buf_fini(&b);
    buf_init(&b, 1024); /* cut within a character: nothing behind the end is read */
    assert_int_equal(family_fold_name("an\xd8", &b), ERROR_NONE);
    buf_fini(&b);
}

static void test_addresses_read_as_postcode_and_number(void **state)
{
    static const struct {
        const char *address, *read;
    } ADDRESSES[] = {
        {"Dorpsstraat 12a, 7255 AB Hengelo", "7255AB 12 A"},
        {"Dorpsstraat 12 A\n7255ab Hengelo (Gld)", "7255AB 12 A"},
        {"dorpsstr. 12-a 7255 ab", "7255AB 12 A"},
        {"7255 AB 12 A", "7255AB 12 A"},
        {"7255AB 12", "7255AB 12 "},
        {"Dorpsstraat 12, 7255 AB", "7255AB 12 "},
        {"Dorpsstraat 12, Hengelo, 7255 AB", "7255AB 12 "},
        {"1e Dwarsstraat 7 bis, 7255 AB", "7255AB 7 BIS"},
        {"Kade 12-2\r\n7255 AB Vorden\r\nNederland", "7255AB 12 2"},
        {"Kade 0012, 7255 AB", "7255AB 12 "},
        {"Kade 99999, 7255 AB", "7255AB 99999 "},
        {"1e Helmersstraat 12, 7255 AB", "7255AB 12 "},
        {"Fam. De Wit\n2de Dwarsstraat 12 hs\n7255 AB Vorden", "7255AB 12 HS"},
        {"18 Septemberplein 5a, 7255 AB", "7255AB 5 A"},
        {"5 mei-laan 12, 7255 AB", "7255AB 12 "},
        {"Bij de Kerk 12, 7255 AB", "7255AB 12 "},
        {"Kade nr. 12, 7255 AB", "7255AB 12 "},
        {"Kade 12/3, 7255 AB", "7255AB 12 3"},
        {"7255 AB, 18 ", "7255AB 18 "},
    };
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof ADDRESSES[0]; i++) {
        char out[FAMILY_ADDRESS_BYTES] = "";
        if (!family_read_address(ADDRESSES[i].address, out) || strcmp(out, ADDRESSES[i].read) != 0)
            fail_msg("%s: %s", ADDRESSES[i].address, out);
    }
}

/* None is better than one of another house. */
static void test_what_is_not_certain_gives_none(void **state)
{
    static const char *const ADDRESSES[] = {
        "",
        "Dorpsstraat 12, Hengelo",         /* no postcode */
        "7255 AB Hengelo",                 /* no number */
        "Dorpsstraat, 7255 AB Hengelo",    /* likewise */
        "Plein 1944 12, 6511 JE",          /* which of the two? */
        "Kade 12 boven de bakker 7255 AB", /* no addition is so long */
        "Dorpsstraat 123456, 7255 AB",
        "Dorpsstraat 0, 7255 AB",
        "Dorpsstraat 12\xc3\xa9, 7255 AB",
        "Dorpsstraat 12, 0255 AB",
        "Dorpsstraat 12, 725 AB",
        "Dorpsstraat 12, 7255 ABC",
        "Dorpsstraat 12, 7255, AB",
        "Dorpsstraat 12 - 3, 7255 AB", /* two numbers: which is the house? */
        "Kerkstraat 12, app. 3, 7255 AB",
        "Kade 12 bis 3 7255AB",
        "Kade 12 app. 3, 7255 AB",
        "Kade 12 app3, 7255 AB",
        "Plein 1944 nr 3, 7255 AB",
        "Laan 1940-1945 12a, 7255 AB",
        "Plein '40-'45 12, 7255 AB",
        "12 Kerkstraat app. 3, 7255 AB",
        "Kade 12, 2e etage, 7255 AB", /* no home is told from another on its stairs */
        "2e etage, Kade 12, 7255 AB",
        "Kade 12, A3, 7255 AB",
        "Kade 12, 7255 AB Vorden, app. 3",
        "7255 AB 12, app. 3",
        "7255 AB 12 - 3",
        "Kade 12, 7255 AB, of Laan 3, 7255 AC", /* two postcodes */
        "2e Weg, 7255 AB",                      /* the street's number */
        "5 Mei, 7255 AB",
        "Plein '40-'45, 7255 AB",
        "Postbus 12, 7255 AB", /* no house */
        "Kade t/o 12, 7255 AB",
        "Huize Kastanje, kamer 12, 7255 AB",
    };
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof ADDRESSES[0]; i++) {
        char out[FAMILY_ADDRESS_BYTES] = "";
        if (family_read_address(ADDRESSES[i], out))
            fail_msg("%s: %s", ADDRESSES[i], out);
    }
    char words[801] = "";
    for (size_t i = 0; i < 200; i++)
        memcpy(words + 4 * i, "a 1 ", 5);
    char out[FAMILY_ADDRESS_BYTES];
    assert_false(family_read_address(words, out));
}

static void assert_tag(const struct digest *d, const char *hex)
{
    char text[2 * DIGEST_BYTES + 1];
    assert_string_equal(text_hex(digest_slice(d), text), hex);
}

static void test_tags_are_those_of_the_protocol(void **state)
{
    uint8_t key[FAMILY_KEY_BYTES];
    struct family_tags t, other;
    Brug__V1__Youth y = BRUG__V1__YOUTH__INIT, nobody = BRUG__V1__YOUTH__INIT;
    char name[] = "Sanne de Wit", bsn[] = "123456782";
    char address[] = "Dorpsstraat 12a, 7255 AB Hengelo";
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    y.name = name;
    y.born = 20140405;
    y.address = address;
    assert_int_equal(family_make_tags(key, &y, &t), ERROR_NONE);
    assert_true(t.has_child && t.has_household);
    assert_tag(&t.child, "fff804624aaeb2e3cd843b8b8511dfb4512915f5ac4f3b38eed4a5f477c7988e");
    assert_tag(&t.household, "7fa1b5adf9e792980c9fa301af0edc63588a8197bb20206a6a5de1f599530af4");
    y.bsn = bsn;
    assert_int_equal(family_make_tags(key, &y, &t), ERROR_NONE);
    assert_tag(&t.child, "ad6fde398930715d031030a0a182829fcddafa8717661876b671958b30c34056");
    key[0] ^= 1;
    assert_int_equal(family_make_tags(key, &y, &other), ERROR_NONE);
    assert_false(digest_equal(&t.child, &other.child));
    assert_false(digest_equal(&t.household, &other.household));
    assert_int_equal(family_make_tags(key, &nobody, &t), ERROR_NONE);
    assert_false(t.has_child || t.has_household);
    nobody.name = name; /* without a birth date there are too many of that name */
    assert_int_equal(family_make_tags(key, &nobody, &t), ERROR_NONE);
    assert_false(t.has_child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_folded),
        cmocka_unit_test(test_other_alphabets_stay),
        cmocka_unit_test(test_addresses_read_as_postcode_and_number),
        cmocka_unit_test(test_what_is_not_certain_gives_none),
        cmocka_unit_test(test_tags_are_those_of_the_protocol),
    };
    return cmocka_run_group_tests_name("family", tests, NULL, NULL);
}
