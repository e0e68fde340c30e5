/*
 * tests/unit/test_core_family.c: family linkage in the core [R41]: one key in force, who is told that two cases are of one
 * family, and that tags are kept beside the journal, and no longer than their case is open.
 */
#include "proto/frame.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define ANNE 0xa1
#define BRAM 0xb2
#define HOUSE 0xc3
#define OTHER_HOUSE 0xd4
#define CASES_MAX 24

/* A world whose team has a key; one and two are its consultants. */
struct scene {
    struct stage *w;
    struct stage_endpoint *gp, *one, *two;
    struct id key;
    struct id cases[CASES_MAX];
    unsigned case_count;
};

/* ---- asking ---- */

static void discard(struct scene *x)
{
    const struct stage_endpoint *all[] = {x->gp, x->one, x->two};
    for (size_t i = 0; i < 3; i++)
        while (all[i]->session && stage_take(x->w, all[i]->session))
            ;
}

/* The answer, which is the only frame besides deliveries. */
static Brug__V1__ServerFrame *answer(struct scene *x, const struct stage_endpoint *e)
{
    Brug__V1__ServerFrame *f;
    stage_settle(x->w);
    while ((f = stage_take(x->w, e->session)))
        if (f->frame_case != SERVER(DELIVER) && f->frame_case != SERVER(DIRECTORY_MOVED))
            return f;
    fail_msg("no answer");
    return NULL;
}

static enum error code_of(const Brug__V1__ServerFrame *f)
{
    return f->frame_case == SERVER(REFUSED) ? (enum error)f->refused->code : ERROR_NONE;
}

static enum error offer(struct scene *x, const struct stage_letter *l)
{
    discard(x);
    stage_submit(x->w, l->from->session, l);
    return code_of(answer(x, l->from));
}

static struct stage_letter letter(struct scene *x, Brug__V1__Kind kind, struct stage_endpoint *from,
                                  const struct id *case_id)
{
    bool is_practice = id_equal(&from->organisation, &x->w->practice);
    const struct id *to = is_practice                ? &x->w->team
                          : kind == KIND(FAMILY_KEY) ? &from->organisation
                                                     : &x->w->practice;
    return stage_letter(x->w, kind, from, to, case_id);
}

static void must(struct scene *x, const struct stage_letter *l)
{
    enum error e = offer(x, l);
    if (e)
        fail_msg("kind %d: %s", (int)l->kind, error_name(e));
}

static enum error rotate(struct scene *x, struct stage_endpoint *from, const struct id *new_key,
                         const struct id *replaced)
{
    struct stage_letter l = letter(x, KIND(FAMILY_KEY), from, NULL);
    l.codes.key_id = *new_key;
    l.codes.replaced_key = *replaced;
    return offer(x, &l);
}

static enum error put(struct scene *x, struct stage_endpoint *e, const struct id *case_id,
                      uint8_t child, uint8_t household)
{
    struct buf b;
    ask_put_tags(&b, 1, case_id, &x->key, child, household);
    relay_on_frame(x->w->relay, e->session, buf_slice(&b), x->w->now);
    buf_fini(&b);
    Brug__V1__ServerFrame *f = answer(x, e);
    assert_true(f->frame_case == SERVER(NOTED) || f->frame_case == SERVER(REFUSED));
    return code_of(f);
}

static const Brug__V1__Case *told(struct scene *x, const struct stage_endpoint *e,
                                  const struct id *case_id)
{
    struct buf b;
    discard(x);
    ask_get_case(&b, 1, case_id);
    relay_on_frame(x->w->relay, e->session, buf_slice(&b), x->w->now);
    buf_fini(&b);
    Brug__V1__ServerFrame *f = answer(x, e);
    assert_int_equal(f->frame_case, SERVER(CASE_FACTS));
    return f->case_facts;
}

/* ---- cases ---- */

static const struct id *refer(struct scene *x)
{
    struct id *id = &x->cases[x->case_count++];
    assert_true(x->case_count <= CASES_MAX);
    *id = stage_case_id(x->w);
    struct stage_letter l = letter(x, KIND(REFERRAL), x->gp, id);
    must(x, &l);
    return id;
}

static void claim(struct scene *x, const struct id *case_id, struct stage_endpoint *by)
{
    struct stage_letter l = letter(x, KIND(CLAIM), by, case_id);
    must(x, &l);
}

/* A new case that `by` holds. */
static const struct id *held(struct scene *x, struct stage_endpoint *by)
{
    const struct id *id = refer(x);
    claim(x, id, by);
    return id;
}

static const struct id *tagged(struct scene *x, struct stage_endpoint *by, uint8_t child,
                               uint8_t household)
{
    const struct id *id = held(x, by);
    discard(x);
    assert_int_equal(put(x, by, id, child, household), ERROR_NONE);
    return id;
}

static void close_case(struct scene *x, const struct id *case_id, struct stage_endpoint *by)
{
    struct stage_letter l = letter(x, KIND(CLOSING), by, case_id);
    l.codes.outcome = BRUG__V1__OUTCOME__OUTCOME_NO_HELP_NEEDED;
    must(x, &l);
}

static void hand_over(struct scene *x, const struct id *case_id, struct stage_endpoint *from,
                      const struct stage_endpoint *to)
{
    struct stage_letter l = letter(x, KIND(HANDOVER), from, case_id);
    l.codes.new_director = to->person;
    must(x, &l);
}

/* ---- what was told ---- */

struct facts {
    unsigned n, same_child;
    struct id case_id, linked, director; /* of the last */
    uint64_t sequence;
};

/* The facts of families among what the endpoint was given; each must come with a sequence of its own. */
static struct facts take_facts(struct scene *x, const struct stage_endpoint *e)
{
    struct facts facts = {0};
    Brug__V1__ServerFrame *f;
    while ((f = stage_take(x->w, e->session))) {
        if (f->frame_case != SERVER(DELIVER))
            continue;
        const Brug__V1__Envelope *v = f->deliver->envelope;
        Brug__V1__Header *h = brug__v1__header__unpack(NULL, v->header.len, v->header.data);
        assert_non_null(h);
        assert_true(f->deliver->sequence > facts.sequence);
        facts.sequence = f->deliver->sequence;
        if (h->kind == KIND(FACT) && h->fact_code == BRUG__V1__CODE__CODE_FAMILY_LINKED) {
            facts.n++;
            facts.same_child += (h->flags & BRUG__V1__HEADER_FLAG__HEADER_FLAG_SAME_CHILD) != 0;
            assert_true(id_take(h->case_id, &facts.case_id) &&
                        id_take(h->linked_case, &facts.linked) &&
                        id_take(h->linked_director, &facts.director));
            assert_int_equal(h->in_reply_to.len, ID_BYTES);
        }
        brug__v1__header__free_unpacked(h, NULL);
    }
    return facts;
}

static unsigned count_facts(struct scene *x, const struct stage_endpoint *e)
{
    return take_facts(x, e).n;
}

static void assert_fact(struct facts f, const struct id *case_id, const struct id *linked,
                        const struct id *director, bool is_same_child)
{
    assert_int_equal(f.n, 1);
    assert_int_equal(f.same_child, is_same_child);
    assert_true(id_equal(&f.case_id, case_id) && id_equal(&f.linked, linked));
    assert_true(id_equal(&f.director, director));
}

static size_t links_of(struct scene *x, const struct stage_endpoint *e, const struct id *case_id)
{
    return told(x, e, case_id)->n_linked;
}

/* ---- what is kept ---- */

static void assert_same_after_crash(struct scene *x)
{
    struct digest before, after;
    assert_int_equal(state_digest(relay_state(x->w->relay), &before), 0);
    for (uint64_t folded = 0; folded <= stage_committed_lsn(x->w); folded++) {
        struct state *s = stage_replay(x->w, folded);
        assert_int_equal(state_digest(s, &after), 0);
        if (!digest_equal(&before, &after))
            fail_msg("from %u", (unsigned)folded);
        state_free(s);
    }
}

static bool has_run(struct slice s, uint8_t byte)
{
    size_t run = 0;
    for (size_t i = 0; i < s.len; i++) {
        run = s.data[i] == byte ? run + 1 : 0;
        if (run == DIGEST_BYTES)
            return true;
    }
    return false;
}

static void begin_again(struct scene *x)
{
    stage_listen(x->w, x->gp);
    stage_listen(x->w, x->one);
    stage_listen(x->w, x->two);
}

static int setup(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    assert_non_null(x);
    x->w = stage_new(NULL);
    x->gp = &x->w->gp_pc;
    x->one = &x->w->consultant_pc;
    x->two = &x->w->consultant2_pc;
    begin_again(x);
    x->key = stage_id(4, 7001);
    assert_int_equal(rotate(x, x->one, &x->key, &ID_NONE), ERROR_NONE);
    discard(x);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct scene *x = *state;
    stage_free(x->w);
    free(x);
    return 0;
}

/* ---- the key ---- */

static struct id key_in_welcome(struct scene *x, struct stage_endpoint *e)
{
    struct id id = ID_NONE;
    uint64_t session = stage_connect(x->w, e);
    stage_settle(x->w);
    Brug__V1__ServerFrame *f = stage_take(x->w, session);
    assert_int_equal(f->frame_case, SERVER(WELCOME));
    (void)id_take_optional(f->welcome->family_key, &id);
    return id;
}

static void one_key_is_in_force(void **state)
{
    struct scene *x = *state;
    struct id second = stage_id(4, 7002), third = stage_id(4, 7003);
    struct id in_force = key_in_welcome(x, x->two);
    assert_true(id_equal(&in_force, &x->key));
    in_force = key_in_welcome(x, x->gp);
    assert_true(id_is_none(&in_force));
    /* two rotate at once: the first committed wins, and the other stays refused */
    struct stage_letter late = letter(x, KIND(FAMILY_KEY), x->two, NULL);
    late.codes.key_id = third;
    late.codes.replaced_key = x->key;
    assert_int_equal(rotate(x, x->one, &second, &x->key), ERROR_NONE);
    assert_int_equal(offer(x, &late), ERROR_FAMILY_KEY_MOVED);
    assert_int_equal(rotate(x, x->two, &third, &ID_NONE), ERROR_FAMILY_KEY_MOVED);
    assert_int_equal(rotate(x, x->two, &second, &second), ERROR_FAMILY_KEY_MOVED); /* by itself */
    in_force = key_in_welcome(x, x->one);
    assert_true(id_equal(&in_force, &second));
    assert_int_equal(rotate(x, x->one, &x->key, &second),
                     ERROR_NONE); /* back, so that it would fit */
    assert_int_equal(offer(x, &late), ERROR_FAMILY_KEY_MOVED);
    assert_int_equal(stage_count_records(x->w, RECORD(TEAM_KEY)), 3);
    assert_same_after_crash(x);
}

static void a_key_goes_to_the_own_team_and_from_it_only(void **state)
{
    struct scene *x = *state;
    struct id second = stage_id(4, 7002);
    struct stage_letter l = letter(x, KIND(FAMILY_KEY), x->one, NULL);
    l.codes.key_id = second;
    l.codes.replaced_key = x->key;
    assert_int_equal(l.reader_count, 1);
    assert_true(id_equal(&l.readers[0], &x->two->id));
    struct stage_letter wrong = l;
    wrong.id = stage_message_id(x->w);
    wrong.to = x->w->practice;
    stage_set_readers(x->w, &wrong);
    assert_int_equal(offer(x, &wrong), ERROR_UNKNOWN_ADDRESSEE);
    wrong = stage_letter(x->w, KIND(FAMILY_KEY), x->gp, &x->w->practice, NULL);
    wrong.codes.key_id = second;
    assert_int_equal(offer(x, &wrong), ERROR_ROLE_NOT_ALLOWED);
    wrong = l;
    wrong.id = stage_message_id(x->w);
    wrong.reader_count = 0;
    assert_int_equal(offer(x, &wrong), ERROR_DIRECTORY_CHANGED);
    must(x, &l);
    Brug__V1__ServerFrame *f = stage_take(x->w, x->two->session);
    assert_int_equal(f->frame_case, SERVER(DELIVER));
    assert_null(stage_take(x->w, x->gp->session));
}

/* [R60]: a self-employed provider is a team of one. */
static void a_team_of_one_has_a_key_too(void **state)
{
    struct scene *x = *state;
    struct id second = stage_id(4, 7002), recovery = stage_id(4, 9004);
    struct stage_endpoint kept;
    stage_add_endpoint(x->w, &kept, &recovery, &x->w->team, NULL, true);
    (void)stage_set_status(x->w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT, &x->two->id,
                           BRUG__V1__STATUS__STATUS_SUSPENDED);
    assert_int_equal(rotate(x, x->one, &second, &x->key), ERROR_NONE);
    x->key = second;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE), *b = tagged(x, x->one, BRAM, HOUSE);
    assert_fact(take_facts(x, x->one), b, a, &x->one->person, false);
    assert_same_after_crash(x);
}

/* Nobody is bothered by what happens to a key letter on its way. */
static void nobody_is_told_of_a_key_that_did_not_arrive(void **state)
{
    struct scene *x = *state;
    struct id second = stage_id(4, 7002);
    stage_disconnect(x->w, x->two);
    struct stage_letter l = letter(x, KIND(FAMILY_KEY), x->one, NULL);
    l.codes.key_id = second;
    l.codes.replaced_key = x->key;
    must(x, &l);
    stage_listen(x->w, x->two);
    discard(x);
    size_t before = stage_count_records(x->w, RECORD(ACCEPTED));
    stage_ack(x->w, x->two->session, &x->w->team, &l.id, ERROR_LETTER_DECRYPT);
    stage_settle(x->w);
    (void)stage_set_status(x->w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT, &x->two->id,
                           BRUG__V1__STATUS__STATUS_SUSPENDED);
    stage_settle(x->w);
    assert_int_equal(stage_count_records(x->w, RECORD(ACCEPTED)), before);
}

/* ---- links ---- */

static void both_directors_are_told_and_nobody_else(void **state)
{
    struct scene *x = *state;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE);
    discard(x);
    const struct id *b = tagged(x, x->two, BRAM, HOUSE);
    assert_fact(take_facts(x, x->one), a, b, &x->two->person, false);
    assert_fact(take_facts(x, x->two), b, a, &x->one->person, false);
    assert_int_equal(count_facts(x, x->gp), 0);
    const Brug__V1__Case *c = told(x, x->one, a);
    assert_int_equal(c->n_linked, 1);
    assert_memory_equal(c->linked[0]->case_id.data, b->bytes, ID_BYTES);
    assert_memory_equal(c->linked[0]->director.data, x->two->person.bytes, ID_BYTES);
    assert_false(c->linked[0]->same_child);
    assert_memory_equal(c->family_key.data, x->key.bytes, ID_BYTES);
    c = told(x, x->two, a); /* a colleague sees that it has tags, not whose family it is */
    assert_int_equal(c->n_linked, 0);
    assert_int_equal(c->family_key.len, ID_BYTES);
    c = told(x, x->gp, a);
    assert_true(c->n_linked == 0 && c->family_key.len == 0);
    assert_same_after_crash(x);
}

static void a_list_tells_the_same_as_one_case(void **state)
{
    struct scene *x = *state;
    struct buf b;
    (void)tagged(x, x->one, ANNE, HOUSE);
    (void)tagged(x, x->two, BRAM, HOUSE);
    const struct stage_endpoint *askers[] = {x->one, x->gp};
    for (size_t i = 0; i < 2; i++) {
        size_t linked = 0, keys = 0;
        discard(x);
        ask_list_cases(&b, 1, &ID_NONE, 10, false);
        relay_on_frame(x->w->relay, askers[i]->session, buf_slice(&b), x->w->now);
        buf_fini(&b);
        const Brug__V1__Cases *page = answer(x, askers[i])->cases;
        assert_int_equal(page->n_cases, 2);
        for (size_t k = 0; k < 2; k++) {
            linked += page->cases[k]->n_linked;
            keys += page->cases[k]->family_key.len > 0;
        }
        assert_int_equal(linked, i == 0 ? 1 : 0);
        assert_int_equal(keys, i == 0 ? 2 : 0);
    }
}

/* Once for each pair, whatever is repeated, and whatever crashes. */
static void a_link_is_told_once(void **state)
{
    struct scene *x = *state;
    struct id second = stage_id(4, 7002);
    const struct id *a = tagged(x, x->one, ANNE, HOUSE), *b = tagged(x, x->two, BRAM, HOUSE);
    size_t records = stage_count_records(x->w, RECORD(CASE_TAGS));
    discard(x);
    assert_int_equal(put(x, x->two, b, BRAM, HOUSE), ERROR_NONE);
    assert_int_equal(put(x, x->one, b, BRAM, HOUSE), ERROR_NONE); /* a colleague's client too */
    assert_int_equal(stage_count_records(x->w, RECORD(CASE_TAGS)), records);
    stage_crash(x->w, stage_committed_lsn(x->w) / 2);
    begin_again(x);
    discard(x);
    /* the key changes: the link stays while the cases are under different keys, and is found again, not told */
    assert_int_equal(rotate(x, x->one, &second, &x->key), ERROR_NONE);
    x->key = second;
    assert_int_equal(put(x, x->one, a, ANNE + 1, HOUSE + 1), ERROR_NONE);
    assert_int_equal(links_of(x, x->one, a), 1);
    assert_int_equal(links_of(x, x->two, b), 1);
    assert_same_after_crash(x);
    stage_crash(x->w, stage_committed_lsn(x->w));
    begin_again(x);
    discard(x);
    assert_int_equal(put(x, x->one, b, BRAM + 1, HOUSE + 1), ERROR_NONE);
    assert_int_equal(count_facts(x, x->one) + count_facts(x, x->two), 0);
    assert_int_equal(links_of(x, x->one, a), 1);
    assert_same_after_crash(x);
}

/* A link that comes while the team changes its key is found later, and is not lost. */
static void a_link_across_a_rotation_is_found_later(void **state)
{
    struct scene *x = *state;
    struct id second = stage_id(4, 7002);
    const struct id *a = tagged(x, x->one, ANNE, HOUSE);
    assert_int_equal(rotate(x, x->two, &second, &x->key), ERROR_NONE);
    assert_int_equal(put(x, x->one, a, ANNE, HOUSE), ERROR_FAMILY_KEY_MOVED);
    x->key = second;
    (void)tagged(x, x->two, BRAM, HOUSE); /* under another key that says nothing */
    assert_int_equal(count_facts(x, x->two), 0);
    assert_int_equal(put(x, x->two, a, ANNE, HOUSE), ERROR_NONE);
    assert_int_equal(count_facts(x, x->one), 1);
}

static void the_same_child_is_told_as_such(void **state)
{
    struct scene *x = *state;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE);
    const struct id *b = tagged(x, x->two, ANNE, OTHER_HOUSE);
    assert_fact(take_facts(x, x->two), b, a, &x->one->person, true);
    assert_true(told(x, x->one, a)->linked[0]->same_child);
    /* by the house first, and then by the child: that is told, the other way round is not */
    const struct id *c = tagged(x, x->two, BRAM, HOUSE);
    assert_int_equal(take_facts(x, x->two).same_child, 0);
    assert_int_equal(put(x, x->two, c, ANNE, HOUSE), ERROR_NONE);
    struct facts f = take_facts(x, x->two);
    assert_int_equal(f.same_child, 2); /* with both others */
    assert_int_equal(put(x, x->two, c, BRAM, HOUSE), ERROR_NONE);
    assert_int_equal(count_facts(x, x->two), 0);
    assert_int_equal(take_facts(x, x->one).same_child, 1);
    assert_true(told(x, x->two, c)->linked[0]->same_child);
    assert_same_after_crash(x);
}

/* What is not there is equal to nothing. */
static void cases_without_a_tag_are_not_linked(void **state)
{
    struct scene *x = *state;
    (void)tagged(x, x->one, ANNE, 0);
    (void)tagged(x, x->two, BRAM, 0);
    (void)tagged(x, x->two, 0, HOUSE);
    assert_int_equal(count_facts(x, x->one) + count_facts(x, x->two), 0);
}

static void one_director_of_both_hears_of_it_once(void **state)
{
    struct scene *x = *state;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE), *b = tagged(x, x->one, BRAM, HOUSE);
    assert_fact(take_facts(x, x->one), b, a, &x->one->person, false);
    assert_int_equal(count_facts(x, x->two), 0);
}

static void several_links_come_with_one_case(void **state)
{
    struct scene *x = *state;
    (void)tagged(x, x->one, ANNE, HOUSE);
    (void)tagged(x, x->one, BRAM, HOUSE);
    discard(x);
    const struct id *c = tagged(x, x->two, 0x77, HOUSE);
    assert_int_equal(count_facts(x, x->one), 2);
    assert_int_equal(count_facts(x, x->two), 2);
    /* the new director hears of each, behind the letter itself */
    discard(x);
    hand_over(x, c, x->two, x->one);
    assert_int_equal(count_facts(x, x->one), 2);
    assert_int_equal(count_facts(x, x->two), 0);
    assert_int_equal(links_of(x, x->one, c), 2);
    assert_int_equal(links_of(x, x->two, c), 0);
    assert_same_after_crash(x);
}

static void the_new_director_is_told_after_each_handover(void **state)
{
    struct scene *x = *state;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE), *b = held(x, x->two);
    assert_int_equal(put(x, x->two, b, BRAM, HOUSE), ERROR_NONE);
    discard(x);
    for (unsigned i = 0; i < 3; i++) {
        struct stage_endpoint *from = i % 2 ? x->one : x->two, *to = i % 2 ? x->two : x->one;
        hand_over(x, b, from, to);
        assert_fact(take_facts(x, to), b, a, &x->one->person, false);
        assert_int_equal(count_facts(x, from), 0);
    }
}

/* The fact is not lost with who could not be told: the case says it to whoever holds it. */
static void a_director_without_a_client_is_told_by_the_case(void **state)
{
    struct scene *x = *state;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE), *b = held(x, x->two);
    (void)stage_set_status(x->w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT, &x->one->id,
                           BRUG__V1__STATUS__STATUS_SUSPENDED);
    assert_int_equal(put(x, x->two, b, BRAM, HOUSE), ERROR_NONE);
    assert_int_equal(count_facts(x, x->two), 1);
    (void)stage_set_status(x->w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT, &x->one->id,
                           BRUG__V1__STATUS__STATUS_ACTIVE);
    stage_listen(x->w, x->one);
    assert_int_equal(count_facts(x, x->one), 0);
    assert_int_equal(links_of(x, x->one, a), 1);
}

/* ---- limits ---- */

/* Eight by the child and eight by the household [P-147]: a ninth is not linked, and nobody is told of it. */
static void eight_of_each_sort_are_linked_and_no_more(void **state)
{
    struct scene *x = *state;
    assert_int_equal(LIMIT_LINKED_CASES, 8);
    for (unsigned by_child = 0; by_child <= 1; by_child++) {
        const struct id *first = &x->cases[x->case_count];
        for (unsigned i = 0; i <= LIMIT_LINKED_CASES; i++)
            (void)tagged(x, x->one, by_child ? ANNE : 0, by_child ? 0 : HOUSE);
        discard(x);
        const struct id *more = tagged(x, x->two, by_child ? ANNE : 0, by_child ? 0 : HOUSE);
        assert_int_equal(count_facts(x, x->one) + count_facts(x, x->two), 0);
        assert_int_equal(links_of(x, x->two, more), 0);
        for (unsigned i = 0; i <= LIMIT_LINKED_CASES; i++)
            assert_int_equal(links_of(x, x->one, &first[i]), LIMIT_LINKED_CASES);
    }
    assert_same_after_crash(x);
}

/* A house with many children hides no second case of one child. */
static void links_have_a_limit_and_a_child_has_room_of_its_own(void **state)
{
    struct scene *x = *state;
    for (unsigned i = 0; i < 2 * LIMIT_LINKED_CASES; i++)
        (void)tagged(x, x->one, (uint8_t)(i + 1), HOUSE);
    discard(x);
    const struct id *c = tagged(x, x->two, 1, HOUSE); /* the first one's child */
    assert_int_equal(take_facts(x, x->two).same_child, 1);
    assert_true(links_of(x, x->two, c) <= LIMIT_LINKED_CASES + 1);
    for (unsigned i = 0; i < x->case_count; i++)
        assert_true(told(x, i < x->case_count - 1 ? x->one : x->two, &x->cases[i])->n_linked <=
                    FAMILY_LINKS_MAX);
    assert_same_after_crash(x);
}

/* ---- who may, and when ---- */

static void tags_are_refused_where_they_have_no_place(void **state)
{
    struct scene *x = *state;
    struct id unknown = stage_case_id(x->w);
    const struct id *waits = refer(x), *open = held(x, x->one);
    assert_int_equal(put(x, x->gp, open, ANNE, 0), ERROR_ROLE_NOT_ALLOWED);
    assert_int_equal(put(x, x->one, &unknown, ANNE, 0), ERROR_NO_SUCH_CASE);
    assert_int_equal(put(x, x->one, waits, ANNE, 0), ERROR_CASE_REFERRED);
    assert_int_equal(put(x, x->one, open, 0, 0), ERROR_REQUEST_MALFORMED);
    struct id consult = stage_case_id(x->w);
    struct stage_letter l = letter(x, KIND(CONSULT), x->gp, &consult);
    must(x, &l);
    assert_int_equal(put(x, x->one, &consult, ANNE, 0), ERROR_CASE_CONSULTING);
    relay_set_room(x->w->relay, false);
    assert_int_equal(put(x, x->one, open, ANNE, 0), ERROR_FULL);
    relay_set_room(x->w->relay, true);
    close_case(x, open, x->one);
    assert_int_equal(put(x, x->one, open, ANNE, 0), ERROR_CASE_ENDED);
    assert_int_equal(stage_count_records(x->w, RECORD(CASE_TAGS)), 0);
}

/* I6, and each team has a key of its own: even under one and the same id nothing is compared. */
static void two_teams_never_match(void **state)
{
    struct scene *x = *state;
    struct order o;
    struct id team = stage_id(4, 9001), person = stage_id(4, 9002), pc = stage_id(4, 9003);
    struct stage_endpoint third;
    order_add_organisation(&o, &team, BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM,
                           &x->w->municipality);
    assert_int_equal(stage_admin(x->w, &o.request, NULL)->code, 0);
    stage_add_person(x->w, &person, &team, BRUG__V1__ROLE__ROLE_CONSULTANT, 0);
    stage_add_endpoint(x->w, &third, &pc, &team, &person, false);
    struct id recovery = stage_id(4, 9004);
    struct stage_endpoint kept;
    stage_add_endpoint(x->w, &kept, &recovery, &team, NULL, true);
    stage_listen(x->w, &third);
    const struct id *a = tagged(x, x->one, ANNE, HOUSE);
    struct stage_letter key = stage_letter(x->w, KIND(FAMILY_KEY), &third, &team, NULL);
    key.codes.key_id = x->key;
    must(x, &key);
    struct id b = stage_case_id(x->w);
    struct stage_letter l = stage_letter(x->w, KIND(REFERRAL), x->gp, &team, &b);
    must(x, &l);
    l = stage_letter(x->w, KIND(CLAIM), &third, &x->w->practice, &b);
    must(x, &l);
    discard(x);
    assert_int_equal(put(x, &third, &b, ANNE, HOUSE), ERROR_NONE);
    assert_int_equal(put(x, &third, a, ANNE, HOUSE), ERROR_NO_SUCH_CASE);
    assert_int_equal(count_facts(x, x->one) + count_facts(x, &third), 0);
    assert_int_equal(links_of(x, x->one, a), 0);
}

/* ---- what is kept, and how long ---- */

static void the_journal_has_no_tag(void **state)
{
    struct scene *x = *state;
    const struct stage *w = x->w;
    size_t kept = 0, facts = 0;
    (void)tagged(x, x->one, ANNE, HOUSE);
    (void)tagged(x, x->two, ANNE, HOUSE);
    for (size_t i = 0; i < w->row_count; i++) {
        assert_false(has_run(w->rows[i].payload, ANNE) || has_run(w->rows[i].payload, HOUSE));
        /* nor which cases are of one family */
        if (w->rows[i].type == RECORD(CASE_TAGS))
            assert_true(w->rows[i].payload.len < 4 * (ID_BYTES + 2) + 10);
        if (w->rows[i].type == RECORD(ACCEPTED)) {
            Brug__V1__Accepted *a =
                brug__v1__accepted__unpack(NULL, w->rows[i].payload.len, w->rows[i].payload.data);
            if (a->kind == KIND(FACT)) {
                assert_true(a->case_id.len == 0 && a->in_reply_to.len == 0);
                facts++;
            }
            brug__v1__accepted__free_unpacked(a, NULL);
        }
    }
    assert_int_equal(facts, 2);
    for (size_t i = 0; i < w->body_count; i++)
        kept += has_run(slice_of(w->bodies[i].body->bytes, w->bodies[i].body->len), ANNE);
    assert_int_equal(kept, 2);
}

static void tags_and_links_end_with_their_case(void **state)
{
    struct scene *x = *state;
    const struct id *a = tagged(x, x->one, ANNE, HOUSE), *b = tagged(x, x->two, BRAM, HOUSE);
    const struct id *c = tagged(x, x->two, 0x77, HOUSE);
    close_case(x, b, x->two);
    const Brug__V1__Case *ended = told(x, x->two, b);
    assert_true(ended->n_linked == 0 && ended->family_key.len == 0);
    assert_int_equal(links_of(x, x->one, a), 1);
    assert_int_equal(links_of(x, x->two, c), 1);
    assert_same_after_crash(x);
    discard(x);
    (void)tagged(x, x->one, BRAM, OTHER_HOUSE); /* b's child, which is known no more */
    assert_int_equal(count_facts(x, x->two), 0);
    close_case(x, a, x->one);
    close_case(x, c, x->two);
    assert_same_after_crash(x);
}

/* A record whose tags are gone is damage, not a case without tags. */
static void a_record_without_its_tags_is_corrupt(void **state)
{
    struct scene *x = *state;
    struct slice record = SLICE_NONE;
    (void)tagged(x, x->one, ANNE, HOUSE);
    for (size_t i = 0; i < x->w->row_count; i++)
        if (x->w->rows[i].type == RECORD(CASE_TAGS))
            record = x->w->rows[i].payload;
    struct state *s = stage_replay(x->w, stage_committed_lsn(x->w));
    uint64_t lsn = state_lsn(s) + 1;
    assert_int_equal(apply_record(s, lsn, RECORD(CASE_TAGS), record), ERROR_CORRUPT);
    assert_int_equal(apply_record_with(s, lsn, RECORD(CASE_TAGS), record, slice_text("\xff")),
                     ERROR_CORRUPT);
    assert_int_equal(apply_record_with(s, lsn, RECORD(CASE_TAGS), record, slice_text("\x0a\x01x")),
                     ERROR_CORRUPT);
    state_free(s);
}

/* ---- a storm, against an oracle ---- */

#define STORM_OPEN_MAX 8u /* so that no limit is met */
#define STORM_CASES CASES_MAX
#define STORM_FACTS_MAX 2000u

struct told_fact {
    struct id to, case_id, linked;
    bool is_same_child, is_there; /* it came */
};

/* What the rules say, kept by hand. */
struct oracle {
    struct scene *x;
    uint64_t random;
    struct {
        bool is_open;
        struct stage_endpoint *director;
        unsigned key; /* 0: no tags */
        uint8_t child, household;
    } cases[STORM_CASES];
    uint8_t links[STORM_CASES][STORM_CASES]; /* 1: household, 2: child */
    unsigned key;
    struct told_fact facts[STORM_FACTS_MAX];
    struct id seen[STORM_FACTS_MAX];
    unsigned fact_count, seen_count;
};

static unsigned pick(struct oracle *o, unsigned below)
{
    o->random = o->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(o->random >> 33) % below;
}

static unsigned open_cases(const struct oracle *o)
{
    unsigned n = 0;
    for (unsigned i = 0; i < STORM_CASES; i++)
        n += o->cases[i].is_open;
    return n;
}

/* One that is open; there is one. */
static unsigned pick_case(struct oracle *o)
{
    unsigned i = pick(o, STORM_CASES);
    while (!o->cases[i].is_open)
        i = (i + 1) % STORM_CASES;
    return i;
}

static void expect(struct oracle *o, unsigned of, unsigned other)
{
    assert_true(o->fact_count < STORM_FACTS_MAX);
    o->facts[o->fact_count++] = (struct told_fact){.to = o->cases[of].director->person,
                                                   .case_id = o->x->cases[of],
                                                   .linked = o->x->cases[other],
                                                   .is_same_child = o->links[of][other] == 2};
}

static void open_one(struct oracle *o)
{
    if (o->x->case_count == STORM_CASES || open_cases(o) == STORM_OPEN_MAX)
        return;
    unsigned i = o->x->case_count;
    o->cases[i].director = pick(o, 2) ? o->x->one : o->x->two;
    o->cases[i].is_open = true;
    (void)held(o->x, o->cases[i].director);
}

static void tag_one(struct oracle *o)
{
    unsigned i = pick_case(o);
    uint8_t child = (uint8_t)(1 + pick(o, 6)), household = (uint8_t)pick(o, 4);
    struct stage_endpoint *by = pick(o, 2) ? o->x->one : o->x->two;
    assert_int_equal(put(o->x, by, &o->x->cases[i], child, household), ERROR_NONE);
    if (o->cases[i].key == o->key && o->cases[i].child == child &&
        o->cases[i].household == household)
        return;
    o->cases[i].key = o->key;
    o->cases[i].child = child;
    o->cases[i].household = household;
    for (unsigned k = 0; k < STORM_CASES; k++) {
        if (k == i || !o->cases[k].is_open || o->cases[k].key != o->key)
            continue;
        unsigned strength = o->cases[k].child == child                        ? 2
                            : household && o->cases[k].household == household ? 1
                                                                              : 0;
        if (strength <= o->links[i][k])
            continue;
        o->links[i][k] = o->links[k][i] = (uint8_t)strength;
        expect(o, i, k);
        if (o->cases[i].director != o->cases[k].director)
            expect(o, k, i);
    }
}

static void close_one(struct oracle *o)
{
    unsigned i = pick_case(o);
    close_case(o->x, &o->x->cases[i], o->cases[i].director);
    o->cases[i].is_open = false;
    for (unsigned k = 0; k < STORM_CASES; k++)
        o->links[i][k] = o->links[k][i] = 0;
}

static void hand_over_one(struct oracle *o)
{
    unsigned i = pick_case(o);
    struct stage_endpoint *from = o->cases[i].director;
    o->cases[i].director = from == o->x->one ? o->x->two : o->x->one;
    hand_over(o->x, &o->x->cases[i], from, o->cases[i].director);
    for (unsigned k = 0; k < STORM_CASES; k++)
        if (o->links[i][k])
            expect(o, i, k);
}

static void rotate_one(struct oracle *o)
{
    struct id next = stage_id(4, 8000 + ++o->key);
    assert_int_equal(rotate(o->x, pick(o, 2) ? o->x->one : o->x->two, &next, &o->x->key), 0);
    o->x->key = next;
}

static void crash(struct oracle *o)
{
    stage_crash(o->x->w, stage_committed_lsn(o->x->w) - pick(o, 20));
    begin_again(o->x);
}

static bool is_new(struct oracle *o, const struct id *message)
{
    for (unsigned i = 0; i < o->seen_count; i++)
        if (id_equal(&o->seen[i], message))
            return false;
    o->seen[o->seen_count++] = *message;
    return true;
}

static void take_fact(struct oracle *o, const struct stage_endpoint *e, const Brug__V1__Header *h)
{
    struct id message, case_id, linked;
    bool is_same_child = (h->flags & BRUG__V1__HEADER_FLAG__HEADER_FLAG_SAME_CHILD) != 0;
    assert_true(id_take(h->message_id, &message) && id_take(h->case_id, &case_id) &&
                id_take(h->linked_case, &linked));
    if (!is_new(o, &message))
        return; /* again, as it was not acknowledged before a crash */
    for (unsigned i = 0; i < o->fact_count; i++) {
        struct told_fact *f = &o->facts[i];
        if (f->is_there || !id_equal(&f->to, &e->person) || !id_equal(&f->case_id, &case_id) ||
            !id_equal(&f->linked, &linked) || f->is_same_child != is_same_child)
            continue;
        f->is_there = true;
        return;
    }
    fail_msg("a fact that should not be");
}

/* All that waits for both, on new sessions; what is acknowledged never comes again. */
static void take_all(struct oracle *o)
{
    struct stage_endpoint *both[] = {o->x->one, o->x->two};
    for (size_t i = 0; i < 2; i++) {
        Brug__V1__ServerFrame *f;
        (void)stage_listen(o->x->w, both[i]);
        while ((f = stage_take(o->x->w, both[i]->session))) {
            if (f->frame_case != SERVER(DELIVER))
                continue;
            const Brug__V1__Envelope *v = f->deliver->envelope;
            Brug__V1__Header *h = brug__v1__header__unpack(NULL, v->header.len, v->header.data);
            struct id from = ID_NONE, id;
            if (h->from)
                assert_true(id_take(h->from->organisation, &from));
            assert_true(id_take(h->message_id, &id));
            if (h->fact_code == BRUG__V1__CODE__CODE_FAMILY_LINKED)
                take_fact(o, both[i], h);
            stage_ack(o->x->w, both[i]->session, &from, &id, ERROR_NONE);
            stage_settle(o->x->w);
            brug__v1__header__free_unpacked(h, NULL);
        }
    }
    for (unsigned i = 0; i < o->fact_count; i++)
        if (!o->facts[i].is_there)
            fail_msg("fact %u of %u is missing", i, o->fact_count);
}

static void assert_links(struct oracle *o)
{
    for (unsigned i = 0; i < STORM_CASES; i++) {
        unsigned expected = 0;
        if (!o->cases[i].is_open)
            continue;
        for (unsigned k = 0; k < STORM_CASES; k++)
            expected += o->links[i][k] != 0;
        assert_int_equal(links_of(o->x, o->cases[i].director, &o->x->cases[i]), expected);
    }
}

static void a_storm_of_tags_tells_what_an_oracle_says(void **state)
{
    struct oracle *o = calloc(1, sizeof *o);
    assert_non_null(o);
    o->x = *state;
    o->key = 1;
    for (unsigned step = 0; step < 600; step++) {
        unsigned what = pick(o, 100);
        if (open_cases(o) < 3 || what < 8)
            open_one(o);
        else if (what < 60)
            tag_one(o);
        else if (what < 64 && o->x->case_count < STORM_CASES)
            close_one(o);
        else if (what < 80)
            hand_over_one(o);
        else if (what < 86)
            rotate_one(o);
        else if (what < 90)
            crash(o);
        if (step % 50 != 49)
            continue;
        take_all(o);
        assert_links(o);
    }
    assert_true(o->fact_count > 100 && o->x->case_count > 12);
    assert_same_after_crash(o->x);
    free(o);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_key_is_in_force),
        TEST(a_key_goes_to_the_own_team_and_from_it_only),
        TEST(a_team_of_one_has_a_key_too),
        TEST(nobody_is_told_of_a_key_that_did_not_arrive),
        TEST(both_directors_are_told_and_nobody_else),
        TEST(a_list_tells_the_same_as_one_case),
        TEST(a_link_is_told_once),
        TEST(a_link_across_a_rotation_is_found_later),
        TEST(the_same_child_is_told_as_such),
        TEST(cases_without_a_tag_are_not_linked),
        TEST(one_director_of_both_hears_of_it_once),
        TEST(several_links_come_with_one_case),
        TEST(the_new_director_is_told_after_each_handover),
        TEST(a_director_without_a_client_is_told_by_the_case),
        TEST(eight_of_each_sort_are_linked_and_no_more),
        TEST(links_have_a_limit_and_a_child_has_room_of_its_own),
        TEST(tags_are_refused_where_they_have_no_place),
        TEST(two_teams_never_match),
        TEST(the_journal_has_no_tag),
        TEST(tags_and_links_end_with_their_case),
        TEST(a_record_without_its_tags_is_corrupt),
        TEST(a_storm_of_tags_tells_what_an_oracle_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
