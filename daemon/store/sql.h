/*
 * daemon/store/sql.h: all SQL of the store, once for every driver: the schemas as numbered steps,
 * and the statements by number.
 *
 * A step is never changed once a version with it was released; a change of the schema is a new step
 * at the end.
 */
#ifndef DAEMON_STORE_SQL_H
#define DAEMON_STORE_SQL_H

#include <stddef.h>
#include <stdint.h>

#define OUTBOX_APPLICATION_ID 0x42727567u /* "Brug" */
#define AUDIT_APPLICATION_ID 0x42727541u  /* "BruA" */

/* The n-th step makes schema n + 1 out of n. Each schema has a table `meta` with one row and its
 * schema_number. */
#define OUTBOX_STEP_COUNT 4
extern const char *const OUTBOX_STEPS[OUTBOX_STEP_COUNT];
#define AUDIT_STEP_COUNT 1
extern const char *const AUDIT_STEPS[AUDIT_STEP_COUNT];

/* Parameters stand in this order, result columns behind the arrow. */
enum outbox_statement {
    META_INSERT,     /* schema, generation, then as META_FOLDED */
    META_SCHEMA,     /* schema */
    META_READ,       /* → generation, then as META_FOLDED */
    META_FOLDED,     /* folded_lsn, whole_lsn, whole_hash, newest_ms */
    JOURNAL_INSERT,  /* first_lsn, count, prev_hash, hash, records */
    JOURNAL_READ,    /* from, to → first_lsn, count, prev_hash, hash, records */
    JOURNAL_LAST,    /* → records */
    JOURNAL_DELETE,  /* below */
    PACK_INSERT,     /* first_lsn, bodies */
    PACK_FIND,       /* lsn → first_lsn of the last one at or before it */
    BODY_INSERT,     /* lsn, bytes */
    BODY_READ,       /* lsn → bytes */
    MESSAGE_PUT,     /* id, org, waiting, row */
    MESSAGE_READ,    /* id, org → row */
    MESSAGE_RANGE,   /* from, to → row, in order of id */
    MESSAGE_AFTER,   /* id, org, at most → id, org, row, in order of id and org */
    DELIVERY_PUT,    /* endpoint, sequence, id, org */
    DELIVERY_DELETE, /* endpoint, sequence */
    DELIVERY_COUNT,  /* → rows */
    DELIVERY_READ,   /* from, to → endpoint, id, org; of ids outside of these */
    DELIVERY_AFTER,  /* endpoint, sequence, at most → endpoint, sequence, id, org */
    MAILBOX_RAISE,   /* endpoint, sequence */
    DIRECTORY_PUT,   /* type, id, row */
    DIRECTORY_READ,  /* → type, row, the mailbox's sequence or 0; in order of type */
    CASE_PUT,        /* case_id, row */
    CASE_EVENT_ADD,  /* lsn, case_id, record */
    CASE_READ,       /* → row */
    TAGS_ADD,        /* lsn, kept */
    TAGS_NAME,       /* case_id, record, lsn */
    TAGS_DROP,       /* case_id */
    TAGS_READ,       /* → record, kept; of those that are named, in order of lsn */
    TAGS_FIND,       /* lsn → kept */
    CASE_FIND,       /* case_id → its rows: 0 or 1 */
    CASE_EVENT_READ, /* → record, in order of lsn */
    FIGURE_ADD,      /* municipality, team, practice, day, event, code */
    FIGURE_READ,     /* → municipality, team, practice, day, event, code, count */
    FIGURE_CLOSED,   /* municipality, team → the last day of all that was published, or 0 */
    PUBLISHED_PUT,   /* municipality, team, from, until, row; nothing if it is there */
    PUBLISHED_READ,  /* → row */
    OUTBOX_STATEMENT_COUNT
};
extern const char *const OUTBOX_SQL[OUTBOX_STATEMENT_COUNT];
/* Tables that are checked at every start, as all of them is loaded: they follow what is live, but `figure`, which has a row for
 * each thing that happened on a day to the cases of a practice, and grows by some 100 bytes for each. What waits is counted
 * against what is loaded (load.c). */
#define OUTBOX_LIVE_TABLE_COUNT 9
struct live_table {
    const char *name;
    uint64_t since; /* the first schema that has it; `meta` stands before those of later ones */
};
extern const struct live_table OUTBOX_LIVE_TABLES[OUTBOX_LIVE_TABLE_COUNT];

enum audit_statement {
    AUDIT_META_INSERT, /* schema, generation */
    AUDIT_META_SCHEMA, /* schema */
    AUDIT_META_READ,   /* → generation */
    AUDIT_INSERT,      /* first_lsn, count, prev_hash, hash, records */
    AUDIT_READ,        /* first_lsn → count, hash */
    AUDIT_LAST,        /* → first_lsn, count, hash, records */
    AUDIT_RANGE,       /* from, to → first_lsn, count, prev_hash, hash, records */
    AUDIT_STATEMENT_COUNT
};
extern const char *const AUDIT_SQL[AUDIT_STATEMENT_COUNT];

#endif
