/*
 * client/requests.c: what a session asks of the relay, and what its answers change in the store.
 *
 * Happy path: session_pump looks through the store for what is due (acknowledgements, opened letters, letters to
 * send, facts, countersignatures, the directory, cases, figures), frames it, and remembers the request; the answer, inside the
 * transaction of its batch, makes it done. A lost session forgets its requests; what was due is due again.
 * Failures: a final refusal is the end of that request; after a passing one, a letter waits by the clock (outbox), anything
 * else of its type for a while in this session; of figures a person hears it at once.
 */
#include "client/session_inside.h"

#include "base/clock.h"
#include "client/casefile.h"
#include "client/inbox.h"
#include "client/letters.h"
#include "client/outbox.h"
#include "proto/check.h"
#include "proto/frame.h"

#include <string.h>

#define REQUESTS_OUT_BYTES_MAX (1u << 20) /* beyond it nothing is added until the relay has read */
#define REQUESTS_CLOCK_NOTED_MS 30000
#define REQUESTS_PUT_OFF_MS_MIN 5000 /* a relay that says "at once" is not asked without end */
#define REQUESTS_PUT_OFF_MS_MAX (3600ll * 1000)

/* ---- asking ---- */

bool session_has_room(const struct session *s)
{
    return s->request_count < s->requests_max && s->request_count < SESSION_REQUESTS_MAX &&
           s->out.len < REQUESTS_OUT_BYTES_MAX;
}

bool session_may_ask(const struct session *s, enum request_type type)
{
    return session_has_room(s) && s->put_off_ms[type] == 0;
}

int64_t session_put_off_ms(const struct session *s)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < REQUEST_TYPES; i++)
        if (s->put_off_ms[i] != 0 && s->put_off_ms[i] < first)
            first = s->put_off_ms[i];
    return first;
}

static void let_ask_again(struct session *s)
{
    int64_t now = clock_now().mono_ms;
    for (size_t i = 0; i < REQUEST_TYPES; i++)
        if (s->put_off_ms[i] <= now)
            s->put_off_ms[i] = 0;
}

bool session_is_asked(const struct session *s, enum request_type type, int64_t number)
{
    for (size_t i = 0; i < s->request_count; i++)
        if (s->requests[i].type == type && s->requests[i].number == number)
            return true;
    return false;
}

bool session_is_asked_about(const struct session *s, enum request_type type, const struct id *about)
{
    for (size_t i = 0; i < s->request_count; i++)
        if (s->requests[i].type == type && id_equal(&s->requests[i].about, about))
            return true;
    return false;
}

enum error session_ask(struct session *s, Brug__V1__ClientFrame *frame, enum request_type type,
                       int64_t number, const struct id *about)
{
    if (s->request_count == SESSION_REQUESTS_MAX)
        return ERROR_BOUND;
    frame->request = s->request_last + 1;
    enum error e = frame_append(&s->out, &frame->base);
    if (e != ERROR_NONE)
        return e;
    s->requests[s->request_count++] = (struct request){
        .type = type, .id = ++s->request_last, .number = number, .about = about ? *about : ID_NONE};
    return ERROR_NONE;
}

static struct request take_request(struct session *s, uint64_t id)
{
    for (size_t i = 0; i < s->request_count; i++) {
        if (s->requests[i].id != id)
            continue;
        struct request r = s->requests[i];
        s->requests[i] = s->requests[--s->request_count];
        return r;
    }
    return (struct request){.type = REQUEST_FREE};
}

static struct request find_request(const struct session *s, uint64_t id)
{
    for (size_t i = 0; i < s->request_count; i++)
        if (s->requests[i].id == id)
            return s->requests[i];
    return (struct request){.type = REQUEST_FREE};
}

enum error session_ping(struct session *s)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PING;
    f.ping = &ping;
    return session_ask(s, &f, REQUEST_PING, 0, NULL);
}

/* ---- what is due ---- */

struct due_row {
    int64_t number;
    struct id organisation, message_id, person, handed_on;
    int code;
};

static enum error next_row(struct session *s, const char *sql, int64_t after, struct due_row *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(s->b->db, &c, sql, DB_INT(after));
    if (e != ERROR_NONE)
        return e;
    out->number = 0;
    if (db_next(&c)) {
        out->number = db_int(&c, 0);
        out->organisation = db_id(&c, 1);
        out->message_id = db_id(&c, 2);
        out->person = db_id(&c, 3);
        out->code = (int)db_int(&c, 4);
        out->handed_on = db_id(&c, 5);
    }
    return db_done(&c);
}

static enum error send_ack(struct session *s, const struct due_row *row)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ack ack = BRUG__V1__ACK__INIT;
    ack.organisation = client_id_field(&row->organisation);
    ack.message_id = client_id_field(&row->message_id);
    ack.result = row->code ? BRUG__V1__ACK_RESULT__ACK_RESULT_UNREADABLE
                           : BRUG__V1__ACK_RESULT__ACK_RESULT_STORED;
    ack.code = (Brug__V1__Code)row->code;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_ACK;
    f.ack = &ack;
    return session_ask(s, &f, REQUEST_ACK, row->number, NULL);
}

static enum error send_opened(struct session *s, const struct due_row *row)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Opened opened = BRUG__V1__OPENED__INIT;
    opened.organisation = client_id_field(&row->organisation);
    opened.message_id = client_id_field(&row->message_id);
    opened.person = client_id_field(&row->person);
    opened.handed_on = client_id_field(&row->handed_on);
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_OPENED;
    f.opened = &opened;
    return session_ask(s, &f, REQUEST_OPENED, row->number, NULL);
}

static enum error send_track(struct session *s, const struct due_row *row)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Track track = BRUG__V1__TRACK__INIT;
    track.message_id = client_id_field(&row->message_id);
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_TRACK;
    f.track = &track;
    return session_ask(s, &f, REQUEST_TRACK, row->number, NULL);
}

typedef enum error send_row_cb(struct session *s, const struct due_row *row);

static enum error pump_rows(struct session *s, const char *sql, enum request_type type,
                            send_row_cb *send)
{
    struct due_row row = {.number = 0};
    while (session_may_ask(s, type)) {
        enum error e = next_row(s, sql, row.number, &row);
        if (e != ERROR_NONE || row.number == 0)
            return e;
        if (session_is_asked(s, type, row.number))
            continue;
        e = send(s, &row);
        if (e != ERROR_NONE)
            return e;
    }
    return ERROR_NONE;
}

#define DUE_SQL(what, person, code, handed_on) \
    "SELECT number, organisation, message_id, " person ", " code ", " handed_on \
    " FROM message WHERE " what " AND number > ?1 ORDER BY number LIMIT 1"
/* What the HISTORY in this row brought. */
#define HANDED_ON "(SELECT b.message_id FROM message b WHERE b.brought_by = message.number)"

static enum error send_submit(struct session *s, int64_t number)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Submit submit = BRUG__V1__SUBMIT__INIT;
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    struct letters_row row;
    struct buf sealed;
    buf_init(&sealed, CLIENT_SEALED_BYTES_MAX);
    enum error e = letters_load(s->b, number, &row);
    if (e != ERROR_NONE)
        return e;
    e = letters_load_sealed(s->b, number, &sealed);
    if (e == ERROR_NONE) {
        envelope.header = client_field(buf_slice(&row.header));
        envelope.sealed = client_field(buf_slice(&sealed));
        submit.envelope = &envelope;
        f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT;
        f.submit = &submit;
        if (brug__v1__client_frame__get_packed_size(&f) > s->frame_bytes_max - 16)
            e = outbox_refused(s->b, number, ERROR_MESSAGE_TOO_LARGE, false, 0, 0);
        else
            e = session_ask(s, &f, REQUEST_SUBMIT, number, NULL);
    }
    buf_fini(&sealed);
    letters_row_free(&row);
    return e;
}

static enum error pump_submits(struct session *s)
{
    int64_t number = 0;
    while (session_has_room(s)) {
        enum error e = outbox_next(s->b, number, &number);
        if (e != ERROR_NONE || number == 0)
            return e;
        if (session_is_asked(s, REQUEST_SUBMIT, number))
            continue;
        e = send_submit(s, number);
        if (e != ERROR_NONE)
            return e;
    }
    return ERROR_NONE;
}

static enum error send_countersignature(struct session *s, const struct id *endpoint,
                                        struct slice signature)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__PutCountersignature put = BRUG__V1__PUT_COUNTERSIGNATURE__INIT;
    Brug__V1__Countersignature c = BRUG__V1__COUNTERSIGNATURE__INIT;
    c.endpoint = client_id_field(&s->b->self.endpoint);
    c.signature = client_field(signature);
    put.endpoint = client_id_field(endpoint);
    put.countersignature = &c;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PUT_COUNTERSIGNATURE;
    f.put_countersignature = &put;
    return session_ask(s, &f, REQUEST_COUNTERSIGNATURE, 0, endpoint);
}

static enum error pump_countersignatures(struct session *s)
{
    struct db_cursor c;
    enum error e = db_select(
        s->b->db, &c, "SELECT endpoint, signature FROM countersignature WHERE told = 0", NULL, 0);
    if (e != ERROR_NONE)
        return e;
    enum error sent = ERROR_NONE;
    while (sent == ERROR_NONE && session_may_ask(s, REQUEST_COUNTERSIGNATURE) && db_next(&c)) {
        struct id endpoint = db_id(&c, 0);
        if (!session_is_asked_about(s, REQUEST_COUNTERSIGNATURE, &endpoint))
            sent = send_countersignature(s, &endpoint, db_blob(&c, 1));
    }
    e = db_done(&c);
    return sent != ERROR_NONE ? sent : e;
}

static enum error give_credit(struct session *s)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Credit credit = BRUG__V1__CREDIT__INIT;
    if (s->credit_messages == 0)
        return ERROR_NONE;
    credit.messages = s->credit_messages;
    credit.bytes = s->credit_bytes;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_CREDIT;
    f.credit = &credit;
    f.request = ++s->request_last; /* answered only when it is refused */
    enum error e = frame_append(&s->out, &f.base);
    if (e == ERROR_NONE) {
        s->credit_messages = 0;
        s->credit_bytes = 0;
    }
    return e;
}

enum error session_pump(struct session *s)
{
    s->is_dirty = false;
    let_ask_again(s);
    enum error e = give_credit(s);
    if (e == ERROR_NONE)
        e = pump_rows(s, DUE_SQL("ack = 1", "NULL", "ack_code", "NULL"), REQUEST_ACK, send_ack);
    if (e == ERROR_NONE)
        e = pump_rows(s, DUE_SQL("opened = 1", "opened_by", "0", HANDED_ON), REQUEST_OPENED,
                      send_opened);
    if (e == ERROR_NONE)
        e = fetch_pump(s);
    if (e == ERROR_NONE)
        e = pump_submits(s);
    if (e == ERROR_NONE)
        e = pump_rows(s, DUE_SQL("track = 1", "NULL", "0", "NULL"), REQUEST_TRACK, send_track);
    if (e == ERROR_NONE)
        e = pump_countersignatures(s);
    if (e == ERROR_NONE)
        e = casefetch_pump(s);
    if (e == ERROR_NONE)
        e = figures_pump(s);
    return e == ERROR_NONE ? familykey_pump(s) : e;
}

/* ---- answers ---- */

static enum error on_tracked(struct session *s, const struct request *r, const Brug__V1__Tracked *t)
{
    struct db *db = s->b->db;
    enum error e =
        DB_RUN(db,
               "UPDATE message SET track = 0, tracked_at_ms = ?2, stored_at_ms = CASE WHEN"
               " stored_at_ms = 0 THEN ?3 ELSE stored_at_ms END WHERE number = ?1",
               DB_INT(r->number), DB_INT(client_now_ms(s->b)), DB_INT(t->stored_at_ms));
    int64_t changed = 0;
    for (size_t i = 0; e == ERROR_NONE && i < t->n_readers; i++) {
        const Brug__V1__ReaderFact *f = t->readers[i];
        e = DB_RUN(db,
                   "INSERT INTO fact(number, endpoint, person, fetched_at_ms, unreadable,"
                   " opened_at_ms, opened_by, cancelled_at_ms)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(number, endpoint) DO UPDATE"
                   " SET person = ?3, fetched_at_ms = ?4, unreadable = ?5, opened_at_ms = ?6,"
                   " opened_by = ?7, cancelled_at_ms = ?8 WHERE fetched_at_ms <> ?4 OR"
                   " unreadable <> ?5 OR opened_at_ms <> ?6 OR cancelled_at_ms <> ?8",
                   DB_INT(r->number), DB_BLOB(check_slice(f->endpoint)),
                   DB_BLOB(check_slice(f->person)), DB_INT(f->fetched_at_ms), DB_INT(f->unreadable),
                   DB_INT(f->opened_at_ms), DB_BLOB(check_slice(f->opened_by)),
                   DB_INT(f->cancelled_at_ms));
        changed += db_changes(db);
    }
    if (e == ERROR_NONE && changed > 0)
        client_event(s->b, BRUG_EVENT_FACTS, 0, r->number, NULL);
    return e;
}

static enum error on_noted(struct session *s, const struct request *r)
{
    if (r->type == REQUEST_OPENED) {
        enum error e =
            DB_RUN(s->b->db, "UPDATE message SET opened = 2 WHERE number = ?1", DB_INT(r->number));
        return e == ERROR_NONE ? casefile_want_of(s->b, r->number) : e; /* custody may have moved */
    }
    if (r->type == REQUEST_COUNTERSIGNATURE)
        return DB_RUN(s->b->db, "UPDATE countersignature SET told = 1 WHERE endpoint = ?1",
                      DB_ID(&r->about));
    return r->type == REQUEST_TAGS ? familykey_on_tagged(s, r, ERROR_NONE, false) : ERROR_NONE;
}

static enum error on_pong(struct session *s, const Brug__V1__Pong *p)
{
    int64_t ahead = p->server_time_ms - client_now_ms(s->b);
    int64_t moved = ahead - s->server_ahead_ms;
    s->server_ahead_ms = ahead;
    s->has_all = !p->more;
    if (moved > -REQUESTS_CLOCK_NOTED_MS && moved < REQUESTS_CLOCK_NOTED_MS)
        return ERROR_NONE;
    return store_put_int(s->b->db, "server_ahead_ms", ahead);
}

static enum error on_letter_refused(struct session *s, const struct request *r,
                                    const Brug__V1__Refused *f)
{
    struct letters_row row;
    enum error e = letters_load(s->b, r->number, &row);
    if (e != ERROR_NONE)
        return e;
    if (!f->passing)
        familykey_on_refused(s, row.decoded, (enum error)f->code);
    letters_row_free(&row);
    return outbox_refused(s->b, r->number, (enum error)f->code, f->passing, f->retry_after_ms,
                          s->server_ahead_ms);
}

/* A list or a fetch that was under way begins anew then. */
static void put_off(struct session *s, enum request_type type, int64_t after_ms)
{
    after_ms = after_ms > REQUESTS_PUT_OFF_MS_MIN ? after_ms : REQUESTS_PUT_OFF_MS_MIN;
    after_ms = after_ms < REQUESTS_PUT_OFF_MS_MAX ? after_ms : REQUESTS_PUT_OFF_MS_MAX;
    s->put_off_ms[type] = clock_now().mono_ms + after_ms;
    if (type == REQUEST_DIRECTORY)
        s->fetch.is_active = false;
    if (type == REQUEST_CASES)
        s->listing.is_active = false;
}

static enum error on_refused(struct session *s, const struct request *r, const Brug__V1__Refused *f)
{
    enum error code = (enum error)f->code;
    if (code == ERROR_NONE)
        return ERROR_FRAME_MALFORMED;
    if (r->type == REQUEST_SUBMIT)
        return on_letter_refused(s, r, f);
    if (r->type == REQUEST_TAGS)
        return familykey_on_tagged(s, r, code, f->passing);
    if (r->type == REQUEST_FIGURES)
        return figures_on_refused(s, r, code);
    if (r->type == REQUEST_FREE)
        return code; /* what cannot be done without: the session ends and comes back later */
    if (f->passing) {
        put_off(s, r->type, f->retry_after_ms);
        return ERROR_NONE;
    }
    switch (r->type) {
    case REQUEST_ACK:
        return inbox_acked(s->b, r->number);
    case REQUEST_TRACK:
        return DB_RUN(s->b->db, "UPDATE message SET track = 0 WHERE number = ?1",
                      DB_INT(r->number));
    case REQUEST_DIRECTORY:
        return fetch_on_refused(s, code);
    case REQUEST_CASE:
    case REQUEST_CASES:
        return casefetch_on_refused(s, r, code);
    case REQUEST_OPENED:
    case REQUEST_COUNTERSIGNATURE:
        return on_noted(s, r);
    default:
        return ERROR_NONE;
    }
}

static enum error on_deliver(struct session *s, const Brug__V1__Deliver *d)
{
    session_forget_all(s);
    s->credit_messages++;
    s->credit_bytes += brug__v1__envelope__get_packed_size(d->envelope);
    enum error e = inbox_deliver(s->b, d);
    return e == ERROR_NONE ? familykey_on_delivery(s, d) : e;
}

/* Whether the answer is one that this request can have. */
static bool fits(const struct request *r, int frame_case)
{
    switch (frame_case) {
    case BRUG__V1__SERVER_FRAME__FRAME_RECEIPT:
        return r->type == REQUEST_SUBMIT;
    case BRUG__V1__SERVER_FRAME__FRAME_ACKED:
        return r->type == REQUEST_ACK;
    case BRUG__V1__SERVER_FRAME__FRAME_NOTED:
        return r->type == REQUEST_OPENED || r->type == REQUEST_COUNTERSIGNATURE ||
               r->type == REQUEST_TAGS;
    case BRUG__V1__SERVER_FRAME__FRAME_TRACKED:
        return r->type == REQUEST_TRACK;
    case BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY:
        return r->type == REQUEST_DIRECTORY;
    case BRUG__V1__SERVER_FRAME__FRAME_PONG:
        return r->type == REQUEST_PING;
    case BRUG__V1__SERVER_FRAME__FRAME_CASE_FACTS:
        return r->type == REQUEST_CASE;
    case BRUG__V1__SERVER_FRAME__FRAME_CASES:
        return r->type == REQUEST_CASES;
    case BRUG__V1__SERVER_FRAME__FRAME_FIGURES:
        return r->type == REQUEST_FIGURES;
    default:
        return true;
    }
}

/* It must be of the letter that was submitted. */
static enum error on_receipt(struct session *s, const struct request *r,
                             const Brug__V1__Receipt *receipt)
{
    struct letters_row row;
    enum error e = letters_load(s->b, r->number, &row);
    if (e != ERROR_NONE)
        return e;
    if (!slice_equal(check_slice(receipt->message_id), id_slice(&row.message_id)))
        e = ERROR_FRAME_MALFORMED;
    if (e == ERROR_NONE)
        e = outbox_stored(s->b, r->number, receipt->stored_at_ms);
    if (e == ERROR_NONE)
        familykey_on_receipt(s, row.decoded);
    letters_row_free(&row);
    return e;
}

enum error session_on_frame(struct session *s, const Brug__V1__ServerFrame *f)
{
    struct request r = find_request(s, f->request);
    if (!fits(&r, (int)f->frame_case))
        return ERROR_FRAME_MALFORMED;
    if (f->request != 0)
        r = take_request(s, f->request);
    s->is_dirty = true; /* an answer makes room, and may let a later letter go */
    switch (f->frame_case) {
    case BRUG__V1__SERVER_FRAME__FRAME_RECEIPT:
        return on_receipt(s, &r, f->receipt);
    case BRUG__V1__SERVER_FRAME__FRAME_REFUSED:
        return on_refused(s, &r, f->refused);
    case BRUG__V1__SERVER_FRAME__FRAME_DELIVER:
        return on_deliver(s, f->deliver);
    case BRUG__V1__SERVER_FRAME__FRAME_ACKED:
        return inbox_acked(s->b, r.number);
    case BRUG__V1__SERVER_FRAME__FRAME_NOTED:
        return on_noted(s, &r);
    case BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY:
        return fetch_on_page(s, f->directory);
    case BRUG__V1__SERVER_FRAME__FRAME_TRACKED:
        return on_tracked(s, &r, f->tracked);
    case BRUG__V1__SERVER_FRAME__FRAME_PONG:
        return on_pong(s, f->pong);
    case BRUG__V1__SERVER_FRAME__FRAME_CASE_FACTS:
        return casefetch_on_case(s, &r, f->case_facts);
    case BRUG__V1__SERVER_FRAME__FRAME_CASES:
        return casefetch_on_page(s, f->cases);
    case BRUG__V1__SERVER_FRAME__FRAME_FIGURES:
        return figures_on_page(s, &r, f->figures);
    case BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY_MOVED:
        return fetch_on_moved(s, f->directory_moved->epoch);
    case BRUG__V1__SERVER_FRAME__FRAME_WELCOME:
        return ERROR_FRAME_MALFORMED;
    default:
        return ERROR_NONE; /* of a later version: ignored [P-14] */
    }
}
