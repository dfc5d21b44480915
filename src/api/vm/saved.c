/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/saved.h"

#include "api/vm/domain.h"
#include "api/vm/suspend_disk.h"
#include "proto/client.h"

/* Plan state: the VM did not come back, or nobody knows. Its memory may be all that is left of the
 * guest. */
#define KEEP_MEMORY "keep memory"

static struct error *come_back(struct plan *p)
{
    const struct host_domain_rec *dom;

    TRY(domain_find(p, &dom));
    if (!dom) {
        TRY(domain_start(p));
        return domain_run(p);
    }
    /* Never saved, or restored by an undo that was cut off. */
    plan_set_int(p, "domid", dom->domid);
    plan_set_str(p, "run", dom->run);
    return streq(dom->state, "paused") ? domain_run(p) : NULL;
}

struct error *saved_return(struct plan *p)
{
    struct error *e = come_back(p);

    plan_set_bool(p, KEEP_MEMORY, e && !hostd_is_away(e));
    return e;
}

struct error *saved_returned(struct plan *p, struct txn *t)
{
    const struct vm_rec *vm;

    TRY(txn_vm(t, plan_str(p, "vm"), &vm));
    if (plan_bool(p, KEEP_MEMORY) || streq(vm->run, plan_str(p, "run")))
        return NULL;
    return vm_now_running(p, t);
}

struct error *saved_unmake(struct plan *p)
{
    return plan_bool(p, KEEP_MEMORY) ? NULL : suspend_disk_unmake(p);
}

struct error *saved_unmade(struct plan *p, struct txn *t)
{
    return plan_bool(p, KEEP_MEMORY) ? NULL : suspend_disk_unmade(p, t);
}

struct error *saved_run(struct plan *p)
{
    struct error *e = domain_run(p);
    const struct host_domain_rec *dom = NULL;

    if (!e)
        return NULL;
    IGNORE_ERROR(domain_find(p, &dom));
    if (!dom || !streq(dom->state, "stopped"))
        return e;
    error_free(e);
    return NULL;
}
