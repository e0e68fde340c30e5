/*
 * daemon/core/family.c: which open cases of a team are of one family [R41]: the tags that its clients gave them, and the
 * links that were found by these. The relay has no key of a tag: it sees which are equal, and nothing else.
 *
 * Failures: what a record keeps beside the journal is missing or is no TagsKept (CORRUPT), no memory.
 *
 * Invariants
 *  1. Only a case that has not ended has tags or links.
 *  2. A link stands with both of its cases or with neither, and is as strong in both.
 */
#include "daemon/core/model.h"
#include "proto/frame.h"
#include <stdlib.h>
#include <string.h>

/* ---- links ---- */

static size_t place_of(const struct family *f, const struct casefile *other)
{
    size_t at = 0;
    while (at < f->link_count && id_compare(&f->links[at].other->id, &other->id) < 0)
        at++;
    return at;
}

static struct family *family_of(struct casefile *c)
{
    if (!c->family)
        c->family = calloc(1, sizeof *c->family);
    return c->family;
}

/* decide never adds more than there is room for; what a damaged row has more is left out. */
static void add(struct family *f, struct casefile *other, bool is_same_child)
{
    size_t at = place_of(f, other);
    if (at < f->link_count && f->links[at].other == other) {
        f->links[at].is_same_child |= is_same_child;
        return;
    }
    if (f->link_count == FAMILY_LINKS_MAX)
        return;
    memmove(&f->links[at + 1], &f->links[at], (f->link_count - at) * sizeof f->links[0]);
    f->links[at] = (struct family_link){other, is_same_child};
    f->link_count++;
}

static void take_out(struct family *f, const struct casefile *other)
{
    size_t at = place_of(f, other);
    if (at == f->link_count || f->links[at].other != other)
        return;
    f->link_count--;
    memmove(&f->links[at], &f->links[at + 1], (f->link_count - at) * sizeof f->links[0]);
}

/* One that ended since, or is not known, is not linked any more. */
static enum error put_link(const struct state *s, struct casefile *c, const Brug__V1__LinkedCase *l)
{
    struct id id;
    struct casefile *other = id_take(l->case_id, &id) ? casefile_find(s, &id) : NULL;
    if (!other || other == c || other->team != c->team || casefile_has_ended(other))
        return ERROR_NONE;
    if (!family_of(other))
        return ERROR_NO_MEMORY;
    add(c->family, other, l->same_child);
    add(other->family, c, l->same_child);
    return ERROR_NONE;
}

/* ---- tags ---- */

static bool read_tag(ProtobufCBinaryData b, struct family_tag *out)
{
    *out = (struct family_tag){.is_there = b.len > 0};
    return b.len == 0 ||
           digest_from_slice(&out->value, (struct slice){b.data, b.len}) == ERROR_NONE;
}

bool family_read_tags(ProtobufCBinaryData key_id, ProtobufCBinaryData child,
                      ProtobufCBinaryData household, struct family_tags *out)
{
    return id_take(key_id, &out->key) && read_tag(child, &out->child) &&
           read_tag(household, &out->household);
}

bool family_tag_equal(const struct family_tag *a, const struct family_tag *b)
{
    return a->is_there == b->is_there && (!a->is_there || digest_equal(&a->value, &b->value));
}

enum error family_put(struct state *s, const Brug__V1__CaseTags *record,
                      const Brug__V1__TagsKept *kept)
{
    struct id id;
    struct family_tags tags;
    struct casefile *c = id_take(record->case_id, &id) ? casefile_find(s, &id) : NULL;
    if (!c || !family_read_tags(record->key_id, kept->child, kept->household, &tags))
        return ERROR_CORRUPT;
    if (casefile_has_ended(c))
        return ERROR_NONE;
    if (!family_of(c))
        return ERROR_NO_MEMORY;
    c->family->tags = tags;
    enum error e = ERROR_NONE;
    for (size_t i = 0; !e && i < kept->n_links; i++)
        e = put_link(s, c, kept->links[i]);
    return e;
}

void family_forget(struct casefile *c)
{
    for (size_t i = 0; c->family && i < c->family->link_count; i++)
        take_out(c->family->links[i].other->family, c);
    free(c->family);
    c->family = NULL;
}

enum error family_append(const struct family *f, struct buf *out)
{
    const struct family_tag *const tags[] = {&f->tags.child, &f->tags.household};
    enum error e = buf_append_slice(out, id_slice(&f->tags.key));
    for (size_t i = 0; !e && i < 2; i++)
        e = buf_append_slice(out, tags[i]->is_there ? digest_slice(&tags[i]->value) : SLICE_NONE);
    for (size_t i = 0; !e && i < f->link_count; i++) {
        e = buf_append_slice(out, id_slice(&f->links[i].other->id));
        if (!e)
            e = buf_append_u64(out, f->links[i].is_same_child);
    }
    return e;
}
