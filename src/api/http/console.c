/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /console by CONNECT (raw bytes) and by GET with a WebSocket: VNC or the serial line of a running
 * VM. `ref` or `uuid` names a console, or a VM (its VNC console, else any).
 */
#include "api/common/host_error.h"
#include "api/http/transfers.h"
#include "base/world.h"
#include "gen/class/VM_txn.h"
#include "gen/class/console_txn.h"
#include "gen/class/pool.h"
#include "gen/errors.h"
#include "gen/host_proto.h"
#include "wire/relay.h"

static const struct console_rec *console_of(struct txn *x, const struct vm_rec *vm)
{
    const struct vm_inv *inv = txn_inv_vm(x, vm);
    const struct console_rec *any = NULL;

    for (size_t i = 0; i < inv->consoles.n; i++) {
        const struct console_rec *c = txn_find_console(x, inv->consoles.v[i]);

        if (c && c->protocol == CONSOLE_PROTOCOL_RFB)
            return c;
        any = c ? c : any;
    }
    return any;
}

/* The VM's uuid and the kind of console. */
static struct error *find(struct transfer *t, struct host_vm_console_args *ret)
{
    const char *text = transfer_param(t, "ref"), *ref = NULL;
    _cleanup_txn_ struct txn *x = txn_new(t->daemon->store, &t->arena);
    const struct console_rec *c = NULL;
    const struct vm_rec *vm;

    if (!*text)
        text = transfer_param(t, "uuid");
    struct error *e = transfer_object(t, CLASS_CONSOLE, text, &ref);

    if (!e) {
        TRY(txn_console(x, ref, &c));
        TRY(txn_vm(x, c->VM, &vm));
    } else {
        error_free(e);
        TRY(transfer_object(t, CLASS_VM, text, &ref));
        TRY(txn_vm(x, ref, &vm));
        c = console_of(x, vm);
    }
    if (vm->power_state != VM_POWER_STATE_RUNNING && vm->power_state != VM_POWER_STATE_PAUSED)
        return err_vm_bad_power_state(vm->self, "running, paused", "halted");
    if (!streq(vm->resident_on, t->daemon->host_ref))
        return err_vm_not_resident_here(vm->self, t->daemon->host_ref);
    if (!c)
        return err_handle_invalid("console", text);
    *ret = (struct host_vm_console_args){
        .uuid = arena_strdup(&t->arena, vm->uuid),
        .kind = c->protocol == CONSOLE_PROTOCOL_VT100 ? "serial" : "vnc",
    };
    return NULL;
}

#define IDLE_MAX_S (366 * 86400)

/* What the pool says about consoles of VMs. */
static struct error *heed_pool(struct transfer *t, const struct host_vm_console_args *args,
                               int64_t *ret_idle_us)
{
    _cleanup_version_ struct version *v =
        store_find(t->daemon->store, CLASS_POOL, t->daemon->pool_ref);
    const struct pool_rec *pool = v ? v->rec : &pool_rec_default;
    const char *console = arena_printf(&t->arena, "%s/%s", args->uuid, args->kind);

    *ret_idle_us =
        MAX(MIN(pool->vm_console_idle_timeout, (int64_t)IDLE_MAX_S), (int64_t)0) * SECOND_US;
    if (transfers_set_console(t, console, pool->limit_console_sessions))
        return NULL;
    t->status = 503;
    return err_operation_not_allowed("somebody else looks at this console");
}

static struct error *relay_web(struct transfer *t, int fd, int64_t idle_us)
{
    struct websocket *ws = NULL;
    struct error *e = websocket_accept(t->rq, &ws);

    /* Either way the connection is gone from the request. */
    if (!e) {
        transfer_set_web(t, ws);
        e = relay_websocket(ws, fd, idle_us, NULL);
        transfer_set_web(t, NULL);
        websocket_close(ws, 1000);
    }
    http_request_free(t->rq);
    t->rq = NULL;
    return e;
}

static struct error *console(struct transfer *t)
{
    struct host_vm_console_args args;
    int fds[HOST_MAX_FDS];
    int64_t idle_us;
    size_t n = 0;

    TRY(find(t, &args));
    TRY(heed_pool(t, &args, &idle_us));
    struct error *e = hostd_vm_console(t->daemon->hostd, &args, &t->arena, NULL, fds, &n);

    if (e)
        return from_host(t->daemon->store, e);
    if (n != 1)
        return error_text("hostd sent %zu descriptors instead of one", n);
    _cleanup_close_ int fd = fds[0];

    if (t->rq->head.upgrade_websocket)
        return relay_web(t, fd, idle_us);
    if (t->rq->head.verb != VERB_CONNECT)
        return err_invalid_value("upgrade", "a websocket is needed here");
    TRY(transfer_take(t, NULL, NULL, -1));
    return relay_stream(t->stream, fd, idle_us, NULL);
}

const struct transfer_kind transfer_console = {.action = HTTP_CONNECT_CONSOLE, .run = console};
const struct transfer_kind transfer_console_web = {.action = HTTP_CONNECT_CONSOLE_WS,
                                                   .run = console};
