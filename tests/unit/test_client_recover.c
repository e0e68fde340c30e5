/*
 * tests/unit/test_client_recover.c: the recovery file at the client: its form byte for byte, and one that changes while it is
 * read [P-158]. The whole way, from a relay to new clients, is in tests/cmd/test_people.py.
 */
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/clients.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), BRUG_OK)
#define ITEM(name) BRUG__V1__RECOVERY_ITEM__ITEM_##name
#define LETTERS 6
#define FILE_BYTES_MAX (8u << 20)

static struct clients c;
static struct member *gp, *holder;
static Brug__V1__OrganisationEntry *entry;
static struct buf file, changed;
static char path[128], out[128];

/* A practice with a recovery key, and a letter of its GP that this key opens. */
static int begin(void **state)
{
    struct buf packed;
    struct brug_sent sent;
    struct brug_draft d = clients_referral();
    clients_init(&c);
    gp = clients_add(&c, 1, 1, BRUG_ROLE_GP);
    holder = clients_add_recovery(&c, 1, 9);
    (void)clients_add(&c, 2, 1, BRUG_ROLE_CONSULTANT);
    (void)clients_add(&c, 2, 2, BRUG_ROLE_CONSULTANT);
    clients_meet(&c);
    OK(brug_send(gp->b, &d, &sent));
    clients_sync(&c, gp);
    clients_leave(&c, gp);
    buf_init(&packed, FILE_BYTES_MAX);
    clients_pack_organisation(&c, &gp->organisation, &packed);
    entry = brug__v1__organisation_entry__unpack(NULL, packed.len, packed.data);
    buf_fini(&packed);
    buf_init(&file, FILE_BYTES_MAX);
    buf_init(&changed, FILE_BYTES_MAX);
    (void)snprintf(path, sizeof path, "%s/letters", holder->directory);
    (void)snprintf(out, sizeof out, "%s/sealed-again", holder->directory);
    return 0;
}

static int end(void **state)
{
    (void)unlink(path);
    (void)unlink(out);
    brug__v1__organisation_entry__free_unpacked(entry, NULL);
    buf_fini(&file);
    buf_fini(&changed);
    clients_fini(&c);
    return 0;
}

/* ---- the file ---- */

static void add(struct buf *to, Brug__V1__RecoveryItem *item) { OK(frame_append(to, &item->base)); }

static void add_head(struct buf *to)
{
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    Brug__V1__RecoveryHead head = BRUG__V1__RECOVERY_HEAD__INIT;
    char name[] = "Organisatie 1";
    head.organisation = client_id_field(&gp->organisation);
    head.organisation_name = name;
    head.entry = entry;
    item.item_case = ITEM(HEAD);
    item.head = &head;
    add(to, &item);
}

static const Brug__V1__EndpointEntry *entry_of_gp(void)
{
    for (size_t i = 0; i < entry->n_endpoints; i++)
        if (slice_equal(check_slice(entry->endpoints[i]->identity_certificate),
                        buf_slice(&gp->identity)))
            return entry->endpoints[i];
    fail();
    return NULL;
}

static void add_letter(struct buf *to, const Brug__V1__EndpointEntry *author)
{
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    Brug__V1__RecoveredLetter letter = BRUG__V1__RECOVERED_LETTER__INIT;
    Brug__V1__Envelope e = BRUG__V1__ENVELOPE__INIT;
    struct buf envelope;
    buf_init(&envelope, FILE_BYTES_MAX);
    e.header = client_field(buf_slice(&c.kept[0].header));
    e.sealed = client_field(buf_slice(&c.kept[0].sealed));
    OK(frame_append_bare(&envelope, &e.base));
    letter.envelope = client_field(buf_slice(&envelope));
    letter.stored_at_ms = c.kept[0].stored_at_ms;
    letter.author = (Brug__V1__EndpointEntry *)(uintptr_t)author; /* only read */
    item.item_case = ITEM(LETTER);
    item.letter = &letter;
    add(to, &item);
    buf_fini(&envelope);
}

static void add_end(struct buf *to, unsigned letters)
{
    Brug__V1__RecoveryItem item = BRUG__V1__RECOVERY_ITEM__INIT;
    Brug__V1__RecoveryEnd last = BRUG__V1__RECOVERY_END__INIT;
    last.letters = letters;
    item.item_case = ITEM(END);
    item.end = &last;
    add(to, &item);
}

/* Mark, head, and so many letters, of `author` the last. */
static void begin_file(struct buf *to, unsigned letters, const Brug__V1__EndpointEntry *author)
{
    OK(buf_append(to, RECOVERY_MARK, sizeof RECOVERY_MARK - 1));
    add_head(to);
    for (unsigned i = 1; i < letters; i++)
        add_letter(to, entry_of_gp());
    add_letter(to, author);
}

static void write_file(const struct buf *bytes)
{
    FILE *f = fopen(path, "r+");
    f = f ? f : fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
    assert_int_equal(ftruncate(fileno(f), (off_t)bytes->len), 0);
    assert_int_equal(fclose(f), 0);
}

static int recover(struct brug_recovered *done) { return brug_recover(holder->b, path, out, done); }

static void trust_new_clients(void)
{
    struct brug_recovered done;
    begin_file(&file, LETTERS, entry_of_gp());
    add_end(&file, LETTERS);
    write_file(&file);
    assert_int_equal(recover(&done), BRUG_CONFIRM);
    clients_trust_all(holder);
}

static void test_letters_are_sealed_again(void **state)
{
    struct brug_recovered done;
    trust_new_clients();
    OK(recover(&done));
    assert_int_equal(done.letters, LETTERS);
    assert_int_equal(done.unreadable, 0);
}

/* A length in more bytes than it needs is none [P-9]. */
static void test_a_length_has_one_form(void **state)
{
    struct brug_recovered done;
    size_t at = sizeof RECOVERY_MARK - 1;
    trust_new_clients();
    while (file.data[at] >= 0x80)
        at++;
    OK(buf_append(&changed, file.data, at + 1));
    changed.data[at] |= 0x80;
    OK(buf_append(&changed, "", 1)); /* a zero: nothing more of the number */
    OK(buf_append(&changed, file.data + at + 1, file.len - at - 1));
    write_file(&changed);
    assert_int_equal(recover(&done), BRUG_USAGE);
    assert_non_null(strstr(brug_last_error(holder->b), "damaged"));
    assert_int_equal(access(out, F_OK), -1);
}

/* ---- one that changes ---- */

/* The first look at the clock comes after the file was found to be whole. */
static int64_t change_and_tell_cb(void *ctx)
{
    if (changed.len > 0)
        write_file(&changed);
    buf_clear(&changed);
    return c.now_ms;
}

static void recover_while_it_changes(void)
{
    struct brug_recovered done;
    holder->b->now_ms = change_and_tell_cb;
    assert_int_equal(recover(&done), BRUG_USAGE);
    assert_int_equal(changed.len, 0);
    assert_non_null(strstr(brug_last_error(holder->b), "damaged"));
    assert_int_equal(access(out, F_OK), -1);
}

static void test_an_author_without_a_binding_that_comes_later_is_refused(void **state)
{
    Brug__V1__EndpointEntry nobody = BRUG__V1__ENDPOINT_ENTRY__INIT;
    trust_new_clients();
    begin_file(&changed, LETTERS, &nobody);
    add_end(&changed, LETTERS);
    recover_while_it_changes();
}

static void test_a_file_that_is_cut_meanwhile_is_refused(void **state)
{
    trust_new_clients();
    begin_file(&changed, LETTERS - 1, entry_of_gp());
    recover_while_it_changes();
}

static void test_a_letter_that_vanishes_meanwhile_is_missed(void **state)
{
    trust_new_clients();
    begin_file(&changed, LETTERS - 1, entry_of_gp());
    add_end(&changed, LETTERS);
    recover_while_it_changes();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_letters_are_sealed_again),
        TEST(test_a_length_has_one_form),
        TEST(test_an_author_without_a_binding_that_comes_later_is_refused),
        TEST(test_a_file_that_is_cut_meanwhile_is_refused),
        TEST(test_a_letter_that_vanishes_meanwhile_is_missed),
    };
    return cmocka_run_group_tests_name("client_recover", tests, NULL, NULL);
}
