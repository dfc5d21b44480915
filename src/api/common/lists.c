/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/lists.h"

#include <strings.h>

const char *map_find(const struct map_string_string *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->k[i], key))
            return m->v[i];
    return NULL;
}

bool map_is_true(const struct map_string_string *m, const char *key)
{
    const char *v = map_find(m, key);

    return v && strcasecmp(v, "true") == 0;
}

/* A copy without the key, with room for `more` pairs. */
static struct map_string_string copy_without(struct arena *a, const struct map_string_string *m,
                                             const char *key, size_t more, const char ***ret_k,
                                             const char ***ret_v)
{
    const char **k = arena_array(a, const char *, m->n + more);
    const char **v = arena_array(a, const char *, m->n + more);
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (key && streq(m->k[i], key))
            continue;
        k[n] = m->k[i];
        v[n++] = m->v[i];
    }
    *ret_k = k;
    *ret_v = v;
    return (struct map_string_string){.n = n, .k = k, .v = v};
}

void map_set(struct arena *a, struct map_string_string *m, const char *key, const char *value)
{
    const char **k, **v;

    if (map_find(m, key)) {
        *m = copy_without(a, m, NULL, 0, &k, &v);
        for (size_t i = 0; i < m->n; i++)
            if (streq(k[i], key))
                v[i] = arena_strdup(a, value);
        return;
    }
    *m = copy_without(a, m, NULL, 1, &k, &v);
    k[m->n] = arena_strdup(a, key);
    v[m->n++] = arena_strdup(a, value);
}

void map_remove(struct arena *a, struct map_string_string *m, const char *key)
{
    const char **k, **v;

    if (map_find(m, key))
        *m = copy_without(a, m, key, 0, &k, &v);
}

struct map_string_string map_of(struct arena *a, const char *const *pairs)
{
    size_t n = 0;

    while (pairs[n])
        n += 2;
    const char **k = arena_array(a, const char *, n / 2);
    const char **v = arena_array(a, const char *, n / 2);

    for (size_t i = 0; i < n / 2; i++) {
        k[i] = pairs[2 * i];
        v[i] = pairs[2 * i + 1];
    }
    return (struct map_string_string){.n = n / 2, .k = k, .v = v};
}

bool set_has(const struct set_string *s, const char *value)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->v[i], value))
            return true;
    return false;
}

static const char *const *appended(struct arena *a, const char *const *v, size_t n,
                                   const char *value)
{
    const char **copy = arena_array(a, const char *, n + 1);

    for (size_t i = 0; i < n; i++)
        copy[i] = v[i];
    copy[n] = arena_strdup(a, value);
    return copy;
}

void set_add(struct arena *a, struct set_string *s, const char *value)
{
    if (set_has(s, value))
        return;
    s->v = appended(a, s->v, s->n, value);
    s->n++;
}

static const char *const *without(struct arena *a, const char *const *v, size_t *n,
                                  const char *value)
{
    const char **copy = arena_array(a, const char *, *n);
    size_t left = 0;

    for (size_t i = 0; i < *n; i++)
        if (!streq(v[i], value))
            copy[left++] = v[i];
    *n = left;
    return copy;
}

void set_remove(struct arena *a, struct set_string *s, const char *value)
{
    s->v = without(a, s->v, &s->n, value);
}

bool refs_have(const struct set_ref *s, const char *ref)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->v[i], ref))
            return true;
    return false;
}

void refs_remove(struct arena *a, struct set_ref *s, const char *ref)
{
    s->v = without(a, s->v, &s->n, ref);
}

const char *map_find_ref(const struct map_string_ref *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->k[i], key))
            return m->v[i];
    return NULL;
}

void map_set_ref(struct arena *a, struct map_string_ref *m, const char *key, const char *ref)
{
    const char *const *k = appended(a, m->k, m->n, key);
    const char *const *v = appended(a, m->v, m->n, ref);

    *m = (struct map_string_ref){.n = m->n + 1, .k = k, .v = v};
}

void map_remove_ref(struct arena *a, struct map_string_ref *m, const char *ref)
{
    const char **k = arena_array(a, const char *, m->n);
    const char **v = arena_array(a, const char *, m->n);
    size_t left = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (streq(m->v[i], ref))
            continue;
        k[left] = m->k[i];
        v[left++] = m->v[i];
    }
    *m = (struct map_string_ref){.n = left, .k = k, .v = v};
}

void refs_add(struct arena *a, struct set_ref *s, const char *ref)
{
    s->v = appended(a, s->v, s->n, ref);
    s->n++;
}

bool is_null_ref(const char *ref)
{
    return !*ref || streq(ref, REF_NULL);
}
