/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /console by CONNECT (raw bytes) and by GET with a WebSocket: VNC or the serial line of a running
 * VM. `ref` or `uuid` names a console, or a VM (its VNC console, else any).
 */
#include "api/common/host_error.h"
#include "api/http/transfer.h"
#include "gen/class/VM_txn.h"
#include "gen/class/console_txn.h"
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
    if (!c)
        return err_handle_invalid("console", text);
    *ret = (struct host_vm_console_args){
        .uuid = arena_strdup(&t->arena, vm->uuid),
        .kind = c->protocol == CONSOLE_PROTOCOL_VT100 ? "serial" : "vnc",
    };
    return NULL;
}

static struct error *relay_web(struct transfer *t, int fd)
{
    struct websocket *ws = NULL;
    struct error *e = websocket_accept(t->rq, &ws);

    /* Either way the connection is gone from the request. */
    if (!e) {
        transfer_set_web(t, ws);
        e = relay_websocket(ws, fd, 0, NULL);
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
    size_t n = 0;

    TRY(find(t, &args));
    struct error *e = hostd_vm_console(t->daemon->hostd, &args, &t->arena, NULL, fds, &n);

    if (e)
        return from_host(t->daemon->store, e);
    if (n != 1)
        return error_text("hostd sent %zu descriptors instead of one", n);
    _cleanup_close_ int fd = fds[0];

    if (t->rq->head.upgrade_websocket)
        return relay_web(t, fd);
    if (t->rq->head.verb != VERB_CONNECT)
        return err_invalid_value("upgrade", "a websocket is needed here");
    TRY(transfer_take(t, NULL, NULL, -1));
    return relay_stream(t->stream, fd, 0, NULL);
}

const struct transfer_kind transfer_console = {.action = HTTP_CONNECT_CONSOLE, .run = console};
const struct transfer_kind transfer_console_web = {.action = HTTP_CONNECT_CONSOLE_WS,
                                                   .run = console};
