/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Repositories are looked at now and then without being asked: their sizes, and the contents of
 * those that change behind our back. No task tells of it.
 */
#include "api/sr/refresh.h"
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/sr/sr.h"
#include "rules/ops.h"

#define AUTO_SCAN "auto-scan"
#define DIRTY     "dirty"

static const struct commit_info info = {.who = "", .task = "", .call = "look at storage"};

struct error *sr_write_sizes(struct daemon *d, struct txn *t, struct sr_rec *sr)
{
    const struct host_sr_stat_args args = {.uuid = sr->uuid};
    struct host_sr_stat_result stat;

    TRY(from_host(d->store, hostd_sr_stat(d->hostd, &args, txn_arena(t), &stat)));
    sr->physical_size = stat.size;
    sr->physical_utilisation = stat.used;
    sr->virtual_allocation = stat.virtual_allocation;
    return NULL;
}

/* The row is read before hostd is asked: whatever begins meanwhile is a conflict. */
static struct error *look(struct daemon *d, struct txn *t, const struct sr_rec *sr, bool scan)
{
    struct sr_found found;
    struct sr_rec *edit;

    if (scan) {
        TRY(sr_look(d, txn_arena(t), sr->uuid, &found));
        return sr_write_found(t, sr->self, &found);
    }
    TRY(txn_edit_sr(t, sr->self, &edit));
    return sr_write_sizes(d, t, edit);
}

static struct error *refresh_one(struct daemon *d, const char *ref)
{
    _cleanup_arena_ struct arena a;
    const struct sr_rec *sr;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_sr(t, ref, &sr));
    const struct pbd_rec *pbd = sr_pbd_on(t, sr, d->host_ref);
    bool scan = map_is_true(&sr->other_config, AUTO_SCAN) || map_find(&sr->other_config, DIRTY);

    if (!pbd || !pbd->currently_attached)
        return NULL;
    if (!sr_op_allowed(txn_view(t), sr, STORAGE_OPERATIONS_SCAN, false, NULL))
        return NULL; /* busy: the next round will do */
    TRY(look(d, t, sr, scan));
    return txn_commit(t, &info);
}

struct error *sr_refresh_all(struct daemon *d)
{
    struct version_list all;
    struct error *first = NULL;

    store_all(d->store, CLASS_SR, &all);
    for (size_t i = 0; i < all.n; i++) {
        struct error *e = refresh_one(d, version_ref_text(all.v[i]));

        /* One that cannot be read must not hide the others; somebody got in between: next time. */
        if (e && !first && !error_is(e, DB_CONFLICT))
            first = e;
        else if (e)
            error_free(e);
    }
    version_list_fini(&all);
    return first;
}
