/*
 * daemon/ops/config_table.c: every setting of brugd, once. Bounds keep each value sane by itself; units
 * stand at the end of the names. The limits of the wire are those of proto/limits.h, which a setting may
 * lower and never raise [P-32].
 */
#include "daemon/ops/config_table.h"
#include "proto/limits.h"

#define KIB(n) ((int64_t)(n) << 10)
#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)
#define TEXT_VALUE 0, 0

/* clang-format off */
const struct setting SETTINGS[] = {
    {"listen", SETTING_TEXT, "0.0.0.0:7410", TEXT_VALUE,
     "Addresses to listen on, separated by spaces: 0.0.0.0:7410, or [::]:7410 for IPv6 and IPv4. Not used when systemd passes sockets."},
    {"admin_socket", SETTING_TEXT, "/run/brugd/admin.sock", TEXT_VALUE,
     "The Unix socket for brugctl. Not used when systemd passes one."},
    {"admin_group", SETTING_TEXT, "", TEXT_VALUE,
     "Members of this group may use brugctl, besides root and the daemon's own user."},
    {"state_directory", SETTING_TEXT, "/var/lib/brugd", TEXT_VALUE,
     "Where the outbox and the audit file lie. It must exist, with mode 0700."},
    {"relay_certificate", SETTING_PATH, "relay.pem", TEXT_VALUE,
     "The relay's certificate and its intermediates, PEM. A name without '/' lies in $CREDENTIALS_DIRECTORY, or beside this file."},
    {"relay_key", SETTING_PATH, "relay.key", TEXT_VALUE,
     "The relay's private key, PEM, readable by the daemon only."},
    {"crl_directory", SETTING_PATH, "", TEXT_VALUE,
     "Every file in it is read as revocation lists, PEM or DER. Read again on SIGHUP."},
    {"crl_required", SETTING_SWITCH, "yes", TEXT_VALUE,
     "Refuse a certificate when no revocation list in force covers its issuer. \"no\" only for tests."},
    {"relay_host", SETTING_TEXT, "localhost", TEXT_VALUE,
     "The name or address by which clients reach the relay; told in the answer to an enrolment."},
    {"relay_port", SETTING_NUMBER, "7410", 1, 65535,
     "The port by which clients reach the relay; told in the answer to an enrolment."},
    {"relay_anchors", SETTING_PATH, "", TEXT_VALUE,
     "The trust anchors of the relay's own certificate, PEM; handed to clients in the answer to an enrolment."},
    {"log_level", SETTING_LEVEL, "info", TEXT_VALUE,
     "The least important lines that are logged: error, warning, notice, info or debug."},
    {"drain_ms_max", SETTING_NUMBER, "10000", 0, 600000,
     "How long SIGTERM waits for what is under way."},

    {"connections_max", SETTING_NUMBER, "10000", 1, 1000000,
     "Connections at once."},
    {"handshakes_max", SETTING_NUMBER, "256", 1, 100000,
     "TLS handshakes under way at once; more wait."},
    {"handshakes_per_source_max", SETTING_NUMBER, "64", 1, 100000,
     "Of those, from one address (IPv6: from one /64). Those that failed in the last second count too."},
    {"handshake_ms_max", SETTING_NUMBER, "10000", 100, 60000,
     "A TLS handshake that takes longer is ended."},
    {"hello_ms_max", SETTING_NUMBER, "5000", 100, LIMIT_HELLO_MS,
     "A client that has not said Hello by then is disconnected."},
    {"idle_ms_max", SETTING_NUMBER, "300000", 1000, 86400000,
     "A client that says nothing for so long is disconnected."},
    {"write_stall_ms_max", SETTING_NUMBER, "30000", 100, 600000,
     "A client that takes nothing of what is sent to it for so long is disconnected."},
    {"unsent_bytes_max", SETTING_NUMBER, "1048576", KIB(16), MIB(64),
     "What may wait to be sent on one connection; beyond it the connection is not read."},
    {"input_bytes_total_max", SETTING_NUMBER, "268435456", KIB(64), GIB(64),
     "Memory for frames that are still arriving, of all connections; beyond it they wait for their turn."},
    {"output_bytes_total_max", SETTING_NUMBER, "268435456", KIB(64), GIB(64),
     "Memory for what waits to be sent, of all connections; beyond it deliveries wait."},
    {"key_updates_per_minute_max", SETTING_NUMBER, "16", 1, 1000,
     "TLS key updates that a client may ask for."},

    {"message_bytes_max", SETTING_NUMBER, "8388608", KIB(4), LIMIT_MESSAGE_BYTES_MAX,
     "The largest message."},
    {"readers_max", SETTING_NUMBER, "128", 1, LIMIT_READERS,
     "The most readers of one message."},
    {"requests_max", SETTING_NUMBER, "256", 1, LIMIT_REQUESTS_UNANSWERED,
     "Requests of one session that may be unanswered."},
    {"credit_messages_max", SETTING_NUMBER, "10000", 1, LIMIT_CREDIT_MESSAGES,
     "Messages that a client may have under way to it."},
    {"credit_bytes_max", SETTING_NUMBER, "67108864", KIB(64), LIMIT_CREDIT_BYTES,
     "The same in bytes."},
    {"session_unstored_bytes_max", SETTING_NUMBER, "16777216", KIB(64), GIB(1),
     "Submitted bytes of one session that are not on disk yet; beyond it the session is not read."},
    {"unstored_bytes_max", SETTING_NUMBER, "134217728", KIB(64), GIB(16),
     "The same of all sessions together."},
    {"group_bytes_max", SETTING_NUMBER, "8388608", KIB(64), MIB(256),
     "What goes to disk in one commit."},
    {"body_cache_bytes_max", SETTING_NUMBER, "67108864", 0, GIB(64),
     "Message bodies kept in memory for their delivery; others are read from disk."},
    {"waiting_max", SETTING_NUMBER, "1000000", 1, 1000000000,
     "Messages that wait for a reader, over all mailboxes; beyond it new ones are refused as FULL."},
    {"waiting_bytes_max", SETTING_NUMBER, "68719476736", MIB(1), GIB(65536),
     "The same in bytes."},
    {"quota_messages_max", SETTING_NUMBER, "10000", 1, 1000000000,
     "Messages of one organisation that nobody has fetched; beyond it its new ones are refused as QUOTA_FULL."},
    {"quota_bytes_max", SETTING_NUMBER, "4294967296", MIB(1), GIB(65536),
     "The same in bytes."},
    {"known_ids_max", SETTING_NUMBER, "1000000", 1000, 1000000000,
     "Messages that nobody waits for and whose answers are kept in memory, of the last 48 hours; the answers to repeats of others are read from disk."},
    {"waiting_commands_max", SETTING_NUMBER, "1024", 1, 1000000,
     "Requests that wait for something to be read from disk; beyond it they are refused as BUSY."},
    {"redelivery_sessions_max", SETTING_NUMBER, "10", 1, 255,
     "Sessions that end without the acknowledgement of their oldest message; then it is parked for that reader, its sender is told, and later ones go on."},
    {"redelivery_interval_ms", SETTING_NUMBER, "60000", 0, 86400000,
     "Of such sessions one counts in so long, so that a network that comes and goes parks nothing."},

    {"checkpoint_pages", SETTING_NUMBER, "500", 100, 1000,
     "Pages of SQLite's write-ahead log after which it is checkpointed."},
    {"fold_slice_bytes", SETTING_NUMBER, "524288", KIB(16), MIB(64),
     "What is folded from the journal into the tables in one commit."},
    {"fold_gather_bytes", SETTING_NUMBER, "16777216", KIB(16), MIB(512),
     "The journal that gathers under load before commits fold some of it; a start reads it again. At most half of fold_lag_bytes_max."},
    {"fold_lag_bytes_max", SETTING_NUMBER, "67108864", MIB(1), GIB(1),
     "The journal that may wait to be folded; beyond it new messages wait."},
    {"reserve_bytes", SETTING_NUMBER, "268435456", MIB(1), GIB(1024),
     "Free disk that is kept at the least, besides what the acknowledgement of all that waits takes; below both together new messages are refused as FULL, and what was accepted is still delivered."},
};
/* clang-format on */

const size_t SETTINGS_COUNT = sizeof SETTINGS / sizeof SETTINGS[0];
