/*
 * tests/store/test_store_recover.c: pages of sealed letters for the holder of a recovery key: those of the organisation's cases that
 * have not ended and those that no client of it fetched, each once, over folds, pages and damage.
 */
#include "brug/v1/admin.pb-c.h"
#include "daemon/core/body.h"
#include "daemon/core/load.h"
#include "daemon/core/model.h"
#include "tests/lib/directory.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define KIND(name) BRUG__V1__KIND__KIND_##name
#define FOUND_MAX 6000

/* Ours is organisation 0 with endpoint 0; the other side is organisation 1 with endpoint 1. */
struct world {
    char *directory;
    struct history history;
    struct store *store;
    struct id running, ended;
    struct id found[FOUND_MAX];
    bool opened[FOUND_MAX];
    size_t count, pages;
    uint32_t damaged;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->directory = directory_new();
    history_init(&w->history, 11);
    w->store = outbox_open(w->directory);
    w->running = history_id(&w->history, 4);
    w->ended = history_id(&w->history, 4);
    struct group *g = history_directory(&w->history);
    assert_int_equal(store_commit(w->store, g), ERROR_NONE);
    group_free(g);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    store_close(w->store);
    history_fini(&w->history);
    directory_free(w->directory);
    free(w);
    return 0;
}

/* ---- letters ---- */

struct letter {
    unsigned from, to, reader;
    const struct id *case_id; /* NULL: none */
    Brug__V1__Kind kind;
    bool is_relay_made, is_fetched, is_opened;
    size_t bytes;
};

static struct id add(struct world *w, struct group *g, const struct letter *l)
{
    Brug__V1__Accepted r = BRUG__V1__ACCEPTED__INIT;
    Brug__V1__ReaderSequence reader = BRUG__V1__READER_SEQUENCE__INIT, *list[] = {&reader};
    struct history *h = &w->history;
    struct id id = history_id(h, l->is_relay_made ? 8 : 7);
    struct body *b = history_body(h->lsn + 1, l->bytes ? l->bytes : 100);
    struct digest digest = b->digest;
    r.message_id = id_bytes(&id);
    if (!l->is_relay_made) {
        r.organisation = id_bytes(&h->organisations[l->from]);
        r.endpoint = id_bytes(&h->endpoints[l->from]);
        r.person = id_bytes(&h->persons[l->from]);
    }
    r.municipality = id_bytes(&h->municipality);
    r.to = id_bytes(&h->organisations[l->to]);
    r.kind = l->kind ? l->kind : KIND(NOTE);
    if (l->case_id)
        r.case_id = id_bytes(l->case_id);
    r.digest = digest_bytes(&digest);
    r.body_bytes = (uint32_t)b->len;
    r.at_ms = h->now_ms;
    reader.endpoint = id_bytes(&h->endpoints[l->reader]);
    reader.sequence = ++h->sequences[l->reader];
    r.readers = list;
    r.n_readers = 1;
    assert_int_equal(group_append_body(g, h->lsn + 1, b), ERROR_NONE);
    body_unref(b);
    history_add(h, g, RECORD(ACCEPTED), &r);
    if (l->is_fetched) {
        Brug__V1__Acknowledged a = BRUG__V1__ACKNOWLEDGED__INIT;
        a.organisation = r.organisation;
        a.message_id = r.message_id;
        a.endpoint = reader.endpoint;
        a.sequence = reader.sequence;
        a.result = BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
        a.at_ms = h->now_ms;
        history_add(h, g, RECORD(ACKNOWLEDGED), &a);
    }
    if (l->is_opened) {
        Brug__V1__OpenedBy o = BRUG__V1__OPENED_BY__INIT;
        o.organisation = r.organisation;
        o.message_id = r.message_id;
        o.endpoint = reader.endpoint;
        o.person = id_bytes(&h->persons[l->reader]);
        o.at_ms = h->now_ms;
        history_add(h, g, RECORD(OPENED_BY), &o);
    }
    return id;
}

/* In a group of its own. */
static struct id put(struct world *w, struct letter l)
{
    struct group *g = history_empty_group(&w->history);
    struct id id = add(w, g, &l);
    assert_int_equal(store_commit(w->store, g), ERROR_NONE);
    group_free(g);
    return id;
}

/* ---- pages ---- */

static struct load *ask(struct world *w)
{
    struct load *l = load_new(LOAD_RECOVERED);
    struct load_recovered *r = l->recovered = calloc(1, sizeof *r);
    assert_non_null(r);
    r->organisation = w->history.organisations[0];
    r->cases = calloc(1, sizeof *r->cases);
    r->endpoints = calloc(1, sizeof *r->endpoints);
    r->cases[0] = w->running;
    r->endpoints[0] = w->history.endpoints[0];
    r->case_count = r->endpoint_count = 1;
    r->until_lsn = store_lsn(w->store);
    return l;
}

static void take(struct world *w, const Brug__V1__RecoveredPage *page)
{
    w->pages++;
    w->damaged += page->damaged;
    for (size_t i = 0; i < page->n_letters; i++) {
        const Brug__V1__RecoveredLetter *l = page->letters[i];
        struct body *b;
        assert_true(w->count < FOUND_MAX);
        assert_int_equal(body_from_stored(&b, slice_of(l->envelope.data, l->envelope.len)),
                         ERROR_NONE);
        w->opened[w->count] = l->was_opened;
        memcpy(w->found[w->count++].bytes, b->digest.bytes, ID_BYTES); /* which one it is */
        body_unref(b);
        assert_true(l->stored_at_ms > 0 && l->stored_at_ms <= w->history.now_ms);
        assert_true(l->endpoint.len == ID_BYTES);
    }
}

/* All pages, as brugctl asks for them. */
static void recover(struct world *w)
{
    struct load *l = ask(w);
    w->count = w->pages = w->damaged = 0;
    for (bool is_last = false; !is_last;) {
        store_load_one(w->store, l);
        assert_int_equal(l->result, ERROR_NONE);
        Brug__V1__RecoveredPage *page =
            brug__v1__recovered_page__unpack(NULL, l->bytes.len, l->bytes.data);
        assert_non_null(page);
        take(w, page);
        is_last = page->is_last;
        assert_true(id_take_optional(page->next_message, &l->recovered->after_message));
        assert_true(id_take_optional(page->next_organisation, &l->recovered->after_organisation));
        l->recovered->until_lsn = page->until_lsn;
        brug__v1__recovered_page__free_unpacked(page, NULL);
        assert_true(w->pages < 1000);
    }
    load_free(l);
}

/* ---- tests ---- */

static void letters_of_running_cases_and_those_that_nobody_fetched(void **state)
{
    struct world *w = *state;
    const struct id *running = &w->running, *ended = &w->ended;
    put(w, (struct letter){.from = 1, .to = 0, .case_id = running, .is_fetched = true}); /* yes */
    put(w, (struct letter){.from = 0, .to = 1, .reader = 1, .case_id = running});        /* yes */
    put(w, (struct letter){.from = 1, .to = 0, .case_id = ended});                       /* yes */
    put(w, (struct letter){.from = 1, .to = 0, .kind = KIND(NOTICE)});                   /* yes */
    put(w, (struct letter){.from = 1, .to = 0, .case_id = ended, .is_fetched = true});
    put(w, (struct letter){.from = 0, .to = 1, .reader = 1, .case_id = ended});
    put(w, (struct letter){.from = 1, .to = 0, .kind = KIND(NOTICE), .is_fetched = true});
    put(w, (struct letter){.from = 1, .to = 1, .reader = 1, .case_id = running}); /* of others */
    put(w, (struct letter){.to = 0, .case_id = running, .kind = KIND(FACT), .is_relay_made = true});
    put(w, (struct letter){.from = 0, .to = 0, .case_id = running, .kind = KIND(HISTORY)});
    put(w, (struct letter){.from = 0, .to = 0, .kind = KIND(FAMILY_KEY)});
    recover(w);
    assert_int_equal(w->count, 4);
    assert_int_equal(w->damaged, 0);
}

static void what_was_opened_by_the_organisation_is_said(void **state)
{
    struct world *w = *state;
    put(w, (struct letter){
               .from = 1, .to = 0, .case_id = &w->running, .is_fetched = true, .is_opened = true});
    put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running, .is_fetched = true});
    put(w,
        (struct letter){.from = 0, .to = 1, .reader = 1, .case_id = &w->running}); /* it wrote it */
    recover(w);
    assert_int_equal(w->count, 3);
    unsigned opened = 0;
    for (size_t i = 0; i < 3; i++)
        opened += w->opened[i];
    assert_int_equal(opened, 2);
}

static int compare_ids(const void *a, const void *b) { return id_compare(a, b); }

/* Nothing was folded before, and a row of bodies is larger than a page. */
static void each_comes_once_over_many_pages(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 5; i++) {
        struct group *g = history_empty_group(&w->history);
        for (unsigned k = 0; k < 1000; k++)
            (void)add(w, g,
                      &(struct letter){.from = 1,
                                       .to = k % 5 == 0 ? 1 : 0,
                                       .reader = k % 5 == 0,
                                       .case_id = &w->running,
                                       .is_fetched = true});
        assert_int_equal(store_commit(w->store, g), ERROR_NONE);
        group_free(g);
    }
    for (unsigned i = 0; i < 3; i++)
        put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running, .bytes = 5u << 20});
    recover(w);
    assert_int_equal(w->count, 4003);
    assert_true(w->pages >= 5);
    qsort(w->found, w->count, sizeof w->found[0], compare_ids);
    for (size_t i = 1; i < w->count; i++)
        assert_false(id_equal(&w->found[i - 1], &w->found[i]));
}

/* It is counted and left out, and the others come. */
static void a_damaged_body_is_left_out(void **state)
{
    struct world *w = *state;
    put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running});
    put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running, .bytes = 100000});
    put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running});
    outbox_fold_all(w->store);
    store_close(w->store);
    (void)outbox_sql(w->directory, "brug.db",
                     "UPDATE body SET bytes = zeroblob(length(bytes)); SELECT 0");
    w->store = outbox_open(w->directory);
    recover(w);
    assert_int_equal(w->count, 2);
    assert_int_equal(w->damaged, 1);
    store_close(w->store);
    (void)outbox_sql(w->directory, "brug.db", "DELETE FROM pack");
    w->store = outbox_open(w->directory);
    recover(w);
    assert_int_equal(w->count, 0);
    assert_int_equal(w->damaged, 3);
}

static void a_row_that_does_not_read_ends_it(void **state)
{
    struct world *w = *state;
    put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running});
    outbox_fold_all(w->store);
    store_close(w->store);
    (void)outbox_sql(w->directory, "brug.db", "UPDATE message SET row = x'ffff', waiting = 0");
    (void)outbox_sql(w->directory, "brug.db", "DELETE FROM delivery");
    w->store = outbox_open(w->directory);
    struct load *l = ask(w);
    store_load_one(w->store, l);
    assert_int_equal(l->result, ERROR_CORRUPT);
    assert_int_equal(l->bytes.len, 0);
    load_free(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(letters_of_running_cases_and_those_that_nobody_fetched),
        TEST(what_was_opened_by_the_organisation_is_said),
        TEST(each_comes_once_over_many_pages),
        TEST(a_damaged_body_is_left_out),
        TEST(a_row_that_does_not_read_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
