/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/turns.h"

#include <assert.h>

struct turn {
    char name[TURN_NAME_MAX + 1];
    pthread_mutex_t lock;
    int users; /* holder and waiters, with turns->lock */
};

void turns_init(struct turns *ts)
{
    *ts = (struct turns){.by_name = {0}};
    pthread_mutex_init(&ts->lock, NULL);
}

void turns_fini(struct turns *ts)
{
    assert(ts->by_name.n == 0);
    strmap_fini(&ts->by_name);
    pthread_mutex_destroy(&ts->lock);
}

struct held_turn turn_take(struct turns *ts, const char *name)
{
    char key[TURN_NAME_MAX + 1];

    snprintf(key, sizeof(key), "%.*s", TURN_NAME_MAX, name);
    pthread_mutex_lock(&ts->lock);
    struct turn *t = strmap_find(&ts->by_name, key);

    if (!t) {
        t = xnew(struct turn);
        memcpy(t->name, key, sizeof(key));
        pthread_mutex_init(&t->lock, NULL);
        strmap_set(&ts->by_name, t->name, t);
    }
    t->users++;
    pthread_mutex_unlock(&ts->lock);
    pthread_mutex_lock(&t->lock);
    return (struct held_turn){.turns = ts, .turn = t};
}

void turn_give(struct held_turn *h)
{
    struct turn *t = h->turn;

    pthread_mutex_unlock(&t->lock);
    pthread_mutex_lock(&h->turns->lock);
    if (--t->users == 0) {
        strmap_remove(&h->turns->by_name, t->name);
        pthread_mutex_destroy(&t->lock);
        free(t);
    }
    pthread_mutex_unlock(&h->turns->lock);
}
