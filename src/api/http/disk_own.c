/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that a transfer makes for what it receives: VDI.create and VDI.destroy, as whoever sends it
 * could call them.
 */
#include "api/http/disk.h"
#include "gen/errors.h"
#include "gen/messages.h"
#include "gen/msg/VDI.h"
#include "rpc/call.h"
#include "task/engine.h"

#include <assert.h>
#include <pthread.h>

#define TRIES 50

/* The end of a plan, waited for. */
struct ending {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool is_there;
    struct error *error;
    char *ref; /* NULL = it answers nothing */
};

static void plan_ended(void *ctx, const struct error *error, json_t *result)
{
    struct ending *end = ctx;

    pthread_mutex_lock(&end->lock);
    end->error = error ? error_copy(error) : NULL;
    end->ref = json_is_string(result) ? xstrdup(json_string_value(result)) : NULL;
    end->is_there = true;
    pthread_cond_signal(&end->came);
    pthread_mutex_unlock(&end->lock);
}

static struct error *begin_once(struct transfer *t, const struct message *m, const void *args,
                                struct ending *end)
{
    const char *ret = NULL;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *x = txn_new(t->daemon->store, &a);
    struct call c = {
        .daemon = t->daemon,
        .arena = &a,
        .txn = x,
        .msg = m,
        .session = t->session ? t->session->ref : "",
        .user = t->user,
        .roles = t->roles,
        .superuser = t->superuser,
        .originator = "",
        .agent = "",
        .task = "",
        .no_wait = true,
    };

    TRY(m->body(&c, args, &ret));
    assert(c.plan);
    return engine_commit_for(t->daemon->engine, x, c.plan, m->name, plan_ended, end);
}

static struct error *run(struct transfer *t, const char *message, const void *args, char **ret_ref)
{
    const struct message *m = message_find(message, strlen(message));
    struct ending end = {0};
    struct error *e;
    int tries = 0;

    pthread_mutex_init(&end.lock, NULL);
    pthread_cond_init(&end.came, NULL);
    while (error_is(e = begin_once(t, m, args, &end), DB_CONFLICT) && tries++ < TRIES)
        error_free(e);
    pthread_mutex_lock(&end.lock);
    while (!e && !end.is_there)
        pthread_cond_wait(&end.came, &end.lock);
    pthread_mutex_unlock(&end.lock);
    pthread_cond_destroy(&end.came);
    pthread_mutex_destroy(&end.lock);
    *ret_ref = end.ref;
    return e ? e : end.error;
}

struct error *disk_make(struct transfer *t, int64_t size, const char **ret)
{
    struct vdi_create_args args = {.args = vdi_ctor_default};
    _cleanup_free_ char *made = NULL;

    TRY(transfer_object(t, CLASS_SR, transfer_param(t, "sr_id"), &args.args.SR));
    if (size < 0)
        return err_invalid_value("content-length", "none: it is the size of the new disk");
    args.args.name_label = "Imported VDI";
    args.args.virtual_size = size;
    args.args.type = VDI_TYPE_USER;
    TRY(run(t, "VDI.create", &args, &made));
    *ret = arena_strdup(&t->arena, made ? made : "");
    return NULL;
}

struct error *disk_unmake(struct transfer *t, const char *vdi)
{
    const struct vdi_destroy_args args = {.self = vdi};
    _cleanup_free_ char *none = NULL;

    if (!transfer_enter(t))
        return error_text("another program has taken over meanwhile");
    struct error *e = run(t, "VDI.destroy", &args, &none);

    transfer_leave(t);
    return e;
}
