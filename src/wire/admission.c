/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/admission.h"

#include "base/map.h"

#include <pthread.h>

struct admission_entry {
    unsigned n;
    char address[];
};

struct admission {
    struct admission_limits limits;
    pthread_mutex_t lock; /* rank: leaf */
    unsigned n_unix;
    unsigned n_tcp;
    struct strmap addresses; /* text -> struct admission_entry, only those with n > 0 */
    bool orphaned;           /* the server is gone */
};

struct admission *admission_new(const struct admission_limits *limits)
{
    struct admission *a = xnew(struct admission);

    a->limits = *limits;
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

/* With the lock held, which is released. */
static void unlock_or_destroy(struct admission *a)
{
    bool last = a->orphaned && a->n_unix + a->n_tcp == 0;

    pthread_mutex_unlock(&a->lock);
    if (!last)
        return;
    strmap_fini(&a->addresses);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void admission_free(struct admission *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->orphaned = true;
    unlock_or_destroy(a);
}

static bool enter_tcp(struct admission *a, const char *address, struct admission_entry **ret)
{
    struct admission_entry *e = strmap_find(&a->addresses, address);

    if (a->n_tcp >= a->limits.max_tcp || (e && e->n >= a->limits.max_per_address))
        return false;
    if (!e) {
        size_t len = strlen(address);

        e = xcalloc(1, sizeof(*e) + len + 1);
        memcpy(e->address, address, len);
        strmap_set(&a->addresses, e->address, e);
    }
    e->n++;
    a->n_tcp++;
    *ret = e;
    return true;
}

bool admission_enter(struct admission *a, const char *address, struct ticket *ret)
{
    struct admission_entry *entry = NULL;
    bool ok;

    pthread_mutex_lock(&a->lock);
    if (address) {
        ok = enter_tcp(a, address, &entry);
    } else {
        ok = a->n_unix < a->limits.max_unix;
        a->n_unix += ok;
    }
    pthread_mutex_unlock(&a->lock);
    if (ok)
        *ret = (struct ticket){a, entry};
    return ok;
}

void ticket_return(struct ticket *t)
{
    struct admission *a = t->from;

    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    if (!t->address) {
        a->n_unix--;
    } else {
        a->n_tcp--;
        if (--t->address->n == 0) {
            strmap_remove(&a->addresses, t->address->address);
            free(t->address);
        }
    }
    *t = (struct ticket){0};
    unlock_or_destroy(a);
}

void admission_counts(struct admission *a, unsigned *ret_unix, unsigned *ret_tcp)
{
    pthread_mutex_lock(&a->lock);
    *ret_unix = a->n_unix;
    *ret_tcp = a->n_tcp;
    pthread_mutex_unlock(&a->lock);
}
