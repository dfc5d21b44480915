/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated owner: a chain in memory with an NBD server in this process. */

#include "storage/sim/sim.h"

#include <errno.h>
#include <pthread.h>

struct sim_export {
    char *name;
    bool writable;
};

struct sim_owner {
    struct owner o;
    struct place *place;
    struct sim_server *server;
    pthread_mutex_t lock; /* top, exports: connection threads look at them */
    struct uuid_text top;
    struct strmap exports;
};

static struct sim_owner *sim_of(struct owner *o)
{
    return container_of(o, struct sim_owner, o);
}

static bool find_export(void *arg, const char *name, char node[UUID_LEN + 1], bool *ret_writable)
{
    struct sim_owner *s = arg;

    pthread_mutex_lock(&s->lock);
    const struct sim_export *e = strmap_find(&s->exports, name);
    if (e) {
        memcpy(node, s->top.s, UUID_LEN + 1);
        *ret_writable = e->writable;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

static struct error *sim_start(const struct place_config *c, const struct sr_driver *sr,
                               struct place *p, const struct node *top, bool writable,
                               struct owner **ret)
{
    struct sim_owner *s = xnew(struct sim_owner);

    s->place = p;
    s->top = top->id;
    pthread_mutex_init(&s->lock, NULL);
    s->server = sim_server_new(p, find_export, s);
    *ret = &s->o;
    return NULL;
}

static void free_export(struct sim_export *e)
{
    free(e->name);
    free(e);
}

static void sim_stop(struct owner *o)
{
    struct sim_owner *s = sim_of(o);
    size_t pos = 0;
    const char *key;
    struct sim_export *e;

    sim_server_free(s->server);
    while ((e = strmap_next(&s->exports, &pos, &key)))
        free_export(e);
    strmap_fini(&s->exports);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool sim_alive(struct owner *o)
{
    return true;
}

static struct error *sim_overlay_open(struct owner *o, const struct node *n)
{
    return NULL;
}

static void set_top(struct sim_owner *s, const struct node *n)
{
    pthread_mutex_lock(&s->lock);
    s->top = n->id;
    pthread_mutex_unlock(&s->lock);
}

static struct error *sim_overlay_switch(struct owner *o, const struct node *n)
{
    set_top(sim_of(o), n);
    return NULL;
}

static void sim_node_close(struct owner *o, const struct node *n)
{
}

/* As in the real owners, writers stand still from the end of the copy to the switch. */
static struct error *sim_commit(struct owner *o, const struct owner_commit *c)
{
    struct sim_owner *s = sim_of(o);
    const struct image_progress *p = c->progress;

    if (p && p->cancelled && p->cancelled(p->arg))
        return error_errno(ECANCELED, "merge stopped");
    sim_server_pause(s->server);
    struct error *e = sim_merge(s->place, c->top->id.s, c->base->id.s);
    if (!e && c->before_switch)
        e = c->before_switch(c->arg);
    if (!e && c->top == o->top)
        set_top(s, c->base);
    sim_server_resume(s->server);
    if (!e && p && p->progress)
        p->progress(p->arg, 1);
    return e;
}

static struct error *sim_resize(struct owner *o, int64_t size)
{
    return sr_sim_driver.image_resize(o->place, o->top, size);
}

static struct error *sim_export_add(struct owner *o, const char *name, bool writable)
{
    struct sim_owner *s = sim_of(o);
    struct sim_export *e = xnew(struct sim_export);

    e->name = xstrdup(name);
    e->writable = writable;
    pthread_mutex_lock(&s->lock);
    strmap_set(&s->exports, e->name, e);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void sim_export_remove(struct owner *o, const char *name)
{
    struct sim_owner *s = sim_of(o);

    pthread_mutex_lock(&s->lock);
    struct sim_export *e = strmap_remove(&s->exports, name);
    if (e)
        free_export(e);
    pthread_mutex_unlock(&s->lock);
}

static struct error *sim_connect(struct owner *o, int *ret_fd)
{
    return sim_server_connect(sim_of(o)->server, ret_fd);
}

const struct owner_driver owner_sim_driver = {
    .start = sim_start,
    .stop = sim_stop,
    .alive = sim_alive,
    .overlay_open = sim_overlay_open,
    .overlay_switch = sim_overlay_switch,
    .node_close = sim_node_close,
    .commit = sim_commit,
    .resize = sim_resize,
    .export_add = sim_export_add,
    .export_remove = sim_export_remove,
    .connect = sim_connect,
};
