/*
 * tests/fault/preload/kill_points.c: kills the process that it is preloaded into at a named point: right before or
 * right after the n-th call that writes a file, syncs one, cuts one, or sends a frame of a certain kind.
 *
 * Environment
 *   BRUG_KILL=point:n    arms one point, such as after-send-receipt:3; nothing: the library only passes calls on
 *   BRUG_KILL=?          prints all points, one a line, and ends
 *   BRUG_KILL_HITS=path  gets the point's name as a line, just before the kill
 *
 * What a call is about is told by the file behind its descriptor. What a send is about is told by the plaintext that
 * TLS was given: the frames that begin in it are remembered until the next write to a socket, which carries them
 * (brugd pushes after each SSL_write_ex, brug's socket BIO writes within SSL_write).
 *
 * "Before" is before the system call, so nothing of it has happened; "after" is when it has returned.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the table of points ---- */

enum act { ACT_WRITE, ACT_SYNC, ACT_CUT, ACT_SEND };

enum about {
    ABOUT_NOTHING,
    ABOUT_START,   /* a database of the relay, before it has spoken to anybody */
    ABOUT_OUTBOX,  /* brug.db-wal: a commit of a group */
    ABOUT_AUDIT,   /* audit.db-wal: the first half of a fold */
    ABOUT_FOLD,    /* brug.db-wal, after the audit file has been synced: the second half */
    ABOUT_TABLES,  /* brug.db, audit.db: a check-point */
    ABOUT_JOURNAL, /* a client's rollback journal */
    ABOUT_STORE,   /* a client's store */
    ABOUT_FRAME,   /* a frame with a certain number in its oneof */
    ABOUT_HANDSHAKE,
};

struct point {
    const char *name;
    enum act act;
    enum about about;
    unsigned frame;
};

static const struct point POINTS[] = {
    {"relay-start-write", ACT_WRITE, ABOUT_START, 0},
    {"relay-start-sync", ACT_SYNC, ABOUT_START, 0},
    {"relay-start-cut", ACT_CUT, ABOUT_START, 0},
    {"relay-commit-write", ACT_WRITE, ABOUT_OUTBOX, 0},
    {"relay-commit-sync", ACT_SYNC, ABOUT_OUTBOX, 0},
    {"relay-audit-write", ACT_WRITE, ABOUT_AUDIT, 0},
    {"relay-audit-sync", ACT_SYNC, ABOUT_AUDIT, 0},
    {"relay-fold-write", ACT_WRITE, ABOUT_FOLD, 0},
    {"relay-fold-sync", ACT_SYNC, ABOUT_FOLD, 0},
    {"relay-checkpoint-write", ACT_WRITE, ABOUT_TABLES, 0},
    {"relay-checkpoint-sync", ACT_SYNC, ABOUT_TABLES, 0},
    {"relay-send-handshake", ACT_SEND, ABOUT_HANDSHAKE, 0},
    {"relay-send-welcome", ACT_SEND, ABOUT_FRAME, 10},
    {"relay-send-receipt", ACT_SEND, ABOUT_FRAME, 11},
    {"relay-send-refused", ACT_SEND, ABOUT_FRAME, 12},
    {"relay-send-deliver", ACT_SEND, ABOUT_FRAME, 13},
    {"relay-send-acked", ACT_SEND, ABOUT_FRAME, 14},
    {"relay-send-noted", ACT_SEND, ABOUT_FRAME, 15},
    {"relay-send-directory", ACT_SEND, ABOUT_FRAME, 16},
    {"relay-send-tracked", ACT_SEND, ABOUT_FRAME, 17},
    {"relay-send-goaway", ACT_SEND, ABOUT_FRAME, 19},
    {"client-journal-write", ACT_WRITE, ABOUT_JOURNAL, 0},
    {"client-journal-sync", ACT_SYNC, ABOUT_JOURNAL, 0},
    {"client-store-write", ACT_WRITE, ABOUT_STORE, 0},
    {"client-store-sync", ACT_SYNC, ABOUT_STORE, 0},
    {"client-commit", ACT_CUT, ABOUT_JOURNAL, 0},
    {"client-send-handshake", ACT_SEND, ABOUT_HANDSHAKE, 0},
    {"client-send-hello", ACT_SEND, ABOUT_FRAME, 10},
    {"client-send-submit", ACT_SEND, ABOUT_FRAME, 11},
    {"client-send-ack", ACT_SEND, ABOUT_FRAME, 14},
};
#define POINT_COUNT (sizeof POINTS / sizeof POINTS[0])

static const struct point *armed;
static bool is_armed_after;
static long calls_left;
static const char *hits_path;
static bool has_spoken;      /* to a client: the start is over */
static bool is_audit_synced; /* the storage thread is in the second half of a fold */
static _Thread_local uint32_t
    frames_begun; /* since the last write to a socket; a bit a frame's number */

/* ---- the real calls ---- */

#define REAL(name) \
    static __typeof__(name) *real; \
    if (real == NULL) { \
        void *found = dlsym(RTLD_NEXT, #name); \
        memcpy(&real, &found, sizeof real); \
    }

/* ---- arming, counting, killing ---- */

static void list_points(void)
{
    for (size_t i = 0; i < POINT_COUNT; i++)
        (void)printf("before-%s\nafter-%s\n", POINTS[i].name, POINTS[i].name);
    (void)fflush(stdout);
    _exit(0);
}

static void end_badly(const char *why)
{
    (void)fprintf(stderr, "kill_points: %s\n", why);
    _exit(2);
}

static void arm(const char *text)
{
    const char *colon = strchr(text, ':');
    is_armed_after = strncmp(text, "after-", 6) == 0;
    const char *name = text + (is_armed_after ? 6 : 7);
    if (colon == NULL || (!is_armed_after && strncmp(text, "before-", 7) != 0))
        end_badly("BRUG_KILL is before-NAME:n or after-NAME:n");
    for (size_t i = 0; i < POINT_COUNT; i++)
        if (strlen(POINTS[i].name) == (size_t)(colon - name) &&
            strncmp(POINTS[i].name, name, (size_t)(colon - name)) == 0)
            armed = &POINTS[i];
    calls_left = strtol(colon + 1, NULL, 10);
    if (armed == NULL || calls_left < 1)
        end_badly("BRUG_KILL names no point, or no number");
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("BRUG_KILL");
    hits_path = getenv("BRUG_KILL_HITS");
    if (text != NULL && strcmp(text, "?") == 0)
        list_points();
    if (text != NULL && text[0] != '\0')
        arm(text);
}

/* By system calls of its own, which nothing wraps. */
static void die(void)
{
    char line[80];
    int len =
        snprintf(line, sizeof line, "%s-%s\n", is_armed_after ? "after" : "before", armed->name);
    if (hits_path != NULL && len > 0) {
        long fd = syscall(SYS_openat, AT_FDCWD, hits_path, O_WRONLY | O_APPEND | O_CREAT, 0600);
        (void)syscall(SYS_write, fd, line, len);
    }
    for (;;)
        (void)syscall(SYS_kill, getpid(), SIGKILL);
}

/* A call that the armed point may be about. */
struct call {
    enum act act;
    enum about about;
    uint32_t frames; /* with ABOUT_FRAME */
};

static void pass(const struct call *c, bool is_after)
{
    if (armed == NULL || is_after != is_armed_after || c->act != armed->act ||
        c->about != armed->about)
        return;
    if (c->about == ABOUT_FRAME && (c->frames & 1u << armed->frame) == 0)
        return;
    if (__atomic_sub_fetch(&calls_left, 1, __ATOMIC_SEQ_CST) == 0)
        die();
}

/* ---- what a file is ---- */

static bool ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);
    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

static enum about about_file(int fd)
{
    char link[40], path[512];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return ABOUT_NOTHING;
    path[len] = '\0';
    if (ends_with(path, "/store.db-journal"))
        return ABOUT_JOURNAL;
    if (ends_with(path, "/store.db"))
        return ABOUT_STORE;
    bool is_outbox = ends_with(path, "/brug.db-wal"), is_audit = ends_with(path, "/audit.db-wal");
    bool is_table = ends_with(path, "/brug.db") || ends_with(path, "/audit.db");
    if (!is_outbox && !is_audit && !is_table)
        return ABOUT_NOTHING;
    if (!__atomic_load_n(&has_spoken, __ATOMIC_SEQ_CST))
        return ABOUT_START;
    if (is_table)
        return ABOUT_TABLES;
    if (is_audit)
        return ABOUT_AUDIT;
    return is_audit_synced ? ABOUT_FOLD : ABOUT_OUTBOX;
}

static struct call call_on_file(enum act act, int fd)
{
    return (struct call){.act = act, .about = armed == NULL ? ABOUT_NOTHING : about_file(fd)};
}

static void note_sync(const struct call *c)
{
    if (c->about == ABOUT_AUDIT)
        is_audit_synced = true;
    else if (c->about == ABOUT_FOLD)
        is_audit_synced = false;
}

/* ---- which frames TLS was given ---- */

#define STREAMS 256
#define HEAD_BYTES 24 /* a frame's first two fields' tags: request and the oneof */

struct stream {
    const void *ssl;
    uint64_t left; /* of the frame's payload */
    unsigned char head[HEAD_BYTES];
    size_t head_len;
    uint64_t length;
    unsigned length_shift;
    bool is_in_payload;
};

static struct stream streams[STREAMS];

/* A process has one thread that speaks TLS. */
static struct stream *stream_of(const void *ssl)
{
    struct stream *unused = NULL;
    for (size_t i = 0; i < STREAMS; i++) {
        if (streams[i].ssl == ssl)
            return &streams[i];
        if (streams[i].ssl == NULL && unused == NULL)
            unused = &streams[i];
    }
    if (unused == NULL)
        end_badly("more connections than it has room for");
    *unused = (struct stream){.ssl = ssl};
    return unused;
}

static uint64_t take_varint(const unsigned char **at, const unsigned char *end)
{
    uint64_t v = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        unsigned char b = *(*at)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            break;
    }
    return v;
}

/* The number of the frame's oneof, from its first bytes: request (field 1, left out when 0), then the oneof. */
static unsigned frame_number(const struct stream *s)
{
    const unsigned char *at = s->head, *end = s->head + s->head_len;
    uint64_t tag = take_varint(&at, end);
    if (tag == 1u << 3) {
        (void)take_varint(&at, end);
        tag = take_varint(&at, end);
    }
    return (unsigned)(tag >> 3) & 31;
}

static void take_length_byte(struct stream *s, unsigned char b)
{
    s->length |= (uint64_t)(b & 0x7f) << s->length_shift;
    s->length_shift += 7;
    if (b >= 0x80)
        return;
    s->left = s->length;
    s->is_in_payload = s->left > 0;
    s->head_len = 0;
    s->length = s->length_shift = 0;
}

static size_t take_payload(struct stream *s, const unsigned char *bytes, size_t len)
{
    size_t n = len < s->left ? len : (size_t)s->left;
    size_t before = s->head_len, room = HEAD_BYTES - before;
    size_t kept = n < room ? n : room;
    memcpy(s->head + before, bytes, kept);
    s->head_len += kept;
    s->left -= n;
    if (before < HEAD_BYTES && (s->head_len == HEAD_BYTES || s->left == 0))
        frames_begun |= 1u << frame_number(s);
    s->is_in_payload = s->left > 0;
    return n;
}

static void note_plaintext(const void *ssl, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    if (armed == NULL || armed->about != ABOUT_FRAME)
        return;
    struct stream *s = stream_of(ssl);
    while (len > 0) {
        size_t n = 1;
        if (s->is_in_payload)
            n = take_payload(s, bytes, len);
        else
            take_length_byte(s, *bytes);
        bytes += n;
        len -= n;
    }
}

/* OpenSSL's, with its own types left out. */
int SSL_write(void *ssl, const void *data, int len);
int SSL_write_ex(void *ssl, const void *data, size_t len, size_t *written);
void SSL_free(void *ssl);

/* What was not taken is given again: only what was taken counts, but it is known only afterwards. A frame whose first
 * piece waits for the socket is counted twice then, which shifts n and hides nothing. */
int SSL_write(void *ssl, const void *data, int len)
{
    REAL(SSL_write)
    struct stream before = {0};
    if (armed != NULL && armed->about == ABOUT_FRAME)
        before = *stream_of(ssl);
    note_plaintext(ssl, data, len > 0 ? (size_t)len : 0);
    int taken = real(ssl, data, len);
    if (taken <= 0 && before.ssl != NULL)
        *stream_of(ssl) = before;
    return taken;
}

int SSL_write_ex(void *ssl, const void *data, size_t len, size_t *written)
{
    REAL(SSL_write_ex)
    note_plaintext(ssl, data, len);
    return real(ssl, data, len, written);
}

void SSL_free(void *ssl)
{
    REAL(SSL_free)
    for (size_t i = 0; ssl != NULL && i < STREAMS; i++)
        if (streams[i].ssl == ssl)
            streams[i] = (struct stream){0};
    real(ssl);
}

/* ---- sending ---- */

#define TLS_HANDSHAKE 22
#define TLS_DATA 23

static bool is_to_network(int fd)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    return getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
           (name.ss_family == AF_INET || name.ss_family == AF_INET6);
}

static struct call call_on_socket(int fd, const void *data, size_t len)
{
    struct call c = {.act = ACT_SEND, .about = ABOUT_NOTHING};
    if (armed == NULL || len == 0 || !is_to_network(fd))
        return c;
    unsigned char type = *(const unsigned char *)data;
    if (type == TLS_HANDSHAKE) {
        c.about = ABOUT_HANDSHAKE;
        __atomic_store_n(&has_spoken, true, __ATOMIC_SEQ_CST);
    } else if (type == TLS_DATA && frames_begun != 0) {
        c.about = ABOUT_FRAME;
        c.frames = frames_begun;
        frames_begun = 0;
    }
    return c;
}

ssize_t write(int fd, const void *data, size_t len)
{
    REAL(write)
    struct call c = call_on_socket(fd, data, len);
    pass(&c, false);
    ssize_t n = real(fd, data, len);
    pass(&c, true);
    return n;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    REAL(send)
    struct call c = call_on_socket(fd, data, len);
    pass(&c, false);
    ssize_t n = real(fd, data, len, flags);
    pass(&c, true);
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev)
    struct call c =
        call_on_socket(fd, count > 0 ? parts[0].iov_base : NULL, count > 0 ? parts[0].iov_len : 0);
    pass(&c, false);
    ssize_t n = real(fd, parts, count);
    pass(&c, true);
    return n;
}

/* ---- files ---- */

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    REAL(pwrite64)
    struct call c = call_on_file(ACT_WRITE, fd);
    pass(&c, false);
    ssize_t n = real(fd, data, len, offset);
    pass(&c, true);
    return n;
}

int fdatasync(int fd)
{
    REAL(fdatasync)
    struct call c = call_on_file(ACT_SYNC, fd);
    pass(&c, false);
    int result = real(fd);
    pass(&c, true);
    note_sync(&c);
    return result;
}

int fsync(int fd)
{
    REAL(fsync)
    struct call c = call_on_file(ACT_SYNC, fd);
    pass(&c, false);
    int result = real(fd);
    pass(&c, true);
    note_sync(&c);
    return result;
}

int ftruncate64(int fd, off_t len)
{
    REAL(ftruncate64)
    struct call c = call_on_file(ACT_CUT, fd);
    pass(&c, false);
    int result = real(fd, len);
    pass(&c, true);
    return result;
}
