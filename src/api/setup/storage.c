/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage that is there from the start: a row for every driver, a directory of disks as the default
 * repository and one of installation media. hostd decides where the directories lie.
 */
#include "api/common/lists.h"
#include "api/setup/rows.h"
#include "api/sr/drivers.h"
#include "api/sr/refresh.h"
#include "api/sr/sr.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/pool_txn.h"

struct initial_sr {
    const char *name;
    const char *description;
    const char *type;
    const char *content_type;
    bool changes; /* people put files there: it is looked at now and then */
};

static const struct initial_sr local_storage = {"Local storage", "", "file", "user", false};
static const struct initial_sr local_media = {
    "ISO images", "Files with the ending .iso in the directory of this repository", "iso", "iso",
    true};

/* The rows are committed as attached; hostd has the repository before that. */
static struct error *add_sr(struct setup *s, const struct initial_sr *what, const char **ret)
{
    struct sr_rec *sr = txn_new_sr(s->t);
    struct pbd_rec *pbd = txn_new_pbd(s->t);

    sr->name_label = what->name;
    sr->name_description = what->description;
    sr->type = what->type;
    sr->content_type = what->content_type;
    sr->default_vdi_visibility = true;
    if (what->changes)
        map_set(s->a, &sr->other_config, "auto-scan", "true");
    pbd->SR = sr->self;
    pbd->host = s->host;
    TRY(sr_backend_create(s->daemon, s->a, sr->uuid, sr->type, &pbd->device_config));
    TRY(sr_backend_attach(s->daemon, s->a, sr->uuid, sr->type, &pbd->device_config));
    TRY(sr_write_sizes(s->daemon, s->t, sr));
    pbd->currently_attached = true;
    *ret = sr->self;
    return NULL;
}

struct error *setup_storage(struct setup *s)
{
    const struct host_sr_roots_args args = {0};
    struct host_sr_roots_result roots;
    const char *disks, *media;
    struct pool_rec *pool;

    TRY(hostd_sr_roots(s->daemon->hostd, &args, s->a, &roots));
    TRY(sm_rows_update(s->t, roots.types.v, roots.types.n));
    if (!s->first)
        return NULL;
    TRY(add_sr(s, &local_storage, &disks));
    TRY(add_sr(s, &local_media, &media));
    TRY(txn_edit_pool(s->t, s->pool, &pool));
    pool->default_SR = pool->suspend_image_SR = pool->crash_dump_SR = disks;
    return NULL;
}
