/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gen/msg/PUSB.h"
#include "api/common/lists.h"
#include "api/usb/usb.h"
#include "gen/class/USB_group_txn.h"
#include "gen/class/VUSB_txn.h"
#include "gen/class/host_txn.h"
#include "rpc/call.h"

/* The same device in the same place. */
static bool is_same(const struct pusb_rec *p, const struct host_usb_device_rec *f)
{
    return streq(p->path, f->path) && streq(p->vendor_id, f->vendor_id) &&
           streq(p->product_id, f->product_id) && streq(p->serial, f->serial);
}

static const struct pusb_rec *find(struct txn *t, const char *host,
                                   const struct host_usb_device_rec *f)
{
    const struct pusb_rec *const *all;
    size_t n = txn_all_pusb(t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->host, host) && is_same(all[i], f))
            return all[i];
    return NULL;
}

static void add(struct txn *t, const char *host, const struct host_usb_device_rec *f)
{
    struct pusb_rec *p = txn_new_pusb(t);

    p->host = host;
    p->path = f->path;
    p->vendor_id = f->vendor_id;
    p->vendor_desc = f->vendor_name;
    p->product_id = f->product_id;
    p->product_desc = f->product_name;
    p->serial = f->serial;
    p->version = f->version;
    p->speed = f->speed;
    p->description = arena_printf(txn_arena(t), "%s_%s%s%s", f->vendor_name, f->product_name,
                                  *f->serial ? "_" : "", f->serial);
}

/* The group holds this one device: without it there is nothing to offer. */
static struct error *remove_group(struct txn *t, const char *ref)
{
    const struct usb_group_rec *group = txn_find_usb_group(t, ref);

    return group ? txn_delete_usb_group(t, group->self) : NULL;
}

static bool is_there(const struct set_host_usb_device_rec *found, const struct pusb_rec *p)
{
    for (size_t i = 0; i < found->n; i++)
        if (is_same(p, &found->v[i]))
            return true;
    return false;
}

struct error *pusb_refresh(struct txn *t, const char *host,
                           const struct host_host_devices_result *found)
{
    const struct pusb_rec *const *all;
    size_t n = txn_all_pusb(t, &all);

    for (size_t i = 0; i < n; i++) {
        const char *group = all[i]->USB_group;

        if (!streq(all[i]->host, host) || is_there(&found->usb, all[i]))
            continue;
        TRY(txn_delete_pusb(t, all[i]->self));
        TRY(remove_group(t, group));
    }
    for (size_t i = 0; i < found->usb.n; i++)
        if (!find(t, host, &found->usb.v[i]))
            add(t, host, &found->usb.v[i]);
    return NULL;
}

struct error *api_pusb_scan(struct call *c, const struct pusb_scan_args *a)
{
    const struct host_host_devices_args args = {0};
    struct host_host_devices_result found;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(hostd_host_devices(c->daemon->hostd, &args, c->arena, &found));
    return pusb_refresh(c->txn, host->self, &found);
}

static struct error *offer(struct txn *t, struct pusb_rec *p)
{
    struct usb_group_rec *group = txn_new_usb_group(t);

    group->name_label = arena_printf(txn_arena(t), "Group of %s %s USBs",
                                     *p->vendor_desc ? p->vendor_desc : p->vendor_id,
                                     *p->product_desc ? p->product_desc : p->product_id);
    p->USB_group = group->self;
    return NULL;
}

static struct error *withdraw(struct txn *t, struct pusb_rec *p)
{
    const struct usb_group_rec *group = txn_find_usb_group(t, p->USB_group);
    const struct set_ref *vusbs = group ? &txn_inv_usb_group(t, group)->VUSBs : NULL;

    for (size_t i = 0; vusbs && i < vusbs->n; i++) {
        const struct vusb_rec *vusb = txn_find_vusb(t, vusbs->v[i]);

        if (vusb && vusb->currently_attached)
            return err_usb_already_attached(p->self, vusb->VM);
    }
    p->USB_group = REF_NULL;
    return group ? remove_group(t, group->self) : NULL;
}

struct error *api_pusb_set_passthrough_enabled(struct call *c,
                                               const struct pusb_set_passthrough_enabled_args *a)
{
    struct pusb_rec *p;

    TRY(txn_edit_pusb(c->txn, a->self, &p));
    if (p->passthrough_enabled == a->value)
        return NULL;
    TRY(a->value ? offer(c->txn, p) : withdraw(c->txn, p));
    p->passthrough_enabled = a->value;
    return NULL;
}
