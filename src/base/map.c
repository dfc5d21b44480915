/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open addressing with linear probing. The hash is keyed per process, so that clients cannot
 * choose colliding names.
 */
#include "base/map.h"

#include <sys/random.h>

static const char gone_key[] = "";
#define STRMAP_GONE gone_key

static uint64_t hash_seed;

/* Before main, so before any thread: readers need no lock. */
__attribute__((constructor)) static void hash_seed_init(void)
{
    uint64_t s = 0;

    if (getrandom(&s, sizeof(s), GRND_NONBLOCK) != (ssize_t)sizeof(s))
        s = (uint64_t)(uintptr_t)&hash_seed;
    hash_seed = s | 1;
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15ull;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9ull;
    return h ^ h >> 32;
}

uint64_t hash_mem(const void *p, size_t len)
{
    const unsigned char *s = p;
    uint64_t h = hash_seed ^ len;

    for (; len >= 8; s += 8, len -= 8) {
        uint64_t w;

        memcpy(&w, s, 8);
        h = mix(h ^ w);
    }
    uint64_t tail = 0;

    memcpy(&tail, s, len);
    return mix(h ^ tail);
}

void strmap_fini(struct strmap *m)
{
    free(m->slots);
    *m = (struct strmap){0};
}

static struct strmap_slot *slot_of(const struct strmap *m, const char *key, size_t len,
                                   uint64_t hash)
{
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct strmap_slot *s = &m->slots[i];

        if (!s->key)
            return NULL;
        if (s->key != STRMAP_GONE && s->hash == hash && !strncmp(s->key, key, len) && !s->key[len])
            return s;
    }
}

static void strmap_rehash(struct strmap *m)
{
    struct strmap old = *m;
    size_t cap = 16;

    while (cap < old.n * 4)
        cap *= 2;
    m->slots = xnew_array(struct strmap_slot, cap);
    m->cap = cap;
    m->used = m->n;
    for (size_t i = 0; i < old.cap; i++) {
        const struct strmap_slot *s = &old.slots[i];

        if (!s->key || s->key == STRMAP_GONE)
            continue;
        size_t j = s->hash & (cap - 1);

        while (m->slots[j].key)
            j = (j + 1) & (cap - 1);
        m->slots[j] = *s;
    }
    free(old.slots);
}

void *strmap_set(struct strmap *m, const char *key, void *value)
{
    size_t len = strlen(key);
    uint64_t hash = hash_mem(key, len);
    struct strmap_slot *s = slot_of(m, key, len, hash);

    if (s) {
        void *old = s->value;

        s->value = value;
        s->key = key;
        return old;
    }
    if (m->used * 4 >= m->cap * 3)
        strmap_rehash(m);
    size_t i = hash & (m->cap - 1);

    while (m->slots[i].key)
        i = (i + 1) & (m->cap - 1);
    m->slots[i] = (struct strmap_slot){.key = key, .hash = hash, .value = value};
    m->n++;
    m->used++;
    return NULL;
}

void *strmap_find_mem(const struct strmap *m, const char *key, size_t len)
{
    const struct strmap_slot *s = slot_of(m, key, len, hash_mem(key, len));

    return s ? s->value : NULL;
}

void *strmap_find(const struct strmap *m, const char *key)
{
    return strmap_find_mem(m, key, strlen(key));
}

void *strmap_remove(struct strmap *m, const char *key)
{
    size_t len = strlen(key);
    struct strmap_slot *s = slot_of(m, key, len, hash_mem(key, len));

    if (!s)
        return NULL;
    void *old = s->value;

    s->key = STRMAP_GONE;
    s->value = NULL;
    m->n--;
    return old;
}

void *strmap_next(const struct strmap *m, size_t *pos, const char **ret_key)
{
    for (; *pos < m->cap; (*pos)++) {
        const struct strmap_slot *s = &m->slots[*pos];

        if (!s->key || s->key == STRMAP_GONE)
            continue;
        (*pos)++;
        if (ret_key)
            *ret_key = s->key;
        return s->value;
    }
    return NULL;
}
