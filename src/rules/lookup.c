/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-ups shared by the rules of all classes. */
#include "rules/lookup.h"

#include "base/mem.h"
#include "gen/class/VM_metrics.h"

bool ref_is_set(const char *ref)
{
    return *ref && !streq(ref, REF_NULL);
}

const char *config_find(const struct map_string_string *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->k[i], key))
            return m->v[i];
    return NULL;
}

bool config_is_true(const struct map_string_string *m, const char *key)
{
    const char *value = config_find(m, key);

    return value && (streq(value, "true") || streq(value, "1"));
}

const struct pool_rec *find_pool(const struct view *v)
{
    return view_search(v, CLASS_POOL, NULL, NULL);
}

static bool driver_serves(const void *rec, const void *sr_type)
{
    const struct sm_rec *sm = rec;

    return streq(sm->type, sr_type);
}

const struct sm_rec *find_driver(const struct view *v, const char *sr_type)
{
    return view_search(v, CLASS_SM, driver_serves, sr_type);
}

bool driver_has_feature(const struct sm_rec *sm, const char *feature)
{
    for (size_t i = 0; sm && i < sm->features.n; i++)
        if (streq(sm->features.k[i], feature))
            return true;
    return false;
}

bool vm_is_live(const struct vm_rec *vm)
{
    return vm->power_state == VM_POWER_STATE_RUNNING || vm->power_state == VM_POWER_STATE_PAUSED;
}

int vm_domain_type(const struct view *v, const struct vm_rec *vm)
{
    const struct vm_metrics_rec *m =
        vm_is_live(vm) ? view_find(v, CLASS_VM_METRICS, vm->metrics) : NULL;

    if (m && m->current_domain_type != DOMAIN_TYPE_UNSPECIFIED)
        return m->current_domain_type;
    if (vm->domain_type != DOMAIN_TYPE_UNSPECIFIED)
        return vm->domain_type;
    return str_empty(vm->HVM_boot_policy) ? DOMAIN_TYPE_PV : DOMAIN_TYPE_HVM;
}

bool vm_booted_pv(const struct view *v, const struct vm_rec *vm)
{
    const struct vm_metrics_rec *m = view_find(v, CLASS_VM_METRICS, vm->metrics);

    return m && m->current_domain_type != DOMAIN_TYPE_HVM &&
           m->current_domain_type != DOMAIN_TYPE_UNSPECIFIED;
}

bool vm_is_dom0(const struct vm_rec *vm)
{
    return vm->is_control_domain && vm->domid == 0;
}
