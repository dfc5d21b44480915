/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/left.h"

#include "base/log.h"
#include "base/mem.h"
#include "gen/errors.h"
#include "gen/host_proto.h"
#include "gen/messages.h"
#include "rpc/audit_call.h"
#include "rpc/builtin.h"
#include "rpc/job.h"
#include "task/callers.h"

#include <pthread.h>

struct left {
    pthread_mutex_t lock; /* rank: leaf */
    json_t *calls;
    json_t *awaited;
    json_t *disks;
};

struct left *left_new(void)
{
    struct left *l = xnew(struct left);

    pthread_mutex_init(&l->lock, NULL);
    l->calls = json_array();
    l->awaited = json_array();
    l->disks = json_array();
    return l;
}

void left_free(struct left *l)
{
    if (!l)
        return;
    json_decref(l->calls);
    json_decref(l->awaited);
    json_decref(l->disks);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

bool left_add_async(struct left *l, const struct job *j)
{
    const struct call *c = &j->call;
    json_t *call =
        json_pack("{s:s, s:O, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:I}", "method", c->msg->name,
                  "params", j->env.params, "task", c->task, "session", c->session, "user", c->user,
                  "originator", c->originator, "roles", (json_int_t)c->roles, "superuser",
                  c->superuser, "unix", c->from_unix, "start", (json_int_t)c->start_us);

    pthread_mutex_lock(&l->lock);
    if (call)
        json_array_append_new(l->calls, call);
    pthread_mutex_unlock(&l->lock);
    return call != NULL;
}

void left_add_caller(struct left *l, const char *task)
{
    pthread_mutex_lock(&l->lock);
    json_array_append_new(l->awaited, json_string(task));
    pthread_mutex_unlock(&l->lock);
}

void left_add_disk(struct left *l, const char *handle)
{
    pthread_mutex_lock(&l->lock);
    json_array_append_new(l->disks, json_string(handle));
    pthread_mutex_unlock(&l->lock);
}

json_t *left_take(struct left *l)
{
    pthread_mutex_lock(&l->lock);
    json_t *j = json_pack("{sososo}", "calls", l->calls, "awaited", l->awaited, "disks", l->disks);

    l->calls = json_array();
    l->awaited = json_array();
    l->disks = json_array();
    pthread_mutex_unlock(&l->lock);
    return j;
}

void left_expect(struct daemon *d, const json_t *left)
{
    json_t *task;
    size_t i;

    json_array_foreach (json_object_get(left, "awaited"), i, task)
        if (json_is_string(task))
            callers_expect(d->callers, json_string_value(task));
}

static const char *text(struct job *j, const json_t *call, const char *key)
{
    const char *s = json_string_value(json_object_get(call, key));

    return arena_strdup(j->call.arena, s ? s : "");
}

static void run_one(struct daemon *d, const json_t *call)
{
    static const struct message unknown = {.name = "call"}; /* another version made it */
    struct job *j = xnew(struct job);

    arena_init(&j->own);
    j->call.arena = &j->own;
    j->call.daemon = d;
    j->call.task = text(j, call, "task");
    j->call.session = text(j, call, "session");
    j->call.user = text(j, call, "user");
    j->call.originator = text(j, call, "originator");
    j->call.agent = "";
    j->call.roles = (uint32_t)json_integer_value(json_object_get(call, "roles"));
    j->call.superuser = json_is_true(json_object_get(call, "superuser"));
    j->call.from_unix = json_is_true(json_object_get(call, "unix"));
    j->call.form = FORM_JSON;
    j->call.start_us = json_integer_value(json_object_get(call, "start"));
    j->env.method = text(j, call, "method");
    j->env.id = "null";
    j->env.params = json_incref(json_object_get(call, "params"));
    const struct message *m = message_find(j->env.method, strlen(j->env.method));

    j->call.msg = m ? m : &unknown;
    if (j->call.msg->flags & MSG_CUSTOM_RESULT)
        j->call.raw = arena_new(j->call.arena, struct str);
    struct error *e = m ? job_decode(j, m->flags & MSG_NO_SESSION ? 0 : 1)
                        : err_message_method_unknown(j->env.method);

    if (e) {
        job_finish(j, e, NULL, 0);
        return;
    }
    audit_call_note(j);
    job_queue(j);
}

static void close_disk(struct daemon *d, const char *handle)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    log_and_free(LOG_WARNING,
                 hostd_vdi_nbd_close(d->hostd, &(struct host_vdi_nbd_close_args){.handle = handle},
                                     &a, NULL),
                 "cannot close a disk of the program before");
}

void left_run(struct daemon *d, const json_t *left)
{
    json_t *call, *handle;
    size_t i;

    json_array_foreach (json_object_get(left, "disks"), i, handle)
        if (json_is_string(handle))
            close_disk(d, json_string_value(handle));
    json_array_foreach (json_object_get(left, "calls"), i, call)
        run_one(d, call);
}
