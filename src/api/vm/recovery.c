/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/recovery.h"

#include "api/common/lists.h"
#include "api/sr/sr.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_appliance_txn.h"
#include "gen/class/session_txn.h"
#include "gen/msg/VM.h"
#include "gen/msg/VM_appliance.h"
#include "rpc/call.h"

static bool have(const struct set_ref *s, const char *ref)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->v[i], ref))
            return true;
    return false;
}

struct error *recovery_srs(struct call *c, const char *ref, const char *session,
                           struct set_ref *ret)
{
    const struct session_rec *s;
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(txn_session(c->txn, session, &s));
    const struct set_ref *vbds = &txn_inv_vm(c->txn, vm)->VBDs;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(c->txn, vbds->v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? txn_find_vdi(c->txn, vbd->VDI) : NULL;

        if (vdi && !have(ret, vdi->SR))
            refs_add(c->arena, ret, vdi->SR);
    }
    return NULL;
}

struct error *recovery_check(struct call *c, const char *vm, const char *session)
{
    struct set_ref srs = {0};

    TRY(recovery_srs(c, vm, session, &srs));
    for (size_t i = 0; i < srs.n; i++) {
        const struct sr_rec *sr;

        TRY(txn_sr(c->txn, srs.v[i], &sr));
        struct error *why = sr_check_attached(c->daemon, c->txn, sr);

        error_free(why);
        if (why)
            return err_vm_requires_sr(vm, sr->self);
    }
    return NULL;
}

struct error *recovery_do(struct call *c, const char *ref, const char *session, bool force)
{
    const struct vm_rec *vm;

    TRY(recovery_check(c, ref, session));
    TRY(txn_vm(c->txn, ref, &vm));
    const char *version = arena_printf(c->arena, "%lld", (long long)vm->version);

    return force ? NULL : err_vm_to_import_is_not_newer_version(vm->self, version, version);
}

struct error *api_vm_get_srs_required_for_recovery(
    struct call *c, const struct vm_get_srs_required_for_recovery_args *a, struct set_ref *ret)
{
    *ret = (struct set_ref){0};
    return recovery_srs(c, a->self, a->session_to, ret);
}

struct error *api_vm_assert_can_be_recovered(struct call *c,
                                             const struct vm_assert_can_be_recovered_args *a)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    if (txn_find_vm_appliance(c->txn, vm->appliance))
        return err_vm_is_part_of_an_appliance(vm->self, vm->appliance);
    return recovery_check(c, vm->self, a->session_to);
}

struct error *api_vm_recover(struct call *c, const struct vm_recover_args *a)
{
    return recovery_do(c, a->self, a->session_to, a->force);
}

static struct error *members(struct call *c, const char *ref, const char *session,
                             const struct set_ref **ret)
{
    const struct vm_appliance_rec *appliance;
    const struct session_rec *s;

    TRY(txn_vm_appliance(c->txn, ref, &appliance));
    TRY(txn_session(c->txn, session, &s));
    *ret = &txn_inv_vm_appliance(c->txn, appliance)->VMs;
    return NULL;
}

struct error *api_vm_appliance_get_srs_required_for_recovery(
    struct call *c, const struct vm_appliance_get_srs_required_for_recovery_args *a,
    struct set_ref *ret)
{
    const struct set_ref *vms;

    *ret = (struct set_ref){0};
    TRY(members(c, a->self, a->session_to, &vms));
    for (size_t i = 0; i < vms->n; i++)
        TRY(recovery_srs(c, vms->v[i], a->session_to, ret));
    return NULL;
}

struct error *api_vm_appliance_assert_can_be_recovered(
    struct call *c, const struct vm_appliance_assert_can_be_recovered_args *a)
{
    const struct set_ref *vms;

    TRY(members(c, a->self, a->session_to, &vms));
    for (size_t i = 0; i < vms->n; i++)
        TRY(recovery_check(c, vms->v[i], a->session_to));
    return NULL;
}

struct error *api_vm_appliance_recover(struct call *c, const struct vm_appliance_recover_args *a)
{
    const struct set_ref *vms;

    TRY(members(c, a->self, a->session_to, &vms));
    for (size_t i = 0; i < vms->n; i++)
        TRY(recovery_do(c, vms->v[i], a->session_to, a->force));
    return NULL;
}
