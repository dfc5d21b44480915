/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage after a start: every plugged PBD of this host is attached again. hostd does the same by
 * itself, so usually this only confirms; what cannot be attached is marked as unplugged.
 */
#include "api/message/post.h"
#include "api/setup/setup.h"
#include "api/sr/refresh.h"
#include "api/sr/sr.h"
#include "gen/alerts.h"
#include "gen/class/host_txn.h"
#include "rules/ops.h"

static struct error *tell_failure(struct daemon *d, struct txn *t, const char *pbd_ref)
{
    const struct host_rec *host;
    struct pbd_rec *pbd;

    TRY(txn_edit_pbd(t, pbd_ref, &pbd));
    TRY(txn_host(t, d->host_ref, &host));
    pbd->currently_attached = false;
    const struct message_text m = {
        .name = ALERT_PBD_PLUG_FAILED_ON_SERVER_START,
        .priority = 3,
        .cls = CLS_HOST,
        .uuid = host->uuid,
        .body = "",
    };

    return message_post(t, &m, NULL);
}

/* A plan is about to attach it, to detach or to erase it. */
static bool is_changing(struct txn *t, const struct pbd_rec *pbd)
{
    const struct sr_rec *sr = txn_find_sr(t, pbd->SR);

    for (size_t i = 0; sr && i < sr->current_operations.n; i++) {
        int op = sr->current_operations.v[i];

        if (op == STORAGE_OPERATIONS_PLUG || op == STORAGE_OPERATIONS_UNPLUG ||
            op == STORAGE_OPERATIONS_DESTROY)
            return true;
    }
    return false;
}

/* An unplug that came in between, and was done before we attached, must not be undone by us. */
static struct error *detach_if_unplugged(struct daemon *d, const char *pbd_ref, const char *sr_uuid)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    const struct pbd_rec *pbd = txn_find_pbd(t, pbd_ref);

    if (pbd && pbd->currently_attached && !is_changing(t, pbd))
        return NULL;
    return sr_backend_detach(d, &a, sr_uuid);
}

static struct error *attach(struct daemon *d, struct txn *t, const struct pbd_rec *pbd,
                            void (*warn)(const char *text))
{
    const struct sr_rec *sr;

    TRY(txn_sr(t, pbd->SR, &sr));
    struct error *e = sr_backend_attach(d, txn_arena(t), sr->uuid, sr->type, &pbd->device_config);

    if (!e)
        return detach_if_unplugged(d, pbd->self, sr->uuid);
    if (!e->code) /* hostd could not be asked: nothing is known about the storage */
        return e;
    _cleanup_free_ char *text = error_string(e);

    warn(arena_printf(txn_arena(t), "cannot attach SR %s: %s", sr->uuid, text));
    error_free(e);
    return tell_failure(d, t, pbd->self);
}

struct error *setup_reconcile(struct daemon *d, void (*warn)(const char *text))
{
    static const struct commit_info info = {.who = "", .task = "", .call = "start"};
    _cleanup_arena_ struct arena a;
    const struct pbd_rec *const *all;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    size_t n = txn_all_pbd(t, &all);

    for (size_t i = 0; i < n; i++)
        if (all[i]->currently_attached && streq(all[i]->host, d->host_ref) &&
            !is_changing(t, all[i]))
            TRY(attach(d, t, all[i], warn));
    if (txn_has_writes(t))
        TRY(txn_commit(t, &info));
    return sr_refresh_all(d);
}
