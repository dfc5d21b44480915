/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/router.h"

#include "base/mem.h"

#include <assert.h>

struct entry {
    struct http_route route;
    size_t len;
};

/* All routes in one array, sorted by method and then longest prefix first. There are a few dozen:
 * comparing them in turn beats any cleverer structure. */
struct router {
    struct entry *entries;
    size_t first[VERB_MAX + 1];
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    if (x->route.verb != y->route.verb)
        return (int)x->route.verb - (int)y->route.verb;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return strcmp(x->route.prefix, y->route.prefix);
}

struct router *router_new(const struct http_route *routes, size_t n)
{
    struct router *r = xnew(struct router);

    r->entries = xnew_array(struct entry, n + 1);
    for (size_t i = 0; i < n; i++) {
        assert(routes[i].verb < VERB_MAX && routes[i].prefix[0] == '/' && routes[i].handler);
        r->entries[i] = (struct entry){routes[i], strlen(routes[i].prefix)};
    }
    qsort(r->entries, n, sizeof(*r->entries), compare);
    for (size_t i = 0; i < n; i++) {
        assert(i == 0 || compare(&r->entries[i - 1], &r->entries[i]) != 0); /* no route twice */
        r->first[r->entries[i].route.verb + 1]++;
    }
    for (int v = 0; v < VERB_MAX; v++)
        r->first[v + 1] += r->first[v];
    return r;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    free(r->entries);
    free(r);
}

const struct http_route *router_find(const struct router *r, enum http_verb verb, const char *path,
                                     int *ret_status)
{
    if (r->first[verb] == r->first[verb + 1]) {
        *ret_status = 501;
        return NULL;
    }
    for (size_t i = r->first[verb]; i < r->first[verb + 1]; i++) {
        const struct entry *e = &r->entries[i];

        if (strncmp(path, e->route.prefix, e->len) == 0)
            return &e->route;
    }
    *ret_status = 403;
    return NULL;
}
