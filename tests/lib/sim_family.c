/*
 * tests/lib/sim_family.c: the judge of family linkage [R41]. A case's tags follow from its id, so that who gave which tags need not be
 * asked: cases of a few children, in fewer houses. What was tagged under which key, and in which order, it takes from the records on disk.
 *   a key is accepted only in the place of the one in force; tags only under that one, for a case that has a director
 *   the director of a case is told of exactly the open cases that it is linked with, whatever crashed meanwhile; nobody else is
 *   a FACT tells of a link that there is
 */
#include "tests/lib/sim_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define CHILDREN 6u
#define HOUSES 5u

void sim_family_free(struct sim_cases *k) { free(k->links); }

/* ---- what a case's tags are ---- */

uint8_t sim_child_of(const struct id *case_id)
{
    return (uint8_t)(1 + case_id->bytes[0] % CHILDREN);
}

/* 0: it has no address. */
uint8_t sim_house_of(const struct id *case_id)
{
    uint8_t house = case_id->bytes[1] % HOUSES;
    return house ? (uint8_t)(100 + house) : 0;
}

/* ---- keys ---- */

static struct id *key_of(struct sim *w, const struct id *team)
{
    for (size_t i = 0; i < w->organisation_count; i++)
        if (id_equal(&w->organisations[i], team))
            return &w->cases->keys[i];
    fail_msg("no such team");
    return NULL;
}

struct id sim_key_of(struct sim *w, const struct id *team) { return *key_of(w, team); }

void judge_family_key(struct sim *w, const struct sim_letter *l)
{
    struct id *key = key_of(w, &l->l.to);
    if (!id_equal(&l->key.organisation, &l->l.to))
        sim_flag(w, "R41: a family key is accepted from outside the team");
    if (!id_equal(&l->l.codes.replaced_key, key) || id_equal(&l->l.codes.key_id, key))
        sim_flag(w, "R41: a family key is accepted that replaces another than the one in force");
    *key = l->l.codes.key_id;
}

/* ---- links ---- */

static bool has_director(const struct sim_dossier *d)
{
    Brug__V1__CaseState state = sim_dossier_now(d)->state;
    return state == STATE(CLARIFYING) || state == STATE(SUPPORT);
}

static bool is_linked(const struct sim_cases *k, const struct sim_dossier *a,
                      const struct sim_dossier *b)
{
    for (size_t i = 0; i < k->link_count; i++)
        if ((k->links[i].a == a && k->links[i].b == b) ||
            (k->links[i].a == b && k->links[i].b == a))
            return true;
    return false;
}

static void compare(struct sim *w, struct sim_dossier *d, struct sim_dossier *other, uint64_t lsn)
{
    struct sim_cases *k = w->cases;
    uint8_t house = sim_house_of(&d->id);
    bool is_same_child = sim_child_of(&d->id) == sim_child_of(&other->id);
    if (other == d || !id_equal(&d->team, &other->team) || !id_equal(&d->key, &other->key) ||
        !has_director(other) || is_linked(k, d, other))
        return;
    if (!is_same_child && (!house || house != sim_house_of(&other->id)))
        return;
    k->links = sim_grown(k->links, k->link_count, &k->link_capacity, sizeof *k->links);
    k->links[k->link_count++] = (struct sim_family_link){d, other, lsn, is_same_child};
}

void judge_tags(struct sim *w, const Brug__V1__CaseTags *r, uint64_t lsn)
{
    struct id id, key;
    assert_true(id_take(r->case_id, &id) && id_take(r->key_id, &key));
    struct sim_dossier *d = sim_dossier_find(w, &id);
    struct id in_force = d ? sim_key_of(w, &d->team) : ID_NONE;
    if (!d || !has_director(d) || !id_equal(&key, &in_force)) {
        sim_flag(w, "R41: a case gets tags that has no place for them");
        return;
    }
    d->key = key;
    w->cases->tagged++;
    for (size_t i = 0; i < w->cases->count; i++)
        compare(w, d, w->cases->list[i], lsn);
}

/* ---- what is told ---- */

static bool has_ended_at(const struct sim_dossier *d, uint64_t lsn)
{
    return sim_dossier_at(d, lsn)->state >= STATE(CLOSED);
}

static bool has_link(const Brug__V1__Case *c, const struct sim_dossier *other, bool is_same_child)
{
    for (size_t i = 0; i < c->n_linked; i++)
        if (memcmp(c->linked[i]->case_id.data, other->id.bytes, ID_BYTES) == 0)
            return c->linked[i]->same_child == is_same_child;
    return false;
}

void judge_links_told(struct sim *w, const struct sim_question *q, const struct sim_dossier *d,
                      const Brug__V1__Case *c)
{
    const struct sim_cases *k = w->cases;
    const struct id *director = &sim_dossier_at(d, q->lsn)->director;
    bool is_its = id_equal(&q->client->e.organisation, &d->team) && !id_is_none(director) &&
                  id_equal(&q->client->e.person, director);
    size_t n = 0;
    bool is_so = true;
    for (size_t i = 0; is_its && i < k->link_count && k->links[i].lsn <= q->lsn; i++) {
        const struct sim_family_link *l = &k->links[i];
        const struct sim_dossier *other = l->a == d ? l->b : l->b == d ? l->a : NULL;
        if (!other || has_ended_at(d, q->lsn) || has_ended_at(other, q->lsn))
            continue;
        n++;
        is_so &= has_link(c, other, l->is_same_child);
    }
    if (!is_so || n != c->n_linked)
        sim_flag(w, "R41: a case is told with %zu links, not with its %zu", c->n_linked, n);
    w->cases->links_told += n;
}

void judge_link_fact(struct sim *w, const Brug__V1__Header *h)
{
    struct id one, other;
    const struct sim_dossier *a = id_take(h->case_id, &one) ? sim_dossier_find(w, &one) : NULL;
    const struct sim_dossier *b =
        id_take(h->linked_case, &other) ? sim_dossier_find(w, &other) : NULL;
    if (!a || !b || !is_linked(w->cases, a, b))
        sim_flag(w, "R41: a FACT tells of a link that there is not");
}
