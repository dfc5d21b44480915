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

#include <pthread.h>

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

/* One question to hostd. Those about servers are asked side by side: some may be silent. */
struct asking {
    struct daemon *daemon;
    struct arena arena;
    const struct sr_rec *sr;
    const struct pbd_rec *pbd;
    bool aside;
    pthread_t thread;
    struct error *e;
};

static bool may_be_silent(const struct sr_rec *sr)
{
    return streq(sr->type, "nfs") || streq(sr->type, "smb");
}

static void *ask(void *arg)
{
    struct asking *q = arg;

    q->e =
        sr_backend_attach(q->daemon, &q->arena, q->sr->uuid, q->sr->type, &q->pbd->device_config);
    return NULL;
}

static void ask_about(struct asking *q)
{
    arena_init(&q->arena);
    if (may_be_silent(q->sr))
        q->aside = pthread_create(&q->thread, NULL, ask, q) == 0;
    if (!q->aside)
        ask(q);
}

static struct error *judge(struct asking *q, struct txn *t, void (*warn)(const char *text))
{
    struct error *e = TAKE_PTR(q->e);

    if (!e)
        return detach_if_unplugged(q->daemon, q->pbd->self, q->sr->uuid);
    if (!e->code) /* hostd could not be asked: nothing is known about the storage */
        return e;
    _cleanup_free_ char *text = error_string(e);

    warn(arena_printf(txn_arena(t), "cannot attach SR %s: %s", q->sr->uuid, text));
    error_free(e);
    return tell_failure(q->daemon, t, q->pbd->self);
}

static struct error *attach_all(struct daemon *d, struct txn *t, void (*warn)(const char *text))
{
    const struct pbd_rec *const *all;
    size_t n = txn_all_pbd(t, &all), asked = 0;
    _cleanup_free_ struct asking *q = xnew_array(struct asking, n + 1);
    struct error *e = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct sr_rec *sr = txn_find_sr(t, all[i]->SR);

        if (!sr || !all[i]->currently_attached || !streq(all[i]->host, d->host_ref) ||
            is_changing(t, all[i]))
            continue;
        q[asked] = (struct asking){.daemon = d, .sr = sr, .pbd = all[i]};
        ask_about(&q[asked++]);
    }
    for (size_t i = 0; i < asked; i++) {
        if (q[i].aside)
            pthread_join(q[i].thread, NULL);
        if (!e)
            e = judge(&q[i], t, warn);
        error_free(q[i].e);
        arena_fini(&q[i].arena);
    }
    return e;
}

struct error *setup_reconcile(struct daemon *d, void (*warn)(const char *text))
{
    static const struct commit_info info = {.who = "", .task = "", .call = "start"};
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(attach_all(d, t, warn));
    if (txn_has_writes(t))
        TRY(txn_commit(t, &info));
    return sr_refresh_all(d);
}
