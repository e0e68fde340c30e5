/*
 * proto/arena.h: a bump allocator with a budget, for protobuf-c. One arena is reused for many frames;
 * reset frees all but the first block. Nothing allocated from it is freed one by one.
 */
#ifndef PROTO_ARENA_H
#define PROTO_ARENA_H

#include "base/buf.h"
#include <protobuf-c/protobuf-c.h>

struct arena;

struct arena *arena_new(void); /* NULL when out of memory */
void arena_free(struct arena *a);
void arena_free_secret(struct arena *a); /* wipes all that was allocated first */
/* Empties it and sets how many bytes may be allocated until the next reset. */
void arena_reset(struct arena *a, size_t budget_bytes);
/* 16-byte aligned; NULL over the budget or out of memory */
void *arena_alloc(struct arena *a, size_t len);
size_t arena_spent_bytes(const struct arena *a); /* since the last reset */
bool arena_was_exceeded(const struct arena *a);  /* since the last reset */
bool arena_lacked_memory(const struct arena *a); /* likewise: not the budget, but malloc failed */
ProtobufCAllocator *arena_allocator(struct arena *a);

#endif
