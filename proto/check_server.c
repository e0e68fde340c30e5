/* proto/check_server.c: frames that a client receives; see check.h. The relay is not trusted either. */
#include "base/text.h"
#include "proto/check.h"
#include "proto/form.h"
#include "proto/limits.h"

#define MALFORMED ERROR_FRAME_MALFORMED
#define FIELD_NAME_BYTES_MAX 64u
#define EPOCHS_MAX 64u
#define OWED_MAX 40u /* in one case: rules/case.h */
#define LINKED_MAX (2 * LIMIT_LINKED_CASES)

static const struct form_rule WELCOME[] = {
    {FORM(Welcome, protocol, FORM_NUMBER, "welcome.protocol", MALFORMED), .min = 1,
     .max = UINT32_MAX},
    {FORM(Welcome, municipality, FORM_ID, "welcome.municipality", MALFORMED)},
    {FORM(Welcome, organisation, FORM_ID, "welcome.organisation", MALFORMED)},
    {FORM(Welcome, endpoint, FORM_ID, "welcome.endpoint", MALFORMED)},
    {FORM(Welcome, person, FORM_ID_OR_NONE, "welcome.person", MALFORMED)},
    {FORM(Welcome, role, FORM_CODE, "welcome.role", MALFORMED), .min = 1,
     .list = &brug__v1__role__descriptor},
    {FORM(Welcome, limits, FORM_MESSAGE, "welcome.limits", MALFORMED)},
    {FORM_MANY(Welcome, epochs, FORM_COUNT, "welcome.epochs", MALFORMED), .max = EPOCHS_MAX},
    {FORM(Welcome, server_time_ms, FORM_TIME, "welcome.server_time_ms", MALFORMED), .min = 1},
    {FORM(Welcome, generation, FORM_ID, "welcome.generation", MALFORMED)},
    {FORM(Welcome, complete_until_ms, FORM_TIME, "welcome.complete_until_ms", MALFORMED)},
    {FORM(Welcome, family_key, FORM_UUID_OR_NONE, "welcome.family_key", MALFORMED)},
};

static const struct form_rule LIMITS[] = {
    {FORM(Limits, frame_bytes_max, FORM_NUMBER, "limits.frame_bytes_max", MALFORMED),
     .min = LIMIT_FRAME_BYTES_BEFORE_WELCOME, .max = UINT32_MAX},
    {FORM(Limits, message_bytes_max, FORM_NUMBER, "limits.message_bytes_max", MALFORMED), .min = 1,
     .max = UINT32_MAX},
    {FORM(Limits, readers_max, FORM_NUMBER, "limits.readers_max", MALFORMED), .min = 1,
     .max = UINT32_MAX},
    {FORM(Limits, requests_max, FORM_NUMBER, "limits.requests_max", MALFORMED), .min = 1,
     .max = UINT32_MAX},
    {FORM(Limits, credit_messages_max, FORM_NUMBER, "limits.credit_messages_max", MALFORMED),
     .min = 1, .max = UINT32_MAX},
    {FORM(Limits, credit_bytes_max, FORM_NUMBER64, "limits.credit_bytes_max", MALFORMED), .min = 1,
     .max = UINT64_MAX},
};

static const struct form_rule RECEIPT[] = {
    {FORM(Receipt, message_id, FORM_ID, "receipt.message_id", MALFORMED)},
    {FORM(Receipt, stored_at_ms, FORM_TIME, "receipt.stored_at_ms", MALFORMED), .min = 1},
    {FORM(Receipt, generation, FORM_ID, "receipt.generation", MALFORMED)},
};

/* A later relay may refuse with a code that we do not know yet: `passing` says what to do. */
static const struct form_rule REFUSED[] = {
    {FORM(Refused, message_id, FORM_ID_OR_NONE, "refused.message_id", MALFORMED)},
    {FORM(Refused, field, FORM_TEXT, "refused.field", MALFORMED), .max = FIELD_NAME_BYTES_MAX},
};

static const struct form_rule DELIVER[] = {
    {FORM(Deliver, sequence, FORM_NUMBER64, "deliver.sequence", MALFORMED), .min = 1,
     .max = UINT64_MAX},
    {FORM(Deliver, stored_at_ms, FORM_TIME, "deliver.stored_at_ms", MALFORMED), .min = 1},
    {FORM(Deliver, envelope, FORM_MESSAGE, "deliver.envelope", MALFORMED)},
    {FORM(Deliver, attempt, FORM_NUMBER, "deliver.attempt", MALFORMED), .min = 1,
     .max = UINT32_MAX},
};

/* Without a sealed part in what the relay made itself. */
static const struct form_rule ENVELOPE[] = {
    {FORM(Envelope, header, FORM_BYTES, "envelope.header", MALFORMED), .min = 1,
     .max = LIMIT_HEADER_BYTES},
};

static const struct form_rule ACKED[] = {
    {FORM(Acked, organisation, FORM_ID_OR_NONE, "acked.organisation", MALFORMED)},
    {FORM(Acked, message_id, FORM_ID, "acked.message_id", MALFORMED)},
};

static const struct form_rule TRACKED[] = {
    {FORM(Tracked, message_id, FORM_ID, "tracked.message_id", MALFORMED)},
    {FORM(Tracked, stored_at_ms, FORM_TIME, "tracked.stored_at_ms", MALFORMED), .min = 1},
    {FORM_MANY(Tracked, readers, FORM_COUNT, "tracked.readers", MALFORMED), .max = LIMIT_READERS},
};

static const struct form_rule READER_FACT[] = {
    {FORM(ReaderFact, endpoint, FORM_ID, "reader_fact.endpoint", MALFORMED)},
    {FORM(ReaderFact, person, FORM_ID_OR_NONE, "reader_fact.person", MALFORMED)},
    {FORM(ReaderFact, fetched_at_ms, FORM_TIME, "reader_fact.fetched_at_ms", MALFORMED)},
    {FORM(ReaderFact, unreadable, FORM_CODE, "reader_fact.unreadable", MALFORMED),
     .list = &brug__v1__code__descriptor},
    {FORM(ReaderFact, opened_at_ms, FORM_TIME, "reader_fact.opened_at_ms", MALFORMED)},
    {FORM(ReaderFact, opened_by, FORM_ID_OR_NONE, "reader_fact.opened_by", MALFORMED)},
    {FORM(ReaderFact, cancelled_at_ms, FORM_TIME, "reader_fact.cancelled_at_ms", MALFORMED)},
};

static const struct form_rule FIGURES[] = {
    {FORM(Figures, municipality, FORM_ID, "figures.municipality", MALFORMED)},
    {FORM(Figures, period, FORM_CODE, "figures.period", MALFORMED), .min = 1,
     .list = &brug__v1__figure_period__descriptor},
    {FORM(Figures, from_date, FORM_NUMBER, "figures.from_date", MALFORMED), .min = 1,
     .max = FORM_DAY_MAX},
    {FORM(Figures, until_date, FORM_NUMBER, "figures.until_date", MALFORMED), .min = 1,
     .max = FORM_DAY_MAX + 366},
    {FORM_MANY(Figures, teams, FORM_COUNT, "figures.teams", MALFORMED), .max = LIMIT_FIGURE_TEAMS},
    {FORM(Figures, next, FORM_ID_OR_NONE, "figures.next", MALFORMED)},
};

static const struct form_rule TEAM_FIGURES[] = {
    {FORM(TeamFigures, team, FORM_ID, "team_figures.team", MALFORMED)},
    {FORM(TeamFigures, name, FORM_TEXT, "team_figures.name", MALFORMED), .max = LIMIT_NAME_BYTES},
    {FORM(TeamFigures, published_at_ms, FORM_TIME, "team_figures.published_at_ms", MALFORMED)},
    {FORM_MANY(TeamFigures, rows, FORM_COUNT, "team_figures.rows", MALFORMED),
     .max = LIMIT_FIGURE_ROWS},
};

/* A later relay may count more: a measure that we do not know is left out where it is shown. */
static const struct form_rule FIGURE_ROW[] = {
    {FORM(FigureRow, form, FORM_CODE, "figure_row.form", MALFORMED), .min = 1,
     .list = &brug__v1__figure_form__descriptor},
    {FORM(FigureRow, name, FORM_TEXT, "figure_row.name", MALFORMED), .max = LIMIT_NAME_BYTES},
};

static const struct form_rule PONG[] = {
    {FORM(Pong, server_time_ms, FORM_TIME, "pong.server_time_ms", MALFORMED), .min = 1},
};

static const struct form_rule DIRECTORY_MOVED[] = {
    {FORM(DirectoryMoved, epoch, FORM_MESSAGE, "directory_moved.epoch", MALFORMED)},
};

/* The rules of a case are looked at where it is read (rules/case_row). */
static const struct form_rule CASE[] = {
    {FORM(Case, case_id, FORM_ID, "case.case_id", MALFORMED)},
    {FORM(Case, municipality, FORM_ID, "case.municipality", MALFORMED)},
    {FORM(Case, practice, FORM_ID, "case.practice", MALFORMED)},
    {FORM(Case, team, FORM_ID, "case.team", MALFORMED)},
    {FORM(Case, message_id, FORM_ID, "case.message_id", MALFORMED)},
    {FORM(Case, at_ms, FORM_TIME, "case.at_ms", MALFORMED)},
    {FORM(Case, state, FORM_CODE, "case.state", MALFORMED), .min = 1,
     .list = &brug__v1__case_state__descriptor},
    {FORM(Case, custody, FORM_CODE, "case.custody", MALFORMED), .min = 1,
     .list = &brug__v1__side__descriptor},
    {FORM(Case, director, FORM_ID_OR_NONE, "case.director", MALFORMED)},
    {FORM(Case, reason, FORM_CODE, "case.reason", MALFORMED),
     .list = &brug__v1__reason__descriptor},
    {FORM(Case, request_type, FORM_CODE, "case.request_type", MALFORMED),
     .list = &brug__v1__request_type__descriptor},
    {FORM_MANY(Case, moments, FORM_COUNT, "case.moments", MALFORMED), .max = LIMIT_MOMENTS},
    {FORM_MANY(Case, owed, FORM_COUNT, "case.owed", MALFORMED), .max = OWED_MAX},
    {FORM(Case, outcome, FORM_CODE, "case.outcome", MALFORMED),
     .list = &brug__v1__outcome__descriptor},
    {FORM(Case, involvement, FORM_CODE, "case.involvement", MALFORMED),
     .list = &brug__v1__involvement__descriptor},
    {FORM(Case, closing_id, FORM_ID_OR_NONE, "case.closing_id", MALFORMED)},
    {FORM(Case, taken_up_at_ms, FORM_TIME, "case.taken_up_at_ms", MALFORMED)},
    {FORM(Case, started_at_ms, FORM_TIME, "case.started_at_ms", MALFORMED)},
    {FORM(Case, ended_at_ms, FORM_TIME, "case.ended_at_ms", MALFORMED)},
    {FORM(Case, linked_case, FORM_ID_OR_NONE, "case.linked_case", MALFORMED)},
    {FORM_MANY(Case, linked, FORM_COUNT, "case.linked", MALFORMED), .max = LINKED_MAX},
    {FORM(Case, family_key, FORM_UUID_OR_NONE, "case.family_key", MALFORMED)},
};

static const struct form_rule LINKED_CASE[] = {
    {FORM(LinkedCase, case_id, FORM_ID, "linked_case.case_id", MALFORMED)},
    {FORM(LinkedCase, director, FORM_ID, "linked_case.director", MALFORMED)},
};

static const struct form_rule CASE_MOMENT[] = {
    {FORM(Moment, event, FORM_CODE, "case.moments", MALFORMED), .min = 1,
     .list = &brug__v1__moment_event__descriptor},
};

static const struct form_rule OWED_ITEM[] = {
    {FORM(OwedItem, owed_id, FORM_ID, "owed_item.owed_id", MALFORMED)},
    {FORM(OwedItem, kind, FORM_CODE, "owed_item.kind", MALFORMED), .min = 1,
     .list = &brug__v1__owed_kind__descriptor},
    {FORM(OwedItem, debtor, FORM_CODE, "owed_item.debtor", MALFORMED), .min = 1,
     .list = &brug__v1__side__descriptor},
    {FORM(OwedItem, message_id, FORM_ID, "owed_item.message_id", MALFORMED)},
    {FORM(OwedItem, due_date, FORM_NUMBER, "owed_item.due_date", MALFORMED), .max = FORM_DAY_MAX},
    {FORM(OwedItem, moment, FORM_NUMBER, "owed_item.moment", MALFORMED), .max = LIMIT_MOMENTS},
    {FORM(OwedItem, born_at_ms, FORM_TIME, "owed_item.born_at_ms", MALFORMED)},
};

static const struct form_rule PROPOSAL[] = {
    {FORM(Proposal, kind, FORM_CODE, "proposal.kind", MALFORMED), .min = 1,
     .list = &brug__v1__kind__descriptor},
    {FORM(Proposal, by, FORM_CODE, "proposal.by", MALFORMED), .min = 1,
     .list = &brug__v1__side__descriptor},
    {FORM(Proposal, person, FORM_ID, "proposal.person", MALFORMED)},
    {FORM(Proposal, message_id, FORM_ID, "proposal.message_id", MALFORMED)},
};

static const struct form_rule BRIDGING[] = {
    {FORM(Bridging, by, FORM_CODE, "bridging.by", MALFORMED), .min = 1,
     .list = &brug__v1__side__descriptor},
    {FORM(Bridging, person, FORM_ID, "bridging.person", MALFORMED)},
    {FORM(Bridging, message_id, FORM_ID, "bridging.message_id", MALFORMED)},
    {FORM(Bridging, carrier, FORM_CODE, "bridging.carrier", MALFORMED), .min = 1,
     .list = &brug__v1__bridging_carrier__descriptor},
    {FORM(Bridging, until_date, FORM_NUMBER, "bridging.until_date", MALFORMED), .min = FORM_DAY_MIN,
     .max = FORM_DAY_MAX},
};

static const struct form_rule CASES[] = {
    {FORM_MANY(Cases, cases, FORM_COUNT, "cases.cases", MALFORMED), .max = LIMIT_CASES},
    {FORM(Cases, next, FORM_ID_OR_NONE, "cases.next", MALFORMED)},
};

static enum error check_case(const Brug__V1__Case *c, const char **field)
{
    enum error e = FORM_CHECK(CASE, c, field);
    for (size_t i = 0; e == ERROR_NONE && i < c->n_moments; i++)
        e = FORM_CHECK(CASE_MOMENT, c->moments[i], field);
    for (size_t i = 0; e == ERROR_NONE && i < c->n_owed; i++)
        e = FORM_CHECK(OWED_ITEM, c->owed[i], field);
    for (size_t i = 0; e == ERROR_NONE && i < c->n_linked; i++)
        e = FORM_CHECK(LINKED_CASE, c->linked[i], field);
    if (e == ERROR_NONE && c->proposal)
        e = FORM_CHECK(PROPOSAL, c->proposal, field);
    if (e == ERROR_NONE && c->bridging_proposed)
        e = FORM_CHECK(BRIDGING, c->bridging_proposed, field);
    if (e == ERROR_NONE && c->bridging)
        e = FORM_CHECK(BRIDGING, c->bridging, field);
    return e;
}

static enum error check_cases(const Brug__V1__Cases *list, const char **field)
{
    enum error e = FORM_CHECK(CASES, list, field);
    for (size_t i = 0; e == ERROR_NONE && i < list->n_cases; i++)
        e = check_case(list->cases[i], field);
    return e;
}

static enum error check_welcome(const Brug__V1__Welcome *w, const char **field)
{
    enum error e = FORM_CHECK(WELCOME, w, field);
    if (e == ERROR_NONE)
        e = FORM_CHECK(LIMITS, w->limits, field);
    for (size_t i = 0; e == ERROR_NONE && i < w->n_epochs; i++)
        e = check_epoch(w->epochs[i], field);
    return e;
}

static enum error check_refused(const Brug__V1__Refused *r, const char **field)
{
    if (r->code == BRUG__V1__CODE__CODE_NONE)
        return form_refuse(MALFORMED, "refused.code", field);
    return FORM_CHECK(REFUSED, r, field);
}

static enum error check_deliver(const Brug__V1__Deliver *d, const char **field)
{
    enum error e = FORM_CHECK(DELIVER, d, field);
    return e != ERROR_NONE ? e : FORM_CHECK(ENVELOPE, d->envelope, field);
}

static enum error check_tracked(const Brug__V1__Tracked *t, const char **field)
{
    enum error e = FORM_CHECK(TRACKED, t, field);
    for (size_t i = 0; e == ERROR_NONE && i < t->n_readers; i++)
        e = FORM_CHECK(READER_FACT, t->readers[i], field);
    return e;
}

static enum error check_figures(const Brug__V1__Figures *f, const char **field)
{
    enum error e = FORM_CHECK(FIGURES, f, field);
    for (size_t i = 0; e == ERROR_NONE && i < f->n_teams; i++) {
        e = FORM_CHECK(TEAM_FIGURES, f->teams[i], field);
        for (size_t k = 0; e == ERROR_NONE && k < f->teams[i]->n_rows; k++)
            e = FORM_CHECK(FIGURE_ROW, f->teams[i]->rows[k], field);
    }
    return e;
}

static enum error check_directory_moved(const Brug__V1__DirectoryMoved *m, const char **field)
{
    enum error e = FORM_CHECK(DIRECTORY_MOVED, m, field);
    return e != ERROR_NONE ? e : check_epoch(m->epoch, field);
}

static enum error check_any(const Brug__V1__ServerFrame *f, const char **field)
{
    switch (f->frame_case) {
    case BRUG__V1__SERVER_FRAME__FRAME_WELCOME:
        return check_welcome(f->welcome, field);
    case BRUG__V1__SERVER_FRAME__FRAME_RECEIPT:
        return FORM_CHECK(RECEIPT, f->receipt, field);
    case BRUG__V1__SERVER_FRAME__FRAME_REFUSED:
        return check_refused(f->refused, field);
    case BRUG__V1__SERVER_FRAME__FRAME_DELIVER:
        return check_deliver(f->deliver, field);
    case BRUG__V1__SERVER_FRAME__FRAME_ACKED:
        return FORM_CHECK(ACKED, f->acked, field);
    case BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY:
        return check_directory(f->directory, field);
    case BRUG__V1__SERVER_FRAME__FRAME_TRACKED:
        return check_tracked(f->tracked, field);
    case BRUG__V1__SERVER_FRAME__FRAME_PONG:
        return FORM_CHECK(PONG, f->pong, field);
    case BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY_MOVED:
        return check_directory_moved(f->directory_moved, field);
    case BRUG__V1__SERVER_FRAME__FRAME_CASE_FACTS:
        return check_case(f->case_facts, field);
    case BRUG__V1__SERVER_FRAME__FRAME_CASES:
        return check_cases(f->cases, field);
    case BRUG__V1__SERVER_FRAME__FRAME_FIGURES:
        return check_figures(f->figures, field);
    default: /* Noted and GoAway have nothing to check; a frame of a later version is ignored */
        return ERROR_NONE;
    }
}

enum error check_server_frame(const Brug__V1__ServerFrame *f, const char **field)
{
    return check_any(f, field) == ERROR_NONE ? ERROR_NONE : MALFORMED;
}
