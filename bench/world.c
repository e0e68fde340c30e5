/*
 * bench/world.c: the file `world`, one line each:
 *
 *   municipality ID
 *   sender ORGANISATION PERSON ENDPOINT
 *   target ORGANISATION RECOVERY          then its readers:
 *   reader ORGANISATION ENDPOINT
 *   idle ORGANISATION ENDPOINT
 */
#include "bench/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (8u << 20)

char *world_pem(const struct world *w, const struct id *endpoint, char out[WORLD_PATH_BYTES])
{
    char text[ID_TEXT_BYTES];
    int n = snprintf(out, WORLD_PATH_BYTES, "%s/%s.pem", w->folder, id_to_text(endpoint, text));
    if (n < 0 || n >= WORLD_PATH_BYTES)
        die("the folder's name is too long");
    return out;
}

static struct id take_id(char **line)
{
    struct id id;
    const char *word = strsep(line, " ");
    if (!word || id_from_text(&id, word))
        die("the world's file is damaged: make it again");
    return id;
}

static void need_room(size_t count, size_t max)
{
    if (count >= max)
        die("the world has too many members");
}

static void take_line(struct world *w, char *line)
{
    const char *what = strsep(&line, " ");
    if (strcmp(what, "municipality") == 0) {
        w->municipality = take_id(&line);
    } else if (strcmp(what, "sender") == 0) {
        need_room(w->sender_count, WORLD_SENDERS_MAX);
        struct world_endpoint *e = &w->senders[w->sender_count++];
        e->organisation = take_id(&line);
        e->person = take_id(&line);
        e->endpoint = take_id(&line);
    } else if (strcmp(what, "target") == 0) {
        need_room(w->target_count, WORLD_TARGETS_MAX);
        struct world_target *t = &w->targets[w->target_count++];
        t->organisation = take_id(&line);
        t->recovery = take_id(&line);
    } else if (strcmp(what, "reader") == 0 && w->target_count > 0) {
        struct world_target *t = &w->targets[w->target_count - 1];
        need_room(t->reader_count, WORLD_READERS_MAX);
        struct world_endpoint *e = &t->readers[t->reader_count++];
        e->organisation = take_id(&line);
        e->endpoint = take_id(&line);
    } else if (strcmp(what, "idle") == 0) {
        need_room(w->idle_count, WORLD_IDLE_MAX);
        struct world_endpoint *e = &w->idle[w->idle_count++];
        e->organisation = take_id(&line);
        e->endpoint = take_id(&line);
    } else {
        die("the world's file is damaged: make it again");
    }
}

struct world *world_read(const char *folder)
{
    struct world *w = need_memory(1, sizeof *w);
    char path[WORLD_PATH_BYTES];
    struct buf text;
    w->idle = need_memory(WORLD_IDLE_MAX, sizeof *w->idle);
    if (snprintf(w->folder, sizeof w->folder, "%s", folder) >= (int)sizeof w->folder ||
        snprintf(path, sizeof path, "%s/world", folder) >= (int)sizeof path)
        die("the folder's name is too long");
    buf_init(&text, FILE_BYTES_MAX);
    need(buf_read_file(&text, path), "read the world's file");
    need(buf_append_u8(&text, 0), "read the world's file");
    char *rest = (char *)text.data, *line;
    while ((line = strsep(&rest, "\n")) && *line)
        take_line(w, line);
    buf_fini(&text);
    return w;
}

void world_free(struct world *w)
{
    free(w->idle);
    free(w);
}
