/*
 * client/cmd/cmd.h: what the commands of brug share. They use the public library (include/brug.h), as any vendor would.
 *
 * A command gets one open profile and its options, does one thing, and prints it: lines for people in Dutch or
 * English, one JSON value with --json (then standard output holds nothing else; watch: one value a line). A complaint
 * is one or two lines on standard error that say what to do; with --json also an object with "error" and "message".
 * Exit status: sysexits.h (cmd_status). A letter that was stored here counts as done, whether it left already or not:
 * a script that tried again would send it twice.
 *
 * Names and texts of others reach the terminal only through cmd_clean and cmd_print_text.
 */
#ifndef CLIENT_CMD_CMD_H
#define CLIENT_CMD_CMD_H

#include "include/brug.h"
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#define CMD_VALUES_MAX 16
#define CMD_FILE_BYTES_MAX (32u << 20)
#define CMD_WAIT_SECONDS_DEFAULT 10
#define CMD_WAIT_SECONDS_MAX 86400

struct cmd_kept;

/* The options of all commands; which of them a command takes stands in its row. NULL or 0: not given. */
struct cmd {
    struct brug *brug;
    enum brug_language language;
    bool is_json, wants_help, wants_version;
    const char *profile, *relay;
    const char *invitation, *answer, *code, *out, *fingerprint;
    const char *reason, *type, *youth, *name, *born, *bsn, *address, *letter, *subject, *ground;
    const char *person, *on_behalf, *kind, *to, *reply_to, *wait;
    const char *outcome, *conversations, *involvement, *called_on, *until, *what, *carrier, *linked;
    const char *suicidality, *somatic, *who, *evening;
    const char *period, *from;
    const char *moments[CMD_VALUES_MAX], *telephones[CMD_VALUES_MAX], *attachments[CMD_VALUES_MAX];
    size_t moments_n, telephones_n, attachments_n;
    bool is_recovery, is_yes, is_all, is_plain, is_refresh, is_header;
    bool is_withheld, is_bridging, is_end, is_team, is_ended, is_practices, is_published, is_csv;
    bool is_offline; /* the relay was not reached in this run: it is not waited for again */
    const char *const *words; /* after the command */
    int words_n;
    struct cmd_kept *kept;                      /* memory that lives as long as the command */
    const struct brug_organisations *directory; /* NULL: not looked at yet */
};

/* ---- complaints (complain.c); each returns the exit status ---- */
/* The text in the language of this run. */
const char *cmd_say(const struct cmd *c, const char *dutch, const char *english)
    __attribute__((format_arg(2), format_arg(3)));
int cmd_complain(const struct cmd *c, int status, const char *dutch, const char *english);
/* With one word filled in for the %s of both texts. */
int cmd_complain_of(const struct cmd *c, int status, const char *dutch, const char *english,
                    const char *word);
/* With a name for programs of its own. */
int cmd_complain_named(const struct cmd *c, int status, const char *name, const char *text);
/* An error of the library: its sentence, and on a second line what it was about. EX_OK for BRUG_OK. */
int cmd_fail(struct cmd *c, int error);
int cmd_status(int error); /* the exit status of an error */
int cmd_no_memory(const struct cmd *c);

/* ---- memory that lives as long as the command (output.c) ---- */
typedef void (*cmd_release_cb)(void *memory);
/* Takes it; cmd_forget releases it. NULL for NULL, and without memory (it is released then). */
void *cmd_keep(struct cmd *c, void *memory, cmd_release_cb release);
void cmd_forget(struct cmd *c);
const char *cmd_fill(struct cmd *c, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* "" without memory */

/* ---- the profile and its connection (connect.c) ---- */
/* The state must be READY; else says what to do first. */
int cmd_need_ready(struct cmd *c);
/* Connects, or leaves it to the process that has the connection, and waits. *reached false: it did not come in time. */
int cmd_wait(struct cmd *c, enum brug_until until, int timeout_ms, bool *reached);
/* --wait in ms, or the default. */
int cmd_wait_ms(const struct cmd *c, int default_seconds, int *out);
/* Why the relay is not reached: a sentence for people. */
const char *cmd_offline_reason(struct cmd *c);
int cmd_offline_status(struct cmd *c);
/* Fetches the whole directory anew, if it can within --wait; a complaint if not. */
int cmd_refresh_directory(struct cmd *c);
int cmd_need_directory(struct cmd *c); /* the same, where there is none yet */
/* The organisation that a person means; fetches the directory first where there is none yet. */
int cmd_find_organisation(struct cmd *c, const char *text, struct brug_id *out);
/* The person of the organisation that a name or id means. */
int cmd_find_person(struct cmd *c, const struct brug_id *organisation, const char *text,
                    struct brug_id *out);

/* ---- looking things up (lookup.c); what they give lives as long as the command ---- */
/* As the store has it now, or had it when it was looked at first; NULL: a failure, complained of. */
const struct brug_organisations *cmd_organisations(struct cmd *c);
/* NULL when it is not in the directory here. */
const struct brug_organisation *cmd_organisation(struct cmd *c, const struct brug_id *id);
const char *cmd_person_name(struct cmd *c, const struct brug_id *organisation,
                            const struct brug_id *person); /* "" when not known */
/* All messages that a query finds; a complaint otherwise. */
int cmd_messages(struct cmd *c, const struct brug_query *query, const struct brug_messages **out);
/* One, as it is now. */
int cmd_message(struct cmd *c, int64_t number, const struct brug_message **out);
/* The facts of a sent letter; NULL when none are known. */
const struct brug_facts *cmd_facts(struct cmd *c, int64_t number);
/* The message's number for what was typed, or a complaint. */
int cmd_find_message(struct cmd *c, const char *text, int64_t *number);
/* A case by its code or id, or the case of the message with that number. */
int cmd_find_case(struct cmd *c, const char *text, struct brug_id *out);
/* One case; NULL when it is not here. */
const struct brug_case *cmd_case_of(struct cmd *c, const struct brug_id *case_id);

/* ---- input (input.c) ---- */
/* A whole file, or standard input for "-"; NUL behind it; lives as long as the command. */
int cmd_read(struct cmd *c, const char *path, char **out, size_t *len);
/* The same of text: without a byte order mark; a NUL in it is complained of. */
int cmd_read_text(struct cmd *c, const char *path, char **out);
/* For what the library reads by itself: a complaint if the file is not there. */
int cmd_need_file(const struct cmd *c, const char *path);
/* Standard output for NULL and "-"; never overwrites a file. */
int cmd_write(const struct cmd *c, const char *path, const void *data, size_t len);
int cmd_complain_existing(const struct cmd *c, const char *path);
/* Nobody can be asked without a terminal on both ends. */
bool cmd_has_terminal(void);
/* What a person writes in $VISUAL or $EDITOR; editor_is_there says whether one can be opened. */
bool editor_is_there(void);
int editor_write(struct cmd *c, char **out);
/* Yes or no on the terminal. */
bool cmd_confirm(const struct cmd *c, const char *dutch, const char *english);
/* The number of a word of a closed list, or a complaint that lists the words. */
int cmd_code(const struct cmd *c, enum brug_list list, const char *option, const char *word,
             int *out);

/* ---- output (output.c) ---- */
/* The text with '?' for every control character and for bytes that are no UTF-8: one line. */
const char *cmd_clean(struct cmd *c, const char *text);
/* The same, with its lines and tabs. */
void cmd_print_text(struct cmd *c, FILE *to, const char *text);
void cmd_print_field(struct cmd *c, const char *dutch, const char *english,
                     const char *value); /* nothing if "" */
int cmd_width(const char *text);         /* columns that it takes, of Dutch and English words */
#define CMD_TIME_BYTES 32
char *cmd_time(int64_t ms, char out[CMD_TIME_BYTES]); /* local, "22-11-2026 19:30"; "-" for 0 */
char *cmd_date(uint32_t yyyymmdd, char out[CMD_TIME_BYTES]); /* "17-04-2013" */
uint32_t cmd_today(void);                                    /* local, yyyymmdd */
int cmd_print_json(const struct cmd *c, json_t *j);          /* takes it; NULL: no memory */
json_t *cmd_json_text(const char *text);
json_t *cmd_json_id(const struct brug_id *id);        /* null for none */
json_t *cmd_json_time(int64_t ms);                    /* UTC, ISO 8601; null for 0 */
json_t *cmd_json_date(uint32_t yyyymmdd);             /* "2013-04-17"; null for 0 */
json_t *cmd_json_bytes(const void *data, size_t len); /* base64 in one line */

/* ---- a message in lines and in JSON (message.c) ---- */
/* Who wrote it: "M. van der Linde, Praktijk De Linde", and who handed it on, if somebody did. */
const char *cmd_author(struct cmd *c, const struct brug_message *m);
/* "  (new)" behind a letter that nobody here opened yet, else "". */
const char *cmd_new_text(struct cmd *c, const struct brug_message *m);
/* How it stands: the facts of a letter that was sent, why a message cannot be read; "" when there is nothing to say. */
const char *cmd_state_text(struct cmd *c, const struct brug_message *m);
/* What can be said of one reader, as far as it is known. */
const char *cmd_fact_text(struct cmd *c, const struct brug_fact *f);
void cmd_print_message_row(struct cmd *c, const struct brug_message *m);
json_t *cmd_json_message(struct cmd *c, const struct brug_message *m);

/* ---- commands ---- */
int cmd_init(struct cmd *c);
int cmd_whoami(struct cmd *c);
int cmd_trust(struct cmd *c);
int cmd_directory(struct cmd *c);
int cmd_refer(struct cmd *c);
int cmd_consult(struct cmd *c);
int cmd_cases(struct cmd *c);
int cmd_case(struct cmd *c);
int cmd_owed(struct cmd *c);
int cmd_figures(struct cmd *c);
int cmd_claim(struct cmd *c);
int cmd_handover(struct cmd *c);
int cmd_start(struct cmd *c);
int cmd_interim(struct cmd *c);
int cmd_ask(struct cmd *c);
int cmd_answer(struct cmd *c);
int cmd_delay(struct cmd *c);
int cmd_decline(struct cmd *c);
int cmd_stop(struct cmd *c);
int cmd_agree(struct cmd *c);
int cmd_object(struct cmd *c);
int cmd_retract(struct cmd *c);
int cmd_bridge(struct cmd *c);
int cmd_close(struct cmd *c);
int cmd_withdraw(struct cmd *c);
int cmd_advise(struct cmd *c);
int cmd_note(struct cmd *c);
int cmd_notice(struct cmd *c);
int cmd_history(struct cmd *c);
int cmd_recover(struct cmd *c);
int cmd_send(struct cmd *c);
int cmd_discard(struct cmd *c);
int cmd_sync(struct cmd *c);
int cmd_watch(struct cmd *c);
int cmd_inbox(struct cmd *c);
int cmd_sent(struct cmd *c);
int cmd_find(struct cmd *c);
int cmd_show(struct cmd *c);
int cmd_export(struct cmd *c);

#endif
