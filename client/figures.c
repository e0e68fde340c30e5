/*
 * client/figures.c: asking the relay for figures, and its last answer.
 *
 * Happy path: brug_ask_figures stores what is asked ("figures_ask") and counts it ("figures_wanted"); the process that has the
 * connection asks page by page and keeps the pages ("figures_pages": frames, one after the other); with the last
 * one nothing is wanted any more, and brug_figures reads them.
 * Failures: a refusal is the answer ("figures_code"), also a passing one: a person waits, and asks again. So is more than is kept
 * here. A session that is lost asks from the first page again.
 */
#include "client/home.h"
#include "client/letters.h"
#include "client/session_inside.h"
#include "client/words.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/workdays.h"

#include <stdlib.h>

#define ASK_BYTES_MAX 256u
#define PAGES_BYTES_MAX (4u << 20)
#define TEAMS_MAX 4096u

/* ---- asking ---- */

static enum error put_ask(struct brug *b, int period, uint32_t days, bool inside)
{
    Brug__V1__GetFigures get = BRUG__V1__GET_FIGURES__INIT;
    struct buf ask;
    int64_t wanted = 0;
    buf_init(&ask, ASK_BYTES_MAX);
    get.municipality = client_id_field(&b->self.municipality);
    get.period = (Brug__V1__FigurePeriod)period;
    get.date = days;
    get.inside = inside;
    enum error e = frame_append_bare(&ask, &get.base);
    if (e == ERROR_NONE)
        e = db_begin(b->db);
    if (e == ERROR_NONE) {
        e = store_put(b->db, "figures_ask", buf_slice(&ask));
        if (e == ERROR_NONE)
            e = store_get_int(b->db, "figures_count", 0, &wanted);
        if (e == ERROR_NONE)
            e = store_put_int(b->db, "figures_count", wanted + 1);
        if (e == ERROR_NONE)
            e = store_put_int(b->db, "figures_wanted", wanted + 1);
        e = db_end(b->db, e);
    }
    buf_fini(&ask);
    return e;
}

int brug_ask_figures(struct brug *b, int period, uint32_t date, bool inside)
{
    uint32_t days = letters_days_of_date(date);
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE && (brug_list_word(BRUG_LIST_FIGURE_PERIOD, period)[0] == '\0' ||
                            (date != 0 && (days < LIMIT_DATE_MIN || days > LIMIT_DATE_MAX))))
        e = client_fail(b, ERROR_USAGE, "a period lies between 2020 and 2100");
    if (e == ERROR_NONE)
        e = client_failed(b, put_ask(b, period, days, inside));
    client_wake(b);
    return (int)e;
}

enum error figures_are_wanted(struct brug *b, bool *wanted)
{
    int64_t number = 0;
    enum error e = store_get_int(b->db, "figures_wanted", 0, &number);
    if (e == ERROR_NONE)
        *wanted = number != 0;
    return e;
}

/* ---- the session ---- */

static enum error ask_page(struct session *s, int64_t wanted, const struct id *after)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    struct arena *arena = NULL;
    ProtobufCMessage *m = NULL;
    enum error e =
        home_decode_setting(s->b, "figures_ask", &brug__v1__get_figures__descriptor, &arena, &m);
    if (e != ERROR_NONE)
        return e;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_GET_FIGURES;
    f.get_figures = (Brug__V1__GetFigures *)m;
    f.get_figures->after = client_id_field(after);
    e = session_ask(s, &f, REQUEST_FIGURES, wanted, after);
    arena_free(arena);
    return e;
}

enum error figures_pump(struct session *s)
{
    int64_t wanted = 0;
    enum error e = store_get_int(s->b->db, "figures_wanted", 0, &wanted);
    if (e != ERROR_NONE || wanted == 0 || !session_has_room(s) ||
        session_is_asked(s, REQUEST_FIGURES, wanted))
        return e;
    return ask_page(s, wanted, &ID_NONE);
}

/* Whether the answer is to what was asked last. */
static enum error is_latest(struct brug *b, const struct request *r, bool *out)
{
    int64_t wanted = 0;
    enum error e = store_get_int(b->db, "figures_wanted", 0, &wanted);
    *out = e == ERROR_NONE && wanted == r->number;
    return e;
}

static enum error end_with(struct brug *b, enum error code)
{
    enum error e = store_put_int(b->db, "figures_code", (int64_t)code);
    return e == ERROR_NONE ? store_put_int(b->db, "figures_wanted", 0) : e;
}

static enum error keep_page(struct brug *b, const Brug__V1__Figures *page, bool is_first)
{
    struct buf pages;
    buf_init(&pages, PAGES_BYTES_MAX);
    enum error e = is_first ? ERROR_NONE : store_get(b->db, "figures_pages", &pages);
    if (e == ERROR_NONE)
        e = frame_append(&pages, &page->base);
    if (e == ERROR_NONE)
        e = store_put(b->db, "figures_pages", buf_slice(&pages));
    buf_fini(&pages);
    return e;
}

enum error figures_on_page(struct session *s, const struct request *r,
                           const Brug__V1__Figures *page)
{
    struct id next = client_field_id(page->next);
    bool is_wanted = false;
    enum error e = is_latest(s->b, r, &is_wanted);
    if (e != ERROR_NONE || !is_wanted)
        return e;
    if (!id_is_none(&next) && id_compare(&next, &r->about) <= 0)
        return ERROR_FRAME_MALFORMED; /* it would never end */
    e = keep_page(s->b, page, id_is_none(&r->about));
    if (e == ERROR_BOUND)
        return end_with(s->b, e);
    if (e != ERROR_NONE)
        return e;
    return id_is_none(&next) ? end_with(s->b, ERROR_NONE) : ask_page(s, r->number, &next);
}

enum error figures_on_refused(struct session *s, const struct request *r, enum error code)
{
    bool is_wanted = false;
    enum error e = is_latest(s->b, r, &is_wanted);
    return e == ERROR_NONE && is_wanted ? end_with(s->b, code) : e;
}

/* ---- the answer ---- */

struct figure_list {
    struct brug_figures public;
    struct words *words;
};

void brug_figures_free(struct brug_figures *f)
{
    struct figure_list *list = (struct figure_list *)f; /* its first member */
    if (!list)
        return;
    words_free(list->words);
    free(list);
}

static enum error read_team(struct words *w, const Brug__V1__TeamFigures *t,
                            struct brug_team_figures *out)
{
    struct id team = client_field_id(t->team);
    *out = (struct brug_team_figures){.team = client_public_id(&team),
                                      .name = words_copy(w, t->name),
                                      .published_at_ms = t->published_at_ms,
                                      .rows = words_alloc(w, (t->n_rows + 1) * sizeof *out->rows)};
    if (!out->name || !out->rows)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < t->n_rows; i++) {
        const Brug__V1__FigureRow *row = t->rows[i];
        if (brug_list_word(BRUG_LIST_FIGURE_MEASURE, (int)row->measure)[0] == '\0')
            continue; /* of a later relay */
        struct brug_figure *to = &out->rows[out->rows_n++];
        *to = (struct brug_figure){.measure = (int)row->measure,
                                   .code = (int)row->code,
                                   .form = (int)row->form,
                                   .number = row->number,
                                   .name = words_copy(w, row->name)};
        if (!to->name)
            return ERROR_NO_MEMORY;
    }
    return ERROR_NONE;
}

static enum error read_page(struct figure_list *list, struct slice bytes)
{
    struct arena *arena = NULL;
    ProtobufCMessage *m = NULL;
    struct brug_figures *f = &list->public;
    enum error e = home_decode(&brug__v1__figures__descriptor, bytes, &arena, &m);
    if (e != ERROR_NONE)
        return e == ERROR_USAGE ? ERROR_CORRUPT : e;
    const Brug__V1__Figures *page = (const Brug__V1__Figures *)m;
    f->period = (int)page->period;
    f->from_date = letters_date_of_days(page->from_date);
    f->until_date = letters_date_of_days(page->until_date);
    f->is_running = page->running;
    for (size_t i = 0; e == ERROR_NONE && i < page->n_teams; i++)
        e = f->teams_n == TEAMS_MAX
                ? ERROR_BOUND
                : read_team(list->words, page->teams[i], &f->teams[f->teams_n++]);
    arena_free(arena);
    return e;
}

static enum error read_pages(struct brug *b, struct figure_list *list)
{
    struct buf pages;
    buf_init(&pages, PAGES_BYTES_MAX);
    list->words = words_new();
    if (list->words)
        list->public.teams = words_alloc(list->words, TEAMS_MAX * sizeof *list->public.teams);
    enum error e = list->public.teams ? store_get(b->db, "figures_pages", &pages) : ERROR_NO_MEMORY;
    struct slice rest = buf_slice(&pages), page;
    while (e == ERROR_NONE && rest.len > 0) {
        bool is_complete = false;
        size_t wanted = 0;
        e = frame_next(&rest, PAGES_BYTES_MAX, &page, &is_complete, &wanted);
        if (e == ERROR_NONE)
            e = is_complete ? read_page(list, page) : ERROR_CORRUPT;
    }
    buf_fini(&pages);
    return e;
}

static enum error explain(struct brug *b, enum error code)
{
    if (code == ERROR_BOUND)
        return client_fail(b, code, "the figures of so many teams are more than this client keeps");
    if (error_is_passing(code))
        return client_fail(b, code, "the relay gave no figures (%s): ask again in a while",
                           error_text(code));
    return client_failed(b, code);
}

int brug_figures(struct brug *b, struct brug_figures **out)
{
    int64_t code = 0;
    enum error e = client_need_ready(b);
    if (e == ERROR_NONE)
        e = client_failed(b, store_get_int(b->db, "figures_code", ERROR_NOT_FOUND, &code));
    if (e != ERROR_NONE)
        return (int)e;
    if (code != ERROR_NONE)
        return (int)explain(b, (enum error)code);
    struct figure_list *list = calloc(1, sizeof *list);
    e = list ? read_pages(b, list) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        *out = &list->public;
    else
        brug_figures_free(list ? &list->public : NULL);
    return (int)client_failed(b, e);
}
