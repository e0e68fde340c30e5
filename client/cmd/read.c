/* client/cmd/read.c: inbox, find and sent: lists of messages, and the facts of one that was sent. */
#include "client/cmd/cmd.h"

#include <string.h>

static json_t *json_messages(struct cmd *c, const struct brug_messages *m)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < m->n; i++)
        if (json_array_append_new(list, cmd_json_message(c, &m->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int print_list(struct cmd *c, const struct brug_query *query, const char *none_dutch,
                      const char *none_english)
{
    const struct brug_messages *found = NULL;
    int status = cmd_messages(c, query, &found);
    if (status != EX_OK)
        return status;
    if (c->is_json)
        return cmd_print_json(c, json_messages(c, found));
    for (size_t i = 0; i < found->n; i++)
        cmd_print_message_row(c, &found->items[i]);
    if (found->n == 0)
        (void)puts(cmd_say(c, none_dutch, none_english));
    return EX_OK;
}

int cmd_inbox(struct cmd *c)
{
    struct brug_query query = {.received = true, .unopened_only = !c->is_all};
    return print_list(c, &query, "Geen nieuwe berichten.", "No new messages.");
}

int cmd_find(struct cmd *c)
{
    const char *words = "";
    for (int i = 0; i < c->words_n; i++)
        words = cmd_fill(c, "%s%s%s", words, i == 0 ? "" : " ", c->words[i]);
    struct brug_query query = {.words = words};
    return print_list(c, &query, "Niets gevonden.", "Nothing found.");
}

/* ---- sent ---- */

/* A letter that has no receipt yet has no facts; then sending it is what there is to do. */
static int refresh_facts(struct cmd *c, int64_t number)
{
    bool reached = false;
    int timeout_ms = 0;
    int status = cmd_wait_ms(c, CMD_WAIT_SECONDS_DEFAULT, &timeout_ms);
    if (status != EX_OK)
        return status;
    int e = brug_track(c->brug, number);
    if (e != BRUG_OK && e != BRUG_NOT_FOUND)
        return cmd_fail(c, e);
    status = cmd_wait(c, e == BRUG_OK ? BRUG_UNTIL_TRACKED : BRUG_UNTIL_SENT, timeout_ms, &reached);
    if (status == EX_OK && !reached)
        (void)fprintf(stderr, "brug: %s\n", cmd_offline_reason(c)); /* what is known is printed */
    return status;
}

static json_t *json_facts(struct cmd *c, const struct brug_facts *facts)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && facts != NULL && i < facts->n; i++) {
        const struct brug_fact *f = &facts->items[i];
        json_t *j = json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "endpoint",
            cmd_json_id(&f->endpoint), "organisation", cmd_json_id(&f->organisation), "person",
            cmd_json_id(&f->person), "person_name", cmd_json_text(f->person_name), "fetched_at",
            cmd_json_time(f->fetched_at_ms), "unreadable",
            f->unreadable == BRUG_OK ? json_null() : json_string(brug_error_name(f->unreadable)),
            "opened_at", cmd_json_time(f->opened_at_ms), "opened_by", cmd_json_id(&f->opened_by),
            "opened_by_name", cmd_json_text(f->opened_by_name), "cancelled_at",
            cmd_json_time(f->cancelled_at_ms));
        if (json_array_append_new(list, j) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static const char *reader_name(struct cmd *c, const struct brug_fact *f)
{
    const struct brug_organisation *o = cmd_organisation(c, &f->organisation);
    const char *name =
        f->person_name[0] != '\0' ? f->person_name : cmd_say(c, "een medewerker", "a person");
    if (o == NULL || strcmp(o->name, f->person_name) == 0)
        return cmd_clean(c, name);
    return cmd_fill(c, "%s, %s", cmd_clean(c, name), cmd_clean(c, o->name));
}

static int print_facts(struct cmd *c, const struct brug_message *m)
{
    char time[CMD_TIME_BYTES];
    const struct brug_facts *facts = cmd_facts(c, m->number);
    if (c->is_json) {
        json_t *j = cmd_json_message(c, m);
        if (j != NULL && json_object_set_new(j, "readers", json_facts(c, facts)) == 0 &&
            json_object_set_new(j, "asked_at",
                                cmd_json_time(facts == NULL ? 0 : facts->asked_at_ms)) == 0)
            return cmd_print_json(c, j);
        json_decref(j);
        return cmd_no_memory(c);
    }
    cmd_print_message_row(c, m);
    for (size_t i = 0; facts != NULL && i < facts->n; i++)
        (void)printf("      - %s: %s\n", reader_name(c, &facts->items[i]),
                     cmd_fact_text(c, &facts->items[i]));
    if (facts != NULL && facts->asked_at_ms != 0)
        (void)printf("      %s %s\n", cmd_say(c, "Dit zei de relay op", "This the relay said at"),
                     cmd_time(facts->asked_at_ms, time));
    return EX_OK;
}

int cmd_sent(struct cmd *c)
{
    const struct brug_message *m = NULL;
    int64_t number = 0;
    int status = c->words_n == 0 ? EX_OK : cmd_find_message(c, c->words[0], &number);
    if (status == EX_OK && c->is_refresh)
        status = refresh_facts(c, number);
    if (status != EX_OK)
        return status;
    if (number == 0) {
        struct brug_query query = {.sent = true};
        return print_list(c, &query, "Nog niets verzonden.", "Nothing sent yet.");
    }
    status = cmd_message(c, number, &m);
    if (status == EX_OK && !m->is_sent)
        status =
            cmd_complain(c, EX_DATAERR, "dat bericht is ontvangen; met `brug show` leest u het",
                         "that message was received; `brug show` prints it");
    return status == EX_OK ? print_facts(c, m) : status;
}
