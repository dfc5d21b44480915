/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI.*_dom0_access: whether the machine itself or guests may use a device. */
#include "api/pci/pci.h"
#include "gen/msg/PCI.h"
#include "rpc/call.h"

/* Drivers that keep a device for guests. */
static bool is_for_guests(const struct pci_rec *pci)
{
    static const char *const drivers[] = {"pciback", "xen-pciback", "vfio-pci"};

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (streq(pci->driver_name, drivers[i]))
            return true;
    return false;
}

static int access_of(const struct pci_rec *pci)
{
    return is_for_guests(pci) ? PCI_DOM0_ACCESS_DISABLED : PCI_DOM0_ACCESS_ENABLED;
}

struct error *pci_change_dom0_access(struct call *c, const char *ref, int wanted, int *ret)
{
    const struct pci_rec *pci;

    TRY(txn_pci(c->txn, ref, &pci));
    *ret = access_of(pci);
    if (*ret == wanted)
        return NULL;
    return err_operation_not_allowed("How the machine starts is not changed from here yet: bind "
                                     "the device to vfio-pci or take it away from there");
}

struct error *api_pci_get_dom0_access_status(struct call *c,
                                             const struct pci_get_dom0_access_status_args *a,
                                             int *ret)
{
    const struct pci_rec *pci;

    TRY(txn_pci(c->txn, a->self, &pci));
    *ret = access_of(pci);
    return NULL;
}

struct error *api_pci_enable_dom0_access(struct call *c,
                                         const struct pci_enable_dom0_access_args *a, int *ret)
{
    return pci_change_dom0_access(c, a->self, PCI_DOM0_ACCESS_ENABLED, ret);
}

struct error *api_pci_disable_dom0_access(struct call *c,
                                          const struct pci_disable_dom0_access_args *a, int *ret)
{
    return pci_change_dom0_access(c, a->self, PCI_DOM0_ACCESS_DISABLED, ret);
}
