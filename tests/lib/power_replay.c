/*
 * tests/lib/power_replay.c: from operations to the disks that a power cut can leave.
 *
 * The log is walked once. At each cut the disk as far as it is durable and the list of what is not are at hand; each
 * state is a clone of the one with some of the other applied. The systematic scenarios are about the last operation or
 * leave it there: without it they would be those of an earlier cut.
 */
#include "tests/lib/power_disk.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES_MIN 512u
#define SECTOR_BYTES_MAX 4096u
#define SYSTEMATIC_MAX 12 /* of one scenario at one cut; of more, so many spread over them */

/* ---- operations ---- */

void power_ops_add(struct power_ops *o, struct power_op *op)
{
    if (o->count == o->capacity) {
        o->capacity = o->capacity * 2 + 16;
        o->list = power_must(realloc(o->list, o->capacity * sizeof(struct power_op *)));
    }
    op->refs++;
    o->list[o->count++] = op;
}

void power_op_free(struct power_op *op)
{
    if (--op->refs == 0)
        free(op);
}

void power_ops_clear(struct power_ops *o)
{
    for (size_t i = 0; i < o->count; i++)
        power_op_free(o->list[i]);
    free(o->list);
    *o = (struct power_ops){0};
}

void power_op_apply(struct power_disk *d, const struct power_op *op)
{
    switch (op->kind) {
    case POWER_CREATE:
        power_name_set(d, op->name, op->file);
        break;
    case POWER_DELETE:
        power_name_remove(d, op->name);
        break;
    case POWER_WRITE:
        power_content_write(&power_file_at(d, op->file)->content, op->at, op->bytes, op->len);
        break;
    case POWER_TRUNCATE:
        power_content_resize(&power_file_at(d, op->file)->content, op->at);
        break;
    default:
        break;
    }
}

/* ---- what is durable ---- */

static bool is_of_name(const struct power_op *op)
{
    return op->kind == POWER_CREATE || op->kind == POWER_DELETE;
}

void power_media_init(struct power_media *m, const struct power_disk *start, bool syncs_lie)
{
    *m = (struct power_media){.durable = power_disk_clone(start), .syncs_lie = syncs_lie};
    memcpy(m->marks, start->marks, sizeof m->marks);
}

void power_media_fini(struct power_media *m)
{
    power_ops_clear(&m->unsynced);
    power_disk_free(m->durable);
    m->durable = NULL;
}

/* What this sync makes durable is durable. */
static void media_sync(struct power_media *m, const struct power_op *sync)
{
    size_t left = 0;
    for (size_t i = 0; i < m->unsynced.count; i++) {
        struct power_op *op = m->unsynced.list[i];
        bool is_synced = sync->kind == POWER_SYNC_DIRECTORY
                             ? is_of_name(op)
                             : !is_of_name(op) && op->file == sync->file;
        if (!is_synced) {
            m->unsynced.list[left++] = op;
            continue;
        }
        power_op_apply(m->durable, op);
        power_op_free(op);
    }
    m->unsynced.count = left;
}

void power_media_take(struct power_media *m, struct power_op *op)
{
    if (op->kind == POWER_MARK)
        m->marks[op->file] = op->at;
    else if (op->kind != POWER_SYNC && op->kind != POWER_SYNC_DIRECTORY)
        power_ops_add(&m->unsynced, op);
    else if (!m->syncs_lie)
        media_sync(m, op);
}

/* ---- one state ---- */

static uint64_t draw(uint64_t *random, uint64_t below)
{
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void apply_part(struct power_disk *d, const struct power_op *op, uint64_t from, uint64_t to)
{
    power_content_write(&power_file_at(d, op->file)->content, from, op->bytes + (from - op->at),
                        (size_t)(to - from));
}

/* Bytes of a write that arrived as others. */
static void apply_garbage(struct power_disk *d, const struct power_op *op, uint64_t from,
                          uint64_t to, uint64_t *random)
{
    uint8_t bytes[SECTOR_BYTES_MAX];
    for (uint64_t at = from; at < to; at += sizeof bytes) {
        size_t n = to - at < sizeof bytes ? (size_t)(to - at) : sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)draw(random, 256);
        power_content_write(&power_file_at(d, op->file)->content, at, bytes, n);
    }
}

/* The file has the length that the write gives it, but zeros, or anything, where it grew. */
static void apply_length(struct power_disk *d, const struct power_op *op, bool garbage,
                         uint64_t *random)
{
    struct power_content *c = &power_file_at(d, op->file)->content;
    uint64_t end = op->at + op->len;
    if (op->kind != POWER_WRITE || end <= c->size)
        return;
    uint64_t from = c->size > op->at ? c->size : op->at;
    if (garbage && draw(random, 2) == 0)
        apply_garbage(d, op, from, end, random);
    else
        power_content_resize(c, end);
}

static uint64_t sector_end(uint64_t at, unsigned sector_bytes)
{
    return at - at % sector_bytes + sector_bytes;
}

/* Some of the sectors of a write. */
static void apply_sectors(struct power_disk *d, const struct power_op *op, unsigned sector_bytes,
                          bool garbage, uint64_t *random)
{
    uint64_t end = op->at + op->len;
    if (draw(random, 2) == 0)
        apply_length(d, op, garbage, random);
    for (uint64_t at = op->at, next; at < end; at = next) {
        next = sector_end(at, sector_bytes) < end ? sector_end(at, sector_bytes) : end;
        uint64_t fate = draw(random, 8);
        if (fate < 3)
            apply_part(d, op, at, next);
        else if (fate == 3)
            apply_part(d, op, at, at + draw(random, next - at));
        else if (fate == 4 && garbage)
            apply_garbage(d, op, at, next, random);
    }
}

/* Everything by chance; how much arrives differs from state to state. */
static void apply_any(struct power_disk *d, const struct power_ops *o, const struct power_state *s,
                      bool garbage)
{
    uint64_t random = s->seed, often = 1 + draw(&random, 9), whole = draw(&random, 3);
    for (size_t i = 0; i < o->count; i++) {
        const struct power_op *op = o->list[i];
        if (draw(&random, 10) < often)
            power_op_apply(d, op);
        else if (op->kind == POWER_WRITE && whole != 0)
            apply_sectors(d, op, s->sector_bytes, garbage, &random);
    }
}

/* The last write, in part: up to sector `index` and half of it, or from there on. */
static void apply_torn(struct power_disk *d, const struct power_op *op, const struct power_state *s)
{
    uint64_t cut = op->at - op->at % s->sector_bytes + (uint64_t)s->index * s->sector_bytes;
    uint64_t end = op->at + op->len;
    if (s->scenario == POWER_LAST_TAIL) {
        if (cut > op->at && cut < end)
            apply_part(d, op, cut, end);
        return;
    }
    cut += s->sector_bytes / 2 - 4;
    if (cut > op->at)
        apply_part(d, op, op->at, cut < end ? cut : end);
}

/* Whether an operation arrived whole; the last one of the torn scenarios is not asked about. */
static bool arrives(const struct power_ops *o, size_t i, const struct power_state *s)
{
    const struct power_op *op = o->list[i], *last = o->list[o->count - 1];
    switch (s->scenario) {
    case POWER_ALL_LOST:
    case POWER_LAST_TORN_ONLY:
        return false;
    case POWER_ONE_LOST:
        return i != s->index;
    case POWER_LAST_ONLY:
        return op == last;
    case POWER_FIRST_LOST:
        return i > s->index;
    case POWER_FILE_ONLY:
        return is_of_name(op) || op->file == s->index;
    case POWER_FILE_LOST:
        return is_of_name(op) || op->file != s->index;
    case POWER_NAMES_ONLY:
        return is_of_name(op);
    case POWER_NAMES_LOST:
        return !is_of_name(op);
    default:
        return true;
    }
}

static bool is_about_part(enum power_scenario scenario)
{
    return scenario == POWER_LAST_TORN || scenario == POWER_LAST_TORN_ONLY ||
           scenario == POWER_LAST_TAIL || scenario == POWER_LAST_LENGTH;
}

static struct power_disk *make_state(const struct power_media *m, const struct power_state *s,
                                     bool garbage)
{
    struct power_disk *d = power_disk_clone(m->durable);
    const struct power_ops *o = &m->unsynced;
    uint64_t random = s->seed;
    memcpy(d->marks, m->marks, sizeof d->marks);
    if (s->scenario == POWER_ANY) {
        apply_any(d, o, s, garbage);
        return d;
    }
    size_t whole = o->count - is_about_part(s->scenario);
    for (size_t i = 0; i < whole; i++)
        if (arrives(o, i, s))
            power_op_apply(d, o->list[i]);
    if (s->scenario == POWER_LAST_LENGTH)
        apply_length(d, o->list[whole], garbage, &random);
    else if (whole < o->count)
        apply_torn(d, o->list[whole], s);
    return d;
}

struct power_disk *power_cut(const struct power_disk *d, uint64_t seed, bool garbage)
{
    struct power_media walked;
    const struct power_media *m = &d->media;
    struct power_state s = {.scenario = seed == 0   ? POWER_ALL_LOST
                                        : seed == 1 ? POWER_ALL_KEPT
                                                    : POWER_ANY,
                            .seed = seed,
                            .sector_bytes = seed % 2 == 0 ? SECTOR_BYTES_MIN : SECTOR_BYTES_MAX};
    if (d->keep == POWER_NOTHING)
        abort();
    if (d->keep == POWER_PENDING)
        return make_state(m, &s, garbage);
    power_media_init(&walked, d->base, false);
    for (size_t i = 0; i < d->log.count; i++)
        power_media_take(&walked, d->log.list[i]);
    struct power_disk *state = make_state(&walked, &s, garbage);
    power_media_fini(&walked);
    return state;
}

/* ---- all states ---- */

struct replay {
    struct power_media media;
    const struct power_plan *plan;
    power_state_cb *on_state;
    void *ctx;
    uint64_t random, count;
    size_t cut;
    bool has_ended;
};

static void emit(struct replay *r, enum power_scenario scenario, unsigned index,
                 unsigned sector_bytes)
{
    bool is_always = scenario == POWER_ALL_LOST || scenario == POWER_ALL_KEPT;
    if (r->has_ended || (!is_always && r->plan->one_in > 1 && draw(&r->random, r->plan->one_in)))
        return;
    struct power_state s = {.scenario = scenario,
                            .index = index,
                            .sector_bytes = sector_bytes,
                            .cut = r->cut,
                            .pending = r->media.unsynced.count};
    s.seed = draw(&r->random, UINT64_MAX);
    memcpy(s.marks, r->media.marks, sizeof s.marks);
    s.disk = make_state(&r->media, &s, r->plan->garbage);
    s.hash = power_disk_hash(s.disk);
    r->count++;
    bool goes_on = r->on_state(r->ctx, &s);
    power_disk_free(s.disk);
    r->has_ended = !goes_on || (r->plan->state_max != 0 && r->count >= r->plan->state_max);
}

/* For some of the numbers from `from` to `to` - 1, the ends among them. */
static void emit_some(struct replay *r, enum power_scenario scenario, size_t from, size_t to,
                      unsigned sector_bytes)
{
    size_t stride = to <= from ? 1 : (to - from + SYSTEMATIC_MAX - 1) / SYSTEMATIC_MAX;
    for (size_t i = from; i < to; i += stride)
        emit(r, scenario, (unsigned)i, sector_bytes);
    if (to > from + 1 && (to - from - 1) % stride != 0)
        emit(r, scenario, (unsigned)to - 1, sector_bytes);
}

static void emit_files(struct replay *r)
{
    const struct power_ops *o = &r->media.unsynced;
    bool has_names = false, has_others = false;
    for (unsigned file = 0; file < r->media.durable->file_count; file++) {
        size_t of_file = 0;
        for (size_t i = 0; i < o->count; i++)
            of_file += !is_of_name(o->list[i]) && o->list[i]->file == file;
        if (of_file > 0 && of_file < o->count) {
            emit(r, POWER_FILE_ONLY, file, 0);
            emit(r, POWER_FILE_LOST, file, 0);
        }
    }
    for (size_t i = 0; i < o->count; i++) {
        has_names |= is_of_name(o->list[i]);
        has_others |= !is_of_name(o->list[i]);
    }
    if (has_names && has_others) {
        emit(r, POWER_NAMES_ONLY, 0, 0);
        emit(r, POWER_NAMES_LOST, 0, 0);
    }
}

static void emit_parts(struct replay *r, const struct power_op *last, bool is_alone)
{
    uint64_t begin = last->at - last->at % SECTOR_BYTES_MIN;
    size_t sectors =
        (size_t)((last->at + last->len - begin + SECTOR_BYTES_MIN - 1) / SECTOR_BYTES_MIN);
    emit_some(r, POWER_LAST_TORN, 0, sectors, SECTOR_BYTES_MIN);
    if (!is_alone)
        emit_some(r, POWER_LAST_TORN_ONLY, 0, sectors, SECTOR_BYTES_MIN);
    emit_some(r, POWER_LAST_TAIL, 1, sectors, SECTOR_BYTES_MIN);
    emit(r, POWER_LAST_LENGTH, 0, 0);
}

static void emit_systematic(struct replay *r)
{
    const struct power_ops *o = &r->media.unsynced;
    emit(r, POWER_ALL_LOST, 0, 0);
    if (o->count == 0)
        return;
    emit(r, POWER_ALL_KEPT, 0, 0);
    if (o->list[o->count - 1]->kind == POWER_WRITE)
        emit_parts(r, o->list[o->count - 1], o->count == 1);
    if (o->count == 1)
        return;
    emit_some(r, POWER_ONE_LOST, 0, o->count - 1, 0);
    emit(r, POWER_LAST_ONLY, 0, 0);
    if (o->count > 2)
        emit_some(r, POWER_FIRST_LOST, 1, o->count - 2, 0);
    emit_files(r);
}

static void cut_here(struct replay *r)
{
    if (!r->plan->no_systematic)
        emit_systematic(r);
    for (unsigned i = 0; i < r->plan->random_per_cut && r->media.unsynced.count > 0; i++)
        emit(r, POWER_ANY, 0, i % 2 == 0 ? SECTOR_BYTES_MIN : SECTOR_BYTES_MAX);
}

uint64_t power_replay(const struct power_disk *recorded, const struct power_plan *plan,
                      power_state_cb *on_state, void *ctx)
{
    struct replay r = {.plan = plan, .on_state = on_state, .ctx = ctx, .random = plan->seed};
    unsigned stride = plan->cut_stride == 0 ? 1 : plan->cut_stride;
    if (recorded->keep != POWER_LOG)
        abort();
    power_media_init(&r.media, recorded->base, plan->syncs_lie);
    for (r.cut = 0; r.cut <= recorded->log.count && !r.has_ended; r.cut++) {
        if (r.cut > 0)
            power_media_take(&r.media, recorded->log.list[r.cut - 1]);
        if (r.cut % stride == 0)
            cut_here(&r);
    }
    power_media_fini(&r.media);
    return r.count;
}

/* ---- for people ---- */

static void print_op(const struct power_op *op, FILE *out)
{
    switch (op->kind) {
    case POWER_CREATE:
        fprintf(out, "create %s\n", op->name);
        break;
    case POWER_DELETE:
        fprintf(out, "delete %s\n", op->name);
        break;
    case POWER_WRITE:
        fprintf(out, "write %s %" PRIu64 " %zu\n", op->name, op->at, op->len);
        break;
    case POWER_TRUNCATE:
        fprintf(out, "truncate %s %" PRIu64 "\n", op->name, op->at);
        break;
    case POWER_SYNC:
        fprintf(out, "sync %s\n", op->name);
        break;
    case POWER_SYNC_DIRECTORY:
        fprintf(out, "sync-directory\n");
        break;
    case POWER_MARK:
        fprintf(out, "mark %u %" PRIu64 "\n", op->file, op->at);
        break;
    }
}

void power_log_print(const struct power_disk *d, FILE *out)
{
    for (size_t i = 0; i < d->log.count; i++)
        print_op(d->log.list[i], out);
}

void power_state_print(const struct power_disk *recorded, const struct power_state *s, FILE *out)
{
    static const char *const names[] = {
        [POWER_ALL_LOST] = "all that is unsynced lost",
        [POWER_ALL_KEPT] = "all there",
        [POWER_ONE_LOST] = "one lost",
        [POWER_LAST_ONLY] = "only the last there",
        [POWER_FIRST_LOST] = "the first ones lost",
        [POWER_FILE_ONLY] = "one file's there",
        [POWER_FILE_LOST] = "one file's lost",
        [POWER_NAMES_ONLY] = "only names there",
        [POWER_NAMES_LOST] = "names lost",
        [POWER_LAST_TORN] = "the last one torn",
        [POWER_LAST_TORN_ONLY] = "the last one torn, others lost",
        [POWER_LAST_TAIL] = "the tail of the last one",
        [POWER_LAST_LENGTH] = "the length of the last one",
        [POWER_ANY] = "any part of it",
    };
    fprintf(out,
            "cut after %zu of %zu operations, %zu unsynced: %s, index %u, sectors of %u, seed "
            "%" PRIu64 "; the last operation: ",
            s->cut, recorded->log.count, s->pending, names[s->scenario], s->index, s->sector_bytes,
            s->seed);
    if (s->cut > 0)
        print_op(recorded->log.list[s->cut - 1], out);
    else
        fprintf(out, "none\n");
}
