/* rules/case_row.c: field by field, both ways. */
#include "rules/case_row.h"
#include "rules/workdays.h"

#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name

/* ---- reading ---- */

/* Empty is ID_NONE. */
static bool read_id(ProtobufCBinaryData b, struct id *out)
{
    *out = ID_NONE;
    return b.len == 0 || id_from_slice(out, (struct slice){b.data, b.len}) == ERROR_NONE;
}

static bool read_item(const Brug__V1__OwedItem *row, struct owed_item *out)
{
    *out = (struct owed_item){.kind = row->kind,
                              .debtor = row->debtor,
                              .due_date = row->due_date,
                              .moment = row->moment,
                              .is_delayed = row->delayed,
                              .born_at_ms = row->born_at_ms,
                              .is_opened = row->opened,
                              .notices = row->notices,
                              .unopened_notices = row->unopened_notices,
                              .told_date = row->told_date};
    return read_id(row->owed_id, &out->id) && read_id(row->message_id, &out->cause);
}

static bool read_proposal(const Brug__V1__Proposal *row, struct case_proposal *out)
{
    if (!row)
        return true;
    out->kind = row->kind;
    out->by = row->by;
    return read_id(row->person, &out->person) && read_id(row->message_id, &out->message_id);
}

static bool read_bridging(const Brug__V1__Bridging *row, struct case_bridging *out)
{
    if (!row)
        return true;
    out->by = row->by;
    out->carrier = row->carrier;
    out->until_date = row->until_date;
    out->is_reminded = row->reminded;
    return read_id(row->person, &out->person) && read_id(row->message_id, &out->message_id);
}

static bool read_lists(const Brug__V1__Case *row, struct case_file *out)
{
    if (row->n_moments > CASE_MOMENTS_MAX || row->n_owed > CASE_OWED_MAX)
        return false;
    for (size_t i = 0; i < row->n_moments; i++)
        out->moments[i] = (struct case_moment){row->moments[i]->event, row->moments[i]->date,
                                               row->moments[i]->conversations};
    out->moment_count = row->n_moments;
    for (size_t i = 0; i < row->n_owed; i++)
        if (!read_item(row->owed[i], &out->owed[i]))
            return false;
    out->owed_count = row->n_owed;
    return true;
}

static enum error read_whole(const Brug__V1__Case *row, struct case_file *out)
{
    struct case_file c = {.state = row->state,
                          .custody = row->custody,
                          .reason = row->reason,
                          .request_type = row->request_type,
                          .was_objected = row->objected,
                          .outcome = row->outcome,
                          .conversations = row->conversations,
                          .involvement = row->involvement,
                          .taken_up_at_ms = row->taken_up_at_ms,
                          .started_at_ms = row->started_at_ms,
                          .ended_at_ms = row->ended_at_ms,
                          .outages = row->outages};
    bool is_whole =
        read_id(row->case_id, &c.id) && !id_is_none(&c.id) && read_id(row->director, &c.director) &&
        read_id(row->closing_id, &c.closing_id) && read_id(row->linked_case, &c.linked_case) &&
        read_proposal(row->proposal, &c.proposal) &&
        read_bridging(row->bridging_proposed, &c.bridging_proposed) &&
        read_bridging(row->bridging, &c.bridging) && read_lists(row, &c) &&
        row->state <= STATE(ADVISED) && case_is_sound(&c);
    if (!is_whole)
        return ERROR_CORRUPT;
    *out = c;
    return ERROR_NONE;
}

/* The referral that opened it, as far as it was recorded then. */
static enum error read_opened(const Brug__V1__Case *row, struct case_file *out)
{
    static const struct case_file none;
    Brug__V1__Header h = BRUG__V1__HEADER__INIT;
    struct case_ends ends;
    h.kind = BRUG__V1__KIND__KIND_REFERRAL;
    h.case_id = row->case_id;
    h.message_id = row->message_id;
    const struct case_move m = {
        .header = &h,
        .actor = {.side = BRUG__V1__SIDE__SIDE_PRACTICE, .role = BRUG__V1__ROLE__ROLE_GP},
        .today = workdays_date(row->at_ms),
        .now_ms = row->at_ms,
        .terms = &CASE_TERMS};
    return case_judge(&none, &m, out, &ends);
}

enum error case_row_read(const Brug__V1__Case *row, struct case_file *out)
{
    return row->state == STATE(NONE) ? read_opened(row, out) : read_whole(row, out);
}

/* ---- writing ---- */

static ProtobufCBinaryData id_bytes(const struct id *id)
{
    return (ProtobufCBinaryData){id_is_none(id) ? 0 : ID_BYTES, (uint8_t *)(uintptr_t)id->bytes};
}

void case_row_write_item(const struct owed_item *item, Brug__V1__OwedItem *out)
{
    brug__v1__owed_item__init(out);
    out->owed_id = id_bytes(&item->id);
    out->kind = item->kind;
    out->debtor = item->debtor;
    out->message_id = id_bytes(&item->cause);
    out->due_date = item->due_date;
    out->moment = item->moment;
    out->delayed = item->is_delayed;
    out->born_at_ms = item->born_at_ms;
    out->opened = item->is_opened;
    out->notices = item->notices;
    out->unopened_notices = item->unopened_notices;
    out->told_date = item->told_date;
}

static Brug__V1__Proposal *write_proposal(const struct case_proposal *p, Brug__V1__Proposal *out)
{
    if (p->by == BRUG__V1__SIDE__SIDE_NONE)
        return NULL;
    brug__v1__proposal__init(out);
    out->kind = p->kind;
    out->by = p->by;
    out->person = id_bytes(&p->person);
    out->message_id = id_bytes(&p->message_id);
    return out;
}

static Brug__V1__Bridging *write_bridging(const struct case_bridging *b, Brug__V1__Bridging *out)
{
    if (b->by == BRUG__V1__SIDE__SIDE_NONE)
        return NULL;
    brug__v1__bridging__init(out);
    out->by = b->by;
    out->person = id_bytes(&b->person);
    out->message_id = id_bytes(&b->message_id);
    out->carrier = b->carrier;
    out->until_date = b->until_date;
    out->reminded = b->is_reminded;
    return out;
}

static void write_lists(const struct case_file *c, struct case_row *out)
{
    for (size_t i = 0; i < c->moment_count; i++) {
        Brug__V1__Moment *m = out->moment_list[i] = &out->moments[i];
        brug__v1__moment__init(m);
        m->event = c->moments[i].event;
        m->date = c->moments[i].date;
        m->conversations = c->moments[i].conversations;
    }
    for (size_t i = 0; i < c->owed_count; i++) {
        out->owed_list[i] = &out->owed[i];
        case_row_write_item(&c->owed[i], &out->owed[i]);
    }
    out->row.n_moments = c->moment_count;
    out->row.moments = out->moment_list;
    out->row.n_owed = c->owed_count;
    out->row.owed = out->owed_list;
}

void case_row_write(const struct case_file *c, const Brug__V1__Case *was, struct case_row *out)
{
    Brug__V1__Case *row = &out->row;
    brug__v1__case__init(row);
    row->case_id = id_bytes(&c->id);
    row->municipality = was->municipality;
    row->practice = was->practice;
    row->team = was->team;
    row->message_id = was->message_id;
    row->at_ms = was->at_ms;
    row->state = c->state;
    row->custody = c->custody;
    row->director = id_bytes(&c->director);
    row->reason = c->reason;
    row->request_type = c->request_type;
    row->proposal = write_proposal(&c->proposal, &out->proposal);
    row->objected = c->was_objected;
    row->bridging_proposed = write_bridging(&c->bridging_proposed, &out->bridging_proposed);
    row->bridging = write_bridging(&c->bridging, &out->bridging);
    row->outcome = c->outcome;
    row->conversations = c->conversations;
    row->involvement = c->involvement;
    row->closing_id = id_bytes(&c->closing_id);
    row->taken_up_at_ms = c->taken_up_at_ms;
    row->started_at_ms = c->started_at_ms;
    row->ended_at_ms = c->ended_at_ms;
    row->linked_case = id_bytes(&c->linked_case);
    row->outages = c->outages;
    write_lists(c, out);
}
