/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drivers of the host that come in several versions. The kernel of a host has one of each, so there
 * are no rows; what there is to say is about rows that a caller only believes in.
 */
#include "gen/class/Driver_variant_txn.h"
#include "gen/class/Host_driver_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/Driver_variant.h"
#include "gen/msg/Host_driver.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

static struct error *choose(struct call *c, const char *driver, const char *variant)
{
    const struct driver_variant_rec *v = NULL;
    struct host_driver_rec *d;

    TRY(txn_edit_host_driver(c->txn, driver, &d));
    if (variant) {
        TRY(txn_driver_variant(c->txn, variant, &v));
        if (!streq(v->driver, driver))
            return err_invalid_value("variant", variant);
        if (!v->hardware_present)
            return err_host_driver_no_hardware(variant);
    }
    d->selected_variant = v ? v->self : REF_NULL;
    return NULL;
}

struct error *api_host_driver_select(struct call *c, const struct host_driver_select_args *a)
{
    return choose(c, a->self, a->variant);
}

struct error *api_host_driver_deselect(struct call *c, const struct host_driver_deselect_args *a)
{
    return choose(c, a->self, NULL);
}

struct error *api_driver_variant_select(struct call *c, const struct driver_variant_select_args *a)
{
    const struct driver_variant_rec *v;

    TRY(txn_driver_variant(c->txn, a->self, &v));
    return choose(c, v->driver, v->self);
}

static struct error *rescan(struct call *c, const char *ref)
{
    const struct host_rec *host;

    return txn_host(c->txn, ref, &host);
}

struct error *api_host_driver_rescan(struct call *c, const struct host_driver_rescan_args *a)
{
    return rescan(c, a->host);
}

struct error *api_host_rescan_drivers(struct call *c, const struct host_rescan_drivers_args *a)
{
    return rescan(c, a->self);
}
