/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control domain: on Xen the privileged guest the toolstack runs in, elsewhere the host seen
 * as one, because clients expect every host to have it.
 */
#include "api/setup/rows.h"
#include "base/world.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"

#define DOM0_MEMORY (1ll << 30) /* said of hosts whose real share is unknown */

static void fill(struct setup *s, struct vm_rec *vm, const char *hostname)
{
    vm->name_label = arena_printf(s->a, "Control domain on host: %s", hostname);
    vm->name_description = "The domain which manages physical devices and manages other domains";
    vm->is_control_domain = true;
    vm->power_state = VM_POWER_STATE_RUNNING;
    vm->domain_type = DOMAIN_TYPE_PV;
    vm->domid = 0;
    vm->domarch = "x64";
    vm->resident_on = vm->affinity = s->host;
    vm->memory_static_min = vm->memory_static_max = DOM0_MEMORY;
    vm->memory_dynamic_min = vm->memory_dynamic_max = vm->memory_target = DOM0_MEMORY;
    vm->VCPUs_max = vm->VCPUs_at_startup = (int64_t)s->facts->cpus.n;
}

struct error *setup_dom0(struct setup *s)
{
    struct host_rec *host;
    struct vm_metrics_rec *m;
    struct vm_rec *vm;

    TRY(txn_edit_host(s->t, s->host, &host));
    if (txn_find_vm(s->t, host->control_domain)) {
        TRY(txn_edit_vm(s->t, host->control_domain, &vm));
        TRY(txn_edit_vm_metrics(s->t, vm->metrics, &m));
    } else {
        vm = txn_new_vm(s->t);
        m = txn_new_vm_metrics(s->t);
        vm->metrics = m->self;
        host->control_domain = vm->self;
        fill(s, vm, host->hostname);
    }
    m->memory_actual = vm->memory_target;
    m->VCPUs_number = (int64_t)s->facts->cpus.n;
    m->start_time = s->facts->boot_time;
    m->last_updated = now_s();
    m->current_domain_type = DOMAIN_TYPE_PV;
    return NULL;
}
