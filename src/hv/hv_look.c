/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at domains from outside. */
#include "hv/hv_look.h"

#include "hv/qemu/record.h"
#include "hv/sim/sim.h"

#include <dirent.h>

struct look {
    const char *state_dir;
    void *ctx;
    void (*fn)(void *ctx, const struct hv_found *f);
};

static void look_at_qemu(const struct look *l, struct qemu *q, const char *uuid)
{
    struct domain *d = domain_new(q, uuid);
    _cleanup_error_ struct error *e = record_read(d);
    _cleanup_free_ char *problem = e ? error_string(e) : NULL;
    const struct hv_found f = {
        .driver = "qemu",
        .uuid = uuid,
        .path = d->dir,
        .pid = d->pid,
        .lives = !e && domain_find_process(d),
        .problem = problem,
    };

    l->fn(l->ctx, &f);
    domain_unref(d);
}

static void look_at_sim(const struct look *l, const char *uuid)
{
    _cleanup_free_ char *path = xasprintf("%s/run/sim/%s", l->state_dir, uuid);
    struct sim_domain *d = NULL;
    _cleanup_error_ struct error *e = sim_load(l->state_dir, uuid, &d);
    _cleanup_free_ char *problem = e ? error_string(e) : NULL;
    const struct hv_found f = {
        .driver = "sim",
        .uuid = uuid,
        .path = path,
        .lives = d && d->state != HV_STOPPED,
        .problem = problem,
    };

    l->fn(l->ctx, &f);
    if (!d)
        return;
    vec_fini(&d->disks);
    vec_fini(&d->nics);
    free(d);
}

static void each_uuid(const struct look *l, const char *dir, struct qemu *q)
{
    _cleanup_free_ char *path = xasprintf("%s/run/%s", l->state_dir, dir);
    _cleanup_closedir_ DIR *d = opendir(path);
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        if (!uuid_is_valid(entry->d_name))
            continue;
        if (q)
            look_at_qemu(l, q, entry->d_name);
        else
            look_at_sim(l, entry->d_name);
    }
}

void hv_look(const char *state_dir, void *ctx, void (*fn)(void *ctx, const struct hv_found *f))
{
    const struct look l = {.state_dir = state_dir, .ctx = ctx, .fn = fn};
    struct qemu q = {.state_dir = state_dir};

    pthread_mutex_init(&q.lock, NULL);
    each_uuid(&l, "vm", &q);
    each_uuid(&l, "sim", NULL);
    pthread_mutex_destroy(&q.lock);
}
