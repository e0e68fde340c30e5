/* tests/unit/test_heap.c: the heap of deadlines, and the list that has no code of its own. */
#include "base/heap.h"
#include "base/list.h"
#include "tests/lib/failing_memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define NODES 500

static struct heap_node nodes[NODES];

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void holds_its_order(const struct heap *h)
{
    for (size_t i = 0; i < h->count; i++) {
        assert_int_equal(h->nodes[i]->position, i);
        if (i > 0)
            assert_true(h->nodes[(i - 1) / 2]->due_ms <= h->nodes[i]->due_ms);
    }
}

static void first_is_the_earliest(void **state)
{
    struct heap h;
    uint32_t seed = 1;
    heap_init(&h);
    assert_null(heap_first(&h));
    for (size_t i = 0; i < NODES; i++) {
        heap_node_init(&nodes[i]);
        assert_int_equal(heap_insert(&h, &nodes[i], (int64_t)(next_random(&seed) % 300) - 150),
                         ERROR_NONE);
    }
    holds_its_order(&h);
    int64_t before = INT64_MIN;
    for (size_t i = 0; i < NODES; i++) {
        struct heap_node *n = heap_first(&h);
        assert_true(n->due_ms >= before);
        before = n->due_ms;
        heap_remove(&h, n);
        assert_int_equal(n->position, HEAP_OUT);
    }
    assert_null(heap_first(&h));
    heap_fini(&h);
}

static void any_node_can_be_removed_and_put_back(void **state)
{
    struct heap h;
    uint32_t seed = 7;
    heap_init(&h);
    for (size_t i = 0; i < NODES; i++)
        heap_node_init(&nodes[i]);
    for (unsigned step = 0; step < 5000; step++) {
        struct heap_node *n = &nodes[next_random(&seed) % NODES];
        if (n->position != HEAP_OUT)
            heap_remove(&h, n);
        else
            assert_int_equal(heap_insert(&h, n, next_random(&seed) % 1000), ERROR_NONE);
        if (step % 50 == 0)
            holds_its_order(&h);
    }
    holds_its_order(&h);
    assert_true(h.count > 0);
    heap_fini(&h);
}

static void extremes_keep_their_order(void **state)
{
    struct heap h;
    heap_init(&h);
    for (size_t i = 0; i < 3; i++)
        heap_node_init(&nodes[i]);
    assert_int_equal(heap_insert(&h, &nodes[0], INT64_MAX), ERROR_NONE);
    assert_int_equal(heap_insert(&h, &nodes[1], 0), ERROR_NONE);
    assert_int_equal(heap_insert(&h, &nodes[2], INT64_MIN), ERROR_NONE);
    assert_ptr_equal(heap_first(&h), &nodes[2]);
    heap_remove(&h, &nodes[2]);
    heap_remove(&h, &nodes[2]); /* out: nothing happens */
    assert_ptr_equal(heap_first(&h), &nodes[1]);
    assert_int_equal(h.count, 2);
    heap_fini(&h);
}

static void without_memory_the_node_stays_out(void **state)
{
    struct heap h;
    heap_init(&h);
    for (size_t i = 0; i < NODES; i++)
        heap_node_init(&nodes[i]);
    failing_memory_always();
    assert_int_equal(heap_insert(&h, &nodes[0], 1), ERROR_NO_MEMORY);
    assert_int_equal(nodes[0].position, HEAP_OUT);
    assert_null(heap_first(&h));
    failing_memory_at(0);
    size_t in = 0;
    while (in == 0 || h.count < h.capacity) {
        assert_int_equal(heap_insert(&h, &nodes[in], (int64_t)in), ERROR_NONE);
        in++;
    }
    failing_memory_always();
    assert_int_equal(heap_insert(&h, &nodes[in], 1), ERROR_NO_MEMORY);
    assert_int_equal(h.count, in);
    failing_memory_at(0);
    holds_its_order(&h);
    heap_fini(&h);
}

struct item {
    int number;
    struct list link;
};

static void lists_keep_their_order(void **state)
{
    struct list l;
    struct item items[4];
    int expected = 1;
    list_init(&l);
    assert_true(list_is_empty(&l));
    assert_null(list_first(&l));
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        list_init(&items[i].link);
    }
    list_unlink(&items[0].link); /* in no list: nothing happens */
    list_append(&l, &items[2].link);
    list_append(&l, &items[3].link);
    list_prepend(&l, &items[1].link);
    assert_ptr_equal(list_first(&l), &items[1].link);
    list_for_each (e, next, &l) {
        assert_int_equal(container_of(e, struct item, link)->number, expected++);
        list_unlink(e);
    }
    assert_int_equal(expected, 4);
    assert_true(list_is_empty(&l));
    assert_true(list_is_empty(&items[2].link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_is_the_earliest),
        cmocka_unit_test(any_node_can_be_removed_and_put_back),
        cmocka_unit_test(extremes_keep_their_order),
        cmocka_unit_test(without_memory_the_node_stays_out),
        cmocka_unit_test(lists_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
