/*
 * client/cmd/figures.c: figures of a period as a table, CSV or JSON. A consultant and a leader see their own team as it is;
 * others, and they with --published, see the teams of the municipality as they are published. Keys are English and stay.
 */
#include "base/text.h"
#include "client/cmd/cmd.h"
#include "client/cmd/typed.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIGURES_WAIT_SECONDS 10
#define VALUE_COLUMN 50

/* ---- what is asked ---- */

/* "2026" and "2026-Q3" say which period is meant too. */
static bool parse_from(const char *text, uint32_t *date, int *period)
{
    char *end = NULL;
    unsigned long year = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || end != text + 4 || year < 2020 || year >= 2100)
        return typed_date(text, date);
    if (*end == '\0') {
        *date = (uint32_t)year * 10000 + 101;
        *period = BRUG_FIGURE_PERIOD_YEAR;
        return true;
    }
    if (strncasecmp(end, "-Q", 2) != 0)
        return typed_date(text, date);
    if (end[2] < '1' || end[2] > '4' || end[3] != '\0')
        return false;
    *date = (uint32_t)year * 10000 + ((uint32_t)(end[2] - '1') * 3 + 1) * 100 + 1;
    *period = BRUG_FIGURE_PERIOD_QUARTER;
    return true;
}

static int read_period(struct cmd *c, int *period, uint32_t *date)
{
    int meant = BRUG_FIGURE_PERIOD_QUARTER;
    *date = 0;
    if (c->from != NULL && !parse_from(c->from, date, &meant))
        return cmd_complain_of(c, EX_USAGE,
                               "--from '%s' is geen datum, kwartaal (2026-Q3) of jaar (2026)",
                               "--from '%s' is no date, quarter (2026-Q3) or year (2026)", c->from);
    *period = meant;
    return c->period == NULL ? EX_OK
                             : cmd_code(c, BRUG_LIST_FIGURE_PERIOD, "--period", c->period, period);
}

static void free_figures(void *p) { brug_figures_free(p); }

static int fetch(struct cmd *c, bool inside, const struct brug_figures **out)
{
    struct brug_figures *f = NULL;
    bool reached = false;
    uint32_t date = 0;
    int period = 0, timeout_ms = 0;
    int status = read_period(c, &period, &date);
    if (status == EX_OK)
        status = cmd_wait_ms(c, FIGURES_WAIT_SECONDS, &timeout_ms);
    if (status == EX_OK)
        status = cmd_fail(c, brug_ask_figures(c->brug, period, date, inside));
    if (status == EX_OK)
        status = cmd_wait(c, BRUG_UNTIL_FIGURES, timeout_ms, &reached);
    if (status == EX_OK && !reached)
        status = cmd_complain_of(c, cmd_offline_status(c), "de cijfers zijn niet opgehaald: %s",
                                 "the figures were not fetched: %s", cmd_offline_reason(c));
    if (status == EX_OK)
        status = cmd_fail(c, brug_figures(c->brug, &f));
    if (status != EX_OK)
        return status;
    *out = cmd_keep(c, f, free_figures);
    return *out == NULL ? cmd_no_memory(c) : EX_OK;
}

/* ---- one row ---- */

/* The list that a row's code is of; false: its code is a number of days, or says nothing. */
static bool list_of(const struct brug_figure *row, enum brug_list *list)
{
    switch (row->measure) {
    case BRUG_FIGURE_REASON:
        *list = BRUG_LIST_REASON;
        return true;
    case BRUG_FIGURE_OUTCOME:
        *list = BRUG_LIST_OUTCOME;
        return true;
    case BRUG_FIGURE_FEEDBACK_ON_TIME:
    case BRUG_FIGURE_FEEDBACK_LATE:
    case BRUG_FIGURE_OVERDUE:
        *list = BRUG_LIST_OWED_KIND;
        return true;
    default:
        return false;
    }
}

static bool is_in_classes(const struct brug_figure *row)
{
    return row->measure >= BRUG_FIGURE_TAKE_UP_DAYS && row->measure <= BRUG_FIGURE_END_DAYS;
}

static bool has_number(const struct brug_figure *row)
{
    return row->form == BRUG_FIGURE_EXACT || row->form == BRUG_FIGURE_ROUNDED;
}

static bool is_mean(const struct brug_figure *row)
{
    return row->measure >= BRUG_FIGURE_TAKE_UP_MEAN && row->measure <= BRUG_FIGURE_END_MEAN;
}

/* For programs: "parenting", "10", "more"; "" without a code. */
static const char *code_word(struct cmd *c, const struct brug_figure *row)
{
    enum brug_list list;
    if (row->form == BRUG_FIGURE_WITHHELD)
        return "";
    if (list_of(row, &list))
        return brug_list_word(list, row->code);
    if (!is_in_classes(row))
        return "";
    return row->code == 0 ? "more" : cmd_fill(c, "%d", row->code);
}

/* ---- for programs ---- */

static json_t *row_json(struct cmd *c, const struct brug_figure *row)
{
    const char *code = code_word(c, row);
    json_t *number = !has_number(row) ? json_null()
                     : is_mean(row)   ? json_real(row->number / 10.0)
                                      : json_integer(row->number);
    return json_pack("{s:s, s:o, s:o, s:s, s:o}", "measure",
                     brug_list_word(BRUG_LIST_FIGURE_MEASURE, row->measure), "code",
                     code[0] == '\0' ? json_null() : json_string(code), "name",
                     row->name[0] == '\0' ? json_null() : cmd_json_text(row->name), "form",
                     brug_list_word(BRUG_LIST_FIGURE_FORM, row->form), "number", number);
}

static json_t *team_json(struct cmd *c, const struct brug_team_figures *t)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows != NULL && i < t->rows_n; i++)
        if (json_array_append_new(rows, row_json(c, &t->rows[i])) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    return json_pack("{s:o, s:o, s:o, s:o}", "team", cmd_json_id(&t->team), "name",
                     cmd_json_text(t->name), "published_at", cmd_json_time(t->published_at_ms),
                     "rows", rows);
}

/* Whether the team was asked for, by a part of its name. */
static bool is_asked(const struct cmd *c, const struct brug_team_figures *t)
{
    return c->words_n == 0 || strcasestr(t->name, c->words[0]) != NULL;
}

static int print_json(struct cmd *c, const struct brug_figures *f)
{
    json_t *teams = json_array();
    for (size_t i = 0; teams != NULL && i < f->teams_n; i++)
        if (is_asked(c, &f->teams[i]) &&
            json_array_append_new(teams, team_json(c, &f->teams[i])) != 0) {
            json_decref(teams);
            teams = NULL;
        }
    return cmd_print_json(c, json_pack("{s:s, s:o, s:o, s:b, s:o}", "period",
                                       brug_list_word(BRUG_LIST_FIGURE_PERIOD, f->period), "from",
                                       cmd_json_date(f->from_date), "until",
                                       cmd_json_date(f->until_date), "running", (int)f->is_running,
                                       "teams", teams));
}

static void print_csv_row(struct cmd *c, const struct brug_figures *f,
                          const struct brug_team_figures *t, const struct brug_figure *row)
{
    char id[BRUG_ID_TEXT_BYTES];
    (void)printf("%s,%u-%02u-%02u,%u-%02u-%02u,%s,",
                 brug_list_word(BRUG_LIST_FIGURE_PERIOD, f->period), f->from_date / 10000,
                 f->from_date / 100 % 100, f->from_date % 100, f->until_date / 10000,
                 f->until_date / 100 % 100, f->until_date % 100, brug_id_text(&t->team, id));
    text_print_csv(stdout, cmd_clean(c, t->name));
    (void)printf(",%s,%s,", brug_list_word(BRUG_LIST_FIGURE_MEASURE, row->measure),
                 code_word(c, row));
    text_print_csv(stdout, cmd_clean(c, row->name));
    (void)printf(",%s,", brug_list_word(BRUG_LIST_FIGURE_FORM, row->form));
    if (has_number(row) && is_mean(row))
        (void)printf("%u.%u", row->number / 10, row->number % 10);
    else if (has_number(row))
        (void)printf("%u", row->number);
    (void)puts("\r");
}

static int print_csv(struct cmd *c, const struct brug_figures *f)
{
    (void)puts("period,from,until,team,team_name,measure,code,name,form,number\r");
    for (size_t i = 0; i < f->teams_n; i++)
        for (size_t k = 0; is_asked(c, &f->teams[i]) && k < f->teams[i].rows_n; k++)
            print_csv_row(c, f, &f->teams[i], &f->teams[i].rows[k]);
    return EX_OK;
}

/* ---- for people ---- */

static const char *measure_text(const struct cmd *c, const struct brug_figure *row)
{
    return brug_list_text(BRUG_LIST_FIGURE_MEASURE, row->measure, c->language);
}

/* Rows that stand under a heading. */
static bool is_part(const struct brug_figure *row)
{
    switch (row->measure) {
    case BRUG_FIGURE_REASON:
    case BRUG_FIGURE_OUTCOME:
    case BRUG_FIGURE_REFERRED_AREA:
    case BRUG_FIGURE_ENDED_AREA:
    case BRUG_FIGURE_OVERDUE:
    case BRUG_FIGURE_CASELOAD:
        return row->form != BRUG_FIGURE_WITHHELD;
    case BRUG_FIGURE_FEEDBACK_ON_TIME:
    case BRUG_FIGURE_FEEDBACK_LATE:
        return row->code != 0;
    default:
        return is_in_classes(row) && row->form != BRUG_FIGURE_WITHHELD;
    }
}

static const char *part_text(struct cmd *c, const struct brug_figure *row)
{
    enum brug_list list;
    if (list_of(row, &list))
        return row->code == 0 ? cmd_say(c, "Niet gegeven", "Not given")
                              : brug_list_text(list, row->code, c->language);
    if (is_in_classes(row))
        return row->code == 0 ? cmd_say(c, "langer", "longer")
                              : cmd_fill(c, cmd_say(c, "tot en met %d", "up to %d"), row->code);
    if (row->name[0] != '\0')
        return cmd_clean(c, row->name);
    return row->measure == BRUG_FIGURE_CASELOAD
               ? cmd_say(c, "Nog niet opgepakt", "Not taken up yet")
               : cmd_say(c, "Overig gebied", "Other areas");
}

static const char *value_text(struct cmd *c, const struct brug_figure *row)
{
    const char *mark = row->form == BRUG_FIGURE_ROUNDED ? "~" : "";
    bool is_share =
        row->measure == BRUG_FIGURE_OWN_SHARE || row->measure == BRUG_FIGURE_ON_TIME_SHARE;
    if (row->form == BRUG_FIGURE_UNDER_5)
        return "<5";
    if (!has_number(row))
        return "-";
    if (is_mean(row))
        return cmd_fill(c, cmd_say(c, "%u,%u", "%u.%u"), row->number / 10, row->number % 10);
    return cmd_fill(c, "%s%u%s", mark, row->number, is_share ? "%" : "");
}

static void print_line(struct cmd *c, int indent, const char *label, const char *value)
{
    int gap = VALUE_COLUMN - indent - cmd_width(label);
    (void)printf("%*s%s%*s%6s\n", indent, "", label, gap > 1 ? gap : 1, "", value);
}

static void print_team(struct cmd *c, const struct brug_team_figures *t)
{
    char time[CMD_TIME_BYTES];
    int heading = 0;
    (void)printf("\n%s (%s%s)\n", cmd_clean(c, t->name),
                 t->published_at_ms == 0 ? cmd_say(c, "precies, alleen voor het team zelf",
                                                   "exact, for the team itself only")
                                         : cmd_say(c, "gepubliceerd op ", "published on "),
                 t->published_at_ms == 0 ? "" : cmd_time(t->published_at_ms, time));
    for (size_t i = 0; i < t->rows_n; i++) {
        const struct brug_figure *row = &t->rows[i];
        if (is_part(row) && row->form == BRUG_FIGURE_EXACT && row->number == 0)
            continue; /* nobody; of what is rounded it is not known */
        if (is_part(row) && row->measure != heading)
            (void)printf("  %s\n", measure_text(c, row));
        heading = is_part(row) ? row->measure : 0;
        if (is_part(row))
            print_line(c, 4, part_text(c, row), value_text(c, row));
        else
            print_line(c, 2, measure_text(c, row), value_text(c, row));
    }
}

static void print_legend(struct cmd *c)
{
    (void)printf(
        "\n%s\n",
        cmd_say(c,
                "<5: minder dan 5. ~: afgerond op 5. -: niet getoond, want samen met andere "
                "cijfers zou het iets zeggen over minder dan 5 jongeren.",
                "<5: less than 5. ~: rounded to 5. -: not shown, as with other figures it "
                "would tell of less than 5 youths."));
}

static int print_table(struct cmd *c, const struct brug_figures *f)
{
    char from[CMD_TIME_BYTES], until[CMD_TIME_BYTES];
    size_t shown = 0;
    bool is_coarse = false;
    (void)printf("%s, %s %s %s%s\n",
                 brug_list_text(BRUG_LIST_FIGURE_PERIOD, f->period, c->language),
                 cmd_date(f->from_date, from), cmd_say(c, "tot en met", "up to"),
                 cmd_date(f->until_date, until),
                 f->is_running ? cmd_say(c, " (loopt nog)", " (not over yet)") : "");
    for (size_t i = 0; i < f->teams_n; i++) {
        if (!is_asked(c, &f->teams[i]))
            continue;
        print_team(c, &f->teams[i]);
        is_coarse |= f->teams[i].published_at_ms != 0;
        shown++;
    }
    if (is_coarse)
        print_legend(c);
    return shown > 0 ? EX_OK
                     : cmd_complain(c, EX_NOINPUT, "geen team heet zo", "no team has that name");
}

int cmd_figures(struct cmd *c)
{
    struct brug_identity me;
    const struct brug_figures *f = NULL;
    int status = cmd_fail(c, brug_identity(c->brug, &me));
    if (status == EX_OK && c->is_csv && c->is_json)
        status = cmd_complain(c, EX_USAGE, "kies --csv of --json", "choose --csv or --json");
    if (status != EX_OK)
        return status;
    bool is_member = me.role == BRUG_ROLE_CONSULTANT || me.role == BRUG_ROLE_LEADER;
    status = fetch(c, is_member && !c->is_published && c->words_n == 0, &f);
    if (status != EX_OK)
        return status;
    if (c->is_json)
        return print_json(c, f);
    return c->is_csv ? print_csv(c, f) : print_table(c, f);
}
