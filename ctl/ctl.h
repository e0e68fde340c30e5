/*
 * ctl/ctl.h: what the commands of brugctl share: the options, the call to the daemon, output and complaints.
 *
 * A command fills an AdminRequest, calls the daemon once (twice where it pages), and prints the answer: a table
 * or lines for people, JSON with --json. Every complaint is one line on standard error that says what to do.
 * Exit status: sysexits.h (0, EX_USAGE, EX_NOINPUT, EX_DATAERR, EX_NOPERM, EX_UNAVAILABLE, EX_TEMPFAIL, EX_SOFTWARE).
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/buf.h"
#include "base/id.h"
#include "brug/v1/admin.pb-c.h"
#include "proto/arena.h"
#include <stdbool.h>
#include <sysexits.h>
#include <time.h>

#define CTL_SOCKET_DEFAULT "/run/brugd/admin.sock"
#define CTL_VALUES_MAX 16

/* The options that any command takes; which of them a command allows stands in its row. */
struct ctl_options {
    const char *socket;
    bool is_json, is_csv;
    const char *name, *area, *kind, *role, *until, *organisation, *person, *telephone, *expertise,
        *card, *out, *id, *period, *from;
    const char *identity, *sealing;
    const char *anchors[CTL_VALUES_MAX], *municipalities[CTL_VALUES_MAX],
        *intermediates[CTL_VALUES_MAX];
    size_t anchor_count, municipality_count, intermediate_count;
    const char *argument; /* the word after the verb, or NULL */
    const char *second;   /* the one after that, for the few that take two */
};

/* Prints "brugctl: …" on standard error; returns the status, so that a command can end with it. */
int ctl_complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sends the request and waits for the answer, which lives in the arena. 0, or an exit status after a complaint;
 * an answer with a code is complained of too. */
int ctl_call(const struct ctl_options *o, const Brug__V1__AdminRequest *request,
             struct arena *arena, Brug__V1__AdminAnswer **answer) MUST_CHECK;

/* ---- what is typed (typed.c), or a complaint ---- */
/* `what` is an option or "the endpoint"; text may be NULL: it is missing. */
int ctl_parse_id(const char *what, const char *text, struct id *out) MUST_CHECK;
/* The id given with --id, or a random one. */
int ctl_choose_id(const struct ctl_options *o, struct id *out) MUST_CHECK;
/* A day of the calendar from 1970 on: only year, month and day of *out are set. */
int ctl_parse_day(const char *what, const char *text, struct tm *out) MUST_CHECK;
/* The same in days since 1970. */
int ctl_parse_date(const char *what, const char *text, uint32_t *out) MUST_CHECK;
/* The value whose ctl_word it is, in any case; 0 for none. */
int ctl_find_word(const ProtobufCEnumDescriptor *type, const char *word);

/* As a field of a message; borrows. */
ProtobufCBinaryData ctl_bytes(struct slice s);

/* ---- files: "-" is standard input or output ---- */
/* Into an empty buffer whose bound is len_max or more. */
int ctl_read(const char *path, size_t len_max, struct buf *out) MUST_CHECK;
/* Never overwrites a file. */
int ctl_write(const char *path, struct slice bytes) MUST_CHECK;
/* The bytes of the n-th PEM block of that label, "CERTIFICATE" for one. False when there is none. */
bool ctl_pem_block(struct slice text, const char *label, size_t n, struct buf *der) MUST_CHECK;
int ctl_write_pem(const char *path, const char *label, struct slice der) MUST_CHECK;

/* ---- output ---- */
#define CTL_WORD_BYTES 64
/* A value without its list, in small letters with '-': "active", "mild-psychological"; else its number. */
const char *ctl_word(const ProtobufCEnumDescriptor *type, uint32_t value, char out[CTL_WORD_BYTES]);
/* One message: JSON, or "field  value" lines. */
int ctl_print_message(const struct ctl_options *o, const ProtobufCMessage *m) MUST_CHECK;
/* Rows as a table of the named columns, or a JSON array of whole rows. */
int ctl_print_rows(const struct ctl_options *o, const ProtobufCMessage *const *rows, size_t n,
                   const char *const *columns) MUST_CHECK;

/* ---- commands ---- */
int status_command(const struct ctl_options *o);
int municipality_add(const struct ctl_options *o);
int organisation_add(const struct ctl_options *o);
int person_add(const struct ctl_options *o);
int endpoint_add(const struct ctl_options *o);
int endpoint_request(const struct ctl_options *o);
int object_list(const struct ctl_options *o, Brug__V1__ObjectType type);
int object_show(const struct ctl_options *o, Brug__V1__ObjectType type);
int figures_command(const struct ctl_options *o);
int account_command(const struct ctl_options *o);
int endpoint_release(const struct ctl_options *o);
int endpoint_replace(const struct ctl_options *o);
int recover_command(const struct ctl_options *o);
int outage_add(const struct ctl_options *o);
int outage_list(const struct ctl_options *o);
int object_set_status(const struct ctl_options *o, Brug__V1__ObjectType type,
                      Brug__V1__Status status);

#endif
