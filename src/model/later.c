/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commits that no thread waits for. Somebody has to flush them: whoever flushes a commit of its own
 * takes them along, else the committer, which sleeps while there is nothing to do.
 */
#include "base/mem.h"
#include "model/store_priv.h"

void committer_init(struct committer *c)
{
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
}

void committer_lead(struct committer *c)
{
    assert(c->started);
    pthread_mutex_lock(&c->lock);
    c->leads = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* False: no commit will come any more. */
static bool await_lead(struct committer *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->leads && !c->ending)
        pthread_cond_wait(&c->wake, &c->lock);
    bool leads = c->leads;

    c->leads = false;
    pthread_mutex_unlock(&c->lock);
    return leads;
}

static void *committer_main(void *arg)
{
    struct store *s = arg;

    while (await_lead(&s->committer))
        publish_lead(s);
    return NULL;
}

struct error *store_start(struct store *s)
{
    struct committer *c = &s->committer;
    int r = pthread_create(&c->thread, NULL, committer_main, s);

    if (r)
        return error_errno(r, "cannot start a thread");
    pthread_setname_np(c->thread, "commit");
    c->started = true;
    return NULL;
}

void committer_fini(struct committer *c)
{
    if (c->started) {
        pthread_mutex_lock(&c->lock);
        c->ending = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
}

void later_end(struct store *s, struct pending *p)
{
    struct commit_later *l = p->later;
    struct error *e = p->error;

    pending_free(p);
    l->done(l, e);
}

void store_settle(struct store *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    while (s->n_later)
        pthread_cond_wait(&s->flushed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}
