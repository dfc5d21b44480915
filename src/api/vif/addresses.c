/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VIF.configure_ipv4 and configure_ipv6: the addresses a guest's agent is to set. */
#include "api/vif/vif.h"
#include "gen/class/VM_guest_metrics_txn.h"
#include "gen/msg/VIF.h"
#include "rpc/call.h"
#include "rules/lookup.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* ADDRESS/LENGTH. */
static bool is_cidr(struct arena *a, const char *text, int family)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    const char *slash = strchr(text, '/');
    char *end;

    if (!slash || !slash[1] || strlen(slash + 1) > 3)
        return false;
    long length = strtol(slash + 1, &end, 10);

    if (*end || length < 0 || length > (family == AF_INET ? 32 : 128))
        return false;
    return inet_pton(family, arena_memdup0(a, text, (size_t)(slash - text)), bytes) == 1;
}

/* A running guest must have an agent that can; of a halted one only the row changes. */
static struct error *check_guest(struct call *c, const struct vif_rec *vif)
{
    const struct vm_guest_metrics_rec *guest;
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, vif->VM, &vm));
    if (!vm_is_live(vm))
        return NULL;
    guest = txn_find_vm_guest_metrics(c->txn, vm->guest_metrics);
    if (!guest || !config_is_true(&guest->other, "feature-static-ip-setting"))
        return err_vm_lacks_feature(vm->self);
    return NULL;
}

static struct error *check_address(struct call *c, const char *address, const char *gateway,
                                   int family)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    if (!is_cidr(c->arena, address, family))
        return err_invalid_cidr_address_specified("address");
    if (*gateway && inet_pton(family, gateway, bytes) != 1)
        return err_invalid_ip_address_specified("gateway");
    return NULL;
}

static struct set_string one_or_none(struct arena *a, const char *address)
{
    const char **v = arena_array(a, const char *, 1);

    v[0] = address;
    return (struct set_string){*address ? 1 : 0, v};
}

struct error *api_vif_configure_ipv4(struct call *c, const struct vif_configure_ipv4_args *a)
{
    bool fixed = a->mode == VIF_IPV4_CONFIGURATION_MODE_STATIC;
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    if (fixed)
        TRY(check_address(c, a->address, a->gateway, AF_INET));
    TRY(check_guest(c, vif));
    vif->ipv4_configuration_mode = a->mode;
    vif->ipv4_addresses = one_or_none(c->arena, fixed ? a->address : "");
    vif->ipv4_gateway = fixed ? a->gateway : "";
    return NULL;
}

struct error *api_vif_configure_ipv6(struct call *c, const struct vif_configure_ipv6_args *a)
{
    bool fixed = a->mode == VIF_IPV6_CONFIGURATION_MODE_STATIC;
    struct vif_rec *vif;

    TRY(txn_edit_vif(c->txn, a->self, &vif));
    if (fixed)
        TRY(check_address(c, a->address, a->gateway, AF_INET6));
    TRY(check_guest(c, vif));
    vif->ipv6_configuration_mode = a->mode;
    vif->ipv6_addresses = one_or_none(c->arena, fixed ? a->address : "");
    vif->ipv6_gateway = fixed ? a->gateway : "";
    return NULL;
}
