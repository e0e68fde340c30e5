/*
 * ctl/figures.c: figures of a period, team by team, as anybody outside the teams sees them: as a table, as CSV, or as JSON with
 * the keys that `brug figures` has.
 */
#include "base/clock.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#define DAY_SECONDS 86400
#define PAGES_MAX 4096

/* ---- words ---- */

#define PERIOD(value, out) ctl_word(&brug__v1__figure_period__descriptor, (value), (out))
#define MEASURE(value, out) ctl_word(&brug__v1__figure_measure__descriptor, (value), (out))
#define FORM(value, out) ctl_word(&brug__v1__figure_form__descriptor, (value), (out))
#define ROW_IS(row, name) ((row)->measure == BRUG__V1__FIGURE_MEASURE__FIGURE_MEASURE_##name)
#define FORM_IS(row, name) ((row)->form == BRUG__V1__FIGURE_FORM__FIGURE_FORM_##name)

/* "" for a row without a code. */
static const char *code_of(const Brug__V1__FigureRow *row, char out[CTL_WORD_BYTES])
{
    out[0] = '\0';
    if (FORM_IS(row, WITHHELD))
        return out;
    if (ROW_IS(row, REASON))
        return ctl_word(&brug__v1__reason__descriptor, row->code, out);
    if (ROW_IS(row, OUTCOME))
        return ctl_word(&brug__v1__outcome__descriptor, row->code, out);
    if (ROW_IS(row, TAKE_UP_DAYS) || ROW_IS(row, START_DAYS) || ROW_IS(row, END_DAYS))
        (void)snprintf(out, CTL_WORD_BYTES, row->code == 0 ? "more" : "%u", row->code);
    return out;
}

static bool has_number(const Brug__V1__FigureRow *row)
{
    return FORM_IS(row, EXACT) || FORM_IS(row, ROUNDED);
}

/* Days as "2026-07-01". */
static const char *date_of(uint32_t days, char out[CTL_WORD_BYTES])
{
    time_t seconds = (time_t)days * DAY_SECONDS;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(out, CTL_WORD_BYTES, "%Y-%m-%d", &tm) == 0)
        out[0] = '\0';
    return out;
}

static const char *id_of(ProtobufCBinaryData b, char out[ID_TEXT_BYTES])
{
    struct id id;
    return id_from_slice(&id, slice_of(b.data, b.len)) == ERROR_NONE ? id_to_text(&id, out) : "";
}

/* ---- a table ---- */

static void print_team(const Brug__V1__TeamFigures *t)
{
    char measure[CTL_WORD_BYTES], code[CTL_WORD_BYTES], id[ID_TEXT_BYTES];
    (void)printf("\n%s  %s\n", t->name, id_of(t->team, id));
    for (size_t i = 0; i < t->n_rows; i++) {
        const Brug__V1__FigureRow *row = t->rows[i];
        const char *part = row->name[0] != '\0' ? row->name : code_of(row, code);
        (void)printf("  %-18s %-28s ", MEASURE(row->measure, measure), part);
        if (has_number(row))
            (void)printf("%s%u\n", FORM_IS(row, ROUNDED) ? "~" : "", row->number);
        else
            (void)puts(FORM_IS(row, UNDER_5) ? "<5" : "-");
    }
}

static void print_table(const Brug__V1__Figures *f, bool is_first)
{
    char period[CTL_WORD_BYTES], from[CTL_WORD_BYTES], until[CTL_WORD_BYTES];
    if (is_first)
        (void)printf("%s, %s up to %s\n", PERIOD(f->period, period), date_of(f->from_date, from),
                     date_of(f->until_date, until));
    for (size_t i = 0; i < f->n_teams; i++)
        print_team(f->teams[i]);
    if (f->next.len == 0)
        (void)puts("\n<5: less than 5.  ~: rounded to 5.  -: not shown, as with other figures it "
                   "would tell of less than 5 youths.");
}

/* ---- CSV ---- */

static void print_csv_row(const Brug__V1__Figures *f, const Brug__V1__TeamFigures *t,
                          const Brug__V1__FigureRow *row)
{
    char period[CTL_WORD_BYTES], from[CTL_WORD_BYTES], until[CTL_WORD_BYTES], word[CTL_WORD_BYTES];
    char id[ID_TEXT_BYTES];
    (void)printf("%s,%s,%s,%s,", PERIOD(f->period, period), date_of(f->from_date, from),
                 date_of(f->until_date, until), id_of(t->team, id));
    text_print_csv(stdout, t->name);
    (void)printf(",%s", MEASURE(row->measure, word));
    (void)printf(",%s,", code_of(row, word));
    text_print_csv(stdout, row->name);
    (void)printf(",%s,", FORM(row->form, word));
    if (has_number(row))
        (void)printf("%u", row->number);
    (void)puts("\r");
}

static void print_csv(const Brug__V1__Figures *f, bool is_first)
{
    if (is_first)
        (void)puts("period,from,until,team,team_name,measure,code,name,form,number\r");
    for (size_t i = 0; i < f->n_teams; i++)
        for (size_t k = 0; k < f->teams[i]->n_rows; k++)
            print_csv_row(f, f->teams[i], f->teams[i]->rows[k]);
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *row_json(const Brug__V1__FigureRow *row)
{
    char measure[CTL_WORD_BYTES], code[CTL_WORD_BYTES], form[CTL_WORD_BYTES];
    return json_pack("{s:s, s:o, s:o, s:s, s:o}", "measure", MEASURE(row->measure, measure), "code",
                     text_or_null(code_of(row, code)), "name", text_or_null(row->name), "form",
                     FORM(row->form, form), "number",
                     has_number(row) ? json_integer(row->number) : json_null());
}

static json_t *team_json(const Brug__V1__TeamFigures *t)
{
    char id[ID_TEXT_BYTES], at[CLOCK_TEXT_BYTES];
    json_t *rows = json_array();
    for (size_t i = 0; i < t->n_rows; i++)
        (void)json_array_append_new(rows, row_json(t->rows[i])); /* only memory */
    return json_pack("{s:s, s:s, s:s, s:o}", "team", id_of(t->team, id), "name", t->name,
                     "published_at", clock_to_text(t->published_at_ms, at), "rows", rows);
}

/* The first page makes it, the others add their teams. */
static json_t *add_json(json_t *all, const Brug__V1__Figures *f)
{
    char period[CTL_WORD_BYTES], from[CTL_WORD_BYTES], until[CTL_WORD_BYTES];
    if (all == NULL)
        all = json_pack("{s:s, s:s, s:s, s:b, s:[]}", "period", PERIOD(f->period, period), "from",
                        date_of(f->from_date, from), "until", date_of(f->until_date, until),
                        "running", f->running, "teams");
    for (size_t i = 0; i < f->n_teams; i++)
        (void)json_array_append_new(json_object_get(all, "teams"),
                                    team_json(f->teams[i])); /* only memory */
    return all;
}

/* ---- the command ---- */

static int read_period(const struct ctl_options *o, Brug__V1__GetFigures *get)
{
    const ProtobufCEnumDescriptor *list = &brug__v1__figure_period__descriptor;
    const char *wanted = o->period == NULL ? "quarter" : o->period;
    get->period = (Brug__V1__FigurePeriod)ctl_find_word(list, wanted);
    if (get->period == BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_NONE)
        return ctl_complain(EX_USAGE, "--period is 4w, 6w, 2m, quarter or year, not '%s'", wanted);
    return EX_OK;
}

/* One page; after the first, `all` is what came before, for JSON. */
static void print_page(const struct ctl_options *o, const Brug__V1__Figures *f, bool is_first,
                       json_t **all)
{
    if (o->is_json)
        *all = add_json(*all, f);
    else if (o->is_csv)
        print_csv(f, is_first);
    else
        print_table(f, is_first);
}

static int run(const struct ctl_options *o, Brug__V1__GetFigures *get, struct arena *arena,
               json_t **all)
{
    Brug__V1__AdminRequest request = BRUG__V1__ADMIN_REQUEST__INIT;
    struct id after;
    request.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_GET_FIGURES;
    request.get_figures = get;
    for (int page = 0; page < PAGES_MAX; page++) {
        Brug__V1__AdminAnswer *a = NULL;
        int status = ctl_call(o, &request, arena, &a);
        if (status != EX_OK)
            return status;
        if (a->figures == NULL)
            return ctl_complain(EX_SOFTWARE, "the relay's answer holds no figures: use the same "
                                             "version of both");
        print_page(o, a->figures, page == 0, all);
        if (id_from_slice(&after, slice_of(a->figures->next.data, a->figures->next.len)))
            return EX_OK; /* there is no further page */
        get->after = ctl_bytes(id_slice(&after));
    }
    return ctl_complain(EX_SOFTWARE, "the relay's list of teams does not end");
}

int figures_command(const struct ctl_options *o)
{
    Brug__V1__GetFigures get = BRUG__V1__GET_FIGURES__INIT;
    struct id municipality;
    json_t *all = NULL;
    int status = read_period(o, &get);
    if (status == EX_OK)
        status = o->from == NULL ? EX_OK : ctl_parse_date("--from", o->from, &get.date);
    if (status == EX_OK && o->is_json && o->is_csv)
        status = ctl_complain(EX_USAGE, "choose --csv or --json");
    if (status == EX_OK && o->municipality_count == 1) {
        status = ctl_parse_id("--municipality", o->municipalities[0], &municipality);
        get.municipality = ctl_bytes(id_slice(&municipality));
    }
    struct arena *arena = status == EX_OK ? arena_new() : NULL;
    if (status == EX_OK)
        status =
            arena == NULL ? ctl_complain(EX_SOFTWARE, "out of memory") : run(o, &get, arena, &all);
    if (status == EX_OK && o->is_json && json_dumpf(all, stdout, JSON_INDENT(2)) == 0)
        (void)putchar('\n');
    json_decref(all);
    arena_free(arena);
    return status;
}
