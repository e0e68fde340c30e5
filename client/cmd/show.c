/*
 * client/cmd/show.c: show opens a letter for a person, and says so to the sender; export gives it away, sealed as it came
 * or in plain for the dossier, and says nothing to anybody.
 */
#include "client/cmd/letter_text.h"

#include "client/cmd/clean.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TELL_SECONDS 2

/* ---- show ---- */

static void print_others_of_case(struct cmd *c, const struct brug_message *m)
{
    char time[CMD_TIME_BYTES];
    const struct brug_messages *all = NULL;
    struct brug_query query = {.case_id = m->case_id};
    if (brug_id_is_none(&m->case_id) || cmd_messages(c, &query, &all) != EX_OK || all->n < 2)
        return;
    (void)printf("\n%s\n", cmd_say(c, "In deze casus ook:", "Also in this case:"));
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].number != m->number)
            (void)printf("%4lld  %s  %s  %s %s\n", (long long)all->items[i].number,
                         cmd_time(all->items[i].written_at_ms, time),
                         brug_list_text(BRUG_LIST_KIND, all->items[i].kind, c->language),
                         cmd_say(c, "van", "from"), cmd_author(c, &all->items[i]));
}

/* The sender sees who opened the letter; what cannot be told now is told at the next connection. */
static void tell(struct cmd *c, int timeout_ms)
{
    bool reached = false;
    (void)fflush(stdout);
    if (timeout_ms > 0 && brug_start(c->brug) == BRUG_OK)
        (void)brug_wait(c->brug, BRUG_UNTIL_SYNCED, timeout_ms, &reached); /* later, then */
}

int cmd_show(struct cmd *c)
{
    const struct brug_message *before = NULL;
    const struct brug_letter *l = NULL;
    int64_t number;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, TELL_SECONDS, &timeout_ms);
    if (status == EX_OK)
        status = cmd_find_message(c, c->words[0], &number);
    if (status == EX_OK)
        status = cmd_message(c, number, &before);
    if (status == EX_OK)
        status = letter_text_open(c, number, true, &l);
    if (status != EX_OK)
        return status;
    if (c->is_json) {
        status = cmd_print_json(c, letter_text_json(c, l, false));
    } else {
        letter_text_print(c, stdout, l);
        print_others_of_case(c, &l->message);
    }
    if (status == EX_OK && !before->is_sent && before->opened_at_ms == 0)
        tell(c, timeout_ms);
    return status;
}

/* ---- export ---- */

static bool is_directory(const char *path)
{
    struct stat st;
    return path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int export_sealed(struct cmd *c, int64_t number)
{
    void *header = NULL, *sealed = NULL;
    size_t header_len = 0, sealed_len = 0;
    int status =
        cmd_fail(c, brug_export(c->brug, number, &header, &header_len, &sealed, &sealed_len));
    if (status != EX_OK)
        return status;
    bool to_stream = c->out == NULL || strcmp(c->out, "-") == 0;
    if (c->is_json && to_stream)
        status = cmd_print_json(c, json_pack("{s:I, s:o, s:o}", "number", (json_int_t)number,
                                             "header", cmd_json_bytes(header, header_len), "sealed",
                                             cmd_json_bytes(sealed, sealed_len)));
    else if (to_stream && isatty(STDOUT_FILENO))
        status =
            cmd_complain(c, EX_USAGE, "dit zijn bytes, geen tekst: geef --out BESTAND of --plain",
                         "these are bytes, not text: give --out FILE or --plain");
    else
        status = c->is_header ? cmd_write(c, c->out, header, header_len)
                              : cmd_write(c, c->out, sealed, sealed_len);
    brug_free(header);
    brug_free(sealed);
    return status;
}

static int write_text(struct cmd *c, const struct brug_letter *l, const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL)
        return cmd_no_memory(c);
    letter_text_print(c, to, l);
    if (fclose(to) != 0) {
        free(text);
        return cmd_no_memory(c);
    }
    int status = cmd_write(c, path, text, len);
    free(text);
    return status;
}

/* Names of attachments are others' words, and two may be the same: the number in front tells them apart. */
static int write_directory(struct cmd *c, const struct brug_letter *l, json_t *written)
{
    const struct brug_message *m = &l->message;
    const char *stem = cmd_fill(c, "%s%s%lld", m->case_code, m->case_code[0] == '\0' ? "" : "-",
                                (long long)m->number);
    const char *path = cmd_fill(c, "%s/%s.txt", c->out, stem);
    int status = write_text(c, l, path);
    if (status == EX_OK)
        (void)json_array_append_new(written, cmd_json_text(path)); /* of what is printed only */
    for (size_t i = 0; status == EX_OK && i < l->attachments_n; i++) {
        char name[CLEAN_NAME_BYTES];
        clean_file_name(l->attachments[i].name, cmd_say(c, "bijlage", "attachment"), name);
        path = cmd_fill(c, "%s/%s-%zu-%s", c->out, stem, i + 1, name);
        status = cmd_write(c, path, l->attachments[i].data, l->attachments[i].len);
        if (status == EX_OK)
            (void)json_array_append_new(written, cmd_json_text(path));
    }
    return status;
}

static int print_written(struct cmd *c, json_t *written)
{
    size_t i;
    json_t *path;
    if (c->is_json)
        return cmd_print_json(c, json_pack("{s:O}", "written", written));
    json_array_foreach(written, i, path)(void) printf("%s\n", json_string_value(path));
    return EX_OK;
}

static int export_to_directory(struct cmd *c, const struct brug_letter *l)
{
    json_t *written = json_array();
    if (written == NULL)
        return cmd_no_memory(c);
    int status = write_directory(c, l, written);
    if (status == EX_OK)
        status = print_written(c, written);
    json_decref(written);
    return status;
}

static int export_plain(struct cmd *c, int64_t number)
{
    const struct brug_letter *l = NULL;
    int status = letter_text_open(c, number, false, &l);
    if (status != EX_OK)
        return status;
    if (is_directory(c->out))
        return export_to_directory(c, l);
    if (c->is_json && c->out == NULL)
        return cmd_print_json(c, letter_text_json(c, l, true));
    status = write_text(c, l, c->out);
    if (status == EX_OK && l->attachments_n > 0)
        (void)fprintf(stderr, "brug: %s\n",
                      cmd_say(c, "de bijlagen komen mee als --out een map is",
                              "attachments come along when --out is a directory"));
    return status;
}

int cmd_export(struct cmd *c)
{
    int64_t number;
    if (c->is_plain && c->is_header)
        return cmd_complain(c, EX_USAGE, "kies --plain of --header", "choose --plain or --header");
    int status = cmd_find_message(c, c->words[0], &number);
    if (status != EX_OK)
        return status;
    return c->is_plain ? export_plain(c, number) : export_sealed(c, number);
}
