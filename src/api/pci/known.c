/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/pci/pci.h"

#include "api/common/lists.h"
#include "api/gpu/gpu.h"
#include "gen/class/PIF_metrics_txn.h"
#include "gen/class/PIF_txn.h"

#define CAPABILITY_SRIOV "sriov"

static const struct pci_rec *find(struct txn *t, const char *host, const char *id)
{
    const struct pci_rec *const *all;
    size_t n = txn_all_pci(t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->pci_id, id) && streq(all[i]->host, host))
            return all[i];
    return NULL;
}

static void describe(struct pci_rec *pci, const struct host_pci_device_rec *f)
{
    pci->class_id = f->class_id;
    pci->class_name = f->class_name;
    pci->vendor_id = f->vendor_id;
    pci->vendor_name = f->vendor_name;
    pci->device_id = f->device_id;
    pci->device_name = f->device_name;
    pci->subsystem_vendor_id = f->subsystem_vendor_id;
    pci->subsystem_vendor_name = f->subsystem_vendor_name;
    pci->subsystem_device_id = f->subsystem_device_id;
    pci->subsystem_device_name = f->subsystem_device_name;
    pci->driver_name = f->driver;
}

/* "0000:03:00.1" and "0000:03:00.0" are one card: they are given away together. */
static bool same_card(const char *x, const char *y)
{
    const char *dot = strrchr(x, '.');

    return dot && strncmp(x, y, (size_t)(dot - x) + 1) == 0 && !streq(x, y);
}

static struct error *link_rows(struct txn *t, const char *host, const struct host_pci_device_rec *f,
                               const struct set_host_pci_device_rec *all)
{
    const struct pci_rec *physical = find(t, host, f->physical_function);
    struct pci_rec *pci;

    TRY(txn_edit_pci(t, find(t, host, f->id)->self, &pci));
    pci->physical_function = physical ? physical->self : REF_NULL;
    pci->dependencies = (struct set_ref){0};
    for (size_t i = 0; i < all->n; i++)
        if (same_card(f->id, all->v[i].id))
            refs_add(txn_arena(t), &pci->dependencies, find(t, host, all->v[i].id)->self);
    pci->functions = (int64_t)pci->dependencies.n + 1;
    return NULL;
}

static bool is_there(const struct set_host_pci_device_rec *all, const char *id)
{
    for (size_t i = 0; i < all->n; i++)
        if (streq(all->v[i].id, id))
            return true;
    return false;
}

static struct error *remove_gone(struct txn *t, const char *host,
                                 const struct set_host_pci_device_rec *found)
{
    const struct pci_rec *const *all;
    size_t n = txn_all_pci(t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->host, host) && !is_there(found, all[i]->pci_id) &&
            !all[i]->attached_VMs.n)
            TRY(txn_delete_pci(t, all[i]->self));
    return NULL;
}

static struct error *tell_pif(struct txn *t, const char *host, const struct host_pci_device_rec *f)
{
    const struct pif_rec *const *all;
    size_t n = txn_all_pif(t, &all);

    for (size_t i = 0; i < n; i++) {
        const struct pif_metrics_rec *m = txn_find_pif_metrics(t, all[i]->metrics);
        struct pif_rec *pif;

        if (!all[i]->physical || !streq(all[i]->host, host) || !m || !streq(m->pci_bus_path, f->id))
            continue;
        TRY(txn_edit_pif(t, all[i]->self, &pif));
        pif->PCI = find(t, host, f->id)->self;
        if (f->virtual_functions > 0 && !set_has(&pif->capabilities, CAPABILITY_SRIOV))
            set_add(txn_arena(t), &pif->capabilities, CAPABILITY_SRIOV);
    }
    return NULL;
}

static struct error *add_or_update(struct txn *t, const char *host,
                                   const struct host_pci_device_rec *f)
{
    const struct pci_rec *old = find(t, host, f->id);
    struct pci_rec *pci;

    if (old)
        TRY(txn_edit_pci(t, old->self, &pci));
    else
        pci = txn_new_pci(t);
    pci->host = host;
    pci->pci_id = f->id;
    describe(pci, f);
    return NULL;
}

struct error *pci_refresh(struct txn *t, const char *host,
                          const struct host_host_devices_result *found)
{
    const struct set_host_pci_device_rec *all = &found->pci;

    TRY(remove_gone(t, host, all));
    for (size_t i = 0; i < all->n; i++)
        TRY(add_or_update(t, host, &all->v[i]));
    for (size_t i = 0; i < all->n; i++) {
        TRY(link_rows(t, host, &all->v[i], all));
        TRY(tell_pif(t, host, &all->v[i]));
        TRY(pgpu_refresh(t, find(t, host, all->v[i].id), all->v[i].boot_display));
    }
    return NULL;
}
