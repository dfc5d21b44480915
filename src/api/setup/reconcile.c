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

static struct error *attach(struct daemon *d, struct txn *t, const struct pbd_rec *pbd,
                            void (*warn)(const char *text))
{
    const struct sr_rec *sr;

    TRY(txn_sr(t, pbd->SR, &sr));
    struct error *e = sr_backend_attach(d, txn_arena(t), sr->uuid, sr->type, &pbd->device_config);

    if (!e)
        return NULL;
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
        if (all[i]->currently_attached && streq(all[i]->host, d->host_ref))
            TRY(attach(d, t, all[i], warn));
    if (txn_has_writes(t))
        TRY(txn_commit(t, &info));
    return sr_refresh_all(d);
}
