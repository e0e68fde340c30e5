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

/* A letter, by its body, and what is said of it. */
struct found {
    struct digest body;
    struct id endpoint; /* that sent it */
    int64_t stored_at_ms;
    bool was_opened;
};

struct finds {
    struct found items[FOUND_MAX];
    size_t count;
};

/* Ours is organisation 0 with endpoint 0; the other side is organisation 1 with endpoint 1. */
struct world {
    char *directory;
    struct history history;
    struct store *store;
    struct id running, ended;
    struct finds due, found;
    size_t pages;
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
    bool is_due; /* must be found */
    size_t bytes;
};

static void note(struct finds *all, struct found f)
{
    assert_true(all->count < FOUND_MAX);
    all->items[all->count++] = f;
}

static void add(struct world *w, struct group *g, const struct letter *l)
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
    if (l->is_due)
        note(&w->due,
             (struct found){digest, h->endpoints[l->from], r.at_ms, l->is_opened || l->from == 0});
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
    h->now_ms += 1000;
}

/* In a group of its own. */
static void put(struct world *w, struct letter l)
{
    struct group *g = history_empty_group(&w->history);
    add(w, g, &l);
    assert_int_equal(store_commit(w->store, g), ERROR_NONE);
    group_free(g);
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
        struct found f = {.stored_at_ms = l->stored_at_ms, .was_opened = l->was_opened};
        struct body *b;
        assert_int_equal(body_from_stored(&b, slice_of(l->envelope.data, l->envelope.len)),
                         ERROR_NONE);
        f.body = b->digest;
        body_unref(b);
        assert_true(id_take_optional(l->endpoint, &f.endpoint));
        note(&w->found, f);
    }
}

/* All pages, as brugctl asks for them. */
static void recover(struct world *w)
{
    struct load *l = ask(w);
    w->found.count = w->pages = w->damaged = 0;
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

static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return memcmp(x->body.bytes, y->body.bytes, DIGEST_BYTES);
}

/* What is due was found, each letter once and as it was put, and nothing else. */
static void assert_found_what_is_due(struct world *w)
{
    assert_int_equal(w->found.count, w->due.count);
    qsort(w->found.items, w->found.count, sizeof w->found.items[0], compare);
    qsort(w->due.items, w->due.count, sizeof w->due.items[0], compare);
    for (size_t i = 0; i < w->due.count; i++) {
        const struct found *f = &w->found.items[i], *due = &w->due.items[i];
        assert_true(digest_equal(&f->body, &due->body));
        assert_true(id_equal(&f->endpoint, &due->endpoint));
        assert_int_equal(f->stored_at_ms, due->stored_at_ms);
        assert_int_equal(f->was_opened, due->was_opened);
    }
}

/* ---- tests ---- */

static void letters_of_running_cases_and_those_that_nobody_fetched(void **state)
{
    struct world *w = *state;
    const struct id *running = &w->running, *ended = &w->ended;
    put(w, (struct letter){
               .from = 1, .to = 0, .case_id = running, .is_fetched = true, .is_due = true});
    put(w, (struct letter){.from = 0, .to = 1, .reader = 1, .case_id = running, .is_due = true});
    put(w, (struct letter){.from = 1, .to = 0, .case_id = ended, .is_due = true});
    put(w, (struct letter){.from = 1, .to = 0, .kind = KIND(NOTICE), .is_due = true});
    put(w, (struct letter){.from = 1, .to = 0, .case_id = ended, .is_fetched = true});
    put(w, (struct letter){.from = 0, .to = 1, .reader = 1, .case_id = ended});
    put(w, (struct letter){.from = 1, .to = 0, .kind = KIND(NOTICE), .is_fetched = true});
    put(w, (struct letter){.from = 1, .to = 1, .reader = 1, .case_id = running}); /* of others */
    put(w, (struct letter){.to = 0, .case_id = running, .kind = KIND(FACT), .is_relay_made = true});
    put(w, (struct letter){.from = 0, .to = 0, .case_id = running, .kind = KIND(HISTORY)});
    put(w, (struct letter){.from = 0, .to = 0, .kind = KIND(FAMILY_KEY)});
    recover(w);
    assert_found_what_is_due(w);
    assert_int_equal(w->damaged, 0);
}

static void what_was_opened_by_the_organisation_is_said(void **state)
{
    struct world *w = *state;
    const struct letter fetched = {
        .from = 1, .to = 0, .case_id = &w->running, .is_fetched = true, .is_due = true};
    struct letter opened = fetched;
    opened.is_opened = true;
    put(w, opened);
    put(w, fetched);
    put(w, (struct letter){/* it wrote it */
                           .from = 0,
                           .to = 1,
                           .reader = 1,
                           .case_id = &w->running,
                           .is_due = true});
    recover(w);
    assert_found_what_is_due(w);
}

/* Nothing was folded before, and a row of bodies is larger than a page. */
static void each_comes_once_over_many_pages(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 5; i++) {
        struct group *g = history_empty_group(&w->history);
        for (unsigned k = 0; k < 1000; k++)
            add(w, g,
                &(struct letter){.from = 1,
                                 .to = k % 5 == 0 ? 1 : 0,
                                 .reader = k % 5 == 0,
                                 .case_id = &w->running,
                                 .is_fetched = true,
                                 .is_due = k % 5 != 0});
        assert_int_equal(store_commit(w->store, g), ERROR_NONE);
        group_free(g);
    }
    for (unsigned i = 0; i < 3; i++)
        put(w, (struct letter){
                   .from = 1, .to = 0, .case_id = &w->running, .is_due = true, .bytes = 5u << 20});
    recover(w);
    assert_found_what_is_due(w);
    assert_true(w->pages >= 5);
}

/* It is counted and left out, and the others come. */
static void a_damaged_body_is_left_out(void **state)
{
    struct world *w = *state;
    const struct letter small = {.from = 1, .to = 0, .case_id = &w->running, .is_due = true};
    put(w, small);
    put(w, (struct letter){.from = 1, .to = 0, .case_id = &w->running, .bytes = 100000});
    put(w, small);
    outbox_fold_all(w->store);
    store_close(w->store);
    (void)outbox_sql(w->directory, "brug.db",
                     "UPDATE body SET bytes = zeroblob(length(bytes)); SELECT 0");
    w->store = outbox_open(w->directory);
    recover(w);
    assert_found_what_is_due(w);
    assert_int_equal(w->damaged, 1);
    store_close(w->store);
    (void)outbox_sql(w->directory, "brug.db", "DELETE FROM pack");
    w->store = outbox_open(w->directory);
    recover(w);
    assert_int_equal(w->found.count, 0);
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
