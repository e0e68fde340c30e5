/*
 * proto/check_directory.c: what stands in the directory: cards, bindings, rosters, entries, pages.
 * The same tables serve a relay that is given an entry and a client that fetched a page.
 */
#include "base/text.h"
#include "proto/check.h"
#include "proto/form.h"
#include "proto/limits.h"
#include <string.h>

#define MALFORMED ERROR_REQUEST_MALFORMED
#define BAD_ID ERROR_ID_MALFORMED
#define TELEPHONE_BYTES_MAX 32u
#define ORGANISATIONS_MAX 1024u
#define MUNICIPALITIES_MAX 64u
#define CRLS_MAX 256u      /* as many as a relay holds */
#define KEY_BYTES_MAX 800u /* SubjectPublicKeyInfo, up to RSA 4096 */
#define WORKING_DAYS_MAX 0x7fu

static const struct form_rule CARD[] = {
    {FORM(Card, text, FORM_LINES, "card.text", MALFORMED), .max = LIMIT_CARD_TEXT_BYTES},
    {FORM(Card, expertise, FORM_TEXT, "card.expertise", MALFORMED), .max = LIMIT_NAME_BYTES},
    {FORM(Card, telephone, FORM_TEXT, "card.telephone", MALFORMED), .max = TELEPHONE_BYTES_MAX},
    {FORM(Card, working_days, FORM_NUMBER, "card.working_days", MALFORMED),
     .max = WORKING_DAYS_MAX},
    {FORM(Card, away_until_ms, FORM_TIME, "card.away_until_ms", MALFORMED)},
};

static const struct form_rule COUNTERSIGNATURE[] = {
    {FORM(Countersignature, endpoint, FORM_ID, "countersignature.endpoint", BAD_ID)},
    {FORM(Countersignature, signature, FORM_BYTES, "countersignature.signature", MALFORMED),
     .min = 1, .max = LIMIT_SIGNATURE_BYTES},
};

static const struct form_rule SIGNED_BINDING[] = {
    {FORM(SignedBinding, binding, FORM_BYTES, "signed_binding.binding", MALFORMED), .min = 1,
     .max = LIMIT_BINDING_BYTES},
    {FORM(SignedBinding, signature, FORM_BYTES, "signed_binding.signature", MALFORMED), .min = 1,
     .max = LIMIT_SIGNATURE_BYTES},
};

static const struct form_rule ENTRY[] = {
    {FORM(EndpointEntry, binding, FORM_MESSAGE, "entry.binding", MALFORMED)},
    {FORM(EndpointEntry, identity_certificate, FORM_BYTES, "entry.identity_certificate", MALFORMED),
     .min = 1, .max = LIMIT_CERTIFICATE_BYTES},
    {FORM(EndpointEntry, sealing_certificate, FORM_BYTES, "entry.sealing_certificate", MALFORMED),
     .min = 1, .max = LIMIT_CERTIFICATE_BYTES},
    {FORM_MANY(EndpointEntry, intermediates, FORM_BYTES_REPEATED, "entry.intermediates", MALFORMED),
     .max = LIMIT_CERTIFICATE_BYTES, .count_max = LIMIT_INTERMEDIATES},
    {FORM_MANY(EndpointEntry, countersignatures, FORM_COUNT, "entry.countersignatures", MALFORMED),
     .max = LIMIT_COUNTERSIGNATURES},
    {FORM(EndpointEntry, away_until_ms, FORM_TIME, "entry.away_until_ms", MALFORMED)},
};

static const struct form_rule BINDING[] = {
    {FORM(Binding, version, FORM_NUMBER, "binding.version", MALFORMED), .min = 1, .max = 1},
    {FORM(Binding, municipality, FORM_ID, "binding.municipality", BAD_ID)},
    {FORM(Binding, organisation, FORM_ID, "binding.organisation", BAD_ID)},
    {FORM(Binding, person, FORM_ID_OR_NONE, "binding.person", BAD_ID)},
    {FORM(Binding, endpoint, FORM_UUID, "binding.endpoint", BAD_ID)},
    {FORM(Binding, identity_key, FORM_BYTES, "binding.identity_key", MALFORMED), .min = 1,
     .max = KEY_BYTES_MAX},
    {FORM(Binding, sealing_key, FORM_BYTES, "binding.sealing_key", MALFORMED), .min = 1,
     .max = KEY_BYTES_MAX},
    {FORM(Binding, made_at_ms, FORM_TIME, "binding.made_at_ms", MALFORMED), .min = 1},
};

static const struct form_rule ROSTER[] = {
    {FORM(Roster, organisation, FORM_ID, "roster.organisation", BAD_ID)},
    {FORM(Roster, kind, FORM_CODE, "roster.kind", MALFORMED), .min = 1,
     .list = &brug__v1__organisation_kind__descriptor},
    {FORM(Roster, home, FORM_ID, "roster.home", BAD_ID)},
    {FORM_MANY(Roster, persons, FORM_COUNT, "roster.persons", MALFORMED), .max = LIMIT_PERSONS},
    {FORM_MANY(Roster, endpoints, FORM_COUNT, "roster.endpoints", MALFORMED), .max = LIMIT_PERSONS},
};

static const struct form_rule PERSON[] = {
    {FORM(PersonEntry, person, FORM_ID, "person.person", BAD_ID)},
    {FORM(PersonEntry, name, FORM_TEXT, "person.name", MALFORMED), .min = 1,
     .max = LIMIT_NAME_BYTES},
    {FORM(PersonEntry, role, FORM_CODE, "person.role", MALFORMED), .min = 1,
     .list = &brug__v1__role__descriptor},
    {FORM(PersonEntry, until_ms, FORM_TIME, "person.until_ms", MALFORMED)},
};

static const struct form_rule ROSTER_ENDPOINT[] = {
    {FORM(RosterEndpoint, endpoint, FORM_ID, "roster_endpoint.endpoint", BAD_ID)},
    {FORM(RosterEndpoint, person, FORM_ID_OR_NONE, "roster_endpoint.person", BAD_ID)},
    {FORM(RosterEndpoint, binding_digest, FORM_DIGEST, "roster_endpoint.binding_digest",
          MALFORMED)},
};

static const struct form_rule ORGANISATION[] = {
    {FORM(OrganisationEntry, roster, FORM_BYTES, "organisation.roster", MALFORMED), .min = 1,
     .max = LIMIT_DIRECTORY_PAGE_BYTES},
    {FORM(OrganisationEntry, name, FORM_TEXT, "organisation.name", MALFORMED), .min = 1,
     .max = LIMIT_NAME_BYTES},
    {FORM(OrganisationEntry, identifier, FORM_TEXT, "organisation.identifier", MALFORMED),
     .max = LIMIT_NAME_BYTES},
    {FORM(OrganisationEntry, area, FORM_TEXT, "organisation.area", MALFORMED),
     .max = LIMIT_NAME_BYTES},
    {FORM_MANY(OrganisationEntry, endpoints, FORM_COUNT, "organisation.endpoints", MALFORMED),
     .max = LIMIT_PERSONS},
    {FORM_MANY(OrganisationEntry, municipalities, FORM_IDS, "organisation.municipalities", BAD_ID),
     .max = MUNICIPALITIES_MAX},
};

static const struct form_rule DIRECTORY[] = {
    {FORM(Directory, epoch, FORM_MESSAGE, "directory.epoch", MALFORMED)},
    {FORM_MANY(Directory, organisations, FORM_COUNT, "directory.organisations", MALFORMED),
     .max = ORGANISATIONS_MAX},
    {FORM(Directory, next, FORM_ID_OR_NONE, "directory.next", BAD_ID)},
    {FORM_MANY(Directory, crls, FORM_BYTES_REPEATED, "directory.crls", MALFORMED),
     .max = LIMIT_MESSAGE_BYTES_DEFAULT, .count_max = CRLS_MAX},
};

static const struct form_rule EPOCH[] = {
    {FORM(Epoch, municipality, FORM_ID, "epoch.municipality", BAD_ID)},
};

/* A telephone number as people write it, so that no other text stands in its place. */
static bool is_telephone(const char *text)
{
    return strspn(text, "0123456789 +-()./") == strlen(text);
}

enum error check_card(const Brug__V1__Card *c, const char **field)
{
    enum error e = FORM_CHECK(CARD, c, field);
    if (e != ERROR_NONE)
        return e;
    if (!is_telephone(c->telephone))
        return form_refuse(MALFORMED, "card.telephone", field);
    if (text_has_bsn(slice_text(c->text)))
        return form_refuse(MALFORMED, "card.text", field);
    if (text_has_bsn(slice_text(c->expertise)))
        return form_refuse(MALFORMED, "card.expertise", field);
    return ERROR_NONE;
}

enum error check_countersignature(const Brug__V1__Countersignature *c, const char **field)
{
    return FORM_CHECK(COUNTERSIGNATURE, c, field);
}

enum error check_entry(const Brug__V1__EndpointEntry *entry, const char **field)
{
    enum error e = FORM_CHECK(ENTRY, entry, field);
    if (e == ERROR_NONE)
        e = FORM_CHECK(SIGNED_BINDING, entry->binding, field);
    for (size_t i = 0; e == ERROR_NONE && i < entry->n_countersignatures; i++)
        e = check_countersignature(entry->countersignatures[i], field);
    return e;
}

enum error check_binding(const Brug__V1__Binding *b, const char **field)
{
    enum error e = FORM_CHECK(BINDING, b, field);
    if (e == ERROR_NONE && b->recovery && b->person.len > 0)
        e = form_refuse(MALFORMED, "binding.person", field);
    if (e == ERROR_NONE && slice_equal(form_slice(b->identity_key), form_slice(b->sealing_key)))
        e = form_refuse(MALFORMED, "binding.sealing_key", field);
    return e;
}

/* -1, 0, 1 as memcmp; both are ids. */
static int compare_ids(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return memcmp(a.data, b.data, ID_BYTES);
}

enum error check_roster(const Brug__V1__Roster *r, const char **field)
{
    enum error e = FORM_CHECK(ROSTER, r, field);
    for (size_t i = 0; e == ERROR_NONE && i < r->n_persons; i++)
        e = FORM_CHECK(PERSON, r->persons[i], field);
    for (size_t i = 0; e == ERROR_NONE && i < r->n_endpoints; i++) {
        e = FORM_CHECK(ROSTER_ENDPOINT, r->endpoints[i], field);
        if (e == ERROR_NONE && i > 0 &&
            compare_ids(r->endpoints[i - 1]->endpoint, r->endpoints[i]->endpoint) >= 0)
            e = form_refuse(MALFORMED, "roster.endpoints", field);
    }
    return e;
}

enum error check_epoch(const Brug__V1__Epoch *epoch, const char **field)
{
    return FORM_CHECK(EPOCH, epoch, field);
}

enum error check_organisation(const Brug__V1__OrganisationEntry *o, const char **field)
{
    enum error e = FORM_CHECK(ORGANISATION, o, field);
    if (e == ERROR_NONE && o->card)
        e = check_card(o->card, field);
    for (size_t i = 0; e == ERROR_NONE && i < o->n_endpoints; i++)
        e = check_entry(o->endpoints[i], field);
    return e;
}

enum error check_directory(const Brug__V1__Directory *d, const char **field)
{
    enum error e = FORM_CHECK(DIRECTORY, d, field);
    if (e == ERROR_NONE)
        e = check_epoch(d->epoch, field);
    for (size_t i = 0; e == ERROR_NONE && i < d->n_organisations; i++)
        e = check_organisation(d->organisations[i], field);
    return e;
}
