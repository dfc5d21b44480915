/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A network for every interface of the host, and the one between the host and its guests. */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "api/setup/rows.h"
#include "gen/class/PIF_txn.h"
#include "gen/class/network_txn.h"

static void add_internal(struct setup *s)
{
    static const char *const config[] = {
        "is_host_internal_management_network",
        "true",
        "is_guest_installer_network",
        "true",
        "ip_begin",
        "169.254.0.1",
        "ip_end",
        "169.254.255.254",
        "netmask",
        "255.255.0.0",
        NULL,
    };
    struct network_rec *n = txn_new_network(s->t);

    n->name_label = "Host internal management network";
    n->name_description = "Network on which guests will be assigned a private link-local IP "
                          "address which can be used to talk to the host";
    n->bridge = "xenapi";
    n->other_config = map_of(s->a, config);
}

struct error *setup_network(struct setup *s)
{
    const struct set_host_interface_rec *all = &s->facts->interfaces;

    for (size_t i = 0; i < all->n; i++) {
        const struct pif_rec *found = pif_find_device(s->t, s->host, all->v[i].device);
        struct pif_rec *pif;

        /* An interface that comes later is the administrator's affair (PIF.scan). */
        if (!found && !s->first)
            continue;
        if (found)
            TRY(txn_edit_pif(s->t, found->self, &pif));
        else
            pif = pif_add(s->t, s->host, &all->v[i], i == 0);
        TRY(pif_refresh(s->t, pif, &all->v[i]));
    }
    if (s->first)
        add_internal(s);
    return NULL;
}
