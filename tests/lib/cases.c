/* tests/lib/cases.c: the cases of a history (outbox.h), and what the tables must hold of them. */
#include "tests/lib/cases.h"
#include "proto/frame.h"
#include <stdlib.h>
#include <string.h>

#define CASES_MORE 16
#define ASKED_MAX 16 /* questions in one move: a case grows quickly */
#define KIND(name) BRUG__V1__KIND__KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static void *must_have(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static void must(enum error e)
{
    if (e != ERROR_NONE)
        abort();
}

static ProtobufCBinaryData id_bytes(const struct id *id)
{
    return (ProtobufCBinaryData){id_is_none(id) ? 0 : ID_BYTES, (uint8_t *)(uintptr_t)id->bytes};
}

/* ---- moves ---- */

/* What one move does, besides what it leaves in the case. */
struct move {
    struct history *history;
    struct history_case *of;
    Brug__V1__Kind kind;
    struct id message_id;
    struct history_owed ended[HISTORY_OWED_MAX];
    unsigned ended_count;
};

static void owe(struct move *m, unsigned at, Brug__V1__OwedKind kind)
{
    struct history *w = m->history;
    m->of->owed[at] = (struct history_owed){.id = history_id(w, 8),
                                            .message_id = m->message_id,
                                            .kind = kind,
                                            .debtor = TEAM,
                                            .due_date = (uint32_t)(w->now_ms / DAY_MS) + 5,
                                            .born_at_ms = w->now_ms};
}

static void end_item(struct move *m, unsigned at)
{
    struct history_case *c = m->of;
    m->ended[m->ended_count++] = c->owed[at];
    c->owed_count--;
    memmove(&c->owed[at], &c->owed[at + 1], (c->owed_count - at) * sizeof c->owed[0]);
}

/* What moves the case on is owed anew, in the place of what was. */
static void owe_next(struct move *m, Brug__V1__OwedKind kind)
{
    struct history_case *c = m->of;
    end_item(m, 0);
    memmove(&c->owed[1], &c->owed[0], c->owed_count * sizeof c->owed[0]);
    owe(m, 0, kind);
    c->owed_count++;
}

static unsigned questions_of(const struct history_case *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->owed_count; i++)
        n += c->owed[i].kind == OWED(INFO_REPLY);
    return n;
}

static void ask(struct move *m)
{
    struct history_case *c = m->of;
    unsigned count = 1 + (unsigned)history_random(m->history, ASKED_MAX);
    m->kind = KIND(INFO_REQUEST);
    for (; count > 0 && questions_of(c) < CASE_QUESTIONS_MAX; count--)
        owe(m, c->owed_count++, OWED(INFO_REPLY));
}

static void answer(struct move *m)
{
    struct history_case *c = m->of;
    m->kind = KIND(INFO_REPLY);
    if (c->owed_count > 0 && c->owed[c->owed_count - 1].kind == OWED(INFO_REPLY))
        end_item(m, c->owed_count - 1);
    else
        m->kind = KIND(NOTE);
}

/* From one state to the next. */
static void go_on(struct move *m)
{
    struct history *w = m->history;
    struct history_case *c = m->of;
    switch (c->state) {
    case STATE(REFERRED):
        m->kind = KIND(CLAIM);
        c->state = STATE(CLARIFYING);
        c->director = w->persons[1];
        c->taken_up_at_ms = w->now_ms;
        owe_next(m, OWED(START));
        break;
    case STATE(CLARIFYING):
        m->kind = KIND(START);
        c->state = STATE(SUPPORT);
        c->started_at_ms = w->now_ms;
        owe_next(m, OWED(CLOSING));
        break;
    case STATE(SUPPORT):
        m->kind = KIND(CLOSING);
        c->state = STATE(CLOSED);
        c->closing_id = m->message_id;
        c->ended_at_ms = w->now_ms;
        for (unsigned i = c->owed_count; i-- > 0;)
            if (c->owed[i].kind != OWED(INFO_REPLY))
                end_item(m, i);
        break;
    default: /* a GP opened the closing letter */
        m->kind = KIND(NONE);
        m->message_id = c->closing_id;
        c->closing_id = ID_NONE;
    }
}

/* ---- their records ---- */

static void fill_item(Brug__V1__OwedItem *out, const struct history_owed *o)
{
    brug__v1__owed_item__init(out);
    out->owed_id = id_bytes(&o->id);
    out->kind = o->kind;
    out->debtor = o->debtor;
    out->message_id = id_bytes(&o->message_id);
    out->due_date = o->due_date;
    out->moment = o->moment;
    out->born_at_ms = o->born_at_ms;
}

static void fill_case(Brug__V1__Case *out, const struct history *w, const struct history_case *c)
{
    bool is_teams =
        c->state == STATE(CLARIFYING) || c->state == STATE(SUPPORT) || !id_is_none(&c->closing_id);
    brug__v1__case__init(out);
    out->case_id = id_bytes(&c->id);
    out->municipality = id_bytes(&w->municipality);
    out->practice = id_bytes(&w->organisations[0]);
    out->team = id_bytes(&w->organisations[1]);
    out->message_id = id_bytes(&c->message_id);
    out->at_ms = c->at_ms;
    out->state = c->state;
    out->custody = is_teams ? TEAM : PRACTICE;
    out->director = id_bytes(&c->director);
    out->reason = BRUG__V1__REASON__REASON_PARENTING;
    out->request_type = BRUG__V1__REQUEST_TYPE__REQUEST_TYPE_CLARIFY;
    if (c->state == STATE(CLOSED))
        out->outcome = BRUG__V1__OUTCOME__OUTCOME_LOCAL_PROVISION;
    out->closing_id = id_bytes(&c->closing_id);
    out->taken_up_at_ms = c->taken_up_at_ms;
    out->started_at_ms = c->started_at_ms;
    out->ended_at_ms = c->ended_at_ms;
}

static void record(const struct move *m, struct group *g)
{
    struct history *w = m->history;
    const struct history_case *c = m->of;
    Brug__V1__CaseMoved r = BRUG__V1__CASE_MOVED__INIT;
    Brug__V1__Case now;
    Brug__V1__OwedItem owed[HISTORY_OWED_MAX], *owed_list[HISTORY_OWED_MAX];
    Brug__V1__OwedItem items[HISTORY_OWED_MAX];
    Brug__V1__OwedEnd ended[HISTORY_OWED_MAX], *ended_list[HISTORY_OWED_MAX];
    Brug__V1__Moment moment = BRUG__V1__MOMENT__INIT, *moments[CASE_MOMENTS_MAX];
    unsigned actor = m->kind == KIND(REFERRAL) || m->kind == KIND(NONE) ? 0 : 1;
    fill_case(&now, w, c);
    for (unsigned i = 0; i < c->owed_count; i++) {
        fill_item(&owed[i], &c->owed[i]);
        owed_list[i] = &owed[i];
    }
    for (unsigned i = 0; i < m->ended_count; i++) {
        fill_item(&items[i], &m->ended[i]);
        brug__v1__owed_end__init(&ended[i]);
        ended[i].item = &items[i];
        ended_list[i] = &ended[i];
    }
    moment.event = BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_WAITING_LIST;
    for (unsigned i = 0; i < c->moment_count; i++)
        moments[i] = &moment;
    now.moments = moments;
    now.n_moments = c->moment_count;
    now.reason = c->reason;
    now.owed = owed_list;
    now.n_owed = c->owed_count;
    r.case_now = &now;
    r.kind = m->kind;
    r.organisation = id_bytes(&w->organisations[actor]);
    r.message_id = id_bytes(&m->message_id);
    r.person = id_bytes(&w->persons[actor]);
    r.at_ms = w->now_ms;
    r.ended = ended_list;
    r.n_ended = m->ended_count;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED, &r);
}

/* A referral that waits to be taken up. */
static struct move new_case(struct history *w)
{
    if (w->case_count % CASES_MORE == 0)
        w->cases = must_have(reallocarray(w->cases, w->case_count + CASES_MORE, sizeof *w->cases));
    struct history_case *c = &w->cases[w->case_count++];
    *c = (struct history_case){.id = history_id(w, history_random(w, 4) == 0 ? 4 : 7),
                               .message_id = history_id(w, 7),
                               .state = STATE(REFERRED),
                               .at_ms = w->now_ms};
    struct move m = {.history = w, .of = c, .kind = KIND(REFERRAL), .message_id = c->message_id};
    owe(&m, c->owed_count++, OWED(TAKE_UP));
    return m;
}

/* Moments whose event has not come. */
static void name_moments(struct move *m)
{
    struct history_case *c = m->of;
    for (; c->moment_count < CASE_MOMENTS_MAX; c->moment_count++) {
        owe(m, c->owed_count, OWED(MOMENT));
        c->owed[c->owed_count].due_date = 0;
        c->owed[c->owed_count++].moment = c->moment_count + 1;
    }
}

void history_open_case(struct history *w, struct group *g)
{
    struct move m = new_case(w);
    m.of->reason = BRUG__V1__REASON__REASON_PARENTING;
    if (history_random(w, 2) == 0)
        name_moments(&m);
    record(&m, g);
}

void history_open_old_case(struct history *w, struct group *g)
{
    Brug__V1__CaseOpened r = BRUG__V1__CASE_OPENED__INIT;
    const struct history_case *c = new_case(w).of;
    r.case_id = id_bytes(&c->id);
    r.municipality = id_bytes(&w->municipality);
    r.practice = id_bytes(&w->organisations[0]);
    r.team = id_bytes(&w->organisations[1]);
    r.message_id = id_bytes(&c->message_id);
    r.at_ms = c->at_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED, &r);
}

void history_move_case(struct history *w, struct group *g, struct history_case *c)
{
    struct move m = {.history = w, .of = c, .message_id = history_id(w, 7)};
    uint64_t what = history_random(w, 10);
    bool is_over = c->state == STATE(CLOSED) && id_is_none(&c->closing_id);
    if (what < 5 && c->owed_count < HISTORY_OWED_MAX)
        ask(&m);
    else if (what < 7 || is_over)
        answer(&m);
    else
        go_on(&m);
    record(&m, g);
}

/* ---- tags ---- */

static bool has_director(const struct history_case *c)
{
    return c->state == STATE(CLARIFYING) || c->state == STATE(SUPPORT);
}

static struct history_case *any_open(struct history *w)
{
    size_t first = w->case_count ? history_random(w, w->case_count) : 0;
    for (size_t i = 0; i < w->case_count; i++) {
        struct history_case *c = &w->cases[(first + i) % w->case_count];
        if (has_director(c))
            return c;
    }
    return NULL;
}

static void fill_tag(struct history *w, uint8_t tag[DIGEST_BYTES])
{
    memcpy(tag, HISTORY_TAG, strlen(HISTORY_TAG));
    for (size_t i = strlen(HISTORY_TAG); i < DIGEST_BYTES; i++)
        tag[i] = (uint8_t)history_random(w, 256);
}

/* Linked with its neighbour once that has tags too, as the relay links them: so a case's last tags tell all of its links. */
static struct body *make_kept(struct history *w, const struct history_case *c)
{
    size_t at = (size_t)(c - w->cases) ^ 1;
    Brug__V1__TagsKept kept = BRUG__V1__TAGS_KEPT__INIT;
    Brug__V1__LinkedCase link = BRUG__V1__LINKED_CASE__INIT, *links = &link;
    uint8_t child[DIGEST_BYTES], household[DIGEST_BYTES];
    struct buf b;
    buf_init(&b, 4096);
    fill_tag(w, child);
    fill_tag(w, household);
    kept.child = (ProtobufCBinaryData){DIGEST_BYTES, child};
    kept.household = (ProtobufCBinaryData){history_random(w, 3) ? DIGEST_BYTES : 0, household};
    kept.links = &links;
    kept.n_links = at < w->case_count && has_director(&w->cases[at]) && w->cases[at].is_tagged;
    if (kept.n_links > 0)
        link.case_id = id_bytes(&w->cases[at].id);
    link.same_child = at % 4 < 2;
    must(frame_append_bare(&b, &kept.base));
    struct body *body = must_have(body_plain(buf_slice(&b)));
    buf_fini(&b);
    return body;
}

bool history_tag_case(struct history *w, struct group *g)
{
    Brug__V1__CaseTags r = BRUG__V1__CASE_TAGS__INIT;
    struct history_case *c = any_open(w);
    if (c == NULL)
        return false;
    struct id key = history_id(w, 4);
    r.case_id = id_bytes(&c->id);
    r.key_id = id_bytes(&key);
    r.endpoint = id_bytes(&w->endpoints[1]);
    r.person = id_bytes(&w->persons[1]);
    r.at_ms = w->now_ms;
    history_add(w, g, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_TAGS, &r);
    struct body *kept = make_kept(w, c);
    must(group_append_tags(g, w->lsn, kept));
    body_unref(kept);
    c->is_tagged = true;
    return true;
}

void history_end_case(struct history *w, struct group *g, struct history_case *c)
{
    while (c->state != STATE(CLOSED)) {
        struct move m = {.history = w, .of = c, .message_id = history_id(w, 7)};
        go_on(&m);
        record(&m, g);
    }
}

/* ---- what the tables must hold ---- */

struct row {
    struct id id;
    uint8_t *bytes;
    size_t len;
};

struct truth {
    struct row *rows;
    size_t count;
    struct buf events;
};

static void append_value(struct buf *b, struct slice s)
{
    must(buf_append_u64(b, s.len));
    must(buf_append_slice(b, s));
}

static void append_event(struct buf *b, uint64_t lsn, struct slice id, struct slice event)
{
    must(buf_append_u64(b, lsn));
    append_value(b, id);
    append_value(b, event);
}

/* The row of this case, new if there is none. */
static struct row *row_of(struct truth *t, ProtobufCBinaryData id)
{
    for (size_t i = 0; i < t->count; i++)
        if (slice_equal(id_slice(&t->rows[i].id), slice_of(id.data, id.len)))
            return &t->rows[i];
    t->rows = must_have(reallocarray(t->rows, t->count + 1, sizeof *t->rows));
    struct row *r = &t->rows[t->count++];
    *r = (struct row){.bytes = NULL};
    must(id_from_slice(&r->id, slice_of(id.data, id.len)));
    return r;
}

static void take_opened(struct truth *t, struct slice payload)
{
    Brug__V1__CaseOpened *o =
        must_have(brug__v1__case_opened__unpack(NULL, payload.len, payload.data));
    struct row *r = row_of(t, o->case_id);
    if (r->bytes == NULL) {
        r->bytes = must_have(malloc(payload.len));
        r->len = payload.len;
        memcpy(r->bytes, payload.data, payload.len);
    }
    brug__v1__case_opened__free_unpacked(o, NULL);
}

static void take_moved(struct truth *t, uint64_t lsn, struct slice payload)
{
    Brug__V1__CaseMoved *m =
        must_have(brug__v1__case_moved__unpack(NULL, payload.len, payload.data));
    struct row *r = row_of(t, m->case_now->case_id);
    free(r->bytes);
    r->len = brug__v1__case__get_packed_size(m->case_now);
    r->bytes = must_have(malloc(r->len));
    brug__v1__case__pack(m->case_now, r->bytes);
    append_event(&t->events, lsn, id_slice(&r->id), payload);
    brug__v1__case_moved__free_unpacked(m, NULL);
}

static void take_group(struct truth *t, const struct group *g)
{
    struct slice records = buf_slice(&g->records), payload;
    unsigned type;
    for (uint32_t i = 0; i < g->count; i++) {
        must(group_next_record(&records, &type, &payload));
        if (type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_OPENED)
            take_opened(t, payload);
        else if (type == BRUG__V1__RECORD_TYPE__RECORD_TYPE_CASE_MOVED)
            take_moved(t, g->first_lsn + i, payload);
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return id_compare(&x->id, &y->id);
}

struct cases cases_of_groups(struct group *const *groups, unsigned count)
{
    struct truth t = {.rows = NULL};
    struct buf rows;
    buf_init(&rows, SIZE_MAX / 2);
    buf_init(&t.events, SIZE_MAX / 2);
    for (unsigned i = 0; i < count; i++)
        take_group(&t, groups[i]);
    if (t.count > 0)
        qsort(t.rows, t.count, sizeof *t.rows, compare_rows);
    for (size_t i = 0; i < t.count; i++) {
        append_value(&rows, id_slice(&t.rows[i].id));
        append_value(&rows, slice_of(t.rows[i].bytes, t.rows[i].len));
        free(t.rows[i].bytes);
    }
    struct cases c = {digest_of_slice(buf_slice(&rows)), digest_of_slice(buf_slice(&t.events))};
    buf_fini(&rows);
    buf_fini(&t.events);
    free(t.rows);
    return c;
}

/* ---- what they hold ---- */

static struct slice column(sqlite3_stmt *s, int i)
{
    return slice_of(sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
}

static enum error read_all(sqlite3 *c, const char *sql, struct digest *out)
{
    sqlite3_stmt *s;
    struct buf all;
    int code = sqlite3_prepare_v2(c, sql, -1, &s, NULL);
    if (code != SQLITE_OK)
        return ERROR_CORRUPT;
    buf_init(&all, SIZE_MAX / 2);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_column_count(s) == 3)
            must(buf_append_u64(&all, (uint64_t)sqlite3_column_int64(s, 2)));
        append_value(&all, column(s, 0));
        append_value(&all, column(s, 1));
    }
    *out = digest_of_slice(buf_slice(&all));
    buf_fini(&all);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? ERROR_NONE : ERROR_CORRUPT;
}

enum error cases_read(sqlite3 *c, struct cases *out)
{
    enum error e = read_all(c, "SELECT case_id, row FROM casefile ORDER BY case_id", &out->rows);
    return e != ERROR_NONE ? e
                           : read_all(c, "SELECT case_id, record, lsn FROM case_event ORDER BY lsn",
                                      &out->events);
}

const char *cases_compare(const struct cases *found, const struct cases *expected)
{
    if (!digest_equal(&found->rows, &expected->rows))
        return "a case's row is not what its last record says";
    if (!digest_equal(&found->events, &expected->events))
        return "`case_event` does not hold each move of a case once";
    return NULL;
}
