/*
 * proto/check.c: frames from clients; see check.h. A table of forms for each request, and by hand only
 * what concerns two fields at once.
 */
#include "proto/check.h"
#include "proto/form.h"
#include "proto/limits.h"

#define MALFORMED ERROR_REQUEST_MALFORMED
#define BAD_ID ERROR_ID_MALFORMED

struct slice check_slice(ProtobufCBinaryData b) { return form_slice(b); }

enum error check_id(ProtobufCBinaryData b, struct id *out)
{
    struct id id;
    if (id_from_slice(&id, form_slice(b)) != ERROR_NONE || id_is_none(&id))
        return ERROR_ID_MALFORMED;
    *out = id;
    return ERROR_NONE;
}

/* ---- the requests ---- */

static const struct form_rule HELLO[] = {
    {FORM(Hello, protocol_min, FORM_NUMBER, "hello.protocol_min", ERROR_FRAME_MALFORMED), .min = 1,
     .max = UINT32_MAX},
    {FORM(Hello, protocol_max, FORM_NUMBER, "hello.protocol_max", ERROR_FRAME_MALFORMED), .min = 1,
     .max = UINT32_MAX},
    {FORM(Hello, software, FORM_TEXT, "hello.software", ERROR_FRAME_MALFORMED),
     .max = LIMIT_SOFTWARE_BYTES},
};

static const struct form_rule SUBMIT[] = {
    {FORM(Submit, envelope, FORM_MESSAGE, "submit.envelope", MALFORMED)},
};

static const struct form_rule ENVELOPE[] = {
    {FORM(Envelope, header, FORM_BYTES, "envelope.header", ERROR_HEADER_MALFORMED), .min = 1,
     .max = LIMIT_HEADER_BYTES},
    {FORM(Envelope, sealed, FORM_BYTES, "envelope.sealed", ERROR_NOTHING_SEALED), .min = 1,
     .max = SIZE_MAX},
};

static const struct form_rule SUBSCRIBE[] = {
    {FORM(Subscribe, messages, FORM_NUMBER, "subscribe.messages", ERROR_CREDIT_EXCEEDED),
     .max = LIMIT_CREDIT_MESSAGES},
    {FORM(Subscribe, bytes, FORM_NUMBER64, "subscribe.bytes", ERROR_CREDIT_EXCEEDED),
     .max = LIMIT_CREDIT_BYTES},
};

static const struct form_rule CREDIT[] = {
    {FORM(Credit, messages, FORM_NUMBER, "credit.messages", ERROR_CREDIT_EXCEEDED),
     .max = LIMIT_CREDIT_MESSAGES},
    {FORM(Credit, bytes, FORM_NUMBER64, "credit.bytes", ERROR_CREDIT_EXCEEDED),
     .max = LIMIT_CREDIT_BYTES},
};

static const struct form_rule ACK[] = {
    {FORM(Ack, organisation, FORM_ID_OR_NONE, "ack.organisation", BAD_ID)},
    {FORM(Ack, message_id, FORM_ID, "ack.message_id", BAD_ID)},
    {FORM(Ack, result, FORM_CODE, "ack.result", ERROR_CODE_UNKNOWN), .min = 1,
     .list = &brug__v1__ack_result__descriptor},
    {FORM(Ack, code, FORM_CODE, "ack.code", ERROR_CODE_UNKNOWN),
     .list = &brug__v1__code__descriptor},
};

static const struct form_rule OPENED[] = {
    {FORM(Opened, organisation, FORM_ID_OR_NONE, "opened.organisation", BAD_ID)},
    {FORM(Opened, message_id, FORM_ID, "opened.message_id", BAD_ID)},
    {FORM(Opened, person, FORM_ID, "opened.person", BAD_ID)},
    {FORM(Opened, handed_on, FORM_ID_OR_NONE, "opened.handed_on", BAD_ID)},
};

static const struct form_rule GET_DIRECTORY[] = {
    {FORM(GetDirectory, municipality, FORM_ID, "get_directory.municipality", BAD_ID)},
    {FORM_MANY(GetDirectory, organisations, FORM_IDS, "get_directory.organisations", BAD_ID),
     .max = LIMIT_DIRECTORY_ORGANISATIONS},
    {FORM(GetDirectory, after, FORM_ID_OR_NONE, "get_directory.after", BAD_ID)},
};

static const struct form_rule TRACK[] = {
    {FORM(Track, message_id, FORM_ID, "track.message_id", BAD_ID)},
};

static const struct form_rule GET_CASE[] = {
    {FORM(GetCase, case_id, FORM_ID, "get_case.case_id", BAD_ID)},
};

static const struct form_rule LIST_CASES[] = {
    {FORM(ListCases, after, FORM_ID_OR_NONE, "list_cases.after", BAD_ID)},
    {FORM(ListCases, cases_max, FORM_NUMBER, "list_cases.cases_max", MALFORMED), .min = 1,
     .max = LIMIT_CASES},
};

static const struct form_rule GET_FIGURES[] = {
    {FORM(GetFigures, municipality, FORM_ID, "get_figures.municipality", BAD_ID)},
    {FORM(GetFigures, period, FORM_CODE, "get_figures.period", ERROR_CODE_UNKNOWN), .min = 1,
     .list = &brug__v1__figure_period__descriptor},
    {FORM(GetFigures, date, FORM_NUMBER, "get_figures.date", MALFORMED), .max = FORM_DAY_MAX},
    {FORM(GetFigures, after, FORM_ID_OR_NONE, "get_figures.after", BAD_ID)},
};

static const struct form_rule PUT_COUNTERSIGNATURE[] = {
    {FORM(PutCountersignature, endpoint, FORM_ID, "put_countersignature.endpoint", BAD_ID)},
    {FORM(PutCountersignature, countersignature, FORM_MESSAGE,
          "put_countersignature.countersignature", MALFORMED)},
};

static const struct form_rule PUT_BINDING[] = {
    {FORM(PutBinding, entry, FORM_MESSAGE, "put_binding.entry", MALFORMED)},
};

static const struct form_rule PUT_ABSENCE[] = {
    {FORM(PutAbsence, away_until_ms, FORM_TIME, "put_absence.away_until_ms", MALFORMED)},
};

/* [P-144] */
static const struct form_rule PUT_TAGS[] = {
    {FORM(PutTags, case_id, FORM_ID, "put_tags.case_id", BAD_ID)},
    {FORM(PutTags, key_id, FORM_UUID, "put_tags.key_id", BAD_ID)},
    {FORM(PutTags, child, FORM_DIGEST_OR_NONE, "put_tags.child", MALFORMED)},
    {FORM(PutTags, household, FORM_DIGEST_OR_NONE, "put_tags.household", MALFORMED)},
};

static const struct form_rule PUT_CARD[] = {
    {FORM(PutCard, card, FORM_MESSAGE, "put_card.card", MALFORMED)},
};

/* ---- what concerns more than one field ---- */

static enum error check_hello(const Brug__V1__Hello *h, const char **field)
{
    enum error e = FORM_CHECK(HELLO, h, field);
    if (e == ERROR_NONE && h->protocol_min > h->protocol_max)
        e = form_refuse(ERROR_FRAME_MALFORMED, "hello.protocol_max", field);
    return e;
}

static enum error check_submit(const Brug__V1__Submit *s, const char **field)
{
    enum error e = FORM_CHECK(SUBMIT, s, field);
    return e != ERROR_NONE ? e : FORM_CHECK(ENVELOPE, s->envelope, field);
}

static enum error check_ack(const Brug__V1__Ack *a, const char **field)
{
    enum error e = FORM_CHECK(ACK, a, field);
    if (e != ERROR_NONE)
        return e;
    if (a->result == BRUG__V1__ACK_RESULT__ACK_RESULT_STORED)
        return a->code == BRUG__V1__CODE__CODE_NONE
                   ? ERROR_NONE
                   : form_refuse(ERROR_FIELD_NOT_ALLOWED, "ack.code", field);
    if (a->code == BRUG__V1__CODE__CODE_NONE)
        return form_refuse(ERROR_CODE_MISSING, "ack.code", field);
    bool is_of_a_letter = a->code >= BRUG__V1__CODE__CODE_LETTER_PROFILE &&
                          a->code <= BRUG__V1__CODE__CODE_LETTER_CONTENT;
    return is_of_a_letter ? ERROR_NONE : form_refuse(ERROR_CODE_UNKNOWN, "ack.code", field);
}

/* A page is of published tables; seen from inside there is one team. */
static enum error check_get_figures(const Brug__V1__GetFigures *g, const char **field)
{
    enum error e = FORM_CHECK(GET_FIGURES, g, field);
    if (e == ERROR_NONE && g->date != 0 && g->date < FORM_DAY_MIN)
        e = form_refuse(MALFORMED, "get_figures.date", field);
    if (e == ERROR_NONE && g->inside && g->after.len > 0)
        e = form_refuse(ERROR_FIELD_NOT_ALLOWED, "get_figures.after", field);
    return e;
}

static enum error check_put_countersignature(const Brug__V1__PutCountersignature *p,
                                             const char **field)
{
    enum error e = FORM_CHECK(PUT_COUNTERSIGNATURE, p, field);
    return e != ERROR_NONE ? e : check_countersignature(p->countersignature, field);
}

static enum error check_put_binding(const Brug__V1__PutBinding *p, const char **field)
{
    enum error e = FORM_CHECK(PUT_BINDING, p, field);
    return e != ERROR_NONE ? e : check_entry(p->entry, field);
}

static enum error check_put_card(const Brug__V1__PutCard *p, const char **field)
{
    enum error e = FORM_CHECK(PUT_CARD, p, field);
    return e != ERROR_NONE ? e : check_card(p->card, field);
}

static enum error check_put_tags(const Brug__V1__PutTags *p, const char **field)
{
    enum error e = FORM_CHECK(PUT_TAGS, p, field);
    if (e == ERROR_NONE && p->child.len == 0 && p->household.len == 0)
        e = form_refuse(MALFORMED, "put_tags.child", field);
    return e;
}

enum error check_client_frame(const Brug__V1__ClientFrame *f, const char **field)
{
    switch (f->frame_case) {
    case BRUG__V1__CLIENT_FRAME__FRAME_HELLO:
        return check_hello(f->hello, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT:
        return check_submit(f->submit, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_SUBSCRIBE:
        return FORM_CHECK(SUBSCRIBE, f->subscribe, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_CREDIT:
        return FORM_CHECK(CREDIT, f->credit, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_ACK:
        return check_ack(f->ack, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_OPENED:
        return FORM_CHECK(OPENED, f->opened, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_DIRECTORY:
        return FORM_CHECK(GET_DIRECTORY, f->get_directory, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_TRACK:
        return FORM_CHECK(TRACK, f->track, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_PING:
        return ERROR_NONE;
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_COUNTERSIGNATURE:
        return check_put_countersignature(f->put_countersignature, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_BINDING:
        return check_put_binding(f->put_binding, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_ABSENCE:
        return FORM_CHECK(PUT_ABSENCE, f->put_absence, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_CARD:
        return check_put_card(f->put_card, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_PUT_TAGS:
        return check_put_tags(f->put_tags, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_CASE:
        return FORM_CHECK(GET_CASE, f->get_case, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_LIST_CASES:
        return FORM_CHECK(LIST_CASES, f->list_cases, field);
    case BRUG__V1__CLIENT_FRAME__FRAME_GET_FIGURES:
        return check_get_figures(f->get_figures, field);
    default: /* a request of a later version, which was skipped as an unknown field */
        return form_refuse(ERROR_UPDATE_RELAY, "frame", field);
    }
}
