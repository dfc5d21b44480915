/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>

#define ARENA_ALIGN     16
#define ARENA_FIRST     4096u
#define ARENA_MAX_BLOCK (1u << 20)

struct arena_block {
    struct arena_block *prev;
    size_t size;
    alignas(ARENA_ALIGN) char data[];
};

struct arena_hook {
    struct arena_hook *prev;
    void (*fn)(void *);
    void *p;
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){
        .block = a->block, .next = a->next, .end = a->end, .hooks = a->hooks, .used = a->used};
}

void arena_rewind(struct arena *a, const struct arena_mark *m)
{
    while (a->hooks != m->hooks) {
        struct arena_hook *h = a->hooks;

        a->hooks = h->prev;
        h->fn(h->p);
    }
    while (a->block != m->block) {
        struct arena_block *b = a->block;

        a->block = b->prev;
        free(b);
    }
    a->next = m->next;
    a->end = m->end;
    a->used = m->used;
}

void arena_fini(struct arena *a)
{
    static const struct arena_mark empty;

    arena_rewind(a, &empty);
}

static void arena_grow(struct arena *a, size_t need)
{
    size_t size = a->block ? MIN(a->block->size * 2, ARENA_MAX_BLOCK) : ARENA_FIRST;

    size = MAX(size, need);
    struct arena_block *b = xmalloc(sizeof(*b) + size);

    b->prev = a->block;
    b->size = size;
    a->block = b;
    a->next = b->data;
    a->end = b->data + size;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if ((size_t)(a->end - a->next) < size || !a->next)
        arena_grow(a, size);
    char *p = a->next;

    a->next += size;
    a->used += size;
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

void *arena_memdup(struct arena *a, const void *p, size_t size)
{
    return size ? memcpy(arena_alloc(a, size), p, size) : arena_alloc(a, 0);
}

char *arena_memdup0(struct arena *a, const char *s, size_t len)
{
    char *p = arena_alloc(a, len + 1);

    memcpy(p, s, len);
    p[len] = 0;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_memdup0(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, ap2;

    va_start(ap, fmt);
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = arena_alloc(a, (size_t)n + 1);

    vsnprintf(p, (size_t)n + 1, fmt, ap2);
    va_end(ap2);
    return p;
}

void arena_on_end(struct arena *a, void (*fn)(void *p), void *p)
{
    struct arena_hook *h = arena_alloc(a, sizeof(*h));

    *h = (struct arena_hook){.prev = a->hooks, .fn = fn, .p = p};
    a->hooks = h;
}
