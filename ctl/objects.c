/* ctl/objects.c: municipalities, organisations and persons; list, show, suspend and resume of all four. */
#include "base/text.h"
#include "ctl/ctl.h"
#include "proto/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define FILE_BYTES_MAX (256u << 10)

int ctl_choose_id(const struct ctl_options *o, struct id *out)
{
    uint8_t random[16];
    if (o->id != NULL)
        return ctl_parse_id("--id", o->id, out);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return ctl_complain(EX_SOFTWARE, "the system gives no random bytes");
    *out = id_v4(random);
    return EX_OK;
}

static int need(const char *option, const char *value)
{
    return value != NULL ? EX_OK
                         : ctl_complain(EX_USAGE, "%s is missing; see brugctl --help", option);
}

/* Calls, prints the row that the answer holds, and writes the invitation if there is one. */
static int call_and_print(const struct ctl_options *o, const Brug__V1__AdminRequest *request)
{
    struct arena *arena = arena_new();
    if (arena == NULL)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    Brug__V1__AdminAnswer *a = NULL;
    int status = ctl_call(o, request, arena, &a);
    const Brug__V1__Objects *rows = status == EX_OK ? a->objects : NULL;
    const ProtobufCMessage *row = NULL;
    if (rows != NULL)
        row = rows->n_municipalities  ? &rows->municipalities[0]->base
              : rows->n_organisations ? &rows->organisations[0]->base
              : rows->n_persons       ? &rows->persons[0]->base
              : rows->n_endpoints     ? &rows->endpoints[0]->base
                                      : NULL;
    bool invitation_to_stdout =
        status == EX_OK && a->invitation.len > 0 && o->out != NULL && strcmp(o->out, "-") == 0;
    if (row != NULL && !invitation_to_stdout)
        status = ctl_print_message(o, row);
    if (status == EX_OK && a->invitation.len > 0 && (o->out != NULL || !o->is_json)) {
        struct buf text;
        buf_init(&text, 1u << 16);
        if (text_armour(&text, "INVITATION", slice_of(a->invitation.data, a->invitation.len)) !=
            ERROR_NONE)
            status = ctl_complain(EX_SOFTWARE, "out of memory");
        else
            status = ctl_write(o->out == NULL ? "-" : o->out, buf_slice(&text));
        buf_fini(&text);
    }
    arena_free(arena);
    return status;
}

/* ---- add ---- */

int municipality_add(const struct ctl_options *o)
{
    Brug__V1__AddMunicipality add = BRUG__V1__ADD_MUNICIPALITY__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    ProtobufCBinaryData anchors[CTL_VALUES_MAX];
    struct buf ders[CTL_VALUES_MAX];
    struct id id;
    int status = need("--name", o->name);
    if (status == EX_OK && o->anchor_count == 0)
        status = ctl_complain(
            EX_USAGE,
            "--anchor is missing: the PEM file of the CA that vouches for its organisations");
    if (status == EX_OK)
        status = ctl_choose_id(o, &id);
    size_t made = 0;
    for (; status == EX_OK && made < o->anchor_count; made++) {
        struct buf text;
        buf_init(&text, FILE_BYTES_MAX);
        buf_init(&ders[made], FILE_BYTES_MAX);
        status = ctl_read(o->anchors[made], FILE_BYTES_MAX, &text);
        if (status == EX_OK && !ctl_pem_block(buf_slice(&text), "CERTIFICATE", 0, &ders[made]))
            status = ctl_complain(EX_DATAERR, "%s holds no PEM certificate", o->anchors[made]);
        anchors[made] = ctl_bytes(buf_slice(&ders[made]));
        buf_fini(&text);
    }
    if (status == EX_OK) {
        add.municipality = ctl_bytes(id_slice(&id));
        add.name = (char *)o->name;
        add.n_anchors = made;
        add.anchors = anchors;
        request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_MUNICIPALITY;
        request.add_municipality = &add;
        status = call_and_print(o, &request);
    }
    while (made > 0)
        buf_fini(&ders[--made]);
    return status;
}

int organisation_add(const struct ctl_options *o)
{
    Brug__V1__AddOrganisation add = BRUG__V1__ADD_ORGANISATION__INIT;
    Brug__V1__Card card = BRUG__V1__CARD__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id, municipalities[CTL_VALUES_MAX];
    ProtobufCBinaryData municipality_bytes[CTL_VALUES_MAX];
    struct buf card_text;
    buf_init(&card_text, LIMIT_CARD_TEXT_BYTES + 1u);
    int status = need("--name", o->name);
    if (status == EX_OK)
        status = need("--kind", o->kind);
    if (status == EX_OK && strcmp(o->kind, "practice") != 0 && strcmp(o->kind, "team") != 0)
        status = ctl_complain(EX_USAGE, "--kind is 'practice' or 'team', not '%s'", o->kind);
    if (status == EX_OK && o->municipality_count == 0)
        status = ctl_complain(
            EX_USAGE, "--municipality is missing; `brugctl municipality list` shows the ids");
    for (size_t i = 0; status == EX_OK && i < o->municipality_count; i++) {
        status = ctl_parse_id("--municipality", o->municipalities[i], &municipalities[i]);
        municipality_bytes[i] = ctl_bytes(id_slice(&municipalities[i]));
    }
    if (status == EX_OK)
        status = ctl_choose_id(o, &id);
    if (status == EX_OK && o->card != NULL)
        status = ctl_read(o->card, LIMIT_CARD_TEXT_BYTES, &card_text);
    if (status == EX_OK && buf_append_u8(&card_text, 0) != ERROR_NONE)
        status = ctl_complain(EX_SOFTWARE, "out of memory");
    if (status == EX_OK) {
        card.text = (char *)card_text.data;
        card.expertise = o->expertise == NULL ? (char *)"" : (char *)o->expertise;
        card.telephone = o->telephone == NULL ? (char *)"" : (char *)o->telephone;
        add.organisation = ctl_bytes(id_slice(&id));
        add.kind = strcmp(o->kind, "team") == 0
                       ? BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM
                       : BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_PRACTICE;
        add.n_municipalities = o->municipality_count;
        add.municipalities = municipality_bytes;
        add.name = (char *)o->name;
        add.area = o->area == NULL ? (char *)"" : (char *)o->area;
        if (o->card != NULL || o->expertise != NULL || o->telephone != NULL)
            add.card = &card;
        request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_ORGANISATION;
        request.add_organisation = &add;
        status = call_and_print(o, &request);
    }
    buf_fini(&card_text);
    return status;
}

/* The wire's role of a word; NONE when there is none. ROLE_SYSTEM is no person's. */
static Brug__V1__Role role_of(const char *word)
{
    Brug__V1__Role role = (Brug__V1__Role)ctl_find_word(&brug__v1__role__descriptor, word);
    return role == BRUG__V1__ROLE__ROLE_SYSTEM ? BRUG__V1__ROLE__ROLE_NONE : role;
}

/* The end of that day here, in ms since 1970. */
static int parse_until(const char *text, int64_t *out)
{
    struct tm day;
    int status = ctl_parse_day("--until", text, &day);
    if (status != EX_OK)
        return status;
    day.tm_mday += 1;
    day.tm_isdst = -1;
    time_t t = mktime(&day);
    if (t == (time_t)-1)
        return ctl_complain(EX_USAGE, "--until '%s' is out of range", text);
    *out = (int64_t)t * 1000;
    return EX_OK;
}

int person_add(const struct ctl_options *o)
{
    Brug__V1__AddPerson add = BRUG__V1__ADD_PERSON__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id, organisation;
    int status = need("--name", o->name);
    if (status == EX_OK)
        status = need("--role", o->role);
    if (status == EX_OK)
        status = ctl_parse_id("--org", o->organisation, &organisation);
    if (status == EX_OK && (add.role = role_of(o->role)) == BRUG__V1__ROLE__ROLE_NONE)
        status = ctl_complain(
            EX_USAGE, "--role is gp, locum, assistant, consultant, leader or observer, not '%s'",
            o->role);
    if (status == EX_OK && o->until != NULL)
        status = parse_until(o->until, &add.until_ms);
    if (status == EX_OK)
        status = ctl_choose_id(o, &id);
    if (status != EX_OK)
        return status;
    add.person = ctl_bytes(id_slice(&id));
    add.organisation = ctl_bytes(id_slice(&organisation));
    add.name = (char *)o->name;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_ADD_PERSON;
    request.add_person = &add;
    return call_and_print(o, &request);
}

int endpoint_replace(const struct ctl_options *o)
{
    Brug__V1__ReplaceEndpoint replace = BRUG__V1__REPLACE_ENDPOINT__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id;
    int status = ctl_parse_id("the endpoint", o->argument, &id);
    if (status != EX_OK)
        return status;
    replace.endpoint = ctl_bytes(id_slice(&id));
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_REPLACE_ENDPOINT;
    request.replace_endpoint = &replace;
    return call_and_print(o, &request);
}

/* ---- list, show, suspend, resume ---- */

struct listed {
    const ProtobufCMessage **rows;
    size_t n;
};

static const char *const *columns_of(Brug__V1__ObjectType type)
{
    static const char *const municipality[] = {"municipality", "name", "status", "epoch", NULL};
    static const char *const organisation[] = {"organisation", "kind",   "name",
                                               "area",         "status", NULL};
    static const char *const person[] = {"person", "name", "role", "organisation", "status", NULL};
    static const char *const endpoint[] = {"endpoint", "organisation", "person",
                                           "recovery", "status",       NULL};
    switch (type) {
    case BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_MUNICIPALITY:
        return municipality;
    case BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ORGANISATION:
        return organisation;
    case BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON:
        return person;
    default:
        return endpoint;
    }
}

/* The rows of that type in an answer: repeated pointers of one of four lists. */
static ProtobufCMessage **rows_of(const Brug__V1__Objects *o, Brug__V1__ObjectType type, size_t *n)
{
    switch (type) {
    case BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_MUNICIPALITY:
        *n = o->n_municipalities;
        return (ProtobufCMessage **)o->municipalities;
    case BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ORGANISATION:
        *n = o->n_organisations;
        return (ProtobufCMessage **)o->organisations;
    case BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON:
        *n = o->n_persons;
        return (ProtobufCMessage **)o->persons;
    default:
        *n = o->n_endpoints;
        return (ProtobufCMessage **)o->endpoints;
    }
}

#define PAGES_MAX 4096

/* Pages through the list; each page keeps its arena until all is printed. */
int object_list(const struct ctl_options *o, Brug__V1__ObjectType type)
{
    Brug__V1__List list = BRUG__V1__LIST__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id within;
    const char *given = o->municipality_count > 0 ? o->municipalities[0] : o->organisation;
    int status = given == NULL ? EX_OK : ctl_parse_id("the id", given, &within);
    if (status != EX_OK)
        return status;
    list.type = type;
    if (given != NULL)
        list.within = ctl_bytes(id_slice(&within));
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_LIST;
    request.list = &list;

    struct arena **pages = calloc(PAGES_MAX, sizeof *pages);
    struct listed all = {NULL, 0};
    size_t page_count = 0;
    bool has_more = true;
    if (pages == NULL)
        return ctl_complain(EX_SOFTWARE, "out of memory");
    while (status == EX_OK && has_more && page_count < PAGES_MAX) {
        Brug__V1__AdminAnswer *a = NULL;
        size_t n = 0;
        struct arena *arena = pages[page_count++] = arena_new();
        status = arena == NULL ? ctl_complain(EX_SOFTWARE, "out of memory")
                               : ctl_call(o, &request, arena, &a);
        if (status == EX_OK && a->objects == NULL)
            status = ctl_complain(EX_SOFTWARE, "the relay's answer holds no list: use the same "
                                               "version of both");
        if (status != EX_OK)
            break;
        ProtobufCMessage **rows = rows_of(a->objects, type, &n);
        const ProtobufCMessage **grown = reallocarray(all.rows, all.n + n + 1, sizeof *grown);
        if (grown == NULL) {
            status = ctl_complain(EX_SOFTWARE, "out of memory");
            break;
        }
        all.rows = grown;
        for (size_t i = 0; i < n; i++)
            all.rows[all.n++] = rows[i];
        list.after = a->objects->next;
        has_more = list.after.len > 0;
    }
    if (status == EX_OK && has_more)
        status = ctl_complain(EX_SOFTWARE, "the relay's list does not end");
    if (status == EX_OK)
        status = ctl_print_rows(o, all.rows, all.n, columns_of(type));
    while (page_count > 0)
        arena_free(pages[--page_count]);
    free(pages);
    free(all.rows);
    return status;
}

int object_show(const struct ctl_options *o, Brug__V1__ObjectType type)
{
    Brug__V1__Show show = BRUG__V1__SHOW__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id;
    int status = ctl_parse_id("the id", o->argument, &id);
    if (status != EX_OK)
        return status;
    show.type = type;
    show.id = ctl_bytes(id_slice(&id));
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SHOW;
    request.show = &show;
    return call_and_print(o, &request);
}

int object_set_status(const struct ctl_options *o, Brug__V1__ObjectType type,
                      Brug__V1__Status value)
{
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id id;
    int status = ctl_parse_id("the id", o->argument, &id);
    if (status != EX_OK)
        return status;
    set.type = type;
    set.id = ctl_bytes(id_slice(&id));
    set.status = value;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    request.set_status = &set;
    return call_and_print(o, &request);
}

/* ---- parked copies ---- */

/* Each request releases some; the last answer holds how many there were in all. */
int endpoint_release(const struct ctl_options *o)
{
    Brug__V1__Release release = BRUG__V1__RELEASE__INIT;
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__ReleaseAnswer all = BRUG__V1__RELEASE_ANSWER__INIT;
    struct id id;
    int status = ctl_parse_id("the id", o->argument, &id);
    if (status != EX_OK)
        return status;
    release.endpoint = ctl_bytes(id_slice(&id));
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_RELEASE;
    request.release = &release;
    do {
        Brug__V1__AdminAnswer *a = NULL;
        struct arena *arena = arena_new();
        if (arena == NULL)
            return ctl_complain(EX_SOFTWARE, "out of memory");
        status = ctl_call(o, &request, arena, &a);
        if (status == EX_OK && a->release == NULL)
            status = ctl_complain(EX_SOFTWARE, "the relay did not say what it released");
        if (status == EX_OK && a->release->released == 0 && a->release->left > 0)
            status = ctl_complain(EX_SOFTWARE, "the relay releases nothing of what is parked");
        if (status == EX_OK) {
            all.released += a->release->released;
            all.left = a->release->left;
        }
        arena_free(arena);
    } while (status == EX_OK && all.left > 0);
    return status == EX_OK ? ctl_print_message(o, &all.base) : status;
}
