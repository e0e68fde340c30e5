/*
 * daemon/core/decide_family.c: family linkage [R41]: a key letter of a team's clients, the tags of its cases, and who
 * is told that two cases are of one family: their directors, and nobody else.
 *
 * Happy path: a FAMILY_KEY letter puts a key in force; PutTags gives a case its tags under that key; a case whose tag is
 * equal to that of another open one of the team is linked with it, and each of the two directors gets a FACT, in the
 * same commit. A HANDOVER tells the new director of the links that are there.
 *
 * Invariants
 *  1. Tags of different keys are never compared, so two teams' never are.
 *  2. A link is found once: it is kept with the tags, whatever key they are under later, until one of its cases ends.
 */
#include "daemon/core/decide.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>

#define KEPT_BYTES_MAX 4096u
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name

/* ---- the key ---- */

enum error decide_family_key(const struct organisation *team, const Brug__V1__Header *h)
{
    struct id replaced;
    bool is_that =
        id_take_optional(h->replaced_key, &replaced) && id_equal(&replaced, &team->family_key);
    bool is_new = !slice_equal(check_slice(h->key_id), id_slice(&team->family_key));
    return is_that && is_new ? ERROR_NONE : ERROR_FAMILY_KEY_MOVED;
}

void decide_record_family_key(const Brug__V1__Header *h, struct instant now, struct decision *d)
{
    Brug__V1__TeamKey *r = decision_message(d, &brug__v1__team_key__descriptor);
    r->team = h->to;
    r->key_id = h->key_id;
    r->message_id = h->message_id;
    r->endpoint = h->from->endpoint;
    r->person = h->from->person;
    r->at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_TEAM_KEY, r, NULL);
}

/* ---- who is told ---- */

static ProtobufCBinaryData director_of(const struct casefile *c, struct decision *d)
{
    const Brug__V1__Case *row = casefile_unpack(c, d->arena);
    assert(row);
    return row->director;
}

/* `cause`: the HANDOVER that made this person the director; ID_NONE: the link was found. */
static struct id id_of_fact(const struct casefile *c, const struct family_link *l,
                            ProtobufCBinaryData director, const struct id *cause)
{
    const uint8_t strength = l->is_same_child;
    const struct slice parts[] = {
        slice_text("brug/1 linked"),   id_slice(&c->id), id_slice(&l->other->id),
        {director.data, director.len}, {&strength, 1},   id_slice(cause),
    };
    struct digest digest = digest_of_framed(parts, sizeof parts / sizeof parts[0]);
    return id_v8(&digest);
}

/* Tells the director of c of the other case. */
static void tell(const struct state *s, const struct casefile *c, const struct family_link *l,
                 ProtobufCBinaryData director, const struct id *cause, struct instant now,
                 struct decision *d)
{
    const struct person *person = person_find(s, director);
    Brug__V1__Header *h = decision_message(d, &brug__v1__header__descriptor);
    struct id *id = decision_alloc(d, 1, sizeof *id), *referral = decision_alloc(d, 1, sizeof *id);
    if (!person)
        return;
    const Brug__V1__Case *row = casefile_unpack(c, d->arena);
    bool is_whole =
        row && id_take(row->message_id, referral); /* the row may go before the record is packed */
    assert(is_whole);
    (void)is_whole;
    *id = id_of_fact(c, l, director, cause);
    h->kind = BRUG__V1__KIND__KIND_FACT;
    h->message_id = id_bytes(id);
    h->case_id = id_bytes(&c->id);
    h->in_reply_to = id_bytes(referral);
    h->fact_code = BRUG__V1__CODE__CODE_FAMILY_LINKED;
    h->linked_case = id_bytes(&l->other->id);
    h->linked_director = director_of(l->other, d);
    h->flags = l->is_same_child ? BRUG__V1__HEADER_FLAG__HEADER_FLAG_SAME_CHILD : 0;
    const struct audience to = {.organisation = c->team, .person = person};
    decide_tell(s, d, &to, c->municipality, h, now);
}

/* Both directors; one who holds both cases hears of it once, in the case that was tagged last. */
static void tell_both(const struct state *s, struct casefile *c, const struct family_link *l,
                      struct instant now, struct decision *d)
{
    ProtobufCBinaryData own = director_of(c, d), others = director_of(l->other, d);
    const struct family_link back = {c, l->is_same_child};
    tell(s, c, l, own, &ID_NONE, now, d);
    if (!slice_equal((struct slice){own.data, own.len}, (struct slice){others.data, others.len}))
        tell(s, l->other, &back, others, &ID_NONE, now, d);
}

void decide_family_handover(const struct state *s, const Brug__V1__Header *h, struct instant now,
                            struct decision *d)
{
    struct id id, cause;
    const struct casefile *c = id_take(h->case_id, &id) ? casefile_find(s, &id) : NULL;
    bool is_whole = id_take(h->message_id, &cause);
    assert(c && is_whole); /* the case was moved by it */
    (void)is_whole;
    for (size_t i = 0; c->family && i < c->family->link_count; i++)
        tell(s, c, &c->family->links[i], h->new_director, &cause, now, d);
}

/* ---- tags ---- */

struct tagging {
    const struct state *s;
    const struct command *c;
    struct decision *d;
    struct casefile *file;
    struct family_tags tags;
    struct family_link links[FAMILY_LINKS_MAX];
    size_t link_count;
    struct family_link found[FAMILY_LINKS_MAX]; /* of these, what is new */
    size_t found_count;
};

/* A case that somebody may be told of. */
static bool has_director(const struct casefile *c)
{
    return c->state == STATE(CLARIFYING) || c->state == STATE(SUPPORT);
}

static size_t count_links(const struct family_link *links, size_t n, bool is_same_child)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += links[i].is_same_child == is_same_child;
    return count;
}

/* Each sort has room of its own, so that a house with many children hides no second case of one child. */
static bool has_room(const struct tagging *t, const struct casefile *other, bool is_same_child)
{
    return count_links(t->links, t->link_count, is_same_child) < LIMIT_LINKED_CASES &&
           count_links(other->family->links, other->family->link_count, is_same_child) <
               LIMIT_LINKED_CASES;
}

static struct family_link *find(struct tagging *t, const struct casefile *other)
{
    for (size_t i = 0; i < t->link_count; i++)
        if (t->links[i].other == other)
            return &t->links[i];
    return NULL;
}

static void compare(struct tagging *t, struct casefile *other)
{
    const struct family *f = other->family;
    if (other == t->file || !f || !has_director(other) || !id_equal(&f->tags.key, &t->tags.key))
        return;
    bool is_same_child = t->tags.child.is_there && family_tag_equal(&t->tags.child, &f->tags.child);
    bool is_same_household =
        t->tags.household.is_there && family_tag_equal(&t->tags.household, &f->tags.household);
    struct family_link *known = find(t, other);
    if (!is_same_child && !(is_same_household && !known))
        return;
    if ((known && known->is_same_child) || !has_room(t, other, is_same_child))
        return;
    if (known)
        known->is_same_child = true;
    else
        t->links[t->link_count++] = (struct family_link){other, is_same_child};
    t->found[t->found_count++] = (struct family_link){other, is_same_child};
}

static struct body *pack_kept(struct tagging *t)
{
    Brug__V1__TagsKept kept = BRUG__V1__TAGS_KEPT__INIT;
    Brug__V1__LinkedCase links[FAMILY_LINKS_MAX], *list[FAMILY_LINKS_MAX];
    struct buf bytes;
    buf_init(&bytes, KEPT_BYTES_MAX);
    kept.child = t->c->frame->put_tags->child;
    kept.household = t->c->frame->put_tags->household;
    kept.links = list;
    kept.n_links = t->link_count;
    for (size_t i = 0; i < t->link_count; i++) {
        list[i] = &links[i];
        brug__v1__linked_case__init(&links[i]);
        links[i].case_id = id_bytes(&t->links[i].other->id);
        links[i].same_child = t->links[i].is_same_child;
    }
    enum error e = frame_append_bare(&bytes, &kept.base);
    struct body *b = e ? NULL : body_plain(buf_slice(&bytes));
    buf_fini(&bytes);
    assert(b); /* small, and half judged */
    return b;
}

static void record(struct tagging *t)
{
    const Brug__V1__PutTags *q = t->c->frame->put_tags;
    const struct endpoint *e = t->c->endpoint;
    Brug__V1__CaseTags *r = decision_message(t->d, &brug__v1__case_tags__descriptor);
    r->case_id = q->case_id;
    r->key_id = q->key_id;
    r->endpoint = id_bytes(&e->entity.id);
    r->person = id_bytes(&e->person->entity.id);
    r->at_ms = t->c->now.wall_ms;
    decision_record(t->d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS, r, pack_kept(t));
}

static bool has_these(const struct casefile *c, const struct family_tags *tags)
{
    return c->family && id_equal(&c->family->tags.key, &tags->key) &&
           family_tag_equal(&c->family->tags.child, &tags->child) &&
           family_tag_equal(&c->family->tags.household, &tags->household);
}

static void put_tags(struct tagging *t)
{
    const struct organisation *team = t->file->team;
    const struct family *f = t->file->family;
    for (size_t i = 0; f && i < f->link_count; i++)
        t->links[t->link_count++] = f->links[i];
    for (size_t i = 0; i < team->case_count; i++)
        compare(t, team->cases[i]);
    record(t);
    for (size_t i = 0; i < t->found_count; i++)
        tell_both(t->s, t->file, &t->found[i], t->c->now, t->d);
}

void decide_put_tags(const struct state *s, const struct command *c, struct decision *d)
{
    const Brug__V1__PutTags *q = c->frame->put_tags;
    const struct organisation *o = c->endpoint->organisation;
    struct tagging *t = decision_alloc(d, 1, sizeof *t);
    bool is_whole = family_read_tags(q->key_id, q->child, q->household, &t->tags);
    assert(is_whole); /* its form was checked */
    (void)is_whole;
    t->s = s;
    t->c = c;
    t->d = d;
    t->file = casefile_find(s, &c->case_id);
    if (!t->file || t->file->team != o)
        decision_refuse(d, c, ERROR_NO_SUCH_CASE, "put_tags.case_id");
    else if (!id_equal(&t->tags.key, &o->family_key))
        decision_refuse(d, c, ERROR_FAMILY_KEY_MOVED, "put_tags.key_id");
    else if (!has_director(t->file))
        decision_refuse(d, c, case_state_code(t->file->state), "put_tags.case_id");
    else if (!has_these(t->file, &t->tags))
        put_tags(t);
    if (d->answer.frame_case == BRUG__V1__SERVER_FRAME__FRAME__NOT_SET)
        decision_note(d);
}

/* ---- what is told of a case ---- */

static void tell_links(const struct casefile *f, Brug__V1__Case *told, struct decision *d)
{
    size_t n = f->family->link_count;
    Brug__V1__LinkedCase *links = decision_alloc(d, n, sizeof *links);
    told->linked = decision_alloc(d, n, sizeof *told->linked);
    told->n_linked = n;
    for (size_t i = 0; i < n; i++) {
        told->linked[i] = &links[i];
        brug__v1__linked_case__init(&links[i]);
        links[i].case_id = id_bytes(&f->family->links[i].other->id);
        links[i].director = director_of(f->family->links[i].other, d);
        links[i].same_child = f->family->links[i].is_same_child;
    }
}

void decide_tell_family(const struct casefile *f, const struct endpoint *asker,
                        Brug__V1__Case *told, struct decision *d)
{
    struct id director;
    if (!f->family || asker->organisation != f->team)
        return;
    told->family_key = id_bytes(&f->family->tags.key);
    if (f->family->link_count > 0 && asker->person && id_take(told->director, &director) &&
        id_equal(&director, &asker->person->entity.id))
        tell_links(f, told, d);
}
