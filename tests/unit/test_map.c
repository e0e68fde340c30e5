/* tests/unit/test_map.c: the hash map against a plain table, its hash against those of others. */
#include "base/map.h"
#include "tests/lib/failing_memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define ENTRIES 2000

struct entry {
    struct map_node node;
    uint32_t key;
    bool present;
};

static const uint64_t SEED[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static struct entry entries[ENTRIES];

static void make_entries(void)
{
    memset(entries, 0, sizeof entries);
    for (uint32_t i = 0; i < ENTRIES; i++)
        entries[i].key = i * 2654435761U;
}

static enum error insert(struct map *m, struct entry *e)
{
    return map_insert(m, &e->node, &e->key, sizeof e->key);
}

static struct map_node *find(const struct map *m, const struct entry *e)
{
    uint32_t key = e->key; /* another place than the entry's own key */
    return map_find(m, &key, sizeof key);
}

/* Over the bytes 00, 00 01, ...: under the key 00..0f as in Rust's library tests, and under the zero key
 * what CPython's SipHash-1-3 gives (hash(bytes) with PYTHONHASHSEED=0). */
static void hash_is_siphash_1_3(void **state)
{
    static const uint64_t ZERO[2] = {0, 0};
    static const struct {
        const uint64_t *seed;
        size_t len;
        uint64_t hash;
    } VECTORS[] = {
        {SEED, 0, 0xabac0158050fc4dc},  {SEED, 1, 0xc9f49bf37d57ca93},
        {ZERO, 1, 0x68a914128e01e473},  {ZERO, 7, 0x2f098ab0c751325a},
        {ZERO, 8, 0xead411e67ebe2eea},  {ZERO, 15, 0xf30eb725bb91c9ea},
        {ZERO, 16, 0x8972188433a5c5b7},
    };
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof VECTORS / sizeof VECTORS[0]; i++)
        assert_true(map_hash(VECTORS[i].seed, bytes, VECTORS[i].len) == VECTORS[i].hash);
}

static void an_empty_map_finds_nothing(void **state)
{
    struct map m;
    map_init(&m, SEED);
    assert_null(map_find(&m, "a", 1));
    assert_null(map_find(&m, "", 0));
    assert_null(map_next(&m, NULL));
    map_fini(&m);
}

static void what_is_inserted_is_found_until_removed(void **state)
{
    struct map m;
    uint32_t step = 12345;
    size_t present = 0;
    make_entries();
    map_init(&m, SEED);
    for (unsigned i = 0; i < 20 * ENTRIES; i++) {
        step = step * 1664525 + 1013904223;
        struct entry *e = &entries[(step >> 8) % ENTRIES];
        assert_ptr_equal(find(&m, e), e->present ? &e->node : NULL);
        if (e->present)
            map_remove(&m, &e->node);
        else
            assert_int_equal(insert(&m, e), ERROR_NONE);
        e->present = !e->present;
        present += e->present ? 1 : (size_t)-1;
        assert_int_equal(m.count, present);
    }
    for (unsigned i = 0; i < ENTRIES; i++)
        assert_ptr_equal(find(&m, &entries[i]), entries[i].present ? &entries[i].node : NULL);
    assert_true(present > ENTRIES / 4);
    map_fini(&m);
}

static void keys_of_other_lengths_differ(void **state)
{
    struct map m;
    struct map_node empty, a, ab;
    map_init(&m, SEED);
    assert_int_equal(map_insert(&m, &empty, "", 0), ERROR_NONE);
    assert_int_equal(map_insert(&m, &a, "ab", 1), ERROR_NONE);
    assert_int_equal(map_insert(&m, &ab, "ab", 2), ERROR_NONE);
    assert_ptr_equal(map_find(&m, "x", 0), &empty);
    assert_ptr_equal(map_find(&m, "a", 1), &a);
    assert_ptr_equal(map_find(&m, "ab", 2), &ab);
    assert_null(map_find(&m, "abc", 3));
    map_fini(&m);
}

static void walking_meets_each_entry_once(void **state)
{
    struct map m;
    size_t met = 0;
    make_entries();
    map_init(&m, SEED);
    for (unsigned i = 0; i < ENTRIES; i++)
        assert_int_equal(insert(&m, &entries[i]), ERROR_NONE);
    for (struct map_node *n = map_next(&m, NULL); n; n = map_next(&m, n)) {
        struct entry *e = (struct entry *)n;
        assert_false(e->present);
        e->present = true;
        met++;
    }
    assert_int_equal(met, ENTRIES);
    /* The successor is fetched first: then the node may go. */
    for (struct map_node *n = map_next(&m, NULL), *next; n; n = next) {
        next = map_next(&m, n);
        map_remove(&m, n);
    }
    assert_int_equal(m.count, 0);
    assert_null(map_next(&m, NULL));
    map_fini(&m);
}

static void without_memory_only_the_first_insert_fails(void **state)
{
    struct map m;
    make_entries();
    map_init(&m, SEED);
    failing_memory_always();
    assert_int_equal(insert(&m, &entries[0]), ERROR_NO_MEMORY);
    assert_int_equal(m.count, 0);
    assert_null(find(&m, &entries[0]));
    failing_memory_at(0);
    assert_int_equal(insert(&m, &entries[0]), ERROR_NONE);
    failing_memory_always();
    for (unsigned i = 1; i < 200; i++)
        assert_int_equal(insert(&m, &entries[i]), ERROR_NONE);
    assert_true(failing_memory_happened());
    for (unsigned i = 0; i < 200; i++)
        assert_ptr_equal(find(&m, &entries[i]), &entries[i].node);
    failing_memory_at(0);
    assert_int_equal(insert(&m, &entries[200]), ERROR_NONE);
    for (unsigned i = 0; i <= 200; i++)
        assert_ptr_equal(find(&m, &entries[i]), &entries[i].node);
    map_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_siphash_1_3),
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(what_is_inserted_is_found_until_removed),
        cmocka_unit_test(keys_of_other_lengths_differ),
        cmocka_unit_test(walking_meets_each_entry_once),
        cmocka_unit_test(without_memory_only_the_first_insert_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
