/*
 * daemon/core/state_digest.c: one digest of all that a replay must restore. Each thing is packed in a
 * canonical form and digested by itself; the digests are combined by exclusive or, so that the order in
 * which a map is walked does not matter, and counted, so that no pair of equal ones can hide.
 */
#include "daemon/core/model.h"
#include "proto/frame.h"

struct summary {
    struct digest sum;
    uint64_t count;
    struct buf packed;
};

enum thing {
    THING_ROW = 1,
    THING_MAILBOX,
    THING_CASE,
    THING_MESSAGE,
    THING_QUOTA,
    THING_FAMILY_KEY,
    THING_FAMILY,
    THING_FIGURE,
    THING_PUBLISHED,
    THING_OUTAGE
};

static void add(struct summary *y, uint8_t thing, struct slice bytes)
{
    struct slice parts[] = {{&thing, 1}, bytes};
    struct digest d = digest_of_framed(parts, 2);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        y->sum.bytes[i] ^= d.bytes[i];
    y->count++;
}

static enum error add_packed(struct summary *y, uint8_t thing, const ProtobufCMessage *m)
{
    buf_clear(&y->packed);
    enum error e = frame_append_bare(&y->packed, m);
    if (!e)
        add(y, thing, buf_slice(&y->packed));
    return e;
}

static enum error add_numbers(struct summary *y, uint8_t thing, const struct id *id, uint64_t a,
                              uint64_t b)
{
    buf_clear(&y->packed);
    enum error e = buf_append_slice(&y->packed, id_slice(id));
    if (!e)
        e = buf_append_u64(&y->packed, a);
    if (!e)
        e = buf_append_u64(&y->packed, b);
    if (!e)
        add(y, thing, buf_slice(&y->packed));
    return e;
}

static enum error add_organisation(struct summary *y, const struct organisation *o)
{
    enum error e = add_packed(y, THING_ROW, &o->row->base);
    if (!e && !id_is_none(&o->family_key)) {
        const struct slice parts[] = {id_slice(&o->entity.id), id_slice(&o->family_key)};
        struct digest d = digest_of_framed(parts, 2);
        add(y, THING_FAMILY_KEY, digest_slice(&d));
    }
    return e ? e
             : add_numbers(y, THING_QUOTA, &o->entity.id, o->unfetched_messages,
                           o->unfetched_bytes);
}

/* What is in the mailbox, in its order, and the last sequence: a row holds only what it was when written. */
static enum error add_mailbox(struct summary *y, const struct endpoint *p)
{
    buf_clear(&y->packed);
    enum error e = buf_append_slice(&y->packed, id_slice(&p->entity.id));
    if (!e)
        e = buf_append_u64(&y->packed, p->sequence);
    list_for_each (l, next, &p->mailbox) {
        if (!e)
            e = buf_append_u64(&y->packed, container_of(l, struct reader, link)->sequence);
    }
    if (!e)
        add(y, THING_MAILBOX, buf_slice(&y->packed));
    return e;
}

static enum error add_endpoint(struct summary *y, const struct endpoint *p)
{
    Brug__V1__EndpointRow row = *p->row;
    row.sequence = 0;
    enum error e = add_packed(y, THING_ROW, &row.base);
    return e ? e : add_mailbox(y, p);
}

static enum error add_directory(struct summary *y, const struct state *s)
{
    enum error e = ERROR_NONE;
    for (size_t i = 0; !e && i < table_count(&s->municipalities); i++)
        e = add_packed(
            y, THING_ROW,
            &container_of(s->municipalities.sorted[i], struct municipality, entity)->row->base);
    for (size_t i = 0; !e && i < table_count(&s->organisations); i++)
        e = add_organisation(y,
                             container_of(s->organisations.sorted[i], struct organisation, entity));
    for (size_t i = 0; !e && i < table_count(&s->persons); i++)
        e = add_packed(y, THING_ROW,
                       &container_of(s->persons.sorted[i], struct person, entity)->row->base);
    for (size_t i = 0; !e && i < table_count(&s->endpoints); i++)
        e = add_endpoint(y, container_of(s->endpoints.sorted[i], struct endpoint, entity));
    for (size_t i = 0; !e && i < s->outages.count; i++)
        e = add_packed(y, THING_OUTAGE, &s->outages.rows[i]->base);
    return e;
}

static enum error add_figure(struct summary *y, const struct figure_book *b,
                             const struct figure_line *l, const struct figure_entry *entry)
{
    const uint64_t numbers[] = {entry->day, entry->event, entry->code, entry->count};
    buf_clear(&y->packed);
    enum error e = buf_append_slice(&y->packed, (struct slice){b->key[0].bytes, sizeof b->key});
    if (!e)
        e = buf_append_slice(&y->packed, id_slice(&l->practice->entity.id));
    for (size_t i = 0; !e && i < sizeof numbers / sizeof numbers[0]; i++)
        e = buf_append_u64(&y->packed, numbers[i]);
    if (!e)
        add(y, THING_FIGURE, buf_slice(&y->packed));
    return e;
}

static enum error add_figures(struct summary *y, const struct figure_book *b)
{
    enum error e = ERROR_NONE;
    for (size_t i = 0; i < b->published_count; i++)
        add(y, THING_PUBLISHED, buf_slice(&b->published[i].row));
    for (size_t i = 0; !e && i < b->line_count; i++)
        for (size_t k = 0; !e && k < b->lines[i].count; k++)
            e = add_figure(y, b, &b->lines[i], &b->lines[i].entries[k]);
    return e;
}

static enum error append_reader(struct buf *b, const struct reader *r)
{
    const uint64_t numbers[] = {r->sequence,
                                (uint64_t)r->settled_at_ms,
                                (uint64_t)r->opened_at_ms,
                                r->state,
                                r->code,
                                r->in_vain,
                                r->is_parked,
                                r->was_parked};
    enum error e = buf_append_slice(b, id_slice(&r->endpoint->entity.id));
    if (!e)
        e = buf_append_slice(b, id_slice(r->opened_by ? &r->opened_by->entity.id : &ID_NONE));
    for (size_t i = 0; !e && i < sizeof numbers / sizeof numbers[0]; i++)
        e = buf_append_u64(b, numbers[i]);
    return e;
}

static enum error add_message(struct summary *y, const struct message *m)
{
    const uint64_t numbers[] = {(uint64_t)m->at_ms, m->body_lsn,  m->body_bytes, m->code, m->kind,
                                m->is_quarantined,  m->is_counted};
    const struct slice parts[] = {
        {(const uint8_t *)&m->key, sizeof m->key},
        digest_slice(&m->digest),
        id_slice(&m->case_id),
        id_slice(m->sender ? &m->sender->entity.id : &ID_NONE),
        id_slice(m->to ? &m->to->entity.id : &ID_NONE),
        id_slice(m->municipality ? &m->municipality->entity.id : &ID_NONE),
    };
    enum error e = ERROR_NONE;
    buf_clear(&y->packed);
    for (size_t i = 0; !e && i < sizeof parts / sizeof parts[0]; i++)
        e = buf_append_slice(&y->packed, parts[i]);
    for (size_t i = 0; !e && i < sizeof numbers / sizeof numbers[0]; i++)
        e = buf_append_u64(&y->packed, numbers[i]);
    for (size_t i = 0; !e && i < m->reader_count; i++)
        e = append_reader(&y->packed, &m->readers[i]);
    if (!e)
        add(y, THING_MESSAGE, buf_slice(&y->packed));
    return e;
}

static enum error add_case(struct summary *y, const struct casefile *c)
{
    add(y, THING_CASE, casefile_row(c));
    if (!c->family)
        return ERROR_NONE;
    buf_clear(&y->packed);
    enum error e = buf_append_slice(&y->packed, id_slice(&c->id));
    if (!e)
        e = family_append(c->family, &y->packed);
    if (!e)
        add(y, THING_FAMILY, buf_slice(&y->packed));
    return e;
}

/* What a start restores; the others are in the tables. */
static bool is_live(const struct state *s, const struct message *m)
{
    return m->waiting_count > 0 || message_id_is_recent(s, &m->key.id);
}

enum error state_digest(const struct state *s, struct digest *out)
{
    struct summary y = {0};
    uint8_t numbers[6 * 8];
    const uint64_t totals[5] = {s->lsn, s->waiting, s->parked, s->waiting_bytes, s->quarantined};
    buf_init(&y.packed, SIZE_MAX / 4);
    enum error e = add_directory(&y, s);
    for (struct map_node *n = map_next(&s->cases, NULL); !e && n; n = map_next(&s->cases, n))
        e = add_case(&y, container_of(n, struct casefile, node));
    for (struct map_node *n = map_next(&s->figures, NULL); !e && n; n = map_next(&s->figures, n))
        e = add_figures(&y, container_of(n, struct figure_book, node));
    for (struct map_node *n = map_next(&s->messages, NULL); !e && n; n = map_next(&s->messages, n))
        if (is_live(s, container_of(n, struct message, node)))
            e = add_message(&y, container_of(n, struct message, node));
    buf_fini(&y.packed);
    if (e)
        return e;
    for (size_t i = 0; i < sizeof numbers; i++)
        numbers[i] = (uint8_t)((i / 8 < 5 ? totals[i / 8] : y.count) >> (8 * (i % 8)));
    const struct slice parts[] = {digest_slice(&y.sum), {numbers, sizeof numbers}};
    *out = digest_of_framed(parts, 2);
    return ERROR_NONE;
}
