/*
 * proto/check_header.c: the header of a message; see check.h, [P-41] and [P-57] to [P-61].
 *
 * Order: version, kind, forms (ids, lists, ranges), then what the kind needs and may carry. The last is
 * one table, kind x field; a field that stands in neither column of a kind is not allowed.
 */
#include "proto/check.h"
#include "proto/form.h"
#include "proto/limits.h"

#define MALFORMED ERROR_HEADER_MALFORMED
#define BAD_ID ERROR_ID_MALFORMED
#define UNKNOWN ERROR_CODE_UNKNOWN
#define KIND(name) BRUG__V1__KIND__KIND_##name
#define CONVERSATIONS_MAX 999u
#define MOMENT_CONVERSATIONS_MAX 99u
#define RELAY_KIND_FIRST KIND(REMINDER)

/* ---- forms ---- */

static const struct form_rule HEADER[] = {
    {FORM(Header, message_id, FORM_UUID, "header.message_id", BAD_ID)},
    {FORM(Header, case_id, FORM_UUID_OR_NONE, "header.case_id", BAD_ID)},
    {FORM(Header, municipality, FORM_ID, "header.municipality", BAD_ID)},
    {FORM(Header, to, FORM_ID, "header.to", BAD_ID)},
    {FORM_MANY(Header, readers, FORM_COUNT, "header.readers", ERROR_TOO_MANY_READERS),
     .max = LIMIT_READERS},
    {FORM_MANY(Header, copies, FORM_COUNT, "header.copies", ERROR_TOO_MANY_READERS),
     .max = LIMIT_COPIES},
    {FORM(Header, written_at_ms, FORM_TIME, "header.written_at_ms", MALFORMED)},
    {FORM(Header, in_reply_to, FORM_UUID_OR_NONE, "header.in_reply_to", BAD_ID)},
    {FORM(Header, reason, FORM_CODE, "header.reason", UNKNOWN),
     .list = &brug__v1__reason__descriptor},
    {FORM(Header, request_type, FORM_CODE, "header.request_type", UNKNOWN),
     .list = &brug__v1__request_type__descriptor},
    {FORM_MANY(Header, moments, FORM_COUNT, "header.moments", MALFORMED), .max = LIMIT_MOMENTS},
    {FORM(Header, decline_reason, FORM_CODE, "header.decline_reason", UNKNOWN),
     .list = &brug__v1__decline_reason__descriptor},
    {FORM(Header, stop_reason, FORM_CODE, "header.stop_reason", UNKNOWN),
     .list = &brug__v1__stop_reason__descriptor},
    {FORM(Header, involvement, FORM_CODE, "header.involvement", UNKNOWN),
     .list = &brug__v1__involvement__descriptor},
    {FORM(Header, outcome, FORM_CODE, "header.outcome", UNKNOWN),
     .list = &brug__v1__outcome__descriptor},
    {FORM(Header, conversations, FORM_NUMBER, "header.conversations", MALFORMED),
     .max = CONVERSATIONS_MAX},
    {FORM(Header, decision, FORM_CODE, "header.decision", UNKNOWN),
     .list = &brug__v1__decision__descriptor},
    {FORM(Header, bridging_carrier, FORM_CODE, "header.bridging_carrier", UNKNOWN),
     .list = &brug__v1__bridging_carrier__descriptor},
    {FORM(Header, other_organisation, FORM_UUID_OR_NONE, "header.other_organisation", BAD_ID)},
    {FORM(Header, new_director, FORM_UUID_OR_NONE, "header.new_director", BAD_ID)},
    {FORM(Header, owed_id, FORM_UUID_OR_NONE, "header.owed_id", BAD_ID)},
    {FORM(Header, moment, FORM_NUMBER, "header.moment", MALFORMED), .max = LIMIT_MOMENTS},
    {FORM(Header, linked_case, FORM_UUID_OR_NONE, "header.linked_case", BAD_ID)},
    {FORM(Header, fact_code, FORM_CODE, "header.fact_code", UNKNOWN),
     .list = &brug__v1__code__descriptor},
    {FORM(Header, about_endpoint, FORM_ID_OR_NONE, "header.about_endpoint", BAD_ID)},
    {FORM(Header, owed_kind, FORM_CODE, "header.owed_kind", UNKNOWN),
     .list = &brug__v1__owed_kind__descriptor},
    {FORM(Header, debtor, FORM_CODE, "header.debtor", UNKNOWN),
     .list = &brug__v1__side__descriptor},
    {FORM(Header, key_id, FORM_UUID_OR_NONE, "header.key_id", BAD_ID)},
    {FORM(Header, replaced_key, FORM_UUID_OR_NONE, "header.replaced_key", BAD_ID)},
    {FORM(Header, linked_director, FORM_ID_OR_NONE, "header.linked_director", BAD_ID)},
};

/* After their number was checked: a wrong one must be told from too many. */
static const struct form_rule HEADER_IDS[] = {
    {FORM_MANY(Header, readers, FORM_IDS, "header.readers", BAD_ID), .max = LIMIT_READERS},
    {FORM_MANY(Header, copies, FORM_IDS, "header.copies", BAD_ID), .max = LIMIT_COPIES},
    {FORM_MANY(Header, readers, FORM_IDS_ASCENDING, "header.readers", MALFORMED),
     .max = LIMIT_READERS},
    {FORM_MANY(Header, copies, FORM_IDS_ASCENDING, "header.copies", MALFORMED),
     .max = LIMIT_COPIES},
};

static const struct form_rule SENDER[] = {
    {FORM(Sender, organisation, FORM_ID, "header.from.organisation", BAD_ID)},
    {FORM(Sender, endpoint, FORM_ID, "header.from.endpoint", BAD_ID)},
    {FORM(Sender, person, FORM_ID_OR_NONE, "header.from.person", BAD_ID)},
    {FORM(Sender, on_behalf, FORM_ID_OR_NONE, "header.from.on_behalf", BAD_ID)},
};

static const struct form_rule MOMENT[] = {
    {FORM(Moment, event, FORM_CODE, "header.moments", UNKNOWN), .min = 1,
     .list = &brug__v1__moment_event__descriptor},
};

static bool is_day(uint32_t day) { return day >= FORM_DAY_MIN && day <= FORM_DAY_MAX; }

static enum error check_moment(const Brug__V1__Moment *m, const char **field)
{
    enum error e = FORM_CHECK(MOMENT, m, field);
    if (e != ERROR_NONE)
        return e;
    bool has_date = m->event == BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_DATE;
    bool has_count = m->event == BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_AFTER_CONVERSATIONS;
    bool date_holds = has_date ? is_day(m->date) : m->date == 0;
    bool count_holds = has_count
                           ? m->conversations >= 1 && m->conversations <= MOMENT_CONVERSATIONS_MAX
                           : m->conversations == 0;
    return date_holds && count_holds ? ERROR_NONE : form_refuse(MALFORMED, "header.moments", field);
}

static enum error check_forms(const Brug__V1__Header *h, const char **field)
{
    enum error e = FORM_CHECK(HEADER, h, field);
    if (e == ERROR_NONE)
        e = FORM_CHECK(HEADER_IDS, h, field);
    for (size_t i = 0; e == ERROR_NONE && i < h->n_moments; i++)
        e = check_moment(h->moments[i], field);
    if (e == ERROR_NONE && h->until_date != 0 && !is_day(h->until_date))
        e = form_refuse(MALFORMED, "header.until_date", field);
    if (e == ERROR_NONE && h->called_on_date != 0 && !is_day(h->called_on_date))
        e = form_refuse(MALFORMED, "header.called_on_date", field);
    return e;
}

/* A sender's message id is a v4 or v7, a case id always a v4: it must not tell when the case began. */
static enum error check_made_ids(const Brug__V1__Header *h, const char **field)
{
    struct id id;
    if (check_id(h->message_id, &id) != ERROR_NONE ||
        (id_version(&id) != 4 && id_version(&id) != 7))
        return form_refuse(BAD_ID, "header.message_id", field);
    if (h->case_id.len > 0 && (check_id(h->case_id, &id) != ERROR_NONE || id_version(&id) != 4))
        return form_refuse(BAD_ID, "header.case_id", field);
    return ERROR_NONE;
}

/* ---- kinds ---- */

enum header_field {
    F_CASE = 1u << 0,
    F_REPLY = 1u << 1,
    F_KEY = 1u << 2,
    F_REASON = 1u << 3,
    F_TYPE = 1u << 4,
    F_MOMENTS = 1u << 5,
    F_DECLINE = 1u << 6,
    F_STOP = 1u << 7,
    F_INVOLVEMENT = 1u << 8,
    F_OUTCOME = 1u << 9,
    F_CONVERSATIONS = 1u << 10,
    F_DECISION = 1u << 11,
    F_CARRIER = 1u << 12,
    F_UNTIL = 1u << 13,
    F_CALLED = 1u << 14,
    F_OTHER = 1u << 15,
    F_DIRECTOR = 1u << 16,
    F_OWED = 1u << 17,
    F_MOMENT = 1u << 18,
    F_LINKED = 1u << 19,
    F_FACT = 1u << 20,
    F_ABOUT = 1u << 21,
    F_GROUND = 1u << 22,
    F_WITHHELD = 1u << 23,
    F_SUICIDALITY = 1u << 24,
    F_SOMATIC = 1u << 25,
    F_OWED_KIND = 1u << 26,
    F_DEBTOR = 1u << 27,
    F_REPLACED = 1u << 28,
    F_LINKED_DIRECTOR = 1u << 29,
};
#define F_ITEM (F_OWED | F_OWED_KIND | F_DEBTOR | F_UNTIL)
#define F_RISKS (F_SUICIDALITY | F_SOMATIC)

struct kind_row {
    Brug__V1__Kind kind;
    uint32_t needs;
    uint32_t may; /* besides what it needs */
};

static const struct kind_row KINDS[] = {
    {KIND(REFERRAL), F_CASE | F_REASON | F_TYPE | F_GROUND, F_MOMENTS | F_LINKED},
    {KIND(CONSULT), F_CASE, 0},
    {KIND(ADVICE), F_CASE, F_REPLY | F_OWED},
    {KIND(CLAIM), F_CASE, F_REPLY},
    {KIND(HANDOVER), F_CASE | F_DIRECTOR, F_REPLY},
    {KIND(START), F_CASE | F_INVOLVEMENT, F_REPLY | F_OWED},
    {KIND(INTERIM), F_CASE, F_REPLY | F_MOMENT | F_OWED | F_WITHHELD},
    {KIND(DELAY), F_CASE | F_OWED | F_UNTIL, F_REPLY},
    {KIND(INFO_REQUEST), F_CASE, F_REPLY},
    {KIND(INFO_REPLY), F_CASE | F_REPLY, F_OWED | F_WITHHELD},
    {KIND(DECLINE_PROPOSAL), F_CASE | F_DECLINE, F_REPLY | F_CALLED | F_OTHER},
    {KIND(STOP_PROPOSAL), F_CASE | F_STOP, F_REPLY},
    {KIND(PROPOSAL_ANSWER), F_CASE | F_REPLY | F_DECISION, F_OWED},
    {KIND(RETRACT), F_CASE | F_REPLY, 0},
    {KIND(BRIDGING_PROPOSAL), F_CASE | F_CARRIER | F_UNTIL | F_RISKS, F_REPLY},
    {KIND(BRIDGING_ANSWER), F_CASE | F_REPLY | F_DECISION, F_OWED | F_RISKS},
    {KIND(BRIDGING_END), F_CASE, F_REPLY | F_OWED},
    {KIND(CLOSING), F_CASE | F_OUTCOME, F_REPLY | F_CONVERSATIONS | F_CALLED | F_OWED},
    {KIND(WITHDRAWAL), F_CASE, F_REPLY},
    {KIND(NOTE), F_CASE, F_REPLY},
    {KIND(HISTORY), F_CASE | F_REPLY, 0},
    {KIND(NOTICE), 0, 0},
    {KIND(FAMILY_KEY), F_KEY, F_REPLACED},
    {KIND(REMINDER), 0, F_CASE | F_REPLY | F_ITEM},
    {KIND(OVERDUE), 0, F_CASE | F_REPLY | F_ITEM},
    {KIND(NOT_OPENED), F_REPLY, F_CASE | F_ITEM},
    {KIND(NON_DELIVERY), F_REPLY, F_CASE | F_FACT | F_ABOUT | F_ITEM},
    {KIND(FACT), F_REPLY | F_FACT, F_CASE | F_ABOUT | F_LINKED | F_LINKED_DIRECTOR},
};

/* Of a HISTORY that a recovery entry made: a notice has no case. */
static const struct kind_row RECOVERED = {KIND(HISTORY), F_REPLY, F_CASE};

static const struct field_name {
    uint32_t bit;
    const char *name;
} FIELD_NAMES[] = {
    {F_CASE, "header.case_id"},
    {F_REPLY, "header.in_reply_to"},
    {F_KEY, "header.key_id"},
    {F_REASON, "header.reason"},
    {F_TYPE, "header.request_type"},
    {F_MOMENTS, "header.moments"},
    {F_DECLINE, "header.decline_reason"},
    {F_STOP, "header.stop_reason"},
    {F_INVOLVEMENT, "header.involvement"},
    {F_OUTCOME, "header.outcome"},
    {F_CONVERSATIONS, "header.conversations"},
    {F_DECISION, "header.decision"},
    {F_CARRIER, "header.bridging_carrier"},
    {F_UNTIL, "header.until_date"},
    {F_CALLED, "header.called_on_date"},
    {F_OTHER, "header.other_organisation"},
    {F_DIRECTOR, "header.new_director"},
    {F_OWED, "header.owed_id"},
    {F_MOMENT, "header.moment"},
    {F_LINKED, "header.linked_case"},
    {F_FACT, "header.fact_code"},
    {F_ABOUT, "header.about_endpoint"},
    {F_OWED_KIND, "header.owed_kind"},
    {F_DEBTOR, "header.debtor"},
    {F_REPLACED, "header.replaced_key"},
    {F_LINKED_DIRECTOR, "header.linked_director"},
    {F_GROUND | F_WITHHELD | F_RISKS, "header.flags"},
};

static const struct {
    uint32_t flag;
    uint32_t bit;
} FLAGS[] = {
    {BRUG__V1__HEADER_FLAG__HEADER_FLAG_GROUND_RECORDED, F_GROUND},
    {BRUG__V1__HEADER_FLAG__HEADER_FLAG_WITHHELD, F_WITHHELD},
    {BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED, F_SUICIDALITY},
    {BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED, F_SOMATIC},
};

static const struct kind_row *find_kind(Brug__V1__Kind kind)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (KINDS[i].kind == kind)
            return &KINDS[i];
    return NULL;
}

static const char *name_of(uint32_t bits)
{
    for (size_t i = 0; i < sizeof FIELD_NAMES / sizeof FIELD_NAMES[0]; i++)
        if (FIELD_NAMES[i].bit & bits)
            return FIELD_NAMES[i].name;
    return "header";
}

static uint32_t fields_of(const Brug__V1__Header *h)
{
    const struct {
        bool is_set;
        uint32_t bit;
    } set[] = {
        {h->case_id.len > 0, F_CASE},
        {h->in_reply_to.len > 0, F_REPLY},
        {h->key_id.len > 0, F_KEY},
        {h->reason != 0, F_REASON},
        {h->request_type != 0, F_TYPE},
        {h->n_moments > 0, F_MOMENTS},
        {h->decline_reason != 0, F_DECLINE},
        {h->stop_reason != 0, F_STOP},
        {h->involvement != 0, F_INVOLVEMENT},
        {h->outcome != 0, F_OUTCOME},
        {h->conversations != 0, F_CONVERSATIONS},
        {h->decision != 0, F_DECISION},
        {h->bridging_carrier != 0, F_CARRIER},
        {h->until_date != 0, F_UNTIL},
        {h->called_on_date != 0, F_CALLED},
        {h->other_organisation.len > 0, F_OTHER},
        {h->new_director.len > 0, F_DIRECTOR},
        {h->owed_id.len > 0, F_OWED},
        {h->moment != 0, F_MOMENT},
        {h->linked_case.len > 0, F_LINKED},
        {h->fact_code != 0, F_FACT},
        {h->about_endpoint.len > 0, F_ABOUT},
        {h->owed_kind != 0, F_OWED_KIND},
        {h->debtor != 0, F_DEBTOR},
        {h->replaced_key.len > 0, F_REPLACED},
        {h->linked_director.len > 0, F_LINKED_DIRECTOR},
    };
    uint32_t fields = 0;
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
        fields |= set[i].is_set ? set[i].bit : 0;
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++)
        fields |= h->flags & FLAGS[i].flag ? FLAGS[i].bit : 0;
    return fields;
}

static enum error check_flags(const Brug__V1__Header *h, const char **field)
{
    uint32_t known = 0;
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++)
        known |= FLAGS[i].flag;
    return h->flags & ~known ? form_refuse(UNKNOWN, "header.flags", field) : ERROR_NONE;
}

/* [R05] [R06] [R24]: two reasons need the date of the call; only "another team fits better" names one. */
static enum error check_decline(const Brug__V1__Header *h, const char **field)
{
    bool needs_call = h->decline_reason == BRUG__V1__DECLINE_REASON__DECLINE_REASON_TOO_SERIOUS ||
                      h->decline_reason == BRUG__V1__DECLINE_REASON__DECLINE_REASON_SPECIALIST_CARE;
    bool needs_team = h->decline_reason == BRUG__V1__DECLINE_REASON__DECLINE_REASON_OTHER_TEAM;
    if (needs_call && h->called_on_date == 0)
        return form_refuse(ERROR_CODE_MISSING, "header.called_on_date", field);
    if (!needs_call && h->called_on_date != 0)
        return form_refuse(ERROR_FIELD_NOT_ALLOWED, "header.called_on_date", field);
    if (needs_team && h->other_organisation.len == 0)
        return form_refuse(ERROR_CODE_MISSING, "header.other_organisation", field);
    if (!needs_team && h->other_organisation.len > 0)
        return form_refuse(ERROR_FIELD_NOT_ALLOWED, "header.other_organisation", field);
    return ERROR_NONE;
}

/* A leader ends a case against the GP's wish only after a talk, whose date stands there. */
static enum error check_closing(const Brug__V1__Header *h, const char **field)
{
    bool needs_call = h->outcome == BRUG__V1__OUTCOME__OUTCOME_ENDED_GP_DISAGREES;
    if (needs_call == (h->called_on_date != 0))
        return ERROR_NONE;
    return form_refuse(needs_call ? ERROR_CODE_MISSING : ERROR_FIELD_NOT_ALLOWED,
                       "header.called_on_date", field);
}

/* [R27]: who agrees has answered both risks. */
static enum error check_bridging_answer(const Brug__V1__Header *h, const char **field)
{
    uint32_t risks = BRUG__V1__HEADER_FLAG__HEADER_FLAG_SUICIDALITY_AGREED |
                     BRUG__V1__HEADER_FLAG__HEADER_FLAG_SOMATIC_AGREED;
    bool accepts = h->decision == BRUG__V1__DECISION__DECISION_ACCEPT;
    return accepts && (h->flags & risks) != risks
               ? form_refuse(ERROR_CODE_MISSING, "header.flags", field)
               : ERROR_NONE;
}

static enum error check_kind_fields(const struct kind_row *row, const Brug__V1__Header *h,
                                    const char **field)
{
    uint32_t fields = fields_of(h);
    uint32_t missing = row->needs & ~fields;
    uint32_t excess = fields & ~(row->needs | row->may);
    if (missing)
        return form_refuse(ERROR_CODE_MISSING, name_of(missing), field);
    if (excess)
        return form_refuse(ERROR_FIELD_NOT_ALLOWED, name_of(excess), field);
    switch (row->kind) {
    case KIND(DECLINE_PROPOSAL):
        return check_decline(h, field);
    case KIND(CLOSING):
        return check_closing(h, field);
    case KIND(BRIDGING_ANSWER):
        return check_bridging_answer(h, field);
    default:
        return ERROR_NONE;
    }
}

/* ---- whole headers ---- */

/* All but the kind's own rules, of a header that somebody signed; only a recovery entry is no person. */
static enum error check_signed(const Brug__V1__Header *h, bool has_person, const char **field)
{
    enum error e = check_forms(h, field);
    if (e == ERROR_NONE && !h->from)
        e = form_refuse(MALFORMED, "header.from", field);
    if (e == ERROR_NONE)
        e = FORM_CHECK(SENDER, h->from, field);
    if (e == ERROR_NONE && has_person != (h->from->person.len > 0))
        e = form_refuse(BAD_ID, "header.from.person", field);
    if (e == ERROR_NONE)
        e = check_made_ids(h, field);
    return e != ERROR_NONE ? e : check_flags(h, field);
}

static enum error check_version(const Brug__V1__Header *h, const char **field)
{
    if (h->protocol != LIMIT_PROTOCOL)
        return form_refuse(ERROR_UPDATE_SENDER, "header.protocol", field);
    return h->profile == LIMIT_PROFILE ? ERROR_NONE
                                       : form_refuse(ERROR_UPDATE_SENDER, "header.profile", field);
}

enum error check_header(const Brug__V1__Header *h, const char **field)
{
    const struct kind_row *row = find_kind(h->kind);
    enum error e = check_version(h, field);
    if (e == ERROR_NONE && (!row || h->kind >= RELAY_KIND_FIRST))
        e = form_refuse(ERROR_UPDATE_RELAY, "header.kind", field);
    if (e == ERROR_NONE)
        e = check_signed(h, true, field);
    return e != ERROR_NONE ? e : check_kind_fields(row, h, field);
}

bool check_is_recovered(const Brug__V1__Header *h)
{
    return h->kind == KIND(HISTORY) && h->from && h->from->person.len == 0;
}

enum error check_handed_header(const Brug__V1__Header *h, const char **field)
{
    bool is_recovered = check_is_recovered(h);
    const struct kind_row *row = is_recovered ? &RECOVERED : find_kind(h->kind);
    enum error e = check_version(h, field);
    if (e == ERROR_NONE && (!row || h->kind >= RELAY_KIND_FIRST))
        e = form_refuse(ERROR_UPDATE_RELAY, "header.kind", field);
    if (e == ERROR_NONE)
        e = check_signed(h, !is_recovered, field);
    return e != ERROR_NONE ? e : check_kind_fields(row, h, field);
}

static bool names_a_sender(const Brug__V1__Sender *from)
{
    return from && (from->organisation.len > 0 || from->endpoint.len > 0 || from->person.len > 0 ||
                    from->on_behalf.len > 0);
}

/* The relay's own: no sender, a v8 id, and no sealing, so no profile of it. */
static enum error check_relay_made(const struct kind_row *row, const Brug__V1__Header *h,
                                   const char **field)
{
    struct id id;
    enum error e = check_forms(h, field);
    if (e != ERROR_NONE)
        return e;
    if (names_a_sender(h->from))
        return form_refuse(MALFORMED, "header.from", field);
    if (check_id(h->message_id, &id) != ERROR_NONE || id_version(&id) != 8)
        return form_refuse(BAD_ID, "header.message_id", field);
    return check_kind_fields(row, h, field);
}

enum error check_received_header(const Brug__V1__Header *h, const char **field)
{
    const struct kind_row *row = find_kind(h->kind);
    if (h->protocol == LIMIT_PROTOCOL && row && h->kind >= RELAY_KIND_FIRST)
        return check_relay_made(row, h, field); /* it has no profile */
    enum error e = check_version(h, field);
    if (e == ERROR_NONE)
        e = check_signed(h, true, field);
    return e != ERROR_NONE || !row ? e : check_kind_fields(row, h, field);
}
