/*
 * tests/lib/power_disk.c: files in pages that disks share until they are written to.
 *
 * Thousands of disks a second are made of one another, and differ in a few pages: a clone copies lists of pages, a write
 * copies the page if another disk has it too, and a page keeps its hash until it changes.
 */
#include "tests/lib/power_disk.h"
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u

struct power_page {
    unsigned refs;
    bool is_hashed;
    uint64_t hash;
    uint64_t words[PAGE_BYTES / 8];
};

void *power_must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

/* ---- pages ---- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Four lanes, so that the multiplications overlap. */
static uint64_t hash_words(const uint64_t *words)
{
    uint64_t lane[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < PAGE_BYTES / 8; i += 4)
        for (unsigned l = 0; l < 4; l++) {
            lane[l] = (lane[l] ^ words[i + l]) * UINT64_C(0x9fb21c651e98df25);
            lane[l] ^= lane[l] >> 29;
        }
    return mix(mix(mix(mix(lane[0]) + lane[1]) + lane[2]) + lane[3]);
}

static uint64_t hash_of_zeros(void)
{
    static _Thread_local uint64_t hash;
    static const uint64_t zeros[PAGE_BYTES / 8];
    if (hash == 0)
        hash = hash_words(zeros);
    return hash;
}

static uint64_t page_hash(struct power_page *p)
{
    if (p == NULL)
        return hash_of_zeros();
    if (!p->is_hashed) {
        p->hash = hash_words(p->words);
        p->is_hashed = true;
    }
    return p->hash;
}

static void page_free(struct power_page *p)
{
    if (p != NULL && --p->refs == 0)
        free(p);
}

/* The page for writing: this content's alone. */
static uint8_t *page_own(struct power_content *c, size_t i)
{
    struct power_page *p = c->pages[i];
    if (p == NULL) {
        p = power_must(calloc(1, sizeof *p));
    } else if (p->refs > 1) {
        struct power_page *copy = power_must(malloc(sizeof *copy));
        memcpy(copy->words, p->words, sizeof copy->words);
        p->refs--;
        p = copy;
    }
    p->refs = 1;
    p->is_hashed = false;
    c->pages[i] = p;
    return (uint8_t *)p->words;
}

/* ---- contents ---- */

static size_t pages_of(uint64_t size) { return (size_t)((size + PAGE_BYTES - 1) / PAGE_BYTES); }

static void grow(struct power_content *c, size_t count)
{
    if (count > c->capacity) {
        c->capacity = count < 8 ? 8 : count * 2;
        c->pages = power_must(realloc(c->pages, c->capacity * sizeof *c->pages));
    }
    while (c->count < count)
        c->pages[c->count++] = NULL;
}

void power_content_resize(struct power_content *c, uint64_t size)
{
    size_t count = pages_of(size), rest = (size_t)(size % PAGE_BYTES);
    grow(c, count);
    while (c->count > count)
        page_free(c->pages[--c->count]);
    if (size < c->size && rest != 0 && c->pages[count - 1] != NULL)
        memset(page_own(c, count - 1) + rest, 0, PAGE_BYTES - rest);
    c->size = size;
}

void power_content_write(struct power_content *c, uint64_t offset, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return;
    if (offset + len > c->size)
        power_content_resize(c, offset + len);
    while (len > 0) {
        size_t at = (size_t)(offset % PAGE_BYTES);
        size_t n = len < PAGE_BYTES - at ? len : PAGE_BYTES - at;
        memcpy(page_own(c, (size_t)(offset / PAGE_BYTES)) + at, bytes, n);
        offset += n;
        bytes += n;
        len -= n;
    }
}

void power_content_read(const struct power_content *c, uint64_t offset, uint8_t *out, size_t len)
{
    while (len > 0) {
        size_t at = (size_t)(offset % PAGE_BYTES), i = (size_t)(offset / PAGE_BYTES);
        size_t n = len < PAGE_BYTES - at ? len : PAGE_BYTES - at;
        if (i < c->count && c->pages[i] != NULL)
            memcpy(out, (const uint8_t *)c->pages[i]->words + at, n);
        else
            memset(out, 0, n);
        offset += n;
        out += n;
        len -= n;
    }
}

static void content_clone(struct power_content *to, const struct power_content *from)
{
    *to = (struct power_content){.size = from->size, .count = from->count, .capacity = from->count};
    if (from->count == 0)
        return;
    to->pages = power_must(malloc(from->count * sizeof *to->pages));
    for (size_t i = 0; i < from->count; i++) {
        to->pages[i] = from->pages[i];
        if (to->pages[i] != NULL)
            to->pages[i]->refs++;
    }
}

static void content_fini(struct power_content *c)
{
    power_content_resize(c, 0);
    free(c->pages);
}

/* ---- disks ---- */

struct power_disk *power_disk_new(void)
{
    struct power_disk *d = power_must(calloc(1, sizeof *d));
    d->off_after = UINT64_MAX;
    return d;
}

struct power_disk *power_disk_clone(const struct power_disk *from)
{
    struct power_disk *d = power_disk_new();
    memcpy(d->names, from->names, sizeof d->names);
    d->name_count = from->name_count;
    memcpy(d->marks, from->marks, sizeof d->marks);
    d->pragmas = from->pragmas;
    d->pragma_count = from->pragma_count;
    d->files = power_must(calloc(from->file_count + 1, sizeof *d->files));
    d->file_count = from->file_count;
    d->file_capacity = from->file_count + 1;
    for (size_t i = 0; i < from->file_count; i++) {
        memcpy(d->files[i].name, from->files[i].name, POWER_NAME_BYTES);
        content_clone(&d->files[i].content, &from->files[i].content);
    }
    return d;
}

void power_disk_free(struct power_disk *d)
{
    if (d == NULL)
        return;
    if (d->handles != 0)
        abort();
    power_mount(NULL, d);
    power_keep(d, POWER_NOTHING);
    for (size_t i = 0; i < d->file_count; i++)
        content_fini(&d->files[i].content);
    free(d->files);
    free(d);
}

struct power_file *power_file_at(struct power_disk *d, unsigned file)
{
    while (d->file_count <= file) {
        if (d->file_count == d->file_capacity) {
            d->file_capacity = d->file_capacity * 2 + 8;
            d->files = power_must(realloc(d->files, d->file_capacity * sizeof *d->files));
        }
        memset(&d->files[d->file_count++], 0, sizeof *d->files);
    }
    return &d->files[file];
}

int power_name_find(const struct power_disk *d, const char *name)
{
    for (size_t i = 0; i < d->name_count; i++)
        if (strcmp(d->names[i].name, name) == 0)
            return (int)d->names[i].file;
    return -1;
}

void power_name_remove(struct power_disk *d, const char *name)
{
    for (size_t i = 0; i < d->name_count; i++)
        if (strcmp(d->names[i].name, name) == 0) {
            d->names[i] = d->names[--d->name_count];
            return;
        }
}

void power_name_set(struct power_disk *d, const char *name, unsigned file)
{
    power_name_remove(d, name);
    if (d->name_count == POWER_NAMES_MAX || strlen(name) >= POWER_NAME_BYTES)
        abort();
    struct power_name *n = &d->names[d->name_count++];
    memset(n, 0, sizeof *n);
    memcpy(n->name, name, strlen(name));
    n->file = file;
    memcpy(power_file_at(d, file)->name, n->name, POWER_NAME_BYTES);
}

static uint64_t hash_of_file(const struct power_name *n, const struct power_content *c)
{
    uint64_t hash = c->size;
    for (const char *p = n->name; *p != '\0'; p++)
        hash = mix(hash + (uint8_t)*p);
    for (size_t i = 0; i < c->count; i++)
        hash += mix(page_hash(c->pages[i]) + i * UINT64_C(0x9e3779b97f4a7c15));
    return mix(hash);
}

uint64_t power_disk_hash(const struct power_disk *d)
{
    uint64_t hash = 0; /* a sum: the order of names does not matter */
    for (size_t i = 0; i < d->name_count; i++)
        hash += hash_of_file(&d->names[i], &d->files[d->names[i].file].content);
    return hash;
}

uint64_t power_disk_size(const struct power_disk *d, const char *name)
{
    int file = power_name_find(d, name);
    return file < 0 ? 0 : d->files[file].content.size;
}

static void save_file(const struct power_content *c, const char *path)
{
    FILE *f = power_must(fopen(path, "wb"));
    uint8_t page[PAGE_BYTES];
    for (uint64_t at = 0; at < c->size; at += PAGE_BYTES) {
        size_t n = c->size - at < PAGE_BYTES ? (size_t)(c->size - at) : PAGE_BYTES;
        power_content_read(c, at, page, n);
        if (fwrite(page, 1, n, f) != n)
            abort();
    }
    if (fclose(f) != 0)
        abort();
}

void power_disk_save(const struct power_disk *d, const char *directory)
{
    char path[1024];
    for (size_t i = 0; i < d->name_count; i++) {
        if (snprintf(path, sizeof path, "%s/%s", directory, d->names[i].name) >= (int)sizeof path)
            abort();
        save_file(&d->files[d->names[i].file].content, path);
    }
}

/* ---- a set of hashes ---- */

struct entry {
    uint64_t hash, number;
};

struct power_set {
    struct entry *entries; /* hash 0: free */
    size_t count, capacity;
};

struct power_set *power_set_new(void)
{
    struct power_set *s = power_must(calloc(1, sizeof *s));
    s->capacity = 1024;
    s->entries = power_must(calloc(s->capacity, sizeof *s->entries));
    return s;
}

void power_set_free(struct power_set *s)
{
    if (s != NULL)
        free(s->entries);
    free(s);
}

/* Where the hash is or would be. */
static struct entry *entry_of(const struct power_set *s, uint64_t hash)
{
    size_t i = (size_t)mix(hash) & (s->capacity - 1);
    while (s->entries[i].hash != 0 && s->entries[i].hash != hash)
        i = (i + 1) & (s->capacity - 1);
    return &s->entries[i];
}

const uint64_t *power_set_find(const struct power_set *s, uint64_t hash)
{
    const struct entry *e = entry_of(s, hash == 0 ? 1 : hash);
    return e->hash == 0 ? NULL : &e->number;
}

static void set_grow(struct power_set *s)
{
    struct power_set old = *s;
    s->capacity *= 2;
    s->entries = power_must(calloc(s->capacity, sizeof *s->entries));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].hash != 0)
            *entry_of(s, old.entries[i].hash) = old.entries[i];
    free(old.entries);
}

void power_set_put(struct power_set *s, uint64_t hash, uint64_t number)
{
    if (s->count * 2 >= s->capacity)
        set_grow(s);
    hash = hash == 0 ? 1 : hash;
    struct entry *e = entry_of(s, hash);
    s->count += e->hash == 0;
    *e = (struct entry){hash, number};
}

size_t power_set_count(const struct power_set *s) { return s->count; }
